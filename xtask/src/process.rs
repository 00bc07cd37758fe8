//! Running programs: a failure names the whole command, a wait has an end.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How often a program with a time limit is looked at: short against the seconds it may take.
const POLL: Duration = Duration::from_millis(100);

/// How a program with a time limit came out.
pub(crate) enum Ended {
    /// It exited with success.
    Well,
    /// It exited with failure; what it wrote went to our own error output.
    Badly,
    /// It was still running at the limit and has been killed.
    TooLate,
}

/// Cargo, as the one that runs us, with what `cargo run` added to the environment taken out again.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    forget_cargo_run(&mut command);
    command
}

/// Removes the variables that `cargo run` sets about the xtask package itself.
pub(crate) fn forget_cargo_run(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
}

/// Runs to the end, output shown as it comes, ours on standard error only.
///
/// # Errors
/// When the program cannot be started or does not succeed.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start `{}`", shown(command)))?;
    if !status.success() {
        bail!("`{}` failed ({status})", shown(command));
    }
    Ok(())
}

/// Runs to the end and gives the trimmed standard output.
///
/// # Errors
/// When the program cannot be started or does not succeed; the message carries its error output.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot start `{}`", shown(command)))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`{}` failed ({}): {}", shown(command), output.status, said.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Runs for at most `limit`, then kills.
///
/// # Errors
/// When the program cannot be started or watched.
pub(crate) fn run_within(command: &mut Command, limit: Duration) -> Result<Ended> {
    let mut child =
        command.stdin(Stdio::null()).spawn().with_context(|| format!("cannot start `{}`", shown(command)))?;
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().context("cannot wait for a child")? {
            return Ok(if status.success() { Ended::Well } else { Ended::Badly });
        }
        if started.elapsed() >= limit {
            child.kill().context("cannot kill a child that takes too long")?;
            child.wait().context("cannot wait for a killed child")?;
            return Ok(Ended::TooLate);
        }
        thread::sleep(POLL);
    }
}

/// Whether a program of that name is in `PATH`.
pub(crate) fn on_path(program: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).any(|dir| dir.join(program).is_file())
}

/// Says what is being done. On standard error: standard output is for the path a command prints.
pub(crate) fn say(what: &str) {
    eprintln!("xtask: {what}");
}

/// The command as one would type it, for messages.
fn shown(command: &Command) -> String {
    let mut text = command.get_program().to_string_lossy().into_owned();
    for arg in command.get_args().map(OsStr::to_string_lossy) {
        // Writing into a String cannot fail.
        let _ = write!(text, " {arg}");
    }
    text
}
