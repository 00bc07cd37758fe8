//! Opens the vault: with the environment's keys or the file's, which must be those that the rows were made with.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use anyhow::Context;
use sqlx::Row as _;
use zeroize::Zeroizing;

use super::super::pepper::made_once;
use super::{Change, Entries, Store};
use crate::run::environment;
use crate::vault::{Ring, VARIABLE, Vault};

/// The keys' file in the data directory, in the words of the variable; beside the pepper.
pub const FILE: &str = "vault.key";

impl Entries {
    /// The vault of a store, with the keys of the environment or else of the file, which is made at the first time. An error is the
    /// store's; with wrong keys the vault is sealed, and everything else goes on.
    pub async fn of(store: &Store) -> anyhow::Result<Entries> {
        Entries::with(store, environment(VARIABLE).map(Zeroizing::new)).await
    }

    /// The same with what the variable says.
    pub(super) async fn with(store: &Store, variable: Option<Zeroizing<String>>) -> anyhow::Result<Entries> {
        let mut change = store.exclusive().await?;
        let proofs = proofs(&mut change).await?;
        let text = variable.filter(|text| !text.trim().is_empty());
        let opened = match text.map_or_else(|| file(store, proofs.is_empty()), Ok) {
            Ok(text) => Ring::read(&text).map_err(|why| format!("{VARIABLE} or the file `{FILE}`: {why:#}")),
            Err(why) => Err(why),
        };
        let opened = match opened {
            Ok(ring) => fits(&mut change, &proofs, &ring).await?.map_or(Ok(ring), Err),
            Err(why) => Err(why),
        };
        let vault = match opened {
            Ok(ring) => {
                let first = ring.first()?;
                let insert = "INSERT INTO vault_check (key_id, proof) VALUES ($1, $2) ON CONFLICT (key_id) DO NOTHING";
                sqlx::query(insert).bind(&first.id).bind(first.proof()?).execute(&mut *change).await?;
                Vault::Open(ring)
            }
            Err(why) => Vault::Sealed(why),
        };
        change.commit().await?;
        Ok(Entries { store: store.clone(), vault: Arc::new(vault), manifests: Arc::default() })
    }
}

/// What shows which keys the store knows, by their ids.
async fn proofs(change: &mut Change) -> anyhow::Result<HashMap<String, String>> {
    let rows = sqlx::query("SELECT key_id, proof FROM vault_check").fetch_all(&mut **change).await?;
    rows.iter().map(|row| Ok((row.try_get("key_id")?, row.try_get("proof")?))).collect()
}

/// The file's keys. It is made only where nothing was sealed yet: what was can't be opened with a fresh one.
fn file(store: &Store, fresh: bool) -> Result<Zeroizing<String>, String> {
    let path = store.directory().join(FILE);
    if !fresh && !path.exists() {
        return Err(format!(
            "its key is not here; give {VARIABLE} as the control plane has it that made the vault, or its file `{FILE}`, and \
             start again"
        ));
    }
    let read = made_once(&path).with_context(|| format!("the vault's key {}", path.display()));
    read.map(Zeroizing::new).map_err(|why| format!("{why:#}"))
}

/// Why these are not the keys of what is kept; `None` when they are.
async fn fits(change: &mut Change, proofs: &HashMap<String, String>, ring: &Ring) -> anyhow::Result<Option<String>> {
    let mut known = 0;
    for key in ring.keys() {
        match proofs.get(&key.id) {
            Some(proof) if *proof == key.proof()? => known += 1,
            Some(_) => {
                return Ok(Some(format!(
                    "its key `{0}` is another one than that with which it was made; give the right one as {VARIABLE} or in the \
                     file `{FILE}`, and start again",
                    key.id
                )));
            }
            None => {}
        }
    }
    let used = "SELECT key_id FROM vault_entry UNION SELECT key_id FROM vault_manifest";
    let rows = sqlx::query(used).fetch_all(&mut **change).await?;
    let used: HashSet<String> = rows.iter().map(|row| row.try_get("key_id")).collect::<Result<_, _>>()?;
    let mut missing: Vec<&str> = used.iter().map(String::as_str).filter(|id| ring.find(id).is_none()).collect();
    missing.sort_unstable();
    if known == 0 && !proofs.is_empty() || !missing.is_empty() {
        let mut names: Vec<&str> = proofs.keys().map(String::as_str).collect();
        names.sort_unstable();
        let names = if missing.is_empty() { names } else { missing }.join("`, `");
        return Ok(Some(format!(
            "it was made with the key `{names}`, which is not here; give it as {VARIABLE} or in the file `{FILE}`, behind a newer \
             one if there is one (`new:…,old:…`), and start again"
        )));
    }
    Ok(None)
}
