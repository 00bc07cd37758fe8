//! The items of one JSON array that comes bit by bit (Gemini's streaming without `alt=sse`).

use super::{MAX_FRAME, TooLarge};
use crate::json::Brackets;

/// What is known of an unfinished item.
#[derive(Debug, Default)]
pub struct JsonArray {
    item: Vec<u8>,
    place: Brackets,
    closed: bool,
}

impl JsonArray {
    /// Takes the next bytes and gives out the text of each item (objects only) that they complete.
    pub fn push(&mut self, chunk: &[u8], each: &mut dyn FnMut(&[u8])) -> Result<(), TooLarge> {
        for &byte in chunk {
            let before = self.place.depth();
            let begins = before == 1 && byte == b'{' && !self.place.in_string();
            self.place.step(byte);
            let after = self.place.depth();
            self.closed |= before == 1 && after == 0;
            if before >= 2 || begins {
                self.item.push(byte);
                if after == 1 {
                    each(&self.item);
                    self.item.clear();
                }
            }
            if self.item.len() > MAX_FRAME {
                return Err(TooLarge);
            }
        }
        Ok(())
    }

    /// Whether the array's closing bracket was seen.
    pub fn is_closed(&self) -> bool {
        self.closed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn items(chunks: &[&[u8]]) -> (Vec<String>, bool) {
        let mut array = JsonArray::default();
        let mut items = Vec::new();
        for chunk in chunks {
            array.push(chunk, &mut |item| items.push(String::from_utf8_lossy(item).into_owned())).unwrap();
        }
        (items, array.is_closed())
    }

    #[test]
    fn items_are_cut_out_whole() {
        let text = br#"[{"a":"}]\"{"},
{"b":[{}]}
]"#;
        assert_eq!(items(&[text]), (vec![r#"{"a":"}]\"{"}"#.to_string(), r#"{"b":[{}]}"#.to_string()], true));
        assert_eq!(items(&[br#"["{",1,"}",{}]"#]), (vec!["{}".to_string()], true));
        assert_eq!(items(&[br#"[{"a":1},{"b"#]), (vec![r#"{"a":1}"#.to_string()], false));
    }

    proptest! {
        #[test]
        fn chunking_does_not_matter(cut in 0usize..40) {
            let text: &[u8] = br#"[{"a":"}]\"{"},{"b":[{"c":"\\"}]}]"#;
            let (one, two) = text.split_at(cut.min(text.len()));
            prop_assert_eq!(items(&[one, two]), items(&[text]));
        }
    }
}
