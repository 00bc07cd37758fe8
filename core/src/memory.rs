//! What one worker remembers between requests: the Snapshot, Grants, leases and credentials.
//!
//! Everything here came from the control plane and may be used until it expires; with the control plane gone, the worker
//! serves on from it. Time is an argument, in milliseconds since 1970 by the data plane's clock.

use std::collections::HashMap;
use std::rc::Rc;

use crate::admission::{Grant, KeyDigest, Purse};
use crate::secret::Secret;
use crate::snapshot::Snapshot;

/// Most Grants remembered by one worker, about 500 bytes each: 8 MiB of a VM's memory. The half that was not used lately goes
/// first.
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

/// The control plane's word about a key, and until when it holds.
type Answer = (Option<Rc<Grant>>, u64);

/// What a worker remembers.
#[derive(Debug, Default)]
pub struct Memory {
    snapshot: Option<Rc<Snapshot>>,
    /// Answers about keys that were used lately, and until when they hold.
    grants: HashMap<KeyDigest, Answer>,
    /// Those that were used before these.
    older: HashMap<KeyDigest, Answer>,
    /// What was lent of budgets.
    pub purse: Purse,
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
    pub fn standing(&mut self, key: &KeyDigest, now_ms: u64) -> Standing {
        if !self.grants.contains_key(key)
            && let Some(answer) = self.older.remove(key)
        {
            self.keep(*key, answer);
        }
        match self.grants.get(key) {
            Some((_, until)) if *until <= now_ms => Standing::Unknown,
            Some((Some(grant), _)) => Standing::Granted(Rc::clone(grant)),
            Some((None, _)) => Standing::Refused,
            None => Standing::Unknown,
        }
    }

    /// Remembers the control plane's answer about a key.
    pub fn admit(&mut self, key: KeyDigest, grant: Option<Grant>, valid_for_ms: u64, now_ms: u64) {
        self.keep(key, (grant.map(Rc::new), now_ms.saturating_add(valid_for_ms)));
    }

    fn keep(&mut self, key: KeyDigest, answer: Answer) {
        if self.grants.len() >= MAX_GRANTS / 2 {
            self.older = core::mem::take(&mut self.grants);
        }
        self.grants.insert(key, answer);
    }

    /// Forgets a key that was revoked.
    pub fn revoke(&mut self, key: &KeyDigest) {
        self.grants.remove(key);
        self.older.remove(key);
    }

    /// Forgets what is known of the callers of an account and of those below it: its Terms are others now.
    pub fn forget_account(&mut self, account: &str) {
        let stays = |_: &KeyDigest, (grant, _): &mut Answer| grant.as_ref().is_none_or(|grant| !grant.is_of(account));
        self.grants.retain(stays);
        self.older.retain(stays);
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
        memory.admit(key, Some(Grant { caller: "a".into(), ..Grant::default() }), 100, 1000);
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
        assert!(memory.grants.len() + memory.older.len() <= MAX_GRANTS);
    }

    #[test]
    fn who_comes_often_is_remembered_and_who_came_long_ago_is_not() {
        let mut memory = Memory::default();
        let key = |number: usize| crate::admission::digest(&number.to_le_bytes());
        for number in 0..2 * MAX_GRANTS {
            memory.admit(key(number), None, 1000, 0);
            assert_eq!(memory.standing(&key(0), 0), Standing::Refused, "{number}");
        }
        assert_eq!(memory.standing(&key(1), 0), Standing::Unknown);
    }

    #[test]
    fn the_callers_of_an_account_are_forgotten_and_no_others() {
        let mut memory = Memory::default();
        let key = |account: &str| crate::admission::digest(account.as_bytes());
        let accounts = ["acme", "acme.search", "acmex", ""];
        for account in accounts {
            let grant = Grant { caller: "k".into(), account: account.into(), ..Grant::default() };
            memory.admit(key(account), Some(grant), 1000, 0);
        }
        memory.forget_account("acme");
        let known = accounts.map(|account| memory.standing(&key(account), 0) != Standing::Unknown);
        assert_eq!(known, [false, false, true, true]);
    }

    #[test]
    fn a_credential_never_prints_its_value() {
        let credential = Credential { header: "x-api-key".into(), value: Secret::new(b"hidden".to_vec()) };
        assert!(!format!("{credential:?}").contains("hidden"));
    }
}
