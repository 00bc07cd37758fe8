use std::collections::{BTreeMap, BTreeSet};

use dragoman_core::estimate::Estimate;
use dragoman_core::failure::Failure;
use dragoman_core::loss::Losses;
use dragoman_core::usage::Usage;

use super::table::{Kind, TABLE};
use super::*;

mod documents;

fn names(names: &[&str]) -> HashSet<String> {
    names.iter().map(|name| name.to_string()).collect()
}

fn known() -> Known {
    Known { providers: names(&["a", "b"]), targets: names(&["a/m", "b/m"]), routes: names(&["auto"]) }
}

fn outcome(target: &str, ending: Ending, status: u16, total_ms: u64) -> Outcome {
    Outcome { target: target.into(), ending, status, total_ms, ..Outcome::default() }
}

/// A streamed exchange whose first target was out of breath.
fn fallen_back() -> Record {
    Record {
        exchange: "x1".into(),
        dialect: "messages".into(),
        operation: "generate".into(),
        route: "auto".into(),
        streamed: true,
        status: 200,
        losses: Losses { approximated: vec!["stop".into()], dropped: vec!["top_k".into(), "seed".into()] },
        outcomes: vec![
            Outcome { failure: Some(Failure::Throttled), ..outcome("a/m", Ending::Retriable, 429, 100) },
            Outcome {
                first_event_ms: Some(400),
                usage: Usage {
                    input: Some(10),
                    cache_read: Some(4),
                    cache_write: Some(1),
                    output: Some(100),
                    reasoning: Some(7),
                    suspect: true,
                    ..Usage::default()
                },
                estimate: Some(Estimate { input: 10, output: 120 }),
                ..outcome("b/m", Ending::Answered, 200, 1400)
            },
        ],
        ..Record::default()
    }
}

/// One whose first target was slow, and the other one quicker.
fn hedged() -> Record {
    let hedge = Outcome { hedged_after_ms: Some(300), ..outcome("b/m", Ending::Answered, 200, 200) };
    Record {
        exchange: "x3".into(),
        dialect: "responses".into(),
        status: 200,
        outcomes: vec![outcome("a/m", Ending::Outrun, 0, 480), hedge],
        ..Record::default()
    }
}

