//! What a name means: routes and aliases lead to models, models to targets.

use std::collections::HashMap;

use dragoman_core::snapshot::Buckets;

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

/// What a route or an alias means.
#[derive(Clone, Default)]
pub(super) struct Meant<'r> {
    /// Those that somebody wrote down.
    pub(super) pool: Vec<usize>,
    /// Those that strategies found, after them.
    pub(super) added: Vec<usize>,
    /// Which buckets each of the pool is for, where a route says that.
    pub(super) suits: Vec<Buckets>,
    /// The route's row, where it is one.
    pub(super) row: Option<&'r RouteRow>,
}

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
    found: HashMap<&'r str, Meant<'r>>,
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
            let name = &row.name.value;
            let meant = self.name(name, &mut Vec::new());
            if meant.pool.is_empty() {
                self.warnings.push(format!("route {name}: left out, for none of its candidates can be asked now"));
            }
            self.check_pool(row, &meant);
            self.publish(name, meant);
        }
    }

    /// Tells of words about a pool that change nothing.
    fn check_pool(&mut self, row: &RouteRow, meant: &Meant<'_>) {
        let ids = |list: &[usize]| -> Vec<&str> {
            list.iter().filter_map(|at| self.targets.get(*at)).map(|target| target.id.as_str()).collect()
        };
        let pool = ids(&meant.pool);
        let strange =
            row.pool.weights.iter().map(|(target, _)| &target.value).filter(|id| !pool.contains(&id.as_str()));
        let name = &row.name.value;
        let mut warnings: Vec<String> =
            strange.map(|id| format!("route {name}: {id} has a weight, and is none of its candidates now")).collect();
        let allowed = |at: &usize| {
            let provider = self.targets.get(*at).and_then(|target| self.catalog.providers.get(target.provider));
            provider.is_some_and(|provider| row.pool.regions.allow(&provider.region))
        };
        if !meant.pool.is_empty() && !meant.pool.iter().chain(&meant.added).any(allowed) {
            let regions = row.pool.regions.required.join(", ");
            warnings.push(format!("route {name}: nobody answers, for none of its candidates is in {regions}"));
        }
        self.warnings.append(&mut warnings);
    }

    /// The aliases of the settings.
    pub(super) fn aliases(&mut self) {
        let file = self.file;
        for (alias, name) in &file.aliases {
            let meant = self.name(&alias.value, &mut Vec::new());
            if meant.pool.is_empty() {
                self.warnings.push(format!("alias {}: left out, for nobody can be asked for {name} now", alias.value));
            }
            self.publish(&alias.value, meant);
        }
    }

    /// What a name means that may be a route's or an alias'. `chain` are the names that led here: the reader of the settings
    /// refuses circles, rows from elsewhere may have them all the same.
    fn name(&mut self, name: &'r str, chain: &mut Vec<&'r str>) -> Meant<'r> {
        if let Some(known) = self.names.found.get(name) {
            return known.clone();
        }
        let itself = chain.last() == Some(&name);
        let (route, alias) = (self.names.route.get(name).copied(), self.names.alias.get(name).copied());
        if itself || (route.is_none() && alias.is_none()) {
            return Meant { pool: self.model(name), ..Meant::default() };
        }
        if chain.contains(&name) || chain.len() > MAX_CHAIN {
            self.warnings.push(format!("{name} leads back to itself: {} → {name}", chain.join(" → ")));
            return Meant::default();
        }
        chain.push(name);
        let found = match (route, alias) {
            (Some(row), _) => self.candidates(row, chain),
            (None, Some(meant)) => self.alias(meant, chain),
            (None, None) => Meant::default(),
        };
        chain.pop();
        self.names.found.insert(name, found.clone());
        found
    }

    /// What others add, that are candidates themselves, stands after all that is written.
    fn candidates(&mut self, row: &'r RouteRow, chain: &mut Vec<&'r str>) -> Meant<'r> {
        let (mut pool, mut added): (Vec<usize>, Vec<usize>) = Default::default();
        let mut suits: Vec<Buckets> = Vec::new();
        for candidate in &row.candidates {
            let found = self.name(&candidate.value, chain);
            if found.pool.is_empty() {
                self.warnings
                    .push(format!("route {}: nobody can be asked for {} now", row.name.value, candidate.value));
            }
            let buckets = row.choose.as_ref().map(|row| row.suits(&candidate.value)).unwrap_or_default();
            for target in found.pool {
                match pool.iter().position(|known| *known == target).and_then(|at| suits.get_mut(at)) {
                    Some(known) => *known = known.and(buckets),
                    None => {
                        pool.push(target);
                        suits.push(buckets);
                    }
                }
            }
            for target in found.added {
                if !added.contains(&target) {
                    added.push(target);
                }
            }
        }
        if row.choose.is_none() {
            suits.clear();
        }
        added.retain(|target| !pool.contains(target));
        let known: Vec<usize> = pool.iter().chain(&added).copied().collect();
        added.extend(self.others(&known, row.strategy.unwrap_or_default()));
        Meant { pool, added, suits, row: Some(row) }
    }

    /// An alias of a route is that route; one of a model is that model with those who follow it.
    fn alias(&mut self, meant: &'r str, chain: &mut Vec<&'r str>) -> Meant<'r> {
        let is_model = !self.names.route.contains_key(meant) && !self.names.alias.contains_key(meant);
        let found = self.name(meant, chain);
        match is_model {
            true => Meant { added: self.others(&found.pool, self.file.fallback), ..found },
            false => found,
        }
    }
}
