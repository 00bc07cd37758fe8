//! Which provider answers is decided by the name the client asks for.
#![allow(clippy::expect_used, clippy::panic, reason = "a test says what it expected")]

use dragoman_tests::api::Api;
use dragoman_tests::gateway::{Gateway, Setup};
use dragoman_tests::said::read;
use dragoman_tests::simulator::persona::Dialect;
use dragoman_tests::simulator::{Persona, Reply, Script, Simulator};

/// What stands in the file behind the providers.
const NAMES: &str = r#"
[[model]]
name = "shared"
offers = ["a/shared-at-a", "b/shared-at-b"]

[[route]]
name = "auto"
candidates = ["b/own-of-b", "a/own-of-a"]

[[route]]
name = "by-model"
candidates = ["shared"]

[aliases]
fast = "shared"
"#;

struct Behind {
    a: Simulator,
    b: Simulator,
}

fn start() -> (Behind, Gateway) {
    let a = Simulator::start(Persona::chat("key-a")).expect("a provider");
    let b = Simulator::start(Persona::messages("key-b")).expect("a provider");
    let setup = Setup::new()
        .simulator("a", &a)
        .with("models = [\"own-of-a\", \"both\"]\nfamilies = [\"fam-\", \"\"]")
        .simulator("b", &b)
        .with("models = [\"own-of-b\", \"both\"]\nfamilies = [\"fam-b-\"]")
        .more(NAMES);
    let gateway = Gateway::start(&setup).expect("a gateway");
    (Behind { a, b }, gateway)
}

#[test]
fn the_name_finds_its_target_and_the_next_one() {
    let (behind, gateway) = start();
    let cases = [
        // (the name asked for, who answers, who answers when that one does not)
        ("own-of-a", "a/own-of-a", None),
        ("own-of-b", "b/own-of-b", None),
        ("both", "a/both", Some("b/both")),
        ("shared", "a/shared-at-a", Some("b/shared-at-b")),
        ("by-model", "a/shared-at-a", Some("b/shared-at-b")),
        ("auto", "b/own-of-b", Some("a/own-of-a")),
        ("fast", "a/shared-at-a", Some("b/shared-at-b")),
        ("a/own-of-a", "a/own-of-a", None),
        ("b:own-of-b", "b/own-of-b", None),
        ("b/anything-at-all", "b/anything-at-all", None),
        ("fam-x", "a/fam-x", None),
        ("fam-b-x", "b/fam-b-x", None),
        ("unheard-of", "a/unheard-of", None),
    ];
    for (name, first, second) in cases {
        for provider in [&behind.a, &behind.b] {
            provider.play(Script::default());
        }
        let answer = gateway.ask(Dialect::Chat, name, "hello", false).expect("an answer");
        assert_eq!(answer.header("x-dragoman-target"), Some(first), "{name}: {}", answer.text());
        assert!(read(Dialect::Chat, &answer).complete, "{name}: {}", answer.text());
        let Some(second) = second else { continue };
        let failing = if first.starts_with("a/") { &behind.a } else { &behind.b };
        failing.play(Script::always(Reply::status(429)));
        let answer = gateway.ask(Dialect::Chat, name, "hello", true).expect("an answer");
        assert_eq!(answer.header("x-dragoman-target"), Some(second), "{name}: {}", answer.text());
        assert!(read(Dialect::Chat, &answer).complete, "{name}: {}", answer.text());
    }
}

#[test]
fn the_demo_answers_every_client_and_says_what_it_is() {
    let gateway = Gateway::start(&Setup::new().demo()).expect("a gateway");
    for client in Dialect::CLIENTS {
        for stream in [false, true] {
            let answer = gateway.ask(client, "any-model", "hello", stream).expect("an answer");
            let said = read(client, &answer);
            assert!(said.complete, "{client:?}: {} {}", answer.status, answer.text());
            assert!(said.text.to_lowercase().contains("demo"), "{client:?}: {}", said.text);
        }
    }
}

#[test]
fn who_was_asked_as_often_as_it_may_be_is_passed_over_by_all_workers_together() {
    let a = Simulator::start(Persona::chat("key-a")).expect("a provider");
    let b = Simulator::start(Persona::messages("key-b")).expect("a provider");
    let setup = Setup::new()
        .simulator("a", &a)
        .with("rate_limits = [{ requests = 5, per = \"month\" }, { model = \"rare\", requests = 1, per = \"month\" }]")
        .simulator("b", &b)
        .model("shared", &["a", "b"])
        .model("rare", &["a"])
        .workers(2);
    let gateway = Gateway::start(&setup).expect("a gateway");
    let target = |model: &str| {
        let answer = gateway.ask(Dialect::Chat, model, "hello", false).expect("an answer");
        (answer.status, answer.header("x-dragoman-target").unwrap_or_default().to_string(), answer.text().to_string())
    };
    assert_eq!(target("rare").1, "a/rare");
    let (status, _, text) = target("rare");
    assert_eq!(status, 429, "{text}");
    assert!(text.contains("as often as the operator allows") && text.contains("targets_limited"), "{text}");
    let answered: Vec<String> = (0..10).map(|_| target("shared").1).collect();
    let of = |target: &str| answered.iter().filter(|answered| *answered == target).count();
    assert_eq!((of("a/shared"), of("b/shared")), (4, 6), "one of the five went to the other model: {answered:?}");
    let api = Api::of(&gateway).expect("the admin API");
    let (told, _) = api.get("/api/v1/rate-limits").expect("the admin API answers");
    let items = told["items"].as_array().expect("a list").iter();
    let told: Vec<_> = items.map(|item| (item["holder"].as_str(), item["limit"].as_u64())).collect();
    assert_eq!(told, [(Some("@a/rare"), Some(1)), (Some("@a"), Some(5))]);
}
