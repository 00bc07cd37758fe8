//! Amazon's binary event streams (`application/vnd.amazon.eventstream`).
//!
//! ```text
//! ┌───────────────┬────────────────┬─────────────┬─────────┬─────────┬─────────────┐
//! │ total length  │ headers length │ CRC32 of    │ headers │ payload │ CRC32 of    │
//! │ u32           │ u32            │ these 8     │         │         │ all before  │
//! └───────────────┴────────────────┴─────────────┴─────────┴─────────┴─────────────┘
//! header: name length u8, name, kind u8, value (7 = string: length u16, bytes); all numbers big-endian
//! ```
//!
//! ```
//! use dragoman_core::framing::{EventStream, event_stream::crc32};
//! let headers = b"\x0b:event-type\x07\x00\x04ping";
//! let mut frame = ((16 + headers.len() + 2) as u32).to_be_bytes().to_vec();
//! frame.extend((headers.len() as u32).to_be_bytes());
//! frame.extend(crc32(&frame).to_be_bytes());
//! frame.extend(headers);
//! frame.extend(b"{}");
//! frame.extend(crc32(&frame).to_be_bytes());
//!
//! let (mut stream, mut events) = (EventStream::default(), Vec::new());
//! for chunk in frame.chunks(5) {
//!     stream.push(chunk, &mut |name, data| events.push((name.to_string(), data.to_vec()))).unwrap();
//! }
//! assert_eq!(events, [("ping".to_string(), b"{}".to_vec())]);
//! assert!(stream.is_clean());
//! ```
//!
//! **Names.** An event is called by its `:event-type`. What the service calls an exception or an error comes as [`FAILURE`]
//! and its `:exception-type` or `:error-code`: `!throttlingException`. An error has no payload; its `:error-message` stands
//! in for it.
//!
//! **Trust.** Both checksums are checked before anything is handed out, and nothing is reserved for bytes that have not come.
//! After the first mistake there is no way to find the next frame, so the stream stays [`Broken`].
//!
//! **Limits.** [`MAX_FRAME`] bytes a frame, [`MAX_HEADERS`] of them headers.
//!
//! The facts are the vendor's: "Amazon event stream" in the Smithy specification, held against recorded frames.

use super::MAX_FRAME;

/// Most bytes of headers in a frame, as the format's own libraries have it. Real ones are below 100.
pub const MAX_HEADERS: usize = 128 << 10;

/// What stands before the name of an exception or an error.
pub const FAILURE: &str = "!";

/// The two lengths and their checksum.
const PRELUDE: usize = 12;

/// A frame without headers and payload: the prelude and the last checksum.
const LEAST: usize = PRELUDE + 4;

/// The header value that is a string.
const STRING: u8 = 7;

/// Where events go: their name and their payload.
pub type Each<'e> = dyn FnMut(&str, &[u8]) + 'e;

/// Why no further frame can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// A frame, or the headers of one, larger than the limits.
    TooLarge,
    /// Lengths that no frame can have.
    Lengths,
    /// A checksum that is not that of the bytes.
    Checksum,
    /// Headers that cannot be taken apart.
    Headers,
}

/// What is known of an unfinished frame.
#[derive(Debug, Default)]
pub struct EventStream {
    held: Vec<u8>,
    broken: Option<Broken>,
}

impl EventStream {
    /// Takes the next bytes and gives out the events that they complete. After an error there are no more.
    pub fn push(&mut self, chunk: &[u8], each: &mut Each<'_>) -> Result<(), Broken> {
        let done = match self.broken {
            Some(broken) => Err(broken),
            None => self.take(chunk, each),
        };
        if let Err(broken) = done {
            self.broken = Some(broken);
            self.held = Vec::new();
        }
        done
    }

    /// Whether the bytes so far end with a whole frame.
    pub fn is_clean(&self) -> bool {
        self.held.is_empty() && self.broken.is_none()
    }

    fn take(&mut self, mut chunk: &[u8], each: &mut Each<'_>) -> Result<(), Broken> {
        loop {
            if self.held.is_empty() {
                // Whole frames are read where they are.
                chunk = frames(chunk, each)?;
                self.held.extend_from_slice(chunk);
                return Ok(());
            }
            let wanted = match lengths(&self.held)? {
                Some(lengths) => lengths.total,
                None => PRELUDE,
            };
            let (more, rest) = chunk.split_at(chunk.len().min(wanted.saturating_sub(self.held.len())));
            self.held.extend_from_slice(more);
            chunk = rest;
            if self.held.len() < wanted {
                return Ok(());
            }
            if wanted > PRELUDE {
                frames(&self.held, each)?;
                // Keeps the room for the next frame.
                self.held.clear();
            } else if chunk.is_empty() {
                // The prelude is whole and nothing is behind it; a bad one is told now rather than later.
                return lengths(&self.held).map(|_| ());
            }
        }
    }
}

