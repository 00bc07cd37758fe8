//! Malformed HTTP/2 of providers, frame by frame, and clients that end their sending side: the gateway goes on, and nothing broken
//! looks whole.
#![allow(clippy::expect_used, clippy::panic, reason = "a test says what it expected")]

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use dragoman_tests::client::everything_after_last_word;
use dragoman_tests::gateway::{Gateway, Setup};
use dragoman_tests::said::{ask, read};
use dragoman_tests::simulator::persona::Dialect;
use dragoman_tests::simulator::{Persona, Reply, Simulator, Wait, When};
use serde_json::json;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PUSH_PROMISE: u8 = 5;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short payload").to_be_bytes();
    let mut bytes = length[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// `:status: 200` and a content type, packed.
fn good_head() -> Vec<u8> {
    let kind = b"text/event-stream";
    let length = u8::try_from(kind.len()).expect("a short word");
    [&[0x88, 0x0f, 0x10, length], kind.as_slice()].concat()
}

fn event(words: &str, finish: &serde_json::Value) -> Vec<u8> {
    let choice = json!({ "index": 0, "delta": { "content": words }, "finish_reason": finish });
    format!("data: {}\n\n", json!({ "id": "c", "object": "chat.completion.chunk", "choices": [choice] })).into_bytes()
}

/// Makes the frames for a stream.
type Says = fn(u32) -> Vec<Vec<u8>>;

/// What a provider says on the stream of a request, and whether that is a whole answer before it goes wrong.
struct Case {
    name: &'static str,
    says: Says,
    is_whole: bool,
}

/// The head and a first event: from here on nothing can be asked of anybody else.
fn begun(stream: u32) -> Vec<Vec<u8>> {
    vec![frame(HEADERS, END_HEADERS, stream, &good_head()), frame(DATA, 0, stream, &event("one ", &json!(null)))]
}

fn whole(stream: u32) -> Vec<Vec<u8>> {
    let mut frames = begun(stream);
    let end = [event("two", &json!("stop")), b"data: [DONE]\n\n".to_vec()].concat();
    frames.push(frame(DATA, END_STREAM, stream, &end));
    frames
}

fn then(mut frames: Vec<Vec<u8>>, more: impl IntoIterator<Item = Vec<u8>>) -> Vec<Vec<u8>> {
    frames.extend(more);
    frames
}

const CASES: &[Case] = &[
    Case {
        name: "a frame larger than any",
        says: |_| vec![vec![0xff, 0xff, 0xff, DATA, 0, 0, 0, 0, 1], vec![0; 4096]],
        is_whole: false,
    },
    Case { name: "data on the connection's own stream", says: |_| vec![frame(DATA, 0, 0, b"x")], is_whole: false },
    Case {
        name: "a head that can't be unpacked",
        says: |stream| vec![frame(HEADERS, END_HEADERS, stream, &[0xff; 32])],
        is_whole: false,
    },
    Case {
        name: "a head without a status",
        says: |stream| vec![frame(HEADERS, END_HEADERS, stream, &good_head()[1..])],
        is_whole: false,
    },
    Case { name: "data before a head", says: |stream| vec![frame(DATA, 0, stream, b"data: x\n\n")], is_whole: false },
    Case {
        name: "a head on a stream that nobody opened",
        says: |stream| vec![frame(HEADERS, END_HEADERS, stream + 100, &good_head())],
        is_whole: false,
    },
    Case {
        name: "a promise that nobody allowed",
        says: |stream| vec![frame(PUSH_PROMISE, END_HEADERS, stream, &[&[0, 0, 0, 2], &good_head()[..]].concat())],
        is_whole: false,
    },
    Case {
        name: "a head of a megabyte",
        says: |stream| {
            let field =
                |number: u8| [&[0x00, 1, b'a' + number % 26, 0x7f, 0x80, 0x40], [b'v'; 8191].as_slice()].concat();
            let first = frame(HEADERS, 0, stream, &good_head());
            let more = (0..128).map(|number| frame(CONTINUATION, 0, stream, &field(number)));
            then(vec![first], more)
        },
        is_whole: false,
    },
    Case {
        name: "a frame in the midst of a head",
        says: |stream| vec![frame(HEADERS, 0, stream, &good_head()), frame(PING, 0, 0, &[0; 8])],
        is_whole: false,
    },
    Case { name: "settings of a wrong length", says: |_| vec![frame(SETTINGS, 0, 0, &[0; 5])], is_whole: false },
    Case {
        name: "a window that grows by nothing",
        says: |stream| vec![frame(WINDOW_UPDATE, 0, stream, &[0; 4])],
        is_whole: false,
    },
    Case {
        name: "a window that overflows",
        says: |_| (0..3).map(|_| frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff])).collect(),
        is_whole: false,
    },
    Case { name: "going away before an answer", says: |_| vec![frame(GOAWAY, 0, 0, &[0; 8])], is_whole: false },
    Case {
        name: "padding longer than its frame",
        says: |stream| then(begun(stream), [frame(DATA, PADDED, stream, &[200, b'x'])]),
        is_whole: false,
    },
    Case {
        name: "trailers that do not end the stream, and data behind them",
        says: |stream| {
            then(
                begun(stream),
                [
                    frame(HEADERS, END_HEADERS, stream, &[0x00, 1, b'x', 1, b'y']),
                    frame(DATA, 0, stream, b"data: x\n\n"),
                ],
            )
        },
        is_whole: false,
    },
    Case {
        name: "going away in the middle, with an error",
        says: |stream| then(begun(stream), [frame(GOAWAY, 0, 0, &[0, 0, 0, 0, 0, 0, 0, 2])]),
        is_whole: false,
    },
    Case {
        name: "a hundred thousand resets",
        says: |stream| {
            let reset = frame(RST_STREAM, 0, stream, &[0, 0, 0, 2]);
            then(begun(stream), [reset.repeat(100_000)])
        },
        is_whole: false,
    },
    Case {
        name: "a flood of settings",
        says: |stream| then(begun(stream), [frame(SETTINGS, 0, 0, &[]).repeat(100_000)]),
        is_whole: false,
    },
    Case {
        name: "a flood of pings",
        says: |stream| then(begun(stream), [frame(PING, 0, 0, &[0; 8]).repeat(100_000)]),
        is_whole: false,
    },
    Case {
        name: "a flood of empty data",
        says: |stream| then(begun(stream), [frame(DATA, 0, stream, &[]).repeat(100_000)]),
        is_whole: false,
    },
    Case {
        name: "data behind the end",
        says: |stream| then(whole(stream), [frame(DATA, 0, stream, b"data: stolen\n\n")]),
        is_whole: true,
    },
    Case {
        name: "a second head behind the end",
        says: |stream| then(whole(stream), [frame(HEADERS, END_HEADERS, stream, &good_head())]),
        is_whole: true,
    },
    Case {
        name: "frames that nobody knows",
        says: |stream| then(vec![frame(0xee, 0xff, stream, b"x")], whole(stream)),
        is_whole: true,
    },
];

