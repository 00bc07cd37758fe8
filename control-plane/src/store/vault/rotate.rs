//! Another key for the vault: every row's own key is wrapped anew, one row at a time.
//!
//! ```text
//! DRAGOMAN_VAULT_KEY=old ─▶ new,old (start everywhere) ─▶ dragoman vault rotate ─▶ new
//! ```
//!
//! Both keys read meanwhile, so it may be broken off anywhere and begun again: what is done is done.

use sqlx::Row as _;

use super::{Entries, Fault, envelope, listed, write_manifest};
use crate::vault::{Bound, Broken, Manifest, Tagged, Vault};

/// More changes than a tenant ever makes.
const MOST_CHANGES: i64 = 1 << 53;

/// What a rotation did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Rotated {
    /// Rows and manifests that are under the first key now and were not.
    pub done: usize,
    /// What could not be opened, and why; it stays as it is.
    pub broken: Vec<(String, Broken)>,
}

/// One row or manifest of a rotation: its name, and whether it could be opened.
type Step = (String, Result<(), Broken>);

impl Entries {
    /// Wraps everything under the first of the vault's keys. Others are no longer asked for when all of it could be.
    pub async fn rotate(&self) -> Result<Rotated, Fault> {
        let mut rotated = Rotated::default();
        let mut count = |step: &Step| match &step.1 {
            Ok(()) => rotated.done += 1,
            Err(broken) => rotated.broken.push((step.0.clone(), broken.clone())),
        };
        let mut last = None;
        while let Some(step) = self.rotate_row(last.as_deref()).await? {
            count(&step);
            last = Some(step.0);
        }
        let mut last = None;
        while let Some(step) = self.rotate_manifest(last.as_deref()).await? {
            count(&step);
            last = Some(step.0);
        }
        if rotated.broken.is_empty() {
            let delete = sqlx::query("DELETE FROM vault_check WHERE key_id <> $1").bind(&self.ring()?.first()?.id);
            delete.execute(&self.store.writer).await?;
        }
        Ok(rotated)
    }

    /// Wraps the next row behind that one which is not under the first key; `None` when there is none.
    pub(super) async fn rotate_row(&self, last: Option<&str>) -> Result<Option<Step>, Fault> {
        let ring = self.ring()?;
        let mut change = self.store.exclusive().await?;
        let find = sqlx::query(
            "SELECT id, purpose, account, provider, version, sealed, wrapped, key_id, hint, created_ms, changed_ms, \
             changed_by FROM vault_entry WHERE key_id <> $1 AND id > $2 ORDER BY id LIMIT 1",
        );
        let find = find.bind(&ring.first()?.id).bind(last.unwrap_or_default());
        let Some(row) = find.fetch_optional(&mut *change).await? else { return Ok(None) };
        let id: String = row.try_get("id")?;
        let Some(entry) = listed(&row)? else { return Ok(Some((id, Err(Broken::Changed)))) };
        let bound = Bound { slot: &entry.slot, id: &id, version: entry.version };
        let fresh = match ring.rewrap(bound, &envelope(&row)?).map_err(Fault::from) {
            Ok(fresh) => fresh,
            Err(Fault::Broken(broken)) => return Ok(Some((id, Err(broken)))),
            Err(other) => return Err(other),
        };
        let update = sqlx::query("UPDATE vault_entry SET wrapped = $1, key_id = $2 WHERE id = $3");
        update.bind(&fresh.wrapped).bind(&fresh.key_id).bind(&id).execute(&mut *change).await?;
        change.commit().await?;
        Ok(Some((id, Ok(()))))
    }

    /// The same with the manifest of the next tenant.
    async fn rotate_manifest(&self, last: Option<&str>) -> Result<Option<Step>, Fault> {
        let ring = self.ring()?;
        let mut change = self.store.exclusive().await?;
        let find = sqlx::query(
            "SELECT tenant, marks, key_id, tag FROM vault_manifest WHERE key_id <> $1 AND (tenant > $2 OR $3 = 0) \
             ORDER BY tenant LIMIT 1",
        );
        let find = find.bind(&ring.first()?.id).bind(last.unwrap_or_default()).bind(i64::from(last.is_some()));
        let Some(row) = find.fetch_optional(&mut *change).await? else { return Ok(None) };
        let tenant: String = row.try_get("tenant")?;
        let tagged = Tagged { text: row.try_get("marks")?, key_id: row.try_get("key_id")?, tag: row.try_get("tag")? };
        let manifest = match ring.check(&tenant, &tagged) {
            Ok(manifest) => manifest,
            Err(broken) => return Ok(Some((tenant, Err(broken)))),
        };
        write_manifest(&mut change, &tenant, &ring.tag(&tenant, &manifest)?).await?;
        change.commit().await?;
        Ok(Some((tenant, Ok(()))))
    }

    /// Takes away everything that a tenant has in the vault, or that anybody has, without opening it: the way out when the key is
    /// lost, or when somebody has worked on the rows. How many secrets are gone.
    pub async fn reset(&self, of: Option<&str>, by: &str) -> Result<usize, Fault> {
        let mut change = self.store.exclusive().await?;
        let find = sqlx::query(
            "SELECT id, purpose, account, provider, version, hint, created_ms, changed_ms, changed_by FROM vault_entry",
        );
        let mut count = 0;
        for row in find.fetch_all(&mut *change).await? {
            let entry = listed(&row)?.filter(|entry| of.is_none_or(|tenant| tenant == entry.slot.tenant()));
            let Some(entry) = entry else { continue };
            sqlx::query("DELETE FROM vault_entry WHERE id = $1").bind(&entry.id).execute(&mut *change).await?;
            self.note(&mut change, by, "reset", &entry.slot, "{}").await?;
            count += 1;
        }
        match of {
            // No generation comes twice, so the copies that somebody may have kept of these rows are older than what comes.
            Some(tenant) => {
                let find = sqlx::query("SELECT marks FROM vault_manifest WHERE tenant = $1").bind(tenant);
                let row = find.fetch_optional(&mut *change).await?;
                let said = row.map(|row| row.try_get::<String, _>("marks")).transpose()?;
                let said = said.and_then(|text| Manifest::read(&text)).unwrap_or_default();
                // Whoever wrote it: a number that leaves room for all that come.
                let generation = said.generation.clamp(0, MOST_CHANGES) + 1;
                let empty = Manifest { generation, marks: Vec::new() };
                write_manifest(&mut change, tenant, &self.ring()?.tag(tenant, &empty)?).await?;
            }
            None => {
                for table in ["DELETE FROM vault_manifest", "DELETE FROM vault_check"] {
                    sqlx::query(table).execute(&mut *change).await?;
                }
                if let Vault::Open(ring) = &*self.vault {
                    let first = ring.first()?;
                    let insert = sqlx::query("INSERT INTO vault_check (key_id, proof) VALUES ($1, $2)");
                    insert.bind(&first.id).bind(first.proof()?).execute(&mut *change).await?;
                }
            }
        }
        change.commit().await?;
        Ok(count)
    }
}
