//! A token of the caller's own for a provider. It passes through as it came, to the provider that it is for and to nobody
//! else. Who brings it is said beside it: by a key or a token in the gateway's own header, or by the connection's certificate.

use std::rc::Rc;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::head::{Head, KeyHeader};
use crate::admission::{Caller, KeyDigest};
use crate::catalog::Provider;
use crate::memory::Credential;
use crate::refusal::Refusal;
use crate::secret::Secret;

/// How many bytes stand for a token: enough that no two are the same, too few to find it by.
const BEARER: usize = 16;

/// What a caller brought.
#[derive(Clone, Debug)]
pub struct Brought {
    /// The header, as it came.
    pub(super) credential: Rc<Credential>,
    /// What stands for the token in Records and in cool-downs; see [`crate::record::Record::bearer`].
    pub bearer: String,
    /// Where in the header's value the token begins.
    token_at: usize,
}

impl Brought {
    /// What this caller brings beside what says who they are; `None` when they bring nothing.
    pub(super) fn of(head: &Head, caller: &Caller) -> Result<Option<Brought>, Refusal> {
        let Some(KeyHeader { name, value, key: token }) = head.brought(caller)? else { return Ok(None) };
        let token_at = value.len() - token.len();
        let bearer = bearer(&caller.digest(), token);
        let header = String::from_utf8_lossy(name).into_owned();
        let credential = Rc::new(Credential { header, value: Secret::new(value.to_vec()), renewable: false });
        Ok(Some(Brought { credential, bearer, token_at }))
    }

    /// Whether it is a token of that provider's.
    pub(super) fn is_for(&self, provider: &Provider) -> bool {
        let token = self.credential.value.expose().get(self.token_at..).unwrap_or_default();
        provider.passthrough.takes(token)
    }
}

/// What stands for a token: the same for one caller always, another for every other caller.
fn bearer(key: &KeyDigest, token: &[u8]) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return String::new() };
    mac.update(token);
    let tag = mac.finalize().into_bytes();
    tag.iter().take(BEARER).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
pub(super) mod tests;
