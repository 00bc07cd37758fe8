//! Rows become a Snapshot: targets for every offer that can be asked, a route for every name.
//!
//! A name is looked up in this order: routes of the settings, aliases, models, the names that providers themselves have for
//! a model. What no route names, the filters find by `provider/model`, then by family.

use std::collections::{HashMap, HashSet};

use dragoman_core::catalog::{Provider, Target};
use dragoman_core::snapshot::{Family, Route, Snapshot};

use crate::catalog::{Catalog, Registered};
use crate::settings::{File, ModelRow};

/// Makes the Snapshot of a catalogue; the second value lists what the operator should know.
pub fn snapshot(version: u64, catalog: &Catalog, file: &File) -> anyhow::Result<(Snapshot, Vec<String>)> {
    let mut builder = Builder::new(catalog, file);
    builder.configured();
    builder.aliases();
    builder.models();
    let Builder { targets, routes, warnings, .. } = builder;
    let providers = catalog.providers.iter().map(provider).collect();
    let snapshot = Snapshot::new(version, providers, targets, routes, families(&catalog.providers))
        .map_err(|mistakes| anyhow::anyhow!("the catalogue makes no Snapshot: {}", mistakes.join("; ")))?;
    Ok((snapshot, warnings))
}

/// What the filters need to know of a provider. Its credential's id is its own id.
fn provider(row: &Registered) -> Provider {
    Provider {
        id: row.id.clone(),
        cluster: row.cluster(),
        origin: row.origin.clone(),
        services: row.services.clone(),
        credential: if row.credential.is_some() { row.id.clone() } else { String::new() },
        headers: row.headers.clone(),
        omit: row.omit.clone(),
        rename: row.rename.clone(),
        set: row.set.clone(),
    }
}

/// Longer prefixes first; among equals the providers' order decides.
fn families(providers: &[Registered]) -> Vec<Family> {
    let mut families: Vec<Family> = providers
        .iter()
        .enumerate()
        .flat_map(|(at, row)| row.families.iter().map(move |prefix| Family { prefix: prefix.clone(), provider: at }))
        .collect();
    families.sort_by_key(|family| std::cmp::Reverse(family.prefix.len()));
    families
}

struct Builder<'r> {
    catalog: &'r Catalog,
    file: &'r File,
    provider: HashMap<&'r str, usize>,
    model: HashMap<&'r str, &'r ModelRow>,
    /// The name a provider has for a model → the model.
    own_name: HashMap<&'r str, &'r ModelRow>,
    /// (provider, its name for a model) → the model.
    offer: HashMap<(&'r str, &'r str), &'r ModelRow>,
    targets: Vec<Target>,
    target: HashMap<String, usize>,
    routes: Vec<Route>,
    named: HashSet<String>,
    warnings: Vec<String>,
}

