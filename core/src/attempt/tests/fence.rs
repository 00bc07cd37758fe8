//! Law 11: among targets, and among tenants: whoever has a key of their own uses it, and nobody else ever does.

use super::*;
use crate::exchange::Question;

const ACCOUNTS: [&str; 5] = ["", "acme", "acme.a", "evil", "acmes"];

/// What the control plane would say: each credential tells whose it is.
fn answer_question(memory: &mut Memory, question: &Question) {
    let Question::Credential(which) = question else { panic!("{question:?}") };
    let whose = if which.account.is_empty() { "gateway" } else { &which.account };
    let value = Secret::new(format!("secret-for-{}-of-{whose}.", which.id).into_bytes());
    memory.equip(which.clone(), Credential { header: "x-api-key".into(), value, renewable: false }, 0, 0);
}

/// The credential of a provider that a caller's attempt has to carry; `None` when there is none for it.
fn expected(account: &str, id: &str, own: &[String], own_only: bool) -> Option<String> {
    match (own.iter().any(|one| one == id) && !account.is_empty(), own_only) {
        (true, _) => Some(format!("secret-for-{id}-of-{account}.")),
        (false, false) => Some(format!("secret-for-{id}-of-gateway.")),
        (false, true) => None,
    }
}

fn shown(outgoing: &Outgoing) -> String {
    let text = outgoing.head.iter().map(|(name, value)| [name.as_slice(), b": ", value, b"\n"].concat());
    String::from_utf8(text.collect::<Vec<_>>().concat()).unwrap()
}

