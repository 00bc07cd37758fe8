//! Which endpoint a method and a path name.
//!
//! | path, below a version | methods | for |
//! |---|---|---|
//! | `/models/{model}:{verb}` | POST | what [`VERBS`] says of the verb |
//! | `/tunedModels/{model}:{verb}` | POST | an answer; the model keeps its collection in its name |
//! | `/models`, `/models/{model}` | GET | which models there are |
//! | `/files…`, `/upload/{version}/files` | those of [`COLLECTIONS`] | files |
//! | `/cachedContents…`, `/tunedModels…`, `/batches…`, `/fileSearchStores…` | those of [`COLLECTIONS`] | relayed |
//!
//! On Vertex AI all of it stands below `/projects/{project}/locations/{location}`, and models below `/publishers/{publisher}`
//! (also without a project). The publisher of this very API says nothing; another one becomes part of the model's name.
//!
//! Limits: names with control characters and paths that climb (`..`, however escaped) are nobody's.

use crate::catalog::{DialectId, Operation};
use crate::dialect::Endpoint;
use crate::hub::Delivery;
use crate::percent;
use crate::refusal::UnknownMethod;

/// The versions of the API whose paths are alike; the last is the other service's.
const VERSIONS: [&str; 4] = ["v1beta", "v1", "v1alpha", "v1beta1"];

/// The publisher whose models are named without it.
const PUBLISHER: &str = "google";

/// What can be asked of a model.
const VERBS: [(&str, Operation); 12] = [
    ("generateContent", Operation::Generate),
    ("streamGenerateContent", Operation::Generate),
    ("countTokens", Operation::CountTokens),
    ("computeTokens", Operation::CountTokens),
    ("embedContent", Operation::Embed),
    ("batchEmbedContents", Operation::Embed),
    ("batchGenerateContent", Operation::Batches),
    ("asyncBatchEmbedContent", Operation::Batches),
    ("predict", Operation::Images),
    ("predictLongRunning", Operation::Images),
    ("generateImages", Operation::Images),
    ("editImage", Operation::Images),
];

/// What the provider keeps.
const COLLECTIONS: [(&str, Operation); 5] = [
    ("files", Operation::Files),
    ("cachedContents", Operation::Stored),
    ("tunedModels", Operation::Stored),
    ("fileSearchStores", Operation::Stored),
    ("batches", Operation::Batches),
];

/// The name of an answer's collection of models, besides `models`.
pub(super) const TUNED: &str = "tunedModels/";

/// The endpoint, or that the path takes other methods only.
pub(super) fn endpoint(method: &str, path: &str) -> Option<Result<Endpoint, UnknownMethod>> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let path = path.strip_prefix('/')?;
    if let Some(rest) = path.strip_prefix("upload/") {
        let (version, rest) = rest.split_once('/')?;
        let ours = VERSIONS.contains(&version) && rest == "files";
        return ours.then(|| only(method, "POST", relayed(Operation::Files, "/upload{prefix}/files")));
    }
    let (version, rest) = path.split_once('/')?;
    if !VERSIONS.contains(&version) {
        return None;
    }
    let (publisher, rest) = below(rest)?;
    if let Some(name) = rest.strip_prefix("models/") {
        return model(method, name, query, publisher);
    }
    if rest == "models" {
        return Some(only(method, "GET", relayed(Operation::Models, "")));
    }
    if let Some(name) = rest.strip_prefix(TUNED)
        && let Some((_, (verb, Operation::Generate))) = spoken(&percent::decoded(name)?)
    {
        let name = percent::decoded(name)?;
        let (name, _) = name.rsplit_once(':')?;
        let endpoint = generate(is_name(name).then(|| format!("{TUNED}{name}"))?, delivery(verb, query));
        return Some(only(method, "POST", endpoint));
    }
    collection(method, rest)
}

