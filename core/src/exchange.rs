//! One client request, from its head to its Record: the machine that the router filter drives.
//!
//! ```text
//!            head                 key unknown            body complete          credentials missing
//!  begin ──────────▶ Reading ───────────────▶ Ask ─┐  ┌───────────────▶ plan ─────────────────────▶ Ask ─┐
//!    │                  ▲                          │  │                  │                              │
//!    │ Refuse           └──────────────────────────┘  │                  ▼                              │
//!    ▼                                                                 Send ◀───────────────────────────┘
//!  Refused                                                               │  attempts (see `attempt`)
//!                                                                        ▼
//!                                             response head ──▶ closed ──▶ Record
//! ```
//!
//! The machine decides; the filter carries. Everything it needs to know comes as an argument: the head, the body, what the
//! worker remembers ([`Memory`]) and the time.

mod affinity;
mod answering;
mod brought;
mod content;
mod experiment;
mod feedback;
mod head;
mod hedge;
mod models;
mod patience;
mod payment;
mod plan;
mod preferences;
mod presented;
mod rate_limits;
mod reply;
mod resting;
mod sending;
mod shadow;
mod signs;
mod step;
mod waiting;
mod walk;
mod wish;

use core::net::IpAddr;
use std::rc::Rc;

use crate::admission::Grant;
use crate::catalog::{DialectId, Operation};
use crate::dialect::Endpoint;
use crate::hub::kept::Kept;
use crate::memory::{Memory, Standing};
use crate::record::Record;
use crate::refusal::Refusal;

pub use brought::Brought;
pub use content::Content;
pub use experiment::Taken;
use feedback::Telling;
pub use head::{Head, HeadEdits, Header, HeaderRef, MAX_BODY};
use hedge::Hedging;
pub use hedge::{HOP, Hop};
pub use payment::Bounds;
use payment::Payment;
pub(crate) use plan::Sought;
pub use plan::{Asked, Opening, Planned};
pub(crate) use preferences::permit;
pub use presented::Evidence;
use presented::Presented;
use rate_limits::RateLimits;
pub use reply::{LocalReply, error_reply};
pub(crate) use resting::foresee;
pub use shadow::{SHADOW, SHADOW_EXCHANGE};
pub use step::{FinalHead, Question, Step};
use walk::Walk;
pub use walk::{After, MAX_WALK, Turn};
pub(crate) use wish::Wish;

/// Header that tells the client which exchange it was.
pub const REQUEST_ID: &str = "x-dragoman-request-id";
/// Header that names the exchange to the translator; no client's survives.
pub const EXCHANGE: &str = "x-dragoman-exchange";
/// Prefix of the headers that name the clusters of the Plan in order (see [`crate::catalog::slot`]), `-1` first.
pub const SLOT: &str = "x-dragoman-try-";
/// Request header by which a caller names the provider for what names no model, such as a file; it goes no further.
pub const PROVIDER: &str = "x-dragoman-provider";
/// Response header by which an attempt tells Envoy to try the next target.
pub const RETRY: &str = "x-dragoman-retry";

/// How far the request has come.
#[derive(Debug)]
enum Phase {
    /// The key or the body is still awaited.
    Reading { admission: Admission, body: Option<Vec<u8>> },
    /// It is decided who answers; `asked` once credentials were asked for.
    Planned { asked: Box<Asked>, questions: Questions },
    /// It is on its way.
    Sent(Rc<Asked>),
    /// What its caller says of another exchange is on its way to the control plane.
    Telling(Telling),
    /// The gateway has answered itself.
    Answered,
}

#[derive(Debug)]
enum Admission {
    Unasked,
    Asked,
    Granted(Rc<Grant>),
}

#[derive(Debug, PartialEq, Eq)]
enum Questions {
    Unasked,
    Asked,
}

