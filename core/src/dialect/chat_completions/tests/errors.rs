//! Error bodies in all the forms that compatible servers have, and in OpenAI's.

use super::*;
use crate::hub::ProviderError;
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
        (
            429,
            r#"[{"error":{"code":429,"message":"q","status":"RESOURCE_EXHAUSTED","details":[{"violations":[{"quotaId":"RequestsPerDayPerModel"}]}]}}]"#,
            QuotaExhausted,
            "RESOURCE_EXHAUSTED",
            "q",
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

#[test]
fn what_does_not_fit_or_is_forbidden_is_told_from_what_is_wrong() {
    use ErrorClass::*;
    let error = |code: &str, message: &str| {
        format!(r#"{{"error":{{"message":"{message}","type":"invalid_request_error","code":{code}}}}}"#)
    };
    let cases = [
        (400, error(r#""context_length_exceeded""#, "no"), ContextTooLong),
        (400, error("null", "This model's maximum context length is 8192 tokens. However, you requested 9000"), ContextTooLong),
        (400, error("null", "prompt is too long: 210000 tokens > 200000 maximum"), ContextTooLong),
        (400, error("null", "The input token count (12) exceeds the maximum number of tokens allowed (1)."), ContextTooLong),
        (413, error("null", "Please reduce the length of the messages or completion."), ContextTooLong),
        (500, r#"{"error":{"code":500,"message":"the request exceeds the available context size","type":"server_error"}}"#.into(), ContextTooLong),
        (400, r#"{"error":{"code":400,"message":"too long","type":"exceed_context_size_error","n_ctx":512}}"#.into(), ContextTooLong),
        (429, error(r#""rate_limit_exceeded""#, "too many tokens per minute"), RateLimited),
        (429, error("null", "too many tokens per minute"), RateLimited),
        (400, error(r#""content_policy_violation""#, "no"), ContentPolicy),
        (400, r#"{"error":{"message":"filtered","type":null,"param":"prompt","code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#.into(), ContentPolicy),
        (400, r#"{"error":{"message":"filtered","innererror":{"code":"ResponsibleAIPolicyViolation"}}}"#.into(), ContentPolicy),
        (403, r#"{"error":{"code":403,"message":"Provider returned error","metadata":{"raw":"{\"error\":\"Content violates usage guidelines.\"}"}}}"#.into(), ContentPolicy),
        (400, error(r#""model_decommissioned""#, "gone"), NotFound),
        (400, r#"{"code":"Client specified an invalid argument","error":"Incorrect API key provided: x"}"#.into(), Authentication),
        (400, error("null", "max_tokens is too large"), InvalidRequest),
        (400, "prompt is too long".into(), ContextTooLong),
        (0, r#"{"error":{"message":"x","code":"tool_use_failed","status_code":400}}"#.into(), InvalidRequest),
    ];
    for (status, body, class) in cases {
        assert_eq!(ChatCompletions.read_error(status, body.as_bytes()).class, class, "{body}");
    }
}

#[test]
fn the_member_at_fault_is_carried() {
    let body = r#"{"error":{"message":"m","type":"invalid_request_error","param":"messages[0].role","code":null}}"#;
    let error = ChatCompletions.read_error(400, body.as_bytes());
    assert_eq!(error.param.as_deref(), Some("messages[0].role"));
    let mut out = Writer::new();
    ChatCompletions.write_error(&ClientError::of_provider(&error), &mut out);
    assert_eq!(value(out.as_str())["error"]["param"], "messages[0].role");
}

#[test]
fn clients_find_the_codes_that_they_act_on() {
    for (class, code) in [
        (ErrorClass::ContextTooLong, "context_length_exceeded"),
        (ErrorClass::ContentPolicy, "content_policy_violation"),
        (ErrorClass::QuotaExhausted, "insufficient_quota"),
    ] {
        let failed = ProviderError { class, status: 400, code: "their_own".into(), ..ProviderError::default() };
        let mut out = Writer::new();
        ChatCompletions.write_error(&ClientError::of_provider(&failed), &mut out);
        assert_eq!(value(out.as_str())["error"]["code"], code);
        assert_eq!(ChatCompletions.read_error(400, out.as_str().as_bytes()).class, class);
    }
}
