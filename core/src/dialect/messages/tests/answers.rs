//! Answers, both ways.

use super::*;
use crate::dialect::WriteResponse;
use crate::hub::event::{Block, ErrorClass, Piece, ProviderError, Stop, StopReason};
use crate::hub::message::{End, SaidKind};
use crate::json::Text;
use crate::usage::Usage;
use proptest::prelude::*;

fn reply(delivery: Delivery) -> Reply {
    Reply { delivery, exchange: "x1".into(), created: 0, model: "route".into() }
}

fn writer(delivery: Delivery) -> Box<dyn WriteResponse> {
    let request = Request::new(DialectId::Messages, delivery);
    Messages.writer(&request, reply(delivery))
}

fn say(events: &[Event<'_>], delivery: Delivery) -> String {
    let mut writer = writer(delivery);
    let mut out = Vec::new();
    events.iter().for_each(|event| writer.write(event, &mut out));
    String::from_utf8(out).unwrap()
}

/// Reads frames, says them to a client and reads what was said.
pub(super) fn again(frames: &[Frame<'_>], delivery: Delivery) -> Message {
    let mut reader = Messages.reader(Aliases::default());
    let mut sequencer = Sequencer::new();
    let mut writer = writer(delivery);
    let mut out = Vec::new();
    let mut emit = |event: Event<'_>| writer.write(&event, &mut out);
    for frame in frames {
        reader.read(*frame, &mut |piece| sequencer.push(piece, &mut emit));
    }
    sequencer.finish(&mut emit);
    understood(&String::from_utf8(out).unwrap(), delivery)
}

fn understood(said: &str, delivery: Delivery) -> Message {
    match delivery {
        Delivery::Whole => whole(said.as_bytes()),
        _ => streamed(said),
    }
}

fn t(text: &str) -> Text<'_> {
    Text::escaped(text)
}

const END_TURN: Event<'static> = Event::Stop(Stop { reason: StopReason::End, sequence: None });

#[test]
fn a_stream_is_said_in_the_vendors_events() {
    let usage = Usage { input: Some(10), cache_read: Some(4), output: Some(2), ..Usage::default() };
    let call = Block::ToolCall { id: None, name: t("f") };
    let events = [
        Event::Start { id: None, model: None },
        Event::Open(Block::Text),
        Event::Delta(t(r"a\n")),
        Event::Close,
        Event::Open(call),
        Event::Delta(t(r#"{\"x\":1}"#)),
        Event::Close,
        Event::Usage(usage),
        Event::Stop(Stop { reason: StopReason::ToolCalls, sequence: None }),
    ];
    let expected = concat!(
        "event: message_start\n",
        r#"data: {"type":"message_start","message":{"id":"msg_x1","type":"message","role":"assistant","model":"route","#,
        r#""content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":0,"#,
        r#""cache_creation_input_tokens":null,"cache_read_input_tokens":null,"output_tokens":0}}}"#,
        "\n\nevent: content_block_start\n",
        r#"data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
        "\n\nevent: content_block_delta\n",
        r#"data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a\n"}}"#,
        "\n\nevent: content_block_stop\n",
        r#"data: {"type":"content_block_stop","index":0}"#,
        "\n\nevent: content_block_start\n",
        r#"data: {"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"toolu_x1_0","#,
        r#""name":"f","input":{}}}"#,
        "\n\nevent: content_block_delta\n",
        r#"data: {"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","#,
        r#""partial_json":"{\"x\":1}"}}"#,
        "\n\nevent: content_block_stop\n",
        r#"data: {"type":"content_block_stop","index":1}"#,
        "\n\nevent: message_delta\n",
        r#"data: {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"#,
        r#""usage":{"input_tokens":6,"cache_creation_input_tokens":null,"cache_read_input_tokens":4,"output_tokens":2}}"#,
        "\n\nevent: message_stop\n",
        r#"data: {"type":"message_stop"}"#,
        "\n\n",
    );
    assert_eq!(say(&events, Delivery::Streamed), expected);
}

#[test]
fn a_whole_answer_has_every_member_the_sdk_demands() {
    let events = [
        Event::Start { id: Some(t("msg_1")), model: Some(t("m")) },
        Event::Open(Block::Thinking),
        Event::Delta(t("hm")),
        Event::Signature(t("sig")),
        Event::Close,
        Event::Open(Block::Refusal),
        Event::Delta(t("no")),
        Event::Close,
        END_TURN,
    ];
    let expected = serde_json::json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "sig"},
            {"type": "text", "text": "no"},
        ],
        "stop_reason": "refusal", "stop_sequence": null,
        "usage": {"input_tokens": 0, "output_tokens": 0, "cache_creation_input_tokens": null, "cache_read_input_tokens": null},
    });
    assert_eq!(value(&say(&events, Delivery::Whole)), expected);
}

