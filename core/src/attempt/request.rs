//! What one attempt sends: the head written anew, the original body relayed, edited or interpreted.

use super::Body;
use crate::catalog::{DialectId, Provider};
use crate::dialect::{self, Addressee, Aliases, WriteResponse};
use crate::exchange::{Asked, Header, Planned};
use crate::json::{Json, edit::Edit, edit::edit};

/// The head and body of one attempt.
#[derive(Debug)]
pub struct Outgoing {
    /// Every header, replacing all that are there.
    pub head: Vec<Header>,
    /// The body.
    pub body: Body,
}

/// Headers of the client's that never reach a provider: credentials, what belongs to the client's connection, and what tells
/// where the client sits.
const STRIPPED: [&str; 24] = [
    "authorization",
    "proxy-authorization",
    "x-api-key",
    "x-goog-api-key",
    "api-key",
    "cookie",
    "host",
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "expect",
    "content-length",
    "content-encoding",
    "accept-encoding",
    "content-type",
    "forwarded",
    "via",
    "x-real-ip",
    "x-request-id",
    "origin",
];

/// Headers that mean the same in every dialect.
const NEUTRAL: [&str; 3] = ["user-agent", "traceparent", "tracestate"];

/// What one target is told, and what must be remembered of it for its answer.
pub(super) struct Told {
    body: Body,
    /// Members that could not be said.
    pub(super) dropped: Vec<String>,
    /// What the answer needs.
    pub(super) awaiting: Awaiting,
}

/// What is remembered until the answer's head comes.
#[derive(Default)]
pub(super) struct Awaiting {
    /// Tool names that had to be changed.
    pub(super) aliases: Aliases,
    /// Says the answer to the client. Made while the request is at hand; a relay needs one only when something goes wrong.
    pub(super) writer: Option<Box<dyn WriteResponse>>,
}

impl core::fmt::Debug for Awaiting {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Awaiting").field("aliases", &self.aliases).finish_non_exhaustive()
    }
}

/// Writes the request for a planned target. `None` when the target's provider is not in the Snapshot.
pub(super) fn outgoing(asked: &Asked, planned: &Planned, current: &[Header]) -> Option<(Outgoing, Told)> {
    let provider = asked.provider(planned)?;
    let service = asked.service(planned)?;
    let relay = service.dialect == asked.endpoint.dialect;
    let mut told = match relay {
        true => relayed(asked, planned, provider),
        false => interpreted(asked, planned, provider, service.dialect)?,
    };
    let body = core::mem::replace(&mut told.body, Body::Keep);
    let length = match &body {
        Body::Replace(bytes) => bytes.len(),
        Body::Keep | Body::Hold => asked.body.len(),
    };
    let to = dialect::of(service.dialect);
    let path = to.path(&service.prefix, &planned.target.model, asked.delivery);
    let path = format!("{}{}", provider.origin.base, with_query(path, asked.head.path(), relay));
    let mut head: Vec<Header> = Vec::with_capacity(asked.head.headers.len() + 8);
    let mut push = |name: &str, value: &[u8]| head.push((name.as_bytes().to_vec(), value.to_vec()));
    push(":method", b"POST");
    push(":scheme", if provider.origin.tls { b"https" } else { b"http" });
    push(":authority", provider.origin.authority().as_bytes());
    push(":path", path.as_bytes());
    push("content-type", b"application/json");
    push("content-length", length.to_string().as_bytes());
    // No decompressor can stand behind this filter, and events must be seen as they come.
    push("accept-encoding", b"identity");
    head.extend(asked.head.headers.iter().filter(|(name, _)| passes(name, relay)).cloned());
    for (name, value) in &provider.headers {
        if !head.iter().any(|(known, _)| known == name.as_bytes()) {
            head.push((name.as_bytes().to_vec(), value.as_bytes().to_vec()));
        }
    }
    if let Some(credential) = &planned.credential {
        head.push((credential.header.as_bytes().to_vec(), credential.value.expose().to_vec()));
    }
    // Envoy reads the slots again when it retries, from this very map.
    head.extend(current.iter().filter(|(name, _)| is_envoys(name)).cloned());
    Some((Outgoing { head, body }, told))
}

