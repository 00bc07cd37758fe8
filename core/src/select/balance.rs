//! How the first of a pool is chosen, and who comes after.
//!
//! | balance | who is first |
//! |---|---|
//! | `in_order` | the first that is written |
//! | `weighted`, `round_robin` | whose turn it is ([`Rounds`]) |
//! | `least_connections` | fewest attempts under way, for its weight |
//! | `least_latency` | the shortest time to the first event × (attempts under way + 1), for its weight |
//! | `random` | of two by chance the one with fewer attempts under way, for its weight |
//! | `remaining_quota` | most quota left ÷ (attempts under way + 1), for its weight |
//! | `cheapest` | the lowest price for about so many tokens |
//!
//! Where several are as good as one another, chance decides, by weight. Above these stand affinity, and then the providers' shares:
//! whose turn it is, and only among its targets is balanced. One that was slow and that nobody asks is tried again in one of
//! [`RETRIALS`] requests, once it can be thought to be well.
//!
//! **Affinity** is rendezvous hashing by weight: each target has a number for a key, and the best one is it. When one leaves, only
//! its keys move; when one comes, it takes only its share.
//!
//! All is deterministic: the same pool, pulses, turns, seed and time give the same order. Chance is the seed.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::{Rounds, Warm};
use crate::artifact::Artifact;
use crate::catalog::Target;
use crate::health::{FULL, Fitness, Health, Pulse, Pulses};
use crate::record::Whose;
use crate::snapshot::{Balance, Pool};

/// Of so many requests one may go to a target of which only long ago was felt that it is slow.
pub const RETRIALS: u64 = 32;

/// What a worker knows when it chooses.
pub struct Choosing<'a> {
    /// How the targets do.
    pub pulses: &'a Pulses,
    /// Whose turn it is.
    pub rounds: &'a mut Rounds,
    /// Who is left alone now, and asked when nobody else is left; nobody, when it is not said.
    pub health: Option<&'a Health>,
    /// What tells how hard a request is; the rules do, when there is none.
    pub artifact: Option<&'a Artifact>,
    /// Who went on with which conversation; nobody, when it is not said.
    pub warm: Option<&'a Warm>,
    /// What this request has in common with others that are to meet the same target; `None` when nothing.
    pub affinity: Option<u64>,
    /// Any number, another one for each request.
    pub seed: u64,
    /// The time, in milliseconds since 1970.
    pub now_ms: u64,
}

impl<'a> Choosing<'a> {
    /// For the first request of all; nobody rests.
    pub fn new(pulses: &'a Pulses, rounds: &'a mut Rounds) -> Choosing<'a> {
        Choosing { pulses, rounds, health: None, artifact: None, warm: None, affinity: None, seed: 0, now_ms: 0 }
    }

    /// Whether a target is left alone by those who have no credential of their own.
    pub fn resting(&self) -> impl Fn(&Target) -> bool + Copy + use<'a> {
        let (health, now_ms) = (self.health, self.now_ms);
        move |target| {
            health.is_some_and(|health| health.fitness(&target.id, Whose::Gateway, "", now_ms) != Fitness::Fit)
        }
    }
}

/// One of a pool.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// The target's id.
    pub id: &'a str,
    /// Its provider, by place.
    pub provider: usize,
    /// Its weight; without any it is asked when nobody else is left.
    pub weight: u64,
    /// How many of a hundred requests its provider gets, where somebody said so.
    pub share: Option<u8>,
    /// What it takes: any number, lower ones are cheaper.
    pub price: u64,
}

/// A member with what is known of it.
#[derive(Clone, Copy)]
struct Known<'a> {
    member: Member<'a>,
    place: usize,
    name: u64,
    pulse: Pulse,
    /// Whether others come first: it has no weight, or is not strong enough this time.
    stands_back: (bool, bool),
    /// Chance, by weight: lower ones come first.
    lot: f64,
}

