//! Repairs a provider's order of saying things, once, so that readers may be sloppy and writers simple.
//!
//! Pieces come in as the provider has them; events go out by the grammar of [`super::event`]:
//!
//! ```text
//!            Start            Text | Thinking | ToolCall …           Stop, End | bytes end
//!  Waiting ────────▶ Started ─────────────────────────────▶ Open ──┬──────────────────────▶ Ended
//!     │                 │        ▲                            │    │
//!     │                 │        └──── Close, next Open ◀─────┘    │ bytes end without Stop, Error
//!     └─────────────────┴──────────────────────────────────────────┴──────────────────────▶ Ended (Error)
//! ```
//!
//! **Parallel calls.** Only one block is open at a time. A second call that begins while the first has not ended closes the
//! first if its arguments are complete JSON; otherwise it waits in a queue, so that interleaved calls come out one by one.
//!
//! **A cut answer is never presented as complete.** Without the provider's reason to stop or its own end mark, the last
//! event is an error.

use super::event::{Block, ErrorClass, Event, Piece, ProviderError, Stop, StopReason};
use crate::json::{Brackets, Json, Text, write::escape_into};
use crate::usage::Usage;

/// Most bytes of arguments held for calls that wait for an earlier one; more is an error in the answer.
pub const MAX_WAITING: usize = 8 << 20;

/// Most calls in one answer. Providers allow 128 tools; a stream that opens more calls than this is broken.
pub const MAX_CALLS: usize = 1024;

/// Where an answer is.
#[derive(Debug, Default, PartialEq)]
enum State {
    /// Nothing was said.
    #[default]
    Waiting,
    /// Between blocks.
    Started,
    /// Inside a block.
    Open(Inside),
    /// Stop or Error was said.
    Ended,
}

/// Which block is open.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Inside {
    Text,
    Thinking,
    Refusal,
    Call(u32),
}

/// A call that has begun.
#[derive(Debug)]
struct Call {
    slot: u32,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    /// An earlier call is still open: everything is kept.
    Waiting { id: Option<String>, name: String, arguments: String, signature: Option<String> },
    /// It is the open block.
    Speaking(Completeness),
    /// It was closed.
    Said,
}

/// The machine. One per answer.
#[derive(Debug, Default)]
pub struct Sequencer {
    state: State,
    calls: Vec<Call>,
    waiting_bytes: usize,
    usage: Usage,
    stop: Option<(StopReason, Option<String>)>,
}

/// Where events go.
pub type Emit<'e> = dyn FnMut(Event<'_>) + 'e;

impl Sequencer {
    /// A machine for a new answer.
    pub fn new() -> Sequencer {
        Sequencer::default()
    }

    /// Whether the answer is over; whatever follows is ignored.
    pub fn ended(&self) -> bool {
        self.state == State::Ended
    }

    /// The token counts so far.
    pub fn usage(&self) -> Usage {
        self.usage
    }

    /// Takes what the reader understood.
    pub fn push(&mut self, piece: Piece<'_>, emit: &mut Emit<'_>) {
        if self.ended() {
            return;
        }
        match piece {
            Piece::Start { id, model } => self.start(id, model, emit),
            Piece::Text(text) => self.say(Inside::Text, Block::Text, text, emit),
            Piece::Thinking(text) => self.say(Inside::Thinking, Block::Thinking, text, emit),
            Piece::Refusal(text) => self.say(Inside::Refusal, Block::Refusal, text, emit),
            Piece::Signature { slot, signature } => self.sign(slot, signature, emit),
            Piece::ToolCall { slot, id, name } => self.call(slot, id, name, emit),
            Piece::ArgumentsText { slot, fragment } => self.arguments(slot, fragment, emit),
            Piece::Arguments { slot, arguments } => {
                let mut escaped = String::with_capacity(arguments.as_str().len() + 16);
                escape_into(arguments.as_str(), &mut escaped);
                self.arguments(slot, Text::escaped(&escaped), emit);
            }
            Piece::Other(json) => self.other(json, emit),
            Piece::EndBlock => self.close(emit),
            Piece::Later => self.fail(no_answer("the provider has not completed its answer"), emit),
            Piece::Lost(what) => {
                self.start(None, None, emit);
                emit(Event::Lost(what));
            }
            Piece::Usage(usage) => self.usage.update(usage),
            Piece::Stop(stop) => self.stop = Some((stop.reason, stop.sequence.map(|text| text.raw().to_string()))),
            Piece::Error(error) => self.fail(error, emit),
            Piece::End => {
                // The provider's own mark that it is done: without a reason, the plain one.
                self.stop.get_or_insert((StopReason::End, None));
                self.complete(emit);
            }
        }
    }

