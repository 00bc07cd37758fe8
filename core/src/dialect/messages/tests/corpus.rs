//! The recordings of real clients and real providers, where they are at hand.

use super::*;
use crate::catalog::Operation;
use crate::hub::event::{ErrorClass, StopReason};
use crate::hub::message::{End, Said, SaidKind};
use crate::json::Text;
use crate::loss::Losses;
use std::path::{Path, PathBuf};

mod others;

/// The folder of the recordings, or none when it isn't there.
fn open() -> Option<PathBuf> {
    let open = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus/open");
    if !open.is_dir() {
        println!("skipped: no recordings beside the repository");
        return None;
    }
    Some(open)
}

fn files(folder: PathBuf) -> impl Iterator<Item = PathBuf> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

/// The recordings of an API, whoever provides it.
fn of_api(api: &str) -> impl Iterator<Item = (String, Value)> {
    let providers: Vec<_> = open().into_iter().flat_map(files).collect();
    let folders: Vec<_> = providers.into_iter().map(|provider| provider.join(api)).collect();
    folders.into_iter().flat_map(files).map(|path| {
        let text = std::fs::read_to_string(&path).unwrap();
        (path.file_name().unwrap().to_string_lossy().into_owned(), value(&text))
    })
}

/// The recordings of this dialect. A cloud that serves many dialects at one path tells this one by a member of its own.
fn recordings() -> Vec<(String, Value)> {
    let body = |recording: &Value| recording["request"]["body"].as_str().map(value).unwrap_or_default();
    let of_cloud = of_api("bedrock.invoke").filter(|(_, recording)| body(recording).get("anthropic_version").is_some());
    of_api("anthropic.messages").chain(of_cloud).collect()
}

/// The text of a recorded answer as frames; the events of an event stream are taken out of their frames.
enum Recorded {
    Whole(String),
    Stream(Vec<(String, String)>),
}

fn recorded(response: &Value) -> Option<Recorded> {
    if let Some(stream) = response["sse_text"].as_str() {
        let events = frames(stream).into_iter().map(|frame| match frame {
            Frame::Event { name, data } => (name.to_string(), data.to_string()),
            Frame::Whole(_) => unreachable!(),
        });
        return Some(Recorded::Stream(events.collect()));
    }
    let body = response["body"].as_str()?;
    match response["body_encoding"].as_str() {
        Some("base64") => Some(Recorded::Stream(event_stream(&super::super::base64::decoded(body).unwrap()))),
        _ => Some(Recorded::Whole(body.to_string())),
    }
}

/// Event type and payload of every frame: lengths of all and of the headers, a checksum, headers, payload, a checksum.
fn event_stream(mut bytes: &[u8]) -> Vec<(String, String)> {
    let mut events = Vec::new();
    while bytes.len() > 16 {
        let length = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        let (all, headers) = (length(0), length(4));
        let data = String::from_utf8(bytes[12 + headers..all - 4].to_vec()).unwrap();
        events.push(("chunk".to_string(), data));
        bytes = &bytes[all..];
    }
    events
}

impl Recorded {
    fn frames(&self) -> Vec<Frame<'_>> {
        match self {
            Recorded::Whole(body) => vec![Frame::Whole(Json::parse(body.as_bytes()).unwrap())],
            Recorded::Stream(events) => events.iter().map(|(name, data)| Frame::Event { name, data }).collect(),
        }
    }
}

/// What clients and coding agents send, each by the name of its file.
fn agents() -> Vec<(String, Value)> {
    let agents = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus/agents");
    let mut sent = Vec::new();
    for path in files(agents).filter(|path| path.extension().is_some_and(|kind| kind == "jsonl")) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(path).unwrap();
        sent.extend(text.lines().map(|line| (name.clone(), value(line))));
    }
    sent
}

fn bodies() -> Vec<(String, String)> {
    let recorded = recordings().into_iter();
    let mut bodies: Vec<_> = recorded
        .filter_map(|(name, recording)| Some((name, recording["request"]["body"].as_str()?.to_string())))
        .collect();
    for (name, sent) in agents() {
        let text = |member: &str| sent[member].as_str().unwrap_or_default();
        let endpoint = Messages.endpoint(text("method"), text("path"));
        if endpoint.is_some_and(|endpoint| endpoint.is_ok_and(|endpoint| endpoint.operation == Operation::Generate)) {
            bodies.push((name, text("body").to_string()));
        }
    }
    bodies
}

#[test]
fn every_recorded_request_is_written_as_it_was_read() {
    let (mut same, mut without_model) = (0, 0);
    for (name, body) in bodies() {
        let mut expected = value(&body);
        // Clouds say the model in the path.
        let in_body = expected.get("model").is_some();
        without_model += usize::from(!in_body);
        let model = (!in_body).then(|| "m".to_string());
        let endpoint = Endpoint { model, ..Endpoint::generate(DialectId::Messages) };
        let read = Messages.read_request(&endpoint, Json::parse(body.as_bytes()).unwrap());
        let request = read.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        let written =
            Messages.write_request(&request, Addressee { model: "another", output_limit: 64, ..Addressee::default() });
        expected["model"] = "another".into();
        assert_eq!(value(&written.body), expected, "{name}");
        assert_eq!(written.losses, Losses::default(), "{name}");
        same += 1;
    }
    println!("identity: {same} the same, {without_model} of them without a model");
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
        let Some(recorded) = recorded(response) else { continue };
        let message = fold(recorded.frames(), Aliases::default());
        let found = differences(&message, &recording["expect"]);
        match found.is_empty() {
            true => agree += 1,
            false => other.push(format!("{name}: {}", found.join("; "))),
        }
    }
    println!("answers: {agree} agree, {} do not:\n{}", other.len(), other.join("\n"));
    assert!(other.is_empty());
}

