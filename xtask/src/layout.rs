//! Where things are: the repository, and the places under `target/` that are xtask's own.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::process;

/// The folders every command works with. All paths are absolute.
pub(crate) struct Layout {
    /// The root of the repository.
    pub(crate) root: PathBuf,
    /// What xtask installs and the wasm module; always `<root>/target`.
    pub(crate) installed: PathBuf,
    /// Cargo's native builds: the same folder, unless `CARGO_TARGET_DIR` says otherwise.
    pub(crate) native: PathBuf,
}

impl Layout {
    /// Finds the repository from the place this crate was compiled at.
    ///
    /// # Errors
    /// When `target/` cannot be made, or the repository was moved since xtask was compiled.
    pub(crate) fn find() -> Result<Self> {
        // `cargo run` sets the variable; a binary started by hand falls back on where it was compiled.
        let crate_dir = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let root = Path::new(&crate_dir)
            .join("..")
            .canonicalize()
            .context("the repository is not where xtask was compiled; run `cargo xtask` inside it")?;
        let installed = root.join("target");
        fs::create_dir_all(&installed).with_context(|| format!("cannot make {}", installed.display()))?;
        let native = match env::var_os("CARGO_TARGET_DIR") {
            // Cargo is started in the root, so that is what it takes a relative path from.
            Some(dir) => root.join(dir),
            None => installed.clone(),
        };
        Ok(Self { root, installed, native })
    }

    /// The built `dragoman` of a cargo profile's folder (`debug`, `release`).
    pub(crate) fn dragoman(&self, profile: &str) -> PathBuf {
        self.native.join(profile).join("dragoman")
    }

    /// Waits for the turn to install: two commands at once must not fill one venv. Released on drop.
    ///
    /// # Errors
    /// When the lock file cannot be opened or locked.
    pub(crate) fn lock(&self) -> Result<File> {
        let path = self.installed.join("xtask.lock");
        let file = File::create(&path).with_context(|| format!("cannot open {}", path.display()))?;
        if file.try_lock().is_err() {
            process::say("waiting for another xtask to finish installing or building");
            file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
        }
        Ok(file)
    }
}
