//! Some of a route's requests also go to another model: the real Envoy mirrors them, and nobody sees or waits for that answer.
//!
//! Every test has a route of its own; all of them have their shadow at one provider of another dialect.
#![allow(clippy::expect_used, clippy::panic, reason = "a test says what it expected")]

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use dragoman_tests::client::Answer;
use dragoman_tests::gateway::{Gateway, Setup};
use dragoman_tests::rig::fresh;
use dragoman_tests::said::{Said, ask, read};
use dragoman_tests::simulator::persona::Dialect;
use dragoman_tests::simulator::{Persona, Received, Reply, Simulator, Wait, When};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(15);

/// The setup's bound of the silence before an answer.
const PATIENCE: Duration = Duration::from_secs(2);

const ROUTES: &str = r#"
[[price]]
target = "first/m"
input = "1"
output = "1"

[[price]]
target = "other/n"
input = "2"
output = "2"

[[route]]
name = "all"
candidates = ["first/m"]
shadow = { to = "other/n", share = 100 }

[[route]]
name = "some"
candidates = ["first/m"]
shadow = { to = "other/n", share = 20 }

[[route]]
name = "hedged"
candidates = ["first/m", "other/n"]
hedge = { after = "1s" }
shadow = { to = "other/n", share = 100 }
"#;

struct Stand {
    gateway: Gateway,
    first: Simulator,
    other: Simulator,
}

/// What was asked and answered.
struct Asked {
    text: String,
    answer: Answer,
    said: Said,
    took: Duration,
}

impl Stand {
    fn start() -> anyhow::Result<Self> {
        let first = Simulator::start(Persona::chat("sk-first"))?;
        let other = Simulator::start(Persona::messages("sk-other"))?;
        let setup = Setup::new().simulator("first", &first).simulator("other", &other).more(ROUTES);
        Ok(Self { gateway: Gateway::start(&setup)?, first, other })
    }

    /// Asks a route of which the shadow's provider replies like that.
    fn ask(&self, route: &str, stream: bool, other: Reply) -> Asked {
        let text = fresh("one two three four");
        self.other.when(When::mentions(&text), [other]);
        let before = Instant::now();
        let body = ask(Dialect::Chat, route, &text, stream);
        let answer = self.gateway.send(&self.gateway.call(Dialect::Chat, route, &body, stream)).expect("an answer");
        let took = before.elapsed();
        let said = read(Dialect::Chat, &answer);
        Asked { text, answer, said, took }
    }

    /// What came to the shadow's provider.
    fn mirrored(&self, text: &str) -> Received {
        let all = self
            .other
            .journal()
            .wait_until(SOON, "a mirrored request", |all| all.iter().any(|one| one.received.mentions(text)));
        let found = all.expect("a mirrored request").into_iter().find(|one| one.received.mentions(text));
        found.expect("a mirrored request").received
    }

    fn record(&self, answer: &Answer) -> Value {
        let exchange = answer.header("x-dragoman-request-id").expect("an id");
        self.gateway.record(exchange, SOON).expect("a Record")
    }

