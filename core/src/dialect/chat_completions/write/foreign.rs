//! Writes what another dialect read, in the words that every compatible server knows, and notes what has none.

mod turns;

use super::{Ask, LOW_BUDGET, MAX_STOPS, MEDIUM_BUDGET, choice, function, schema, stops, streams};
use crate::dialect::Written;
use crate::hub::{Depth, Format, Reasoning, Request, Tool, ToolChoice};
use crate::json::{Json, Kind, Text, Writer};

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
            ask.written.drop("stop");
        }
        stops(sequences, MAX_STOPS, out);
    }
    if let Some(wanted) = &request.format {
        format(wanted, &mut ask.written, out);
    }
    if let Some(wanted) = &request.reasoning {
        reasoning(wanted, &mut ask.written, out);
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
    if request.sampling.top_k.is_some_and(|value| !value.is_null()) {
        written.drop("top_k");
    }
    if request.sampling.answers.is_some_and(|value| !value.is_null() && value.u64() != Some(1)) {
        written.drop("n");
    }
    written.drop_extra("", &request.extra);
}

fn tools(ask: &mut Ask<'_, '_>, out: &mut Writer) {
    let request = ask.request;
    let mut functions = Vec::new();
    for tool in &request.tools {
        match tool {
            Tool::Function(function) => functions.push(function),
            Tool::Other(json) => ask.written.drop(&format!("tools[].{}", kind_of(*json))),
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
        ask.written.drop_extra("tools[].", &function.extra);
    }
    out.field("tools").array(|out| {
        for wanted in &functions {
            let parameters = |out: &mut Writer| {
                // Some servers demand the schema even of a function without arguments.
                match wanted.schema.filter(|schema| schema.kind() == Kind::Object) {
                    Some(schema) => schema::write(schema, out.field("parameters")),
                    None => out.field("parameters").object(|out| {
                        out.field("type").string("object");
                        out.field("properties").object(|_| {});
                    }),
                }
            };
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

/// What a raw value of another dialect calls itself: its `type`, or the name of its first member.
fn kind_of(json: Json<'_>) -> String {
    let named = json.get("type").and_then(Json::text);
    let first = || json.members().next().map(|(name, _)| name);
    named.or_else(first).map(|text| text.decode().into_owned()).unwrap_or_default()
}

fn format(format: &Format<'_>, written: &mut Written, out: &mut Writer) {
    match format {
        Format::Text => out.field("response_format").object(|out| out.field("type").string("text")),
        Format::JsonObject => out.field("response_format").object(|out| out.field("type").string("json_object")),
        Format::JsonSchema { name, description, schema, strict, extra } => {
            written.drop_extra("response_format.", extra);
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
                    schema::write(*schema, out.field("schema"));
                    if let Some(strict) = strict {
                        out.field("strict").bool(*strict);
                    }
                });
            });
        }
        Format::Other(_) => written.drop("response_format"),
    }
}

/// How much to think. Adaptive is what chat completions does when nothing is said; not to think cannot be said to models that
/// do not know `none` (nor to those that cannot think at all), so it is reported.
fn reasoning(reasoning: &Reasoning<'_>, written: &mut Written, out: &mut Writer) {
    let effort = match reasoning.depth {
        Depth::Effort(word) => effort(word),
        Depth::Budget(0) | Depth::Off => None,
        Depth::Budget(tokens) if tokens <= LOW_BUDGET => Some("low"),
        Depth::Budget(tokens) if tokens <= MEDIUM_BUDGET => Some("medium"),
        Depth::Budget(_) => Some("high"),
        Depth::Adaptive | Depth::Unsaid => None,
    };
    match (effort, reasoning.depth) {
        (Some(word), _) => out.field("reasoning_effort").string(word),
        (None, Depth::Adaptive | Depth::Unsaid) => {}
        (None, _) => written.drop("reasoning"),
    }
    if reasoning.shown.is_some() {
        written.drop("reasoning.shown");
    }
    written.drop_extra("reasoning.", &reasoning.extra);
}

/// The nearest of the three words that every server with reasoning knows.
fn effort(word: Text<'_>) -> Option<&'static str> {
    match word.decode().to_ascii_lowercase().as_str() {
        "minimal" | "low" => Some("low"),
        "medium" => Some("medium"),
        "high" | "xhigh" | "max" => Some("high"),
        _ => None,
    }
}
