//! The commands that run the gateway: `up` in the foreground, `bench` and `chaos` under a program of the tests.

use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::layout::Layout;
use crate::{envoy, process, wasm};

/// What a run of the gateway needs, built or fetched.
pub(crate) struct Parts {
    pub(crate) wasm: PathBuf,
    pub(crate) envoy: PathBuf,
    pub(crate) dragoman: PathBuf,
}

/// How `dragoman` is compiled.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Built in the shortest time: for running and testing.
    Debug,
    /// Optimised: for measuring.
    Release,
}

impl Parts {
    /// Builds the filters and the control plane, fetches Envoy.
    ///
    /// # Errors
    /// When any of the three fails.
    pub(crate) fn make(layout: &Layout, profile: Profile) -> Result<Self> {
        let envoy = envoy::install(layout)?;
        let wasm = wasm::build(layout)?;
        let dragoman = build_dragoman(layout, profile)?;
        Ok(Self { wasm, envoy, dragoman })
    }

    /// Tells a program of the tests package where the parts are.
    pub(crate) fn tell(&self, command: &mut Command) {
        command.env("DRAGOMAN_ENVOY", &self.envoy).env("DRAGOMAN_WASM", &self.wasm).env("DRAGOMAN_BIN", &self.dragoman);
    }
}

/// Builds the binary `dragoman` and gives its path.
///
/// # Errors
/// When it does not build.
pub(crate) fn build_dragoman(layout: &Layout, profile: Profile) -> Result<PathBuf> {
    let mut cargo = process::cargo();
    cargo.current_dir(&layout.root).args(["build", "--package", "dragoman", "--bin", "dragoman"]);
    let folder = match profile {
        Profile::Debug => "debug",
        Profile::Release => {
            cargo.arg("--release");
            "release"
        }
    };
    process::run(cargo.stdout(std::io::stderr())).context("the control plane does not build")?;
    Ok(layout.dragoman(folder))
}

/// Serves in the foreground. Replaces this process, so that signals reach `dragoman` itself.
///
/// # Errors
/// When a part cannot be made, or the binary cannot be started; else it does not return.
pub(crate) fn up(layout: &Layout, args: &[String]) -> Result<()> {
    let parts = Parts::make(layout, Profile::Debug)?;
    let mut dragoman = Command::new(&parts.dragoman);
    process::forget_cargo_run(&mut dragoman);
    dragoman.arg("up").arg("--wasm").arg(&parts.wasm).arg("--envoy").arg(&parts.envoy).args(args);
    let error = dragoman.exec();
    Err(error).with_context(|| format!("cannot start {}", parts.dragoman.display()))
}

/// Measures the gateway against bare Envoy, everything optimised.
///
/// # Errors
/// When a part cannot be made, or the measuring program fails.
pub(crate) fn bench(layout: &Layout, args: &[String]) -> Result<()> {
    tests_program(layout, "bench", args)
}

/// Harms the gateway as the arguments say and prints what came of it; optimised, as it is shipped: memory and time count.
///
/// # Errors
/// When a part cannot be made, or something does not hold.
pub(crate) fn chaos(layout: &Layout, args: &[String]) -> Result<()> {
    tests_program(layout, "chaos", args)
}

/// Runs a program of the tests package on optimised parts.
fn tests_program(layout: &Layout, name: &str, args: &[String]) -> Result<()> {
    let parts = Parts::make(layout, Profile::Release)?;
    let mut cargo = process::cargo();
    cargo.current_dir(&layout.root).args(["run", "--release", "--package", "dragoman-tests", "--bin", name, "--"]);
    parts.tell(&mut cargo);
    process::run(cargo.args(args))
}
