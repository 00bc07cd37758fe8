//! The two machines driven natively, with every dialect at both ends.

use super::*;
use crate::admission::{Grant, digest};
use crate::catalog::{DialectId, Origin, Provider, Service, Target};
use crate::exchange::{Exchange, Head, Header, Step};
use crate::json::Json;
use crate::memory::{Credential, CredentialId, Memory};
use crate::secret::Secret;
use crate::snapshot::{Loss, Route, Snapshot};
use proptest::prelude::*;

mod fence;
mod operations;
mod rules;
mod settling;

const CHAT: DialectId = DialectId::ChatCompletions;
const MESSAGES: DialectId = DialectId::Messages;
const GENERATE: DialectId = DialectId::GenerateContent;
const RESPONSES: DialectId = DialectId::Responses;
/// The dialects that clients speak.
const CLIENTS: [DialectId; 4] = [CHAT, MESSAGES, GENERATE, RESPONSES];

/// A worker that knows one provider for each of `dialects`, `p1`, `p2`, …, all of them candidates of the route `m`.
fn memory(dialects: &[DialectId]) -> Memory {
    memory_with(dialects, |_| {})
}

/// The same, with each provider's row changed.
fn memory_with(dialects: &[DialectId], change: impl Fn(&mut Provider)) -> Memory {
    let mut memory = Memory::default();
    let (mut providers, mut targets) = (Vec::new(), Vec::new());
    for (index, dialect) in dialects.iter().enumerate() {
        let id = format!("p{}", index + 1);
        let prefix = if *dialect == GENERATE { "/v1beta" } else { "/v1" };
        providers.push(Provider {
            id: id.clone(),
            cluster: format!("provider_{id}"),
            origin: Origin { tls: true, host: format!("{id}.example"), port: 443, base: "/base".into() },
            services: vec![Service::new(*dialect, prefix)],
            credential: id.clone(),
            own_only: false,
            headers: vec![],
            omit: vec![],
            rename: vec![],
            set: vec![],
            price: crate::price::Price::default(),
        });
        if let Some(provider) = providers.last_mut() {
            change(provider);
        }
        let target = format!("{id}/m");
        targets.push(Target::unlisted(target, index, "m"));
        let value = Secret::new(format!("secret-of-{id}").into_bytes());
        memory.equip(CredentialId::of_gateway(&id), Credential { header: "x-api-key".into(), value }, 0, 0);
    }
    let routes = vec![Route { name: "m".into(), candidates: (0..targets.len()).collect(), loss: Loss::Warn }];
    memory.publish(Snapshot::new(1, providers, targets, routes, vec![]).unwrap());
    memory.admit(digest(b"caller-key"), Some(Grant { caller: "c".into(), ..Grant::default() }), 1_000_000, 0);
    memory
}

fn head(path: &str) -> Head {
    let pairs = [
        (":method", "POST"),
        (":path", path),
        (":authority", "gateway"),
        ("authorization", "Bearer caller-key"),
        ("x-dragoman-try-1", "spoofed"),
        ("x-custom", "kept"),
        ("cookie", "private"),
    ];
    Head { headers: pairs.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect() }
}

