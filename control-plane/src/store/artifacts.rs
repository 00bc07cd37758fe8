//! Artifacts: the files that tell how hard requests are, and which of them is in use.
//!
//! A source offers one; another one than it offered before is put in use. In between an operator may put another in use, and that holds.
//! Every control plane follows the number of the last change.
//!
//! Limits: the last [`KEPT`] are kept, and always the one in use and those that arms of experiments name.

use std::collections::BTreeSet;

use anyhow::Context;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dragoman_core::artifact::Artifact;
use serde_json::json;
use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::{Change, Store, now_ms};

/// How many artifacts are kept to compare with and to go back to.
pub const KEPT: i64 = 20;

/// Who puts in use what a source offers, in the audit log.
const SOURCE: &str = "source";

/// An artifact that is kept, without its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its SHA-256, in hexadecimal digits.
    pub digest: String,
    /// What its maker calls it.
    pub name: String,
    /// What its maker says of it: a JSON object.
    pub metadata: String,
    /// Where it came from: a source, or `api`.
    pub source: String,
    /// How large the file is.
    pub bytes: i64,
    /// When it came, in milliseconds since 1970.
    pub added_ms: i64,
    /// Who brought it.
    pub added_by: String,
}

/// Which artifact is in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InUse {
    /// Number of the last change of that.
    pub revision: i64,
    /// Its digest; empty when there is none.
    pub digest: String,
    /// Since when, in milliseconds since 1970; 0 when nobody ever said.
    pub since_ms: i64,
    /// Who said so.
    pub used_by: String,
    /// The source that was heard last.
    pub source: String,
    /// What it has that can't be used, and when that was found.
    pub refused: Option<(String, i64)>,
    /// The digest of what it offered last; empty for none.
    offered: String,
}

/// Why nothing was done.
#[derive(Debug)]
pub enum NotDone {
    /// There is no such artifact.
    Missing,
    /// It is in use.
    InUse,
    /// The store failed.
    Failed(anyhow::Error),
}

impl From<anyhow::Error> for NotDone {
    fn from(error: anyhow::Error) -> NotDone {
        NotDone::Failed(error)
    }
}

impl From<sqlx::Error> for NotDone {
    fn from(error: sqlx::Error) -> NotDone {
        NotDone::Failed(error.into())
    }
}

const COLUMNS: &str = "digest, name, metadata, source, bytes, added_ms, added_by";

impl Store {
    /// Keeps an artifact that somebody brought; whether it is a new one. Those whose digests begin as `named` says stay, however old.
    pub async fn keep_artifact(
        &self,
        actor: &str,
        (artifact, file): (&Artifact, &[u8]),
        named: &BTreeSet<String>,
    ) -> anyhow::Result<bool> {
        let mut change = self.exclusive().await?;
        let is_new = self.keep(&mut change, (actor, "api"), (artifact, file), named).await?;
        change.commit().await?;
        Ok(is_new)
    }

    /// Takes what a source has, `None` for no artifact: what it did not offer before is kept and put in use. Whether it was. `named` as
    /// before.
    pub async fn offer_artifact(
        &self,
        source: &str,
        offered: Option<(&Artifact, &[u8])>,
        named: &BTreeSet<String>,
    ) -> anyhow::Result<bool> {
        let mut change = self.exclusive().await?;
        let digest = offered.map_or("", |(artifact, _)| artifact.digest());
        let before = in_use(sqlx::query(USED).fetch_one(&mut *change).await?)?;
        let is_news = (before.source.as_str(), before.offered.as_str()) != (source, digest);
        if is_news {
            if let Some(offered) = offered {
                self.keep(&mut change, (SOURCE, source), offered, named).await?;
            }
            self.put_in_use(&mut change, SOURCE, &before, digest).await?;
        }
        let heard = "UPDATE artifact_use SET source = $1, offered = $2, refused = '', refused_ms = 0";
        sqlx::query(heard).bind(source.to_owned()).bind(digest.to_owned()).execute(&mut *change).await?;
        change.commit().await?;
        Ok(is_news && before.digest != digest)
    }

