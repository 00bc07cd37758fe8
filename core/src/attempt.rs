//! One try of an exchange at one target: the machine that the translator filter drives.
//!
//! ```text
//!  begin ─▶ request out ─▶ AwaitingHead ─┬─ 2xx ─▶ Gate ──first event──▶ Relaying | Interpreting ──end──▶ Done
//!                                        │           │ error, nonsense, nothing        │ cut, error
//!                                        │           ▼                                  ▼
//!                                        └─ other ─▶ Failed ─▶ retry the next target, or  dialect's error event, Done
//!                                                              the error in the client's dialect
//! ```
//!
//! **The gate.** Nothing goes to the client before the provider's first real event. Until then a failure, even inside a 200,
//! becomes a status that Envoy retries at the next target, and the client never learns of it. After it, nothing is retried.
//!
//! **The fence.** [`request::outgoing`] writes the whole head anew for every attempt and puts in exactly one credential.

mod embed;
mod failure;
mod relay;
mod request;
mod response;
mod retouched;
mod settle;
mod thought;
mod withheld;

use std::rc::Rc;

use crate::exchange::{After, Asked, Brought, HeadEdits, HeaderRef, Opening, Planned, Turn};
use crate::failure::Failure;
use crate::loss::Losses;
use crate::memory::{Credential, CredentialId};
use crate::record::{Ending, Outcome};
use crate::rule::Retouch;
use crate::select::balance::hash;

pub(crate) use request::telling;
pub use request::{Outgoing, Telling, Way};
pub use response::{Answer, HeadVerdict, MAX_ERROR_BODY};
pub(crate) use settle::{SURELY_SENT_MS, left_unheard};

use response::State;
use settle::Counted;

/// How long a caller whose own token met its limit leaves a provider alone that did not say how long: three to five minutes.
const SHORTEST_COOL_DOWN_MS: u64 = 180_000;
const COOL_DOWN_JITTER_MS: u64 = 120_000;

/// What to do with the body bytes at hand.
#[derive(Debug, PartialEq, Eq)]
pub enum Body {
    /// Pass them on as they are.
    Keep,
    /// Take them away and stay paused: the machine has what it needs of them.
    Hold,
    /// Pass these on instead.
    Replace(Vec<u8>),
}

/// One try at one target.
#[derive(Debug)]
pub struct Attempt {
    asked: Rc<Asked>,
    turn: Turn,
    /// What authenticates it.
    credential: Option<Rc<Credential>>,
    began_ms: u64,
    state: State,
    losses: Losses,
    /// Names of the provider's response headers that the client must not see.
    withheld: Vec<Vec<u8>>,
    /// What rules change of the answer's members; set when a good head came.
    retouch: Option<Retouch>,
    outcome: Outcome,
    /// Tokens of output that were seen, when it is over.
    seen: u64,
    over: bool,
}

