//! The client's own body: JSON where the gateway must understand it, bytes where it must not.

use core::ops::Range;

use super::head::Head;
use super::preferences::MEMBER;
use crate::catalog::Operation;
use crate::framing::multipart;
use crate::json::edit::{Edit, edit};
use crate::json::{Document, Json, Kind, scan::MAX_TOP_LEVEL_MEMBERS};
use crate::refusal::Refusal;

/// What the client sent.
#[derive(Clone, Debug)]
pub enum Content {
    /// A JSON object whose members policy and provider read alike.
    Json(Document),
    /// The same, once what it said to the gateway was taken out of it.
    Relieved {
        /// What is left.
        document: Document,
        /// What was said.
        said: Document,
    },
    /// Nothing, a form or a file; `model` is where a form names the model.
    Opaque {
        /// The bytes.
        bytes: Vec<u8>,
        /// Where in them the model's name stands.
        model: Option<Range<usize>>,
    },
}

impl Content {
    /// Takes a body. What is interpreted must be JSON; what is relayed may be anything.
    pub(crate) fn read(operation: Operation, head: &Head, bytes: Vec<u8>) -> Result<Content, Refusal> {
        let kind = head.get("content-type").and_then(|kind| core::str::from_utf8(kind).ok()).unwrap_or_default();
        let is_json = kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"));
        let understood = matches!(operation, Operation::Generate | Operation::Embed);
        if understood || (is_json && !bytes.is_empty()) {
            let document = Document::read(bytes).map_err(Refusal::BadJson)?;
            check_members(document.json())?;
            return relieved(document);
        }
        let model = multipart::boundary(kind).and_then(|boundary| multipart::field(&bytes, boundary, "model"));
        Ok(Content::Opaque { bytes, model })
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Content::Json(document) | Content::Relieved { document, .. } => document.text().as_bytes(),
            Content::Opaque { bytes, .. } => bytes,
        }
    }

    /// The JSON; `null` when there is none.
    pub fn json(&self) -> Json<'_> {
        match self {
            Content::Json(document) | Content::Relieved { document, .. } => document.json(),
            Content::Opaque { .. } => Json::NULL,
        }
    }

    /// What it said to the gateway.
    pub(super) fn said(&self) -> Option<Json<'_>> {
        match self {
            Content::Relieved { said, .. } => Some(said.json()),
            Content::Json(_) | Content::Opaque { .. } => None,
        }
    }

    /// Whether these are the very bytes that the client sent.
    pub(crate) fn is_as_sent(&self) -> bool {
        !matches!(self, Content::Relieved { .. })
    }

    /// The model it names, if it names one.
    pub(super) fn model(&self) -> Option<String> {
        match self {
            Content::Json(_) | Content::Relieved { .. } => self.json().get("model").and_then(Json::string),
            Content::Opaque { bytes, model } => {
                let name = core::str::from_utf8(bytes.get(model.clone()?)?).ok()?;
                Some(name.trim().to_string())
            }
        }
    }

    /// The bytes of a form with another model in it.
    pub(crate) fn form_with_model(&self, name: &str) -> Option<Vec<u8>> {
        let Content::Opaque { bytes, model: Some(place) } = self else { return None };
        let (before, after) = (bytes.get(..place.start)?, bytes.get(place.end..)?);
        let mut form = Vec::with_capacity(bytes.len() + name.len());
        form.extend_from_slice(before);
        form.extend_from_slice(name.as_bytes());
        form.extend_from_slice(after);
        Some(form)
    }
}

/// Takes the gateway's own member out, if it is there; every other byte stays.
fn relieved(document: Document) -> Result<Content, Refusal> {
    let Some(said) = document.json().get(MEMBER) else { return Ok(Content::Json(document)) };
    let read = |text: String| Document::read(text.into_bytes()).map_err(Refusal::BadJson);
    let left = edit(document.json(), &[Edit::Remove(MEMBER)]);
    Ok(Content::Relieved { said: read(said.as_str().to_string())?, document: read(left)? })
}

/// Refuses an outermost object whose members policy and provider could read differently: the same name twice, however it is
/// escaped, or a twin in other case of a member that decides policy.
fn check_members(body: Json<'_>) -> Result<(), Refusal> {
    let refuse = |param: String, problem: &str| Err(Refusal::BadMember { param, problem: problem.into() });
    if body.kind() != Kind::Object {
        return refuse("body".into(), "must be a JSON object");
    }
    let names: Vec<_> = body.members().take(MAX_TOP_LEVEL_MEMBERS + 1).map(|(name, _)| name.decode()).collect();
    if names.len() > MAX_TOP_LEVEL_MEMBERS {
        return refuse("body".into(), "has too many members");
    }
    let mut sorted: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    sorted.sort_unstable();
    if let Some([twice, _]) = sorted.array_windows().find(|[one, two]| one == two) {
        return refuse(twice.chars().take(80).collect(), "stands twice");
    }
    let decides = |name: &str| matches!(name, "model" | "stream" | "n") || name.starts_with("max_");
    let twin = sorted.iter().find(|name| {
        let lower = name.to_ascii_lowercase();
        lower != **name && decides(&lower)
    });
    match twin {
        Some(name) => refuse((*name).to_string(), "is not a member; names are in lower case"),
        None => Ok(()),
    }
}
