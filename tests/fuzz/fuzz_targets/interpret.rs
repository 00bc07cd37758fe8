//! What the reader targets share: bytes framed, read, sequenced and written in every dialect.

use dragoman_core::catalog::DialectId;
use dragoman_core::dialect::{self, ALL, Aliases, Frame, Reply};
use dragoman_core::framing::Sse;
use dragoman_core::hub::{Delivery, Event, Request, Sequencer};
use dragoman_core::json::Json;

/// Reads `bytes` as a whole body and as a stream of `from`, and says both in every dialect that clients speak. A stream is
/// written down as server-sent events whatever its framing: readers are given names and data.
pub fn interpret(from: DialectId, bytes: &[u8]) {
    for dialect in ALL {
        let Some(to) = dialect.client() else { continue };
        for delivery in [Delivery::Whole, Delivery::Streamed, Delivery::StreamedArray] {
            let reply = Reply { delivery, exchange: "x".into(), created: 0, model: "m".into() };
            let mut writer = to.writer(&Request::new(dialect.id(), delivery), reply);
            let mut reader = dialect::of(from).reader(Aliases::default());
            let (mut sequencer, mut out, mut ends) = (Sequencer::new(), Vec::new(), 0);
            let mut emit = |event: Event<'_>| {
                ends += usize::from(matches!(event, Event::Stop(_) | Event::Error(_)));
                writer.write(&event, &mut out);
            };
            match Json::parse(bytes) {
                Ok(json) => reader.read(Frame::Whole(json), &mut |piece| sequencer.push(piece, &mut emit)),
                Err(_) => {
                    let mut sse = Sse::default();
                    let mut each = |name: &str, data: &[u8]| {
                        if let Ok(data) = std::str::from_utf8(data) {
                            reader.read(Frame::Event { name, data }, &mut |piece| sequencer.push(piece, &mut emit));
                        }
                    };
                    let _ = sse.push(bytes, &mut each);
                    sse.finish(&mut each);
                }
            }
            sequencer.finish(&mut emit);
            assert_eq!(ends, 1, "an answer ends exactly once");
        }
    }
}
