//! Budgets: what is spent, lent and held of each window, in one transaction each.
//!
//! ```text
//! Admit, Lend ─▶ lend  ─ window.leased ─┐
//! Lend (strict) ▶ hold ─ window.reserved ├─ Settle ─▶ spend: leased, reserved → spent ─▶ notices
//! leases that ended, planes that died ───┴─▶ reap: leased → free, reserved → spent (estimated)
//! ```
//!
//! Why one lock for all: a budget's levels are taken together, and a hundred control planes that lend at once must not lend
//! the same cent. The work of one turn is some rows by their keys.

mod forget;
mod look;
mod reap;
mod spend;

use std::collections::HashMap;

use dragoman_core::admission::{Lease, Leases, Loan, Unit, Want, Window};
use sqlx::Row as _;

use super::{Change, Store};
use crate::accounts::{AtLimit, BudgetTerms, Period, Span, Terms};

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
    /// An account or a key.
    pub holder: String,
    /// What it counts.
    pub unit: Unit,
    /// Its period.
    pub period: Period,
}

impl BudgetId {
    /// Reads `holder/unit/period`.
    pub fn read(text: &str) -> Option<BudgetId> {
        let mut parts = text.split('/');
        let (holder, unit, period) = (parts.next()?, parts.next()?, parts.next()?);
        let whole = parts.next().is_none() && !holder.is_empty();
        let id = BudgetId { holder: holder.into(), unit: Unit::named(unit)?, period: Period::named(period)? };
        whole.then_some(id)
    }
}

impl std::fmt::Display for BudgetId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}", self.holder, self.unit.name(), self.period.name())
    }
}

/// One window of a budget as it is kept.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Kept {
    /// What is spent, lent, held of how much.
    pub(super) window: Window,
    /// Of what is spent: pico-dollars below one micro-dollar.
    pub(super) rest: u64,
    /// The highest share of the limit that somebody was told of, in percent.
    pub(super) told: u64,
}

/// A budget as one reads it: its id, its words, its window at the moment.
pub(super) struct Open {
    pub(super) id: BudgetId,
    pub(super) terms: BudgetTerms,
    pub(super) span: Span,
    pub(super) kept: Kept,
}

impl Store {
    /// Lends slices of budgets to a data plane. What no longer limits anything is lent without end.
    pub async fn lend(&self, vm: &str, wants: &[Want]) -> anyhow::Result<Leases> {
        if wants.is_empty() {
            return Ok(Leases::default());
        }
        let mut change = self.exclusive().await?;
        let now = self.engine.now_ms(&mut change).await?;
        let mut holders = Holders::default();
        let mut list = Vec::with_capacity(wants.len());
        for want in wants {
            let Some(id) = BudgetId::read(&want.id) else { continue };
            let Some(mut open) = open(&mut change, &mut holders, id, now).await? else {
                list.push(unlimited(want));
                continue;
            };
            let mut loan = read_loan(&mut change, vm, &open.id, open.span.began_ms).await?;
            let same = i64::try_from(want.window_ms) == Ok(open.span.began_ms);
            let taken = if same { want.taken.max(loan.used) } else { loan.used };
            open.kept.window.lend(&mut loan, taken, want.wanted);
            let length = if open.id.unit == Unit::Concurrent { SLOT_MS } else { LEASE_MS };
            let ends = open.span.ends_ms.map_or(now + length, |ends| ends.min(now + length));
            write_loan(&mut change, vm, &open, loan, ends).await?;
            write(&mut change, &open).await?;
            list.push(lease(&open, now, &loan, ends, taken.saturating_add(want.wanted)));
        }
        change.commit().await?;
        Ok(Leases { list })
    }

