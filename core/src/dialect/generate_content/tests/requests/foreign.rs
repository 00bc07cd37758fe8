//! Requests of other dialects, written for this one.

use super::*;
use crate::catalog::ThinkingStyle;
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
        namespace: None,
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
fn says(request: &Request<'_>, body: &str, approximated: &[&str], dropped: &[&str]) {
    says_to(request, Addressee::model("m"), body, approximated, dropped);
}

#[track_caller]
fn says_to(request: &Request<'_>, to: Addressee<'_>, body: &str, approximated: &[&str], dropped: &[&str]) {
    let written = GenerateContent.write_request(request, to);
    assert_eq!(value(&written.body), value(body));
    assert_eq!(written.losses.approximated, approximated);
    assert_eq!(written.losses.dropped, dropped);
}

/// A model that demands a proof of every call.
fn demanding() -> Addressee<'static> {
    Addressee { unsigned: "dW5zaWduZWQ=", ..Addressee::model("m") }
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
        &[],
    );
}

#[test]
fn instructions_alone_are_asked() {
    let request = foreign(vec![turn(Role::System, vec![words("a")])]);
    says(&request, r#"{"contents":[{"role":"user","parts":[{"text":"a"}]}]}"#, &["messages[].role"], &[]);
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
    says_to(
        &request,
        demanding(),
        r#"{"contents":[{"role":"user","parts":[{"text":"q"}]},
        {"role":"model","parts":[
          {"functionCall":{"id":"1","name":"f","args":{"a":1}},"thoughtSignature":"dW5zaWduZWQ="},
          {"functionCall":{"id":"2","name":"g","args":{}}}]},
        {"role":"user","parts":[{"functionResponse":{"id":"2","name":"g","response":{"x":[1]}}},
          {"functionResponse":{"id":"1","name":"f","response":{"output":"fine\ntoo"}}},
          {"inlineData":{"mimeType":"image/png","data":"AA=="}}]}]}"#,
        &[],
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
        r#"{"contents":[{"role":"model","parts":[{"functionCall":{"id":"1","name":"f","args":{"arguments":"nonsense"}}}]},
        {"role":"user","parts":[{"functionResponse":{"id":"1","name":"f","response":{"error":"no"}}}]}]}"#,
        &["messages[].tool_calls[].function.arguments"],
        &[],
    );
}

#[test]
fn names_that_the_api_refuses_get_aliases() {
    let mut request =
        foreign(vec![turn(Role::User, vec![words("q")]), turn(Role::Assistant, vec![call("1", "1 é/x", "{}")])]);
    let name = t("1 é/x");
    let function =
        Function { namespace: None, name, description: Some(t("d")), schema: None, strict: None, extra: Vec::new() };
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
        &["messages[].content[].detail"],
        &["messages[].content[].file_id"],
    );
}

