//! The laws on recorded traffic: identity of requests, and answers as an independent reader understood them.

use super::*;
use crate::hub::event::ErrorClass;
use serde_json::Value;
use std::path::{Path, PathBuf};

const APIS: [&str; 3] = ["openai.chat", "groq.chat", "mistral.chat"];

/// The recordings of this dialect, or none where the shared folder does not exist.
fn recordings() -> Vec<(PathBuf, Value)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus/open");
    let Ok(providers) = std::fs::read_dir(&root) else {
        println!("skipped: there are no recordings at {}", root.display());
        return Vec::new();
    };
    let mut found = Vec::new();
    for provider in providers.flatten() {
        for api in APIS {
            let Ok(files) = std::fs::read_dir(provider.path().join(api)) else { continue };
            for file in files.flatten() {
                let text = std::fs::read_to_string(file.path()).unwrap();
                found.push((file.path(), value(&text)));
            }
        }
    }
    assert!(found.len() > 1000, "only {} recordings were found", found.len());
    found
}

#[test]
fn a_request_is_written_as_it_was_read() {
    let (mut same, mut different) = (0, Vec::new());
    for (path, recording) in recordings() {
        let Some(body) = recording["request"]["body"].as_str() else { continue };
        let mut wanted = value(body);
        let path_said = recording["request"]["path"].as_str().unwrap_or_default();
        // Where the path names the model, the body need not; any other path is a provider's own.
        let asked = match ChatCompletions.endpoint("POST", path_said) {
            Some(Ok(asked)) if asked.model.is_some() => asked,
            _ => endpoint(),
        };
        let request = match ChatCompletions.read_request(&asked, json(body)) {
            Ok(request) => request,
            Err(error) => {
                different.push(format!("{}: {error:?}", path.display()));
                continue;
            }
        };
        let written = write(&request, "another");
        wanted["model"] = "another".into();
        match value(&written.body) == wanted && written.losses.dropped.is_empty() {
            true => same += 1,
            false => different.push(format!("{}\n  {body}\n  {}", path.display(), written.body)),
        }
    }
    println!("identity: {same} same, {} different", different.len());
    assert!(different.is_empty(), "{} differ:\n{}", different.len(), different.join("\n"));
}

#[test]
fn an_answer_is_understood_as_an_independent_reader_did() {
    let (mut same, mut different) = (0, Vec::new());
    for (path, recording) in recordings() {
        let response = &recording["response"];
        let expect = &recording["expect"];
        if response["status"].as_u64().is_some_and(|status| status >= 400) || expect.is_null() {
            continue;
        }
        let message = match (response["sse_text"].as_str(), response["body"].as_str()) {
            (Some(stream), _) => fold_stream(stream),
            (None, Some(body)) => fold_whole(body),
            (None, None) => continue,
        };
        match differences(expect, &message) {
            problems if problems.is_empty() => same += 1,
            problems => different.push(format!("{}: {problems:?}", path.display())),
        }
    }
    println!("answers: {same} same, {} different", different.len());
    assert!(different.is_empty(), "{} differ:\n{}", different.len(), different.join("\n"));
}

