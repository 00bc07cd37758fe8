//! The error envelope: `{"error":{"code":429,"message":"…","status":"RESOURCE_EXHAUSTED","details":[…]}}`.
//!
//! Streams without `alt=sse` wrap it in an array. The words are those of `google.rpc.Code`; source: the vendor's guide on
//! errors (cloud APIs design guide).

use crate::dialect::error_class::is_quota_of_a_day;
use crate::hub::ProviderError;
use crate::hub::event::{ErrorClass, MAX_ERROR_MESSAGE};
use crate::json::{Json, Kind, Writer};
use crate::refusal::{ClientError, class_of_status};

/// The words for classes of errors, the usual one of a class first.
const WORDS: [(&str, ErrorClass); 17] = [
    ("INVALID_ARGUMENT", ErrorClass::InvalidRequest),
    ("INVALID_ARGUMENT", ErrorClass::ContextTooLong),
    ("INVALID_ARGUMENT", ErrorClass::ContentPolicy),
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

/// How the provider says that a conversation is too long, in lower case: every word of one line must stand in the sentence.
const TOO_LONG: [&[&str]; 4] =
    [&["token count", "exceeds"], &["input token", "maximum"], &["maximum context length"], &["prompt is too long"]];

/// How it says that its policy forbids the content.
const FORBIDDEN: [&[&str]; 5] = [
    &["responsible ai"],
    &["prohibited use policy"],
    &["safety", "blocked"],
    &["violated", "filters"],
    &["sensitive words"],
];

/// How it says that this credential or place may not ask, with words of a wrong request.
const BARRED: [&[&str]; 3] = [&["location is not supported"], &["billing", "enable"], &["free tier is not available"]];

/// Understands what came with an error status.
pub(super) fn read_error(status: u16, body: &[u8]) -> ProviderError {
    let json = Json::parse(body).ok();
    let json = json.and_then(|json| if json.kind() == Kind::Array { json.items().next() } else { Some(json) });
    match json.filter(|json| json.kind() == Kind::Object) {
        // What stands before the API has no envelope: `{"message":"…"}`.
        Some(envelope) => read(status, envelope.get("error").filter(|error| !error.is_null()).unwrap_or(envelope)),
        None => ProviderError {
            class: class_of_status(status),
            status,
            code: String::new(),
            message: plain(body),
            param: None,
        },
    }
}

/// Understands an `error` that came inside of an answer.
pub(super) fn read_in_stream(error: Json<'_>) -> ProviderError {
    let code = error.get("code").and_then(Json::u64).and_then(|code| u16::try_from(code).ok());
    read(code.unwrap_or(0), error)
}

fn read(status: u16, error: Json<'_>) -> ProviderError {
    let text = |name: &str| error.get(name).and_then(Json::string);
    let code = text("status").or_else(|| text("code")).unwrap_or_default();
    let message = error.string();
    let message = message.or_else(|| text("message")).or_else(|| text("detail")).unwrap_or_default();
    let named = WORDS.iter().find(|(word, _)| *word == code).map(|(_, class)| *class);
    let class = match named.unwrap_or_else(|| class_of_status(status)) {
        ErrorClass::InvalidRequest => class_of_wrong(status, error, &message),
        ErrorClass::RateLimited if is_quota_of_a_day(error) => ErrorClass::QuotaExhausted,
        class => class,
    };
    ProviderError { class, status, code: bounded(code), message: bounded(message), param: field_at_fault(error) }
}

/// What exactly is wrong with a wrong request: the API has one word for many things.
fn class_of_wrong(status: u16, error: Json<'_>, message: &str) -> ErrorClass {
    let message = message.to_ascii_lowercase();
    let says = |forms: &[&[&str]]| forms.iter().any(|words| words.iter().all(|word| message.contains(word)));
    match status {
        413 => ErrorClass::TooLarge,
        _ if has_reason(error, "API_KEY_INVALID") || has_reason(error, "API_KEY_EXPIRED") => ErrorClass::Authentication,
        _ if message.starts_with("api key not valid") || message.starts_with("api key expired") => {
            ErrorClass::Authentication
        }
        _ if says(&TOO_LONG) => ErrorClass::ContextTooLong,
        _ if says(&FORBIDDEN) => ErrorClass::ContentPolicy,
        _ if says(&BARRED) => ErrorClass::Permission,
        _ => ErrorClass::InvalidRequest,
    }
}

/// The member that the provider names as wrong.
fn field_at_fault(error: Json<'_>) -> Option<String> {
    let details = error.get("details").into_iter().flat_map(Json::items);
    let mut violations = details.filter_map(|detail| detail.get("fieldViolations")).flat_map(Json::items);
    let field = violations.find_map(|violation| violation.get("field").and_then(Json::text))?.decode().into_owned();
    Some(bounded(field)).filter(|field| !field.is_empty())
}

fn has_reason(error: Json<'_>, word: &str) -> bool {
    let details = error.get("details").into_iter().flat_map(Json::items);
    details.filter_map(|detail| detail.get("reason").and_then(Json::text)).any(|reason| reason.is(word))
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
