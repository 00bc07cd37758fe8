//! Schemas of other dialects in the words of JSON schema that this provider takes.
//!
//! ```text
//! {"type":"OBJECT","properties":{"n":{"type":"STRING","nullable":true}}}
//! → {"type":"object","properties":{"n":{"type":["string","null"]}}}
//! ```
//!
//! Generate content writes types in capitals and has `nullable`. A schema that the provider enforces (the form of an answer, a
//! strict tool) must close its objects and may not bound numbers, lengths or letters: such a bound is moved into the
//! description, where the model reads it, as the vendor's own SDKs do. Everything else passes as it was written.

use crate::json::write::escape_into;
use crate::json::{Json, Kind, Text, Writer};

/// Whether objects may have members the schema does not name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Objects {
    /// As the schema says.
    AsSaid,
    /// Never: the schema is enforced.
    Closed,
}

/// Members that the provider refuses in a schema it enforces.
const BOUNDS: [&str; 26] = [
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "pattern",
    "maxItems",
    "uniqueItems",
    "contains",
    "minContains",
    "maxContains",
    "prefixItems",
    "minProperties",
    "maxProperties",
    "patternProperties",
    "propertyNames",
    "unevaluatedProperties",
    "unevaluatedItems",
    "dependentSchemas",
    "dependentRequired",
    "not",
    "if",
    "then",
    "else",
];

/// Formats of strings that the provider enforces.
const FORMATS: [&str; 10] =
    ["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"];

/// What was met while a schema was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Survey {
    /// Something was said otherwise than by its own word.
    pub(super) changed: bool,
    /// Values that may be of several types.
    unions: usize,
    /// Members that may be left out.
    optional: usize,
}

/// Which tools may be strict: the provider compiles their schemas together and refuses what takes it too long.
#[derive(Debug, Default)]
pub(super) struct Strictness {
    tools: usize,
    unions: usize,
    optional: usize,
}

impl Strictness {
    /// Most strict tools, members that may be left out and unions in all of them; figures of the provider's error messages.
    const MOST: Strictness = Strictness { tools: 20, unions: 16, optional: 24 };

    /// Whether a tool of that schema may be strict, too.
    pub(super) fn admits(&mut self, schema: Option<Json<'_>>) -> bool {
        let mut out = Writer::new();
        let survey = schema.map_or_else(Survey::default, |schema| write(schema, Objects::Closed, &mut out));
        let after = Strictness {
            tools: self.tools + 1,
            unions: self.unions + survey.unions,
            optional: self.optional + survey.optional,
        };
        let most = Strictness::MOST;
        let fits = after.tools <= most.tools && after.unions <= most.unions && after.optional <= most.optional;
        let admitted = fits && !survey.changed;
        if admitted {
            *self = after;
        }
        admitted
    }
}

/// Writes the schema of a function's arguments, which must be one of an object.
pub(super) fn write_input(schema: Option<Json<'_>>, objects: Objects, out: &mut Writer) {
    let mut pen = Pen { objects, survey: Survey::default() };
    match schema.filter(|schema| schema.kind() == Kind::Object) {
        Some(schema) if schema.get("type").is_some_and(|word| !word.is_null()) => pen.schema(schema, out),
        Some(schema) => out.object(|out| {
            out.field("type").string("object");
            pen.members(schema, out);
        }),
        None => out.object(|out| {
            out.field("type").string("object");
            out.field("properties").object(|_| {});
            if objects == Objects::Closed {
                out.field("additionalProperties").bool(false);
            }
        }),
    }
}

/// Writes a schema and tells what was met.
pub(super) fn write(schema: Json<'_>, objects: Objects, out: &mut Writer) -> Survey {
    let mut pen = Pen { objects, survey: Survey::default() };
    pen.schema(schema, out);
    pen.survey
}

struct Pen {
    objects: Objects,
    survey: Survey,
}

impl Pen {
    fn schema(&mut self, schema: Json<'_>, out: &mut Writer) {
        match schema.kind() {
            Kind::Object => out.object(|out| self.members(schema, out)),
            _ => out.raw(schema),
        }
    }

