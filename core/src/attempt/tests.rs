//! The two machines driven natively, with every dialect at both ends.

use super::*;
use crate::admission::{Grant, digest};
use crate::catalog::{DialectId, Origin, Provider, Service, Target};
use crate::exchange::{Exchange, Head, Header, Step};
use crate::json::Json;
use crate::memory::{Credential, CredentialId, Memory};
use crate::secret::Secret;
use crate::snapshot::{Loss, OnContentPolicy, Route, Snapshot};
use proptest::prelude::*;

mod bench;
mod failures;
mod fence;
mod kept;
mod once_more;
mod operations;
mod rules;
mod said;
mod settling;

use bench::*;
use said::*;

const CHAT: DialectId = DialectId::ChatCompletions;
const MESSAGES: DialectId = DialectId::Messages;
const GENERATE: DialectId = DialectId::GenerateContent;
const RESPONSES: DialectId = DialectId::Responses;
/// The dialects that clients speak.
const CLIENTS: [DialectId; 4] = [CHAT, MESSAGES, GENERATE, RESPONSES];

#[test]
fn same_dialect_passes_the_very_bytes() {
    for (dialect, stream) in CLIENTS.map(|dialect| (dialect, stream_of(dialect))) {
        let (passed, outcome) = serve(dialect, dialect, true, SSE, &[stream.as_bytes()]);
        assert_eq!(passed.text(), stream);
        assert_eq!((outcome.ending, outcome.usage.input, outcome.usage.output), (Ending::Answered, Some(3), Some(2)));
        let whole = whole_of(dialect);
        let (passed, outcome) = serve(dialect, dialect, false, JSON, &[whole.as_bytes()]);
        assert_eq!(passed.text(), whole);
        assert_eq!((outcome.ending, outcome.usage.input, outcome.usage.output), (Ending::Answered, Some(3), Some(2)));
    }
}

#[test]
fn same_dialect_asks_with_the_very_bytes() {
    for dialect in CLIENTS {
        let asked = asked(&mut memory(&[dialect]), dialect, true);
        let (_, outgoing) = begin(&asked, 1);
        assert_eq!(outgoing.body, Body::Keep);
    }
}

#[test]
fn every_dialect_hears_every_other() {
    for from in CLIENTS {
        for (to, _) in STREAMS {
            let (passed, outcome) = serve(from, to, true, SSE, &[stream_of(to).as_bytes()]);
            assert!(passed.text().contains('h'), "{from:?} from {to:?}: {}", passed.text());
            assert_eq!(outcome.ending, Ending::Answered, "{from:?} from {to:?}: {outcome:?}");
            assert_eq!((outcome.usage.input, outcome.usage.output), (Some(3), Some(2)), "{from:?} from {to:?}");
            let (passed, outcome) = serve(from, to, false, JSON, &[whole_of(to).as_bytes()]);
            assert!(Json::parse(&passed.bytes).is_ok(), "{from:?} from {to:?}: {}", passed.text());
            assert_eq!(outcome.ending, Ending::Answered);
        }
    }
}

#[test]
fn an_answer_framed_otherwise_than_asked_is_said_as_asked() {
    for from in CLIENTS {
        let (passed, _) = serve(from, CHAT, true, JSON, &[whole_of(CHAT).as_bytes()]);
        assert!(passed.text().contains("data: "), "{}", passed.text());
        let (passed, _) = serve(from, CHAT, false, SSE, &[stream_of(CHAT).as_bytes()]);
        assert!(Json::parse(&passed.bytes).is_ok(), "{}", passed.text());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Law 1, for relays and interpretations alike.
    #[test]
    fn any_split_gives_the_same_output(from in 0..CLIENTS.len(), to in 0..STREAMS.len(), cuts in prop::collection::vec(any::<usize>(), 0..12), streamed in any::<bool>()) {
        let (from, to) = (CLIENTS[from], STREAMS[to].0);
        let (bytes, kind) = if streamed { (stream_of(to), SSE) } else { (whole_of(to), JSON) };
        let chunks = pieces(bytes.as_bytes(), &cuts);
        let chunks: Vec<&[u8]> = chunks.iter().map(Vec::as_slice).collect();
        let (cut, cut_outcome) = serve(from, to, streamed, kind, &chunks);
        let (uncut, outcome) = serve(from, to, streamed, kind, &[bytes.as_bytes()]);
        prop_assert_eq!(cut.text(), uncut.text());
        prop_assert_eq!(cut_outcome.usage, outcome.usage);
    }

    /// A cut stream never looks complete: wherever it ends, no dialect's end mark follows.
    #[test]
    fn a_cut_stream_never_looks_complete(from in 0..CLIENTS.len(), to in 0..STREAMS.len(), cut in any::<prop::sample::Index>()) {
        let (from, to) = (CLIENTS[from], STREAMS[to].0);
        let bytes = stream_of(to).as_bytes();
        // Before the frame that says why the model stopped.
        let stops = ["finish_reason\":\"stop", "message_delta", "finishReason", "response.completed", "message-end"];
        let end = stops.iter().filter_map(|stop| stream_of(to).find(stop)).min().unwrap();
        let (passed, outcome) = serve(from, to, true, SSE, &[&bytes[..cut.index(end)]]);
        let text = passed.text();
        prop_assert!(!text.contains("[DONE]") && !text.contains("message_stop") && !text.contains("STOP"), "{}", text);
        prop_assert!(!text.contains("response.completed"), "{}", text);
        prop_assert!(text.contains("error"), "{}", text);
        prop_assert!(matches!(outcome.ending, Ending::Broken | Ending::Refused), "{:?}", outcome);
    }

    /// Even a cut within the very frame that says why the model stopped is none of its end.
    #[test]
    fn a_relayed_stream_cut_within_its_last_frame_is_told(at in 0..3usize, cut in any::<prop::sample::Index>()) {
        let dialect = CLIENTS[at];
        let (stream, stop) = (stream_of(dialect), ["finish_reason\":\"stop", "message_delta", "finishReason"][at]);
        let frame = stream.rfind(stop).unwrap();
        let rest = stream[frame..].find("}").unwrap();
        let end = frame + cut.index(rest);
        let (passed, outcome) = serve(dialect, dialect, true, SSE, &[&stream.as_bytes()[..end]]);
        prop_assert_eq!(outcome.ending, Ending::Broken, "{}", passed.text());
    }

    /// Law 10: whatever a provider sends, the machine ends in an answer or an error.
    #[test]
    fn nonsense_never_panics(from in 0..CLIENTS.len(), to in 0..STREAMS.len(), noise in prop::collection::vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>(), kind in 0usize..3, status in 100u16..600) {
        let (from, to) = (CLIENTS[from], STREAMS[to].0);
        let mut bytes = stream_of(to).as_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes.splice(at..at, noise);
        let asked = asked(&mut memory(&[to]), from, kind == 0);
        let (mut attempt, _) = begin(&asked, 1);
        let kind = [SSE, JSON, "text/html"][kind];
        answer(&mut attempt, &status.to_string(), kind, &[&bytes]);
        attempt.end(1010);
    }
}
