//! Error bodies, both ways.
//!
//! ```text
//! {"error":{"message":"…","type":"invalid_request_error","param":null,"code":"model_not_found"}}
//! ```
//!
//! That is OpenAI's form and the only one written. Compatible servers also send `{"error":"…"}`, the members without the
//! envelope (Mistral), `{"detail":…}` (servers built on FastAPI), a list with one envelope, plain text, HTML or nothing.

use crate::hub::ProviderError;
use crate::hub::event::{ErrorClass, MAX_ERROR_MESSAGE};
use crate::json::{Json, Kind, Text, Writer};
use crate::refusal::{ClientError, class_of_status};
use std::borrow::Cow;

/// Understands a body that came with `status`, or came inside of an answer (0).
pub(super) fn read(status: u16, body: &[u8]) -> ProviderError {
    match Json::parse(body) {
        Ok(json) => of_json(status, json),
        Err(_) => ProviderError {
            class: class(status, "", ""),
            status,
            code: String::new(),
            message: plain(&String::from_utf8_lossy(
                body.get(..body.len().min(4 * MAX_ERROR_MESSAGE)).unwrap_or_default(),
            )),
        },
    }
}

/// Understands an error that is JSON.
pub(super) fn of_json(status: u16, json: Json<'_>) -> ProviderError {
    let outer = match json.kind() {
        Kind::Array => json.items().next().unwrap_or(json),
        _ => json,
    };
    let inner = match outer.get("error") {
        Some(inner) if inner.kind() == Kind::Object => inner,
        _ => outer,
    };
    let word = |name: &str| inner.get(name).or_else(|| outer.get(name)).map(scalar).unwrap_or_default();
    let (code, kind, named) = (word("code"), word("type"), word("status"));
    // A code that is a number is a status or the server's own numbering; the type says more.
    let wordy = |word: &&Cow<'_, str>| !word.is_empty() && word.parse::<f64>().is_err();
    let best = [&code, &kind, &named].into_iter().find(wordy).unwrap_or(&code);
    let in_body = [&code, &named].into_iter().find_map(|word| word.parse::<u16>().ok());
    let status = match (status, in_body) {
        (400..=599, _) => status,
        (_, Some(said @ 400..=599)) => said,
        _ => 0,
    };
    let message = sentence(inner, 0).or_else(|| sentence(outer, 0)).unwrap_or_default();
    ProviderError { class: class(status, &code, &kind), status, code: bounded(best), message: plain(&message) }
}

/// Whether a document without choices is an error without an envelope.
pub(super) fn is_envelope(document: Json<'_>) -> bool {
    ["message", "detail", "code"].iter().any(|name| document.get(name).is_some_and(|value| !value.is_null()))
}

/// How deep a sentence may lie: `{"message":{"detail":[{"msg":"…"}]}}` is the deepest known.
const SENTENCE_DEPTH: u8 = 4;

