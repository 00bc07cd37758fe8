//! Silent losses: a member that can be taken away without changing what is written, nor what is listed as lost, was lost silently.
//!
//! Nothing here knows what a member means. What says nothing by itself (`null`, the default, a tag that another member
//! implies) is listed below, each with its reason.

use std::collections::HashSet;

use dragoman_core::catalog::DialectId;
use dragoman_core::loss::Losses;
use serde_json::Value;

use super::asked::Asked;

/// Bodies beyond this many bytes are looked into at their top level only: each member costs a whole translation.
const DEEP: usize = 192 << 10;

/// Members that hold somebody's data, not words of the dialect: not looked into.
const DATA: [&str; 15] = [
    "parameters",
    "input_schema",
    "parametersJsonSchema",
    "parameters_json_schema",
    "schema",
    "responseSchema",
    "response_schema",
    "responseJsonSchema",
    "response_json_schema",
    "arguments",
    "args",
    "response",
    "metadata",
    "logit_bias",
    "labels",
];

/// Members that say nothing by themselves, by the end of their path.
const TAGS: [&str; 22] = [
    // What an address leads to, it says itself.
    "file_data.mime_type",
    "fileData.mimeType",
    // The route, which the written request names by its target.
    "model",
    // How the answer shall come: another dialect's path says it, and the client's own writer keeps it.
    "stream",
    "stream_options",
    ".include_usage",
    // What kind of thing it is, the other members tell.
    ".type",
    // Whose turn it is, where there is one kind only.
    ".role",
    // The same thoughts under two names; whether they are said, another check tells.
    ".reasoning",
    ".reasoning_content",
    // May be what the other dialect's writer asks for where nothing is said.
    "max_tokens",
    "max_output_tokens",
    "max_completion_tokens",
    "maxOutputTokens",
    // The name under which a provider keeps a part of an earlier answer.
    ".id",
    // That a part of an earlier answer is complete.
    ".status",
    // Calls and results stand in the same order.
    ".tool_call_id",
    ".tool_use_id",
    // A label for a schema, which only some dialects demand.
    "json_schema.name",
    "format.name",
    // A tool's name that stands twice; without any the request is refused.
    "tools[].name",
    "tools[].function.name",
];

/// Names of places, too general to name what is lost.
const PLACES: [&str; 4] = ["content", "parts", "tools", "input"];

/// Members that say nothing in a turn of this role: a result's tool is told by its call.
const OF_ROLE: [(&str, &str); 1] = [("name", "tool")];

/// Values that are what holds without them.
const DEFAULTS: [(&str, &str); 34] = [
    // What a document is called that nobody named.
    ("filename", "\"document.pdf\""),
    ("frequency_penalty", "0.0"),
    ("presence_penalty", "0.0"),
    ("top_p", "1.0"),
    ("function_call", "\"auto\""),
    ("service_tier", "\"default\""),
    ("stream", "false"),
    ("n", "1"),
    ("candidateCount", "1"),
    ("tool_choice", "\"auto\""),
    ("tool_choice.type", "\"auto\""),
    ("functionCallingConfig.mode", "\"AUTO\""),
    ("parallel_tool_calls", "true"),
    ("disable_parallel_tool_use", "false"),
    ("strict", "false"),
    // Elsewhere a schema of the answer always binds.
    ("json_schema.strict", "true"),
    ("format.strict", "true"),
    ("is_error", "false"),
    ("store", "false"),
    ("background", "false"),
    ("logprobs", "false"),
    ("thought", "false"),
    ("truncation", "\"disabled\""),
    ("service_tier", "\"auto\""),
    ("detail", "\"auto\""),
    ("responseModalities", "[\"TEXT\"]"),
    // A schema says it already; without one it changes what is written.
    ("responseMimeType", "\"application/json\""),
    ("response_mime_type", "\"application/json\""),
    // Thoughts and proofs are always passed on where there are any.
    ("reasoning.summary", "\"auto\""),
    ("thinking.display", "\"summarized\""),
    ("includeThoughts", "true"),
    ("include_thoughts", "true"),
    ("include", "[\"reasoning.encrypted_content\"]"),
    ("defer_loading", "false"),
];

