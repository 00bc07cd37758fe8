//! What an exchange may come to, and how it is paid: reserved before it is sent, trued up when it is over.
//!
//! ```text
//!  planned, equipped ─▶ reserve ─┬─ room everywhere ──────────────▶ Send
//!            ▲                   ├─ a lease is needed ─▶ Ask(Lend) ─┐
//!            │                   ├─ strict ───────────▶ Ask(Hold) ──┤
//!            └───────────────────┼─ a cheaper route ─▶ planned anew │
//!                                ├─ spent ─▶ Refuse                 │
//!                                └──────────◀───────────────────────┘ nobody answers: as the budget says
//! ```

use super::content::Content;
use super::wish::Wish;
use super::{Asked, Exchange, HeadEdits, Phase, Question, Questions, Step};
use crate::admission::{Amounts, Budget, Lease, Manner, Reservation, Short, Unit};
use crate::catalog::{Operation, Target};
use crate::estimate;
use crate::memory::Memory;
use crate::price::Cost;
use crate::record::{Charged, Outcome, Record};
use crate::refusal::{Refusal, SpentBudget};
use crate::rule::Holding;

/// Most questions about money for one exchange: others may take what was lent for it, but not for ever.
const MAX_ASKS: u8 = 8;

/// Output assumed of a model of which nobody said how much it gives at most: what the largest gave until lately.
const UNKNOWN_OUTPUT: u64 = 16_384;

/// Most answers that are believed to be wanted; providers take fewer.
const MAX_ANSWERS: u64 = 128;

/// Response header that tells how much of the tightest budget is used.
const BUDGET: &str = "x-dragoman-budget";

/// Response header that names the cheaper route that answered.
const DOWNGRADED: &str = "x-dragoman-downgraded";

/// What an exchange can come to at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Bounds {
    /// Tokens that must be read.
    pub input: u64,
    /// About how many tokens its words are, where the request is understood.
    pub words: u64,
    /// Tokens of each answer, where the request says it.
    pub output: Option<u64>,
    /// Answers that are asked for at once.
    pub answers: u64,
}

impl Bounds {
    /// Of a request, once rules have changed it.
    pub(crate) fn of(wish: &Wish, content: &Content, rules: &Holding) -> Bounds {
        // What is not understood is counted by its bytes, three for a token.
        let input = wish.reserved_input.unwrap_or_else(|| (content.bytes().len() / 3) as u64);
        // Rules change the members of what is generated only.
        let (output, answers, added) = match wish.needs.operation {
            Operation::Generate => {
                (rules.output_limit(wish.output_limit), rules.answers(wish.answers), rules.added_tokens())
            }
            _ => (wish.output_limit, wish.answers, 0),
        };
        Bounds {
            input: input.saturating_add(estimate::with_margin(added)),
            words: wish.needs.tokens.saturating_add(added),
            output,
            answers: answers.unwrap_or(1).clamp(1, MAX_ANSWERS),
        }
    }
}

/// How far an exchange has come with paying.
#[derive(Debug, Default)]
pub(super) struct Payment {
    asks: u8,
    manner: Manner,
    reservation: Option<Reservation>,
}

impl Asked {
    /// The most that any one target can take for it; and one that is let go beside it has read it.
    fn worst_case(&self) -> Amounts {
        let read = |target: &Target| (nano(target.price.worst(self.bounds.input, 0, 1)), self.bounds.input);
        let dearest =
            self.plan.iter().map(|planned| read(&planned.target)).max().filter(|_| self.may_hedge().is_some());
        let (usd, tokens) = dearest.unwrap_or_default();
        let worst = self.plan.iter().map(|planned| self.worst_of(&planned.target));
        let worst = worst.fold(Amounts { requests: 1, ..Amounts::default() }, |one, other| Amounts {
            usd: one.usd.max(other.usd),
            tokens: one.tokens.max(other.tokens),
            ..one
        });
        Amounts { usd: worst.usd.saturating_add(usd), tokens: worst.tokens.saturating_add(tokens), ..worst }
    }

    /// The most that this target can take for it.
    pub(super) fn worst_of(&self, target: &Target) -> Amounts {
        let known = if target.output_limit > 0 { target.output_limit } else { UNKNOWN_OUTPUT };
        // Who asks for more than there is gets what there is.
        let output = match self.bounds.output {
            Some(asked) if target.output_limit > 0 => asked.min(target.output_limit),
            Some(asked) => asked,
            None => known,
        };
        let answers = self.bounds.answers.max(1);
        let output = output.saturating_mul(answers);
        let cost = target.price.worst(self.bounds.input, output, answers);
        Amounts { usd: nano(cost), tokens: self.bounds.input.saturating_add(output), requests: 1 }
    }
}

impl Exchange {
    /// Reserves what it may take of budgets and of targets' rate limits; `None` when it may go.
    pub(super) fn reserve(&mut self, memory: &mut Memory, now_ms: u64) -> Result<Option<Step>, Refusal> {
        if let Some(step) = self.pay(memory, now_ms)? {
            return Ok(Some(step));
        }
        let limited = self.limit_rates(memory, now_ms);
        if limited.is_err()
            && let Some(reservation) = self.payment.reservation.take()
        {
            // Nobody was asked, so nothing was spent, no request either.
            memory.purse.true_up(&reservation, |_| Amounts::default());
        }
        limited
    }

