//! Reading a Bedrock Converse request as strictly as Bedrock does.

use serde_json::Value;

use super::Dialect;
use super::answer::{Choice, Heard, words};
use super::messages::signature;
use super::shape::{Checked, Object, base64, closed_schema, function_name, json_schema, wrong};

const MEMBERS: &[&str] = &[
    "messages",
    "system",
    "inferenceConfig",
    "toolConfig",
    "guardrailConfig",
    "additionalModelRequestFields",
    "promptVariables",
    "additionalModelResponseFieldPaths",
    "requestMetadata",
    "performanceConfig",
    "serviceTier",
    "outputConfig",
];

/// What may stand in a message. Each block is an object of one of these.
const BLOCKS: &[&str] =
    &["text", "image", "document", "video", "audio", "toolUse", "toolResult", "cachePoint", "reasoningContent"];

/// The least a thinking budget may be.
const LEAST_BUDGET: i64 = 1024;

pub(super) fn check(model: &str, stream: bool, body: &Value) -> Checked<Heard> {
    let request = Object::of(body, "", MEMBERS)?;
    let mut heard = Heard { model: model.to_owned(), stream, parallel: true, ..Heard::default() };
    heard.system = system(&request)?;
    heard.words += words(&heard.system);
    tools(&request, &mut heard)?;
    output(&request, &mut heard)?;
    let budget = thinking(&request, &mut heard)?;
    inference(&request, &mut heard, budget)?;
    let turns = turns(request.full_list("messages")?, &mut heard)?;
    let has_tools = turns.iter().any(|turn| !turn.uses.is_empty() || !turn.results.is_empty());
    if has_tools && request.get("toolConfig").is_none() {
        return Err(wrong("toolConfig", "must be defined when using toolUse and toolResult content blocks"));
    }
    match (budget, turns.as_slice()) {
        (Some(_), [.., before, last]) if !last.results.is_empty() && before.first != Some("reasoningContent") => {
            let why = "expected `thinking` or `redacted_thinking`, but found `tool_use`";
            Err(wrong("messages", why))
        }
        _ => Ok(heard),
    }
}

/// The one member of a union.
fn block<'a>(value: &'a Value, place: &str, allowed: &[&'static str]) -> Checked<(&'static str, &'a Value)> {
    let object = Object::of(value, place, allowed)?;
    let mut given = allowed.iter().filter_map(|name| object.get(name).map(|value| (*name, value)));
    match (given.next(), given.next()) {
        (Some(one), None) => Ok(one),
        _ => Err(wrong(place, "must have exactly one of its members set")),
    }
}

fn text<'a>(value: &'a Value, place: &str) -> Checked<&'a str> {
    match value.as_str() {
        Some(text) if !text.trim().is_empty() => Ok(text),
        Some(_) => Err(wrong(place, "the text field is blank")),
        None => Err(wrong(place, "must be a string")),
    }
}

fn system(request: &Object) -> Checked<String> {
    let mut texts = Vec::new();
    for (index, value) in request.list("system")?.iter().enumerate() {
        let place = format!("system.{index}");
        if let ("text", said) = block(value, &place, &["text", "cachePoint", "guardContent"])? {
            texts.push(text(said, &place)?.to_owned());
        }
    }
    Ok(texts.join("\n"))
}

fn tools(request: &Object, heard: &mut Heard) -> Checked<()> {
    let Some(config) = request.get("toolConfig") else { return Ok(()) };
    let config = Object::of(config, "toolConfig", &["tools", "toolChoice"])?;
    for (index, value) in config.full_list("tools")?.iter().enumerate() {
        let place = format!("toolConfig.tools.{index}");
        let ("toolSpec", tool) = block(value, &place, &["toolSpec", "systemTool", "cachePoint"])? else { continue };
        let tool = Object::of(tool, &format!("{place}.toolSpec"), &["name", "description", "inputSchema", "strict"])?;
        let name = tool.text("name")?;
        function_name(name, &tool.at("name"), Dialect::Converse)?;
        if tool.maybe_text("description")? == Some("") {
            return Err(tool.wrong("description", "length must be at least 1"));
        }
        let (_, schema) = block(tool.need("inputSchema")?, &tool.at("inputSchema"), &["json"])?;
        json_schema(schema, &tool.at("inputSchema"))?;
        if schema.get("type") != Some(&Value::from("object")) {
            return Err(tool.wrong("inputSchema.json.type", "must be \"object\""));
        }
        if tool.flag("strict")? {
            closed_schema(schema, &tool.at("inputSchema"))?;
        }
        heard.tools.push((name.to_owned(), schema.clone()));
    }
    let Some(choice) = config.get("toolChoice") else { return Ok(()) };
    heard.choice = match block(choice, "toolConfig.toolChoice", &["auto", "any", "tool"])? {
        ("any", _) => Choice::Any,
        ("tool", named) => {
            let name = Object::of(named, "toolConfig.toolChoice.tool", &["name"])?.text("name")?;
            if !heard.tools.iter().any(|(tool, _)| tool == name) {
                return Err(wrong("toolConfig.toolChoice", format!("the tool `{name}` is not in toolConfig.tools")));
            }
            Choice::Tool(name.to_owned())
        }
        _ => Choice::Auto,
    };
    Ok(())
}

