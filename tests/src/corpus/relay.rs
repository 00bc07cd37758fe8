//! An answer in the client's own dialect, through the machines: the very bytes pass, the tokens are counted on the way, and a
//! stream that breaks off is told to the client.

use std::rc::Rc;

use dragoman_core::admission::{Grant, digest};
use dragoman_core::attempt::{Attempt, Body, HeadVerdict};
use dragoman_core::catalog::DialectId;
use dragoman_core::exchange::{Asked, Exchange, Head, Header};
use dragoman_core::hub::Delivery;
use dragoman_core::interpret::Framing;
use dragoman_core::memory::Memory;
use dragoman_core::record::Outcome;
use dragoman_core::snapshot::Snapshot;
use serde_json::{Value, json};

use super::expected;
use super::heard::{Heard, hear};
use super::recording::Recording;

const KEY: &str = "caller-key";

/// What passed to the client.
struct Passed {
    bytes: Vec<u8>,
    outcome: Outcome,
}

/// What is wrong with the answer's bytes, and with the counts for the Record.
pub fn problems(recording: &Recording, dialect: DialectId, direct: &Heard) -> (Vec<String>, Vec<String>) {
    let mut found = Vec::new();
    let bytes = recording.bytes.as_slice();
    for size in [bytes.len().max(1), 1021] {
        match pass(recording, dialect, bytes.chunks(size)) {
            Some(passed) if starts_with(&passed.bytes, bytes) => {
                let tail = passed.bytes.get(bytes.len()..).unwrap_or_default();
                // After an answer that broke off, the client is told so; after a good one, nothing is added.
                if !tail.is_empty() && direct.is_complete() {
                    found.push(format!("pieces of {size}: {} bytes were added", tail.len()));
                }
            }
            Some(_) if is_begun_only(recording, direct) => {}
            Some(passed) => found.push(format!(
                "pieces of {size}: {} bytes became {}: {}",
                bytes.len(),
                passed.bytes.len(),
                expected::short(&String::from_utf8_lossy(&passed.bytes)),
            )),
            None => found.push("the request was not sent".to_owned()),
        }
    }
    if recording.is_streamed() && direct.is_complete() {
        found.extend(cut(recording, dialect));
    }
    let counted = pass(recording, dialect, [bytes]).map(|passed| passed.outcome.usage).unwrap_or_default();
    (found, expected::usage(&recording.expect, &counted))
}

/// Whether nothing of the answer had begun when it failed: then the next target may be tried, and no byte needs to pass.
fn is_begun_only(recording: &Recording, direct: &Heard) -> bool {
    let nothing = direct.text.is_empty() && direct.thinking.is_empty() && direct.calls.is_empty();
    !direct.is_complete() && nothing && expected::is_failure(&recording.expect)
}

fn starts_with(passed: &[u8], bytes: &[u8]) -> bool {
    passed.starts_with(bytes)
}

/// A stream that breaks off in the middle: what came passes, and an error follows.
fn cut(recording: &Recording, dialect: DialectId) -> Option<String> {
    let half = recording.bytes.get(..recording.bytes.len() / 2)?;
    // Once a whole event has said why the model stopped, only counts are missing.
    let ends = |end: &[u8]| half.windows(end.len()).rposition(|found| found == end).map_or(0, |at| at + end.len());
    let whole_events = half.get(..ends(b"\n\n").max(ends(b"\r\n\r\n")))?;
    if [half, whole_events].iter().any(|bytes| hear(dialect, recording.framing, [*bytes]).is_complete()) {
        return None;
    }
    let passed = pass(recording, dialect, half.chunks(1021))?;
    let back = hear(dialect, recording.framing, [passed.bytes.as_slice()]);
    let told = !back.is_complete() && (passed.bytes.len() > half.len() || !starts_with(&passed.bytes, half));
    (!told).then(|| format!("a relayed stream that breaks off after {} bytes is not told", half.len()))
}

/// Counts in an answer that no client's machine relays: read by the dialect's table from every frame.
pub fn counted(recording: &Recording, dialect: DialectId) -> Vec<String> {
    let heard = hear(dialect, recording.framing, [recording.bytes.as_slice()]);
    expected::usage(&recording.expect, &heard.usage)
}

