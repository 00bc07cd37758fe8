//! A client that sends exactly what it is told and says exactly what came back.
//!
//! ```no_run
//! use dragoman_tests::client::{Call, End};
//!
//! let answer = Call::post("/v1/chat/completions").header("authorization", "Bearer key").body("{}").send("127.0.0.1:10000")?;
//! assert_eq!((answer.status, answer.end), (200, End::Complete));
//! # anyhow::Ok(())
//! ```
//!
//! Why our own: libraries repair, refuse or hide what tests are about: odd bytes in headers, a body that ends early, when
//! each chunk came. Limits: HTTP/1.1, one request per connection.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use serde_json::Value;

/// Longer than any timeout the gateway is given in tests: what takes longer hangs.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A request to be sent.
#[derive(Clone, Debug)]
pub struct Call {
    method: String,
    path: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

/// How a body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// As its framing promised.
    Complete,
    /// The connection ended first.
    Cut,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Names in lower case, values as bytes, in order.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body without its framing.
    pub body: Vec<u8>,
    /// How it ended.
    pub end: End,
    /// When the request was sent.
    pub sent: Instant,
    /// When each read brought body bytes, and the body's length after it.
    pub arrivals: Vec<(Instant, usize)>,
}

/// One event of an event stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its `event:` field.
    pub name: Option<String>,
    /// Its `data:` lines.
    pub data: String,
}

impl Call {
    /// A POST with a JSON content type and an empty body.
    pub fn post(path: &str) -> Self {
        Self::new("POST", path).header("content-type", "application/json")
    }

    /// Any method, no headers.
    pub fn new(method: &str, path: &str) -> Self {
        Self { method: method.to_owned(), path: path.to_owned(), headers: Vec::new(), body: Vec::new() }
    }

    /// Adds a header, byte for byte.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Sets the body.
    pub fn body(self, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..self }
    }

    /// Sets the body to this JSON.
    pub fn json(self, body: &Value) -> Self {
        self.body(body.to_string())
    }

    /// The request as it goes over the wire.
    pub fn bytes(&self, host: &str) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\n", self.method, self.path).into_bytes();
        let mut header = |name: &str, value: &[u8]| {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        };
        header("host", host.as_bytes());
        for (name, value) in &self.headers {
            header(name, value);
        }
        if !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length")) {
            header("content-length", self.body.len().to_string().as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// Sends it and reads the whole answer. An answer that is cut is no error; one that never comes is.
    pub fn send(&self, address: &str) -> anyhow::Result<Answer> {
        self.open(address)?.finish()
    }

    /// Sends it and reads the head of the answer.
    pub fn open(&self, address: &str) -> anyhow::Result<Open> {
        let mut open = open(address, &self.bytes(address))
            .with_context(|| format!("{} {} at {address}", self.method, self.path))?;
        // The length is that of the body which a GET would have got.
        if self.method == "HEAD" {
            open.answer.end = End::Complete;
        }
        Ok(open)
    }
}

/// Sends these very bytes and reads the head of the answer.
pub fn open(address: &str, bytes: &[u8]) -> anyhow::Result<Open> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let sent = Instant::now();
    // A server may refuse and close before it has read everything; its answer is what counts.
    let written = stream.write_all(bytes);
    let mut buffer = Vec::new();
    loop {
        let head = loop {
            if let Some(at) = find(&buffer, b"\r\n\r\n") {
                break at;
            }
            if fill(&mut stream, &mut buffer)? == 0 {
                written.context("sending")?;
                bail!(
                    "closed before an answer; there were {} bytes: {}",
                    buffer.len(),
                    String::from_utf8_lossy(&buffer)
                );
            }
        };
        let head: Vec<u8> = buffer.drain(..head + 4).collect();
        let (status, headers) = head_of(&head)?;
        if status != 100 {
            let answer = Answer { status, headers, body: Vec::new(), end: End::Cut, sent, arrivals: Vec::new() };
            return Ok(Open { stream, buffer, answer });
        }
    }
}

/// Sends these very bytes and returns everything until the other side closes.
pub fn everything(address: &str, bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    exchange(address, bytes, PATIENCE, |_| {})
}

/// The same, ending the sending side behind the bytes: a client that says no more and listens on.
pub fn everything_after_last_word(address: &str, bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    exchange(address, bytes, PATIENCE, |stream| {
        // When the other side has closed already there is no sending side to end.
        stream.shutdown(Shutdown::Write).ok();
    })
}

/// Sends these very bytes and returns what comes until the other side closes or has been quiet for so long.
pub fn everything_until_quiet(address: &str, bytes: &[u8], quiet: Duration) -> anyhow::Result<Vec<u8>> {
    exchange(address, bytes, quiet, |_| {})
}

fn exchange(address: &str, bytes: &[u8], quiet: Duration, behind: impl FnOnce(&TcpStream)) -> anyhow::Result<Vec<u8>> {
    use std::io::ErrorKind::{ConnectionReset, TimedOut, WouldBlock};
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(quiet))?;
    // A server may refuse and close before it has read everything; its answer is what counts.
    stream.write_all(bytes).ok();
    behind(&stream);
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => Ok(answer),
        Err(error) if error.kind() == ConnectionReset => Ok(answer),
        Err(error) if matches!(error.kind(), WouldBlock | TimedOut) && quiet < PATIENCE => Ok(answer),
        Err(error) => Err(error).with_context(|| format!("after {} bytes", answer.len())),
    }
}

