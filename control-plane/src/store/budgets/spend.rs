//! Records turn what was lent and held into what is spent.

use std::collections::BTreeMap;

use dragoman_core::admission::{OF_TARGET, Unit, is_about};
use dragoman_core::price::Cost;
use dragoman_core::record::{Outcome, Record};
use sqlx::Row as _;

use super::windows::{Open, Windows};
use super::{BudgetId, read_loan, signed};
use crate::store::{Change, Store, numbered};

/// Exchanges whose reservations end in one statement.
const AT_ONCE: usize = 1000;

/// What is charged to one window by one data plane, in the order in which windows are locked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Bill {
    pub(super) id: BudgetId,
    pub(super) began_ms: i64,
    pub(super) vm: String,
}

/// Charges Records that were stored for the first time in this change; the second of a pair is what it cost.
pub(in crate::store) async fn spend(
    store: &Store,
    change: &mut Change,
    fresh: &[(&Record, Option<Cost>)],
) -> anyhow::Result<()> {
    let now = store.engine.now_ms(change).await?;
    let mut windows = Windows::default();
    release(change, &mut windows, fresh).await?;
    // In pico-dollars where it is money, so that nothing is rounded twice.
    let mut bills: BTreeMap<Bill, u128> = BTreeMap::new();
    for (record, cost) in fresh {
        for charged in &record.charged {
            let Some(id) = BudgetId::read(&charged.budget).filter(|id| id.unit != Unit::Concurrent) else { continue };
            // A target's limit counts what it was asked itself, every attempt of it.
            let of_target = id.holder.starts_with(OF_TARGET);
            let outcomes = || record.outcomes.iter().filter(|one| !of_target || is_about(&id.holder, &one.target));
            let amount = match id.unit {
                Unit::Usd => cost.map_or(0, Cost::pico_dollars),
                Unit::Tokens => outcomes().map(|outcome| u128::from(Outcome::tokens(outcome))).sum(),
                Unit::Requests if of_target => outcomes().count() as u128,
                Unit::Requests | Unit::Concurrent => 1,
            };
            // What went without a lease is charged to the window in which it began.
            let began_ms = match charged.window_ms {
                0 => windows.began(change, &id, signed(record.began_ms)).await?.unwrap_or(0),
                known => signed(known),
            };
            let bill = Bill { id, began_ms, vm: record.vm().to_string() };
            *bills.entry(bill).or_default() += amount;
        }
    }
    for (bill, amount) in bills {
        charge(change, &mut windows, &bill, amount, now).await?;
    }
    windows.write(change).await
}

/// One window, by one data plane.
pub(super) async fn charge(
    change: &mut Change,
    windows: &mut Windows,
    bill: &Bill,
    amount: u128,
    now: i64,
) -> anyhow::Result<()> {
    let open = windows.of(change, &bill.id, bill.began_ms).await?;
    let mut loan = read_loan(change, &bill.vm, &bill.id, bill.began_ms).await?;
    let whole = match bill.id.unit {
        Unit::Usd => {
            let (whole, rest) = Cost::pico(amount + u128::from(open.kept.rest)).parts();
            open.kept.rest = u64::try_from(rest).unwrap_or(0);
            whole
        }
        _ => amount,
    };
    let whole = u64::try_from(whole).unwrap_or(u64::MAX);
    open.kept.window.spend_of(&mut loan, whole);
    let update = sqlx::query(
        "UPDATE lease SET used = $1 WHERE vm = $2 AND holder = $3 AND unit = $4 AND period = $5 AND began_ms = $6",
    );
    let update = update.bind(signed(loan.used)).bind(bill.vm.clone()).bind(bill.id.holder.clone());
    let update = update.bind(bill.id.unit.name()).bind(bill.id.period.name()).bind(bill.began_ms);
    update.execute(&mut **change).await?;
    notice(change, open, now).await
}

/// Gives back what was held for exchanges that are over.
async fn release(change: &mut Change, windows: &mut Windows, fresh: &[(&Record, Option<Cost>)]) -> anyhow::Result<()> {
    for over in fresh.chunks(AT_ONCE) {
        let exchanges = numbered(1, over.len());
        let take = format!("DELETE FROM reservation WHERE exchange IN {exchanges} RETURNING document");
        let take = sqlx::query(sqlx::AssertSqlSafe(take));
        let take = over.iter().fold(take, |take, (record, _)| take.bind(record.exchange.clone()));
        for row in take.fetch_all(&mut **change).await? {
            free(change, windows, row.try_get("document")?).await?;
        }
    }
    Ok(())
}

/// Gives back what a reservation's document says.
pub(super) async fn free(change: &mut Change, windows: &mut Windows, document: &str) -> anyhow::Result<()> {
    let held: Vec<(String, i64, u64)> = serde_json::from_str(document)?;
    for (id, began_ms, amount) in held {
        let Some(id) = BudgetId::read(&id) else { continue };
        windows.of(change, &id, began_ms).await?.kept.window.release(amount);
    }
    Ok(())
}

/// Notes that a share of a limit is spent: the highest, and only if none as high was noted for the window before.
async fn notice(change: &mut Change, open: &mut Open, now: i64) -> anyhow::Result<()> {
    let (window, limit) = (open.kept.window, open.kept.window.limit);
    if limit == 0 {
        return Ok(());
    }
    let percent = u128::from(window.spent) * 100 / u128::from(limit);
    let reached = open.terms.tell_at().iter().copied().map(u64::from).filter(|share| u128::from(*share) <= percent);
    let Some(highest) = reached.max().filter(|share| *share > open.kept.told) else { return Ok(()) };
    open.kept.told = highest;
    let id = &open.id;
    let insert = sqlx::query(
        "INSERT INTO budget_notice (holder, unit, period, began_ms, percent, spent, most, made_ms) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (holder, unit, period, began_ms, percent) DO NOTHING",
    );
    let insert = insert.bind(id.holder.clone()).bind(id.unit.name()).bind(id.period.name()).bind(open.span.began_ms);
    let insert = insert.bind(signed(highest)).bind(signed(window.spent)).bind(signed(limit)).bind(now);
    insert.execute(&mut **change).await?;
    tracing::warn!(budget = %id, percent = highest, spent = window.spent, limit, "a budget's threshold is reached");
    Ok(())
}