impl Attempt {
    /// Begins the attempt whose turn it is through `cluster`. `current` is the head as the last attempt left it. `None` when its
    /// target is not at that cluster: then nothing may be sent.
    pub fn begin(
        asked: Rc<Asked>,
        turn: Turn,
        cluster: &[u8],
        current: &[HeaderRef<'_>],
        now_ms: u64,
    ) -> Option<(Attempt, Outgoing)> {
        let credential = asked.plan.get(turn.place)?.credential.clone();
        Attempt::begin_with(credential, asked, turn, cluster, current, now_ms)
    }

    /// The same with another credential than the planned one.
    pub fn begin_with(
        credential: Option<Rc<Credential>>,
        asked: Rc<Asked>,
        turn: Turn,
        cluster: &[u8],
        current: &[HeaderRef<'_>],
        now_ms: u64,
    ) -> Option<(Attempt, Outgoing)> {
        let planned = asked.plan.get(turn.place)?;
        let provider = asked.provider(planned)?;
        if provider.cluster.as_bytes() != cluster {
            return None;
        }
        let (outgoing, told) = request::outgoing(&asked, planned, credential.as_deref(), current)?;
        let dialect = asked.service(planned)?.dialect.name().to_string();
        let whose = planned.opening.whose();
        let outcome = Outcome { target: planned.target.id.clone(), dialect, whose, ..Outcome::default() };
        let attempt = Attempt {
            turn,
            credential,
            began_ms: now_ms,
            state: State::AwaitingHead(told.awaiting),
            losses: told.losses,
            withheld: Vec::new(),
            retouch: None,
            outcome,
            seen: 0,
            over: false,
            asked,
        };
        Some((attempt, outgoing))
    }

    /// Its number, from 1.
    pub fn number(&self) -> usize {
        self.turn.number
    }

    /// Who comes after it if it fails is another one than was known when it began.
    pub fn is_followed_by(&mut self, after: After) {
        self.turn.after = after;
    }

    /// Whom it asks.
    fn planned(&self) -> Option<&Planned> {
        self.asked.plan.get(self.turn.place)
    }

    /// What could not be said to this target as it was said.
    pub fn losses(&self) -> &Losses {
        &self.losses
    }

    /// How long it may be silent from now on, in milliseconds; `None` while nothing of it was passed on.
    pub fn silence_ms(&self) -> Option<u64> {
        let passes = matches!(self.state, State::Relaying(_) | State::Interpreting(_) | State::Done);
        passes.then(|| self.asked.between_events_ms())
    }

    /// It was silent for longer, and its stream is being taken away.
    pub fn falls_silent(&mut self) {
        if !self.over {
            self.outcome.failure = Some(Failure::Timeout);
            self.outcome.code = "silent".to_string();
        }
    }

    /// The credential to forget, when the provider rejected it: the one that was sent, and nobody else's for that provider.
    pub fn rejected_credential(&self) -> Option<&CredentialId> {
        match &self.planned()?.opening {
            Opening::With(which) if matches!(self.outcome.status, 401 | 403) => Some(which),
            _ => None,
        }
    }

    /// What became of it. Called once, when the attempt's stream is gone.
    pub fn end(mut self, now_ms: u64) -> Outcome {
        self.outcome.total_ms = now_ms.saturating_sub(self.began_ms);
        if !self.over {
            self.count(self.state.counted());
            // A stream that is taken away while it answers: the client left, or the connection broke.
            self.outcome.ending = match self.state {
                State::AwaitingHead(_) | State::Gate(_) | State::Embedding(_) | State::Failing { .. } => Ending::Silent,
                State::Relaying(_) | State::Interpreting(_) | State::Done => Ending::Abandoned,
            };
        }
        self.settle();
        if self.brought().is_some() && self.outcome.status == 429 {
            self.outcome.cool_until_ms = now_ms.saturating_add(self.cool_down_ms());
        }
        self.outcome
    }

    /// The caller's own token, where that is what was sent.
    fn brought(&self) -> Option<&Brought> {
        let planned = self.planned()?;
        self.asked.brought.as_ref().filter(|_| planned.opening == Opening::Brought)
    }

    /// How long the caller leaves the provider alone: as long as it says, else some minutes, not all callers as many.
    fn cool_down_ms(&self) -> u64 {
        let unsaid = SHORTEST_COOL_DOWN_MS + hash(&self.asked.id) % COOL_DOWN_JITTER_MS;
        self.outcome.retry_after_ms.unwrap_or(unsaid)
    }

    /// Whether somebody is asked after a failure of that class. The same target is asked again only when it is likely to be another
    /// part of it that answers.
    fn goes_on(&self, failure: Failure) -> bool {
        match self.turn.after {
            After::Nobody => false,
            After::Another => true,
            After::Itself => failure == Failure::Faulty && self.outcome.retry_after_ms.is_none(),
        }
    }

    /// Whether somebody is asked after it, and its target once more: that rejects what authenticates it, and another can be had.
    pub fn may_renew(&self) -> bool {
        self.turn.may_renew && matches!(self.outcome.status, 401 | 403)
    }

    /// The changes that a good head needs on its way to the client.
    fn good_head(&self) -> HeadEdits {
        HeadEdits { remove: self.withheld.clone(), set: Vec::new() }
    }

    fn conclude(&mut self, ending: Ending, counted: Counted) {
        self.over = true;
        self.outcome.ending = ending;
        self.count(counted);
    }

    fn count(&mut self, counted: Counted) {
        self.outcome.usage.update(counted.usage);
        self.seen = self.seen.max(counted.seen);
    }
}

#[cfg(test)]
mod tests;
