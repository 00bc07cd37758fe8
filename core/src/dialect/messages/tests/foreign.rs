//! Requests of other dialects.

use super::*;
use crate::catalog::ThinkingStyle;
use crate::dialect::ascii_text;
use crate::hub::{
    Arguments, CallId, Depth, Format, Function, Limit, Media, MediaKind, Part, Reasoning, Role, Shape, Source, Stops,
    Thinking, Tool, ToolCall, ToolChoice, ToolResult, Turn,
};
use crate::json::Text;
use crate::loss::Losses;

fn foreign<'a>() -> Request<'a> {
    Request::new(DialectId::ChatCompletions, Delivery::Whole)
}

fn t(text: &str) -> Text<'_> {
    Text::escaped(text)
}

fn json(text: &str) -> Json<'_> {
    Json::parse(text.as_bytes()).unwrap()
}

fn words(text: &str) -> Part<'_> {
    Part::Text { text: t(text), extra: Vec::new() }
}

fn turn<'a>(role: Role, parts: Vec<Part<'a>>) -> Turn<'a> {
    Turn { role, parts, shape: Shape::Bare, extra: Vec::new() }
}

fn call<'a>(id: &'a str, name: &'a str, arguments: &'a str) -> Part<'a> {
    let (id, arguments) = (Some(CallId::Given(t(id))), Arguments::Encoded(t(arguments)));
    Part::ToolCall(ToolCall { id, namespace: None, name: t(name), arguments, signature: None, extra: Vec::new() })
}

fn result<'a>(id: &'a str, text: &'a str) -> Part<'a> {
    let (id, content) = (Some(CallId::Given(t(id))), vec![words(text)]);
    Part::ToolResult(ToolResult { id, name: None, content, shape: Shape::Bare, error: None, extra: Vec::new() })
}

fn function<'a>(name: &'a str, schema: Option<&'a str>) -> Tool<'a> {
    let schema = schema.map(json);
    Tool::Function(Function {
        namespace: None,
        name: t(name),
        description: None,
        schema,
        strict: None,
        extra: Vec::new(),
    })
}

fn to(request: &Request<'_>, to: Addressee<'_>) -> (Value, Losses) {
    let written = Messages.write_request(request, to);
    (value(&written.body), written.losses)
}

fn written(request: &Request<'_>) -> (Value, Losses) {
    to(request, Addressee::model("n"))
}

fn none() -> Losses {
    Losses::default()
}

fn approximated<const N: usize>(paths: [&str; N]) -> Losses {
    let mut losses = Losses::default();
    paths.iter().for_each(|path| losses.approximate(path));
    losses
}