/// The sentence of an error, wherever it stands.
fn sentence(value: Json<'_>, depth: u8) -> Option<Cow<'_, str>> {
    if depth > SENTENCE_DEPTH {
        return None;
    }
    match value.kind() {
        Kind::String => value.text().map(Text::decode),
        Kind::Array => value.items().next().and_then(|first| sentence(first, depth + 1)),
        Kind::Object => ["message", "error", "detail", "msg", "errors"]
            .iter()
            .find_map(|name| value.get(name).and_then(|inner| sentence(inner, depth + 1)))
            .filter(|sentence| !sentence.is_empty()),
        _ => None,
    }
}

/// A string's characters or a number's digits.
fn scalar(value: Json<'_>) -> Cow<'_, str> {
    match value.kind() {
        Kind::String => value.text().map(Text::decode).unwrap_or_default(),
        Kind::Number => Cow::Borrowed(value.as_str()),
        _ => Cow::Borrowed(""),
    }
}

/// A sentence that may be shown: not a page, no control characters, of bounded length.
fn plain(text: &str) -> String {
    let text = text.trim();
    match text.starts_with('<') {
        true => "the provider answered with a page instead of an error".to_string(),
        false => bounded(text),
    }
}

fn bounded(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars() {
        let shown = if character.is_control() { ' ' } else { character };
        if out.len() + shown.len_utf8() > MAX_ERROR_MESSAGE {
            break;
        }
        out.push(shown);
    }
    out
}

/// The class of an error. Words that mean "later" or "pay" say more than any status; otherwise the status does.
fn class(status: u16, code: &str, kind: &str) -> ErrorClass {
    let words = [code, kind].map(class_of_word);
    let strong = words
        .into_iter()
        .flatten()
        .find(|class| matches!(class, ErrorClass::QuotaExhausted | ErrorClass::RateLimited | ErrorClass::Overloaded));
    match (strong, status) {
        (Some(class), _) => class,
        (None, 400..=599) => class_of_status(status),
        (None, _) => words.into_iter().flatten().next().unwrap_or(ErrorClass::Provider),
    }
}

fn class_of_word(word: &str) -> Option<ErrorClass> {
    Some(match word.to_ascii_lowercase().as_str() {
        "insufficient_quota"
        | "billing_hard_limit_reached"
        | "billing_not_active"
        | "insufficient_balance"
        | "quota_exceeded"
        | "payment_required" => ErrorClass::QuotaExhausted,
        "rate_limit_exceeded"
        | "rate_limit_error"
        | "rate_limited"
        | "rate_limit"
        | "requests"
        | "tokens"
        | "too_many_requests"
        | "resource_exhausted" => ErrorClass::RateLimited,
        "overloaded"
        | "overloaded_error"
        | "engine_overloaded"
        | "engine_overloaded_error"
        | "server_overloaded"
        | "service_unavailable"
        | "capacity_exceeded" => ErrorClass::Overloaded,
        "invalid_api_key" | "authentication_error" | "invalid_authentication" | "unauthorized" => {
            ErrorClass::Authentication
        }
        "permission_error" | "permission_denied" | "forbidden" => ErrorClass::Permission,
        "model_not_found" | "not_found_error" | "not_found" | "deploymentnotfound" => ErrorClass::NotFound,
        "timeout" | "timeout_error" | "request_timeout" => ErrorClass::Timeout,
        "request_too_large" => ErrorClass::TooLarge,
        "invalid_request_error"
        | "bad_request"
        | "badrequesterror"
        | "context_length_exceeded"
        | "content_filter"
        | "content_policy_violation"
        | "invalid_request"
        | "validation_error" => ErrorClass::InvalidRequest,
        _ => return None,
    })
}

/// Writes an error as OpenAI would.
pub(super) fn write(error: &ClientError, out: &mut Writer) {
    let (kind, usual_code) = words(error.class);
    out.object(|out| {
        out.field("error").object(|out| {
            out.field("message").string(&error.message);
            out.field("type").string(kind);
            match &error.param {
                Some(param) => out.field("param").string(param),
                None => out.field("param").null(),
            }
            match (error.code.as_str(), usual_code) {
                ("", Some(code)) => out.field("code").string(code),
                ("", None) => out.field("code").null(),
                (code, _) => out.field("code").string(code),
            }
        });
    });
}

/// OpenAI's type for a class, and its code where it has a usual one.
fn words(class: ErrorClass) -> (&'static str, Option<&'static str>) {
    match class {
        ErrorClass::InvalidRequest | ErrorClass::TooLarge => ("invalid_request_error", None),
        ErrorClass::NotFound => ("invalid_request_error", Some("model_not_found")),
        ErrorClass::Authentication => ("authentication_error", Some("invalid_api_key")),
        ErrorClass::Permission => ("permission_error", None),
        ErrorClass::RateLimited => ("rate_limit_error", Some("rate_limit_exceeded")),
        ErrorClass::QuotaExhausted => ("insufficient_quota", Some("insufficient_quota")),
        ErrorClass::Overloaded => ("server_error", Some("overloaded")),
        ErrorClass::Timeout => ("server_error", Some("timeout")),
        ErrorClass::Provider | ErrorClass::BadAnswer => ("server_error", None),
    }
}
