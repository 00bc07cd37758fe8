//! The rows: what a provider, a model and a target are to the data plane.
//!
//! A provider is a row, not code: where it is, which dialects it speaks at which paths, which members it rejects. The
//! control plane owns the full rows (prices, discovery, who changed what); here stands what a request needs.

mod dispatch;
#[cfg(test)]
mod fixture;
mod identity;
mod passthrough;

use std::sync::Arc;

use crate::budget::Budget;
use crate::price::Price;

pub use dispatch::Dispatch;
pub use identity::{Identity, Proof};
pub use passthrough::{Passthrough, is_jwt, payload};

/// A wire format. What each one can say stands in its file under [`crate::dialect`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DialectId {
    /// OpenAI chat completions, and everything compatible with it.
    ChatCompletions,
    /// Anthropic messages.
    Messages,
    /// Gemini generateContent and streamGenerateContent.
    GenerateContent,
    /// OpenAI responses.
    Responses,
    /// Cohere chat v2; spoken to providers only.
    ChatV2,
    /// Amazon Bedrock Converse and ConverseStream; spoken to providers only.
    Converse,
}

impl DialectId {
    /// Every dialect there is.
    pub const ALL: [DialectId; 6] = [
        DialectId::ChatCompletions,
        DialectId::Messages,
        DialectId::GenerateContent,
        DialectId::Responses,
        DialectId::ChatV2,
        DialectId::Converse,
    ];

    /// Its one name in configuration, JSON, headers and prose.
    pub fn name(self) -> &'static str {
        match self {
            DialectId::ChatCompletions => "chat_completions",
            DialectId::Messages => "messages",
            DialectId::GenerateContent => "generate_content",
            DialectId::Responses => "responses",
            DialectId::ChatV2 => "chat_v2",
            DialectId::Converse => "converse",
        }
    }

    /// The dialect of that name.
    pub fn named(name: &str) -> Option<DialectId> {
        DialectId::ALL.into_iter().find(|id| id.name() == name)
    }
}

/// What an endpoint is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// An answer of a model: interpreted between dialects. Every service does this.
    Generate,
    /// Vectors of texts: interpreted between the dialects that have them.
    Embed,
    /// Counting the tokens of a request. From here on: relayed to a service of the client's own dialect, never interpreted.
    CountTokens,
    /// Text completion without turns.
    Complete,
    /// Making and changing pictures.
    Images,
    /// Words spoken.
    Speech,
    /// Speech written down or translated.
    Transcribe,
    /// Judging content.
    Moderate,
    /// Ordering documents by relevance.
    Rerank,
    /// Files kept by the provider.
    Files,
    /// Work done later.
    Batches,
    /// Answers kept by the provider.
    Stored,
    /// Which models there are; the gateway answers this itself.
    Models,
    /// What a caller says of an exchange; the gateway answers this itself.
    Feedback,
}

impl Operation {
    const NAMES: [(Operation, &'static str); 14] = [
        (Operation::Generate, "generate"),
        (Operation::Embed, "embed"),
        (Operation::CountTokens, "count_tokens"),
        (Operation::Complete, "complete"),
        (Operation::Images, "images"),
        (Operation::Speech, "speech"),
        (Operation::Transcribe, "transcribe"),
        (Operation::Moderate, "moderate"),
        (Operation::Rerank, "rerank"),
        (Operation::Files, "files"),
        (Operation::Batches, "batches"),
        (Operation::Stored, "stored"),
        (Operation::Models, "models"),
        (Operation::Feedback, "feedback"),
    ];

    /// Its name in configuration, Snapshots and Records.
    pub fn name(self) -> &'static str {
        Operation::NAMES.iter().find(|(known, _)| *known == self).map_or("", |(_, name)| name)
    }

    /// Whether the gateway answers it itself, and no provider hears of it.
    pub fn is_answered_here(self) -> bool {
        matches!(self, Operation::Models | Operation::Feedback)
    }

    /// The operation of that name.
    pub fn named(name: &str) -> Option<Operation> {
        Operation::NAMES.iter().find(|(_, known)| *known == name).map(|(operation, _)| *operation)
    }

    /// Every operation's name, for error messages.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Operation::NAMES.iter().map(|(_, name)| *name)
    }
}

/// A set of things that a request can need and a model or a dialect can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Abilities(u8);

