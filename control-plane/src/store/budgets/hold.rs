//! Strict budgets: what an exchange may cost is held durably before it is sent. Those who ask at the same time are answered
//! in one change: the lock is taken, and the disk waited for, once for all of them.

use std::collections::HashSet;

use dragoman_core::admission::{Lease, Leases, Loan, Want};
use sqlx::Row as _;

use super::windows::Windows;
use super::{BudgetId, lease, unlimited};
use crate::accounts::AtLimit;
use crate::store::{Change, Store, numbered};

/// What one exchange asks to be held.
#[derive(Clone, Debug, Default)]
pub struct Hold {
    /// The data plane's VM that sends it.
    pub vm: String,
    /// The exchange.
    pub exchange: String,
    /// Who pays: a key's id or an identity.
    pub caller: String,
    /// Its account.
    pub account: String,
    /// How much of which budgets.
    pub wants: Vec<Want>,
}

impl Store {
    /// Holds what exchanges may cost of strict budgets: for each of them of all its budgets or of none, in their order. A
    /// question that comes twice is answered twice and held once.
    pub async fn hold(&self, holds: &[Hold]) -> anyhow::Result<Vec<Leases>> {
        if holds.is_empty() {
            return Ok(Vec::new());
        }
        let mut change = self.exclusive().await?;
        let now = self.engine.now_ms(&mut change).await?;
        let mut known = known(&mut change, holds).await?;
        let mut windows = Windows::default();
        let (mut answers, mut fresh) = (Vec::with_capacity(holds.len()), Vec::new());
        for hold in holds {
            let (leases, held) = hold.answer(&mut change, &mut windows, known.contains(&hold.exchange), now).await?;
            answers.push(leases);
            if let Some(held) = held {
                known.insert(hold.exchange.clone());
                fresh.push((hold, serde_json::to_string(&held)?));
            }
        }
        insert(&mut change, &fresh, now).await?;
        windows.write(&mut change).await?;
        change.commit().await?;
        Ok(answers)
    }
}

/// What is held of a budget's window: its id, when the window began, how much.
type Held = (String, i64, u64);

impl Hold {
    /// The answer, and what is to be held from now on: nothing when it does not fit, or is held already.
    async fn answer(
        &self,
        change: &mut Change,
        windows: &mut Windows,
        known: bool,
        now: i64,
    ) -> anyhow::Result<(Leases, Option<Vec<Held>>)> {
        let (mut held, mut list, mut fits) = (Vec::new(), Vec::new(), true);
        for want in &self.wants {
            let Some(id) = BudgetId::read(&want.id) else { continue };
            let Some(open) = windows.now(change, &id, now).await? else {
                list.push(Lease { is_held: true, ..unlimited(want) });
                continue;
            };
            let holds = known || open.kept.window.hold(want.wanted);
            // What only warns, or leads to another route, stands in nobody's way.
            fits &= holds || open.terms.at_limit != AtLimit::Refuse;
            list.push(Lease { is_held: holds, ..lease(open, now, &Loan::default(), now, 0) });
            if holds && !known {
                held.push((id, open.span.began_ms, want.wanted));
            }
        }
        if fits {
            let document = |(id, began_ms, amount): (BudgetId, i64, u64)| (id.to_string(), began_ms, amount);
            return Ok((Leases { list }, (!known).then(|| held.into_iter().map(document).collect())));
        }
        for (id, began_ms, amount) in &held {
            windows.of(change, id, *began_ms).await?.kept.window.release(*amount);
        }
        // One that would have fitted is not held alone.
        list.iter_mut().for_each(|lease| lease.is_held &= lease.limit == u64::MAX);
        Ok((Leases { list }, None))
    }
}

/// The exchanges that are held for already.
async fn known(change: &mut Change, holds: &[Hold]) -> anyhow::Result<HashSet<String>> {
    let find = format!("SELECT exchange FROM reservation WHERE exchange IN {}", numbered(1, holds.len()));
    let find = sqlx::query(sqlx::AssertSqlSafe(find));
    let find = holds.iter().fold(find, |find, hold| find.bind(&hold.exchange));
    find.fetch_all(&mut **change).await?.iter().map(|row| Ok(row.try_get("exchange")?)).collect()
}

async fn insert(change: &mut Change, fresh: &[(&Hold, String)], now: i64) -> anyhow::Result<()> {
    const COLUMNS: usize = 6;
    if fresh.is_empty() {
        return Ok(());
    }
    let rows: Vec<String> = (0..fresh.len()).map(|row| numbered(1 + row * COLUMNS, COLUMNS)).collect();
    let insert = format!(
        "INSERT INTO reservation (exchange, vm, caller, account, made_ms, document) VALUES {}",
        rows.join(", ")
    );
    let insert = fresh.iter().fold(sqlx::query(sqlx::AssertSqlSafe(insert)), |insert, (hold, held)| {
        let insert = insert.bind(&hold.exchange).bind(&hold.vm).bind(&hold.caller).bind(&hold.account);
        insert.bind(now).bind(held)
    });
    insert.execute(&mut **change).await?;
    Ok(())
}
