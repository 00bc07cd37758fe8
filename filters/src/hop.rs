//! The filter of the hop, once per attempt of an exchange that may be hedged: sends it on to whose turn it is, or has it wait.
//!
//! ```text
//! Coming ──┬──▶ Gone ──▶ its answer, or that there is none
//!          ├──▶ Waiting ──others got on──▶ Gone
//!          └──▶ Turned back: there is nobody to ask
//! ```
//!
//! What comes back and is no answer is marked as Envoy's router wants it marked, so that it waits for another attempt.

use dragoman_core::exchange::{EXCHANGE, Hop, RETRY};

use crate::dispatch::{End, HeadFlow, Stream};
use crate::host::{self, Direction, Level, Map};
use crate::worker::Worker;

/// Where the attempt is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Coming,
    Waiting,
    Gone,
}

/// The filter of the hop.
#[derive(Debug)]
pub struct HopFilter {
    stream: u32,
    exchange: String,
    number: usize,
    place: Place,
}

impl HopFilter {
    /// A new stream, named `stream` by the host.
    pub fn new(stream: u32) -> Self {
        HopFilter { stream, exchange: String::new(), number: 0, place: Place::Coming }
    }

    /// Which attempt of which exchange this is.
    fn is_named(&mut self) -> Option<()> {
        let head = host::headers(Map::RequestHead).ok()?;
        self.exchange = str::from_utf8(head.get(EXCHANGE)?).ok()?.to_owned();
        self.number = str::from_utf8(head.get("x-envoy-attempt-count")?).ok()?.parse().ok()?;
        Some(())
    }

    fn go(&mut self, worker: &mut Worker) -> HeadFlow {
        let exchange = worker.exchanges.get_mut(&self.exchange);
        match exchange.map_or(Hop::Nobody, |exchange| exchange.hop(self.number, &mut worker.memory)) {
            Hop::Go(edits) => {
                self.place = Place::Gone;
                let edited = host::edit_head(Map::RequestHead, &edits).and_then(|()| host::clear_route_cache());
                if edited.is_ok() {
                    return HeadFlow::Continue;
                }
                host::log(Level::Error, "an attempt could not be sent on: its head could not be changed");
            }
            Hop::Wait => {
                self.place = Place::Waiting;
                worker.wait_at_hop(&self.exchange, self.stream);
                return HeadFlow::PauseAll;
            }
            Hop::Nobody => self.place = Place::Gone,
        }
        if host::reply(503, "dragoman_nobody", &[(RETRY, "yes")], b"").is_err() {
            let _ = host::close(Direction::Request);
        }
        HeadFlow::PauseAll
    }
}

impl Stream for HopFilter {
    fn on_request_head(&mut self, worker: &mut Worker, _end: End) -> HeadFlow {
        // Without a name it is nobody's attempt, and turned back.
        let _ = self.is_named();
        self.go(worker)
    }

    fn on_wake(&mut self, worker: &mut Worker) {
        if self.place == Place::Waiting && self.go(worker) == HeadFlow::Continue {
            let _ = host::resume(Direction::Request);
        }
    }

    fn on_response_head(&mut self, worker: &mut Worker, _end: End) -> HeadFlow {
        if let Some(exchange) = worker.exchanges.get_mut(&self.exchange) {
            let edits = exchange.hop_back(self.number);
            if host::edit_head(Map::ResponseHead, &edits).is_err() {
                host::log(Level::Error, "the head of an answer could not be changed as it should");
            }
            worker.wake_at_hop(&self.exchange);
        }
        HeadFlow::Continue
    }

    fn on_done(&mut self, worker: &mut Worker) {
        if let Some(exchange) = worker.exchanges.get_mut(&self.exchange) {
            exchange.hop_left(self.number);
        }
        worker.wake_at_hop(&self.exchange);
    }
}
