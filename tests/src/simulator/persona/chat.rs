//! Answering as OpenAI chat completions, whole and streamed.

use serde_json::{Value, json};

use super::answer::{Answer, Stop, answer as decide, pieces, thirds, words};
use super::chat_check::{Asked, check};
use super::shape::{Checked, Complaint, Kind};
use super::{Persona, Piece, Production, check_model, json_body};
use crate::simulator::journal::{Received, Tokens};

/// A fixed time, so that the same request gets the same bytes.
const CREATED: u64 = 1_790_000_000;
const ID: &str = "chatcmpl-simulated";

pub(super) fn answer(persona: &Persona, received: &Received) -> Checked<Production> {
    if received.route() == "/v1/models" && received.method == "GET" {
        persona.check_credential(received)?;
        let model = json!({"id": "gpt-simulated", "object": "model", "created": CREATED, "owned_by": "simulator"});
        return Ok(Production::whole(200, &json!({"object": "list", "data": [model]}), None));
    }
    if received.route() != "/v1/chat/completions" {
        return Err(Complaint::new(Kind::NotFound, "", format!("Invalid URL ({} {})", received.method, received.path)));
    }
    persona.check_credential(received)?;
    let Asked { heard, include_usage } = check(&json_body(received)?)?;
    check_model(&heard.model)?;
    let answer = decide(&heard);
    Ok(match heard.stream {
        false => Production::whole(200, &whole(&heard.model, &answer), Some(answer.tokens)),
        true => {
            let pieces = Stream { model: &heard.model, include_usage, pieces: Vec::new() }.write(&answer);
            Production::stream("text/event-stream; charset=utf-8", pieces, answer.tokens)
        }
    })
}

pub(super) fn error(complaint: &Complaint) -> Value {
    let (kind, code) = match complaint.kind {
        Kind::Auth | Kind::NoAuth => ("invalid_request_error", json!("invalid_api_key")),
        Kind::NotFound => ("invalid_request_error", json!("model_not_found")),
        Kind::Invalid | Kind::Method => ("invalid_request_error", Value::Null),
    };
    let param = if complaint.place.is_empty() { Value::Null } else { json!(complaint.place) };
    json!({"error": {"message": complaint.line(), "type": kind, "param": param, "code": code}})
}

fn finish_reason(stop: &Stop) -> &'static str {
    match stop {
        Stop::End | Stop::Sequence(_) => "stop",
        Stop::Length => "length",
        Stop::Calls => "tool_calls",
        Stop::Refused => "content_filter",
    }
}

fn usage(tokens: Tokens) -> Value {
    json!({
        "prompt_tokens": tokens.input,
        "completion_tokens": tokens.output,
        "total_tokens": tokens.input + tokens.output,
        "prompt_tokens_details": {"cached_tokens": tokens.cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": tokens.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    })
}

fn call_id(index: usize) -> String {
    format!("call_simulated_{index}")
}

fn whole(model: &str, answer: &Answer) -> Value {
    let mut message = json!({"role": "assistant", "content": answer.text, "refusal": null, "annotations": []});
    if let Some(thinking) = &answer.thinking {
        message["reasoning_content"] = json!(thinking);
    }
    if !answer.calls.is_empty() {
        let call = |(index, call): (usize, &super::answer::Call)| {
            let function = json!({"name": call.name, "arguments": call.arguments.to_string()});
            json!({"id": call_id(index), "type": "function", "function": function})
        };
        message["tool_calls"] = answer.calls.iter().enumerate().map(call).collect();
    }
    let choice =
        json!({"index": 0, "message": message, "logprobs": null, "finish_reason": finish_reason(&answer.stop)});
    json!({
        "id": ID,
        "object": "chat.completion",
        "created": CREATED,
        "model": model,
        "choices": [choice],
        "usage": usage(answer.tokens),
        "service_tier": "default",
        "system_fingerprint": "fp_simulated",
    })
}

struct Stream<'a> {
    model: &'a str,
    include_usage: bool,
    pieces: Vec<Piece>,
}

impl Stream<'_> {
    fn write(mut self, answer: &Answer) -> Vec<Piece> {
        self.delta(json!({"role": "assistant", "content": "", "refusal": null}), None, 0);
        for piece in pieces(answer.thinking.as_deref().unwrap_or_default()) {
            self.delta(json!({"reasoning_content": piece}), None, words(piece));
        }
        for piece in pieces(answer.text.as_deref().unwrap_or_default()) {
            self.delta(json!({"content": piece}), None, words(piece));
        }
        for (index, call) in answer.calls.iter().enumerate() {
            let function = json!({"name": call.name, "arguments": ""});
            let start = json!({"index": index, "id": call_id(index), "type": "function", "function": function});
            self.delta(json!({"tool_calls": [start]}), None, 1);
            let arguments = call.arguments.to_string();
            let parts = thirds(&arguments);
            for (part, text) in parts.iter().enumerate() {
                let tokens = if part + 1 == parts.len() { words(&arguments) } else { 0 };
                let piece = json!({"index": index, "function": {"arguments": text}});
                self.delta(json!({"tool_calls": [piece]}), None, tokens);
            }
        }
        self.delta(json!({}), Some(finish_reason(&answer.stop)), 0);
        if self.include_usage {
            let mut chunk = self.chunk(json!([]));
            chunk["usage"] = usage(answer.tokens);
            self.event(&chunk, 0);
        }
        self.pieces.push(Piece::new("data: [DONE]\n\n", 0));
        self.pieces
    }

    fn delta(&mut self, delta: Value, finish: Option<&str>, tokens: u64) {
        let choice = json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish});
        let chunk = self.chunk(json!([choice]));
        self.event(&chunk, tokens);
    }

    fn chunk(&self, choices: Value) -> Value {
        let mut chunk = json!({
            "id": ID,
            "object": "chat.completion.chunk",
            "created": CREATED,
            "model": self.model,
            "service_tier": "default",
            "system_fingerprint": "fp_simulated",
            "choices": choices,
        });
        if self.include_usage {
            chunk["usage"] = Value::Null;
        }
        chunk
    }

    fn event(&mut self, chunk: &Value, tokens: u64) {
        self.pieces.push(Piece::new(format!("data: {chunk}\n\n"), tokens));
    }
}
