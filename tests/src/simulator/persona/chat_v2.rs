//! Answering as Cohere chat v2, whole and streamed. Its vectors and its ordering of documents stand in `operations`.

use serde_json::{Value, json};

use super::answer::{Answer, Call, Stop, answer as decide, pieces, thirds, words};
use super::chat_v2_check::check;
use super::shape::{Checked, Complaint, Kind};
use super::{Persona, Piece, Production, check_model, json_body};
use crate::simulator::journal::{Received, Tokens};

const ID: &str = "simulated";

pub(super) fn answer(persona: &Persona, received: &Received) -> Checked<Production> {
    if received.route() != "/v2/chat" {
        return Err(Complaint::new(Kind::NotFound, "", format!("invalid path {}", received.route())));
    }
    persona.check_credential(received)?;
    let heard = check(&json_body(received)?)?;
    check_model(&heard.model)?;
    let answer = decide(&heard);
    Ok(match heard.stream {
        false => Production::whole(200, &whole(&answer), Some(answer.tokens)),
        true => Production::stream("text/event-stream", Stream::default().write(&answer), answer.tokens),
    })
}

pub(super) fn error(complaint: &Complaint) -> Value {
    json!({"id": ID, "message": complaint.line()})
}

fn finish_reason(stop: &Stop) -> &'static str {
    match stop {
        Stop::End => "COMPLETE",
        Stop::Sequence(_) => "STOP_SEQUENCE",
        Stop::Length => "MAX_TOKENS",
        Stop::Calls => "TOOL_CALL",
        Stop::Refused => "ERROR_TOXIC",
    }
}

/// Thoughts are not told apart from the rest, and what is billed is not what was read.
fn usage(tokens: Tokens) -> Value {
    json!({
        "billed_units": {"input_tokens": tokens.input - tokens.cached, "output_tokens": tokens.output},
        "tokens": {"input_tokens": tokens.input, "output_tokens": tokens.output},
        "cached_tokens": tokens.cached,
    })
}

fn call(index: usize, call: &Call, arguments: &str) -> Value {
    let function = json!({"name": call.name, "arguments": arguments});
    json!({"id": format!("{}_simulated{index}", call.name), "type": "function", "function": function})
}

/// A thought before calls is a plan; before a text it is a part of the content.
fn whole(answer: &Answer) -> Value {
    let mut message = json!({"role": "assistant"});
    let mut content = Vec::new();
    if let Some(thinking) = &answer.thinking {
        match answer.calls.is_empty() {
            true => content.push(json!({"type": "thinking", "thinking": thinking})),
            false => message["tool_plan"] = json!(thinking),
        }
    }
    if let Some(text) = &answer.text {
        content.push(json!({"type": "text", "text": text}));
    }
    if !content.is_empty() {
        message["content"] = json!(content);
    }
    if !answer.calls.is_empty() {
        let whole = |(index, one): (usize, &Call)| call(index, one, &one.arguments.to_string());
        message["tool_calls"] = answer.calls.iter().enumerate().map(whole).collect();
    }
    json!({
        "id": ID,
        "message": message,
        "finish_reason": finish_reason(&answer.stop),
        "usage": usage(answer.tokens),
    })
}

#[derive(Default)]
struct Stream {
    pieces: Vec<Piece>,
    blocks: usize,
}

impl Stream {
    fn write(mut self, answer: &Answer) -> Vec<Piece> {
        let message = json!({"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []});
        self.event("message-start", json!({"id": ID, "delta": {"message": message}}), 0);
        if let Some(thinking) = &answer.thinking {
            match answer.calls.is_empty() {
                true => self.content("thinking", thinking),
                false => self.plan(thinking),
            }
        }
        if let Some(text) = &answer.text {
            self.content("text", text);
        }
        for (index, one) in answer.calls.iter().enumerate() {
            self.call(index, one);
        }
        let delta = json!({"finish_reason": finish_reason(&answer.stop), "usage": usage(answer.tokens)});
        self.event("message-end", json!({"id": ID, "delta": delta}), 0);
        self.pieces.push(Piece::new("data: [DONE]\n\n", 0));
        self.pieces
    }

    fn plan(&mut self, thinking: &str) {
        for piece in pieces(thinking) {
            self.event("tool-plan-delta", json!({"delta": {"message": {"tool_plan": piece}}}), words(piece));
        }
    }

    fn content(&mut self, kind: &str, text: &str) {
        let index = self.blocks;
        let delta = |content: Value| json!({"index": index, "delta": {"message": {"content": content}}});
        let mut start = json!({ "type": kind });
        start[kind] = json!("");
        self.event("content-start", delta(start), 0);
        for piece in pieces(text) {
            let mut content = json!({});
            content[kind] = json!(piece);
            self.event("content-delta", delta(content), words(piece));
        }
        self.event("content-end", json!({ "index": index }), 0);
        self.blocks += 1;
    }

    fn call(&mut self, index: usize, one: &Call) {
        let delta = |calls: Value| json!({"index": index, "delta": {"message": {"tool_calls": calls}}});
        self.event("tool-call-start", delta(call(index, one, "")), 1);
        let arguments = one.arguments.to_string();
        let parts = thirds(&arguments);
        for (part, text) in parts.iter().enumerate() {
            let tokens = if part + 1 == parts.len() { words(&arguments) } else { 0 };
            self.event("tool-call-delta", delta(json!({"function": {"arguments": text}})), tokens);
        }
        self.event("tool-call-end", json!({ "index": index }), 0);
    }

    fn event(&mut self, name: &str, mut data: Value, tokens: u64) {
        data["type"] = json!(name);
        self.pieces.push(Piece::new(format!("event: {name}\ndata: {data}\n\n"), tokens));
    }
}
