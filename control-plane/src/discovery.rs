//! Which models a provider has: it is asked, its answer is read, and what nobody wrote down is filled in.
//!
//! ```text
//! Rounds ─▶ ask (GET the list, page by page) ─▶ read (any of the known forms) ─▶ Memory (the store)
//!                                                            store ─▶ Known ─▶ merge ─▶ the catalogue's models
//! ```
//!
//! Prices are never taken from a provider's list: they are the operator's. What an operator or a shipped row says of a model
//! wins over what its provider says, and a provider can't take a name that belongs to somebody else.

mod ask;
mod merge;
mod read;
mod rounds;

pub use ask::{Answer, Asker, Validator, endpoint};
pub use merge::{Known, Offer, merge};
pub(crate) use read::is_safe;
pub use read::{Extent, Found, Listing, MAX_BODY, MAX_MODELS, Page, read};
pub use rounds::{MAX_AGE, Memory, Rounds};
