//! A body into a [`Request`].

use super::read_config::{read_config, read_tool_config};
use super::read_part::{Calls, read_part};
use super::spelling::{self, mark, note};
use crate::catalog::DialectId;
use crate::dialect::{Endpoint, ReadError};
use crate::hub::{Delivery, Function, Request, Role, Shape, Tool, Turn};
use crate::json::{Json, Kind, Member, Text};

/// Understands a body. The model and the delivery stand in the path.
pub(super) fn read_request<'a>(endpoint: &Endpoint, body: Json<'a>) -> Result<Request<'a>, ReadError> {
    if body.kind() != Kind::Object {
        return Err(ReadError::new("body", "must be an object"));
    }
    let delivery = endpoint.delivery.unwrap_or(Delivery::Whole);
    let mut request = Request::new(DialectId::GenerateContent, delivery);
    let (mut system, mut turns, mut config, mut tool_config) = (None, None, None, None);
    for (name, value) in body.members() {
        let word = name.decode();
        let usual = match (word.as_ref(), value.kind()) {
            ("contents", _) => {
                once(&mut turns, read_turns(value)?, "contents")?;
                "contents"
            }
            ("model", Kind::String) => {
                let before = value.text().unwrap_or(Text::EMPTY).raw();
                let before = before.rfind('/').and_then(|slash| before.get(..=slash)).unwrap_or_default();
                request.extra.extend([mark(spelling::MODEL), (Text::escaped(before), Json::NULL)]);
                continue;
            }
            (_, Kind::Null) => {
                request.extra.push((name, value));
                continue;
            }
            ("systemInstruction" | "system_instruction", _) => {
                once(&mut system, read_system(value)?, "systemInstruction")?;
                "systemInstruction"
            }
            ("generationConfig" | "generation_config", _) => {
                once(&mut config, object(value, "generationConfig")?, "generationConfig")?;
                "generationConfig"
            }
            ("toolConfig" | "tool_config", _) => {
                once(&mut tool_config, object(value, "toolConfig")?, "toolConfig")?;
                "toolConfig"
            }
            ("tools", _) => {
                read_tools(value, &mut request)?;
                "tools"
            }
            _ => {
                request.tied = request.tied.or(tie(&word));
                request.extra.push((name, value));
                continue;
            }
        };
        note(&mut request.extra, name, usual);
    }
    let turns = turns.ok_or_else(|| ReadError::new("contents", "is missing"))?;
    request.turns = system.into_iter().chain(turns).collect();
    // Sections last: they end only where the next begins.
    if let Some(config) = config {
        read_config(config, &mut request)?;
    }
    if let Some(tool_config) = tool_config {
        read_tool_config(tool_config, &mut request);
    }
    Ok(request)
}

/// What only the provider has that is meant: a prompt that it keeps, an answer that it broke off.
fn tie(word: &str) -> Option<&'static str> {
    match word {
        "cachedContent" | "cached_content" => Some("cachedContent"),
        "continuationToken" | "continuation_token" => Some("continuationToken"),
        _ => None,
    }
}

/// Takes a member that may stand in one spelling only: of two, nobody knows which the provider obeys.
pub(super) fn once<T>(place: &mut Option<T>, value: T, param: &str) -> Result<(), ReadError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(ReadError::new(param, "must not stand in two spellings at once")),
    }
}

fn object<'a>(value: Json<'a>, param: &str) -> Result<Json<'a>, ReadError> {
    match value.kind() {
        Kind::Object => Ok(value),
        _ => Err(ReadError::new(param, "must be an object")),
    }
}

fn read_turns<'a>(contents: Json<'a>) -> Result<Vec<Turn<'a>>, ReadError> {
    if contents.kind() != Kind::Array {
        return Err(ReadError::new("contents", "must be a list"));
    }
    let mut calls = Calls::default();
    contents.items().enumerate().map(|(index, content)| read_turn(content, index, &mut calls)).collect()
}

fn read_turn<'a>(content: Json<'a>, index: usize, calls: &mut Calls<'a>) -> Result<Turn<'a>, ReadError> {
    let place = || format!("contents[{index}]");
    if content.kind() != Kind::Object {
        return Err(ReadError::new(place(), "must be an object"));
    }
    let role = content.get("role").map(|role| (role, role.text().map(Text::decode)));
    let (role, role_mark) = match &role {
        None => (Role::User, Some(mark(spelling::NO_ROLE))),
        Some((_, Some(word))) if word == "user" => (Role::User, None),
        Some((_, Some(word))) if word == "model" => (Role::Assistant, None),
        // Once the role of turns with function responses; their parts say the same.
        Some((_, Some(word))) if word == "function" => (Role::Tool, None),
        Some((_, Some(_))) => {
            return Err(ReadError::new(format!("{}.role", place()), "must be `user`, `model` or `function`"));
        }
        Some((_, None)) => return Err(ReadError::new(format!("{}.role", place()), "must be a string")),
    };
    let mut turn = Turn { role, parts: Vec::new(), shape: Shape::List, extra: role_mark.into_iter().collect() };
    read_content(content, &mut turn, calls, place)?;
    Ok(turn)
}

