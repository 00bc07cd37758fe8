//! The recordings of the real provider and of real clients, where they are at hand.

use super::*;
use crate::hub::event::StopReason;
use crate::hub::message::{End, SaidKind};
use crate::hub::{Part, Turn};
use crate::json::Text;
use crate::usage::Usage;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// The recordings of an API, or none when the folder isn't there.
fn recordings(api: &str) -> Vec<(String, Value)> {
    let open = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus/open");
    let Ok(providers) = std::fs::read_dir(&open) else {
        println!("skipped: no recordings beside the repository");
        return Vec::new();
    };
    let files = |folder: PathBuf| std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let all = providers.flatten().flat_map(|provider| files(provider.path().join(api)));
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        (path.file_name().unwrap().to_string_lossy().into_owned(), value(&text))
    };
    all.map(read).collect()
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
    check("text", said(SaidKind::Text).into(), &expect["text"]);
    let calls = message.blocks.iter().filter_map(|block| match &block.kind {
        SaidKind::ToolCall { id, name } => {
            let arguments = Text::escaped(&block.text).decode();
            Some(json!({"id": id, "name": name, "arguments": value(&arguments)}))
        }
        _ => None,
    });
    // `null` for arguments is understood as none.
    let expected = value(&expect["tool_calls"].to_string().replace(r#"{"$unparsed":"null"}"#, "{}"));
    check("calls", calls.collect(), &expected);
    if let Some(reasoning) = expect.get("reasoning_text") {
        check("thoughts", said(SaidKind::Thinking).into(), reasoning);
    }
    let finish = match message.stop_reason() {
        Some(StopReason::End | StopReason::Sequence) => "stop",
        Some(StopReason::ToolCalls) => "tool_calls",
        Some(StopReason::Length) => "length",
        _ => "none",
    };
    check("finish", finish.into(), &expect["finish_reason"]);
    let Usage { input, output, cache_read, reasoning, .. } = message.usage;
    let counts = [("input_total", input), ("output_total", output), ("cache_read", cache_read)];
    for (name, count) in counts {
        check(name, count.map_or(Value::Null, Value::from), &expect["usage"][name]);
    }
    let thought = &expect["usage_raw"]["tokens"]["reasoning_tokens"];
    check("reasoning", reasoning.map_or(Value::Null, Value::from), thought);
    found
}

#[test]
fn every_recorded_answer_is_understood() {
    let (mut agree, mut other, mut vectors) = (0, Vec::new(), 0);
    for (name, recording) in recordings("cohere.chat") {
        let response = &recording["response"];
        if response["status"] != 200 {
            continue;
        }
        let message = match (response["sse_text"].as_str(), response["body"].as_str()) {
            (Some(stream), _) => streamed(stream),
            (None, Some(body)) if value(body).get("embeddings").is_some() => {
                // Vectors that were filed under the wrong name: no answer.
                assert!(matches!(whole(body).end, End::Failed(_)), "{name}");
                vectors += 1;
                continue;
            }
            (None, Some(body)) => whole(body),
            (None, None) => continue,
        };
        let found = differences(&message, &recording["expect"]);
        match found.is_empty() {
            true => agree += 1,
            false => other.push(format!("{name}: {}", found.join("; "))),
        }
    }
    println!("answers: {agree} agree, {} do not, {vectors} are vectors:\n{}", other.len(), other.join("\n"));
    assert!(other.is_empty());
}

#[test]
fn every_recorded_answer_reports_its_citations() {
    let mut cited = 0;
    for (name, recording) in recordings("cohere.chat") {
        let response = &recording["response"];
        let (text, frames_of) = match (response["sse_text"].as_str(), response["body"].as_str()) {
            (Some(stream), _) => (stream, frames(stream)),
            (None, Some(body)) => (body, vec![Frame::Whole(Json::parse(body.as_bytes()).unwrap())]),
            (None, None) => continue,
        };
        let (_, lost) = fold(frames_of, Aliases::default());
        let has = text.contains(r#""sources""#);
        assert_eq!(lost.contains(&"citations"), has, "{name}");
        cited += usize::from(has);
    }
    println!("citations: {cited} reported");
}

#[test]
fn every_recorded_stream_cut_short_is_an_error() {
    let mut cuts = 0;
    for (name, recording) in recordings("cohere.chat") {
        let Some(stream) = recording["response"]["sse_text"].as_str() else { continue };
        let frames = frames(stream);
        let is_last =
            |frame: &Frame<'_>| matches!(frame, Frame::Event { data, .. } if data.contains(r#""type":"message-end""#));
        let Some(end) = frames.iter().position(is_last) else { panic!("{name} has no end") };
        for length in [0, 1, end / 2, end] {
            let (cut, _) = fold(frames.iter().take(length).copied(), Aliases::default());
            assert!(matches!(cut.end, End::Failed(_)), "{name} cut after {length}");
            cuts += 1;
        }
        let (complete, _) = fold(frames.iter().take(end + 1).copied(), Aliases::default());
        assert!(matches!(complete.end, End::Stopped(..)), "{name}");
    }
    println!("cuts: {cuts} noticed");
}

#[test]
fn every_recorded_error_keeps_its_status_and_sentence() {
    let mut errors = 0;
    for api in ["cohere.chat", "cohere.chat_v1", "cohere.embed", "cohere.rerank"] {
        for (name, recording) in recordings(api) {
            let (response, expect) = (&recording["response"], &recording["expect"]);
            let status = response["status"].as_u64().unwrap() as u16;
            if status < 400 {
                continue;
            }
            let error = ChatV2.read_error(status, response["body"].as_str().unwrap_or_default().as_bytes());
            assert_eq!(u64::from(error.status), expect["error_status"], "{name}");
            assert_eq!(error.message, expect["error_message"].as_str().unwrap(), "{name}");
            errors += 1;
        }
    }
    println!("errors: {errors} understood");
}

/// The texts of a conversation with those of results, and the names of the tools that were called.
fn words(turns: &[Turn<'_>]) -> (Vec<String>, Vec<String>) {
    fn collect(part: &Part<'_>, texts: &mut Vec<String>, names: &mut Vec<String>) {
        match part {
            Part::Text { text, .. } | Part::Refusal(text) => texts.push(text.decode().into_owned()),
            Part::ToolCall(call) => names.push(call.name.decode().into_owned()),
            Part::ToolResult(result) => result.content.iter().for_each(|part| collect(part, texts, names)),
            _ => {}
        }
    }
    let (mut texts, mut names) = (Vec::new(), Vec::new());
    turns.iter().flat_map(|turn| &turn.parts).for_each(|part| collect(part, &mut texts, &mut names));
    (texts, names)
}

/// Every string that a document holds, however deep.
fn strings(document: &Value, found: &mut HashSet<String>) {
    match document {
        Value::String(text) => {
            found.insert(text.clone());
        }
        Value::Array(items) => items.iter().for_each(|item| strings(item, found)),
        Value::Object(members) => members.values().for_each(|value| strings(value, found)),
        _ => {}
    }
}

#[test]
fn every_recorded_request_of_another_dialect_keeps_its_words() {
    let sources = [
        ("openai.chat", DialectId::ChatCompletions),
        ("anthropic.messages", DialectId::Messages),
        ("gemini.generateContent", DialectId::GenerateContent),
    ];
    for (api, from) in sources {
        let (mut requests, mut kept) = (0, 0);
        for (name, recording) in recordings(api) {
            let Some(body) = recording["request"]["body"].as_str() else { continue };
            let Ok(json) = Json::parse(body.as_bytes()) else { continue };
            let endpoint = Endpoint { model: Some("m".into()), ..Endpoint::generate(from) };
            let Ok(request) = client(from).read_request(&endpoint, json) else { continue };
            let written = ChatV2.write_request(&request, Addressee::model("another"));
            let document = value(&written.body);
            assert_eq!(document["model"], "another", "{name}");
            let mut said = HashSet::new();
            strings(&document["messages"], &mut said);
            let undo = |name: &String| written.aliases.undo(Text::escaped(name)).decode().into_owned();
            let undone: HashSet<String> = said.iter().map(undo).collect();
            let (texts, names) = words(&request.turns);
            for text in texts.iter().filter(|text| !text.is_empty()) {
                assert!(said.contains(text), "{name}: {text}");
            }
            for tool in &names {
                assert!(undone.contains(tool), "{name}: {tool}");
            }
            requests += 1;
            kept += texts.len() + names.len();
        }
        println!("{api}: {requests} requests, {kept} texts and names kept");
    }
}
