//! Faults of providers and of their streams that are about connections, not about words. `docs/faults.md` says where the others are.
#![allow(clippy::expect_used, clippy::panic, reason = "a test says what it expected")]

use std::net::TcpStream;
use std::time::{Duration, Instant};

use dragoman_tests::client::Answer;
use dragoman_tests::gateway::{Gateway, Setup};
use dragoman_tests::said::{Said, ask, read};
use dragoman_tests::simulator::persona::Dialect;
use dragoman_tests::simulator::{Framing, Persona, Reply, Script, Simulator, When};
use serde_json::json;
use tokio::net::{TcpListener, TcpSocket};

fn provider(key: &str) -> Simulator {
    Simulator::start(Persona::chat(key)).expect("a provider")
}

/// Asks as a client of the provider's own dialect.
fn say(gateway: &Gateway, model: &str, text: &str, stream: bool) -> (Answer, Said) {
    let answer = gateway.ask(Dialect::Chat, model, text, stream).expect("an answer");
    let said = read(Dialect::Chat, &answer);
    (answer, said)
}

/// A port where nobody takes a connection, nor refuses one: its queue is full. Linux drops whoever comes then.
struct BlackHole {
    listener: TcpListener,
    _waiting: Vec<TcpStream>,
}

impl BlackHole {
    fn open() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let _inside = runtime.enter();
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(([127, 0, 0, 1], 0).into()).expect("a port");
        let listener = socket.listen(1).expect("a queue");
        let address = listener.local_addr().expect("its address");
        let fill = |_| TcpStream::connect_timeout(&address, Duration::from_millis(100)).ok();
        let waiting = (0..8).map_while(fill).collect();
        Self { listener, _waiting: waiting }
    }

    fn url(&self) -> String {
        format!("http://{}", self.listener.local_addr().expect("its address"))
    }
}

#[test]
fn where_no_connection_comes_about_the_next_provider_answers_after_the_time_for_it() {
    let (well, hole, plain) = (provider("sk-well"), BlackHole::open(), provider("sk-plain"));
    let tls = plain.url().replace("http://", "https://");
    let setup = Setup::new()
        .simulator("well", &well)
        .provider("hole", Dialect::Chat, &hole.url(), "sk-hole")
        .provider("nowhere", Dialect::Chat, "http://nobody.invalid:80", "sk-nowhere")
        .provider("plain", Dialect::Chat, &tls, "sk-plain");
    let setup = ["hole", "nowhere", "plain"].iter().fold(setup, |setup, id| {
        setup.model(&format!("{id}-then-well"), &[id, "well"]).model(&format!("only-{id}"), &[id])
    });
    let gateway = Gateway::start(&setup).expect("a gateway");
    for (id, longest) in [("hole", 1500), ("nowhere", 1000), ("plain", 1000)] {
        for stream in [false, true] {
            let (answer, said) = say(&gateway, &format!("{id}-then-well"), "hello", stream);
            let took = answer.sent.elapsed();
            assert!(said.complete, "{id}: {} {}", answer.status, answer.text());
            assert!(took < Duration::from_millis(longest), "{id}: {took:?}");
        }
        let (answer, said) = say(&gateway, &format!("only-{id}"), "hello", false);
        assert!(
            [502, 503].contains(&answer.status) && said.error.is_some(),
            "{id}: {} {}",
            answer.status,
            answer.text()
        );
    }
    assert_eq!(plain.journal().total(), 0, "nothing is said to who can not prove its name");
}

#[test]
fn nobody_is_sent_elsewhere_by_a_provider() {
    let (first, elsewhere) = (provider("sk-first"), provider("sk-first"));
    let setup = Setup::new().simulator("first", &first).model("only-first", &["first"]);
    let gateway = Gateway::start(&setup).expect("a gateway");
    for status in [301, 302, 303, 307, 308] {
        for stream in [false, true] {
            let there = format!("{}/v1/chat/completions", elsewhere.url());
            first.play(Script::always(Reply::status(status).header("location", &there)));
            let (answer, said) = say(&gateway, "only-first", "hello", stream);
            assert!(answer.status >= 400 && said.error.is_some(), "{status}: {} {}", answer.status, answer.text());
            assert_eq!(answer.header("location"), None, "{status}: nor is the client");
        }
    }
    assert_eq!(elsewhere.journal().total(), 0);
}

