//! The fleet view: how providers and targets do, as all data planes met it, told to every one of them.
//!
//! ```text
//! settled Record ─▶ View ─┬─ at once ─▶ every Watch stream
//!                         └─ a moment later ─▶ store ◀─ operators (force, reset)
//! other control planes ─▶ store ─ looked at four times a second ─▶ View
//! ```
//!
//! Nobody who settles waits for any of it. What is told is small as long as little is wrong; the more it is, the longer is the pause
//! after it.

mod minutes;
mod pools;
mod probes;
pub mod status;
mod telling;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dragoman_core::failure::Failure;
use dragoman_core::health::{Force, Health, Told, View, provider_of};
use dragoman_core::record::{Record, Whose as Owner};
use tokio::sync::watch;
use tracing::error;

use crate::current::{Current, Feed};
use crate::data_plane::Watching;
use crate::store::{Store, now_ms};

use minutes::Minutes;
pub use minutes::{MINUTE_MS, Minute, Whose};
use pools::Pools;
pub use pools::{Got, Place};
use probes::Heard;

/// How often the store is looked at for what others met.
const LOOK: Duration = Duration::from_millis(250);
/// How often what is over is let go.
const EXPIRE: Duration = Duration::from_secs(1);
/// Shortest pause between two tellings.
const PAUSE: Duration = Duration::from_millis(50);
/// So much is told to each stream in a second, in bytes: with thousands of subjects it is told more rarely, and still within a second.
const RATE: u32 = 4 << 20;
/// Shortest pause between two writings of what changed.
const KEEP: Duration = Duration::from_millis(200);
/// How often minutes are kept.
const KEEP_MINUTES: Duration = Duration::from_secs(5);
/// How long the store is left alone after it failed.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// The fleet view of this control plane.
pub struct FleetView {
    view: Mutex<View>,
    store: Store,
    current: Feed,
    /// The last change of the store that was looked at; held while it is looked.
    seen: tokio::sync::Mutex<i64>,
    /// How often anything changed.
    changed: watch::Sender<u64>,
    minutes: Minutes,
    pools: Pools,
    /// What every provider did of late, by the store.
    late: Mutex<HashMap<String, Minute>>,
    /// Providers that refused the gateway's credential, of which nobody was told yet.
    refused: Mutex<BTreeSet<String>>,
    heard: Mutex<HashMap<String, Heard>>,
}

impl FleetView {
    /// What the store has of before.
    pub async fn begin(store: Store, current: Feed) -> anyhow::Result<FleetView> {
        let view = FleetView {
            view: Mutex::default(),
            store,
            current,
            seen: tokio::sync::Mutex::new(0),
            changed: watch::Sender::new(0),
            minutes: Minutes::default(),
            pools: Pools::default(),
            late: Mutex::default(),
            refused: Mutex::default(),
            heard: Mutex::default(),
        };
        view.look().await?;
        Ok(view)
    }

    /// Looks at a Record that was stored for the first time.
    pub fn observe(&self, record: &Record, current: &Current) {
        let now_ms = now();
        let changed = {
            let mut view = self.view();
            view.judge_by(current.snapshot.health);
            // Who guesses how long to wait is not to come back with all others who do.
            view.observe(record, now_ms.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32, now_ms)
        };
        let moment = i64::try_from(now_ms).unwrap_or(i64::MAX);
        self.minutes.observe(record, &current.labels, moment);
        self.pools.observe(record, &current.snapshot, moment);
        self.hear(record, current, now_ms);
        if changed {
            self.changes();
        }
    }

    fn hear(&self, record: &Record, current: &Current, now_ms: u64) {
        for outcome in &record.outcomes {
            let provider = provider_of(&outcome.target);
            if !current.labels.providers.contains(provider) {
                continue;
            }
            let mut heard = held(&self.heard);
            let heard = heard.entry(provider.to_string()).or_default();
            heard.asked_ms = now_ms;
            heard.answered |= outcome.status > 0;
            if outcome.failure == Some(Failure::Credential) && outcome.whose == Owner::Gateway {
                held(&self.refused).insert(provider.to_string());
            }
        }
    }

    /// What is told of a subject now; `None` when it is as everybody.
    pub fn of(&self, subject: &str) -> Option<Told> {
        self.view().of(subject, now())
    }

    /// What a worker knows of everybody that was told all of it and met nothing itself.
    pub fn as_told(&self, now_ms: u64) -> Health {
        self.view().as_told(now_ms)
    }

    /// The breakers that are not closed: 1 half-open, 2 open, 3 forced open.
    pub fn breakers(&self) -> HashMap<String, i64> {
        let now_ms = now();
        let state = |told: Told| match (told.force, told.open_until_ms) {
            (Some(Force::Open), _) => Some(3),
            (Some(Force::Closed), _) | (None, None) => None,
            (None, Some(until_ms)) => Some(if until_ms > now_ms { 2 } else { 1 }),
        };
        let all = self.by_provider().into_values().flatten();
        all.filter_map(|told| Some((told.subject.clone(), state(told)?))).collect()
    }

