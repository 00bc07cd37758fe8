//! Reading a Cohere chat v2 request as strictly as Cohere does.

use serde_json::Value;

use super::Dialect;
use super::answer::{Choice, Heard, words};
use super::shape::{Checked, Object, base64, function_name, json_schema, wrong};

const MEMBERS: &[&str] = &[
    "model",
    "messages",
    "stream",
    "tools",
    "strict_tools",
    "tool_choice",
    "documents",
    "citation_options",
    "response_format",
    "safety_mode",
    "max_tokens",
    "stop_sequences",
    "temperature",
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "k",
    "p",
    "logprobs",
    "thinking",
    "priority",
];

pub(super) fn check(body: &Value) -> Checked<Heard> {
    let request = Object::of(body, "", MEMBERS)?;
    let mut heard = Heard {
        model: request.text("model")?.to_owned(),
        stream: request.flag("stream")?,
        parallel: true,
        stops: request.texts("stop_sequences", 5)?,
        limit: request.integer("max_tokens", 0, i64::MAX)?,
        ..Heard::default()
    };
    sampling(&request)?;
    heard.thinks = thinks(&request)?;
    tools(&request, &mut heard)?;
    response_format(&request, &mut heard)?;
    Conversation { heard: &mut heard, open: Vec::new() }.read(request.full_list("messages")?)?;
    Ok(heard)
}

fn sampling(request: &Object) -> Checked<()> {
    request.number("temperature", 0.0, 1.0)?;
    request.number("p", 0.01, 0.99)?;
    request.integer("k", 0, 500)?;
    request.integer("seed", 0, i64::MAX)?;
    request.flag("logprobs")?;
    let penalty = |name: &str| Ok(request.number(name, 0.0, 1.0)?.is_some_and(|number| number > 0.0));
    match penalty("frequency_penalty")? && penalty("presence_penalty")? {
        true => Err(request.wrong("presence_penalty", "not together with frequency_penalty")),
        false => Ok(()),
    }
}

fn thinks(request: &Object) -> Checked<bool> {
    let Some(thinking) = request.get("thinking") else { return Ok(false) };
    let thinking = Object::of(thinking, "thinking", &["type", "token_budget"])?;
    thinking.integer("token_budget", 1, i64::MAX)?;
    match thinking.word("type", &["enabled", "disabled"])? {
        None => Err(thinking.wrong("type", "field required")),
        Some(word) => Ok(word == "enabled"),
    }
}

fn tools(request: &Object, heard: &mut Heard) -> Checked<()> {
    let strict = request.flag("strict_tools")?;
    for (index, tool) in request.list("tools")?.iter().enumerate() {
        let tool = Object::of(tool, &format!("tools[{index}]"), &["type", "function"])?;
        tool.word("type", &["function"])?.ok_or_else(|| tool.wrong("type", "field required"))?;
        let function =
            Object::of(tool.need("function")?, &tool.at("function"), &["name", "description", "parameters"])?;
        let name = function.text("name")?;
        function_name(name, &function.at("name"), Dialect::ChatV2)?;
        function.maybe_text("description")?;
        let schema = function.need("parameters")?;
        json_schema(schema, &function.at("parameters"))?;
        let demands = schema.get("required").and_then(Value::as_array).is_some_and(|names| !names.is_empty());
        if strict && !demands {
            return Err(function.wrong("parameters", "strict tools need at least one required parameter"));
        }
        heard.tools.push((name.to_owned(), schema.clone()));
    }
    heard.choice = match request.word("tool_choice", &["REQUIRED", "NONE"])? {
        Some(_) if heard.tools.is_empty() => return Err(request.wrong("tool_choice", "no tools are given")),
        Some("REQUIRED") => Choice::Any,
        Some(_) => Choice::None,
        None => Choice::Auto,
    };
    Ok(())
}

fn response_format(request: &Object, heard: &mut Heard) -> Checked<()> {
    let Some(format) = request.get("response_format") else { return Ok(()) };
    let format = Object::of(format, "response_format", &["type", "json_schema", "schema"])?;
    if format.word("type", &["text", "json_object"])?.ok_or_else(|| format.wrong("type", "field required"))? == "text" {
        return Ok(());
    }
    if !heard.tools.is_empty() {
        return Err(request.wrong("response_format", "`json_object` is not supported together with tools"));
    }
    heard.schema = Some(match format.get("json_schema").or(format.get("schema")) {
        None => Value::Null,
        Some(schema) => {
            json_schema(schema, &format.at("json_schema"))?;
            if schema.get("type") != Some(&Value::from("object")) {
                return Err(format.wrong("json_schema", "the top level must be an object"));
            }
            schema.clone()
        }
    });
    Ok(())
}

struct Conversation<'a> {
    heard: &'a mut Heard,
    /// Calls of the last assistant message that have no answer yet.
    open: Vec<String>,
}

