//! Notes what an answer holds that no other dialect has a word for: once for each kind.

use super::Say;
use crate::hub::Piece;
use crate::json::{Json, Kind};

/// Members and what is lost with them. `citations` and `search_results` are Perplexity's and xAI's, `images` OpenRouter's,
/// `executed_tools` Groq's.
const OF_DOCUMENT: [(&str, &str); 2] = [("citations", "citations"), ("search_results", "citations")];
const OF_CHOICE: [(&str, &str); 1] = [("logprobs", "logprobs")];
const OF_MESSAGE: [(&str, &str); 5] = [
    ("annotations", "annotations"),
    ("audio", "audio"),
    ("citations", "citations"),
    ("images", "images"),
    ("executed_tools", "server_tools"),
];

/// What was noted.
#[derive(Default)]
pub(super) struct Lost(Vec<&'static str>);

impl Lost {
    /// Looks at the top of a body or chunk.
    pub(super) fn of_document(&mut self, document: Json<'_>, say: &mut Say<'_>) {
        self.note(document, &OF_DOCUMENT, say);
    }

    /// Looks at a choice.
    pub(super) fn of_choice(&mut self, choice: Json<'_>, say: &mut Say<'_>) {
        self.note(choice, &OF_CHOICE, say);
    }

    /// Looks at a message or delta.
    pub(super) fn of_message(&mut self, message: Json<'_>, say: &mut Say<'_>) {
        self.note(message, &OF_MESSAGE, say);
    }

    fn note(&mut self, object: Json<'_>, members: &[(&str, &'static str)], say: &mut Say<'_>) {
        for (name, value) in object.members() {
            // Scalars and empty containers hold nothing.
            let holds = matches!(value.kind(), Kind::Object | Kind::Array) && value.as_str().len() > 2;
            let known = members.iter().find(|(known, _)| holds && name.is(known));
            let Some((_, kind)) = known.filter(|(_, kind)| !self.0.contains(kind) && !is_hollow(value)) else {
                continue;
            };
            self.0.push(kind);
            say(Piece::Lost(kind));
        }
    }
}

/// Whether a container holds empty containers and nulls only: `{"content":null,"refusal":null}`.
fn is_hollow(value: Json<'_>) -> bool {
    let empty = |value: Json<'_>| match value.kind() {
        Kind::Null => true,
        Kind::Array => value.items().next().is_none(),
        Kind::Object => value.members().next().is_none(),
        Kind::Bool | Kind::Number | Kind::String => false,
    };
    value.members().all(|(_, inside)| empty(inside)) && value.items().all(empty)
}
