//! What changed since a worker was told: keys, accounts, accounts' own credentials.
//!
//! Why by numbers: the control plane numbers its changes in the order in which they hold, and says with every answer the last
//! one that it knows of. So what was learnt after a change is kept, what was learnt before is forgotten, whichever way
//! both came, and no clock is asked.

use std::collections::HashMap;

use crate::admission::KeyDigest;
use crate::admission::ancestors;

/// Changes, each with its number.
#[derive(Debug, Default)]
pub struct Changes {
    keys: HashMap<KeyDigest, u64>,
    accounts: HashMap<String, u64>,
    /// By provider, then by account; an empty account is every one.
    own: HashMap<String, HashMap<String, u64>>,
    everything: u64,
}

/// Sets a number that is known by another name to the greater one.
fn raise(known: &mut u64, revision: u64) {
    *known = (*known).max(revision);
}

impl Changes {
    /// A key was revoked, or is another.
    pub fn key(&mut self, digest: KeyDigest, revision: u64) {
        raise(self.keys.entry(digest).or_default(), revision);
    }

    /// The Terms of an account are others, and with them those of all below it.
    pub fn account(&mut self, account: &str, revision: u64) {
        raise(self.accounts.entry(account.to_string()).or_default(), revision);
    }

    /// An account's own credential for a provider is another, and with it what Grants say of it; with no account, everybody's.
    pub fn own(&mut self, provider: &str, account: &str, revision: u64) {
        raise(self.own.entry(provider.to_string()).or_default().entry(account.to_string()).or_default(), revision);
        if !account.is_empty() {
            self.account(account, revision);
        }
    }

    /// So much changed that nobody lists it.
    pub fn everything(&mut self, revision: u64) {
        raise(&mut self.everything, revision);
    }

    /// Whether Grants other than those of single keys are concerned.
    pub(super) fn concern_accounts(&self) -> bool {
        !self.accounts.is_empty() || self.everything > 0
    }

    /// Whether credentials of accounts are concerned.
    pub(super) fn concern_own(&self) -> bool {
        !self.own.is_empty() || self.everything > 0
    }

    /// The single keys.
    pub(super) fn keys(&self) -> impl Iterator<Item = (&KeyDigest, u64)> {
        self.keys.iter().map(|(digest, revision)| (digest, *revision))
    }

    /// The last change of what a Grant of that account is made of.
    pub(super) fn of_account(&self, account: &str) -> u64 {
        let above = ancestors(account).filter_map(|account| self.accounts.get(account).copied());
        above.fold(self.everything, u64::max)
    }

    /// The last change of an account's own credential, which may be that of one above it.
    pub(super) fn of_own(&self, provider: &str, account: &str) -> u64 {
        let Some(own) = self.own.get(provider) else { return self.everything };
        let above = ancestors(account).chain([""]).filter_map(|account| own.get(account).copied());
        above.fold(self.everything, u64::max)
    }
}
