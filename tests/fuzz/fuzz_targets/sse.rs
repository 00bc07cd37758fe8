//! Law 1 on any bytes: however they are cut, the events are the same.
#![no_main]

use dragoman_core::framing::{JsonArray, Sse};
use libfuzzer_sys::fuzz_target;

fn events<'c>(chunks: impl Iterator<Item = &'c [u8]>) -> Vec<(String, Vec<u8>)> {
    let (mut sse, mut array, mut events) = (Sse::default(), JsonArray::default(), Vec::new());
    for chunk in chunks {
        let _ = sse.push(chunk, &mut |name, data| events.push((name.to_string(), data.to_vec())));
        let _ = array.push(chunk, &mut |_| {});
    }
    sse.finish(&mut |name, data| events.push((name.to_string(), data.to_vec())));
    events
}

fuzz_target!(|bytes: &[u8]| {
    let Some((size, bytes)) = bytes.split_first() else { return };
    let size = usize::from(*size).max(1);
    assert_eq!(events(bytes.chunks(size)), events(std::iter::once(bytes)));
});
