//! Who could stand in for whom: models compared by what they can do, how much they take in and give, and what they cost.
//!
//! Only what the rows say is compared. Nobody knows which of two models answers better; whoever does writes a route.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use dragoman_core::catalog::Abilities;

use crate::catalog::Catalog;
use crate::prices::{PriceBook, Source, dollars};
use crate::settings::{Modality, ModelRow, Status, Strategy};

/// Most targets that a strategy adds.
pub const MOST: usize = 5;

/// What is said of two things of which one is not known: neither alike nor different.
const UNKNOWN: u64 = 500;

/// A target that could stand in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recommendation {
    /// `provider/model`.
    pub target: String,
    /// 0 to 1000: how similar it is, or how cheap, by the strategy.
    pub score: u64,
    /// Why, in words.
    pub why: Vec<String>,
}

/// The five targets that the strategy would ask after `model`, which is `provider/model` or a model's name: then its first
/// offer that can be asked now is meant. Nobody, when it is not described.
pub fn recommended(
    catalog: &Catalog,
    prices: &PriceBook,
    model: &str,
    strategy: Strategy,
    at_ms: u64,
) -> Vec<Recommendation> {
    let ranking = Ranking::new(catalog, prices, at_ms);
    let by_name = || ranking.entries.iter().find(|entry| entry.row.name == model).map(|entry| entry.id.clone());
    let id = match ranking.place.contains_key(model) {
        true => Some(model.to_string()),
        false => by_name(),
    };
    let Some(id) = id else { return Vec::new() };
    let subject = ranking.entry(&id);
    let found = ranking.after(&id, strategy).into_iter().take(MOST);
    found.map(|found| found.recommend(subject, strategy)).collect()
}

/// A target of a described model, with what it is compared by.
#[derive(Debug)]
struct Entry<'r> {
    id: String,
    provider: &'r str,
    model: &'r str,
    row: &'r ModelRow,
    /// Micro-dollars per million tokens, three parts input to one part output; `None` when nobody listed it.
    price: Option<u64>,
}

/// One that was found, and how good it is.
#[derive(Debug)]
pub(super) struct Found<'r> {
    pub(super) provider: &'r str,
    pub(super) model: &'r str,
    score: u64,
    row: &'r ModelRow,
    price: Option<u64>,
}

/// Everything that can be asked and is described.
pub(super) struct Ranking<'r> {
    entries: Vec<Entry<'r>>,
    /// Target → place in `entries`.
    place: HashMap<String, usize>,
    /// Provider → places in `entries`.
    by_provider: BTreeMap<&'r str, Vec<usize>>,
}

impl<'r> Ranking<'r> {
    pub(super) fn new(catalog: &'r Catalog, prices: &PriceBook, at_ms: u64) -> Ranking<'r> {
        let mut ranking = Ranking { entries: Vec::new(), place: HashMap::new(), by_provider: BTreeMap::new() };
        let registered = |id: &str| catalog.providers.iter().any(|provider| provider.id == id);
        for row in catalog.models.iter().filter(|row| row.status() != Status::Disabled) {
            for (provider, model, _) in row.offers.iter().filter(|(provider, _, _)| registered(provider)) {
                let id = format!("{provider}/{model}");
                let Some(priced) = prices.price(&id, at_ms) else { continue };
                if ranking.place.contains_key(&id) {
                    continue;
                }
                let price = (priced.source == Source::Listed).then(|| priced.price.rates.blended());
                ranking.place.insert(id.clone(), ranking.entries.len());
                ranking.by_provider.entry(provider).or_default().push(ranking.entries.len());
                ranking.entries.push(Entry { id, provider, model, row, price });
            }
        }
        ranking
    }

    fn entry(&self, id: &str) -> Option<&Entry<'r>> {
        self.entries.get(*self.place.get(id)?)
    }

