//! Law 10: the module as it is shipped says what the same code says natively, to the byte; and no bytes, no host and no order
//! of callbacks makes it trap.
//!
//! The module runs in an interpreter behind a mock host, see [`dragoman_tests::mock_host`]. `cargo xtask wasm` builds it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test says what it expected")]

#[path = "wasm_native/damaged.rs"]
mod damaged;
#[path = "wasm_native/fixtures.rs"]
mod fixtures;
#[path = "wasm_native/hostile.rs"]
mod hostile;
#[path = "wasm_native/native.rs"]
mod native;

use dragoman_core::catalog::{DialectId, Provider};
use dragoman_core::health::{Fleet, Force, Told};
use dragoman_core::memory::Memory;
use dragoman_core::snapshot::Snapshot;
use dragoman_tests::mock_host::{Answer, Context, ControlPlane, Ends, Envoy, Pace, Request, Served};

use fixtures::{CHAIN, CLIENTS, Cut, Delivery, Fixture, code, fixtures, headers, plane, route};

/// Differences that are shown; where there are more, they have one cause.
const MOST_SHOWN: usize = 5;

/// The same worker twice.
struct Both {
    wasm: Envoy,
    native: Memory,
}

impl Both {
    fn start(plane: ControlPlane) -> Both {
        let native = native::memory(&plane);
        Both { wasm: Envoy::start(code(), plane).unwrap(), native }
    }

    /// Serves a request by both and holds them against each other; gives what came of it.
    fn serve(&mut self, request: &Request, answers: &[Option<Answer>]) -> Result<Served, String> {
        self.wasm.plane.records.clear();
        let served = self.settled(request, answers)?;
        same("how many Records were settled", self.wasm.plane.records.len(), 1)?;
        Ok(served)
    }

    /// The same for a worker that may have Records of other exchanges still to settle.
    fn settled(&mut self, request: &Request, answers: &[Option<Answer>]) -> Result<Served, String> {
        let wasm = self.wasm.serve(request, answers).map_err(|error| format!("{error:#}"))?;
        let id = wasm.exchange().ok_or("nobody was told the exchange's id")?;
        let (native, record) = native::serve(&mut self.native, &id, request, answers);
        if wasm.attempts.len() != native.attempts.len() {
            return Err(format!("{} attempts, natively {}", wasm.attempts.len(), native.attempts.len()));
        }
        for (wasm, native) in wasm.attempts.iter().zip(&native.attempts) {
            same("the provider's cluster", &wasm.cluster, &native.cluster)?;
            same("the provider's head", shown(&wasm.head), shown(&native.head))?;
            same("the provider's body", text(&wasm.body), text(&native.body))?;
        }
        same("the client's head", sorted(&wasm.head), sorted(&native.head))?;
        same("the client's body", text(&wasm.body), text(&native.body))?;
        same("whether it was cut", wasm.cut, native.cut)?;
        self.wasm.tick().map_err(|error| format!("{error:#}"))?;
        let settled = self.wasm.plane.records.last().map(|record| text(record));
        same("the Record", settled, Some(text(&record)))?;
        Ok(wasm)
    }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, wasm: T, native: T) -> Result<(), String> {
    if wasm == native {
        return Ok(());
    }
    let (wasm, native) = (format!("{wasm:#?}"), format!("{native:#?}"));
    let first = wasm.lines().zip(native.lines()).find(|(wasm, native)| wasm != native);
    let (wasm, native) = first.unwrap_or((wasm.as_str(), native.as_str()));
    Err(format!("{what}\n  wasm:   {wasm}\n  native: {native}"))
}

