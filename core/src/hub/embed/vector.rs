//! The numbers of a vector in their two encodings.
//!
//! ```
//! use dragoman_core::hub::embed::{Encoding, vector};
//! use dragoman_core::json::{Json, Writer};
//! let numbers = Json::parse(b"[1, -0.5]").unwrap();
//! let mut out = Writer::new();
//! vector::write(numbers, Encoding::Base64, &mut out);
//! assert_eq!(out.as_str(), r#""AACAPwAAAL8=""#);
//! ```
//!
//! **Why both ways.** The OpenAI SDKs ask for base64 unless told otherwise, and few providers know it; some providers answer
//! in base64 unasked. What is asked for and what comes are two things, so the writer turns one into the other.
//!
//! A vector that already is as it shall be is passed on as it was written: no number changes its spelling. The other
//! way round numbers are those of 32 bits, written with as few digits as tell them apart.
//!
//! **Limits.** Base64 of something else than 32-bit floats (8-bit integers, bits) is not understood. It can only be told by
//! numbers that no vector has, see [`MAX_NUMBER`].

use super::Encoding;
use crate::json::{Json, Kind, Writer};
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// The largest number that is believed to be one of a vector. Most vectors have length 1 and the wildest seen stay below
/// a thousand; bytes that are no floats nearly always hold a larger one among hundreds.
pub const MAX_NUMBER: f32 = 1e6;

/// The alphabet of RFC 4648, section 4; not every server pads.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Whether it is a vector in one of the encodings.
pub fn is_one(vector: Json<'_>) -> bool {
    match vector.kind() {
        Kind::Array => vector.items().all(|number| number.kind() == Kind::Number),
        Kind::String => decoded(vector).is_some(),
        _ => false,
    }
}

/// Writes a vector in that encoding. What [`is_one`] denies is written as it is.
pub fn write(vector: Json<'_>, encoding: Encoding, out: &mut Writer) {
    match (vector.kind(), encoding) {
        (Kind::Array, Encoding::Base64) => {
            let numbers = vector.items().map(|number| number.as_str().parse::<f32>().unwrap_or_default());
            let bytes: Vec<u8> = numbers.flat_map(f32::to_le_bytes).collect();
            out.string(&BASE64.encode(bytes));
        }
        (Kind::String, Encoding::Float) => match decoded(vector) {
            Some(numbers) => out.array(|out| {
                // The shortest spelling of a finite float is a JSON number.
                numbers.iter().for_each(|number| out.raw(Json::trusted(&format!("{number:?}"))));
            }),
            None => out.raw(vector),
        },
        _ => out.raw(vector),
    }
}

/// The numbers in a string of base64, if that is what it holds.
fn decoded(vector: Json<'_>) -> Option<Vec<f32>> {
    let bytes = BASE64.decode(vector.text()?.decode().as_bytes()).ok()?;
    let (numbers, rest) = bytes.as_chunks::<4>();
    let numbers: Vec<f32> = numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    // Not true of what is no number at all.
    let believable = numbers.iter().all(|number| number.abs() <= MAX_NUMBER);
    (rest.is_empty() && believable).then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(vector: &str, encoding: Encoding) -> String {
        let mut out = Writer::new();
        write(Json::parse(vector.as_bytes()).unwrap(), encoding, &mut out);
        out.into_string()
    }

    fn is_vector(text: &str) -> bool {
        is_one(Json::parse(text.as_bytes()).unwrap())
    }

    #[test]
    fn what_is_right_already_keeps_its_spelling() {
        assert_eq!(written("[1.0, 1e-1]", Encoding::Float), "[1.0, 1e-1]");
        assert_eq!(written(r#""AACAPw==""#, Encoding::Base64), r#""AACAPw==""#);
    }

    #[test]
    fn base64_is_read_with_and_without_padding_and_escapes() {
        assert_eq!(written(r#""AACAPwAAAL8=""#, Encoding::Float), "[1.0,-0.5]");
        assert_eq!(written(r#""AACAPwAAAL8""#, Encoding::Float), "[1.0,-0.5]");
        assert_eq!(written(r#""AAD\/Pw==""#, Encoding::Float), written(r#""AAD/Pw==""#, Encoding::Float));
        assert_eq!(written(r#""""#, Encoding::Float), "[]");
    }

    #[test]
    fn what_is_no_vector_is_noticed() {
        for wrong in ["null", "{}", r#"["1"]"#, r#""AAA""#, r#""????""#, r#""AAB//w==""#, r#""AADAfw==""#] {
            assert!(!is_vector(wrong), "{wrong}");
        }
        // 8-bit integers: 1, 0, -10, 127 as a float is far beyond any number of a vector.
        assert!(!is_vector(&format!("{:?}", BASE64.encode([1, 0, 0xf6, 0x7f]))));
        assert!(is_vector("[]") && is_vector("[1,-2.5e3]"));
    }

    proptest! {
        #[test]
        fn both_ways_give_the_same_numbers(numbers in prop::collection::vec(-1e6f32..1e6, 0..40)) {
            let plain = format!("{numbers:?}");
            let base64 = written(&plain, Encoding::Base64);
            prop_assert!(is_vector(&base64));
            let again = written(&base64, Encoding::Float);
            let again: Vec<f32> = serde_json::from_str(&again).unwrap();
            prop_assert_eq!(again, numbers);
        }
    }
}
