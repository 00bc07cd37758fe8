//! Cohere's chat, version 2: `POST /v2/chat`. Spoken to providers only.
//!
//! ```
//! use dragoman_core::catalog::DialectId;
//! use dragoman_core::dialect::{self, Addressee, Dialect, Endpoint, chat_v2::ChatV2};
//! use dragoman_core::json::Json;
//! let client = dialect::client(DialectId::Messages);
//! let body = br#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#;
//! let body = Json::parse(body).unwrap();
//! let request = client.read_request(&Endpoint::generate(DialectId::Messages), body).unwrap();
//! let written = ChatV2.write_request(&request, Addressee::model("n"));
//! assert_eq!(
//!     written.body,
//!     r#"{"model":"n","messages":[{"role":"user","content":"hi"}],"max_tokens":9,"stream":false}"#
//! );
//! ```
//!
//! **What is peculiar.** The words of chat completions in other places: a call may follow a `tool_plan` instead of thoughts;
//! sampling has one-letter names and narrow scales; usage is counted twice (`tokens` is what was read and written,
//! `billed_units` what is paid for; the first is taken); events nest their news in `delta.message`.
//!
//! **Requests** are approximated, and what is lost is reported:
//!
//! | asked | written |
//! |---|---|
//! | developer turns | system turns, in their places |
//! | results of tools | one `tool` message each; pictures in them follow in a user message |
//! | thoughts of earlier turns | `thinking` parts to models that are told how much to think; else `tool_plan` before a call; else nothing |
//! | a certain tool | `REQUIRED`, and no other tool is offered |
//! | calls one at a time | nothing: there is no word for it |
//! | strict tools | `strict_tools`, when all are and each demands an argument |
//! | a schema for the answer | `json_object` with `json_schema`; dropped beside tools, with which the provider refuses it, unless none may be called: then they are left out |
//! | `temperature`, `top_p`, `top_k` or a penalty outside of its scale | the end of the scale |
//! | both penalties | the one for frequency |
//! | empty texts | nothing: the provider refuses them |
//! | more than [`write::MAX_STOPS`] stop sequences | the first ones |
//! | tool names outside of `[A-Za-z_][A-Za-z0-9_]*` | an alias, undone in the answer |
//! | sound, films, documents, files | dropped |
//!
//! **Thinking** is told in tokens, or just that:
//!
//! | asked | written |
//! |---|---|
//! | nothing, `none`, a budget of 0 | `disabled` |
//! | adaptive, `xhigh`, `max`, unknown words | `enabled` |
//! | `minimal`, `low`, `medium`, `high` | `enabled` with 1024, 2048, 8192, 20000 tokens |
//! | a budget | `enabled` with it, or as much as leaves 1000 tokens, at most half, of `max_tokens` to the answer |
//!
//! **Limits.** Citations and log probabilities in answers have no word in the hub; they are reported as lost. Requests of
//! this dialect itself are not read but for embeddings: no client speaks it.
//!
//! The facts are the vendor's: the reference of Chat API v2, its pages on errors, structured outputs and reasoning, the types
//! of its Python SDK; and recordings.

mod answer;
mod embeddings;
mod error;
mod thinking;
mod tools;
mod turns;
pub mod write;

use super::{Addressee, Aliases, Dialect, Embeddings, ReadResponse, Written};
use crate::catalog::{Abilities, DialectId};
use crate::estimate::Said;
use crate::hub::{Delivery, ProviderError, Request};
use crate::json::Json;
use crate::usage::{Count, UsageTable};

/// The event that completes a stream.
const END: &str = "message-end";

/// Where the counts stand: at the top of a whole answer, in the last event, and (vectors) in `meta`. What is billed leaves out
/// the provider's own preamble and counts only where nothing else is said.
static USAGE: UsageTable = UsageTable {
    places: &[&["delta", "usage"], &["usage"], &["meta"]],
    marker: "input_tokens",
    counts: &[
        (&["tokens", "input_tokens"], Count::Input),
        (&["billed_units", "input_tokens"], Count::Input),
        (&["cached_tokens"], Count::CacheRead),
        (&["tokens", "output_tokens"], Count::Output),
        (&["billed_units", "output_tokens"], Count::Output),
        (&["tokens", "reasoning_tokens"], Count::Reasoning),
    ],
    said: Said { words: &["text", "thinking", "tool_plan", "arguments", "name"], call: "name", call_tokens: 9 },
};

/// The dialect.
#[derive(Clone, Copy, Debug)]
pub struct ChatV2;

impl Dialect for ChatV2 {
    fn id(&self) -> DialectId {
        DialectId::ChatV2
    }

    fn carries(&self) -> Abilities {
        Abilities::TOOLS.and(Abilities::JSON_SCHEMA).and(Abilities::IMAGES).and(Abilities::THINKING)
    }

    fn path(&self, prefix: &str, _model: &str, _delivery: Delivery) -> String {
        format!("{prefix}/chat")
    }

    fn write_request(&self, request: &Request<'_>, to: Addressee<'_>) -> Written {
        write::request(request, to)
    }

    fn reader(&self, aliases: Aliases) -> Box<dyn ReadResponse> {
        Box::new(answer::Reader::new(aliases))
    }

    fn read_error(&self, status: u16, body: &[u8]) -> ProviderError {
        error::read(status, body)
    }

    fn usage(&self) -> &'static UsageTable {
        &USAGE
    }

    fn is_end(&self, name: &str, data: &str) -> bool {
        match name {
            "" => {
                data.contains(END)
                    && Json::parse(data.as_bytes())
                        .is_ok_and(|data| data.get("type").and_then(Json::text).is_some_and(|word| word.is(END)))
            }
            name => name == END,
        }
    }

    fn model_member(&self) -> Option<&'static str> {
        Some("model")
    }

    fn embeddings(&self) -> Option<&'static dyn Embeddings> {
        Some(&embeddings::Vectors)
    }
}

#[cfg(test)]
mod tests;
