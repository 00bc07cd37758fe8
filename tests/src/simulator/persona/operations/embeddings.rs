//! Vectors of texts, in the words of three dialects.

use serde_json::{Value, json};

use super::super::answer::words;
use super::super::shape::{Checked, Object, wrong};
use super::super::vectors::{DIMENSIONS, base64, bytes, vector};
use super::super::{Production, check_model, json_body};
use crate::simulator::journal::{Received, Tokens};

/// Longer vectors than any model's.
const MOST_DIMENSIONS: i64 = 4096;

fn embedded(body: &Value, input: u64) -> Production {
    Production::whole(200, body, Some(Tokens { input, ..Tokens::default() }))
}

fn dimensions(request: &Object, name: &str) -> Checked<usize> {
    let asked = request.integer(name, 1, MOST_DIMENSIONS)?;
    Ok(asked.and_then(|asked| usize::try_from(asked).ok()).unwrap_or(DIMENSIONS))
}

pub(super) fn chat(received: &Received) -> Checked<Production> {
    let body = json_body(received)?;
    let request = Object::of(&body, "", &["model", "input", "encoding_format", "dimensions", "user"])?;
    let model = request.text("model")?;
    check_model(model)?;
    let dimensions = dimensions(&request, "dimensions")?;
    let base = request.word("encoding_format", &["float", "base64"])? == Some("base64");
    let texts = match request.need("input")? {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) if !items.is_empty() && items.iter().all(Value::is_u64) => {
            vec![request.need("input")?.to_string()]
        }
        _ => request.full_list("input")?.iter().map(one_input).collect::<Checked<_>>()?,
    };
    if texts.iter().any(String::is_empty) {
        return Err(request.wrong("input", "cannot be an empty string"));
    }
    let datum = |(index, text): (usize, &String)| {
        let vector = vector(text, dimensions);
        let embedding = if base { json!(base64(&bytes(&vector))) } else { json!(vector) };
        json!({"object": "embedding", "index": index, "embedding": embedding})
    };
    let data: Vec<Value> = texts.iter().enumerate().map(datum).collect();
    let tokens = texts.iter().map(|text| words(text)).sum();
    let usage = json!({"prompt_tokens": tokens, "total_tokens": tokens});
    Ok(embedded(&json!({"object": "list", "data": data, "model": model, "usage": usage}), tokens))
}

/// A text, or one given as its tokens.
fn one_input(item: &Value) -> Checked<String> {
    match item {
        Value::String(text) => Ok(text.clone()),
        Value::Array(tokens) if tokens.iter().all(Value::is_u64) => Ok(item.to_string()),
        _ => Err(wrong("input", "must be strings or tokens")),
    }
}

/// The model that a path of Gemini's names.
pub(super) fn model_in_path(received: &Received) -> String {
    received.model().unwrap_or_default()
}

/// The text of one request and its vector; `model` must be there in one of many, and be the path's.
fn content(request: &Value, place: &str, model: &str) -> Checked<(String, Value)> {
    let allowed = [
        "model",
        "content",
        "taskType",
        "task_type",
        "title",
        "outputDimensionality",
        "output_dimensionality",
        "embedContentConfig",
    ];
    let request = Object::of(request, place, &allowed)?;
    let named = request.maybe_text("model")?;
    if named.is_some_and(|named| named != format!("models/{model}")) || named.is_none() && !place.is_empty() {
        return Err(request.wrong("model", "must be the model of the path"));
    }
    let content = Object::of(request.need("content")?, &request.at("content"), &["parts", "role"])?;
    let mut texts = Vec::new();
    for part in content.full_list("parts")? {
        texts.push(Object::of(part, &content.at("parts"), &["text"])?.text("text")?.to_owned());
    }
    let text = texts.join("\n");
    let dimensions = match request.get("output_dimensionality") {
        Some(_) => dimensions(&request, "output_dimensionality")?,
        None => dimensions(&request, "outputDimensionality")?,
    };
    let values = json!({ "values": vector(&text, dimensions) });
    Ok((text, values))
}

pub(super) fn gemini_one(received: &Received) -> Checked<Production> {
    let model = model_in_path(received);
    check_model(&model)?;
    let (text, values) = content(&json_body(received)?, "", &model)?;
    let tokens = words(&text);
    let usage = json!({"promptTokenCount": tokens, "totalTokenCount": tokens});
    Ok(embedded(&json!({"embedding": values, "usageMetadata": usage}), tokens))
}

pub(super) fn gemini_many(received: &Received) -> Checked<Production> {
    let model = model_in_path(received);
    check_model(&model)?;
    let body = json_body(received)?;
    let request = Object::of(&body, "", &["requests"])?;
    let (mut all, mut tokens) = (Vec::new(), 0);
    for (index, one) in request.full_list("requests")?.iter().enumerate() {
        let (text, values) = content(one, &format!("requests[{index}]"), &model)?;
        tokens += words(&text);
        all.push(values);
    }
    let usage = json!({"promptTokenCount": tokens, "totalTokenCount": tokens});
    Ok(embedded(&json!({"embeddings": all, "usageMetadata": usage}), tokens))
}

pub(super) fn chat_v2(received: &Received) -> Checked<Production> {
    let body = json_body(received)?;
    let allowed = [
        "model",
        "input_type",
        "texts",
        "images",
        "inputs",
        "embedding_types",
        "output_dimension",
        "truncate",
        "max_tokens",
        "priority",
    ];
    let request = Object::of(&body, "", &allowed)?;
    check_model(request.text("model")?)?;
    let kinds = ["search_document", "search_query", "classification", "clustering", "image"];
    request.word("input_type", &kinds)?.ok_or_else(|| request.wrong("input_type", "field required"))?;
    request.word("truncate", &["NONE", "START", "END"])?;
    let dimensions = dimensions(&request, "output_dimension")?;
    if request.has("output_dimension") && ![256, 512, 1024, 1536].contains(&dimensions) {
        return Err(request.wrong("output_dimension", "must be one of 256, 512, 1024, 1536"));
    }
    let texts = request.texts("texts", 96)?;
    if texts.is_empty() {
        return Err(request.wrong("texts", "must not be empty"));
    }
    let mut types = request.texts("embedding_types", 6)?;
    if types.is_empty() {
        types.push("float".to_owned());
    }
    let mut embeddings = json!({});
    for kind in &types {
        let vectors = texts.iter().map(|text| vector(text, dimensions));
        embeddings[kind] = match kind.as_str() {
            "float" => vectors.map(|vector| json!(vector)).collect(),
            "base64" => vectors.map(|vector| json!(base64(&bytes(&vector)))).collect(),
            _ => return Err(request.wrong("embedding_types", format!("the simulator has no `{kind}`"))),
        };
    }
    let tokens = texts.iter().map(|text| words(text)).sum();
    let meta = json!({"api_version": {"version": "2"}, "billed_units": {"input_tokens": tokens}});
    let body = json!({
        "id": "simulated",
        "embeddings": embeddings,
        "texts": texts,
        "meta": meta,
        "response_type": "embeddings_by_type",
    });
    Ok(embedded(&body, tokens))
}