    fn members(&mut self, schema: Json<'_>, out: &mut Writer) {
        let enforced = self.objects == Objects::Closed;
        let nullable = schema.get("nullable").and_then(Json::bool);
        let is_object = schema.get("properties").is_some() || schema.get("type").is_some_and(is_object_word);
        let mut bounds = String::new();
        for (name, value) in schema.members() {
            let word = name.decode();
            match word.as_ref() {
                "type" => self.kind(value, nullable == Some(true), out),
                "nullable" if nullable.is_some() => {}
                word if enforced && is_bound(word, value) => {
                    self.survey.changed = true;
                    add_bound(&mut bounds, name, value);
                }
                "description" if enforced => {}
                "properties" | "$defs" | "definitions" | "patternProperties" | "dependentSchemas" => {
                    if word == "properties" {
                        self.count_optional(schema, value);
                    }
                    self.map(name, value, out);
                }
                "anyOf" | "oneOf" | "allOf" | "prefixItems" if value.kind() == Kind::Array => {
                    self.survey.unions += usize::from(word == "anyOf" || word == "oneOf");
                    // Where a schema is enforced there is only the first of the two.
                    let out = if enforced && word == "oneOf" { out.field("anyOf") } else { out.field_text(name) };
                    out.array(|out| value.items().for_each(|item| self.schema(item, out)));
                }
                "additionalProperties" if enforced => self.survey.changed |= value.bool() != Some(false),
                "additionalProperties" | "items" | "not" | "if" | "then" | "else" | "contains" => {
                    self.schema(value, out.field_text(name));
                }
                _ => out.field_text(name).raw(value),
            }
        }
        if enforced {
            describe(schema.get("description"), &bounds, out);
            if is_object {
                // An object of any members becomes one of none, which is not what was meant.
                let open = schema.get("properties").is_none() && schema.get("additionalProperties").is_none();
                self.survey.changed |= open;
                out.field("additionalProperties").bool(false);
            }
        }
    }

    fn map(&mut self, name: Text<'_>, value: Json<'_>, out: &mut Writer) {
        if value.kind() != Kind::Object {
            return out.field_text(name).raw(value);
        }
        out.field_text(name).object(|out| {
            for (name, schema) in value.members() {
                self.schema(schema, out.field_text(name));
            }
        });
    }

    fn count_optional(&mut self, schema: Json<'_>, properties: Json<'_>) {
        let required = schema.get("required").map_or(0, |required| required.items().count());
        self.survey.optional += properties.members().count().saturating_sub(required);
    }

    /// Writes the type, in small letters when it is one of the seven in capitals.
    fn kind(&mut self, value: Json<'_>, or_null: bool, out: &mut Writer) {
        let out = out.field("type");
        self.survey.unions += usize::from(or_null || value.kind() == Kind::Array);
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
}

fn is_object_word(value: Json<'_>) -> bool {
    let is_object = |value: Json<'_>| value.text().is_some_and(|word| word.decode().eq_ignore_ascii_case("object"));
    is_object(value) || value.items().any(is_object)
}

fn is_bound(word: &str, value: Json<'_>) -> bool {
    match word {
        "minItems" => value.u64().is_none_or(|least| least > 1),
        "format" => value.text().is_some_and(|format| !FORMATS.contains(&format.decode().as_ref())),
        word => BOUNDS.contains(&word),
    }
}

/// Adds `name: value` to the bounds, escaped for standing inside a string.
fn add_bound(bounds: &mut String, name: Text<'_>, value: Json<'_>) {
    if !bounds.is_empty() {
        bounds.push_str(", ");
    }
    bounds.push_str(name.raw());
    bounds.push_str(": ");
    escape_into(value.as_str(), bounds);
}

/// Writes the description with the bounds that have no other place.
fn describe(description: Option<Json<'_>>, bounds: &str, out: &mut Writer) {
    let said = description.and_then(Json::text);
    match (said, description, bounds) {
        (Some(said), _, "") => out.field("description").text(said),
        (None, Some(odd), "") => out.field("description").raw(odd),
        (_, None, "") => {}
        (said, _, bounds) => {
            let begin = Text::escaped(if said.is_some() { r"\n\n{" } else { "{" });
            out.field("description").texts([said.unwrap_or_default(), begin, Text::escaped(bounds), ascii("}")]);
        }
    }
}

fn ascii(word: &'static str) -> Text<'static> {
    crate::dialect::ascii_text(word)
}
