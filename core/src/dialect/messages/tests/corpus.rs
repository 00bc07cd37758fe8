//! The recordings of real clients and real providers, where they are at hand.

use super::*;
use crate::hub::event::StopReason;
use crate::hub::message::{End, SaidKind};
use crate::json::Text;
use std::path::{Path, PathBuf};

/// The recordings of this dialect, or none when the folder isn't there.
fn recordings() -> Vec<(String, Value)> {
    let open = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus/open");
    let Ok(providers) = std::fs::read_dir(&open) else {
        println!("skipped: no recordings beside the repository");
        return Vec::new();
    };
    let files = |folder: PathBuf| std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let all = providers.flatten().flat_map(|provider| files(provider.path().join("anthropic.messages")));
    all.map(|path| {
        let text = std::fs::read_to_string(&path).unwrap();
        (path.file_name().unwrap().to_string_lossy().into_owned(), value(&text))
    })
    .collect()
}

fn bodies() -> Vec<(String, String)> {
    let recorded = recordings().into_iter();
    let mut bodies: Vec<_> = recorded
        .filter_map(|(name, recording)| Some((name, recording["request"]["body"].as_str()?.to_string())))
        .collect();
    let agents = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus/agents");
    for entry in std::fs::read_dir(agents).into_iter().flatten().flatten() {
        for line in std::fs::read_to_string(entry.path()).unwrap_or_default().lines() {
            let Ok(sent) = serde_json::from_str::<Value>(line) else { continue };
            let path = sent["path"].as_str().unwrap_or_default();
            if let (Some(_), Some(body)) = (Messages.endpoint(path), sent["body"].as_str()) {
                bodies.push((entry.file_name().to_string_lossy().into_owned(), body.to_string()));
            }
        }
    }
    bodies
}

#[test]
fn every_recorded_request_is_written_as_it_was_read() {
    let (mut same, mut without_model) = (0, 0);
    for (name, body) in bodies() {
        let mut expected = value(&body);
        if expected.get("model").is_none() {
            // Vertex says the model in the path: not this endpoint.
            assert_eq!(read(&body).unwrap_err(), ReadError::new("model", "is missing"));
            without_model += 1;
            continue;
        }
        let request = read(&body).unwrap_or_else(|error| panic!("{name}: {error:?}"));
        let written = Messages.write_request(&request, Addressee { model: "another", output_limit: 64 });
        expected["model"] = "another".into();
        assert_eq!(value(&written.body), expected, "{name}");
        assert_eq!(written.dropped, Vec::<String>::new(), "{name}");
        same += 1;
    }
    println!("identity: {same} the same, {without_model} without a model");
}

/// Where what was understood differs from the recording's independent reading.
fn differences(message: &Message, expect: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let said = |kind: SaidKind| -> String {
        let blocks = message.blocks.iter().filter(|block| block.kind == kind);
        blocks.map(|block| Text::escaped(&block.text).decode().into_owned()).collect()
    };
    let mut check = |what: &str, got: Value, wanted: &Value| {
        if got != *wanted {
            found.push(format!("{what}: {got} for {wanted}"));
        }
    };
    check("text", said(SaidKind::Text).into(), expect.get("text").unwrap_or(&Value::from("")));
    let calls = message.blocks.iter().filter_map(|block| match &block.kind {
        SaidKind::ToolCall { id, name } => {
            let arguments = Text::escaped(&block.text).decode();
            Some(serde_json::json!({"id": id, "name": name, "arguments": value(&arguments)}))
        }
        _ => None,
    });
    let empty = Value::Array(Vec::new());
    check("calls", calls.collect(), expect.get("tool_calls").unwrap_or(&empty));
    if let Some(reasoning) = expect.get("reasoning").filter(|reasoning| reasoning.is_string()) {
        check("reasoning", said(SaidKind::Thinking).into(), reasoning);
    }
    let finish = match message.stop_reason() {
        Some(StopReason::End | StopReason::Sequence) => "stop",
        Some(StopReason::ToolCalls) => "tool_calls",
        Some(StopReason::Length) => "length",
        Some(StopReason::Refused) => "refusal",
        Some(StopReason::Paused) => "pause",
        _ => "none",
    };
    check("finish", finish.into(), &expect["finish_reason"]);
    let usage = &expect["usage"];
    let number = |count: Option<u64>| count.map_or(Value::Null, Value::from);
    check("input", number(message.usage.input), &usage["input_total"]);
    check("output", number(message.usage.output), &usage["output_total"]);
    for (name, count) in [("cache_read", message.usage.cache_read), ("cache_write", message.usage.cache_write)] {
        if let Some(wanted) = usage.get(name) {
            check(name, count.unwrap_or(0).into(), &wanted.as_u64().unwrap_or(0).into());
        }
    }
    found
}

