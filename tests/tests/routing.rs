//! Which provider answers is decided by the name the client asks for.
#![allow(clippy::expect_used, clippy::panic, reason = "a test says what it expected")]

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
