//! Error bodies in all the forms that compatible servers have, and in OpenAI's.

use super::*;
use crate::hub::event::{ErrorClass, MAX_ERROR_MESSAGE};
use crate::json::Writer;
use crate::refusal::{ClientError, Origin};

#[test]
fn every_envelope_is_understood() {
    use ErrorClass::*;
    let cases = [
        (
            401,
            r#"{"error":{"message":"bad key","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}"#,
            Authentication,
            "invalid_api_key",
            "bad key",
        ),
        (
            429,
            r#"{"error":{"message":"pay","type":"insufficient_quota","code":"insufficient_quota"}}"#,
            QuotaExhausted,
            "insufficient_quota",
            "pay",
        ),
        (
            429,
            r#"{"error":{"message":"slow","type":"tokens","code":"rate_limit_exceeded"}}"#,
            RateLimited,
            "rate_limit_exceeded",
            "slow",
        ),
        (
            400,
            r#"{"object":"error","message":"no logprobs","type":"invalid_request_invalid_args","param":null,"code":"3051"}"#,
            InvalidRequest,
            "invalid_request_invalid_args",
            "no logprobs",
        ),
        (
            422,
            r#"{"object":"error","message":{"detail":[{"type":"missing","loc":["body"],"msg":"Field required"}]},"type":"invalid_request_error"}"#,
            InvalidRequest,
            "invalid_request_error",
            "Field required",
        ),
        (
            422,
            r#"{"detail":[{"loc":["body"],"msg":"Field required","type":"missing"}]}"#,
            InvalidRequest,
            "",
            "Field required",
        ),
        (404, r#"{"detail":"Not Found"}"#, NotFound, "", "Not Found"),
        (404, r#"{"error":"no such model"}"#, NotFound, "", "no such model"),
        (400, r#"{"code":"invalid argument","error":"bad effort"}"#, InvalidRequest, "invalid argument", "bad effort"),
        (
            429,
            r#"{"error":{"code":429,"message":"limited","metadata":{"raw":"x"}},"user_id":"u"}"#,
            RateLimited,
            "429",
            "limited",
        ),
        (
            400,
            r#"[{"error":{"code":400,"message":"key not valid","status":"INVALID_ARGUMENT"}}]"#,
            InvalidRequest,
            "INVALID_ARGUMENT",
            "key not valid",
        ),
        (402, r#"{"error":{"message":"balance"}}"#, QuotaExhausted, "", "balance"),
        (500, r#"{"error":{"message":"busy","type":"overloaded_error"}}"#, Overloaded, "overloaded_error", "busy"),
        (503, "upstream connect error\n", Overloaded, "", "upstream connect error"),
        (
            502,
            "<html><body>Bad gateway</body></html>",
            Provider,
            "",
            "the provider answered with a page instead of an error",
        ),
        (504, "", Timeout, "", ""),
        (500, "null", Provider, "", ""),
    ];
    for (status, body, class, code, message) in cases {
        let error = ChatCompletions.read_error(status, body.as_bytes());
        let found = (error.status, error.class, error.code.as_str(), error.message.as_str());
        assert_eq!(found, (status, class, code, message), "{body}");
    }
}

#[test]
fn no_page_and_no_flood_is_passed_on() {
    let flood = format!(r#"{{"error":{{"message":"{}","code":"{}"}}}}"#, "é".repeat(5000), "c".repeat(9000));
    for body in [flood.as_bytes(), "x".repeat(1 << 20).as_bytes(), &[0xff; 3000], &[b'['; 3000]] {
        let error = ChatCompletions.read_error(500, body);
        assert!(error.message.len() <= MAX_ERROR_MESSAGE && error.code.len() <= MAX_ERROR_MESSAGE);
    }
    let page = r#"{"error":{"message":"<!DOCTYPE html><html>secret</html>"}}"#;
    assert!(!ChatCompletions.read_error(500, page.as_bytes()).message.contains("secret"));
}

#[test]
fn an_error_for_a_client_is_openais() {
    let error = ClientError {
        status: 400,
        class: ErrorClass::InvalidRequest,
        code: "bad_member".into(),
        message: "`stop` \"x\"\n".into(),
        param: Some("stop".into()),
        origin: Origin::Gateway,
    };
    let mut out = Writer::new();
    ChatCompletions.write_error(&error, &mut out);
    let wanted =
        r#"{"error":{"message":"`stop` \"x\"\n","type":"invalid_request_error","param":"stop","code":"bad_member"}}"#;
    assert_eq!(out.as_str(), wanted);
    let again = ChatCompletions.read_error(400, out.as_str().as_bytes());
    assert_eq!((again.class, again.code, again.message), (error.class, error.code, "`stop` \"x\"".to_string()));
}
