//! From a complete request to what is on its way: judged once, planned.

use std::rc::Rc;

use super::brought::Brought;
use super::content::Content;
use super::experiment::Taken;
use super::head::Head;
use super::payment::Bounds;
use super::preferences::against;
use super::resting;
use super::signs::Signs;
use super::wish::Wish;
use crate::admission::Grant;
use crate::catalog::{Operation, Provider, Service, Target};
use crate::dialect::{self, Endpoint, Reply, WriteResponse};
use crate::hub::foreign::{self, FullNames};
use crate::hub::{Delivery, Format, Request};
use crate::json::Json;
use crate::loss::Losses;
use crate::memory::{CoolDowns, Credential, CredentialId, Memory};
use crate::preferences::Preferences;
use crate::record::Record;
use crate::refusal::Refusal;
use crate::rule::{Holding, Whom};
use crate::select::{self, Choosing, Judgement, Keeping, MAX_ATTEMPTS, Needs, Resolution, Verdict, choose};
use crate::snapshot::{Choice, Loss, Patience, Snapshot, Thought};

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
    /// What is needed of whoever answers.
    pub needs: Needs,
    /// Whether an answer's ids must say who keeps what they name.
    pub keeping: Keeping,
    /// What it can come to at most.
    pub bounds: Bounds,
    /// What was known when it was planned.
    pub snapshot: Rc<Snapshot>,
    /// What to do about loss.
    pub loss: Loss,
    /// How long to wait, and who else is asked.
    pub patience: Patience,
    /// How much is thought about it, where it leaves that open and its route does not.
    pub thought: Option<Thought>,
    /// The number of its conversation, where its route wants to know who went on with it.
    pub conversation: Option<u64>,
    /// What the caller prefers of whoever answers.
    pub preferences: Preferences,
    /// The way that it goes instead, where there is an experiment with its model.
    pub arm: Option<Taken>,
    /// What rules change.
    pub rules: Holding,
    /// A token of the caller's own.
    pub brought: Option<Brought>,
    /// Who is asked, in order.
    pub plan: Vec<Planned>,
}

/// One target of a Plan with everything its attempt needs.
#[derive(Debug)]
pub struct Planned {
    /// Who.
    pub target: Target,
    /// What opens it to the caller.
    pub opening: Opening,
    /// The header that authenticates to it; `None` while it is not known, or when it needs none.
    pub credential: Option<Rc<Credential>>,
}

/// What opens a provider to a caller. Whoever has a credential of their own uses no other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opening {
    /// Nothing: it is open to everybody.
    Free,
    /// This credential.
    With(CredentialId),
    /// The token that the caller brought for it.
    Brought,
    /// That token, which met its limit there: not before that moment, in milliseconds since 1970.
    Cooling(u64),
    /// Only a credential of the caller's own, and there is none.
    Closed,
}

impl Opening {
    fn of(provider: &Provider, grant: &Grant) -> Opening {
        if !grant.account.is_empty() && grant.own.contains(&provider.id) {
            Opening::With(CredentialId::of_account(&provider.id, &grant.account))
        } else if provider.own_only {
            Opening::Closed
        } else if provider.credential.is_empty() {
            Opening::Free
        } else {
            Opening::With(CredentialId::of_gateway(&provider.credential))
        }
    }
}

impl Planned {
    /// The targets of a Plan for a caller; credentials that the caller did not bring are still to come.
    pub(super) fn all(targets: Vec<Target>, grant: &Grant, snapshot: &Snapshot, bearing: &Bearing<'_>) -> Vec<Planned> {
        let planned = |target: Target| {
            let provider = snapshot.providers.get(target.provider);
            let opening = provider.map_or(Opening::Closed, |provider| {
                bearing.opening(provider).unwrap_or_else(|| Opening::of(provider, grant))
            });
            let brought = bearing.brought.filter(|_| opening == Opening::Brought);
            Planned { target, opening, credential: brought.map(|brought| Rc::clone(&brought.credential)) }
        };
        targets.into_iter().map(planned).collect()
    }

    /// Whether everything is there that it needs.
    pub(super) fn is_equipped(&self) -> bool {
        self.is_opened_by(self.credential.as_ref())
    }

    /// Whether it may be asked with this credential, or with none.
    pub fn is_opened_by(&self, credential: Option<&Rc<Credential>>) -> bool {
        self.opening == Opening::Free || credential.is_some()
    }
}

/// What a caller brought, and what is known of it.
pub(super) struct Bearing<'a> {
    /// A token of the caller's own.
    pub(super) brought: Option<&'a Brought>,
    /// The client's endpoint.
    pub(super) endpoint: &'a Endpoint,
    /// Whom providers want to be left alone by.
    pub(super) cool_downs: &'a CoolDowns,
    /// The time.
    pub(super) now_ms: u64,
}

