//! Rows become a Snapshot: targets for every offer that can be asked, a route for every name.
//!
//! A name is looked up in this order: routes of the settings, aliases, models, the names that providers themselves have for
//! a model. What no route names, the filters find by `provider/model`, then by family. What is disabled, or has no price
//! where it must have one, is left out of all of them.

pub mod fallbacks;
mod names;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dragoman_core::admission::Budget;
use dragoman_core::catalog::{DialectId, Operation, Provider, Target};
use dragoman_core::price::Price;
use dragoman_core::select::{Needs, Resolution, judge};
use dragoman_core::snapshot::{Choice, Experiment, Family, Pool, Regions, Route, Silence, Snapshot};

use crate::catalog::{Catalog, Registered};
use crate::prices::PriceBook;
use crate::settings::{
    ExperimentRow, File, IdentityRow, Limits, ModelRow, PoolRow, RateLimit, RouteRow, Status, Strategy,
};
use fallbacks::{MOST, Ranking};
use names::{Meant, Names, Resolved};

/// Makes the Snapshot of a catalogue as of now; the second value lists what the operator should know.
pub fn snapshot(version: u64, catalog: &Catalog, file: &File) -> anyhow::Result<(Snapshot, Vec<String>)> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    snapshot_at(version, catalog, file, u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Makes the Snapshot of a catalogue with the prices of that moment.
pub fn snapshot_at(
    version: u64,
    catalog: &Catalog,
    file: &File,
    at_ms: u64,
) -> anyhow::Result<(Snapshot, Vec<String>)> {
    let book = PriceBook::of(catalog, file);
    let mut builder = Builder::new(catalog, file, &book, at_ms);
    builder.withhold();
    builder.configured();
    builder.aliases();
    builder.models();
    let Builder { targets, routes, mut warnings, withheld, .. } = builder;
    let providers = catalog.providers.iter().map(|row| provider(row, &book, at_ms)).collect();
    let families = families(&catalog.providers, &withheld);
    let mut snapshot = Snapshot::new(version, providers, targets, routes, families)
        .map_err(|mistakes| anyhow::anyhow!("the catalogue makes no Snapshot: {}", mistakes.join("; ")))?;
    snapshot.withheld = withheld;
    snapshot.health = file.health.judged;
    snapshot.silence = silence(&file.limits);
    snapshot.experiments = experiments(file, &snapshot, &mut warnings);
    snapshot.identities = file.identities.iter().map(IdentityRow::published).collect();
    let rules: Result<Vec<_>, String> = file.rules.iter().map(|row| row.rule(file)).collect();
    let snapshot = rules.map_err(|wrong| vec![wrong]).and_then(|rules| snapshot.with_rules(rules));
    Ok((snapshot.map_err(|mistakes| anyhow::anyhow!(mistakes.join("; ")))?, warnings))
}

/// The experiments, without arms that lead nowhere now.
fn experiments(file: &File, snapshot: &Snapshot, warnings: &mut Vec<String>) -> Vec<Experiment> {
    let mut all: Vec<Experiment> = file.experiments.iter().map(ExperimentRow::published).collect();
    for row in &mut all {
        let name = row.name.clone();
        row.arms.retain(|arm| {
            let judged = judge(&arm.to, Needs::only(DialectId::ChatCompletions, Operation::Generate), snapshot);
            let leads = judged.resolution != Resolution::Nobody;
            if !leads {
                warnings
                    .push(format!("experiment {name}: the arm {} is left out, for {} is nobody now", arm.name, arm.to));
            }
            leads
        });
    }
    all
}

/// How long targets may be silent where no route says otherwise.
fn silence(limits: &Limits) -> Silence {
    Silence {
        first_event_ms: millis(limits.first_event_timeout),
        thinking_ms: millis(limits.thinking_timeout),
        between_events_ms: millis(limits.between_events_timeout),
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// What the filters need to know of a provider. Its credential's id is its own id.
fn provider(row: &Registered, book: &PriceBook, at_ms: u64) -> Provider {
    Provider {
        id: row.id.clone(),
        cluster: row.cluster(),
        origin: row.origin.clone(),
        services: row.services.clone(),
        credential: if row.credential.is_some() { row.id.clone() } else { String::new() },
        own_only: row.own_only,
        passthrough: row.passthrough.clone(),
        headers: row.headers.clone(),
        omit: row.omit.clone(),
        rename: row.rename.clone(),
        set: row.set.clone(),
        // What must not be asked without a price is withheld; should it be asked all the same, it is not for nothing.
        price: book.unlisted(&row.id, at_ms).map_or_else(|| Price::of(*book.ceiling()), |priced| as_of(priced.price)),
        rate_limits: rate_limits(row, None),
        dispatch: row.dispatch,
        share: row.share,
        region: row.region.clone(),
        data_policy: row.data_policy.clone(),
    }
}

/// How fast a model may be asked; with none, whatever the provider serves.
fn rate_limits(row: &Registered, model: Option<&str>) -> Arc<[Budget]> {
    let about = |limit: &&RateLimit| limit.model.is_none() || limit.model.as_deref() == model;
    row.rate_limits.iter().filter(about).filter_map(|limit| Budget::of_target(&limit.id(&row.id))).collect()
}

/// A price of which the filters need not know when it holds.
fn as_of(price: &Price) -> Price {
    Price { from_ms: None, until_ms: None, ..price.clone() }
}

/// Longer prefixes first; among equals the providers' order decides. A provider whose unlisted models must not be asked has no
/// family: every name of it that may be asked is a target.
fn families(providers: &[Registered], withheld: &BTreeSet<String>) -> Vec<Family> {
    let mut families: Vec<Family> = providers
        .iter()
        .enumerate()
        .filter(|(_, row)| !withheld.contains(&format!("{}/*", row.id)))
        .flat_map(|(at, row)| row.families.iter().map(move |prefix| Family { prefix: prefix.clone(), provider: at }))
        .collect();
    families.sort_by_key(|family| std::cmp::Reverse(family.prefix.len()));
    families
}

struct Builder<'r> {
    catalog: &'r Catalog,
    file: &'r File,
    book: &'r PriceBook,
    at_ms: u64,
    provider: HashMap<&'r str, usize>,
    names: Names<'r>,
    ranking: Ranking<'r>,
    targets: Vec<Target>,
    target: HashMap<String, usize>,
    routes: Vec<Route>,
    named: HashSet<String>,
    withheld: BTreeSet<String>,
    warnings: Vec<String>,
}

impl<'r> Builder<'r> {
    fn new(catalog: &'r Catalog, file: &'r File, book: &'r PriceBook, at_ms: u64) -> Builder<'r> {
        Builder {
            provider: catalog.providers.iter().enumerate().map(|(at, row)| (row.id.as_str(), at)).collect(),
            names: Names::new(catalog, file),
            ranking: Ranking::new(catalog, book, at_ms),
            catalog,
            file,
            book,
            at_ms,
            targets: Vec::new(),
            target: HashMap::new(),
            routes: Vec::new(),
            named: HashSet::new(),
            withheld: BTreeSet::new(),
            warnings: Vec::new(),
        }
    }

    /// What must not be asked by its name: the offers of disabled models, and what has no price where it must have one.
    fn withhold(&mut self) {
        let catalog = self.catalog;
        for row in catalog.models.iter().filter(|row| row.status() == Status::Disabled) {
            self.withheld.extend(row.offers.iter().map(|(provider, model, _)| format!("{provider}/{model}")));
        }
        let (file, at_ms) = (self.file, self.at_ms);
        for row in file.suspensions.iter().filter(|row| row.covers(&row.target, at_ms)) {
            let why = if row.reason.is_empty() { "no reason is given" } else { row.reason.as_str() };
            self.warnings.push(format!("{}: suspended, {why}", row.target));
            self.withheld.insert(row.target.clone());
        }
        for row in catalog.providers.iter().filter(|row| self.book.unlisted(&row.id, self.at_ms).is_none()) {
            self.withheld.insert(format!("{}/*", row.id));
            self.warnings.push(format!(
                "provider {0}: models of it that nobody listed are not asked, for \"{0}/*\" has no price",
                row.id
            ));
        }
        // What only a price knows would not be found by its name, were it not listed.
        let (book, at_ms) = (self.book, self.at_ms);
        let mut priced: Vec<(&str, &str)> = book.named().collect();
        priced.sort_unstable();
        for (provider, model) in priced {
            let is_priced = || book.price(&format!("{provider}/{model}"), at_ms).is_some();
            if self.withheld.contains(&format!("{provider}/*")) && is_priced() {
                self.target(provider, model);
            }
        }
    }

    /// The target of a model at a provider, made at its first mention; `None` when it can't or must not be asked.
    fn target(&mut self, provider: &str, model: &str) -> Option<usize> {
        let at = *self.provider.get(provider)?;
        let id = format!("{provider}/{model}");
        if let Some(known) = self.target.get(&id) {
            return Some(*known);
        }
        let row = self.names.offer(provider, model);
        if row.is_some_and(|row| row.status() == Status::Disabled) || self.is_suspended(&id) {
            return None;
        }
        let Some(priced) = self.book.price(&id, self.at_ms) else {
            if self.withheld.insert(id.clone()) {
                self.warnings.push(format!("{id}: left out, for it has no price"));
            }
            return None;
        };
        let unlisted = Target {
            price: as_of(priced.price),
            rate_limits: self.catalog.providers.get(at).map(|row| rate_limits(row, Some(model))).unwrap_or_default(),
            ..Target::unlisted(id.clone(), at, model)
        };
        self.targets.push(match row {
            None => unlisted,
            Some(row) => Target {
                output_limit: row.output_limit.unwrap_or(0),
                context_window: row.context_window.unwrap_or(0),
                abilities: row.abilities.unwrap_or(unlisted.abilities),
                thinking: row.thinking.unwrap_or(unlisted.thinking),
                unsigned: row.unsigned.clone().unwrap_or_default(),
                judged_as: row.judged_as.clone().unwrap_or_else(|| row.name.clone()),
                quality: row.quality.map(|percent| u16::from(percent) * 10),
                ..unlisted
            },
        });
        self.target.insert(id, self.targets.len() - 1);
        Some(self.targets.len() - 1)
    }

    fn is_suspended(&self, id: &str) -> bool {
        self.file.suspensions.iter().any(|row| row.covers(id, self.at_ms))
    }

    /// The targets of everybody who serves `model`, first choice first; whose provider no longer lists it comes last.
    fn offers(&mut self, model: &ModelRow) -> Vec<usize> {
        let gone =
            |offer: &&(String, String, usize)| self.catalog.vanished.contains(&format!("{}/{}", offer.0, offer.1));
        let (gone, there): (Vec<_>, Vec<_>) = model.offers.iter().partition(gone);
        there.into_iter().chain(gone).filter_map(|(provider, name, _)| self.target(provider, name)).collect()
    }

    /// The targets that the name of a model means, in whichever way it is written.
    fn model(&mut self, name: &str) -> Vec<usize> {
        match self.names.model(name) {
            Some(Resolved::Model(row)) => self.offers(row),
            Some(Resolved::Target(provider, model)) => self.target(provider, &model).into_iter().collect(),
            None => Vec::new(),
        }
    }

    /// Whom the strategy finds beside those that are there.
    fn others(&mut self, candidates: &[usize], strategy: Strategy) -> Vec<usize> {
        let mut others = Vec::new();
        let Some(first) = candidates.first().and_then(|at| self.targets.get(*at)).map(|target| target.id.clone())
        else {
            return others;
        };
        for found in self.ranking.after(&first, strategy) {
            let Some(target) =
                self.target(found.provider, found.model).filter(|at| !candidates.contains(at) && !others.contains(at))
            else {
                continue;
            };
            others.push(target);
            if others.len() == MOST {
                break;
            }
        }
        others
    }

    /// A route, unless the name has one: these, and after them whom the strategy finds.
    fn route(&mut self, name: &str, pool: Vec<usize>, strategy: Strategy) {
        let added = self.others(&pool, strategy);
        self.publish(name, Meant { pool, added, ..Meant::default() });
    }

    fn publish(&mut self, name: &str, meant: Meant<'_>) {
        let Meant { pool, added, suits, row } = meant;
        // Where nobody stands in, all are the pool.
        let size = if added.is_empty() { usize::MAX } else { pool.len() };
        let mut candidates = pool;
        candidates.extend(added);
        candidates.truncate(crate::settings::MAX_CANDIDATES);
        if candidates.is_empty() || !self.named.insert(name.to_string()) {
            return;
        }
        let ids: Vec<&str> =
            candidates.iter().filter_map(|at| self.targets.get(*at)).map(|row| row.id.as_str()).collect();
        let (pool, regions) = row.map(|row| shared(row, &ids, size)).unwrap_or_default();
        let pool = Pool { size, ..pool };
        let loss = row.and_then(|row| row.loss).unwrap_or(self.file.loss);
        let patience = row.map(|row| row.patience).unwrap_or_default();
        let choice = row.and_then(|row| row.choose.as_ref()).map(|row| Choice { suits, ..row.choice.clone() });
        let preferences = row.map(|row| row.preferences).unwrap_or_default();
        let shadow = row.and_then(|row| row.shadow.as_ref()).map(|shadow| shadow.value.clone());
        let name = name.to_string();
        self.routes.push(Route { name, candidates, loss, pool, regions, patience, choice, preferences, shadow });
    }

    fn models(&mut self) {
        let catalog = self.catalog;
        for model in &catalog.models {
            let offers = self.offers(model);
            self.route(&model.name, offers, self.file.fallback);
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
                let pool = [first].into_iter().chain(others).collect();
                self.route(name, pool, self.file.fallback);
            }
        }
    }
}

/// How a route's candidates, of which so many are its pool, share its requests.
fn shared(row: &RouteRow, candidates: &[&str], size: usize) -> (Pool, Regions) {
    let PoolRow { balance, weights, affinity, slow_start, regions } = &row.pool;
    let weight = |id: &&str| weights.iter().find(|(target, _)| target.value == **id).map_or(1, |(_, weight)| *weight);
    let weights = if weights.is_empty() { Vec::new() } else { candidates.iter().take(size).map(weight).collect() };
    let slow_start_ms = slow_start.map_or(0, millis);
    (Pool { size, balance: *balance, weights, affinity: affinity.clone(), slow_start_ms }, regions.clone())
}

#[cfg(test)]
mod tests;
