//! Answers, both ways.

use super::*;
use crate::dialect::WriteResponse;
use crate::hub::event::{Block, ErrorClass, MAX_ERROR_MESSAGE, ProviderError, Stop, StopReason};
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
    let own = Json::parse(br#"{"type":"redacted_thinking","data":"x"}"#).unwrap();
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

#[test]
fn errors_are_classed_by_their_type_and_bounded() {
    let class = |status: u16, body: &str| Messages.read_error(status, body.as_bytes()).class;
    let typed = |word: &str| format!(r#"{{"type":"error","error":{{"type":"{word}","message":"m"}}}}"#);
    assert_eq!(class(529, &typed("overloaded_error")), ErrorClass::Overloaded);
    assert_eq!(class(429, &typed("rate_limit_error")), ErrorClass::RateLimited);
    assert_eq!(class(500, &typed("api_error")), ErrorClass::Provider);
    assert_eq!(class(413, &typed("invalid_request_error")), ErrorClass::TooLarge);
    assert_eq!(class(402, &typed("billing_error")), ErrorClass::QuotaExhausted);
    let empty_account =
        r#"{"error":{"type":"invalid_request_error","message":"Your credit balance is too low to access"}}"#;
    assert_eq!(class(400, empty_account), ErrorClass::QuotaExhausted);
    assert_eq!(
        class(429, r#"[{"error":{"code":429,"message":"m","status":"RESOURCE_EXHAUSTED"}}]"#),
        ErrorClass::RateLimited
    );
    let html = Messages.read_error(502, b"<!DOCTYPE html><h1>Bad gateway</h1>");
    assert!(!html.message.contains('<') && html.class == ErrorClass::Provider);
    assert_eq!(Messages.read_error(504, b"").class, ErrorClass::Timeout);
    assert_eq!(Messages.read_error(429, br#"{"message":"slow down"}"#).message, "slow down");
    assert_eq!(Messages.read_error(400, br#"{"error":"bad"}"#).message, "bad");
    let long = Messages.read_error(500, "é".repeat(MAX_ERROR_MESSAGE).as_bytes());
    assert!(long.message.len() <= MAX_ERROR_MESSAGE + 3);
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
                input, cache_read: Some(read), cache_write: write, output: Some(output), reasoning: write,
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
