//! Gemini's `generateContent` and `streamGenerateContent`, both ways.
//!
//! ```text
//! POST /v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse
//! {"systemInstruction":{"parts":[{"text":"Be brief."}]},"contents":[{"role":"user","parts":[{"text":"Hi"}]}]}
//!
//! data: {"candidates":[{"content":{"parts":[{"text":"Hello"}],"role":"model"},"index":0}],"modelVersion":"…"}
//! data: {"candidates":[{"content":{…},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":7,…}}
//! ```
//!
//! ```
//! use dragoman_core::dialect::{Addressee, Client, Dialect, generate_content::GenerateContent};
//! use dragoman_core::json::Json;
//! let endpoint = GenerateContent.endpoint("POST", "/v1beta/models/m:generateContent").unwrap().unwrap();
//! let body = Json::parse(br#"{"contents":[{"parts":[{"text":"Hi"}]}]}"#).unwrap();
//! let request = GenerateContent.read_request(&endpoint, body).unwrap();
//! let written = GenerateContent.write_request(&request, Addressee::model("n"));
//! assert_eq!(written.body, body.as_str());
//! ```
//!
//! What is peculiar here, and how it is met:
//!
//! - **The path says the model and the delivery.** Without `alt=sse` a stream is one JSON array, item by item. See `endpoint`.
//! - **Calls need no ids.** On reading, calls get [`crate::hub::CallId::Made`] ids and results find theirs by name and
//!   order; on writing, ids go out where there are some, and results by the name of the call they answer.
//! - **A stream has no end mark.** The chunk with a `finishReason` (or a prompt's `blockReason`) is the last that matters.
//! - **Calls and words are signed.** A call's proof is the hub's; a proof of words is to others a thought without words behind
//!   them, and goes back to where it was. Newer models refuse calls that nobody signed; what to write instead, on the first
//!   call of a turn, the model's row says ([`Addressee::unsigned`]).
//! - **Two spellings of everything**, kept by `spelling`.
//! - **Tool schemas in OpenAPI's flavour** (`parameters`, types in capitals). The hub has them as they came; a dialect that
//!   needs JSON schema converts them when it writes. Foreign schemas go out as `parametersJsonSchema` and
//!   `responseJsonSchema`, which take the words that the flavour lacks (`$ref`, `additionalProperties`, `oneOf`).
//! - **Models are told how much to think** in tokens or in words, see `thinking`.
//! - **What a tool said is an object.** One customary member with a text is that text to others.
//!
//! Of a foreign request, what only wraps or labels it counts as approximated (`harmless`), so that strict routes serve it;
//! instructions in the midst of a conversation are said as the user's, which is reported the same way. Of an answer, what no
//! other dialect has a word for is reported once for each kind: `citations`, `logprobs`, `images`, `audio`, `videos`, `files`,
//! `server_tools`, `candidates`, `continuation`, `parts`.
//!
//! | file | what |
//! |---|---|
//! | `endpoint` | which paths are whose |
//! | `read_request`, `read_part`, `read_config` | a body into a `Request` |
//! | `write_request`, `write_part`, `foreign_part`, `write_config`, `thinking` | a `Request` into a body |
//! | `answer`, `partial` | frames into pieces |
//! | `reply` | events into chunks |
//! | `error` | the error envelope, both ways |
//!
//! Sources: the vendor's API reference (`generateContent`, `Content`, `GenerationConfig`, `ThinkingConfig`), the discovery
//! document of its cloud, its guides on thought signatures and OpenAI compatibility, and recorded traffic.
//!
//! Limits: only the first candidate is read, so several keep a request with services of this dialect, as do prompts that the
//! provider keeps (`cachedContent`); the live API and interactions are other endpoints; the sentence with which a prompt was
//! blocked is not passed on; input counts what the provider's own tools read, as its bill does.

mod answer;
mod embeddings;
mod endpoint;
mod error;
mod foreign_part;
mod models;
mod partial;
mod read_config;
mod read_part;
mod read_request;
mod reply;
mod spelling;
mod thinking;
mod write_config;
mod write_part;
mod write_request;

