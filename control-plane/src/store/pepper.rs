//! What makes the store's digests useless to whoever has the store alone.
//!
//! Keys and tokens are kept as `HMAC-SHA-256(pepper, SHA-256(key))`. The pepper is a file beside the database, or comes by
//! `DRAGOMAN_PEPPER` where several control planes share one: neither it nor the table alone lets anybody test guesses.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Context;
use dragoman_core::admission::KeyDigest;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use sqlx::Row;

use super::{Store, hex, unhex};

/// Random bytes of a key and of the pepper: as strong as SHA-256 itself.
pub const STRENGTH: usize = 32;
/// The pepper's file in the data directory.
const FILE: &str = "pepper";
/// The variable that has it instead: 64 hexadecimal digits.
pub const VARIABLE: &str = "DRAGOMAN_PEPPER";

/// The pepper.
#[derive(Clone)]
pub struct Pepper([u8; STRENGTH]);

impl Pepper {
    /// The pepper of a store: the environment's, the file's, a new one at the first time. Another one than the store's keys
    /// were made with is an error: with it all of them would be void.
    pub async fn of(store: &Store) -> anyhow::Result<Pepper> {
        let pepper = match std::env::var(VARIABLE) {
            Ok(text) => Pepper(digits(&text).with_context(|| VARIABLE.to_string())?),
            Err(_) => {
                let path = store.directory().join(FILE);
                Pepper(file(&path).with_context(|| format!("the pepper {}", path.display()))?)
            }
        };
        let proof = hex(&pepper.mac(&[b"proof"])?);
        let insert = "INSERT INTO pepper_check (one, proof) VALUES (1, $1) ON CONFLICT (one) DO NOTHING";
        sqlx::query(insert).bind(&proof).execute(&store.writer).await?;
        let row = sqlx::query("SELECT proof FROM pepper_check WHERE one = 1").fetch_one(&store.writer).await?;
        anyhow::ensure!(
            row.try_get::<String, _>(0)? == proof,
            "this is not the pepper that the store's keys were made with; control planes that share a store share \
             {VARIABLE}, or the file `{FILE}` of their data directories"
        );
        Ok(pepper)
    }

    /// What the store keeps of a digest.
    pub fn tag(&self, digest: &KeyDigest) -> anyhow::Result<KeyDigest> {
        self.mac(&[digest])
    }

    /// Whether `tag` is that of `digest`; takes the same time whatever differs.
    pub fn verify(&self, digest: &KeyDigest, tag: &[u8]) -> anyhow::Result<bool> {
        Ok(self.keyed(&[digest])?.verify_slice(tag).is_ok())
    }

    /// A code over some parts, one after the other.
    pub fn mac(&self, parts: &[&[u8]]) -> anyhow::Result<KeyDigest> {
        Ok(self.keyed(parts)?.finalize().into_bytes().into())
    }

    /// Covers or uncovers a digest with a pad of its own, made of the pepper and the tag; doing it twice undoes it.
    pub fn seal(&self, tag: &KeyDigest, digest: &KeyDigest) -> anyhow::Result<KeyDigest> {
        let mut sealed = *digest;
        sealed.iter_mut().zip(self.mac(&[b"seal", tag])?).for_each(|(byte, pad)| *byte ^= pad);
        Ok(sealed)
    }

    fn keyed(&self, parts: &[&[u8]]) -> anyhow::Result<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).map_err(|_| anyhow::anyhow!("the pepper is no key"))?;
        parts.iter().for_each(|part| mac.update(part));
        Ok(mac)
    }
}

/// Random bytes.
pub fn random<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("no randomness: {error}"))?;
    Ok(bytes)
}

/// Reads a file of ours, or makes it with 32 random bytes in hexadecimal digits: written whole under another name first, so that
/// two processes agree on one.
pub(super) fn made_once(path: &Path) -> anyhow::Result<String> {
    if !path.exists() {
        let fresh = path.with_extension(format!("{}.new", hex(&random::<8>()?)));
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
    Ok(std::fs::read_to_string(path)?)
}

fn file(path: &Path) -> anyhow::Result<[u8; STRENGTH]> {
    digits(&made_once(path)?)
}

fn digits(text: &str) -> anyhow::Result<[u8; STRENGTH]> {
    let bytes = unhex(text.trim()).and_then(|bytes| bytes.try_into().ok());
    bytes.context("is not 64 hexadecimal digits; without the right one every key is void")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::tests::{Directory, on_both};
    use super::*;

    #[tokio::test]
    async fn only_its_owner_reads_the_pepper() {
        let directory = Directory::new();
        Pepper::of(&Store::open(&directory.0, None).await.unwrap()).await.unwrap();
        let mode = std::fs::metadata(directory.0.join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[tokio::test]
    async fn a_control_plane_with_another_pepper_does_not_start() {
        for fresh in on_both().await {
            let store = fresh.open().await;
            Pepper::of(&store).await.unwrap();
            Pepper::of(&store).await.unwrap();
            std::fs::write(fresh.directory.0.join(FILE), "ab".repeat(STRENGTH)).unwrap();
            assert!(Pepper::of(&store).await.is_err());
        }
    }
}
