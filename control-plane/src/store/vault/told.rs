//! Which credentials changed, whichever process changed them: the audit log knows.

use sqlx::Row as _;

use super::Store;
use crate::vault::Purpose;

impl Store {
    /// Accounts' own credentials that were put or taken away since then, in milliseconds since 1970, as `provider@account`, each
    /// with its moment.
    pub async fn credentials_changed_since(&self, since_ms: i64) -> anyhow::Result<Vec<(String, i64)>> {
        let find = sqlx::query("SELECT id, at_ms FROM audit WHERE kind = $1 AND at_ms >= $2 ORDER BY revision");
        let rows = find.bind(Purpose::Credential.name()).bind(since_ms).fetch_all(&self.reader).await?;
        let mut changed = Vec::new();
        for row in rows {
            let (id, at_ms): (String, i64) = (row.try_get("id")?, row.try_get("at_ms")?);
            changed.extend(id.split_once('/').map(|(account, provider)| (format!("{provider}@{account}"), at_ms)));
        }
        Ok(changed)
    }
}
