//! Reads a request: the top level.
//!
//! Strict where policy depends on it (`model`, `stream`, `max_output_tokens`, the lists), patient elsewhere: what has an unexpected
//! form is left to the provider to judge. `extra` holds what another dialect would lose, so members that say a default, and those
//! that the answer's writer honours, do not stand in it.

mod items;
mod parts;
mod tools;

use super::PROOFS;
use crate::catalog::DialectId;
use crate::dialect::{Endpoint, ReadError, ascii_text};
use crate::hub::{Delivery, Depth, Extra, Format, Limit, Part, Reasoning, Request, Role, Shape, Turn};
use crate::json::{Json, Kind, Text};
use tools::Tools;

/// Members that are understood together, after all have been seen.
#[derive(Default)]
struct Held<'a> {
    model: Option<Text<'a>>,
    instructions: Option<Json<'a>>,
    input: Option<Json<'a>>,
    tools: Option<Json<'a>>,
    tool_choice: Option<Json<'a>>,
    end_user: Option<Text<'a>>,
}

/// Understands a body.
pub(super) fn request<'a>(endpoint: &Endpoint, body: Json<'a>) -> Result<Request<'a>, ReadError> {
    if body.kind() != Kind::Object {
        return Err(ReadError::new("body", "must be an object"));
    }
    let mut request = Request::new(DialectId::Responses, endpoint.delivery.unwrap_or(Delivery::Whole));
    request.body = Some(body);
    let mut held = Held::default();
    for (name, value) in body.members().filter(|(_, value)| !value.is_null()) {
        match name.decode().as_ref() {
            "model" => held.model = Some(value.text().ok_or_else(|| ReadError::new("model", "must be a string"))?),
            "instructions" => held.instructions = Some(value),
            "input" => held.input = Some(value),
            "tools" => held.tools = Some(value),
            "tool_choice" => held.tool_choice = Some(value),
            "stream" => {
                let streams = value.bool().ok_or_else(|| ReadError::new("stream", "must be true or false"))?;
                request.delivery = if streams { Delivery::Streamed } else { request.delivery };
            }
            "max_output_tokens" => {
                let wrong = || ReadError::new("max_output_tokens", "must be a whole number from 0 up");
                request.max_tokens = Some(Limit { tokens: value.u64().ok_or_else(wrong)?, name });
            }
            "safety_identifier" if value.text().is_some() => held.end_user = value.text(),
            spelled if number(&mut request, spelled, value) || asked(&mut request, spelled, value) => {}
            spelled if says_nothing(spelled, value) => {}
            spelled => {
                tie(&mut request, spelled, value);
                request.extra.push((name, value));
            }
        }
    }
    finish(&mut request, &held)?;
    Ok(request)
}

fn finish<'a>(request: &mut Request<'a>, held: &Held<'a>) -> Result<(), ReadError> {
    request.model = held.model.ok_or_else(|| ReadError::new("model", "is missing"))?;
    request.user = request.user.or(held.end_user);
    match held.instructions.map(|instructions| (instructions, instructions.text())) {
        Some((_, Some(text))) => {
            let parts = vec![Part::Text { text, extra: Vec::new() }];
            request.turns.push(Turn { role: Role::System, parts, shape: Shape::Bare, extra: Vec::new() });
        }
        Some((other, None)) => request.extra.push((ascii_text("instructions"), other)),
        None => {}
    }
    let mut known = Tools::default();
    if let Some(list) = held.tools {
        if list.kind() != Kind::Array {
            return Err(ReadError::new("tools", "must be a list"));
        }
        known.list(list, request);
    }
    if let Some(input) = held.input {
        items::read(input, known, request)?;
    }
    if let Some(choice) = held.tool_choice {
        tools::choice(choice, request);
    }
    Ok(())
}

/// Takes a number of sampling. The compatible servers know more of them than OpenAI does.
fn number<'a>(request: &mut Request<'a>, name: &str, value: Json<'a>) -> bool {
    let sampling = &mut request.sampling;
    let place = match name {
        "temperature" => &mut sampling.temperature,
        "top_p" => &mut sampling.top_p,
        "top_k" => &mut sampling.top_k,
        "presence_penalty" => &mut sampling.presence_penalty,
        "frequency_penalty" => &mut sampling.frequency_penalty,
        "seed" => &mut sampling.seed,
        _ => return false,
    };
    *place = Some(value);
    true
}

