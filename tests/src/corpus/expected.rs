//! A heard answer against the recording's independent reading of it.

use dragoman_core::hub::StopReason;
use dragoman_core::usage::Usage;
use serde_json::{Value, json};

use super::heard::{Ended, Heard};

/// Collects what differs.
#[derive(Debug, Default)]
pub struct Differences(pub Vec<String>);

impl Differences {
    /// Notes a difference between what is wanted and what was got.
    pub fn same<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, wanted: &T, got: &T) {
        if wanted != got {
            self.0.push(format!("{what}: wanted {}, got {}", short(wanted), short(got)));
        }
    }

    /// Notes a fault.
    pub fn fault(&mut self, what: String) {
        self.0.push(what);
    }
}

/// A value, not too long for a line.
pub fn short<T: std::fmt::Debug>(value: &T) -> String {
    let text = format!("{value:?}");
    match text.char_indices().nth(160) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Whether the independent reader took the body for an error inside a good status, or for no answer at all.
pub fn is_failure(expect: &Value) -> bool {
    let nothing = expect["usage"].is_null() && expect["finish_reason"].is_null() && expect["text"] == "";
    let no_calls = expect["tool_calls"].as_array().is_none_or(Vec::is_empty);
    !expect["error"].is_null() || (nothing && no_calls)
}

/// What the provider's dialect's own reader understood otherwise than the independent one.
pub fn answer(expect: &Value, heard: &Heard) -> Vec<String> {
    let mut found = Differences::default();
    if is_failure(expect) {
        found.same("ends well", &false, &heard.is_complete());
        return found.0;
    }
    // Work that was only begun is no answer yet.
    if expect["finish_reason"] == "queued" {
        found.same("ends well", &false, &heard.is_complete());
        return found.0;
    }
    if let Ended::Badly(error) = &heard.ended {
        found.fault(format!("failed: {error:?}"));
        return found.0;
    }
    found.same("text", &word(&expect["text"]), &heard.text.as_str());
    found.same("calls", &calls(expect), &said_calls(heard));
    for (name, said) in [("reasoning_text", &heard.thinking), ("refusal", &heard.refusal)] {
        if expect[name].is_string() {
            found.same(name, &word(&expect[name]), &said.as_str());
        }
    }
    finish(expect, heard, &mut found);
    found.0.extend(usage(expect, &heard.usage));
    found.0
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The calls as the independent reader has them: a call without a name is none, and what it could not parse is text.
fn calls(expect: &Value) -> Vec<Value> {
    let calls = expect["tool_calls"].as_array().into_iter().flatten();
    let named = calls.filter(|call| !call["name"].is_null());
    named
        .map(|call| {
            let arguments = match call["arguments"]["$unparsed"].as_str() {
                Some(text) => super::heard::arguments(text),
                None => call["arguments"].clone(),
            };
            json!([call["id"], call["name"], object(arguments)])
        })
        .collect()
}

fn said_calls(heard: &Heard) -> Vec<Value> {
    heard.calls.iter().map(|call| json!([call.id, call.name, object(call.arguments.clone())])).collect()
}

/// No arguments are an empty object; the input of a tool of plain words is the argument `input`.
fn object(arguments: Value) -> Value {
    match arguments {
        Value::Null => json!({}),
        Value::Object(members) if members.len() == 1 && members.contains_key("$input") => {
            json!({"input": members["$input"]})
        }
        other => other,
    }
}

/// The reason to stop, in the words of the corpus.
pub fn reason(reason: StopReason) -> &'static [&'static str] {
    match reason {
        // Some recorders kept the number of a reason instead of its name.
        StopReason::End => &["stop", "1"],
        StopReason::Sequence => &["stop", "stop_sequence"],
        StopReason::Length => &["length", "2"],
        StopReason::ToolCalls => &["tool_calls"],
        StopReason::Refused => &["content_filter", "refusal", "model_armor"],
        StopReason::Paused => &["pause"],
        StopReason::MalformedCall => &["unexpected_tool_call", "malformed_call"],
        StopReason::Other => &["other"],
    }
}

fn finish(expect: &Value, heard: &Heard, found: &mut Differences) {
    let Ended::Well(stop) = heard.ended else {
        return found.fault("the answer never ended".into());
    };
    let said = reason(stop);
    match expect["finish_reason"].as_str() {
        Some(wanted) if said.contains(&wanted) => {}
        // The sequencer says so of every answer with calls; servers say "stop" when the tool was forced.
        Some("stop" | "1") if stop == StopReason::ToolCalls && !heard.calls.is_empty() => {}
        // No reason, but the provider's mark that it is done.
        None if matches!(stop, StopReason::End | StopReason::ToolCalls) => {}
        wanted => found.fault(format!("finish: wanted {wanted:?}, got {said:?}")),
    }
}

/// Counts that differ from the independent reading. What was not reported counts as none.
pub fn usage(expect: &Value, usage: &Usage) -> Vec<String> {
    let mut found = Differences::default();
    let counts = [
        ("input_total", usage.input),
        ("output_total", usage.output),
        ("cache_read", usage.cache_read),
        ("cache_write", usage.cache_write),
        ("reasoning", usage.reasoning),
    ];
    for (name, count) in counts {
        if let Some(wanted) = expect["usage"][name].as_u64() {
            found.same(name, &wanted, &count.unwrap_or(0));
        }
    }
    found.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use dragoman_core::catalog::DialectId;
    use dragoman_core::interpret::Framing;

    const BODY: &str = r#"{"choices":[{"message":{"content":"hi","tool_calls":[{"id":"c","function":{"name":"f","arguments":"{\"a\":1}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":3,"completion_tokens":2}}"#;

    fn heard() -> Heard {
        super::super::heard::hear(DialectId::ChatCompletions, Framing::Whole, [BODY.as_bytes()])
    }

    fn expect() -> Value {
        json!({"text": "hi", "tool_calls": [{"id": "c", "name": "f", "arguments": {"a": 1}}], "finish_reason": "tool_calls",
            "usage": {"input_total": 3, "output_total": 2}})
    }

    #[test]
    fn the_same_answer_has_no_differences() {
        assert_eq!(answer(&expect(), &heard()), Vec::<String>::new());
    }

    #[test]
    fn every_difference_is_told() {
        let changes = [
            ("text", json!("ho")),
            ("tool_calls", json!([])),
            ("finish_reason", json!("length")),
            ("usage", json!({"input_total": 4})),
            ("refusal", json!("no")),
            ("reasoning_text", json!("hm")),
        ];
        for (name, value) in changes {
            let mut expect = expect();
            expect[name] = value;
            assert_eq!(answer(&expect, &heard()).len(), 1, "{name}");
        }
    }
}
