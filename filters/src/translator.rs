//! The upstream filter, once per attempt: drives an [`Attempt`], which decides; here bytes are carried.
//!
//! A held body is emptied and held empty rather than taken away: so the host keeps a place for what the attempt says at
//! last, even when the answer ends with trailers. A short one that means nothing before its end is left with the host until
//! then: reading it once, and often putting nothing in its place, is the cheapest there is.
//!
//! Limits: when an answer that has begun ends with trailers, nothing can be added to it any more. Where something must be,
//! the stream is reset instead, so that it does not look complete.

use dragoman_core::attempt::{Attempt, Body, HeadVerdict};
use dragoman_core::exchange::{EXCHANGE, Head, HeadEdits, Question, RETRY, error_reply};
use dragoman_core::refusal::Refusal;

use crate::dispatch::{BodyFlow, End, HeadFlow, Stream};
use crate::host::{self, Buffer, Direction, Level, Map};
use crate::worker::Worker;

/// Most bytes of an answer that are left with the host until the answer ends. Far below any limit of its buffers, and most
/// whole answers are shorter.
const MAX_LEFT: usize = 16 << 10;

/// What became of the request's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RequestHead {
    /// It is here, or has not come yet.
    Here,
    /// It is held until there is another credential.
    Held,
    /// It was held, and nobody is asked again.
    Released,
}

/// The upstream filter, once per attempt.
#[derive(Debug)]
pub struct Translator {
    stream: u32,
    exchange: String,
    request_head: RequestHead,
    /// None when nothing may be sent.
    attempt: Option<Attempt>,
    /// What takes the place of the request's body: this with the first chunk, then nothing.
    request: Option<Vec<u8>>,
    response: End,
    /// Bytes of the answer that the host holds, and the attempt has not seen.
    left: usize,
}

impl Translator {
    /// A new stream, named `stream` by the host.
    pub fn new(stream: u32) -> Self {
        let (exchange, request_head, response) = (String::new(), RequestHead::Here, End::Open);
        Translator { stream, exchange, request_head, attempt: None, request: None, response, left: 0 }
    }

    /// Finds the exchange and writes the attempt's head, or asks for another credential first. None when there is no such exchange
    /// or attempt.
    fn begin(&mut self, worker: &mut Worker) -> Option<HeadFlow> {
        let current = host::headers(Map::RequestHead).ok()?;
        self.exchange = str::from_utf8(current.get(EXCHANGE)?).ok()?.to_owned();
        let exchange = worker.exchanges.get(&self.exchange)?;
        let number = str::from_utf8(current.get("x-envoy-attempt-count")?).ok()?.parse().ok()?;
        let now = host::now_ms();
        let mut renewed = None;
        if let Some(which) = exchange.renewed(number) {
            renewed = worker.memory.credential(&which, now);
            let asks = renewed.is_none() && self.request_head == RequestHead::Here;
            if asks && worker.ask(&Question::Credential(which), Some(self.stream)) {
                self.request_head = RequestHead::Held;
                return Some(HeadFlow::PauseAll);
            }
        }
        let exchange = worker.exchanges.get_mut(&self.exchange)?;
        let (turn, slot) = exchange.turn(number, &mut worker.memory, now)?;
        let asked = exchange.asked()?;
        // Where there is no other, the provider's word on the one there is counts.
        let planned = asked.plan.get(turn.place)?;
        let credential = renewed.or_else(|| planned.credential.clone());
        if !planned.is_opened_by(credential.as_ref()) {
            return None;
        }
        let cluster = host::property(&["xds", "cluster_name"]).ok()??;
        let current: Vec<_> = current.iter().collect();
        let (attempt, mut outgoing) = Attempt::begin_with(credential, asked, turn, &cluster, &current, now)?;
        outgoing.head.extend(slot.map(|(name, value)| (name.into_bytes(), value.into_bytes())));
        host::set_headers(Map::RequestHead, &outgoing.head).ok()?;
        if let Body::Replace(body) = outgoing.body {
            self.request = Some(body);
        }
        exchange.attempt_began(number, &mut worker.memory);
        if let Some(silence) = exchange.shadow_silence_ms() {
            worker.await_until(self.stream, Some(now.saturating_add(silence)));
        }
        self.attempt = Some(attempt);
        Some(HeadFlow::Continue)
    }

