//! What the tests of this dialect share: a shorter way to read, write and fold.

mod answers;
mod corpus;
mod endpoints;
mod errors;
mod foreign;
mod laws;
mod replies;
mod requests;

use super::Responses;
use crate::catalog::DialectId;
use crate::dialect::{Addressee, Aliases, Client, Dialect, Endpoint, Frame, ReadError, Reply, Written};
use crate::hub::message::{End, SaidKind};
use crate::hub::{Block, Delivery, Event, Message, Request, Sequencer, Stop, StopReason};
use crate::json::{Json, Text};
use serde_json::Value;

fn json(text: &str) -> Json<'_> {
    Json::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn read(text: &str) -> Result<Request<'_>, ReadError> {
    Responses.read_request(&Endpoint::generate(DialectId::Responses), json(text))
}

fn write(request: &Request<'_>, model: &str) -> Written {
    Responses.write_request(request, Addressee::model(model))
}

/// The events of an answer: of frames, or of a whole body.
fn events(frames: &[(&str, &str)], whole: Option<&str>, take: &mut dyn FnMut(&Event<'_>)) {
    let mut reader = Responses.reader(Aliases::default());
    let mut sequencer = Sequencer::new();
    let mut emit = |event: Event<'_>| take(&event);
    for (name, data) in frames {
        reader.read(Frame::Event { name, data }, &mut |piece| sequencer.push(piece, &mut emit));
    }
    if let Some(Ok(body)) = whole.map(|body| Json::parse(body.as_bytes())) {
        reader.read(Frame::Whole(body), &mut |piece| sequencer.push(piece, &mut emit));
    }
    sequencer.finish(&mut emit);
}

/// The named data lines of a stream.
fn frames(stream: &str) -> Vec<(&str, &str)> {
    let mut frames = Vec::new();
    let mut name = "";
    for line in stream.lines() {
        if let Some(data) = line.strip_prefix("data:") {
            frames.push((name, data.trim()));
        } else if let Some(event) = line.strip_prefix("event:") {
            name = event.trim();
        } else if line.is_empty() {
            name = "";
        }
    }
    frames
}

fn fold(frames: &[(&str, &str)], whole: Option<&str>) -> Message {
    let mut message = Message::default();
    events(frames, whole, &mut |event| message.push(event));
    message
}

fn fold_stream(stream: &str) -> Message {
    fold(&frames(stream), None)
}

fn fold_whole(body: &str) -> Message {
    fold(&[], Some(body))
}

fn reply(delivery: Delivery) -> Reply {
    Reply { delivery, exchange: "x1".into(), created: 1_700_000_000, model: "asked".into() }
}

/// What a client that asked `request` gets for what `say` says.
fn answer(request: &str, delivery: Delivery, say: impl FnOnce(&mut dyn FnMut(&Event<'_>))) -> String {
    let request = read(request).unwrap();
    let mut writer = Responses.writer(&request, reply(delivery));
    let mut out = Vec::new();
    say(&mut |event| writer.write(event, &mut out));
    String::from_utf8(out).unwrap()
}

/// What an answer says: kind and decoded words of its blocks.
fn said(message: &Message) -> Vec<(String, String)> {
    let blocks = message.blocks.iter().map(|block| {
        let kind = match &block.kind {
            SaidKind::Text => "text".into(),
            SaidKind::Thinking => "thinking".into(),
            SaidKind::Refusal => "refusal".into(),
            SaidKind::ToolCall { name, .. } => format!("call {name}"),
            SaidKind::Other => "other".into(),
        };
        (kind, Text::escaped(&block.text).decode().into_owned())
    });
    blocks.collect()
}

fn failure(message: &Message) -> Option<&crate::hub::ProviderError> {
    match &message.end {
        End::Failed(error) => Some(error),
        End::Open | End::Stopped(..) => None,
    }
}
