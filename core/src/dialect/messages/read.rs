//! Requests: from the wire to the hub.
//!
//! Strict where policy depends on it (`model`, `stream`, `max_tokens`, roles, lists), patient elsewhere: a part, tool or
//! choice with anything unexpected in it is kept as it was written.
//!
//! **Marks.** A `null` member is no request and nobody reports it as lost, so `null`s under names that can't stand in `extra`
//! otherwise keep what identity needs and the hub has no word for; [`Mark`] lists them.

mod parts;
mod tools;

use super::thinking;
use crate::catalog::DialectId;
use crate::dialect::{Endpoint, ReadError, ascii_text};
use crate::hub::{Delivery, Depth, Extra, Format, Limit, Reasoning, Request, Role, Shape, Stops, Turn};
use crate::json::{Json, Kind, Text};
use parts::content;

/// What is remembered as a `null` member so that the same JSON can be written again.
pub(super) struct Mark;

impl Mark {
    /// In the request: streaming was declined in so many words.
    pub(super) const NOT_STREAMED: &'static str = "messages";
    /// In the request: an empty list of tools was said.
    pub(super) const NO_TOOLS: &'static str = "model";
    /// In a turn: it stood first among the messages, although it is a system turn.
    pub(super) const AMONG_MESSAGES: &'static str = "role";
    /// In a function: its type `custom` was said.
    pub(super) const CUSTOM: &'static str = "name";
    /// In a text: it is the words of a document.
    pub(super) const DOCUMENT: &'static str = "text";
    /// In a thought: it is shown to nobody, the proof is all there is.
    pub(super) const REDACTED: &'static str = "thinking";
    /// In a format: it stood in the member that came before `output_config`.
    pub(super) const OLDER_PLACE: &'static str = "schema";
    /// In the reasoning: adaptive thinking was asked for besides an effort.
    pub(super) const ADAPTIVE: &'static str = "thinking";

    /// Sets a mark.
    fn set(extra: &mut Extra<'_>, mark: &'static str) {
        extra.push((ascii_text(mark), Json::NULL));
    }
}

/// Members that are understood together, after all have been seen.
#[derive(Default)]
struct Held<'a> {
    model: Option<Text<'a>>,
    system: Option<Json<'a>>,
    messages: Option<Json<'a>>,
    thinking: Option<Json<'a>>,
    output_config: Option<Json<'a>>,
    output_format: Option<Json<'a>>,
}

/// Reads a body. Where the path says the model or how the answer shall come, the body need not.
pub(super) fn request<'a>(endpoint: &Endpoint, body: Json<'a>) -> Result<Request<'a>, ReadError> {
    if body.kind() != Kind::Object {
        return Err(ReadError::new("body", "must be an object"));
    }
    let mut request = Request::new(DialectId::Messages, endpoint.delivery.unwrap_or(Delivery::Whole));
    let mut held = Held::default();
    for (name, value) in body.members() {
        match name.decode().as_ref() {
            "model" => held.model = Some(value.text().ok_or_else(|| ReadError::new("model", "must be a string"))?),
            "messages" => held.messages = Some(value),
            "tools" if value.items().next().is_none() && value.kind() == Kind::Array => {
                Mark::set(&mut request.extra, Mark::NO_TOOLS);
            }
            _ if value.is_null() => request.extra.push((name, value)),
            "stream" => stream(value, &mut request)?,
            "system" => held.system = Some(value),
            "max_tokens" => request.max_tokens = Some(limit(name, value)?),
            "temperature" => request.sampling.temperature = Some(value),
            "top_p" => request.sampling.top_p = Some(value),
            "top_k" => request.sampling.top_k = Some(value),
            "stop_sequences" => request.stop = Some(stops(value)?),
            "tools" => request.tools = tools::tools(value)?,
            "tool_choice" => tools::choice(value, &mut request),
            "metadata" => metadata(name, value, &mut request),
            "thinking" => held.thinking = Some(value),
            "output_config" => held.output_config = Some(value),
            "output_format" => held.output_format = Some(value),
            _ => request.extra.push((name, value)),
        }
    }
    request.model = match (held.model, &endpoint.model) {
        (Some(model), _) => model,
        (None, Some(_)) => Text::EMPTY,
        (None, None) => return Err(ReadError::new("model", "is missing")),
    };
    request.turns = turns(held.system, held.messages)?;
    request.tied = tied(&request);
    output(&held, &mut request);
    Ok(request)
}

/// What only the provider has that the client got it from: a container's state, files that were sent before.
fn tied(request: &Request<'_>) -> Option<&'static str> {
    if request.extra.iter().any(|(name, value)| name.is("container") && !value.is_null()) {
        return Some("container");
    }
    let stored = request.turns.iter().flat_map(|turn| &turn.parts).any(parts::is_stored);
    stored.then_some("messages[].content[].source.file_id")
}

fn stream<'a>(value: Json<'a>, request: &mut Request<'a>) -> Result<(), ReadError> {
    match value.bool() {
        Some(true) => request.delivery = Delivery::Streamed,
        Some(false) => Mark::set(&mut request.extra, Mark::NOT_STREAMED),
        None => return Err(ReadError::new("stream", "must be true or false")),
    }
    Ok(())
}

fn limit<'a>(name: Text<'a>, value: Json<'a>) -> Result<Limit<'a>, ReadError> {
    let tokens = value.u64().ok_or_else(|| ReadError::new("max_tokens", "must be a whole number from 0 up"))?;
    Ok(Limit { tokens, name })
}

