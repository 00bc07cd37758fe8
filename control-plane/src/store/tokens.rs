//! Tokens of the admin API: made, found by digest, revoked. Kept as callers' keys are.

use dragoman_core::admission::digest;
use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::pepper::{Pepper, STRENGTH, random};
use super::{Store, hex, now_ms, optional, unhex};
use crate::settings::Secret;

/// What every token begins with, so that a leaked one is recognised.
const PREFIX: &str = "dga_";

/// What the holder of a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Works on the accounts below its own and on their keys, and sees what they spend.
    TenantAdmin,
    /// Reads everything.
    Viewer,
    /// Reads everything, and changes what is served.
    Operator,
    /// Everything, tokens as well.
    Owner,
}

impl Role {
    /// Every role.
    pub const ALL: [Role; 4] = [Role::TenantAdmin, Role::Viewer, Role::Operator, Role::Owner];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Role::TenantAdmin => "tenant-admin",
            Role::Viewer => "viewer",
            Role::Operator => "operator",
            Role::Owner => "owner",
        }
    }

    /// The role of that name.
    pub fn named(name: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// The tokens of the admin API.
#[derive(Clone)]
pub struct Tokens {
    store: Store,
    pepper: Pepper,
}

/// A token as it is listed; the token itself is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its id, as the audit log names it.
    pub id: String,
    /// The operator's name for it.
    pub name: String,
    /// What its holder may do.
    pub role: Role,
    /// Whose accounts a tenant-admin works on; empty for the other roles.
    pub account: String,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: i64,
    /// When it was revoked.
    pub revoked_ms: Option<i64>,
}

/// A token as it was made: the only moment in which anybody has it.
#[derive(Debug)]
pub struct Made {
    /// Its id.
    pub id: String,
    /// The token.
    pub token: Secret,
}

impl Tokens {
    /// The tokens of a store.
    pub fn of(store: &Store, pepper: Pepper) -> Tokens {
        Tokens { store: store.clone(), pepper }
    }

    /// Makes a token; it is shown now or never. `account` is whose accounts a tenant-admin works on.
    pub async fn create(&self, name: &str, role: Role, account: &str) -> anyhow::Result<Made> {
        let token = Secret::new(format!("{PREFIX}{}", hex(&random::<STRENGTH>()?)));
        let id = format!("token_{}", hex(&random::<8>()?));
        let tag = self.pepper.tag(&digest(token.expose().as_bytes()))?;
        let insert =
            "INSERT INTO admin_token (id, name, tag, role, created_ms, account) VALUES ($1, $2, $3, $4, $5, $6)";
        let insert = sqlx::query(insert).bind(&id).bind(name).bind(hex(&tag)).bind(role.name());
        insert.bind(now_ms()).bind(account).execute(&self.store.writer).await?;
        Ok(Made { id, token })
    }

    /// Whether any token was ever made.
    pub async fn is_empty(&self) -> anyhow::Result<bool> {
        Ok(sqlx::query("SELECT id FROM admin_token LIMIT 1").fetch_optional(&self.store.reader).await?.is_none())
    }

    /// Every token, the oldest first.
    pub async fn list(&self) -> anyhow::Result<Vec<Listed>> {
        let find = "SELECT id, name, role, account, created_ms, revoked_ms FROM admin_token ORDER BY created_ms, id";
        let rows = sqlx::query(find).fetch_all(&self.store.reader).await?;
        Ok(rows.iter().map(listed).collect::<anyhow::Result<Vec<_>>>()?.into_iter().flatten().collect())
    }

    /// Revokes the tokens of that id or name; how many there were that had not been revoked before.
    pub async fn revoke(&self, id_or_name: &str) -> anyhow::Result<u64> {
        let update =
            sqlx::query("UPDATE admin_token SET revoked_ms = $1 WHERE (id = $2 OR name = $3) AND revoked_ms IS NULL");
        let update = update.bind(now_ms()).bind(id_or_name).bind(id_or_name);
        Ok(update.execute(&self.store.writer).await?.rows_affected())
    }

    /// Whose token it is; `None` when it is unknown or revoked. Asked of the store each time: a revocation works at once.
    pub async fn holder(&self, token: &str) -> anyhow::Result<Option<Listed>> {
        if !token.starts_with(PREFIX) {
            return Ok(None);
        }
        let digest = digest(token.as_bytes());
        let find = "SELECT id, name, tag, role, account, created_ms, revoked_ms FROM admin_token \
                    WHERE tag = $1 AND revoked_ms IS NULL";
        let find = sqlx::query(find).bind(hex(&self.pepper.tag(&digest)?));
        let Some(row) = find.fetch_optional(&self.store.reader).await? else { return Ok(None) };
        // The index compared byte by byte; what decides is this comparison, which takes the same time whatever differs.
        let stored = unhex(row.try_get("tag")?).unwrap_or_default();
        if self.pepper.verify(&digest, &stored)? { listed(&row) } else { Ok(None) }
    }
}

/// A role that a later version made is nobody's here.
fn listed(row: &AnyRow) -> anyhow::Result<Option<Listed>> {
    let Some(role) = Role::named(&row.try_get::<String, _>("role")?) else { return Ok(None) };
    Ok(Some(Listed {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        role,
        account: row.try_get("account")?,
        created_ms: row.try_get("created_ms")?,
        revoked_ms: optional(row, "revoked_ms")?,
    }))
}

#[cfg(test)]
mod tests {
    use super::super::tests::on_both;
    use super::*;

    #[tokio::test]
    async fn a_token_opens_until_it_is_revoked() {
        for fresh in on_both().await {
            let store = fresh.open().await;
            let tokens = Tokens::of(&store, Pepper::of(&store).await.unwrap());
            assert!(tokens.is_empty().await.unwrap());
            let made = tokens.create("me", Role::TenantAdmin, "acme").await.unwrap();
            let holder = tokens.holder(made.token.expose()).await.unwrap().unwrap();
            assert_eq!(
                (holder.id.as_str(), holder.role, holder.account.as_str()),
                (made.id.as_str(), Role::TenantAdmin, "acme")
            );
            for other in ["", "dga_", "dgm_0", &format!("{}0", made.token.expose())] {
                assert_eq!(tokens.holder(other).await.unwrap(), None, "{other}");
            }
            assert_eq!(tokens.revoke(&made.id).await.unwrap(), 1);
            assert_eq!(tokens.holder(made.token.expose()).await.unwrap(), None);
        }
    }
}
