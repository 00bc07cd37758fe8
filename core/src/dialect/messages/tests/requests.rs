//! Requests, both ways.

use super::*;
use crate::dialect::ascii_text;
use crate::hub::{
    Arguments, CallId, Depth, Format, Function, Limit, Media, MediaKind, Part, Reasoning, Role, Shape, Source, Stops,
    Tool, ToolCall, ToolChoice, ToolResult, Turn,
};
use crate::json::Text;

const BUSY: &str = r#"{
    "model":"m","max_tokens":2048,"stream":false,"system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral"}}],
    "messages":[
        {"role":"user","content":"h\u0069"},
        {"role":"user","content":[
            {"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA=="},"cache_control":null},
            {"type":"document","source":{"type":"url","url":"https://x/y.pdf"},"title":"t"},
            {"type":"document","source":{"type":"text","media_type":"text/plain","data":"d"}},
            {"type":"image","source":{"type":"file","file_id":"f"}},{"type":"novelty","x":[1]}]},
        {"role":"assistant","content":[
            {"type":"thinking","thinking":"h","signature":"s"},{"type":"redacted_thinking","data":"d"},
            {"type":"tool_use","id":"t1","name":"f","input":{"a":1.50},"caller":{"type":"direct"}}]},
        {"role":"user","content":[
            {"type":"tool_result","tool_use_id":"t1","content":[{"type":"text","text":"r"}],"is_error":false},
            {"type":"tool_result","tool_use_id":"t2"},{"type":"tool_result","tool_use_id":"t3","content":[]},
            {"type":"tool_result","tool_use_id":"t4","content":""}]},
        {"role":"system","content":"now"}],
    "tools":[{"name":"f","description":"d","input_schema":{"type":"object"},"strict":true,"cache_control":{"type":"ephemeral"}},
        {"type":"custom","name":"g","input_schema":{}},{"type":"web_search_20250305","name":"web_search"}],
    "tool_choice":{"type":"auto","disable_parallel_tool_use":true},"temperature":0.10,"top_k":5,"stop_sequences":["x"],
    "thinking":{"type":"adaptive","display":"summarized"},
    "output_config":{"effort":"high","format":{"type":"json_schema","schema":{"type":"object"}}},
    "metadata":{"user_id":"u"},"service_tier":null,"container":"c"}"#;

#[test]
fn what_was_read_is_written_again() {
    let variants = [
        BUSY,
        r#"{"model":"m","messages":[{"role":"system","content":"first"}],"stream":true,"tools":[]}"#,
        r#"{"model":"m","messages":[],"system":"s","thinking":{"type":"enabled","budget_tokens":1024}}"#,
        r#"{"model":"m","messages":[],"system":[],"thinking":{"type":"disabled"},"output_config":{"effort":"low"}}"#,
        r#"{"model":"m","messages":[],"thinking":{"type":"novel"},"output_config":{"effort":"low","x":1}}"#,
        r#"{"model":"m","messages":[],"thinking":null,"output_config":{},"metadata":{"user_id":"u","x":1}}"#,
        r#"{"model":"m","messages":[],"output_format":{"type":"json_schema","schema":{}},"tool_choice":{"type":"new","x":1}}"#,
        r#"{"model":"m","messages":[],"output_format":{"type":"json_schema","schema":{}},"output_config":{"effort":"max"}}"#,
        r#"{"model":"m","messages":[],"tool_choice":{"type":"tool","name":"f","disable_parallel_tool_use":false}}"#,
    ];
    for body in variants {
        let written = Messages.write_request(&read(body).unwrap(), Addressee { model: "n", output_limit: 9 });
        let mut expected = value(body);
        expected["model"] = "n".into();
        assert_eq!(value(&written.body), expected);
        assert_eq!(written.dropped, Vec::<String>::new());
    }
}

#[test]
fn the_hub_understands_it() {
    let request = read(BUSY).unwrap();
    assert!(request.model.is("m"));
    assert_eq!(request.max_tokens.map(|limit| limit.tokens), Some(2048));
    let roles: Vec<_> = request.turns.iter().map(|turn| turn.role).collect();
    assert_eq!(roles, [Role::System, Role::User, Role::User, Role::Assistant, Role::User, Role::System]);
    assert!(matches!(request.tool_choice, Some(ToolChoice::Auto)));
    assert_eq!(request.parallel_tool_calls, Some(false));
    assert_eq!(request.reasoning.map(|reasoning| reasoning.depth), Some(Depth::Effort(ascii_text("high"))));
    assert!(request.user.is_some_and(|user| user.is("u")));
    assert!(matches!(request.tools.as_slice(), [Tool::Function(_), Tool::Function(_), Tool::Other(_)]));
}

