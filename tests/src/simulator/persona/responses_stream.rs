//! The events of a streamed OpenAI response.
//!
//! ```text
//! created in_progress
//!   (output_item.added (part.added delta* done part.done | delta* done)? output_item.done)*
//! completed | incomplete
//! ```

use serde_json::{Value, json};

use super::Piece;
use super::answer::{Call, pieces, thirds, words};
use super::responses::{Response, part};

/// Every event of a response, in order.
pub(super) fn stream(response: &Response) -> Vec<Piece> {
    let mut stream = Stream { pieces: Vec::new(), items: 0 };
    stream.event("response.created", json!({"response": response.begun()}), 0);
    stream.event("response.in_progress", json!({"response": response.begun()}), 0);
    if let Some(thinking) = &response.answer.thinking {
        stream.thought(response, thinking);
    }
    if let Some(text) = &response.answer.text {
        stream.message(response, text);
    }
    for (index, call) in response.answer.calls.iter().enumerate() {
        stream.call(response, index, call);
    }
    stream.event(&format!("response.{}", response.status()), json!({"response": response.ended()}), 0);
    stream.pieces
}

struct Stream {
    pieces: Vec<Piece>,
    items: usize,
}

impl Stream {
    fn thought(&mut self, response: &Response, thinking: &str) {
        self.added(&response.thought(thinking, false));
        let mut unseen = words(thinking);
        if response.asked.shown {
            let place = json!({"item_id": "rs_simulated", "summary_index": 0});
            let part = |text: &str| json!({"part": {"type": "summary_text", "text": text}});
            self.within("response.reasoning_summary_part.added", &place, part(""), 0);
            for piece in pieces(thinking) {
                self.within("response.reasoning_summary_text.delta", &place, json!({"delta": piece}), words(piece));
            }
            self.within("response.reasoning_summary_text.done", &place, json!({"text": thinking}), 0);
            self.within("response.reasoning_summary_part.done", &place, part(thinking), 0);
            unseen = 0;
        }
        self.done(&response.thought(thinking, response.asked.shown), unseen);
    }

    fn message(&mut self, response: &Response, text: &str) {
        self.added(&response.message("in_progress", &json!([])));
        let place = json!({"item_id": "msg_simulated", "content_index": 0});
        self.within("response.content_part.added", &place, json!({"part": part("")}), 0);
        for piece in pieces(text) {
            let delta = json!({"delta": piece, "logprobs": [], "obfuscation": "simulated"});
            self.within("response.output_text.delta", &place, delta, words(piece));
        }
        self.within("response.output_text.done", &place, json!({"text": text, "logprobs": []}), 0);
        self.within("response.content_part.done", &place, json!({"part": part(text)}), 0);
        self.done(&response.message(response.status(), &json!([part(text)])), 0);
    }

    fn call(&mut self, response: &Response, index: usize, call: &Call) {
        let custom = response.is_custom(call);
        let (event, member) = match custom {
            true => ("response.custom_tool_call_input", "input"),
            false => ("response.function_call_arguments", "arguments"),
        };
        let begun = response.call(index, call, "in_progress", "");
        self.added(&begun);
        let place = json!({"item_id": begun["id"]});
        let said = response.said(call);
        let parts = thirds(&said);
        for (part, text) in parts.iter().enumerate() {
            // The call itself is a token, as in the other dialects.
            let tokens = if part + 1 == parts.len() { words(&call.arguments.to_string()) + 1 } else { 0 };
            let delta = json!({"delta": text, "obfuscation": "simulated"});
            self.within(&format!("{event}.delta"), &place, delta, tokens);
        }
        let mut done = json!({});
        done[member] = json!(said);
        if !custom {
            done["name"] = begun["name"].clone();
        }
        self.within(&format!("{event}.done"), &place, done, 0);
        self.done(&response.call(index, call, "completed", &said), 0);
    }

    fn added(&mut self, item: &Value) {
        self.event("response.output_item.added", json!({"output_index": self.items, "item": item}), 0);
    }

    fn done(&mut self, item: &Value, tokens: u64) {
        self.event("response.output_item.done", json!({"output_index": self.items, "item": item}), tokens);
        self.items += 1;
    }

    /// An event inside of the item that is open.
    fn within(&mut self, name: &str, place: &Value, mut data: Value, tokens: u64) {
        if let (Some(data), Some(place)) = (data.as_object_mut(), place.as_object()) {
            data.extend(place.clone());
        }
        data["output_index"] = json!(self.items);
        self.event(name, data, tokens);
    }

    fn event(&mut self, name: &str, mut data: Value, tokens: u64) {
        data["type"] = json!(name);
        data["sequence_number"] = json!(self.pieces.len());
        self.pieces.push(Piece::new(format!("event: {name}\ndata: {data}\n\n"), tokens));
    }
}
