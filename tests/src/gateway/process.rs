//! The programs of a gateway: where they are, how they start, how they end.

use std::ffi::OsString;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::Setup;
use super::keeper::{Afterwards, Keeper};

/// How much of the log a failing test shows.
const LOG_LINES: usize = 80;

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

/// What `dragoman check` came to.
#[derive(Clone, Debug)]
pub struct Checked {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// What it said of mistakes.
    pub error: String,
}

/// Who runs Envoy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `dragoman up`: Envoy is its child.
    Together,
    /// `dragoman serve`, and Envoy beside it: the one may end without the other.
    Apart,
}

/// A running gateway and its directory. What is dropped first ends first.
pub(super) struct Process {
    envoy: Option<Keeper>,
    control_plane: Keeper,
    parts: Parts,
    directory: PathBuf,
    environment: Vec<(String, String)>,
    workers: usize,
    /// The first Envoy, once it was killed: its keeper removes the directory when all others have ended.
    retired: Option<Keeper>,
}

impl Process {
    pub(super) fn start(parts: &Parts, form: Form, toml: &str, setup: &Setup) -> anyhow::Result<Self> {
        let (environment, workers) = (setup.environment(), setup.worker_count());
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("dragoman-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir_all(directory.join("data"))?;
        std::fs::write(directory.join("dragoman.toml"), toml)?;
        let (envoy, control_plane) = match form {
            Form::Together => {
                let up: [OsString; 5] =
                    ["up".into(), "--wasm".into(), (&parts.wasm).into(), "--envoy".into(), (&parts.envoy).into()];
                let log = log(&directory.join("log"))?;
                let afterwards = Afterwards::Remove(&directory);
                let files = files(&directory);
                (None, Keeper::start(&parts.dragoman, up.into_iter().chain(files), &environment, log, afterwards)?)
            }
            Form::Apart => {
                let control_plane = serve(parts, &directory, &environment)?;
                render(parts, &directory, &environment)?;
                let afterwards = Afterwards::Remove(&directory);
                (Some(run_envoy(parts, &directory, &environment, workers, afterwards)?), control_plane)
            }
        };
        let (parts, retired) = (parts.clone(), None);
        Ok(Self { envoy, control_plane, parts, directory, environment, workers, retired })
    }

    /// The process of dragoman.
    pub(super) fn pid(&self) -> u32 {
        self.control_plane.pid()
    }

    /// Where its data are.
    pub(super) fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// The process of Envoy, if there is one.
    pub(super) fn envoy(&self) -> Option<u32> {
        self.envoy.as_ref().map_or_else(|| self.control_plane.child(), |envoy| Some(envoy.pid()))
    }

    /// Ends dragoman as a power cut would.
    pub(super) fn kill_control_plane(&mut self) -> anyhow::Result<()> {
        self.control_plane.kill()
    }

    /// Starts dragoman again on the same data, of a gateway whose Envoy runs apart.
    pub(super) fn start_control_plane(&mut self) -> anyhow::Result<()> {
        if self.envoy.is_none() {
            bail!("this Envoy is a child of dragoman and ends with it");
        }
        self.control_plane = serve(&self.parts, &self.directory, &self.environment)?;
        Ok(())
    }

    /// Ends Envoy as a power cut would, of a gateway whose Envoy runs apart.
    pub(super) fn kill_envoy(&mut self) -> anyhow::Result<()> {
        self.envoy.as_mut().context("this Envoy is a child of dragoman")?.kill()
    }

    /// Starts Envoy again with what the first one was started with.
    pub(super) fn start_envoy(&mut self) -> anyhow::Result<()> {
        let envoy = run_envoy(&self.parts, &self.directory, &self.environment, self.workers, Afterwards::Keep)?;
        let old = self.envoy.replace(envoy);
        if self.retired.is_none() {
            self.retired = old;
        }
        Ok(())
    }

    /// Replaces the settings in one step, as an editor does.
    pub(super) fn write_settings(&self, toml: &str) -> anyhow::Result<()> {
        let (file, new) = (self.directory.join("dragoman.toml"), self.directory.join("dragoman.toml.new"));
        std::fs::write(&new, toml)?;
        Ok(std::fs::rename(new, file)?)
    }

    /// Runs another command of `dragoman` on the same data; gives back what it printed.
    pub(super) fn dragoman(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = self.command(arguments).output()?;
        if !output.status.success() {
            bail!("dragoman {arguments:?}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    /// The settings as they are now.
    pub(super) fn settings(&self) -> anyhow::Result<String> {
        Ok(std::fs::read_to_string(self.directory.join("dragoman.toml"))?)
    }

    /// What `dragoman check` thinks of a settings file.
    pub(super) fn check(&self, toml: &str, longest: Duration) -> anyhow::Result<Checked> {
        let (file, said) = (self.directory.join("checked.toml"), self.directory.join("checked.log"));
        std::fs::write(&file, toml)?;
        let mut check = Command::new(&self.parts.dragoman);
        check.args(["check".into(), OsString::from("--config"), file.into()]).envs(self.environment.iter().cloned());
        // Into a file: a pipe that nobody reads would hold up one that says a lot.
        let mut check = check.stdout(Stdio::null()).stderr(File::create(&said)?).spawn()?;
        let until = Instant::now() + longest;
        let code = loop {
            if let Some(status) = check.try_wait()? {
                break status.code();
            }
            if Instant::now() > until {
                check.kill()?;
                check.wait()?;
                bail!("`dragoman check` took longer than {longest:?}");
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        Ok(Checked { code, error: String::from_utf8_lossy(&std::fs::read(said)?).into_owned() })
    }

    /// Another command of `dragoman` on the same data, not yet run.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.parts.dragoman);
        command.args(arguments).args(files(&self.directory)).envs(self.environment.iter().cloned());
        command
    }

    pub(super) fn log(&self) -> String {
        let bytes = std::fs::read(self.directory.join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits for words in the log behind the first `from` bytes; an end of the gateway before them is an error with the log's
    /// last lines.
    pub(super) fn wait_for_log(&self, words: &str, from: usize, deadline: Duration) -> anyhow::Result<()> {
        let until = Instant::now() + deadline;
        loop {
            if self.log().get(from..).is_some_and(|log| log.contains(words)) {
                return Ok(());
            }
            if self.control_plane.has_ended() {
                bail!("the gateway ended before it served:\n{}", self.last_lines());
            }
            if Instant::now() > until {
                bail!("no `{words}` in the log within {deadline:?}:\n{}", self.last_lines());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
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
    }
}

/// Where the settings and the data are.
fn files(directory: &Path) -> [OsString; 4] {
    ["--config".into(), directory.join("dragoman.toml").into(), "--data".into(), directory.join("data").into()]
}

/// A log that goes on where it ended.
fn log(path: &Path) -> anyhow::Result<File> {
    Ok(File::options().create(true).append(true).open(path)?)
}

fn serve(parts: &Parts, directory: &Path, environment: &[(String, String)]) -> anyhow::Result<Keeper> {
    let serve: [OsString; 3] = ["serve".into(), "--wasm".into(), (&parts.wasm).into()];
    let arguments = serve.into_iter().chain(files(directory));
    Keeper::start(&parts.dragoman, arguments, environment, log(&directory.join("log"))?, Afterwards::Keep)
}

/// What whoever runs their own Envoy starts it with.
fn render(parts: &Parts, directory: &Path, environment: &[(String, String)]) -> anyhow::Result<()> {
    let mut render = Command::new(&parts.dragoman);
    render.args(["render", "bootstrap"]).args(files(directory)).envs(environment.iter().cloned());
    let rendered = render.output()?;
    if !rendered.status.success() {
        bail!("dragoman render bootstrap: {}", String::from_utf8_lossy(&rendered.stderr));
    }
    Ok(std::fs::write(bootstrap(directory), rendered.stdout)?)
}

fn bootstrap(directory: &Path) -> PathBuf {
    directory.join("envoy.json")
}

/// Envoy as whoever runs their own starts it. The first one outlives every control plane, so the directory goes with it.
fn run_envoy(
    parts: &Parts,
    directory: &Path,
    environment: &[(String, String)],
    workers: usize,
    afterwards: Afterwards<'_>,
) -> anyhow::Result<Keeper> {
    let workers = workers.to_string();
    let arguments =
        ["--concurrency", &workers, "--disable-hot-restart", "--log-level", "warning", "--drain-time-s", "5"];
    let config = [OsString::from("--config-path"), bootstrap(directory).into()];
    let arguments = arguments.into_iter().map(OsString::from).chain(config);
    let log = log(&directory.join("envoy.log"))?;
    Keeper::start(&parts.envoy, arguments, environment, log, afterwards)
}
