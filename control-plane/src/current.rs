//! What is served now: one value, replaced as a whole, seen by the filters' streams and by Envoy's.

use std::collections::HashMap;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio::sync::watch;

use crate::catalog::Catalog;
use crate::publish;
use crate::settings::{File, Limits, Secret};
use crate::store::{Store, hex};

/// A Snapshot with what belongs to it.
#[derive(Clone, Debug)]
pub struct Current {
    /// The Snapshot's version.
    pub version: u64,
    /// The Snapshot's document, as it goes to the filters.
    pub document: Vec<u8>,
    /// Credential id → the one header.
    pub credentials: HashMap<String, (String, Secret)>,
    /// Who can be asked; Envoy's clusters are made of it.
    pub catalog: Catalog,
    /// Bounds and times; Envoy's listener and routes are made of them.
    pub limits: Limits,
    /// What the operator should know.
    pub warnings: Vec<String>,
}

/// Where everybody looks.
pub type Feed = watch::Receiver<Arc<Current>>;

impl Current {
    /// Makes the value of a catalogue and a settings file; the store says which version it is.
    pub async fn make(catalog: Catalog, file: &File, store: &Store) -> anyhow::Result<Current> {
        let (mut snapshot, warnings) = publish::snapshot(0, &catalog, file)?;
        snapshot.version = store.snapshot_version(&hex(&Sha256::digest(snapshot.write()))).await?;
        let credential =
            |row: &crate::catalog::Registered| row.credential.clone().map(|header| (row.id.clone(), header));
        Ok(Current {
            version: snapshot.version,
            document: snapshot.write(),
            credentials: catalog.providers.iter().filter_map(credential).collect(),
            limits: file.limits.clone(),
            warnings: catalog.warnings.iter().cloned().chain(warnings).collect(),
            catalog,
        })
    }

    /// Ids of the credentials that are another, or gone, since `before`.
    pub fn renewed_since(&self, before: &Current) -> Vec<String> {
        let other =
            |(id, header): (&String, &(String, Secret))| (self.credentials.get(id) != Some(header)).then(|| id.clone());
        let mut renewed: Vec<String> = before.credentials.iter().filter_map(other).collect();
        renewed.sort();
        renewed
    }
}
