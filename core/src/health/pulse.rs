//! What a worker feels of each target: how busy it is, how soon it begins to answer, how fast it goes on, how much of its quota is
//! left, and whether it has just come back.
//!
//! The time to the first event is a *peak* average: a slow answer counts at once, quick ones bring it down little by little, and
//! where nothing is heard it fades, by half in [`HALF_LIFE_MS`]. So one that was slow is tried again some time.
//!
//! ```
//! use dragoman_core::health::Pulses;
//! use dragoman_core::record::{Ending, Outcome};
//! let mut pulses = Pulses::default();
//! pulses.began("p/m");
//! assert_eq!(pulses.of("p/m").unwrap().in_flight, 1);
//! let outcome = Outcome { target: "p/m".into(), ending: Ending::Answered, first_event_ms: Some(80), ..Outcome::default() };
//! pulses.ended(&outcome, 1000);
//! let pulse = pulses.of("p/m").unwrap();
//! assert_eq!((pulse.in_flight, pulse.first_event(1000), pulse.first_event(6000)), (0, 80_000, 40_000));
//! ```

use std::collections::HashMap;

use crate::failure::Failure;
use crate::record::{Ending, Outcome};

/// Most targets that are remembered, about 150 bytes each: half a MiB.
const MAX_PULSES: usize = 4096;

/// After so long half of what was felt is forgotten.
const HALF_LIFE_MS: u64 = 5_000;

/// How slow a target is taken to be that failed, at least: one that says no at once must not look quick.
const FAILED_MS: u64 = 1_000;

/// The longest time that is believed: an hour.
const MAX_MS: u64 = 3_600_000;

/// How long a provider's word about its quota is believed: most of them count by the minute.
const QUOTA_MS: u64 = 60_000;

/// How long it is believed how fast a target was: who is too slow for a caller is tried again then.
const THROUGHPUT_MS: u64 = 5 * 60_000;

/// Answers of fewer tokens say nothing of that: most of their time is waiting.
const TELLING_TOKENS: u64 = 32;

/// Nothing is used, or nobody said so.
pub const FULL: u64 = 1_000;

/// What is known of one target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pulse {
    /// Attempts that have begun and not ended.
    pub in_flight: u32,
    /// Micro-seconds to the first event, and when that was felt.
    first_event: (u64, u64),
    /// How much of its quota is left, in thousandths, and when it was said.
    remaining: Option<(u64, u64)>,
    /// When it came back; 0 when it never was away.
    came_back_ms: u64,
    /// Tokens a second, in thousandths, and when they were felt.
    throughput: Option<(u64, u64)>,
}

impl Pulse {
    /// Micro-seconds to the first event as felt now; 0 when nothing is known any more.
    pub fn first_event(&self, now_ms: u64) -> u64 {
        let (felt, at_ms) = self.first_event;
        faded(felt, now_ms.saturating_sub(at_ms))
    }

    /// The same as it was felt last, however long ago.
    pub fn last_first_event(&self) -> u64 {
        self.first_event.0
    }

    /// How much of its quota is left, in thousandths; [`FULL`] when nobody said otherwise lately.
    pub fn remaining(&self, now_ms: u64) -> u64 {
        let fresh = self.remaining.filter(|(_, at_ms)| now_ms.saturating_sub(*at_ms) < QUOTA_MS);
        fresh.map_or(FULL, |(left, _)| left)
    }

    /// How many tokens of an answer it gives in a second, waiting included; `None` when nothing of it was felt lately.
    pub fn throughput(&self, now_ms: u64) -> Option<u64> {
        self.fresh_throughput(now_ms).map(|felt| felt / 1_000)
    }

    fn fresh_throughput(&self, now_ms: u64) -> Option<u64> {
        self.throughput.filter(|(_, at_ms)| now_ms.saturating_sub(*at_ms) < THROUGHPUT_MS).map(|(felt, _)| felt)
    }

    /// How much of its share it gets, in thousandths, when what comes back is to grow over so long.
    pub fn strength(&self, slow_start_ms: u64, now_ms: u64) -> u64 {
        let since = now_ms.saturating_sub(self.came_back_ms);
        match self.came_back_ms {
            0 => FULL,
            _ if since >= slow_start_ms => FULL,
            // Somebody has to ask it, or nobody would see that it is well.
            _ => (since * FULL / slow_start_ms).max(FULL / 100),
        }
    }

    /// So many tokens came in that time. A quarter of each answer counts, so that one alone says little.
    fn feel_throughput(&mut self, tokens: u64, total_ms: u64, now_ms: u64) {
        let sample = tokens.saturating_mul(1_000_000) / total_ms.clamp(1, MAX_MS);
        let felt = self.fresh_throughput(now_ms).map_or(sample, |known| (known / 4).saturating_mul(3) + sample / 4);
        self.throughput = Some((felt, now_ms));
    }

