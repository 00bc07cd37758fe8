//! Server-sent events, by the grammar of the HTML standard (section "Server-sent events"), on bytes.
//!
//! ```
//! use dragoman_core::framing::Sse;
//! let mut sse = Sse::default();
//! let mut events = Vec::new();
//! for chunk in [&b"event: ping\r"[..], b"\ndata:{}\r\n\r", b"\n: note\n\ndata: a\ndata: b\n\n"] {
//!     sse.push(chunk, &mut |name, data| events.push(format!("{name}|{}", String::from_utf8_lossy(data)))).unwrap();
//! }
//! assert_eq!(events, ["ping|{}", "|a\nb"]);
//! ```
//!
//! More patient than the standard in one point: an event whose closing blank line never came is given out at the end of the
//! bytes ([`Sse::finish`]), because some providers leave it out. Whether its data is whole, the JSON in it tells.

use super::{MAX_FRAME, TooLarge};

/// Where events go: their name (empty when they have none) and their data lines joined by line feeds.
pub type Each<'e> = dyn FnMut(&str, &[u8]) + 'e;

/// What is known of an unfinished event.
#[derive(Debug, Default)]
pub struct Sse {
    /// An unfinished line.
    line: Vec<u8>,
    /// The `event:` field so far.
    name: String,
    /// The `data:` lines so far.
    data: Vec<u8>,
    /// Whether a `data:` line was seen: an event without one is none.
    has_data: bool,
    /// The last byte was a CR; a LF now belongs to it.
    after_cr: bool,
    /// The first line is behind us: no byte order mark can follow.
    begun: bool,
}

impl Sse {
    /// Takes the next bytes and gives out the events that they complete.
    pub fn push(&mut self, mut chunk: &[u8], each: &mut Each<'_>) -> Result<(), TooLarge> {
        if self.after_cr && !chunk.is_empty() {
            self.after_cr = false;
            chunk = chunk.strip_prefix(b"\n").unwrap_or(chunk);
        }
        while let Some(end) = memchr::memchr2(b'\n', b'\r', chunk) {
            let (line, rest) = chunk.split_at(end);
            if self.line.is_empty() {
                self.line_done(line, each);
            } else {
                self.line.extend_from_slice(line);
                let whole = core::mem::take(&mut self.line);
                self.line_done(&whole, each);
                // Keeps the room for the next line.
                self.line = whole;
                self.line.clear();
            }
            chunk = match rest {
                [b'\r', b'\n', after @ ..] | [_, after @ ..] => after,
                [] => rest,
            };
            self.after_cr = rest == b"\r";
            if self.data.len() > MAX_FRAME {
                return Err(TooLarge);
            }
        }
        self.line.extend_from_slice(chunk);
        if self.line.len() + self.data.len() > MAX_FRAME { Err(TooLarge) } else { Ok(()) }
    }

    /// The bytes have ended: gives out the event that was not closed.
    pub fn finish(&mut self, each: &mut Each<'_>) {
        let line = core::mem::take(&mut self.line);
        if !line.is_empty() {
            self.line_done(&line, each);
        }
        self.dispatch(each);
    }

    /// Whether bytes of an unfinished event are held.
    pub fn is_clean(&self) -> bool {
        self.line.is_empty() && !self.has_data
    }

    fn line_done(&mut self, mut line: &[u8], each: &mut Each<'_>) {
        if !self.begun {
            self.begun = true;
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        if line.is_empty() {
            return self.dispatch(each);
        }
        let (field, value) = match memchr::memchr(b':', line) {
            Some(colon) => {
                let (field, value) = line.split_at(colon);
                let value = value.get(1..).unwrap_or_default();
                (field, value.strip_prefix(b" ").unwrap_or(value))
            }
            None => (line, &b""[..]),
        };
        match field {
            b"data" => {
                if self.has_data {
                    self.data.push(b'\n');
                }
                self.has_data = true;
                self.data.extend_from_slice(value);
            }
            b"event" => {
                self.name.clear();
                self.name.push_str(&String::from_utf8_lossy(value));
            }
            // `id`, `retry`, comments and what is not known say nothing about an answer.
            _ => {}
        }
    }

    fn dispatch(&mut self, each: &mut Each<'_>) {
        if self.has_data {
            each(&self.name, &self.data);
        }
        self.name.clear();
        self.data.clear();
        self.has_data = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn events(chunks: &[&[u8]]) -> Vec<(String, String)> {
        let mut sse = Sse::default();
        let mut events = Vec::new();
        let mut each =
            |name: &str, data: &[u8]| events.push((name.to_string(), String::from_utf8_lossy(data).into_owned()));
        for chunk in chunks {
            sse.push(chunk, &mut each).unwrap();
        }
        sse.finish(&mut each);
        events
    }

    #[test]
    fn every_line_end_and_spelling_is_read() {
        let spellings: [&[u8]; 6] = [
            b"data: x\n\n",
            b"data:x\r\n\r\n",
            b"data: x\r\r",
            b"\xef\xbb\xbfdata: x\n\n",
            b": comment\nid: 7\nretry: 1\nunknown\ndata: x\n\n",
            b"data: x",
        ];
        for spelling in spellings {
            assert_eq!(events(&[spelling]), [(String::new(), "x".to_string())], "{spelling:?}");
        }
    }

    #[test]
    fn an_event_without_data_is_none() {
        assert_eq!(events(&[b"event: ping\n\n\n\n: x\n\n"]), []);
        assert_eq!(events(&[b"data\n\n"]), [(String::new(), String::new())]);
    }

    #[test]
    fn an_endless_line_is_refused() {
        let mut sse = Sse::default();
        let megabyte = vec![b'a'; 1 << 20];
        let refused = (0..64).find(|_| sse.push(&megabyte, &mut |_, _| {}).is_err());
        assert_eq!(refused, Some(MAX_FRAME >> 20));
    }

    proptest! {
        /// Law 1: any split of the same bytes gives the same events.
        #[test]
        fn chunking_does_not_matter(text in "(data: ?[a-zé:]{0,3}|event: ?e|: c|\u{feff}|)((\r\n|\n|\r)(data: ?[a-zé:]{0,3}|event: ?e|: c|)){0,12}", cuts in prop::collection::vec(0usize..200, 0..8)) {
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.sort_unstable();
            let mut chunks = Vec::new();
            let mut from = 0;
            for cut in cuts { chunks.push(&bytes[from..cut]); from = cut; }
            chunks.push(&bytes[from..]);
            prop_assert_eq!(events(&chunks), events(&[bytes]));
        }
    }
}
