//! Answering as Bedrock Converse, whole, and streamed in Amazon's binary frames.

use serde_json::{Value, json};

use super::answer::{Answer, Call, Stop, answer as decide, pieces, thirds, words};
use super::converse_check::check;
use super::event_stream::event;
use super::messages::signature;
use super::shape::{Checked, Complaint, Kind};
use super::{Persona, Piece, Production, check_model, json_body};
use crate::simulator::journal::{Received, Tokens, percent_decoded};

pub(super) fn answer(persona: &Persona, received: &Received) -> Checked<Production> {
    let (model, stream) = endpoint(received)?;
    persona.check_credential(received)?;
    let heard = check(&model, stream, &json_body(received)?)?;
    check_model(&model)?;
    let answer = decide(&heard);
    Ok(match stream {
        false => Production::whole(200, &whole(&answer), Some(answer.tokens)),
        true => {
            let pieces = Stream::default().write(&answer);
            Production::stream("application/vnd.amazon.eventstream", pieces, answer.tokens)
        }
    })
}

fn endpoint(received: &Received) -> Checked<(String, bool)> {
    let unknown = || Complaint::new(Kind::NotFound, "", "<UnknownOperationException/>");
    let rest = received.route().strip_prefix("/model/").ok_or_else(unknown)?;
    // A slash that belongs to the model's name is escaped.
    match rest.split_once('/').ok_or_else(unknown)? {
        (model, "converse") => Ok((percent_decoded(model), false)),
        (model, "converse-stream") => Ok((percent_decoded(model), true)),
        _ => Err(unknown()),
    }
}

pub(super) fn error(complaint: &Complaint) -> Value {
    json!({ "message": complaint.line() })
}

/// The header that says what went wrong; the body has words only.
pub(super) fn error_type(complaint: &Complaint) -> &'static str {
    match complaint.kind {
        Kind::Auth | Kind::NoAuth => "AccessDeniedException:http://internal.amazon.com/coral/com.amazon.bedrock/",
        Kind::NotFound => "ResourceNotFoundException:http://internal.amazon.com/coral/com.amazon.bedrock/",
        Kind::Invalid | Kind::Method => "ValidationException:http://internal.amazon.com/coral/com.amazon.bedrock/",
    }
}

fn stop_reason(stop: &Stop) -> &'static str {
    match stop {
        Stop::End => "end_turn",
        Stop::Length => "max_tokens",
        Stop::Calls => "tool_use",
        Stop::Sequence(_) => "stop_sequence",
        Stop::Refused => "content_filtered",
    }
}

/// Input counts only what was not read from the cache; thoughts are not told apart.
fn usage(tokens: Tokens) -> Value {
    json!({
        "inputTokens": tokens.input - tokens.cached,
        "outputTokens": tokens.output,
        "totalTokens": tokens.input + tokens.output,
        "cacheReadInputTokens": tokens.cached,
        "cacheWriteInputTokens": 0,
        "serverToolUsage": {},
    })
}

fn call_id(index: usize) -> String {
    format!("tooluse_simulated_{index}")
}

fn whole(answer: &Answer) -> Value {
    let mut content = Vec::new();
    if let Some(thinking) = &answer.thinking {
        let text = json!({"text": thinking, "signature": signature(thinking)});
        content.push(json!({"reasoningContent": {"reasoningText": text}}));
    }
    if let Some(text) = &answer.text {
        content.push(json!({ "text": text }));
    }
    for (index, call) in answer.calls.iter().enumerate() {
        content.push(json!({"toolUse": {"toolUseId": call_id(index), "name": call.name, "input": call.arguments}}));
    }
    json!({
        "metrics": {"latencyMs": 7},
        "output": {"message": {"content": content, "role": "assistant"}},
        "stopReason": stop_reason(&answer.stop),
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
        self.event("messageStart", json!({"role": "assistant"}), 0);
        if let Some(thinking) = &answer.thinking {
            for piece in pieces(thinking) {
                self.delta(json!({"reasoningContent": {"text": piece}}), words(piece));
            }
            self.delta(json!({"reasoningContent": {"signature": signature(thinking)}}), 0);
            self.close();
        }
        if let Some(text) = &answer.text {
            // Only calls are opened; a text begins with its first words.
            for piece in pieces(text) {
                self.delta(json!({ "text": piece }), words(piece));
            }
            self.close();
        }
        for (index, call) in answer.calls.iter().enumerate() {
            self.call(index, call);
        }
        self.event("messageStop", json!({"stopReason": stop_reason(&answer.stop)}), 0);
        self.event("metadata", json!({"metrics": {"latencyMs": 7}, "usage": usage(answer.tokens)}), 0);
        self.pieces
    }

    fn call(&mut self, index: usize, call: &Call) {
        let start = json!({"toolUse": {"name": call.name, "toolUseId": call_id(index)}});
        self.event("contentBlockStart", json!({"contentBlockIndex": self.blocks, "start": start}), 1);
        let arguments = call.arguments.to_string();
        let parts = thirds(&arguments);
        for (part, text) in parts.iter().enumerate() {
            let tokens = if part + 1 == parts.len() { words(&arguments) } else { 0 };
            self.delta(json!({"toolUse": {"input": text}}), tokens);
        }
        self.close();
    }

    fn delta(&mut self, delta: Value, tokens: u64) {
        self.event("contentBlockDelta", json!({"contentBlockIndex": self.blocks, "delta": delta}), tokens);
    }

    fn close(&mut self) {
        self.event("contentBlockStop", json!({"contentBlockIndex": self.blocks}), 0);
        self.blocks += 1;
    }

    fn event(&mut self, name: &str, mut data: Value, tokens: u64) {
        // Padding of changing length, as the real one has it against guessing from sizes.
        data["p"] = json!("abcdefghijklmnopqrstuvwxyz".get(..self.pieces.len() % 26));
        self.pieces.push(Piece::new(event(name, &data.to_string()), tokens));
    }
}