    /// The bytes have ended.
    pub fn finish(&mut self, emit: &mut Emit<'_>) {
        if self.ended() {
            return;
        }
        if self.stop.is_some() {
            self.complete(emit);
        } else {
            let message = match self.state {
                State::Waiting => "the provider's answer was empty",
                _ => "the provider's answer was cut off before its end",
            };
            let class = ErrorClass::BadAnswer;
            self.fail(ProviderError { class, message: message.into(), ..ProviderError::default() }, emit);
        }
    }

    fn start(&mut self, id: Option<Text<'_>>, model: Option<Text<'_>>, emit: &mut Emit<'_>) {
        if self.state == State::Waiting {
            self.state = State::Started;
            emit(Event::Start { id, model });
        }
    }

    /// Words of a block that has no identity: they continue an open block of their kind or begin one.
    fn say(&mut self, inside: Inside, block: Block<'_>, text: Text<'_>, emit: &mut Emit<'_>) {
        if text.is_empty() {
            return;
        }
        if self.state != State::Open(inside) {
            self.open(inside, block, emit);
        }
        emit(Event::Delta(text));
    }

    fn open(&mut self, inside: Inside, block: Block<'_>, emit: &mut Emit<'_>) {
        self.start(None, None, emit);
        self.close_all(emit);
        self.state = State::Open(inside);
        emit(Event::Open(block));
    }

    /// Closes the open block; after a call, the calls that waited for it are said.
    fn close(&mut self, emit: &mut Emit<'_>) {
        let State::Open(inside) = self.state else { return };
        self.state = State::Started;
        emit(Event::Close);
        if let Inside::Call(slot) = inside {
            for call in self.calls.iter_mut().filter(|call| call.slot == slot) {
                call.phase = Phase::Said;
            }
            self.say_waiting(emit);
        }
    }

    /// Says the calls that waited. The last of them stays open, as more of its arguments may come.
    fn say_waiting(&mut self, emit: &mut Emit<'_>) {
        for index in 0..self.calls.len() {
            let more = self.calls.iter().skip(index + 1).any(|call| matches!(call.phase, Phase::Waiting { .. }));
            let Some(call) = self.calls.get_mut(index) else { return };
            let Phase::Waiting { .. } = call.phase else { continue };
            let waited = core::mem::replace(&mut call.phase, Phase::Said);
            let Phase::Waiting { id, name, arguments, signature } = waited else { continue };
            let slot = call.slot;
            self.waiting_bytes = self.waiting_bytes.saturating_sub(arguments.len());
            let id = id.as_deref().map(Text::escaped);
            emit(Event::Open(Block::ToolCall { id, name: Text::escaped(&name) }));
            if let Some(signature) = &signature {
                emit(Event::Signature(Text::escaped(signature)));
            }
            let mut completeness = Completeness::default();
            if !arguments.is_empty() {
                completeness.read(Text::escaped(&arguments));
                emit(Event::Delta(Text::escaped(&arguments)));
            }
            if more && completeness.complete() {
                emit(Event::Close);
                continue;
            }
            call.phase = Phase::Speaking(completeness);
            self.state = State::Open(Inside::Call(slot));
            return;
        }
    }

    fn sign(&mut self, slot: Option<u32>, signature: Text<'_>, emit: &mut Emit<'_>) {
        let Some(slot) = slot else {
            // A proof without words: a thought that is not shown.
            if self.state != State::Open(Inside::Thinking) {
                self.open(Inside::Thinking, Block::Thinking, emit);
            }
            return emit(Event::Signature(signature));
        };
        let call = self.calls.iter_mut().find(|call| call.slot == slot);
        match call.map(|call| &mut call.phase) {
            Some(Phase::Speaking(_)) => emit(Event::Signature(signature)),
            Some(Phase::Waiting { signature: kept, .. }) => *kept = Some(signature.raw().to_string()),
            Some(Phase::Said) | None => {}
        }
    }

