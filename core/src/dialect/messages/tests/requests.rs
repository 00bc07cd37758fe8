//! Requests, both ways.

use super::*;
use crate::dialect::ascii_text;
use crate::hub::{Depth, Part, Role, Tool, ToolChoice};
use proptest::prelude::*;

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
        let written = Messages
            .write_request(&read(body).unwrap(), Addressee { model: "n", output_limit: 9, ..Addressee::default() });
        let mut expected = value(body);
        expected["model"] = "n".into();
        assert_eq!(value(&written.body), expected);
        assert_eq!(written.losses.dropped, Vec::<String>::new());
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

#[test]
fn what_other_dialects_can_say_has_their_words() {
    let request = read(BUSY).unwrap();
    let parts: Vec<_> = request.turns.iter().flat_map(|turn| &turn.parts).collect();
    assert!(parts.iter().any(|part| matches!(part, Part::Text { text, .. } if text.is("d"))), "a document of words");
    let hidden = |part: &&Part<'_>| matches!(part, Part::Thinking(thought) if thought.text.is_empty() && thought.signature.is_some_and(|data| data.is("d")));
    assert!(parts.iter().any(hidden), "a thought that is not shown");
}

#[test]
fn what_only_its_own_providers_keep_ties_a_request() {
    assert_eq!(read(BUSY).unwrap().tied, Some("container"));
    let file = r#"{"type":"document","source":{"type":"file","file_id":"f"}}"#;
    let with = |part: &str| format!(r#"{{"model":"m","messages":[{{"role":"user","content":[{part}]}}]}}"#);
    let nested = format!(r#"{{"type":"tool_result","tool_use_id":"t","content":[{file}]}}"#);
    for part in [file, &nested, r#"{"type":"container_upload","file_id":"f"}"#] {
        assert_eq!(read(&with(part)).unwrap().tied, Some("messages[].content[].source.file_id"), "{part}");
    }
    assert_eq!(read(&with(r#"{"type":"text","text":"a"}"#)).unwrap().tied, None);
}

/// Names that mean something somewhere.
fn known() -> impl Strategy<Value = String> {
    let names = [
        "system",
        "tools",
        "tool_choice",
        "output_format",
        "effort",
        "source",
        "type",
        "text",
        "thinking",
        "signature",
        "data",
        "title",
        "citations",
        "name",
        "role",
        "content",
        "strict",
        "is_error",
        "container",
        "top_p",
        "id",
        "input",
    ];
    proptest::sample::select(names.to_vec()).prop_map(str::to_string)
}

proptest! {
    #[test]
    fn no_bytes_make_reading_or_writing_a_request_panic(
        edits in proptest::collection::vec((0..BUSY.len(), any::<u8>()), 1..8),
        cut in 0..BUSY.len(),
    ) {
        let mut bytes = BUSY.as_bytes().to_vec();
        for (at, byte) in edits {
            bytes[at] = byte & 0x7f;
        }
        for bytes in [&bytes[..], &bytes[..cut]] {
            let Ok(body) = Json::parse(bytes) else { continue };
            let Ok(mut request) = read(body.as_str()) else { continue };
            let own = Messages.write_request(&request, Addressee::model("n"));
            prop_assert!(Json::parse(own.body.as_bytes()).is_ok());
            request.dialect = DialectId::ChatCompletions;
            let foreign = Messages.write_request(&request, Addressee::model("n"));
            prop_assert!(Json::parse(foreign.body.as_bytes()).is_ok());
        }
    }

    /// Values change, the shape stays: what is read is written again, whatever the values are.
    #[test]
    fn any_member_in_any_place_is_kept(
        name in prop_oneof![Just("[a-z_]{1,12}").prop_flat_map(|names| names), known()],
        odd in prop_oneof![Just(Value::Null), Just(serde_json::json!({"odd": 1})), Just(false.into()), Just("x".into())],
        place in 0..5usize,
    ) {
        let mut body = value(BUSY);
        let target = match place {
            0 => &mut body,
            1 => &mut body["messages"][0],
            2 => &mut body["messages"][2]["content"][0],
            3 => &mut body["messages"][3]["content"][0],
            _ => &mut body["tools"][0],
        };
        if target.get(&name).is_none() {
            target[&name] = odd;
        }
        let text = body.to_string();
        if let Ok(request) = read(&text) {
            let written = Messages.write_request(&request, Addressee::model("m"));
            prop_assert_eq!(value(&written.body), body);
        }
    }
}
