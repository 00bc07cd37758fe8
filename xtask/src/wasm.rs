//! Builds the filters: the one module that Envoy loads; and beside it a small one of what selects models, for tests.
//!
//! The standard library for wasm32 comes from rustup where rustup can fetch it. Where it cannot (machines
//! whose only source is a Debian mirror), Debian's `rustc-web` brings a compiler and the library's sources,
//! and builds the library along with the module. The two cargos get a build folder each, or they would
//! throw away one another's work.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::layout::Layout;
use crate::process::{self, Ended};
use crate::{checks, debian};

const TARGET: &str = "wasm32-unknown-unknown";
const PACKAGE: &str = "dragoman-filters";
const FILE: &str = "dragoman_filters.wasm";
/// What selects models, alone: an example of the package.
const SELECTION: &str = "selection";
/// The cargo profile; cargo names the output folder after it.
const PROFILE: &str = "wasm";

/// V8 in Envoy has both; scanning JSON by 16 bytes at a time is what they are for.
const TARGET_FEATURES: &str = "-C target-feature=+simd128,+bulk-memory";

/// The oldest Debian compiler that can build the workspace (its `rust-version`), major and minor.
const OLDEST_DEBIAN: (u32, u32) = (1, 95);
const DEBIAN_PACKAGES: &[&str] = &["rustc-web", "cargo-web", "rust-web-src"];
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_SOURCES: &str = "/usr/lib/rustlib/src/rust/library";

/// The library is some 20 MB, seconds where the server can be reached; where it cannot, rustup hangs.
const RUSTUP_LIMIT: Duration = Duration::from_secs(20);
/// Without Debian to fall back on there is nothing to hurry for: ten minutes serve the slowest line.
const RUSTUP_LIMIT_ALONE: Duration = Duration::from_secs(600);

/// Which compiler makes the module.
enum Toolchain {
    /// The cargo that runs us, with the target's library beside its own.
    Rustup,
    /// Debian's cargo and rustc; the linker is the one rustup's toolchain carries.
    Debian { linker: PathBuf },
}

/// Builds the module and gives its path, `target/wasm/dragoman_filters.wasm`.
///
/// # Errors
/// When no toolchain is there or can be installed (the message says which packages), or the build fails.
pub(crate) fn build(layout: &Layout) -> Result<PathBuf> {
    let _turn = layout.lock()?;
    let toolchain = Toolchain::find(layout)?;
    let (mut cargo, folder) = match &toolchain {
        Toolchain::Rustup => (process::cargo(), "rustup"),
        Toolchain::Debian { linker } => (debian_cargo(linker), "debian"),
    };
    let build_dir = layout.installed.join("wasm-build").join(folder);
    cargo
        .current_dir(&layout.root)
        .args([
            "build",
            "--package",
            PACKAGE,
            "--lib",
            "--example",
            SELECTION,
            "--profile",
            PROFILE,
            "--target",
            TARGET,
            "--target-dir",
        ])
        .arg(&build_dir)
        // A variable of this target alone: build scripts and macros keep the host's flags. It yields to RUSTFLAGS.
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", TARGET_FEATURES)
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    if let Toolchain::Debian { .. } = toolchain {
        cargo.args(["-Z", "build-std=std,panic_abort"]);
    }
    process::run(cargo.stdout(std::io::stderr())).context("the filters do not build")?;
    let (built, place) = (build_dir.join(TARGET).join(PROFILE), layout.installed.join("wasm"));
    publish(&built.join("examples").join(format!("{SELECTION}.wasm")), &place)?;
    publish(&built.join(FILE), &place)
}

/// Lints what the filters compile only for wasm: the host calls.
///
/// # Errors
/// When there is a finding. Debian's compiler comes without clippy; then it says that nothing was checked.
pub(crate) fn lint(layout: &Layout) -> Result<()> {
    let _turn = layout.lock()?;
    let Toolchain::Rustup = Toolchain::find(layout)? else {
        process::say("NOT CHECKED: clippy comes with rustup's toolchain, and that has no library for wasm here");
        return Ok(());
    };
    let mut cargo = process::cargo();
    cargo
        .current_dir(&layout.root)
        .args(["clippy", "--package", PACKAGE, "--target", TARGET, "--target-dir"])
        .arg(layout.installed.join("wasm-build").join("clippy"))
        .args(["--", "-D", "warnings"]);
    checks::run_if_present("cargo-clippy", &mut cargo)
}

impl Toolchain {
    fn find(layout: &Layout) -> Result<Self> {
        let sysroot = PathBuf::from(process::output(Command::new("rustc").args(["--print", "sysroot"]))?);
        if has_target(&sysroot) {
            return Ok(Self::Rustup);
        }
        let fallback = debian_ready().is_ok() || debian::can_install();
        if add_target(layout, fallback)? && has_target(&sysroot) {
            return Ok(Self::Rustup);
        }
        if debian_ready().is_err() {
            debian::install(DEBIAN_PACKAGES, &format!("a Rust compiler for {TARGET}"))
                .with_context(|| format!("`rustup target add {TARGET}` did not work either"))?;
            debian_ready()?;
        }
        Ok(Self::Debian { linker: linker(&sysroot)? })
    }
}

