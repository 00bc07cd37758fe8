//! The error envelope: `{"error":{"code":429,"message":"…","status":"RESOURCE_EXHAUSTED","details":[…]}}`.
//!
//! Streams without `alt=sse` wrap it in an array. The words are those of `google.rpc.Code`; source: the vendor's guide on
//! errors (cloud APIs design guide).

use crate::hub::ProviderError;
use crate::hub::event::{ErrorClass, MAX_ERROR_MESSAGE};
use crate::json::{Json, Kind, Writer};
use crate::refusal::{ClientError, class_of_status};

/// The words for classes of errors, the usual one of a class first.
const WORDS: [(&str, ErrorClass); 15] = [
    ("INVALID_ARGUMENT", ErrorClass::InvalidRequest),
    ("FAILED_PRECONDITION", ErrorClass::InvalidRequest),
    ("OUT_OF_RANGE", ErrorClass::InvalidRequest),
    ("INVALID_ARGUMENT", ErrorClass::TooLarge),
    ("UNAUTHENTICATED", ErrorClass::Authentication),
    ("PERMISSION_DENIED", ErrorClass::Permission),
    ("NOT_FOUND", ErrorClass::NotFound),
    ("RESOURCE_EXHAUSTED", ErrorClass::RateLimited),
    ("RESOURCE_EXHAUSTED", ErrorClass::QuotaExhausted),
    ("UNAVAILABLE", ErrorClass::Overloaded),
    ("DEADLINE_EXCEEDED", ErrorClass::Timeout),
    ("INTERNAL", ErrorClass::Provider),
    ("UNKNOWN", ErrorClass::Provider),
    ("INTERNAL", ErrorClass::BadAnswer),
    ("CANCELLED", ErrorClass::Provider),
];

/// Understands what came with an error status.
pub(super) fn read_error(status: u16, body: &[u8]) -> ProviderError {
    let json = Json::parse(body).ok();
    let json = json.and_then(|json| if json.kind() == Kind::Array { json.items().next() } else { Some(json) });
    match json.and_then(|json| json.get("error")) {
        Some(error) => read(status, error),
        None => ProviderError { class: class_of_status(status), status, code: String::new(), message: plain(body) },
    }
}

/// Understands an `error` that came inside of an answer.
pub(super) fn read_in_stream(error: Json<'_>) -> ProviderError {
    let code = error.get("code").and_then(Json::u64).and_then(|code| u16::try_from(code).ok());
    read(code.unwrap_or(0), error)
}

fn read(status: u16, error: Json<'_>) -> ProviderError {
    let text = |name: &str| error.get(name).and_then(Json::text).map(|text| text.decode().into_owned());
    let code = text("status").unwrap_or_default();
    let message = error.text().map(|text| text.decode().into_owned()).or_else(|| text("message"));
    let named = WORDS.iter().find(|(word, _)| *word == code).map(|(_, class)| *class);
    let class = match named {
        // The status is finer than the word where both are known to be wrong in one way.
        Some(ErrorClass::InvalidRequest) if status == 413 => ErrorClass::TooLarge,
        Some(ErrorClass::InvalidRequest) if has_reason(error, "API_KEY_INVALID") => ErrorClass::Authentication,
        Some(ErrorClass::RateLimited) if is_quota_of_a_day(error) => ErrorClass::QuotaExhausted,
        Some(class) => class,
        None => class_of_status(status),
    };
    ProviderError { class, status, code: bounded(code), message: bounded(message.unwrap_or_default()) }
}

fn has_reason(error: Json<'_>, word: &str) -> bool {
    let details = error.get("details").into_iter().flat_map(Json::items);
    details.filter_map(|detail| detail.get("reason").and_then(Json::text)).any(|reason| reason.is(word))
}

/// Quotas by the minute come back by themselves soon, those by the day do not.
fn is_quota_of_a_day(error: Json<'_>) -> bool {
    let details = error.get("details").into_iter().flat_map(Json::items);
    let mut violations = details.filter_map(|detail| detail.get("violations")).flat_map(Json::items);
    violations.any(|violation| {
        let quota = violation.get("quotaId").and_then(Json::text);
        quota.is_some_and(|quota| quota.decode().contains("PerDay"))
    })
}

/// The sentence in a body of no known form, if it is one: pages of HTML and binary are not passed on.
fn plain(body: &[u8]) -> String {
    let head = body.get(..body.len().min(4 * MAX_ERROR_MESSAGE)).unwrap_or_default();
    let text = String::from_utf8_lossy(head);
    let text = text.trim();
    let is_markup = text.starts_with('<');
    let is_binary = text.chars().any(|letter| letter.is_control() && !letter.is_whitespace());
    if is_markup || is_binary { String::new() } else { bounded(text.to_string()) }
}

fn bounded(mut text: String) -> String {
    let mut end = text.len().min(MAX_ERROR_MESSAGE);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text
}

/// Writes the envelope.
pub(super) fn write_error(error: &ClientError, out: &mut Writer) {
    out.object(|out| {
        out.field("error");
        write_status(error.status, error.class, &error.code, &error.message, error.param.as_deref(), out);
    });
}

/// Writes the envelope's inside.
pub(super) fn write_status(
    status: u16,
    class: ErrorClass,
    code: &str,
    message: &str,
    param: Option<&str>,
    out: &mut Writer,
) {
    // The provider's own word, where it is one of the API's.
    let own = WORDS.iter().find(|(word, known)| *word == code && *known == class);
    let word = own.or_else(|| WORDS.iter().find(|(_, known)| *known == class));
    out.object(|out| {
        out.field("code").number(u64::from(status));
        out.field("message").string(message);
        out.field("status").string(word.map_or("UNKNOWN", |(word, _)| word));
        if let Some(param) = param {
            out.field("details").array(|out| {
                out.object(|out| {
                    out.field("@type").string("type.googleapis.com/google.rpc.BadRequest");
                    out.field("fieldViolations").array(|out| {
                        out.object(|out| {
                            out.field("field").string(param);
                            out.field("description").string(message);
                        });
                    });
                });
            });
        }
    });
}
