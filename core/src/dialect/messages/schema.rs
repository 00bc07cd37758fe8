//! Schemas that the provider enforces: the form of an answer, a strict tool.
//!
//! Such a schema must close its objects and may not bound numbers, lengths or letters: such a bound is moved into the
//! description, where the model reads it, as the vendor's own SDKs do. Everything else passes as [`schema`] says it, which is
//! also how schemas are said that are not enforced.

use crate::json::schema::{self, Objects};
use crate::json::write::escape_into;
use crate::json::{Json, Kind, Text, Writer};

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
        let survey = schema.map_or_else(Survey::default, |schema| write(schema, &mut out));
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

/// Writes the schema of a strict function's arguments, which must be one of an object.
pub(super) fn write_strict_input(schema: Option<Json<'_>>, out: &mut Writer) {
    let mut plain = Writer::new();
    schema::write_input(schema, &mut plain);
    Survey::default().schema(Json::trusted(plain.as_str()), out);
}

/// Writes a schema and tells what was met.
pub(super) fn write(schema: Json<'_>, out: &mut Writer) -> Survey {
    let mut plain = Writer::new();
    schema::write(schema, Objects::AsSaid, &mut plain);
    let mut survey = Survey::default();
    survey.schema(Json::trusted(plain.as_str()), out);
    survey
}

impl Survey {
    fn schema(&mut self, schema: Json<'_>, out: &mut Writer) {
        match schema.kind() {
            Kind::Object => out.object(|out| self.members(schema, out)),
            _ => out.raw(schema),
        }
    }

    fn members(&mut self, schema: Json<'_>, out: &mut Writer) {
        let is_object = schema.get("properties").is_some() || schema.get("type").is_some_and(is_object_word);
        let mut bounds = String::new();
        for (name, value) in schema.members() {
            let word = name.decode();
            match word.as_ref() {
                "type" => {
                    self.unions += usize::from(value.kind() == Kind::Array);
                    out.field("type").raw(value);
                }
                word if is_bound(word, value) => {
                    self.changed = true;
                    add_bound(&mut bounds, name, value);
                }
                "description" => {}
                "properties" | "$defs" | "definitions" => {
                    if word == "properties" {
                        self.count_optional(schema, value);
                    }
                    self.map(name, value, out);
                }
                "anyOf" | "oneOf" | "allOf" if value.kind() == Kind::Array => {
                    self.unions += usize::from(word == "anyOf" || word == "oneOf");
                    // There is only the first of the two.
                    let out = if word == "oneOf" { out.field("anyOf") } else { out.field_text(name) };
                    out.array(|out| value.items().for_each(|item| self.schema(item, out)));
                }
                "additionalProperties" => self.changed |= value.bool() != Some(false),
                "items" => {
                    self.schema(value, out.field_text(name));
                }
                _ => out.field_text(name).raw(value),
            }
        }
        describe(schema.get("description"), &bounds, out);
        if is_object {
            // An object of any members becomes one of none, which is not what was meant.
            let open = schema.get("properties").is_none() && schema.get("additionalProperties").is_none();
            self.changed |= open;
            out.field("additionalProperties").bool(false);
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
        self.optional += properties.members().count().saturating_sub(required);
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
