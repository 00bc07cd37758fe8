//! The input of an OpenAI responses request: items of one level, and which output belongs to which call.

use serde_json::Value;

use super::Dialect;
use super::answer::{Heard, words};
use super::responses::unsealed;
use super::responses_tools::Tools;
use super::shape::{Checked, Object, base64, function_name, wrong};

/// The longest id of a call.
const LONGEST_ID: usize = 64;

/// Items of tools the provider ran itself, which its clients hand back as they are.
const OWN: [&str; 9] = [
    "code_interpreter_call",
    "compaction",
    "computer_call",
    "file_search_call",
    "image_generation_call",
    "local_shell_call",
    "mcp_call",
    "mcp_list_tools",
    "web_search_call",
];

/// What the items before said, as far as it matters for the next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Else,
    /// A thought, which wants something of the model's behind it.
    Thought,
    Output,
}

/// Reads the input into what was heard.
pub(super) struct Input<'a> {
    heard: &'a mut Heard,
    tools: &'a mut Tools,
    /// Calls that have no output yet.
    open: Vec<String>,
    before: Before,
}

impl<'a> Input<'a> {
    pub(super) fn new(heard: &'a mut Heard, tools: &'a mut Tools) -> Self {
        Self { heard, tools, open: Vec::new(), before: Before::Else }
    }

    pub(super) fn read(mut self, input: &Value) -> Checked<()> {
        if let Some(text) = input.as_str() {
            self.user(text, 0);
            return Ok(());
        }
        let items = input.as_array().ok_or_else(|| wrong("input", "must be a string or an array"))?;
        if items.is_empty() {
            return Err(wrong("input", "must not be empty"));
        }
        for (index, item) in items.iter().enumerate() {
            let place = format!("input[{index}]");
            let any = Object::any(item, &place)?;
            let kind = any.maybe_text("type")?.unwrap_or("message");
            self.order(kind, any.maybe_text("role")?, &place)?;
            self.item(item, kind, &place)?;
        }
        if self.before == Before::Thought {
            return Err(wrong("input", "a 'reasoning' item was provided without its required following item"));
        }
        match self.open.first() {
            Some(id) => Err(wrong("input", format!("no tool output found for function call {id}"))),
            None => Ok(()),
        }
    }

    /// A thought belongs to what the model said or called right behind it.
    fn order(&mut self, kind: &str, role: Option<&str>, place: &str) -> Checked<()> {
        let by_model = kind.ends_with("_call") || kind == "reasoning" || role == Some("assistant");
        if self.before == Before::Thought && !by_model {
            return Err(wrong(place, "a 'reasoning' item was provided without its required following item"));
        }
        if self.before == Before::Output && by_model {
            self.heard.tool_results.clear();
        }
        self.before = match kind {
            "reasoning" => Before::Thought,
            kind if kind.ends_with("_output") => Before::Output,
            _ => Before::Else,
        };
        Ok(())
    }

    fn item(&mut self, item: &Value, kind: &str, place: &str) -> Checked<()> {
        match kind {
            "message" => self.message(item, place),
            "function_call" | "custom_tool_call" => self.call(item, kind, place),
            "function_call_output" | "custom_tool_call_output" => self.output(item, place),
            "reasoning" => thought(item, place),
            "additional_tools" => {
                let item = Object::of(item, place, &["type", "id", "role", "tools"])?;
                self.tools.list(&item, "tools")
            }
            "item_reference" => {
                let id = Object::of(item, place, &["type", "id"])?.text("id")?;
                let why = "items are not persisted when `store` is set to false";
                Err(wrong(place, format!("item with id '{id}' not found: {why}")))
            }
            own if OWN.contains(&own) => Ok(()),
            stranger => Err(wrong(&format!("{place}.type"), format!("invalid value: '{stranger}'"))),
        }
    }

    fn message(&mut self, item: &Value, place: &str) -> Checked<()> {
        let allowed = ["type", "id", "role", "content", "status", "phase", "namespace"];
        let message = Object::of(item, place, &allowed)?;
        let role = message.word("role", &["user", "assistant", "system", "developer"])?;
        let role = role.ok_or_else(|| message.wrong("role", "missing required parameter"))?;
        let kinds: &[&str] = match role {
            "assistant" => {
                own_id(&message, "msg")?;
                &["output_text", "refusal"]
            }
            _ => &["input_text", "input_image", "input_file", "input_audio"],
        };
        message.need("content")?;
        let (text, images) = content(&message, "content", kinds)?;
        match role {
            "user" => self.user(&text, images),
            "assistant" => {
                self.heard.words += words(&text);
                self.heard.tool_results.clear();
            }
            _ => {
                self.heard.words += words(&text);
                if !self.heard.system.is_empty() {
                    self.heard.system.push('\n');
                }
                self.heard.system.push_str(&text);
            }
        }
        Ok(())
    }

    fn user(&mut self, text: &str, images: usize) {
        self.heard.words += words(text);
        text.clone_into(&mut self.heard.last_text);
        self.heard.images = images;
        self.heard.tool_results.clear();
    }

    fn call(&mut self, item: &Value, kind: &str, place: &str) -> Checked<()> {
        let allowed = ["type", "id", "call_id", "name", "namespace", "status", "arguments", "input", "caller"];
        let call = Object::of(item, place, &allowed)?;
        let (prefix, said) = if kind == "function_call" { ("fc", "arguments") } else { ("ctc", "input") };
        own_id(&call, prefix)?;
        function_name(call.text("name")?, &call.at("name"), Dialect::Responses)?;
        let text = call.text(said)?;
        if kind == "function_call" {
            serde_json::from_str::<Value>(text).map_err(|_| call.wrong(said, "is no JSON"))?;
        }
        self.heard.words += words(text);
        let id = call_id(&call)?;
        if self.open.contains(&id) {
            return Err(call.wrong("call_id", "used twice"));
        }
        self.open.push(id);
        Ok(())
    }

