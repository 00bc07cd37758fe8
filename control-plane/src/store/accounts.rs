//! The tree of accounts.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::rows::Condition;
use super::{Change, Store, now_ms};
use crate::accounts::{AccountId, AccountKind, Level, Terms, path};

/// An account as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    /// Its path from its tenant.
    pub id: String,
    /// What it is.
    pub kind: AccountKind,
    /// What it may do and spend.
    pub terms: Terms,
    /// The number of its last change.
    pub revision: u64,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: i64,
    /// When it was changed.
    pub changed_ms: i64,
    /// By whom.
    pub changed_by: String,
}

/// Why an account, or what belongs to one, was not changed.
#[derive(Debug)]
pub enum NotChanged {
    /// Another revision stands there, or none, or one.
    Condition,
    /// There is none of that id.
    Missing,
    /// It can't be as it was said: everything that is wrong.
    Wrong(Vec<String>),
    /// Others hang on it: accounts below it, keys or tokens that are good, or credentials of its own.
    InUse,
    /// It is the last token of an owner.
    LastOwner,
    /// The store failed.
    Failed(anyhow::Error),
}

impl std::fmt::Display for NotChanged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            NotChanged::Condition => f.write_str("somebody else was faster"),
            NotChanged::Missing => f.write_str("there is none of that id"),
            NotChanged::Wrong(mistakes) => f.write_str(&mistakes.join("; ")),
            NotChanged::InUse => f.write_str("others hang on it"),
            NotChanged::LastOwner => f.write_str("it is the last owner's"),
            NotChanged::Failed(error) => write!(f, "{error:#}"),
        }
    }
}

impl std::error::Error for NotChanged {}

impl From<anyhow::Error> for NotChanged {
    fn from(error: anyhow::Error) -> NotChanged {
        NotChanged::Failed(error)
    }
}

impl From<sqlx::Error> for NotChanged {
    fn from(error: sqlx::Error) -> NotChanged {
        NotChanged::Failed(error.into())
    }
}

impl From<serde_json::Error> for NotChanged {
    fn from(error: serde_json::Error) -> NotChanged {
        NotChanged::Failed(error.into())
    }
}

const COLUMNS: &str = "id, kind, document, revision, created_ms, changed_ms, changed_by";

impl Store {
    /// The account of that id.
    pub async fn account(&self, id: &str) -> anyhow::Result<Option<Account>> {
        let find = format!("SELECT {COLUMNS} FROM account WHERE id = $1");
        let find = sqlx::query(sqlx::AssertSqlSafe(find)).bind(id);
        find.fetch_optional(&self.reader).await?.as_ref().map(account).transpose()
    }

    /// Accounts by their id: those of the tree at `within` (everybody's when it is empty), after the id `after`.
    pub async fn accounts(&self, within: &str, after: &str, limit: u32) -> anyhow::Result<Vec<Account>> {
        // A tree is a range of ids: what comes before its root or behind its end is not looked at.
        let tree = match within {
            "" => String::new(),
            _ => format!("AND id >= $2 AND id < $2 || '/' AND {}", self::within("id", 2)),
        };
        let find = format!("SELECT {COLUMNS} FROM account WHERE id > $1 {tree} ORDER BY id LIMIT {limit}");
        let find = sqlx::query(sqlx::AssertSqlSafe(find)).bind(after);
        let find = if within.is_empty() { find } else { find.bind(within) };
        find.fetch_all(&self.reader).await?.iter().map(account).collect()
    }

    /// Makes or changes an account; gives it as it is now.
    pub async fn put_account(
        &self,
        actor: &str,
        id: &AccountId,
        kind: AccountKind,
        terms: &Terms,
        condition: Condition,
    ) -> Result<Account, NotChanged> {
        let mut change = self.exclusive().await?;
        let before = find(&mut change, id.as_str()).await?;
        if !condition.holds_for(before.as_ref().map(|account| account.revision)) {
            return Err(NotChanged::Condition);
        }
        let mut mistakes = terms.mistakes();
        mistakes.extend(misplaced(&mut change, id, kind, before.as_ref()).await?);
        mistakes.extend(excesses(&mut change, id.parent().unwrap_or_default(), terms).await?);
        if !mistakes.is_empty() {
            return Err(NotChanged::Wrong(mistakes));
        }
        let document = serde_json::to_string(terms)?;
        let was = before.as_ref().map(|account| serde_json::to_string(&account.terms)).transpose()?;
        if before.is_none() || was.as_deref() != Some(&document) {
            let revision =
                self.note_in(&mut change, (actor, "put"), ("account", id.as_str()), (was.as_deref(), Some(&document)));
            let revision = revision.await?;
            let put = sqlx::query(
                "INSERT INTO account (id, kind, document, revision, created_ms, changed_ms, changed_by) \
                 VALUES ($1, $2, $3, $4, $5, $5, $6) ON CONFLICT (id) DO UPDATE SET document = excluded.document, \
                 revision = excluded.revision, changed_ms = excluded.changed_ms, changed_by = excluded.changed_by",
            );
            let put = put.bind(id.as_str()).bind(kind.name()).bind(&document).bind(revision).bind(now_ms()).bind(actor);
            put.execute(&mut *change).await?;
        }
        let after = find(&mut change, id.as_str()).await?.ok_or(NotChanged::Missing)?;
        change.commit().await?;
        Ok(after)
    }

