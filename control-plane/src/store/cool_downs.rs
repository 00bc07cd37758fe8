//! Cool-downs: whose own token is not sent to which provider for a while, since the provider said that it came too often.
//!
//! A Record makes one in the transaction that stores it. One that is over counts for nothing, and [`Store::forget`] takes it away.

use std::collections::BTreeMap;

use dragoman_core::record::Record;
use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::accounts::within;
use super::attempts::signed;
use super::{Change, Store, now_ms};

/// Most that data planes are told of: more callers than use tokens of their own at one time, and little to send each second.
pub const MOST: u32 = 4096;

/// One that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoolDown {
    /// The provider that said so.
    pub provider: String,
    /// Which token, as Records name it.
    pub bearer: String,
    /// Who brought it.
    pub caller: String,
    /// Whose account that is; empty for a key of nobody's.
    pub account: String,
    /// Until when, in milliseconds since 1970.
    pub until_ms: i64,
    /// When it was learnt.
    pub made_ms: i64,
}

const COLUMNS: &str = "provider, bearer, caller, account, until_ms, made_ms";

/// Notes what new Records tell, and of one token at one provider what holds the longest.
pub(super) async fn note(change: &mut Change, records: impl Iterator<Item = &Record>) -> anyhow::Result<()> {
    let now = now_ms();
    // Two changes meet in several rows in the same order, so that neither waits for the other.
    let mut told: BTreeMap<(&str, &str), (i64, &Record)> = BTreeMap::new();
    for record in records.filter(|record| !record.bearer.is_empty()) {
        for outcome in &record.outcomes {
            let until = signed(outcome.cool_until_ms);
            let provider = outcome.target.split_once('/').map_or(&*outcome.target, |(provider, _)| provider);
            let longest = told.entry((provider, &record.bearer)).or_insert((now, record));
            if until > longest.0 {
                *longest = (until, record);
            }
        }
    }
    for ((provider, bearer), (until, record)) in told.into_iter().filter(|(_, (until, _))| *until > now) {
        let insert = sqlx::query(
            "INSERT INTO cool_down (provider, bearer, caller, account, until_ms, made_ms) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (provider, bearer) DO UPDATE SET caller = excluded.caller, account = excluded.account, \
             until_ms = excluded.until_ms, made_ms = excluded.made_ms WHERE cool_down.until_ms < excluded.until_ms",
        );
        let insert = insert.bind(provider.to_string()).bind(bearer.to_string()).bind(record.caller.clone());
        let insert = insert.bind(record.account.clone()).bind(until).bind(now);
        insert.execute(&mut **change).await?;
    }
    Ok(())
}

impl Store {
    /// Those that data planes are told: of more than [`MOST`] the ones that hold the longest.
    pub async fn cooling(&self) -> anyhow::Result<Vec<CoolDown>> {
        let find = format!(
            "SELECT {COLUMNS} FROM cool_down WHERE until_ms > $1 ORDER BY until_ms DESC, provider, bearer LIMIT $2"
        );
        let find = sqlx::query(sqlx::AssertSqlSafe(find)).bind(now_ms()).bind(i64::from(MOST));
        find.fetch_all(&self.reader).await?.iter().map(cool_down).collect()
    }

    /// Those of an account and of all below it, or everybody's when `tree` is empty, by provider and token; `after` is where the page
    /// before ended.
    pub async fn cool_downs(&self, tree: &str, after: (&str, &str), limit: u32) -> anyhow::Result<Vec<CoolDown>> {
        let find = format!(
            "SELECT {COLUMNS} FROM cool_down WHERE until_ms > $1 AND ($2 = '' OR {}) AND (provider, bearer) > ($3, $4) \
             ORDER BY provider, bearer LIMIT $5",
            within("account", 2)
        );
        let find = sqlx::query(sqlx::AssertSqlSafe(find)).bind(now_ms()).bind(tree.to_string());
        let find = find.bind(after.0.to_string()).bind(after.1.to_string()).bind(i64::from(limit));
        find.fetch_all(&self.reader).await?.iter().map(cool_down).collect()
    }

