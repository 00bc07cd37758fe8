use super::*;
use crate::json::{Json, Writer};

fn outcome(target: &str, failure: Option<Failure>) -> Outcome {
    let ending = if failure.is_some() { Ending::Retriable } else { Ending::Answered };
    Outcome { target: target.into(), ending, failure, status: 500, ..Outcome::default() }
}

fn hinted(target: &str, failure: Failure, wait_ms: u64) -> Outcome {
    Outcome { retry_after_ms: Some(wait_ms), ..outcome(target, Some(failure)) }
}

fn fleet(told: &[Told]) -> Fleet {
    Fleet { told: told.to_vec() }
}

fn told(subject: &str, since_ms: u64) -> Told {
    Told { subject: subject.into(), since_ms, ..Told::default() }
}

#[test]
fn a_target_that_says_for_how_long_is_asked_by_nobody_until_then() {
    for failure in [Failure::Throttled, Failure::Overloaded, Failure::Faulty] {
        let mut health = Health::default();
        health.met(&hinted("p/m", failure, 20_000), "", 0, 1000);
        assert!(
            matches!(health.fitness("p/m", Whose::Gateway, "", 20_999), Fitness::Banned(rest) if rest.until_ms == 21_000)
        );
        assert_eq!(health.fitness("p/m", Whose::Gateway, "", 21_000), Fitness::Fit, "{failure:?}");
        assert_eq!(health.fitness("p/n", Whose::Gateway, "", 1000), Fitness::Fit, "another model of it");
        health.met(&hinted("p/m", failure, 1), "", 0, 1000);
        assert!(
            matches!(health.fitness("p/m", Whose::Gateway, "", 20_999), Fitness::Banned(_)),
            "a shorter one does not end it"
        );
    }
}

#[test]
fn nothing_that_passes_is_waited_for_longer_than_a_quarter_of_an_hour() {
    let mut health = Health::default();
    health.met(&hinted("p/m", Failure::Throttled, 24 * 60 * 60 * 1000), "", 0, 0);
    assert!(matches!(health.fitness("p/m", Whose::Gateway, "", 0), Fitness::Banned(rest) if rest.until_ms == 900_000));
}

#[test]
fn a_guess_is_doubled_until_it_answers_and_forbids_nothing() {
    let mut health = Health::default();
    let mut last = 0;
    for guess in 0..9 {
        health.met(&outcome("p/m", Some(Failure::Throttled)), "", 7, 0);
        let Fitness::Averse(rest) = health.fitness("p/m", Whose::Gateway, "", 0) else { panic!("{guess}") };
        assert!(rest.until_ms >= last && rest.until_ms <= 60_000, "{guess}: {rest:?}");
        last = rest.until_ms;
    }
    assert!(last >= 30_000);
    health.met(&outcome("p/m", None), "", 0, 60_000);
    health.met(&outcome("p/m", Some(Failure::Throttled)), "", 7, 100_000);
    assert!(
        matches!(health.fitness("p/m", Whose::Gateway, "", 100_000), Fitness::Averse(rest) if rest.until_ms <= 101_000)
    );
}

#[test]
fn a_quota_that_is_used_up_is_not_tried_for_an_hour_whatever_else_was_said() {
    for said in [None, Some(39_000)] {
        let mut health = Health::default();
        let outcome = Outcome { retry_after_ms: said, ..outcome("p/m", Some(Failure::Exhausted)) };
        health.met(&outcome, "", 0, 0);
        assert!(matches!(health.fitness("p/m", Whose::Gateway, "", rest::QUOTA_MS - 1), Fitness::Banned(_)));
    }
    let mut health = Health::default();
    health.met(&hinted("p/m", Failure::Exhausted, 5 * rest::QUOTA_MS), "", 0, 0);
    assert!(matches!(health.fitness("p/m", Whose::Gateway, "", 5 * rest::QUOTA_MS - 1), Fitness::Banned(_)));
}

