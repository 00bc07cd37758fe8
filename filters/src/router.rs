//! The downstream filter: drives an [`Exchange`], which decides; here bytes are carried.
//!
//! ```text
//! Reading ──body complete──▶ Deciding ──▶ Sent | Refused
//! ```
//!
//! The request's head is held until it is decided who answers; the body is held by the host and copied once.

use std::net::SocketAddr;

use dragoman_core::catalog::DialectId;
use dragoman_core::exchange::{Evidence, Exchange, FinalHead, Head, HeadEdits, Header, RETRY, Step, error_reply};
use dragoman_core::memory::Memory;
use dragoman_core::refusal::Refusal;

use crate::dispatch::{BodyFlow, End, HeadFlow, Stream};
use crate::host::{self, Buffer, Direction, Level, Map};
use crate::worker::Worker;

/// How far the request has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Request {
    /// Its body is awaited.
    Reading,
    /// All of it is here; what is to be known about it is not.
    Deciding,
    /// It is on its way.
    Sent,
    /// It was answered here.
    Refused,
}

/// Most bytes of bodies in one VM: a VM has 1 GiB, may need thrice the largest body for a moment, and traps when there is no
/// more, which ends every request of its worker.
const MAX_BODIES: usize = 384 << 20;

/// The name of Envoy's filter that checks tokens; each identity's good ones are told under its name.
const JWT_FILTER: &str = "envoy.filters.http.jwt_authn";

/// The downstream filter.
#[derive(Debug)]
pub struct Router {
    stream: u32,
    exchange: String,
    request: Request,
    /// Bytes of the request's body: so far at the host, then here.
    size: usize,
    /// The exchange that is this one's shadow.
    shadow: Option<String>,
    /// What takes the place of the answer's body: this with the first chunk, then nothing.
    instead: Option<Vec<u8>>,
}

impl Router {
    /// A new stream, named `stream` by the host.
    pub fn new(stream: u32) -> Self {
        Router { stream, exchange: String::new(), request: Request::Reading, size: 0, shadow: None, instead: None }
    }

    /// Gives the exchange the whole body, if there is room for it.
    fn take_body(&mut self, worker: &mut Worker) {
        self.request = Request::Deciding;
        let bodies = worker.bodies.saturating_add(self.size);
        let step = if bodies > MAX_BODIES {
            self.size = 0;
            self.decide(worker, |exchange, _, _| exchange.refuse(Refusal::Busy))
        } else {
            worker.bodies = bodies;
            let body = if self.size == 0 { Ok(Vec::new()) } else { host::buffer(Buffer::RequestBody) };
            self.decide(worker, |exchange, memory, now_ms| exchange.body(body.unwrap_or_default(), memory, now_ms))
        };
        self.follow(worker, step);
    }

    /// Does what the exchange says.
    fn follow(&mut self, worker: &mut Worker, mut step: Step) {
        loop {
            match step {
                Step::Wait => {
                    if worker.exchanges.get(&self.exchange).is_some_and(Exchange::waits) {
                        worker.seat(&self.exchange, self.stream);
                    }
                    return;
                }
                Step::Ask(questions) => {
                    let asked = questions.iter().filter(|question| worker.ask(question, Some(self.stream))).count();
                    if asked > 0 {
                        return;
                    }
                    step = self.advance(worker);
                }
                Step::Locate => {
                    let source = host::property(&["source", "address"]).ok().flatten();
                    let address = source.and_then(|bytes| str::from_utf8(&bytes).ok()?.parse::<SocketAddr>().ok());
                    if let Some(exchange) = worker.exchanges.get_mut(&self.exchange) {
                        exchange.comes_from(address.map(|address| address.ip()));
                    }
                    step = self.advance(worker);
                }
                Step::Identify(evidence) => {
                    let said = found_good(&evidence);
                    let Some(exchange) = worker.exchanges.get_mut(&self.exchange) else { return };
                    step = exchange.is_proven_by(said.as_deref(), &mut worker.memory, host::now_ms());
                }
                Step::Send(mut edits) => {
                    self.shadow = worker.shadow(&self.exchange, &mut edits);
                    let edited = host::edit_head(Map::RequestHead, &edits).and_then(|()| host::clear_route_cache());
                    if edited.is_ok() {
                        self.request = Request::Sent;
                        return;
                    }
                    host::log(Level::Error, "a request could not be sent: its head could not be changed");
                    let dialect = worker.exchanges.get(&self.exchange);
                    let dialect = dialect.map_or(DialectId::ChatCompletions, Exchange::dialect);
                    step = Step::Reply(error_reply(dialect, &Refusal::Forgotten.to_client(), &self.exchange));
                }
                Step::Reply(reply) => {
                    self.request = Request::Refused;
                    if host::reply(reply.status, "dragoman_refused", &reply.headers, &reply.body).is_err() {
                        let _ = host::close(Direction::Request);
                    }
                    return;
                }
            }
        }
    }

    /// Goes on once every question is answered, or never will be.
    fn advance(&self, worker: &mut Worker) -> Step {
        self.decide(worker, |exchange, memory, now_ms| match exchange.advance(memory, now_ms) {
            Step::Wait => exchange.unanswered(),
            step => step,
        })
    }

    /// Asks the exchange what to do, and counts how long it took to say it where that was its Plan.
    fn decide(&self, worker: &mut Worker, ask: impl FnOnce(&mut Exchange, &mut Memory, u64) -> Step) -> Step {
        let Some(exchange) = worker.exchanges.get_mut(&self.exchange) else { return Step::Wait };
        let (began_ns, had_plan) = (host::now_ns(), exchange.planned_for().is_some());
        let step = ask(exchange, &mut worker.memory, began_ns / 1_000_000);
        if let Some(bucket) = exchange.planned_for().filter(|_| !had_plan) {
            worker.stats.planned(bucket, host::now_ns().saturating_sub(began_ns) / 1000);
        }
        step
    }

