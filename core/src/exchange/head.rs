//! A request's head: what the edge must know before it reads a body.

use super::feedback;
use crate::admission::Caller;
use crate::catalog::{DialectId, Operation};
use crate::dialect::{self, ALL, Endpoint};
use crate::feedback::MAX_OPINION;
use crate::hub::kept::Kept;
use crate::record::Trace;
use crate::refusal::{Refusal, UnknownMethod};

/// Largest request body accepted, in bytes: what the largest of the providers takes. Envoy's own buffer limit is at most this.
pub const MAX_BODY: usize = 32 << 20;

/// A header as bytes: values need not be UTF-8.
pub type Header = (Vec<u8>, Vec<u8>);

/// A header that is somebody else's.
pub type HeaderRef<'a> = (&'a [u8], &'a [u8]);

/// Where the gateway's key stands when the headers for keys have a token of the caller's own for a provider.
const GATEWAY_KEY: &[u8] = b"x-dragoman-key";

/// Headers that may carry a caller's key.
const KEY_HEADERS: [&[u8]; 4] = [b"authorization", b"x-api-key", b"x-goog-api-key", b"api-key"];

/// A header with a key or a token in it.
#[derive(Clone, Copy)]
pub(crate) struct KeyHeader<'h> {
    /// Its name.
    pub(crate) name: &'h [u8],
    /// Its value.
    pub(crate) value: &'h [u8],
    /// The key, with which the value ends.
    pub(crate) key: &'h [u8],
}

/// A request's head, as Envoy hands it out: names in lower case, pseudo-headers among them.
#[derive(Clone, Debug, Default)]
pub struct Head {
    /// All headers, in order.
    pub headers: Vec<Header>,
}

