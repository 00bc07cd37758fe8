//! Errors, both ways.

use super::*;
use crate::hub::event::{ErrorClass, MAX_ERROR_MESSAGE};
use crate::refusal::Origin;

fn class(status: u16, body: &str) -> ErrorClass {
    Messages.read_error(status, body.as_bytes()).class
}

#[test]
fn errors_are_classed_by_their_type_and_bounded() {
    let typed = |word: &str| format!(r#"{{"type":"error","error":{{"type":"{word}","message":"m"}}}}"#);
    assert_eq!(class(529, &typed("overloaded_error")), ErrorClass::Overloaded);
    assert_eq!(class(429, &typed("rate_limit_error")), ErrorClass::RateLimited);
    assert_eq!(class(500, &typed("api_error")), ErrorClass::Provider);
    assert_eq!(class(413, &typed("invalid_request_error")), ErrorClass::TooLarge);
    assert_eq!(class(402, &typed("billing_error")), ErrorClass::QuotaExhausted);
    let empty_account =
        r#"{"error":{"type":"invalid_request_error","message":"Your credit balance is too low to access"}}"#;
    assert_eq!(class(400, empty_account), ErrorClass::QuotaExhausted);
    assert_eq!(
        class(429, r#"[{"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED"}}]"#),
        ErrorClass::RateLimited
    );
    let html = Messages.read_error(502, b"<!DOCTYPE html><h1>Bad gateway</h1>");
    assert!(!html.message.contains('<') && html.class == ErrorClass::Provider);
    assert_eq!(Messages.read_error(504, b"").class, ErrorClass::Timeout);
    assert_eq!(Messages.read_error(429, br#"{"message":"slow down"}"#).message, "slow down");
    assert_eq!(Messages.read_error(400, br#"{"error":"bad"}"#).message, "bad");
    let long = Messages.read_error(500, "é".repeat(MAX_ERROR_MESSAGE).as_bytes());
    assert!(long.message.len() <= MAX_ERROR_MESSAGE + 3);
}

#[test]
fn a_conversation_too_long_and_forbidden_content_are_told_by_their_sentences() {
    let said = |status, message: &str| {
        class(
            status,
            &format!(r#"{{"type":"error","error":{{"type":"invalid_request_error","message":"{message}"}}}}"#),
        )
    };
    for sentence in [
        "prompt is too long: 3333404 tokens > 200000 maximum",
        "input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000",
    ] {
        assert_eq!(said(400, sentence), ErrorClass::ContextTooLong, "{sentence}");
        assert_eq!(said(413, sentence), ErrorClass::ContextTooLong, "{sentence}");
    }
    assert_eq!(said(400, "Output blocked by content filtering policy"), ErrorClass::ContentPolicy);
    assert_eq!(said(400, "tools.0.custom.input_schema.type: Field required"), ErrorClass::InvalidRequest);
    assert_eq!(class(400, r#"{"message":"Input is too long for requested model."}"#), ErrorClass::ContextTooLong);
    // A sentence cannot make another error of what is none of the caller's.
    let overloaded = r#"{"error":{"type":"overloaded_error","message":"prompt is too long"}}"#;
    assert_eq!(class(529, overloaded), ErrorClass::Overloaded);
    assert_eq!(
        class(503, r#"{"message":"Model is getting throttled. Try your request again."}"#),
        ErrorClass::Overloaded
    );
    assert_eq!(class(400, r#"{"__type":"com.amazon#ThrottlingException","message":"m"}"#), ErrorClass::RateLimited);
}

#[test]
fn the_member_at_fault_is_carried() {
    let param = |message: &str| {
        let body = serde_json::json!({"type": "error", "error": {"type": "invalid_request_error", "message": message}});
        Messages.read_error(400, body.to_string().as_bytes()).param
    };
    assert_eq!(
        param("tools.0.custom.input_schema.type: Field required").as_deref(),
        Some("tools.0.custom.input_schema.type")
    );
    assert_eq!(param("model: no-such-model").as_deref(), Some("model"));
    assert_eq!(param("prompt is too long: 3 tokens > 2 maximum"), None);
    assert_eq!(param("model x y: no"), None);
    let said = Messages.read_error(400, br#"{"error":{"type":"invalid_request_error","message":"m","param":"p"}}"#);
    assert_eq!(said.param.as_deref(), Some("p"));
}

#[test]
fn clients_are_told_in_the_dialects_words() {
    let told = |class, message: &str| {
        let (code, message) = (String::new(), message.to_string());
        let error = ClientError { status: 400, class, code, message, param: None, origin: Origin::Provider };
        let mut out = Writer::new();
        Messages.write_error(&error, &mut out);
        let told = value(out.as_str());
        assert_eq!(told["type"], "error");
        (told["error"]["type"].as_str().unwrap().to_string(), told["error"]["message"].as_str().unwrap().to_string())
    };
    let words = [
        (ErrorClass::InvalidRequest, "invalid_request_error"),
        (ErrorClass::ContentPolicy, "invalid_request_error"),
        (ErrorClass::Authentication, "authentication_error"),
        (ErrorClass::Permission, "permission_error"),
        (ErrorClass::NotFound, "not_found_error"),
        (ErrorClass::TooLarge, "request_too_large"),
        (ErrorClass::RateLimited, "rate_limit_error"),
        (ErrorClass::QuotaExhausted, "billing_error"),
        (ErrorClass::Overloaded, "overloaded_error"),
        (ErrorClass::Timeout, "timeout_error"),
        (ErrorClass::Provider, "api_error"),
        (ErrorClass::BadAnswer, "api_error"),
    ];
    for (class, word) in words {
        assert_eq!(told(class, "m \"q\""), (word.to_string(), "m \"q\"".to_string()));
    }
    // The words by which clients of this dialect know that they must shorten the conversation.
    let (word, message) = told(ErrorClass::ContextTooLong, "the maximum context length is 10");
    assert_eq!(
        (word.as_str(), message.as_str()),
        ("invalid_request_error", "prompt is too long: the maximum context length is 10")
    );
    assert_eq!(told(ErrorClass::ContextTooLong, "Prompt is too long").1, "Prompt is too long");
}

#[test]
fn an_exception_in_an_event_stream_is_an_error() {
    let frame = Frame::Event { name: "throttlingException", data: r#"{"message":"slow down"}"# };
    let crate::hub::message::End::Failed(error) = fold([frame], Aliases::default()).end else { panic!("not an error") };
    assert_eq!((error.class, error.message.as_str()), (ErrorClass::RateLimited, "slow down"));
}
