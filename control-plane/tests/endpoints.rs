//! The endpoints of the admin API as `docs/reference.md` lists them, and that `docs/admin.md` names no other.
//!
//! `UPDATE_GOLDEN=1 cargo test -p dragoman --test endpoints` writes the list anew.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// What everything stands below, in the guide.
const BASE: &str = "$API";

const METHODS: [&str; 4] = ["get", "put", "post", "delete"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Method, path and description of every endpoint; by path, each path's in the order of [`METHODS`].
fn endpoints() -> Vec<(String, String, Value)> {
    let description = dragoman::admin::description();
    let paths = description["paths"].as_object().unwrap();
    let mut all = Vec::new();
    for (path, item) in paths {
        for method in METHODS {
            if let Some(operation) = item.get(method) {
                all.push((method.to_uppercase(), path.clone(), operation.clone()));
            }
        }
    }
    all
}

fn table() -> String {
    let mut page = String::from("| method | path | roles | what it does |\n|---|---|---|---|\n");
    for (method, path, operation) in endpoints() {
        let roles: Vec<&str> =
            operation["x-roles"].as_array().unwrap().iter().map(|role| role.as_str().unwrap()).collect();
        let summary = operation["summary"].as_str().unwrap();
        writeln!(page, "| {method} | `{path}` | {} | {summary} |", roles.join(", ")).unwrap();
    }
    page
}

#[test]
fn the_endpoints_are_listed_as_they_are() {
    let path = root().join("control-plane/tests/golden/endpoints.md");
    let table = table();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &table).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(golden, table, "run it with UPDATE_GOLDEN=1 and read the difference");
}

/// Whether a path of the guide is one of the description, names in braces standing for anything.
fn is(path: &str, described: &str) -> bool {
    let (one, other): (Vec<&str>, Vec<&str>) = (path.split('/').collect(), described.split('/').collect());
    one.len() == other.len() && one.iter().zip(&other).all(|(own, name)| own == name || name.starts_with('{'))
}

/// Where a path of the guide ends.
fn ends(c: char) -> bool {
    c.is_whitespace() || matches!(c, '`' | '"' | '\'' | '?')
}

#[test]
fn the_guide_names_endpoints_that_are_there() {
    let guide = std::fs::read_to_string(root().join("docs/admin.md")).unwrap();
    let endpoints = endpoints();
    let mut found = BTreeSet::new();
    // `GET /providers`, as prose and tables say it.
    for code in guide.split('`') {
        let Some((method, path)) = code.split_once(" /") else { continue };
        if METHODS.contains(&method.to_lowercase().as_str()) && method == method.to_uppercase() {
            let path = path.split(ends).next().unwrap();
            let path = if path == "metrics" { format!("/{path}") } else { format!("/api/v1/{path}") };
            let known = endpoints.iter().any(|(own, described, _)| own == method && is(&path, described));
            assert!(known, "{method} {path} is not there");
            found.insert(path);
        }
    }
    // "$API/providers/corp", as commands say it.
    for rest in guide.split(&format!("{BASE}/")).skip(1) {
        let path = format!("/api/v1/{}", rest.split(ends).next().unwrap());
        assert!(endpoints.iter().any(|(_, described, _)| is(&path, described)), "{path} is not there");
        found.insert(path);
    }
    assert!(found.len() > 20, "{found:?}");
}
