//! Answers, whole and streamed.

use super::*;
use crate::hub::event::{ErrorClass, StopReason};
use crate::hub::message::{End, SaidKind};
use crate::json::Text;
use proptest::prelude::*;

/// A block as (kind, words, proof).
fn blocks(message: &Message) -> Vec<(String, String, Option<String>)> {
    let blocks = message.blocks.iter().map(|block| {
        let kind = match &block.kind {
            SaidKind::ToolCall { id, name } => format!("call {} {name}", id.as_deref().unwrap_or("-")),
            kind => format!("{kind:?}"),
        };
        (kind, Text::escaped(&block.text).decode().into_owned(), block.signature.clone())
    });
    blocks.collect()
}

fn said(kind: &str, words: &str) -> (String, String, Option<String>) {
    (kind.to_string(), words.to_string(), None)
}

fn proven(kind: &str, words: &str, proof: &str) -> (String, String, Option<String>) {
    (kind.to_string(), words.to_string(), Some(proof.to_string()))
}

const WHOLE: &str = r#"{"metrics":{"latencyMs":1},"output":{"message":{"role":"assistant","content":[
    {"reasoningContent":{"reasoningText":{"text":"Hm.","signature":"sig=="}}},
    {"reasoningContent":{"redactedContent":"aGlkZGVu"}},
    {"text":"Let me "},{"text":"look."},
    {"toolUse":{"toolUseId":"t1","name":"look","input":{"at":"a\n\"b\""}}},
    {"toolUse":{"toolUseId":"t2","name":"wait","input":{}}}]}},
    "stopReason":"tool_use",
    "usage":{"inputTokens":3,"outputTokens":5,"totalTokens":21,"cacheReadInputTokens":11,"cacheWriteInputTokens":2}}"#;

