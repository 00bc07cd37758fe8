//! The order in which those are asked that can answer.
//!
//! | first | then |
//! |---|---|
//! | whoever does not rest | who rests |
//! | pooled and exclusive providers | those that are fallbacks |
//! | who is named, then the pool | who stands in for it |
//! | the regions that the route prefers | others |
//!
//! Among those of the pool that come first, the route's [`super::balance`] decides.

use super::balance::{self, Choosing, Member};
use super::{Candidate, Judgement, Place, Verdict};
use crate::catalog::{Dispatch, Target};
use crate::snapshot::{Balance, Pool, Route, Snapshot};

impl Judgement<'_> {
    /// Puts those that are planned into the order in which they are asked, by what a worker knows. While a pool has an exclusive
    /// provider that does not rest, only such are asked. `tokens` is about how many must be read.
    pub fn arrange(&mut self, tokens: u64, snapshot: &Snapshot, choosing: &mut Choosing<'_>) {
        let dispatch = |target: &Target| dispatch(target, snapshot);
        let rests = choosing.resting();
        let pooled = |one: &Candidate<'_>| matches!(one.place, Place::Pool(_));
        let reigns = |one: &Candidate<'_>| {
            let is_exclusive = dispatch(&one.target) == Dispatch::Exclusive;
            one.is_planned() && pooled(one) && is_exclusive && !rests(&one.target)
        };
        if self.candidates.iter().any(reigns) {
            for one in self.candidates.iter_mut().filter(|one| one.is_planned() && one.place != Place::Named) {
                if dispatch(&one.target) != Dispatch::Exclusive {
                    one.verdict = Verdict::NotExclusive;
                }
            }
        }
        let route = self.route;
        let class = |one: &Candidate<'_>| class(one, route, snapshot, rests(&one.target));
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

fn dispatch(target: &Target, snapshot: &Snapshot) -> Dispatch {
    snapshot.providers.get(target.provider).map_or(Dispatch::Pooled, |provider| provider.dispatch)
}

/// What stands above all balance: who has a lower one is asked before.
pub(super) fn class(
    one: &Candidate<'_>,
    route: Option<&Route>,
    snapshot: &Snapshot,
    rests: bool,
) -> (bool, bool, u8, bool) {
    let last = dispatch(&one.target, snapshot) == Dispatch::Fallback && one.place != Place::Named;
    let place = match one.place {
        Place::Named => 0,
        Place::Pool(_) => 1,
        Place::Added => 2,
    };
    let region = snapshot.providers.get(one.target.provider).map_or("", |row| row.region.as_str());
    (rests, last, place, route.is_some_and(|route| !route.regions.prefer(region)))
}

/// A candidate as one of its pool; `None` when it is none of it.
pub(super) fn member<'c>(one: &'c Candidate<'_>, tokens: u64, snapshot: &Snapshot) -> Option<Member<'c>> {
    let Place::Pool(weight) = one.place else { return None };
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
