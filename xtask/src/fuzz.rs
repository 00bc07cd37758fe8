//! `cargo xtask fuzz`: cargo-fuzz on the stable toolchain, for a bounded time.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::layout::Layout;
use crate::{debian, process};

/// The version the targets were written against.
const VERSION: &str = "0.13.1";

/// Long enough to find what is shallow, short enough to run them all over a coffee.
const SECONDS: u32 = 30;

/// Fuzzes the named target, or all in turn.
///
/// # Errors
/// When cargo-fuzz cannot be installed, the seconds are not a number, or a target finds a failure.
pub(crate) fn fuzz(layout: &Layout, args: &[String]) -> Result<()> {
    let seconds = match args.get(1) {
        Some(text) => text.parse().with_context(|| format!("`{text}` is not a number of seconds"))?,
        None => SECONDS,
    };
    let tool = install(layout)?;
    let targets = match args.first() {
        Some(target) => vec![target.clone()],
        None => list(layout, &tool)?,
    };
    for target in targets {
        process::say(&format!("fuzzing {target} for {seconds} s"));
        run_target(layout, &tool, &target, seconds)?;
    }
    Ok(())
}

/// What is found and learnt stays under `target/fuzz`; inputs to start from may lie in `tests/fuzz/corpus/<target>`.
fn run_target(layout: &Layout, tool: &Path, target: &str, seconds: u32) -> Result<()> {
    let place = layout.installed.join("fuzz");
    let (corpus, artifacts) = (place.join("corpus").join(target), place.join("artifacts").join(target));
    for dir in [&corpus, &artifacts] {
        fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    }
    let mut run = cargo_fuzz(layout, tool, "run");
    run.arg("--target-dir").arg(place.join("build")).arg(target).arg(&corpus);
    let seeds = layout.root.join("tests/fuzz/corpus").join(target);
    if seeds.is_dir() {
        run.arg(seeds);
    }
    run.arg("--").arg(format!("-max_total_time={seconds}"));
    run.arg(format!("-artifact_prefix={}/", artifacts.display()));
    process::run(&mut run)
}

fn install(layout: &Layout) -> Result<PathBuf> {
    if !process::on_path("c++") && !process::on_path("g++") {
        debian::install(&["g++"], "a C++ compiler for libFuzzer")?;
    }
    let _turn = layout.lock()?;
    let root = layout.installed.join("tools");
    let tool = root.join("bin").join("cargo-fuzz");
    if !tool.is_file() {
        process::say("installing cargo-fuzz under target/tools");
        let mut cargo = process::cargo();
        cargo.args(["install", "cargo-fuzz", "--version", VERSION, "--locked", "--root"]).arg(&root);
        process::run(&mut cargo)?;
    }
    Ok(tool)
}

fn list(layout: &Layout, tool: &Path) -> Result<Vec<String>> {
    let listed = process::output(&mut cargo_fuzz(layout, tool, "list"))?;
    let targets: Vec<String> = listed.lines().map(str::to_owned).collect();
    if targets.is_empty() {
        bail!("tests/fuzz has no targets");
    }
    Ok(targets)
}

fn cargo_fuzz(layout: &Layout, tool: &Path, what: &str) -> Command {
    let mut command = Command::new(tool);
    process::forget_cargo_run(&mut command);
    command
        .current_dir(&layout.root)
        // The sanitizer flags are unstable by name; the code is not.
        .env("RUSTC_BOOTSTRAP", "1")
        .args(["fuzz", what, "--fuzz-dir", "tests/fuzz"]);
    command
}