impl Bearing<'_> {
    /// How the caller's own token opens a provider; `None` when it is not for it, or would have to be told in other words than
    /// its owner's.
    fn opening(&self, provider: &Provider) -> Option<Opening> {
        let brought = self.brought.filter(|brought| brought.is_for(provider))?;
        let service = select::service(provider, self.endpoint.dialect, self.endpoint.operation)?;
        let cooling = self.cool_downs.until(&provider.id, &brought.bearer, self.now_ms);
        let opening = cooling.map_or(Opening::Brought, Opening::Cooling);
        (service.dialect == self.endpoint.dialect).then_some(opening)
    }
}

/// What was read and is to be judged.
pub(crate) struct Sought<'a> {
    /// The client's head.
    pub(crate) head: &'a Head,
    /// The client's endpoint.
    pub(crate) endpoint: &'a Endpoint,
    /// The client's body.
    pub(crate) content: &'a Content,
    /// What it asks for.
    pub(crate) wish: &'a Wish,
}

impl Sought<'_> {
    /// Refuses what the caller may not ask for.
    pub(crate) fn admit(&self, grant: &Grant) -> Result<(), Refusal> {
        match self.wish.model.as_str() {
            // What names no model may be about any model: a batch holds whole requests, a file somebody else's words.
            "" if !grant.allows_every_route() => Err(Refusal::RouteForbidden(self.endpoint.operation.name().into())),
            model if !model.is_empty() && !grant.allows(model) => Err(Refusal::RouteForbidden(select::shown(model))),
            _ => Ok(()),
        }
    }

    /// The rules that hold for this caller.
    pub(crate) fn rules(&self, grant: Option<&Grant>, snapshot: &Snapshot, now_ms: u64) -> Holding {
        let (account, caller) = grant.map_or(("", ""), |grant| (grant.account.as_str(), grant.caller.as_str()));
        Holding::of(&snapshot.rules, &Whom { route: &self.wish.model, account, caller }, now_ms)
    }

    /// What is thought of everybody who might answer; data path and explanation alike go by it. Without a Grant the caller may
    /// use everybody.
    pub(crate) fn judge<'s>(
        &self,
        grant: Option<&Grant>,
        snapshot: &'s Snapshot,
        choosing: &mut Choosing<'_>,
    ) -> Judgement<'s> {
        let Sought { head, endpoint, wish, .. } = self;
        let caller = against(grant, wish, choosing);
        let mut judgement = match wish.model.as_str() {
            "" => {
                let named = head.get(super::PROVIDER).and_then(|name| core::str::from_utf8(name).ok());
                select::judge_keeper(named, wish.needs, snapshot)
            }
            model => {
                let model = wish.arm.as_ref().map_or(model, |arm| arm.to.as_str());
                select::judge_by(model, wish.needs, snapshot, caller)
            }
        };
        if wish.model.is_empty() {
            judgement.strike(|_, target| caller(target, snapshot.providers.get(target.provider)?));
        }
        choosing.affinity = judgement.route.and_then(|route| self.affinity(route.pool.affinity.as_ref()?, grant));
        self.choose(&mut judgement, choosing);
        judgement.arrange(wish.needs.tokens, &wish.preferences, snapshot, choosing);
        if judgement.loss == Loss::Strict && endpoint.operation == Operation::Generate {
            // To say it to many takes long, and no more than these are asked.
            let mut kept = 0;
            judgement.strike(|_, target| {
                let verdict = if kept == MAX_ATTEMPTS { Some(Verdict::Late) } else { self.unsaid(target, snapshot) };
                kept += usize::from(verdict.is_none());
                verdict
            });
        }
        if is_kept(endpoint.operation) {
            judgement.strike(|number, _| (number > 1).then_some(Verdict::NotKeeper));
        }
        judgement.limit();
        judgement
    }

    /// Chooses the models, where the route leaves that to the request.
    fn choose(&self, judgement: &mut Judgement<'_>, choosing: &Choosing<'_>) {
        let Some((choice, signs)) = choice(judgement).zip(self.wish.signs.as_ref()) else { return };
        let Signs { features, wanted, conversation, goes_on, .. } = signs.as_ref();
        let request = choose::Request {
            choice,
            features,
            wanted,
            tokens: self.wish.needs.tokens,
            output_limit: self.wish.output_limit,
            conversation: goes_on.then_some(*conversation),
        };
        judgement.chosen = Some(request.choose(judgement.pool(), choosing));
    }

    /// How much is thought about it by the route's word.
    pub(crate) fn thought(&self, judgement: &Judgement<'_>) -> Option<Thought> {
        let is_open = self.wish.signs.as_ref().is_some_and(|signs| signs.is_open);
        let bucket = judgement.chosen.as_ref().filter(|_| is_open)?.bucket;
        choice(judgement)?.thought(bucket).cloned()
    }

    /// What a strict route says of a target to which not everything can be said.
    fn unsaid(&self, target: &Target, snapshot: &Snapshot) -> Option<Verdict> {
        let Sought { endpoint, content, .. } = self;
        let provider = snapshot.providers.get(target.provider);
        let service = provider.and_then(|row| select::service(row, endpoint.dialect, Operation::Generate));
        let Some((provider, service)) = provider.zip(service) else { return Some(Verdict::NoService) };
        let request = dialect::client(endpoint.dialect).read_request(endpoint, content.json());
        let Ok(request) = request else { return Some(Verdict::NoService) };
        let mut losses = Losses::default();
        if service.dialect != endpoint.dialect {
            let names = FullNames::of(&request);
            let maker = snapshot.slot(target.provider).unwrap_or_default();
            let request = foreign::prepare(request, &names, service.dialect, maker, &mut losses);
            let written = dialect::of(service.dialect).write_request(&request, target.addressee());
            losses.dropped.extend(written.losses.dropped);
        }
        let said = |name: &&String| content.json().get(name).is_some();
        losses.dropped.extend(provider.omit.iter().filter(said).cloned());
        (!losses.dropped.is_empty()).then_some(Verdict::Unsaid(losses.dropped))
    }
}

