//! Anthropic messages: `POST /v1/messages`.
//!
//! ```
//! use dragoman_core::dialect::{Addressee, Client, Dialect, messages::Messages};
//! use dragoman_core::json::Json;
//! let endpoint = Messages.endpoint("POST", "/v1/messages?beta=true").unwrap().unwrap();
//! let body = Json::parse(br#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#).unwrap();
//! let request = Messages.read_request(&endpoint, body).unwrap();
//! let written = Messages.write_request(&request, Addressee::model("n"));
//! assert!(written.losses.dropped.is_empty());
//! assert!(written.body.contains(r#""model":"n""#));
//! ```
//!
//! **What is peculiar.** The system prompt stands apart from the turns; `max_tokens` is required; results of tools are parts
//! of a user turn, first in it and directly after their calls; turns alternate (the provider merges neighbours, so the writer
//! does); thoughts need a proof; usage counts fresh and cached input apart, and a stream says it in two halves.
//!
//! **Requests of other dialects** are said as near as can be, and what is lost is reported:
//!
//! | asked | written | reported as |
//! |---|---|---|
//! | system and developer turns first | `system`, blocks in their order | |
//! | the same within the conversation | the same | approximated |
//! | nothing but system turns | a user turn | approximated |
//! | no limit of tokens | the model's output limit, else [`write::DEFAULT_MAX_TOKENS`] | |
//! | a limit above the model's | the model's | approximated |
//! | how much to think | see [`thinking`] | approximated where words stand for numbers |
//! | thoughts with the provider's own proof | `thinking`, `redacted_thinking` | |
//! | other thoughts | nothing: the provider refuses them | approximated |
//! | temperature over 1 | 1 | approximated |
//! | temperature and `top_p` together | temperature; the current models refuse both | approximated |
//! | sampling numbers with thinking on, or of a model told to think in words | nothing, as they are refused | approximated |
//! | a seed, penalties of 0 | nothing | approximated |
//! | other penalties | nothing | dropped |
//! | a forced tool while thinking | the forced tool | approximated |
//! | JSON of a schema | `output_config.format`, objects closed, bounds moved into descriptions | approximated if anything moved |
//! | JSON without a schema | a sentence at the end of `system` | approximated |
//! | strict tools | `strict` while the provider's limits allow it | approximated beyond |
//! | documents of words | `document` with a source of type `text` | |
//! | cache marks in this dialect's words | up to four | approximated beyond |
//! | tool names outside of `[A-Za-z0-9_-]{1,64}` | an alias, undone in the answer | |
//! | members an answer does not depend on | nothing | approximated |
//! | sound, films, stored files, tools that a provider runs, every other member | nothing | dropped |
//!
//! **Why so.** Words of effort become budgets only for models known to want budgets, because the models of 2026 refuse them.
//! Whether a member matters is decided once, by its name, for every place: a strict route refuses what is dropped and serves
//! what is approximated.
//!
//! **Answers of other dialects.** A thought that nobody signed gets a mark in place of a proof and is withheld from providers
//! of this dialect when it comes back. Arguments that are no JSON object stand in an object of a whole answer, as
//! `{"arguments": "…"}`; in a stream they are passed on as they come.
//!
//! **Limits.** Citations, `stop_details`, `container` and the blocks of tools that the provider runs live in this dialect only: a
//! relayed answer keeps them, an interpreted one tells that they are lost.
//!
//! The facts are the vendor's: the Messages API reference, its pages on streaming, errors, extended thinking and structured
//! outputs, the types of its Python SDK 2.11, and the words of its error messages.

mod answer;
mod base64;
mod conversation;
mod endpoints;
mod error;
mod foreign;
mod hints;
mod ids;
mod models;
mod read;
mod reply;
mod schema;
pub mod thinking;
pub mod write;

use super::{
    Addressee, Aliases, Client, Dialect, Endpoint, Listed, ReadError, ReadResponse, Reply, WriteResponse, Written,
};
use crate::catalog::{Abilities, DialectId};
use crate::estimate::Said;
use crate::hub::{Delivery, ProviderError, Request};
use crate::json::{Json, Writer};
use crate::refusal::{ClientError, UnknownMethod};
use crate::usage::{Count, UsageTable};

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
        (&["cache_creation", "ephemeral_1h_input_tokens"], Count::CacheWrite1h),
        (&["output_tokens"], Count::Output),
        (&["output_tokens_details", "thinking_tokens"], Count::Reasoning),
    ],
    said: Said { words: &["text", "thinking", "partial_json", "name"], call: "name", call_tokens: 48 },
};

/// The dialect.
#[derive(Clone, Copy, Debug)]
pub struct Messages;

impl Dialect for Messages {
    fn id(&self) -> DialectId {
        DialectId::Messages
    }

    fn carries(&self) -> Abilities {
        Abilities::ALL.without(Abilities::AUDIO).without(Abilities::VIDEO)
    }

    fn path(&self, prefix: &str, _model: &str, _delivery: Delivery) -> String {
        format!("{prefix}/messages")
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

    fn client(&self) -> Option<&'static dyn Client> {
        Some(&Messages)
    }
}

impl Client for Messages {
    fn endpoint(&self, method: &str, path: &str) -> Option<Result<Endpoint, UnknownMethod>> {
        endpoints::find(method, path)
    }

    fn read_request<'a>(&self, endpoint: &Endpoint, body: Json<'a>) -> Result<Request<'a>, ReadError> {
        read::request(endpoint, body)
    }

    fn writer(&self, _request: &Request<'_>, reply: Reply) -> Box<dyn WriteResponse> {
        match reply.delivery {
            Delivery::Whole => Box::new(reply::Whole::new(reply)),
            Delivery::Streamed | Delivery::StreamedArray => Box::new(reply::Streamed::new(reply)),
        }
    }

    fn write_error(&self, error: &ClientError, out: &mut Writer) {
        error::write(error, out);
    }

    fn write_model(&self, model: &Listed<'_>, out: &mut Writer) {
        models::write_one(model, out);
    }

    fn write_models(&self, models: &[Listed<'_>], out: &mut Writer) {
        models::write(models, out);
    }
}

#[cfg(test)]
mod tests;
