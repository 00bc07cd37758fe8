//! The open `Watch` streams: who has which version, and what each is to be told next.

mod artifacts;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use tracing::{debug, error, info};

use super::proto::{Change, CoolDown, CoolDowns, SnapshotUpdate, WatchRequest};
use crate::current::Feed;
use crate::store::keys::Keys;
use crate::store::stale::{Stale, What};
use crate::store::{Store, cool_downs};
pub use artifacts::Shared;
use artifacts::{Artifacts, Held};

/// How often the store is asked for what any process changed; a revocation is to be known within five
/// seconds.
const CHANGE_INTERVAL: Duration = Duration::from_secs(1);
/// So many of the last changes are told again to a filter that comes back: far more than one second has.
const AGAIN: u64 = 1000;
/// Changes under way to one stream; one that falls behind is closed and asks anew.
const CHANGES: usize = 64;
/// After so many looks without news cool-downs are told once more: until then a data plane keeps those that it made itself, though
/// somebody cleared them.
const COOL_DOWNS_AGAIN: u32 = 6;
/// How often the store is told who is alive; some of it may be missed before one is taken for dead.
const ALIVE_INTERVAL: Duration = Duration::from_secs(5);
/// Updates under way to one stream; the next one waits for room.
const UPDATES: usize = 4;

type Update = Result<SnapshotUpdate, Status>;

/// One filter's VM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// The name it made for itself.
    pub vm: String,
    /// The version that it was sent last.
    pub sent: u64,
    /// Why it refused the one before; empty when it did not.
    pub refused: String,
}

/// Everybody who watches.
pub struct Watching {
    streams: Mutex<HashMap<u64, Filter>>,
    next: AtomicU64,
    changed: broadcast::Sender<Changed>,
    /// Who is on cool-down; nothing before the first look.
    cooling: watch::Sender<Option<CoolDowns>>,
    /// How everybody does; nothing before that is known.
    health: watch::Sender<Option<Arc<Vec<u8>>>>,
    /// What models are chosen by.
    artifacts: watch::Sender<Artifacts>,
}

impl Default for Watching {
    fn default() -> Watching {
        let (changed, _) = broadcast::channel(CHANGES);
        let (cooling, health) = (watch::Sender::new(None), watch::Sender::new(None));
        let (streams, next, artifacts) = (Mutex::default(), AtomicU64::new(0), watch::Sender::default());
        Watching { streams, next, changed, cooling, health, artifacts }
    }
}

impl Watching {
    /// How many streams were sent this version or a later one.
    pub fn count_at(&self, version: u64) -> usize {
        self.streams().values().filter(|filter| filter.sent >= version).count()
    }

    /// Every filter that watches.
    pub fn list(&self) -> Vec<Filter> {
        self.streams().values().cloned().collect()
    }

