//! Requests, read and written.

use super::*;
use crate::hub::{CallId, Depth, Format, Part, Role, Tool, ToolChoice};
use proptest::prelude::*;
use serde_json::Value;

#[track_caller]
fn identical(body: &str) {
    let request = read(body).unwrap_or_else(|error| panic!("{error:?}: {body}"));
    let written = write(&request);
    assert_eq!(value(&written.body), value(body));
    assert!(written.losses.dropped.is_empty(), "{:?}", written.losses.dropped);
}

#[test]
fn recorded_requests_come_back_identical() {
    let (mut same, mut refused) = (0, Vec::new());
    for recording in recordings() {
        let Some(body) = recording.json["request"]["body"].as_str() else { continue };
        match read(body) {
            Ok(request) => {
                assert_eq!(value(&write(&request).body), value(body), "{}", recording.id);
                same += 1;
            }
            Err(error) => refused.push((recording.id, error)),
        }
    }
    println!("{same} requests came back identical, refused: {refused:?}");
    // Only what the API itself refused.
    assert!(refused.iter().all(|(_, error)| error.param.ends_with(".role")), "{refused:?}");
}

#[test]
fn every_spelling_comes_back() {
    for body in [
        r#"{"contents":[]}"#,
        r#"{"contents":[{"parts":[{"text":"a"}]}],"systemInstruction":null,"tools":null,"toolConfig":null,"x":{"y":[1]}}"#,
        r#"{"contents":[{"role":"model"},{"role":"user","parts":null},{"role":"user","parts":{"text":"a"}}]}"#,
        r#"{"contents":[],"system_instruction":{"parts":[{"text":"a"}],"role":"system"},"generation_config":{}}"#,
        r#"{"contents":[],"systemInstruction":{"parts":{"text":"a"},"role":"user","z":1}}"#,
        r#"{"contents":[],"systemInstruction":{"parts":[]},"generationConfig":null,"tool_config":{}}"#,
        r#"{"contents":[],"tools":[]}"#,
        r#"{"contents":[],"tools":[{"functionDeclarations":[{"name":"f","parameters":null,"parametersJsonSchema":{}}]}],
            "generationConfig":{"responseSchema":null,"responseMimeType":"application/json","responseJsonSchema":{}},
            "generation_config":null}"#,
        r#"{"contents":[],"@one-tool":null,">generationConfig":null,"\u0001one-tool":null,"tools":[{"googleSearch":{}}]}"#,
        r#"{"contents":[],"tools":{}}"#,
        r#"{"contents":[],"tools":{"function_declarations":{"name":"f","parameters":{"type":"OBJECT"}}}}"#,
        r#"{"contents":[],"tools":[{"functionDeclarations":[]},{"googleSearch":{}},{"functionDeclarations":[{"name":"f",
            "description":null,"parameters":null},{"name":"g","description":"d","parametersJsonSchema":{}}],"codeExecution":null},
            {"function_declarations":[{"name":"h","parameters_json_schema":{},"behavior":"BLOCKING"}],"url_context":{}},
            {"functionDeclarations":[{"nome":"x"}]}]}"#,
        r#"{"contents":[],"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f"]},"retrievalConfig":{}}}"#,
        r#"{"contents":[],"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f","g"]}}}"#,
        r#"{"contents":[],"tool_config":{"function_calling_config":{"mode":"ANY","allowed_function_names":["f"]}}}"#,
        r#"{"contents":[],"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":[]}}}"#,
        r#"{"contents":[],"toolConfig":{"functionCallingConfig":{}}}"#,
        r#"{"contents":[],"toolConfig":{"functionCallingConfig":{"mode":"NONE"}}}"#,
        r#"{"contents":[],"toolConfig":{"functionCallingConfig":{"mode":"VALIDATED","new":[1]}},"generationConfig":{"x":1}}"#,
        r#"{"contents":[],"tool_config":{"retrievalConfig":{},"functionCallingConfig":{"mode":"AUTO","stream_function_call_arguments":true},
            "z":1}}"#,
        r#"{"contents":[],"toolConfig":{"functionCallingConfig":{"streamFunctionCallArguments":false,"mode":"ANY","allowedFunctionNames":["f"]}}}"#,
        r#"{"contents":[],"generationConfig":{"responseModalities":["TEXT"]}}"#,
        r#"{"contents":[],"generationConfig":{"response_modalities":["TEXT"]}}"#,
        r#"{"contents":[],"generationConfig":{"responseModalities":["IMAGE","TEXT"]},"model":null}"#,
        r#"{"contents":[],"generationConfig":{"responseModalities":[]},"cachedContent":"cachedContents/x","model":7}"#,
        r#"{"contents":[],"generationConfig":{"temperature":0.10,"topP":1,"top_k":2,"seed":3,"candidateCount":2,
            "maxOutputTokens":5,"stopSequences":["a"],"presencePenalty":null,"responseModalities":["TEXT"],"speech_config":{}}}"#,
        r#"{"contents":[],"generationConfig":{"max_output_tokens":5,"stop_sequences":[],"response_mime_type":"application/json",
            "response_schema":{"type":"STRING"},"thinking_config":{"thinking_budget":-1,"include_thoughts":true}}}"#,
        r#"{"contents":[],"generationConfig":{"responseMimeType":"text/x.enum","responseSchema":{"enum":["a"]},"thinkingConfig":{}}}"#,
        r#"{"contents":[],"generationConfig":{"responseSchema":{"type":"STRING"},"responseJsonSchema":{},"stopSequences":"a"}}"#,
        r#"{"contents":[],"generationConfig":{"responseMimeType":"text/plain","thinkingConfig":{"thinkingBudget":0}}}"#,
        r#"{"contents":[],"generationConfig":{"thinkingConfig":{"thinkingLevel":"LOW","thinkingBudget":7,"new":1}}}"#,
        r#"{"contents":[],"generationConfig":{"thinkingConfig":{"thinkingLevel":"low","includeThoughts":null}}}"#,
    ] {
        identical(body);
    }
}

