//! Reading a Gemini generateContent request as strictly as Gemini does.

use serde_json::Value;

use super::Dialect;
use super::answer::{Choice, Heard, words};
use super::shape::{Checked, Object, base64, function_name, json_schema, wrong};

const MEMBERS: &[&str] = &[
    "contents",
    "systemInstruction",
    "tools",
    "toolConfig",
    "safetySettings",
    "generationConfig",
    "cachedContent",
    "labels",
    "model",
    "serviceTier",
    "store",
];

const CONFIG: &[&str] = &[
    "temperature",
    "topP",
    "topK",
    "candidateCount",
    "maxOutputTokens",
    "stopSequences",
    "presencePenalty",
    "frequencyPenalty",
    "seed",
    "responseMimeType",
    "responseSchema",
    "responseJsonSchema",
    "responseModalities",
    "responseLogprobs",
    "logprobs",
    "thinkingConfig",
    "mediaResolution",
    "speechConfig",
];

const SCHEMA: &[&str] = &[
    "type",
    "format",
    "title",
    "description",
    "nullable",
    "enum",
    "items",
    "maxItems",
    "minItems",
    "properties",
    "required",
    "minProperties",
    "maxProperties",
    "minLength",
    "maxLength",
    "pattern",
    "example",
    "anyOf",
    "propertyOrdering",
    "default",
    "minimum",
    "maximum",
];

pub(super) fn check(model: &str, stream: bool, body: &Value) -> Checked<Heard> {
    let body = camel(body);
    let request = Object::of(&body, "", MEMBERS)?;
    let mut heard = Heard { model: model.to_owned(), stream, parallel: true, ..Heard::default() };
    if let Some(system) = request.get("systemInstruction") {
        let content = Object::of(system, "systemInstruction", &["parts", "role"])?;
        let texts = content.full_list("parts")?.iter().map(|part| {
            let part = Object::of(part, "systemInstruction.parts", &["text", "thought"])?;
            part.text("text")
        });
        heard.system = texts.collect::<Checked<Vec<_>>>()?.join("\n");
        heard.words += words(&heard.system);
    }
    tools(&request, &mut heard)?;
    if let Some(config) = request.get("generationConfig") {
        generation(&Object::of(config, "generationConfig", CONFIG)?, &mut heard)?;
    }
    Conversation { heard: &mut heard, open: Vec::new(), last: Said::Nothing }.read(request.full_list("contents")?)?;
    Ok(heard)
}

/// Protobuf's JSON takes snake_case for camelCase and one thing for a list of one; this writes it the usual way.
/// What is the caller's own (arguments, results, JSON schemas, names of properties) stays as it is.
fn camel(value: &Value) -> Value {
    const OWN: [&str; 7] =
        ["args", "response", "parametersJsonSchema", "responseJsonSchema", "labels", "default", "example"];
    const LISTS: [&str; 4] = ["contents", "parts", "tools", "functionDeclarations"];
    let member = |(name, value): (&String, &Value)| {
        let name = camel_name(name);
        let value = match (name.as_str(), value) {
            (own, value) if OWN.contains(&own) => value.clone(),
            ("properties", Value::Object(properties)) => {
                properties.iter().map(|(name, schema)| (name.clone(), camel(schema))).collect()
            }
            (list, value) if LISTS.contains(&list) && value.is_object() => Value::Array(vec![camel(value)]),
            (_, value) => camel(value),
        };
        (name, value)
    };
    match value {
        Value::Object(members) => members.iter().map(member).collect(),
        Value::Array(items) => items.iter().map(camel).collect(),
        value => value.clone(),
    }
}

fn camel_name(name: &str) -> String {
    let mut words = name.split('_');
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        camel.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
    }
    camel
}

