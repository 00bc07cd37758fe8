//! The paths that clients of this dialect ask for.
//!
//! | path, below `/v1`, `/openai/v1`, `/openai` or nothing | operation |
//! |---|---|
//! | `/chat/completions` | an answer |
//! | `/embeddings`, `/completions`, `/images/…`, `/audio/…`, `/moderations`, `/rerank`, `/files…`, `/batches…` | relayed |
//! | `/models`, `/models/available`, `/models/{id}` | the gateway's own list |
//!
//! Azure's SDK puts the model into the path: `/openai/deployments/{model}/chat/completions`; Groq's begins with `/openai/v1`;
//! `/v2/rerank` is what rerank clients ask for. Ids of models have slashes in them, so the rest of the path is the id.
//!
//! **Hostile paths.** An id of a file goes into the path for the provider, so one that is empty, `.`, `..`, or holds a slash or a
//! control character names no endpoint, and any other is encoded anew.

use crate::catalog::{DialectId, Operation};
use crate::dialect::Endpoint;
use crate::percent;
use crate::refusal::UnknownMethod;

/// What may stand before a path; the longest first.
const PREFIXES: [&str; 3] = ["/openai/v1", "/v1", "/openai"];

/// What stands before the model in Azure's paths.
const DEPLOYMENTS: &str = "/openai/deployments/";

/// Paths of one method and no id.
const FIXED: [(&str, Operation); 11] = [
    ("/chat/completions", Operation::Generate),
    ("/embeddings", Operation::Embed),
    ("/completions", Operation::Complete),
    ("/images/generations", Operation::Images),
    ("/images/edits", Operation::Images),
    ("/images/variations", Operation::Images),
    ("/audio/speech", Operation::Speech),
    ("/audio/transcriptions", Operation::Transcribe),
    ("/audio/translations", Operation::Transcribe),
    ("/moderations", Operation::Moderate),
    ("/rerank", Operation::Rerank),
];

type Found = Option<Result<Endpoint, UnknownMethod>>;

/// The endpoint that a method and a path name.
pub(super) fn find(method: &str, path: &str) -> Found {
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    if let Some((model, below)) = path.strip_prefix(DEPLOYMENTS).and_then(deployment) {
        let found = fixed(method, &below)?;
        return Some(found.map(|endpoint| Endpoint { model: Some(model), ..endpoint }));
    }
    if path == "/v2/rerank" {
        return fixed(method, "/rerank");
    }
    let below = PREFIXES.iter().find_map(|prefix| path.strip_prefix(prefix).filter(|rest| rest.starts_with('/')));
    let below = below.unwrap_or(path);
    fixed(method, below).or_else(|| kept(method, below)).or_else(|| models(method, below))
}

/// The model of one of Azure's paths, and the path below it.
fn deployment(rest: &str) -> Option<(String, String)> {
    let (model, below) = rest.split_once('/')?;
    let model = percent::decoded(model).filter(|model| is_name(model))?;
    Some((model, format!("/{below}")))
}

fn fixed(method: &str, below: &str) -> Found {
    let (path, operation) = FIXED.iter().find(|(path, _)| *path == below)?;
    let rest = if *operation == Operation::Generate { "" } else { path };
    Some(allow(method, "POST", *operation, rest.to_string()))
}

/// Files and batches, which have ids.
fn kept(method: &str, below: &str) -> Found {
    let mut segments = below.strip_prefix('/')?.split('/');
    let (kind, id, what) = (segments.next()?, segments.next(), segments.next());
    if segments.next().is_some() {
        return None;
    }
    let operation = match kind {
        "files" => Operation::Files,
        "batches" => Operation::Batches,
        _ => return None,
    };
    let (allowed, tail) = match (operation, id, what) {
        (_, None, None) => ("GET, POST", String::new()),
        (Operation::Files, Some(id), None) => ("GET, DELETE", segment(id)?),
        (Operation::Files, Some(id), Some("content")) => ("GET", segment(id)? + "/content"),
        (Operation::Batches, Some(id), None) => ("GET", segment(id)?),
        (Operation::Batches, Some(id), Some("cancel")) => ("POST", segment(id)? + "/cancel"),
        _ => return None,
    };
    Some(allow(method, allowed, operation, format!("/{kind}{tail}")))
}

/// An id as a segment of a path, with the slash before it.
fn segment(id: &str) -> Option<String> {
    let id = percent::decoded(id).filter(|id| is_name(id) && !id.contains('/'))?;
    Some(format!("/{}", percent::encoded(&id)))
}

/// Whether a decoded name can stand in a path or in a log.
fn is_name(name: &str) -> bool {
    let dots = name.split('/').any(|segment| matches!(segment, "" | "." | ".."));
    !dots && !name.chars().any(char::is_control)
}

fn models(method: &str, below: &str) -> Found {
    let rest = match below.strip_prefix("/models")? {
        "" => String::new(),
        // Another dialect asks its models below the same path, with a verb behind a colon.
        rest if method != "GET" && rest.contains(':') => return None,
        rest => percent::decoded(rest.strip_prefix('/')?).filter(|id| is_name(id))?,
    };
    Some(allow(method, "GET", Operation::Models, rest))
}

fn allow(method: &str, allowed: &'static str, operation: Operation, rest: String) -> Result<Endpoint, UnknownMethod> {
    match allowed.split(", ").any(|known| known == method) {
        true => Ok(Endpoint { rest, ..Endpoint::of(DialectId::ChatCompletions, operation, "") }),
        false => Err(UnknownMethod { allow: allowed }),
    }
}
