//! Schemas of other dialects in the words of JSON schema, which is what this provider checks.
//!
//! ```text
//! {"type":"OBJECT","properties":{"n":{"type":"STRING","nullable":true}}}
//! → {"type":"object","properties":{"n":{"type":["string","null"]}}}
//! ```
//!
//! Generate content writes types in capitals and has `nullable`; the form of an answer must close its objects
//! (`additionalProperties: false`), which others ask for only sometimes. Everything else passes as it was written.

use crate::json::{Json, Kind, Text, Writer};

/// Whether objects may have members the schema does not name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Objects {
    /// As the schema says.
    AsSaid,
    /// Closed where the schema says nothing.
    Closed,
}

/// Writes the schema of a function's arguments, which must be one of an object.
pub(super) fn write_input(schema: Option<Json<'_>>, out: &mut Writer) {
    match schema.filter(|schema| schema.kind() == Kind::Object) {
        Some(schema) if schema.get("type").is_some_and(|word| !word.is_null()) => write(schema, Objects::AsSaid, out),
        Some(schema) => out.object(|out| {
            out.field("type").string("object");
            members(schema, Objects::AsSaid, out);
        }),
        None => out.object(|out| {
            out.field("type").string("object");
            out.field("properties").object(|_| {});
        }),
    }
}

/// Writes a schema.
pub(super) fn write(schema: Json<'_>, objects: Objects, out: &mut Writer) {
    match schema.kind() {
        Kind::Object => out.object(|out| members(schema, objects, out)),
        _ => out.raw(schema),
    }
}

fn members(schema: Json<'_>, objects: Objects, out: &mut Writer) {
    let nullable = schema.get("nullable").and_then(Json::bool).is_some();
    let mut is_object = false;
    let mut is_closed = false;
    for (name, value) in schema.members() {
        match name.decode().as_ref() {
            "type" => {
                is_object |= value.text().is_some_and(|word| word.decode().eq_ignore_ascii_case("object"));
                kind(value, schema.get("nullable").and_then(Json::bool) == Some(true), out);
            }
            "nullable" if nullable => {}
            "properties" | "$defs" | "definitions" | "patternProperties" | "dependentSchemas" => {
                is_object |= name.is("properties");
                map(name, value, objects, out);
            }
            "anyOf" | "oneOf" | "allOf" | "prefixItems" if value.kind() == Kind::Array => {
                out.field_text(name).array(|out| value.items().for_each(|item| write(item, objects, out)));
            }
            "additionalProperties" => {
                is_closed = true;
                write(value, objects, out.field_text(name));
            }
            "items" | "not" | "if" | "then" | "else" | "contains" => write(value, objects, out.field_text(name)),
            _ => out.field_text(name).raw(value),
        }
    }
    if objects == Objects::Closed && is_object && !is_closed {
        out.field("additionalProperties").bool(false);
    }
}

fn map(name: Text<'_>, value: Json<'_>, objects: Objects, out: &mut Writer) {
    if value.kind() != Kind::Object {
        return out.field_text(name).raw(value);
    }
    out.field_text(name).object(|out| {
        for (name, schema) in value.members() {
            write(schema, objects, out.field_text(name));
        }
    });
}

/// Writes the type, in small letters when it is one of the seven in capitals.
fn kind(value: Json<'_>, or_null: bool, out: &mut Writer) {
    let out = out.field("type");
    let Some(word) = value.text() else { return out.raw(value) };
    let word = match word.decode().as_ref() {
        "OBJECT" => ascii("object"),
        "ARRAY" => ascii("array"),
        "STRING" => ascii("string"),
        "NUMBER" => ascii("number"),
        "INTEGER" => ascii("integer"),
        "BOOLEAN" => ascii("boolean"),
        "NULL" => ascii("null"),
        _ => word,
    };
    match or_null {
        true => out.array(|out| {
            out.text(word);
            out.string("null");
        }),
        false => out.text(word),
    }
}

fn ascii(word: &'static str) -> Text<'static> {
    crate::dialect::ascii_text(word)
}
