//! Which credentials changed, whichever process changed them: the audit log knows.

use sqlx::Row as _;

use super::Entries;
use crate::vault::Purpose;

impl Entries {
    /// The last change of anything; what comes later is asked for by [`Entries::changed_after`].
    pub async fn last_change(&self) -> anyhow::Result<u64> {
        self.store.revision().await
    }

    /// The credentials that were put or taken away after that change, as `provider@account`, and the last change of them.
    pub async fn changed_after(&self, revision: u64) -> anyhow::Result<(u64, Vec<String>)> {
        let find = sqlx::query("SELECT revision, id FROM audit WHERE kind = $1 AND revision > $2 ORDER BY revision");
        let find = find.bind(Purpose::Credential.name()).bind(i64::try_from(revision)?);
        let (mut last, mut changed) = (revision, Vec::new());
        for row in find.fetch_all(&self.store.reader).await? {
            last = u64::try_from(row.try_get::<i64, _>("revision")?)?;
            changed.extend(named(&row.try_get::<String, _>("id")?));
        }
        Ok((last, changed))
    }

    /// Those of the time since then, in milliseconds since 1970.
    pub async fn changed_since(&self, since_ms: i64) -> anyhow::Result<Vec<String>> {
        let find = sqlx::query("SELECT id FROM audit WHERE kind = $1 AND at_ms >= $2");
        let rows = find.bind(Purpose::Credential.name()).bind(since_ms).fetch_all(&self.store.reader).await?;
        let mut changed = Vec::new();
        for row in rows {
            changed.extend(named(&row.try_get::<String, _>("id")?));
        }
        changed.sort();
        changed.dedup();
        Ok(changed)
    }
}

/// `account/provider` of the audit log as the data plane is told it.
fn named(id: &str) -> Option<String> {
    id.split_once('/').map(|(account, provider)| format!("{provider}@{account}"))
}
