//! What any dialect's writer must report, whoever asks.

use super::*;
use crate::hub::foreign::{FullNames, prepare};

/// What a request of one dialect loses when it is written in another: approximated, dropped; and the body.
fn said(from: DialectId, body: &str, to: DialectId) -> (Losses, String) {
    let mut endpoint = Endpoint::generate(from);
    endpoint.model = Some("m".into());
    let request = client(from).read_request(&endpoint, Json::parse(body.as_bytes()).unwrap()).unwrap();
    let names = FullNames::of(&request);
    let mut losses = Losses::default();
    let request = prepare(request, &names, to, "", &mut losses);
    let written = of(to).write_request(&request, Addressee::model("m"));
    losses.add(written.losses);
    (losses, written.body)
}

const OTHERS: [DialectId; 5] = [
    DialectId::ChatCompletions,
    DialectId::Messages,
    DialectId::GenerateContent,
    DialectId::ChatV2,
    DialectId::Converse,
];

#[test]
fn what_only_responses_has_is_reported_by_everybody() {
    let body = r#"{"model":"m","input":[{"role":"assistant","content":"a","phase":"final_answer"},
        {"role":"user","content":"hi"}],
        "tools":[{"type":"function","name":"f","parameters":{},"defer_loading":true},
            {"type":"namespace","name":"g","tools":[{"type":"custom","name":"h","defer_loading":true}]}],
        "tool_choice":{"type":"custom","name":"h"},"reasoning":{"summary":"detailed"}}"#;
    for to in OTHERS {
        let (Losses { approximated, dropped }, body) = said(DialectId::Responses, body, to);
        for path in ["messages[].phase", "tools[].defer_loading", "reasoning.summary"] {
            assert!(approximated.iter().any(|lost| lost == path), "{to:?}: {approximated:?}");
        }
        assert_eq!(dropped, Vec::<String>::new(), "{to:?}");
        let named = body.matches("g__h").count();
        // There the tool that must be called is the only one offered.
        assert_eq!(named, if to == DialectId::ChatV2 { 1 } else { 2 }, "{to:?}: the choice names it in full");
    }
}

#[test]
fn whether_thoughts_are_shown_is_said_or_reported() {
    let contents = r#""contents":[{"role":"user","parts":[{"text":"hi"}]}]"#;
    for thinking in [r#"{"includeThoughts":false}"#, r#"{"includeThoughts":false,"thinkingBudget":0}"#] {
        let body = format!(r#"{{{contents},"generationConfig":{{"thinkingConfig":{thinking}}}}}"#);
        for to in [
            DialectId::ChatCompletions,
            DialectId::Messages,
            DialectId::Responses,
            DialectId::ChatV2,
            DialectId::Converse,
        ] {
            let (losses, _) = said(DialectId::GenerateContent, &body, to);
            assert!(losses.approximated.iter().any(|lost| lost == "reasoning.shown"), "{to:?} {thinking}: {losses:?}");
        }
    }
    let asked = r#"{"model":"m","max_tokens":9000,"messages":[{"role":"user","content":"hi"}],
        "thinking":{"type":"adaptive","display":"omitted"}}"#;
    let (losses, body) = said(DialectId::Messages, asked, DialectId::GenerateContent);
    assert!(body.contains(r#""thinkingBudget":-1,"includeThoughts":false"#) && losses == Losses::default(), "{body}");
}

#[test]
fn effort_that_gives_way_to_a_forced_call_is_reported() {
    let body = r#"{"model":"m","max_tokens":9000,"messages":[{"role":"user","content":"hi"}],
        "tools":[{"name":"f","input_schema":{"type":"object"}}],"tool_choice":{"type":"any"},
        "thinking":{"type":"adaptive"},"output_config":{"effort":"high"}}"#;
    let (losses, _) = said(DialectId::Messages, body, DialectId::Converse);
    assert_eq!(losses.approximated, ["reasoning", "reasoning.effort"]);
}

#[test]
fn a_choice_held_to_schemas_and_a_count_with_a_point_reach_chat_v2() {
    let body = r#"{"contents":[{"role":"user","parts":[{"text":"hi"}]}],
        "tools":[{"functionDeclarations":[{"name":"f"}]}],
        "toolConfig":{"functionCallingConfig":{"mode":"VALIDATED"}},"generationConfig":{"topK":40.0}}"#;
    let (losses, body) = said(DialectId::GenerateContent, body, DialectId::ChatV2);
    assert_eq!(losses.approximated, ["tool_choice"]);
    assert!(body.contains(r#""k":40,"#) || body.contains(r#""k":40}"#), "{body}");
}

#[test]
fn a_proof_that_is_a_document_is_reported_in_the_callers_words() {
    let body = r#"{"model":"m","messages":[{"role":"assistant","content":"a","reasoning_details":[
        {"type":"reasoning.text","text":"t","signature":"s","format":"f","index":0}]},{"role":"user","content":"hi"}]}"#;
    let (losses, _) = said(DialectId::ChatCompletions, body, DialectId::ChatV2);
    assert!(losses.approximated.iter().any(|lost| lost == "messages[].reasoning_details"), "{losses:?}");
    let unsigned = body.replace(r#""signature":"s","#, "").replace(
        r#""content":"a""#,
        r#""tool_calls":[{"id":"i","type":"function","function":{"name":"f","arguments":"{}"}}]"#,
    );
    let (losses, _) = said(DialectId::ChatCompletions, &unsigned, DialectId::ChatV2);
    assert!(losses.approximated.iter().any(|lost| lost == "messages[].thinking.format"), "{losses:?}");
}
