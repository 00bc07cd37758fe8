//! Rows that operators said through the admin API, and the one way to change them.
//!
//! ```text
//! edit ─▶ exclusive ─▶ conditions hold? ─▶ the check accepts the whole? ─▶ rows + audit written ─▶ told to all
//!                           └ no: nothing is written, and the caller learns why
//! ```
//!
//! Why so: a row is never good or bad alone. The check sees all rows as they would be, and nobody changes them meanwhile.

use std::collections::HashMap;
use std::fmt;

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::{Change, Store, now_ms, optional};
use crate::settings::Kind;

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What it is about.
    pub kind: Kind,
    /// Its name among its kind.
    pub id: String,
    /// What it says: a JSON object in the words of dragoman.toml.
    pub document: String,
    /// The change that made it what it is.
    pub revision: u64,
    /// When that was, in milliseconds since 1970.
    pub changed_ms: i64,
    /// Who did it.
    pub changed_by: String,
}

/// All rows as of one revision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// The last change; 0 before the first.
    pub revision: u64,
    /// The rows, ordered by kind and id.
    pub list: Vec<Row>,
}

impl Rows {
    /// The row of that kind and id.
    pub fn find(&self, kind: Kind, id: &str) -> Option<&Row> {
        self.list.iter().find(|row| row.kind == kind && row.id == id)
    }

    /// The rows as they would be after these edits.
    pub fn with(self, edits: &[Edit]) -> Rows {
        let mut editing = Editing::of(self);
        edits.iter().for_each(|edit| editing.apply(edit, ""));
        editing.into_rows()
    }

    /// Whether the other rows say the same, whoever said it and when.
    pub fn say_the_same_as(&self, other: &Rows) -> bool {
        let said = |rows: &Rows| -> std::collections::BTreeMap<(Kind, String), String> {
            rows.list.iter().map(|row| ((row.kind, row.id.clone()), row.document.clone())).collect()
        };
        self.list.len() == other.list.len() && said(self) == said(other)
    }
}

/// What must hold for an edit to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Nothing.
    None,
    /// The row is not there (`If-None-Match: *`).
    Absent,
    /// The row is there, whatever it says (`If-Match: *`).
    Present,
    /// The row is as this revision left it (`If-Match: "7"`).
    Unchanged(u64),
}

impl Condition {
    fn holds(self, row: Option<&Row>) -> bool {
        self.holds_for(row.map(|row| row.revision))
    }

    /// Whether it holds for what is at that revision, or not there.
    pub(super) fn holds_for(self, known: Option<u64>) -> bool {
        match self {
            Condition::None => true,
            Condition::Absent => known.is_none(),
            Condition::Present => known.is_some(),
            Condition::Unchanged(revision) => known == Some(revision),
        }
    }
}

/// A change of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// What it is about.
    pub kind: Kind,
    /// Which one.
    pub id: String,
    /// What it shall say; `None` takes it away.
    pub to: Option<String>,
    /// What must hold before.
    pub condition: Condition,
}

/// Why nothing was changed.
#[derive(Debug)]
pub enum NotEdited<E> {
    /// The condition of an edit does not hold: somebody else was faster.
    Condition(Edit),
    /// There is no such row to take away.
    Missing(Edit),
    /// The check refused the whole.
    Refused(E),
    /// The store failed.
    Failed(anyhow::Error),
}

impl<E> From<anyhow::Error> for NotEdited<E> {
    fn from(error: anyhow::Error) -> Self {
        NotEdited::Failed(error)
    }
}

impl<E> From<sqlx::Error> for NotEdited<E> {
    fn from(error: sqlx::Error) -> Self {
        NotEdited::Failed(error.into())
    }
}

impl<E: fmt::Display> fmt::Display for NotEdited<E> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotEdited::Condition(edit) => write!(out, "{} {} was changed by somebody else", edit.kind.name(), edit.id),
            NotEdited::Missing(edit) => write!(out, "there is no {} {}", edit.kind.name(), edit.id),
            NotEdited::Refused(error) => error.fmt(out),
            NotEdited::Failed(error) => write!(out, "{error:#}"),
        }
    }
}

