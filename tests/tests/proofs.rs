//! The proofs of thoughts and calls: they go back to whoever made them, letter for letter, and to nobody else.
//!
//! A client that speaks one dialect has a provider of another think and call a tool, and sends all of it back with the
//! tool's result. The provider checks its own proofs, so a wrong one would be refused; the journal shows what it got.
#![allow(clippy::expect_used, clippy::panic, reason = "a test says what it expected")]

use dragoman_tests::client::Answer;
use dragoman_tests::rig::{fresh, only, rig};
use dragoman_tests::said::{ask, read};
use dragoman_tests::simulator::persona::Dialect;
use serde_json::{Value, json};

/// The clients that have a place for proofs.
const KEEPERS: [Dialect; 3] = [Dialect::Messages, Dialect::Gemini, Dialect::Responses];

/// How every proof of a provider begins; `None` for those that give none.
fn proof(provider: Dialect) -> Option<&'static str> {
    match provider {
        Dialect::Messages | Dialect::Converse => Some("c2ln"),
        Dialect::Gemini => Some("c2ltdWxhdGVk"),
        Dialect::Responses => Some("gAAAAA"),
        Dialect::Chat | Dialect::ChatV2 => None,
    }
}

/// A question that is thought about and answered by calling a tool.
fn question(client: Dialect, model: &str, text: &str) -> Value {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    let mut body = ask(client, model, text, false);
    match client {
        Dialect::Messages => {
            body["tools"] = json!([{"name": "weather", "input_schema": schema}]);
            body["thinking"] = json!({"type": "enabled", "budget_tokens": 1024});
        }
        Dialect::Gemini => {
            body["tools"] = json!([{"functionDeclarations": [{"name": "weather", "parametersJsonSchema": schema}]}]);
            body["generationConfig"] = json!({"thinkingConfig": {"includeThoughts": true, "thinkingBudget": 1024}});
        }
        _ => {
            body["input"] = json!([{"role": "user", "content": text}]);
            body["tools"] = json!([{"type": "function", "name": "weather", "parameters": schema, "strict": false}]);
            body["reasoning"] = json!({"effort": "low", "summary": "auto"});
            body["include"] = json!(["reasoning.encrypted_content"]);
            body["store"] = json!(false);
        }
    }
    body
}

/// The question, its answer, and what the tool said.
fn with_result(client: Dialect, mut body: Value, answer: &Value) -> Value {
    let items = |value: &Value| value.as_array().cloned().unwrap_or_default();
    match client {
        Dialect::Messages => {
            let call = items(&answer["content"]).into_iter().find(|block| block["type"] == "tool_use");
            let id = call.map_or(Value::Null, |call| call["id"].clone());
            let mut messages = items(&body["messages"]);
            messages.push(json!({"role": "assistant", "content": answer["content"]}));
            messages.push(
                json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": id, "content": "sun"}]}),
            );
            body["messages"] = json!(messages);
        }
        Dialect::Gemini => {
            let said = &answer["candidates"][0]["content"];
            let call = items(&said["parts"]).into_iter().find(|part| part["functionCall"].is_object());
            let mut response = json!({"name": "weather", "response": {"result": "sun"}});
            if let Some(id) = call.and_then(|call| call["functionCall"].get("id").cloned()) {
                response["id"] = id;
            }
            let mut contents = items(&body["contents"]);
            contents.push(said.clone());
            contents.push(json!({"role": "user", "parts": [{"functionResponse": response}]}));
            body["contents"] = json!(contents);
        }
        _ => {
            let output = items(&answer["output"]);
            let call = output.iter().find(|item| item["type"] == "function_call");
            let id = call.map_or(Value::Null, |call| call["call_id"].clone());
            let mut input = items(&body["input"]);
            input.extend(output);
            input.push(json!({"type": "function_call_output", "call_id": id, "output": "sun"}));
            body["input"] = json!(input);
        }
    }
    body
}

fn send(client: Dialect, model: &str, body: &Value) -> Answer {
    let mut body = body.clone();
    if client != Dialect::Gemini {
        body["model"] = json!(model);
    }
    rig().gateway.send(&rig().gateway.call(client, model, &body, false)).expect("an answer")
}

/// What the provider was sent last with these words.
fn last_seen(provider: Dialect, text: &str) -> String {
    let seen = rig().first(provider).journal().mentioning(text);
    String::from_utf8_lossy(&seen.last().expect("a request").received.body).into_owned()
}

/// Whether a client's dialect has a place for the proofs of this provider. Gemini's belong to calls, and others know proofs of
/// thoughts only.
fn keeps(client: Dialect, maker: Dialect) -> bool {
    maker != Dialect::Gemini || client == Dialect::Gemini
}

/// What is wrong with one way of a thought: from its maker by the client to this provider.
fn wrong(client: Dialect, maker: Dialect, provider: Dialect, again: &Value, text: &str) -> Option<String> {
    let answer = send(client, &only(provider), again);
    let said = read(client, &answer);
    if !said.complete || !said.text.contains("sun") {
        return Some(format!("{} {}", answer.status, answer.text()));
    }
    let seen = last_seen(provider, text);
    if seen.contains("dgm1") || seen.contains("ZGdtMT") {
        return Some(format!("the gateway's own mark is sent: {seen}"));
    }
    let own = provider == maker;
    match proof(maker).map(|proof| seen.contains(proof)) {
        Some(false) if own && keeps(client, maker) => Some(format!("the proof does not come back: {seen}")),
        Some(true) if !own => Some(format!("another's proof is sent: {seen}")),
        _ => None,
    }
}

#[test]
fn a_proof_goes_back_to_its_maker_and_is_withheld_from_others() {
    let mut all = Vec::new();
    for client in KEEPERS {
        for maker in Dialect::ALL {
            let text = fresh("call it");
            let asked = question(client, &only(maker), &text);
            let first = send(client, &only(maker), &asked);
            let what = format!("{client:?} client, thoughts of {maker:?}");
            assert_eq!(read(client, &first).calls.len(), 1, "{what}: {}", first.text());
            let again = with_result(client, asked, &first.json().expect("JSON"));
            for provider in Dialect::ALL {
                let wrong = wrong(client, maker, provider, &again, &text);
                all.extend(wrong.map(|wrong| format!("{what}, sent to {provider:?}: {wrong}")));
            }
        }
    }
    assert!(all.is_empty(), "{} wrong\n{}", all.len(), all.join("\n"));
}
