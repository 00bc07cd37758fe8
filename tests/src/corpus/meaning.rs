//! What a request means, as far as two dialects can be compared: words, tools, calls, results, media.

use std::collections::BTreeSet;

use dragoman_core::catalog::DialectId;
use dragoman_core::dialect::Written;
use dragoman_core::hub::{Arguments, Part, Request, Role, Source, Tool};
use dragoman_core::json::{Json, Text};
use serde_json::Value;

use super::expected::short;
use super::heard::arguments;

/// A request without its form.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Meaning {
    /// What the operator and the application said.
    pub system: Vec<String>,
    /// What the person said.
    pub user: Vec<String>,
    /// What the model said.
    pub assistant: Vec<String>,
    /// What the model thought.
    pub thinking: Vec<String>,
    /// The tools' names and the names of their arguments.
    pub tools: Vec<(String, BTreeSet<String>)>,
    /// The calls of earlier turns.
    pub calls: Vec<(String, Value)>,
    /// The words of the tools' results.
    pub results: Vec<String>,
    /// Where media are: base64, address or file.
    pub media: Vec<String>,
    /// Where to stop.
    pub stop: Vec<String>,
}

impl Meaning {
    /// What a request means.
    pub fn of(request: &Request<'_>) -> Meaning {
        let mut meaning = Meaning::default();
        for turn in &request.turns {
            turn.parts.iter().for_each(|part| meaning.part(request.dialect, turn.role, part));
        }
        for tool in &request.tools {
            let (group, name, schema) = match tool {
                Tool::Function(function) => (function.namespace, function.name, function.schema),
                Tool::Custom(custom) => (custom.namespace, custom.name, None),
                Tool::Other(_) => continue,
            };
            meaning.tools.push((full_name(group, name), schema.map(argument_names).unwrap_or_default()));
        }
        let stop = request.stop.iter().flat_map(|stop| &stop.sequences);
        meaning.stop = stop.map(|text| text.decode().into_owned()).collect();
        meaning
    }

    fn part(&mut self, dialect: DialectId, role: Role, part: &Part<'_>) {
        match part {
            Part::Text { text, .. } | Part::Refusal(text) => self.words(role, *text),
            Part::Thinking(thought) => self.thinking.push(thought.text.decode().into_owned()),
            Part::Media(media) => self.media.push(where_is(&media.source)),
            Part::ToolCall(call) => {
                let said = match call.arguments {
                    Arguments::Object(json) => arguments(json.as_str()),
                    Arguments::Encoded(text) => arguments(&text.decode()),
                    Arguments::Plain(text) => serde_json::json!({"input": text.decode()}),
                };
                self.calls.push((full_name(call.namespace, call.name), said));
            }
            Part::ToolResult(result) => {
                for part in &result.content {
                    match part {
                        // A result that is a document may become an object, and an object a document.
                        Part::Text { text, .. } => self.results.extend(result_words(&text.decode())),
                        Part::Other(json) if dialect == DialectId::GenerateContent => {
                            self.results.extend(leaves(&value(*json)));
                        }
                        Part::Media(media) => self.media.push(where_is(&media.source)),
                        _ => {}
                    }
                }
            }
            Part::Other(_) => {}
        }
    }

    fn words(&mut self, role: Role, text: Text<'_>) {
        let words = match role {
            Role::System | Role::Developer => &mut self.system,
            Role::User => &mut self.user,
            Role::Assistant => &mut self.assistant,
            Role::Tool => &mut self.results,
        };
        words.push(text.decode().into_owned());
    }
}

fn full_name(group: Option<Text<'_>>, name: Text<'_>) -> String {
    match group {
        Some(group) if !group.is_empty() => format!("{}__{}", group.decode(), name.decode()),
        _ => name.decode().into_owned(),
    }
}

fn where_is(source: &Source<'_>) -> String {
    match source {
        Source::Data { base64, .. } => base64.decode().into_owned(),
        Source::Url { url, .. } => url.decode().into_owned(),
        Source::File(id) => id.decode().into_owned(),
    }
}

fn value(json: Json<'_>) -> Value {
    serde_json::from_str(json.as_str()).unwrap_or_default()
}

