//! The client: sends the same request over and over, and knows when an answer is whole.
//!
//! Why not the tests' client: it opens a connection per request and keeps every answer. This one costs one write and few
//! reads a request.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};

use super::stub::{head_end, header};

/// Far longer than any answer takes; what takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(10);

/// Buffer of a connection.
const BUFFER: usize = 64 << 10;

/// What is sent, and where.
#[derive(Clone, Debug)]
pub struct Target {
    /// Envoy's listener.
    pub address: SocketAddr,
    /// Head and body, as they go over the wire.
    pub request: Vec<u8>,
}

/// How requests follow one another.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// So many connections, each asking again as soon as it has its answer.
    Closed { connections: usize },
    /// So many requests a second in all, over so many connections.
    Rate { per_second: usize, connections: usize },
}

/// What came of a round.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Answers, each whole and with status 200.
    pub answers: usize,
    /// From the request to the first byte of the answer's body, in arrival order per connection.
    pub first: Vec<Duration>,
    /// How long the round took.
    pub took: Duration,
}

/// Sends requests for so long.
///
/// # Errors
///
/// When any answer is not a whole 200: what is measured must be the real work.
pub fn run(target: &Target, pace: Pace, length: Duration) -> anyhow::Result<Outcome> {
    let connections = match pace {
        Pace::Closed { connections } | Pace::Rate { connections, .. } => connections,
    };
    let start = Instant::now();
    let ask = |index: usize| match pace {
        Pace::Closed { .. } => closed(target, start + length),
        Pace::Rate { per_second, .. } => {
            let period = Duration::from_secs(1) * u32::try_from(connections)? / u32::try_from(per_second)?;
            let offset = period * u32::try_from(index)? / u32::try_from(connections)?;
            rate(target, start + offset, period, start + length)
        }
    };
    let all = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..connections).map(|index| scope.spawn(move || ask(index))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| bail!("a client panicked"))).collect()
    });
    let all: Vec<Vec<Duration>> = all_of(all)?;
    let first: Vec<Duration> = all.into_iter().flatten().collect();
    Ok(Outcome { answers: first.len(), first, took: start.elapsed() })
}

fn all_of<T>(results: Vec<anyhow::Result<T>>) -> anyhow::Result<Vec<T>> {
    results.into_iter().collect()
}

/// Sends requests one after the other over some connections until so many are answered.
///
/// # Errors
///
/// As [`run`].
pub fn count(target: &Target, connections: usize, each: usize) -> anyhow::Result<()> {
    let ask = || -> anyhow::Result<()> {
        let mut connection = Connection::open(target)?;
        (0..each).try_for_each(|_| connection.ask(target).map(drop))
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..connections).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().unwrap_or_else(|_| bail!("a client panicked")))
    })
}

fn closed(target: &Target, until: Instant) -> anyhow::Result<Vec<Duration>> {
    let mut connection = Connection::open(target)?;
    let mut first = Vec::new();
    while Instant::now() < until {
        let sent = Instant::now();
        first.push(connection.ask(target)?.duration_since(sent));
    }
    Ok(first)
}

fn rate(target: &Target, mut next: Instant, period: Duration, until: Instant) -> anyhow::Result<Vec<Duration>> {
    let mut connection = Connection::open(target)?;
    let mut first = Vec::new();
    while next < until {
        let early = next.saturating_duration_since(Instant::now());
        std::thread::sleep(early);
        // One that had to wait for the answer before it is late, and its lateness is counted: else a slow answer would
        // hide those that queue behind it. The sleep's own lateness is ours and is not counted.
        let sent = if early.is_zero() { next } else { Instant::now() };
        first.push(connection.ask(target)?.duration_since(sent));
        next += period;
    }
    Ok(first)
}

