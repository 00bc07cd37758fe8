//! Debian packages: installed when we are root on a machine with apt-get, else asked for by name.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process;

/// Whether [`install`] has a chance here.
pub(crate) fn can_install() -> bool {
    process::on_path("apt-get") && is_root()
}

/// Installs packages, the lists refreshed first: a fresh image has none.
///
/// # Errors
/// Where it cannot be done, the message says what to install by hand and what for.
pub(crate) fn install(packages: &[&str], what_for: &str) -> Result<()> {
    let names = packages.join(" ");
    if !can_install() {
        bail!("{what_for} is missing. On Debian 12, as root: apt-get install {names}");
    }
    process::say(&format!("installing Debian packages {names}: {what_for}"));
    let mut update = apt_get();
    process::run(update.arg("update")).context("the package lists could not be refreshed")?;
    let mut install = apt_get();
    install.args(["install", "--yes", "--no-install-recommends"]).args(packages);
    process::run(&mut install).with_context(|| format!("{what_for} could not be installed"))
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    // Our standard output belongs to the caller; nothing may ask questions.
    command.arg("--quiet=2").env("DEBIAN_FRONTEND", "noninteractive").stdout(std::io::stderr());
    command
}

/// Root owns its own entry in /proc; no libc needed to ask.
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    Path::new("/proc/self").metadata().is_ok_and(|entry| entry.uid() == 0)
}
