//! The recordings of real clients and the real service, where they are at hand.

use super::*;
use crate::framing::EventStream;
use crate::hub::event::StopReason;
use crate::hub::message::{End, SaidKind};
use crate::json::Text;
use std::path::Path;

/// The recordings of this dialect, or none when the folder isn't there.
fn recordings() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus/open/bedrock/bedrock.converse");
    let Ok(files) = std::fs::read_dir(&folder) else {
        println!("skipped: no recordings beside the repository");
        return Vec::new();
    };
    let mut recordings: Vec<_> = files
        .flatten()
        .map(|file| {
            let text = std::fs::read_to_string(file.path()).unwrap();
            (file.file_name().to_string_lossy().into_owned(), value(&text))
        })
        .collect();
    recordings.sort_by(|one, two| one.0.cmp(&two.0));
    recordings
}

/// The bytes that base64 stands for.
fn decoded(base64: &str) -> Vec<u8> {
    let letter = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let letters: Vec<u8> = base64.bytes().filter(|byte| !matches!(byte, b'=' | b'\n')).map(letter).collect();
    let group = |group: &[u8]| {
        let bits = group.iter().fold(0u32, |bits, letter| (bits << 6) | u32::from(*letter)) << (6 * (4 - group.len()));
        bits.to_be_bytes()[1..group.len()].to_vec()
    };
    letters.chunks(4).flat_map(group).collect()
}

/// The bytes of a recorded stream.
fn stream_of(recording: &Value) -> Option<Vec<u8>> {
    let response = &recording["response"];
    (response["body_encoding"] == "base64")
        .then(|| decoded(response["body"].as_str().or(response["sse_text"].as_str()).unwrap_or_default()))
}

fn events_of<'c>(chunks: impl Iterator<Item = &'c [u8]>) -> Vec<(String, String)> {
    let (mut stream, mut events) = (EventStream::default(), Vec::new());
    for chunk in chunks {
        let mut each =
            |name: &str, data: &[u8]| events.push((name.to_string(), String::from_utf8(data.to_vec()).unwrap()));
        stream.push(chunk, &mut each).unwrap();
    }
    assert!(stream.is_clean());
    events
}

fn frames(events: &[(String, String)]) -> impl Iterator<Item = Frame<'_>> {
    events.iter().map(|(name, data)| Frame::Event { name, data })
}

/// A recorded answer, read.
fn answer(recording: &Value) -> Option<(Message, Vec<&'static str>)> {
    if recording["response"]["status"] != 200 {
        return None;
    }
    if let Some(bytes) = stream_of(recording) {
        let events = events_of([bytes.as_slice()].into_iter());
        return Some(fold_noting(frames(&events), Aliases::default()));
    }
    let body = recording["response"]["body"].as_str()?;
    Some(fold_noting([Frame::Whole(Json::parse(body.as_bytes()).unwrap())], Aliases::default()))
}

/// Where what was understood differs from the recording's independent reading.
fn differences(message: &Message, lost: &[&str], expect: &Value) -> Vec<String> {
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
    check("text", said(SaidKind::Text).into(), &expect["text"]);
    if let Some(reasoning) = expect.get("reasoning_text").filter(|reasoning| reasoning.is_string()) {
        check("reasoning", said(SaidKind::Thinking).into(), reasoning);
    }
    let calls = message.blocks.iter().filter_map(|block| match &block.kind {
        SaidKind::ToolCall { id, name } => {
            let arguments = value(&Text::escaped(&block.text).decode());
            Some(serde_json::json!({"id": id, "name": name, "arguments": arguments}))
        }
        _ => None,
    });
    let calls: Vec<Value> = calls.collect();
    let mut wanted = expect["tool_calls"].as_array().cloned().unwrap_or_default();
    if lost.contains(&"server_tools") {
        // The independent reading counts what the provider ran itself as a call; a client must not run it again.
        wanted.retain(|call| calls.iter().any(|known| known["id"] == call["id"]));
    }
    check("calls", calls.into(), &wanted.into());
    let finish = match message.stop_reason() {
        Some(StopReason::End | StopReason::Sequence) => "stop",
        Some(StopReason::ToolCalls) => "tool_calls",
        Some(StopReason::Length) => "length",
        Some(StopReason::Refused) => "content_filter",
        _ => "none",
    };
    check("finish", finish.into(), &expect["finish_reason"]);
    let usage = &expect["usage"];
    let number = |count: Option<u64>| count.map_or(Value::Null, Value::from);
    check("input", number(message.usage.input), &usage["input_total"]);
    check("output", number(message.usage.output), &usage["output_total"]);
    for (name, count) in [("cache_read", message.usage.cache_read), ("cache_write", message.usage.cache_write)] {
        check(name, number(count), &usage[name]);
    }
    found
}

