//! Where it was measured, and what.

use std::path::Path;
use std::process::Command;

/// What the numbers belong to.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The processor's name.
    pub processor: String,
    /// How many cores.
    pub cores: usize,
    /// The kernel's release.
    pub kernel: String,
    /// Envoy's version.
    pub envoy: String,
    /// The commit of this tree.
    pub commit: String,
}

/// Looks at this machine, this Envoy and this tree. What cannot be found out is called unknown.
pub fn describe(envoy: &Path) -> anyhow::Result<Machine> {
    let processors = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let version = output(Command::new(envoy).arg("--version")).unwrap_or_default();
    // `…  version: <commit>/<version>/<state>/<build>/<TLS>`
    let version =
        version.split('/').find(|part| part.starts_with(|first: char| first.is_ascii_digit()) && part.contains('.'));
    Ok(Machine {
        processor: processor.map_or("unknown processor", |(_, name)| name).to_owned(),
        cores: cores(),
        kernel: kernel.trim().to_owned(),
        envoy: version.unwrap_or("of unknown version").to_owned(),
        commit: commit().unwrap_or_else(|| "unknown".to_owned()),
    })
}

/// The machine's cores; not those this process may use, for that changes when it is pinned to one.
pub fn cores() -> usize {
    let processors = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    processors.lines().filter(|line| line.starts_with("processor")).count()
}

fn commit() -> Option<String> {
    let git = || {
        let mut git = Command::new("git");
        git.current_dir(env!("CARGO_MANIFEST_DIR"));
        git
    };
    let commit = output(git().args(["rev-parse", "--short=12", "HEAD"]))?;
    let changed = !output(git().args(["status", "--porcelain"]))?.trim().is_empty();
    Some(commit.trim().to_owned() + if changed { " with changes" } else { "" })
}

fn output(command: &mut Command) -> Option<String> {
    let output = command.output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
