//! Amazon Bedrock Converse: `POST /model/{model}/converse` and `/converse-stream`. Spoken to providers only.
//!
//! ```
//! use dragoman_core::catalog::DialectId;
//! use dragoman_core::dialect::{Addressee, Dialect, converse::Converse};
//! use dragoman_core::hub::{Delivery, Part, Request, Role, Shape, Turn};
//! use dragoman_core::json::Text;
//! let mut request = Request::new(DialectId::ChatCompletions, Delivery::Streamed);
//! let parts = vec![Part::Text { text: Text::plain("hi").unwrap(), extra: Vec::new() }];
//! request.turns.push(Turn { role: Role::User, parts, shape: Shape::Bare, extra: Vec::new() });
//! let written = Converse.write_request(&request, Addressee::model("a.b-v1:0"));
//! assert_eq!(written.body, r#"{"messages":[{"role":"user","content":[{"text":"hi"}]}]}"#);
//! assert_eq!(Converse.path("", "a.b-v1:0", Delivery::Streamed), "/model/a.b-v1%3A0/converse-stream");
//! ```
//!
//! **What is peculiar.** The model stands in the path, and so does whether to stream; streams are binary frames
//! ([`crate::framing::EventStream`]). Blocks are objects whose one member says what they are. The system prompt stands apart;
//! turns alternate; blank texts are refused; as soon as a message has a call, the tools must be listed. What only some models
//! take goes below `additionalModelRequestFields` and through to them unread.
//!
//! **Requests** are always another dialect's, so what is lost is reported:
//!
//! | asked | written |
//! |---|---|
//! | system and developer turns, wherever they stand | `system` texts in their order |
//! | nothing but instructions | a user message |
//! | pictures, documents, films, sounds as bytes | the same; documents are named by number |
//! | the same at an address | dropped, unless it is in the vendor's own store (`s3://`) |
//! | a mark of what to cache | `cachePoint` behind the block, four at most; those on tools are left to the system's |
//! | how much to think | see [`thinking`] |
//! | `top_k` | `additionalModelRequestFields.top_k` |
//! | temperature over 1 | 1 |
//! | temperature and `top_p` together | temperature: the newer models refuse both |
//! | a form of the answer by schema | `outputConfig.textFormat`, the objects closed |
//! | the caller's name for its user | `requestMetadata.user` |
//! | tools that may not be called, calls without tools | see `converse/tools.rs` |
//! | tool names outside of `[A-Za-z0-9_-]{1,64}` | an alias, undone in the answer |
//! | thoughts with the addressee's proof | `reasoningContent` |
//! | thoughts without proof | left out: the models refuse them |
//!
//! **Thoughts that are not shown** (`redactedContent`) have no words. They travel as the proof of an empty thought, with
//! [`REDACTED`] before it, and go back as what they were.
//!
//! **Limits.** A model with a field of its own for effort (there are two more such fields) is to be listed as one that can't
//! be told, or have the field set by its provider's row. Citations, guardrail traces, pictures in answers and what the
//! provider's own tools did are lost in an answer, and said to be. A document without words beside it is refused by the
//! service; no words are invented for it.
//!
//! The facts are the vendor's: the service model `bedrock-runtime` of its SDKs (2023-09-30) with its documentation, and
//! recorded exchanges.

mod answer;
mod blocks;
mod conversation;
mod error;
mod ids;
mod media;
pub mod thinking;
mod tools;
mod write;

use super::{Addressee, Aliases, Dialect, ReadResponse, Written};
use crate::catalog::{Abilities, DialectId};
use crate::estimate::Said;
use crate::hub::{Delivery, ProviderError, Request};
use crate::usage::{Count, UsageTable};

/// The event that says why the model stopped; only counts follow it.
const END: &str = "messageStop";

/// What stands before a thought that is not shown where a proof would stand. No proof has a colon.
pub const REDACTED: &str = "redacted:";

/// Where the counts stand, in a whole body and in the `metadata` of a stream.
static USAGE: UsageTable = UsageTable {
    places: &[&["usage"]],
    marker: "usage",
    counts: &[
        (&["inputTokens"], Count::FreshInput),
        (&["cacheReadInputTokens"], Count::CacheRead),
        (&["cacheWriteInputTokens"], Count::CacheWrite),
        (&["cacheDetails"], Count::CacheWrite1h),
        (&["outputTokens"], Count::Output),
    ],
    said: Said { words: &["text", "input", "name"], call: "name", call_tokens: 26 },
};

/// The dialect.
#[derive(Clone, Copy, Debug)]
pub struct Converse;

impl Dialect for Converse {
    fn id(&self) -> DialectId {
        DialectId::Converse
    }

    fn carries(&self) -> Abilities {
        Abilities::ALL
    }

    fn path(&self, prefix: &str, model: &str, delivery: Delivery) -> String {
        let model = crate::percent::encoded(model);
        match delivery {
            Delivery::Whole => format!("{prefix}/model/{model}/converse"),
            Delivery::Streamed | Delivery::StreamedArray => format!("{prefix}/model/{model}/converse-stream"),
        }
    }

    fn write_request(&self, request: &Request<'_>, to: Addressee<'_>) -> Written {
        write::write(request, to)
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

    fn is_end(&self, name: &str, _data: &str) -> bool {
        name == END
    }

    fn model_member(&self) -> Option<&'static str> {
        None
    }
}

#[cfg(test)]
mod tests;
