//! Who may ask, for what, and with whose money: the Grant a caller holds, and what a worker was lent of its budgets.
//!
//! ```text
//!              first sight of a key                            before it is sent                    when it is over
//!  key ─digest─▶ Admit ─▶ Grant ─ scopes, budgets ─▶ Purse ─ reserve (worst case) ─▶ Reservation ─ true up (Usage) ─▶ Record
//!                          └ leases ────────────────▶  ▲                                                    └ charges
//!                                                      └── Lend: more of a lease, aside when it runs low
//! ```
//!
//! A Grant comes from the control plane at the first sight of a key and is kept for as long as the control plane said. Only
//! the key's digest travels; the key itself stays in the request that brought it, and is stripped from every attempt.

mod account;
mod caller;
mod grant;
mod network;
mod purse;
mod window;

pub use crate::budget::{AtLimit, Away, Budget, BudgetName, Mode, OF_TARGET, Unit, is_about};
pub(crate) use account::ancestors;
pub use account::{is_account, is_within};
pub use caller::{Caller, is_token};
pub use grant::{Grant, Scope};
pub use network::Network;
pub use purse::{Amounts, Charge, Lease, Leases, Manner, Purse, Reservation, Short, Want};
pub use window::{Loan, Window};

use sha2::{Digest, Sha256};

/// SHA-256 of a caller's key.
pub type KeyDigest = [u8; 32];

/// The digest under which the control plane knows a key.
pub fn digest(key: &[u8]) -> KeyDigest {
    Sha256::digest(key).into()
}
