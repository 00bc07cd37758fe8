//! What the user said last, read byte by byte.

mod options;
mod words;

use super::{Features, Number, few, permille};
use crate::hub::{Part, Turn};
use crate::json::Text;
use options::Options;
use words::Reader;

/// Bytes that are read from the beginning of a long text. What is asked for stands there or at the end; what is between is material.
pub const HEAD: usize = 6_144;

/// Bytes that are read from its end.
pub const TAIL: usize = 2_048;

/// How a prompt ends that wants nothing but an answer.
const ANSWER: &str = "Answer:";

/// Reads the texts of a turn.
pub(super) fn read(turn: &Turn<'_>, features: &mut Features) {
    let said = said(turn);
    let options = Options::find(&said);
    options.count(features);
    bytes(&said, features);
    let mut reader = Reader::new(features);
    let mut end = "";
    for (place, line) in said.split_inclusive('\n').enumerate() {
        let words = line.trim_ascii_end();
        let stem = place < options.begin() && words != ANSWER;
        reader.line(line, stem);
        if stem && !words.is_empty() {
            end = words;
        }
    }
    reader.end();
    features.set(Number::EndsAsking, u32::from(end.ends_with('?')));
    features.set(Number::EndsOpen, u32::from(end.ends_with(':')));
}

/// The texts of a turn, a line each; of long ones their beginning and their end. A character or an escape that is cut through
/// makes no word that matters.
fn said(turn: &Turn<'_>) -> String {
    let texts = || {
        turn.parts.iter().filter_map(|part| match part {
            Part::Text { text, .. } => Some(text.raw()),
            _ => None,
        })
    };
    let length = texts().map(|text| text.len() + 1).fold(0usize, usize::saturating_add).saturating_sub(1);
    let left_out = if length > HEAD + TAIL { HEAD..length - TAIL } else { length..length };
    let mut said = String::with_capacity(length.min(HEAD + TAIL) + 2);
    let mut at = 0;
    for text in texts() {
        let head = text.get(..text.floor_char_boundary(left_out.start.saturating_sub(at))).unwrap_or_default();
        let tail = text.get(text.ceil_char_boundary(left_out.end.saturating_sub(at))..).unwrap_or_default();
        for piece in [head, tail].into_iter().filter(|piece| !piece.is_empty()) {
            said.push_str(&Text::escaped(piece).decode());
            said.push('\n');
        }
        at += text.len() + 1;
    }
    said.pop();
    said
}

/// What single bytes say, wherever they stand.
fn bytes(said: &str, features: &mut Features) {
    let mut times = [0u32; 256];
    for byte in said.bytes() {
        if let Some(times) = times.get_mut(usize::from(byte)) {
            *times += 1;
        }
    }
    let whole = few(said.len());
    features.set(Number::TextBytes, whole);
    let of = |bytes: &[u8]| bytes.iter().filter_map(|byte| times.get(usize::from(*byte))).sum::<u32>();
    for (number, marks) in MARKS {
        features.set(number, of(marks));
    }
    features.set(Number::MathShare, permille(of(b"=+-*/^<>\\{}_|"), whole));
    let digits = of(b"0123456789");
    features.set(Number::Digits, digits);
    features.set(Number::DigitShare, permille(digits, whole));
    features.set(Number::CapitalShare, permille(of(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"), whole));
    if !said.is_ascii() {
        scripts(said, features);
    }
}

/// Marks that are counted as they are.
const MARKS: [(Number, &[u8]); 19] = [
    (Number::Commas, b","),
    (Number::Semicolons, b";"),
    (Number::Colons, b":"),
    (Number::Quotes, b"\""),
    (Number::Apostrophes, b"'"),
    (Number::Parentheses, b"("),
    (Number::Brackets, b"["),
    (Number::Braces, b"{"),
    (Number::Equals, b"="),
    (Number::Plus, b"+"),
    (Number::Minus, b"-"),
    (Number::Slashes, b"/"),
    (Number::Carets, b"^"),
    (Number::Angles, b"<>"),
    (Number::Percents, b"%"),
    (Number::Dollars, b"$"),
    (Number::Backslashes, b"\\"),
    (Number::Underscores, b"_"),
    (Number::QuestionMarks, b"?"),
];

/// Which scripts are written, by ranges of their own: those of Unicode differ from compiler to compiler.
fn scripts(said: &str, features: &mut Features) {
    let mut scripts = [0u32; 6];
    for character in said.chars().filter(|character| !character.is_ascii()) {
        let script = match u32::from(character) {
            0xc0..0x250 | 0x1e00..0x1f00 => 0,
            0x370..0x530 | 0x1f00..0x2000 => 1,
            0x590..0x780 | 0x8a0..0x900 | 0xfb1d..0xfe00 | 0xfe70..0xff00 => 2,
            0x900..0x1100 => 3,
            0x1100..0x1200 | 0x3040..0xa000 | 0xac00..0xd7b0 | 0xf900..0xfb00 | 0x2_0000..0x3_2000 => 4,
            _ => 5,
        };
        if let Some(times) = scripts.get_mut(script) {
            *times += 1;
        }
    }
    let wide = scripts.iter().sum();
    features.set(Number::Wide, permille(wide, few(said.len())));
    let named = [Number::Accented, Number::Cyrillic, Number::Semitic, Number::Indic, Number::Han];
    named.into_iter().zip(scripts).for_each(|(number, times)| features.set(number, permille(times, wide)));
}
