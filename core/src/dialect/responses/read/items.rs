//! Reads the input: items into turns.
//!
//! ```text
//! message(user)                       → a user turn
//! reasoning, message(assistant), call → one turn of the model, as long as they are neighbours
//! output, output                      → one turn of results, as long as they are neighbours
//! ```
//!
//! What only this dialect has becomes a part of the model's turn before it, so that it does not part results from each other.

use super::parts;
use super::tools::Tools;
use crate::dialect::ReadError;
use crate::hub::{Arguments, CallId, Extra, Part, Request, Role, Shape, Thinking, ToolCall, ToolResult, Turn};
use crate::json::{Json, Kind, Text};

/// Reads `input`: words alone or a list of items.
pub(super) fn read<'a>(input: Json<'a>, tools: Tools<'a>, request: &mut Request<'a>) -> Result<(), ReadError> {
    if let Some(text) = input.text() {
        let parts = vec![Part::Text { text, extra: Vec::new() }];
        request.turns.push(Turn { role: Role::User, parts, shape: Shape::Bare, extra: Vec::new() });
        return Ok(());
    }
    if input.kind() != Kind::Array {
        return Err(ReadError::new("input", "must be a string or a list"));
    }
    let mut reading = Reading { request, tools };
    for (at, item) in input.items().enumerate() {
        if item.kind() != Kind::Object {
            return Err(ReadError::new(format!("input[{at}]"), "must be an object"));
        }
        reading.item(item);
    }
    Ok(())
}

/// The members of an item that any kind of it may have.
#[derive(Default)]
struct Item<'a> {
    kind: Text<'a>,
    role: Option<Text<'a>>,
    content: Option<Json<'a>>,
    call_id: Option<Text<'a>>,
    name: Option<Text<'a>>,
    namespace: Option<Text<'a>>,
    arguments: Option<Json<'a>>,
    input: Option<Text<'a>>,
    output: Option<Json<'a>>,
    summary: Option<Json<'a>>,
    proof: Option<Text<'a>>,
    tools: Option<Json<'a>>,
    extra: Extra<'a>,
}