/// The names of a schema's properties at every depth: what no dialect may change.
fn argument_names(schema: Json<'_>) -> BTreeSet<String> {
    fn walk(value: &Value, names: &mut BTreeSet<String>) {
        if let Some(properties) = value["properties"].as_object() {
            names.extend(properties.keys().cloned());
        }
        match value {
            Value::Object(members) => members.values().for_each(|value| walk(value, names)),
            Value::Array(items) => items.iter().for_each(|value| walk(value, names)),
            _ => {}
        }
    }
    let mut names = BTreeSet::new();
    walk(&value(schema), &mut names);
    names
}

/// Every string in a document; a string that is itself a document counts as that, too.
pub fn leaves(value: &Value) -> Vec<String> {
    fn walk(value: &Value, out: &mut Vec<String>) {
        match value {
            Value::String(text) => {
                if text.trim_start().starts_with(['{', '['])
                    && let Ok(inner) = serde_json::from_str::<Value>(text)
                {
                    walk(&inner, out);
                }
                out.push(text.clone());
            }
            Value::Array(items) => items.iter().for_each(|item| walk(item, out)),
            Value::Object(members) => members.values().for_each(|value| walk(value, out)),
            _ => {}
        }
    }
    let mut out = Vec::new();
    walk(value, &mut out);
    out
}

/// The words of a tool's result: those inside when it is a document.
fn result_words(text: &str) -> Vec<String> {
    match serde_json::from_str::<Value>(text) {
        Ok(document) if document.is_object() || document.is_array() => leaves(&document),
        _ => vec![text.to_owned()],
    }
}

