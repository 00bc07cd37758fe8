//! LiteLLM's `config.yaml`: models and their targets, fallbacks, aliases.

use std::collections::HashMap;

use serde_yaml_ng::{Mapping, Value};

use super::prefixes::Prefixes;
use super::rows::Rows;
use super::target::{Hidden, Key, target};
use super::words::{key, list, quoted};
use super::{Imported, Notes, shown};
use crate::settings::File;

/// Largest text read, as for our own settings.
pub const MAX_TEXT: usize = 4 << 20;

/// Most entries of `model_list`: each may become a row.
const MAX_ENTRIES: usize = 10_000;

/// Most candidates of a route, as in the settings.
const MAX_CANDIDATES: usize = 64;

/// Longest name of a route; the settings' bound for names.
const MAX_NAME: usize = 200;

/// Imports LiteLLM's configuration. An error says why there is nothing to import; it repeats no value.
pub fn litellm(yaml: &str) -> Result<Imported, String> {
    if yaml.len() > MAX_TEXT {
        return Err("the file is larger than 4 MiB".into());
    }
    // The reader's own bounds hold for depth (128) and for what is repeated by reference.
    let mut document: Value = serde_yaml_ng::from_str(yaml).map_err(|error| match error.location() {
        Some(place) => format!("line {}, column {}: this is no YAML that can be read", place.line(), place.column()),
        None => "this is no YAML that can be read".to_string(),
    })?;
    document.apply_merge().map_err(|_| "a `<<` of the file does not name a mapping")?;
    let root = document.as_mapping().ok_or("the file is no mapping of settings")?;
    let prefixes = Prefixes::shipped().map_err(|error| format!("{error:#}"))?;
    let known = crate::catalog::known().map_err(|error| error.to_string())?;
    let mut import = Import {
        rows: Rows::new(&prefixes, known.providers.clone(), yaml),
        prefixes: &prefixes,
        notes: Notes::default(),
        hidden: Hidden::default(),
        groups: Vec::new(),
        place: HashMap::new(),
        aliases: Vec::new(),
        loss: None,
    };
    import.root(root)?;
    let imported = import.end();
    File::read("dragoman.toml", &imported.toml, &known).map_err(|mistakes| {
        match mistakes.list.iter().find(|mistake| mistake.message.contains("leads back to itself")) {
            Some(circle) => format!("its names go round in a circle: {}", circle.message),
            None => format!("what was imported is no settings file, which is a fault of the import: {mistakes}"),
        }
    })?;
    Ok(imported)
}

/// A scalar as text: names are sometimes numbers.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Tagged(tagged) => text(&tagged.value),
        Value::Null | Value::Sequence(_) | Value::Mapping(_) => None,
    }
}

/// One name that callers ask for, and its targets.
struct Group {
    name: String,
    candidates: Vec<String>,
    fallbacks: Vec<String>,
}

struct Import<'p> {
    prefixes: &'p Prefixes,
    rows: Rows<'p>,
    notes: Notes,
    hidden: Hidden,
    groups: Vec<Group>,
    place: HashMap<String, usize>,
    aliases: Vec<(String, String)>,
    loss: Option<&'static str>,
}