/// The request of a client that says "hi" to `m`.
fn hello(dialect: DialectId, streamed: bool) -> (&'static str, String) {
    match (dialect, streamed) {
        (CHAT, _) => {
            let body = format!(r#"{{"model":"m","stream":{streamed},"messages":[{{"role":"user","content":"hi"}}]}}"#);
            ("/v1/chat/completions", body)
        }
        (MESSAGES, _) => {
            let turns = r#"[{"role":"user","content":"hi"}]"#;
            (
                "/v1/messages?beta=true",
                format!(r#"{{"model":"m","stream":{streamed},"max_tokens":9,"messages":{turns}}}"#),
            )
        }
        (GENERATE, true) => ("/v1beta/models/m:streamGenerateContent?alt=sse", GEMINI_HELLO.to_string()),
        (GENERATE, false) => ("/v1beta/models/m:generateContent", GEMINI_HELLO.to_string()),
        (RESPONSES, _) => ("/v1/responses", format!(r#"{{"model":"m","stream":{streamed},"input":"hi"}}"#)),
        (DialectId::ChatV2 | DialectId::Converse, _) => panic!("no client speaks it"),
    }
}

const GEMINI_HELLO: &str = r#"{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}"#;

fn exchange(memory: &mut Memory, path: &str, body: &str) -> (Exchange, Step) {
    let (mut exchange, step) = Exchange::begin(head(path), "x1".into(), memory, 1000);
    if let Step::Reply(_) = step {
        return (exchange, step);
    }
    let step = exchange.body(body.as_bytes().to_vec(), memory, 1000);
    (exchange, step)
}

fn asked(memory: &mut Memory, dialect: DialectId, streamed: bool) -> Rc<Asked> {
    let (path, body) = hello(dialect, streamed);
    let (exchange, step) = exchange(memory, path, &body);
    assert!(matches!(step, Step::Send(_)), "{step:?}");
    exchange.asked().unwrap()
}

fn begin(asked: &Rc<Asked>, number: usize) -> (Attempt, Outgoing) {
    let cluster = format!("provider_p{number}");
    Attempt::begin(Rc::clone(asked), number, cluster.as_bytes(), &[], 1000).unwrap()
}

/// What Envoy would pass on: the head's edits and the bytes, or the wish to retry.
#[derive(Debug, PartialEq, Default)]
struct Passed {
    status: Option<String>,
    retry: bool,
    bytes: Vec<u8>,
}

impl Passed {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    fn take_head(&mut self, edits: &HeadEdits) {
        for (name, value) in &edits.set {
            match name.as_slice() {
                b":status" => self.status = Some(String::from_utf8_lossy(value).into_owned()),
                b"x-dragoman-retry" => self.retry = true,
                _ => {}
            }
        }
    }
}

fn answer(attempt: &mut Attempt, status: &str, kind: &str, chunks: &[&[u8]]) -> Passed {
    let head: Vec<Header> = [(":status", status), ("content-type", kind)]
        .iter()
        .map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()))
        .collect();
    let mut passed = Passed::default();
    match attempt.response_head(&head, false, 1001) {
        HeadVerdict::Pass(edits) => {
            passed.take_head(&edits);
            passed.bytes = chunks.concat();
            return passed;
        }
        HeadVerdict::Hold => {}
        HeadVerdict::Say(..) => unreachable!("a body follows"),
    }
    let mut held = true;
    for (index, chunk) in chunks.iter().chain([&&b""[..]]).enumerate() {
        let answer = attempt.response_body(chunk, index == chunks.len(), 1002);
        if let Some(edits) = &answer.head {
            assert!(held, "a head goes once");
            held = false;
            passed.take_head(edits);
        }
        match answer.body {
            Body::Keep => passed.bytes.extend_from_slice(chunk),
            Body::Replace(bytes) => passed.bytes.extend_from_slice(&bytes),
            Body::Hold => assert!(held, "only a held answer may hold bytes"),
        }
    }
    assert!(!held, "the head must go at the end at the latest");
    passed
}

const CHAT_STREAM: &str = concat!(
    "data: {\"id\":\"1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n",
    ": keep-alive\n\n",
    "data: {\"id\":\"1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"h\u{e9}\"},\"finish_reason\":null}]}\n\n",
    "data: {\"id\":\"1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2,\"total_tokens\":5}}\n\n",
    "data: [DONE]\n\n",
);

const MESSAGES_STREAM: &str = concat!(
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}\n\n",
    "event: ping\ndata: {\"type\":\"ping\"}\n\n",
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"h\u{e9}\"}}\n\n",
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":2}}\n\n",
    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
);

const GENERATE_STREAM: &str = concat!(
    "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"h\u{e9}\"}],\"role\":\"model\"},\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":3},\"modelVersion\":\"m\",\"responseId\":\"1\"}\r\n\r\n",
    "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\"}],\"role\":\"model\"},\"finishReason\":\"STOP\",\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":3,\"candidatesTokenCount\":2,\"totalTokenCount\":5},\"modelVersion\":\"m\",\"responseId\":\"1\"}\r\n\r\n",
);