fn passes(name: &[u8], relay: bool) -> bool {
    let Ok(name) = core::str::from_utf8(name) else { return false };
    let internal = [":", "x-dragoman-", "x-envoy-", "x-forwarded-"].iter().any(|prefix| name.starts_with(prefix));
    let stripped = internal || STRIPPED.contains(&name);
    !stripped && (relay || NEUTRAL.contains(&name))
}

fn is_envoys(name: &[u8]) -> bool {
    name.starts_with(b"x-dragoman-") || name.starts_with(b"x-envoy-") || name == b"x-request-id"
}

/// In its own dialect the client's query goes along (betas stand there); what the dialect itself wrote comes first.
fn with_query(path: String, asked: &str, relay: bool) -> String {
    let query = asked.split_once('?').map_or("", |(_, query)| query);
    let extra: Vec<&str> = query.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("alt=")).collect();
    if !relay || extra.is_empty() {
        return path;
    }
    let joint = if path.contains('?') { '&' } else { '?' };
    format!("{path}{joint}{}", extra.join("&"))
}

/// Same dialect: the very bytes, or the very bytes with the named members changed.
fn relayed(asked: &Asked, planned: &Planned, provider: &Provider) -> Told {
    let dialect = dialect::of(asked.endpoint.dialect);
    let model = dialect.model_member().filter(|_| asked.model != planned.target.model);
    if model.is_none() && provider.omit.is_empty() && provider.rename.is_empty() {
        return Told { body: Body::Keep, dropped: Vec::new(), awaiting: Awaiting::default() };
    }
    let json = asked.body.json();
    let mut edits: Vec<Edit<'_>> = Vec::new();
    if let Some(member) = model {
        edits.push(Edit::Set(member, quoted(&planned.target.model)));
    }
    let dropped = deviations(provider, json, &mut edits);
    let body = if edits.is_empty() { Body::Keep } else { Body::Replace(edit(json, &edits).into_bytes()) };
    Told { body, dropped, awaiting: Awaiting::default() }
}

/// Other dialect: read and said anew.
fn interpreted(asked: &Asked, planned: &Planned, provider: &Provider, to: DialectId) -> Option<Told> {
    let client = dialect::of(asked.endpoint.dialect);
    let request = client.read_request(&asked.endpoint, asked.body.json()).ok()?;
    let addressee = Addressee { model: &planned.target.model, output_limit: planned.target.output_limit };
    let mut written = dialect::of(to).write_request(&request, addressee);
    if !provider.omit.is_empty() || !provider.rename.is_empty() {
        let json = Json::parse(written.body.as_bytes()).ok()?;
        let mut edits = Vec::new();
        let dropped = deviations(provider, json, &mut edits);
        let body = edit(json, &edits);
        written.body = body;
        dropped.iter().for_each(|member| written.drop(member));
    }
    let writer = Some(client.writer(&request, asked.reply()));
    Some(Told {
        body: Body::Replace(written.body.into_bytes()),
        dropped: written.dropped,
        awaiting: Awaiting { aliases: written.aliases, writer },
    })
}

/// The edits that a provider's row asks for; gives back the members that are left out.
fn deviations<'e>(provider: &'e Provider, body: Json<'_>, edits: &mut Vec<Edit<'e>>) -> Vec<String> {
    let mut dropped = Vec::new();
    for name in provider.omit.iter().filter(|name| body.get(name).is_some()) {
        edits.push(Edit::Remove(name));
        dropped.push(name.clone());
    }
    for (name, new) in provider.rename.iter().filter(|(name, _)| body.get(name).is_some()) {
        // A client that says both means the newer word.
        if body.get(new).is_some() {
            edits.push(Edit::Remove(new));
        }
        edits.push(Edit::Rename(name, new));
    }
    dropped
}

fn quoted(text: &str) -> String {
    let mut out = crate::json::Writer::new();
    out.string(text);
    out.into_string()
}
