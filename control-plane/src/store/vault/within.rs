//! Secrets as a part of a larger change, and some that are kept elsewhere for a while.

use std::sync::Arc;

use super::super::pepper::random;
use super::super::{accounts, hex, now_ms};
use super::{Change, Entries, Entry, Fault, Known, find, write_manifest};
use crate::settings::Secret;
use crate::vault::{Bound, Envelope, MAX_MARKS, Slot};

/// How many characters of a secret are kept for people to know it by.
const HINT: usize = 4;
/// A secret that is shorter gives none away.
const SHORTEST_WITH_HINT: usize = 16;

impl Entries {
    /// [`Entries::put`] of an exclusive change: the account is there as long as it has a secret. Whoever commits it
    /// calls [`Entries::saw`] with the manifest.
    pub(in super::super) async fn put_in(
        &self,
        change: &mut Change,
        slot: &Slot,
        secret: &Secret,
        by: &str,
    ) -> Result<(Entry, Arc<Known>), Fault> {
        let ring = self.ring()?;
        if accounts::find(change, &slot.account).await?.is_none() {
            return Err(Fault::NoAccount(slot.account.clone()));
        }
        let mut manifest = self.manifest(change, slot.tenant()).await?.manifest.clone();
        let before = find(change, slot).await?;
        if manifest.find(slot).is_none() && manifest.marks.len() >= MAX_MARKS {
            return Err(Fault::Full);
        }
        let now = now_ms();
        let (id, created_ms) = match before {
            Some(entry) => (entry.id, entry.created_ms),
            None => (format!("vault_{}", hex(&random::<8>()?)), now),
        };
        let version = manifest.change(slot, Some(&id));
        let envelope = ring.seal(Bound { slot, id: &id, version }, secret)?;
        // What is no key itself has no end that people know.
        let hint = if slot.purpose.is_inherited() { hint(secret) } else { String::new() };
        let (slot, changed_by) = (slot.clone(), by.to_string());
        let entry = Entry { id, slot, version, hint, created_ms, changed_ms: now, changed_by };
        write(change, &entry, &envelope).await?;
        let tagged = ring.tag(entry.slot.tenant(), &manifest)?;
        write_manifest(change, entry.slot.tenant(), &tagged).await?;
        Ok((entry, Known::made(manifest, &tagged)))
    }

    /// [`Entries::delete`] of an exclusive change; gives the manifest for [`Entries::saw`], none when there was nothing.
    pub(in super::super) async fn delete_in(
        &self,
        change: &mut Change,
        slot: &Slot,
    ) -> Result<Option<Arc<Known>>, Fault> {
        let ring = self.ring()?;
        let mut manifest = self.manifest(change, slot.tenant()).await?.manifest.clone();
        if find(change, slot).await?.is_none() && manifest.find(slot).is_none() {
            return Ok(None);
        }
        manifest.change(slot, None);
        let delete = sqlx::query("DELETE FROM vault_entry WHERE purpose = $1 AND account = $2 AND provider = $3");
        let delete = delete.bind(slot.purpose.name()).bind(&slot.account).bind(&slot.provider);
        delete.execute(&mut **change).await?;
        let tagged = ring.tag(slot.tenant(), &manifest)?;
        write_manifest(change, slot.tenant(), &tagged).await?;
        Ok(Some(Known::made(manifest, &tagged)))
    }

    /// Seals what is kept for minutes in another table. It is in no manifest: whoever brings an older one back finds it used.
    pub fn seal(&self, bound: Bound<'_>, secret: &Secret) -> Result<Envelope, Fault> {
        Ok(self.ring()?.seal(bound, secret)?)
    }

    /// Opens what [`Entries::seal`] sealed.
    pub fn unseal(&self, bound: Bound<'_>, envelope: &Envelope) -> Result<Secret, Fault> {
        Ok(self.ring()?.open(bound, envelope)?)
    }
}

async fn write(change: &mut Change, entry: &Entry, envelope: &Envelope) -> anyhow::Result<()> {
    let insert = sqlx::query(
        "INSERT INTO vault_entry (id, purpose, account, provider, version, sealed, wrapped, key_id, hint, created_ms, \
         changed_ms, changed_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT (id) DO UPDATE SET \
         version = $5, sealed = $6, wrapped = $7, key_id = $8, hint = $9, changed_ms = $11, changed_by = $12",
    );
    let insert = insert.bind(&entry.id).bind(entry.slot.purpose.name()).bind(&entry.slot.account);
    let insert = insert.bind(&entry.slot.provider).bind(entry.version).bind(&envelope.sealed).bind(&envelope.wrapped);
    let insert = insert.bind(&envelope.key_id).bind(&entry.hint).bind(entry.created_ms).bind(entry.changed_ms);
    insert.bind(&entry.changed_by).execute(&mut **change).await?;
    Ok(())
}

/// The last characters, unless they are much of it.
fn hint(secret: &Secret) -> String {
    let count = secret.expose().chars().count();
    if count < SHORTEST_WITH_HINT { String::new() } else { secret.expose().chars().skip(count - HINT).collect() }
}
