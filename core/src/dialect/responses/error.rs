//! Error bodies, both ways.
//!
//! ```text
//! {"error":{"message":"…","type":"invalid_request_error","param":"input[0].id","code":"context_length_exceeded"}}
//! ```
//!
//! In a stream the same members stand in an `error` event, flat or in the envelope, or in `response.error`. Servers that are only
//! compatible send a bare sentence, `{"detail":…}`, plain text or HTML, so reading is patient. The code decides the class, then
//! the sentence, then the status: a full context window is a plain 400 at most servers.

use crate::dialect::error_class::{self, Said};
use crate::hub::ProviderError;
use crate::hub::event::{ErrorClass, MAX_ERROR_MESSAGE};
use crate::json::{Json, Kind, Text, Writer};
use crate::refusal::ClientError;

/// How deep a sentence may lie.
const SENTENCE_DEPTH: u8 = 4;

/// Understands a body that came with `status`.
pub(super) fn read(status: u16, body: &[u8]) -> ProviderError {
    if let Ok(json) = Json::parse(body) {
        return of_json(status, json);
    }
    // A character takes up to four bytes.
    let start = body.get(..4 * MAX_ERROR_MESSAGE).unwrap_or(body);
    let message = shown(&String::from_utf8_lossy(start));
    ProviderError { class: class("", "", &message, status), status, code: String::new(), message, param: None }
}

/// Understands an error that is JSON; with status 0 when it came inside of an answer.
pub(super) fn of_json(status: u16, json: Json<'_>) -> ProviderError {
    let outer = match json.kind() {
        Kind::Array => json.items().next().unwrap_or(json),
        _ => json,
    };
    let inner = outer.get("error").filter(|inner| inner.kind() == Kind::Object).unwrap_or(outer);
    let word = |name: &str| inner.get(name).and_then(Json::text).map(|text| shown(&text.decode())).unwrap_or_default();
    let number = |name: &str| inner.get(name).and_then(Json::u64).and_then(|number| u16::try_from(number).ok());
    // The events' own word for themselves is no type of error.
    let kind = Some(word("type")).filter(|kind| kind != "error").unwrap_or_default();
    let code = Some(word("code")).filter(|code| !code.is_empty());
    let said = ["code", "status", "status_code"].into_iter().find_map(number).filter(|said| (400..600).contains(said));
    let status = match status {
        400..=599 => status,
        _ => said.unwrap_or(0),
    };
    let message = shown(&sentence(inner, 0).or_else(|| sentence(outer, 0)).unwrap_or_default());
    let class = class(code.as_deref().unwrap_or_default(), &kind, &message, status);
    let param = Some(word("param")).filter(|param| !param.is_empty());
    ProviderError { class, status, code: code.unwrap_or(kind), message, param }
}

/// The sentence of an error, wherever it stands.
fn sentence(value: Json<'_>, depth: u8) -> Option<String> {
    const NAMES: [&str; 5] = ["message", "error", "detail", "msg", "errors"];
    if depth > SENTENCE_DEPTH {
        return None;
    }
    match value.kind() {
        Kind::String => value.string().filter(|text| !text.is_empty()),
        Kind::Array => sentence(value.items().next()?, depth + 1),
        Kind::Object => NAMES.iter().find_map(|name| sentence(value.get(name)?, depth + 1)),
        _ => None,
    }
}

/// What may be shown of a text: no page, no control characters, no more than [`MAX_ERROR_MESSAGE`] bytes.
fn shown(text: &str) -> String {
    let text = text.trim();
    if error_class::is_page(text) {
        return "the provider answered with a page instead of an error".to_string();
    }
    let mut shown = String::new();
    for letter in text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }) {
        if shown.len() + letter.len_utf8() > MAX_ERROR_MESSAGE {
            break;
        }
        shown.push(letter);
    }
    shown
}

fn class(code: &str, kind: &str, message: &str, status: u16) -> ErrorClass {
    error_class::of(&Said { status, words: &[code, kind], sentences: &[message] })
}

/// Writes an error body.
pub(super) fn write(error: &ClientError, out: &mut Writer) {
    out.object(|out| {
        out.field("error").object(|out| {
            out.field("message").string(&error.message);
            out.field("type").string(kind_of(error.class));
            members(error, out);
        });
    });
}

/// Writes `param` and `code`.
pub(super) fn members(error: &ClientError, out: &mut Writer) {
    match &error.param {
        Some(param) => out.field("param").string(param),
        None => out.field("param").null(),
    }
    match code_of(error) {
        "" => out.field("code").null(),
        code => out.field("code").string(code),
    }
}

/// The code that a client acts upon. Where the dialect has one of its own for a class, another provider's would not be known.
pub(super) fn code_of(error: &ClientError) -> &str {
    match error.class {
        ErrorClass::ContextTooLong => "context_length_exceeded",
        ErrorClass::QuotaExhausted => "insufficient_quota",
        ErrorClass::RateLimited => "rate_limit_exceeded",
        _ if !error.code.is_empty() => &error.code,
        ErrorClass::ContentPolicy => "content_policy_violation",
        ErrorClass::NotFound => "model_not_found",
        ErrorClass::Authentication => "invalid_api_key",
        ErrorClass::Overloaded => "server_is_overloaded",
        ErrorClass::Timeout => "timeout",
        _ => "",
    }
}

fn kind_of(class: ErrorClass) -> &'static str {
    match class {
        ErrorClass::InvalidRequest
        | ErrorClass::ContextTooLong
        | ErrorClass::ContentPolicy
        | ErrorClass::TooLarge
        | ErrorClass::NotFound => "invalid_request_error",
        ErrorClass::Authentication => "authentication_error",
        ErrorClass::Permission => "permission_error",
        ErrorClass::RateLimited => "rate_limit_error",
        ErrorClass::QuotaExhausted => "insufficient_quota",
        ErrorClass::Overloaded | ErrorClass::Timeout | ErrorClass::Provider | ErrorClass::BadAnswer => "server_error",
    }
}

/// The code of `response.error`, which has a closed list of words.
pub(super) fn code_in_stream(class: ErrorClass) -> &'static str {
    match class {
        ErrorClass::RateLimited | ErrorClass::QuotaExhausted => "rate_limit_exceeded",
        ErrorClass::InvalidRequest | ErrorClass::ContextTooLong | ErrorClass::ContentPolicy | ErrorClass::TooLarge => {
            "invalid_prompt"
        }
        _ => "server_error",
    }
}

/// A text that is a type of error, for telling an error from an answer without members of either.
pub(super) fn is_error(document: Json<'_>) -> bool {
    let says = |name: &str| document.get(name).is_some_and(|value| !value.is_null());
    says("error")
        || says("detail")
        || (says("message") && !says("output"))
        || document.get("type").and_then(Json::text).is_some_and(|word: Text<'_>| word.is("error"))
}