fn generation(config: &Object, heard: &mut Heard) -> Checked<()> {
    config.number("temperature", 0.0, 2.0)?;
    config.number("topP", 0.0, 1.0)?;
    config.integer("topK", 1, i64::MAX)?;
    config.number("presencePenalty", -2.0, 2.0)?;
    config.number("frequencyPenalty", -2.0, 2.0)?;
    config.integer("seed", i64::from(i32::MIN), i64::from(i32::MAX))?;
    if config.integer("candidateCount", 1, 8)?.is_some_and(|count| count > 1) {
        return Err(config.wrong("candidateCount", "the simulator gives one candidate"));
    }
    heard.limit = config.integer("maxOutputTokens", 1, i64::from(i32::MAX))?;
    heard.stops = config.texts("stopSequences", 5)?;
    let json = config.maybe_text("responseMimeType")? == Some("application/json");
    let schema = match (config.get("responseSchema"), config.get("responseJsonSchema")) {
        (Some(_), Some(_)) => return Err(config.wrong("responseSchema", "not together with responseJsonSchema")),
        (Some(own), None) => {
            own_schema(own, &config.at("responseSchema"))?;
            Some(own.clone())
        }
        (None, Some(standard)) => {
            // The vendor's own agent writes the types in capitals here too, and is answered.
            json_schema(&small_types(standard), &config.at("responseJsonSchema"))?;
            Some(standard.clone())
        }
        (None, None) => json.then_some(Value::Null),
    };
    if schema.is_some() && !json {
        return Err(config.wrong("responseMimeType", "a response schema needs application/json"));
    }
    heard.schema = schema;
    if let Some(thinking) = config.get("thinkingConfig") {
        let allowed = ["includeThoughts", "thinkingBudget", "thinkingLevel"];
        let thinking = Object::of(thinking, "generationConfig.thinkingConfig", &allowed)?;
        let budget = thinking.integer("thinkingBudget", -1, i64::from(i32::MAX))?;
        let levels = ["minimal", "low", "medium", "high", "MINIMAL", "LOW", "MEDIUM", "HIGH"];
        if thinking.word("thinkingLevel", &levels)?.is_some() && budget.is_some() {
            return Err(thinking.wrong("thinkingLevel", "not together with thinkingBudget"));
        }
        heard.thinks = thinking.flag("includeThoughts")? && budget != Some(0);
    }
    Ok(())
}

/// A schema with its types in small letters.
fn small_types(schema: &Value) -> Value {
    match schema {
        Value::Array(items) => items.iter().map(small_types).collect(),
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| match (name.as_str(), value) {
                ("type", Value::String(kind)) => (name.clone(), Value::from(kind.to_ascii_lowercase())),
                ("properties", Value::Object(properties)) => (
                    name.clone(),
                    properties.iter().map(|(name, schema)| (name.clone(), small_types(schema))).collect(),
                ),
                ("enum" | "const" | "default" | "example", value) => (name.clone(), value.clone()),
                (_, value) => (name.clone(), small_types(value)),
            };
            members.iter().map(member).collect()
        }
        schema => schema.clone(),
    }
}

/// A schema in Gemini's own subset: nothing that starts with `$`, no `additionalProperties`.
fn own_schema(value: &Value, place: &str) -> Checked<()> {
    const TYPES: [&str; 7] = ["object", "array", "string", "number", "integer", "boolean", "null"];
    let schema = Object::of(value, place, SCHEMA)?;
    if let Some(kind) = schema.maybe_text("type")?
        && !TYPES.contains(&kind.to_ascii_lowercase().as_str())
    {
        return Err(schema.wrong("type", format!("`{kind}` is no type")));
    }
    for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        own_schema(property, &format!("{}[{name}]", schema.at("properties")))?;
    }
    for branch in schema.list("anyOf")? {
        own_schema(branch, &schema.at("anyOf"))?;
    }
    match schema.get("items") {
        Some(items) => own_schema(items, &schema.at("items")),
        None => Ok(()),
    }
}

