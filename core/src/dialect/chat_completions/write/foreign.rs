//! Writes what another dialect read, in the words that every compatible server knows, and notes what has none.

mod turns;

use super::{Ask, MAX_STOPS, choice, function, stops, streams, thinking};
use crate::dialect::Written;
use crate::hub::{Format, Request, Tool, ToolChoice};
use crate::json::Writer;
use crate::json::schema::{self, Objects};

/// The name of a schema that has none: chat completions demands one.
const SCHEMA_NAME: &str = "response";

/// Writes all members but the model, the user and what [`super::sampling`] writes.
pub(super) fn members(ask: &mut Ask<'_, '_>, out: &mut Writer) {
    let request = ask.request;
    turns::write(ask, out);
    tools(ask, out);
    if let Some(limit) = request.max_tokens {
        out.field("max_completion_tokens").number(limit.tokens);
    }
    if let Some(sequences) = &request.stop {
        if sequences.sequences.len() > MAX_STOPS {
            ask.written.approximate("stop");
        }
        stops(sequences, MAX_STOPS, out);
    }
    if let Some(wanted) = &request.format {
        format(wanted, &mut ask.written, out);
    }
    if let Some(wanted) = &request.reasoning {
        thinking::foreign(ask, wanted, out);
    }
    if streams(request.delivery) {
        out.field("stream").bool(true);
        // Always asked for: what is spent must be known, whoever pays for it.
        out.field("stream_options").object(|out| out.field("include_usage").bool(true));
    }
    unsaid(request, &mut ask.written);
}

/// What has no word at all at the top level.
fn unsaid(request: &Request<'_>, written: &mut Written) {
    // The other numbers still say how free the answer shall be. More than one answer is the caller's own dialect's business.
    if request.sampling.top_k.is_some_and(|value| !value.is_null()) {
        written.approximate("top_k");
    }
    written.lose("", &request.extra);
}

fn tools(ask: &mut Ask<'_, '_>, out: &mut Writer) {
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
        // Without tools the choice is an error at OpenAI, and means nothing unless it demands a call.
        if matches!(request.tool_choice, Some(ToolChoice::Any | ToolChoice::Named(_) | ToolChoice::Other(_))) {
            ask.written.drop("tool_choice");
        }
        return;
    }
    for function in &functions {
        ask.written.lose("tools[].", &function.extra);
    }
    out.field("tools").array(|out| {
        for wanted in &functions {
            let parameters = |out: &mut Writer| schema::write_input(wanted.schema, out.field("parameters"));
            out.object(|out| {
                out.field("type").string("function");
                out.field("function").object(|out| function(wanted, ask.names.get(wanted.name), parameters, out));
            });
        }
    });
    match &request.tool_choice {
        Some(ToolChoice::Other(_)) => ask.written.drop("tool_choice"),
        Some(wanted) => choice(wanted, &ask.names, out.field("tool_choice")),
        None => {}
    }
    if let Some(parallel) = request.parallel_tool_calls {
        out.field("parallel_tool_calls").bool(parallel);
    }
}

fn format(format: &Format<'_>, written: &mut Written, out: &mut Writer) {
    match format {
        Format::Text => out.field("response_format").object(|out| out.field("type").string("text")),
        Format::JsonObject => out.field("response_format").object(|out| out.field("type").string("json_object")),
        Format::JsonSchema { name, description, schema, strict, extra } => {
            written.lose("response_format.", extra);
            out.field("response_format").object(|out| {
                out.field("type").string("json_schema");
                out.field("json_schema").object(|out| {
                    match name {
                        Some(name) => out.field("name").text(*name),
                        None => out.field("name").string(SCHEMA_NAME),
                    }
                    if let Some(description) = description {
                        out.field("description").text(*description);
                    }
                    schema::write(*schema, Objects::AsSaid, out.field("schema"));
                    if let Some(strict) = strict {
                        out.field("strict").bool(*strict);
                    }
                });
            });
        }
        Format::Other(_) => written.drop("response_format"),
    }
}