    /// Reserves what it may cost; `None` when it may go.
    fn pay(&mut self, memory: &mut Memory, now_ms: u64) -> Result<Option<Step>, Refusal> {
        let Phase::Planned { asked, questions } = &mut self.phase else { return Ok(None) };
        let Some(grant) = self.grant.as_ref().filter(|grant| !grant.budgets.is_empty()) else { return Ok(None) };
        let Payment { asks, manner, reservation } = &mut self.payment;
        if reservation.is_some() {
            return Ok(None);
        }
        let worst = asked.worst_case();
        let short = match memory.purse.reserve(&grant.budgets, &self.id, worst, *manner, now_ms) {
            Err(Short::Ask(_) | Short::AskToHold(_)) if memory.purse.is_away(now_ms) || *asks >= MAX_ASKS => {
                memory.purse.reserve_away(&grant.budgets, worst, *manner, now_ms)
            }
            done => done,
        };
        let question = match short {
            Ok(done) => {
                *reservation = Some(done);
                return Ok(None);
            }
            Err(Short::Ask(budgets)) => Question::Lend(budgets),
            Err(Short::AskToHold(wants)) => Question::Hold {
                exchange: self.id.clone(),
                caller: grant.caller.clone(),
                account: grant.account.clone(),
                wants,
            },
            Err(Short::Downgrade(route)) => {
                asked.plan_anew(&route, grant, memory, &mut self.record, now_ms)?;
                (*questions, *manner) = (Questions::Unasked, Manner::Downgraded);
                self.record.downgraded = route;
                return self.equip(memory, now_ms).map(Some);
            }
            Err(Short::Spent(index, lease)) => {
                let spent = grant.budgets.get(index).map(|budget| spent(budget, &lease, worst));
                return Err(spent.map_or(Refusal::ControlPlaneAway, |spent| Refusal::BudgetSpent(Box::new(spent))));
            }
            Err(Short::Away(index)) => {
                let holder = grant.budgets.get(index).map(|budget| budget.id.clone());
                return Err(Refusal::BudgetUnknown(holder.unwrap_or_default()));
            }
        };
        *asks += 1;
        Ok(Some(Step::Ask(vec![question])))
    }

    /// Tells of budgets that are nearly used up.
    pub(super) fn tell_budgets(&self, memory: &Memory, edits: &mut HeadEdits) {
        if !self.record.downgraded.is_empty() {
            edits.set(DOWNGRADED, &self.record.downgraded);
        }
        let Some(reservation) = &self.payment.reservation else { return };
        let used = reservation.charges().filter_map(|(budget, _)| memory.purse.used(&budget.id));
        let told = used.filter(|(lease, percent)| lease.tell_from > 0 && *percent >= lease.tell_from);
        if let Some((lease, percent)) = told.max_by_key(|(_, percent)| *percent) {
            let resets = lease.resets_in_ms.map(|ms| format!("; resets={}", ms.div_ceil(1000))).unwrap_or_default();
            edits.set(BUDGET, &format!("{}; used={percent}%{resets}", lease.id));
        }
    }

    /// The exchange is over: leases get back what was not needed, and the Record says what was charged.
    pub fn true_up(&mut self, memory: &mut Memory) {
        memory.purse.forget_held(&self.id);
        if let Some(reservation) = self.payment.reservation.take() {
            let actual = actual(&self.record);
            memory.purse.true_up(&reservation, |_| actual);
            let charged = |(budget, window_ms): (&Budget, u64)| Charged { budget: budget.id.clone(), window_ms };
            self.record.charged = reservation.charges().map(charged).collect();
            self.record.passed = reservation.beyond().map(|budget| budget.id.clone()).collect();
        }
        self.note_rates(memory);
    }

    /// Notes what an attempt cost, at the price that it was planned with.
    pub(super) fn price(&self, outcome: &mut Outcome) {
        let Phase::Sent(asked) = &self.phase else { return };
        let planned = asked.plan.iter().find(|planned| planned.target.id == outcome.target);
        if let Some(planned) = planned {
            outcome.price(&planned.target.price);
        }
    }
}

/// What an exchange has come to.
fn actual(record: &Record) -> Amounts {
    let cost = record.outcomes.iter().filter_map(|outcome| outcome.cost).fold(Cost::default(), Cost::and);
    let tokens = record.outcomes.iter().map(Outcome::tokens).fold(0, u64::saturating_add);
    Amounts { usd: nano(cost), tokens, requests: 1 }
}

fn nano(cost: Cost) -> u64 {
    u64::try_from(cost.pico_dollars().div_ceil(1000)).unwrap_or(u64::MAX)
}

/// What is said of a budget without room.
pub(super) fn spent(budget: &Budget, lease: &Lease, worst: Amounts) -> SpentBudget {
    let needed = match budget.unit {
        Unit::Usd => worst.usd.div_ceil(1000),
        Unit::Tokens => worst.tokens,
        Unit::Requests | Unit::Concurrent => 1,
    };
    SpentBudget {
        id: budget.id.clone(),
        unit: budget.unit.name(),
        limit: lease.limit,
        used: lease.used,
        needed,
        resets_in_ms: lease.resets_in_ms,
    }
}

#[cfg(test)]
mod tests;