    fn shadow_record(&self, answer: &Answer) -> Value {
        let exchange = answer.header("x-dragoman-request-id").expect("an id");
        let until = Instant::now() + SOON;
        loop {
            let records = self.gateway.records().expect("Records");
            if let Some(record) = records.into_iter().find(|record| record["shadow_of"] == exchange) {
                return record;
            }
            assert!(Instant::now() < until, "no Record of the shadow of {exchange}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

fn stand() -> &'static Stand {
    static STAND: LazyLock<Stand> = LazyLock::new(|| match Stand::start() {
        Ok(stand) => stand,
        Err(error) => panic!("the stand does not start: {error:#}"),
    });
    &STAND
}

#[test]
fn the_shadow_is_asked_in_its_own_dialect_and_the_client_sees_nothing_of_it() {
    for stream in [false, true] {
        let asked = stand().ask("all", stream, Reply::persona());
        assert!(asked.answer.status == 200 && asked.said.complete, "{}", asked.answer.text());
        assert_eq!(asked.answer.header("x-dragoman-target"), Some("first/m"));
        assert_eq!(asked.answer.header("x-dragoman-attempts"), Some("1"));
        let mirrored = stand().mirrored(&asked.text);
        assert_eq!((mirrored.route(), mirrored.model().as_deref()), ("/v1/messages", Some("n")));
        assert_eq!((mirrored.header("x-api-key"), mirrored.header("authorization")), (Some("sk-other"), None));
        for name in ["x-forwarded-for", "x-envoy-internal", "x-dragoman-shadow", "x-dragoman-shadow-exchange"] {
            assert_eq!(mirrored.header(name), None, "{name}");
        }
        let sent = stand().first.journal().mentioning(&asked.text);
        assert_eq!(sent.len(), 1);
        assert_eq!(
            (sent[0].received.header("x-dragoman-shadow"), sent[0].received.header("x-dragoman-shadow-exchange")),
            (None, None)
        );
        let (record, shadow) = (stand().record(&asked.answer), stand().shadow_record(&asked.answer));
        assert_eq!(record["plan"], json!(["first/m"]));
        assert!(record["shadow_of"].is_null(), "{record}");
        assert_eq!(
            (&shadow["route"], &shadow["plan"], &shadow["status"]),
            (&json!("other/n"), &json!(["other/n"]), &json!(200))
        );
        assert_eq!(
            (&shadow["caller"], &shadow["account"], &shadow["charged"]),
            (&json!(""), &Value::Null, &Value::Null)
        );
        let outcome = &shadow["outcomes"][0];
        assert_eq!((&outcome["ending"], &outcome["target"]), (&json!("answered"), &json!("other/n")), "{shadow}");
        let more_than_nothing = |name: &str| assert!(outcome[name].as_u64() > Some(0), "{name}: {shadow}");
        ["input_tokens", "output_tokens", "cost_pico"].into_iter().for_each(more_than_nothing);
    }
}

#[test]
fn a_shadow_that_fails_or_hangs_is_neither_waited_for_nor_heard() {
    let error = json!({"type": "error", "error": {"type": "overloaded_error", "message": "telltale"}});
    let fails =
        [(Reply::json(529, &error), "refused"), (Reply::reset(), "silent"), (Reply::silence(Wait::Forever), "silent")];
    for (reply, ending) in fails {
        for stream in [false, true] {
            let asked = stand().ask("all", stream, reply.clone());
            assert!(asked.answer.status == 200 && asked.said.complete, "{}", asked.answer.text());
            assert!(asked.took < PATIENCE && !asked.answer.text().contains("telltale"), "{:?}", asked.took);
            let record = stand().shadow_record(&asked.answer);
            assert_eq!(record["outcomes"][0]["ending"], ending, "{record}");
            assert_eq!(record["outcomes"].as_array().map(Vec::len), Some(1), "{record}");
            assert_eq!(stand().record(&asked.answer)["outcomes"][0]["ending"], "answered");
        }
    }
    let left = stand().other.journal().wait_ended(SOON);
    assert!(left.is_ok(), "nothing is left of them: {:?}", left.err());
}

#[test]
fn a_slow_shadow_is_read_to_its_end_when_the_client_has_long_gone() {
    let asked = stand().ask("all", true, Reply::silence(Wait::For(PATIENCE / 2)));
    assert!(asked.took < PATIENCE / 2 && asked.said.complete, "{:?}", asked.took);
    let record = stand().shadow_record(&asked.answer);
    assert_eq!(record["outcomes"][0]["ending"], "answered", "{record}");
    assert!(record["outcomes"][0]["output_tokens"].as_u64() > Some(0), "{record}");
}

#[test]
fn what_may_be_hedged_has_a_shadow_that_nobody_calls_late() {
    let asked = stand().ask("hedged", true, Reply::silence(Wait::For(PATIENCE * 3 / 4)));
    assert!(asked.answer.status == 200 && asked.said.complete, "{}", asked.answer.text());
    assert_eq!(asked.answer.header("x-dragoman-target"), Some("first/m"));
    let record = stand().shadow_record(&asked.answer);
    assert_eq!(
        (&record["plan"], &record["outcomes"][0]["ending"]),
        (&json!(["other/n"]), &json!("answered")),
        "{record}"
    );
    assert_eq!(stand().record(&asked.answer)["outcomes"].as_array().map(Vec::len), Some(1), "nobody was late");
}

#[test]
fn only_the_routes_share_is_mirrored_and_nothing_that_is_kept() {
    const ASKED: usize = 200;
    let text = fresh("one two");
    let body = ask(Dialect::Chat, "some", &text, false);
    for _ in 0..ASKED {
        let answer = stand().gateway.send(&stand().gateway.call(Dialect::Chat, "some", &body, false));
        assert_eq!(answer.expect("an answer").status, 200);
    }
    let text_kept = fresh("three");
    let mut kept = ask(Dialect::Chat, "all", &text_kept, false);
    kept["store"] = json!(true);
    let answer = stand().gateway.send(&stand().gateway.call(Dialect::Chat, "all", &kept, false)).expect("an answer");
    stand().record(&answer);
    assert!(stand().other.journal().mentioning(&text_kept).is_empty());
    let mirrored = stand().other.journal().mentioning(&text).len();
    assert!((15..=70).contains(&mirrored), "{mirrored} of {ASKED}");
}

#[test]
fn envoy_ends_in_peace_while_a_shadow_is_under_way() {
    let first = Simulator::start(Persona::chat("sk-first")).expect("a provider");
    let other = Simulator::start(Persona::messages("sk-other")).expect("a provider");
    other.when(When::mentions("farewell"), [Reply::silence(Wait::Forever)]);
    let setup = Setup::new().simulator("first", &first).simulator("other", &other).more(ROUTES);
    let gateway = Gateway::start(&setup.limit("first_event_timeout", "\"60s\"")).expect("a gateway");
    assert_eq!(gateway.ask(Dialect::Chat, "all", "farewell", false).expect("an answer").status, 200);
    assert!(other.journal().wait_for(1, SOON).is_ok());
    let envoy = gateway.envoy_pid().expect("an Envoy").to_string();
    let told = std::process::Command::new("kill").args(["-TERM", &envoy]).status();
    assert!(told.expect("kill").success());
    let ended = gateway.wait_for_log("Envoy ended (code 0)", SOON);
    assert!(ended.is_ok(), "{}", gateway.log());
}
