//! One request a connection: read, done, told to the journal, answered as the faults say.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use serde_json::Value;

use super::journal::Asked;
use super::manners::Fault;
use super::words::{Words, of_url, read};
use super::{Endpoint, Shared, authorize, token};

/// More than any honest client sends.
const LIMIT: usize = 1 << 20;

/// Who says nothing for so long has gone.
const PATIENCE: Duration = Duration::from_secs(30);

/// A request.
pub struct Request {
    pub method: String,
    pub path: String,
    pub headers: Words,
    /// Of the query, and of the body where that is a form or flat JSON.
    pub words: Words,
}

/// An answer, and what the journal says of it.
pub struct Said {
    pub status: u16,
    pub headers: Words,
    pub body: String,
    pub outcome: &'static str,
    pub early: bool,
}

impl Said {
    pub fn json(status: u16, body: &Value, outcome: &'static str) -> Self {
        let headers = [("content-type", "application/json"), ("cache-control", "no-store")];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        Self { status, headers, body: body.to_string(), outcome, early: false }
    }

    pub fn page(status: u16, body: String, outcome: &'static str) -> Self {
        let headers = vec![("content-type".to_owned(), "text/html; charset=utf-8".to_owned())];
        Self { status, headers, body, outcome, early: false }
    }

    pub fn go(to: String, outcome: &'static str) -> Self {
        Self { status: 302, headers: vec![("location".to_owned(), to)], body: String::new(), outcome, early: false }
    }
}

impl Request {
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|header| header.0 == name).map_or("", |header| &header.1)
    }

    fn endpoint(&self) -> Endpoint {
        match (self.method.as_str(), self.path.split('?').next().unwrap_or_default()) {
            ("GET", "/authorize") => Endpoint::Authorize,
            ("POST", "/token") => Endpoint::Token,
            ("POST", "/device") => Endpoint::Device,
            ("GET", "/verify") => Endpoint::Verify,
            ("POST", "/revoke") => Endpoint::Revoke,
            ("GET", "/exchange") => Endpoint::Exchange,
            _ => Endpoint::Unknown,
        }
    }
}

/// Serves one connection.
pub fn serve(mut stream: TcpStream, shared: &Shared) {
    stream.set_read_timeout(Some(PATIENCE)).ok();
    stream.set_nodelay(true).ok();
    let Some(request) = receive(&mut stream) else { return };
    let endpoint = request.endpoint();
    if endpoint == Endpoint::Token {
        shared.journal.begin();
        perform(&mut stream, request, endpoint, shared);
        shared.journal.end();
    } else {
        perform(&mut stream, request, endpoint, shared);
    }
    // Until the other side has closed too: else its last bytes may become a reset.
    std::io::copy(&mut stream, &mut std::io::sink()).ok();
}

fn perform(stream: &mut TcpStream, request: Request, endpoint: Endpoint, shared: &Shared) {
    let fault = shared.next_fault(endpoint);
    let said = match &fault {
        Some(Fault::Answer(status, body)) => {
            let kind = if body.starts_with('{') { "application/json" } else { "text/html" };
            let headers = vec![("content-type".to_owned(), kind.to_owned())];
            Said { status: *status, headers, body: body.clone(), outcome: "fault", early: false }
        }
        Some(Fault::Lost) => Said::page(500, String::new(), "lost"),
        Some(Fault::Late(_) | Fault::Cut(_)) | None => answer(endpoint, &request, shared),
    };
    // Before the answer: whoever waits for what was done may want to be quicker than it.
    let asked = Asked {
        endpoint,
        at: shared.clock.now(),
        content_type: request.header("content-type").to_owned(),
        headers: request.headers,
        words: request.words,
        outcome: said.outcome,
        early: said.early,
    };
    let revoked = shared.book().revoked_by_reuse();
    shared.journal.note(asked, revoked);
    let bytes = bytes(&said);
    let bytes = match fault {
        Some(Fault::Lost) => {
            stream.shutdown(Shutdown::Both).ok();
            return;
        }
        Some(Fault::Cut(length)) => bytes.get(..length).unwrap_or(&bytes),
        Some(Fault::Late(wait)) => {
            std::thread::sleep(wait);
            &bytes
        }
        Some(Fault::Answer(..)) | None => &bytes,
    };
    // Who has gone does not hear it.
    stream.write_all(bytes).ok();
    stream.shutdown(Shutdown::Write).ok();
}

fn answer(endpoint: Endpoint, request: &Request, shared: &Shared) -> Said {
    match endpoint {
        Endpoint::Authorize => authorize::authorize(request, shared),
        Endpoint::Verify => authorize::verify(request, shared),
        Endpoint::Token => token::token(request, shared),
        Endpoint::Device => token::device(request, shared),
        Endpoint::Revoke => token::revoke(request, shared),
        Endpoint::Exchange => token::exchange(request, shared),
        Endpoint::Unknown => Said::page(404, "There is nothing here.".to_owned(), "unknown"),
    }
}

fn bytes(said: &Said) -> Vec<u8> {
    let mut head =
        format!("HTTP/1.1 {} Said\r\nconnection: close\r\ncontent-length: {}\r\n", said.status, said.body.len());
    for (name, value) in &said.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    (head + "\r\n" + &said.body).into_bytes()
}

/// The request; `None` when it ended before it was whole.
fn receive(stream: &mut TcpStream) -> Option<Request> {
    let mut heard = Vec::new();
    let end = loop {
        if let Some(at) = heard.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        more(stream, &mut heard)?;
    };
    let head = String::from_utf8_lossy(&heard[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, path) = (first.next()?.to_owned(), first.next()?.to_owned());
    let header = |line: &str| line.split_once(':').map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()));
    let headers: Words = lines.filter_map(header).collect();
    let mut request = Request { words: of_url(&path), method, path, headers };
    let length: usize = request.header("content-length").parse().unwrap_or(0);
    while heard.len() < end + 4 + length {
        more(stream, &mut heard)?;
    }
    let body = String::from_utf8_lossy(&heard[end + 4..]).into_owned();
    request.words.extend(body_words(request.header("content-type"), &body));
    Some(request)
}

fn more(stream: &mut TcpStream, heard: &mut Vec<u8>) -> Option<()> {
    let mut bytes = [0; 8192];
    let count = stream.read(&mut bytes).ok().filter(|count| *count > 0 && heard.len() < LIMIT)?;
    heard.extend_from_slice(&bytes[..count]);
    Some(())
}

fn body_words(content_type: &str, body: &str) -> Words {
    if !content_type.starts_with("application/json") {
        return read(body);
    }
    let said: Value = serde_json::from_str(body).unwrap_or_default();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let members = said.as_object().into_iter().flatten();
    members.map(|(name, value)| (name.clone(), text(value))).collect()
}
