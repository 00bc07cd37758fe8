//! Tool names as chat completions allows them.

use crate::catalog::DialectId;
use crate::dialect::Aliases;
use crate::hub::{Part, Request, Tool};
use crate::json::Text;

/// Most characters of a tool's name in OpenAI's specification.
const MAX_NAME: usize = 64;

/// The names that had to be changed: (the caller's, the provider's), both escaped text.
#[derive(Debug, Default)]
pub(super) struct Names {
    changed: Vec<(String, String)>,
}

impl Names {
    /// Looks at every tool and call; a request of this dialect keeps its names whatever they are.
    pub(super) fn of(request: &Request<'_>) -> Names {
        let mut names = Names::default();
        if request.dialect == DialectId::ChatCompletions {
            return names;
        }
        let tools = request.tools.iter().filter_map(|tool| match tool {
            Tool::Function(function) => Some(function.name),
            Tool::Custom(custom) => Some(custom.name),
            Tool::Other(_) => None,
        });
        let parts = request.turns.iter().flat_map(|turn| &turn.parts);
        let calls = parts.filter_map(|part| match part {
            Part::ToolCall(call) => Some(call.name),
            _ => None,
        });
        let all: Vec<&str> = tools.chain(calls).map(Text::raw).collect();
        for name in all.iter().filter(|name| !is_allowed(name)) {
            if !names.changed.iter().any(|(known, _)| known == name) {
                let alias = names.alias(name, &all);
                names.changed.push((name.to_string(), alias));
            }
        }
        names
    }

    /// What the provider is told for `name`.
    pub(super) fn get<'n>(&'n self, name: Text<'n>) -> Text<'n> {
        let changed = self.changed.iter().find(|(known, _)| known == name.raw());
        changed.map_or(name, |(_, alias)| Text::escaped(alias))
    }

    /// What the reader of the answer must undo.
    pub(super) fn into_aliases(self) -> Aliases {
        let mut aliases = Aliases::default();
        for (name, alias) in &self.changed {
            aliases.add(alias, name);
        }
        aliases
    }

    /// An allowed name that nothing else has.
    fn alias(&self, name: &str, all: &[&str]) -> String {
        let decoded = Text::escaped(name).decode();
        let allowed = |character: char| if is_allowed_char(character) { character } else { '_' };
        let base: String = decoded.chars().map(allowed).take(MAX_NAME).collect();
        let taken = |alias: &str| all.contains(&alias) || self.changed.iter().any(|(_, known)| known == alias);
        if !base.is_empty() && !taken(&base) {
            return base;
        }
        // There are finitely many names, so one of the numbered ones is free.
        let numbered = (2..=all.len() + 2).map(|number| {
            let suffix = format!("_{number}");
            let kept: String = base.chars().take(MAX_NAME - suffix.len()).collect();
            kept + &suffix
        });
        numbered.into_iter().find(|alias| !taken(alias)).unwrap_or(base)
    }
}

fn is_allowed(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len()) && name.chars().all(is_allowed_char)
}

fn is_allowed_char(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '-')
}
