//! Recorded traffic of real clients and providers through the pure core, in every direction; `docs/conformance.md` shows the result.
//!
//! The recordings lie beside the repository; without them there is nothing to run, and the test says so. What every check
//! does is tested with small recordings of our own in `dragoman_tests::corpus`.
//!
//! After a wanted change: `UPDATE_GOLDEN=1 cargo test -p dragoman-tests --test corpus`.
#![expect(clippy::unwrap_used, reason = "a test that unwraps says where it failed")]

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use dragoman_core::catalog::{DialectId, Operation};
use dragoman_core::dialect;
use dragoman_tests::corpus;
use dragoman_tests::corpus::asked::Asked;
use dragoman_tests::corpus::recording::{Recording, agents, files, supplement};
use dragoman_tests::corpus::report::{Explained, Report};
use dragoman_tests::corpus::types::{self, Violation};
use dragoman_tests::corpus::verdict::{Check, Invariant, Verdict};
use dragoman_tests::gateway::python;

/// The exchanges of 10,000 that must pass everything.
const BAR: usize = 9_950;

/// Failures that are printed.
const SHOWN: usize = 60;

const BEGIN: &str = "<!-- made by tests/tests/corpus.rs -->\n";
const END: &str = "<!-- end -->\n";

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/conformance.md")
}

fn explanations() -> Vec<Explained> {
    Explained::list(include_str!("../conformance/explained.txt"))
}

/// Puts the generated part into the page, or compares it.
fn check_page(made: &str) {
    let text = fs::read_to_string(page()).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let wanted = format!("{before}{BEGIN}{made}{END}{after}");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(page(), &wanted).unwrap();
    }
    assert_eq!(fs::read_to_string(page()).unwrap(), wanted, "run it with UPDATE_GOLDEN=1 and read the difference");
}

/// The vendors' types, in one Python process per core.
fn hold_against_types(python: &Path, folder: &Path, verdicts: &mut [Verdict]) {
    let files = files(folder);
    let halves: Vec<&[PathBuf]> = files.chunks(files.len().div_ceil(corpus::threads()).max(1)).collect();
    let found = corpus::on_all_cores(&halves, |half| {
        let read = |file: &PathBuf| Recording::read(file).map(|recording| types::lines(&recording)).unwrap();
        let lines: Vec<String> = half.iter().flat_map(read).collect();
        println!("{} documents for the vendors' types", lines.len());
        types::check(python, &lines).unwrap()
    });
    let mut by_recording: HashMap<String, Vec<Violation>> = HashMap::new();
    for violation in found.into_iter().flatten() {
        by_recording.entry(violation.id.clone()).or_default().push(violation);
    }
    for verdict in verdicts.iter_mut().filter(|verdict| verdict.dialect.is_some()) {
        let violations = by_recording.remove(&verdict.id).unwrap_or_default();
        let checked: Vec<(Invariant, DialectId)> = verdict.checks.iter().filter_map(typed).collect();
        for (invariant, other) in checked {
            let of = violations.iter().filter(|one| one.invariant == invariant && one.other == Some(other));
            let mut of: Vec<String> = of.map(|one| one.problem.clone()).collect();
            of.dedup();
            verdict.note(invariant, Some(other), of);
        }
    }
}

/// What types a check's document was held against, too.
fn typed(check: &Check) -> Option<(Invariant, DialectId)> {
    match check.invariant {
        Invariant::Cross => Some((Invariant::Types, check.other?)),
        Invariant::Request => Some((Invariant::RequestTypes, check.other?)),
        _ => None,
    }
}

#[test]
fn recorded_exchanges_keep_every_invariant() {
    let Some(folder) = corpus::folder() else {
        println!("skipped: there are no recordings beside the repository");
        return;
    };
    let mut verdicts: Vec<Verdict> =
        corpus::on_all_cores(&files(&folder), |file| corpus::judge(&Recording::read(file).unwrap()));
    let python = std::env::var_os("DRAGOMAN_PYTHON").and_then(|_| python().ok());
    match &python {
        Some(python) => hold_against_types(python, &folder, &mut verdicts),
        None => println!("skipped: the vendors' types, as there is no DRAGOMAN_PYTHON"),
    }
    if let Some(path) = std::env::var_os("DRAGOMAN_CORPUS_LINES") {
        let lines: Vec<String> = verdicts.iter().flat_map(Verdict::lines).collect();
        fs::write(path, lines.join("\n")).unwrap();
    }
    let report = Report::of(verdicts, &explanations());
    let made = report.page();
    println!("{made}");
    if python.is_some() {
        check_page(&made);
    }
    let failures = report.unexplained.len();
    let some: Vec<&str> = report.unexplained.iter().take(SHOWN).map(String::as_str).collect();
    assert!(some.is_empty(), "{failures} failures, among them:\n{}", some.join("\n"));
    assert_eq!(report.idle(), Vec::<&str>::new(), "explanations that nothing needs");
    assert!(report.per_myriad() >= BAR, "{} of 10,000 pass", report.per_myriad());
}

/// The requests of coding agents, each in the dialect of the path it went to.
#[test]
fn what_agents_send_is_said_in_every_dialect() {
    let Some(folder) = corpus::folder() else {
        println!("skipped: there are no recordings beside the repository");
        return;
    };
    let mut failures = Vec::new();
    let mut asked_of: HashMap<DialectId, usize> = HashMap::new();
    for file in fs::read_dir(folder.join("../agents")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "jsonl") {
            continue;
        }
        for (id, sent) in agents(&path).unwrap() {
            let known = dialect::ALL.iter().filter_map(|dialect| dialect.client());
            let endpoint = known.filter_map(|client| client.endpoint(&sent.method, &sent.path)?.ok()).next();
            let Some(endpoint) = endpoint.filter(|endpoint| endpoint.operation == Operation::Generate) else {
                continue;
            };
            let Some(asked) = Asked::of(endpoint.dialect, &sent, false) else { continue };
            *asked_of.entry(endpoint.dialect).or_default() += 1;
            let mut verdict = Verdict { id, dialect: Some(endpoint.dialect), ..Verdict::default() };
            corpus::judge_request(&asked, &mut verdict);
            failures.extend(verdict.lines());
        }
    }
    println!("{asked_of:?}");
    assert_eq!(asked_of.len(), 4, "every client's dialect is spoken by some agent");
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

/// Forms of errors that no recording has.
#[test]
fn errors_that_nobody_recorded_are_understood() {
    let Some(folder) = corpus::folder() else {
        println!("skipped: there are no recordings beside the repository");
        return;
    };
    let cases = supplement(&folder.join("../errors_supplement.json")).unwrap();
    let failures: Vec<String> =
        cases.iter().map(corpus::judge).flat_map(|verdict| verdict.lines().collect::<Vec<_>>()).collect();
    println!("{} forms", cases.len());
    assert!(cases.iter().all(|case| case.dialect.is_some()));
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}
