//! The conversation of an Anthropic messages request: its turns, their blocks, and which result belongs to which call.

use serde_json::Value;

use super::Dialect;
use super::answer::{Heard, words};
use super::messages::signature;
use super::messages_check::full_text;
use super::shape::{Checked, Object, base64, function_name, wrong};

/// One turn after neighbouring messages of one role were joined.
#[derive(Default)]
pub(super) struct Turn {
    assistant: bool,
    /// Block types in order.
    kinds: Vec<&'static str>,
    /// Ids of `tool_use` blocks.
    uses: Vec<String>,
    /// Ids of `tool_result` blocks.
    results: Vec<String>,
    texts: Vec<String>,
    result_texts: Vec<String>,
    images: usize,
}

impl Turn {
    pub(super) fn is_result_turn(&self) -> bool {
        !self.results.is_empty()
    }

    pub(super) fn starts_with_thinking(&self) -> bool {
        self.kinds.first() == Some(&"thinking")
    }
}

/// Reads the messages into turns, and into `heard` what was said in them.
pub(super) fn turns(messages: &[Value], heard: &mut Heard) -> Checked<Vec<Turn>> {
    let mut turns: Vec<Turn> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        let place = format!("messages.{index}");
        let message = Object::of(message, &place, &["role", "content"])?;
        let role = message.word("role", &["user", "assistant", "system"])?;
        let role = role.ok_or_else(|| message.wrong("role", "field required"))?;
        if role == "system" {
            later_system(&message, turns.is_empty(), heard)?;
            continue;
        }
        let assistant = role == "assistant";
        if turns.last().is_none_or(|turn| turn.assistant != assistant) {
            turns.push(Turn { assistant, ..Turn::default() });
        }
        let Some(turn) = turns.last_mut() else { continue };
        match message.need("content")? {
            Value::String(text) if text.is_empty() => return Err(message.wrong("content", "must be non-empty")),
            Value::String(text) => {
                heard.words += words(text);
                turn.kinds.push("text");
                turn.texts.push(text.clone());
            }
            _ => {
                for (index, block) in message.full_list("content")?.iter().enumerate() {
                    heard.words += self::block(block, &format!("{place}.content.{index}"), turn)?;
                }
            }
        }
    }
    if let Some(last) = turns.iter().rev().find(|turn| !turn.assistant) {
        heard.last_text = last.texts.join("\n");
        heard.images = last.images;
    }
    if let Some(last) = turns.last() {
        heard.tool_results.clone_from(&last.result_texts);
    }
    Ok(turns)
}

/// A system prompt between the turns; it can not be the first thing said.
fn later_system(message: &Object, first: bool, heard: &mut Heard) -> Checked<()> {
    if first {
        return Err(message.wrong("role", "the first message must not be `system`; use the top-level `system`"));
    }
    let content = message.need("content")?;
    let parts = content.as_array().map_or(&[][..], Vec::as_slice);
    let texts = parts.iter().filter_map(|part| part.get("text")?.as_str()).chain(content.as_str());
    for text in texts {
        heard.words += words(text);
        heard.system = format!("{}\n{text}", heard.system).trim_start().to_owned();
    }
    Ok(())
}

