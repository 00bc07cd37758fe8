//! Callers' keys: made, found by digest, changed, rotated, revoked.
//!
//! The key itself is shown once and kept nowhere; see [`super::pepper`] for what is kept. A key may have several secrets: a
//! rotation makes a new one and lets the old ones end a little later.

use dragoman_core::admission::{Grant, KeyDigest, digest};
use sqlx::Row;
use sqlx::any::AnyRow;

use super::accounts::{NotChanged, excesses, find, within};
use super::pepper::{Pepper, STRENGTH, random};
use super::rows::Condition;
use super::{Change, Store, hex, now_ms, optional, unhex};
use crate::accounts::{Level, Terms, grant};
use crate::settings::Secret;

/// What every key begins with, so that a leaked one is recognised.
const PREFIX: &str = "dgm_";
/// How much of a key is kept to recognise it by: its prefix and four digits.
const HINT: usize = 8;

/// The keys of callers.
#[derive(Clone)]
pub struct Keys {
    store: Store,
    pepper: Pepper,
}

/// A key as it was made: the only moment in which anybody has it.
#[derive(Debug)]
pub struct Made {
    /// The caller's id.
    pub id: String,
    /// The key.
    pub key: Secret,
}

/// What a key is to be.
#[derive(Clone, Debug, Default)]
pub struct NewKey {
    /// The operator's name for it.
    pub name: String,
    /// Whose it is; empty for nobody's.
    pub account: String,
    /// What it may do and spend.
    pub terms: Terms,
    /// When it ends, in milliseconds since 1970.
    pub expires_ms: Option<i64>,
}

impl NewKey {
    /// What the audit log says of it.
    fn told(&self) -> String {
        let NewKey { name, account, terms, expires_ms } = self;
        serde_json::json!({ "name": name, "account": account, "terms": terms, "expires_ms": expires_ms }).to_string()
    }
}

impl From<&Listed> for NewKey {
    fn from(key: &Listed) -> NewKey {
        let Listed { name, account, terms, expires_ms, .. } = key.clone();
        NewKey { name, account, terms, expires_ms }
    }
}

/// A key as it is listed; the key itself is not known.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// The caller's id, as Records name it.
    pub id: String,
    /// The operator's name for it.
    pub name: String,
    /// Whose it is; empty for nobody's.
    pub account: String,
    /// What it may do and spend.
    pub terms: Terms,
    /// How its newest secret begins.
    pub hint: String,
    /// The number of its last change.
    pub revision: u64,
    /// When it was made, in milliseconds since 1970.
    pub created_ms: i64,
    /// When it ends.
    pub expires_ms: Option<i64>,
    /// When it was revoked.
    pub revoked_ms: Option<i64>,
}

/// What the caller with a key may do, and how long that holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Admitted {
    /// What it may do.
    pub grant: Grant,
    /// When its secret ends, in milliseconds since 1970.
    pub expires_ms: Option<i64>,
}

const COLUMNS: &str = "caller.id, caller.name, caller.account, caller.document, caller.revision, caller.created_ms, \
                       caller.expires_ms, caller.revoked_ms";

/// How the newest secret of a key begins.
const HINT_OF: &str =
    "(SELECT hint FROM caller_secret WHERE caller = caller.id ORDER BY created_ms DESC LIMIT 1) AS hint";

/// Whose keys are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of<'a> {
    /// Everybody's.
    Everybody,
    /// Those of this account only.
    Account(&'a str),
    /// Those of this account and of all below it.
    Tree(&'a str),
}

impl Of<'_> {
    /// Where the page that ends with this key ends.
    pub fn place(self, key: &Listed) -> String {
        match self {
            Of::Everybody | Of::Account(_) => key.id.clone(),
            Of::Tree(_) => format!("{}/{}", key.account, key.id),
        }
    }
}

impl Keys {
    /// The keys of a store.
    pub fn of(store: &Store, pepper: Pepper) -> Keys {
        Keys { store: store.clone(), pepper }
    }

