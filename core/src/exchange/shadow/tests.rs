use super::*;
use crate::admission::{Scope, digest};
use crate::exchange::walk::tests::memory;
use crate::exchange::{After, Head, SLOT};
use crate::failure::Failure;
use crate::record::{Ending, Outcome, Record};
use crate::snapshot::{Arm, ChoosesBy, Experiment, Snapshot};

const PLAIN: &str = r#"{"model":"m","messages":[]}"#;

/// A route `m` to `a/m` and `b/m`, of whose requests so many of a hundred also go to `c/m`.
fn shadowed(share: u64) -> Memory {
    let mut memory = memory(3);
    let mut snapshot = memory.snapshot().map(|snapshot| Snapshot::clone(snapshot)).unwrap();
    snapshot.routes[0].candidates = vec![0, 1];
    snapshot.routes[0].shadow = Some(Shadow { to: "c/m".into(), share });
    memory.publish(snapshot);
    memory
}

fn sent(memory: &mut Memory, id: &str, path: &str, body: &str) -> Exchange {
    let pairs = [(":method", "POST"), (":path", path), ("authorization", "Bearer k")];
    let headers = pairs.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect();
    let (mut exchange, _) = Exchange::begin(Head { headers }, id.into(), memory, 0);
    let step = exchange.body(body.as_bytes().to_vec(), memory, 0);
    assert!(matches!(step, Step::Send(_)), "{step:?}");
    exchange
}

fn shadow_of(exchange: &Exchange, memory: &mut Memory) -> Option<Exchange> {
    exchange.shadow(|| "s-vm1".into(), memory, 7).map(|(shadow, _)| shadow)
}

fn has_shadow(memory: &mut Memory, path: &str, body: &str) -> bool {
    let exchange = sent(memory, "x-vm1", path, body);
    shadow_of(&exchange, memory).is_some()
}

#[test]
fn a_shadow_is_an_exchange_of_its_own_that_nobody_pays() {
    let mut memory = shadowed(100);
    let exchange = sent(&mut memory, "x-vm1", "/v1/chat/completions", PLAIN);
    let shadow = shadow_of(&exchange, &mut memory).unwrap();
    let Record { exchange: id, shadow_of, caller, account, route, plan, operation, dialect, .. } = &shadow.record;
    assert_eq!([id.as_str(), shadow_of, caller, account], ["s-vm1", "x-vm1", "", ""]);
    assert_eq!([route.as_str(), operation, dialect], ["c/m", "generate", "chat_completions"]);
    assert_eq!(plan, &["c/m"]);
    let mut edits = HeadEdits::default();
    shadow.mirror(&mut edits);
    let text = |(name, value): &(Vec<u8>, Vec<u8>)| [name, value].map(|text| String::from_utf8(text.clone()).unwrap());
    let told: Vec<[String; 2]> = edits.set.iter().map(text).collect();
    let slot = crate::catalog::slot(&memory.snapshot().unwrap().providers[2].cluster);
    assert_eq!(told, [[SHADOW.to_string(), slot], [SHADOW_EXCHANGE.to_string(), "s-vm1".to_string()]]);
}

#[test]
fn its_one_attempt_ends_it() {
    for (ending, status, expected) in [
        (Ending::Answered, 200, Ending::Answered),
        (Ending::Refused, 503, Ending::Refused),
        (Ending::Silent, 0, Ending::Silent),
        (Ending::Abandoned, 200, Ending::Broken),
    ] {
        let mut memory = shadowed(100);
        let exchange = sent(&mut memory, "x-vm1", "/v1/chat/completions", PLAIN);
        let mut shadow = shadow_of(&exchange, &mut memory).unwrap();
        assert!(shadow.is_unmade() && shadow.shadow_silence_ms().is_some() && exchange.shadow_silence_ms().is_none());
        let (turn, slot) = shadow.turn(1, &mut memory, 7).unwrap();
        assert_eq!((turn.place, turn.after, slot), (0, After::Nobody, None), "Envoy mirrors once");
        shadow.attempt_began(1, &mut memory);
        assert!(!shadow.is_unmade() && shadow.record().is_none());
        let failure = (ending == Ending::Refused).then_some(Failure::Overloaded);
        let outcome = Outcome { target: "c/m".into(), ending, status, failure, ..Outcome::default() };
        shadow.attempt_ended(1, outcome, &mut memory, 9);
        let record = shadow.record().unwrap();
        assert_eq!((record.outcomes[0].ending, record.status), (expected, status));
    }
}

#[test]
fn the_share_is_kept() {
    for share in [1, 10, 50, 100] {
        let mut memory = shadowed(share);
        let mut shadows = 0;
        for number in 0..2_000 {
            let exchange = sent(&mut memory, &format!("x-{number}"), "/v1/chat/completions", PLAIN);
            shadows += usize::from(shadow_of(&exchange, &mut memory).is_some());
        }
        let expected = 20 * usize::try_from(share).unwrap();
        assert!(shadows.abs_diff(expected) <= 60 && shadows > 0, "{shadows} of {expected}");
    }
}

