//! What a simulator was asked and what it produced: the oracle of every end-to-end test.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::bail;
use serde_json::Value;

/// A request as it arrived, to the byte.
#[derive(Clone, Debug)]
pub struct Received {
    /// Which connection it came on, counted from 0.
    pub connection: u64,
    /// `HTTP/1.1` or `HTTP/2`.
    pub protocol: &'static str,
    /// The method as sent.
    pub method: String,
    /// Path and query as sent.
    pub path: String,
    /// Names as sent (HTTP/2: lower case), values as bytes, in order.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body without its framing.
    pub body: Vec<u8>,
    /// When its first byte was there.
    pub first_byte: Instant,
    /// When its last byte was there.
    pub complete: Instant,
}

impl Received {
    /// The only value of a header, as text; `None` when it is absent, doubled or no UTF-8.
    pub fn header(&self, name: &str) -> Option<&str> {
        match self.header_values(name).as_slice() {
            [value] => std::str::from_utf8(value).ok(),
            _ => None,
        }
    }

    /// Every value of a header.
    pub fn header_values(&self, name: &str) -> Vec<&[u8]> {
        let same = |header: &&(String, Vec<u8>)| header.0.eq_ignore_ascii_case(name);
        self.headers.iter().filter(same).map(|header| header.1.as_slice()).collect()
    }

    /// The body as JSON; `Null` when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The path without its query.
    pub fn route(&self) -> &str {
        self.path.split('?').next().unwrap_or_default()
    }

    /// The model the request names, in its body or, as Gemini and Bedrock do, in its path.
    pub fn model(&self) -> Option<String> {
        if let Some(rest) = self.route().strip_prefix("/model/")
            && let Some((model, _)) = rest.rsplit_once('/')
        {
            return Some(percent_decoded(model));
        }
        if let Some((_, rest)) = self.route().split_once("/models/")
            && let Some((model, _)) = rest.split_once(':')
        {
            return Some(model.to_owned());
        }
        self.json().get("model")?.as_str().map(str::to_owned)
    }

    /// Whether these words stand anywhere in the body, for tests that share a provider.
    pub fn mentions(&self, words: &str) -> bool {
        match std::str::from_utf8(&self.body) {
            Ok(body) => body.contains(words),
            Err(_) => !words.is_empty() && self.body.windows(words.len()).any(|window| window == words.as_bytes()),
        }
    }
}

/// A part of a path as it was before it was escaped for it.
pub fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let code = behind.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let code = code.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match code.filter(|_| *first == b'%') {
            Some(code) => {
                bytes.push(code);
                rest = &behind[2..];
            }
            None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Token counts as the persona reported them, all dialects counted the same way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// All of the prompt, cached tokens included.
    pub input: u64,
    /// The part of `input` that was read from a cache.
    pub cached: u64,
    /// All of the answer, reasoning included.
    pub output: u64,
    /// The part of `output` that was reasoning.
    pub reasoning: u64,
}

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It is still being sent.
    Running,
    /// Everything was sent.
    Complete,
    /// The script ended it early.
    Faulted,
    /// The other side went away first.
    ClientLeft,
}

/// What was produced for a request.
#[derive(Clone, Debug)]
pub struct Delivered {
    /// The status, as soon as the head was sent.
    pub status: Option<u16>,
    /// When the head was sent.
    pub head: Option<Instant>,
    /// When the first body byte was sent.
    pub first_byte: Option<Instant>,
    /// When it ended, however it did.
    pub ended: Option<Instant>,
    /// Body bytes sent, without framing.
    pub bytes: usize,
    /// What the persona reported, or would have had it not been cut; `None` for scripted bodies.
    pub tokens: Option<Tokens>,
    /// Output tokens in the body bytes really sent.
    pub output_sent: u64,
    /// How it ended.
    pub end: End,
}

impl Default for Delivered {
    fn default() -> Self {
        Self {
            status: None,
            head: None,
            first_byte: None,
            ended: None,
            bytes: 0,
            tokens: None,
            output_sent: 0,
            end: End::Running,
        }
    }
}