/// The members that are lost without a word when the request is written for a provider of the dialect `to`.
pub fn members(asked: &Asked, to: DialectId) -> Vec<String> {
    let Ok(body) = serde_json::from_str::<Value>(&asked.body) else { return Vec::new() };
    let Some(whole) = asked.variant(&body.to_string(), to) else { return Vec::new() };
    let mut found = Vec::new();
    for shape in shapes(&body, asked.body.len() <= DEEP) {
        let Some((taken, without)) = without(&body, &shape) else { continue };
        // How many calls at once says nothing where there is nothing to call.
        let no_tools = shape == "parallel_tool_calls" && body.get("tools").is_none();
        if no_tools || taken.iter().all(|value| says_nothing(&shape, value)) {
            continue;
        }
        let silent = asked.variant(&without, to).is_some_and(|left| left == whole);
        if silent && !is_named(&body, &shape, &whole.1) && !goes_with_its_place(asked, to, &body, &shape, &whole) {
            let first = taken.iter().find(|value| !says_nothing(&shape, value)).map(Value::to_string);
            found.push(format!("{shape} = {}", super::expected::short(&first.unwrap_or_default())));
        }
    }
    found
}

/// Whether the list of what was lost names the member, what it stands in, or the kind of that.
fn is_named(body: &Value, shape: &str, losses: &Losses) -> bool {
    let kinds = kinds(body, shape);
    losses.dropped.iter().chain(&losses.approximated).any(|path| {
        let last = path.rsplit('.').next().unwrap_or(path).trim_end_matches("[]");
        let inside = shape.split('.').skip(1).any(|segment| segment.trim_end_matches("[]") == last);
        let below = path.contains(['.', '['])
            && shape.strip_prefix(path.as_str()).is_some_and(|rest| rest.starts_with(['.', '[']));
        (inside && !PLACES.contains(&last)) || below || shape == path || kinds.iter().any(|kind| kind == last)
    })
}

/// The `type` of the items that a member of this shape stands in.
fn kinds(body: &Value, shape: &str) -> Vec<String> {
    fn walk(value: &Value, shape: &str, kinds: &mut Vec<String>) -> bool {
        let shape = shape.strip_prefix('.').unwrap_or(shape);
        if let (Value::Array(items), Some(inner)) = (value, shape.strip_prefix("[]")) {
            let found: Vec<bool> = items.iter().map(|item| walk(item, inner, kinds)).collect();
            return found.contains(&true);
        }
        let end = shape.find(['.', '[']).unwrap_or(shape.len());
        let (name, inner) = shape.split_at(end);
        let Some(member) = value.get(name) else { return false };
        let is_there = inner.is_empty() || walk(member, inner, kinds);
        if let (true, Some(kind)) = (is_there, value["type"].as_str()) {
            kinds.push(kind.to_owned());
        }
        is_there
    }
    let mut kinds = Vec::new();
    walk(body, shape, &mut kinds);
    kinds
}

/// Whether what the member stands in was left out as a whole, and that is listed: then so is the member.
fn goes_with_its_place(asked: &Asked, to: DialectId, body: &Value, shape: &str, whole: &(String, Losses)) -> bool {
    let is_listed = |left: String| {
        let left = asked.variant(&left, to);
        left.is_some_and(|(left, losses)| left == whole.0 && losses != whole.1)
    };
    let members = shape.match_indices(['.', '[']).filter_map(|(at, _)| shape.get(..at));
    let items =
        shape.match_indices("[].").filter_map(|(at, joint)| Some((shape.get(..at)?, shape.get(at + joint.len()..)?)));
    members.into_iter().any(|place| without(body, place).is_some_and(|(_, left)| is_listed(left)))
        || items.into_iter().any(|(list, rest)| is_listed(without_items(body, list, rest)))
}

/// The body without those items of the lists of a shape that have a member of the shape `rest`.
fn without_items(body: &Value, list: &str, rest: &str) -> String {
    fn walk(value: &mut Value, list: &str, rest: &str) {
        if let Value::Array(items) = value {
            match list.strip_prefix("[]") {
                Some(inner) => items.iter_mut().for_each(|item| walk(item, inner, rest)),
                None if list.is_empty() => items.retain(|item| !has(item, rest)),
                None => {}
            }
            return;
        }
        let list = list.strip_prefix('.').unwrap_or(list);
        let end = list.find(['.', '[']).unwrap_or(list.len());
        let (name, inner) = list.split_at(end);
        if let Some(value) = value.get_mut(name) {
            walk(value, inner, rest);
        }
    }
    fn has(item: &Value, rest: &str) -> bool {
        let mut item = item.clone();
        let mut taken = Vec::new();
        take(&mut item, rest, &mut taken);
        !taken.is_empty()
    }
    let mut left = body.clone();
    walk(&mut left, list, rest);
    left.to_string()
}

