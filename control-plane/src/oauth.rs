//! People sign in with providers (OAuth 2.0), and what they get is kept fresh for them alone.
//!
//! ```text
//! browser: page ─▶ state, verifier, cookie ─▶ provider ─▶ callback ─┐ state, browser, issuer, once
//! device:  code ─▶ typed at the provider ◀─ asked by us, not too often ├─▶ tokens ─▶ vault ─▶ served to their owner
//! refresh: ahead of the end, one at a time everywhere ─────────────────┘
//! mint:    what a service account shows, or a session's token ─▶ a token of minutes ─▶ served from the memory
//! ```
//!
//! | file | |
//! |---|---|
//! | [`authorise`] | the address where a person is asked: state, PKCE S256 (RFC 7636) |
//! | [`browser`] | the page, and who comes back to it (RFC 9207, RFC 9700) |
//! | [`exchange`] | codes and refresh tokens become tokens |
//! | [`device`] | device codes (RFC 8628) |
//! | [`refresh`] | tokens that are served, and renewed ahead of their end |
//! | [`mint`], [`assertion`] | tokens for the gateway's own service accounts, and what sessions' tokens are exchanged for |
//! | [`revoke`] | sign-out (RFC 7009) |
//! | [`egress`] | the one client that talks to providers about this |
//!
//! What a provider writes is a stranger's: of its errors the word is told, its sentences never. Tokens, codes and verifiers are
//! [`Secret`]s, and stand in no error.
//!
//! Limits: one session for each account and provider.

mod assertion;
mod authorise;
mod browser;
mod device;
mod egress;
mod exchange;
mod mint;
mod refresh;
mod revoke;

use std::fmt;
use std::sync::Arc;

use crate::current::{Current, Feed};
use crate::metrics::Metrics;
use crate::settings::{SignIn, SignInPolicy};
use crate::store::pepper::{Pepper, random};
use crate::store::sessions::Sessions;
use crate::store::sign_ins::{Flow, Progress, SignInEntry};
use crate::store::vault::{Entries, Fault};
use crate::store::{Store, hex, now_ms};
use crate::vault::Envelope;

pub use browser::{Came, Offered, Returned};
pub use device::Shown;
pub use egress::Egress;
pub use refresh::{Served, Stuck};
pub use revoke::Revoked;

use mint::Mint;
use refresh::Flights;

/// How long a sign-in in a browser may take.
const LIFE_MS: i64 = 10 * 60_000;
/// Whose word it is in the audit log when nobody asked.
const BY: &str = "sign-in";

/// Signs people in, and keeps what came of it.
#[derive(Clone)]
pub struct OAuth(Arc<Parts>);

struct Parts {
    store: Store,
    vault: Entries,
    sessions: Sessions,
    pepper: Pepper,
    egress: Egress,
    current: Feed,
    flights: Flights,
    mint: Mint,
    metrics: Arc<Metrics>,
    /// This control plane, in claims.
    me: String,
}

/// Why a sign-in does not begin.
#[derive(Debug)]
pub enum Refused {
    /// Nobody signs in with such a provider.
    Unknown(String),
    /// Its policy keeps no tokens.
    Off(String),
    /// Something is not said yet; the sentence says what.
    Unready(String),
    /// The provider did not do its part; the sentence says why.
    Provider(String),
    /// The vault or the store.
    Fault(Fault),
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Refused {
        Refused::Fault(fault)
    }
}

impl From<anyhow::Error> for Refused {
    fn from(error: anyhow::Error) -> Refused {
        Refused::Fault(Fault::Failed(error))
    }
}

impl fmt::Debug for OAuth {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("OAuth")
    }
}

impl OAuth {
    /// With the store, the vault and the client that asks providers; `current` has their rows.
    pub fn new(
        store: &Store,
        vault: &Entries,
        pepper: Pepper,
        (egress, metrics): (Egress, Arc<Metrics>),
        current: Feed,
    ) -> anyhow::Result<OAuth> {
        Ok(OAuth(Arc::new(Parts {
            store: store.clone(),
            vault: vault.clone(),
            sessions: Sessions::of(store, vault),
            pepper,
            egress,
            current,
            flights: Flights::default(),
            mint: Mint::default(),
            metrics,
            me: format!("cp_{}", hex(&random::<8>()?)),
        })))
    }

    /// The sessions themselves.
    pub fn sessions(&self) -> &Sessions {
        &self.0.sessions
    }

    /// How people sign in with a provider whose policy keeps their tokens and whose row says all that is needed.
    fn terms(&self, provider: &str) -> Result<SignIn, Refused> {
        let current = self.0.current.borrow().clone();
        let found = current.catalog.sign_ins.get(provider).cloned();
        let terms = found.ok_or_else(|| Refused::Unknown(provider.to_string()))?;
        match terms.hindrance() {
            None => Ok(terms),
            Some(why) if terms.policy == SignInPolicy::OwnerOnly => Err(Refused::Unready(why)),
            Some(why) => Err(Refused::Off(why)),
        }
    }

    /// The same where nothing is to be told.
    fn terms_in(current: &Current, provider: &str) -> Option<SignIn> {
        current.catalog.sign_ins.get(provider).filter(|terms| terms.hindrance().is_none()).cloned()
    }

    /// A sign-in that is not kept yet.
    fn fresh(provider: &str, account: &str, flow: Flow, by: &str) -> anyhow::Result<SignInEntry> {
        Ok(SignInEntry {
            id: format!("sign_in_{}", hex(&random::<16>()?)),
            provider: provider.to_string(),
            account: account.to_string(),
            flow,
            progress: Progress::Waiting,
            said: String::new(),
            browser_tag: String::new(),
            envelope: Envelope { sealed: String::new(), wrapped: String::new(), key_id: String::new() },
            redirect_uri: String::new(),
            interval_ms: 0,
            made_by: by.to_string(),
            expires_ms: now_ms() + LIFE_MS,
        })
    }
}

#[cfg(test)]
pub(crate) mod tests;
