//! Providers that speak HTTP/2 fail and answer like those that speak HTTP/1.1.
#![allow(clippy::expect_used, clippy::panic, reason = "a test says what it expected")]

use std::sync::LazyLock;

use dragoman_tests::client::End;
use dragoman_tests::gateway::{Gateway, Setup};
use dragoman_tests::rig::fresh;
use dragoman_tests::said::{Said, read};
use dragoman_tests::simulator::persona::Dialect;
use dragoman_tests::simulator::{Fault, Persona, Reply, Simulator, Wait, When};
use serde_json::json;

/// Two providers of every dialect, spoken to by HTTP/2 with prior knowledge.
struct Rig {
    gateway: Gateway,
    firsts: Vec<Simulator>,
    seconds: Vec<Simulator>,
}

fn start() -> Rig {
    let start = |key: &str| -> Vec<Simulator> {
        let simulator = |dialect| Simulator::start(Persona::new(dialect, key)).expect("a provider");
        Dialect::ALL.into_iter().map(simulator).collect()
    };
    let (firsts, seconds) = (start("key-a"), start("key-b"));
    let mut setup = Setup::new();
    for (index, dialect) in Dialect::ALL.into_iter().enumerate() {
        let (first, second) = (dialect.name(), format!("{}-b", dialect.name()));
        setup = setup.simulator(first, &firsts[index]).with("http2 = true");
        setup = setup.simulator(&second, &seconds[index]).with("http2 = true");
        setup = setup.model(&format!("by-{first}"), &[first, &second]);
    }
    Rig { gateway: Gateway::start(&setup).expect("a gateway"), firsts, seconds }
}

/// The one whose providers break connections.
fn rig() -> &'static Rig {
    static RIG: LazyLock<Rig> = LazyLock::new(start);
    &RIG
}

/// A client that speaks this dialect, or chat completions where no client speaks it.
fn client_of(dialect: Dialect) -> Dialect {
    if Dialect::CLIENTS.contains(&dialect) { dialect } else { Dialect::Chat }
}

fn ask(client: Dialect, provider: usize, text: &str, stream: bool) -> (dragoman_tests::client::Answer, Said) {
    ask_of(rig(), client, provider, text, stream)
}

fn ask_of(
    rig: &Rig,
    client: Dialect,
    provider: usize,
    text: &str,
    stream: bool,
) -> (dragoman_tests::client::Answer, Said) {
    let model = format!("by-{}", Dialect::ALL[provider].name());
    let answer = rig.gateway.ask(client, &model, text, stream).expect("an answer");
    let said = read(client, &answer);
    (answer, said)
}

#[test]
fn whole_and_streamed_answers_come_through() {
    // One of its own: a connection that another test has broken would take these requests along.
    let rig = start();
    for client in Dialect::CLIENTS {
        for provider in 0..Dialect::ALL.len() {
            for stream in [false, true] {
                let text = fresh("Grüße \u{1F680}");
                let (answer, said) = ask_of(&rig, client, provider, &text, stream);
                assert!(said.complete, "{client:?} to {provider}: {} {}", answer.status, answer.text());
                assert_eq!(said.text, format!("you said: {text}"));
                let seen = &rig.firsts[provider].journal().mentioning(&text)[0];
                assert_eq!(seen.received.protocol, "HTTP/2");
            }
        }
    }
}

#[test]
fn what_goes_wrong_before_the_first_event_is_answered_by_the_next_provider() {
    let error = json!({"error": {"message": "telltale"}});
    let faults = [
        ("429", Reply::json(429, &error)),
        ("529 without a body", Reply::status(529)),
        ("stream reset", Reply::reset()),
        ("connection closed", Reply::hang_up()),
        ("silence", Reply::silence(Wait::Forever)),
        ("error as first event", Reply::event_stream("data: {\"error\":{\"message\":\"telltale\"}}\n\n")),
        ("empty stream", Reply::event_stream("")),
        ("reset after the head", Reply::persona().after_bytes(0, Fault::Reset)),
    ];
    std::thread::scope(|scope| {
        for (name, reply) in faults {
            scope.spawn(move || {
                for (provider, dialect) in Dialect::ALL.into_iter().enumerate() {
                    let client = client_of(dialect);
                    let text = fresh("hello");
                    rig().firsts[provider].when(When::mentions(&text), [reply.clone()]);
                    let (answer, said) = ask(client, provider, &text, true);
                    assert!(said.complete, "{name}, {client:?}: {} {}", answer.status, answer.text());
                    assert_eq!(said.text, format!("you said: {text}"), "{name}, {client:?}");
                    assert!(!answer.text().contains("telltale"), "{name}, {client:?}");
                    assert_eq!(answer.header("x-dragoman-attempts"), Some("2"), "{name}, {client:?}");
                    assert_eq!(rig().seconds[provider].journal().mentioning(&text).len(), 1, "{name}, {client:?}");
                }
            });
        }
    });
}

#[test]
fn a_stream_reset_or_cut_in_the_middle_is_never_complete() {
    std::thread::scope(|scope| {
        for fault in [Fault::Reset, Fault::Cut, Fault::EndWith(Vec::new())] {
            for (provider, dialect) in Dialect::ALL.into_iter().enumerate() {
                let client = client_of(dialect);
                let fault = fault.clone();
                scope.spawn(move || {
                    let text = fresh("one two three");
                    rig().firsts[provider]
                        .when(When::mentions(&text), [Reply::persona().after_pieces(5, fault.clone())]);
                    let (answer, said) = ask(client, provider, &text, true);
                    let what = format!("{fault:?}, {client:?}: {}", answer.text());
                    assert_eq!(answer.status, 200, "{what}");
                    assert!(!said.complete, "{what}");
                    assert!(said.error.is_some() || answer.end == End::Cut, "{what}");
                    assert!(format!("you said: {text}").starts_with(&said.text), "{what}");
                });
            }
        }
    });
}
