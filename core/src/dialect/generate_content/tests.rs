//! The laws for this dialect, on recorded traffic and on cases of our own.

use super::*;
use crate::dialect::Frame;
use crate::hub::event::{Event, Piece};
use crate::hub::{Message, Sequencer};
use std::path::PathBuf;

mod answers;
mod endpoints;
mod errors;
mod foreign_answers;
mod foreign_corpus;
mod replies;
mod requests;

/// A recorded exchange.
struct Recording {
    id: String,
    json: serde_json::Value,
}

/// The recorded exchanges of this dialect; none, with a note, where the recordings are not at hand.
fn recordings() -> Vec<Recording> {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/corpus/open"));
    let Ok(providers) = std::fs::read_dir(&root) else {
        println!("skipped: no recordings at {}", root.display());
        return Vec::new();
    };
    let mut found = Vec::new();
    for provider in providers.flatten() {
        let Ok(files) = std::fs::read_dir(provider.path().join("gemini.generateContent")) else { continue };
        for file in files.flatten() {
            let text = std::fs::read_to_string(file.path()).unwrap();
            let json: serde_json::Value = serde_json::from_str(&text).unwrap();
            found.push(Recording { id: json["id"].as_str().unwrap().to_string(), json });
        }
    }
    assert!(found.len() > 100, "the recordings are there but few");
    found.sort_by(|one, other| one.id.cmp(&other.id));
    found
}

fn endpoint(delivery: Delivery) -> Endpoint {
    let generate = Endpoint::generate(DialectId::GenerateContent);
    Endpoint { model: Some("m".into()), delivery: Some(delivery), ..generate }
}

fn read(body: &str) -> Result<Request<'_>, ReadError> {
    GenerateContent.read_request(&endpoint(Delivery::Whole), Json::parse(body.as_bytes()).unwrap())
}

fn write(request: &Request<'_>) -> Written {
    GenerateContent.write_request(request, Addressee::model("m"))
}

fn value(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The data of the events in a stream; enough of the framing for recordings and for our own output.
fn events(stream: &str) -> Vec<String> {
    let stream = stream.replace("\r\n", "\n");
    let data = |event: &str| {
        let lines = event.lines().filter_map(|line| line.strip_prefix("data:"));
        lines.map(|line| line.trim_start().to_string()).collect::<Vec<_>>().join("\n")
    };
    stream.split("\n\n").map(data).filter(|data| !data.is_empty()).collect()
}

/// What frames add up to.
fn fold(frames: &[Frame<'_>]) -> Message {
    let mut reader = GenerateContent.reader(Aliases::default());
    let mut sequencer = Sequencer::new();
    let mut message = Message::default();
    let mut emit = |event: Event<'_>| message.push(&event);
    for frame in frames {
        reader.read(*frame, &mut |piece: Piece<'_>| sequencer.push(piece, &mut emit));
    }
    sequencer.finish(&mut emit);
    message
}

fn fold_whole(body: &str) -> Message {
    fold(&[Frame::Whole(Json::parse(body.as_bytes()).unwrap())])
}

fn fold_events<T: AsRef<str>>(events: &[T]) -> Message {
    let frames: Vec<_> = events.iter().map(|data| Frame::Event { name: "", data: data.as_ref() }).collect();
    fold(&frames)
}

#[test]
fn the_end_is_the_chunk_that_says_why() {
    let cases = [
        (r#"{"candidates":[{"content":{},"finishReason":"STOP"}]}"#, true),
        (r#"{"candidates":[{"content":{},"finishReason":1}]}"#, true),
        (r#"{"promptFeedback":{"blockReason":"SAFETY"}}"#, true),
        (r#"{"candidates":[{"content":{"parts":[{"text":"\"finishReason\":\"STOP\""}]}}]}"#, false),
        (
            r#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{"finishReason":"STOP"}}}]}}]}"#,
            false,
        ),
        (r#"{"candidates":[{"finishReason":null}]}"#, false),
        (r#"{"candidates":[{"finishReason":"STOP","index":1}]}"#, false),
        (r#"{"error":{"code":503,"message":"finishReason"}}"#, false),
        ("\"finishReason\"", false),
        ("", false),
    ];
    for (data, expected) in cases {
        assert_eq!(GenerateContent.is_end("", data), expected, "{data}");
    }
}
