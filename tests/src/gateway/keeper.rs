//! A program that ends with us.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

/// A gateway in good order needs a moment to drain; after it, it is killed.
const FAREWELL: Duration = Duration::from_secs(10);

/// Runs the program and ends it when the input closes, which it does when the test process dies, however it dies; a signal
/// to the whole group does the same.
const KEEPER: &str = r#"
trap : INT TERM
"$@" </dev/null >&2 &
child=$!
echo "$child"
while read -r line; do :; done
kill -TERM "$child" 2>/dev/null
wait "$child"
[ -z "$DRAGOMAN_TEST_DIRECTORY" ] || rm -rf "$DRAGOMAN_TEST_DIRECTORY"
"#;

/// Whether the directory goes when the program has ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum Afterwards<'d> {
    /// Others still use it.
    Keep,
    /// It was for this program.
    Remove(&'d Path),
}

/// A running program and the shell that keeps it.
pub(super) struct Keeper {
    shell: Child,
    pid: u32,
}

impl Keeper {
    /// Starts a program with these arguments; what it says goes to `log`.
    pub(super) fn start(
        program: &Path,
        arguments: impl IntoIterator<Item = impl AsRef<OsStr>>,
        environment: &[(String, String)],
        log: File,
        afterwards: Afterwards<'_>,
    ) -> anyhow::Result<Self> {
        let directory = match afterwards {
            Afterwards::Keep => Path::new(""),
            Afterwards::Remove(directory) => directory,
        };
        let mut shell = Command::new("/bin/sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(program)
            .args(arguments)
            .envs(environment.iter().cloned())
            .env("DRAGOMAN_TEST_DIRECTORY", directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .with_context(|| format!("the shell that keeps {}", program.display()))?;
        let mut pid = String::new();
        if let Some(output) = shell.stdout.take() {
            BufReader::new(output).read_line(&mut pid)?;
        }
        let pid = pid.trim().parse().with_context(|| format!("the pid of {}", program.display()))?;
        Ok(Self { shell, pid })
    }

    /// The program's process.
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// The first child of the program.
    pub(super) fn child(&self) -> Option<u32> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid)).ok()?.flatten();
        let of_task = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("children")).ok();
        tasks.filter_map(of_task).find_map(|children| children.split_whitespace().next()?.parse().ok())
    }

    /// Ended and not yet waited for counts as ended.
    pub(super) fn has_ended(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap_or_default();
        stat.rsplit(") ").next().is_none_or(|state| state.is_empty() || state.starts_with('Z'))
    }

    /// Ends the program as a power cut would, and waits until it is gone.
    pub(super) fn kill(&mut self) -> anyhow::Result<()> {
        if self.has_ended() {
            bail!("process {} had ended by itself", self.pid);
        }
        self.kill_now();
        let until = Instant::now() + FAREWELL;
        while !self.has_ended() {
            if Instant::now() > until {
                bail!("process {} outlives SIGKILL", self.pid);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Nobody waits for the program but its shell, which waits when we let go: until then its id is nobody else's.
    fn kill_now(&self) {
        Command::new("kill").args(["-KILL", &self.pid.to_string()]).status().ok();
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let until = Instant::now() + FAREWELL;
        while matches!(self.shell.try_wait(), Ok(None)) {
            if Instant::now() > until {
                self.kill_now();
                self.shell.wait().ok();
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
