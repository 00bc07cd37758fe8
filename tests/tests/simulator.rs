//! The simulator is the oracle, so it is tested first: against a raw client, without any gateway.
#![allow(clippy::expect_used, clippy::panic, reason = "a test says what it expected")]

use std::time::{Duration, Instant};

use dragoman_tests::client::{Answer, Call, End, everything};
use dragoman_tests::said::{self, Said, ask, credential, path};
use dragoman_tests::simulator::persona::Dialect;
use dragoman_tests::simulator::{
    self, ClosedPort, Fault, Framing, Persona, Reply, Script, Simulator, Wait, When, hints,
};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(5);

fn start(dialect: Dialect) -> Simulator {
    Simulator::start(Persona::new(dialect, "test-key")).expect("the simulator starts")
}

fn call(dialect: Dialect, body: &Value, stream: bool) -> Call {
    let call = Call::post(&path(dialect, "some-model", stream)).json(body);
    credential(dialect, "test-key").iter().fold(call, |call, (name, value)| call.header(name, value))
}

fn send(provider: &Simulator, call: &Call) -> Answer {
    call.send(&provider.address().to_string()).expect("an answer")
}

fn say(provider: &Simulator, text: &str, stream: bool) -> (Answer, Said) {
    let dialect = provider.persona().dialect();
    let answer = send(provider, &call(dialect, &ask(dialect, "some-model", text, stream), stream));
    let said = said::read(dialect, &answer);
    (answer, said)
}

#[test]
fn every_persona_says_the_same_whole_and_streamed() {
    for dialect in Dialect::ALL {
        let provider = start(dialect);
        for text in ["hello there", "Grüße \u{1F680} \"quoted\" \\ back", "please refuse"] {
            let (whole_answer, whole) = say(&provider, text, false);
            let (_, streamed) = say(&provider, text, true);
            assert!(whole.complete && streamed.complete, "{dialect:?}: {}", whole_answer.text());
            assert_eq!(whole, streamed, "{dialect:?}");
            if !text.contains("refuse") {
                assert_eq!(whole.text, format!("you said: {text}"));
            }
        }
        for request in provider.journal().wait_ended(SOON).expect("ended") {
            let tokens = request.delivered.tokens.expect("a persona counts");
            assert_eq!(request.delivered.end, simulator::End::Complete);
            assert_eq!(request.delivered.output_sent, tokens.output, "{dialect:?}");
            assert!(tokens.cached > 0, "the cache is part of every report");
        }
    }
}

