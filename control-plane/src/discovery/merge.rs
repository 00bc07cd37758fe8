//! What providers say of their models, put below what the operator and the shipped rows say.
//!
//! A provider is a stranger: it may fill gaps, it may not take names. A name becomes a model's own only if nobody has it and
//! no other provider could be meant by it; else the model is found as `provider/name`.

use std::collections::{HashMap, HashSet};

use dragoman_core::catalog::Abilities;

use super::read::is_safe;
use crate::catalog::Catalog;
use crate::settings::ModelRow;

/// One model of a provider, as the store remembers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its name there.
    pub name: String,
    /// Tokens in and out together.
    pub context_window: Option<u64>,
    /// Tokens out.
    pub output_limit: Option<u64>,
    /// What it can do, where its provider says so.
    pub abilities: Option<Abilities>,
    /// Whether it was listed once and is no more.
    pub vanished: bool,
}

/// A model at a provider: the provider's id and the model's name there.
pub type Offer = (String, String);

/// Merges what the store knows of each provider's models, by its id, into the catalogue; the catalogue's order of providers
/// decides between them. Returns the offers of the catalogue that their providers no longer list.
pub fn merge(catalog: &mut Catalog, known: &HashMap<String, Vec<Known>>) -> Vec<Offer> {
    let mut merging = Merging::begin(catalog);
    let mut vanished = Vec::new();
    let ids: Vec<String> = catalog.providers.iter().map(|row| row.id.clone()).collect();
    for id in &ids {
        for model in known.get(id).into_iter().flatten().filter(|model| is_safe(&model.name)) {
            merging.model(catalog, id, model);
            let offer = (id.clone(), model.name.clone());
            if model.vanished && merging.offered.contains_key(&offer) {
                vanished.push(offer);
            }
        }
    }
    merging.fill(catalog);
    vanished
}

/// What was said of one row, by all who serve it.
#[derive(Clone, Copy, Default)]
struct Said {
    context_window: Option<u64>,
    output_limit: Option<u64>,
    abilities: Option<Abilities>,
}

struct Merging {
    /// Who offers what: the place of the row.
    offered: HashMap<Offer, usize>,
    named: HashMap<String, usize>,
    /// (prefix, the provider whose names begin so).
    families: Vec<(String, String)>,
    ids: HashSet<String>,
    said: HashMap<usize, Said>,
}

impl Merging {
    fn begin(catalog: &Catalog) -> Merging {
        let mut offered = HashMap::new();
        let mut named = HashMap::new();
        for (at, row) in catalog.models.iter().enumerate() {
            named.entry(row.name.clone()).or_insert(at);
            for (provider, name, _) in &row.offers {
                offered.entry((provider.clone(), name.clone())).or_insert(at);
            }
        }
        let families = catalog.providers.iter().flat_map(|row| {
            let own = row.families.iter().filter(|prefix| !prefix.is_empty());
            own.map(|prefix| (prefix.clone(), row.id.clone()))
        });
        Merging {
            offered,
            named,
            families: families.collect(),
            ids: catalog.providers.iter().map(|row| row.id.clone()).collect(),
            said: HashMap::new(),
        }
    }

    fn model(&mut self, catalog: &mut Catalog, provider: &str, model: &Known) {
        let offer = (provider.to_string(), model.name.clone());
        let at = match self.offered.get(&offer) {
            Some(at) => *at,
            // What its provider no longer lists and nobody wrote down is gone.
            None if model.vanished => return,
            None => match self.row(catalog, provider, &model.name) {
                Some(row) => {
                    let at = catalog.models.len();
                    self.named.insert(row.name.clone(), at);
                    self.offered.insert(offer, at);
                    catalog.models.push(row);
                    at
                }
                None => return,
            },
        };
        let said = self.said.entry(at).or_default();
        // Of several providers the smallest limit holds for all, and an ability is there when one of them has it.
        let smaller = |one: Option<u64>, other: Option<u64>| one.into_iter().chain(other).min();
        said.context_window = smaller(said.context_window, model.context_window);
        said.output_limit = smaller(said.output_limit, model.output_limit);
        said.abilities = match (said.abilities, model.abilities) {
            (Some(one), Some(other)) => Some(one.and(other)),
            (one, other) => one.or(other),
        };
    }

