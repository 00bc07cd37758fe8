//! What was said, held against the vendors' own Python types (`sdk/types_check.py`).

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use dragoman_core::catalog::DialectId;
use dragoman_core::framing::Sse;
use dragoman_core::hub::Delivery;
use dragoman_core::interpret::Progress;
use serde_json::{Value, json};

use super::asked::Asked;
use super::cross::CLIENTS;
use super::heard::tell;
use super::recording::Recording;
use super::verdict::Invariant;

/// A document that the types do not accept.
#[derive(Clone, Debug, PartialEq)]
pub struct Violation {
    /// Of which recording.
    pub id: String,
    /// What was broken.
    pub invariant: Invariant,
    /// The dialect it was said in.
    pub other: Option<DialectId>,
    /// What is wrong.
    pub problem: String,
}

/// Everything translated of an exchange, as lines for the check: answers said to clients of other dialects and requests
/// written for providers of other dialects.
pub fn lines(recording: &Recording) -> Vec<String> {
    let Some(own) = recording.dialect else { return Vec::new() };
    let mut lines = Vec::new();
    if !recording.is_error() {
        for client in CLIENTS.into_iter().filter(|client| *client != own) {
            for delivery in [Delivery::Whole, Delivery::Streamed] {
                answer(recording, own, client, delivery, &mut lines);
            }
        }
    }
    let asked = recording.sent.as_ref().and_then(|sent| Asked::of(own, sent, recording.is_error()));
    // What the provider itself would not have may be of any type.
    for asked in asked.iter().filter(|asked| !asked.refused) {
        for to in DialectId::ALL.into_iter().filter(|to| *to != own) {
            lines.extend(asked.written(to).map(|body| line(to, "request", &recording.id, &body)));
        }
    }
    lines
}

fn answer(recording: &Recording, own: DialectId, client: DialectId, delivery: Delivery, lines: &mut Vec<String>) {
    let told = tell((own, recording.framing), (client, delivery), [recording.bytes.as_slice()]);
    if told.progress != Progress::Complete {
        return;
    }
    if delivery == Delivery::Whole {
        return lines.push(line(client, "response", &recording.id, &String::from_utf8_lossy(&told.bytes)));
    }
    let mut sse = Sse::default();
    let mut each = |_: &str, data: &[u8]| {
        if data != b"[DONE]" {
            lines.push(line(client, "event", &recording.id, &String::from_utf8_lossy(data)));
        }
    };
    // A frame that is too large is no event, and other checks tell.
    let _ = sse.push(&told.bytes, &mut each);
    sse.finish(&mut each);
}

fn line(dialect: DialectId, kind: &str, id: &str, body: &str) -> String {
    // The body is JSON already; other checks tell where it is not.
    let body = body.replace(['\n', '\r'], " ");
    format!(r#"{{"dialect":"{}","kind":"{kind}","id":{},"body":{body}}}"#, dialect.name(), json!(id))
}

/// Checks lines with one Python process.
///
/// # Errors
/// When the program does not run to its end.
pub fn check(python: &Path, lines: &[String]) -> Result<Vec<Violation>, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("sdk/types_check.py");
    let mut child = Command::new(python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    let stdin = child.stdin.take();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || {
            let Some(mut stdin) = stdin else { return };
            for line in lines {
                // A program that ended early is told below.
                if stdin.write_all(line.as_bytes()).and_then(|()| stdin.write_all(b"\n")).is_err() {
                    return;
                }
            }
        });
        child.wait_with_output()
    });
    let output = output.map_err(|error| error.to_string())?;
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let told: Vec<Value> = told.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    match told.last() {
        Some(last) if last["checked"] == lines.len() => Ok(told.iter().filter_map(violation).collect()),
        last => Err(format!("{} lines were sent, and the last word was {last:?}", lines.len())),
    }
}

fn violation(told: &Value) -> Option<Violation> {
    let word = |name: &str| told[name].as_str().unwrap_or_default();
    let problem = told["problem"].as_str()?;
    let invariant = if word("kind") == "request" { Invariant::RequestTypes } else { Invariant::Types };
    let problem = format!("{}: {problem}", word("kind"));
    Some(Violation { id: word("id").to_owned(), invariant, other: DialectId::named(word("dialect")), problem })
}