    /// Ends one before its time, if it belongs to that tree; whether it held.
    pub async fn clear_cool_down(&self, actor: &str, tree: &str, provider: &str, bearer: &str) -> anyhow::Result<bool> {
        let mut change = self.exclusive().await?;
        let delete = format!(
            "DELETE FROM cool_down WHERE until_ms > $1 AND ($2 = '' OR {}) AND provider = $3 AND bearer = $4 \
             RETURNING {COLUMNS}",
            within("account", 2)
        );
        let delete = sqlx::query(sqlx::AssertSqlSafe(delete)).bind(now_ms()).bind(tree.to_string());
        let delete = delete.bind(provider.to_string()).bind(bearer.to_string());
        let Some(row) = delete.fetch_optional(&mut *change).await? else { return Ok(false) };
        let CoolDown { caller, account, until_ms, .. } = cool_down(&row)?;
        let before = serde_json::json!({ "caller": caller, "account": account, "until_ms": until_ms }).to_string();
        let id = format!("{provider}/{bearer}");
        self.note_in(&mut change, (actor, "delete"), ("cool_down", &id), (Some(&before), None)).await?;
        change.commit().await?;
        Ok(true)
    }
}

fn cool_down(row: &AnyRow) -> anyhow::Result<CoolDown> {
    Ok(CoolDown {
        provider: row.try_get("provider")?,
        bearer: row.try_get("bearer")?,
        caller: row.try_get("caller")?,
        account: row.try_get("account")?,
        until_ms: row.try_get("until_ms")?,
        made_ms: row.try_get("made_ms")?,
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use dragoman_core::record::Outcome;

    use super::super::records::Settling;
    use super::super::tests::on_both;
    use super::*;

    /// The Record of an exchange of `acme.a` whose attempts end the cool-down of `bearer` at those times.
    pub(crate) fn record(exchange: &str, bearer: &str, attempts: &[(&str, u64)]) -> Record {
        let outcome = |(target, until): &(&str, u64)| Outcome {
            target: (*target).into(),
            cool_until_ms: *until,
            ..Outcome::default()
        };
        Record {
            exchange: exchange.into(),
            caller: "key_1".into(),
            account: "acme.a".into(),
            bearer: bearer.into(),
            outcomes: attempts.iter().map(outcome).collect(),
            ..Record::default()
        }
    }

    pub(crate) async fn settle(store: &Store, records: &[Record]) {
        let documents: Vec<String> = records.iter().map(|record| String::from_utf8(record.write()).unwrap()).collect();
        let settling = records.iter().zip(&documents);
        let settling: Vec<Settling<'_>> =
            settling.map(|(record, document)| Settling { record, document, cost: None, attempts: &[] }).collect();
        store.settle(&settling).await.unwrap();
    }

    /// So many seconds from now.
    pub(crate) fn soon(seconds: i64) -> u64 {
        u64::try_from(now_ms() + seconds * 1000).unwrap()
    }

    fn names(list: &[CoolDown]) -> Vec<(&str, &str, i64)> {
        list.iter().map(|one| (&*one.provider, &*one.bearer, one.until_ms)).collect()
    }

    #[tokio::test]
    async fn a_record_puts_its_callers_token_on_cool_down_once_and_the_later_end_holds() {
        for fresh in on_both().await {
            let store = fresh.open().await;
            let [early, late, over] = [soon(60), soon(90), soon(-1)];
            let [early_ms, late_ms] = [early, late].map(signed);
            settle(&store, &[record("x1", "b", &[("p/m", early), ("q/m/n", late), ("r/m", over), ("s/m", 0)])]).await;
            settle(&store, &[record("x2", "", &[("p/m", late)]), record("x3", "a", &[("p", early)])]).await;
            let found = store.cooling().await.unwrap();
            let all = [("q", "b", late_ms), ("p", "a", early_ms), ("p", "b", early_ms)];
            assert_eq!(names(&found), all);
            let CoolDown { caller, account, made_ms, .. } = &found[0];
            assert_eq!((&**caller, &**account), ("key_1", "acme.a"));
            assert!(*made_ms <= now_ms() && *made_ms > now_ms() - 60_000);

            settle(&store, &[record("x3", "a", &[("p/m", late)])]).await;
            settle(&store, &[record("x4", "b", &[("q/m", early)])]).await;
            assert_eq!(names(&store.cooling().await.unwrap()), all, "it came before, or ends earlier");
            settle(&store, &[record("x5", "b", &[("p/m", late), ("p/n", early)])]).await;
            let all = [("p", "b", late_ms), ("q", "b", late_ms), ("p", "a", early_ms)];
            assert_eq!(names(&store.cooling().await.unwrap()), all);
        }
    }

    #[tokio::test]
    async fn pages_have_each_of_a_tree_once() {
        for fresh in on_both().await {
            let store = fresh.open().await;
            let until = soon(60);
            let mut other = record("x1", "z", &[("p/m", until)]);
            other.account = String::new();
            settle(&store, &[other, record("x2", "a", &[("p/m", until), ("q/m", until)])]).await;
            settle(&store, &[record("x3", "b", &[("p/m", until)])]).await;
            let page = async |tree: &str, after: (&str, &str)| {
                let found = store.cool_downs(tree, after, 3).await.unwrap();
                found.iter().map(|one| format!("{}/{}", one.provider, one.bearer)).collect::<Vec<_>>()
            };
            assert_eq!(page("", ("", "")).await, ["p/a", "p/b", "p/z"]);
            assert_eq!(page("", ("p", "z")).await, ["q/a"]);
            for tree in ["acme", "acme.a"] {
                assert_eq!(page(tree, ("", "")).await, ["p/a", "p/b", "q/a"], "{tree}");
            }
            assert!(page("acme.b", ("", "")).await.is_empty() && page("acm", ("", "")).await.is_empty());
        }
    }

    #[tokio::test]
    async fn one_that_is_cleared_is_over_and_the_audit_log_says_who_did_it() {
        for fresh in on_both().await {
            let store = fresh.open().await;
            settle(&store, &[record("x1", "b", &[("p/m", soon(60)), ("q/m", soon(60))])]).await;
            let clear = async |tree: &str| store.clear_cool_down("me", tree, "p", "b").await.unwrap();
            assert!(!clear("other").await, "it is of another tree");
            assert!(clear("acme").await && !clear("acme").await && !clear("").await);
            assert_eq!(store.cooling().await.unwrap().len(), 1);
            let entries = store.audit(None, 10).await.unwrap();
            assert_eq!(entries.len(), 1, "{entries:?}");
            let entry = &entries[0];
            assert_eq!((&*entry.actor, &*entry.action, &*entry.kind, &*entry.id), ("me", "delete", "cool_down", "p/b"));
            assert!(entry.before.as_ref().unwrap().contains("key_1") && entry.after.is_none());
        }
    }

    #[tokio::test]
    async fn one_that_ended_counts_for_nothing_and_goes() {
        for fresh in on_both().await {
            let store = fresh.open().await;
            settle(&store, &[record("x1", "b", &[("p/m", soon(60))]), record("x2", "c", &[("p/m", soon(60))])]).await;
            let end = sqlx::query("UPDATE cool_down SET until_ms = $1 WHERE bearer = 'b'").bind(now_ms() - 1);
            end.execute(&store.writer).await.unwrap();
            assert_eq!(store.cooling().await.unwrap().len(), 1);
            assert_eq!(store.cool_downs("", ("", ""), 9).await.unwrap().len(), 1);
            assert!(!store.clear_cool_down("me", "", "p", "b").await.unwrap());
            store.forget().await.unwrap();
            let left = sqlx::query("SELECT bearer FROM cool_down").fetch_all(&store.reader).await.unwrap();
            assert_eq!(left.len(), 1);
            settle(&store, &[record("x3", "b", &[("p/m", soon(60))])]).await;
            assert_eq!(store.cooling().await.unwrap().len(), 2);
        }
    }

    #[tokio::test]
    async fn of_too_many_those_that_hold_the_longest_are_told() {
        let fresh = &on_both().await[0];
        let store = fresh.open().await;
        let many = format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i <= {MOST}) \
             INSERT INTO cool_down SELECT 'p', 'b' || i, '', '', {} + i, 0 FROM n",
            soon(60)
        );
        sqlx::query(sqlx::AssertSqlSafe(many)).execute(&store.writer).await.unwrap();
        let told = store.cooling().await.unwrap();
        assert_eq!((told.len(), &*told[0].bearer), (MOST as usize, &*format!("b{}", MOST + 1)));
        assert!(told.iter().all(|one| one.bearer != "b1"));
    }
}
