//! What one attempt makes of a provider's answer.

use super::embed::Embedder;
use super::failure::{code_of, is_retriable};
use super::relay::{Relay, Seen};
use super::request::Awaiting;
use super::settle::Counted;
use super::{Attempt, Body};
use crate::catalog::{DialectId, Operation};
use crate::dialect::{self, Aliases};
use crate::exchange::HeadEdits;
use crate::failure::Failure;
use crate::hints;
use crate::hub::event::ProviderError;
use crate::interpret::{Framing, Interpreter, Progress, broken};
use crate::record::Ending;
use crate::refusal::class_of_status;

/// Most bytes of an error body that are read; more is not an explanation.
pub const MAX_ERROR_BODY: usize = 64 << 10;

/// Where an attempt is.
#[derive(Debug)]
pub(super) enum State {
    /// Nothing came yet.
    AwaitingHead(Awaiting),
    /// A good head came and is held until the first event.
    Gate(Box<Gate>),
    /// The very bytes pass; only looked at.
    Relaying(Box<Relay>),
    /// Read and said anew.
    Interpreting(Box<Interpreter>),
    /// Vectors in another dialect.
    Embedding(Box<Embedder>),
    /// A bad head came and is held until its body explains it.
    Failing { status: u16, body: Vec<u8>, next: Next },
    /// Nothing more to do; what comes is passed on as it is.
    Done,
}

/// What follows when a failure is understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The client is told.
    Explain,
    /// The next target is tried; the body was only awaited for how long to leave this one alone.
    Retry,
}

/// A held answer, whichever way it goes.
#[derive(Debug)]
pub(super) struct Gate {
    way: Way,
}

#[derive(Debug)]
enum Way {
    Relay(Relay),
    Interpret(Interpreter),
}

impl Gate {
    pub(super) fn counted(&self) -> Counted {
        match &self.way {
            Way::Relay(relay) => relay.counted(),
            Way::Interpret(interpreter) => Counted::of(interpreter),
        }
    }
}

/// What to do with a response head.
#[derive(Debug)]
pub enum HeadVerdict {
    /// Hold it until a body call says otherwise.
    Hold,
    /// Let it go with these changes; the body follows as it is.
    Pass(HeadEdits),
    /// It came without a body, and this is to be said: there is no place for it here, so the router filter must answer.
    Say(HeadEdits, Vec<u8>),
}

/// What to do with a piece of a response body.
#[derive(Debug)]
pub struct Answer {
    /// The held head goes now, with these changes.
    pub head: Option<HeadEdits>,
    /// What to do with the bytes.
    pub body: Body,
    /// The client sees this attempt's answer from now on.
    pub answers: bool,
}

impl Answer {
    pub(super) fn body(body: Body) -> Answer {
        Answer { head: None, body, answers: false }
    }
}

impl Attempt {
    /// Takes the provider's response head. `ends` when no body follows.
    pub fn response_head<H: AsRef<[u8]>>(&mut self, headers: &[(H, H)], ends: bool, now_ms: u64) -> HeadVerdict {
        let State::AwaitingHead(awaiting) = &mut self.state else { return HeadVerdict::Pass(HeadEdits::default()) };
        let awaiting = core::mem::take(awaiting);
        let get = |name: &str| {
            let found = headers.iter().find(|(known, _)| known.as_ref() == name.as_bytes());
            found.and_then(|(_, value)| core::str::from_utf8(value.as_ref()).ok())
        };
        let status = get(":status").and_then(|status| status.parse().ok()).unwrap_or(0);
        self.outcome.status = status;
        let good = (200..300).contains(&status);
        let text = |bytes| core::str::from_utf8(bytes).unwrap_or_default();
        let pairs = headers.iter().map(|(name, value)| (text(name.as_ref()), text(value.as_ref())));
        self.outcome.quota_left = hints::quota_left(pairs.clone());
        if !good {
            self.outcome.retry_after_ms = hints::of_head(pairs, now_ms);
        }
        let asks_again = get("x-should-retry") != Some("false");
        self.withheld = self.withheld(headers);
        if good {
            if ends && !self.interprets() {
                // What is relayed may be empty: a file that was deleted.
                self.conclude(Ending::Answered, Counted::default());
                self.state = State::Done;
                return HeadVerdict::Pass(self.good_head());
            }
            if ends {
                return bodiless(self.fail(broken("the provider's answer was empty")));
            }
            let content_type = get("content-type").unwrap_or_default();
            self.state = self.way(content_type, awaiting);
            self.retouch = self.retouching(content_type);
            return HeadVerdict::Hold;
        }
        let class = class_of_status(status);
        let retries = self.may_renew() || (is_retriable(status, asks_again) && self.goes_on(Failure::of(class)));
        if retries && status == 429 && self.outcome.retry_after_ms.is_none() && !ends {
            // Some say only in the body how long to wait, and whoever plans the next request should know.
            self.state = State::Failing { status, body: Vec::new(), next: Next::Retry };
            return HeadVerdict::Hold;
        }
        if retries {
            return HeadVerdict::Pass(self.retry(ProviderError { class, status, ..ProviderError::default() }));
        }
        self.state = State::Failing { status, body: Vec::new(), next: Next::Explain };
        if ends {
            return bodiless(self.explain(Vec::new(), status));
        }
        HeadVerdict::Hold
    }