/// One client request and its answer.
#[derive(Debug)]
pub struct Exchange {
    id: String,
    began_ms: u64,
    head: Head,
    /// Who keeps what the path names.
    kept: Kept,
    endpoint: Option<Endpoint>,
    presented: Presented,
    grant: Option<Rc<Grant>>,
    /// Where the client is, once somebody looked; `None` in it when nobody can know.
    source: Option<Option<IpAddr>>,
    payment: Payment,
    rate_limits: RateLimits,
    phase: Phase,
    walk: Walk,
    /// How far it has come, where it may be hedged.
    hedging: Option<Hedging>,
    record: Record,
    /// The attempt whose answer is being passed to the client, from 1; 0 while there is none.
    answering: usize,
    /// That attempt is over.
    is_answered: bool,
    /// Attempts whose target has rejected a credential of which another can be had.
    rejected: Vec<usize>,
    /// What is to be said of an answer whose head came without a body.
    unsaid: Option<Vec<u8>>,
    /// Whether it waits until somebody may be asked.
    turn: waiting::Turn,
    /// Attempts that have begun and not ended.
    running: usize,
    /// The client's side is over.
    closed: bool,
}

impl Exchange {
    /// Takes a request's head. `id` is made by the data plane and unique.
    pub fn begin(mut head: Head, id: String, memory: &mut Memory, now_ms: u64) -> (Exchange, Step) {
        let kept = head.unmark();
        let endpoint = head.endpoint();
        let mut exchange = Exchange::new(head, id, endpoint.as_ref().ok().cloned(), now_ms);
        exchange.kept = kept;
        if exchange.head.is_greeting() {
            exchange.phase = Phase::Answered;
            exchange.record.status = 200;
            let step = Step::Reply(reply::greeting(&exchange.id));
            return (exchange, step);
        }
        let presented = endpoint.and_then(|endpoint| exchange.head.acceptable(endpoint.operation));
        let presented = presented.and_then(|()| Presented::of(&exchange.head, memory.snapshot().map(Rc::as_ref)));
        let step = match presented {
            Err(refusal) => exchange.refuse(refusal),
            Ok(presented) => {
                exchange.presented = presented;
                exchange.advance(memory, now_ms)
            }
        };
        (exchange, step)
    }

    /// One of which nothing else is known.
    fn new(head: Head, id: String, endpoint: Option<Endpoint>, now_ms: u64) -> Exchange {
        let mut exchange = Exchange {
            began_ms: now_ms,
            endpoint,
            presented: Presented::Nothing,
            grant: None,
            source: None,
            payment: Payment::default(),
            rate_limits: RateLimits::default(),
            phase: Phase::Reading { admission: Admission::Unasked, body: None },
            walk: Walk::default(),
            hedging: None,
            record: Record { exchange: id.clone(), began_ms: now_ms, trace: head.trace(), ..Record::default() },
            answering: 0,
            is_answered: false,
            rejected: Vec::new(),
            unsaid: None,
            turn: waiting::Turn::default(),
            running: 0,
            closed: false,
            id,
            head,
            kept: Kept::Anywhere,
        };
        exchange.record.dialect = exchange.dialect().name().to_string();
        let operation = exchange.endpoint.as_ref().map(|endpoint| endpoint.operation.name());
        exchange.record.operation = operation.unwrap_or_default().to_string();
        exchange
    }

