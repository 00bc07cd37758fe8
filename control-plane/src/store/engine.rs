//! What differs between the two engines: how they are opened, how one writer keeps others away, how a change is told.

use std::path::Path;
use std::sync::Once;
use std::time::Duration;

use anyhow::Context;
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::postgres::PgListener;
use sqlx::{AnyPool, ConnectOptions, Executor, Row};

use super::Change;

/// Older ones may lose a commit: SQLite's WAL-reset bug, mended in this version.
const OLDEST_SQLITE: (u32, u32, u32) = (3, 51, 3);
/// How long a writer waits for another process, in milliseconds: for instance `dragoman key create` beside a running server.
const BUSY: &str = "PRAGMA busy_timeout = 5000";
/// Pages that each connection keeps, in KiB: what changes is small, and five times SQLite's own 2 MB would be most of our memory.
const CACHE: &str = "PRAGMA cache_size = -512";
/// Readers besides SQLite's writer: the server's own and some for people.
const READERS: u32 = 4;
/// Connections to PostgreSQL for each of reading and writing.
const CONNECTIONS: u32 = 8;
/// How long a connection of the pool is waited for.
const ACQUIRE: Duration = Duration::from_secs(10);
/// How old a connection becomes, so that a server that was moved is found again and none grows for ever.
const LIFETIME: Duration = Duration::from_secs(1800);
/// The name under which changes are told.
const CHANNEL: &str = "dragoman";
/// The number of the lock that exclusive changes take; any number that nobody else in the database uses.
const LOCK: &str = "SELECT pg_advisory_xact_lock(7207064010)";
/// How often the store is looked at where nobody tells, and in case a telling was lost.
const POLL: Duration = Duration::from_millis(500);

/// Which database it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// The embedded one.
    Sqlite,
    /// A server that several control planes share.
    Postgres,
}

impl Engine {
    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            Engine::Sqlite => "sqlite",
            Engine::Postgres => "postgresql",
        }
    }

    /// How a change begins. On SQLite at once as a writer: of two, the second waits instead of failing at its first write.
    pub(super) fn begin(self) -> &'static str {
        match self {
            Engine::Sqlite => "BEGIN IMMEDIATE",
            Engine::Postgres => "BEGIN",
        }
    }

    /// Keeps every other exclusive change away until this one is over.
    pub(super) async fn lock(self, change: &mut Change) -> anyhow::Result<()> {
        if self == Engine::Postgres {
            sqlx::query(LOCK).execute(&mut **change).await?;
        }
        Ok(())
    }

    /// The time, in milliseconds since 1970, by the one clock that all who share the store have.
    pub(super) async fn now_ms(self, change: &mut Change) -> anyhow::Result<i64> {
        match self {
            Engine::Sqlite => Ok(super::now_ms()),
            Engine::Postgres => {
                let now = "SELECT CAST(EXTRACT(EPOCH FROM CLOCK_TIMESTAMP()) * 1000 AS BIGINT)";
                Ok(sqlx::query(now).fetch_one(&mut **change).await?.try_get(0)?)
            }
        }
    }

    /// Tells the others when the change is committed.
    pub(super) async fn tell(self, change: &mut Change) -> anyhow::Result<()> {
        if self == Engine::Postgres {
            sqlx::query("SELECT pg_notify($1, '')").bind(CHANNEL).execute(&mut **change).await?;
        }
        Ok(())
    }
}

fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(sqlx::any::install_default_drivers);
}

/// A pool of so many connections, opened when they are needed.
///
/// Why it knows no times of its own: what looks after them may take a core for ever, and keeps its process from ending (sqlx 0.9.0,
/// launchbadge/sqlx#3645). Here a connection's age is looked at when it is taken.
fn of_at_most(connections: u32) -> AnyPoolOptions {
    let pool = AnyPoolOptions::new().max_connections(connections).acquire_timeout(ACQUIRE);
    let pool = pool.before_acquire(|_, known| Box::pin(async move { Ok(known.age < LIFETIME) }));
    pool.max_lifetime(None).idle_timeout(None)
}

