//! What an answer says, read from any dialect, whole or streamed: so that one test can speak all of them.

mod chat_v2;
mod converse;
mod responses;

use serde_json::{Value, json};

use crate::client::{Answer, End};
use crate::simulator::Tokens;
use crate::simulator::persona::Dialect;

/// An answer, in nobody's dialect.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Said {
    /// The text.
    pub text: String,
    /// What was thought aloud.
    pub thinking: String,
    /// Names and arguments of the tools called; arguments that are no JSON are `Null`.
    pub calls: Vec<(String, Value)>,
    /// The reason it stopped, in the dialect's word.
    pub finish: Option<String>,
    /// Whether it ended the way the dialect ends a success.
    pub complete: bool,
    /// The error object, of an error answer or in the middle of a stream.
    pub error: Option<Value>,
    /// The last usage reported; what the dialect does not say is 0.
    pub usage: Option<Tokens>,
}

/// A request of one user turn in this dialect, as small as the provider accepts.
pub fn ask(dialect: Dialect, model: &str, text: &str, stream: bool) -> Value {
    match dialect {
        Dialect::Chat if stream => json!({
            "model": model,
            "messages": [{"role": "user", "content": text}],
            "stream": true,
            "stream_options": {"include_usage": true},
        }),
        Dialect::Chat => json!({"model": model, "messages": [{"role": "user", "content": text}]}),
        Dialect::Messages => json!({
            "model": model,
            "max_tokens": 4096,
            "messages": [{"role": "user", "content": text}],
            "stream": stream,
        }),
        Dialect::Gemini => json!({"contents": [{"role": "user", "parts": [{"text": text}]}]}),
        Dialect::Responses => json!({"model": model, "input": text, "stream": stream}),
        Dialect::ChatV2 => json!({"model": model, "messages": [{"role": "user", "content": text}], "stream": stream}),
        Dialect::Converse => json!({"messages": [{"role": "user", "content": [{"text": text}]}]}),
    }
}

/// Where such a request goes.
pub fn path(dialect: Dialect, model: &str, stream: bool) -> String {
    match (dialect, stream) {
        (Dialect::Chat, _) => "/v1/chat/completions".into(),
        (Dialect::Messages, _) => "/v1/messages".into(),
        (Dialect::Gemini, false) => format!("/v1beta/models/{model}:generateContent"),
        (Dialect::Gemini, true) => format!("/v1beta/models/{model}:streamGenerateContent?alt=sse"),
        (Dialect::Responses, _) => "/v1/responses".into(),
        (Dialect::ChatV2, _) => "/v2/chat".into(),
        (Dialect::Converse, false) => format!("/model/{model}/converse"),
        (Dialect::Converse, true) => format!("/model/{model}/converse-stream"),
    }
}

/// The headers a client of this dialect sends with its key.
pub fn credential(dialect: Dialect, key: &str) -> Vec<(&'static str, String)> {
    match dialect {
        Dialect::Chat | Dialect::Responses | Dialect::ChatV2 | Dialect::Converse => {
            vec![("authorization", format!("Bearer {key}"))]
        }
        Dialect::Messages => vec![("x-api-key", key.to_owned()), ("anthropic-version", "2023-06-01".to_owned())],
        Dialect::Gemini => vec![("x-goog-api-key", key.to_owned())],
    }
}