use super::{
    Addressee, Aliases, Client, Dialect, Embeddings, Endpoint, Listed, ReadError, ReadResponse, Reply, WriteResponse,
    Written,
};
use crate::catalog::{Abilities, DialectId};
use crate::estimate::Said;
use crate::hub::{Delivery, ProviderError, Request};
use crate::json::{Json, Writer};
use crate::percent;
use crate::refusal::{ClientError, UnknownMethod};
use crate::usage::{Count, UsageTable};

/// The dialect.
pub struct GenerateContent;

/// Where answers count tokens. The prompt's count includes what was cached, the candidates' count leaves out thoughts. What the
/// provider's own tools fetched for the prompt (`toolUsePromptTokenCount`) is in none of the hub's counts: it stands beside the
/// prompt's count and only the API's total has it.
static USAGE: UsageTable = UsageTable {
    places: &[&["usageMetadata"]],
    marker: "usageMetadata",
    counts: &[
        (&["promptTokenCount"], Count::Input),
        (&["cachedContentTokenCount"], Count::CacheRead),
        (&["promptTokensDetails"], Count::AudioInput),
        (&["candidatesTokenCount"], Count::PlainOutput),
        (&["thoughtsTokenCount"], Count::Reasoning),
        (&["candidatesTokensDetails"], Count::AudioOutput),
    ],
    said: Said { words: &["text", "name", "args", "code"], call: "name", call_tokens: 9 },
};

impl Dialect for GenerateContent {
    fn id(&self) -> DialectId {
        DialectId::GenerateContent
    }

    fn carries(&self) -> Abilities {
        Abilities::ALL
    }

    fn path(&self, prefix: &str, model: &str, delivery: Delivery) -> String {
        let (collection, model) = match model.strip_prefix(endpoint::TUNED) {
            Some(model) => (endpoint::TUNED, model),
            None => ("models/", model.strip_prefix("models/").unwrap_or(model)),
        };
        let method = match delivery {
            Delivery::Whole => "generateContent",
            Delivery::Streamed => "streamGenerateContent?alt=sse",
            Delivery::StreamedArray => "streamGenerateContent",
        };
        format!("{prefix}/{collection}{}:{method}", percent::encoded(model))
    }

    fn write_request(&self, request: &Request<'_>, to: Addressee<'_>) -> Written {
        write_request::write_request(request, to)
    }

    fn reader(&self, aliases: Aliases) -> Box<dyn ReadResponse> {
        Box::new(answer::Answer::new(aliases))
    }

    fn read_error(&self, status: u16, body: &[u8]) -> ProviderError {
        error::read_error(status, body)
    }

    fn usage(&self) -> &'static UsageTable {
        &USAGE
    }

    fn is_end(&self, _name: &str, data: &str) -> bool {
        // The search is cheap and seldom wrong; only what it finds is read.
        let hinted = data.contains("\"finishReason\"") || data.contains("\"blockReason\"");
        hinted && Json::parse(data.as_bytes()).is_ok_and(answer::is_last)
    }

    fn model_member(&self) -> Option<&'static str> {
        None
    }

    fn embeddings(&self) -> Option<&'static dyn Embeddings> {
        Some(&embeddings::Vectors)
    }

    fn client(&self) -> Option<&'static dyn Client> {
        Some(&GenerateContent)
    }
}

impl Client for GenerateContent {
    fn endpoint(&self, method: &str, path: &str) -> Option<Result<Endpoint, UnknownMethod>> {
        endpoint::endpoint(method, path)
    }

    fn read_request<'a>(&self, endpoint: &Endpoint, body: Json<'a>) -> Result<Request<'a>, ReadError> {
        read_request::read_request(endpoint, body)
    }

    fn writer(&self, _request: &Request<'_>, reply: Reply) -> Box<dyn WriteResponse> {
        reply::writer(reply)
    }

    fn write_error(&self, error: &ClientError, out: &mut Writer) {
        error::write_error(error, out);
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
