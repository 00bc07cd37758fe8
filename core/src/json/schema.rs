//! Schemas in OpenAPI's words, said in those of JSON Schema.
//!
//! ```
//! use dragoman_core::json::{Json, Writer, schema::{Objects, write}};
//! let schema = Json::parse(br#"{"type":"OBJECT","properties":{"n":{"type":"STRING","nullable":true}}}"#).unwrap();
//! let mut out = Writer::new();
//! write(schema, Objects::AsSaid, &mut out);
//! assert_eq!(out.as_str(), r#"{"type":"object","properties":{"n":{"type":["string","null"]}}}"#);
//! ```
//!
//! | OpenAPI, as Gemini has it | JSON Schema |
//! |---|---|
//! | types in capitals | in small letters |
//! | `nullable: true` | `null` among the types, the values of `enum`, or the choices of `anyOf` |
//! | numbers in strings (`"minItems":"1"`) | numbers |
//!
//! Everything else passes as it was written; a schema that has nothing of OpenAPI passes as one slice. What the caller named
//! (properties, definitions) and the caller's data (`enum`, `const`, `default`, `example`) are no schema's words, whatever they
//! are called.
//!
//! Two dialects need this, and a difference between their copies would be a difference between their tools: hence one.

use super::{Json, Kind, Text, Writer};

/// The schema of a function that takes plain words: one argument `input`.
pub const INPUT: &str = include_str!("schema/input.json");

/// Words for types, and the same in capitals.
const TYPES: [(&str, &str); 7] = [
    ("STRING", "string"),
    ("NUMBER", "number"),
    ("INTEGER", "integer"),
    ("BOOLEAN", "boolean"),
    ("ARRAY", "array"),
    ("OBJECT", "object"),
    ("NULL", "null"),
];

/// Members whose numbers OpenAPI writes as strings.
const COUNTS: [&str; 6] = ["minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"];

/// Whether objects may have members the schema does not name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Objects {
    /// As the schema says.
    AsSaid,
    /// Closed where the schema says nothing.
    Closed,
}

/// Writes the schema of a function's arguments, which must be one of an object.
pub fn write_input(schema: Option<Json<'_>>, out: &mut Writer) {
    match schema.filter(|schema| schema.kind() == Kind::Object) {
        Some(schema) if schema.get("type").is_some_and(|word| !word.is_null()) => write(schema, Objects::AsSaid, out),
        // Some servers demand the properties even of a function without arguments.
        None => out.object(|out| {
            out.field("type").string("object");
            out.field("properties").object(|_| {});
        }),
        Some(schema) => out.object(|out| {
            out.field("type").string("object");
            if schema.members().next().is_none() {
                out.field("properties").object(|_| {});
            }
            members(schema, Objects::AsSaid, out);
        }),
    }
}

/// Writes a schema.
pub fn write(schema: Json<'_>, objects: Objects, out: &mut Writer) {
    let text = schema.as_str();
    let is_plain = || {
        let capital = TYPES.iter().any(|(word, _)| text.contains(word));
        !capital && !text.contains("\"nullable\"") && !COUNTS.iter().any(|name| text.contains(name))
    };
    match objects == Objects::AsSaid && is_plain() {
        true => out.raw(schema),
        false => any(schema, objects, out),
    }
}

fn any(schema: Json<'_>, objects: Objects, out: &mut Writer) {
    match schema.kind() {
        Kind::Object => out.object(|out| members(schema, objects, out)),
        _ => out.raw(schema),
    }
}

fn members(schema: Json<'_>, objects: Objects, out: &mut Writer) {
    let nullable = schema.get("nullable").and_then(Json::bool);
    let or_null = nullable == Some(true);
    // Where `null` finds no place, the word stays.
    let placed = nullable == Some(false) || schema.get("type").is_some() || schema.get("anyOf").is_some();
    let (mut is_object, mut is_closed) = (false, false);
    for (name, value) in schema.members() {
        match name.decode().as_ref() {
            "type" if value.is_null() => {}
            "type" => {
                is_object |= value.text().is_some_and(|word| word.decode().eq_ignore_ascii_case("object"));
                kind(value, or_null, out.field("type"));
            }
            "nullable" if nullable.is_some() && placed => {}
            "enum" if or_null && value.kind() == Kind::Array => with_null(name, value, out),
            "properties" | "$defs" | "definitions" | "patternProperties" | "dependentSchemas" => {
                is_object |= name.is("properties");
                map(name, value, objects, out);
            }
            "anyOf" if or_null && schema.get("type").is_none() && value.kind() == Kind::Array => {
                out.field_text(name).array(|out| {
                    value.items().for_each(|item| any(item, objects, out));
                    out.object(|out| out.field("type").string("null"));
                });
            }
            "anyOf" | "oneOf" | "allOf" | "prefixItems" if value.kind() == Kind::Array => {
                out.field_text(name).array(|out| value.items().for_each(|item| any(item, objects, out)));
            }
            "additionalProperties" => {
                is_closed = true;
                any(value, objects, out.field_text(name));
            }
            "items" | "not" | "if" | "then" | "else" | "contains" => any(value, objects, out.field_text(name)),
            word if COUNTS.contains(&word) => count(value, out.field_text(name)),
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
            any(schema, objects, out.field_text(name));
        }
    });
}