/// Checks one content block and returns its words.
fn block(value: &Value, place: &str, turn: &mut Turn) -> Checked<u64> {
    let any = Object::any(value, place)?;
    let allowed: &[&str] = match turn.assistant {
        true => &["text", "tool_use", "thinking", "redacted_thinking"],
        false => &["text", "image", "document", "tool_result"],
    };
    let kind = any.word("type", allowed)?.ok_or_else(|| any.wrong("type", "field required"))?;
    let mut said = String::new();
    match kind {
        "text" => {
            let block = Object::of(value, place, &["type", "text", "cache_control", "citations"])?;
            said = full_text(&block)?.to_owned();
            turn.texts.push(said.clone());
            turn.kinds.push("text");
        }
        "image" => {
            image(value, place)?;
            turn.images += 1;
            turn.kinds.push("image");
        }
        "tool_use" => {
            let block =
                Object::of(value, place, &["type", "id", "name", "input", "cache_control", "caller", "toolset_name"])?;
            turn.uses.push(tool_id(&block, "id")?);
            function_name(block.text("name")?, &block.at("name"), Dialect::Messages)?;
            Object::any(block.need("input")?, &block.at("input"))?;
            turn.kinds.push("tool_use");
        }
        "tool_result" => {
            let allowed = ["type", "tool_use_id", "content", "is_error", "cache_control", "toolset_name"];
            let block = Object::of(value, place, &allowed)?;
            if turn.kinds.iter().any(|kind| *kind != "tool_result") {
                return Err(wrong(place, "tool_result blocks must come first in the content"));
            }
            block.flag("is_error")?;
            turn.results.push(tool_id(&block, "tool_use_id")?);
            said = result_text(&block)?;
            turn.result_texts.push(said.clone());
            turn.kinds.push("tool_result");
        }
        "thinking" => {
            let block = Object::of(value, place, &["type", "thinking", "signature"])?;
            if block.text("signature")? != signature(block.text("thinking")?) {
                return Err(block.wrong("signature", "Invalid `signature` in `thinking` block"));
            }
            turn.kinds.push("thinking");
        }
        "redacted_thinking" => {
            Object::of(value, place, &["type", "data"])?.text("data")?;
            turn.kinds.push("thinking");
        }
        _ => turn.kinds.push("document"),
    }
    Ok(words(&said))
}

fn tool_id(block: &Object, name: &str) -> Checked<String> {
    let id = block.text(name)?;
    let good = |letter: char| letter.is_ascii_alphanumeric() || "_-".contains(letter);
    match !id.is_empty() && id.chars().all(good) {
        true => Ok(id.to_owned()),
        false => Err(block.wrong(name, "string should match pattern '^[a-zA-Z0-9_-]+$'")),
    }
}

fn result_text(block: &Object) -> Checked<String> {
    match block.get("content") {
        None => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.clone()),
        Some(_) => {
            let mut texts = Vec::new();
            for (index, value) in block.list("content")?.iter().enumerate() {
                let place = format!("{}.{index}", block.at("content"));
                let part = Object::any(value, &place)?;
                match part.word("type", &["text", "image", "document", "search_result", "tool_reference"])? {
                    Some("text") => texts.push(full_text(&part)?.to_owned()),
                    Some("image") => image(value, &place)?,
                    Some(_) => {}
                    None => return Err(part.wrong("type", "field required")),
                }
            }
            Ok(texts.join("\n"))
        }
    }
}

fn image(value: &Value, place: &str) -> Checked<()> {
    let block = Object::of(value, place, &["type", "source", "cache_control", "transformations"])?;
    let source =
        Object::of(block.need("source")?, &block.at("source"), &["type", "media_type", "data", "url", "file_id"])?;
    match source.word("type", &["base64", "url", "file"])? {
        None => Err(source.wrong("type", "field required")),
        Some("base64") => {
            let kinds = ["image/jpeg", "image/png", "image/gif", "image/webp"];
            source.word("media_type", &kinds)?.ok_or_else(|| source.wrong("media_type", "field required"))?;
            base64(source.text("data")?, &source.at("data"))
        }
        Some("url") if !source.text("url")?.starts_with("http") => Err(source.wrong("url", "must be http(s)")),
        Some(_) => Ok(()),
    }
}

/// Every `tool_use` is answered in the very next turn, and nothing else is.
pub(super) fn pairs(turns: &[Turn]) -> Checked<()> {
    let mut open: &[String] = &[];
    for turn in turns {
        if let Some(stray) = turn.results.iter().find(|id| !open.contains(id)) {
            return Err(wrong("messages", format!("unexpected `tool_use_id` found in `tool_result` blocks: {stray}")));
        }
        if let Some(left) = open.iter().find(|id| !turn.results.contains(id)) {
            let why = "`tool_use` ids were found without `tool_result` blocks immediately after";
            return Err(wrong("messages", format!("{why}: {left}")));
        }
        open = &turn.uses;
    }
    match open.first() {
        Some(left) => Err(wrong("messages", format!("`tool_use` without `tool_result`: {left}"))),
        None => Ok(()),
    }
}
