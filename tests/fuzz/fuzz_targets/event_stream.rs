//! Law 1 on any bytes, and on frames of any headers and payload: however they are cut, the events are the same.
#![no_main]

use dragoman_core::framing::EventStream;
use dragoman_core::framing::event_stream::{Broken, crc32};
use libfuzzer_sys::fuzz_target;

type Read = (Vec<(String, Vec<u8>)>, Result<(), Broken>, bool);

fn read<'c>(chunks: impl Iterator<Item = &'c [u8]>) -> Read {
    let (mut stream, mut events, mut done) = (EventStream::default(), Vec::new(), Ok(()));
    for chunk in chunks {
        let mut each = |name: &str, data: &[u8]| events.push((name.to_string(), data.to_vec()));
        done = done.and(stream.push(chunk, &mut each));
    }
    (events, done, stream.is_clean())
}

/// A frame whose lengths and checksums are right, which no fuzzer finds by itself.
fn frame(headers: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut frame = ((16 + headers.len() + payload.len()) as u32).to_be_bytes().to_vec();
    frame.extend((headers.len() as u32).to_be_bytes());
    frame.extend(crc32(&frame).to_be_bytes());
    frame.extend(headers);
    frame.extend(payload);
    frame.extend(crc32(&frame).to_be_bytes());
    frame
}

fuzz_target!(|bytes: &[u8]| {
    let [size, split, bytes @ ..] = bytes else { return };
    let size = usize::from(*size).max(1);
    let (headers, payload) = bytes.split_at(usize::from(*split).min(bytes.len()));
    let framed = [frame(headers, payload), frame(b"", b"{}")].concat();
    for stream in [bytes, framed.as_slice()] {
        assert_eq!(read(stream.chunks(size)), read(std::iter::once(stream)));
    }
});
