//! Own requests: what the hub learns of them, and how they are written again.

use super::*;
use crate::hub::{Arguments, CallId, Depth, Format, MediaKind, Part, Role, Shape, Source, Tool, ToolChoice};

fn roles(request: &Request<'_>) -> Vec<Role> {
    request.turns.iter().map(|turn| turn.role).collect()
}

#[test]
fn words_alone_are_a_turn_of_the_user() {
    let request = read(r#"{"model":"m","instructions":"be brief","input":"hi","stream":true}"#).unwrap();
    assert_eq!(roles(&request), [Role::System, Role::User]);
    assert!(request.turns.iter().all(|turn| turn.shape == Shape::Bare));
    assert_eq!(request.delivery, Delivery::Streamed);
    assert!(request.extra.is_empty() && request.tied.is_none());
}

#[test]
fn neighbouring_items_of_the_model_are_one_turn_and_results_another() {
    let request = read(
        r#"{"model":"m","input":[
        {"role":"user","content":"go"},
        {"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"a"},{"type":"summary_text","text":"b"}],"encrypted_content":"P"},
        {"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[{"type":"output_text","text":"wait","annotations":[]}]},
        {"type":"function_call","id":"fc_1","call_id":"c1","name":"f","arguments":"{\"x\":1}","status":"completed"},
        {"type":"web_search_call","id":"ws_1","status":"completed"},
        {"type":"custom_tool_call","call_id":"c2","name":"sh","namespace":"os","input":"ls \"x\""},
        {"type":"function_call_output","call_id":"c1","output":"one"},
        {"type":"tool_search_output","call_id":null,"tools":[{"type":"function","name":"found","parameters":{}}]},
        {"type":"custom_tool_call_output","call_id":"c2","output":[{"type":"input_text","text":"two"},{"type":"input_image","image_url":"data:image/png;base64,QQ=="}]}
        ]}"#,
    )
    .unwrap();
    assert_eq!(roles(&request), [Role::User, Role::Assistant, Role::Tool]);
    let [
        Part::Thinking(a),
        Part::Thinking(b),
        Part::Text { .. },
        Part::ToolCall(f),
        Part::Other(_),
        Part::ToolCall(sh),
        Part::Other(_),
    ] = request.turns[1].parts.as_slice()
    else {
        panic!("{:?}", request.turns[1])
    };
    assert_eq!((a.text.raw(), a.signature, b.text.raw(), b.signature.unwrap().raw()), ("a", None, "b", "P"));
    assert!(matches!(f.id, Some(CallId::Given(id)) if id.is("c1")));
    assert_eq!(f.arguments.object().unwrap(), r#"{"x":1}"#);
    assert!(f.extra.is_empty(), "the id of an item means nothing elsewhere");
    assert!(matches!(sh.arguments, Arguments::Plain(_)));
    assert_eq!(sh.namespace.unwrap().raw(), "os");
    assert_eq!(sh.arguments.object().unwrap(), r#"{"input":"ls \"x\""}"#);
    let results = &request.turns[2].parts;
    assert_eq!(results.len(), 2);
    let Part::ToolResult(two) = &results[1] else { panic!() };
    assert!(matches!(&two.content[1], Part::Media(media) if media.kind == MediaKind::Image));
    assert_eq!(request.tools.len(), 1, "what a search found may be called");
}

#[test]
fn media_are_understood_wherever_their_bytes_are() {
    let request = read(
        r#"{"model":"m","input":[{"role":"user","content":[
        {"type":"input_image","image_url":"https://x/i.png","detail":"auto"},
        {"type":"input_image","file_id":"file-1","detail":"high"},
        {"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;name=x;base64,QUJD"},
        {"type":"input_file","filename":"b.PDF","file_data":"QUJD"},
        {"type":"input_file","file_url":"https://x/c.pdf"},
        {"type":"input_audio","input_audio":{"data":"QUJD","format":"wav"}},
        {"type":"input_new","x":1}]}]}"#,
    )
    .unwrap();
    let kinds: Vec<String> = request.turns[0]
        .parts
        .iter()
        .map(|part| match part {
            Part::Media(media) => match media.source {
                Source::Data { mime, base64 } => format!("{:?} {} {}", media.kind, mime.raw(), base64.raw()),
                Source::Url { url, .. } => format!("{:?} {}", media.kind, url.raw()),
                Source::File(id) => format!("{:?} #{}", media.kind, id.raw()),
            },
            _ => "other".into(),
        })
        .collect();
    let wanted = [
        "Image https://x/i.png",
        "Image #file-1",
        "Document application/pdf QUJD",
        "Document application/pdf QUJD",
        "Document https://x/c.pdf",
        "Audio audio/wav QUJD",
        "other",
    ];
    assert_eq!(kinds, wanted);
}

