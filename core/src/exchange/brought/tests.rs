use super::super::{Asked, Exchange, Opening, Step};
use super::*;
use crate::admission::{Grant, digest};
use crate::catalog::{DialectId, Passthrough, Target};
use crate::memory::{CoolDown, CredentialId, Memory};
use crate::record::Outcome;
use crate::snapshot::{Loss, Route, Snapshot};

const TOKEN: &str = "sub-oat-alices-own";

/// A provider for those who have an own credential, which takes tokens that begin with `sub-oat`; but `keyed` has the gateway's.
pub(in super::super) fn provider(id: &str, dialect: DialectId) -> Provider {
    Provider {
        credential: if id == "keyed" { id.into() } else { String::new() },
        own_only: id != "keyed",
        passthrough: Passthrough {
            prefixes: if id == "keyed" { vec![] } else { vec!["sub-oat".into()] },
            issuers: vec![],
        },
        ..Provider::plain(id, dialect)
    }
}

/// A route to `people`, which takes tokens that begin with `sub-oat`, then to `keyed`, which has the gateway's key.
fn memory() -> Memory {
    let providers = vec![
        provider("people", DialectId::Messages),
        provider("keyed", DialectId::Messages),
        provider("foreign", DialectId::ChatCompletions),
    ];
    let targets = ["people/m", "keyed/m", "foreign/m"];
    let targets = targets.iter().enumerate().map(|(at, id)| Target::unlisted((*id).into(), at, "m")).collect();
    let route = |name: &str, candidates: &[usize]| Route {
        name: name.into(),
        candidates: candidates.to_vec(),
        loss: Loss::Warn,
        ..Route::default()
    };
    let routes = vec![route("both", &[0, 1]), route("theirs", &[0]), route("foreign", &[2, 1])];
    let mut memory = Memory::default();
    memory.publish(Snapshot::new(1, providers, targets, routes, vec![]).unwrap());
    memory.admit(digest(b"k"), Some(Grant { caller: "key_1".into(), ..Grant::default() }), 1_000_000, 0);
    let gateways =
        Credential { header: "x-api-key".into(), value: Secret::new(b"gateways".to_vec()), renewable: false };
    memory.equip(CredentialId::of_gateway("keyed"), gateways, 0, 0);
    memory
}

fn ask(memory: &mut Memory, route: &str, headers: &[(&str, &str)]) -> (Exchange, Step) {
    let all = [(":method", "POST"), (":path", "/v1/messages"), ("content-type", "application/json")];
    let all = all.iter().chain(headers);
    let headers = all.map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec())).collect();
    let (mut exchange, _) = Exchange::begin(Head { headers }, "x-vm1".into(), memory, 0);
    let body = format!(r#"{{"model":"{route}","max_tokens":10,"messages":[{{"role":"user","content":"hi"}}]}}"#);
    let step = exchange.body(body.into_bytes(), memory, 0);
    (exchange, step)
}

fn with_token(memory: &mut Memory, route: &str, token: &str) -> (Exchange, Step) {
    ask(memory, route, &[("x-dragoman-key", "k"), ("authorization", &format!("Bearer {token}"))])
}

/// Who is asked, and with which header.
fn asked(exchange: &Exchange) -> Vec<(String, String)> {
    let asked: Rc<Asked> = exchange.asked().unwrap();
    let value = |credential: &Rc<Credential>| String::from_utf8(credential.value.expose().to_vec()).unwrap();
    let shown = |credential: &Rc<Credential>| format!("{}: {}", credential.header, value(credential));
    let sent = asked
        .plan
        .iter()
        .map(|planned| (planned.target.id.clone(), planned.credential.as_ref().map(shown).unwrap_or_default()));
    sent.collect()
}

fn both() -> Vec<(String, String)> {
    let theirs = ("people/m".to_string(), format!("authorization: Bearer {TOKEN}"));
    vec![theirs, ("keyed/m".to_string(), "x-api-key: gateways".to_string())]
}