/// Gives out the whole frames at the start of `bytes`, and gives back what is behind them.
fn frames<'b>(mut bytes: &'b [u8], each: &mut Each<'_>) -> Result<&'b [u8], Broken> {
    while let Some(Lengths { total, headers }) = lengths(bytes)? {
        let Some((frame, rest)) = bytes.split_at_checked(total) else { break };
        let (checked, checksum) = frame.split_at(total - 4);
        if number(checksum) != crc32(checked) {
            return Err(Broken::Checksum);
        }
        let (headers, payload) = checked.split_at(PRELUDE + headers);
        event(headers.get(PRELUDE..).unwrap_or_default(), payload, each)?;
        bytes = rest;
    }
    Ok(bytes)
}

/// What a prelude says.
struct Lengths {
    total: usize,
    headers: usize,
}

/// The lengths of the frame that begins here; `None` when its prelude is not whole.
fn lengths(bytes: &[u8]) -> Result<Option<Lengths>, Broken> {
    let Some((prelude, _)) = bytes.split_at_checked(PRELUDE) else { return Ok(None) };
    let (lengths, checksum) = prelude.split_at(8);
    if number(checksum) != crc32(lengths) {
        return Err(Broken::Checksum);
    }
    let (total, headers) = lengths.split_at(4);
    let (total, headers) = (number(total) as usize, number(headers) as usize);
    if total > MAX_FRAME || headers > MAX_HEADERS {
        return Err(Broken::TooLarge);
    }
    match total >= LEAST + headers {
        true => Ok(Some(Lengths { total, headers })),
        false => Err(Broken::Lengths),
    }
}

/// What of a frame's headers matters.
#[derive(Default)]
struct Headers<'b> {
    message: &'b str,
    event: &'b str,
    exception: &'b str,
    code: &'b str,
    reason: &'b str,
}

fn event(headers: &[u8], payload: &[u8], each: &mut Each<'_>) -> Result<(), Broken> {
    let headers = read_headers(headers)?;
    match headers.message {
        "exception" => each(&format!("{FAILURE}{}", headers.exception), payload),
        "error" if payload.is_empty() => each(&format!("{FAILURE}{}", headers.code), headers.reason.as_bytes()),
        "error" => each(&format!("{FAILURE}{}", headers.code), payload),
        _ => each(headers.event, payload),
    }
    Ok(())
}

fn read_headers(mut bytes: &[u8]) -> Result<Headers<'_>, Broken> {
    let mut headers = Headers::default();
    while let Some((&length, rest)) = bytes.split_first() {
        let (name, rest) = rest.split_at_checked(usize::from(length)).ok_or(Broken::Headers)?;
        let (&kind, rest) = rest.split_first().ok_or(Broken::Headers)?;
        let (value, rest) = header_value(kind, rest).ok_or(Broken::Headers)?;
        bytes = rest;
        let place = match name {
            b":message-type" => &mut headers.message,
            b":event-type" => &mut headers.event,
            b":exception-type" => &mut headers.exception,
            b":error-code" => &mut headers.code,
            b":error-message" => &mut headers.reason,
            // `:content-type`, and what the service may add.
            _ => continue,
        };
        if kind != STRING {
            return Err(Broken::Headers);
        }
        *place = core::str::from_utf8(value).map_err(|_| Broken::Headers)?;
    }
    Ok(headers)
}

/// A header's value, and what is behind it.
fn header_value(kind: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = match kind {
        // True and false.
        0 | 1 => 0,
        // Numbers of one, two, four and eight bytes; a time; a UUID.
        2 => 1,
        3 => 2,
        4 => 4,
        5 | 8 => 8,
        9 => 16,
        // Bytes and strings say how long they are.
        6 | STRING => {
            let (length, rest) = bytes.split_first_chunk::<2>()?;
            return rest.split_at_checked(usize::from(u16::from_be_bytes(*length)));
        }
        _ => return None,
    };
    bytes.split_at_checked(length)
}

/// The big-endian number that four bytes are.
fn number(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |number, byte| (number << 8) | u32::from(*byte))
}

/// The checksum of the format: CRC-32 as in Ethernet and gzip.
///
/// Of our own, because it is short: the crate for it brings features of the processor and the standard library along, and a
/// frame is a few hundred bytes.
pub fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        let place = (crc ^ u32::from(*byte)) & 0xff;
        TABLE.get(place as usize).copied().unwrap_or_default() ^ (crc >> 8)
    };
    !bytes.iter().fold(!0, step)
}

/// What eight steps of the division by the reflected polynomial make of a byte.
static TABLE: [u32; 256] = table();

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut rest: &mut [u32] = &mut table;
    let mut byte = 0;
    while let Some((entry, behind)) = rest.split_first_mut() {
        *entry = divided(byte);
        byte += 1;
        rest = behind;
    }
    table
}

const fn divided(byte: u32) -> u32 {
    let (mut crc, mut bit) = (byte, 0);
    while bit < 8 {
        crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        bit += 1;
    }
    crc
}

#[cfg(test)]
mod tests;