    /// Gives an answer of our own instead of one that has begun without a body.
    fn answer_anew(&self, edits: &HeadEdits, status: u16, body: &[u8]) -> bool {
        let said = |wanted: &str| edits.set.iter().find(|(name, _)| name == wanted.as_bytes());
        let said = said(":status").and_then(|(_, status)| str::from_utf8(status).ok()?.parse().ok());
        let old = host::headers(Map::ResponseHead).unwrap_or_default().to_vec();
        let kept = |(name, _): &Header| {
            let gone = [&b":status"[..], b"content-length", b"content-type"].contains(&name.as_slice());
            !gone && !edits.remove.contains(name) && !edits.set.iter().any(|(set, _)| set == name)
        };
        let mut headers: Vec<Header> = old.into_iter().filter(kept).collect();
        headers.extend(edits.set.iter().filter(|(name, _)| name != b":status").cloned());
        if !edits.set.iter().any(|(name, _)| name == b"content-type") {
            headers.push((b"content-type".to_vec(), b"application/json".to_vec()));
        }
        host::reply(said.unwrap_or(status), "dragoman_explained", &headers, body).is_ok()
    }

    fn head_flow(&self) -> HeadFlow {
        if self.request == Request::Sent { HeadFlow::Continue } else { HeadFlow::Pause }
    }
}

/// What Envoy itself knows: what its JWT filter found good (no client can write there), or the peer's certificate.
fn found_good(evidence: &Evidence) -> Option<Vec<u8>> {
    let said = match evidence {
        Evidence::Token(identity) => host::property(&["metadata", "filter_metadata", JWT_FILTER, identity, "iss"]),
        Evidence::Peer => host::property(&["connection", "uri_san_peer_certificate"]),
    };
    said.ok().flatten()
}

impl Stream for Router {
    fn on_request_head(&mut self, worker: &mut Worker, end: End) -> HeadFlow {
        let now = host::now_ms();
        let head = Head { headers: host::headers(Map::RequestHead).unwrap_or_default().to_vec() };
        self.exchange = worker.ids.next(now);
        let (exchange, step) = Exchange::begin(head, self.exchange.clone(), &mut worker.memory, now);
        worker.exchanges.insert(self.exchange.clone(), exchange);
        self.follow(worker, step);
        if end == End::Reached && self.request == Request::Reading {
            self.take_body(worker);
        }
        self.head_flow()
    }

    fn on_request_body(&mut self, worker: &mut Worker, size: usize, end: End) -> BodyFlow {
        if self.request == Request::Reading {
            self.size = size;
        }
        if end == End::Reached && self.request == Request::Reading {
            self.take_body(worker);
        }
        match self.request {
            Request::Sent => BodyFlow::Continue,
            Request::Reading | Request::Deciding => BodyFlow::Hold,
            Request::Refused => BodyFlow::Consume,
        }
    }

    fn on_request_trailers(&mut self, worker: &mut Worker) -> HeadFlow {
        // Whatever a client says there was not looked at, so it goes nowhere.
        let _ = host::set_headers::<&str, &str>(Map::RequestTrailers, &[]);
        if self.request == Request::Reading {
            self.take_body(worker);
        }
        self.head_flow()
    }

    fn on_wake(&mut self, worker: &mut Worker) {
        if matches!(self.request, Request::Sent | Request::Refused) || worker.calls.awaited_by(self.stream) {
            return;
        }
        let step = self.advance(worker);
        self.follow(worker, step);
        if self.request == Request::Sent {
            let _ = host::resume(Direction::Request);
        }
    }

    fn on_response_head(&mut self, worker: &mut Worker, end: End) -> HeadFlow {
        let Some(exchange) = worker.exchanges.get_mut(&self.exchange) else { return HeadFlow::Continue };
        let header = |name| host::header(Map::ResponseHead, name).ok().flatten();
        let status = header(":status").and_then(|status| str::from_utf8(&status).ok()?.parse().ok()).unwrap_or(0);
        // An attempt that wants the next one tried has a status that says error.
        let retry = !(200..300).contains(&status) && header(RETRY).is_some();
        let edits = match exchange.response_head(status, retry, &worker.memory) {
            FinalHead::Pass(edits) => edits,
            FinalHead::Replace(edits, body) if end == End::Open => {
                self.instead = Some(body);
                edits
            }
            FinalHead::Replace(edits, body) => {
                // A head without a body has no place for one: the whole answer is given anew.
                if self.answer_anew(&edits, status, &body) {
                    return HeadFlow::PauseAll;
                }
                edits
            }
        };
        if host::edit_head(Map::ResponseHead, &edits).is_err() {
            host::log(Level::Error, "the head of an answer could not be changed as it should");
        }
        HeadFlow::Continue
    }

    fn on_response_body(&mut self, _worker: &mut Worker, _size: usize, _end: End) -> BodyFlow {
        if let Some(body) = &mut self.instead {
            let _ = host::replace_buffer(Buffer::ResponseBody, &std::mem::take(body));
        }
        BodyFlow::Continue
    }

    fn on_done(&mut self, worker: &mut Worker) {
        if self.request != Request::Reading {
            worker.bodies = worker.bodies.saturating_sub(self.size);
        }
        worker.unseat(&self.exchange);
        if let Some(shadow) = &self.shadow {
            worker.leave_unmade(shadow);
        }
        if let Some(exchange) = worker.exchanges.get_mut(&self.exchange) {
            exchange.leave_queue(&mut worker.memory, false);
            exchange.close();
        }
        worker.finish(&self.exchange);
    }
}
