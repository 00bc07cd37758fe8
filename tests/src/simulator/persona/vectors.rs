//! Vectors of texts, and bytes as text: what every dialect's embeddings are made of.

/// How long a vector is when nobody says.
pub const DIMENSIONS: usize = 8;

/// The vector of a text: the same for the same text, another for another, of length one.
pub fn vector(text: &str, dimensions: usize) -> Vec<f32> {
    let mut state = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // The upper sixteen bits, so that every part has an exact short form.
        f32::from(u16::try_from(state >> 48).unwrap_or_default()) / 65_536.0 - 0.5
    };
    let parts: Vec<f32> = (0..dimensions).map(|_| next()).collect();
    let length = parts.iter().map(|part| part * part).sum::<f32>().sqrt();
    parts.iter().map(|part| if length > 0.0 { part / length } else { 0.0 }).collect()
}

/// The bytes of a vector: each part in four, the lowest first.
pub fn bytes(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|part| part.to_le_bytes()).collect()
}

/// Bytes as base64, padded.
pub fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let at = |index: usize| u32::from(three.get(index).copied().unwrap_or_default());
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for place in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= three.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_as_its_standard_says() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(base64(&[0xfb, 0xff]), "+/8=");
    }

    #[test]
    fn a_vector_is_of_its_text_and_of_length_one() {
        let hello = vector("hello", DIMENSIONS);
        assert_eq!(hello, vector("hello", DIMENSIONS));
        assert_ne!(hello, vector("hallo", DIMENSIONS));
        let length: f32 = hello.iter().map(|part| part * part).sum();
        assert!((length - 1.0).abs() < 1e-5, "{length}");
        assert_eq!(bytes(&hello).len(), 4 * DIMENSIONS);
    }
}