#[test]
fn what_an_accounts_own_credential_meets_is_about_that_account() {
    for failure in [Failure::Throttled, Failure::Exhausted, Failure::Credential] {
        let mut health = Health::default();
        let own = Outcome { whose: Whose::Account, ..hinted("p/m", failure, 9000) };
        health.met(&own, "acme", 0, 0);
        assert_ne!(health.fitness("p/m", Whose::Account, "acme", 0), Fitness::Fit);
        assert_eq!(health.fitness("p/m", Whose::Caller, "acme", 0), Fitness::Fit);
        assert_eq!(
            (health.fitness("p/m", Whose::Gateway, "", 0), health.fitness("p/m", Whose::Account, "other", 0)),
            (Fitness::Fit, Fitness::Fit)
        );
        let brought = Outcome { whose: Whose::Caller, ..hinted("q/m", failure, 9000) };
        health.met(&brought, "acme", 0, 0);
        assert_eq!(health.fitness("q/m", Whose::Account, "acme", 0), Fitness::Fit, "cool-downs are for those");
    }
}

#[test]
fn what_the_gateways_credential_meets_is_not_about_those_of_others() {
    let mut health = Health::default();
    health.met(&hinted("p/m", Failure::Throttled, 9000), "acme", 0, 0);
    assert!(matches!(health.fitness("p/m", Whose::Gateway, "", 0), Fitness::Banned(_)));
    for whose in [Whose::Account, Whose::Caller] {
        assert_eq!(health.fitness("p/m", whose, "acme", 0), Fitness::Fit, "{whose:?}");
    }
    health.met(&hinted("p/m", Failure::Overloaded, 90_000), "acme", 0, 0);
    assert!(matches!(health.fitness("p/m", Whose::Account, "acme", 0), Fitness::Banned(_)), "that is about everybody");
}

#[test]
fn whoever_fails_often_is_asked_last_and_what_requests_are_at_fault_for_counts_for_nothing() {
    let mut health = Health::default();
    for _ in 0..20 {
        for failure in [Failure::BadRequest, Failure::ContentPolicy, Failure::ContextTooLong] {
            health.met(&outcome("p/m", Some(failure)), "", 0, 0);
        }
    }
    assert_eq!(health.fitness("p/m", Whose::Gateway, "", 0), Fitness::Fit);
    (0..5).for_each(|_| _ = health.met(&outcome("p/m", Some(Failure::Faulty)), "", 0, 0));
    assert!(matches!(health.fitness("p/m", Whose::Gateway, "", 0), Fitness::Averse(_)));
    assert_eq!(health.fitness("p/n", Whose::Gateway, "", 0), Fitness::Fit, "it answers, so its provider is there");
    let silent = Outcome { status: 0, ..outcome("q/m", Some(Failure::Unreachable)) };
    (0..5).for_each(|_| _ = health.met(&silent, "", 0, 0));
    assert!(matches!(health.fitness("q/n", Whose::Gateway, "", 0), Fitness::Averse(_)), "nobody is there");
}

#[test]
fn who_comes_back_is_probed_by_one_request_at_a_time() {
    let mut health = Health::default();
    (0..5).for_each(|_| _ = health.met(&outcome("p/m", Some(Failure::Faulty)), "", 0, 0));
    let (mut due, mut back) = (health.settings.open_ms, Vec::new());
    for _ in 0..health.settings.successes {
        assert_eq!(health.fitness("p/m", Whose::Gateway, "", due), Fitness::Fit);
        health.asked("p/m", due);
        assert!(matches!(health.fitness("p/m", Whose::Gateway, "", due), Fitness::Averse(_)));
        back.push(health.met(&outcome("p/m", None), "", 0, due));
        due += 1000;
    }
    assert_eq!(back, [false, true], "the last one brings it back");
    health.asked("p/m", due);
    assert_eq!(health.fitness("p/m", Whose::Gateway, "", due), Fitness::Fit);
}

