//! Schemas of the API's types, collected under `#/components/schemas`.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa::openapi::RefOr;

use crate::settings::Kind;

/// What an operator may write into rows: JSON Schema, kept beside the catalogue.
const ROWS: &str = include_str!("../../catalog/rows.schema.json");

/// The schemas so far.
#[derive(Default)]
pub struct Components(BTreeMap<String, Value>);

impl Components {
    /// A reference to the schema of a type, which is put here with all it refers to.
    pub fn of<T: ToSchema>(&mut self) -> Value {
        let mut all: Vec<(String, RefOr<utoipa::openapi::Schema>)> = Vec::new();
        T::schemas(&mut all);
        all.push((T::name().into_owned(), T::schema()));
        for (name, schema) in all {
            self.0.insert(name, serde_json::to_value(schema).unwrap_or_default());
        }
        json!({ "$ref": format!("#/components/schemas/{}", T::name()) })
    }

    /// Everything, the rows' own schemas as well.
    pub fn all(&self) -> Value {
        let mut all: serde_json::Map<String, Value> = serde_json::from_str(ROWS).unwrap_or_default();
        all.extend(self.0.iter().map(|(name, schema)| (name.clone(), schema.clone())));
        Value::Object(all)
    }
}

/// A reference to the schema of a kind's rows.
pub fn row(kind: Kind) -> Value {
    json!({ "$ref": format!("#/components/schemas/{}_row", kind.name()) })
}

#[cfg(test)]
mod tests;
