//! Records: one row for each exchange, however often it is sent.

use dragoman_core::price::Cost;
use dragoman_core::record::Record;
use sqlx::Row as _;

use super::accounts::within;
use super::attempts::{self, Amount, signed};
use super::{Change, Store, budgets, cool_downs, now_ms};
use crate::accounts::tenant;

/// A Record on its way into the store.
#[derive(Clone, Copy, Debug)]
pub struct Settling<'r> {
    /// The Record.
    pub record: &'r Record,
    /// Its document as it came.
    pub document: &'r str,
    /// What it cost; `None` when nobody knows.
    pub cost: Option<Cost>,
    /// What each attempt cost, in their order; `None` when nobody knows. One that is not there cost nothing.
    pub attempts: &'r [Option<Cost>],
}

/// A Record as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The document.
    pub document: String,
    /// When it began, in milliseconds since 1970.
    pub began_ms: i64,
    /// The exchange's id.
    pub exchange: String,
    /// Who pays; empty when nobody does.
    pub account: String,
    /// What it cost in micro-dollars.
    pub cost_micros: Option<u64>,
}

/// Which Records are meant; an empty one means all.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Of this caller.
    pub caller: Option<String>,
    /// Of this route.
    pub route: Option<String>,
    /// Of this account and of all below it.
    pub within: Option<String>,
    /// Those after this one in the order of the list.
    pub after: Option<(i64, String)>,
}

const COLUMNS: &str = "document, began_ms, exchange, account, COALESCE(cost_micros, -1) AS cost";

