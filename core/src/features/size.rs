//! About how many tokens texts have. Of a long one the beginning is read and stands for the rest: what selects needs the
//! magnitude, and [`crate::hub::Request::weight`] reads all of it for what is reserved.

use super::few;
use crate::estimate::Ink;
use crate::hub::{Arguments, Tool};
use crate::json::{Json, Text};

/// Bytes that are read of one text.
const SAMPLE: usize = 2_048;

/// Of a string of a request.
pub(super) fn text(text: Text<'_>) -> u32 {
    let mut ink = Ink::default();
    let read = cut(text.raw());
    ink.read(Text::escaped(read));
    scaled(ink, read, text.raw())
}

/// Of JSON.
pub(super) fn json(json: Json<'_>) -> u32 {
    let mut ink = Ink::default();
    let read = cut(json.as_str());
    ink.json(read);
    scaled(ink, read, json.as_str())
}

/// Of what a tool is called with.
pub(super) fn arguments(arguments: &Arguments<'_>) -> u32 {
    match arguments {
        Arguments::Object(object) => json(*object),
        Arguments::Encoded(said) | Arguments::Plain(said) => text(*said),
    }
}

/// Of what is said of a tool.
pub(super) fn tool(tool: &Tool<'_>) -> u32 {
    let (name, description, form) = match tool {
        Tool::Function(function) => (function.name, function.description, function.schema),
        Tool::Custom(custom) => (custom.name, custom.description, custom.format),
        Tool::Other(json) => (Text::EMPTY, None, Some(*json)),
    };
    let words = text(name).saturating_add(text(description.unwrap_or_default()));
    words.saturating_add(form.map_or(0, json))
}

fn cut(text: &str) -> &str {
    text.get(..text.floor_char_boundary(SAMPLE)).unwrap_or(text)
}

fn scaled(ink: Ink, read: &str, whole: &str) -> u32 {
    let length = |text: &str| text.len() as u64;
    let tokens = ink.tokens().saturating_mul(length(whole)) / length(read).max(1);
    few(usize::try_from(tokens).unwrap_or(usize::MAX))
}
