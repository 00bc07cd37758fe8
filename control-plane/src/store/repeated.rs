//! Requests that may come twice: the answer to an `Idempotency-Key` is kept for a day and given again.
//!
//! ```text
//!            begin                       finish
//! unknown ──────────▶ Fresh (claimed) ──────────▶ answered ─▶ Answered: the same status and body again
//!                       └─ begin again: Running    └─ begin with another request: Other
//! ```
//!
//! Why sealed: an answer may hold a key that is shown once. It is encrypted (AES-256-GCM) under the client's own
//! `Idempotency-Key`, of which the store has only a digest made with the pepper.
//!
//! Limits: a claim that was never finished (the process died) is free again after [`ABANDONED_MS`].

use aes_gcm::aead::Aead;
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use sqlx::Row as _;

use super::pepper::{Pepper, random};
use super::{Store, hex, now_ms, optional, unhex};

/// How long an answer is kept.
pub const KEPT_MS: i64 = 24 * 60 * 60 * 1000;
/// How long an unfinished request keeps others away.
const ABANDONED_MS: i64 = 60 * 1000;

/// The answers that were given.
#[derive(Clone)]
pub struct Repeated {
    store: Store,
    pepper: Pepper,
}

/// What is known of a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing: it is this caller's to answer.
    Fresh,
    /// Somebody is answering it now.
    Running,
    /// The key came with another request before.
    Other,
    /// It was answered: status and body.
    Answered(u16, Vec<u8>),
}

/// A request as it is told from others: who, which key, and a digest of what was asked.
#[derive(Clone, Debug)]
pub struct Request {
    /// The token's id.
    pub holder: String,
    /// The `Idempotency-Key`.
    pub key: String,
    /// Hexadecimal digest of method, path and body.
    pub digest: String,
}

impl Repeated {
    /// The answers of a store.
    pub fn of(store: &Store, pepper: Pepper) -> Repeated {
        Repeated { store: store.clone(), pepper }
    }

    /// Claims a request, or says why it needs no answer.
    pub async fn begin(&self, request: &Request) -> anyhow::Result<Standing> {
        let tag = self.tag(request)?;
        let mut change = self.store.exclusive().await?;
        let old = sqlx::query("DELETE FROM repeated_request WHERE made_ms < $1 OR (status IS NULL AND made_ms < $2)");
        old.bind(now_ms() - KEPT_MS).bind(now_ms() - ABANDONED_MS).execute(&mut *change).await?;
        let find = sqlx::query("SELECT request, status, sealed FROM repeated_request WHERE tag = $1").bind(&tag);
        let standing = match find.fetch_optional(&mut *change).await? {
            None => {
                let insert = sqlx::query("INSERT INTO repeated_request (tag, request, made_ms) VALUES ($1, $2, $3)");
                insert.bind(&tag).bind(&request.digest).bind(now_ms()).execute(&mut *change).await?;
                Standing::Fresh
            }
            Some(row) if row.try_get::<String, _>("request")? != request.digest => Standing::Other,
            Some(row) => match (optional::<i64>(&row, "status")?, optional::<String>(&row, "sealed")?) {
                (Some(status), Some(sealed)) => {
                    Standing::Answered(u16::try_from(status)?, self.open(request, &sealed)?)
                }
                _ => Standing::Running,
            },
        };
        change.commit().await?;
        Ok(standing)
    }

    /// Keeps the answer of a claimed request.
    pub async fn finish(&self, request: &Request, status: u16, body: &[u8]) -> anyhow::Result<()> {
        let update = sqlx::query("UPDATE repeated_request SET status = $1, sealed = $2 WHERE tag = $3");
        let update = update.bind(i64::from(status)).bind(self.close(request, body)?).bind(self.tag(request)?);
        update.execute(&self.store.writer).await?;
        Ok(())
    }

    /// Gives a claim back: the request was refused before it did anything, or failed; the next one may succeed.
    pub async fn forget(&self, request: &Request) -> anyhow::Result<()> {
        let delete = sqlx::query("DELETE FROM repeated_request WHERE tag = $1").bind(self.tag(request)?);
        delete.execute(&self.store.writer).await?;
        Ok(())
    }

    fn tag(&self, request: &Request) -> anyhow::Result<String> {
        Ok(hex(&self.pepper.mac(&[b"request", request.holder.as_bytes(), &[0], request.key.as_bytes()])?))
    }

    fn cipher(&self, request: &Request) -> anyhow::Result<Aes256Gcm> {
        let key = self.pepper.mac(&[b"answer", request.holder.as_bytes(), &[0], request.key.as_bytes()])?;
        Aes256Gcm::new_from_slice(&key).map_err(|_| anyhow::anyhow!("no key for an answer"))
    }

    fn close(&self, request: &Request, body: &[u8]) -> anyhow::Result<String> {
        let nonce = random::<12>()?;
        let sealed = self.cipher(request)?.encrypt(&Nonce::from(nonce), body);
        let sealed = sealed.map_err(|_| anyhow::anyhow!("an answer can't be sealed"))?;
        Ok(format!("{}{}", hex(&nonce), hex(&sealed)))
    }

    fn open(&self, request: &Request, sealed: &str) -> anyhow::Result<Vec<u8>> {
        let broken = || anyhow::anyhow!("a kept answer can't be opened");
        let bytes = unhex(sealed).ok_or_else(broken)?;
        let (nonce, sealed) = bytes.split_at_checked(12).ok_or_else(broken)?;
        let nonce: [u8; 12] = nonce.try_into().map_err(|_| broken())?;
        self.cipher(request)?.decrypt(&Nonce::from(nonce), sealed).map_err(|_| broken())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::on_both;
    use super::*;

    fn request(key: &str, digest: &str) -> Request {
        Request { holder: "t".into(), key: key.into(), digest: digest.into() }
    }

    #[tokio::test]
    async fn a_request_is_answered_once_and_told_again() {
        for fresh in on_both().await {
            let store = fresh.open().await;
            let repeated = Repeated::of(&store, Pepper::of(&store).await.unwrap());
            let asked = request("k", "d");
            assert_eq!(repeated.begin(&asked).await.unwrap(), Standing::Fresh);
            assert_eq!(repeated.begin(&asked).await.unwrap(), Standing::Running);
            assert_eq!(repeated.begin(&request("k", "other")).await.unwrap(), Standing::Other);
            repeated.finish(&asked, 201, b"dgm_hush").await.unwrap();
            assert_eq!(repeated.begin(&asked).await.unwrap(), Standing::Answered(201, b"dgm_hush".to_vec()));
            assert_eq!(repeated.begin(&request("k2", "d")).await.unwrap(), Standing::Fresh);
            repeated.forget(&request("k2", "d")).await.unwrap();
            assert_eq!(repeated.begin(&request("k2", "d")).await.unwrap(), Standing::Fresh);
        }
    }
}
