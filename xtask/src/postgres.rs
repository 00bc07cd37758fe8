//! PostgreSQL for the tests: Debian's programs. The tests make a cluster of their own with them and throw it away.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::debian;

/// Where Debian puts each version's programs.
const VERSIONS: &str = "/usr/lib/postgresql";

/// Read by Debian's package when it is installed: without it, a cluster of its own is made and started, which nobody asked for.
const NO_CLUSTER: (&str, &str) = (
    "/etc/postgresql-common/createcluster.d/dragoman.conf",
    "# Dragoman's tests make their own.\ncreate_main_cluster = false\n",
);

/// Gives the directory of `initdb` and `postgres`; installs them when they are missing.
///
/// # Errors
/// When they cannot be installed; the message says which package to install by hand.
pub(crate) fn install() -> Result<PathBuf> {
    if let Some(programs) = newest() {
        return Ok(programs);
    }
    if debian::can_install() {
        let (path, text) = (Path::new(NO_CLUSTER.0), NO_CLUSTER.1);
        path.parent().map_or(Ok(()), fs::create_dir_all).with_context(|| format!("cannot make {}", path.display()))?;
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    debian::install(&["postgresql"], "PostgreSQL for the tests of the store")?;
    newest().with_context(|| format!("postgresql was installed but there is no initdb below {VERSIONS}"))
}

/// The programs of the newest version that is there.
fn newest() -> Option<PathBuf> {
    let versions = fs::read_dir(VERSIONS).ok()?.flatten();
    let number = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    let programs = versions.map(|version| version.path()).filter(|path| path.join("bin/initdb").is_file());
    Some(programs.max_by_key(number)?.join("bin"))
}
