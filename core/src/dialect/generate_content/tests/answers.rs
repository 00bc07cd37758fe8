//! Answers, read.

use super::*;
use crate::hub::StopReason;
use crate::hub::event::ErrorClass;
use crate::hub::message::{End, SaidKind};
use crate::json::Text;
use proptest::prelude::*;
use serde_json::Value;

/// The frames of a recorded answer, as owned texts, and whether they are one whole body.
fn frames(recording: &Recording) -> (Vec<String>, bool) {
    match recording.json["response"]["sse_text"].as_str() {
        Some(stream) => (events(stream), false),
        None => (vec![recording.json["response"]["body"].as_str().unwrap_or_default().to_string()], true),
    }
}

fn fold_recorded(texts: &[String], whole: bool) -> Message {
    match whole {
        true => fold_whole(&texts[0]),
        false => fold_events(texts),
    }
}

fn said(message: &Message, wanted: &SaidKind) -> String {
    let blocks = message.blocks.iter().filter(|block| block.kind == *wanted);
    blocks.map(|block| Text::escaped(&block.text).decode().into_owned()).collect()
}

fn calls(message: &Message) -> Vec<Value> {
    let call = |block: &crate::hub::message::Said| match &block.kind {
        SaidKind::ToolCall { id, name } => Some(serde_json::json!({
            "id": id.as_deref().map(|id| Text::escaped(id).decode().into_owned()),
            "name": Text::escaped(name).decode(),
            "arguments": value(&Text::escaped(&block.text).decode()),
        })),
        _ => None,
    };
    message.blocks.iter().filter_map(call).collect()
}

/// The recordings' words for ends; those without a word of their own keep the API's.
fn matches_reason(reason: Option<StopReason>, expect: &Value, has_calls: bool) -> bool {
    match expect.as_str().unwrap_or_default() {
        "stop" | "1" if has_calls => reason == Some(StopReason::ToolCalls),
        "stop" | "1" => reason == Some(StopReason::End),
        "length" | "2" => reason == Some(StopReason::Length),
        "content_filter" | "model_armor" => reason == Some(StopReason::Refused),
        "unexpected_tool_call" => reason == Some(StopReason::MalformedCall),
        _ => false,
    }
}

#[test]
fn recorded_answers_are_understood() {
    let (mut agreed, mut streamed_arguments) = (0, 0);
    for recording in recordings() {
        let expect = &recording.json["expect"];
        if recording.json["response"]["status"] != 200 {
            continue;
        }
        let (texts, whole) = frames(&recording);
        let message = fold_recorded(&texts, whole);
        let id = &recording.id;
        assert_eq!(said(&message, &SaidKind::Text), expect["text"].as_str().unwrap_or_default(), "{id}");
        let thoughts = expect["reasoning_text"].as_str().unwrap_or_default();
        assert_eq!(said(&message, &SaidKind::Thinking), thoughts, "{id}");
        let reason = message.stop_reason();
        let calls = calls(&message);
        assert!(matches_reason(reason, &expect["finish_reason"], !calls.is_empty()), "{id}: {reason:?}");
        if texts.iter().any(|text| text.contains("partialArgs")) {
            // The recordings' reading takes every piece for a call.
            streamed_arguments += 1;
        } else {
            assert_eq!(Value::from(calls), expect["tool_calls"], "{id}");
        }
        let count = |name: &str| expect["usage"][name].as_u64();
        assert_eq!(message.usage.input, count("input_total"), "{id}");
        assert_eq!(message.usage.output.unwrap_or(0), count("output_total").unwrap_or(0), "{id}");
        assert_eq!(message.usage.reasoning.unwrap_or(0), count("reasoning").unwrap_or(0), "{id}");
        assert_eq!(message.usage.cache_read.unwrap_or(0), count("cache_read").unwrap_or(0), "{id}");
        agreed += 1;
    }
    println!("{agreed} answers agree, {streamed_arguments} of them with streamed arguments");
}

