//! A JSON text of its own, checked once and read often.

use super::Json;
use super::scan::{self, ScanError, Span};

/// A validated JSON text that remembers where its large values end.
///
/// ```
/// use dragoman_core::json::Document;
/// let body = Document::read(br#" {"model":"m"} "#.to_vec()).unwrap();
/// assert_eq!(body.json().as_str(), r#"{"model":"m"}"#);
/// ```
#[derive(Clone, Debug)]
pub struct Document {
    text: String,
    value: Span,
    spans: Vec<Span>,
}

impl Document {
    /// Checks that `bytes` are one JSON value and nothing else, and takes them.
    pub fn read(bytes: Vec<u8>) -> Result<Document, ScanError> {
        let text = String::from_utf8(bytes).map_err(|error| scan::not_utf8(error.utf8_error()))?;
        let mut spans = Vec::new();
        let value = scan::document(&text, Some(&mut spans))?;
        Ok(Document { text, value, spans })
    }

    /// The value.
    pub fn json(&self) -> Json<'_> {
        let text = self.text.get(self.value.start..self.value.end).unwrap_or("null");
        Json { text, at: self.value.start, spans: &self.spans }
    }

    /// The bytes it was read from.
    pub fn into_bytes(self) -> Vec<u8> {
        self.text.into_bytes()
    }

    /// The whole text, white space included.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Length of the whole text in bytes, white space included.
    pub fn len(&self) -> usize {
        self.text.len()
    }

    /// Whether the text has no bytes; no JSON text has none.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}