/// The last change that a Snapshot is made of; callers, accounts and secrets are told otherwise.
const LATEST: &str = "SELECT COALESCE(MAX(revision), 0) AS latest FROM audit WHERE kind NOT IN ('account', 'key', 'token', 'credential')";

/// All rows and their last revision in one statement: two could see two states.
fn all() -> sqlx::AssertSqlSafe<String> {
    let columns = "r.kind, r.id, r.document, r.revision, r.changed_ms, r.changed_by, l.latest";
    let joined = format!("({LATEST}) l LEFT JOIN setting_row r ON 1 = 1");
    sqlx::AssertSqlSafe(format!("SELECT {columns} FROM {joined} ORDER BY r.kind, r.id"))
}

impl Store {
    /// All rows.
    pub async fn rows(&self) -> anyhow::Result<Rows> {
        read(sqlx::query(all()).fetch_all(&self.reader).await?)
    }

    /// The revision of the last change that a Snapshot is made of.
    pub async fn revision(&self) -> anyhow::Result<u64> {
        let row = sqlx::query(LATEST).fetch_one(&self.reader).await?;
        Ok(u64::try_from(row.try_get::<i64, _>(0)?)?)
    }

    /// Makes the edits, all or none, if `check` accepts all rows as they would be; gives the rows as they are then. Edits that
    /// change nothing are left out, and leave no trace in the audit log.
    pub async fn edit<E>(
        &self,
        actor: &str,
        action: &str,
        edits: &[Edit],
        check: impl FnOnce(&Rows) -> Result<(), E>,
    ) -> Result<Rows, NotEdited<E>> {
        let mut change = self.exclusive().await?;
        let mut editing = Editing::of(read(sqlx::query(all()).fetch_all(&mut *change).await?)?);
        let last = sqlx::query("SELECT COALESCE(MAX(revision), 0) FROM audit").fetch_one(&mut *change).await?;
        editing.last = u64::try_from(last.try_get::<i64, _>(0)?).unwrap_or(0);
        let mut made = Vec::new();
        for edit in edits {
            let known = editing.find(edit.kind, &edit.id);
            if !edit.condition.holds(known) {
                return Err(NotEdited::Condition(edit.clone()));
            }
            if known.is_none() && edit.to.is_none() {
                return Err(NotEdited::Missing(edit.clone()));
            }
            let before = known.map(|row| row.document.clone());
            if before != edit.to {
                editing.apply(edit, actor);
                made.push((editing.revision, edit, before));
            }
        }
        let after = editing.into_rows();
        check(&after).map_err(NotEdited::Refused)?;
        for (revision, edit, before) in &made {
            write(&mut change, *revision, edit, actor).await?;
            note(&mut change, *revision, (actor, action), edit, before.as_deref()).await?;
        }
        if !made.is_empty() {
            self.engine.tell(&mut change).await?;
        }
        change.commit().await?;
        Ok(after)
    }
}

/// Rows while they are edited: each is found at once, however many there are.
struct Editing {
    revision: u64,
    /// The last number that was given to any change.
    last: u64,
    rows: Vec<Option<Row>>,
    place: HashMap<(Kind, String), usize>,
}

impl Editing {
    fn of(rows: Rows) -> Editing {
        let place = rows.list.iter().enumerate().map(|(at, row)| ((row.kind, row.id.clone()), at)).collect();
        Editing { revision: rows.revision, last: rows.revision, rows: rows.list.into_iter().map(Some).collect(), place }
    }

    fn find(&self, kind: Kind, id: &str) -> Option<&Row> {
        self.rows.get(*self.place.get(&(kind, id.to_string()))?)?.as_ref()
    }