/// What the recording's independent reading says otherwise, the known and wanted differences aside.
fn differences(expect: &Value, message: &Message) -> Vec<String> {
    let sum = sum(message);
    let mut found = Vec::new();
    let mut same = |what: &str, one: &Value, two: Value| {
        if *one != two {
            found.push(format!("{what}: expected {one}, got {two}"));
        }
    };
    if !expect["error"].is_null() {
        same("error", &Value::Bool(true), Value::Bool(failure(message).is_some()));
        return found;
    }
    if expect["usage"].is_null() && expect["finish_reason"].is_null() && expect["text"] == "" {
        same("not an answer", &Value::Bool(true), Value::Bool(failure(message).is_some()));
        return found;
    }
    same("failure", &Value::Null, failure(message).map_or(Value::Null, |error| error.message.clone().into()));
    same("text", &expect["text"], Value::String(sum.text.clone()));
    // A call without a name is no call; the other reader counts empty ones.
    let named = expect["tool_calls"].as_array().into_iter().flatten().filter(|call| !call["name"].is_null());
    let wanted: Vec<Value> =
        named.map(|call| serde_json::json!([call["name"], arguments(&call["arguments"])])).collect();
    let calls = sum.calls.iter().map(|(_, name, text, _)| {
        serde_json::json!([name, serde_json::from_str(text).unwrap_or(Value::String(text.clone()))])
    });
    same("calls", &Value::Array(wanted), calls.collect());
    for (name, said) in [("reasoning_text", &sum.thinking), ("refusal", &sum.refusal)] {
        if expect[name].is_string() {
            same(name, &expect[name], Value::String(said.clone()));
        }
    }
    match (expect["finish_reason"].as_str(), sum.end) {
        // The sequencer says so of every answer with calls; servers say "stop" when the tool was forced.
        (Some("stop"), Some("tool_calls")) => {}
        // No reason, but the provider's mark that it is done.
        (None, Some("stop" | "tool_calls")) => {}
        (wanted, end) => same("finish", &Value::from(wanted), Value::from(end)),
    }
    let usage = &sum.usage;
    let counts = [
        ("input_total", usage.input),
        ("output_total", usage.output),
        ("cache_read", usage.cache_read),
        ("cache_write", usage.cache_write),
        ("reasoning", usage.reasoning),
    ];
    for (name, count) in counts {
        if let Some(wanted) = expect["usage"][name].as_u64() {
            same(name, &Value::from(wanted), Value::from(count.unwrap_or(0)));
        }
    }
    found
}

/// Arguments as the other reader has them; what it could not parse is text.
fn arguments(expected: &Value) -> Value {
    match expected["$unparsed"].as_str() {
        Some("null") => Value::Null,
        Some(text) => Value::String(text.into()),
        None => expected.clone(),
    }
}

/// The class that an error of a recording has, judged by its status and code alone.
fn class_expected(status: u64, code: &str, kind: &str, body: &str) -> ErrorClass {
    match (status, code, kind) {
        (_, "context_length_exceeded", _) | (_, _, "exceed_context_size_error") => ErrorClass::ContextTooLong,
        (_, "content_filter", _) => ErrorClass::ContentPolicy,
        _ if body.contains("violates usage guidelines") => ErrorClass::ContentPolicy,
        (_, "insufficient_quota", _) => ErrorClass::QuotaExhausted,
        (_, "model_decommissioned", _) | (404, ..) => ErrorClass::NotFound,
        (401, ..) => ErrorClass::Authentication,
        (403, ..) => ErrorClass::Permission,
        (429, ..) => ErrorClass::RateLimited,
        (500.., ..) => ErrorClass::Provider,
        _ => ErrorClass::InvalidRequest,
    }
}

fn checked_error(name: &str, status: u64, body: &str, expect: &Value) {
    let error = ChatCompletions.read_error(u16::try_from(status).unwrap(), body.as_bytes());
    let word = |member: &str| match &expect[member] {
        Value::String(word) => word.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    };
    let (code, kind) = (word("error_code"), word("error_type"));
    assert_eq!(error.class, class_expected(status, &code, &kind, body), "{name}: {body}");
    assert_eq!(u64::from(error.status), status, "{name}");
    assert_eq!(error.param.unwrap_or_default(), word("error_param"), "{name}");
    assert_eq!(error.message, word("error_message").trim(), "{name}");
    // A numbered code says less than a type, where there is one.
    let numbered = code.parse::<f64>().is_ok() && !kind.is_empty();
    assert!(numbered || code.is_empty() || error.code == code, "{name}: {} for {code}", error.code);
}

#[test]
fn an_error_body_is_understood() {
    let mut checked = 0;
    for (path, recording) in recordings() {
        let response = &recording["response"];
        let (Some(status), Some(body)) = (response["status"].as_u64(), response["body"].as_str()) else { continue };
        if status >= 400 {
            checked_error(&path.display().to_string(), status, body, &recording["expect"]);
            checked += 1;
        }
    }
    println!("errors: {checked} understood");
}

