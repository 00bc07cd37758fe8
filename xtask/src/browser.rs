//! Chromium for the tests: Debian's. What people see is tested in it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::{debian, process};

/// Where Debian puts it.
const PROGRAM: &str = "/usr/bin/chromium";

/// Gives the program, and installs it when it is missing. Where it can't be, the tests in it are left out, and this says so.
///
/// # Errors
/// When installing it fails.
pub(crate) fn install() -> Result<Option<PathBuf>> {
    let program = Path::new(PROGRAM);
    if !program.is_file() && !debian::can_install() {
        process::say("NOT CHECKED: what people see in a browser; on Debian 12, as root: apt-get install chromium");
        return Ok(None);
    }
    if !program.is_file() {
        debian::install(&["chromium"], "a browser for the tests of what people see")?;
    }
    program
        .is_file()
        .then(|| Some(program.to_owned()))
        .with_context(|| format!("chromium was installed but there is no {PROGRAM}"))
}
