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

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dragoman_core::health::{Force, Told, View};
use dragoman_core::record::Record;
use tokio::sync::watch;
use tracing::error;

use crate::current::{Current, Feed};
use crate::data_plane::Watching;
use crate::store::{Store, now_ms};

/// How often the store is looked at for what others met.
const LOOK: Duration = Duration::from_millis(250);
/// How often what is over is let go.
const EXPIRE: Duration = Duration::from_secs(1);
/// Shortest pause between two tellings.
const PAUSE: Duration = Duration::from_millis(50);
/// So much is told to each stream in a second, in bytes: with thousands of subjects it is told more rarely, and still within a second.
const RATE: u32 = 4 << 20;
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
        if changed {
            self.changes();
        }
    }

    /// What is told of a subject now; `None` when it is as everybody.
    pub fn of(&self, subject: &str) -> Option<Told> {
        self.view().of(subject, now())
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
        tokio::join!(self.tell(watching), self.keep(), self.follow(), self.expire());
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
            news.into_iter().fold(false, |changed, told| view.adopt(told, now_ms) || changed)
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
            let mut pause = PAUSE;
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

    fn changes(&self) {
        self.changed.send_modify(|count| *count = count.wrapping_add(1));
    }

    fn view(&self) -> MutexGuard<'_, View> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