/// Reads an answer.
pub fn read(dialect: Dialect, answer: &Answer) -> Said {
    let mut said = Said::default();
    let kind = answer.header("content-type").unwrap_or_default();
    if kind.starts_with("text/event-stream") {
        for event in answer.events() {
            if event.data == "[DONE]" {
                said.complete = true;
                continue;
            }
            let data = serde_json::from_str(&event.data).unwrap_or(Value::Null);
            said.value(dialect, &data);
        }
    } else if kind == "application/vnd.amazon.eventstream" {
        said.frames(&answer.body);
    } else {
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
        // Gemini streams a JSON array when no event stream was asked for.
        for value in body.as_array().map_or(std::slice::from_ref(&body), Vec::as_slice) {
            said.value(dialect, value);
        }
        said.complete = said.finish.is_some();
    }
    said.complete &=
        said.error.is_none() && said.finish.is_some() && answer.end == End::Complete && answer.status == 200;
    said.parse_arguments();
    said
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

impl Said {
    fn value(&mut self, dialect: Dialect, value: &Value) {
        if !value["error"].is_null() {
            self.error = Some(value["error"].clone());
            return;
        }
        match dialect {
            Dialect::Chat => self.chat(value),
            Dialect::Messages => self.messages(value),
            Dialect::Gemini => self.gemini(value),
            Dialect::Responses => self.responses(value),
            Dialect::ChatV2 => self.chat_v2(value),
            Dialect::Converse => self.converse(value),
        }
    }

    fn chat(&mut self, value: &Value) {
        if value["usage"].is_object() {
            let usage = &value["usage"];
            self.usage = Some(Tokens {
                input: number(&usage["prompt_tokens"]),
                cached: number(&usage["prompt_tokens_details"]["cached_tokens"]),
                output: number(&usage["completion_tokens"]),
                reasoning: number(&usage["completion_tokens_details"]["reasoning_tokens"]),
            });
        }
        for choice in list(&value["choices"]) {
            let message = if choice["delta"].is_object() { &choice["delta"] } else { &choice["message"] };
            self.text.push_str(text(&message["content"]));
            self.thinking.push_str(text(&message["reasoning_content"]));
            for (position, call) in list(&message["tool_calls"]).iter().enumerate() {
                let index = call["index"].as_u64().and_then(|index| usize::try_from(index).ok()).unwrap_or(position);
                self.call(index, text(&call["function"]["name"]), text(&call["function"]["arguments"]));
            }
            self.finish(&choice["finish_reason"]);
        }
    }

    fn messages(&mut self, value: &Value) {
        match text(&value["type"]) {
            "message" => {
                for (index, block) in list(&value["content"]).iter().enumerate() {
                    self.block(index, block);
                }
                self.finish(&value["stop_reason"]);
                self.anthropic_usage(&value["usage"]);
            }
            "message_start" => self.anthropic_usage(&value["message"]["usage"]),
            "content_block_start" => {
                let index = usize::try_from(number(&value["index"])).unwrap_or_default();
                self.block(index, &value["content_block"]);
            }
            "content_block_delta" => {
                let index = usize::try_from(number(&value["index"])).unwrap_or_default();
                self.text.push_str(text(&value["delta"]["text"]));
                self.thinking.push_str(text(&value["delta"]["thinking"]));
                if value["delta"]["partial_json"].is_string() {
                    self.call(index, "", text(&value["delta"]["partial_json"]));
                }
            }
            "message_delta" => {
                self.finish(&value["delta"]["stop_reason"]);
                self.anthropic_usage(&value["usage"]);
            }
            "message_stop" => self.complete = true,
            _ => {}
        }
    }

    fn block(&mut self, index: usize, block: &Value) {
        self.text.push_str(text(&block["text"]));
        self.thinking.push_str(text(&block["thinking"]));
        if block["type"] == "tool_use" {
            let whole = block["input"].as_object().filter(|input| !input.is_empty());
            let arguments = whole.map_or_else(String::new, |_| block["input"].to_string());
            self.call(index, text(&block["name"]), &arguments);
        }
    }

    /// Later reports complete earlier ones: `message_delta` may leave out the input.
    fn anthropic_usage(&mut self, usage: &Value) {
        let mut known = self.usage.unwrap_or_default();
        if usage["input_tokens"].is_u64() {
            known.cached = number(&usage["cache_read_input_tokens"]);
            let written = number(&usage["cache_creation_input_tokens"]);
            known.input = number(&usage["input_tokens"]) + known.cached + written;
        }
        known.output = number(&usage["output_tokens"]);
        self.usage = Some(known);
    }

    fn gemini(&mut self, value: &Value) {
        if value["usageMetadata"].is_object() {
            let usage = &value["usageMetadata"];
            let reasoning = number(&usage["thoughtsTokenCount"]);
            self.usage = Some(Tokens {
                input: number(&usage["promptTokenCount"]),
                cached: number(&usage["cachedContentTokenCount"]),
                output: number(&usage["candidatesTokenCount"]) + reasoning,
                reasoning,
            });
        }
        for candidate in list(&value["candidates"]) {
            for part in list(&candidate["content"]["parts"]) {
                match part["thought"].as_bool() {
                    Some(true) => self.thinking.push_str(text(&part["text"])),
                    _ => self.text.push_str(text(&part["text"])),
                }
                if part["functionCall"].is_object() {
                    let arguments = part["functionCall"]["args"].to_string();
                    self.call(self.calls.len(), text(&part["functionCall"]["name"]), &arguments);
                }
            }
            self.finish(&candidate["finishReason"]);
            self.complete |= self.finish.is_some();
        }
    }

    fn finish(&mut self, reason: &Value) {
        if let Some(reason) = reason.as_str() {
            self.finish = Some(reason.to_owned());
        }
    }

    /// Arguments are collected as text here and read at the end.
    fn call(&mut self, index: usize, name: &str, arguments: &str) {
        while self.calls.len() <= index {
            self.calls.push((String::new(), json!("")));
        }
        if let Some(call) = self.calls.get_mut(index) {
            call.0.push_str(name);
            call.1 = json!(format!("{}{arguments}", text(&call.1)));
        }
    }

    fn parse_arguments(&mut self) {
        self.calls.retain(|call| !call.0.is_empty());
        for call in &mut self.calls {
            let arguments = match text(&call.1) {
                "" => "{}",
                arguments => arguments,
            };
            call.1 = serde_json::from_str(arguments).unwrap_or(Value::Null);
        }
    }
}
