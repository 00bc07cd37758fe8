//! Errors, read and written.

use super::*;
use crate::hub::event::{ErrorClass, MAX_ERROR_MESSAGE};
use crate::refusal::{Origin, Refusal};

/// Errors of every API of this vendor: (id, status, body, what the recording says of it).
fn recorded() -> Vec<(String, u16, String, serde_json::Value)> {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/corpus/open"));
    let list = std::fs::read_to_string(root.join("errors.jsonl")).unwrap_or_default();
    let mut found = Vec::new();
    for line in list.lines() {
        let listed = value(line);
        let text = |name: &str| listed[name].as_str().unwrap_or_default();
        let ours = text("api").starts_with("gemini.") || (text("provider"), text("api")) == ("gemini", "models.list");
        if !ours {
            continue;
        }
        let file = root.join(text("provider")).join(text("api")).join(format!("{}.json", text("id")));
        let recording = value(&std::fs::read_to_string(file).unwrap());
        let response = &recording["response"];
        let body = response["body"].as_str().or(response["sse_text"].as_str()).unwrap();
        let status = u16::try_from(response["status"].as_u64().unwrap()).unwrap();
        found.push((text("id").to_string(), status, body.to_string(), recording["expect"].clone()));
    }
    found
}

#[test]
fn recorded_errors_are_understood() {
    let all = recorded();
    if all.is_empty() {
        return println!("skipped: no recordings beside the repository");
    }
    for (id, status, body, expect) in &all {
        let error = GenerateContent.read_error(*status, body.as_bytes());
        assert_eq!(error.status, *status, "{id}");
        assert!(!error.message.is_empty(), "{id}");
        if let Some(code) = expect["error_type"].as_str() {
            let told = (error.code.as_str(), error.message.as_str());
            assert_eq!(told, (code, expect["error_message"].as_str().unwrap()), "{id}");
        }
        let class = match *status {
            404 => ErrorClass::NotFound,
            401 => ErrorClass::Authentication,
            400 if error.message.starts_with("API key") => ErrorClass::Authentication,
            400 => ErrorClass::InvalidRequest,
            other => panic!("{id}: {other}"),
        };
        assert_eq!(error.class, class, "{id}");
    }
    println!("{} errors read", all.len());
}

#[test]
fn reported_errors_are_understood() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/corpus/errors_supplement.json");
    let Ok(text) = std::fs::read_to_string(file) else { return println!("skipped: no {file}") };
    let cases = value(&text);
    let ours = cases["cases"].as_array().unwrap().iter().filter(|case| case["api"] == "gemini.generateContent");
    let mut read = 0;
    for case in ours {
        let status = u16::try_from(case["status"].as_u64().unwrap()).unwrap();
        let error = GenerateContent.read_error(status, case["body"].to_string().as_bytes());
        assert_eq!(error.code, case["body"]["error"]["status"].as_str().unwrap());
        assert_eq!(error.class, crate::refusal::class_of_status(status));
        read += 1;
    }
    assert!(read > 0);
}

#[test]
fn wrong_requests_are_told_apart() {
    let too_long = "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).";
    let forbidden = "The prompt could not be submitted. It violates the Responsible AI practices.";
    let barred = "User location is not supported for the API use.";
    for (word, message, class) in [
        ("INVALID_ARGUMENT", too_long, ErrorClass::ContextTooLong),
        (
            "INVALID_ARGUMENT",
            "Unable to submit request because the input token count is 9 but the model supports a maximum of 8",
            ErrorClass::ContextTooLong,
        ),
        ("INVALID_ARGUMENT", forbidden, ErrorClass::ContentPolicy),
        ("INVALID_ARGUMENT", "The prompt violated Prompt Injection and Jailbreak filters.", ErrorClass::ContentPolicy),
        ("FAILED_PRECONDITION", barred, ErrorClass::Permission),
        ("FAILED_PRECONDITION", "Please enable billing on the project.", ErrorClass::Permission),
        ("INVALID_ARGUMENT", "API key expired. Please renew the API key.", ErrorClass::Authentication),
        ("INVALID_ARGUMENT", "maxOutputTokens must be positive", ErrorClass::InvalidRequest),
        // Only a wrong request is looked at closely.
        ("RESOURCE_EXHAUSTED", too_long, ErrorClass::RateLimited),
        ("NOT_FOUND", forbidden, ErrorClass::NotFound),
    ] {
        let body = serde_json::json!({"error": {"code": 400, "status": word, "message": message}}).to_string();
        let error = GenerateContent.read_error(400, body.as_bytes());
        assert_eq!((error.class, error.message.as_str()), (class, message), "{word}");
    }
}

#[test]
fn details_name_the_member_and_keep_the_sentence() {
    let body = br#"[{"error":{"code":400,"message":"bad","status":"INVALID_ARGUMENT","details":[
        {"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"39s"},
        {"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"field":"contents[0].role","description":"x"}]}]}}]"#;
    let error = GenerateContent.read_error(400, body);
    assert_eq!((error.message.as_str(), error.param.as_deref()), ("bad", Some("contents[0].role")));
    assert_eq!(GenerateContent.read_error(429, br#"{"error":{"details":[{"retryDelay":"39s"}]}}"#).param, None);
}

#[test]
fn errors_without_the_envelope_are_understood() {
    for (body, message) in [
        (r#"{"message":"no route"}"#, "no route"),
        (r#"{"detail":"no route"}"#, "no route"),
        (r#"{"error":"no route"}"#, "no route"),
        (r#"{"error":null,"message":"no route"}"#, "no route"),
        (r#"{"error":{"message":"no route","code":"x"}}"#, "no route"),
        ("[]", "[]"),
        (r#"{"error":[]}"#, ""),
        ("null", "null"),
    ] {
        let error = GenerateContent.read_error(502, body.as_bytes());
        assert_eq!((error.class, error.message.as_str()), (ErrorClass::Provider, message), "{body}");
    }
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
        (ErrorClass::ContextTooLong, "context_length_exceeded", "INVALID_ARGUMENT"),
        (ErrorClass::ContentPolicy, "", "INVALID_ARGUMENT"),
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
