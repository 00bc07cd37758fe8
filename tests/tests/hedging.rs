//! Another target is asked beside one that is slow to begin: the real Envoy asks both, and whoever begins first answers.
//!
//! Every test has a route and providers of its own: hedges are counted by routes, and workers remember who fails.
#![allow(clippy::expect_used, clippy::panic, reason = "a test says what it expected")]

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use dragoman_tests::client::{Answer, Call, everything_until_quiet};
use dragoman_tests::gateway::{Gateway, Setup};
use dragoman_tests::rig::fresh;
use dragoman_tests::said::{Said, ask, read};
use dragoman_tests::simulator::persona::Dialect;
use dragoman_tests::simulator::{End, Fault, Persona, Reply, Request, Simulator, Wait, When};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(15);

/// When another one is asked.
const AFTER: Duration = Duration::from_millis(400);

/// The routes that hedge after [`AFTER`], each with its share; their providers are called like them, the second with an `other-`.
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
    providers: Vec<[Simulator; 2]>,
}

impl Stand {
    fn start() -> anyhow::Result<Self> {
        let mut setup = Setup::new().health("").workers(1);
        let mut providers = Vec::new();
        for (id, share) in ROUTES {
            let both = [Simulator::start(Persona::chat("sk-first"))?, Simulator::start(Persona::messages("sk-other"))?];
            let hedge = format!("{{ after = \"{}ms\", share = {share} }}", AFTER.as_millis());
            let candidates = format!("[\"{id}/m\", \"other-{id}/m\"]");
            let route = format!("[[route]]\nname = \"{id}\"\ncandidates = {candidates}\nhedge = {hedge}\n");
            setup = setup.simulator(id, &both[0]).simulator(&format!("other-{id}"), &both[1]).more(&route);
            providers.push(both);
        }
        Ok(Self { gateway: Gateway::start(&setup)?, providers })
    }

    fn providers(&self, route: &str) -> &[Simulator; 2] {
        let place = ROUTES.iter().position(|(known, _)| *known == route).expect("a route");
        &self.providers[place]
    }

