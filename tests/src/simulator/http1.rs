//! The HTTP/1.1 side: a strict reader of requests and an obedient player of steps.
//!
//! Strict, because it stands for providers whose front ends refuse what is ambiguous: a request with both a length and
//! chunks, or with two lengths, gets a 400 and the connection is closed.

use std::time::Instant;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Shared;
use super::decide::{Head, Performance, Step, decide};
use super::journal::{End, Received};
use super::reply::{DEPARTURE, Framing, Wait};

/// Real front ends take far less; enough for any test that is not about this limit.
const HEAD_LIMIT: usize = 1 << 20;

/// Gives a closing connection time to deliver its last bytes before the socket goes.
const LAST_BYTES: std::time::Duration = std::time::Duration::from_millis(500);

/// Whether a connection can be used again.
#[derive(PartialEq, Eq)]
enum Next {
    Keep,
    Close,
}

/// Serves one connection until it ends.
pub(super) async fn serve(mut stream: TcpStream, shared: std::sync::Arc<Shared>, connection: u64) {
    let mut reader = Reader { buffer: Vec::new() };
    loop {
        let received = match reader.request(&mut stream, connection).await {
            Ok(Some(received)) => received,
            Ok(None) => return,
            Err(Unreadable(why)) => {
                let body = format!("simulator: {why}\n");
                let answer = format!(
                    "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                );
                stream.write_all(answer.as_bytes()).await.ok();
                close(&mut stream).await;
                return;
            }
        };
        let performance = decide(&shared, &received);
        let id = shared.journal.begin(received);
        shared.journal.update(id, |delivered| delivered.tokens = performance.tokens);
        if play(&mut stream, &shared, id, &performance).await == Next::Close {
            return;
        }
    }
}

// === reading ===

struct Unreadable(&'static str);

struct Reader {
    /// Bytes read and not yet used.
    buffer: Vec<u8>,
}

impl Reader {
    /// The next request; `None` when the connection ended between two of them or in the middle of one.
    async fn request(&mut self, stream: &mut TcpStream, connection: u64) -> Result<Option<Received>, Unreadable> {
        if self.buffer.is_empty() && !self.fill(stream).await {
            return Ok(None);
        }
        let first_byte = Instant::now();
        let end = loop {
            if let Some(at) = find(&self.buffer, b"\r\n\r\n") {
                break at;
            }
            if self.buffer.len() > HEAD_LIMIT {
                return Err(Unreadable("the head is too long"));
            }
            if !self.fill(stream).await {
                return Ok(None);
            }
        };
        let head: Vec<u8> = self.buffer.drain(..end + 4).collect();
        let (method, path, headers) = head_of(&head[..end])?;
        let mut received = Received {
            connection,
            protocol: "HTTP/1.1",
            method,
            path,
            headers,
            body: Vec::new(),
            first_byte,
            complete: first_byte,
        };
        if received.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue")) {
            stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.ok();
        }
        let Some(body) = self.body(stream, &received).await? else { return Ok(None) };
        received.body = body;
        received.complete = Instant::now();
        Ok(Some(received))
    }

    async fn body(&mut self, stream: &mut TcpStream, received: &Received) -> Result<Option<Vec<u8>>, Unreadable> {
        let lengths = received.header_values("content-length");
        let codings = received.header_values("transfer-encoding");
        match (lengths.as_slice(), codings.as_slice()) {
            ([], []) => Ok(Some(Vec::new())),
            ([length], []) => {
                let length = std::str::from_utf8(length).ok().and_then(|length| length.parse().ok());
                let length: usize = length.ok_or(Unreadable("content-length is no number"))?;
                Ok(self.take(stream, length).await)
            }
            ([], [coding]) if coding.eq_ignore_ascii_case(b"chunked") => self.chunks(stream).await,
            ([], _) => Err(Unreadable("unknown transfer-encoding")),
            (_, []) => Err(Unreadable("two content-lengths")),
            _ => Err(Unreadable("content-length and transfer-encoding")),
        }
    }

    async fn chunks(&mut self, stream: &mut TcpStream) -> Result<Option<Vec<u8>>, Unreadable> {
        let mut body = Vec::new();
        loop {
            let Some(line) = self.line(stream).await else { return Ok(None) };
            let size = std::str::from_utf8(&line).ok().and_then(|size| usize::from_str_radix(size, 16).ok());
            let size = size.ok_or(Unreadable("a chunk size is no number"))?;
            if size == 0 {
                // Trailers, if any, end with an empty line.
                loop {
                    match self.line(stream).await {
                        Some(line) if line.is_empty() => return Ok(Some(body)),
                        Some(_) => {}
                        None => return Ok(None),
                    }
                }
            }
            let Some(chunk) = self.take(stream, size).await else { return Ok(None) };
            body.extend(chunk);
            match self.line(stream).await {
                Some(line) if line.is_empty() => {}
                Some(_) => return Err(Unreadable("a chunk is longer than it says")),
                None => return Ok(None),
            }
        }
    }

    async fn line(&mut self, stream: &mut TcpStream) -> Option<Vec<u8>> {
        loop {
            if let Some(at) = find(&self.buffer, b"\r\n") {
                let mut line: Vec<u8> = self.buffer.drain(..at + 2).collect();
                line.truncate(at);
                return Some(line);
            }
            if !self.fill(stream).await {
                return None;
            }
        }
    }

    async fn take(&mut self, stream: &mut TcpStream, length: usize) -> Option<Vec<u8>> {
        while self.buffer.len() < length {
            if !self.fill(stream).await {
                return None;
            }
        }
        Some(self.buffer.drain(..length).collect())
    }

    async fn fill(&mut self, stream: &mut TcpStream) -> bool {
        self.buffer.reserve(1 << 16);
        matches!(stream.read_buf(&mut self.buffer).await, Ok(1..))
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

type RequestHead = (String, String, Vec<(String, Vec<u8>)>);

fn head_of(head: &[u8]) -> Result<RequestHead, Unreadable> {
    let mut lines = head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let first = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let mut words = first.split(' ');
    let (Some(method), Some(path), Some("HTTP/1.1"), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Unreadable("the request line is none"));
    };
    let mut headers = Vec::new();
    for line in lines {
        let colon = find(line, b":").ok_or(Unreadable("a header has no colon"))?;
        let name = String::from_utf8(line[..colon].to_vec()).map_err(|_| Unreadable("a header name is no text"))?;
        headers.push((name, line[colon + 1..].trim_ascii().to_vec()));
    }
    Ok((method.to_owned(), path.to_owned(), headers))
}

// === playing ===

async fn play(stream: &mut TcpStream, shared: &Shared, id: usize, performance: &Performance) -> Next {
    let journal = &shared.journal;
    let chunked = performance.head.as_ref().is_some_and(|head| head.framing == Framing::Chunked);
    let ended = |end| {
        journal.update(id, |delivered| {
            delivered.end = end;
            delivered.ended = Some(Instant::now());
        });
    };
    for step in &performance.steps {
        match step {
            Step::Head => {
                let Some(head) = &performance.head else { continue };
                journal.update(id, |delivered| {
                    delivered.status = Some(head.status);
                    delivered.head = Some(Instant::now());
                });
                if stream.write_all(&head_bytes(head, performance.length)).await.is_err() {
                    ended(End::ClientLeft);
                    return Next::Close;
                }
            }
            Step::Bytes(bytes) => {
                if stream.write_all(&frame(bytes, chunked)).await.is_err() {
                    ended(End::ClientLeft);
                    return Next::Close;
                }
                journal.update(id, |delivered| {
                    delivered.bytes += bytes.len();
                    delivered.first_byte.get_or_insert_with(Instant::now);
                    delivered.output_sent = performance.output_before(delivered.bytes);
                });
            }
            Step::Pause(wait) => {
                if client_left_while_waiting(stream, *wait).await {
                    ended(End::ClientLeft);
                    return Next::Close;
                }
            }
            Step::Cut => {
                ended(End::Faulted);
                close(stream).await;
                return Next::Close;
            }
            Step::Reset => {
                ended(End::Faulted);
                tokio::time::sleep(DEPARTURE).await;
                stream.set_zero_linger().ok();
                return Next::Close;
            }
        }
    }
    finish(stream, performance, ended).await
}

/// Ends the body the way its head promised.
async fn finish(stream: &mut TcpStream, performance: &Performance, ended: impl Fn(End)) -> Next {
    let framing = performance.head.as_ref().map(|head| head.framing);
    if framing == Some(Framing::Chunked) && stream.write_all(b"0\r\n\r\n").await.is_err() {
        ended(End::ClientLeft);
        return Next::Close;
    }
    ended(End::Complete);
    match framing {
        Some(Framing::Chunked | Framing::Length) => Next::Keep,
        Some(Framing::Declared(_) | Framing::UntilClose) | None => {
            close(stream).await;
            Next::Close
        }
    }
}

/// FIN, then a moment of reading, so that the last bytes arrive instead of a reset.
async fn close(stream: &mut TcpStream) {
    stream.shutdown().await.ok();
    let mut rest = [0; 1024];
    let drain = async { while matches!(stream.read(&mut rest).await, Ok(1..)) {} };
    tokio::time::timeout(LAST_BYTES, drain).await.ok();
}

fn head_bytes(head: &Head, length: usize) -> Vec<u8> {
    let mut bytes = format!("HTTP/1.1 {} {}\r\n", head.status, reason(head.status)).into_bytes();
    for (name, value) in &head.headers {
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value);
        bytes.extend_from_slice(b"\r\n");
    }
    let framing = match head.framing {
        Framing::Chunked => "transfer-encoding: chunked\r\n\r\n".to_owned(),
        Framing::Length => format!("content-length: {length}\r\n\r\n"),
        Framing::Declared(length) => format!("content-length: {length}\r\n\r\n"),
        Framing::UntilClose => "connection: close\r\n\r\n".to_owned(),
    };
    bytes.extend_from_slice(framing.as_bytes());
    bytes
}

/// The phrase is decoration; proxies must not care.
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        429 => "Too Many Requests",
        400..500 => "Client Error",
        500.. => "Server Error",
        _ => "Status",
    }
}

fn frame(bytes: &[u8], chunked: bool) -> Vec<u8> {
    if !chunked {
        return bytes.to_vec();
    }
    let mut framed = format!("{:x}\r\n", bytes.len()).into_bytes();
    framed.extend_from_slice(bytes);
    framed.extend_from_slice(b"\r\n");
    framed
}

/// Waits; says at once when the other side closes or resets meanwhile.
async fn client_left_while_waiting(stream: &TcpStream, wait: Wait) -> bool {
    let gone = async {
        let mut byte = [0];
        match stream.peek(&mut byte).await {
            Ok(0) | Err(_) => {}
            // It sent something more; whether it leaves will show in the next write.
            Ok(_) => std::future::pending().await,
        }
    };
    match wait {
        Wait::Forever => {
            gone.await;
            true
        }
        Wait::For(time) => tokio::time::timeout(time, gone).await.is_ok(),
    }
}
