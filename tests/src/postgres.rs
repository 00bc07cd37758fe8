//! A throw-away PostgreSQL: a cluster of its own for this process, an empty database for each who asks.
//!
//! ```no_run
//! let url = dragoman_tests::postgres::database()?;
//! assert!(url.starts_with("postgres://"));
//! # anyhow::Ok(())
//! ```
//!
//! The programs are where `DRAGOMAN_POSTGRES` says (`cargo xtask test` sets it), else the newest of Debian's. Whatever
//! cluster the machine has of its own is not touched.
//!
//! Why a shell stands between us and the server: it ends it when its input closes, so a test process that dies, however it
//! dies, leaves nothing running and nothing on the disk. Why nothing is synced: what is in it is worth nothing after the test.
//!
//! The control plane's own tests include this very file; it uses nothing of this package.

use std::io::{BufRead as _, BufReader, Read as _, Seek as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

/// Where Debian's packages put each version's programs.
const DEBIAN: &str = "/usr/lib/postgresql";

/// The owner of the cluster inside of it; who connects needs no password.
const USER: &str = "dragoman";

/// A cluster is made and started in two seconds; a loaded machine takes its time.
const READY: Duration = Duration::from_secs(60);

/// A port may be taken between our look and the server's; then another is tried.
const STARTS: usize = 3;

/// Makes the cluster, runs the server, ends it and removes everything when the input closes; a signal to the whole group
/// does the same. Its arguments are the command that becomes the user whom the server runs as.
const KEEPER: &str = r#"
trap : INT TERM
if "$@" "$BIN/initdb" --pgdata="$CLUSTER/data" --username="$OWNER" --auth=trust --encoding=UTF8 --locale=C --no-sync </dev/null >&2
then
    "$@" "$BIN/postgres" -D "$CLUSTER/data" -F -p "$PORT" -c listen_addresses=127.0.0.1 -c unix_socket_directories= \
        -c max_connections=200 -c shared_buffers=16MB -c full_page_writes=off -c synchronous_commit=off </dev/null >&2 &
    child=$!
    echo "$child"
    while read -r line; do :; done
    kill -QUIT "$child" 2>/dev/null
    wait "$child"
fi
rm -rf "$CLUSTER"
"#;

/// A running server. There is one for each process, and it ends with it.
struct Cluster {
    /// Holds the keeper's input open.
    keeper: Child,
    programs: PathBuf,
    port: u16,
}

/// The URL of a fresh, empty database in this process's cluster, which the first call starts.
///
/// # Errors
///
/// When there is no PostgreSQL here (the message says what to install), or it does not start.
pub fn database() -> anyhow::Result<String> {
    static CLUSTER: OnceLock<Result<Cluster, String>> = OnceLock::new();
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let cluster = CLUSTER.get_or_init(|| Cluster::start().map_err(|error| format!("{error:#}")));
    let cluster = cluster.as_ref().map_err(|error| anyhow::anyhow!("no throw-away PostgreSQL: {error}"))?;
    let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
    cluster.create(&name)?;
    Ok(format!("postgres://{USER}@127.0.0.1:{}/{name}", cluster.port))
}

impl Cluster {
    fn start() -> anyhow::Result<Self> {
        let programs = programs()?;
        let mut last = None;
        for attempt in 0..STARTS {
            match Self::start_once(&programs, attempt) {
                Err(error) if format!("{error:#}").contains("Address already in use") => last = Some(error),
                done => return done,
            }
        }
        Err(last.unwrap_or_else(|| anyhow::anyhow!("it was never started")))
    }

    fn start_once(programs: &Path, attempt: usize) -> anyhow::Result<Self> {
        let directory = std::env::temp_dir().join(format!("dragoman-postgres-{}-{attempt}", std::process::id()));
        // One of a process that had our id and was ended together with its keeper.
        std::fs::remove_dir_all(&directory).ok();
        std::fs::create_dir_all(directory.join("data"))?;
        let log = std::fs::File::options().create(true).read(true).append(true).open(directory.join("log"))?;
        let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr())?.port();
        let mut keeper = Command::new("/bin/sh")
            .args(["-c", KEEPER, "keeper"])
            .args(becoming(&directory.join("data"))?)
            .env("BIN", programs)
            .env("CLUSTER", &directory)
            .env("OWNER", USER)
            .env("PORT", port.to_string())
            // The server runs as somebody who may not enter the directory we are in.
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log.try_clone()?)
            .spawn()
            .context("the shell that keeps PostgreSQL")?;
        let mut pid = String::new();
        if let Some(output) = keeper.stdout.take() {
            BufReader::new(output).read_line(&mut pid)?;
        }
        let cluster = Self { keeper, programs: programs.to_owned(), port };
        match cluster.wait(pid.trim()) {
            Ok(()) => Ok(cluster),
            Err(error) => Err(error.context(cluster.end(log)?)),
        }
    }

    /// Waits until it takes connections.
    fn wait(&self, pid: &str) -> anyhow::Result<()> {
        let until = Instant::now() + READY;
        while !pid.is_empty() && Instant::now() < until && is_running(pid) {
            let port = self.port.to_string();
            let mut ready = Command::new(self.programs.join("pg_isready"));
            ready.args(["-q", "-h", "127.0.0.1", "-p", &port]);
            if ready.status().context("pg_isready")?.success() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("it ended at its start, or took no connection within {READY:?}")
    }

    /// Ends one that did not start; gives back what it said.
    fn end(mut self, mut log: std::fs::File) -> anyhow::Result<String> {
        drop(self.keeper.stdin.take());
        self.keeper.wait()?;
        let mut said = String::new();
        log.rewind()?;
        log.read_to_string(&mut said)?;
        Ok(said)
    }

    fn create(&self, name: &str) -> anyhow::Result<()> {
        let mut create = Command::new(self.programs.join("createdb"));
        create.args(["-w", "-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", USER, name]);
        let output = create.output().context("createdb")?;
        if !output.status.success() {
            bail!("createdb {name}: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }
}

/// Ended and not yet waited for counts as ended.
fn is_running(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|state| !state.is_empty() && !state.starts_with('Z'))
}

/// The command before a program that makes it run as whom PostgreSQL accepts: it refuses to run as root. The directory is
/// given to the same.
fn becoming(directory: &Path) -> anyhow::Result<Vec<String>> {
    use std::os::unix::fs::{MetadataExt as _, chown};
    if std::fs::metadata("/proc/self")?.uid() != 0 {
        return Ok(vec!["env".to_owned()]);
    }
    // Debian's package brings the first; the second is on every system.
    let (user, group) =
        account("postgres").or_else(|| account("nobody")).context("neither postgres nor nobody is a user here")?;
    chown(directory, Some(user), Some(group)).with_context(|| directory.display().to_string())?;
    Ok(["setpriv".to_owned(), format!("--reuid={user}"), format!("--regid={group}"), "--clear-groups".to_owned()]
        .into())
}

/// The numbers of a user and its group.
fn account(name: &str) -> Option<(u32, u32)> {
    let accounts = std::fs::read_to_string("/etc/passwd").ok()?;
    let line = accounts.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    let mut numbers = line.split(':').skip(1).map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

/// The directory of the programs.
fn programs() -> anyhow::Result<PathBuf> {
    let named = std::env::var_os("DRAGOMAN_POSTGRES").map(PathBuf::from);
    let versions = || {
        let versions = std::fs::read_dir(DEBIAN).into_iter().flatten().flatten();
        let number = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
        let mut versions: Vec<PathBuf> = versions.map(|version| version.path()).collect();
        versions.sort_by_key(number);
        versions.into_iter().rev().map(|version| version.join("bin")).collect()
    };
    let places: Vec<PathBuf> = named.map_or_else(versions, |named| vec![named]);
    match places.iter().find(|place| place.join("initdb").is_file()) {
        Some(place) => Ok(place.clone()),
        None => bail!(
            "no initdb in DRAGOMAN_POSTGRES nor below {DEBIAN} (looked at {places:?}): run `cargo xtask test`, or as root \
             `apt-get install postgresql`"
        ),
    }
}