impl Abilities {
    /// Nothing.
    pub const NONE: Abilities = Abilities(0);
    /// Calling functions.
    pub const TOOLS: Abilities = Abilities(1);
    /// Answers of a given JSON schema.
    pub const JSON_SCHEMA: Abilities = Abilities(1 << 1);
    /// Reading pictures.
    pub const IMAGES: Abilities = Abilities(1 << 2);
    /// Hearing sound.
    pub const AUDIO: Abilities = Abilities(1 << 3);
    /// Watching films.
    pub const VIDEO: Abilities = Abilities(1 << 4);
    /// Reading documents (PDF).
    pub const DOCUMENTS: Abilities = Abilities(1 << 5);
    /// Thinking before answering.
    pub const THINKING: Abilities = Abilities(1 << 6);
    /// Remembering what it read before, for less money. Nobody asks for it: a request never needs it.
    pub const CACHING: Abilities = Abilities(1 << 7);
    /// Everything; also what is said of a model that nobody described.
    pub const ALL: Abilities = Abilities(0xff);

    const NAMES: [(Abilities, &'static str); 8] = [
        (Abilities::TOOLS, "tools"),
        (Abilities::JSON_SCHEMA, "json_schema"),
        (Abilities::IMAGES, "images"),
        (Abilities::AUDIO, "audio"),
        (Abilities::VIDEO, "video"),
        (Abilities::DOCUMENTS, "documents"),
        (Abilities::THINKING, "thinking"),
        (Abilities::CACHING, "caching"),
    ];

    /// Both sets together.
    #[must_use]
    pub const fn and(self, other: Abilities) -> Abilities {
        Abilities(self.0 | other.0)
    }

    /// What of this set is not in `other`.
    #[must_use]
    pub const fn without(self, other: Abilities) -> Abilities {
        Abilities(self.0 & !other.0)
    }

    /// Whether nothing is in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether all of `needs` is in it.
    pub const fn cover(self, needs: Abilities) -> bool {
        needs.without(self).is_empty()
    }

    /// The names of what is in it.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Abilities::NAMES.into_iter().filter(move |(one, _)| self.cover(*one)).map(|(_, name)| name)
    }

    /// The ability of that name.
    pub fn named(name: &str) -> Option<Abilities> {
        Abilities::NAMES.into_iter().find(|(_, known)| *known == name).map(|(one, _)| one)
    }
}

/// How a model is told how much to think. A fact of the model, not of its dialect: Gemini 2.5 takes tokens, Gemini 3 a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ThinkingStyle {
    /// Nobody said; the dialect's current form is used.
    #[default]
    Unknown,
    /// In words (`reasoning_effort`, `output_config.effort`, `thinkingLevel`).
    Words,
    /// In tokens (`budget_tokens`, `thinkingBudget`).
    Tokens,
    /// It cannot be told: it never thinks, or always as it likes.
    Never,
}

impl ThinkingStyle {
    /// Its name in configuration and Snapshots.
    pub fn name(self) -> &'static str {
        match self {
            ThinkingStyle::Unknown => "unknown",
            ThinkingStyle::Words => "words",
            ThinkingStyle::Tokens => "tokens",
            ThinkingStyle::Never => "never",
        }
    }

    /// The style of that name.
    pub fn named(name: &str) -> Option<ThinkingStyle> {
        [ThinkingStyle::Unknown, ThinkingStyle::Words, ThinkingStyle::Tokens, ThinkingStyle::Never]
            .into_iter()
            .find(|style| style.name() == name)
    }
}

/// Where a provider listens, taken apart once so that no request has to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Whether the connection is TLS; the cluster's business, kept for `render` and for absolute URLs.
    pub tls: bool,
    /// Host name or address literal, lower case, without port.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// What stands before every path, without a trailing slash: `""`, `/openai`, `/api`.
    pub base: String,
}

