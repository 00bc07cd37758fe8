//! The vault's keys: the first one encrypts, all of them decrypt.

use anyhow::Context;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::store::{hex, unhex};

/// The variable that has the keys: `key`, `id:key`, or several, separated by commas.
pub const VARIABLE: &str = "DRAGOMAN_VAULT_KEY";
/// Bytes of a key.
pub const STRENGTH: usize = 32;
/// Most keys at a time: one, another during its rotation, and one that somebody forgot.
const MOST: usize = 8;
/// Longest id of a key.
const MAX_ID: usize = 32;

/// Bytes that are overwritten when they are no longer needed.
pub(super) type Bytes = Zeroizing<[u8; STRENGTH]>;

/// One of the vault's keys (KEK). The bytes themselves are used for nothing but deriving one key for each use.
#[derive(Clone)]
pub struct Key {
    /// Its name: what rows say they were made with.
    pub id: String,
    bytes: Bytes,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Key({}, …)", self.id)
    }
}

impl Key {
    /// Takes a key; without an id its own digest names it.
    pub fn new(id: Option<&str>, bytes: [u8; STRENGTH]) -> anyhow::Result<Key> {
        let mut key = Key { id: String::new(), bytes: Zeroizing::new(bytes) };
        key.id = match id {
            Some(id) => id.to_string(),
            None => hex(key.derive(b"id")?.get(..4).unwrap_or_default()),
        };
        Ok(key)
    }

    /// The key for one use.
    pub(super) fn derive(&self, used_for: &[u8]) -> anyhow::Result<Bytes> {
        Ok(Zeroizing::new(self.mac(&[b"dragoman vault ", used_for])?.finalize().into_bytes().into()))
    }

    /// What shows that this is the key, and tells nothing of it.
    pub fn proof(&self) -> anyhow::Result<String> {
        Ok(hex(&*self.derive(b"proof")?))
    }

    /// A code over parts, under the key for one use.
    pub(super) fn tag(&self, used_for: &[u8], parts: &[&[u8]]) -> anyhow::Result<Hmac<Sha256>> {
        Key { id: String::new(), bytes: self.derive(used_for)? }.mac(parts)
    }

    fn mac(&self, parts: &[&[u8]]) -> anyhow::Result<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&*self.bytes).map_err(|_| anyhow::anyhow!("no key"))?;
        parts.iter().for_each(|part| mac.update(part));
        Ok(mac)
    }
}

/// The keys, the one that encrypts first.
#[derive(Clone, Debug)]
pub struct Ring(Vec<Key>);

impl Ring {
    /// Reads keys as the variable or the file has them. What is wrong is said without a byte of it.
    pub fn read(text: &str) -> anyhow::Result<Ring> {
        let mut keys: Vec<Key> = Vec::new();
        for (at, part) in text.split(',').map(str::trim).enumerate() {
            let (id, value) = match part.split_once(':') {
                Some((id, value)) => (Some(id.trim()), value.trim()),
                None => (None, part),
            };
            let is_id = |id: &str| {
                (1..=MAX_ID).contains(&id.len()) && id.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_".contains(&c))
            };
            let which = at + 1;
            anyhow::ensure!(
                id.is_none_or(is_id),
                "key {which}: an id has 1 to {MAX_ID} letters, digits, `-` or `_`, and a colon behind it"
            );
            let bytes = key_bytes(value)
                .with_context(|| format!("key {which} is not 32 bytes in hexadecimal digits or base64"))?;
            let key = Key::new(id, *bytes)?;
            anyhow::ensure!(keys.iter().all(|other| other.id != key.id), "key {which} has the id of one before it");
            keys.push(key);
        }
        anyhow::ensure!(keys.len() <= MOST, "there are {} keys; at most {MOST} are read", keys.len());
        Ok(Ring(keys))
    }

    /// The key that encrypts.
    pub fn first(&self) -> anyhow::Result<&Key> {
        self.0.first().context("the vault has no key")
    }

    /// Every key.
    pub fn keys(&self) -> &[Key] {
        &self.0
    }

    /// The key of that id.
    pub fn find(&self, id: &str) -> Option<&Key> {
        self.0.iter().find(|key| key.id == id)
    }
}

fn key_bytes(text: &str) -> Option<Bytes> {
    let decoded = match text.len() {
        64 => Zeroizing::new(unhex(text)?),
        _ => Zeroizing::new(unbase64(text)?),
    };
    let mut bytes = Zeroizing::new([0; STRENGTH]);
    (decoded.len() == STRENGTH).then(|| bytes.copy_from_slice(&decoded))?;
    Some(bytes)
}

/// Base64 in either alphabet, with or without padding.
fn unbase64(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut held, mut count) = (Vec::new(), 0_u32, 0);
    for c in text.trim_end_matches('=').bytes() {
        let six = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        held = (held << 6 | u32::from(six)) & 0xFFFF;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(held >> count & 0xFF).ok()?);
        }
    }
    Some(bytes)
}
