//! Reading an OpenAI chat completions request as strictly as OpenAI does.

use serde_json::Value;

use super::Dialect;
use super::answer::{Choice, Heard, words};
use super::shape::{Checked, Object, base64, closed_schema, function_name, json_schema, wrong};

const MEMBERS: &[&str] = &[
    "model",
    "messages",
    "stream",
    "stream_options",
    "temperature",
    "top_p",
    "n",
    "stop",
    "max_tokens",
    "max_completion_tokens",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "user",
    "seed",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "response_format",
    "reasoning_effort",
    "metadata",
    "store",
    "service_tier",
    "modalities",
    "prediction",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_retention",
    "verbosity",
    "web_search_options",
    "audio",
    "functions",
    "function_call",
    "moderation",
    "prompt_cache_options",
];

/// What a request asks, and whether its stream shall end with usage.
pub(super) struct Asked {
    pub heard: Heard,
    pub include_usage: bool,
}

pub(super) fn check(body: &Value) -> Checked<Asked> {
    let request = Object::of(body, "", MEMBERS)?;
    let mut heard = Heard {
        model: request.text("model")?.to_owned(),
        stream: request.flag("stream")?,
        parallel: !request.has("parallel_tool_calls") || request.flag("parallel_tool_calls")?,
        ..Heard::default()
    };
    heard.stops = match request.get("stop") {
        Some(Value::String(stop)) => vec![stop.clone()],
        _ => request.texts("stop", 4)?,
    };
    sampling(&request)?;
    heard.limit = limit(&request)?;
    heard.thinks = request
        .word("reasoning_effort", &["none", "minimal", "low", "medium", "high", "xhigh"])?
        .is_some_and(|effort| effort != "none");
    let include_usage = stream_options(&request, heard.stream)?;
    tools(&request, &mut heard)?;
    response_format(&request, &mut heard)?;
    Conversation { heard: &mut heard, open_calls: Vec::new() }.read(request.full_list("messages")?)?;
    Ok(Asked { heard, include_usage })
}

fn sampling(request: &Object) -> Checked<()> {
    request.number("temperature", 0.0, 2.0)?;
    request.number("top_p", 0.0, 1.0)?;
    request.number("presence_penalty", -2.0, 2.0)?;
    request.number("frequency_penalty", -2.0, 2.0)?;
    request.integer("seed", i64::MIN, i64::MAX)?;
    request.integer("top_logprobs", 0, 20)?;
    request.flag("logprobs")?;
    request.flag("store")?;
    request.maybe_text("user")?;
    match request.integer("n", 1, 128)? {
        None | Some(1) => Ok(()),
        Some(_) => Err(request.wrong("n", "the simulator gives one choice")),
    }
}

fn limit(request: &Object) -> Checked<Option<i64>> {
    let old = request.integer("max_tokens", 1, i64::MAX)?;
    let new = request.integer("max_completion_tokens", 1, i64::MAX)?;
    match (old, new) {
        (Some(_), Some(_)) => Err(request.wrong("max_tokens", "not together with max_completion_tokens")),
        (old, new) => Ok(old.or(new)),
    }
}

fn stream_options(request: &Object, stream: bool) -> Checked<bool> {
    let Some(options) = request.get("stream_options") else { return Ok(false) };
    if !stream {
        return Err(request.wrong("stream_options", "only allowed when 'stream' is enabled"));
    }
    let options = Object::of(options, "stream_options", &["include_usage", "include_obfuscation"])?;
    options.flag("include_usage")
}

fn tools(request: &Object, heard: &mut Heard) -> Checked<()> {
    if request.get("tools").is_some() {
        request.full_list("tools")?;
    }
    for (index, tool) in request.list("tools")?.iter().enumerate() {
        let tool = Object::of(tool, &format!("tools[{index}]"), &["type", "function"])?;
        tool.word("type", &["function"])?.ok_or_else(|| tool.wrong("type", "field required"))?;
        let allowed = ["name", "description", "parameters", "strict"];
        let function = Object::of(tool.need("function")?, &tool.at("function"), &allowed)?;
        let name = function.text("name")?;
        function_name(name, &function.at("name"), Dialect::Chat)?;
        function.maybe_text("description")?;
        let schema = function.get("parameters").cloned().unwrap_or(Value::Null);
        if !schema.is_null() {
            json_schema(&schema, &function.at("parameters"))?;
        }
        if function.flag("strict")? {
            closed_schema(&schema, &function.at("parameters"))?;
        }
        heard.tools.push((name.to_owned(), schema));
    }
    if heard.tools.is_empty() {
        for name in ["tool_choice", "parallel_tool_calls"] {
            if request.get(name).is_some_and(|value| value != "none") {
                return Err(request.wrong(name, "only allowed when 'tools' are specified"));
            }
        }
    }
    heard.choice = choice(request, heard)?;
    Ok(())
}