/// A provider that answers every request with the frames of the case that is set, and then closes.
struct Frames {
    listener: TcpListener,
    says: Arc<Mutex<Says>>,
}

impl Frames {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let says: Arc<Mutex<Says>> = Arc::new(Mutex::new(|_| Vec::new()));
        let (taken, known) = (listener.try_clone().expect("a listener"), Arc::clone(&says));
        std::thread::spawn(move || {
            for stream in taken.incoming().flatten() {
                let known = Arc::clone(&known);
                std::thread::spawn(move || serve(stream, &known));
            }
        });
        Self { listener, says }
    }

    fn url(&self) -> String {
        format!("http://{}", self.listener.local_addr().expect("its address"))
    }

    fn say(&self, says: Says) {
        *self.says.lock().expect("a case") = says;
    }
}

/// Reads frames until a request is whole, and says what is to be said on its stream.
fn serve(mut socket: TcpStream, says: &Mutex<Says>) -> Option<()> {
    let mut preface = [0; 24];
    socket.read_exact(&mut preface).ok()?;
    socket.write_all(&frame(SETTINGS, 0, 0, &[])).ok()?;
    loop {
        let mut head = [0; 9];
        socket.read_exact(&mut head).ok()?;
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        socket.read_exact(&mut vec![0; length]).ok()?;
        if head[3] == SETTINGS && head[4] & 1 == 0 {
            socket.write_all(&frame(SETTINGS, 1, 0, &[])).ok()?;
        }
        if matches!(head[3], DATA | HEADERS) && head[4] & END_STREAM != 0 {
            let says = *says.lock().expect("a case");
            for bytes in says(stream) {
                socket.write_all(&bytes).ok()?;
            }
            // Before the connection ends, so that what was said is what counts.
            std::thread::sleep(Duration::from_millis(200));
            return None;
        }
    }
}

