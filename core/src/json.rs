//! Slices of wire JSON: a value is the text it was written in.
//!
//! ```
//! use dragoman_core::json::Json;
//! let body = Json::parse(br#"{"model":"m","n":[1,2]}"#).unwrap();
//! assert!(body.get("model").and_then(Json::text).is_some_and(|name| name.is("m")));
//! assert_eq!(body.get("n").map(|n| n.items().count()), Some(2));
//! ```
//!
//! A [`Json`] borrows the validated text of exactly one value, a [`Text`] the still escaped inside of a string. Nothing is
//! decoded, copied or allocated until somebody needs the characters, so a prompt of a megabyte crosses dialects as one slice.
//!
//! Why not a tree: a gateway reads a dozen members and passes the rest on; building and printing a tree costs more than all
//! its other work, loses number spellings and reorders members, and providers' prompt caches notice.
//!
//! Limits: [`scan::MAX_DEPTH`] levels, [`scan::MAX_TOP_LEVEL_MEMBERS`] members in the outermost object. Reading the members
//! of a value walks over its text, so reading level by level costs at most depth × length. What is read often, and may be large,
//! is a [`Document`]: it remembers where its large values end, and walking over them costs a look.

mod brackets;
mod document;
pub mod edit;
pub mod path;
pub mod scan;
pub mod schema;
mod text;
pub mod write;

pub use brackets::Brackets;
pub use document::Document;
pub use scan::{ScanError, Trouble};
pub use text::Text;
pub use write::Writer;

use scan::Span;

/// The text of one valid JSON value, without white space around it.
#[derive(Clone, Copy)]
pub struct Json<'a> {
    text: &'a str,
    /// Where the text starts in its document, when it is of one.
    at: usize,
    /// The large values of that document.
    spans: &'a [Span],
}

impl PartialEq for Json<'_> {
    fn eq(&self, other: &Json<'_>) -> bool {
        self.text == other.text
    }
}

impl Eq for Json<'_> {}

impl core::fmt::Debug for Json<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("Json").field(&self.text).finish()
    }
}

/// A member of an object that nobody here has a word for: its name and its value, as they were written.
pub type Member<'a> = (Text<'a>, Json<'a>);

/// What a value is, told by its first byte.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// any number
    Number,
    /// a string
    String,
    /// `[…]`
    Array,
    /// `{…}`
    Object,
}

impl<'a> Json<'a> {
    /// `null`, for where a value is owed and there is none.
    pub const NULL: Json<'static> = Json::trusted("null");
    /// `{}`, for instance the arguments of a tool that takes none.
    pub const EMPTY_OBJECT: Json<'static> = Json::trusted("{}");

    /// Checks that `bytes` are one JSON value and nothing else (white space around it is allowed).
    pub fn parse(bytes: &'a [u8]) -> Result<Json<'a>, ScanError> {
        let text = scan::utf8(bytes)?;
        let span = scan::document(text, None)?;
        Ok(Json::trusted(text.get(span.start..span.end).unwrap_or("null")))
    }

    /// What kind of value it is.
    pub fn kind(self) -> Kind {
        match self.text.as_bytes().first() {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'"') => Kind::String,
            Some(b't' | b'f') => Kind::Bool,
            Some(b'n') | None => Kind::Null,
            Some(_) => Kind::Number,
        }
    }

