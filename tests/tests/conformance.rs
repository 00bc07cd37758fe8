//! The corpus runner on small recordings of our own: they keep every check covered where the recorded traffic is not at hand, and
//! each check is shown to notice the fault it is there for.
#![expect(clippy::unwrap_used, reason = "a test that unwraps says where it failed")]

use std::path::{Path, PathBuf};

use dragoman_tests::corpus::recording::Recording;
use dragoman_tests::corpus::verdict::{Invariant, Verdict};
use dragoman_tests::corpus::{judge, types};
use dragoman_tests::gateway::python;
use serde_json::{Value, json};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance/recordings")
}

fn recording(name: &str) -> Recording {
    Recording::read(&folder().join(format!("{name}.json"))).unwrap()
}

fn all() -> Vec<Recording> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|path| Recording::read(path).unwrap()).collect()
}

#[test]
fn our_own_recordings_keep_every_invariant() {
    let verdicts: Vec<Verdict> = all().iter().map(judge).collect();
    let failures: Vec<String> = verdicts.iter().flat_map(Verdict::lines).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    for invariant in Invariant::ALL {
        let typed = matches!(invariant, Invariant::Types | Invariant::RequestTypes);
        let checked = verdicts.iter().flat_map(|verdict| &verdict.checks).any(|check| check.invariant == invariant);
        assert!(checked || typed, "nothing checks {}", invariant.name());
    }
}

/// The invariants that a recording breaks.
fn broken(recording: &Recording) -> Vec<Invariant> {
    let mut broken: Vec<Invariant> = judge(recording)
        .checks
        .into_iter()
        .filter(|check| !check.problems.is_empty())
        .map(|check| check.invariant)
        .collect();
    broken.sort();
    broken.dedup();
    broken
}

#[test]
fn another_reading_of_the_answer_is_noticed() {
    for (member, value) in [("text", json!("else")), ("tool_calls", json!([])), ("finish_reason", json!("length"))] {
        for name in ["chat_completions.whole", "messages.stream", "converse.stream"] {
            let mut recording = recording(name);
            recording.expect[member] = value.clone();
            assert_eq!(broken(&recording), [Invariant::Answer], "{name}: {member}");
        }
    }
    let mut recording = recording("messages.whole");
    recording.expect["usage"]["input_total"] = json!(10);
    assert_eq!(broken(&recording), [Invariant::Usage, Invariant::Answer]);
}

#[test]
fn another_reading_of_an_error_is_noticed() {
    let mut other = recording("messages.error");
    other.expect["error_message"] = json!("something else");
    assert_eq!(broken(&other), [Invariant::Error]);
    let mut other = recording("chat_completions.error");
    other.expect["error_code"] = json!("other_code");
    other.expect["error_type"] = json!("other_type");
    assert_eq!(broken(&other), [Invariant::Error]);
}

#[test]
fn a_request_that_can_not_be_read_is_noticed() {
    let mut other = recording("chat_completions.whole");
    other.sent.as_mut().unwrap().body = json!({"model": "m", "messages": "none"}).to_string();
    assert_eq!(broken(&other), [Invariant::Identity]);
}

#[test]
fn an_end_before_the_reason_is_noticed() {
    let mut other = recording("chat_completions.stream");
    other.expect["finish_reason_raw"] = json!("never said");
    let text = String::from_utf8(other.bytes).unwrap().replace("data: [DONE]\n\n", "");
    other.bytes = text.into_bytes();
    assert_eq!(broken(&other), [Invariant::Truncation]);
}

/// A document of every kind that lacks what it must have.
fn faulty() -> Vec<(&'static str, &'static str, Value)> {
    let turns = json!([{"role": "user", "content": 7}]);
    vec![
        ("chat_completions", "response", json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m"})),
        (
            "chat_completions",
            "event",
            json!({"id": "c", "object": "chat.completion.chunk", "created": "1", "model": "m", "choices": []}),
        ),
        ("chat_completions", "request", json!({"model": "m", "messages": turns})),
        ("responses", "response", json!({"id": "r", "object": "response", "output": []})),
        ("responses", "event", json!({"type": "response.output_text.delta", "delta": "x"})),
        ("responses", "request", json!({"model": "m", "input": [{"type": "function_call", "name": "f"}]})),
        ("messages", "response", json!({"id": "m", "type": "message", "role": "assistant", "content": []})),
        ("messages", "event", json!({"type": "content_block_stop"})),
        ("messages", "request", json!({"model": "m", "messages": []})),
        ("generate_content", "response", json!({"candidates": [{"unknown": 1}]})),
        ("generate_content", "event", json!({"candidates": [{"content": {"parts": [{"thoughtSignature": "a:b"}]}}]})),
        ("generate_content", "request", json!({"contents": [], "unknown": 1})),
        ("chat_v2", "request", json!({"model": "m", "messages": turns})),
        ("converse", "request", json!({"messages": [{"role": "user", "content": [{"unknown": "x"}]}]})),
    ]
}

#[test]
fn the_vendors_types_are_strict() {
    let Some(python) = std::env::var_os("DRAGOMAN_PYTHON").and_then(|_| python().ok()) else {
        println!("skipped: there is no DRAGOMAN_PYTHON");
        return;
    };
    let lines: Vec<String> = faulty()
        .iter()
        .map(|(dialect, kind, body)| {
            json!({"dialect": dialect, "kind": kind, "id": format!("{dialect} {kind}"), "body": body}).to_string()
        })
        .collect();
    let found: Vec<String> = types::check(&python, &lines).unwrap().into_iter().map(|one| one.id).collect();
    let wanted: Vec<String> = faulty().iter().map(|(dialect, kind, _)| format!("{dialect} {kind}")).collect();
    assert_eq!(found, wanted);
    let good: Vec<String> = all().iter().flat_map(types::lines).collect();
    assert!(good.len() > 200, "{}", good.len());
    let found = types::check(&python, &good).unwrap();
    assert_eq!(found, []);
}