fn pass<'b>(recording: &Recording, dialect: DialectId, chunks: impl IntoIterator<Item = &'b [u8]>) -> Option<Passed> {
    let asked = ask(dialect, recording.delivery)?;
    let (mut attempt, _) = Attempt::begin(Rc::clone(&asked), asked.turn(1), b"provider_p1", &[], 0)?;
    let kind = match recording.framing {
        Framing::Whole | Framing::Array => "application/json",
        Framing::Sse => "text/event-stream",
        Framing::EventStream => "application/vnd.amazon.eventstream",
    };
    let status = recording.status.to_string();
    let head = [header(":status", &status), header("content-type", kind)];
    let mut bytes = Vec::new();
    if let HeadVerdict::Say(_, body) = attempt.response_head(&head, false, 0) {
        bytes = body;
    }
    let mut held = Vec::new();
    let mut take = |attempt: &mut Attempt, chunk: &[u8], ends: bool| {
        held.extend_from_slice(chunk);
        match attempt.response_body(chunk, ends, 0).body {
            Body::Hold => held.clear(),
            Body::Keep => bytes.append(&mut held),
            Body::Replace(other) => {
                held.clear();
                bytes.extend_from_slice(&other);
            }
        }
    };
    for chunk in chunks {
        take(&mut attempt, chunk, false);
    }
    take(&mut attempt, b"", true);
    Some(Passed { bytes, outcome: attempt.end(0) })
}

fn header(name: &str, value: &str) -> Header {
    (name.as_bytes().to_vec(), value.as_bytes().to_vec())
}

/// What a client asked whose answer is to come in this way.
fn ask(dialect: DialectId, delivery: Delivery) -> Option<Rc<Asked>> {
    let stream = delivery != Delivery::Whole;
    let turns = json!([{"role": "user", "content": "hi"}]);
    let (path, body) = match (dialect, delivery) {
        (DialectId::ChatCompletions, _) => {
            ("/v1/chat/completions", json!({"model": "m", "stream": stream, "messages": turns}))
        }
        (DialectId::Messages, _) => {
            ("/v1/messages", json!({"model": "m", "stream": stream, "max_tokens": 9, "messages": turns}))
        }
        (DialectId::Responses, _) => ("/v1/responses", json!({"model": "m", "stream": stream, "input": "hi"})),
        (DialectId::GenerateContent, Delivery::Whole) => ("/v1beta/models/m:generateContent", contents()),
        (DialectId::GenerateContent, Delivery::Streamed) => {
            ("/v1beta/models/m:streamGenerateContent?alt=sse", contents())
        }
        (DialectId::GenerateContent, Delivery::StreamedArray) => ("/v1beta/models/m:streamGenerateContent", contents()),
        (DialectId::ChatV2 | DialectId::Converse, _) => return None,
    };
    let mut memory = memory(dialect)?;
    let headers = [
        header(":method", "POST"),
        header(":path", path),
        header(":authority", "gateway"),
        header("authorization", &format!("Bearer {KEY}")),
    ];
    let (mut exchange, _) = Exchange::begin(Head { headers: headers.to_vec() }, "x1".into(), &mut memory, 0);
    exchange.body(body.to_string().into_bytes(), &mut memory, 0);
    exchange.asked()
}

fn contents() -> Value {
    json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]})
}

/// A worker that knows one provider of the dialect and one caller.
fn memory(dialect: DialectId) -> Option<Memory> {
    let provider = json!({
        "id": "p1", "cluster": "provider_p1", "tls": true, "host": "p1.example", "port": 443, "base": "",
        "services": [{"dialect": dialect.name(), "prefix": "/v1", "operations": []}],
        "credential": "", "headers": [], "omit": [], "rename": [], "set": [], "price": {"input": 0, "output": 0},
    });
    let target = json!({
        "id": "p1/m", "provider": 0, "model": "m", "output_limit": 0, "context_window": 0, "abilities": [],
        "thinking": "unknown", "unsigned": "", "price": {"input": 0, "output": 0},
    });
    let snapshot = json!({
        "version": 1, "providers": [provider], "targets": [target],
        "routes": [{"name": "m", "candidates": [0], "loss": "warn"}], "families": [],
    });
    let mut memory = Memory::default();
    memory.publish(Snapshot::read(snapshot.to_string().as_bytes()).ok()?);
    let grant = Grant { caller: "c".into(), ..Grant::default() };
    memory.admit(digest(KEY.as_bytes()), Some(grant), 1_000_000, 0);
    Some(memory)
}

/// What is wrong with a relayed error: its very bytes pass, or it is said in the dialect's own form.
pub fn error_problems(recording: &Recording, dialect: DialectId) -> Vec<String> {
    let Some(passed) = pass(recording, dialect, [recording.bytes.as_slice()]) else {
        return vec!["the request was not sent".to_owned()];
    };
    if passed.bytes == recording.bytes {
        return Vec::new();
    }
    let body: Value = serde_json::from_slice(&passed.bytes).unwrap_or_default();
    match super::failure::has_form(dialect, &body, recording.status) {
        true => Vec::new(),
        false => vec![format!(
            "neither the bytes nor an error: {}",
            expected::short(&String::from_utf8_lossy(&passed.bytes))
        )],
    }
}
