//! What any dialect can ask and answer, in nobody's dialect.
//!
//! A dialect reads a body into a [`Request`] that borrows it, and writes a [`Request`] into its own wire format; answers
//! travel as [`event::Event`]s. So there are readers and writers, and no pairs of dialects.
//!
//! **What gets a word here.** Only what two or more dialects mean the same by. Everything else stays raw in `extra`, goes
//! back untouched in its own dialect, and is reported as dropped in another.
//!
//! **What is kept besides the meaning.** The law of identity asks that reading and writing in one dialect give the same
//! JSON. Hence [`Shape`] (a list of one is not a bare value) and [`Limit::name`] (one word, two spellings).

pub mod embed;
pub mod event;
pub mod foreign;
pub mod kept;
pub mod message;
mod needs;
mod part;
pub mod provenance;
pub mod sequencer;

use crate::catalog::DialectId;
use crate::json::{Json, Member, Text};

pub use event::{Block, Event, Piece, ProviderError, Stop, StopReason};
pub use message::Message;
pub use part::{Arguments, CallId, Media, MediaKind, Source, Thinking, ToolCall, ToolResult};
pub use sequencer::Sequencer;

/// Members nobody here has a word for, in their order.
pub type Extra<'a> = Vec<Member<'a>>;

/// How the caller wants the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// One JSON document at the end.
    Whole,
    /// Server-sent events.
    Streamed,
    /// One JSON array whose items come one by one (Gemini without `alt=sse`).
    StreamedArray,
}

/// Whether something stood alone or in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Shape {
    /// `"hi"`
    Bare,
    /// `["hi"]`, `[{"type":"text","text":"hi"}]`
    #[default]
    List,
}

/// What a client asks a model.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// Who said it: `extra` members are written back in this dialect only.
    pub dialect: DialectId,
    /// The route the client asks for; empty where the path says it.
    pub model: Text<'a>,
    /// How the answer shall come.
    pub delivery: Delivery,
    /// The conversation, system and developer turns in their places.
    pub turns: Vec<Turn<'a>>,
    /// What the model may call.
    pub tools: Vec<Tool<'a>>,
    /// Whether it may, must or must not call.
    pub tool_choice: Option<ToolChoice<'a>>,
    /// Whether it may call several at once.
    pub parallel_tool_calls: Option<bool>,
    /// The most tokens of the answer.
    pub max_tokens: Option<Limit<'a>>,
    /// Sampling numbers, spelled as they were.
    pub sampling: Sampling<'a>,
    /// Where to stop.
    pub stop: Option<Stops<'a>>,
    /// The form of the answer.
    pub format: Option<Format<'a>>,
    /// How much to think first.
    pub reasoning: Option<Reasoning<'a>>,
    /// The client's name for its end user.
    pub user: Option<Text<'a>>,
    /// Everything else at the top level.
    pub extra: Extra<'a>,
    /// A member that only a service of the caller's own dialect can honour, such as a reference to an answer that the provider
    /// keeps or several answers at once: then no other is asked.
    pub tied: Option<&'static str>,
    /// The body that it was read from, where its dialect writes its own requests by editing it rather than anew.
    pub body: Option<Json<'a>>,
    /// Thoughts of somebody else were taken out of it (see [`provenance`]).
    pub withheld: bool,
}

impl<'a> Request<'a> {
    /// A request that says nothing yet.
    pub fn new(dialect: DialectId, delivery: Delivery) -> Request<'a> {
        Request {
            dialect,
            model: Text::EMPTY,
            delivery,
            turns: Vec::new(),
            tools: Vec::new(),
            tool_choice: None,
            parallel_tool_calls: None,
            max_tokens: None,
            sampling: Sampling::default(),
            stop: None,
            format: None,
            reasoning: None,
            user: None,
            extra: Vec::new(),
            tied: None,
            body: None,
            withheld: false,
        }
    }

    /// The name of the tool that an earlier turn called under `id`, for dialects whose results go by name.
    pub fn name_of_call(&self, id: CallId<'a>) -> Option<Text<'a>> {
        self.turns.iter().flat_map(|turn| &turn.parts).find_map(|part| match part {
            Part::ToolCall(call) if call.id.is_some_and(|call_id| call_id.same(id)) => Some(call.name),
            _ => None,
        })
    }
}

/// A limit in tokens and the member that said it: chat completions has two names for it.
#[derive(Clone, Copy, Debug)]
pub struct Limit<'a> {
    /// How many.
    pub tokens: u64,
    /// The member's name in the caller's dialect.
    pub name: Text<'a>,
}

/// Sampling numbers. They stay JSON, because `0.10` and `1e-1` are the caller's business.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sampling<'a> {
    /// 0 to 1 or 2, by dialect.
    pub temperature: Option<Json<'a>>,
    /// Nucleus sampling.
    pub top_p: Option<Json<'a>>,
    /// Sampling among the k likeliest.
    pub top_k: Option<Json<'a>>,
    /// Penalty for what was said at all.
    pub presence_penalty: Option<Json<'a>>,
    /// Penalty for what was said often.
    pub frequency_penalty: Option<Json<'a>>,
    /// For answers that can be repeated.
    pub seed: Option<Json<'a>>,
    /// How many answers; only the caller's own dialect can carry more than one.
    pub answers: Option<Json<'a>>,
}

