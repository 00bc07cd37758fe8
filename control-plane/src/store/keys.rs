//! Callers' keys: made, found by digest, revoked.
//!
//! The key itself is shown once and kept nowhere. The table has `HMAC-SHA-256(pepper, SHA-256(key))`; the pepper is a file
//! beside the database, so neither of the two alone lets anybody test guesses.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Context;
use dragoman_core::admission::{Grant, KeyDigest, digest};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::{Store, hex, now_ms, unhex};
use crate::settings::Secret;

/// What every key begins with, so that a leaked one is recognised.
const PREFIX: &str = "dgm_";
/// Random bytes of a key and of the pepper: as strong as SHA-256 itself.
const STRENGTH: usize = 32;
/// The pepper's file in the data directory.
const PEPPER: &str = "pepper";

/// The keys of callers.
#[derive(Clone)]
pub struct Keys {
    store: Store,
    pepper: [u8; STRENGTH],
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
    /// Opens the keys of a store; the pepper is made at the first time.
    pub fn open(store: &Store) -> anyhow::Result<Keys> {
        let path = store.directory().join(PEPPER);
        let pepper = pepper(&path).with_context(|| format!("the pepper {}", path.display()))?;
        Ok(Keys { store: store.clone(), pepper })
    }

    /// Makes a key; it is shown now or never.
    pub async fn create(&self, name: &str, routes: Option<&[String]>) -> anyhow::Result<Secret> {
        let (key, id) = (Secret::new(format!("{PREFIX}{}", hex(&random::<STRENGTH>()?))), hex(&random::<8>()?));
        let digest = digest(key.expose().as_bytes());
        let tag = self.tag(&digest)?;
        let grant = Grant { caller: String::new(), routes: routes.map(<[String]>::to_vec) };
        let insert = sqlx::query(
            "INSERT INTO caller_key (id, name, tag, sealed, routes, created_ms) VALUES ($1, $2, $3, $4, $5, $6)",
        );
        let routes = grant.routes.is_some().then(|| String::from_utf8_lossy(&grant.write()).into_owned());
        let insert = insert.bind(format!("key_{id}")).bind(name).bind(hex(&tag)).bind(hex(&self.seal(&tag, &digest)?));
        insert.bind(routes).bind(now_ms()).execute(&self.store.writer).await?;
        Ok(key)
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
        let tag = self.tag(digest)?;
        let find = sqlx::query("SELECT id, tag, routes FROM caller_key WHERE tag = $1 AND revoked_ms IS NULL");
        let Some(row) = find.bind(hex(&tag)).fetch_optional(&self.store.reader).await? else { return Ok(None) };
        // The index compared byte by byte; what decides is this comparison, which takes the same time whatever differs.
        let stored = unhex(row.try_get("tag")?).unwrap_or_default();
        if self.mac(digest)?.verify_slice(&stored).is_err() {
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
                digests.push((self.seal(&tag, &sealed)?, row.try_get("revoked_ms")?));
            }
        }
        Ok(digests)
    }

    fn mac(&self, digest: &KeyDigest) -> anyhow::Result<Hmac<Sha256>> {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.pepper).map_err(|_| anyhow::anyhow!("the pepper is no key"))?;
        mac.update(digest);
        Ok(mac)
    }

    fn tag(&self, digest: &KeyDigest) -> anyhow::Result<KeyDigest> {
        Ok(self.mac(digest)?.finalize().into_bytes().into())
    }

    /// Covers or uncovers a digest with a pad of its own, made of the pepper and the tag; doing it twice undoes it.
    fn seal(&self, tag: &KeyDigest, digest: &KeyDigest) -> anyhow::Result<KeyDigest> {
        let mut pad =
            Hmac::<Sha256>::new_from_slice(&self.pepper).map_err(|_| anyhow::anyhow!("the pepper is no key"))?;
        pad.update(b"seal");
        pad.update(tag);
        let mut sealed = *digest;
        sealed.iter_mut().zip(pad.finalize().into_bytes()).for_each(|(byte, pad)| *byte ^= pad);
        Ok(sealed)
    }
}

fn listed(row: &SqliteRow) -> anyhow::Result<Listed> {
    Ok(Listed {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        routes: routes(row)?,
        created_ms: row.try_get("created_ms")?,
        revoked_ms: row.try_get("revoked_ms")?,
    })
}

/// The routes of a row, kept as a Grant document; an unreadable one allows nothing.
fn routes(row: &SqliteRow) -> anyhow::Result<Option<Vec<String>>> {
    let text: Option<String> = row.try_get("routes")?;
    Ok(text.map(|text| Grant::read(text.as_bytes()).and_then(|grant| grant.routes).unwrap_or_default()))
}

fn random<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    Ok(bytes)
}

/// Reads the pepper, or makes it: written whole under another name first, so that two processes agree on one.
fn pepper(path: &Path) -> anyhow::Result<[u8; STRENGTH]> {
    if !path.exists() {
        let fresh = path.with_extension(format!("{}.new", std::process::id()));
        let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        file.write_all(hex(&random::<STRENGTH>()?).as_bytes())?;
        file.sync_all()?;
        // A link, not a rename: it fails when another process was first, and then that one's is taken.
        let linked = std::fs::hard_link(&fresh, path);
        std::fs::remove_file(&fresh)?;
        if let Err(error) = linked
            && error.kind() != std::io::ErrorKind::AlreadyExists
        {
            return Err(error.into());
        }
    }
    let bytes = unhex(std::fs::read_to_string(path)?.trim()).and_then(|bytes| bytes.try_into().ok());
    bytes.context("is not 64 hexadecimal digits; without the right one every key is void")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::tests::Directory;
    use super::*;

    async fn open(directory: &Directory) -> Keys {
        Keys::open(&Store::open(&directory.0).await.unwrap()).unwrap()
    }

    #[tokio::test]
    async fn a_key_is_found_by_its_digest_and_only_by_it() {
        let directory = Directory::new();
        let keys = open(&directory).await;
        assert!(keys.is_empty().await.unwrap());
        let key = keys.create("one", Some(&["auto".to_string()])).await.unwrap();
        assert!(key.expose().starts_with("dgm_") && key.expose().len() == 68);
        // Another process, another connection: the same pepper.
        let grant = open(&directory).await.grant(&digest(key.expose().as_bytes())).await.unwrap().unwrap();
        assert_eq!(
            (grant.caller.clone(), grant.routes),
            (keys.list().await.unwrap()[0].id.clone(), Some(vec!["auto".into()]))
        );
        assert_eq!(keys.grant(&digest(b"dgm_other")).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_revoked_key_grants_nothing_and_its_digest_is_told() {
        let directory = Directory::new();
        let keys = open(&directory).await;
        let key = keys.create("one", None).await.unwrap();
        let digest = digest(key.expose().as_bytes());
        assert_eq!(keys.grant(&digest).await.unwrap().unwrap().routes, None);
        assert_eq!(keys.revoke("one").await.unwrap(), 1);
        assert_eq!(keys.revoke("one").await.unwrap(), 0);
        assert_eq!(keys.grant(&digest).await.unwrap(), None);
        let told: Vec<KeyDigest> = keys.revoked_since(0).await.unwrap().into_iter().map(|(digest, _)| digest).collect();
        assert_eq!(told, [digest]);
    }

    #[tokio::test]
    async fn neither_the_key_nor_its_digest_is_in_the_directory() {
        let directory = Directory::new();
        let keys = open(&directory).await;
        let key = keys.create("one", None).await.unwrap();
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
        let mode = std::fs::metadata(directory.0.join(PEPPER)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
