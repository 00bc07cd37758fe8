//! What the dialect promises, with the words of the wire beside it.

use super::*;
use crate::dialect::Frame;
use crate::hub::{Event, Message, Sequencer};
use serde_json::Value;

mod answers;
mod corpus;
mod endpoints;
mod errors;
mod foreign;
mod requests;

/// Reads a request of this dialect.
fn read(body: &str) -> Result<Request<'_>, ReadError> {
    Messages.read_request(&Endpoint::generate(DialectId::Messages), Json::parse(body.as_bytes()).unwrap())
}

fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Reads frames to the end of the bytes.
fn fold<'f>(frames: impl IntoIterator<Item = Frame<'f>>, aliases: Aliases) -> Message {
    let mut reader = Messages.reader(aliases);
    let mut sequencer = Sequencer::new();
    let mut message = Message::default();
    let mut emit = |event: Event<'_>| message.push(&event);
    for frame in frames {
        reader.read(frame, &mut |piece| sequencer.push(piece, &mut emit));
    }
    sequencer.finish(&mut emit);
    message
}

/// The events of a stream whose framing is simple: one `data:` line each.
fn frames(stream: &str) -> Vec<Frame<'_>> {
    let mut name = "";
    let mut frames = Vec::new();
    for line in stream.lines() {
        if let Some(word) = line.strip_prefix("event:") {
            name = word.trim();
        } else if let Some(data) = line.strip_prefix("data:") {
            frames.push(Frame::Event { name, data: data.trim_start() });
            name = "";
        }
    }
    frames
}

fn whole(body: &[u8]) -> Message {
    fold([Frame::Whole(Json::parse(body).unwrap())], Aliases::default())
}

fn streamed(stream: &str) -> Message {
    fold(frames(stream), Aliases::default())
}

#[test]
fn the_last_event_is_the_end() {
    assert!(Messages.is_end("message_stop", r#"{"type":"message_stop"}"#));
    assert!(Messages.is_end("", r#"{ "type" : "message_stop" }"#));
    assert!(!Messages.is_end("", r#"{"type":"content_block_delta","delta":{"text":"message_stop"}}"#));
    assert!(!Messages.is_end("error", "{}"));
}