/// The same question with two tools, a thinking wish, a schema: in each dialect's words.
fn rich(dialect: Dialect, wish: &str, text: &str, stream: bool) -> Value {
    let schema = json!({
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": false,
    });
    let answer = json!({
        "type": "object",
        "properties": {"answer": {"type": "string"}},
        "required": ["answer"],
        "additionalProperties": false,
    });
    let mut body = ask(dialect, "some-model", text, stream);
    match (wish, dialect) {
        ("tools", Dialect::Chat) => {
            let tool = |name: &str| json!({"type": "function", "function": {"name": name, "parameters": schema}});
            body["tools"] = json!([tool("weather"), tool("time")]);
        }
        ("tools", Dialect::Messages) => {
            let tool = |name: &str| json!({"name": name, "input_schema": schema});
            body["tools"] = json!([tool("weather"), tool("time")]);
        }
        ("tools", Dialect::Gemini) => {
            let tool = |name: &str| json!({"name": name, "parametersJsonSchema": schema});
            body["tools"] = json!([{"functionDeclarations": [tool("weather"), tool("time")]}]);
        }
        ("tools", Dialect::Responses) => {
            let tool = |name: &str| json!({"type": "function", "name": name, "parameters": schema, "strict": true});
            body["tools"] = json!([tool("weather"), tool("time")]);
        }
        ("tools", Dialect::ChatV2) => {
            let tool = |name: &str| json!({"type": "function", "function": {"name": name, "parameters": schema}});
            body["tools"] = json!([tool("weather"), tool("time")]);
        }
        ("tools", Dialect::Converse) => {
            let tool = |name: &str| json!({"toolSpec": {"name": name, "inputSchema": {"json": schema}}});
            body["toolConfig"] = json!({"tools": [tool("weather"), tool("time")]});
        }
        ("thinking", Dialect::Responses) => body["reasoning"] = json!({"effort": "low", "summary": "auto"}),
        ("thinking", Dialect::ChatV2) => body["thinking"] = json!({"type": "enabled", "token_budget": 1024}),
        ("thinking", Dialect::Converse) => {
            let thinking = json!({"type": "enabled", "budget_tokens": 1024});
            body["additionalModelRequestFields"] = json!({ "thinking": thinking });
        }
        ("schema", Dialect::Responses) => {
            let format = json!({"type": "json_schema", "name": "answer", "schema": answer, "strict": true});
            body["text"] = json!({ "format": format });
        }
        ("schema", Dialect::ChatV2) => {
            body["response_format"] = json!({"type": "json_object", "json_schema": answer});
        }
        ("schema", Dialect::Converse) => {
            let structure = json!({"jsonSchema": {"name": "answer", "schema": answer.to_string()}});
            body["outputConfig"] = json!({"textFormat": {"type": "json_schema", "structure": structure}});
        }
        ("thinking", Dialect::Chat) => body["reasoning_effort"] = json!("low"),
        ("thinking", Dialect::Messages) => body["thinking"] = json!({"type": "enabled", "budget_tokens": 1024}),
        ("thinking", Dialect::Gemini) => {
            body["generationConfig"] = json!({"thinkingConfig": {"includeThoughts": true}});
        }
        ("schema", Dialect::Chat) => {
            let format = json!({"name": "answer", "schema": answer, "strict": true});
            body["response_format"] = json!({"type": "json_schema", "json_schema": format});
        }
        ("schema", Dialect::Messages) => {
            body["output_config"] = json!({"format": {"type": "json_schema", "schema": answer}});
        }
        ("schema", Dialect::Gemini) => {
            body["generationConfig"] = json!({"responseMimeType": "application/json", "responseJsonSchema": answer});
        }
        (wish, _) => unreachable!("{wish}"),
    }
    body
}

#[test]
fn tools_thinking_and_schemas_are_honoured_by_every_persona() {
    let thinking = Said { thinking: "thinking about: hello".into(), text: "you said: hello".into(), ..Said::default() };
    let schema = Said { text: r#"{"answer":"you said: hello"}"#.into(), ..Said::default() };
    let city = |which: &str| json!({ "city": format!("{which} \"Zürich\" \u{1F680}") });
    let once = Said { calls: vec![("weather".into(), city("first"))], ..Said::default() };
    let twice =
        Said { calls: vec![("weather".into(), city("first")), ("time".into(), city("second"))], ..Said::default() };
    let cases = [
        ("tools", "call it", once),
        ("tools", "call it twice", twice),
        ("thinking", "hello", thinking),
        ("schema", "hello", schema),
    ];
    for dialect in Dialect::ALL {
        let provider = start(dialect);
        for (wish, text, expected) in &cases {
            for stream in [false, true] {
                let answer = send(&provider, &call(dialect, &rich(dialect, wish, text, stream), stream));
                let said = said::read(dialect, &answer);
                assert!(said.complete, "{dialect:?} {wish}: {}", answer.text());
                let said = Said { text: said.text, thinking: said.thinking, calls: said.calls, ..Said::default() };
                assert_eq!(&said, expected, "{dialect:?} {wish} streamed: {stream}");
            }
        }
    }
}

#[test]
fn gemini_streams_a_json_array_when_no_event_stream_is_asked_for() {
    let provider = start(Dialect::Gemini);
    let body = ask(Dialect::Gemini, "some-model", "one two three", true);
    let call =
        Call::post("/v1beta/models/some-model:streamGenerateContent").header("x-goog-api-key", "test-key").json(&body);
    let answer = send(&provider, &call);
    assert!(answer.json().expect("JSON").as_array().is_some_and(|chunks| chunks.len() == 5));
    assert_eq!(said::read(Dialect::Gemini, &answer).text, "you said: one two three");
}

#[test]
fn a_key_that_is_absent_wrong_or_in_the_wrong_place_is_refused() {
    type Case<'a> = (Dialect, &'a [(&'a str, &'a str)], u16);
    let cases: [Case; 17] = [
        (Dialect::Responses, &[], 401),
        (Dialect::Responses, &[("api-key", "test-key")], 401),
        (Dialect::ChatV2, &[], 401),
        (Dialect::ChatV2, &[("authorization", "test-key")], 401),
        (Dialect::Converse, &[], 403),
        (Dialect::Converse, &[("authorization", "Bearer other")], 403),
        (Dialect::Converse, &[("authorization", "Bearer test-key"), ("x-api-key", "test-key")], 403),
        (Dialect::Chat, &[], 401),
        (Dialect::Chat, &[("authorization", "Bearer other")], 401),
        (Dialect::Chat, &[("authorization", "Bearer test-key"), ("x-api-key", "test-key")], 401),
        (Dialect::Messages, &[("authorization", "Bearer test-key"), ("x-api-key", "test-key")], 401),
        (Dialect::Messages, &[("x-goog-api-key", "test-key"), ("anthropic-version", "2023-06-01")], 401),
        (Dialect::Messages, &[("x-api-key", "test-key")], 400),
        (Dialect::Messages, &[("x-api-key", "a"), ("x-api-key", "test-key")], 401),
        (Dialect::Gemini, &[], 403),
        (Dialect::Gemini, &[("authorization", "Bearer test-key")], 400),
        (Dialect::Gemini, &[("x-goog-api-key", "other")], 400),
    ];
    for (dialect, headers, status) in cases {
        let provider = start(dialect);
        let call = Call::post(&path(dialect, "some-model", false)).json(&ask(dialect, "some-model", "hi", false));
        let call = headers.iter().fold(call, |call, (name, value)| call.header(name, value));
        let answer = send(&provider, &call);
        assert_eq!(answer.status, status, "{dialect:?} {headers:?}: {}", answer.text());
        assert!(said::read(dialect, &answer).error.is_some(), "{dialect:?} {headers:?}");
    }
}

