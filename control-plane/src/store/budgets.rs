//! Budgets: what is spent, lent and held of each window, in one transaction each.
//!
//! ```text
//! Admit, Lend ─▶ lend  ─ window.leased ─┐
//! Lend (strict) ▶ hold ─ window.reserved ├─ Settle ─▶ spend: leased, reserved → spent ─▶ notices
//! leases that ended, planes that died ───┴─▶ reap: leased → free, reserved → spent (estimated)
//! ```
//!
//! Why one lock for all: a budget's levels are taken together, and a hundred control planes that lend at once must not lend
//! the same cent. The work of one turn is some rows by their keys; what waits for its turn is done in one.

mod forget;
mod hold;
mod look;
mod reap;
mod spend;
mod windows;

use std::collections::HashMap;

use dragoman_core::admission::{BudgetName, Lease, Leases, Loan, OF_TARGET, Unit, Want};
use sqlx::Row as _;

use super::{Change, Store};
use crate::accounts::{Period, Terms};
use windows::{Open, Windows};

pub use hold::Hold;
pub use look::Standing;
pub use reap::Reaped;
pub(super) use spend::spend;

/// For how long a lease is good. So long may a data plane go on without the control plane; so long is money away that a plane
/// took with it when it died.
pub const LEASE_MS: i64 = 60_000;
/// The same for requests under way: slots that nobody uses should come back soon.
const SLOT_MS: i64 = 15_000;
/// How much later than the data plane the control plane believes that a lease has ended: clocks run and calls take their time.
pub const MARGIN_MS: i64 = 5_000;

/// A budget's id in parts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BudgetId {
    /// An account, a key or a target (see [`OF_TARGET`]).
    pub holder: String,
    /// What it counts.
    pub unit: Unit,
    /// Its period.
    pub period: Period,
}

impl BudgetId {
    /// Reads `holder/unit/period`.
    pub fn read(text: &str) -> Option<BudgetId> {
        let BudgetName { holder, unit, period } = BudgetName::read(text)?;
        Some(BudgetId { holder: holder.into(), unit, period: Period::named(period)? })
    }
}

impl std::fmt::Display for BudgetId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        BudgetName { holder: &self.holder, unit: self.unit, period: self.period.name() }.fmt(f)
    }
}

impl Store {
    /// Lends slices of budgets to a data plane; the limits of targets are told, the others are the store's own. What no longer
    /// limits anything is lent without end.
    pub async fn lend(&self, vm: &str, wants: &[Want], rate_limits: &HashMap<String, Terms>) -> anyhow::Result<Leases> {
        if wants.is_empty() {
            return Ok(Leases::default());
        }
        let mut change = self.exclusive().await?;
        let now = self.engine.now_ms(&mut change).await?;
        let mut windows = Windows::default();
        let mut list = Vec::with_capacity(wants.len());
        for want in wants {
            let Some(id) = BudgetId::read(&want.id) else { continue };
            if id.holder.starts_with(OF_TARGET) {
                windows.know(&id.holder, rate_limits.get(&id.holder));
            }
            let Some(open) = windows.now(&mut change, &id, now).await? else {
                list.push(unlimited(want));
                continue;
            };
            let mut loan = read_loan(&mut change, vm, &open.id, open.span.began_ms).await?;
            let same = i64::try_from(want.window_ms) == Ok(open.span.began_ms);
            let taken = if same { want.taken.max(loan.used) } else { loan.used };
            open.kept.window.lend(&mut loan, taken, want.wanted);
            let length = if open.id.unit == Unit::Concurrent { SLOT_MS } else { LEASE_MS };
            let ends = open.span.ends_ms.map_or(now + length, |ends| ends.min(now + length));
            write_loan(&mut change, vm, open, loan, ends).await?;
            list.push(lease(open, now, &loan, ends, taken.saturating_add(want.wanted)));
        }
        windows.write(&mut change).await?;
        change.commit().await?;
        Ok(Leases { list })
    }
}

/// What is lent of a budget that is no more.
fn unlimited(want: &Want) -> Lease {
    let lent = want.taken.saturating_add(want.wanted).saturating_mul(2).max(1_000_000);
    let valid_for_ms = SLOT_MS.unsigned_abs();
    Lease { id: want.id.clone(), window_ms: want.window_ms, lent, valid_for_ms, limit: u64::MAX, ..Lease::default() }
}

fn lease(open: &Open, now: i64, loan: &Loan, ends: i64, needed: u64) -> Lease {
    let ms = |span: i64| u64::try_from(span).unwrap_or(0);
    Lease {
        id: open.id.to_string(),
        window_ms: ms(open.span.began_ms),
        lent: loan.lent,
        spent: loan.used,
        valid_for_ms: ms(ends - now),
        is_all: open.kept.window.free() == 0 || loan.lent < needed,
        is_held: false,
        limit: open.kept.window.limit,
        used: open.kept.window.used(),
        resets_in_ms: open.span.ends_ms.map(|ends| ms(ends - now)),
        tell_from: u64::from(open.terms.tell_at().first().copied().unwrap_or(0)),
    }
}

fn unsigned(row: &sqlx::any::AnyRow, name: &str) -> anyhow::Result<u64> {
    Ok(u64::try_from(row.try_get::<i64, _>(name)?).unwrap_or(0))
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

async fn read_loan(change: &mut Change, vm: &str, id: &BudgetId, began_ms: i64) -> anyhow::Result<Loan> {
    let find = sqlx::query(
        "SELECT lent, used FROM lease WHERE vm = $1 AND holder = $2 AND unit = $3 AND period = $4 AND began_ms = $5",
    );
    let find = find.bind(vm.to_string()).bind(id.holder.clone()).bind(id.unit.name()).bind(id.period.name());
    let Some(row) = find.bind(began_ms).fetch_optional(&mut **change).await? else { return Ok(Loan::default()) };
    Ok(Loan { lent: unsigned(&row, "lent")?, used: unsigned(&row, "used")? })
}

async fn write_loan(change: &mut Change, vm: &str, open: &Open, loan: Loan, expires_ms: i64) -> anyhow::Result<()> {
    let id = &open.id;
    let put = sqlx::query(
        "INSERT INTO lease (vm, holder, unit, period, began_ms, lent, used, expires_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (vm, holder, unit, period, began_ms) DO UPDATE SET \
         lent = excluded.lent, expires_ms = excluded.expires_ms, ended_ms = NULL",
    );
    let put = put.bind(vm.to_string()).bind(id.holder.clone()).bind(id.unit.name()).bind(id.period.name());
    let put = put.bind(open.span.began_ms).bind(signed(loan.lent)).bind(signed(loan.used)).bind(expires_ms);
    put.execute(&mut **change).await?;
    Ok(())
}

#[cfg(test)]
mod tests;