/// One exchange of an account through all the attempts of its Plan, in the memory that it shares with everybody.
fn walk(memory: &mut Memory, account: &str, own: &[String], own_only: &[bool]) {
    let grant = Grant { caller: "c".into(), account: account.into(), own: own.to_vec(), ..Grant::default() };
    memory.admit(digest(b"caller-key"), Some(grant), 1_000_000, 0);
    let (path, body) = hello(CHAT, false);
    let (mut exchange, mut step) = exchange(memory, path, &body);
    if let Step::Ask(questions) = &step {
        questions.iter().for_each(|question| answer_question(memory, question));
        step = exchange.advance(memory, 1000);
    }
    let wanted: Vec<(String, String)> = (1..=own_only.len())
        .filter_map(|number| {
            let id = format!("p{number}");
            expected(account, &id, own, own_only[number - 1]).map(|value| (id, value))
        })
        .collect();
    if wanted.is_empty() {
        assert!(matches!(step, Step::Reply(_)), "{account}: {step:?}");
        return;
    }
    assert!(matches!(step, Step::Send(_)), "{account}: {step:?}");
    let asked = exchange.asked().unwrap();
    assert_eq!(asked.plan.len(), wanted.len(), "{account}");
    let mut left: Vec<Header> = Vec::new();
    for (at, (id, value)) in wanted.iter().enumerate() {
        let current: Vec<HeaderRef<'_>> =
            left.iter().map(|(name, value)| (name.as_slice(), value.as_slice())).collect();
        let cluster = format!("provider_{id}");
        let begun = Attempt::begin(Rc::clone(&asked), asked.turn(at + 1), cluster.as_bytes(), &current, 1000);
        let (mut attempt, outgoing) = begun.unwrap();
        let head = shown(&outgoing);
        assert_eq!(head.matches("secret-for-").count(), 1, "{account}: {head}");
        assert!(head.contains(value.as_str()), "{account} at {id}: {head}");
        left = outgoing.head;
        answer(&mut attempt, "401", JSON, &[br#"{"error":{"message":"no"}}"#]);
        let CredentialId { id: rejected, account: of } = attempt.rejected_credential().unwrap();
        let of = if of.is_empty() { "gateway" } else { of };
        assert_eq!(*value, format!("secret-for-{rejected}-of-{of}."));
    }
}

proptest! {
    #[test]
    fn no_attempt_carries_a_credential_of_another_account(
        own_only in proptest::collection::vec(any::<bool>(), 1..4),
        walks in proptest::collection::vec((0..ACCOUNTS.len(), proptest::collection::vec(any::<bool>(), 3)), 1..12),
    ) {
        let dialects = vec![CHAT; own_only.len()];
        let mut memory = memory_with(&dialects, |provider| {
            let number: usize = provider.id[1..].parse().unwrap();
            provider.own_only = own_only[number - 1];
            if provider.own_only {
                provider.credential.clear();
            }
        });
        for number in 1..=own_only.len() {
            answer_question(&mut memory, &Question::Credential(CredentialId::of_gateway(&format!("p{number}"))));
        }
        for (account, has) in walks {
            let own: Vec<String> = (1..=own_only.len()).filter(|number| has[number - 1]).map(|number| format!("p{number}")).collect();
            walk(&mut memory, ACCOUNTS[account], &own, &own_only);
        }
    }
}

#[test]
fn an_own_credential_that_can_not_be_had_is_not_replaced_by_the_gateways() {
    let mut memory = memory(&[CHAT, CHAT]);
    let grant = Grant { caller: "c".into(), account: "acme".into(), own: vec!["p1".into()], ..Grant::default() };
    memory.admit(digest(b"caller-key"), Some(grant), 1_000_000, 0);
    let (path, body) = hello(CHAT, false);
    let (mut exchange, step) = exchange(&mut memory, path, &body);
    assert!(
        matches!(&step, Step::Ask(asked) if asked[..] == [Question::Credential(CredentialId::of_account("p1", "acme"))])
    );
    assert!(matches!(exchange.advance(&mut memory, 1000), Step::Send(_)));
    let ids: Vec<String> = exchange.asked().unwrap().plan.iter().map(|planned| planned.target.id.clone()).collect();
    assert_eq!(ids, ["p2/m"]);
}

/// Law 11.
#[test]
fn no_attempt_carries_the_credential_of_another() {
    for client in CLIENTS {
        let asked = asked(&mut memory(&[CHAT, MESSAGES, GENERATE]), client, true);
        let (_, first) = begin(&asked, 1);
        // The head that attempt 2 finds is the one that attempt 1 has left.
        let left: Vec<HeaderRef> = first.head.iter().map(|(name, value)| (name.as_slice(), value.as_slice())).collect();
        let (_, second) = Attempt::begin(Rc::clone(&asked), asked.turn(2), b"provider_p2", &left, 1000).unwrap();
        for (outgoing, own) in [(&first, "secret-of-p1"), (&second, "secret-of-p2")] {
            let head = shown(outgoing);
            assert_eq!(head.matches("secret-of-").count(), 1, "{head}");
            assert!(head.contains(own), "{head}");
            for private in ["caller-key", "private", "spoofed"] {
                assert!(!head.contains(private), "{head}");
            }
        }
        assert!(
            Attempt::begin(Rc::clone(&asked), asked.turn(2), b"provider_p1", &[], 1000).is_none(),
            "another's cluster"
        );
        assert!(
            Attempt::begin(Rc::clone(&asked), asked.turn(4), b"provider_p1", &[], 1000).is_none(),
            "not in the Plan"
        );
        assert!(Attempt::begin(Rc::clone(&asked), asked.turn(0), b"provider_p1", &[], 1000).is_none());
    }
}

#[test]
fn a_provider_that_echoes_the_credential_is_not_passed_on() {
    let asked = asked(&mut memory(&[CHAT]), CHAT, false);
    let (mut attempt, _) = begin(&asked, 1);
    let body = br#"{"error":{"message":"bad key secret-of-p1","type":"t"}}"#;
    let passed = answer(&mut attempt, "401", JSON, &[body]);
    assert!(!passed.text().contains("secret-of-p1"), "{}", passed.text());
    assert_eq!(attempt.rejected_credential(), Some(&CredentialId::of_gateway("p1")));
}
