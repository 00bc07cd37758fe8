//! Requests of this dialect: understood, kept, refused.

use super::*;
use crate::hub::{Arguments, CallId, Depth, Format, MediaKind, Part, Role, Source, Tool, ToolChoice};

fn refused(text: &str) -> (String, String) {
    let error = read(text).expect_err(text);
    (error.param, error.problem)
}

fn same(text: &str) {
    let request = read(text).unwrap_or_else(|error| panic!("{error:?}: {text}"));
    let written = write(&request, "m");
    assert_eq!(value(&written.body), value(text));
    assert!(written.losses.dropped.is_empty());
}

fn with_message(message: &str) -> String {
    format!(r#"{{"model":"m","messages":[{message}]}}"#)
}

fn with(member: &str) -> String {
    format!(r#"{{"model":"m","messages":[],{member}}}"#)
}

#[test]
fn what_decides_policy_must_have_its_type() {
    let cases = [
        (r#"[]"#, "body", "must be an object"),
        (r#"{"messages":[]}"#, "model", "is missing"),
        (r#"{"model":7,"messages":[]}"#, "model", "must be a string"),
        (r#"{"model":null,"messages":[]}"#, "model", "must be a string"),
        (r#"{"model":"m"}"#, "messages", "is missing"),
        (r#"{"model":"m","messages":{}}"#, "messages", "must be a list"),
        (r#"{"model":"m","messages":["hi"]}"#, "messages[0]", "must be an object"),
        (r#"{"model":"m","messages":[{"content":"hi"}]}"#, "messages[0].role", "is missing"),
        (r#"{"model":"m","messages":[],"stream":"yes"}"#, "stream", "must be true or false"),
        (r#"{"model":"m","messages":[],"max_tokens":-1}"#, "max_tokens", "must be a whole number from 0 up"),
        (
            r#"{"model":"m","messages":[],"max_completion_tokens":"9"}"#,
            "max_completion_tokens",
            "must be a whole number from 0 up",
        ),
        (r#"{"model":"m","messages":[],"tools":{}}"#, "tools", "must be a list"),
        (r#"{"model":"m","messages":[],"tools":[1]}"#, "tools[0]", "must be an object"),
    ];
    for (text, param, problem) in cases {
        assert_eq!(refused(text), (param.to_string(), problem.to_string()), "{text}");
    }
    let (param, problem) = refused(&with_message(r#"{"role":"oracle","content":"hi"}"#));
    assert_eq!(param, "messages[0].role");
    assert!(problem.contains("`assistant`"));
    assert_eq!(refused(&with_message(r#"{"role":"user","content":7}"#)).0, "messages[0].content");
    assert_eq!(refused(&with_message(r#"{"role":"user","content":["hi"]}"#)).0, "messages[0].content[0]");
    assert_eq!(refused(&with_message(r#"{"role":"assistant","tool_calls":{}}"#)).0, "messages[0].tool_calls");
}

#[test]
fn every_message_comes_out_as_it_went_in() {
    let messages = [
        r#"{"role":"user","content":"a \"quote\" \u00e9 \ud83d\ude00"}"#,
        r#"{"role":"user","content":[]}"#,
        r#"{"role":"user"}"#,
        r#"{"role":"user","content":null,"tool_calls":null}"#,
        r#"{"role":"system","content":"s","name":"n","cache_control":{"type":"ephemeral"}}"#,
        r#"{"role":"developer","content":[{"type":"text","text":"d"}]}"#,
        r#"{"role":"user","content":[{"type":"text","text":"t","cache_control":{"type":"ephemeral"}},{"content":"x","role":"user"}]}"#,
        r#"{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://a.example/b.png","detail":"low"}}]}"#,
        r#"{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image\/png;base64,AA\/=","detail":null}}]}"#,
        r#"{"role":"user","content":[{"type":"image_url","image_url":"https://a.example/b.png"}]}"#,
        r#"{"role":"user","content":[{"type":"image_url","image_url":{"url":"u","format":"x","detail":"low"},"y":1}]}"#,
        r#"{"role":"user","content":[{"type":"image_url","image_url":{"detail":"low"}}]}"#,
        r#"{"role":"user","content":[{"type":"video_url","video_url":{"url":"https://a.example/b.mp4"}}]}"#,
        r#"{"role":"user","content":[{"type":"document_url","document_url":"https://a.example/b.pdf","document_name":"b"}]}"#,
        r#"{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"AAAA","format":"mp3"}}]}"#,
        r#"{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"AAAA","format":"midi"}}]}"#,
        r#"{"role":"user","content":[{"type":"input_audio","input_audio":"AAAA"}]}"#,
        r#"{"role":"user","content":[{"type":"file","file":{"file_id":"f"}}]}"#,
        r#"{"role":"user","content":[{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,AA=="}}]}"#,
        r#"{"role":"user","content":[{"type":"file","file":{"filename":"a.pdf","file_data":"AA=="}}]}"#,
        r#"{"role":"user","content":[{"type":"file","file":{"file_id":"f","file_data":"AA=="}}]}"#,
        r#"{"role":"assistant","content":"c","reasoning_content":"r","reasoning_details":[{"type":"x"}],"prefix":true}"#,
        r#"{"role":"assistant","reasoning":"","content":[{"type":"thinking","thinking":[{"type":"text","text":"t"}]},{"type":"text","text":"c"}]}"#,
        r#"{"role":"assistant","content":"c","reasoning":"r","reasoning_content":"r"}"#,
        r#"{"role":"assistant","content":"c","reasoning":"a","reasoning_content":"b"}"#,
        r#"{"role":"assistant","content":"c","reasoning":"","reasoning_content":"","reasoning_details":[]}"#,
        r#"{"role":"assistant","content":"c","reasoning":7,"reasoning_content":null,"reasoning_details":{}}"#,
        r#"{"role":"assistant","content":"c","reasoning":"a","reasoning_details":[{"type":"reasoning.text","text":"a","signature":"s","format":"f","index":0,"id":null},{"type":"reasoning.encrypted","data":"e"},{"type":"reasoning.summary","summary":"s"}]}"#,
        r#"{"role":"assistant","content":"c","reasoning":"a","reasoning_details":[{"type":"reasoning.encrypted","data":"e"},{"type":"reasoning.encrypted","data":""}]}"#,
        r#"{"role":"assistant","content":"c","reasoning_details":[{"type":"reasoning.text","text":"","signature":null,"reasoning":"x"}]}"#,
        r#"{"role":"assistant","content":"c","reasoning_details":[{"type":"reasoning.text","text":"","signature":null,"data":"x"}]}"#,
        r#"{"role":"assistant","content":[{"type":"thinking","thinking":[{"type":"text","text":"t"},{"type":"text","text":"u"}]},{"type":"text","text":"c"}]}"#,
        r#"{"role":"user","content":"c","reasoning":"x"}"#,
        r#"{"role":"assistant","content":null,"refusal":"no","annotations":[],"audio":{"id":"a"}}"#,
        r#"{"role":"assistant","content":[{"type":"refusal","refusal":"no"}],"refusal":null}"#,
        r#"{"role":"assistant","content":"","tool_calls":[]}"#,
        r#"{"role":"assistant","tool_calls":[{"id":"i","type":"function","function":{"name":"f","arguments":"{\"a\":1}"},"index":0}]}"#,
        r#"{"role":"assistant","tool_calls":[{"id":"i","function":{"name":"f","arguments":{"a":1}}},{"type":"function","function":{"name":"g"}}]}"#,
        r#"{"role":"assistant","tool_calls":[{"id":null,"type":null,"function":{"name":"f","arguments":"","x":1}}]}"#,
        r#"{"role":"assistant","tool_calls":[{"id":"i","type":"custom","custom":{"name":"f","input":"x \"y\""}},{"id":"j","type":"function","function":{"name":"g","arguments":"{}"}}]}"#,
        r#"{"role":"assistant","tool_calls":[{"id":"i","type":"custom","custom":{"name":"f","input":"x","y":1}}]}"#,
        r#"{"role":"assistant","tool_calls":[{"id":"i","type":"custom","custom":{"name":"f"}}]}"#,
        r#"{"role":"assistant","tool_calls":[{"id":"i","type":"function","function":{"name":"f","arguments":"{}"},"extra_content":{"google":{"thought_signature":"s"}}}]}"#,
        r#"{"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{}"}}"#,
        r#"{"role":"assistant","content":null,"function_call":{"name":"f"}}"#,
        r#"{"role":"function","name":"f","content":"r"}"#,
        r#"{"role":"tool","tool_call_id":"i","name":"f","content":[{"type":"text","text":"t"}],"x":null}"#,
        r#"{"role":"tool","content":null}"#,
    ];
    for message in messages {
        same(&with_message(message));
    }
}

#[test]
fn every_member_comes_out_as_it_went_in() {
    let members = [
        r#""stream":true,"stream_options":{"include_usage":true}"#,
        r#""stream":true,"stream_options":{"include_usage":true,"include_obfuscation":false}"#,
        r#""stream":false,"stream_options":null"#,
        r#""stream":true,"stream_options":{"include_usage":false,"include_obfuscation":true}"#,
        r#""stream":true,"stream_options":{}"#,
        r#""stream":true,"stream_options":{"include_usage":1}"#,
        r#""logprobs":false,"store":false,"service_tier":"auto","modalities":["text"],"logit_bias":{},"metadata":{}"#,
        r#""logprobs":true,"store":true,"service_tier":"flex","modalities":["text","audio"],"metadata":{"a":"b"}"#,
        r#""reasoning":{"effort":"high"}"#,
        r#""reasoning":{"effort":"none","exclude":true}"#,
        r#""reasoning":{"max_tokens":1024,"exclude":false}"#,
        r#""reasoning":{"max_tokens":1e3}"#,
        r#""reasoning":{"enabled":true}"#,
        r#""reasoning":{"enabled":false}"#,
        r#""reasoning":{"exclude":true}"#,
        r#""reasoning":{}"#,
        r#""reasoning":{"effort":"high","max_tokens":1}"#,
        r#""reasoning":{"effort":"high","summary":"auto"},"reasoning_effort":"low""#,
        r#""thinking":{"type":"enabled"}"#,
        r#""thinking":{"type":"enabled","budget_tokens":1024}"#,
        r#""thinking":{"type":"disabled"},"reasoning":{"effort":"low"}"#,
        r#""thinking":{"type":"adaptive"}"#,
        r#""thinking":{"type":"odd"}"#,
        r#""enable_thinking":false,"thinking_budget":5"#,
        r#""enable_thinking":true"#,
        r#""stream":null,"tools":null,"stop":null,"max_tokens":null,"n":null"#,
        r#""max_tokens":5"#,
        r#""max_tokens":5,"max_completion_tokens":6"#,
        r#""max_completion_tokens":6,"max_tokens":5"#,
        r#""temperature":0.10,"top_p":1e-1,"top_k":3,"seed":1,"n":2,"presence_penalty":-1,"frequency_penalty":"odd""#,
        r#""stop":"x""#,
        r#""stop":["x","y"]"#,
        r#""stop":[]"#,
        r#""stop":[1]"#,
        r#""user":"u","parallel_tool_calls":false,"reasoning_effort":"none""#,
        r#""user":7,"parallel_tool_calls":"x","reasoning_effort":{}"#,
        r#""reasoning_effort":"xhigh","thinking":{"type":"enabled"},"metadata":{"a":"b"}"#,
        r#""response_format":{"type":"text"}"#,
        r#""response_format":{"type":"json_object"}"#,
        r#""response_format":{"type":"json_object","schema":{}}"#,
        r#""response_format":{"type":"json_schema","json_schema":{"name":"n","description":"d","schema":{"type":"object"},"strict":true}}"#,
        r#""response_format":{"type":"json_schema","json_schema":{"schema":{},"strict":null,"x":1}}"#,
        r#""response_format":{"type":"json_schema","json_schema":{"name":"n"}}"#,
        r#""response_format":{"type":"grammar","grammar":"g"}"#,
        r#""tools":[],"tool_choice":"none""#,
        r#""tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"},"strict":false}}],"tool_choice":"required""#,
        r#""tools":[{"function":{"name":"f","description":null,"parameters":null,"strict":null}}],"tool_choice":"any""#,
        r#""tools":[{"type":"function","function":{"name":"f","x":1},"cache_control":{}}],"tool_choice":"auto""#,
        r#""tools":[{"type":"custom","custom":{"name":"c","description":"d","format":{"type":"grammar","grammar":{"syntax":"lark","definition":"x"}}},"x":1}]"#,
        r#""tools":[{"type":"custom","custom":{"name":"c","x":null}},{"type":"custom","custom":{}},{"type":"custom"},{"type":7}]"#,
        r#""tools":[{"type":"custom","custom":{"name":"c"}},{"type":"function"}],"tool_choice":{"type":"custom","custom":{"name":"c"}}"#,
        r#""tool_choice":{"type":"function","function":{"name":"f"}}"#,
        r#""tool_choice":{"function":{"name":"f"}}"#,
        r#""functions":[{"name":"f","parameters":{}},{"name":"g","x":1},{"description":"d"}],"function_call":{"name":"f"}"#,
        r#""functions":[],"function_call":"auto""#,
        r#""function_call":"auto","tool_choice":"none""#,
        r#""tool_choice":"none","function_call":"auto""#,
    ];
    for member in members {
        same(&with(member));
    }
}

#[test]
fn the_model_is_the_targets_and_the_rest_is_the_callers() {
    let request = read(r#"{"model":"route","messages":[]}"#).unwrap();
    assert!(request.model.is("route"));
    assert_eq!(write(&request, "a\"b").body, r#"{"model":"a\"b","messages":[]}"#);
}

#[test]
fn the_meaning_is_in_the_hubs_words() {
    let text = r#"{"model":"m","stream":true,"max_tokens":3.0,"reasoning_effort":"low","tool_choice":{"type":"function","function":{"name":"f"}},
        "response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{}}},
        "tools":[{"type":"function","function":{"name":"f","parameters":{}}},{"type":"custom"}],
        "messages":[
          {"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,QQ=="}},
                                    {"type":"image_url","image_url":{"url":"https://a.example"}},
                                    {"type":"input_audio","input_audio":{"data":"QQ==","format":"wav"}}]},
          {"role":"assistant","reasoning_content":"r","content":"c","refusal":"no",
           "tool_calls":[{"id":"i","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]},
          {"role":"tool","tool_call_id":"i","content":"done"}]}"#;
    let request = read(text).unwrap();
    assert_eq!(request.delivery, Delivery::Streamed);
    assert_eq!(request.max_tokens.map(|limit| limit.tokens), Some(3));
    assert!(matches!(request.tool_choice, Some(ToolChoice::Named(name)) if name.is("f")));
    assert!(matches!(request.format, Some(Format::JsonSchema { name: Some(name), .. }) if name.is("n")));
    assert!(matches!(request.reasoning.as_ref().map(|r| r.depth), Some(Depth::Effort(word)) if word.is("low")));
    assert!(matches!(request.tools.as_slice(), [Tool::Function(_), Tool::Other(_)]));
    let [user, assistant, tool] = request.turns.as_slice() else { panic!("{:?}", request.turns) };
    let [Part::Media(data), Part::Media(url), Part::Media(sound)] = user.parts.as_slice() else { panic!("{user:?}") };
    assert!(matches!(data.source, Source::Data { mime, base64 } if mime.is("image/png") && base64.is("QQ==")));
    assert!(matches!(url.source, Source::Url { url, .. } if url.is("https://a.example")));
    assert!(
        sound.kind == MediaKind::Audio && matches!(sound.source, Source::Data { mime, .. } if mime.is("audio/wav"))
    );
    let [Part::Thinking(thought), Part::Text { text, .. }, Part::Refusal(no), Part::ToolCall(call)] =
        assistant.parts.as_slice()
    else {
        panic!("{assistant:?}")
    };
    assert!(thought.text.is("r") && text.is("c") && no.is("no"));
    assert_eq!(call.arguments.object().as_deref(), Some(r#"{"a":1}"#));
    assert_eq!(tool.role, Role::Tool);
    let Some(Part::ToolResult(result)) = tool.parts.first() else { panic!("{tool:?}") };
    assert!(result.id.is_some_and(|id| call.id.is_some_and(|call| call.same(id))));
    assert!(matches!(call.arguments, Arguments::Encoded(_)));
}

#[test]
fn a_legacy_result_belongs_to_the_last_call_of_its_name() {
    let text = with_message(
        r#"{"role":"assistant","function_call":{"name":"f","arguments":"{}"}},
           {"role":"function","name":"f","content":"1"},
           {"role":"assistant","function_call":{"name":"f","arguments":"{}"}},
           {"role":"function","name":"f","content":"2"}"#,
    );
    let request = read(&text).unwrap();
    let ids: Vec<Option<CallId<'_>>> = request
        .turns
        .iter()
        .flat_map(|turn| &turn.parts)
        .map(|part| match part {
            Part::ToolCall(call) => call.id,
            Part::ToolResult(result) => result.id,
            other => panic!("{other:?}"),
        })
        .collect();
    let made = [0, 0, 1, 1];
    assert!(ids.iter().zip(made).all(|(id, wanted)| id.is_some_and(|id| id.same(CallId::Made(wanted)))), "{ids:?}");
    same(&text);
}

#[test]
fn every_way_to_ask_for_thought_has_one_meaning() {
    let cases = [
        (r#""reasoning_effort":"low""#, Depth::Effort(Text::escaped("low")), None),
        (r#""reasoning":{"effort":"low","exclude":true}"#, Depth::Effort(Text::escaped("low")), Some(false)),
        (r#""reasoning":{"effort":"none"}"#, Depth::Off, None),
        (r#""reasoning":{"max_tokens":1024}"#, Depth::Budget(1024), None),
        (r#""reasoning":{"enabled":true}"#, Depth::Adaptive, None),
        (r#""thinking":{"type":"enabled","budget_tokens":9}"#, Depth::Budget(9), None),
        (r#""thinking":{"type":"disabled"}"#, Depth::Off, None),
        (r#""thinking":{"type":"adaptive"}"#, Depth::Adaptive, None),
        (r#""enable_thinking":true"#, Depth::Adaptive, None),
    ];
    for (member, depth, shown) in cases {
        let text = with(member);
        let request = read(&text).unwrap();
        let reasoning = request.reasoning.unwrap();
        assert_eq!((reasoning.depth, reasoning.shown), (depth, shown), "{member}");
        // Nothing of it is left for others to report.
        assert!(request.extra.iter().all(|(_, value)| value.is_null()), "{member}");
    }
}

#[test]
fn what_only_this_dialect_can_honour_ties_the_request() {
    let tied = |member: &str| read(&with(member)).unwrap().tied;
    assert_eq!(tied(r#""n":2"#), Some("n"));
    assert_eq!(tied(r#""modalities":["text","audio"]"#), Some("modalities"));
    for free in [r#""n":1"#, r#""n":null"#, r#""modalities":["text"]"#, r#""modalities":null"#] {
        assert_eq!(tied(free), None, "{free}");
    }
}

#[test]
fn tools_of_plain_words_are_understood() {
    let text = r#"{"model":"m","tools":[{"type":"custom","custom":{"name":"c","format":{"type":"text"}}}],
        "tool_choice":{"type":"custom","custom":{"name":"c"}},
        "messages":[{"role":"assistant","tool_calls":[{"id":"i","type":"custom","custom":{"name":"c","input":"a\nb"}}]}]}"#;
    let request = read(text).unwrap();
    assert!(
        matches!(request.tools.as_slice(), [Tool::Custom(custom)] if custom.name.is("c") && custom.format.is_some())
    );
    assert!(matches!(request.tool_choice, Some(ToolChoice::Named(name)) if name.is("c")));
    let Some(Part::ToolCall(call)) = request.turns[0].parts.first() else { panic!("{:?}", request.turns) };
    assert!(matches!(call.arguments, Arguments::Plain(input) if input.is("a\nb")));
}

#[test]
fn each_detail_is_a_thought_with_its_proof() {
    let text = with_message(
        r#"{"role":"assistant","reasoning":"ab","reasoning_details":[
            {"type":"reasoning.text","text":"a","signature":"s"},{"type":"reasoning.text","text":"b"},
            {"type":"reasoning.encrypted","data":"e"}]}"#,
    );
    let request = read(&text).unwrap();
    let thoughts: Vec<(String, Option<String>)> = request.turns[0]
        .parts
        .iter()
        .map(|part| match part {
            Part::Thinking(thought) => {
                (thought.text.decode().into(), thought.signature.map(|proof| proof.decode().into()))
            }
            other => panic!("{other:?}"),
        })
        .collect();
    let wanted = [("a", Some("s")), ("b", None), ("", Some("e"))];
    assert_eq!(thoughts, wanted.map(|(text, proof)| (text.to_string(), proof.map(str::to_string))));
}

#[test]
fn a_proof_told_in_one_word_is_taken_apart_again() {
    let text = with_message(
        r#"{"role":"assistant","content":"c","reasoning_content":"a","reasoning_details":[
            {"type":"reasoning.text","text":"a","signature":"{\"type\":\"reasoning.text\",\"signature\":\"s\",\"format\":\"f\"}"}]}"#,
    );
    let written = write(&read(&text).unwrap(), "m");
    let details = &value(&written.body)["messages"][0]["reasoning_details"];
    assert_eq!(*details, serde_json::json!([{"type": "reasoning.text", "signature": "s", "format": "f", "text": "a"}]));
}
