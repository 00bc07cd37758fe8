//! What the model may call: from the wire to the hub.

use super::{Mark, take};
use crate::dialect::ReadError;
use crate::hub::{Function, Request, Tool, ToolChoice};
use crate::json::{Json, Kind};

/// Reads the list of tools.
pub(super) fn tools(value: Json<'_>) -> Result<Vec<Tool<'_>>, ReadError> {
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
    Some(Function { namespace: None, name: name?.text()?, description, schema, strict, extra })
}

/// Reads how far the model may choose; anything unexpected keeps the whole member.
pub(super) fn choice<'a>(value: Json<'a>, request: &mut Request<'a>) {
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