#[test]
fn a_cut_stream_ends_in_an_error() {
    for recording in recordings() {
        let (mut texts, whole) = frames(&recording);
        if whole || recording.json["response"]["status"] != 200 {
            continue;
        }
        let last = texts
            .iter()
            .position(|data| GenerateContent.is_end("", data))
            .unwrap_or_else(|| panic!("{}", recording.id));
        texts.truncate(last);
        assert!(matches!(fold_events(&texts).end, End::Failed(_)), "{}", recording.id);
    }
}

#[test]
fn the_tap_and_the_reader_count_alike() {
    for recording in recordings() {
        let (texts, whole) = frames(&recording);
        if recording.json["response"]["status"] != 200 {
            continue;
        }
        let mut usage = crate::usage::Usage::default();
        for text in &texts {
            let json = Json::parse(text.as_bytes()).unwrap();
            match json.kind() {
                crate::json::Kind::Array => json.items().for_each(|item| usage.update(USAGE.read(item))),
                _ => usage.update(USAGE.read(json)),
            }
        }
        assert_eq!(usage, fold_recorded(&texts, whole).usage, "{}", recording.id);
    }
}

#[test]
fn ends_have_their_reasons() {
    for (word, reason) in [
        ("\"STOP\"", StopReason::End),
        ("\"MAX_TOKENS\"", StopReason::Length),
        ("\"SAFETY\"", StopReason::Refused),
        ("\"RECITATION\"", StopReason::Refused),
        ("\"MALFORMED_FUNCTION_CALL\"", StopReason::MalformedCall),
        ("\"UNEXPECTED_TOOL_CALL\"", StopReason::MalformedCall),
        ("\"PROHIBITED_CONTENT\"", StopReason::Refused),
        ("\"IMAGE_SAFETY\"", StopReason::Refused),
        ("\"CONTINUATION\"", StopReason::Paused),
        ("\"MISSING_THOUGHT_SIGNATURE\"", StopReason::Other),
        ("10", StopReason::Refused),
        ("15", StopReason::MalformedCall),
        ("\"LANGUAGE\"", StopReason::Other),
        ("\"SOMETHING_NEW\"", StopReason::Other),
        ("1", StopReason::End),
        ("2", StopReason::Length),
        ("9", StopReason::MalformedCall),
    ] {
        let body = format!(r#"{{"candidates":[{{"content":{{"parts":[{{"text":"a"}}]}},"finishReason":{word}}}]}}"#);
        assert_eq!(fold_whole(&body).stop_reason(), Some(reason), "{word}");
    }
}

#[test]
fn blocked_prompts_are_refusals() {
    let body =
        r#"{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":3},"modelVersion":"m"}"#;
    let message = fold_whole(body);
    assert_eq!((message.stop_reason(), message.usage.input), (Some(StopReason::Refused), Some(3)));
    assert!(message.blocks.is_empty());
    for unsaid in ["null", "0", "\"\"", "\"BLOCKED_REASON_UNSPECIFIED\""] {
        let body = format!(r#"{{"promptFeedback":{{"blockReason":{unsaid}}}}}"#);
        assert!(matches!(fold_whole(&body).end, End::Failed(_)), "{unsaid}");
    }
}

#[test]
fn only_the_first_candidate_is_read() {
    let chunks = [
        r#"{"candidates":[{"content":{"parts":[{"text":"b"}]},"index":1},{"content":{"parts":[{"text":"a"}]},"index":0}]}"#,
        r#"{"candidates":[{"content":{"parts":[{"text":"c"}]},"finishReason":"STOP","index":1}]}"#,
        r#"{"candidates":[{"content":{"parts":[{"text":"d"}]},"finishReason":"MAX_TOKENS","index":0}]}"#,
    ];
    let message = fold_events(&chunks);
    assert_eq!((said(&message, &SaidKind::Text).as_str(), message.stop_reason()), ("ad", Some(StopReason::Length)));
}

#[test]
fn nonsense_is_an_error() {
    for data in ["<html>", "[]", "7", r#"{"error":{"code":503,"message":"m","status":"UNAVAILABLE"}}"#, "{", r#"{"a":"#]
    {
        assert!(matches!(fold_events(&[data]).end, End::Failed(_)), "{data}");
    }
    for body in
        ["{}", "[]", "7", "null", r#"{"candidates":[]}"#, r#"{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}"#]
    {
        assert!(matches!(fold_whole(body).end, End::Failed(_)), "{body}");
    }
}

#[test]
fn errors_in_a_stream_are_classified() {
    let start = r#"{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}"#;
    let error = r#"{"error":{"code":429,"message":"slow down","status":"RESOURCE_EXHAUSTED"}}"#;
    let End::Failed(error) = fold_events(&[start, error]).end else { panic!() };
    assert_eq!((error.class, error.status, error.message.as_str()), (ErrorClass::RateLimited, 429, "slow down"));
}

#[test]
fn calls_keep_order_ids_and_proofs() {
    let body = r#"{"candidates":[{"content":{"parts":[{"text":"t","thought":true,"thoughtSignature":"p"},{"text":"a","thoughtSignature":"z"},
        {"functionCall":{"name":"f","args":{"x":{"y":"\"}"}}},"thoughtSignature":"s"},{"functionCall":{"name":"f","id":"i"}},
        {"executableCode":{"code":"1"}}]},"finishReason":"STOP"}]}"#;
    let message = fold_whole(body);
    assert_eq!(message.blocks[2].kind, SaidKind::Thinking);
    let kinds: Vec<_> = message.blocks.iter().map(|block| (block.text.as_str(), block.signature.as_deref())).collect();
    assert_eq!(
        kinds,
        [
            ("t", Some("p")),
            ("a", None),
            ("", Some("z")),
            (r#"{\"x\":{\"y\":\"\\\"}\"}}"#, Some("s")),
            ("{}", None),
            (r#"{"executableCode":{"code":"1"}}"#, None)
        ]
    );
    assert_eq!(calls(&message)[1]["id"], "i");
    assert_eq!(message.stop_reason(), Some(StopReason::ToolCalls));
}

/// What was reported as lost of some whole answer with one candidate.
fn lost(candidate: &str) -> Vec<&'static str> {
    let body = format!(r#"{{"candidates":[{candidate}],"modelVersion":"m"}}"#);
    let mut lost = Vec::new();
    GenerateContent.reader(Aliases::default()).read(
        Frame::Whole(Json::parse(body.as_bytes()).unwrap()),
        &mut |piece| {
            if let Piece::Lost(what) = piece {
                lost.push(what);
            }
        },
    );
    lost
}

#[test]
fn what_has_no_word_is_reported_once() {
    for (candidate, what) in [
        (r#"{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP","avgLogprobs":-1,"tokenCount":1}"#, &[][..]),
        (r#"{"finishReason":"STOP","groundingMetadata":{},"citationMetadata":null}"#, &[]),
        (
            r#"{"finishReason":"STOP","groundingMetadata":{"webSearchQueries":["q"]},"citationMetadata":{"citations":[]}}"#,
            &["citations"],
        ),
        (
            r#"{"finishReason":"STOP","logprobsResult":{"topCandidates":[]},"urlContextMetadata":{"urlMetadata":[]}}"#,
            &["logprobs", "server_tools"],
        ),
        (
            r#"{"content":{"parts":[{"executableCode":{"code":"1"}},{"codeExecutionResult":{"output":"1"}}]},"finishReason":"STOP"}"#,
            &["server_tools"],
        ),
        (
            r#"{"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"AA=="}},{"inlineData":{"mimeType":"audio/pcm","data":""}}]}}"#,
            &["images", "audio"],
        ),
        (r#"{"content":{"parts":[{"brandNew":{}}]},"finishReason":"STOP"}"#, &["parts"]),
        (r#"{"finishReason":"STOP","index":0},{"index":1}"#, &["candidates"]),
        (r#"{"finishReason":"CONTINUATION","continuationToken":"x"}"#, &["continuation"]),
    ] {
        assert_eq!(lost(candidate), what, "{candidate}");
    }
}

#[test]
fn names_of_tools_are_the_callers() {
    let mut aliases = Aliases::default();
    aliases.add("_f", "1 f");
    let body = r#"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"_f"}}]},"finishReason":"STOP"}]}"#;
    let mut names = Vec::new();
    let frame = Frame::Whole(Json::parse(body.as_bytes()).unwrap());
    GenerateContent.reader(aliases).read(frame, &mut |piece| {
        if let Piece::ToolCall { name, .. } = piece {
            names.push(name.raw().to_string());
        }
    });
    assert_eq!(names, ["1 f"]);
}

#[test]
fn streamed_arguments_are_put_together() {
    let call = |inside: &str| format!(r#"{{"candidates":[{{"content":{{"parts":[{{"functionCall":{inside}}}]}}}}]}}"#);
    let chunks = [
        call(r#"{"name":"f","willContinue":true}"#),
        call(
            r#"{"partialArgs":[{"jsonPath":"$.a[0].b","stringValue":"x\n","willContinue":true}],"willContinue":true}"#,
        ),
        call(
            r#"{"partialArgs":[{"jsonPath":"$.a[0].b","stringValue":"y"},{"jsonPath":"$.a[0]['c d']","numberValue":0.5}],"willContinue":true}"#,
        ),
        call(
            r#"{"partialArgs":[{"jsonPath":"$.a[1]","boolValue":true},{"jsonPath":"$.n","nullValue":"NULL_VALUE"}],"willContinue":true}"#,
        ),
        call("{}"),
        r#"{"candidates":[{"finishReason":"STOP"}]}"#.to_string(),
    ];
    let message = fold_events(&chunks);
    assert_eq!(calls(&message)[0]["arguments"], value(r#"{"a":[{"b":"x\ny","c d":0.5},true],"n":null}"#));
    for path in ["a", "$.a[7]", "$.a[", "$[0].a", "$..", "$.a[999999999999]"] {
        let hostile = call(&format!(
            r#"{{"name":"f","partialArgs":[{{"jsonPath":"$.a","stringValue":"x"}},{{"jsonPath":"{path}","stringValue":"x"}}]}}"#
        ));
        let message = fold_events(&[hostile]);
        assert!(matches!(message.end, End::Failed(_)), "{path}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(
        texts in proptest::collection::vec("\\PC{0,40}", 0..4),
        cut in 0usize..400,
        at in 0usize..400,
        byte in any::<u8>(),
    ) {
        let fixture = r#"{"candidates":[{"content":{"parts":[{"text":"a","thought":true,"thoughtSignature":"p"},{"functionCall":{"name":"f","args":{},"partialArgs":[{"jsonPath":"$.a[0]","stringValue":"x"}]}}]},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":1},"promptFeedback":{"blockReason":"X"},"error":{"code":1}}"#;
        let mut bytes = fixture.as_bytes().to_vec();
        if let Some(place) = bytes.get_mut(at) {
            *place = byte;
        }
        bytes.truncate(cut.max(1));
        let mutated = String::from_utf8_lossy(&bytes).into_owned();
        let mut all = texts;
        all.push(mutated.clone());
        fold_events(&all);
        GenerateContent.is_end("", &mutated);
        GenerateContent.read_error(500, &bytes);
        if let Ok(json) = Json::parse(&bytes) {
            fold(&[Frame::Whole(json)]);
        }
    }
}

#[test]
fn two_proofs_are_two_thoughts_and_what_tools_fetched_is_not_the_prompt() {
    let message = fold_whole(
        r#"{"candidates":[{"content":{"parts":[
            {"text":"a","thought":true,"thoughtSignature":"s1"},{"text":"","thought":true,"thoughtSignature":"s2"},
            {"text":"b"}]},"finishReason":"STOP"}],
            "usageMetadata":{"promptTokenCount":9,"toolUsePromptTokenCount":90,"candidatesTokenCount":1}}"#,
    );
    let proofs: Vec<_> = message.blocks.iter().filter_map(|block| block.signature.as_deref()).collect();
    assert_eq!(proofs, ["s1", "s2"]);
    assert_eq!(message.usage.input, Some(9));
}