fn choice(request: &Object, heard: &Heard) -> Checked<Choice> {
    match request.get("tool_choice") {
        None => Ok(Choice::Auto),
        Some(Value::String(_)) => Ok(match request.word("tool_choice", &["none", "auto", "required"])? {
            Some("none") => Choice::None,
            Some("required") => Choice::Any,
            _ => Choice::Auto,
        }),
        Some(named) => {
            let named = Object::of(named, "tool_choice", &["type", "function"])?;
            named.word("type", &["function"])?.ok_or_else(|| named.wrong("type", "field required"))?;
            let function = Object::of(named.need("function")?, "tool_choice.function", &["name"])?;
            let name = function.text("name")?;
            match heard.tools.iter().any(|(tool, _)| tool == name) {
                true => Ok(Choice::Tool(name.to_owned())),
                false => Err(function.wrong("name", format!("no tool is called `{name}`"))),
            }
        }
    }
}

fn response_format(request: &Object, heard: &mut Heard) -> Checked<()> {
    let Some(format) = request.get("response_format") else { return Ok(()) };
    let format = Object::of(format, "response_format", &["type", "json_schema"])?;
    match format.word("type", &["text", "json_object", "json_schema"])? {
        None => Err(format.wrong("type", "field required")),
        Some("json_object") => {
            heard.schema = Some(Value::Null);
            Ok(())
        }
        Some("json_schema") => {
            let allowed = ["name", "description", "schema", "strict"];
            let named = Object::of(format.need("json_schema")?, "response_format.json_schema", &allowed)?;
            function_name(named.text("name")?, &named.at("name"), Dialect::Chat)?;
            let schema = named.need("schema")?;
            json_schema(schema, &named.at("schema"))?;
            if named.flag("strict")? {
                closed_schema(schema, &named.at("schema"))?;
            }
            heard.schema = Some(schema.clone());
            Ok(())
        }
        Some(_) => Ok(()),
    }
}

struct Conversation<'a> {
    heard: &'a mut Heard,
    /// Calls of the last assistant message that have no answer yet.
    open_calls: Vec<String>,
}

