//! The vault: secrets of others, encrypted at rest.
//!
//! ```text
//! secret ──AES-256-GCM──▶ sealed      under a fresh key of this row and version (DEK)
//! DEK ─────AES-256-GCM──▶ wrapped     under the vault's key (KEK), which is never in the database
//! both are bound to: purpose ‖ account ‖ provider ‖ row ‖ version
//! every version of a tenant's rows ──HMAC──▶ the tenant's manifest
//! ```
//!
//! Why so: who has the database alone has nothing. Who can write to it can't move a secret to another account or provider, can't
//! change a byte of it, and can't bring back an older one: the manifest says which versions are the last. What they can do is
//! destroy, or bring back everything of a tenant, rows and manifest, at once: inside one database that looks like a backup
//! that was restored. A control plane that runs meanwhile notices that, too, for it remembers the last manifest it saw.
//!
//! | state | |
//! |---|---|
//! | open | the key is the one that the rows were made with |
//! | sealed | it is another, or none: everything else works, the vault refuses and says how to mend it |
//!
//! Here is what thinks; what is read and written stands in [`crate::store::vault`].

mod envelope;
mod manifest;
mod ring;

use std::fmt;

use crate::accounts::tenant;

pub use envelope::{Bound, Envelope};
pub use manifest::{MAX_MARKS, Manifest, Mark, Tagged};
pub use ring::{Key, Ring, STRENGTH, VARIABLE};

/// What a secret is kept for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// An account's own credential for a provider.
    Credential,
    /// What came of a sign-in: a person's tokens.
    Session,
}

impl Purpose {
    /// Every purpose.
    pub const ALL: [Purpose; 2] = [Purpose::Credential, Purpose::Session];

    /// Its name in rows, and in the audit log.
    pub fn name(self) -> &'static str {
        match self {
            Purpose::Credential => "credential",
            Purpose::Session => "session",
        }
    }

    /// Whether it serves the accounts below its own as well. A person's tokens are that person's.
    pub fn is_inherited(self) -> bool {
        self == Purpose::Credential
    }

    /// The purpose of that name.
    pub fn named(name: &str) -> Option<Purpose> {
        Purpose::ALL.into_iter().find(|purpose| purpose.name() == name)
    }
}

/// Where a secret belongs: there is at most one for each.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Slot {
    /// What for.
    pub purpose: Purpose,
    /// Whose.
    pub account: String,
    /// Whom it opens.
    pub provider: String,
}

impl Slot {
    /// An account's own credential for a provider.
    pub fn credential(account: &str, provider: &str) -> Slot {
        Slot { purpose: Purpose::Credential, account: account.to_string(), provider: provider.to_string() }
    }

    /// An account's tokens of a provider.
    pub fn session(account: &str, provider: &str) -> Slot {
        Slot { purpose: Purpose::Session, account: account.to_string(), provider: provider.to_string() }
    }

    /// The tenant of the account: whose manifest lists it.
    pub fn tenant(&self) -> &str {
        tenant(&self.account)
    }
}

/// Why something that was kept can't be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broken {
    /// It was made with a key that is not here.
    NoKey(String),
    /// It is not what was written: bytes were changed, or it was moved to another place.
    Changed,
    /// It is an older one than the last, or the last one was taken away.
    RolledBack,
}

impl fmt::Display for Broken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Broken::NoKey(id) => write!(out, "it was made with the vault's key `{id}`, which is not here"),
            Broken::Changed => out.write_str("it was changed or moved by somebody else than this gateway"),
            Broken::RolledBack => {
                out.write_str("it is not the last one that was written; an older one was put in its place")
            }
        }
    }
}

impl std::error::Error for Broken {}

/// The state of the vault.
#[derive(Clone, Debug)]
pub enum Vault {
    /// The keys are here and are the right ones.
    Open(Ring),
    /// They are not; the sentence says why and how to mend it.
    Sealed(String),
}

/// Has the kernel write no dump of this process's memory, and lets nobody of the same user read it.
pub fn hide_memory() {
    // SAFETY: one system call with constant arguments that touches no memory of ours.
    #[allow(unsafe_code, reason = "the standard library has no other way to call prctl")]
    let done = unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0) };
    if done != 0 {
        tracing::warn!("memory dumps of this process can't be switched off; they would hold the vault's key");
    }
}

#[cfg(test)]
mod tests;
