//! Callers' keys: made, found by digest, revoked.
//!
//! The key itself is shown once and kept nowhere; see [`super::pepper`] for what is kept.

use dragoman_core::admission::{Grant, KeyDigest, digest};
use sqlx::Row;
use sqlx::any::AnyRow;

use super::pepper::{Pepper, STRENGTH, random};
use super::{Store, hex, now_ms, optional, unhex};
use crate::settings::Secret;

/// What every key begins with, so that a leaked one is recognised.
const PREFIX: &str = "dgm_";

/// The keys of callers.
#[derive(Clone)]
pub struct Keys {
    store: Store,
    pepper: Pepper,
}

/// A key as it was made: the only moment in which anybody has it.
#[derive(Debug)]
pub struct Made {
    /// The caller's id.
    pub id: String,
    /// The key.
    pub key: Secret,
}

/// A key as it is listed; the key itself is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The caller's id, as Records name it.
    pub id: String,
    /// The operator's name for it.
    pub name: String,
    /// The routes it may ask for; `None` for every one.
    pub routes: Option<Vec<String>>,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: i64,
    /// When it was revoked.
    pub revoked_ms: Option<i64>,
}

impl Keys {
    /// The keys of a store.
    pub fn of(store: &Store, pepper: Pepper) -> Keys {
        Keys { store: store.clone(), pepper }
    }

    /// Makes a key; it is shown now or never.
    pub async fn create(&self, name: &str, routes: Option<&[String]>) -> anyhow::Result<Made> {
        let key = Secret::new(format!("{PREFIX}{}", hex(&random::<STRENGTH>()?)));
        let id = format!("key_{}", hex(&random::<8>()?));
        let digest = digest(key.expose().as_bytes());
        let tag = self.pepper.tag(&digest)?;
        let grant = Grant { caller: String::new(), routes: routes.map(<[String]>::to_vec) };
        let insert = sqlx::query(
            "INSERT INTO caller_key (id, name, tag, sealed, routes, created_ms) VALUES ($1, $2, $3, $4, $5, $6)",
        );
        let routes = grant.routes.is_some().then(|| String::from_utf8_lossy(&grant.write()).into_owned());
        let insert = insert.bind(&id).bind(name).bind(hex(&tag)).bind(hex(&self.pepper.seal(&tag, &digest)?));
        insert.bind(routes).bind(now_ms()).execute(&self.store.writer).await?;
        Ok(Made { id, key })
    }

    /// Whether any key was ever made.
    pub async fn is_empty(&self) -> anyhow::Result<bool> {
        Ok(sqlx::query("SELECT 1 FROM caller_key LIMIT 1").fetch_optional(&self.store.reader).await?.is_none())
    }

    /// Every key, the oldest first.
    pub async fn list(&self) -> anyhow::Result<Vec<Listed>> {
        let rows =
            sqlx::query("SELECT id, name, routes, created_ms, revoked_ms FROM caller_key ORDER BY created_ms, id");
        let rows = rows.fetch_all(&self.store.reader).await?;
        rows.iter().map(listed).collect()
    }

    /// Revokes the keys of that id or name; how many there were that had not been revoked before.
    pub async fn revoke(&self, id_or_name: &str) -> anyhow::Result<u64> {
        let update =
            sqlx::query("UPDATE caller_key SET revoked_ms = $1 WHERE (id = $2 OR name = $2) AND revoked_ms IS NULL");
        Ok(update.bind(now_ms()).bind(id_or_name).execute(&self.store.writer).await?.rows_affected())
    }

    /// What the caller with this key may do; `None` when the key is unknown or revoked.
    pub async fn grant(&self, digest: &KeyDigest) -> anyhow::Result<Option<Grant>> {
        let tag = self.pepper.tag(digest)?;
        let find = sqlx::query("SELECT id, tag, routes FROM caller_key WHERE tag = $1 AND revoked_ms IS NULL");
        let Some(row) = find.bind(hex(&tag)).fetch_optional(&self.store.reader).await? else { return Ok(None) };
        // The index compared byte by byte; what decides is this comparison, which takes the same time whatever differs.
        let stored = unhex(row.try_get("tag")?).unwrap_or_default();
        if !self.pepper.verify(digest, &stored)? {
            return Ok(None);
        }
        Ok(Some(Grant { caller: row.try_get("id")?, routes: routes(&row)? }))
    }

