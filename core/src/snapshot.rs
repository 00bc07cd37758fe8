//! What the data plane knows: providers, targets, routes. Written by the control plane, read and indexed once per version.
//!
//! The document is JSON: it can be read by a person, a newer control plane may add members that an older filter ignores, and
//! both directions are here, so that what is published is checked by the very code that serves it.
//!
//! ```
//! use dragoman_core::snapshot::Snapshot;
//! let text = br#"{"version":1,"providers":[],"targets":[],"routes":[],"families":[]}"#;
//! assert_eq!(Snapshot::read(text).unwrap().version, 1);
//! ```

mod choice;
mod document;
mod experiment;
mod patience;
mod pool;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::catalog::{self, Identity, Provider, Target};
use crate::health::Settings;
use crate::preferences::Several;
use crate::rule::{MAX_RULES, Rule};

pub use choice::{Buckets, Choice, Thought};
pub use experiment::{Arm, ChoosesBy, Experiment, LEAST_DIGITS, MAX_NAMED};
pub use patience::{Hedge, HedgeAfter, OnContentPolicy, Patience, Silence, Wait};
pub use pool::{Affinity, Balance, Pool, Regions};

/// Largest Snapshot document accepted, in bytes: 5,000 models with their routes take about 2 MiB.
pub const MAX_SNAPSHOT: usize = 32 << 20;

/// A route: the name a client asks for, and who may answer.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Route {
    /// What stands in the request's `model`.
    pub name: String,
    /// Indexes into the Snapshot's targets, first choice first.
    pub candidates: Vec<usize>,
    /// What to do when a target's dialect cannot say something the client said.
    pub loss: Loss,
    /// How the candidates share its requests.
    pub pool: Pool,
    /// Where they may be answered.
    pub regions: Regions,
    /// How long they are waited for, and who else is asked.
    pub patience: Patience,
    /// How the model is chosen for each request; `None` where it is the first that can answer.
    pub choice: Option<Choice>,
    /// What its callers may prefer.
    pub preferences: Several,
    /// Who else is asked, unseen.
    pub shadow: Option<Shadow>,
}

/// To whom some of a route's requests also go, for an answer that nobody sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shadow {
    /// What is asked for instead: a route, a model or `provider/model`.
    pub to: String,
    /// How many of a hundred requests go there.
    pub share: u64,
}

/// What happens to a member that cannot be said in the target's dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Loss {
    /// The request is refused before it is sent.
    Strict,
    /// It is left out and reported in `x-dragoman-dropped` and the Record.
    #[default]
    Warn,
    /// It is left out; only the Record says so.
    Silent,
}

impl Loss {
    /// Every way.
    pub const ALL: [Loss; 3] = [Loss::Strict, Loss::Warn, Loss::Silent];

    /// Its name in configuration and Snapshots.
    pub fn name(self) -> &'static str {
        match self {
            Loss::Strict => "strict",
            Loss::Warn => "warn",
            Loss::Silent => "silent",
        }
    }

    /// The way of that name.
    pub fn named(name: &str) -> Option<Loss> {
        Loss::ALL.into_iter().find(|loss| loss.name() == name)
    }
}

/// Names nobody listed: a prefix such as `gpt-` says which provider has the family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Family {
    /// How the model's name begins; empty for the provider that takes every other name.
    pub prefix: String,
    /// Index into the Snapshot's providers.
    pub provider: usize,
}

/// Everything a filter needs to serve, as of one version.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Rises with every change.
    pub version: u64,
    /// Who can be asked.
    pub providers: Vec<Provider>,
    /// What can be asked.
    pub targets: Vec<Target>,
    /// Which names mean what.
    pub routes: Vec<Route>,
    /// Which names belong to whom, the first match wins; the control plane lists longer prefixes first.
    pub families: Vec<Family>,
    /// What must not be asked by name although its provider could be: `provider/model`, or `provider/*` for every model of
    /// it that is no target here.
    pub withheld: BTreeSet<String>,
    /// What is changed about requests and answers, in order.
    pub rules: Vec<Arc<Rule>>,
    /// Experiments with the requests of some names.
    pub experiments: Vec<Experiment>,
    /// Who may come without a key.
    pub identities: Vec<Identity>,
    /// How health is judged.
    pub health: Settings,
    /// How long targets may be silent.
    pub silence: Silence,
    route_by_name: HashMap<String, usize>,
    target_by_id: HashMap<String, usize>,
    provider_by_id: HashMap<String, usize>,
    slots: Vec<String>,
}

impl PartialEq for Snapshot {
    /// The indexes follow from the rows.
    fn eq(&self, other: &Snapshot) -> bool {
        (self.version, &self.providers, &self.targets, &self.routes, &self.families, &self.withheld, &self.rules)
            == (
                other.version,
                &other.providers,
                &other.targets,
                &other.routes,
                &other.families,
                &other.withheld,
                &other.rules,
            )
            && (&self.identities, self.health, self.silence) == (&other.identities, other.health, other.silence)
            && self.experiments == other.experiments
    }
}