impl Conversation<'_> {
    fn read(mut self, messages: &[Value]) -> Checked<()> {
        for (index, message) in messages.iter().enumerate() {
            let place = format!("messages[{index}]");
            let any = Object::any(message, &place)?;
            let role = any.text("role")?;
            if role != "tool" {
                self.all_answered(&place)?;
            }
            match role {
                "system" | "developer" => self.system(message, &place)?,
                "user" => self.user(message, &place)?,
                "assistant" => self.assistant(message, &place)?,
                "tool" => self.tool(message, &place)?,
                role => return Err(any.wrong("role", format!("`{role}` is no role"))),
            }
        }
        self.all_answered("messages")
    }

    fn all_answered(&self, place: &str) -> Checked<()> {
        match self.open_calls.as_slice() {
            [] => Ok(()),
            open => {
                let why = "an assistant message with 'tool_calls' must be followed by tool messages responding to each";
                Err(wrong(place, format!("{why} 'tool_call_id'; missing: {}", open.join(", "))))
            }
        }
    }

    fn system(&mut self, message: &Value, place: &str) -> Checked<()> {
        let message = Object::of(message, place, &["role", "content", "name"])?;
        let text = texts(&message, &["text"])?;
        self.heard.words += words(&text);
        if !self.heard.system.is_empty() {
            self.heard.system.push('\n');
        }
        self.heard.system.push_str(&text);
        Ok(())
    }

    fn user(&mut self, message: &Value, place: &str) -> Checked<()> {
        let message = Object::of(message, place, &["role", "content", "name"])?;
        message.need("content")?;
        let text = texts(&message, &["text", "image_url", "input_audio", "file"])?;
        let parts = message.get("content").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let images = parts.iter().filter(|part| part.get("type") == Some(&Value::from("image_url"))).count();
        self.heard.words += words(&text);
        self.heard.last_text = text;
        self.heard.images = images;
        self.heard.tool_results.clear();
        Ok(())
    }

    fn assistant(&mut self, message: &Value, place: &str) -> Checked<()> {
        let allowed = [
            "role",
            "content",
            "name",
            "tool_calls",
            "refusal",
            "audio",
            "annotations",
            "function_call",
            "reasoning_content",
            "parsed",
        ];
        let message = Object::of(message, place, &allowed)?;
        self.heard.words += words(&texts(&message, &["text", "refusal"])?);
        self.heard.tool_results.clear();
        if message.get("content").is_none() && message.get("tool_calls").is_none() {
            return Err(message.wrong("content", "required without tool_calls"));
        }
        if message.get("tool_calls").is_some() {
            message.full_list("tool_calls")?;
        }
        for (index, call) in message.list("tool_calls")?.iter().enumerate() {
            let allowed = ["id", "type", "function", "index"];
            let call = Object::of(call, &format!("{place}.tool_calls[{index}]"), &allowed)?;
            call.word("type", &["function"])?.ok_or_else(|| call.wrong("type", "field required"))?;
            let id = call.text("id")?.to_owned();
            if self.open_calls.contains(&id) {
                return Err(call.wrong("id", "used twice"));
            }
            let function = Object::of(call.need("function")?, &call.at("function"), &["name", "arguments"])?;
            function_name(function.text("name")?, &function.at("name"), Dialect::Chat)?;
            let arguments = function.text("arguments")?;
            serde_json::from_str::<Value>(arguments).map_err(|_| function.wrong("arguments", "is no JSON"))?;
            self.heard.words += words(arguments);
            self.open_calls.push(id);
        }
        Ok(())
    }

    fn tool(&mut self, message: &Value, place: &str) -> Checked<()> {
        let message = Object::of(message, place, &["role", "content", "tool_call_id", "name"])?;
        message.need("content")?;
        let id = message.text("tool_call_id")?;
        let Some(known) = self.open_calls.iter().position(|open| open == id) else {
            return Err(message.wrong("tool_call_id", format!("no preceding tool_calls has the id `{id}`")));
        };
        self.open_calls.remove(known);
        let text = texts(&message, &["text"])?;
        self.heard.words += words(&text);
        self.heard.tool_results.push(text);
        Ok(())
    }
}

/// The text of a message's content; every part checked, only these types allowed.
fn texts(message: &Object, allowed: &[&str]) -> Checked<String> {
    let Some(content) = message.get("content") else { return Ok(String::new()) };
    if let Some(text) = content.as_str() {
        return Ok(text.to_owned());
    }
    let mut texts = Vec::new();
    for (index, value) in message.list("content")?.iter().enumerate() {
        let place = format!("{}[{index}]", message.at("content"));
        let part = Object::any(value, &place)?;
        match part.word("type", allowed)?.ok_or_else(|| part.wrong("type", "field required"))? {
            "text" => texts.push(
                Object::of(value, &place, &["type", "text", "prompt_cache_breakpoint"])?.text("text")?.to_owned(),
            ),
            "refusal" => texts.push(Object::of(value, &place, &["type", "refusal"])?.text("refusal")?.to_owned()),
            "image_url" => image(value, &place)?,
            _ => {}
        }
    }
    Ok(texts.join("\n"))
}

fn image(part: &Value, place: &str) -> Checked<()> {
    let part = Object::of(part, place, &["type", "image_url"])?;
    let image = Object::of(part.need("image_url")?, &part.at("image_url"), &["url", "detail"])?;
    image.word("detail", &["auto", "low", "high"])?;
    let url = image.text("url")?;
    match url.strip_prefix("data:image/").map(|rest| rest.split_once(";base64,")) {
        Some(Some((_, data))) => base64(data, &image.at("url")),
        Some(None) => Err(image.wrong("url", "a data URL must be base64")),
        None if url.starts_with("https://") || url.starts_with("http://") => Ok(()),
        None => Err(image.wrong("url", "neither a data URL of an image nor http(s)")),
    }
}
