//! The laws as properties.

use super::*;
use crate::usage::Usage;
use proptest::prelude::*;

/// A block of an answer, with its deltas.
#[derive(Clone, Debug)]
enum Made {
    Words(u8, Vec<String>),
    Thought(Vec<String>, Option<String>),
    Call(Option<String>, String, Vec<String>),
}

fn fragments() -> impl Strategy<Value = Vec<String>> {
    let escaped = any::<String>().prop_map(|text| {
        let mut out = String::new();
        crate::json::write::escape_into(&text, &mut out);
        out
    });
    prop::collection::vec(escaped.prop_filter("the sequencer says no empty deltas", |text| !text.is_empty()), 1..4)
}

fn block() -> impl Strategy<Value = Made> {
    let arguments = prop_oneof![Just(vec![]), Just(vec!["{".to_string(), "\\\"a\\\":[1]".into(), "}".into()])];
    prop_oneof![
        (0u8..2, fragments()).prop_map(|(kind, texts)| Made::Words(kind, texts)),
        (fragments(), prop::option::of("[A-Za-z0-9]{1,9}")).prop_map(|(texts, proof)| Made::Thought(texts, proof)),
        (prop::option::of("[a-z0-9_]{1,9}"), "[a-z_]{1,9}", arguments)
            .prop_map(|(id, name, arguments)| Made::Call(id, name, arguments)),
    ]
}

