//! Coding agents, as they really ask: their captured requests, with their heads, against providers of every dialect.
//!
//! The captures are not part of the repository. Where they are not, small requests of the same shapes stand in for them.
#![allow(clippy::expect_used, clippy::panic, reason = "a test says what it expected")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dragoman_tests::client::{Answer, Call};
use dragoman_tests::rig::{only, rig};
use dragoman_tests::said::{Said, read};
use dragoman_tests::simulator::persona::Dialect;
use serde_json::{Value, json};

const AGENTS: [&str; 8] = [
    "claude-code",
    "codex",
    "codex-gpt-4.1",
    "gemini-cli",
    "opencode-anthropic",
    "opencode-google",
    "opencode-gw",
    "opencode-openai",
];

/// Heads that belong to the connection, or to the key that the gateway gives anew.
const LEFT_OUT: [&str; 6] = ["host", "content-length", "connection", "authorization", "x-api-key", "x-goog-api-key"];

/// What may be lost on the way to a provider of another dialect: a tool that only the client's own provider runs, and a way of
/// sampling that the other does not have.
const HARMLESS: [&str; 2] = ["tools[].web_search", "top_k"];

/// A request as an agent sent it.
#[derive(Clone)]
struct Captured {
    agent: String,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: String,
}

fn captures() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus/agents");
    folder.is_dir().then_some(folder)
}

fn captured(agent: &str) -> Vec<Captured> {
    let Some(folder) = captures() else { return stand_ins(agent) };
    let lines = std::fs::read_to_string(folder.join(format!("{agent}.jsonl"))).expect("a capture");
    let request = |line: &str| {
        let line: Value = serde_json::from_str(line).expect("a line of JSON");
        let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
        let order = line["header_order"].as_array().cloned().unwrap_or_default();
        let header = |name: &Value| {
            let name = name.as_str()?.to_ascii_lowercase();
            let value = line["headers"][&name].as_str()?.to_owned();
            (!LEFT_OUT.contains(&name.as_str())).then_some((name, value))
        };
        Captured {
            agent: agent.to_owned(),
            method: text("method"),
            path: text("path"),
            headers: order.iter().filter_map(header).collect(),
            body: text("body"),
        }
    };
    lines.lines().map(request).collect()
}