#[test]
fn foreign_turns_are_put_in_order() {
    let mut request = foreign();
    request.turns = vec![
        turn(Role::System, vec![words("s")]),
        turn(Role::User, vec![words("a")]),
        turn(Role::Assistant, vec![words("  "), call("c.1", "f", r#"{\"x\":1}"#), call("c2", "f", "")]),
        turn(Role::User, vec![words("wait")]),
        turn(Role::Tool, vec![result("c.1", "r1")]),
        turn(Role::Developer, vec![words("d")]),
        turn(Role::Tool, vec![result("c2", "r2")]),
    ];
    let (body, losses) = written(&request);
    let expected = serde_json::json!({
        "model": "n", "max_tokens": write::DEFAULT_MAX_TOKENS,
        "system": [{"type": "text", "text": "s"}, {"type": "text", "text": "d"}],
        "messages": [
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": [
                {"type": "tool_use", "id": "c_2e1", "name": "f", "input": {"x": 1}},
                {"type": "tool_use", "id": "c2", "name": "f", "input": {}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "c_2e1", "content": "r1"},
                {"type": "tool_result", "tool_use_id": "c2", "content": "r2"},
                {"type": "text", "text": "wait"},
            ]},
        ],
    });
    assert_eq!(body, expected);
    // A developer's word within the conversation goes before it.
    assert_eq!(losses, approximated(["messages[].role"]));
}

#[test]
fn what_cannot_be_said_is_reported() {
    let mut request = foreign();
    let audio = Source::Data { mime: t("audio/wav"), base64: t("AA") };
    let picture = Source::Data { mime: t("image/png"), base64: t("AA") };
    let media = |kind, source| Part::Media(Media { kind, source, extra: vec![(t("detail"), json("\"high\""))] });
    let mut spoken = turn(Role::User, vec![media(MediaKind::Image, picture), media(MediaKind::Audio, audio)]);
    spoken.extra = vec![(t("name"), json("\"bob\"")), (t("weight"), Json::NULL)];
    let thought = Thinking { text: t("h"), signature: None, extra: Vec::new() };
    request.turns = vec![spoken, turn(Role::Assistant, vec![Part::Thinking(thought), words("a")])];
    request.sampling.temperature = Some(json("1.7"));
    request.sampling.seed = Some(json("1"));
    request.sampling.answers = Some(json("1"));
    request.sampling.presence_penalty = Some(json("0.0"));
    request.sampling.frequency_penalty = Some(json("0.5"));
    request.format = Some(Format::Other(json("{}")));
    request.tools = vec![Tool::Other(json(r#"{"type":"web_search"}"#))];
    request.tool_choice = Some(ToolChoice::Any);
    request.parallel_tool_calls = Some(true);
    request.stop = Some(Stops { sequences: vec![t("\\n"), t("x")], shape: Shape::List });
    let extra =
        [("logprobs", "true"), ("store", "null"), ("logit_bias", "{}"), ("service_tier", "\"x\""), ("odd", "false")];
    request.extra = extra.iter().map(|(name, value)| (t(name), json(value))).collect();
    let (body, losses) = written(&request);
    assert_eq!(body["temperature"], 1);
    assert_eq!(body["stop_sequences"], serde_json::json!(["x"]));
    assert_eq!(body["messages"][0]["content"].as_array().map(Vec::len), Some(1));
    let dropped = [
        "messages[].content[].audio",
        "tools[].web_search",
        "tool_choice",
        "frequency_penalty",
        "stop",
        "response_format",
        "logprobs",
    ];
    assert_eq!(losses.dropped, dropped);
    let approximated = [
        "messages[].name",
        "messages[].thinking",
        "messages[].content[].detail",
        "parallel_tool_calls",
        "temperature",
        "seed",
        "presence_penalty",
        "logit_bias",
        "service_tier",
        "odd",
    ];
    assert_eq!(losses.approximated, approximated);
}

#[test]
fn foreign_tools_and_formats_are_put_in_its_words() {
    let mut request = foreign();
    request.tools = vec![
        function("a.b", Some(r#"{"type":"OBJECT","properties":{"type":{"type":"STRING","nullable":true}}}"#)),
        function("a_b", None),
        function("c", Some(r#"{"properties":{}}"#)),
    ];
    request.tool_choice = Some(ToolChoice::Named(t("a.b")));
    request.parallel_tool_calls = Some(false);
    let schema = json(r#"{"type":"object","properties":{"x":{"type":"object","additionalProperties":true}}}"#);
    request.format = Some(Format::JsonSchema {
        name: Some(t("n")),
        description: None,
        schema,
        strict: Some(true),
        extra: Vec::new(),
    });
    request.user = Some(t("u"));
    let out = Messages.write_request(&request, Addressee::model("n"));
    let body = value(&out.body);
    assert_eq!(
        body["tools"],
        serde_json::json!([
            {"name": "a_b_2e7336dc8eba87ef", "input_schema": {"type": "object", "properties": {"type": {"type": ["string", "null"]}}}},
            {"name": "a_b", "input_schema": {"type": "object", "properties": {}}},
            {"name": "c", "input_schema": {"type": "object", "properties": {}}},
        ])
    );
    assert_eq!(
        body["tool_choice"],
        serde_json::json!({"type": "tool", "name": "a_b_2e7336dc8eba87ef", "disable_parallel_tool_use": true})
    );
    assert_eq!(
        body["output_config"]["format"],
        serde_json::json!({"type": "json_schema", "schema": {
            "type": "object", "properties": {"x": {"type": "object", "additionalProperties": false}}, "additionalProperties": false,
        }})
    );
    assert_eq!(body["metadata"], serde_json::json!({"user_id": "u"}));
    assert!(out.aliases.undo(t("a_b_2e7336dc8eba87ef")).is("a.b") && out.aliases.undo(t("a_b")).is("a_b"));
    // The open object is closed, as the provider demands.
    assert_eq!(out.losses, approximated(["response_format.schema"]));
}

fn thinking(depth: Depth<'static>, max_tokens: Option<u64>, thinking: ThinkingStyle) -> (Value, Losses) {
    let mut request = foreign();
    request.turns = vec![turn(Role::User, vec![words("a")])];
    request.reasoning = Some(Reasoning { depth, shown: None, extra: Vec::new() });
    request.max_tokens = max_tokens.map(|tokens| Limit { tokens, name: ascii_text("max_completion_tokens") });
    to(&request, Addressee { model: "n", thinking, ..Addressee::default() })
}

fn effort(word: &'static str) -> Depth<'static> {
    Depth::Effort(ascii_text(word))
}

#[test]
fn a_model_is_told_how_much_to_think_in_its_own_way() {
    use ThinkingStyle::{Never, Tokens, Unknown, Words};
    let adaptive = |word: Option<&str>| match word {
        Some(word) => serde_json::json!([{"type": "adaptive"}, {"effort": word}]),
        None => serde_json::json!([{"type": "adaptive"}, null]),
    };
    let budget = |tokens: u64| serde_json::json!([{"type": "enabled", "budget_tokens": tokens}, null]);
    let off = || serde_json::json!([{"type": "disabled"}, null]);
    let nothing = || serde_json::json!([null, null]);
    let near = |path: &str| approximated([path]);
    let cases = [
        (effort("high"), Words, adaptive(Some("high")), none()),
        (effort("xhigh"), Unknown, adaptive(Some("xhigh")), none()),
        (effort("minimal"), Words, adaptive(Some("low")), near("reasoning.effort")),
        (effort("strange"), Words, adaptive(None), near("reasoning.effort")),
        (effort("strange"), Tokens, budget(8192), near("reasoning.effort")),
        (effort("none"), Words, off(), none()),
        (effort("none"), Tokens, off(), none()),
        (effort("minimal"), Tokens, budget(1024), near("reasoning.effort")),
        (effort("low"), Tokens, budget(2048), near("reasoning.effort")),
        (effort("medium"), Tokens, budget(8192), near("reasoning.effort")),
        (effort("high"), Tokens, budget(24_576), near("reasoning.effort")),
        (effort("high"), Never, nothing(), near("reasoning")),
        (Depth::Off, Unknown, off(), none()),
        (Depth::Off, Never, nothing(), near("reasoning")),
        (Depth::Adaptive, Words, adaptive(None), none()),
        (Depth::Adaptive, Tokens, budget(8192), near("reasoning")),
        (Depth::Budget(0), Words, off(), none()),
        (Depth::Budget(2048), Words, adaptive(Some("low")), near("reasoning.budget")),
        (Depth::Budget(12_288), Words, adaptive(Some("medium")), near("reasoning.budget")),
        (Depth::Budget(12_289), Words, adaptive(Some("high")), near("reasoning.budget")),
        (Depth::Budget(5000), Tokens, budget(5000), none()),
        (Depth::Budget(5000), Unknown, budget(5000), none()),
        (Depth::Budget(5000), Never, nothing(), near("reasoning")),
        (Depth::Unsaid, Words, nothing(), none()),
    ];
    for (depth, style, expected, expected_losses) in cases {
        let (body, losses) = thinking(depth, None, style);
        let member = |name: &str| body.get(name).cloned().unwrap_or_default();
        assert_eq!(serde_json::json!([member("thinking"), member("output_config")]), expected, "{depth:?} {style:?}");
        assert_eq!(losses, expected_losses, "{depth:?} {style:?}");
    }
}

#[test]
fn a_budget_fits_the_limit_of_tokens() {
    let cases = [
        (2000, Some(4000), 2000, false),
        (9000, None, 9000, false),
        (9000, Some(4000), 2000, true),
        (5, Some(1025), 1024, true),
    ];
    for (budget, limit, expected, reported) in cases {
        let (body, losses) = thinking(Depth::Budget(budget), limit, ThinkingStyle::Tokens);
        assert_eq!(body["thinking"]["budget_tokens"], expected);
        assert!(body["max_tokens"].as_u64() > Some(expected));
        assert_eq!(losses, if reported { approximated(["reasoning.budget"]) } else { none() });
    }
    let (body, losses) = thinking(Depth::Budget(2000), Some(1024), ThinkingStyle::Tokens);
    assert_eq!((body.get("thinking"), losses), (None, approximated(["reasoning"])));
}

#[test]
fn a_limit_beyond_the_models_is_lowered() {
    let mut request = foreign();
    request.max_tokens = Some(Limit { tokens: 100, name: ascii_text("max_completion_tokens") });
    let model = Addressee { model: "n", output_limit: 64, ..Addressee::default() };
    let (body, losses) = to(&request, model);
    assert_eq!((&body["max_tokens"], losses), (&Value::from(64), approximated(["max_completion_tokens"])));
    request.max_tokens = None;
    let (body, losses) = to(&request, model);
    assert_eq!((&body["max_tokens"], losses), (&Value::from(64), none()));
}

#[test]
fn thinking_wins_over_sampling_and_a_forced_tool_over_thinking() {
    let mut request = foreign();
    request.tools = vec![function("f", None)];
    request.reasoning = Some(Reasoning { depth: Depth::Adaptive, shown: Some(true), extra: Vec::new() });
    request.sampling.temperature = Some(json("0.5"));
    request.sampling.top_k = Some(json("5"));
    let (body, losses) = written(&request);
    assert_eq!(body["thinking"], serde_json::json!({"type": "adaptive", "display": "summarized"}));
    assert_eq!(losses, approximated(["temperature", "top_k"]));
    request.tool_choice = Some(ToolChoice::Any);
    let (body, losses) = written(&request);
    assert_eq!((body.get("thinking"), &body["temperature"]), (None, &serde_json::json!(0.5)));
    assert_eq!(losses, approximated(["reasoning", "reasoning.shown"]));
}

#[test]
fn a_model_that_is_told_in_words_is_told_no_sampling_numbers() {
    let mut request = foreign();
    request.sampling.temperature = Some(json("0.5"));
    request.sampling.top_p = Some(json("0.5"));
    request.sampling.top_k = Some(json("5"));
    let model = |thinking| Addressee { model: "n", thinking, ..Addressee::default() };
    let (body, losses) = to(&request, model(ThinkingStyle::Words));
    assert!(["temperature", "top_p", "top_k"].iter().all(|name| body.get(name).is_none()));
    assert_eq!(losses, approximated(["temperature", "top_p", "top_k"]));
    let (body, losses) = to(&request, model(ThinkingStyle::Tokens));
    assert_eq!((&body["temperature"], &body["top_k"]), (&serde_json::json!(0.5), &Value::from(5)));
    assert_eq!(losses, approximated(["top_p"]));
}

fn thought<'a>(text: &'a str, signature: Option<&'a str>) -> Part<'a> {
    Part::Thinking(Thinking { text: t(text), signature: signature.map(t), extra: vec![(t("id"), json("\"r\""))] })
}

#[test]
fn proofs_that_are_still_there_are_said() {
    let mut request = foreign();
    let said = vec![
        thought("h", Some("c2ln")),
        thought("", Some("redacted_thinking:ZGF0YQ==")),
        thought("x", None),
        words("a"),
    ];
    request.turns = vec![turn(Role::User, vec![words("q")]), turn(Role::Assistant, said)];
    let (body, losses) = written(&request);
    let expected = serde_json::json!([
        {"type": "thinking", "thinking": "h", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "ZGF0YQ=="},
        {"type": "text", "text": "a"},
    ]);
    assert_eq!((&body["messages"][1]["content"], losses), (&expected, approximated(["messages[].thinking"])));
}

#[test]
fn a_budget_is_given_only_where_the_turn_with_the_calls_begins_with_its_thoughts() {
    let model = Addressee { model: "n", thinking: ThinkingStyle::Tokens, ..Addressee::default() };
    let budget = |signature: Option<&'static str>| {
        let mut request = foreign();
        request.reasoning = Some(Reasoning { depth: Depth::Budget(2000), shown: None, extra: Vec::new() });
        request.turns = vec![
            turn(Role::User, vec![words("q")]),
            turn(Role::Assistant, vec![thought("h", signature)]),
            turn(Role::Assistant, vec![call("c", "f", "{}")]),
            turn(Role::Tool, vec![result("c", "r")]),
        ];
        to(&request, model)
    };
    let (body, losses) = budget(Some("c2ln"));
    assert_eq!((&body["thinking"]["budget_tokens"], losses), (&Value::from(2000), none()));
    let (body, losses) = budget(None);
    assert_eq!((body.get("thinking"), losses), (None, approximated(["messages[].thinking", "reasoning"])));
}

#[test]
fn documents_of_words_are_said_as_words() {
    let mut request = foreign();
    let file = |mime, base64, name| {
        let source = Source::Data { mime: t(mime), base64: t(base64) };
        Part::Media(Media { kind: MediaKind::Document, source, extra: vec![(t("filename"), json(name))] })
    };
    let files = vec![
        file("text/markdown; charset=utf-8", "aGkgIncKIg==", "\"a.md\""),
        file("application/pdf", "AA==", "\"b.pdf\""),
    ];
    request.turns = vec![turn(Role::User, files)];
    let (body, losses) = written(&request);
    let expected = serde_json::json!([
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "hi \"w\n\""}, "title": "a.md"},
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "AA=="}, "title": "b.pdf"},
    ]);
    assert_eq!((&body["messages"][0]["content"], losses), (&expected, none()));
    let broken = vec![file("text/plain", "/w==", "\"c\""), file("application/zip", "AA==", "\"d\"")];
    request.turns = vec![turn(Role::User, broken)];
    assert_eq!(written(&request).1.dropped, ["messages[].content[].document"]);
}

#[test]
fn cache_marks_are_kept_as_far_as_the_provider_takes_them() {
    let mut request = foreign();
    let marked = |value| Part::Text { text: t("a"), extra: vec![(t("cache_control"), json(value))] };
    let mark = r#"{"type":"ephemeral","ttl":"1h"}"#;
    request.turns = vec![
        turn(Role::System, vec![marked(mark)]),
        turn(Role::User, vec![marked(mark), marked("true"), marked(mark), marked(mark), marked(mark)]),
    ];
    let (body, losses) = written(&request);
    assert_eq!(body["system"][0]["cache_control"], serde_json::json!({"type": "ephemeral", "ttl": "1h"}));
    assert_eq!(body.to_string().matches("ephemeral").count(), 4);
    assert_eq!(losses, approximated(["messages[].content[].cache_control"]));
}

#[test]
fn a_conversation_of_instructions_alone_is_said_by_the_user() {
    let mut request = foreign();
    request.turns = vec![turn(Role::System, vec![words("s")])];
    let (body, losses) = written(&request);
    assert_eq!(body.get("system"), None);
    assert_eq!(body["messages"], serde_json::json!([{"role": "user", "content": "s"}]));
    assert_eq!(losses, approximated(["messages[].role"]));
}

#[test]
fn json_without_a_schema_is_asked_for_in_words() {
    let mut request = foreign();
    request.turns = vec![turn(Role::User, vec![words("q")])];
    request.format = Some(Format::JsonObject);
    let (body, losses) = written(&request);
    assert!(body["system"].as_str().is_some_and(|system| system.contains("JSON object")));
    assert_eq!(losses, approximated(["response_format"]));
}

#[test]
fn bounds_that_are_not_enforced_stand_in_the_description() {
    let mut request = foreign();
    let schema = json(
        r##"{"type":"object","properties":{
            "n":{"type":"integer","description":"how \"many\"","minimum":1,"pattern":"^\"x"},
            "s":{"type":"string","format":"uuid"},"f":{"type":"string","format":"odd"},
            "l":{"type":"array","minItems":1,"items":{"oneOf":[{"type":"null"},{"$ref":"#/$defs/d"}]}}},
            "required":["n"],"$defs":{"d":{"type":"object","properties":{}}}}"##,
    );
    let format = |schema| Format::JsonSchema { name: None, description: None, schema, strict: None, extra: Vec::new() };
    request.format = Some(format(schema));
    let (body, losses) = written(&request);
    let expected = serde_json::json!({"type": "object", "properties": {
        "n": {"type": "integer", "description": "how \"many\"\n\n{minimum: 1, pattern: \"^\\\"x\"}"},
        "s": {"type": "string", "format": "uuid"}, "f": {"type": "string", "description": "{format: \"odd\"}"},
        "l": {"type": "array", "minItems": 1, "items": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/d"}]}}},
        "required": ["n"], "$defs": {"d": {"type": "object", "properties": {}, "additionalProperties": false}},
        "additionalProperties": false});
    assert_eq!(body["output_config"]["format"]["schema"], expected);
    assert_eq!(losses, approximated(["response_format.schema"]));
    request.format = Some(format(json(r#"{"type":"object","properties":{},"additionalProperties":false}"#)));
    assert_eq!(written(&request).1, none());
}

#[test]
fn tools_are_strict_as_far_as_the_provider_can_make_them() {
    let closed = r#"{"type":"object","properties":{"a":{"type":["string","null"]}},"required":["a"],"additionalProperties":false}"#;
    let strict = |schema| {
        let Tool::Function(mut function) = function("f", Some(schema)) else { unreachable!() };
        function.strict = Some(true);
        Tool::Function(function)
    };
    let mut request = foreign();
    request.tools = vec![strict(closed); 17];
    request.tools.push(strict(
        r#"{"type":"object","properties":{"a":{"type":"integer","minimum":1}},"additionalProperties":false}"#,
    ));
    let (body, losses) = written(&request);
    let tools = body["tools"].as_array().unwrap();
    // The provider takes sixteen unions in all strict schemas, and no bounds.
    assert_eq!(tools.iter().filter(|tool| tool["strict"] == true).count(), 16);
    assert_eq!(tools[17]["input_schema"]["properties"]["a"]["minimum"], 1);
    assert_eq!(losses, approximated(["tools[].strict"]));
}
