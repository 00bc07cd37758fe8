//! What one worker was lent of budgets, and what its exchanges took of it.
//!
//! ```text
//!            lend                       reserve (worst case)              true up (what it was)
//!  Unlent ──────────▶ lent, until ──┬──▶ taken += amount ─────────────────▶ taken -= amount - actual
//!    ▲                              │
//!    └──────── expired ─────────────┤ no room: more is asked for
//!                                   └ the control plane has no more: spent, for a moment
//! ```
//!
//! Both sides count cumulatively for each window: what was lent over all, what was taken over all. So an answer that is lost
//! or comes twice changes nothing. An exchange takes from all budgets of its caller or from none.
//!
//! Amounts are whole numbers of the budget's unit; money is in nano-dollars, so that ten million answers of a tenth of a
//! micro-dollar are not counted as ten million micro-dollars.
//!
//! Limits: [`MAX_POCKETS`]; beyond them those go that nobody uses now.

mod lease;
mod wants;

use std::collections::HashMap;
use std::sync::Arc;

use super::{AtLimit, Away, Budget, Mode, Unit};

pub use lease::{Lease, Leases};
pub use wants::Want;

/// Most budgets of which one worker remembers leases, about 150 bytes each: 10 MiB of a VM's memory.
pub const MAX_POCKETS: usize = 65_536;

/// How long the control plane's word counts that there is no more: others may give something back.
const DRY_MS: u64 = 1000;

/// How long nobody is asked after nobody answered: requests must not pile up before a door that stays shut.
const AWAY_MS: u64 = 500;

/// Nano-dollars in a micro-dollar.
pub(crate) const NANO: u64 = 1000;

/// What one exchange takes, or took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Amounts {
    /// Nano-dollars.
    pub usd: u64,
    /// Tokens.
    pub tokens: u64,
    /// Requests.
    pub requests: u64,
}

impl Amounts {
    /// What it takes of a budget before it is sent.
    fn reserved(self, unit: Unit) -> u64 {
        match unit {
            Unit::Usd => self.usd,
            Unit::Tokens => self.tokens,
            Unit::Requests => self.requests,
            Unit::Concurrent => 1,
        }
    }

    /// What it has taken when it is over.
    fn spent(self, unit: Unit) -> u64 {
        if unit == Unit::Concurrent { 0 } else { self.reserved(unit) }
    }
}

/// What was taken of one budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge {
    /// Index into the budgets.
    pub budget: usize,
    /// The budget's window: when it began, in milliseconds since 1970 by the control plane's clock; 0 for one without.
    pub window_ms: u64,
    /// So much.
    amount: u64,
    /// Out of what.
    source: Source,
}

/// Out of what something was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// A lease in this worker's memory.
    Lease,
    /// The control plane holds it for the exchange.
    Held,
    /// Nothing: the limit is passed on purpose.
    Beyond,
}

/// What one exchange took of all budgets of its caller, or of a target.
#[derive(Clone, Debug)]
pub struct Reservation {
    budgets: Arc<[Budget]>,
    charges: Vec<Charge>,
}

impl Reservation {
    /// The budgets and their windows.
    pub fn charges(&self) -> impl Iterator<Item = (&Budget, u64)> {
        self.charges.iter().filter_map(|charge| Some((self.budgets.get(charge.budget)?, charge.window_ms)))
    }

    /// The budgets whose limit it passes on purpose.
    pub fn beyond(&self) -> impl Iterator<Item = &Budget> {
        let beyond = self.charges.iter().filter(|charge| charge.source == Source::Beyond);
        beyond.filter_map(|charge| self.budgets.get(charge.budget))
    }
}

/// Why nothing was reserved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Short {
    /// More of a lease is needed; the budgets' ids.
    Ask(Vec<String>),
    /// These budgets are reserved by the control plane itself, for this exchange.
    AskToHold(Vec<Want>),
    /// The budget of this index has no room, by the control plane's word.
    Spent(usize, Lease),
    /// The budget of this index has no room, and this route is to answer instead.
    Downgrade(String),
    /// The lease of the budget of this index has ended, and nobody can be asked for another.
    Away(usize),
}

/// How a reservation is to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Manner {
    /// As the budgets say.
    #[default]
    AsAsked,
    /// The cheaper route answers already: budgets that wanted that are passed.
    Downgraded,
}

/// What was lent of one window of one budget.
#[derive(Clone, Debug, Default)]
struct Pocket {
    lease: Lease,
    /// In the purse's amounts.
    lent: u64,
    taken: u64,
    /// When the lease ends, by the data plane's clock.
    until_ms: u64,
    /// Until when there is no more to ask for.
    dry_until_ms: u64,
    /// What waits for more, and was not asked for yet.
    demand: u64,
    /// What waited in vain for the last answer, since it came later than the question: it will come back and ask.
    unmet: u64,
    /// What was taken without a lease while nobody could be asked.
    open: u64,
    /// Exchanges under way.
    under_way: u32,
    /// Somebody took something since the lease was last renewed.
    is_used: bool,
    /// How much there was when it was last renewed.
    slice: u64,
    /// Not asked for again before.
    asked_ms: u64,
}

