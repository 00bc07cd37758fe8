//! Schemas in the words of JSON schema: types that a dialect writes in capitals (`"type":"STRING"`) become small.
//!
//! A schema without capitals is passed on as one slice.

use crate::json::{Json, Kind, Text, Writer};

/// The types of JSON schema.
const TYPES: [&str; 7] = ["object", "array", "string", "number", "integer", "boolean", "null"];

/// Writes the schema of a function's arguments, which the provider demands.
pub(super) fn write_parameters(schema: Option<Json<'_>>, out: &mut Writer) {
    match schema.filter(|schema| schema.kind() == Kind::Object) {
        Some(schema) if schema.members().next().is_some() => write(schema, out),
        _ => out.object(|out| {
            out.field("type").string("object");
            out.field("properties").object(|_| {});
        }),
    }
}

/// Writes a schema.
pub(super) fn write(schema: Json<'_>, out: &mut Writer) {
    let text = schema.as_str();
    match TYPES.iter().any(|word| text.contains(&word.to_ascii_uppercase())) {
        true => anew(schema, out),
        false => out.raw(schema),
    }
}

/// Whether a schema demands at least one argument.
pub(super) fn demands(schema: Option<Json<'_>>) -> bool {
    let required = schema.and_then(|schema| schema.get("required"));
    required.is_some_and(|required| required.items().next().is_some())
}

fn anew(schema: Json<'_>, out: &mut Writer) {
    match schema.kind() {
        Kind::Object => out.object(|out| schema.members().for_each(|(name, value)| member(name, value, out))),
        Kind::Array => out.array(|out| schema.items().for_each(|item| anew(item, out))),
        _ => out.raw(schema),
    }
}

fn member(name: Text<'_>, value: Json<'_>, out: &mut Writer) {
    let out = out.field_text(name);
    match name.decode().as_ref() {
        "type" => kind(value, out),
        // Data, not schema: its capitals are the caller's.
        "enum" | "const" | "default" | "example" | "examples" => out.raw(value),
        _ => anew(value, out),
    }
}

/// The value of `type`: a word, several, or the schema of a property that happens to be called so.
fn kind(value: Json<'_>, out: &mut Writer) {
    match value.kind() {
        Kind::String => {
            let small = value.text().and_then(|word| TYPES.iter().find(|kind| word.is(&kind.to_ascii_uppercase())));
            match small {
                Some(small) => out.string(small),
                None => out.raw(value),
            }
        }
        Kind::Array => out.array(|out| value.items().for_each(|item| kind(item, out))),
        _ => anew(value, out),
    }
}