    /// The row of a model that nobody wrote down; `None` when even its whole name is somebody else's.
    fn row(&self, catalog: &Catalog, provider: &str, name: &str) -> Option<ModelRow> {
        let offer = (provider.to_string(), name.to_string(), 0);
        let whole = format!("{provider}/{name}");
        let row = |name: &str, offers| ModelRow { name: name.to_string(), offers, ..ModelRow::default() };
        let holder = self.named.get(name).and_then(|at| catalog.models.get(*at));
        if holder.is_none() && !self.means_another(provider, name) {
            return Some(row(name, vec![offer]));
        }
        // Asked for as `provider/name` it has the fallbacks that such a name always had: everybody who serves the model.
        let others = holder.into_iter().flat_map(|row| row.offers.iter().cloned());
        let offers = [offer].into_iter().chain(others).collect();
        (!self.named.contains_key(&whole)).then(|| row(&whole, offers))
    }

    /// Whether a caller who says this name may mean another provider.
    fn means_another(&self, provider: &str, name: &str) -> bool {
        let addressed = |mark| name.split_once(mark).is_some_and(|(id, _)| self.ids.contains(id));
        // The longest prefix decides, as it does for names that nobody lists; among equals the first provider.
        let mut owner: Option<&(String, String)> = None;
        for family in self.families.iter().filter(|(prefix, _)| name.starts_with(prefix.as_str())) {
            if owner.is_none_or(|(longest, _)| family.0.len() > longest.len()) {
                owner = Some(family);
            }
        }
        addressed('/') || addressed(':') || owner.is_some_and(|(_, id)| id != provider)
    }

    fn fill(self, catalog: &mut Catalog) {
        for (at, said) in self.said {
            let Some(row) = catalog.models.get_mut(at) else { continue };
            row.context_window = row.context_window.or(said.context_window);
            row.output_limit = row.output_limit.or(said.output_limit);
            row.abilities = row.abilities.or(said.abilities);
        }
    }
}

#[cfg(test)]
mod tests {
    use dragoman_core::catalog::Origin;

    use super::*;
    use crate::catalog::Registered;
    use crate::settings::File;

    fn provider(id: &str, families: &[&str]) -> Registered {
        let origin = Origin { tls: true, host: "x.example".into(), port: 443, base: String::new() };
        let families = families.iter().map(|prefix| prefix.to_string()).collect();
        Registered { id: id.into(), families, ..Registered::demo(origin) }
    }

    fn model(name: &str, limits: (Option<u64>, Option<u64>)) -> Known {
        Known { name: name.into(), context_window: limits.0, output_limit: limits.1, abilities: None, vanished: false }
    }

    fn row(name: &str, offers: &[(&str, &str)]) -> ModelRow {
        let offers = offers.iter().map(|(id, name)| (id.to_string(), name.to_string(), 0)).collect();
        ModelRow { name: name.into(), offers, ..ModelRow::default() }
    }

    fn known(list: &[(&str, Vec<Known>)]) -> HashMap<String, Vec<Known>> {
        list.iter().map(|(id, models)| (id.to_string(), models.clone())).collect()
    }

    fn names(catalog: &Catalog) -> Vec<&str> {
        catalog.models.iter().map(|row| row.name.as_str()).collect()
    }

    #[test]
    fn a_model_that_nobody_wrote_down_becomes_a_row() {
        let mut catalog = Catalog { providers: vec![provider("a", &[])], ..Catalog::default() };
        let vanished = merge(&mut catalog, &known(&[("a", vec![model("new", (Some(9), Some(3)))])]));
        assert_eq!(vanished, []);
        let expected = ModelRow { context_window: Some(9), output_limit: Some(3), ..row("new", &[("a", "new")]) };
        assert_eq!(catalog.models, [expected]);
    }

