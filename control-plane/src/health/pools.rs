//! What the targets of each route got, minute by minute.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use dragoman_core::record::{Ending, Record};
use dragoman_core::snapshot::Snapshot;

use super::minutes::{MINUTE_MS, MOST};

/// Of which route what target got it, and when its minute began in milliseconds since 1970.
pub type Place = (String, String, i64);

/// What a target got of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Got {
    /// Exchanges that were to ask it first.
    pub first: u64,
    /// Attempts.
    pub attempts: u64,
    /// Those that brought a whole answer.
    pub answered: u64,
}

impl Got {
    /// Adds another one's.
    pub fn join(&mut self, other: Got) {
        self.first += other.first;
        self.attempts += other.attempts;
        self.answered += other.answered;
    }
}

/// What is not kept yet.
#[derive(Debug, Default)]
pub struct Pools(Mutex<BTreeMap<Place, Got>>);

impl Pools {
    /// Counts a Record that went by a route; of targets those that are the route's.
    pub fn observe(&self, record: &Record, snapshot: &Snapshot, now_ms: i64) {
        let asked = if record.downgraded.is_empty() { &record.route } else { &record.downgraded };
        let Some(route) = snapshot.route(asked) else { return };
        let is_its = |id: &str| {
            let mut candidates = route.candidates.iter().filter_map(|at| snapshot.targets.get(*at));
            candidates.any(|target| target.id == id)
        };
        let began_ms = now_ms - now_ms.rem_euclid(MINUTE_MS);
        let first = record.plan.first().map(|id| (id, Got { first: 1, ..Got::default() }));
        let attempts = record.outcomes.iter().map(|outcome| {
            let answered = u64::from(outcome.ending == Ending::Answered);
            (&outcome.target, Got { first: 0, attempts: 1, answered })
        });
        let mut waiting = self.waiting();
        for (id, got) in first.into_iter().chain(attempts).filter(|(id, _)| is_its(id)) {
            if waiting.len() < MOST {
                waiting.entry((route.name.clone(), id.clone(), began_ms)).or_default().join(got);
            }
        }
    }

    /// Takes all of it, to be kept.
    pub fn take(&self) -> Vec<(Place, Got)> {
        std::mem::take(&mut *self.waiting()).into_iter().collect()
    }

    /// Takes back what could not be kept.
    pub fn put_back(&self, pools: Vec<(Place, Got)>) {
        let mut waiting = self.waiting();
        pools.into_iter().take(MOST).for_each(|(place, got)| waiting.entry(place).or_default().join(got));
    }

    fn waiting(&self) -> MutexGuard<'_, BTreeMap<Place, Got>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
