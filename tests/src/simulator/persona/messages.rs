//! Answering as Anthropic messages, whole and streamed.

use serde_json::{Value, json};

use super::answer::{Answer, Stop, answer as decide, pieces, thirds, words};
use super::messages_check::check;
use super::shape::{Checked, Complaint, Kind};
use super::{Persona, Piece, Production, check_model, json_body};
use crate::simulator::journal::{Received, Tokens};

/// The first is what programs send, the second what the vendor's own client sends today.
const VERSIONS: [&str; 2] = ["2023-06-01", "2026-10-21"];

pub(super) fn answer(persona: &Persona, received: &Received) -> Checked<Production> {
    if received.route() != "/v1/messages" {
        return Err(Complaint::new(Kind::NotFound, "", "Not found"));
    }
    persona.check_credential(received)?;
    if !received.header("anthropic-version").is_some_and(|version| VERSIONS.contains(&version)) {
        let why = format!("header is required, once, as one of {}", VERSIONS.join(", "));
        return Err(Complaint::new(Kind::Invalid, "anthropic-version", why));
    }
    let heard = check(&json_body(received)?)?;
    check_model(&heard.model)?;
    let answer = decide(&heard);
    Ok(match heard.stream {
        false => Production::whole(200, &whole(&heard.model, &answer), Some(answer.tokens)),
        true => {
            let pieces = Stream::default().write(&heard.model, &answer);
            Production::stream("text/event-stream; charset=utf-8", pieces, answer.tokens)
        }
    })
}

pub(super) fn error(complaint: &Complaint) -> Value {
    let kind = match complaint.kind {
        Kind::Auth | Kind::NoAuth => "authentication_error",
        Kind::NotFound => "not_found_error",
        Kind::Invalid | Kind::Method => "invalid_request_error",
    };
    json!({
        "type": "error",
        "error": {"type": kind, "message": complaint.line()},
        "request_id": "req_simulated",
    })
}

/// The signature that proves a thinking block is the persona's own: anyone can compute it, nobody does by accident.
/// It is base64, as the real one's.
pub(super) fn signature(thinking: &str) -> String {
    let sum = thinking.bytes().fold(0u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
    format!("c2ln{sum:016x}")
}

fn stop(answer: &Answer) -> (&'static str, Option<&str>) {
    match &answer.stop {
        Stop::End => ("end_turn", None),
        Stop::Length => ("max_tokens", None),
        Stop::Calls => ("tool_use", None),
        Stop::Sequence(stop) => ("stop_sequence", Some(stop)),
        Stop::Refused => ("refusal", None),
    }
}

/// Input counts only what was not read from the cache.
fn usage(tokens: Tokens, output: u64) -> Value {
    json!({
        "input_tokens": tokens.input - tokens.cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": tokens.cached,
        "output_tokens": output,
        "output_tokens_details": {"thinking_tokens": tokens.reasoning.min(output)},
        "service_tier": "standard",
    })
}

fn call_id(index: usize) -> String {
    format!("toolu_simulated_{index}")
}

fn whole(model: &str, answer: &Answer) -> Value {
    let mut content = Vec::new();
    if let Some(thinking) = &answer.thinking {
        content.push(json!({"type": "thinking", "thinking": thinking, "signature": signature(thinking)}));
    }
    if let Some(text) = &answer.text {
        content.push(json!({"type": "text", "text": text}));
    }
    for (index, call) in answer.calls.iter().enumerate() {
        content.push(json!({"type": "tool_use", "id": call_id(index), "name": call.name, "input": call.arguments}));
    }
    let (reason, sequence) = stop(answer);
    message(model, json!(content), json!(reason), json!(sequence), usage(answer.tokens, answer.tokens.output))
}

fn message(model: &str, content: Value, reason: Value, sequence: Value, usage: Value) -> Value {
    json!({
        "id": "msg_simulated",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": reason,
        "stop_sequence": sequence,
        "usage": usage,
    })
}

#[derive(Default)]
struct Stream {
    pieces: Vec<Piece>,
    blocks: usize,
}

impl Stream {
    fn write(mut self, model: &str, answer: &Answer) -> Vec<Piece> {
        let start = message(model, json!([]), Value::Null, Value::Null, usage(answer.tokens, 1));
        self.event("message_start", json!({"message": start}), 0);
        if let Some(thinking) = &answer.thinking {
            self.open(json!({"type": "thinking", "thinking": "", "signature": ""}));
            for piece in pieces(thinking) {
                self.delta(json!({"type": "thinking_delta", "thinking": piece}), words(piece));
            }
            self.delta(json!({"type": "signature_delta", "signature": signature(thinking)}), 0);
            self.close();
        }
        if let Some(text) = &answer.text {
            self.open(json!({"type": "text", "text": ""}));
            for piece in pieces(text) {
                self.delta(json!({"type": "text_delta", "text": piece}), words(piece));
            }
            self.close();
        }
        for (index, call) in answer.calls.iter().enumerate() {
            self.open(json!({"type": "tool_use", "id": call_id(index), "name": call.name, "input": {}}));
            self.delta(json!({"type": "input_json_delta", "partial_json": ""}), 1);
            let arguments = call.arguments.to_string();
            let parts = thirds(&arguments);
            for (part, text) in parts.iter().enumerate() {
                let tokens = if part + 1 == parts.len() { words(&arguments) } else { 0 };
                self.delta(json!({"type": "input_json_delta", "partial_json": text}), tokens);
            }
            self.close();
        }
        let (reason, sequence) = stop(answer);
        let delta = json!({"stop_reason": reason, "stop_sequence": sequence});
        self.event("message_delta", json!({"delta": delta, "usage": usage(answer.tokens, answer.tokens.output)}), 0);
        self.event("message_stop", json!({}), 0);
        self.pieces
    }

    fn open(&mut self, block: Value) {
        self.event("content_block_start", json!({"index": self.blocks, "content_block": block}), 0);
        if self.blocks == 0 {
            self.event("ping", json!({}), 0);
        }
    }

    fn delta(&mut self, delta: Value, tokens: u64) {
        self.event("content_block_delta", json!({"index": self.blocks, "delta": delta}), tokens);
    }

    fn close(&mut self) {
        self.event("content_block_stop", json!({"index": self.blocks}), 0);
        self.blocks += 1;
    }

    fn event(&mut self, name: &str, mut data: Value, tokens: u64) {
        data["type"] = json!(name);
        self.pieces.push(Piece::new(format!("event: {name}\ndata: {data}\n\n"), tokens));
    }
}
