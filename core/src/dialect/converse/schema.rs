//! Schemas in the words of JSON schema, whatever dialect they come from.
//!
//! ```text
//! {"type":"OBJECT","properties":{"n":{"type":"STRING","nullable":true}}}
//! → {"type":"object","properties":{"n":{"type":["string","null"]}}}
//! ```
//!
//! Some dialects write types in capitals and have `nullable`. Everything else passes as it was written.

use crate::dialect::ascii_text;
use crate::json::{Json, Kind, Text, Writer};

/// What becomes of objects that do not say whether other members may stand in them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Objects {
    /// They stay as they are.
    AsSaid,
    /// They are closed: the form of an answer must be exact.
    Closed,
}

/// The seven types in both spellings.
const TYPES: [(&str, &str); 7] = [
    ("OBJECT", "object"),
    ("ARRAY", "array"),
    ("STRING", "string"),
    ("NUMBER", "number"),
    ("INTEGER", "integer"),
    ("BOOLEAN", "boolean"),
    ("NULL", "null"),
];

/// Writes the schema of a function's arguments; it must be one of an object, so one that says no type becomes one.
pub(super) fn of_arguments(schema: Option<Json<'_>>, out: &mut Writer) {
    let schema = schema.filter(|schema| schema.kind() == Kind::Object).unwrap_or(Json::EMPTY_OBJECT);
    let typed = schema.get("type").is_some_and(|word| !word.is_null());
    out.object(|out| {
        if !typed {
            out.field("type").string("object");
        }
        if schema.get("type").is_none() && schema.get("properties").is_none() {
            out.field("properties").object(|_| {});
        }
        members(schema, Objects::AsSaid, out);
    });
}

/// Writes a schema.
pub(super) fn write(schema: Json<'_>, objects: Objects, out: &mut Writer) {
    match schema.kind() {
        Kind::Object => out.object(|out| members(schema, objects, out)),
        _ => out.raw(schema),
    }
}

fn members(schema: Json<'_>, objects: Objects, out: &mut Writer) {
    let nullable = schema.get("nullable").and_then(Json::bool);
    let (mut of_object, mut decided) = (false, false);
    for (name, value) in schema.members() {
        match name.decode().as_ref() {
            "type" if value.is_null() => {}
            "type" => {
                of_object |= value.text().is_some_and(|word| word.decode().eq_ignore_ascii_case("object"));
                kind(value, nullable == Some(true), out.field("type"));
            }
            "nullable" if nullable.is_some() => {}
            "properties" | "$defs" | "definitions" | "patternProperties" if value.kind() == Kind::Object => {
                of_object |= name.is("properties");
                out.field_text(name).object(|out| {
                    value.members().for_each(|(name, schema)| write(schema, objects, out.field_text(name)));
                });
            }
            "anyOf" | "oneOf" | "allOf" | "prefixItems" if value.kind() == Kind::Array => {
                out.field_text(name).array(|out| value.items().for_each(|schema| write(schema, objects, out)));
            }
            "items" | "not" => write(value, objects, out.field_text(name)),
            "additionalProperties" => {
                decided = true;
                write(value, objects, out.field_text(name));
            }
            _ => out.field_text(name).raw(value),
        }
    }
    if objects == Objects::Closed && of_object && !decided {
        out.field("additionalProperties").bool(false);
    }
}

fn kind(value: Json<'_>, or_null: bool, out: &mut Writer) {
    let Some(word) = value.text() else { return out.raw(value) };
    let known = TYPES.iter().find(|(capital, _)| word.is(capital));
    let word: Text<'_> = known.map_or(word, |(_, small)| ascii_text(small));
    match or_null {
        true => out.array(|out| {
            out.text(word);
            out.string("null");
        }),
        false => out.text(word),
    }
}
