//! Style as code: the rules of ARCHITECTURE.md that a machine can check, each with its reason.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that unwraps says where it failed")]

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A source file of the project, by its path from the root.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// The lines that are code: no comments, nothing from the first test module on.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let is_test_file = self.path.ends_with("tests.rs") || self.path.contains("/tests/");
        self.text
            .lines()
            .enumerate()
            .take_while(move |(_, line)| !is_test_file && !line.starts_with("#[cfg(test)]"))
            .map(|(number, line)| (number + 1, line.split(" // ").next().unwrap_or_default()))
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

fn sources(folder: &str) -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" {
                folders.push(path);
            } else if name.ends_with(".rs") {
                let from_root = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
                found.push(Source { path: from_root, text: fs::read_to_string(&path).unwrap() });
            }
        }
    }
    found.sort_by(|one, two| one.path.cmp(&two.path));
    assert!(!found.is_empty(), "{folder} holds no Rust");
    found
}

fn all() -> Vec<Source> {
    ["core/src", "filters/src", "control-plane/src", "tests/src", "xtask/src"].into_iter().flat_map(sources).collect()
}

fn report(rule: &str, offences: Vec<String>) {
    assert!(offences.is_empty(), "{rule}:\n  {}", offences.join("\n  "));
}

/// The layers of core, lower ones first. A module may use its own layer and those below: then a change's reach is seen at a
/// glance, and what is at the bottom can be fuzzed alone.
const LAYERS: [&[&str]; 9] = [
    &["json", "percent", "secret"],
    &["framing"],
    &["usage", "estimate", "price", "budget", "catalog", "loss", "hints"],
    &["hub"],
    &["failure", "features", "artifact"],
    &["preferences"],
    &["refusal", "record", "feedback", "health", "snapshot", "admission", "rule"],
    &["dialect", "select", "memory", "interpret"],
    &["exchange", "attempt", "explain"],
];

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// Modules of core that a line of code names after `crate::`.
fn used(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("crate::").map(|(at, found)| {
        let rest = &line[at + found.len()..];
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        &rest[..end]
    })
}

#[test]
fn arrows_inside_core_point_down() {
    let mut offences = Vec::new();
    for source in sources("core/src") {
        let module = source.path.trim_start_matches("core/src/").split(['/', '.']).next().unwrap_or_default();
        let Some(own) = layer(module) else {
            assert_eq!(module, "lib", "{}: give the module a layer", source.path);
            continue;
        };
        for (number, line) in source.code() {
            let up = used(line).filter(|name| layer(name).is_some_and(|layer| layer > own));
            offences.extend(up.map(|name| format!("{}:{number}: {module} uses {name}", source.path)));
        }
    }
    report("arrows inside core point down only", offences);
}

#[test]
fn dialects_do_not_see_one_another() {
    let dialects = ["chat_completions", "messages", "generate_content", "responses", "chat_v2", "converse"];
    let mut offences = Vec::new();
    for source in sources("core/src/dialect") {
        let own = source.path.trim_start_matches("core/src/dialect/").split(['/', '.']).next().unwrap_or_default();
        for (number, line) in source.code() {
            for other in dialects.iter().filter(|other| **other != own) {
                if line.contains(&format!("dialect::{other}")) || line.contains(&format!("super::{other}")) {
                    offences.push(format!("{}:{number}: {own} uses {other}", source.path));
                }
            }
        }
    }
    report("there are readers and writers, and no pairs of dialects", offences);
}

/// What may stand only behind one door, so that it is known where to look and what to guard.
const DOORS: [(&str, &str, &[&str]); 7] = [
    ("sqlx::", "control-plane/src", &["control-plane/src/store"]),
    ("axum::", "control-plane/src", &["control-plane/src/admin", "control-plane/src/demo"]),
    (
        "tonic::",
        "control-plane/src",
        &["control-plane/src/data_plane", "control-plane/src/xds", "control-plane/src/contract"],
    ),
    ("extern \"C\"", "filters/src", &["filters/src/host", "filters/src/abi"]),
    ("unsafe ", "filters/src", &["filters/src/host", "filters/src/abi"]),
    ("unsafe ", "core/src", &[]),
    ("std::time", "core/src", &[]),
];

#[test]
fn every_kind_has_one_door() {
    let mut offences = Vec::new();
    for (word, folder, doors) in DOORS {
        for source in sources(folder).iter().filter(|source| !doors.iter().any(|door| source.path.starts_with(door))) {
            let hits = source.code().filter(|(_, line)| line.contains(word));
            offences.extend(hits.map(|(number, _)| format!("{}:{number}: {word}", source.path)));
        }
    }
    report("one door per kind", offences);
}

#[test]
fn core_touches_nothing() {
    let forbidden =
        ["std::fs", "std::net", "std::env", "std::thread", "println!", "eprintln!", "SystemTime", "Instant"];
    let mut offences = Vec::new();
    for source in sources("core/src") {
        for (number, line) in source.code() {
            let hits = forbidden.iter().filter(|word| line.contains(**word));
            offences.extend(hits.map(|word| format!("{}:{number}: {word}", source.path)));
        }
    }
    report("core has no I/O, clock, randomness or logging", offences);
}

