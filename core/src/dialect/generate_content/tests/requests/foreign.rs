//! Requests of other dialects, written for this one.

use super::*;
use crate::hub::{
    Arguments, Function, Limit, Media, MediaKind, Reasoning, Shape, Source, Stops, Thinking, ToolCall, ToolResult, Turn,
};
use crate::json::Text;

fn t(text: &str) -> Text<'_> {
    Text::escaped(text)
}

fn json(text: &str) -> Json<'_> {
    Json::parse(text.as_bytes()).unwrap()
}

fn words(text: &'static str) -> Part<'static> {
    Part::Text { text: t(text), extra: Vec::new() }
}

fn turn(role: Role, parts: Vec<Part<'static>>) -> Turn<'static> {
    Turn { role, parts, shape: Shape::List, extra: Vec::new() }
}

fn call(id: &'static str, name: &'static str, arguments: &'static str) -> Part<'static> {
    let id = Some(CallId::Given(t(id)));
    Part::ToolCall(ToolCall {
        id,
        name: t(name),
        arguments: Arguments::Encoded(t(arguments)),
        signature: None,
        extra: Vec::new(),
    })
}

fn result(id: &'static str, content: Vec<Part<'static>>) -> Part<'static> {
    let id = Some(CallId::Given(t(id)));
    Part::ToolResult(ToolResult { id, name: None, content, shape: Shape::Bare, error: None, extra: Vec::new() })
}

fn foreign(turns: Vec<Turn<'static>>) -> Request<'static> {
    let mut request = Request::new(DialectId::ChatCompletions, Delivery::Whole);
    request.turns = turns;
    request
}

#[track_caller]
fn says(request: &Request<'_>, body: &str, dropped: &[&str]) {
    let written = write(request);
    assert_eq!(value(&written.body), value(body));
    assert_eq!(written.dropped, dropped);
}

#[test]
fn instructions_go_to_their_place() {
    let request = foreign(vec![
        turn(Role::System, vec![words("a")]),
        turn(Role::Developer, vec![words("b")]),
        turn(Role::User, vec![words("q")]),
        turn(Role::System, vec![words("c")]),
    ]);
    says(
        &request,
        r#"{"systemInstruction":{"parts":[{"text":"a"},{"text":"b"}]},"contents":[{"role":"user","parts":[{"text":"q"}]},
        {"role":"user","parts":[{"text":"c"}]}]}"#,
        &["messages[].role"],
    );
}

#[test]
fn instructions_alone_are_asked() {
    let request = foreign(vec![turn(Role::System, vec![words("a")])]);
    says(&request, r#"{"contents":[{"role":"user","parts":[{"text":"a"}]}]}"#, &["messages[].role"]);
}

#[test]
fn calls_and_results_are_paired_by_name_and_merged() {
    let picture = Part::Media(Media {
        kind: MediaKind::Image,
        source: Source::Data { mime: t("image/png"), base64: t("AA==") },
        extra: Vec::new(),
    });
    let request = foreign(vec![
        turn(Role::User, vec![words("q")]),
        turn(Role::Assistant, vec![words(""), call("1", "f", r#"{\"a\":1}"#), call("2", "g", "")]),
        turn(Role::Tool, vec![result("2", vec![words(r#"{\"x\": [1]}"#)])]),
        turn(Role::Tool, vec![result("1", vec![words("fine"), picture, words("too")])]),
    ]);
    says(
        &request,
        r#"{"contents":[{"role":"user","parts":[{"text":"q"}]},
        {"role":"model","parts":[
          {"functionCall":{"id":"1","name":"f","args":{"a":1}},"thoughtSignature":"c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="},
          {"functionCall":{"id":"2","name":"g","args":{}}}]},
        {"role":"user","parts":[{"functionResponse":{"id":"2","name":"g","response":{"x":[1]}}},
          {"functionResponse":{"id":"1","name":"f","response":{"result":"fine\ntoo"}}},
          {"inlineData":{"mimeType":"image/png","data":"AA=="}}]}]}"#,
        &[],
    );
}

#[test]
fn failures_of_tools_are_said() {
    let mut failed = result("1", vec![words("no")]);
    if let Part::ToolResult(result) = &mut failed {
        result.error = Some(true);
    }
    let request =
        foreign(vec![turn(Role::Assistant, vec![call("1", "f", "nonsense")]), turn(Role::User, vec![failed])]);
    says(
        &request,
        r#"{"contents":[{"role":"model","parts":[{"functionCall":{"id":"1","name":"f","args":{}},
          "thoughtSignature":"c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="}]},
        {"role":"user","parts":[{"functionResponse":{"id":"1","name":"f","response":{"error":"no"}}}]}]}"#,
        &["messages[].tool_calls[].function.arguments"],
    );
}

#[test]
fn names_that_the_api_refuses_get_aliases() {
    let mut request =
        foreign(vec![turn(Role::User, vec![words("q")]), turn(Role::Assistant, vec![call("1", "1 é/x", "{}")])]);
    let name = t("1 é/x");
    let function = Function { name, description: Some(t("d")), schema: None, strict: None, extra: Vec::new() };
    request.tools = vec![Tool::Function(function)];
    request.tool_choice = Some(ToolChoice::Named(name));
    let written = write(&request);
    let body = value(&written.body);
    let alias = body["tools"][0]["functionDeclarations"][0]["name"].as_str().unwrap();
    assert!(alias.len() <= 64 && alias.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'), "{alias}");
    assert_eq!(body["toolConfig"]["functionCallingConfig"]["allowedFunctionNames"][0], alias);
    assert_eq!(body["contents"][1]["parts"][0]["functionCall"]["name"], alias);
    assert!(written.aliases.undo(t(alias)).is("1 é/x"));
}

#[test]
fn pictures_are_said_by_bytes_or_address() {
    let media = |source| {
        let extra = vec![(t("detail"), json("\"high\""))];
        Part::Media(Media { kind: MediaKind::Image, source, extra })
    };
    let request = foreign(vec![turn(
        Role::User,
        vec![
            media(Source::Data { mime: t("image/png"), base64: t("AA==") }),
            media(Source::Url { url: t("https://x.test/a.JPG?b=1"), mime: None }),
            media(Source::Url { url: t("https://x.test/a"), mime: None }),
            media(Source::File(t("file-1"))),
        ],
    )]);
    says(
        &request,
        r#"{"contents":[{"role":"user","parts":[{"inlineData":{"mimeType":"image/png","data":"AA=="}},
        {"fileData":{"mimeType":"image/jpeg","fileUri":"https://x.test/a.JPG?b=1"}},{"fileData":{"fileUri":"https://x.test/a"}}]}]}"#,
        &["messages[].content[].detail", "messages[].content[].file_id"],
    );
}

