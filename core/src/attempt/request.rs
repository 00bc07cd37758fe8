//! What one attempt sends: the head written anew, the original body relayed, edited or interpreted.

use super::{Body, thought};
use crate::catalog::{DialectId, Operation, Provider, Service};
use crate::dialect::{self, Aliases, WriteResponse};
use crate::exchange::{Asked, Bounds, Content, Header, HeaderRef, Planned, SHADOW};
use crate::hub::foreign::{self, FullNames};
use crate::hub::kept::Kept;
use crate::hub::{Delivery, provenance};
use crate::json::{Json, edit::Edit, edit::edit, write::quoted};
use crate::loss::Losses;
use crate::memory::Credential;
use crate::percent;
use crate::rule::{Changed, GATEWAYS, Touched};

/// What stands for the model's name in a path.
const MODEL: &str = "{model}";

/// What stands for the service's prefix in a relayed path, when that does not begin with it.
const PREFIX: &str = "{prefix}";

/// The head and body of one attempt.
#[derive(Debug)]
pub struct Outgoing {
    /// Every header, replacing all that are there.
    pub head: Vec<Header>,
    /// The body.
    pub body: Body,
}

/// Headers of the client's that never reach a provider, besides the gateway's own.
const STRIPPED: [&str; 3] = ["proxy-authorization", "proxy-connection", "origin"];

/// Headers that mean the same in every dialect.
const NEUTRAL: [&str; 3] = ["user-agent", "traceparent", "tracestate"];

/// Which way a request goes to a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The client's own bytes, with members edited where the provider's row asks for it.
    Relay,
    /// Read, and said anew.
    Interpret,
}

/// How a target is told a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Telling {
    /// In which dialect.
    pub dialect: DialectId,
    /// Which way.
    pub way: Way,
    /// What cannot be said as it was said; `None` when it is not known any more.
    pub losses: Option<Losses>,
    /// What rules change of it.
    pub touched: Vec<Touched>,
}

/// What one target is told, and what must be remembered of it for its answer.
pub(super) struct Told {
    body: Body,
    /// What could not be said as it was said.
    pub(super) losses: Losses,
    /// What the answer needs.
    pub(super) awaiting: Awaiting,
    /// What rules changed.
    touched: Vec<Touched>,
}

impl Told {
    /// The client's own bytes.
    fn as_it_is() -> Told {
        Told { body: Body::Keep, losses: Losses::default(), awaiting: Awaiting::default(), touched: Vec::new() }
    }
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

/// One attempt's request, as far as it is decided: who is asked, and how.
struct Ask<'a> {
    asked: &'a Asked,
    planned: &'a Planned,
    provider: &'a Provider,
    service: &'a Service,
    /// What authenticates it.
    credential: Option<&'a Credential>,
}

