use super::*;
use proptest::prelude::*;

/// A header with a string.
fn header(name: &str, value: &str) -> Vec<u8> {
    let mut header = vec![name.len() as u8];
    header.extend(name.as_bytes());
    header.push(STRING);
    header.extend((value.len() as u16).to_be_bytes());
    header.extend(value.as_bytes());
    header
}

/// A frame with right lengths and checksums.
fn frame(headers: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut frame = ((LEAST + headers.len() + payload.len()) as u32).to_be_bytes().to_vec();
    frame.extend((headers.len() as u32).to_be_bytes());
    frame.extend(crc32(&frame).to_be_bytes());
    frame.extend(headers);
    frame.extend(payload);
    frame.extend(crc32(&frame).to_be_bytes());
    frame
}

fn event_frame(name: &str, payload: &str) -> Vec<u8> {
    let headers = [header(":event-type", name), header(":message-type", "event")].concat();
    frame(&headers, payload.as_bytes())
}

/// The prelude of a frame that claims these lengths.
fn prelude(total: u32, headers: u32) -> Vec<u8> {
    let mut prelude = [total.to_be_bytes(), headers.to_be_bytes()].concat();
    prelude.extend(crc32(&prelude).to_be_bytes());
    prelude
}

type Read = (Vec<(String, String)>, Result<(), Broken>, bool);

fn read<'c>(chunks: impl IntoIterator<Item = &'c [u8]>) -> Read {
    let mut stream = EventStream::default();
    let mut events = Vec::new();
    let mut done = Ok(());
    for chunk in chunks {
        let mut each =
            |name: &str, data: &[u8]| events.push((name.to_string(), String::from_utf8_lossy(data).into_owned()));
        done = done.and(stream.push(chunk, &mut each));
    }
    (events, done, stream.is_clean())
}

fn events(bytes: &[u8]) -> Vec<(String, String)> {
    let (events, done, clean) = read([bytes]);
    assert_eq!((done, clean), (Ok(()), true));
    events
}

fn broken(bytes: &[u8]) -> Broken {
    read([bytes]).1.unwrap_err()
}

fn said(name: &str, data: &str) -> (String, String) {
    (name.to_string(), data.to_string())
}

#[test]
fn the_checksum_is_the_known_one() {
    // The check value of the CRC catalogue, and the prelude of the format's own test vector.
    assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    assert_eq!(crc32(b""), 0);
    assert_eq!(crc32(&[0, 0, 0, 16, 0, 0, 0, 0]), 0x05c2_48eb);
}

