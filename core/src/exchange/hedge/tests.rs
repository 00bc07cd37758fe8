use super::*;
use crate::attempt::left_unheard;
use crate::exchange::Step;
use crate::exchange::walk::tests::{ask_with, memory};
use crate::failure::Failure;
use crate::loss::Losses;
use crate::snapshot::{Patience, Snapshot};

const BODY: &str = r#"{"model":"m","messages":[{"role":"user","content":"some words to read"}]}"#;

const AFTER: Hedge = Hedge { after: HedgeAfter::Time(2_000), share: 50 };

fn hedging(targets: usize, hedge: Hedge) -> Memory {
    let mut memory = memory(targets);
    let mut snapshot = memory.snapshot().map(|snapshot| Snapshot::clone(snapshot)).unwrap();
    snapshot.routes[0].patience = Patience { hedge: Some(hedge), ..Patience::default() };
    memory.publish(snapshot);
    memory
}

fn ask(memory: &mut Memory, body: &str) -> (Exchange, HeadEdits) {
    let (exchange, step) = ask_with(memory, &[], body, 0);
    let Step::Send(edits) = step else { panic!("{step:?}") };
    (exchange, edits)
}

fn said<'e>(edits: &'e HeadEdits, wanted: &str) -> Option<&'e str> {
    let found = edits.set.iter().find(|(name, _)| name == wanted.as_bytes());
    found.map(|(_, value)| core::str::from_utf8(value).unwrap())
}

/// An attempt comes to the hop, and to its target if it goes on.
fn come(exchange: &mut Exchange, number: usize, memory: &mut Memory) -> &'static str {
    match exchange.hop(number, memory) {
        Hop::Wait => "waits",
        Hop::Nobody => "nobody",
        Hop::Go(edits) => {
            let (turn, _) = exchange.turn(number, memory, 0).unwrap();
            exchange.attempt_began(number, memory);
            let asked = exchange.asked().unwrap();
            let own = asked.snapshot.slot(asked.plan[turn.place].target.provider);
            assert_eq!(said(&edits, "x-dragoman-try-1"), own, "the hop knows whose turn it is");
            assert_eq!(said(&edits, FIRST_EVENT), Some("60000"), "and how long that one may be silent");
            ["a", "b", "c"][turn.place]
        }
    }
}

fn outcome(target: &str, ending: Ending) -> Outcome {
    Outcome { target: target.into(), ending, total_ms: 9_000, ..Outcome::default() }
}

fn fails(exchange: &mut Exchange, number: usize, target: &str, memory: &mut Memory) {
    exchange.hop_back(number);
    let failed = Outcome { failure: Some(Failure::Faulty), status: 500, ..outcome(target, Ending::Retriable) };
    exchange.attempt_ended(number, failed, memory, 0);
    exchange.hop_left(number);
}

#[test]
fn all_attempts_go_over_the_hop_and_a_late_one_goes_on() {
    let (exchange, edits) = ask(&mut hedging(3, AFTER), BODY);
    let slots =
        edits.set.iter().filter(|(name, value)| name.starts_with(SLOT.as_bytes()) && *value == slot(HOP).as_bytes());
    assert_eq!((slots.count(), said(&edits, "x-envoy-max-retries")), (9, Some("8")));
    assert_eq!((said(&edits, HEDGE), said(&edits, FIRST_EVENT)), (Some("true"), Some("2000")));
    assert_eq!(exchange.record.plan, ["a/m", "b/m", "c/m"]);
}

