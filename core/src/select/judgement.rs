//! What is thought of every candidate. The Plan is read off it, and so is every explanation: there is one judgement only.
//!
//! ```
//! use dragoman_core::catalog::{DialectId, Operation};
//! use dragoman_core::select::{Needs, Resolution, judge};
//! use dragoman_core::snapshot::Snapshot;
//! let needs = Needs::only(DialectId::Messages, Operation::Generate);
//! let snapshot = Snapshot::default();
//! let judgement = judge("m", needs, &snapshot);
//! assert_eq!(judgement.resolution, Resolution::Nobody);
//! assert_eq!(judgement.refusal("m", needs).unwrap().code(), "model_not_found");
//! ```
//!
//! A target is cloned when it is planned; all others stay where the Snapshot has them.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::named::{Found, found};
use super::{Lack, MAX_ATTEMPTS, Needs, Plan, able, keeps, lack, service, shown, speaks};
use crate::catalog::{Abilities, Dispatch, Provider, Target};
use crate::hub::kept::Kept;
use crate::preferences::Several;
use crate::record::Chosen;
use crate::refusal::Refusal;
use crate::snapshot::{Loss, Patience, Route, Snapshot};

/// How a name was understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution<'s> {
    /// It is a route, or an alias of one: this one.
    Route(&'s str),
    /// It names the provider of this id and the model as that provider knows it.
    Provider(&'s str),
    /// It begins with this prefix of a family; empty for the last resort.
    Family(&'s str),
    /// No model was named; this provider keeps what the request is about. Empty when none does.
    Keeper(&'s str),
    /// It means nothing here.
    Nobody,
}

/// What is thought of a candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is asked, as the one of this number, from 1.
    Planned(usize),
    /// Its provider is off.
    Off,
    /// It is in none of the regions that the route requires.
    Elsewhere,
    /// One is asked whose provider is exclusive.
    NotExclusive,
    /// Its provider does not do this, or not in the dialect it must be done in.
    NoService,
    /// It, or the way to it, lacks these abilities.
    Lacks(Abilities),
    /// It does not think, and another one does.
    Thoughtless,
    /// Its context window is too small, and another one's is not.
    Cramped,
    /// It stood in the list before.
    Repeated,
    /// As many as may be asked are asked before it.
    Late,
    /// The route is strict, and these members cannot be said to it.
    Unsaid(Vec<String>),
    /// The caller may not use it.
    NotGranted,
    /// What is kept is kept by one provider, and that is another.
    NotKeeper,
    /// It is not as the caller prefers.
    Unmet(Several),
    /// It was left alone for a while: its provider said so, or an operator.
    Resting,
    /// It was not in the Plan that was recorded: it had no credential, or a strict route's words could not be said to it, or an
    /// exclusive one could answer.
    NotRecorded,
}

/// Who could be asked about what a provider keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Keeping {
    /// That provider alone.
    #[default]
    Alone,
    /// Others of the client's dialect, too.
    Shared,
}

/// A target that was thought of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate<'s> {
    /// Who: a row of the Snapshot, or one made on the spot for a model nobody listed.
    pub target: Cow<'s, Target>,
    /// How it came to be one.
    pub place: Place,
    /// What is thought of it.
    pub verdict: Verdict,
}

/// How a target came to be a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The request names it, or its provider.
    Named,
    /// It is one of the route's pool.
    Pool {
        /// Its weight.
        weight: u64,
        /// Its place among the route's candidates.
        at: usize,
    },
    /// It stands in for the pool.
    Added,
}

/// What is thought of everybody who might answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement<'s> {
    /// How the name was understood.
    pub resolution: Resolution<'s>,
    /// The route that lists the candidates, where one does.
    pub route: Option<&'s Route>,
    /// The route's word on what cannot be said.
    pub loss: Loss,
    /// How the model was chosen, where the route leaves that to the request.
    pub chosen: Option<Chosen>,
    /// All candidates, in their order.
    pub candidates: Vec<Candidate<'s>>,
}

/// Judges the candidates of a request that asks for `model`. All that can answer are planned, as they are listed;
/// [`Judgement::arrange`] has the last word on their order, and [`Judgement::limit`] on their number.
pub fn judge<'s>(model: &str, needs: Needs, snapshot: &'s Snapshot) -> Judgement<'s> {
    judge_by(model, needs, snapshot, |_, _| None)
}

