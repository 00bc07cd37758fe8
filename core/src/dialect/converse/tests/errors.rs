//! Errors as the service, and what stands before it, say them.

use super::*;
use crate::hub::event::ErrorClass;

#[test]
fn an_error_has_the_class_that_its_body_and_status_say() {
    use ErrorClass::*;
    let known = [
        (400, r#"{"message":"The provided model identifier is invalid."}"#, NotFound),
        (400, r#"{"message":"Input is too long for requested model."}"#, ContextTooLong),
        (
            400,
            r#"{"message":"The model returned the following errors: prompt is too long: 9 tokens > 8 maximum"}"#,
            ContextTooLong,
        ),
        (400, r#"{"message":"Input Tokens Exceeded: Number of input tokens exceeds maximum length."}"#, ContextTooLong),
        (400, r#"{"message":"The content filter blocked it."}"#, ContentPolicy),
        (
            400,
            r#"{"message":"This model doesn't support the s3Uri field. Remove s3Uri and try again."}"#,
            InvalidRequest,
        ),
        (400, r#"{"__type":"ServiceQuotaExceededException","message":"x"}"#, QuotaExhausted),
        (403, r#"{"message":"You don't have access to the model with the specified model ID."}"#, Permission),
        (403, r#"{"message":"The security token included in the request is expired"}"#, Authentication),
        (
            403,
            r#"{"Message":"The request signature we calculated does not match the signature you provided."}"#,
            Authentication,
        ),
        (403, r#"{"__type":"com.amazon.coral.service#UnrecognizedClientException","message":"x"}"#, Authentication),
        (404, r#"{"message":"This model version has reached the end of its life."}"#, NotFound),
        (408, r#"{"message":"x"}"#, Timeout),
        (413, r#"{"message":"x"}"#, TooLarge),
        (424, r#"{"message":"x","originalStatusCode":500,"resourceName":"m"}"#, Provider),
        (429, r#"{"message":"Too many tokens, please wait before trying again."}"#, RateLimited),
        (429, r#"{"__type":"ModelNotReadyException","message":"x"}"#, Overloaded),
        (500, r#"{"message":"x"}"#, Provider),
        (503, r#"{"message":"x"}"#, Overloaded),
        (503, "<html>busy</html>", Overloaded),
        (502, "", Provider),
    ];
    for (status, body, class) in known {
        let error = Converse.read_error(status, body.as_bytes());
        assert_eq!((error.class, error.status), (class, status), "{body}");
    }
}

#[test]
fn the_type_is_the_code_without_its_namespace() {
    for kind in ["com.amazon.coral#ThrottlingException", "ThrottlingException:http://internal/", "ThrottlingException"]
    {
        let error = Converse.read_error(400, format!(r#"{{"__type":"{kind}","message":"m"}}"#).as_bytes());
        assert_eq!((error.code.as_str(), error.class), ("ThrottlingException", ErrorClass::RateLimited), "{kind}");
    }
}

#[test]
fn a_message_is_bounded_and_never_a_page() {
    assert!(!Converse.read_error(502, b"<html><body>no</body></html>").message.contains('<'));
    let long = "é".repeat(5000);
    let error = Converse.read_error(400, format!(r#"{{"message":"{long}"}}"#).as_bytes());
    assert!(error.message.len() <= crate::hub::event::MAX_ERROR_MESSAGE && error.message.starts_with('é'));
    assert!(Converse.read_error(500, &[0xff; 9000]).message.len() <= 3 * crate::hub::event::MAX_ERROR_MESSAGE);
    assert_eq!(Converse.read_error(400, br#""just words""#).message, "just words");
}
