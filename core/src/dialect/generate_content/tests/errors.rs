//! Errors, read and written.

use super::*;
use crate::hub::event::{ErrorClass, MAX_ERROR_MESSAGE};
use crate::refusal::{Origin, Refusal};

#[test]
fn recorded_errors_are_understood() {
    let mut read = 0;
    for recording in recordings() {
        let response = &recording.json["response"];
        let status = response["status"].as_u64().unwrap();
        if status == 200 {
            continue;
        }
        let body = response["body"].as_str().or(response["sse_text"].as_str()).unwrap();
        let error = GenerateContent.read_error(status as u16, body.as_bytes());
        let expect = &recording.json["expect"];
        assert_eq!(u64::from(error.status), status, "{}", recording.id);
        assert!(!error.message.is_empty(), "{}", recording.id);
        if let Some(code) = expect["error_type"].as_str() {
            assert_eq!(
                (error.code.as_str(), error.message.as_str()),
                (code, expect["error_message"].as_str().unwrap())
            );
        }
        let class = match status {
            404 => ErrorClass::NotFound,
            400 if error.message.starts_with("API key") => ErrorClass::Authentication,
            400 => ErrorClass::InvalidRequest,
            _ => continue,
        };
        assert_eq!(error.class, class, "{}", recording.id);
        read += 1;
    }
    println!("{read} errors read");
}

#[test]
fn classes_follow_words_and_details() {
    for (status, body, class) in [
        (429, r#"{"error":{"status":"RESOURCE_EXHAUSTED","message":"m"}}"#, ErrorClass::RateLimited),
        (
            429,
            r#"[{"error":{"status":"RESOURCE_EXHAUSTED","details":[{"violations":[{"quotaId":"GenerateRequestsPerDayPerProject"}]}]}}]"#,
            ErrorClass::QuotaExhausted,
        ),
        (
            503,
            r#"{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}"#,
            ErrorClass::Overloaded,
        ),
        (
            400,
            r#"{"error":{"status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}"#,
            ErrorClass::Authentication,
        ),
        (400, r#"{"error":{"status":"FAILED_PRECONDITION"}}"#, ErrorClass::InvalidRequest),
        (413, "", ErrorClass::TooLarge),
        (504, "{}", ErrorClass::Timeout),
        (500, "<html>", ErrorClass::Provider),
    ] {
        assert_eq!(GenerateContent.read_error(status, body.as_bytes()).class, class, "{body}");
    }
}

#[test]
fn pages_are_not_passed_on_and_sentences_are_bounded() {
    let message = |body: &[u8]| GenerateContent.read_error(502, body).message;
    assert_eq!(message(b"  <!DOCTYPE html><p>secret"), "");
    assert_eq!(message(b"\x00\x01"), "");
    assert_eq!(message(b" upstream is away \n"), "upstream is away");
    assert_eq!(message("\u{e9}".repeat(5000).as_bytes()).len(), MAX_ERROR_MESSAGE);
    let long = format!(r#"{{"error":{{"message":"{}"}}}}"#, "a".repeat(5000));
    assert_eq!(message(long.as_bytes()).len(), MAX_ERROR_MESSAGE);
    assert_eq!(message(br#"{"error":"plain"}"#), "plain");
}

fn written(error: &ClientError) -> serde_json::Value {
    let mut out = Writer::new();
    GenerateContent.write_error(error, &mut out);
    value(out.as_str())
}

#[test]
fn errors_are_written_in_the_envelope() {
    let refusal = Refusal::UnknownModel("x\"y".into()).to_client();
    let body = written(&refusal);
    assert_eq!((body["error"]["code"].as_u64(), body["error"]["status"].as_str()), (Some(404), Some("NOT_FOUND")));
    assert_eq!(body["error"]["details"][0]["fieldViolations"][0]["field"], "model");
    for (class, code, word) in [
        (ErrorClass::Overloaded, "overloaded_error", "UNAVAILABLE"),
        (ErrorClass::QuotaExhausted, "", "RESOURCE_EXHAUSTED"),
        (ErrorClass::InvalidRequest, "FAILED_PRECONDITION", "FAILED_PRECONDITION"),
        (ErrorClass::BadAnswer, "NOT_FOUND", "INTERNAL"),
    ] {
        let error = ClientError {
            status: 500,
            class,
            code: code.into(),
            message: "m".into(),
            param: None,
            origin: Origin::Provider,
        };
        let body = written(&error);
        assert_eq!(body, serde_json::json!({"error": {"code": 500, "message": "m", "status": word}}));
    }
}

#[test]
fn every_class_comes_back_as_itself_or_its_kind() {
    for class in [
        ErrorClass::InvalidRequest,
        ErrorClass::Authentication,
        ErrorClass::Permission,
        ErrorClass::NotFound,
        ErrorClass::TooLarge,
        ErrorClass::RateLimited,
        ErrorClass::Overloaded,
        ErrorClass::Timeout,
        ErrorClass::Provider,
    ] {
        let status = crate::refusal::default_status(class);
        let error = ClientError {
            status,
            class,
            code: String::new(),
            message: "m".into(),
            param: None,
            origin: Origin::Gateway,
        };
        let mut out = Writer::new();
        GenerateContent.write_error(&error, &mut out);
        assert_eq!(GenerateContent.read_error(status, out.as_str().as_bytes()).class, class);
    }
}
