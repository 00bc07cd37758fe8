//! Responses: OpenAI's `POST /v1/responses`, and the servers that speak it too.
//!
//! ```
//! use dragoman_core::dialect::{Addressee, Client, Dialect, responses::Responses};
//! use dragoman_core::json::Json;
//! let endpoint = Responses.endpoint("POST", "/v1/responses").unwrap().unwrap();
//! let body = Json::parse(br#"{"model":"route","input":"hi","odd":1}"#).unwrap();
//! let request = Responses.read_request(&endpoint, body).unwrap();
//! let written = Responses.write_request(&request, Addressee::model("m"));
//! assert_eq!(written.body, r#"{"model":"m","input":"hi","odd":1}"#);
//! ```
//!
//! | file | what it does |
//! |---|---|
//! | `endpoint` | which paths are whose |
//! | `read` | body → [`Request`]; `read/items` the input, `read/parts` what is inside, `read/tools` the tools |
//! | `write` | [`Request`] → body; `write/own` what this dialect read itself, the rest of `write` what another one did |
//! | `answer` | a provider's body or events → pieces |
//! | `reply` | events → a body or the dialect's events for the client |
//! | `error` | error bodies, both ways |
//!
//! **What is peculiar.** A conversation is not a list of turns but of items: a thought, a call and a message of the model are
//! neighbours on one level. The hub has turns, so neighbouring items of the model become one turn, and neighbouring results of
//! tools another. That loses how the items were cut, which is why an own request is written by editing the body that it was
//! read from ([`Request::body`]): only the model and the proofs of thoughts change.
//!
//! **Requests of other dialects** are approximated, and what is lost is reported:
//!
//! | asked | written |
//! |---|---|
//! | system and developer turns, wherever they stand | messages of that role in their places |
//! | anything at all | `store: false`: nobody asked to keep it |
//! | effort in words | the same word |
//! | a budget in tokens | up to 2048 `low`, up to 12288 `medium`, above `high` |
//! | no thought at all | `none` where the model is known to take words, else nothing |
//! | to think, in whatever way | `include: ["reasoning.encrypted_content"]`, so that the thought can go on in the next turn |
//! | thoughts shown | `reasoning.summary: "auto"` |
//! | thoughts of another provider | nothing, and reported |
//! | a function whose schema nobody called strict | `strict: false`, as this dialect takes silence for `true` |
//! | results of tools with pictures | a list as `output` |
//! | tool names outside of `[A-Za-z0-9_-]{1,64}` | an alias, undone in the answer |
//! | call ids or a `user` longer than 64 characters | a short one with a digest in it |
//! | fewer than 16 tokens | 16, which is the least the provider lets one ask for |
//! | the model's own refusal in an earlier turn | its words as the model's |
//! | sound, films, stop sequences, penalties, `top_k`, `seed` | nothing, and reported |
//!
//! **Own requests read for others.** `custom` tools and `namespace`s are words of the hub; the writer of the answer turns calls
//! of them back. `allowed_tools` leaves the tools that are allowed and says `auto` or `required`. The `id`, `status` and `phase`
//! of items and `defer_loading` of tools mean nothing elsewhere and are not reported; nor are members that say the default (`truncation: disabled`,
//! `service_tier: auto`, `background: false`, `store: false`, an empty `metadata`).
//!
//! **Limits.** Annotations, log probabilities and the items of tools that the provider runs live in this dialect only. The input of
//! a `custom` tool's call is said at once when it is complete, because until then it stands in somebody else's JSON.
//!
//! Facts are from OpenAI's OpenAPI description 2.3.0, the types of its Python SDK 3.52, and recordings of nine providers.

mod answer;
mod endpoint;
mod error;
mod read;
mod reply;
mod write;

use super::{Addressee, Aliases, Client, Dialect, Endpoint, ReadError, ReadResponse, Reply, WriteResponse, Written};
use crate::catalog::{Abilities, DialectId};
use crate::estimate::Said;
use crate::hub::{Delivery, ProviderError, Request};
use crate::json::{Json, Writer};
use crate::refusal::{ClientError, UnknownMethod};
use crate::usage::{Count, UsageTable};

/// The member of `include` that asks for the proofs of thoughts.
const PROOFS: &str = "reasoning.encrypted_content";

/// The events after which nothing is missing.
const ENDS: [&str; 3] = ["response.completed", "response.incomplete", "response.failed"];

/// Where the counts stand: at the top of a whole body, in the response of a stream's last event.
static USAGE: UsageTable = UsageTable {
    places: &[&["response", "usage"], &["usage"]],
    marker: "usage",
    counts: &[
        (&["input_tokens"], Count::Input),
        (&["input_tokens_details", "cached_tokens"], Count::CacheRead),
        (&["input_tokens_details", "cache_write_tokens"], Count::CacheWrite),
        (&["input_tokens_details", "audio_tokens"], Count::AudioInput),
        (&["output_tokens"], Count::Output),
        (&["output_tokens_details", "reasoning_tokens"], Count::Reasoning),
        (&["output_tokens_details", "audio_tokens"], Count::AudioOutput),
        (&["server_side_tool_usage_details", "image_generation_calls"], Count::Images),
    ],
    said: Said { words: &["delta"], call: "call_id", call_tokens: 12 },
};

/// The dialect.
#[derive(Clone, Copy, Debug)]
pub struct Responses;

impl Dialect for Responses {
    fn id(&self) -> DialectId {
        DialectId::Responses
    }

    fn carries(&self) -> Abilities {
        Abilities::ALL.without(Abilities::AUDIO).without(Abilities::VIDEO)
    }

    fn path(&self, prefix: &str, _model: &str, _delivery: Delivery) -> String {
        format!("{prefix}/responses")
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
        if ENDS.contains(&name) {
            return true;
        }
        // Without a name the type says it. Only few events mention an end, so only those are parsed.
        name.is_empty()
            && ENDS.iter().any(|end| data.contains(end))
            && Json::parse(data.as_bytes()).is_ok_and(|data| {
                data.get("type").and_then(Json::text).is_some_and(|word| ENDS.iter().any(|end| word.is(end)))
            })
    }

    fn model_member(&self) -> Option<&'static str> {
        Some("model")
    }

    fn client(&self) -> Option<&'static dyn Client> {
        Some(&Responses)
    }
}

impl Client for Responses {
    fn endpoint(&self, method: &str, path: &str) -> Option<Result<Endpoint, UnknownMethod>> {
        endpoint::of(method, path)
    }

    fn read_request<'a>(&self, endpoint: &Endpoint, body: Json<'a>) -> Result<Request<'a>, ReadError> {
        read::request(endpoint, body)
    }

    fn writer(&self, request: &Request<'_>, reply: Reply) -> Box<dyn WriteResponse> {
        reply::writer(request, reply)
    }

    fn write_error(&self, error: &ClientError, out: &mut Writer) {
        error::write(error, out);
    }
}

#[cfg(test)]
mod tests;
