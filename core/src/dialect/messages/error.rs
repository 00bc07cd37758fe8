//! Errors: the envelope both ways.
//!
//! ```text
//! {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_…"}
//! ```
//!
//! Clouds and proxies before the provider answer in forms of their own (Vertex: a list; Bedrock: a bare `message`; load
//! balancers: HTML or nothing), which is why reading is patient.

use crate::hub::event::{ErrorClass, MAX_ERROR_MESSAGE, ProviderError};
use crate::json::{Json, Kind, Writer};
use crate::refusal::class_of_status;

/// How the provider says, with status 400, that the account is empty.
const EMPTY_ACCOUNT: &str = "credit balance is too low";

/// What stands in for a page of HTML.
const HTML: &str = "the provider answered with a page of HTML instead of an error";

/// Understands an error body, or whatever came instead.
pub(super) fn read(status: u16, body: &[u8]) -> ProviderError {
    if let Ok(json) = Json::parse(body) {
        return of_envelope(status, json);
    }
    let message = bounded(&String::from_utf8_lossy(body.get(..MAX_ERROR_MESSAGE).unwrap_or(body)));
    ProviderError { class: class_of_status(status), status, code: String::new(), message }
}

/// Understands the envelope. Without a status (0, in a stream) the type alone tells the class.
pub(super) fn of_envelope(status: u16, envelope: Json<'_>) -> ProviderError {
    let envelope = match envelope.kind() {
        Kind::Array => envelope.items().next().unwrap_or(Json::NULL),
        _ => envelope,
    };
    let inner = envelope.get("error").unwrap_or(envelope);
    let word =
        |names: &[&str]| names.iter().find_map(|name| inner.get(name).and_then(Json::text)).map(|text| text.decode());
    let code = word(&["type", "status", "code"]).unwrap_or_default().into_owned();
    let message = match inner.kind() {
        Kind::String => inner.text().map(|text| text.decode()),
        _ => word(&["message", "Message", "detail"]),
    };
    let message = bounded(&message.unwrap_or_default());
    let class = match class_of_type(&code) {
        _ if message.contains(EMPTY_ACCOUNT) => ErrorClass::QuotaExhausted,
        Some(ErrorClass::InvalidRequest) if status == 413 => ErrorClass::TooLarge,
        Some(class) => class,
        None if status == 0 => ErrorClass::Provider,
        None => class_of_status(status),
    };
    ProviderError { class, status, code: bounded(&code), message }
}

fn class_of_type(word: &str) -> Option<ErrorClass> {
    Some(match word {
        "invalid_request_error" => ErrorClass::InvalidRequest,
        "authentication_error" => ErrorClass::Authentication,
        "permission_error" => ErrorClass::Permission,
        "not_found_error" => ErrorClass::NotFound,
        "request_too_large" => ErrorClass::TooLarge,
        "rate_limit_error" => ErrorClass::RateLimited,
        "billing_error" | "insufficient_quota" => ErrorClass::QuotaExhausted,
        "overloaded_error" => ErrorClass::Overloaded,
        "timeout_error" => ErrorClass::Timeout,
        "api_error" => ErrorClass::Provider,
        _ => return None,
    })
}

/// At most [`MAX_ERROR_MESSAGE`] bytes of whole characters, and never a page of HTML.
fn bounded(message: &str) -> String {
    let message = message.trim();
    if message.starts_with('<') {
        return HTML.to_string();
    }
    let end = (0..=message.len().min(MAX_ERROR_MESSAGE)).rev().find(|end| message.is_char_boundary(*end));
    message.get(..end.unwrap_or(0)).unwrap_or_default().to_string()
}

/// Writes the envelope, as a body and as the data of an `error` event.
pub(super) fn write(class: ErrorClass, message: &str, out: &mut Writer) {
    out.object(|out| {
        out.field("type").string("error");
        out.field("error").object(|out| {
            out.field("type").string(type_of_class(class));
            out.field("message").string(message);
        });
    });
}

fn type_of_class(class: ErrorClass) -> &'static str {
    match class {
        ErrorClass::InvalidRequest => "invalid_request_error",
        ErrorClass::Authentication => "authentication_error",
        ErrorClass::Permission => "permission_error",
        ErrorClass::NotFound => "not_found_error",
        ErrorClass::TooLarge => "request_too_large",
        ErrorClass::RateLimited => "rate_limit_error",
        ErrorClass::QuotaExhausted => "billing_error",
        ErrorClass::Overloaded => "overloaded_error",
        ErrorClass::Timeout => "timeout_error",
        ErrorClass::Provider | ErrorClass::BadAnswer => "api_error",
    }
}
