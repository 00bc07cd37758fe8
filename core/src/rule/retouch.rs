//! Changes of an answer on its way to the client: of a whole one, and of every event of a streamed one.
//!
//! It stands behind everything else that makes an answer, so it sees relayed and interpreted ones alike, and in the client's own
//! dialect. What is no JSON object (`[DONE]`, comments, a cut-off end) passes as it is, and so does every byte that no change
//! names. A frame is held until it is whole. Where the provider is masked, an error gives way to one of the gateway's, whatever
//! stands in it, and so do comments and what nobody can read. Limits: in frames larger than [`MAX_FRAME`], which no reader takes
//! either, nothing is changed.

use std::borrow::Cow;

use super::word::is_trouble;
use crate::framing::MAX_FRAME;
use crate::hub::{Delivery, kept};
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
    /// The id there says that this keeper gave it.
    Mark(Path, String),
}

/// The changes of one answer, and the bytes of it that are not whole yet.
#[derive(Debug)]
pub struct Retouch {
    done: Vec<Done>,
    /// What is said instead of a masked provider's error, framed as the answer is.
    trouble: Option<Vec<u8>>,
    framer: Framer,
    held: Vec<u8>,
}

#[derive(Debug)]
enum Framer {
    /// One document.
    Whole,
    /// Server-sent events.
    Sse(Line),
    /// The items of an array.
    Array(Brackets),
    /// Bytes pass as they are.
    Open,
}

/// Where in a stream of events one is.
#[derive(Debug, Default)]
struct Line {
    /// The line has begun: an end now is not that of a blank one.
    begun: bool,
    /// The last byte was a CR; a LF now belongs to it.
    after_cr: bool,
    /// The first event is behind us: no byte order mark can follow.
    marked: bool,
}

impl Retouch {
    /// One that changes nothing.
    pub(crate) fn none(delivery: Delivery) -> Retouch {
        Retouch::new(Vec::new(), None, delivery)
    }

    pub(super) fn new(done: Vec<Done>, trouble: Option<Vec<u8>>, delivery: Delivery) -> Retouch {
        let framer = match delivery {
            Delivery::Whole => Framer::Whole,
            Delivery::Streamed => Framer::Sse(Line::default()),
            Delivery::StreamedArray => Framer::Array(Brackets::default()),
        };
        Retouch { done, trouble, framer, held: Vec::new() }
    }

    /// Has the ids at these places say that this keeper gave them, before anything else is changed.
    pub(crate) fn mark(&mut self, places: Vec<Path>, keeper: &str) {
        self.done.splice(0..0, places.into_iter().map(|place| Done::Mark(place, keeper.to_string())));
    }

    /// Takes the next bytes, gives out what is whole; everything with the last ones.
    pub fn feed(&mut self, chunk: &[u8], ends: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(chunk.len());
        match self.framer {
            Framer::Whole => self.held.extend_from_slice(chunk),
            Framer::Sse(_) => self.sse(chunk, &mut out),
            Framer::Array(_) => chunk.iter().for_each(|byte| self.array(*byte, &mut out)),
            Framer::Open => out.extend_from_slice(chunk),
        }
        if self.held.len() > MAX_FRAME && !ends {
            out.append(&mut self.held);
            self.framer = Framer::Open;
        } else if ends {
            match self.framer {
                Framer::Whole => {
                    let held = core::mem::take(&mut self.held);
                    out.extend(self.changed(&held).unwrap_or(held));
                }
                // Some providers leave out the last blank line.
                Framer::Sse(_) => self.event(&mut out),
                Framer::Array(_) | Framer::Open => match &self.trouble {
                    // A cut-off item is none, and may say whose it was.
                    Some(told) if !self.held.is_empty() => out.extend([told, &b"]"[..]].concat()),
                    _ => out.append(&mut self.held),
                },
            }
        }
        out
    }

