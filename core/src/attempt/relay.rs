//! An answer in the client's own dialect: the very bytes pass, and are only looked at.
//!
//! Before the first event the bytes are held and read, to tell an answer from an error inside a 200. Afterwards the tap
//! frames by lines and looks into a frame only when it mentions usage; it cannot fail, and it never changes a byte. One thing
//! may be added at the end: the dialect's error event when the stream was cut, for a cut stream must not look complete.

use super::settle::Counted;
use crate::dialect::{Aliases, Dialect, Frame, ReadResponse};
use crate::estimate::Ink;
use crate::framing::{JsonArray, MAX_FRAME, Sse};
use crate::hub::event::{Piece, ProviderError};
use crate::interpret::{Framing, broken};
use crate::json::{Document, Json};
use crate::usage::Usage;

/// What the held bytes say.
#[derive(Debug, PartialEq)]
pub(super) enum Seen {
    /// Nothing yet.
    Nothing,
    /// The answer has begun.
    FirstEvent,
    /// It is none.
    Failure(ProviderError),
}

/// The tap on a relayed answer.
pub(super) struct Relay {
    dialect: &'static dyn Dialect,
    framer: Framer,
    held: Vec<u8>,
    tap: Tap,
}

#[derive(Debug)]
enum Framer {
    Whole,
    Sse(Sse),
    Array(JsonArray),
    /// A frame too large to look into: the bytes pass, nothing is known of them.
    Blind,
}

/// What is known of the answer.
#[derive(Default)]
struct Tap {
    usage: Usage,
    /// What was said so far, for when nobody counts it.
    ink: Ink,
    complete: bool,
    /// Reads until the first event; then it has done its work.
    reader: Option<Box<dyn ReadResponse>>,
    begun: bool,
    error: Option<ProviderError>,
}

impl core::fmt::Debug for Relay {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Relay").field("held", &self.held.len()).finish_non_exhaustive()
    }
}

impl Relay {
    /// For one answer. `reader` tells an answer from an error; without one everything is an answer.
    pub(super) fn new(dialect: &'static dyn Dialect, framing: Framing, reader: Option<Box<dyn ReadResponse>>) -> Relay {
        let framer = match framing {
            Framing::Whole => Framer::Whole,
            Framing::Sse => Framer::Sse(Sse::default()),
            Framing::Array => Framer::Array(JsonArray::default()),
            // No client speaks a dialect that comes so.
            Framing::EventStream => Framer::Blind,
        };
        let tap = Tap { reader, ..Tap::default() };
        Relay { dialect, framer, held: Vec::new(), tap }
    }

    /// For bytes that nobody understands, such as sound.
    pub(super) fn blind(dialect: &'static dyn Dialect) -> Relay {
        let tap = Tap { complete: true, begun: true, ..Tap::default() };
        Relay { dialect, framer: Framer::Blind, held: Vec::new(), tap }
    }

    /// Takes bytes that must not pass yet.
    pub(super) fn hold(&mut self, chunk: &[u8], ends: bool) -> Seen {
        self.held.extend_from_slice(chunk);
        if self.held.len() > MAX_FRAME {
            return Seen::Failure(broken("the provider's answer is too large"));
        }
        if let Framer::Whole = self.framer {
            return if ends { self.whole() } else { Seen::Nothing };
        }
        self.look(chunk);
        if ends && let Framer::Sse(sse) = &mut self.framer {
            sse.finish(&mut |name, data| self.tap.event(self.dialect, name, data));
        }
        match &self.tap.error {
            Some(error) if !self.tap.begun => Seen::Failure(error.clone()),
            _ if self.tap.begun => Seen::FirstEvent,
            _ if ends => Seen::Failure(broken("the provider's answer was empty")),
            _ => Seen::Nothing,
        }
    }

    /// A whole body: an answer if it is JSON of the dialect that is not an error.
    fn whole(&mut self) -> Seen {
        let Ok(document) = Document::read(core::mem::take(&mut self.held)) else {
            return Seen::Failure(broken("the provider's answer is not JSON"));
        };
        let call_tokens = self.dialect.usage().said.call_tokens;
        match self.tap.reader.take() {
            // It comes upon the counts on its way: they need no look of their own.
            Some(mut reader) => reader.read(Frame::Whole(document.json()), &mut |piece| {
                if let Piece::Usage(usage) = piece {
                    self.tap.usage.update(usage);
                }
                piece.weigh(&mut self.tap.ink, call_tokens);
                self.tap.hear(&piece);
            }),
            None => self.tap.usage.update(self.dialect.usage().read(document.json())),
        }
        self.held = document.into_bytes();
        self.tap.complete = true;
        match self.tap.error.take() {
            Some(error) => Seen::Failure(error),
            None => Seen::FirstEvent,
        }
    }

