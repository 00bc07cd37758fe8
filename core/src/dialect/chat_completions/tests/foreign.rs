//! Requests that another dialect read, in the words of this one.

use super::*;
use crate::catalog::ThinkingStyle;
use crate::hub::{
    Arguments, CallId, Depth, Format, Function, Limit, Media, MediaKind, Part, Reasoning, Role, Shape, Source, Stops,
    Thinking, Tool, ToolCall, ToolChoice, ToolResult, Turn,
};

fn foreign<'a>() -> Request<'a> {
    Request::new(DialectId::Messages, Delivery::Whole)
}

fn text(raw: &str) -> Text<'_> {
    Text::escaped(raw)
}

fn words(raw: &str) -> Part<'_> {
    Part::Text { text: text(raw), extra: Vec::new() }
}

fn turn<'a>(role: Role, parts: Vec<Part<'a>>) -> Turn<'a> {
    Turn { role, parts, shape: Shape::List, extra: Vec::new() }
}

fn call<'a>(id: Option<CallId<'a>>, name: &'a str, arguments: &'a str) -> Part<'a> {
    let arguments = Arguments::Object(json(arguments));
    Part::ToolCall(ToolCall { id, namespace: None, name: text(name), arguments, signature: None, extra: Vec::new() })
}

fn result<'a>(id: Option<CallId<'a>>, name: Option<&'a str>, content: Vec<Part<'a>>) -> Part<'a> {
    let name = name.map(text);
    Part::ToolResult(ToolResult { id, name, content, shape: Shape::List, error: None, extra: Vec::new() })
}

fn thought<'a>(words: &'a str, signature: Option<&'a str>) -> Part<'a> {
    Part::Thinking(Thinking { text: text(words), signature: signature.map(text), extra: Vec::new() })
}

fn image<'a>() -> Part<'a> {
    media(MediaKind::Image, Source::Data { mime: text("image/png"), base64: text("QQ==") })
}

fn media<'a>(kind: MediaKind, source: Source<'a>) -> Part<'a> {
    Part::Media(Media { kind, source, extra: Vec::new() })
}

fn tool<'a>(name: &'a str, schema: Option<Json<'a>>) -> Tool<'a> {
    Tool::Function(Function {
        namespace: None,
        name: text(name),
        description: None,
        schema,
        strict: None,
        extra: Vec::new(),
    })
}

fn given(id: &str) -> Option<CallId<'_>> {
    Some(CallId::Given(text(id)))
}

/// The body without its model, and what was dropped.
fn said(request: &Request<'_>) -> (serde_json::Value, Vec<String>) {
    let written = write(request, "m");
    let mut body = value(&written.body);
    body.as_object_mut().unwrap().remove("model");
    (body, written.losses.dropped)
}

fn messages(turns: Vec<Turn<'_>>) -> (serde_json::Value, Vec<String>) {
    let mut request = foreign();
    request.turns = turns;
    let (body, dropped) = said(&request);
    (body["messages"].clone(), dropped)
}

