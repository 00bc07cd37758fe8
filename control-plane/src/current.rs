//! What is served now: one value, replaced as a whole, seen by the filters' streams, by Envoy's and by the admin API.

use std::collections::HashMap;
use std::sync::Arc;

use dragoman_core::snapshot::Snapshot;
use sha2::{Digest, Sha256};
use tokio::sync::watch;

use crate::accounts::Terms;
use crate::catalog::{Catalog, Credential};
use crate::metrics::Known;
use crate::prices::PriceBook;
use crate::publish;
use crate::settings::{File, Limits, terms_of};
use crate::store::{Store, hex, now_ms};

/// A Snapshot with what belongs to it.
#[derive(Clone, Debug)]
pub struct Current {
    /// The Snapshot's version.
    pub version: u64,
    /// The revision of the admin API's rows that it was made of.
    pub revision: u64,
    /// When it was made, in milliseconds since 1970.
    pub made_ms: u64,
    /// The Snapshot's document, as it goes to the filters.
    pub document: Vec<u8>,
    /// The Snapshot itself.
    pub snapshot: Arc<Snapshot>,
    /// Credential id → what authenticates.
    pub credentials: HashMap<String, Credential>,
    /// Who can be asked; Envoy's clusters are made of it.
    pub catalog: Catalog,
    /// The settings that it was made of, the admin API's rows in them.
    pub file: Arc<File>,
    /// Bounds and times; Envoy's listener and routes are made of them.
    pub limits: Limits,
    /// What the operator should know.
    pub warnings: Vec<String>,
    /// How fast providers may be asked, by the holders that their limits have in budgets' ids.
    pub rate_limits: HashMap<String, Terms>,
    /// What everything costs.
    pub prices: Arc<PriceBook>,
    /// The ids that may be labels of metrics.
    pub labels: Arc<Known>,
}

/// Where everybody looks.
pub type Feed = watch::Receiver<Arc<Current>>;

/// A Snapshot that was made and has no number yet.
#[derive(Debug)]
pub struct Made {
    /// The Snapshot, version 0.
    pub snapshot: Snapshot,
    /// Who can be asked.
    pub catalog: Catalog,
    /// The settings.
    pub file: File,
    /// What the operator should know.
    pub warnings: Vec<String>,
    /// When, in milliseconds since 1970: suspensions and prices depend on it.
    pub now_ms: u64,
}

impl Made {
    /// Makes the Snapshot of a catalogue and settings, and checks it with the very code that the filters read it with.
    pub fn of(catalog: Catalog, file: File) -> anyhow::Result<Made> {
        let now_ms = u64::try_from(now_ms()).unwrap_or(0);
        let (snapshot, warnings) = publish::snapshot_at(0, &catalog, &file, now_ms)?;
        let warnings = catalog.warnings.iter().cloned().chain(warnings).collect();
        Ok(Made { snapshot, catalog, file, warnings, now_ms })
    }
}

impl Current {
    /// Numbers and keeps what was made; the store says which version it is.
    pub async fn publish(made: Made, revision: u64, store: &Store) -> anyhow::Result<Current> {
        let Made { mut snapshot, catalog, file, warnings, now_ms } = made;
        let unnumbered = snapshot.write();
        let digest = hex(&Sha256::digest(&unnumbered));
        let text = String::from_utf8(unnumbered)?;
        snapshot.version = store.publish(&digest, &text, revision).await?;
        let credential =
            |row: &crate::catalog::Registered| row.credential.clone().map(|credential| (row.id.clone(), credential));
        Ok(Current {
            version: snapshot.version,
            revision,
            made_ms: now_ms,
            document: snapshot.write(),
            rate_limits: terms_of(catalog.providers.iter().map(|row| (row.id.as_str(), &row.rate_limits[..])))
                .into_iter()
                .collect(),
            prices: Arc::new(PriceBook::of(&catalog, &file)),
            labels: Arc::new(Known::of(&snapshot)),
            snapshot: Arc::new(snapshot),
            credentials: catalog.providers.iter().filter_map(credential).collect(),
            limits: file.limits.clone(),
            file: Arc::new(file),
            warnings,
            catalog,
        })
    }

    /// Ids of the credentials that are another, or gone, since `before`; and `id@` where accounts' own ones are sent in another way
    /// or no longer.
    pub fn renewed_since(&self, before: &Current) -> Vec<String> {
        let other = |(id, credential): (&String, &Credential)| {
            (self.credentials.get(id) != Some(credential)).then(|| id.clone())
        };
        let mut renewed: Vec<String> = before.credentials.iter().filter_map(other).collect();
        let way = |catalog: &Catalog, row: &crate::catalog::Registered| {
            let people = catalog.sign_ins.get(&row.id).is_some_and(|sign_in| sign_in.hindrance().is_none());
            (row.auth.clone(), row.signing.is_some(), people)
        };
        let now: HashMap<&str, _> =
            self.catalog.providers.iter().map(|row| (row.id.as_str(), way(&self.catalog, row))).collect();
        let known = before.catalog.providers.iter();
        let otherwise = known.filter(|row| now.get(row.id.as_str()) != Some(&way(&before.catalog, row)));
        renewed.extend(otherwise.map(|row| format!("{}@", row.id)));
        renewed.sort();
        renewed
    }
}