    /// Whether the next bytes change nothing unless they are the last: then they need not be brought here yet.
    pub fn awaits_end(&self) -> bool {
        match &self.state {
            State::Gate(gate) => match &gate.way {
                Way::Relay(relay) => relay.awaits_end(),
                Way::Interpret(interpreter) => interpreter.awaits_end(),
            },
            State::Embedding(_) | State::Failing { .. } => true,
            State::AwaitingHead(_) | State::Relaying(_) | State::Interpreting(_) | State::Done => false,
        }
    }

    /// Takes the next bytes of the body; `ends` with the last ones.
    pub fn response_body(&mut self, chunk: &[u8], ends: bool, now_ms: u64) -> Answer {
        let answer = self.heard(chunk, ends, now_ms);
        self.retouched(answer, chunk, ends)
    }

    fn heard(&mut self, chunk: &[u8], ends: bool, now_ms: u64) -> Answer {
        match core::mem::replace(&mut self.state, State::Done) {
            State::Gate(gate) => self.at_gate(gate, chunk, ends, now_ms),
            State::Relaying(mut relay) => {
                relay.look(chunk);
                if !ends {
                    self.state = State::Relaying(relay);
                    return Answer::body(Body::Keep);
                }
                self.relay_ends(*relay, chunk)
            }
            State::Interpreting(mut interpreter) => {
                let progress = interpreter.feed(chunk, ends);
                let out = interpreter.take();
                if ends || !matches!(progress, Progress::Open) {
                    self.interpret_ends(&interpreter, &progress);
                    if !ends {
                        // The answer has ended in the provider's words; what may follow is not part of it.
                        self.state = State::Interpreting(interpreter);
                    }
                } else {
                    self.state = State::Interpreting(interpreter);
                }
                Answer::body(Body::Replace(out))
            }
            State::Embedding(mut embedder) => self.embedding(&mut embedder, chunk, ends, now_ms),
            State::Failing { status, mut body, next } => {
                let room = MAX_ERROR_BODY.saturating_sub(body.len()).min(chunk.len());
                body.extend_from_slice(chunk.get(..room).unwrap_or_default());
                if ends || body.len() >= MAX_ERROR_BODY {
                    if self.outcome.retry_after_ms.is_none() {
                        self.outcome.retry_after_ms = hints::of_body(&body);
                    }
                    return match next {
                        Next::Explain => self.explain(body, status),
                        Next::Retry => self.retry_explained(&body, status),
                    };
                }
                self.state = State::Failing { status, body, next };
                Answer::body(Body::Hold)
            }
            State::AwaitingHead(_) | State::Done => match self.over {
                // An explanation was given in full; the rest of the provider's words is not for the client.
                true => Answer::body(Body::Replace(Vec::new())),
                false => Answer::body(Body::Keep),
            },
        }
    }

    /// Whether the answer's words are understood, whatever becomes of them.
    fn interprets(&self) -> bool {
        matches!(self.asked.endpoint.operation, Operation::Generate | Operation::Embed)
    }

    /// The dialect in which the provider was asked.
    pub(super) fn theirs(&self) -> DialectId {
        let service = self.planned().and_then(|planned| self.asked.service(planned));
        service.map_or(self.asked.endpoint.dialect, |service| service.dialect)
    }

    fn way(&self, content_type: &str, awaiting: Awaiting) -> State {
        let framing = Framing::of(content_type, self.asked.delivery);
        let (own, theirs) = (self.asked.endpoint.dialect, self.theirs());
        let gate = |way| State::Gate(Box::new(Gate { way }));
        let closing = self.asked.closing();
        match self.asked.endpoint.operation {
            Operation::Generate if theirs == own && framing.delivers(self.asked.delivery) && closing.is_none() => {
                let dialect = dialect::of(own);
                gate(Way::Relay(Relay::new(dialect, framing, Some(dialect.reader(Aliases::default())))))
            }
            Operation::Generate => {
                let writer = awaiting.writer.unwrap_or_else(|| self.asked.writer());
                let reader = dialect::of(theirs).reader(awaiting.aliases);
                let planned = self.planned().filter(|_| theirs != own);
                let maker = planned.map(|planned| self.asked.maker(planned));
                let call_tokens = dialect::of(theirs).usage().said.call_tokens;
                let interpreter = Interpreter::new(framing, reader, writer, self.asked.delivery, maker);
                let interpreter = interpreter.weighing_calls(call_tokens).closing_with(closing.as_deref());
                gate(Way::Interpret(interpreter))
            }
            Operation::Embed if theirs != own => State::Embedding(Box::default()),
            _ if content_type.starts_with("application/json") => {
                gate(Way::Relay(Relay::new(dialect::of(own), Framing::Whole, None)))
            }
            _ => gate(Way::Relay(Relay::blind(dialect::of(own)))),
        }
    }

