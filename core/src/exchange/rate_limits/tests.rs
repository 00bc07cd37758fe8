use super::super::Head;
use super::*;
use crate::admission::{Grant, Lease, Leases, digest};
use crate::catalog::{DialectId, Provider, Target};
use crate::snapshot::{Loss, Route, Snapshot};
use crate::usage::Usage;

const FIRST: &str = "@p/first/requests/minute";
const SHARED: &str = "@p/tokens/minute";

fn limits(ids: &[&str]) -> Arc<[Budget]> {
    ids.iter().map(|id| Budget::of_target(id).unwrap()).collect()
}

/// A route to `p/first`, then to `q/second`.
fn memory(first: &[&str], second: &[&str]) -> Memory {
    let provider = |id| Provider::plain(id, DialectId::ChatCompletions);
    let targets = vec![
        Target { rate_limits: limits(first), ..Target::unlisted("p/first".into(), 0, "first") },
        Target { rate_limits: limits(second), ..Target::unlisted("q/second".into(), 1, "second") },
    ];
    let route = Route { name: "m".into(), candidates: vec![0, 1], loss: Loss::Warn, ..Route::default() };
    let mut memory = Memory::default();
    memory.publish(Snapshot::new(1, vec![provider("p"), provider("q")], targets, vec![route], vec![]).unwrap());
    memory.admit(digest(b"k"), Some(Grant { caller: "key_1".into(), ..Grant::default() }), 1_000_000, 0);
    memory
}

fn learn(memory: &mut Memory, id: &str, lent: u64, is_all: bool) {
    let lease = Lease { id: id.into(), window_ms: 7, lent, is_all, valid_for_ms: 60_000, limit: 9, ..Lease::default() };
    memory.purse.learn(&Leases { list: vec![lease] }, 0);
}

fn ask(memory: &mut Memory) -> (Exchange, Step) {
    let pairs = [(":method", "POST"), (":path", "/v1/chat/completions"), ("authorization", "Bearer k")];
    let headers = pairs.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect();
    let (mut exchange, _) = Exchange::begin(Head { headers }, "x-vm1".into(), memory, 0);
    let body = br#"{"model":"m","max_tokens":10,"messages":[{"role":"user","content":"hi"}]}"#;
    let step = exchange.body(body.to_vec(), memory, 0);
    (exchange, step)
}

fn plan(exchange: &Exchange) -> Vec<&str> {
    exchange.record.plan.iter().map(String::as_str).collect()
}

fn over(exchange: &mut Exchange, targets: &[&str], memory: &mut Memory) -> Record {
    let usage = Usage { input: Some(3), output: Some(4), ..Usage::default() };
    for target in targets {
        exchange.attempt_began(1, memory);
        exchange.attempt_ended(1, Outcome { target: (*target).into(), usage, ..Outcome::default() }, memory, 0);
    }
    exchange.close();
    exchange.true_up(memory);
    exchange.record().unwrap().clone()
}

fn charged(record: &Record) -> Vec<&str> {
    record.charged.iter().map(|charged| charged.budget.as_str()).collect()
}

#[test]
fn a_limit_is_asked_for_once_and_then_taken_from_what_was_lent() {
    let mut memory = memory(&[FIRST], &[]);
    let (mut exchange, step) = ask(&mut memory);
    let Step::Ask(questions) = step else { panic!("{step:?}") };
    assert_eq!(questions, [Question::Lend(vec![FIRST.into()])]);
    learn(&mut memory, FIRST, 2, true);
    assert!(matches!(exchange.advance(&mut memory, 0), Step::Send(_)));
    assert_eq!(plan(&exchange), ["p/first", "q/second"]);
    let record = over(&mut exchange, &["p/first"], &mut memory);
    assert_eq!(record.charged, [Charged { budget: FIRST.into(), window_ms: 7 }]);
    let (second, _) = ask(&mut memory);
    let (third, step) = ask(&mut memory);
    assert!(matches!(step, Step::Send(_)));
    assert_eq!((plan(&second).len(), plan(&third)), (2, vec!["q/second"]), "two a minute");
    assert_eq!(third.record.rate_limited, ["p/first"]);
}

