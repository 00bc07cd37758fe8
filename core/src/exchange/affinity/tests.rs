use std::collections::HashSet;
use std::rc::Rc;

use super::super::{Exchange, Head, Step};
use crate::admission::{Grant, digest};
use crate::catalog::{DialectId, Dispatch, Provider, Service, Target};
use crate::memory::Memory;
use crate::record::{Ending, Outcome};
use crate::snapshot::{Affinity, Balance, Loss, Pool, Route, Snapshot};

/// A worker whose route `m` has five targets in its pool.
fn memory(pool: Pool) -> Memory {
    let provider = |number: usize| Provider {
        services: vec![Service::new(DialectId::ChatCompletions, "/v1"), Service::new(DialectId::Messages, "/v1")],
        ..Provider::plain(&format!("p{number}"), DialectId::ChatCompletions)
    };
    let targets = (0..5).map(|number| Target::unlisted(format!("p{number}/m"), number, "m")).collect();
    let route = Route { name: "m".into(), candidates: (0..5).collect(), loss: Loss::Warn, pool, ..Route::default() };
    let mut memory = Memory::default();
    memory.publish(Snapshot::new(1, (0..5).map(provider).collect(), targets, vec![route], vec![]).unwrap());
    for key in ["k1", "k2"] {
        let grant = Grant { caller: key.into(), ..Grant::default() };
        memory.admit(digest(key.as_bytes()), Some(grant), 1_000_000, 0);
    }
    memory
}

fn exchange(memory: &mut Memory, number: usize, headers: &[(&str, &str)], path: &str, body: &str) -> Exchange {
    let all = [(":method", "POST"), (":path", path), ("content-type", "application/json")];
    let all = all.iter().chain(headers);
    let headers = all.map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect();
    let (mut exchange, _) = Exchange::begin(Head { headers }, format!("x{number}-vm"), memory, 0);
    let step = exchange.body(body.as_bytes().to_vec(), memory, 0);
    assert!(matches!(step, Step::Send(_)), "{step:?}");
    exchange
}

/// The first targets of twenty requests.
fn met(memory: &mut Memory, headers: &[(&str, &str)], path: &str, body: &str) -> HashSet<String> {
    let first = |number| exchange(memory, number, headers, path, body).asked().unwrap().plan[0].target.id.clone();
    (0..20).map(first).collect()
}

const CHAT: &str = "/v1/chat/completions";

fn chat(system: &str, first: &str, more: &str) -> String {
    format!(
        r#"{{"model":"m","user":"u","messages":[{{"role":"system","content":"{system}"}},{{"role":"user","content":"{first}"}}{more}]}}"#
    )
}

fn by(affinity: Affinity) -> Pool {
    Pool { affinity: Some(affinity), balance: Balance::RoundRobin, ..Pool::default() }
}

#[test]
fn a_session_meets_one_target_and_requests_without_one_take_turns() {
    let mut memory = memory(by(Affinity::Header("x-session".into())));
    let body = chat("s", "hi", "");
    let mut all = HashSet::new();
    for session in ["a", "b", "c", "d", "e", "f", "g", "h"] {
        let met = met(&mut memory, &[("authorization", "Bearer k1"), ("x-session", session)], CHAT, &body);
        assert_eq!(met.len(), 1, "{session}");
        all.extend(met);
    }
    assert!(all.len() > 1);
    for headers in [&[("authorization", "Bearer k1")][..], &[("authorization", "Bearer k1"), ("x-session", "")]] {
        assert_eq!(met(&mut memory, headers, CHAT, &body).len(), 5);
    }
}

