//! Who is told of a change: Envoy first, so that no Plan names a cluster that is not there yet.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;

use crate::current::{Current, Feed};

/// How much earlier Envoy learns of other providers and identities than the filters do: a new cluster resolves its name first,
/// and nobody's tokens are good before Envoy can check them.
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
        let hedges = !before.file.hedges() && next.file.hedges();
        let providers = before.catalog.providers != next.catalog.providers;
        if providers || hedges || before.file.identities != next.file.identities {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Catalog, known};
    use crate::current::Made;
    use crate::settings::File;
    use crate::store::Store;
    use crate::store::tests::Directory;

    #[tokio::test]
    async fn envoy_knows_of_an_identity_before_the_filters_do() {
        let directory = Directory::new();
        let store = Store::open(&directory.0, None).await.unwrap();
        let mesh = "[[identity]]\nname = \"mesh\"\nmesh = { trust_domain = \"corp\" }\naccount = \"acme\"\n";
        let mut made = Vec::new();
        for more in ["", mesh] {
            let file = File::read("f", &format!("catalog = false\n{more}"), &known().unwrap()).unwrap();
            let one = Made::of(Catalog::join(&file, &|_| None).unwrap(), file).unwrap();
            made.push(Arc::new(Current::publish(one, 0, &store).await.unwrap()));
        }
        let feeds = Arc::new(Feeds::new(made[0].clone()));
        let (envoy, telling) = (feeds.for_envoy(), feeds.clone());
        let next = made[1].clone();
        let told = tokio::spawn(async move { telling.take(next).await });
        tokio::time::sleep(HEAD_START / 5).await;
        assert!(!envoy.borrow().file.identities.is_empty() && feeds.current().file.identities.is_empty());
        told.await.unwrap();
        assert!(!feeds.current().file.identities.is_empty());
    }
}
