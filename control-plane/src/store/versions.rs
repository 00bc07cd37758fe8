//! The Snapshot's version: it rises with every change, over restarts as well, and stays when nothing changed.

use sqlx::Row;

use super::{Store, now_ms};

impl Store {
    /// The version for a Snapshot whose content has this digest: the last one if that had it too, else the next.
    pub async fn snapshot_version(&self, digest: &str) -> anyhow::Result<u64> {
        let mut change = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let last = sqlx::query("SELECT version, digest FROM snapshot_version ORDER BY version DESC LIMIT 1");
        let last = last.fetch_optional(&mut *change).await?;
        let (last, same) = match last {
            Some(row) => (row.try_get::<i64, _>(0)?, row.try_get::<String, _>(1)? == digest),
            None => (0, false),
        };
        let version = if same { last } else { last.saturating_add(1) };
        if !same {
            sqlx::query("DELETE FROM snapshot_version").execute(&mut *change).await?;
            let insert = sqlx::query("INSERT INTO snapshot_version (version, digest, made_ms) VALUES ($1, $2, $3)");
            insert.bind(version).bind(digest).bind(now_ms()).execute(&mut *change).await?;
        }
        change.commit().await?;
        Ok(u64::try_from(version)?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::Directory;
    use super::*;

    #[tokio::test]
    async fn a_version_rises_with_change_only_and_over_restarts() {
        let directory = Directory::new();
        let store = Store::open(&directory.0).await.unwrap();
        assert_eq!(store.snapshot_version("a").await.unwrap(), 1);
        assert_eq!(store.snapshot_version("a").await.unwrap(), 1);
        let store = Store::open(&directory.0).await.unwrap();
        assert_eq!(store.snapshot_version("a").await.unwrap(), 1);
        assert_eq!(store.snapshot_version("b").await.unwrap(), 2);
        assert_eq!(store.snapshot_version("a").await.unwrap(), 3);
    }
}
