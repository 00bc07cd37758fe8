//! Callers that a provider wants to be left alone by: one's own token met its limit there, and nobody else's did.
//!
//! ```text
//!  a 429 of somebody's own token ─▶ until its hint, else some minutes ─▶ over
//!                                     ▲ the control plane tells what others met, and what an operator has ended
//! ```

use std::collections::HashMap;

/// Most that are remembered, about 150 bytes each; beyond them those go that end first.
const MAX_COOL_DOWNS: usize = 8192;

/// How long what a worker met itself is believed although the control plane does not tell of it: it knows when the exchange is
/// over, and a fallback may answer for minutes. Once it has told of it, its word counts.
const OWN_MS: u64 = 15 * 60 * 1000;

/// A caller that leaves a provider alone for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoolDown {
    /// The provider.
    pub provider: String,
    /// What stands for the caller's token; see [`crate::record::Record::bearer`].
    pub bearer: String,
    /// Until when, in milliseconds since 1970 by the data plane's clock.
    pub until_ms: u64,
}

/// All of them.
#[derive(Debug, Default)]
pub struct CoolDowns {
    /// By what stands for the token, then by provider: until when, and until when the control plane need not know.
    all: HashMap<String, Vec<(String, u64, u64)>>,
    count: usize,
}

impl CoolDowns {
    /// Until when that provider is not to be asked with that token; `None` when it may be.
    pub fn until(&self, provider: &str, bearer: &str, now_ms: u64) -> Option<u64> {
        let known = self.all.get(bearer)?.iter().find(|(known, ..)| known == provider)?;
        (known.1 > now_ms).then_some(known.1)
    }

    /// Notes what this worker met.
    pub fn meet(&mut self, met: CoolDown, now_ms: u64) {
        self.put(met, now_ms.saturating_add(OWN_MS));
        if self.count > MAX_COOL_DOWNS {
            self.make_room();
        }
    }

    /// Takes the control plane's word for all of them.
    pub fn learn(&mut self, told: Vec<CoolDown>, now_ms: u64) {
        let own = core::mem::take(self);
        for cool_down in told.into_iter().take(MAX_COOL_DOWNS / 2) {
            self.put(cool_down, 0);
        }
        for (bearer, list) in own.all {
            for (provider, until_ms, unknown_until) in list.into_iter().filter(|(.., unknown)| *unknown > now_ms) {
                let is_told = self.until(&provider, &bearer, 0).is_some();
                let unknown_until = if is_told { 0 } else { unknown_until };
                self.put(CoolDown { provider, bearer: bearer.clone(), until_ms }, unknown_until);
            }
        }
    }

    fn put(&mut self, CoolDown { provider, bearer, until_ms }: CoolDown, unknown_until: u64) {
        let list = self.all.entry(bearer).or_default();
        match list.iter_mut().find(|(known, ..)| *known == provider) {
            Some(known) => *known = (provider, known.1.max(until_ms), known.2.max(unknown_until)),
            None => {
                list.push((provider, until_ms, unknown_until));
                self.count += 1;
            }
        }
    }

    /// Lets the half go that ends first.
    fn make_room(&mut self) {
        let mut ends: Vec<u64> = self.all.values().flatten().map(|(_, until, _)| *until).collect();
        let middle = ends.len() / 2;
        let (_, middle, _) = ends.select_nth_unstable(middle);
        let last = *middle;
        for list in self.all.values_mut() {
            list.retain(|(_, until, _)| *until > last);
        }
        self.all.retain(|_, list| !list.is_empty());
        self.count = self.all.values().map(Vec::len).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cool(provider: &str, bearer: &str, until_ms: u64) -> CoolDown {
        CoolDown { provider: provider.into(), bearer: bearer.into(), until_ms }
    }

    #[test]
    fn one_token_at_one_provider_rests_until_its_time_and_nobody_else_does() {
        let mut all = CoolDowns::default();
        all.meet(cool("p", "a", 100), 0);
        assert_eq!(all.until("p", "a", 99), Some(100));
        for (provider, bearer, now) in [("p", "a", 100), ("q", "a", 0), ("p", "b", 0)] {
            assert_eq!(all.until(provider, bearer, now), None, "{provider} {bearer} {now}");
        }
        all.meet(cool("p", "a", 50), 0);
        assert_eq!(all.until("p", "a", 99), Some(100), "a shorter hint does not end it");
    }

    #[test]
    fn what_the_control_plane_does_not_tell_ends_unless_it_may_not_know_yet() {
        let mut all = CoolDowns::default();
        all.learn(vec![cool("p", "others", 90_000)], 0);
        all.meet(cool("p", "own", 90_000), 1000);
        all.learn(vec![], 2000);
        assert_eq!((all.until("p", "others", 2000), all.until("p", "own", 2000)), (None, Some(90_000)));
        all.learn(vec![cool("p", "own", 80_000)], 3000);
        assert_eq!(all.until("p", "own", 3000), Some(90_000));
        all.learn(vec![], 4000);
        assert_eq!(all.until("p", "own", 4000), None, "it was told of once, and is no more: somebody has ended it");
        all.meet(cool("p", "never told", u64::MAX), 1000);
        all.learn(vec![], 1000 + OWN_MS);
        assert_eq!(all.until("p", "never told", 2000), None);
    }

    #[test]
    fn they_are_bounded_and_the_longest_stay() {
        let mut all = CoolDowns::default();
        for number in 0..3 * MAX_COOL_DOWNS as u64 {
            all.meet(cool("p", &format!("t{number}"), number + 1), 0);
        }
        assert!(all.count <= MAX_COOL_DOWNS && all.all.len() == all.count);
        assert!(all.until("p", &format!("t{}", 3 * MAX_COOL_DOWNS - 1), 0).is_some());
        for _ in 0..2 * MAX_COOL_DOWNS {
            all.meet(cool("p", "same", 5), 0);
        }
        assert!(all.count <= MAX_COOL_DOWNS);
    }
}
