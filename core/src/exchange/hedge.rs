//! Asking another target beside one that is slow to begin: whoever begins first answers.
//!
//! ```text
//!  Envoy ── attempt n ──▶ the hop ── slot n ──▶ the cluster of who has the n-th turn ──▶ provider
//!
//!  A ─────────────────────▶ begins: it answers, B is let go
//!       late │ B ────────▶           (or the other way round)
//!            late │ C waits          until A or B has failed
//! ```
//!
//! Envoy does it: a try that is late goes on beside another one, and the first good head ends all others. But that other one goes
//! to the cluster of the first. So all attempts of such an exchange go to one cluster, the *hop*: an Envoy within this Envoy, which
//! sends each on to whose turn it is. Envoy calls every try late after the same time, so most of what comes to the hop has to wait:
//! an exchange is hedged once, and only where its route has a hedge left.

use super::{Asked, Exchange, HeadEdits, Phase, RETRY, SLOT};
use crate::catalog::{Operation, slot};
use crate::json::Json;
use crate::memory::Memory;
use crate::record::{Ending, Outcome};
use crate::snapshot::{Hedge, HedgeAfter};

use super::patience::FIRST_EVENT;
use super::walk::After;

/// The cluster of the hop, and the listener behind it.
pub const HOP: &str = "dragoman_hop";

/// The header by which Envoy is told not to give up a try that is late.
const HEDGE: &str = "x-envoy-hedge-on-per-try-timeout";

/// Largest body of a request that is hedged: Envoy keeps it once more for each attempt.
const MAX_BODY: usize = 1 << 20;

/// Members of a request that leaves something with its provider, and so must not be answered twice.
const KEPT: [&str; 3] = ["background", "store", "conversation"];

/// What an attempt does that has come as far as the hop.
#[derive(Debug, PartialEq, Eq)]
pub enum Hop {
    /// It goes on, with these changes to its head.
    Go(HeadEdits),
    /// It waits: enough others are under way.
    Wait,
    /// There is nobody to ask.
    Nobody,
}

/// How far an exchange has come that may be hedged. Attempts are meant by their numbers.
#[derive(Debug)]
pub(super) struct Hedging {
    /// After so many milliseconds a try is late.
    after_ms: u64,
    /// The highest number that has come to the hop: so often Envoy has tried.
    come: usize,
    /// Those that may still answer.
    alive: Vec<usize>,
    /// Those that wait.
    waiting: Vec<usize>,
    /// The one that was made beside a slow one.
    hedge: Option<usize>,
}

impl Asked {
    /// How it may be hedged; `None` where it may not, or where there is nobody else.
    pub(super) fn may_hedge(&self) -> Option<Hedge> {
        let may = self.endpoint.operation == Operation::Generate
            && self.plan.len() > 1
            && self.content.bytes().len() <= MAX_BODY
            && !self.leaves_something();
        self.patience.hedge.filter(|_| may)
    }

    /// Whether something stays with the provider that another answer would leave there as well.
    pub(super) fn leaves_something(&self) -> bool {
        let says = |member: Json<'_>| !member.is_null() && member.bool() != Some(false);
        KEPT.iter().any(|name| self.content.json().get(name).is_some_and(says))
    }

    /// What the router writes instead of the Plan: everything goes to the hop, and a late try goes on.
    pub(super) fn over_the_hop(&self, after_ms: u64) -> HeadEdits {
        let mut edits = self.slots();
        edits.set.retain(|(name, _)| !name.starts_with(SLOT.as_bytes()) && name != FIRST_EVENT.as_bytes());
        for number in 1..=self.retries() + 1 {
            edits.set(&format!("{SLOT}{number}"), &slot(HOP));
        }
        edits.set(FIRST_EVENT, &after_ms.to_string());
        edits.set(HEDGE, "true");
        edits
    }
}

impl Exchange {
    /// Decides right before it is sent whether it may be hedged; then it goes over the hop.
    pub(super) fn expect_hedge(&mut self, memory: &mut Memory) -> Option<u64> {
        let Phase::Planned { asked, .. } = &self.phase else { return None };
        let hedge = asked.may_hedge()?;
        memory.hedges.earn(&asked.model, hedge.share);
        let after_ms = match hedge.after {
            HedgeAfter::Slowest => memory.hedges.slow_ms(&asked.plan.first()?.target.id)?,
            HedgeAfter::Time(ms) => ms,
        };
        let after_ms = Some(after_ms).filter(|after| *after < asked.first_event_ms())?;
        self.hedging = Some(Hedging { after_ms, come: 0, alive: Vec::new(), waiting: Vec::new(), hedge: None });
        Some(after_ms)
    }