    fn apply(&mut self, edit: &Edit, actor: &str) {
        self.last += 1;
        self.revision = self.last;
        let row = edit.to.as_ref().map(|document| Row {
            kind: edit.kind,
            id: edit.id.clone(),
            document: document.clone(),
            revision: self.revision,
            changed_ms: now_ms(),
            changed_by: actor.to_string(),
        });
        let at = *self.place.entry((edit.kind, edit.id.clone())).or_insert(self.rows.len());
        match self.rows.get_mut(at) {
            Some(place) => *place = row,
            None => self.rows.push(row),
        }
    }

    fn into_rows(self) -> Rows {
        let mut list: Vec<Row> = self.rows.into_iter().flatten().collect();
        in_order(&mut list);
        Rows { revision: self.revision, list }
    }
}

async fn write(change: &mut Change, revision: u64, edit: &Edit, actor: &str) -> anyhow::Result<()> {
    let Some(document) = &edit.to else {
        let delete = sqlx::query("DELETE FROM setting_row WHERE kind = $1 AND id = $2");
        delete.bind(edit.kind.name()).bind(&edit.id).execute(&mut **change).await?;
        return Ok(());
    };
    let insert = sqlx::query(
        "INSERT INTO setting_row (kind, id, document, revision, changed_ms, changed_by) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (kind, id) DO UPDATE SET document = excluded.document, revision = excluded.revision, \
         changed_ms = excluded.changed_ms, changed_by = excluded.changed_by",
    );
    let insert = insert.bind(edit.kind.name()).bind(&edit.id).bind(document).bind(i64::try_from(revision)?);
    insert.bind(now_ms()).bind(actor).execute(&mut **change).await?;
    Ok(())
}

