//! The wire formats, one file each, and what they have in common.
//!
//! A dialect reads requests and answers into the hub's words and writes the hub's words as requests and answers. It knows no
//! other dialect, no provider and no model by name.

pub mod chat_completions;
pub mod chat_v2;
pub mod converse;
mod error_class;
pub mod generate_content;
pub mod messages;
mod models;
mod names;
pub mod responses;

use crate::catalog::{Abilities, DialectId, Operation, Target, ThinkingStyle};
use crate::hub::embed::{EmbedRequest, Embedded};
use crate::hub::{Delivery, Event, Media, MediaKind, Part, Piece, ProviderError, Request, Source};
use crate::json::{Json, Text, Writer};
use crate::loss::Losses;
use crate::refusal::{ClientError, UnknownMethod};
use crate::usage::UsageTable;

/// All dialects, in the order in which they are asked whether a path is theirs.
pub static ALL: [&dyn Dialect; 6] = [
    &chat_completions::ChatCompletions,
    &messages::Messages,
    &generate_content::GenerateContent,
    &responses::Responses,
    &chat_v2::ChatV2,
    &converse::Converse,
];

/// How clients speak the dialect of that id. Every endpoint's dialect has a way; for the others it is the commonest one.
pub fn client(id: DialectId) -> &'static dyn Client {
    of(id).client().unwrap_or(&chat_completions::ChatCompletions)
}

/// The dialect of that id.
pub fn of(id: DialectId) -> &'static dyn Dialect {
    match id {
        DialectId::ChatCompletions => &chat_completions::ChatCompletions,
        DialectId::Messages => &messages::Messages,
        DialectId::GenerateContent => &generate_content::GenerateContent,
        DialectId::Responses => &responses::Responses,
        DialectId::ChatV2 => &chat_v2::ChatV2,
        DialectId::Converse => &converse::Converse,
    }
}

/// An endpoint that a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Whose path it is.
    pub dialect: DialectId,
    /// What it is for.
    pub operation: Operation,
    /// The model, where the path says it (percent-decoded).
    pub model: Option<String>,
    /// How the answer comes, where the path says it.
    pub delivery: Option<Delivery>,
    /// For operations that are relayed: the path below the dialect's own prefix, without query, `{model}` where the path names
    /// the model: `/images/generations`, `/models/{model}:countTokens`; and `{prefix}` where the service's prefix does not come
    /// first: `/upload{prefix}/files`. For [`Operation::Models`]: the id asked for, or empty.
    pub rest: String,
}

impl Endpoint {
    /// The endpoint of a dialect that asks for an answer.
    pub fn generate(dialect: DialectId) -> Endpoint {
        Endpoint::of(dialect, Operation::Generate, "")
    }

    /// An endpoint whose path names neither a model nor how the answer comes.
    pub fn of(dialect: DialectId, operation: Operation, rest: &str) -> Endpoint {
        Endpoint { dialect, operation, model: None, delivery: None, rest: rest.to_string() }
    }
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
#[derive(Clone, Copy, Debug, Default)]
pub struct Addressee<'a> {
    /// The model's name as the provider knows it.
    pub model: &'a str,
    /// The most output tokens the model gives, for dialects that require a limit; 0 when unknown.
    pub output_limit: u64,
    /// How the model is told how much to think.
    pub thinking: ThinkingStyle,
    /// What to write as the proof of a call that nobody signed, where the model demands one; else empty.
    pub unsigned: &'a str,
}

impl Target {
    /// Whom a request to this target is written for.
    pub fn addressee(&self) -> Addressee<'_> {
        let Target { model, output_limit, thinking, unsigned, .. } = self;
        Addressee { model, output_limit: *output_limit, thinking: *thinking, unsigned }
    }
}

impl<'a> Addressee<'a> {
    /// An addressee of whom nothing but the model's name is known.
    pub fn model(model: &'a str) -> Addressee<'a> {
        Addressee { model, ..Addressee::default() }
    }
}

/// What a thought that is not said is called in the report.
pub(crate) const THINKING: &str = "messages[].thinking";

/// A request as written for a provider.
#[derive(Clone, Debug, Default)]
pub struct Written {
    /// The body.
    pub body: String,
    /// What could not be said as it was said.
    pub losses: Losses,
    /// Tool names that had to be changed.
    pub aliases: Aliases,
}

impl Written {
    /// Notes a member that was said with a near meaning.
    pub fn approximate(&mut self, path: &str) {
        self.losses.approximate(path);
    }

    /// Notes a member that could not be said.
    pub fn drop(&mut self, path: &str) {
        self.losses.drop(path);
    }

