//! The provider: pre-rendered answers over HTTP/1.1 with keep-alive, as cheap as can be.
//!
//! Why not the simulator: it reads, checks and remembers every request, which would cost more than what is measured here.
//! What is answered depends on the port and the path alone, so that no body is looked at. Every event of a stream is a
//! write of its own, as a model gives one token after the other.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;

/// How this port answers.
#[derive(Clone, Copy, Debug)]
pub enum Delivery {
    /// In one piece.
    Whole,
    /// So many pieces of text, each in an event of its own, with this pause before each write.
    Stream { pieces: usize, pause: Duration },
}

/// A port that answers until the process ends.
#[derive(Clone, Copy, Debug)]
pub struct Stub {
    /// Where.
    pub address: SocketAddr,
}

/// Everything it ever says.
struct Answers {
    chat: Answer,
    messages: Answer,
    pause: Duration,
}

/// The head, and what follows it in separate writes.
struct Answer {
    head: Vec<u8>,
    writes: Vec<Vec<u8>>,
}

/// Buffer of a connection: several reads of Envoy's writes at once, so that big bodies cost the stub little.
const BUFFER: usize = 256 << 10;

impl Stub {
    /// Starts a port that answers so.
    pub fn start(delivery: Delivery) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("the stub's port")?;
        let address = listener.local_addr()?;
        let answers = Arc::new(Answers::render(delivery));
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let answers = Arc::clone(&answers);
                std::thread::spawn(move || {
                    // The other end closing the connection is how it ends.
                    serve(connection, &answers).ok();
                });
            }
        });
        Ok(Self { address })
    }
}

fn serve(mut connection: TcpStream, answers: &Answers) -> std::io::Result<()> {
    connection.set_nodelay(true)?;
    let mut buffer = vec![0; BUFFER];
    let mut filled = 0;
    loop {
        let Some(head) = head_end(buffer.get(..filled).unwrap_or_default()) else {
            let Some(room) = buffer.get_mut(filled..).filter(|room| !room.is_empty()) else { return Ok(()) };
            match connection.read(room)? {
                0 => return Ok(()),
                count => filled += count,
            }
            continue;
        };
        let text = buffer.get(..head).unwrap_or_default();
        let messages = text.starts_with(b"POST /v1/messages");
        let mut body = BodyEnd::of(text);
        let mut done = body.feed(buffer.get(head..filled).unwrap_or_default());
        while !done {
            match connection.read(&mut buffer)? {
                0 => return Ok(()),
                count => done = body.feed(buffer.get(..count).unwrap_or_default()),
            }
        }
        // Envoy does not pipeline: nothing follows the body.
        filled = 0;
        let answer = if messages { &answers.messages } else { &answers.chat };
        connection.write_all(&answer.head)?;
        for write in &answer.writes {
            if !answers.pause.is_zero() {
                std::thread::sleep(answers.pause);
            }
            connection.write_all(write)?;
        }
    }
}

/// Where the body of a request ends.
enum BodyEnd {
    Length(usize),
    /// Chunked: the last bytes seen, to find the end of the last chunk.
    Chunked(Vec<u8>),
}

/// What ends a chunked body. JSON has no bare line ends where Envoy writes, so it appears nowhere else in these bodies.
const LAST_CHUNK: &[u8] = b"\r\n0\r\n\r\n";

impl BodyEnd {
    fn of(head: &[u8]) -> Self {
        match header(head, "content-length").and_then(|value| value.parse().ok()) {
            Some(length) => Self::Length(length),
            None => Self::Chunked(Vec::new()),
        }
    }

    fn feed(&mut self, bytes: &[u8]) -> bool {
        match self {
            Self::Length(left) => {
                *left = left.saturating_sub(bytes.len());
                *left == 0
            }
            Self::Chunked(tail) => {
                tail.extend_from_slice(bytes.get(bytes.len().saturating_sub(LAST_CHUNK.len())..).unwrap_or_default());
                let surplus = tail.len().saturating_sub(LAST_CHUNK.len());
                tail.drain(..surplus);
                tail == LAST_CHUNK
            }
        }
    }
}

/// Where the body begins, if the head is whole.
pub(super) fn head_end(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)
}

/// The value of a header in a head.
pub(super) fn header<'a>(head: &'a [u8], name: &str) -> Option<&'a str> {
    std::str::from_utf8(head).ok()?.split("\r\n").skip(1).find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// What the model says in one piece, about 1 kB with its envelope.
