//! A target is asked once more where it rejects a credential of which another can be had: at once where nobody follows it in the Plan,
//! else when those have failed.

use super::*;
use crate::exchange::Turn;

const NO: &[u8] = br#"{"error":{"message":"no"}}"#;

/// A memory with so many providers, whose credentials can be renewed or not.
fn renewable(count: usize, renewable: bool) -> Memory {
    let mut memory = memory(&vec![CHAT; count]);
    memory.health.settings.retry_percent = 0;
    for number in 1..=count {
        let value = Secret::new(format!("secret-of-p{number}").into_bytes());
        let credential = Credential { header: "x-api-key".into(), value, renewable };
        memory.equip(CredentialId::of_gateway(&format!("p{number}")), credential, 0, 0);
    }
    memory
}

/// An exchange that is on its way, and what the router wrote into its head.
fn sent(memory: &mut Memory) -> (Exchange, String) {
    let (path, body) = hello(CHAT, false);
    let (exchange, step) = exchange(memory, path, &body);
    let Step::Send(edits) = step else { panic!("{step:?}") };
    let pairs = edits.set.iter().map(|(name, value)| [name.as_slice(), b"=", value, b" "].concat());
    (exchange, String::from_utf8(pairs.collect::<Vec<_>>().concat()).unwrap())
}

/// The turn of an attempt, and whether it told the way to one more.
fn turn(exchange: &mut Exchange, memory: &mut Memory, number: usize) -> (Turn, bool) {
    let (turn, slot) = exchange.turn(number, memory, 1000).unwrap();
    (turn, slot.is_some())
}

#[test]
fn the_last_one_has_a_slot_more_where_its_credential_can_be_renewed() {
    for (count, can) in [(1, true), (2, true), (5, true), (1, false), (2, false)] {
        let mut memory = renewable(count, can);
        let (mut exchange, head) = sent(&mut memory);
        assert_eq!(head.matches("x-dragoman-try-").count(), count, "{head}");
        for number in 1..=count {
            let (turn, more) = turn(&mut exchange, &mut memory, number);
            assert_eq!((turn.may_renew, more), (can, can && number == count), "{number} of {count}");
        }
        assert!(exchange.turn(count + 1, &mut memory, 1000).is_none(), "nor from a connection that broke");
        assert!((0..=count + 2).all(|number| exchange.renewed(number).is_none()), "nobody has told of it");
        exchange.close();
        assert_eq!(exchange.record().unwrap().plan.len(), count, "it is no target more");
    }
}

#[test]
fn a_rejected_credential_is_replaced_once_and_no_other_failure_goes_there() {
    for (status, goes_on) in
        [("401", true), ("403", true), ("400", false), ("429", false), ("500", false), ("404", false)]
    {
        let mut memory = renewable(1, true);
        let (mut exchange, _) = sent(&mut memory);
        let asked = exchange.asked().unwrap();
        let (first, _) = turn(&mut exchange, &mut memory, 1);
        let (mut attempt, _) = Attempt::begin(Rc::clone(&asked), first, b"provider_p1", &[], 1000).unwrap();
        let passed = answer(&mut attempt, status, JSON, &[NO]);
        assert_eq!((passed.retry, attempt.may_renew()), (goes_on, goes_on), "{status}");
        if !goes_on {
            continue;
        }
        exchange.attempt_rejected(1);
        assert_eq!(exchange.renewed(2), Some(CredentialId::of_gateway("p1")));
        let fresh = Credential { header: "x-api-key".into(), value: Secret::new(b"fresh".to_vec()), renewable: true };
        let (second, more) = turn(&mut exchange, &mut memory, 2);
        assert!(!second.may_renew && !more);
        let begun = Attempt::begin_with(Some(Rc::new(fresh)), Rc::clone(&asked), second, b"provider_p1", &[], 1000);
        let (mut again, outgoing) = begun.unwrap();
        let values: Vec<&[u8]> = outgoing.head.iter().map(|(_, value)| value.as_slice()).collect();
        assert!(values.contains(&&b"fresh"[..]) && !values.contains(&&b"secret-of-p1"[..]));
        // Its word is the provider's, and what the provider says of the token stays here.
        let passed = answer(&mut again, status, JSON, &[br#"{"error":{"message":"fresh is no token"}}"#]);
        assert!(!passed.retry && !again.may_renew(), "{status}");
        assert!(!passed.text().contains("fresh"), "{}", passed.text());
    }
}

#[test]
fn one_that_others_follow_is_no_end_and_is_asked_with_another_when_they_have_failed() {
    let mut memory = renewable(2, true);
    let (mut exchange, _) = sent(&mut memory);
    let asked = exchange.asked().unwrap();
    let attempt = |exchange: &mut Exchange, memory: &mut Memory, number: usize, cluster: &str, status| {
        let (turn, more) = turn(exchange, memory, number);
        let (mut attempt, _) = Attempt::begin(Rc::clone(&asked), turn, cluster.as_bytes(), &[], 1000).unwrap();
        exchange.attempt_began(number, memory);
        let passed = answer(&mut attempt, status, JSON, &[NO]);
        if attempt.may_renew() {
            exchange.attempt_rejected(number);
        }
        exchange.attempt_ended(number, attempt.end(1010), memory, 1010);
        (passed.retry, more)
    };
    assert_eq!(attempt(&mut exchange, &mut memory, 1, "provider_p1", "401"), (true, false), "the next one is asked");
    assert_eq!(exchange.renewed(2), None, "with its own");
    assert_eq!(attempt(&mut exchange, &mut memory, 2, "provider_p2", "500"), (true, true), "and then the first again");
    assert_eq!(exchange.renewed(3), Some(CredentialId::of_gateway("p1")));
    assert_eq!(attempt(&mut exchange, &mut memory, 3, "provider_p1", "401"), (false, false), "once");

    // Both reject: both are asked once more.
    let mut memory = renewable(2, true);
    let (mut exchange, _) = sent(&mut memory);
    for (number, cluster) in [(1, "provider_p1"), (2, "provider_p2"), (3, "provider_p1"), (4, "provider_p2")] {
        let (turn, _) = turn(&mut exchange, &mut memory, number);
        let begun = Attempt::begin(exchange.asked().unwrap(), turn, cluster.as_bytes(), &[], 1000);
        let (mut attempt, _) = begun.unwrap_or_else(|| panic!("{number} is at {cluster}"));
        answer(&mut attempt, "401", JSON, &[NO]);
        assert_eq!(attempt.may_renew(), number < 4, "{number}");
        if attempt.may_renew() {
            exchange.attempt_rejected(number);
        }
    }
}
