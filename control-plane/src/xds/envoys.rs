//! The Envoys that are connected: what each was sent, what it took, and what it refused.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;

/// One type of configuration at one Envoy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The version it was sent last.
    pub sent: String,
    /// The version it serves (ACK).
    pub taken: String,
    /// Why it refused the one it was sent (NACK); empty when it did not.
    pub refused: String,
}

/// One Envoy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Connected {
    /// Its node id.
    pub node: String,
    /// By type, such as `envoy.config.cluster.v3.Cluster`.
    pub kinds: BTreeMap<&'static str, Standing>,
}

/// All of them.
#[derive(Debug)]
pub struct Envoys {
    connected: Mutex<BTreeMap<u64, Connected>>,
    next: AtomicU64,
    refusals: mpsc::UnboundedSender<String>,
}

impl Envoys {
    /// Nobody yet. What an Envoy says of configuration that it does not take also goes into `refusals`.
    pub fn new(refusals: mpsc::UnboundedSender<String>) -> Envoys {
        Envoys { connected: Mutex::default(), next: AtomicU64::new(0), refusals }
    }

    /// Everybody.
    pub fn list(&self) -> Vec<Connected> {
        self.all().values().cloned().collect()
    }

    /// A stream begins; its number.
    pub(super) fn begin(&self) -> u64 {
        let stream = self.next.fetch_add(1, Ordering::Relaxed);
        self.all().insert(stream, Connected::default());
        stream
    }

    pub(super) fn is(&self, stream: u64, node: &str) {
        if let Some(connected) = self.all().get_mut(&stream) {
            connected.node = node.to_string();
        }
    }

    pub(super) fn sent(&self, stream: u64, kind: &'static str, version: &str) {
        self.note(stream, kind, |standing| standing.sent = version.to_string());
    }

    pub(super) fn took(&self, stream: u64, kind: &'static str, version: &str) {
        self.note(stream, kind, |standing| {
            standing.taken = version.to_string();
            standing.refused.clear();
        });
    }

    pub(super) fn refused(&self, stream: u64, kind: &'static str, why: &str) {
        self.note(stream, kind, |standing| standing.refused = why.to_string());
        // Nobody listening is no error: the last good configuration serves on in Envoy.
        let _ = self.refusals.send(format!("{kind}: {why}"));
    }

    pub(super) fn left(&self, stream: u64) {
        self.all().remove(&stream);
    }

    fn note(&self, stream: u64, kind: &'static str, change: impl FnOnce(&mut Standing)) {
        if let Some(connected) = self.all().get_mut(&stream) {
            change(connected.kinds.entry(kind).or_default());
        }
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<u64, Connected>> {
        self.connected.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
