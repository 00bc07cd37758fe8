//! A provider that really answers, in one dialect, deterministically from the request.
//!
//! What it says follows from the last user text (see [`answer`]); how it says it, and what it refuses, is the dialect's
//! own: [`chat`] for OpenAI chat completions, [`responses`] for OpenAI responses, [`messages`] for Anthropic, [`gemini`] for
//! generateContent, [`chat_v2`] for Cohere, [`converse`] for Bedrock. What they do besides answering (vectors, files, counting,
//! pictures, sound) stands in [`operations`].
//!
//! Why strict: the persona stands for the real provider, so a request the real one would answer with a 400 gets a 400
//! here: a credential in the wrong place, an unknown member, a tool result nobody asked for. A translator that passes is
//! likely to pass outside as well.
//!
//! Limits: one answer per request (`n`, `candidateCount` above 1 are refused). Nothing is kept between requests, so files exist
//! by their names alone, and answers can not be gone on from by their id. Keys only, no request signing.

pub mod answer;
mod chat;
mod chat_check;
mod chat_v2;
mod chat_v2_check;
mod converse;
mod converse_check;
pub mod event_stream;
mod gemini;
mod gemini_check;
mod messages;
mod messages_check;
mod messages_turns;
mod operations;
mod responses;
mod responses_check;
mod responses_items;
mod responses_stream;
mod responses_tools;
pub mod shape;
pub mod vectors;

use serde_json::Value;

use super::journal::{Received, Tokens};
use shape::{Complaint, Kind};

/// Which API a persona speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// OpenAI chat completions.
    Chat,
    /// Anthropic messages.
    Messages,
    /// Gemini generateContent and streamGenerateContent.
    Gemini,
    /// OpenAI responses.
    Responses,
    /// Cohere chat v2. No client speaks it to the gateway.
    ChatV2,
    /// Bedrock Converse and ConverseStream. No client speaks it to the gateway.
    Converse,
}

impl Dialect {
    /// All that providers speak, for tests that go through them.
    pub const ALL: [Self; 6] =
        [Self::Chat, Self::Messages, Self::Gemini, Self::Responses, Self::ChatV2, Self::Converse];

    /// Those that clients speak to the gateway.
    pub const CLIENTS: [Self; 4] = [Self::Chat, Self::Messages, Self::Gemini, Self::Responses];

    /// A short name for messages and configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Messages => "messages",
            Self::Gemini => "gemini",
            Self::Responses => "responses",
            Self::ChatV2 => "chat-v2",
            Self::Converse => "converse",
        }
    }

    /// The content type of its streams.
    pub fn stream_type(self) -> &'static str {
        match self {
            Self::Converse => "application/vnd.amazon.eventstream",
            _ => "text/event-stream",
        }
    }
}

/// A provider: its dialect and the one key it accepts.
#[derive(Clone, Debug)]
pub struct Persona {
    dialect: Dialect,
    key: String,
}

/// One write of an answer and the output tokens it carries.
#[derive(Clone, Debug)]
pub struct Piece {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Output tokens that are first seen in them.
    pub tokens: u64,
}

impl Piece {
    fn new(bytes: impl Into<Vec<u8>>, tokens: u64) -> Self {
        Self { bytes: bytes.into(), tokens }
    }
}

/// What a persona says to one request.
#[derive(Clone, Debug)]
pub struct Production {
    /// The HTTP status.
    pub status: u16,
    /// The headers, without framing.
    pub headers: Vec<(String, String)>,
    /// The body: one piece when whole, one per event when streamed.
    pub pieces: Vec<Piece>,
    /// What it reports as used.
    pub tokens: Option<Tokens>,
}

impl Production {
    fn whole(status: u16, body: &Value, tokens: Option<Tokens>) -> Self {
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        let output = tokens.map_or(0, |tokens| tokens.output);
        Self { status, headers, pieces: vec![Piece::new(body.to_string(), output)], tokens }
    }

    fn stream(content_type: &str, pieces: Vec<Piece>, tokens: Tokens) -> Self {
        let headers = vec![
            ("content-type".to_owned(), content_type.to_owned()),
            ("cache-control".to_owned(), "no-cache".to_owned()),
        ];
        Self { status: 200, headers, pieces, tokens: Some(tokens) }
    }

    /// The whole body, for tests that look at it without a connection.
    pub fn body(&self) -> Vec<u8> {
        self.pieces.iter().flat_map(|piece| piece.bytes.clone()).collect()
    }
}

impl Persona {
    /// A persona of any dialect.
    pub fn new(dialect: Dialect, key: &str) -> Self {
        Self { dialect, key: key.to_owned() }
    }

    /// Speaks OpenAI chat completions to who has this key.
    pub fn chat(key: &str) -> Self {
        Self::new(Dialect::Chat, key)
    }