    /// So long it took this time.
    fn feel(&mut self, sample_ms: u64, now_ms: u64) {
        let sample = sample_ms.clamp(1, MAX_MS) * 1_000;
        let (felt, at_ms) = self.first_event;
        let since = now_ms.saturating_sub(at_ms);
        let known = faded(felt, since);
        // What is old weighs as little as it is remembered; a peak counts whole.
        let felt = if sample >= known { sample } else { sample + faded(known - sample, since.max(HALF_LIFE_MS / 8)) };
        self.first_event = (felt, now_ms);
    }
}

/// What is left of a number after so long: half of it for each half-life, in a straight line between.
fn faded(felt: u64, since_ms: u64) -> u64 {
    let (halves, rest) = (since_ms / HALF_LIFE_MS, since_ms % HALF_LIFE_MS);
    let halves = u32::try_from(halves).unwrap_or(u32::MAX);
    let felt = felt.checked_shr(halves).unwrap_or(0);
    felt - felt * rest / (2 * HALF_LIFE_MS)
}

/// Those of all targets, by their ids.
#[derive(Debug, Default)]
pub struct Pulses {
    all: HashMap<String, Pulse>,
}

impl Pulses {
    /// That of a target, where anything is known.
    pub fn of(&self, target: &str) -> Option<&Pulse> {
        self.all.get(target)
    }

    /// An attempt at it begins.
    pub fn began(&mut self, target: &str) {
        if let Some(pulse) = self.pulse(target) {
            pulse.in_flight = pulse.in_flight.saturating_add(1);
        }
    }

    /// An attempt is over.
    pub fn ended(&mut self, outcome: &Outcome, now_ms: u64) {
        let Some(pulse) = self.all.get_mut(&outcome.target) else { return };
        pulse.in_flight = pulse.in_flight.saturating_sub(1);
        let felt = match (outcome.first_event_ms, outcome.ending) {
            (Some(first), _) => Some(first),
            (None, Ending::Answered) => Some(outcome.total_ms),
            // What is wrong with the request tells nothing of the target, nor does the client's leaving.
            _ if outcome.failure.is_some_and(Failure::is_about_request) => None,
            // Twice what was felt, so that one that fails on and on is left alone longer and longer.
            (None, Ending::Retriable | Ending::Broken | Ending::Silent) => {
                Some(outcome.total_ms.max(FAILED_MS).max(pulse.first_event(now_ms) / 500))
            }
            // It would have taken longer than that; of how much longer nothing is known.
            (None, Ending::Outrun) => Some(outcome.total_ms).filter(|ms| ms * 1_000 >= pulse.first_event(now_ms)),
            (None, Ending::Refused | Ending::Abandoned) => None,
        };
        if let Some(felt) = felt {
            pulse.feel(felt, now_ms);
        }
        let said = outcome.usage.output.filter(|tokens| *tokens >= TELLING_TOKENS);
        if let Some(tokens) = said.filter(|_| outcome.ending == Ending::Answered) {
            pulse.feel_throughput(tokens, outcome.total_ms, now_ms);
        }
    }

    /// Its provider said how much of the gateway's quota is left, in thousandths.
    pub fn has_left(&mut self, target: &str, thousandths: u64, now_ms: u64) {
        if let Some(pulse) = self.pulse(target) {
            pulse.remaining = Some((thousandths.min(FULL), now_ms));
        }
    }

    /// It can be asked again, having been away.
    pub fn came_back(&mut self, target: &str, now_ms: u64) {
        if let Some(pulse) = self.pulse(target) {
            pulse.came_back_ms = now_ms;
        }
    }

