//! What became of attempts, minute by minute: of each provider, and of each of its targets that the Snapshot has.

use std::collections::BTreeMap;
use std::sync::Mutex;

use dragoman_core::failure::Failure;
use dragoman_core::health::provider_of;
use dragoman_core::record::{Ending, Outcome, Record};

use crate::metrics::{Known, Times};

/// A minute in milliseconds.
pub const MINUTE_MS: i64 = 60_000;

/// Most rows that wait to be kept: of all targets there may be, more than are asked within seconds. Beyond them nothing is counted.
pub(super) const MOST: usize = 50_000;

/// Whose minute: the provider, the model (empty for all of the provider's), and when it began in milliseconds since 1970.
pub type Whose = (String, String, i64);

/// What became of attempts that ended in one minute, or in several.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Minute {
    /// All of them.
    pub attempts: u64,
    /// Those that brought a whole answer.
    pub answered: u64,
    /// Those that failed by the fault of who was asked, or of the credential; not those whose request was at fault.
    pub failed: u64,
    /// Of these, those that came too often, or for more than was left of a quota.
    pub throttled: u64,
    /// Those after which another was made.
    pub fallbacks: u64,
    /// Those that were made beside one that was slow.
    pub hedges: u64,
    /// How long the first events took.
    pub first_events: Times,
}

impl Minute {
    fn add(&mut self, outcome: &Outcome, is_last: bool) {
        let at_fault = |failure: Failure| failure.counts() || failure.is_about_asking();
        self.attempts += 1;
        self.answered += u64::from(outcome.ending == Ending::Answered);
        self.failed += u64::from(outcome.failure.is_some_and(at_fault));
        self.throttled += u64::from(matches!(outcome.failure, Some(Failure::Throttled | Failure::Exhausted)));
        // Who was let go was not followed by another one, but had one beside it.
        self.fallbacks += u64::from(!is_last && outcome.ending != Ending::Outrun);
        self.hedges += u64::from(outcome.hedged_after_ms.is_some());
        if let Some(first) = outcome.first_event_ms {
            self.first_events.add(first);
        }
    }

    /// Adds another one's.
    pub fn join(&mut self, other: &Minute) {
        self.attempts += other.attempts;
        self.answered += other.answered;
        self.failed += other.failed;
        self.throttled += other.throttled;
        self.fallbacks += other.fallbacks;
        self.hedges += other.hedges;
        self.first_events.join(&other.first_events);
    }

    /// So many thousandths failed.
    pub fn failed_permille(&self) -> u64 {
        self.failed.saturating_mul(1000).checked_div(self.attempts).unwrap_or(0)
    }
}

/// Those that are not kept yet.
#[derive(Debug, Default)]
pub struct Minutes(Mutex<BTreeMap<Whose, Minute>>);

impl Minutes {
    /// Counts a Record's attempts.
    pub fn observe(&self, record: &Record, known: &Known, now_ms: i64) {
        let began_ms = now_ms - now_ms.rem_euclid(MINUTE_MS);
        let mut waiting = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for (number, outcome) in record.outcomes.iter().enumerate() {
            let provider = provider_of(&outcome.target);
            if !known.providers.contains(provider) || waiting.len() >= MOST {
                continue;
            }
            let is_last = number + 1 == record.outcomes.len();
            let mut add = |model: &str| {
                let whose = (provider.to_string(), model.to_string(), began_ms);
                waiting.entry(whose).or_default().add(outcome, is_last);
            };
            add("");
            // Models that only a client named are in the provider's sums.
            if let Some((_, model)) = outcome.target.split_once('/').filter(|_| known.targets.contains(&outcome.target))
            {
                add(model);
            }
        }
    }

    /// Takes all of them, to be kept.
    pub fn take(&self) -> Vec<(Whose, Minute)> {
        let mut waiting = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        std::mem::take(&mut *waiting).into_iter().collect()
    }

    /// Takes back what could not be kept.
    pub fn put_back(&self, minutes: Vec<(Whose, Minute)>) {
        let mut waiting = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for (whose, minute) in minutes.into_iter().take(MOST) {
            waiting.entry(whose).or_default().join(&minute);
        }
    }
}