fn compact(block: &Said) -> Said {
    match block.kind {
        SaidKind::Other => Said { text: value(&block.text).to_string(), ..block.clone() },
        _ => block.clone(),
    }
}

#[test]
fn every_recorded_answer_is_said_again_the_same_whole_and_streamed() {
    let mut count = 0;
    for (name, recording) in recordings() {
        if recording["response"]["status"] != 200 {
            continue;
        }
        let Some(recorded) = recorded(&recording["response"]) else { continue };
        let message = fold(recorded.frames(), Aliases::default());
        let as_whole = super::answers::again(&recorded.frames(), Delivery::Whole);
        let as_stream = super::answers::again(&recorded.frames(), Delivery::Streamed);
        // A block that only this dialect has is said on one line in a stream.
        let blocks = |message: &Message| message.blocks.iter().map(compact).collect::<Vec<_>>();
        assert_eq!(blocks(&as_whole), blocks(&as_stream), "{name}");
        assert_eq!(blocks(&as_whole), blocks(&message), "{name}");
        assert_eq!((&as_whole.end, as_whole.usage), (&as_stream.end, as_stream.usage), "{name}");
        assert_eq!((&as_whole.end, as_whole.usage.input), (&message.end, message.usage.input), "{name}");
        assert_eq!(as_whole.usage.output, message.usage.output, "{name}");
        count += 1;
    }
    println!("said again: {count}, whole and streamed");
}

#[test]
fn the_tap_and_the_reader_find_the_same_usage() {
    for (name, recording) in recordings() {
        if recording["response"]["status"] != 200 || recording["response"]["body_encoding"] == "base64" {
            continue;
        }
        let Some(recorded) = recorded(&recording["response"]) else { continue };
        let mut usage = crate::usage::Usage::default();
        for frame in recorded.frames() {
            match frame {
                Frame::Whole(body) => usage.update(USAGE.read(body)),
                Frame::Event { data, .. } if data.contains(USAGE.marker) => {
                    usage.update(Json::parse(data.as_bytes()).map(|data| USAGE.read(data)).unwrap_or_default());
                }
                Frame::Event { .. } => {}
            }
        }
        assert_eq!(usage, fold(recorded.frames(), Aliases::default()).usage, "{name}");
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
    let mut count = 0;
    for (name, recording) in recordings() {
        let response = &recording["response"];
        let status = response["status"].as_u64().unwrap() as u16;
        if status < 400 {
            continue;
        }
        let text = response["body"].as_str().or(response["sse_text"].as_str()).unwrap_or_default();
        let error = Messages.read_error(status, text.as_bytes());
        let expect = &recording["expect"];
        let word = |name: &str| expect[name].as_str().unwrap_or_default();
        assert_eq!(error.status, status, "{name}");
        assert_eq!(error.code, word("error_type"), "{name}");
        assert_eq!(error.message, word("error_message"), "{name}");
        let class = match (word("error_type"), status) {
            _ if error.message.starts_with("prompt is too long") => ErrorClass::ContextTooLong,
            _ if error.message.contains("credit balance") => ErrorClass::QuotaExhausted,
            ("invalid_request_error", _) => ErrorClass::InvalidRequest,
            ("authentication_error", _) => ErrorClass::Authentication,
            ("not_found_error", _) => ErrorClass::NotFound,
            ("", 503) => ErrorClass::Overloaded,
            other => panic!("{name}: {other:?}"),
        };
        assert_eq!(error.class, class, "{name}");
        let mut out = Writer::new();
        Messages.write_error(&ClientError::of_provider(&error), &mut out);
        let told = value(out.as_str());
        assert_eq!(told["error"]["message"], word("error_message"), "{name}");
        let same = error.code.is_empty() || class == ErrorClass::QuotaExhausted || told["error"]["type"] == *error.code;
        assert!(same, "{name}: {told}");
        count += 1;
    }
    println!("errors: {count}");
}

#[test]
fn every_known_shape_of_an_error_has_its_class() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus/errors_supplement.json");
    let Ok(text) = std::fs::read_to_string(path) else { return println!("skipped: no shapes beside the repository") };
    for case in value(&text)["cases"].as_array().unwrap().iter().filter(|case| case["api"] == "anthropic.messages") {
        let class = match (case["status"].as_u64(), case["sse_text"].as_str()) {
            (Some(status), None) => Messages.read_error(status as u16, case["body"].to_string().as_bytes()).class,
            (_, Some(stream)) => match streamed(stream).end {
                End::Failed(error) => error.class,
                end => panic!("{end:?}"),
            },
            _ => panic!("{case}"),
        };
        let wanted = match case["status"].as_u64() {
            Some(429) => ErrorClass::RateLimited,
            Some(500) => ErrorClass::Provider,
            _ => ErrorClass::Overloaded,
        };
        assert_eq!(class, wanted, "{case}");
    }
}