    /// An attempt has come as far as the hop, or those before it have got on.
    pub fn hop(&mut self, number: usize, memory: &mut Memory) -> Hop {
        let (Some(place), Phase::Sent(asked)) = (self.due(number), &self.phase) else {
            self.hedging.iter_mut().for_each(|hedging| hedging.come = hedging.come.max(number));
            return Hop::Nobody;
        };
        let Some(hedging) = &mut self.hedging else { return Hop::Nobody };
        hedging.come = hedging.come.max(number);
        hedging.waiting.retain(|known| *known != number);
        let is_first = hedging.waiting.iter().all(|known| *known > number);
        let is_asked = hedging.alive.iter().any(|known| self.walk.place(*known) == Some(place));
        let room = 1 + usize::from(hedging.hedge.is_some());
        let hedges = hedging.alive.len() == 1 && hedging.hedge.is_none();
        // Envoy is about to let it go.
        let is_over = self.answering > 0 || self.closed;
        let waits = is_over || !is_first || is_asked;
        if waits || hedging.alive.len() >= room && !(hedges && memory.hedges.take(&asked.model)) {
            hedging.waiting.push(number);
            return Hop::Wait;
        }
        if hedges {
            hedging.hedge = Some(number);
        }
        hedging.alive.push(number);
        let mut edits = HeadEdits::default();
        for other in 2..=asked.retries() + 1 {
            edits.remove(&format!("{SLOT}{other}"));
        }
        let target = asked.plan.get(place).map(|planned| planned.target.provider);
        let whose = target.and_then(|provider| asked.snapshot.slot(provider)).unwrap_or_default();
        edits.set(&format!("{SLOT}1"), whose);
        asked.bound_silence(&mut edits);
        Hop::Go(edits)
    }

    /// The head of an attempt's answer comes back over the hop. What is not the answer is not: another one may be.
    pub fn hop_back(&mut self, number: usize) -> HeadEdits {
        let mut edits = HeadEdits::default();
        if self.answering != number {
            self.hop_left(number);
            edits.set(RETRY, "yes");
        }
        edits
    }

    /// An attempt is gone from the hop.
    pub fn hop_left(&mut self, number: usize) {
        if let Some(hedging) = &mut self.hedging {
            hedging.alive.retain(|known| *known != number);
            hedging.waiting.retain(|known| *known != number);
        }
    }

    /// Who comes after an attempt that fails now; `None` when that is as it was when it began.
    pub fn after(&self, number: usize) -> Option<After> {
        let (hedging, asked) = (self.hedging.as_ref()?, self.asked()?);
        let others = hedging.alive.iter().any(|known| *known != number) || !hedging.waiting.is_empty();
        match others {
            true => Some(After::Another),
            // Envoy tries no more.
            false => (hedging.come > asked.retries()).then_some(After::Nobody),
        }
    }

    /// Notes of an attempt that is over whether it was a hedge, and whether another one was quicker.
    pub(super) fn note_hedge(&self, number: usize, outcome: &mut Outcome, memory: &mut Memory) {
        let Phase::Sent(asked) = &self.phase else { return };
        let is_hedge = self.hedging.as_ref().is_some_and(|hedging| hedging.hedge == Some(number));
        if let Some(hedging) = &self.hedging {
            outcome.hedged_after_ms = is_hedge.then_some(hedging.after_ms);
            let is_late = matches!(outcome.ending, Ending::Silent | Ending::Abandoned);
            if is_late && self.answering > 0 && self.answering != number {
                outcome.ending = Ending::Outrun;
            }
        }
        if asked.patience.hedge.is_some() {
            // Who was let go took that long at least; a hedge had no time to show it.
            let outrun = outcome.ending == Ending::Outrun && !is_hedge;
            if let Some(ms) = outcome.first_event_ms.or(outrun.then_some(outcome.total_ms)) {
                memory.hedges.took(&outcome.target, ms);
            }
        }
    }
}

#[cfg(test)]
mod tests;
