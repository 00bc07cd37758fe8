//! The one place where JSON is emitted.
//!
//! ```
//! use dragoman_core::json::Writer;
//! let mut out = Writer::new();
//! out.object(|out| {
//!     out.field("model").string("m");
//!     out.field("stop").array(|out| {
//!         out.string("a \"quoted\" word");
//!         out.number(3);
//!     });
//! });
//! assert_eq!(out.as_str(), r#"{"model":"m","stop":["a \"quoted\" word",3]}"#);
//! ```
//!
//! Commas and brackets follow from the calls, so that what comes out is JSON whatever an error message contains.

use super::{Json, Text};

/// A JSON text under construction.
#[derive(Debug, Default, Clone)]
pub struct Writer {
    out: String,
    /// Whether the next value or name in the open container needs a comma before it.
    comma: bool,
}

impl Writer {
    /// An empty text.
    pub fn new() -> Writer {
        Writer::default()
    }

    /// An empty text with room for `bytes`.
    pub fn with_capacity(bytes: usize) -> Writer {
        Writer { out: String::with_capacity(bytes), comma: false }
    }

    /// What has been written.
    pub fn as_str(&self) -> &str {
        &self.out
    }

    /// What has been written.
    pub fn into_string(self) -> String {
        self.out
    }

    /// What has been written, as the bytes of a body.
    pub fn into_bytes(self) -> Vec<u8> {
        self.out.into_bytes()
    }

    /// Forgets what has been written and keeps the room.
    pub fn clear(&mut self) {
        self.out.clear();
        self.comma = false;
    }

    /// Writes an object whose members `fill` writes.
    pub fn object(&mut self, fill: impl FnOnce(&mut Writer)) {
        self.container('{', '}', fill);
    }

    /// Writes an array whose items `fill` writes.
    pub fn array(&mut self, fill: impl FnOnce(&mut Writer)) {
        self.container('[', ']', fill);
    }

    /// Writes a member's name; its value must be written next.
    pub fn field(&mut self, name: &str) -> &mut Writer {
        self.string(name);
        self.colon()
    }

    /// Writes a member's name that is still escaped; its value must be written next.
    pub fn field_text(&mut self, name: Text<'_>) -> &mut Writer {
        self.text(name);
        self.colon()
    }

    /// Writes members as they were read.
    pub fn members(&mut self, members: &[super::Member<'_>]) {
        for (name, value) in members {
            self.field_text(*name).raw(*value);
        }
    }

    /// Writes a value as it was read.
    pub fn raw(&mut self, value: Json<'_>) {
        self.separate();
        self.out.push_str(value.as_str());
    }

    /// Writes a value as it was read, but on one line: for frames that end with a line.
    pub fn raw_on_one_line(&mut self, value: Json<'_>) {
        self.separate();
        // Inside strings a line break is always escaped, so what is left out here is white space.
        self.out.extend(value.as_str().split(['\n', '\r']));
    }

    /// Writes a string whose inside is still escaped.
    pub fn text(&mut self, text: Text<'_>) {
        self.separate();
        self.out.push('"');
        self.out.push_str(text.raw());
        self.out.push('"');
    }

    /// Writes several pieces of still escaped text as one string.
    pub fn texts<'t>(&mut self, pieces: impl IntoIterator<Item = Text<'t>>) {
        self.separate();
        self.out.push('"');
        for piece in pieces {
            self.out.push_str(piece.raw());
        }
        self.out.push('"');
    }

    /// Writes a string, escaping it.
    pub fn string(&mut self, string: &str) {
        self.separate();
        self.out.push('"');
        escape_into(string, &mut self.out);
        self.out.push('"');
    }

    /// Writes an array of strings.
    pub fn strings(&mut self, strings: impl IntoIterator<Item = impl AsRef<str>>) {
        self.array(|out| strings.into_iter().for_each(|string| out.string(string.as_ref())));
    }

    /// Writes a whole number.
    pub fn number(&mut self, number: u64) {
        self.separate();
        self.out.push_str(&number.to_string());
    }

    /// Writes `true` or `false`.
    pub fn bool(&mut self, value: bool) {
        self.raw(Json::trusted(if value { "true" } else { "false" }));
    }

    /// Writes `null`.
    pub fn null(&mut self) {
        self.raw(Json::NULL);
    }

    fn colon(&mut self) -> &mut Writer {
        self.out.push(':');
        self.comma = false;
        self
    }

    fn container(&mut self, open: char, close: char, fill: impl FnOnce(&mut Writer)) {
        self.separate();
        self.out.push(open);
        self.comma = false;
        fill(self);
        self.out.push(close);
        self.comma = true;
    }

    fn separate(&mut self) {
        if self.comma {
            self.out.push(',');
        }
        self.comma = true;
    }
}

/// A text as a JSON string.
pub fn quoted(text: &str) -> String {
    let mut out = Writer::with_capacity(text.len() + 2);
    out.string(text);
    out.into_string()
}

/// Appends `string` to `out` as the inside of a JSON string.
pub fn escape_into(string: &str, out: &mut String) {
    let mut plain_from = 0;
    for (at, byte) in string.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0x00..=0x1f => "",
            _ => continue,
        };
        out.push_str(string.get(plain_from..at).unwrap_or_default());
        if escape.is_empty() {
            const HEX: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
            out.push_str("\\u00");
            out.extend([byte >> 4, byte & 15].iter().filter_map(|digit| HEX.get(usize::from(*digit))));
        } else {
            out.push_str(escape);
        }
        plain_from = at + 1;
    }
    out.push_str(string.get(plain_from..).unwrap_or_default());
}
