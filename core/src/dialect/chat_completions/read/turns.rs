//! Reads the messages. One message is one turn; its thoughts come first, then its contents, its refusal, its calls.

use super::parts;
use super::thoughts::Thoughts;
use crate::dialect::ReadError;
use crate::dialect::chat_completions::mark::Mark;
use crate::hub::{Arguments, CallId, Extra, Part, Role, Shape, ToolCall, ToolResult, Turn};
use crate::json::{Json, Kind, Text};

/// Takes `messages`.
pub(super) fn read<'a>(value: Json<'a>) -> Result<Vec<Turn<'a>>, ReadError> {
    if value.kind() != Kind::Array {
        return Err(ReadError::new("messages", "must be a list"));
    }
    let mut legacy = LegacyCalls::default();
    let mut turns = Vec::new();
    for (index, message) in value.items().enumerate() {
        turns.push(turn(message, &format!("messages[{index}]"), &mut legacy)?);
    }
    Ok(turns)
}

/// Calls of the legacy form have no ids; they are counted, and a result belongs to the last call of its name.
#[derive(Default)]
struct LegacyCalls<'a> {
    names: Vec<Text<'a>>,
}

impl<'a> LegacyCalls<'a> {
    fn call(&mut self, name: Text<'a>) -> CallId<'a> {
        self.names.push(name);
        CallId::Made(self.names.len() - 1)
    }

    fn result(&self, name: Option<Text<'a>>) -> CallId<'a> {
        let same = |known: &Text<'a>| name.is_some_and(|name| name.decode() == known.decode());
        CallId::Made(self.names.iter().rposition(same).unwrap_or(self.names.len()))
    }
}

fn turn<'a>(message: Json<'a>, place: &str, legacy: &mut LegacyCalls<'a>) -> Result<Turn<'a>, ReadError> {
    if message.kind() != Kind::Object {
        return Err(ReadError::new(place, "must be an object"));
    }
    let role = message.get("role").ok_or_else(|| ReadError::new(format!("{place}.role"), "is missing"))?;
    let role = role.text().ok_or_else(|| ReadError::new(format!("{place}.role"), "must be a string"))?;
    match role.decode().as_ref() {
        "system" => said(message, place, Role::System, legacy),
        "developer" => said(message, place, Role::Developer, legacy),
        "user" => said(message, place, Role::User, legacy),
        "assistant" => said(message, place, Role::Assistant, legacy),
        "tool" => result(message, place, None),
        "function" => {
            let name = message.get("name").and_then(Json::text);
            result(message, place, Some(legacy.result(name)))
        }
        _ => {
            let known = "must be `system`, `developer`, `user`, `assistant`, `tool` or `function`";
            Err(ReadError::new(format!("{place}.role"), known))
        }
    }
}

/// What a message has besides its contents.
#[derive(Default)]
struct Besides<'a> {
    thoughts: Thoughts<'a>,
    refusal: Option<Text<'a>>,
    calls: Vec<Part<'a>>,
    extra: Extra<'a>,
}

fn said<'a>(message: Json<'a>, place: &str, role: Role, legacy: &mut LegacyCalls<'a>) -> Result<Turn<'a>, ReadError> {
    let mut contents = (Vec::new(), Shape::Bare);
    let mut besides = Besides::default();
    for (name, value) in message.members() {
        let spelled = name.decode();
        match spelled.as_ref() {
            "role" => {}
            "content" if !value.is_null() => {
                contents = parts::contents(value, &format!("{place}.content"))?;
                if role == Role::Assistant && contents.0.iter().any(looks_like_call) {
                    contents = (Vec::new(), Shape::Bare);
                    besides.extra.push((name, value));
                }
                if contents.0.iter().any(|part| matches!(part, Part::Refusal(_))) {
                    Mark::RefusalPart.put(&mut besides.extra);
                }
            }
            "refusal" if role == Role::Assistant && value.kind() == Kind::String => besides.refusal = value.text(),
            _ if role == Role::Assistant && besides.thoughts.take(name, value) => {}
            "tool_calls" if role == Role::Assistant && !value.is_null() => calls(name, value, place, &mut besides)?,
            "function_call" if role == Role::Assistant && value.kind() == Kind::Object => {
                match legacy_call(value, legacy) {
                    Some(call) => besides.calls.push(Part::ToolCall(call)),
                    None => besides.extra.push((name, value)),
                }
            }
            _ => besides.extra.push((name, value)),
        }
    }
    let (contents, shape) = contents;
    let mut parts = besides.thoughts.parts(&mut besides.extra);
    parts.extend(contents);
    parts.extend(besides.refusal.map(Part::Refusal));
    parts.extend(besides.calls);
    Ok(Turn { role, parts, shape, extra: besides.extra })
}

/// The message that carries a tool's answer. A made id says that the role was `function`.
fn result<'a>(message: Json<'a>, place: &str, made: Option<CallId<'a>>) -> Result<Turn<'a>, ReadError> {
    let mut result =
        ToolResult { id: made, name: None, content: Vec::new(), shape: Shape::Bare, error: None, extra: Vec::new() };
    let mut extra = Extra::new();
    for (name, value) in message.members() {
        match name.decode().as_ref() {
            "role" => {}
            "content" if !value.is_null() => {
                (result.content, result.shape) = parts::contents(value, &format!("{place}.content"))?;
            }
            "tool_call_id" if made.is_none() && value.kind() == Kind::String => {
                result.id = value.text().map(CallId::Given);
            }
            "name" if value.kind() == Kind::String => result.name = value.text(),
            _ => extra.push((name, value)),
        }
    }
    Ok(Turn { role: Role::Tool, parts: vec![Part::ToolResult(result)], shape: Shape::Bare, extra })
}

/// Takes `tool_calls`; with an item that is no call of any known kind, all of it is kept raw.
fn calls<'a>(name: Text<'a>, value: Json<'a>, place: &str, besides: &mut Besides<'a>) -> Result<(), ReadError> {
    let place = format!("{place}.tool_calls");
    if value.kind() != Kind::Array {
        return Err(ReadError::new(place, "must be a list"));
    }
    let mut calls = Vec::new();
    for (index, item) in value.items().enumerate() {
        if item.kind() != Kind::Object {
            return Err(ReadError::new(format!("{place}[{index}]"), "must be an object"));
        }
        calls.push(call(item).map_or(Part::Other(item), Part::ToolCall));
    }
    if calls.is_empty() {
        Mark::EmptyList.put(&mut besides.extra);
    }
    match calls.iter().all(|part| looks_like_call(part) || matches!(part, Part::ToolCall(_))) {
        true => besides.calls.extend(calls),
        false => besides.extra.push((name, value)),
    }
    Ok(())
}

