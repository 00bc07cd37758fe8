//! The laws on recorded traffic: identity of requests, and answers as an independent reader understood them.

use super::*;
use std::path::{Path, PathBuf};

/// The recordings of this dialect, or none where the shared folder does not exist.
fn recordings() -> Vec<(String, Value)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus/open");
    let Ok(providers) = std::fs::read_dir(&root) else {
        println!("skipped: there are no recordings beside the repository");
        return Vec::new();
    };
    let files = |folder: PathBuf| std::fs::read_dir(folder).into_iter().flatten().flatten().map(|file| file.path());
    let all = providers.flatten().flat_map(|provider| files(provider.path().join("openai.responses")));
    let found: Vec<_> = all
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            (path.file_name().unwrap().to_string_lossy().into_owned(), value(&text))
        })
        .collect();
    assert!(found.len() > 500, "only {} recordings were found", found.len());
    found
}

/// Recorded requests, and those of coding agents and SDKs.
fn bodies() -> Vec<(String, String)> {
    let mut bodies: Vec<_> = recordings()
        .into_iter()
        .filter_map(|(name, recording)| Some((name, recording["request"]["body"].as_str()?.to_string())))
        .collect();
    let agents = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus/agents");
    for entry in std::fs::read_dir(agents).into_iter().flatten().flatten() {
        for line in std::fs::read_to_string(entry.path()).unwrap_or_default().lines() {
            let Ok(sent) = serde_json::from_str::<Value>(line) else { continue };
            let path = sent["path"].as_str().unwrap_or_default();
            if let (Some(Ok(_)), Some(body)) = (Responses.endpoint("POST", path), sent["body"].as_str()) {
                bodies.push((entry.file_name().to_string_lossy().into_owned(), body.to_string()));
            }
        }
    }
    bodies
}

#[test]
fn a_recorded_request_is_written_as_it_was_read() {
    let (mut same, mut without_model) = (0, 0);
    for (name, body) in bodies() {
        let mut expected = value(&body);
        if expected.get("model").is_none() {
            // A stored prompt may name the model; the gateway cannot know it.
            assert_eq!(read(&body).unwrap_err(), ReadError::new("model", "is missing"), "{name}");
            without_model += 1;
            continue;
        }
        let request = read(&body).unwrap_or_else(|error| panic!("{name}: {error:?}"));
        let written = write(&request, "another");
        expected["model"] = "another".into();
        assert_eq!(value(&written.body), expected, "{name}");
        assert!(written.losses.dropped.is_empty() && written.losses.approximated.is_empty(), "{name}");
        same += 1;
    }
    println!("identity: {same} same, {without_model} without a model");
}

#[test]
fn a_recorded_request_leaves_nothing_out() {
    for (name, body) in bodies() {
        let Ok(mut request) = read(&body) else { continue };
        let raw = value(&body);
        let of = |kinds: &[&str]| -> Vec<&Value> {
            let items = raw["input"].as_array().into_iter().flatten();
            items.filter(|item| kinds.contains(&item["type"].as_str().unwrap_or("message"))).collect()
        };
        let parts: Vec<_> = request.turns.iter().flat_map(|turn| &turn.parts).collect();
        let count = |wanted: fn(&crate::hub::Part<'_>) -> bool| parts.iter().filter(|part| wanted(part)).count();
        let calls = count(|part| matches!(part, crate::hub::Part::ToolCall(_)));
        assert_eq!(calls, of(&["function_call", "custom_tool_call"]).len(), "{name}");
        let results = count(|part| matches!(part, crate::hub::Part::ToolResult(_)));
        assert_eq!(results, of(&["function_call_output", "custom_tool_call_output"]).len(), "{name}");
        let proofs = count(|part| matches!(part, crate::hub::Part::Thinking(thought) if thought.signature.is_some()));
        let sealed = of(&["reasoning"]).into_iter().filter(|item| item["encrypted_content"].is_string());
        assert_eq!(proofs, sealed.count(), "{name}");
        for pair in request.turns.windows(2) {
            let twins = |role| pair.iter().all(|turn| turn.role == role);
            assert!(!twins(crate::hub::Role::Assistant) && !twins(crate::hub::Role::Tool), "{name}: {pair:?}");
        }
        // As another dialect's request it is written anew, and read the same.
        request.body = None;
        let written = write(&request, "m");
        let again = read(&written.body).unwrap_or_else(|error| panic!("{name}: {error:?} in {}", written.body));
        let names = |request: &Request<'_>| -> Vec<String> {
            let parts = request.turns.iter().flat_map(|turn| &turn.parts);
            let calls = parts.filter_map(|part| match part {
                crate::hub::Part::ToolCall(call) => Some(call.name.raw().to_string()),
                _ => None,
            });
            calls.collect()
        };
        assert_eq!(names(&again), names(&request), "{name}");
    }
}