    /// Takes an account away on which nothing hangs any more.
    pub async fn delete_account(&self, actor: &str, id: &str, condition: Condition) -> Result<(), NotChanged> {
        let mut change = self.exclusive().await?;
        let Some(before) = find(&mut change, id).await? else { return Err(NotChanged::Missing) };
        if !condition.holds_for(Some(before.revision)) {
            return Err(NotChanged::Condition);
        }
        let hangs = sqlx::query(
            "SELECT id FROM account WHERE id > $1 || '.' AND id < $1 || '/' UNION ALL \
             SELECT id FROM caller WHERE account = $1 AND revoked_ms IS NULL UNION ALL \
             SELECT id FROM admin_token WHERE account = $1 AND revoked_ms IS NULL UNION ALL \
             SELECT id FROM vault_entry WHERE account = $1 LIMIT 1",
        );
        if hangs.bind(id).fetch_optional(&mut *change).await?.is_some() {
            return Err(NotChanged::InUse);
        }
        sqlx::query("DELETE FROM account WHERE id = $1").bind(id).execute(&mut *change).await?;
        sqlx::query("DELETE FROM webhook_secret WHERE account = $1").bind(id).execute(&mut *change).await?;
        let was = serde_json::to_string(&before.terms)?;
        self.note_in(&mut change, (actor, "delete"), ("account", id), (Some(&was), None)).await?;
        change.commit().await?;
        Ok(())
    }

    /// The Terms of an account and of all above it, from itself to its tenant.
    pub async fn levels(&self, account: &str) -> anyhow::Result<Vec<Level>> {
        let mut found = Vec::new();
        for id in path(account) {
            if let Some(account) = self.account(id).await? {
                found.push(Level { holder: account.id, terms: account.terms });
            }
        }
        Ok(found)
    }
}

/// The condition that the account in `column` is the one of that parameter or stands below it, as [`crate::accounts::is_within`].
pub(super) fn within(column: &str, parameter: usize) -> String {
    let below = format!("SUBSTR({column}, 1, LENGTH(${parameter}) + 1) = ${parameter} || '.'");
    format!("({column} = ${parameter} OR {below})")
}

/// What is wrong with where an account stands.
async fn misplaced(
    change: &mut Change,
    id: &AccountId,
    kind: AccountKind,
    before: Option<&Account>,
) -> anyhow::Result<Vec<String>> {
    let mut mistakes = Vec::new();
    if let Some(before) = before.filter(|before| before.kind != kind) {
        mistakes.push(format!("it is a {} and stays one", before.kind.name()));
    }
    match id.parent() {
        None if kind != AccountKind::Tenant => mistakes.push(format!("a {} stands below a tenant", kind.name())),
        None => {}
        Some(parent) => match find(change, parent).await? {
            None => mistakes.push(format!("there is no account `{parent}` above it")),
            Some(above) if above.kind >= kind => {
                mistakes.push(format!("a {} does not stand below a {}", kind.name(), above.kind.name()));
            }
            Some(_) => {}
        },
    }
    Ok(mistakes)
}

pub(super) async fn find(change: &mut Change, id: &str) -> anyhow::Result<Option<Account>> {
    let find = format!("SELECT {COLUMNS} FROM account WHERE id = $1");
    let find = sqlx::query(sqlx::AssertSqlSafe(find)).bind(id.to_string());
    find.fetch_optional(&mut **change).await?.as_ref().map(account).transpose()
}

/// By what Terms exceed those of an account and of all above it.
pub(super) async fn excesses(change: &mut Change, account: &str, terms: &Terms) -> anyhow::Result<Vec<String>> {
    let mut excesses = Vec::new();
    for level in levels(change, account).await? {
        excesses.extend(terms.excesses(&level.terms).into_iter().map(|excess| format!("{excess} ({})", level.holder)));
    }
    Ok(excesses)
}

/// [`Store::levels`] as they are inside a change.
async fn levels(change: &mut Change, account: &str) -> anyhow::Result<Vec<Level>> {
    let mut found = Vec::new();
    for id in path(account) {
        if let Some(account) = find(change, id).await? {
            found.push(Level { holder: account.id, terms: account.terms });
        }
    }
    Ok(found)
}