#[test]
fn a_callers_own_token_goes_as_it_came_to_whom_it_is_for_and_to_nobody_else() {
    let mut memory = memory();
    let (exchange, step) = with_token(&mut memory, "both", TOKEN);
    assert!(matches!(step, Step::Send(_)), "{step:?}");
    assert_eq!(asked(&exchange), both());
    assert_eq!(exchange.record.caller, "key_1");
    let (exchange, _) = ask(&mut memory, "both", &[("x-dragoman-key", "k"), ("x-api-key", TOKEN)]);
    assert_eq!(asked(&exchange)[0].1, format!("x-api-key: {TOKEN}"));
}

#[test]
fn what_is_no_token_of_the_provider_or_would_be_said_in_another_dialect_is_not_sent() {
    let mut memory = memory();
    for (route, token) in [("both", "another-makers"), ("foreign", TOKEN), ("both", "")] {
        let (exchange, _) = with_token(&mut memory, route, token);
        assert_eq!(asked(&exchange), both()[1..], "{route} {token}");
    }
    let (exchange, _) = ask(&mut memory, "both", &[("authorization", "Bearer k")]);
    assert_eq!(asked(&exchange), both()[1..], "without a token of one's own");
    assert_eq!(exchange.record.bearer, "");
}

#[test]
fn the_token_is_no_key_and_the_key_no_token() {
    let mut memory = memory();
    let (_, step) = ask(&mut memory, "both", &[("authorization", &format!("Bearer {TOKEN}"))]);
    assert!(matches!(step, Step::Wait), "a token alone is a key that nobody has, and asked about: {step:?}");
    for headers in [
        &[("x-dragoman-key", ""), ("authorization", "Bearer k")][..],
        &[("x-dragoman-key", "k"), ("x-dragoman-key", "other")],
        &[("x-dragoman-key", "k"), ("authorization", "Bearer one"), ("x-api-key", "two")],
    ] {
        assert_eq!(ask(&mut memory, "both", headers).0.record.status, 401, "{headers:?}");
    }
}

#[test]
fn what_stands_for_a_token_is_one_callers_and_tells_nothing_of_it() {
    let (one, other) = (digest(b"k"), digest(b"other"));
    assert_eq!(bearer(&one, b"token"), bearer(&one, b"token"));
    assert_ne!(bearer(&one, b"token"), bearer(&other, b"token"));
    assert_ne!(bearer(&one, b"token"), bearer(&one, b"tokem"));
    assert_eq!(bearer(&one, b"token").len(), 2 * BEARER);
    let (exchange, _) = with_token(&mut memory(), "both", TOKEN);
    let brought = exchange.asked().unwrap().brought.clone().unwrap();
    assert!(!format!("{brought:?}").contains("alices"), "it can't be printed");
}

#[test]
fn who_met_the_limit_of_their_own_token_leaves_that_provider_alone_and_nobody_else_does() {
    let mut memory = memory();
    let (mut exchange, _) = with_token(&mut memory, "both", TOKEN);
    exchange.attempt_began(1, &mut memory);
    exchange.attempt_ended(
        1,
        Outcome { target: "people/m".into(), status: 429, cool_until_ms: 5000, ..Outcome::default() },
        &mut memory,
        0,
    );
    let met = exchange.cool_down().unwrap();
    assert_eq!(met, CoolDown { provider: "people".into(), bearer: exchange.record.bearer.clone(), until_ms: 5000 });
    memory.cool_downs.meet(met, 0);
    let (exchange, _) = with_token(&mut memory, "both", TOKEN);
    assert_eq!(asked(&exchange), both()[1..]);
    let (exchange, _) = with_token(&mut memory, "both", "sub-oat-bobs");
    assert_eq!(asked(&exchange).len(), 2);
    let (exchange, step) = with_token(&mut memory, "theirs", TOKEN);
    let Step::Reply(reply) = step else { panic!("{step:?}") };
    assert_eq!((reply.status, exchange.record.refusal.as_str()), (429, "caller_cooling"));
    assert!(reply.headers.contains(&(b"retry-after".to_vec(), b"5".to_vec())));
}

#[test]
fn an_opening_says_nothing_of_the_token() {
    assert_eq!(format!("{:?} {:?}", Opening::Brought, Opening::Cooling(7)), "Brought Cooling(7)");
}
