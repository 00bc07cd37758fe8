//! Where nobody may be asked right now, the request waits for its turn, as long as its route says.
//!
//! ```text
//!  planned ─▶ nobody may be asked ─▶ waits ─▶ its turn: planned anew ─┬─ somebody may be: Send
//!                    │ no place, or a route that does not ▲           └─ nobody ─┬─ waits on
//!                    ▼                                    └──────────────────────┘   or its time is over
//!                 refused ◀───────────────────────────────────────────────────────────────────┘
//! ```

use std::rc::Rc;

use super::{Exchange, Phase, Questions, Step};
use crate::memory::{Memory, Priority, Ticket};
use crate::refusal::Refusal;

/// By which header a request says how urgent it is among those of its own tenant.
const PRIORITY: &str = "x-dragoman-priority";

/// Whether it waits.
#[derive(Debug, Default)]
pub(super) enum Turn {
    /// It never had to, or its turn has come.
    #[default]
    Past,
    /// It waits for its turn.
    Awaited(Ticket),
    /// It is tried, and keeps its place meanwhile.
    Tried(Ticket),
}

impl Exchange {
    /// Whether it waits for its turn.
    pub fn waits(&self) -> bool {
        matches!(self.turn, Turn::Awaited(_))
    }

    /// Waits, where a refusal is one for the moment and the route waits; `None` when it is refused.
    pub(super) fn wait(&mut self, refusal: &Refusal, memory: &mut Memory, now_ms: u64) -> Option<Step> {
        let Phase::Planned { asked, questions } = &mut self.phase else { return None };
        let wait = asked.patience.wait?;
        if !matches!(refusal, Refusal::Resting { .. } | Refusal::RateLimited(_)) {
            return None;
        }
        *questions = Questions::Unasked;
        let ticket = match core::mem::take(&mut self.turn) {
            Turn::Awaited(ticket) | Turn::Tried(ticket) => ticket,
            Turn::Past => {
                let ticket = Ticket {
                    exchange: self.id.clone(),
                    tenant: self.record.account.split('.').next().unwrap_or_default().to_string(),
                    priority: asked.head.get(PRIORITY).map(Priority::read).unwrap_or_default(),
                    until_ms: now_ms.saturating_add(wait.at_most_ms),
                };
                if !memory.waiting.join(&self.record.route, wait.queue, ticket.clone()) {
                    return None;
                }
                ticket
            }
        };
        let waits = now_ms < ticket.until_ms;
        self.turn = Turn::Awaited(ticket);
        waits.then_some(Step::Wait)
    }

    /// Plans anew for one that waits: who may be asked is another question than it was.
    pub(super) fn try_again(&mut self, memory: &mut Memory, now_ms: u64) -> Result<(), Refusal> {
        self.turn = match core::mem::take(&mut self.turn) {
            Turn::Awaited(ticket) => Turn::Tried(ticket),
            other => {
                self.turn = other;
                return Ok(());
            }
        };
        let (Phase::Planned { asked, .. }, Some(grant)) = (&mut self.phase, &self.grant) else { return Ok(()) };
        self.record.rested.clear();
        self.record.rate_limited.clear();
        (self.payment, self.rate_limits) = Default::default();
        let (route, grant) = (asked.model.clone(), Rc::clone(grant));
        asked.plan_anew(&route, &grant, memory, &mut self.record, now_ms)
    }

    /// It waits no longer: its turn has come, or it leaves without.
    pub fn leave_queue(&mut self, memory: &mut Memory, had_turn: bool) {
        if let Turn::Awaited(ticket) | Turn::Tried(ticket) = core::mem::take(&mut self.turn) {
            memory.waiting.leave(&self.record.route, &ticket.tenant, &self.id, had_turn);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::walk::tests::{ask_with, memory};
    use crate::failure::Failure;
    use crate::record::{Ending, Outcome};
    use crate::snapshot::{Patience, Snapshot, Wait};

    const BODY: &str = r#"{"model":"m","messages":[]}"#;

    /// A route whose one target rests until then.
    fn resting(wait: Option<Wait>, until_ms: u64) -> Memory {
        let mut memory = memory(1);
        let mut snapshot = memory.snapshot().map(|snapshot| Snapshot::clone(snapshot)).unwrap();
        snapshot.routes[0].patience = Patience { wait, ..Patience::default() };
        memory.publish(snapshot);
        let (target, failure) = ("a/m".to_string(), Some(Failure::Throttled));
        let retry_after_ms = Some(until_ms);
        let met =
            Outcome { target, failure, retry_after_ms, ending: Ending::Refused, status: 429, ..Outcome::default() };
        memory.health.met(&met, "", 0, 0);
        memory
    }

    fn refusal(step: &Step) -> Option<u16> {
        match step {
            Step::Reply(reply) => Some(reply.status),
            _ => None,
        }
    }

    const WAIT: Wait = Wait { at_most_ms: 10_000, queue: 2 };

    #[test]
    fn a_request_waits_until_somebody_may_be_asked() {
        let mut memory = resting(Some(WAIT), 3_000);
        let (mut exchange, step) = ask_with(&mut memory, &[], BODY, 1_000);
        assert!(matches!(step, Step::Wait) && exchange.waits(), "{step:?}");
        assert_eq!(memory.waiting.due(1_000), [exchange.id()]);
        assert!(matches!(exchange.advance(&mut memory, 2_000), Step::Wait));
        assert!(exchange.waits());
        let step = exchange.advance(&mut memory, 3_001);
        assert!(matches!(step, Step::Send(_)), "{step:?}");
        assert!(memory.waiting.is_empty() && !exchange.waits());
        assert_eq!(exchange.asked().unwrap().plan.len(), 1);
        assert!(exchange.record.rested.is_empty(), "that it rested before is no part of the story");
    }

    #[test]
    fn when_its_time_is_over_it_is_refused_as_ever() {
        let mut memory = resting(Some(WAIT), 60_000);
        let (mut exchange, _) = ask_with(&mut memory, &[], BODY, 1_000);
        assert!(matches!(exchange.advance(&mut memory, 10_999), Step::Wait));
        assert_eq!(refusal(&exchange.advance(&mut memory, 11_000)), Some(429));
        assert!(memory.waiting.is_empty());
        assert_eq!(exchange.record.refusal, "targets_resting");
    }

    #[test]
    fn who_finds_no_place_or_no_queue_is_refused_at_once_and_who_leaves_makes_room() {
        let mut memory = resting(Some(WAIT), 60_000);
        let mut waiting: Vec<Exchange> = Vec::new();
        for number in 0..2 {
            let (exchange, step) = ask_with(&mut memory, &[("x-dragoman-priority", "low")], BODY, number);
            assert!(matches!(step, Step::Wait));
            waiting.push(exchange);
        }
        assert_eq!(refusal(&ask_with(&mut memory, &[], BODY, 2).1), Some(429));
        waiting[0].leave_queue(&mut memory, false);
        assert!(matches!(ask_with(&mut memory, &[], BODY, 3).1, Step::Wait));
        let mut memory = resting(None, 60_000);
        assert_eq!(refusal(&ask_with(&mut memory, &[], BODY, 2).1), Some(429));
    }
}
