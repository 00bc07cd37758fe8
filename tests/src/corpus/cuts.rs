//! Streams cut into other pieces, and streams that break off.

use dragoman_core::catalog::DialectId;
use dragoman_core::hub::Delivery;
use dragoman_core::interpret::Progress;

use super::cross::CLIENTS;
use super::expected::short;
use super::heard::{Heard, Told, hear, tell};
use super::recording::Recording;

/// Most places at which a stream is cut in two, besides every byte on its own.
const MAX_CUTS: usize = 24;

/// A client for this recording: all of them get their share.
fn client(recording: &Recording) -> DialectId {
    let sum: usize = recording.id.bytes().map(usize::from).sum();
    CLIENTS.get(sum % CLIENTS.len()).copied().unwrap_or(DialectId::ChatCompletions)
}

/// Where the same bytes give another answer when they come in other pieces.
pub fn rechunk(recording: &Recording, provider: DialectId) -> Vec<String> {
    let bytes = recording.bytes.as_slice();
    let client = client(recording);
    let told = |chunks: Vec<&[u8]>| tell((provider, recording.framing), (client, Delivery::Streamed), chunks);
    let wanted = told(vec![bytes]);
    let mut found = Vec::new();
    let mut check = |how: String, got: Told| {
        if got.bytes != wanted.bytes || got.usage != wanted.usage || got.progress != wanted.progress {
            found.push(format!("{how}: another answer for a {} client", client.name()));
        }
    };
    for size in [1, 7, 1021] {
        check(format!("pieces of {size}"), told(bytes.chunks(size).collect()));
    }
    for cut in cuts(bytes) {
        let (one, two) = bytes.split_at(cut);
        check(format!("cut at {cut}"), told(vec![one, b"", two]));
    }
    found
}

/// Places of every kind that matters: inside a character, between CR and LF, between line ends, inside a field's name, and some
/// anywhere (inside the heads of binary frames among them).
fn cuts(bytes: &[u8]) -> Vec<usize> {
    let kinds: [fn(&[u8]) -> bool; 6] = [
        |pair| matches!(pair, [0xc0..=0xff, 0x80..=0xbf]),
        |pair| pair == b"\r\n",
        |pair| pair == b"\n\n" || pair == b"\n\r",
        |pair| pair == b"ta" || pair == b"a:",
        |pair| pair == b": " || pair == b"ev",
        |pair| matches!(pair, [b'\\', _]),
    ];
    let mut cuts = Vec::new();
    for kind in kinds {
        let places = bytes.windows(2).enumerate().filter(|(_, pair)| kind(pair)).map(|(at, _)| at + 1);
        cuts.extend(places.take(2));
    }
    let anywhere = MAX_CUTS.saturating_sub(cuts.len());
    cuts.extend((1..=anywhere).map(|part| bytes.len() * part / (anywhere + 1)));
    cuts
}

/// Where a stream that breaks off looks complete, or says what the recording does not.
pub fn truncation(recording: &Recording, provider: DialectId, whole: &Heard) -> Vec<String> {
    if !whole.is_complete() {
        return Vec::new();
    }
    let bytes = recording.bytes.as_slice();
    let heard = |length: usize| hear(provider, recording.framing, [bytes.get(..length).unwrap_or(bytes)]);
    // The shortest beginning that is complete.
    let (mut short_of, mut complete) = (0, bytes.len());
    while complete - short_of > 1 {
        let middle = short_of + (complete - short_of) / 2;
        match heard(middle).is_complete() {
            true => complete = middle,
            false => short_of = middle,
        }
    }
    let mut found = Vec::new();
    if !says_why(recording, bytes.get(..complete).unwrap_or(bytes)) {
        found.push(format!("complete after {complete} of {} bytes, before the reason to stop", bytes.len()));
    }
    for part in [1, 3, 5, 7] {
        let length = short_of * part / 8;
        let cut = heard(length);
        if cut.is_complete() && !says_why(recording, bytes.get(..length).unwrap_or(bytes)) {
            found.push(format!("complete after {length} bytes, before the reason to stop"));
        }
        found.extend(made_up(&cut, whole).map(|what| format!("after {length} bytes: {what}")));
    }
    let beginning = bytes.get(..short_of).unwrap_or(bytes);
    if heard(short_of).is_complete() {
        return found;
    }
    for client in CLIENTS {
        let told = tell((provider, recording.framing), (client, Delivery::Streamed), [beginning]);
        if !matches!(told.progress, Progress::Failed(_)) {
            found.push(format!("a cut stream ends as {:?} for {}", told.progress, client.name()));
        }
        let back = hear(client, told.framing, [told.bytes.as_slice()]);
        if back.is_complete() {
            found.push(format!("a cut stream looks complete to {}", client.name()));
        }
        found.extend(made_up(&back, whole).map(|what| format!("cut stream for {}: {what}", client.name())));
    }
    found
}

/// Whether a beginning of the stream holds the provider's own reason to stop, or its mark that it is done.
fn says_why(recording: &Recording, beginning: &[u8]) -> bool {
    let text = String::from_utf8_lossy(beginning);
    let reason = match &recording.expect["finish_reason_raw"] {
        serde_json::Value::String(word) => text.contains(&format!("\"{word}\"")),
        serde_json::Value::Number(number) => text.contains(&number.to_string()),
        _ => false,
    };
    reason || ["[DONE]", "message_stop", "message-end", "response.completed"].iter().any(|mark| text.contains(mark))
}

/// What a cut answer says that the whole one does not.
fn made_up<'h>(cut: &'h Heard, whole: &'h Heard) -> impl Iterator<Item = String> + 'h {
    let all = |heard: &Heard| format!("{}{}", heard.text, heard.refusal);
    let text = (!all(whole).starts_with(&all(cut))).then(|| format!("text {} is made up", short(&cut.text)));
    let names = |heard: &Heard| -> Vec<String> { heard.calls.iter().map(|call| call.name.clone()).collect() };
    let calls = (!names(whole).starts_with(&names(cut))).then(|| format!("calls {:?} are made up", names(cut)));
    text.into_iter().chain(calls)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_place_is_cut() {
        let bytes = "data: \"\u{e9}\\n\"\r\n\r\ndata: x\n\n".as_bytes();
        let cuts = cuts(bytes);
        for wanted in [3, 5, 8, 10, 13] {
            assert!(cuts.contains(&wanted), "{wanted} in {cuts:?}");
        }
        assert!(cuts.iter().all(|cut| *cut <= bytes.len()));
    }
}
