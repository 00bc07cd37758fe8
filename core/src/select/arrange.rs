//! The order in which those are asked that can answer.
//!
//! | first | then |
//! |---|---|
//! | whoever does not rest | who rests |
//! | pooled and exclusive providers | those that are fallbacks |
//! | who is named | others |
//! | whom the caller wants first | others |
//! | the pool | who stands in for it |
//! | the regions that the route prefers | others |
//! | who is for the request's bucket, the best by its score | who is for harder ones, then who is for easier ones |
//!
//! Among those of the pool that come first, the route's [`super::balance`] decides.

use core::cmp::Reverse;

use super::balance::{self, Choosing, Member};
use super::{Candidate, Judgement, Place, Verdict};
use crate::catalog::{Dispatch, Target};
use crate::preferences::Preferences;
use crate::record::Chosen;
use crate::snapshot::{Balance, Pool, Route, Snapshot};

impl Judgement<'_> {
    /// Puts those that are planned into the order in which they are asked, by what a worker knows. While a pool has an exclusive
    /// provider that does not rest, only such are asked, whatever the caller prefers. `tokens` is about how many must be read.
    pub fn arrange(
        &mut self,
        tokens: u64,
        preferences: &Preferences,
        snapshot: &Snapshot,
        choosing: &mut Choosing<'_>,
    ) {
        let dispatch = |target: &Target| dispatch(target, snapshot);
        let rests = choosing.resting();
        let pooled = |one: &Candidate<'_>| matches!(one.place, Place::Pool { .. });
        let reigns = |one: &Candidate<'_>| {
            let is_exclusive = dispatch(&one.target) == Dispatch::Exclusive;
            let can = one.is_planned() || matches!(one.verdict, Verdict::Unmet(_));
            can && pooled(one) && is_exclusive && !rests(&one.target)
        };
        if self.candidates.iter().any(reigns) {
            for one in self.candidates.iter_mut().filter(|one| one.is_planned() && one.place != Place::Named) {
                if dispatch(&one.target) != Dispatch::Exclusive {
                    one.verdict = Verdict::NotExclusive;
                }
            }
        }
        let (route, chosen) = (self.route, self.chosen.clone());
        let class = |one: &Candidate<'_>| {
            let above = class(one, route, preferences, snapshot, rests(&one.target));
            (above, rank(one, route, chosen.as_ref()))
        };
        self.rearrange(|mut asked| {
            asked.sort_by_cached_key(class);
            let first = asked.first().map(class);
            let count = asked.iter().take_while(|one| Some(class(one)) == first).count();
            let members: Vec<Member<'_>> =
                asked.iter().take(count).filter_map(|one| member(one, tokens, snapshot)).collect();
            let order = match route {
                Some(route) if members.len() == count && chooses(&route.pool, &members) => {
                    balance::order(&route.name, &members, &route.pool, choosing)
                }
                _ => (0..count).collect(),
            };
            let order = order.into_iter().chain(count..asked.len());
            let mut asked: Vec<Option<Candidate<'_>>> = asked.into_iter().map(Some).collect();
            order.filter_map(|at| asked.get_mut(at)?.take()).collect()
        });
    }

    /// Puts those that are planned into the order of a Plan that was made; who is not in it comes last.
    pub fn recall(&mut self, plan: &[String]) {
        self.rearrange(|mut asked| {
            asked.sort_by_key(|one| plan.iter().position(|id| *id == one.target.id).unwrap_or(usize::MAX));
            asked
        });
    }
}

impl<'s> Judgement<'s> {
    /// Gives those that are planned another order. Who is not asked stays where it was listed.
    fn rearrange(&mut self, order: impl FnOnce(Vec<Candidate<'s>>) -> Vec<Candidate<'s>>) {
        let all = core::mem::take(&mut self.candidates);
        let is_planned: Vec<bool> = all.iter().map(Candidate::is_planned).collect();
        let (asked, others): (Vec<_>, Vec<_>) = all.into_iter().partition(Candidate::is_planned);
        let numbered = |(one, number)| Candidate { verdict: Verdict::Planned(number), ..one };
        let mut asked = order(asked).into_iter().zip(1..).map(numbered);
        let mut others = others.into_iter();
        let next = |planned: bool| if planned { asked.next() } else { others.next() };
        self.candidates = is_planned.into_iter().filter_map(next).collect();
    }
}

/// How far a candidate is from whom the request is for: by its bucket, then by its score.
fn rank(one: &Candidate<'_>, route: Option<&Route>, chosen: Option<&Chosen>) -> (u8, Reverse<u32>) {
    let choice = route.and_then(|route| route.choice.as_ref()).zip(chosen);
    let (Some((choice, chosen)), Place::Pool { at, .. }) = (choice, one.place) else { return (0, Reverse(0)) };
    let score = chosen.scores.iter().find(|score| score.target == one.target.id).map_or(0, |score| score.score);
    (choice.suits(at).distance(chosen.bucket), Reverse(score))
}

fn dispatch(target: &Target, snapshot: &Snapshot) -> Dispatch {
    snapshot.providers.get(target.provider).map_or(Dispatch::Pooled, |provider| provider.dispatch)
}

/// What stands above all balance: who has a lower one is asked before.
pub(super) fn class(
    one: &Candidate<'_>,
    route: Option<&Route>,
    preferences: &Preferences,
    snapshot: &Snapshot,
    rests: bool,
) -> (bool, bool, bool, usize, bool, bool) {
    let last = dispatch(&one.target, snapshot) == Dispatch::Fallback && one.place != Place::Named;
    let provider = snapshot.providers.get(one.target.provider);
    let wanted = provider.map_or(usize::MAX, |provider| preferences.place(&one.target, provider));
    let (named, added) = (one.place == Place::Named, one.place == Place::Added);
    let region = provider.map_or("", |row| row.region.as_str());
    let is_far = route.is_some_and(|route| !route.regions.prefer(region));
    (rests, last, !named, wanted, added, is_far)
}

/// A candidate as one of its pool; `None` when it is none of it.
pub(super) fn member<'c>(one: &'c Candidate<'_>, tokens: u64, snapshot: &Snapshot) -> Option<Member<'c>> {
    let Place::Pool { weight, .. } = one.place else { return None };
    let target = one.target.as_ref();
    let share = snapshot.providers.get(target.provider).and_then(|provider| provider.share);
    let price = target.price.rates(tokens).blended();
    Some(Member { id: &target.id, provider: target.provider, weight, share, price })
}

/// Whether anything is to be chosen: mostly a pool is a list.
fn chooses(pool: &Pool, members: &[Member<'_>]) -> bool {
    let is_list = pool.balance == Balance::InOrder && pool.affinity.is_none() && pool.slow_start_ms == 0;
    members.len() > 1 && !(is_list && members.iter().all(|member| member.share.is_none() && member.weight > 0))
}
