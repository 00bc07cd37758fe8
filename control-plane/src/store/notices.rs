//! Notices of budgets on their way to whom they concern: a durable outbox.
//!
//! ```text
//! spend ─▶ budget_notice ─▶ claimed by one control plane, for a while ─▶ told
//!                              ▲ └ nobody took it: later, and ever later ┘ └ after MAX_TRIES: given up
//! ```
//!
//! The claim is one UPDATE, so that of several control planes one has it. It ends by itself: one that dies in between leaves
//! the notice to the others.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::accounts::{NotChanged, find};
use super::pepper::{Pepper, STRENGTH, random};
use super::{Store, hex, now_ms, unhex};
use crate::settings::Secret;

/// What every secret begins with, so that a leaked one is recognised.
const PREFIX: &str = "dgw_";
/// How long after the first time it is tried again; twice as long after each further one. It is the claim as well, and three
/// times as long as a try may take: nobody tells what another is still telling.
pub(super) const FIRST_PAUSE_MS: i64 = 30_000;
/// Longest pause.
pub(super) const LONGEST_PAUSE_MS: i64 = 6 * 3_600_000;
/// How often it is tried: over about a day.
pub const MAX_TRIES: i64 = 14;

/// A notice that is ours to tell for now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The account or the key that has the budget.
    pub holder: String,
    /// What the budget counts.
    pub unit: String,
    /// Its period.
    pub period: String,
    /// When its window began, in milliseconds since 1970.
    pub began_ms: i64,
    /// The share that is reached, in percent.
    pub percent: i64,
    /// What is spent.
    pub spent: i64,
    /// Of how much.
    pub most: i64,
    /// When that was.
    pub made_ms: i64,
    /// How often it was tried, this time counted.
    pub tries: i64,
}

impl Notice {
    /// Its name: the same however often it is sent.
    pub fn id(&self) -> String {
        format!("{}/{}/{}/{}/{}", self.holder, self.unit, self.period, self.began_ms, self.percent)
    }
}

/// Whether the notice is that of the parameters from there on.
const THIS: &str = "holder = $2 AND unit = $3 AND period = $4 AND began_ms = $5 AND percent = $6";

impl Store {
    /// Takes a notice that waits, for as long as it is not to be tried again.
    pub async fn claim_notice(&self) -> anyhow::Result<Option<Notice>> {
        // The outer condition is looked at again by whoever waited for the row: the first one has moved `next_ms` on.
        let claim = sqlx::query(
            "UPDATE budget_notice SET tries = tries + 1, next_ms = $1 + CASE WHEN tries > 9 THEN $2 ELSE $3 * (1 << CAST(tries AS INTEGER)) END \
             WHERE told_ms IS NULL AND next_ms <= $1 AND (holder, unit, period, began_ms, percent) = \
             (SELECT holder, unit, period, began_ms, percent FROM budget_notice \
             WHERE told_ms IS NULL AND next_ms <= $1 ORDER BY next_ms, made_ms LIMIT 1) \
             RETURNING holder, unit, period, began_ms, percent, spent, most, made_ms, tries",
        );
        let claim = claim.bind(now_ms()).bind(LONGEST_PAUSE_MS).bind(FIRST_PAUSE_MS);
        claim.fetch_optional(&self.writer).await?.as_ref().map(notice).transpose()
    }

    /// Notes that a notice was told.
    pub async fn notice_told(&self, notice: &Notice) -> anyhow::Result<()> {
        self.mark(notice, "told_ms", now_ms()).await
    }

    /// Notes that a notice is not tried any more: nobody wants it, or nobody took it.
    pub async fn notice_given_up(&self, notice: &Notice) -> anyhow::Result<()> {
        self.mark(notice, "next_ms", i64::MAX).await
    }

    async fn mark(&self, notice: &Notice, column: &str, to: i64) -> anyhow::Result<()> {
        let update = format!("UPDATE budget_notice SET {column} = $1 WHERE {THIS}");
        let update = sqlx::query(sqlx::AssertSqlSafe(update)).bind(to).bind(&notice.holder).bind(&notice.unit);
        let update = update.bind(&notice.period).bind(notice.began_ms).bind(notice.percent);
        update.execute(&self.writer).await?;
        Ok(())
    }

    /// The account of a budget's holder, which is an account or a key; empty for a key of nobody's.
    pub async fn account_of_holder(&self, holder: &str) -> anyhow::Result<String> {
        if !holder.starts_with("key_") {
            return Ok(holder.to_string());
        }
        let find = sqlx::query("SELECT account FROM caller WHERE id = $1").bind(holder.to_string());
        let row = find.fetch_optional(&self.reader).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?.unwrap_or_default())
    }
}

/// What webhooks are signed with.
#[derive(Clone)]
pub struct WebhookSecrets {
    store: Store,
    pepper: Pepper,
}

impl WebhookSecrets {
    /// Those of a store.
    pub fn of(store: &Store, pepper: Pepper) -> WebhookSecrets {
        WebhookSecrets { store: store.clone(), pepper }
    }

    /// Makes an account's secret, instead of the one before; it is shown now or never, and goes with the account.
    pub async fn make(&self, actor: &str, account: &str) -> Result<Secret, NotChanged> {
        // Under a nonce of its own each time: a pad is never used twice.
        let (nonce, bytes) = (random::<STRENGTH>()?, random::<STRENGTH>()?);
        let sealed = hex(&self.pepper.seal(&nonce, &bytes)?);
        let mut change = self.store.exclusive().await?;
        find(&mut change, account).await?.ok_or(NotChanged::Missing)?;
        let put = sqlx::query(
            "INSERT INTO webhook_secret (account, nonce, sealed) VALUES ($1, $2, $3) \
             ON CONFLICT (account) DO UPDATE SET nonce = $2, sealed = $3",
        );
        put.bind(account).bind(hex(&nonce)).bind(sealed).execute(&mut *change).await?;
        self.store
            .note_in(&mut change, (actor, "make a webhook secret"), ("account", account), (None, Some("{}")))
            .await?;
        change.commit().await?;
        Ok(secret(&bytes))
    }

