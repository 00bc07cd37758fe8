//! The model is chosen for each request, through the real Envoy: who is asked, what they are told, and what is said of it.
#![allow(clippy::expect_used, clippy::panic, reason = "a test says what it expected")]

use std::time::Duration;

use dragoman_tests::client::{Answer, Call};
use dragoman_tests::gateway::{Gateway, Setup};
use dragoman_tests::said::{ask, credential, path};
use dragoman_tests::simulator::persona::Dialect;
use dragoman_tests::simulator::{Persona, Reply, Script, Simulator};
use serde_json::{Value, json};

const ROUTES: &str = r#"
[[model]]
name = "small"
thinking = "never"
offers = ["a/small"]

[[model]]
name = "middling"
thinking = "words"
offers = ["a/middling"]

[[model]]
name = "large"
thinking = "tokens"
offers = ["g/large"]

[[price]]
target = "a/small"
input = "0.1"
output = "0.4"

[[price]]
target = "a/middling"
input = "1"
output = "4"

[[route]]
name = "auto"
[route.choose]
cheap = ["small"]
mid = ["middling"]
hard = ["large"]
least_alpha = 50
"#;

const HARD: &str = "Prove, step by step, that there are infinitely many primes. Calculate the first five and solve it.";

struct Behind {
    chat: Simulator,
    google: Simulator,
    gateway: Gateway,
}

fn start() -> Behind {
    let chat = Simulator::start(Persona::chat("key-a")).expect("a provider");
    let google = Simulator::start(Persona::gemini("key-g")).expect("a provider");
    let setup = Setup::new().simulator("a", &chat).simulator("g", &google).more(ROUTES);
    let gateway = Gateway::start(&setup).expect("a gateway");
    Behind { chat, google, gateway }
}

impl Behind {
    fn ask(&self, dialect: Dialect, body: &Value, headers: &[(&'static str, &str)]) -> Answer {
        let named = headers.iter().map(|(name, value)| (*name, value.to_string()));
        let headers = credential(dialect, self.gateway.key()).into_iter().chain(named);
        let call =
            headers.fold(Call::post(&path(dialect, "auto", false)), |call, (name, value)| call.header(name, value));
        call.json(body).send(&self.gateway.address()).expect("an answer")
    }

    fn say(&self, text: &str, headers: &[(&'static str, &str)]) -> Answer {
        self.ask(Dialect::Chat, &ask(Dialect::Chat, "auto", text, false), headers)
    }
}

fn told(answer: &Answer) -> [&str; 3] {
    ["x-dragoman-target", "x-dragoman-bucket", "x-dragoman-route"].map(|name| answer.header(name).unwrap_or_default())
}

#[test]
fn easy_requests_go_to_small_models_and_hard_ones_to_large_ones_which_are_told_to_think() {
    let behind = start();
    let easy = behind.say("Hello!", &[]);
    assert_eq!((easy.status, told(&easy)), (200, ["a/small", "cheap", "auto"]));
    let hard = behind.say(HARD, &[]);
    assert_eq!((hard.status, told(&hard)), (200, ["g/large", "hard", "auto"]));
    let sent = behind.google.journal().requests();
    let config = &sent.last().expect("it was asked").received.json()["generationConfig"]["thinkingConfig"];
    assert_eq!(config["thinkingBudget"], 20_000);
    let mid = behind.say("Hello!", &[("x-dragoman-bucket", "mid"), ("x-dragoman-alpha", "20")]);
    assert_eq!(told(&mid), ["a/middling", "mid", "auto"]);
    let sent = behind.chat.journal().requests();
    assert_eq!(sent.last().expect("it was asked").received.json()["reasoning_effort"], "medium");
    assert!(sent.first().expect("it was asked").received.json().get("reasoning_effort").is_none());

    let id = mid.header("x-dragoman-request-id").expect("an id");
    let record = behind.gateway.record(id, Duration::from_secs(5)).expect("a record");
    let chosen = &record["chosen"];
    assert_eq!((&chosen["bucket"], &chosen["by"], &chosen["alpha"]), (&json!("mid"), &json!("caller"), &json!(500)));
    assert_eq!(chosen["scores"][0]["target"], "a/middling");
}

#[test]
fn what_a_client_says_itself_stays_as_it_is() {
    let behind = start();
    let mut body = ask(Dialect::Chat, "auto", HARD, false);
    body["reasoning_effort"] = json!("low");
    assert_eq!(told(&behind.ask(Dialect::Chat, &body, &[]))[1], "hard");
    let sent = behind.google.journal().requests();
    assert_eq!(
        sent.last().expect("it was asked").received.json()["generationConfig"]["thinkingConfig"]["thinkingBudget"],
        2_048
    );
    let mut named = ask(Dialect::Chat, "a/small", HARD, false);
    named["model"] = json!("a/small");
    let answer = behind.ask(Dialect::Chat, &named, &[]);
    assert_eq!(told(&answer), ["a/small", "", ""], "who is named is asked");
}

#[test]
fn who_fails_is_followed_by_the_next_harder_bucket() {
    let behind = start();
    behind.chat.play(Script::always(Reply::status(503)));
    let answer = behind.say("Hello!", &[]);
    assert_eq!((answer.status, told(&answer)), (200, ["g/large", "cheap", "auto"]));
}

#[test]
fn every_dialects_prompts_are_understood() {
    let behind = start();
    for dialect in [Dialect::Messages, Dialect::Responses, Dialect::Gemini] {
        for (text, bucket) in [("Hello!", "cheap"), (HARD, "hard")] {
            let answer = behind.ask(dialect, &ask(dialect, "auto", text, false), &[]);
            assert_eq!((answer.status, told(&answer)[1]), (200, bucket), "{dialect:?}");
        }
    }
}