#[test]
fn every_recorded_answer_is_understood() {
    let (mut agree, mut server_tools, mut other) = (0, Vec::new(), Vec::new());
    for (name, recording) in recordings() {
        let Some((message, lost)) = answer(&recording) else { continue };
        if lost.contains(&"server_tools") {
            server_tools.push(name.clone());
        }
        match differences(&message, &lost, &recording["expect"]) {
            found if found.is_empty() => agree += 1,
            found => other.push(format!("{name}: {}", found.join("; "))),
        }
    }
    println!("answers: {agree} agree ({} of them with server tools left out: {server_tools:?})", server_tools.len());
    println!("{} do not:\n{}", other.len(), other.join("\n"));
    assert!(other.is_empty());
}

#[test]
fn every_recorded_stream_is_framed_the_same_however_it_is_cut() {
    let (mut streams, mut frames) = (0, 0);
    for (name, recording) in recordings() {
        let Some(bytes) = stream_of(&recording) else { continue };
        let events = events_of([bytes.as_slice()].into_iter());
        for size in [1, 2, 3, 7, 11, 12, 13, 64, 1000] {
            assert_eq!(events_of(bytes.chunks(size)), events, "{name} in pieces of {size}");
        }
        streams += 1;
        frames += events.len();
    }
    println!("{streams} streams, {frames} frames");
}

#[test]
fn every_recorded_stream_cut_short_is_an_error() {
    for (name, recording) in recordings() {
        let Some(bytes) = stream_of(&recording) else { continue };
        let events = events_of([bytes.as_slice()].into_iter());
        let end = events.iter().position(|(name, _)| name == END).unwrap();
        for length in 0..=end {
            let (cut, _) = fold_noting(frames(&events[..length]), Aliases::default());
            assert!(matches!(cut.end, End::Failed(_)), "{name} cut after {length}");
        }
    }
}

#[test]
fn the_tap_finds_the_counts_of_every_recorded_stream() {
    for (name, recording) in recordings() {
        let Some(bytes) = stream_of(&recording) else { continue };
        let events = events_of([bytes.as_slice()].into_iter());
        let mut tapped = crate::usage::Usage::default();
        for (_, data) in events.iter().filter(|(_, data)| data.contains(Converse.usage().marker)) {
            tapped.update(Converse.usage().read(Json::parse(data.as_bytes()).unwrap()));
        }
        assert_eq!(tapped, fold(frames(&events)).usage, "{name}");
    }
}

#[test]
fn every_recorded_error_keeps_its_status_and_message() {
    let mut errors = 0;
    for (name, recording) in recordings() {
        let response = &recording["response"];
        let status = response["status"].as_u64().unwrap() as u16;
        if status < 400 {
            continue;
        }
        let body = response["body"].as_str().or(response["sse_text"].as_str()).unwrap_or_default();
        let error = Converse.read_error(status, body.as_bytes());
        assert_eq!(
            (error.status, error.message.as_str()),
            (status, value(body)["message"].as_str().unwrap()),
            "{name}"
        );
        println!("{status} {:?} {}", error.class, error.message);
        errors += 1;
    }
    println!("{errors} errors");
}

#[test]
fn every_recorded_model_is_in_the_path() {
    for (name, recording) in recordings() {
        let Some(path) = recording["request"]["path"].as_str() else { continue };
        let Some((model, verb)) = path.strip_prefix("/model/").and_then(|rest| rest.rsplit_once('/')) else { continue };
        let delivery = if verb == "converse" { Delivery::Whole } else { Delivery::Streamed };
        let model = crate::percent::decoded(model).unwrap();
        let written = Converse.path("", &model, delivery);
        // Some clients leave a colon as it is.
        assert_eq!(crate::percent::decoded(&written), crate::percent::decoded(path), "{name}");
    }
}
