//! What outlives the process: keys, Records, the Snapshot's version. One SQLite file in the data directory.
//!
//! One connection writes, with `synchronous = FULL`: what was acknowledged survives a power cut. Others read beside it
//! (WAL). All SQL of the control plane stands here and below, in words that PostgreSQL understands as well.
//!
//! Limits: one machine; a busy writer is waited for five seconds.

pub mod keys;
pub mod records;
pub mod versions;

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Executor, Row};

/// Older ones may lose a commit: SQLite's WAL-reset bug, mended in this version.
const OLDEST_SQLITE: (u32, u32, u32) = (3, 51, 3);

/// How long a writer waits for another process, for instance `dragoman key create` beside a running server.
const BUSY: Duration = Duration::from_secs(5);

/// Readers besides the writer: the server's own and one for a human.
const READERS: u32 = 2;

/// Every change of the tables, in order; a number is never used twice.
const MIGRATIONS: [(i64, &str); 1] = [(1, include_str!("../migrations/0001_begin.sql"))];

/// The open store.
#[derive(Clone, Debug)]
pub struct Store {
    writer: SqlitePool,
    reader: SqlitePool,
    directory: PathBuf,
}

impl Store {
    /// Opens the store in `directory`, made if it is not there; brings the tables up to date.
    pub async fn open(directory: &Path) -> anyhow::Result<Store> {
        make_private(directory)?;
        let file = directory.join("dragoman.sqlite");
        let options = SqliteConnectOptions::new()
            .filename(&file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY)
            .disable_statement_logging();
        let writer = SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await;
        let writer = writer.with_context(|| format!("the store {} does not open", file.display()))?;
        check_version(&writer).await?;
        migrate(&writer)
            .await
            .with_context(|| format!("the tables of {} can't be brought up to date", file.display()))?;
        let reader = SqlitePoolOptions::new().max_connections(READERS).connect_with(options.read_only(true)).await?;
        Ok(Store { writer, reader, directory: directory.to_path_buf() })
    }

    /// The data directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }
}

/// Keys and Records are nobody else's business.
fn make_private(directory: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    if directory.is_dir() {
        return Ok(());
    }
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory);
    made.with_context(|| format!("the data directory {} can't be made", directory.display()))
}

async fn check_version(writer: &SqlitePool) -> anyhow::Result<()> {
    let row = sqlx::query("SELECT sqlite_version()").fetch_one(writer).await?;
    let text: String = row.try_get(0)?;
    anyhow::ensure!(
        is_new_enough(&text),
        "SQLite {text} is built in, but before 3.51.3 a commit can be lost; build with a newer libsqlite3-sys"
    );
    Ok(())
}

fn is_new_enough(version: &str) -> bool {
    let mut numbers = version.split('.').map(|part| part.parse::<u32>().ok());
    let mut next = || numbers.next().flatten();
    match (next(), next(), next()) {
        (Some(major), Some(minor), Some(patch)) => (major, minor, patch) >= OLDEST_SQLITE,
        _ => false,
    }
}

async fn migrate(writer: &SqlitePool) -> anyhow::Result<()> {
    writer
        .execute("CREATE TABLE IF NOT EXISTS migration (number BIGINT PRIMARY KEY, applied_ms BIGINT NOT NULL)")
        .await?;
    for (number, sql) in MIGRATIONS {
        // Immediately a writer: of two processes that start at once the second waits and then finds it done.
        let mut change = writer.begin_with("BEGIN IMMEDIATE").await?;
        let done =
            sqlx::query("SELECT 1 FROM migration WHERE number = $1").bind(number).fetch_optional(&mut *change).await?;
        if done.is_none() {
            sqlx::raw_sql(sql).execute(&mut *change).await?;
            let note = sqlx::query("INSERT INTO migration (number, applied_ms) VALUES ($1, $2)");
            note.bind(number).bind(now_ms()).execute(&mut *change).await?;
        }
        change.commit().await?;
    }
    Ok(())
}

/// Milliseconds since 1970.
fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

/// The bytes of hexadecimal digits.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> =
        text.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect::<Option<_>>()?;
    let pairs = digits.chunks_exact(2);
    pairs
        .remainder()
        .is_empty()
        .then(|| digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect())
}

#[cfg(test)]
#[allow(dead_code, reason = "the tests of the store on PostgreSQL stand where the store does")]
pub(crate) mod throwaway;

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A directory of its own for one test, gone at its end.
    pub(crate) struct Directory(pub PathBuf);

    impl Directory {
        pub(crate) fn new() -> Directory {
            let mut random = [0; 8];
            getrandom::fill(&mut random).unwrap();
            Directory(std::env::temp_dir().join(format!("dragoman-test-{}", hex(&random))))
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn an_old_sqlite_is_refused() {
        for (version, good) in
            [("3.51.3", true), ("3.52.0", true), ("4.0.0", true), ("3.51.2", false), ("3.46.1", false), ("", false)]
        {
            assert_eq!(is_new_enough(version), good, "{version}");
        }
    }

    #[test]
    fn hexadecimal_reads_back() {
        assert_eq!(unhex(&hex(&[0, 15, 255])), Some(vec![0, 15, 255]));
        assert_eq!((unhex("0"), unhex("zz")), (None, None));
    }

    #[tokio::test]
    async fn a_store_opens_twice_and_durably() {
        let directory = Directory::new();
        let store = Store::open(&directory.0).await.unwrap();
        let again = Store::open(&directory.0).await.unwrap();
        for (pragma, value) in [("PRAGMA synchronous", 2), ("PRAGMA foreign_keys", 1)] {
            let row = sqlx::query(pragma).fetch_one(&again.writer).await.unwrap();
            assert_eq!(row.try_get::<i64, _>(0).unwrap(), value, "{pragma}");
        }
        let row = sqlx::query("PRAGMA journal_mode").fetch_one(&store.writer).await.unwrap();
        assert_eq!(row.try_get::<String, _>(0).unwrap(), "wal");
    }
}
