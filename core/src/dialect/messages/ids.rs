//! Ids of calls that the provider would refuse, said in letters it takes: `[a-zA-Z0-9_-]` (its tool use guide).

use crate::hub::CallId;

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
        CallId::Given(text) if is_plain(text.raw()) => return Some(text.raw().to_string()),
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

fn is_letter(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_' || letter == '-'
}

fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_letter)
}