/// Takes off where on Vertex AI it is; gives the publisher, if one is named.
fn below(rest: &str) -> Option<(Option<&str>, &str)> {
    let rest = match rest.strip_prefix("projects/") {
        None => rest,
        Some(rest) => {
            let mut segments = rest.splitn(4, '/');
            let (_project, word, _location) = (segments.next()?, segments.next()?, segments.next()?);
            (word == "locations").then_some(())?;
            segments.next()?
        }
    };
    match rest.strip_prefix("publishers/") {
        None => Some((None, rest)),
        Some(rest) => rest.split_once('/').map(|(publisher, rest)| (Some(publisher), rest)),
    }
}

fn model(method: &str, name: &str, query: &str, publisher: Option<&str>) -> Option<Result<Endpoint, UnknownMethod>> {
    let name = percent::decoded(name)?;
    let (name, spoken) = match spoken(&name) {
        Some((name, spoken)) => (name, Some(spoken)),
        None => (name.as_str(), None),
    };
    let name = name.strip_prefix("models/").unwrap_or(name);
    if !is_name(name) {
        return None;
    }
    let name = match publisher {
        None | Some(PUBLISHER) => name.to_string(),
        Some(other) => format!("{other}/{name}"),
    };
    Some(match spoken {
        Some((verb, Operation::Generate)) => only(method, "POST", generate(name, delivery(verb, query))),
        Some((verb, operation)) => {
            let rest = format!("/models/{{model}}:{verb}");
            only(method, "POST", Endpoint { model: Some(name), ..relayed(operation, &rest) })
        }
        // A verb that nobody knows is not a question about a model of that name.
        None if method == "POST" && name.contains(':') => return None,
        None => only(method, "GET", relayed(Operation::Models, &name)),
    })
}

/// A model's name and the verb behind it, when it is a known one.
fn spoken(name: &str) -> Option<(&str, (&'static str, Operation))> {
    let (name, verb) = name.rsplit_once(':')?;
    VERBS.iter().find(|(known, _)| *known == verb).map(|spoken| (name, *spoken))
}

fn collection(method: &str, rest: &str) -> Option<Result<Endpoint, UnknownMethod>> {
    let (name, below) = rest.split_once('/').map_or((rest, None), |(name, below)| (name, Some(below)));
    let (_, operation) = COLLECTIONS.iter().find(|(known, _)| *known == name)?;
    let allow = match below {
        None => "GET, POST",
        Some(below) if below.contains(':') => "GET, POST",
        Some(below) if below.contains('/') => "GET, POST, PATCH, DELETE",
        Some(_) => "GET, PATCH, DELETE",
    };
    below.unwrap_or("_").split('/').all(is_segment).then_some(())?;
    Some(only(method, allow, relayed(*operation, &format!("/{rest}"))))
}

fn only(method: &str, allow: &'static str, endpoint: Endpoint) -> Result<Endpoint, UnknownMethod> {
    match allow.split(", ").any(|one| one == method) {
        true => Ok(endpoint),
        false => Err(UnknownMethod { allow }),
    }
}

fn relayed(operation: Operation, rest: &str) -> Endpoint {
    Endpoint::of(DialectId::GenerateContent, operation, rest)
}

fn generate(model: String, delivery: Delivery) -> Endpoint {
    Endpoint { model: Some(model), delivery: Some(delivery), ..Endpoint::generate(DialectId::GenerateContent) }
}

fn delivery(verb: &str, query: &str) -> Delivery {
    let is_sse = query.split('&').any(|pair| matches!(pair, "alt=sse" | "$alt=sse" | "%24alt=sse"));
    match (verb, is_sse) {
        ("streamGenerateContent", true) => Delivery::Streamed,
        ("streamGenerateContent", false) => Delivery::StreamedArray,
        _ => Delivery::Whole,
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(char::is_control)
}

/// Whether a segment may be passed on as it is: it names something in its collection and cannot leave it.
fn is_segment(segment: &str) -> bool {
    percent::decoded(segment).is_some_and(|name| {
        let leaves = name == "." || name == ".." || name.contains(['/', '\\']);
        is_name(&name) && !leaves
    })
}