#[test]
fn an_error_is_an_event_in_a_stream_and_nothing_in_a_whole_answer() {
    let error =
        ProviderError { class: ErrorClass::Overloaded, message: "too \"busy\"".into(), ..ProviderError::default() };
    let events = [Event::Start { id: None, model: None }, Event::Error(error)];
    let streamed = say(&events, Delivery::Streamed);
    let expected = "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"too \\\"busy\\\"\"}}\n\n";
    assert!(streamed.ends_with(expected), "{streamed}");
    assert!(!streamed.contains("message_stop"));
    assert_eq!(say(&events, Delivery::Whole), "");
}

#[test]
fn blocks_of_a_foreign_provider_are_not_shown() {
    let foreign = Json::parse(br#"{"executableCode":{"code":"1"}}"#).unwrap();
    let own = Json::parse(br#"{"type":"server_tool_use","id":"s","name":"n","input":{}}"#).unwrap();
    let events = [
        Event::Start { id: None, model: None },
        Event::Open(Block::Other(foreign)),
        Event::Close,
        Event::Open(Block::Other(own)),
        Event::Close,
        Event::Open(Block::Text),
        Event::Delta(t("a")),
        Event::Close,
        END_TURN,
    ];
    for delivery in [Delivery::Whole, Delivery::Streamed] {
        let said = say(&events, delivery);
        assert!(!said.contains("executableCode"), "{said}");
        let kinds: Vec<_> = understood(&said, delivery).blocks.into_iter().map(|block| block.kind).collect();
        assert_eq!(kinds, [SaidKind::Other, SaidKind::Text]);
    }
    assert!(say(&events, Delivery::Streamed).contains(r#""index":1,"delta":{"type":"text_delta""#));
}

#[test]
fn blocks_of_its_own_are_collected_from_a_stream() {
    let stream = r#"
data: {"type":"message_start","message":{"id":"i","model":"m","usage":{"input_tokens":3}}}
data: {"type":"ping"}
data: {"type":"content_block_start","index":0,"content_block":{"type":"server_tool_use","id":"s","name":"web_search","input":{}}}
data: {"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"query\":"}}
data: {"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"\"x\"}"}}
data: {"type":"content_block_stop","index":0}
data: {"type":"content_block_start","index":1,"content_block":{"type":"compaction","content":null}}
data: {"type":"content_block_delta","index":1,"delta":{"type":"compaction_delta","content":"c"}}
data: {"type":"content_block_stop","index":1}
data: {"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}
data: {"type":"content_block_stop","index":2}
data: {"type":"message_delta","delta":{"stop_reason":"pause_turn"},"usage":{"output_tokens":7}}
data: {"type":"message_stop"}
"#;
    let message = streamed(stream);
    let texts: Vec<_> = message.blocks.iter().map(|block| block.text.as_str()).collect();
    let server = r#"{"type":"server_tool_use","id":"s","name":"web_search","input":{"query":"x"}}"#;
    assert_eq!(texts, [server, r#"{"type":"compaction","content":"c"}"#, "{}"]);
    assert_eq!(message.end, End::Stopped(StopReason::Paused, None));
    assert_eq!((message.usage.input, message.usage.output), (Some(3), Some(7)));
}

/// The answer as a client of this dialect gets it back from a provider of it, by way of the hub.
fn said_again(body: &str, delivery: Delivery) -> String {
    let mut reader = Messages.reader(Aliases::default());
    let mut sequencer = Sequencer::new();
    let mut writer = writer(delivery);
    let mut out = Vec::new();
    let mut emit = |event: Event<'_>| writer.write(&event, &mut out);
    reader.read(Frame::Whole(Json::parse(body.as_bytes()).unwrap()), &mut |piece| sequencer.push(piece, &mut emit));
    sequencer.finish(&mut emit);
    String::from_utf8(out).unwrap()
}

#[test]
fn a_thought_that_is_not_shown_keeps_its_form() {
    let body = r#"{"id":"i","type":"message","role":"assistant","model":"m","content":[
        {"type":"redacted_thinking","data":"ZA=="},{"type":"thinking","thinking":"","signature":"c2ln"},
        {"type":"thinking","thinking":"h","signature":"c2ln"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{}}"#;
    let message = whole(body.as_bytes());
    let proofs: Vec<_> = message.blocks.iter().map(|block| block.signature.as_deref().unwrap_or_default()).collect();
    assert_eq!(proofs, ["redacted_thinking:ZA==", "c2ln", "c2ln"]);
    assert!(message.blocks.iter().all(|block| block.kind == SaidKind::Thinking));
    assert_eq!(value(&said_again(body, Delivery::Whole))["content"], value(body)["content"]);
    let streamed_again = said_again(body, Delivery::Streamed);
    assert!(
        streamed_again.contains(r#""content_block":{"type":"redacted_thinking","data":"ZA=="}}"#),
        "{streamed_again}"
    );
    assert_eq!(streamed(&streamed_again).blocks, message.blocks);
}

#[test]
fn a_hidden_thought_is_marked_with_its_maker_in_its_own_form() {
    let events = [
        Event::Start { id: None, model: None },
        Event::Open(Block::Thinking),
        Event::Signature(t("dgm1:00000000000000aa:redacted_thinking:ZA==")),
        Event::Close,
        END_TURN,
    ];
    let whole = value(&say(&events, Delivery::Whole));
    let expected = serde_json::json!([{"type": "redacted_thinking", "data": "dgm1:00000000000000aa:ZA=="}]);
    assert_eq!(whole["content"], expected);
}

#[test]
fn a_thought_that_nobody_signed_is_marked_as_nobodys() {
    let thought = [Event::Open(Block::Thinking), Event::Delta(t("hm")), Event::Close];
    let events = [&[Event::Start { id: None, model: None }], &thought[..], &[END_TURN]].concat();
    for delivery in [Delivery::Whole, Delivery::Streamed] {
        let message = understood(&say(&events, delivery), delivery);
        let proof = message.blocks[0].signature.clone().unwrap();
        // What the client sends back is withheld from a provider that would refuse it.
        let body = format!(
            r#"{{"model":"m","messages":[{{"role":"assistant","content":[
                {{"type":"thinking","thinking":"hm","signature":"{proof}"}},{{"type":"text","text":"a"}}]}}]}}"#
        );
        let mut request = read(&body).unwrap();
        assert!(crate::hub::provenance::withhold(&mut request, DialectId::Messages, "00000000000000aa"));
        assert_eq!(request.turns[0].parts.len(), 1);
    }
    let empty = [Event::Start { id: None, model: None }, Event::Open(Block::Thinking), Event::Close, END_TURN];
    assert_eq!(value(&say(&empty, Delivery::Whole))["content"], serde_json::json!([]));
    assert!(!say(&empty, Delivery::Streamed).contains("content_block"));
}

