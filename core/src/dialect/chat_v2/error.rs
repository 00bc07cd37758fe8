//! Errors, read only.
//!
//! ```text
//! {"id":"…","message":"too many tokens: …","error_type":"TOO_MANY_TOKENS"}
//! ```
//!
//! `error_type` is rare, so the sentence decides where the status says too little. Clouds that host the models put
//! the members into `error`, and load balancers answer with HTML or nothing, which is why reading is patient.

use crate::dialect::error_class;
use crate::hub::ProviderError;
use crate::hub::event::{ErrorClass, MAX_ERROR_MESSAGE};
use crate::json::{Json, Kind};
use crate::refusal::class_of_status;

/// The status of a request or an answer with a word that the provider denies.
const BLOCKED: u16 = 498;

/// The status of a request that the other end gave up.
const CANCELLED: u16 = 499;

/// What stands in for a page of HTML.
const HTML: &str = "the provider answered with a page of HTML instead of an error";

/// How deep a sentence may lie: `{"error":{"message":"…"}}` is the deepest known.
const SENTENCE_DEPTH: u8 = 3;

/// Understands an error body, or whatever came instead.
pub(super) fn read(status: u16, body: &[u8]) -> ProviderError {
    if let Ok(json) = Json::parse(body) {
        return of_json(status, json);
    }
    let message = bounded(&String::from_utf8_lossy(body.get(..MAX_ERROR_MESSAGE).unwrap_or(body)));
    ProviderError { class: class(status, "", &message), status, code: String::new(), message, param: None }
}

/// Understands an error that is JSON; 0 is the status of one inside of an answer.
pub(super) fn of_json(status: u16, json: Json<'_>) -> ProviderError {
    let inner = json.get("error").filter(|inner| inner.kind() == Kind::Object).unwrap_or(json);
    let word = |name: &str| inner.get(name).and_then(Json::text).map(|text| text.decode());
    let code = word("error_type").or_else(|| word("code")).or_else(|| word("type").filter(|_| inner != json));
    let code = bounded(&code.unwrap_or_default());
    let message = bounded(&sentence(json, 0).unwrap_or_default());
    ProviderError { class: class(status, &code, &message), status, code, message, param: None }
}

/// Whether a document that is no answer is an error.
pub(super) fn is_one(json: Json<'_>) -> bool {
    sentence(json, 0).is_some()
}

/// The sentence of an error, wherever it stands.
fn sentence(value: Json<'_>, depth: u8) -> Option<String> {
    match value.kind() {
        Kind::String => value.string().filter(|sentence| !sentence.is_empty()),
        Kind::Object if depth < SENTENCE_DEPTH => ["message", "Message", "error", "detail", "data"]
            .iter()
            .find_map(|name| value.get(name).and_then(|inner| sentence(inner, depth + 1))),
        _ => None,
    }
}

/// The class of an error: from its code, then from its sentence, then from its status.
fn class(status: u16, code: &str, message: &str) -> ErrorClass {
    let (code, message) = (code.to_ascii_lowercase(), message.to_ascii_lowercase());
    let says = |words: &[&str]| words.iter().any(|word| code == *word || message.contains(word));
    match status {
        // A limit of the answer, which begins like one of the conversation.
        _ if says(&["max tokens must be"]) => ErrorClass::InvalidRequest,
        _ if says(&[
            "too_many_tokens",
            "too many tokens",
            "context length",
            "context window",
            "prompt is too long",
        ]) =>
        {
            ErrorClass::ContextTooLong
        }
        // Trials are limited by the minute, which passes, and by the month, which does not soon.
        402 => ErrorClass::QuotaExhausted,
        403 | 429 if says(&["/ month", "per month", "payment method", "billing", "quota", "spend limit"]) => {
            ErrorClass::QuotaExhausted
        }
        BLOCKED => ErrorClass::ContentPolicy,
        0 | 400 | 422 if says(&["deny-listed", "blocked", "content policy", "content_filter", "toxic"]) => {
            ErrorClass::ContentPolicy
        }
        CANCELLED => ErrorClass::Timeout,
        0 if says(&["rate limit", "too many requests"]) => ErrorClass::RateLimited,
        0 if says(&["overloaded", "unavailable"]) => ErrorClass::Overloaded,
        0 => ErrorClass::Provider,
        status => class_of_status(status),
    }
}

/// At most [`MAX_ERROR_MESSAGE`] bytes of whole characters, and never a page of HTML.
pub(super) fn bounded(message: &str) -> String {
    let message = message.trim();
    if error_class::is_page(message) {
        return HTML.to_string();
    }
    let end = (0..=message.len().min(MAX_ERROR_MESSAGE)).rev().find(|end| message.is_char_boundary(*end));
    message.get(..end.unwrap_or(0)).unwrap_or_default().to_string()
}