/// Places in `members` in the order in which they are to be asked.
pub fn order(route: &str, members: &[Member<'_>], pool: &Pool, choosing: &mut Choosing<'_>) -> Vec<usize> {
    let (seed, now_ms) = (choosing.seed, choosing.now_ms);
    let key = choosing.affinity.unwrap_or(seed);
    let known = members.iter().enumerate().map(|(place, member)| {
        let name = hash(member.id);
        let pulse = choosing.pulses.of(member.id).copied().unwrap_or_default();
        // What has just come back takes part only as often as it is strong.
        let is_weak = mix(seed ^ name.rotate_left(32)) % FULL >= pulse.strength(pool.slow_start_ms, now_ms);
        let lot = lot(key, name, member.weight);
        Known { member: *member, place, name, pulse, stands_back: (member.weight == 0, is_weak), lot }
    });
    let mut known: Vec<Known<'_>> = known.collect();
    known.sort_by_key(|one| one.stands_back);
    let first = known.first().map(|one| one.stands_back);
    let count = known.iter().take_while(|one| Some(one.stands_back) == first).count();
    let (leading, _) = known.split_at_mut(count);
    if choosing.affinity.is_some() {
        by(leading, |_| 0);
    } else {
        let turn = share(route, leading, choosing);
        let (turn, _) = leading.split_at_mut(turn);
        balance(route, turn, pool.balance, choosing);
    }
    known.into_iter().map(|one| one.place).collect()
}

fn balance(route: &str, known: &mut [Known<'_>], balance: Balance, choosing: &mut Choosing<'_>) {
    let now_ms = choosing.now_ms;
    let busy = |one: &Known<'_>| u64::from(one.pulse.in_flight) + 1;
    let per_weight = |cost: u64, one: &Known<'_>| u128::from(cost) * WEIGHTS / u128::from(one.member.weight.max(1));
    match balance {
        Balance::InOrder => {}
        Balance::Weighted => take_turns(route, known, choosing, |one| one.member.weight),
        Balance::RoundRobin => take_turns(route, known, choosing, |_| 1),
        Balance::LeastConnections => by(known, |one| per_weight(busy(one), one)),
        Balance::LeastLatency => {
            // What has faded is believed by few: who was slow is tried again gently, however much comes in.
            let tries = mix(choosing.seed).is_multiple_of(RETRIALS);
            let felt = |pulse: &Pulse| if tries { pulse.first_event(now_ms) } else { pulse.last_first_event() };
            // One of which nothing is known is as good as the best, and as busy as it is.
            let best = known.iter().map(|one| felt(&one.pulse)).filter(|felt| *felt > 0).min().unwrap_or(1);
            by(known, |one| per_weight(felt(&one.pulse).max(best).saturating_mul(busy(one)), one));
        }
        Balance::Random => {
            by(known, |_| 0);
            let fewer = |one, other| per_weight(busy(one), one) < per_weight(busy(other), other);
            if let [one, other, ..] = known
                && fewer(other, one)
            {
                core::mem::swap(one, other);
            }
        }
        Balance::RemainingQuota => {
            let left = |one: &Known<'_>| u128::from(one.pulse.remaining(now_ms) + 1);
            by(known, |one| per_weight(busy(one) * FULL, one) / left(one));
        }
        Balance::Cheapest => by(known, |one| u128::from(one.member.price)),
    }
}

/// So that what is divided by weights stays apart.
const WEIGHTS: u128 = 1 << 20;

/// Lower costs first; among equals, chance.
fn by(known: &mut [Known<'_>], cost: impl Fn(&Known<'_>) -> u128) {
    // Lots are positive: their bits have their order.
    let key = |(place, one): (usize, &Known<'_>)| (cost(one), one.lot.to_bits(), place);
    let mut keys: Vec<(u128, u64, usize)> = known.iter().enumerate().map(key).collect();
    keys.sort_unstable();
    put(known, keys.into_iter().map(|(.., place)| place));
}

fn take_turns(route: &str, known: &mut [Known<'_>], choosing: &mut Choosing<'_>, weight: impl Fn(&Known<'_>) -> u64) {
    let members: Vec<(u64, u64)> = known.iter().map(|one| (one.name, weight(one))).collect();
    let turns = choosing.rounds.turn(route, &members, choosing.seed);
    put(known, turns.into_iter());
}

/// Puts those of these places in this order.
fn put(known: &mut [Known<'_>], places: impl Iterator<Item = usize>) {
    let before = known.to_vec();
    for (known, place) in known.iter_mut().zip(places) {
        before.get(place).into_iter().for_each(|one| *known = *one);
    }
}

/// Puts those first whose provider's turn it is, where providers have shares, and says how many they are; what has no share
/// gets the rest.
fn share(route: &str, known: &mut [Known<'_>], choosing: &mut Choosing<'_>) -> usize {
    if known.iter().all(|one| one.member.share.is_none()) {
        return known.len();
    }
    let group = |one: &Known<'_>| one.member.share.map_or(0, |_| one.member.provider as u64 + 1);
    let mut groups: Vec<(u64, u64)> = Vec::new();
    for one in known.iter() {
        if !groups.iter().any(|(known, _)| *known == group(one)) {
            groups.push((group(one), one.member.share.map_or(0, u64::from)));
        }
    }
    let taken: u64 = groups.iter().map(|(_, share)| *share).sum();
    groups.iter_mut().filter(|(group, _)| *group == 0).for_each(|rest| rest.1 = 100_u64.saturating_sub(taken));
    let turns = choosing.rounds.turn(&format!("{route}\n"), &groups, choosing.seed);
    let first = turns.first().and_then(|turn| groups.get(*turn)).map(|(group, _)| *group);
    known.sort_by_key(|one| Some(group(one)) != first);
    known.iter().take_while(|one| Some(group(one)) == first).count()
}

/// The hash of something that requests or targets have in common.
pub fn hash(what: impl Hash) -> u64 {
    let mut hasher = Wide(DefaultHasher::new());
    what.hash(&mut hasher);
    hasher.finish()
}

/// Takes lengths in 64 bits: the filters have 32, and whoever explains them elsewhere must find the same.
struct Wide(DefaultHasher);

impl Hasher for Wide {
    fn finish(&self) -> u64 {
        self.0.finish()
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    fn write_isize(&mut self, number: isize) {
        self.write_i64(number as i64);
    }
}

/// Any number from another one, evenly spread (the end of SplitMix64).
pub(super) fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// A target's number for a key: of those with the lowest one each has as many keys as its weight says.
fn lot(key: u64, name: u64, weight: u64) -> f64 {
    // 53 bits of it, above nothing and not above one.
    let even = ((mix(key ^ mix(name)) >> 11) + 1) as f64 / (1_u64 << 53) as f64;
    even.ln().abs() / weight as f64
}

#[cfg(test)]
mod tests;