/// The same, of those who can answer and on whom `caller` has no verdict: what it may use, and what it prefers.
pub fn judge_by<'s>(
    model: &str,
    needs: Needs,
    snapshot: &'s Snapshot,
    caller: impl Fn(&Target, &Provider) -> Option<Verdict>,
) -> Judgement<'s> {
    let Found { resolution, route, targets } = found(model, snapshot);
    let judged = targets.into_iter().map(|(target, place)| {
        let provider = snapshot.providers.get(target.provider);
        let regions = route.map(|route| &route.regions).filter(|_| place != Place::Named);
        let away = |provider: &Provider| regions.is_some_and(|regions| !regions.allow(&provider.region));
        let verdict = match provider {
            Some(provider) if provider.dispatch == Dispatch::Off => Some(Verdict::Off),
            Some(provider) if away(provider) => Some(Verdict::Elsewhere),
            _ => lack(&target, needs, snapshot).map(|lack| match lack {
                Lack::Kept => Verdict::NotKeeper,
                Lack::Service => Verdict::NoService,
                Lack::Abilities(abilities) => Verdict::Lacks(abilities),
            }),
        };
        let verdict = verdict.or_else(|| caller(&target, provider?));
        (target, place, verdict)
    });
    let mut judged: Vec<_> = judged.collect();
    prefer(&mut judged, &Verdict::Thoughtless, |target| able(target, needs, snapshot).cover(needs.abilities));
    let fits = |target: &Target| target.context_window == 0 || target.context_window >= needs.tokens;
    prefer(&mut judged, &Verdict::Cramped, fits);
    let mut candidates: Vec<Candidate<'s>> = Vec::with_capacity(judged.len());
    let mut planned = 0;
    for (target, place, verdict) in judged {
        let repeated = || candidates.iter().any(|known| known.is_planned() && known.target.id == target.id);
        let verdict = match verdict {
            Some(verdict) => verdict,
            None if repeated() => Verdict::Repeated,
            None => {
                planned += 1;
                Verdict::Planned(planned)
            }
        };
        candidates.push(Candidate { target, place, verdict });
    }
    Judgement { resolution, route, loss: route.map_or(Loss::Warn, |route| route.loss), chosen: None, candidates }
}

/// Judges who keeps what a request without a model is about: whoever gave the id that it names, else the provider that the caller
/// names, else the first that does such things.
pub fn judge_keeper<'s>(provider: Option<&str>, needs: Needs, snapshot: &'s Snapshot) -> Judgement<'s> {
    let serves =
        |row: &Provider| row.dispatch != Dispatch::Off && service(row, needs.dialect, needs.operation).is_some();
    let index = match (needs.kept, provider) {
        (Kept::Anywhere, Some(id)) => snapshot.provider_index(id),
        (Kept::Anywhere, None) => snapshot.providers.iter().position(serves),
        _ => (0..snapshot.providers.len()).find(|place| keeps(*place, needs, snapshot)),
    };
    let Some((index, row)) = index.and_then(|index| Some((index, snapshot.providers.get(index)?))) else {
        let resolution = Resolution::Keeper("");
        return Judgement { resolution, route: None, loss: Loss::Warn, chosen: None, candidates: Vec::new() };
    };
    let verdict = match row.dispatch {
        _ if serves(row) => Verdict::Planned(1),
        Dispatch::Off => Verdict::Off,
        _ => Verdict::NoService,
    };
    let target = Target { price: row.price.clone(), ..Target::unlisted(row.id.clone(), index, "") };
    let target = Cow::Owned(target);
    let candidates = vec![Candidate { target, place: Place::Named, verdict }];
    Judgement { resolution: Resolution::Keeper(&row.id), route: None, loss: Loss::Warn, chosen: None, candidates }
}

impl Candidate<'_> {
    /// Whether it is asked.
    pub fn is_planned(&self) -> bool {
        matches!(self.verdict, Verdict::Planned(_))
    }
}

