//! Reading an Anthropic messages request as strictly as Anthropic does.

use serde_json::Value;

use super::Dialect;
use super::answer::{Choice, Heard, words};
use super::messages_turns::{pairs, turns};
use super::shape::{Checked, Object, closed_schema, function_name, json_schema, wrong};

const MEMBERS: &[&str] = &[
    "model",
    "messages",
    "max_tokens",
    "system",
    "stop_sequences",
    "stream",
    "temperature",
    "top_p",
    "top_k",
    "tools",
    "tool_choice",
    "thinking",
    "metadata",
    "service_tier",
    "container",
    "mcp_servers",
    "context_management",
    "output_config",
    "cache_control",
    "inference_geo",
    "diagnostics",
    "speed",
    "user_profile_id",
    "workspace_id",
    "output_format",
];

const TOOL: &[&str] = &[
    "type",
    "name",
    "description",
    "input_schema",
    "cache_control",
    "strict",
    "eager_input_streaming",
    "allowed_callers",
    "defer_loading",
    "input_examples",
];

/// The least a thinking budget may be.
const LEAST_BUDGET: i64 = 1024;

pub(super) fn check(body: &Value) -> Checked<Heard> {
    let request = Object::of(body, "", MEMBERS)?;
    let limit =
        request.integer("max_tokens", 1, i64::MAX)?.ok_or_else(|| request.wrong("max_tokens", "field required"))?;
    let mut heard = Heard {
        model: request.text("model")?.to_owned(),
        stream: request.flag("stream")?,
        limit: Some(limit),
        stops: request.texts("stop_sequences", 8191)?,
        parallel: true,
        ..Heard::default()
    };
    if heard.stops.iter().any(|stop| stop.trim().is_empty()) {
        return Err(request.wrong("stop_sequences", "each stop sequence must contain non-whitespace"));
    }
    request.number("temperature", 0.0, 1.0)?;
    request.number("top_p", 0.0, 1.0)?;
    request.integer("top_k", 0, i64::MAX)?;
    if let Some(metadata) = request.get("metadata") {
        Object::of(metadata, "metadata", &["user_id"])?.maybe_text("user_id")?;
    }
    heard.system = system(&request)?;
    heard.words += words(&heard.system);
    tools(&request, &mut heard)?;
    output_config(&request, &mut heard)?;
    let thinking = thinking(&request, &heard, limit)?;
    heard.thinks = thinking != Thinking::Off;
    let turns = turns(request.full_list("messages")?, &mut heard)?;
    pairs(&turns)?;
    match (thinking, turns.as_slice()) {
        (Thinking::Budget, [.., before, last]) if last.is_result_turn() && !before.starts_with_thinking() => {
            let why = "expected `thinking` or `redacted_thinking`, but found `tool_use`: when `thinking` is enabled, a \
                       final `assistant` message must start with a thinking block";
            Err(wrong("messages", why))
        }
        _ => Ok(heard),
    }
}

fn system(request: &Object) -> Checked<String> {
    match request.get("system") {
        None => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(_) => {
            let mut texts = Vec::new();
            for (index, block) in request.list("system")?.iter().enumerate() {
                let block =
                    Object::of(block, &format!("system.{index}"), &["type", "text", "cache_control", "citations"])?;
                block.word("type", &["text"])?.ok_or_else(|| block.wrong("type", "field required"))?;
                texts.push(full_text(&block)?);
            }
            Ok(texts.join("\n"))
        }
    }
}

/// The text of a block, which must have some.
pub(super) fn full_text<'a>(block: &Object<'a>) -> Checked<&'a str> {
    match block.text("text")? {
        "" => Err(block.wrong("text", "text content blocks must be non-empty")),
        text => Ok(text),
    }
}