#[test]
fn a_body_of_the_wrong_shape_is_refused_in_the_dialects_own_words() {
    let user = |content: Value| json!([{"role": "user", "content": content}]);
    let orphan = json!([{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "x"}]}]);
    let open = json!([
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": null, "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "user", "content": "and?"},
    ]);
    let upper = json!({"type": "OBJECT"});
    let unasked = json!([{"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {}}}]}]);
    let cases = [
        (Dialect::Chat, json!({"model": "m"}), "messages"),
        (Dialect::Chat, json!({"model": "m", "messages": user(json!("hi")), "top_k": 4}), "top_k"),
        (Dialect::Chat, json!({"model": "m", "messages": user(json!("hi")), "stream_options": {}}), "stream_options"),
        (Dialect::Chat, json!({"model": "m", "messages": user(json!("hi")), "temperature": "warm"}), "temperature"),
        (Dialect::Chat, json!({"model": "m", "messages": open}), "tool_call_id"),
        (
            Dialect::Chat,
            json!({"model": "m", "messages": user(json!("hi")), "tools": [{"type": "function", "function": {"name": "f", "parameters": upper}}]}),
            "type",
        ),
        (Dialect::Messages, json!({"model": "m", "messages": user(json!("hi"))}), "max_tokens"),
        (
            Dialect::Messages,
            json!({"model": "m", "max_tokens": 9, "messages": [{"role": "system", "content": "x"}]}),
            "role",
        ),
        (Dialect::Messages, json!({"model": "m", "max_tokens": 9, "messages": orphan}), "tool_use_id"),
        (
            Dialect::Messages,
            json!({"model": "m", "max_tokens": 9, "messages": user(json!([{"type": "text", "text": ""}]))}),
            "non-empty",
        ),
        (
            Dialect::Messages,
            json!({"model": "m", "max_tokens": 9, "messages": user(json!("hi")), "thinking": {"type": "enabled", "budget_tokens": 1024}}),
            "max_tokens",
        ),
        (
            Dialect::Messages,
            json!({"model": "m", "max_tokens": 9, "messages": user(json!("hi")), "temperature": 1.5}),
            "temperature",
        ),
        (Dialect::Responses, json!({"model": "m"}), "input"),
        (Dialect::Responses, json!({"model": "m", "input": "hi", "stop": "x"}), "stop"),
        (Dialect::Responses, json!({"model": "m", "input": "hi", "max_output_tokens": 5}), "max_output_tokens"),
        (Dialect::Responses, json!({"model": "m", "input": "hi", "previous_response_id": "resp_1"}), "not found"),
        (
            Dialect::Responses,
            json!({"model": "m", "input": [{"role": "assistant", "content": [{"type": "input_text", "text": "x"}]}]}),
            "input_text",
        ),
        (
            Dialect::Responses,
            json!({"model": "m", "input": [{"type": "function_call_output", "call_id": "a", "output": "x"}]}),
            "no tool call found",
        ),
        (
            Dialect::Responses,
            json!({"model": "m", "input": [{"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"}]}),
            "no tool output found",
        ),
        (
            Dialect::Responses,
            json!({"model": "m", "input": [{"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAAAx"}]}),
            "could not be verified",
        ),
        (
            Dialect::Responses,
            json!({"model": "m", "input": "hi", "tools": [{"type": "function", "function": {"name": "f"}}]}),
            "unknown name",
        ),
        (Dialect::ChatV2, json!({"model": "m", "messages": user(json!("hi")), "top_p": 1}), "top_p"),
        (Dialect::ChatV2, json!({"model": "m", "messages": user(json!("hi")), "temperature": 1.5}), "temperature"),
        (Dialect::ChatV2, json!({"model": "m", "messages": user(json!("hi")), "tool_choice": "auto"}), "tool_choice"),
        (Dialect::ChatV2, json!({"model": "m", "messages": open}), "no tool message"),
        (Dialect::Converse, json!({"messages": user(json!("hi"))}), "array"),
        (Dialect::Converse, json!({"messages": user(json!([{"text": " "}]))}), "blank"),
        (Dialect::Converse, json!({"messages": user(json!([{"text": "x", "image": {}}]))}), "exactly one"),
        (Dialect::Converse, json!({"model": "m", "messages": user(json!([{"text": "x"}]))}), "model"),
        (
            Dialect::Converse,
            json!({"messages": [{"role": "assistant", "content": [{"text": "x"}]}]}),
            "start with a user message",
        ),
        (
            Dialect::Converse,
            json!({"messages": user(json!([{"text": "x"}])), "inferenceConfig": {"temperature": 1.5}}),
            "temperature",
        ),
        (Dialect::Gemini, json!({"contents": []}), "contents"),
        (Dialect::Gemini, json!({"contents": [{"role": "assistant", "parts": [{"text": "x"}]}]}), "role"),
        (Dialect::Gemini, json!({"contents": unasked}), "function"),
        (Dialect::Gemini, json!({"contents": [{"parts": [{}]}]}), "oneof"),
        (Dialect::Gemini, json!({"contents": [{"parts": [{"text": "x"}]}], "stream": true}), "stream"),
    ];
    for (dialect, body, about) in cases {
        let answer = send(&start(dialect), &call(dialect, &body, false));
        let error = said::read(dialect, &answer).error.unwrap_or_default();
        assert_eq!(answer.status, 400, "{dialect:?} {body}");
        assert!(
            error["message"].as_str().is_some_and(|message| message.contains(about)),
            "{dialect:?} {body}: {error}"
        );
    }
}

#[test]
fn a_conversation_with_tool_results_is_answered_from_them() {
    let chat = json!({"model": "m", "messages": [
        {"role": "user", "content": "call twice"},
        {"role": "assistant", "content": null, "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}},
            {"id": "b", "type": "function", "function": {"name": "g", "arguments": "{}"}},
        ]},
        {"role": "tool", "tool_call_id": "b", "content": "rain"},
        {"role": "tool", "tool_call_id": "a", "content": "sun"},
    ]});
    let messages = json!({"model": "m", "max_tokens": 99, "messages": [
        {"role": "user", "content": "call twice"},
        {"role": "assistant", "content": [
            {"type": "tool_use", "id": "a", "name": "f", "input": {}},
            {"type": "tool_use", "id": "b", "name": "g", "input": {}},
        ]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "b", "content": "rain"},
            {"type": "tool_result", "tool_use_id": "a", "content": [{"type": "text", "text": "sun"}]},
        ]},
    ]});
    let gemini = json!({"contents": [
        {"role": "user", "parts": [{"text": "call twice"}]},
        {"role": "model", "parts": [{"functionCall": {"name": "f"}}, {"functionCall": {"name": "g"}}]},
        {"role": "user", "parts": [
            {"functionResponse": {"name": "g", "response": {"result": "rain"}}},
            {"functionResponse": {"name": "f", "response": {"result": "sun"}}},
        ]},
    ]});
    let responses = json!({"model": "m", "input": [
        {"role": "user", "content": "call twice"},
        {"type": "function_call", "id": "fc_1", "call_id": "a", "name": "f", "arguments": "{}"},
        {"type": "custom_tool_call", "id": "ctc_1", "call_id": "b", "name": "g", "input": "anything"},
        {"type": "custom_tool_call_output", "call_id": "b", "output": "rain"},
        {"type": "function_call_output", "call_id": "a", "output": [{"type": "input_text", "text": "sun"}]},
    ]});
    let chat_v2 = json!({"model": "m", "messages": [
        {"role": "user", "content": "call twice"},
        {"role": "assistant", "tool_plan": "both", "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}},
            {"id": "b", "type": "function", "function": {"name": "g", "arguments": "{}"}},
        ]},
        {"role": "tool", "tool_call_id": "b", "content": "rain"},
        {"role": "tool", "tool_call_id": "a", "content": [{"type": "text", "text": "sun"}]},
    ]});
    let converse = json!({"messages": [
        {"role": "user", "content": [{"text": "call twice"}]},
        {"role": "assistant", "content": [
            {"toolUse": {"toolUseId": "a", "name": "f", "input": {}}},
            {"toolUse": {"toolUseId": "b", "name": "g", "input": {}}},
        ]},
        {"role": "user", "content": [
            {"toolResult": {"toolUseId": "b", "content": [{"text": "rain"}]}},
            {"toolResult": {"toolUseId": "a", "content": [{"text": "sun"}], "status": "success"}},
        ]},
    ], "toolConfig": {"tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object"}}}}]}});
    let all = [
        (Dialect::Chat, chat),
        (Dialect::Messages, messages),
        (Dialect::Gemini, gemini),
        (Dialect::Responses, responses),
        (Dialect::ChatV2, chat_v2),
        (Dialect::Converse, converse),
    ];
    for (dialect, body) in all {
        let answer = send(&start(dialect), &call(dialect, &body, false));
        assert_eq!(said::read(dialect, &answer).text, "the tool said: rain and sun", "{}", answer.text());
    }
}

