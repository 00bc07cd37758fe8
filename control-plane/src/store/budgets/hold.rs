//! Strict budgets: what an exchange may cost is held durably before it is sent. Those who ask at the same time are answered
//! in one change: the lock is taken, and the disk waited for, once for all of them.

use dragoman_core::admission::{Lease, Leases, Loan, Want};

use super::windows::Windows;
use super::{BudgetId, lease, unlimited};
use crate::accounts::AtLimit;
use crate::store::{Change, Store};

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
        let mut change = self.exclusive().await?;
        let now = self.engine.now_ms(&mut change).await?;
        let mut windows = Windows::default();
        let mut answers = Vec::with_capacity(holds.len());
        for hold in holds {
            answers.push(hold.answer(&mut change, &mut windows, now).await?);
        }
        windows.write(&mut change).await?;
        change.commit().await?;
        Ok(answers)
    }
}

impl Hold {
    async fn answer(&self, change: &mut Change, windows: &mut Windows, now: i64) -> anyhow::Result<Leases> {
        let known = sqlx::query("SELECT exchange FROM reservation WHERE exchange = $1").bind(&self.exchange);
        let known = known.fetch_optional(&mut **change).await?.is_some();
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
        if !fits {
            for (id, began_ms, amount) in &held {
                windows.of(change, id, *began_ms).await?.kept.window.release(*amount);
            }
            // One that would have fitted is not held alone.
            list.iter_mut().for_each(|lease| lease.is_held &= lease.limit == u64::MAX);
        } else if !known {
            let held: Vec<(String, i64, u64)> =
                held.into_iter().map(|(id, began_ms, amount)| (id.to_string(), began_ms, amount)).collect();
            let insert = sqlx::query(
                "INSERT INTO reservation (exchange, vm, caller, account, made_ms, document) VALUES ($1, $2, $3, $4, $5, $6)",
            );
            let insert = insert.bind(&self.exchange).bind(&self.vm).bind(&self.caller).bind(&self.account).bind(now);
            insert.bind(serde_json::to_string(&held)?).execute(&mut **change).await?;
        }
        Ok(Leases { list })
    }
}