const STREAM: [(&str, &str); 23] = [
    ("messageStart", r#"{"p":"ab","role":"assistant"}"#),
    ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"H"}},"p":"abc"}"#),
    ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"m."}}}"#),
    ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"sig=="}}}"#),
    ("contentBlockStop", r#"{"contentBlockIndex":0}"#),
    ("contentBlockDelta", r#"{"contentBlockIndex":1,"delta":{"reasoningContent":{"redactedContent":"aGlkZGVu"}}}"#),
    ("contentBlockStop", r#"{"contentBlockIndex":1}"#),
    ("contentBlockDelta", r#"{"contentBlockIndex":2,"delta":{"text":"Let"}}"#),
    ("contentBlockDelta", r#"{"contentBlockIndex":2,"delta":{"text":" me "}}"#),
    ("contentBlockStop", r#"{"contentBlockIndex":2}"#),
    ("contentBlockDelta", r#"{"contentBlockIndex":3,"delta":{"text":""}}"#),
    ("contentBlockDelta", r#"{"contentBlockIndex":3,"delta":{"text":"look."}}"#),
    ("contentBlockStop", r#"{"contentBlockIndex":3}"#),
    ("contentBlockStart", r#"{"contentBlockIndex":4,"start":{"toolUse":{"toolUseId":"t1","name":"look"}}}"#),
    ("contentBlockDelta", r#"{"contentBlockIndex":4,"delta":{"toolUse":{"input":""}}}"#),
    ("contentBlockDelta", r#"{"contentBlockIndex":4,"delta":{"toolUse":{"input":"{\"at\":"}}}"#),
    ("contentBlockDelta", r#"{"contentBlockIndex":4,"delta":{"toolUse":{"input":"\"a\\n\\\"b\\\"\"}"}}}"#),
    ("contentBlockStop", r#"{"contentBlockIndex":4}"#),
    ("contentBlockStart", r#"{"contentBlockIndex":5,"start":{"toolUse":{"toolUseId":"t2","name":"wait"}}}"#),
    ("contentBlockDelta", r#"{"contentBlockIndex":5,"delta":{"toolUse":{"input":""}}}"#),
    ("contentBlockStop", r#"{"contentBlockIndex":5}"#),
    ("messageStop", r#"{"stopReason":"tool_use"}"#),
    (
        "metadata",
        r#"{"metrics":{"latencyMs":1},"usage":{"inputTokens":3,"outputTokens":5,"cacheReadInputTokens":11,"cacheWriteInputTokens":2}}"#,
    ),
];

#[test]
fn an_answer_is_understood_whole_and_streamed_alike() {
    let message = whole(WHOLE);
    let expected = [
        proven("Thinking", "Hm.", "sig=="),
        proven("Thinking", "", "redacted:aGlkZGVu"),
        said("Text", "Let me "),
        said("Text", "look."),
        said("call t1 look", r#"{"at":"a\n\"b\""}"#),
        said("call t2 wait", "{}"),
    ];
    assert_eq!(blocks(&message), expected);
    assert_eq!(message.end, End::Stopped(StopReason::ToolCalls, None));
    assert_eq!((message.usage.input, message.usage.output), (Some(16), Some(5)));
    assert_eq!((message.usage.cache_read, message.usage.cache_write), (Some(11), Some(2)));
    let stream = streamed(&STREAM);
    assert_eq!(blocks(&stream), expected);
    assert_eq!((stream.end, stream.usage), (message.end, message.usage));
}

#[test]
fn every_reason_to_stop_has_a_meaning() {
    let reasons = [
        ("end_turn", StopReason::End),
        ("tool_use", StopReason::ToolCalls),
        ("max_tokens", StopReason::Length),
        ("model_context_window_exceeded", StopReason::Length),
        ("stop_sequence", StopReason::Sequence),
        ("guardrail_intervened", StopReason::Refused),
        ("content_filtered", StopReason::Refused),
        ("malformed_tool_use", StopReason::MalformedCall),
        ("malformed_model_output", StopReason::Other),
        ("a_new_one", StopReason::Other),
    ];
    for (word, reason) in reasons {
        let stop = format!(r#"{{"stopReason":"{word}"}}"#);
        let message = streamed(&[("messageStart", "{}"), ("messageStop", &stop)]);
        assert_eq!(message.stop_reason(), Some(reason), "{word}");
    }
}

#[test]
fn a_stream_without_its_end_is_an_error() {
    for length in 0..STREAM.len() - 2 {
        let message = streamed(&STREAM[..length]);
        assert!(matches!(message.end, End::Failed(_)), "cut after {length}");
    }
    // The counts may be missing, the answer is complete all the same.
    assert_eq!(streamed(&STREAM[..STREAM.len() - 1]).stop_reason(), Some(StopReason::ToolCalls));
    // And counts alone do not make an end.
    let counts = [STREAM[0], STREAM[7], STREAM[22]];
    assert!(matches!(streamed(&counts).end, End::Failed(_)));
}

#[test]
fn an_exception_in_a_stream_is_an_error_of_its_class() {
    let classes = [
        ("throttlingException", ErrorClass::RateLimited),
        ("modelStreamErrorException", ErrorClass::Provider),
        ("internalServerException", ErrorClass::Provider),
        ("serviceUnavailableException", ErrorClass::Overloaded),
        ("validationException", ErrorClass::InvalidRequest),
        ("modelTimeoutException", ErrorClass::Timeout),
        ("somethingNewException", ErrorClass::Provider),
    ];
    for (name, class) in classes {
        for marked in [name.to_string(), format!("!{name}")] {
            let message = streamed(&[STREAM[0], STREAM[7], (&marked, r#"{"message":"No more."}"#), STREAM[21]]);
            let End::Failed(error) = &message.end else { panic!("{marked}: {:?}", message.end) };
            assert_eq!((error.class, error.code.as_str(), error.message.as_str()), (class, name, "No more."));
            assert_eq!(blocks(&message), [said("Text", "Let")]);
        }
    }
    let message = streamed(&[("!InternalError", "it is over")]);
    let End::Failed(error) = &message.end else { panic!("{:?}", message.end) };
    assert_eq!((error.code.as_str(), error.message.as_str()), ("InternalError", "it is over"));
}

#[test]
fn what_nobody_else_has_is_said_to_be_lost() {
    let body = r#"{"output":{"message":{"content":[
        {"text":"As "},
        {"citationsContent":{"content":[{"text":"it is "},{"text":"written"}],"citations":[{"title":"t"}]}},
        {"image":{"format":"png","source":{"bytes":"AA=="}}},
        {"toolUse":{"type":"server_tool_use","toolUseId":"s1","name":"run","input":{"x":1}}},
        {"toolResult":{"toolUseId":"s1","type":"run_result","status":"success","content":[{"text":"2"}]}},
        {"toolUse":{"type":"tool_use","toolUseId":"t1","name":"done","input":{"x":2}}}]}},
        "stopReason":"tool_use","usage":{"inputTokens":1,"outputTokens":1},
        "trace":{"guardrail":{"inputAssessment":{"g":{"usage":{"inputTokens":99}}}}}}"#;
    let frame = Frame::Whole(Json::parse(body.as_bytes()).unwrap());
    let (message, lost) = fold_noting([frame], Aliases::default());
    assert_eq!(
        blocks(&message),
        [said("Text", "As "), said("Text", "it is written"), said("call t1 done", r#"{"x":2}"#)]
    );
    assert_eq!(lost, ["citations", "images", "server_tools", "guardrail"]);
    assert_eq!(message.usage.input, Some(1));

    let events = [
        ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"citation":{"title":"t"}}}"#),
        ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"text":"so"}}"#),
        ("contentBlockStop", r#"{"contentBlockIndex":0}"#),
        (
            "contentBlockStart",
            r#"{"contentBlockIndex":1,"start":{"toolUse":{"toolUseId":"s","name":"run","type":"server_tool_use"}}}"#,
        ),
        ("contentBlockDelta", r#"{"contentBlockIndex":1,"delta":{"toolUse":{"input":"{}"}}}"#),
        ("contentBlockStop", r#"{"contentBlockIndex":1}"#),
        ("contentBlockStart", r#"{"contentBlockIndex":2,"start":{"toolResult":{"toolUseId":"s"}}}"#),
        ("contentBlockDelta", r#"{"contentBlockIndex":2,"delta":{"toolResult":[{"text":"2"}]}}"#),
        ("contentBlockStop", r#"{"contentBlockIndex":2}"#),
        ("contentBlockDelta", r#"{"contentBlockIndex":3,"delta":{"text":"2."}}"#),
        ("messageStop", r#"{"stopReason":"end_turn"}"#),
        ("metadata", r#"{"usage":{"inputTokens":1,"outputTokens":1},"trace":{"guardrail":{}}}"#),
    ];
    let frames = events.iter().map(|(name, data)| Frame::Event { name, data });
    let (message, lost) = fold_noting(frames, Aliases::default());
    assert_eq!(blocks(&message), [said("Text", "so"), said("Text", "2.")]);
    assert_eq!(lost, ["citations", "server_tools", "guardrail"]);
    assert_eq!(message.stop_reason(), Some(StopReason::End));
}

#[test]
fn calls_at_the_same_time_come_out_one_by_one() {
    let start = |index: u32| {
        format!(r#"{{"contentBlockIndex":{index},"start":{{"toolUse":{{"toolUseId":"t{index}","name":"f"}}}}}}"#)
    };
    let delta = |index: u32, input: &str| {
        format!(r#"{{"contentBlockIndex":{index},"delta":{{"toolUse":{{"input":"{input}"}}}}}}"#)
    };
    let stop = |index: u32| format!(r#"{{"contentBlockIndex":{index}}}"#);
    let events = [
        ("contentBlockStart", start(0)),
        ("contentBlockStart", start(0)),
        ("contentBlockDelta", delta(0, r#"{\"a\":"#)),
        ("contentBlockStart", start(1)),
        ("contentBlockDelta", delta(1, "{}")),
        ("contentBlockStop", stop(1)),
        ("contentBlockDelta", delta(0, "1}")),
        ("contentBlockStop", stop(0)),
        ("contentBlockStop", stop(0)),
        ("messageStop", r#"{"stopReason":"tool_use"}"#.to_string()),
    ];
    let message = fold(events.iter().map(|(name, data)| Frame::Event { name, data }));
    assert_eq!(blocks(&message), [said("call t0 f", r#"{"a":1}"#), said("call t1 f", "{}")]);
    assert_eq!(message.stop_reason(), Some(StopReason::ToolCalls));
}

#[test]
fn blocks_whose_stop_is_missing_stay_apart() {
    let events = [
        ("contentBlockDelta", r#"{"contentBlockIndex":0,"delta":{"text":"a"}}"#),
        ("contentBlockDelta", r#"{"contentBlockIndex":1,"delta":{"text":"b"}}"#),
        ("contentBlockStart", r#"{"contentBlockIndex":2,"start":{"toolUse":{"toolUseId":"t","name":"f"}}}"#),
        ("messageStop", r#"{"stopReason":"tool_use"}"#),
    ];
    assert_eq!(blocks(&streamed(&events)), [said("Text", "a"), said("Text", "b"), said("call t f", "{}")]);
}

#[test]
fn names_are_given_back_as_the_caller_knows_them() {
    let mut aliases = Aliases::default();
    aliases.add("look", "files/look");
    let (message, _) = fold_noting([Frame::Whole(Json::parse(WHOLE.as_bytes()).unwrap())], aliases);
    assert!(blocks(&message).contains(&said("call t1 files/look", r#"{"at":"a\n\"b\""}"#)));
}

#[test]
fn what_is_no_answer_is_an_error() {
    for body in ["{}", "[]", "1", r#"{"output":null}"#, r#"{"output":{"message":{"content":"x"}}}"#] {
        let End::Failed(error) = whole(body).end else { panic!("{body}") };
        assert_eq!(error.class, ErrorClass::BadAnswer, "{body}");
    }
    let End::Failed(error) = whole(r#"{"__type":"ThrottlingException","message":"Slow down."}"#).end else { panic!() };
    assert_eq!((error.class, error.message.as_str()), (ErrorClass::RateLimited, "Slow down."));
    let End::Failed(error) = streamed(&[("contentBlockDelta", "{")]).end else { panic!() };
    assert_eq!(error.class, ErrorClass::BadAnswer);
}

#[test]
fn the_tap_finds_the_counts_that_the_reader_finds() {
    let body = Json::parse(WHOLE.as_bytes()).unwrap();
    assert_eq!(Converse.usage().read(body), whole(WHOLE).usage);
    let metadata = Json::parse(STREAM[22].1.as_bytes()).unwrap();
    assert_eq!(Converse.usage().read(metadata), streamed(&STREAM).usage);
    assert!(STREAM[22].1.contains(Converse.usage().marker));
}

proptest! {
    /// Damaged, doubled, missing and reordered events: no panic, and one end.
    #[test]
    fn any_order_of_events_ends_once(order in prop::collection::vec(0usize..STREAM.len(), 0..40), at in 0usize..120, byte in 0u8..128) {
        let mut events: Vec<(String, String)> =
            order.iter().map(|place| (STREAM[*place].0.to_string(), STREAM[*place].1.to_string())).collect();
        if let Some((_, data)) = events.first_mut() {
            let mut bytes = data.clone().into_bytes();
            let at = at % bytes.len();
            bytes[at] = byte;
            *data = String::from_utf8(bytes).unwrap();
        }
        let message = fold(events.iter().map(|(name, data)| Frame::Event { name, data }));
        prop_assert!(message.end != End::Open);
        if !events.iter().any(|(name, _)| name == END) {
            prop_assert!(matches!(message.end, End::Failed(_)));
        }
    }

    #[test]
    fn a_damaged_body_is_read_without_panic(at in 0usize..WHOLE.len(), byte in 0u8..128) {
        let mut bytes = WHOLE.as_bytes().to_vec();
        bytes[at] = byte;
        if let Ok(body) = Json::parse(&bytes) {
            prop_assert!(fold([Frame::Whole(body)]).end != End::Open);
        }
    }
}
