//! What is kept in the vault: put, opened, listed, taken away.
//!
//! ```text
//! put     ─▶ exclusive ─▶ the manifest is right? ─▶ sealed as its next version ─▶ row + manifest + audit, in one transaction
//! open    ─▶ row and manifest, in one statement ─▶ the row is the last version? ─▶ opened
//! ```
//!
//! What an account has of its own stands for it alone: when that can't be opened, it has nothing, and nobody else's is given
//! instead.
//!
//! Limits: [`crate::vault::MAX_MARKS`] secrets for each tenant.

mod key;
mod known;
mod rotate;
#[cfg(test)]
mod tests;
mod within;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::{Change, Store, optional};
use crate::accounts::{path, tenant};
use crate::settings::Secret;
use crate::vault::{Bound, Broken, Envelope, MAX_MARKS, Manifest, Purpose, Ring, Slot, Tagged, Vault};

pub(super) use known::Known;
use known::Manifests;
pub use rotate::Rotated;

/// Levels of accounts: tenant, department, team, user.
const LEVELS: usize = 4;

/// The secrets of a store.
#[derive(Clone)]
pub struct Entries {
    store: Store,
    vault: Arc<Vault>,
    manifests: Arc<Manifests>,
}

/// A secret as it is listed; the secret itself is not shown to anybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its row.
    pub id: String,
    /// Where it belongs.
    pub slot: Slot,
    /// Rises with every change.
    pub version: i64,
    /// Its last characters; empty when it is short.
    pub hint: String,
    /// When it was first put, in milliseconds since 1970.
    pub created_ms: i64,
    /// When it was put last.
    pub changed_ms: i64,
    /// By whom.
    pub changed_by: String,
}

/// Why the vault does not do it.
#[derive(Debug)]
pub enum Fault {
    /// It is sealed; the sentence says why and how to mend it.
    Sealed(String),
    /// Somebody else than this gateway has worked on the tenant's rows.
    Broken(Broken),
    /// The tenant has as many secrets as one may have.
    Full,
    /// There is no account of that id.
    NoAccount(String),
    /// The store failed.
    Failed(anyhow::Error),
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Sealed(why) => write!(out, "the vault is sealed: {why}"),
            Fault::Broken(broken) => write!(out, "what the vault has can't be used: {broken}"),
            Fault::Full => write!(out, "a tenant has at most {MAX_MARKS} secrets"),
            Fault::NoAccount(id) => write!(out, "there is no account `{id}`"),
            Fault::Failed(error) => write!(out, "the store failed: {error:#}"),
        }
    }
}

impl std::error::Error for Fault {}

impl From<anyhow::Error> for Fault {
    fn from(error: anyhow::Error) -> Fault {
        error.downcast().map_or_else(Fault::Failed, Fault::Broken)
    }
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Fault {
        Fault::Failed(error.into())
    }
}

impl From<Broken> for Fault {
    fn from(broken: Broken) -> Fault {
        Fault::Broken(broken)
    }
}

/// Whose secrets of that purpose serve an account: its own, and those of the accounts above it, the nearest first.
fn servers(purpose: Purpose, account: &str) -> impl Iterator<Item = &str> {
    path(account).take(if purpose.is_inherited() { LEVELS } else { 1 })
}

/// The same in as many places as there are levels; the last fills what is left.
fn places(purpose: Purpose, account: &str) -> [String; LEVELS] {
    let mut chain = servers(purpose, account);
    let mut last = account;
    std::array::from_fn(|_| {
        last = chain.next().unwrap_or(last);
        last.to_string()
    })
}

impl Entries {
    /// Why the vault is sealed; `None` when it is open.
    pub fn sealed(&self) -> Option<&str> {
        match &*self.vault {
            Vault::Open(_) => None,
            Vault::Sealed(why) => Some(why),
        }
    }

    fn ring(&self) -> Result<&Ring, Fault> {
        match &*self.vault {
            Vault::Open(ring) => Ok(ring),
            Vault::Sealed(why) => Err(Fault::Sealed(why.clone())),
        }
    }

    /// Puts a secret into its place, over the one that is there; the account is there as long as it has one.
    pub async fn put(&self, slot: &Slot, secret: &Secret, by: &str) -> Result<Entry, Fault> {
        self.ring()?;
        let mut change = self.store.exclusive().await?;
        let (entry, manifest) = self.put_in(&mut change, slot, secret, by).await?;
        let after = serde_json::json!({ "hint": entry.hint, "version": entry.version }).to_string();
        self.note(&mut change, by, "put", slot, &after).await?;
        change.commit().await?;
        self.saw(slot.tenant(), &manifest);
        Ok(entry)
    }

