//! What one worker remembers between requests: the Snapshot, Grants, leases and credentials.
//!
//! Everything here came from the control plane and may be used until it expires; with the control plane gone, the worker
//! serves on from it. Time is an argument, in milliseconds since 1970 by the data plane's clock.

mod artifacts;
mod changes;
mod cool_downs;
mod hedges;
mod waiting;

use std::collections::HashMap;
use std::rc::Rc;

use crate::admission::{Grant, KeyDigest, Purse, digest};
use crate::health::{Fleet, Health, Pulses};
use crate::secret::Secret;
use crate::select::balance::hash;
use crate::select::{Choosing, Rounds, Warm};
use crate::snapshot::{ChoosesBy, Snapshot};

pub use artifacts::Artifacts;
pub use changes::Changes;
pub use cool_downs::{CoolDown, CoolDowns};
pub use hedges::Hedges;
pub use waiting::{Priority, Ticket, Waiting};

/// Most Grants remembered by one worker, about 500 bytes each: 8 MiB of a VM's memory. The half that was not used lately goes
/// first.
pub const MAX_GRANTS: usize = 16_384;

/// Most credentials of accounts remembered by one worker, about 500 bytes each: 2 MiB. The gateway's own are as many as providers.
pub const MAX_OWN: usize = 4096;

/// The one header that authenticates to a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// The header's name, in lower case.
    pub header: String,
    /// Its value.
    pub value: Secret,
    /// Whether another one may be had when the provider rejects it.
    pub renewable: bool,
}

/// Which credential: that of the gateway, or that of an account, for a provider.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CredentialId {
    /// The credential's id, as the Snapshot names it.
    pub id: String,
    /// The account in whose name it is used; empty for the gateway's.
    pub account: String,
}

impl CredentialId {
    /// The gateway's.
    pub fn of_gateway(id: &str) -> CredentialId {
        CredentialId { id: id.into(), account: String::new() }
    }

    /// An account's own.
    pub fn of_account(id: &str, account: &str) -> CredentialId {
        CredentialId { id: id.into(), account: account.into() }
    }
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

/// An account's own credential: until when it may be used, and as of which change of the store.
type Own = (Rc<Credential>, u64, u64);

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
    /// Whom providers want to be left alone by.
    pub cool_downs: CoolDowns,
    /// How the targets do.
    pub health: Health,
    /// What is felt of them.
    pub pulses: Pulses,
    /// Who waits until somebody may be asked.
    pub waiting: Waiting,
    /// Who went on with which conversation.
    pub warm: Warm,
    /// What tells how hard requests are.
    pub artifacts: Artifacts,
    /// What is known of routes that hedge.
    pub hedges: Hedges,
    rounds: Rounds,
    credentials: HashMap<CredentialId, (Rc<Credential>, u64)>,
    /// Those of accounts.
    own: HashMap<CredentialId, Own>,
    /// Those that providers rejected, by the digest of their values.
    rejected: HashMap<CredentialId, KeyDigest>,
    /// The last change of the store that anybody told of.
    told: u64,
}

impl Memory {
    /// The Snapshot to serve by.
    pub fn snapshot(&self) -> Option<&Rc<Snapshot>> {
        self.snapshot.as_ref()
    }

    /// Takes a newer Snapshot; an older one (a control plane that was restored) is taken too, as the last word counts.
    pub fn publish(&mut self, snapshot: Snapshot) {
        self.health.settings = snapshot.health;
        self.snapshot = Some(Rc::new(snapshot));
    }

    /// Takes the control plane's word on everybody's health.
    pub fn learn_health(&mut self, fleet: Fleet, now_ms: u64) {
        for back in self.health.learn(fleet, now_ms) {
            self.pulses.came_back(&back, now_ms);
        }
    }

    /// What this worker knows when it chooses for that exchange, by that.
    pub fn choosing(&mut self, exchange: &str, by: &ChoosesBy, now_ms: u64) -> Choosing<'_> {
        let (health, warm, artifact) = (Some(&self.health), Some(&self.warm), self.artifacts.of(by));
        let nothing = Choosing::new(&self.pulses, &mut self.rounds);
        Choosing { seed: hash(exchange), now_ms, health, warm, artifact, ..nothing }
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

    /// The number of the last change that was told of; 0 when none was.
    pub fn told(&self) -> u64 {
        self.told
    }

