//! Requests of other dialects, made by hand in the hub's words.

use super::*;
use crate::hub::{
    Arguments, CallId, Extra, Format, Function, Limit, Media, MediaKind, Part, Role, Sampling, Shape, Source, Stops,
    Thinking, Tool, ToolCall, ToolChoice, ToolResult, Turn,
};
use crate::json::Text;
use proptest::prelude::*;
use serde_json::json;

pub(super) fn text(text: &str) -> Part<'_> {
    Part::Text { text: Text::escaped(text), extra: Vec::new() }
}

pub(super) fn turn<'a>(role: Role, parts: Vec<Part<'a>>) -> Turn<'a> {
    Turn { role, parts, shape: Shape::List, extra: Vec::new() }
}

pub(super) fn asking(turns: Vec<Turn<'_>>) -> Request<'_> {
    Request { turns, ..Request::new(DialectId::ChatCompletions, Delivery::Whole) }
}

pub(super) fn hello<'a>() -> Request<'a> {
    asking(vec![turn(Role::User, vec![text("hi")])])
}

pub(super) fn extra<'a>(name: &'a str, value: &'a str) -> Extra<'a> {
    vec![(Text::escaped(name), Json::parse(value.as_bytes()).unwrap())]
}

pub(super) fn call<'a>(id: &'a str, name: &'a str, arguments: &'a str) -> Part<'a> {
    Part::ToolCall(ToolCall {
        id: Some(CallId::Given(Text::escaped(id))),
        namespace: None,
        name: Text::escaped(name),
        arguments: Arguments::Encoded(Text::escaped(arguments)),
        signature: None,
        extra: Vec::new(),
    })
}

pub(super) fn result<'a>(id: &'a str, content: Vec<Part<'a>>) -> Part<'a> {
    Part::ToolResult(ToolResult {
        id: Some(CallId::Given(Text::escaped(id))),
        name: None,
        content,
        shape: Shape::List,
        error: None,
        extra: Vec::new(),
    })
}

fn function<'a>(name: &'a str, schema: Option<&'a str>) -> Tool<'a> {
    Tool::Function(Function {
        namespace: None,
        name: Text::escaped(name),
        description: None,
        schema: schema.map(|schema| Json::parse(schema.as_bytes()).unwrap()),
        strict: None,
        extra: Vec::new(),
    })
}

fn media<'a>(kind: MediaKind, mime: &'a str) -> Part<'a> {
    let source = Source::Data { mime: Text::escaped(mime), base64: Text::escaped("AAAA") };
    Part::Media(Media { kind, source, extra: Vec::new() })
}

fn at<'a>(kind: MediaKind, url: &'a str) -> Part<'a> {
    Part::Media(Media { kind, source: Source::Url { url: Text::escaped(url), mime: None }, extra: Vec::new() })
}

fn number(text: &str) -> Option<Json<'_>> {
    Some(Json::parse(text.as_bytes()).unwrap())
}

/// The body, and what was approximated and dropped.
pub(super) fn written_for(request: &Request<'_>, to: Addressee<'_>) -> (Value, Vec<String>, Vec<String>) {
    let written = Converse.write_request(request, to);
    (value(&written.body), written.losses.approximated, written.losses.dropped)
}

fn written(request: &Request<'_>) -> (Value, Vec<String>, Vec<String>) {
    written_for(request, Addressee::model("m"))
}

/// The body of a request that loses nothing.
fn kept(request: &Request<'_>) -> Value {
    let (body, approximated, dropped) = written(request);
    assert_eq!((approximated, dropped), (vec![], vec![]));
    body
}