    /// Takes a secret away; false when there was none.
    pub async fn delete(&self, slot: &Slot, by: &str) -> Result<bool, Fault> {
        self.ring()?;
        let mut change = self.store.exclusive().await?;
        let Some(manifest) = self.delete_in(&mut change, slot).await? else { return Ok(false) };
        self.note(&mut change, by, "delete", slot, "{}").await?;
        change.commit().await?;
        self.saw(slot.tenant(), &manifest);
        Ok(true)
    }

    /// The secret for a provider of the account, or of the nearest above it that has one.
    pub async fn open(
        &self,
        purpose: Purpose,
        account: &str,
        provider: &str,
    ) -> Result<Option<(Entry, Secret)>, Fault> {
        let ring = self.ring()?;
        let last = self.manifests.last(tenant(account));
        let (tagged, rows) = self.look(purpose, account, provider, &last).await?;
        let known = last.then(ring, tenant(account), tagged)?;
        self.saw(tenant(account), &known);
        for account in servers(purpose, account) {
            let slot = Slot { purpose, account: account.to_string(), provider: provider.to_string() };
            let row = rows.iter().find(|(entry, _)| entry.slot == slot);
            match (known.manifest.find(&slot), row) {
                (None, None) => {}
                (Some(mark), Some((entry, envelope))) if mark.id == entry.id && mark.version == entry.version => {
                    let bound = Bound { slot: &slot, id: &entry.id, version: entry.version };
                    return Ok(Some((entry.clone(), ring.open(bound, envelope)?)));
                }
                _ => return Err(Fault::Broken(Broken::RolledBack)),
            }
        }
        Ok(None)
    }

    /// The manifest of the account's tenant, without its text if it is the last one that is known, and the rows for that provider of
    /// the account and those above it: in one statement, so that the one is as old as the others.
    async fn look(
        &self,
        purpose: Purpose,
        account: &str,
        provider: &str,
        last: &Known,
    ) -> Result<(Option<Tagged>, Vec<(Entry, Envelope)>), Fault> {
        let find = sqlx::query(
            "SELECT CASE WHEN m.tag = $8 AND m.key_id = $9 THEN '' ELSE m.marks END AS marks, \
             m.key_id AS marks_key, m.tag AS tag, e.id AS id, e.purpose AS purpose, \
             e.account AS account, e.provider AS provider, e.version AS version, e.sealed AS sealed, \
             e.wrapped AS wrapped, e.key_id AS key_id, e.hint AS hint, e.created_ms AS created_ms, \
             e.changed_ms AS changed_ms, e.changed_by AS changed_by FROM (SELECT 1 AS one) AS base \
             LEFT JOIN vault_manifest m ON m.tenant = $1 \
             LEFT JOIN vault_entry e ON e.purpose = $2 AND e.provider = $3 AND e.account IN ($4, $5, $6, $7)",
        );
        let find = find.bind(tenant(account)).bind(purpose.name()).bind(provider);
        let find = places(purpose, account).into_iter().fold(find, |find, account| find.bind(account));
        let find = find.bind(&last.tag).bind(&last.key_id);
        let (mut tagged, mut rows) = (None, Vec::new());
        for row in find.fetch_all(&self.store.reader).await? {
            if let (Some(text), Some(key_id), Some(tag)) =
                (optional(&row, "marks")?, optional(&row, "marks_key")?, optional(&row, "tag")?)
            {
                tagged = Some(Tagged { text, key_id, tag });
            }
            if optional::<String>(&row, "id")?.is_some()
                && let Some(entry) = listed(&row)?
            {
                rows.push((entry, envelope(&row)?));
            }
        }
        Ok((tagged, rows))
    }

    /// Every secret of that purpose, by account and provider. Needs no key: nothing is opened.
    pub async fn list(&self, purpose: Purpose) -> anyhow::Result<Vec<Entry>> {
        let find = sqlx::query(
            "SELECT id, purpose, account, provider, version, hint, created_ms, changed_ms, changed_by FROM vault_entry \
             WHERE purpose = $1 ORDER BY account, provider",
        );
        let rows = find.bind(purpose.name()).fetch_all(&self.store.reader).await?;
        let entries: anyhow::Result<Vec<Option<Entry>>> = rows.iter().map(listed).collect();
        Ok(entries?.into_iter().flatten().collect())
    }