const RESPONSES_STREAM: &str = concat!(
    "event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"1\",\"object\":\"response\",\"created_at\":1,\"status\":\"in_progress\",\"model\":\"m\",\"output\":[]}}\n\n",
    "event: response.output_item.added\ndata: {\"type\":\"response.output_item.added\",\"sequence_number\":1,\"output_index\":0,\"item\":{\"type\":\"message\",\"id\":\"i\",\"status\":\"in_progress\",\"role\":\"assistant\",\"content\":[]}}\n\n",
    "event: response.content_part.added\ndata: {\"type\":\"response.content_part.added\",\"sequence_number\":2,\"item_id\":\"i\",\"output_index\":0,\"content_index\":0,\"part\":{\"type\":\"output_text\",\"text\":\"\",\"annotations\":[]}}\n\n",
    "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":3,\"item_id\":\"i\",\"output_index\":0,\"content_index\":0,\"delta\":\"h\u{e9}\"}\n\n",
    "event: response.output_text.done\ndata: {\"type\":\"response.output_text.done\",\"sequence_number\":4,\"item_id\":\"i\",\"output_index\":0,\"content_index\":0,\"text\":\"h\u{e9}\"}\n\n",
    "event: response.output_item.done\ndata: {\"type\":\"response.output_item.done\",\"sequence_number\":5,\"output_index\":0,\"item\":{\"type\":\"message\",\"id\":\"i\",\"status\":\"completed\",\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\",\"text\":\"h\u{e9}\",\"annotations\":[]}]}}\n\n",
    "event: response.completed\ndata: {\"type\":\"response.completed\",\"sequence_number\":6,\"response\":{\"id\":\"1\",\"object\":\"response\",\"created_at\":1,\"status\":\"completed\",\"model\":\"m\",\"output\":[{\"type\":\"message\",\"id\":\"i\",\"status\":\"completed\",\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\",\"text\":\"h\u{e9}\",\"annotations\":[]}]}],\"usage\":{\"input_tokens\":3,\"output_tokens\":2,\"total_tokens\":5}}}\n\n",
);

const CHAT_V2_STREAM: &str = concat!(
    "event: message-start\ndata: {\"type\":\"message-start\",\"id\":\"1\",\"delta\":{\"message\":{\"role\":\"assistant\",\"content\":[],\"tool_plan\":\"\",\"tool_calls\":[],\"citations\":[]}}}\n\n",
    "event: content-start\ndata: {\"type\":\"content-start\",\"index\":0,\"delta\":{\"message\":{\"content\":{\"type\":\"text\",\"text\":\"\"}}}}\n\n",
    "event: content-delta\ndata: {\"type\":\"content-delta\",\"index\":0,\"delta\":{\"message\":{\"content\":{\"text\":\"h\u{e9}\"}}}}\n\n",
    "event: content-end\ndata: {\"type\":\"content-end\",\"index\":0}\n\n",
    "event: message-end\ndata: {\"type\":\"message-end\",\"delta\":{\"finish_reason\":\"COMPLETE\",\"usage\":{\"billed_units\":{\"input_tokens\":3,\"output_tokens\":2},\"tokens\":{\"input_tokens\":3,\"output_tokens\":2}}}}\n\n",
);

const STREAMS: [(DialectId, &str); 5] = [
    (CHAT, CHAT_STREAM),
    (MESSAGES, MESSAGES_STREAM),
    (GENERATE, GENERATE_STREAM),
    (RESPONSES, RESPONSES_STREAM),
    (DialectId::ChatV2, CHAT_V2_STREAM),
];

const WHOLES: [(DialectId, &str); 5] = [
    (
        CHAT,
        r#"{ "id":"1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hé"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5},"unknown":1e-0 }"#,
    ),
    (
        MESSAGES,
        r#"{ "id":"1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"hé"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":2},"unknown":1e-0 }"#,
    ),
    (
        GENERATE,
        r#"{ "candidates":[{"content":{"parts":[{"text":"hé"}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":2,"totalTokenCount":5},"unknown":1e-0 }"#,
    ),
    (
        RESPONSES,
        r#"{ "id":"1","object":"response","created_at":1,"status":"completed","model":"m","output":[{"type":"message","id":"i","status":"completed","role":"assistant","content":[{"type":"output_text","text":"hé","annotations":[]}]}],"usage":{"input_tokens":3,"output_tokens":2,"total_tokens":5},"unknown":1e-0 }"#,
    ),
    (
        DialectId::ChatV2,
        r#"{ "id":"1","message":{"role":"assistant","content":[{"type":"text","text":"hé"}]},"finish_reason":"COMPLETE","usage":{"billed_units":{"input_tokens":3,"output_tokens":2},"tokens":{"input_tokens":3,"output_tokens":2}},"unknown":1e-0 }"#,
    ),
];

const SSE: &str = "text/event-stream; charset=utf-8";
const JSON: &str = "application/json";

fn stream_of(dialect: DialectId) -> &'static str {
    STREAMS.iter().find(|(id, _)| *id == dialect).unwrap().1
}

