//! The artifacts that arms of experiments name: whether they are there, and who names one.

use super::Publication;
use crate::settings::{File, Kind, Problem};
use crate::tuning::shipped_digest;

impl Publication {
    /// What is wrong with those of these experiments that name an artifact which is not kept.
    pub(super) async fn not_kept(&self, file: &File, touched: &[(Kind, String)]) -> anyhow::Result<Vec<Problem>> {
        let mut problems = Vec::new();
        for row in &file.experiments {
            let id = (Kind::Experiment, row.name.value.clone());
            for begins in row.artifacts().filter(|_| touched.contains(&id)) {
                if shipped_digest().starts_with(begins) || self.store.artifact_beginning(begins).await?.is_some() {
                    continue;
                }
                let message = format!(
                    "no artifact that is kept, or not one alone, has a digest that begins with `{begins}`; \
                     `dragoman tuning artifacts list` shows them"
                );
                problems.push(Problem { row: Some(id.clone()), member: Some("arms".to_string()), message });
            }
        }
        Ok(problems)
    }

    /// The settings as the store's rows make them now, served or not yet: who asks them what is named misses nothing that was just
    /// said at another control plane.
    pub async fn said_now(&self) -> anyhow::Result<File> {
        let rows = self.store.rows().await?;
        let said = self.effective.of(&self.file(), &rows, &self.shipped);
        Ok(said.unwrap_or_else(|_| self.current().file.as_ref().clone()))
    }
}
