//! What operators were told of providers: how each does, since when, and the notices of that on their way.

use std::collections::HashMap;

use sqlx::Row as _;

use crate::store::notices::{FIRST_PAUSE_MS, LONGEST_PAUSE_MS};
use crate::store::{Change, Store, now_ms};

/// A notice that is ours to tell for now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthNotice {
    /// Its name: the same however often it is sent.
    pub id: String,
    /// What is sent.
    pub document: String,
    /// How often it was tried, this time counted.
    pub tries: i64,
}

impl Store {
    /// How each provider does as far as it was told, and since when; who is not among them does well.
    pub async fn health_statuses(&self) -> anyhow::Result<HashMap<String, (String, i64)>> {
        let find = sqlx::query("SELECT provider, status, since_ms FROM health_status");
        let row = |row: &sqlx::any::AnyRow| {
            Ok((row.try_get("provider")?, (row.try_get("status")?, row.try_get("since_ms")?)))
        };
        find.fetch_all(&self.reader).await?.iter().map(row).collect()
    }

    /// Notes how a provider does from now on, with the notice of that; whether that is news. Of several control planes that see
    /// it one is heard.
    pub async fn change_health_status(
        &self,
        provider: &str,
        (from, to): (&str, &str),
        since_ms: i64,
        notice: Option<(&str, &str)>,
    ) -> anyhow::Result<bool> {
        let mut change = self.exclusive().await?;
        let put = sqlx::query(
            "INSERT INTO health_status (provider, status, since_ms) SELECT $1, $2, $3 WHERE $4 = 'healthy' OR EXISTS \
             (SELECT 1 FROM health_status WHERE provider = $1 AND status = $4) \
             ON CONFLICT (provider) DO UPDATE SET status = excluded.status, since_ms = excluded.since_ms \
             WHERE health_status.status = $4",
        );
        let put = put.bind(provider.to_string()).bind(to.to_string()).bind(since_ms).bind(from.to_string());
        let is_news = put.execute(&mut *change).await?.rows_affected() > 0;
        if let Some((id, document)) = notice.filter(|_| is_news) {
            wait(&mut change, id, document).await?;
        }
        change.commit().await?;
        Ok(is_news)
    }

    /// Has operators told of something, once.
    pub async fn add_health_notice(&self, id: &str, document: &str) -> anyhow::Result<()> {
        let mut change = self.change().await?;
        wait(&mut change, id, document).await?;
        Ok(change.commit().await?)
    }

    /// Takes a notice that waits, for as long as it is not to be tried again.
    pub async fn claim_health_notice(&self) -> anyhow::Result<Option<HealthNotice>> {
        let claim = sqlx::query(
            "UPDATE health_notice SET tries = tries + 1, next_ms = $1 + CASE WHEN tries > 9 THEN $2 ELSE $3 * (1 << CAST(tries AS INTEGER)) END \
             WHERE told_ms IS NULL AND next_ms <= $1 AND id = \
             (SELECT id FROM health_notice WHERE told_ms IS NULL AND next_ms <= $1 ORDER BY next_ms, made_ms LIMIT 1) \
             RETURNING id, document, tries",
        );
        let claim = claim.bind(now_ms()).bind(LONGEST_PAUSE_MS).bind(FIRST_PAUSE_MS);
        let Some(row) = claim.fetch_optional(&self.writer).await? else { return Ok(None) };
        Ok(Some(HealthNotice {
            id: row.try_get("id")?,
            document: row.try_get("document")?,
            tries: row.try_get("tries")?,
        }))
    }

    /// Notes that a notice was told.
    pub async fn health_notice_told(&self, id: &str) -> anyhow::Result<()> {
        self.mark_health_notice(id, "told_ms", now_ms()).await
    }

    /// Notes that a notice is not tried any more: nobody wants it, or nobody took it.
    pub async fn health_notice_given_up(&self, id: &str) -> anyhow::Result<()> {
        self.mark_health_notice(id, "next_ms", i64::MAX).await
    }

    async fn mark_health_notice(&self, id: &str, column: &str, to: i64) -> anyhow::Result<()> {
        let update = format!("UPDATE health_notice SET {column} = $1 WHERE id = $2");
        let update = sqlx::query(sqlx::AssertSqlSafe(update)).bind(to).bind(id.to_string());
        update.execute(&self.writer).await?;
        Ok(())
    }
}

async fn wait(change: &mut Change, id: &str, document: &str) -> anyhow::Result<()> {
    let put = sqlx::query(
        "INSERT INTO health_notice (id, document, made_ms) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING",
    );
    put.bind(id.to_string()).bind(document.to_string()).bind(now_ms()).execute(&mut **change).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::on_both;

    #[tokio::test]
    async fn a_change_of_status_is_told_once_whoever_sees_it() {
        for fresh in on_both().await {
            let (one, two) = (fresh.open().await, fresh.open().await);
            let worse = ("healthy", "unhealthy");
            let (first, second) = tokio::join!(
                one.change_health_status("p", worse, 7, Some(("x", "{}"))),
                two.change_health_status("p", worse, 8, Some(("y", "{}")))
            );
            assert!(first.unwrap() != second.unwrap());
            assert!(
                !one.change_health_status("p", ("degraded", "healthy"), 9, None).await.unwrap(),
                "it is not degraded"
            );
            let told = one.claim_health_notice().await.unwrap().unwrap();
            assert_eq!((told.tries, two.claim_health_notice().await.unwrap()), (1, None));
            one.health_notice_told(&told.id).await.unwrap();
            one.add_health_notice(&told.id, "{}").await.unwrap();
            one.tamper("UPDATE health_notice SET next_ms = 0").await;
            assert_eq!(two.claim_health_notice().await.unwrap(), None, "it was told");
            assert_eq!(one.health_statuses().await.unwrap()["p"].0, "unhealthy");
        }
    }
}