    /// See [`Losses::lose`].
    pub fn lose(&mut self, place: &str, extra: &[crate::json::Member<'_>]) {
        self.losses.lose(place, extra);
    }

    /// See [`Losses::lose_raw`].
    pub fn lose_raw(&mut self, place: &str, value: Json<'_>) {
        self.losses.lose_raw(place, value);
    }

    /// Notes a part that could not be said, under the name of its kind.
    pub(crate) fn drop_part(&mut self, part: &Part<'_>) {
        let kind = match part {
            Part::Text { .. } => "text",
            Part::Refusal(_) => "refusal",
            Part::ToolCall(_) => "tool_call",
            Part::ToolResult(_) => "tool_result",
            Part::Media(Media { source: Source::File(_), .. }) => "file",
            Part::Media(media) => match media.kind {
                MediaKind::Image => "image",
                MediaKind::Audio => "audio",
                MediaKind::Video => "video",
                MediaKind::Document => "document",
            },
            Part::Thinking(_) => return self.drop(THINKING),
            Part::Other(value) => return self.lose_raw("messages[].content[].", *value),
        };
        self.drop(&format!("messages[].content[].{kind}"));
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
    /// One server-sent event, or one message of an event stream: its name (empty when it has none) and its data.
    Event {
        /// What stands behind `event:`; of an event stream the `:event-type` or `:exception-type`.
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

/// A wire format, as the gateway speaks it to providers.
pub trait Dialect: Sync {
    /// Which one.
    fn id(&self) -> DialectId;

    /// What of a request's needs it has words for; a target is not asked for what its dialect cannot say.
    fn carries(&self) -> Abilities;

    /// The path (with the query the dialect itself needs) for asking `model`, below a provider's prefix such as `/v1`.
    fn path(&self, prefix: &str, model: &str, delivery: Delivery) -> String;

    /// Writes a request for a provider. Every signature that a foreign request still has belongs to the addressee and is to be
    /// written (see [`crate::hub::provenance`]).
    fn write_request(&self, request: &Request<'_>, to: Addressee<'_>) -> Written;

    /// A reader for one answer.
    fn reader(&self, aliases: Aliases) -> Box<dyn ReadResponse>;

    /// Understands an error body (or whatever came instead of one).
    fn read_error(&self, status: u16, body: &[u8]) -> ProviderError;

    /// Where the dialect reports tokens.
    fn usage(&self) -> &'static UsageTable;

    /// Whether an event says that a streamed answer is complete: the dialect's end mark or the reason to stop. If the bytes end
    /// after it, nothing is missing. For relayed streams, which nobody reads, so it must be cheap.
    fn is_end(&self, name: &str, data: &str) -> bool;

    /// The member of a request's body that names the model, when it stands there.
    fn model_member(&self) -> Option<&'static str>;

    /// How clients speak it to the gateway, if they do.
    fn client(&self) -> Option<&'static dyn Client> {
        None
    }

    /// How vectors are asked for, if it has them.
    fn embeddings(&self) -> Option<&'static dyn Embeddings> {
        None
    }
}

/// A wire format, as clients speak it to the gateway.
pub trait Client: Sync {
    /// The endpoint that a method and a path (with its query) name, if it is one of this dialect's. A path that is known with
    /// other methods is an error.
    fn endpoint(&self, method: &str, path: &str) -> Option<Result<Endpoint, UnknownMethod>>;

    /// Understands a request. Strict where policy depends on it, patient elsewhere: what it does not know it keeps raw.
    fn read_request<'a>(&self, endpoint: &Endpoint, body: Json<'a>) -> Result<Request<'a>, ReadError>;

    /// A writer for one answer to `request`.
    fn writer(&self, request: &Request<'_>, reply: Reply) -> Box<dyn WriteResponse>;

    /// Writes an error body.
    fn write_error(&self, error: &ClientError, out: &mut Writer);

    /// Writes a model that was asked for by its name: a whole body.
    fn write_model(&self, model: &Listed<'_>, out: &mut Writer) {
        models::write_one(model, out);
    }

    /// Writes the models that the caller may ask for: a whole body.
    fn write_models(&self, models: &[Listed<'_>], out: &mut Writer) {
        models::write(models, out);
    }
}

/// A model as a client is told of it.
#[derive(Clone, Copy, Debug)]
pub struct Listed<'a> {
    /// What to ask for.
    pub name: &'a str,
    /// Who serves it first: a provider's id.
    pub owner: &'a str,
    /// The most tokens in and out together; 0 when unknown.
    pub context_window: u64,
    /// The most output tokens; 0 when unknown.
    pub output_limit: u64,
    /// What it can do.
    pub abilities: Abilities,
}

/// How a dialect asks for vectors of texts.
pub trait Embeddings: Sync {
    /// The path for asking `model`, which may depend on whether one input stands alone.
    fn path(&self, prefix: &str, model: &str, request: &EmbedRequest<'_>) -> String;

    /// Understands a client's request.
    fn read_request<'a>(&self, endpoint: &Endpoint, body: Json<'a>) -> Result<EmbedRequest<'a>, ReadError>;

    /// Writes a request for a provider.
    fn write_request(&self, request: &EmbedRequest<'_>, to: Addressee<'_>) -> Written;

    /// Understands a provider's answer.
    fn read_answer<'a>(&self, body: Json<'a>) -> Result<Embedded<'a>, ProviderError>;

    /// Writes an answer to a client's request.
    fn write_answer(&self, request: &EmbedRequest<'_>, answer: &Embedded<'_>, reply: &Reply, out: &mut Writer);
}

/// An escaped text that somebody else made, such as a gateway-made id: plain ASCII only.
pub(crate) fn ascii_text(text: &str) -> Text<'_> {
    Text::plain(text).unwrap_or(Text::EMPTY)
}

/// Whether there is nothing but white space: some services refuse such texts, and nothing is lost without them.
pub(crate) fn is_blank(text: Text<'_>) -> bool {
    let mut rest = text.raw().trim_start();
    while let Some(after) = ["\\n", "\\r", "\\t"].iter().find_map(|escape| rest.strip_prefix(escape)) {
        rest = after.trim_start();
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests;