    /// Whether anything is known of that subject.
    pub fn knows(&self, subject: &str) -> bool {
        self.view().knows(subject)
    }

    /// Forces a subject open or closed, everywhere.
    pub async fn force(&self, actor: &str, subject: &str, force: Force) -> anyhow::Result<()> {
        self.store.force_health(actor, subject, force).await?;
        self.look().await
    }

    /// Takes back what was forced, and forgets what was met, everywhere.
    pub async fn reset(&self, actor: &str, subject: &str) -> anyhow::Result<()> {
        self.store.reset_health(actor, subject).await?;
        self.look().await
    }

    /// Tells, keeps and looks for ever.
    pub async fn run(&self, watching: &Watching) {
        let minutes = self.keep_minutes();
        tokio::join!(self.tell(watching), self.keep(), self.follow(), self.expire(), minutes, self.tell_operators());
    }

    /// Takes what changed in the store.
    async fn look(&self) -> anyhow::Result<()> {
        let mut seen = self.seen.lock().await;
        let (news, last) = self.store.health_after(*seen).await?;
        *seen = last;
        let now_ms = now();
        let changed = {
            let mut view = self.view();
            view.judge_by(self.current.borrow().snapshot.health);
            news.into_iter().filter(|told| view.adopt(told.clone(), now_ms)).count() > 0
        };
        if changed {
            self.changes();
        }
        Ok(())
    }

    async fn tell(&self, watching: &Watching) {
        let mut changed = self.changed.subscribe();
        loop {
            changed.borrow_and_update();
            let document = self.view().fleet().write();
            let size = u32::try_from(document.len()).unwrap_or(u32::MAX);
            watching.tell_health(document);
            tokio::time::sleep(PAUSE + Duration::from_secs(1) * size / RATE).await;
            if changed.changed().await.is_err() {
                return;
            }
        }
    }

    async fn keep(&self) {
        let mut changed = self.changed.subscribe();
        changed.mark_changed();
        while changed.changed().await.is_ok() {
            let changes = self.view().changes();
            let mut pause = KEEP;
            if let Err(failed) = self.store.keep_health(&changes).await {
                error!("the store failed, and other control planes do not learn how providers do: {failed:#}");
                self.view().not_kept(changes);
                changed.mark_changed();
                pause = STORE_PAUSE;
            }
            tokio::time::sleep(pause).await;
        }
    }

    async fn follow(&self) {
        let mut interval = every(LOOK);
        loop {
            interval.tick().await;
            if let Err(failed) = self.look().await {
                error!("the store failed, and it is not seen what other control planes met: {failed:#}");
                tokio::time::sleep(STORE_PAUSE).await;
            }
        }
    }

    async fn expire(&self) {
        let mut interval = every(EXPIRE);
        loop {
            interval.tick().await;
            if self.view().expire(now()) {
                self.changes();
            }
        }
    }

    async fn keep_minutes(&self) {
        let mut interval = every(KEEP_MINUTES);
        loop {
            interval.tick().await;
            let minutes = self.minutes.take();
            if let Err(failed) = self.store.add_minutes(&minutes).await {
                error!("the store failed, and it is kept later how providers did: {failed:#}");
                self.minutes.put_back(minutes);
            }
            let pools = self.pools.take();
            if let Err(failed) = self.store.add_pools(&pools).await {
                error!("the store failed, and it is kept later what the targets of routes got: {failed:#}");
                self.pools.put_back(pools);
            }
        }
    }

    /// What is told of each provider and its targets.
    fn by_provider(&self) -> HashMap<String, Vec<Told>> {
        let (view, now_ms) = (self.view(), now());
        let mut all: HashMap<String, Vec<Told>> = HashMap::new();
        // What an account met with its own credential is its own affair.
        for subject in view.subjects().filter(|subject| !subject.contains('@')) {
            if let Some(told) = view.of(subject, now_ms) {
                all.entry(provider_of(subject).to_string()).or_default().push(told);
            }
        }
        all
    }

    fn late(&self) -> HashMap<String, Minute> {
        held(&self.late).clone()
    }

    fn learn_late(&self, late: HashMap<String, Minute>) {
        *held(&self.late) = late;
    }

    fn changes(&self) {
        self.changed.send_modify(|count| *count = count.wrapping_add(1));
    }

    fn view(&self) -> MutexGuard<'_, View> {
        held(&self.view)
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ticks so often, and after a pause not the more often.
fn every(period: Duration) -> tokio::time::Interval {
    let mut interval = tokio::time::interval(period);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    interval
}

fn now() -> u64 {
    u64::try_from(now_ms()).unwrap_or(0)
}

#[cfg(test)]
pub(crate) mod tests;
