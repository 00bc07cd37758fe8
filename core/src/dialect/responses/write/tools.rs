//! Writes another dialect's tools and the choice among them.

use super::Ask;
use crate::hub::{Function, Tool, ToolChoice};
use crate::json::{Writer, schema};

/// Writes `tools`, `tool_choice` and `parallel_tool_calls`.
pub(super) fn write(ask: &mut Ask<'_, '_>, out: &mut Writer) {
    let request = ask.request;
    let mut functions: Vec<&Function<'_>> = Vec::new();
    for tool in &request.tools {
        match tool {
            Tool::Function(function) => functions.push(function),
            // They were made functions of before.
            Tool::Custom(_) => ask.written.drop("tools[].custom"),
            Tool::Other(json) => ask.written.lose_raw("tools[].", *json),
        }
    }
    if functions.is_empty() {
        // A choice among no tools means nothing unless it demands a call.
        if matches!(request.tool_choice, Some(ToolChoice::Any | ToolChoice::Named(_) | ToolChoice::Other(_))) {
            ask.written.drop("tool_choice");
        }
        return;
    }
    out.field("tools").array(|out| functions.into_iter().for_each(|function| self::function(function, ask, out)));
    if let Some(wanted) = &request.tool_choice {
        choice(wanted, ask, out);
    }
    if let Some(parallel) = request.parallel_tool_calls {
        out.field("parallel_tool_calls").bool(parallel);
    }
}

fn function(function: &Function<'_>, ask: &mut Ask<'_, '_>, out: &mut Writer) {
    ask.written.lose("tools[].", &function.extra);
    out.object(|out| {
        out.field("type").string("function");
        ask.names.write(function.name, out.field("name"));
        if let Some(description) = function.description {
            out.field("description").text(description);
        }
        schema::write_input(function.schema, out.field("parameters"));
        // Silence would mean strict, which refuses most schemas.
        out.field("strict").bool(function.strict == Some(true));
    });
}

fn choice(choice: &ToolChoice<'_>, ask: &mut Ask<'_, '_>, out: &mut Writer) {
    let word = match choice {
        ToolChoice::Auto => "auto",
        ToolChoice::Never => "none",
        ToolChoice::Any => "required",
        ToolChoice::Named(name) => {
            return out.field("tool_choice").object(|out| {
                out.field("type").string("function");
                ask.names.write(*name, out.field("name"));
            });
        }
        ToolChoice::Other(_) => return ask.written.drop("tool_choice"),
    };
    out.field("tool_choice").string(word);
}
