//! The last target of a Plan is asked once more where it rejects a credential of which another can be had, and nobody else is.

use super::*;

const NO: &[u8] = br#"{"error":{"message":"no"}}"#;

/// A memory with so many providers, whose credentials can be renewed or not.
fn renewable(count: usize, renewable: bool) -> Memory {
    let mut memory = memory(&vec![CHAT; count]);
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

#[test]
fn the_last_one_has_a_slot_more_where_its_credential_can_be_renewed() {
    for (count, can, slots) in [(1, true, 2), (2, true, 3), (4, true, 5), (5, true, 5), (1, false, 1), (2, false, 2)] {
        let (mut exchange, head) = sent(&mut renewable(count, can));
        assert_eq!(head.matches("x-dragoman-try-").count(), slots, "{count} {can}: {head}");
        assert!(head.contains(&format!("x-envoy-max-retries={} ", slots - 1)), "{count} {can}: {head}");
        let asked = exchange.asked().unwrap();
        exchange.close();
        assert_eq!(exchange.record().unwrap().plan.len(), count, "it is no target more");
        assert_eq!(asked.planned(count + 1).is_some(), slots > count);
        assert_eq!(asked.renewed(count + 1).is_some(), slots > count);
        assert!((0..=count).all(|number| asked.renewed(number).is_none()) && asked.planned(0).is_none());
        assert!(asked.planned(count + 2).is_none());
    }
}

#[test]
fn a_rejected_credential_is_replaced_once_and_no_other_failure_goes_there() {
    for (status, goes_on) in
        [("401", true), ("403", true), ("400", false), ("429", false), ("500", false), ("404", false)]
    {
        let (mut exchange, _) = sent(&mut renewable(1, true));
        let asked = exchange.asked().unwrap();
        let (mut attempt, _) = begin(&asked, 1);
        let passed = answer(&mut attempt, status, JSON, &[NO]);
        assert_eq!((passed.retry, attempt.may_renew()), (goes_on, goes_on), "{status}");
        assert!(!exchange.may_begin(2), "{status}: nobody has told of it");
        if !goes_on {
            continue;
        }
        exchange.attempt_rejected();
        assert!(exchange.may_begin(2));
        let fresh = Credential { header: "x-api-key".into(), value: Secret::new(b"fresh".to_vec()), renewable: true };
        let begun = Attempt::begin_with(Some(Rc::new(fresh)), Rc::clone(&asked), 2, b"provider_p1", &[], 1000);
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
fn of_several_only_the_last_one_is_asked_again() {
    let (exchange, _) = sent(&mut renewable(2, true));
    let asked = exchange.asked().unwrap();
    let (mut attempt, _) = begin(&asked, 1);
    assert!(!answer(&mut attempt, "401", JSON, &[NO]).retry && !attempt.may_renew());
    let (mut attempt, _) = begin(&asked, 2);
    assert!(answer(&mut attempt, "401", JSON, &[NO]).retry && attempt.may_renew());
    assert!(Attempt::begin(Rc::clone(&asked), 3, b"provider_p1", &[], 1000).is_none(), "another's cluster");
    let (exchange, _) = sent(&mut renewable(1, false));
    let (mut attempt, _) = begin(&exchange.asked().unwrap(), 1);
    assert!(!answer(&mut attempt, "401", JSON, &[NO]).retry && !attempt.may_renew());
}