/// An answer whose head is there and whose body is still coming. Dropping it leaves.
pub struct Open {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// What is there so far.
    pub answer: Answer,
}

impl Open {
    /// Reads until the body has at least this many bytes or ends.
    pub fn read(&mut self, bytes: usize) -> anyhow::Result<()> {
        while self.answer.body.len() < bytes && self.step()? {}
        Ok(())
    }

    /// Reads the rest.
    pub fn finish(mut self) -> anyhow::Result<Answer> {
        while self.step()? {}
        Ok(self.answer)
    }

    /// Takes one more piece of the body; `false` at its end.
    fn step(&mut self) -> anyhow::Result<bool> {
        if self.answer.end == End::Complete {
            return Ok(false);
        }
        let bodiless = matches!(self.answer.status, 204 | 304);
        let chunked =
            self.answer.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"));
        let length: Option<usize> = self.answer.header("content-length").and_then(|length| length.parse().ok());
        match (chunked, length) {
            _ if bodiless => self.complete(),
            (true, _) => self.chunk(),
            (false, Some(length)) if self.answer.body.len() >= length => self.complete(),
            (false, length) => {
                if self.buffer.is_empty() && self.fill()? == 0 {
                    return if length.is_none() { self.complete() } else { Ok(false) };
                }
                let take =
                    length.map_or(self.buffer.len(), |length| self.buffer.len().min(length - self.answer.body.len()));
                self.take(take);
                Ok(true)
            }
        }
    }

    fn chunk(&mut self) -> anyhow::Result<bool> {
        let line = loop {
            match find(&self.buffer, b"\r\n") {
                Some(at) => break at,
                None if self.fill()? == 0 => return Ok(false),
                None => {}
            }
        };
        let size = std::str::from_utf8(&self.buffer[..line])?;
        let size = usize::from_str_radix(size.split(';').next().unwrap_or_default(), 16)
            .with_context(|| format!("`{size}` is no chunk size"))?;
        while self.buffer.len() < line + 2 + size + 2 {
            if self.fill()? == 0 {
                return Ok(false);
            }
        }
        self.buffer.drain(..line + 2);
        if size == 0 {
            return self.complete();
        }
        self.take(size);
        self.buffer.drain(..2);
        Ok(true)
    }

    fn complete(&mut self) -> anyhow::Result<bool> {
        self.answer.end = End::Complete;
        Ok(false)
    }

    fn take(&mut self, length: usize) {
        self.answer.body.extend(self.buffer.drain(..length));
        self.answer.arrivals.push((Instant::now(), self.answer.body.len()));
    }

    fn fill(&mut self) -> anyhow::Result<usize> {
        match fill(&mut self.stream, &mut self.buffer) {
            Err(error) if is_reset(&error) => Ok(0),
            filled => filled,
        }
    }
}

fn is_reset(error: &anyhow::Error) -> bool {
    let kind = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
    kind == Some(std::io::ErrorKind::ConnectionReset)
}

fn fill(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> anyhow::Result<usize> {
    let mut bytes = [0; 16 * 1024];
    let count = stream.read(&mut bytes).map_err(|error| match error.kind() {
        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut => anyhow!("nothing came for {PATIENCE:?}"),
        _ => anyhow::Error::from(error),
    })?;
    buffer.extend_from_slice(&bytes[..count]);
    Ok(count)
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

type Head = (u16, Vec<(String, Vec<u8>)>);

fn head_of(head: &[u8]) -> anyhow::Result<Head> {
    let mut lines = head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let first = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.with_context(|| format!("`{first}` is no status line"))?;
    let mut headers = Vec::new();
    for line in lines.filter(|line| !line.is_empty()) {
        let colon = find(line, b":").context("a header without a colon")?;
        let name = String::from_utf8_lossy(&line[..colon]).to_ascii_lowercase();
        headers.push((name, line[colon + 1..].trim_ascii().to_vec()));
    }
    Ok((status, headers))
}

impl Answer {
    /// The first value of a header, as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|header| header.0 == name)?;
        std::str::from_utf8(&found.1).ok()
    }

    /// The body as text; bytes that are none are replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_slice(&self.body).with_context(|| format!("status {}: {}", self.status, self.text()))
    }

    /// The body as events; what is no event stream has none.
    pub fn events(&self) -> Vec<Event> {
        let text = self.text().replace("\r\n", "\n");
        let event = |block: &str| {
            let field = |name: &str| {
                let prefix = format!("{name}:");
                let value = |line: &str| line.strip_prefix(prefix.as_str()).map(|value| value.trim_start().to_owned());
                let values: Vec<String> = block.lines().filter_map(value).collect();
                (!values.is_empty()).then(|| values.join("\n"))
            };
            Some(Event { name: field("event"), data: field("data")? })
        };
        text.split("\n\n").filter_map(event).collect()
    }
}
