//! How long somebody is left alone after what it said.

use crate::failure::Failure;
use crate::hints::MAX_PASSING_MS;
use crate::record::Outcome;

/// The first guess of how long, doubled with each one after it that is not answered in between.
const FIRST_GUESS_MS: u64 = 1_000;

/// The longest guess.
const LONGEST_GUESS_MS: u64 = 60_000;

/// How long a quota is taken to be used up, when nobody says when it begins anew, or says much less: quotas of a day are told with
/// the wait of a minute.
pub const QUOTA_MS: u64 = 60 * 60 * 1000;

/// How long a credential that was refused is not tried where others can serve.
const CREDENTIAL_MS: u64 = 5 * 60 * 1000;

/// How firmly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Firmness {
    /// It is asked when nobody else is left.
    Averse,
    /// It is asked by nobody.
    Banned,
}

/// Somebody is left alone for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rest {
    /// Until then, in milliseconds since 1970.
    pub until_ms: u64,
    /// What it is for.
    pub why: Failure,
    /// How firmly.
    pub firmness: Firmness,
}

impl Rest {
    /// That of who is forced open: it has no end.
    pub fn forced() -> Rest {
        Rest { until_ms: u64::MAX, why: Failure::Faulty, firmness: Firmness::Banned }
    }

    /// How long it still is, in milliseconds; 0 when it has no end.
    pub fn wait_ms(&self, now_ms: u64) -> u64 {
        match self.until_ms {
            u64::MAX => 0,
            until_ms => until_ms.saturating_sub(now_ms),
        }
    }

    /// What follows from an outcome, as the one of this number for which a time had to be guessed; `None` when nothing does.
    pub fn after(outcome: &Outcome, guesses: u32, chance: u64, now_ms: u64) -> Option<Rest> {
        let why = outcome.failure?;
        let said = outcome.retry_after_ms.filter(|wait| *wait > 0);
        let (wait, firmness) = match (why, said) {
            (Failure::Exhausted, said) => (said.unwrap_or(0).max(QUOTA_MS), Firmness::Banned),
            (Failure::Credential, _) => (CREDENTIAL_MS, Firmness::Averse),
            (_, Some(wait)) => (wait.min(MAX_PASSING_MS), Firmness::Banned),
            (Failure::Throttled, None) => {
                let longest =
                    FIRST_GUESS_MS.checked_shl(guesses.min(16)).unwrap_or(LONGEST_GUESS_MS).min(LONGEST_GUESS_MS);
                (longest / 2 + chance % (longest / 2), Firmness::Averse)
            }
            _ => return None,
        };
        Some(Rest { until_ms: now_ms.saturating_add(wait), why, firmness })
    }
}
