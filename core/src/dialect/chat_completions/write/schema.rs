//! Writes a foreign dialect's schema as JSON Schema.
//!
//! Some dialects spell the types of OpenAPI in capitals (`"type":"STRING"`), which JSON Schema does not know. Only those words
//! change; a schema without them is passed on as one slice.

use crate::json::{Json, Kind, Writer};

/// The words that stand for types.
const TYPES: [(&str, &str); 7] = [
    ("STRING", "string"),
    ("NUMBER", "number"),
    ("INTEGER", "integer"),
    ("BOOLEAN", "boolean"),
    ("ARRAY", "array"),
    ("OBJECT", "object"),
    ("NULL", "null"),
];

/// Writes `schema` with the types in lower case.
pub(super) fn write(schema: Json<'_>, out: &mut Writer) {
    let text = schema.as_str();
    let shouts = TYPES.iter().any(|(word, _)| text.contains(word));
    match shouts {
        true => value(schema, out),
        false => out.raw(schema),
    }
}

fn value(schema: Json<'_>, out: &mut Writer) {
    match schema.kind() {
        Kind::Object => out.object(|out| {
            schema.members().for_each(|(name, inside)| {
                out.field_text(name);
                match name.decode().as_ref() {
                    "type" => kind(inside, out),
                    // Data, not schema: words in capitals are the caller's.
                    "enum" | "const" | "default" | "example" | "examples" => out.raw(inside),
                    _ => value(inside, out),
                }
            })
        }),
        Kind::Array => out.array(|out| schema.items().for_each(|item| value(item, out))),
        _ => out.raw(schema),
    }
}

/// The value of `type`: a word, a list of words, or the schema of a property that is called `type`.
fn kind(inside: Json<'_>, out: &mut Writer) {
    match inside.kind() {
        Kind::String => {
            let known = TYPES.iter().find(|(word, _)| inside.text().is_some_and(|text| text.is(word)));
            match known {
                Some((_, lower)) => out.string(lower),
                None => out.raw(inside),
            }
        }
        Kind::Array => out.array(|out| inside.items().for_each(|item| kind(item, out))),
        _ => value(inside, out),
    }
}
