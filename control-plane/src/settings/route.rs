//! A route's row: the name that callers ask for, who is meant by it, and who else may be asked.

use std::collections::{BTreeMap, HashMap, HashSet};

use dragoman_core::preferences::Several;
use dragoman_core::snapshot::{Loss, Patience, Shadow};

use super::choose::{ChooseRow, choose};
use super::members::{Members, Placed, Reading};
use super::patience::patience;
use super::pool::{PoolRow, pool, preferences};
use super::shadow::shadow;
use super::{File, Known};

/// Most candidates of one route that are ever tried: as many as Envoy has slots for.
pub const MAX_CANDIDATES: usize = 64;

/// Most routes and aliases that lead from one to the next; nobody can follow more.
pub const MAX_CHAIN: usize = 16;

/// One `[[route]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteRow {
    /// The name callers ask for, and its place.
    pub name: Placed<String>,
    /// `provider/model`, the name of a model, or another route or alias; first choice first.
    pub candidates: Vec<Placed<String>>,
    /// What to do with members that can't be said.
    pub loss: Option<Loss>,
    /// Who else is asked after the candidates; nobody when nothing is said.
    pub strategy: Option<Strategy>,
    /// How the candidates share its requests.
    pub pool: PoolRow,
    /// How long they are waited for, and who else is asked.
    pub patience: Patience,
    /// How the model is chosen for each request, where that is left to the request.
    pub choose: Option<ChooseRow>,
    /// What its callers may prefer.
    pub preferences: Several,
    /// To whom some requests also go, unseen.
    pub shadow: Option<Placed<Shadow>>,
}

/// Who is asked after those that were named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Strategy {
    /// Nobody.
    #[default]
    Explicit,
    /// Other models of the first candidate's provider, similar ones first.
    SameProvider,
    /// Models anywhere that can do what the first candidate can, similar ones first.
    Capability,
    /// The same, cheap ones first.
    Cost,
}

impl Strategy {
    /// Every strategy.
    pub const ALL: [Strategy; 4] = [Strategy::Explicit, Strategy::SameProvider, Strategy::Capability, Strategy::Cost];

    /// Its name in configuration.
    pub fn name(self) -> &'static str {
        match self {
            Strategy::Explicit => "explicit",
            Strategy::SameProvider => "same_provider",
            Strategy::Capability => "capability",
            Strategy::Cost => "cost",
        }
    }

    /// The strategy of that name.
    pub fn named(name: &str) -> Option<Strategy> {
        Strategy::ALL.into_iter().find(|strategy| strategy.name() == name)
    }
}

/// Reads `loss`.
pub(super) fn loss(reading: &mut Reading<'_>, members: &mut Members<'_>) -> Option<Loss> {
    let text = members.string(reading, "loss")?;
    let loss = Loss::named(&text.value);
    if loss.is_none() {
        let known = "\"warn\" (leave out what can't be said, and tell), \"silent\" (and tell the Record only) or \"strict\" (refuse)";
        reading.mistake(text.at, format!("`loss` is {known}"));
    }
    loss
}

/// Reads a strategy, which is called `strategy` in a route and `fallback` at the top.
pub(super) fn strategy(reading: &mut Reading<'_>, members: &mut Members<'_>, name: &'static str) -> Option<Strategy> {
    let text = members.string(reading, name)?;
    let strategy = Strategy::named(&text.value);
    if strategy.is_none() {
        let known = "\"explicit\" (only those that are listed), or after them five more: \"same_provider\", \"capability\" or \"cost\"";
        reading.mistake(text.at, format!("`{name}` is {known}"));
    }
    strategy
}

