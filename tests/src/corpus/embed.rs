//! Recorded requests for vectors and their answers: read, written again, and said in every dialect that has them.

use dragoman_core::catalog::{DialectId, Operation};
use dragoman_core::dialect::{self, Addressee, Embeddings, Endpoint, Reply};
use dragoman_core::hub::Delivery;
use dragoman_core::hub::embed::{EmbedRequest, Embedded};
use dragoman_core::json::{Json, Writer};
use serde_json::Value;

use super::asked::first_difference;
use super::expected::{Differences, short};
use super::recording::Recording;

/// The dialect of a recording about vectors.
pub fn dialect_of(recording: &Recording) -> Option<DialectId> {
    let path = recording.sent.as_ref().map(|sent| sent.path.as_str()).unwrap_or_default();
    match recording.api.as_str() {
        "openai.embeddings" | "mistral.embeddings" => Some(DialectId::ChatCompletions),
        "gemini.embeddings" if !path.contains(":predict") => Some(DialectId::GenerateContent),
        "cohere.embed" if path.starts_with("/v2/") => Some(DialectId::ChatV2),
        _ => None,
    }
}

/// What is wrong with the reading of a recorded exchange, and with what it becomes in other dialects.
pub fn problems(recording: &Recording, own: DialectId) -> Vec<String> {
    let Some(embeddings) = dialect::of(own).embeddings() else { return vec!["has no vectors".to_owned()] };
    let mut found = Vec::new();
    if let Some(sent) = &recording.sent {
        found.extend(request(embeddings, own, &sent.path, &sent.body, recording.is_error()));
    }
    if !recording.is_error() {
        found.extend(answer(recording, embeddings));
    }
    found
}

fn endpoint(own: DialectId, path: &str) -> Endpoint {
    let batch = path.contains(":batchEmbedContents");
    let method = if batch { "batchEmbedContents" } else { "embedContent" };
    let rest = match own {
        DialectId::GenerateContent => format!("/models/{{model}}:{method}"),
        _ => "/embeddings".to_owned(),
    };
    Endpoint { model: Some("m".into()), ..Endpoint::of(own, Operation::Embed, &rest) }
}

fn request(embeddings: &dyn Embeddings, own: DialectId, path: &str, body: &str, refused: bool) -> Vec<String> {
    let Ok(json) = Json::parse(body.as_bytes()) else { return vec!["the request is no JSON".to_owned()] };
    let asked: EmbedRequest<'_> = match embeddings.read_request(&endpoint(own, path), json) {
        Ok(asked) => asked,
        Err(_) if refused => return Vec::new(),
        Err(error) => return vec![format!("not read: `{}` {}", error.param, error.problem)],
    };
    let mut found = Vec::new();
    let was: Value = serde_json::from_str(body).unwrap_or_default();
    let model = was["model"].as_str().or(was["requests"][0]["model"].as_str()).unwrap_or("m");
    let model = model.trim_start_matches("models/");
    let written = embeddings.write_request(&asked, Addressee::model(model));
    let is: Value = serde_json::from_str(&written.body).unwrap_or_default();
    found.extend(first_difference("", &was, &is).map(|place| format!("written otherwise: {place}")));
    if asked.tied().is_some() {
        return found;
    }
    for other in dialect::ALL.iter().filter(|other| other.id() != own) {
        let Some(theirs) = other.embeddings() else { continue };
        let written = theirs.write_request(&asked, Addressee::model("m"));
        let said: Value = serde_json::from_str(&written.body).unwrap_or_default();
        let leaves = super::meaning::leaves(&said);
        let missing = super::meaning::leaves(&was["input"]).into_iter().find(|text| !leaves.contains(text));
        if !said.is_object() || missing.is_some() {
            found.push(format!("{} is not told {missing:?}: {}", other.id().name(), short(&written.body)));
        }
    }
    found
}

fn answer(recording: &Recording, embeddings: &dyn Embeddings) -> Vec<String> {
    let mut found = Differences::default();
    let Ok(json) = Json::parse(&recording.bytes) else { return vec!["the answer is no JSON".to_owned()] };
    let embedded = match embeddings.read_answer(json) {
        Ok(embedded) => embedded,
        Err(error) => return vec![format!("not read: {error:?}")],
    };
    let wanted = |name: &str| recording.expect[name].as_u64();
    if let Some(wanted) = wanted("vectors") {
        found.same("vectors", &wanted, &(embedded.vectors.len() as u64));
    }
    let first = embedded.vectors.first().filter(|vector| vector.text().is_none());
    if let (Some(first), Some(wanted)) = (first, wanted("dimensions")) {
        found.same("dimensions", &wanted, &(first.items().count() as u64));
    }
    found.0.extend(super::expected::usage(&recording.expect, &embedded.usage));
    for other in dialect::ALL.iter() {
        if let Some(theirs) = other.embeddings() {
            found.0.extend(told(&embedded, theirs, other.id()));
        }
    }
    found.0
}

/// The answer said in a dialect and read back.
fn told(embedded: &Embedded<'_>, theirs: &dyn Embeddings, id: DialectId) -> Vec<String> {
    let mut found = Differences::default();
    let reply = Reply { delivery: Delivery::Whole, exchange: "x".into(), created: 1, model: "m".into() };
    let mut out = Writer::new();
    theirs.write_answer(&EmbedRequest::new(id), embedded, &reply, &mut out);
    match Json::parse(out.as_str().as_bytes()).map(|json| theirs.read_answer(json)) {
        Ok(Ok(back)) => {
            found.same("vectors read back", &embedded.vectors.len(), &back.vectors.len());
            if id != DialectId::GenerateContent {
                found.same("tokens read back", &embedded.usage.input.unwrap_or(0), &back.usage.input.unwrap_or(0));
            }
        }
        Ok(Err(error)) => found.fault(format!("{} does not read its own words: {error:?}", id.name())),
        Err(error) => found.fault(format!("{} does not say JSON: {error}", id.name())),
    }
    found.0
}