#[test]
fn settings_are_said_or_reported() {
    let mut request = foreign(vec![turn(Role::User, vec![words("q")])]);
    request.sampling.temperature = Some(json("0.10"));
    request.sampling.seed = Some(json("7"));
    request.sampling.answers = Some(json("2"));
    request.max_tokens = Some(Limit { tokens: 5000, name: t("max_completion_tokens") });
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
    request.extra =
        vec![(t("store"), json("true")), (t("logit_bias"), json(r#"{"1":2}"#)), (t("metadata"), Json::NULL)];
    says(
        &request,
        r#"{"contents":[{"role":"user","parts":[{"text":"q"}]}],"generationConfig":{"temperature":0.10,"seed":7,"maxOutputTokens":5000,
        "stopSequences":["a","b","c","d","e"],"responseMimeType":"application/json","responseJsonSchema":{"type":"object"},
        "thinkingConfig":{"thinkingBudget":2048,"includeThoughts":true}}}"#,
        &["parallel_tool_calls", "stop", "user", "reasoning_effort", "store"],
        &["tools[].web_search", "tool_choice", "logit_bias"],
    );
}

/// What is written of a wish to think, and what is reported.
fn thinking(depth: Depth<'static>, style: ThinkingStyle, limit: Option<u64>) -> (Value, Vec<String>) {
    let mut request = foreign(vec![turn(Role::User, vec![words("q")])]);
    request.reasoning = Some(Reasoning { depth, shown: None, extra: Vec::new() });
    request.max_tokens = limit.map(|tokens| Limit { tokens, name: t("max_tokens") });
    let written = GenerateContent.write_request(&request, Addressee { thinking: style, ..Addressee::model("m") });
    assert_eq!(written.losses.dropped, Vec::<String>::new(), "{depth:?}");
    (value(&written.body)["generationConfig"]["thinkingConfig"].clone(), written.losses.approximated)
}

const EFFORT: &[&str] = &["reasoning_effort"];
const BUDGET: &[&str] = &["reasoning.max_tokens"];

#[test]
fn depths_of_thought_are_tokens() {
    let cases = [
        (Depth::Off, r#"{"thinkingBudget":0}"#, &[][..]),
        (Depth::Adaptive, r#"{"thinkingBudget":-1,"includeThoughts":true}"#, &[]),
        (Depth::Budget(2000), r#"{"thinkingBudget":2000,"includeThoughts":true}"#, &[]),
        (Depth::Budget(99_999), r#"{"thinkingBudget":24576,"includeThoughts":true}"#, BUDGET),
        (Depth::Effort(t("none")), r#"{"thinkingBudget":0}"#, &[]),
        (Depth::Effort(t("minimal")), r#"{"thinkingBudget":1024,"includeThoughts":true}"#, EFFORT),
        (Depth::Effort(t("medium")), r#"{"thinkingBudget":8192,"includeThoughts":true}"#, EFFORT),
        (Depth::Effort(t("HIGH")), r#"{"thinkingBudget":24576,"includeThoughts":true}"#, EFFORT),
        (Depth::Effort(t("max")), r#"{"thinkingBudget":24576,"includeThoughts":true}"#, EFFORT),
        (Depth::Effort(t("odd")), "null", EFFORT),
        (Depth::Unsaid, "null", &[]),
    ];
    for (depth, config, approximated) in cases {
        for style in [ThinkingStyle::Tokens, ThinkingStyle::Unknown] {
            let (said, reported) = thinking(depth, style, None);
            assert_eq!(
                (said, reported.as_slice()),
                (value(config), &approximated.iter().map(|path| path.to_string()).collect::<Vec<_>>()[..]),
                "{depth:?}"
            );
        }
    }
}

#[test]
fn depths_of_thought_are_words() {
    let cases = [
        (Depth::Off, r#"{"thinkingLevel":"LOW"}"#, EFFORT),
        (Depth::Adaptive, r#"{"includeThoughts":true}"#, &[][..]),
        (Depth::Budget(2048), r#"{"thinkingLevel":"LOW","includeThoughts":true}"#, BUDGET),
        (Depth::Budget(2049), r#"{"thinkingLevel":"MEDIUM","includeThoughts":true}"#, BUDGET),
        (Depth::Budget(12_288), r#"{"thinkingLevel":"MEDIUM","includeThoughts":true}"#, BUDGET),
        (Depth::Budget(12_289), r#"{"thinkingLevel":"HIGH","includeThoughts":true}"#, BUDGET),
        (Depth::Effort(t("none")), r#"{"thinkingLevel":"LOW"}"#, EFFORT),
        (Depth::Effort(t("minimal")), r#"{"thinkingLevel":"MINIMAL","includeThoughts":true}"#, &[]),
        (Depth::Effort(t("low")), r#"{"thinkingLevel":"LOW","includeThoughts":true}"#, &[]),
        (Depth::Effort(t("xhigh")), r#"{"thinkingLevel":"HIGH","includeThoughts":true}"#, EFFORT),
        (Depth::Effort(t("odd")), "null", EFFORT),
        (Depth::Unsaid, "null", &[]),
    ];
    for (depth, config, approximated) in cases {
        let (said, reported) = thinking(depth, ThinkingStyle::Words, None);
        assert_eq!(
            (said, reported.as_slice()),
            (value(config), &approximated.iter().map(|path| path.to_string()).collect::<Vec<_>>()[..]),
            "{depth:?}"
        );
    }
}

#[test]
fn who_cannot_be_told_to_think_is_told_nothing() {
    for (depth, approximated) in [
        (Depth::Off, EFFORT),
        (Depth::Adaptive, EFFORT),
        (Depth::Budget(5), BUDGET),
        (Depth::Effort(t("low")), EFFORT),
        (Depth::Unsaid, &[]),
    ] {
        let (said, reported) = thinking(depth, ThinkingStyle::Never, None);
        assert_eq!(
            (said, reported),
            (Value::Null, approximated.iter().map(|path| path.to_string()).collect()),
            "{depth:?}"
        );
    }
}

#[test]
fn thoughts_leave_room_for_the_answer() {
    for (depth, limit, budget) in [
        (Depth::Effort(t("high")), 10_000, 5000),
        (Depth::Budget(4000), 4000, 2000),
        (Depth::Budget(3999), 4000, 3999),
        (Depth::Budget(4000), 100, 512),
        (Depth::Budget(300), 100, 300),
        (Depth::Off, 0, 0),
    ] {
        let (said, _) = thinking(depth, ThinkingStyle::Tokens, Some(limit));
        assert_eq!(said["thinkingBudget"], budget, "{depth:?} {limit}");
    }
}

fn thought(text: &'static str, signature: Option<&'static str>) -> Part<'static> {
    Part::Thinking(Thinking { text: t(text), signature: signature.map(t), extra: Vec::new() })
}

#[test]
fn foreign_thoughts_and_parts_are_reported() {
    let request = foreign(vec![
        turn(Role::User, vec![words("q")]),
        turn(Role::Assistant, vec![thought("hm", None), Part::Other(json(r#"{"type":"server_tool_use"}"#))]),
        turn(Role::Assistant, vec![Part::Refusal(t("no"))]),
    ]);
    says(
        &request,
        r#"{"contents":[{"role":"user","parts":[{"text":"q"}]},{"role":"model","parts":[{"text":"no"}]}]}"#,
        &["messages[].thinking"],
        &["messages[].content[].server_tool_use"],
    );
}

#[test]
fn proofs_that_came_back_are_said_where_they_were() {
    let mut signed = call("1", "f", "{}");
    if let Part::ToolCall(call) = &mut signed {
        call.signature = Some(t("c1"));
    }
    let request = foreign(vec![
        turn(Role::User, vec![words("q")]),
        turn(Role::Assistant, vec![thought("hm", Some("p1")), words("a"), thought("", Some("p2"))]),
        turn(Role::User, vec![words("r")]),
        turn(Role::Assistant, vec![thought("", Some("p3")), signed, call("2", "f", "{}")]),
    ]);
    says_to(
        &request,
        demanding(),
        r#"{"contents":[{"role":"user","parts":[{"text":"q"}]},
        {"role":"model","parts":[{"text":"hm","thought":true},{"text":"","thoughtSignature":"p1"},{"text":"a","thoughtSignature":"p2"}]},
        {"role":"user","parts":[{"text":"r"}]},
        {"role":"model","parts":[{"text":"","thoughtSignature":"p3"},
          {"functionCall":{"id":"1","name":"f","args":{}},"thoughtSignature":"c1"},{"functionCall":{"id":"2","name":"f","args":{}}}]}]}"#,
        &[],
        &[],
    );
}

#[test]
fn every_turn_with_calls_says_that_nobody_signed_them() {
    let request = foreign(vec![
        turn(Role::Assistant, vec![call("1", "f", "{}"), call("2", "f", "{}")]),
        turn(Role::Tool, vec![result("1", vec![]), result("2", vec![])]),
        turn(Role::Assistant, vec![words("a"), call("3", "f", "{}")]),
    ]);
    let body = value(&GenerateContent.write_request(&request, demanding()).body);
    let proofs = |turn: usize| -> Vec<Value> {
        body["contents"][turn]["parts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|part| part["thoughtSignature"].clone())
            .collect()
    };
    assert_eq!(proofs(0), [Value::from("dW5zaWduZWQ="), Value::Null]);
    assert_eq!(proofs(2), [Value::Null, Value::from("dW5zaWduZWQ=")]);
    assert!(!write(&request).body.contains("thoughtSignature"));
}
