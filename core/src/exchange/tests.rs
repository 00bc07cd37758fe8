use super::*;
use crate::admission::digest;
use crate::catalog::{Provider, Target};
use crate::json::Json;
use crate::memory::{Credential, CredentialId};
use crate::record::{Ending, Outcome};
use crate::secret::Secret;
use crate::snapshot::{Loss, Route, Snapshot};

fn memory() -> Memory {
    let mut memory = Memory::default();
    let provider = Provider { credential: "p".into(), ..Provider::plain("p", DialectId::ChatCompletions) };
    let target = Target::unlisted("p/m".into(), 0, "m");
    let routes = vec![
        Route { name: "m".into(), candidates: vec![0], loss: Loss::Warn, ..Route::default() },
        Route { name: "closed".into(), candidates: vec![0], loss: Loss::Warn, ..Route::default() },
    ];
    memory.publish(Snapshot::new(1, vec![provider], vec![target], routes, vec![]).unwrap());
    memory
}

fn grant() -> Grant {
    Grant {
        caller: "c".into(),
        scopes: vec![crate::admission::Scope { routes: Some(vec!["m".into()]), ..crate::admission::Scope::default() }],
        ..Grant::default()
    }
}

fn admitted() -> Memory {
    let mut memory = memory();
    memory.admit(digest(b"k"), Some(grant()), 1_000_000, 0);
    memory.equip(
        CredentialId::of_gateway("p"),
        Credential { header: "x".into(), value: Secret::new(vec![]), renewable: false },
        0,
        0,
    );
    memory
}

fn head(pairs: &[(&str, &str)]) -> Head {
    let headers = pairs.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()));
    Head { headers: headers.collect() }
}

const CHAT: &[(&str, &str)] = &[(":method", "POST"), (":path", "/v1/chat/completions"), ("authorization", "Bearer k")];

fn refused(step: &Step) -> (u16, String) {
    let Step::Reply(reply) = step else { panic!("{step:?}") };
    let body = Json::parse(&reply.body).unwrap();
    let message = body.at(&["error", "message"]).and_then(Json::text).unwrap();
    (reply.status, message.decode().into_owned())
}