impl Store {
    /// Stores Records in one transaction, charges them to their budgets, notes their cool-downs, and gives back, once all of it is
    /// durable, which of them are new. One that is there already stays as it is and counts as stored.
    pub async fn settle(&self, records: &[Settling<'_>]) -> anyhow::Result<Vec<bool>> {
        // Only what is charged to budgets must not be mixed with what others do to them.
        let charges = records.iter().any(|settling| !settling.record.charged.is_empty());
        let mut change = if charges { self.exclusive().await? } else { self.change().await? };
        let mut fresh = Vec::with_capacity(records.len());
        for settling in records {
            fresh.push(insert(&mut change, settling).await?);
        }
        if charges {
            let new = records.iter().zip(&fresh).filter(|(_, fresh)| **fresh);
            let new: Vec<_> = new.map(|(settling, _)| (settling.record, settling.cost)).collect();
            budgets::spend(self, &mut change, &new).await?;
        }
        let new = records.iter().zip(&fresh).filter(|(_, fresh)| **fresh);
        cool_downs::note(&mut change, new.map(|(settling, _)| settling.record)).await?;
        change.commit().await?;
        Ok(fresh)
    }

    /// The Records that are wanted, the newest first.
    pub async fn records(&self, wanted: &Wanted, limit: u32) -> anyhow::Result<Vec<Kept>> {
        let (began, exchange) = wanted.after.clone().unwrap_or((i64::MAX, String::new()));
        // A page begins where the last one ended, found by an index that begins with what is asked for: the thousandth costs
        // as much as the first, and so does one of a caller who asks once a year.
        let tenant = wanted.within.as_deref().map(|account| tenant(account).to_string());
        let columns = [("caller", &wanted.caller), ("route", &wanted.route), ("tenant", &tenant), ("", &wanted.within)];
        let of: String = columns
            .into_iter()
            .filter(|(_, value)| value.is_some())
            .zip(4..)
            .map(|((column, _), number)| match column {
                "" => format!("{} AND ", within("account", number)),
                column => format!("{column} = ${number} AND "),
            })
            .collect();
        let find = format!(
            "SELECT {COLUMNS} FROM record \
             WHERE {of}(began_ms, exchange) < ($1, $2) ORDER BY began_ms DESC, exchange DESC LIMIT $3"
        );
        let find = sqlx::query(sqlx::AssertSqlSafe(find)).bind(began).bind(exchange).bind(i64::from(limit));
        let values = columns.into_iter().filter_map(|(_, value)| value.as_ref());
        let rows = values.fold(find, |find, value| find.bind(value.clone())).fetch_all(&self.reader).await?;
        rows.iter().map(kept).collect()
    }

    /// The Record of one exchange.
    pub async fn record(&self, exchange: &str) -> anyhow::Result<Option<Kept>> {
        let find = format!("SELECT {COLUMNS} FROM record WHERE exchange = $1");
        sqlx::query(sqlx::AssertSqlSafe(find))
            .bind(exchange)
            .fetch_optional(&self.reader)
            .await?
            .as_ref()
            .map(kept)
            .transpose()
    }
}

/// Whether it was not there before.
async fn insert(change: &mut Change, settling: &Settling<'_>) -> anyhow::Result<bool> {
    let Settling { record, document, cost, .. } = settling;
    let insert = sqlx::query(
        "INSERT INTO record (exchange, caller, account, tenant, route, status, began_ms, settled_ms, document, state, \
         cost_micros, cost_rest, attempts, known_micros, known_rest, input_tokens, output_tokens, arm) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18) ON CONFLICT (exchange) DO NOTHING",
    );
    let insert = insert.bind(record.exchange.clone()).bind(record.caller.clone()).bind(record.account.clone());
    let insert = insert.bind(tenant(&record.account).to_string()).bind(record.route.clone());
    let insert = insert.bind(i64::from(record.status)).bind(signed(record.began_ms)).bind(now_ms());
    let insert = insert.bind((*document).to_string()).bind(record.standing().name());
    let insert = insert.bind(cost.map(|cost| Amount::of(cost).micros));
    let insert = insert.bind(cost.map_or(0, |cost| Amount::of(cost).rest));
    let lines = attempts::lines(settling);
    let known = lines.iter().filter_map(|line| line.cost).fold(Cost::default(), Cost::and);
    // The sum of the lines is that of the whole: what is nobody's attempt is in the whole alone.
    let known = Amount::of(if lines.is_empty() { cost.unwrap_or_default() } else { known });
    let insert = insert.bind(i64::try_from(lines.len()).unwrap_or(i64::MAX)).bind(known.micros).bind(known.rest);
    let tokens = |of: fn(&attempts::Line<'_>) -> i64| lines.iter().map(of).fold(0_i64, i64::saturating_add);
    let insert = insert.bind(tokens(|line| line.input_tokens)).bind(tokens(|line| line.output_tokens));
    let insert = insert.bind(record.arm.clone());
    let fresh = insert.execute(&mut **change).await?.rows_affected() > 0;
    if fresh {
        attempts::insert(change, &record.exchange, &lines).await?;
    }
    Ok(fresh)
}

fn kept(row: &sqlx::any::AnyRow) -> anyhow::Result<Kept> {
    Ok(Kept {
        document: row.try_get("document")?,
        began_ms: row.try_get("began_ms")?,
        exchange: row.try_get("exchange")?,
        account: row.try_get("account")?,
        cost_micros: u64::try_from(row.try_get::<i64, _>("cost")?).ok(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::on_both;
    use super::*;

    fn record(exchange: &str, status: u16, began_ms: u64) -> (Record, String) {
        let record = Record { exchange: exchange.into(), status, began_ms, ..Record::default() };
        let document = String::from_utf8(record.write()).unwrap();
        (record, document)
    }

    async fn settle(store: &Store, records: &[(Record, String)], cost_micros: Option<u64>) -> Vec<bool> {
        let cost = cost_micros.map(Cost::micro);
        let settling: Vec<Settling<'_>> =
            records.iter().map(|(record, document)| Settling { record, document, cost, attempts: &[] }).collect();
        store.settle(&settling).await.unwrap()
    }

    #[tokio::test]
    async fn a_record_is_stored_once_and_acknowledged_every_time() {
        for fresh in on_both().await {
            let store = fresh.open().await;
            assert_eq!(settle(&store, &[record("a", 200, 1), record("b", 429, 2)], Some(7)).await, [true, true]);
            assert_eq!(settle(&store, &[record("a", 500, 3)], None).await, [false]);
            let kept = store.records(&Wanted::default(), 10).await.unwrap();
            let kept: Vec<(String, Option<u64>)> =
                kept.into_iter().map(|kept| (kept.document, kept.cost_micros)).collect();
            assert_eq!(kept, [(record("b", 429, 2).1, Some(7)), (record("a", 200, 1).1, Some(7))]);
        }
    }

    #[tokio::test]
    async fn pages_have_every_record_once() {
        for fresh in on_both().await {
            let store = fresh.open().await;
            let all: Vec<(Record, String)> =
                (0..25_u64).map(|number| record(&format!("x{number:02}"), 200, number / 3)).collect();
            settle(&store, &all, None).await;
            let (mut wanted, mut seen) = (Wanted::default(), Vec::new());
            loop {
                let page = store.records(&wanted, 4).await.unwrap();
                let Some(last) = page.last() else { break };
                wanted.after = Some((last.began_ms, last.exchange.clone()));
                seen.extend(page.into_iter().map(|kept| kept.exchange));
            }
            let expected: Vec<String> = all.iter().rev().map(|(record, _)| record.exchange.clone()).collect();
            assert_eq!(seen, expected);
            let of = |caller: &str, route: &str| Wanted {
                caller: Some(caller.into()).filter(|name: &String| !name.is_empty()),
                route: Some(route.into()).filter(|name: &String| !name.is_empty()),
                ..Wanted::default()
            };
            let mut other = record("y", 200, 4);
            (other.0.caller, other.0.route, other.0.account) = ("k".into(), "r".into(), "acme.a".into());
            settle(&store, &[other], None).await;
            for (account, found) in [("acme", 1), ("acme.a", 1), ("acme.b", 0), ("acm", 0), ("acme.a.b", 0), ("", 0)] {
                let wanted = Wanted { within: Some(account.into()), ..of("", "r") };
                assert_eq!(store.records(&wanted, 30).await.unwrap().len(), found, "{account}");
            }
            for (caller, route, found) in [("k", "", 1), ("", "r", 1), ("k", "r", 1), ("k", "x", 0), ("x", "r", 0)] {
                let wanted = of(caller, route);
                assert_eq!(store.records(&wanted, 30).await.unwrap().len(), found, "{wanted:?}");
            }
            assert_eq!(store.records(&Wanted::default(), 30).await.unwrap().len(), 26);
            assert_eq!(store.record("x07").await.unwrap().unwrap().cost_micros, None);
            assert!(
                store.records(&Wanted { caller: Some("n".into()), ..Wanted::default() }, 9).await.unwrap().is_empty()
            );
        }
    }
}
