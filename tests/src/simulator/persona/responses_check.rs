//! Reading an OpenAI responses request as strictly as OpenAI does.

use serde_json::Value;

use super::Dialect;
use super::answer::{Heard, words};
use super::responses::ID;
use super::responses_items::Input;
use super::responses_tools::{Offered, Tools};
use super::shape::{Checked, Object, closed_schema, function_name, json_schema};

const MEMBERS: &[&str] = &[
    "access_programs",
    "background",
    "client_metadata",
    "context_management",
    "conversation",
    "include",
    "input",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "model",
    "moderation",
    "parallel_tool_calls",
    "previous_response_id",
    "prompt",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning",
    "safety_identifier",
    "service_tier",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
];

const INCLUDABLE: &[&str] = &[
    "code_interpreter_call.outputs",
    "computer_call_output.output.image_url",
    "file_search_call.results",
    "message.input_image.image_url",
    "message.output_text.logprobs",
    "reasoning.encrypted_content",
    "web_search_call.action.sources",
    "web_search_call.results",
];

/// The fewest tokens an answer can be limited to.
const LEAST_LIMIT: i64 = 16;

/// What a request asks, and what only this dialect's answer needs of it.
pub(super) struct Asked {
    pub heard: Heard,
    /// The tools in the order of `heard.tools`.
    pub offered: Vec<Offered>,
    /// Whether its thoughts are summed up for the client.
    pub shown: bool,
    /// Whether its thoughts are handed out encrypted, to be handed in again.
    pub sealed: bool,
}

pub(super) fn check(body: &Value) -> Checked<Asked> {
    let request = Object::of(body, "", MEMBERS)?;
    let mut heard = Heard {
        model: request.text("model")?.to_owned(),
        stream: request.flag("stream")?,
        parallel: !request.has("parallel_tool_calls") || request.flag("parallel_tool_calls")?,
        limit: request.integer("max_output_tokens", LEAST_LIMIT, i64::MAX)?,
        ..Heard::default()
    };
    sampling(&request)?;
    state(&request)?;
    let (thinks, shown) = reasoning(&request)?;
    heard.thinks = thinks;
    let include = request.texts("include", INCLUDABLE.len())?;
    if let Some(stranger) = include.iter().find(|word| !INCLUDABLE.contains(&word.as_str())) {
        return Err(request.wrong("include", format!("invalid value: '{stranger}'")));
    }
    if let Some(instructions) = request.maybe_text("instructions")? {
        instructions.clone_into(&mut heard.system);
        heard.words += words(instructions);
    }
    text(&request, &mut heard)?;
    let mut tools = Tools::default();
    tools.list(&request, "tools")?;
    Input::new(&mut heard, &mut tools).read(request.need("input")?)?;
    heard.choice = tools.choice(&request)?;
    let (offered, schemas) = tools.take();
    heard.tools = offered.iter().map(Offered::key).zip(schemas).collect();
    Ok(Asked { heard, offered, shown, sealed: include.iter().any(|word| word == "reasoning.encrypted_content") })
}

fn sampling(request: &Object) -> Checked<()> {
    request.number("temperature", 0.0, 2.0)?;
    request.number("top_p", 0.0, 1.0)?;
    request.integer("top_logprobs", 0, 20)?;
    request.integer("max_tool_calls", 1, i64::MAX)?;
    request.word("truncation", &["auto", "disabled"])?;
    request.word("service_tier", &["auto", "default", "flex", "priority", "scale", "fast"])?;
    request.flag("store")?;
    request.maybe_text("user")?;
    request.maybe_text("prompt_cache_key")?;
    if let Some(options) = request.get("stream_options") {
        if !request.flag("stream")? {
            return Err(request.wrong("stream_options", "only allowed when 'stream' is enabled"));
        }
        Object::of(options, "stream_options", &["include_obfuscation"])?.flag("include_obfuscation")?;
    }
    match request.get("metadata") {
        Some(Value::Object(members)) if members.values().all(Value::is_string) => Ok(()),
        None => Ok(()),
        Some(_) => Err(request.wrong("metadata", "must be an object of strings")),
    }
}

/// Only an answer can be gone on from, which all have one name; nothing else is kept.
fn state(request: &Object) -> Checked<()> {
    if let Some(id) = request.maybe_text("previous_response_id")?.filter(|id| *id != ID) {
        return Err(request.wrong("previous_response_id", format!("previous response with id '{id}' not found")));
    }
    for name in ["conversation", "prompt"] {
        if request.get(name).is_some() {
            return Err(request.wrong(name, "not found"));
        }
    }
    match request.flag("background")? {
        true => Err(request.wrong("background", "the simulator answers at once")),
        false => Ok(()),
    }
}

/// Whether it thinks, and whether the client sees what.
fn reasoning(request: &Object) -> Checked<(bool, bool)> {
    let Some(reasoning) = request.get("reasoning") else { return Ok((false, false)) };
    let allowed = ["effort", "summary", "generate_summary", "context", "encrypted_content", "mode"];
    let reasoning = Object::of(reasoning, "reasoning", &allowed)?;
    let efforts = ["none", "minimal", "low", "medium", "high", "xhigh", "max"];
    let effort = reasoning.word("effort", &efforts)?;
    let summary = reasoning.word("summary", &["auto", "concise", "detailed", "none"])?;
    let shown = summary.is_some_and(|word| word != "none");
    let thinks = effort.map_or(shown, |word| word != "none");
    Ok((thinks, thinks && shown))
}

fn text(request: &Object, heard: &mut Heard) -> Checked<()> {
    let Some(text) = request.get("text") else { return Ok(()) };
    let text = Object::of(text, "text", &["format", "verbosity"])?;
    text.word("verbosity", &["low", "medium", "high"])?;
    let Some(format) = text.get("format") else { return Ok(()) };
    let format = Object::of(format, "text.format", &["type", "name", "description", "schema", "strict"])?;
    match format.word("type", &["text", "json_object", "json_schema"])? {
        None => return Err(format.wrong("type", "missing required parameter")),
        Some("json_object") => heard.schema = Some(Value::Null),
        Some("json_schema") => {
            function_name(format.text("name")?, &format.at("name"), Dialect::Responses)?;
            let schema = format.need("schema")?;
            json_schema(schema, &format.at("schema"))?;
            if format.flag("strict")? {
                closed_schema(schema, &format.at("schema"))?;
            }
            heard.schema = Some(schema.clone());
        }
        Some(_) => {}
    }
    Ok(())
}
