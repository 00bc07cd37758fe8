//! Ids of calls in the letters that the provider takes: `[a-zA-Z0-9_-]`, 1 to 64 of them.
//!
//! The service's model allows dots and colons in ids as well, but some of the models behind it do not.

use crate::hub::CallId;
use crate::json::Writer;
use sha2::Digest;
use std::collections::VecDeque;

/// Longest id.
const MAX_LENGTH: usize = 64;

/// Letters of a digest that keep shortened ids apart.
const DIGEST: usize = 16;

/// Most calls of a message that are remembered until their results come.
const MAX_OPEN: usize = 1024;

/// The ids of calls, and those that nobody gave.
#[derive(Default)]
pub(super) struct Ids {
    /// Ids of calls whose results have not come, as they were written.
    open: VecDeque<String>,
    /// Ids made up so far.
    made: usize,
}

impl Ids {
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