fn whole_of(dialect: DialectId) -> &'static str {
    WHOLES.iter().find(|(id, _)| *id == dialect).unwrap().1
}

fn pieces(bytes: &[u8], cuts: &[usize]) -> Vec<Vec<u8>> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    cuts.extend([0, bytes.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|pair| bytes[pair[0]..pair[1]].to_vec()).collect()
}

/// Serves `bytes` from a provider of `to` to a client of `from`, in these chunks.
fn serve(from: DialectId, to: DialectId, streamed: bool, kind: &str, chunks: &[&[u8]]) -> (Passed, Outcome) {
    let asked = asked(&mut memory(&[to]), from, streamed);
    let (mut attempt, _) = begin(&asked, 1);
    let passed = answer(&mut attempt, "200", kind, chunks);
    (passed, attempt.end(1010))
}

#[test]
fn same_dialect_passes_the_very_bytes() {
    for (dialect, stream) in CLIENTS.map(|dialect| (dialect, stream_of(dialect))) {
        let (passed, outcome) = serve(dialect, dialect, true, SSE, &[stream.as_bytes()]);
        assert_eq!(passed.text(), stream);
        assert_eq!((outcome.ending, outcome.usage.input, outcome.usage.output), (Ending::Answered, Some(3), Some(2)));
        let whole = whole_of(dialect);
        let (passed, outcome) = serve(dialect, dialect, false, JSON, &[whole.as_bytes()]);
        assert_eq!(passed.text(), whole);
        assert_eq!((outcome.ending, outcome.usage.input, outcome.usage.output), (Ending::Answered, Some(3), Some(2)));
    }
}

#[test]
fn same_dialect_asks_with_the_very_bytes() {
    for dialect in CLIENTS {
        let asked = asked(&mut memory(&[dialect]), dialect, true);
        let (_, outgoing) = begin(&asked, 1);
        assert_eq!(outgoing.body, Body::Keep);
    }
}

#[test]
fn every_dialect_hears_every_other() {
    for from in CLIENTS {
        for (to, _) in STREAMS {
            let (passed, outcome) = serve(from, to, true, SSE, &[stream_of(to).as_bytes()]);
            assert!(passed.text().contains('h'), "{from:?} from {to:?}: {}", passed.text());
            assert_eq!(outcome.ending, Ending::Answered, "{from:?} from {to:?}: {outcome:?}");
            assert_eq!((outcome.usage.input, outcome.usage.output), (Some(3), Some(2)), "{from:?} from {to:?}");
            let (passed, outcome) = serve(from, to, false, JSON, &[whole_of(to).as_bytes()]);
            assert!(Json::parse(&passed.bytes).is_ok(), "{from:?} from {to:?}: {}", passed.text());
            assert_eq!(outcome.ending, Ending::Answered);
        }
    }
}