    /// Speaks Anthropic messages to who has this key.
    pub fn messages(key: &str) -> Self {
        Self::new(Dialect::Messages, key)
    }

    /// Speaks Gemini generateContent to who has this key.
    pub fn gemini(key: &str) -> Self {
        Self::new(Dialect::Gemini, key)
    }

    /// Speaks OpenAI responses to who has this key.
    pub fn responses(key: &str) -> Self {
        Self::new(Dialect::Responses, key)
    }

    /// Speaks Cohere chat v2 to who has this key.
    pub fn chat_v2(key: &str) -> Self {
        Self::new(Dialect::ChatV2, key)
    }

    /// Speaks Bedrock Converse to who has this key.
    pub fn converse(key: &str) -> Self {
        Self::new(Dialect::Converse, key)
    }

    /// What it speaks.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The one key it accepts.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Answers a request, or refuses it in the dialect's own error shape.
    pub fn answer(&self, received: &Received) -> Production {
        let answer = match self.dialect {
            Dialect::Chat => chat::answer,
            Dialect::Messages => messages::answer,
            Dialect::Gemini => gemini::answer,
            Dialect::Responses => responses::answer,
            Dialect::ChatV2 => chat_v2::answer,
            Dialect::Converse => converse::answer,
        };
        let answered = match operations::answer(self, received) {
            Some(answered) => answered,
            None => answer(self, received),
        };
        answered.unwrap_or_else(|complaint| self.refuse(&complaint))
    }

    fn refuse(&self, complaint: &Complaint) -> Production {
        let body = match self.dialect {
            Dialect::Chat | Dialect::Responses => chat::error(complaint),
            Dialect::Messages => messages::error(complaint),
            Dialect::Gemini => gemini::error(complaint),
            Dialect::ChatV2 => chat_v2::error(complaint),
            Dialect::Converse => converse::error(complaint),
        };
        let mut refusal = Production::whole(complaint.status(self.dialect), &body, None);
        if self.dialect == Dialect::Converse {
            refusal.headers.push(("x-amzn-errortype".to_owned(), converse::error_type(complaint).to_owned()));
        }
        refusal
    }

    /// Exactly one credential, in a place this dialect takes it from, and no other's.
    fn check_credential(&self, received: &Received) -> Result<(), Complaint> {
        let own: &[(&str, &str)] = match self.dialect {
            // For the last one this is the key of its API; requests signed for it are Envoy's affair.
            Dialect::Chat | Dialect::Responses | Dialect::ChatV2 | Dialect::Converse => &[("authorization", "Bearer ")],
            // Its own client sends the first, programs and its documentation the second.
            Dialect::Messages => &[("authorization", "Bearer "), ("x-api-key", "")],
            Dialect::Gemini => &[("x-goog-api-key", "")],
        };
        if received.path.contains("key=") {
            return Err(Complaint::new(Kind::Auth, "key", "a key in the query ends in logs; send the header"));
        }
        let given = |name: &'static str| received.header_values(name).into_iter().map(move |value| (name, value));
        let given: Vec<(&str, &[u8])> = CREDENTIALS.into_iter().flat_map(given).collect();
        match given.as_slice() {
            [] => Err(Complaint::new(Kind::NoAuth, "", "the API key is missing")),
            [(name, value)] => match own.iter().find(|(own, _)| own == name) {
                None => Err(Complaint::new(Kind::Auth, *name, "this credential header is not ours")),
                Some((_, prefix)) if *value == format!("{prefix}{}", self.key).as_bytes() => Ok(()),
                Some(_) => Err(Complaint::new(Kind::Auth, *name, "invalid API key")),
            },
            [(name, _), ..] => Err(Complaint::new(Kind::Auth, *name, "more than one API key")),
        }
    }
}

/// Headers that carry a key to one provider or another.
const CREDENTIALS: [&str; 4] = ["authorization", "x-api-key", "x-goog-api-key", "api-key"];

/// The JSON body of a POST.
fn json_body(received: &Received) -> Result<Value, Complaint> {
    if received.method != "POST" {
        return Err(Complaint::new(Kind::Method, "", "only POST is served here"));
    }
    if !received.header("content-type").is_some_and(|value| value.starts_with("application/json")) {
        return Err(Complaint::new(Kind::Invalid, "content-type", "must be application/json"));
    }
    if !received.header_values("content-encoding").is_empty() {
        return Err(Complaint::new(Kind::Invalid, "content-encoding", "not accepted"));
    }
    serde_json::from_slice(&received.body)
        .map_err(|error| Complaint::new(Kind::Invalid, "", format!("the body is not valid JSON: {error}")))
}

/// A model nobody has; tests name it to get a 404.
fn check_model(model: &str) -> Result<(), Complaint> {
    match model.contains("no-such") {
        true => Err(Complaint::new(Kind::NotFound, "model", format!("the model `{model}` does not exist"))),
        false => Ok(()),
    }
}
