//! Experiments through the real Envoy: who is asked, what is said of it, what came of it, and how a bad way goes back by itself.
#![allow(clippy::expect_used, clippy::panic, reason = "a test says what it expected")]

#[path = "admin/panel.rs"]
#[allow(dead_code, reason = "shared with the tests of the admin API")]
mod panel;

use std::collections::HashMap;
use std::time::Duration;

use dragoman_core::artifact::{Artifact, Head, Parts};
use dragoman_tests::client::{Answer, Call};
use dragoman_tests::gateway::{Gateway, Setup};
use dragoman_tests::said::{ask, credential, path};
use dragoman_tests::simulator::persona::Dialect;
use dragoman_tests::simulator::{Persona, Reply, Script, Simulator};
use serde_json::{Value, json};

use panel::{Panel, SOON, wait};

fn rows(weights: (u64, u64), more: &str) -> String {
    format!(
        "[[model]]\nname = \"m\"\noffers = [\"a/m\"]\n\n[[model]]\nname = \"n\"\noffers = [\"b/n\"]\n\n\
         [[route]]\nname = \"auto\"\ncandidates = [\"m\"]\n\n\
         [[experiment]]\nname = \"x\"\nroute = \"auto\"\nsticky = \"header:x-session\"\n\
         arms = [{{ name = \"now\", to = \"auto\", weight = {} }}, {{ name = \"new\", to = \"n\", weight = {} }}]\n{more}\n",
        weights.0, weights.1
    )
}

struct Behind {
    _a: Simulator,
    b: Simulator,
    gateway: Gateway,
}

fn start(rows: &str) -> Behind {
    let a = Simulator::start(Persona::chat("key-a")).expect("a provider");
    let b = Simulator::start(Persona::chat("key-b")).expect("a provider");
    let setup = Setup::new().simulator("a", &a).simulator("b", &b).more(rows);
    let gateway = Gateway::start(&setup).expect("a gateway");
    Behind { _a: a, b, gateway }
}

impl Behind {
    fn ask(&self, session: usize) -> Answer {
        let call = Call::post(&path(Dialect::Chat, "auto", false)).json(&ask(Dialect::Chat, "auto", "Hello", false));
        let call = call.header("x-session", session.to_string());
        let headers = credential(Dialect::Chat, self.gateway.key());
        let call = headers.into_iter().fold(call, |call, (name, value)| call.header(name, value));
        call.send(&self.gateway.address()).expect("an answer")
    }
}

fn arm(answer: &Answer) -> String {
    answer.header("x-dragoman-experiment").unwrap_or_default().to_owned()
}

#[test]
fn a_session_keeps_its_arm_and_results_are_told_apart() {
    let behind = start(&rows((1, 1), ""));
    let mut arms: HashMap<usize, String> = HashMap::new();
    let mut id = String::new();
    for session in (0..20).chain(0..20) {
        let answer = behind.ask(session);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let target = if arm(&answer) == "x/new" { "b/n" } else { "a/m" };
        assert_eq!(answer.header("x-dragoman-target"), Some(target), "{}", arm(&answer));
        let known = arms.entry(session).or_insert_with(|| arm(&answer));
        assert_eq!(*known, arm(&answer), "a session keeps its arm");
        id = answer.header("x-dragoman-request-id").expect("an id").to_owned();
    }
    let taken = |name: &str| arms.values().filter(|arm| *arm == name).count() as u64;
    assert!(taken("x/now") > 0 && taken("x/new") > 0, "{arms:?}");
    let record = behind.gateway.record(&id, SOON).expect("a Record");
    assert_eq!((&record["route"], &record["arm"]), (&json!("auto"), &json!(arms[&19])));

    let panel = Panel::of(&behind.gateway);
    panel.post("/feedback", &json!({ "exchange": id, "score": 0.9 }));
    let caller = Call::post("/v1/feedback").header("x-api-key", behind.gateway.key());
    let said =
        caller.json(&json!({ "exchange": id, "score": 0.5 })).send(&behind.gateway.address()).expect("an answer");
    assert_eq!(said.status, 200, "{}", said.text());
    let results = || panel.get("/experiments/x/results")["arms"].clone();
    let count = |results: &Value, at: usize| results[at]["requests"].as_u64().unwrap_or(0);
    wait("all Records", SOON, || (0..2).map(|at| count(&results(), at)).sum::<u64>() == 40);
    let results = results();
    assert_eq!((count(&results, 0), count(&results, 1)), (2 * taken("x/now"), 2 * taken("x/new")), "{results}");
    assert_eq!((&results[0]["against_first"], &results[1]["errors"]), (&Value::Null, &json!(0)), "{results}");
    assert_eq!(results[1]["against_first"]["error_permille"], json!({ "by": 0.0, "p": 1.0 }), "{results}");
    assert!(results[1]["against_first"]["latency_ms"]["by"].is_number() && results[0]["latency_p95_ms"].is_u64());
    let scored = results.as_array().expect("arms").iter().filter(|arm| arm["score"] == 0.7).count();
    assert_eq!(scored, 1, "{results}");
}