fn tools(request: &Object, heard: &mut Heard) -> Checked<()> {
    for (index, tool) in request.list("tools")?.iter().enumerate() {
        let allowed = [
            "functionDeclarations",
            "googleSearch",
            "codeExecution",
            "urlContext",
            "fileSearch",
            "computerUse",
            "googleMaps",
        ];
        let tool = Object::of(tool, &format!("tools[{index}]"), &allowed)?;
        let Some(declarations) = tool.get("functionDeclarations") else { continue };
        let place = tool.at("functionDeclarations");
        let declarations = declarations.as_array().ok_or_else(|| wrong(&place, "must be an array"))?;
        for (index, declaration) in declarations.iter().enumerate() {
            let allowed = ["name", "description", "parameters", "parametersJsonSchema", "response", "behavior"];
            let declaration = Object::of(declaration, &format!("{place}[{index}]"), &allowed)?;
            let name = declaration.text("name")?;
            function_name(name, &declaration.at("name"), Dialect::Gemini)?;
            let schema = match (declaration.get("parameters"), declaration.get("parametersJsonSchema")) {
                (Some(_), Some(_)) => {
                    return Err(declaration.wrong("parameters", "not together with parametersJsonSchema"));
                }
                (Some(own), None) => {
                    own_schema(own, &declaration.at("parameters"))?;
                    own.clone()
                }
                (None, Some(standard)) => {
                    json_schema(standard, &declaration.at("parametersJsonSchema"))?;
                    standard.clone()
                }
                (None, None) => Value::Null,
            };
            heard.tools.push((name.to_owned(), schema));
        }
    }
    let Some(config) = request.get("toolConfig") else { return Ok(()) };
    let config = Object::of(config, "toolConfig", &["functionCallingConfig", "retrievalConfig"])?;
    let Some(calling) = config.get("functionCallingConfig") else { return Ok(()) };
    let calling = Object::of(calling, "toolConfig.functionCallingConfig", &["mode", "allowedFunctionNames"])?;
    let mode = calling.maybe_text("mode")?.map(str::to_ascii_uppercase);
    let mode = mode.as_deref();
    if let Some(stranger) = mode.filter(|mode| !["AUTO", "ANY", "NONE", "VALIDATED"].contains(mode)) {
        return Err(calling.wrong("mode", format!("`{stranger}` is no mode")));
    }
    let names = calling.texts("allowedFunctionNames", usize::MAX)?;
    if let Some(stranger) = names.iter().find(|name| !heard.tools.iter().any(|(tool, _)| tool == *name)) {
        return Err(calling.wrong("allowedFunctionNames", format!("`{stranger}` is not declared")));
    }
    heard.choice = match (mode, names.first()) {
        (Some("ANY"), Some(name)) => Choice::Tool(name.clone()),
        (Some("ANY"), None) => Choice::Any,
        (Some("NONE"), _) => Choice::None,
        (Some("VALIDATED"), _) | (_, None) => Choice::Auto,
        (_, Some(_)) => return Err(calling.wrong("allowedFunctionNames", "only with mode ANY or VALIDATED")),
    };
    Ok(())
}

#[derive(PartialEq, Eq)]
enum Said {
    Nothing,
    User,
    Model,
}

struct Conversation<'a> {
    heard: &'a mut Heard,
    /// Names and ids of the calls of the last turn.
    open: Vec<(String, Option<String>)>,
    last: Said,
}

impl Conversation<'_> {
    fn read(mut self, contents: &[Value]) -> Checked<()> {
        for (index, content) in contents.iter().enumerate() {
            let place = format!("contents[{index}]");
            let content = Object::of(content, &place, &["role", "parts"])?;
            let model = content.word("role", &["user", "model"])? == Some("model");
            let mut turn = Turn::default();
            for (index, part) in content.full_list("parts")?.iter().enumerate() {
                turn.part(part, &format!("{place}.parts[{index}]"), model)?;
            }
            self.turn(&turn, model, &place)?;
        }
        match self.open.first() {
            Some((name, _)) => Err(wrong("contents", format!("the function call `{name}` has no response"))),
            None => Ok(()),
        }
    }

    fn turn(&mut self, turn: &Turn, model: bool, place: &str) -> Checked<()> {
        if !turn.calls.is_empty() && self.last == Said::Nothing {
            let why = "a function call turn must come immediately after a user turn or after a function response turn";
            return Err(wrong(place, why));
        }
        let mut open = std::mem::take(&mut self.open);
        if open.len() != turn.responses.len() {
            let why = "the number of function response parts must equal the number of function call parts";
            return Err(wrong(place, format!("{why}: {} and {}", turn.responses.len(), open.len())));
        }
        for (name, id) in &turn.responses {
            let known =
                open.iter().position(|(open_name, open_id)| open_name == name && (id.is_none() || open_id == id));
            let known = known.ok_or_else(|| wrong(place, format!("no function call is named `{name}`")))?;
            open.remove(known);
        }
        self.open.clone_from(&turn.calls);
        self.last = if model { Said::Model } else { Said::User };
        self.heard.words += turn.words;
        self.heard.tool_results.clone_from(&turn.results);
        if !model && turn.responses.is_empty() {
            self.heard.last_text = turn.texts.join("\n");
            self.heard.images = turn.images;
        }
        Ok(())
    }
}