#[test]
fn who_was_outrun_took_no_time_and_failed_nobody() {
    let metrics = Metrics::new();
    metrics.observe(&hedged(), &[], &known());
    let page = metrics.page();
    for (line, expected) in [
        (r#"dragoman_hedges_total{provider="b",target="b/m",ending="answered"}"#, 1.0),
        (r#"dragoman_attempts_total{provider="a",target="a/m",ending="outrun"}"#, 1.0),
        (r#"dragoman_exchange_seconds_sum{dialect="responses"}"#, 0.5),
    ] {
        assert!((value(&page, line) - expected).abs() < 1e-9, "{line}: {}", value(&page, line));
    }
    assert!(!page.contains("dragoman_fallbacks_total{") && !page.contains("dragoman_failures_total{"));
    assert_eq!(metrics.summary().all.errors, 0);
}

fn refused() -> Record {
    Record { exchange: "x2".into(), status: 401, refusal: "no_key".into(), ..Record::default() }
}

/// Metrics in which every family has something but that of hedges.
fn filled() -> Metrics {
    let metrics = Metrics::new();
    metrics.observe(&fallen_back(), &[None, Some(1234)], &known());
    metrics.observe(&fallen_back(), &[], &known());
    metrics.observe(&refused(), &[], &known());
    metrics.breakers([("a/m".to_string(), 2)].into(), &known());
    metrics.snapshot(7);
    metrics.data_planes(2, 1);
    metrics.rejected(Rejection::Filter);
    metrics.rejected(Rejection::Envoy);
    metrics.discovered("a", "found");
    metrics.minted("a", true);
    metrics.admin_request("list_keys", 200);
    metrics.spans(Spans::Sent, 3);
    metrics
}

/// The value of a line of the page.
fn value(page: &str, line: &str) -> f64 {
    let found = page.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(' '));
    found.unwrap_or_else(|| panic!("no {line} in\n{page}")).parse().unwrap()
}

#[test]
fn what_is_rare_begins_at_zero() {
    let page = Metrics::new().page();
    for line in [
        "dragoman_records_settled_total{}",
        r#"dragoman_snapshot_rejections_total{by="filter"}"#,
        r#"dragoman_snapshot_rejections_total{by="envoy"}"#,
        r#"dragoman_spans_total{result="failed"}"#,
    ] {
        assert_eq!(value(&page, line), 0.0, "{line}");
    }
}

#[test]
fn a_record_is_counted_where_it_belongs() {
    let page = filled().page();
    for (line, expected) in [
        (r#"dragoman_requests_total{dialect="messages",operation="generate",route="auto",status="2xx"}"#, 2.0),
        (r#"dragoman_requests_total{dialect="none",operation="none",route="none",status="4xx"}"#, 1.0),
        (r#"dragoman_attempts_total{provider="a",target="a/m",ending="retriable"}"#, 2.0),
        (r#"dragoman_attempts_total{provider="b",target="b/m",ending="answered"}"#, 2.0),
        (r#"dragoman_fallbacks_total{provider="a",reason="rate_limited"}"#, 2.0),
        (r#"dragoman_first_event_seconds_sum{provider="b",target="b/m"}"#, 0.8),
        (r#"dragoman_first_event_seconds_bucket{le="0.25",provider="b",target="b/m"}"#, 0.0),
        (r#"dragoman_first_event_seconds_bucket{le="0.5",provider="b",target="b/m"}"#, 2.0),
        (r#"dragoman_exchange_seconds_sum{dialect="messages"}"#, 3.0),
        (r#"dragoman_inter_token_seconds_sum{provider="b",target="b/m"}"#, 0.02),
        (r#"dragoman_tokens_total{provider="b",target="b/m",kind="input"}"#, 20.0),
        (r#"dragoman_tokens_total{provider="b",target="b/m",kind="cache_read"}"#, 8.0),
        (r#"dragoman_tokens_total{provider="b",target="b/m",kind="cache_write"}"#, 2.0),
        (r#"dragoman_tokens_total{provider="b",target="b/m",kind="output"}"#, 200.0),
        (r#"dragoman_tokens_total{provider="b",target="b/m",kind="reasoning"}"#, 14.0),
        (r#"dragoman_cost_microdollars_total{provider="b",target="b/m"}"#, 1234.0),
        (r#"dragoman_cost_unknown_total{provider="b",target="b/m"}"#, 1.0),
        (r#"dragoman_usage_estimated_total{provider="b",target="b/m"}"#, 2.0),
        (r#"dragoman_usage_suspect_total{provider="b",target="b/m"}"#, 2.0),
        (r#"dragoman_dropped_members_total{kind="dropped"}"#, 4.0),
        (r#"dragoman_dropped_members_total{kind="approximated"}"#, 2.0),
        (r#"dragoman_refusals_total{code="no_key"}"#, 1.0),
        ("dragoman_records_settled_total{}", 3.0),
        ("dragoman_snapshot_version{}", 7.0),
        (r#"dragoman_data_planes{version_state="current"}"#, 2.0),
        (r#"dragoman_data_planes{version_state="behind"}"#, 1.0),
        (r#"dragoman_snapshot_rejections_total{by="filter"}"#, 1.0),
        (r#"dragoman_snapshot_rejections_total{by="envoy"}"#, 1.0),
        (r#"dragoman_discovery_total{provider="a",result="found"}"#, 1.0),
        (r#"dragoman_admin_requests_total{operation="list_keys",status="2xx"}"#, 1.0),
        (r#"dragoman_spans_total{result="sent"}"#, 3.0),
    ] {
        let found = value(&page, line);
        assert!((found - expected).abs() < 1e-9, "{line}: {found}, not {expected}");
    }
    // Being told to come back later costs nothing.
    assert!(!page.contains(r#"dragoman_cost_unknown_total{provider="a""#));
    assert!(page.ends_with("# EOF\n"));
}

/// The families on a page: kind, help, and the labels of their lines.
fn families(page: &str) -> BTreeMap<String, (String, String, BTreeSet<String>)> {
    let mut found: BTreeMap<String, (String, String, BTreeSet<String>)> = BTreeMap::new();
    let mut current = String::new();
    for line in page.lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            current = name.to_string();
            found.entry(current.clone()).or_default().1 = help.to_string();
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            found.entry(name.to_string()).or_default().0 = kind.to_string();
        } else if let Some((_, labels)) = line.split_once('{') {
            let labels = labels.split_once('}').unwrap().0.split("\",").filter_map(|label| label.split_once('='));
            let labels = labels.map(|(name, _)| name.to_string()).filter(|name| name != "le");
            found.get_mut(&current).unwrap().2.extend(labels);
        }
    }
    found
}

#[test]
fn the_page_is_the_table() {
    let metrics = filled();
    metrics.observe(&hedged(), &[], &known());
    let families = families(&metrics.page());
    for row in TABLE {
        let name = row.name.trim_end_matches("_total");
        assert_eq!(row.kind == Kind::Counter, row.name.ends_with("_total"), "{}", row.name);
        let (kind, help, labels) = families.get(name).unwrap_or_else(|| panic!("{} is not on the page", row.name));
        assert_eq!((kind.as_str(), help.trim_end_matches('.')), (row.kind.name(), row.help), "{name}");
        assert_eq!(*labels, row.labels.iter().map(|label| label.to_string()).collect(), "{name}");
    }
    assert_eq!(families.len(), TABLE.len(), "{:?}", families.keys());
}

#[test]
fn a_breaker_that_closed_is_zero_and_one_without_a_name_is_not_there() {
    let metrics = Metrics::new();
    let states = |list: &[(&str, i64)]| list.iter().map(|(subject, state)| (subject.to_string(), *state)).collect();
    metrics.breakers(states(&[("a", 3), ("a/m", 2), ("a/made-up", 2)]), &known());
    metrics.breakers(states(&[("a", 1)]), &known());
    let page = metrics.page();
    let lines: Vec<&str> = page.lines().filter(|line| line.starts_with("dragoman_breaker_state{")).collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines.contains(&r#"dragoman_breaker_state{provider="a",target="none"} 1"#), "{lines:?}");
    assert!(lines.contains(&r#"dragoman_breaker_state{provider="a",target="a/m"} 0"#), "{lines:?}");
}

#[test]
fn names_that_nobody_configured_are_others() {
    let metrics = Metrics::new();
    let record = Record {
        route: "made-up".into(),
        outcomes: vec![outcome("a/made-up", Ending::Answered, 200, 1), outcome("nobody/m", Ending::Answered, 200, 1)],
        ..Record::default()
    };
    metrics.observe(&record, &[], &known());
    let page = metrics.page();
    assert!(!page.contains("made-up") && !page.contains("nobody"), "{page}");
    assert_eq!(value(&page, r#"dragoman_attempts_total{provider="a",target="other",ending="answered"}"#), 1.0);
    assert_eq!(value(&page, r#"dragoman_attempts_total{provider="other",target="other",ending="answered"}"#), 1.0);
    assert_eq!(
        value(&page, r#"dragoman_requests_total{dialect="none",operation="none",route="other",status="none"}"#),
        1.0
    );
}

#[test]
fn without_room_new_names_are_others_and_nothing_is_lost() {
    let metrics = Metrics::with_room(5);
    for number in 0..100 {
        metrics.discovered(&format!("p{number}"), "found");
        metrics.discovered("p0", "failed");
    }
    let page = metrics.page();
    let lines: Vec<&str> = page.lines().filter(|line| line.starts_with("dragoman_discovery_total{")).collect();
    let sum: f64 = lines.iter().map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()).sum();
    assert_eq!((lines.len(), sum), (6, 200.0), "{page}");
    assert_eq!(value(&page, r#"dragoman_discovery_total{provider="p0",result="failed"}"#), 100.0);
    assert_eq!(value(&page, r#"dragoman_discovery_total{provider="other",result="found"}"#), 96.0);
}

#[test]
fn a_name_can_not_break_the_page() {
    let metrics = Metrics::new();
    metrics.discovered("a\"} 1\nb\\", "found");
    let line = r#"dragoman_discovery_total{provider="a\"} 1\nb\\",result="found"}"#;
    assert_eq!(value(&metrics.page(), line), 1.0);
}

#[test]
fn the_summary_adds_up_and_begins_anew() {
    let metrics = filled();
    let broken = Record {
        status: 200,
        outcomes: vec![outcome("a/m", Ending::Broken, 200, 50), outcome("a/m", Ending::Broken, 200, 50)],
        ..Record::default()
    };
    metrics.observe(&broken, &[Some(1), None], &known());
    let summary = metrics.summary();
    let all = Totals {
        requests: 4,
        failed_requests: 2,
        attempts: 6,
        errors: 4,
        input_tokens: 20,
        output_tokens: 200,
        cost_microdollars: 1235,
        cost_unknown: 2,
        // Two of 1.5 s, in the bucket from one to two seconds.
        latency: Some(Latency { p50_ms: 1500, p95_ms: 1950, p99_ms: 1990 }),
    };
    assert_eq!(summary.all, all);
    let a = Totals {
        requests: 3,
        failed_requests: 1,
        attempts: 4,
        errors: 4,
        cost_microdollars: 1,
        cost_unknown: 1,
        ..Totals::default()
    };
    assert_eq!(summary.providers["a"], a);
    let b = &summary.providers["b"];
    assert_eq!((b.requests, b.attempts, b.errors, b.latency), (2, 2, 0, summary.all.latency));

    let before = metrics.page();
    metrics.reset();
    let summary = metrics.summary();
    assert_eq!((summary.all, summary.providers.len()), (Totals::default(), 0));
    assert_eq!(metrics.page().lines().count(), before.lines().count(), "the page goes on");
}

#[test]
fn quantiles_lie_in_the_right_bucket() {
    let metrics = Metrics::new();
    for ms in (1..=100).map(|number| number * 100).chain([3_600_000]) {
        let record = Record { outcomes: vec![outcome("a/m", Ending::Answered, 200, ms)], ..Record::default() };
        metrics.observe(&record, &[], &known());
    }
    let latency = metrics.summary().all.latency.unwrap();
    assert!((4_900..=5_200).contains(&latency.p50_ms), "{latency:?}");
    assert!((9_400..=9_800).contains(&latency.p95_ms), "{latency:?}");
    assert!((9_800..=10_000).contains(&latency.p99_ms), "{latency:?}");
}

#[test]
fn what_is_known_is_what_a_snapshot_names() {
    let text = "catalog = false\n[[provider]]\nid = \"a\"\nbase_url = \"http://h\"\napi_key = { env = \"A\" }\nmodels = [\"m\"]\n\
                [[route]]\nname = \"auto\"\ncandidates = [\"a/m\"]\n";
    let file = crate::settings::File::read("f", text, &crate::catalog::known().unwrap()).unwrap();
    let catalog = crate::catalog::Catalog::join(&file, &|_| Some("key".to_string())).unwrap();
    let known = Known::of(&crate::publish::snapshot(1, &catalog, &file).unwrap().0);
    assert_eq!(
        (known.labels("a/m"), known.labels("a/n"), known.labels("b/m")),
        (("a", "a/m"), ("a", "other"), ("other", "other"))
    );
    assert_eq!(
        (known.route("auto"), known.route("m"), known.route("x"), known.route("")),
        ("auto", "m", "other", "none")
    );
}