#[test]
fn results_become_messages_of_their_own_and_pictures_follow() {
    let (found, dropped) = messages(vec![
        turn(Role::System, vec![words("s")]),
        turn(Role::User, vec![words("a"), image()]),
        turn(Role::Assistant, vec![words("c"), call(given("i"), "f", r#"{"a": 1}"#), call(given("j"), "g", "{}")]),
        turn(
            Role::User,
            vec![result(given("i"), None, vec![words("r"), image()]), result(given("j"), None, vec![]), words("next")],
        ),
    ]);
    let picture = serde_json::json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,QQ=="}});
    let wanted = serde_json::json!([
        {"role": "system", "content": "s"},
        {"role": "user", "content": [{"type": "text", "text": "a"}, picture]},
        {"role": "assistant", "content": "c", "tool_calls": [
            {"id": "i", "type": "function", "function": {"name": "f", "arguments": "{\"a\": 1}"}},
            {"id": "j", "type": "function", "function": {"name": "g", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "i", "content": "r"},
        {"role": "tool", "tool_call_id": "j", "content": ""},
        {"role": "user", "content": [picture, {"type": "text", "text": "next"}]},
    ]);
    assert_eq!(found, wanted);
    assert!(dropped.is_empty(), "{dropped:?}");
}

#[test]
fn calls_without_ids_get_some_that_their_results_share() {
    let (found, _) = messages(vec![
        turn(Role::Assistant, vec![call(None, "f", "{}"), call(None, "g", "{}"), call(None, "f", "{}")]),
        turn(
            Role::User,
            vec![
                result(None, Some("g"), vec![Part::Other(json(r#"{"out":1}"#))]),
                result(None, Some("f"), vec![words("1")]),
                result(None, Some("f"), vec![words("2")]),
            ],
        ),
    ]);
    let ids: Vec<&str> = found[0]["tool_calls"].as_array().unwrap().iter().map(|c| c["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["call_0", "call_1", "call_2"]);
    assert_eq!(found[0]["content"], serde_json::Value::Null);
    let answers: Vec<_> = (1..4)
        .map(|at| (found[at]["tool_call_id"].as_str().unwrap(), found[at]["content"].as_str().unwrap()))
        .collect();
    assert_eq!(answers, [("call_1", r#"{"out":1}"#), ("call_0", "1"), ("call_2", "2")]);
}

#[test]
fn what_has_no_word_is_reported() {
    let mut thinker = turn(Role::Assistant, vec![thought("t", None), words("c")]);
    thinker.extra.push((text("mood"), json("1")));
    let mut failed = result(given("i"), None, vec![words("r")]);
    if let Part::ToolResult(result) = &mut failed {
        result.error = Some(true);
    }
    let cached =
        Part::Text { text: text("x"), extra: vec![(text("cache_control"), json("{}")), (text("nothing"), Json::NULL)] };
    let mut request = foreign();
    request.turns = vec![
        thinker,
        turn(
            Role::User,
            vec![
                failed,
                cached,
                media(MediaKind::Video, Source::Url { url: text("u"), mime: None }),
                media(MediaKind::Document, Source::File(text("f"))),
                Part::Other(json(r#"{"type":"search_result"}"#)),
            ],
        ),
    ];
    request.tools = vec![Tool::Other(json(r#"{"google_search":{}}"#)), Tool::Other(json(r#"{"type":"bash_1"}"#))];
    request.tool_choice = Some(ToolChoice::Any);
    request.sampling.top_k = Some(json("3"));
    request.sampling.answers = Some(json("2"));
    request.stop = Some(Stops { sequences: ["a", "b", "c", "d", "e"].map(text).to_vec(), shape: Shape::List });
    request.format = Some(Format::Other(json("{}")));
    request.reasoning = Some(Reasoning { depth: Depth::Off, shown: Some(true), extra: Vec::new() });
    request.extra.push((text("container"), json("\"c\"")));
    request.extra.push((text("generationConfig.mediaResolution"), json("1")));
    let Written { body, losses, .. } = write(&request, "m");
    let sorted = |mut list: Vec<String>| {
        list.sort();
        list
    };
    let dropped = [
        "container",
        "messages[].content[].file",
        "messages[].content[].search_result",
        "messages[].content[].video",
        "messages[].mood",
        "response_format",
        "tool_choice",
        "tools[].bash_1",
        "tools[].google_search",
    ];
    let approximated = [
        "generationConfig.mediaResolution",
        "messages[].content[].cache_control",
        "messages[].content[].is_error",
        "messages[].thinking",
        "reasoning",
        "reasoning.shown",
        "stop",
        "top_k",
    ];
    assert_eq!(sorted(losses.dropped), dropped);
    assert_eq!(sorted(losses.approximated), approximated);
    let body = value(&body);
    assert_eq!(body["stop"], serde_json::json!(["a", "b", "c", "d"]));
    assert!(body.get("tools").is_none() && body.get("tool_choice").is_none());
}

#[test]
fn a_thought_goes_back_with_its_proof() {
    let item = |raw: &'static str| Some(raw);
    let (found, dropped) = messages(vec![turn(
        Role::Assistant,
        vec![
            thought("a", item(r#"{\"type\":\"reasoning.text\",\"signature\":\"s\",\"format\":\"x\",\"index\":0}"#)),
            thought("b", None),
            thought("", item(r#"{\"type\":\"reasoning.text\",\"signature\":\"t\"}"#)),
            thought("sum", item(r#"{\"type\":\"reasoning.encrypted\",\"data\":\"e\",\"id\":\"r\"}"#)),
            thought("", item("bare")),
            thought("", item(r#"{\"extra_content\":{\"google\":{\"thought_signature\":\"g\"}}}"#)),
            words("c"),
        ],
    )]);
    let wanted = serde_json::json!([{
        "role": "assistant", "content": "c",
        "extra_content": {"google": {"thought_signature": "g"}},
        "reasoning_details": [
            {"type": "reasoning.text", "signature": "s", "format": "x", "index": 0, "text": "a"},
            {"type": "reasoning.text", "signature": "t", "text": "b"},
            {"type": "reasoning.summary", "summary": "sum"},
            {"type": "reasoning.encrypted", "data": "e", "id": "r"},
            {"type": "reasoning.encrypted", "data": "bare"},
        ],
    }]);
    assert_eq!(found, wanted);
    assert!(dropped.is_empty(), "{dropped:?}");
}

#[test]
fn a_call_goes_back_with_its_proof_or_with_what_stands_for_one() {
    let signed = |signature: Option<&'static str>| {
        let Part::ToolCall(mut made) = call(given("i"), "f", "{}") else { unreachable!() };
        made.signature = signature.map(text);
        Part::ToolCall(made)
    };
    let body = |parts: Vec<Part<'static>>, unsigned: &'static str| {
        let mut request = foreign();
        request.turns = vec![turn(Role::Assistant, parts)];
        let to = Addressee { unsigned, ..Addressee::model("m") };
        value(&ChatCompletions.write_request(&request, to).body)["messages"][0].clone()
    };
    let google = |proof: &str| serde_json::json!({"google": {"thought_signature": proof}});
    let message = body(vec![signed(Some("s")), signed(None)], "skip");
    assert_eq!(message["tool_calls"][0]["extra_content"], google("s"));
    assert!(message["tool_calls"][1].get("extra_content").is_none(), "one proof is for all of a turn");
    let message = body(vec![signed(None), signed(None)], "skip \"it\"");
    assert_eq!(message["tool_calls"][0]["extra_content"], google("skip \"it\""));
    assert!(message["tool_calls"][1].get("extra_content").is_none());
    assert!(body(vec![signed(None)], "")["tool_calls"][0].get("extra_content").is_none());
    let detail = r#"{\"type\":\"reasoning.encrypted\",\"data\":\"e\",\"id\":\"i\"}"#;
    let message = body(vec![signed(Some(detail))], "");
    assert_eq!(message["reasoning_details"][0]["data"], "e");
    assert!(message["tool_calls"][0].get("extra_content").is_none());
}

#[test]
fn the_top_level_is_said_in_the_narrowest_words() {
    let mut request = foreign();
    request.delivery = Delivery::StreamedArray;
    request.max_tokens = Some(Limit { tokens: 7, name: text("maxOutputTokens") });
    request.tools = vec![
        tool("f", None),
        tool("g", Some(json(r#"{"type":"OBJECT","properties":{"type":{"type":"STRING","enum":["STRING"]}}}"#))),
    ];
    request.tool_choice = Some(ToolChoice::Named(text("f")));
    request.parallel_tool_calls = Some(false);
    request.format =
        Some(Format::JsonSchema { name: None, description: None, schema: json("{}"), strict: None, extra: Vec::new() });
    request.user = Some(text("u"));
    request.sampling.temperature = Some(json("0.50"));
    let (body, dropped) = said(&request);
    let wanted = serde_json::json!({
        "messages": [], "max_completion_tokens": 7, "stream": true, "stream_options": {"include_usage": true},
        "tools": [
            {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}},
            {"type": "function", "function": {"name": "g", "parameters": {"type": "object", "properties": {"type": {"type": "string", "enum": ["STRING"]}}}}},
        ],
        "tool_choice": {"type": "function", "function": {"name": "f"}}, "parallel_tool_calls": false,
        "response_format": {"type": "json_schema", "json_schema": {"name": "response", "schema": {}}},
        "user": "u", "temperature": 0.5,
    });
    assert_eq!(body, wanted);
    assert!(dropped.is_empty(), "{dropped:?}");
}

#[test]
fn a_schema_that_is_no_object_becomes_one() {
    let mut request = foreign();
    request.tools = vec![tool("f", Some(json("true"))), tool("g", Some(Json::NULL))];
    let (body, _) = said(&request);
    for at in 0..2 {
        let wanted = serde_json::json!({"type": "object", "properties": {}});
        assert_eq!(body["tools"][at]["function"]["parameters"], wanted);
    }
}

#[test]
fn depth_of_thought_becomes_a_word() {
    use ThinkingStyle::{Never, Tokens, Unknown, Words};
    let (near, exact) = (&["reasoning"][..], &[][..]);
    let cases = [
        (Depth::Budget(1024), Unknown, Some("low"), near),
        (Depth::Budget(8192), Tokens, Some("medium"), near),
        (Depth::Budget(32_000), Words, Some("high"), near),
        (Depth::Budget(32_000), Never, None, near),
        (Depth::Effort(text("low")), Unknown, Some("low"), exact),
        (Depth::Effort(text("low")), Never, None, near),
        (Depth::Effort(text("minimal")), Unknown, Some("low"), near),
        (Depth::Effort(text("minimal")), Words, Some("minimal"), exact),
        (Depth::Effort(text("HIGH")), Unknown, Some("high"), exact),
        (Depth::Effort(text("max")), Unknown, Some("high"), near),
        (Depth::Effort(text("xhigh")), Words, Some("xhigh"), exact),
        (Depth::Effort(text("odd")), Words, None, near),
        (Depth::Off, Words, Some("none"), exact),
        (Depth::Off, Unknown, None, near),
        (Depth::Budget(0), Words, Some("none"), exact),
        (Depth::Adaptive, Unknown, None, exact),
        (Depth::Unsaid, Words, None, exact),
    ];
    for (depth, thinking, word, approximated) in cases {
        let mut request = foreign();
        request.reasoning = Some(Reasoning { depth, shown: None, extra: Vec::new() });
        let written = ChatCompletions.write_request(&request, Addressee { thinking, ..Addressee::model("m") });
        assert_eq!(value(&written.body)["reasoning_effort"].as_str(), word, "{depth:?} {thinking:?}");
        assert_eq!(written.losses.approximated, approximated, "{depth:?} {thinking:?}");
        assert!(written.losses.dropped.is_empty());
    }
}

#[test]
fn tool_names_are_made_to_fit_and_found_again() {
    let long = "n".repeat(80);
    let mut request = foreign();
    request.tools =
        vec![tool("a.b", None), tool("a_b", None), tool("a:b", None), tool(&long, None), tool("ok-1", None)];
    request.turns = vec![turn(Role::Assistant, vec![call(given("i"), "a.b", "{}")])];
    let written = write(&request, "m");
    let body = value(&written.body);
    let names: Vec<&str> = (0..5).map(|at| body["tools"][at]["function"]["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["a_b_2e7336dc8eba87ef", "a_b", "a_b_6783a31eabf68ccc", &long[..64], "ok-1"]);
    assert_eq!(body["messages"][0]["tool_calls"][0]["function"]["name"], names[0]);
    for (alias, name) in names.iter().zip(["a.b", "a_b", "a:b", &long, "ok-1"]) {
        assert_eq!(written.aliases.undo(text(alias)).raw(), name);
    }
    let mut reader = ChatCompletions.reader(written.aliases);
    let body =
        r#"{"choices":[{"message":{"tool_calls":[{"function":{"name":"a_b_6783a31eabf68ccc","arguments":"{}"}}]}}]}"#;
    let mut found = String::new();
    reader.read(Frame::Whole(json(body)), &mut |piece| {
        if let crate::hub::Piece::ToolCall { name, .. } = piece {
            found = name.raw().to_string();
        }
    });
    assert_eq!(found, "a:b");
}

#[test]
fn media_have_openais_parts() {
    let data = |mime| Source::Data { mime: text(mime), base64: text("QQ==") };
    let (found, dropped) = messages(vec![turn(
        Role::User,
        vec![
            media(MediaKind::Image, Source::Url { url: text("https:\\/\\/a.example"), mime: None }),
            media(MediaKind::Audio, data("audio/mpeg")),
            media(MediaKind::Document, data("application/pdf")),
            media(MediaKind::Audio, data("audio/midi")),
        ],
    )]);
    let wanted = serde_json::json!([{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": "https://a.example"}},
        {"type": "input_audio", "input_audio": {"data": "QQ==", "format": "mp3"}},
        {"type": "file", "file": {"filename": "document.pdf", "file_data": "data:application/pdf;base64,QQ=="}},
    ]}]);
    assert_eq!(found, wanted);
    assert_eq!(dropped, ["messages[].content[].audio"]);
}