/// One entry: a request and what became of it so far.
#[derive(Clone, Debug)]
pub struct Request {
    /// What was asked.
    pub received: Received,
    /// What was produced.
    pub delivered: Delivered,
}

impl Request {
    /// Tokens that were read and sent.
    pub fn tokens(&self) -> u64 {
        self.delivered.tokens.map_or(0, |tokens| tokens.input) + self.delivered.output_sent
    }
}

/// Every request a simulator got, in the order of their last bytes.
#[derive(Default)]
pub struct Journal {
    entries: Mutex<Entries>,
    changed: Condvar,
}

#[derive(Default)]
struct Entries {
    requests: Vec<Request>,
    /// How many were forgotten; ids keep counting.
    forgotten: usize,
    forgets: bool,
    total: u64,
}

impl Journal {
    /// All requests up to now.
    pub fn requests(&self) -> Vec<Request> {
        self.lock().requests.clone()
    }

    /// The requests whose body has these words.
    pub fn mentioning(&self, words: &str) -> Vec<Request> {
        self.lock().requests.iter().filter(|request| request.received.mentions(words)).cloned().collect()
    }

    /// How many requests there were since the start, forgotten ones included.
    pub fn total(&self) -> u64 {
        self.lock().total
    }

    /// Forgets everything seen until now.
    pub fn clear(&self) {
        let mut entries = self.lock();
        entries.forgotten += entries.requests.len();
        entries.requests.clear();
    }

    /// From now on only counts: for benches and long runs, where bodies would fill the memory.
    pub fn only_count(&self) {
        self.lock().forgets = true;
    }

    /// Waits until there are `count` requests and returns them; says what there was when the deadline passes.
    pub fn wait_for(&self, count: usize, deadline: Duration) -> anyhow::Result<Vec<Request>> {
        self.wait_until(deadline, &format!("{count} requests"), |requests| requests.len() >= count)
    }

    /// Waits until every request has ended and returns them.
    pub fn wait_ended(&self, deadline: Duration) -> anyhow::Result<Vec<Request>> {
        let ended = |request: &Request| request.delivered.end != End::Running;
        self.wait_until(deadline, "every request to end", |requests| requests.iter().all(ended))
    }

    /// Waits until the requests are as `wanted` says; `what` names it for the error.
    pub fn wait_until(
        &self,
        deadline: Duration,
        what: &str,
        wanted: impl Fn(&[Request]) -> bool,
    ) -> anyhow::Result<Vec<Request>> {
        let until = Instant::now() + deadline;
        let mut entries = self.lock();
        loop {
            if wanted(&entries.requests) {
                return Ok(entries.requests.clone());
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                bail!("waited {deadline:?} for {what}; there are {}", describe(&entries.requests));
            }
            entries = self.changed.wait_timeout(entries, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Notes a request; the number names it in [`Journal::update`].
    pub(super) fn begin(&self, received: Received) -> usize {
        let mut entries = self.lock();
        entries.total += 1;
        let id = entries.forgotten + entries.requests.len();
        if entries.forgets {
            entries.forgotten += 1;
        } else {
            entries.requests.push(Request { received, delivered: Delivered::default() });
        }
        self.changed.notify_all();
        id
    }

    /// Changes what was produced for a request; nothing happens when it was forgotten meanwhile.
    pub(super) fn update(&self, id: usize, change: impl FnOnce(&mut Delivered)) {
        let mut entries = self.lock();
        let index = id.checked_sub(entries.forgotten);
        if let Some(request) = index.and_then(|index| entries.requests.get_mut(index)) {
            change(&mut request.delivered);
            self.changed.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn describe(requests: &[Request]) -> String {
    let line = |request: &Request| {
        let (received, delivered) = (&request.received, &request.delivered);
        format!("{} {} → {:?} {:?}", received.method, received.path, delivered.status, delivered.end)
    };
    let lines: Vec<String> = requests.iter().map(line).collect();
    format!("{}: [{}]", requests.len(), lines.join(", "))
}
