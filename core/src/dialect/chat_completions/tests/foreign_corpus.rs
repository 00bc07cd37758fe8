//! What real clients say in other dialects, said in this one.

use super::*;
use crate::catalog::Operation;
use crate::hub::Part;
use crate::hub::foreign::{FullNames, prepare};
use crate::loss::Losses;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// Requests of other dialects: where from, the endpoint, the body.
fn requests() -> Vec<(String, Endpoint, String)> {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus");
    let Ok(index) = std::fs::read_to_string(shared.join("open/index.jsonl")) else {
        println!("skipped: there are no recordings at {}", shared.display());
        return Vec::new();
    };
    let mut found = Vec::new();
    let mut take = |name: &str, request: &Value| {
        let (method, path) =
            (request["method"].as_str().unwrap_or("POST"), request["path"].as_str().unwrap_or_default());
        let Some(body) = request["body"].as_str().filter(|body| Json::parse(body.as_bytes()).is_ok()) else { return };
        // A gateway's or a region's own prefix stands before some recorded paths.
        let known = path.find("/v1beta/").or(path.find("/v1/")).map_or(path, |at| &path[at..]);
        let others = DialectId::ALL.into_iter().filter(|id| *id != DialectId::ChatCompletions);
        for client in others.filter_map(|id| crate::dialect::of(id).client()) {
            if let Some(Ok(endpoint)) = client.endpoint(method, known) {
                if endpoint.operation == Operation::Generate {
                    found.push((name.to_string(), endpoint, body.to_string()));
                }
                return;
            }
        }
    };
    for line in index.lines() {
        let file = value(line)["file"].as_str().unwrap().to_string();
        take(&file, &value(&std::fs::read_to_string(shared.join(&file)).unwrap())["request"]);
    }
    for file in std::fs::read_dir(shared.join("agents")).unwrap().flatten() {
        let text = std::fs::read_to_string(file.path()).unwrap();
        for line in text.lines().filter(|line| line.starts_with('{')) {
            take(&format!("agents/{}", file.file_name().to_string_lossy()), &value(line));
        }
    }
    found
}

/// What a request says, as far as every dialect can say it: words, calls (name and arguments), results of tools.
#[derive(Debug, Default, PartialEq)]
struct Told {
    words: Vec<String>,
    calls: Vec<(String, Value)>,
    results: usize,
}

impl Told {
    fn of(request: &Request<'_>, name: impl Fn(Text<'_>) -> String) -> Told {
        let mut told = Told::default();
        for part in request.turns.iter().flat_map(|turn| &turn.parts) {
            match part {
                Part::ToolCall(call) => {
                    let text = call.arguments.object().unwrap_or_default();
                    told.calls.push((name(call.name), serde_json::from_str(&text).unwrap_or_default()));
                }
                Part::ToolResult(result) => {
                    told.results += 1;
                    result.content.iter().for_each(|part| told.words(part, true));
                }
                part => told.words(part, false),
            }
        }
        told.words.sort();
        told
    }

    fn words(&mut self, part: &Part<'_>, inside: bool) {
        let words = match part {
            Part::Text { text, .. } | Part::Refusal(text) => text.decode().into_owned(),
            Part::Other(json) if inside => json.as_str().to_string(),
            _ => return,
        };
        if !words.is_empty() {
            self.words.push(words);
        }
    }
}

#[test]
fn what_others_say_is_said_again() {
    let (mut said, mut refused, mut wrong) = (0, 0, Vec::new());
    let mut losses: BTreeMap<String, (usize, String)> = BTreeMap::new();
    for (from, endpoint, body) in requests() {
        let client = crate::dialect::client(endpoint.dialect);
        let Ok(request) = client.read_request(&endpoint, json(&body)) else {
            refused += 1;
            continue;
        };
        let names = FullNames::of(&request);
        let mut lost = Losses::default();
        let request = prepare(request, &names, DialectId::ChatCompletions, "00000000000000aa", &mut lost);
        let written = write(&request, "m");
        let again = read(&written.body).unwrap_or_else(|error| panic!("{from}: {error:?}"));
        let wanted = Told::of(&request, |name| name.decode().into_owned());
        let found = Told::of(&again, |name| written.aliases.undo(name).decode().into_owned());
        if wanted != found {
            wrong.push(format!("{from}:\n  {wanted:?}\n  {found:?}"));
        }
        let Losses { approximated, dropped } = written.losses;
        // Coding agents must be served by strict routes, too; but a search that the provider shall run is really lost.
        let searches = |path: &String| path == "tools[].web_search";
        if from.starts_with("agents/") && !dropped.iter().all(searches) {
            wrong.push(format!("{from}: {dropped:?}"));
        }
        let paths = dropped.iter().map(|path| ("dropped", path)).chain(approximated.iter().map(|path| ("near", path)));
        for (how, path) in paths {
            let key = format!("{} {how} {path}", endpoint.dialect.name());
            losses.entry(key).or_insert((0, from.clone())).0 += 1;
        }
        said += 1;
    }
    println!("said again: {said}, refused by their readers: {refused}");
    losses.iter().for_each(|(path, (count, example))| println!("{count:5} {path} ({example})"));
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}
