//! Answering as OpenAI responses, whole; the events of a stream stand beside it.

use serde_json::{Value, json};

use super::answer::{Answer, Call, Stop, answer as decide};
use super::responses_check::{Asked, check};
use super::responses_stream::stream;
use super::shape::{Checked, Complaint, Kind};
use super::vectors::base64;
use super::{Persona, Production, check_model, json_body};
use crate::simulator::journal::{Received, Tokens};

const CREATED: u64 = 1_790_000_000;
/// What every answer is called, and the only one that can be gone on from.
pub(super) const ID: &str = "resp_simulated";

/// What every encrypted thought begins with.
const SEAL: &str = "gAAAAA";

pub(super) fn answer(persona: &Persona, received: &Received) -> Checked<Production> {
    if received.route() != "/v1/responses" {
        return Err(Complaint::new(Kind::NotFound, "", format!("Invalid URL ({} {})", received.method, received.path)));
    }
    persona.check_credential(received)?;
    let body = json_body(received)?;
    let asked = check(&body)?;
    check_model(&asked.heard.model)?;
    let answer = decide(&asked.heard);
    let response = Response { asked: &asked, body: &body, answer: &answer };
    Ok(match asked.heard.stream {
        false => Production::whole(200, &response.ended(), Some(answer.tokens)),
        true => Production::stream("text/event-stream; charset=utf-8", stream(&response), answer.tokens),
    })
}

/// An encrypted thought, for the persona to know again: its words in base64.
pub(super) fn seal(thought: &str) -> String {
    format!("{SEAL}{}", base64(thought.as_bytes()))
}

/// Whether an encrypted thought is the persona's own; all its thoughts begin alike.
pub(super) fn unsealed(seal: &str) -> bool {
    // Fifteen bytes are twenty letters, without any that depend on what follows.
    seal.strip_prefix(SEAL).is_some_and(|thought| thought.starts_with(&base64(b"thinking about:")))
}

fn usage(tokens: Tokens) -> Value {
    json!({
        "input_tokens": tokens.input,
        "input_tokens_details": {"cached_tokens": tokens.cached, "cache_write_tokens": 0},
        "output_tokens": tokens.output,
        "output_tokens_details": {"reasoning_tokens": tokens.reasoning},
        "total_tokens": tokens.input + tokens.output,
    })
}

/// A response and what it is made of.
pub(super) struct Response<'a> {
    pub asked: &'a Asked,
    pub body: &'a Value,
    pub answer: &'a Answer,
}

