//! A whole answer: what the events of a stream add up to.
//!
//! Folding is the one way to a whole answer, so that a streamed and a whole form of the same answer cannot differ.

use super::event::{Block, Event, ProviderError, StopReason};
use crate::usage::Usage;

/// Most bytes of a whole answer kept in memory while it is folded; the largest models write about 0.5 MiB.
pub const MAX_MESSAGE: usize = 32 << 20;

/// A whole answer. All strings are escaped text, ready to be written between quotes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Message {
    /// The provider's id of it.
    pub id: Option<String>,
    /// The model that answered.
    pub model: Option<String>,
    /// What was said, in order.
    pub blocks: Vec<Said>,
    /// What it cost.
    pub usage: Usage,
    /// How it ended.
    pub end: End,
    size: usize,
}

/// How a folded answer ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum End {
    /// Not yet.
    #[default]
    Open,
    /// Complete, for this reason, at this stop sequence.
    Stopped(StopReason, Option<String>),
    /// Broken.
    Failed(ProviderError),
}

/// A block of a whole answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    /// What it is.
    pub kind: SaidKind,
    /// All its deltas, still escaped; for a call the JSON text of its arguments, escaped once more.
    pub text: String,
    /// The provider's proof for it.
    pub signature: Option<String>,
}

/// What a block of a whole answer is.
#[derive(Clone, Debug, PartialEq)]
pub enum SaidKind {
    /// Words.
    Text,
    /// Thoughts.
    Thinking,
    /// Words that say no.
    Refusal,
    /// A call.
    ToolCall {
        /// The provider's id for it.
        id: Option<String>,
        /// The tool.
        name: String,
    },
    /// A block of the provider's own dialect; `text` is its JSON.
    Other,
}

impl Message {
    /// Adds an event. Past [`MAX_MESSAGE`] the answer is broken rather than the memory full.
    pub fn push(&mut self, event: &Event<'_>) {
        match event {
            Event::Start { id, model } => {
                self.id = id.map(|text| text.raw().to_string());
                self.model = model.map(|text| text.raw().to_string());
            }
            Event::Open(block) => self.blocks.push(said(block)),
            Event::Delta(text) => {
                self.size += text.raw().len();
                if self.size > MAX_MESSAGE {
                    let message = "the provider's answer is too large to be given whole".to_string();
                    self.end = End::Failed(ProviderError { message, ..ProviderError::default() });
                } else if let Some(block) = self.blocks.last_mut() {
                    block.text.push_str(text.raw());
                }
            }
            Event::Signature(text) => {
                if let Some(block) = self.blocks.last_mut() {
                    block.signature.get_or_insert_default().push_str(text.raw());
                }
            }
            Event::Close | Event::Lost(_) => {}
            Event::Usage(usage) => self.usage = *usage,
            Event::Stop(stop) if self.end == End::Open => {
                self.end = End::Stopped(stop.reason, stop.sequence.map(|text| text.raw().to_string()));
            }
            Event::Stop(_) => {}
            Event::Error(error) => self.end = End::Failed(error.clone()),
        }
    }

    /// Why the model stopped, when it did.
    pub fn stop_reason(&self) -> Option<StopReason> {
        match &self.end {
            End::Stopped(reason, _) => Some(*reason),
            End::Open | End::Failed(_) => None,
        }
    }
}

fn said(block: &Block<'_>) -> Said {
    let (kind, text) = match block {
        Block::Text => (SaidKind::Text, ""),
        Block::Thinking => (SaidKind::Thinking, ""),
        Block::Refusal => (SaidKind::Refusal, ""),
        Block::ToolCall { id, name } => {
            let id = id.map(|text| text.raw().to_string());
            (SaidKind::ToolCall { id, name: name.raw().to_string() }, "")
        }
        Block::Other(json) => (SaidKind::Other, json.as_str()),
    };
    Said { kind, text: text.to_string(), signature: None }
}