#[test]
fn a_responses_persona_calls_tools_that_take_any_text_and_tools_in_groups_by_their_own_names() {
    let provider = start(Dialect::Responses);
    let group =
        json!({"type": "namespace", "name": "shell", "description": "", "tools": [{"type": "custom", "name": "run"}]});
    for stream in [false, true] {
        let body = json!({"model": "m", "input": "call it", "tools": [group], "stream": stream});
        let answer = send(&provider, &call(Dialect::Responses, &body, stream));
        let said = said::read(Dialect::Responses, &answer);
        let input = json!({"input": "first \"Zürich\" \u{1F680}"});
        assert_eq!(said.calls, [("run".to_owned(), input)], "{}", answer.text());
        assert!(answer.text().contains(r#""namespace":"shell""#), "{}", answer.text());
    }
}

#[test]
fn a_thought_handed_out_sealed_is_taken_back_and_no_other() {
    let provider = start(Dialect::Responses);
    let mut body = json!({
        "model": "m",
        "input": [{"role": "user", "content": "hello"}],
        "store": false,
        "reasoning": {"effort": "low"},
        "include": ["reasoning.encrypted_content"],
    });
    let answer = send(&provider, &call(Dialect::Responses, &body, false)).json().expect("JSON");
    assert_eq!(answer["output"][0]["summary"], json!([]), "nobody asked to see it");
    let user = json!({"role": "user", "content": "and?"});
    let mut input = vec![json!({"role": "user", "content": "hello"})];
    input.extend(answer["output"].as_array().expect("output").iter().cloned());
    input.push(user.clone());
    body["input"] = json!(input);
    assert_eq!(send(&provider, &call(Dialect::Responses, &body, false)).status, 200);
    // The thought alone, without what was said after it.
    body["input"] = json!([input[0], input[1], user]);
    let refused = send(&provider, &call(Dialect::Responses, &body, false));
    assert!(refused.text().contains("required following item"), "{}", refused.text());
}

/// Sends a body to an operation's path; the answer as JSON where it is.
fn operate(dialect: Dialect, path: &str, body: &Value) -> (u16, Value) {
    let call = Call::post(path).json(body);
    let call = credential(dialect, "test-key").iter().fold(call, |call, (name, value)| call.header(name, value));
    let answer = send(&start(dialect), &call);
    (answer.status, answer.json().unwrap_or_default())
}

#[test]
fn vectors_of_one_text_are_the_same_in_every_dialect() {
    let (_, chat) = operate(Dialect::Chat, "/v1/embeddings", &json!({"model": "m", "input": ["hello", "world"]}));
    let one = &chat["data"][1]["embedding"];
    assert_eq!(one.as_array().map(Vec::len), Some(8));
    let content = json!({"parts": [{"text": "world"}]});
    let (_, gemini) = operate(Dialect::Gemini, "/v1beta/models/m:embedContent", &json!({ "content": content }));
    assert_eq!(&gemini["embedding"]["values"], one);
    let many = json!({"requests": [{"model": "models/m", "content": content}]});
    let (_, gemini) = operate(Dialect::Gemini, "/v1beta/models/m:batchEmbedContents", &many);
    assert_eq!(&gemini["embeddings"][0]["values"], one);
    let body = json!({"model": "m", "input_type": "search_document", "texts": ["world"], "embedding_types": ["float"]});
    let (_, cohere) = operate(Dialect::ChatV2, "/v2/embed", &body);
    assert_eq!(&cohere["embeddings"]["float"][0], one);
    let body = json!({"model": "m", "input": "world", "encoding_format": "base64"});
    let (_, packed) = operate(Dialect::Chat, "/v1/embeddings", &body);
    assert_eq!(packed["data"][0]["embedding"].as_str().map(str::len), Some(44), "eight times four bytes");
    let (status, _) = operate(Dialect::Chat, "/v1/embeddings", &json!({"model": "m", "input": ""}));
    assert_eq!(status, 400);
}

#[test]
fn counting_agrees_with_what_an_answer_reports() {
    let cases = [
        (Dialect::Messages, "/v1/messages/count_tokens", "input_tokens"),
        (Dialect::Gemini, "/v1beta/models/m:countTokens", "totalTokens"),
        (Dialect::Responses, "/v1/responses/input_tokens", "input_tokens"),
    ];
    for (dialect, path, member) in cases {
        let mut body = ask(dialect, "m", "one two three", false);
        if let Some(body) = body.as_object_mut() {
            body.remove("max_tokens");
            body.remove("stream");
        }
        let (status, counted) = operate(dialect, path, &body);
        let (_, said) = say(&start(dialect), "one two three", false);
        assert_eq!(counted[member].as_u64(), said.usage.map(|usage| usage.input), "{dialect:?} {status} {counted}");
    }
}

#[test]
fn documents_are_ordered_by_what_they_share_with_the_question() {
    let body =
        json!({"model": "m", "query": "sun and moon", "documents": ["rain", "moon", "sun and rain"], "top_n": 2});
    let (_, ranked) = operate(Dialect::ChatV2, "/v2/rerank", &body);
    let order: Vec<u64> =
        ranked["results"].as_array().expect("results").iter().filter_map(|result| result["index"].as_u64()).collect();
    assert_eq!(order, [2, 1]);
}

#[test]
fn a_form_without_its_model_or_its_end_is_refused() {
    let provider = start(Dialect::Chat);
    let form = |fields: &str, end: &str| {
        let file = "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\nbytes\r\n";
        let call = Call::new("POST", "/v1/audio/transcriptions").header("authorization", "Bearer test-key");
        let call = call.header("content-type", "multipart/form-data; boundary=x");
        send(&provider, &call.body(format!("{fields}{file}--x{end}\r\n")))
    };
    let model = "--x\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper\r\n";
    assert_eq!(form(model, "--").json().expect("JSON")["text"], json!("heard 5 bytes of a.wav"));
    assert_eq!(form("", "--").status, 400);
    assert_eq!(form(model, "").status, 400);
}

#[test]
fn replies_come_in_order_and_the_last_repeats_whatever_the_connection() {
    let provider = start(Dialect::Chat);
    provider.play(Script::of([Reply::status(429), Reply::status(503), Reply::persona()]));
    let statuses: Vec<u16> = (0..4).map(|_| say(&provider, "hi", false).0.status).collect();
    assert_eq!(statuses, [429, 503, 200, 200]);
}

#[test]
fn rules_pick_their_requests_by_model_header_and_words() {
    let provider = start(Dialect::Chat);
    provider.when(When::mentions("tea"), [Reply::status(418)]);
    provider.when(When::model("other"), [Reply::status(404)]);
    provider.when(When::header("x-mark", "1"), [Reply::status(409)]);
    assert_eq!(say(&provider, "tea please", false).0.status, 418);
    assert_eq!(say(&provider, "coffee", false).0.status, 200);
    let other = call(Dialect::Chat, &ask(Dialect::Chat, "other", "hi", false), false);
    assert_eq!(send(&provider, &other).status, 404);
    assert_eq!(send(&provider, &other.header("x-mark", "1")).status, 409);
}

#[test]
fn a_stream_is_cut_reset_stalled_or_ended_where_the_reply_says() {
    let provider = start(Dialect::Chat);
    let cases = [
        (Fault::Cut, End::Cut, simulator::End::Faulted),
        (Fault::Reset, End::Cut, simulator::End::Faulted),
        (Fault::EndWith(b"data: {\"error\":{}}\n\n".to_vec()), End::Complete, simulator::End::Complete),
        (Fault::Stall(Wait::For(Duration::from_millis(50))), End::Complete, simulator::End::Complete),
    ];
    for (fault, client_end, journal_end) in cases {
        provider.journal().clear();
        provider.play(Script::always(Reply::persona().after_pieces(3, fault.clone())));
        let (answer, said) = say(&provider, "one two three", true);
        assert_eq!(answer.end, client_end, "{fault:?}");
        assert_eq!(said.complete, matches!(fault, Fault::Stall(_)), "{fault:?}");
        let ended = provider.journal().wait_ended(SOON).expect("ended");
        assert_eq!(ended[0].delivered.end, journal_end, "{fault:?}");
    }
}

#[test]
fn the_journal_knows_when_a_client_left_and_what_it_had_got() {
    let provider = start(Dialect::Chat);
    provider.play(Script::always(Reply::persona().after_pieces(3, Fault::Stall(Wait::Forever))));
    let body = ask(Dialect::Chat, "some-model", "one two three", true);
    let mut open = call(Dialect::Chat, &body, true).open(&provider.address().to_string()).expect("a head");
    while !open.answer.text().contains("said: ") {
        open.read(open.answer.body.len() + 1).expect("more of the stream");
    }
    drop(open);
    let ended = provider.journal().wait_ended(SOON).expect("ended");
    assert_eq!(ended[0].delivered.end, simulator::End::ClientLeft);
    assert_eq!(ended[0].delivered.output_sent, 2, "`you said: one two three` up to `said: `");
}

#[test]
fn no_answer_at_all_is_a_reset_a_hang_up_or_silence() {
    let provider = start(Dialect::Chat);
    let body = ask(Dialect::Chat, "some-model", "hi", false);
    let bytes = call(Dialect::Chat, &body, false).bytes("x");
    for reply in [Reply::reset(), Reply::hang_up()] {
        provider.play(Script::always(reply));
        assert_eq!(everything(&provider.address().to_string(), &bytes).expect("closed"), b"");
    }
    provider.play(Script::always(Reply::silence(Wait::For(Duration::from_millis(80)))));
    let before = Instant::now();
    assert_eq!(say(&provider, "hi", false).0.status, 200);
    assert!(before.elapsed() >= Duration::from_millis(80));
}

#[test]
fn raw_bytes_and_lying_lengths_reach_the_client_as_they_are() {
    let provider = start(Dialect::Chat);
    provider.play(Script::always(Reply::raw("HTTP/1.1 200 OK\r\nx-odd: \u{fc}\r\ncontent-length: 2\r\n\r\nok")));
    let answer = say(&provider, "hi", false).0;
    assert_eq!((answer.text().as_str(), answer.header("x-odd")), ("ok", Some("\u{fc}")));
    provider.play(Script::always(Reply::status(200).body("short").framing(Framing::Declared(9))));
    let answer = say(&provider, "hi", false).0;
    assert_eq!((answer.text().as_str(), answer.end), ("short", End::Cut));
}

#[test]
fn chunks_fall_where_they_are_cut_and_the_text_is_the_same() {
    let provider = start(Dialect::Messages);
    for step in [1, 2, 7, 64] {
        provider.play(Script::always(Reply::persona().cut_every(step)));
        let (_, said) = say(&provider, "Grüße an alle", true);
        assert_eq!(said.text, "you said: Grüße an alle", "every {step} bytes");
    }
}

#[test]
fn every_retry_hint_arrives_as_it_is_written() {
    let provider = start(Dialect::Chat);
    for hint in hints::all(std::time::SystemTime::now()) {
        provider.play(Script::always(hint.reply()));
        let answer = say(&provider, "hi", false).0;
        assert_eq!((answer.status, answer.text()), (hint.status, hint.body.clone()), "{}", hint.form);
        for (name, value) in &hint.headers {
            let has = answer.headers.iter().any(|header| header.0 == *name && header.1 == *value);
            assert!(has, "{}: {:?}", hint.form, answer.headers);
        }
    }
}

#[test]
fn a_closed_port_refuses() {
    let port = ClosedPort::take().expect("a port");
    let error = std::net::TcpStream::connect(port.address().expect("its address")).expect_err("refused");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[test]
fn ambiguous_framing_is_refused_and_the_connection_closed() {
    let provider = start(Dialect::Chat);
    let cases = [
        "POST / HTTP/1.1\r\ncontent-length: 0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\ncontent-length: 0\r\ncontent-length: 0\r\n\r\n",
        "POST / HTTP/1.1\r\ncontent-length: many\r\n\r\n",
        "POST /\r\n\r\n",
    ];
    for case in cases {
        let answer = everything(&provider.address().to_string(), case.as_bytes()).expect("an answer");
        assert!(answer.starts_with(b"HTTP/1.1 400"), "{case:?}: {}", String::from_utf8_lossy(&answer));
    }
    assert_eq!(provider.journal().total(), 0);
}

mod http2 {
    //! The same provider, spoken to by an HTTP/2 client with prior knowledge.

    use super::*;
    use bytes::Bytes;

    struct Got {
        status: u16,
        body: Vec<u8>,
        complete: bool,
    }

    fn ask_by_http2(provider: &Simulator, text: &str, stream: bool) -> Result<Got, h2::Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let address = provider.address();
        let body = ask(Dialect::Chat, "some-model", text, stream).to_string();
        runtime.block_on(async move {
            let tcp = tokio::net::TcpStream::connect(address).await.expect("connected");
            let (client, connection) = h2::client::handshake(tcp).await?;
            tokio::spawn(connection);
            let request = http::Request::post(format!("http://{address}/v1/chat/completions"))
                .header("authorization", "Bearer test-key")
                .header("content-type", "application/json")
                .body(())
                .expect("a request");
            let (response, mut send) = client.ready().await?.send_request(request, false)?;
            send.send_data(Bytes::from(body), true)?;
            let response = response.await?;
            let status = response.status().as_u16();
            let mut stream = response.into_body();
            let (mut body, mut complete) = (Vec::new(), true);
            while let Some(chunk) = stream.data().await {
                match chunk {
                    Ok(chunk) => body.extend_from_slice(&chunk),
                    Err(_) => {
                        complete = false;
                        break;
                    }
                }
            }
            Ok(Got { status, body, complete })
        })
    }

    #[test]
    fn answers_streams_and_statuses_are_the_same_as_by_http1() {
        let provider = start(Dialect::Chat);
        let whole = ask_by_http2(&provider, "hi", false).expect("an answer");
        assert!(String::from_utf8_lossy(&whole.body).contains("you said: hi"));
        let streamed = ask_by_http2(&provider, "hi", true).expect("an answer");
        assert!(streamed.complete && streamed.body.ends_with(b"data: [DONE]\n\n"));
        provider.play(Script::always(Reply::status(429).header("retry-after", "1")));
        assert_eq!(ask_by_http2(&provider, "hi", true).expect("an answer").status, 429);
        assert_eq!(provider.journal().requests()[0].received.protocol, "HTTP/2");
    }

    #[test]
    fn cuts_and_resets_end_the_stream_early() {
        let provider = start(Dialect::Chat);
        for fault in [Fault::Cut, Fault::Reset] {
            provider.play(Script::always(Reply::persona().after_pieces(2, fault.clone())));
            let got = ask_by_http2(&provider, "one two", true).expect("a head");
            assert!(!got.complete, "{fault:?}");
        }
        provider.play(Script::always(Reply::reset()));
        assert!(ask_by_http2(&provider, "one two", true).is_err());
    }
}