#[test]
fn a_way_gets_more_and_more_and_nothing_once_it_fails() {
    let more =
        "rollout = { to = \"new\", steps = [40, 60, 100], every = \"1s\", error_permille = 100, least_requests = 5 }";
    let behind = start(&rows((100, 0), more));
    let panel = Panel::of(&behind.gateway);
    let share = || panel.get("/experiments/x")["effective"]["arms"][1]["weight"].as_u64().unwrap_or(0);
    wait("the first step", SOON, || share() == 40);
    wait("the second step", Duration::from_secs(60), || {
        (0..20).for_each(|session| assert_eq!(behind.ask(session).status, 200));
        share() == 60
    });
    behind.b.play(Script::always(Reply::status(503)));
    wait("it goes back", Duration::from_secs(60), || {
        (0..20).for_each(|session| drop(behind.ask(session)));
        share() == 0
    });
    let row = panel.get("/experiments/x")["effective"].clone();
    assert_eq!((&row["rollout"], &row["arms"][0]["weight"]), (&Value::Null, &json!(100)), "{row}");
    wait("everybody goes the other way", SOON, || (0..10).all(|session| arm(&behind.ask(session)) == "x/now"));
    let changes = panel.get("/audit?limit=1")["items"].clone();
    let action = changes[0]["action"].as_str().unwrap_or_default();
    assert!(action.starts_with("rollback: new gets nothing, for"), "{changes}");
}

/// An artifact to which every request is hard.
fn file() -> Vec<u8> {
    let head = |name: &str| Head { name: name.into(), knots: vec![(0.0, 0.5), (1.0, 0.5)], ..Head::default() };
    let (heads, metadata) = (vec![head("cheap"), head("mid")], "{}".into());
    Parts { name: "trained".into(), thresholds: [1000; 2], heads, metadata, ..Parts::default() }.write()
}

/// The row of an experiment between the rules and that artifact.
fn between(artifact: &str, weights: (u64, u64)) -> Value {
    json!({ "route": "auto", "sticky": "header:x-session", "arms": [
        { "name": "rules", "to": "auto", "artifact": "none", "weight": weights.0 },
        { "name": "trained", "to": "auto", "artifact": artifact, "weight": weights.1 },
    ] })
}

