//! Requests of other dialects, said in this one.

use super::*;
use crate::catalog::ThinkingStyle;
use crate::hub::{
    Arguments, CallId, Depth, Extra, Format, Function, Limit, Media, MediaKind, Part, Reasoning, Role, Shape, Source,
    Stops, Thinking, Tool, ToolCall, ToolChoice, ToolResult, Turn,
};

fn asked(dialect: DialectId) -> Request<'static> {
    Request::new(dialect, Delivery::Whole)
}

fn text(words: &str) -> Part<'_> {
    Part::Text { text: Text::escaped(words), extra: Vec::new() }
}

fn turn<'a>(role: Role, parts: Vec<Part<'a>>) -> Turn<'a> {
    Turn { role, parts, shape: Shape::List, extra: Vec::new() }
}

fn member<'a>(name: &'a str, json: &'a str) -> (Text<'a>, Json<'a>) {
    (Text::escaped(name), self::json(json))
}

fn function(name: &str) -> Function<'_> {
    let (namespace, description, schema, strict) = (None, None, None, None);
    Function { namespace, name: Text::escaped(name), description, schema, strict, extra: Extra::new() }
}

fn call<'a>(id: Option<&'a str>, name: &'a str, arguments: &'a str) -> Part<'a> {
    Part::ToolCall(ToolCall {
        id: id.map(|id| CallId::Given(Text::escaped(id))),
        namespace: None,
        name: Text::escaped(name),
        arguments: Arguments::Object(json(arguments)),
        signature: None,
        extra: Vec::new(),
    })
}

fn result<'a>(id: Option<&'a str>, name: Option<&'a str>, content: Vec<Part<'a>>) -> Part<'a> {
    let id = id.map(|id| CallId::Given(Text::escaped(id)));
    let name = name.map(Text::escaped);
    Part::ToolResult(ToolResult { id, name, content, shape: Shape::List, error: Some(true), extra: Vec::new() })
}

fn media<'a>(kind: MediaKind, source: Source<'a>, extra: Extra<'a>) -> Part<'a> {
    Part::Media(Media { kind, source, extra })
}

fn data<'a>(mime: &'a str) -> Source<'a> {
    Source::Data { mime: Text::escaped(mime), base64: Text::escaped("QQ==") }
}

fn written(request: &Request<'_>) -> (Value, Written) {
    let written = write(request, "m");
    (value(&written.body), written)
}

