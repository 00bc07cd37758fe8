//! Errors: the envelope both ways.
//!
//! ```text
//! {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_…"}
//! ```
//!
//! Clouds and proxies before the provider answer in forms of their own (Vertex: a list; Bedrock: a bare `message`; load
//! balancers: HTML or nothing), which is why reading is patient.

use crate::dialect::error_class;
use crate::hub::event::{ErrorClass, MAX_ERROR_MESSAGE, ProviderError};
use crate::json::{Json, Kind, Writer};
use crate::refusal::{ClientError, class_of_status};

/// How the provider says that a conversation is too long. Its clients know this error by these words and shorten the
/// conversation, so they stand in the message whoever said it first.
const TOO_LONG: &str = "prompt is too long";

/// What the type does not tell, the sentence does: in small letters, as the provider and the clouds before it say it.
const SENTENCES: [(&str, ErrorClass); 12] = [
    (TOO_LONG, ErrorClass::ContextTooLong),
    ("exceed context limit", ErrorClass::ContextTooLong),
    ("exceeds the context window", ErrorClass::ContextTooLong),
    ("maximum context length", ErrorClass::ContextTooLong),
    ("input is too long for requested model", ErrorClass::ContextTooLong),
    ("too many input tokens", ErrorClass::ContextTooLong),
    ("too many total text bytes", ErrorClass::ContextTooLong),
    ("blocked by content filter", ErrorClass::ContentPolicy),
    ("content filtering policy", ErrorClass::ContentPolicy),
    ("blocked by our content policy", ErrorClass::ContentPolicy),
    ("credit balance is too low", ErrorClass::QuotaExhausted),
    ("reached your specified api usage limits", ErrorClass::QuotaExhausted),
];

/// Members of a request by which the provider begins the sentence about them: `tools.0.name: Field required`.
const MEMBERS: [&str; 18] = [
    "model",
    "messages",
    "system",
    "tools",
    "tool_choice",
    "max_tokens",
    "thinking",
    "output_config",
    "output_format",
    "temperature",
    "top_p",
    "top_k",
    "stop_sequences",
    "stream",
    "metadata",
    "container",
    "context_management",
    "mcp_servers",
];

/// What stands in for a page of HTML.
const HTML: &str = "the provider answered with a page of HTML instead of an error";

/// Understands an error body, or whatever came instead.
pub(super) fn read(status: u16, body: &[u8]) -> ProviderError {
    if let Ok(json) = Json::parse(body) {
        return of_envelope(status, json);
    }
    let message = bounded(&String::from_utf8_lossy(body.get(..MAX_ERROR_MESSAGE).unwrap_or(body)));
    ProviderError { class: class_of_status(status), status, code: String::new(), message, param: None }
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
    let code = word(&["type", "status", "code", "__type"]).unwrap_or_default();
    // A cloud's type may come with its namespace: `com.amazon.coral.service#ThrottlingException`.
    let code = code.rsplit_once('#').map_or(code.as_ref(), |(_, code)| code).to_string();
    let message = match inner.kind() {
        Kind::String => inner.text().map(|text| text.decode()),
        _ => word(&["message", "Message", "detail"]),
    };
    let message = bounded(&message.unwrap_or_default());
    let class = match class_of_type(&code) {
        Some(ErrorClass::InvalidRequest) if status == 413 => ErrorClass::TooLarge,
        Some(class) => class,
        None if status == 0 => ErrorClass::Provider,
        None => class_of_status(status),
    };
    let class = by_sentence(class, &message);
    let param = word(&["param"]).map(|param| bounded(&param)).or_else(|| member_of(&message));
    ProviderError { class, status, code: bounded(&code), message, param }
}

/// Understands an exception in an event stream, whose type is its name.
pub(super) fn of_exception(name: &str, data: Json<'_>) -> ProviderError {
    let word = name.rsplit_once('#').map_or(name, |(_, word)| word);
    // In a stream the names begin with a small letter.
    let mut letters = word.chars();
    let known: String = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
    let error = of_envelope(0, data);
    let class = by_sentence(class_of_type(&known).unwrap_or_default(), &error.message);
    ProviderError { class, code: bounded(name), ..error }
}

/// The class, made more exact by what the sentence says. Only requests that are wrong somehow can be wrong in these ways.
fn by_sentence(class: ErrorClass, message: &str) -> ErrorClass {
    if !matches!(class, ErrorClass::InvalidRequest | ErrorClass::TooLarge | ErrorClass::Permission) {
        return class;
    }
    let message = message.to_lowercase();
    SENTENCES.iter().find(|(words, _)| message.contains(words)).map_or(class, |(_, found)| *found)
}

/// The member that the sentence begins with.
fn member_of(message: &str) -> Option<String> {
    let (path, _) = message.split_once(": ")?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'[' | b']');
    let first = path.split(['.', '[']).next()?;
    (MEMBERS.contains(&first) && path.bytes().all(plain)).then(|| path.to_string())
}

/// The class of the provider's word, or of the words of the clouds that serve this dialect.
fn class_of_type(word: &str) -> Option<ErrorClass> {
    Some(match word {
        "invalid_request_error" | "INVALID_ARGUMENT" | "FAILED_PRECONDITION" | "ValidationException" => {
            ErrorClass::InvalidRequest
        }
        "authentication_error" | "UNAUTHENTICATED" | "UnrecognizedClientException" => ErrorClass::Authentication,
        "permission_error" | "PERMISSION_DENIED" | "AccessDeniedException" => ErrorClass::Permission,
        "not_found_error" | "NOT_FOUND" | "ResourceNotFoundException" => ErrorClass::NotFound,
        "request_too_large" => ErrorClass::TooLarge,
        "rate_limit_error" | "RESOURCE_EXHAUSTED" | "ThrottlingException" => ErrorClass::RateLimited,
        "billing_error" | "insufficient_quota" | "ServiceQuotaExceededException" => ErrorClass::QuotaExhausted,
        "overloaded_error" | "UNAVAILABLE" | "ServiceUnavailableException" | "ModelNotReadyException" => {
            ErrorClass::Overloaded
        }
        "timeout_error" | "DEADLINE_EXCEEDED" | "ModelTimeoutException" => ErrorClass::Timeout,
        "api_error" | "INTERNAL" | "InternalServerException" | "ModelErrorException" | "ModelStreamErrorException" => {
            ErrorClass::Provider
        }
        _ => return None,
    })
}

/// At most [`MAX_ERROR_MESSAGE`] bytes of whole characters, and never a page of HTML.
fn bounded(message: &str) -> String {
    let message = message.trim();
    if error_class::is_page(message) {
        return HTML.to_string();
    }
    let end = (0..=message.len().min(MAX_ERROR_MESSAGE)).rev().find(|end| message.is_char_boundary(*end));
    message.get(..end.unwrap_or(0)).unwrap_or_default().to_string()
}

/// Writes the envelope, as a body and as the data of an `error` event.
pub(super) fn write(error: &ClientError, out: &mut Writer) {
    let unknown = error.class == ErrorClass::ContextTooLong && !error.message.to_lowercase().contains(TOO_LONG);
    out.object(|out| {
        out.field("type").string("error");
        out.field("error").object(|out| {
            out.field("type").string(type_of_class(error.class));
            match unknown {
                true => out.field("message").string(&format!("{TOO_LONG}: {}", error.message)),
                false => out.field("message").string(&error.message),
            }
        });
    });
}

fn type_of_class(class: ErrorClass) -> &'static str {
    match class {
        ErrorClass::InvalidRequest | ErrorClass::ContextTooLong | ErrorClass::ContentPolicy => "invalid_request_error",
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