impl Judgement<'_> {
    /// Those that are asked, in order.
    pub fn planned(&self) -> impl Iterator<Item = &Target> {
        self.candidates.iter().filter(|known| known.is_planned()).map(|candidate| candidate.target.as_ref())
    }

    /// Those of the route's pool that are asked, with their places among its candidates.
    pub fn pool(&self) -> impl Iterator<Item = (usize, &Target)> {
        self.candidates.iter().filter(|one| one.is_planned()).filter_map(|one| match one.place {
            Place::Pool { at, .. } => Some((at, one.target.as_ref())),
            Place::Named | Place::Added => None,
        })
    }

    /// The route's word on waiting.
    pub fn patience(&self) -> Patience {
        self.route.map(|route| route.patience).unwrap_or_default()
    }

    /// Plans no more than may be asked.
    pub fn limit(&mut self) {
        self.strike(|number, _| (number > MAX_ATTEMPTS).then_some(Verdict::Late));
    }

    /// Whether what one of them keeps could be asked of another as well, so that its ids must say whose they are.
    pub fn keeping(&self, needs: Needs, snapshot: &Snapshot) -> Keeping {
        let does = |place: &usize| {
            let provider = snapshot.providers.get(*place).filter(|row| row.dispatch != Dispatch::Off);
            provider.is_some_and(|row| speaks(row, needs.dialect, needs.operation).is_some())
        };
        let keepers: BTreeSet<usize> = match self.resolution {
            Resolution::Keeper(_) => (0..snapshot.providers.len()).filter(does).collect(),
            _ => self.candidates.iter().map(|one| one.target.provider).filter(does).collect(),
        };
        if keepers.len() > 1 { Keeping::Shared } else { Keeping::Alone }
    }

    /// Takes those out of the Plan on whom `verdict` has a verdict, given their number; who comes after them moves up.
    pub fn strike(&mut self, mut verdict: impl FnMut(usize, &Target) -> Option<Verdict>) {
        let mut kept = 0;
        for Candidate { target, verdict: known, .. } in &mut self.candidates {
            let Verdict::Planned(number) = known else { continue };
            match verdict(*number, target) {
                Some(verdict) => *known = verdict,
                None => {
                    kept += 1;
                    *known = Verdict::Planned(kept);
                }
            }
        }
    }

    /// Why nobody is asked, when nobody is.
    pub fn refusal(&self, model: &str, needs: Needs) -> Option<Refusal> {
        if self.planned().next().is_some() {
            return None;
        }
        let model = shown(model);
        if self.resolution == Resolution::Nobody {
            return Some(Refusal::UnknownModel(model));
        }
        let unmet = self.candidates.iter().filter_map(|candidate| match candidate.verdict {
            Verdict::Unmet(preferences) => Some(preferences),
            _ => None,
        });
        if let Some(preferences) = unmet.reduce(Several::and) {
            return Some(Refusal::Unmet(model, preferences));
        }
        let mut lacking: Vec<&'static str> = Vec::new();
        for candidate in self.candidates.iter().rev() {
            match &candidate.verdict {
                Verdict::Unsaid(members) => return Some(Refusal::CannotSay(members.clone())),
                Verdict::Lacks(abilities) => lacking.extend(abilities.names()),
                Verdict::NotGranted => return Some(Refusal::RouteForbidden(model)),
                _ => {}
            }
        }
        let all =
            |verdict: Verdict| self.candidates.iter().all(|one| [&verdict, &Verdict::Off].contains(&&one.verdict));
        if needs.kept != Kept::Anywhere && self.candidates.iter().all(|one| one.verdict == Verdict::NotKeeper) {
            return Some(Refusal::NotKept(model));
        }
        if self.candidates.is_empty() {
            return Some(Refusal::Unserved { model, operation: needs.operation.name() });
        }
        // Who is off is not there.
        if all(Verdict::Off) {
            return Some(Refusal::UnknownModel(model));
        }
        if all(Verdict::Elsewhere) {
            return Some(Refusal::Elsewhere(model));
        }
        Some(match (needs.tied, lacking.is_empty()) {
            (_, false) => {
                lacking.sort_unstable();
                lacking.dedup();
                Refusal::Unable { model, lacking }
            }
            (Some(member), true) => Refusal::Tied { model, member },
            (None, true) => Refusal::Unserved { model, operation: needs.operation.name() },
        })
    }

    /// Those that are asked, or why nobody is.
    pub fn into_plan(mut self, model: &str, needs: Needs) -> Result<Plan, Refusal> {
        self.limit();
        if let Some(refusal) = self.refusal(model, needs) {
            return Err(refusal);
        }
        let patience = self.patience();
        let planned = self.candidates.into_iter().filter(Candidate::is_planned);
        let targets = planned.map(|candidate| candidate.target.into_owned()).collect();
        Ok(Plan { targets, loss: self.loss, patience })
    }
}

/// A candidate on whom there may be no verdict yet.
type Judged<'s> = (Cow<'s, Target>, Place, Option<Verdict>);

/// Sets those aside that do not satisfy, if any does.
fn prefer(judged: &mut [Judged<'_>], aside: &Verdict, satisfies: impl Fn(&Target) -> bool) {
    if judged.iter().any(|(target, _, verdict)| verdict.is_none() && satisfies(target)) {
        for (_, _, verdict) in judged.iter_mut().filter(|(target, _, known)| known.is_none() && !satisfies(target)) {
            *verdict = Some(aside.clone());
        }
    }
}
