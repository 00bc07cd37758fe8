use super::super::{Exchange, Head};
use super::*;
use crate::admission::{Scope, digest};
use crate::feedback::MAX_OPINION;
use crate::json::Json;
use crate::memory::Memory;

const OPINION: &[u8] = br#"{"exchange":"that","score":0.8}"#;

/// Knows the key `k`, of the account `acme`, which may ask for nothing; and no model.
fn memory() -> Memory {
    let mut memory = Memory::default();
    let scopes = vec![Scope { routes: Some(Vec::new()), ..Scope::default() }];
    let grant = Grant { caller: "key_1".into(), account: "acme".into(), scopes, ..Grant::default() };
    memory.admit(digest(b"k"), Some(grant), 1_000_000, 0);
    memory
}

fn begin(more: &[(&str, &str)], memory: &mut Memory) -> (Exchange, Step) {
    let usual = [(":method", "POST"), (":path", "/v1/feedback"), ("authorization", "Bearer k")];
    let usual = usual.iter().filter(|(name, _)| !more.iter().any(|(other, _)| other == name));
    let headers = usual.chain(more).map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()));
    Exchange::begin(Head { headers: headers.collect() }, "this".into(), memory, 0)
}

/// One whose question is on its way.
fn told(memory: &mut Memory) -> Exchange {
    let (mut exchange, step) = begin(&[], memory);
    assert!(matches!(step, Step::Wait), "{step:?}");
    let step = exchange.body(OPINION.to_vec(), memory, 0);
    let Step::Ask(questions) = step else { panic!("{step:?}") };
    let (exchange_of, caller, account) = ("this".to_string(), "key_1".to_string(), "acme".to_string());
    let opinion = OPINION.to_vec();
    assert_eq!(questions, [Question::Feedback { exchange: exchange_of, caller, account, opinion }]);
    exchange
}

/// The status, the code in the error and the body of an answer.
fn reply(step: Step) -> (u16, String, String) {
    let Step::Reply(reply) = step else { panic!("{step:?}") };
    let code = Json::parse(&reply.body).unwrap().at(&["error", "code"]).and_then(Json::string).unwrap_or_default();
    (reply.status, code, String::from_utf8(reply.body).unwrap())
}

#[test]
fn what_was_kept_is_the_answer_and_nobody_is_sent_anything() {
    let mut memory = memory();
    let mut exchange = told(&mut memory);
    assert!(matches!(exchange.advance(&mut memory, 0), Step::Wait), "nothing is said before it is kept");
    exchange.is_kept(br#"{"exchange":"that"}"#.to_vec());
    assert_eq!(reply(exchange.advance(&mut memory, 0)), (200, String::new(), r#"{"exchange":"that"}"#.into()));
    exchange.close();
    let record = exchange.record().unwrap();
    assert_eq!((record.status, record.operation.as_str(), record.caller.as_str()), (200, "feedback", "key_1"));
    assert!(record.plan.is_empty() && record.outcomes.is_empty() && record.charged.is_empty());
}

#[test]
fn an_exchange_that_is_not_there_is_not_found_and_a_control_plane_that_is_away_may_be_asked_again() {
    let mut memory = memory();
    let mut exchange = told(&mut memory);
    exchange.is_kept(Vec::new());
    let (status, code, body) = reply(exchange.advance(&mut memory, 0));
    assert_eq!((status, code.as_str()), (404, "unknown_exchange"));
    assert!(body.contains("`that`"), "{body}");

    let mut exchange = told(&mut memory);
    let step = exchange.unanswered();
    let Step::Reply(reply) = &step else { panic!("{step:?}") };
    assert!(reply.headers.contains(&(b"retry-after".to_vec(), b"1".to_vec())), "{reply:?}");
    assert_eq!((reply.status, exchange.record.refusal.as_str()), (503, "feedback_not_kept"));
    exchange.is_kept(OPINION.to_vec());
    assert!(!matches!(exchange.advance(&mut memory, 0), Step::Reply(_)), "one answer for each request");
}

#[test]
fn what_is_malformed_is_refused_before_anybody_is_asked() {
    for (body, status, words) in [
        (&b""[..], 400, "not JSON"),
        (b"{\"exchange\":\"that\"}", 400, "`score`"),
        (b"{\"exchange\":\"that\",\"score\":2}", 400, "`score` must be a number from 0 to 1"),
        (b"{\"exchange\":\"that\",\"score\":1,\"why\":\"\"}", 400, "`why` is not a member"),
        (&[b' '; MAX_OPINION + 1], 413, "larger than 4096 bytes"),
    ] {
        let mut memory = memory();
        let (mut exchange, _) = begin(&[], &mut memory);
        let (refused, _, body) = reply(exchange.body(body.to_vec(), &mut memory, 0));
        assert_eq!(refused, status, "{body}");
        assert!(body.contains(words), "{body}");
    }
}

#[test]
fn a_head_says_already_what_will_not_be_taken() {
    for (more, status) in [
        (&[("content-length", "4097")][..], 413),
        (&[("content-encoding", "gzip")], 415),
        (&[("authorization", "")], 401),
        (&[("x-api-key", "other")], 401),
        (&[(":method", "GET")], 405),
        (&[(":path", "/v1/feedback?key=k")], 401),
        (&[(":path", "/v1/feedbacks")], 404),
        (&[(":path", "/v1/feedback/x")], 404),
    ] {
        let (_, step) = begin(more, &mut memory());
        assert!(matches!(&step, Step::Reply(reply) if reply.status == status), "{more:?}: {step:?}");
    }
    for more in [
        &[(":path", "/v1/feedback?beta=true")][..],
        &[("authorization", ""), ("x-api-key", "k")],
        &[("authorization", ""), ("x-goog-api-key", "k")],
        &[("authorization", "sub-oat-own"), ("x-dragoman-key", "k")],
    ] {
        assert!(matches!(begin(more, &mut memory()).1, Step::Wait), "{more:?}");
    }
}

#[test]
fn an_error_has_the_form_that_the_callers_headers_speak_of() {
    let mut memory = memory();
    for (more, beginning) in [
        (&[][..], r#"{"error":{"#),
        (&[("anthropic-version", "2023-06-01")], r#"{"type":"error","#),
        (&[("authorization", ""), ("x-goog-api-key", "k")], r#"{"error":{"code":400,"#),
    ] {
        let (mut exchange, _) = begin(more, &mut memory);
        let (_, _, body) = reply(exchange.body(b"{}".to_vec(), &mut memory, 0));
        assert!(body.starts_with(beginning), "{more:?}: {body}");
    }
}