    /// Hands on what the host holds of the answer, which is so many bytes.
    fn take(&mut self, worker: &mut Worker, size: usize, end: End) -> BodyFlow {
        self.left = 0;
        let chunk = if size == 0 { Ok(Vec::new()) } else { host::buffer(Buffer::ResponseBody) };
        match chunk {
            Ok(chunk) => self.answer(worker, &chunk, end),
            Err(_) => {
                let _ = host::close(Direction::Response);
                BodyFlow::Continue
            }
        }
    }

    /// Does what the attempt says about bytes that were just read, of which the host may still hold a place.
    fn answer(&mut self, worker: &mut Worker, chunk: &[u8], end: End) -> BodyFlow {
        let Some(attempt) = &mut self.attempt else { return BodyFlow::Continue };
        self.response = end;
        let now = host::now_ms();
        if let Some(after) = worker.exchanges.get(&self.exchange).and_then(|known| known.after(attempt.number())) {
            attempt.is_followed_by(after);
        }
        let answer = attempt.response_body(chunk, end == End::Reached, now);
        if let Some(silence) = attempt.silence_ms() {
            worker.await_until(self.stream, (end == End::Open).then(|| now.saturating_add(silence)));
        }
        if answer.answers
            && let Some(exchange) = worker.exchanges.get_mut(&self.exchange)
            && !exchange.attempt_answers(attempt.number(), attempt.losses())
        {
            let _ = host::close(Direction::Response);
            return BodyFlow::Hold;
        }
        if let Some(edits) = &answer.head {
            edit_head(edits);
        }
        let (bytes, flow) = match answer.body {
            Body::Keep => return BodyFlow::Continue,
            Body::Hold => (Vec::new(), BodyFlow::Hold),
            Body::Replace(bytes) => (bytes, BodyFlow::Continue),
        };
        if bytes.is_empty() && chunk.is_empty() {
            return flow;
        }
        let replaced = host::replace_buffer(Buffer::ResponseBody, &bytes);
        // The provider's bytes must not pass for ours, nor a cut answer for a whole one. An answer that had no bytes at all
        // has no place for any; then its head says it.
        if replaced.is_err() && !(chunk.is_empty() && answer.head.is_some()) {
            let _ = host::close(Direction::Response);
        }
        flow
    }
}

impl Translator {
    /// Sends the attempt's head on, or answers when there is no attempt.
    fn send_head(&mut self, worker: &mut Worker) -> HeadFlow {
        if let Some(flow) = self.begin(worker) {
            return flow;
        }
        let head = Head { headers: host::headers(Map::RequestHead).unwrap_or_default().to_vec() };
        let dialect = head.endpoint().map_or_else(|_| head.likely_dialect(), |endpoint| endpoint.dialect);
        let reply = error_reply(dialect, &Refusal::Forgotten.to_client(), &self.exchange);
        if host::reply(reply.status, "dragoman_forgotten", &reply.headers, &reply.body).is_err() {
            let _ = host::close(Direction::Request);
        }
        HeadFlow::PauseAll
    }
}

impl Stream for Translator {
    fn on_request_head(&mut self, worker: &mut Worker, _end: End) -> HeadFlow {
        self.send_head(worker)
    }