#[test]
fn an_answer_framed_otherwise_than_asked_is_said_as_asked() {
    for from in CLIENTS {
        let (passed, _) = serve(from, CHAT, true, JSON, &[whole_of(CHAT).as_bytes()]);
        assert!(passed.text().contains("data: "), "{}", passed.text());
        let (passed, _) = serve(from, CHAT, false, SSE, &[stream_of(CHAT).as_bytes()]);
        assert!(Json::parse(&passed.bytes).is_ok(), "{}", passed.text());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Law 1, for relays and interpretations alike.
    #[test]
    fn any_split_gives_the_same_output(from in 0..CLIENTS.len(), to in 0..STREAMS.len(), cuts in prop::collection::vec(any::<usize>(), 0..12), streamed in any::<bool>()) {
        let (from, to) = (CLIENTS[from], STREAMS[to].0);
        let (bytes, kind) = if streamed { (stream_of(to), SSE) } else { (whole_of(to), JSON) };
        let chunks = pieces(bytes.as_bytes(), &cuts);
        let chunks: Vec<&[u8]> = chunks.iter().map(Vec::as_slice).collect();
        let (cut, cut_outcome) = serve(from, to, streamed, kind, &chunks);
        let (uncut, outcome) = serve(from, to, streamed, kind, &[bytes.as_bytes()]);
        prop_assert_eq!(cut.text(), uncut.text());
        prop_assert_eq!(cut_outcome.usage, outcome.usage);
    }

    /// A cut stream never looks complete: wherever it ends, no dialect's end mark follows.
    #[test]
    fn a_cut_stream_never_looks_complete(from in 0..CLIENTS.len(), to in 0..STREAMS.len(), cut in any::<prop::sample::Index>()) {
        let (from, to) = (CLIENTS[from], STREAMS[to].0);
        let bytes = stream_of(to).as_bytes();
        // Before the frame that says why the model stopped.
        let stops = ["finish_reason\":\"stop", "message_delta", "finishReason", "response.completed", "message-end"];
        let end = stops.iter().filter_map(|stop| stream_of(to).find(stop)).min().unwrap();
        let (passed, outcome) = serve(from, to, true, SSE, &[&bytes[..cut.index(end)]]);
        let text = passed.text();
        prop_assert!(!text.contains("[DONE]") && !text.contains("message_stop") && !text.contains("STOP"), "{}", text);
        prop_assert!(!text.contains("response.completed"), "{}", text);
        prop_assert!(text.contains("error"), "{}", text);
        prop_assert!(matches!(outcome.ending, Ending::Broken | Ending::Refused), "{:?}", outcome);
    }

    /// Even a cut within the very frame that says why the model stopped is none of its end.
    #[test]
    fn a_relayed_stream_cut_within_its_last_frame_is_told(at in 0..3usize, cut in any::<prop::sample::Index>()) {
        let dialect = CLIENTS[at];
        let (stream, stop) = (stream_of(dialect), ["finish_reason\":\"stop", "message_delta", "finishReason"][at]);
        let frame = stream.rfind(stop).unwrap();
        let rest = stream[frame..].find("}").unwrap();
        let end = frame + cut.index(rest);
        let (passed, outcome) = serve(dialect, dialect, true, SSE, &[&stream.as_bytes()[..end]]);
        prop_assert_eq!(outcome.ending, Ending::Broken, "{}", passed.text());
    }

    /// Law 10: whatever a provider sends, the machine ends in an answer or an error.
    #[test]
    fn nonsense_never_panics(from in 0..CLIENTS.len(), to in 0..STREAMS.len(), noise in prop::collection::vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>(), kind in 0usize..3, status in 100u16..600) {
        let (from, to) = (CLIENTS[from], STREAMS[to].0);
        let mut bytes = stream_of(to).as_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes.splice(at..at, noise);
        let asked = asked(&mut memory(&[to]), from, kind == 0);
        let (mut attempt, _) = begin(&asked, 1);
        let kind = [SSE, JSON, "text/html"][kind];
        answer(&mut attempt, &status.to_string(), kind, &[&bytes]);
        attempt.end(1010);
    }
}

/// Bodies of a 200 that are no answer.
const NO_ANSWERS: [(&str, &str); 6] = [
    (SSE, ""),
    (SSE, "data: {\"error\":{\"message\":\"overloaded\",\"type\":\"server_error\",\"code\":503}}\n\n"),
    (SSE, ": ping\n\n: ping\n\n"),
    (JSON, "{\"id\":\"1\",\"choi"),
    (JSON, "{\"error\":{\"message\":\"overloaded\",\"type\":\"server_error\",\"code\":503}}"),
    ("text/html", "<html>bad gateway</html>"),
];

#[test]
fn a_200_without_an_answer_is_retried_and_at_last_told_as_an_error() {
    for (kind, body) in NO_ANSWERS {
        for from in CLIENTS {
            let asked = asked(&mut memory(&[CHAT, CHAT]), from, kind == SSE);
            let (mut first, _) = begin(&asked, 1);
            let passed = answer(&mut first, "200", kind, &[body.as_bytes()]);
            assert!(passed.retry, "{from:?} {body}");
            assert_eq!(first.end(1010).ending, Ending::Retriable);
            let (mut last, _) = begin(&asked, 2);
            let passed = answer(&mut last, "200", kind, &[body.as_bytes()]);
            assert!(!passed.retry);
            assert!(passed.status.as_deref().is_some_and(|status| status.starts_with('5')), "{passed:?}");
            assert!(Json::parse(&passed.bytes).unwrap().get("error").is_some(), "{}", passed.text());
            assert!(!passed.text().contains("html"), "{}", passed.text());
        }
    }
}

#[test]
fn statuses_are_retried_or_told() {
    let error = br#"{"error":{"message":"no","type":"t"}}"#;
    for (status, retried) in [
        (429, true),
        (408, true),
        (409, true),
        (500, true),
        (503, true),
        (529, true),
        (400, false),
        (401, false),
        (403, false),
        (404, false),
        (413, false),
        (422, false),
    ] {
        let asked = asked(&mut memory(&[CHAT, CHAT]), MESSAGES, false);
        let (mut attempt, _) = begin(&asked, 1);
        let passed = answer(&mut attempt, &status.to_string(), JSON, &[error]);
        assert_eq!(passed.retry, retried, "{status}");
        if !retried {
            assert_eq!(Json::parse(&passed.bytes).unwrap().get("type").unwrap().as_str(), "\"error\"");
        }
    }
}

/// Law 11.
#[test]
fn no_attempt_carries_the_credential_of_another() {
    for client in CLIENTS {
        let asked = asked(&mut memory(&[CHAT, MESSAGES, GENERATE]), client, true);
        let (_, first) = begin(&asked, 1);
        // The head that attempt 2 finds is the one that attempt 1 has left.
        let left: Vec<HeaderRef> = first.head.iter().map(|(name, value)| (name.as_slice(), value.as_slice())).collect();
        let (_, second) = Attempt::begin(Rc::clone(&asked), 2, b"provider_p2", &left, 1000).unwrap();
        let shown = |outgoing: &Outgoing| {
            let text = outgoing.head.iter().map(|(name, value)| [name.as_slice(), b": ", value, b"\n"].concat());
            String::from_utf8(text.collect::<Vec<_>>().concat()).unwrap()
        };
        for (outgoing, own) in [(&first, "secret-of-p1"), (&second, "secret-of-p2")] {
            let head = shown(outgoing);
            assert_eq!(head.matches("secret-of-").count(), 1, "{head}");
            assert!(head.contains(own), "{head}");
            for private in ["caller-key", "private", "spoofed"] {
                assert!(!head.contains(private), "{head}");
            }
        }
        assert!(Attempt::begin(Rc::clone(&asked), 2, b"provider_p1", &[], 1000).is_none(), "another's cluster");
        assert!(Attempt::begin(Rc::clone(&asked), 4, b"provider_p1", &[], 1000).is_none(), "not in the Plan");
        assert!(Attempt::begin(asked, 0, b"provider_p1", &[], 1000).is_none());
    }
}

#[test]
fn a_provider_that_echoes_the_credential_is_not_passed_on() {
    let asked = asked(&mut memory(&[CHAT]), CHAT, false);
    let (mut attempt, _) = begin(&asked, 1);
    let body = br#"{"error":{"message":"bad key secret-of-p1","type":"t"}}"#;
    let passed = answer(&mut attempt, "401", JSON, &[body]);
    assert!(!passed.text().contains("secret-of-p1"), "{}", passed.text());
    assert_eq!(attempt.rejected_credential(), Some(&CredentialId::of_gateway("p1")));
}

#[test]
fn a_client_that_leaves_is_told_from_a_provider_that_is_silent() {
    let asked = asked(&mut memory(&[CHAT]), CHAT, true);
    let (silent, _) = begin(&asked, 1);
    assert_eq!(silent.end(1010).ending, Ending::Silent);
    let (mut left, _) = begin(&asked, 1);
    let head = vec![(b":status".to_vec(), b"200".to_vec()), (b"content-type".to_vec(), SSE.as_bytes().to_vec())];
    left.response_head(&head, false, 1001);
    left.response_body(&CHAT_STREAM.as_bytes()[..500], false, 1001);
    assert_eq!(left.end(1010).ending, Ending::Abandoned);
}

#[test]
fn a_head_without_a_body_is_retried_or_explained() {
    for status in ["200", "429", "529", "404"] {
        let asked = asked(&mut memory(&[CHAT, CHAT]), MESSAGES, false);
        let head =
            vec![(b":status".to_vec(), status.as_bytes().to_vec()), (b"x-echo".to_vec(), b"secret-of-p2".to_vec())];
        let (mut last, _) = begin(&asked, 2);
        let HeadVerdict::Say(edits, body) = last.response_head(&head, true, 1001) else { panic!("{status}") };
        assert!(Json::parse(&body).unwrap().get("error").is_some());
        assert!(edits.remove.contains(&b"x-echo".to_vec()), "the credential must not be told: {edits:?}");
        let (mut first, _) = begin(&asked, 1);
        let verdict = first.response_head(&head, true, 1001);
        assert_eq!(matches!(verdict, HeadVerdict::Pass(_)), status != "404", "{status}: {verdict:?}");
    }
}