    /// Notes that what a source has can't be used.
    pub async fn refuse_artifact(&self, why: &str) -> anyhow::Result<()> {
        let mut change = self.exclusive().await?;
        let refuse = sqlx::query("UPDATE artifact_use SET refused = $1, refused_ms = $2");
        refuse.bind(why.to_owned()).bind(now_ms()).execute(&mut *change).await?;
        change.commit().await?;
        Ok(())
    }

    /// Puts one in use that is kept.
    pub async fn use_artifact(&self, actor: &str, digest: &str) -> Result<(), NotDone> {
        let mut change = self.exclusive().await?;
        let find = sqlx::query("SELECT digest FROM artifact WHERE digest = $1").bind(digest.to_owned());
        find.fetch_optional(&mut *change).await?.ok_or(NotDone::Missing)?;
        let before = in_use(sqlx::query(USED).fetch_one(&mut *change).await?)?;
        self.put_in_use(&mut change, actor, &before, digest).await?;
        Ok(change.commit().await?)
    }

    /// Takes one away that is not in use.
    pub async fn remove_artifact(&self, actor: &str, digest: &str) -> Result<(), NotDone> {
        let mut change = self.exclusive().await?;
        if in_use(sqlx::query(USED).fetch_one(&mut *change).await?)?.digest == digest {
            return Err(NotDone::InUse);
        }
        let delete = format!("DELETE FROM artifact WHERE digest = $1 RETURNING {COLUMNS}");
        let delete = sqlx::query(sqlx::AssertSqlSafe(delete)).bind(digest.to_owned());
        let gone = kept(&delete.fetch_optional(&mut *change).await?.ok_or(NotDone::Missing)?)?;
        let before = json!({ "name": gone.name, "source": gone.source, "bytes": gone.bytes }).to_string();
        self.note_in(&mut change, (actor, "delete"), ("artifact", digest), (Some(&before), None)).await?;
        Ok(change.commit().await?)
    }

    /// Those that are kept, the newest first.
    pub async fn artifacts(&self) -> anyhow::Result<Vec<Kept>> {
        let find = format!("SELECT {COLUMNS} FROM artifact ORDER BY added_ms DESC, digest");
        sqlx::query(sqlx::AssertSqlSafe(find)).fetch_all(&self.reader).await?.iter().map(kept).collect()
    }

    /// The file of one.
    pub async fn artifact_file(&self, digest: &str) -> anyhow::Result<Option<Vec<u8>>> {
        let find = sqlx::query("SELECT content FROM artifact WHERE digest = $1").bind(digest.to_owned());
        let row = find.fetch_optional(&self.reader).await?;
        let content: Option<String> = row.map(|row| row.try_get("content")).transpose()?;
        content.map(|content| STANDARD.decode(content).context("a kept artifact is no base64")).transpose()
    }

    /// The digest of the only one that begins so.
    pub async fn artifact_beginning(&self, begins: &str) -> anyhow::Result<Option<String>> {
        let find = sqlx::query("SELECT digest FROM artifact WHERE SUBSTR(digest, 1, $1) = $2 LIMIT 2");
        let find = find.bind(i32::try_from(begins.len())?).bind(begins.to_owned());
        match find.fetch_all(&self.reader).await?.as_slice() {
            [only] => Ok(Some(only.try_get("digest")?)),
            _ => Ok(None),
        }
    }

    /// Which one is in use.
    pub async fn artifact_in_use(&self) -> anyhow::Result<InUse> {
        in_use(sqlx::query(USED).fetch_one(&self.reader).await?)
    }

