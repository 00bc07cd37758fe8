//! How slow is slow, and how many requests of a route may be asked of another target for it.

use std::collections::HashMap;

/// What one hedge takes of what a hundred exchanges bring at one percent.
const HEDGE: u64 = 100;

/// Most that is saved up, so that a slow minute after a quick hour does not ask for everything twice.
const MOST: u64 = 10 * HEDGE;

/// So many of a target's latest times are remembered: the slowest twentieth of them are still some.
const LATEST: usize = 128;

/// So many must be known before anybody is called slow by them.
const ENOUGH: usize = 32;

/// Nobody is called slow before that, in milliseconds: what is quick anyhow is not worth another request.
const FLOOR_MS: u64 = 50;

/// Most routes and most targets that are remembered, half a KiB each at most. Beyond them all begin anew.
const MAX_KNOWN: usize = 4096;

/// Of routes that hedge, and of those they ask first.
#[derive(Debug, Default)]
pub struct Hedges {
    /// The hedges that are free, in hundredths, by routes.
    free: HashMap<String, u64>,
    /// How long targets took to begin, in milliseconds; the oldest is at the place of the next one once it is full.
    times: HashMap<String, (Vec<u32>, usize)>,
}

impl Hedges {
    /// An exchange of that route was sent; so many of a hundred may be hedged.
    pub fn earn(&mut self, route: &str, percent: u64) {
        if let Some(free) = self.free.get_mut(route) {
            *free = free.saturating_add(percent).min(MOST);
            return;
        }
        if self.free.len() >= MAX_KNOWN {
            self.free.clear();
        }
        self.free.insert(route.to_string(), HEDGE);
    }

    /// Takes one, where one is free.
    pub fn take(&mut self, route: &str) -> bool {
        let Some(left) = self.free.get(route).and_then(|free| free.checked_sub(HEDGE)) else { return false };
        self.free.insert(route.to_string(), left);
        true
    }

    /// A target took so long to begin.
    pub fn took(&mut self, target: &str, ms: u64) {
        let ms = u32::try_from(ms).unwrap_or(u32::MAX);
        if !self.times.contains_key(target) {
            if self.times.len() >= MAX_KNOWN {
                self.times.clear();
            }
            self.times.insert(target.to_string(), (Vec::new(), 0));
        }
        let Some((latest, next)) = self.times.get_mut(target) else { return };
        match latest.get_mut(*next) {
            Some(oldest) => *oldest = ms,
            None => latest.push(ms),
        }
        *next = (*next + 1) % LATEST;
    }

    /// Nineteen of twenty began sooner; `None` while that is not known.
    pub fn slow_ms(&self, target: &str) -> Option<u64> {
        let mut times = self.times.get(target)?.0.clone();
        if times.len() < ENOUGH {
            return None;
        }
        let place = times.len() * 19 / 20;
        let (_, slow, _) = times.select_nth_unstable(place);
        Some(u64::from(*slow).max(FLOOR_MS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_are_hedged_as_the_route_allows_and_no_more_than_ten_at_once() {
        let mut hedges = Hedges::default();
        let taken = (0..10_000).filter(|_| (hedges.earn("m", 5), hedges.take("m")).1).count();
        assert!((500..=501).contains(&taken), "{taken}");
        (0..10_000).for_each(|_| hedges.earn("m", 5));
        assert_eq!((0..100).filter(|_| hedges.take("m")).count(), 10, "no more is saved up");
        assert!(!hedges.take("n"), "nothing was asked of it");
    }

    #[test]
    fn slow_is_what_one_of_twenty_takes_lately_and_never_what_is_quick() {
        let mut hedges = Hedges::default();
        let mut took = |number: u64, ms: u64| {
            for _ in 0..number {
                hedges.took("a/m", ms);
            }
            hedges.slow_ms("a/m")
        };
        assert_eq!(took(ENOUGH as u64 - 1, 300), None, "that is not enough");
        assert_eq!(took(1, 300), Some(300));
        assert_eq!(took(6, 9_000), Some(9_000), "a tenth is slow");
        assert_eq!(took(200, 20), Some(FLOOR_MS), "what was is forgotten");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut hedges = Hedges::default();
        for number in 0..2 * MAX_KNOWN + 1 {
            hedges.earn(&format!("m{number}"), 1);
            hedges.took(&format!("p/{number}"), u64::MAX);
        }
        assert_eq!((hedges.free.len(), hedges.times.len()), (1, 1));
        (0..3 * LATEST).for_each(|_| hedges.took("p/m", 1));
        assert_eq!(hedges.times["p/m"].0.len(), LATEST);
    }
}