#[test]
fn an_error_that_nobody_recorded_is_understood() {
    let supplement = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus/errors_supplement.json");
    let Ok(text) = std::fs::read_to_string(supplement) else { return println!("skipped: no supplement") };
    for case in value(&text)["cases"].as_array().unwrap() {
        if !APIS.contains(&case["api"].as_str().unwrap()) {
            continue;
        }
        let (status, error) = (case["status"].as_u64().unwrap(), case["body"].get("error").unwrap_or(&case["body"]));
        let expect = serde_json::json!({
            "error_code": error["code"], "error_type": error["type"], "error_message": error["message"],
        });
        checked_error(&case["source"].to_string(), status, &case["body"].to_string(), &expect);
    }
}

/// A recorded answer said by this dialect's own writer, and read again.
fn said_again(stream: Option<&str>, body: &str, delivery: Delivery) -> Message {
    let asked = r#"{"model":"m","messages":[],"stream":true,"stream_options":{"include_usage":true}}"#;
    let request = read(asked).unwrap();
    let mut writer = ChatCompletions.writer(&request, reply(delivery));
    let mut out = Vec::new();
    let frames = stream.map(frames).unwrap_or_default();
    events(&frames, stream.is_none().then_some(body), &mut |event| writer.write(event, &mut out));
    let out = String::from_utf8(out).unwrap();
    match delivery {
        Delivery::Whole => fold_whole(&out),
        _ => fold_stream(&out),
    }
}

#[test]
fn an_answer_is_said_again_the_same_whole_and_streamed() {
    let (mut same, mut different) = (0, Vec::new());
    for (path, recording) in recordings() {
        let response = &recording["response"];
        if response["status"].as_u64().is_some_and(|status| status >= 400) {
            continue;
        }
        let (stream, body) = (response["sse_text"].as_str(), response["body"].as_str().unwrap_or_default());
        let message = stream.map_or_else(|| fold_whole(body), fold_stream);
        if failure(&message).is_some() {
            let streamed = said_again(stream, body, Delivery::Streamed);
            assert!(failure(&streamed).is_some(), "{}: an error must not become a good end", path.display());
            continue;
        }
        let mut wanted = sum(&message);
        // Sound is counted for the bill; nobody is told of it in another dialect.
        wanted.usage =
            Usage { audio_input: None, audio_output: None, cache_write_1h: None, suspect: false, ..wanted.usage };
        wanted.id.get_or_insert_with(|| "chatcmpl-x1".into());
        wanted.model.get_or_insert_with(|| "asked".into());
        for (index, call) in wanted.calls.iter_mut().enumerate() {
            call.0.get_or_insert_with(|| format!("call_x1_{index}"));
        }
        let proofs =
            |message: &Message| message.blocks.iter().filter_map(|block| block.signature.clone()).collect::<String>();
        for delivery in [Delivery::Whole, Delivery::Streamed] {
            let again = said_again(stream, body, delivery);
            let found = sum(&again);
            match found == wanted && proofs(&again) == proofs(&message) {
                true => same += 1,
                false => different.push(format!("{} {delivery:?}:\n {wanted:?}\n {found:?}", path.display())),
            }
        }
    }
    println!("said again: {same} the same, {} different", different.len());
    assert!(different.is_empty(), "{} differ:\n{}", different.len(), different.join("\n"));
}

#[test]
fn a_stream_that_was_cut_is_an_error() {
    let mut cuts = 0;
    for (path, recording) in recordings() {
        let Some(stream) = recording["response"]["sse_text"].as_str() else { continue };
        let frames = frames(stream);
        let Some(end) = frames.iter().position(|(name, data)| ChatCompletions.is_end(name, data)) else { continue };
        for length in [0, 1, end / 2, end].into_iter().filter(|length| *length <= end) {
            let cut = fold(&frames[..length], None);
            assert!(failure(&cut).is_some(), "{} cut after {length} of {end}", path.display());
            cuts += 1;
        }
    }
    println!("cut streams: {cuts}");
}
