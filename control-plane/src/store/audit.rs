//! The audit log: who changed what, before and after; and what the rows were at an earlier revision.

use std::collections::BTreeMap;

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::rows::{Condition, Edit};
use super::{Change, Store, optional};
use crate::settings::Kind;

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number; the rows' revision after it.
    pub revision: u64,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// Who: a token's id and name, or a process.
    pub actor: String,
    /// How: `put`, `delete`, `apply`, `roll back`.
    pub action: String,
    /// What kind of row.
    pub kind: String,
    /// Which one.
    pub id: String,
    /// What it said; `None` when it was not there.
    pub before: Option<String>,
    /// What it says; `None` when it is gone.
    pub after: Option<String>,
}

impl Store {
    /// Notes a change of what is no row: a key or a token, made or revoked. `after` says what it is, never the secret.
    pub async fn note(&self, actor: &str, action: &str, kind: &str, id: &str, after: &str) -> anyhow::Result<()> {
        let mut change = self.exclusive().await?;
        self.note_in(&mut change, (actor, action), (kind, id), (None, Some(after))).await?;
        change.commit().await?;
        Ok(())
    }

    /// [`Store::note`] of what an exclusive change does besides; gives the revision.
    pub(super) async fn note_in(
        &self,
        change: &mut Change,
        (actor, action): (&str, &str),
        (kind, id): (&str, &str),
        (before, after): (Option<&str>, Option<&str>),
    ) -> anyhow::Result<i64> {
        let insert = sqlx::query(
            "INSERT INTO audit (revision, at_ms, actor, action, kind, id, before, after) \
             SELECT COALESCE(MAX(revision), 0) + 1, $1, $2, $3, $4, $5, $6, $7 FROM audit RETURNING revision",
        );
        let insert = insert.bind(super::now_ms()).bind(actor).bind(action).bind(kind).bind(id);
        let insert = insert.bind(before.map(str::to_string)).bind(after.map(str::to_string));
        let revision = insert.fetch_one(&mut **change).await?.try_get(0)?;
        self.engine.tell(change).await?;
        Ok(revision)
    }

    /// The changes before revision `before` (`None`: up to the last), the newest first.
    pub async fn audit(&self, before: Option<u64>, limit: u32) -> anyhow::Result<Vec<Entry>> {
        let find = sqlx::query(
            "SELECT revision, at_ms, actor, action, kind, id, before, after FROM audit WHERE revision < $1 \
             ORDER BY revision DESC LIMIT $2",
        );
        let before = before.and_then(|revision| i64::try_from(revision).ok()).unwrap_or(i64::MAX);
        let rows = find.bind(before).bind(i64::from(limit)).fetch_all(&self.reader).await?;
        rows.iter().map(entry).collect()
    }

    /// The edits that make the rows what they were at `revision`.
    pub async fn edits_back_to(&self, revision: u64) -> anyhow::Result<Vec<Edit>> {
        let find = sqlx::query("SELECT kind, id, before FROM audit WHERE revision > $1 ORDER BY revision DESC");
        let rows = find.bind(i64::try_from(revision)?).fetch_all(&self.reader).await?;
        let mut first: BTreeMap<(Kind, String), Option<String>> = BTreeMap::new();
        // The oldest change after that revision comes last, and knows what the row said then.
        for row in &rows {
            let Some(kind) = Kind::named(&row.try_get::<String, _>("kind")?) else { continue };
            first.insert((kind, row.try_get("id")?), optional(row, "before")?);
        }
        let now = self.rows().await?;
        let edit = |((kind, id), to): ((Kind, String), Option<String>)| {
            let there = now.find(kind, &id).is_some();
            (there || to.is_some()).then_some(Edit { kind, id, to, condition: Condition::None })
        };
        Ok(first.into_iter().filter_map(edit).collect())
    }
}

fn entry(row: &AnyRow) -> anyhow::Result<Entry> {
    Ok(Entry {
        revision: u64::try_from(row.try_get::<i64, _>("revision")?)?,
        at_ms: row.try_get("at_ms")?,
        actor: row.try_get("actor")?,
        action: row.try_get("action")?,
        kind: row.try_get("kind")?,
        id: row.try_get("id")?,
        before: optional(row, "before")?,
        after: optional(row, "after")?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::rows::Rows;
    use super::super::tests::on_both;
    use super::*;

    #[tokio::test]
    async fn what_is_no_row_is_noted_and_never_taken_back() {
        for fresh in on_both().await {
            let store = fresh.open().await;
            store.note("me", "create", "key", "key_1", "{\"name\":\"x\"}").await.unwrap();
            let log = store.audit(None, 9).await.unwrap();
            let entry = log.first().map(|entry| (entry.revision, entry.kind.as_str(), entry.id.as_str()));
            assert_eq!(entry, Some((1, "key", "key_1")));
            assert_eq!(store.edits_back_to(0).await.unwrap(), []);
            assert_eq!(store.rows().await.unwrap().revision, 0, "no Snapshot is made of it");
        }
    }

    #[tokio::test]
    async fn an_earlier_revision_comes_back_whatever_happened_since() {
        for fresh in on_both().await {
            let store = fresh.open().await;
            let edit = |id: &str, to: Option<&str>| Edit {
                kind: Kind::Route,
                id: id.into(),
                to: to.map(str::to_string),
                condition: Condition::None,
            };
            let good = |_: &Rows| Ok::<(), String>(());
            for (id, to) in
                [("a", Some("1")), ("b", Some("1")), ("a", Some("2")), ("b", None), ("c", Some("1")), ("b", Some("3"))]
            {
                store.edit("me", "put", &[edit(id, to)], good).await.unwrap();
            }
            let back = store.edits_back_to(2).await.unwrap();
            store.edit("me", "roll back", &back, good).await.unwrap();
            let rows = store.rows().await.unwrap();
            let said: Vec<(&str, &str)> =
                rows.list.iter().map(|row| (row.id.as_str(), row.document.as_str())).collect();
            assert_eq!(said, [("a", "1"), ("b", "1")]);
            let log = store.audit(None, 2).await.unwrap();
            assert_eq!((log[0].action.as_str(), log[0].actor.as_str()), ("roll back", "me"));
            let older = store.audit(Some(2), 9).await.unwrap();
            assert_eq!(older.iter().map(|entry| entry.revision).collect::<Vec<_>>(), [1]);
        }
    }
}