    /// Makes a key; it is shown now or never.
    pub async fn create(&self, actor: &str, new: &NewKey) -> Result<Made, NotChanged> {
        let id = format!("key_{}", hex(&random::<8>()?));
        let mut change = self.store.exclusive().await?;
        let mistakes = mistakes(&mut change, &new.account, &new.terms).await?;
        if !mistakes.is_empty() {
            return Err(NotChanged::Wrong(mistakes));
        }
        let document = serde_json::to_string(&new.terms)?;
        let told = new.told();
        let revision = self.store.note_in(&mut change, (actor, "create"), ("key", &id), (None, Some(&told))).await?;
        let insert = sqlx::query(
            "INSERT INTO caller (id, name, account, document, revision, created_ms, expires_ms) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        );
        let insert = insert.bind(&id).bind(&new.name).bind(&new.account).bind(document).bind(revision);
        insert.bind(now_ms()).bind(new.expires_ms).execute(&mut *change).await?;
        let key = self.secret(&mut change, &id).await?;
        change.commit().await?;
        Ok(Made { id, key })
    }

    /// Gives a key another secret; the old ones still work for so long.
    pub async fn rotate(&self, actor: &str, id: &str, overlap_ms: i64) -> Result<Made, NotChanged> {
        let mut change = self.store.exclusive().await?;
        read(&mut change, id).await?.filter(|key| key.revoked_ms.is_none()).ok_or(NotChanged::Missing)?;
        let ends = now_ms().saturating_add(overlap_ms);
        let end = sqlx::query(
            "UPDATE caller_secret SET expires_ms = $1 \
             WHERE caller = $2 AND revoked_ms IS NULL AND COALESCE(expires_ms, $1) >= $1",
        );
        end.bind(ends).bind(id).execute(&mut *change).await?;
        let key = self.secret(&mut change, id).await?;
        self.store.note_in(&mut change, (actor, "rotate"), ("key", id), (None, Some("{}"))).await?;
        change.commit().await?;
        Ok(Made { id: id.to_string(), key })
    }

    /// Makes a secret, which ends with its key, or when a rotation says so.
    async fn secret(&self, change: &mut Change, id: &str) -> anyhow::Result<Secret> {
        let key = Secret::new(format!("{PREFIX}{}", hex(&random::<STRENGTH>()?)));
        let digest = digest(key.expose().as_bytes());
        let tag = self.pepper.tag(&digest)?;
        let insert = sqlx::query(
            "INSERT INTO caller_secret (tag, caller, sealed, hint, created_ms) VALUES ($1, $2, $3, $4, $5)",
        );
        let hint: String = key.expose().chars().take(HINT).collect();
        let insert =
            insert.bind(hex(&tag)).bind(id.to_string()).bind(hex(&self.pepper.seal(&tag, &digest)?)).bind(hint);
        insert.bind(now_ms()).execute(&mut **change).await?;
        Ok(key)
    }

    /// Changes what a key may do and spend, and when it ends.
    pub async fn change(&self, actor: &str, id: &str, to: &NewKey, condition: Condition) -> Result<Listed, NotChanged> {
        let mut change = self.store.exclusive().await?;
        let before = read(&mut change, id).await?.ok_or(NotChanged::Missing)?;
        if !condition.holds_for(Some(before.revision)) {
            return Err(NotChanged::Condition);
        }
        // Budgets hang on the account: a key that moves would take its past along.
        let mut mistakes = mistakes(&mut change, &before.account, &to.terms).await?;
        if to.account != before.account {
            mistakes.push("a key stays with its account; make another one".to_string());
        }
        if !mistakes.is_empty() {
            return Err(NotChanged::Wrong(mistakes));
        }
        let (was, is) = (NewKey::from(&before).told(), to.told());
        if was == is {
            return Ok(before);
        }
        let note = (Some(was.as_str()), Some(is.as_str()));
        let revision = self.store.note_in(&mut change, (actor, "put"), ("key", id), note).await?;
        let document = serde_json::to_string(&to.terms)?;
        let update =
            sqlx::query("UPDATE caller SET name = $1, document = $2, revision = $3, expires_ms = $4 WHERE id = $5");
        let update = update.bind(&to.name).bind(&document).bind(revision).bind(to.expires_ms).bind(id);
        update.execute(&mut *change).await?;
        let after = read(&mut change, id).await?.ok_or(NotChanged::Missing)?;
        change.commit().await?;
        Ok(after)
    }

    /// Whether any key was ever made.
    pub async fn is_empty(&self) -> anyhow::Result<bool> {
        Ok(sqlx::query("SELECT id FROM caller LIMIT 1").fetch_optional(&self.store.reader).await?.is_none())
    }

    /// Keys after the place `after` of the page before (see [`Of::place`]): by their ids, those of a tree by their accounts
    /// first. A page is found by an index that begins with what is asked for: the last of a million keys costs what the first does.
    pub async fn list(&self, of: Of<'_>, after: &str, limit: u32) -> anyhow::Result<Vec<Listed>> {
        let (wanted, account) = match of {
            Of::Everybody => ("caller.id > $1 ORDER BY caller.id", None),
            Of::Account(account) => ("account = $2 AND caller.id > $1 ORDER BY caller.id", Some(account)),
            Of::Tree(root) => {
                let (account, id) = after.split_once('/').unwrap_or((root, after));
                let found = self.tree(root, account, id, limit).await?;
                return Ok(found);
            }
        };
        let find = format!("SELECT {COLUMNS}, {HINT_OF} FROM caller WHERE {wanted} LIMIT {limit}");
        let find = sqlx::query(sqlx::AssertSqlSafe(find)).bind(after);
        let find = account.into_iter().fold(find, |find, account| find.bind(account));
        find.fetch_all(&self.store.reader).await?.iter().map(listed).collect()
    }

    async fn tree(&self, root: &str, account: &str, id: &str, limit: u32) -> anyhow::Result<Vec<Listed>> {
        let find = format!(
            "SELECT {COLUMNS}, {HINT_OF} FROM caller WHERE (account, id) > ($1, $2) AND account < $3 || '/' \
             AND {} ORDER BY account, id LIMIT {limit}",
            within("account", 3)
        );
        let find = sqlx::query(sqlx::AssertSqlSafe(find)).bind(account).bind(id).bind(root);
        find.fetch_all(&self.store.reader).await?.iter().map(listed).collect()
    }

    /// The key of that id.
    pub async fn key(&self, id: &str) -> anyhow::Result<Option<Listed>> {
        let find = one();
        let find = sqlx::query(sqlx::AssertSqlSafe(find)).bind(id);
        find.fetch_optional(&self.store.reader).await?.as_ref().map(listed).transpose()
    }

    /// Revokes the key of that id, or those of that name if it is nobody's id; how many had not been revoked before.
    pub async fn revoke(&self, actor: &str, id_or_name: &str) -> anyhow::Result<u64> {
        let which = "SELECT id FROM caller WHERE revoked_ms IS NULL \
                     AND (id = $1 OR name = $1 AND NOT EXISTS (SELECT 1 FROM caller WHERE id = $1))";
        self.end(actor, which, id_or_name).await
    }

    /// Revokes the key of that id alone: a name may be somebody else's.
    pub async fn revoke_id(&self, actor: &str, id: &str) -> anyhow::Result<u64> {
        self.end(actor, "SELECT id FROM caller WHERE id = $1 AND revoked_ms IS NULL", id).await
    }

    async fn end(&self, actor: &str, which: &'static str, named: &str) -> anyhow::Result<u64> {
        let mut change = self.store.exclusive().await?;
        let found = sqlx::query(which).bind(named).fetch_all(&mut *change).await?;
        for row in &found {
            let id: String = row.try_get("id")?;
            let now = now_ms();
            let update = sqlx::query("UPDATE caller SET revoked_ms = $1 WHERE id = $2");
            update.bind(now).bind(&id).execute(&mut *change).await?;
            let secrets =
                sqlx::query("UPDATE caller_secret SET revoked_ms = COALESCE(revoked_ms, $1) WHERE caller = $2");
            secrets.bind(now).bind(&id).execute(&mut *change).await?;
            self.store.note_in(&mut change, (actor, "revoke"), ("key", &id), (None, Some("{}"))).await?;
        }
        change.commit().await?;
        Ok(found.len() as u64)
    }

    /// What the caller with this key may do; `None` when the key is unknown, expired or revoked.
    pub async fn admit(&self, digest: &KeyDigest) -> anyhow::Result<Option<Admitted>> {
        let tag = self.pepper.tag(digest)?;
        let find = sqlx::query(
            "SELECT caller.id, caller.account, caller.document, caller.expires_ms AS ends_ms, secret.tag, \
             secret.expires_ms FROM caller_secret AS secret JOIN caller ON caller.id = secret.caller \
             WHERE secret.tag = $1 AND secret.revoked_ms IS NULL AND caller.revoked_ms IS NULL",
        );
        let Some(row) = find.bind(hex(&tag)).fetch_optional(&self.store.reader).await? else { return Ok(None) };
        // The index compared byte by byte; what decides is this comparison, which takes the same time whatever differs.
        let stored = unhex(row.try_get("tag")?).unwrap_or_default();
        if !self.pepper.verify(digest, &stored)? {
            return Ok(None);
        }
        let ends = [optional::<i64>(&row, "expires_ms")?, optional::<i64>(&row, "ends_ms")?];
        let expires_ms = ends.into_iter().flatten().min();
        if expires_ms.is_some_and(|ends| ends <= now_ms()) {
            return Ok(None);
        }
        let (id, account): (String, String) = (row.try_get("id")?, row.try_get("account")?);
        let terms = serde_json::from_str(row.try_get("document")?)?;
        let mut levels = vec![Level { holder: id.clone(), terms }];
        levels.extend(self.store.levels(&account).await?);
        Ok(Some(Admitted { grant: grant(&id, &account, &levels), expires_ms }))
    }

    /// What the caller of that id may do, were its key good.
    pub async fn grant(&self, id: &str) -> anyhow::Result<Option<Grant>> {
        let Some(key) = self.key(id).await? else { return Ok(None) };
        let mut levels = vec![Level { holder: key.id.clone(), terms: key.terms }];
        levels.extend(self.store.levels(&key.account).await?);
        Ok(Some(grant(&key.id, &key.account, &levels)))
    }

    /// The digest of a secret, of a row with its `tag` and what is `sealed`; `None` when there is none.
    pub(super) fn digest(&self, row: &AnyRow) -> anyhow::Result<Option<KeyDigest>> {
        let fixed = |name| -> anyhow::Result<Option<KeyDigest>> {
            let text: Option<String> = optional(row, name)?;
            Ok(text.and_then(|text| unhex(&text)).and_then(|bytes| KeyDigest::try_from(bytes).ok()))
        };
        match (fixed("tag")?, fixed("sealed")?) {
            (Some(tag), Some(sealed)) => Ok(Some(self.pepper.seal(&tag, &sealed)?)),
            _ => Ok(None),
        }
    }
}

/// Everything that is wrong with a key's Terms at that account.
async fn mistakes(change: &mut Change, account: &str, terms: &Terms) -> anyhow::Result<Vec<String>> {
    let mut mistakes = terms.mistakes();
    if terms.webhook.is_some() {
        mistakes.push("`webhook` stands in the terms of an account".to_string());
    }
    if !account.is_empty() && find(change, account).await?.is_none() {
        mistakes.push(format!("there is no account `{account}`"));
    }
    mistakes.extend(excesses(change, account, terms).await?);
    Ok(mistakes)
}

fn one() -> String {
    format!("SELECT {COLUMNS}, {HINT_OF} FROM caller WHERE id = $1")
}

async fn read(change: &mut Change, id: &str) -> anyhow::Result<Option<Listed>> {
    let find = sqlx::query(sqlx::AssertSqlSafe(one())).bind(id.to_string());
    find.fetch_optional(&mut **change).await?.as_ref().map(listed).transpose()
}

fn listed(row: &AnyRow) -> anyhow::Result<Listed> {
    Ok(Listed {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        account: row.try_get("account")?,
        terms: serde_json::from_str(row.try_get("document")?)?,
        hint: optional(row, "hint")?.unwrap_or_default(),
        revision: u64::try_from(row.try_get::<i64, _>("revision")?)?,
        created_ms: row.try_get("created_ms")?,
        expires_ms: optional(row, "expires_ms")?,
        revoked_ms: optional(row, "revoked_ms")?,
    })
}

#[cfg(test)]
mod tests;
