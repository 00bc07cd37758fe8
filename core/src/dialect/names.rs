//! Names of tools that a provider would refuse, said in letters it takes.
//!
//! A name that fits stays. In any other, what is refused becomes `_`; when somebody has that name already, a digest of the whole
//! follows, so that the alias does not depend on how many there are. The reader of the answer turns aliases back.
//!
//! ```text
//! [a-zA-Z0-9_-], 64   files/read → files_read;  files.read besides → files_read_8c1f…
//! ```
//!
//! Every dialect brings its own [`Letters`]; a difference between copies of the rest would be a difference between its tools:
//! hence one.

use super::Aliases;
use crate::catalog::slot;
use crate::hub::{Part, Request, Tool, ToolChoice};
use crate::json::{Text, Writer};
use std::collections::{BTreeMap, BTreeSet};

/// Most names that are changed. Providers take 128 tools; names beyond are written as they are, for the provider to refuse.
const MOST: usize = 1024;

/// What stands for a name that has nothing readable, and before one that begins as none may.
const TOOL: &str = "tool";

/// What a provider takes as the name of a tool, besides ASCII letters and digits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Letters {
    /// The signs it takes; one of them is `_`.
    pub(super) signs: &'static str,
    /// Most letters of a name.
    pub(super) longest: usize,
    /// Whether a digit or another sign than `_` may come first.
    pub(super) any_first: bool,
}

impl Letters {
    /// What most providers take.
    pub(super) const USUAL: Letters = Letters { signs: "_-", longest: 64, any_first: true };

    fn takes(&self, letter: char) -> bool {
        letter.is_ascii_alphanumeric() || self.signs.contains(letter)
    }

    fn takes_first(&self, letter: char) -> bool {
        self.any_first || letter.is_ascii_alphabetic() || letter == '_'
    }

    fn fit(&self, name: &str) -> bool {
        let begins = name.chars().next().is_some_and(|first| self.takes_first(first));
        begins && name.len() <= self.longest && name.chars().all(|letter| self.takes(letter))
    }

    /// The nearest name that fits.
    fn fitted(&self, name: &str) -> String {
        let plain: String = name.chars().map(|letter| if self.takes(letter) { letter } else { '_' }).collect();
        let plain = match plain.chars().next() {
            None => TOOL.to_string(),
            Some(first) if !self.takes_first(first) => format!("{TOOL}_{plain}"),
            Some(_) => plain,
        };
        plain.chars().take(self.longest).collect()
    }

    /// A name that fits and that nobody has.
    fn free(&self, name: &str, taken: &BTreeSet<String>) -> String {
        let plain = self.fitted(name);
        if !taken.contains(&plain) {
            return plain;
        }
        let digest = slot(name);
        let kept = plain.chars().take(self.longest.saturating_sub(digest.len() + 1));
        kept.chain(['_']).chain(digest.chars()).collect()
    }
}

/// The names that had to be changed: the caller's, still escaped, to the provider's.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeMap<String, String>);

impl Names {
    /// Looks at every name that a request says, and notes the changed ones for the way back.
    pub(super) fn of(request: &Request<'_>, letters: Letters, aliases: &mut Aliases) -> Names {
        let (fit, odd): (BTreeSet<&str>, BTreeSet<&str>) =
            said(request).map(Text::raw).partition(|name| letters.fit(name));
        let mut names = Names::default();
        if odd.is_empty() {
            return names;
        }
        let mut taken: BTreeSet<String> = fit.into_iter().map(str::to_string).collect();
        for name in odd.into_iter().take(MOST) {
            let alias = letters.free(&Text::escaped(name).decode(), &taken);
            aliases.add(&alias, name);
            taken.insert(alias.clone());
            names.0.insert(name.to_string(), alias);
        }
        names
    }

    /// What the provider is told for `name`.
    pub(super) fn get<'n>(&'n self, name: Text<'n>) -> Text<'n> {
        self.0.get(name.raw()).map_or(name, |alias| Text::escaped(alias))
    }

    /// Writes a name as the provider shall know it.
    pub(super) fn write(&self, name: Text<'_>, out: &mut Writer) {
        out.text(self.get(name));
    }
}

/// Every name of a tool, as often as it is said.
fn said<'r, 'a>(request: &'r Request<'a>) -> impl Iterator<Item = Text<'a>> + 'r {
    let tools = request.tools.iter().filter_map(|tool| match tool {
        Tool::Function(function) => Some(function.name),
        Tool::Custom(custom) => Some(custom.name),
        Tool::Other(_) => None,
    });
    let parts = request.turns.iter().flat_map(|turn| &turn.parts).filter_map(|part| match part {
        Part::ToolCall(call) => Some(call.name),
        // Where results go by name and their calls are not told.
        Part::ToolResult(result) => result.name,
        _ => None,
    });
    let chosen = request.tool_choice.iter().filter_map(|choice| match choice {
        ToolChoice::Named(name) => Some(*name),
        _ => None,
    });
    tools.chain(parts).chain(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::DialectId;
    use crate::hub::{Delivery, Function};

    const NARROW: Letters = Letters { signs: "_", longest: 24, any_first: false };

    fn request<'a>(names: &[&'a str]) -> Request<'a> {
        let mut request = Request::new(DialectId::Responses, Delivery::Whole);
        let tool = |name: &&'a str| {
            let name = Text::escaped(name);
            Tool::Function(Function {
                namespace: None,
                name,
                description: None,
                schema: None,
                strict: None,
                extra: vec![],
            })
        };
        request.tools = names.iter().map(tool).collect();
        request
    }

    fn aliases_of(names: &[&str], letters: Letters) -> Vec<String> {
        let mut aliases = Aliases::default();
        let (request, mut found) = (request(names), Vec::new());
        let changed = Names::of(&request, letters, &mut aliases);
        for name in names {
            let alias = changed.get(Text::escaped(name));
            assert!(letters.fit(alias.raw()), "{name} became {}", alias.raw());
            assert_eq!(aliases.undo(alias).raw(), *name, "the way back");
            found.push(alias.raw().to_string());
        }
        found
    }

    #[test]
    fn a_name_that_fits_stays_and_any_other_becomes_the_nearest() {
        assert_eq!(aliases_of(&["a-b_1", "files/read"], Letters::USUAL), ["a-b_1", "files_read"]);
        assert_eq!(aliases_of(&["a-b", "1st", "é", ""], NARROW), ["a_b", "tool_1st", "_", "tool"]);
    }

    #[test]
    fn names_that_become_alike_stay_apart_whatever_their_order() {
        let one = aliases_of(&["a/b", "a.b", "a_b"], Letters::USUAL);
        let mut other = aliases_of(&["a_b", "a.b", "a/b"], Letters::USUAL);
        other.reverse();
        assert_eq!(one, other);
        assert_eq!(one.iter().collect::<BTreeSet<_>>().len(), 3, "{one:?}");
        let long: Vec<String> = (0..3).map(|number| format!("{}{number}", "x".repeat(70))).collect();
        let long: Vec<&str> = long.iter().map(String::as_str).collect();
        assert_eq!(aliases_of(&long, NARROW).iter().collect::<BTreeSet<_>>().len(), 3);
    }
}
