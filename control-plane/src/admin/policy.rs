//! Who may use an endpoint.
//!
//! | policy | open | tenant-admin | viewer | operator | owner |
//! |---|---|---|---|---|---|
//! | `Open` | ✓ | ✓ | ✓ | ✓ | ✓ |
//! | `Keys` | | ✓ | | ✓ | ✓ |
//! | `Read` | | | ✓ | ✓ | ✓ |
//! | `Change` | | | | ✓ | ✓ |
//! | `Own` | | | | | ✓ |

use axum::http::{HeaderMap, StatusCode, header};

use super::Admin;
use super::problem::Problem;
use crate::store::tokens::Role;

/// What it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Nothing: says nothing about anybody.
    Open,
    /// Working on callers' keys.
    Keys,
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
            Policy::Read => &[Role::Viewer, Role::Operator, Role::Owner],
            Policy::Change => &[Role::Operator, Role::Owner],
            Policy::Own => &[Role::Owner],
        }
    }

    /// Lets a request pass: as whom, or why not.
    pub async fn admit(self, admin: &Admin, headers: &HeaderMap) -> Result<Caller, Problem> {
        if self == Policy::Open {
            return Ok(Caller { id: String::new(), name: String::new() });
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
        Ok(Caller { id: holder.id, name: holder.name })
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
}

impl Caller {
    /// As the audit log names them.
    pub fn actor(&self) -> String {
        if self.name.is_empty() { self.id.clone() } else { format!("{} ({})", self.id, self.name) }
    }
}