impl Response<'_> {
    /// The response before anything of it is there.
    pub(super) fn begun(&self) -> Value {
        self.object("in_progress", json!([]), Value::Null)
    }

    /// `completed`, or `incomplete` when it was stopped early.
    pub(super) fn status(&self) -> &'static str {
        if self.reason().is_some() { "incomplete" } else { "completed" }
    }

    fn reason(&self) -> Option<&'static str> {
        match self.answer.stop {
            Stop::Length => Some("max_output_tokens"),
            Stop::Refused => Some("content_filter"),
            Stop::End | Stop::Calls | Stop::Sequence(_) => None,
        }
    }

    /// The whole response.
    pub(super) fn ended(&self) -> Value {
        let mut output = Vec::new();
        if let Some(thinking) = &self.answer.thinking {
            output.push(self.thought(thinking, self.asked.shown));
        }
        if let Some(text) = &self.answer.text {
            output.push(self.message(self.status(), &json!([part(text)])));
        }
        for (index, call) in self.answer.calls.iter().enumerate() {
            output.push(self.call(index, call, "completed", &self.said(call)));
        }
        let mut object = self.object(self.status(), json!(output), usage(self.answer.tokens));
        if let Some(reason) = self.reason() {
            object["incomplete_details"] = json!({ "reason": reason });
        } else {
            object["completed_at"] = json!(CREATED + 1);
        }
        object
    }

    /// A thought, summed up or not.
    pub(super) fn thought(&self, thinking: &str, summed_up: bool) -> Value {
        let summary = if summed_up { json!([{"type": "summary_text", "text": thinking}]) } else { json!([]) };
        let mut item = json!({"id": "rs_simulated", "type": "reasoning", "summary": summary});
        if self.asked.sealed {
            item["encrypted_content"] = json!(seal(thinking));
        }
        item
    }

    pub(super) fn message(&self, status: &str, content: &Value) -> Value {
        json!({
            "id": "msg_simulated",
            "type": "message",
            "status": status,
            "role": "assistant",
            "phase": "final_answer",
            "content": content,
        })
    }

    /// What a call says: its arguments, or for a tool that takes any text, that text.
    pub(super) fn said(&self, call: &Call) -> String {
        match self.is_custom(call) {
            true => call.arguments["input"].as_str().unwrap_or_default().to_owned(),
            false => call.arguments.to_string(),
        }
    }

    pub(super) fn is_custom(&self, call: &Call) -> bool {
        self.asked.offered.iter().any(|tool| tool.key() == call.name && tool.custom)
    }

    pub(super) fn call(&self, index: usize, call: &Call, status: &str, said: &str) -> Value {
        let tool = self.asked.offered.iter().find(|tool| tool.key() == call.name);
        let (id, kind, member) = match self.is_custom(call) {
            true => (format!("ctc_simulated_{index}"), "custom_tool_call", "input"),
            false => (format!("fc_simulated_{index}"), "function_call", "arguments"),
        };
        let name = tool.map_or(call.name.as_str(), |tool| tool.name.as_str());
        let call_id = format!("call_simulated_{index}");
        let mut item = json!({"id": id, "type": kind, "status": status, "call_id": call_id, "name": name});
        item[member] = json!(said);
        if let Some(namespace) = tool.and_then(|tool| tool.namespace.as_deref()) {
            item["namespace"] = json!(namespace);
        }
        item
    }

    fn object(&self, status: &str, output: Value, usage: Value) -> Value {
        let asked = |name: &str, otherwise: Value| match self.body.get(name) {
            Some(value) if !value.is_null() => value.clone(),
            _ => otherwise,
        };
        let nothing = Value::Null;
        json!({
            "id": ID,
            "object": "response",
            "created_at": CREATED,
            "status": status,
            "background": false,
            "completed_at": null,
            "error": null,
            "incomplete_details": null,
            "instructions": asked("instructions", nothing.clone()),
            "max_output_tokens": asked("max_output_tokens", nothing.clone()),
            "max_tool_calls": null,
            "model": self.asked.heard.model,
            "output": output,
            "parallel_tool_calls": self.asked.heard.parallel,
            "previous_response_id": null,
            "prompt_cache_key": asked("prompt_cache_key", nothing.clone()),
            "reasoning": {
                "effort": self.body["reasoning"]["effort"],
                "summary": self.body["reasoning"]["summary"],
            },
            "safety_identifier": asked("safety_identifier", nothing.clone()),
            "service_tier": "default",
            "store": asked("store", json!(true)),
            "temperature": asked("temperature", json!(1.0)),
            "text": {
                "format": asked("text", json!({})).get("format").cloned().unwrap_or_else(|| json!({"type": "text"})),
                "verbosity": "medium",
            },
            "tool_choice": asked("tool_choice", json!("auto")),
            "tools": asked("tools", json!([])),
            "top_logprobs": 0,
            "top_p": asked("top_p", json!(1.0)),
            "truncation": asked("truncation", json!("disabled")),
            "usage": usage,
            "user": asked("user", nothing),
            "metadata": asked("metadata", json!({})),
        })
    }
}

/// A text as a part of a message.
pub(super) fn part(text: &str) -> Value {
    json!({"type": "output_text", "annotations": [], "logprobs": [], "text": text})
}
