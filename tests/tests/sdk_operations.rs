//! The vendors' own Python packages asking for everything but answers: vectors, counting, pictures, sound, files, models.
//!
//! What is asked stands in `sdk/*_operations.py`; what must come back stands here.
#![allow(clippy::expect_used, clippy::panic, reason = "a test says what it expected")]

use std::path::Path;
use std::process::Command;

use dragoman_tests::gateway::python;
use dragoman_tests::rig::{only, rig};
use dragoman_tests::simulator::persona::Dialect;
use dragoman_tests::simulator::persona::vectors::{DIMENSIONS, base64, vector};
use serde_json::{Value, json};

/// The same as in `sdk/operations.py`.
const TEXTS: [&str; 2] = ["hello there", "Grüße \u{1F680}"];

/// Runs a script; its lines by the names of their cases.
fn run(script: &str, models: &[String]) -> Vec<(String, Value)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("sdk").join(script);
    let output = Command::new(python().expect("Python with the vendors' packages"))
        .arg(path)
        .args([&rig().gateway.url(), rig().gateway.key()])
        .args(models)
        .output()
        .expect("Python runs");
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!lines.is_empty(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    let line = |line: &str| {
        let line: Value = serde_json::from_str(&without_marks(line)).expect("a line of JSON");
        (line["case"].as_str().unwrap_or_default().to_owned(), line)
    };
    lines.lines().map(line).collect()
}

/// Ids as their provider gave them: several keep files here, so what a client is given says who does.
fn without_marks(line: &str) -> String {
    const KEEPER: usize = 16;
    let mut parts = line.split("_dgm1_");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| all + part.get(KEEPER..).unwrap_or_default())
}

/// Compares what came with what was expected, all of it, and says everything that is wrong.
fn assert_all(script: &str, lines: &[(String, Value)], expected: &[(String, Value)]) {
    let mut wrong = Vec::new();
    for (case, must) in expected {
        match lines.iter().find(|line| line.0 == *case) {
            Some((_, line)) if line["got"] == *must || near(&line["got"], must) => {}
            Some((_, line)) => wrong.push(format!("{case}: expected {must}, got {line}")),
            None => wrong.push(format!("{case}: nothing came")),
        }
    }
    assert!(wrong.is_empty(), "{script}: {} of {} wrong\n{}", wrong.len(), expected.len(), wrong.join("\n"));
}

/// Whether two vectors, or lists or objects of them, are the same but for the last digits of their parts.
fn near(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| near(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, one)| other.get(name).is_some_and(|other| near(one, other)))
        }
        _ => match (one.as_f64(), other.as_f64()) {
            (Some(one), Some(other)) => (one - other).abs() < 1e-6,
            _ => one == other,
        },
    }
}

fn vectors(dimensions: usize) -> Value {
    TEXTS.iter().map(|text| json!(vector(text, dimensions))).collect()
}

/// The models that can be asked for vectors, each at a provider of another dialect.
fn embedders() -> Vec<String> {
    [Dialect::Chat, Dialect::Gemini, Dialect::ChatV2].map(only).into()
}

#[test]
fn the_openai_package_does_everything_but_ask_for_answers() {
    let lines = run("openai_operations.py", &embedders());
    let mut expected = Vec::new();
    for model in embedders() {
        let all = |dimensions: usize| json!({"vectors": vectors(dimensions), "input": 4});
        expected.push((format!("embed {model}"), all(DIMENSIONS)));
        expected.push((format!("embed floats {model}"), all(DIMENSIONS)));
        expected.push((format!("embed 256 {model}"), all(256)));
        expected.push((format!("embed one {model}"), json!(vector(TEXTS[0], DIMENSIONS))));
        expected.push((format!("retrieve {model}"), json!(model)));
    }
    let sound: Vec<u8> = (0..=u8::MAX).chain("say it".bytes()).collect();
    let id = "file-simulated-7";
    let completion = "once upon a time and so on";
    let more = [
        ("picture", json!(["a cat", "a cat"])),
        ("speech", json!(base64(&sound))),
        ("streamed speech", json!(base64(&sound))),
        ("transcription", json!("heard 256000 bytes of a.wav")),
        ("moderation", json!(true)),
        ("completion", json!([completion, 7])),
        ("streamed completion", json!(completion)),
        ("files", json!([id, "a.txt", 7, format!("the content of {id}"), [id], true])),
    ];
    expected.extend(more.map(|(case, must)| (case.to_owned(), must)));
    assert_all("openai_operations.py", &lines, &expected);
    assert_models(&lines, "");
}

#[test]
fn the_anthropic_package_counts_tokens_and_lists_models() {
    let model = only(Dialect::Messages);
    let lines = run("anthropic_operations.py", std::slice::from_ref(&model));
    // Three words, two of the system prompt, and the persona's three for every prompt.
    let expected = [("count".to_owned(), json!(8)), ("retrieve".to_owned(), json!([model, "model"]))];
    assert_all("anthropic_operations.py", &lines, &expected);
    assert_models(&lines, "");
}

#[test]
fn the_google_package_gets_vectors_counts_tokens_and_lists_models() {
    let lines = run("google_genai_operations.py", &embedders());
    let mut expected = vec![("count".to_owned(), json!(6)), ("retrieve".to_owned(), json!("models/only-gemini"))];
    for model in embedders() {
        // To a model whose name says Gemini the package sends all texts as one.
        let of_all = |dimensions: usize| match model.contains("gemini") {
            true => json!([vector(&TEXTS.join("\n"), dimensions)]),
            false => vectors(dimensions),
        };
        expected.push((format!("embed {model}"), of_all(DIMENSIONS)));
        expected.push((format!("embed 256 {model}"), of_all(256)));
    }
    assert_all("google_genai_operations.py", &lines, &expected);
    assert_models(&lines, "models/");
}

/// All models are listed, in the words of whoever asks, and one that is not there is not found.
fn assert_models(lines: &[(String, Value)], prefix: &str) {
    let line = |case: &str| lines.iter().find(|line| line.0 == case).map_or(&Value::Null, |line| &line.1);
    let listed = line("models")["got"].as_array().cloned().unwrap_or_default();
    for dialect in Dialect::ALL {
        let model = json!(format!("{prefix}{}", only(dialect)));
        assert!(listed.contains(&model), "{model} is not in {}", line("models"));
    }
    assert_eq!(line("no such model")["error"]["status"], json!(404), "{}", line("no such model"));
}