/// The body without any member of that shape, and what was taken away; `None` when there is none.
fn without(body: &Value, shape: &str) -> Option<(Vec<Value>, String)> {
    let mut left = body.clone();
    let mut taken = Vec::new();
    take(&mut left, shape, &mut taken);
    (!taken.is_empty()).then(|| (taken, left.to_string()))
}

/// The shape of every member: `messages[].content[].cache_control` once, however many turns have it.
fn shapes(body: &Value, deep: bool) -> Vec<String> {
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    let mut waiting = vec![(body, String::new())];
    while let Some((value, shape)) = waiting.pop() {
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    // A name with a dot or bracket in it is data.
                    if name.contains(['.', '[']) {
                        continue;
                    }
                    let shape = if shape.is_empty() { name.clone() } else { format!("{shape}.{name}") };
                    if deep && !DATA.contains(&name.as_str()) {
                        waiting.push((value, shape.clone()));
                    }
                    if seen.insert(shape.clone()) {
                        found.push(shape);
                    }
                }
            }
            Value::Array(items) => waiting.extend(items.iter().map(|item| (item, format!("{shape}[]")))),
            _ => {}
        }
    }
    found
}

/// Takes away every member of a shape.
fn take(value: &mut Value, shape: &str, taken: &mut Vec<Value>) {
    let (name, rest) = match shape.split_once('.') {
        Some((name, rest)) => (name, Some(rest)),
        None => (shape, None),
    };
    let bare = name.trim_end_matches("[]");
    let depth = (name.len() - bare.len()) / 2;
    match (rest, value.as_object_mut()) {
        (None, Some(members)) if depth == 0 => {
            let says_nothing =
                OF_ROLE.iter().any(|(name, role)| *name == bare && members.get("role").is_some_and(|is| is == role));
            if !says_nothing {
                taken.extend(members.remove(bare));
            }
        }
        (Some(rest), Some(members)) => {
            if let Some(inner) = members.get_mut(bare) {
                inside(inner, depth, rest, taken);
            }
        }
        _ => {}
    }
}

fn inside(value: &mut Value, depth: usize, rest: &str, taken: &mut Vec<Value>) {
    match (depth, value) {
        (0, value) => take(value, rest, taken),
        (_, Value::Array(items)) => items.iter_mut().for_each(|item| inside(item, depth - 1, rest, taken)),
        _ => {}
    }
}

fn says_nothing(shape: &str, value: &Value) -> bool {
    let empty = match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.iter().all(|item| says_nothing(&format!("{shape}[]"), item)),
        Value::Object(members) => members.iter().all(|(name, value)| says_nothing(&format!("{shape}.{name}"), value)),
        Value::Bool(_) | Value::Number(_) => false,
    };
    let text = value.to_string();
    empty
        || TAGS.iter().any(|tag| shape.ends_with(tag))
        || DEFAULTS
            .iter()
            .any(|(name, default)| *default == text && (shape == *name || shape.ends_with(&format!(".{name}"))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_shape_is_found_once_and_can_be_taken_away() {
        let body = json!({"a": [{"b": 1}, {"b": 2, "c": {"d": 3}}], "parameters": {"e": 4}});
        let mut found = shapes(&body, true);
        found.sort();
        assert_eq!(found, ["a", "a[].b", "a[].c", "a[].c.d", "parameters"]);
        assert_eq!(
            without(&body, "a[].b"),
            Some((vec![json!(1), json!(2)], r#"{"a":[{},{"c":{"d":3}}],"parameters":{"e":4}}"#.to_owned()))
        );
        assert_eq!(kinds(&json!({"a": [{"type": "x", "b": {"c": 1}}, {"type": "y"}]}), "a[].b.c"), ["x"]);
        assert_eq!(without_items(&body, "a", "c.d"), r#"{"a":[{"b":1}],"parameters":{"e":4}}"#);
        assert_eq!(without(&body, "a[].c.d").map(|(taken, _)| taken), Some(vec![json!(3)]));
    }

    #[test]
    fn a_member_that_nobody_knows_is_found() {
        let body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}], "x_unknown": 1});
        let sent = super::super::recording::Sent {
            method: "POST".into(),
            path: "/v1/chat/completions".into(),
            body: body.to_string(),
        };
        let asked = Asked::of(DialectId::ChatCompletions, &sent, false).into_iter().next();
        let found = asked.map(|asked| members(&asked, DialectId::Messages));
        assert_eq!(found, Some(Vec::new()), "an unknown member is listed as dropped");
    }
}
