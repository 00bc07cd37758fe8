//! The laws as properties.

use super::*;
use crate::hub::{Block, Stop};
use proptest::prelude::*;

/// A block of an answer, with its deltas.
#[derive(Clone, Debug)]
enum Made {
    Words(u8, Vec<String>, Option<String>),
    Call(Option<String>, String, Vec<String>, Option<String>),
}

fn escaped() -> impl Strategy<Value = String> {
    any::<String>().prop_map(|text| {
        let mut out = String::new();
        crate::json::write::escape_into(&text, &mut out);
        out
    })
}

fn fragments() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(escaped().prop_filter("the sequencer says no empty deltas", |text| !text.is_empty()), 1..4)
}

fn block() -> impl Strategy<Value = Made> {
    let call = (
        prop::option::of("[a-z0-9_]{1,9}"),
        "[a-z_]{1,9}",
        prop_oneof![Just(vec![]), Just(vec!["{".to_string(), "\\\"a\\\":[1]".into(), "}".into()])],
        prop::option::of("[A-Za-z0-9]{1,9}"),
    );
    prop_oneof![
        (0u8..3, fragments(), prop::option::of("[A-Za-z0-9]{1,9}")).prop_map(|(kind, texts, proof)| Made::Words(
            kind,
            texts,
            proof.filter(|_| kind == 1)
        )),
        call.prop_map(|(id, name, arguments, proof)| Made::Call(id, name, arguments, proof)),
    ]
}

fn stop_reason() -> impl Strategy<Value = StopReason> {
    prop_oneof![
        Just(StopReason::End),
        Just(StopReason::Sequence),
        Just(StopReason::Length),
        Just(StopReason::ToolCalls),
        Just(StopReason::Refused),
        Just(StopReason::Paused),
        Just(StopReason::MalformedCall),
        Just(StopReason::Other),
    ]
}

fn usage() -> impl Strategy<Value = Usage> {
    let part = prop::option::of(0u64..1000);
    (1u64..1000, 1u64..1000, part.clone(), part.clone(), part).prop_map(
        |(input, output, cache_read, cache_write, reasoning)| Usage {
            input: Some(input),
            output: Some(output),
            cache_read,
            cache_write,
            reasoning,
            ..Usage::default()
        },
    )
}

