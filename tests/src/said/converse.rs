//! Answers in the words of Bedrock Converse, which no client hears: for tests of the simulator alone.

use serde_json::Value;

use super::{Said, list, number, text};
use crate::simulator::Tokens;
use crate::simulator::persona::event_stream;

impl Said {
    /// A stream. One that is damaged says nothing.
    pub(super) fn frames(&mut self, body: &[u8]) {
        let Ok(frames) = event_stream::frames(body) else { return };
        for frame in frames {
            let data: Value = serde_json::from_slice(&frame.payload).unwrap_or(Value::Null);
            match frame.header(":event-type") {
                Some("metadata") => self.converse_usage(&data["usage"]),
                Some("messageStop") => {
                    self.finish(&data["stopReason"]);
                    self.complete = true;
                }
                Some(_) => self.converse_event(&data),
                None => self.error = Some(data),
            }
        }
    }

    fn converse_event(&mut self, data: &Value) {
        let index = usize::try_from(number(&data["contentBlockIndex"])).unwrap_or_default();
        self.call(index, text(&data["start"]["toolUse"]["name"]), text(&data["delta"]["toolUse"]["input"]));
        self.text.push_str(text(&data["delta"]["text"]));
        self.thinking.push_str(text(&data["delta"]["reasoningContent"]["text"]));
    }

    pub(super) fn converse(&mut self, value: &Value) {
        if value["message"].is_string() {
            self.error = Some(value.clone());
            return;
        }
        for (index, block) in list(&value["output"]["message"]["content"]).iter().enumerate() {
            self.text.push_str(text(&block["text"]));
            self.thinking.push_str(text(&block["reasoningContent"]["reasoningText"]["text"]));
            if block["toolUse"].is_object() {
                self.call(index, text(&block["toolUse"]["name"]), &block["toolUse"]["input"].to_string());
            }
        }
        self.finish(&value["stopReason"]);
        self.converse_usage(&value["usage"]);
    }

    fn converse_usage(&mut self, usage: &Value) {
        let cached = number(&usage["cacheReadInputTokens"]);
        let written = number(&usage["cacheWriteInputTokens"]);
        self.usage = usage.is_object().then(|| Tokens {
            input: number(&usage["inputTokens"]) + cached + written,
            cached,
            output: number(&usage["outputTokens"]),
            reasoning: 0,
        });
    }
}