const PARAGRAPH: &str = "The envoy carries the letter and the dragoman carries its meaning. One rides, the other reads; \
    one knows the road, the other knows the words. When the gate is shut they try the next gate, and what could not be \
    said they say so. ";

/// One piece of a stream.
const PIECE: &str = " words";

impl Answers {
    fn render(delivery: Delivery) -> Self {
        match delivery {
            Delivery::Whole => {
                let text = PARAGRAPH.repeat(3);
                Self { chat: whole(&chat_whole(&text)), messages: whole(&messages_whole(&text)), pause: Duration::ZERO }
            }
            Delivery::Stream { pieces, pause } => {
                Self { chat: stream(&chat_events(pieces)), messages: stream(&messages_events(pieces)), pause }
            }
        }
    }
}

fn whole(body: &str) -> Answer {
    let mut head =
        format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len());
    head.push_str(body);
    Answer { head: head.into_bytes(), writes: Vec::new() }
}

fn stream(events: &[String]) -> Answer {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    // What opens an answer says nothing yet, and comes with the first word: a gateway that waits for the word loses no time.
    let (opening, rest) = events.split_at(events.len().min(2));
    let writes = std::iter::once(opening.concat()).chain(rest.iter().cloned());
    let mut writes: Vec<Vec<u8>> =
        writes.map(|event| format!("{:x}\r\n{event}\r\n", event.len()).into_bytes()).collect();
    if let Some(last) = writes.last_mut() {
        last.extend_from_slice(b"0\r\n\r\n");
    }
    Answer { head: head.into(), writes }
}

fn chat_whole(text: &str) -> String {
    format!(
        "{{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion\",\"created\":1790000000,\"model\":\"stub\",\
         \"choices\":[{{\"index\":0,\"message\":{{\"role\":\"assistant\",\"content\":\"{text}\",\"refusal\":null}},\
         \"logprobs\":null,\"finish_reason\":\"stop\"}}],\"usage\":{{\"prompt_tokens\":400,\"completion_tokens\":150,\
         \"total_tokens\":550,\"prompt_tokens_details\":{{\"cached_tokens\":0}}}},\"system_fingerprint\":\"fp\"}}"
    )
}

fn messages_whole(text: &str) -> String {
    format!(
        "{{\"id\":\"msg_bench\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"stub\",\
         \"content\":[{{\"type\":\"text\",\"text\":\"{text}\"}}],\"stop_reason\":\"end_turn\",\"stop_sequence\":null,\
         \"usage\":{{\"input_tokens\":400,\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,\
         \"output_tokens\":150}}}}"
    )
}

fn chat_events(pieces: usize) -> Vec<String> {
    let chunk = |choices: &str, usage: &str| {
        format!(
            "data: {{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1790000000,\
             \"model\":\"stub\",\"system_fingerprint\":\"fp\",\"choices\":[{choices}],\"usage\":{usage}}}\n\n"
        )
    };
    let delta = |delta: &str, finish: &str| {
        format!("{{\"index\":0,\"delta\":{{{delta}}},\"logprobs\":null,\"finish_reason\":{finish}}}")
    };
    let mut events = vec![chunk(&delta("\"role\":\"assistant\",\"content\":\"\"", "null"), "null")];
    events.extend((0..pieces).map(|_| chunk(&delta(&format!("\"content\":\"{PIECE}\""), "null"), "null")));
    events.push(chunk(&delta("", "\"stop\""), "null"));
    let usage = "{\"prompt_tokens\":400,\"completion_tokens\":150,\"total_tokens\":550}";
    events.push(format!("{}data: [DONE]\n\n", chunk("", usage)));
    events
}

fn messages_events(pieces: usize) -> Vec<String> {
    let event = |name: &str, rest: &str| format!("event: {name}\ndata: {{\"type\":\"{name}\"{rest}}}\n\n");
    let start = ",\"message\":{\"id\":\"msg_bench\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"stub\",\
                 \"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\
                 \"usage\":{\"input_tokens\":400,\"output_tokens\":1}}";
    let block = ",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}";
    let delta = format!(",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":\"{PIECE}\"}}");
    let stop = ",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":150}";
    let mut events = vec![event("message_start", start) + &event("content_block_start", block)];
    events.extend((0..pieces).map(|_| event("content_block_delta", &delta)));
    events.push(event("content_block_stop", ",\"index\":0"));
    events.push(event("message_delta", stop) + &event("message_stop", ""));
    events
}
