//! The wire formats, one file each, and what they have in common.
//!
//! A dialect reads requests and answers into the hub's words and writes the hub's words as requests and answers. It knows no
//! other dialect, no provider and no model by name.

pub mod chat_completions;
pub mod generate_content;
pub mod messages;

use crate::catalog::DialectId;
use crate::hub::{Delivery, Event, Piece, ProviderError, Request};
use crate::json::{Json, Text, Writer};
use crate::refusal::ClientError;
use crate::usage::UsageTable;

/// All dialects, in the order in which they are asked whether a path is theirs.
pub static ALL: [&dyn Dialect; 3] =
    [&chat_completions::ChatCompletions, &messages::Messages, &generate_content::GenerateContent];

/// The dialect of that id.
pub fn of(id: DialectId) -> &'static dyn Dialect {
    match id {
        DialectId::ChatCompletions => &chat_completions::ChatCompletions,
        DialectId::Messages => &messages::Messages,
        DialectId::GenerateContent => &generate_content::GenerateContent,
    }
}

/// An endpoint that a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Whose path it is.
    pub dialect: DialectId,
    /// The model, where the path says it (percent-decoded).
    pub model: Option<String>,
    /// How the answer comes, where the path says it.
    pub delivery: Option<Delivery>,
}

/// Why a body is not a request of the dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadError {
    /// Where: `messages[3].content`.
    pub param: String,
    /// What is wrong: "must be a list". The sentence is: `param` problem.
    pub problem: String,
}

impl ReadError {
    /// A mistake at a place.
    pub fn new(param: impl Into<String>, problem: impl Into<String>) -> ReadError {
        ReadError { param: param.into(), problem: problem.into() }
    }
}

/// Whom a request is written for.
#[derive(Clone, Copy, Debug)]
pub struct Addressee<'a> {
    /// The model's name as the provider knows it.
    pub model: &'a str,
    /// The most output tokens the model gives, for dialects that require a limit; 0 when unknown.
    pub output_limit: u64,
}

/// Most members listed as dropped: no honest request loses more, and the list must fit into a header.
pub const MAX_DROPPED: usize = 64;

/// Longest name in that list, in characters.
pub const MAX_DROPPED_NAME: usize = 80;

/// A request as written for a provider.
#[derive(Clone, Debug, Default)]
pub struct Written {
    /// The body.
    pub body: String,
    /// Members that could not be said, as paths such as `top_k` or `messages[].name`; no duplicates.
    pub dropped: Vec<String>,
    /// Tool names that had to be changed.
    pub aliases: Aliases,
}

impl Written {
    /// Notes a member that could not be said.
    pub fn drop(&mut self, path: &str) {
        if self.dropped.len() > MAX_DROPPED {
            return;
        }
        // Names are the caller's, and the list goes into a header.
        let plain = |c: char| if c.is_ascii_graphic() && c != ',' { c } else { '?' };
        let shown: String = path.chars().take(MAX_DROPPED_NAME).map(plain).collect();
        let shown = if self.dropped.len() == MAX_DROPPED { "and-more".to_string() } else { shown };
        if !self.dropped.contains(&shown) {
            self.dropped.push(shown);
        }
    }

    /// Notes every member of `extra` below `place` (with its trailing dot, or empty for the top level), unless it is null.
    pub fn drop_extra(&mut self, place: &str, extra: &[crate::json::Member<'_>]) {
        for (name, value) in extra {
            if !value.is_null() {
                self.drop(&format!("{place}{}", name.decode()));
            }
        }
    }
}

/// Tool names that had to be changed for a provider, and what the caller calls them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aliases(Vec<(String, String)>);

impl Aliases {
    /// Notes that the caller's `name` was written as `alias` (both escaped text).
    pub fn add(&mut self, alias: &str, name: &str) {
        if !self.0.iter().any(|(known, _)| known == alias) {
            self.0.push((alias.to_string(), name.to_string()));
        }
    }