    /// Forgets what was learnt before these changes and is concerned by them. `told` is the last change there is: when it is an
    /// earlier one than before, the store was put back, and no number that is remembered means anything any more.
    pub fn forget(&mut self, changes: &Changes, told: u64) {
        if told < self.told {
            (self.grants, self.older, self.own) = Default::default();
        }
        self.told = told;
        for (key, revision) in changes.keys() {
            for grants in [&mut self.grants, &mut self.older] {
                if grants.get(key).is_some_and(|(grant, _)| learnt(grant.as_deref()) < revision) {
                    grants.remove(key);
                }
            }
        }
        if changes.concern_accounts() {
            let stays = |_: &KeyDigest, (grant, _): &mut Answer| {
                grant.as_ref().is_none_or(|grant| grant.revision >= changes.of_account(&grant.account))
            };
            self.grants.retain(stays);
            self.older.retain(stays);
        }
        if changes.concern_own() {
            self.own.retain(|which, (_, _, revision)| *revision >= changes.of_own(&which.id, &which.account));
        }
    }

    /// That credential, if it is known and fresh.
    pub fn credential(&self, which: &CredentialId, now_ms: u64) -> Option<Rc<Credential>> {
        let (credential, until) = match which.account.as_str() {
            "" => self.credentials.get(which).map(|(credential, until)| (credential, *until))?,
            _ => self.own.get(which).map(|(credential, until, _)| (credential, *until))?,
        };
        (until > now_ms).then(|| Rc::clone(credential))
    }

    /// Remembers a credential of the gateway's; `valid_for_ms` of 0 means until it is forgotten.
    pub fn equip(&mut self, which: CredentialId, credential: Credential, valid_for_ms: u64, now_ms: u64) {
        self.equip_as_of(which, credential, 0, valid_for_ms, now_ms);
    }

    /// The same of anybody's, as of a change of the store.
    pub fn equip_as_of(
        &mut self,
        which: CredentialId,
        credential: Credential,
        revision: u64,
        valid_for_ms: u64,
        now_ms: u64,
    ) {
        let until = if valid_for_ms == 0 { u64::MAX } else { now_ms.saturating_add(valid_for_ms) };
        let credential = Rc::new(credential);
        if which.account.is_empty() {
            self.credentials.insert(which, (credential, until));
            return;
        }
        if self.own.len() >= MAX_OWN && !self.own.contains_key(&which) {
            self.own.retain(|_, (_, until, _)| *until > now_ms);
            if self.own.len() >= MAX_OWN {
                self.own.clear();
            }
        }
        self.own.insert(which, (credential, until, revision));
    }

    /// Forgets a credential that a provider has rejected, and keeps in mind which one it was.
    pub fn reject_credential(&mut self, which: &CredentialId) {
        let known = match which.account.as_str() {
            "" => self.credentials.get(which).map(|(credential, _)| credential),
            _ => self.own.get(which).map(|(credential, ..)| credential),
        };
        if let Some(credential) = known {
            if self.rejected.len() >= MAX_OWN {
                self.rejected.clear();
            }
            self.rejected.insert(which.clone(), digest(credential.value.expose()));
        }
        self.forget_credential(which);
    }

    /// The digest of the header's value that a provider rejected since this credential was asked for last, if it did: whoever gives
    /// it should give another.
    pub fn take_rejected(&mut self, which: &CredentialId) -> Option<KeyDigest> {
        self.rejected.remove(which)
    }

    /// Forgets a credential that is gone; nobody else's.
    pub fn forget_credential(&mut self, which: &CredentialId) {
        if which.account.is_empty() {
            self.credentials.remove(which);
        } else {
            self.own.remove(which);
        }
    }
}

