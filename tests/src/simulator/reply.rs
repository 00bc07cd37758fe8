//! One answer: what it says, how its bytes are cut, and where it goes wrong.

use std::time::Duration;

use serde_json::Value;

use super::persona::Dialect;

/// A reset overtakes bytes still on their way; this long is given to what was sent before it.
pub(super) const DEPARTURE: Duration = Duration::from_millis(20);

/// How long to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// This long.
    For(Duration),
    /// Until the other side goes away.
    Forever,
}

/// How an HTTP/1.1 body is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// `transfer-encoding: chunked`; one chunk per piece.
    Chunked,
    /// A true `content-length`.
    Length,
    /// A `content-length` that may be a lie.
    Declared(usize),
    /// Neither; the end of the connection is the end of the body.
    UntilClose,
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing more is sent for this long; after it the answer goes on.
    Stall(Wait),
    /// The connection is closed in order (FIN).
    Cut,
    /// The connection is reset (RST; on HTTP/2 the stream is).
    Reset,
    /// These bytes are sent and the body ends in order, as if nothing more had been to say.
    EndWith(Vec<u8>),
}

/// Where it goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    BeforeHead,
    /// After this many body bytes; 0 is right after the head.
    Byte(usize),
    /// After this many pieces of the persona's answer: its streamed events.
    Piece(usize),
}

/// Where the bytes come from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// The persona answers the request.
    Persona,
    /// This head and body.
    Fixed { status: u16, headers: Vec<(String, Vec<u8>)>, body: Vec<u8> },
    /// These bytes are the whole answer, head and framing included (HTTP/1.1 only).
    Raw(Vec<u8>),
}

/// How the body is cut into writes.
#[derive(Clone, Debug)]
pub(super) enum Cuts {
    /// As the source made them: one piece for a whole body, one per event for a persona's stream.
    AsMade,
    /// At these offsets.
    At(Vec<usize>),
    /// Every so many bytes.
    Every(usize),
}

/// One answer. Start with what it says, add how it misbehaves.
///
/// ```
/// use dragoman_tests::simulator::{Fault, Reply};
///
/// let cut_stream = Reply::persona().after_pieces(3, Fault::Cut);
/// let refused = Reply::status(429).header("retry-after", "1.5");
/// # let _ = (cut_stream, refused);
/// ```
#[derive(Clone, Debug)]
pub struct Reply {
    pub(super) source: Source,
    pub(super) framing: Option<Framing>,
    pub(super) cuts: Cuts,
    pub(super) between: Duration,
    pub(super) fault: Option<(Place, Fault)>,
}

impl Reply {
    /// What the persona answers.
    pub fn persona() -> Self {
        Self::from_source(Source::Persona)
    }

    /// A status with an empty body.
    pub fn status(status: u16) -> Self {
        Self::from_source(Source::Fixed { status, headers: Vec::new(), body: Vec::new() })
    }

    /// A status with a JSON body.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::status(status).header("content-type", "application/json").body(body.to_string())
    }

    /// A 200 event stream with this body, delimited by chunks.
    pub fn event_stream(body: impl Into<Vec<u8>>) -> Self {
        Self::status(200).header("content-type", "text/event-stream").body(body).framing(Framing::Chunked)
    }

    /// A 200 stream of this dialect with this body, delimited by chunks.
    pub fn stream_of(dialect: Dialect, body: impl Into<Vec<u8>>) -> Self {
        Self::status(200).header("content-type", dialect.stream_type()).body(body).framing(Framing::Chunked)
    }

    /// These very bytes, head and framing included; the connection is closed after them.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self::from_source(Source::Raw(bytes.into()))
    }

    /// No answer at all: the request is read and nothing comes for this long, then the persona answers.
    pub fn silence(wait: Wait) -> Self {
        Self::persona().before_head(Fault::Stall(wait))
    }

    /// The connection is reset once the request was read, before any answer.
    pub fn reset() -> Self {
        Self::persona().before_head(Fault::Reset)
    }

    /// The connection is closed once the request was read, before any answer.
    pub fn hang_up() -> Self {
        Self::persona().before_head(Fault::Cut)
    }

    fn from_source(source: Source) -> Self {
        Self { source, framing: None, cuts: Cuts::AsMade, between: Duration::ZERO, fault: None }
    }

    /// Adds a header; the persona's and raw answers keep theirs and ignore it.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        if let Source::Fixed { headers, .. } = &mut self.source {
            headers.push((name.to_owned(), value.as_ref().to_vec()));
        }
        self
    }

    /// Sets the body; the persona's and raw answers keep theirs and ignore it.
    pub fn body(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        if let Source::Fixed { body, .. } = &mut self.source {
            *body = bytes.into();
        }
        self
    }

    /// How the body is delimited; otherwise event streams by chunks, the rest by its length.
    pub fn framing(self, framing: Framing) -> Self {
        Self { framing: Some(framing), ..self }
    }

    /// Cuts the body at these offsets, whatever its events are.
    pub fn cut_at(self, offsets: impl Into<Vec<usize>>) -> Self {
        Self { cuts: Cuts::At(offsets.into()), ..self }
    }

    /// Cuts the body every `bytes` bytes; 0 counts as 1.
    pub fn cut_every(self, bytes: usize) -> Self {
        Self { cuts: Cuts::Every(bytes.max(1)), ..self }
    }

    /// Waits between the pieces.
    pub fn pause_between(self, pause: Duration) -> Self {
        Self { between: pause, ..self }
    }

    /// Goes wrong before the head.
    pub fn before_head(self, fault: Fault) -> Self {
        Self { fault: Some((Place::BeforeHead, fault)), ..self }
    }

    /// Goes wrong after this many body bytes; 0 is right after the head.
    pub fn after_bytes(self, bytes: usize, fault: Fault) -> Self {
        Self { fault: Some((Place::Byte(bytes), fault)), ..self }
    }

    /// Goes wrong after this many pieces, which for the persona's streams are events.
    pub fn after_pieces(self, pieces: usize, fault: Fault) -> Self {
        Self { fault: Some((Place::Piece(pieces), fault)), ..self }
    }
}