    fn streams(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Filter>> {
        self.streams.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Tells everybody how everybody does, as a Fleet document.
    pub fn tell_health(&self, document: Vec<u8>) {
        self.health.send_replace(Some(Arc::new(document)));
    }

    /// Tells everybody what models are chosen by: an artifact's digest and its file, both empty for none.
    pub fn tell_artifact(&self, digest: &str, file: Arc<Vec<u8>>) {
        self.artifacts.send_modify(|told| told.in_use = Some(Shared { digest: digest.to_owned(), file }));
    }

    /// Tells everybody which artifacts arms of experiments name.
    pub fn tell_named_artifacts(&self, named: Vec<Shared>) {
        self.artifacts.send_modify(|told| told.named = Some(named));
    }

    /// What was told of health last.
    #[cfg(test)]
    pub(crate) fn health(&self) -> Vec<u8> {
        self.health.borrow().as_deref().cloned().unwrap_or_default()
    }

    /// Begins a stream. What changed while nobody told the filter is told at once.
    pub(super) async fn begin(
        self: &Arc<Self>,
        request: WatchRequest,
        current: Feed,
        keys: Keys,
        store: Store,
    ) -> ReceiverStream<Update> {
        let (sender, receiver) = mpsc::channel(UPDATES);
        // Subscribed before the store is asked: a revocation between the two is told twice, never not at all.
        let changed = self.changed.subscribe();
        let stream = self.next.fetch_add(1, Ordering::Relaxed);
        let watching = self.clone();
        tokio::spawn(async move {
            // Some are told again: an answer of before them may have come after they were told. Whoever has no Snapshot has
            // let nobody in and knows nothing.
            let told = (request.version > 0).then(|| request.revision.saturating_sub(AGAIN));
            let missed = match Changed::after(told, &keys, &store).await {
                Ok(missed) => missed,
                // It asks anew in a moment, and serves on meanwhile; it must not believe that it missed nothing.
                Err(error) => return error!("the store failed, and a filter can't learn what it missed: {error:#}"),
            };
            let vm = request.vm.clone();
            watching.run(stream, request, missed, current, changed, sender).await;
            watching.streams().remove(&stream);
            debug!(vm, "a filter no longer watches");
        });
        ReceiverStream::new(receiver)
    }

    async fn run(
        &self,
        stream: u64,
        request: WatchRequest,
        missed: Changed,
        mut current: Feed,
        mut changed: broadcast::Receiver<Changed>,
        sender: mpsc::Sender<Update>,
    ) {
        let mut last = current.borrow_and_update().clone();
        let (mut cooling, mut health) = (self.cooling.subscribe(), self.health.subscribe());
        let (mut artifacts, mut held) = (self.artifacts.subscribe(), Held::by(&request));
        let (artifact, named_artifacts) = held.learn(&artifacts.borrow_and_update());
        let has_it = request.version == last.version && request.refused.is_empty();
        let first = SnapshotUpdate {
            version: last.version,
            // One that refused this very version would refuse it again.
            snapshot: if has_it || request.version == last.version { Vec::new() } else { last.document.clone() },
            // A filter that outlived us may hold credentials of before.
            renewed_credentials: last.credentials.keys().cloned().collect(),
            changes: missed.write(),
            revision: missed.until,
            cool_downs: cooling.borrow_and_update().clone(),
            health: health.borrow_and_update().as_deref().cloned(),
            artifact,
            named_artifacts,
        };
        let mut update = Some(first);
        // A telling that was made before the first update may be sent after it, and must not look like a store that was put back.
        let mut told = missed.until;
        loop {
            if let Some(update) = update.take() {
                let version = update.version;
                if sender.send(Ok(update)).await.is_err() {
                    return;
                }
                let (vm, refused) = (request.vm.clone(), request.refused.clone());
                self.streams().insert(stream, Filter { vm, sent: version, refused });
            }
            tokio::select! {
                () = sender.closed() => return,
                news = current.changed() => {
                    if news.is_err() {
                        return;
                    }
                    let now = current.borrow_and_update().clone();
                    let other = now.version != last.version;
                    update = Some(SnapshotUpdate {
                        version: now.version,
                        snapshot: if other { now.document.clone() } else { Vec::new() },
                        renewed_credentials: now.renewed_since(&last),
                        ..SnapshotUpdate::default()
                    });
                    last = now;
                }
                changed = changed.recv() => match changed {
                    Ok(changed) => {
                        told = told.max(changed.until);
                        update = Some(SnapshotUpdate {
                            version: last.version,
                            changes: changed.write(),
                            revision: told,
                            ..SnapshotUpdate::default()
                        });
                    }
                    // It missed some: the new stream it opens will be told all of them.
                    Err(_) => return,
                },
                news = cooling.changed() => {
                    if news.is_err() {
                        return;
                    }
                    update = Some(SnapshotUpdate {
                        version: last.version,
                        cool_downs: cooling.borrow_and_update().clone(),
                        ..SnapshotUpdate::default()
                    });
                }
                news = health.changed() => {
                    if news.is_err() {
                        return;
                    }
                    update = Some(SnapshotUpdate {
                        version: last.version,
                        health: health.borrow_and_update().as_deref().cloned(),
                        ..SnapshotUpdate::default()
                    });
                }
                news = artifacts.changed() => {
                    if news.is_err() {
                        return;
                    }
                    let (artifact, named_artifacts) = held.learn(&artifacts.borrow_and_update());
                    let version = last.version;
                    update = Some(SnapshotUpdate { version, artifact, named_artifacts, ..SnapshotUpdate::default() });
                }
            }
        }
    }

    /// Looks for ever for what changed, whichever process changed it. Each change is told twice: an answer that was on its way
    /// at the first telling has come at the second, for calls are given up after a second.
    pub async fn changes(&self, keys: Keys, store: Store) {
        let (mut told, mut told_twice) = (None, None);
        let mut interval = every(CHANGE_INTERVAL);
        loop {
            interval.tick().await;
            match Changed::after(told_twice, &keys, &store).await {
                Ok(changed) => {
                    told_twice = told.or(Some(changed.until));
                    told = Some(changed.until);
                    if !changed.list.is_empty() {
                        info!(changes = changed.list.len(), until = changed.until, "Grants of before are forgotten");
                        // Nobody listening is no error: who comes later is told at the start.
                        let _ = self.changed.send(changed);
                    }
                }
                Err(error) => error!("the store failed, and revocations are not seen: {error:#}"),
            }
        }
    }

    /// Looks for ever who is on cool-down, whichever process learnt it or cleared it.
    pub async fn cool_downs(&self, store: Store) {
        let (mut interval, mut unchanged) = (every(CHANGE_INTERVAL), 0_u32);
        loop {
            interval.tick().await;
            match store.cooling().await {
                Ok(list) => {
                    let now = CoolDowns { list: list.into_iter().map(cool_down).collect() };
                    let same = self.cooling.borrow().as_ref() == Some(&now);
                    unchanged = if same { unchanged.saturating_add(1) } else { 0 };
                    if matches!(unchanged, 0 | COOL_DOWNS_AGAIN) {
                        self.cooling.send_replace(Some(now));
                    }
                }
                Err(error) => error!("the store failed, and cool-downs are not seen: {error:#}"),
            }
        }
    }

    /// Tells the store for ever which data planes are alive.
    pub async fn alive(&self, store: Store) {
        let mut interval = every(ALIVE_INTERVAL);
        loop {
            interval.tick().await;
            let vms: HashSet<String> = self.list().into_iter().map(|filter| filter.vm).collect();
            let mut vms: Vec<String> = vms.into_iter().collect();
            // Two control planes that saw the same ones write them in the same order.
            vms.sort();
            let told = if vms.is_empty() { Ok(()) } else { store.seen(&vms).await };
            if let Err(error) = told {
                error!("the store failed, and data planes may be taken for dead: {error:#}");
            }
        }
    }
}

/// Ticks so often, and after a pause not the more often.
fn every(period: Duration) -> Interval {
    let mut interval = interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

/// What data planes are told to forget.
#[derive(Clone, Debug)]
struct Changed {
    list: Vec<Stale>,
    /// The last change there was.
    until: u64,
}

impl Changed {
    /// What changed after that number; nothing for whoever was told none, since nothing was learnt before.
    async fn after(number: Option<u64>, keys: &Keys, store: &Store) -> anyhow::Result<Changed> {
        let until = store.last_change().await?;
        let list = match number {
            // One that is greater is of a store that was put back: that `until` is smaller says it all.
            Some(number) if number < until => store.stale(keys, number, until).await?,
            _ => Vec::new(),
        };
        Ok(Changed { list, until })
    }

    fn write(&self) -> Vec<Change> {
        self.list.iter().map(change).collect()
    }
}

fn cool_down(held: cool_downs::CoolDown) -> CoolDown {
    let cool_downs::CoolDown { provider, bearer, until_ms, .. } = held;
    CoolDown { provider, bearer, until_ms: u64::try_from(until_ms).unwrap_or(0) }
}

fn change(stale: &Stale) -> Change {
    let revision = stale.revision;
    match stale.what.clone() {
        What::Key(digest) => Change { revision, key_digest: digest.to_vec(), ..Change::default() },
        What::Account(account) => Change { revision, account, ..Change::default() },
        What::Credential { account, provider } => {
            Change { revision, account, credential: provider, ..Change::default() }
        }
        What::Everything => Change { revision, ..Change::default() },
    }
}