    fn call(&mut self, slot: u32, id: Option<Text<'_>>, name: Text<'_>, emit: &mut Emit<'_>) {
        if self.calls.iter().any(|call| call.slot == slot) {
            return;
        }
        if self.calls.len() == MAX_CALLS {
            return self.fail(no_answer("more tool calls than an answer may have"), emit);
        }
        if self.other_call_speaks() {
            let id = id.map(|id| id.raw().to_string());
            let name = name.raw().to_string();
            let phase = Phase::Waiting { id, name, arguments: String::new(), signature: None };
            return self.calls.push(Call { slot, phase });
        }
        self.open(Inside::Call(slot), Block::ToolCall { id, name }, emit);
        self.calls.push(Call { slot, phase: Phase::Speaking(Completeness::default()) });
    }

    /// Whether a call is open whose arguments are not complete, or calls wait for one.
    fn other_call_speaks(&self) -> bool {
        self.calls.iter().any(|call| match &call.phase {
            Phase::Speaking(completeness) => !completeness.complete(),
            Phase::Waiting { .. } => true,
            Phase::Said => false,
        })
    }

    fn arguments(&mut self, slot: u32, fragment: Text<'_>, emit: &mut Emit<'_>) {
        if fragment.is_empty() {
            return;
        }
        let call = self.calls.iter_mut().find(|call| call.slot == slot);
        match call.map(|call| &mut call.phase) {
            Some(Phase::Speaking(completeness)) => {
                completeness.read(fragment);
                emit(Event::Delta(fragment));
            }
            Some(Phase::Waiting { arguments, .. }) => {
                self.waiting_bytes += fragment.raw().len();
                arguments.push_str(fragment.raw());
                if self.waiting_bytes > MAX_WAITING {
                    self.fail(no_answer("the arguments of interleaved tool calls are too large"), emit);
                }
            }
            Some(Phase::Said) | None => self.fail(no_answer("arguments of a tool call that is not open"), emit),
        }
    }

    fn other(&mut self, json: Json<'_>, emit: &mut Emit<'_>) {
        self.start(None, None, emit);
        self.close_all(emit);
        emit(Event::Open(Block::Other(json)));
        emit(Event::Close);
    }

    /// Closes the open block and every call that waited for it.
    fn close_all(&mut self, emit: &mut Emit<'_>) {
        while let State::Open(_) = self.state {
            self.close(emit);
        }
    }

    fn complete(&mut self, emit: &mut Emit<'_>) {
        self.start(None, None, emit);
        self.close_all(emit);
        if self.usage.is_reported() {
            emit(Event::Usage(self.usage));
        }
        let (reason, sequence) = self.stop.take().unwrap_or((StopReason::End, None));
        // Some dialects have no reason of their own for "waits for tool results".
        let reason = match reason {
            StopReason::End if !self.calls.is_empty() => StopReason::ToolCalls,
            other => other,
        };
        self.state = State::Ended;
        emit(Event::Stop(Stop { reason, sequence: sequence.as_deref().map(Text::escaped) }));
    }

    fn fail(&mut self, error: ProviderError, emit: &mut Emit<'_>) {
        self.start(None, None, emit);
        self.close_all(emit);
        if self.usage.is_reported() {
            emit(Event::Usage(self.usage));
        }
        self.state = State::Ended;
        emit(Event::Error(error));
    }
}

fn no_answer(message: &str) -> ProviderError {
    ProviderError { class: ErrorClass::BadAnswer, message: message.into(), ..ProviderError::default() }
}

/// Tells, fragment by fragment, whether the JSON text of some arguments is complete: every bracket closed.
#[derive(Debug, Default)]
struct Completeness {
    place: Brackets,
    begun: bool,
    /// A backslash of the outer escape was the last byte of the fragment before.
    half: bool,
}

impl Completeness {
    fn complete(&self) -> bool {
        self.begun && self.place.depth() == 0 && !self.place.in_string()
    }

    /// Reads escaped text: `\"` is a quote of the inner text, `\\` its backslash, other escapes are no structure.
    fn read(&mut self, fragment: Text<'_>) {
        for byte in fragment.raw().bytes() {
            if self.half {
                self.half = false;
                match byte {
                    b'"' => self.inner(b'"'),
                    b'\\' => self.inner(b'\\'),
                    _ => self.inner(b' '),
                }
            } else if byte == b'\\' {
                self.half = true;
            } else {
                self.inner(byte);
            }
        }
    }

    fn inner(&mut self, byte: u8) {
        self.place.step(byte);
        self.begun |= self.place.depth() > 0;
    }
}

#[cfg(test)]
mod tests;
