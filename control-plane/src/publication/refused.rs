//! Envoy refused its configuration: the rows that led to it are taken back.

use tracing::error;

use super::Publication;
use crate::store::rows::Rows;

impl Publication {
    /// Takes a refusal of Envoy's. The Snapshot is marked; if it came from rows of the admin API, they become again what they
    /// were before, and that is served; if from the file, the operator is told, for the file is theirs.
    pub async fn refused(&self, why: &str) {
        let current = self.current();
        error!(version = current.version, "ALERT: Envoy refused its configuration: {why}");
        let taken_back = async {
            let previous = self.feeds.previous();
            // Envoy says no for each resource, and again. What was served before a revert is what was refused: to go back to
            // that for an echo would serve it anew.
            if let Some(before) = &previous
                && self.store.version(before.version).await?.is_some_and(|(version, _)| version.rejected.is_some())
            {
                return anyhow::Ok(false);
            }
            self.store.reject(current.version, why).await?;
            let Some(previous) = previous.filter(|before| before.revision < current.revision) else {
                return anyhow::Ok(false);
            };
            let edits = self.store.edits_back_to(previous.revision).await?;
            let check = |rows: &Rows| self.check(rows, &[]).map(|_| ());
            let action = format!("revert: Envoy refused Snapshot {}", current.version);
            let edited = self.store.edit("dragoman", &action, &edits, check).await;
            edited.map_err(|error| match error {
                crate::store::rows::NotEdited::Failed(error) => error,
                _ => anyhow::anyhow!("the rows of before can't be served any more"),
            })?;
            self.refresh().await?;
            Ok(true)
        };
        match taken_back.await {
            Ok(true) => error!("the rows that led to it were taken back; see the audit log"),
            Ok(false) => error!(
                "no rows are taken back: it came from the settings file or the catalogue (mend it there), or was told before"
            ),
            Err(error) => error!("the rows that led to it can't be taken back: {error:#}"),
        }
    }
}
