//! Callers that bring a token of their own for a provider: it passes through as it came, nobody else sees it, and when it meets its
//! limit there its caller, and nobody else, goes elsewhere for a while.
#![allow(clippy::expect_used, clippy::panic, reason = "a test says what it expected")]

use std::time::{Duration, Instant};

use dragoman_tests::api::Api;
use dragoman_tests::client::{Answer, Call};
use dragoman_tests::gateway::{Gateway, Setup};
use dragoman_tests::outside::Outside;
use dragoman_tests::said::ask;
use dragoman_tests::simulator::persona::Dialect;
use dragoman_tests::simulator::{Persona, Reply, Simulator, When};
use serde_json::{Value, json};

const TOKEN: &str = "sub-oat-alices-own-canary";

/// Two providers of one model: one takes its callers' own tokens, the other has the gateway's key.
struct Rig {
    people: Simulator,
    keyed: Simulator,
    gateway: Gateway,
    outside: Outside,
}

impl Rig {
    fn start() -> Rig {
        let people = Simulator::start(Persona::messages(TOKEN)).expect("a provider");
        let keyed = Simulator::start(Persona::messages("key-of-keyed")).expect("a provider");
        let row = format!(
            "[[provider]]\nid = \"people\"\nbase_url = \"{}\"\nservices = [{{ dialect = \"messages\", prefix = \"/v1\" }}]\n\
             sign_in = {{ policy = \"caller_passthrough\", token_prefixes = [\"sub-oat\"] }}\n\n\
             [[route]]\nname = \"m\"\ncandidates = [\"people/m\", \"keyed/m\"]\n",
            people.url()
        );
        let outside = Outside::start().expect("a collector");
        let setup = outside.setup(Setup::new().simulator("keyed", &keyed).more(&row).workers(2));
        let gateway = Gateway::start(&setup).expect("a gateway");
        Rig { people, keyed, gateway, outside }
    }

    /// As Claude Code asks that has the gateway's key among its own headers.
    fn ask(&self, token: &str, words: &str) -> Answer {
        let body = ask(Dialect::Messages, "m", words, false);
        let call = Call::new("POST", "/v1/messages").json(&body).header("content-type", "application/json");
        let call = call.header("x-dragoman-key", self.gateway.key()).header("authorization", format!("Bearer {token}"));
        let call = call
            .header("anthropic-version", "2023-06-01")
            .header("anthropic-beta", "oauth-2025-04-20")
            .header("user-agent", "claude-cli/2.0");
        call.send(&self.gateway.address()).expect("an answer")
    }

    fn target(&self, token: &str, words: &str) -> String {
        let answer = self.ask(token, words);
        assert_eq!(answer.status, 200, "{words}: {}", answer.text());
        answer.header("x-dragoman-target").unwrap_or_default().to_string()
    }

    fn cool_downs(&self) -> Vec<Value> {
        let api = Api::of(&self.gateway).expect("the admin API");
        let (page, _) = api.get("/api/v1/cool-downs").expect("a page");
        page["items"].as_array().expect("a list").clone()
    }
}

fn wait(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_callers_own_token_reaches_its_provider_untouched_and_nobody_else() {
    let rig = Rig::start();
    assert_eq!(rig.target(TOKEN, "hello"), "people/m");
    let seen = rig.people.journal().mentioning("hello");
    assert_eq!(seen.len(), 1);
    for (name, value) in [
        ("authorization", format!("Bearer {TOKEN}").as_str()),
        ("anthropic-beta", "oauth-2025-04-20"),
        ("user-agent", "claude-cli/2.0"),
    ] {
        assert_eq!(seen[0].received.header(name), Some(value), "{name}");
    }
    assert_eq!(seen[0].received.header("x-dragoman-key"), None);
    assert_eq!(rig.target("another-makers", "other token"), "keyed/m", "it is no token of that provider's");
    rig.people.when(When::mentions("fails"), [Reply::status(500)]);
    assert_eq!(rig.target(TOKEN, "fails"), "keyed/m");
    for request in rig.keyed.journal().requests() {
        let headers: Vec<_> =
            ["authorization", "x-api-key"].iter().filter_map(|name| request.received.header(name)).collect();
        assert!(headers.iter().all(|value| !value.contains("oat") && !value.contains("another")), "{headers:?}");
    }
    assert!(!rig.gateway.log().contains("canary"), "the token stands in the log");
    wait("spans", || rig.outside.has("/v1/traces"));
    for (place, text) in rig.outside.places(&rig.gateway).expect("they are there") {
        assert!(!text.contains(TOKEN) && !text.contains(rig.gateway.key()), "{place}");
    }
}

#[test]
fn a_limit_of_ones_own_token_sends_its_caller_elsewhere_until_it_ends_or_is_cleared() {
    let rig = Rig::start();
    let limit = Reply::json(429, &json!({"type": "error", "error": {"type": "rate_limit_error", "message": "slow"}}));
    rig.people.when(When::mentions("limited"), [limit.header("retry-after", "3600")]);
    assert_eq!(rig.target(TOKEN, "limited"), "keyed/m", "the request itself is answered at once");
    wait("the operator sees it", || rig.cool_downs().len() == 1);
    let cool_down = rig.cool_downs().remove(0);
    assert_eq!(cool_down["provider"], "people");
    assert!(!cool_down.to_string().contains("oat"), "{cool_down}");
    // Every worker knows: it met it itself, or was told.
    wait("nobody asks there with that token", || {
        let asked = || rig.people.journal().mentioning("later").len();
        let before = asked();
        (0..12).all(|_| rig.target(TOKEN, "later") == "keyed/m") && asked() == before
    });
    let api = Api::of(&rig.gateway).expect("the admin API");
    let bearer = cool_down["bearer"].as_str().expect("what stands for it");
    api.say("DELETE", &format!("/api/v1/cool-downs/people/{bearer}"), &json!({})).expect("it is cleared");
    wait("it is asked again", || rig.target(TOKEN, "after") == "people/m");
}
