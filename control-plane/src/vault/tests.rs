use super::*;
use crate::settings::Secret;

const SECRET: &str = "sk-canary-in-the-vault";

fn ring(text: &str) -> Ring {
    Ring::read(text).unwrap()
}

fn old() -> Ring {
    ring(&format!("old:{}", "11".repeat(32)))
}

fn slot(account: &str, provider: &str) -> Slot {
    Slot::credential(account, provider)
}

fn bound<'a>(slot: &'a Slot, id: &'a str, version: i64) -> Bound<'a> {
    Bound { slot, id, version }
}

/// The text with another digit at each place in turn.
fn tampered(text: &str) -> impl Iterator<Item = String> {
    (0..text.len()).map(|at| {
        let other = if text.as_bytes()[at] == b'0' { "1" } else { "0" };
        format!("{}{other}{}", &text[..at], &text[at + 1..])
    })
}

#[test]
fn what_is_sealed_opens_in_its_place_and_is_another_text_each_time() {
    let (ring, slot) = (old(), slot("acme.search", "corp"));
    let one = ring.seal(bound(&slot, "v1", 1), &Secret::new(SECRET)).unwrap();
    let other = ring.seal(bound(&slot, "v1", 1), &Secret::new(SECRET)).unwrap();
    assert!(one.sealed != other.sealed && one.wrapped != other.wrapped);
    assert_eq!(ring.open(bound(&slot, "v1", 1), &one).unwrap().expose(), SECRET);
    assert!(!format!("{one:?} {ring:?}").contains("canary") && !format!("{ring:?}").contains("1111"));
}

#[test]
fn a_byte_that_was_changed_anywhere_is_noticed() {
    let (ring, slot) = (old(), slot("acme", "corp"));
    let good = ring.seal(bound(&slot, "v1", 1), &Secret::new(SECRET)).unwrap();
    let open = |envelope: Envelope| ring.open(bound(&slot, "v1", 1), &envelope);
    for sealed in tampered(&good.sealed) {
        assert_eq!(open(Envelope { sealed, ..good.clone() }), Err(Broken::Changed));
    }
    for wrapped in tampered(&good.wrapped) {
        assert_eq!(open(Envelope { wrapped, ..good.clone() }), Err(Broken::Changed));
    }
    for length in 0..good.sealed.len() {
        assert_eq!(open(Envelope { sealed: good.sealed[..length].into(), ..good.clone() }), Err(Broken::Changed));
    }
}

#[test]
fn a_secret_opens_in_no_other_place() {
    let (ring, home) = (old(), slot("acme", "corp"));
    let good = ring.seal(bound(&home, "v1", 7), &Secret::new(SECRET)).unwrap();
    // The last two have the same letters in the same order.
    let others = [slot("evil", "corp"), slot("acme", "other"), slot("acme.a", "corp"), slot("acm", "ecorp")];
    for other in &others {
        assert_eq!(ring.open(bound(other, "v1", 7), &good), Err(Broken::Changed), "{other:?}");
    }
    assert_eq!(ring.open(bound(&home, "v2", 7), &good), Err(Broken::Changed));
    assert_eq!(ring.open(bound(&home, "v1", 6), &good), Err(Broken::Changed));
    let fresh = ring.seal(bound(&home, "v1", 8), &Secret::new("sk-new")).unwrap();
    let mixed = Envelope { sealed: good.sealed, ..fresh };
    assert_eq!(ring.open(bound(&home, "v1", 8), &mixed), Err(Broken::Changed));
}

#[test]
fn another_key_opens_nothing_even_under_the_same_name() {
    let (home, new) = (slot("acme", "corp"), "22".repeat(32));
    let good = old().seal(bound(&home, "v1", 1), &Secret::new(SECRET)).unwrap();
    let missing = ring(&format!("new:{new}")).open(bound(&home, "v1", 1), &good);
    assert_eq!(missing, Err(Broken::NoKey("old".into())));
    assert_eq!(ring(&format!("old:{new}")).open(bound(&home, "v1", 1), &good), Err(Broken::Changed));
}

#[test]
fn a_rotation_wraps_the_key_anew_and_leaves_the_secret() {
    let home = slot("acme", "corp");
    let good = old().seal(bound(&home, "v1", 1), &Secret::new(SECRET)).unwrap();
    let (new, both) = ("22".repeat(32), ring(&format!("new:{},old:{}", "22".repeat(32), "11".repeat(32))));
    let moved = both.rewrap(bound(&home, "v1", 1), &good).unwrap();
    assert_eq!((moved.key_id.as_str(), &moved.sealed), ("new", &good.sealed));
    for (ring, envelope) in [(&both, &good), (&both, &moved), (&ring(&format!("new:{new}")), &moved)] {
        assert_eq!(ring.open(bound(&home, "v1", 1), envelope).unwrap().expose(), SECRET);
    }
    assert!(both.rewrap(bound(&home, "v1", 2), &good).is_err());
}

#[test]
fn a_manifest_that_was_changed_or_is_anothers_is_noticed() {
    let (ring, mut manifest) = (old(), Manifest::default());
    assert_eq!(manifest.change(&slot("acme", "corp"), Some("v1")), 1);
    assert_eq!(manifest.change(&slot("acme.a", "corp"), Some("v2")), 2);
    let tagged = ring.tag("acme", &manifest).unwrap();
    assert_eq!(ring.check("acme", &tagged), Ok(manifest.clone()));
    assert_eq!(ring.check("evil", &tagged), Err(Broken::Changed));
    for tag in tampered(&tagged.tag) {
        assert_eq!(ring.check("acme", &Tagged { tag, ..tagged.clone() }), Err(Broken::Changed));
    }
    for text in tampered(&tagged.text) {
        assert_eq!(ring.check("acme", &Tagged { text, ..tagged.clone() }), Err(Broken::Changed));
    }
    // A version never comes twice, not even when its row is gone.
    assert_eq!(manifest.change(&slot("acme", "corp"), None), 3);
    assert_eq!(manifest.change(&slot("acme", "corp"), Some("v3")), 4);
    assert_eq!(manifest.find(&slot("acme", "corp")).map(|mark| mark.version), Some(4));
}

#[test]
fn keys_are_read_as_digits_or_base64_and_told_without_themselves() {
    let base64 = "ERERERERERERERERERERERERERERERERERERERERERE=";
    let (digits, dashed) = ("11".repeat(32), "__-_".repeat(10) + "__8");
    let id = |text: &str| ring(text).first().unwrap().id.clone();
    assert_eq!(id(base64), id(&digits));
    assert_eq!(id(base64.trim_end_matches('=')), id(&digits));
    assert_eq!((id(&digits).len(), id(&format!(" a : {digits} , {dashed}\n")).as_str()), (8, "a"));
    let hush = "7".repeat(63);
    for wrong in ["", ",", "a:", &hush, &format!("a b:{digits}"), &format!("{digits},{digits}"), &digits.repeat(2)] {
        let why = format!("{:#}", Ring::read(wrong).unwrap_err());
        assert!(!why.contains("7777") && !why.contains("1111"), "{why}");
    }
}
