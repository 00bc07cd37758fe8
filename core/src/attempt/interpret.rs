//! A provider's answer read in its dialect and said in the client's.

use crate::dialect::{Frame, ReadResponse, WriteResponse};
use crate::framing::{JsonArray, MAX_FRAME, Sse};
use crate::hub::event::{ErrorClass, Event, Piece, ProviderError};
use crate::hub::{Delivery, Sequencer};
use crate::json::Json;
use crate::usage::Usage;

/// How a provider frames its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// One JSON document.
    Whole,
    /// Server-sent events.
    Sse,
    /// The items of a JSON array.
    Array,
}

impl Framing {
    /// Told by the content type; where that says JSON, by what was asked for.
    pub(super) fn of(content_type: &str, delivery: Delivery) -> Framing {
        let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match (kind.as_str(), delivery) {
            ("text/event-stream", _) => Framing::Sse,
            (_, Delivery::StreamedArray) => Framing::Array,
            _ => Framing::Whole,
        }
    }

    /// Whether an answer so framed is what the client asked for.
    pub(super) fn delivers(self, delivery: Delivery) -> bool {
        matches!(
            (self, delivery),
            (Framing::Whole, Delivery::Whole)
                | (Framing::Sse, Delivery::Streamed)
                | (Framing::Array, Delivery::StreamedArray)
        )
    }
}

/// The content type of an answer to the client.
pub(super) fn content_type(delivery: Delivery) -> &'static str {
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
}

/// How far an answer has come.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Progress {
    /// More is to come.
    Open,
    /// It ended well.
    Complete,
    /// It ended badly.
    Failed(ProviderError),
}

/// Framer, reader, sequencer and writer of one answer.
pub(super) struct Interpreter {
    framer: Framer,
    reader: Box<dyn ReadResponse>,
    voice: Voice,
}

/// The half that speaks: it is lent to the framer's callback while the reader reads.
struct Voice {
    sequencer: Sequencer,
    writer: Box<dyn WriteResponse>,
    delivery: Delivery,
    out: Vec<u8>,
    open: bool,
    progress: Progress,
}

impl core::fmt::Debug for Interpreter {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Interpreter").field("progress", &self.voice.progress).finish_non_exhaustive()
    }
}

impl Interpreter {
    pub(super) fn new(
        framing: Framing,
        reader: Box<dyn ReadResponse>,
        writer: Box<dyn WriteResponse>,
        delivery: Delivery,
    ) -> Interpreter {
        let framer = match framing {
            Framing::Whole => Framer::Whole(Vec::new()),
            Framing::Sse => Framer::Sse(Sse::default()),
            Framing::Array => Framer::Array(JsonArray::default()),
        };
        let (sequencer, progress) = (Sequencer::new(), Progress::Open);
        Interpreter {
            framer,
            reader,
            voice: Voice { sequencer, writer, delivery, out: Vec::new(), open: false, progress },
        }
    }

    /// Takes the next bytes; `ends` with the last ones.
    pub(super) fn feed(&mut self, chunk: &[u8], ends: bool) -> Progress {
        let Interpreter { framer, reader, voice } = self;
        let framed = match framer {
            Framer::Whole(body) => {
                body.extend_from_slice(chunk);
                if ends {
                    voice.whole(reader.as_mut(), body);
                }
                if body.len() > MAX_FRAME { Err(crate::framing::TooLarge) } else { Ok(()) }
            }
            Framer::Sse(sse) => {
                let mut each = |name: &str, data: &[u8]| voice.event(reader.as_mut(), name, data);
                let framed = sse.push(chunk, &mut each);
                if ends {
                    sse.finish(&mut each);
                }
                framed
            }
            Framer::Array(array) => array.push(chunk, &mut |item| voice.event(reader.as_mut(), "", item)),
        };
        if framed.is_err() {
            voice.hear(Piece::Error(broken("a piece of the provider's answer is too large")));
        }
        if ends {
            voice.finish();
        }
        voice.progress.clone()
    }

    /// Whether something may go to the client.
    pub(super) fn is_open(&self) -> bool {
        self.voice.open
    }

    /// What was written since the last call.
    pub(super) fn take(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.voice.out)
    }

    pub(super) fn usage(&self) -> Usage {
        self.voice.sequencer.usage()
    }
}

impl Voice {
    fn whole(&mut self, reader: &mut dyn ReadResponse, body: &[u8]) {
        match Json::parse(body) {
            Ok(json) => {
                reader.read(Frame::Whole(json), &mut |piece| self.hear(piece));
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
        let Voice { sequencer, writer, delivery, out, open, progress } = self;
        sequencer.push(piece, &mut |event| say(event, writer.as_mut(), *delivery, out, open, progress));
    }

    fn finish(&mut self) {
        let Voice { sequencer, writer, delivery, out, open, progress } = self;
        sequencer.finish(&mut |event| say(event, writer.as_mut(), *delivery, out, open, progress));
    }
}

/// Says one event. A streamed answer opens with its first block or its end; a whole one with its end alone.
fn say(
    event: Event<'_>,
    writer: &mut dyn WriteResponse,
    delivery: Delivery,
    out: &mut Vec<u8>,
    open: &mut bool,
    progress: &mut Progress,
) {
    writer.write(&event, out);
    match (&event, delivery) {
        // The writer could not keep it all (see `hub::message::MAX_MESSAGE`).
        (Event::Stop(_), Delivery::Whole) if out.is_empty() => {
            *progress = Progress::Failed(broken("the provider's answer is too large to be given whole"));
        }
        (Event::Stop(_), _) => {
            *open = true;
            *progress = Progress::Complete;
        }
        (Event::Error(error), _) => *progress = Progress::Failed(error.clone()),
        (Event::Open(_), Delivery::Streamed | Delivery::StreamedArray) => *open = true,
        _ => {}
    }
}

pub(super) fn broken(message: &str) -> ProviderError {
    ProviderError { class: ErrorClass::BadAnswer, message: message.into(), ..ProviderError::default() }
}