#[test]
fn tools_of_groups_and_tools_of_words_are_words_of_the_hub() {
    let request = read(
        r#"{"model":"m","input":"","tools":[
        {"type":"function","name":"f","description":"d","parameters":{"type":"object"},"strict":true},
        {"type":"custom","name":"patch","format":{"type":"grammar"}},
        {"type":"namespace","name":"os","description":"files","tools":[{"type":"function","name":"ls"},{"type":"custom","name":"sh"}]},
        {"type":"function","function":{"name":"nested","parameters":{}}},
        {"type":"web_search"}]}"#,
    )
    .unwrap();
    let names: Vec<_> = request
        .tools
        .iter()
        .map(|tool| match tool {
            Tool::Function(function) => {
                format!("f {}", crate::hub::foreign::full_name(function.namespace, function.name))
            }
            Tool::Custom(custom) => format!("c {}", crate::hub::foreign::full_name(custom.namespace, custom.name)),
            Tool::Other(json) => format!("o {}", json.get("type").unwrap().as_str()),
        })
        .collect();
    assert_eq!(names, ["f f", "c patch", "f os__ls", "c os__sh", "f nested", "o \"web_search\""]);
}

#[test]
fn allowed_tools_are_all_the_tools_that_others_are_told_of() {
    let asked = |mode: &str| {
        format!(
            r#"{{"model":"m","input":"","tools":[{{"type":"function","name":"a"}},{{"type":"function","name":"b"}}],
            "tool_choice":{{"type":"allowed_tools","mode":"{mode}","tools":[{{"type":"function","name":"b"}}]}}}}"#
        )
    };
    let body = asked("required");
    let request = read(&body).unwrap();
    assert!(matches!(request.tool_choice, Some(ToolChoice::Any)));
    assert!(matches!(request.tools.as_slice(), [Tool::Function(only)] if only.name.is("b")));
    assert!(matches!(read(&asked("auto")).unwrap().tool_choice, Some(ToolChoice::Auto)));
    assert_eq!(value(&write(&request, "m").body), value(&body), "its own provider is told what was said");
}

