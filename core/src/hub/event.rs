//! The steps of an answer.
//!
//! A reader says [`Piece`]s, in whatever order the provider has them; the [`super::Sequencer`] makes [`Event`]s of them, whose
//! order every writer may rely on:
//!
//! ```text
//! answer := Start (Open Delta* Close)* Usage? (Stop | Error)
//! ```

use crate::estimate::Ink;
use crate::json::{Json, Text};
use crate::usage::Usage;

/// One step of an answer, in the order of the grammar.
#[derive(Clone, Debug, PartialEq)]
pub enum Event<'a> {
    /// The provider has begun to answer.
    Start {
        /// The provider's id of the answer.
        id: Option<Text<'a>>,
        /// The model that answers, as the provider names it.
        model: Option<Text<'a>>,
    },
    /// A block begins; until its `Close` every delta belongs to it.
    Open(Block<'a>),
    /// More of the open block: words; for a tool call a fragment of the JSON text of its arguments, escaped once more.
    Delta(Text<'a>),
    /// The provider's proof for the open block (thinking or tool call).
    Signature(Text<'a>),
    /// The open block is complete.
    Close,
    /// The provider said something that no other dialect has a word for, such as `citations` or `logprobs`. Comes anywhere
    /// between Start and the end; writers ignore it, the gateway reports it.
    Lost(&'static str),
    /// What the answer cost, said at most once.
    Usage(Usage),
    /// The answer is complete.
    Stop(Stop<'a>),
    /// The answer is not complete and will not be.
    Error(ProviderError),
}

/// What a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block<'a> {
    /// Words for the reader.
    Text,
    /// Thoughts.
    Thinking,
    /// Words that say no.
    Refusal,
    /// A call; its deltas are the arguments.
    ToolCall {
        /// The provider's id for it, where it gives one.
        id: Option<Text<'a>>,
        /// The tool's name as the caller knows it (aliases undone).
        name: Text<'a>,
    },
    /// A block only the provider's dialect has, as it was written; it has no deltas. Same dialect writes it, others report it.
    Other(Json<'a>),
}

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop<'a> {
    /// Why.
    pub reason: StopReason,
    /// The stop sequence that was met, where the provider says it.
    pub sequence: Option<Text<'a>>,
}

/// Why a model stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// It had said what it had to say.
    End,
    /// It met a stop sequence.
    Sequence,
    /// It met the token limit.
    Length,
    /// It waits for tool results.
    ToolCalls,
    /// A filter or the model itself withheld the answer.
    Refused,
    /// The provider paused a long turn; the client may continue it (messages).
    Paused,
    /// Its call was malformed (generate content).
    MalformedCall,
    /// A reason no other dialect has a word for.
    Other,
}

/// What a provider said instead of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ProviderError {
    /// What class of error; decides status and type in the client's dialect.
    pub class: ErrorClass,
    /// The HTTP status it came with, or the one its body names; 0 when neither.
    pub status: u16,
    /// The provider's own type or code, such as `overloaded_error`.
    pub code: String,
    /// The provider's sentence, at most [`MAX_ERROR_MESSAGE`] bytes.
    pub message: String,
    /// The request member at fault, where the provider names one.
    pub param: Option<String>,
}

/// Most bytes of a provider's error sentence that are passed on: whole sentences fit, a page of HTML does not.
pub const MAX_ERROR_MESSAGE: usize = 2048;

/// Classes of provider errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ErrorClass {
    /// The request is wrong (400, 422).
    InvalidRequest,
    /// The credential is wrong (401).
    Authentication,
    /// The credential may not (403).
    Permission,
    /// No such model or path (404).
    NotFound,
    /// The request is too large (413).
    TooLarge,
    /// The conversation does not fit into the model's context window.
    ContextTooLong,
    /// The provider's policy forbids the content.
    ContentPolicy,
    /// Too many requests or tokens (429).
    RateLimited,
    /// The account has no money or quota left (402, some 429).
    QuotaExhausted,
    /// The provider has too much to do (529, 503).
    Overloaded,
    /// It took too long (408, 504).
    Timeout,
    /// The provider failed (5xx).
    #[default]
    Provider,
    /// The answer was cut, is not in the dialect, or makes no sense.
    BadAnswer,
}

/// What a reader understands of a frame. The order is the provider's.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece<'a> {
    /// The answer's id and model, as often as the provider repeats them.
    Start {
        /// The provider's id of the answer.
        id: Option<Text<'a>>,
        /// The model that answers.
        model: Option<Text<'a>>,
    },
    /// Words.
    Text(Text<'a>),
    /// Thoughts.
    Thinking(Text<'a>),
    /// Words that say no.
    Refusal(Text<'a>),
    /// The proof for the last thought or, when `slot` is said, for that call.
    Signature {
        /// The call it belongs to.
        slot: Option<u32>,
        /// The proof.
        signature: Text<'a>,
    },
    /// A call begins. `slot` tells parallel calls apart; naming a known slot again adds nothing.
    ToolCall {
        /// The provider's index of the call within the answer.
        slot: u32,
        /// The provider's id of the call.
        id: Option<Text<'a>>,
        /// The tool's name.
        name: Text<'a>,
    },
    /// A fragment of a call's arguments: escaped text of JSON text.
    ArgumentsText {
        /// Which call.
        slot: u32,
        /// The fragment.
        fragment: Text<'a>,
    },
    /// A call's whole arguments as JSON.
    Arguments {
        /// Which call.
        slot: u32,
        /// The arguments.
        arguments: Json<'a>,
    },
    /// A block no other dialect has.
    Other(Json<'a>),
    /// Something without a word here; see [`Event::Lost`].
    Lost(&'static str),
    /// The provider works on and keeps the answer for whoever asks later. In its own dialect that is an answer; nobody can say
    /// it in another.
    Later,
    /// The block being said is complete; without it, blocks end when another begins.
    EndBlock,
    /// Token counts, cumulative: later ones complete or correct earlier ones.
    Usage(Usage),
    /// Why the model stopped. More may follow (usage), so the answer ends only with `End`.
    Stop(Stop<'a>),
    /// An error instead of (more of) an answer.
    Error(ProviderError),
    /// The provider's own mark that the answer is complete (`[DONE]`, `message_stop`, the end of a whole body).
    End,
}

impl Piece<'_> {
    /// Counts what the model says by it, and so many tokens for each call.
    pub fn weigh(&self, ink: &mut Ink, call_tokens: u64) {
        match self {
            Piece::Text(text) | Piece::Thinking(text) | Piece::Refusal(text) => ink.read(*text),
            Piece::ArgumentsText { fragment, .. } => ink.read(*fragment),
            Piece::Arguments { arguments, .. } => ink.json(arguments.as_str()),
            Piece::ToolCall { name, .. } => {
                ink.add(call_tokens);
                ink.read(*name);
            }
            _ => {}
        }
    }
}
