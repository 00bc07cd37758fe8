//! Reads a request: the top level.
//!
//! Members that decide policy (`model`, `stream`, limits, messages, tools) must have their type; of everything else, what has
//! an unexpected form is kept raw and left to the provider to judge. Null counts as not said, and is kept.

mod parts;
mod reasoning;
mod thoughts;
mod tools;
mod turns;

use super::mark::{Mark, is_default, member as member_of};
use crate::catalog::DialectId;
use crate::dialect::{Endpoint, ReadError};
use crate::hub::{Delivery, Format, Limit, Request, Shape, Stops};
use crate::json::{Json, Kind, Member, Text};
pub(super) use parts::SOUNDS;
pub(super) use turns::is_raw_call;

/// Understands a body.
pub(super) fn request<'a>(endpoint: &Endpoint, body: Json<'a>) -> Result<Request<'a>, ReadError> {
    if body.kind() != Kind::Object {
        return Err(ReadError::new("body", "must be an object"));
    }
    let delivery = endpoint.delivery.unwrap_or(Delivery::Whole);
    let mut request = Request::new(DialectId::ChatCompletions, delivery);
    let (mut model, mut messages) = (None, false);
    let mut limits: Vec<Member<'a>> = Vec::new();
    for (name, value) in body.members() {
        match name.decode().as_ref() {
            "model" => model = Some(value.text().ok_or_else(|| ReadError::new("model", "must be a string"))?),
            "messages" => {
                request.turns = turns::read(value)?;
                messages = true;
            }
            _ if value.is_null() => request.extra.push((name, value)),
            "max_tokens" | "max_completion_tokens" => limits.push((name, value)),
            _ => member(&mut request, name, value)?,
        }
    }
    take_limits(&mut request, &limits)?;
    let sounds = member_of(&request.extra, "modalities").is_some_and(|kinds| !kinds.items().all(is_text));
    tie(&mut request, sounds, "modalities");
    // A path that names the model leaves nothing for the body to say.
    if endpoint.model.is_none() {
        request.model = model.ok_or_else(|| ReadError::new("model", "is missing"))?;
    }
    match messages {
        true => Ok(request),
        false => Err(ReadError::new("messages", "is missing")),
    }
}

/// Notes a member that only a server of this dialect can honour.
fn tie(request: &mut Request<'_>, binds: bool, member: &'static str) {
    if binds {
        request.tied.get_or_insert(member);
    }
}

fn is_text(kind: Json<'_>) -> bool {
    kind.text().is_some_and(|kind| kind.is("text"))
}

/// Takes a member that is not null.
fn member<'a>(request: &mut Request<'a>, name: Text<'a>, value: Json<'a>) -> Result<(), ReadError> {
    let spelled = name.decode();
    match spelled.as_ref() {
        "stream" => stream(request, value)?,
        "tools" => tools::modern(request, value)?,
        "functions" => tools::legacy(request, value)?,
        _ if understood(request, spelled.as_ref(), value) => {}
        _ => request.extra.push((name, value)),
    }
    Ok(())
}

/// Takes a member about which this dialect is patient; false when it does not know the name or the form.
fn understood<'a>(request: &mut Request<'a>, name: &str, value: Json<'a>) -> bool {
    match name {
        "temperature" => request.sampling.temperature = Some(value),
        "top_p" => request.sampling.top_p = Some(value),
        "top_k" => request.sampling.top_k = Some(value),
        "presence_penalty" => request.sampling.presence_penalty = Some(value),
        "frequency_penalty" => request.sampling.frequency_penalty = Some(value),
        "seed" => request.sampling.seed = Some(value),
        "n" => {
            request.sampling.answers = Some(value);
            tie(request, value.u64().is_some_and(|answers| answers > 1), "n");
        }
        "stop" => return stops(value).map(|stops| request.stop = Some(stops)).is_some(),
        "user" => return value.text().map(|user| request.user = Some(user)).is_some(),
        "parallel_tool_calls" => {
            return value.bool().map(|parallel| request.parallel_tool_calls = Some(parallel)).is_some();
        }
        "tool_choice" => return tools::choice(request, value),
        "function_call" => return tools::legacy_choice(request, value),
        "response_format" => request.format = Some(format(value)),
        "reasoning_effort" | "reasoning" | "thinking" | "enable_thinking" => {
            return reasoning::take(request, name, value);
        }
        "stream_options" => return usage_wanted(request, value),
        _ if is_default(name, value) => Mark::put_default(name, &mut request.extra),
        _ => return false,
    }
    true
}

fn stream<'a>(request: &mut Request<'a>, value: Json<'a>) -> Result<(), ReadError> {
    match value.bool() {
        Some(true) => request.delivery = Delivery::Streamed,
        Some(false) => Mark::StreamFalse.put(&mut request.extra),
        None => return Err(ReadError::new("stream", "must be true or false")),
    }
    Ok(())
}

/// Of two limits the newer name's counts, the other is kept raw.
fn take_limits<'a>(request: &mut Request<'a>, limits: &[Member<'a>]) -> Result<(), ReadError> {
    for (name, value) in limits {
        let limit = value.u64().map(|tokens| Limit { tokens, name: *name });
        if limit.is_none() {
            return Err(ReadError::new(name.decode(), "must be a whole number from 0 up"));
        }
        let counts = limits.len() == 1 || name.is("max_completion_tokens");
        match counts {
            true => request.max_tokens = limit,
            false => request.extra.push((*name, *value)),
        }
    }
    Ok(())
}

fn stops<'a>(value: Json<'a>) -> Option<Stops<'a>> {
    if let Some(text) = value.text() {
        return Some(Stops { sequences: vec![text], shape: Shape::Bare });
    }
    let sequences = value.items().map(Json::text).collect::<Option<Vec<_>>>()?;
    (value.kind() == Kind::Array).then_some(Stops { sequences, shape: Shape::List })
}

/// Whether the options are such as the writer of the answer honours; then they are not reported as dropped.
fn usage_wanted(request: &mut Request<'_>, value: Json<'_>) -> bool {
    let said: Option<Vec<Mark>> = value.members().map(|(name, value)| Mark::of_stream_option(name, value)).collect();
    let Some(said) = said.filter(|said| !said.is_empty()) else { return false };
    said.iter().for_each(|mark| mark.put(&mut request.extra));
    true
}

fn format(value: Json<'_>) -> Format<'_> {
    let kind = value.get("type").and_then(Json::text).map(Text::decode);
    let members = value.members().count();
    match kind.as_deref() {
        Some("text") if members == 1 => Format::Text,
        Some("json_object") if members == 1 => Format::JsonObject,
        Some("json_schema") if members == 2 => {
            value.get("json_schema").and_then(json_schema).unwrap_or(Format::Other(value))
        }
        _ => Format::Other(value),
    }
}

fn json_schema(object: Json<'_>) -> Option<Format<'_>> {
    let (mut title, mut about, mut schema, mut exact) = (None, None, None, None);
    let mut extra: Vec<Member<'_>> = Vec::new();
    for (name, value) in object.members() {
        match name.decode().as_ref() {
            "name" if value.kind() == Kind::String => title = value.text(),
            "description" if value.kind() == Kind::String => about = value.text(),
            "schema" if value.kind() == Kind::Object => schema = Some(value),
            "strict" if value.kind() == Kind::Bool => exact = value.bool(),
            _ => extra.push((name, value)),
        }
    }
    Some(Format::JsonSchema { name: title, description: about, schema: schema?, strict: exact, extra })
}
