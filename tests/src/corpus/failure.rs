//! A provider's error body, read in its dialect and said in every client's.

use dragoman_core::catalog::DialectId;
use dragoman_core::dialect;
use dragoman_core::hub::event::ErrorClass;
use dragoman_core::json::Writer;
use dragoman_core::refusal::ClientError;
use serde_json::Value;

use super::expected::{Differences, short};
use super::recording::Recording;

/// What is wrong with the reading of a recorded error.
pub fn reading(recording: &Recording, provider: DialectId) -> Vec<String> {
    let error = dialect::of(provider).read_error(recording.status, &recording.bytes);
    let mut found = Differences::default();
    found.same("status", &recording.status, &error.status);
    if !fits(recording.status, error.class) {
        found.fault(format!("status {} is of the class {:?}", recording.status, error.class));
    }
    let wanted = recording.expect["error_message"].as_str().unwrap_or_default();
    let (wanted, got) = (beginning(wanted), beginning(&error.message));
    if !wanted.is_empty() && !got.contains(&wanted) {
        found.fault(format!("message: wanted {wanted:?}, got {got:?}"));
    }
    let code = word(&recording.expect["error_code"]);
    let kind = word(&recording.expect["error_type"]);
    let known = [&code, &kind, &Some(recording.status.to_string())].map(Clone::clone);
    let unknown = code.is_none() && kind.is_none();
    if !unknown && !error.code.is_empty() && !known.iter().flatten().any(|known| *known == error.code) {
        found.fault(format!("code {:?} for {known:?}", error.code));
    }
    found.0
}

/// What is wrong with a recorded error as a client is told of it.
pub fn telling(recording: &Recording, provider: DialectId, client: DialectId) -> Vec<String> {
    let error = dialect::of(provider).read_error(recording.status, &recording.bytes);
    let told = ClientError::of_provider(&error);
    let mut out = Writer::new();
    dialect::client(client).write_error(&told, &mut out);
    let mut found = Differences::default();
    let Ok(body) = serde_json::from_str::<Value>(out.as_str()) else {
        found.fault(format!("not JSON: {}", short(&out.as_str())));
        return found.0;
    };
    if !has_form(client, &body, told.status) {
        found.fault(format!("not of the dialect's form: {body}"));
    }
    let back = dialect::of(client).read_error(told.status, out.as_str().as_bytes());
    found.same("status read back", &told.status, &back.status);
    // Programs look for their own vendor's words before those of the provider.
    if !back.message.ends_with(&told.message) {
        found.same("message read back", &told.message, &back.message);
    }
    if !same_kind(error.class, back.class) {
        found.fault(format!("{:?} came back as {:?}", error.class, back.class));
    }
    found.0
}

/// The error envelopes, as the vendors document them.
pub fn has_form(client: DialectId, body: &Value, status: u16) -> bool {
    let error = &body["error"];
    let says = error["message"].as_str().is_some_and(|message| !message.is_empty());
    let own = match client {
        DialectId::Messages => body["type"] == "error" && error["type"].is_string(),
        DialectId::GenerateContent => error["code"] == status && error["status"].is_string(),
        _ => error["type"].is_string() && error.get("param").is_some() && error.get("code").is_some(),
    };
    says && own
}

fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(word) => Some(word.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The first words, without white space: recorders spell it differently.
fn beginning(message: &str) -> String {
    message.chars().filter(|c| !c.is_whitespace()).take(60).collect()
}

/// Whether a status may be of a class: the body knows better than the status, within limits.
fn fits(status: u16, class: ErrorClass) -> bool {
    use ErrorClass::{
        Authentication, ContentPolicy, ContextTooLong, InvalidRequest, NotFound, Overloaded, Permission, Provider,
        QuotaExhausted, RateLimited, Timeout, TooLarge,
    };
    let fitting: &[ErrorClass] = match status {
        401 => &[Authentication],
        402 => &[QuotaExhausted],
        403 => &[Permission, ContentPolicy, QuotaExhausted, RateLimited, Authentication],
        404 => &[NotFound],
        408 => &[Timeout],
        413 => &[TooLarge, ContextTooLong],
        429 => &[RateLimited, QuotaExhausted, Overloaded],
        400..=499 => &[
            InvalidRequest,
            ContextTooLong,
            ContentPolicy,
            NotFound,
            Authentication,
            QuotaExhausted,
            Permission,
            TooLarge,
        ],
        503 | 529 => &[Overloaded],
        _ => &[Provider, Overloaded, Timeout],
    };
    fitting.contains(&class)
}

/// Whether a class came back as itself or as the nearest one that the client's dialect has a word for.
fn same_kind(one: ErrorClass, two: ErrorClass) -> bool {
    let kind = |class| match class {
        ErrorClass::ContextTooLong | ErrorClass::TooLarge => ErrorClass::InvalidRequest,
        ErrorClass::QuotaExhausted => ErrorClass::RateLimited,
        ErrorClass::BadAnswer | ErrorClass::Timeout | ErrorClass::Overloaded => ErrorClass::Provider,
        other => other,
    };
    let policy = one == ErrorClass::ContentPolicy && matches!(two, ErrorClass::InvalidRequest | ErrorClass::Permission);
    policy || kind(one) == kind(two)
}