#[test]
fn every_recorded_answer_is_understood() {
    let (mut agree, mut other) = (0, Vec::new());
    for (name, recording) in recordings() {
        let response = &recording["response"];
        if response["status"] != 200 {
            continue;
        }
        let message = match (response["sse_text"].as_str(), response["body"].as_str()) {
            (Some(stream), _) => streamed(stream),
            (None, Some(body)) => whole(body.as_bytes()),
            (None, None) => continue,
        };
        let found = differences(&message, &recording["expect"]);
        match found.is_empty() {
            true => agree += 1,
            false => other.push(format!("{name}: {}", found.join("; "))),
        }
    }
    println!("answers: {agree} agree, {} do not:\n{}", other.len(), other.join("\n"));
    assert!(other.is_empty());
}

#[test]
fn every_recorded_answer_is_said_again_the_same_whole_and_streamed() {
    for (name, recording) in recordings() {
        let Some(stream) = recording["response"]["sse_text"].as_str() else { continue };
        let message = streamed(stream);
        let as_whole = super::answers::again(&frames(stream), Delivery::Whole);
        let as_stream = super::answers::again(&frames(stream), Delivery::Streamed);
        assert_eq!(as_whole, as_stream, "{name}");
        assert_eq!(as_whole.blocks, message.blocks, "{name}");
        assert_eq!(as_whole.end, message.end, "{name}");
    }
}

#[test]
fn every_recorded_stream_cut_short_is_an_error() {
    for (name, recording) in recordings() {
        let Some(stream) = recording["response"]["sse_text"].as_str() else { continue };
        let frames = frames(stream);
        let Some(end) = frames
            .iter()
            .position(|frame| matches!(frame, Frame::Event { data, .. } if data.contains("stop_reason\":\"")))
        else {
            continue;
        };
        for length in [0, 1, end / 2, end] {
            let cut = fold(frames.iter().take(length).copied(), Aliases::default());
            assert!(matches!(cut.end, End::Failed(_)), "{name} cut after {length}");
        }
    }
}

#[test]
fn every_recorded_error_keeps_its_status_and_type() {
    for (name, recording) in recordings() {
        let response = &recording["response"];
        let status = response["status"].as_u64().unwrap() as u16;
        if status < 400 {
            continue;
        }
        let text = response["body"].as_str().or(response["sse_text"].as_str()).unwrap_or_default();
        let error = Messages.read_error(status, text.as_bytes());
        let sent = value(text);
        assert_eq!(error.status, status, "{name}");
        assert_eq!(error.code, sent["error"]["type"].as_str().unwrap_or_default(), "{name}");
        assert_eq!(error.message, sent["error"]["message"].as_str().unwrap_or_default(), "{name}");
        let mut out = Writer::new();
        Messages.write_error(&ClientError::of_provider(&error), &mut out);
        let told = value(out.as_str());
        assert_eq!(told["error"]["message"], sent["error"]["message"], "{name}");
        let empty_account = error.message.contains("credit balance");
        assert!(empty_account || told["error"]["type"] == sent["error"]["type"], "{name}: {told}");
    }
}
