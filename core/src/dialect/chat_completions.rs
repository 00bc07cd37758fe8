//! Chat completions: OpenAI's `POST /v1/chat/completions`, and every server that calls itself compatible with it.
//!
//! ```
//! use dragoman_core::dialect::{Addressee, Client, Dialect, chat_completions::ChatCompletions};
//! use dragoman_core::json::Json;
//! let endpoint = ChatCompletions.endpoint("POST", "/v1/chat/completions").unwrap().unwrap();
//! let body = Json::parse(br#"{"model":"route","messages":[{"role":"user","content":"hi"}],"odd":1}"#).unwrap();
//! let request = ChatCompletions.read_request(&endpoint, body).unwrap();
//! let written = ChatCompletions.write_request(&request, Addressee::model("m"));
//! assert_eq!(written.body, r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"odd":1}"#);
//! ```
//!
//! | file | what it does |
//! |---|---|
//! | `read` | body → [`Request`]; `read/turns` the messages, `read/parts` what is inside, `read/tools` the tools |
//! | `write` | [`Request`] → body; `write/own` what this dialect read itself, `write/foreign` what another one did |
//! | `answer` | a provider's body or chunks → pieces; `answer/calls` tells parallel calls apart |
//! | `reply` | events → a body or chunks for the client |
//! | `endpoint` | the paths that clients ask for |
//! | `error` | error bodies, both ways |
//! | `proof` | the proofs of thoughts, both ways |
//! | `mark` | notes that make identity hold without a word in the hub |
//!
//! **Why two ways to write a request.** Its own must come out as it went in, member for member (law 4). A foreign one must be
//! accepted by the narrowest of the compatible servers; what is lost is reported:
//!
//! | asked in another dialect | written |
//! |---|---|
//! | a limit of tokens | `max_completion_tokens`; a provider's row renames it where the server is older |
//! | how much to think | `reasoning_effort`, as the model can be told it: see `write/thinking` |
//! | thoughts of earlier turns | `reasoning_details` or `extra_content`, if the addressee made their proofs; else nothing |
//! | calls without a proof | what the target's row says where its model demands one, beside the first call of a turn |
//! | a stream | also `stream_options.include_usage`, so that what is spent is known |
//! | results of tools | one `tool` message each; pictures in them follow in a `user` message |
//! | calls without ids | `call_<n>`, for the result too |
//! | tool names outside of `[A-Za-z0-9_-]{1,64}` | an alias, undone in the answer |
//! | OpenAPI's schemas | JSON Schema's: see [`crate::json::schema`] |
//! | more than four stop sequences | the first four |
//!
//! What is lost counts as *dropped* when the answer may depend on it (media without a form, tools that the provider runs, a forced
//! choice that cannot be said), and as *approximated* when it does not: see `write/foreign/losses`.
//!
//! **What the many compatible servers do.** Thoughts stand in `reasoning_content`, `reasoning`, `reasoning_details` or in a list
//! of content chunks; usage at the top, in `x_groq` or in the choice; call indices are missing or all 0; arguments are
//! objects; errors have at least seven envelopes. The reader takes all of these, the writers emit only OpenAI's form (with
//! `reasoning_content` for thoughts, which OpenAI itself does not show).
//!
//! **Limits.** Only the first choice is read, so a request for several is tied to this dialect. `logprobs`, `annotations`, citations,
//! images and audio in answers are kept by relaying only, and noted elsewhere. Chat completions cannot say in which order words and
//! calls came: words come first. A tool of plain words is streamed in one piece at the end of its input, which stands inside of
//! JSON elsewhere.
//!
//! Facts are from OpenAI's API reference (chat), Groq's, Mistral's, DeepSeek's, vLLM's and OpenRouter's; and from recordings.

mod answer;
mod embeddings;
mod endpoint;
mod error;
mod mark;
mod proof;
mod read;
mod reply;
mod write;

use super::{
    Addressee, Aliases, Client, Dialect, Embeddings, Endpoint, ReadError, ReadResponse, Reply, WriteResponse, Written,
};
use crate::catalog::{Abilities, DialectId};
use crate::estimate::Said;
use crate::hub::{Delivery, ProviderError, Request};
use crate::json::{Json, Writer};
use crate::refusal::{ClientError, UnknownMethod};
use crate::usage::{Count, UsageTable};

/// The dialect of chat completions.
pub struct ChatCompletions;

/// The data of the event that ends a stream.
const DONE: &str = "[DONE]";

/// Where compatible servers report tokens. `prompt_cache_hit_tokens` is DeepSeek's, top-level `cached_tokens` Moonshot's.
static USAGE: UsageTable = UsageTable {
    places: &[&["x_groq", "usage"], &["usage"]],
    marker: "usage",
    counts: &[
        (&["prompt_tokens"], Count::Input),
        (&["prompt_tokens_details", "cached_tokens"], Count::CacheRead),
        (&["prompt_cache_hit_tokens"], Count::CacheRead),
        (&["cached_tokens"], Count::CacheRead),
        (&["num_cached_tokens"], Count::CacheRead),
        (&["cache_read_input_tokens"], Count::CacheRead),
        (&["prompt_tokens_details", "cache_write_tokens"], Count::CacheWrite),
        (&["cache_creation_input_tokens"], Count::CacheWrite),
        (&["cache_creation", "ephemeral_1h_input_tokens"], Count::CacheWrite1h),
        (&["prompt_tokens_details", "audio_tokens"], Count::AudioInput),
        (&["completion_tokens"], Count::Output),
        (&["completion_tokens_details", "reasoning_tokens"], Count::Reasoning),
        (&["reasoning_tokens"], Count::Reasoning),
        (&["completion_tokens_details", "audio_tokens"], Count::AudioOutput),
    ],
    said: Said {
        words: &["content", "reasoning_content", "reasoning", "refusal", "arguments", "name"],
        call: "name",
        call_tokens: 9,
    },
};

impl Dialect for ChatCompletions {
    fn id(&self) -> DialectId {
        DialectId::ChatCompletions
    }

    fn carries(&self) -> Abilities {
        Abilities::ALL.without(Abilities::VIDEO)
    }

    fn path(&self, prefix: &str, _model: &str, _delivery: Delivery) -> String {
        format!("{prefix}/chat/completions")
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

    fn is_end(&self, _name: &str, data: &str) -> bool {
        data.trim() == DONE || says_why_it_stopped(data)
    }

    fn model_member(&self) -> Option<&'static str> {
        Some("model")
    }

    fn embeddings(&self) -> Option<&'static dyn Embeddings> {
        Some(&embeddings::Vectors)
    }

    fn client(&self) -> Option<&'static dyn Client> {
        Some(&ChatCompletions)
    }
}

impl Client for ChatCompletions {
    fn endpoint(&self, method: &str, path: &str) -> Option<Result<Endpoint, UnknownMethod>> {
        endpoint::find(method, path)
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

/// Whether a chunk holds a finish reason: some compatible servers leave `[DONE]` out. Nearly every chunk holds the member with
/// `null`, so it is only looked at, not parsed; inside a string the quote behind the name would be escaped.
fn says_why_it_stopped(data: &str) -> bool {
    data.match_indices("\"finish_reason\"").any(|(at, name)| {
        let value = data.get(at + name.len()..).unwrap_or_default().trim_start();
        value.strip_prefix(':').is_some_and(|value| value.trim_start().starts_with('"'))
    })
}

#[cfg(test)]
mod tests;