/// Requests of the agents' shapes, for where there are no captures.
fn stand_ins(agent: &str) -> Vec<Captured> {
    let schema = json!({"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]});
    let text = "Run the command echo gateway-probe and tell me what it printed.";
    let (path, body) = match agent {
        "claude-code" | "opencode-anthropic" => (
            "/v1/messages?beta=true",
            json!({
                "model": "m", "max_tokens": 64000, "stream": true,
                "system": [{"type": "text", "text": "You are an agent.", "cache_control": {"type": "ephemeral"}}],
                "messages": [{"role": "user", "content": [{"type": "text", "text": text}]}, {"role": "system", "content": "Be brief."}],
                "tools": [{"name": "Bash", "description": "Runs a command.", "input_schema": schema}],
                "thinking": {"type": "adaptive"}, "output_config": {"effort": "high"},
                "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
            }),
        ),
        "codex" | "codex-gpt-4.1" | "opencode-openai" => (
            "/v1/responses",
            json!({
                "model": "m", "stream": true, "store": false, "include": ["reasoning.encrypted_content"],
                "reasoning": {"effort": "low"}, "parallel_tool_calls": false, "tool_choice": "auto",
                "input": [
                    {"type": "additional_tools", "id": "at_1", "role": "developer", "tools": [
                        {"type": "namespace", "name": "functions", "description": "", "tools": [{"type": "custom", "name": "exec"}]},
                    ]},
                    {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Be brief."}]},
                    {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]},
                ],
            }),
        ),
        "gemini-cli" | "opencode-google" => (
            "/v1beta/models/m:streamGenerateContent?alt=sse",
            json!({
                "contents": [{"role": "user", "parts": [{"text": text}]}],
                "systemInstruction": {"role": "user", "parts": [{"text": "You are an agent."}]},
                "tools": [{"functionDeclarations": [{"name": "run", "description": "Runs a command.", "parametersJsonSchema": schema}]}],
                "generationConfig": {"temperature": 1, "topP": 0.95, "topK": 64, "thinkingConfig": {"includeThoughts": true}},
            }),
        ),
        _ => (
            "/v1/chat/completions",
            json!({
                "model": "m", "max_tokens": 8000, "stream": true, "stream_options": {"include_usage": true},
                "messages": [{"role": "system", "content": "You are an agent."}, {"role": "user", "content": text}],
                "tools": [{"type": "function", "function": {"name": "bash", "description": "Runs a command.", "parameters": schema}}],
            }),
        ),
    };
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    let body = body.to_string();
    vec![Captured { agent: agent.to_owned(), method: "POST".into(), path: path.into(), headers, body }]
}

impl Captured {
    fn dialect(&self) -> Dialect {
        match self.path.as_str() {
            path if path.starts_with("/v1/messages") => Dialect::Messages,
            path if path.starts_with("/v1/responses") => Dialect::Responses,
            path if path.contains("enerateContent") => Dialect::Gemini,
            _ => Dialect::Chat,
        }
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// The same for another model, every other byte as it was.
    fn asking(&self, model: &str) -> Self {
        let mut other = self.clone();
        match self.json()["model"].as_str() {
            Some(own) => {
                for gap in ["", " "] {
                    let (old, new) = (format!("\"model\":{gap}\"{own}\""), format!("\"model\":{gap}\"{model}\""));
                    other.body = other.body.replacen(&old, &new, 1);
                }
            }
            None => {
                let (before, rest) = self.path.split_once("/models/").expect("the model stands in the path");
                let (_, method) = rest.split_once(':').expect("a method behind the model");
                other.path = format!("{before}/models/{model}:{method}");
            }
        }
        other
    }

    fn send(&self) -> (Answer, Said) {
        let call = Call::new(&self.method, &self.path).body(self.body.as_str());
        let call = self.headers.iter().fold(call, |call, (name, value)| call.header(name, value));
        let call = match self.dialect() {
            Dialect::Gemini => call.header("x-goog-api-key", rig().gateway.key()),
            Dialect::Messages => call.header("x-api-key", rig().gateway.key()),
            _ => call.header("authorization", format!("Bearer {}", rig().gateway.key())),
        };
        let answer = rig().gateway.send(&call).expect("an answer");
        let said = read(self.dialect(), &answer);
        (answer, said)
    }

    /// The names of its tools, however deep they stand.
    fn tools(&self) -> Vec<String> {
        fn names(value: &Value, found: &mut Vec<String>) {
            match value {
                Value::Array(items) => items.iter().for_each(|item| names(item, found)),
                Value::Object(members) => {
                    found.extend(members.get("name").and_then(Value::as_str).map(str::to_owned));
                    members.values().for_each(|value| names(value, found));
                }
                _ => {}
            }
        }
        let (body, mut found) = (self.json(), Vec::new());
        names(&body["tools"], &mut found);
        for item in body["input"].as_array().into_iter().flatten() {
            names(&item["tools"], &mut found);
        }
        found
    }
}

/// What of this list is not known to be harmless.
fn that_matters(dropped: &str) -> Vec<&str> {
    let paths = dropped.split(',').map(str::trim).filter(|path| !path.is_empty());
    paths.filter(|path| !HARMLESS.contains(path)).collect()
}

/// Every request of an agent to a provider of every dialect: what went wrong, and what was lost on the way.
fn replay(agent: &str) {
    let (mut wrong, mut lost) = (Vec::new(), BTreeMap::<String, usize>::new());
    for (number, request) in captured(agent).iter().enumerate() {
        if request.method == "HEAD" {
            continue;
        }
        // The same once more in words that make the provider call a tool.
        let calling =
            Captured { body: request.body.replace("Run the command", "call it: run the command"), ..request.clone() };
        for provider in Dialect::ALL {
            for (what, request) in [("as sent", request), ("calling", &calling)] {
                let (answer, said) = request.asking(&only(provider)).send();
                let what = format!("{agent} #{number} {what} to {provider:?}");
                let dropped = answer.header("x-dragoman-dropped").unwrap_or_default();
                for path in dropped.split(',').map(str::trim).filter(|path| !path.is_empty()) {
                    *lost.entry(format!("{provider:?}: {path}")).or_default() += 1;
                }
                if !said.complete {
                    let text = answer.text();
                    let end = text.char_indices().nth(1500).map_or(text.len(), |(at, _)| at);
                    wrong.push(format!("{what}: {} {}", answer.status, &text[..end]));
                    continue;
                }
                let tools = request.tools();
                if let Some((stranger, _)) = said.calls.iter().find(|call| !tools.contains(&call.0)) {
                    wrong.push(format!("{what}: calls {stranger}, which is none of its tools"));
                }
                if said.calls.is_empty() && said.text.is_empty() {
                    wrong.push(format!("{what}: says nothing: {}", answer.text()));
                }
                let matters = that_matters(dropped);
                if !matters.is_empty() {
                    wrong.push(format!("{what}: lost {matters:?}"));
                }
            }
        }
    }
    println!("{agent}: dropped {lost:#?}");
    assert!(wrong.is_empty(), "{agent}: {} wrong\n{}", wrong.len(), wrong.join("\n"));
}

macro_rules! agents {
    ($($name:ident: $place:literal;)*) => {$(
        #[test]
        fn $name() {
            replay(AGENTS[$place]);
        }
    )*};
}

agents! {
    claude_code_works_with_every_provider: 0;
    codex_works_with_every_provider: 1;
    codex_with_an_older_model_works_with_every_provider: 2;
    gemini_cli_works_with_every_provider: 3;
    opencode_by_messages_works_with_every_provider: 4;
    opencode_by_generate_content_works_with_every_provider: 5;
    opencode_by_chat_completions_works_with_every_provider: 6;
    opencode_by_responses_works_with_every_provider: 7;
}

#[test]
fn where_there_are_no_captures_the_stand_ins_are_asked() {
    if captures().is_none() {
        println!("the captures of agents are not here; small requests of their shapes stand in for them");
    }
    for agent in AGENTS {
        for request in stand_ins(agent) {
            for provider in Dialect::ALL {
                let (answer, said) = request.asking(&only(provider)).send();
                assert!(said.complete, "{} to {provider:?}: {} {}", request.agent, answer.status, answer.text());
            }
        }
    }
}

#[test]
fn the_question_whether_anybody_is_there_is_answered() {
    let answer = rig().gateway.send(&Call::new("HEAD", "/").header("user-agent", "Bun/1.4.0")).expect("an answer");
    assert_eq!((answer.status, answer.text().as_str()), (200, ""));
}
