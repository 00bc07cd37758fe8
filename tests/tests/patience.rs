//! How long a route waits, and for whom: the real Envoy ends what takes too long, and somebody else is asked.
//!
//! Workers remember who fails, so every test fails providers of its own.
#![allow(clippy::expect_used, clippy::panic, reason = "a test says what it expected")]

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use dragoman_tests::api::Api;
use dragoman_tests::client::{Answer, Call, End};
use dragoman_tests::gateway::{Gateway, Setup};
use dragoman_tests::rig::fresh;
use dragoman_tests::said::{Said, ask, read};
use dragoman_tests::simulator::persona::Dialect;
use dragoman_tests::simulator::{Fault, Persona, Reply, Request, Script, Simulator, Wait, When};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(15);

/// Providers that fail, each in one test only.
const FAILING: [&str; 9] =
    ["hasty", "patient", "thinking", "stalling", "steady", "small", "prude", "resting", "narrow"];

/// The routes; a provider may be silent for two seconds, and for four when it thinks.
const ROUTES: &str = r#"
[[model]]
name = "small"
context_window = 8000
offers = ["small/m"]

[[model]]
name = "large"
context_window = 200000
offers = ["other/large"]

[[route]]
name = "hasty"
candidates = ["hasty/m", "other/m"]
first_event_timeout = "600ms"

[[route]]
name = "patient"
candidates = ["patient/m", "other/m"]
first_event_timeout = "8s"

[[route]]
name = "thinking"
candidates = ["thinking/m", "other/m"]

[[route]]
name = "stalling"
candidates = ["stalling/m", "other/m"]
between_events_timeout = "1s"

[[route]]
name = "steady"
candidates = ["steady/m", "other/m"]
between_events_timeout = "8s"

[[route]]
name = "small"
candidates = ["small", "large"]

[[route]]
name = "prude"
candidates = ["prude/m", "other/m"]

[[route]]
name = "worldly"
candidates = ["prude/m", "other/m"]
on_content_policy = "fallback"

[[route]]
name = "resting"
candidates = ["resting/m"]

[[route]]
name = "awaited"
candidates = ["resting/m"]
wait = { at_most = "8s" }

[[route]]
name = "awaited-shortly"
candidates = ["resting/m"]
wait = { at_most = "700ms" }

[[route]]
name = "narrow"
candidates = ["narrow/m"]
wait = { at_most = "12s", queue = 3 }
"#;

struct Stand {
    gateway: Gateway,
    failing: Vec<Simulator>,
    other: Simulator,
}

impl Stand {
    fn start() -> anyhow::Result<Self> {
        let start = |_| Simulator::start(Persona::chat("sk-failing"));
        let failing: Vec<Simulator> = FAILING.iter().map(start).collect::<anyhow::Result<_>>()?;
        let other = Simulator::start(Persona::messages("sk-other"))?;
        let providers = FAILING.iter().zip(&failing);
        let setup = providers.fold(Setup::new().health(""), |setup, (id, simulator)| setup.simulator(id, simulator));
        let setup = setup.with("rate_limits = [{ concurrent = 1 }]");
        let setup = setup.simulator("other", &other).limit("thinking_timeout", "\"4s\"").more(ROUTES);
        Ok(Self { gateway: Gateway::start(&setup)?, failing, other })
    }

    fn failing(&self, id: &str) -> &Simulator {
        let place = FAILING.iter().position(|known| *known == id).expect("a provider");
        &self.failing[place]
    }

    /// Asks a route whose first provider, called like it or `first`, replies so; gives back how long it took.
    fn ask(&self, first: &str, route: &str, stream: bool, reply: Reply) -> (Answer, Said, Duration) {
        let text = fresh("one two three four");
        self.failing(first).when(When::mentions(&text), [reply]);
        self.send(&self.call(route, &ask(Dialect::Chat, route, &text, stream), stream))
    }

    fn call(&self, route: &str, body: &Value, stream: bool) -> Call {
        self.gateway.call(Dialect::Chat, route, body, stream)
    }

    fn send(&self, call: &Call) -> (Answer, Said, Duration) {
        let before = Instant::now();
        let answer = self.gateway.send(call).expect("an answer");
        let took = before.elapsed();
        let said = read(Dialect::Chat, &answer);
        (answer, said, took)
    }
}

fn stand() -> &'static Stand {
    static STAND: LazyLock<Stand> = LazyLock::new(|| match Stand::start() {
        Ok(stand) => stand,
        Err(error) => panic!("the stand does not start: {error:#}"),
    });
    &STAND
}

fn seconds(time: f64) -> Duration {
    Duration::from_secs_f64(time)
}