#[test]
fn thinking_and_form_are_understood() {
    let of = |members: &str| format!(r#"{{"model":"m","input":"",{members}}}"#);
    let body = of(
        r#""reasoning":{"effort":"xhigh","summary":"auto","mode":"pro"},"text":{"verbosity":"low","format":{"type":"json_schema","name":"n","schema":{},"strict":true}}"#,
    );
    let request = read(&body).unwrap();
    let reasoning = request.reasoning.unwrap();
    assert!(matches!(reasoning.depth, Depth::Effort(word) if word.is("xhigh")));
    assert_eq!((reasoning.shown, reasoning.extra.len()), (Some(true), 1));
    assert!(matches!(request.format, Some(Format::JsonSchema { strict: Some(true), .. })));
    assert!(request.extra.iter().any(|(name, _)| name.is("text.verbosity")));
    let off = of(r#""reasoning":{"effort":"none","summary":null}"#);
    assert_eq!(read(&off).unwrap().reasoning.unwrap().depth, Depth::Off);
    let nothing =
        of(r#""reasoning":{"effort":null,"summary":null},"text":{"format":{"type":"text"},"verbosity":"medium"}"#);
    let request = read(&nothing).unwrap();
    assert!(request.reasoning.is_none() && request.extra.is_empty());
}

#[test]
fn what_only_its_own_provider_can_honour_ties_the_request() {
    let tied = |members: &str| read(&format!(r#"{{"model":"m",{members}}}"#)).unwrap().tied;
    assert_eq!(tied(r#""input":"","previous_response_id":"resp_1""#), Some("previous_response_id"));
    assert_eq!(tied(r#""input":"","conversation":{"id":"c"}"#), Some("conversation"));
    assert_eq!(tied(r#""prompt":{"id":"p"}"#), Some("prompt"));
    assert_eq!(tied(r#""input":"","background":true"#), Some("background"));
    assert_eq!(tied(r#""input":[{"type":"item_reference","id":"msg_1"}]"#), Some("input[].item_reference"));
    assert_eq!(tied(r#""input":"","background":false,"previous_response_id":null"#), None);
}

#[test]
fn members_that_say_what_is_so_anyway_are_not_lost_elsewhere() {
    let request = read(
        r#"{"model":"m","input":"","store":false,"background":false,"truncation":"disabled","service_tier":"auto","metadata":{},
        "include":["reasoning.encrypted_content"],"stream_options":{"include_obfuscation":false},"top_logprobs":0,"user":null}"#,
    )
    .unwrap();
    assert!(request.extra.is_empty(), "{:?}", request.extra);
    let request = read(
        r#"{"model":"m","input":"","store":true,"truncation":"auto","service_tier":"flex","metadata":{"a":"b"},
        "include":["message.output_text.logprobs"],"max_tool_calls":3}"#,
    )
    .unwrap();
    assert_eq!(request.extra.len(), 6);
}

#[test]
fn an_own_request_is_written_member_for_member() {
    let body = r#"{"input":[{"type":"new_item","a":[1,2.50]},{"role":"user","content":[]}],"model":"m","tools":[],"odd":{"x":null},"stream":false}"#;
    let request = read(body).unwrap();
    assert_eq!(write(&request, "n").body, body.replace(r#""model":"m""#, r#""model":"n""#));
}

#[test]
fn proofs_of_others_are_taken_out_of_an_own_request() {
    let (mine, other) = ("00000000000000aa", "00000000000000bb");
    let thought = |id: &str, proof: &str| {
        format!(
            r#"{{"type":"reasoning","id":"{id}","summary":[{{"type":"summary_text","text":"t"}},{{"type":"summary_text","text":"u"}}],"encrypted_content":"{proof}"}}"#
        )
    };
    let body = format!(
        r#"{{"model":"m","input":[{},{},{},{{"type":"function_call","call_id":"c","name":"f","arguments":"{{}}"}},{}]}}"#,
        thought("rs_1", &format!("dgm1:{mine}:P1")),
        thought("rs_2", &format!("dgm1:{other}:P2")),
        thought("rs_3", "relayed"),
        thought("rs_4", &format!("dgm1:{mine}:P1")),
    );
    let mut request = read(&body).unwrap();
    assert!(crate::hub::provenance::withhold(&mut request, DialectId::Responses, mine));
    let written = value(&write(&request, "m").body);
    let ids: Vec<_> =
        written["input"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap_or("none")).collect();
    assert_eq!(ids, ["none", "rs_3", "none", "none"], "the ids beside marked proofs are the gateway's own");
    assert_eq!(written["input"][0]["encrypted_content"], "P1");
    assert_eq!(written["input"][1]["encrypted_content"], "relayed");
    assert_eq!(written["input"][3]["encrypted_content"], "P1");
}

#[test]
fn what_decides_policy_must_have_its_type() {
    let param = |body: &str| read(body).unwrap_err().param;
    assert_eq!(param("[]"), "body");
    assert_eq!(param(r#"{"input":""}"#), "model");
    assert_eq!(param(r#"{"model":null,"input":""}"#), "model");
    assert_eq!(param(r#"{"model":"m","input":7}"#), "input");
    assert_eq!(param(r#"{"model":"m","input":["x"]}"#), "input[0]");
    assert_eq!(param(r#"{"model":"m","input":"","stream":1}"#), "stream");
    assert_eq!(param(r#"{"model":"m","input":"","tools":{}}"#), "tools");
    assert_eq!(param(r#"{"model":"m","input":"","max_output_tokens":"many"}"#), "max_output_tokens");
}