impl Head {
    /// The first value of a header.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(known, _)| known == name.as_bytes()).map(|(_, value)| value.as_slice())
    }

    /// `:path` with its query; empty when it is no UTF-8, which is no path of ours.
    pub fn path(&self) -> &str {
        self.get(":path").and_then(|path| core::str::from_utf8(path).ok()).unwrap_or_default()
    }

    /// The method; empty when it is no UTF-8, which is no method of ours.
    pub fn method(&self) -> &str {
        self.get(":method").and_then(|method| core::str::from_utf8(method).ok()).unwrap_or_default()
    }

    /// Takes the marks of keepers off the ids in the path.
    pub(crate) fn unmark(&mut self) -> Kept {
        let mut kept = Kept::default();
        let path = self.headers.iter_mut().find(|(name, _)| name == b":path").map(|(_, path)| path);
        if let Some(path) = path
            && let Some(plain) = core::str::from_utf8(path).ok().and_then(|text| kept.read_path(text))
        {
            *path = plain.into_bytes();
        }
        kept
    }

    /// The endpoint that the path names.
    pub fn endpoint(&self) -> Result<Endpoint, Refusal> {
        // Some paths belong to several dialects; the client's headers say which one it means.
        let likely = dialect::client(self.likely_dialect());
        let clients = ALL.iter().filter_map(|dialect| dialect.client());
        let mut clients = core::iter::once(likely).chain(clients);
        let endpoint = clients.find_map(|client| client.endpoint(self.method(), self.path()));
        match endpoint {
            None if self.path().split('?').next() == Some(feedback::PATH) => match self.method() {
                "POST" => Ok(Endpoint::of(self.likely_dialect(), Operation::Feedback, "")),
                _ => Err(Refusal::UnknownMethod(UnknownMethod { allow: "POST" })),
            },
            None => Err(Refusal::UnknownPath),
            Some(Ok(endpoint)) => Ok(endpoint),
            Some(Err(unknown)) => Err(Refusal::UnknownMethod(unknown)),
        }
    }

    /// The trace that the client's request is part of (see [`Trace`]); empty when it says none, several or nonsense.
    pub(crate) fn trace(&self) -> String {
        let mut said = self.headers.iter().filter(|(name, _)| name == b"traceparent");
        let (Some((_, value)), None) = (said.next(), said.next()) else { return String::new() };
        let trace = core::str::from_utf8(value).ok().and_then(|value| Trace::read(value.trim()));
        trace.map(|trace| trace.to_string()).unwrap_or_default()
    }

    /// Whether somebody only looks whether anybody is here: agents and load balancers do, without a key.
    pub(crate) fn is_greeting(&self) -> bool {
        matches!(self.method(), "GET" | "HEAD") && self.path() == "/"
    }

    /// Refuses what must not be read: compressed and oversized bodies.
    pub(crate) fn acceptable(&self, operation: Operation) -> Result<(), Refusal> {
        if self.get("content-encoding").is_some_and(|coding| !coding.eq_ignore_ascii_case(b"identity")) {
            return Err(Refusal::CompressedBody);
        }
        let length =
            self.get("content-length").and_then(|length| core::str::from_utf8(length).ok()?.parse::<u64>().ok());
        let limit = if operation == Operation::Feedback { MAX_OPINION } else { MAX_BODY };
        match length {
            // Not `usize`, which is 32 bits in wasm.
            Some(length) if length > limit as u64 => Err(Refusal::TooLarge(limit)),
            _ => Ok(()),
        }
    }

    /// The caller's one key. Several headers may repeat it; different ones are refused, because policy and provider must not
    /// see different callers.
    pub(crate) fn key(&self) -> Result<Vec<u8>, Refusal> {
        let query = self.path().split_once('?').map_or("", |(_, query)| query);
        if query.split('&').any(|pair| pair == "key" || pair.starts_with("key=")) {
            return Err(Refusal::KeyInQuery);
        }
        let found = match self.brings_own() {
            true => self.one_key(&[GATEWAY_KEY])?,
            false => self.one_key(&KEY_HEADERS)?,
        };
        found.map(|found| found.key.to_vec()).ok_or(Refusal::NoKey)
    }

    /// The caller's own token for a provider, where what says who they are stands elsewhere.
    pub(crate) fn brought(&self, caller: &Caller) -> Result<Option<KeyHeader<'_>>, Refusal> {
        let elsewhere = self.brings_own() || matches!(caller, Caller::Workload { .. });
        if elsewhere { self.one_key(&KEY_HEADERS) } else { Ok(None) }
    }

    /// Whether the gateway's key stands in its own header.
    pub(crate) fn brings_own(&self) -> bool {
        self.headers.iter().any(|(name, _)| name == GATEWAY_KEY)
    }

    /// The one key of some headers, in the first that has it.
    fn one_key(&self, headers: &[&[u8]]) -> Result<Option<KeyHeader<'_>>, Refusal> {
        let mut found: Option<KeyHeader<'_>> = None;
        for (name, value) in self.headers.iter().filter(|(name, _)| headers.contains(&name.as_slice())) {
            let value = value.trim_ascii();
            let key = if name == b"authorization" { bearer(value) } else { value };
            match found {
                _ if key.is_empty() => {}
                None => found = Some(KeyHeader { name, value, key }),
                Some(known) if known.key == key => {}
                Some(_) => return Err(Refusal::SeveralKeys),
            }
        }
        Ok(found)
    }

    /// Whether no token but this one can have been found good in the headers for keys. Envoy also finds one in the midst of other
    /// words, and it must not vouch for the one that is read here. Beside the gateway's own header there may stand what is no
    /// token, for it lacks a token's dots, and a whole one of which it is known that it is another's.
    pub(crate) fn brings_only(&self, key: &[u8], is_anothers: impl Fn(&[u8]) -> bool) -> bool {
        let own = self.brings_own();
        let all = self.headers.iter().filter(|(name, _)| KEY_HEADERS.contains(&name.as_slice()));
        all.map(|(_, value)| value.trim_ascii()).all(|value| {
            let harmless = || value.iter().filter(|byte| **byte == b'.').count() < 2;
            let is = |wanted: &dyn Fn(&[u8]) -> bool| wanted(value) || wanted(bearer(value));
            value.is_empty() || is(&|value| value == key) || (own && (harmless() || is(&is_anothers)))
        })
    }

    /// The dialect a client most likely speaks when its path says nothing: told by the headers its SDK sends.
    pub fn likely_dialect(&self) -> DialectId {
        let path = self.path();
        if self.get("anthropic-version").is_some() || path.starts_with("/v1/messages") {
            return DialectId::Messages;
        }
        let google = self.get("x-goog-api-key").is_some() || self.get("x-goog-api-client").is_some();
        match google || path.starts_with("/v1beta/") {
            true => DialectId::GenerateContent,
            false => DialectId::ChatCompletions,
        }
    }

    /// The headers to be taken off at the edge: no client speaks in the gateway's name.
    pub fn spoofed(&self) -> impl Iterator<Item = &[u8]> {
        let internal = |name: &&[u8]| name.starts_with(b"x-dragoman-") || *name == b"x-envoy-max-retries";
        self.headers.iter().map(|(name, _)| name.as_slice()).filter(internal)
    }
}

fn bearer(value: &[u8]) -> &[u8] {
    match value.split_at_checked(7) {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case(b"bearer ") => key.trim_ascii(),
        _ => b"",
    }
}

/// Changes to a head, in the order: remove, then set (replacing every header of that name).
#[derive(Debug, Default, PartialEq, Eq)]
pub struct HeadEdits {
    /// Names to remove.
    pub remove: Vec<Vec<u8>>,
    /// Headers to set.
    pub set: Vec<Header>,
}

impl HeadEdits {
    /// Sets a header.
    pub fn set(&mut self, name: &str, value: &str) {
        self.set.push((name.as_bytes().to_vec(), value.as_bytes().to_vec()));
    }

    /// Sets a header.
    pub fn set_bytes(&mut self, name: &[u8], value: Vec<u8>) {
        self.set.push((name.to_vec(), value));
    }

    /// Removes a header.
    pub fn remove(&mut self, name: &str) {
        self.remove.push(name.as_bytes().to_vec());
    }
}