#[test]
fn a_route_that_waits_less_asks_the_next_sooner_and_no_caller_says_otherwise() {
    for stream in [false, true] {
        let text = fresh("hello");
        stand().failing("hasty").when(When::mentions(&text), [Reply::silence(Wait::Forever)]);
        let call = stand().call("hasty", &ask(Dialect::Chat, "hasty", &text, stream), stream);
        let call = call.header("x-envoy-upstream-rq-per-try-timeout-ms", "60000");
        let (answer, said, took) = stand().send(&call);
        assert!(answer.status == 200 && said.complete, "{}", answer.text());
        assert_eq!(answer.header("x-dragoman-attempts"), Some("2"));
        assert!(took > seconds(0.5) && took < seconds(1.9), "{took:?}: the gateway's own is two seconds");
        for provider in [stand().failing("hasty"), &stand().other] {
            let seen = &provider.journal().mentioning(&text)[0].received;
            assert_eq!(seen.header("x-envoy-upstream-rq-per-try-timeout-ms"), None, "it is none of theirs");
            assert_eq!(seen.header("x-envoy-expected-rq-timeout-ms"), None);
        }
    }
}

#[test]
fn a_route_that_waits_longer_is_answered_by_the_slow_one() {
    for stream in [false, true] {
        let slow = Reply::silence(Wait::For(seconds(3.0)));
        let (answer, said, _) = stand().ask("patient", "patient", stream, slow);
        assert!(answer.status == 200 && said.complete, "{}", answer.text());
        assert_eq!(answer.header("x-dragoman-attempts"), Some("1"));
    }
}

#[test]
fn who_thinks_may_be_silent_for_longer() {
    for (thinks, attempts) in [(true, "1"), (false, "2")] {
        let text = fresh("hello");
        let slow = Reply::persona().after_bytes(0, Fault::Stall(Wait::For(seconds(3.0))));
        stand().failing("thinking").when(When::mentions(&text), [slow]);
        let mut body = ask(Dialect::Chat, "thinking", &text, true);
        if thinks {
            body["reasoning_effort"] = json!("high");
        }
        let (answer, said, _) = stand().send(&stand().call("thinking", &body, true));
        assert!(answer.status == 200 && said.complete, "{}", answer.text());
        assert_eq!(answer.header("x-dragoman-attempts"), Some(attempts));
    }
}

#[test]
fn an_answer_that_stops_is_cut_when_the_routes_time_is_over() {
    let stalls = Reply::persona().after_pieces(5, Fault::Stall(Wait::Forever));
    let (answer, said, took) = stand().ask("stalling", "stalling", true, stalls);
    assert!(answer.status == 200 && !said.complete && !said.text.is_empty(), "{}", answer.text());
    assert_ne!(answer.end, End::Complete, "it must not look whole");
    assert!(took > seconds(0.9) && took < seconds(1.9), "{took:?}");
    let exchange = answer.header("x-dragoman-request-id").expect("an id");
    let record = stand().gateway.record(exchange, SOON).expect("a Record");
    assert_eq!(record["outcomes"][0]["failure"], "timeout", "{record}");
    assert_eq!(record["outcomes"][0]["ending"], "broken", "{record}");
    let left = stand().failing("stalling").journal().wait_ended(SOON);
    assert!(left.is_ok(), "nothing is left of it: {:?}", left.err());
}

#[test]
fn an_answer_that_stops_for_less_than_the_routes_time_is_whole() {
    let pauses = Reply::persona().after_pieces(5, Fault::Stall(Wait::For(seconds(3.0))));
    let (answer, said, _) = stand().ask("steady", "steady", true, pauses);
    assert!(said.complete && answer.end == End::Complete, "{}", answer.text());
}

#[test]
fn what_does_not_fit_is_answered_by_who_has_more_room() {
    let error = json!({"error": {"message": "too long", "type": "t", "code": "context_length_exceeded"}});
    for stream in [false, true] {
        let (answer, said, _) = stand().ask("small", "small", stream, Reply::json(400, &error));
        assert!(answer.status == 200 && said.complete, "{}", answer.text());
        assert_eq!(answer.header("x-dragoman-target"), Some("other/large"));
    }
    let exchange = stand().ask("small", "small", false, Reply::json(400, &error)).0;
    let exchange = exchange.header("x-dragoman-request-id").expect("an id").to_owned();
    let record = stand().gateway.record(&exchange, SOON).expect("a Record");
    assert_eq!(record["outcomes"][0]["failure"], "context_too_long", "{record}");
}

#[test]
fn what_one_policy_forbids_is_asked_elsewhere_where_the_route_says_so() {
    let error = json!({"error": {"message": "no", "type": "t", "code": "content_filter"}});
    for (route, status) in [("prude", 400), ("worldly", 200)] {
        let (answer, ..) = stand().ask("prude", route, false, Reply::json(400, &error));
        assert_eq!(answer.status, status, "{route}: {}", answer.text());
    }
}