#[test]
fn a_recorded_answer_is_understood_as_an_independent_reader_did() {
    let (mut same, mut different) = (0, Vec::new());
    for (name, recording) in recordings() {
        let (response, expect) = (&recording["response"], &recording["expect"]);
        if response["status"].as_u64().is_some_and(|status| status >= 400) || expect.is_null() {
            continue;
        }
        let message = match (response["sse_text"].as_str(), response["body"].as_str()) {
            (Some(stream), _) => fold_stream(stream),
            (None, Some(body)) => fold_whole(body),
            (None, None) => continue,
        };
        match differences(expect, &message) {
            problems if problems.is_empty() => same += 1,
            _ if CONTRADICTORY.contains(&name.as_str()) => {}
            problems => different.push(format!("{name}: {problems:?}")),
        }
    }
    println!("answers: {same} same, {} different", different.len());
    assert!(different.is_empty(), "{} differ:\n{}", different.len(), different.join("\n"));
}

/// Recordings whose deltas say other words than the events behind them do. Words that were passed on cannot be taken back.
const CONTRADICTORY: [&str; 1] = ["openai.openai.responses.s.8ee3bb31f424.json"];

/// What the recording's independent reading says otherwise, the known and wanted differences aside.
fn differences(expect: &Value, message: &Message) -> Vec<String> {
    let mut found = Vec::new();
    let mut same = |what: &str, expected: &Value, got: Value| {
        if *expected != got {
            found.push(format!("{what}: expected {expected}, got {got}"));
        }
    };
    if expect["finish_reason"] == "queued" {
        // Work that goes on elsewhere is no answer yet.
        same("queued", &Value::Bool(true), failure(message).is_some().into());
        return found;
    }
    if !expect["error_message"].is_null() {
        same("error", &Value::Bool(true), failure(message).is_some().into());
        return found;
    }
    same("failure", &Value::Null, failure(message).map_or(Value::Null, |error| error.message.clone().into()));
    let blocks = said(message);
    let words = |wanted: &str| -> Value {
        let texts = blocks.iter().filter(|(kind, _)| kind == wanted).map(|(_, text)| text.as_str());
        texts.collect::<String>().into()
    };
    same("text", &expect["text"], words("text"));
    for (name, kind) in [("reasoning_text", "thinking"), ("refusal", "refusal")] {
        if expect[name].is_string() {
            same(name, &expect[name], words(kind));
        }
    }
    let calls = message.blocks.iter().filter_map(|block| match &block.kind {
        SaidKind::ToolCall { id, name } => {
            let arguments = Text::escaped(&block.text).decode();
            let parsed = serde_json::from_str(&arguments).unwrap_or_else(|_| Value::from(arguments.as_ref()));
            Some(serde_json::json!([id, name, parsed]))
        }
        _ => None,
    });
    let wanted = expect["tool_calls"].as_array().into_iter().flatten().map(|call| {
        let arguments = match (call["arguments"].get("$input"), call["arguments"].get("$unparsed")) {
            (Some(input), _) => serde_json::json!({ "input": input }),
            // The answer was cut at its limit of tokens.
            (None, Some(text)) => text.clone(),
            (None, None) => call["arguments"].clone(),
        };
        serde_json::json!([call["id"], call["name"], arguments])
    });
    same("calls", &wanted.collect(), calls.collect());
    let finish = match message.stop_reason() {
        Some(StopReason::End | StopReason::ToolCalls) => "stop",
        Some(StopReason::Length) => "length",
        Some(StopReason::Refused) => "content_filter",
        _ => "none",
    };
    same("finish", &expect["finish_reason"], finish.into());
    let usage = &message.usage;
    let counts = [
        ("input_total", usage.input),
        ("output_total", usage.output),
        ("cache_read", usage.cache_read),
        ("cache_write", usage.cache_write),
        ("reasoning", usage.reasoning),
    ];
    for (name, count) in counts {
        if let Some(wanted) = expect["usage"][name].as_u64() {
            same(name, &wanted.into(), count.unwrap_or(0).into());
        }
    }
    found
}

