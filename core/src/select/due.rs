//! How often each of a pool is to be asked first: what those hold it against who look at what it got.

use std::collections::BTreeMap;

use super::arrange::{class, member};
use super::balance::Member;
use super::{Choosing, Needs, Rounds, judge};
use crate::catalog::{DialectId, Operation};
use crate::health::Pulses;
use crate::preferences::Preferences;
use crate::snapshot::{Balance, Pool, Route, Snapshot};

/// Of a thousand requests so many are to ask each target first while nobody rests; who is not there, none. `None` when it goes by who
/// asks, by what is asked, or by what a worker feels.
pub fn due(route: &Route, snapshot: &Snapshot) -> Option<BTreeMap<String, u64>> {
    if route.pool.affinity.is_some() || route.choice.is_some() {
        return None;
    }
    // Every target answers that, in whatever dialect it is asked.
    let mut judgement = judge(&route.name, Needs::only(DialectId::Messages, Operation::Generate), snapshot);
    let (pulses, mut rounds) = (Pulses::default(), Rounds::default());
    let nothing = Preferences::default();
    judgement.arrange(0, &nothing, snapshot, &mut Choosing::new(&pulses, &mut rounds));
    let planned: Vec<_> = judgement.candidates.iter().filter(|one| one.is_planned()).collect();
    let class = |one| class(one, Some(route), &nothing, snapshot, false);
    let first = planned.first().map(|one| class(one));
    let leading = planned.iter().filter(|one| Some(class(one)) == first);
    let mut members: Vec<Member<'_>> = leading.filter_map(|one| member(one, 0, snapshot)).collect();
    if members.iter().any(|member| member.weight > 0) {
        members.retain(|member| member.weight > 0);
    }
    shares(&members, &route.pool)
}

fn shares(members: &[Member<'_>], pool: &Pool) -> Option<BTreeMap<String, u64>> {
    // What has no share gets the rest.
    let mut groups: BTreeMap<Option<usize>, (u64, Vec<Member<'_>>)> = BTreeMap::new();
    for member in members {
        let group = groups.entry(member.share.map(|_| member.provider)).or_default();
        group.0 = member.share.map_or(0, u64::from);
        group.1.push(*member);
    }
    let taken: u64 = groups.values().map(|(share, _)| share).sum();
    let rest = if taken == 0 { 1 } else { 100_u64.saturating_sub(taken) };
    groups.entry(None).and_modify(|group| group.0 = rest);
    let whole: u128 = groups.values().map(|(share, _)| u128::from(*share)).sum();
    let mut due = BTreeMap::new();
    for (share, members) in groups.into_values() {
        let weights = weights(&members, pool.balance)?;
        let all: u128 = weights.iter().copied().map(u128::from).sum();
        for (member, weight) in members.iter().zip(weights) {
            let permille = (1000 * u128::from(share) * u128::from(weight)).checked_div(whole * all)?;
            due.insert(member.id.to_string(), u64::try_from(permille).ok()?);
        }
    }
    Some(due)
}

/// How often each is first among these.
fn weights(members: &[Member<'_>], balance: Balance) -> Option<Vec<u64>> {
    match balance {
        _ if members.len() == 1 => Some(vec![1]),
        Balance::InOrder => Some((0..members.len()).map(|place| u64::from(place == 0)).collect()),
        Balance::Weighted => Some(members.iter().map(|member| member.weight).collect()),
        Balance::RoundRobin => Some(vec![1; members.len()]),
        Balance::LeastConnections
        | Balance::LeastLatency
        | Balance::Random
        | Balance::RemainingQuota
        | Balance::Cheapest => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Dispatch, Provider, Target};
    use crate::select::balance::mix;
    use crate::snapshot::Affinity;

    fn snapshot(change: impl FnOnce(&mut Vec<Provider>, &mut Route)) -> Snapshot {
        let mut providers: Vec<Provider> =
            ["a", "b", "c", "d"].map(|id| Provider::plain(id, DialectId::ChatCompletions)).into();
        let targets = providers.iter().enumerate();
        let targets = targets.map(|(at, row)| Target::unlisted(format!("{}/m", row.id), at, "m")).collect();
        let pool = Pool { size: 3, balance: Balance::Weighted, weights: vec![3, 1, 1], ..Pool::default() };
        let mut route = Route { name: "m".into(), candidates: vec![0, 1, 2, 3], pool, ..Route::default() };
        change(&mut providers, &mut route);
        Snapshot::new(1, providers, targets, vec![route], vec![]).unwrap()
    }

    fn of(snapshot: &Snapshot) -> Option<Vec<u64>> {
        let due = due(&snapshot.routes[0], snapshot)?;
        Some(snapshot.targets.iter().map(|target| due.get(&target.id).copied().unwrap_or(0)).collect())
    }

    /// How often each comes first of ten thousand.
    fn seen(snapshot: &Snapshot) -> Vec<u64> {
        let (pulses, mut rounds) = (Pulses::default(), Rounds::default());
        let mut counts = vec![0; snapshot.targets.len()];
        for number in 0..10_000 {
            let mut choosing = Choosing { seed: mix(number), ..Choosing::new(&pulses, &mut rounds) };
            let mut judgement = judge("m", Needs::only(DialectId::Messages, Operation::Generate), snapshot);
            judgement.arrange(0, &Preferences::default(), snapshot, &mut choosing);
            let first = judgement.planned().next().unwrap().provider;
            counts[first] += 1;
        }
        counts
    }

    #[test]
    fn what_is_due_is_what_is_done() {
        type Change = fn(&mut Vec<Provider>, &mut Route);
        let changes: [(Change, [u64; 4]); 10] = [
            (|_, _| {}, [600, 200, 200, 0]),
            (|_, route| route.pool.balance = Balance::RoundRobin, [333, 333, 333, 0]),
            (|_, route| route.pool.balance = Balance::InOrder, [1000, 0, 0, 0]),
            (|_, route| route.pool.weights = vec![0, 1, 3], [0, 250, 750, 0]),
            (|_, route| route.regions.preferred = vec!["eu".into()], [600, 200, 200, 0]),
            (|providers, _| providers[0].dispatch = Dispatch::Fallback, [0, 500, 500, 0]),
            (|providers, _| providers[1].dispatch = Dispatch::Off, [750, 0, 250, 0]),
            (|providers, _| providers[2].dispatch = Dispatch::Exclusive, [0, 0, 1000, 0]),
            (|providers, _| providers[1].share = Some(20), [600, 200, 200, 0]),
            (|providers, _| (providers[0].share, providers[1].share) = (Some(10), Some(20)), [100, 200, 700, 0]),
        ];
        for (number, (change, due)) in changes.into_iter().enumerate() {
            let snapshot = snapshot(change);
            assert_eq!(of(&snapshot).unwrap(), due, "{number}");
            for (seen, due) in seen(&snapshot).into_iter().zip(due) {
                assert!(seen.abs_diff(due * 10) <= 50, "{number}: {seen} of {due}");
            }
        }
    }

    #[test]
    fn what_goes_by_who_asks_or_by_what_is_felt_is_not_due() {
        assert_eq!(of(&snapshot(|_, route| route.pool.affinity = Some(Affinity::User))), None);
        assert_eq!(of(&snapshot(|_, route| route.pool.balance = Balance::LeastLatency)), None);
        let alone = |_: &mut Vec<Provider>, route: &mut Route| {
            (route.pool.balance, route.pool.size) = (Balance::LeastLatency, 1);
        };
        assert_eq!(of(&snapshot(alone)), Some(vec![1000, 0, 0, 0]), "there is nobody else");
    }
}
