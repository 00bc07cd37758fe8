//! Probes: a provider of which nothing is heard is asked for its models, for that costs nothing.
//!
//! Whatever it answers is a sign of life, and silence counts for its breaker. It says nothing of its targets: only requests show how they
//! do. Who never answered anything is not there yet, and that is not worth telling.

use std::collections::HashMap;
use std::time::Duration;

use tokio::task::JoinSet;

use super::{FleetView, every, held, now};
use crate::catalog::Registered;
use crate::discovery::{Asker, endpoint};

/// How often it is seen who is due.
const LOOK: Duration = Duration::from_secs(1);
/// Longest wait for an answer: with the look that comes next, all are done within five seconds.
const MAX_WAIT: Duration = Duration::from_secs(4);

/// What was heard of a provider.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Heard {
    /// When an attempt at it ended last.
    pub(super) asked_ms: u64,
    /// Whether it ever answered.
    pub(super) answered: bool,
}

impl FleetView {
    /// Probes for ever.
    pub async fn probe(&self, asker: Asker) {
        let mut due: HashMap<String, u64> = HashMap::new();
        let mut interval = every(LOOK);
        loop {
            interval.tick().await;
            let current = self.current.borrow().clone();
            let Some(period) = current.file.health.probes else { continue };
            let period_ms = u64::try_from(period.as_millis()).unwrap_or(u64::MAX);
            due.retain(|id, _| current.catalog.providers.iter().any(|row| row.id == *id));
            let asked = current.catalog.providers.iter().filter(|row| endpoint(row).is_some());
            let now_ms = now();
            let is_due = |row: &&Registered| {
                // The first one comes at any time of its period, so that they do not come together.
                let next_ms = due.entry(row.id.clone()).or_insert_with(|| now_ms + jitter(period_ms));
                if *next_ms > now_ms {
                    return false;
                }
                *next_ms = now_ms + period_ms - jitter(period_ms / 10);
                self.is_silent(&row.id, period_ms, now_ms)
            };
            let list: Vec<Registered> = asked.filter(is_due).cloned().collect();
            self.probe_all(&asker, list).await;
        }
    }

    /// Probes these, all at once.
    pub(super) async fn probe_all(&self, asker: &Asker, list: Vec<Registered>) {
        let mut probing = JoinSet::new();
        for row in list {
            let asker = asker.clone();
            probing.spawn(async move {
                let began_ms = now();
                let is_there = tokio::time::timeout(MAX_WAIT, asker.is_there(&row)).await.unwrap_or(false);
                (row.id, is_there, began_ms)
            });
        }
        while let Some(ended) = probing.join_next().await {
            if let Ok((provider, is_there, began_ms)) = ended {
                self.probed(&provider, is_there, began_ms);
            }
        }
    }

    fn is_silent(&self, provider: &str, period_ms: u64, now_ms: u64) -> bool {
        let asked_ms = held(&self.heard).get(provider).map_or(0, |heard| heard.asked_ms);
        let is_open = self.of(provider).is_some_and(|told| told.open_until_ms.is_some());
        is_open || asked_ms.saturating_add(period_ms) <= now_ms
    }

    fn probed(&self, provider: &str, is_there: bool, began_ms: u64) {
        let answered = {
            let mut heard = held(&self.heard);
            let heard = heard.entry(provider.to_string()).or_default();
            heard.answered |= is_there;
            heard.answered
        };
        if answered && self.view().probed(provider, is_there, began_ms, now()) {
            self.changes();
        }
    }
}

/// Any time up to that; none where there is no chance.
fn jitter(most_ms: u64) -> u64 {
    let mut chance = [0; 8];
    let given = getrandom::fill(&mut chance).map(|()| u64::from_le_bytes(chance)).unwrap_or(0);
    given.checked_rem(most_ms).unwrap_or(0)
}