pub(super) async fn open_sqlite(file: &Path) -> anyhow::Result<(Engine, AnyPool, AnyPool)> {
    install();
    let path = file.to_str().with_context(|| format!("{} is no text", file.display()))?;
    // What has a meaning in a URL is written so that it has none.
    let path: String = path
        .chars()
        .map(|c| if matches!(c, '%' | '?' | '#' | ' ') { format!("%{:02X}", u32::from(c)) } else { c.to_string() })
        .collect();
    let pool = |mode: &'static str, most: u32| {
        let url = format!("sqlite://{path}?mode={mode}");
        let options = url.parse::<AnyConnectOptions>().map(ConnectOptions::disable_statement_logging);
        let pool = of_at_most(most).after_connect(|one, _| {
            Box::pin(async move {
                let durable = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;";
                one.execute(sqlx::raw_sql(BUSY)).await?;
                one.execute(sqlx::raw_sql(CACHE)).await?;
                one.execute(sqlx::raw_sql(durable)).await?;
                Ok(())
            })
        });
        async move { pool.connect_with(options?).await }
    };
    let opened = async { Ok::<_, sqlx::Error>((pool("rwc", 1).await?, pool("rw", READERS).await?)) };
    let (writer, reader) = opened.await.with_context(|| format!("the store {} does not open", file.display()))?;
    check_version(&writer).await?;
    Ok((Engine::Sqlite, writer, reader))
}

pub(super) async fn open_postgres(url: &str) -> anyhow::Result<(Engine, AnyPool, AnyPool)> {
    install();
    anyhow::ensure!(
        url.starts_with("postgres://") || url.starts_with("postgresql://"),
        "a store's URL begins with postgres://; without one SQLite is used"
    );
    // The URL holds a password: what is wrong is said without it.
    let options = url.parse::<AnyConnectOptions>().map_err(|_| anyhow::anyhow!("the store's URL is no URL"))?;
    let options = options.disable_statement_logging();
    let pool = |options| of_at_most(CONNECTIONS).connect_with(options);
    let writer = pool(options.clone()).await.context("the store's PostgreSQL does not answer")?;
    let reader = pool(options).await.context("the store's PostgreSQL does not answer")?;
    Ok((Engine::Postgres, writer, reader))
}

async fn check_version(writer: &AnyPool) -> anyhow::Result<()> {
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

/// A wait for the next change. It may end without one: who waits looks for itself.
///
/// Why both: LISTEN/NOTIFY is at once, the poll covers connections that broke in between, and SQLite, which tells nobody.
#[derive(Debug)]
pub struct Changes {
    listener: Option<PgListener>,
}

impl Changes {
    pub(super) async fn listen(url: Option<&str>) -> anyhow::Result<Changes> {
        let Some(url) = url else { return Ok(Changes { listener: None }) };
        let mut listener = PgListener::connect(url).await.context("the store's PostgreSQL does not answer")?;
        listener.listen(CHANNEL).await?;
        Ok(Changes { listener: Some(listener) })
    }

    /// Ends when something changed, or when it is time to look.
    pub async fn next(&mut self) {
        match &mut self.listener {
            None => tokio::time::sleep(POLL).await,
            Some(listener) => {
                let told = tokio::time::timeout(POLL, listener.recv()).await;
                // The listener connects anew by itself; until it does there is the poll.
                if matches!(told, Ok(Err(_))) {
                    tokio::time::sleep(POLL).await;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_sqlite_is_refused() {
        for (version, good) in
            [("3.51.3", true), ("3.52.0", true), ("4.0.0", true), ("3.51.2", false), ("3.46.1", false), ("", false)]
        {
            assert_eq!(is_new_enough(version), good, "{version}");
        }
    }

    #[test]
    fn nothing_looks_after_a_pool_beside_those_who_use_it() {
        let pool = of_at_most(1);
        assert_eq!((pool.get_max_lifetime(), pool.get_idle_timeout(), pool.get_min_connections()), (None, None, 0));
    }

    #[tokio::test]
    async fn a_wrong_url_is_told_without_its_password() {
        for url in ["mysql://u:hush@h/d", "postgres://u:hush@127.0.0.1:1/d"] {
            let error = format!("{:#}", open_postgres(url).await.unwrap_err());
            assert!(!error.contains("hush"), "{error}");
        }
    }
}