#[derive(Default)]
struct Turn {
    texts: Vec<String>,
    images: usize,
    calls: Vec<(String, Option<String>)>,
    responses: Vec<(String, Option<String>)>,
    results: Vec<String>,
    words: u64,
}

impl Turn {
    fn part(&mut self, value: &Value, place: &str, model: bool) -> Checked<()> {
        const DATA: [&str; 5] = ["text", "inlineData", "fileData", "functionCall", "functionResponse"];
        const MORE: [&str; 4] = ["thought", "thoughtSignature", "videoMetadata", "mediaResolution"];
        let part = Object::of(value, place, &[&DATA[..], &MORE[..]].concat())?;
        part.flag("thought")?;
        part.maybe_text("thoughtSignature")?;
        let data: Vec<&str> = DATA.into_iter().filter(|name| part.has(name)).collect();
        match data.as_slice() {
            ["text"] => {
                let text = part.text("text")?;
                self.words += words(text);
                self.texts.push(text.to_owned());
            }
            ["inlineData"] => {
                let blob =
                    Object::of(part.need("inlineData")?, &part.at("inlineData"), &["mimeType", "data", "displayName"])?;
                base64(blob.text("data")?, &blob.at("data"))?;
                self.images += usize::from(blob.text("mimeType")?.starts_with("image/"));
            }
            ["fileData"] => {
                let file =
                    Object::of(part.need("fileData")?, &part.at("fileData"), &["mimeType", "fileUri", "displayName"])?;
                file.text("fileUri")?;
                let kind = file.maybe_text("mimeType")?;
                self.images += usize::from(kind.is_none_or(|kind| kind.starts_with("image/")));
            }
            ["functionCall"] if model => {
                let call = Object::of(part.need("functionCall")?, &part.at("functionCall"), &["id", "name", "args"])?;
                if let Some(arguments) = call.get("args") {
                    Object::any(arguments, &call.at("args"))?;
                    self.words += words(&arguments.to_string());
                }
                self.calls.push((call.text("name")?.to_owned(), call.maybe_text("id")?.map(str::to_owned)));
            }
            ["functionResponse"] if !model => {
                let allowed = ["id", "name", "response", "willContinue", "scheduling", "parts"];
                let response = Object::of(part.need("functionResponse")?, &part.at("functionResponse"), &allowed)?;
                let said = Object::any(response.need("response")?, &response.at("response"))?;
                let result = said.get("output").or(said.get("result")).or(said.get("error"));
                let result = match result {
                    Some(Value::String(text)) => text.clone(),
                    Some(value) => value.to_string(),
                    None => response.need("response")?.to_string(),
                };
                self.words += words(&result);
                self.results.push(result);
                self.responses.push((response.text("name")?.to_owned(), response.maybe_text("id")?.map(str::to_owned)));
            }
            [one] => return Err(part.wrong(one, "not allowed in a turn of this role")),
            [] if part.has("thoughtSignature") => {}
            [] => return Err(wrong(place, "required oneof field 'data' must have one initialized field")),
            _ => return Err(wrong(place, "oneof field 'data' is already set")),
        }
        Ok(())
    }
}
