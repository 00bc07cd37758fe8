//! From a complete request to what is on its way: read once, judged, planned.

use std::rc::Rc;

use super::content::Content;
use super::head::{Head, HeadEdits};
use crate::admission::Grant;
use crate::catalog::{Operation, Provider, Service, Target};
use crate::dialect::{self, Endpoint, ReadError, Reply, WriteResponse};
use crate::hub::foreign::{self, FullNames};
use crate::hub::{Delivery, Request};
use crate::loss::Losses;
use crate::memory::{Credential, Memory};
use crate::refusal::Refusal;
use crate::select::{self, Needs};
use crate::snapshot::{Loss, Snapshot};

/// What was asked and who may answer. Shared, unchanged, by all attempts.
#[derive(Debug)]
pub struct Asked {
    /// The exchange's id.
    pub id: String,
    /// When it began, in milliseconds since 1970.
    pub began_ms: u64,
    /// The client's endpoint.
    pub endpoint: Endpoint,
    /// The client's own head.
    pub head: Head,
    /// The client's own body; known to be a request of the endpoint's dialect where it is interpreted.
    pub content: Content,
    /// The model asked for; empty when none was.
    pub model: String,
    /// How the answer shall come.
    pub delivery: Delivery,
    /// What was known when it was planned.
    pub snapshot: Rc<Snapshot>,
    /// What to do about loss.
    pub loss: Loss,
    /// Who is asked, in order.
    pub plan: Vec<Planned>,
}

/// One target of a Plan with everything its attempt needs.
#[derive(Debug)]
pub struct Planned {
    /// Who.
    pub target: Target,
    /// The header that authenticates to it; `None` while it is not known, or when it needs none.
    pub credential: Option<Rc<Credential>>,
}

/// Reads, checks and plans.
pub(super) fn plan(
    exchange: &super::Exchange,
    head: Head,
    endpoint: Endpoint,
    body: Vec<u8>,
    grant: &Grant,
    snapshot: &Rc<Snapshot>,
) -> Result<Asked, Refusal> {
    let content = Content::read(endpoint.operation, &head, body)?;
    let wish = wish(&endpoint, &content)?;
    let mut plan = match wish.model.is_empty() {
        false if !grant.allows(&wish.model) => {
            return Err(Refusal::RouteForbidden(wish.model.chars().filter(|c| !c.is_control()).take(80).collect()));
        }
        false => select::plan(&wish.model, wish.needs, snapshot)?,
        // What names no model may be about any model: a batch holds whole requests, a file somebody else's words.
        true if grant.routes.is_some() => return Err(Refusal::RouteForbidden(endpoint.operation.name().into())),
        true => {
            let named = head.get(super::PROVIDER).and_then(|name| core::str::from_utf8(name).ok());
            select::keeper(named, wish.needs, snapshot)?
        }
    };
    if plan.loss == Loss::Strict && endpoint.operation == Operation::Generate {
        plan.targets = lossless(plan.targets, &endpoint, &content, snapshot)?;
    }
    if is_kept(endpoint.operation) {
        plan.targets.truncate(1);
    }
    Ok(Asked {
        id: exchange.id.clone(),
        began_ms: exchange.began_ms,
        endpoint,
        head,
        model: wish.model,
        delivery: wish.delivery,
        loss: plan.loss,
        snapshot: Rc::clone(snapshot),
        plan: plan.targets.into_iter().map(|target| Planned { target, credential: None }).collect(),
        content,
    })
}

/// Whether the provider keeps something of it: then nobody else can take over.
fn is_kept(operation: Operation) -> bool {
    matches!(operation, Operation::Files | Operation::Batches | Operation::Stored)
}

/// What a request asks for, as far as choosing depends on it.
struct Wish {
    /// Empty when it names none.
    model: String,
    delivery: Delivery,
    needs: Needs,
}

fn wish(endpoint: &Endpoint, content: &Content) -> Result<Wish, Refusal> {
    let bad = |error: ReadError| Refusal::BadMember { param: error.param, problem: error.problem };
    let or_path = |model: String| endpoint.model.clone().filter(|_| model.is_empty()).unwrap_or(model);
    let needs = Needs::only(endpoint.dialect, endpoint.operation);
    match endpoint.operation {
        Operation::Generate => {
            let request = dialect::client(endpoint.dialect).read_request(endpoint, content.json()).map_err(bad)?;
            let (tied, abilities, tokens) = (request.tied, request.needs(), request.estimated_tokens());
            let model = named(or_path(request.model.decode().into_owned()))?;
            Ok(Wish { model, delivery: request.delivery, needs: Needs { tied, abilities, tokens, ..needs } })
        }
        Operation::Embed => {
            let embeddings = dialect::of(endpoint.dialect).embeddings().ok_or(Refusal::UnknownPath)?;
            let request = embeddings.read_request(endpoint, content.json()).map_err(bad)?;
            let model = named(or_path(request.model.decode().into_owned()))?;
            Ok(Wish { model, delivery: Delivery::Whole, needs: Needs { tied: request.tied(), ..needs } })
        }
        _ => {
            // The path's word counts: it is what the provider will go by.
            let model = endpoint.model.clone().or_else(|| content.model()).unwrap_or_default();
            Ok(Wish { model, delivery: Delivery::Whole, needs })
        }
    }
}