#[test]
fn a_provider_that_was_not_asked_after_all_has_its_room_back() {
    let mut memory = memory(&[FIRST], &[]);
    learn(&mut memory, FIRST, 1, true);
    let (mut exchange, _) = ask(&mut memory);
    over(&mut exchange, &[], &mut memory);
    assert_eq!(plan(&ask(&mut memory).0).len(), 2);
}

#[test]
fn who_has_no_room_is_no_fallback_and_what_fallbacks_take_counts() {
    let second = "@q/tokens/minute";
    let mut memory = memory(&[], &[second]);
    learn(&mut memory, second, 1100, true);
    let (mut exchange, _) = ask(&mut memory);
    assert_eq!(plan(&exchange), ["p/first", "q/second"], "it is not asked for, but it is known");
    let record = over(&mut exchange, &["p/first", "q/second"], &mut memory);
    assert_eq!(charged(&record), [second]);
    for _ in 0..11 {
        let (mut exchange, _) = ask(&mut memory);
        over(&mut exchange, &["p/first", "q/second"], &mut memory);
    }
    assert_eq!(plan(&ask(&mut memory).0), ["p/first"], "what is left is too little for another");
}

#[test]
fn a_limit_of_two_targets_is_charged_once() {
    let mut memory = memory(&[SHARED], &[SHARED]);
    learn(&mut memory, SHARED, 1_000_000, false);
    let (mut exchange, _) = ask(&mut memory);
    let record = over(&mut exchange, &["p/first", "p/other"], &mut memory);
    assert_eq!(charged(&record), [SHARED]);
}

#[test]
fn when_nobody_has_room_the_caller_is_told_to_wait_and_not_who_it_is() {
    let mut memory = memory(&[FIRST], &["@q/requests/minute"]);
    learn(&mut memory, FIRST, 0, true);
    learn(&mut memory, "@q/requests/minute", 0, true);
    let (exchange, step) = ask(&mut memory);
    let Step::Reply(reply) = step else { panic!("{step:?}") };
    assert_eq!((reply.status, exchange.record.refusal.as_str()), (429, "targets_limited"));
    assert!(!String::from_utf8(reply.body).unwrap().contains("first"));
}

#[test]
fn who_is_refused_for_a_providers_limit_has_paid_nothing() {
    let mut memory = memory(&[FIRST], &["@q/requests/minute"]);
    let budget = Budget::of("acme", crate::admission::Unit::Requests, "day");
    let budgets: Arc<[Budget]> = [budget.clone()].into();
    memory.admit(digest(b"k"), Some(Grant { caller: "key_1".into(), budgets, ..Grant::default() }), 1_000_000, 0);
    learn(&mut memory, &budget.id, 1, true);
    for id in [FIRST, "@q/requests/minute"] {
        learn(&mut memory, id, 0, true);
    }
    let (mut exchange, step) = ask(&mut memory);
    assert!(matches!(step, Step::Reply(_)), "{step:?}");
    assert_eq!(charged(&over(&mut exchange, &[], &mut memory)), [""; 0]);
    learn(&mut memory, FIRST, 1, true);
    let (_, step) = ask(&mut memory);
    assert!(matches!(step, Step::Send(_)), "the one request of the day is still there: {step:?}");
}

#[test]
fn without_the_control_plane_providers_are_asked_all_the_same() {
    let mut memory = memory(&[FIRST], &[]);
    memory.purse.unanswered(0);
    let (exchange, step) = ask(&mut memory);
    assert!(matches!(step, Step::Send(_)), "{step:?}");
    assert_eq!(plan(&exchange).len(), 2);
}
