//! The dashboard and the guide say what the table says.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::metrics::table::{Kind, NOT_ON_THE_DASHBOARD, Row, TABLE};

fn document(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name)
}

fn dashboard() -> Value {
    serde_json::from_str(&fs::read_to_string(document("grafana.json")).unwrap()).unwrap()
}

fn is_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}

/// The families that a query names, each with the labels it is asked for.
fn asked(query: &str) -> Vec<(&'static Row, Vec<String>)> {
    let mut found: Vec<(&Row, Vec<String>)> = Vec::new();
    for (at, _) in query.match_indices("dragoman_") {
        let rest = &query[at..];
        let end = rest.find(|letter| !is_word(letter)).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let row = TABLE.iter().find(|row| match row.kind {
            Kind::Counter | Kind::Gauge => name == row.name,
            Kind::Histogram => {
                name.strip_prefix(row.name).is_some_and(|suffix| ["_bucket", "_sum", "_count"].contains(&suffix))
            }
        });
        let row = row.unwrap_or_else(|| panic!("{name} is no metric of ours, in {query}"));
        let matchers = after.strip_prefix('{').and_then(|after| after.split_once('}')).map_or("", |(within, _)| within);
        let labels = matchers.split(',').filter(|matcher| !matcher.is_empty());
        let label = |matcher: &str| matcher.split(|letter| !is_word(letter)).next().unwrap().to_string();
        found.push((row, labels.map(label).collect()));
    }
    // What a query groups by, every family in it must have.
    for group in query.split("by (").skip(1) {
        let group = group.split_once(')').unwrap().0;
        found.iter_mut().for_each(|(_, labels)| labels.extend(group.split(',').map(|label| label.trim().to_string())));
    }
    found
}

fn has(row: &Row, label: &str) -> bool {
    row.labels.contains(&label) || (row.kind == Kind::Histogram && label == "le")
}

/// The queries of a dashboard, each with the labels that its legend names.
fn queries(dashboard: &Value) -> Vec<(String, Vec<String>)> {
    let mut queries = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let legend = target["legendFormat"].as_str().unwrap();
            let labels = legend.split("{{").skip(1).map(|rest| rest.split_once("}}").unwrap().0.to_string());
            queries.push((target["expr"].as_str().unwrap().to_string(), labels.collect()));
        }
    }
    queries
}

#[test]
fn the_dashboard_asks_for_what_there_is() {
    let queries = queries(&dashboard());
    assert!(!queries.is_empty());
    for (query, legend) in queries {
        let asked = asked(&query);
        assert!(!asked.is_empty(), "{query} asks for nothing of ours");
        for (row, labels) in asked {
            for label in labels.iter().chain(&legend) {
                assert!(has(row, label), "{} has no label {label}: {query}", row.name);
            }
            // What is not grouped by is not there to be told.
            for label in &legend {
                assert!(query.contains("by (") && labels.contains(label), "the legend's {label} is lost: {query}");
            }
        }
    }
}

#[test]
fn the_dashboard_shows_every_family_or_the_table_says_why_not() {
    let dashboard = dashboard();
    let queries = queries(&dashboard);
    let shown: Vec<&str> = queries.iter().flat_map(|(query, _)| asked(query)).map(|(row, _)| row.name).collect();
    for row in TABLE {
        let left_out = NOT_ON_THE_DASHBOARD.iter().any(|(name, _)| *name == row.name);
        assert_ne!(shown.contains(&row.name), left_out, "{}: on the dashboard or left out, not both", row.name);
    }
    for (name, _) in NOT_ON_THE_DASHBOARD {
        assert!(TABLE.iter().any(|row| row.name == name), "{name} is no metric of ours");
    }
}

#[test]
fn the_dashboard_fills_its_menus_from_labels_that_there_are() {
    let dashboard = dashboard();
    let mut menus = Vec::new();
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        menus.push(variable["name"].as_str().unwrap().to_string());
        let Some(query) = variable["query"]["query"].as_str() else { continue };
        let (name, label) =
            query.strip_prefix("label_values(").unwrap().trim_end_matches(')').split_once(", ").unwrap();
        let row = TABLE.iter().find(|row| row.name == name).unwrap_or_else(|| panic!("{name} is no metric of ours"));
        assert!(has(row, label), "{name} has no label {label}");
    }
    for (query, _) in queries(&dashboard) {
        for rest in query.split('$').skip(1).filter(|rest| !rest.starts_with("__")) {
            let name = &rest[..rest.find(|letter| !is_word(letter)).unwrap_or(rest.len())];
            assert!(menus.iter().any(|menu| menu == name), "no menu {name}: {query}");
        }
    }
}

#[test]
fn panels_have_ids_of_their_own_and_do_not_overlap() {
    let dashboard = dashboard();
    let (mut ids, mut taken) = (std::collections::HashSet::new(), std::collections::HashSet::new());
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}");
        let number = |name: &str| panel["gridPos"][name].as_u64().unwrap();
        for (x, y) in (0..number("w")).flat_map(|x| (0..number("h")).map(move |y| (x, y))) {
            assert!(taken.insert((x + number("x"), y + number("y"))) && x + number("x") < 24, "{title} overlaps");
        }
    }
}

/// The part of the guide that is made from the table.
const MADE: (&str, &str) = ("<!-- made from the code: metrics -->\n", "<!-- end -->");

fn table() -> String {
    let mut text = String::from("\n| metric | type | labels | what it says |\n|---|---|---|---|\n");
    for row in TABLE {
        let labels: Vec<String> = row.labels.iter().map(|label| format!("`{label}`")).collect();
        writeln!(text, "| `{}` | {} | {} | {} |", row.name, row.kind.name(), labels.join(", "), row.help).unwrap();
    }
    text.push_str("\nNot on the dashboard: ");
    let left_out = NOT_ON_THE_DASHBOARD.map(|(name, why)| format!("`{name}` ({why})"));
    writeln!(text, "{}.\n", left_out.join(", ")).unwrap();
    text
}

#[test]
fn the_guide_is_what_the_table_says() {
    let path = document("observability.md");
    let guide = fs::read_to_string(&path).unwrap();
    let (before, rest) = guide.split_once(MADE.0).unwrap();
    let (_, after) = rest.split_once(MADE.1).unwrap();
    let made = format!("{before}{}{}{}{after}", MADE.0, table(), MADE.1);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &made).unwrap();
    }
    assert!(
        fs::read_to_string(&path).unwrap() == made,
        "docs/observability.md is another; run it with UPDATE_GOLDEN=1 and read the difference"
    );
}

#[test]
fn the_guide_s_alerts_ask_for_what_there_is() {
    let guide = fs::read_to_string(document("observability.md")).unwrap();
    let alerts: Vec<&str> = guide.split("- alert: ").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(!alerts.is_empty());
    for alert in alerts {
        let asked = asked(alert);
        assert!(!asked.is_empty(), "{alert}");
        for (row, label) in asked.iter().flat_map(|(row, labels)| labels.iter().map(move |label| (row, label))) {
            assert!(has(row, label), "{} has no label {label}: {alert}", row.name);
        }
    }
}

#[test]
fn a_query_is_taken_apart_rightly() {
    let asked = asked(r#"sum by (le, provider) (rate(dragoman_first_event_seconds_bucket{target=~"a|b"}[5m]))"#);
    let [(row, labels)] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!((row.name, labels.join(" ").as_str()), ("dragoman_first_event_seconds", "target le provider"));
}