#[test]
fn one_arm_goes_by_the_rules_and_the_other_by_an_artifact_that_is_kept() {
    let trained = file();
    let digest = Artifact::read(&trained).expect("an artifact").digest().to_owned();
    let behind = start(&format!(
        "[[route]]\nname = \"auto\"\n[route.choose]\ncheap = [\"a/m\"]\nhard = [\"b/n\"]\n\n\
         [[experiment]]\nname = \"x\"\nroute = \"auto\"\nsticky = \"header:x-session\"\n\
         arms = [{{ name = \"rules\", to = \"auto\", artifact = \"none\" }}, \
         {{ name = \"trained\", to = \"auto\", artifact = \"{}\" }}]\n",
        &digest[..8]
    ));
    let panel = Panel::of(&behind.gateway);
    let session =
        |name: &str| (0..100).find(|session| arm(&behind.ask(*session)) == name).expect("a session of that arm");
    let (rules, other) = (session("x/rules"), session("x/trained"));
    let record = |session: usize| {
        let id = behind.ask(session).header("x-dragoman-request-id").expect("an id").to_owned();
        behind.gateway.record(&id, SOON).expect("a Record")
    };
    // Whom it asked, of which arm it was, and what its model was chosen by.
    let went = |record: &Value| {
        let chosen = &record["chosen"];
        [&record["plan"][0], &record["arm"], &chosen["by"], &chosen["artifact"]].map(Clone::clone)
    };
    let by_rules = |arm: &str| [json!("a/m"), json!(arm), json!("rules"), Value::Null];
    assert_eq!(went(&record(other)), by_rules("x/trained"), "it is not kept");
    behind.gateway.wait_for_log("name an artifact that is not kept", SOON).expect("it is in the log");
    let unknown = panel.send(&panel.with_body("PUT", "/experiments/x", &between("0123456789", (1, 1))));
    assert!(unknown.status == 422 && unknown.text().contains("begins with `0123456789`"), "{}", unknown.text());

    let upload = panel.call("POST", "/tuning/artifacts").header("content-type", "application/octet-stream");
    assert_eq!(panel.send(&upload.body(trained)).status, 200);
    wait("the arm goes by it", SOON, || behind.ask(other).header("x-dragoman-target") == Some("b/n"));
    assert_eq!(went(&record(other)), [json!("b/n"), json!("x/trained"), json!("artifact"), json!(digest[..12])]);
    assert_eq!(went(&record(rules)), by_rules("x/rules"));
    for session in [rules, other] {
        let (record, headers) = (record(session), json!({ "x-session": session.to_string() }));
        let body = ask(Dialect::Chat, "auto", "Hello", false);
        let explained = panel.post("/explain", &json!({ "headers": headers, "body": body }));
        assert_eq!(explained["experiment"], record["arm"], "what is explained is what is done");
        for member in ["by", "bucket", "artifact"] {
            assert_eq!(explained["chosen"][member], record["chosen"][member], "{member}");
        }
    }

    let path = format!("/tuning/artifacts/{digest}");
    assert_eq!(panel.get("/tuning/artifacts")["items"][0]["experiments"], json!(["x"]));
    let refused = panel.send(&panel.call("DELETE", &path));
    assert!(refused.status == 409 && refused.text().contains("`x`"), "{}", refused.text());

    let mut row = between(&digest[..8], (100, 0));
    row["rollout"] = json!({ "to": "trained", "steps": [50, 100], "every": "1s", "least_requests": 2 });
    panel.put("/experiments/x", &row);
    let arms = || panel.get("/experiments/x")["effective"]["arms"].clone();
    wait("the rollout's last step", Duration::from_secs(60), || {
        (0..20).for_each(|session| assert_eq!(behind.ask(session).status, 200));
        arms()[1]["weight"] == 100
    });
    assert_eq!((&arms()[0]["artifact"], &arms()[1]["artifact"]), (&json!("none"), &json!(digest[..8])));
    wait("everybody goes by it", SOON, || {
        (0..10).all(|session| behind.ask(session).header("x-dragoman-target") == Some("b/n"))
    });

    panel.put("/experiments/x", &between("none", (1, 1)));
    panel.delete(&path);
    wait("it goes by the rules again", SOON, || went(&record(other)) == by_rules("x/trained"));
}