    /// The bucket for which it has a Plan; `none` where its route leaves nothing to the request.
    pub fn planned_for(&self) -> Option<&'static str> {
        let has_plan = matches!(self.phase, Phase::Planned { .. } | Phase::Sent(_));
        has_plan.then(|| self.record.chosen.as_ref().map_or("none", |chosen| chosen.bucket.name()))
    }

    /// The gateway-made id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The client's dialect, or the likeliest one when its path is nobody's.
    pub fn dialect(&self) -> DialectId {
        self.endpoint.as_ref().map_or_else(|| self.head.likely_dialect(), |endpoint| endpoint.dialect)
    }

    /// Takes the whole body.
    pub fn body(&mut self, bytes: Vec<u8>, memory: &mut Memory, now_ms: u64) -> Step {
        match &mut self.phase {
            Phase::Reading { body, .. } => *body = Some(bytes),
            _ => return Step::Wait,
        }
        self.advance(memory, now_ms)
    }

    /// Goes as far as what is remembered allows. Called when something new is known, or is known not to come.
    pub fn advance(&mut self, memory: &mut Memory, now_ms: u64) -> Step {
        match self.try_advance(memory, now_ms) {
            Ok(step) => step,
            Err(refusal) => self.wait(&refusal, memory, now_ms).unwrap_or_else(|| {
                self.leave_queue(memory, false);
                self.refuse(refusal)
            }),
        }
    }

    fn try_advance(&mut self, memory: &mut Memory, now_ms: u64) -> Result<Step, Refusal> {
        if let Phase::Reading { admission, body } = &mut self.phase {
            let grant = match admission {
                Admission::Granted(grant) => Rc::clone(grant),
                Admission::Unasked | Admission::Asked => {
                    if let Some(evidence) = self.presented.evidence() {
                        return Ok(Step::Identify(evidence));
                    }
                    let Presented::Proven(caller) = &self.presented else { return Err(Refusal::NoKey) };
                    match (memory.standing(&caller.digest(), now_ms), &admission) {
                        (Standing::Granted(grant), _) => {
                            *admission = Admission::Granted(Rc::clone(&grant));
                            grant
                        }
                        (Standing::Refused, _) => return Err(presented::unknown(caller)),
                        (Standing::Unknown, Admission::Unasked) => {
                            *admission = Admission::Asked;
                            return Ok(Step::Ask(vec![presented::question(caller)]));
                        }
                        (Standing::Unknown, _) => return Ok(Step::Wait),
                    }
                }
            };
            self.record.caller.clone_from(&grant.caller);
            self.record.account.clone_from(&grant.account);
            self.grant = Some(Rc::clone(&grant));
            if grant.is_bound_to_networks() {
                let Some(source) = self.source else { return Ok(Step::Locate) };
                if !grant.allows_source(source) {
                    return Err(Refusal::SourceForbidden);
                }
            }
            if let Some(endpoint) = self.endpoint.as_ref().filter(|endpoint| endpoint.operation == Operation::Models) {
                let snapshot = memory.snapshot().ok_or(Refusal::NotReady)?;
                let reply = models::answer(endpoint, &grant, snapshot, &self.id)?;
                self.record.status = reply.status;
                self.phase = Phase::Answered;
                return Ok(Step::Reply(reply));
            }
            let Some(body) = body.take() else { return Ok(Step::Wait) };
            if self.endpoint.as_ref().is_some_and(|endpoint| endpoint.operation == Operation::Feedback) {
                return self.tell(body, &grant);
            }
            let mut asked = self.plan(body, &grant, memory)?;
            let rested = resting::arrange(&mut asked.plan, &mut self.record, &memory.health, self.began_ms);
            self.phase = Phase::Planned { asked: Box::new(asked), questions: Questions::Unasked };
            rested?;
        } else if let Phase::Telling(_) = self.phase {
            return self.acknowledge();
        } else {
            self.try_again(memory, now_ms)?;
        }
        self.equip(memory, now_ms)
    }

    /// Where the client is, by the connection that it came on; `None` when nobody can know.
    pub fn comes_from(&mut self, source: Option<IpAddr>) {
        self.source = Some(source);
    }

    /// What the host says of [`Step::Identify`]; `None` when it knows of nothing.
    pub fn is_proven_by(&mut self, said: Option<&[u8]>, memory: &mut Memory, now_ms: u64) -> Step {
        let presented = core::mem::replace(&mut self.presented, Presented::Nothing);
        match presented.proven_by(said, memory.snapshot().map(Rc::as_ref)) {
            Err(refusal) => self.refuse(refusal),
            Ok(presented) => {
                self.presented = presented;
                self.advance(memory, now_ms)
            }
        }
    }

    /// The control plane did not answer: nothing more will be known.
    pub fn unanswered(&mut self) -> Step {
        match &self.phase {
            Phase::Reading { admission: Admission::Unasked | Admission::Asked, .. } => {
                self.refuse(Refusal::ControlPlaneAway)
            }
            Phase::Telling(_) => self.refuse(Refusal::Unheard),
            _ => Step::Wait,
        }
    }

    /// What was asked, once it is on its way.
    pub fn asked(&self) -> Option<Rc<Asked>> {
        match &self.phase {
            Phase::Sent(asked) => Some(Rc::clone(asked)),
            _ => None,
        }
    }

    /// The client's side is over: answered, refused or left.
    pub fn close(&mut self) {
        self.closed = true;
    }

    /// The Record, once the client's side and every attempt are over.
    pub fn record(&self) -> Option<&Record> {
        (self.closed && self.running == 0).then_some(&self.record)
    }
}

#[cfg(test)]
mod tests;
