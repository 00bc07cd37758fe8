//! One entry's `litellm_params`: which model, at which provider, with which key.

use std::collections::BTreeMap;

use serde_yaml_ng::Mapping;

use super::litellm::text;
use super::prefixes::{Address, Prefix, Prefixes};
use super::{Notes, shown};
use crate::discovery::is_safe;
use crate::settings::{Secret, origin};

/// How LiteLLM writes "the value of this variable of the environment".
pub(super) const ENVIRONMENT: &str = "os.environ/";

/// Longest value of a variable of a row, as in the settings.
const MAX_VALUE: usize = 200;

/// A target as an entry has it, before it has a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// The model's name at the provider; `*` for all.
    pub(super) model: String,
    /// What its provider's row is like.
    pub(super) place: Place,
}

/// How a row differs from the shipped one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// The shipped row's id.
    pub(super) shipped: String,
    /// Its address, and what follows it.
    pub(super) address: Option<(Given, Follows)>,
    /// Its key.
    pub(super) key: Key,
    /// Its variables.
    pub(super) variables: BTreeMap<String, Given>,
}

/// A value, or the variable of the environment that has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Given {
    /// The value itself.
    Plain(String),
    /// The variable's name.
    Environment(String),
}

/// What follows an address of one's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Follows {
    /// The dialect's path.
    Dialect,
    /// The paths of the shipped row.
    Row,
}

/// Which key a row sends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    /// The one that the shipped row finds.
    Shipped,
    /// None.
    Nothing,
    /// The one in this variable.
    Environment(String),
    /// One that stood in the configuration, by its number among them: it is to be put into a variable yet to be named.
    Hidden(usize),
}

/// Keys that stood in the configuration. They are told apart here and go nowhere else.
#[derive(Default)]
pub(super) struct Hidden(Vec<Secret>);

impl Hidden {
    fn number(&mut self, key: &str) -> usize {
        let key = Secret::new(key);
        self.0.iter().position(|known| *known == key).unwrap_or_else(|| {
            self.0.push(key);
            self.0.len() - 1
        })
    }
}

/// Reads the parameters of one entry; what can't be carried over is noted. `None` when the target itself can't.
pub(super) fn target(
    prefixes: &Prefixes,
    path: &str,
    params: &Mapping,
    hidden: &mut Hidden,
    notes: &mut Notes,
) -> Option<Target> {
    let mut entry = Entry { prefixes, path, params, hidden, notes };
    let (target, used) = entry.target()?;
    for name in params.keys().filter_map(text).filter(|name| !used.contains(name)) {
        let reason = prefixes.reason(&format!("model_list.litellm_params.{name}"));
        entry.notes.say(&format!("{path}.{}", shown(&name)), reason);
    }
    Some(target)
}

struct Entry<'e> {
    prefixes: &'e Prefixes,
    path: &'e str,
    params: &'e Mapping,
    hidden: &'e mut Hidden,
    notes: &'e mut Notes,
}