    /// That of a target, unless there are too many: then those that nobody asks right now are forgotten, and felt anew.
    fn pulse(&mut self, target: &str) -> Option<&mut Pulse> {
        if !self.all.contains_key(target) {
            if self.all.len() >= MAX_PULSES {
                self.all.retain(|_, pulse| pulse.in_flight > 0);
            }
            if self.all.len() >= MAX_PULSES {
                return None;
            }
            self.all.insert(target.to_string(), Pulse::default());
        }
        self.all.get_mut(target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage::Usage;

    fn outcome(ending: Ending, first_event_ms: Option<u64>, total_ms: u64) -> Outcome {
        Outcome { target: "p/m".into(), ending, first_event_ms, total_ms, ..Outcome::default() }
    }

    fn felt(pulses: &Pulses, now_ms: u64) -> u64 {
        pulses.of("p/m").map_or(0, |pulse| pulse.first_event(now_ms)) / 1_000
    }

    fn after(samples: &[(u64, u64)]) -> Pulses {
        let mut pulses = Pulses::default();
        for (sample, now_ms) in samples {
            pulses.began("p/m");
            pulses.ended(&outcome(Ending::Answered, Some(*sample), 0), *now_ms);
        }
        pulses
    }

    #[test]
    fn a_peak_counts_at_once_and_fades() {
        let pulses = after(&[(100, 0), (1000, 0)]);
        let over_time = [0, 2500, 5000, 10_000, 15_000, 1_000_000].map(|now| felt(&pulses, now));
        assert_eq!(over_time, [1000, 750, 500, 250, 125, 0]);
        assert_eq!(pulses.of("p/m").unwrap().last_first_event(), 1_000_000, "it is known how slow it was");
        assert_eq!(felt(&after(&[(1000, 0), (100, 0)]), 0), 943, "a quick answer brings it down little by little");
        assert_eq!(felt(&after(&[(1000, 0), (100, 60_000)]), 60_000), 100, "one that is well again is so at once");
    }

    #[test]
    fn what_fails_fast_is_not_quick() {
        let mut pulses = after(&[(20, 0)]);
        for (ending, expected) in
            [(Ending::Refused, 20), (Ending::Abandoned, 20), (Ending::Retriable, 1000), (Ending::Silent, 2000)]
        {
            pulses.began("p/m");
            pulses.ended(&outcome(ending, None, 1), 0);
            assert_eq!(felt(&pulses, 0), expected, "{ending:?}");
        }
    }

    #[test]
    fn a_request_that_another_target_may_answer_says_nothing_of_this_one() {
        let mut pulses = after(&[(20, 0)]);
        pulses.began("p/m");
        let failure = Some(Failure::ContextTooLong);
        pulses.ended(&Outcome { failure, ..outcome(Ending::Retriable, None, 1) }, 0);
        assert_eq!(felt(&pulses, 0), 20);
    }

    #[test]
    fn how_fast_a_target_answers_is_felt_of_long_answers_and_believed_for_a_while() {
        let mut pulses = Pulses::default();
        pulses.began("p/m");
        let felt = |pulses: &Pulses, now_ms| pulses.of("p/m").unwrap().throughput(now_ms);
        let mut answer = |tokens, ending| {
            let usage = Usage { output: Some(tokens), ..Usage::default() };
            pulses.ended(&Outcome { usage, ..outcome(ending, Some(500), 2_000) }, 1_000);
            felt(&pulses, 1_000)
        };
        assert_eq!(answer(TELLING_TOKENS - 1, Ending::Answered), None, "a short answer says nothing");
        assert_eq!(answer(1_000, Ending::Broken), None);
        assert_eq!(answer(200, Ending::Answered), Some(100));
        assert_eq!(answer(400, Ending::Answered), Some(125), "one answer counts a quarter");
        assert_eq!(felt(&pulses, 1_000 + THROUGHPUT_MS), None);
    }

    #[test]
    fn what_a_provider_says_of_its_quota_is_believed_for_a_minute() {
        let mut pulses = Pulses::default();
        pulses.has_left("p/m", 30, 1000);
        let left = |now| pulses.of("p/m").unwrap().remaining(now);
        assert_eq!([left(1000), left(60_999), left(61_000)], [30, 30, FULL]);
    }

    #[test]
    fn what_came_back_grows_strong() {
        let mut pulses = Pulses::default();
        pulses.began("p/m");
        assert_eq!(pulses.of("p/m").unwrap().strength(30_000, 5), FULL);
        pulses.came_back("p/m", 1000);
        let strength = |now| pulses.of("p/m").unwrap().strength(30_000, now);
        assert_eq!([strength(1000), strength(16_000), strength(31_000)], [10, 500, FULL]);
        assert_eq!(pulses.of("p/m").unwrap().strength(0, 1000), FULL);
    }

    #[test]
    fn they_are_bounded_and_those_at_work_stay() {
        let mut pulses = Pulses::default();
        pulses.began("busy");
        for number in 0..3 * MAX_PULSES {
            pulses.has_left(&format!("p/{number}"), 1, 0);
            assert!(pulses.all.len() <= MAX_PULSES);
        }
        assert_eq!(pulses.of("busy").unwrap().in_flight, 1);
        for number in 0..2 * MAX_PULSES {
            pulses.began(&format!("q/{number}"));
        }
        assert!(pulses.all.len() <= MAX_PULSES);
        pulses.ended(&Outcome { target: format!("q/{}", 2 * MAX_PULSES - 1), ..Outcome::default() }, 0);
    }
}
