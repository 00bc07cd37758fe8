//! How many tokens a request has: as many as its answer would say it had.

use serde_json::{Value, json};

use super::super::answer::{Heard, answer};
use super::super::shape::{Checked, Object};
use super::super::{Production, check_model, gemini_check, json_body, messages_check, responses_check};
use super::embeddings::model_in_path;
use crate::simulator::journal::{Received, Tokens};

/// A limit above any budget, for requests that are checked as if they were to be answered.
const ROOM: u64 = 1 << 40;

fn counted(heard: &Heard, body: impl FnOnce(u64) -> Value) -> Checked<Production> {
    check_model(&heard.model)?;
    let input = answer(heard).tokens.input;
    Ok(Production::whole(200, &body(input), Some(Tokens { input, ..Tokens::default() })))
}

pub(super) fn messages(received: &Received) -> Checked<Production> {
    let mut body = json_body(received)?;
    let request = Object::any(&body, "")?;
    for stranger in ["max_tokens", "stream", "temperature", "stop_sequences"] {
        if request.has(stranger) {
            return Err(request.wrong(stranger, "extra inputs are not permitted"));
        }
    }
    body["max_tokens"] = json!(ROOM);
    counted(&messages_check::check(&body)?, |input| json!({ "input_tokens": input }))
}

pub(super) fn responses(received: &Received) -> Checked<Production> {
    let heard = responses_check::check(&json_body(received)?)?.heard;
    counted(&heard, |input| json!({"object": "response.input_tokens", "input_tokens": input}))
}

pub(super) fn gemini(received: &Received) -> Checked<Production> {
    let model = model_in_path(received);
    let body = json_body(received)?;
    let request = Object::of(&body, "", &["contents", "generateContentRequest"])?;
    let heard = match request.get("generateContentRequest") {
        Some(whole) => gemini_check::check(&model, false, whole)?,
        None => gemini_check::check(&model, false, &body)?,
    };
    counted(
        &heard,
        |input| json!({"totalTokens": input, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": input}]}),
    )
}
