//! Answers in the words of Cohere chat v2, which no client hears: for tests of the simulator alone.

use serde_json::Value;

use super::{Said, list, number, text};
use crate::simulator::Tokens;

impl Said {
    /// A whole answer, or one event.
    pub(super) fn chat_v2(&mut self, value: &Value) {
        if value["message"].is_string() {
            self.error = Some(value.clone());
            return;
        }
        let index = usize::try_from(number(&value["index"])).unwrap_or_default();
        let message = if value["delta"].is_object() { &value["delta"]["message"] } else { &value["message"] };
        self.thinking.push_str(text(&message["tool_plan"]));
        for part in list(&message["content"]).iter().chain(std::iter::once(&message["content"])) {
            self.text.push_str(text(&part["text"]));
            self.thinking.push_str(text(&part["thinking"]));
        }
        for (index, call) in list(&message["tool_calls"]).iter().enumerate() {
            self.call(index, text(&call["function"]["name"]), text(&call["function"]["arguments"]));
        }
        if message["tool_calls"].is_object() {
            let function = &message["tool_calls"]["function"];
            self.call(index, text(&function["name"]), text(&function["arguments"]));
        }
        let end = if value["type"] == "message-end" { &value["delta"] } else { value };
        self.finish(&end["finish_reason"]);
        self.complete |= value["type"] == "message-end";
        let usage = &end["usage"];
        if usage.is_object() {
            self.usage = Some(Tokens {
                input: number(&usage["tokens"]["input_tokens"]),
                cached: number(&usage["cached_tokens"]),
                output: number(&usage["tokens"]["output_tokens"]),
                reasoning: 0,
            });
        }
    }
}
