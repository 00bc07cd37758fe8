//! Published Snapshots: numbered, kept, agreed upon by everybody who shares the store.
//!
//! The version rises with every change, over restarts as well, and stays when nothing changed. Whoever publishes the same
//! content as the last one is given its version: control planes that make the same of the same rows agree without asking one
//! another, and there is no leader that could be lost.
//!
//! Limits: the last [`KEPT`] are kept.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::{Store, now_ms, optional};

/// How many Snapshots are kept to compare with and to go back to.
pub const KEPT: i64 = 50;

/// A published Snapshot without its document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Its number.
    pub version: u64,
    /// Digest of its content, in hexadecimal.
    pub digest: String,
    /// When it was made, in milliseconds since 1970.
    pub made_ms: i64,
    /// The revision of the rows that it was made of.
    pub revision: u64,
    /// Why it is not served; `None` for a good one.
    pub rejected: Option<String>,
}

/// Another control plane has published later rows already; what was made of earlier ones must not stand after them.
#[derive(Clone, Copy, Debug)]
pub struct Overtaken;

impl std::fmt::Display for Overtaken {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("a Snapshot of later rows was published meanwhile")
    }
}

impl std::error::Error for Overtaken {}

const COLUMNS: &str = "version, digest, made_ms, revision, rejected";

impl Store {
    /// Publishes a Snapshot's document: its version is the last one's if that has the same digest, else the next.
    pub async fn publish(&self, digest: &str, document: &str, revision: u64) -> anyhow::Result<u64> {
        let mut change = self.exclusive().await?;
        let last = sqlx::query("SELECT version, digest, revision FROM snapshot_version ORDER BY version DESC LIMIT 1");
        let last = last.fetch_optional(&mut *change).await?;
        if let Some(row) = &last
            && row.try_get::<i64, _>(2)? > i64::try_from(revision)?
        {
            return Err(Overtaken.into());
        }
        let (last, same) = match last {
            Some(row) => (row.try_get::<i64, _>(0)?, row.try_get::<String, _>(1)? == digest),
            None => (0, false),
        };
        let version = if same { last } else { last.saturating_add(1) };
        if !same {
            let insert = sqlx::query(
                "INSERT INTO snapshot_version (version, digest, made_ms, revision, document) VALUES ($1, $2, $3, $4, $5)",
            );
            let insert = insert.bind(version).bind(digest).bind(now_ms()).bind(i64::try_from(revision)?).bind(document);
            insert.execute(&mut *change).await?;
            let old = sqlx::query("DELETE FROM snapshot_version WHERE version <= $1").bind(version - KEPT);
            old.execute(&mut *change).await?;
            self.engine.tell(&mut change).await?;
        }
        change.commit().await?;
        Ok(u64::try_from(version)?)
    }

    /// Marks a Snapshot that could not be served, and says why.
    pub async fn reject(&self, version: u64, why: &str) -> anyhow::Result<()> {
        let mut change = self.change().await?;
        let update = sqlx::query("UPDATE snapshot_version SET rejected = $1 WHERE version = $2 AND rejected IS NULL");
        update.bind(why).bind(i64::try_from(version)?).execute(&mut *change).await?;
        self.engine.tell(&mut change).await?;
        change.commit().await?;
        Ok(())
    }

    /// The last Snapshot that was not rejected.
    pub async fn last_version(&self) -> anyhow::Result<Option<Version>> {
        let find = "SELECT version, digest, made_ms, revision, rejected FROM snapshot_version \
                    WHERE rejected IS NULL ORDER BY version DESC LIMIT 1";
        sqlx::query(find).fetch_optional(&self.reader).await?.as_ref().map(version).transpose()
    }