#[test]
fn a_user_is_the_key_and_whom_the_request_names_in_any_dialect() {
    let mut memory = memory(by(Affinity::User));
    let users = |key: &str, memory: &mut Memory| -> Vec<String> {
        let key = format!("Bearer {key}");
        let ask = |user: usize| {
            let body = format!(r#"{{"model":"m","user":"{user}","messages":[{{"role":"user","content":"hi"}}]}}"#);
            let chat = met(memory, &[("authorization", &key)], CHAT, &body);
            let body = format!(
                r#"{{"model":"m","max_tokens":9,"metadata":{{"user_id":"{user}"}},"messages":[{{"role":"user","content":"other"}}]}}"#
            );
            let messages = met(memory, &[("authorization", &key)], "/v1/messages", &body);
            assert_eq!((chat.len(), &chat), (1, &messages));
            chat.into_iter().next().unwrap()
        };
        (0..12).map(ask).collect()
    };
    let (one, other) = (users("k1", &mut memory), users("k2", &mut memory));
    assert_ne!(one, other, "the users of another key are others");
    assert!(one.iter().collect::<HashSet<_>>().len() > 1);
}

#[test]
fn a_conversation_stays_where_its_beginning_is_remembered() {
    let mut memory = memory(by(Affinity::Prefix));
    let headers = [("authorization", "Bearer k1")];
    let begun = met(&mut memory, &headers, CHAT, &chat("you are kind", "hello", ""));
    let more = r#",{"role":"assistant","content":"yes?"},{"role":"user","content":"go on"}"#;
    assert_eq!(met(&mut memory, &headers, CHAT, &chat("you are kind", "hello", more)), begun);
    let others: HashSet<String> = (0..12)
        .flat_map(|number| met(&mut memory, &headers, CHAT, &chat("you are kind", &format!("{number}"), "")))
        .collect();
    assert!(others.len() > 1, "{others:?}");
}

#[test]
fn attempts_under_way_are_known_while_they_are() {
    let mut memory = memory(Pool { balance: Balance::LeastConnections, ..Pool::default() });
    let headers = [("authorization", "Bearer k1")];
    let mut begun = Vec::new();
    for number in 0..5 {
        let mut exchange = exchange(&mut memory, number, &headers, CHAT, &chat("s", "hi", ""));
        exchange.attempt_began(1, &mut memory);
        let target = Rc::clone(&exchange.asked().unwrap()).plan[0].target.id.clone();
        begun.push((exchange, target));
    }
    assert_eq!(begun.iter().map(|(_, target)| target.as_str()).collect::<HashSet<_>>().len(), 5);
    let (mut over, target) = begun.pop().unwrap();
    let outcome = Outcome {
        target: target.clone(),
        ending: Ending::Answered,
        first_event_ms: Some(7),
        quota_left: Some(90),
        ..Outcome::default()
    };
    over.attempt_ended(1, outcome, &mut memory, 10);
    let pulse = memory.pulses.of(&target).unwrap();
    assert_eq!((pulse.in_flight, pulse.first_event(10), pulse.remaining(10)), (0, 7000, 90));
    let next = exchange(&mut memory, 9, &headers, CHAT, &chat("s", "hi", ""));
    assert_eq!(next.asked().unwrap().plan[0].target.id, target);
}

#[test]
fn what_only_providers_that_are_off_serve_is_listed_nowhere() {
    let mut memory = memory(Pool::default());
    let listed = |memory: &mut Memory| {
        let headers = [(":method", "GET"), (":path", "/v1/models"), ("authorization", "Bearer k1")];
        let headers =
            headers.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect();
        let (_, step) = Exchange::begin(Head { headers }, "x-vm".into(), memory, 0);
        let Step::Reply(reply) = step else { panic!("{step:?}") };
        String::from_utf8(reply.body).unwrap()
    };
    let off = |memory: &mut Memory, count: usize| {
        let mut snapshot = Snapshot::read(&memory.snapshot().unwrap().write()).unwrap();
        snapshot.providers.iter_mut().take(count).for_each(|row| row.dispatch = Dispatch::Off);
        memory.publish(snapshot);
    };
    off(&mut memory, 4);
    assert!(listed(&mut memory).contains("\"p4\""), "{}", listed(&mut memory));
    off(&mut memory, 5);
    assert!(!listed(&mut memory).contains("\"m\""));
}
