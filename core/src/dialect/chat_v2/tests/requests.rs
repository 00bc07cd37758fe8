//! Requests of other dialects, said in this one.

use super::*;
use crate::json::Text;

const CHAT: DialectId = DialectId::ChatCompletions;
const MESSAGES: DialectId = DialectId::Messages;

/// A request of chat completions with these members besides model and messages.
fn chat(members: Value) -> String {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
    body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    body.to_string()
}

fn tool(name: &str, strict: bool) -> Value {
    let parameters = json!({"type": "object", "properties": {"x": {"type": "string"}}, "required": ["x"]});
    json!({"type": "function", "function": {"name": name, "parameters": parameters, "strict": strict}})
}

/// The body, what was approximated and what was dropped.
fn said(from: DialectId, body: &str) -> (Value, Vec<String>, Vec<String>) {
    let written = written(from, body, Addressee::model("n"));
    (value(&written.body), written.losses.approximated, written.losses.dropped)
}

#[test]
fn a_conversation_with_tools_is_said_in_its_words() {
    let body = json!({
        "model": "m", "max_tokens": 64, "system": "Be brief.", "stop_sequences": ["END"], "top_k": 5,
        "tools": [{"name": "look-up", "description": "Looks", "input_schema": {"type": "object", "properties": {}}}],
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "What is it?"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
            ]},
            {"role": "assistant", "content": [
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "t1", "name": "look-up", "input": {"x": 1}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "t1", "is_error": true, "content": [
                    {"type": "text", "text": "a"},
                    {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
                    {"type": "text", "text": "b"},
                ]},
                {"type": "text", "text": "Go on."},
            ]},
        ],
    });
    let expected = json!({
        "model": "n", "stream": false, "max_tokens": 64, "k": 5, "stop_sequences": ["END"],
        "tools": [{"type": "function", "function": {
            "name": "look_up", "description": "Looks", "parameters": {"type": "object", "properties": {}},
        }}],
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [
                {"type": "text", "text": "What is it?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
            ]},
            {"role": "assistant", "content": "I look.", "tool_calls": [
                {"id": "t1", "type": "function", "function": {"name": "look_up", "arguments": r#"{"x":1}"#}},
            ]},
            {"role": "tool", "tool_call_id": "t1", "content": [
                {"type": "text", "text": "a"}, {"type": "text", "text": "b"},
            ]},
            {"role": "user", "content": [
                {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
                {"type": "text", "text": "Go on."},
            ]},
        ],
    });
    let written = written(MESSAGES, &body.to_string(), Addressee::model("n"));
    assert_eq!(value(&written.body), expected);
    assert_eq!(written.losses.approximated, ["messages[].content[].is_error"]);
    assert_eq!(written.losses.dropped, [""; 0]);
    let undone = written.aliases.undo(Text::escaped("look_up"));
    assert_eq!(undone.raw(), "look-up");
}

#[test]
fn names_that_become_alike_stay_apart() {
    let tools: Vec<Value> = ["a.b", "a-b", "a_b", "1x", "a_b_2"].map(|name| tool(name, false)).to_vec();
    let (body, _, _) = said(CHAT, &chat(json!({"tools": tools})));
    let names: Vec<&str> =
        body["tools"].as_array().unwrap().iter().map(|tool| tool["function"]["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["a_b_2e7336dc8eba87ef", "a_b_d44362d67d921091", "a_b", "tool_1x", "a_b_2"]);
}

#[test]
fn a_certain_tool_is_the_only_one_offered() {
    let choice = json!({"type": "function", "function": {"name": "b"}});
    let tools = [tool("a", false), tool("b", false)];
    let (body, approximated, dropped) = said(CHAT, &chat(json!({"tools": tools, "tool_choice": choice})));
    assert_eq!(body["tools"].as_array().unwrap().len(), 1);
    assert_eq!((&body["tools"][0]["function"]["name"], &body["tool_choice"]), (&json!("b"), &json!("REQUIRED")));
    assert_eq!((approximated, dropped), (vec!["tool_choice".to_string()], vec![]));
    for (asked, word) in [("required", json!("REQUIRED")), ("none", json!("NONE")), ("auto", Value::Null)] {
        let (body, approximated, _) = said(CHAT, &chat(json!({"tools": tools, "tool_choice": asked})));
        assert_eq!((body["tool_choice"].clone(), body["tools"].as_array().unwrap().len()), (word, 2));
        assert_eq!(approximated, [""; 0]);
    }
}

#[test]
fn a_choice_among_no_tools_is_not_said() {
    let (body, _, dropped) = said(CHAT, &chat(json!({"tool_choice": "required"})));
    assert_eq!(body.get("tool_choice"), None);
    assert_eq!(dropped, ["tool_choice"]);
}

#[test]
fn strictness_is_said_when_it_holds_for_all() {
    let (body, approximated, _) = said(CHAT, &chat(json!({"tools": [tool("a", true), tool("b", true)]})));
    assert_eq!((&body["strict_tools"], approximated.len()), (&json!(true), 0));
    let (body, approximated, _) = said(CHAT, &chat(json!({"tools": [tool("a", true), tool("b", false)]})));
    assert_eq!((body.get("strict_tools"), approximated), (None, vec!["tools[].strict".to_string()]));
    let free = json!({"type": "function", "function": {"name": "a", "strict": true, "parameters": {"type": "object", "properties": {}}}});
    let (body, approximated, _) = said(CHAT, &chat(json!({"tools": [free]})));
    assert_eq!((body.get("strict_tools"), approximated), (None, vec!["tools[].strict".to_string()]));
}

#[test]
fn a_schema_of_the_answer_is_said_but_not_beside_tools() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]});
    let format = json!({"type": "json_schema", "json_schema": {"name": "s", "schema": schema, "strict": true}});
    let (body, _, dropped) = said(CHAT, &chat(json!({"response_format": format})));
    assert_eq!(body["response_format"], json!({"type": "json_object", "json_schema": schema}));
    assert_eq!(dropped, [""; 0]);
    let (body, _, dropped) = said(CHAT, &chat(json!({"response_format": format, "tools": [tool("a", false)]})));
    assert_eq!((body.get("response_format"), dropped), (None, vec!["response_format".to_string()]));
    let members = json!({"response_format": format, "tools": [tool("a", false)], "tool_choice": "none"});
    let (body, approximated, dropped) = said(CHAT, &chat(members));
    assert_eq!((body.get("tools"), body.get("tool_choice"), dropped.len()), (None, None, 0));
    assert_eq!((&body["response_format"]["type"], approximated), (&json!("json_object"), vec!["tools".to_string()]));
    let (body, _, _) = said(CHAT, &chat(json!({"response_format": {"type": "json_object"}})));
    assert_eq!(body["response_format"], json!({"type": "json_object"}));
}

