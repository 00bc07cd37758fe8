//! Requests that were recorded in other dialects, written in this one.

use super::*;
use crate::catalog::{DialectId, Operation, ThinkingStyle};
use crate::dialect;
use crate::hub::foreign::{FullNames, prepare};
use std::collections::BTreeMap;

/// The recorded APIs of other dialects.
const APIS: [(&str, DialectId); 7] = [
    ("openai.chat", DialectId::ChatCompletions),
    ("groq.chat", DialectId::ChatCompletions),
    ("mistral.chat", DialectId::ChatCompletions),
    ("gemini.generateContent", DialectId::GenerateContent),
    ("openai.responses", DialectId::Responses),
    ("cohere.chat", DialectId::ChatV2),
    ("bedrock.converse", DialectId::Converse),
];

/// Recorded requests of other dialects, as their paths and bodies.
fn requests() -> Vec<(String, Endpoint, String)> {
    let mut requests = Vec::new();
    for (api, id) in APIS {
        if dialect::of(id).client().is_none() {
            continue;
        }
        for (name, recording) in of_api(api) {
            let Some(body) = recording["request"]["body"].as_str() else { continue };
            let endpoint = Endpoint { model: Some("m".into()), ..Endpoint::generate(id) };
            requests.push((name, endpoint, body.to_string()));
        }
    }
    for (name, sent) in agents() {
        let text = |member: &str| sent[member].as_str().unwrap_or_default();
        let clients = dialect::ALL.iter().filter(|dialect| dialect.id() != DialectId::Messages);
        let endpoint = clients
            .filter_map(|dialect| dialect.client()?.endpoint(text("method"), text("path"))?.ok())
            .find(|endpoint| endpoint.operation == Operation::Generate);
        requests.extend(endpoint.map(|endpoint| (name, endpoint, text("body").to_string())));
    }
    requests
}

/// What makes a body a request that the provider takes, as far as its grammar goes.
fn faults(body: &Value) -> Option<String> {
    let messages = body["messages"].as_array()?;
    let mut previous = "";
    let mut open: Vec<&str> = Vec::new();
    for message in messages {
        let role = message["role"].as_str()?;
        if role == previous || !["user", "assistant"].contains(&role) {
            return Some(format!("role {role} after {previous}"));
        }
        previous = role;
        let parts = message["content"].as_array().map(Vec::as_slice).unwrap_or_default();
        if message["content"].as_str() == Some("") || message["content"] == serde_json::json!([]) {
            return Some("empty content".into());
        }
        if role == "assistant" {
            open.clear();
        }
        for part in parts {
            match part["type"].as_str()? {
                "tool_use" => {
                    open.push(part["id"].as_str()?);
                    if !part["input"].is_object() || part["name"].as_str()?.is_empty() {
                        return Some(format!("call {part}"));
                    }
                }
                "tool_result" if !open.contains(&part["tool_use_id"].as_str()?) => {
                    return Some(format!("result without a call: {part}"));
                }
                "text" if part["text"].as_str()?.trim().is_empty() => return Some("blank text".into()),
                "thinking" if part["signature"].as_str().is_none_or(str::is_empty) => return Some("unsigned".into()),
                _ => {}
            }
        }
    }
    let budget = body["thinking"]["budget_tokens"].as_u64().unwrap_or(0);
    (budget > 0 && body["max_tokens"].as_u64()? <= budget).then(|| "budget".into())
}

