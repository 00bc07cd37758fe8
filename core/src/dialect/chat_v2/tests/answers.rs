//! Answers, whole and streamed.

use super::*;
use crate::hub::event::{ErrorClass, StopReason};
use crate::hub::message::{End, SaidKind};
use crate::usage::Usage;
use proptest::prelude::*;

const STREAM: &str = r#"event: message-start
data: {"id":"a1","type":"message-start","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}}

event: tool-plan-delta
data: {"type":"tool-plan-delta","delta":{"message":{"tool_plan":"I "}}}

event: tool-plan-delta
data: {"type":"tool-plan-delta","delta":{"message":{"tool_plan":"look."}}}

event: tool-call-start
data: {"type":"tool-call-start","index":0,"delta":{"message":{"tool_calls":{"id":"c1","type":"function","function":{"name":"f","arguments":""}}}}}

event: tool-call-delta
data: {"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"{\"x\":"}}}}}

event: tool-call-delta
data: {"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"1}"}}}}}

event: tool-call-end
data: {"type":"tool-call-end","index":0}

event: tool-call-start
data: {"type":"tool-call-start","index":1,"delta":{"message":{"tool_calls":{"id":"c2","type":"function","function":{"name":"g","arguments":""}}}}}

event: tool-call-end
data: {"type":"tool-call-end","index":1}

event: message-end
data: {"type":"message-end","delta":{"finish_reason":"TOOL_CALL","usage":{"billed_units":{"input_tokens":1,"output_tokens":1},"tokens":{"input_tokens":20,"output_tokens":8},"cached_tokens":16}}}

data: [DONE]

"#;

const WHOLE: &str = r#"{"id":"a1","message":{"role":"assistant","tool_plan":"I look.","tool_calls":[
    {"id":"c1","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}},
    {"id":"c2","type":"function","function":{"name":"g","arguments":""}}]},"finish_reason":"TOOL_CALL",
    "usage":{"billed_units":{"input_tokens":1,"output_tokens":1},"tokens":{"input_tokens":20,"output_tokens":8},"cached_tokens":16}}"#;

fn said(message: &Message) -> Vec<(SaidKind, &str)> {
    message.blocks.iter().map(|block| (block.kind.clone(), block.text.as_str())).collect()
}

fn call(id: &str, name: &str) -> SaidKind {
    SaidKind::ToolCall { id: Some(id.into()), name: name.into() }
}

