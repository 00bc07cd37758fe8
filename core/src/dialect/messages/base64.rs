//! Bytes written in base64 (RFC 4648, section 4): plain texts in documents, events in the frames of an event stream.

/// The bytes, or `None` when the letters are none of base64. The padding at the end may be missing.
pub(super) fn decoded(text: &str) -> Option<Vec<u8>> {
    let letters = text.trim_end_matches('=').as_bytes();
    let mut bytes = Vec::with_capacity(letters.len() / 4 * 3 + 2);
    for group in letters.chunks(4) {
        let mut bits = 0u32;
        for letter in group {
            bits = bits << 6 | u32::from(value(*letter)?);
        }
        let [_, one, two, three] = (bits << (6 * (4 - group.len()))).to_be_bytes();
        match group.len() {
            4 => bytes.extend([one, two, three]),
            3 => bytes.extend([one, two]),
            2 => bytes.push(one),
            _ => return None,
        }
    }
    Some(bytes)
}

/// The text that the bytes are in UTF-8.
pub(super) fn decoded_text(text: &str) -> Option<String> {
    String::from_utf8(decoded(text)?).ok()
}

fn value(letter: u8) -> Option<u8> {
    Some(match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_letters_of_the_standard_are_read() {
        let vectors =
            [("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9vYg", "foob"), ("Zm9vYmE=", "fooba")];
        for (letters, bytes) in vectors {
            assert_eq!(decoded(letters).as_deref(), Some(bytes.as_bytes()), "{letters}");
        }
        for nonsense in ["A", "Zm9vA", "Zm 9", "Zm-_", "é"] {
            assert_eq!(decoded(nonsense), None, "{nonsense}");
        }
        assert_eq!(decoded_text("/w=="), None);
    }
}