#[test]
fn settings_are_said_or_reported() {
    let mut request = foreign(vec![turn(Role::User, vec![words("q")])]);
    request.sampling.temperature = Some(json("0.10"));
    request.sampling.seed = Some(json("7"));
    request.sampling.answers = Some(json("2"));
    request.max_tokens = Some(Limit { tokens: 5, name: t("max_completion_tokens") });
    request.stop = Some(Stops { sequences: ["a", "b", "c", "d", "e", "f"].map(t).to_vec(), shape: Shape::List });
    request.format = Some(Format::JsonSchema {
        name: Some(t("n")),
        description: None,
        schema: json(r#"{"type":"object"}"#),
        strict: Some(true),
        extra: Vec::new(),
    });
    request.reasoning = Some(Reasoning { depth: Depth::Effort(t("low")), shown: Some(true), extra: Vec::new() });
    request.parallel_tool_calls = Some(false);
    request.tool_choice = Some(ToolChoice::Any);
    request.tools = vec![Tool::Other(json(r#"{"type":"web_search"}"#))];
    request.user = Some(t("u"));
    request.extra = vec![(t("store"), json("true")), (t("metadata"), Json::NULL)];
    says(
        &request,
        r#"{"contents":[{"role":"user","parts":[{"text":"q"}]}],"generationConfig":{"temperature":0.10,"seed":7,"maxOutputTokens":5,
        "stopSequences":["a","b","c","d","e"],"responseMimeType":"application/json","responseJsonSchema":{"type":"object"},
        "thinkingConfig":{"thinkingBudget":1024,"includeThoughts":true}}}"#,
        &["tools[].web_search", "parallel_tool_calls", "tool_choice", "n", "stop", "user", "store"],
    );
}

#[test]
fn depths_of_thought_are_budgets() {
    let cases = [
        (Depth::Off, r#"{"thinkingBudget":0}"#, vec![]),
        (Depth::Adaptive, r#"{"thinkingBudget":-1,"includeThoughts":true}"#, vec![]),
        (Depth::Budget(2000), r#"{"thinkingBudget":2000,"includeThoughts":true}"#, vec![]),
        (Depth::Budget(99_999), r#"{"thinkingBudget":24576,"includeThoughts":true}"#, vec!["thinking.budget_tokens"]),
        (Depth::Effort(t("none")), r#"{"thinkingBudget":0}"#, vec![]),
        (Depth::Effort(t("HIGH")), r#"{"thinkingBudget":24576,"includeThoughts":true}"#, vec![]),
        (Depth::Effort(t("odd")), "null", vec!["reasoning_effort"]),
        (Depth::Unsaid, "null", vec![]),
    ];
    for (depth, config, dropped) in cases {
        let mut request = foreign(vec![turn(Role::User, vec![words("q")])]);
        request.reasoning = Some(Reasoning { depth, shown: None, extra: Vec::new() });
        let written = write(&request);
        assert_eq!(value(&written.body)["generationConfig"]["thinkingConfig"], value(config), "{depth:?}");
        assert_eq!(written.dropped, dropped, "{depth:?}");
    }
}

#[test]
fn foreign_thoughts_and_parts_are_reported() {
    let thinking = Part::Thinking(Thinking { text: t("hm"), signature: Some(t("s")), extra: Vec::new() });
    let request = foreign(vec![
        turn(Role::User, vec![words("q")]),
        turn(Role::Assistant, vec![thinking, Part::Other(json(r#"{"type":"server_tool_use"}"#))]),
        turn(Role::Assistant, vec![Part::Refusal(t("no"))]),
    ]);
    says(
        &request,
        r#"{"contents":[{"role":"user","parts":[{"text":"q"}]},{"role":"model","parts":[{"text":"no"}]}]}"#,
        &["messages[].thinking", "messages[].content[].server_tool_use"],
    );
}