fn bare(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

/// Whether a list of what was lost names one of these words.
fn is_listed(written: &Written, words: &[&str]) -> bool {
    let losses = written.losses.dropped.iter().chain(&written.losses.approximated);
    losses.map(|path| path.to_lowercase()).any(|path| words.iter().any(|word| path.contains(word)))
}

const MEDIA: [&str; 12] = [
    "image",
    "media",
    "inlinedata",
    "inline_data",
    "filedata",
    "file",
    "audio",
    "video",
    "document",
    "source",
    "url",
    "parts",
];

/// What a written request does not say anywhere, and does not list as lost.
pub fn unsaid(meaning: &Meaning, written: &Written) -> Vec<String> {
    let document = match serde_json::from_str::<Value>(&written.body) {
        Ok(document) if document.is_object() => document,
        _ => return vec![format!("not a JSON object: {}", short(&written.body))],
    };
    let all: String = leaves(&document).iter().map(|leaf| bare(leaf)).collect::<Vec<_>>().join("\n");
    let mut found = Vec::new();
    let mut check = |what: &str, texts: &[String], words: &[&str]| {
        // A text document may be said in words instead of base64.
        let in_words =
            |text: &String| what == "media" && text_of(text).is_some_and(|words| all.contains(&bare(&words)));
        let lost = texts.iter().find(|text| !all.contains(&bare(text)) && !in_words(text));
        if let Some(text) = lost.filter(|_| !is_listed(written, words)) {
            found.push(format!("{what} is not said: {}", short(text)));
        }
    };
    check("system text", &meaning.system, &[]);
    check("user text", &meaning.user, &[]);
    check("assistant text", &meaning.assistant, &["refusal"]);
    check("thinking", &meaning.thinking, &["thinking", "reasoning", "signature", "thought"]);
    check("media", &meaning.media, &MEDIA);
    check("stop", &meaning.stop, &["stop"]);
    check("tool result", &meaning.results, &["output", "result"]);
    let values: Vec<String> = meaning.calls.iter().flat_map(|(_, arguments)| leaves(arguments)).collect();
    check("argument", &values, &["arguments"]);
    found
}

/// What the other dialect's reader understands otherwise.
pub fn differences(meaning: &Meaning, back: &Meaning, written: &Written) -> Vec<String> {
    let mut found = Vec::new();
    let mut same = |what: &str, one: &[String], two: &[String], words: &[&str]| {
        let (one, two) = (bare(&one.concat()), bare(&two.concat()));
        if one != two && !is_listed(written, words) {
            found.push(format!("{what}: {} came back as {}", short(&one), short(&two)));
        }
    };
    // What stands apart in one dialect may be a turn in another, and a wish for JSON a sentence: both are listed.
    const PLACES: [&str; 6] = ["system", "developer", "instructions", "role", "format", "responsemimetype"];
    same("system", &meaning.system, &back.system, &PLACES);
    // A result without its call is said in words.
    let orphan = |two: &[String]| -> bool {
        let words = bare(&two.concat());
        meaning.results.iter().any(|result| words.replacen(&bare(result), "", 1) == bare(&meaning.user.concat()))
    };
    let read: Vec<String> = meaning.media.iter().filter_map(|medium| text_of(medium)).collect();
    if !bare(&back.user.concat()).ends_with(&bare(&read.concat())) || read.is_empty() {
        if !orphan(&back.user) {
            same("user", &meaning.user, &back.user, &[&PLACES[..], &MEDIA[..]].concat());
        }
        let bytes = |meaning: &Meaning| meaning.media.iter().map(|medium| data(medium).to_owned()).collect::<Vec<_>>();
        same("media", &bytes(meaning), &bytes(back), &MEDIA);
    }
    same("assistant", &meaning.assistant, &back.assistant, &["refusal", "thinking", "thought", "reasoning"]);
    same("stop", &meaning.stop, &back.stop, &["stop"]);
    calls(meaning, back, written, &mut found);
    tools(meaning, back, written, &mut found);
    found
}

fn undo(written: &Written, name: &str) -> String {
    written.aliases.undo(Text::plain(name).unwrap_or_default()).decode().into_owned()
}

fn calls(meaning: &Meaning, back: &Meaning, written: &Written, found: &mut Vec<String>) {
    let names =
        |meaning: &Meaning| -> Vec<String> { meaning.calls.iter().map(|(name, _)| undo(written, name)).collect() };
    let (one, two) = (names(meaning), names(back));
    if one != two {
        found.push(format!("calls {one:?} came back as {two:?}"));
    }
    let said = |meaning: &Meaning| -> Vec<Value> { meaning.calls.iter().map(|(_, said)| object(said)).collect() };
    let (one, two) = (said(meaning), said(back));
    let differ = one.len() != two.len() || one.iter().zip(&two).any(|(one, two)| !one.is_null() && one != two);
    if differ && !is_listed(written, &["arguments"]) {
        found.push(format!("arguments {} came back as {}", short(&one), short(&two)));
    }
}

fn tools(meaning: &Meaning, back: &Meaning, written: &Written, found: &mut Vec<String>) {
    if is_listed(written, &["tool"]) {
        return;
    }
    let names =
        |meaning: &Meaning| -> Vec<String> { meaning.tools.iter().map(|(name, _)| undo(written, name)).collect() };
    let (one, two) = (names(meaning), names(back));
    if one != two {
        return found.push(format!("tools {one:?} came back as {two:?}"));
    }
    for ((name, one), (_, two)) in meaning.tools.iter().zip(&back.tools) {
        let missing: Vec<&String> = one.difference(two).collect();
        if !missing.is_empty() {
            found.push(format!("arguments {missing:?} of the tool {name} are not said"));
        }
    }
}

/// The words of a medium that is plain text: some dialects want them as such.
fn text_of(medium: &str) -> Option<String> {
    let bytes = super::recording::base64(data(medium))?;
    String::from_utf8(bytes).ok().filter(|text| !text.is_empty())
}

/// Arguments where they are an object; dialects whose arguments must be one wrap what is none.
fn object(arguments: &Value) -> Value {
    match arguments.is_object() {
        true => arguments.clone(),
        false => Value::Null,
    }
}

/// The bytes of a medium that an address may hold.
fn data(place: &str) -> &str {
    match place.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,")) {
        Some((_, bytes)) => bytes,
        None => place,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_not_said_is_told_unless_it_is_listed() {
        let meaning = Meaning { user: vec!["hi there".into()], stop: vec!["END".into()], ..Meaning::default() };
        let mut written = Written { body: json!({"x": "hi  there"}).to_string(), ..Written::default() };
        assert_eq!(unsaid(&meaning, &written), [r#"stop is not said: "END""#]);
        written.drop("stop");
        assert_eq!(unsaid(&meaning, &written), Vec::<String>::new());
    }

    #[test]
    fn a_document_inside_a_string_is_looked_into() {
        let found = leaves(&json!({"arguments": "{\"a\":\"b \\\"c\\\"\"}"}));
        assert!(found.contains(&"b \"c\"".to_owned()));
    }
}
