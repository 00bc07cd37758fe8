use super::*;
use proptest::prelude::*;

static SAID: Said = Said { words: &["text", "args"], call: "tool", call_tokens: 50 };

fn tokens(text: &str) -> u64 {
    let mut ink = Ink::default();
    ink.read(Text::escaped(text));
    ink.tokens()
}

#[test]
fn every_kind_of_text_has_its_weight() {
    for (text, expected) in [
        ("", 0),
        ("Hello", 2),
        ("parseJsonDocument", 4),
        ("1234567", 5),
        (r"a\n\n\tb", 4),
        (r#"{\"a\":1}"#, 5),
        ("日本語", 4),
        (r"\u65e5\u672c\u8a9e", 4),
        ("Привет, мир", 5),
        ("👍", 3),
        (r"\ud83d\udc4d", 3),
        ("naïve", 3),
    ] {
        assert_eq!(tokens(text), expected, "{text}");
    }
}

/// Byte by byte, as blocks must have it, too.
fn slowly(ink: &mut Ink, text: &str) {
    let mut bytes = text.as_bytes();
    while !bytes.is_empty() {
        bytes = ink.byte(bytes);
    }
}

proptest! {
    #[test]
    fn blocks_weigh_what_their_bytes_weigh(
        texts in proptest::collection::vec(
            prop_oneof![
                "[a-z]{0,90}", "[A-Z]{0,90}", "[0-9]{0,90}", "[a-zA-Z]{0,150}", "[ \t\n]{0,20}", "[!-/:-@\\[\\]-`{-~]{0,90}",
                "[a-zA-Z0-9 .,]{0,200}", "([a-z]{1,9} ){0,30}", "[é日👍\r]{1,3}", "(\\\\n|\\\\\"|\\\\u00e9){0,3}"
            ],
            0..12,
        ),
    ) {
        let (mut fast, mut slow) = (Ink::default(), Ink::default());
        for text in &texts {
            fast.raw(text);
            slowly(&mut slow, text);
            // Of a run that is over nothing is to be known.
            prop_assert_eq!((fast.milli_tokens, fast.last), (slow.milli_tokens, slow.last), "{:?}", text);
        }
        let whole = texts.concat();
        let (mut fast, mut slow) = (Ink::default(), Ink::default());
        fast.raw(&whole);
        slowly(&mut slow, &whole);
        prop_assert_eq!((fast.milli_tokens, fast.last), (slow.milli_tokens, slow.last), "{:?}", whole);
    }
}

#[test]
fn blanks_between_the_parts_of_json_count_for_nothing() {
    let ink = |text: &str| {
        let mut ink = Ink::default();
        ink.json(text);
        ink.tokens()
    };
    assert_eq!(ink(r#"{"a":[1,"x y"]}"#), ink("{\n  \"a\" : [ 1,\n \"x y\" ]\n}"));
}

#[test]
fn of_a_frame_only_what_is_said_counts() {
    let spoken = |frame: &str| {
        let mut ink = Ink::default();
        ink.spoken(frame, &SAID);
        ink.tokens()
    };
    assert_eq!(
        spoken(r#"{"id":"a long id","text":"one two \"three\"","other":"four"}"#),
        tokens(r#"one two \"three\""#)
    );
    assert_eq!(spoken(r#"{"text":null,"id":"x y z"}"#), 0);
    assert_eq!(spoken(r#"{"args":{"a":"b"},"id":"x"}"#), 6);
    assert_eq!(spoken(r#"{"tool":"f","args":{}}"#) - spoken(r#"{"tool":"","args":{}}"#), 50);
    assert_eq!(spoken(r#"{"id":"text","b":["text"]}"#), 0, "a value is no name");
    assert_eq!(spoken(r#"{"text":"cut of"#), 2);
}

#[test]
fn what_is_far_below_what_was_seen_is_implausible() {
    assert!(is_implausible(1, 250_000) && is_implausible(49, 200) && !is_implausible(50, 200));
    assert!(!is_implausible(0, LEAST_TO_DOUBT - 1) && !is_implausible(u64::MAX, u64::MAX));
    assert_eq!(reservation_input(10_000), 15_000);
}

proptest! {
    #[test]
    fn more_text_is_never_less_and_nothing_overflows(text in "\\PC*", more in "\\PC*") {
        let one = tokens(&text);
        let both = tokens(&(text.clone() + &more));
        prop_assert!(both >= one);
        prop_assert!(one <= 3 * text.len() as u64 + 1);
    }

    #[test]
    fn any_frame_is_read_to_its_end(frame in r#"["\\\\{}\[\]:,a-z é]*"#) {
        let mut ink = Ink::default();
        ink.spoken(&frame, &Said { words: &["a", ""], call: "é", call_tokens: u64::MAX });
        ink.json(&frame);
    }
}