fn read_system<'a>(content: Json<'a>) -> Result<Turn<'a>, ReadError> {
    let place = || "systemInstruction".to_string();
    let content = object(content, "systemInstruction")?;
    let mut turn = Turn { role: Role::System, parts: Vec::new(), shape: Shape::List, extra: Vec::new() };
    // The role of an instruction means nothing, but clients send one.
    if let Some(role) = content.get("role") {
        turn.extra.push(match role.text().map(Text::decode).as_deref() {
            Some("user") => mark(spelling::ROLE_USER),
            Some("system") => mark(spelling::ROLE_SYSTEM),
            Some("model") => mark(spelling::ROLE_MODEL),
            _ => (Text::plain("role").unwrap_or(Text::EMPTY), role),
        });
    }
    read_content(content, &mut turn, &mut Calls::default(), place)?;
    Ok(turn)
}

/// Reads all of a turn but its role.
fn read_content<'a>(
    content: Json<'a>,
    turn: &mut Turn<'a>,
    calls: &mut Calls<'a>,
    place: impl Fn() -> String,
) -> Result<(), ReadError> {
    let mut has_parts = false;
    calls.turn(turn.role);
    for (name, value) in content.members() {
        match (name.decode().as_ref(), value.kind()) {
            ("role", _) => {}
            ("parts", Kind::Array) => {
                has_parts = true;
                for (index, part) in value.items().enumerate() {
                    let part = read_part(part, calls);
                    let problem = || ReadError::new(format!("{}.parts[{index}]", place()), "must be an object");
                    turn.parts.extend(part.ok_or_else(problem)?);
                }
            }
            ("parts", Kind::Object) => {
                has_parts = true;
                turn.shape = Shape::Bare;
                turn.parts.extend(read_part(value, calls).into_iter().flatten());
            }
            ("parts", Kind::Null) => {
                has_parts = true;
                turn.extra.push((name, value));
            }
            ("parts", _) => return Err(ReadError::new(format!("{}.parts", place()), "must be a list")),
            _ => turn.extra.push((name, value)),
        }
    }
    if !has_parts {
        turn.extra.push(mark(spelling::NO_PARTS));
    }
    Ok(())
}

fn read_tools<'a>(tools: Json<'a>, request: &mut Request<'a>) -> Result<(), ReadError> {
    match tools.kind() {
        Kind::Object => {
            request.extra.push(mark(spelling::ONE_TOOL));
            read_tool(tools, &mut request.tools);
        }
        Kind::Array => {
            if tools.items().next().is_none() {
                request.extra.push(mark(spelling::EMPTY_TOOLS));
            }
            for (index, tool) in tools.items().enumerate() {
                object(tool, &format!("tools[{index}]"))?;
                read_tool(tool, &mut request.tools);
            }
        }
        _ => return Err(ReadError::new("tools", "must be a list")),
    }
    Ok(())
}

/// One tool object may declare many functions and have the provider's own tools beside them.
fn read_tool<'a>(tool: Json<'a>, tools: &mut Vec<Tool<'a>>) {
    let mut functions: Vec<Function<'a>> = Vec::new();
    let mut beside: Vec<Member<'a>> = vec![mark(spelling::TOOL)];
    for (name, value) in tool.members() {
        match (name.decode().as_ref(), value.kind()) {
            ("functionDeclarations" | "function_declarations", Kind::Array | Kind::Object) => {
                let read: Option<Vec<_>> = match value.kind() {
                    Kind::Object => {
                        beside.push(mark(spelling::ONE_FUNCTION));
                        read_function(value).map(|function| vec![function])
                    }
                    _ => value.items().map(read_function).collect(),
                };
                // A declaration without a name is not ours to judge.
                let Some(read) = read else { return tools.push(Tool::Other(tool)) };
                functions.extend(read);
                note(&mut beside, name, "functionDeclarations");
            }
            _ => beside.push((name, value)),
        }
    }
    match functions.first_mut() {
        Some(first) => first.extra.extend(beside),
        None => return tools.push(Tool::Other(tool)),
    }
    tools.extend(functions.into_iter().map(Tool::Function));
}

fn read_function<'a>(declaration: Json<'a>) -> Option<Function<'a>> {
    let name = declaration.get("name")?.text()?;
    let mut function =
        Function { namespace: None, name, description: None, schema: None, strict: None, extra: Vec::new() };
    for (name, value) in declaration.members() {
        match (name.decode().as_ref(), value.kind()) {
            ("name", _) => {}
            ("description", Kind::String) => function.description = value.text(),
            ("parametersJsonSchema" | "parameters_json_schema" | "parameters", Kind::Object)
                if function.schema.is_none() =>
            {
                function.schema = Some(value);
                note(&mut function.extra, name, "parametersJsonSchema");
            }
            _ => function.extra.push((name, value)),
        }
    }
    Some(function)
}
