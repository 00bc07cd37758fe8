//! What a persona says, decided before any dialect: the same question gets the same answer from all of them.
//!
//! | the last user text has | the answer |
//! |---|---|
//! | anything | `you said: <text>` |
//! | `call`, with tools offered | a call of the first tool, with arguments made from its schema |
//! | `twice` as well | two parallel calls, the second of the second tool if there is one |
//! | nothing: the request ends in tool results | `the tool said: <results>` |
//! | images beside it | `saw 1 image; you said: …` |
//! | `system` | `the system prompt says: <it>; you said: …` |
//! | `long`, with a limit | words up to the limit, stopped by length |
//! | `refuse` | a refusal by the provider's content filter |
//!
//! Thinking is added when asked for; a JSON schema turns the text into an object of that shape; a stop sequence that
//! occurs in the text ends it there. Tokens are words; a quarter of the prompt counts as read from the cache.

use serde_json::{Map, Value, json};

use crate::simulator::journal::Tokens;

/// No answer is longer, whatever the limit allows.
const LONG_WORDS: i64 = 40;

/// What a dialect heard, in nobody's dialect.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// The model asked for.
    pub model: String,
    /// Whether the answer is streamed.
    pub stream: bool,
    /// The system prompt, its parts joined by newlines.
    pub system: String,
    /// The text of the last user turn.
    pub last_text: String,
    /// The tool results after the last model turn; if there are any, they are answered.
    pub tool_results: Vec<String>,
    /// Images in the last user turn.
    pub images: usize,
    /// Words in the whole prompt.
    pub words: u64,
    /// The tools offered: names and schemas of their arguments.
    pub tools: Vec<(String, Value)>,
    /// What the client says about calling them.
    pub choice: Choice,
    /// Whether two calls at once are allowed.
    pub parallel: bool,
    /// The schema the answer must have; `Null` asks for any JSON object.
    pub schema: Option<Value>,
    /// Whether it should think aloud.
    pub thinks: bool,
    /// The most output tokens.
    pub limit: Option<i64>,
    /// Where to stop.
    pub stops: Vec<String>,
}

/// What the client says about calling tools.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// The model decides.
    #[default]
    Auto,
    /// No calls.
    None,
    /// Some call.
    Any,
    /// This tool.
    Tool(String),
}

/// One call of a tool.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The tool.
    pub name: String,
    /// Its arguments, an object.
    pub arguments: Value,
}

/// Why an answer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It was finished.
    End,
    /// It reached the limit.
    Length,
    /// It calls tools.
    Calls,
    /// It ran into this stop sequence.
    Sequence(String),
    /// The content filter ended it.
    Refused,
}

/// What a persona says.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// What it thinks aloud.
    pub thinking: Option<String>,
    /// What it says.
    pub text: Option<String>,
    /// Which tools it calls.
    pub calls: Vec<Call>,
    /// Why it ended.
    pub stop: Stop,
    /// What it used.
    pub tokens: Tokens,
}

/// How many words a text has; the persona's token.
pub fn words(text: &str) -> u64 {
    text.split_whitespace().count() as u64
}

/// A text in the pieces it is streamed in: its words, white space kept, joined again they are the text.
pub fn pieces(text: &str) -> Vec<&str> {
    text.split_inclusive(' ').collect()
}

