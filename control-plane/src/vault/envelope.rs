//! One secret, sealed under a key of its own, which is wrapped under the vault's.

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use anyhow::Context;
use zeroize::Zeroizing;

use super::ring::{Bytes, Key, Ring, STRENGTH};
use super::{Broken, Slot};
use crate::settings::Secret;
use crate::store::pepper::random;
use crate::store::{hex, unhex};

/// Bytes of a nonce; a fresh random one each time. The vault's key may wrap four thousand million keys before that is few.
const NONCE: usize = 12;

/// What a sealed secret is bound to: anywhere else it does not open.
#[derive(Clone, Copy, Debug)]
pub struct Bound<'a> {
    /// Where it belongs.
    pub slot: &'a Slot,
    /// Its row.
    pub id: &'a str,
    /// Which one of its row.
    pub version: i64,
}

impl Bound<'_> {
    /// The associated data; each part after its length, so that no two places have the same.
    fn data(&self, part: &str, key: &str) -> Vec<u8> {
        let version = self.version.to_string();
        let mut data = Vec::new();
        for word in
            [part, key, self.slot.purpose.name(), &self.slot.account, &self.slot.provider, self.id, version.as_str()]
        {
            data.extend(u64::try_from(word.len()).unwrap_or(u64::MAX).to_be_bytes());
            data.extend(word.as_bytes());
        }
        data
    }
}

/// A secret as it is kept; texts of hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The secret under its own key.
    pub sealed: String,
    /// That key under the vault's.
    pub wrapped: String,
    /// Which of the vault's.
    pub key_id: String,
}

impl Ring {
    /// Seals a secret for one place.
    pub fn seal(&self, bound: Bound<'_>, secret: &Secret) -> anyhow::Result<Envelope> {
        let own: Bytes = Zeroizing::new(random()?);
        let sealed = encrypt(&own, secret.expose().as_bytes(), &bound.data("secret", ""))?;
        wrap(self.first()?, bound, &own, sealed)
    }

    /// Opens a secret in its place.
    pub fn open(&self, bound: Bound<'_>, envelope: &Envelope) -> Result<Secret, Broken> {
        let own = self.unwrap(bound, envelope)?;
        let bytes = decrypt(&own, &envelope.sealed, &bound.data("secret", "")).ok_or(Broken::Changed)?;
        String::from_utf8(bytes.to_vec()).map(Secret::new).map_err(|_| Broken::Changed)
    }

    /// The same secret, its key wrapped under the first of the vault's keys; the secret itself is not looked at.
    pub fn rewrap(&self, bound: Bound<'_>, envelope: &Envelope) -> anyhow::Result<Envelope> {
        let own = self.unwrap(bound, envelope)?;
        wrap(self.first()?, bound, &own, envelope.sealed.clone())
    }

    fn unwrap(&self, bound: Bound<'_>, envelope: &Envelope) -> Result<Bytes, Broken> {
        let key = self.find(&envelope.key_id).ok_or_else(|| Broken::NoKey(envelope.key_id.clone()))?;
        let wrapping = key.derive(b"wrap").map_err(|_| Broken::Changed)?;
        let bytes = decrypt(&wrapping, &envelope.wrapped, &bound.data("key", &key.id)).ok_or(Broken::Changed)?;
        let own = <[u8; STRENGTH]>::try_from(bytes.as_slice()).map_err(|_| Broken::Changed)?;
        Ok(Zeroizing::new(own))
    }
}

fn wrap(key: &Key, bound: Bound<'_>, own: &Bytes, sealed: String) -> anyhow::Result<Envelope> {
    let wrapped = encrypt(&key.derive(b"wrap")?, own.as_slice(), &bound.data("key", &key.id))?;
    Ok(Envelope { sealed, wrapped, key_id: key.id.clone() })
}

fn encrypt(key: &Bytes, secret: &[u8], bound: &[u8]) -> anyhow::Result<String> {
    let nonce = random::<NONCE>()?;
    let cipher = Aes256Gcm::new_from_slice(&**key).map_err(|_| anyhow::anyhow!("no key for a secret"))?;
    let sealed = cipher.encrypt(&Nonce::from(nonce), Payload { msg: secret, aad: bound });
    let sealed = sealed.ok().context("a secret can't be sealed")?;
    Ok(format!("{}{}", hex(&nonce), hex(&sealed)))
}

fn decrypt(key: &Bytes, sealed: &str, bound: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let bytes = unhex(sealed)?;
    let (nonce, sealed) = bytes.split_at_checked(NONCE)?;
    let nonce: [u8; NONCE] = nonce.try_into().ok()?;
    let cipher = Aes256Gcm::new_from_slice(&**key).ok()?;
    cipher.decrypt(&Nonce::from(nonce), Payload { msg: sealed, aad: bound }).ok().map(Zeroizing::new)
}
