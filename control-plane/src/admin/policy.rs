//! Who may use an endpoint.
//!
//! | policy | open | tenant-admin | viewer | operator | owner |
//! |---|---|---|---|---|---|
//! | `Open` | ✓ | ✓ | ✓ | ✓ | ✓ |
//! | `Keys` | | ✓ of its tree | | ✓ | ✓ |
//! | `Spending` | | ✓ of its tree | ✓ | ✓ | ✓ |
//! | `Read` | | | ✓ | ✓ | ✓ |
//! | `Change` | | | | ✓ | ✓ |
//! | `Own` | | | | | ✓ |
//!
//! A tenant-admin's tree is its account and all below it. A handler behind `Keys` or `Spending` asks [`Caller::may`] of every
//! account that is named or found; what is outside of the tree is answered like what is not there.

use axum::http::{HeaderMap, StatusCode, header};

use super::Admin;
use super::problem::Problem;
use crate::accounts::is_within;
use crate::store::tokens::Role;

/// What it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Nothing: says nothing about anybody.
    Open,
    /// Working on accounts and callers' keys.
    Keys,
    /// Reading accounts, and what they spent.
    Spending,
    /// Reading.
    Read,
    /// Changing what is served.
    Change,
    /// Making tokens.
    Own,
}

impl Policy {
    /// The roles that may.
    pub fn roles(self) -> &'static [Role] {
        match self {
            Policy::Open => &Role::ALL,
            Policy::Keys => &[Role::TenantAdmin, Role::Operator, Role::Owner],
            Policy::Spending => &[Role::TenantAdmin, Role::Viewer, Role::Operator, Role::Owner],
            Policy::Read => &[Role::Viewer, Role::Operator, Role::Owner],
            Policy::Change => &[Role::Operator, Role::Owner],
            Policy::Own => &[Role::Owner],
        }
    }

    /// Lets a request pass: as whom, or why not.
    pub async fn admit(self, admin: &Admin, headers: &HeaderMap) -> Result<Caller, Problem> {
        if self == Policy::Open {
            return Ok(Caller { id: String::new(), name: String::new(), reach: Reach::All });
        }
        let holder = match token(headers) {
            Some(token) => admin.tokens.holder(token).await?,
            None => None,
        };
        let Some(holder) = holder else {
            let detail = match token(headers) {
                Some(_) => "This admin token is unknown or revoked. `dragoman token create` makes another one.",
                None => "Send an admin token: `authorization: Bearer dga_…`. `dragoman token create` makes one.",
            };
            return Err(Problem::new(StatusCode::UNAUTHORIZED, "no_token", detail));
        };
        if !self.roles().contains(&holder.role) {
            let roles: Vec<&str> = self.roles().iter().map(|role| role.name()).collect();
            let (role, roles) = (holder.role.name(), roles.join(", "));
            let detail = format!("This takes one of the roles {roles}; your token has {role}.");
            return Err(Problem::new(StatusCode::FORBIDDEN, "wrong_role", detail));
        }
        let reach = match (holder.role, holder.account) {
            (Role::TenantAdmin, account) if account.is_empty() => {
                let detail = "This tenant-admin belongs to no account, so there is nothing that it may work on. \
                              Have an owner make another token with `account`.";
                return Err(Problem::new(StatusCode::FORBIDDEN, "no_account", detail));
            }
            (Role::TenantAdmin, account) => Reach::Tree(account),
            _ => Reach::All,
        };
        Ok(Caller { id: holder.id, name: holder.name, reach })
    }
}

/// The token of the one `authorization` header; none when there are several, for nobody knows which one is meant.
fn token(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let value = all.next().filter(|_| all.next().is_none())?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// Who is asking.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The token's id; empty where none is needed.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whose accounts, keys and Records they see.
    pub reach: Reach,
}

/// Whose accounts, keys and Records somebody sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Everybody's.
    All,
    /// Those of this account and of all below it.
    Tree(String),
}

impl Caller {
    /// Whether that account, or what belongs to it, is theirs to see. To a tenant-admin what belongs to nobody is somebody
    /// else's, too.
    pub fn sees(&self, account: &str) -> bool {
        match &self.reach {
            Reach::All => true,
            Reach::Tree(root) => is_within(account, root),
        }
    }

    /// The same for whoever needs it to go on: others' accounts are not there.
    pub fn may(&self, account: &str) -> Result<(), Problem> {
        if self.sees(account) { Ok(()) } else { Err(Problem::missing("account", account)) }
    }

    /// Whether they may change that account itself: a tenant-admin those strictly below its own.
    pub fn may_change(&self, account: &str) -> Result<(), Problem> {
        self.may(account)?;
        match &self.reach {
            Reach::Tree(root) if root == account => {
                let detail = "A tenant-admin's own account is changed by those who made it; yours are all below it.";
                Err(Problem::new(StatusCode::FORBIDDEN, "own_account", detail))
            }
            _ => Ok(()),
        }
    }

    /// The tree that a list is about: the one that was asked for, or all that they see. Empty for everybody's.
    pub fn tree(&self, asked: Option<String>) -> Result<String, Problem> {
        match (asked, &self.reach) {
            (Some(account), _) => self.may(&account).map(|()| account),
            (None, Reach::All) => Ok(String::new()),
            (None, Reach::Tree(root)) => Ok(root.clone()),
        }
    }

    /// As the audit log names them.
    pub fn actor(&self) -> String {
        if self.name.is_empty() { self.id.clone() } else { format!("{} ({})", self.id, self.name) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_admin_sees_its_tree_and_changes_what_is_below_its_own_account() {
        let of = |reach: Reach| Caller { id: "token_1".into(), name: String::new(), reach };
        let (all, acme) = (of(Reach::All), of(Reach::Tree("acme".into())));
        for (account, sees, changes) in [
            ("acme", true, false),
            ("acme.a", true, true),
            ("acme.a.b", true, true),
            ("acme-x", false, false),
            ("other", false, false),
            ("", false, false),
        ] {
            assert_eq!((acme.may(account).is_ok(), acme.may_change(account).is_ok()), (sees, changes), "{account}");
            assert!(all.may(account).is_ok() && all.may_change(account).is_ok());
        }
        assert_eq!(acme.tree(None).unwrap(), "acme");
        assert_eq!(acme.tree(Some("acme.a".into())).unwrap(), "acme.a");
        assert!(acme.tree(Some("other".into())).is_err() && acme.tree(Some(String::new())).is_err());
        assert_eq!((all.tree(None).unwrap(), all.tree(Some("b".into())).unwrap()), (String::new(), "b".into()));
    }
}
