//! What one attempt makes of a provider's answer.

use super::failure::{bad_answer, code_of, is_retriable, retry_after_ms};
use super::interpret::{Interpreter, Progress};
use super::relay::{Relay, Seen};
use super::request::Awaiting;
use super::{Attempt, Body};
use crate::dialect;
use crate::exchange::{HeadEdits, Header};
use crate::hub::event::ProviderError;
use crate::record::Ending;
use crate::refusal::class_of_status;
use crate::usage::Usage;

/// Most bytes of an error body that are read; more is not an explanation.
pub const MAX_ERROR_BODY: usize = 64 << 10;

/// Response headers that belong to the provider's connection or would tell its secrets; all others go to the client.
const WITHHELD: [&str; 13] = [
    "set-cookie",
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "alt-svc",
    "strict-transport-security",
    "server",
    "via",
    "authorization",
    "x-api-key",
    "x-goog-api-key",
    "api-key",
    "www-authenticate",
];

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
    /// A bad head came and is held until its body explains it.
    Failing { status: u16, body: Vec<u8> },
    /// Nothing more to do; what comes is passed on as it is.
    Done,
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

impl State {
    pub(super) fn usage(&self) -> Usage {
        match self {
            State::Gate(gate) => match &gate.way {
                Way::Relay(relay) => relay.usage(),
                Way::Interpret(interpreter) => interpreter.usage(),
            },
            State::Relaying(relay) => relay.usage(),
            State::Interpreting(interpreter) => interpreter.usage(),
            _ => Usage::default(),
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
    fn body(body: Body) -> Answer {
        Answer { head: None, body, answers: false }
    }
}

impl Attempt {
    /// Takes the provider's response head. `ends` when no body follows.
    pub fn response_head(&mut self, headers: &[Header], ends: bool) -> HeadVerdict {
        let State::AwaitingHead(awaiting) = &mut self.state else { return HeadVerdict::Pass(HeadEdits::default()) };
        let awaiting = core::mem::take(awaiting);
        let get = |name: &str| {
            let found = headers.iter().find(|(known, _)| known == name.as_bytes());
            found.and_then(|(_, value)| core::str::from_utf8(value).ok())
        };
        let status = get(":status").and_then(|status| status.parse().ok()).unwrap_or(0);
        self.outcome.status = status;
        self.outcome.retry_after_ms = retry_after_ms(get("retry-after-ms"), get("retry-after"));
        let asks_again = get("x-should-retry") != Some("false");
        self.withheld = self.withheld(headers);
        if (200..300).contains(&status) {
            if ends {
                return bodiless(self.fail(bad_answer("the provider's answer was empty")));
            }
            let way = self.way(get("content-type").unwrap_or_default(), awaiting);
            self.state = State::Gate(Box::new(Gate { way }));
            return HeadVerdict::Hold;
        }
        if !self.is_last() && is_retriable(status, asks_again) {
            let class = class_of_status(status);
            return HeadVerdict::Pass(self.retry(ProviderError { class, status, ..ProviderError::default() }));
        }
        self.state = State::Failing { status, body: Vec::new() };
        if ends {
            return bodiless(self.explain(Vec::new(), status));
        }
        HeadVerdict::Hold
    }

    /// Takes the next bytes of the body; `ends` with the last ones.
    pub fn response_body(&mut self, chunk: &[u8], ends: bool, now_ms: u64) -> Answer {
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
            State::Failing { status, mut body } => {
                let room = MAX_ERROR_BODY.saturating_sub(body.len()).min(chunk.len());
                body.extend_from_slice(chunk.get(..room).unwrap_or_default());
                if ends || body.len() >= MAX_ERROR_BODY {
                    return self.explain(body, status);
                }
                self.state = State::Failing { status, body };
                Answer::body(Body::Hold)
            }
            State::AwaitingHead(_) | State::Done => match self.over {
                // An explanation was given in full; the rest of the provider's words is not for the client.
                true => Answer::body(Body::Replace(Vec::new())),
                false => Answer::body(Body::Keep),
            },
        }
    }

    fn way(&self, content_type: &str, awaiting: Awaiting) -> Way {
        let framing = super::interpret::Framing::of(content_type, self.asked.delivery);
        let own = self.asked.endpoint.dialect;
        let service = self.asked.plan.get(self.number - 1).and_then(|planned| self.asked.service(planned));
        let theirs = service.map_or(own, |service| service.dialect);
        if theirs == own && framing.delivers(self.asked.delivery) {
            return Way::Relay(Relay::new(dialect::of(own), framing));
        }
        let writer = awaiting.writer.unwrap_or_else(|| self.asked.writer());
        let reader = dialect::of(theirs).reader(awaiting.aliases);
        Way::Interpret(Interpreter::new(framing, reader, writer, self.asked.delivery))
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
                    Answer { head: Some(self.good_head()), body: Body::Replace(held), answers: true }
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
                head.set("content-type", super::interpret::content_type(self.asked.delivery));
                head.remove("content-length");
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

    fn interpret_ends(&mut self, interpreter: &Interpreter, progress: &Progress) {
        if self.over {
            return;
        }
        let ending = match progress {
            Progress::Failed(error) => {
                self.outcome.code = code_of(error);
                Ending::Broken
            }
            Progress::Open | Progress::Complete => Ending::Answered,
        };
        self.conclude(ending, interpreter.usage());
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
        self.conclude(ending, relay.usage());
        match (verdict, relay.was_told()) {
            (Some(error), false) => {
                let mut out = relay.gap().to_vec();
                self.asked.writer().write(&crate::hub::Event::Error(error), &mut out);
                out
            }
            _ => Vec::new(),
        }
    }

    /// The changes that a good head needs on its way to the client.
    fn good_head(&self) -> HeadEdits {
        HeadEdits { remove: self.withheld.clone(), set: Vec::new() }
    }

    /// The headers that no client may see: those of the provider's connection, those that speak in the gateway's name, and
    /// whatever repeats the credential.
    fn withheld(&self, headers: &[Header]) -> Vec<Vec<u8>> {
        let planned = self.asked.plan.get(self.number - 1);
        let secret = planned.and_then(|planned| planned.credential.as_ref()).map(|known| known.value.expose());
        let secret = secret.map(|value| value.strip_prefix(b"Bearer ").unwrap_or(value)).unwrap_or_default();
        let hidden = |(name, value): &&Header| {
            let echoes = !secret.is_empty() && memchr::memmem::find(value, secret).is_some();
            echoes || name.starts_with(b"x-dragoman-") || WITHHELD.iter().any(|known| known.as_bytes() == name)
        };
        headers.iter().filter(hidden).map(|(name, _)| name.clone()).collect()
    }
}

/// What a head without a body makes of a failure: a retry needs none, anything else must be said.
fn bodiless(answer: Answer) -> HeadVerdict {
    match (answer.head.unwrap_or_default(), answer.body, answer.answers) {
        (head, Body::Replace(body), true) => HeadVerdict::Say(head, body),
        (head, ..) => HeadVerdict::Pass(head),
    }
}