#[test]
fn what_leaves_something_behind_or_is_large_has_none() {
    let mut memory = shadowed(100);
    assert!(has_shadow(&mut memory, "/v1/chat/completions", r#"{"model":"m","messages":[],"store":false}"#));
    assert!(!has_shadow(&mut memory, "/v1/chat/completions", r#"{"model":"m","messages":[],"store":true}"#));
    assert!(!has_shadow(
        &mut memory,
        "/v1/chat/completions",
        r#"{"model":"m","messages":[],"previous_response_id":"r"}"#
    ));
    assert!(!has_shadow(&mut memory, "/v1/chat/completions", r#"{"model":"c/m","messages":[]}"#), "no route");
    let large = format!(r#"{{"model":"m","messages":[],"user":"{}"}}"#, "x".repeat(MAX_BODY));
    assert!(!has_shadow(&mut memory, "/v1/chat/completions", &large));
}

#[test]
fn it_goes_to_nobody_whom_the_caller_may_not_ask() {
    for (provider, expected) in [("c", true), ("b", false)] {
        let mut memory = shadowed(100);
        let scope = Scope { providers: Some(vec!["a".into(), provider.into()]), ..Scope::default() };
        let grant = Grant { caller: "key_1".into(), scopes: vec![scope], ..Grant::default() };
        memory.admit(digest(b"k"), Some(grant), u64::MAX, 0);
        assert_eq!(has_shadow(&mut memory, "/v1/chat/completions", PLAIN), expected);
    }
}

#[test]
fn it_goes_to_nobody_whom_the_caller_would_not_have() {
    for (said, expected) in [(r#"{"not":["a"]}"#, true), (r#"{"not":["c"]}"#, false), (r#"{"only":["a"]}"#, false)] {
        let body = format!(r#"{{"model":"m","messages":[],"dragoman":{said}}}"#);
        assert_eq!(has_shadow(&mut shadowed(100), "/v1/chat/completions", &body), expected, "{said}");
    }
}

#[test]
fn it_is_of_no_arm_of_an_experiment() {
    let mut memory = shadowed(100);
    let mut snapshot = memory.snapshot().map(|snapshot| Snapshot::clone(snapshot)).unwrap();
    let arms = vec![Arm { name: "b".into(), to: "b/m".into(), weight: 1, by: ChoosesBy::InUse }];
    snapshot.experiments = vec![Experiment { name: "x".into(), route: "m".into(), sticky: None, arms }];
    memory.publish(snapshot);
    let exchange = sent(&mut memory, "x-vm1", "/v1/chat/completions", PLAIN);
    let shadow = shadow_of(&exchange, &mut memory).unwrap();
    assert_eq!([&exchange.record.arm, &shadow.record.arm], ["x/b", ""]);
    assert_eq!((exchange.record.plan[0].as_str(), &shadow.record.plan[..]), ("b/m", &["c/m".to_owned()][..]));
}

#[test]
fn a_credential_that_is_not_at_hand_is_asked_for_and_nothing_goes_without() {
    let mut memory = shadowed(100);
    let mut snapshot = memory.snapshot().map(|snapshot| Snapshot::clone(snapshot)).unwrap();
    snapshot.providers[2].credential = "c".into();
    memory.publish(snapshot);
    let exchange = sent(&mut memory, "x-vm1", "/v1/chat/completions", PLAIN);
    let (shadow, questions) = exchange.shadow(|| "s-vm1".into(), &mut memory, 7).unwrap();
    let wanted = shadow.renewed(1).unwrap();
    assert_eq!(questions, [Question::Credential(wanted)]);
    assert!(!shadow.asked().unwrap().plan[0].is_opened_by(None));
    assert!(exchange.renewed(1).is_none());
}

#[test]
fn a_client_says_nothing_of_shadows() {
    let mut memory = shadowed(1);
    let pairs = [(":method", "POST"), (":path", "/v1/chat/completions"), ("authorization", "Bearer k"), (SHADOW, "c")];
    let headers = pairs.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect();
    let (mut exchange, _) = Exchange::begin(Head { headers }, "x-vm1".into(), &mut memory, 0);
    let Step::Send(edits) = exchange.body(PLAIN.as_bytes().to_vec(), &mut memory, 0) else { panic!() };
    assert!(edits.remove.contains(&SHADOW.as_bytes().to_vec()));
    assert!(edits.set.iter().all(|(name, _)| !name.starts_with(SHADOW.as_bytes())));
    assert!(edits.set.iter().any(|(name, _)| name.starts_with(SLOT.as_bytes())));
}
