//! Chat completions: OpenAI's `POST /v1/chat/completions`, and every server that calls itself compatible with it.
//!
//! ```
//! use dragoman_core::dialect::{Addressee, Dialect, chat_completions::ChatCompletions};
//! use dragoman_core::json::Json;
//! let endpoint = ChatCompletions.endpoint("/v1/chat/completions").unwrap();
//! let body = Json::parse(br#"{"model":"route","messages":[{"role":"user","content":"hi"}],"odd":1}"#).unwrap();
//! let request = ChatCompletions.read_request(&endpoint, body).unwrap();
//! let written = ChatCompletions.write_request(&request, Addressee { model: "m", output_limit: 0 });
//! assert_eq!(written.body, r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"odd":1}"#);
//! ```
//!
//! | file | what it does |
//! |---|---|
//! | `read` | body → [`Request`]; `read/turns` the messages, `read/parts` what is inside, `read/tools` the tools |
//! | `write` | [`Request`] → body; `write/own` what this dialect read itself, `write/foreign` what another one did |
//! | `answer` | a provider's body or chunks → pieces; `answer/calls` tells parallel calls apart |
//! | `reply` | events → a body or chunks for the client |
//! | `error` | error bodies, both ways |
//! | `mark` | notes that make identity hold without a word in the hub |
//!
//! **Why two ways to write a request.** Its own must come out as it went in, member for member (law 4). A foreign one must be
//! accepted by the narrowest of the compatible servers; what is lost is reported:
//!
//! | asked in another dialect | written |
//! |---|---|
//! | a limit of tokens | `max_completion_tokens`; a provider's row renames it where the server is older |
//! | a budget of thought in tokens | `reasoning_effort`: up to 2048 `low`, up to 12288 `medium`, above `high` |
//! | effort in words | the nearest of `low`, `medium`, `high` |
//! | no thought at all | nothing, and reported: most models know no word for it |
//! | thoughts of earlier turns, proofs of thoughts | nothing, and reported |
//! | a stream | also `stream_options.include_usage`, so that what is spent is known |
//! | results of tools | one `tool` message each; pictures in them follow in a `user` message |
//! | calls without ids | `call_<n>`, for the result too |
//! | tool names outside of `[A-Za-z0-9_-]{1,64}` | an alias, undone in the answer |
//! | OpenAPI's types in capitals | JSON Schema's |
//! | more than four stop sequences | the first four, and `stop` reported |
//!
//! **What the many compatible servers do.** Thoughts stand in `reasoning_content`, `reasoning`, `reasoning_details` or in a list
//! of content chunks; usage at the top, in `x_groq` or in the choice; call indices are missing or all 0; arguments are
//! objects; errors have at least seven envelopes. The reader takes all of these, the writers emit only OpenAI's form (with
//! `reasoning_content` for thoughts, which OpenAI itself does not show).
//!
//! **Limits.** Only the first choice is read when there are several; `logprobs`, `annotations` and audio in answers are kept
//! by relaying only. Chat completions cannot say in which order words and calls came: words come first.
//!
//! Facts are from OpenAI's API reference (chat), Groq's, Mistral's, DeepSeek's, vLLM's and OpenRouter's; and from recordings.

mod answer;
mod error;
mod mark;
mod read;
mod reply;
mod write;

use super::{Addressee, Aliases, Dialect, Endpoint, ReadError, ReadResponse, Reply, WriteResponse, Written};
use crate::catalog::DialectId;
use crate::hub::{Delivery, ProviderError, Request};
use crate::json::{Json, Writer};
use crate::refusal::ClientError;
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
        (&["completion_tokens"], Count::Output),
        (&["completion_tokens_details", "reasoning_tokens"], Count::Reasoning),
        (&["reasoning_tokens"], Count::Reasoning),
    ],
};

impl Dialect for ChatCompletions {
    fn id(&self) -> DialectId {
        DialectId::ChatCompletions
    }

    fn endpoint(&self, path: &str) -> Option<Endpoint> {
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        let mine = matches!(path, "/v1/chat/completions" | "/chat/completions");
        mine.then_some(Endpoint { dialect: DialectId::ChatCompletions, model: None, delivery: None })
    }

    fn path(&self, prefix: &str, _model: &str, _delivery: Delivery) -> String {
        format!("{prefix}/chat/completions")
    }

    fn read_request<'a>(&self, endpoint: &Endpoint, body: Json<'a>) -> Result<Request<'a>, ReadError> {
        read::request(endpoint, body)
    }

    fn write_request(&self, request: &Request<'_>, to: Addressee<'_>) -> Written {
        write::request(request, to)
    }

    fn reader(&self, aliases: Aliases) -> Box<dyn ReadResponse> {
        Box::new(answer::Reader::new(aliases))
    }

    fn writer(&self, request: &Request<'_>, reply: Reply) -> Box<dyn WriteResponse> {
        reply::writer(request, reply)
    }

    fn read_error(&self, status: u16, body: &[u8]) -> ProviderError {
        error::read(status, body)
    }

    fn write_error(&self, error: &ClientError, out: &mut Writer) {
        error::write(error, out);
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
