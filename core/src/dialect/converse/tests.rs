//! What the dialect promises, with the words of the wire beside it.

use super::*;
use crate::dialect::Frame;
use crate::hub::{Event, Message, Sequencer};
use crate::json::Json;
use serde_json::Value;

mod answers;
mod corpus;
mod errors;
mod requests;
mod thoughts;

fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// What a reader's frames add up to, and what was lost on the way.
fn fold_noting<'f>(frames: impl IntoIterator<Item = Frame<'f>>, aliases: Aliases) -> (Message, Vec<&'static str>) {
    let mut reader = Converse.reader(aliases);
    let mut sequencer = Sequencer::new();
    let (mut message, mut lost) = (Message::default(), Vec::new());
    let mut emit = |event: Event<'_>| {
        if let Event::Lost(what) = event
            && !lost.contains(&what)
        {
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

fn fold<'f>(frames: impl IntoIterator<Item = Frame<'f>>) -> Message {
    fold_noting(frames, Aliases::default()).0
}

fn whole(body: &str) -> Message {
    fold([Frame::Whole(Json::parse(body.as_bytes()).unwrap())])
}

/// Events as `(name, data)`.
fn streamed(events: &[(&str, &str)]) -> Message {
    fold(events.iter().map(|(name, data)| Frame::Event { name, data }))
}

#[test]
fn the_path_names_the_model_and_the_delivery() {
    let arn = "arn:aws:bedrock:us-east-1:012345678901:inference-profile/a.b-v1:0";
    assert_eq!(
        Converse.path("/aws", arn, Delivery::Whole),
        "/aws/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A012345678901%3Ainference-profile%2Fa.b-v1%3A0/converse"
    );
    assert_eq!(Converse.path("", "../x?y", Delivery::StreamedArray), "/model/..%2Fx%3Fy/converse-stream");
    assert_eq!(Converse.model_member(), None);
    assert!(Converse.client().is_none());
}

#[test]
fn the_reason_to_stop_is_the_end() {
    assert!(Converse.is_end("messageStop", "{}"));
    assert!(!Converse.is_end("metadata", "{}"));
    assert!(!Converse.is_end("!throttlingException", "{}"));
}
