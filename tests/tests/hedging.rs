//! Another target is asked beside one that is slow to begin: the real Envoy asks both, and whoever begins first answers.
//!
//! Every test has a route of its own, whose first provider nobody else has: hedges are counted by routes.
#![allow(clippy::expect_used, clippy::panic, reason = "a test says what it expected")]

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use dragoman_tests::client::{Answer, Call};
use dragoman_tests::gateway::{Gateway, Setup};
use dragoman_tests::rig::fresh;
use dragoman_tests::said::{Said, ask, read};
use dragoman_tests::simulator::persona::Dialect;
use dragoman_tests::simulator::{Persona, Reply, Simulator, Wait, When};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(15);

/// When another one is asked.
const AFTER: Duration = Duration::from_millis(400);

/// The routes that hedge after [`AFTER`], each with its share, and the id of its first provider.
const ROUTES: [(&str, u64); 9] = [
    ("slow", 50),
    ("quick", 50),
    ("sooner", 50),
    ("shared", 10),
    ("failing", 50),
    ("refusing", 50),
    ("both", 50),
    ("left", 50),
    ("throttled", 50),
];

struct Stand {
    gateway: Gateway,
    firsts: Vec<Simulator>,
    other: Simulator,
}

impl Stand {
    fn start() -> anyhow::Result<Self> {
        let start = |_| Simulator::start(Persona::chat("sk-first"));
        let firsts: Vec<Simulator> = ROUTES.iter().map(start).collect::<anyhow::Result<_>>()?;
        let other = Simulator::start(Persona::messages("sk-other"))?;
        let providers = ROUTES.iter().zip(&firsts);
        let setup = providers.fold(Setup::new().health(""), |setup, ((id, _), first)| setup.simulator(id, first));
        let mut rows = String::new();
        for (id, share) in ROUTES {
            let hedge = format!("{{ after = \"{}ms\", share = {share} }}", AFTER.as_millis());
            let candidates = format!("[\"{id}/m\", \"other/m\"]");
            rows.push_str(&format!("[[route]]\nname = \"{id}\"\ncandidates = {candidates}\nhedge = {hedge}\n"));
        }
        let setup = setup.simulator("other", &other).workers(1).more(&rows);
        Ok(Self { gateway: Gateway::start(&setup)?, firsts, other })
    }

    fn first(&self, route: &str) -> &Simulator {
        let place = ROUTES.iter().position(|(known, _)| *known == route).expect("a route");
        &self.firsts[place]
    }

    /// Asks a route whose first provider replies so, and the other one like that.
    fn ask(&self, route: &str, stream: bool, first: Reply, other: Reply) -> Asked {
        let text = fresh("one two three four");
        self.first(route).when(When::mentions(&text), [first]);
        self.other.when(When::mentions(&text), [other]);
        let before = Instant::now();
        let answer = self.gateway.send(&self.call(route, &text, stream)).expect("an answer");
        let took = before.elapsed();
        let said = read(Dialect::Chat, &answer);
        Asked { text, answer, said, took }
    }

    fn call(&self, route: &str, text: &str, stream: bool) -> Call {
        self.gateway.call(Dialect::Chat, route, &ask(Dialect::Chat, route, text, stream), stream)
    }

    fn record(&self, answer: &Answer) -> Value {
        let exchange = answer.header("x-dragoman-request-id").expect("an id");
        self.gateway.record(exchange, SOON).expect("a Record")
    }
}

/// What was asked and answered.
struct Asked {
    text: String,
    answer: Answer,
    said: Said,
    took: Duration,
}

fn stand() -> &'static Stand {
    static STAND: LazyLock<Stand> = LazyLock::new(|| match Stand::start() {
        Ok(stand) => stand,
        Err(error) => panic!("the stand does not start: {error:#}"),
    });
    &STAND
}

/// A whole answer that begins after so many milliseconds.
fn after(ms: u64) -> Reply {
    Reply::silence(Wait::For(Duration::from_millis(ms)))
}

fn endings(record: &Value) -> Vec<&str> {
    let outcomes = record["outcomes"].as_array().into_iter().flatten();
    outcomes.map(|outcome| outcome["ending"].as_str().unwrap_or_default()).collect()
}

#[test]
fn when_the_first_is_slow_the_other_answers_and_the_first_is_let_go() {
    for stream in [false, true] {
        let asked = stand().ask("slow", stream, Reply::silence(Wait::Forever), Reply::persona());
        assert!(asked.answer.status == 200 && asked.said.complete, "{}", asked.answer.text());
        assert_eq!(asked.answer.header("x-dragoman-target"), Some("other/m"));
        assert_eq!(asked.answer.header("x-dragoman-attempts"), Some("2"));
        assert!(asked.took > AFTER && asked.took < 3 * AFTER, "{:?}", asked.took);
        let left = stand().first("slow").journal().wait_ended(SOON);
        assert!(left.is_ok(), "nothing is left of it: {:?}", left.err());
        let record = stand().record(&asked.answer);
        assert_eq!(endings(&record), ["outrun", "answered"], "{record}");
        assert!(record["outcomes"][0]["failure"].is_null(), "{record}");
        assert!(record["outcomes"][0]["estimate"]["input"].as_u64() > Some(0), "it has read the request: {record}");
        assert_eq!(record["outcomes"][1]["hedged_after_ms"], 400, "{record}");
        if !stream {
            // Half of them are hedged, and that one was.
            stand().ask("slow", stream, Reply::persona(), Reply::persona());
        }
    }
}