/// How the model of a route is chosen, where the route is what the client asked for.
fn choice<'s>(judgement: &Judgement<'s>) -> Option<&'s Choice> {
    let asked = matches!(judgement.resolution, Resolution::Route(_));
    judgement.route.filter(|_| asked).and_then(|route| route.choice.as_ref())
}

/// Whether the provider keeps something of it: then nobody else can take over.
fn is_kept(operation: Operation) -> bool {
    matches!(operation, Operation::Files | Operation::Batches | Operation::Stored)
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

    /// What rules want to be said at the answer's end. Nothing where that would break it: in JSON that a program reads, in one of
    /// several answers, and in an answer that is fetched later.
    pub(crate) fn closing(&self) -> Option<String> {
        let text = self.rules.closing(self.endpoint.dialect)?;
        let request = dialect::client(self.endpoint.dialect).read_request(&self.endpoint, self.content.json()).ok()?;
        let plain = matches!(request.format, None | Some(Format::Text));
        let alone = request.sampling.answers.is_none_or(|answers| answers.is_null() || answers.u64() == Some(1));
        let now = self.content.json().get("background").and_then(Json::bool) != Some(true);
        (plain && alone && now).then_some(text)
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

    /// Plans anew for a cheaper route; the client's own word for the model stays in its answer.
    pub(super) fn plan_anew(
        &mut self,
        route: &str,
        grant: &Grant,
        memory: &mut Memory,
        record: &mut Record,
        now_ms: u64,
    ) -> Result<(), Refusal> {
        // A cheaper route is no part of an experiment.
        let arm = self.arm.clone().filter(|_| route == self.model);
        record.arm = arm.as_ref().map(|arm| arm.arm.clone()).unwrap_or_default();
        let wish = Wish { preferences: self.preferences.clone(), arm, ..Wish::of(route.to_string(), self.needs) };
        let sought = Sought { head: &self.head, endpoint: &self.endpoint, content: &self.content, wish: &wish };
        let mut choosing = memory.choosing(&self.id, wish.by(), now_ms);
        let plan = sought.judge(Some(grant), &self.snapshot, &mut choosing).into_plan(&wish.model, wish.needs)?;
        (self.loss, self.patience) = (plan.loss, plan.patience);
        let (brought, endpoint, cool_downs) = (self.brought.as_ref(), &self.endpoint, &memory.cool_downs);
        let bearing = Bearing { brought, endpoint, cool_downs, now_ms };
        self.plan = Planned::all(plan.targets, grant, &self.snapshot, &bearing);
        resting::arrange(&mut self.plan, record, &memory.health, now_ms)
    }

    /// Takes credentials out of the worker's memory; gives back those that are not there.
    pub(super) fn equip(&mut self, memory: &Memory, now_ms: u64) -> Vec<CredentialId> {
        let mut missing = Vec::new();
        for planned in &mut self.plan {
            let Opening::With(which) = &planned.opening else { continue };
            planned.credential = memory.credential(which, now_ms);
            if planned.credential.is_none() && !missing.contains(which) {
                missing.push(which.clone());
            }
        }
        missing
    }

    /// Takes the targets out of the Plan whose credential could not be had.
    pub(super) fn leave_unequipped(&mut self, now_ms: u64) -> Result<(), Refusal> {
        let cooling = self.plan.iter().filter_map(|planned| match planned.opening {
            Opening::Cooling(until) => Some(until),
            _ => None,
        });
        let cooling = cooling.min();
        let without = self.plan.iter().rev().find(|planned| !planned.is_equipped());
        let without = without.and_then(|planned| self.provider(planned)).map(|provider| provider.id.clone());
        self.plan.retain(Planned::is_equipped);
        match (self.plan.is_empty(), cooling) {
            (false, _) => Ok(()),
            (true, Some(until)) => Err(Refusal::Cooling(until.saturating_sub(now_ms))),
            (true, None) => Err(Refusal::NoCredential(without.unwrap_or_default())),
        }
    }
}
