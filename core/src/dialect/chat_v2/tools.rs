//! Writes what the model may call, and whether it must.

use super::write::Ask;
use crate::catalog::DialectId;
use crate::hub::{Format, Function, Tool, ToolChoice};
use crate::json::{Json, Text, Writer, schema};

/// Whether tools were offered: the form of the answer depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offered {
    /// At least one.
    Some,
    /// None.
    None,
}

/// Writes `tools`, `strict_tools` and `tool_choice`.
pub(super) fn write(ask: &mut Ask<'_, '_>, out: &mut Writer) -> Offered {
    let request = ask.request;
    let mut functions = Vec::new();
    for tool in &request.tools {
        match tool {
            Tool::Function(function) => functions.push(function),
            Tool::Custom(_) => ask.written.drop("tools[].custom"),
            Tool::Other(json) => ask.written.lose_raw("tools[].", *json),
        }
    }
    if functions.is_empty() {
        // The provider refuses a choice among no tools.
        if matches!(request.tool_choice, Some(ToolChoice::Any | ToolChoice::Named(_) | ToolChoice::Other(_))) {
            ask.written.drop("tool_choice");
        }
        return Offered::None;
    }
    let shaped = matches!(request.format, Some(Format::JsonObject | Format::JsonSchema { .. }));
    if shaped && matches!(request.tool_choice, Some(ToolChoice::Never)) {
        // Beside tools the form of the answer is refused, and these may not be called.
        ask.written.approximate("tools");
        return Offered::None;
    }
    if let Some(ToolChoice::Named(name)) = request.tool_choice {
        // There is no word for a certain one, but it is the only one that can be called if no other is offered.
        ask.written.approximate("tool_choice");
        if functions.iter().any(|function| is_called(function, name)) {
            functions.retain(|function| is_called(function, name));
        }
    }
    out.field("tools").array(|out| functions.iter().for_each(|function| self::function(function, ask, out)));
    strict(&functions, ask, out);
    choice(ask, out);
    Offered::Some
}

fn is_called(function: &Function<'_>, name: Text<'_>) -> bool {
    function.name.raw() == name.raw() || function.name.decode() == name.decode()
}

fn function(function: &Function<'_>, ask: &mut Ask<'_, '_>, out: &mut Writer) {
    ask.written.lose("tools[].", &function.extra);
    out.object(|out| {
        out.field("type").string("function");
        out.field("function").object(|out| {
            ask.names.write(function.name, out.field("name"));
            if let Some(description) = function.description {
                out.field("description").text(description);
            }
            schema::write_input(function.schema, out.field("parameters"));
        });
    });
}

/// Strictness is said of all tools at once, and the provider refuses it for one that demands no argument.
fn strict(functions: &[&Function<'_>], ask: &mut Ask<'_, '_>, out: &mut Writer) {
    let is_strict = |function: &&Function<'_>| function.strict == Some(true);
    if functions.iter().all(|function| is_strict(function) && demands(function.schema)) {
        out.field("strict_tools").bool(true);
    } else if functions.iter().any(is_strict) {
        ask.written.approximate("tools[].strict");
    }
}

fn choice(ask: &mut Ask<'_, '_>, out: &mut Writer) {
    match ask.request.tool_choice {
        Some(ToolChoice::Any | ToolChoice::Named(_)) => out.field("tool_choice").string("REQUIRED"),
        Some(ToolChoice::Never) => out.field("tool_choice").string("NONE"),
        Some(ToolChoice::Other(_)) => ask.written.drop("tool_choice"),
        // There it may also hold arguments to their schemas.
        Some(ToolChoice::Auto) if ask.request.dialect == DialectId::GenerateContent => {
            ask.written.approximate("tool_choice");
        }
        Some(ToolChoice::Auto) | None => {}
    }
    if ask.request.parallel_tool_calls == Some(false) {
        ask.written.approximate("parallel_tool_calls");
    }
}

/// Whether a schema demands at least one argument.
fn demands(schema: Option<Json<'_>>) -> bool {
    let required = schema.and_then(|schema| schema.get("required"));
    required.is_some_and(|required| required.items().next().is_some())
}
