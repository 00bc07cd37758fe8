//! The inside of a JSON string, still escaped.

use std::borrow::Cow;

/// The characters between two quotes as they stand in the wire text: escapes are not decoded until somebody asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Text<'a>(&'a str);

impl<'a> Text<'a> {
    /// No characters.
    pub const EMPTY: Text<'static> = Text("");

    /// Takes `inside` as already escaped: no bare quote, no control character, every backslash a valid escape.
    pub(crate) fn escaped(inside: &'a str) -> Text<'a> {
        Text(inside)
    }

    /// Takes a plain string that needs no escaping, such as an identifier; `None` when it would.
    pub fn plain(text: &'a str) -> Option<Text<'a>> {
        let needs_escaping = text.bytes().any(|byte| byte < 0x20 || byte == b'"' || byte == b'\\');
        (!needs_escaping).then_some(Text(text))
    }

    /// The characters as they stand in the wire text, escapes and all.
    pub fn raw(self) -> &'a str {
        self.0
    }

    /// Whether there are no characters.
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// Whether it spells `word`, however it was escaped.
    pub fn is(self, word: &str) -> bool {
        self.0 == word || (self.0.contains('\\') && self.decode() == word)
    }

    /// The characters it stands for. A lone surrogate becomes U+FFFD, as it has no character.
    pub fn decode(self) -> Cow<'a, str> {
        if memchr::memchr(b'\\', self.0.as_bytes()).is_none() {
            return Cow::Borrowed(self.0);
        }
        let mut out = String::with_capacity(self.0.len());
        let mut rest = self.0;
        while let Some(found) = memchr::memchr(b'\\', rest.as_bytes()) {
            let (before, escape) = rest.split_at(found);
            out.push_str(before);
            let (character, length) = unescape(escape);
            out.push(character);
            rest = escape.get(length..).unwrap_or_default();
        }
        out.push_str(rest);
        Cow::Owned(out)
    }
}

/// The character that the escape at the start of `text` stands for, and the escape's length in bytes.
fn unescape(text: &str) -> (char, usize) {
    let character = match text.as_bytes().get(1) {
        Some(b'n') => '\n',
        Some(b't') => '\t',
        Some(b'r') => '\r',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'u') => return unescape_unicode(text),
        Some(&other) => char::from(other),
        None => return (char::REPLACEMENT_CHARACTER, text.len().max(1)),
    };
    (character, 2)
}

fn unescape_unicode(text: &str) -> (char, usize) {
    let unit = |at: usize| text.get(at..at + 4).and_then(|digits| u32::from_str_radix(digits, 16).ok());
    match unit(2) {
        Some(high @ 0xD800..=0xDBFF) if text.get(6..8) == Some("\\u") => match unit(8) {
            Some(low @ 0xDC00..=0xDFFF) => {
                let point = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
                (char::from_u32(point).unwrap_or(char::REPLACEMENT_CHARACTER), 12)
            }
            _ => (char::REPLACEMENT_CHARACTER, 6),
        },
        Some(point) => (char::from_u32(point).unwrap_or(char::REPLACEMENT_CHARACTER), 6),
        None => (char::REPLACEMENT_CHARACTER, 2),
    }
}