    /// All that the strategy would ask after that target, the best first.
    pub(super) fn after(&self, id: &str, strategy: Strategy) -> Vec<Found<'r>> {
        let Some(subject) = self.entry(id) else { return Vec::new() };
        let of_provider = || self.by_provider.get(subject.provider).into_iter().flatten();
        let others: Vec<&Entry<'r>> = match strategy {
            Strategy::Explicit => Vec::new(),
            Strategy::SameProvider => of_provider()
                .filter_map(|at| self.entries.get(*at))
                .filter(|other| other.row.name != subject.row.name && makes_the_same(other.row, subject.row))
                .collect(),
            Strategy::Capability | Strategy::Cost => {
                self.entries.iter().filter(|other| other.id != subject.id && can_do(other.row, subject.row)).collect()
            }
        };
        let active = others.into_iter().filter(|other| other.row.status() == Status::Active);
        let score = |other: &Entry<'r>| match strategy {
            Strategy::Cost => cheapness(other.price),
            _ => similarity(other, subject),
        };
        let found = |other: &Entry<'r>| Found {
            provider: other.provider,
            model: other.model,
            score: score(other),
            row: other.row,
            price: other.price,
        };
        let mut all: Vec<Found<'r>> = active.map(found).collect();
        match strategy {
            // What nobody listed a price of may be the dearest.
            Strategy::Cost => all.sort_by_key(|found| found.price.unwrap_or(u64::MAX)),
            _ => all.sort_by_key(|found| Reverse(found.score)),
        }
        all
    }
}

/// Whether what comes out is what is asked for.
fn makes_the_same(other: &ModelRow, subject: &ModelRow) -> bool {
    let reads = |row: &ModelRow| row.input().contains(&Modality::Text);
    let covers = subject.output().iter().all(|modality| other.output().contains(modality));
    covers && subject.output().is_empty() == other.output().is_empty() && reads(other) == reads(subject)
}

/// Whether it can do everything that the other one can, with at least as much at once. Of what nobody described nothing is
/// known: it stands in for nobody, and nobody for it. Remembering saves money and changes no answer.
fn can_do(other: &ModelRow, subject: &ModelRow) -> bool {
    let (Some(other_abilities), Some(abilities)) = (other.abilities, subject.abilities) else { return false };
    makes_the_same(other, subject)
        && other_abilities.cover(abilities.without(Abilities::CACHING))
        && other.context_window.unwrap_or(0) >= subject.context_window.unwrap_or(0)
}

/// How alike two numbers are, from 0 to 1000.
fn alike(one: Option<u64>, other: Option<u64>) -> u64 {
    match (one, other) {
        (Some(one), Some(other)) if one == other => 1_000,
        (Some(one), Some(other)) => one.min(other).saturating_mul(1_000) / one.max(other).max(1),
        _ => UNKNOWN,
    }
}

/// How much of what either can do both can, from 0 to 1000.
fn shared(one: Option<Abilities>, other: Option<Abilities>) -> u64 {
    let (Some(one), Some(other)) = (one, other) else { return UNKNOWN };
    let count = |abilities: Abilities| abilities.names().count() as u64;
    let all = count(one.and(other));
    let apart = count(one.without(other)) + count(other.without(one));
    (all.saturating_sub(apart) * 1_000).checked_div(all).unwrap_or(1_000)
}

/// The parts weigh as they would be missed: abilities and price before room.
fn similarity(other: &Entry<'_>, subject: &Entry<'_>) -> u64 {
    let context = alike(other.row.context_window, subject.row.context_window);
    let output = alike(other.row.output_limit, subject.row.output_limit);
    let abilities = shared(other.row.abilities, subject.row.abilities);
    (3 * abilities + 3 * alike(other.price, subject.price) + 2 * context + 2 * output) / 10
}

/// 1000 for what is free, half of it at ten dollars per million tokens, nothing for what nobody listed.
fn cheapness(price: Option<u64>) -> u64 {
    const HALF: u64 = 10_000_000;
    price.map_or(0, |price| HALF * 1_000 / HALF.saturating_add(price))
}

impl Found<'_> {
    fn recommend(&self, subject: Option<&Entry<'_>>, strategy: Strategy) -> Recommendation {
        let against = |what: &str, own: Option<u64>, other: Option<u64>| {
            let text = |value: Option<u64>| value.map_or("unknown".to_string(), |value| value.to_string());
            format!("{what} {} to {}", text(own), text(other))
        };
        let row = subject.map(|subject| subject.row);
        let mut why = vec![match strategy {
            Strategy::SameProvider => format!("also served by {}", self.provider),
            Strategy::Explicit | Strategy::Capability | Strategy::Cost => "can do everything it can".to_string(),
        }];
        why.push(against("context", self.row.context_window, row.and_then(|row| row.context_window)));
        why.push(against("output", self.row.output_limit, row.and_then(|row| row.output_limit)));
        let price = |price: Option<u64>| price.map_or("unknown".to_string(), dollars);
        let other = subject.and_then(|subject| subject.price);
        why.push(format!("dollars per million tokens, 3:1, {} to {}", price(self.price), price(other)));
        Recommendation { target: format!("{}/{}", self.provider, self.model), score: self.score, why }
    }
}

#[cfg(test)]
mod tests;
