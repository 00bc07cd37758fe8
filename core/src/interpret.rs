//! A provider's answer read in its dialect and said in the client's: framer, reader, sequencer and writer in a row.
//!
//! ```
//! use dragoman_core::catalog::DialectId;
//! use dragoman_core::dialect::{self, Aliases, Reply};
//! use dragoman_core::hub::{Delivery, Request};
//! use dragoman_core::interpret::{Framing, Interpreter, Progress};
//! let (client, provider) = (DialectId::Messages, DialectId::ChatCompletions);
//! let request = Request::new(client, Delivery::Whole);
//! let reply = Reply { delivery: Delivery::Whole, exchange: "x1".into(), created: 0, model: "m".into() };
//! let writer = dialect::client(client).writer(&request, reply);
//! let reader = dialect::of(provider).reader(Aliases::default());
//! let mut interpreter = Interpreter::new(Framing::Whole, reader, writer, Delivery::Whole, None);
//! let answer = br#"{"choices":[{"message":{"content":"hello"},"finish_reason":"stop"}]}"#;
//! assert_eq!(interpreter.feed(answer, true), Progress::Complete);
//! assert!(String::from_utf8(interpreter.take()).unwrap().contains(r#""text":"hello""#));
//! ```

mod closing;

use crate::dialect::{Frame, ReadResponse, WriteResponse};
use crate::estimate::Ink;
use crate::framing::{EventStream, JsonArray, MAX_FRAME, Sse};
use crate::hub::event::{Block, ErrorClass, Event, Piece, ProviderError};
use crate::hub::{Delivery, Sequencer, provenance};
use crate::json::{Document, Text};
use crate::usage::Usage;
use closing::Closing;

/// How a provider frames its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// One JSON document.
    Whole,
    /// Server-sent events.
    Sse,
    /// The items of a JSON array.
    Array,
    /// Messages of an AWS event stream.
    EventStream,
}

impl Framing {
    /// Told by the content type; where that says JSON, by what was asked for.
    pub fn of(content_type: &str, delivery: Delivery) -> Framing {
        let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match (kind.as_str(), delivery) {
            ("text/event-stream", _) => Framing::Sse,
            ("application/vnd.amazon.eventstream", _) => Framing::EventStream,
            (_, Delivery::StreamedArray) => Framing::Array,
            _ => Framing::Whole,
        }
    }

    /// Whether an answer so framed is what the client asked for.
    pub fn delivers(self, delivery: Delivery) -> bool {
        matches!(
            (self, delivery),
            (Framing::Whole, Delivery::Whole)
                | (Framing::Sse, Delivery::Streamed)
                | (Framing::Array, Delivery::StreamedArray)
        )
    }
}

/// The content type of an answer to the client.
pub fn content_type(delivery: Delivery) -> &'static str {
    match delivery {
        Delivery::Whole | Delivery::StreamedArray => "application/json",
        Delivery::Streamed => "text/event-stream",
    }
}

#[derive(Debug)]
enum Framer {
    Whole(Vec<u8>),
    Sse(Sse),
    Array(JsonArray),
    EventStream(EventStream),
}

/// How far an answer has come.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// More is to come.
    Open,
    /// It ended well.
    Complete,
    /// It ended badly.
    Failed(ProviderError),
}

/// Framer, reader, sequencer and writer of one answer.
pub struct Interpreter {
    framer: Framer,
    reader: Box<dyn ReadResponse>,
    voice: Voice,
}

/// The half that speaks: it is lent to the framer's callback while the reader reads.
struct Voice {
    sequencer: Sequencer,
    closing: Closing,
    speech: Speech,
    /// What was heard so far, for when nobody counts it.
    ink: Ink,
    call_tokens: u64,
}

/// What becomes of events.
struct Speech {
    writer: Box<dyn WriteResponse>,
    delivery: Delivery,
    out: Vec<u8>,
    open: bool,
    progress: Progress,
    /// What stands before a proof, so that it finds back to its maker; empty in the provider's own dialect.
    mark: String,
    /// The open block's proof, which may come in pieces, with its mark.
    proof: String,
    lost: Vec<&'static str>,
}

impl core::fmt::Debug for Interpreter {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Interpreter").field("progress", &self.voice.speech.progress).finish_non_exhaustive()
    }
}

impl Interpreter {
    /// For one answer. `maker` is the provider's [`crate::catalog::slot`] when it speaks another dialect than the client: its
    /// proofs are marked with it.
    pub fn new(
        framing: Framing,
        reader: Box<dyn ReadResponse>,
        writer: Box<dyn WriteResponse>,
        delivery: Delivery,
        maker: Option<&str>,
    ) -> Interpreter {
        let framer = match framing {
            Framing::Whole => Framer::Whole(Vec::new()),
            Framing::Sse => Framer::Sse(Sse::default()),
            Framing::Array => Framer::Array(JsonArray::default()),
            Framing::EventStream => Framer::EventStream(EventStream::default()),
        };
        let speech = Speech {
            writer,
            delivery,
            out: Vec::new(),
            open: false,
            progress: Progress::Open,
            mark: maker.map(provenance::mark).unwrap_or_default(),
            proof: String::new(),
            lost: Vec::new(),
        };
        let voice = Voice {
            sequencer: Sequencer::new(),
            closing: Closing::Silent,
            speech,
            ink: Ink::default(),
            call_tokens: 0,
        };
        Interpreter { framer, reader, voice }
    }

    /// The same, counting so many tokens for each call that it hears.
    #[must_use]
    pub fn weighing_calls(mut self, call_tokens: u64) -> Interpreter {
        self.voice.call_tokens = call_tokens;
        self
    }