/// One connection, kept.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub fn open(target: &Target) -> anyhow::Result<Self> {
        let stream = TcpStream::connect_timeout(&target.address, PATIENCE).context("Envoy does not accept")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream, buffer: vec![0; BUFFER] })
    }

    /// Sends the request, reads the whole answer; gives back when the body's first byte was there.
    fn ask(&mut self, target: &Target) -> anyhow::Result<Instant> {
        self.exchange(target, |_| {})
    }

    /// The same, keeping the body.
    pub fn body(&mut self, target: &Target) -> anyhow::Result<Vec<u8>> {
        let mut body = Vec::new();
        self.exchange(target, |bytes| body.extend_from_slice(bytes))?;
        Ok(body)
    }

    fn exchange(&mut self, target: &Target, mut keep: impl FnMut(&[u8])) -> anyhow::Result<Instant> {
        self.stream.write_all(&target.request).context("the request was not taken")?;
        let mut filled = 0;
        let end = loop {
            filled += self.read(filled)?;
            if let Some(end) = head_end(self.buffer.get(..filled).unwrap_or_default()) {
                break end;
            }
        };
        let head = self.buffer.get(..end).unwrap_or_default();
        if !head.starts_with(b"HTTP/1.1 200 ") {
            bail!("answered {}", String::from_utf8_lossy(self.buffer.get(..filled.min(2000)).unwrap_or_default()));
        }
        let mut body = Body::of(head)?;
        let mut first = (filled > end).then(Instant::now);
        let mut done = body.feed(self.buffer.get(end..filled).unwrap_or_default(), &mut keep)?;
        while !done {
            let count = self.read(0)?;
            first.get_or_insert_with(Instant::now);
            done = body.feed(self.buffer.get(..count).unwrap_or_default(), &mut keep)?;
        }
        first.ok_or_else(|| anyhow!("an answer without a body"))
    }

    fn read(&mut self, from: usize) -> anyhow::Result<usize> {
        let room = self.buffer.get_mut(from..).filter(|room| !room.is_empty()).ok_or_else(|| anyhow!("a huge head"))?;
        match self.stream.read(room).context("no answer")? {
            0 => bail!("the connection was closed before the answer was whole"),
            count => Ok(count),
        }
    }
}

/// Where we are in a body.
#[derive(Debug)]
enum Body {
    /// So many bytes are missing.
    Length(usize),
    /// In the line that says a chunk's size.
    Size(usize),
    /// In a chunk of which so many bytes are missing, its line end included.
    Chunk(usize),
    /// After the last chunk; so many bytes of its line end are missing.
    Last(usize),
}

impl Body {
    fn of(head: &[u8]) -> anyhow::Result<Self> {
        match header(head, "content-length") {
            Some(length) => Ok(Self::Length(length.parse()?)),
            None if header(head, "transfer-encoding") == Some("chunked") => Ok(Self::Size(0)),
            None => bail!("an answer without framing"),
        }
    }

    /// Goes on; gives back whether the body is whole.
    fn feed(&mut self, mut bytes: &[u8], keep: &mut impl FnMut(&[u8])) -> anyhow::Result<bool> {
        loop {
            match self {
                Self::Length(left) => {
                    keep(bytes);
                    *left = left.checked_sub(bytes.len()).ok_or_else(|| anyhow!("more than the length said"))?;
                    return Ok(*left == 0);
                }
                Self::Size(size) => {
                    let Some((&byte, rest)) = bytes.split_first() else { return Ok(false) };
                    bytes = rest;
                    match (byte, char::from(byte).to_digit(16)) {
                        (_, Some(digit)) => *size = *size * 16 + digit as usize,
                        (b'\n', _) if *size == 0 => *self = Self::Last(2),
                        (b'\n', _) => *self = Self::Chunk(*size + 2),
                        (b'\r', _) => {}
                        _ => bail!("byte {byte} in a chunk's size"),
                    }
                }
                Self::Chunk(left) => {
                    let here = bytes.len().min(*left);
                    let (taken, rest) = bytes.split_at(here);
                    keep(taken.get(..here.min(left.saturating_sub(2))).unwrap_or_default());
                    *left -= here;
                    if *left > 0 {
                        return Ok(false);
                    }
                    (*self, bytes) = (Self::Size(0), rest);
                }
                Self::Last(left) => {
                    *left = left.checked_sub(bytes.len()).ok_or_else(|| anyhow!("more than the last chunk"))?;
                    return Ok(*left == 0);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunked_body_is_whole_at_its_last_byte_however_it_is_cut() {
        let wire = b"5\r\nhello\r\n1a\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n\r\n";
        for cut in 0..wire.len() {
            let (mut body, mut kept) = (Body::Size(0), Vec::new());
            let mut keep = |bytes: &[u8]| kept.extend_from_slice(bytes);
            assert!(!body.feed(&wire[..cut], &mut keep).expect("a body"), "cut at {cut}");
            assert!(body.feed(&wire[cut..], &mut keep).expect("a body"), "cut at {cut}");
            assert_eq!(kept, b"helloabcdefghijklmnopqrstuvwxyz", "cut at {cut}");
        }
    }
}