    /// The caller's name for what the provider calls `alias`.
    pub fn undo<'a>(&'a self, alias: Text<'a>) -> Text<'a> {
        let name = self.0.iter().find(|(known, _)| known == alias.raw());
        name.map_or(alias, |(_, name)| Text::escaped(name))
    }
}

/// One step of a provider's answer, framed.
#[derive(Clone, Copy, Debug)]
pub enum Frame<'a> {
    /// A whole body.
    Whole(Json<'a>),
    /// One server-sent event: its name (empty when it has none) and its data.
    Event {
        /// What stands behind `event:`.
        name: &'a str,
        /// The data lines, joined; usually one JSON document.
        data: &'a str,
    },
}

/// Understands a provider's answer. Observes only: nonsense becomes [`Piece::Error`], never a panic.
pub trait ReadResponse {
    /// Says what a frame means.
    fn read(&mut self, frame: Frame<'_>, say: &mut dyn FnMut(Piece<'_>));
}

/// Says an answer to a client.
pub trait WriteResponse {
    /// Appends what an event makes to say. A whole answer is appended at `Stop`; an `Error` of a whole answer appends
    /// nothing (the attempt answers with a status), an `Error` of a streamed one appends the dialect's error event and nothing
    /// that looks like a good end.
    fn write(&mut self, event: &Event<'_>, out: &mut Vec<u8>);
}

/// What a client's answer needs to know besides the events.
#[derive(Clone, Debug)]
pub struct Reply {
    /// How it shall come.
    pub delivery: Delivery,
    /// The gateway's id of the exchange, for dialects that demand an id the provider did not give.
    pub exchange: String,
    /// Seconds since 1970, for dialects that say when.
    pub created: u64,
    /// The model's name when the provider does not repeat it.
    pub model: String,
}

/// A wire format.
pub trait Dialect: Sync {
    /// Which one.
    fn id(&self) -> DialectId;

    /// The endpoint that a path (with its query) names, if it is one of this dialect's. The method is POST.
    fn endpoint(&self, path: &str) -> Option<Endpoint>;

    /// The path (with the query the dialect itself needs) for asking `model`, below a provider's prefix such as `/v1`.
    fn path(&self, prefix: &str, model: &str, delivery: Delivery) -> String;

    /// Understands a request. Strict where policy depends on it, patient elsewhere: what it does not know it keeps raw.
    fn read_request<'a>(&self, endpoint: &Endpoint, body: Json<'a>) -> Result<Request<'a>, ReadError>;

    /// Writes a request for a provider.
    fn write_request(&self, request: &Request<'_>, to: Addressee<'_>) -> Written;

    /// A reader for one answer.
    fn reader(&self, aliases: Aliases) -> Box<dyn ReadResponse>;

    /// A writer for one answer to `request`.
    fn writer(&self, request: &Request<'_>, reply: Reply) -> Box<dyn WriteResponse>;

    /// Understands an error body (or whatever came instead of one).
    fn read_error(&self, status: u16, body: &[u8]) -> ProviderError;

    /// Writes an error body.
    fn write_error(&self, error: &ClientError, out: &mut Writer);

    /// Where the dialect reports tokens.
    fn usage(&self) -> &'static UsageTable;

    /// Whether an event says that a streamed answer is complete: the dialect's end mark or the reason to stop. If the bytes end
    /// after it, nothing is missing. For relayed streams, which nobody reads, so it must be cheap.
    fn is_end(&self, name: &str, data: &str) -> bool;

    /// Edits that make a request ask for another model, when the model stands in the body.
    fn model_member(&self) -> Option<&'static str>;
}

/// An escaped text that somebody else made, such as a gateway-made id: plain ASCII only.
pub(crate) fn ascii_text(text: &str) -> Text<'_> {
    Text::plain(text).unwrap_or(Text::EMPTY)
}