async fn note(
    change: &mut Change,
    revision: u64,
    (actor, action): (&str, &str),
    edit: &Edit,
    before: Option<&str>,
) -> anyhow::Result<()> {
    let insert = sqlx::query(
        "INSERT INTO audit (revision, at_ms, actor, action, kind, id, before, after) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    );
    let insert = insert.bind(i64::try_from(revision)?).bind(now_ms()).bind(actor).bind(action);
    let insert = insert.bind(edit.kind.name()).bind(&edit.id).bind(before.map(str::to_string)).bind(edit.to.clone());
    insert.execute(&mut **change).await?;
    Ok(())
}

fn read(found: Vec<AnyRow>) -> anyhow::Result<Rows> {
    let mut rows = Rows::default();
    for row in &found {
        rows.revision = u64::try_from(row.try_get::<i64, _>("latest")?)?;
        let Some(kind) = optional::<String>(row, "kind")?.and_then(|name| Kind::named(&name)) else { continue };
        rows.list.push(Row {
            kind,
            id: row.try_get("id")?,
            document: row.try_get("document")?,
            revision: u64::try_from(row.try_get::<i64, _>("revision")?)?,
            changed_ms: row.try_get("changed_ms")?,
            changed_by: row.try_get("changed_by")?,
        });
    }
    in_order(&mut rows.list);
    Ok(rows)
}

/// The order of rows is that of a Snapshot, which is told from others by its content: it must not depend on who changed what
/// last, nor on how a database compares words.
fn in_order(list: &mut [Row]) {
    list.sort_by(|one, two| (one.kind.name(), &one.id).cmp(&(two.kind.name(), &two.id)));
}

#[cfg(test)]
mod tests {
    use super::super::tests::on_both;
    use super::*;

    fn put(id: &str, to: &str, condition: Condition) -> Edit {
        Edit { kind: Kind::Model, id: id.into(), to: Some(to.into()), condition }
    }

    fn good(_: &Rows) -> Result<(), String> {
        Ok(())
    }

    #[tokio::test]
    async fn rows_are_changed_together_or_not_at_all() {
        for fresh in on_both().await {
            let store = fresh.open().await;
            let edits = [put("a", "1", Condition::Absent), put("b", "2", Condition::None)];
            assert_eq!(store.edit("me", "put", &edits, good).await.unwrap().revision, 2);
            // The second edit's condition does not hold, so the first is not made either.
            let edits = [put("a", "9", Condition::Unchanged(1)), put("b", "9", Condition::Absent)];
            assert!(matches!(store.edit("me", "put", &edits, good).await, Err(NotEdited::Condition(_))));
            let refuse = |rows: &Rows| Err::<(), _>(rows.list.len());
            let one = [put("c", "3", Condition::None)];
            assert!(matches!(store.edit("me", "put", &one, refuse).await, Err(NotEdited::Refused(3))));
            let rows = fresh.open().await.rows().await.unwrap();
            let said: Vec<(&str, &str)> =
                rows.list.iter().map(|row| (row.id.as_str(), row.document.as_str())).collect();
            assert_eq!((rows.revision, said), (2, vec![("a", "1"), ("b", "2")]));
        }
    }

    #[tokio::test]
    async fn rows_are_in_the_same_order_before_they_are_stored_and_after() {
        for fresh in on_both().await {
            let store = fresh.open().await;
            store.edit("me", "put", &[put("a-2", "1", Condition::None)], good).await.unwrap();
            let edits =
                [put("b", "1", Condition::None), put("a-10", "1", Condition::None), put("A", "1", Condition::None)];
            let ids = |rows: &Rows| rows.list.iter().map(|row| row.id.clone()).collect::<Vec<_>>();
            let tried = store.rows().await.unwrap().with(&edits);
            let made = store.edit("me", "put", &edits, good).await.unwrap();
            assert_eq!(ids(&tried), ["A", "a-10", "a-2", "b"]);
            assert_eq!((ids(&made), ids(&store.rows().await.unwrap())), (ids(&tried), ids(&tried)));
        }
    }

    #[tokio::test]
    async fn what_changes_nothing_is_no_change_and_what_is_not_there_is_not_taken_away() {
        for fresh in on_both().await {
            let store = fresh.open().await;
            store.edit("me", "put", &[put("a", "1", Condition::None)], good).await.unwrap();
            assert_eq!(store.edit("me", "put", &[put("a", "1", Condition::Present)], good).await.unwrap().revision, 1);
            let delete = |id: &str| Edit { to: None, ..put(id, "", Condition::None) };
            assert!(matches!(store.edit("me", "d", &[delete("z")], good).await, Err(NotEdited::Missing(_))));
            let rows = store.edit("me", "d", &[delete("a")], good).await.unwrap();
            assert_eq!((rows.revision, rows.list.len()), (2, 0));
        }
    }

    #[tokio::test]
    async fn what_is_no_row_takes_numbers_and_changes_no_revision() {
        for fresh in on_both().await {
            let store = fresh.open().await;
            store.edit("me", "put", &[put("a", "1", Condition::None)], good).await.unwrap();
            store.note("me", "create", "key", "key_1", "{}").await.unwrap();
            assert_eq!((store.rows().await.unwrap().revision, store.revision().await.unwrap()), (1, 1));
            assert_eq!(store.edit("me", "put", &[put("a", "1", Condition::None)], good).await.unwrap().revision, 1);
            let edited = store.edit("me", "put", &[put("b", "1", Condition::None)], good).await.unwrap();
            assert_eq!((edited.revision, store.revision().await.unwrap()), (3, 3));
        }
    }

    #[tokio::test]
    async fn of_many_who_change_the_same_row_at_once_one_wins() {
        for fresh in on_both().await {
            let mut tasks = tokio::task::JoinSet::new();
            fresh.open().await.edit("me", "put", &[put("a", "0", Condition::None)], good).await.unwrap();
            for number in 0..8 {
                let store = fresh.open().await;
                tasks.spawn(async move {
                    let edit = [put("a", &format!("by {number}"), Condition::Unchanged(1))];
                    store.edit("me", "put", &edit, good).await.is_ok()
                });
            }
            let won = tasks.join_all().await.into_iter().filter(|won| *won).count();
            assert_eq!(won, 1);
        }
    }
}
