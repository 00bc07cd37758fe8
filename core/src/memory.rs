//! What one worker remembers between requests: the Snapshot, Grants and credentials.
//!
//! Everything here came from the control plane and may be used until it expires; with the control plane gone, the worker
//! serves on from it. Time is an argument, in milliseconds since 1970 by the data plane's clock.

use std::collections::HashMap;
use std::rc::Rc;

use crate::admission::{Grant, KeyDigest};
use crate::secret::Secret;
use crate::snapshot::Snapshot;

/// Most Grants remembered by one worker, about 200 bytes each: 4 MiB of a VM's memory.
pub const MAX_GRANTS: usize = 16_384;

/// The one header that authenticates to a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// The header's name, in lower case.
    pub header: String,
    /// Its value.
    pub value: Secret,
}

/// What is known about a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It holds this Grant.
    Granted(Rc<Grant>),
    /// The control plane said no.
    Refused,
    /// Nobody asked yet, or the answer has expired.
    Unknown,
}

/// What a worker remembers.
#[derive(Debug, Default)]
pub struct Memory {
    snapshot: Option<Rc<Snapshot>>,
    grants: HashMap<KeyDigest, (Option<Rc<Grant>>, u64)>,
    credentials: HashMap<String, (Rc<Credential>, u64)>,
}

impl Memory {
    /// The Snapshot to serve by.
    pub fn snapshot(&self) -> Option<&Rc<Snapshot>> {
        self.snapshot.as_ref()
    }

    /// Takes a newer Snapshot; an older one (a control plane that was restored) is taken too, as the last word counts.
    pub fn publish(&mut self, snapshot: Snapshot) {
        self.snapshot = Some(Rc::new(snapshot));
    }

    /// What is known about a key.
    pub fn standing(&self, key: &KeyDigest, now_ms: u64) -> Standing {
        match self.grants.get(key) {
            Some((_, until)) if *until <= now_ms => Standing::Unknown,
            Some((Some(grant), _)) => Standing::Granted(Rc::clone(grant)),
            Some((None, _)) => Standing::Refused,
            None => Standing::Unknown,
        }
    }

    /// Remembers the control plane's answer about a key.
    pub fn admit(&mut self, key: KeyDigest, grant: Option<Grant>, valid_for_ms: u64, now_ms: u64) {
        if self.grants.len() >= MAX_GRANTS {
            // Rare and short: unknown keys are refused for seconds, so a flood of them expires quickly.
            self.grants.retain(|_, (_, until)| *until > now_ms);
            if self.grants.len() >= MAX_GRANTS {
                self.grants.clear();
            }
        }
        self.grants.insert(key, (grant.map(Rc::new), now_ms.saturating_add(valid_for_ms)));
    }

    /// Forgets a key that was revoked.
    pub fn revoke(&mut self, key: &KeyDigest) {
        self.grants.remove(key);
    }

    /// The credential of that id, if it is known and fresh.
    pub fn credential(&self, id: &str, now_ms: u64) -> Option<Rc<Credential>> {
        let (credential, until) = self.credentials.get(id)?;
        (*until > now_ms).then(|| Rc::clone(credential))
    }

    /// Remembers a credential; `valid_for_ms` of 0 means until it is forgotten.
    pub fn equip(&mut self, id: String, credential: Credential, valid_for_ms: u64, now_ms: u64) {
        let until = if valid_for_ms == 0 { u64::MAX } else { now_ms.saturating_add(valid_for_ms) };
        self.credentials.insert(id, (Rc::new(credential), until));
    }

    /// Forgets a credential that was renewed, or that a provider has rejected.
    pub fn forget_credential(&mut self, id: &str) {
        self.credentials.remove(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_is_remembered_until_it_expires_or_is_revoked() {
        let mut memory = Memory::default();
        let key = crate::admission::digest(b"key");
        assert_eq!(memory.standing(&key, 0), Standing::Unknown);
        memory.admit(key, Some(Grant { caller: "a".into(), routes: None }), 100, 1000);
        assert!(matches!(memory.standing(&key, 1099), Standing::Granted(_)));
        assert_eq!(memory.standing(&key, 1100), Standing::Unknown);
        memory.admit(key, None, 100, 1000);
        assert_eq!(memory.standing(&key, 1000), Standing::Refused);
        memory.revoke(&key);
        assert_eq!(memory.standing(&key, 1000), Standing::Unknown);
    }

    #[test]
    fn grants_are_bounded() {
        let mut memory = Memory::default();
        for number in 0..2 * MAX_GRANTS {
            memory.admit(crate::admission::digest(&number.to_le_bytes()), None, 1000, 0);
        }
        assert!(memory.grants.len() <= MAX_GRANTS);
    }

    #[test]
    fn a_credential_never_prints_its_value() {
        let credential = Credential { header: "x-api-key".into(), value: Secret::new(b"hidden".to_vec()) };
        assert!(!format!("{credential:?}").contains("hidden"));
    }
}