#[test]
fn a_proof_in_pieces_is_said_at_once() {
    let events = [
        Event::Start { id: None, model: None },
        Event::Open(Block::Thinking),
        Event::Signature(t("one")),
        Event::Delta(t("hm")),
        Event::Signature(t("two")),
        Event::Close,
        END_TURN,
    ];
    let said = say(&events, Delivery::Streamed);
    assert_eq!(said.matches("signature_delta").count(), 1);
    assert!(said.contains(r#""signature":"onetwo""#), "{said}");
}

#[test]
fn broken_arguments_stay_readable() {
    let input = |arguments: &str| {
        let call = Block::ToolCall { id: None, name: t("f") };
        let events = [
            Event::Start { id: None, model: None },
            Event::Open(call),
            Event::Delta(t(arguments)),
            Event::Close,
            END_TURN,
        ];
        value(&say(&events, Delivery::Whole))["content"][0]["input"].clone()
    };
    assert_eq!(input(r#"{\"a\":1}"#), serde_json::json!({"a": 1}));
    assert_eq!(input("null"), serde_json::json!({}));
    assert_eq!(input(r#"{\"a\":"#), serde_json::json!({"arguments": "{\"a\":"}));
    assert_eq!(input("[1]"), serde_json::json!({"arguments": "[1]"}));
}

#[test]
fn what_no_other_dialect_has_is_told_once() {
    let body = r#"{"content":[
        {"type":"text","text":"a","citations":[{"type":"char_location"}]},{"type":"text","text":"b","citations":[]},
        {"type":"server_tool_use","id":"s","name":"web_search","input":{}},{"type":"web_search_tool_result","tool_use_id":"s","content":[]},
        {"type":"compaction","content":"c"},{"type":"container_upload","file_id":"f"},{"type":"novelty"}],
        "stop_reason":"refusal","stop_details":{"type":"refusal"}}"#;
    let mut lost = Vec::new();
    let mut note = |piece: Piece<'_>| {
        if let Piece::Lost(what) = piece {
            lost.push(what);
        }
    };
    Messages.reader(Aliases::default()).read(Frame::Whole(Json::parse(body.as_bytes()).unwrap()), &mut note);
    assert_eq!(lost, ["citations", "server_tools", "compaction", "files", "blocks", "stop_details"]);
    let mut lost = Vec::new();
    let mut reader = Messages.reader(Aliases::default());
    for data in [r#"{"type":"content_block_delta","index":0,"delta":{"type":"citations_delta","citation":{}}}"#; 2] {
        reader.read(Frame::Event { name: "", data }, &mut |piece| lost.push(format!("{piece:?}")));
    }
    assert_eq!(lost, [r#"Lost("citations")"#]);
}

#[test]
fn a_later_count_without_the_cache_does_not_lower_the_input() {
    let stream = r#"
data: {"type":"message_start","message":{"usage":{"input_tokens":3,"cache_read_input_tokens":1000,"cache_creation_input_tokens":20}}}
data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":3,"output_tokens":7}}
data: {"type":"message_stop"}
"#;
    let usage = streamed(stream).usage;
    assert_eq!(
        (usage.input, usage.cache_read, usage.cache_write, usage.output),
        (Some(1023), Some(1000), Some(20), Some(7))
    );
}

#[test]
fn events_in_the_frames_of_an_event_stream_are_unpacked() {
    // {"type":"message_stop"} and something that is no JSON.
    let packed = |bytes| format!(r#"{{"bytes":"{bytes}","p":"abcd"}}"#);
    let start = r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}"#;
    let stop = packed(r"eyJ0eXBlIjoibWVzc2FnZV9zdG9wIn0=");
    fn frame(data: &str) -> Frame<'_> {
        Frame::Event { name: "chunk", data }
    }
    let message = fold([frame(start), frame(stop.as_str())], Aliases::default());
    assert_eq!((message.blocks[0].text.as_str(), message.stop_reason()), ("a", Some(StopReason::End)));
    for nonsense in ["!!", "e30", "PGh0bWw+"] {
        let data = packed(nonsense);
        assert!(matches!(fold([frame(data.as_str())], Aliases::default()).end, End::Failed(_)), "{nonsense}");
    }
}

#[test]
fn errors_and_nonsense_in_a_stream_end_it() {
    let error = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    let failed = streamed(&format!("event: error\ndata: {error}\n\n"));
    let End::Failed(found) = failed.end else { panic!("not an error") };
    assert_eq!((found.class, found.code.as_str()), (ErrorClass::Overloaded, "overloaded_error"));
    for nonsense in ["<html>", "{\"type\":", "5 5"] {
        assert!(matches!(streamed(&format!("data: {nonsense}\n\n")).end, End::Failed(_)), "{nonsense}");
    }
    for nonsense in ["{}", "[]", "\"x\"", "{\"content\":\"x\"}", "null"] {
        assert!(matches!(whole(nonsense.as_bytes()).end, End::Failed(_)), "{nonsense}");
    }
}

#[test]
fn aliases_are_undone() {
    let mut aliases = Aliases::default();
    aliases.add("a_b", "a.b");
    let body = br#"{"content":[{"type":"tool_use","id":"t","name":"a_b","input":{"x":1}}],"stop_reason":"tool_use"}"#;
    let message = fold([Frame::Whole(Json::parse(body).unwrap())], aliases);
    assert_eq!(message.blocks[0].kind, SaidKind::ToolCall { id: Some("t".into()), name: "a.b".into() });
}

/// A block and its deltas, by the grammar.
#[derive(Clone, Debug)]
enum Spoken {
    Text(Vec<String>),
    Thought(Vec<String>, Option<String>),
    Call(String, Vec<String>),
    Other,
}

fn spoken() -> impl Strategy<Value = Spoken> {
    let words = || proptest::collection::vec("[a-zé ]{0,6}(\\\\n)?", 0..4);
    prop_oneof![
        words().prop_map(Spoken::Text),
        (words(), proptest::option::of("[A-Za-z0-9+/=]{1,8}"))
            .prop_map(|(words, signature)| Spoken::Thought(words, signature)),
        ("[a-z_]{1,8}", "[a-z]{1,4}", 0..100u32, 0..12usize).prop_map(|(name, key, number, split)| {
            // A fragment is escaped text: it never ends within an escape.
            let json = format!("{{\"{key}\":{number}}}");
            let (one, two) = json.split_at(split.min(json.len()));
            let (one, two) = (one.replace('"', "\\\""), two.replace('"', "\\\""));
            Spoken::Call(name, vec![one, two])
        }),
        Just(Spoken::Call("f".into(), Vec::new())),
        Just(Spoken::Other),
    ]
}

const OTHER: &[u8] = br#"{"type":"web_search_tool_result","content":[]}"#;

fn events(blocks: &[Spoken]) -> Vec<Event<'_>> {
    let mut events = vec![Event::Start { id: Some(t("msg_1")), model: None }];
    for block in blocks {
        let (kind, words, signature) = match block {
            Spoken::Text(words) => (Block::Text, words.as_slice(), None),
            Spoken::Thought(words, signature) => (Block::Thinking, words.as_slice(), signature.as_deref()),
            Spoken::Call(name, words) => (Block::ToolCall { id: None, name: t(name) }, words.as_slice(), None),
            Spoken::Other => (Block::Other(Json::parse(OTHER).unwrap()), [].as_slice(), None),
        };
        events.push(Event::Open(kind));
        events.extend(words.iter().map(|word| Event::Delta(t(word))));
        events.extend(signature.map(|signature| Event::Signature(t(signature))));
        events.push(Event::Close);
    }
    events
}

proptest! {
    #[test]
    fn whole_equals_stream(
        blocks in proptest::collection::vec(spoken(), 0..6),
        counts in proptest::option::of((0..1000u64, 0..10u64, proptest::option::of(0..10u64), 0..1000u64)),
        reason in 0..4usize,
    ) {
        let mut events = events(&blocks);
        if let Some((fresh, read, write, output)) = counts {
            let input = Some(fresh + read + write.unwrap_or(0));
            events.push(Event::Usage(Usage {
                input, cache_read: Some(read), cache_write: write, output: Some(output), reasoning: write, ..Usage::default()
            }));
        }
        let reason = [StopReason::End, StopReason::Length, StopReason::Refused, StopReason::Sequence][reason];
        let sequence = (reason == StopReason::Sequence).then(|| t("\\n\\\""));
        events.push(Event::Stop(Stop { reason, sequence }));
        let one = understood(&say(&events, Delivery::Whole), Delivery::Whole);
        let other = understood(&say(&events, Delivery::Streamed), Delivery::Streamed);
        prop_assert_eq!(&one, &other);
        if let Some((_, _, _, output)) = counts {
            prop_assert_eq!(one.usage.output, Some(output));
        }
    }

    #[test]
    fn no_bytes_make_the_reader_panic(
        pieces in proptest::collection::vec((0..STREAM.len(), 0..STREAM.len(), any::<u8>(), 0..400usize), 1..12),
    ) {
        let mut mutated: Vec<Vec<u8>> = STREAM.iter().map(|data| data.as_bytes().to_vec()).collect();
        for (line, from, byte, at) in pieces {
            if byte % 3 == 0 { mutated.swap(line, from); }
            else if let Some(place) = mutated[line].get_mut(at) { *place = byte & 0x7f; }
        }
        let texts: Vec<_> = mutated.iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect();
        fold(texts.iter().map(|data| Frame::Event { name: "", data }), Aliases::default());
        for text in &texts {
            Messages.read_error(400, text.as_bytes());
            if let Ok(json) = Json::parse(text.as_bytes()) {
                fold([Frame::Whole(json)], Aliases::default());
            }
        }
    }
}

const STREAM: [&str; 9] = [
    r#"{"type":"message_start","message":{"id":"i","model":"m","usage":{"input_tokens":3}}}"#,
    r#"{"type":"content_block_start","index":0,"content_block":{"type":"server_tool_use","id":"s","input":{}}}"#,
    r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"q\":1}"}}"#,
    r#"{"type":"content_block_stop","index":0}"#,
    r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}"#,
    r#"{"type":"content_block_delta","index":1,"delta":{"type":"signature_delta","signature":"\u00e9\\"}}"#,
    r#"{"type":"error","error":{"type":"overloaded_error","message":"m"}}"#,
    r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":7}}"#,
    r#"{"type":"message_stop"}"#,
];