    async fn keep(
        &self,
        change: &mut Change,
        (actor, source): (&str, &str),
        (artifact, file): (&Artifact, &[u8]),
        named: &BTreeSet<String>,
    ) -> anyhow::Result<bool> {
        let (digest, name, bytes) = (artifact.digest(), artifact.name(), i64::try_from(file.len())?);
        let insert = sqlx::query(
            "INSERT INTO artifact (digest, name, metadata, source, bytes, added_ms, added_by, content) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (digest) DO NOTHING",
        );
        let insert = insert.bind(digest.to_owned()).bind(name.to_owned()).bind(artifact.parts().metadata.clone());
        let insert = insert.bind(source.to_owned()).bind(bytes).bind(now_ms()).bind(actor.to_owned());
        let is_new = insert.bind(STANDARD.encode(file)).execute(&mut **change).await?.rows_affected() > 0;
        if is_new {
            let after = json!({ "name": name, "source": source, "bytes": bytes }).to_string();
            self.note_in(change, (actor, "create"), ("artifact", digest), (None, Some(&after))).await?;
            let old = sqlx::query(
                "SELECT digest FROM artifact WHERE digest NOT IN (SELECT digest FROM artifact_use) AND digest NOT IN \
                 (SELECT digest FROM artifact ORDER BY added_ms DESC, digest LIMIT $1)",
            );
            for row in old.bind(KEPT).fetch_all(&mut **change).await? {
                let digest: String = row.try_get("digest")?;
                if !named.iter().any(|begins| digest.starts_with(begins)) {
                    sqlx::query("DELETE FROM artifact WHERE digest = $1").bind(digest).execute(&mut **change).await?;
                }
            }
        }
        Ok(is_new)
    }

    async fn put_in_use(&self, change: &mut Change, actor: &str, before: &InUse, digest: &str) -> anyhow::Result<()> {
        if before.digest == digest {
            return Ok(());
        }
        let put =
            sqlx::query("UPDATE artifact_use SET revision = revision + 1, digest = $1, since_ms = $2, used_by = $3");
        put.bind(digest.to_owned()).bind(now_ms()).bind(actor.to_owned()).execute(&mut **change).await?;
        let said = |digest: &str| json!({ "in_use": digest }).to_string();
        let id = if digest.is_empty() { "none" } else { digest };
        let (was, is) = (said(&before.digest), said(digest));
        self.note_in(change, (actor, "use"), ("artifact", id), (Some(&was), Some(&is))).await?;
        Ok(())
    }
}

const USED: &str = "SELECT revision, digest, since_ms, used_by, source, offered, refused, refused_ms FROM artifact_use";

fn in_use(row: AnyRow) -> anyhow::Result<InUse> {
    let refused: String = row.try_get("refused")?;
    Ok(InUse {
        revision: row.try_get("revision")?,
        digest: row.try_get("digest")?,
        since_ms: row.try_get("since_ms")?,
        used_by: row.try_get("used_by")?,
        source: row.try_get("source")?,
        refused: if refused.is_empty() { None } else { Some((refused, row.try_get("refused_ms")?)) },
        offered: row.try_get("offered")?,
    })
}