#[test]
fn bytes_behind_an_answer_are_nobodys_answer() {
    let first = provider("sk-first");
    let setup = Setup::new().simulator("first", &first).model("only-first", &["first"]);
    let gateway = Gateway::start(&setup).expect("a gateway");
    let answer = |words: &str| {
        json!({
            "id": "c", "object": "chat.completion", "created": 1, "model": "m",
            "choices": [{ "index": 0, "message": { "role": "assistant", "content": words }, "finish_reason": "stop" }],
            "usage": { "prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2 },
        })
        .to_string()
    };
    let (own, stolen) = (answer("own"), answer("stolen"));
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
    let behind = format!("{own}{head}content-length: {}\r\n\r\n{stolen}", stolen.len());
    let declared = Reply::status(200).header("content-type", "application/json").framing(Framing::Declared(own.len()));
    let chunk = format!("{:x}\r\n{own}\r\n0\r\n\r\n", own.len());
    let both = format!("{head}content-length: {}\r\ntransfer-encoding: chunked\r\n\r\n{chunk}", own.len());
    let twice = format!("{head}content-length: {}\r\ncontent-length: 5\r\n\r\n{own}", own.len());
    first.when(When::mentions("longer"), [declared.body(behind)]);
    first.when(When::mentions("both"), [Reply::raw(both)]);
    first.when(When::mentions("twice"), [Reply::raw(twice)]);
    let began = Instant::now();
    for round in 0..100 {
        for odd in ["longer", "both", "twice"] {
            let (answer, _) = say(&gateway, "only-first", odd, false);
            assert!(!answer.text().contains("stolen"), "{odd}: {}", answer.text());
            let text = format!("round {round}");
            let (answer, said) = say(&gateway, "only-first", &text, round % 2 == 0);
            assert_eq!(said.text, format!("you said: {text}"), "behind {odd}: {}", answer.text());
        }
    }
    assert!(began.elapsed() < Duration::from_secs(60), "and nobody waits");
}

/// `text` as a gzip file whose one block is not compressed.
fn gzipped(text: &[u8]) -> Vec<u8> {
    let length = u16::try_from(text.len()).expect("a short text");
    let shift = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    let crc = !text.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), shift));
    let mut file = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1];
    file.extend(length.to_le_bytes());
    file.extend((!length).to_le_bytes());
    file.extend(text);
    file.extend(crc.to_le_bytes());
    file.extend(u32::from(length).to_le_bytes());
    file
}

#[test]
fn a_compressed_answer_that_nobody_asked_for_is_refused_and_never_garbled() {
    let first = provider("sk-first");
    let setup = Setup::new().simulator("first", &first).model("only-first", &["first"]);
    let gateway = Gateway::start(&setup).expect("a gateway");
    let body = br#"{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}"#;
    let reply = |bytes: &[u8]| Reply::status(200).header("content-type", "application/json").body(bytes);
    for client in Dialect::CLIENTS {
        for stream in [false, true] {
            first.play(Script::always(reply(&gzipped(body)).header("content-encoding", "gzip")));
            let answer = gateway.ask(client, "only-first", "hello", stream).expect("an answer");
            let said = read(client, &answer);
            assert_eq!(answer.status, 502, "{client:?}: {:?} {}", answer.headers, answer.text());
            assert!(said.error.is_some(), "{client:?}: {}", answer.text());
            assert_eq!(answer.header("content-encoding"), None, "{client:?}");
        }
    }
    let asked = first.journal().requests();
    assert!(asked.iter().all(|request| request.received.header("accept-encoding") == Some("identity")));
}

#[test]
fn signs_of_life_between_words_reach_the_client_and_keep_the_stream() {
    let first = provider("sk-first");
    let chunk = |text: &str, finish: serde_json::Value| {
        let choice = json!({ "index": 0, "delta": { "content": text }, "finish_reason": finish });
        format!("data: {}\n\n", json!({ "id": "c", "object": "chat.completion.chunk", "choices": [choice] }))
    };
    let pings = ": ping\n\n".repeat(12);
    let body = format!("{}{pings}{}data: [DONE]\n\n", chunk("one ", json!(null)), chunk("two", json!("stop")));
    // Twelve times half a second: longer than any silence that is allowed.
    let mut cuts = vec![chunk("one ", json!(null)).len()];
    (1..=12).for_each(|ping| cuts.push(cuts[0] + 8 * ping));
    first.play(Script::always(Reply::event_stream(body).cut_at(cuts).pause_between(Duration::from_millis(500))));
    let setup = Setup::new().limit("stream_idle_timeout", "\"2s\"").simulator("first", &first);
    let gateway = Gateway::start(&setup.model("only-first", &["first"])).expect("a gateway");
    let (answer, said) = say(&gateway, "only-first", "hello", true);
    assert_eq!((said.text.as_str(), said.complete), ("one two", true), "{}", answer.text());
    assert!(answer.arrivals.len() > 6, "as they come: {:?}", answer.arrivals.len());
}

