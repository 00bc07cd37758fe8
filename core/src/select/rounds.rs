//! Whose turn it is, by weights: smooth weighted round robin.
//!
//! Everybody gets credit by weight with each request, whoever has most is chosen and pays what all got. So the chosen are spread
//! evenly, and after as many requests as all weights together each had exactly its share.
//!
//! ```
//! use dragoman_core::select::Rounds;
//! let mut rounds = Rounds::default();
//! let mut next = || rounds.turn("r", &[(1, 3), (2, 1)], 7)[0];
//! let chosen: Vec<usize> = (0..8).map(|_| next()).collect();
//! assert_eq!(chosen.iter().filter(|place| **place == 0).count(), 6);
//! ```

use std::cmp::Reverse;
use std::collections::HashMap;

use super::balance::mix;

/// Most routes of which a worker remembers whose turn it is. Beyond them all begin anew.
const MAX_ROUTES: usize = 4096;

/// Most that a route remembers beside those at hand: others' turns in other requests.
const MAX_OTHERS: usize = 256;

/// So that a beginning by chance has room between whole weights.
const SCALE: u64 = 1024;

/// Whose turn it is in each route, for one worker.
#[derive(Debug, Default)]
pub struct Rounds {
    /// By route: who, and the credit of each.
    credits: HashMap<String, Vec<(u64, i64)>>,
}

impl Rounds {
    /// Places in `members`, each of a name's hash and a weight, in the order of their turns; takes the first one's turn. Where a
    /// route is new, `seed` says where it begins, so that not every worker begins with the same one.
    pub fn turn(&mut self, route: &str, members: &[(u64, u64)], seed: u64) -> Vec<usize> {
        let total = members.iter().fold(0_u64, |sum, (_, weight)| sum.saturating_add(*weight));
        let total = total.saturating_mul(SCALE);
        if self.credits.len() >= MAX_ROUTES && !self.credits.contains_key(route) {
            self.credits.clear();
        }
        let known = match self.credits.get_mut(route) {
            Some(known) => known,
            None => self.credits.entry(route.to_string()).or_default(),
        };
        if known.len() > members.len() + MAX_OTHERS {
            known.clear();
        }
        let mut standing = Vec::with_capacity(members.len());
        for (place, (who, weight)) in members.iter().enumerate() {
            // Mostly the same ones stand in the same places.
            let at = match known.get(place) {
                Some((same, _)) if same == who => Some(place),
                _ => known.iter().position(|(name, _)| name == who),
            };
            let at = at.unwrap_or_else(|| {
                // Whoever has no weight has no turn by chance either.
                let begins = if *weight == 0 { 0 } else { mix(seed ^ who) % total };
                known.push((*who, signed(begins)));
                known.len() - 1
            });
            if let Some((_, credit)) = known.get_mut(at) {
                *credit = credit.saturating_add(signed(weight.saturating_mul(SCALE)));
                standing.push((Reverse(*credit), place, at));
            }
        }
        standing.sort_unstable();
        if let Some((_, credit)) = standing.first().and_then(|(.., at)| known.get_mut(*at)) {
            *credit = credit.saturating_sub(signed(total));
        }
        standing.into_iter().map(|(_, place, _)| place).collect()
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_spread_evenly() {
        let mut rounds = Rounds::default();
        let chosen: Vec<usize> = (0..70).map(|_| rounds.turn("r", &[(1, 5), (2, 1), (3, 1)], 3)[0]).collect();
        let count = |place| chosen.iter().filter(|known| **known == place).count();
        assert_eq!([count(0), count(1), count(2)], [50, 10, 10]);
        let longest = chosen.split(|place| *place != 0).map(<[usize]>::len).max();
        assert!(longest <= Some(5), "{chosen:?}");
    }

    #[test]
    fn who_is_away_for_some_requests_loses_nothing_in_others() {
        let mut rounds = Rounds::default();
        let mut both = [0, 0];
        for _ in 0..100 {
            assert_eq!(rounds.turn("r", &[(2, 1)], 0), [0]);
            both[rounds.turn("r", &[(1, 1), (2, 1)], 0)[0]] += 1;
        }
        assert_eq!(both, [50, 50]);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut rounds = Rounds::default();
        for number in 0..2 * MAX_ROUTES as u64 {
            rounds.turn(&number.to_string(), &[(1, 1)], 0);
            rounds.turn("same", &[(number, 1)], 0);
        }
        assert!(rounds.credits.len() <= MAX_ROUTES);
        assert!(rounds.credits.values().all(|known| known.len() <= MAX_OTHERS + 2));
        assert_eq!(rounds.turn("none", &[], 0), [0_usize; 0]);
        assert_eq!(rounds.turn("zero", &[(1, 0), (2, 0)], 0).len(), 2);
        rounds.turn("large", &[(1, u64::MAX), (2, u64::MAX)], 0);
        rounds.turn("large", &[(1, u64::MAX), (2, u64::MAX)], 0);
    }
}