fn account(row: &AnyRow) -> anyhow::Result<Account> {
    let kind: String = row.try_get("kind")?;
    Ok(Account {
        id: row.try_get("id")?,
        kind: AccountKind::named(&kind).unwrap_or(AccountKind::User),
        terms: serde_json::from_str(row.try_get("document")?)?,
        revision: u64::try_from(row.try_get::<i64, _>("revision")?)?,
        created_ms: row.try_get("created_ms")?,
        changed_ms: row.try_get("changed_ms")?,
        changed_by: row.try_get("changed_by")?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::on_both;
    use super::*;

    fn id(text: &str) -> AccountId {
        AccountId::read(text).unwrap()
    }

    fn terms(json: &str) -> Terms {
        serde_json::from_str(json).unwrap()
    }

    async fn put(store: &Store, path: &str, kind: AccountKind, json: &str) -> Result<Account, NotChanged> {
        store.put_account("me", &id(path), kind, &terms(json), Condition::None).await
    }

    #[tokio::test]
    async fn a_tree_grows_from_its_tenant_and_nobody_exceeds_those_above() {
        for fresh in on_both().await {
            let store = fresh.open().await;
            let wrong = |done: Result<Account, NotChanged>| match done {
                Err(NotChanged::Wrong(mistakes)) => mistakes.join("; "),
                other => panic!("{other:?}"),
            };
            assert!(wrong(put(&store, "acme.x", AccountKind::Team, "{}").await).contains("no account `acme`"));
            assert!(wrong(put(&store, "acme", AccountKind::Team, "{}").await).contains("below a tenant"));
            put(&store, "acme", AccountKind::Tenant, r#"{"routes":["auto"]}"#).await.unwrap();
            put(&store, "acme.x", AccountKind::Team, "{}").await.unwrap();
            assert!(
                wrong(put(&store, "acme.x.y", AccountKind::Department, "{}").await).contains("does not stand below")
            );
            assert!(wrong(put(&store, "acme.x", AccountKind::User, "{}").await).contains("stays one"));
            let exceeding = put(&store, "acme.x.y", AccountKind::User, r#"{"routes":["other"]}"#).await;
            assert!(wrong(exceeding).contains("`other` is not allowed above (acme)"));
            put(&store, "acme.x.y", AccountKind::User, r#"{"routes":["auto"]}"#).await.unwrap();
            let levels = store.levels("acme.x.y").await.unwrap();
            assert_eq!(
                levels.iter().map(|level| level.holder.as_str()).collect::<Vec<_>>(),
                ["acme.x.y", "acme.x", "acme"]
            );
        }
    }

    #[tokio::test]
    async fn a_subtree_is_listed_page_by_page_and_others_are_not() {
        for fresh in on_both().await {
            let store = fresh.open().await;
            for (path, kind) in [
                ("acme", AccountKind::Tenant),
                ("acme-2", AccountKind::Tenant),
                ("acme.a", AccountKind::Team),
                ("acme.b", AccountKind::Team),
            ] {
                put(&store, path, kind, "{}").await.unwrap();
            }
            let ids = |list: Vec<Account>| list.into_iter().map(|account| account.id).collect::<Vec<_>>();
            assert_eq!(ids(store.accounts("acme", "", 9).await.unwrap()), ["acme", "acme.a", "acme.b"]);
            assert_eq!(ids(store.accounts("acme", "acme", 1).await.unwrap()), ["acme.a"]);
            assert_eq!(store.accounts("", "", 9).await.unwrap().len(), 4);
        }
    }

    #[tokio::test]
    async fn what_others_hang_on_stays_and_lost_updates_are_noticed() {
        for fresh in on_both().await {
            let store = fresh.open().await;
            let acme = put(&store, "acme", AccountKind::Tenant, "{}").await.unwrap();
            put(&store, "acme.a", AccountKind::Team, "{}").await.unwrap();
            assert!(matches!(store.delete_account("me", "acme", Condition::None).await, Err(NotChanged::InUse)));
            let other = Condition::Unchanged(acme.revision + 1);
            let change = store.put_account("me", &id("acme"), AccountKind::Tenant, &Terms::default(), other).await;
            assert!(matches!(change, Err(NotChanged::Condition)));
            store.delete_account("me", "acme.a", Condition::None).await.unwrap();
            store.delete_account("me", "acme", Condition::Unchanged(acme.revision)).await.unwrap();
            assert!(matches!(store.delete_account("me", "acme", Condition::None).await, Err(NotChanged::Missing)));
            assert_eq!(store.audit(None, 9).await.unwrap().len(), 4);
        }
    }
}
