//! Names of tools that the provider would refuse, said in letters it takes.
//!
//! It takes letters, digits and underscores, and no digit first (its page on errors). Others take dashes and dots as well.

use crate::dialect::Aliases;
use crate::hub::{Part, Request, Tool, ToolChoice};
use crate::json::{Text, Writer};
use std::collections::{BTreeMap, BTreeSet};

/// Most aliases of a request. Providers take some 128 tools; names beyond are written as they are, for the provider to refuse.
const MAX_ALIASES: usize = 1024;

/// The names that had to be changed: raw name to alias.
pub(super) struct Names(BTreeMap<String, String>);

impl Names {
    /// Finds aliases for all tools that a request names, and notes them for the way back.
    pub(super) fn of(request: &Request<'_>, aliases: &mut Aliases) -> Names {
        let mut names = Names(BTreeMap::new());
        if all(request).all(|name| is_plain(name.raw())) {
            return names;
        }
        let mut taken: BTreeSet<String> = all(request).map(|name| name.raw().to_string()).collect();
        // The number to go on with for each base, so that many names that become alike do not search anew.
        let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
        for name in all(request).filter(|name| !is_plain(name.raw())) {
            if names.0.len() == MAX_ALIASES || names.0.contains_key(name.raw()) {
                continue;
            }
            let base = plain(&name.decode());
            let next = numbers.entry(base.clone()).or_insert(1);
            let mut alias = base.clone();
            while taken.contains(&alias) {
                *next += 1;
                alias = format!("{base}_{next}");
            }
            taken.insert(alias.clone());
            aliases.add(&alias, name.raw());
            names.0.insert(name.raw().to_string(), alias);
        }
        names
    }

    /// Writes a name as the provider shall know it.
    pub(super) fn write(&self, name: Text<'_>, out: &mut Writer) {
        match self.0.get(name.raw()) {
            Some(alias) => out.string(alias),
            None => out.text(name),
        }
    }
}

/// Every name of a tool, as often as it is said.
fn all<'r, 'a>(request: &'r Request<'a>) -> impl Iterator<Item = Text<'a>> + 'r {
    let tools = request.tools.iter().filter_map(|tool| match tool {
        Tool::Function(function) => Some(function.name),
        Tool::Custom(_) | Tool::Other(_) => None,
    });
    let calls = request.turns.iter().flat_map(|turn| &turn.parts).filter_map(|part| match part {
        Part::ToolCall(call) => Some(call.name),
        _ => None,
    });
    let chosen = request.tool_choice.iter().filter_map(|choice| match choice {
        ToolChoice::Named(name) => Some(*name),
        _ => None,
    });
    tools.chain(calls).chain(chosen)
}

fn is_letter(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.starts_with(|first: char| first.is_ascii_digit()) && name.chars().all(is_letter)
}

fn plain(name: &str) -> String {
    let mut plain: String = name.chars().map(|letter| if is_letter(letter) { letter } else { '_' }).collect();
    if plain.is_empty() || plain.starts_with(|first: char| first.is_ascii_digit()) {
        plain.insert_str(0, "tool_");
    }
    plain
}
