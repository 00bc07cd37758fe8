//! The laws on recorded traffic: identity of requests, and answers as an independent reader understood them.

use super::*;
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

/// Requests that are wrong on purpose, by what is wrong with them.
const REFUSED: [&str; 1] = ["model"];

#[test]
fn a_request_is_written_as_it_was_read() {
    let (mut same, mut refused, mut different) = (0, 0, Vec::new());
    for (path, recording) in recordings() {
        let Some(body) = recording["request"]["body"].as_str() else { continue };
        let wanted = value(body);
        let request = match read(body) {
            Ok(request) => request,
            Err(error) if REFUSED.contains(&error.param.as_str()) => {
                refused += 1;
                continue;
            }
            Err(error) => {
                different.push(format!("{}: {error:?}", path.display()));
                continue;
            }
        };
        let model = wanted["model"].as_str().unwrap();
        let written = write(&request, model);
        match value(&written.body) == wanted && written.dropped.is_empty() {
            true => same += 1,
            false => different.push(format!("{}\n  {body}\n  {}", path.display(), written.body)),
        }
    }
    println!("identity: {same} same, {refused} refused, {} different", different.len());
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

#[test]
fn an_error_body_is_understood() {
    for (path, recording) in recordings() {
        let response = &recording["response"];
        let (Some(status), Some(body)) = (response["status"].as_u64(), response["body"].as_str()) else { continue };
        if status < 400 {
            continue;
        }
        let error = ChatCompletions.read_error(status as u16, body.as_bytes());
        let expected = recording["expect"]["error_message"].as_str().unwrap_or_default();
        let expected: String = expected.chars().take(100).collect();
        assert!(!error.message.is_empty() || expected.is_empty(), "{}: {body}", path.display());
        assert_eq!(u64::from(error.status), status, "{}", path.display());
    }
}
