//! Schemas of other dialects in JSON Schema's words.
//!
//! ```text
//! {"type":"STRING","nullable":true} → {"type":["string","null"]}
//! ```
//!
//! Generate content spells types in capitals and has `nullable`. A schema with neither is passed on as one slice.

use crate::json::{Json, Kind, Text, Writer};

/// The types of JSON Schema.
const TYPES: [&str; 7] = ["string", "number", "integer", "boolean", "array", "object", "null"];

/// Writes a schema.
pub(super) fn write(schema: Json<'_>, out: &mut Writer) {
    let text = schema.as_str();
    let capitals = TYPES.iter().any(|word| text.contains(&format!("\"{}\"", word.to_ascii_uppercase())));
    match capitals || text.contains("\"nullable\"") {
        true => value(schema, out),
        false => out.raw(schema),
    }
}

/// Writes the schema of a function's arguments; the provider demands that of an object.
pub(super) fn arguments(schema: Option<Json<'_>>, out: &mut Writer) {
    match schema.filter(|schema| schema.kind() == Kind::Object) {
        Some(schema) if schema.get("type").is_some_and(|word| !word.is_null()) => write(schema, out),
        // `{}`, or only a description.
        Some(schema) => out.object(|out| {
            out.field("type").string("object");
            if schema.get("properties").is_none() {
                out.field("properties").object(|_| {});
            }
            members(schema, out);
        }),
        None => out.object(|out| {
            out.field("type").string("object");
            out.field("properties").object(|_| {});
        }),
    }
}

fn value(schema: Json<'_>, out: &mut Writer) {
    match schema.kind() {
        Kind::Object => out.object(|out| members(schema, out)),
        Kind::Array => out.array(|out| schema.items().for_each(|item| value(item, out))),
        _ => out.raw(schema),
    }
}

fn members(schema: Json<'_>, out: &mut Writer) {
    let nullable = schema.get("nullable").and_then(Json::bool);
    for (name, inside) in schema.members() {
        match name.decode().as_ref() {
            "type" if inside.kind() != Kind::Object => kind(inside, nullable == Some(true), out.field_text(name)),
            "nullable" if nullable.is_some() => {}
            // Names of the caller's, not of the schema.
            "properties" | "$defs" | "definitions" | "patternProperties" if inside.kind() == Kind::Object => {
                out.field_text(name).object(|out| {
                    inside.members().for_each(|(name, inside)| value(inside, out.field_text(name)));
                });
            }
            "enum" | "const" | "default" | "example" | "examples" | "required" => out.field_text(name).raw(inside),
            _ => value(inside, out.field_text(name)),
        }
    }
}

fn kind(inside: Json<'_>, nullable: bool, out: &mut Writer) {
    let one =
        |word: Text<'_>, out: &mut Writer| match TYPES.iter().find(|known| word.decode().eq_ignore_ascii_case(known)) {
            Some(known) => out.string(known),
            None => out.text(word),
        };
    match inside.text() {
        Some(word) if !nullable => one(word, out),
        Some(word) => out.array(|out| {
            one(word, out);
            out.string("null");
        }),
        None => match inside.kind() {
            Kind::Array => out.array(|out| inside.items().filter_map(Json::text).for_each(|word| one(word, out))),
            _ => out.raw(inside),
        },
    }
}
