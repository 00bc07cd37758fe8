//! From a complete request to what is on its way: read once, judged, planned.

use std::rc::Rc;

use super::head::{Head, HeadEdits};
use crate::admission::Grant;
use crate::catalog::{Provider, Service, Target};
use crate::dialect::{self, Addressee, Endpoint, Reply, WriteResponse};
use crate::hub::{Delivery, Request};
use crate::json::{Document, Json, Kind, scan::MAX_TOP_LEVEL_MEMBERS};
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
    /// The client's own body; known to be a request of the endpoint's dialect.
    pub body: Document,
    /// The model asked for.
    pub model: String,
    /// How the answer shall come.
    pub delivery: Delivery,
    /// What was known when it was planned.
    pub snapshot: Rc<Snapshot>,
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
    id: &str,
    began_ms: u64,
    head: Head,
    endpoint: Endpoint,
    body: Vec<u8>,
    grant: &Grant,
    snapshot: &Rc<Snapshot>,
) -> Result<Asked, Refusal> {
    let body = Document::read(body).map_err(Refusal::BadJson)?;
    let json = body.json();
    check_members(json)?;
    let request = dialect::of(endpoint.dialect)
        .read_request(&endpoint, json)
        .map_err(|error| Refusal::BadMember { param: error.param, problem: error.problem })?;
    let model = request.model.decode().into_owned();
    let model = endpoint.model.clone().filter(|_| model.is_empty()).unwrap_or(model);
    if !grant.allows(&model) {
        return Err(Refusal::RouteForbidden(model.chars().filter(|c| !c.is_control()).take(80).collect()));
    }
    let answers = request.sampling.answers.and_then(Json::u64).unwrap_or(1);
    let needs = Needs { dialect: endpoint.dialect, own_dialect_only: answers > 1 };
    let plan = select::plan(&model, needs, snapshot)?;
    let targets = match plan.loss {
        Loss::Warn => plan.targets,
        Loss::Strict => lossless(plan.targets, &request, snapshot)?,
    };
    let delivery = request.delivery;
    let plan = targets.into_iter().map(|target| Planned { target, credential: None }).collect();
    Ok(Asked {
        id: id.to_string(),
        began_ms,
        endpoint,
        head,
        model,
        delivery,
        snapshot: Rc::clone(snapshot),
        plan,
        body,
    })
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

/// The targets to which everything can be said.
fn lossless(targets: Vec<Target>, request: &Request<'_>, snapshot: &Snapshot) -> Result<Vec<Target>, Refusal> {
    let mut unsaid = Vec::new();
    let mut kept = Vec::new();
    for target in targets {
        let service = snapshot.providers.get(target.provider).and_then(|row| select::service(row, request.dialect));
        let Some(service) = service else { continue };
        if service.dialect == request.dialect {
            kept.push(target);
            continue;
        }
        let to = Addressee { model: &target.model, output_limit: target.output_limit };
        let written = dialect::of(service.dialect).write_request(request, to);
        match written.dropped.is_empty() {
            true => kept.push(target),
            false => unsaid = written.dropped,
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
        select::service(self.provider(planned)?, self.endpoint.dialect)
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

    /// A writer for an answer to the client, made from the body alone.
    pub fn writer(&self) -> Box<dyn WriteResponse> {
        let dialect = dialect::of(self.endpoint.dialect);
        let request = dialect.read_request(&self.endpoint, self.body.json());
        // It was readable when it was planned; should it not be, an empty request of the dialect says the same.
        let request = request.unwrap_or_else(|_| Request::new(dialect.id(), self.delivery));
        dialect.writer(&request, self.reply())
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