    fn sse(&mut self, mut chunk: &[u8], out: &mut Vec<u8>) {
        while let Some(at) = memchr::memchr2(b'\n', b'\r', chunk) {
            let Framer::Sse(line) = &mut self.framer else { return };
            let (ended, rest) = chunk.split_at(at + 1);
            // A LF behind a CR ends no line of its own.
            let is_second = line.after_cr && ended == b"\n";
            let is_blank = at == 0 && !line.begun && !is_second;
            (line.begun, line.after_cr) = (false, ended.ends_with(b"\r"));
            self.held.extend_from_slice(ended);
            chunk = rest;
            if is_blank {
                self.event(out);
            }
        }
        if let (Framer::Sse(line), false) = (&mut self.framer, chunk.is_empty()) {
            (line.begun, line.after_cr) = (true, false);
            self.held.extend_from_slice(chunk);
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
            match &self.trouble {
                Some(told) if is_trouble(b"", &self.held) => out.extend_from_slice(told),
                _ => match self.changed(&self.held) {
                    Some(changed) => out.extend_from_slice(&changed),
                    None => out.extend_from_slice(&self.held),
                },
            }
            self.held.clear();
        }
    }

    /// Gives out the event that is held, with its data changed.
    fn event(&mut self, out: &mut Vec<u8>) {
        let held = core::mem::take(&mut self.held);
        let mut event = held.as_slice();
        if let Framer::Sse(line) = &mut self.framer
            && !core::mem::replace(&mut line.marked, true)
            && let Some(after) = event.strip_prefix(MARK)
        {
            out.extend_from_slice(MARK);
            event = after;
        }
        let mut data = Lines(event).filter_map(|(line, _)| value_of(line, b"data:"));
        let data = match (data.next(), data.next()) {
            (first, None) => first.map(Cow::Borrowed),
            (first, second) => {
                let parts: Vec<&[u8]> = first.into_iter().chain(second).chain(data).collect();
                Some(Cow::Owned(parts.join(&b'\n')))
            }
        };
        let name = Lines(event).filter_map(|(line, _)| value_of(line, b"event:")).last().unwrap_or_default();
        match (&mut self.trouble, &data) {
            // It is told once, in however many events the provider says it.
            (Some(told), Some(data)) if is_trouble(name, data) => out.append(told),
            (trouble, _) => {
                let masks = trouble.is_some();
                let changed = data.and_then(|data| self.changed(&data));
                say(event, changed, masks, out);
            }
        }
        self.held = held;
        self.held.clear();
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
            Done::Mark(path, keeper) => alter(json, path.steps(), Absent::Leave, &mut |id| kept::marked(id, keeper)),
            Done::Set(path, value) => alter(json, path.steps(), Absent::Add(value), &mut to(value)),
            Done::Replace(path, value) => {
                alter(json, path.steps(), Absent::Leave, &mut |old| if old.is_null() { None } else { to(value)(old) })
            }
        }
    }
}

/// What some servers begin a stream with; it is no part of the first line.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// Gives out an event with its data changed; where `masks`, without its comments.
fn say(event: &[u8], changed: Option<Vec<u8>>, masks: bool, out: &mut Vec<u8>) {
    let mut changed = match changed {
        Some(changed) => Some(changed),
        None if masks && Lines(event).any(|(line, _)| line.starts_with(b":")) => None,
        None => return out.extend_from_slice(event),
    };
    let is_changed = changed.is_some();
    for (line, end) in Lines(event) {
        match value_of(line, b"data:").filter(|_| is_changed) {
            Some(data) => {
                // The rest of data that came on several lines is gone.
                let Some(changed) = changed.take() else { continue };
                out.extend_from_slice(line.get(..line.len() - data.len()).unwrap_or_default());
                // In JSON a bare line break is white space.
                out.extend(changed.into_iter().filter(|byte| !matches!(byte, b'\n' | b'\r')));
            }
            // It keeps the connection open, and may say whose it is.
            None if masks && line.starts_with(b":") => out.push(b':'),
            None => out.extend_from_slice(line),
        }
        out.extend_from_slice(end);
    }
}

