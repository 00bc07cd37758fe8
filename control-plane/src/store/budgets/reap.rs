//! What data planes took with them when they died, or no longer use.

use dragoman_core::price::Cost;
use dragoman_core::record::{Charged, Record};
use sqlx::Row as _;

use super::spend::{Bill, charge, free};
use super::windows::Windows;
use super::{BudgetId, MARGIN_MS, read_loan, signed};
use crate::accounts::tenant;
use crate::store::{Change, Store, now_ms};

/// A data plane that no control plane has seen for so long is dead: longer than the longest pause of its calls.
const DEAD_MS: i64 = 30_000;
/// Most leases and reservations looked at in one turn: the lock is held meanwhile.
const AT_ONCE: i64 = 500;

/// What was taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Reaped {
    /// Leases that had ended.
    pub leases: usize,
    /// Exchanges whose data plane died, settled with all that was held for them.
    pub exchanges: usize,
}

impl Store {
    /// Notes that these data planes are alive.
    pub async fn seen(&self, vms: &[String]) -> anyhow::Result<()> {
        let mut change = self.change().await?;
        let now = self.engine.now_ms(&mut change).await?;
        for vm in vms {
            let put =
                "INSERT INTO data_plane (vm, seen_ms) VALUES ($1, $2) ON CONFLICT (vm) DO UPDATE SET seen_ms = $2";
            sqlx::query(put).bind(vm).bind(now).execute(&mut *change).await?;
        }
        change.commit().await?;
        Ok(())
    }

    /// Whoever holds something counts as alive from now on: nobody was there to see them, so their silence says nothing. Their
    /// Records wait until they have found the control plane again.
    pub async fn presume_alive(&self) -> anyhow::Result<()> {
        let mut change = self.change().await?;
        let now = self.engine.now_ms(&mut change).await?;
        let put = "INSERT INTO data_plane (vm, seen_ms) SELECT DISTINCT vm, CAST($1 AS BIGINT) FROM reservation WHERE 1 = 1 \
                   ON CONFLICT (vm) DO UPDATE SET seen_ms = excluded.seen_ms";
        sqlx::query(put).bind(now).execute(&mut *change).await?;
        change.commit().await?;
        Ok(())
    }

    /// Takes back what leases that have ended left, and settles what dead data planes had reserved. Whichever control plane
    /// does it, once.
    pub async fn reap(&self) -> anyhow::Result<Reaped> {
        let mut change = self.exclusive().await?;
        let now = self.engine.now_ms(&mut change).await?;
        let mut windows = Windows::default();
        let leases = leases(&mut change, &mut windows, now).await?;
        let exchanges = reservations(&mut change, &mut windows, now).await?;
        windows.write(&mut change).await?;
        change.commit().await?;
        Ok(Reaped { leases, exchanges })
    }
}

async fn leases(change: &mut Change, windows: &mut Windows, now: i64) -> anyhow::Result<usize> {
    let find = sqlx::query(
        "SELECT vm, holder, unit, period, began_ms FROM lease WHERE ended_ms IS NULL AND expires_ms < $1 \
         ORDER BY holder, unit, period, began_ms, vm LIMIT $2",
    );
    let rows = find.bind(now - MARGIN_MS).bind(AT_ONCE).fetch_all(&mut **change).await?;
    for row in &rows {
        let text = |name: &str| row.try_get::<String, _>(name);
        let id = format!("{}/{}/{}", text("holder")?, text("unit")?, text("period")?);
        let Some(id) = BudgetId::read(&id) else { continue };
        let bill = Bill { id, began_ms: row.try_get("began_ms")?, vm: text("vm")? };
        let open = windows.of(change, &bill.id, bill.began_ms).await?;
        let mut loan = read_loan(change, &bill.vm, &bill.id, bill.began_ms).await?;
        open.kept.window.take_back(&mut loan);
        let end = sqlx::query(
            "UPDATE lease SET lent = $1, ended_ms = $2 WHERE vm = $3 AND holder = $4 AND unit = $5 AND period = $6 \
             AND began_ms = $7",
        );
        let end = end.bind(signed(loan.lent)).bind(now).bind(bill.vm).bind(bill.id.holder.clone());
        let end = end.bind(bill.id.unit.name()).bind(bill.id.period.name()).bind(bill.began_ms);
        end.execute(&mut **change).await?;
    }
    Ok(rows.len())
}

