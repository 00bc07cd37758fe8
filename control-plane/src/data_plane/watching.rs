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
use crate::store::now_ms;
use crate::store::vault::Entries;

/// How often the store is asked for keys that another process revoked, and for credentials that it changed; both are to be known
/// within five seconds.
const REVOCATION_INTERVAL: Duration = Duration::from_secs(1);
/// News under way to one stream; one that falls behind is closed and asks anew.
const REVOCATIONS: usize = 64;
/// Updates under way to one stream; the next one waits for room.
const UPDATES: usize = 4;

/// What must be forgotten at once.
#[derive(Clone, Debug, Default)]
struct News {
    /// Keys that were revoked.
    revoked: Vec<KeyDigest>,
    /// Accounts' own credentials that changed, as `provider@account`.
    renewed: Vec<String>,
}

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
    news: broadcast::Sender<News>,
}

impl Default for Watching {
    fn default() -> Watching {
        let (news, _) = broadcast::channel(REVOCATIONS);
        Watching { streams: Mutex::default(), next: AtomicU64::new(0), news }
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

    /// Begins a stream. What was revoked or changed while it may still be remembered is told at once.
    pub(super) async fn begin(
        self: &std::sync::Arc<Self>,
        request: WatchRequest,
        current: Feed,
        keys: Keys,
        vault: Entries,
    ) -> ReceiverStream<Update> {
        let (sender, receiver) = mpsc::channel(UPDATES);
        // Subscribed before the store is asked: a revocation between the two is told twice, never not at all.
        let news = self.news.subscribe();
        let stream = self.next.fetch_add(1, Ordering::Relaxed);
        let watching = self.clone();
        tokio::spawn(async move {
            let since = now_ms() - as_ms(GRANT_VALIDITY);
            let lately = async {
                let revoked = keys.revoked_since(since).await?.into_iter().map(|(digest, _)| digest).collect();
                anyhow::Ok(News { revoked, renewed: vault.changed_since(since).await? })
            };
            let lately = lately.await.unwrap_or_else(|error| {
                error!("the store failed, and a filter does not learn of revoked keys: {error:#}");
                News::default()
            });
            let vm = request.vm.clone();
            watching.run(stream, request, lately, current, news, sender).await;
            watching.streams().remove(&stream);
            debug!(vm, "a filter no longer watches");
        });
        ReceiverStream::new(receiver)
    }

    async fn run(
        &self,
        stream: u64,
        request: WatchRequest,
        lately: News,
        mut current: Feed,
        mut news: broadcast::Receiver<News>,
        sender: mpsc::Sender<Update>,
    ) {
        let mut last = current.borrow_and_update().clone();
        let has_it = request.version == last.version && request.refused.is_empty();
        let first = SnapshotUpdate {
            version: last.version,
            // One that refused this very version would refuse it again.
            snapshot: if has_it || request.version == last.version { Vec::new() } else { last.document.clone() },
            revoked_keys: lately.revoked.iter().map(|digest| digest.to_vec()).collect(),
            // A filter that outlived us may hold credentials of before.
            renewed_credentials: last.credentials.keys().cloned().chain(lately.renewed).collect(),
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
                        revoked_keys: Vec::new(),
                        renewed_credentials: now.renewed_since(&last),
                    });
                    last = now;
                }
                told = news.recv() => match told {
                    Ok(told) => update = Some(SnapshotUpdate {
                        version: last.version,
                        revoked_keys: told.revoked.iter().map(|digest| digest.to_vec()).collect(),
                        renewed_credentials: told.renewed,
                        ..SnapshotUpdate::default()
                    }),
                    // It missed some: the new stream it opens will be told all of them.
                    Err(_) => return,
                },
            }
        }
    }

    /// Looks for revoked keys and changed credentials for ever; by whichever process they were.
    pub async fn look(&self, keys: Keys, vault: Entries) {
        let mut told: HashSet<KeyDigest> = HashSet::new();
        let mut since = now_ms();
        let mut change: Option<u64> = None;
        let mut interval = tokio::time::interval(REVOCATION_INTERVAL);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            let fresh = async {
                let revoked = keys.revoked_since(since - 10 * as_ms(REVOCATION_INTERVAL)).await?;
                // Those before the start are told to each stream when it begins.
                let after = match change {
                    Some(after) => after,
                    None => vault.last_change().await?,
                };
                anyhow::Ok((revoked, vault.changed_after(after).await?))
            };
            match fresh.await {
                Ok((revoked, (last, renewed))) => {
                    since = revoked.iter().map(|(_, moment)| *moment).max().unwrap_or(since);
                    change = Some(last);
                    let revoked: Vec<KeyDigest> =
                        revoked.into_iter().map(|(digest, _)| digest).filter(|digest| told.insert(*digest)).collect();
                    if !revoked.is_empty() || !renewed.is_empty() {
                        info!(keys = revoked.len(), credentials = renewed.len(), "revoked or changed");
                        // Nobody listening is no error: who comes later is told at the start.
                        let _ = self.news.send(News { revoked, renewed });
                    }
                }
                Err(error) => error!("the store failed, and revocations are not seen: {error:#}"),
            }
        }
    }
}

fn as_ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