    /// The same, with this said behind the answer's last words; nothing when it is `None`.
    #[must_use]
    pub fn closing_with(mut self, text: Option<&str>) -> Interpreter {
        self.voice.closing = Closing::with(text);
        self
    }

    /// Takes the next bytes; `ends` with the last ones.
    pub fn feed(&mut self, chunk: &[u8], ends: bool) -> Progress {
        let Interpreter { framer, reader, voice } = self;
        let framed = match framer {
            Framer::Whole(body) => {
                body.extend_from_slice(chunk);
                let length = body.len();
                if ends {
                    voice.whole(reader.as_mut(), core::mem::take(body));
                }
                if length > MAX_FRAME { Err(TOO_LARGE) } else { Ok(()) }
            }
            Framer::Sse(sse) => {
                let mut each = |name: &str, data: &[u8]| voice.event(reader.as_mut(), name, data);
                let framed = sse.push(chunk, &mut each).map_err(|_| TOO_LARGE);
                if ends {
                    sse.finish(&mut each);
                }
                framed
            }
            Framer::Array(array) => {
                array.push(chunk, &mut |item| voice.event(reader.as_mut(), "", item)).map_err(|_| TOO_LARGE)
            }
            Framer::EventStream(stream) => {
                let mut each = |name: &str, data: &[u8]| voice.event(reader.as_mut(), name, data);
                stream.push(chunk, &mut each).map_err(|_| "the provider's event stream is damaged")
            }
        };
        if let Err(what) = framed {
            voice.hear(Piece::Error(broken(what)));
        }
        if ends {
            voice.finish();
        }
        voice.speech.progress.clone()
    }

    /// Whether nothing is said before the last byte.
    pub(crate) fn awaits_end(&self) -> bool {
        matches!(self.framer, Framer::Whole(_))
    }

    /// Whether something may go to the client.
    pub fn is_open(&self) -> bool {
        self.voice.speech.open
    }

    /// What was written since the last call.
    pub fn take(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.voice.speech.out)
    }

    /// The token counts so far.
    pub fn usage(&self) -> Usage {
        self.voice.sequencer.usage()
    }

    /// About how many tokens of output were heard so far, reported or not.
    pub fn output_seen(&self) -> u64 {
        self.voice.ink.output_tokens()
    }

    /// What the provider said so far that the client's dialect has no word for: `citations`, `logprobs`, …
    pub fn lost(&self) -> &[&'static str] {
        &self.voice.speech.lost
    }
}

const TOO_LARGE: &str = "a piece of the provider's answer is too large";

impl Voice {
    fn whole(&mut self, reader: &mut dyn ReadResponse, body: Vec<u8>) {
        match Document::read(body) {
            Ok(document) => {
                reader.read(Frame::Whole(document.json()), &mut |piece| self.hear(piece));
                self.hear(Piece::End);
            }
            Err(_) => self.hear(Piece::Error(broken("the provider's answer is not JSON"))),
        }
    }

    fn event(&mut self, reader: &mut dyn ReadResponse, name: &str, data: &[u8]) {
        match core::str::from_utf8(data) {
            Ok(data) => reader.read(Frame::Event { name, data }, &mut |piece| self.hear(piece)),
            Err(_) => self.hear(Piece::Error(broken("the provider's answer is not UTF-8"))),
        }
    }

    fn hear(&mut self, piece: Piece<'_>) {
        let Voice { sequencer, closing, speech, ink, call_tokens } = self;
        piece.weigh(ink, *call_tokens);
        sequencer.push(piece, &mut |event| closing.pass(&event, &mut |event| speech.say(event)));
    }

    fn finish(&mut self) {
        let Voice { sequencer, closing, speech, .. } = self;
        sequencer.finish(&mut |event| closing.pass(&event, &mut |event| speech.say(event)));
    }
}

impl Speech {
    /// Says one event. A streamed answer opens with its first block or its end; a whole one with its end alone.
    fn say(&mut self, event: &Event<'_>) {
        self.note(event);
        match event {
            Event::Signature(piece) if !self.mark.is_empty() => {
                if self.proof.is_empty() {
                    self.proof.push_str(&self.mark);
                }
                self.proof.push_str(piece.raw());
                return;
            }
            _ if !self.proof.is_empty() => {
                let proof = core::mem::take(&mut self.proof);
                self.writer.write(&Event::Signature(Text::escaped(&proof)), &mut self.out);
            }
            _ => {}
        }
        self.writer.write(event, &mut self.out);
        match (event, self.delivery) {
            // The writer could not keep it all (see `hub::message::MAX_MESSAGE`).
            (Event::Stop(_), Delivery::Whole) if self.out.is_empty() => {
                let message = "the provider's answer is too large to be given whole";
                self.progress = Progress::Failed(broken(message));
            }
            (Event::Stop(_), _) => {
                self.open = true;
                self.progress = Progress::Complete;
            }
            (Event::Error(error), _) => self.progress = Progress::Failed(error.clone()),
            (Event::Open(_), Delivery::Streamed | Delivery::StreamedArray) => self.open = true,
            _ => {}
        }
    }

    fn note(&mut self, event: &Event<'_>) {
        let lost = match event {
            // In its own dialect it is said as it was.
            Event::Open(Block::Other(_)) if !self.mark.is_empty() => "blocks",
            Event::Lost(what) => what,
            _ => return,
        };
        if !self.lost.contains(&lost) {
            self.lost.push(lost);
        }
    }
}

/// An answer that makes no sense.
pub fn broken(message: &str) -> ProviderError {
    ProviderError { class: ErrorClass::BadAnswer, message: message.into(), ..ProviderError::default() }
}
