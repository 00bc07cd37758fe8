//! What is relayed without being understood, and what else a provider's row can change.

use super::*;
use crate::catalog::{Operation, Paths};

fn text(header: &[u8]) -> String {
    String::from_utf8_lossy(header).into_owned()
}

fn sent(outgoing: &Outgoing, name: &str) -> String {
    let found = outgoing.head.iter().find(|(known, _)| known == name.as_bytes());
    found.map(|(_, value)| text(value)).unwrap_or_default()
}

/// The first attempt of a request.
fn ask(
    memory: &mut Memory,
    method: &str,
    path: &str,
    extra: &[(&str, &str)],
    body: &[u8],
) -> Result<(Attempt, Outgoing), Step> {
    let mut head = head(path);
    head.headers[0].1 = method.as_bytes().to_vec();
    head.headers.extend(extra.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())));
    let (mut exchange, step) = Exchange::begin(head, "x1".into(), memory, 1000);
    if let Step::Reply(_) = step {
        return Err(step);
    }
    let step = exchange.body(body.to_vec(), memory, 1000);
    let Some(asked) = exchange.asked() else { return Err(step) };
    let cluster = asked.provider(&asked.plan[0]).unwrap().cluster.clone();
    Ok(Attempt::begin(Rc::clone(&asked), asked.turn(1), cluster.as_bytes(), &[], 1000).unwrap())
}

fn serving(dialect: DialectId, operations: &[Operation]) -> Memory {
    memory_with(&[dialect], |provider| provider.services[0].operations = operations.to_vec())
}

const JSON_BODY: [(&str, &str); 1] = [("content-type", "application/json")];

#[test]
fn a_form_is_relayed_with_the_model_that_the_provider_knows() {
    let mut memory = serving(CHAT, &[Operation::Transcribe]);
    let form = b"--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n\x00\xff\r\n--b\r\n\
        Content-Disposition: form-data; name=\"model\"\r\n\r\np1/whisper\r\n--b--\r\n";
    let kind = [("content-type", "multipart/form-data; boundary=b")];
    let (_, outgoing) = ask(&mut memory, "POST", "/v1/audio/transcriptions", &kind, form).unwrap();
    assert_eq!(sent(&outgoing, ":path"), "/base/v1/audio/transcriptions");
    assert_eq!(sent(&outgoing, "content-type"), kind[0].1);
    let Body::Replace(body) = &outgoing.body else { panic!("{:?}", outgoing.body) };
    assert_eq!(sent(&outgoing, "content-length"), body.len().to_string());
    assert!(memchr::memmem::find(body, b"\r\n\r\nwhisper\r\n--b--").is_some(), "{}", text(body));
    assert!(memchr::memmem::find(body, b"\x00\xff").is_some());
}

#[test]
fn sound_passes_as_it_is() {
    let mut memory = serving(CHAT, &[Operation::Speech]);
    let body = br#"{"model":"m","input":"hi","voice":"v"}"#;
    let (mut attempt, outgoing) = ask(&mut memory, "POST", "/v1/audio/speech", &JSON_BODY, body).unwrap();
    assert_eq!(outgoing.body, Body::Keep);
    let passed = answer(&mut attempt, "200", "audio/mpeg", &[b"\xff\xfb\x00", b"\x01"]);
    assert_eq!(passed.bytes, b"\xff\xfb\x00\x01");
    assert_eq!(attempt.end(1010).ending, Ending::Answered);
}