fn has_target(sysroot: &Path) -> bool {
    sysroot.join("lib/rustlib").join(TARGET).join("lib").is_dir()
}

/// Asks rustup for the target's library. A failure is remembered in `target/` as long as there is
/// another way, so that it costs its seconds once.
fn add_target(layout: &Layout, fallback: bool) -> Result<bool> {
    let failed = layout.installed.join("wasm-build").join("rustup-could-not-add-the-target");
    if !process::on_path("rustup") || (fallback && failed.exists()) {
        return Ok(false);
    }
    process::say(&format!("asking rustup for {TARGET}"));
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", TARGET]).stdout(std::io::stderr());
    let limit = if fallback { RUSTUP_LIMIT } else { RUSTUP_LIMIT_ALONE };
    let why = match process::run_within(&mut rustup, limit)? {
        Ended::Well => return Ok(true),
        Ended::Badly => "it failed".to_owned(),
        Ended::TooLate => format!("no answer within {} s", limit.as_secs()),
    };
    process::say(&format!("rustup cannot add {TARGET} ({why}); Debian's compiler is the other way"));
    fs::create_dir_all(layout.installed.join("wasm-build")).context("cannot make target/wasm-build")?;
    fs::write(&failed, format!("{why}; remove this file to have it tried again\n"))
        .with_context(|| format!("cannot write {}", failed.display()))?;
    Ok(false)
}

/// Checks that Debian's compiler, cargo and sources are there, and new enough.
fn debian_ready() -> Result<()> {
    for path in [DEBIAN_RUSTC, DEBIAN_CARGO, DEBIAN_SOURCES] {
        if !Path::new(path).exists() {
            bail!("{path} is missing");
        }
    }
    let said = process::output(Command::new(DEBIAN_RUSTC).arg("--version"))?;
    let version = version_of(&said).with_context(|| format!("`{DEBIAN_RUSTC} --version` says {said:?}"))?;
    if version < OLDEST_DEBIAN {
        let (major, minor) = OLDEST_DEBIAN;
        bail!("{DEBIAN_RUSTC} is {said}; {major}.{minor} is needed, which Debian 12 has in its security archive");
    }
    Ok(())
}

/// Major and minor out of `rustc 1.96.0 (…)`.
fn version_of(said: &str) -> Option<(u32, u32)> {
    let mut numbers = said.split_whitespace().nth(1)?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// Debian's packages carry no linker for wasm; rustup's toolchain does.
fn linker(sysroot: &Path) -> Result<PathBuf> {
    let host = process::output(Command::new("rustc").args(["--print", "host-tuple"]))?;
    let linker = sysroot.join("lib/rustlib").join(host).join("bin/rust-lld");
    if !linker.is_file() {
        bail!("{} is missing: a toolchain of rustup's carries it, others may not", linker.display());
    }
    Ok(linker)
}

fn debian_cargo(linker: &Path) -> Command {
    let mut cargo = Command::new(DEBIAN_CARGO);
    process::forget_cargo_run(&mut cargo);
    cargo
        // build-std is unstable by name; Debian's compiler is of the stable channel.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTC", DEBIAN_RUSTC)
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker)
        // Rustup's wrapper set these for its own toolchain.
        .env_remove("CARGO")
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("LD_LIBRARY_PATH");
    cargo
}

/// Puts the module where everyone looks, in one step: a running Envoy may be reading the old one.
fn publish(built: &Path, dir: &Path) -> Result<PathBuf> {
    let name = built.file_name().unwrap_or_default();
    let place = dir.join(name);
    let bytes = fs::read(built).with_context(|| format!("the build left no {}", built.display()))?;
    if fs::read(&place).is_ok_and(|old| old == bytes) {
        return Ok(place);
    }
    fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let fresh = place.with_extension("new");
    fs::write(&fresh, &bytes).with_context(|| format!("cannot write {}", fresh.display()))?;
    fs::rename(&fresh, &place).with_context(|| format!("cannot write {}", place.display()))?;
    Ok(place)
}

#[cfg(test)]
mod tests {
    use super::version_of;

    #[test]
    fn the_version_is_read_from_what_rustc_says() {
        assert_eq!(version_of("rustc 1.96.0 (ac68faa20 2026-05-25) (built from a source tarball)"), Some((1, 96)));
        assert_eq!(version_of("rustc 1.63.0"), Some((1, 63)));
        assert_eq!(version_of("sh: rustc: not found"), None);
    }
}