#[test]
fn every_part_comes_back() {
    for part in [
        r#"{"text":"a","thought":false,"videoMetadata":{}}"#,
        r#"{"text":"a","thoughtSignature":"s"}"#,
        r#"{"text":"a","thought":false,"thought_signature":"s"}"#,
        r#"{"text":"","thoughtSignature":""}"#,
        r#"{"inlineData":{"mimeType":"image/png","data":"AA=="},"thoughtSignature":"s"}"#,
        r#"{"inlineData":{},"thoughtSignature":"s"}"#,
        r#"{"fileData":{"fileUri":"https://x.test/a"},"thought_signature":"s","x":1}"#,
        r#"{"functionResponse":{"name":"f","response":{"output":"a\nb"}}}"#,
        r#"{"functionResponse":{"name":"f","response":{"result":"a"},"id":"1"}}"#,
        r#"{"functionResponse":{"name":"f","response":{"error":"a"},"willContinue":true}}"#,
        r#"{"functionResponse":{"name":"f","response":{"output":{"x":1}}}}"#,
        r#"{"functionResponse":{"name":"f","response":{"output":"a","more":1}}}"#,
        r#"{"functionResponse":{"name":"f","response":{"output":"a"},"parts":[{"inlineData":{"mimeType":"image/png","data":""},"thoughtSignature":"s"}]}}"#,
        r#"{"text":"","thought":true,"thought_signature":"s"}"#,
        r#"{"thought":true,"thoughtSignature":"s"}"#,
        r#"{"thought":true}"#,
        r#"{"thought":false}"#,
        r#"{"inlineData":{"mimeType":"image/png","data":"AA==","displayName":"x"},"thought":false,"mediaResolution":{}}"#,
        r#"{"inline_data":{"mime_type":"audio/wav","data":""},"thoughtSignature":"s"}"#,
        r#"{"inlineData":{"data":"AA=="}}"#,
        r#"{"fileData":{"fileUri":"https://x.test/a.pdf"}}"#,
        r#"{"fileData":{"fileUri":"https://x.test/a.mp4","mimeType":"video/mp4"},"videoMetadata":{"fps":0.5}}"#,
        r#"{"file_data":{"file_uri":"gs://b/c","mime_type":"image/png"}}"#,
        r#"{"fileData":{"fileUri":"https://x.test/v1beta/files/abc","mimeType":"image/png"}}"#,
        r#"{"functionCall":{"name":"f","args":{"a":1}},"thoughtSignature":"s"}"#,
        r#"{"function_call":{"name":"f","id":"1"},"thought_signature":"s","thought":false}"#,
        r#"{"functionCall":{"name":"f","args":null,"x":1}}"#,
        r#"{"functionCall":{"args":{}}}"#,
        r#"{"functionCall":"f"}"#,
        r#"{"functionResponse":{"name":"f","response":{"result":1},"id":"1","scheduling":"SILENT"}}"#,
        r#"{"function_response":{"name":"f"}}"#,
        r#"{"functionResponse":{"name":"f","response":{"error":"e"},"parts":[{"inlineData":{"mimeType":"image/png","data":""}}]}}"#,
        r#"{"functionResponse":{"name":"f","response":{},"parts":[]}}"#,
        r#"{"functionResponse":{"name":"f","response":{},"parts":[{"text":"a"}]}}"#,
        r#"{"text":"a","functionCall":{"name":"f"}}"#,
        r#"{"text":"a","inlineData":null}"#,
        r#"{"text":null,"functionCall":{"name":"f"},"thought_signature":null}"#,
        r#"{"executableCode":{"code":"1","language":"PYTHON"},"thoughtSignature":"s"}"#,
        r#"{"text":5}"#,
        r#"{}"#,
    ] {
        identical(&format!(
            r#"{{"contents":[{{"role":"model","parts":[{part},{part}]}},{{"role":"function","parts":[{part}]}}]}}"#
        ));
    }
}

