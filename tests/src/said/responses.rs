//! Answers in the words of OpenAI responses.

use serde_json::{Value, json};

use super::{Said, list, number, text};
use crate::simulator::Tokens;

impl Said {
    /// A whole response, or one event; the deltas are what counts, what is said once more at the end is not.
    pub(super) fn responses(&mut self, value: &Value) {
        let index = usize::try_from(number(&value["output_index"])).unwrap_or_default();
        match text(&value["type"]) {
            "error" => self.error = Some(value.clone()),
            "response.failed" => self.error = Some(value["response"]["error"].clone()),
            "response.output_item.added" => self.call(index, text(&value["item"]["name"]), ""),
            "response.output_text.delta" | "response.refusal.delta" => self.text.push_str(text(&value["delta"])),
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                self.thinking.push_str(text(&value["delta"]));
            }
            "response.function_call_arguments.delta" => self.call(index, "", text(&value["delta"])),
            // Text of any kind: it becomes the one argument that it is elsewhere.
            "response.custom_tool_call_input.done" => {
                self.call(index, "", &json!({"input": value["input"]}).to_string());
            }
            "response.completed" | "response.incomplete" => {
                self.response_end(&value["response"]);
                self.complete = true;
            }
            "" if value["object"] == "response" => {
                for (index, item) in list(&value["output"]).iter().enumerate() {
                    self.item(index, item);
                }
                self.response_end(value);
            }
            _ => {}
        }
    }

    fn item(&mut self, index: usize, item: &Value) {
        for part in list(&item["summary"]) {
            self.thinking.push_str(text(&part["text"]));
        }
        for part in list(&item["content"]) {
            self.text.push_str(text(&part["text"]));
            self.text.push_str(text(&part["refusal"]));
        }
        match text(&item["type"]) {
            "function_call" => self.call(index, text(&item["name"]), text(&item["arguments"])),
            "custom_tool_call" => {
                self.call(index, text(&item["name"]), &json!({"input": item["input"]}).to_string());
            }
            _ => {}
        }
    }

    fn response_end(&mut self, response: &Value) {
        let reason = &response["incomplete_details"]["reason"];
        self.finish(if reason.is_string() { reason } else { &response["status"] });
        let usage = &response["usage"];
        if usage.is_object() {
            self.usage = Some(Tokens {
                input: number(&usage["input_tokens"]),
                cached: number(&usage["input_tokens_details"]["cached_tokens"]),
                output: number(&usage["output_tokens"]),
                reasoning: number(&usage["output_tokens_details"]["reasoning_tokens"]),
            });
        }
    }
}