#[test]
fn turns_are_put_in_the_services_order() {
    let request = asking(vec![
        turn(Role::System, vec![text("a"), text(" \\n ")]),
        turn(Role::User, vec![text("b")]),
        turn(Role::Developer, vec![text("c")]),
        turn(Role::User, vec![text(" "), text("d \\\"q\\\"")]),
        turn(Role::Assistant, vec![text(""), call("t1", "f", "{\\\"x\\\":1}"), call("t2", "f", "")]),
        turn(Role::Tool, vec![result("t1", vec![text("1")])]),
        turn(Role::User, vec![text("e")]),
        turn(Role::Tool, vec![result("t2", vec![text("2")])]),
    ]);
    let (body, approximated, dropped) = written(&request);
    assert_eq!(body["system"], json!([{"text": "a"}, {"text": "c"}]));
    let expected = json!([
        {"role": "user", "content": [{"text": "b"}, {"text": "d \"q\""}]},
        {"role": "assistant", "content": [
            {"toolUse": {"toolUseId": "t1", "name": "f", "input": {"x": 1}}},
            {"toolUse": {"toolUseId": "t2", "name": "f", "input": {}}}]},
        {"role": "user", "content": [
            {"toolResult": {"toolUseId": "t1", "content": [{"text": "1"}]}},
            {"toolResult": {"toolUseId": "t2", "content": [{"text": "2"}]}},
            {"text": "e"}]}]);
    assert_eq!(body["messages"], expected);
    // The service demands the tools of a history, so they are listed by name.
    let empty = json!({"type": "object", "properties": {}});
    assert_eq!(body["toolConfig"], json!({"tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": empty}}}]}));
    assert_eq!((approximated, dropped), (vec!["tools".to_string()], vec![]));
}

#[test]
fn instructions_alone_are_a_message() {
    let (body, approximated, _) = written(&asking(vec![turn(Role::System, vec![text("do")])]));
    assert_eq!(body, json!({"messages": [{"role": "user", "content": [{"text": "do"}]}]}));
    assert_eq!(approximated, ["messages[].role"]);
}

#[test]
fn media_are_said_as_bytes_or_from_the_vendors_store() {
    let kinds = [
        (MediaKind::Image, "image/png", "image", "png"),
        (MediaKind::Image, "image/jpg", "image", "jpeg"),
        (MediaKind::Document, "application/pdf", "document", "pdf"),
        (MediaKind::Document, "text/plain; charset=utf-8", "document", "txt"),
        (MediaKind::Video, "VIDEO\\/MP4", "video", "mp4"),
        (MediaKind::Video, "video/3gpp", "video", "three_gp"),
        (MediaKind::Audio, "audio/mpeg", "audio", "mp3"),
        (MediaKind::Audio, "audio/x-wav", "audio", "wav"),
    ];
    for (kind, mime, member, format) in kinds {
        let body = kept(&asking(vec![turn(Role::User, vec![media(kind, mime)])]));
        let block = &body["messages"][0]["content"][0][member];
        assert_eq!((&block["format"], &block["source"]), (&json!(format), &json!({"bytes": "AAAA"})), "{mime}");
    }
    let stored = at(MediaKind::Video, "s3://bucket/a.b/film.MP4");
    let body = kept(&asking(vec![turn(Role::User, vec![stored])]));
    let expected = json!({"format": "mp4", "source": {"s3Location": {"uri": "s3://bucket/a.b/film.MP4"}}});
    assert_eq!(body["messages"][0]["content"][0]["video"], expected);
    let two = vec![media(MediaKind::Document, "text/csv"), media(MediaKind::Document, "text/csv")];
    let body = kept(&asking(vec![turn(Role::User, two)]));
    let names: Vec<_> = [0, 1].map(|n| body["messages"][0]["content"][n]["document"]["name"].clone()).into();
    assert_eq!(names, ["document-1", "document-2"]);
}

