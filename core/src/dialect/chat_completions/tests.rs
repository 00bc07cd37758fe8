//! What the tests of this dialect share: a shorter way to read, write and fold.

mod answers;
mod corpus;
mod endpoints;
mod errors;
mod foreign;
mod foreign_corpus;
mod laws;
mod requests;

use super::ChatCompletions;
use crate::catalog::DialectId;
use crate::dialect::{Addressee, Aliases, Client, Dialect, Endpoint, Frame, ReadError, Reply, Written};
use crate::hub::message::{End, SaidKind};
use crate::hub::{Delivery, Event, Message, Request, Sequencer, StopReason};
use crate::json::{Json, Text};
use crate::usage::Usage;

fn endpoint() -> Endpoint {
    Endpoint::generate(DialectId::ChatCompletions)
}

fn json(text: &str) -> Json<'_> {
    Json::parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn read(text: &str) -> Result<Request<'_>, ReadError> {
    ChatCompletions.read_request(&endpoint(), json(text))
}

fn write(request: &Request<'_>, model: &str) -> Written {
    ChatCompletions.write_request(request, Addressee::model(model))
}

fn value(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The events of an answer, as messages that own them.
fn fold(frames: &[(&str, &str)], whole: Option<&str>) -> Message {
    let mut message = Message::default();
    events(frames, whole, &mut |event| message.push(event));
    message
}

fn events(frames: &[(&str, &str)], whole: Option<&str>, take: &mut dyn FnMut(&Event<'_>)) {
    let mut reader = ChatCompletions.reader(Aliases::default());
    let mut sequencer = Sequencer::new();
    let mut emit = |event: Event<'_>| take(&event);
    for (name, data) in frames {
        reader.read(Frame::Event { name, data }, &mut |piece| sequencer.push(piece, &mut emit));
    }
    if let Some(body) = whole {
        match Json::parse(body.as_bytes()) {
            Ok(body) => reader.read(Frame::Whole(body), &mut |piece| sequencer.push(piece, &mut emit)),
            Err(_) => return sequencer.finish(&mut emit),
        }
    }
    sequencer.finish(&mut emit);
}

/// The events of a stream's text, split simply.
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

fn fold_stream(stream: &str) -> Message {
    fold(&frames(stream), None)
}

fn fold_whole(body: &str) -> Message {
    fold(&[], Some(body))
}

fn reply(delivery: Delivery) -> Reply {
    Reply { delivery, exchange: "x1".into(), created: 1_700_000_000, model: "asked".into() }
}

/// What a client that asked `request` gets for `events`.
fn answer(request: &str, delivery: Delivery, events: &[Event<'_>]) -> String {
    let request = read(request).unwrap();
    let mut writer = ChatCompletions.writer(&request, reply(delivery));
    let mut out = Vec::new();
    events.iter().for_each(|event| writer.write(event, &mut out));
    String::from_utf8(out).unwrap()
}

/// What chat completions can say of an answer: the order between words and calls is lost, so is which words met the stop.
#[derive(Debug, PartialEq, Default)]
struct Sum {
    id: Option<String>,
    model: Option<String>,
    text: String,
    thinking: String,
    refusal: String,
    calls: Vec<(Option<String>, String, String, Option<String>)>,
    end: Option<&'static str>,
    usage: Usage,
}

fn sum(message: &Message) -> Sum {
    let mut sum = Sum { id: message.id.clone(), model: message.model.clone(), usage: message.usage, ..Sum::default() };
    for block in &message.blocks {
        let text = Text::escaped(&block.text).decode().into_owned();
        match &block.kind {
            SaidKind::Text => sum.text += &text,
            SaidKind::Thinking => sum.thinking += &text,
            SaidKind::Refusal => sum.refusal += &text,
            SaidKind::ToolCall { id, name } => {
                let text = if text.is_empty() { "{}".into() } else { text };
                let name = Text::escaped(name).decode().into_owned();
                sum.calls.push((id.clone(), name, text, block.signature.clone()));
            }
            SaidKind::Other => {}
        }
    }
    sum.end = match &message.end {
        End::Stopped(reason, _) => Some(finish(*reason)),
        End::Open | End::Failed(_) => None,
    };
    sum
}

fn finish(reason: StopReason) -> &'static str {
    super::reply::finish_reason(reason, super::reply::CallForm::Modern)
}

fn failure(message: &Message) -> Option<&crate::hub::ProviderError> {
    match &message.end {
        End::Failed(error) => Some(error),
        End::Open | End::Stopped(..) => None,
    }
}