impl Entry<'_> {
    fn text(&self, name: &str) -> Option<String> {
        self.params.get(name).and_then(text).filter(|text| !text.trim().is_empty())
    }

    fn say(&mut self, member: &str, why: &str) {
        self.notes.say(&format!("{}.{member}", self.path), why);
    }

    /// The target, and the parameters that it has taken up.
    fn target(&mut self) -> Option<(Target, Vec<String>)> {
        let mut used: Vec<String> =
            ["model", "api_base", "base_url", "api_key", "custom_llm_provider"].map(String::from).into();
        let Some(written) = self.text("model") else {
            self.say("model", "names no model; the entry is left out");
            return None;
        };
        let (prefix, model) = self.meant(&written)?;
        if model != "*" && !is_safe(&model) {
            self.say("model", "this name can't be passed on; the entry is left out");
            return None;
        }
        let address = self.address(&prefix)?;
        let key = self.key(&prefix, address.as_ref());
        let mut variables = BTreeMap::new();
        for (variable, parameter) in &prefix.fill {
            used.push(parameter.clone());
            if let Some(value) = self.text(parameter) {
                variables.insert(variable.clone(), self.value(parameter, &value)?);
            }
        }
        let place = Place { shipped: prefix.provider.clone(), address, key, variables };
        Some((Target { model, place }, used))
    }

    /// What the prefix means, and the model behind it.
    fn meant(&mut self, written: &str) -> Option<(Prefix, String)> {
        let said = self.text("custom_llm_provider");
        let (name, model) = match (&said, written.split_once('/')) {
            (Some(name), Some((first, rest))) if first == name => (first, rest),
            (Some(name), _) => (name.as_str(), written),
            (None, Some((first, rest))) if self.prefixes.has(first) => (first, rest),
            (None, _) => ("", written),
        };
        if let Some((prefix, model)) = self.prefixes.meant(name, model) {
            return Some((prefix.clone(), model.to_string()));
        }
        let name = if name.is_empty() { written.split_once('/').map_or("", |(first, _)| first) } else { name };
        let own = self.text("api_base").or_else(|| self.text("base_url"));
        match self.prefixes.compatible().filter(|_| own.is_some()) {
            Some(prefix) => {
                let why = format!("no row is known for `{}`; the server is taken for a compatible one", shown(name));
                self.say("model", &why);
                let model = written.strip_prefix(name).and_then(|rest| rest.strip_prefix('/')).unwrap_or(written);
                Some((prefix.clone(), model.to_string()))
            }
            None => {
                let why = format!("no row is known for `{}`; the entry is left out", shown(written));
                self.say("model", &why);
                None
            }
        }
    }

    /// The address of one's own, if there is one; `None` outside when it can't be used.
    fn address(&mut self, prefix: &Prefix) -> Option<Option<(Given, Follows)>> {
        let member = if self.text("api_base").is_some() { "api_base" } else { "base_url" };
        let Some(base) = self.text(member) else { return Some(None) };
        let follows = match prefix.address {
            Some(Address::Whole) => Follows::Dialect,
            Some(Address::Root) => Follows::Row,
            None => {
                self.say(
                    member,
                    "its row has an address that is made of variables; change the row if this one is another",
                );
                return Some(None);
            }
        };
        if let Some(name) = environment(&base) {
            if follows == Follows::Row && !prefix.below.is_empty() {
                let why = format!("the address in {name} must end in {}", prefix.below);
                self.say(member, &why);
            }
            return Some(Some((Given::Environment(name.to_string()), follows)));
        }
        let mut base = base.trim().trim_end_matches('/').to_string();
        if follows == Follows::Row {
            let own = self.prefixes.row(&prefix.provider).and_then(first_prefix).unwrap_or_default();
            base = base.strip_suffix(&own).unwrap_or(&base).to_string();
            if !base.ends_with(&prefix.below) {
                base.push_str(&prefix.below);
            }
        }
        match origin(&base) {
            Ok(_) if !base.contains(['{', '}']) => Some(Some((Given::Plain(base), follows))),
            Ok(_) => {
                self.say(member, "braces in an address have a meaning of their own; the entry is left out");
                None
            }
            Err(why) => {
                self.say(member, &format!("{why}; the entry is left out"));
                None
            }
        }
    }

    fn key(&mut self, prefix: &Prefix, address: Option<&(Given, Follows)>) -> Key {
        let shipped = self.prefixes.row(&prefix.provider).and_then(|row| row.get("api_key")).is_some();
        let Some(key) = self.params.get("api_key").and_then(text) else {
            // A key must not go to an address that it was not made for.
            if address.is_some_and(|(_, follows)| *follows == Follows::Dialect) {
                if shipped {
                    self.say(
                        "api_key",
                        "none is written, and none is sent to this address; name one in the provider's row",
                    );
                }
                return Key::Nothing;
            }
            return Key::Shipped;
        };
        match environment(&key) {
            Some(name) => Key::Environment(name.to_string()),
            None if self.prefixes.is_no_key(&key) && shipped && address.is_none() => Key::Shipped,
            None if self.prefixes.is_no_key(&key) => Key::Nothing,
            None => Key::Hidden(self.hidden.number(&key)),
        }
    }

    fn value(&mut self, member: &str, value: &str) -> Option<Given> {
        if let Some(name) = environment(value) {
            return Some(Given::Environment(name.to_string()));
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
        if value.len() > MAX_VALUE || !value.chars().all(plain) {
            self.say(member, "has a character that no address has; the entry is left out");
            return None;
        }
        Some(Given::Plain(value.to_string()))
    }
}

/// The variable's name, where a value is one.
fn environment(value: &str) -> Option<&str> {
    let name = value.trim().strip_prefix(ENVIRONMENT)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (!name.is_empty() && name.len() <= MAX_VALUE && name.chars().all(plain)).then_some(name)
}

/// The prefix of a row's first service.
fn first_prefix(row: &toml::Table) -> Option<String> {
    Some(row.get("services")?.get(0)?.get("prefix")?.as_str()?.to_string())
}
