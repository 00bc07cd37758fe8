//! Rows of providers: the shipped one where it says all, else a copy of it with what is different.

use std::collections::{BTreeMap, BTreeSet};

use toml::{Table, Value};

use super::prefixes::Prefixes;
use super::target::{ENVIRONMENT, Follows, Given, Key, Place};
use super::words::{key, quoted, value};

/// Longest id made here; the settings take 200 bytes.
const MAX_ID: usize = 80;

/// Members of a shipped row that a copy does not take: it is written because it is wanted, and names find it by its id.
const LEFT: [&str; 5] = ["id", "enabled", "families", "models", "models_path"];

/// The rows that targets need, each once.
#[derive(Debug)]
pub(super) struct Rows<'p> {
    prefixes: &'p Prefixes,
    ids: BTreeMap<Place, String>,
    taken: BTreeSet<String>,
    written: Vec<String>,
    /// Ids of rows, and the variables that are proposed for keys which stood in the configuration.
    proposed: BTreeMap<String, String>,
    /// The whole configuration: a variable that it names has a meaning already.
    yaml: &'p str,
}

impl<'p> Rows<'p> {
    /// No rows; ids in `taken` are not given again.
    pub(super) fn new(prefixes: &'p Prefixes, taken: BTreeSet<String>, yaml: &'p str) -> Rows<'p> {
        Rows { prefixes, ids: BTreeMap::new(), taken, written: Vec::new(), proposed: BTreeMap::new(), yaml }
    }

    /// The id of a place's row, which is written if it has to be.
    pub(super) fn id(&mut self, place: &Place) -> String {
        if let Some(id) = self.ids.get(place) {
            return id.clone();
        }
        let shipped = self.prefixes.row(&place.shipped);
        let as_shipped = shipped.filter(|row| is_as_shipped(place, row) || self.takes_the_shipped(place, row));
        let id = match as_shipped {
            Some(row) => {
                // Such a row waits for a sign that it is wanted; a row of its id is one.
                if row.contains_key("enabled") {
                    self.written.push(format!("[[provider]]\nid = {}\n", quoted(&place.shipped)));
                }
                place.shipped.clone()
            }
            None => {
                let id = self.free(&proposed_id(place));
                self.taken.insert(id.clone());
                let written = self.copy(place, &id, shipped.cloned().unwrap_or_default());
                self.written.push(written);
                id
            }
        };
        self.ids.insert(place.clone(), id.clone());
        id
    }

    /// The variable that a key which stood in the configuration should be put into.
    pub(super) fn variable(&self, id: &str) -> Option<&str> {
        self.proposed.get(id).map(String::as_str)
    }

    /// The rows, as they stand in a settings file.
    pub(super) fn written(&self) -> &[String] {
        &self.written
    }

    /// A key that stood in the configuration may become the shipped row's, if nothing else means that row.
    fn takes_the_shipped(&mut self, place: &Place, row: &Table) -> bool {
        let alone = place.address.is_none() && place.variables.is_empty();
        if !alone || !matches!(place.key, Key::Hidden(_)) || self.ids.values().any(|id| *id == place.shipped) {
            return false;
        }
        let names = variables(row);
        let named = |name: &&str| self.yaml.contains(&format!("{ENVIRONMENT}{name}"));
        match names.first().filter(|_| !names.iter().any(named)) {
            Some(name) => {
                self.proposed.insert(place.shipped.clone(), name.to_string());
                true
            }
            None => false,
        }
    }

    fn free(&self, wanted: &str) -> String {
        let mut id = wanted.to_string();
        for number in 2.. {
            if !self.taken.contains(&id) {
                break;
            }
            id = format!("{wanted}-{number}");
        }
        id
    }

    fn copy(&mut self, place: &Place, id: &str, mut row: Table) -> String {
        for member in LEFT {
            row.remove(member);
        }
        if let Some((address, follows)) = &place.address {
            row.insert("base_url".into(), address.reference());
            if *follows == Follows::Dialect {
                // What else the shipped provider serves is not known of this server.
                let dialect = row.get("services").and_then(|list| list.get(0)?.get("dialect")).cloned();
                let service = dialect.map(|dialect| Table::from_iter([("dialect".to_string(), dialect)]));
                row.insert("services".into(), Value::Array(service.map(Value::Table).into_iter().collect()));
            }
        }
        for (name, given) in &place.variables {
            let variable = match given {
                Given::Plain(text) => Table::from_iter([("default".to_string(), Value::String(text.clone()))]),
                Given::Environment(name) => Table::from_iter([("env".to_string(), Value::String(name.clone()))]),
            };
            let variables = row.entry("variables").or_insert_with(|| Value::Table(Table::new()));
            if let Some(variables) = variables.as_table_mut() {
                variables.insert(name.clone(), Value::Table(variable));
            }
        }
        let named = |name: &str| Value::Table(Table::from_iter([("env".to_string(), Value::String(name.to_string()))]));
        match &place.key {
            Key::Shipped => {}
            Key::Nothing => {
                row.remove("api_key");
                row.remove("auth");
            }
            Key::Environment(name) => {
                row.insert("api_key".into(), named(name));
            }
            Key::Hidden(_) => {
                let upper = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
                let name = format!("{}_API_KEY", id.chars().map(upper).collect::<String>());
                row.insert("api_key".into(), named(&name));
                self.proposed.insert(id.to_string(), name);
            }
        }
        let first = ["base_url", "services", "variables"];
        let ordered = first.into_iter().filter_map(|name| row.get_key_value(name));
        let others = row.iter().filter(|(name, _)| !first.contains(&name.as_str()));
        let lines = ordered.chain(others).map(|(name, inner)| format!("{} = {}\n", key(name), value(inner)));
        format!("[[provider]]\nid = {}\n{}", quoted(id), lines.collect::<String>())
    }
}

impl Given {
    /// A value or a reference, as an address is written.
    fn reference(&self) -> Value {
        match self {
            Given::Plain(text) => Value::String(text.clone()),
            Given::Environment(name) => {
                Value::Table(Table::from_iter([("env".to_string(), Value::String(name.clone()))]))
            }
        }
    }

    fn said(&self) -> &str {
        match self {
            Given::Plain(text) | Given::Environment(text) => text,
        }
    }
}

/// The variables in which a row looks for its key.
fn variables(row: &Table) -> Vec<&str> {
    match row.get("api_key").and_then(|key| key.get("env")) {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn is_as_shipped(place: &Place, row: &Table) -> bool {
    let key = match &place.key {
        Key::Shipped => true,
        Key::Environment(name) => variables(row).contains(&name.as_str()),
        Key::Nothing => !row.contains_key("api_key"),
        Key::Hidden(_) => false,
    };
    place.address.is_none() && place.variables.is_empty() && key
}

/// An id that says where a row differs from the shipped one.
fn proposed_id(place: &Place) -> String {
    let mut parts = vec![place.shipped.as_str()];
    match &place.address {
        Some((Given::Plain(address), _)) => {
            let after = address.split_once("://").map_or(address.as_str(), |(_, after)| after);
            parts.push(after.split('/').next().unwrap_or_default());
        }
        Some((Given::Environment(name), _)) => parts.push(name),
        None => {}
    }
    parts.extend(place.variables.values().map(Given::said));
    if let (Key::Environment(name), true) = (&place.key, parts.len() == 1) {
        parts.push(name);
    }
    let plain =
        |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') { c.to_ascii_lowercase() } else { '-' };
    parts.join("-").chars().map(plain).take(MAX_ID).collect()
}
