//! What a provider keeps is asked of that provider, whoever else speaks its dialect.
#![allow(clippy::expect_used, clippy::panic, reason = "a test says what it expected")]

use dragoman_tests::gateway::{Gateway, Setup};
use dragoman_tests::rig::fresh;
use dragoman_tests::said::{ask, read};
use dragoman_tests::simulator::persona::Dialect;
use dragoman_tests::simulator::{Persona, Simulator};
use serde_json::{Value, json};

const ROUTE: &str = "[[route]]\nname = \"shared\"\ncandidates = [\"a/m\", \"b/m\"]\nbalance = \"round_robin\"\n\
                     [[route]]\nname = \"alone\"\ncandidates = [\"a/m\"]\n";

/// What the simulators call every answer.
const OWN: &str = "resp_simulated";

fn start() -> ([Simulator; 2], Gateway) {
    let both = ["a", "b"]
        .map(|id| Simulator::start(Persona::new(Dialect::Responses, &format!("sk-{id}"))).expect("a provider"));
    let [a, b] = &both;
    let setup = Setup::new().simulator("a", a).simulator("b", b).more(ROUTE).workers(2);
    let gateway = Gateway::start(&setup).expect("a gateway");
    (both, gateway)
}

/// The target that answered, and the id of its answer, whole or streamed.
fn said(gateway: &Gateway, model: &str, text: &str, stream: bool, previous: Option<&str>) -> (String, String) {
    let mut body = ask(Dialect::Responses, model, text, stream);
    if let Some(previous) = previous {
        body["previous_response_id"] = json!(previous);
    }
    let answer = gateway.send(&gateway.call(Dialect::Responses, model, &body, stream)).expect("an answer");
    assert!(read(Dialect::Responses, &answer).complete, "{} {}", answer.status, answer.text());
    let target = answer.header("x-dragoman-target").unwrap_or_default().to_owned();
    let ids: Vec<String> = match stream {
        false => vec![answer.json().expect("JSON")["id"].as_str().unwrap_or_default().to_owned()],
        true => {
            let events =
                answer.events().into_iter().filter_map(|event| serde_json::from_str::<Value>(&event.data).ok());
            events.filter_map(|event| event["response"]["id"].as_str().map(str::to_owned)).collect()
        }
    };
    assert!(!ids.is_empty() && ids.iter().all(|id| *id == ids[0]), "one answer has one id: {ids:?}");
    (target, ids[0].clone())
}

#[test]
fn a_conversation_stays_with_whoever_keeps_it_in_any_worker() {
    let ([a, b], gateway) = start();
    let mut begun = Vec::new();
    for number in 0..8 {
        begun.push(said(&gateway, "shared", "hello", number % 2 == 0, None));
    }
    for target in ["a/m", "b/m"] {
        assert!(begun.iter().any(|(known, _)| known == target), "{begun:?}");
    }
    for round in 0..4 {
        for (target, id) in &mut begun {
            let text = fresh("go on");
            let (answered, next) = said(&gateway, "shared", &text, round % 2 == 0, Some(id));
            assert_eq!(
                (&answered, next.starts_with(&format!("{OWN}_dgm1_"))),
                (&*target, true),
                "{id} and then {next}"
            );
            let keeper = if target == "a/m" { &a } else { &b };
            let seen = keeper.journal().mentioning(&text);
            assert_eq!(seen[0].received.json()["previous_response_id"], OWN, "a provider hears its own word");
            *id = next;
        }
    }
}

#[test]
fn where_nobody_else_could_be_asked_an_id_is_the_providers_own_and_elsewhere_it_is_refused() {
    let (_both, gateway) = start();
    assert_eq!(said(&gateway, "alone", "hello", false, None).1, OWN);
    assert_eq!(said(&gateway, "alone", "hello", true, Some(OWN)).1, OWN);
    let of_b = loop {
        let (target, id) = said(&gateway, "shared", "hello", false, None);
        if target == "b/m" {
            break id;
        }
    };
    let mut body = ask(Dialect::Responses, "alone", "hello", false);
    body["previous_response_id"] = json!(of_b);
    let answer = gateway.send(&gateway.call(Dialect::Responses, "alone", &body, false)).expect("an answer");
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert!(answer.text().contains("kept_elsewhere"), "{}", answer.text());
}