fn tools(request: &Object, heard: &mut Heard) -> Checked<()> {
    for (index, value) in request.list("tools")?.iter().enumerate() {
        let place = format!("tools.{index}");
        if Object::any(value, &place)?.maybe_text("type")?.is_some_and(|kind| kind != "custom") {
            // A tool of the provider's own: nothing the persona would call.
            continue;
        }
        let tool = Object::of(value, &place, TOOL)?;
        let name = tool.text("name")?;
        function_name(name, &tool.at("name"), Dialect::Messages)?;
        tool.maybe_text("description")?;
        let schema = tool.need("input_schema")?;
        json_schema(schema, &tool.at("input_schema"))?;
        if schema.get("type") != Some(&Value::from("object")) {
            return Err(tool.wrong("input_schema.type", "must be \"object\""));
        }
        if tool.flag("strict")? {
            closed_schema(schema, &tool.at("input_schema"))?;
        }
        heard.tools.push((name.to_owned(), schema.clone()));
    }
    let Some(choice) = request.get("tool_choice") else { return Ok(()) };
    let choice = Object::of(choice, "tool_choice", &["type", "name", "disable_parallel_tool_use"])?;
    if heard.tools.is_empty() {
        return Err(request.wrong("tool_choice", "may only be specified while providing tools"));
    }
    heard.parallel = !choice.flag("disable_parallel_tool_use")?;
    heard.choice = match choice.word("type", &["auto", "any", "tool", "none"])? {
        None => return Err(choice.wrong("type", "field required")),
        Some("any") => Choice::Any,
        Some("none") => Choice::None,
        Some("tool") => {
            let name = choice.text("name")?;
            if !heard.tools.iter().any(|(tool, _)| tool == name) {
                return Err(choice.wrong("name", format!("tool '{name}' not found in provided tools")));
            }
            Choice::Tool(name.to_owned())
        }
        Some(_) => Choice::Auto,
    };
    Ok(())
}

fn output_config(request: &Object, heard: &mut Heard) -> Checked<()> {
    // `output_format` is its name from before the feature was general.
    let mut format = request.get("output_format");
    if let Some(config) = request.get("output_config") {
        let config = Object::of(config, "output_config", &["format", "effort", "task_budget"])?;
        config.word("effort", &["low", "medium", "high", "xhigh", "max"])?;
        format = config.get("format").or(format);
    }
    let Some(format) = format else { return Ok(()) };
    let format = Object::of(format, "output_config.format", &["type", "schema"])?;
    format.word("type", &["json_schema"])?.ok_or_else(|| format.wrong("type", "field required"))?;
    let schema = format.need("schema")?;
    json_schema(schema, &format.at("schema"))?;
    closed_schema(schema, &format.at("schema"))?;
    heard.schema = Some(schema.clone());
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Thinking {
    Off,
    /// The model decides; the older rules do not hold.
    Adaptive,
    /// With a budget, and with its rules.
    Budget,
}

fn thinking(request: &Object, heard: &Heard, limit: i64) -> Checked<Thinking> {
    let Some(thinking) = request.get("thinking") else { return Ok(Thinking::Off) };
    let thinking = Object::of(thinking, "thinking", &["type", "budget_tokens", "display"])?;
    match thinking.word("type", &["enabled", "disabled", "adaptive"])? {
        None => return Err(thinking.wrong("type", "field required")),
        Some("disabled") => return Ok(Thinking::Off),
        Some("adaptive") => return Ok(Thinking::Adaptive),
        Some(_) => {
            let budget = thinking.integer("budget_tokens", LEAST_BUDGET, i64::MAX)?;
            let budget = budget.ok_or_else(|| thinking.wrong("budget_tokens", "field required"))?;
            if budget >= limit {
                return Err(request.wrong("max_tokens", "must be greater than `thinking.budget_tokens`"));
            }
        }
    }
    if request.number("temperature", 0.0, 1.0)?.is_some_and(|temperature| temperature != 1.0) {
        return Err(request.wrong("temperature", "may only be set to 1 when thinking is enabled"));
    }
    if request.get("top_k").is_some() {
        return Err(request.wrong("top_k", "must be unset when thinking is enabled"));
    }
    match heard.choice {
        Choice::Any | Choice::Tool(_) => {
            Err(request.wrong("tool_choice", "thinking may not be enabled when tool_choice forces tool use"))
        }
        _ => Ok(Thinking::Budget),
    }
}
