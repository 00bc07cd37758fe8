//! Names of tools and ids of calls in the letters that the provider takes: `[a-zA-Z0-9_-]`, 1 to 64 of them.
//!
//! The service's model allows dots and colons in ids as well, but some of the models behind it do not.

use crate::dialect::Written;
use crate::hub::{CallId, Part, Request, Tool, ToolChoice};
use crate::json::{Text, Writer};
use sha2::Digest;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Longest name of a tool, and longest id.
const MAX_LENGTH: usize = 64;

/// Most names that are changed. A request with more is the provider's to refuse.
const MAX_ALIASES: usize = 1024;

/// Letters of a digest that keep shortened ids apart.
const DIGEST: usize = 16;

/// Most calls of a message that are remembered until their results come.
const MAX_OPEN: usize = 1024;

/// The names that had to be changed, and the ids that nobody gave.
#[derive(Default)]
pub(super) struct Names {
    /// Raw name to alias.
    aliases: BTreeMap<String, String>,
    /// Ids of calls whose results have not come, as they were written.
    open: VecDeque<String>,
    /// Ids made up so far.
    made: usize,
}

impl Names {
    /// Finds aliases for the names that a request says, and notes them for the way back.
    pub(super) fn of(request: &Request<'_>, written: &mut Written) -> Names {
        let mut names = Names::default();
        let said: Vec<Text<'_>> = said(request);
        let odd: Vec<Text<'_>> = said.iter().filter(|name| !is_plain(name.raw())).copied().collect();
        if odd.is_empty() {
            return names;
        }
        let mut taken: BTreeSet<String> = said.iter().map(|name| name.raw().to_string()).collect();
        for name in odd {
            if names.aliases.len() == MAX_ALIASES || names.aliases.contains_key(name.raw()) {
                continue;
            }
            let alias = free(&name.decode(), &taken);
            taken.insert(alias.clone());
            written.aliases.add(&alias, name.raw());
            names.aliases.insert(name.raw().to_string(), alias);
        }
        names
    }

    /// Writes a name as the provider shall know it.
    pub(super) fn write(&self, name: Text<'_>, out: &mut Writer) {
        match self.aliases.get(name.raw()) {
            Some(alias) => out.string(alias),
            None => out.text(name),
        }
    }

    /// Writes the id of a call.
    pub(super) fn write_call(&mut self, id: Option<CallId<'_>>, out: &mut Writer) {
        let id = written(id).unwrap_or_else(|| self.make());
        out.string(&id);
        if self.open.len() < MAX_OPEN {
            self.open.push_back(id);
        }
    }

    /// Writes the id of the call that a result belongs to; without one, the first call that has no result.
    pub(super) fn write_result(&mut self, id: Option<CallId<'_>>, out: &mut Writer) {
        let id = match written(id) {
            Some(id) => {
                if let Some(place) = self.open.iter().position(|open| *open == id) {
                    self.open.remove(place);
                }
                id
            }
            None => self.open.pop_front().unwrap_or_else(|| self.make()),
        };
        out.string(&id);
    }

    fn make(&mut self) -> String {
        self.made += 1;
        format!("call_n{}", self.made)
    }
}

/// An id in plain letters, if there is one; different ids stay different.
fn written(id: Option<CallId<'_>>) -> Option<String> {
    match id? {
        CallId::Given(text) if text.is_empty() => None,
        CallId::Given(text) if is_plain(text.raw()) => Some(text.raw().to_string()),
        CallId::Given(text) => Some(plain_id(&text.decode())),
        CallId::Made(number) => Some(format!("call_{number}")),
    }
}

/// Every name of a tool, as often as it is said.
fn said<'a>(request: &Request<'a>) -> Vec<Text<'a>> {
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
    tools.chain(calls).chain(chosen).collect()
}

/// A name of plain letters that nobody has yet.
fn free(name: &str, taken: &BTreeSet<String>) -> String {
    let plain: String =
        name.chars().take(MAX_LENGTH).map(|letter| if is_letter(letter) { letter } else { '_' }).collect();
    let plain = if plain.is_empty() { "tool".to_string() } else { plain };
    if !taken.contains(&plain) {
        return plain;
    }
    // The digest of the name decides, so that the alias does not depend on the company it is in.
    shortened(&plain, name)
}

/// An id in plain letters: a refused letter becomes its hexadecimal code.
fn plain_id(id: &str) -> String {
    let mut plain = String::new();
    for letter in id.chars() {
        match is_letter(letter) {
            true => plain.push(letter),
            false => plain.push_str(&format!("_{:x}", u32::from(letter))),
        }
    }
    if plain.len() <= MAX_LENGTH { plain } else { shortened(&plain, id) }
}

/// What fits of `plain`, and a digest of `whole`.
fn shortened(plain: &str, whole: &str) -> String {
    let digest = sha2::Sha256::digest(whole.as_bytes());
    let start = plain.chars().take(MAX_LENGTH - DIGEST - 1);
    let digits = digest.iter().take(DIGEST / 2).map(|byte| format!("{byte:02x}"));
    start.chain(['_']).collect::<String>() + &digits.collect::<String>()
}

fn is_letter(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_' || letter == '-'
}

fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_LENGTH && text.chars().all(is_letter)
}
