//! Names of tools and ids of calls that the provider would refuse, said in letters it takes.
//!
//! The provider takes `[a-zA-Z0-9_-]`, 1 to 64 of them in names (its tool use guide). Generate content allows dots and colons,
//! MCP servers slashes.

use crate::dialect::Written;
use crate::hub::{CallId, Part, Request, Tool, ToolChoice};
use crate::json::{Text, Writer};

/// Longest name of a tool.
pub(super) const MAX_NAME: usize = 64;

/// Most tries to find a free alias; more names than this that differ only in refused letters are not told apart.
const MAX_TRIES: usize = 10_000;

/// The names that had to be changed: raw name and alias.
pub(super) struct Names(Vec<(String, String)>);

impl Names {
    /// Finds aliases for all tools that a request names, and notes them for the way back.
    pub(super) fn of(request: &Request<'_>, written: &mut Written) -> Names {
        let tools = request.tools.iter().filter_map(|tool| match tool {
            Tool::Function(function) => Some(function.name),
            Tool::Other(_) => None,
        });
        let calls = request.turns.iter().flat_map(|turn| &turn.parts).filter_map(|part| match part {
            Part::ToolCall(call) => Some(call.name),
            _ => None,
        });
        let chosen = request.tool_choice.iter().filter_map(|choice| match choice {
            ToolChoice::Named(name) => Some(*name),
            _ => None,
        });
        let all: Vec<Text<'_>> = tools.chain(calls).chain(chosen).collect();
        let mut names = Names(Vec::new());
        for name in all.iter().filter(|name| !is_plain(name.raw(), MAX_NAME)) {
            if names.0.iter().any(|(known, _)| known == name.raw()) {
                continue;
            }
            let alias = names.free_alias(&name.decode(), &all);
            written.aliases.add(&alias, name.raw());
            names.0.push((name.raw().to_string(), alias));
        }
        names
    }

    fn free_alias(&self, name: &str, all: &[Text<'_>]) -> String {
        let mut plain: String = name.chars().take(MAX_NAME).map(|letter| if is_letter(letter) { letter } else { '_' }).collect();
        if plain.is_empty() {
            plain.push_str("tool");
        }
        let taken = |alias: &str| {
            self.0.iter().any(|(_, known)| known == alias) || all.iter().any(|name| name.raw() == alias)
        };
        let numbered = (2..MAX_TRIES).map(|number| {
            let suffix = format!("_{number}");
            let short: String = plain.chars().take(MAX_NAME - suffix.len()).collect();
            short + &suffix
        });
        core::iter::once(plain.clone()).chain(numbered).find(|alias| !taken(alias)).unwrap_or(plain)
    }

    /// Writes a name as the provider shall know it.
    pub(super) fn write(&self, name: Text<'_>, out: &mut Writer) {
        match self.0.iter().find(|(known, _)| known == name.raw()) {
            Some((_, alias)) => out.string(alias),
            None => out.text(name),
        }
    }
}

fn is_letter(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_' || letter == '-'
}

fn is_plain(text: &str, longest: usize) -> bool {
    !text.is_empty() && text.len() <= longest && text.chars().all(is_letter)
}

/// Writes the id of a call; refused letters become their hexadecimal code, so that different ids stay different.
/// `position` stands for a missing id: the n-th call without one belongs to the n-th result without one.
pub(super) fn write_id(id: Option<CallId<'_>>, position: &mut usize, out: &mut Writer) {
    match id {
        Some(CallId::Given(text)) if is_plain(text.raw(), usize::MAX) => out.text(text),
        Some(CallId::Given(text)) if !text.is_empty() => {
            let mut plain = String::new();
            for letter in text.decode().chars() {
                match is_letter(letter) {
                    true => plain.push(letter),
                    false => plain.push_str(&format!("_{:x}", u32::from(letter))),
                }
            }
            out.string(&plain);
        }
        Some(CallId::Made(number)) => CallId::Made(number).write(out),
        Some(CallId::Given(_)) | None => {
            out.string(&format!("call_n{position}"));
            *position += 1;
        }
    }
}