#[test]
fn what_may_not_be_hedged_goes_as_ever() {
    let goes = |memory: &mut Memory, body: &str| {
        let (mut exchange, edits) = ask(memory, body);
        assert_eq!((said(&edits, HEDGE), said(&edits, FIRST_EVENT)), (None, Some("60000")), "{body}");
        assert_ne!(said(&edits, "x-dragoman-try-1"), Some(slot(HOP).as_str()));
        assert_eq!(exchange.hop(1, memory), Hop::Nobody);
    };
    goes(&mut memory(2), BODY);
    goes(&mut hedging(1, AFTER), BODY);
    goes(&mut hedging(2, Hedge { after: HedgeAfter::Time(60_000), ..AFTER }), BODY);
    for more in [r#""store":true"#, r#""background":true"#, r#""conversation":"c1""#] {
        goes(&mut hedging(2, AFTER), &BODY.replacen('{', &format!("{{{more},"), 1));
    }
    let large = BODY.replace("words", &"w".repeat(MAX_BODY));
    goes(&mut hedging(2, AFTER), &large);
    let (_, edits) = ask(&mut hedging(2, AFTER), &BODY.replacen('{', r#"{"store":false,"#, 1));
    assert_eq!(said(&edits, HEDGE), Some("true"), "what is kept nowhere may be");
}

#[test]
fn slow_is_what_the_first_one_shows() {
    let mut memory = hedging(2, Hedge { after: HedgeAfter::Slowest, ..AFTER });
    for number in 0..32 {
        let (mut exchange, edits) = ask(&mut memory, BODY);
        assert_eq!(said(&edits, HEDGE), None, "{number} is not enough");
        exchange.turn(1, &mut memory, 0).unwrap();
        exchange.attempt_began(1, &mut memory);
        exchange.attempt_answers(1, &Losses::default());
        let answered = Outcome { first_event_ms: Some(300 + number), ..outcome("a/m", Ending::Answered) };
        exchange.attempt_ended(1, answered, &mut memory, 0);
    }
    let (_, edits) = ask(&mut memory, BODY);
    assert_eq!(said(&edits, FIRST_EVENT), Some("330"));
}

#[test]
fn one_is_made_beside_a_late_one_and_others_wait_until_somebody_failed() {
    let mut memory = hedging(3, AFTER);
    let (mut exchange, _) = ask(&mut memory, BODY);
    assert_eq!([1, 2, 3].map(|number| come(&mut exchange, number, &mut memory)), ["a", "b", "waits"]);
    assert_eq!(exchange.hop(3, &mut memory), Hop::Wait, "woken for nothing");
    fails(&mut exchange, 2, "b/m", &mut memory);
    assert_eq!(come(&mut exchange, 3, &mut memory), "c");
    fails(&mut exchange, 1, "a/m", &mut memory);
    assert_eq!(come(&mut exchange, 4, &mut memory), "b", "it failed in passing");
}

#[test]
fn without_a_free_hedge_it_waits_until_the_first_has_failed() {
    let mut memory = hedging(2, Hedge { share: 1, ..AFTER });
    let mut hedged = 0;
    for _ in 0..200 {
        let (mut exchange, _) = ask(&mut memory, BODY);
        assert_eq!(come(&mut exchange, 1, &mut memory), "a");
        if come(&mut exchange, 2, &mut memory) == "waits" {
            exchange.hop_left(1);
            assert_eq!(come(&mut exchange, 2, &mut memory), "b");
        } else {
            hedged += 1;
        }
    }
    assert_eq!(hedged, 2, "one to begin with, and one of a hundred");
}

#[test]
fn who_loses_has_not_failed_and_is_paid_for_what_it_read() {
    for winner in [1, 2] {
        let mut memory = hedging(2, AFTER);
        let (mut exchange, _) = ask(&mut memory, BODY);
        assert_eq!([1, 2].map(|number| come(&mut exchange, number, &mut memory)), ["a", "b"]);
        let (first, second) = if winner == 1 { ("a/m", "b/m") } else { ("b/m", "a/m") };
        let loser = 3 - winner;
        assert!(exchange.attempt_answers(winner, &Losses::default()));
        assert!(!exchange.attempt_answers(loser, &Losses::default()), "there is one answer");
        assert_eq!(exchange.hop_back(winner), HeadEdits::default());
        exchange.hop_left(winner);
        assert_eq!(exchange.hop(3, &mut memory), Hop::Wait, "nobody else is asked any more");
        let answered = Outcome { status: 200, ..outcome(first, Ending::Answered) };
        exchange.attempt_ended(winner, answered, &mut memory, 9_000);
        exchange.attempt_ended(loser, outcome(second, Ending::Silent), &mut memory, 9_000);
        exchange.close();
        let outcomes = &exchange.record().unwrap().outcomes;
        assert_eq!((outcomes[0].ending, outcomes[0].failure), (Ending::Outrun, None));
        assert_eq!(outcomes[1].ending, Ending::Answered, "who answered stands last");
        let mut expected = Outcome::default();
        left_unheard(&exchange.asked().unwrap(), &mut expected);
        assert!(expected.estimate.is_some() && outcomes[0].estimate == expected.estimate);
        let hedged = outcomes.iter().find(|outcome| outcome.hedged_after_ms == Some(2_000)).unwrap();
        assert_eq!(hedged.target, "b/m");
        assert_eq!(exchange.record().unwrap().took_ms(), if winner == 1 { 9_000 } else { 11_000 });
    }
}

#[test]
fn who_fails_beside_another_lets_that_one_speak_and_the_last_one_speaks_itself() {
    let mut memory = hedging(2, AFTER);
    let (mut exchange, _) = ask(&mut memory, BODY);
    assert_eq!(come(&mut exchange, 1, &mut memory), "a");
    assert_eq!(exchange.after(1), None, "alone, it goes on as ever");
    assert_eq!(come(&mut exchange, 2, &mut memory), "b");
    assert_eq!([1, 2].map(|number| exchange.after(number)), [Some(After::Another); 2]);
    assert_eq!(said(&exchange.hop_back(2), RETRY), Some("yes"));
    assert_eq!(exchange.after(1), None);
    (3..=9).for_each(|number| _ = exchange.hop(number, &mut memory));
    assert_eq!(exchange.after(1), Some(After::Another), "somebody waits");
    exchange.hop_left(3);
    assert_eq!(exchange.after(1), Some(After::Nobody), "Envoy tries no more");
}

#[test]
fn a_client_that_leaves_has_outrun_nobody() {
    let mut memory = hedging(2, AFTER);
    let (mut exchange, _) = ask(&mut memory, BODY);
    assert_eq!([1, 2].map(|number| come(&mut exchange, number, &mut memory)), ["a", "b"]);
    exchange.close();
    for (number, target) in [(1, "a/m"), (2, "b/m")] {
        exchange.attempt_ended(number, outcome(target, Ending::Silent), &mut memory, 0);
    }
    exchange.hop_left(1);
    assert_eq!(exchange.hop(3, &mut memory), Hop::Wait, "nobody is asked for who has left");
    let endings: Vec<Ending> = exchange.record().unwrap().outcomes.iter().map(|outcome| outcome.ending).collect();
    assert_eq!(endings, [Ending::Abandoned; 2]);
}