fn with_null(name: Text<'_>, values: Json<'_>, out: &mut Writer) {
    out.field_text(name).array(|out| {
        values.items().filter(|value| !value.is_null()).for_each(|value| out.raw(value));
        out.null();
    });
}

fn count(value: Json<'_>, out: &mut Writer) {
    match value.text().and_then(|text| text.raw().parse::<u64>().ok()) {
        Some(number) => out.number(number),
        None => out.raw(value),
    }
}

/// The value of `type`: a word or a list of words, in small letters when they are of the seven in capitals.
fn kind(value: Json<'_>, or_null: bool, out: &mut Writer) {
    match value.kind() {
        Kind::Array => out.array(|out| {
            let words = value.items().filter(|word| !or_null || !is_null(*word));
            words.for_each(|word| small(word, out));
            if or_null {
                out.string("null");
            }
        }),
        Kind::String if or_null && !is_null(value) => out.array(|out| {
            small(value, out);
            out.string("null");
        }),
        _ => small(value, out),
    }
}

fn is_null(word: Json<'_>) -> bool {
    word.text().is_some_and(|word| word.decode().eq_ignore_ascii_case("null"))
}

fn small(word: Json<'_>, out: &mut Writer) {
    let known = TYPES.iter().find(|(capital, _)| word.text().is_some_and(|word| word.is(capital)));
    match known {
        Some((_, small)) => out.string(small),
        None => out.raw(word),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(schema: &str, objects: Objects) -> String {
        let mut out = Writer::new();
        write(Json::parse(schema.as_bytes()).unwrap(), objects, &mut out);
        out.into_string()
    }

    #[test]
    fn openapis_words_become_json_schemas() {
        let cases = [
            (
                r#"{"type":"ARRAY","items":{"type":"INTEGER"},"minItems":"1"}"#,
                r#"{"type":"array","items":{"type":"integer"},"minItems":1}"#,
            ),
            (r#"{"type":["STRING","NULL"]}"#, r#"{"type":["string","null"]}"#),
            (r#"{"type":["STRING","NULL"],"nullable":true}"#, r#"{"type":["string","null"]}"#),
            (r#"{"type":"STRING","nullable":true,"enum":["a"]}"#, r#"{"type":["string","null"],"enum":["a",null]}"#),
            (r#"{"type":"STRING","nullable":false}"#, r#"{"type":"string"}"#),
            (r#"{"nullable":true,"anyOf":[{"type":"STRING"}]}"#, r#"{"anyOf":[{"type":"string"},{"type":"null"}]}"#),
            (r##"{"nullable":true,"$ref":"#/a"}"##, r##"{"nullable":true,"$ref":"#/a"}"##),
        ];
        for (schema, wanted) in cases {
            assert_eq!(said(schema, Objects::AsSaid), wanted);
        }
    }

    #[test]
    fn names_and_data_are_the_callers() {
        let schema = r#"{"type":"OBJECT","properties":{"type":{"type":"STRING","enum":["STRING"]},"nullable":{"type":"BOOLEAN","default":"NULL"}},"required":["type"]}"#;
        let wanted = r#"{"type":"object","properties":{"type":{"type":"string","enum":["STRING"]},"nullable":{"type":"boolean","default":"NULL"}},"required":["type"]}"#;
        assert_eq!(said(schema, Objects::AsSaid), wanted);
    }

    #[test]
    fn a_schema_without_openapi_is_one_slice() {
        let schema = r#"{ "type": "object", "properties": { "a": {} } }"#;
        assert_eq!(said(schema, Objects::AsSaid), schema);
        assert_eq!(said("true", Objects::Closed), "true");
        let closed = r#"{"type":"object","properties":{"a":{}},"additionalProperties":false}"#;
        assert_eq!(said(schema, Objects::Closed), closed);
        assert_eq!(
            said(r#"{"type":"object","additionalProperties":true}"#, Objects::Closed),
            r#"{"type":"object","additionalProperties":true}"#
        );
    }

    #[test]
    fn arguments_are_an_object() {
        for (schema, wanted) in [
            (None, r#"{"type":"object","properties":{}}"#),
            (Some("true"), r#"{"type":"object","properties":{}}"#),
            (Some("{}"), r#"{"type":"object","properties":{}}"#),
            (
                Some(r#"{"properties":{"a":{"type":"STRING"}}}"#),
                r#"{"type":"object","properties":{"a":{"type":"string"}}}"#,
            ),
            (Some(r#"{"type":"OBJECT"}"#), r#"{"type":"object"}"#),
            (Some(r#"{"type":null,"title":"t"}"#), r#"{"type":"object","title":"t"}"#),
        ] {
            let mut out = Writer::new();
            write_input(schema.map(|schema| Json::parse(schema.as_bytes()).unwrap()), &mut out);
            assert_eq!(out.as_str(), wanted);
        }
    }
}