fn say(blocks: &[Made], usage: Usage, reason: StopReason, take: &mut dyn FnMut(&Event<'_>)) {
    take(&Event::Start { id: Some(Text::escaped("id1")), model: None });
    for block in blocks {
        let (open, deltas, proof) = match block {
            Made::Words(0, texts, proof) => (Block::Text, texts, proof),
            Made::Words(1, texts, proof) => (Block::Thinking, texts, proof),
            Made::Words(_, texts, proof) => (Block::Refusal, texts, proof),
            Made::Call(id, name, arguments, proof) => {
                let id = id.as_deref().map(Text::escaped);
                (Block::ToolCall { id, name: Text::escaped(name) }, arguments, proof)
            }
        };
        take(&Event::Open(open));
        deltas.iter().for_each(|delta| take(&Event::Delta(Text::escaped(delta))));
        proof.iter().for_each(|proof| take(&Event::Signature(Text::escaped(proof))));
        take(&Event::Close);
    }
    take(&Event::Usage(usage));
    take(&Event::Stop(Stop { reason, sequence: None }));
}

const ASKED: &str = r#"{"model":"m","messages":[],"stream":true,"stream_options":{"include_usage":true}}"#;

proptest! {
    #[test]
    fn whole_and_streamed_answers_are_the_same(
        blocks in prop::collection::vec(block(), 0..6), usage in usage(), reason in stop_reason()
    ) {
        let request = read(ASKED).unwrap();
        let mut said = Message::default();
        let mut outs = Vec::new();
        for delivery in [Delivery::Whole, Delivery::Streamed] {
            let mut writer = ChatCompletions.writer(&request, reply(delivery));
            let mut out = Vec::new();
            said = Message::default();
            say(&blocks, usage, reason, &mut |event| {
                writer.write(event, &mut out);
                said.push(event);
            });
            outs.push(String::from_utf8(out).unwrap());
        }
        let whole = sum(&fold_whole(&outs[0]));
        let streamed = sum(&fold_stream(&outs[1]));
        prop_assert_eq!(&whole, &streamed);
        // And both are what was said, but for the model and the ids that were missing.
        let mut wanted = sum(&said);
        wanted.model = Some("asked".into());
        for (index, call) in wanted.calls.iter_mut().enumerate() {
            call.0.get_or_insert_with(|| format!("call_x1_{index}"));
        }
        // The sequencer's own rule for answers with calls.
        if wanted.end == Some("stop") && !wanted.calls.is_empty() {
            wanted.end = Some("tool_calls");
        }
        prop_assert_eq!(whole, wanted);
    }

    #[test]
    fn no_bytes_make_a_reader_panic(
        place in any::<prop::sample::Index>(), cut in any::<prop::sample::Index>(), with in "[\\[\\]{}\",:0a\\\\n]{0,3}"
    ) {
        for document in DOCUMENTS {
            let (from, to) = (place.index(document.len()), cut.index(document.len()));
            let (from, to) = (from.min(to), from.max(to));
            let mutated = format!("{}{with}{}", &document[..from], &document[to..]);
            let Ok(parsed) = Json::parse(mutated.as_bytes()) else {
                fold(&[("", &mutated)], None);
                continue;
            };
            fold(&[("", &mutated), ("error", &mutated), ("", "[DONE]")], Some(&mutated));
            ChatCompletions.read_error(500, mutated.as_bytes());
            if let Ok(request) = ChatCompletions.read_request(&endpoint(), parsed) {
                let model = request.model.decode();
                let written = write(&request, &model);
                if !has_twins(parsed) {
                    prop_assert_eq!(value(&written.body), value(&mutated));
                }
            }
        }
    }

    #[test]
    fn any_json_is_read_as_an_error(text in any::<String>(), status in 0u16..700) {
        let quoted = serde_json::json!({"error": {"message": text, "code": status}}).to_string();
        let error = ChatCompletions.read_error(status, quoted.as_bytes());
        prop_assert!(error.message.len() <= crate::hub::event::MAX_ERROR_MESSAGE);
        ChatCompletions.read_error(status, text.as_bytes());
    }
}

/// Whether a member stands twice somewhere; which of them counts is not this dialect's business.
fn has_twins(json: Json<'_>) -> bool {
    let names: Vec<_> = json.members().map(|(name, _)| name.decode().into_owned()).collect();
    let mut unique = names.clone();
    unique.sort();
    unique.dedup();
    unique.len() < names.len() || json.members().any(|(_, value)| has_twins(value)) || json.items().any(has_twins)
}

/// What is mutated. ASCII only, so that every place is a character's boundary.
const DOCUMENTS: [&str; 6] = [
    r#"{"id":"i","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"c","reasoning":"r","tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"stop"}],"usage":{"prompt_tokens":1}}"#,
    r#"{"id":"i","choices":[{"message":{"content":[{"type":"text","text":"t"},{"type":"thinking","thinking":[{"text":"x"}]}],"function_call":{"name":"f","arguments":"{}"},"refusal":"no"},"finish_reason":"length"}]}"#,
    r#"{"model":"m","stream":true,"stop":["a"],"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,QQ=="}},{"type":"text","text":"t"}]},{"role":"assistant","tool_calls":[{"id":"i","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"i","content":"r"}],"tools":[{"type":"function","function":{"name":"f","parameters":{}}}]}"#,
    r#"{"choices":[{"index":0,"delta":{"reasoning":"ab","reasoning_details":[{"type":"reasoning.text","text":"a","signature":"s"},{"type":"reasoning.encrypted","data":"e","id":"a"}],"extra_content":{"google":{}},"annotations":[1],"tool_calls":[{"index":0,"id":"a","type":"custom","custom":{"name":"f","input":"a"}}]},"logprobs":{"content":[0]},"finish_reason":"tool_calls"}],"citations":["a"]}"#,
    r#"{"model":"m","n":2,"reasoning":{"effort":"low","exclude":true},"thinking":{"type":"enabled"},"stream_options":{"include_usage":true},"logprobs":false,"messages":[{"role":"assistant","reasoning":"a","reasoning_details":[{"type":"reasoning.text","text":"a","signature":"s"}],"content":[{"type":"thinking","thinking":[{"text":"t"},{"text":"u"}]}],"tool_calls":[{"id":"i","type":"custom","custom":{"name":"f","input":"a"}}]}],"tools":[{"type":"custom","custom":{"name":"f","format":{}}}],"tool_choice":{"type":"custom","custom":{"name":"f"}}}"#,
    r#"{"error":{"message":"m","type":"t","param":null,"code":"c"}}"#,
];