/// Reads one `[[route]]`.
pub(super) fn route(reading: &mut Reading<'_>, mut row: Members<'_>) -> RouteRow {
    let at = row.at;
    let name = row.string(reading, "name").unwrap_or(Placed { at, value: String::new() });
    if name.value.is_empty() {
        reading.mistake(at, "this route needs a `name`, which is what callers will ask for");
    }
    let listed = row.strings(reading, "candidates");
    let (choose, chosen) = choose(reading, &mut row).unzip();
    if listed.is_some() && chosen.is_some() {
        reading.mistake(at, "this route has `candidates` and `choose`; those of `choose` are its candidates");
    }
    let candidates = chosen.or(listed).unwrap_or_default();
    if candidates.is_empty() || candidates.len() > MAX_CANDIDATES {
        reading
            .mistake(at, "this route needs 1 to 64 `candidates`, for instance [\"corp/our-model\", \"local/qwen3\"]");
    }
    let loss = loss(reading, &mut row);
    let strategy = strategy(reading, &mut row, "strategy");
    let pool = pool(reading, &mut row);
    let patience = patience(reading, &mut row);
    let preferences = preferences(reading, &mut row);
    let shadow = shadow(reading, &mut row);
    row.end(reading);
    RouteRow { name, candidates, loss, strategy, pool, patience, choose, preferences, shadow }
}

/// What routes and aliases name that is no other route or alias, with the places.
pub(super) fn mentions(file: &File) -> Vec<(&str, usize)> {
    let defined: HashSet<&str> = edges(file).map(|(own, _, _)| own).collect();
    let shadows = file.routes.iter().filter_map(|row| row.shadow.as_ref());
    let shadows = shadows.map(|shadow| (shadow.value.to.as_str(), shadow.at));
    let named = edges(file).map(|(_, name, at)| (name, at)).chain(shadows);
    named.filter(|(name, _)| !defined.contains(name)).collect()
}

/// Every (route or alias, what it names, the place of that).
fn edges(file: &File) -> impl Iterator<Item = (&str, &str, usize)> {
    let candidates = file.routes.iter().flat_map(|route| {
        route.candidates.iter().map(|candidate| (route.name.value.as_str(), candidate.value.as_str(), candidate.at))
    });
    candidates.chain(file.aliases.iter().map(|(alias, name)| (alias.value.as_str(), name.as_str(), alias.at)))
}

/// Which routes and aliases each of them names, and where.
type Graph<'f> = BTreeMap<&'f str, Vec<(&'f str, usize)>>;

/// Nothing leads back to itself. A route that names itself means the model that has the same name, if there is one.
pub(super) fn check_cycles(reading: &mut Reading<'_>, file: &File, known: &Known) {
    let mut graph = Graph::new();
    for (own, _, _) in edges(file) {
        graph.entry(own).or_default();
    }
    for (own, name, at) in edges(file) {
        if graph.contains_key(name) && !(own == name && known.has(name)) {
            graph.entry(own).or_default().push((name, at));
        }
    }
    let mut lengths = HashMap::new();
    for root in graph.keys() {
        walk(reading, &graph, root, &mut lengths);
    }
}

/// Follows everything that `root` leads to, without recursion: a file may hold a chain of thousands. `lengths` are the longest
/// chains of those that are done with.
fn walk<'f>(reading: &mut Reading<'_>, graph: &Graph<'f>, root: &'f str, lengths: &mut HashMap<&'f str, usize>) {
    struct Step<'f> {
        name: &'f str,
        next: usize,
        longest: usize,
    }
    let begin = |name| Step { name, next: 0, longest: 0 };
    let mut path = if lengths.contains_key(root) { Vec::new() } else { vec![begin(root)] };
    while let Some(step) = path.last_mut() {
        let edges = graph.get(step.name).map_or(&[][..], Vec::as_slice);
        let Some((child, at)) = edges.get(step.next) else {
            let (name, length) = (step.name, step.longest + 1);
            path.pop();
            lengths.insert(name, length);
            if let Some(parent) = path.last_mut() {
                parent.longest = parent.longest.max(length);
            }
            if length == MAX_CHAIN + 1 {
                let at = edges.first().map_or(0, |(_, at)| *at);
                reading.mistake(at, format!("`{name}` leads to more than {MAX_CHAIN} names, one after the other"));
            }
            continue;
        };
        step.next += 1;
        if let Some(length) = lengths.get(child) {
            step.longest = step.longest.max(*length);
        } else if let Some(begun) = path.iter().position(|step| step.name == *child) {
            let names: Vec<&str> = path.iter().skip(begun).map(|step| step.name).chain([*child]).collect();
            reading.mistake(*at, format!("`{child}` leads back to itself: {}", names.join(" → ")));
        } else {
            path.push(begin(child));
        }
    }
}