#[test]
fn json_is_emitted_by_the_writer_alone() {
    let mut offences = Vec::new();
    for source in sources("core/src").into_iter().chain(sources("filters/src")) {
        let hits = source.code().filter(|(_, line)| {
            let looks = line.contains("\"{\\\"")
                || line.contains("r#\"{\"")
                || line.contains("r#\"{{")
                || line.contains("{{\\\"");
            // Looking for a spelling is not emitting it.
            looks && !line.contains("starts_with") && !line.contains("find") && !line.contains("contains")
        });
        offences.extend(hits.map(|(number, _)| format!("{}:{number}", source.path)));
    }
    report("JSON made by hand breaks at the first quote; use json/write.rs", offences);
}

#[test]
fn no_provider_and_no_model_in_code() {
    // A provider is a row; its name in code is a special case in the making. Dialects are named after their vendors' APIs.
    let names =
        ["openai", "anthropic", "gemini", "groq", "mistral", "cohere", "openrouter", "deepseek", "claude", "gpt-"];
    let mut offences = Vec::new();
    for source in all() {
        let exempt = source.path.starts_with("core/src/dialect/")
            || source.path.starts_with("tests/")
            || source.path.starts_with("xtask/");
        if exempt {
            continue;
        }
        for (number, line) in source.code() {
            let lower = line.to_lowercase();
            // Header names that say which dialect a client speaks are wire vocabulary.
            let lower = lower.replace("anthropic-version", "");
            let hits = names.iter().filter(|name| lower.contains(**name));
            offences.extend(hits.map(|name| format!("{}:{number}: {name}", source.path)));
        }
    }
    report("providers and models are rows (control-plane/catalog), not code", offences);
}

#[test]
fn pages_are_small() {
    let mut offences = Vec::new();
    for source in all() {
        let limit = if source.path.starts_with("core/src/dialect") { 800 } else { 400 };
        let is_test = source.path.ends_with("tests.rs");
        let lines = source.text.lines().take_while(|line| !line.starts_with("#[cfg(test)]")).count();
        if lines > limit && !is_test {
            offences.push(format!("{}: {lines} lines, {limit} allowed", source.path));
        }
    }
    report("one idea a file, short enough to read at once", offences);
}

#[test]
fn names_say_something() {
    let silent = ["util", "utils", "common", "helper", "helpers", "misc", "manager"];
    let offences = all()
        .into_iter()
        .filter(|source| source.path.split(['/', '.']).any(|word| silent.contains(&word)))
        .map(|source| source.path)
        .collect();
    report("a name says what is inside", offences);
}

#[test]
fn nothing_is_left_for_later() {
    let mut offences = Vec::new();
    for source in all() {
        for (number, line) in source.text.lines().enumerate() {
            if ["TODO", "FIXME", "XXX", "todo!(", "unimplemented!("].iter().any(|mark| line.contains(mark)) {
                offences.push(format!("{}:{}", source.path, number + 1));
            }
        }
    }
    report("what is not done is an issue, not a comment", offences);
}

#[test]
fn the_planes_meet_in_core_alone() {
    for (package, stranger) in [
        ("filters", "dragoman ="),
        ("filters", "path = \"../control-plane"),
        ("control-plane", "dragoman-filters"),
        ("core", "dragoman"),
    ] {
        let manifest = fs::read_to_string(root().join(package).join("Cargo.toml")).unwrap();
        let dependencies: Vec<&str> = manifest
            .lines()
            .skip_while(|line| !line.contains("dependencies]"))
            .filter(|line| line.contains('='))
            .collect();
        let offence = dependencies.iter().find(|line| line.contains(stranger));
        assert_eq!(offence, None, "{package}/Cargo.toml depends on {stranger}");
    }
}

#[test]
fn paths_named_in_documents_exist() {
    let mut offences = Vec::new();
    for document in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"] {
        let text = fs::read_to_string(root().join(document)).unwrap();
        for word in text.split('`').skip(1).step_by(2) {
            let folders = ["core/", "filters/", "control-plane/", "envoy/", "tests/", "xtask/", "docs/"];
            let is_path = folders.iter().any(|folder| word.starts_with(folder)) && !word.contains(['*', '{', ' ', '<']);
            if is_path && !root().join(word).exists() {
                offences.push(format!("{document}: {word}"));
            }
        }
    }
    report("a document names only what exists", offences);
}

#[test]
fn commits_name_no_machine() {
    // Split so that this file does not name what it forbids.
    let hosts =
        [["pypi", ".org"], ["crates", ".io"], ["npmjs", ".org"], ["deb.debian", ".org"]].map(|parts| parts.concat());
    let mut offences = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().flatten() {
            let path = entry.path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if !["target", ".git", "corpus", "artifacts", ".dragoman"].contains(&name.as_str()) {
                    folders.push(path);
                }
                continue;
            }
            // Lock files name their registry; that is what they are for.
            if name == "Cargo.lock" {
                continue;
            }
            let Ok(text) = fs::read_to_string(&path) else { continue };
            offences.extend(
                hosts.iter().filter(|host| text.contains(*host)).map(|host| format!("{}: {host}", path.display())),
            );
        }
    }
    report("no registry's host in a commit", offences);
}