    /// The Snapshots before `before` (`None`: up to the last), the newest first.
    pub async fn versions(&self, before: Option<u64>, limit: u32) -> anyhow::Result<Vec<Version>> {
        let find = format!("SELECT {COLUMNS} FROM snapshot_version WHERE version < $1 ORDER BY version DESC LIMIT $2");
        let before = before.and_then(|version| i64::try_from(version).ok()).unwrap_or(i64::MAX);
        let find = sqlx::query(sqlx::AssertSqlSafe(find)).bind(before).bind(i64::from(limit));
        find.fetch_all(&self.reader).await?.iter().map(version).collect()
    }

    /// One Snapshot with its document, if it is still kept.
    pub async fn version(&self, number: u64) -> anyhow::Result<Option<(Version, String)>> {
        let find = format!("SELECT {COLUMNS}, document FROM snapshot_version WHERE version = $1");
        let find = sqlx::query(sqlx::AssertSqlSafe(find)).bind(i64::try_from(number)?);
        let row = find.fetch_optional(&self.reader).await?;
        row.map(|row| Ok((version(&row)?, row.try_get("document")?))).transpose()
    }
}

fn version(row: &AnyRow) -> anyhow::Result<Version> {
    Ok(Version {
        version: u64::try_from(row.try_get::<i64, _>("version")?)?,
        digest: row.try_get("digest")?,
        made_ms: row.try_get("made_ms")?,
        revision: u64::try_from(row.try_get::<i64, _>("revision")?)?,
        rejected: optional(row, "rejected")?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::on_both;
    use super::*;

    #[tokio::test]
    async fn a_version_rises_with_change_only_and_over_restarts() {
        for fresh in on_both().await {
            let store = fresh.open().await;
            assert_eq!(store.publish("a", "{}", 0).await.unwrap(), 1);
            assert_eq!(store.publish("a", "{}", 0).await.unwrap(), 1);
            let store = fresh.open().await;
            assert_eq!(store.publish("a", "{}", 0).await.unwrap(), 1);
            assert_eq!(store.publish("b", "{}", 4).await.unwrap(), 2);
            assert_eq!(store.publish("a", "{}", 5).await.unwrap(), 3);
            let listed: Vec<u64> =
                store.versions(Some(3), 9).await.unwrap().iter().map(|version| version.version).collect();
            assert_eq!(listed, [2, 1]);
            assert_eq!(store.version(2).await.unwrap().unwrap().0.revision, 4);
        }
    }

    #[tokio::test]
    async fn what_was_made_of_earlier_rows_never_stands_after_what_was_made_of_later_ones() {
        for fresh in on_both().await {
            let store = fresh.open().await;
            assert_eq!(store.publish("later", "{}", 6).await.unwrap(), 1);
            assert!(store.publish("earlier", "{}", 5).await.unwrap_err().is::<Overtaken>());
            assert_eq!(store.publish("later", "{}", 6).await.unwrap(), 1);
        }
    }

    #[tokio::test]
    async fn control_planes_that_publish_the_same_at_once_agree() {
        for fresh in on_both().await {
            let mut tasks = tokio::task::JoinSet::new();
            for _ in 0..6 {
                let store = fresh.open().await;
                tasks.spawn(async move { store.publish("same", "{}", 1).await.unwrap() });
            }
            assert_eq!(tasks.join_all().await, [1; 6]);
        }
    }

    #[tokio::test]
    async fn a_rejected_one_is_passed_over_and_old_ones_go() {
        for fresh in on_both().await {
            let store = fresh.open().await;
            for number in 0..KEPT + 3 {
                store.publish(&number.to_string(), "{}", 0).await.unwrap();
            }
            let last = u64::try_from(KEPT).unwrap() + 3;
            store.reject(last, "no").await.unwrap();
            assert_eq!(store.last_version().await.unwrap().unwrap().version, last - 1);
            assert_eq!(store.versions(None, 1).await.unwrap()[0].rejected.as_deref(), Some("no"));
            assert_eq!(store.version(3).await.unwrap(), None);
            assert!(store.version(4).await.unwrap().is_some());
        }
    }
}
