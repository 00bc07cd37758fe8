//! The vendors' own Python packages against the gateway: each client against each provider's dialect, whole and streamed.
//!
//! What is asked stands in `sdk/cases.py`; what must come back stands here, once for all clients and providers: to the
//! program behind a client it must not matter who answers.
#![allow(clippy::expect_used, clippy::panic, reason = "a test says what it expected")]

use std::path::Path;
use std::process::Command;

use dragoman_tests::gateway::python;
use dragoman_tests::rig::{only, rig};
use dragoman_tests::simulator::persona::Dialect;
use dragoman_tests::simulator::{Reply, When};
use serde_json::{Value, json};

/// What a case must give.
enum Expected {
    /// Text, thinking, calls and finish reason.
    Said { text: &'static str, thinking: &'static str, calls: Value, finish: &'static str },
    /// An exception of the client's with this status.
    Error(u16),
}

fn text(text: &'static str) -> Expected {
    Expected::Said { text, thinking: "", calls: json!([]), finish: "end" }
}

fn calls(calls: Value) -> Expected {
    Expected::Said { text: "", thinking: "", calls, finish: "calls" }
}

/// The script of the API whose answers have no stop sequences, can't be limited to less than so many words, and call tools
/// that take any text.
const RESPONSES: &str = "openai_responses_client.py";

/// What the personas say when an answer is limited to five words, and to as few as the responses API lets it be.
const FIVE: &str = "on on on on on";
const SIXTEEN: &str = "on on on on on on on on on on on on on on on on";

/// By the name of the case: what this client shall be told, whoever answers, but for what an API has no word for.
fn expected(script: &str, provider: Dialect) -> Vec<(&'static str, Expected)> {
    let city = |which: &str| json!({ "city": format!("{which} \"Zürich\" \u{1F680}") });
    let responses = script == RESPONSES || provider == Dialect::Responses;
    let words = if responses { SIXTEEN } else { FIVE };
    let length = Expected::Said { text: words, thinking: "", calls: json!([]), finish: "length" };
    // Without a word for it, the provider does not stop; the client is told what was dropped.
    let stopped = if provider == Dialect::Responses { "you said: hello" } else { "you " };
    let own = match script {
        RESPONSES => ("custom", calls(json!([["shell", {"input": "first \"Zürich\" \u{1F680}"}]]))),
        _ => ("stop", text(stopped)),
    };
    let refused =
        Expected::Said { text: "I can not help with that", thinking: "", calls: json!([]), finish: "refused" };
    // Chat completions can ask for thoughts and not for seeing them; where the two are apart, they stay unseen.
    let unseen = script == "openai_client.py" && provider == Dialect::Responses;
    let thoughts = if unseen { "" } else { "thinking about: hello" };
    let thinking = Expected::Said { text: "you said: hello", thinking: thoughts, calls: json!([]), finish: "end" };
    vec![
        ("hello", text("you said: hello, Grüße \u{1F680} \"quoted\"")),
        ("system", text("the system prompt says: be kind; you said: what is the system prompt?")),
        ("turns", text("you said: and now?")),
        ("image", text("saw 1 image; you said: look")),
        ("call", calls(json!([["weather", city("first")]]))),
        ("forced", calls(json!([["time", city("first")]]))),
        ("twice", calls(json!([["weather", city("first")], ["time", city("second")]]))),
        ("results", text("the tool said: sun and noon")),
        ("schema", text(r#"{"answer":"you said: hello"}"#)),
        ("thinking", thinking),
        ("thinking and results", text("the tool said: sun")),
        ("length", length),
        own,
        ("refused", refused),
        ("missing", Expected::Error(404)),
        ("throttled", Expected::Error(429)),
        ("broken", Expected::Error(500)),
    ]
}

/// Runs one client against one provider and compares every line it prints.
fn client_against(script: &str, provider: Dialect) {
    let rig = rig();
    for (words, status) in [("be throttled", 429), ("be broken", 500)] {
        rig.first(provider).when(When::mentions(words), [Reply::json(status, &json!({"error": {"message": words}}))]);
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("sdk").join(script);
    let output = Command::new(python().expect("Python with the vendors' packages"))
        .arg(path)
        .args([&rig.gateway.url(), rig.gateway.key(), &only(provider)])
        .output()
        .expect("Python runs");
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    let expected = expected(script, provider);
    assert_eq!(lines.len(), expected.len() * 2, "every case whole and streamed: {errors}");
    let mut wrong = Vec::new();
    for line in &lines {
        let name = line["case"].as_str().unwrap_or_default();
        match expected.iter().find(|(case, _)| *case == name) {
            Some((_, expected)) => wrong.extend(difference(line, expected)),
            None => wrong.push(format!("nothing is expected of {name}")),
        }
    }
    assert!(
        wrong.is_empty(),
        "{script} against {provider:?}: {} of {} wrong\n{}",
        wrong.len(),
        lines.len(),
        wrong.join("\n")
    );
}

/// What is wrong with a line, if anything.
fn difference(line: &Value, expected: &Expected) -> Option<String> {
    let case = format!("{} (streamed: {})", line["case"], line["stream"]);
    match expected {
        Expected::Error(status) => {
            (line["error"]["status"] != json!(status)).then(|| format!("{case}: expected {status}, got {line}"))
        }
        Expected::Said { text, thinking, calls, finish } => {
            let said = &line["said"];
            let is = json!([bare_results(&said["text"]), said["calls"], said["finish"]]);
            let must = json!([text, calls, finish]);
            // Thinking that nobody asked about is the provider's own affair.
            let thought = thinking.is_empty() || said["thinking"] == *thinking;
            if is != must || !thought {
                return Some(format!("{case}: expected {must} thinking {thinking:?}, got {line}"));
            }
            usage_problem(&said["usage"]).map(|problem| format!("{case}: {problem}: {line}"))
        }
    }
}

/// A Gemini program gives a tool's result as an object with a member of its choice; a provider of another dialect is told
/// the whole object, and the persona repeats it.
fn bare_results(text: &Value) -> String {
    let text = text.as_str().unwrap_or_default();
    text.replace("{\"result\": \"", "")
        .replace("{\"result\":\"", "")
        .replace("\"}", if text.contains("{\"result\"") { "" } else { "\"}" })
}

/// The persona counts words; whatever the dialects between, all of it must arrive.
fn usage_problem(usage: &Value) -> Option<&'static str> {
    let number = |name: &str| usage[name].as_u64().unwrap_or_default();
    match (number("input"), number("cached"), number("output")) {
        (0, _, _) => Some("no input tokens"),
        (_, _, 0) => Some("no output tokens"),
        (input, cached, _) if cached != input / 4 => Some("a quarter of the input comes from the cache"),
        _ => None,
    }
}

/// One test for each client and provider, so that what fails is seen by its name.
macro_rules! against {
    ($($client:ident: $script:literal;)*) => {$(
        mod $client {
            use super::*;

            #[test]
            fn chat_completions() {
                client_against($script, Dialect::Chat);
            }

            #[test]
            fn messages() {
                client_against($script, Dialect::Messages);
            }

            #[test]
            fn generate_content() {
                client_against($script, Dialect::Gemini);
            }

            #[test]
            fn responses() {
                client_against($script, Dialect::Responses);
            }

            #[test]
            fn chat_v2() {
                client_against($script, Dialect::ChatV2);
            }

            #[test]
            fn converse() {
                client_against($script, Dialect::Converse);
            }
        }
    )*};
}

against! {
    openai_against: "openai_client.py";
    openai_responses_against: "openai_responses_client.py";
    anthropic_against: "anthropic_client.py";
    google_genai_against: "google_genai_client.py";
}