#[test]
fn malformed_frames_break_their_own_answer_and_nothing_else() {
    let (frames, well) = (Frames::start(), Simulator::start(Persona::chat("sk-well")).expect("a provider"));
    let setup = Setup::new()
        .provider("frames", Dialect::Chat, &frames.url(), "sk-frames")
        .with("http2 = true")
        .simulator("well", &well)
        .model("frames-then-well", &["frames", "well"])
        .model("only-frames", &["frames"])
        .model("only-well", &["well"]);
    let gateway = Gateway::start(&setup).expect("a gateway");
    let envoy = gateway.envoy_pid().expect("an Envoy");
    let mut wrong = Vec::new();
    for Case { name, says, is_whole } in CASES {
        frames.say(*says);
        for client in [Dialect::Chat, Dialect::Messages] {
            let answer = gateway.ask(client, "only-frames", "hello", true).expect("an answer");
            let said = read(client, &answer);
            let good = said.complete == *is_whole && !answer.text().contains("stolen");
            let is_told = said.complete || answer.status == 200 || said.error.is_some();
            if !good || !is_told {
                wrong.push(format!("{name}, {client:?} alone: {} {}", answer.status, answer.text()));
            }
            let answer = gateway.ask(client, "frames-then-well", "hello", true).expect("an answer");
            let said = read(client, &answer);
            // What was answered by the second is the second's alone.
            let by_second = answer.header("x-dragoman-attempts") == Some("2");
            if (by_second && said.text != "you said: hello") || (!by_second && said.complete != *is_whole) {
                wrong.push(format!("{name}, {client:?} and another: {} {}", answer.status, answer.text()));
            }
        }
        let answer = gateway.ask(Dialect::Chat, "only-well", "hello", true).expect("an answer");
        if !read(Dialect::Chat, &answer).complete {
            wrong.push(format!("behind {name}: {} {}", answer.status, answer.text()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(gateway.envoy_pid().expect("an Envoy"), envoy);
    assert_eq!(gateway.stat("vm_reload_success").expect("a stat"), 0, "no trap");
}

/// What is so, and not what one would want: Envoy has no half-closed clients.
#[test]
fn a_client_that_ends_its_sending_side_has_left() {
    let slow = Simulator::start(Persona::chat("sk-slow")).expect("a provider");
    let setup = Setup::new().simulator("slow", &slow).model("only-slow", &["slow"]);
    let gateway = Gateway::start(&setup).expect("a gateway");
    slow.when(When::mentions("half"), [Reply::silence(Wait::For(Duration::from_secs(1)))]);
    for stream in [false, true] {
        let body = ask(Dialect::Chat, "only-slow", "half", stream);
        let call = gateway.call(Dialect::Chat, "only-slow", &body, stream).header("connection", "close");
        let before = Instant::now();
        let heard = everything_after_last_word(&gateway.address(), &call.bytes(&gateway.address())).expect("a close");
        assert!(heard.is_empty(), "{}", String::from_utf8_lossy(&heard));
        assert!(before.elapsed() < Duration::from_millis(900), "it is let go at once: {:?}", before.elapsed());
    }
    slow.journal().wait_ended(Duration::from_secs(5)).expect("the provider is let go");
    let answer = gateway.ask(Dialect::Chat, "only-slow", "hello", true).expect("an answer");
    assert!(read(Dialect::Chat, &answer).complete, "others are served");
}
