//! Many exchanges at once: each client hears its own answer, whatever becomes of the others.
#![allow(clippy::expect_used, clippy::panic, reason = "a test says what it expected")]

use std::time::Duration;

use dragoman_tests::rig::{fresh, pair, rig};
use dragoman_tests::said::ask;
use dragoman_tests::simulator::persona::Dialect;
use dragoman_tests::simulator::{Fault, Reply, Wait};

/// Enough to have every worker hold many exchanges at every stage; few enough for two cores.
const CLIENTS: usize = 48;
const ROUNDS: usize = 6;

/// What becomes of an exchange.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Answered,
    FellBack,
    Slow,
    Left,
    Refused,
}

const FATES: [Fate; 5] = [Fate::Answered, Fate::FellBack, Fate::Slow, Fate::Left, Fate::Refused];

fn live(client: Dialect, first: Dialect, second: Dialect, stream: bool, fate: Fate) {
    let text = fresh("together");
    let pause = Duration::from_millis(3);
    let slow = Reply::persona().pause_between(pause);
    let reply = match fate {
        Fate::Answered => Reply::persona(),
        Fate::FellBack => Reply::status(503),
        Fate::Slow => slow,
        Fate::Left => Reply::persona().after_pieces(5, Fault::Stall(Wait::Forever)),
        Fate::Refused => Reply::json(400, &serde_json::json!({"error": {"message": text}})),
    };
    rig().script(first, &text, [reply]);
    let model = pair(first, second);
    let what = format!("{fate:?}: {client:?}, {model}, streamed: {stream}");
    if let Fate::Left = fate {
        let call = rig().gateway.call(client, &model, &ask(client, &model, &text, true), true);
        let mut open = rig().gateway.open(&call).unwrap_or_else(|error| panic!("{what}: {error:#}"));
        open.read(1).expect("the first bytes");
        return;
    }
    let (answer, said) = rig().ask(client, &model, &text, stream).unwrap_or_else(|error| panic!("{what}: {error:#}"));
    if let Fate::Refused = fate {
        assert_eq!(answer.status, 400, "{what}");
        assert!(answer.text().contains(&text), "{what}: another's refusal: {}", answer.text());
        return;
    }
    assert_eq!(said.text, format!("you said: {text}"), "{what}: {} {}", answer.status, answer.text());
    assert!(said.complete, "{what}: {}", answer.text());
}

#[test]
fn nobody_hears_anothers_answer() {
    std::thread::scope(|scope| {
        for number in 0..CLIENTS {
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let turn = number + round * CLIENTS;
                    let client = Dialect::CLIENTS[turn % Dialect::CLIENTS.len()];
                    let provider = |shift: usize| Dialect::ALL[(turn / shift) % Dialect::ALL.len()];
                    // Five fates go round against four clients and six providers, so that all meet.
                    live(client, provider(1), provider(4), turn.is_multiple_of(2), FATES[turn % FATES.len()]);
                }
            });
        }
    });
    assert_eq!(rig().gateway.stat("vm_reload_success").expect("Envoy's administration"), 0, "no trap");
}

#[test]
fn every_exchange_has_exactly_one_record() {
    let mut exchanges = Vec::new();
    for turn in 0..48 {
        let (client, first) = (Dialect::CLIENTS[turn % 4], Dialect::ALL[turn / 4 % 6]);
        let text = fresh("recorded");
        if turn % 5 == 0 {
            rig().script(first, &text, [Reply::status(500)]);
        }
        let (answer, _) = rig().ask(client, &pair(first, Dialect::Chat), &text, turn % 2 == 0).expect("an answer");
        let attempts: usize =
            answer.header("x-dragoman-attempts").and_then(|count| count.parse().ok()).expect("a count");
        exchanges.push((answer.header("x-dragoman-request-id").expect("an id").to_owned(), attempts));
    }
    for (exchange, attempts) in &exchanges {
        let record = rig().gateway.record(exchange, Duration::from_secs(10)).expect("a Record");
        assert_eq!(record["outcomes"].as_array().map(Vec::len), Some(*attempts), "{record}");
    }
    let records = rig().gateway.records().expect("records");
    for (exchange, _) in &exchanges {
        let count = records.iter().filter(|record| record["exchange"] == exchange.as_str()).count();
        assert_eq!(count, 1, "{exchange}");
    }
}