    /// Whether nothing is decided before the last byte.
    pub(super) fn awaits_end(&self) -> bool {
        matches!(self.framer, Framer::Whole)
    }

    /// The bytes that were held; from now on they pass.
    pub(super) fn release(&mut self) -> Vec<u8> {
        self.tap.reader = None;
        core::mem::take(&mut self.held)
    }

    /// Looks at bytes that pass.
    pub(super) fn look(&mut self, chunk: &[u8]) {
        let Relay { dialect, framer, tap, .. } = self;
        let framed = match framer {
            Framer::Sse(sse) => sse.push(chunk, &mut |name, data| tap.event(*dialect, name, data)),
            Framer::Array(array) => {
                let framed = array.push(chunk, &mut |item| tap.event(*dialect, "", item));
                tap.complete |= array.is_closed();
                framed
            }
            Framer::Whole | Framer::Blind => Ok(()),
        };
        if framed.is_err() {
            // Relay fails open: the bytes are right whatever the tap makes of them.
            tap.complete = true;
            *framer = Framer::Blind;
        }
    }

    /// The bytes have ended: why the answer is not complete, if it is not.
    pub(super) fn finish(&mut self) -> Option<ProviderError> {
        let Relay { dialect, framer, tap, .. } = self;
        if let Framer::Sse(sse) = framer
            && !sse.is_clean()
        {
            // What was cut off within its words says nothing, whichever words it had.
            sse.finish(&mut |name, data| {
                let is_whole = data.trim_ascii() == b"[DONE]" || Json::parse(data).is_ok();
                if is_whole {
                    tap.event(*dialect, name, data);
                }
            });
        }
        match (&self.tap.error, self.tap.complete) {
            (Some(error), _) => Some(error.clone()),
            (None, true) => None,
            (None, false) => Some(broken("the provider's answer was cut off before its end")),
        }
    }

    /// Whether the provider itself has told the client of the error.
    pub(super) fn was_told(&self) -> bool {
        self.tap.error.is_some()
    }

    /// What must stand between a cut event and one of our own.
    pub(super) fn gap(&self) -> &'static [u8] {
        match &self.framer {
            Framer::Sse(_) => b"\n\n",
            _ => b"",
        }
    }

    pub(super) fn counted(&self) -> Counted {
        Counted { usage: self.tap.usage, seen: self.tap.ink.output_tokens() }
    }
}

impl Tap {
    fn event(&mut self, dialect: &dyn Dialect, name: &str, data: &[u8]) {
        let Ok(text) = core::str::from_utf8(data) else { return };
        if let Some(mut reader) = self.reader.take() {
            reader.read(Frame::Event { name, data: text }, &mut |piece| self.hear(&piece));
            self.reader = Some(reader);
        } else if name == "error" || text.starts_with("{\"error\"") {
            // Once the answer has begun, only what looks like an error is read.
            dialect.reader(Aliases::default()).read(Frame::Event { name, data: text }, &mut |piece| {
                if let Piece::Error(error) = piece {
                    self.error = Some(error);
                }
            });
        }
        self.complete |= dialect.is_end(name, text);
        let table = dialect.usage();
        self.ink.spoken(text, &table.said);
        if memchr::memmem::find(data, table.marker.as_bytes()).is_some()
            && let Ok(json) = Json::parse(data)
        {
            self.usage.update(table.read(json));
        }
    }

    fn hear(&mut self, piece: &Piece<'_>) {
        match piece {
            Piece::Error(error) => {
                self.error.get_or_insert_with(|| error.clone());
            }
            Piece::Later => (self.begun, self.complete) = (true, true),
            Piece::Start { .. } | Piece::Usage(_) | Piece::EndBlock => {}
            Piece::Text(text) | Piece::Thinking(text) | Piece::Refusal(text) if text.is_empty() => {}
            _ => self.begun = true,
        }
    }
}