/// As of which change something is known about a key; a no is as old as can be, for asking again costs little.
fn learnt(grant: Option<&Grant>) -> u64 {
    grant.map_or(0, |grant| grant.revision)
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
        memory.forget(&told(|changes| changes.key(key, 1)), 1);
        assert_eq!(memory.standing(&key, 1000), Standing::Unknown);
    }

    fn told(tell: impl FnOnce(&mut Changes)) -> Changes {
        let mut changes = Changes::default();
        tell(&mut changes);
        changes
    }

    #[test]
    fn what_was_learnt_after_a_change_stays_and_what_was_learnt_before_is_forgotten() {
        let key = crate::admission::digest(b"key");
        let whatever: [fn(&mut Changes, KeyDigest); 5] = [
            |changes, key| changes.key(key, 7),
            |changes, _| changes.account("acme", 7),
            |changes, _| changes.account("acme.search", 7),
            |changes, _| changes.own("p", "acme", 7),
            |changes, _| changes.everything(7),
        ];
        for tell in whatever {
            for (revision, stays) in [(6, false), (7, true), (8, true)] {
                let mut memory = Memory::default();
                let grant = Grant { caller: "k".into(), account: "acme.search".into(), revision, ..Grant::default() };
                memory.admit(key, Some(grant), 1000, 0);
                memory.forget(&told(|changes| tell(changes, key)), 8);
                assert_eq!(memory.standing(&key, 0) != Standing::Unknown, stays, "{revision}");
            }
        }
        let which = CredentialId::of_account("p", "acme.search");
        for (revision, stays) in [(6, false), (7, true)] {
            let mut memory = Memory::default();
            memory.equip_as_of(which.clone(), secret("s"), revision, 0, 0);
            memory.forget(&told(|changes| changes.own("p", "acme", 7)), 7);
            assert_eq!(memory.credential(&which, 0).is_some(), stays, "{revision}");
        }
    }

    #[test]
    fn a_store_that_was_put_back_is_asked_about_everybody_anew() {
        let (mut memory, key) = (Memory::default(), crate::admission::digest(b"key"));
        memory.forget(&Changes::default(), 9);
        let grant = Grant { caller: "k".into(), revision: 9, ..Grant::default() };
        memory.admit(key, Some(grant), 1000, 0);
        memory.forget(&Changes::default(), 9);
        assert!(matches!(memory.standing(&key, 0), Standing::Granted(_)));
        memory.forget(&Changes::default(), 4);
        assert_eq!((memory.standing(&key, 0), memory.told()), (Standing::Unknown, 4));
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
        memory.forget(&told(|changes| changes.account("acme", 1)), 1);
        let known = accounts.map(|account| memory.standing(&key(account), 0) != Standing::Unknown);
        assert_eq!(known, [false, false, true, true]);
    }

    #[test]
    fn a_credential_never_prints_its_value() {
        let credential =
            Credential { header: "x-api-key".into(), value: Secret::new(b"hidden".to_vec()), renewable: false };
        assert!(!format!("{credential:?}").contains("hidden"));
    }

    fn secret(value: &str) -> Credential {
        Credential { header: "x-api-key".into(), value: Secret::new(value.into()), renewable: false }
    }

    #[test]
    fn a_credential_of_one_account_is_forgotten_without_those_of_others() {
        let mut memory = Memory::default();
        let all = ["", "acme", "acme.a", "acme.a.b", "acmes"].map(|account| CredentialId::of_account("p", account));
        let known = |memory: &Memory| all.each_ref().map(|which| memory.credential(which, 0).is_some());
        let fill =
            |memory: &mut Memory| all.iter().for_each(|one| memory.equip(one.clone(), secret(&one.account), 0, 0));
        fill(&mut memory);
        assert_eq!(memory.credential(&all[2], 0).map(|known| known.value.clone()), Some(Secret::new("acme.a".into())));
        memory.forget(&told(|changes| changes.own("other", "acme", 1)), 1);
        memory.forget_credential(&all[2]);
        assert_eq!(known(&memory), [true, true, false, true, true]);
        fill(&mut memory);
        memory.forget(&told(|changes| changes.own("p", "acme.a", 1)), 1);
        assert_eq!(known(&memory), [true, true, false, false, true]);
        memory.forget(&told(|changes| changes.own("p", "", 1)), 1);
        assert_eq!(known(&memory), [true, false, false, false, false]);
        memory.forget_credential(&all[0]);
        assert_eq!(known(&memory), [false; 5]);
    }

    #[test]
    fn credentials_of_accounts_are_bounded_and_leave_the_gateways_alone() {
        let mut memory = Memory::default();
        memory.equip(CredentialId::of_gateway("p"), secret("g"), 0, 0);
        for number in 0..3 * MAX_OWN {
            memory.equip(CredentialId::of_account("p", &format!("a{number}")), secret("o"), 0, 0);
            assert!(memory.own.len() <= MAX_OWN);
        }
        assert!(memory.credential(&CredentialId::of_gateway("p"), 0).is_some());
    }

    #[test]
    fn which_credential_was_rejected_is_told_once() {
        let mut memory = Memory::default();
        let (own, gateways) = (CredentialId::of_account("p", "acme"), CredentialId::of_gateway("p"));
        for which in [&own, &gateways] {
            memory.equip(which.clone(), secret("old"), 0, 0);
            memory.reject_credential(which);
            assert_eq!(memory.credential(which, 0), None);
        }
        for which in [&own, &gateways] {
            assert_eq!(memory.take_rejected(which), Some(digest(secret("old").value.expose())));
            assert_eq!(memory.take_rejected(which), None);
        }
    }
}