    /// The value as it was written.
    pub fn as_str(self) -> &'a str {
        self.text
    }

    /// Whether it is `null`.
    pub fn is_null(self) -> bool {
        self.kind() == Kind::Null
    }

    /// The members of an object in their order; nothing for any other kind.
    pub fn members(self) -> Members<'a> {
        Members(Walk::inside(self, Kind::Object))
    }

    /// The items of an array in their order; nothing for any other kind.
    pub fn items(self) -> Items<'a> {
        Items(Walk::inside(self, Kind::Array))
    }

    /// The first member of that name, however its name was escaped.
    pub fn get(self, name: &str) -> Option<Json<'a>> {
        self.members().find(|(key, _)| key.is(name)).map(|(_, value)| value)
    }

    /// Follows names from object to object.
    pub fn at(self, path: &[&str]) -> Option<Json<'a>> {
        path.iter().try_fold(self, |value, name| value.get(name))
    }

    /// The inside of a string.
    pub fn text(self) -> Option<Text<'a>> {
        let inside = self.text.strip_prefix('"')?.strip_suffix('"')?;
        Some(Text::escaped(inside))
    }

    /// A string's characters.
    pub fn string(self) -> Option<String> {
        self.text().map(|text| text.decode().into_owned())
    }

    /// `true` or `false`.
    pub fn bool(self) -> Option<bool> {
        match self.text {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }

    /// A whole number from 0 up; `3.0` and `3e2` count as whole, as they do for the providers' own parsers.
    pub fn u64(self) -> Option<u64> {
        if let Ok(number) = self.text.parse::<u64>() {
            return Some(number);
        }
        let number = self.f64()?;
        let whole = number >= 0.0 && number.fract() == 0.0 && number <= 9_007_199_254_740_992.0;
        whole.then_some(number as u64)
    }

    /// A finite number.
    pub fn f64(self) -> Option<f64> {
        if self.kind() != Kind::Number {
            return None;
        }
        self.text.parse::<f64>().ok().filter(|number| number.is_finite())
    }

    /// The value a validated text already is; for slices that scan and edit cut out of one.
    pub(crate) const fn trusted(text: &'a str) -> Json<'a> {
        Json { text, at: 0, spans: &[] }
    }
}

/// Iterator over an object's members.
#[derive(Clone)]
pub struct Members<'a>(Walk<'a>);

impl<'a> Iterator for Members<'a> {
    type Item = Member<'a>;

    fn next(&mut self) -> Option<Member<'a>> {
        let name = self.0.value()?;
        self.0.separator();
        let value = self.0.value()?;
        self.0.separator();
        Some((name.text()?, value))
    }
}

/// Iterator over an array's items.
#[derive(Clone)]
pub struct Items<'a>(Walk<'a>);

impl<'a> Iterator for Items<'a> {
    type Item = Json<'a>;

    fn next(&mut self) -> Option<Json<'a>> {
        let value = self.0.value()?;
        self.0.separator();
        Some(value)
    }
}

/// A position inside a validated container.
#[derive(Clone)]
struct Walk<'a> {
    container: Json<'a>,
    at: usize,
}

impl<'a> Walk<'a> {
    fn inside(container: Json<'a>, kind: Kind) -> Walk<'a> {
        let mut container = if container.kind() == kind { container } else { Json::trusted("") };
        let at = scan::skip_space(container.text.as_bytes(), 1);
        // The spans of what is inside: those after the container's own, while they last.
        let first = container.spans.partition_point(|span| span.start <= container.at);
        container.spans = container.spans.get(first..).unwrap_or_default();
        Walk { container, at }
    }

    /// The value here, or `None` at the container's end.
    fn value(&mut self) -> Option<Json<'a>> {
        let Json { text, at: base, spans } = self.container;
        if matches!(text.as_bytes().get(self.at), None | Some(b'}' | b']')) {
            return None;
        }
        let at = base + self.at;
        let known = spans.first().filter(|span| span.start == at);
        let end = known.map_or_else(|| scan::skip_value(text.as_bytes(), self.at), |span| span.end - base);
        let value = Json { text: text.get(self.at..end)?, at, spans };
        if known.is_some() {
            let inside = spans.partition_point(|span| span.start < base + end);
            self.container.spans = spans.get(inside..).unwrap_or_default();
        }
        self.at = end;
        Some(value)
    }

    /// Steps over `:` or `,` and the white space around it.
    fn separator(&mut self) {
        let bytes = self.container.text.as_bytes();
        self.at = scan::skip_space(bytes, self.at);
        if matches!(bytes.get(self.at), Some(b':' | b',')) {
            self.at = scan::skip_space(bytes, self.at + 1);
        }
    }
}

#[cfg(test)]
mod tests;
