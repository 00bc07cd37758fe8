//! The open `Watch` streams: who has which version, and what each is to be told next.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dragoman_core::admission::KeyDigest;
use tokio::sync::{broadcast, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use tracing::{debug, error, info};

use super::GRANT_VALIDITY;
use super::proto::{SnapshotUpdate, WatchRequest};
use crate::current::Feed;
use crate::store::keys::Keys;
use crate::store::{Store, now_ms};

/// How often the store is asked for keys and accounts that any process changed; a revocation is to be known within five
/// seconds.
const CHANGE_INTERVAL: Duration = Duration::from_secs(1);
/// Changes under way to one stream; one that falls behind is closed and asks anew.
const CHANGES: usize = 64;
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
    stale: broadcast::Sender<Stale>,
}

impl Default for Watching {
    fn default() -> Watching {
        let (stale, _) = broadcast::channel(CHANGES);
        Watching { streams: Mutex::default(), next: AtomicU64::new(0), stale }
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

    /// Begins a stream. What was revoked while a Grant may still be remembered is told at once.
    pub(super) async fn begin(
        self: &std::sync::Arc<Self>,
        request: WatchRequest,
        current: Feed,
        keys: Keys,
        store: Store,
    ) -> ReceiverStream<Update> {
        let (sender, receiver) = mpsc::channel(UPDATES);
        // Subscribed before the store is asked: a revocation between the two is told twice, never not at all.
        let stale = self.stale.subscribe();
        let stream = self.next.fetch_add(1, Ordering::Relaxed);
        let watching = self.clone();
        tokio::spawn(async move {
            let lately = Stale::since(&keys, &store, now_ms() - as_ms(GRANT_VALIDITY)).await.unwrap_or_else(|error| {
                error!("the store failed, and a filter does not learn of what changed lately: {error:#}");
                Stale::default()
            });
            let vm = request.vm.clone();
            watching.run(stream, request, lately, current, stale, sender).await;
            watching.streams().remove(&stream);
            debug!(vm, "a filter no longer watches");
        });
        ReceiverStream::new(receiver)
    }

    async fn run(
        &self,
        stream: u64,
        request: WatchRequest,
        lately: Stale,
        mut current: Feed,
        mut stale: broadcast::Receiver<Stale>,
        sender: mpsc::Sender<Update>,
    ) {
        let mut last = current.borrow_and_update().clone();
        let has_it = request.version == last.version && request.refused.is_empty();
        let first = SnapshotUpdate {
            version: last.version,
            // One that refused this very version would refuse it again.
            snapshot: if has_it || request.version == last.version { Vec::new() } else { last.document.clone() },
            revoked_keys: lately.digests(),
            // A filter that outlived us may hold credentials of before.
            renewed_credentials: last.credentials.keys().cloned().chain(lately.renewed()).collect(),
            changed_accounts: lately.accounts,
        };
        let mut update = Some(first);
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
                changed = current.changed() => {
                    if changed.is_err() {
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
                stale = stale.recv() => match stale {
                    Ok(stale) => update = Some(SnapshotUpdate {
                        version: last.version,
                        revoked_keys: stale.digests(),
                        renewed_credentials: stale.renewed(),
                        changed_accounts: stale.accounts,
                        ..SnapshotUpdate::default()
                    }),
                    // It missed some: the new stream it opens will be told all of them.
                    Err(_) => return,
                },
            }
        }
    }

    /// Looks for keys and accounts that changed for ever, by whichever process it was.
    pub async fn changes(&self, keys: Keys, store: Store) {
        let mut told: HashSet<(String, i64)> = HashSet::new();
        let mut since = now_ms();
        // Told twice: an answer that was on its way at the first telling has come at the second.
        let mut again = Vec::new();
        let mut interval = tokio::time::interval(CHANGE_INTERVAL);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            // Some overlap: a change is seen when it is committed, later than its moment says.
            match Stale::since(&keys, &store, since - 10 * as_ms(CHANGE_INTERVAL)).await {
                Ok(stale) => {
                    since = stale.latest_ms.max(since);
                    let mut fresh = stale.without(&mut told);
                    let before = std::mem::replace(&mut again, fresh.credentials.clone());
                    fresh.credentials.extend(before);
                    if !fresh.is_empty() {
                        info!(
                            keys = fresh.keys.len(),
                            accounts = fresh.accounts.len(),
                            credentials = fresh.credentials.len(),
                            "what is known of them is forgotten"
                        );
                        // Nobody listening is no error: who comes later is told at the start.
                        let _ = self.stale.send(fresh);
                    }
                }
                Err(error) => error!("the store failed, and revocations are not seen: {error:#}"),
            }
        }
    }

    /// Tells the store for ever which data planes are alive.
    pub async fn alive(&self, store: Store) {
        let mut interval = tokio::time::interval(ALIVE_INTERVAL);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            let vms: HashSet<String> = self.list().into_iter().map(|filter| filter.vm).collect();
            let vms: Vec<String> = vms.into_iter().collect();
            let told = if vms.is_empty() { Ok(()) } else { store.seen(&vms).await };
            if let Err(error) = told {
                error!("the store failed, and data planes may be taken for dead: {error:#}");
            }
        }
    }
}

/// What data planes must forget.
#[derive(Clone, Debug, Default)]
struct Stale {
    /// Keys that were revoked, or have other Terms.
    keys: Vec<(KeyDigest, i64)>,
    /// Accounts whose Terms are others.
    accounts: Vec<String>,
    /// When each of these changed.
    moments: Vec<i64>,
    /// Accounts' own credentials that are others, as `provider@account`, and since when.
    credentials: Vec<(String, i64)>,
    /// When the last of all changed, in milliseconds since 1970.
    latest_ms: i64,
}

impl Stale {
    async fn since(keys: &Keys, store: &Store, since_ms: i64) -> anyhow::Result<Stale> {
        let keys = keys.stale_since(since_ms).await?;
        let (accounts, moments): (Vec<String>, Vec<i64>) =
            store.accounts_changed_since(since_ms).await?.into_iter().unzip();
        let credentials = store.credentials_changed_since(since_ms).await?;
        let latest_ms = keys.iter().map(|(_, moment)| moment).chain(&moments);
        let latest_ms = latest_ms.chain(credentials.iter().map(|(_, moment)| moment)).copied().max().unwrap_or(0);
        Ok(Stale { keys, accounts, moments, credentials, latest_ms })
    }

    /// What was not told yet, which counts as told from now on.
    fn without(self, told: &mut HashSet<(String, i64)>) -> Stale {
        let keys = self.keys.into_iter().filter(|(digest, moment)| told.insert((format!("{digest:?}"), *moment)));
        let keys = keys.collect();
        let both =
            self.accounts.into_iter().zip(self.moments).filter(|(id, moment)| told.insert((id.clone(), *moment)));
        let (accounts, moments) = both.unzip();
        let credentials = self.credentials.into_iter().filter(|credential| told.insert(credential.clone())).collect();
        Stale { keys, accounts, moments, credentials, latest_ms: self.latest_ms }
    }

    fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.accounts.is_empty() && self.credentials.is_empty()
    }

    fn renewed(&self) -> Vec<String> {
        let mut renewed: Vec<String> = self.credentials.iter().map(|(name, _)| name.clone()).collect();
        renewed.sort();
        renewed.dedup();
        renewed
    }

    fn digests(&self) -> Vec<Vec<u8>> {
        self.keys.iter().map(|(digest, _)| digest.to_vec()).collect()
    }
}

fn as_ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
