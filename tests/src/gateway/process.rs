//! The programs of a gateway: where they are, how they start, how they end.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

/// A gateway in good order needs a moment to drain; after it, it is killed.
const FAREWELL: Duration = Duration::from_secs(10);

/// How much of the log a failing test shows.
const LOG_LINES: usize = 80;

/// Runs the gateway and ends it when the input closes, which it does when the test process dies, however it dies; a signal
/// to the whole group does the same.
const KEEPER: &str = r#"
trap : INT TERM
"$@" </dev/null >&2 &
child=$!
echo "$child"
while read -r line; do :; done
kill -TERM "$child" 2>/dev/null
wait "$child"
rm -rf "$DRAGOMAN_TEST_DIRECTORY"
"#;

/// The programs a gateway is made of.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The control plane.
    pub dragoman: PathBuf,
    /// The filters.
    pub wasm: PathBuf,
    /// Envoy.
    pub envoy: PathBuf,
}

impl Parts {
    /// Looks where the environment says, else where `cargo xtask` leaves them.
    pub fn find() -> anyhow::Result<Self> {
        let target = target();
        Ok(Self {
            dragoman: part("DRAGOMAN_BIN", &[target.join("debug/dragoman")])?,
            wasm: part("DRAGOMAN_WASM", &[target.join("wasm/dragoman_filters.wasm")])?,
            envoy: part("DRAGOMAN_ENVOY", &envoys(&target.join("venv/lib")))?,
        })
    }
}

/// The Python that has the vendors' packages.
pub fn python() -> anyhow::Result<PathBuf> {
    part("DRAGOMAN_PYTHON", &[target().join("venv/bin/python")])
}

fn target() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target")
}

/// The wheel keeps Envoy below the directory of its Python version.
fn envoys(lib: &Path) -> Vec<PathBuf> {
    let versions = std::fs::read_dir(lib).into_iter().flatten().flatten();
    versions.map(|version| version.path().join("site-packages/envoy/_bin/envoy")).collect()
}

fn part(variable: &str, places: &[PathBuf]) -> anyhow::Result<PathBuf> {
    let named = std::env::var_os(variable).map(PathBuf::from);
    let candidates = named.as_ref().map_or(places, std::slice::from_ref);
    match candidates.iter().find(|place| place.exists()) {
        Some(place) => Ok(place.clone()),
        None => bail!(
            "{variable} is not there (looked at {candidates:?}): run `cargo xtask test`, which builds and sets all of it"
        ),
    }
}

/// A running `dragoman up` and its directory.
pub(super) struct Process {
    keeper: Child,
    pid: u32,
    directory: PathBuf,
    dragoman: PathBuf,
    environment: Vec<(String, String)>,
}

impl Process {
    pub(super) fn start(parts: &Parts, toml: &str, environment: Vec<(String, String)>) -> anyhow::Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("dragoman-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir_all(directory.join("data"))?;
        std::fs::write(directory.join("dragoman.toml"), toml)?;
        let log = std::fs::File::create(directory.join("log"))?;
        let mut keeper = Command::new("/bin/sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(&parts.dragoman)
            .arg("up")
            .args(["--config".into(), directory.join("dragoman.toml")])
            .args(["--data".into(), directory.join("data")])
            .args([Path::new("--wasm"), &parts.wasm, Path::new("--envoy"), &parts.envoy])
            .envs(environment.iter().cloned())
            .env("DRAGOMAN_TEST_DIRECTORY", &directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .context("the shell that keeps the gateway")?;
        let mut pid = String::new();
        if let Some(output) = keeper.stdout.take() {
            BufReader::new(output).read_line(&mut pid)?;
        }
        let pid = pid.trim().parse().context("the pid of dragoman")?;
        Ok(Self { keeper, pid, directory, dragoman: parts.dragoman.clone(), environment })
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// The first child of dragoman.
    pub(super) fn child(&self) -> Option<u32> {
        let children = format!("/proc/{0}/task", self.pid);
        let tasks = std::fs::read_dir(children).ok()?.flatten();
        let of_task = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("children")).ok();
        tasks.filter_map(of_task).find_map(|children| children.split_whitespace().next()?.parse().ok())
    }

    /// Replaces the settings in one step, as an editor does.
    pub(super) fn write_settings(&self, toml: &str) -> anyhow::Result<()> {
        let (file, new) = (self.directory.join("dragoman.toml"), self.directory.join("dragoman.toml.new"));
        std::fs::write(&new, toml)?;
        Ok(std::fs::rename(new, file)?)
    }

    /// Runs another command of `dragoman` on the same data; gives back what it printed.
    pub(super) fn dragoman(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = Command::new(&self.dragoman)
            .args(arguments)
            .args(["--config".into(), self.directory.join("dragoman.toml")])
            .args(["--data".into(), self.directory.join("data")])
            .envs(self.environment.iter().cloned())
            .output()?;
        if !output.status.success() {
            bail!("dragoman {arguments:?}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    pub(super) fn log(&self) -> String {
        let bytes = std::fs::read(self.directory.join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits for words in the log; an end of the gateway before them is an error with the log's last lines.
    pub(super) fn wait_for_log(&self, words: &str, deadline: Duration) -> anyhow::Result<()> {
        let until = Instant::now() + deadline;
        loop {
            if self.log().contains(words) {
                return Ok(());
            }
            if self.has_ended() {
                bail!("the gateway ended before it served:\n{}", self.last_lines());
            }
            if Instant::now() > until {
                bail!("no `{words}` in the log within {deadline:?}:\n{}", self.last_lines());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ended and not yet waited for counts as ended.
    fn has_ended(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap_or_default();
        stat.rsplit(") ").next().is_none_or(|state| state.is_empty() || state.starts_with('Z'))
    }

    fn last_lines(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines.get(lines.len().saturating_sub(LOG_LINES)..).unwrap_or_default().join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // The test has failed already; nothing can be done about a standard error that is closed.
            writeln!(std::io::stderr(), "--- the gateway's log ---\n{}", self.last_lines()).ok();
        }
        drop(self.keeper.stdin.take());
        let until = Instant::now() + FAREWELL;
        while matches!(self.keeper.try_wait(), Ok(None)) {
            if Instant::now() > until {
                Command::new("kill").args(["-KILL", &self.pid.to_string()]).status().ok();
                self.keeper.wait().ok();
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        std::fs::remove_dir_all(&self.directory).ok();
    }
}
