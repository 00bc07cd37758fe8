//! Tokens of the admin API: made, found by digest, revoked. Kept as callers' keys are.

use dragoman_core::admission::digest;
use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::accounts::{NotChanged, find};
use super::pepper::{Pepper, STRENGTH, random};
use super::{Change, Store, hex, now_ms, optional, unhex};
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

    /// Makes a token; it is shown now or never. `account` is whose accounts a tenant-admin works on: it is there as long as the
    /// token is good.
    pub async fn create(&self, actor: &str, name: &str, role: Role, account: &str) -> Result<Made, NotChanged> {
        let token = Secret::new(format!("{PREFIX}{}", hex(&random::<STRENGTH>()?)));
        let id = format!("token_{}", hex(&random::<8>()?));
        let tag = self.pepper.tag(&digest(token.expose().as_bytes()))?;
        let mut change = self.store.exclusive().await?;
        let mistake = match (role, account) {
            (Role::TenantAdmin, "") => Some("a tenant-admin belongs to one"),
            (Role::TenantAdmin, account) if find(&mut change, account).await?.is_none() => {
                Some("there is none of that id")
            }
            (Role::TenantAdmin, _) | (_, "") => None,
            _ => Some("only a tenant-admin has one"),
        };
        if let Some(mistake) = mistake {
            return Err(NotChanged::Wrong(vec![format!("`account`: {mistake}")]));
        }
        let told = serde_json::json!({ "name": name, "role": role.name(), "account": account }).to_string();
        self.store.note_in(&mut change, (actor, "create"), ("token", &id), (None, Some(&told))).await?;
        let insert =
            "INSERT INTO admin_token (id, name, tag, role, created_ms, account) VALUES ($1, $2, $3, $4, $5, $6)";
        let insert = sqlx::query(insert).bind(&id).bind(name).bind(hex(&tag)).bind(role.name());
        insert.bind(now_ms()).bind(account).execute(&mut *change).await?;
        change.commit().await?;
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

    /// Revokes the token of that id, or those of that name if it is nobody's id; how many had not been revoked before. Whoever
    /// has the data directory makes others, so the last owner's goes as well.
    pub async fn revoke(&self, actor: &str, id_or_name: &str) -> anyhow::Result<u64> {
        let mut change = self.store.exclusive().await?;
        let find = sqlx::query(
            "SELECT id FROM admin_token WHERE revoked_ms IS NULL AND (id = $1 OR name = $1 \
             AND NOT EXISTS (SELECT 1 FROM admin_token WHERE id = $1))",
        );
        let found = find.bind(id_or_name).fetch_all(&mut *change).await?;
        for row in &found {
            self.end(&mut change, actor, row.try_get("id")?).await?;
        }
        change.commit().await?;
        Ok(found.len() as u64)
    }

    /// Revokes the token of that id alone, for a name may be somebody else's; 0 when it had been revoked before. The last
    /// owner's stays.
    pub async fn revoke_id(&self, actor: &str, id: &str) -> Result<u64, NotChanged> {
        let mut change = self.store.exclusive().await?;
        let find = sqlx::query("SELECT role, revoked_ms FROM admin_token WHERE id = $1").bind(id);
        let row = find.fetch_optional(&mut *change).await?.ok_or(NotChanged::Missing)?;
        if optional::<i64>(&row, "revoked_ms")?.is_some() {
            return Ok(0);
        }
        if row.try_get::<String, _>("role")? == Role::Owner.name() {
            let others = "SELECT id FROM admin_token WHERE role = $1 AND revoked_ms IS NULL AND id <> $2 LIMIT 1";
            let others = sqlx::query(others).bind(Role::Owner.name()).bind(id).fetch_optional(&mut *change).await?;
            others.ok_or(NotChanged::LastOwner)?;
        }
        self.end(&mut change, actor, id).await?;
        change.commit().await?;
        Ok(1)
    }

    async fn end(&self, change: &mut Change, actor: &str, id: &str) -> anyhow::Result<()> {
        let update = sqlx::query("UPDATE admin_token SET revoked_ms = $1 WHERE id = $2");
        update.bind(now_ms()).bind(id.to_string()).execute(&mut **change).await?;
        self.store.note_in(change, (actor, "revoke"), ("token", id), (None, Some("{}"))).await?;
        Ok(())
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
    use super::super::rows::Condition;
    use super::super::tests::on_both;
    use super::*;
    use crate::accounts::{AccountId, AccountKind, Terms};

    async fn tokens(store: &Store) -> Tokens {
        let acme = AccountId::read("acme").unwrap();
        store.put_account("me", &acme, AccountKind::Tenant, &Terms::default(), Condition::None).await.unwrap();
        Tokens::of(store, Pepper::of(store).await.unwrap())
    }

    #[tokio::test]
    async fn the_last_owners_token_stays_whatever_others_are_named() {
        for fresh in on_both().await {
            let store = fresh.open().await;
            let tokens = tokens(&store).await;
            let first = tokens.create("me", "first", Role::Owner, "").await.unwrap();
            let named = tokens.create("me", &first.id, Role::Owner, "").await.unwrap();
            assert_eq!(tokens.revoke_id("me", &first.id).await.unwrap(), 1);
            assert!(tokens.holder(named.token.expose()).await.unwrap().is_some(), "its name is not its id");
            assert!(matches!(tokens.revoke_id("me", &named.id).await, Err(NotChanged::LastOwner)));
            let last = store.last_change().await.unwrap();
            assert_eq!(tokens.revoke_id("me", &first.id).await.unwrap(), 0);
            assert_eq!(store.last_change().await.unwrap(), last, "nothing was changed");
            assert!(matches!(tokens.revoke_id("me", "first").await, Err(NotChanged::Missing)));
            let mut tasks = tokio::task::JoinSet::new();
            let third = tokens.create("me", "third", Role::Owner, "").await.unwrap();
            for id in [named.id, third.id] {
                let tokens = tokens.clone();
                tasks.spawn(async move { tokens.revoke_id("me", &id).await.is_ok() });
            }
            assert_eq!(tasks.join_all().await.into_iter().filter(|done| *done).count(), 1, "one of them is the last");
            assert_eq!(tokens.revoke("me", &first.id).await.unwrap(), 0, "nor for whoever has the data directory");
        }
    }

    #[tokio::test]
    async fn a_token_belongs_to_an_account_that_stays_there() {
        for fresh in on_both().await {
            let store = fresh.open().await;
            let tokens = tokens(&store).await;
            for (role, account) in [(Role::TenantAdmin, ""), (Role::TenantAdmin, "beta"), (Role::Viewer, "acme")] {
                let made = tokens.create("me", "", role, account).await;
                assert!(matches!(made, Err(NotChanged::Wrong(_))), "{role:?} {account}");
            }
            assert!(tokens.list().await.unwrap().is_empty());
            let mut tasks = tokio::task::JoinSet::new();
            let other = fresh.open().await;
            tasks.spawn(async move { other.delete_account("me", "acme", Condition::None).await.is_ok() });
            tasks.spawn(async move { tokens.create("me", "", Role::TenantAdmin, "acme").await.is_ok() });
            assert_eq!(tasks.join_all().await.into_iter().filter(|done| *done).count(), 1);
        }
    }

    #[tokio::test]
    async fn a_token_opens_until_it_is_revoked() {
        for fresh in on_both().await {
            let store = fresh.open().await;
            let tokens = tokens(&store).await;
            assert!(tokens.is_empty().await.unwrap());
            let made = tokens.create("me", "it", Role::TenantAdmin, "acme").await.unwrap();
            let holder = tokens.holder(made.token.expose()).await.unwrap().unwrap();
            assert_eq!(
                (holder.id.as_str(), holder.role, holder.account.as_str()),
                (made.id.as_str(), Role::TenantAdmin, "acme")
            );
            for other in ["", "dga_", "dgm_0", &format!("{}0", made.token.expose())] {
                assert_eq!(tokens.holder(other).await.unwrap(), None, "{other}");
            }
            assert_eq!(tokens.revoke("you", &made.id).await.unwrap(), 1);
            assert_eq!(tokens.holder(made.token.expose()).await.unwrap(), None);
            let log = store.audit(None, 2).await.unwrap();
            let said: Vec<_> =
                log.iter().map(|entry| (entry.actor.as_str(), entry.action.as_str(), entry.after.as_deref())).collect();
            let what = r#"{"account":"acme","name":"it","role":"tenant-admin"}"#;
            assert_eq!(said, [("you", "revoke", Some("{}")), ("me", "create", Some(what))]);
        }
    }
}
