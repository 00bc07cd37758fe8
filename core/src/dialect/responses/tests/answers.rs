//! Answers of providers that leave things out, repeat them or say them in their own order.

use super::*;
use crate::hub::event::Event;

fn named(events: &[&str]) -> Message {
    let frames: Vec<_> = events.iter().map(|data| ("", *data)).collect();
    fold(&frames, None)
}

fn completed(output: &str) -> String {
    format!(
        r#"{{"type":"response.completed","response":{{"id":"resp_1","model":"m","status":"completed","output":{output},"usage":{{"input_tokens":5,"output_tokens":2,"input_tokens_details":{{"cached_tokens":3}},"output_tokens_details":{{"reasoning_tokens":1}}}}}}}}"#
    )
}

fn pairs<'a>(pairs: &[(&'a str, &'a str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(kind, text)| (kind.to_string(), text.to_string())).collect()
}

const MESSAGE: &str =
    r#"{"type":"message","id":"msg_1","content":[{"type":"output_text","text":"hello","annotations":[]}]}"#;
const CALL: &str = r#"{"type":"function_call","id":"fc_1","call_id":"c1","name":"f","arguments":"{\"x\":1}"}"#;

#[test]
fn words_are_said_once_whatever_tells_of_them() {
    let delta = r#"{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"hel"}"#;
    let more = r#"{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"lo"}"#;
    let done = r#"{"type":"response.output_text.done","output_index":0,"content_index":0,"text":"hello"}"#;
    let part = r#"{"type":"response.content_part.done","output_index":0,"content_index":0,"part":{"type":"output_text","text":"hello"}}"#;
    let item = format!(r#"{{"type":"response.output_item.done","output_index":0,"item":{MESSAGE}}}"#);
    let (end, bare) = (completed(&format!("[{MESSAGE}]")), completed("[]"));
    let ways: [&[&str]; 8] = [
        &[delta, more, done, part, &item, &end],
        &[delta, more, &bare],
        &[done, &bare],
        &[part, &item, &bare],
        &[&item, &item, &end],
        &[&end],
        &[delta, more, &end],
        // The end of the words got lost.
        &[delta, done, &bare],
    ];
    for way in ways {
        let message = named(way);
        assert_eq!(said(&message), pairs(&[("text", "hello")]), "{way:?}");
        assert_eq!(message.stop_reason(), Some(StopReason::End));
        assert_eq!((message.usage.input, message.usage.cache_read), (Some(5), Some(3)));
        assert_eq!((message.usage.output, message.usage.reasoning), (Some(2), Some(1)));
    }
}

#[test]
fn words_that_were_said_are_not_said_again_when_they_differ() {
    let delta = r#"{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"Hello."}"#;
    let item = format!(r#"{{"type":"response.output_item.done","output_index":0,"item":{MESSAGE}}}"#);
    assert_eq!(said(&named(&[delta, &item, &completed("[]")])), pairs(&[("text", "Hello.")]));
}

#[test]
fn calls_are_said_once_and_only_with_their_names() {
    let added = r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","id":"fc_1","call_id":"c1","name":"f","arguments":""}}"#;
    let delta =
        r#"{"type":"response.function_call_arguments.delta","output_index":0,"item_id":"fc_1","delta":"{\"x\":1}"}"#;
    let done = r#"{"type":"response.function_call_arguments.done","output_index":0,"arguments":"{\"x\":1}"}"#;
    let item = format!(r#"{{"type":"response.output_item.done","output_index":0,"item":{CALL}}}"#);
    let (end, bare) = (completed(&format!("[{CALL}]")), completed("[]"));
    let ways: [&[&str]; 6] = [
        &[added, delta, done, &item, &end],
        &[added, done, &bare],
        &[added, &item, &bare],
        &[delta, &item, &bare],
        &[&item, &bare],
        &[&end],
    ];
    for way in ways {
        let message = named(way);
        assert_eq!(said(&message), pairs(&[("call f", r#"{"x":1}"#)]), "{way:?}");
        assert_eq!(message.stop_reason(), Some(StopReason::ToolCalls));
    }
    let nameless =
        r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"function_call","call_id":"c"}}"#;
    assert!(failure(&named(&[nameless, &bare])).is_some());
}

#[test]
fn servers_without_indices_mean_the_item_begun_last() {
    let events = [
        r#"{"type":"response.output_item.added","item":{"type":"message"}}"#,
        r#"{"type":"response.output_text.delta","delta":"hi"}"#,
        r#"{"type":"response.output_item.done","item":{"type":"message","content":[{"type":"output_text","text":"hi"}]}}"#,
        r#"{"type":"response.output_item.added","item":{"type":"function_call","call_id":"c1","name":"f"}}"#,
        r#"{"type":"response.function_call_arguments.delta","delta":"{}"}"#,
        r#"{"type":"response.output_item.done","item":{"type":"function_call","call_id":"c1","name":"f","arguments":"{}"}}"#,
        r#"{"type":"response.completed","response":{"status":"completed"}}"#,
    ];
    assert_eq!(said(&named(&events)), pairs(&[("text", "hi"), ("call f", "{}")]));
}

#[test]
fn the_input_of_a_tool_of_words_is_one_argument() {
    let events = [
        r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"custom_tool_call","call_id":"c1","name":"sh","input":""}}"#,
        r#"{"type":"response.custom_tool_call_input.delta","output_index":0,"delta":"echo \"a\\n"}"#,
        r#"{"type":"response.custom_tool_call_input.delta","output_index":0,"delta":"\"\n"}"#,
        r#"{"type":"response.custom_tool_call_input.done","output_index":0,"input":"echo \"a\\n\"\n"}"#,
        r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"custom_tool_call","call_id":"c1","name":"sh","input":"echo \"a\\n\"\n"}}"#,
    ];
    let bare = completed("[]");
    for cut in [3, 4, 5] {
        let mut events = events[..cut].to_vec();
        events.push(&bare);
        let message = named(&events);
        let arguments = Text::escaped(&message.blocks[0].text).decode().into_owned();
        assert_eq!(value(&arguments), serde_json::json!({"input": "echo \"a\\n\"\n"}), "after {cut}");
    }
}

#[test]
fn a_proof_belongs_to_the_thought_of_its_item() {
    let thought = |id: u8, summary: &str| {
        format!(r#"{{"type":"reasoning","id":"rs_{id}","summary":[{summary}],"encrypted_content":"P{id}"}}"#)
    };
    let words = |text: &str| format!(r#"{{"type":"summary_text","text":"{text}"}}"#);
    let output = [
        thought(1, &format!("{},{}", words("a"), words("b"))),
        thought(2, ""),
        thought(3, &words("c")),
        MESSAGE.into(),
    ];
    let body = format!(r#"{{"id":"resp_1","status":"completed","output":[{}]}}"#, output.join(","));
    let message = fold_whole(&body);
    let proofs: Vec<_> = message.blocks.iter().map(|block| (block.text.as_str(), block.signature.as_deref())).collect();
    assert_eq!(proofs, [("a", None), ("b", Some("P1")), ("", Some("P2")), ("c", Some("P3")), ("hello", None)]);
    let events: Vec<_> = output
        .iter()
        .enumerate()
        .map(|(at, item)| format!(r#"{{"type":"response.output_item.done","output_index":{at},"item":{item}}}"#))
        .collect();
    let mut events: Vec<&str> = events.iter().map(String::as_str).collect();
    let bare = completed("[]");
    events.push(&bare);
    assert_eq!(named(&events).blocks, message.blocks);
}

#[test]
fn a_summary_is_said_instead_of_the_thought_itself() {
    let item = r#"{"type":"reasoning","summary":[{"type":"summary_text","text":"short"}],"content":[{"type":"reasoning_text","text":"long"}]}"#;
    let only = r#"{"type":"reasoning","summary":[],"content":[{"type":"reasoning_text","text":"long"}]}"#;
    let body = |item: &str| format!(r#"{{"status":"completed","output":[{item}]}}"#);
    assert_eq!(said(&fold_whole(&body(item))), pairs(&[("thinking", "short")]));
    assert_eq!(said(&fold_whole(&body(only))), pairs(&[("thinking", "long")]));
}

#[test]
fn what_nobody_else_has_a_word_for_is_told_once() {
    let body = r#"{"status":"completed","output":[
        {"type":"web_search_call","id":"ws_1","status":"completed"},
        {"type":"mcp_call","id":"mcp_1"},
        {"type":"image_generation_call","id":"ig_1","result":"QQ=="},
        {"type":"message","content":[{"type":"output_text","text":"a","annotations":[{"type":"url_citation"}],"logprobs":[{"token":"a"}]},
          {"type":"output_text","text":"b","annotations":[{"type":"url_citation"}]}]}]}"#;
    let (mut lost, mut others) = (Vec::new(), 0);
    events(&[], Some(body), &mut |event| match event {
        Event::Lost(what) => lost.push(*what),
        Event::Open(Block::Other(_)) => others += 1,
        _ => {}
    });
    assert_eq!(lost, ["server_tools", "images", "annotations", "logprobs"]);
    assert_eq!(others, 3);
    assert_eq!(said(&fold_whole(body))[3..], pairs(&[("text", "a"), ("text", "b")]));
}

#[test]
fn an_incomplete_answer_says_why() {
    let end = |reason: &str| {
        format!(
            r#"{{"type":"response.incomplete","response":{{"status":"incomplete","incomplete_details":{{"reason":"{reason}"}},"output":[]}}}}"#
        )
    };
    assert_eq!(named(&[&end("max_output_tokens")]).stop_reason(), Some(StopReason::Length));
    assert_eq!(named(&[&end("content_filter")]).stop_reason(), Some(StopReason::Refused));
    assert_eq!(named(&[&end("steered")]).stop_reason(), Some(StopReason::Other));
}

#[test]
fn a_stream_without_its_end_is_broken() {
    let delta = r#"{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"hi"}"#;
    assert!(failure(&named(&[delta])).is_some());
    assert!(failure(&named(&[delta, "[DONE]"])).is_some());
    let done = r#"{"type":"response.output_text.done","output_index":0,"content_index":0,"text":"hi"}"#;
    assert!(failure(&named(&[delta, done])).is_some());
}

#[test]
fn names_of_tools_are_the_callers() {
    let mut aliases = Aliases::default();
    aliases.add("a_b", "a.b");
    let mut reader = Responses.reader(aliases);
    let body =
        r#"{"status":"completed","output":[{"type":"function_call","call_id":"c","name":"a_b","arguments":"{}"}]}"#;
    let mut names = Vec::new();
    reader.read(Frame::Whole(json(body)), &mut |piece| {
        if let crate::hub::Piece::ToolCall { name, .. } = piece {
            names.push(name.raw().to_string());
        }
    });
    assert_eq!(names, ["a.b"]);
}
