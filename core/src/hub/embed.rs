//! Vectors of texts: what the dialects that have them mean the same by.
//!
//! ```
//! use dragoman_core::hub::embed::Task;
//! use dragoman_core::json::Text;
//! let word = |word| Text::plain(word).and_then(Task::named);
//! assert_eq!(word("RETRIEVAL_QUERY"), word("search_query"));
//! assert_eq!(word("made up"), None);
//! ```
//!
//! The numbers of a vector are never read but to write them in the other encoding; see [`vector`].
//!
//! **Limits.** Only words can cross dialects: lists of token numbers, pictures and contents of several parts stay
//! [`Content::Other`], and a request with one of them is [`EmbedRequest::tied`] to its dialect.

pub mod vector;

use super::{Extra, Shape};
use crate::catalog::DialectId;
use crate::json::{Json, Text};
use crate::usage::Usage;

/// What a client wants vectors of.
#[derive(Clone, Debug)]
pub struct EmbedRequest<'a> {
    /// Who said it.
    pub dialect: DialectId,
    /// The route the client asks for; empty where the path says it.
    pub model: Text<'a>,
    /// What is to become vectors, in order.
    pub inputs: Vec<EmbedInput<'a>>,
    /// Whether a single input stood alone.
    pub shape: Shape,
    /// How long the vectors shall be.
    pub dimensions: Option<u64>,
    /// How their numbers shall be written, where the client says it.
    pub encoding: Option<Encoding>,
    /// What they are for, in the caller's words (`search_query`, `RETRIEVAL_DOCUMENT`).
    pub task: Option<Text<'a>>,
    /// The client's name for its end user.
    pub user: Option<Text<'a>>,
    /// Everything else.
    pub extra: Extra<'a>,
}

impl<'a> EmbedRequest<'a> {
    /// A request that says nothing yet.
    pub fn new(dialect: DialectId) -> EmbedRequest<'a> {
        EmbedRequest {
            dialect,
            model: Text::EMPTY,
            inputs: Vec::new(),
            shape: Shape::List,
            dimensions: None,
            encoding: None,
            task: None,
            user: None,
            extra: Vec::new(),
        }
    }

    /// The member that only a service of the caller's own dialect can honour, when there is one: then no other is asked.
    pub fn tied(&self) -> Option<&'static str> {
        self.inputs.iter().any(|input| matches!(input.content, Content::Other(_))).then(|| self.called().input)
    }

    /// What the caller's dialect calls the members that have a word here, for reports of losses.
    pub fn called(&self) -> &'static Called {
        match (self.dialect, self.shape) {
            (DialectId::GenerateContent, Shape::Bare) => &ONE_CONTENT,
            (DialectId::GenerateContent, Shape::List) => &CONTENTS,
            _ => &INPUT,
        }
    }
}

/// What a dialect calls the members of a request.
#[derive(Debug)]
pub struct Called {
    /// See [`EmbedRequest::inputs`].
    pub input: &'static str,
    /// The place of what is said of a single input: empty, or with its trailing dot.
    pub inside: &'static str,
    /// See [`EmbedRequest::task`].
    pub task: &'static str,
}

static ONE_CONTENT: Called = Called { input: "content", inside: "", task: "taskType" };
static CONTENTS: Called = Called { input: "requests[].content", inside: "requests[].", task: "requests[].taskType" };
static INPUT: Called = Called { input: "input", inside: "input[].", task: "input_type" };

/// One thing that is to become a vector.
#[derive(Clone, Debug)]
pub struct EmbedInput<'a> {
    /// What it is.
    pub content: Content<'a>,
    /// What is said of this one alone (its title, …).
    pub extra: Extra<'a>,
}

/// What is to become a vector.
#[derive(Clone, Copy, Debug)]
pub enum Content<'a> {
    /// Words.
    Text(Text<'a>),
    /// What only the caller's dialect has (lists of token numbers, pictures).
    Other(Json<'a>),
}

/// How the numbers of a vector are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Encoding {
    /// As JSON numbers.
    #[default]
    Float,
    /// As base64 of little-endian 32-bit floats.
    Base64,
}

/// What vectors are for. Models that know it make other vectors of a question than of what answers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// A question to search with.
    Query,
    /// Something to be found.
    Document,
    /// Sorting into classes.
    Classification,
    /// Finding groups.
    Clustering,
    /// Telling how alike texts are.
    Similarity,
    /// A question to be answered.
    Answering,
    /// A claim to be checked.
    Verification,
    /// A question to search code with.
    Code,
}

impl Task {
    /// What a word means, whichever dialect it is of.
    pub fn named(word: Text<'_>) -> Option<Task> {
        Some(match word.decode().to_ascii_lowercase().as_str() {
            "retrieval_query" | "search_query" | "query" => Task::Query,
            "retrieval_document" | "search_document" | "document" | "passage" => Task::Document,
            "classification" => Task::Classification,
            "clustering" => Task::Clustering,
            "semantic_similarity" => Task::Similarity,
            "question_answering" => Task::Answering,
            "fact_verification" => Task::Verification,
            "code_retrieval_query" => Task::Code,
            _ => return None,
        })
    }
}

/// The vectors that a provider made.
#[derive(Clone, Debug, Default)]
pub struct Embedded<'a> {
    /// The provider's id of the answer.
    pub id: Option<Text<'a>>,
    /// The model, as the provider names it.
    pub model: Option<Text<'a>>,
    /// One vector for each input, in order: JSON arrays of numbers, or strings of base64; all are [`vector::is_one`].
    pub vectors: Vec<Json<'a>>,
    /// What they cost.
    pub usage: Usage,
}
