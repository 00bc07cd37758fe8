//! What a name means: routes and aliases lead to models, models to targets.

use std::collections::HashMap;

use dragoman_core::snapshot::Loss;

use super::Builder;
use crate::catalog::{Catalog, Registered};
use crate::settings::{File, MAX_CHAIN, ModelRow, RouteRow};

/// Whom a name of a model means.
pub(super) enum Resolved<'r> {
    /// A model, wherever it is served.
    Model(&'r ModelRow),
    /// One model at one provider.
    Target(&'r str, String),
}

/// What routes and aliases were found to mean.
type Found = (Vec<usize>, Option<Loss>);

/// Every name of the catalogue and of the file.
pub(super) struct Names<'r> {
    providers: &'r [Registered],
    provider: HashMap<&'r str, &'r str>,
    model: HashMap<&'r str, &'r ModelRow>,
    /// The name a provider has for a model → the model.
    own_name: HashMap<&'r str, &'r ModelRow>,
    /// (provider, its name for a model) → the model.
    offer: HashMap<(&'r str, &'r str), &'r ModelRow>,
    route: HashMap<&'r str, &'r RouteRow>,
    alias: HashMap<&'r str, &'r str>,
    found: HashMap<&'r str, Found>,
}

impl<'r> Names<'r> {
    pub(super) fn new(catalog: &'r Catalog, file: &'r File) -> Names<'r> {
        let mut own_name = HashMap::new();
        let mut offer = HashMap::new();
        for model in &catalog.models {
            for (provider, name, _) in &model.offers {
                own_name.entry(name.as_str()).or_insert(model);
                offer.entry((provider.as_str(), name.as_str())).or_insert(model);
            }
        }
        Names {
            providers: &catalog.providers,
            provider: catalog.providers.iter().map(|row| (row.id.as_str(), row.id.as_str())).collect(),
            model: catalog.models.iter().map(|model| (model.name.as_str(), model)).collect(),
            own_name,
            offer,
            route: file.routes.iter().map(|row| (row.name.value.as_str(), row)).collect(),
            alias: file.aliases.iter().map(|(alias, name)| (alias.value.as_str(), name.as_str())).collect(),
            found: HashMap::new(),
        }
    }

    /// The row of what a provider has under that name.
    pub(super) fn offer(&self, provider: &str, model: &str) -> Option<&'r ModelRow> {
        self.offer.get(&(provider, model)).copied()
    }

    /// Whom the name of a model means, in whichever way it is written.
    pub(super) fn model(&self, name: &str) -> Option<Resolved<'r>> {
        if let Some(row) = self.model.get(name) {
            return Some(Resolved::Model(row));
        }
        for mark in ['/', ':'] {
            if let Some((provider, model)) = name.split_once(mark)
                && let Some(provider) = self.provider.get(provider)
            {
                return Some(Resolved::Target(provider, model.to_string()));
            }
        }
        if let Some(row) = self.own_name.get(name) {
            return Some(Resolved::Model(row));
        }
        let family =
            |row: &&Registered| row.families.iter().any(|prefix| !prefix.is_empty() && name.starts_with(prefix));
        self.providers.iter().find(family).map(|row| Resolved::Target(&row.id, name.to_string()))
    }
}

impl<'r> Builder<'r> {
    /// The routes of the settings.
    pub(super) fn configured(&mut self) {
        let file = self.file;
        for row in &file.routes {
            let (candidates, loss) = self.name(&row.name.value, &mut Vec::new());
            if candidates.is_empty() {
                self.warnings
                    .push(format!("route {}: left out, for none of its candidates can be asked now", row.name.value));
            }
            self.route(&row.name.value, candidates, loss);
        }
    }

    /// The aliases of the settings.
    pub(super) fn aliases(&mut self) {
        let file = self.file;
        for (alias, name) in &file.aliases {
            let (candidates, loss) = self.name(&alias.value, &mut Vec::new());
            if candidates.is_empty() {
                self.warnings.push(format!("alias {}: left out, for nobody can be asked for {name} now", alias.value));
            }
            self.route(&alias.value, candidates, loss);
        }
    }

    /// What a name means that may be a route's or an alias'. `chain` are the names that led here: the reader of the settings
    /// refuses circles, rows from elsewhere may have them all the same.
    fn name(&mut self, name: &'r str, chain: &mut Vec<&'r str>) -> Found {
        if let Some(known) = self.names.found.get(name) {
            return known.clone();
        }
        let itself = chain.last() == Some(&name);
        let (route, alias) = (self.names.route.get(name).copied(), self.names.alias.get(name).copied());
        if itself || (route.is_none() && alias.is_none()) {
            return (self.model(name), None);
        }
        if chain.contains(&name) || chain.len() > MAX_CHAIN {
            self.warnings.push(format!("{name} leads back to itself: {} → {name}", chain.join(" → ")));
            return Found::default();
        }
        chain.push(name);
        let found = match (route, alias) {
            (Some(row), _) => (self.candidates(row, chain), row.loss),
            (None, Some(meant)) => self.alias(meant, chain),
            (None, None) => Found::default(),
        };
        chain.pop();
        self.names.found.insert(name, found.clone());
        found
    }

    fn candidates(&mut self, row: &'r RouteRow, chain: &mut Vec<&'r str>) -> Vec<usize> {
        let mut candidates: Vec<usize> = Vec::new();
        for candidate in &row.candidates {
            let (found, _) = self.name(&candidate.value, chain);
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
        self.extend(&mut candidates, row.strategy.unwrap_or_default());
        candidates
    }

    /// An alias of a route is that route; one of a model is that model with those who follow it.
    fn alias(&mut self, meant: &'r str, chain: &mut Vec<&'r str>) -> Found {
        let is_model = !self.names.route.contains_key(meant) && !self.names.alias.contains_key(meant);
        let (mut candidates, loss) = self.name(meant, chain);
        if is_model {
            self.extend(&mut candidates, self.file.fallback);
        }
        (candidates, loss)
    }
}
