//! Error bodies, both ways.
//!
//! ```text
//! {"error":{"message":"…","type":"invalid_request_error","param":null,"code":"model_not_found"}}
//! ```
//!
//! That is OpenAI's form and the only one written. Compatible servers also send `{"error":"…"}`, the members without the
//! envelope (Mistral), `{"detail":…}` (servers built on FastAPI), a list with one envelope, an error inside the error (Azure,
//! OpenRouter), plain text, HTML or nothing.

use crate::dialect::error_class::{self, Said};
use crate::hub::ProviderError;
use crate::hub::event::{ErrorClass, MAX_ERROR_MESSAGE};
use crate::json::{Json, Kind, Text, Writer};
use crate::refusal::ClientError;
use std::borrow::Cow;

/// Understands a body that came with `status`, or came inside of an answer (0).
pub(super) fn read(status: u16, body: &[u8]) -> ProviderError {
    if let Ok(json) = Json::parse(body) {
        return of_json(status, json);
    }
    let text = String::from_utf8_lossy(body.get(..body.len().min(4 * MAX_ERROR_MESSAGE)).unwrap_or_default());
    let message = plain(&text);
    let class = error_class::of(&Said { status, words: &[], sentences: &[&message] });
    ProviderError { class, status, message, ..ProviderError::default() }
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
    let deeper = inner.at(&["innererror", "code"]).map(scalar).unwrap_or_default();
    // A code that is a number is a status or the server's own numbering; the type says more.
    let wordy = |word: &&Cow<'_, str>| !word.is_empty() && word.parse::<f64>().is_err();
    let best = [&code, &kind, &named].into_iter().find(wordy).unwrap_or(&code);
    let status = status_of(status, &[&code, &named, &word("status_code")]);
    let message = sentence(inner, 0).or_else(|| sentence(outer, 0)).unwrap_or_default();
    // What the server behind the server said.
    let upstream = inner.at(&["metadata", "raw"]).map(scalar).unwrap_or_default();
    let (words, sentences) = ([&*code, &*kind, &*named, &*deeper], [&*message, &*upstream]);
    let class = match error_class::of(&Said { status, words: &words, sentences: &sentences }) {
        ErrorClass::RateLimited if error_class::is_quota_of_a_day(inner) => ErrorClass::QuotaExhausted,
        class => class,
    };
    ProviderError {
        class,
        status,
        code: bounded(best),
        message: plain(&message),
        param: inner.get("param").and_then(Json::text).filter(|param| !param.is_empty()).map(|p| bounded(&p.decode())),
    }
}

/// The status that came, or else the one that the body names.
fn status_of(came: u16, words: &[&str]) -> u16 {
    let named = || words.iter().filter_map(|word| word.parse::<u16>().ok()).find(|said| (400..=599).contains(said));
    match came {
        400..=599 => came,
        _ => named().unwrap_or(0),
    }
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
    let markup = error_class::is_page(text);
    match markup {
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
                // Clients look for these words, whoever's error it was.
                (_, Some(code)) if is_own_word(error.class) => out.field("code").string(code),
                ("", Some(code)) => out.field("code").string(code),
                ("", None) => out.field("code").null(),
                (code, _) => out.field("code").string(code),
            }
        });
    });
}

/// Whether a class has a code that clients act on: they shorten the conversation, rephrase, or stop trying.
fn is_own_word(class: ErrorClass) -> bool {
    matches!(class, ErrorClass::ContextTooLong | ErrorClass::ContentPolicy | ErrorClass::QuotaExhausted)
}

/// OpenAI's type for a class, and its code where it has a usual one.
fn words(class: ErrorClass) -> (&'static str, Option<&'static str>) {
    match class {
        ErrorClass::InvalidRequest | ErrorClass::TooLarge => ("invalid_request_error", None),
        ErrorClass::ContextTooLong => ("invalid_request_error", Some("context_length_exceeded")),
        ErrorClass::ContentPolicy => ("invalid_request_error", Some("content_policy_violation")),
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