/// The lines of an event, each with what ends it.
struct Lines<'e>(&'e [u8]);

impl<'e> Iterator for Lines<'e> {
    type Item = (&'e [u8], &'e [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let end = memchr::memchr2(b'\n', b'\r', self.0).unwrap_or(self.0.len());
        let (line, rest) = self.0.split_at(end);
        let (mark, after) = rest.split_at(if rest.starts_with(b"\r\n") { 2 } else { rest.len().min(1) });
        self.0 = after;
        Some((line, mark))
    }
}

fn value_of<'e>(line: &'e [u8], field: &[u8]) -> Option<&'e [u8]> {
    let value = line.strip_prefix(field)?;
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
        Retouch::new(done, None, delivery)
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

    #[test]
    fn a_byte_order_mark_hides_nothing() {
        let stream = b"\xef\xbb\xbfdata: {\"model\":\"secret-1\"}\n\ndata: \xef\xbb\xbf\n\n";
        let changed = "\u{feff}data: {\"model\":\"auto\"}\n\ndata: \u{feff}\n\n";
        for cut in 0..stream.len() {
            let (one, two) = stream.split_at(cut);
            assert_eq!(fed(Delivery::Streamed, &[one, two]), changed);
        }
    }

    /// Where the provider is masked.
    fn masked(delivery: Delivery, bytes: &str) -> String {
        let told = if delivery == Delivery::Streamed { "data: told\n\n" } else { "told" };
        let mut retouch = Retouch::new(Vec::new(), Some(told.as_bytes().to_vec()), delivery);
        String::from_utf8(retouch.feed(bytes.as_bytes(), true)).unwrap()
    }

    #[test]
    fn a_masked_providers_error_is_told_once_in_our_words_whatever_is_said_in_it() {
        let good = "data: {\"error\":null,\"choices\":[{\"error\":null}]}\n\n";
        for trouble in [
            "event: error\ndata: Corp\n\n",
            "data: Corp\n\n",
            "data: {\"choices\":[],\"error\":{},\"provider\":\"Corp\"}\n\n",
            "data: {\"choices\":[{\"error\":\"Corp\"}]}\n\n",
            "data: {\"type\":\"error\",\"code\":\"corp_tired\"}\n\n",
            "data: {\"type\":\"response.failed\",\"response\":{\"error\":{\"code\":\"corp_tired\"}}}\n\n",
            "data: {\"object\":\"error\",\"message\":\"Corp\"}\n\n",
            "data: {\"detail\":\"Corp\"}\n\n",
            "data: [{\"error\":{\"message\":\"Corp\"}}]\n\n",
            "data: {\"error\":{\"message\":\"Corp",
        ] {
            let rest = "data: [DONE]\n\n";
            let whole = if trouble.ends_with('\n') {
                format!("{good}{trouble}{trouble}{rest}")
            } else {
                format!("{good}{rest}{trouble}")
            };
            let told = masked(Delivery::Streamed, &whole);
            let (before, after) = told.split_once("data: told\n\n").unwrap_or_else(|| panic!("{trouble}: {told}"));
            assert_eq!(format!("{before}{after}"), format!("{good}{rest}"));
        }
        assert_eq!(masked(Delivery::StreamedArray, "[{},\n{\"error\":{\"code\":1}}]"), "[{},\ntold]");
        assert_eq!(masked(Delivery::StreamedArray, "[{},{\"error\":{"), "[{},told]");
    }

    #[test]
    fn a_masked_providers_comments_say_nothing() {
        let stream = ": CORP WORKS\r\n\r\n: Corp\ndata: {\"a\": 1}\n\n";
        assert_eq!(masked(Delivery::Streamed, stream), ":\r\n\r\n:\ndata: {\"a\": 1}\n\n");
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
