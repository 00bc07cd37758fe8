//! Answers, written.

use super::*;
use crate::hub::StopReason;
use crate::hub::event::{Block, ErrorClass, Stop};
use crate::hub::message::{End, SaidKind};
use crate::json::Text;
use crate::usage::Usage;
use proptest::prelude::*;

fn reply(delivery: Delivery) -> Reply {
    Reply { delivery, exchange: "x-1".into(), created: 1, model: "ours".into() }
}

fn written(delivery: Delivery, events: &[Event<'_>]) -> String {
    let request = Request::new(DialectId::GenerateContent, delivery);
    let mut writer = GenerateContent.writer(&request, reply(delivery));
    let mut out = Vec::new();
    events.iter().for_each(|event| writer.write(event, &mut out));
    String::from_utf8(out).unwrap()
}

fn t(text: &str) -> Text<'_> {
    Text::escaped(text)
}

fn stop(reason: StopReason) -> Event<'static> {
    Event::Stop(Stop { reason, sequence: None })
}

fn answer() -> Vec<Event<'static>> {
    vec![
        Event::Start { id: Some(t("r")), model: None },
        Event::Open(Block::Thinking),
        Event::Delta(t("hm")),
        Event::Signature(t("s1")),
        Event::Close,
        Event::Open(Block::Text),
        Event::Delta(t("a\\n")),
        Event::Delta(t("b")),
        Event::Close,
        Event::Open(Block::ToolCall { id: Some(t("i")), name: t("f") }),
        Event::Signature(t("s2")),
        Event::Delta(t("{\\\"x\\\"")),
        Event::Delta(t(":1}")),
        Event::Close,
        Event::Usage(Usage {
            input: Some(10),
            cache_read: Some(4),
            output: Some(9),
            reasoning: Some(5),
            ..Usage::default()
        }),
        stop(StopReason::ToolCalls),
    ]
}

#[test]
fn a_whole_answer_is_one_document() {
    assert_eq!(
        value(&written(Delivery::Whole, &answer())),
        value(
            r#"{"candidates":[{"content":{"parts":[{"text":"hm","thought":true,"thoughtSignature":"s1"},{"text":"a\nb"},
            {"functionCall":{"id":"i","name":"f","args":{"x":1}},"thoughtSignature":"s2"}],"role":"model"},"finishReason":"STOP","index":0}],
            "usageMetadata":{"promptTokenCount":10,"cachedContentTokenCount":4,"candidatesTokenCount":4,"thoughtsTokenCount":5,
            "totalTokenCount":19},"modelVersion":"ours","responseId":"r"}"#
        )
    );
}

#[test]
fn a_streamed_answer_is_a_chunk_for_each_step() {
    let stream = written(Delivery::Streamed, &answer());
    let head = r#""modelVersion":"ours","responseId":"r""#;
    let chunk = |part: &str| {
        format!(
            "data: {{\"candidates\":[{{\"content\":{{\"parts\":[{part}],\"role\":\"model\"}},\"index\":0}}],{head}}}\r\n\r\n"
        )
    };
    let parts = [
        r#"{"text":"hm","thought":true}"#,
        r#"{"text":"","thought":true,"thoughtSignature":"s1"}"#,
        r#"{"text":"a\n"}"#,
        r#"{"text":"b"}"#,
        r#"{"functionCall":{"id":"i","name":"f","args":{"x":1}},"thoughtSignature":"s2"}"#,
    ];
    let last = concat!(
        r#"data: {"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"STOP","index":0}],"#,
        r#""usageMetadata":{"promptTokenCount":10,"cachedContentTokenCount":4,"candidatesTokenCount":4,"thoughtsTokenCount":5,"#,
        r#""totalTokenCount":19},"modelVersion":"ours","responseId":"r"}"#,
        "\r\n\r\n"
    );
    let expected: String = parts.iter().map(|part| chunk(part)).chain([last.to_string()]).collect();
    assert_eq!(stream, expected);
}

#[test]
fn a_streamed_array_is_json_with_the_same_chunks() {
    let array = value(&written(Delivery::StreamedArray, &answer()));
    let chunks: Vec<_> = events(&written(Delivery::Streamed, &answer())).iter().map(|data| value(data)).collect();
    assert_eq!(array, serde_json::Value::from(chunks));
    let short = written(Delivery::StreamedArray, &[Event::Start { id: None, model: None }, stop(StopReason::End)]);
    assert_eq!(value(&short)[0]["responseId"], "x-1");
}

#[test]
fn errors_are_never_a_good_end() {
    let error = ProviderError { class: ErrorClass::Overloaded, message: "busy".into(), ..ProviderError::default() };
    let events = [
        Event::Start { id: None, model: None },
        Event::Open(Block::Text),
        Event::Delta(t("a")),
        Event::Close,
        Event::Error(error),
    ];
    assert_eq!(written(Delivery::Whole, &events), "");
    let stream = written(Delivery::Streamed, &events);
    let envelope = r#"{"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}"#;
    assert!(stream.ends_with(&format!("data: {envelope}\r\n\r\n")) && !stream.contains("finishReason"), "{stream}");
    let array = value(&written(Delivery::StreamedArray, &events));
    assert_eq!(array[1], value(envelope));
    let alone = value(&written(Delivery::StreamedArray, &events[4..]));
    assert_eq!(alone, serde_json::json!([value(envelope)]));
}