    #[test]
    fn what_a_row_says_wins_and_gaps_are_filled_with_what_holds_for_all() {
        let mut catalog = Catalog {
            providers: vec![provider("a", &[]), provider("b", &[])],
            models: vec![ModelRow { context_window: Some(5), ..row("m", &[("a", "m-a"), ("b", "m-b")]) }],
            ..Catalog::default()
        };
        let with = |name: &str, limits, abilities| Known { abilities: Some(abilities), ..model(name, limits) };
        let said = known(&[
            ("a", vec![with("m-a", (Some(9), Some(4)), Abilities::TOOLS)]),
            ("b", vec![with("m-b", (Some(8), Some(3)), Abilities::IMAGES)]),
        ]);
        merge(&mut catalog, &said);
        let both = Abilities::TOOLS.and(Abilities::IMAGES);
        assert_eq!(catalog.models.len(), 1);
        let row = &catalog.models[0];
        assert_eq!((row.context_window, row.output_limit, row.abilities), (Some(5), Some(3), Some(both)));
    }

    #[test]
    fn a_provider_takes_no_name_of_another() {
        let mut catalog = Catalog {
            providers: vec![provider("a", &["big-"]), provider("b", &["big-own-", ""])],
            models: vec![row("held", &[("a", "held")])],
            ..Catalog::default()
        };
        let list = ["held", "big-new", "big-own-new", "a/secret", "a:secret", "c/free", "free"];
        merge(&mut catalog, &known(&[("b", list.map(|name| model(name, (None, None))).to_vec())]));
        let expected = ["held", "b/held", "b/big-new", "big-own-new", "b/a/secret", "b/a:secret", "c/free", "free"];
        assert_eq!(names(&catalog), expected);
        assert_eq!(catalog.models[0], row("held", &[("a", "held")]), "a written row is not changed");
        assert_eq!(catalog.models[1], row("b/held", &[("b", "held"), ("a", "held")]));
    }

    #[test]
    fn of_two_providers_with_one_new_name_the_first_has_it() {
        let mut catalog = Catalog { providers: vec![provider("a", &[]), provider("b", &[])], ..Catalog::default() };
        let list = || vec![model("new", (None, None))];
        merge(&mut catalog, &known(&[("b", list()), ("a", list()), ("gone", list())]));
        assert_eq!(names(&catalog), ["new", "b/new"]);
        assert_eq!(catalog.models[1].offers, [("b".into(), "new".into(), 0), ("a".into(), "new".into(), 0)]);
    }

    #[test]
    fn what_vanished_is_told_where_a_row_has_it_and_forgotten_where_none_has() {
        let mut catalog = Catalog {
            providers: vec![provider("a", &[])],
            models: vec![row("m", &[("a", "old"), ("a", "new")])],
            ..Catalog::default()
        };
        let gone = |name: &str| Known { vanished: true, ..model(name, (None, None)) };
        let vanished =
            merge(&mut catalog, &known(&[("a", vec![gone("old"), gone("nobodys"), model("new", (None, None))])]));
        assert_eq!(vanished, [("a".to_string(), "old".to_string())]);
        assert_eq!(names(&catalog), ["m"]);
    }

    #[test]
    fn merging_twice_changes_nothing_and_the_result_is_published() {
        let file =
            File::read("f", "[[provider]]\nid = \"corp\"\nbase_url = \"https://x.example\"\n", &Default::default());
        let mut catalog = Catalog::join(&file.unwrap(), &|_| None).unwrap();
        let said = known(&[("corp", vec![model("ours", (Some(1), None)), model("local/x", (None, None))])]);
        merge(&mut catalog, &said);
        let once = catalog.clone();
        merge(&mut catalog, &said);
        assert_eq!(catalog, once);
        let (snapshot, _) = crate::publish::snapshot(1, &catalog, &File::default()).unwrap();
        let target = |name: &str| snapshot.targets[snapshot.route(name).unwrap().candidates[0]].id.clone();
        assert_eq!((target("ours"), target("corp/local/x")), ("corp/ours".into(), "corp/local/x".into()));
        assert!(snapshot.route("local/x").is_none());
    }
}
