//! What a worker asks the control plane for.

use super::Purse;
use super::lease::of_grains;
use crate::admission::{BudgetName, Unit};

/// How long before its end a lease that is in use is renewed, in milliseconds: time for some answers to get lost.
const RENEW_MS: u64 = 10_000;

/// Not asked for the same again within so long, in milliseconds.
const PAUSE_MS: u64 = 500;

/// A lease that has less than one part of so many left is renewed aside.
const LOW: u64 = 3;

/// Most leases renewed at one time.
const MAX_RENEWED: usize = 256;

/// What is wanted of one budget, in its unit (money in micro-dollars).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Want {
    /// `holder/unit/period`.
    pub id: String,
    /// The window that `taken` is about; 0 when nothing was lent yet.
    pub window_ms: u64,
    /// What this worker has taken of that window over all.
    pub taken: u64,
    /// What it needs besides, at least; 0 for whatever a lease usually is.
    pub wanted: u64,
}

impl Want {
    /// What is to be held for one exchange.
    pub(super) fn hold(id: &str, unit: Unit, amount: u64) -> Want {
        Want { id: id.to_string(), window_ms: 0, taken: 0, wanted: of_grains(unit, amount) }
    }
}

impl Purse {
    /// What to ask for these budgets. A thousand requests that wait for one answer are asked for together with the next one.
    pub fn wants(&mut self, ids: &[String]) -> Vec<Want> {
        let want = |id: &String| {
            let Some(pocket) = self.pockets.get_mut(id) else {
                return Want { id: id.clone(), window_ms: 0, taken: 0, wanted: 0 };
            };
            let unit = BudgetName::read(id).map_or(Unit::Usd, |name| name.unit);
            let amount = |grains| of_grains(unit, grains);
            let demand = core::mem::take(&mut pocket.demand).max(core::mem::take(&mut pocket.unmet));
            let (taken, wanted) = (amount(pocket.taken), amount(demand));
            Want { id: id.clone(), window_ms: pocket.lease.window_ms, taken, wanted }
        };
        ids.iter().map(want).collect()
    }

    /// The budgets whose leases are used and end soon or run low: they are asked for aside, so that no request waits.
    pub fn due(&mut self, now_ms: u64) -> Vec<String> {
        let mut ids = Vec::new();
        for (id, pocket) in &mut self.pockets {
            let in_use = pocket.is_used || pocket.under_way > 0;
            let ends = pocket.until_ms.saturating_sub(now_ms) < RENEW_MS.min(pocket.lease.valid_for_ms / 2);
            let is_low = pocket.lent.saturating_sub(pocket.taken) < pocket.slice / LOW && now_ms >= pocket.dry_until_ms;
            if in_use && (ends || is_low) && now_ms >= pocket.asked_ms && ids.len() < MAX_RENEWED {
                pocket.asked_ms = now_ms.saturating_add(PAUSE_MS);
                ids.push(id.clone());
            }
        }
        ids
    }
}
