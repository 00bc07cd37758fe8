//! Recorded requests of other dialects, written for this one.

use super::*;
use crate::catalog::Operation;
use crate::dialect::ALL;
use crate::hub::foreign::{FullNames, prepare};
use crate::loss::Losses;
use serde_json::Value;
use std::collections::BTreeMap;

/// What clients of all dialects were seen to send, as (where, method, path, body); none where the recordings are not at hand.
fn sent() -> Vec<(String, String, String, String)> {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/corpus/agents"));
    let Ok(files) = std::fs::read_dir(&root) else {
        println!("skipped: no recordings at {}", root.display());
        return Vec::new();
    };
    let mut found = Vec::new();
    for file in files.flatten().filter(|file| file.path().extension().is_some_and(|ending| ending == "jsonl")) {
        let name = file.file_name().to_string_lossy().into_owned();
        for line in std::fs::read_to_string(file.path()).unwrap().lines() {
            let sent: serde_json::Value = serde_json::from_str(line).unwrap();
            let text = |member: &str| sent[member].as_str().unwrap_or_default().to_string();
            found.push((name.clone(), text("method"), text("path"), text("body")));
        }
    }
    found
}

/// What is sent to a path, written for this dialect, with its losses; `None` where it is no other dialect's question.
fn written(method: &str, path: &str, body: &str) -> Option<(DialectId, Losses, Value)> {
    let clients = ALL.iter().filter_map(|dialect| dialect.client());
    let (client, endpoint) = clients
        .filter_map(|client| Some((client, client.endpoint(method, path)?.ok()?)))
        .find(|(_, endpoint)| endpoint.operation == Operation::Generate)?;
    if endpoint.dialect == DialectId::GenerateContent {
        return None;
    }
    let request = client.read_request(&endpoint, Json::parse(body.as_bytes()).ok()?).ok()?;
    let names = FullNames::of(&request);
    let mut losses = Losses::default();
    let request = prepare(request, &names, DialectId::GenerateContent, "0000000000000000", &mut losses);
    let to = Addressee { output_limit: 65_536, unsigned: "dW5zaWduZWQ=", ..Addressee::model("m") };
    let written = GenerateContent.write_request(&request, to);
    // What was written is a request of this dialect.
    assert!(read(&written.body).is_ok(), "{}", written.body);
    losses.approximated.extend(written.losses.approximated);
    losses.dropped.extend(written.losses.dropped);
    Some((endpoint.dialect, losses, value(&written.body)))
}

fn losses(method: &str, path: &str, body: &str) -> Option<(DialectId, Losses)> {
    written(method, path, body).map(|(dialect, losses, _)| (dialect, losses))
}

/// Dialects whose clients are measured here.
const MEASURED: [DialectId; 2] = [DialectId::ChatCompletions, DialectId::Messages];

#[test]
fn agents_lose_nothing_that_matters() {
    let mut seen = BTreeMap::new();
    for (name, method, path, body) in sent() {
        let Some((dialect, losses)) = losses(&method, &path, &body) else { continue };
        if MEASURED.contains(&dialect) {
            assert_eq!(losses.dropped, Vec::<String>::new(), "{name} {path}");
        }
        *seen.entry(name).or_insert(0) += 1;
    }
    println!("{seen:?}");
}

/// Recorded requests of the measured dialects, as (id, path, body).
fn recorded() -> Vec<(String, &'static str, String)> {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/corpus/open"));
    let mut found = Vec::new();
    for provider in std::fs::read_dir(&root).into_iter().flatten().flatten() {
        for (api, path) in [("openai.chat", "/v1/chat/completions"), ("anthropic.messages", "/v1/messages")] {
            for file in std::fs::read_dir(provider.path().join(api)).into_iter().flatten().flatten() {
                let recording = value(&std::fs::read_to_string(file.path()).unwrap());
                if let (Some(id), Some(body)) = (recording["id"].as_str(), recording["request"]["body"].as_str()) {
                    found.push((id.to_string(), path, body.to_string()));
                }
            }
        }
    }
    found
}

/// What a turn of the written body breaks of the API's rules for calls and results, if anything.
fn broken(turn: &Value, next: Option<&Value>) -> Option<&'static str> {
    let parts = |turn: &Value, member: &str| -> Vec<Value> {
        let parts = turn["parts"].as_array().into_iter().flatten();
        parts.filter(|part| part.get(member).is_some()).cloned().collect()
    };
    let calls = parts(turn, "functionCall");
    let results = next.map(|next| parts(next, "functionResponse").len());
    match (turn["role"].as_str(), calls.first()) {
        _ if turn["parts"].as_array().is_none_or(Vec::is_empty) => Some("an empty turn"),
        (Some("model"), Some(first)) if first.get("thoughtSignature").is_none() => Some("an unsigned call"),
        (Some("model"), Some(_)) if results.is_some_and(|results| results != calls.len()) => {
            Some("a call without result")
        }
        (Some("model" | "user"), _) => None,
        _ => Some("an unknown role"),
    }
}

#[test]
fn recorded_requests_of_others_are_written_by_the_rules() {
    let (mut all, mut lossless, mut unpaired) = (0, 0, Vec::new());
    let recorded = recorded();
    if recorded.is_empty() {
        return println!("skipped: no recordings beside the repository");
    }
    for (id, path, body) in recorded {
        let Some((_, losses, written)) = written("POST", path, &body) else { continue };
        all += 1;
        lossless += usize::from(losses.dropped.is_empty());
        let turns = written["contents"].as_array().unwrap().clone();
        for (index, turn) in turns.iter().enumerate() {
            if let Some(why) = broken(turn, turns.get(index + 1)) {
                unpaired.push(format!("{id}: {why}"));
            }
        }
    }
    println!("{all} requests of others, {lossless} of them without a loss that matters; broken rules: {unpaired:?}");
    assert!(unpaired.is_empty(), "{unpaired:?}");
    // Searches that the provider runs, likelihoods of words and the like are lost.
    assert!(lossless * 10 >= all * 8, "{lossless} of {all}");
}
