//! Amazon's binary event streams, written and read, with both checksums.
//!
//! ```
//! use dragoman_tests::simulator::persona::event_stream::{frame, frames};
//! let frame = frame(&[(":event-type", "ping"), (":message-type", "event")], b"{}");
//! assert_eq!(frames(&frame)?[0].header(":event-type"), Some("ping"));
//! assert!(frames(&frame[1..]).is_err());
//! # anyhow::Ok(())
//! ```
//!
//! Why our own once more: what is under test must not be held against itself. The checksum is the one of the `crc` crate.
//! Limits: headers are strings, the only kind that these services send.

use anyhow::{Context as _, ensure};

const CHECKSUM: crc::Crc<u32> = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC);

/// The two lengths and their checksum.
const PRELUDE: usize = 12;

/// The header value that is a string.
const STRING: u8 = 7;

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// What it carries.
    pub payload: Vec<u8>,
}

impl Frame {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|header| header.0 == name).map(|header| header.1.as_str())
    }
}

/// A frame as it goes over the wire.
pub fn frame(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in headers {
        block.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        block.extend_from_slice(name.as_bytes());
        block.push(STRING);
        block.extend_from_slice(&u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
        block.extend_from_slice(value.as_bytes());
    }
    let number = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    let mut frame = number(PRELUDE + block.len() + payload.len() + 4).to_vec();
    frame.extend_from_slice(&number(block.len()));
    frame.extend_from_slice(&CHECKSUM.checksum(&frame).to_be_bytes());
    frame.extend_from_slice(&block);
    frame.extend_from_slice(payload);
    frame.extend_from_slice(&CHECKSUM.checksum(&frame).to_be_bytes());
    frame
}

/// An event of a service, with the headers it gives to all of them.
pub fn event(name: &str, payload: &str) -> Vec<u8> {
    let headers = [(":event-type", name), (":content-type", "application/json"), (":message-type", "event")];
    frame(&headers, payload.as_bytes())
}

/// An exception of a service in the middle of a stream.
pub fn exception(name: &str, payload: &str) -> Vec<u8> {
    let headers = [(":exception-type", name), (":content-type", "application/json"), (":message-type", "exception")];
    frame(&headers, payload.as_bytes())
}

/// The frames that these bytes are; an error when they are anything else or end early.
pub fn frames(bytes: &[u8]) -> anyhow::Result<Vec<Frame>> {
    let mut frames = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let length = number(rest, 0)?;
        let headers = number(rest, 4)?;
        ensure!(number(rest, 8)? == CHECKSUM.checksum(&rest[..8]), "the checksum of the lengths is wrong");
        let (length, headers) = (usize::try_from(length)?, usize::try_from(headers)?);
        ensure!(length >= PRELUDE + headers + 4, "the lengths do not fit");
        let frame = rest.get(..length).context("it ends in the middle of a frame")?;
        let (body, end) = frame.split_at(length - 4);
        ensure!(number(end, 0)? == CHECKSUM.checksum(body), "the checksum of the frame is wrong");
        let (block, payload) = body[PRELUDE..].split_at(headers);
        frames.push(Frame { headers: strings(block)?, payload: payload.to_vec() });
        rest = &rest[length..];
    }
    Ok(frames)
}

fn number(bytes: &[u8], at: usize) -> anyhow::Result<u32> {
    let four = bytes.get(at..at + 4).context("it ends in the middle of a number")?;
    Ok(u32::from_be_bytes(four.try_into()?))
}

fn strings(mut block: &[u8]) -> anyhow::Result<Vec<(String, String)>> {
    let mut headers = Vec::new();
    let mut take = |length: usize| -> anyhow::Result<&[u8]> {
        let taken = block.get(..length).context("the headers are longer than their block")?;
        block = &block[length..];
        Ok(taken)
    };
    while let Ok(length) = take(1) {
        let name = String::from_utf8(take(usize::from(length[0]))?.to_vec())?;
        ensure!(take(1)? == [STRING], "the header {name} is no string");
        let length = u16::from_be_bytes(take(2)?.try_into()?);
        headers.push((name, String::from_utf8(take(usize::from(length))?.to_vec())?));
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_the_one_that_was_recorded() {
        // The beginning of a frame that the real service sent: its lengths and their checksum.
        let payload = r#"{"p":"abcdefghijklmnopq","role":"assistant"}"#;
        let frame = event("messageStart", payload);
        assert_eq!(frame[..12], [0, 0, 0, 0x8e, 0, 0, 0, 0x52, 0xee, 0x91, 0xe1, 0x42]);
        assert_eq!(frame[frame.len() - 4..], [0xf4, 0x50, 0xac, 0x95]);
    }

    #[test]
    fn what_is_damaged_or_cut_is_no_frame() {
        let whole = [event("a", "{}"), exception("b", r#"{"message":"no"}"#)].concat();
        let read = frames(&whole).expect("frames");
        assert_eq!(read[1].header(":exception-type"), Some("b"));
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            assert!(frames(&damaged).is_err(), "damaged at {at}");
        }
        let boundary = event("a", "{}").len();
        for end in 1..whole.len() {
            assert_eq!(frames(&whole[..end]).is_ok(), end == boundary, "cut at {end}");
        }
    }
}