#[test]
fn a_head_is_refused_at_once() {
    type Case<'c> = (&'c [(&'c str, &'c str)], u16, &'c str);
    let cases: [Case<'_>; 8] = [
        (&[(":method", "POST"), (":path", "/nowhere")], 404, "no such path"),
        (&[(":method", "GET"), (":path", "/v1/chat/completions"), ("authorization", "Bearer k")], 405, "POST only"),
        (&[(":method", "POST"), (":path", "/v1/chat/completions")], 401, "no API key"),
        (&[(":method", "POST"), (":path", "/v1/chat/completions"), ("authorization", "Basic k")], 401, "no API key"),
        (
            &[
                (":method", "POST"),
                (":path", "/v1/chat/completions"),
                ("x-api-key", "a"),
                ("authorization", "Bearer k"),
            ],
            401,
            "several different",
        ),
        (&[(":method", "POST"), (":path", "/v1/chat/completions?key=k")], 401, "stands in the URL"),
        (
            &[(":method", "POST"), (":path", "/v1/messages"), ("x-api-key", "k"), ("content-encoding", "gzip")],
            415,
            "compressed",
        ),
        (
            &[(":method", "POST"), (":path", "/v1/messages"), ("x-api-key", "k"), ("content-length", "99999999999")],
            413,
            "larger than",
        ),
    ];
    for (pairs, status, words) in cases {
        let (_, step) = Exchange::begin(head(pairs), "x".into(), &mut admitted(), 0);
        let (refused_status, message) = refused(&step);
        assert_eq!(refused_status, status, "{pairs:?}");
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn a_body_is_refused_before_anything_is_sent() {
    let deep = format!(r#"{{"model":"m","messages":{}{}}}"#, "[".repeat(1000), "]".repeat(1000));
    let cases = [
        ("", 400, "not JSON"),
        ("{\"model\":\"m\"", 400, "not JSON"),
        ("[]", 400, "`body` must be a JSON object"),
        (r#"{"model":"m","model":"n","messages":[]}"#, 400, "`model` stands twice"),
        (r#"{"model":"m","mod\u0065l":"n","messages":[]}"#, 400, "`model` stands twice"),
        (r#"{"model":"m","Model":"n","messages":[]}"#, 400, "`Model` is not a member"),
        (r#"{"model":"m","MAX_tokens":1,"messages":[]}"#, 400, "`MAX_tokens` is not a member"),
        (r#"{"model":7,"messages":[]}"#, 400, "`model`"),
        (r#"{"model":"m","messages":{}}"#, 400, "`messages`"),
        (r#"{"model":"m","stream":"true","messages":[]}"#, 400, "`stream`"),
        (r#"{"model":"m","max_tokens":-1,"messages":[]}"#, 400, "`max_tokens`"),
        (r#"{"model":"no/such","messages":[{"role":"user","content":"x"}]}"#, 403, "may not use"),
        (r#"{"model":"closed","messages":[{"role":"user","content":"x"}]}"#, 403, "may not use"),
        (&deep, 400, "nested too deeply"),
    ];
    for (body, status, words) in cases {
        let mut memory = admitted();
        let (mut exchange, step) = Exchange::begin(head(CHAT), "x".into(), &mut memory, 0);
        assert!(matches!(step, Step::Wait));
        let (refused_status, message) = refused(&exchange.body(body.as_bytes().to_vec(), &mut memory, 0));
        assert_eq!((refused_status, message.contains(words)), (status, true), "{body}: {message}");
        exchange.close();
        assert_eq!(exchange.record().unwrap().status, status);
    }
}

const BODY: &[u8] = br#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;

#[test]
fn an_unknown_key_is_asked_for_once_and_the_body_may_come_first_or_last() {
    for body_first in [true, false] {
        let mut memory = memory();
        let (mut exchange, step) = Exchange::begin(head(CHAT), "x".into(), &mut memory, 0);
        assert!(matches!(step, Step::Ask(questions) if questions == [Question::Admit(digest(b"k"))]));
        if body_first {
            assert!(matches!(exchange.body(BODY.to_vec(), &mut memory, 0), Step::Wait));
        }
        memory.admit(digest(b"k"), Some(grant()), 1000, 0);
        let mut step = exchange.advance(&mut memory, 0);
        if !body_first {
            assert!(matches!(step, Step::Wait));
            step = exchange.body(BODY.to_vec(), &mut memory, 0);
        }
        assert!(
            matches!(step, Step::Ask(questions) if questions == [Question::Credential(CredentialId::of_gateway("p"))])
        );
        memory.equip(
            CredentialId::of_gateway("p"),
            Credential { header: "x".into(), value: Secret::new(vec![]), renewable: false },
            0,
            0,
        );
        let Step::Send(edits) = exchange.advance(&mut memory, 0) else { panic!() };
        assert!(edits.set.contains(&(b"x-dragoman-try-1".to_vec(), crate::catalog::slot("provider_p").into_bytes())));
        assert!(edits.set.contains(&(b"x-envoy-max-retries".to_vec(), b"8".to_vec())));
    }
}

#[test]
fn without_an_answer_from_the_control_plane_the_caller_is_told_to_try_again() {
    let mut memory = memory();
    let (mut exchange, _) = Exchange::begin(head(CHAT), "x".into(), &mut memory, 0);
    assert_eq!(refused(&exchange.unanswered()).0, 503);
    let memory = admitted();
    let mut without = Memory::default();
    without.publish(memory.snapshot().map(|known| Snapshot::read(&known.write()).unwrap()).unwrap());
    without.admit(digest(b"k"), Some(grant()), 1000, 0);
    let (mut exchange, _) = Exchange::begin(head(CHAT), "x".into(), &mut without, 0);
    assert!(matches!(exchange.body(BODY.to_vec(), &mut without, 0), Step::Ask(_)));
    let (status, message) = refused(&exchange.advance(&mut without, 0));
    assert_eq!(status, 503);
    assert!(message.contains("credential"), "{message}");
}

#[test]
fn envoys_own_answers_are_said_in_the_clients_dialect() {
    for (status, expected) in [(503, 503), (504, 504)] {
        let mut memory = admitted();
        let (mut exchange, _) = Exchange::begin(head(CHAT), "x".into(), &mut memory, 0);
        assert!(matches!(exchange.body(BODY.to_vec(), &mut memory, 0), Step::Send(_)));
        let FinalHead::Replace(edits, body) = exchange.response_head(status, false, &Memory::default()) else {
            panic!()
        };
        assert!(edits.set.contains(&(b":status".to_vec(), expected.to_string().into_bytes())));
        assert!(Json::parse(&body).unwrap().get("error").is_some());
    }
    let mut memory = admitted();
    let (mut exchange, _) = Exchange::begin(head(CHAT), "x".into(), &mut memory, 0);
    assert!(matches!(exchange.response_head(413, false, &Memory::default()), FinalHead::Replace(..)));
}

#[test]
fn a_client_who_leaves_before_anything_is_heard_is_billed_for_what_was_asked() {
    for (leaves, ending) in [(true, Ending::Abandoned), (false, Ending::Silent)] {
        let mut memory = admitted();
        let (mut exchange, _) = Exchange::begin(head(CHAT), "x".into(), &mut memory, 0);
        assert!(matches!(exchange.body(BODY.to_vec(), &mut memory, 0), Step::Send(_)));
        exchange.attempt_began(1, &mut memory);
        if leaves {
            exchange.close();
        }
        exchange.attempt_ended(
            1,
            Outcome { target: "p/m".into(), ending: Ending::Silent, ..Outcome::default() },
            &mut memory,
            0,
        );
        exchange.close();
        let outcome = &exchange.record().unwrap().outcomes[0];
        assert_eq!((outcome.ending, outcome.estimate.is_some_and(|estimate| estimate.input > 0)), (ending, leaves));
    }
}

#[test]
fn a_record_waits_for_the_client_and_for_every_attempt() {
    let mut memory = admitted();
    let (mut exchange, _) = Exchange::begin(head(CHAT), "x".into(), &mut memory, 0);
    exchange.body(BODY.to_vec(), &mut memory, 0);
    exchange.attempt_began(1, &mut memory);
    exchange.close();
    assert!(exchange.record().is_none());
    exchange.attempt_ended(1, Outcome { target: "p/m".into(), ..Outcome::default() }, &mut memory, 0);
    let record = exchange.record().unwrap();
    assert_eq!((record.caller.as_str(), record.route.as_str(), record.plan.len()), ("c", "m", 1));
}

fn replied(path: &str, extra: &[(&str, &str)]) -> (u16, String) {
    let mut pairs = vec![(":method", "GET"), (":path", path), ("authorization", "Bearer k")];
    pairs.extend(extra);
    let (_, step) = Exchange::begin(head(&pairs), "x1".into(), &mut admitted(), 1000);
    let Step::Reply(reply) = step else { panic!("{step:?}") };
    (reply.status, String::from_utf8(reply.body).unwrap())
}

#[test]
fn models_are_listed_in_the_dialect_of_whoever_asks_and_only_those_it_may_use() {
    let anthropic = [("anthropic-version", "2023-06-01")];
    for (path, extra, expected) in [
        ("/v1/models", &[][..], r#"{"object":"list","data":[{"id":"m","object":"model""#),
        ("/v1/models/available", &[], r#"{"object":"list","data":[{"id":"m","object":"model""#),
        ("/v1/models/m", &[], r#"{"id":"m","object":"model","created":0,"owned_by":"p""#),
        ("/v1/models?limit=9", &anthropic, r#"{"data":[{"type":"model","id":"m""#),
        ("/v1/models/m", &anthropic, r#"{"type":"model","id":"m""#),
        ("/v1beta/models", &[], r#"{"models":[{"name":"models/m""#),
        ("/v1beta/models/m", &[], r#"{"name":"models/m""#),
    ] {
        let (status, body) = replied(path, extra);
        assert_eq!(status, 200, "{path}: {body}");
        assert!(body.starts_with(expected), "{path}: {body}");
        assert!(!body.contains("closed"), "{path}: {body}");
    }
}

#[test]
fn a_model_that_is_not_there_or_not_for_the_caller_is_not_found() {
    for path in ["/v1/models/closed", "/v1/models/nobody", "/v1beta/models/nobody"] {
        let (status, body) = replied(path, &[]);
        assert_eq!(status, 404, "{path}: {body}");
    }
}

#[test]
fn a_greeting_needs_no_key() {
    for method in ["GET", "HEAD"] {
        let (exchange, step) =
            Exchange::begin(head(&[(":method", method), (":path", "/")]), "x1".into(), &mut memory(), 0);
        assert!(matches!(&step, Step::Reply(reply) if reply.status == 200), "{step:?}");
        assert_eq!(exchange.record.status, 200);
    }
}

#[test]
fn a_record_says_what_was_needed_and_of_which_trace_it_is_even_when_nobody_was_asked() {
    const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let body = |model: &str| {
        let tools = r#"[{"type":"function","function":{"name":"f"}}]"#;
        format!(
            r#"{{"model":"{model}","messages":[{{"role":"user","content":"twelve bytes"}}],"n":2,"tools":{tools}}}"#
        )
    };
    let long = "x".repeat(10_000);
    for (model, refusal, route) in [("m", "", "m"), ("closed", "route_forbidden", "closed"), (&long, "", "")] {
        let mut memory = admitted();
        let mut pairs = CHAT.to_vec();
        pairs.push(("traceparent", TRACE));
        let (mut exchange, _) = Exchange::begin(head(&pairs), "x".into(), &mut memory, 0);
        exchange.body(body(model).into_bytes(), &mut memory, 0);
        exchange.close();
        let record = exchange.record().unwrap();
        assert_eq!((record.needs.join(" "), record.estimated_tokens, record.tied.as_str()), ("tools".into(), 165, "n"));
        assert_eq!((record.trace.as_str(), record.snapshot), (TRACE, 1));
        assert!(record.route.len() <= 256, "a name that is refused may be anything");
        if model.len() < 100 {
            assert_eq!((record.refusal.as_str(), record.route.as_str()), (refusal, route));
        }
    }
}

#[test]
fn a_trace_that_is_none_or_several_is_not_recorded() {
    const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    for said in [&[][..], &["nonsense"], &[TRACE, TRACE]] {
        let mut pairs = CHAT.to_vec();
        pairs.extend(said.iter().map(|value| ("traceparent", *value)));
        let (exchange, _) = Exchange::begin(head(&pairs), "x".into(), &mut admitted(), 0);
        assert_eq!(exchange.record.trace, "", "{said:?}");
    }
}
