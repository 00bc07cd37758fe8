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
//! What is peculiar here, and how it is met:
//!
//! - **The path says the model and the delivery.** Without `alt=sse` a stream is one JSON array, item by item.
//! - **Calls need no ids.** On reading, calls get [`crate::hub::CallId::Made`] ids and results find theirs by name and
//!   order; on writing, ids go out where there are some, and results by the name of the call they answer.
//! - **A stream has no end mark.** The chunk with a `finishReason` (or a prompt's `blockReason`) is the last that matters.
//! - **Thoughts are signed**, and newer models refuse calls without a signature; calls that another model made get the
//!   vendor's word for "there is none".
//! - **Two spellings of everything**, kept by [`spelling`].
//! - **Tool schemas in OpenAPI's flavour** (`parameters`, types in capitals). The hub has them as they came; a dialect that
//!   needs JSON schema converts them when it writes. Foreign schemas go out as `parametersJsonSchema`.
//!
//! | file | what |
//! |---|---|
//! | `read_request`, `read_part`, `read_config` | a body into a `Request` |
//! | `write_request`, `write_part`, `write_config` | a `Request` into a body |
//! | `answer`, `partial` | frames into pieces |
//! | `reply` | events into chunks |
//! | `error` | the error envelope, both ways |
//!
//! Sources: the vendor's API reference (`generateContent`, `Content`, `GenerationConfig`, `ThinkingConfig`), its guides on
//! thought signatures and OpenAI compatibility, and recorded traffic.
//!
//! Limits: only the first candidate is read (`candidateCount` above 1 can only be relayed); tuned models (`tunedModels/…`),
//! caches, files and the live API are other endpoints; instructions in the midst of a conversation are said as the user's.

mod answer;
mod error;
mod partial;
mod read_config;
mod read_part;
mod read_request;
mod reply;
mod spelling;
mod write_config;
mod write_part;
mod write_request;

use super::{Addressee, Aliases, Dialect, Endpoint, ReadError, ReadResponse, Reply, WriteResponse, Written};
use crate::catalog::DialectId;
use crate::hub::{Delivery, ProviderError, Request};
use crate::json::{Json, Writer};
use crate::refusal::ClientError;
use crate::usage::{Count, UsageTable};

/// The dialect.
pub struct GenerateContent;

/// The versions of the API whose paths are alike.
const VERSIONS: [&str; 3] = ["v1beta", "v1", "v1alpha"];

/// Where answers count tokens. The prompt's count includes what was cached, the candidates' count leaves out thoughts.
static USAGE: UsageTable = UsageTable {
    places: &[&["usageMetadata"]],
    marker: "usageMetadata",
    counts: &[
        (&["promptTokenCount"], Count::Input),
        (&["toolUsePromptTokenCount"], Count::MoreInput),
        (&["cachedContentTokenCount"], Count::CacheRead),
        (&["candidatesTokenCount"], Count::PlainOutput),
        (&["thoughtsTokenCount"], Count::Reasoning),
    ],
};

impl Dialect for GenerateContent {
    fn id(&self) -> DialectId {
        DialectId::GenerateContent
    }

    fn endpoint(&self, path: &str) -> Option<Endpoint> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let (version, rest) = path.strip_prefix('/')?.split_once('/')?;
        if !VERSIONS.contains(&version) {
            return None;
        }
        let rest = percent_decoded(rest.strip_prefix("models/")?)?;
        let (model, method) = rest.rsplit_once(':')?;
        let is_sse = query.split('&').any(|pair| pair == "alt=sse");
        let delivery = match (method, is_sse) {
            ("generateContent", _) => Delivery::Whole,
            ("streamGenerateContent", true) => Delivery::Streamed,
            ("streamGenerateContent", false) => Delivery::StreamedArray,
            _ => return None,
        };
        let model = model.strip_prefix("models/").unwrap_or(model);
        let is_name = !model.is_empty() && !model.chars().any(char::is_control);
        let model = is_name.then(|| model.to_string())?;
        Some(Endpoint { dialect: self.id(), model: Some(model), delivery: Some(delivery) })
    }

    fn path(&self, prefix: &str, model: &str, delivery: Delivery) -> String {
        let model = model.strip_prefix("models/").unwrap_or(model);
        let method = match delivery {
            Delivery::Whole => "generateContent",
            Delivery::Streamed => "streamGenerateContent?alt=sse",
            Delivery::StreamedArray => "streamGenerateContent",
        };
        format!("{prefix}/models/{}:{method}", percent_encoded(model))
    }

    fn read_request<'a>(&self, endpoint: &Endpoint, body: Json<'a>) -> Result<Request<'a>, ReadError> {
        read_request::read_request(endpoint, body)
    }

    fn write_request(&self, request: &Request<'_>, to: Addressee<'_>) -> Written {
        write_request::write_request(request, to)
    }

    fn reader(&self, aliases: Aliases) -> Box<dyn ReadResponse> {
        Box::new(answer::Answer::new(aliases))
    }

    fn writer(&self, _request: &Request<'_>, reply: Reply) -> Box<dyn WriteResponse> {
        reply::writer(reply)
    }

    fn read_error(&self, status: u16, body: &[u8]) -> ProviderError {
        error::read_error(status, body)
    }

    fn write_error(&self, error: &ClientError, out: &mut Writer) {
        error::write_error(error, out);
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
}

/// The characters that `text` stands for in a URL; `None` when it stands for none.
fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, escape)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        let digits = escape.get(..2).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = escape.get(2..)?;
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).ok()
}

/// `text` as one segment of a path, whatever it contains.
fn percent_encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests;