/// Where to stop.
#[derive(Clone, Debug)]
pub struct Stops<'a> {
    /// The sequences.
    pub sequences: Vec<Text<'a>>,
    /// Whether a single one stood alone.
    pub shape: Shape,
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The operator's word.
    System,
    /// The application's word, where a dialect tells it from the operator's.
    Developer,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// The results of tools, where they have turns of their own.
    Tool,
}

/// One turn of the conversation.
#[derive(Clone, Debug)]
pub struct Turn<'a> {
    /// Whose turn.
    pub role: Role,
    /// What was said, in order. Texts, thoughts, calls and results alike.
    pub parts: Vec<Part<'a>>,
    /// Whether a single text stood alone.
    pub shape: Shape,
    /// Everything else about the turn (`name`, `content: null`, …).
    pub extra: Extra<'a>,
}

/// A piece of a turn.
#[derive(Clone, Debug)]
pub enum Part<'a> {
    /// Words.
    Text {
        /// The words.
        text: Text<'a>,
        /// Citations, cache marks, annotations.
        extra: Extra<'a>,
    },
    /// What is seen, heard or read.
    Media(Media<'a>),
    /// The model thought this.
    Thinking(Thinking<'a>),
    /// The model would not.
    Refusal(Text<'a>),
    /// The model called a tool.
    ToolCall(ToolCall<'a>),
    /// What the tool said.
    ToolResult(ToolResult<'a>),
    /// What only the caller's dialect has: a whole part as it was written.
    Other(Json<'a>),
}

/// Something the model may call.
#[derive(Clone, Debug)]
pub enum Tool<'a> {
    /// A function the client runs.
    Function(Function<'a>),
    /// A tool the client runs whose input is plain words, not JSON.
    Custom(Custom<'a>),
    /// What only the caller's dialect has, such as a search that the provider runs.
    Other(Json<'a>),
}

/// A function the client runs.
#[derive(Clone, Debug)]
pub struct Function<'a> {
    /// The group it belongs to, where the dialect has groups; see [`foreign`].
    pub namespace: Option<Text<'a>>,
    /// Its name.
    pub name: Text<'a>,
    /// What it is for.
    pub description: Option<Text<'a>>,
    /// The JSON schema of its arguments.
    pub schema: Option<Json<'a>>,
    /// Whether the arguments must match the schema exactly.
    pub strict: Option<bool>,
    /// Everything else (cache marks, …).
    pub extra: Extra<'a>,
}

/// A tool whose input is plain words, perhaps of a grammar. Other dialects are told of a function; see [`foreign`].
#[derive(Clone, Debug)]
pub struct Custom<'a> {
    /// The group it belongs to.
    pub namespace: Option<Text<'a>>,
    /// Its name.
    pub name: Text<'a>,
    /// What it is for.
    pub description: Option<Text<'a>>,
    /// What its input must look like.
    pub format: Option<Json<'a>>,
    /// Everything else.
    pub extra: Extra<'a>,
}

/// Whether the model may call tools.
#[derive(Clone, Debug)]
pub enum ToolChoice<'a> {
    /// As it likes.
    Auto,
    /// Not at all.
    Never,
    /// It must, whichever.
    Any,
    /// It must, this one.
    Named(Text<'a>),
    /// What only the caller's dialect has.
    Other(Json<'a>),
}

/// The form of the answer.
#[derive(Clone, Debug)]
pub enum Format<'a> {
    /// Plain words, said explicitly.
    Text,
    /// Any JSON object.
    JsonObject,
    /// JSON of this schema.
    JsonSchema {
        /// A name for the schema, which chat completions demands.
        name: Option<Text<'a>>,
        /// What the answer is for.
        description: Option<Text<'a>>,
        /// The schema.
        schema: Json<'a>,
        /// Whether it must match exactly.
        strict: Option<bool>,
        /// Everything else.
        extra: Extra<'a>,
    },
    /// What only the caller's dialect has.
    Other(Json<'a>),
}

/// How much to think before answering.
#[derive(Clone, Debug)]
pub struct Reasoning<'a> {
    /// How much.
    pub depth: Depth<'a>,
    /// Whether the thoughts shall be shown, where the dialect asks.
    pub shown: Option<bool>,
    /// Everything else.
    pub extra: Extra<'a>,
}

/// How much thinking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth<'a> {
    /// None.
    Off,
    /// As much as the model finds right.
    Adaptive,
    /// In words: `minimal`, `low`, `medium`, `high`, …; as the caller spelled it.
    Effort(Text<'a>),
    /// In tokens.
    Budget(u64),
    /// Not said; only whether to show it was.
    Unsaid,
}