impl Origin {
    /// The value of `:authority`: the port is written only when it is not the scheme's own.
    pub fn authority(&self) -> String {
        let default = if self.tls { 443 } else { 80 };
        match self.port == default {
            true => self.host.clone(),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

/// One dialect as one provider speaks it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Which wire format.
    pub dialect: DialectId,
    /// The prefix of its endpoints below [`Origin::base`], for instance `/v1` or `/v1beta`; no trailing slash.
    pub prefix: String,
    /// What it does besides [`Operation::Generate`].
    pub operations: Vec<Operation>,
    /// Its own paths for [`Operation::Generate`] instead of the dialect's.
    pub paths: Option<Paths>,
}

impl Service {
    /// A service that only generates, at the dialect's own paths.
    pub fn new(dialect: DialectId, prefix: &str) -> Service {
        Service { dialect, prefix: prefix.to_string(), operations: Vec::new(), paths: None }
    }
}

/// Paths of a provider that puts a dialect where the dialect itself does not: `{model}` stands for the model's name. The body
/// then has no `model`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// For a whole answer, with its query: `/models/{model}:rawPredict`.
    pub whole: String,
    /// For a streamed one.
    pub streamed: String,
}

/// Where to reach a provider and how it differs from its dialect's own specification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// The operator's name for it: `openai`, `local`; also the prefix in `provider/model`.
    pub id: String,
    /// The Envoy cluster that reaches it and whose upstream filter is the translator.
    pub cluster: String,
    /// Where it is.
    pub origin: Origin,
    /// The dialects it serves, the preferred one first.
    pub services: Vec<Service>,
    /// Which credential to ask the control plane for; empty when it needs none.
    pub credential: String,
    /// The gateway has no credential for it: it opens to accounts that have their own.
    pub own_only: bool,
    /// The tokens that callers may bring for it, and that pass through.
    pub passthrough: Passthrough,
    /// Headers every request to it carries, for instance `anthropic-version`; names in lower case.
    pub headers: Vec<(String, String)>,
    /// Top-level request members it refuses; left out and reported.
    pub omit: Vec<String>,
    /// Top-level request members it calls otherwise: (the dialect's name, the provider's name).
    pub rename: Vec<(String, String)>,
    /// Top-level request members it wants: (name, JSON text), set where the client does not say them.
    pub set: Vec<(String, String)>,
    /// What it takes for models that nobody listed.
    pub price: Price,
    /// How fast it may be asked, whichever model answers; see [`crate::budget::OF_TARGET`].
    pub rate_limits: Arc<[Budget]>,
    /// When it is asked.
    pub dispatch: Dispatch,
    /// How many of a hundred requests of a pool go to it, where somebody said so.
    pub share: Option<u8>,
    /// Where it is; empty when nobody said.
    pub region: String,
    /// What it promises to do with data, in words that callers may ask for: `no_training`, `zero_retention`, …
    pub data_policy: Vec<String>,
}

/// What stands for a cluster in a slot header: 16 hexadecimal digits of its name's SHA-256. Envoy keeps one header map for all
/// attempts, so each provider sees the slots; who else might be asked is none of its business.
pub fn slot(cluster: &str) -> String {
    use sha2::Digest;
    let digest = sha2::Sha256::digest(cluster.as_bytes());
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// One model at one provider: the thing an attempt goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// `provider/model`, unique in a Snapshot; what headers and Records show.
    pub id: String,
    /// Index into the Snapshot's providers.
    pub provider: usize,
    /// The model's name as the provider knows it.
    pub model: String,
    /// The most output tokens the model gives; for dialects that require a limit. 0 when unknown.
    pub output_limit: u64,
    /// The most tokens in and out together; 0 when unknown.
    pub context_window: u64,
    /// What the model can do; [`Abilities::ALL`] when nobody described it.
    pub abilities: Abilities,
    /// How it is told how much to think.
    pub thinking: ThinkingStyle,
    /// What to write as the proof of a call that another maker's model made, where the model demands one; empty when it does
    /// not. (Gemini 3 refuses a history whose calls have none; its documentation names the words that it accepts instead.)
    pub unsigned: String,
    /// What it takes, as of the Snapshot.
    pub price: Price,
    /// How fast it may be asked: the limits of its provider and its own.
    pub rate_limits: Arc<[Budget]>,
    /// The model of a trained artifact whose quality is its own; empty when nobody said.
    pub judged_as: String,
    /// How well it does its jobs where no artifact knows, in thousandths; `None` when nobody said.
    pub quality: Option<u16>,
}

impl Target {
    /// A model that nobody described.
    pub fn unlisted(id: String, provider: usize, model: &str) -> Target {
        Target {
            id,
            provider,
            model: model.into(),
            output_limit: 0,
            context_window: 0,
            abilities: Abilities::ALL,
            thinking: ThinkingStyle::Unknown,
            unsigned: String::new(),
            price: Price::default(),
            rate_limits: Arc::default(),
            judged_as: String::new(),
            quality: None,
        }
    }
}
