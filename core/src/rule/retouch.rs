//! Changes of an answer on its way to the client: of a whole one, and of every event of a streamed one.
//!
//! It stands behind everything else that makes an answer, so it sees relayed and interpreted ones alike, and in the client's own
//! dialect. What is no JSON object (`[DONE]`, comments, a cut-off end) passes as it is, and so does every byte that no change
//! names. A frame is held until it is whole. Limits: in frames larger than [`MAX_FRAME`], which no reader takes either, nothing
//! is changed.

use crate::framing::MAX_FRAME;
use crate::hub::Delivery;
use crate::json::path::{Absent, Path, alter, remove, rename};
use crate::json::{Brackets, Json, Kind};

/// A change with its values filled in.
#[derive(Clone, Debug)]
pub(super) enum Done {
    Remove(Path),
    Rename(Path, String),
    /// To this JSON; what is above it must be there.
    Set(Path, String),
    /// To this JSON, where something is.
    Replace(Path, String),
}

/// The changes of one answer, and the bytes of it that are not whole yet.
#[derive(Debug)]
pub struct Retouch {
    done: Vec<Done>,
    framer: Framer,
    held: Vec<u8>,
}

#[derive(Debug)]
enum Framer {
    /// One document.
    Whole,
    /// Server-sent events: where the line begins that is being heard, and whether the last byte was a CR.
    Sse { line: usize, after_cr: bool },
    /// The items of an array.
    Array(Brackets),
    /// Bytes pass as they are.
    Open,
}

impl Retouch {
    pub(super) fn new(done: Vec<Done>, delivery: Delivery) -> Retouch {
        let framer = match delivery {
            Delivery::Whole => Framer::Whole,
            Delivery::Streamed => Framer::Sse { line: 0, after_cr: false },
            Delivery::StreamedArray => Framer::Array(Brackets::default()),
        };
        Retouch { done, framer, held: Vec::new() }
    }

    /// Takes the next bytes, gives out what is whole; everything with the last ones.
    pub fn feed(&mut self, chunk: &[u8], ends: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(chunk.len());
        match self.framer {
            Framer::Whole => self.held.extend_from_slice(chunk),
            Framer::Sse { .. } => chunk.iter().for_each(|byte| self.sse(*byte, &mut out)),
            Framer::Array(_) => chunk.iter().for_each(|byte| self.array(*byte, &mut out)),
            Framer::Open => out.extend_from_slice(chunk),
        }
        if ends || self.held.len() > MAX_FRAME {
            let held = core::mem::take(&mut self.held);
            match self.framer {
                _ if !ends => {
                    out.extend_from_slice(&held);
                    self.framer = Framer::Open;
                }
                Framer::Whole => out.extend(self.changed(&held).unwrap_or(held)),
                // Some providers leave out the last blank line.
                Framer::Sse { .. } => self.event(&held, &mut out),
                Framer::Array(_) | Framer::Open => out.extend_from_slice(&held),
            }
        }
        out
    }

    fn sse(&mut self, byte: u8, out: &mut Vec<u8>) {
        self.held.push(byte);
        let Framer::Sse { line, after_cr } = &mut self.framer else { return };
        let ends_line = matches!(byte, b'\n' | b'\r');
        // A LF behind a CR ends no line of its own.
        let is_second = core::mem::replace(after_cr, byte == b'\r') && byte == b'\n';
        if !ends_line {
            return;
        }
        let is_blank = self.held.len() == *line + 1 && !is_second;
        *line = self.held.len();
        if is_blank {
            *line = 0;
            let event = core::mem::take(&mut self.held);
            self.event(&event, out);
        }
    }

    fn array(&mut self, byte: u8, out: &mut Vec<u8>) {
        let Framer::Array(place) = &mut self.framer else { return };
        let before = place.depth();
        let begins = before == 1 && byte == b'{' && !place.in_string();
        place.step(byte);
        if before < 2 && !begins {
            return out.push(byte);
        }
        self.held.push(byte);
        if place.depth() == 1 {
            let item = core::mem::take(&mut self.held);
            out.extend(self.changed(&item).unwrap_or(item));
        }
    }

    /// Gives out an event with its data changed.
    fn event(&self, event: &[u8], out: &mut Vec<u8>) {
        let lines = lines(event);
        let data: Vec<&[u8]> = lines.iter().filter_map(|(line, _)| data_of(line)).collect();
        let Some(changed) = self.changed(&data.join(&b'\n')) else { return out.extend_from_slice(event) };
        let mut changed = Some(changed);
        for (line, end) in lines {
            match (data_of(line), changed.take_if(|_| data_of(line).is_some())) {
                (None, _) => out.extend_from_slice(line),
                (Some(data), Some(changed)) => {
                    out.extend_from_slice(line.get(..line.len() - data.len()).unwrap_or_default());
                    // In JSON a bare line break is white space.
                    out.extend(changed.into_iter().filter(|byte| !matches!(byte, b'\n' | b'\r')));
                }
                // The rest of data that came on several lines.
                (Some(_), None) => continue,
            }
            out.extend_from_slice(end);
        }
    }