impl<'r> Builder<'r> {
    fn new(catalog: &'r Catalog, file: &'r File) -> Builder<'r> {
        let mut own_name = HashMap::new();
        let mut offer = HashMap::new();
        for model in &catalog.models {
            for (provider, name, _) in &model.offers {
                own_name.entry(name.as_str()).or_insert(model);
                offer.entry((provider.as_str(), name.as_str())).or_insert(model);
            }
        }
        Builder {
            provider: catalog.providers.iter().enumerate().map(|(at, row)| (row.id.as_str(), at)).collect(),
            model: catalog.models.iter().map(|model| (model.name.as_str(), model)).collect(),
            own_name,
            offer,
            catalog,
            file,
            targets: Vec::new(),
            target: HashMap::new(),
            routes: Vec::new(),
            named: HashSet::new(),
            warnings: Vec::new(),
        }
    }

    /// The target of a model at a provider, made at its first mention; `None` when the provider can't be asked.
    fn target(&mut self, provider: &str, model: &str) -> Option<usize> {
        let at = *self.provider.get(provider)?;
        let id = format!("{provider}/{model}");
        if let Some(known) = self.target.get(&id) {
            return Some(*known);
        }
        let row = self.offer.get(&(provider, model));
        let unlisted = Target::unlisted(id.clone(), at, model);
        self.targets.push(match row {
            None => unlisted,
            Some(row) => Target {
                output_limit: row.output_limit.unwrap_or(0),
                context_window: row.context_window.unwrap_or(0),
                abilities: row.abilities.unwrap_or(unlisted.abilities),
                thinking: row.thinking.unwrap_or(unlisted.thinking),
                unsigned: row.unsigned.clone().unwrap_or_default(),
                ..unlisted
            },
        });
        self.target.insert(id, self.targets.len() - 1);
        Some(self.targets.len() - 1)
    }

    /// The targets of everybody who serves `model`, first choice first.
    fn offers(&mut self, model: &ModelRow) -> Vec<usize> {
        model.offers.iter().filter_map(|(provider, name, _)| self.target(provider, name)).collect()
    }

    /// The targets that a candidate or an alias means.
    fn resolve(&mut self, name: &str) -> Vec<usize> {
        if let Some(model) = self.model.get(name).copied() {
            return self.offers(model);
        }
        for mark in ['/', ':'] {
            if let Some((provider, model)) = name.split_once(mark)
                && self.provider.contains_key(provider)
            {
                return self.target(provider, model).into_iter().collect();
            }
        }
        if let Some(model) = self.own_name.get(name).copied() {
            return self.offers(model);
        }
        let catalog = self.catalog;
        let family =
            |row: &&Registered| row.families.iter().any(|prefix| !prefix.is_empty() && name.starts_with(prefix));
        let provider = catalog.providers.iter().find(family).map(|row| row.id.as_str());
        provider.and_then(|provider| self.target(provider, name)).into_iter().collect()
    }

    fn route(&mut self, name: &str, candidates: Vec<usize>, loss: Option<dragoman_core::snapshot::Loss>) {
        if !candidates.is_empty() && self.named.insert(name.to_string()) {
            self.routes.push(Route { name: name.to_string(), candidates, loss: loss.unwrap_or(self.file.loss) });
        }
    }

    fn configured(&mut self) {
        for row in &self.file.routes {
            let mut candidates: Vec<usize> = Vec::new();
            for candidate in &row.candidates {
                let found = self.resolve(&candidate.value);
                if found.is_empty() {
                    self.warnings
                        .push(format!("route {}: nobody can be asked for {} now", row.name.value, candidate.value));
                }
                for target in found {
                    if !candidates.contains(&target) {
                        candidates.push(target);
                    }
                }
            }
            if candidates.is_empty() {
                self.warnings
                    .push(format!("route {}: left out, for none of its candidates can be asked now", row.name.value));
            }
            self.route(&row.name.value, candidates, row.loss);
        }
    }

    fn aliases(&mut self) {
        for (alias, name) in &self.file.aliases {
            let known = self.routes.iter().find(|route| route.name == *name);
            let (candidates, loss) = match known.map(|route| (route.candidates.clone(), route.loss)) {
                Some((candidates, loss)) => (candidates, Some(loss)),
                None => (self.resolve(name), None),
            };
            if candidates.is_empty() {
                self.warnings.push(format!("alias {}: left out, for nobody can be asked for {name} now", alias.value));
            }
            self.route(&alias.value, candidates, loss);
        }
    }

    fn models(&mut self) {
        let catalog = self.catalog;
        for model in &catalog.models {
            let candidates = self.offers(model);
            self.route(&model.name, candidates, None);
        }
        // Whoever asks by the name that one provider has means that provider first.
        for model in &catalog.models {
            for (provider, name, _) in &model.offers {
                // Where the name begins with a provider that can be asked itself, that one is meant.
                if name.split_once('/').is_some_and(|(provider, _)| self.provider.contains_key(provider)) {
                    continue;
                }
                let Some(first) = self.target(provider, name) else { continue };
                let others = self.offers(model).into_iter().filter(|target| *target != first);
                let candidates = [first].into_iter().chain(others).collect();
                self.route(name, candidates, None);
            }
        }
    }
}

#[cfg(test)]
mod tests;
