//! The paths that clients of this dialect ask at.
//!
//! | path | methods | operation |
//! |---|---|---|
//! | `/messages` | POST | [`Operation::Generate`] |
//! | `/messages/count_tokens` | POST | [`Operation::CountTokens`] |
//! | `/messages/batches` | GET, POST | [`Operation::Batches`] |
//! | `/messages/batches/{id}` | GET, DELETE | [`Operation::Batches`] |
//! | `/messages/batches/{id}/results` | GET | [`Operation::Batches`] |
//! | `/messages/batches/{id}/cancel` | POST | [`Operation::Batches`] |
//! | `/files` | GET, POST | [`Operation::Files`] |
//! | `/files/{id}` | GET, DELETE | [`Operation::Files`] |
//! | `/files/{id}/content` | GET | [`Operation::Files`] |
//! | `/complete` | POST | [`Operation::Complete`] |
//! | `/models`, `/models/available`, `/models/{id}` | GET | [`Operation::Models`] |
//!
//! | `/projects/{}/locations/{}/publishers/{}/models/{model}:rawPredict`, `:streamRawPredict` | POST | [`Operation::Generate`] |
//! | the same with the model `count-tokens` | POST | [`Operation::CountTokens`] |
//!
//! The last two are how a cloud has this dialect: the path says the model and how the answer comes. All of them below `/v1` and `/anthropic/v1`; the first six also below nothing, for clients whose base address ends with
//! the version. An id goes into the path of a request to the provider, so only letters that mean nothing in a path are taken.

use crate::catalog::{DialectId, Operation};
use crate::dialect::Endpoint;
use crate::hub::Delivery;
use crate::percent;
use crate::refusal::UnknownMethod;

/// What may stand before the paths. The longest come first.
const PREFIXES: [&str; 3] = ["/anthropic/v1", "/v1", ""];

/// Longest id of a file or batch. The vendor's have about 30 letters.
const MAX_ID: usize = 256;

const POST: &str = "POST";
const GET: &str = "GET";
const LIST: &str = "GET, POST";
const ONE: &str = "GET, DELETE";

/// The endpoint that a method and a path name.
pub(super) fn find(method: &str, path: &str) -> Option<Result<Endpoint, UnknownMethod>> {
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    let (prefix, rest) = PREFIXES.into_iter().find_map(|prefix| {
        let rest = path.strip_prefix(prefix).filter(|rest| rest.starts_with('/'))?;
        Some((prefix, rest))
    })?;
    if let Some(project) = rest.strip_prefix("/projects/") {
        return Some(answer(method, POST, of_cloud(project)?));
    }
    if prefix.is_empty() && rest != "/messages" && !rest.starts_with("/messages/") {
        return None;
    }
    let (operation, allow) = match rest.strip_prefix("/models") {
        Some("") => return Some(models(method, String::new())),
        Some(id) if id.starts_with('/') => return Some(models(method, model(id.strip_prefix('/')?)?)),
        _ => operation(rest)?,
    };
    let rest = if operation == Operation::Generate { "" } else { rest };
    Some(answer(method, allow, Endpoint::of(DialectId::Messages, operation, rest)))
}

/// The endpoint that a cloud's path below `/projects/` names.
fn of_cloud(project: &str) -> Option<Endpoint> {
    let segments: Vec<&str> = project.split('/').collect();
    let [_, "locations", _, "publishers", _, "models", last] = segments.as_slice() else { return None };
    let last = percent::decoded(last)?;
    let (name, verb) = last.rsplit_once(':')?;
    let delivery = match verb {
        "rawPredict" => Delivery::Whole,
        "streamRawPredict" => Delivery::Streamed,
        _ => return None,
    };
    if name == "count-tokens" {
        return Some(Endpoint::of(DialectId::Messages, Operation::CountTokens, "/messages/count_tokens"));
    }
    let model = is_name(name).then(|| name.to_string());
    model.map(|model| Endpoint {
        model: Some(model),
        delivery: Some(delivery),
        ..Endpoint::generate(DialectId::Messages)
    })
}

/// What a path is for and the methods it takes.
fn operation(rest: &str) -> Option<(Operation, &'static str)> {
    let segments: Vec<&str> = rest.split('/').skip(1).collect();
    Some(match segments.as_slice() {
        ["messages"] => (Operation::Generate, POST),
        ["messages", "count_tokens"] => (Operation::CountTokens, POST),
        ["messages", "batches"] => (Operation::Batches, LIST),
        ["messages", "batches", id] if is_id(id) => (Operation::Batches, ONE),
        ["messages", "batches", id, "results"] if is_id(id) => (Operation::Batches, GET),
        ["messages", "batches", id, "cancel"] if is_id(id) => (Operation::Batches, POST),
        ["files"] => (Operation::Files, LIST),
        ["files", id] if is_id(id) => (Operation::Files, ONE),
        ["files", id, "content"] if is_id(id) => (Operation::Files, GET),
        ["complete"] => (Operation::Complete, POST),
        _ => return None,
    })
}

fn models(method: &str, id: String) -> Result<Endpoint, UnknownMethod> {
    answer(method, GET, Endpoint::of(DialectId::Messages, Operation::Models, &id))
}

/// The name of a model at the end of a path. Names of routes may have slashes in them.
fn model(rest: &str) -> Option<String> {
    percent::decoded(rest).filter(|name| is_name(name))
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(char::is_control)
}

fn answer(method: &str, allow: &'static str, endpoint: Endpoint) -> Result<Endpoint, UnknownMethod> {
    match allow.split(", ").any(|known| known == method) {
        true => Ok(endpoint),
        false => Err(UnknownMethod { allow }),
    }
}

fn is_id(id: &&str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    (1..=MAX_ID).contains(&id.len()) && id.bytes().all(plain) && !id.bytes().all(|byte| byte == b'.')
}