    /// An account's secret.
    pub async fn find(&self, account: &str) -> anyhow::Result<Option<Secret>> {
        let find = sqlx::query("SELECT nonce, sealed FROM webhook_secret WHERE account = $1").bind(account);
        let Some(row) = find.fetch_optional(&self.store.reader).await? else { return Ok(None) };
        let bytes = |name: &str| anyhow::Ok(unhex(row.try_get(name)?).and_then(|bytes| bytes.try_into().ok()));
        let (Some(nonce), Some(sealed)) = (bytes("nonce")?, bytes("sealed")?) else { return Ok(None) };
        Ok(Some(secret(&self.pepper.seal(&nonce, &sealed)?)))
    }
}

fn secret(bytes: &[u8; STRENGTH]) -> Secret {
    Secret::new(format!("{PREFIX}{}", hex(bytes)))
}

fn notice(row: &AnyRow) -> anyhow::Result<Notice> {
    Ok(Notice {
        holder: row.try_get("holder")?,
        unit: row.try_get("unit")?,
        period: row.try_get("period")?,
        began_ms: row.try_get("began_ms")?,
        percent: row.try_get("percent")?,
        spent: row.try_get("spent")?,
        most: row.try_get("most")?,
        made_ms: row.try_get("made_ms")?,
        tries: row.try_get("tries")?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::rows::Condition;
    use super::super::tests::on_both;
    use super::*;
    use crate::accounts::{AccountId, AccountKind, Terms};

    async fn noticed(store: &Store, percent: i64) {
        let insert = "INSERT INTO budget_notice (holder, unit, period, began_ms, percent, spent, most, made_ms) \
                      VALUES ('acme', 'usd', 'month', 7, $1, 80, 100, $1)";
        sqlx::query(insert).bind(percent).execute(&store.writer).await.unwrap();
    }

    #[tokio::test]
    async fn of_many_who_claim_a_notice_one_has_it_until_it_is_tried_again() {
        for fresh in on_both().await {
            let store = fresh.open().await;
            noticed(&store, 50).await;
            noticed(&store, 80).await;
            let mut tasks = tokio::task::JoinSet::new();
            for _ in 0..8 {
                let store = fresh.open().await;
                tasks.spawn(async move { store.claim_notice().await.unwrap() });
            }
            let mut claimed: Vec<Notice> = tasks.join_all().await.into_iter().flatten().collect();
            // One that lost the row to another one comes again.
            claimed.extend(store.claim_notice().await.unwrap());
            claimed.extend(store.claim_notice().await.unwrap());
            claimed.sort_by_key(|notice| notice.percent);
            assert_eq!(
                claimed.iter().map(|notice| (notice.percent, notice.tries)).collect::<Vec<_>>(),
                [(50, 1), (80, 1)]
            );
            assert_eq!(claimed[0].id(), "acme/usd/month/7/50");
            store.notice_told(&claimed[0]).await.unwrap();
            sqlx::query("UPDATE budget_notice SET next_ms = 0").execute(&store.writer).await.unwrap();
            let again = store.claim_notice().await.unwrap().unwrap();
            assert_eq!((again.percent, again.tries), (80, 2), "what was told is not told again");
            store.notice_given_up(&again).await.unwrap();
            assert_eq!(store.claim_notice().await.unwrap(), None);
        }
    }

    #[tokio::test]
    async fn pauses_grow_to_hours_and_not_further() {
        for fresh in on_both().await {
            let store = fresh.open().await;
            noticed(&store, 50).await;
            for (tries, pause) in
                [(0, 30_000), (1, 60_000), (9, 15_360_000), (10, LONGEST_PAUSE_MS), (50, LONGEST_PAUSE_MS)]
            {
                let set = sqlx::query("UPDATE budget_notice SET next_ms = 0, tries = $1").bind(tries);
                set.execute(&store.writer).await.unwrap();
                let before = now_ms();
                store.claim_notice().await.unwrap().unwrap();
                let row = sqlx::query("SELECT next_ms FROM budget_notice").fetch_one(&store.reader).await.unwrap();
                let next: i64 = row.try_get(0).unwrap();
                assert!((before + pause..now_ms() + pause + 1).contains(&next), "{tries}");
            }
        }
    }

    #[tokio::test]
    async fn a_secret_is_found_again_by_those_who_have_the_pepper() {
        for fresh in on_both().await {
            let store = fresh.open().await;
            let secrets = WebhookSecrets::of(&store, Pepper::of(&store).await.unwrap());
            assert!(matches!(secrets.make("me", "acme").await, Err(NotChanged::Missing)), "whose would it be");
            let acme = AccountId::read("acme").unwrap();
            store.put_account("me", &acme, AccountKind::Tenant, &Terms::default(), Condition::None).await.unwrap();
            assert!(secrets.find("acme").await.unwrap().is_none());
            let first = secrets.make("me", "acme").await.unwrap();
            let second = secrets.make("me", "acme").await.unwrap();
            assert!(second.expose().starts_with("dgw_") && first.expose() != second.expose());
            assert_eq!(secrets.find("acme").await.unwrap().unwrap().expose(), second.expose());
        }
    }
}