#[test]
fn the_model_in_the_body_is_the_addressees() {
    for (said, written) in [
        ("models/x", "models/m"),
        ("x", "m"),
        ("projects/p/locations/l/publishers/google/models/x", "projects/p/locations/l/publishers/google/models/m"),
    ] {
        let body = format!(r#"{{"model":"{said}","contents":[]}}"#);
        assert_eq!(value(&write(&read(&body).unwrap()).body)["model"], written);
    }
}

#[test]
fn mistakes_are_told_with_their_place() {
    for (body, param) in [
        ("[]", "body"),
        ("{}", "contents"),
        (r#"{"contents":null}"#, "contents"),
        (r#"{"contents":{}}"#, "contents"),
        (r#"{"contents":["a"]}"#, "contents[0]"),
        (r#"{"contents":[{"role":"assistant"}]}"#, "contents[0].role"),
        (r#"{"contents":[{},{"role":7}]}"#, "contents[1].role"),
        (r#"{"contents":[{"parts":"a"}]}"#, "contents[0].parts"),
        (r#"{"contents":[{"parts":[{},1]}]}"#, "contents[0].parts[1]"),
        (r#"{"contents":[],"systemInstruction":"a"}"#, "systemInstruction"),
        (r#"{"contents":[],"system_instruction":{"parts":["a"]}}"#, "systemInstruction.parts[0]"),
        (r#"{"contents":[],"tools":"a"}"#, "tools"),
        (r#"{"contents":[],"tools":[1]}"#, "tools[0]"),
        (r#"{"contents":[],"generationConfig":[]}"#, "generationConfig"),
        (r#"{"contents":[],"toolConfig":1}"#, "toolConfig"),
        (r#"{"contents":[],"toolConfig":{},"tool_config":{}}"#, "toolConfig"),
        (r#"{"contents":[],"systemInstruction":{},"system_instruction":{}}"#, "systemInstruction"),
        (r#"{"contents":[],"generationConfig":{},"generation_config":{}}"#, "generationConfig"),
        (
            r#"{"contents":[],"generationConfig":{"maxOutputTokens":1,"max_output_tokens":9}}"#,
            "generationConfig.maxOutputTokens",
        ),
        (r#"{"contents":[],"generationConfig":{"maxOutputTokens":-1}}"#, "generationConfig.maxOutputTokens"),
        (r#"{"contents":[],"generation_config":{"max_output_tokens":"9"}}"#, "generationConfig.maxOutputTokens"),
    ] {
        assert_eq!(read(body).unwrap_err().param, param, "{body}");
    }
}

#[test]
fn what_is_meant_is_understood() {
    let request = read(
        r#"{"systemInstruction":{"parts":[{"text":"s"}]},
        "contents":[{"role":"user","parts":[{"text":"q"},{"inlineData":{"mimeType":"image/png","data":"AA=="}}]},
          {"role":"model","parts":[{"text":"t","thought":true,"thoughtSignature":"p"},
            {"functionCall":{"name":"f","args":{"a":1}}},{"functionCall":{"name":"g"}},{"functionCall":{"name":"f"}}]},
          {"role":"user","parts":[{"functionResponse":{"name":"f","response":{"r":1}}},
            {"functionResponse":{"name":"f","response":{"error":"x"}}},{"functionResponse":{"name":"g","response":{}}}]}],
        "tools":[{"functionDeclarations":[{"name":"f","description":"d","parameters":{"type":"OBJECT"}}]}],
        "toolConfig":{"functionCallingConfig":{"mode":"ANY"}},
        "generationConfig":{"temperature":0.5,"maxOutputTokens":9,"stopSequences":["x"],"responseMimeType":"application/json",
          "responseSchema":{"type":"STRING"},"thinkingConfig":{"thinkingLevel":"HIGH","includeThoughts":true}}}"#,
    )
    .unwrap();
    let roles: Vec<_> = request.turns.iter().map(|turn| turn.role).collect();
    assert_eq!(roles, [Role::System, Role::User, Role::Assistant, Role::User]);
    let results: Vec<_> = request.turns[3]
        .parts
        .iter()
        .map(|part| match part {
            Part::ToolResult(result) => (result.id.unwrap(), result.error),
            other => panic!("{other:?}"),
        })
        .collect();
    let made = |id: CallId<'_>| if let CallId::Made(number) = id { number } else { panic!("{id:?}") };
    let results: Vec<_> = results.iter().map(|(id, error)| (made(*id), *error)).collect();
    assert_eq!(results, [(0, None), (2, Some(true)), (1, None)]);
    assert!(request.name_of_call(CallId::Made(1)).unwrap().is("g"));
    assert!(matches!(request.tool_choice, Some(ToolChoice::Any)));
    assert!(matches!(&request.tools[..], [Tool::Function(function)] if function.schema.is_some()));
    assert!(matches!(request.format, Some(Format::JsonSchema { .. })));
    let reasoning = request.reasoning.unwrap();
    assert!(matches!(reasoning.depth, Depth::Effort(word) if word.is("high")));
    assert_eq!((reasoning.shown, request.max_tokens.unwrap().tokens), (Some(true), 9));
}

#[test]
fn nothing_that_was_understood_is_reported_by_others() {
    let body = r#"{"system_instruction":{"role":"user","parts":[{"text":"s","thought":false}]},
        "contents":[{"parts":[{"text":"q"}]},{"role":"model","parts":[{"function_call":{"name":"f"},"thought_signature":"s"}]}],
        "tools":{"function_declarations":[{"name":"f","parameters":{}}]},"tool_config":{"function_calling_config":{"mode":"AUTO"}},
        "generation_config":{"max_output_tokens":1,"response_mime_type":"application/json","responseModalities":["TEXT"]}}"#;
    let request = read(body).unwrap();
    let mut written = Written::default();
    written.lose("", &request.extra);
    for turn in &request.turns {
        written.lose("messages[].", &turn.extra);
        for part in &turn.parts {
            if let Part::Text { extra, .. } = part {
                written.lose("messages[].content[].", extra);
            }
        }
    }
    assert_eq!(written.losses.dropped, Vec::<String>::new());
}

#[test]
fn results_answer_the_latest_calls() {
    let request = read(
        r#"{"contents":[{"role":"model","parts":[{"functionCall":{"name":"f"}}]},
        {"parts":[{"functionResponse":{"name":"g","response":{}}}]},
        {"role":"model","parts":[{"functionCall":{"name":"f","id":"x"}}]},
        {"parts":[{"functionResponse":{"name":"f","response":{}}},{"functionResponse":{"name":"f","response":{}}}]}]}"#,
    )
    .unwrap();
    let ids: Vec<_> = request
        .turns
        .iter()
        .flat_map(|turn| &turn.parts)
        .filter_map(|part| match part {
            Part::ToolResult(result) => Some(result.id),
            _ => None,
        })
        .collect();
    assert!(ids[0].is_none() && ids[2].is_none());
    assert!(matches!(ids[1], Some(CallId::Given(id)) if id.is("x")));
}

#[test]
fn results_in_the_customary_words_are_words() {
    let request = read(
        r#"{"contents":[{"parts":[{"functionResponse":{"name":"f","response":{"output":"a\"b"}}},
        {"functionResponse":{"name":"f","response":{"error":"no"}}},{"functionResponse":{"name":"f","response":{"r":"x"}}}]}]}"#,
    )
    .unwrap();
    let said: Vec<_> = request.turns[0]
        .parts
        .iter()
        .map(|part| match part {
            Part::ToolResult(result) => match &result.content[0] {
                Part::Text { text, .. } => (text.raw(), result.error),
                Part::Other(json) => (json.as_str(), result.error),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(said, [("a\\\"b", None), ("no", Some(true)), (r#"{"r":"x"}"#, None)]);
}

#[test]
fn proofs_of_words_are_told_apart_from_them() {
    let body = r#"{"contents":[{"role":"model","parts":[{"text":"a","thoughtSignature":"s"},{"text":"b"}]}]}"#;
    let mut request = read(body).unwrap();
    let proofs = |request: &Request<'_>| -> Vec<Option<String>> {
        let thoughts = request.turns[0].parts.iter().filter_map(|part| match part {
            Part::Thinking(thought) => Some(thought.signature.map(|text| text.raw().to_string())),
            _ => None,
        });
        thoughts.collect()
    };
    assert_eq!(proofs(&request), [Some("s".to_string())]);
    assert_eq!(value(&write(&request).body), value(body));
    // Withheld, the words stay as they are.
    request.turns[0].parts.retain(|part| !matches!(part, Part::Thinking(_)));
    let without = r#"{"contents":[{"role":"model","parts":[{"text":"a"},{"text":"b"}]}]}"#;
    assert_eq!(value(&write(&request).body), value(without));
}

#[test]
fn calls_that_nobody_signed_are_marked_where_that_is_demanded() {
    let request = read(
        r#"{"contents":[{"role":"model","parts":[{"text":"a"},{"functionCall":{"name":"f"}},{"functionCall":{"name":"g"}}]},
        {"role":"model","parts":{"functionCall":{"name":"f"},"thoughtSignature":"s"}},{"role":"model","parts":{"functionCall":{"name":"f"}}}]}"#,
    )
    .unwrap();
    let to = Addressee { unsigned: "dQ==", ..Addressee::model("m") };
    assert_eq!(
        value(&GenerateContent.write_request(&request, to).body),
        value(
            r#"{"contents":[{"role":"model","parts":[{"text":"a"},{"functionCall":{"name":"f"},"thoughtSignature":"dQ=="},{"functionCall":{"name":"g"}}]},
        {"role":"model","parts":{"functionCall":{"name":"f"},"thoughtSignature":"s"}},{"role":"model","parts":{"functionCall":{"name":"f"},"thoughtSignature":"dQ=="}}]}"#
        )
    );
}

#[test]
fn what_only_the_provider_can_honour_ties_the_request() {
    for (member, tied) in [
        (r#""generationConfig":{"candidateCount":2}"#, Some("generationConfig.candidateCount")),
        (r#""generation_config":{"candidate_count":3}"#, Some("generationConfig.candidateCount")),
        (r#""generationConfig":{"candidateCount":1}"#, None),
        (r#""generationConfig":{"candidateCount":null}"#, None),
        (r#""cachedContent":"cachedContents/x""#, Some("cachedContent")),
        (r#""continuation_token":"x""#, Some("continuationToken")),
        (r#""cachedContent":null"#, None),
        (r#""labels":{}"#, None),
    ] {
        let body = format!(r#"{{"contents":[],{member}}}"#);
        assert_eq!(read(&body).unwrap().tied, tied, "{member}");
    }
}

/// JSON of any shape, with the words of the API among its names so that the interesting arms are met.
fn any_json() -> impl Strategy<Value = Value> {
    let word = prop_oneof![
        Just("contents"),
        Just("parts"),
        Just("role"),
        Just("text"),
        Just("thought"),
        Just("functionCall"),
        Just("name"),
        Just("args"),
        Just("functionResponse"),
        Just("response"),
        Just("tools"),
        Just("functionDeclarations"),
        Just("generationConfig"),
        Just("stop_sequences"),
        Just("thinkingConfig"),
        Just("inline_data"),
        Just("mimeType"),
        Just("data"),
        Just("thoughtSignature"),
        Just("systemInstruction"),
        Just("toolConfig"),
        Just("output"),
        Just("functionCallingConfig"),
        Just("mode"),
        Just("user"),
        Just("x"),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u32>().prop_map(Value::from),
        word.clone().prop_map(Value::from),
        "\\PC{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 5, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((word.clone(), inner), 0..5).prop_map(|members| {
                Value::Object(members.into_iter().map(|(name, value)| (name.to_string(), value)).collect())
            }),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_is_read_comes_back(part in any_json(), config in any_json(), tools in any_json(), system in any_json()) {
        let body = serde_json::json!({"contents": [{"role": "user", "parts": [part]}], "generationConfig": config,
            "tools": tools, "systemInstruction": system});
        let text = body.to_string();
        if let Ok(request) = read(&text) {
            prop_assert_eq!(value(&write(&request).body), body);
        }
    }
}

mod foreign;
