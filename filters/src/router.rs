//! The downstream filter: drives an [`Exchange`], which decides; here bytes are carried.
//!
//! ```text
//! Reading ──body complete──▶ Deciding ──▶ Sent | Refused
//! ```
//!
//! The request's head is held until it is decided who answers; the body is held by the host and copied once.

use dragoman_core::catalog::DialectId;
use dragoman_core::exchange::{Exchange, FinalHead, Head, RETRY, Step, error_reply};
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

/// What takes the place of the answer's body.
#[derive(Debug)]
enum Instead {
    /// Nothing: it is right as it is.
    Nothing,
    /// This, with the first chunk; then nothing more.
    Say(Vec<u8>),
}

/// The downstream filter.
#[derive(Debug)]
pub struct Router {
    stream: u32,
    exchange: String,
    request: Request,
    instead: Instead,
}

impl Router {
    /// A new stream, named `stream` by the host.
    pub fn new(stream: u32) -> Self {
        Router { stream, exchange: String::new(), request: Request::Reading, instead: Instead::Nothing }
    }

    /// Gives the exchange the whole body.
    fn take_body(&mut self, worker: &mut Worker, body: Vec<u8>) {
        self.request = Request::Deciding;
        if let Some(exchange) = worker.exchanges.get_mut(&self.exchange) {
            let step = exchange.body(body, &worker.memory, host::now_ms());
            self.follow(worker, step);
        }
    }

    /// Does what the exchange says.
    fn follow(&mut self, worker: &mut Worker, mut step: Step) {
        loop {
            match step {
                Step::Wait => return,
                Step::Ask(questions) => {
                    let asked = questions.iter().filter(|question| worker.ask(question, Some(self.stream))).count();
                    if asked > 0 {
                        return;
                    }
                    step = self.advance(worker);
                }
                Step::Send(edits) => {
                    let edited = host::edit_head(Map::RequestHead, &edits).and_then(|()| host::clear_route_cache());
                    if edited.is_ok() {
                        self.request = Request::Sent;
                        return;
                    }
                    host::log(Level::Error, "a request could not be sent: its head could not be changed");
                    let dialect = worker.exchanges.get(&self.exchange);
                    let dialect = dialect.map_or(DialectId::ChatCompletions, Exchange::dialect);
                    step = Step::Refuse(error_reply(dialect, &Refusal::Forgotten.to_client(), &self.exchange));
                }
                Step::Refuse(reply) => {
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
        let Some(exchange) = worker.exchanges.get_mut(&self.exchange) else { return Step::Wait };
        match exchange.advance(&worker.memory, host::now_ms()) {
            Step::Wait => exchange.unanswered(),
            step => step,
        }
    }

    fn head_flow(&self) -> HeadFlow {
        if self.request == Request::Sent { HeadFlow::Continue } else { HeadFlow::Pause }
    }
}

impl Stream for Router {
    fn on_request_head(&mut self, worker: &mut Worker, end: End) -> HeadFlow {
        let now = host::now_ms();
        let head = Head { headers: host::headers(Map::RequestHead).unwrap_or_default().to_vec() };
        self.exchange = worker.ids.next(now);
        let (exchange, step) = Exchange::begin(head, self.exchange.clone(), &worker.memory, now);
        worker.exchanges.insert(self.exchange.clone(), exchange);
        self.follow(worker, step);
        if end == End::Reached && self.request == Request::Reading {
            self.take_body(worker, Vec::new());
        }
        self.head_flow()
    }

    fn on_request_body(&mut self, worker: &mut Worker, _size: usize, end: End) -> BodyFlow {
        if end == End::Reached && self.request == Request::Reading {
            self.take_body(worker, host::buffer(Buffer::RequestBody).unwrap_or_default());
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
            self.take_body(worker, host::buffer(Buffer::RequestBody).unwrap_or_default());
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
        let edits = match exchange.response_head(status, header(RETRY).is_some()) {
            FinalHead::Pass(edits) => edits,
            FinalHead::Replace(edits, body) => {
                // A head without a body gets none: the host offers no place for it.
                if end == End::Open {
                    self.instead = Instead::Say(body);
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
        if let Instead::Say(body) = &mut self.instead {
            let _ = host::replace_buffer(Buffer::ResponseBody, &std::mem::take(body));
        }
        BodyFlow::Continue
    }

    fn on_done(&mut self, worker: &mut Worker) {
        if let Some(exchange) = worker.exchanges.get_mut(&self.exchange) {
            exchange.close();
        }
        worker.finish(&self.exchange);
    }
}
