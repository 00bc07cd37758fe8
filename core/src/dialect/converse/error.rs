//! Errors, as bodies and in the middle of a stream.
//!
//! ```text
//! 400 {"message":"The provided model identifier is invalid."}       x-amzn-errortype: ValidationException
//! 403 {"Message":"…"}     424 {"message":…, "originalStatusCode":…}     {"__type":"com.amazon.coral#ThrottlingException", …}
//! !throttlingException {"message":"Too many tokens, please wait before trying again."}
//! ```
//!
//! The type stands in a header that is not looked at here, so the class comes from the type where the body or the frame has
//! it, then from what the message says, then from the status.

use crate::dialect::error_class;
use crate::framing::event_stream::FAILURE;
use crate::hub::event::{ErrorClass, MAX_ERROR_MESSAGE, ProviderError};
use crate::json::{Json, Kind};
use crate::refusal::class_of_status;

/// What stands in for a page of HTML.
const HTML: &str = "the provider answered with a page of HTML instead of an error";

/// Longest code that is passed on; the longest known type has 40 letters.
const MAX_CODE: usize = 128;

/// How the models behind the service say that the conversation is too long.
const TOO_LONG: [&str; 8] = [
    "input is too long",
    "prompt is too long",
    "maximum context length",
    "context window",
    "context limit",
    "too many input tokens",
    "input tokens exceeded",
    "number of input tokens exceeds",
];

/// How they say that the content is not allowed.
const NOT_ALLOWED: [&str; 4] = ["content filter", "content policy", "content management policy", "usage policy"];

/// How the service says that the credential is none: with status 403, as if it only lacked a permission.
const NO_CREDENTIAL: [&str; 4] =
    ["security token", "request signature we calculated", "signature expired", "missing authentication token"];

/// How it says that there is no such model: with status 400.
const NO_MODEL: &str = "model identifier is invalid";

/// Understands an error body, or whatever came instead.
pub(super) fn read(status: u16, body: &[u8]) -> ProviderError {
    match Json::parse(body) {
        Ok(json) => of_body(status, json),
        Err(_) => {
            let start = body.get(..MAX_ERROR_MESSAGE).unwrap_or(body);
            error(status, "", &String::from_utf8_lossy(start))
        }
    }
}

/// Whether a body says that something failed.
pub(super) fn is_error(body: Json<'_>) -> bool {
    ["message", "Message", "__type", "error"].iter().any(|name| body.get(name).is_some())
}

/// Understands a body; status 0 says that there was none.
pub(super) fn of_body(status: u16, body: Json<'_>) -> ProviderError {
    // Proxies before the service have an `error` around it.
    let inner = body.get("error").filter(|error| error.kind() == Kind::Object).unwrap_or(body);
    let word = |names: &[&str]| {
        let found = names.iter().find_map(|name| inner.get(name).and_then(Json::text));
        found.map(|text| text.decode().into_owned()).unwrap_or_default()
    };
    let code = word(&["__type", "code", "type"]);
    let message = match inner.kind() {
        Kind::String => inner.string().unwrap_or_default(),
        _ => word(&["message", "Message", "originalMessage"]),
    };
    error(status, &code, &message)
}

/// Understands an exception in a stream.
pub(super) fn of_event(name: &str, data: &str) -> ProviderError {
    let code = name.strip_prefix(FAILURE).unwrap_or(name);
    let message = match Json::parse(data.as_bytes()) {
        Ok(data) => of_body(0, data).message,
        Err(_) => data.to_string(),
    };
    error(0, code, &message)
}

fn error(status: u16, code: &str, message: &str) -> ProviderError {
    // `com.amazon.coral.service#ThrottlingException`, `ThrottlingException:http://…`
    let code = code.rsplit('#').next().unwrap_or_default();
    let code = bounded(code.split(':').next().unwrap_or_default(), MAX_CODE);
    let message = match message.trim() {
        page if error_class::is_page(page) => HTML.to_string(),
        message => bounded(message, MAX_ERROR_MESSAGE),
    };
    let class = class(status, &code, &message);
    ProviderError { class, status, code, message, param: None }
}

fn class(status: u16, code: &str, message: &str) -> ErrorClass {
    let by_type = class_of_type(code);
    let broad = by_type.unwrap_or(match status {
        0 => ErrorClass::Provider,
        // A model failed behind the service.
        424 => ErrorClass::Provider,
        status => class_of_status(status),
    });
    let message = message.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    match broad {
        // Only these are wide enough to hide something else.
        ErrorClass::InvalidRequest if says(&TOO_LONG) => ErrorClass::ContextTooLong,
        ErrorClass::InvalidRequest if says(&NOT_ALLOWED) => ErrorClass::ContentPolicy,
        ErrorClass::InvalidRequest if says(&[NO_MODEL]) => ErrorClass::NotFound,
        ErrorClass::InvalidRequest if status == 413 => ErrorClass::TooLarge,
        ErrorClass::Permission if says(&NO_CREDENTIAL) => ErrorClass::Authentication,
        class => class,
    }
}

/// Types begin with a small letter in streams and with a capital elsewhere.
fn class_of_type(code: &str) -> Option<ErrorClass> {
    let word = code.strip_suffix("Exception").or_else(|| code.strip_suffix("Error")).unwrap_or(code);
    Some(match word.to_ascii_lowercase().as_str() {
        "validation" | "serialization" => ErrorClass::InvalidRequest,
        "accessdenied" => ErrorClass::Permission,
        "unrecognizedclient"
        | "expiredtoken"
        | "invalidsignature"
        | "incompletesignature"
        | "missingauthenticationtoken" => ErrorClass::Authentication,
        "resourcenotfound" | "unknownoperation" => ErrorClass::NotFound,
        "throttling" | "toomanyrequests" => ErrorClass::RateLimited,
        "servicequotaexceeded" => ErrorClass::QuotaExhausted,
        "modelnotready" | "serviceunavailable" => ErrorClass::Overloaded,
        "modeltimeout" => ErrorClass::Timeout,
        "internalserver" | "internalfailure" | "model" | "modelstream" | "modelstreamerror" | "modelerror" => {
            ErrorClass::Provider
        }
        _ => return None,
    })
}

/// At most `most` bytes of whole characters.
fn bounded(text: &str, most: usize) -> String {
    let end = (0..=text.len().min(most)).rev().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or(0)).unwrap_or_default().to_string()
}