/// Writes the request for a planned target. `None` when the target's provider is not in the Snapshot.
pub(super) fn outgoing(
    asked: &Asked,
    planned: &Planned,
    credential: Option<&Credential>,
    current: &[HeaderRef<'_>],
) -> Option<(Outgoing, Told)> {
    let (provider, service) = (asked.provider(planned)?, asked.service(planned)?);
    let ask = Ask { asked, planned, provider, service, credential };
    let own = service.dialect == asked.endpoint.dialect;
    let mut told = ask.tell()?;
    let body = match core::mem::replace(&mut told.body, Body::Keep) {
        // What Envoy holds may still have the marks of keepers in it.
        Body::Keep if asked.needs.kept != Kept::Anywhere && !asked.content.bytes().is_empty() => {
            Body::Replace(asked.content.bytes().to_vec())
        }
        body => body,
    };
    let head = ask.head(own, &body, current);
    Some((Outgoing { head, body }, told))
}

/// How a planned target would be told, without telling it: what the explanation says is what an attempt does.
pub(crate) fn telling(asked: &Asked, planned: &Planned) -> Option<Telling> {
    let (provider, service) = (asked.provider(planned)?, asked.service(planned)?);
    let ask = Ask { asked, planned, provider, service, credential: None };
    let told = ask.tell()?;
    let mut touched = told.touched;
    asked.rules.headed(service.dialect, &mut touched);
    Some(Telling { dialect: service.dialect, way: ask.way(), losses: Some(told.losses), touched })
}

impl Ask<'_> {
    /// Which way the request goes.
    fn way(&self) -> Way {
        let Ask { asked, service, .. } = self;
        let own = service.dialect == asked.endpoint.dialect;
        let relays = match asked.endpoint.operation {
            Operation::Generate => own && !provenance::is_in(asked.content.bytes()),
            Operation::Embed => own && !self.names_model_within(),
            _ => true,
        };
        if relays { Way::Relay } else { Way::Interpret }
    }

    fn tell(&self) -> Option<Told> {
        match (self.way(), self.asked.endpoint.operation) {
            (Way::Relay, _) => Some(self.relayed()),
            (Way::Interpret, Operation::Embed) => self.embedded(),
            (Way::Interpret, _) => self.interpreted(),
        }
    }

    /// The whole head, written anew.
    fn head(&self, own: bool, body: &Body, current: &[HeaderRef<'_>]) -> Vec<Header> {
        let Ask { asked, provider, .. } = self;
        let length = match body {
            Body::Replace(bytes) => bytes.len(),
            Body::Keep | Body::Hold => asked.content.bytes().len(),
        };
        let mut head: Vec<Header> = Vec::with_capacity(asked.head.headers.len() + 8);
        let mut push = |name: &str, value: &[u8]| head.push((name.as_bytes().to_vec(), value.to_vec()));
        push(":method", asked.head.method().as_bytes());
        push(":scheme", if provider.origin.tls { b"https" } else { b"http" });
        push(":authority", provider.origin.authority().as_bytes());
        push(":path", self.path(own).as_bytes());
        match &asked.content {
            Content::Json(_) | Content::Relieved { .. } => push("content-type", b"application/json"),
            Content::Opaque { .. } => {
                if let Some(kind) = asked.head.get("content-type") {
                    push("content-type", kind);
                }
            }
        }
        if length > 0 || asked.head.method() == "POST" {
            push("content-length", length.to_string().as_bytes());
        }
        // No decompressor can stand behind this filter, and events must be seen as they come.
        push("accept-encoding", b"identity");
        head.extend(asked.head.headers.iter().filter(|(name, _)| passes(name, own)).cloned());
        for (name, value) in &provider.headers {
            if !head.iter().any(|(known, _)| known == name.as_bytes()) {
                head.push((name.as_bytes().to_vec(), value.as_bytes().to_vec()));
            }
        }
        for (name, value) in asked.rules.request_headers(self.service.dialect) {
            head.retain(|(known, _)| known != name.as_bytes());
            head.push((name.into_bytes(), value.into_bytes()));
        }
        if let Some(credential) = self.credential {
            // A rule does not know which header authenticates to whom.
            head.retain(|(known, _)| known != credential.header.as_bytes());
            head.push((credential.header.as_bytes().to_vec(), credential.value.expose().to_vec()));
        }
        // Envoy reads the slots again when it retries, from this very map.
        let kept = current.iter().filter(|(name, _)| is_envoys(name));
        head.extend(kept.map(|(name, value)| (name.to_vec(), value.to_vec())));
        head
    }

    /// Where it goes, with the provider's base and the query.
    fn path(&self, own: bool) -> String {
        let Ask { asked, planned, provider, service, .. } = self;
        let (to, model) = (dialect::of(service.dialect), planned.target.model.as_str());
        let with_model = |template: &str| match template.split_once(MODEL) {
            Some((before, after)) => format!("{before}{}{after}", percent::encoded(model)),
            None => template.to_string(),
        };
        let path = match (asked.endpoint.operation, &service.paths) {
            (Operation::Generate, Some(paths)) => match asked.delivery {
                Delivery::Whole => with_model(&paths.whole),
                Delivery::Streamed | Delivery::StreamedArray => with_model(&paths.streamed),
            },
            (Operation::Generate, None) => to.path(&service.prefix, model, asked.delivery),
            (Operation::Embed, _) if !own => self.vectors_path().unwrap_or_default(),
            _ => match asked.endpoint.rest.split_once(PREFIX) {
                // Some put something before the version.
                Some((before, after)) => format!("{before}{}{}", service.prefix, with_model(after)),
                None => format!("{}{}", service.prefix, with_model(&asked.endpoint.rest)),
            },
        };
        format!("{}{}", provider.origin.base, with_query(path, asked.head.path(), own))
    }

    /// Where another dialect's vectors are asked for.
    fn vectors_path(&self) -> Option<String> {
        let Ask { asked, planned, service, .. } = self;
        let own = dialect::of(asked.endpoint.dialect).embeddings()?;
        let request = own.read_request(&asked.endpoint, asked.content.json()).ok()?;
        let theirs = dialect::of(service.dialect).embeddings()?;
        Some(theirs.path(&service.prefix, &planned.target.model, &request))
    }

    /// Same dialect: the very bytes, or the very bytes with the named members changed.
    fn relayed(&self) -> Told {
        let Ask { asked, planned, .. } = self;
        let json = match &asked.content {
            Content::Json(document) | Content::Relieved { document, .. } => document.json(),
            Content::Opaque { .. } if asked.model == planned.target.model => return Told::as_it_is(),
            Content::Opaque { .. } => {
                let body = asked.content.form_with_model(&planned.target.model).map_or(Body::Keep, Body::Replace);
                return Told { body, ..Told::as_it_is() };
            }
        };
        let mut losses = Losses::default();
        let ruled = self.ruled(json);
        let thoughtful = self.thoughtful(ruled.body.as_deref().map_or(json, Json::trusted));
        let changed = thoughtful.or(ruled.body);
        let json = changed.as_deref().map_or(json, Json::trusted);
        let edits = self.edits(json, &mut losses);
        let body = match (edits.is_empty(), changed.is_some() || !asked.content.is_as_sent()) {
            (true, false) => Body::Keep,
            (true, true) => Body::Replace(json.as_str().as_bytes().to_vec()),
            (false, _) => Body::Replace(edit(json, &edits).into_bytes()),
        };
        Told { body, losses, awaiting: Awaiting::default(), touched: ruled.touched }
    }

    /// The body with how much is thought about it, where the request leaves that open and its route does not.
    fn thoughtful(&self, body: Json<'_>) -> Option<String> {
        let Ask { asked, planned, service, .. } = self;
        let Bounds { words, output, .. } = asked.bounds;
        let said = thought::said(asked.thought.as_ref()?, &planned.target, service.dialect, words, output)?;
        thought::written(body, said, service.dialect)
    }

    /// What rules make of a request in the target's dialect. What is not generated is nothing that they know.
    fn ruled(&self, json: Json<'_>) -> Changed {
        match self.asked.endpoint.operation {
            Operation::Generate => self.asked.rules.change(self.service.dialect, json),
            _ => Changed::default(),
        }
    }

    /// Read and said anew: in another dialect, or in the same one without the proofs that the target cannot check.
    fn interpreted(&self) -> Option<Told> {
        let Ask { asked, planned, service, .. } = self;
        let client = dialect::client(asked.endpoint.dialect);
        let request = client.read_request(&asked.endpoint, asked.content.json()).ok()?;
        let writer = Some(client.writer(&request, asked.reply()));
        let names = FullNames::of(&request);
        let mut losses = Losses::default();
        let request = foreign::prepare(request, &names, service.dialect, asked.maker(planned), &mut losses);
        let mut written = dialect::of(service.dialect).write_request(&request, planned.target.addressee());
        losses.add(written.losses);
        let ruled = self.ruled(Json::trusted(&written.body));
        written.body = ruled.body.unwrap_or(written.body);
        written.body = self.thoughtful(Json::trusted(&written.body)).unwrap_or(written.body);
        self.deviate(&mut written.body, &mut losses)?;
        let awaiting = Awaiting { aliases: written.aliases, writer };
        Some(Told { body: Body::Replace(written.body.into_bytes()), losses, awaiting, touched: ruled.touched })
    }

    /// Vectors asked for in another dialect.
    fn embedded(&self) -> Option<Told> {
        let Ask { asked, planned, service, .. } = self;
        let own = dialect::of(asked.endpoint.dialect).embeddings()?;
        let request = own.read_request(&asked.endpoint, asked.content.json()).ok()?;
        let theirs = dialect::of(service.dialect).embeddings()?;
        let mut written = theirs.write_request(&request, planned.target.addressee());
        self.deviate(&mut written.body, &mut written.losses)?;
        let awaiting = Awaiting::default();
        let body = Body::Replace(written.body.into_bytes());
        Some(Told { body, losses: written.losses, awaiting, touched: Vec::new() })
    }

    /// Makes a body that we wrote what the provider's row asks for.
    fn deviate(&self, body: &mut String, losses: &mut Losses) -> Option<()> {
        let Provider { omit, rename, set, .. } = self.provider;
        if omit.is_empty() && rename.is_empty() && set.is_empty() && self.service.paths.is_none() {
            return Some(());
        }
        let json = Json::parse(body.as_bytes()).ok()?;
        let edits = self.edits(json, losses);
        let edited = edit(json, &edits);
        *body = edited;
        Some(())
    }

    /// The edits that make a body of the service's dialect this provider's: its model's name and its row's deviations.
    fn edits(&self, body: Json<'_>, losses: &mut Losses) -> Vec<Edit<'_>> {
        let Ask { planned, provider, service, asked, .. } = self;
        let mut edits = Vec::new();
        let member = dialect::of(service.dialect).model_member();
        let said = |name: &str| body.get(name).and_then(Json::text);
        match member {
            // The path says it.
            Some(name) if self.is_in_path() => edits.extend(said(name).map(|_| Edit::Remove(name))),
            Some(name) if !planned.target.model.is_empty() => {
                // A client's path that names the model is not the provider's, unless it is passed on.
                let gone = asked.endpoint.model.is_some() && !asked.endpoint.rest.contains(MODEL);
                let needed = asked.endpoint.operation == Operation::Generate || gone || said(name).is_some();
                if needed && !said(name).is_some_and(|text| text.is(&planned.target.model)) {
                    edits.push(Edit::Set(name, quoted(&planned.target.model)));
                }
            }
            _ => {}
        }
        for name in provider.omit.iter().filter(|name| body.get(name).is_some()) {
            edits.push(Edit::Remove(name));
            losses.drop(name);
        }
        for (name, new) in provider.rename.iter().filter(|(name, _)| body.get(name).is_some()) {
            // A client that says both means the newer word.
            if body.get(new).is_some() {
                edits.push(Edit::Remove(new));
            }
            edits.push(Edit::Rename(name, new));
        }
        for (name, value) in provider.set.iter().filter(|(name, _)| body.get(name).is_none()) {
            edits.push(Edit::Set(name, value.clone()));
        }
        edits
    }

    /// Whether the model to be asked has another name than the client's, in a dialect that repeats it where no edit of one
    /// member reaches.
    fn names_model_within(&self) -> bool {
        self.asked.model != self.planned.target.model && dialect::of(self.service.dialect).model_member().is_none()
    }

    /// Whether the provider's own path names the model.
    fn is_in_path(&self) -> bool {
        let generates = self.asked.endpoint.operation == Operation::Generate;
        generates && self.service.paths.as_ref().is_some_and(|paths| paths.whole.contains(MODEL))
    }
}

fn passes(name: &[u8], relay: bool) -> bool {
    let Ok(name) = core::str::from_utf8(name) else { return false };
    let internal = [":", "x-dragoman-", "x-envoy-", "x-forwarded-"].iter().any(|prefix| name.starts_with(prefix));
    let stripped = internal || GATEWAYS.contains(&name) || STRIPPED.contains(&name);
    !stripped && (relay || NEUTRAL.contains(&name))
}

fn is_envoys(name: &[u8]) -> bool {
    // Who else is asked is no provider's business, nor that Envoy calls a mirrored request its own.
    let is_shadows = name.starts_with(SHADOW.as_bytes()) || name == b"x-envoy-internal";
    let prefixes = [&b"x-dragoman-"[..], b"x-envoy-", b"x-request-id"];
    !is_shadows && prefixes.iter().any(|prefix| name.starts_with(prefix))
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