impl Snapshot {
    /// Checks the rows against each other and indexes them. Every mistake is reported, each with its place.
    pub fn new(
        version: u64,
        providers: Vec<Provider>,
        targets: Vec<Target>,
        routes: Vec<Route>,
        families: Vec<Family>,
    ) -> Result<Snapshot, Vec<String>> {
        let mut mistakes = Vec::new();
        let provider_by_id = index("provider", providers.iter().map(|row| &row.id), &mut mistakes);
        let target_by_id = index("target", targets.iter().map(|row| &row.id), &mut mistakes);
        let route_by_name = index("route", routes.iter().map(|row| &row.name), &mut mistakes);
        for provider in providers.iter().filter(|provider| provider.services.is_empty()) {
            mistakes.push(format!("provider {}: serves no dialect", provider.id));
        }
        for target in targets.iter().filter(|target| target.provider >= providers.len()) {
            mistakes.push(format!("target {}: its provider is not listed", target.id));
        }
        for route in &routes {
            if route.candidates.is_empty() {
                mistakes.push(format!("route {}: has no candidates", route.name));
            }
            if route.candidates.iter().any(|candidate| *candidate >= targets.len()) {
                mistakes.push(format!("route {}: a candidate is not listed", route.name));
            }
        }
        for family in families.iter().filter(|family| family.provider >= providers.len()) {
            mistakes.push(format!("family {}: its provider is not listed", family.prefix));
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let slots = providers.iter().map(|provider| catalog::slot(&provider.cluster)).collect();
        let rows = Snapshot { version, providers, targets, routes, families, ..Snapshot::default() };
        Ok(Snapshot { route_by_name, target_by_id, provider_by_id, slots, ..rows })
    }

    /// The same with these rules; their names are different, and they are not too many.
    pub fn with_rules(self, rules: Vec<Rule>) -> Result<Snapshot, Vec<String>> {
        let mut seen = HashSet::new();
        let twice = rules.iter().filter(|rule| !seen.insert(rule.name.as_str()));
        let mut mistakes: Vec<String> = twice.map(|rule| format!("rule {}: listed twice", rule.name)).collect();
        if rules.len() > MAX_RULES {
            mistakes.push(format!("there are {} rules; {MAX_RULES} are the most", rules.len()));
        }
        match mistakes.is_empty() {
            true => Ok(Snapshot { rules: rules.into_iter().map(Arc::new).collect(), ..self }),
            false => Err(mistakes),
        }
    }

    /// Reads a document; a mistake in it says what and where.
    pub fn read(document: &[u8]) -> Result<Snapshot, Vec<String>> {
        document::read(document)
    }

    /// The document of this Snapshot.
    pub fn write(&self) -> Vec<u8> {
        document::write(self)
    }

    /// The route of that name.
    pub fn route(&self, name: &str) -> Option<&Route> {
        self.routes.get(*self.route_by_name.get(name)?)
    }

    /// The experiment with the requests of that name.
    pub fn experiment(&self, route: &str) -> Option<&Experiment> {
        self.experiments.iter().find(|row| row.route == route)
    }

    /// The target of that id (`provider/model`).
    pub fn target(&self, id: &str) -> Option<&Target> {
        self.targets.get(*self.target_by_id.get(id)?)
    }

    /// Whether a model that is no target here may not be asked at that provider.
    pub fn withholds(&self, provider: &str, id: &str) -> bool {
        !self.withheld.is_empty() && (self.withheld.contains(id) || self.withheld.contains(&format!("{provider}/*")))
    }

    /// What a slot header says for the provider at that index.
    pub fn slot(&self, provider: usize) -> Option<&str> {
        self.slots.get(provider).map(String::as_str)
    }

    /// Whether some provider takes this token of a caller's own.
    pub fn passes(&self, token: &[u8]) -> bool {
        self.providers.iter().any(|provider| provider.passthrough.takes(token))
    }

    /// The index of the provider of that id.
    pub fn provider_index(&self, id: &str) -> Option<usize> {
        self.provider_by_id.get(id).copied()
    }
}

fn index<'r>(
    kind: &str,
    names: impl Iterator<Item = &'r String>,
    mistakes: &mut Vec<String>,
) -> HashMap<String, usize> {
    let mut by_name = HashMap::new();
    for (place, name) in names.enumerate() {
        if name.is_empty() {
            mistakes.push(format!("{kind} {place}: has no name"));
        }
        if by_name.insert(name.clone(), place).is_some() {
            mistakes.push(format!("{kind} {name}: listed twice"));
        }
    }
    by_name
}

#[cfg(test)]
mod tests;
