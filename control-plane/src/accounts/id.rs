//! The names of accounts.

use std::fmt::{self, Display};

use dragoman_core::admission::is_account;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What an account is, from the top of the tree to its bottom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AccountKind {
    /// The root of a tree: a company, a customer.
    Tenant,
    /// A part of it.
    Department,
    /// People who work together.
    Team,
    /// A person or a service.
    User,
}

impl AccountKind {
    /// Every kind, from the top.
    pub const ALL: [AccountKind; 4] =
        [AccountKind::Tenant, AccountKind::Department, AccountKind::Team, AccountKind::User];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            AccountKind::Tenant => "tenant",
            AccountKind::Department => "department",
            AccountKind::Team => "team",
            AccountKind::User => "user",
        }
    }

    /// The kind of that name.
    pub fn named(name: &str) -> Option<AccountKind> {
        AccountKind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// An account's id: its path from its tenant, with dots between (`acme.research.search`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(String);

impl AccountId {
    /// Reads one; the error says what is wrong with it.
    pub fn read(text: &str) -> Result<AccountId, &'static str> {
        if !is_account(text) {
            return Err(
                "an account's id is its path from its tenant: one to four words of small letters, digits, `-` and `_` \
                        with dots between, such as `acme.research.search`; the first does not begin with `key_`",
            );
        }
        Ok(AccountId(text.to_string()))
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The tenant at its root.
    pub fn tenant(&self) -> &str {
        tenant(&self.0)
    }

    /// The account right above it; `None` for a tenant.
    pub fn parent(&self) -> Option<&str> {
        self.0.rsplit_once('.').map(|(parent, _)| parent)
    }
}

/// The tenant of an account: the first word of its id.
pub fn tenant(account: &str) -> &str {
    account.split('.').next().unwrap_or_default()
}

/// An account and all above it, from itself to its tenant. Nothing for none.
pub fn path(account: &str) -> impl Iterator<Item = &str> {
    let itself = Some(account).filter(|account| !account.is_empty());
    std::iter::successors(itself, |below| below.rsplit_once('.').map(|(above, _)| above))
}

impl Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_path_of_plain_words() {
        assert_eq!(AccountId::read("acme.research").unwrap().as_str(), "acme.research");
        assert!(AccountId::read("").is_err() && AccountId::read("key_1").is_err());
    }

    #[test]
    fn an_id_knows_who_is_above_it() {
        let id = AccountId::read("acme.research.search").unwrap();
        assert_eq!((id.tenant(), id.parent()), ("acme", Some("acme.research")));
        assert_eq!(AccountId::read("acme").unwrap().parent(), None);
        assert_eq!(path("a.b.c").collect::<Vec<_>>(), ["a.b.c", "a.b", "a"]);
        assert_eq!(path("").count(), 0);
    }
}
