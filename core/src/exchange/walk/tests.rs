use super::*;
use crate::admission::{Grant, digest};
use crate::catalog::{DialectId, Provider, Target};
use crate::exchange::{Head, HeadEdits, Step};
use crate::health::{Fleet, Force, Told};
use crate::record::Ending;
use crate::snapshot::{Loss, Route, Snapshot};

/// A route `m` to so many targets `a/m`, `b/m`, …, each at its own provider.
pub(in crate::exchange) fn memory(targets: usize) -> Memory {
    let ids: Vec<String> = ["a", "b", "c"].into_iter().take(targets).map(str::to_string).collect();
    let provider = |id: &String| Provider::plain(id, DialectId::ChatCompletions);
    let target = |(place, id): (usize, &String)| Target::unlisted(format!("{id}/m"), place, "m");
    let route = Route { name: "m".into(), candidates: (0..targets).collect(), loss: Loss::Warn, ..Route::default() };
    let targets = ids.iter().enumerate().map(target).collect();
    let mut memory = Memory::default();
    memory.publish(Snapshot::new(1, ids.iter().map(provider).collect(), targets, vec![route], vec![]).unwrap());
    memory.admit(digest(b"k"), Some(Grant { caller: "key_1".into(), ..Grant::default() }), u64::MAX, 0);
    memory
}