fn members(item: Json<'_>) -> Item<'_> {
    let mut found = Item::default();
    for (name, value) in item.members().filter(|(_, value)| !value.is_null()) {
        match (name.decode().as_ref(), value.text()) {
            ("type", Some(text)) => found.kind = text,
            ("role", Some(text)) => found.role = Some(text),
            ("call_id", Some(text)) => found.call_id = Some(text),
            ("name", Some(text)) => found.name = Some(text),
            ("namespace", Some(text)) => found.namespace = Some(text),
            ("input", Some(text)) => found.input = Some(text),
            ("encrypted_content", Some(text)) => found.proof = Some(text).filter(|text| !text.is_empty()),
            ("content", _) => found.content = Some(value),
            ("arguments", _) => found.arguments = Some(value),
            ("output", _) => found.output = Some(value),
            ("summary", _) => found.summary = Some(value),
            ("tools", _) => found.tools = Some(value),
            // What the provider calls it and how far it had come: of no meaning to others.
            ("id" | "status", Some(_)) => {}
            _ => found.extra.push((name, value)),
        }
    }
    found
}

/// The input's reader: the request so far, and the tools that are known.
struct Reading<'r, 'a> {
    request: &'r mut Request<'a>,
    tools: Tools<'a>,
}

impl<'a> Reading<'_, 'a> {
    fn item(&mut self, raw: Json<'a>) {
        let item = members(raw);
        let kind = item.kind.decode();
        let understood = match kind.as_ref() {
            "message" => self.message(&item),
            "" if item.role.is_some() => self.message(&item),
            "function_call" | "custom_tool_call" => self.call(&item),
            "function_call_output" | "custom_tool_call_output" => self.result(&item),
            "reasoning" => self.thoughts(&item),
            "additional_tools" => item.tools.map(|list| self.tools.list(list, self.request)),
            _ => None,
        };
        if understood.is_some() {
            return;
        }
        match kind.as_ref() {
            // Tools that were found for the model may be called from here on.
            "tool_search_output" => {
                item.tools.into_iter().for_each(|list| self.tools.list(list, self.request));
            }
            "item_reference" => {
                self.request.tied.get_or_insert("input[].item_reference");
            }
            _ => {}
        }
        self.other(raw);
    }

    fn message(&mut self, item: &Item<'a>) -> Option<()> {
        let role = match item.role?.decode().as_ref() {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "system" => Role::System,
            "developer" => Role::Developer,
            _ => return None,
        };
        let (mut said, shape) = parts::read(item.content?)?;
        let mut turn = if role == Role::Assistant { self.resume(role) } else { begin(role) };
        turn.shape = if turn.parts.is_empty() { shape } else { Shape::List };
        turn.parts.append(&mut said);
        turn.extra.extend_from_slice(&item.extra);
        self.request.turns.push(turn);
        Some(())
    }

    fn call(&mut self, item: &Item<'a>) -> Option<()> {
        let arguments = match (item.input, item.arguments) {
            (Some(input), None) => Arguments::Plain(input),
            (None, Some(arguments)) => arguments.text().map_or(Arguments::Object(arguments), Arguments::Encoded),
            _ => return None,
        };
        let (id, name) = (Some(CallId::Given(item.call_id?)), item.name?);
        let (namespace, extra) = (item.namespace, item.extra.clone());
        self.models(Part::ToolCall(ToolCall { id, namespace, name, arguments, signature: None, extra }));
        Some(())
    }

    fn result(&mut self, item: &Item<'a>) -> Option<()> {
        let id = Some(CallId::Given(item.call_id?));
        let output = item.output?;
        let (content, shape) = parts::read(output).unwrap_or((vec![Part::Other(output)], Shape::Bare));
        let result = ToolResult { id, name: item.name, content, shape, error: None, extra: item.extra.clone() };
        let mut turn = self.resume(Role::Tool);
        turn.parts.push(Part::ToolResult(result));
        self.request.turns.push(turn);
        Some(())
    }

    /// A thought for each part of the summary or, where there is none, of the thought itself; the proof is with the last.
    fn thoughts(&mut self, item: &Item<'a>) -> Option<()> {
        let texts = |list: Option<Json<'a>>| -> Vec<Text<'a>> {
            let texts = list.into_iter().flat_map(Json::items).filter_map(|part| part.get("text")?.text());
            texts.filter(|text| !text.is_empty()).collect()
        };
        let mut said = texts(item.summary);
        if said.is_empty() {
            said = texts(item.content);
        }
        let last = said.pop().or_else(|| item.proof.map(|_| Text::EMPTY));
        for text in said {
            self.models(Part::Thinking(Thinking { text, signature: None, extra: Vec::new() }));
        }
        if let Some(text) = last {
            self.models(Part::Thinking(Thinking { text, signature: item.proof, extra: item.extra.clone() }));
        }
        Some(())
    }

    fn other(&mut self, raw: Json<'a>) {
        match self.request.turns.as_mut_slice() {
            [.., before, results] if results.role == Role::Tool && before.role == Role::Assistant => {
                before.shape = Shape::List;
                before.parts.push(Part::Other(raw));
            }
            _ => self.models(Part::Other(raw)),
        }
    }

    /// Adds a part to the model's turn that is going on, or begins one with it.
    fn models(&mut self, part: Part<'a>) {
        let mut turn = self.resume(Role::Assistant);
        turn.shape = Shape::List;
        turn.parts.push(part);
        self.request.turns.push(turn);
    }

    /// Takes out the last turn, if it is of that role, to be continued; else gives a new one.
    fn resume(&mut self, role: Role) -> Turn<'a> {
        let goes_on = self.request.turns.last().is_some_and(|turn| turn.role == role);
        let turn = if goes_on { self.request.turns.pop() } else { None };
        turn.unwrap_or_else(|| begin(role))
    }
}

fn begin<'a>(role: Role) -> Turn<'a> {
    Turn { role, parts: Vec::new(), shape: Shape::List, extra: Vec::new() }
}
