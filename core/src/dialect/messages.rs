//! Anthropic messages: `POST /v1/messages`.
//!
//! ```
//! use dragoman_core::dialect::{self, Addressee, Dialect, messages::Messages};
//! use dragoman_core::json::Json;
//! let endpoint = Messages.endpoint("/v1/messages?beta=true").unwrap();
//! let body = Json::parse(br#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#).unwrap();
//! let request = Messages.read_request(&endpoint, body).unwrap();
//! let written = Messages.write_request(&request, Addressee { model: "n", output_limit: 0 });
//! assert!(written.dropped.is_empty());
//! assert!(written.body.contains(r#""model":"n""#));
//! ```
//!
//! **What is peculiar.** The system prompt stands apart from the turns; `max_tokens` is required; results of tools are parts
//! of a user turn, first in it and directly after their calls; turns alternate (the provider merges neighbours, so the writer
//! does); usage counts fresh and cached input apart, and a stream says it in two halves.
//!
//! **Requests of other dialects** are approximated, and what is lost is reported:
//!
//! | asked | written |
//! |---|---|
//! | system and developer turns, wherever they stand | `system` blocks in their order |
//! | no limit of tokens | the model's output limit, else [`write::DEFAULT_MAX_TOKENS`] |
//! | effort in words | `thinking: adaptive` and `output_config.effort` (`minimal` → `low`, `none` → disabled) |
//! | a budget in tokens | `thinking: enabled`, at least [`thinking::MIN_BUDGET`] and below `max_tokens` |
//! | temperature over 1 | 1, and `temperature` reported |
//! | temperature and top_p together | temperature; the current models refuse both |
//! | thoughts of another provider | dropped: only the provider's own signature makes them welcome |
//! | tool names outside of `[A-Za-z0-9_-]{1,64}` | an alias, undone in the answer |
//!
//! Words of effort are not turned into budgets, because the models of 2026 refuse budgets; a provider of older models needs
//! them removed by its row. Schemas are put into the words of JSON schema (`OBJECT` → `object`).
//!
//! **Limits.** Citations, `stop_details`, `container` and server tool blocks live in this dialect only: a relayed answer keeps
//! them, an interpreted one does not (blocks are said as [`crate::hub::Block::Other`]).
//!
//! The facts are the vendor's: the Messages API reference, its streaming and errors pages, the types of its Python SDK 2.11.

mod answer;
mod conversation;
mod error;
mod foreign;
mod names;
mod read;
mod reply;
mod schema;
pub mod thinking;
pub mod write;

use super::{Addressee, Aliases, Dialect, Endpoint, ReadError, ReadResponse, Reply, WriteResponse, Written};
use crate::catalog::DialectId;
use crate::hub::{Delivery, ProviderError, Request};
use crate::json::{Json, Writer};
use crate::refusal::ClientError;
use crate::usage::{Count, UsageTable};

/// The path of the one endpoint.
const PATH: &str = "/v1/messages";

/// The event that completes a stream.
const END: &str = "message_stop";

/// Where the counts stand: in a whole body and in `message_delta` at the top, in `message_start` within the message.
static USAGE: UsageTable = UsageTable {
    places: &[&["message", "usage"], &["usage"]],
    marker: "usage",
    counts: &[
        (&["input_tokens"], Count::FreshInput),
        (&["cache_read_input_tokens"], Count::CacheRead),
        (&["cache_creation_input_tokens"], Count::CacheWrite),
        (&["output_tokens"], Count::Output),
        (&["output_tokens_details", "thinking_tokens"], Count::Reasoning),
    ],
};

/// The dialect.
#[derive(Clone, Copy, Debug)]
pub struct Messages;

impl Dialect for Messages {
    fn id(&self) -> DialectId {
        DialectId::Messages
    }

    fn endpoint(&self, path: &str) -> Option<Endpoint> {
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        (path == PATH).then_some(Endpoint { dialect: DialectId::Messages, model: None, delivery: None })
    }

    fn path(&self, prefix: &str, _model: &str, _delivery: Delivery) -> String {
        format!("{prefix}/messages")
    }

    fn read_request<'a>(&self, _endpoint: &Endpoint, body: Json<'a>) -> Result<Request<'a>, ReadError> {
        read::request(body)
    }

    fn write_request(&self, request: &Request<'_>, to: Addressee<'_>) -> Written {
        match request.dialect {
            DialectId::Messages => write::own(request, to),
            _ => foreign::write(request, to),
        }
    }

    fn reader(&self, aliases: Aliases) -> Box<dyn ReadResponse> {
        Box::new(answer::Reader::new(aliases))
    }

    fn writer(&self, _request: &Request<'_>, reply: Reply) -> Box<dyn WriteResponse> {
        match reply.delivery {
            Delivery::Whole => Box::new(reply::Whole::new(reply)),
            Delivery::Streamed | Delivery::StreamedArray => Box::new(reply::Streamed::new(reply)),
        }
    }

    fn read_error(&self, status: u16, body: &[u8]) -> ProviderError {
        error::read(status, body)
    }

    fn write_error(&self, error: &ClientError, out: &mut Writer) {
        error::write(error.class, &error.message, out);
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
}

#[cfg(test)]
mod tests;
