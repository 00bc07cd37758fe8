//! What of Grants and of accounts' credentials is old, whichever process changed it: the audit log knows, in the order in which
//! changes hold.

use dragoman_core::admission::KeyDigest;
use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::Store;
use super::keys::Keys;
use crate::vault::Purpose;

/// Most changes told one by one. So many at once are a move or an import, and whoever they are told has forgotten less by
/// forgetting everything than by looking for each.
pub const MOST: u32 = 10_000;

/// A change, by its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stale {
    /// Its number.
    pub revision: u64,
    /// What it is about.
    pub what: What,
}

/// What changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The secret of a key: revoked, ending, or of a key with other Terms.
    Key(KeyDigest),
    /// The Terms of an account.
    Account(String),
    /// An account's own credential for a provider, or its session with one.
    Credential {
        /// Whose.
        account: String,
        /// For which.
        provider: String,
    },
    /// More than anybody lists.
    Everything,
}

impl Store {
    /// The number of the last change of anything.
    pub async fn last_change(&self) -> anyhow::Result<u64> {
        let row = sqlx::query("SELECT COALESCE(MAX(revision), 0) FROM audit").fetch_one(&self.reader).await?;
        Ok(u64::try_from(row.try_get::<i64, _>(0)?)?)
    }

    /// What changed after that number, up to the number `until`.
    pub async fn stale(&self, keys: &Keys, after: u64, until: u64) -> anyhow::Result<Vec<Stale>> {
        let (after, until) = (i64::try_from(after)?, i64::try_from(until)?);
        // A key that is made was known to nobody.
        let find = sqlx::query(
            "SELECT a.revision, a.kind, a.id, s.tag, s.sealed FROM audit AS a \
             LEFT JOIN caller_secret AS s ON a.kind = 'key' AND s.caller = a.id \
             WHERE a.revision > $1 AND a.revision <= $2 AND a.kind IN ('account', 'key', $3, $5) \
             AND NOT (a.kind = 'key' AND a.action = 'create') ORDER BY a.revision LIMIT $4",
        );
        let find = find.bind(after).bind(until).bind(Purpose::Credential.name());
        let find = find.bind(i64::from(MOST) + 1).bind(Purpose::Session.name());
        let rows = find.fetch_all(&self.reader).await?;
        if rows.len() > MOST as usize {
            return Ok(vec![Stale { revision: u64::try_from(until)?, what: What::Everything }]);
        }
        rows.iter().filter_map(|row| stale(keys, row).transpose()).collect()
    }
}

fn stale(keys: &Keys, row: &AnyRow) -> anyhow::Result<Option<Stale>> {
    let revision = u64::try_from(row.try_get::<i64, _>("revision")?)?;
    let (kind, id): (String, String) = (row.try_get("kind")?, row.try_get("id")?);
    let what = match kind.as_str() {
        "key" => keys.digest(row)?.map(What::Key),
        "account" => Some(What::Account(id)),
        _ => id.split_once('/').map(|(account, provider)| What::Credential {
            account: account.to_string(),
            provider: provider.to_string(),
        }),
    };
    Ok(what.map(|what| Stale { revision, what }))
}

#[cfg(test)]
mod tests {
    use dragoman_core::admission::digest;

    use super::super::keys::NewKey;
    use super::super::pepper::Pepper;
    use super::super::rows::Condition;
    use super::super::tests::on_both;
    use super::*;
    use crate::accounts::{AccountId, AccountKind, Terms};

    #[tokio::test]
    async fn every_change_is_told_by_its_number_and_what_nobody_knew_is_not() {
        for fresh in on_both().await {
            let store = fresh.open().await;
            let keys = Keys::of(&store, Pepper::of(&store).await.unwrap());
            let all = async |after| store.stale(&keys, after, store.last_change().await.unwrap()).await.unwrap();
            let made = keys.create("me", &NewKey::default()).await.unwrap();
            let key = What::Key(digest(made.key.expose().as_bytes()));
            assert_eq!(all(0).await, []);
            let acme = AccountId::read("acme").unwrap();
            store.put_account("me", &acme, AccountKind::Tenant, &Terms::default(), Condition::None).await.unwrap();
            keys.revoke("me", &made.id).await.unwrap();
            store.note("me", "put", "credential", "acme/corp", "{}").await.unwrap();
            store.note("me", "sign out", "session", "acme/corp", "{}").await.unwrap();
            let own = What::Credential { account: "acme".into(), provider: "corp".into() };
            let told = [(2, What::Account("acme".into())), (3, key), (4, own.clone()), (5, own)];
            let told = told.map(|(revision, what)| Stale { revision, what });
            assert_eq!((all(0).await.as_slice(), all(2).await.as_slice()), (&told[..], &told[1..]));
            assert_eq!(store.stale(&keys, 0, 2).await.unwrap(), told[..1]);
        }
    }

    #[tokio::test]
    async fn more_than_anybody_lists_is_everything() {
        let fresh = &on_both().await[0];
        let store = fresh.open().await;
        let keys = Keys::of(&store, Pepper::of(&store).await.unwrap());
        let many = format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i <= {MOST}) \
             INSERT INTO audit (revision, at_ms, actor, action, kind, id) SELECT i, 0, '', 'put', 'account', 'a' || i FROM n"
        );
        sqlx::query(sqlx::AssertSqlSafe(many)).execute(&store.writer).await.unwrap();
        let last = store.last_change().await.unwrap();
        assert_eq!(last, u64::from(MOST) + 1);
        let everything = Stale { revision: last, what: What::Everything };
        assert_eq!(store.stale(&keys, 0, last).await.unwrap(), [everything]);
        assert_eq!(store.stale(&keys, 1, last).await.unwrap().len(), MOST as usize);
    }
}
