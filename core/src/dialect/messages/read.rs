//! Requests: from the wire to the hub.
//!
//! Strict where policy depends on it (`model`, `stream`, `max_tokens`, roles, lists), patient elsewhere: a part, tool or
//! choice with anything unexpected in it is kept as it was written.
//!
//! **Marks.** A `null` member is no request and nobody reports it as lost, so `null`s under names that can't stand in `extra`
//! otherwise keep what identity needs and the hub has no word for; [`Mark`] lists them.

use super::thinking;
use crate::catalog::DialectId;
use crate::dialect::{ReadError, ascii_text};
use crate::hub::{
    Arguments, CallId, Delivery, Depth, Extra, Format, Function, Limit, Media, MediaKind, Part, Reasoning, Request,
    Role, Shape, Source, Stops, Thinking, Tool, ToolCall, ToolChoice, ToolResult, Turn,
};
use crate::json::{Json, Kind, Text};

/// What is remembered as a `null` member so that the same JSON can be written again.
pub(super) struct Mark;

impl Mark {
    /// In the request: streaming was declined in so many words.
    pub(super) const NOT_STREAMED: &'static str = "stream";
    /// In the request: an empty list of tools was said.
    pub(super) const NO_TOOLS: &'static str = "tools";
    /// In a turn: it stood first among the messages, although it is a system turn.
    pub(super) const AMONG_MESSAGES: &'static str = "role";
    /// In a function: its type `custom` was said.
    pub(super) const CUSTOM: &'static str = "type";
    /// In a format: it stood in the member that came before `output_config`.
    pub(super) const OLDER_PLACE: &'static str = "output_format";
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

/// Reads a body.
pub(super) fn request(body: Json<'_>) -> Result<Request<'_>, ReadError> {
    if body.kind() != Kind::Object {
        return Err(ReadError::new("body", "must be an object"));
    }
    let mut request = Request::new(DialectId::Messages, Delivery::Whole);
    let mut held = Held::default();
    for (name, value) in body.members() {
        match name.decode().as_ref() {
            "model" => held.model = Some(value.text().ok_or_else(|| ReadError::new("model", "must be a string"))?),
            "messages" => held.messages = Some(value),
            "stream" => stream(value, &mut request)?,
            "tools" if value.is_null() || value.as_str() == "[]" => Mark::set(&mut request.extra, Mark::NO_TOOLS),
            _ if value.is_null() => request.extra.push((name, value)),
            "system" => held.system = Some(value),
            "max_tokens" => request.max_tokens = Some(limit(name, value)?),
            "temperature" => request.sampling.temperature = Some(value),
            "top_p" => request.sampling.top_p = Some(value),
            "top_k" => request.sampling.top_k = Some(value),
            "stop_sequences" => request.stop = Some(stops(value)?),
            "tools" => request.tools = tools(value)?,
            "tool_choice" => tool_choice(value, &mut request),
            "metadata" => metadata(name, value, &mut request),
            "thinking" => held.thinking = Some(value),
            "output_config" => held.output_config = Some(value),
            "output_format" => held.output_format = Some(value),
            _ => request.extra.push((name, value)),
        }
    }
    request.model = held.model.ok_or_else(|| ReadError::new("model", "is missing"))?;
    request.turns = turns(held.system, held.messages)?;
    output(&held, &mut request);
    Ok(request)
}

fn stream<'a>(value: Json<'a>, request: &mut Request<'a>) -> Result<(), ReadError> {
    match (value.bool(), value.is_null()) {
        (Some(true), _) => request.delivery = Delivery::Streamed,
        (Some(false), _) | (None, true) => Mark::set(&mut request.extra, Mark::NOT_STREAMED),
        (None, false) => return Err(ReadError::new("stream", "must be true or false")),
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

fn content<'a>(value: Json<'a>, place: &str) -> Result<(Vec<Part<'a>>, Shape), ReadError> {
    if let Some(text) = value.text() {
        return Ok((vec![Part::Text { text, extra: Vec::new() }], Shape::Bare));
    }
    if value.kind() != Kind::Array {
        return Err(ReadError::new(place, "must be a string or a list"));
    }
    let mut parts = Vec::new();
    for (at, item) in value.items().enumerate() {
        if item.kind() != Kind::Object {
            return Err(ReadError::new(format!("{place}[{at}]"), "must be an object"));
        }
        parts.push(part(item));
    }
    Ok((parts, Shape::List))
}

fn part(part: Json<'_>) -> Part<'_> {
    let word = part.get("type").and_then(Json::text).unwrap_or_default();
    let known = match word.decode().as_ref() {
        "text" => text(part),
        "image" => media(part, MediaKind::Image),
        "document" => media(part, MediaKind::Document),
        "thinking" => thought(part),
        "tool_use" => tool_call(part),
        "tool_result" => tool_result(part),
        _ => None,
    };
    known.unwrap_or(Part::Other(part))
}

fn text(part: Json<'_>) -> Option<Part<'_>> {
    let ([_, text], extra) = take(part, ["type", "text"]);
    Some(Part::Text { text: text?.text()?, extra })
}

fn media(part: Json<'_>, kind: MediaKind) -> Option<Part<'_>> {
    let ([_, source], extra) = take(part, ["type", "source"]);
    let ([word, mime, data, url, file], rest) = take(source?, ["type", "media_type", "data", "url", "file_id"]);
    let word = word?.text()?.decode();
    let source = match (word.as_ref(), mime, data, url, file) {
        ("base64", Some(mime), Some(data), None, None) => Source::Data { mime: mime.text()?, base64: data.text()? },
        ("url", None, None, Some(url), None) => Source::Url { url: url.text()?, mime: None },
        ("file", None, None, None, Some(file)) => Source::File(file.text()?),
        _ => return None,
    };
    rest.is_empty().then_some(Part::Media(Media { kind, source, extra }))
}

fn thought(part: Json<'_>) -> Option<Part<'_>> {
    let ([_, text, signature], extra) = take(part, ["type", "thinking", "signature"]);
    let signature = match signature {
        Some(signature) => Some(signature.text()?),
        None => None,
    };
    Some(Part::Thinking(Thinking { text: text?.text()?, signature, extra }))
}

fn tool_call(part: Json<'_>) -> Option<Part<'_>> {
    let ([_, id, name, input], extra) = take(part, ["type", "id", "name", "input"]);
    let input = input.filter(|input| input.kind() == Kind::Object)?;
    Some(Part::ToolCall(ToolCall {
        id: Some(CallId::Given(id?.text()?)),
        name: name?.text()?,
        arguments: Arguments::Object(input),
        signature: None,
        extra,
    }))
}

fn tool_result(part: Json<'_>) -> Option<Part<'_>> {
    let ([_, id, said, failed], extra) = take(part, ["type", "tool_use_id", "content", "is_error"]);
    // Nothing at all is bare and empty; an empty list is a list.
    let (content, shape) = match said {
        Some(said) => content(said, "").ok()?,
        None => (Vec::new(), Shape::Bare),
    };
    let error = match failed {
        Some(failed) => Some(failed.bool()?),
        None => None,
    };
    let id = Some(CallId::Given(id?.text()?));
    Some(Part::ToolResult(ToolResult { id, name: None, content, shape, error, extra }))
}

fn tools(value: Json<'_>) -> Result<Vec<Tool<'_>>, ReadError> {
    if value.kind() != Kind::Array {
        return Err(ReadError::new("tools", "must be a list"));
    }
    let item = |(at, item): (usize, Json<'_>)| match item.kind() {
        Kind::Object => Ok(()),
        _ => Err(ReadError::new(format!("tools[{at}]"), "must be an object")),
    };
    value.items().enumerate().try_for_each(item)?;
    Ok(value.items().map(|item| function(item).map_or(Tool::Other(item), Tool::Function)).collect())
}

/// A function the client runs; `None` for tools the provider runs or gives a meaning.
fn function(item: Json<'_>) -> Option<Function<'_>> {
    let names = ["type", "name", "description", "input_schema", "strict"];
    let ([word, name, description, schema, strict], mut extra) = take(item, names);
    if let Some(word) = word {
        word.text().filter(|word| word.is("custom"))?;
        Mark::set(&mut extra, Mark::CUSTOM);
    }
    let description = match description {
        Some(description) => Some(description.text()?),
        None => None,
    };
    let strict = match strict {
        Some(strict) => Some(strict.bool()?),
        None => None,
    };
    Some(Function { name: name?.text()?, description, schema, strict, extra })
}

fn tool_choice<'a>(value: Json<'a>, request: &mut Request<'a>) {
    let ([word, name, serial], extra) = take(value, ["type", "name", "disable_parallel_tool_use"]);
    let word = word.and_then(Json::text).unwrap_or_default().decode();
    let choice = match (word.as_ref(), name.and_then(Json::text)) {
        ("auto", None) => Some(ToolChoice::Auto),
        ("any", None) => Some(ToolChoice::Any),
        ("none", None) => Some(ToolChoice::Never),
        ("tool", Some(name)) => Some(ToolChoice::Named(name)),
        _ => None,
    };
    let serial_is_plain = serial.is_none_or(|serial| serial.bool().is_some());
    match choice {
        Some(choice) if extra.is_empty() && serial_is_plain => {
            request.parallel_tool_calls = serial.and_then(Json::bool).map(|serial| !serial);
            request.tool_choice = Some(choice);
        }
        _ => request.tool_choice = Some(ToolChoice::Other(value)),
    }
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
