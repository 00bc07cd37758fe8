//! Answers for clients: the grammar of the events, and what was said in plainer words turned back.

use super::*;
use crate::hub::ProviderError;
use crate::hub::event::ErrorClass;
use crate::usage::Usage;

const ASKED: &str = r#"{"model":"asked","input":"","instructions":"two\nlines",
"include":["reasoning.encrypted_content"],"metadata":{"a":"b"},"tools":[
{"type":"custom","name":"sh"},{"type":"namespace","name":"os","tools":[{"type":"function","name":"ls"},{"type":"custom","name":"cat"}]}]}"#;

fn text(words: &str) -> Text<'_> {
    Text::escaped(words)
}

fn block(block: Block<'_>, deltas: &[&str], proof: Option<&str>, take: &mut dyn FnMut(&Event<'_>)) {
    take(&Event::Open(block));
    deltas.iter().for_each(|delta| take(&Event::Delta(text(delta))));
    proof.into_iter().for_each(|proof| take(&Event::Signature(text(proof))));
    take(&Event::Close);
}

fn call<'a>(id: Option<&'a str>, name: &'a str) -> Block<'a> {
    Block::ToolCall { id: id.map(text), name: text(name) }
}

fn stop(reason: StopReason, take: &mut dyn FnMut(&Event<'_>)) {
    take(&Event::Usage(Usage { input: Some(5), output: Some(2), ..Usage::default() }));
    take(&Event::Stop(Stop { reason, sequence: None }));
}

/// An answer with one of everything.
fn everything(take: &mut dyn FnMut(&Event<'_>)) {
    take(&Event::Start { id: Some(text("msg_of_somebody")), model: Some(text("model-1")) });
    block(Block::Thinking, &["hm", " hm"], Some("P"), take);
    block(Block::Thinking, &[], Some("Q"), take);
    block(Block::Text, &["a", "b"], None, take);
    block(Block::Other(json(r#"{"type":"foreign_block"}"#)), &[], None, take);
    block(Block::Refusal, &["no"], None, take);
    block(call(Some("c1"), "f"), &[r#"{\"x\""#, ":1}"], None, take);
    block(call(None, "os__ls"), &[], None, take);
    block(call(Some("c3"), "sh"), &[r#"{\"input\":\"ls \\\"x\\\"\"}"#], None, take);
    block(call(Some("c4"), "os__cat"), &["null"], None, take);
    block(Block::Text, &["end"], None, take);
    stop(StopReason::ToolCalls, take);
}

fn events_of(stream: &str) -> Vec<Value> {
    let frames = frames(stream);
    for (name, data) in &frames {
        assert_eq!(value(data)["type"], *name, "the event is named after its type");
    }
    frames.iter().map(|(_, data)| value(data)).collect()
}

#[test]
fn items_are_written_as_the_client_knows_them() {
    let body = value(&answer(ASKED, Delivery::Whole, everything));
    let output = serde_json::json!([
        {"id": "rs_x1_0", "type": "reasoning", "summary": [{"type": "summary_text", "text": "hm hm"}], "encrypted_content": "P"},
        {"id": "rs_x1_1", "type": "reasoning", "summary": [], "encrypted_content": "Q"},
        {"id": "msg_x1_2", "type": "message", "status": "completed", "role": "assistant", "content": [
            {"type": "output_text", "annotations": [], "logprobs": [], "text": "ab"}, {"type": "refusal", "refusal": "no"}]},
        {"id": "fc_x1_3", "type": "function_call", "arguments": "{\"x\":1}", "status": "completed", "name": "f", "call_id": "c1"},
        {"id": "fc_x1_4", "type": "function_call", "arguments": "{}", "status": "completed", "name": "ls", "namespace": "os", "call_id": "call_x1_4"},
        {"id": "ctc_x1_5", "type": "custom_tool_call", "input": "ls \"x\"", "status": "completed", "name": "sh", "call_id": "c3"},
        {"id": "ctc_x1_6", "type": "custom_tool_call", "input": "", "status": "completed", "name": "cat", "namespace": "os", "call_id": "c4"},
        {"id": "msg_x1_7", "type": "message", "status": "completed", "role": "assistant", "content": [
            {"type": "output_text", "annotations": [], "logprobs": [], "text": "end"}]},
    ]);
    assert_eq!(body["output"], output);
    assert_eq!(
        (&body["id"], &body["model"], &body["status"]),
        (&"resp_x1".into(), &"model-1".into(), &"completed".into())
    );
    assert_eq!(body["usage"]["total_tokens"], 7);
    assert_eq!(body["usage"]["input_tokens_details"], serde_json::json!({"cached_tokens": 0, "cache_write_tokens": 0}));
    assert_eq!((&body["instructions"], &body["metadata"]["a"]), (&"two\nlines".into(), &"b".into()));
    assert_eq!((&body["tools"], &body["store"]), (&value(ASKED)["tools"], &false.into()));
}

#[test]
fn a_stream_has_its_places_and_numbers_and_ends_with_the_whole_answer() {
    let stream = answer(ASKED, Delivery::Streamed, everything);
    let events = events_of(&stream);
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], number, "{event}");
    }
    let kinds: Vec<_> =
        events.iter().map(|event| event["type"].as_str().unwrap().trim_start_matches("response.")).collect();
    let message = ["output_item.added", "content_part.added", "output_text.delta"];
    assert_eq!(kinds[..3], ["created", "in_progress", "output_item.added"]);
    let thought = [
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
    ];
    assert_eq!(kinds[2..9], thought);
    assert_eq!(kinds[9..11], ["output_item.added", "output_item.done"], "a thought that is not shown");
    assert_eq!(kinds[11..14], message);
    let rest = [
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "content_part.added",
        "refusal.delta",
        "refusal.done",
        "content_part.done",
        "output_item.done",
    ];
    assert_eq!(kinds[14..22], rest);
    // Every item is opened and closed once, in order, and what is between belongs to it.
    let mut open = None;
    let mut next = 0;
    for event in events.iter().filter(|event| event.get("output_index").is_some()) {
        let index = event["output_index"].as_u64().unwrap();
        match event["type"].as_str().unwrap() {
            "response.output_item.added" => {
                assert_eq!((open, index), (None, next), "{event}");
                open = Some(event["item"]["id"].clone());
            }
            "response.output_item.done" => {
                assert_eq!((open.take(), index), (Some(event["item"]["id"].clone()), next), "{event}");
                next += 1;
            }
            _ => assert_eq!((open.as_ref(), index), (Some(&event["item_id"]), next), "{event}"),
        }
    }
    let last = events.last().unwrap();
    assert_eq!(last["type"], "response.completed");
    assert_eq!(last["response"], value(&answer(ASKED, Delivery::Whole, everything)));
    let done: Vec<_> = events
        .iter()
        .filter(|event| event["type"] == "response.output_item.done")
        .map(|event| event["item"].clone())
        .collect();
    assert_eq!(last["response"]["output"], Value::Array(done));
}

#[test]
fn a_thought_says_whose_it_is_even_when_nobody_proved_it() {
    let thought = |proof: Option<&'static str>| {
        let body = value(&answer(r#"{"model":"m","input":""}"#, Delivery::Whole, |take| {
            take(&Event::Start { id: None, model: None });
            take(&Event::Open(Block::Thinking));
            take(&Event::Delta(Text::escaped("t")));
            proof.into_iter().for_each(|proof| take(&Event::Signature(Text::escaped(proof))));
            take(&Event::Close);
            take(&Event::Stop(Stop { reason: StopReason::End, sequence: None }));
        }));
        body["output"][0]["encrypted_content"].as_str().map(String::from)
    };
    assert_eq!(thought(Some("p")).as_deref(), Some("p"));
    assert_eq!(thought(None), Some(crate::hub::provenance::mark(crate::hub::provenance::NOBODY)));
}

#[test]
fn what_was_not_asked_for_is_repeated_as_the_types_demand() {
    let body = value(&answer(r#"{"model":"m","input":""}"#, Delivery::Whole, |take| {
        take(&Event::Start { id: None, model: None });
        take(&Event::Stop(Stop { reason: StopReason::End, sequence: None }));
    }));
    assert_eq!(
        (&body["tools"], &body["tool_choice"], &body["parallel_tool_calls"]),
        (&serde_json::json!([]), &"auto".into(), &true.into())
    );
    assert_eq!(
        (&body["model"], &body["usage"], &body["output"]),
        (&"asked".into(), &Value::Null, &serde_json::json!([]))
    );
}

#[test]
fn why_it_stopped_is_the_status() {
    let end = |reason: StopReason, refusal: bool| {
        let say = |take: &mut dyn FnMut(&Event<'_>)| {
            take(&Event::Start { id: Some(text("resp_9")), model: None });
            if refusal {
                block(Block::Refusal, &["no"], None, take);
            }
            stop(reason, take);
        };
        let body = value(&answer(ASKED, Delivery::Whole, say));
        let streamed = events_of(&answer(ASKED, Delivery::Streamed, say));
        let last = streamed.last().unwrap();
        assert_eq!(last["response"], body);
        assert_eq!(last["type"], format!("response.{}", body["status"].as_str().unwrap()));
        assert_eq!(body["id"], "resp_9", "a response's own id is kept");
        body["incomplete_details"]["reason"].as_str().map(str::to_string)
    };
    assert_eq!(end(StopReason::End, false), None);
    assert_eq!(end(StopReason::Sequence, false), None);
    assert_eq!(end(StopReason::Length, false).as_deref(), Some("max_output_tokens"));
    assert_eq!(end(StopReason::Refused, false).as_deref(), Some("content_filter"));
    assert_eq!(end(StopReason::Refused, true), None, "the words say it");
}

#[test]
fn an_error_ends_a_stream_and_leaves_a_whole_answer_unsaid() {
    let class = ErrorClass::ContextTooLong;
    let error = ProviderError { class, message: "too long".into(), ..ProviderError::default() };
    let say = |take: &mut dyn FnMut(&Event<'_>)| {
        take(&Event::Start { id: None, model: None });
        block(Block::Text, &["a"], None, take);
        take(&Event::Error(error.clone()));
        take(&Event::Error(error.clone()));
    };
    assert_eq!(answer(ASKED, Delivery::Whole, say), "");
    let events = events_of(&answer(ASKED, Delivery::Streamed, say));
    let [.., told, failed] = events.as_slice() else { panic!() };
    assert_eq!((&told["type"], &told["code"]), (&"error".into(), &"context_length_exceeded".into()));
    assert_eq!((&failed["type"], &failed["response"]["status"]), (&"response.failed".into(), &"failed".into()));
    assert_eq!(failed["response"]["error"], serde_json::json!({"code": "invalid_prompt", "message": "too long"}));
    assert!(events.iter().all(|event| event["type"] != "response.completed"));
    assert_eq!(events.iter().filter(|event| event["type"] == "error").count(), 1);
}