    fn at_gate(&mut self, mut gate: Box<Gate>, chunk: &[u8], ends: bool, now_ms: u64) -> Answer {
        match &mut gate.way {
            Way::Relay(relay) => match relay.hold(chunk, ends) {
                Seen::Nothing => {
                    self.state = State::Gate(gate);
                    Answer::body(Body::Hold)
                }
                Seen::Failure(error) => self.fail(error),
                Seen::FirstEvent => {
                    self.outcome.first_event_ms = Some(now_ms.saturating_sub(self.began_ms));
                    let Gate { way: Way::Relay(mut relay) } = *gate else { return Answer::body(Body::Keep) };
                    let mut held = relay.release();
                    if ends {
                        held.extend_from_slice(&self.relay_tail(&mut relay));
                    } else {
                        self.state = State::Relaying(Box::new(relay));
                    }
                    // The very bytes at hand are the cheapest answer.
                    let body = if held.len() == chunk.len() { Body::Keep } else { Body::Replace(held) };
                    Answer { head: Some(self.good_head()), body, answers: true }
                }
            },
            Way::Interpret(interpreter) => {
                let progress = interpreter.feed(chunk, ends);
                if let Progress::Failed(error) = &progress
                    && !interpreter.is_open()
                {
                    let error = error.clone();
                    return self.fail(error);
                }
                if !interpreter.is_open() {
                    self.state = State::Gate(gate);
                    return Answer::body(Body::Hold);
                }
                self.outcome.first_event_ms = Some(now_ms.saturating_sub(self.began_ms));
                let Gate { way: Way::Interpret(mut interpreter) } = *gate else {
                    return Answer::body(Body::Keep);
                };
                let out = interpreter.take();
                let mut head = self.good_head();
                head.set("content-type", crate::interpret::content_type(self.asked.delivery));
                head.remove("content-length");
                self.note_lost(&interpreter);
                if !matches!(progress, Progress::Open) || ends {
                    self.interpret_ends(&interpreter, &progress);
                }
                if !ends {
                    self.state = State::Interpreting(Box::new(interpreter));
                }
                Answer { head: Some(head), body: Body::Replace(out), answers: true }
            }
        }
    }

    /// What the provider said that the client cannot be told. Of a stream it is known only when the head is long gone; then it
    /// stands in the Record alone.
    fn note_lost(&mut self, interpreter: &Interpreter) {
        for what in interpreter.lost() {
            self.losses.drop(&format!("answer.{what}"));
        }
        self.outcome.lost = interpreter.lost().iter().map(|what| (*what).to_string()).collect();
    }

    fn interpret_ends(&mut self, interpreter: &Interpreter, progress: &Progress) {
        if self.over {
            return;
        }
        self.note_lost(interpreter);
        let ending = match progress {
            Progress::Failed(error) => {
                self.outcome.code = code_of(error);
                Ending::Broken
            }
            Progress::Open | Progress::Complete => Ending::Answered,
        };
        self.conclude(ending, Counted::of(interpreter));
    }

    fn relay_ends(&mut self, mut relay: Relay, chunk: &[u8]) -> Answer {
        let tail = self.relay_tail(&mut relay);
        if tail.is_empty() {
            return Answer::body(Body::Keep);
        }
        let mut bytes = chunk.to_vec();
        bytes.extend_from_slice(&tail);
        Answer::body(Body::Replace(bytes))
    }

    /// What must follow the last relayed byte: nothing, or the dialect's error event when the stream was cut.
    fn relay_tail(&mut self, relay: &mut Relay) -> Vec<u8> {
        let verdict = relay.finish();
        let ending = match &verdict {
            Some(error) => {
                self.outcome.code = code_of(error);
                Ending::Broken
            }
            None => Ending::Answered,
        };
        self.conclude(ending, relay.counted());
        match (verdict, relay.was_told()) {
            (Some(error), false) => {
                let mut out = relay.gap().to_vec();
                self.asked.writer().write(&crate::hub::Event::Error(error), &mut out);
                out
            }
            _ => Vec::new(),
        }
    }
}

/// What a head without a body makes of a failure: a retry needs none, anything else must be said.
fn bodiless(answer: Answer) -> HeadVerdict {
    match (answer.head.unwrap_or_default(), answer.body, answer.answers) {
        (head, Body::Replace(body), true) => HeadVerdict::Say(head, body),
        (head, ..) => HeadVerdict::Pass(head),
    }
}