fn say(blocks: &[Made], usage: Usage, reason: StopReason, take: &mut dyn FnMut(&Event<'_>)) {
    take(&Event::Start { id: Some(Text::escaped("resp_1")), model: Some(Text::escaped("m1")) });
    for block in blocks {
        let (open, deltas, proof) = match block {
            Made::Words(0, texts) => (Block::Text, texts, &None),
            Made::Words(_, texts) => (Block::Refusal, texts, &None),
            Made::Thought(texts, proof) => (Block::Thinking, texts, proof),
            Made::Call(id, name, arguments) => {
                let id = id.as_deref().map(Text::escaped);
                (Block::ToolCall { id, name: Text::escaped(name) }, arguments, &None)
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

const ASKED: &str =
    r#"{"model":"m","input":"","include":["reasoning.encrypted_content"],"tools":[{"type":"custom","name":"a"}]}"#;

proptest! {
    #[test]
    fn whole_and_streamed_answers_are_the_same_and_what_was_said(
        blocks in prop::collection::vec(block(), 0..6), input in 1u64..1000, output in 1u64..1000, length in any::<bool>()
    ) {
        let usage = Usage { input: Some(input), output: Some(output), cache_read: Some(1), cache_write: Some(2), reasoning: Some(0), ..Usage::default() };
        let reason = if length { StopReason::Length } else { StopReason::End };
        let [whole, streamed] = [Delivery::Whole, Delivery::Streamed]
            .map(|delivery| answer(ASKED, delivery, |take| say(&blocks, usage, reason, take)));
        let (_, last) = frames(&streamed).into_iter().next_back().unwrap();
        prop_assert_eq!(value(last)["response"].clone(), value(&whole));
        let mut wanted = Message::default();
        say(&blocks, usage, reason, &mut |event| wanted.push(event));
        for (index, block) in wanted.blocks.iter_mut().enumerate() {
            if let SaidKind::ToolCall { id, name } = &mut block.kind {
                // What no id was given for gets one by its place among the items.
                if id.is_none() {
                    *id = Some(format!("call_x1_{}", place(&blocks[..index])));
                }
                block.text = match (name.as_str(), block.text.as_str()) {
                    (_, "") if name == "a" => r#"{\"input\":\"\"}"#.into(),
                    (_, "") => "{}".into(),
                    // Whatever is not the one argument of words is kept as words.
                    ("a", _) => r#"{\"input\":\"{\\\"a\\\":[1]}\"}"#.into(),
                    (_, text) => text.into(),
                };
            }
        }
        for again in [fold_whole(&whole), fold_stream(&streamed)] {
            prop_assert_eq!(&again.blocks, &wanted.blocks);
            prop_assert_eq!(again.usage, usage);
            let calls = blocks.iter().any(|block| matches!(block, Made::Call(..)));
            let ended = if length { StopReason::Length } else if calls { StopReason::ToolCalls } else { StopReason::End };
            prop_assert_eq!(again.stop_reason(), Some(ended));
        }
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
            fold(&[("", &mutated), ("error", &mutated), ("response.completed", &mutated)], Some(&mutated));
            Responses.read_error(500, mutated.as_bytes());
            if let Ok(mut request) = Responses.read_request(&Endpoint::generate(DialectId::Responses), parsed) {
                let model = request.model.decode();
                prop_assert_eq!(value(&write(&request, &model).body), value(&mutated));
                request.body = None;
                value(&write(&request, &model).body);
                Responses.writer(&request, reply(Delivery::Streamed));
            }
        }
    }

    #[test]
    fn events_in_any_order_make_a_good_or_a_failed_answer(order in prop::collection::vec(0usize..EVENTS.len(), 0..24)) {
        let frames: Vec<_> = order.iter().map(|at| ("", EVENTS[*at])).collect();
        let message = fold(&frames, None);
        let complete = order.iter().any(|at| EVENTS[*at].contains("response.completed"));
        prop_assert!(complete || failure(&message).is_some());
        let [whole, streamed] = [Delivery::Whole, Delivery::Streamed]
            .map(|delivery| answer(ASKED, delivery, |take| events(&frames, None, take)));
        prop_assert_eq!(whole.is_empty(), failure(&message).is_some());
        for (number, (_, data)) in super::frames(&streamed).into_iter().enumerate() {
            prop_assert_eq!(&value(data)["sequence_number"], number);
        }
    }

    #[test]
    fn any_json_is_read_as_an_error(text in any::<String>(), status in 0u16..700) {
        let quoted = serde_json::json!({"error": {"message": text, "code": status}}).to_string();
        let error = Responses.read_error(status, quoted.as_bytes());
        prop_assert!(error.message.len() <= crate::hub::event::MAX_ERROR_MESSAGE);
        Responses.read_error(status, text.as_bytes());
    }
}

/// The index of the item that follows these blocks: neighbouring words are one.
fn place(blocks: &[Made]) -> usize {
    let words = |block: &Made| matches!(block, Made::Words(..));
    blocks.chunk_by(|one, two| words(one) && words(two)).count()
}

/// What is mutated. ASCII only, so that every place is a character's boundary.
const DOCUMENTS: [&str; 4] = [
    r#"{"model":"m","stream":true,"input":[{"type":"message","role":"user","content":[{"type":"input_image","image_url":"data:image/png;base64,QQ=="},{"type":"input_text","text":"t"}]},{"type":"reasoning","summary":[{"text":"s"}],"encrypted_content":"P"},{"type":"function_call","call_id":"i","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"i","output":"r"}],"tools":[{"type":"namespace","name":"n","tools":[{"type":"custom","name":"f"}]}],"tool_choice":{"type":"allowed_tools","mode":"auto","tools":[{"name":"f"}]},"text":{"format":{"type":"json_schema","schema":{}}},"reasoning":{"effort":"low"}}"#,
    r#"{"id":"i","model":"m","status":"completed","output":[{"type":"reasoning","summary":[{"type":"summary_text","text":"s"}],"encrypted_content":"P"},{"type":"message","content":[{"type":"output_text","text":"t"},{"type":"refusal","refusal":"r"}]},{"type":"custom_tool_call","call_id":"c","name":"a","input":"x"},{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}],"usage":{"input_tokens":1}}"#,
    r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"custom_tool_call","call_id":"c","name":"a","input":"x"}}"#,
    r#"{"error":{"message":"m","type":"t","param":null,"code":"c"}}"#,
];

/// What is shuffled.
const EVENTS: [&str; 12] = [
    r#"{"type":"response.created","response":{"id":"resp_1","model":"m"}}"#,
    r#"{"type":"response.output_item.added","output_index":0,"item":{"type":"message"}}"#,
    r#"{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"a"}"#,
    r#"{"type":"response.output_text.done","output_index":0,"content_index":0,"text":"ab"}"#,
    r#"{"type":"response.output_item.done","output_index":0,"item":{"type":"message","content":[{"type":"output_text","text":"ab"}]}}"#,
    r#"{"type":"response.output_item.added","output_index":1,"item":{"type":"function_call","call_id":"c","name":"f"}}"#,
    r#"{"type":"response.function_call_arguments.delta","output_index":1,"delta":"{\"x\""}"#,
    r#"{"type":"response.output_item.done","output_index":1,"item":{"type":"function_call","call_id":"c","name":"f","arguments":"{\"x\":1}"}}"#,
    r#"{"type":"response.output_item.added","output_index":2,"item":{"type":"custom_tool_call","call_id":"d","name":"a"}}"#,
    r#"{"type":"response.custom_tool_call_input.delta","output_index":2,"delta":"w"}"#,
    r#"{"type":"response.reasoning_summary_text.delta","output_index":3,"summary_index":0,"delta":"t"}"#,
    r#"{"type":"response.completed","response":{"status":"completed","output":[]}}"#,
];