    /// Asks a route whose first provider replies so, and the other one like that.
    fn ask(&self, route: &str, stream: bool, first: Reply, other: Reply) -> Asked {
        let text = fresh("one two three four");
        for (provider, reply) in self.providers(route).iter().zip([first, other]) {
            provider.when(When::mentions(&text), [reply]);
        }
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

/// That provider has nothing left of this request.
fn let_go(provider: &Simulator, text: &str) {
    let ended = |request: &Request| !request.received.mentions(text) || request.delivered.end == End::ClientLeft;
    let left = provider.journal().wait_until(SOON, "it to be let go", |all| all.iter().all(ended));
    assert!(left.is_ok(), "{:?}", left.err());
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
        assert_eq!(asked.answer.header("x-dragoman-target"), Some("other-slow/m"));
        assert_eq!(asked.answer.header("x-dragoman-attempts"), Some("2"));
        assert!(asked.took > AFTER * 9 / 10 && asked.took < 3 * AFTER, "{:?}", asked.took);
        let_go(&stand().providers("slow")[0], &asked.text);
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

#[test]
fn who_is_quick_is_asked_alone() {
    for stream in [false, true] {
        let asked = stand().ask("quick", stream, Reply::persona(), Reply::persona());
        assert_eq!(asked.answer.header("x-dragoman-target"), Some("quick/m"), "{}", asked.answer.text());
        assert!(asked.said.complete && asked.took < AFTER, "{:?}", asked.took);
        assert!(stand().providers("quick")[1].journal().mentioning(&asked.text).is_empty());
        assert_eq!(endings(&stand().record(&asked.answer)), ["answered"]);
    }
}

#[test]
fn when_the_slow_one_is_quicker_after_all_the_other_is_let_go() {
    for stream in [false, true] {
        let asked = stand().ask("sooner", stream, after(900), Reply::silence(Wait::Forever));
        assert!(asked.answer.status == 200 && asked.said.complete, "{}", asked.answer.text());
        assert_eq!(asked.answer.header("x-dragoman-target"), Some("sooner/m"));
        let record = stand().record(&asked.answer);
        assert_eq!(endings(&record), ["outrun", "answered"], "{record}");
        assert_eq!(record["outcomes"][0]["target"], "other-sooner/m", "{record}");
        assert_eq!(record["outcomes"][0]["hedged_after_ms"], 400, "{record}");
        let_go(&stand().providers("sooner")[1], &asked.text);
        if !stream {
            stand().ask("sooner", stream, Reply::persona(), Reply::persona());
        }
    }
}

#[test]
fn no_more_are_hedged_than_the_routes_share() {
    const ASKED: usize = 30;
    let hedged = std::thread::scope(|scope| {
        let ask = || stand().ask("shared", false, after(1_200), Reply::persona()).answer;
        let asking: Vec<_> = (0..ASKED).map(|_| scope.spawn(ask)).collect();
        let answers = asking.into_iter().map(|one| one.join().expect("an answer"));
        answers
            .filter(|answer| {
                assert_eq!(answer.status, 200, "{}", answer.text());
                answer.header("x-dragoman-target") == Some("other-shared/m")
            })
            .count()
    });
    assert!((1..=1 + ASKED / 10).contains(&hedged), "{hedged} of {ASKED}");
}

#[test]
fn who_fails_beside_another_is_not_heard_and_a_final_word_is() {
    let error = json!({"error": {"message": "telltale", "type": "t", "code": null}});
    for (status, answered) in [(500, 200), (400, 400)] {
        let fails = Reply::json(status, &error).before_head(Fault::Stall(Wait::For(2 * AFTER)));
        let asked = stand().ask("failing", false, fails, after(1_500));
        assert_eq!(asked.answer.status, answered, "{}", asked.answer.text());
        assert_eq!(asked.answer.text().contains("telltale"), status == 400);
        let record = stand().record(&asked.answer);
        let expected = if status == 500 { ["retriable", "answered"] } else { ["outrun", "refused"] };
        assert_eq!(endings(&record), expected, "{record}");
        stand().ask("failing", false, Reply::persona(), Reply::persona());
    }
}

#[test]
fn who_refuses_connections_or_resets_is_followed_at_once() {
    for reply in [Reply::reset(), Reply::hang_up()] {
        let asked = stand().ask("refusing", false, reply, Reply::persona());
        assert!(asked.answer.status == 200 && asked.took < AFTER, "{:?}: {}", asked.took, asked.answer.text());
        let record = stand().record(&asked.answer);
        assert_eq!(endings(&record), ["silent", "answered"], "{record}");
        assert!(record["outcomes"][1]["hedged_after_ms"].is_null(), "{record}");
    }
}

#[test]
fn when_both_fail_the_last_one_is_heard() {
    let error = json!({"error": {"message": "telltale", "type": "t", "code": null}});
    let text = fresh("one two");
    let fails = |time: Duration| {
        Reply::json(503, &error).header("retry-after", "60").before_head(Fault::Stall(Wait::For(time)))
    };
    let [first, other] = stand().providers("both");
    first.when(When::mentions(&text), [fails(2 * AFTER)]);
    other.when(When::mentions(&text), [fails(3 * AFTER)]);
    let answer = stand().gateway.send(&stand().call("both", &text, false)).expect("an answer");
    assert_eq!(answer.status, 503, "{}", answer.text());
    let record = stand().record(&answer);
    assert!(endings(&record).starts_with(&["retriable"]), "{record}");
    assert!(!endings(&record).contains(&"outrun"), "{record}");
}

#[test]
fn a_client_that_leaves_lets_both_go() {
    let text = fresh("one two");
    for provider in stand().providers("left") {
        provider.when(When::mentions(&text), [Reply::silence(Wait::Forever)]);
    }
    let address = stand().gateway.address();
    let call = stand().call("left", &text, true).bytes(&address);
    let heard = everything_until_quiet(&address, &call, 2 * AFTER).expect("a connection");
    assert!(heard.is_empty(), "{}", String::from_utf8_lossy(&heard));
    for provider in stand().providers("left") {
        let_go(provider, &text);
    }
    let deadline = Instant::now() + SOON;
    let record = loop {
        let records = stand().gateway.records().expect("Records");
        if let Some(record) = records.into_iter().find(|record| record["route"] == "left") {
            break record;
        }
        assert!(Instant::now() < deadline, "no Record");
        std::thread::sleep(Duration::from_millis(100));
    };
    assert_eq!(endings(&record), ["abandoned", "abandoned"], "{record}");
}

#[test]
fn who_is_throttled_is_followed_at_once() {
    let error = json!({"error": {"message": "slow down", "type": "t", "code": null}});
    let asked = stand().ask("throttled", false, Reply::json(429, &error).header("retry-after", "1"), Reply::persona());
    assert!(asked.answer.status == 200 && asked.took < AFTER, "{:?}: {}", asked.took, asked.answer.text());
    let record = stand().record(&asked.answer);
    assert_eq!(endings(&record), ["retriable", "answered"], "{record}");
    assert!(record["outcomes"][1]["hedged_after_ms"].is_null(), "{record}");
}