#[test]
fn what_the_service_cannot_reach_or_show_is_dropped() {
    let file =
        Part::Media(Media { kind: MediaKind::Document, source: Source::File(Text::escaped("f")), extra: vec![] });
    let other = Part::Other(Json::parse(br#"{"type":"audio_token"}"#).unwrap());
    let parts = [
        (at(MediaKind::Image, "https://x/a.png"), "image"),
        (at(MediaKind::Document, "s3://bucket/none"), "document"),
        (media(MediaKind::Image, "image/tiff"), "image"),
        (media(MediaKind::Audio, "image/png"), "audio"),
        (file, "file"),
        (other, "audio_token"),
        (call("t", "f", "{}"), "tool_call"),
    ];
    for (part, word) in parts {
        let (body, _, dropped) = written(&asking(vec![turn(Role::User, vec![text("see"), part])]));
        assert_eq!(body["messages"][0]["content"], json!([{"text": "see"}]), "{word}");
        assert_eq!(dropped, [format!("messages[].content[].{word}")]);
    }
    // A message that has nothing left is none.
    let request = asking(vec![
        turn(Role::User, vec![text("a")]),
        turn(Role::Assistant, vec![media(MediaKind::Image, "image/png")]),
        turn(Role::User, vec![text("b")]),
    ]);
    let (body, _, dropped) = written(&request);
    assert_eq!(body["messages"], json!([{"role": "user", "content": [{"text": "a"}, {"text": "b"}]}]));
    assert_eq!(dropped, ["messages[].content[].image"]);
}

#[test]
fn results_keep_their_form() {
    let failed = Part::ToolResult(ToolResult {
        id: Some(CallId::Made(3)),
        name: None,
        content: vec![Part::Other(Json::parse(br#"{"ok":[1]}"#).unwrap()), Part::Other(Json::parse(b"[2]").unwrap())],
        shape: Shape::List,
        error: Some(true),
        extra: Vec::new(),
    });
    let shown = result("t", vec![media(MediaKind::Image, "image/png"), text(" "), text("x")]);
    let unheard = result("u", vec![media(MediaKind::Audio, "audio/wav")]);
    let (body, _, dropped) = written(&asking(vec![turn(Role::Tool, vec![failed, shown, unheard])]));
    let expected = json!([
        {"toolResult": {"toolUseId": "call_3", "content": [{"json": {"ok": [1]}}, {"text": "[2]"}], "status": "error"}},
        {"toolResult": {"toolUseId": "t", "content": [
            {"image": {"format": "png", "source": {"bytes": "AAAA"}}}, {"text": "x"}]}},
        {"toolResult": {"toolUseId": "u", "content": []}}]);
    assert_eq!(body["messages"][0]["content"], expected);
    assert_eq!(dropped, ["messages[].tool_results[].content[].audio"]);
}

#[test]
fn arguments_that_are_no_object_stay_readable() {
    let turns = vec![turn(Role::Assistant, vec![call("t", "f", "{\\\"x\\\":")])];
    let (body, approximated, dropped) = written(&asking(turns));
    assert_eq!(body["messages"][0]["content"][0]["toolUse"]["input"], json!({"arguments": "{\"x\":"}));
    assert!(approximated.contains(&"messages[].tool_calls[].arguments".to_string()));
    assert_eq!(dropped, Vec::<String>::new());
}

#[test]
fn tools_and_choices_are_said() {
    let mut request = hello();
    let schema = r#"{"type":"OBJECT","properties":{"type":{"type":"STRING","nullable":true}},"$defs":{}}"#;
    request.tools = vec![function("look", Some(schema)), function("wait", None)];
    if let Some(Tool::Function(look)) = request.tools.first_mut() {
        (look.description, look.strict) = (Some(Text::escaped("Looks.")), Some(true));
    }
    let tools = json!([
        {"toolSpec": {"name": "look", "description": "Looks.", "strict": true, "inputSchema": {"json":
            {"type": "object", "properties": {"type": {"type": ["string", "null"]}}, "$defs": {}}}}},
        {"toolSpec": {"name": "wait", "inputSchema": {"json": {"type": "object", "properties": {}}}}}]);
    assert_eq!(kept(&request)["toolConfig"], json!({"tools": tools}));
    let choices = [
        (ToolChoice::Auto, json!({"auto": {}})),
        (ToolChoice::Any, json!({"any": {}})),
        (ToolChoice::Named(Text::escaped("wait")), json!({"tool": {"name": "wait"}})),
    ];
    for (choice, word) in choices {
        request.tool_choice = Some(choice);
        assert_eq!(kept(&request)["toolConfig"], json!({"tools": tools, "toolChoice": word}));
    }
    request.parallel_tool_calls = Some(false);
    request.tool_choice = Some(ToolChoice::Other(Json::EMPTY_OBJECT));
    request.tools.push(Tool::Other(Json::parse(br#"{"type":"web_search"}"#).unwrap()));
    let (body, approximated, dropped) = written(&request);
    assert_eq!(body["toolConfig"], json!({"tools": tools}));
    assert_eq!(approximated, ["parallel_tool_calls"]);
    assert_eq!(dropped, ["tools[].web_search", "tool_choice"]);
}

#[test]
fn tools_that_may_not_be_called_are_listed_only_for_a_history() {
    let mut request = hello();
    request.tools = vec![function("f", None)];
    request.tool_choice = Some(ToolChoice::Never);
    let (body, approximated, dropped) = written(&request);
    assert_eq!((body.get("toolConfig"), approximated, dropped), (None, vec!["tools".to_string()], vec![]));
    request.turns.push(turn(Role::Assistant, vec![call("t", "f", "{}")]));
    let (body, approximated, dropped) = written(&request);
    assert_eq!(body["toolConfig"]["tools"].as_array().map(Vec::len), Some(1));
    assert_eq!(body["toolConfig"].get("toolChoice"), None);
    assert_eq!((approximated, dropped), (vec!["tool_choice".to_string()], vec![]));
    let mut none = hello();
    none.tool_choice = Some(ToolChoice::Any);
    assert_eq!(written(&none).2, ["tool_choice"]);
}

#[test]
fn odd_names_and_ids_are_said_in_plain_letters() {
    let long = "n".repeat(70);
    let mut request = asking(vec![
        turn(Role::Assistant, vec![call("functions.f:0", "files/look", "{}"), call(&long, "files look", "{}")]),
        turn(Role::Tool, vec![result("functions.f:0", vec![text("1")]), result(&long, vec![text("2")])]),
    ]);
    request.tools = vec![function("files/look", None), function("files look", None), function(&long, None)];
    request.tool_choice = Some(ToolChoice::Named(Text::escaped("files look")));
    let written = Converse.write_request(&request, Addressee::model("m"));
    let body = value(&written.body);
    let plain = |value: &Value| {
        let text = value.as_str().unwrap().to_string();
        assert!((1..=64).contains(&text.len()), "{text}");
        assert!(text.chars().all(|letter| letter.is_ascii_alphanumeric() || "_-".contains(letter)), "{text}");
        text
    };
    let names: Vec<String> =
        [0, 1, 2].map(|n| plain(&body["toolConfig"]["tools"][n]["toolSpec"]["name"])).into_iter().collect();
    assert_eq!(names.iter().collect::<std::collections::BTreeSet<_>>().len(), 3, "{names:?}");
    for (name, alias) in ["files/look", "files look", &long].iter().zip(&names) {
        assert_eq!(written.aliases.undo(Text::escaped(alias)).raw(), *name);
    }
    assert_eq!(plain(&body["toolConfig"]["toolChoice"]["tool"]["name"]), names[1]);
    let content = |turn: usize, part: usize| body["messages"][turn]["content"][part].clone();
    let ids = [0, 1].map(|part| plain(&content(0, part)["toolUse"]["toolUseId"]));
    assert_eq!(ids, [0, 1].map(|part| plain(&content(1, part)["toolResult"]["toolUseId"])));
    assert_eq!(ids[0], "functions_2ef_3a0");
    assert_eq!(plain(&content(0, 0)["toolUse"]["name"]), names[0]);
}

#[test]
fn calls_and_results_without_ids_find_each_other() {
    let turns = vec![
        turn(Role::Assistant, vec![call("a", "f", "{}"), call("", "f", "{}"), call("c", "f", "{}")]),
        turn(Role::Tool, vec![result("", vec![text("1")]), result("c", vec![text("3")]), result("", vec![text("2")])]),
        turn(Role::Tool, vec![result("", vec![text("4")])]),
    ];
    let (body, ..) = written(&asking(turns));
    let ids = |turn: usize, kind: &str| -> Vec<String> {
        let blocks = body["messages"][turn]["content"].as_array().unwrap().iter();
        blocks.map(|block| block[kind]["toolUseId"].as_str().unwrap().to_string()).collect()
    };
    assert_eq!(ids(0, "toolUse"), ["a", "call_n1", "c"]);
    assert_eq!(ids(1, "toolResult"), ["a", "c", "call_n1", "call_n2"]);
}

#[test]
fn limits_and_sampling_are_said() {
    let mut request = hello();
    request.max_tokens = Some(Limit { tokens: 9, name: Text::escaped("max_tokens") });
    request.sampling =
        Sampling { top_p: number("0.5"), top_k: number("7"), seed: number("null"), ..Sampling::default() };
    request.stop = Some(Stops { sequences: vec![Text::escaped("END"), Text::escaped("\\n")], shape: Shape::List });
    let (body, approximated, dropped) = written(&request);
    assert_eq!(body["inferenceConfig"], json!({"maxTokens": 9, "topP": 0.5, "stopSequences": ["END"]}));
    assert_eq!(body["additionalModelRequestFields"], json!({"top_k": 7}));
    assert_eq!((approximated, dropped), (vec![], vec!["stop".to_string()]));

    let mut request = hello();
    request.max_tokens = Some(Limit { tokens: 99, name: Text::escaped("max_completion_tokens") });
    request.sampling = Sampling {
        temperature: number("1.50"),
        top_p: number("0.9"),
        presence_penalty: number("0.0"),
        frequency_penalty: number("0.1"),
        seed: number("1"),
        answers: number("2"),
        ..Sampling::default()
    };
    let (body, approximated, dropped) = written_for(&request, Addressee { output_limit: 64, ..Addressee::model("m") });
    assert_eq!(body["inferenceConfig"], json!({"maxTokens": 64, "temperature": 1}));
    assert_eq!(approximated, ["max_completion_tokens", "temperature", "top_p"]);
    assert_eq!(dropped, ["frequency_penalty", "seed"]);

    let mut request = hello();
    request.sampling = Sampling { temperature: number("0.10"), top_p: number("1"), ..Sampling::default() };
    let body = Converse.write_request(&request, Addressee::model("m")).body;
    assert!(body.ends_with(r#""inferenceConfig":{"temperature":0.10}}"#), "numbers stay as they were spelled: {body}");
    assert_eq!(kept(&hello()).get("inferenceConfig"), None);
}

#[test]
fn a_form_of_the_answer_is_said_by_schema() {
    let mut request = hello();
    let schema = r#"{"type":"object","properties":{"a":{"type":"object"},"b":{"type":"string","const":"\"\\"}}}"#;
    request.format = Some(Format::JsonSchema {
        name: Some(Text::escaped("city")),
        description: Some(Text::escaped("A city.")),
        schema: Json::parse(schema.as_bytes()).unwrap(),
        strict: Some(false),
        extra: Vec::new(),
    });
    let format = kept(&request)["outputConfig"]["textFormat"].clone();
    let definition = &format["structure"]["jsonSchema"];
    assert_eq!((&format["type"], &definition["name"]), (&json!("json_schema"), &json!("city")));
    assert_eq!(definition["description"], "A city.");
    let closed = json!({"type": "object", "additionalProperties": false, "properties": {
        "a": {"type": "object", "additionalProperties": false}, "b": {"type": "string", "const": "\"\\"}}});
    assert_eq!(value(definition["schema"].as_str().unwrap()), closed);
    request.format = Some(Format::JsonObject);
    let (body, _, dropped) = written(&request);
    assert_eq!((body.get("outputConfig"), dropped), (None, vec!["response_format".to_string()]));
    request.format = Some(Format::Text);
    assert_eq!(kept(&request).get("outputConfig"), None);
}

#[test]
fn the_callers_user_is_a_label() {
    let mut request = hello();
    request.user = Some(Text::escaped("u-1@x.org"));
    assert_eq!(kept(&request)["requestMetadata"], json!({"user": "u-1@x.org"}));
    for odd in ["a\\\"b", "é", &"x".repeat(257)] {
        request.user = Some(Text::escaped(odd));
        let (body, approximated, dropped) = written(&request);
        assert_eq!((body.get("requestMetadata"), dropped), (None, vec![]));
        assert_eq!(approximated, ["user"]);
    }
}

#[test]
fn cache_marks_become_cache_points() {
    let mark = || extra("cache_control", r#"{"type":"ephemeral"}"#);
    let marked = |words| Part::Text { text: Text::escaped(words), extra: mark() };
    let mut request = asking(vec![
        turn(Role::System, vec![marked("s")]),
        turn(Role::User, vec![marked("a"), marked("b"), text("c"), marked("d"), marked("e")]),
    ]);
    request.tools = vec![function("f", None)];
    if let Some(Tool::Function(function)) = request.tools.first_mut() {
        function.extra = mark();
    }
    let (body, approximated, dropped) = written(&request);
    let point = json!({"cachePoint": {"type": "default"}});
    let expected = json!([
        {"text": "a"}, point, {"text": "b"}, point, {"text": "c"}, {"text": "d"}, point, {"text": "e"}]);
    assert_eq!(body["messages"][0]["content"], expected);
    assert_eq!(body["system"], json!([{"text": "s"}, point]));
    // The fifth, and the tool's.
    assert_eq!(approximated, ["messages[].content[].cache_control", "tools[].cache_control"]);
    assert_eq!(dropped, Vec::<String>::new());

    let long = Part::Text { text: Text::escaped("a"), extra: extra("cache_control", r#"{"ttl":"1h"}"#) };
    let (body, approximated, _) = written(&asking(vec![turn(Role::User, vec![long])]));
    assert_eq!(body["messages"][0]["content"], json!([{"text": "a"}, point]));
    assert_eq!(approximated, ["messages[].content[].cache_control.ttl"]);
    let marked = asking(vec![turn(Role::User, vec![marked("a")])]);
    assert_eq!(kept(&marked)["messages"][0]["content"], json!([{"text": "a"}, point]));
}

#[test]
fn members_without_a_word_are_reported_by_their_weight() {
    let mut request = hello();
    request.extra =
        [extra("logit_bias", "{}"), extra("store", "true"), extra("logprobs", "true"), extra("x", "null")].concat();
    request.turns[0].extra = extra("name", "\"bob\"");
    request.turns[0].parts = vec![
        Part::Text { text: Text::escaped("hi"), extra: [extra("citations", "[1]"), extra("prefix", "false")].concat() },
        Part::Media(Media {
            extra: extra("detail", "\"low\""),
            ..match media(MediaKind::Image, "image/png") {
                Part::Media(media) => media,
                _ => unreachable!(),
            }
        }),
    ];
    let (_, approximated, dropped) = written(&request);
    let near = [
        "messages[].name",
        "messages[].content[].citations",
        "messages[].content[].prefix",
        "messages[].content[].detail",
        "logit_bias",
        "store",
    ];
    assert_eq!(approximated, near);
    assert_eq!(dropped, ["logprobs"]);
}

#[test]
fn thoughts_go_back_to_who_can_prove_them() {
    let thought = |words, signature: Option<&'static str>| {
        let signature = signature.map(Text::escaped);
        Part::Thinking(Thinking { text: Text::escaped(words), signature, extra: Vec::new() })
    };
    let parts = vec![thought("Hm.", Some("a+/=")), thought("", Some("redacted:aGk=")), thought("no", None), text("x")];
    let (body, approximated, dropped) = written(&asking(vec![turn(Role::Assistant, parts)]));
    let expected = json!([
        {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "a+/="}}},
        {"reasoningContent": {"redactedContent": "aGk="}},
        {"text": "x"}]);
    assert_eq!(body["messages"][0]["content"], expected);
    assert_eq!((approximated, dropped), (vec!["messages[].thinking".to_string()], vec![]));
}

proptest! {
    /// Whatever is asked, what is written is JSON, and messages alternate.
    #[test]
    fn what_is_written_is_well_formed(
        turns in prop::collection::vec((0usize..5, prop::collection::vec((0usize..8, "[ a-zé./:]{0,70}"), 0..4)), 0..8),
        limit in prop::option::of(0u64..10_000),
        never in any::<bool>(),
    ) {
        let roles = [Role::System, Role::Developer, Role::User, Role::Assistant, Role::Tool];
        let part = |kind: usize, words: &'static str| match kind {
            0 | 1 => text(words),
            2 => call(words, words, "{}"),
            3 => result(words, vec![text(words), media(MediaKind::Document, "text/plain")]),
            4 => media(MediaKind::Image, "image/png"),
            5 => Part::Refusal(Text::escaped(words)),
            6 => at(MediaKind::Video, "s3://b/c.mp4"),
            _ => call("", words, words),
        };
        // Leaked, so that the request may borrow them: a few kilobytes in a test.
        let turns = turns.into_iter().map(|(role, parts)| {
            let parts = parts.into_iter().map(|(kind, words)| part(kind, words.leak())).collect();
            turn(roles[role], parts)
        });
        let mut request = asking(turns.collect());
        request.max_tokens = limit.map(|tokens| Limit { tokens, name: Text::escaped("max_tokens") });
        request.tool_choice = never.then_some(ToolChoice::Never);
        let body = value(&Converse.write_request(&request, Addressee::model("m")).body);
        let messages = body["messages"].as_array().unwrap();
        for pair in messages.windows(2) {
            prop_assert_ne!(&pair[0]["role"], &pair[1]["role"]);
        }
        for message in messages {
            prop_assert!(!message["content"].as_array().unwrap().is_empty());
        }
    }
}