impl Conversation<'_> {
    fn read(mut self, messages: &[Value]) -> Checked<()> {
        for (index, message) in messages.iter().enumerate() {
            let place = format!("messages[{index}]");
            let role = Object::any(message, &place)?.text("role")?;
            if role != "tool" {
                self.all_answered(&place)?;
            }
            match role {
                "system" => self.system(message, &place)?,
                "user" => self.user(message, &place)?,
                "assistant" => self.assistant(message, &place)?,
                "tool" => self.tool(message, &place)?,
                role => return Err(wrong(&place, format!("`{role}` is no role"))),
            }
        }
        self.all_answered("messages")
    }

    fn all_answered(&self, place: &str) -> Checked<()> {
        match self.open.first() {
            None => Ok(()),
            Some(id) => Err(wrong(place, format!("the tool call `{id}` has no tool message behind it"))),
        }
    }

    fn system(&mut self, message: &Value, place: &str) -> Checked<()> {
        let message = Object::of(message, place, &["role", "content"])?;
        let (text, _) = content(&message, &["text"])?;
        self.heard.words += words(&text);
        if !self.heard.system.is_empty() {
            self.heard.system.push('\n');
        }
        self.heard.system.push_str(&text);
        Ok(())
    }

    fn user(&mut self, message: &Value, place: &str) -> Checked<()> {
        let message = Object::of(message, place, &["role", "content"])?;
        let (text, images) = content(&message, &["text", "image_url"])?;
        self.heard.words += words(&text);
        self.heard.last_text = text;
        self.heard.images = images;
        self.heard.tool_results.clear();
        Ok(())
    }

    fn assistant(&mut self, message: &Value, place: &str) -> Checked<()> {
        let message = Object::of(message, place, &["role", "content", "tool_calls", "tool_plan", "citations"])?;
        self.heard.tool_results.clear();
        if let Some(plan) = message.maybe_text("tool_plan")? {
            self.heard.words += words(plan);
        }
        if message.get("content").is_some() {
            self.heard.words += words(&content(&message, &["text", "thinking"])?.0);
        } else if message.get("tool_calls").is_none() {
            return Err(message.wrong("content", "required without tool_calls"));
        }
        for (index, call) in message.list("tool_calls")?.iter().enumerate() {
            let call = Object::of(call, &format!("{place}.tool_calls[{index}]"), &["id", "type", "function"])?;
            call.word("type", &["function"])?.ok_or_else(|| call.wrong("type", "field required"))?;
            let function = Object::of(call.need("function")?, &call.at("function"), &["name", "arguments"])?;
            function_name(function.text("name")?, &function.at("name"), Dialect::ChatV2)?;
            let arguments = function.text("arguments")?;
            serde_json::from_str::<Value>(arguments).map_err(|_| function.wrong("arguments", "is no JSON"))?;
            self.heard.words += words(arguments);
            self.open.push(call.text("id")?.to_owned());
        }
        Ok(())
    }

    fn tool(&mut self, message: &Value, place: &str) -> Checked<()> {
        let message = Object::of(message, place, &["role", "content", "tool_call_id"])?;
        let id = message.text("tool_call_id")?;
        let Some(known) = self.open.iter().position(|open| open == id) else {
            return Err(message.wrong("tool_call_id", format!("no preceding tool call has the id `{id}`")));
        };
        self.open.remove(known);
        let (text, _) = content(&message, &["text", "document"])?;
        self.heard.words += words(&text);
        self.heard.tool_results.push(text);
        Ok(())
    }
}

/// The text and the number of images of a message's content, every part checked. Nothing may be empty.
fn content(message: &Object, allowed: &[&str]) -> Checked<(String, usize)> {
    match message.need("content")? {
        Value::String(text) if text.is_empty() => Err(message.wrong("content", "must be at least 1 token long")),
        Value::String(text) => Ok((text.clone(), 0)),
        _ => {
            let (mut texts, mut images) = (Vec::new(), 0);
            for (index, value) in message.full_list("content")?.iter().enumerate() {
                let place = format!("{}[{index}]", message.at("content"));
                let part = Object::any(value, &place)?;
                match part.word("type", allowed)?.ok_or_else(|| part.wrong("type", "field required"))? {
                    "text" => texts.push(Object::of(value, &place, &["type", "text"])?.text("text")?.to_owned()),
                    "thinking" => {
                        Object::of(value, &place, &["type", "thinking"])?.text("thinking")?;
                    }
                    "image_url" => {
                        image(value, &place)?;
                        images += 1;
                    }
                    _ => texts.push(document(value, &place)?),
                }
            }
            Ok((texts.join("\n"), images))
        }
    }
}

fn document(value: &Value, place: &str) -> Checked<String> {
    let part = Object::of(value, place, &["type", "document"])?;
    let document = Object::of(part.need("document")?, &part.at("document"), &["id", "data"])?;
    Ok(match document.need("data")? {
        Value::String(text) => text.clone(),
        data => data.to_string(),
    })
}

fn image(value: &Value, place: &str) -> Checked<()> {
    let part = Object::of(value, place, &["type", "image_url"])?;
    let image = Object::of(part.need("image_url")?, &part.at("image_url"), &["url", "detail"])?;
    image.word("detail", &["auto", "low", "high"])?;
    let url = image.text("url")?;
    match url.strip_prefix("data:image/").map(|rest| rest.split_once(";base64,")) {
        Some(Some((_, data))) => base64(data, &image.at("url")),
        None if url.starts_with("https://") || url.starts_with("http://") => Ok(()),
        _ => Err(image.wrong("url", "neither a data URL of an image in base64 nor http(s)")),
    }
}
