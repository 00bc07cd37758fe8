//! Recorded answers of other dialects, written in this one and read again: nothing that both have words for may change.

use super::*;
use crate::dialect::of;
use crate::hub::StopReason;
use crate::hub::message::{End, SaidKind};
use crate::json::Text;
use serde_json::Value;

/// The answers of a dialect that came with status 200.
fn answers(api: &str) -> Vec<Recording> {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/corpus/open"));
    let mut found = Vec::new();
    for provider in std::fs::read_dir(&root).into_iter().flatten().flatten() {
        for file in std::fs::read_dir(provider.path().join(api)).into_iter().flatten().flatten() {
            let json = value(&std::fs::read_to_string(file.path()).unwrap());
            if json["response"]["status"] == 200 {
                found.push(Recording { id: json["id"].as_str().unwrap().to_string(), json });
            }
        }
    }
    found
}

/// The frames of a recorded stream as (name, data).
fn named_events(stream: &str) -> Vec<(String, String)> {
    let stream = stream.replace("\r\n", "\n");
    let event = |event: &str| {
        let field = |field: &str| -> String {
            let lines = event.lines().filter_map(|line| line.strip_prefix(field));
            lines.map(|line| line.trim_start().to_string()).collect::<Vec<_>>().join("\n")
        };
        (field("event:"), field("data:"))
    };
    stream.split("\n\n").map(event).filter(|(_, data)| !data.is_empty()).collect()
}

/// Reads an answer of a dialect: what it adds up to, and itself written in this dialect.
fn again(dialect: DialectId, recording: &Recording, delivery: Delivery) -> (Message, String) {
    let response = &recording.json["response"];
    let request = Request::new(DialectId::GenerateContent, delivery);
    let reply = Reply { delivery, exchange: "x".into(), created: 1, model: "m".into() };
    let mut writer = GenerateContent.writer(&request, reply);
    let mut out = Vec::new();
    let mut message = Message::default();
    let mut reader = of(dialect).reader(Aliases::default());
    let mut sequencer = Sequencer::new();
    let mut emit = |event: Event<'_>| {
        message.push(&event);
        writer.write(&event, &mut out);
    };
    match (response["sse_text"].as_str(), response["body"].as_str()) {
        (Some(stream), _) => {
            for (name, data) in named_events(stream) {
                let frame = Frame::Event { name: &name, data: &data };
                reader.read(frame, &mut |piece: Piece<'_>| sequencer.push(piece, &mut emit));
            }
        }
        (None, body) => {
            if let Ok(json) = Json::parse(body.unwrap_or_default().as_bytes()) {
                reader.read(Frame::Whole(json), &mut |piece: Piece<'_>| sequencer.push(piece, &mut emit));
            }
        }
    }
    sequencer.finish(&mut emit);
    (message, String::from_utf8(out).unwrap())
}

/// What both dialects have words for.
fn meaning(message: &Message) -> Value {
    let decoded = |text: &str| Text::escaped(text).decode().into_owned();
    let words = |kinds: &[SaidKind]| -> String {
        let blocks = message.blocks.iter().filter(|block| kinds.contains(&block.kind));
        blocks.map(|block| decoded(&block.text)).collect()
    };
    let calls = message.blocks.iter().filter_map(|block| match &block.kind {
        SaidKind::ToolCall { id, name } => {
            let arguments = decoded(&block.text);
            // Nothing, and the word for it, are no arguments.
            let arguments = if matches!(arguments.trim(), "" | "null") { "{}" } else { &arguments };
            Some(serde_json::json!([id.as_deref().map(decoded), decoded(name), value(arguments)]))
        }
        _ => None,
    });
    let refused = message.blocks.iter().any(|block| block.kind == SaidKind::Refusal);
    let stop = match message.stop_reason() {
        _ if refused => "refused",
        Some(StopReason::End | StopReason::Sequence) => "end",
        Some(StopReason::ToolCalls) => "calls",
        Some(StopReason::Length) => "length",
        Some(StopReason::Refused) => "refused",
        Some(StopReason::MalformedCall) => "malformed",
        Some(StopReason::Paused | StopReason::Other) => "other",
        None => "error",
    };
    let usage = &message.usage;
    let reasoning = usage.reasoning.unwrap_or(0);
    serde_json::json!({
        "text": words(&[SaidKind::Text, SaidKind::Refusal]),
        "thoughts": words(&[SaidKind::Thinking]),
        "calls": calls.collect::<Vec<_>>(),
        "stop": stop,
        "usage": [usage.input.unwrap_or(0), usage.cache_read.unwrap_or(0), usage.output.unwrap_or(0).max(reasoning), reasoning],
    })
}

/// Whether every call's arguments are an object, which is all that this dialect can say.
fn sayable(message: &Message) -> bool {
    message.blocks.iter().all(|block| match block.kind {
        SaidKind::ToolCall { .. } => crate::hub::Arguments::Encoded(Text::escaped(&block.text)).object().is_some(),
        _ => true,
    })
}

#[test]
fn recorded_answers_of_others_come_back() {
    let (mut same, mut unsayable, mut failed) = (0, 0, 0);
    for (dialect, api) in [
        (DialectId::Messages, "anthropic.messages"),
        (DialectId::ChatCompletions, "openai.chat"),
        (DialectId::ChatCompletions, "mistral.chat"),
        (DialectId::ChatCompletions, "groq.chat"),
    ] {
        for recording in answers(api) {
            let (message, whole) = again(dialect, &recording, Delivery::Whole);
            let (_, stream) = again(dialect, &recording, Delivery::Streamed);
            let streamed = fold_events(&events(&stream));
            if let End::Failed(_) = message.end {
                assert!(whole.is_empty() && matches!(streamed.end, End::Failed(_)), "{}", recording.id);
                failed += 1;
                continue;
            }
            if !sayable(&message) {
                let ends = match message.stop_reason() {
                    Some(StopReason::Length) => "\"MAX_TOKENS\"",
                    _ => "\"MALFORMED_FUNCTION_CALL\"",
                };
                assert!(whole.contains(ends) && stream.contains(ends), "{}", recording.id);
                unsayable += 1;
                continue;
            }
            assert_eq!(meaning(&fold_whole(&whole)), meaning(&streamed), "{}", recording.id);
            assert_eq!(meaning(&streamed), meaning(&message), "{}", recording.id);
            same += 1;
        }
    }
    if same + failed == 0 {
        return println!("skipped: no recordings beside the repository");
    }
    println!("{same} answers of others came back, {unsayable} had calls that cannot be said, {failed} were errors");
}