fn kept(row: &AnyRow) -> anyhow::Result<Kept> {
    Ok(Kept {
        digest: row.try_get("digest")?,
        name: row.try_get("name")?,
        metadata: row.try_get("metadata")?,
        source: row.try_get("source")?,
        bytes: row.try_get("bytes")?,
        added_ms: row.try_get("added_ms")?,
        added_by: row.try_get("added_by")?,
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use dragoman_core::artifact::{Head, Parts};

    use super::super::tests::on_both;
    use super::*;

    /// A small artifact of that name, for which every request is cheap from that threshold up to 500, and hard otherwise.
    pub(crate) fn file(name: &str, cheap: u16) -> Vec<u8> {
        let head = |name: &str| Head { name: name.into(), knots: vec![(0.0, 0.5), (1.0, 0.5)], ..Head::default() };
        let metadata = json!({ "metrics": { "apgr": 0.66 }, "seed": 7 }).to_string();
        let heads = vec![head("cheap"), head("mid"), head(name)];
        Parts { name: name.into(), metadata, thresholds: [cheap, 1000], heads, ..Parts::default() }.write()
    }

    pub(crate) fn read(file: &[u8]) -> Artifact {
        Artifact::read(file).unwrap()
    }

    async fn offer(store: &Store, source: &str, file: &[u8]) -> bool {
        store.offer_artifact(source, Some((&read(file), file)), &BTreeSet::new()).await.unwrap()
    }

    #[tokio::test]
    async fn what_a_source_has_anew_is_put_in_use_and_what_an_operator_says_holds_until_then() {
        for fresh in on_both().await {
            let store = fresh.open().await;
            let [one, two] = ["one", "two"].map(|name| file(name, 0));
            let [first, second] = [&one, &two].map(|file| read(file).digest().to_owned());
            let none = store.artifact_in_use().await.unwrap();
            assert_eq!((none.digest.as_str(), none.revision), ("", 0));
            assert!(offer(&store, "a", &one).await);
            assert!(offer(&store, "a", &two).await && !offer(&store, "a", &two).await);
            let used = store.artifact_in_use().await.unwrap();
            assert_eq!((&used.digest, used.revision, &*used.used_by), (&second, 2, "source"));

            store.use_artifact("me", &first).await.unwrap();
            assert!(!offer(&store, "a", &two).await, "it offered that before");
            let used = fresh.open().await.artifact_in_use().await.unwrap();
            assert_eq!((&used.digest, used.revision, &*used.used_by), (&first, 3, "me"));
            assert!(offer(&store, "b", &two).await, "another source has its say");
            assert!(store.offer_artifact("none", None, &BTreeSet::new()).await.unwrap());
            assert_eq!(store.artifact_in_use().await.unwrap().digest, "");
            assert_eq!(store.artifact_file(&first).await.unwrap(), Some(one));

            let log = store.audit(None, 2).await.unwrap();
            let said = |place: usize| (&*log[place].actor, &*log[place].action, &*log[place].kind, &*log[place].id);
            assert_eq!(said(0), ("source", "use", "artifact", "none"));
            assert_eq!(said(1), ("source", "use", "artifact", &*second));
            assert_eq!(log[1].before, Some(json!({ "in_use": first }).to_string()));
        }
    }

    #[tokio::test]
    async fn what_was_refused_is_told_until_something_good_comes() {
        for fresh in on_both().await {
            let store = fresh.open().await;
            let one = file("one", 0);
            assert!(offer(&store, "a", &one).await);
            store.refuse_artifact("tampered").await.unwrap();
            let used = store.artifact_in_use().await.unwrap();
            assert_eq!((used.digest.as_str(), used.refused.unwrap().0), (read(&one).digest(), "tampered".to_owned()));
            assert!(!offer(&store, "a", &one).await);
            assert_eq!(store.artifact_in_use().await.unwrap().refused, None);
        }
    }

    #[tokio::test]
    async fn the_last_are_kept_and_the_one_in_use_can_not_be_taken_away() {
        for fresh in on_both().await {
            let store = fresh.open().await;
            let (first, file_of) = (file("first", 0), |number: i64| file(&format!("a{number}"), 0));
            let digest = read(&first).digest().to_owned();
            let old = file("of-an-arm", 0);
            let of_arm = read(&old).digest().to_owned();
            let named = BTreeSet::from([of_arm[..8].to_owned()]);
            assert!(offer(&store, "a", &old).await && offer(&store, "a", &first).await);
            store.tamper("UPDATE artifact SET added_ms = 0").await;
            for number in 0..KEPT + 2 {
                let file = file_of(number);
                assert!(store.keep_artifact("me", (&read(&file), &file), &named).await.unwrap());
                assert!(
                    !store.keep_artifact("me", (&read(&file), &file), &named).await.unwrap(),
                    "it is there already"
                );
            }
            let begins = async |begins: &str| store.artifact_beginning(begins).await.unwrap();
            assert_eq!(begins(&of_arm[..8]).await.as_ref(), Some(&of_arm), "an arm names it");
            assert_eq!((begins("").await, begins("xyz").await), (None, None), "it is not one alone");
            store.remove_artifact("me", &of_arm).await.unwrap();
            let all = store.artifacts().await.unwrap();
            assert_eq!((all.len(), &all[all.len() - 1].digest), (21, &digest), "it is in use");
            assert!(matches!(store.remove_artifact("me", &digest).await, Err(NotDone::InUse)));
            let last = read(&file_of(KEPT + 1)).digest().to_owned();
            let Kept { name, source, added_by, bytes, .. } = all.iter().find(|one| one.digest == last).unwrap();
            assert_eq!((&**name, &**source, &**added_by), ("a21", "api", "me"));
            assert_eq!(*bytes, i64::try_from(file_of(KEPT + 1).len()).unwrap());
            store.remove_artifact("me", &last).await.unwrap();
            assert!(matches!(store.remove_artifact("me", &last).await, Err(NotDone::Missing)));
            assert!(matches!(store.use_artifact("me", &last).await, Err(NotDone::Missing)));
            assert_eq!(store.artifact_file(&last).await.unwrap(), None);
        }
    }
}