    fn output(&mut self, item: &Value, place: &str) -> Checked<()> {
        let allowed = ["type", "id", "call_id", "output", "status", "name", "namespace", "caller"];
        let output = Object::of(item, place, &allowed)?;
        let id = call_id(&output)?;
        let Some(known) = self.open.iter().position(|open| *open == id) else {
            return Err(
                output.wrong("call_id", format!("no tool call found for function call output with call_id {id}"))
            );
        };
        self.open.remove(known);
        output.need("output")?;
        let (text, _) = content(&output, "output", &["input_text", "input_image", "input_file"])?;
        self.heard.words += words(&text);
        self.heard.tool_results.push(text);
        Ok(())
    }
}

/// An id of the provider's own making begins with its kind.
fn own_id(item: &Object, prefix: &str) -> Checked<()> {
    match item.maybe_text("id")? {
        Some(id) if !id.starts_with(prefix) => {
            Err(item.wrong("id", format!("invalid '{id}': expected an ID that begins with '{prefix}'")))
        }
        _ => Ok(()),
    }
}

fn call_id(item: &Object) -> Checked<String> {
    let id = item.text("call_id")?;
    match (1..=LONGEST_ID).contains(&id.len()) {
        true => Ok(id.to_owned()),
        false => Err(item.wrong("call_id", "string too long: expected a string with maximum length 64")),
    }
}

/// A thought handed back must be one the persona handed out.
fn thought(item: &Value, place: &str) -> Checked<()> {
    let thought = Object::of(item, place, &["type", "id", "summary", "content", "encrypted_content", "status"])?;
    own_id(&thought, "rs")?;
    thought.need("summary")?;
    for (index, part) in thought.list("summary")?.iter().enumerate() {
        Object::of(part, &format!("{place}.summary[{index}]"), &["type", "text"])?.text("text")?;
    }
    match thought.maybe_text("encrypted_content")? {
        Some(seal) if !unsealed(seal) => {
            Err(thought.wrong("encrypted_content", "the encrypted content could not be verified"))
        }
        Some(_) => Ok(()),
        // The persona keeps nothing, so the thought alone is nothing to it.
        None => Err(thought.wrong("id", "item not found: items are not persisted when `store` is set to false")),
    }
}

/// The text and the number of images of a content, each part checked.
fn content(item: &Object, member: &str, kinds: &[&str]) -> Checked<(String, usize)> {
    if let Some(text) = item.get(member).and_then(Value::as_str) {
        return Ok((text.to_owned(), 0));
    }
    let (mut texts, mut images) = (Vec::new(), 0);
    for (index, value) in item.list(member)?.iter().enumerate() {
        let place = format!("{}[{index}]", item.at(member));
        let part = Object::any(value, &place)?;
        match part.word("type", kinds)?.ok_or_else(|| part.wrong("type", "missing required parameter"))? {
            "input_text" => {
                texts.push(
                    Object::of(value, &place, &["type", "text", "prompt_cache_breakpoint"])?.text("text")?.to_owned(),
                );
            }
            "output_text" => {
                let allowed = ["type", "text", "annotations", "logprobs"];
                texts.push(Object::of(value, &place, &allowed)?.text("text")?.to_owned());
            }
            "refusal" => texts.push(Object::of(value, &place, &["type", "refusal"])?.text("refusal")?.to_owned()),
            "input_image" => {
                image(value, &place)?;
                images += 1;
            }
            "input_file" => file(value, &place)?,
            _ => {}
        }
    }
    Ok((texts.join("\n"), images))
}

fn image(value: &Value, place: &str) -> Checked<()> {
    let allowed = ["type", "image_url", "file_id", "detail", "prompt_cache_breakpoint"];
    let image = Object::of(value, place, &allowed)?;
    image.word("detail", &["auto", "low", "high", "original"])?;
    match (image.maybe_text("image_url")?, image.maybe_text("file_id")?) {
        (None, Some(_)) => Ok(()),
        (Some(url), None) => match url.strip_prefix("data:image/").map(|rest| rest.split_once(";base64,")) {
            Some(Some((_, data))) => base64(data, &image.at("image_url")),
            Some(None) => Err(image.wrong("image_url", "a data URL must be base64")),
            None if url.starts_with("https://") || url.starts_with("http://") => Ok(()),
            None => Err(image.wrong("image_url", "neither a data URL of an image nor http(s)")),
        },
        _ => Err(wrong(place, "one of 'image_url' and 'file_id'")),
    }
}

fn file(value: &Value, place: &str) -> Checked<()> {
    let allowed = ["type", "file_data", "file_id", "file_url", "filename", "detail", "prompt_cache_breakpoint"];
    let file = Object::of(value, place, &allowed)?;
    let given = ["file_data", "file_id", "file_url"].into_iter().filter(|name| file.get(name).is_some()).count();
    match (given, file.maybe_text("file_data")?) {
        (1, Some(data)) if !data.starts_with("data:") => Err(file.wrong("file_data", "must be a data URL")),
        (1, _) => Ok(()),
        _ => Err(wrong(place, "one of 'file_data', 'file_id' and 'file_url'")),
    }
}