fn text(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

fn shown(head: &[(Vec<u8>, Vec<u8>)]) -> Vec<String> {
    head.iter().map(|(name, value)| format!("{}: {}", text(name), text(value))).collect()
}

/// In which order they stand means nothing to a client.
fn sorted(head: &[(Vec<u8>, Vec<u8>)]) -> Vec<String> {
    let mut shown = shown(head);
    shown.sort();
    shown
}

fn status(served: &Served) -> u16 {
    let status = dragoman_tests::mock_host::world::get(&served.head, ":status").unwrap();
    str::from_utf8(status).unwrap().parse().unwrap()
}

#[test]
fn every_fixture_in_every_dialect_is_served_as_natively() {
    let mut both = Both::start(plane(""));
    let (mut cut, mut differences, mut served) = (Cut(1), Vec::new(), 0);
    for (place, asked) in fixtures("requests").iter().enumerate() {
        for said in fixtures("answers") {
            for delivery in asked.deliveries() {
                let model = route(said.dialect, place % 2 == 0);
                let request = cut.request(asked.ask(&model, *delivery));
                served += 1;
                match both.serve(&request, &[Some(said.answer(&mut cut))]) {
                    // Some dialects have no words for sound; then nobody is asked.
                    Ok(wasm) if text(&wasm.body).contains("nobody who serves the model") => {}
                    Ok(wasm) => assert_eq!(wasm.attempts.len(), 1, "{}", text(&wasm.body)),
                    Err(difference) => differences.push(format!(
                        "{} {delivery:?} answered by {}: {difference}",
                        asked.path.display(),
                        said.path.display()
                    )),
                }
            }
        }
    }
    assert!(served > 300);
    let count = differences.len();
    differences.truncate(MOST_SHOWN);
    assert!(differences.is_empty(), "{count} of {served} differ, the first:\n{}", differences.join("\n"));
}

fn conversation(dialect: DialectId) -> Fixture {
    let named = |fixture: &Fixture| fixture.dialect == dialect && fixture.path.ends_with("conversation.json");
    fixtures("requests").into_iter().find(named).unwrap()
}

/// The first answer of that dialect that is framed so.
fn good(dialect: DialectId, streamed: bool) -> Answer {
    let name = if streamed { "tool_calls.sse" } else { "text.json" };
    let named = |fixture: &Fixture| fixture.dialect == dialect && fixture.path.ends_with(name);
    let found = fixtures("answers").into_iter().find(named).unwrap();
    Answer { ends: Ends::LastChunk, ..found.answer(&mut Cut(7)) }
}

fn failure(status: &str, kind: &str, body: &str) -> Answer {
    let head = headers(&[(":status", status), ("content-type", kind), ("retry-after", "7")]);
    Answer { head, chunks: vec![body.into()], ends: Ends::LastChunk }
}

#[test]
fn failed_attempts_end_as_natively() {
    let mut both = Both::start(plane(""));
    let error = r#"{"error":{"message":"no","type":"t","code":400}}"#;
    let failures = [
        None,
        Some(failure("503", "application/json", error)),
        Some(failure("429", "text/html", "<html>")),
        Some(failure("200", "application/json", &error.replace("400", "503"))),
        Some(failure("200", "text/event-stream", "data: {\"error\":{\"message\":\"overloaded\"}}\n\n")),
        Some(failure("200", "text/event-stream", ": ping\n\n")),
        Some(failure("200", "application/json", "{\"id\":")),
        Some(Answer { ends: Ends::Head, ..failure("200", "application/json", "") }),
        Some(Answer { ends: Ends::Head, ..failure("503", "application/json", "") }),
        Some(Answer { ends: Ends::Trailers, ..failure("200", "application/json", "{}") }),
        Some(Answer { ends: Ends::Breaks, ..failure("200", "application/json", "{}") }),
        Some(failure("400", "application/json", error)),
        Some(failure("401", "application/json", r#"{"error":{"message":"bad key secret-of-chat_completions"}}"#)),
        Some(failure("404", "text/plain", "no such page")),
    ];
    for client in CLIENTS {
        for (place, first) in failures.iter().enumerate() {
            for (streamed, delivery) in [(false, Delivery::Whole), (true, Delivery::Streamed)] {
                let request = Cut(place as u64).request(conversation(client).ask(CHAIN, delivery));
                let second = Some(good(DialectId::Messages, streamed));
                let served = both.serve(&request, &[first.clone(), second]);
                let served = served.unwrap_or_else(|error| panic!("{client:?} failure {place}: {error}"));
                let expected = if place < 11 { (2, 200) } else { (1, status(&served)) };
                assert_eq!((served.attempts.len(), status(&served)), expected, "{client:?} failure {place}");
                let all = vec![first.clone(); 3];
                let served = both.serve(&request, &all);
                let served = served.unwrap_or_else(|error| panic!("{client:?} failures {place}: {error}"));
                assert!(status(&served) >= 400, "{client:?} failures {place}");
            }
        }
    }
}

#[test]
fn what_failed_in_passing_is_asked_again_as_natively() {
    let mut plane = plane("");
    let mut snapshot = Snapshot::read(&plane.snapshot).unwrap();
    (snapshot.health.enabled, snapshot.health.retry_percent) = (true, 1000);
    // Whatever happens they are asked in their order.
    let closed = |provider: &Provider| Told {
        subject: provider.id.clone(),
        since_ms: 1,
        force: Some(Force::Closed),
        ..Told::default()
    };
    plane.health = Fleet { told: snapshot.providers.iter().map(closed).collect() }.write();
    plane.snapshot = snapshot.write();
    let mut both = Both::start(plane);
    let error = r#"{"error":{"message":"no","type":"t","code":500}}"#;
    let failing = Some(failure("500", "application/json", error)).map(|mut answer| {
        answer.head.retain(|(name, _)| name != b"retry-after");
        answer
    });
    for (model, most) in [(CHAIN.to_owned(), 9), (route(CLIENTS[0], true), 3)] {
        for failures in [0, 1, 2, 4, 6, 9] {
            let request = Cut(failures).request(conversation(CLIENTS[0]).ask(&model, Delivery::Whole));
            let mut answers = vec![failing.clone(); failures as usize];
            answers.resize(9, None);
            let served = both.serve(&request, &answers).unwrap_or_else(|error| panic!("{model} {failures}: {error}"));
            assert_eq!(served.attempts.len(), most, "nobody answers at last");
        }
    }
}

#[test]
fn streams_that_stop_in_the_middle_end_as_natively() {
    let mut both = Both::start(plane(""));
    for said in fixtures("answers") {
        for (place, client) in CLIENTS.into_iter().enumerate() {
            for ends in [Ends::Breaks, Ends::Leaves] {
                for part in 0..4 {
                    let mut cut = Cut(place as u64);
                    let request = cut.request(conversation(client).ask(&route(said.dialect, true), Delivery::Streamed));
                    let mut answer = Answer { ends, ..said.answer(&mut cut) };
                    answer.chunks = cut.chunks(&said.bytes[..said.bytes.len() * part / 4]);
                    let served = both.serve(&request, &[Some(answer)]);
                    served.unwrap_or_else(|error| panic!("{client:?}, {ends:?}, {}: {error}", said.path.display()));
                }
            }
        }
    }
}

/// Memory of a VM never shrinks, so what an exchange leaves behind would add up.
#[test]
fn exchanges_leave_nothing_behind() {
    let mut both = Both::start(plane(""));
    let (mut sizes, answers, clients) = (Vec::new(), fixtures("answers"), CLIENTS.map(conversation));
    for round in 0..6 {
        for turn in 0..60 {
            let mut cut = Cut(turn);
            let (said, client) = (&answers[cut.below(answers.len())], &clients[cut.below(CLIENTS.len())]);
            let request = cut.request(client.ask(CHAIN, Delivery::Streamed));
            let ends = [Ends::LastChunk, Ends::Breaks, Ends::Leaves][cut.below(3)];
            let answer = Answer { ends, ..said.answer(&mut cut) };
            both.serve(&request, &[Some(answer), None, None]).unwrap_or_else(|error| panic!("{round}: {error}"));
        }
        sizes.push(both.wasm.vm.memory());
    }
    assert_eq!(sizes[2..], [sizes[2]; 4], "bytes after each round: {sizes:?}");
}

/// Envoy drops the calls of a root context that ends (a listener was changed) and tells nobody.
#[test]
fn a_question_that_is_lost_with_its_root_context_is_asked_again() {
    let mut both = Both::start(plane(""));
    let request = Cut(1).request(conversation(DialectId::Messages).ask(CHAIN, Delivery::Whole));
    let (router, _) = both.wasm.roots();
    let stream = both.wasm.create(Context { root: router, ..Context::default() }).unwrap();
    both.wasm.vm.world().contexts.get_mut(&stream).unwrap().request.head = Some(request.head.clone());
    both.wasm.vm.call("proxy_on_request_headers", &[stream, 9, 0]).unwrap();
    assert!(both.wasm.vm.world().calls.values().any(|call| call.method.ends_with("/Admit")));
    both.wasm.delete(stream).unwrap();
    both.wasm.delete(router).unwrap();
    both.wasm.configure().unwrap();
    both.wasm.ask_control_plane().unwrap();
    let served = both.settled(&request, &[Some(good(DialectId::ChatCompletions, false))]).unwrap();
    assert_eq!(status(&served), 200);
}

#[test]
fn refusals_are_said_as_natively() {
    let mut both = Both::start(plane(""));
    for client in CLIENTS {
        let good = conversation(client).ask(CHAIN, Delivery::Whole);
        let with = |name: &str, value: &str| {
            let mut head = good.0.clone();
            dragoman_tests::mock_host::world::set(&mut head, name.as_bytes(), value.as_bytes());
            (head, good.1.clone())
        };
        let cases = [
            (with(":method", "GET"), 405),
            (with(":path", "/nowhere"), 404),
            (with("authorization", ""), 401),
            (with("authorization", "Bearer unknown"), 401),
            (with("x-api-key", "another"), 401),
            (with("content-encoding", "gzip"), 415),
            (with("content-length", "99999999999"), 413),
            (conversation(client).ask("no/such", Delivery::Whole), 404),
            ((good.0.clone(), b"{".to_vec()), 400),
            ((good.0.clone(), Vec::new()), 400),
            ((good.0.clone(), br#"{"messages":7,"contents":7,"input":7,"model":"chain"}"#.to_vec()), 400),
        ];
        for (place, (asked, expected)) in cases.into_iter().enumerate() {
            for seed in 0..4 {
                let request = Cut(seed).request(asked.clone());
                let served = both.serve(&request, &[]);
                let served = served.unwrap_or_else(|error| panic!("{client:?} refusal {place}: {error}"));
                assert_eq!((served.attempts.len(), status(&served)), (0, expected), "{client:?} refusal {place}");
            }
        }
        let request = Request { head: good.0.clone(), chunks: vec![], ends: Ends::Head, pace: Pace::Prompt };
        assert_eq!(status(&both.serve(&request, &[]).unwrap()), 400, "{client:?} without a body");
        let unheard = with("authorization", "Bearer never heard of");
        let request = Request { pace: Pace::Away, ..Cut(client as u64).request(unheard) };
        assert_eq!(status(&both.serve(&request, &[]).unwrap()), 503, "{client:?} without a control plane");
    }
}

/// Once for each exchange, from what its Record says.
#[test]
fn exchanges_are_counted_in_the_hosts_statistics() {
    let mut both = Both::start(plane(""));
    let client = DialectId::Messages;
    let request = Cut(1).request(conversation(client).ask(CHAIN, Delivery::Whole));
    for _ in 0..2 {
        both.serve(&request, &[None, Some(good(DialectId::Messages, false))]).unwrap();
    }
    let unknown = Cut(1).request(conversation(client).ask("no/such", Delivery::Whole));
    both.serve(&unknown, &[]).unwrap();
    let world = both.wasm.vm.world();
    let counted = |name: &str| world.counters.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
    assert_eq!(counted("dragoman.requests;dialect=messages;class=2xx"), Some(2), "{:?}", world.counters);
    assert_eq!(counted("dragoman.requests;dialect=messages;class=4xx"), Some(1), "{:?}", world.counters);
    assert_eq!(counted("dragoman.fallbacks;reason=silent"), Some(2), "{:?}", world.counters);
    let row = "provider=messages;target=messages/other-messages";
    assert_eq!(counted(&format!("dragoman.attempts;{row};ending=answered")), Some(2), "{:?}", world.counters);
    assert!(counted(&format!("dragoman.tokens;{row};kind=output")).unwrap() > 0);
    let measured = &world.histograms;
    assert!(measured.contains(&(format!("dragoman.first_event_ms;{row}"), vec![0, 0])), "{measured:?}");
}
