//! Errors, both ways.

use super::*;
use crate::hub::event::{ErrorClass, MAX_ERROR_MESSAGE};
use crate::json::Writer;
use crate::refusal::ClientError;

fn class(status: u16, body: &str) -> ErrorClass {
    Responses.read_error(status, body.as_bytes()).class
}

fn told(body: &str, status: u16) -> Value {
    let error = Responses.read_error(status, body.as_bytes());
    let mut out = Writer::new();
    Responses.write_error(&ClientError::of_provider(&error), &mut out);
    value(out.as_str())
}

#[test]
fn the_code_decides_before_the_status() {
    let of = |code: &str| format!(r#"{{"error":{{"message":"m","type":"invalid_request_error","code":"{code}"}}}}"#);
    let known = [
        (400, "context_length_exceeded", ErrorClass::ContextTooLong),
        (400, "content_policy_violation", ErrorClass::ContentPolicy),
        (400, "content_filter", ErrorClass::ContentPolicy),
        (429, "insufficient_quota", ErrorClass::QuotaExhausted),
        (429, "rate_limit_exceeded", ErrorClass::RateLimited),
        (404, "model_not_found", ErrorClass::NotFound),
        (401, "invalid_api_key", ErrorClass::Authentication),
        (503, "server_is_overloaded", ErrorClass::Overloaded),
        (500, "server_error", ErrorClass::Provider),
        (400, "unknown_word", ErrorClass::InvalidRequest),
        (400, "model_decommissioned", ErrorClass::NotFound),
        (403, "unknown_word", ErrorClass::Permission),
    ];
    for (status, code, wanted) in known {
        assert_eq!(class(status, &of(code)), wanted, "{code}");
    }
}

#[test]
fn the_sentence_decides_where_no_code_does() {
    for sentence in [
        "This model's maximum context length is 128000 tokens",
        "Your input exceeds the context window of this model",
        "prompt is too long: 200001 tokens > 200000 maximum",
        "The input token count (9) exceeds the maximum",
    ] {
        let body = serde_json::json!({"error": {"message": sentence, "type": "invalid_request_error"}}).to_string();
        assert_eq!(class(400, &body), ErrorClass::ContextTooLong, "{sentence}");
        assert_eq!(told(&body, 400)["error"]["code"], "context_length_exceeded");
        // Of a rate limit, sentences speak of tokens too.
        assert_eq!(class(429, &body), ErrorClass::RateLimited, "{sentence}");
    }
    let unknown_key = r#"{"code":"x","error":"Incorrect API key provided"}"#;
    assert_eq!(class(400, unknown_key), ErrorClass::Authentication);
    let missing = r#"{"error":{"message":"no such model","type":"invalid_request_error"}}"#;
    assert_eq!(class(404, missing), ErrorClass::NotFound);
    let filtered = r#"{"error":{"message":"triggering Azure OpenAI's content management policy","code":null}}"#;
    assert_eq!(class(400, filtered), ErrorClass::ContentPolicy);
}

#[test]
fn other_envelopes_are_understood() {
    let error = |body: &str| Responses.read_error(422, body.as_bytes());
    assert_eq!(error(r#"{"detail":[{"msg":"field required"}]}"#).message, "field required");
    assert_eq!(error(r#"{"error":"plain words"}"#).message, "plain words");
    assert_eq!(error(r#"[{"error":{"message":"in a list"}}]"#).message, "in a list");
    assert_eq!(error("not JSON").message, "not JSON");
    assert_eq!(error("").class, ErrorClass::InvalidRequest);
    assert!(!error("<html>secret</html>").message.contains("html"));
    assert_eq!(error(&"x".repeat(9999)).message.len(), MAX_ERROR_MESSAGE);
}

#[test]
fn the_member_at_fault_is_kept() {
    let body = r#"{"error":{"message":"m","type":"invalid_request_error","param":"input[0].id","code":"missing"}}"#;
    let told = told(body, 400);
    assert_eq!(told, value(body));
    let mut out = Writer::new();
    let bare = ClientError { param: None, code: String::new(), ..ClientError::of_provider(&Default::default()) };
    Responses.write_error(&bare, &mut out);
    assert_eq!(value(out.as_str())["error"]["code"], Value::Null);
}

#[test]
fn an_error_inside_of_an_answer_ends_it() {
    let streams = [
        r#"{"type":"error","code":"rate_limit_exceeded","message":"slow","param":null,"sequence_number":1}"#,
        r#"{"type":"error","error":{"type":"tokens","code":"rate_limit_exceeded","message":"slow"}}"#,
        r#"{"type":"response.failed","response":{"id":"r","status":"failed","error":{"code":"rate_limit_exceeded","message":"slow"}}}"#,
        r#"{"error":{"code":"rate_limit_exceeded","message":"slow"}}"#,
    ];
    for data in streams {
        let message = fold(&[("", r#"{"type":"response.created","response":{"id":"r"}}"#), ("", data)], None);
        let error = failure(&message).unwrap_or_else(|| panic!("{data}"));
        assert_eq!((error.class, error.message.as_str()), (ErrorClass::RateLimited, "slow"), "{data}");
    }
    let wholes = [
        r#"{"error":{"code":"server_error","message":"broke"}}"#,
        r#"{"id":"r","status":"failed","output":[],"error":{"code":"server_error","message":"broke"}}"#,
    ];
    for body in wholes {
        assert_eq!(failure(&fold_whole(body)).unwrap().message, "broke");
    }
    for body in [r#"{"id":"r","status":"queued","output":[]}"#, r#"{"id":"r"}"#, "[]", "7"] {
        assert_eq!(failure(&fold_whole(body)).unwrap().class, ErrorClass::BadAnswer, "{body}");
    }
    assert_eq!(failure(&fold(&[("", "{")], None)).unwrap().class, ErrorClass::BadAnswer);
}