async fn reservations(change: &mut Change, windows: &mut Windows, now: i64) -> anyhow::Result<usize> {
    let find = sqlx::query(
        "SELECT r.exchange, r.vm, r.caller, r.account, r.made_ms, r.document FROM reservation AS r \
         LEFT JOIN data_plane AS d ON d.vm = r.vm WHERE COALESCE(d.seen_ms, r.made_ms) < $1 \
         OR EXISTS (SELECT 1 FROM record WHERE record.exchange = r.exchange) LIMIT $2",
    );
    let rows = find.bind(now - DEAD_MS).bind(AT_ONCE).fetch_all(&mut **change).await?;
    for row in &rows {
        let exchange: String = row.try_get("exchange")?;
        let document: String = row.try_get("document")?;
        free(change, windows, &document).await?;
        sqlx::query("DELETE FROM reservation WHERE exchange = $1").bind(&exchange).execute(&mut **change).await?;
        let made_ms: i64 = row.try_get("made_ms")?;
        let held: Vec<(String, i64, u64)> = serde_json::from_str(&document)?;
        let charged = |(budget, began_ms, _): &(String, i64, u64)| Charged {
            budget: budget.clone(),
            window_ms: u64::try_from(*began_ms).unwrap_or(0),
        };
        let record = Record {
            exchange,
            caller: row.try_get("caller")?,
            account: row.try_get("account")?,
            began_ms: u64::try_from(made_ms).unwrap_or(0),
            charged: held.iter().map(charged).collect(),
            refusal: "data_plane_lost".to_string(),
            ..Record::default()
        };
        settle(change, windows, &record, held, now).await?;
    }
    Ok(rows.len())
}

/// Charges all that was held for an exchange whose end nobody will tell: the provider may have billed all of it.
async fn settle(
    change: &mut Change,
    windows: &mut Windows,
    record: &Record,
    held: Vec<(String, i64, u64)>,
    now: i64,
) -> anyhow::Result<()> {
    let held: Vec<(BudgetId, i64, u64)> =
        held.into_iter().filter_map(|(id, began_ms, amount)| Some((BudgetId::read(&id)?, began_ms, amount))).collect();
    let money = |(id, _, amount): &(BudgetId, i64, u64)| (id.unit == super::Unit::Usd).then_some(*amount);
    let cost = held.iter().filter_map(money).max();
    let insert = sqlx::query(
        "INSERT INTO record (exchange, caller, account, route, status, began_ms, settled_ms, document, cost_micros, state, \
         tenant, known_micros) VALUES ($1, $2, $3, '', 0, $4, $5, $6, $7, 'settled_estimated', $8, $9) \
         ON CONFLICT (exchange) DO NOTHING",
    );
    let insert = insert.bind(&record.exchange).bind(&record.caller).bind(&record.account).bind(signed(record.began_ms));
    let insert = insert.bind(now_ms()).bind(String::from_utf8(record.write())?).bind(cost.map(signed));
    let insert = insert.bind(tenant(&record.account).to_string()).bind(signed(cost.unwrap_or(0)));
    // It was settled after all, and what was held is only given back.
    if insert.execute(&mut **change).await?.rows_affected() == 0 {
        return Ok(());
    }
    for (id, began_ms, amount) in held {
        let amount = match id.unit {
            super::Unit::Usd => Cost::micro(amount).pico_dollars(),
            _ => amount.into(),
        };
        let bill = Bill { id, began_ms, vm: record.vm().to_string() };
        charge(change, windows, &bill, amount, now).await?;
    }
    Ok(())
}