#[test]
fn a_whole_answer_and_a_stream_say_the_same() {
    let message = whole(WHOLE);
    let expected = vec![(SaidKind::Thinking, "I look."), (call("c1", "f"), r#"{\"x\":1}"#), (call("c2", "g"), "{}")];
    assert_eq!(said(&message), expected);
    assert_eq!(message.id.as_deref(), Some("a1"));
    assert_eq!(message.end, End::Stopped(StopReason::ToolCalls, None));
    let usage = Usage { input: Some(20), cache_read: Some(16), output: Some(8), ..Usage::default() };
    assert_eq!(message.usage, usage);
    assert_eq!(streamed(STREAM), streamed(&STREAM.replace("event: ", "ignored: ")), "names are not needed");
    let stream = streamed(STREAM);
    assert_eq!((said(&stream), &stream.end, stream.usage), (said(&message), &message.end, message.usage));
}

#[test]
fn no_arguments_are_an_empty_object() {
    for none in [r#""""#, r#""null""#, "null", "{}", r#""{}""#] {
        let call = format!(r#"{{"id":"c","type":"function","function":{{"name":"f","arguments":{none}}}}}"#);
        let message = whole(&format!(r#"{{"message":{{"tool_calls":[{call}]}},"finish_reason":"TOOL_CALL"}}"#));
        assert_eq!(
            said(&message),
            vec![(SaidKind::ToolCall { id: Some("c".into()), name: "f".into() }, "{}")],
            "{none}"
        );
    }
}

#[test]
fn thoughts_and_words_are_told_by_their_member() {
    let stream = r#"
data: {"type":"content-start","index":0,"delta":{"message":{"content":{"type":"thinking","thinking":"a"}}}}
data: {"type":"content-delta","index":0,"delta":{"message":{"content":{"thinking":"b"}}}}
data: {"type":"content-end","index":0}
data: {"type":"content-start","index":1,"delta":{"message":{"content":{"type":"text","text":""}}}}
data: {"type":"content-delta","index":1,"delta":{"message":{"content":{"text":"c\nd"}}}}
data: {"type":"content-end","index":1}
data: {"type":"message-end","delta":{"finish_reason":"MAX_TOKENS"}}"#;
    let message = streamed(stream);
    assert_eq!(said(&message), vec![(SaidKind::Thinking, "ab"), (SaidKind::Text, r"c\nd")]);
    assert_eq!(message.end, End::Stopped(StopReason::Length, None));
}

#[test]
fn every_reason_has_a_meaning() {
    let reason = |word: &str| {
        whole(&format!(r#"{{"message":{{"content":[{{"type":"text","text":"a"}}]}},"finish_reason":{word}}}"#)).end
    };
    let stopped = |reason| End::Stopped(reason, None);
    assert_eq!(reason(r#""COMPLETE""#), stopped(StopReason::End));
    assert_eq!(reason(r#""STOP_SEQUENCE""#), stopped(StopReason::Sequence));
    assert_eq!(reason(r#""ERROR_TOXIC""#), stopped(StopReason::Refused));
    assert_eq!(reason(r#""SOMETHING_NEW""#), stopped(StopReason::Other));
    for (word, class) in [("ERROR", ErrorClass::Provider), ("TIMEOUT", ErrorClass::Timeout)] {
        match reason(&format!("\"{word}\"")) {
            End::Failed(error) => assert_eq!((error.class, error.code.as_str()), (class, word)),
            other => panic!("{word}: {other:?}"),
        }
    }
}

#[test]
fn what_broke_off_says_why() {
    let stream = r#"data: {"type":"message-end","delta":{"finish_reason":"ERROR","error":"out of memory"}}"#;
    match streamed(stream).end {
        End::Failed(error) => assert_eq!(error.message, "out of memory"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn citations_and_log_probabilities_are_reported_once() {
    let body = r#"{"message":{"content":[{"type":"text","text":"a"}],"citations":[{"start":0},{"start":1}]},
        "finish_reason":"COMPLETE","logprobs":[{"token_ids":[1]}]}"#;
    let (_, lost) = fold([Frame::Whole(Json::parse(body.as_bytes()).unwrap())], Aliases::default());
    assert_eq!(lost, ["citations", "logprobs"]);
    let cited = r#"data: {"type":"citation-start","index":0,"delta":{"message":{"citations":{"start":1,"text":"x"}}}}
"#;
    let stream = format!("{cited}{cited}{STREAM}");
    let (message, lost) = fold(frames(&stream), Aliases::default());
    assert_eq!(lost, ["citations"]);
    assert_eq!(message.blocks.len(), 3);
    let (_, lost) = fold(frames(STREAM), Aliases::default());
    assert_eq!(lost, [""; 0]);
}

#[test]
fn tools_are_called_as_the_caller_knows_them() {
    let mut aliases = Aliases::default();
    aliases.add("f", "f.one");
    let (message, _) = fold(frames(STREAM), aliases);
    assert_eq!(message.blocks[1].kind, call("c1", "f.one"));
}

#[test]
fn a_stream_cut_short_is_an_error() {
    let frames = frames(STREAM);
    let end = frames.len() - 2;
    for length in 0..=end {
        let (cut, _) = fold(frames.iter().take(length).copied(), Aliases::default());
        assert!(matches!(cut.end, End::Failed(_)), "cut after {length}");
    }
    let (done, _) = fold(frames.iter().take(end + 1).copied(), Aliases::default());
    assert_eq!(done.end, End::Stopped(StopReason::ToolCalls, None));
    // The end mark alone is none: what the answer stopped for was never said.
    let (cut, _) = fold([frames[0], frames[end + 1]], Aliases::default());
    assert!(matches!(cut.end, End::Failed(_)));
}

#[test]
fn an_error_instead_of_an_answer_is_one() {
    for (text, message) in [
        (r#"{"id":"1","message":"internal server error"}"#, "internal server error"),
        (r#"{"type":"error","error":{"message":"gone"}}"#, "gone"),
    ] {
        let stream = format!("data: {text}\n");
        let ends = [whole(text).end, streamed(&stream).end];
        for end in ends {
            match end {
                End::Failed(error) => assert_eq!(error.message, message),
                other => panic!("{text}: {other:?}"),
            }
        }
    }
    for nonsense in ["{}", "[]", "null", r#"{"message":null}"#, r#"{"message":[]}"#] {
        assert!(matches!(whole(nonsense).end, End::Failed(_)), "{nonsense}");
    }
    assert!(matches!(streamed("data: {\n").end, End::Failed(_)));
}

#[test]
fn odd_events_do_not_disturb() {
    let odd = r#"data: {"type":"debug","prompt":"x"}
data: {"type":"tool-call-delta","index":7,"delta":{}}
data: {"type":"tool-call-end"}
data: {"type":"content-delta","delta":{"message":{"content":7}}}
"#;
    let stream = format!("{odd}{STREAM}");
    assert_eq!(said(&streamed(&stream)), said(&streamed(STREAM)));
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(
        streams in any::<bool>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
    ) {
        let mut bytes = if streams { STREAM } else { WHOLE }.as_bytes().to_vec();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        let text = String::from_utf8_lossy(&bytes);
        let message = match (streams, Json::parse(text.as_bytes())) {
            (false, Ok(_)) => whole(&text),
            (false, Err(_)) => return Ok(()),
            (true, _) => streamed(&text),
        };
        prop_assert!(message.end != End::Open);
    }
}