/// How much room there is.
enum Room {
    Enough,
    Unlent,
    Spent,
}

/// Whether a budget without room is passed all the same, on purpose.
fn pass(budget: &Budget, index: usize, lease: &Lease, manner: Manner) -> Result<(), Short> {
    match (&budget.at_limit, manner) {
        (AtLimit::Warn, _) | (AtLimit::Downgrade(_), Manner::Downgraded) => Ok(()),
        (AtLimit::Downgrade(route), Manner::AsAsked) => Err(Short::Downgrade(route.clone())),
        (AtLimit::Refuse, _) => Err(Short::Spent(index, lease.clone())),
    }
}

impl Pocket {
    fn room(&self, amount: u64, now_ms: u64) -> Room {
        let fits = self.lent.saturating_sub(self.taken) >= amount;
        match (now_ms < self.until_ms, fits) {
            (true, true) => Room::Enough,
            _ if now_ms < self.dry_until_ms && !fits => Room::Spent,
            _ => Room::Unlent,
        }
    }
}

/// What one worker was lent.
#[derive(Debug, Default)]
pub struct Purse {
    pockets: HashMap<String, Pocket>,
    /// What the control plane said about exchanges whose budgets it keeps itself.
    held: HashMap<String, Vec<Lease>>,
    /// Until when nobody is asked, since nobody answered.
    away_until_ms: u64,
}

impl Purse {
    /// Takes what an exchange may cost from all of these budgets, or from none and says why. `exchange` is the id under
    /// which the control plane holds what strict budgets need.
    pub fn reserve(
        &mut self,
        budgets: &Arc<[Budget]>,
        exchange: &str,
        amounts: Amounts,
        manner: Manner,
        now_ms: u64,
    ) -> Result<Reservation, Short> {
        let mut charges = Vec::with_capacity(budgets.len());
        let (mut unlent, mut unheld) = (Vec::new(), Vec::new());
        for (index, budget) in budgets.iter().enumerate() {
            let amount = amounts.reserved(budget.unit);
            let charge = |window_ms, source| Charge { budget: index, window_ms, amount, source };
            let passed =
                |lease: &Lease| pass(budget, index, lease, manner).map(|()| charge(lease.window_ms, Source::Beyond));
            if budget.mode == Mode::Strict {
                match self.held.get(exchange).and_then(|held| held.iter().find(|lease| lease.id == budget.id)) {
                    None => unheld.push(Want::hold(&budget.id, budget.unit, amount)),
                    Some(lease) if lease.is_held => charges.push(charge(lease.window_ms, Source::Held)),
                    Some(lease) => charges.push(passed(lease)?),
                }
                continue;
            }
            match self.pockets.get(&budget.id).map(|pocket| (pocket, pocket.room(amount, now_ms))) {
                Some((pocket, Room::Enough)) => charges.push(charge(pocket.lease.window_ms, Source::Lease)),
                Some((pocket, Room::Spent)) => charges.push(passed(&pocket.lease)?),
                Some((_, Room::Unlent)) | None => unlent.push((budget.id.clone(), amount)),
            }
        }
        if !unlent.is_empty() {
            return Err(self.demand(unlent));
        }
        // What is held is held for one exchange: it is asked for last, when nothing else stands in the way.
        if !unheld.is_empty() {
            return Err(Short::AskToHold(unheld));
        }
        Ok(self.take(budgets, charges))
    }

    /// The same when the control plane does not answer: what has no lease goes as far as its budget allows without.
    pub fn reserve_away(
        &mut self,
        budgets: &Arc<[Budget]>,
        amounts: Amounts,
        manner: Manner,
        now_ms: u64,
    ) -> Result<Reservation, Short> {
        let mut charges = Vec::with_capacity(budgets.len());
        for (index, budget) in budgets.iter().enumerate() {
            let amount = amounts.reserved(budget.unit);
            let pocket = self.pockets.get(&budget.id).filter(|_| budget.mode == Mode::Fast);
            let window_ms = pocket.map_or(0, |pocket| pocket.lease.window_ms);
            let open = pocket.map_or(0, |pocket| pocket.open).saturating_add(amount);
            let source = match (pocket.map(|pocket| (pocket, pocket.room(amount, now_ms))), budget.away) {
                (Some((_, Room::Enough)), _) => Source::Lease,
                (Some((pocket, Room::Spent)), _) => {
                    pass(budget, index, &pocket.lease, manner)?;
                    Source::Beyond
                }
                (_, Away::Open(most)) if open <= lease::grains(budget.unit, most) => {
                    self.pockets.entry(budget.id.clone()).or_default().open = open;
                    Source::Beyond
                }
                _ => return Err(Short::Away(index)),
            };
            charges.push(Charge { budget: index, window_ms, amount, source });
        }
        Ok(self.take(budgets, charges))
    }