fn output(request: &Object, heard: &mut Heard) -> Checked<()> {
    let Some(config) = request.get("outputConfig") else { return Ok(()) };
    let config = Object::of(config, "outputConfig", &["textFormat", "effort"])?;
    config.word("effort", &["low", "medium", "high", "xhigh", "max"])?;
    let Some(format) = config.get("textFormat") else { return Ok(()) };
    let format = Object::of(format, "outputConfig.textFormat", &["type", "structure"])?;
    format.word("type", &["json_schema"])?.ok_or_else(|| format.wrong("type", "field required"))?;
    let (_, named) = block(format.need("structure")?, &format.at("structure"), &["jsonSchema"])?;
    let named = Object::of(named, "outputConfig.textFormat.structure.jsonSchema", &["schema", "name", "description"])?;
    // A document inside of the document.
    let schema: Value = serde_json::from_str(named.text("schema")?).map_err(|_| named.wrong("schema", "is no JSON"))?;
    json_schema(&schema, &named.at("schema"))?;
    closed_schema(&schema, &named.at("schema"))?;
    heard.schema = Some(schema);
    Ok(())
}

/// The budget to think with, if one is given.
fn thinking(request: &Object, heard: &mut Heard) -> Checked<Option<i64>> {
    let Some(fields) = request.get("additionalModelRequestFields") else { return Ok(None) };
    let allowed = ["thinking", "top_k", "anthropic_beta", "output_config", "reasoning_config"];
    let fields = Object::of(fields, "additionalModelRequestFields", &allowed)?;
    let top_k = fields.integer("top_k", 0, i64::MAX)?;
    let Some(thinking) = fields.get("thinking") else { return Ok(None) };
    let thinking = Object::of(thinking, "thinking", &["type", "budget_tokens", "display"])?;
    let budget = thinking.integer("budget_tokens", LEAST_BUDGET, i64::MAX)?;
    match thinking.word("type", &["enabled", "disabled", "adaptive"])? {
        None => return Err(thinking.wrong("type", "field required")),
        Some("disabled") => return Ok(None),
        Some("enabled") if budget.is_none() => return Err(thinking.wrong("budget_tokens", "field required")),
        Some(_) => heard.thinks = true,
    }
    if budget.is_some() && top_k.is_some() {
        return Err(fields.wrong("top_k", "must be unset when thinking is enabled"));
    }
    if budget.is_some() && matches!(heard.choice, Choice::Any | Choice::Tool(_)) {
        return Err(wrong("toolConfig.toolChoice", "thinking may not be enabled when tool_choice forces tool use"));
    }
    Ok(budget)
}

fn inference(request: &Object, heard: &mut Heard, budget: Option<i64>) -> Checked<()> {
    let Some(config) = request.get("inferenceConfig") else { return Ok(()) };
    let config = Object::of(config, "inferenceConfig", &["maxTokens", "temperature", "topP", "stopSequences"])?;
    heard.limit = config.integer("maxTokens", 1, i64::MAX)?;
    heard.stops = config.texts("stopSequences", 2500)?;
    let temperature = config.number("temperature", 0.0, 1.0)?;
    config.number("topP", 0.0, 1.0)?;
    if heard.stops.iter().any(|stop| stop.trim().is_empty()) {
        return Err(config.wrong("stopSequences", "each stop sequence must contain non-whitespace"));
    }
    match (budget, heard.limit, temperature) {
        (Some(budget), Some(limit), _) if budget >= limit => {
            Err(config.wrong("maxTokens", "must be greater than `thinking.budget_tokens`"))
        }
        (Some(_), _, Some(temperature)) if temperature != 1.0 => {
            Err(config.wrong("temperature", "may only be set to 1 when thinking is enabled"))
        }
        _ => Ok(()),
    }
}

/// A message, as far as the next one depends on it.
#[derive(Default)]
struct Turn {
    first: Option<&'static str>,
    uses: Vec<String>,
    results: Vec<String>,
    texts: Vec<String>,
    result_texts: Vec<String>,
    images: usize,
    documents: usize,
}

fn turns(messages: &[Value], heard: &mut Heard) -> Checked<Vec<Turn>> {
    let mut turns: Vec<Turn> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        let place = format!("messages.{index}");
        let message = Object::of(message, &place, &["role", "content"])?;
        let role =
            message.word("role", &["user", "assistant"])?.ok_or_else(|| message.wrong("role", "field required"))?;
        let user = index.is_multiple_of(2);
        if user != (role == "user") {
            let why = if index == 0 { "a conversation must start with a user message" } else { "roles must alternate" };
            return Err(message.wrong("role", why));
        }
        let mut turn = Turn::default();
        for (index, value) in message.full_list("content")?.iter().enumerate() {
            let place = format!("{place}.content.{index}");
            let (kind, value) = block(value, &place, BLOCKS)?;
            turn.first = turn.first.or(Some(kind));
            heard.words += turn.block(kind, value, &place, user)?;
        }
        if turn.documents > 0 && turn.texts.is_empty() {
            return Err(wrong(&place, "a text block is required when including documents"));
        }
        answered(turns.last(), &turn, &place)?;
        if user {
            heard.last_text = turn.texts.join("\n");
            heard.images = turn.images;
        }
        heard.tool_results.clone_from(&turn.result_texts);
        turns.push(turn);
    }
    match turns.last().and_then(|turn| turn.uses.first()) {
        Some(id) => Err(wrong("messages", format!("`toolUse` without `toolResult`: {id}"))),
        None => Ok(turns),
    }
}