#[test]
fn every_request_of_another_dialect_is_said_by_the_grammar() {
    let (mut count, mut refused, mut clean, mut agents) = (0, 0, 0, 0);
    let mut dropped: BTreeMap<String, usize> = BTreeMap::new();
    let mut approximated: BTreeMap<String, usize> = BTreeMap::new();
    let mut faulty = Vec::new();
    for (name, endpoint, body) in requests() {
        let Ok(body) = Json::parse(body.as_bytes()) else { continue };
        let Ok(request) = dialect::client(endpoint.dialect).read_request(&endpoint, body) else {
            refused += 1;
            continue;
        };
        if request.tied.is_some() {
            // It goes on with what its provider keeps, and is never said elsewhere.
            continue;
        }
        let mut losses = Losses::default();
        let names = FullNames::of(&request);
        let request = prepare(request, &names, DialectId::Messages, "00000000000000aa", &mut losses);
        for thinking in [ThinkingStyle::Unknown, ThinkingStyle::Words, ThinkingStyle::Tokens, ThinkingStyle::Never] {
            let to = Addressee { model: "n", thinking, output_limit: 64_000, ..Addressee::default() };
            let written = Messages.write_request(&request, to);
            let said = value(&written.body);
            if let Some(fault) = faults(&said) {
                faulty.push(format!("{name}: {fault}"));
            }
            let again = read(&written.body).unwrap_or_else(|error| panic!("{name}: {error:?}"));
            let same = Messages.write_request(&again, Addressee::model("n"));
            assert_eq!(value(&same.body), said, "{name}");
            if thinking == ThinkingStyle::Unknown {
                count += 1;
                let of_agent = name.ends_with(".jsonl");
                // A search that one provider runs cannot be run by another; everything else of an agent's goes over.
                let matters = written.losses.dropped.iter().any(|path| path != "tools[].web_search");
                assert!(!of_agent || !matters, "{name}: {:?}", written.losses);
                agents += usize::from(of_agent);
                clean += usize::from(written.losses.dropped.is_empty());
                written.losses.dropped.into_iter().for_each(|path| *dropped.entry(path).or_default() += 1);
                written.losses.approximated.into_iter().for_each(|path| *approximated.entry(path).or_default() += 1);
            }
        }
    }
    println!(
        "others: {count} written, {clean} of them with nothing dropped, {refused} refused by their readers; {agents} of agents"
    );
    println!("dropped: {dropped:#?}\napproximated: {approximated:#?}");
    assert!(faulty.is_empty(), "{}", faulty.join("\n"));
}

/// Says an answer of another dialect to a client of this one.
fn said(id: DialectId, frames: &[Frame<'_>], delivery: Delivery) -> String {
    let mut reader = dialect::of(id).reader(Aliases::default());
    let mut sequencer = Sequencer::new();
    let reply = Reply { delivery, exchange: "x1".into(), created: 0, model: "route".into() };
    let mut writer = Messages.writer(&Request::new(DialectId::Messages, delivery), reply);
    let mut out = Vec::new();
    let mut emit = |event: Event<'_>| writer.write(&event, &mut out);
    for frame in frames {
        reader.read(*frame, &mut |piece| sequencer.push(piece, &mut emit));
    }
    sequencer.finish(&mut emit);
    String::from_utf8(out).unwrap()
}

#[test]
fn every_answer_of_another_dialect_is_said_whole_and_streamed_the_same() {
    let mut count = 0;
    for (api, id) in APIS {
        for (name, recording) in of_api(api) {
            let is_json = |recorded: &Recorded| match recorded {
                Recorded::Whole(body) => Json::parse(body.as_bytes()).is_ok(),
                Recorded::Stream(_) => true,
            };
            let Some(recorded) = recorded(&recording["response"]).filter(is_json) else { continue };
            let frames = recorded.frames();
            let stream = said(id, &frames, Delivery::Streamed);
            let as_stream = streamed(&stream);
            let body = said(id, &frames, Delivery::Whole);
            if let End::Failed(_) = as_stream.end {
                assert_eq!(body, "", "{name}: an error has a status instead of a body");
                continue;
            }
            let as_whole = whole(body.as_bytes());
            let broken = as_stream.blocks.iter().any(|block| {
                let arguments = Text::escaped(&block.text).decode();
                matches!(block.kind, SaidKind::ToolCall { .. }) && Json::parse(arguments.as_bytes()).is_err()
            });
            let blocks = |message: &Message| message.blocks.iter().map(parsed).collect::<Vec<_>>();
            assert!(broken || blocks(&as_whole) == blocks(&as_stream), "{name}: {body} {stream}");
            assert_eq!((&as_whole.end, as_whole.usage), (&as_stream.end, as_stream.usage), "{name}");
            count += 1;
        }
    }
    println!("answers of others: {count}, whole and streamed");
}

/// A block with its arguments as JSON: spaces in them differ.
fn parsed(block: &Said) -> (SaidKind, Value, Option<String>) {
    let text = Text::escaped(&block.text).decode().into_owned();
    let text = match block.kind {
        SaidKind::ToolCall { .. } => serde_json::from_str(&text).unwrap_or_default(),
        _ => Value::from(text),
    };
    (block.kind.clone(), text, block.signature.clone())
}