    /// The digests of keys revoked at or after `since_ms`, each with its moment.
    pub async fn revoked_since(&self, since_ms: i64) -> anyhow::Result<Vec<(KeyDigest, i64)>> {
        let find =
            sqlx::query("SELECT tag, sealed, revoked_ms FROM caller_key WHERE revoked_ms >= $1 ORDER BY revoked_ms");
        let rows = find.bind(since_ms).fetch_all(&self.store.reader).await?;
        let mut digests = Vec::new();
        for row in rows {
            let (tag, sealed) = (unhex(row.try_get("tag")?), unhex(row.try_get("sealed")?));
            let fixed = |bytes: Option<Vec<u8>>| bytes.and_then(|bytes| KeyDigest::try_from(bytes).ok());
            if let (Some(tag), Some(sealed)) = (fixed(tag), fixed(sealed)) {
                digests.push((self.pepper.seal(&tag, &sealed)?, row.try_get("revoked_ms")?));
            }
        }
        Ok(digests)
    }
}

fn listed(row: &AnyRow) -> anyhow::Result<Listed> {
    Ok(Listed {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        routes: routes(row)?,
        created_ms: row.try_get("created_ms")?,
        revoked_ms: optional(row, "revoked_ms")?,
    })
}

/// The routes of a row, kept as a Grant document; an unreadable one allows nothing.
fn routes(row: &AnyRow) -> anyhow::Result<Option<Vec<String>>> {
    let text: Option<String> = optional(row, "routes")?;
    Ok(text.map(|text| Grant::read(text.as_bytes()).and_then(|grant| grant.routes).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::super::tests::on_both;
    use super::*;

    async fn keys(store: &Store) -> Keys {
        Keys::of(store, Pepper::of(store).await.unwrap())
    }

    #[tokio::test]
    async fn a_key_is_found_by_its_digest_and_only_by_it() {
        for fresh in on_both().await {
            let keys_here = keys(&fresh.open().await).await;
            assert!(keys_here.is_empty().await.unwrap());
            let made = keys_here.create("one", Some(&["auto".to_string()])).await.unwrap();
            assert!(made.key.expose().starts_with("dgm_") && made.key.expose().len() == 68);
            // Another process, another connection: the same pepper.
            let elsewhere = keys(&fresh.open().await).await;
            let grant = elsewhere.grant(&digest(made.key.expose().as_bytes())).await.unwrap().unwrap();
            assert_eq!((grant.caller, grant.routes), (made.id.clone(), Some(vec!["auto".into()])));
            assert_eq!(keys_here.list().await.unwrap()[0].id, made.id);
            assert_eq!(keys_here.grant(&digest(b"dgm_other")).await.unwrap(), None);
        }
    }

    #[tokio::test]
    async fn a_revoked_key_grants_nothing_and_its_digest_is_told() {
        for fresh in on_both().await {
            let keys = keys(&fresh.open().await).await;
            let digest = digest(keys.create("one", None).await.unwrap().key.expose().as_bytes());
            assert_eq!(keys.grant(&digest).await.unwrap().unwrap().routes, None);
            assert_eq!(keys.revoke("one").await.unwrap(), 1);
            assert_eq!(keys.revoke("one").await.unwrap(), 0);
            assert_eq!(keys.grant(&digest).await.unwrap(), None);
            let told: Vec<KeyDigest> =
                keys.revoked_since(0).await.unwrap().into_iter().map(|(digest, _)| digest).collect();
            assert_eq!(told, [digest]);
        }
    }

    #[tokio::test]
    async fn neither_the_key_nor_its_digest_is_in_the_directory() {
        let directory = super::super::tests::Directory::new();
        let keys = keys(&Store::open(&directory.0, None).await.unwrap()).await;
        let key = keys.create("one", None).await.unwrap().key;
        let digest = digest(key.expose().as_bytes());
        for entry in std::fs::read_dir(&directory.0).unwrap() {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            let has = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
            assert!(
                !has(key.expose().as_bytes()) && !has(&digest) && !has(hex(&digest).as_bytes()),
                "{}",
                path.display()
            );
        }
    }
}
