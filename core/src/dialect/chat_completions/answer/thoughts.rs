//! Reads the thoughts of an answer and their proofs.
//!
//! Servers that say a thought in several members say the same in each, so the first one counts; but where `reasoning_details`
//! hold the very same words with proofs among them, they tell which proof belongs to which words. A stream may repeat a whole
//! thought when it gives the proof, as this gateway's do.
//!
//! **Order.** A proof that names a call belongs to that call. One that comes when calls have begun is held until the answer has
//! been said: a new thought would end the call that is being said.

use super::calls::Calls;
use super::{SaidMembers, Say};
use crate::dialect::chat_completions::proof;
use crate::hub::Piece;
use crate::json::{Json, Text};

/// Most bytes of proofs held for the end. The longest recorded is 30 kB.
const MAX_HELD: usize = 4 << 20;

/// Proofs that wait: escaped signatures, and the id of the call that some belong to.
#[derive(Default)]
pub(super) struct Thoughts {
    of_calls: Vec<(String, String)>,
    held: Vec<String>,
    bytes: usize,
    /// Words stood in a member of their own: then they do in all of the answer, and details only repeat them.
    spoken: bool,
}

impl Thoughts {
    /// Says the thoughts of a message or delta.
    pub(super) fn read(&mut self, said: &SaidMembers<'_>, calls: &Calls, say: &mut Say<'_>) {
        let details = || said.details.into_iter().flat_map(Json::items);
        let words = said.reasoning_content.or(said.reasoning);
        let told = match words {
            Some(words) => is_concatenation(words, details()),
            None => !self.spoken,
        };
        self.spoken |= words.is_some();
        if let (Some(words), false) = (words, told) {
            say(Piece::Thinking(words));
        }
        for item in details() {
            let Some(detail) = proof::detail(item) else {
                // A server of its own kind: only the words matter.
                let text = item.get("text").or_else(|| item.get("summary")).and_then(Json::text);
                text.filter(|_| told).into_iter().for_each(|text| say(Piece::Thinking(text)));
                continue;
            };
            if let (Some(text), true) = (detail.words, told) {
                say(Piece::Thinking(text));
            }
            if detail.proof.is_some() {
                self.proof(item, said, calls, say);
            }
        }
        if let Some(content) = said.extra_content {
            self.sign(proof::of_message(content), calls.is_empty(), say);
        }
    }

    fn proof(&mut self, item: Json<'_>, said: &SaidMembers<'_>, calls: &Calls, say: &mut Say<'_>) {
        let signature = proof::of_item(item);
        let id = item.get("id").and_then(Json::text).filter(|id| !id.is_empty());
        let begins = |id: Text<'_>| {
            let mut items = said.tool_calls.into_iter().flat_map(Json::items);
            items.any(|call| call.get("id").and_then(Json::text).is_some_and(|call| call.raw() == id.raw()))
        };
        match id {
            Some(id) if calls.slot_of(id).is_some() || begins(id) => {
                self.bytes += signature.len();
                if self.bytes <= MAX_HELD {
                    self.of_calls.push((id.raw().to_string(), signature));
                }
            }
            _ => self.sign(signature, calls.is_empty(), say),
        }
    }

    fn sign(&mut self, signature: String, now: bool, say: &mut Say<'_>) {
        if now {
            return say_proof(&signature, say);
        }
        self.bytes += signature.len();
        if self.bytes <= MAX_HELD {
            self.held.push(signature);
        }
    }

    /// Says the proofs that belong to calls, now that these have begun.
    pub(super) fn say_of_calls(&mut self, calls: &Calls, say: &mut Say<'_>) {
        for (id, signature) in self.of_calls.drain(..) {
            let slot = calls.slot_of(Text::escaped(&id));
            say(Piece::Signature { slot, signature: Text::escaped(&signature) });
        }
    }

    /// Says the proofs that waited for the end.
    pub(super) fn say_held(&mut self, say: &mut Say<'_>) {
        self.held.drain(..).for_each(|signature| say_proof(&signature, say));
    }
}

/// A proof ends its thought: what follows is another one.
fn say_proof(signature: &str, say: &mut Say<'_>) {
    say(Piece::Signature { slot: None, signature: Text::escaped(signature) });
    say(Piece::EndBlock);
}

/// Whether `words` are those of the details, one behind the other, and there is a proof among them.
fn is_concatenation<'d>(words: Text<'_>, details: impl Iterator<Item = Json<'d>>) -> bool {
    let (mut rest, mut proved) = (words.raw(), false);
    for detail in details.filter_map(proof::detail) {
        let told = detail.words.unwrap_or_default();
        let Some(left) = rest.strip_prefix(told.raw()) else { return false };
        rest = left;
        proved |= detail.proof.is_some();
    }
    proved && rest.is_empty()
}