#[test]
fn what_others_met_holds_here_until_it_is_told_no_more() {
    let mut health = Health::default();
    let rest = Rest { until_ms: 90_000, why: Failure::Throttled, firmness: Firmness::Banned };
    let resting = Told { rest: Some(rest), ..told("p/m", 1) };
    let open = Told { open_until_ms: Some(50_000), ..told("q", 1) };
    health.learn(fleet(&[resting.clone(), open.clone()]), 1000);
    assert_eq!(health.fitness("p/m", Whose::Gateway, "", 1000), Fitness::Banned(rest));
    assert!(matches!(health.fitness("q/any", Whose::Gateway, "", 1000), Fitness::Averse(_)));
    assert_eq!(health.learn(fleet(&[resting]), 2000), ["q"]);
    assert_eq!(health.fitness("q/any", Whose::Gateway, "", 2000), Fitness::Fit);
    health.met(&hinted("p/m", Failure::Throttled, 70_000), "", 0, 30_000);
    health.learn(fleet(&[]), 31_000);
    assert!(
        matches!(health.fitness("p/m", Whose::Gateway, "", 95_000), Fitness::Banned(_)),
        "this was met here a moment ago"
    );
}

#[test]
fn the_same_opening_told_again_does_not_open_it_again() {
    let mut health = Health::default();
    let open = Told { open_until_ms: Some(50_000), ..told("p/m", 1) };
    health.learn(fleet(std::slice::from_ref(&open)), 1000);
    for _ in 0..2 {
        health.asked("p/m", 50_000);
        health.met(&outcome("p/m", None), "", 0, 50_000);
    }
    health.learn(fleet(&[open]), 50_000);
    assert_eq!(health.fitness("p/m", Whose::Gateway, "", 40_000), Fitness::Fit);
}

#[test]
fn an_operators_word_holds_against_everything_that_is_measured() {
    let mut health = Health::default();
    health.learn(fleet(&[Told { force: Some(Force::Open), ..told("p", 1) }]), 0);
    assert!(matches!(health.fitness("p/m", Whose::Gateway, "", 0), Fitness::Banned(_)));
    health.learn(fleet(&[]), 0);
    health.met(&hinted("p/m", Failure::Throttled, 90_000), "", 0, 0);
    health.learn(fleet(&[Told { force: Some(Force::Closed), ..told("p/m", 2) }]), 0);
    assert_eq!(health.fitness("p/m", Whose::Gateway, "", 0), Fitness::Fit);
    health.learn(fleet(&[Told { is_over: true, ..told("p/m", 3) }]), 0);
    assert_eq!(health.fitness("p/m", Whose::Gateway, "", 0), Fitness::Fit, "it was reset");
}

#[test]
fn where_it_is_switched_off_nothing_is_remembered_and_nothing_repeated() {
    let mut health = Health { settings: Settings { enabled: false, ..Settings::USUAL }, ..Health::default() };
    assert_eq!(Settings::read(Json::parse(&document(health.settings)).unwrap()), health.settings);
    (0..9).for_each(|_| _ = health.met(&hinted("p/m", Failure::Throttled, 9000), "", 0, 0));
    assert_eq!((health.fitness("p/m", Whose::Gateway, "", 0), health.may_repeat()), (Fitness::Fit, false));
    health.learn(fleet(&[Told { force: Some(Force::Open), ..told("p", 1) }]), 0);
    assert!(matches!(health.fitness("p/m", Whose::Gateway, "", 0), Fitness::Banned(_)), "an operator's word holds");
}

fn document(settings: Settings) -> Vec<u8> {
    let mut out = Writer::with_capacity(64);
    settings.write(&mut out);
    out.into_bytes()
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut health = Health::default();
    for number in 0..3 * MAX_SUBJECTS {
        health.met(&hinted(&format!("p/{number}"), Failure::Throttled, 9000), "", 0, 0);
    }
    assert!(health.subjects.len() <= MAX_SUBJECTS);
}
