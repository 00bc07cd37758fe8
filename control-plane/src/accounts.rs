//! Who pays: the tree of accounts, and what each of them and each key may do and spend.
//!
//! ```text
//! tenant acme ─▶ department acme.research ─▶ team acme.research.search ─▶ user acme.research.search.alice ─▶ key_…
//! └ Terms        └ Terms                      └ Terms                      └ Terms                          └ Terms
//! ```
//!
//! An account's id is its path from its tenant, so that a subtree is a prefix and a tenant is the first word. Levels may be
//! left out, but they descend. The Terms of all levels hold together: the tightest one decides, and nobody's exceed those
//! above them when they are written.

mod id;
mod period;
mod terms;
mod webhook;
pub mod whole;

pub use id::{AccountId, AccountKind, path, tenant};
pub use period::{Period, Span};
pub use terms::{AtLimit, BudgetTerms, Terms, WhenAway};
pub use webhook::Webhook;

pub use dragoman_core::admission::is_within;
use dragoman_core::admission::{Budget, Grant, Scope};

/// One level above a caller, or the caller's own key.
#[derive(Clone, Debug, Default)]
pub struct Level {
    /// The account's id or the key's.
    pub holder: String,
    /// What it may do and spend.
    pub terms: Terms,
}

/// What a caller may do now, by the Terms of its key and of all accounts above it.
pub fn grant(caller: &str, account: &str, levels: &[Level]) -> Grant {
    let scopes = levels.iter().map(|level| level.terms.scope()).filter(|scope| *scope != Scope::default());
    let budgets = levels.iter().flat_map(|level| {
        let budget = |terms: &BudgetTerms| terms.budget(&level.holder);
        level.terms.budgets.iter().map(budget).collect::<Vec<Budget>>()
    });
    Grant {
        caller: caller.to_string(),
        account: account.to_string(),
        scopes: scopes.collect(),
        budgets: budgets.collect(),
        // The vault knows, and is asked when a key is admitted; so is the store for its last change.
        own: Vec::new(),
        revision: 0,
    }
}
