use super::super::Firmness;
use super::*;
use crate::failure::Failure;
use crate::health::{Fitness, Force};
use crate::record::{Ending, Whose};

/// An exchange that ended at that moment with one attempt.
fn record(target: &str, failure: Option<Failure>, wait_ms: u64, ended_ms: u64) -> Record {
    let ending = if failure.is_some() { Ending::Retriable } else { Ending::Answered };
    let status = if failure == Some(Failure::Unreachable) { 0 } else { 500 };
    let retry_after_ms = (wait_ms > 0).then_some(wait_ms);
    let outcome =
        Outcome { target: target.into(), ending, status, failure, retry_after_ms, total_ms: 10, ..Outcome::default() };
    Record { began_ms: ended_ms - 10, account: "acme".into(), outcomes: vec![outcome], ..Record::default() }
}

fn see(view: &mut View, target: &str, failure: Option<Failure>, now_ms: u64) -> bool {
    view.observe(&record(target, failure, 0, now_ms), 0, now_ms)
}

/// A view of a fleet in which that target was found to fail at that moment.
fn failing(target: &str, now_ms: u64) -> View {
    let mut view = View::default();
    (0..5).for_each(|_| _ = see(&mut view, target, Some(Failure::Faulty), now_ms));
    view
}

fn worker(view: &View, now_ms: u64) -> Health {
    let mut health = Health::default();
    health.learn(view.fleet(), now_ms);
    health
}

fn fitness(health: &Health, now_ms: u64) -> Fitness {
    health.fitness("p/m", Whose::Gateway, "", now_ms)
}

#[test]
fn a_hint_that_one_was_given_is_kept_by_all_until_it_is_over_by_the_clock_of_whoever_heard_it() {
    let mut view = View::default();
    let heard = record("p/m", Some(Failure::Throttled), 20_000, 100_000);
    assert!(view.observe(&heard, 0, 101_000));
    let other = worker(&view, 101_000);
    assert!(matches!(fitness(&other, 119_999), Fitness::Banned(_)));
    assert_eq!(fitness(&other, 120_000), Fitness::Fit, "it counts from when it was said, not from when we heard of it");
    assert!(!view.observe(&heard, 0, 101_000), "the same again is no news");
    assert!(!view.observe(&record("q/m", Some(Failure::Throttled), 5000, 100_000), 0, 200_000), "it was over long ago");
    assert!(!see(&mut view, "p/n", None, 101_000), "and so is what went well");
}

#[test]
fn what_opened_here_opens_everywhere_and_what_recovered_recovers_everywhere() {
    let mut view = failing("p/m", 100_000);
    let mut told = worker(&view, 100_000);
    assert!(matches!(fitness(&told, 129_999), Fitness::Averse(_)));
    assert!(!see(&mut view, "p/m", None, 100_500), "a late answer closes nothing");
    let due = 131_000;
    assert!(!see(&mut view, "p/m", None, due), "one probe is no recovery");
    assert!(see(&mut view, "p/m", None, due + 100));
    told.learn(view.fleet(), due + 200);
    told.asked("p/m", due + 200);
    assert_eq!(fitness(&told, due + 200), Fitness::Fit);
    assert_eq!(view.of("p/m", due + 200), None);
    assert!(view.fleet().told[0].is_over);
    assert!(!view.expire(due + 60_099) && view.expire(due + 60_101) && view.fleet().told.is_empty());
}

#[test]
fn a_probe_that_fails_is_told_as_a_new_opening() {
    let mut view = failing("p/m", 100_000);
    let first = view.fleet().told[0].clone();
    assert!(see(&mut view, "p/m", Some(Failure::Faulty), 131_000));
    let second = view.fleet().told[0].clone();
    assert!(second.since_ms > first.since_ms && second.open_until_ms > first.open_until_ms);
}

#[test]
fn an_operators_word_comes_by_the_store_and_outlives_what_is_met() {
    let mut view = failing("p/m", 100_000);
    let forced = Told { subject: "p/m".into(), since_ms: 1, force: Some(Force::Closed), ..Told::default() };
    assert!(view.adopt(forced.clone(), 100_001), "though more was learnt since");
    assert_eq!(fitness(&worker(&view, 100_001), 100_001), Fitness::Fit);
    assert!(!view.adopt(forced, 100_002));
    assert!(!view.expire(u64::MAX - 1), "it has no end");
    let reset = Told { subject: "p/m".into(), since_ms: 200_000, is_over: true, ..Told::default() };
    assert!(view.adopt(reset, 200_000));
    assert_eq!((view.of("p/m", 200_000), view.health.subjects["p/m"].breaker.is_closed()), (None, true));
}

#[test]
fn what_two_views_learnt_at_the_same_time_is_known_to_both_at_last() {
    let (mut one, mut two) = (failing("p/m", 100_000), View::default());
    two.observe(&record("p/m", Some(Failure::Throttled), 50_000, 100_001), 0, 100_001);
    for told in two.changes() {
        assert!(one.adopt(told, 100_002));
    }
    for told in one.changes() {
        two.adopt(told, 100_003);
    }
    let [one, two] = [one, two].map(|view| view.of("p/m", 100_004).unwrap());
    assert_eq!(one, two);
    assert!(one.open_until_ms.is_some() && one.rest.is_some_and(|rest| rest.firmness == Firmness::Banned));
}

#[test]
fn a_provider_is_brought_back_by_probes_and_its_targets_are_not() {
    let mut view = View::default();
    (0..5).for_each(|_| _ = see(&mut view, "p/m", Some(Failure::Unreachable), 100_000));
    assert!(view.of("p", 100_000).is_some() && view.of("p/m", 100_000).is_some());
    assert!(!view.probed("p", true, 101_000, 101_100), "its time is not over");
    assert!(!view.probed("p", true, 131_000, 131_100) && view.probed("p", true, 132_000, 132_100));
    assert!(view.of("p", 133_000).is_none() && view.of("p/m", 133_000).is_some());
    for at in 0..5 {
        view.probed("p", false, 140_000 + at, 140_000 + at);
    }
    assert!(view.of("p", 141_000).is_some(), "nobody was there");
}

#[test]
fn what_an_account_met_with_its_own_credential_is_told_of_that_account() {
    let mut view = View::default();
    let mut record = record("p/m", Some(Failure::Throttled), 20_000, 100_000);
    record.outcomes[0].whose = Whose::Account;
    assert!(view.observe(&record, 0, 100_000));
    assert_eq!(view.subjects().collect::<Vec<_>>(), ["p/m@acme"]);
}

#[test]
fn what_nobody_tries_for_an_hour_is_forgotten_and_what_is_kept_is_bounded() {
    let mut view = View::default();
    for number in 0..3 * MAX_TOLD {
        let target = format!("p/{number}");
        (0..5).for_each(|_| _ = see(&mut view, &target, Some(Failure::Faulty), 100_000));
    }
    assert_eq!(view.fleet().told.len(), MAX_TOLD);
    let forced = Told { subject: "q".into(), since_ms: 1, force: Some(Force::Open), ..Told::default() };
    assert!(view.adopt(forced, 100_000), "an operator is always heard");
    assert!(view.health.subjects.len() <= 2 * MAX_TOLD + 1);
    let changes = view.changes();
    assert_eq!(changes.len(), MAX_TOLD);
    assert!(view.changes().is_empty());
    view.not_kept(changes);
    assert_eq!(view.changes().len(), MAX_TOLD);
    view.expire(100_000 + 30_000 + UNTRIED_MS);
    assert_eq!(view.subjects().collect::<Vec<_>>(), ["q"]);
}