/// Takes a member that the hub has a word for; false when its form is unknown.
fn asked<'a>(request: &mut Request<'a>, name: &str, value: Json<'a>) -> bool {
    match name {
        "parallel_tool_calls" if value.bool().is_some() => request.parallel_tool_calls = value.bool(),
        "user" if value.text().is_some() => request.user = value.text(),
        "text" if value.kind() == Kind::Object => text(value, request),
        "reasoning" if value.kind() == Kind::Object => request.reasoning = reasoning(value),
        _ => return false,
    }
    true
}

/// Whether a member says what is so anyway, or what the writer of the answer does.
fn says_nothing(name: &str, value: Json<'_>) -> bool {
    let word = |words: &[&str]| value.text().is_some_and(|text| words.iter().any(|word| text.is(word)));
    match name {
        "store" | "background" => value.bool() == Some(false),
        "truncation" => word(&["disabled"]),
        "service_tier" => word(&["auto", "default"]),
        "metadata" => value.kind() == Kind::Object && value.members().next().is_none(),
        "top_logprobs" => value.u64() == Some(0),
        "include" => value.items().all(|item| item.text().is_some_and(|text| text.is(PROOFS))),
        // Padding on the wire.
        "stream_options" => value.members().all(|(name, _)| name.is("include_obfuscation")),
        _ => false,
    }
}

/// Notes a member that only a service of this dialect can honour.
fn tie(request: &mut Request<'_>, name: &str, value: Json<'_>) {
    let tied = match name {
        "previous_response_id" => "previous_response_id",
        "conversation" => "conversation",
        "prompt" => "prompt",
        "background" if value.bool() == Some(true) => "background",
        _ => return,
    };
    request.tied.get_or_insert(tied);
}

/// `text`: the form of the answer and how many words it shall make.
fn text<'a>(text: Json<'a>, request: &mut Request<'a>) {
    for (name, value) in text.members().filter(|(_, value)| !value.is_null()) {
        match name.decode().as_ref() {
            "format" => request.format = Some(format(value)),
            // What is so anyway.
            "verbosity" if value.text().is_some_and(|word| word.is("medium")) => {}
            "verbosity" => request.extra.push((ascii_text("text.verbosity"), value)),
            _ => request.extra.push((name, value)),
        }
    }
}

fn format(format: Json<'_>) -> Format<'_> {
    let kind = format.get("type").and_then(Json::text).unwrap_or_default();
    match kind.decode().as_ref() {
        "text" => Format::Text,
        "json_object" => Format::JsonObject,
        "json_schema" => schema(format).unwrap_or(Format::Other(format)),
        _ => Format::Other(format),
    }
}

fn schema(format: Json<'_>) -> Option<Format<'_>> {
    let (mut label, mut description, mut schema, mut strict, mut extra) = (None, None, None, None, Extra::new());
    for (name, value) in format.members().filter(|(_, value)| !value.is_null()) {
        match name.decode().as_ref() {
            "type" => {}
            "name" => label = Some(value.text()?),
            "description" => description = Some(value.text()?),
            "schema" => schema = Some(value),
            "strict" => strict = Some(value.bool()?),
            _ => extra.push((name, value)),
        }
    }
    Some(Format::JsonSchema { name: label, description, schema: schema?, strict, extra })
}

/// `reasoning`: how much, and whether a summary is wanted. `None` when it says nothing.
fn reasoning(value: Json<'_>) -> Option<Reasoning<'_>> {
    let mut reasoning = Reasoning { depth: Depth::Unsaid, shown: None, extra: Vec::new() };
    let mut says = false;
    for (name, value) in value.members().filter(|(_, value)| !value.is_null()) {
        says = true;
        match (name.decode().as_ref(), value.text()) {
            ("effort", Some(word)) if word.is("none") => reasoning.depth = Depth::Off,
            ("effort", Some(word)) => reasoning.depth = Depth::Effort(word),
            ("summary" | "generate_summary", Some(word)) => {
                reasoning.shown = Some(!word.is("none"));
                // How long the summary is nobody else is asked.
                if !word.is("none") && !word.is("auto") {
                    reasoning.extra.push((name, value));
                }
            }
            ("context", Some(word)) if word.is("auto") => {}
            ("mode", Some(word)) if word.is("standard") => {}
            _ => reasoning.extra.push((name, value)),
        }
    }
    says.then_some(reasoning)
}