#[test]
fn while_a_target_rests_a_request_waits_as_long_as_its_route_says() {
    let error = json!({"error": {"message": "slow down", "type": "t", "code": null}});
    let refuses = Reply::json(429, &error).header("retry-after", "3");
    assert_eq!(stand().ask("resting", "resting", false, refuses).0.status, 429);
    let ask = |route| stand().ask("resting", route, false, Reply::persona());
    let (answer, _, took) = ask("resting");
    assert!(answer.status == 429 && took < seconds(0.4), "{took:?}: a route that does not wait");
    let (answer, _, took) = ask("awaited-shortly");
    assert_eq!(answer.status, 429, "{}", answer.text());
    assert!(answer.text().contains("targets_resting") && took > seconds(0.6) && took < seconds(1.7), "{took:?}");
    let (answer, said, took) = ask("awaited");
    assert!(answer.status == 200 && said.complete, "{}", answer.text());
    assert!(took > seconds(0.2) && took < seconds(4.0), "{took:?}");
}

#[test]
fn requests_wait_for_room_and_who_finds_the_queue_full_does_not() {
    let asked: Vec<(Answer, Duration)> = std::thread::scope(|scope| {
        let ask = || {
            let slow = Reply::silence(Wait::For(seconds(1.0)));
            let (answer, _, took) = stand().ask("narrow", "narrow", false, slow);
            (answer, took)
        };
        let asking: Vec<_> = (0..6)
            .map(|_| {
                std::thread::sleep(Duration::from_millis(60));
                scope.spawn(ask)
            })
            .collect();
        asking.into_iter().map(|one| one.join().expect("an answer")).collect()
    });
    let statuses: Vec<u16> = asked.iter().map(|(answer, _)| answer.status).collect();
    assert_eq!(statuses, [200, 200, 200, 200, 429, 429], "one is asked, three wait");
    for (number, (_, took)) in asked.iter().take(4).enumerate() {
        let least = Duration::from_millis(900 + 880 * number as u64);
        assert!(*took > least, "{number}: {took:?}: they go in turn, one at a time");
    }
    let (refused, took) = &asked[4];
    assert!(refused.text().contains("targets_limited") && *took < seconds(0.5), "{took:?}: {}", refused.text());
}

/// A tenant's key.
fn tenant(api: &Api, name: &str) -> String {
    api.say("PUT", &format!("/api/v1/accounts/{name}"), &json!({ "kind": "tenant" })).expect("an account");
    let made =
        api.say("POST", "/api/v1/keys", &json!({ "name": format!("of-{name}"), "account": name })).expect("a key");
    made["key"].as_str().expect("its secret").to_owned()
}

#[test]
fn of_those_who_wait_tenants_take_turns_and_a_tenants_urgent_ones_come_first() {
    let narrow = Simulator::start(Persona::chat("sk-narrow")).expect("a provider");
    let route = "[[route]]\nname = \"m\"\ncandidates = [\"narrow/m\"]\nwait = { at_most = \"20s\", queue = 20 }\n";
    let setup = Setup::new().simulator("narrow", &narrow).with("rate_limits = [{ concurrent = 1 }]").more(route);
    let gateway = Gateway::start(&setup).expect("a gateway");
    let api = Api::of(&gateway).expect("the admin API");
    let [acme, corp] = ["acme", "corp"].map(|name| tenant(&api, name));
    narrow.play(Script::always(Reply::silence(Wait::For(seconds(0.6)))));
    // In this order they come; the first one is asked at once, and all others find it at work.
    let coming = [
        (&acme, "first", ""),
        (&acme, "acme-low", "low"),
        (&acme, "acme-normal", ""),
        (&acme, "acme-high-1", "high"),
        (&acme, "acme-high-2", "high"),
        (&corp, "corp-low", "low"),
        (&corp, "corp-normal", "normal"),
    ];
    std::thread::scope(|scope| {
        for (key, words, priority) in coming {
            let call = Gateway::call_as(key, Dialect::Chat, "m", &ask(Dialect::Chat, "m", words, false), false);
            let call = if priority.is_empty() { call } else { call.header("x-dragoman-priority", priority) };
            let gateway = &gateway;
            scope.spawn(move || {
                let answer = gateway.send(&call).expect("an answer");
                assert_eq!(answer.status, 200, "{words}: {}", answer.text());
            });
            std::thread::sleep(Duration::from_millis(60));
        }
    });
    let words =
        |request: &Request| request.received.json()["messages"][0]["content"].as_str().unwrap_or_default().to_owned();
    let asked: Vec<String> = narrow.journal().requests().iter().map(words).collect();
    let of = |tenant: &str| -> Vec<&str> {
        asked.iter().map(String::as_str).filter(|words| words.starts_with(tenant)).collect()
    };
    assert_eq!(of("acme"), ["acme-high-1", "acme-high-2", "acme-normal", "acme-low"], "{asked:?}");
    assert_eq!(of("corp"), ["corp-normal", "corp-low"], "{asked:?}");
    // Whoever asks for much waits for itself: both are through while there is somebody of the other.
    let turns: Vec<&str> = asked.iter().skip(1).take(4).map(|words| &words[..4]).collect();
    assert!(turns == ["acme", "corp", "acme", "corp"] || turns == ["corp", "acme", "corp", "acme"], "{asked:?}");
}