#[test]
fn the_counts_of_a_relayed_answer_are_those_of_the_recording() {
    for (name, recording) in recordings() {
        let (response, expect) = (&recording["response"], &recording["expect"]);
        let mut usage = crate::usage::Usage::default();
        let mut tap = |text: &str| {
            if let (true, Ok(json)) = (text.contains(super::super::USAGE.marker), Json::parse(text.as_bytes())) {
                usage.update(Responses.usage().read(json));
            }
        };
        match (response["sse_text"].as_str(), response["body"].as_str()) {
            (Some(stream), _) => frames(stream).into_iter().for_each(|(_, data)| tap(data)),
            (None, Some(body)) => tap(body),
            (None, None) => continue,
        }
        for (name_of_count, count) in [("input_total", usage.input), ("output_total", usage.output)] {
            assert_eq!(expect["usage"][name_of_count].as_u64(), count, "{name}: {name_of_count}");
        }
    }
}

#[test]
fn a_recorded_answer_is_said_again_the_same_whole_and_streamed() {
    let mut count = 0;
    for (name, recording) in recordings() {
        let response = &recording["response"];
        let (stream, body) = (response["sse_text"].as_str(), response["body"].as_str());
        let frames = stream.map(frames).unwrap_or_default();
        let body = body.filter(|_| stream.is_none());
        let message = fold(&frames, body);
        if failure(&message).is_some() {
            continue;
        }
        let asked = r#"{"model":"m","input":"","include":["reasoning.encrypted_content"]}"#;
        let [whole, streamed] = [Delivery::Whole, Delivery::Streamed]
            .map(|delivery| answer(asked, delivery, |take| events(&frames, body, take)));
        assert_same_answer(&name, &whole, &streamed);
        for again in [fold_whole(&whole), fold_stream(&streamed)] {
            assert_eq!(lines_joined(&again), lines_joined(&message), "{name}");
            assert_eq!(again.end, message.end, "{name}");
            assert_eq!((again.usage.input, again.usage.output), counts(&message), "{name}");
        }
        count += 1;
    }
    println!("said again: {count}");
}

/// The blocks; those of this dialect's own are written on one line.
fn lines_joined(message: &Message) -> Vec<crate::hub::message::Said> {
    let mut blocks = message.blocks.clone();
    let own = blocks.iter_mut().filter(|block| block.kind == SaidKind::Other);
    own.for_each(|block| block.text = value(&block.text).to_string());
    blocks
}

/// Nobody who reports no usage is said to have used nothing.
fn counts(message: &Message) -> (Option<u64>, Option<u64>) {
    (message.usage.input, message.usage.output)
}

/// The response that ends the stream is the whole body.
fn assert_same_answer(name: &str, whole: &str, streamed: &str) {
    let (_, last) = frames(streamed).into_iter().next_back().unwrap();
    assert_eq!(value(last)["response"], value(whole), "{name}");
}

#[test]
fn a_recorded_stream_cut_short_is_an_error() {
    let mut count = 0;
    for (name, recording) in recordings() {
        let Some(stream) = recording["response"]["sse_text"].as_str() else { continue };
        let frames = frames(stream);
        let Some(end) = frames.iter().position(|(name, data)| Responses.is_end(name, data)) else { continue };
        for length in [0, 1, end / 2, end] {
            let cut = fold(&frames[..length], None);
            assert!(failure(&cut).is_some(), "{name} cut after {length}");
        }
        count += 1;
    }
    println!("cut short: {count}");
}

#[test]
fn a_recorded_error_keeps_its_status_its_words_and_its_place() {
    for (name, recording) in recordings() {
        let response = &recording["response"];
        let status = response["status"].as_u64().unwrap() as u16;
        if status < 400 {
            continue;
        }
        let text = response["body"].as_str().or(response["sse_text"].as_str()).unwrap_or_default();
        let error = Responses.read_error(status, text.as_bytes());
        let expect = &recording["expect"];
        assert_eq!(error.status, status, "{name}");
        if let Some(message) = expect["error_message"].as_str() {
            assert_eq!(error.message, message.replace('\n', " "), "{name}");
        }
        assert_eq!(error.param.as_deref(), expect["error_param"].as_str(), "{name}");
        let mut out = crate::json::Writer::new();
        Responses.write_error(&crate::refusal::ClientError::of_provider(&error), &mut out);
        let told = value(out.as_str());
        assert_eq!(told["error"]["message"], error.message.as_str(), "{name}");
        if let Some(code) = expect["error_code"].as_str() {
            assert_eq!(told["error"]["code"], code, "{name}");
        }
    }
}