#[test]
fn frames_are_cut_out_whole() {
    let bytes = [event_frame("messageStart", r#"{"role":"assistant"}"#), event_frame("messageStop", "")].concat();
    assert_eq!(events(&bytes), [said("messageStart", r#"{"role":"assistant"}"#), said("messageStop", "")]);
    assert_eq!(events(b""), []);
    assert_eq!(events(&frame(b"", b"x")), [said("", "x")]);
}

#[test]
fn exceptions_and_errors_can_be_told_from_events() {
    let exception = [header(":exception-type", "throttlingException"), header(":message-type", "exception")].concat();
    assert_eq!(events(&frame(&exception, b"{}")), [said("!throttlingException", "{}")]);
    let error = [
        header(":message-type", "error"),
        header(":error-code", "InternalError"),
        header(":error-message", "it is over"),
    ]
    .concat();
    assert_eq!(events(&frame(&error, b"")), [said("!InternalError", "it is over")]);
    assert_eq!(events(&frame(&error, b"{}")), [said("!InternalError", "{}")]);
}

#[test]
fn headers_of_every_kind_are_stepped_over() {
    let mut headers = Vec::new();
    for (kind, length) in [(0u8, 0usize), (1, 0), (2, 1), (3, 2), (4, 4), (5, 8), (8, 8), (9, 16)] {
        headers.extend([1, b'h', kind]);
        headers.extend(vec![0xff; length]);
    }
    headers.extend(b"\x01b\x06\x00\x02\xff\xff");
    headers.extend(header(":event-type", "ping"));
    assert_eq!(events(&frame(&headers, b"")), [said("ping", "")]);
}

#[test]
fn headers_that_make_no_sense_break_the_stream() {
    let bad: [&[u8]; 7] =
        [b"\x05ab", b"\x01a", b"\x01a\x0a", b"\x01a\x04\x00", b"\x01a\x07\x00", b"\x01a\x07\x00\x09x", b"\xff"];
    for headers in bad {
        assert_eq!(broken(&frame(headers, b"")), Broken::Headers, "{headers:?}");
    }
    let mut number = vec![11];
    number.extend(b":event-type\x02\x00");
    assert_eq!(broken(&frame(&number, b"")), Broken::Headers);
    assert_eq!(broken(&frame(b"\x0b:event-type\x07\x00\x01\xff", b"")), Broken::Headers);
}

#[test]
fn impossible_lengths_are_refused_with_the_prelude() {
    assert_eq!(broken(&prelude(15, 0)), Broken::Lengths);
    assert_eq!(broken(&prelude(20, 5)), Broken::Lengths);
    assert_eq!(broken(&prelude(0, 0)), Broken::Lengths);
    assert_eq!(broken(&prelude(MAX_FRAME as u32 + 1, 0)), Broken::TooLarge);
    assert_eq!(broken(&prelude(u32::MAX, u32::MAX)), Broken::TooLarge);
    assert_eq!(broken(&prelude(1 << 20, MAX_HEADERS as u32 + 1)), Broken::TooLarge);
    // However they are cut.
    assert_eq!(read(prelude(15, 0).chunks(1)).1, Err(Broken::Lengths));
}

#[test]
fn nothing_is_reserved_for_bytes_that_have_not_come() {
    let mut stream = EventStream::default();
    stream.push(&prelude(MAX_FRAME as u32, 0), &mut |_, _| {}).unwrap();
    assert!(stream.held.capacity() < 1024);
    assert!(!stream.is_clean());
}

#[test]
fn a_broken_stream_stays_broken() {
    let mut bytes = event_frame("a", "{}");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let mut stream = EventStream::default();
    assert_eq!(stream.push(&bytes, &mut |_, _| {}), Err(Broken::Checksum));
    let mut count = 0;
    assert_eq!(stream.push(&event_frame("b", "{}"), &mut |_, _| count += 1), Err(Broken::Checksum));
    assert_eq!((count, stream.is_clean()), (0, false));
}

#[test]
fn what_was_whole_before_a_mistake_is_given_out() {
    let mut second = event_frame("b", "{}");
    second[8] ^= 0x80;
    let (events, done, _) = read([[event_frame("a", "{}"), second].concat().as_slice()]);
    assert_eq!((events, done), (vec![said("a", "{}")], Err(Broken::Checksum)));
}

proptest! {
    /// Law 1: any split of the same bytes gives the same events.
    #[test]
    fn chunking_does_not_matter(
        payloads in prop::collection::vec(("[a-z!]{0,9}", "[a-zé{}]{0,30}"), 0..5),
        damage in prop::option::of((0usize..400, 1u8..)),
        cuts in prop::collection::vec(0usize..400, 0..12),
    ) {
        let mut bytes: Vec<u8> = payloads.iter().flat_map(|(name, payload)| event_frame(name, payload)).collect();
        if let Some((at, flip)) = damage && let Some(byte) = bytes.get_mut(at) {
            *byte ^= flip;
        }
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
        cuts.sort_unstable();
        let mut chunks = Vec::new();
        let mut from = 0;
        for cut in cuts { chunks.push(&bytes[from..cut]); from = cut; }
        chunks.push(&bytes[from..]);
        let whole = read([bytes.as_slice()]);
        prop_assert_eq!(&read(chunks), &whole);
        prop_assert_eq!(&read(bytes.chunks(1)), &whole);
        if damage.is_none() {
            prop_assert_eq!(whole.0.len(), payloads.len());
        }
    }

    /// No single flipped bit goes unnoticed.
    #[test]
    fn damage_is_noticed(payload in "[a-z]{0,40}", at in 0usize..80, bit in 0u8..8) {
        let mut bytes = event_frame("name", &payload);
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        let (events, done, _) = read([bytes.as_slice()]);
        prop_assert_eq!(events, vec![]);
        prop_assert!(done.is_err());
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), headers in prop::collection::vec(any::<u8>(), 0..60)) {
        let _ = read([bytes.as_slice()]);
        let _ = read([frame(&headers, &bytes).as_slice()]);
    }
}
