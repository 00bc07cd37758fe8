//! Errors.

use super::*;
use crate::hub::event::{ErrorClass, MAX_ERROR_MESSAGE};

#[test]
fn the_class_follows_from_code_sentence_and_status() {
    let cases = [
        (
            400,
            r#"{"error_type":"TOO_MANY_TOKENS","message":"too many tokens: size limit exceeded by 9 tokens."}"#,
            ErrorClass::ContextTooLong,
        ),
        (400, r#"{"message":"too many tokens: total number of tokens cannot exceed 8"}"#, ErrorClass::ContextTooLong),
        (
            400,
            r#"{"message":"too many tokens: max tokens must be less than or equal to 4096"}"#,
            ErrorClass::InvalidRequest,
        ),
        (400, r#"{"message":"invalid request: message must be at least 1 token long"}"#, ErrorClass::InvalidRequest),
        (401, r#"{"message":"invalid api token"}"#, ErrorClass::Authentication),
        (403, r#"{"message":"forbidden"}"#, ErrorClass::Permission),
        (404, r#"{"id":"1","message":"model 'x' not found"}"#, ErrorClass::NotFound),
        (422, r#"{"message":"invalid type: parameter messages is of type string"}"#, ErrorClass::InvalidRequest),
        (
            429,
            r#"{"message":"You are using a Trial key, which is limited to 20 API calls / minute."}"#,
            ErrorClass::RateLimited,
        ),
        (
            429,
            r#"{"message":"You are using a Trial key, which is limited to 1000 API calls / month."}"#,
            ErrorClass::QuotaExhausted,
        ),
        (402, r#"{"message":"Please add or update your payment method."}"#, ErrorClass::QuotaExhausted),
        (498, r#"{"message":"blocked output: please adjust your prompt"}"#, ErrorClass::ContentPolicy),
        (499, r#"{"message":"request cancelled"}"#, ErrorClass::Timeout),
        (500, r#"{"message":"internal server error"}"#, ErrorClass::Provider),
        (503, "upstream unavailable", ErrorClass::Overloaded),
        (504, "", ErrorClass::Timeout),
    ];
    for (status, body, class) in cases {
        let error = ChatV2.read_error(status, body.as_bytes());
        assert_eq!((error.class, error.status), (class, status), "{body}");
    }
}

#[test]
fn code_and_sentence_are_the_providers() {
    let error = ChatV2.read_error(400, br#"{"error_type":"TOO_MANY_TOKENS","id":"x","message":"too many tokens"}"#);
    assert_eq!((error.code.as_str(), error.message.as_str()), ("TOO_MANY_TOKENS", "too many tokens"));
    let error = ChatV2.read_error(401, br#"{"error":{"code":"Unauthorized","message":"no key"}}"#);
    assert_eq!((error.code.as_str(), error.message.as_str()), ("Unauthorized", "no key"));
    let error = ChatV2.read_error(400, br#"{"message":{"message":"deep"}}"#);
    assert_eq!(error.message, "deep");
}

#[test]
fn what_is_no_error_body_is_short_and_no_page() {
    let page = ChatV2.read_error(502, b"<html>gateway</html>");
    assert!(!page.message.contains('<'));
    let long = "é".repeat(MAX_ERROR_MESSAGE);
    assert!(ChatV2.read_error(500, long.as_bytes()).message.len() <= MAX_ERROR_MESSAGE + 2);
    let long = format!(r#"{{"message":"{long}"}}"#);
    assert!(ChatV2.read_error(500, long.as_bytes()).message.len() <= MAX_ERROR_MESSAGE);
}
