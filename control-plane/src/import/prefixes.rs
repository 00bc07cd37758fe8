//! The table of prefixes: which row a target of LiteLLM takes, and why a setting has no counterpart.

use std::collections::BTreeMap;

use anyhow::Context;
use serde::Deserialize;
use toml::Table;

use crate::catalog::PROVIDERS;

const TABLE: &str = include_str!("../../catalog/litellm.toml");

/// Why a setting of no special reason is not carried over.
const NO_COUNTERPART: &str = "has no counterpart";

/// The whole table, beside the shipped rows that it names.
#[derive(Debug)]
pub(super) struct Prefixes {
    table: Written,
    rows: BTreeMap<String, Table>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    compatible: String,
    no_key: Vec<String>,
    prefix: Vec<Prefix>,
    reasons: BTreeMap<String, String>,
}

/// What a prefix means.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Prefix {
    name: String,
    #[serde(default)]
    begins: String,
    /// The id of the shipped row.
    pub(super) provider: String,
    #[serde(default)]
    drop: Vec<String>,
    /// What an address of one's own is; without it there can be none.
    pub(super) address: Option<Address>,
    /// What stands between such an address and the row's paths.
    #[serde(default)]
    pub(super) below: String,
    /// Variables of the row, and the parameters that are meant.
    #[serde(default)]
    pub(super) fill: BTreeMap<String, String>,
}

/// What follows an address of one's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Address {
    /// The dialect's path.
    Whole,
    /// The row's prefix, then the dialect's path.
    Root,
}

impl Prefixes {
    /// Reads the table; an error can only be in what ships.
    pub(super) fn shipped() -> anyhow::Result<Prefixes> {
        let table: Written = toml::from_str(TABLE).context("catalog/litellm.toml")?;
        let providers: Table = toml::from_str(PROVIDERS).context("catalog/providers.toml")?;
        let list = providers.get("provider").and_then(toml::Value::as_array).context("catalog/providers.toml")?;
        let row = |row: &toml::Value| Some((row.get("id")?.as_str()?.to_string(), row.as_table()?.clone()));
        Ok(Prefixes { table, rows: list.iter().filter_map(row).collect() })
    }

    /// The shipped row of that id.
    pub(super) fn row(&self, id: &str) -> Option<&Table> {
        self.rows.get(id)
    }

    /// Whether any entry of the table has the name.
    pub(super) fn has(&self, name: &str) -> bool {
        !name.is_empty() && self.table.prefix.iter().any(|prefix| prefix.name == name)
    }

    /// What is meant by a prefix (empty: none is written) and a model, and the model without what is no part of its name.
    pub(super) fn meant<'m>(&self, name: &str, model: &'m str) -> Option<(&Prefix, &'m str)> {
        let mut named = self.table.prefix.iter().filter(|prefix| prefix.name == name);
        let prefix = named.find(|prefix| model.starts_with(&prefix.begins) || model == "*")?;
        let dropped = prefix.drop.iter().find_map(|words| model.strip_prefix(words.as_str()));
        Some((prefix, dropped.unwrap_or(model)))
    }

    /// The prefix that unknown servers take.
    pub(super) fn compatible(&self) -> Option<&Prefix> {
        self.table.prefix.iter().find(|prefix| prefix.name == self.table.compatible)
    }

    /// Whether the key is one of those that stand for none.
    pub(super) fn is_no_key(&self, key: &str) -> bool {
        let key = key.trim().to_ascii_lowercase();
        key.is_empty() || self.table.no_key.contains(&key)
    }

    /// Why the setting of this path (without the numbers of lists) is not carried over.
    pub(super) fn reason(&self, path: &str) -> &str {
        self.table.reasons.get(path).map_or(NO_COUNTERPART, String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_prefix_names_a_shipped_row_and_its_variables() {
        let prefixes = Prefixes::shipped().unwrap();
        assert!(prefixes.compatible().is_some_and(|prefix| prefix.address == Some(Address::Whole)));
        for prefix in &prefixes.table.prefix {
            let row = prefixes.row(&prefix.provider).unwrap_or_else(|| panic!("{}", prefix.provider));
            for variable in prefix.fill.keys() {
                assert!(row["variables"].get(variable).is_some(), "{} has no {variable}", prefix.provider);
            }
        }
    }

    #[test]
    fn of_several_meanings_the_model_decides() {
        let prefixes = Prefixes::shipped().unwrap();
        let meant = |name, model| prefixes.meant(name, model).map(|(prefix, model)| (prefix.provider.as_str(), model));
        assert_eq!(meant("vertex_ai", "claude-x"), Some(("vertex-claude", "claude-x")));
        assert_eq!(meant("vertex_ai", "gemini-x"), Some(("vertex-gemini", "gemini-x")));
        assert_eq!(meant("vertex_ai", "llama"), None);
        assert_eq!(meant("bedrock", "converse/a.b"), Some(("bedrock", "a.b")));
        assert_eq!(meant("", "o3-mini"), Some(("openai", "o3-mini")));
        assert_eq!(meant("", "unheard-of"), None);
    }
}