    fn demand(&mut self, unlent: Vec<(String, u64)>) -> Short {
        self.make_room();
        let mut ids = Vec::with_capacity(unlent.len());
        for (id, amount) in unlent {
            let pocket = self.pockets.entry(id.clone()).or_default();
            pocket.demand = pocket.demand.saturating_add(amount);
            ids.push(id);
        }
        Short::Ask(ids)
    }

    fn take(&mut self, budgets: &Arc<[Budget]>, charges: Vec<Charge>) -> Reservation {
        for charge in &charges {
            let budget = budgets.get(charge.budget);
            if let Some(pocket) = budget.and_then(|budget| self.pockets.get_mut(&budget.id)) {
                pocket.under_way = pocket.under_way.saturating_add(1);
                pocket.is_used = true;
                if charge.source == Source::Lease {
                    pocket.taken = pocket.taken.saturating_add(charge.amount);
                }
            }
        }
        Reservation { budgets: Arc::clone(budgets), charges }
    }

    /// An exchange is over: what it did not need is there again, and what it took more is gone. `actual` is what it came to, of
    /// what each budget counts.
    pub fn true_up(&mut self, reservation: &Reservation, actual: impl Fn(&Budget) -> Amounts) {
        for charge in &reservation.charges {
            let budget = reservation.budgets.get(charge.budget);
            let pocket = budget.and_then(|budget| Some((budget, self.pockets.get_mut(&budget.id)?)));
            let Some((budget, pocket)) = pocket else { continue };
            pocket.under_way = pocket.under_way.saturating_sub(1);
            // Another window has begun: what was taken of the last one is not in this one's count.
            if charge.source == Source::Lease && pocket.lease.window_ms == charge.window_ms {
                pocket.taken =
                    pocket.taken.saturating_sub(charge.amount).saturating_add(actual(budget).spent(budget.unit));
            }
        }
    }

    /// Counts what was taken of a budget that nobody had reserved; gives its window when something was lent of it.
    pub fn count(&mut self, budget: &Budget, actual: Amounts) -> Option<u64> {
        let pocket = self.pockets.get_mut(&budget.id).filter(|pocket| pocket.lent > 0)?;
        pocket.taken = pocket.taken.saturating_add(actual.spent(budget.unit));
        Some(pocket.lease.window_ms)
    }

    /// Whether any of these budgets has no room for that, by the control plane's last word.
    pub fn is_spent(&self, budgets: &[Budget], amounts: Amounts, now_ms: u64) -> bool {
        budgets.iter().any(|budget| {
            let pocket = self.pockets.get(&budget.id);
            pocket.is_some_and(|pocket| matches!(pocket.room(amounts.reserved(budget.unit), now_ms), Room::Spent))
        })
    }

    /// Remembers what was lent.
    pub fn learn(&mut self, leases: &Leases, now_ms: u64) {
        for lease in &leases.list {
            self.make_room();
            let pocket = self.pockets.entry(lease.id.clone()).or_default();
            if pocket.lease.window_ms != lease.window_ms {
                *pocket = Pocket {
                    under_way: pocket.under_way,
                    demand: pocket.demand,
                    unmet: pocket.unmet,
                    ..Pocket::default()
                };
            }
            pocket.lent = lease.lent_grains();
            // A pocket that had to make room, or a window that comes back, has lost its count.
            pocket.taken = pocket.taken.max(lease::grains(lease.unit(), lease.spent));
            pocket.slice = pocket.lent.saturating_sub(pocket.taken);
            pocket.until_ms = now_ms.saturating_add(lease.valid_for_ms);
            pocket.dry_until_ms = if lease.is_all { now_ms.saturating_add(DRY_MS) } else { 0 };
            pocket.unmet = core::mem::take(&mut pocket.demand);
            (pocket.open, pocket.is_used) = (0, false);
            pocket.lease = lease.clone();
        }
    }

    /// Remembers what the control plane holds for an exchange.
    pub fn learn_held(&mut self, exchange: String, leases: Leases) {
        self.held.insert(exchange, leases.list);
    }

    /// Forgets what was held for an exchange that is over.
    pub fn forget_held(&mut self, exchange: &str) {
        if !self.held.is_empty() {
            self.held.remove(exchange);
        }
    }

    /// What is known of a budget, and how much of it is spent as far as this worker knows, in percent.
    pub fn used(&self, budget: &str) -> Option<(&Lease, u64)> {
        let pocket = self.pockets.get(budget)?;
        Some((&pocket.lease, pocket.lease.used_percent()))
    }

    /// The control plane did not answer a question about budgets.
    pub fn unanswered(&mut self, now_ms: u64) {
        self.away_until_ms = now_ms.saturating_add(AWAY_MS);
    }

    /// Whether it did not answer just now.
    pub fn is_away(&self, now_ms: u64) -> bool {
        now_ms < self.away_until_ms
    }

    fn make_room(&mut self) {
        if self.pockets.len() >= MAX_POCKETS {
            self.pockets.retain(|_, pocket| pocket.under_way > 0);
        }
    }
}

#[cfg(test)]
mod tests;
