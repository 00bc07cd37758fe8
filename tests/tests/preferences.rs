//! What callers prefer, through the real Envoy: it decides who is asked, and nobody who is asked hears of it.
#![allow(clippy::expect_used, clippy::panic, reason = "a test says what it expected")]

use std::time::Duration;

use dragoman_tests::client::{Answer, Call};
use dragoman_tests::gateway::{Gateway, Setup};
use dragoman_tests::said::{ask, credential, path};
use dragoman_tests::simulator::persona::Dialect;
use dragoman_tests::simulator::{Persona, Simulator};
use serde_json::{Value, json};

const ROWS: &str = r#"
[[model]]
name = "m"
offers = ["a/m", "b/m"]

[[price]]
target = "a/m"
input = "1"
output = "4"

[[price]]
target = "b/m"
input = "3"
output = "15"

[[route]]
name = "auto"
candidates = ["m"]

[[route]]
name = "fixed"
candidates = ["m"]
preferences = ["max_price"]
"#;

struct Behind {
    a: Simulator,
    b: Simulator,
    gateway: Gateway,
}

fn start() -> Behind {
    let a = Simulator::start(Persona::chat("key-a")).expect("a provider");
    let b = Simulator::start(Persona::messages("key-b")).expect("a provider");
    let setup = Setup::new()
        .simulator("a", &a)
        .simulator("b", &b)
        .with("region = \"eu\"\ndata_policy = [\"no_training\"]")
        .more(ROWS);
    let gateway = Gateway::start(&setup).expect("a gateway");
    Behind { a, b, gateway }
}

impl Behind {
    fn ask(
        &self,
        dialect: Dialect,
        model: &str,
        preferences: Option<Value>,
        headers: &[(&'static str, &str)],
    ) -> Answer {
        let mut body = ask(dialect, model, "Hello", false);
        if let Some(preferences) = preferences {
            body["dragoman"] = preferences;
        }
        let named = headers.iter().map(|(name, value)| (*name, value.to_string()));
        let headers = credential(dialect, self.gateway.key()).into_iter().chain(named);
        let call =
            headers.fold(Call::post(&path(dialect, model, false)), |call, (name, value)| call.header(name, value));
        call.json(&body).send(&self.gateway.address()).expect("an answer")
    }
}

fn target(answer: &Answer) -> &str {
    answer.header("x-dragoman-target").unwrap_or_default()
}

#[test]
fn every_dialect_may_prefer_and_no_provider_hears_of_it() {
    let behind = start();
    for dialect in [Dialect::Chat, Dialect::Messages, Dialect::Responses, Dialect::Gemini] {
        for (preferences, expected) in [
            (json!({ "max_price": { "output": 4 } }), "a/m"),
            (json!({ "order": ["b"] }), "b/m"),
            (json!({ "regions": ["eu"], "data_policy": ["no_training"] }), "b/m"),
            (json!({ "not": ["b/m"] }), "a/m"),
        ] {
            let answer = behind.ask(dialect, "auto", Some(preferences.clone()), &[]);
            assert_eq!(
                (answer.status, target(&answer)),
                (200, expected),
                "{dialect:?} {preferences}: {}",
                answer.text()
            );
        }
        let answer =
            behind.ask(dialect, "auto", None, &[("x-dragoman-only", "b"), ("x-dragoman-max-price", "input=3")]);
        assert_eq!((answer.status, target(&answer)), (200, "b/m"), "{dialect:?}");
    }
    for request in behind.a.journal().requests().iter().chain(&behind.b.journal().requests()) {
        assert!(request.received.json().get("dragoman").is_none(), "the member goes no further");
        assert!(!request.received.headers.iter().any(|(name, _)| name == "x-dragoman-only"), "nor does a header");
    }
}

#[test]
fn what_nobody_satisfies_is_refused_in_the_callers_dialect_and_recorded() {
    let behind = start();
    let answer = behind.ask(Dialect::Messages, "auto", Some(json!({ "not": ["m"], "alpha": 30 })), &[]);
    let said = answer.json().expect("an error in JSON");
    let error = &said["error"];
    assert_eq!((answer.status, error["type"].as_str()), (400, Some("invalid_request_error")), "{}", answer.text());
    assert!(error["message"].as_str().is_some_and(|message| message.contains("not")), "{error}");
    let id = answer.header("x-dragoman-request-id").expect("an id");
    let record = behind.gateway.record(id, Duration::from_secs(5)).expect("a record");
    assert_eq!(record["refusal"], "preferences_unmet");
    assert_eq!(record["preferences"], json!({ "not": ["m"], "alpha": 30 }));
    let wrong = behind.ask(Dialect::Chat, "auto", Some(json!({ "nott": ["m"] })), &[]);
    let param = |answer: &Answer| answer.json().expect("an error in JSON")["error"]["param"].clone();
    assert_eq!((wrong.status, param(&wrong)), (400, json!("dragoman.nott")));
    let forbidden = behind.ask(Dialect::Chat, "fixed", None, &[("x-dragoman-not", "a")]);
    assert_eq!((forbidden.status, param(&forbidden)), (400, json!("dragoman.not")));
    let allowed = behind.ask(Dialect::Chat, "fixed", None, &[("x-dragoman-max-price", "input=1")]);
    assert_eq!((allowed.status, target(&allowed)), (200, "a/m"));
}
