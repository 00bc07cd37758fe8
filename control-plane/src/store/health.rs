//! How providers and targets do, as all control planes see it: what each met, and what operators force.
//!
//! Each change has the next number, so that others ask for what is newer than they know. Of two who tell of the same subject, the later
//! word holds; an operator's is changed by operators alone.

mod status;

use anyhow::Context;
use dragoman_core::failure::Failure;
use dragoman_core::health::{Firmness, Force, Rest, Told};
use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::attempts::signed;
use super::{Change, Store, now_ms};

pub use status::HealthNotice;

/// Most that one transaction writes, so that Records need not wait for long behind it.
const BATCH: usize = 500;

const COLUMNS: &str = "subject, revision, since_ms, open_until_ms, rest_until_ms, why, banned, force, is_over, ends_ms";

impl Store {
    /// Keeps what changed.
    pub async fn keep_health(&self, changes: &[Told]) -> anyhow::Result<()> {
        for batch in changes.chunks(BATCH) {
            let mut change = self.exclusive().await?;
            let revision = next(&mut change).await?;
            for told in batch {
                let put = format!(
                    "INSERT INTO health ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
                     ON CONFLICT (subject) DO UPDATE SET revision = excluded.revision, since_ms = excluded.since_ms, \
                     open_until_ms = excluded.open_until_ms, rest_until_ms = excluded.rest_until_ms, why = excluded.why, \
                     banned = excluded.banned, is_over = excluded.is_over, ends_ms = excluded.ends_ms \
                     WHERE health.since_ms < excluded.since_ms"
                );
                write(&mut change, put, told, revision).await?;
            }
            change.commit().await?;
        }
        Ok(())
    }

    /// What changed after that number and still says something, and the last number there is.
    pub async fn health_after(&self, revision: i64) -> anyhow::Result<(Vec<Told>, i64)> {
        let find = format!(
            "SELECT {COLUMNS} FROM health WHERE revision > $1 AND (ends_ms > $2 OR force <> '') ORDER BY revision, subject"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(find)).bind(revision).bind(now_ms());
        let rows = rows.fetch_all(&self.reader).await?;
        let last = rows.last().map_or(Ok(revision), |row| row.try_get("revision"))?;
        Ok((rows.iter().map(told).collect::<anyhow::Result<_>>()?, last))
    }

    /// Forces a subject open or closed.
    pub async fn force_health(&self, actor: &str, subject: &str, force: Force) -> anyhow::Result<()> {
        self.say_of_health((actor, &format!("force {}", force.name())), subject, Some(force)).await
    }

    /// Takes back what was forced, and forgets what was met.
    pub async fn reset_health(&self, actor: &str, subject: &str) -> anyhow::Result<()> {
        self.say_of_health((actor, "reset"), subject, None).await
    }

    async fn say_of_health(&self, who: (&str, &str), subject: &str, force: Option<Force>) -> anyhow::Result<()> {
        let mut change = self.exclusive().await?;
        let find = format!("SELECT {COLUMNS} FROM health WHERE subject = $1");
        let find = sqlx::query(sqlx::AssertSqlSafe(find)).bind(subject.to_string());
        let before = find.fetch_optional(&mut *change).await?.as_ref().map(told).transpose()?;
        let known = before.clone().unwrap_or_else(|| Told { subject: subject.to_string(), ..Told::default() });
        let since_ms = u64::try_from(now_ms())?.max(known.since_ms + 1);
        let now = match force {
            Some(_) => Told { since_ms, force, is_over: false, ..known },
            None => Told { subject: known.subject, since_ms, is_over: true, ..Told::default() },
        };
        let put = format!(
            "INSERT INTO health ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
             ON CONFLICT (subject) DO UPDATE SET revision = excluded.revision, since_ms = excluded.since_ms, \
             open_until_ms = excluded.open_until_ms, rest_until_ms = excluded.rest_until_ms, why = excluded.why, \
             banned = excluded.banned, force = excluded.force, is_over = excluded.is_over, ends_ms = excluded.ends_ms"
        );
        let revision = next(&mut change).await?;
        write(&mut change, put, &now, revision).await?;
        let said = |force: Option<Force>| serde_json::json!({ "force": force.map(Force::name) }).to_string();
        let (was, is) = (before.map(|before| said(before.force)), said(force));
        self.note_in(&mut change, who, ("health", subject), (was.as_deref(), Some(&is))).await?;
        change.commit().await?;
        Ok(())
    }
}

/// The number of the next change.
async fn next(change: &mut Change) -> anyhow::Result<i64> {
    let next = "SELECT COALESCE(MAX(revision), 0) + 1 FROM health";
    Ok(sqlx::query(next).fetch_one(&mut **change).await?.try_get(0)?)
}

