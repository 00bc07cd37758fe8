//! Who is told of a change: Envoy first, so that no Plan names a cluster that is not there yet.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;

use crate::current::{Current, Feed};

/// How much earlier Envoy learns of other providers than the filters do: a new cluster resolves its name first.
const HEAD_START: Duration = Duration::from_millis(500);

/// The two feeds.
pub struct Feeds {
    envoy: watch::Sender<Arc<Current>>,
    filters: watch::Sender<Arc<Current>>,
    previous: Mutex<Option<Arc<Current>>>,
}

impl Feeds {
    /// Begins with what is served first.
    pub fn new(first: Arc<Current>) -> Feeds {
        Feeds {
            envoy: watch::Sender::new(first.clone()),
            filters: watch::Sender::new(first),
            previous: Mutex::default(),
        }
    }

    /// What the filters are told.
    pub fn current(&self) -> Arc<Current> {
        self.filters.borrow().clone()
    }

    /// What was served before that.
    pub fn previous(&self) -> Option<Arc<Current>> {
        self.previous.lock().ok().and_then(|previous| previous.clone())
    }

    /// Where Envoy's configuration learns of changes.
    pub fn for_envoy(&self) -> Feed {
        self.envoy.subscribe()
    }

    /// Where the filters learn of changes.
    pub fn for_filters(&self) -> Feed {
        self.filters.subscribe()
    }

    /// Tells everybody, in order.
    pub async fn take(&self, next: Arc<Current>) {
        let before = self.envoy.send_replace(next.clone());
        if before.catalog.providers != next.catalog.providers {
            tokio::time::sleep(HEAD_START).await;
        }
        let before = self.filters.send_replace(next.clone());
        if before.version != next.version
            && let Ok(mut previous) = self.previous.lock()
        {
            *previous = Some(before);
        }
    }
}