    fn on_wake(&mut self, worker: &mut Worker) {
        if self.request_head == RequestHead::Held && !worker.calls.awaited_by(self.stream) {
            self.request_head = RequestHead::Released;
            if self.send_head(worker) == HeadFlow::Continue {
                let _ = host::resume(Direction::Request);
            }
        }
        if worker.is_overdue(self.stream, host::now_ms())
            && let Some(attempt) = &mut self.attempt
        {
            attempt.falls_silent();
            let _ = host::close(Direction::Response);
        }
    }

    fn on_request_body(&mut self, _worker: &mut Worker, _size: usize, _end: End) -> BodyFlow {
        if self.attempt.is_none() {
            let held = self.request_head == RequestHead::Held;
            return if held { BodyFlow::Hold } else { BodyFlow::Consume };
        }
        // Written as soon as anything of the old one is here: the host never holds two.
        if let Some(body) = &mut self.request
            && host::replace_buffer(Buffer::RequestBody, &std::mem::take(body)).is_err()
        {
            let _ = host::close(Direction::Request);
        }
        BodyFlow::Continue
    }

    fn on_response_head(&mut self, worker: &mut Worker, end: End) -> HeadFlow {
        let Some(attempt) = &mut self.attempt else { return HeadFlow::Continue };
        self.response = end;
        let headers = host::headers(Map::ResponseHead).unwrap_or_default();
        let headers: Vec<_> = headers.iter().collect();
        if let Some(after) = worker.exchanges.get(&self.exchange).and_then(|known| known.after(attempt.number())) {
            attempt.is_followed_by(after);
        }
        let verdict = attempt.response_head(&headers, end == End::Reached, host::now_ms());
        // Now, and not when the attempt is over: the next one may begin before.
        if let Some(credential) = attempt.rejected_credential() {
            worker.memory.reject_credential(credential);
        }
        if attempt.may_renew()
            && let Some(exchange) = worker.exchanges.get_mut(&self.exchange)
        {
            exchange.attempt_rejected(attempt.number());
        }
        match verdict {
            HeadVerdict::Hold => HeadFlow::Pause,
            HeadVerdict::Pass(edits) => {
                edit_head(&edits);
                let retries = edits.set.iter().any(|(name, _)| name == RETRY.as_bytes());
                if !retries && let Some(exchange) = worker.exchanges.get_mut(&self.exchange) {
                    exchange.attempt_answers(attempt.number(), attempt.losses());
                }
                HeadFlow::Continue
            }
            HeadVerdict::Say(edits, body) => {
                edit_head(&edits);
                if let Some(exchange) = worker.exchanges.get_mut(&self.exchange)
                    && exchange.attempt_answers(attempt.number(), attempt.losses())
                {
                    exchange.attempt_says(body);
                }
                HeadFlow::Continue
            }
        }
    }

    fn on_response_body(&mut self, worker: &mut Worker, size: usize, end: End) -> BodyFlow {
        if end == End::Open && size <= MAX_LEFT && self.attempt.as_ref().is_some_and(Attempt::awaits_end) {
            self.left = size;
            return BodyFlow::Hold;
        }
        self.take(worker, size, end)
    }

    fn on_response_trailers(&mut self, worker: &mut Worker) -> HeadFlow {
        if self.response == End::Open {
            self.take(worker, self.left, End::Reached);
        }
        HeadFlow::Continue
    }

    fn on_done(&mut self, worker: &mut Worker) {
        worker.await_until(self.stream, None);
        let Some(attempt) = self.attempt.take() else { return };
        let now = host::now_ms();
        if let Some(exchange) = worker.exchanges.get_mut(&self.exchange) {
            exchange.attempt_ended(attempt.number(), attempt.end(now), &mut worker.memory, now);
            if let Some(met) = exchange.cool_down() {
                worker.memory.cool_downs.meet(met, now);
            }
        }
        worker.finish(&self.exchange);
    }
}

fn edit_head(edits: &HeadEdits) {
    if host::edit_head(Map::ResponseHead, edits).is_err() {
        host::log(Level::Error, "the head of an answer could not be changed as it should");
    }
}