/// Every call is answered in the very next turn, and nothing else is.
fn answered(before: Option<&Turn>, turn: &Turn, place: &str) -> Checked<()> {
    let open = before.map_or(&[][..], |turn| turn.uses.as_slice());
    if let Some(stray) = turn.results.iter().find(|id| !open.contains(id)) {
        return Err(wrong(place, format!("toolResult blocks exceed the toolUse blocks of the previous turn: {stray}")));
    }
    match open.iter().find(|id| !turn.results.contains(id)) {
        Some(left) => Err(wrong(place, format!("expected toolResult blocks for the following ids: {left}"))),
        None => Ok(()),
    }
}

impl Turn {
    /// Checks one content block and returns its words.
    fn block(&mut self, kind: &str, value: &Value, place: &str, user: bool) -> Checked<u64> {
        let mut said = String::new();
        match (kind, user) {
            ("text", _) => {
                text(value, place)?.clone_into(&mut said);
                self.texts.push(said.clone());
            }
            ("cachePoint", _) => {
                let point = Object::of(value, place, &["type", "ttl"])?;
                point.word("type", &["default"])?.ok_or_else(|| point.wrong("type", "field required"))?;
            }
            ("image", true) => {
                image(value, place)?;
                self.images += 1;
            }
            ("document", true) => {
                let document = Object::of(value, place, &["format", "name", "source", "context", "citations"])?;
                let name = document.text("name")?;
                let good = |letter: char| letter.is_ascii_alphanumeric() || " -()[]".contains(letter);
                if name.is_empty() || !name.chars().all(good) {
                    return Err(document.wrong("name", "has letters that no name of a document has"));
                }
                document.need("source")?;
                self.documents += 1;
            }
            ("video" | "audio", true) => {}
            ("toolUse", false) => {
                let call = Object::of(value, place, &["toolUseId", "name", "input", "type"])?;
                self.uses.push(tool_id(&call)?);
                function_name(call.text("name")?, &call.at("name"), Dialect::Converse)?;
                let input = call.need("input")?;
                Object::any(input, &call.at("input"))?;
                said = input.to_string();
            }
            ("toolResult", true) => {
                let result = Object::of(value, place, &["toolUseId", "content", "status", "type"])?;
                self.results.push(tool_id(&result)?);
                result.word("status", &["success", "error"])?;
                result.need("content")?;
                said = result_text(&result)?;
                self.result_texts.push(said.clone());
            }
            ("reasoningContent", false) => {
                if let ("reasoningText", thought) = block(value, place, &["reasoningText", "redactedContent"])? {
                    let thought = Object::of(thought, place, &["text", "signature"])?;
                    if thought.maybe_text("signature")? != Some(signature(thought.text("text")?).as_str()) {
                        return Err(thought.wrong("signature", "Invalid `signature` in `thinking` block"));
                    }
                }
            }
            (kind, _) => return Err(wrong(place, format!("{kind} is not allowed in a message of this role"))),
        }
        Ok(words(&said))
    }
}

fn tool_id(value: &Object) -> Checked<String> {
    let id = value.text("toolUseId")?;
    let good = |letter: char| letter.is_ascii_alphanumeric() || "_-".contains(letter);
    match (1..=64).contains(&id.len()) && id.chars().all(good) {
        true => Ok(id.to_owned()),
        false => Err(value.wrong("toolUseId", "must match [a-zA-Z0-9_-]+ and have 64 letters at most")),
    }
}

fn result_text(result: &Object) -> Checked<String> {
    let mut texts = Vec::new();
    for (index, value) in result.list("content")?.iter().enumerate() {
        let place = format!("{}.{index}", result.at("content"));
        match block(value, &place, &["text", "json", "image", "document", "video", "searchResult"])? {
            ("text", said) => texts.push(said.as_str().ok_or_else(|| wrong(&place, "must be a string"))?.to_owned()),
            ("json", said) => texts.push(said.to_string()),
            ("image", shown) => image(shown, &place)?,
            _ => {}
        }
    }
    Ok(texts.join("\n"))
}

fn image(value: &Value, place: &str) -> Checked<()> {
    let image = Object::of(value, place, &["format", "source"])?;
    let formats = ["png", "jpeg", "gif", "webp"];
    image.word("format", &formats)?.ok_or_else(|| image.wrong("format", "field required"))?;
    match block(image.need("source")?, &image.at("source"), &["bytes", "s3Location"])? {
        ("bytes", bytes) => base64(bytes.as_str().unwrap_or_default(), &image.at("source.bytes")),
        _ => Ok(()),
    }
}