    /// Holds what an exchange may cost of strict budgets: of all of them or of none. A question that comes twice is answered
    /// twice and held once.
    pub async fn hold(&self, vm: &str, exchange: &str, caller: (&str, &str), wants: &[Want]) -> anyhow::Result<Leases> {
        let mut change = self.exclusive().await?;
        let now = self.engine.now_ms(&mut change).await?;
        let known = sqlx::query("SELECT exchange FROM reservation WHERE exchange = $1").bind(exchange);
        let known = known.fetch_optional(&mut *change).await?.is_some();
        let mut holders = Holders::default();
        let (mut opened, mut list, mut fits) = (Vec::new(), Vec::new(), true);
        for want in wants {
            let Some(id) = BudgetId::read(&want.id) else { continue };
            let Some(mut open) = open(&mut change, &mut holders, id, now).await? else {
                list.push(Lease { is_held: true, ..unlimited(want) });
                continue;
            };
            let holds = known || open.kept.window.hold(want.wanted);
            // What only warns, or leads to another route, stands in nobody's way.
            fits &= holds || open.terms.at_limit != AtLimit::Refuse;
            let mut lease = lease(&open, now, &Loan::default(), now, 0);
            lease.is_held = holds;
            list.push(lease);
            if holds {
                opened.push((open, want.wanted));
            }
        }
        if fits && !known {
            let held: Vec<(String, i64, u64)> =
                opened.iter().map(|(open, amount)| (open.id.to_string(), open.span.began_ms, *amount)).collect();
            let insert = sqlx::query(
                "INSERT INTO reservation (exchange, vm, caller, account, made_ms, document) VALUES ($1, $2, $3, $4, $5, $6)",
            );
            let insert = insert.bind(exchange).bind(vm).bind(caller.0).bind(caller.1).bind(now);
            insert.bind(serde_json::to_string(&held)?).execute(&mut *change).await?;
            for (open, _) in &opened {
                write(&mut change, open).await?;
            }
        }
        change.commit().await?;
        if !fits {
            // One that would have fitted is not held alone.
            list.iter_mut().for_each(|lease| lease.is_held &= lease.limit == u64::MAX);
        }
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

/// The Terms that were read in one change.
#[derive(Default)]
pub(super) struct Holders(HashMap<String, Option<Terms>>);

impl Holders {
    async fn terms(&mut self, change: &mut Change, holder: &str) -> anyhow::Result<Option<&Terms>> {
        if !self.0.contains_key(holder) {
            let table = if holder.starts_with("key_") { "caller" } else { "account" };
            let find = format!("SELECT document FROM {table} WHERE id = $1");
            let find = sqlx::query(sqlx::AssertSqlSafe(find)).bind(holder.to_string());
            let row = find.fetch_optional(&mut **change).await?;
            let terms = row.map(|row| anyhow::Ok(serde_json::from_str(row.try_get("document")?)?)).transpose()?;
            self.0.insert(holder.to_string(), terms);
        }
        Ok(self.0.get(holder).and_then(Option::as_ref))
    }
}

/// A budget with its window at a moment; `None` when there is no such budget any more.
pub(super) async fn open(
    change: &mut Change,
    holders: &mut Holders,
    id: BudgetId,
    at_ms: i64,
) -> anyhow::Result<Option<Open>> {
    let terms = holders.terms(change, &id.holder).await?;
    let same = |budget: &&BudgetTerms| budget.unit() == Some(id.unit) && budget.per == id.period;
    let Some(terms) = terms.and_then(|terms| terms.budgets.iter().find(same)).cloned() else { return Ok(None) };
    let span = id.period.span(at_ms, &terms.zone())?;
    let mut kept = read(&mut **change, &id, span.began_ms).await?;
    kept.window.limit = terms.limit();
    Ok(Some(Open { id, terms, span, kept }))
}

fn unsigned(row: &sqlx::any::AnyRow, name: &str) -> anyhow::Result<u64> {
    Ok(u64::try_from(row.try_get::<i64, _>(name)?).unwrap_or(0))
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

async fn read<'e>(
    executor: impl sqlx::Executor<'e, Database = sqlx::Any>,
    id: &BudgetId,
    began_ms: i64,
) -> anyhow::Result<Kept> {
    let find = sqlx::query(
        "SELECT spent, spent_rest, leased, reserved, told FROM budget_window \
         WHERE holder = $1 AND unit = $2 AND period = $3 AND began_ms = $4",
    );
    let find = find.bind(id.holder.clone()).bind(id.unit.name()).bind(id.period.name()).bind(began_ms);
    let Some(row) = find.fetch_optional(executor).await? else { return Ok(Kept::default()) };
    Ok(Kept {
        window: Window {
            limit: 0,
            spent: unsigned(&row, "spent")?,
            leased: unsigned(&row, "leased")?,
            reserved: unsigned(&row, "reserved")?,
        },
        rest: unsigned(&row, "spent_rest")?,
        told: unsigned(&row, "told")?,
    })
}

pub(super) async fn write(change: &mut Change, open: &Open) -> anyhow::Result<()> {
    let (id, kept) = (&open.id, &open.kept);
    let put = sqlx::query(
        "INSERT INTO budget_window (holder, unit, period, began_ms, spent, spent_rest, leased, reserved, told) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (holder, unit, period, began_ms) DO UPDATE SET \
         spent = excluded.spent, spent_rest = excluded.spent_rest, leased = excluded.leased, reserved = excluded.reserved, \
         told = excluded.told",
    );
    let put = put.bind(id.holder.clone()).bind(id.unit.name()).bind(id.period.name()).bind(open.span.began_ms);
    let put = put.bind(signed(kept.window.spent)).bind(signed(kept.rest)).bind(signed(kept.window.leased));
    put.bind(signed(kept.window.reserved)).bind(signed(kept.told)).execute(&mut **change).await?;
    Ok(())
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