#[test]
fn schemas_in_capitals_become_json_schema() {
    let body = json!({
        "contents": [{"role": "user", "parts": [{"text": "hi"}]}],
        "tools": [{"functionDeclarations": [{"name": "f", "parameters": {
            "type": "OBJECT", "properties": {"type": {"type": "STRING", "enum": ["STRING"]}}, "required": ["type"],
        }}]}],
    });
    let (body, _, _) = said(DialectId::GenerateContent, &body.to_string());
    let expected = json!({
        "type": "object", "properties": {"type": {"type": "string", "enum": ["STRING"]}}, "required": ["type"],
    });
    assert_eq!(body["tools"][0]["function"]["parameters"], expected);
}

#[test]
fn calls_without_ids_find_their_results() {
    let call = |name: &str| json!({"functionCall": {"name": name, "args": {"n": name}}});
    let result = |name: &str| json!({"functionResponse": {"name": name, "response": {"of": name}}});
    let body = json!({"contents": [
        {"role": "user", "parts": [{"text": "hi"}]},
        {"role": "model", "parts": [call("a"), call("b")]},
        {"role": "user", "parts": [result("b"), result("a")]},
    ]});
    let (body, _, _) = said(DialectId::GenerateContent, &body.to_string());
    let messages = body["messages"].as_array().unwrap();
    assert_eq!(messages[1].get("content"), None);
    let id = |place: usize| messages[1]["tool_calls"][place]["id"].clone();
    assert_ne!(id(0), id(1));
    assert_eq!((&messages[2]["tool_call_id"], &messages[3]["tool_call_id"]), (&id(1), &id(0)));
    assert_eq!(messages[2]["content"], r#"{"of":"b"}"#);
}

#[test]
fn broken_arguments_stay_readable() {
    let call =
        |arguments: &str| json!({"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}});
    let turn = json!({"role": "assistant", "content": null, "tool_calls": [call("{\"x\":"), call("")]});
    let (body, _, _) = said(CHAT, &chat(json!({"messages": [{"role": "user", "content": "hi"}, turn]})));
    let calls = &body["messages"][1]["tool_calls"];
    assert_eq!(value(calls[0]["function"]["arguments"].as_str().unwrap()), json!({"arguments": "{\"x\":"}));
    assert_eq!(calls[1]["function"]["arguments"], "{}");
}

#[test]
fn numbers_outside_of_the_scale_are_its_end() {
    let members = json!({
        "temperature": 1.5, "top_p": 1, "frequency_penalty": 0, "presence_penalty": 1.5, "seed": 7,
        "stop": ["1", "2", "3", "4", "5", "6"], "max_completion_tokens": 9000,
    });
    let to = Addressee { model: "n", output_limit: 4096, ..Addressee::default() };
    let written = written(CHAT, &chat(members), to);
    let body = value(&written.body);
    assert_eq!((&body["p"], &body["temperature"], &body["seed"]), (&json!(0.99), &json!(1.0), &json!(7)));
    assert_eq!((body.get("frequency_penalty"), &body["presence_penalty"]), (None, &json!(1.0)));
    assert_eq!((&body["stop_sequences"], &body["max_tokens"]), (&json!(["1", "2", "3", "4", "5"]), &json!(4096)));
    let expected = ["max_completion_tokens", "temperature", "top_p", "presence_penalty", "stop"];
    assert_eq!(written.losses.approximated, expected);
    assert_eq!(written.losses.dropped, [""; 0]);
    let (body, approximated, _) = said(CHAT, &chat(json!({"temperature": 0.3, "top_p": 0.5, "frequency_penalty": 0})));
    assert_eq!((&body["temperature"], &body["p"], &body["frequency_penalty"]), (&json!(0.3), &json!(0.5), &json!(0)));
    assert_eq!(approximated, [""; 0]);
}

#[test]
fn one_penalty_is_said() {
    let (body, approximated, _) = said(CHAT, &chat(json!({"frequency_penalty": 0.5, "presence_penalty": 0.25})));
    assert_eq!((&body["frequency_penalty"], body.get("presence_penalty")), (&json!(0.5), None));
    assert_eq!(approximated, ["presence_penalty"]);
}

#[test]
fn empty_texts_are_not_said() {
    let turns = json!([
        {"role": "user", "content": [{"type": "text", "text": ""}, {"type": "text", "text": "hi"}]},
        {"role": "assistant", "content": ""},
    ]);
    let (body, approximated, dropped) = said(CHAT, &chat(json!({"messages": turns})));
    assert_eq!(body["messages"], json!([{"role": "user", "content": "hi"}]));
    assert_eq!((approximated.len(), dropped.len()), (0, 0));
}

#[test]
fn how_much_to_think_is_told_in_tokens() {
    let enabled = |budget: u64| json!({"type": "enabled", "token_budget": budget});
    let thinking = |members: Value| {
        let (body, approximated, _) = said(CHAT, &chat(members));
        (body["thinking"].clone(), approximated.len())
    };
    assert_eq!(thinking(json!({"reasoning_effort": "none"})), (json!({"type": "disabled"}), 0));
    for (word, budget) in [("minimal", 1024), ("low", 2048), ("medium", 8192), ("high", 20000)] {
        assert_eq!(thinking(json!({"reasoning_effort": word})), (enabled(budget), 1));
    }
    assert_eq!(thinking(json!({"reasoning_effort": "xhigh"})), (json!({"type": "enabled"}), 1));
    assert_eq!(thinking(json!({"reasoning_effort": "high", "max_tokens": 1000})), (enabled(500), 1));
    assert_eq!(thinking(json!({})), (Value::Null, 0));
    let budget = json!({"model": "m", "max_tokens": 4000, "messages": [{"role": "user", "content": "hi"}],
        "thinking": {"type": "enabled", "budget_tokens": 2500}});
    let (body, approximated, _) = said(MESSAGES, &budget.to_string());
    assert_eq!((body["thinking"].clone(), approximated.len()), (enabled(2500), 0));
    let to = Addressee { model: "n", thinking: ThinkingStyle::Never, ..Addressee::default() };
    let never = written(CHAT, &chat(json!({"reasoning_effort": "low"})), to);
    assert_eq!(value(&never.body).get("thinking"), None);
    assert_eq!(never.losses.approximated, ["reasoning"]);
}

#[test]
fn thoughts_are_said_where_the_model_takes_them() {
    let turn = |call: bool| {
        let mut said = vec![json!({"type": "thinking", "thinking": "hm"}), json!({"type": "text", "text": "so"})];
        if call {
            said.push(json!({"type": "tool_use", "id": "t", "name": "f", "input": {}}));
        }
        let messages = json!([{"role": "user", "content": "hi"}, {"role": "assistant", "content": said}]);
        json!({"model": "m", "max_tokens": 9, "messages": messages}).to_string()
    };
    let (planned, approximated, _) = said(MESSAGES, &turn(true));
    assert_eq!((&planned["messages"][1]["tool_plan"], approximated.len()), (&json!("hm"), 0));
    let (left_out, approximated, dropped) = said(MESSAGES, &turn(false));
    assert_eq!(left_out["messages"][1], json!({"role": "assistant", "content": "so"}));
    assert_eq!((approximated, dropped), (vec!["messages[].thinking".to_string()], vec![]));
    let to = Addressee { model: "n", thinking: ThinkingStyle::Tokens, ..Addressee::default() };
    let thinks = written(MESSAGES, &turn(true), to);
    let content = json!([{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "so"}]);
    assert_eq!(value(&thinks.body)["messages"][1]["content"], content);
    assert!(thinks.losses.approximated.is_empty());
}

#[test]
fn what_has_no_word_is_reported() {
    let sound = json!({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}});
    let members = json!({
        "messages": [{"role": "user", "name": "Ann", "content": [{"type": "text", "text": "hi"}, sound]}],
        "metadata": {"a": "b"}, "logit_bias": {"1": 2}, "user": "u", "modalities": ["text"], "parallel_tool_calls": false,
        "logprobs": false,
        "tools": [tool("a", false)],
    });
    let (body, mut approximated, mut dropped) = said(CHAT, &chat(members));
    assert_eq!(body["messages"][0]["content"], "hi");
    approximated.sort();
    dropped.sort();
    assert_eq!(approximated, ["messages[].name", "metadata", "parallel_tool_calls", "user"]);
    assert_eq!(dropped, ["logit_bias", "messages[].content[].audio"]);
}

#[test]
fn a_stream_is_asked_for() {
    assert_eq!(said(CHAT, &chat(json!({"stream": true}))).0["stream"], true);
}
