use super::*;

const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const HERE: &str = "http://127.0.0.1/here";
const START: Duration = Duration::from_secs(100);

fn second(number: u64) -> Duration {
    START + Duration::from_secs(number)
}

/// A book, how it behaves, and the tokens of somebody who signed in.
fn signed_in(rotation: Rotation) -> (Book, Manners, Tokens) {
    let (mut book, manners) = (Book::of("test"), Manners { rotation, ..Manners::of("client") });
    let code = coded(&mut book, &manners, Some(challenge(VERIFIER)));
    let tokens = book.redeem(&code, Some(HERE), Some(VERIFIER), &manners, START).expect("tokens");
    (book, manners, tokens)
}

fn coded(book: &mut Book, manners: &Manners, challenge: Option<String>) -> String {
    book.code(Granted { redirect: HERE.to_owned(), challenge, scopes: "one two".to_owned() }, manners, START)
}

#[test]
fn a_code_is_good_once_and_used_again_it_ends_what_came_of_it() {
    let (mut book, manners) = (Book::of("test"), Manners::of("client"));
    let code = coded(&mut book, &manners, Some(challenge(VERIFIER)));
    let tokens = book.redeem(&code, Some(HERE), Some(VERIFIER), &manners, START).expect("tokens");
    assert_eq!(tokens.scopes, "one two");
    assert!(book.is_good(&tokens.access, START) && book.is_good(&tokens.refresh, START));
    assert!(book.redeem(&code, Some(HERE), Some(VERIFIER), &manners, START).is_err());
    assert!(!book.is_good(&tokens.access, START) && !book.is_good(&tokens.refresh, START));
    assert_eq!(book.revoked_by_reuse(), 1);
}

#[test]
fn a_code_is_good_with_its_verifier_at_its_place_and_in_its_time_only() {
    let manners = Manners::of("client");
    let other = VERIFIER.replace('d', "e");
    let wanted = Some(challenge(VERIFIER));
    let cases = [
        (wanted.clone(), HERE, Some(other.as_str()), 0),
        (wanted.clone(), HERE, None, 0),
        (wanted.clone(), HERE, Some("short"), 0),
        (wanted.clone(), "http://127.0.0.1/there", Some(VERIFIER), 0),
        (wanted.clone(), HERE, Some(VERIFIER), 61),
        // The challenge was taken off on the way; the verifier tells.
        (None, HERE, Some(VERIFIER), 0),
        // The challenge is the verifier: the method `plain`.
        (Some(VERIFIER.to_owned()), HERE, Some(VERIFIER), 0),
    ];
    for (challenge, redirect, verifier, later) in cases {
        let mut book = Book::of("test");
        let code = coded(&mut book, &manners, challenge);
        let answer = book.redeem(&code, Some(redirect), verifier, &manners, second(later));
        assert_eq!(answer, Err(no("invalid_grant")), "{redirect} {verifier:?} {later}");
    }
}

#[test]
fn a_refresh_token_that_comes_again_ends_its_family_and_no_other() {
    let (mut book, manners, first) = signed_in(Rotation::Strict);
    let (_, others) = book.begin("one", &manners, START);
    let second_one = book.refresh(&first.refresh, &manners, START).expect("tokens");
    assert_ne!(first.refresh, second_one.refresh);
    assert!(!book.is_good(&first.refresh, START) && book.is_good(&second_one.refresh, START));
    assert_eq!(book.refresh(&first.refresh, &manners, START), Err(no("invalid_grant")));
    assert_eq!(book.refresh(&second_one.refresh, &manners, START), Err(no("invalid_grant")));
    assert_eq!(book.revoked_by_reuse(), 1, "one family is ended once");
    assert!(!book.is_good(&second_one.access, START));
    assert!(book.is_good(&others.access, START) && book.refresh(&others.refresh, &manners, START).is_ok());
}

#[test]
fn a_lenient_server_forgives_who_lost_an_answer_for_a_while() {
    let (mut book, manners, first) = signed_in(Rotation::Lenient(Duration::from_secs(10)));
    let lost = book.refresh(&first.refresh, &manners, second(0)).expect("tokens");
    let again = book.refresh(&first.refresh, &manners, second(5)).expect("forgiven");
    assert!(!book.is_good(&lost.refresh, second(5)) && book.is_good(&again.refresh, second(5)));
    assert!(book.refresh(&first.refresh, &manners, second(11)).is_err(), "the time counts from the first use");
    assert_eq!(book.revoked_by_reuse(), 1);
    let (mut book, manners, first) = signed_in(Rotation::Never);
    for _ in 0..3 {
        assert_eq!(book.refresh(&first.refresh, &manners, START).expect("tokens").refresh, first.refresh);
    }
}

#[test]
fn tokens_end_by_the_clock_and_by_being_given_back() {
    let (mut book, _, tokens) = signed_in(Rotation::Strict);
    assert!(book.is_good(&tokens.access, second(3600)) && !book.is_good(&tokens.access, second(3601)));
    book.revoke(&tokens.access);
    assert!(!book.is_good(&tokens.access, START) && book.is_good(&tokens.refresh, START));
    book.revoke(&tokens.refresh);
    book.revoke("what nobody was given");
    assert!(!book.is_good(&tokens.refresh, START));
    assert_eq!(book.revoked_by_reuse(), 0);
}

#[test]
fn a_device_waits_for_its_person_and_is_told_when_it_asks_too_often() {
    let (mut book, manners) = (Book::of("test"), Manners::of("client"));
    let started = book.device("one", &manners, START);
    let poll = |book: &mut Book, at: u64| {
        book.poll(&started.device_code, &manners, second(at)).map_err(|no| (no.error, no.early))
    };
    assert_eq!(poll(&mut book, 0), Err(("authorization_pending", false)));
    assert_eq!(poll(&mut book, 1), Err(("authorization_pending", false)));
    assert_eq!(poll(&mut book, 1), Err(("slow_down", true)));
    assert_eq!(poll(&mut book, 6), Err(("slow_down", true)), "six seconds from then on");
    assert_eq!(poll(&mut book, 17), Err(("authorization_pending", false)));
    assert!(book.slow_down(&started.user_code));
    assert_eq!(poll(&mut book, 28), Err(("slow_down", false)), "told on purpose");
    assert!(book.decide(&started.user_code, true) && !book.decide("WRNG-WRNG", true));
    assert!(poll(&mut book, 44).is_ok());
    assert_eq!(poll(&mut book, 60), Err(("invalid_grant", false)), "once only");
    let (denied, late) = (book.device("one", &manners, START), book.device("one", &manners, START));
    assert!(book.decide(&denied.user_code, false));
    let error = |book: &mut Book, code: &str, at| book.poll(code, &manners, second(at)).map_err(|no| no.error);
    assert_eq!(error(&mut book, &denied.device_code, 1), Err("access_denied"));
    assert_eq!(error(&mut book, &late.device_code, 601), Err("expired_token"));
    assert_eq!(error(&mut book, "unknown", 1), Err("invalid_grant"));
}