#[test]
fn calls_that_cannot_be_said_are_not_made_up() {
    for delivery in [Delivery::Whole, Delivery::Streamed] {
        let events = [
            Event::Start { id: None, model: None },
            Event::Open(Block::ToolCall { id: None, name: t("f") }),
            Event::Delta(t("{\\\"x")),
            Event::Close,
            stop(StopReason::ToolCalls),
        ];
        let text = written(delivery, &events);
        assert!(
            text.contains(r#""finishReason":"MALFORMED_FUNCTION_CALL","finishMessage":"Malformed function call: f""#),
            "{text}"
        );
        assert!(!text.contains("functionCall\""), "{text}");
    }
}

#[test]
fn calls_that_were_cut_off_end_for_that_reason() {
    for delivery in [Delivery::Whole, Delivery::Streamed] {
        let events = [
            Event::Start { id: None, model: None },
            Event::Open(Block::ToolCall { id: None, name: t("f") }),
            Event::Delta(t("{\\\"x")),
            Event::Close,
            stop(StopReason::Length),
        ];
        let text = written(delivery, &events);
        assert!(text.contains(r#""finishReason":"MAX_TOKENS""#) && !text.contains("functionCall\""), "{text}");
    }
}

#[test]
fn refusals_end_as_such() {
    for (block, reason) in [(Block::Refusal, StopReason::End), (Block::Text, StopReason::Refused)] {
        let events = [
            Event::Start { id: None, model: None },
            Event::Open(block),
            Event::Delta(t("no")),
            Event::Close,
            stop(reason),
        ];
        for delivery in [Delivery::Whole, Delivery::Streamed] {
            let text = written(delivery, &events);
            assert!(text.contains(r#""text":"no""#) && text.contains(r#""finishReason":"SAFETY""#), "{text}");
        }
    }
}

#[test]
fn blocks_of_other_dialects_are_left_out() {
    let own = Json::parse(br#"{"executableCode":{"code":"1"}}"#).unwrap();
    let other = Json::parse(br#"{"type":"server_tool_use"}"#).unwrap();
    let events = [
        Event::Start { id: None, model: None },
        Event::Open(Block::Other(own)),
        Event::Close,
        Event::Open(Block::Other(other)),
        Event::Close,
        stop(StopReason::End),
    ];
    for delivery in [Delivery::Whole, Delivery::Streamed] {
        let text = written(delivery, &events);
        assert!(text.contains("executableCode") && !text.contains("server_tool_use"), "{text}");
    }
}

#[test]
fn an_event_is_one_line_whatever_lines_its_arguments_had() {
    let own = Json::parse(b"{\n \"executableCode\": {\r\n \"code\": \"a\\n\"}}").unwrap();
    let events_in = [
        Event::Start { id: None, model: None },
        Event::Open(Block::Other(own)),
        Event::Close,
        Event::Open(Block::ToolCall { id: None, name: t("f") }),
        Event::Delta(t("{\\n  \\\"x\\\": [\\r\\n1]\\n}")),
        Event::Close,
        stop(StopReason::ToolCalls),
    ];
    let stream = written(Delivery::Streamed, &events_in);
    assert!(stream.split_terminator("\r\n\r\n").all(|event| !event.contains(['\r', '\n'])), "{stream}");
    let data = events(&stream);
    assert_eq!(value(&data[0])["candidates"][0]["content"]["parts"][0]["executableCode"]["code"], "a\n");
    assert_eq!(value(&data[1])["candidates"][0]["content"]["parts"][0]["functionCall"]["args"]["x"][0], 1);
}

/// A block as its kind, its deltas and whether it is signed; calls get whole arguments, as nothing else can be said.
#[derive(Clone, Debug)]
enum Step {
    Words(bool, Vec<String>, bool),
    Call(Option<String>, String, bool),
    Refusal(String),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let text = "[a-zé \\\\n]{0,5}".prop_map(|text| text.replace('\\', "\\\\"));
    let arguments = proptest::collection::btree_map("[a-z]{1,3}", any::<i32>(), 0..3)
        .prop_map(|map| serde_json::to_string(&map).unwrap().replace('"', "\\\""));
    let step = prop_oneof![
        (any::<bool>(), proptest::collection::vec(text.clone(), 1..4), any::<bool>())
            .prop_map(|(t, d, s)| Step::Words(t, d, s)),
        (proptest::option::of("[a-z0-9]{1,4}".prop_map(String::from)), arguments, any::<bool>())
            .prop_map(|(i, a, s)| Step::Call(i, a, s)),
        text.prop_map(Step::Refusal),
    ];
    proptest::collection::vec(step, 0..5)
}

fn play(steps: &[Step], reason: StopReason, usage: Usage, delivery: Delivery) -> String {
    let mut all = vec![Event::Start { id: Some(t("id")), model: Some(t("m")) }];
    for step in steps {
        match step {
            Step::Words(thought, deltas, signed) => {
                all.push(Event::Open(if *thought { Block::Thinking } else { Block::Text }));
                all.extend(deltas.iter().map(|delta| Event::Delta(t(delta))));
                all.extend((*thought && *signed).then_some(Event::Signature(t("sig"))));
            }
            Step::Call(id, arguments, signed) => {
                all.push(Event::Open(Block::ToolCall { id: id.as_deref().map(t), name: t("f") }));
                all.extend(signed.then_some(Event::Signature(t("sig"))));
                all.push(Event::Delta(t(arguments)));
            }
            Step::Refusal(text) => {
                all.push(Event::Open(Block::Refusal));
                all.push(Event::Delta(t(text)));
            }
        }
        all.push(Event::Close);
    }
    all.extend(usage.is_reported().then_some(Event::Usage(usage)));
    all.push(stop(reason));
    written(delivery, &all)
}

/// Neighbouring words of one kind are one block: a stream has no seams between them.
fn seamless(mut message: Message) -> Message {
    let mut blocks: Vec<crate::hub::message::Said> = Vec::new();
    for block in message.blocks.drain(..) {
        match blocks.last_mut() {
            Some(last) if last.kind == block.kind && block.kind == SaidKind::Text => last.text.push_str(&block.text),
            Some(last) if last.kind == block.kind && block.kind == SaidKind::Thinking => {
                last.text.push_str(&block.text);
                if let Some(signature) = &block.signature {
                    last.signature.get_or_insert_default().push_str(signature);
                }
            }
            _ => blocks.push(block),
        }
    }
    message.blocks = blocks;
    message
}

proptest! {
    #[test]
    fn whole_and_streamed_say_the_same(
        steps in steps(),
        reason in prop_oneof![Just(StopReason::End), Just(StopReason::Length), Just(StopReason::ToolCalls), Just(StopReason::Refused), Just(StopReason::Other)],
        input in proptest::option::of(0u64..1000),
        output in proptest::option::of((0u64..1000, 0u64..1000)),
    ) {
        let usage = Usage { input, output: output.map(|(plain, thought)| plain + thought), reasoning: output.map(|(_, thought)| thought), ..Usage::default() };
        let whole = fold_whole(&play(&steps, reason, usage, Delivery::Whole));
        let stream = fold_events(&events(&play(&steps, reason, usage, Delivery::Streamed)));
        let array = fold_whole(&play(&steps, reason, usage, Delivery::StreamedArray));
        prop_assert!(matches!(whole.end, End::Stopped(..)), "{:?}", whole.end);
        prop_assert_eq!(seamless(whole.clone()), seamless(stream));
        prop_assert_eq!(seamless(whole.clone()), seamless(array));
        prop_assert_eq!(whole.usage, usage);
    }
}

#[test]
fn models_are_told_as_the_api_tells_them() {
    let model = |name| Listed {
        name,
        owner: "o",
        context_window: 1000,
        output_limit: 0,
        abilities: crate::catalog::Abilities::ALL,
    };
    let told = |models: &[Listed<'_>]| {
        let mut out = Writer::new();
        GenerateContent.write_models(models, &mut out);
        value(out.as_str())
    };
    let list = told(&[model("a"), model("b\"c")]);
    assert_eq!(list["models"][0]["name"], "models/a");
    assert_eq!(list["models"][1]["name"], "models/b\"c");
    assert_eq!(list["models"][0]["inputTokenLimit"], 1000);
    assert_eq!(list["models"][0].get("outputTokenLimit"), None, "what nobody knows is not said");
    let mut one = Writer::new();
    GenerateContent.write_model(&model("a"), &mut one);
    assert_eq!(value(one.as_str()), list["models"][0]);
    assert_eq!(told(&[]), serde_json::json!({"models": []}));
}

#[test]
fn a_marked_proof_is_said_whole_in_base64() {
    let marked = "dgm1:00000000000000aa:s+/=";
    let (first, rest) = marked.split_at(9);
    let events = [
        Event::Start { id: None, model: None },
        Event::Open(Block::Thinking),
        Event::Delta(t("hm")),
        Event::Signature(t(first)),
        Event::Signature(t(rest)),
        Event::Close,
        stop(StopReason::End),
    ];
    for delivery in [Delivery::Whole, Delivery::Streamed, Delivery::StreamedArray] {
        let text = written(delivery, &events);
        let (_, proof) = text.split_once(r#""thoughtSignature":""#).unwrap();
        let (proof, rest) = proof.split_once('"').unwrap();
        assert_eq!(crate::hub::provenance::opened(t(proof)).as_deref(), Some(marked), "{text}");
        assert!(!rest.contains("thoughtSignature"), "{text}");
    }
}
