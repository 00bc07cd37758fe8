//! Answering as Gemini: `generateContent` whole, `streamGenerateContent` as an event stream (`alt=sse`) or a JSON array.
//!
//! Function calls carry an id only from models whose name contains `gemini-3`, as at the real one; others are told
//! apart by name and order alone.

use serde_json::{Value, json};

use super::answer::{Answer, Stop, answer as decide, pieces, words};
use super::gemini_check::check;
use super::shape::{Checked, Complaint, Kind};
use super::{Persona, Piece, Production, check_model, json_body};
use crate::simulator::journal::{Received, Tokens};

const VERSIONS: [&str; 3] = ["/v1beta/models/", "/v1/models/", "/v1alpha/models/"];

/// How an answer is framed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Delivery {
    Whole,
    Events,
    Array,
}

pub(super) fn answer(persona: &Persona, received: &Received) -> Checked<Production> {
    let (model, delivery) = endpoint(received)?;
    persona.check_credential(received)?;
    let heard = check(&model, delivery != Delivery::Whole, &json_body(received)?)?;
    check_model(&model)?;
    let answer = decide(&heard);
    let tokens = answer.tokens;
    Ok(match delivery {
        Delivery::Whole => Production::whole(200, &whole(&model, &answer), Some(tokens)),
        Delivery::Events => {
            let event = |(_, chunk, tokens): (usize, Value, u64)| Piece::new(format!("data: {chunk}\r\n\r\n"), tokens);
            let pieces = numbered(chunks(&model, &answer)).map(event).collect();
            Production::stream("text/event-stream", pieces, tokens)
        }
        Delivery::Array => {
            let element = |(index, chunk, tokens): (usize, Value, u64)| {
                Piece::new(format!("{}{chunk:#}", if index == 0 { "[" } else { ",\r\n" }), tokens)
            };
            let mut pieces: Vec<Piece> = numbered(chunks(&model, &answer)).map(element).collect();
            pieces.push(Piece::new("]", 0));
            Production::stream("application/json; charset=UTF-8", pieces, tokens)
        }
    })
}

fn numbered(chunks: Vec<(Value, u64)>) -> impl Iterator<Item = (usize, Value, u64)> {
    chunks.into_iter().enumerate().map(|(index, (chunk, tokens))| (index, chunk, tokens))
}

fn endpoint(received: &Received) -> Checked<(String, Delivery)> {
    let unknown = || Complaint::new(Kind::NotFound, "", format!("{} is not found", received.route()));
    // The vendor's own client asks for v1, its documentation for v1beta.
    let call = VERSIONS.into_iter().find_map(|version| received.route().strip_prefix(version)).ok_or_else(unknown)?;
    let (model, method) = call.split_once(':').ok_or_else(unknown)?;
    let query = received.path.split_once('?').map_or("", |(_, query)| query);
    let delivery = match (method, query) {
        ("generateContent", _) => Delivery::Whole,
        ("streamGenerateContent", query) if query.split('&').any(|pair| pair == "alt=sse") => Delivery::Events,
        ("streamGenerateContent", _) => Delivery::Array,
        _ => return Err(unknown()),
    };
    Ok((model.to_owned(), delivery))
}

pub(super) fn error(complaint: &Complaint) -> Value {
    let status = match complaint.kind {
        Kind::Invalid | Kind::Auth => "INVALID_ARGUMENT",
        Kind::NoAuth => "PERMISSION_DENIED",
        Kind::NotFound => "NOT_FOUND",
        Kind::Method => "UNIMPLEMENTED",
    };
    let code = complaint.status(super::Dialect::Gemini);
    let mut error = json!({"code": code, "message": complaint.line(), "status": status});
    if complaint.kind == Kind::Auth {
        error["message"] = json!("API key not valid. Please pass a valid API key.");
        error["details"] = json!([{
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "API_KEY_INVALID",
            "domain": "googleapis.com",
            "metadata": {"service": "generativelanguage.googleapis.com"},
        }]);
    }
    json!({ "error": error })
}

fn finish_reason(stop: &Stop) -> &'static str {
    match stop {
        Stop::End | Stop::Sequence(_) | Stop::Calls => "STOP",
        Stop::Length => "MAX_TOKENS",
        Stop::Refused => "SAFETY",
    }
}

/// Candidates do not count thoughts; the total does.
fn usage(tokens: Tokens, candidates: u64) -> Value {
    json!({
        "promptTokenCount": tokens.input,
        "candidatesTokenCount": candidates,
        "totalTokenCount": tokens.input + candidates + tokens.reasoning,
        "cachedContentTokenCount": tokens.cached,
        "thoughtsTokenCount": tokens.reasoning,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": tokens.input}],
    })
}

fn call_part(model: &str, index: usize, call: &super::answer::Call) -> Value {
    let mut function = json!({"name": call.name, "args": call.arguments});
    if model.contains("gemini-3") {
        function["id"] = json!(format!("simulated-{index}"));
    }
    let mut part = json!({ "functionCall": function });
    if index == 0 {
        part["thoughtSignature"] = json!("c2ltdWxhdGVk");
    }
    part
}

fn whole(model: &str, answer: &Answer) -> Value {
    let mut parts = Vec::new();
    if let Some(thinking) = &answer.thinking {
        parts.push(json!({"text": thinking, "thought": true}));
    }
    if let Some(text) = &answer.text {
        parts.push(json!({ "text": text }));
    }
    parts.extend(answer.calls.iter().enumerate().map(|(index, call)| call_part(model, index, call)));
    let candidates = answer.tokens.output - answer.tokens.reasoning;
    response(model, json!(parts), Some(&answer.stop), &usage(answer.tokens, candidates))
}

fn response(model: &str, parts: Value, stop: Option<&Stop>, usage: &Value) -> Value {
    let mut candidate = json!({"content": {"parts": parts, "role": "model"}, "index": 0});
    if let Some(stop) = stop {
        candidate["finishReason"] = json!(finish_reason(stop));
    }
    json!({
        "candidates": [candidate],
        "usageMetadata": usage,
        "modelVersion": model,
        "responseId": "simulated",
    })
}

/// The chunks of a stream; usage grows from one to the next, the last one holds.
fn chunks(model: &str, answer: &Answer) -> Vec<(Value, u64)> {
    let mut parts: Vec<(Value, u64)> = Vec::new();
    for piece in pieces(answer.thinking.as_deref().unwrap_or_default()) {
        parts.push((json!({"text": piece, "thought": true}), words(piece)));
    }
    for piece in pieces(answer.text.as_deref().unwrap_or_default()) {
        parts.push((json!({ "text": piece }), words(piece)));
    }
    for (index, call) in answer.calls.iter().enumerate() {
        parts.push((call_part(model, index, call), words(&call.arguments.to_string()) + 1));
    }
    if parts.is_empty() {
        parts.push((json!({"text": ""}), 0));
    }
    let last = parts.len() - 1;
    let mut sent = 0;
    let chunk = |(index, (part, tokens)): (usize, (Value, u64))| {
        sent += tokens;
        let candidates = sent.saturating_sub(answer.tokens.reasoning);
        let stop = (index == last).then_some(&answer.stop);
        (response(model, json!([part]), stop, &usage(answer.tokens, candidates)), tokens)
    };
    parts.into_iter().enumerate().map(chunk).collect()
}