#[test]
fn turns_become_items_in_their_order() {
    let mut request = asked(DialectId::Messages);
    let proof = Some(Text::escaped("P"));
    let thought = |signature| Part::Thinking(Thinking { text: Text::escaped("hm"), signature, extra: Vec::new() });
    request.turns = vec![
        turn(Role::System, vec![text("be brief")]),
        Turn { shape: Shape::Bare, ..turn(Role::User, vec![text("go")]) },
        turn(Role::Assistant, vec![thought(proof), thought(None), text("wait"), call(Some("c1"), "f", r#"{"x":1}"#)]),
        turn(
            Role::User,
            vec![
                result(Some("c1"), None, vec![text("ok"), media(MediaKind::Image, data("image/png"), vec![])]),
                text("and?"),
            ],
        ),
    ];
    let (body, written) = self::written(&request);
    let items = serde_json::json!([
        {"role": "system", "content": [{"type": "input_text", "text": "be brief"}]},
        {"role": "user", "content": "go"},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "P"},
        {"role": "assistant", "content": "wait"},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{\"x\":1}"},
        {"type": "function_call_output", "call_id": "c1", "output": [
            {"type": "input_text", "text": "ok"},
            {"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64,QQ=="}]},
        {"role": "user", "content": [{"type": "input_text", "text": "and?"}]},
    ]);
    assert_eq!(body["input"], items);
    assert_eq!(body["store"], false);
    assert_eq!(body["include"], serde_json::json!(["reasoning.encrypted_content"]), "a thought goes on");
    assert_eq!(written.losses.dropped, Vec::<String>::new());
    assert_eq!(written.losses.approximated, ["messages[].thinking", "messages[].tool_results[].is_error"]);
}

#[test]
fn what_has_no_place_is_reported() {
    let mut request = asked(DialectId::ChatCompletions);
    let refused = Part::Refusal(Text::escaped("no"));
    let other = Part::Other(json(r#"{"type":"server_tool_use"}"#));
    let cached =
        Part::Text { text: Text::escaped("hi"), extra: vec![member("cache_control", "{}"), member("citations", "[]")] };
    let file = media(MediaKind::Image, Source::File(Text::escaped("f")), vec![]);
    let film = media(MediaKind::Video, data("video/mp4"), vec![]);
    let sound = media(MediaKind::Audio, data("audio/wav"), vec![]);
    request.turns =
        vec![turn(Role::User, vec![cached, file, film, sound]), turn(Role::Assistant, vec![refused, other])];
    request.turns[0].extra = vec![member("name", r#""ann""#)];
    request.sampling.top_k = Some(json("3"));
    request.sampling.seed = Some(json("4"));
    request.sampling.presence_penalty = Some(json("0.0"));
    request.stop = Some(Stops { sequences: vec![Text::escaped("x")], shape: Shape::List });
    request.extra = vec![member("logit_bias", "{}"), member("store", "false"), member("logprobs", "true")];
    let (body, written) = self::written(&request);
    assert_eq!(body["input"][0]["content"], serde_json::json!([{"type": "input_text", "text": "hi"}]));
    assert_eq!(body["input"][1], serde_json::json!({"role": "assistant", "content": "no"}));
    let dropped = [
        "messages[].content[].file",
        "messages[].content[].video",
        "messages[].content[].audio",
        "messages[].content[].server_tool_use",
        "seed",
        "stop",
        "logprobs",
    ];
    assert_eq!(written.losses.dropped, dropped);
    let near = [
        "messages[].name",
        "messages[].content[].cache_control",
        "messages[].content[].citations",
        "messages[].refusal",
        "top_k",
        "logit_bias",
    ];
    assert_eq!(written.losses.approximated, near);
}

#[test]
fn what_chat_completions_shares_goes_over() {
    let extra = || {
        vec![member("metadata", r#"{"a":"b"}"#), member("verbosity", r#""low""#), member("service_tier", r#""flex""#)]
    };
    let mut request = asked(DialectId::ChatCompletions);
    request.extra = extra();
    request.max_tokens = Some(Limit { tokens: 17, name: Text::escaped("max_tokens") });
    request.user = Some(Text::escaped("u"));
    let (body, written) = self::written(&request);
    assert_eq!((&body["metadata"]["a"], &body["text"]["verbosity"]), (&"b".into(), &"low".into()));
    assert_eq!(
        (&body["service_tier"], &body["max_output_tokens"], &body["user"]),
        (&"flex".into(), &17.into(), &"u".into())
    );
    assert!(written.losses.dropped.is_empty());
    let mut request = asked(DialectId::Messages);
    request.extra = extra();
    assert_eq!(self::written(&request).1.losses.approximated, ["metadata", "verbosity", "service_tier"]);
}

#[test]
fn tools_are_not_strict_unless_asked_and_their_schemas_are_json_schema() {
    let mut request = asked(DialectId::GenerateContent);
    let schema = json(r#"{"type":"OBJECT","properties":{"type":{"type":"STRING","nullable":true,"enum":["OBJECT"]}}}"#);
    let strict = Function { strict: Some(true), ..function("g") };
    request.tools = vec![
        Tool::Function(Function { schema: Some(schema), ..function("f") }),
        Tool::Function(strict),
        Tool::Other(json(r#"{"googleSearch":{}}"#)),
    ];
    request.tool_choice = Some(ToolChoice::Named(Text::escaped("f")));
    request.parallel_tool_calls = Some(false);
    let (body, written) = self::written(&request);
    let parameters = serde_json::json!({"type": "object", "properties": {"type": {"type": ["string", "null"], "enum": ["OBJECT", null]}}});
    assert_eq!(body["tools"][0]["parameters"], parameters);
    assert_eq!((&body["tools"][0]["strict"], &body["tools"][1]["strict"]), (&false.into(), &true.into()));
    assert_eq!(body["tools"][1]["parameters"], serde_json::json!({"type": "object", "properties": {}}));
    assert_eq!(body["tool_choice"], serde_json::json!({"type": "function", "name": "f"}));
    assert_eq!(body["parallel_tool_calls"], false);
    assert_eq!(written.losses.dropped, ["tools[].googleSearch"]);
}

#[test]
fn odd_names_and_missing_ids_are_put_right() {
    let mut request = asked(DialectId::GenerateContent);
    let long = "l".repeat(70);
    request.tools =
        vec![Tool::Function(function("a.b")), Tool::Function(function("a_b")), Tool::Function(function(&long))];
    let calls = vec![call(None, "a.b", "{}"), call(None, "a_b", "{}"), call(Some(&long), &long, "{}")];
    let results = vec![
        result(None, Some("a_b"), vec![Part::Other(json(r#"{"r":1}"#))]),
        result(None, None, vec![]),
        result(Some(&long), None, vec![text("t")]),
    ];
    request.turns = vec![turn(Role::Assistant, calls), turn(Role::User, results)];
    let (body, written) = self::written(&request);
    let tools: Vec<_> = body["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    let items: Vec<_> = body["input"].as_array().unwrap().iter().collect();
    assert_eq!(tools[1], "a_b");
    assert!(tools[0].starts_with("a_b_") && tools[2].len() <= 64, "{tools:?}");
    for (alias, name) in [(tools[0], "a.b"), (tools[2], long.as_str())] {
        assert_eq!(written.aliases.undo(Text::escaped(alias)).raw(), name);
    }
    assert_eq!(items[0]["name"], tools[0]);
    assert_eq!((&items[0]["call_id"], &items[1]["call_id"]), (&"call_0".into(), &"call_1".into()));
    assert_eq!((&items[3]["call_id"], &items[4]["call_id"]), (&"call_1".into(), &"call_0".into()));
    assert_eq!((&items[3]["output"], &items[4]["output"]), (&r#"{"r":1}"#.into(), &"".into()));
    assert!(items[2]["call_id"].as_str().unwrap().len() <= 64);
    assert_eq!(items[2]["call_id"], items[5]["call_id"]);
}

/// What the provider is told of a wish to think: the effort, whether to show it, and what is reported.
fn thinking(
    dialect: DialectId,
    depth: Depth<'static>,
    shown: Option<bool>,
    style: ThinkingStyle,
) -> (Value, bool, Vec<String>) {
    let mut request = asked(dialect);
    request.reasoning = Some(Reasoning { depth, shown, extra: Vec::new() });
    let written = Responses.write_request(&request, Addressee { thinking: style, ..Addressee::model("m") });
    let body = value(&written.body);
    assert!(written.losses.dropped.is_empty());
    (body["reasoning"].clone(), body.get("include").is_some(), written.losses.approximated)
}

#[test]
fn thinking_is_said_in_words() {
    let none: Vec<String> = Vec::new();
    let chat = DialectId::ChatCompletions;
    let effort = |word: &str| serde_json::json!({ "effort": word });
    let words = Depth::Effort(Text::escaped("XHigh"));
    assert_eq!(thinking(chat, words, None, ThinkingStyle::Unknown), (effort("xhigh"), true, none.clone()));
    for (tokens, word) in [(1, "low"), (2048, "low"), (2049, "medium"), (12_288, "medium"), (12_289, "high")] {
        let near = vec!["reasoning.budget".to_string()];
        assert_eq!(
            thinking(chat, Depth::Budget(tokens), None, ThinkingStyle::Words),
            (effort(word), true, near),
            "{tokens}"
        );
    }
    let shown = serde_json::json!({"summary": "auto"});
    assert_eq!(
        thinking(DialectId::Messages, Depth::Adaptive, None, ThinkingStyle::Unknown),
        (shown.clone(), true, none.clone())
    );
    assert_eq!(thinking(DialectId::Messages, Depth::Adaptive, Some(false), ThinkingStyle::Unknown).0, Value::Null);
    assert_eq!(thinking(chat, Depth::Unsaid, Some(true), ThinkingStyle::Unknown), (shown, false, none.clone()));
    assert_eq!(thinking(chat, Depth::Off, None, ThinkingStyle::Words), (effort("none"), false, none.clone()));
    let near = vec!["reasoning".to_string()];
    assert_eq!(thinking(chat, Depth::Off, None, ThinkingStyle::Unknown), (Value::Null, false, near.clone()));
    assert_eq!(thinking(chat, words, Some(true), ThinkingStyle::Never), (Value::Null, false, near));
    assert_eq!(thinking(chat, Depth::Off, None, ThinkingStyle::Never), (Value::Null, false, none), "it never does");
}

#[test]
fn the_form_of_the_answer_has_a_name() {
    let mut request = asked(DialectId::GenerateContent);
    let schema = json(r#"{"type":"OBJECT"}"#);
    request.format = Some(Format::JsonSchema { name: None, description: None, schema, strict: None, extra: vec![] });
    request.delivery = Delivery::StreamedArray;
    let (body, _) = self::written(&request);
    let format = serde_json::json!({"type": "json_schema", "name": "response", "schema": {"type": "object"}});
    assert_eq!((&body["text"]["format"], &body["stream"]), (&format, &true.into()));
    request.format = Some(Format::Other(json(r#"{"type":"grammar"}"#)));
    let (body, written) = self::written(&request);
    assert_eq!((body.get("text"), written.losses.dropped), (None, vec!["response_format".to_string()]));
}

#[test]
fn numbers_and_names_that_the_provider_would_refuse_are_put_right() {
    let mut request = asked(DialectId::Messages);
    request.max_tokens = Some(Limit { tokens: 1, name: Text::escaped("max_tokens") });
    let long = "u".repeat(65);
    request.user = Some(Text::escaped(&long));
    request.turns = vec![turn(Role::Assistant, vec![text(""), call(Some("c"), "f", "{}")])];
    let film = media(MediaKind::Video, data("video/mp4"), vec![]);
    request.turns.push(turn(Role::Tool, vec![result(Some("c"), None, vec![film])]));
    let (body, written) = self::written(&request);
    assert_eq!(body["max_output_tokens"], 16);
    assert_eq!(body["user"], crate::catalog::slot(&long));
    let kinds: Vec<_> = body["input"].as_array().unwrap().iter().map(|item| item["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["function_call", "function_call_output"]);
    assert_eq!(body["input"][1]["output"], "");
    assert_eq!(written.losses.approximated, ["messages[].tool_results[].is_error", "max_tokens", "user"]);
    assert_eq!(written.losses.dropped, ["messages[].content[].video"]);
}
