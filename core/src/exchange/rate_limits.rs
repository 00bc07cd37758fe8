//! How fast targets are asked, whoever asks: the first of the Plan that has room is asked, and those without any are left out.
//!
//! The first one's room is taken before the request is sent. What fallbacks take is counted when the exchange is over: an
//! answer that failed elsewhere is worth more than a limit kept to the last request.

use std::sync::Arc;

use super::payment::spent;
use super::{Exchange, Phase, Question, Step};
use crate::admission::{Amounts, Budget, BudgetName, Manner, Reservation, Short, is_about};
use crate::memory::Memory;
use crate::record::{Charged, Outcome, Record};
use crate::refusal::Refusal;

/// Most questions about rate limits for one exchange.
const MAX_ASKS: u8 = 8;

/// How far an exchange has come with them.
#[derive(Debug, Default)]
pub(super) struct RateLimits {
    asks: u8,
    reservation: Option<Reservation>,
}

impl Exchange {
    /// Leaves out who has no room until the first of the Plan has some; `None` when it may go.
    pub(super) fn limit_rates(&mut self, memory: &mut Memory, now_ms: u64) -> Result<Option<Step>, Refusal> {
        let Phase::Planned { asked, .. } = &mut self.phase else { return Ok(None) };
        if asked.plan.iter().all(|planned| planned.target.rate_limits.is_empty()) {
            return Ok(None);
        }
        let RateLimits { asks, reservation } = &mut self.rate_limits;
        let manner = Manner::AsAsked;
        let mut refusal = None;
        while let Some(first) = asked.plan.first() {
            let limits = Arc::clone(&first.target.rate_limits);
            let worst = asked.worst_of(&first.target);
            let done = match memory.purse.reserve(&limits, &self.id, worst, manner, now_ms) {
                Err(Short::Ask(_)) if memory.purse.is_away(now_ms) || *asks >= MAX_ASKS => {
                    memory.purse.reserve_away(&limits, worst, manner, now_ms)
                }
                done => done,
            };
            match done {
                Ok(done) => {
                    *reservation = Some(done);
                    break;
                }
                Err(Short::Ask(budgets)) => {
                    *asks += 1;
                    return Ok(Some(Step::Ask(vec![Question::Lend(budgets)])));
                }
                Err(Short::Spent(index, lease)) => {
                    refusal =
                        limits.get(index).map(|limit| Refusal::RateLimited(Box::new(spent(limit, &lease, worst))));
                    self.record.rate_limited.push(asked.plan.remove(0).target.id);
                }
                // Limits of targets are neither strict nor closed, and lead to no other route.
                Err(Short::AskToHold(_) | Short::Downgrade(_) | Short::Away(_)) => break,
            }
        }
        if asked.plan.is_empty() {
            return Err(refusal.unwrap_or(Refusal::ControlPlaneAway));
        }
        let worst: Vec<Amounts> = asked.plan.iter().map(|planned| asked.worst_of(&planned.target)).collect();
        let mut worst = worst.into_iter().enumerate();
        asked.plan.retain(|planned| {
            let limits = &planned.target.rate_limits;
            // The first has taken its room.
            let late = worst.next().is_some_and(|(at, worst)| at > 0 && memory.purse.is_spent(limits, worst, now_ms));
            if late {
                self.record.rate_limited.push(planned.target.id.clone());
            }
            !late
        });
        Ok(None)
    }

    /// The exchange is over: counts what targets did, and notes it in the Record.
    pub(super) fn note_rates(&mut self, memory: &mut Memory) {
        let Phase::Sent(asked) = &self.phase else { return };
        let mut noted: Vec<Charged> = Vec::new();
        if let Some(reservation) = self.rate_limits.reservation.take() {
            memory.purse.true_up(&reservation, |limit| of_target(limit, &self.record));
            let charged =
                reservation.charges().map(|(limit, window_ms)| Charged { budget: limit.id.clone(), window_ms });
            noted.extend(charged);
        }
        for planned in &asked.plan {
            for limit in planned.target.rate_limits.iter() {
                let taken = of_target(limit, &self.record);
                if taken.requests == 0 || noted.iter().any(|known| known.budget == limit.id) {
                    continue;
                }
                if let Some(window_ms) = memory.purse.count(limit, taken) {
                    noted.push(Charged { budget: limit.id.clone(), window_ms });
                }
            }
        }
        self.record.charged.extend(noted);
    }
}

/// What of an exchange was done by whom a limit is about.
fn of_target(limit: &Budget, record: &Record) -> Amounts {
    let holder = BudgetName::read(&limit.id).map_or("", |name| name.holder);
    let outcomes = || record.outcomes.iter().filter(|outcome| is_about(holder, &outcome.target));
    let tokens = outcomes().map(Outcome::tokens).fold(0, u64::saturating_add);
    Amounts { usd: 0, tokens, requests: outcomes().count() as u64 }
}

#[cfg(test)]
mod tests;