#[test]
fn a_line_without_end_ends_the_stream_and_not_the_gateway() {
    let first = provider("sk-first");
    let setup = Setup::new().simulator("first", &first).model("only-first", &["first"]);
    let gateway = Gateway::start(&setup).expect("a gateway");
    let envoy = gateway.envoy_pid().expect("an Envoy");
    let endless = format!("data: {{\"id\":\"{}", "x".repeat(32 << 20));
    first.when(When::mentions("endless"), [Reply::event_stream(endless)]);
    for client in Dialect::CLIENTS {
        let answer = gateway.ask(client, "only-first", "endless", true).expect("an answer");
        assert!(!read(client, &answer).complete, "{client:?}: {}", answer.status);
        assert!(say(&gateway, "only-first", "hello", true).1.complete, "behind {client:?}");
    }
    assert_eq!(gateway.envoy_pid().expect("an Envoy"), envoy);
    assert_eq!(gateway.stat("vm_reload_success").expect("a stat"), 0, "no trap");
}

#[test]
fn a_client_that_does_not_read_holds_up_its_provider_and_nobody_else() {
    const ROOM: u64 = 1 << 20;
    let first = provider("sk-first");
    let setup = Setup::new().simulator("first", &first).model("only-first", &["first"]);
    // What a connection may hold is what a body may.
    let setup = setup.limit("max_body_bytes", &ROOM.to_string()).limit("first_event_timeout", "\"20s\"");
    let gateway = Gateway::start(&setup).expect("a gateway");
    let choice = json!({ "index": 0, "delta": { "content": "x".repeat(4000) }, "finish_reason": null });
    let event = format!("data: {}\n\n", json!({ "id": "c", "object": "chat.completion.chunk", "choices": [choice] }));
    let stream = event.repeat((128 << 20) / event.len());
    first.when(When::mentions("slow reader"), [Reply::event_stream(stream).cut_every(1 << 16)]);
    let body = ask(Dialect::Chat, "only-first", "slow reader", true);
    let mut open = gateway.open(&gateway.call(Dialect::Chat, "only-first", &body, true)).expect("a head");
    open.read(1).expect("a first byte");
    assert_eq!(open.answer.status, 200, "{}", open.answer.text());
    let sent = || first.journal().mentioning("slow reader")[0].delivered.bytes;
    // The kernel's buffers fill up first.
    let until = Instant::now() + Duration::from_secs(20);
    let mut before = 0;
    while before != sent() {
        assert!(Instant::now() < until, "the provider is not held up: {before} bytes");
        before = sent();
        std::thread::sleep(Duration::from_secs(1));
    }
    let held = gateway.stat("cx_.x_bytes_buffered").expect("Envoy's buffers");
    assert!(held > 0 && held < 4 * ROOM, "Envoy holds {held} bytes");
    assert_eq!(say(&gateway, "only-first", "hello", true).1.text, "you said: hello", "others are served");
    drop(open);
}

#[test]
fn a_provider_that_refuses_to_count_in_streams_is_asked_without_that_where_its_row_says_so() {
    let picky = provider("sk-picky");
    let refusal = json!({ "error": { "message": "Unrecognized request argument supplied: stream_options", "type": "invalid_request_error", "param": null, "code": null } });
    picky.when(When::mentions("stream_options"), [Reply::json(400, &refusal)]);
    let setup = Setup::new()
        .simulator("picky", &picky)
        .simulator("taught", &picky)
        .with("omit = [\"stream_options\"]")
        .model("only-picky", &["picky"])
        .model("only-taught", &["taught"]);
    let gateway = Gateway::start(&setup).expect("a gateway");
    for client in Dialect::CLIENTS {
        let mut body = ask(client, "only-taught", "hello", true);
        if client == Dialect::Chat {
            body["stream_options"] = json!({ "include_usage": true });
        }
        let answer = gateway.send(&gateway.call(client, "only-taught", &body, true)).expect("an answer");
        let said = read(client, &answer);
        assert!(said.complete && said.text == "you said: hello", "{client:?}: {} {}", answer.status, answer.text());
        let exchange = answer.header("x-dragoman-request-id").expect("an id").to_owned();
        let record = gateway.record(&exchange, Duration::from_secs(15)).expect("a Record");
        assert!(record["outcomes"][0]["estimate"].is_object(), "{client:?}: nobody counted: {record}");
        if let Some(model) = body.get_mut("model") {
            *model = json!("only-picky");
        }
        let answer = gateway.send(&gateway.call(client, "only-picky", &body, true)).expect("an answer");
        assert_eq!(answer.status, 400, "{client:?}: {}", answer.text());
        assert!(answer.text().contains("stream_options"), "it is told what is refused: {}", answer.text());
    }
}