fn ask(memory: &mut Memory, now_ms: u64) -> (Exchange, Step) {
    ask_with(memory, &[], r#"{"model":"m","messages":[]}"#, now_ms)
}

/// The same with these headers and that body.
pub(in crate::exchange) fn ask_with(
    memory: &mut Memory,
    more: &[(&str, &str)],
    body: &str,
    now_ms: u64,
) -> (Exchange, Step) {
    let pairs = [(":method", "POST"), (":path", "/v1/chat/completions"), ("authorization", "Bearer k")];
    let pairs = pairs.iter().chain(more);
    let headers = pairs.map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect();
    let (mut exchange, _) = Exchange::begin(Head { headers }, "x-vm1".into(), memory, now_ms);
    let step = exchange.body(body.as_bytes().to_vec(), memory, now_ms);
    (exchange, step)
}

fn slots(edits: &HeadEdits) -> usize {
    edits.set.iter().filter(|(name, _)| name.starts_with(SLOT.as_bytes())).count()
}

/// Whom an exchange asks, if each attempt ends like that; a letter is a target's.
fn walk(memory: &mut Memory, now_ms: u64, fails: impl Fn(&str, usize) -> Option<Outcome>) -> String {
    let (mut exchange, step) = ask(memory, now_ms);
    let Step::Send(edits) = step else { panic!("{step:?}") };
    let mut known = slots(&edits);
    let mut asked = String::new();
    for number in 1.. {
        let (turn, slot) = exchange.turn(number, memory, now_ms).unwrap();
        known += usize::from(slot.is_some());
        let target = exchange.asked().unwrap().plan[turn.place].target.id.clone();
        asked.push_str(&target[..1]);
        let outcome = fails(&target, number);
        // What an attempt itself says of it.
        let again = |failure| matches!(failure, Failure::Faulty | Failure::Unreachable);
        let is_over = match turn.after {
            After::Itself => !outcome.as_ref().and_then(|outcome| outcome.failure).is_some_and(again),
            After::Another | After::Nobody => outcome.is_none(),
        };
        let outcome = outcome.unwrap_or(Outcome { ending: Ending::Answered, ..Outcome::default() });
        exchange.attempt_began(number, memory);
        exchange.attempt_ended(number, Outcome { target, ..outcome }, memory, now_ms);
        assert_eq!(turn.after == After::Nobody, known == number, "Envoy finds its way as far as the walk goes");
        if is_over || turn.after == After::Nobody {
            break;
        }
    }
    asked
}

fn failed(failure: Failure) -> Option<Outcome> {
    Some(Outcome { ending: Ending::Retriable, status: 500, failure: Some(failure), ..Outcome::default() })
}

fn hinted(failure: Failure) -> Option<Outcome> {
    failed(failure).map(|outcome| Outcome { retry_after_ms: Some(9000), ..outcome })
}

#[test]
fn all_are_asked_and_then_those_again_that_failed_in_passing() {
    for failure in [Failure::Faulty, Failure::Overloaded, Failure::Unreachable, Failure::Throttled] {
        assert_eq!(walk(&mut memory(3), 0, |_, _| failed(failure)), "abcabcabc", "{failure:?}");
    }
    assert_eq!(walk(&mut memory(3), 0, |_, number| failed(Failure::Faulty).filter(|_| number < 5)), "abcab");
    let mixed =
        |target: &str, _: usize| if target == "b/m" { failed(Failure::Faulty) } else { hinted(Failure::Throttled) };
    assert_eq!(walk(&mut memory(3), 0, mixed), "abcbbb", "who said for how long is not asked before");
}

#[test]
fn what_takes_long_or_is_final_is_not_repeated() {
    for failure in [Failure::Exhausted, Failure::Credential, Failure::Timeout] {
        assert_eq!(walk(&mut memory(3), 0, |_, _| failed(failure)), "abc", "{failure:?}");
    }
}

#[test]
fn one_target_is_asked_three_times_at_most() {
    assert_eq!(walk(&mut memory(1), 0, |_, _| failed(Failure::Faulty)), "aaa");
}

#[test]
fn repeats_are_a_fifth_of_what_is_asked() {
    let mut memory = memory(1);
    memory.health.settings.failures = u32::MAX;
    memory.health.settings.error_percent = 101;
    let attempts: usize = (0..10_000).map(|_| walk(&mut memory, 0, |_, _| failed(Failure::Faulty)).len()).sum();
    assert!((11_900..=12_010).contains(&attempts), "{attempts}");
}

#[test]
fn what_makes_something_there_is_asked_once() {
    let mut memory = memory(1);
    let pairs = [(":method", "POST"), (":path", "/v1/batches"), ("authorization", "Bearer k")];
    let headers = pairs.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect();
    let mut provider = Snapshot::clone(memory.snapshot().unwrap());
    provider.providers[0].services[0].operations = vec![Operation::Batches];
    memory.publish(provider);
    let (mut exchange, _) = Exchange::begin(Head { headers }, "x-vm1".into(), &mut memory, 0);
    let step = exchange.body(b"{}".to_vec(), &mut memory, 0);
    let Step::Send(edits) = step else { panic!("{step:?}") };
    assert!(edits.set.contains(&(b"x-envoy-max-retries".to_vec(), b"0".to_vec())));
    let (turn, slot) = exchange.turn(1, &mut memory, 0).unwrap();
    assert_eq!((turn.after, slot), (After::Nobody, None));
}

#[test]
fn who_is_banned_leaves_the_plan_and_who_is_averse_is_asked_last() {
    let mut memory = memory(3);
    let meet = |memory: &mut Memory, target: &str, outcome: Option<Outcome>| {
        memory.health.met(&Outcome { target: target.into(), ..outcome.unwrap() }, "", 0, 0);
    };
    meet(&mut memory, "a/m", failed(Failure::Throttled));
    meet(&mut memory, "b/m", hinted(Failure::Throttled));
    let (exchange, step) = ask(&mut memory, 0);
    assert!(matches!(step, Step::Send(_)));
    assert_eq!(
        (&exchange.record.plan[..], &exchange.record.rested[..]),
        (&["c/m".into(), "a/m".into()][..], &["b/m".into()][..])
    );
    let (exchange, _) = ask(&mut memory, 9000);
    assert_eq!(exchange.record.plan, ["a/m", "b/m", "c/m"]);
}

#[test]
fn when_all_are_banned_the_client_learns_when_to_come_again() {
    let mut memory = memory(2);
    for (target, wait) in [("a/m", 20_000), ("b/m", 7_500)] {
        let outcome =
            Outcome { target: target.into(), retry_after_ms: Some(wait), ..hinted(Failure::Throttled).unwrap() };
        memory.health.met(&outcome, "", 0, 0);
    }
    let (exchange, step) = ask(&mut memory, 0);
    let Step::Reply(reply) = step else { panic!("{step:?}") };
    assert_eq!((reply.status, exchange.record.refusal.as_str()), (429, "targets_resting"));
    assert!(reply.headers.contains(&(b"retry-after".to_vec(), b"8".to_vec())), "{:?}", reply.headers);
    assert_eq!(exchange.record.rested, ["a/m", "b/m"]);
    let told =
        |subject: &str| Told { subject: subject.into(), since_ms: 1, force: Some(Force::Open), ..Told::default() };
    memory.health.learn(Fleet { told: vec![told("a"), told("b")] }, 60_000);
    let (_, step) = ask(&mut memory, 60_000);
    assert!(matches!(step, Step::Reply(reply) if reply.status == 503));
}

#[test]
fn what_the_client_left_says_nothing_of_a_target() {
    let mut memory = memory(1);
    let (mut exchange, _) = ask(&mut memory, 0);
    exchange.turn(1, &mut memory, 0).unwrap();
    exchange.attempt_began(1, &mut memory);
    exchange.close();
    let outcome = Outcome { target: "a/m".into(), total_ms: 60_000, ..Outcome::default() };
    exchange.attempt_ended(1, outcome, &mut memory, 0);
    assert_eq!(exchange.record.outcomes[0].failure, None);
}