#[test]
fn mistakes_are_told_with_their_place() {
    let mistakes = [
        (r#"[]"#, "body"),
        (r#"{"messages":[]}"#, "model"),
        (r#"{"model":1,"messages":[]}"#, "model"),
        (r#"{"model":"m"}"#, "messages"),
        (r#"{"model":"m","messages":{}}"#, "messages"),
        (r#"{"model":"m","messages":[1]}"#, "messages[0]"),
        (
            r#"{"model":"m","messages":[{"role":"user","content":"a"},{"role":"tool","content":"a"}]}"#,
            "messages[1].role",
        ),
        (r#"{"model":"m","messages":[{"role":"user"}]}"#, "messages[0].content"),
        (r#"{"model":"m","messages":[{"role":"user","content":5}]}"#, "messages[0].content"),
        (
            r#"{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a"},2]}]}"#,
            "messages[0].content[1]",
        ),
        (r#"{"model":"m","messages":[],"stream":"true"}"#, "stream"),
        (r#"{"model":"m","messages":[],"max_tokens":-1}"#, "max_tokens"),
        (r#"{"model":"m","messages":[],"max_tokens":"9"}"#, "max_tokens"),
        (r#"{"model":"m","messages":[],"tools":{}}"#, "tools"),
        (r#"{"model":"m","messages":[],"tools":[3]}"#, "tools[0]"),
        (r#"{"model":"m","messages":[],"system":3}"#, "system"),
        (r#"{"model":"m","messages":[],"stop_sequences":"x"}"#, "stop_sequences"),
    ];
    for (body, param) in mistakes {
        assert_eq!(read(body).map(|_| ()).unwrap_err().param, param, "{body}");
    }
}

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
    Part::ToolCall(ToolCall { id, name: t(name), arguments, signature: None, extra: Vec::new() })
}

fn result<'a>(id: &'a str, text: &'a str) -> Part<'a> {
    let (id, content) = (Some(CallId::Given(t(id))), vec![words(text)]);
    Part::ToolResult(ToolResult { id, name: None, content, shape: Shape::Bare, error: None, extra: Vec::new() })
}

fn function<'a>(name: &'a str, schema: Option<&'a str>) -> Tool<'a> {
    let schema = schema.map(json);
    Tool::Function(Function { name: t(name), description: None, schema, strict: None, extra: Vec::new() })
}

fn written(request: &Request<'_>) -> (Value, Vec<String>) {
    let written = Messages.write_request(request, Addressee { model: "n", output_limit: 0 });
    (value(&written.body), written.dropped)
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
    let (body, dropped) = written(&request);
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
    assert_eq!(dropped, Vec::<String>::new());
}

#[test]
fn what_cannot_be_said_is_reported() {
    let mut request = foreign();
    let audio = Source::Data { mime: t("audio/wav"), base64: t("AA") };
    let picture = Source::Data { mime: t("image/png"), base64: t("AA") };
    let media = |kind, source| Part::Media(Media { kind, source, extra: vec![(t("detail"), json("\"high\""))] });
    let mut spoken = turn(Role::User, vec![media(MediaKind::Image, picture), media(MediaKind::Audio, audio)]);
    spoken.extra = vec![(t("name"), json("\"bob\"")), (t("weight"), Json::NULL)];
    let thought = crate::hub::Thinking { text: t("h"), signature: Some(t("s")), extra: Vec::new() };
    request.turns = vec![spoken, turn(Role::Assistant, vec![Part::Thinking(thought), words("a")])];
    request.sampling.temperature = Some(json("1.7"));
    request.sampling.seed = Some(json("1"));
    request.sampling.answers = Some(json("1"));
    request.format = Some(Format::JsonObject);
    request.tools = vec![Tool::Other(json(r#"{"type":"web_search"}"#))];
    request.tool_choice = Some(ToolChoice::Any);
    request.stop = Some(Stops { sequences: vec![t("\\n"), t("x")], shape: Shape::List });
    request.extra = vec![(t("logprobs"), json("true")), (t("store"), Json::NULL)];
    let (body, dropped) = written(&request);
    assert_eq!(body["temperature"], 1);
    assert_eq!(body["stop_sequences"], serde_json::json!(["x"]));
    assert_eq!(body["messages"][0]["content"].as_array().map(Vec::len), Some(1));
    let expected = [
        "messages[].name",
        "messages[].content[].audio",
        "messages[].thinking",
        "messages[].content[].detail",
        "tools[].web_search",
        "tool_choice",
        "temperature",
        "seed",
        "stop",
        "response_format",
        "logprobs",
    ];
    assert_eq!(dropped, expected);
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
    let out = Messages.write_request(&request, Addressee { model: "n", output_limit: 0 });
    let body = value(&out.body);
    assert_eq!(
        body["tools"],
        serde_json::json!([
            {"name": "a_b_2", "input_schema": {"type": "object", "properties": {"type": {"type": ["string", "null"]}}}},
            {"name": "a_b", "input_schema": {"type": "object", "properties": {}}},
            {"name": "c", "input_schema": {"type": "object", "properties": {}}},
        ])
    );
    assert_eq!(
        body["tool_choice"],
        serde_json::json!({"type": "tool", "name": "a_b_2", "disable_parallel_tool_use": true})
    );
    assert_eq!(
        body["output_config"]["format"],
        serde_json::json!({"type": "json_schema", "schema": {
            "type": "object", "properties": {"x": {"type": "object", "additionalProperties": true}}, "additionalProperties": false,
        }})
    );
    assert_eq!(body["metadata"], serde_json::json!({"user_id": "u"}));
    assert!(out.aliases.undo(t("a_b_2")).is("a.b") && out.aliases.undo(t("a_b")).is("a_b"));
    assert_eq!(out.dropped, Vec::<String>::new());
}

fn thinking(depth: Depth<'static>, max_tokens: Option<u64>) -> (Value, Vec<String>) {
    let mut request = foreign();
    request.turns = vec![turn(Role::User, vec![words("a")])];
    request.reasoning = Some(Reasoning { depth, shown: None, extra: Vec::new() });
    request.max_tokens = max_tokens.map(|tokens| Limit { tokens, name: ascii_text("max_completion_tokens") });
    written(&request)
}

#[test]
fn foreign_reasoning_fits_the_limit_of_tokens() {
    let none = Vec::<String>::new();
    let (body, dropped) = thinking(Depth::Effort(ascii_text("minimal")), None);
    assert_eq!(body["thinking"], serde_json::json!({"type": "adaptive"}));
    assert_eq!((&body["output_config"]["effort"], dropped), (&Value::from("low"), none.clone()));
    let (body, dropped) = thinking(Depth::Off, None);
    assert_eq!((&body["thinking"]["type"], dropped), (&Value::from("disabled"), none.clone()));
    let cases = [
        (2000, Some(4000), 2000, false),
        (9000, None, 9000, false),
        (9000, Some(4000), 2000, true),
        (5, Some(1025), 1024, true),
    ];
    for (budget, limit, expected, reported) in cases {
        let (body, dropped) = thinking(Depth::Budget(budget), limit);
        assert_eq!(body["thinking"]["budget_tokens"], expected);
        assert!(body["max_tokens"].as_u64() > Some(expected));
        assert_eq!(dropped.contains(&"reasoning.budget".to_string()), reported);
    }
    let (body, dropped) = thinking(Depth::Budget(2000), Some(1024));
    assert_eq!((body.get("thinking"), dropped), (None, vec!["reasoning".to_string()]));
}

#[test]
fn a_limit_beyond_the_models_is_lowered_and_reported() {
    let mut request = foreign();
    request.max_tokens = Some(Limit { tokens: 100, name: ascii_text("max_completion_tokens") });
    let out = Messages.write_request(&request, Addressee { model: "n", output_limit: 64 });
    assert_eq!(
        (&value(&out.body)["max_tokens"], out.dropped),
        (&Value::from(64), vec!["max_completion_tokens".to_string()])
    );
    request.max_tokens = None;
    let out = Messages.write_request(&request, Addressee { model: "n", output_limit: 64 });
    assert_eq!((&value(&out.body)["max_tokens"], out.dropped.len()), (&Value::from(64), 0));
}

#[test]
fn thinking_wins_over_sampling_and_a_forced_tool_over_thinking() {
    let mut request = foreign();
    request.tools = vec![function("f", None)];
    request.reasoning = Some(Reasoning { depth: Depth::Adaptive, shown: Some(true), extra: Vec::new() });
    request.sampling.temperature = Some(json("0.5"));
    request.sampling.top_k = Some(json("5"));
    let (body, dropped) = written(&request);
    assert_eq!(body["thinking"], serde_json::json!({"type": "adaptive", "display": "summarized"}));
    assert_eq!(dropped, ["temperature", "top_k"]);
    request.tool_choice = Some(ToolChoice::Any);
    let (body, dropped) = written(&request);
    assert_eq!((body.get("thinking"), &body["temperature"]), (None, &json_number()));
    assert_eq!(dropped, ["reasoning", "reasoning.shown"]);
}

fn json_number() -> Value {
    serde_json::json!(0.5)
}