impl Import<'_> {
    fn root(&mut self, root: &Mapping) -> Result<(), String> {
        // The models first: everything else speaks of them.
        if let Some(entries) = root.get("model_list") {
            let entries = entries.as_sequence().ok_or("`model_list` is no list")?;
            if entries.len() > MAX_ENTRIES {
                return Err(format!("`model_list` has more than {MAX_ENTRIES} entries"));
            }
            entries.iter().enumerate().for_each(|(number, entry)| self.entry(number, entry));
        }
        for (name, section) in root {
            let name = text(name).unwrap_or_default();
            match (name.as_str(), section.as_mapping()) {
                ("model_list", _) => {}
                ("router_settings" | "litellm_settings" | "general_settings", Some(section)) => {
                    self.section(&name, section)
                }
                _ => self.not_carried(&name),
            }
        }
        Ok(())
    }

    fn not_carried(&mut self, path: &str) {
        self.notes.say(&shown(path), self.prefixes.reason(path));
    }

    /// One entry of `model_list`.
    fn entry(&mut self, number: usize, entry: &Value) {
        let path = format!("model_list[{number}]");
        let Some(members) = entry.as_mapping() else { return self.notes.say(&path, "is no mapping") };
        for name in members.keys().filter_map(text).filter(|name| name != "model_name" && name != "litellm_params") {
            self.notes.say(&format!("{path}.{}", shown(&name)), self.prefixes.reason(&format!("model_list.{name}")));
        }
        let name = members.get("model_name").and_then(text).filter(|name| !name.is_empty() && name.len() <= MAX_NAME);
        let Some(name) = name else {
            return self
                .notes
                .say(&format!("{path}.model_name"), "is no name of 1 to 200 bytes; the entry is left out");
        };
        let params_path = format!("{path}.litellm_params");
        let Some(params) = members.get("litellm_params").and_then(Value::as_mapping) else {
            return self.notes.say(&params_path, "is no mapping; the entry is left out");
        };
        let Some(target) = target(self.prefixes, &params_path, params, &mut self.hidden, &mut self.notes) else {
            return;
        };
        let id = self.rows.id(&target.place);
        if let Some(variable) = self.rows.variable(&id).filter(|_| matches!(target.place.key, Key::Hidden(_))) {
            let why = format!("a key never stands in a settings file; put it into the environment as {variable}");
            self.notes.say(&format!("{params_path}.api_key"), &why);
        }
        if name.contains('*') || target.model.contains('*') {
            let why = format!("names need no pattern: every model is asked for as \"{id}/model\"");
            return self.notes.say(&format!("{path}.model_name"), &why);
        }
        let at = *self.place.entry(name.clone()).or_insert_with(|| {
            self.groups.push(Group { name, candidates: Vec::new(), fallbacks: Vec::new() });
            self.groups.len() - 1
        });
        let candidate = format!("{id}/{}", target.model);
        if let Some(group) = self.groups.get_mut(at).filter(|group| !group.candidates.contains(&candidate)) {
            group.candidates.push(candidate);
        }
    }

    fn section(&mut self, name: &str, section: &Mapping) {
        for (member, value) in section {
            let member = text(member).unwrap_or_default();
            let path = format!("{name}.{member}");
            match (name, member.as_str()) {
                ("router_settings" | "litellm_settings", "fallbacks") => self.fallbacks(&path, value),
                ("router_settings" | "litellm_settings", "default_fallbacks") => self.default_fallbacks(&path, value),
                ("router_settings", "model_group_alias") => self.model_group_alias(&path, value),
                ("litellm_settings", "drop_params") => match value.as_bool() {
                    Some(true) => self.loss = Some("warn"),
                    Some(false) => self.loss = Some("strict"),
                    None => self.notes.say(&path, "is neither true nor false"),
                },
                _ => self.not_carried(&path),
            }
        }
    }

    /// `fallbacks: [{name: [name, …]}, …]`.
    fn fallbacks(&mut self, path: &str, value: &Value) {
        let Some(entries) = value.as_sequence() else { return self.notes.say(path, "is no list") };
        if entries.len() > MAX_ENTRIES {
            self.notes.say(path, "has more than 10000 entries; the others are left out");
        }
        for (number, entry) in entries.iter().enumerate().take(MAX_ENTRIES) {
            let path = format!("{path}[{number}]");
            let Some(pairs) = entry.as_mapping() else {
                self.notes.say(&path, "is no mapping of a name to names");
                continue;
            };
            for (name, others) in pairs {
                let name = text(name).unwrap_or_default();
                let path = format!("{path}.{}", shown(&name));
                match (name.as_str(), self.place.get(&name)) {
                    ("*", _) => self.default_fallbacks(&path, others),
                    (_, Some(at)) => self.add_fallbacks(&path, &[*at], others),
                    (_, None) => self.notes.say(&path, "no model of that name was carried over"),
                }
            }
        }
    }

    fn default_fallbacks(&mut self, path: &str, value: &Value) {
        let all: Vec<usize> = (0..self.groups.len()).collect();
        self.add_fallbacks(path, &all, value);
    }

    /// Fallbacks are the candidates of other names, after one's own.
    fn add_fallbacks(&mut self, path: &str, groups: &[usize], others: &Value) {
        let Some(others) = others.as_sequence() else { return self.notes.say(path, "is no list of names") };
        if others.len() > MAX_CANDIDATES {
            self.notes.say(path, "has more names than a route has candidates; the others are left out");
        }
        for (number, other) in others.iter().enumerate().take(MAX_CANDIDATES) {
            let path = format!("{path}[{number}]");
            let Some(name) = other.as_str() else {
                self.notes.say(&path, "a fallback that changes the request can't be said");
                continue;
            };
            let Some(from) = self.place.get(name).and_then(|at| self.groups.get(*at)) else {
                self.notes.say(&path, "no model of that name was carried over");
                continue;
            };
            let candidates: Vec<String> = from.candidates.iter().take(MAX_CANDIDATES).cloned().collect();
            for at in groups {
                if let Some(group) = self.groups.get_mut(*at) {
                    // What no route can use needs no room: all names may fall back to all others.
                    let room = MAX_CANDIDATES.saturating_sub(group.fallbacks.len());
                    let new = candidates
                        .iter()
                        .filter(|one| !group.candidates.contains(one) && !group.fallbacks.contains(one));
                    let new: Vec<String> = new.take(room).cloned().collect();
                    group.fallbacks.extend(new);
                }
            }
        }
    }

    /// `model_group_alias: {alias: name}` or `{alias: {model: name, hidden: …}}`.
    fn model_group_alias(&mut self, path: &str, value: &Value) {
        let Some(pairs) = value.as_mapping() else { return self.notes.say(path, "is no mapping of names to names") };
        for (alias, value) in pairs {
            let alias = text(alias).unwrap_or_default();
            let path = format!("{path}.{}", shown(&alias));
            let inner = value.as_mapping();
            for member in inner.into_iter().flat_map(Mapping::keys).filter_map(text).filter(|member| member != "model")
            {
                self.notes.say(&format!("{path}.{}", shown(&member)), "an alias is a name like any other");
            }
            let name = inner.map_or_else(|| text(value), |inner| inner.get("model").and_then(text));
            match name.filter(|name| self.place.contains_key(name)) {
                _ if alias.is_empty() || alias.len() > MAX_NAME => {
                    self.notes.say(&path, "is no name of 1 to 200 bytes")
                }
                _ if self.place.contains_key(&alias) || self.aliases.iter().any(|(known, _)| *known == alias) => {
                    self.notes.say(&path, "a model or an alias has this name already");
                }
                Some(name) => self.aliases.push((alias, name)),
                None => self.notes.say(&path, "no model of that name was carried over"),
            }
        }
    }

    fn end(mut self) -> Imported {
        let mut toml =
            String::from("# Imported from LiteLLM's configuration; `dragoman check` says whether it can serve.\n");
        if let Some(loss) = self.loss {
            toml.push_str(&format!("loss = {}\n", quoted(loss)));
        }
        for row in self.rows.written() {
            toml.push_str(&format!("\n{row}"));
        }
        for group in &self.groups {
            let all = group.candidates.iter().chain(&group.fallbacks);
            let count = group.candidates.len() + group.fallbacks.len();
            if count > MAX_CANDIDATES {
                let why = format!("has {count} candidates; the first {MAX_CANDIDATES} are kept");
                self.notes.say(&shown(&group.name), &why);
            }
            let candidates = list(all.take(MAX_CANDIDATES).map(|candidate| quoted(candidate)));
            toml.push_str(&format!("\n[[route]]\nname = {}\ncandidates = {candidates}\n", quoted(&group.name)));
        }
        if !self.aliases.is_empty() {
            toml.push_str("\n[aliases]\n");
        }
        for (alias, name) in &self.aliases {
            toml.push_str(&format!("{} = {}\n", key(alias), quoted(name)));
        }
        Imported { toml, notes: self.notes.0 }
    }
}

#[cfg(test)]
mod tests;
