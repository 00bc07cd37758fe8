//! Names of tools and ids of calls that the provider would refuse, said in letters it takes.
//!
//! The provider takes `[a-zA-Z0-9_-]`, 1 to 64 of them in names (its tool use guide). Generate content allows dots and colons,
//! MCP servers slashes.

use crate::dialect::Written;
use crate::hub::{CallId, Part, Request, Tool, ToolChoice};
use crate::json::{Text, Writer};
use std::collections::{BTreeMap, BTreeSet};

/// Longest name of a tool.
const MAX_NAME: usize = 64;

/// Most aliases of a request. Providers take 128 tools; names beyond are written as they are, for the provider to refuse.
const MAX_ALIASES: usize = 1024;

/// The names that had to be changed: raw name to alias.
pub(super) struct Names(BTreeMap<String, String>);

impl Names {
    /// Finds aliases for all tools that a request names, and notes them for the way back.
    pub(super) fn of(request: &Request<'_>, written: &mut Written) -> Names {
        let mut names = Names(BTreeMap::new());
        let mut taken: BTreeSet<String> = BTreeSet::new();
        let odd: Vec<Text<'_>> = all(request).filter(|name| !is_plain(name.raw(), MAX_NAME)).collect();
        if odd.is_empty() {
            return names;
        }
        taken.extend(all(request).map(|name| name.raw().to_string()));
        for name in odd {
            if names.0.len() == MAX_ALIASES || names.0.contains_key(name.raw()) {
                continue;
            }
            let Some(alias) = free_alias(&name.decode(), &taken) else { continue };
            taken.insert(alias.clone());
            written.aliases.add(&alias, name.raw());
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
        Tool::Custom(custom) => Some(custom.name),
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
    tools.chain(calls).chain(chosen)
}

fn free_alias(name: &str, taken: &BTreeSet<String>) -> Option<String> {
    let plain = |letter: char| if is_letter(letter) { letter } else { '_' };
    let mut alias: String = name.chars().take(MAX_NAME).map(plain).collect();
    if alias.is_empty() {
        alias.push_str("tool");
    }
    if !taken.contains(&alias) {
        return Some(alias);
    }
    // Every alias and every plain name may be in the way once.
    let numbered = (2..).take(taken.len() + 1).map(|number| {
        let suffix = format!("_{number}");
        alias.chars().take(MAX_NAME.saturating_sub(suffix.len())).chain(suffix.chars()).collect::<String>()
    });
    let mut free = numbered.filter(|alias| !taken.contains(alias));
    free.next()
}

fn is_letter(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_' || letter == '-'
}

fn is_plain(text: &str, longest: usize) -> bool {
    !text.is_empty() && text.len() <= longest && text.chars().all(is_letter)
}

/// The ids of calls and results, in letters that the provider takes. A result without an id answers the first call that
/// waits for one.
#[derive(Default)]
pub(super) struct Ids {
    /// Calls without an id so far.
    unnamed: usize,
    /// Calls without a result so far.
    waiting: Vec<String>,
}

impl Ids {
    /// The id of a call.
    pub(super) fn of_call(&mut self, id: Option<CallId<'_>>) -> String {
        let id = plain_id(id).unwrap_or_else(|| self.unnamed());
        self.waiting.push(id.clone());
        id
    }

    /// The id of the call that a result answers.
    pub(super) fn of_result(&mut self, id: Option<CallId<'_>>) -> String {
        match plain_id(id) {
            Some(id) => {
                self.waiting.retain(|waiting| *waiting != id);
                id
            }
            None if self.waiting.is_empty() => self.unnamed(),
            None => self.waiting.remove(0),
        }
    }

    /// A turn of the model begins: whoever waited will wait for ever.
    pub(super) fn turn(&mut self) {
        self.waiting.clear();
    }

    fn unnamed(&mut self) -> String {
        self.unnamed += 1;
        format!("call_n{}", self.unnamed)
    }
}

/// The id with refused letters as their hexadecimal code, so that different ids stay different.
fn plain_id(id: Option<CallId<'_>>) -> Option<String> {
    let text = match id? {
        CallId::Made(number) => return Some(format!("call_{number}")),
        CallId::Given(text) if text.is_empty() => return None,
        CallId::Given(text) if is_plain(text.raw(), usize::MAX) => return Some(text.raw().to_string()),
        CallId::Given(text) => text.decode(),
    };
    let mut plain = String::new();
    for letter in text.chars() {
        match is_letter(letter) {
            true => plain.push(letter),
            false => plain.push_str(&format!("_{:x}", u32::from(letter))),
        }
    }
    Some(plain)
}