async fn write(change: &mut Change, put: String, told: &Told, revision: i64) -> anyhow::Result<()> {
    let put = sqlx::query(sqlx::AssertSqlSafe(put)).bind(told.subject.clone()).bind(revision);
    let put = put.bind(signed(told.since_ms)).bind(told.open_until_ms.map_or(0, |until_ms| signed(until_ms.max(1))));
    let put = put.bind(told.rest.map_or(0, |rest| signed(rest.until_ms)));
    let put = put.bind(told.rest.map_or("", |rest| rest.why.name()));
    let put = put.bind(i64::from(told.rest.is_some_and(|rest| rest.firmness == Firmness::Banned)));
    let put = put.bind(told.force.map_or("", Force::name)).bind(i64::from(told.is_over)).bind(signed(told.ends_ms()));
    put.execute(&mut **change).await?;
    Ok(())
}

fn told(row: &AnyRow) -> anyhow::Result<Told> {
    let number = |name: &str| anyhow::Ok(u64::try_from(row.try_get::<i64, _>(name)?)?);
    let text = |name: &str| anyhow::Ok(row.try_get::<String, _>(name)?);
    let rest = match number("rest_until_ms")? {
        0 => None,
        until_ms => Some(Rest {
            until_ms,
            why: Failure::named(&text("why")?).context("no class of failures")?,
            firmness: if number("banned")? > 0 { Firmness::Banned } else { Firmness::Averse },
        }),
    };
    Ok(Told {
        subject: text("subject")?,
        since_ms: number("since_ms")?,
        open_until_ms: Some(number("open_until_ms")?).filter(|until_ms| *until_ms > 0),
        rest,
        force: Force::named(&text("force")?),
        is_over: number("is_over")? > 0,
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::on_both;
    use super::*;

    fn now() -> u64 {
        u64::try_from(now_ms()).unwrap()
    }

    fn open(subject: &str, since_ms: u64) -> Told {
        let rest = Rest { until_ms: since_ms + 40_000, why: Failure::Throttled, firmness: Firmness::Banned };
        let open_until_ms = Some(since_ms + 30_000);
        Told { subject: subject.into(), since_ms, open_until_ms, rest: Some(rest), ..Told::default() }
    }

    #[tokio::test]
    async fn what_changed_is_read_back_once_and_the_later_word_holds() {
        for fresh in on_both().await {
            let store = fresh.open().await;
            let (first, second) = (open("p/m", now()), open("q", now()));
            store.keep_health(&[first.clone(), second.clone()]).await.unwrap();
            let (all, last) = store.health_after(0).await.unwrap();
            assert_eq!(all, [first.clone(), second]);
            assert_eq!(store.health_after(last).await.unwrap(), (vec![], last));
            let later = Told { rest: None, since_ms: first.since_ms + 5, ..first.clone() };
            store.keep_health(std::slice::from_ref(&later)).await.unwrap();
            store.keep_health(&[first]).await.unwrap();
            assert_eq!(store.health_after(last).await.unwrap(), (vec![later], last + 1), "on {:?}", store.engine());
        }
    }

    #[tokio::test]
    async fn an_operators_word_stays_whatever_is_met_until_it_is_reset_and_the_audit_log_says_who_did_it() {
        for fresh in on_both().await {
            let store = fresh.open().await;
            store.keep_health(&[open("p/m", now())]).await.unwrap();
            store.force_health("me", "p/m", Force::Open).await.unwrap();
            store.keep_health(&[open("p/m", now() + 1000)]).await.unwrap();
            let (all, last) = fresh.open().await.health_after(0).await.unwrap();
            assert!(all[0].force == Some(Force::Open) && all[0].open_until_ms.is_some(), "{all:?}");
            store.reset_health("me", "p/m").await.unwrap();
            let (all, _) = store.health_after(last).await.unwrap();
            let since_ms = all[0].since_ms;
            assert_eq!(all, [Told { subject: "p/m".into(), since_ms, is_over: true, ..Told::default() }]);
            let entries = store.audit(None, 10).await.unwrap();
            let said: Vec<_> = entries.iter().map(|entry| (&*entry.actor, &*entry.action, &*entry.id)).collect();
            assert_eq!(said, [("me", "reset", "p/m"), ("me", "force open", "p/m")]);
        }
    }

    #[tokio::test]
    async fn what_says_nothing_any_more_is_not_read_and_goes() {
        for fresh in on_both().await {
            let store = fresh.open().await;
            store.keep_health(&[open("p/m", 1000), open("p/n", now())]).await.unwrap();
            store.force_health("me", "p", Force::Closed).await.unwrap();
            store.tamper("UPDATE health SET ends_ms = 0 WHERE subject = 'p'").await;
            let subjects = |told: Vec<Told>| told.into_iter().map(|told| told.subject).collect::<Vec<_>>();
            assert_eq!(subjects(store.health_after(0).await.unwrap().0), ["p/n", "p"]);
            store.forget().await.unwrap();
            let left = sqlx::query("SELECT subject FROM health").fetch_all(&store.reader).await.unwrap();
            assert_eq!(left.len(), 2);
        }
    }
}
