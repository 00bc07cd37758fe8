//! Answers of providers as they come, and answers for clients as OpenAI's own look.

use super::*;
use crate::hub::event::ErrorClass;
use crate::hub::{Block, ProviderError, Stop};

fn text(raw: &str) -> Text<'_> {
    Text::escaped(raw)
}

fn stop(reason: StopReason) -> Event<'static> {
    Event::Stop(Stop { reason, sequence: None })
}

fn start() -> Event<'static> {
    Event::Start { id: Some(text("id1")), model: Some(text("m1")) }
}

fn chunks(deltas: &[&str], end: &str) -> Message {
    let stream: String = deltas
        .iter()
        .map(|delta| {
            format!("data: {{\"id\":\"i\",\"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{delta}}}]}}\n\n")
        })
        .collect();
    fold_stream(&(stream + end))
}

const END: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";

#[test]
fn thoughts_are_found_wherever_they_stand_and_only_once() {
    let deltas = [
        r#"{"reasoning_content":"t"}"#,
        r#"{"reasoning":"t"}"#,
        r#"{"reasoning":"t","reasoning_content":"t","reasoning_details":[{"type":"reasoning.text","text":"t"}]}"#,
        r#"{"reasoning":null,"reasoning_details":[{"type":"reasoning.summary","summary":"t"}]}"#,
        r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"t"}]}]}"#,
        r#"{"content":[{"type":"thinking","thinking":"t"}]}"#,
    ];
    for delta in deltas {
        let sum = sum(&chunks(&[delta, r#"{"content":"c"}"#], END));
        assert_eq!((sum.thinking.as_str(), sum.text.as_str(), sum.end), ("t", "c", Some("stop")), "{delta}");
    }
}

#[test]
fn calls_are_told_apart_however_they_are_numbered() {
    let call = |index: &str, id: &str, name: &str, arguments: &str| {
        format!(r#"{{"tool_calls":[{{{index}{id}"function":{{{name}"arguments":"{arguments}"}}}}]}}"#)
    };
    let streams = [
        // As OpenAI has it.
        vec![
            call(r#""index":0,"#, r#""id":"a","#, r#""name":"f","#, ""),
            call(r#""index":0,"#, "", "", "{}"),
            call(r#""index":1,"#, r#""id":"b","#, r#""name":"g","#, ""),
            call(r#""index":1,"#, "", "", "[]"),
        ],
        // Every call is number 0.
        vec![
            call(r#""index":0,"#, r#""id":"a","#, r#""name":"f","#, "{}"),
            call(r#""index":0,"#, r#""id":"b","#, r#""name":"g","#, "[]"),
        ],
        // No numbers.
        vec![
            call("", r#""id":"a","#, r#""name":"f","#, "{}"),
            call("", r#""id":"b","#, r#""name":"g","#, ""),
            call("", "", "", "[]"),
        ],
        // Interleaved.
        vec![
            call(r#""index":0,"#, r#""id":"a","#, r#""name":"f","#, "{"),
            call(r#""index":1,"#, r#""id":"b","#, r#""name":"g","#, "["),
            call(r#""index":0,"#, "", "", "}"),
            call(r#""index":1,"#, "", "", "]"),
        ],
        // The name comes after the id and some arguments.
        vec![
            call(r#""index":0,"#, r#""id":"a","#, "", "{"),
            call(r#""index":0,"#, "", r#""name":"f","#, "}"),
            call(r#""index":1,"#, r#""id":"b","#, r#""name":"g","#, "[]"),
        ],
        // Id and name are repeated.
        vec![
            call(r#""index":0,"#, r#""id":"a","#, r#""name":"f","#, "{"),
            call(r#""index":0,"#, r#""id":"a","#, r#""name":"f","#, "}"),
            call(r#""index":1,"#, r#""id":"b","#, r#""name":"g","#, "[]"),
        ],
    ];
    for stream in streams {
        let deltas: Vec<&str> = stream.iter().map(String::as_str).collect();
        let sum = sum(&chunks(&deltas, END));
        let calls: Vec<_> = sum
            .calls
            .iter()
            .map(|(id, name, arguments, _)| (id.as_deref(), name.as_str(), arguments.as_str()))
            .collect();
        assert_eq!(calls, [(Some("a"), "f", "{}"), (Some("b"), "g", "[]")], "{stream:?}");
        assert_eq!(sum.end, Some("tool_calls"));
    }
}

#[test]
fn a_call_without_a_name_is_an_error() {
    let message = chunks(&[r#"{"tool_calls":[{"index":0,"id":"a","function":{"arguments":"{}"}}]}"#], END);
    assert!(failure(&message).is_some_and(|error| error.message.contains("without a name")), "{message:?}");
}

#[test]
fn arguments_may_be_an_object_and_calls_of_the_legacy_kind() {
    let whole = r#"{"choices":[{"message":{"tool_calls":[{"function":{"name":"f","arguments":{"a":"\"x\""}}}]},"finish_reason":"tool_calls"}]}"#;
    assert_eq!(sum(&fold_whole(whole)).calls, [(None, "f".into(), r#"{"a":"\"x\""}"#.into(), None)]);
    let deltas = [r#"{"function_call":{"name":"f","arguments":""}}"#, r#"{"function_call":{"arguments":"{}"}}"#];
    assert_eq!(sum(&chunks(&deltas, END)).calls, [(None, "f".into(), "{}".into(), None)]);
    let empty = r#"{"choices":[{"message":{"content":"c","function_call":{"name":"","arguments":""}},"finish_reason":"stop"}]}"#;
    assert_eq!(sum(&fold_whole(empty)).calls, []);
}

#[test]
fn a_thought_signature_belongs_to_its_call() {
    let whole = r#"{"choices":[{"message":{"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{}"},"extra_content":{"google":{"thought_signature":"s"}}}]},"finish_reason":"stop"}]}"#;
    assert_eq!(sum(&fold_whole(whole)).calls, [(Some("a".into()), "f".into(), "{}".into(), Some("s".into()))]);
}

#[test]
fn usage_is_found_in_all_its_places() {
    let usages = [
        r#""usage":{"prompt_tokens":9,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":3},"completion_tokens_details":{"reasoning_tokens":2}}"#,
        r#""x_groq":{"usage":{"prompt_tokens":9,"completion_tokens":4,"cached_tokens":3,"reasoning_tokens":2}}"#,
        r#""usage":{"prompt_tokens":9,"completion_tokens":4,"prompt_cache_hit_tokens":3,"completion_tokens_details":{"reasoning_tokens":2},"prompt_tokens_details":null}"#,
    ];
    for usage in usages {
        let stream = format!("data: {{\"choices\":[],{usage}}}\n\n{END}");
        let read = fold_stream(&stream).usage;
        let counts = (read.input, read.cache_read, read.output, read.reasoning);
        assert_eq!(counts, (Some(9), Some(3), Some(4), Some(2)), "{usage}");
        let tap = ChatCompletions.usage().read(json(&format!("{{{usage}}}")));
        assert_eq!(tap, read, "the tap agrees with the reader");
    }
    let in_choice = r#"{"choices":[{"message":{"content":"c"},"finish_reason":"stop","usage":{"prompt_tokens":1,"completion_tokens":2}}]}"#;
    assert_eq!(fold_whole(in_choice).usage.output, Some(2));
}

#[test]
fn a_message_beside_the_delta_is_not_news() {
    let stream = r#"data: {"choices":[{"delta":{"content":"a"},"message":{"content":"a"}}]}

data: {"choices":[{"delta":{"content":"b"},"message":{"content":"ab"},"finish_reason":"stop"}]}
"#;
    assert_eq!(sum(&fold_stream(stream)).text, "ab");
}

#[test]
fn only_the_first_choice_is_read() {
    let whole = r#"{"choices":[{"index":1,"message":{"content":"b"}},{"index":0,"message":{"content":"a"},"finish_reason":"length"}]}"#;
    let sum = sum(&fold_whole(whole));
    assert_eq!((sum.text.as_str(), sum.end), ("a", Some("length")));
}

#[test]
fn every_reason_to_stop_has_a_meaning() {
    let cases = [
        ("stop", StopReason::End),
        ("eos", StopReason::End),
        ("length", StopReason::Length),
        ("model_length", StopReason::Length),
        ("tool_calls", StopReason::ToolCalls),
        ("function_call", StopReason::ToolCalls),
        ("content_filter", StopReason::Refused),
        ("quantum", StopReason::Other),
    ];
    for (word, reason) in cases {
        let body = format!(r#"{{"choices":[{{"message":{{"content":"c"}},"finish_reason":"{word}"}}]}}"#);
        assert_eq!(fold_whole(&body).stop_reason(), Some(reason), "{word}");
    }
    let matched = r#"{"choices":[{"message":{"content":"c"},"finish_reason":"stop","stop_reason":"END"}]}"#;
    assert_eq!(fold_whole(matched).end, End::Stopped(StopReason::Sequence, Some("END".into())));
}

#[test]
fn errors_in_an_answer_end_it() {
    let streams = [
        "data: {\"error\":{\"message\":\"no\",\"code\":502}}\n\n",
        "event: error\ndata: {\"error\":{\"message\":\"no\",\"type\":\"server_error\"}}\n\n",
        "event: error\ndata: \"no\"\n\n",
        "data: {\"error\":\"no\"}\n\n",
        "data: {\"object\":\"error\",\"message\":\"no\",\"type\":\"x\"}\n\n",
        "data: [{\"error\":{\"message\":\"no\"}}]\n\n",
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},\"finish_reason\":\"error\",\"error\":{\"message\":\"no\"}}]}\n\n",
    ];
    for stream in streams {
        let message = fold_stream(&(stream.to_string() + END));
        assert_eq!(failure(&message).map(|error| error.message.as_str()), Some("no"), "{stream}");
    }
    for broken in ["data: {\"choices\":[\n\n", "data: 7\n\n", "data: <html>\n\n", ""] {
        let message = fold_stream(broken);
        assert_eq!(failure(&message).map(|error| error.class), Some(ErrorClass::BadAnswer), "{broken}");
    }
    for body in ["{}", "[]", "7", r#"{"choices":[]}"#, r#"{"choices":{}}"#] {
        assert!(failure(&fold_whole(body)).is_some(), "{body}");
    }
}

#[test]
fn a_stream_that_is_cut_is_not_complete() {
    let whole = format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"abc\"}}}}]}}\n\n{END}");
    let complete = whole.find("\"stop\"").unwrap();
    for cut in 0..complete {
        assert!(failure(&fold_stream(&whole[..cut])).is_some(), "cut at {cut}");
    }
}

#[test]
fn a_streamed_answer_looks_like_openais() {
    let asked = r#"{"model":"m","messages":[],"stream":true,"stream_options":{"include_usage":true}}"#;
    let usage = Usage { input: Some(5), cache_read: Some(2), output: Some(3), reasoning: Some(1), ..Usage::default() };
    let events = [
        start(),
        Event::Open(Block::Text),
        Event::Delta(text("h\\n")),
        Event::Close,
        Event::Open(Block::ToolCall { id: None, name: text("f") }),
        Event::Close,
        Event::Usage(usage),
        stop(StopReason::ToolCalls),
    ];
    let out = answer(asked, Delivery::Streamed, &events);
    let head = r#""id":"id1","object":"chat.completion.chunk","created":1700000000,"model":"m1""#;
    let chunk = |delta: &str, finish: &str| {
        format!(
            "data: {{{head},\"choices\":[{{\"index\":0,\"delta\":{delta},\"logprobs\":null,\"finish_reason\":{finish}}}],\"usage\":null}}\n\n"
        )
    };
    let wanted = [
        chunk(r#"{"role":"assistant","content":""}"#, "null"),
        chunk(r#"{"content":"h\n"}"#, "null"),
        chunk(
            r#"{"tool_calls":[{"index":0,"id":"call_x1_0","type":"function","function":{"name":"f","arguments":""}}]}"#,
            "null",
        ),
        chunk(r#"{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}"#, "null"),
        chunk("{}", r#""tool_calls""#),
        format!(
            "data: {{{head},\"choices\":[],\"usage\":{{\"prompt_tokens\":5,\"completion_tokens\":3,\"total_tokens\":8,\"prompt_tokens_details\":{{\"cached_tokens\":2}},\"completion_tokens_details\":{{\"reasoning_tokens\":1}}}}}}\n\n"
        ),
        "data: [DONE]\n\n".to_string(),
    ];
    assert_eq!(out, wanted.concat());
}

#[test]
fn usage_is_streamed_only_to_those_who_ask() {
    let usage = Usage { input: Some(5), output: Some(3), ..Usage::default() };
    let events = [start(), Event::Usage(usage), stop(StopReason::End)];
    let said = |options: &str| {
        let asked = format!(r#"{{"model":"m","messages":[],"stream":true{options}}}"#);
        answer(&asked, Delivery::Streamed, &events).contains("prompt_tokens")
    };
    assert!(!said(""));
    assert!(!said(r#","stream_options":{"include_usage":false}"#));
    assert!(said(r#","stream_options":{"include_usage":true}"#));
    assert!(said(r#","stream_options":{"include_usage":true,"include_obfuscation":false}"#));
}

#[test]
fn a_whole_answer_looks_like_openais() {
    let asked = r#"{"model":"m","messages":[]}"#;
    let events = [
        Event::Start { id: None, model: None },
        Event::Open(Block::Thinking),
        Event::Delta(text("t")),
        Event::Close,
        Event::Open(Block::Text),
        Event::Delta(text("a")),
        Event::Delta(text("b")),
        Event::Close,
        stop(StopReason::Length),
    ];
    assert_eq!(
        answer(asked, Delivery::Whole, &events),
        r#"{"id":"chatcmpl-x1","object":"chat.completion","created":1700000000,"model":"asked","choices":[{"index":0,"message":{"role":"assistant","content":"ab","refusal":null,"reasoning_content":"t"},"logprobs":null,"finish_reason":"length"}]}"#
    );
    let events =
        [start(), Event::Open(Block::Refusal), Event::Delta(text("no")), Event::Close, stop(StopReason::Refused)];
    let body = value(&answer(asked, Delivery::Whole, &events));
    assert_eq!(body["choices"][0]["message"]["refusal"], "no");
    assert!(body["choices"][0]["message"]["content"].is_null());
    assert_eq!(body["choices"][0]["finish_reason"], "content_filter");
}

#[test]
fn an_error_in_a_stream_is_not_followed_by_a_good_end() {
    let error =
        ProviderError { class: ErrorClass::Overloaded, message: "later \"please\"".into(), ..ProviderError::default() };
    let events = [start(), Event::Open(Block::Text), Event::Delta(text("a")), Event::Close, Event::Error(error)];
    let asked = r#"{"model":"m","messages":[],"stream":true}"#;
    let out = answer(asked, Delivery::Streamed, &events);
    let (_, last) = out.trim_end().rsplit_once("\n\n").unwrap();
    assert_eq!(
        last,
        r#"data: {"error":{"message":"later \"please\"","type":"server_error","param":null,"code":"overloaded"}}"#
    );
    assert!(!out.contains(r#""finish_reason":""#) && !out.contains("[DONE]"));
    assert_eq!(answer(asked, Delivery::Whole, &events), "", "the attempt answers with a status");
}

#[test]
fn a_client_with_functions_gets_a_function_call() {
    let asked = r#"{"model":"m","messages":[],"functions":[{"name":"f"}],"stream":true}"#;
    let events = [
        start(),
        Event::Open(Block::ToolCall { id: Some(text("a")), name: text("f") }),
        Event::Delta(text("{\\\"a\\\":1}")),
        Event::Close,
        stop(StopReason::ToolCalls),
    ];
    let body = value(&answer(asked, Delivery::Whole, &events));
    let call = serde_json::json!({"name": "f", "arguments": "{\"a\":1}"});
    assert_eq!(body["choices"][0]["message"]["function_call"], call);
    assert_eq!(body["choices"][0]["finish_reason"], "function_call");
    let stream = answer(asked, Delivery::Streamed, &events);
    assert!(
        stream.contains(r#"{"function_call":{"arguments":"{\"a\":1}"}}"#) && !stream.contains("tool_calls"),
        "{stream}"
    );
}

#[test]
fn the_end_of_a_stream_is_told_by_its_data() {
    assert!(ChatCompletions.is_end("", "[DONE]") && ChatCompletions.is_end("", " [DONE]"));
    assert!(!ChatCompletions.is_end("done", r#"{"choices":[]}"#));
}

/// What an answer holds without a word for it.
fn lost(body: &str) -> Vec<&'static str> {
    let mut lost = Vec::new();
    events(&[], Some(body), &mut |event| {
        if let Event::Lost(what) = event {
            lost.push(*what);
        }
    });
    lost
}

#[test]
fn what_has_no_word_is_noted_once() {
    let message = |members: &str, beside: &str| {
        format!(r#"{{"choices":[{{"message":{{"content":"c"{members}}}{beside},"finish_reason":"stop"}}]}}"#)
    };
    assert_eq!(
        lost(&message(r#","annotations":[{"type":"url_citation"}],"audio":{"id":"a"}"#, "")),
        ["annotations", "audio"]
    );
    assert_eq!(
        lost(&message(r#","images":[{"x":1}]"#, r#","logprobs":{"content":[{"token":"c"}]}"#)),
        ["logprobs", "images"]
    );
    assert_eq!(
        lost(&message(r#","annotations":[],"audio":null"#, r#","logprobs":{"content":null,"refusal":[]}"#)),
        [""; 0]
    );
    let cited = r#"{"citations":["u"],"search_results":[{"url":"u"}],"choices":[{"message":{"content":"c"},"finish_reason":"stop"}]}"#;
    assert_eq!(lost(cited), ["citations"]);
}

/// The thoughts and calls of an answer, with their proofs.
fn proofs(message: &Message) -> Vec<(String, Option<String>)> {
    let plain = |text: &str| Text::escaped(text).decode().into_owned();
    let shown = message.blocks.iter().map(|block| {
        let words = match &block.kind {
            SaidKind::ToolCall { name, .. } => format!("{name}()"),
            _ => plain(&block.text),
        };
        (words, block.signature.as_deref().map(plain))
    });
    shown.collect()
}

#[test]
fn proofs_stay_with_their_thoughts() {
    let details = r#"[{"type":"reasoning.text","text":"a","signature":"s","format":"f"},{"type":"reasoning.text","text":"b"},{"type":"reasoning.encrypted","data":"e"}]"#;
    let body = format!(
        r#"{{"choices":[{{"message":{{"reasoning":"ab","content":"c","reasoning_details":{details}}},"finish_reason":"stop"}}]}}"#
    );
    let item = |text: &str| Some(text.to_string());
    let wanted = [
        ("a".to_string(), item(r#"{"type":"reasoning.text","signature":"s","format":"f"}"#)),
        ("b".to_string(), item(r#"{"type":"reasoning.encrypted","data":"e"}"#)),
        ("c".to_string(), None),
    ];
    assert_eq!(proofs(&fold_whole(&body)), wanted);
    let deltas = [
        r#"{"reasoning":"a","reasoning_details":[{"type":"reasoning.text","text":"a"}]}"#,
        r#"{"content":"","reasoning_details":[{"type":"reasoning.text","signature":"s","format":"f"}]}"#,
        r#"{"reasoning":"b","reasoning_details":[{"type":"reasoning.text","text":"b"}]}"#,
        r#"{"content":"","reasoning_details":[{"type":"reasoning.encrypted","data":"e"}]}"#,
        r#"{"content":"c"}"#,
    ];
    assert_eq!(proofs(&chunks(&deltas, END)), wanted);
}

#[test]
fn a_proof_among_calls_does_not_cut_them() {
    let call = |fragment: &str| {
        format!(r#""tool_calls":[{{"index":0,"id":"a","function":{{"name":"f","arguments":"{fragment}"}}}}]"#)
    };
    let detail = |id: &str| format!(r#""reasoning_details":[{{"type":"reasoning.encrypted","data":"e"{id}}}]"#);
    let named = [
        vec![format!("{{{},{}}}", detail(r#","id":"a""#), call("{")), format!("{{{}}}", call("}"))],
        vec![format!("{{{}}}", call("{")), format!("{{{}}}", detail(r#","id":"a""#)), format!("{{{}}}", call("}"))],
    ];
    for stream in named {
        let deltas: Vec<&str> = stream.iter().map(String::as_str).collect();
        let message = chunks(&deltas, END);
        let proof = r#"{"type":"reasoning.encrypted","data":"e","id":"a"}"#.to_string();
        assert_eq!(proofs(&message), [("f()".to_string(), Some(proof))], "{stream:?}");
        assert_eq!(sum(&message).calls[0].2, "{}");
    }
    let other = [format!("{{{}}}", call("{")), format!("{{{}}}", detail("")), format!("{{{}}}", call("}"))];
    let message = chunks(&[&other[0], &other[1], &other[2]], END);
    let proof = r#"{"type":"reasoning.encrypted","data":"e"}"#.to_string();
    assert_eq!(proofs(&message), [("f()".to_string(), None), (String::new(), Some(proof))]);
}

#[test]
fn a_thought_is_told_with_its_proof_whole_and_streamed() {
    let asked = r#"{"model":"m","messages":[],"stream":true}"#;
    let events = [
        start(),
        Event::Open(Block::Thinking),
        Event::Delta(text("a")),
        Event::Delta(text("b")),
        Event::Signature(text("dgm1:")),
        Event::Signature(text("s")),
        Event::Close,
        Event::Open(Block::Thinking),
        Event::Signature(text("e")),
        Event::Close,
        Event::Open(Block::Text),
        Event::Delta(text("c")),
        Event::Close,
        stop(StopReason::End),
    ];
    let wanted = serde_json::json!([
        {"type": "reasoning.text", "text": "ab", "signature": "dgm1:s"}, {"type": "reasoning.encrypted", "data": "e"},
    ]);
    let whole = value(&answer(asked, Delivery::Whole, &events));
    assert_eq!(whole["choices"][0]["message"]["reasoning_details"], wanted);
    assert_eq!(whole["choices"][0]["message"]["reasoning_content"], "ab");
    let stream = answer(asked, Delivery::Streamed, &events);
    let mut details = Vec::new();
    for (_, data) in frames(&stream).iter().filter(|(_, data)| data.starts_with('{')) {
        details.extend(value(data)["choices"][0]["delta"]["reasoning_details"].as_array().cloned().unwrap_or_default());
    }
    assert_eq!(serde_json::Value::Array(details), wanted);
}

#[test]
fn a_client_with_tools_of_plain_words_gets_plain_words() {
    let asked = r#"{"model":"m","messages":[],"tools":[{"type":"custom","custom":{"name":"p"}},{"type":"function","function":{"name":"f"}}],"stream":true}"#;
    let call =
        |id: &'static str, name: &'static str| Event::Open(Block::ToolCall { id: Some(text(id)), name: text(name) });
    let events = [
        start(),
        call("a", "p"),
        Event::Delta(text(r#"{\"input\":\"x \\\"y"#)),
        Event::Delta(text(r#"\\\"\"}"#)),
        Event::Close,
        call("b", "f"),
        Event::Delta(text("{}")),
        Event::Close,
        call("c", "p"),
        Event::Delta(text("[1]")),
        Event::Close,
        stop(StopReason::ToolCalls),
    ];
    let wanted = serde_json::json!([
        {"id": "a", "type": "custom", "custom": {"name": "p", "input": "x \"y\""}},
        {"id": "b", "type": "function", "function": {"name": "f", "arguments": "{}"}},
        {"id": "c", "type": "custom", "custom": {"name": "p", "input": "[1]"}},
    ]);
    let whole = answer(asked, Delivery::Whole, &events);
    assert_eq!(value(&whole)["choices"][0]["message"]["tool_calls"], wanted);
    let stream = answer(asked, Delivery::Streamed, &events);
    assert!(
        stream.contains(r#"{"index":0,"id":"a","type":"custom","custom":{"name":"p","input":"x \"y\""}}"#),
        "{stream}"
    );
    // And a provider's own calls of that kind are understood, whole and streamed.
    let calls = [("a", "p", r#"{"input":"x \"y\""}"#), ("b", "f", "{}"), ("c", "p", r#"{"input":"[1]"}"#)];
    for read in [fold_whole(&whole), fold_stream(&stream)] {
        let sum = sum(&read);
        let found: Vec<_> = sum
            .calls
            .iter()
            .map(|(id, name, text, _)| (id.as_deref().unwrap(), name.as_str(), text.as_str()))
            .collect();
        assert_eq!(found, calls);
    }
}

#[test]
fn a_custom_call_may_come_in_fragments() {
    let deltas = [
        r#"{"tool_calls":[{"index":0,"id":"a","type":"custom","custom":{"name":"p","input":""}}]}"#,
        r#"{"tool_calls":[{"index":0,"custom":{"input":"x \""}}]}"#,
        r#"{"tool_calls":[{"index":0,"custom":{"input":"y\n"}}]}"#,
    ];
    let calls = sum(&chunks(&deltas, END)).calls;
    assert_eq!(calls, [(Some("a".into()), "p".into(), r#"{"input":"x \"y\n"}"#.into(), None)]);
}
