//! `cargo xtask test`: formatting, lints and every test, with all they need installed first.
//!
//! Every step runs even when one before it failed, so that one run shows all there is to repair; only a
//! part that the tests cannot do without ends it at once.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::layout::Layout;
use crate::python::{self, Venv};
use crate::serve::{self, Parts, Profile};
use crate::{browser, envoy, postgres, process, wasm};

/// Runs the checks; with arguments, only `cargo test` with these.
///
/// # Errors
/// When something cannot be installed or built, or any check fails.
pub(crate) fn test(layout: &Layout, args: &[String]) -> Result<()> {
    let mut steps = Steps::default();
    let parts = Parts {
        envoy: steps.must("Envoy", || envoy::install(layout))?,
        wasm: steps.must("filters (wasm)", || wasm::build(layout))?,
        dragoman: steps.must("control plane", || serve::build_dragoman(layout, Profile::Debug))?,
    };
    let venv = steps.must("Python packages", || clients(layout))?;
    let postgres = steps.must("PostgreSQL", postgres::install)?;
    let browser = steps.must("Chromium", browser::install)?;
    if args.is_empty() {
        steps.check("formatting", || run_if_present("rustfmt", cargo(layout).args(["fmt", "--all", "--check"])));
        steps.check("lints", || {
            let lints = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
            run_if_present("cargo-clippy", cargo(layout).args(lints))
        });
        steps.check("lints (wasm)", || wasm::lint(layout));
    }
    steps.check("tests", || {
        let mut tests = cargo(layout);
        tests.arg("test");
        // The whole workspace, filters included (natively their host calls do nothing), unless packages are named.
        if !args.iter().any(|arg| arg == "-p" || arg.starts_with("--package")) {
            tests.arg("--workspace");
        }
        if args.is_empty() {
            tests.arg("--no-fail-fast");
        }
        parts.tell(&mut tests);
        tests.env("DRAGOMAN_PYTHON", venv.python()).env("DRAGOMAN_POSTGRES", &postgres);
        if let Some(browser) = &browser {
            tests.env("DRAGOMAN_BROWSER", browser);
        }
        process::run(tests.args(args))
    });
    steps.verdict()
}

/// The packages of the real clients, and of what holds the admin API against its description, pinned in the repository. One
/// set: they share packages, and two sets would take these from one another.
fn clients(layout: &Layout) -> Result<Venv> {
    let _turn = layout.lock()?;
    let venv = Venv::open(layout)?;
    let files = ["tests/sdk/requirements.txt", "tests/admin/requirements.txt"];
    let pins = files.map(|file| python::requirements(&layout.root.join(file)));
    venv.install("clients", &pins.into_iter().collect::<Result<Vec<_>>>()?.join("\n"))?;
    Ok(venv)
}

/// Runs a cargo command of a tool that not every toolchain has; without the tool says so plainly.
pub(crate) fn run_if_present(tool: &str, command: &mut Command) -> Result<()> {
    let present = Command::new(tool).arg("--version").output().is_ok_and(|output| output.status.success());
    if present {
        return process::run(command);
    }
    process::say(&format!("NOT CHECKED: this toolchain has no {tool} (`rustup component add` brings it)"));
    Ok(())
}

fn cargo(layout: &Layout) -> Command {
    let mut cargo = process::cargo();
    cargo.current_dir(&layout.root);
    cargo
}

/// The steps so far: how long each took and whether it held.
#[derive(Default)]
struct Steps {
    done: Vec<Step>,
}

struct Step {
    name: &'static str,
    took: Duration,
    failure: Option<String>,
}

impl Steps {
    /// A step that the rest depends on.
    fn must<T>(&mut self, name: &'static str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let started = heading(name);
        let result = work();
        self.note(name, started, result.as_ref().err().map(|error| format!("{error:#}")));
        result
    }

    /// A step whose failure is kept for the verdict.
    fn check(&mut self, name: &'static str, work: impl FnOnce() -> Result<()>) {
        let started = heading(name);
        let failure = work().err().map(|error| format!("{error:#}"));
        self.note(name, started, failure);
    }

    fn note(&mut self, name: &'static str, started: Instant, failure: Option<String>) {
        let took = started.elapsed();
        match &failure {
            None => eprintln!("    {name}: {:.1} s", took.as_secs_f64()),
            Some(failure) => eprintln!("    {name}: FAILED after {:.1} s: {failure}", took.as_secs_f64()),
        }
        self.done.push(Step { name, took, failure });
    }

    /// Prints the table of steps; an error when any failed.
    fn verdict(self) -> Result<()> {
        eprintln!("\n==> summary");
        for step in &self.done {
            let word = if step.failure.is_some() { "FAILED" } else { "ok" };
            eprintln!("    {:<16} {word:<7} {:>6.1} s", step.name, step.took.as_secs_f64());
        }
        let failed: Vec<&str> = self.done.iter().filter(|step| step.failure.is_some()).map(|step| step.name).collect();
        if !failed.is_empty() {
            bail!("failed: {}", failed.join(", "));
        }
        Ok(())
    }
}

fn heading(name: &str) -> Instant {
    eprintln!("\n==> {name}");
    Instant::now()
}