#[test]
fn tokens_are_counted_by_the_targets_own_model() {
    let mut memory = serving(MESSAGES, &[Operation::CountTokens]);
    let body = br#"{"messages":[{"role":"user","content":"hi"}],"model":"p1/c"}"#;
    let (mut attempt, outgoing) =
        ask(&mut memory, "POST", "/v1/messages/count_tokens?beta=true", &JSON_BODY, body).unwrap();
    assert_eq!(sent(&outgoing, ":path"), "/base/v1/messages/count_tokens?beta=true");
    let expected = br#"{"messages":[{"role":"user","content":"hi"}],"model":"c"}"#;
    assert_eq!(outgoing.body, Body::Replace(expected.to_vec()));
    let passed = answer(&mut attempt, "200", JSON, &[br#"{ "input_tokens": 9 }"#]);
    assert_eq!(passed.text(), r#"{ "input_tokens": 9 }"#);
    let mut memory = serving(GENERATE, &[Operation::CountTokens]);
    let (_, outgoing) = ask(&mut memory, "POST", "/v1beta/models/m:countTokens", &JSON_BODY, b"{}").unwrap();
    assert_eq!(sent(&outgoing, ":path"), "/base/v1beta/models/m:countTokens");
}

#[test]
fn what_names_no_model_goes_to_the_provider_that_is_named() {
    let mut memory = memory_with(&[CHAT, CHAT], |provider| provider.services[0].operations = vec![Operation::Files]);
    let named = [("x-dragoman-provider", "p2")];
    let (_, outgoing) = ask(&mut memory, "GET", "/v1/files/f-1/content?x=1", &named, b"").unwrap();
    assert_eq!(sent(&outgoing, ":authority"), "p2.example");
    assert_eq!(sent(&outgoing, ":method"), "GET");
    assert_eq!(sent(&outgoing, ":path"), "/base/v1/files/f-1/content?x=1");
    assert_eq!(sent(&outgoing, "content-length"), "");
    let (mut attempt, outgoing) = ask(&mut memory, "DELETE", "/v1/files/f-1", &[], b"").unwrap();
    assert_eq!(sent(&outgoing, ":authority"), "p1.example");
    let gone = [(b":status".to_vec(), b"204".to_vec())];
    assert!(matches!(attempt.response_head(&gone, true, 1001), HeadVerdict::Pass(_)));
    assert_eq!(attempt.end(1010).ending, Ending::Answered);
}

#[test]
fn a_key_of_some_routes_only_may_not_touch_files() {
    let mut memory = serving(CHAT, &[Operation::Files]);
    let grant = Grant {
        caller: "c".into(),
        scopes: vec![crate::admission::Scope { routes: Some(vec!["m".into()]), ..crate::admission::Scope::default() }],
        ..Grant::default()
    };
    memory.admit(digest(b"caller-key"), Some(grant), 1_000_000, 0);
    let Err(Step::Reply(reply)) = ask(&mut memory, "GET", "/v1/files", &[], b"") else { panic!("must be refused") };
    assert_eq!(reply.status, 403);
}

#[test]
fn nobody_does_it() {
    let mut memory = memory(&[MESSAGES]);
    let body = br#"{"model":"m","prompt":"hi"}"#;
    let Err(Step::Reply(reply)) = ask(&mut memory, "POST", "/v1/images/generations", &JSON_BODY, body) else {
        panic!("must be refused")
    };
    assert_eq!(reply.status, 404);
    assert!(text(&reply.body).contains("no provider of the model `m` does `images`"), "{}", text(&reply.body));
}

#[test]
fn a_providers_own_path_may_name_the_model() {
    let mut memory = memory_with(&[MESSAGES], |provider| {
        let paths = ["/p/{model}:rawPredict", "/p/{model}:streamRawPredict"].map(String::from);
        let [whole, streamed] = paths;
        provider.services[0].paths = Some(Paths { whole, streamed });
        provider.set = vec![("anthropic_version".into(), "\"v\"".into()), ("max_tokens".into(), "1".into())];
    });
    for (streamed, path) in [(false, "/base/p/m:rawPredict?beta=true"), (true, "/base/p/m:streamRawPredict?beta=true")]
    {
        for client in [MESSAGES, CHAT] {
            let (_, outgoing) = begin(&asked(&mut memory, client, streamed), 1);
            let expected = if client == MESSAGES { path } else { path.trim_end_matches("?beta=true") };
            assert_eq!(sent(&outgoing, ":path"), expected);
            let Body::Replace(body) = outgoing.body else { panic!("the model must go") };
            let body = Json::parse(&body).unwrap();
            assert!(body.get("model").is_none(), "{body:?}");
            assert_eq!(body.get("anthropic_version").unwrap().as_str(), "\"v\"");
            assert_ne!(body.get("max_tokens").unwrap().as_str(), "1", "the client's word counts");
        }
    }
}

#[test]
fn a_proof_finds_back_to_its_maker_and_to_nobody_else() {
    let mut memory = memory(&[MESSAGES, MESSAGES]);
    let snapshot = memory.snapshot().unwrap();
    let proof = format!("{}sig", crate::hub::provenance::mark(snapshot.slot(0).unwrap()));
    let turns = format!(
        r#"[{{"role":"user","content":"a"}},{{"role":"assistant","content":[{{"type":"thinking","thinking":"t","signature":"{proof}"}},{{"type":"text","text":"b"}}]}},{{"role":"user","content":"c"}}]"#
    );
    let body = format!(r#"{{"model":"m","max_tokens":9,"messages":{turns}}}"#);
    let (exchange, step) = exchange(&mut memory, "/v1/messages", &body);
    assert!(matches!(step, Step::Send(_)), "{step:?}");
    let asked = exchange.asked().unwrap();
    let body = |number| match begin(&asked, number).1.body {
        Body::Replace(body) => text(&body),
        other => panic!("{other:?}"),
    };
    assert!(body(1).contains(r#""signature":"sig""#), "{}", body(1));
    assert!(!body(2).contains("sig"), "{}", body(2));
    assert!(body(2).contains(r#""text":"b""#), "the turn stays: {}", body(2));
    assert_eq!(begin(&asked, 2).0.losses().approximated, ["thinking.signature"]);
}

#[test]
fn an_interpreted_answers_proof_is_marked() {
    let mut memory = memory(&[MESSAGES]);
    let (mut attempt, _) = begin(&asked(&mut memory, GENERATE, false), 1);
    let body = br#"{"id":"1","type":"message","role":"assistant","model":"m","content":[{"type":"thinking","thinking":"t","signature":"sig"},{"type":"text","text":"b"}],"stop_reason":"end_turn","usage":{"input_tokens":3,"output_tokens":2}}"#;
    let passed = answer(&mut attempt, "200", JSON, &[body]);
    let slot = memory.snapshot().unwrap().slot(0).unwrap().to_string();
    let passed = Json::parse(&passed.bytes).unwrap();
    let proof = passed.get("candidates").and_then(|list| list.items().next()).unwrap();
    let part = proof.at(&["content", "parts"]).unwrap().items().next().unwrap();
    let proof = part.get("thoughtSignature").and_then(Json::text).unwrap();
    assert_eq!(crate::hub::provenance::opened(proof), Some(format!("dgm1:{slot}:sig")), "base64, as the SDK wants it");
}

#[test]
fn a_wait_is_passed_on_in_whole_seconds() {
    let mut memory = memory(&[GENERATE]);
    let (mut attempt, _) = begin(&asked(&mut memory, CHAT, false), 1);
    let head = [(b":status".to_vec(), b"429".to_vec())];
    assert!(matches!(attempt.response_head(&head, false, 1001), HeadVerdict::Hold));
    let body =
        br#"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"q","details":[{"retryDelay":"1.2s"}]}}"#;
    let edits = attempt.response_body(body, true, 1002).head.unwrap();
    let set = |name: &str| edits.set.iter().find(|(known, _)| known == name.as_bytes()).map(|(_, value)| text(value));
    assert_eq!((set("retry-after").as_deref(), set("retry-after-ms").as_deref()), (Some("2"), Some("1200")));
    assert_eq!(attempt.end(1010).retry_after_ms, Some(1200));
}

#[test]
fn a_wait_that_stands_in_the_body_is_heard_before_the_next_target_is_tried() {
    let mut memory = memory(&[GENERATE, CHAT]);
    let (mut attempt, _) = begin(&asked(&mut memory, CHAT, false), 1);
    let body = br#"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"q","details":[{"retryDelay":"3s"}]}}"#;
    let passed = answer(&mut attempt, "429", JSON, &[body]);
    assert!(passed.retry);
    let outcome = attempt.end(1010);
    assert_eq!((outcome.ending, outcome.retry_after_ms), (Ending::Retriable, Some(3000)));
}
