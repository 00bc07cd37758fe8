//! What outlives the process: keys, Records, rows of operators, published Snapshots.
//!
//! | URL | engine | for |
//! |---|---|---|
//! | none | SQLite, one file in the data directory | one machine |
//! | `postgres://user:password@host/database` | PostgreSQL | several control planes |
//!
//! On SQLite one connection writes, with `synchronous = FULL`: what was acknowledged survives a power cut. Others read beside
//! it (WAL). All SQL of the control plane stands here and below, one text for both engines; what differs between the two is in
//! [`engine`].
//!
//! Limits: a busy writer is waited for five seconds.

pub mod accounts;
mod arms;
pub mod artifacts;
mod attempts;
pub mod audit;
pub mod budgets;
pub mod cool_downs;
pub mod costs;
pub mod discovered;
mod engine;
pub mod feedback;
pub mod health;
pub mod keys;
pub mod ledger;
pub mod minutes;
pub mod notices;
pub mod pepper;
mod pools;
pub mod records;
pub mod repeated;
pub mod rows;
pub mod sessions;
pub mod sign_ins;
pub mod stale;
#[cfg(test)]
mod throwaway;
pub mod tokens;
pub mod vault;
pub mod versions;

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use sqlx::AnyPool;
use sqlx::any::AnyRow;

pub use engine::{Changes, Engine};

/// Every change of the tables, in order; a number is never used twice.
const MIGRATIONS: [(i64, &str); 14] = [
    (1, include_str!("../migrations/0001_begin.sql")),
    (2, include_str!("../migrations/0002_operate.sql")),
    (3, include_str!("../migrations/0003_look_up.sql")),
    (4, include_str!("../migrations/0004_accounts.sql")),
    (5, include_str!("../migrations/0005_vault.sql")),
    (6, include_str!("../migrations/0006_tenant_tokens.sql")),
    (7, include_str!("../migrations/0007_sign_ins.sql")),
    (8, include_str!("../migrations/0008_cool_downs.sql")),
    (9, include_str!("../migrations/0009_health.sql")),
    (10, include_str!("../migrations/0010_pools.sql")),
    (11, include_str!("../migrations/0011_artifacts.sql")),
    (12, include_str!("../migrations/0012_hedges.sql")),
    (13, include_str!("../migrations/0013_feedback.sql")),
    (14, include_str!("../migrations/0014_experiments.sql")),
];

/// What PostgreSQL is told besides, after the change of that number.
const MIGRATIONS_OF_POSTGRES: [(i64, &str); 1] = [(6, include_str!("../migrations/0006_postgres.sql"))];

/// A transaction, on whichever engine.
pub(crate) type Change = sqlx::Transaction<'static, sqlx::Any>;

/// The open store.
#[derive(Clone, Debug)]
pub struct Store {
    engine: Engine,
    writer: AnyPool,
    reader: AnyPool,
    directory: PathBuf,
    url: Option<String>,
}

impl Store {
    /// Opens the store: the one at `url`, or the SQLite file in `directory`, which is made if it is not there. Brings the
    /// tables up to date.
    pub async fn open(directory: &Path, url: Option<&str>) -> anyhow::Result<Store> {
        make_private(directory)?;
        let (engine, writer, reader) = match url {
            None => engine::open_sqlite(&directory.join("dragoman.sqlite")).await?,
            Some(url) => engine::open_postgres(url).await?,
        };
        let store = Store { engine, writer, reader, directory: directory.to_path_buf(), url: url.map(str::to_string) };
        store.migrate().await.context("the store's tables can't be brought up to date")?;
        Ok(store)
    }

    /// The data directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Which engine it is.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Tells of changes of rows and Snapshots, whichever control plane makes them.
    pub async fn changes(&self) -> anyhow::Result<Changes> {
        Changes::listen(self.url.as_deref()).await
    }

    /// Begins a change that others may make at the same time.
    pub(crate) async fn change(&self) -> anyhow::Result<Change> {
        Ok(self.writer.begin_with(self.engine.begin()).await?)
    }

    /// Begins a change that no other control plane makes at the same time: what it reads stays true until it is over.
    pub(crate) async fn exclusive(&self) -> anyhow::Result<Change> {
        let mut change = self.change().await?;
        self.engine.lock(&mut change).await?;
        Ok(change)
    }

    async fn migrate(&self) -> anyhow::Result<()> {
        let mut change = self.exclusive().await?;
        sqlx::query("CREATE TABLE IF NOT EXISTS migration (number BIGINT PRIMARY KEY, applied_ms BIGINT NOT NULL)")
            .execute(&mut *change)
            .await?;
        for (number, sql) in MIGRATIONS {
            let done = sqlx::query("SELECT number FROM migration WHERE number = $1").bind(number);
            if done.fetch_optional(&mut *change).await?.is_none() {
                sqlx::raw_sql(sql).execute(&mut *change).await?;
                let more =
                    MIGRATIONS_OF_POSTGRES.iter().filter(|(of, _)| self.engine == Engine::Postgres && *of == number);
                for (_, sql) in more {
                    sqlx::raw_sql(*sql).execute(&mut *change).await?;
                }
                let note = sqlx::query("INSERT INTO migration (number, applied_ms) VALUES ($1, $2)");
                note.bind(number).bind(now_ms()).execute(&mut *change).await?;
            }
        }
        change.commit().await?;
        Ok(())
    }
}

/// A value that may be missing: neither engine needs to know which type nothing has.
fn optional<'r, T>(row: &'r AnyRow, name: &str) -> anyhow::Result<Option<T>>
where
    T: sqlx::Decode<'r, sqlx::Any> + sqlx::Type<sqlx::Any>,
{
    Ok(sqlx::Row::try_get::<Option<T>, _>(row, name)?)
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

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// The parameters of a list or a row in a statement: `($3, $4)` for two from the third on.
pub(crate) fn numbered(first: usize, count: usize) -> String {
    let numbers: Vec<String> = (first..first + count).map(|number| format!("${number}")).collect();
    format!("({})", numbers.join(", "))
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
pub(crate) mod tests;