fn stops(value: Json<'_>) -> Result<Stops<'_>, ReadError> {
    let wrong = || ReadError::new("stop_sequences", "must be a list of strings");
    if value.kind() != Kind::Array {
        return Err(wrong());
    }
    let sequences = value.items().map(|item| item.text().ok_or_else(wrong)).collect::<Result<_, _>>()?;
    Ok(Stops { sequences, shape: Shape::List })
}

/// The wanted members of an object, and the rest. A `null` is never wanted.
fn take<'a, const N: usize>(object: Json<'a>, names: [&str; N]) -> ([Option<Json<'a>>; N], Extra<'a>) {
    let mut wanted = [None; N];
    let mut extra = Vec::new();
    for (name, value) in object.members() {
        let slot = names.iter().zip(wanted.iter_mut()).find(|(known, _)| !value.is_null() && name.is(known));
        match slot {
            Some((_, slot)) => *slot = Some(value),
            None => extra.push((name, value)),
        }
    }
    (wanted, extra)
}

fn turns<'a>(system: Option<Json<'a>>, messages: Option<Json<'a>>) -> Result<Vec<Turn<'a>>, ReadError> {
    let messages = messages.ok_or_else(|| ReadError::new("messages", "is missing"))?;
    if messages.kind() != Kind::Array {
        return Err(ReadError::new("messages", "must be a list"));
    }
    let mut turns = Vec::new();
    if let Some(system) = system {
        let (parts, shape) = content(system, "system")?;
        turns.push(Turn { role: Role::System, parts, shape, extra: Vec::new() });
    }
    for (at, message) in messages.items().enumerate() {
        let mut turn = turn(message, at)?;
        if turns.is_empty() && turn.role == Role::System {
            Mark::set(&mut turn.extra, Mark::AMONG_MESSAGES);
        }
        turns.push(turn);
    }
    Ok(turns)
}

fn turn(message: Json<'_>, at: usize) -> Result<Turn<'_>, ReadError> {
    let place = |member: &str| format!("messages[{at}]{member}");
    if message.kind() != Kind::Object {
        return Err(ReadError::new(place(""), "must be an object"));
    }
    let ([role, said], extra) = take(message, ["role", "content"]);
    let word = role.and_then(Json::text).ok_or_else(|| ReadError::new(place(".role"), "must be a string"))?;
    let role = match word.decode().as_ref() {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "system" => Role::System,
        _ => return Err(ReadError::new(place(".role"), "must be `user`, `assistant` or `system`")),
    };
    let said = said.ok_or_else(|| ReadError::new(place(".content"), "is missing"))?;
    let (parts, shape) = content(said, &place(".content"))?;
    Ok(Turn { role, parts, shape, extra })
}

/// The user's name has a word; anything besides it keeps the whole object.
fn metadata<'a>(name: Text<'a>, value: Json<'a>, request: &mut Request<'a>) {
    let ([user], rest) = take(value, ["user_id"]);
    request.user = user.and_then(Json::text);
    if request.user.is_none() || !rest.is_empty() {
        request.extra.push((name, value));
    }
}

/// Format, effort and thinking. A member with anything unexpected in it is kept whole besides what was understood.
fn output<'a>(held: &Held<'a>, request: &mut Request<'a>) {
    let mut effort = None;
    if let Some(config) = held.output_config {
        let ([said_effort, said_format], rest) = take(config, ["effort", "format"]);
        effort = said_effort.filter(|effort| effort.kind() == Kind::String);
        request.format = said_format.and_then(format);
        let all = said_effort.is_some() == effort.is_some() && said_format.is_some() == request.format.is_some();
        if !all || !rest.is_empty() || config.members().next().is_none() {
            request.extra.push((ascii_text("output_config"), config));
        }
    }
    if let Some(older) = held.output_format {
        match format(older) {
            Some(Format::JsonSchema { name, description, schema, strict, mut extra }) if request.format.is_none() => {
                Mark::set(&mut extra, Mark::OLDER_PLACE);
                request.format = Some(Format::JsonSchema { name, description, schema, strict, extra });
            }
            _ => request.extra.push((ascii_text("output_format"), older)),
        }
    }
    let mut thinking = held.thinking.map(thinking::read);
    if let (Some(value), Some(read)) = (held.thinking, &thinking)
        && !read.whole
    {
        request.extra.push((ascii_text("thinking"), value));
        thinking = thinking.filter(|read| read.depth != Depth::Unsaid);
    }
    request.reasoning = reasoning(thinking, effort);
}

fn format(value: Json<'_>) -> Option<Format<'_>> {
    let ([word, schema], extra) = take(value, ["type", "schema"]);
    word?.text().filter(|word| word.is("json_schema"))?;
    Some(Format::JsonSchema { name: None, description: None, schema: schema?, strict: None, extra })
}

fn reasoning<'a>(thinking: Option<thinking::Read>, effort: Option<Json<'a>>) -> Option<Reasoning<'a>> {
    let mut extra = Vec::new();
    let shown = thinking.as_ref().and_then(|thinking| thinking.shown);
    let depth = match (thinking.map(|thinking| thinking.depth), effort) {
        (None, None) => return None,
        (None, Some(effort)) => Depth::Effort(effort.text().unwrap_or_default()),
        (Some(Depth::Adaptive), Some(effort)) => {
            Mark::set(&mut extra, Mark::ADAPTIVE);
            Depth::Effort(effort.text().unwrap_or_default())
        }
        (Some(depth), Some(effort)) => {
            extra.push((ascii_text("effort"), effort));
            depth
        }
        (Some(depth), None) => depth,
    };
    Some(Reasoning { depth, shown, extra })
}
