//! What the dialect promises, with the words of the wire beside it.

use super::*;
use crate::catalog::ThinkingStyle;
use crate::dialect::{Endpoint, Frame, client};
use crate::hub::{Event, Message, Sequencer};
use serde_json::{Value, json};

mod answers;
mod corpus;
mod errors;
mod requests;

fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Writes a request of another dialect.
fn written(from: DialectId, body: &str, to: Addressee<'_>) -> Written {
    let body = Json::parse(body.as_bytes()).unwrap();
    let endpoint = Endpoint { model: Some("m".into()), ..Endpoint::generate(from) };
    let request = client(from).read_request(&endpoint, body).unwrap();
    ChatV2.write_request(&request, to)
}

/// Reads frames to the end of the bytes.
fn fold<'f>(frames: impl IntoIterator<Item = Frame<'f>>, aliases: Aliases) -> (Message, Vec<&'static str>) {
    let mut reader = ChatV2.reader(aliases);
    let mut sequencer = Sequencer::new();
    let mut message = Message::default();
    let mut lost = Vec::new();
    let mut emit = |event: Event<'_>| {
        if let Event::Lost(what) = event {
            lost.push(what);
        }
        message.push(&event);
    };
    for frame in frames {
        reader.read(frame, &mut |piece| sequencer.push(piece, &mut emit));
    }
    sequencer.finish(&mut emit);
    (message, lost)
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

fn whole(body: &str) -> Message {
    fold([Frame::Whole(Json::parse(body.as_bytes()).unwrap())], Aliases::default()).0
}

fn streamed(stream: &str) -> Message {
    fold(frames(stream), Aliases::default()).0
}

#[test]
fn it_is_asked_below_the_prefix() {
    assert_eq!(ChatV2.path("/v2", "m", Delivery::Streamed), "/v2/chat");
    assert!(ChatV2.client().is_none());
}

#[test]
fn the_last_event_is_the_end() {
    assert!(ChatV2.is_end("message-end", r#"{"type":"message-end"}"#));
    assert!(ChatV2.is_end("", r#"{ "type" : "message-end" }"#));
    assert!(!ChatV2.is_end("", r#"{"type":"content-delta","delta":{"message":{"content":{"text":"message-end"}}}}"#));
    assert!(!ChatV2.is_end("content-end", "{}"));
}

#[test]
fn what_was_read_counts_and_what_is_billed_only_stands_in() {
    let usage = |text: &str| USAGE.read(Json::parse(text.as_bytes()).unwrap());
    let both = r#"{"usage":{"billed_units":{"input_tokens":7,"output_tokens":2},"tokens":{"input_tokens":500,"output_tokens":9,"reasoning_tokens":4},"cached_tokens":448}}"#;
    let both = usage(both);
    assert_eq!((both.input, both.output, both.cache_read, both.reasoning), (Some(500), Some(9), Some(448), Some(4)));
    let billed = usage(r#"{"delta":{"usage":{"billed_units":{"input_tokens":7,"output_tokens":2}}}}"#);
    assert_eq!((billed.input, billed.output, billed.cache_read), (Some(7), Some(2), None));
}