    /// A document with every change done; `None` when nothing changes, or when it is no object.
    fn changed(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let start = bytes.len() - bytes.trim_ascii_start().len();
        let end = start + bytes.trim_ascii().len();
        let json = Json::parse(bytes.get(start..end)?).ok().filter(|json| json.kind() == Kind::Object)?;
        let mut text: Option<String> = None;
        for done in &self.done {
            let before = text.as_deref().map_or(json, Json::trusted);
            text = done.on(before).or(text);
        }
        let around = |range: Option<&[u8]>| range.unwrap_or_default().to_vec();
        Some([around(bytes.get(..start)), text?.into_bytes(), around(bytes.get(end..))].concat())
    }
}

impl Done {
    fn on(&self, json: Json<'_>) -> Option<String> {
        let to = |value: &str| {
            let value = value.to_string();
            move |old: Json<'_>| (old.as_str() != value).then(|| value.clone())
        };
        match self {
            Done::Remove(path) => remove(json, path.steps()),
            Done::Rename(path, name) => rename(json, path.steps(), name),
            Done::Set(path, value) => alter(json, path.steps(), Absent::Add(value), &mut to(value)),
            Done::Replace(path, value) => alter(json, path.steps(), Absent::Leave, &mut to(value)),
        }
    }
}

/// The lines of an event, each with what ends it.
fn lines(mut event: &[u8]) -> Vec<(&[u8], &[u8])> {
    let mut lines = Vec::new();
    while !event.is_empty() {
        let end = memchr::memchr2(b'\n', b'\r', event).unwrap_or(event.len());
        let (line, rest) = event.split_at(end);
        let (mark, after) = rest.split_at(if rest.starts_with(b"\r\n") { 2 } else { rest.len().min(1) });
        lines.push((line, mark));
        event = after;
    }
    lines
}

fn data_of(line: &[u8]) -> Option<&[u8]> {
    let value = line.strip_prefix(b"data:")?;
    Some(value.strip_prefix(b" ").unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn retouch(delivery: Delivery) -> Retouch {
        let path = |text: &str| Path::read(text).unwrap();
        let done = vec![
            Done::Remove(path("fingerprint")),
            Done::Rename(path("usage.cost"), "price".into()),
            Done::Set(path("meta.by"), "\"us\"".into()),
            Done::Replace(path("model"), "\"auto\"".into()),
        ];
        Retouch::new(done, delivery)
    }

    fn fed(delivery: Delivery, chunks: &[&[u8]]) -> String {
        let mut retouch = retouch(delivery);
        let mut out = Vec::new();
        for (index, chunk) in chunks.iter().enumerate() {
            out.extend(retouch.feed(chunk, index + 1 == chunks.len()));
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_whole_answer_keeps_what_is_not_named() {
        let whole =
            b" { \"model\":\"secret-1\", \"fingerprint\":\"f\",\"usage\":{\"cost\":1.0 },\"meta\":{}, \"n\" : 1e-0}\n";
        let changed = " { \"model\":\"auto\",\"usage\":{\"price\":1.0 },\"meta\":{\"by\":\"us\"}, \"n\" : 1e-0}\n";
        assert_eq!(fed(Delivery::Whole, &[whole]), changed);
        for same in ["", "no JSON", "[{\"model\":\"m\"}]", "{\"a\":1}"] {
            assert_eq!(fed(Delivery::Whole, &[same.as_bytes()]), same);
        }
    }

    const STREAM: &str = ": ping\r\n\r\nevent: x\rdata: {\"model\":\"secret-1\",\"a\":1}\r\rid: 1\ndata:{\"b\":\ndata: 2,\ndata:\"fingerprint\":3}\n\n\
        data: {\"same\" : 1}\n\ndata: [DONE]\n\n";
    const CHANGED: &str = ": ping\r\n\r\nevent: x\rdata: {\"model\":\"auto\",\"a\":1}\r\rid: 1\ndata:{\"b\":2}\n\n\
        data: {\"same\" : 1}\n\ndata: [DONE]\n\n";

    #[test]
    fn every_event_of_a_stream_is_changed_and_what_is_no_json_passes() {
        assert_eq!(fed(Delivery::Streamed, &[STREAM.as_bytes()]), CHANGED);
        assert_eq!(fed(Delivery::Streamed, &[b"data: {\"model\":\"m\"}"]), "data: {\"model\":\"auto\"}");
        assert_eq!(fed(Delivery::Streamed, &[b"data: {\"model\":\"m"]), "data: {\"model\":\"m");
        let array = b"[{\"model\":\"secret-1\"}\n,\r\n{\"x\":{\"model\":\"}\"}}]";
        let changed = "[{\"model\":\"auto\"}\n,\r\n{\"x\":{\"model\":\"}\"}}]";
        assert_eq!(fed(Delivery::StreamedArray, &[array]), changed);
    }

    proptest! {
        /// Law 1.
        #[test]
        fn any_split_gives_the_same_output(cuts in prop::collection::vec(0..STREAM.len(), 0..9)) {
            let mut cuts = cuts;
            cuts.extend([0, STREAM.len()]);
            cuts.sort_unstable();
            let chunks: Vec<&[u8]> = cuts.windows(2).map(|pair| &STREAM.as_bytes()[pair[0]..pair[1]]).collect();
            prop_assert_eq!(fed(Delivery::Streamed, &chunks), CHANGED);
        }
    }
}