fn looks_like_call(part: &Part<'_>) -> bool {
    matches!(part, Part::Other(json) if is_raw_call(*json))
}

/// Whether a raw part of an answer is a call of another kind than a function's, such as `custom`. That alone tells it from a
/// raw part of the contents.
pub(in crate::dialect::chat_completions) fn is_raw_call(json: Json<'_>) -> bool {
    let kind = json.get("type").and_then(Json::text);
    kind.is_some_and(|kind| kind.is("function") || kind.is("custom")) || json.get("function").is_some()
}

/// A call of a function or of a tool of plain words; `None` for other kinds of calls.
fn call<'a>(item: Json<'a>) -> Option<ToolCall<'a>> {
    if item.get("type").and_then(Json::text).is_some_and(|kind| kind.is("custom")) {
        return custom_call(item);
    }
    let mut extra = Extra::new();
    let (mut id, mut function, mut typed, mut signature) = (None, None, false, None);
    for (name, value) in item.members() {
        match name.decode().as_ref() {
            "id" if value.kind() == Kind::String => id = value.text().map(CallId::Given),
            "function" if value.kind() == Kind::Object => function = Some(value),
            "type" if value.kind() == Kind::String => {
                typed = value.text().is_some_and(|kind| kind.is("function"));
                if !typed {
                    return None;
                }
            }
            "extra_content" => match thought_signature(value) {
                Some(proof) => signature = Some(proof),
                None => extra.push((name, value)),
            },
            _ => extra.push((name, value)),
        }
    }
    if !typed {
        Mark::Untyped.put(&mut extra);
    }
    let function = function?;
    let (name, arguments) = named_arguments(function)?;
    if !is_plain(function) {
        extra.push((crate::dialect::ascii_text("function"), function));
    }
    Some(ToolCall { id, namespace: None, name, arguments, signature, extra })
}

/// `{"id":"…","type":"custom","custom":{"name":"…","input":"…"}}`
fn custom_call<'a>(item: Json<'a>) -> Option<ToolCall<'a>> {
    let mut extra = Extra::new();
    let (mut id, mut custom) = (None, None);
    for (name, value) in item.members() {
        match name.decode().as_ref() {
            "type" => {}
            "id" if value.kind() == Kind::String => id = value.text().map(CallId::Given),
            "custom" if value.members().count() == 2 => custom = Some(value),
            _ => extra.push((name, value)),
        }
    }
    let custom = custom?;
    let (name, input) = (custom.get("name")?.text()?, custom.get("input")?.text()?);
    Some(ToolCall { id, namespace: None, name, arguments: Arguments::Plain(input), signature: None, extra })
}

/// The proof in `{"google":{"thought_signature":"…"}}`, which Gemini's compatible endpoint gives and wants back.
fn thought_signature(value: Json<'_>) -> Option<Text<'_>> {
    let inner = value.get("google")?;
    let only = value.members().count() == 1 && inner.members().count() == 1;
    inner.get("thought_signature").and_then(Json::text).filter(|_| only)
}

/// Whether a call's function is its name and arguments and nothing else.
fn is_plain(function: Json<'_>) -> bool {
    function.members().count() == 2 && function.get("arguments").is_some()
}

fn named_arguments<'a>(function: Json<'a>) -> Option<(Text<'a>, Arguments<'a>)> {
    let name = function.get("name")?.text()?;
    let arguments = match function.get("arguments") {
        None => Arguments::Encoded(Text::EMPTY),
        Some(value) => match value.text() {
            Some(text) => Arguments::Encoded(text),
            None => Arguments::Object(value),
        },
    };
    Some((name, arguments))
}

fn legacy_call<'a>(value: Json<'a>, legacy: &mut LegacyCalls<'a>) -> Option<ToolCall<'a>> {
    let (name, arguments) = named_arguments(value)?;
    let id = is_plain(value).then(|| legacy.call(name))?;
    Some(ToolCall { id: Some(id), namespace: None, name, arguments, signature: None, extra: Vec::new() })
}