/// What is interpreted must name a model.
fn named(model: String) -> Result<String, Refusal> {
    match model.is_empty() {
        true => Err(Refusal::BadMember { param: "model".into(), problem: "is missing".into() }),
        false => Ok(model),
    }
}

/// The targets to which everything can be said.
fn lossless(
    targets: Vec<Target>,
    endpoint: &Endpoint,
    content: &Content,
    snapshot: &Snapshot,
) -> Result<Vec<Target>, Refusal> {
    let mut unsaid = Vec::new();
    let mut kept = Vec::new();
    for target in targets {
        let provider = snapshot.providers.get(target.provider);
        let service = provider.and_then(|row| select::service(row, endpoint.dialect, Operation::Generate));
        let Some((provider, service)) = provider.zip(service) else { continue };
        let Ok(request) = dialect::client(endpoint.dialect).read_request(endpoint, content.json()) else { continue };
        let mut losses = Losses::default();
        if service.dialect != endpoint.dialect {
            let names = FullNames::of(&request);
            let maker = snapshot.slot(target.provider).unwrap_or_default();
            let request = foreign::prepare(request, &names, service.dialect, maker, &mut losses);
            losses
                .dropped
                .extend(dialect::of(service.dialect).write_request(&request, target.addressee()).losses.dropped);
        }
        let said = |name: &&String| content.json().get(name).is_some();
        losses.dropped.extend(provider.omit.iter().filter(said).cloned());
        match losses.dropped.is_empty() {
            true => kept.push(target),
            false => unsaid = losses.dropped,
        }
    }
    if kept.is_empty() { Err(Refusal::CannotSay(unsaid)) } else { Ok(kept) }
}

impl Asked {
    /// The provider of a planned target.
    pub fn provider(&self, planned: &Planned) -> Option<&Provider> {
        self.snapshot.providers.get(planned.target.provider)
    }

    /// How that provider is asked.
    pub fn service(&self, planned: &Planned) -> Option<&Service> {
        select::service(self.provider(planned)?, self.endpoint.dialect, self.endpoint.operation)
    }

    /// What a writer needs to know of the exchange.
    pub fn reply(&self) -> Reply {
        Reply {
            delivery: self.delivery,
            exchange: self.id.clone(),
            created: self.began_ms / 1000,
            model: self.model.clone(),
        }
    }

    /// What a planned target's provider is called in marks of proofs (see [`crate::hub::provenance`]).
    pub fn maker(&self, planned: &Planned) -> &str {
        self.snapshot.slot(planned.target.provider).unwrap_or_default()
    }

    /// A writer for an answer to the client, made from the body alone.
    pub fn writer(&self) -> Box<dyn WriteResponse> {
        let client = dialect::client(self.endpoint.dialect);
        let request = client.read_request(&self.endpoint, self.content.json());
        // It was readable when it was planned; should it not be, an empty request of the dialect says the same.
        let request = request.unwrap_or_else(|_| Request::new(self.endpoint.dialect, self.delivery));
        client.writer(&request, self.reply())
    }

    /// Takes credentials out of the worker's memory; gives back the ids of those that are not there.
    pub(super) fn equip(&mut self, memory: &Memory, now_ms: u64) -> Vec<String> {
        let mut missing = Vec::new();
        for planned in &mut self.plan {
            let Some(provider) = self.snapshot.providers.get(planned.target.provider) else { continue };
            if provider.credential.is_empty() {
                continue;
            }
            planned.credential = memory.credential(&provider.credential, now_ms);
            if planned.credential.is_none() && !missing.contains(&provider.credential) {
                missing.push(provider.credential.clone());
            }
        }
        missing
    }

    /// Takes the targets out of the Plan whose credential could not be had.
    pub(super) fn leave_unequipped(&mut self) -> Result<(), Refusal> {
        let snapshot = Rc::clone(&self.snapshot);
        let mut without = String::new();
        self.plan.retain(|planned| {
            let provider = snapshot.providers.get(planned.target.provider);
            let equipped = provider.is_some_and(|row| row.credential.is_empty() || planned.credential.is_some());
            if let (false, Some(provider)) = (equipped, provider) {
                without.clone_from(&provider.id);
            }
            equipped
        });
        if self.plan.is_empty() { Err(Refusal::NoCredential(without)) } else { Ok(()) }
    }

    /// What the router writes into the request's head: the Plan for Envoy, the exchange for the translator.
    pub(super) fn slots(&self) -> HeadEdits {
        let mut edits = HeadEdits { remove: self.head.spoofed().map(<[u8]>::to_vec).collect(), set: Vec::new() };
        for (index, planned) in self.plan.iter().enumerate() {
            let slot = self.snapshot.slot(planned.target.provider).unwrap_or_default();
            edits.set(&format!("{}{}", super::SLOT, index + 1), slot);
        }
        edits.set(super::EXCHANGE, &self.id);
        // Envoy tries exactly as often as there are targets.
        edits.set("x-envoy-max-retries", &(self.plan.len() - 1).to_string());
        edits
    }
}