/// A JSON text in three pieces, cut without regard to its grammar.
pub fn thirds(text: &str) -> [&str; 3] {
    let cut = |at: usize| (at..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    let (first, second) = (cut(text.len() / 3), cut(text.len() * 2 / 3));
    [&text[..first], &text[first..second], &text[second..]]
}

/// Decides what to say.
pub fn answer(heard: &Heard) -> Answer {
    let thinking = heard.thinks.then(|| format!("thinking about: {}", heard.last_text));
    let calls = calls(heard);
    let (text, stop) = match (calls.is_empty(), heard.last_text.contains("refuse")) {
        (false, _) => (None, Stop::Calls),
        (true, true) if heard.tool_results.is_empty() => (Some("I can not help with that".to_owned()), Stop::Refused),
        (true, _) => text(heard),
    };
    let reasoning = thinking.as_deref().map_or(0, words);
    let spoken = text.as_deref().map_or(0, words);
    let called: u64 = calls.iter().map(|call| words(&call.arguments.to_string()) + 1).sum();
    let input = heard.words + 85 * heard.images as u64 + 3;
    let tokens = Tokens { input, cached: input / 4, output: reasoning + spoken + called, reasoning };
    Answer { thinking, text, calls, stop, tokens }
}

fn calls(heard: &Heard) -> Vec<Call> {
    let wanted = match &heard.choice {
        Choice::None => false,
        Choice::Auto => heard.last_text.contains("call") && heard.tool_results.is_empty(),
        Choice::Any | Choice::Tool(_) => true,
    };
    let named = |(name, _): &&(String, Value)| matches!(&heard.choice, Choice::Tool(tool) if tool == name);
    let first = heard.tools.iter().find(named).or(heard.tools.first());
    let Some(first) = first.filter(|_| wanted) else { return Vec::new() };
    let mut calls = vec![Call { name: first.0.clone(), arguments: example(&first.1, "first") }];
    if heard.last_text.contains("twice") && heard.parallel {
        let second = heard.tools.get(1).filter(|_| heard.choice == Choice::Auto).unwrap_or(first);
        calls.push(Call { name: second.0.clone(), arguments: example(&second.1, "second") });
    }
    calls
}

fn text(heard: &Heard) -> (Option<String>, Stop) {
    let mut text = match heard.tool_results.as_slice() {
        [] => format!("you said: {}", heard.last_text),
        results => format!("the tool said: {}", results.join(" and ")),
    };
    if heard.last_text.contains("system") && !heard.system.is_empty() {
        text = format!("the system prompt says: {}; {text}", heard.system);
    }
    if heard.images > 0 {
        let plural = if heard.images == 1 { "" } else { "s" };
        text = format!("saw {} image{plural}; {text}", heard.images);
    }
    if let Some(schema) = &heard.schema {
        let object = match schema {
            Value::Null => json!({ "answer": text }),
            schema => example(schema, &text),
        };
        return (Some(object.to_string()), Stop::End);
    }
    if let Some(limit) = heard.limit.filter(|_| heard.last_text.contains("long")) {
        let count = usize::try_from(limit.clamp(1, LONG_WORDS)).unwrap_or(1);
        return (Some(vec!["on"; count].join(" ")), Stop::Length);
    }
    let cut = |stop: &String| text.find(stop.as_str()).map(|at| (at, stop.clone()));
    match heard.stops.iter().filter_map(cut).min() {
        Some((at, stop)) => (Some(text[..at].to_owned()), Stop::Sequence(stop)),
        None => (Some(text), Stop::End),
    }
}

/// A value of this schema: strings carry `text`, with a quote, an umlaut and a character outside the basic plane.
fn example(schema: &Value, text: &str) -> Value {
    if let Some(first) = schema.get("enum").and_then(Value::as_array).and_then(|values| values.first()) {
        return first.clone();
    }
    if let Some(branch) = schema.get("anyOf").and_then(Value::as_array).and_then(|branches| branches.first()) {
        return example(branch, text);
    }
    let kind = match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.first().and_then(Value::as_str),
        kind => kind.and_then(Value::as_str),
    };
    match kind.unwrap_or("object").to_ascii_lowercase().as_str() {
        "string" if text == "first" || text == "second" => json!(format!("{text} \"Zürich\" \u{1F680}")),
        "string" => json!(text),
        "integer" => json!(7),
        "number" => json!(1.5),
        "boolean" => json!(true),
        "null" => Value::Null,
        "array" => json!([example(schema.get("items").unwrap_or(&Value::Null), text)]),
        _ => {
            let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
            let members: Map<String, Value> =
                properties.map(|(name, property)| (name.clone(), example(property, text))).collect();
            Value::Object(members)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(last_text: &str) -> Heard {
        let tool = |name: &str| {
            let schema =
                json!({"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}});
            (name.to_owned(), schema)
        };
        Heard {
            last_text: last_text.into(),
            tools: vec![tool("weather"), tool("time")],
            parallel: true,
            ..Heard::default()
        }
    }

    #[test]
    fn the_last_user_text_decides_what_is_said() {
        let image = Heard { images: 1, ..heard("look") };
        let system = Heard { system: "be kind".into(), ..heard("system?") };
        let result = Heard { tool_results: vec!["sun".into(), "rain".into()], ..heard("call it") };
        let limited = Heard { limit: Some(3), ..heard("long") };
        let stopped = Heard { stops: vec!["said".into()], ..heard("hi") };
        let cases = [
            (heard("hello"), "you said: hello", Stop::End),
            (image, "saw 1 image; you said: look", Stop::End),
            (system, "the system prompt says: be kind; you said: system?", Stop::End),
            (result, "the tool said: sun and rain", Stop::End),
            (limited, "on on on", Stop::Length),
            (stopped, "you ", Stop::Sequence("said".into())),
            (heard("please refuse"), "I can not help with that", Stop::Refused),
        ];
        for (heard, text, stop) in cases {
            let answer = answer(&heard);
            assert_eq!((answer.text.as_deref(), &answer.stop), (Some(text), &stop), "{heard:?}");
        }
    }

    #[test]
    fn tools_are_called_as_often_as_the_text_and_the_choice_say() {
        let none = Heard { choice: Choice::None, ..heard("call twice") };
        let named = Heard { choice: Choice::Tool("time".into()), ..heard("hello") };
        let single = Heard { parallel: false, ..heard("call twice") };
        let cases = [
            (heard("call"), vec!["weather"]),
            (heard("call twice"), vec!["weather", "time"]),
            (none, vec![]),
            (named, vec!["time"]),
            (single, vec!["weather"]),
        ];
        for (heard, names) in cases {
            let answer = answer(&heard);
            let called: Vec<&str> = answer.calls.iter().map(|call| call.name.as_str()).collect();
            assert_eq!(called, names, "{heard:?}");
        }
    }

    #[test]
    fn arguments_and_structured_answers_have_the_shape_of_their_schema() {
        let call = &answer(&heard("call")).calls[0];
        assert_eq!(call.arguments, json!({"city": "first \"Zürich\" \u{1F680}", "days": 7}));
        let schema = json!({"type": "OBJECT", "properties": {"answer": {"type": "STRING"}}});
        let structured = answer(&Heard { schema: Some(schema), ..heard("hello") });
        assert_eq!(structured.text.as_deref(), Some(r#"{"answer":"you said: hello"}"#));
    }

    #[test]
    fn a_text_cut_into_pieces_or_thirds_joins_again() {
        for text in ["", "a", "you said: hello ", r#"{"city":"Zürich 🚀"}"#] {
            assert_eq!(pieces(text).concat(), text);
            assert_eq!(thirds(text).concat(), text);
        }
    }
}