    /// The providers for which the account, or one above it, has something of its own, whether it can be opened or not: what a
    /// row says and what the manifest says both count, so that a row that was taken away makes nobody use the gateway's key; nor
    /// does it help to take away both.
    pub async fn own(&self, purpose: Purpose, account: &str) -> anyhow::Result<Vec<String>> {
        if account.is_empty() {
            return Ok(Vec::new());
        }
        let (accounts, last) = (places(purpose, account), self.manifests.last(tenant(account)));
        let find = sqlx::query("SELECT provider FROM vault_entry WHERE purpose = $1 AND account IN ($2, $3, $4, $5)");
        let find = accounts.iter().fold(find.bind(purpose.name()), |find, account| find.bind(account.clone()));
        let mut own: BTreeSet<String> = BTreeSet::new();
        for row in find.fetch_all(&self.store.reader).await? {
            own.insert(row.try_get("provider")?);
        }
        let marks = sqlx::query("SELECT marks FROM vault_manifest WHERE tenant = $1").bind(tenant(account));
        let said =
            marks.fetch_optional(&self.store.reader).await?.map(|row| row.try_get::<String, _>("marks")).transpose()?;
        let manifest = said.and_then(|text| Manifest::read(&text)).unwrap_or_default();
        if manifest.generation < last.manifest.generation {
            return Err(Broken::RolledBack.into());
        }
        let marked = manifest.marks.into_iter().map(|mark| mark.slot);
        let marked = marked.filter(|slot| slot.purpose == purpose && accounts.contains(&slot.account));
        own.extend(marked.map(|slot| slot.provider));
        Ok(own.into_iter().collect())
    }

    /// The tenant's manifest, if it is right.
    async fn manifest(&self, change: &mut Change, tenant: &str) -> Result<Arc<Known>, Fault> {
        let last = self.manifests.last(tenant);
        let find = sqlx::query(
            "SELECT CASE WHEN tag = $2 AND key_id = $3 THEN '' ELSE marks END AS marks, key_id, tag FROM vault_manifest \
             WHERE tenant = $1",
        );
        let row = find.bind(tenant).bind(&last.tag).bind(&last.key_id).fetch_optional(&mut **change).await?;
        let tagged = |row: AnyRow| {
            anyhow::Ok(Tagged { text: row.try_get("marks")?, key_id: row.try_get("key_id")?, tag: row.try_get("tag")? })
        };
        Ok(last.then(self.ring()?, tenant, row.map(tagged).transpose()?)?)
    }

    /// Remembers a manifest that was committed.
    pub(super) fn saw(&self, tenant: &str, manifest: &Arc<Known>) {
        self.manifests.saw(tenant, manifest);
    }

    /// Notes a change in the audit log, by which data planes are told as well; the secret is not in it.
    pub(super) async fn note(
        &self,
        change: &mut Change,
        by: &str,
        action: &str,
        slot: &Slot,
        after: &str,
    ) -> anyhow::Result<()> {
        let id = format!("{}/{}", slot.account, slot.provider);
        self.store.note_in(change, (by, action), (slot.purpose.name(), &id), (None, Some(after))).await?;
        Ok(())
    }
}

/// The row of a place.
async fn find(change: &mut Change, slot: &Slot) -> anyhow::Result<Option<Entry>> {
    let find = sqlx::query(
        "SELECT id, purpose, account, provider, version, hint, created_ms, changed_ms, changed_by FROM vault_entry \
         WHERE purpose = $1 AND account = $2 AND provider = $3",
    );
    let find = find.bind(slot.purpose.name()).bind(&slot.account).bind(&slot.provider);
    find.fetch_optional(&mut **change).await?.map_or(Ok(None), |row| listed(&row))
}

async fn write_manifest(change: &mut Change, tenant: &str, tagged: &Tagged) -> anyhow::Result<()> {
    let insert = sqlx::query(
        "INSERT INTO vault_manifest (tenant, marks, key_id, tag) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (tenant) DO UPDATE SET marks = $2, key_id = $3, tag = $4",
    );
    let insert = insert.bind(tenant).bind(&tagged.text).bind(&tagged.key_id).bind(&tagged.tag);
    insert.execute(&mut **change).await?;
    Ok(())
}

/// A row whose purpose a later version made is nobody's here.
fn listed(row: &AnyRow) -> anyhow::Result<Option<Entry>> {
    let Some(purpose) = Purpose::named(&row.try_get::<String, _>("purpose")?) else { return Ok(None) };
    let slot = Slot { purpose, account: row.try_get("account")?, provider: row.try_get("provider")? };
    Ok(Some(Entry {
        id: row.try_get("id")?,
        slot,
        version: row.try_get("version")?,
        hint: row.try_get("hint")?,
        created_ms: row.try_get("created_ms")?,
        changed_ms: row.try_get("changed_ms")?,
        changed_by: row.try_get("changed_by")?,
    }))
}

fn envelope(row: &AnyRow) -> anyhow::Result<Envelope> {
    Ok(Envelope { sealed: row.try_get("sealed")?, wrapped: row.try_get("wrapped")?, key_id: row.try_get("key_id")? })
}
