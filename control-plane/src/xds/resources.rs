//! The resources as ADS sends them, and the task that makes them anew when anything changed.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dragoman_core::exchange::HOP;
use envoy_types::pb::google::protobuf::Any;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tracing::{error, info};

use super::{EDGE, Edge, Module, cluster, hop, listener, proto, proxy, route, tokens};
use crate::catalog::Registered;
use crate::current::Feed;
use crate::settings::watch::{INTERVAL, Watched};
use crate::store::hex;

/// How long a provider that is gone keeps its cluster: requests that were planned before, and answers under way, end well.
const RETIREMENT: Duration = Duration::from_secs(15 * 60);

/// Envoy's resource types that are served, in the order in which they are sent: what is named comes before what names it.
pub(super) const KINDS: [&str; 3] = [cluster::KIND, listener::KIND, route::KIND];

/// Every resource of one type.
#[derive(Clone, Debug, Default)]
pub(super) struct Typed {
    /// The digest of the content: the same content is the same version, in every process.
    pub(super) version: String,
    pub(super) resources: Vec<Any>,
}

/// Everything that ADS serves.
#[derive(Clone, Debug, Default)]
pub struct Resources {
    typed: [Typed; 3],
}

impl Resources {
    /// Writes and packs everything.
    pub fn make(edge: &Edge) -> anyhow::Result<Resources> {
        let providers = edge.providers.iter().map(|row| cluster::provider(edge, row));
        let clusters = providers.chain(tokens::clusters(edge)).chain(proxy::clusters(edge));
        let clusters: Vec<Value> = clusters.chain(hop::cluster(edge)).collect();
        let edges = [listener::listener(edge, listener::by_ads(EDGE))];
        let listeners = edges.into_iter().chain(proxy::listeners(edge));
        let listeners: Vec<Value> = listeners.chain(hop::listener(edge, listener::by_ads(HOP))).collect();
        let routes: Vec<Value> = [route::routes(edge)].into_iter().chain(hop::routes(edge)).collect();
        Ok(Resources {
            typed: [typed(cluster::KIND, &clusters)?, typed(listener::KIND, &listeners)?, typed(route::KIND, &routes)?],
        })
    }

    /// The resources of a type, by its URL.
    pub(super) fn of(&self, type_url: &str) -> Option<&Typed> {
        let kind = type_url.strip_prefix("type.googleapis.com/")?;
        self.typed.get(KINDS.iter().position(|known| *known == kind)?)
    }
}

fn typed(kind: &str, messages: &[Value]) -> anyhow::Result<Typed> {
    let resources: Vec<Any> = messages.iter().map(|message| proto::pack(kind, message)).collect::<Result<_, _>>()?;
    // Of the JSON: protobuf writes a map's entries in any order.
    let mut digest = Sha256::new();
    messages.iter().for_each(|message| digest.update(message.to_string()));
    let digest = hex(&digest.finalize());
    Ok(Typed { version: digest.get(..16).unwrap_or(&digest).to_string(), resources })
}

/// Makes the resources anew whenever the catalogue, the limits or the module changed.
pub struct Publisher {
    edge: Edge,
    current: Feed,
    module: PathBuf,
    load: Box<dyn Fn() -> anyhow::Result<Module> + Send + Sync>,
    retired: Vec<(Registered, Instant)>,
    resources: watch::Sender<Arc<Resources>>,
}

impl Publisher {
    /// Begins with `edge`, whose module came from `load` and stands at `module`.
    pub fn new(
        edge: Edge,
        current: Feed,
        module: PathBuf,
        load: impl Fn() -> anyhow::Result<Module> + Send + Sync + 'static,
    ) -> anyhow::Result<Publisher> {
        let resources = watch::Sender::new(Arc::new(Resources::make(&edge)?));
        Ok(Publisher { edge, current, module, load: Box::new(load), retired: Vec::new(), resources })
    }

    /// Where the resources are seen.
    pub fn subscribe(&self) -> watch::Receiver<Arc<Resources>> {
        self.resources.subscribe()
    }

    /// Runs until nobody can change the catalogue any more.
    pub async fn run(mut self) {
        let mut watched = Watched::new(&self.module);
        let mut interval = tokio::time::interval(INTERVAL);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                changed = self.current.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    self.take_catalog();
                }
                _ = interval.tick() => {
                    let expired = self.expire();
                    let other_module = watched.changed() && self.take_module();
                    if !expired && !other_module {
                        continue;
                    }
                }
            }
            let providers = self.edge.providers.len();
            let mut edge = self.edge.clone();
            edge.providers.extend(self.retired.iter().map(|(row, _)| row.clone()));
            match Resources::make(&edge) {
                Ok(resources) => {
                    info!(providers, "Envoy's configuration was made anew");
                    self.resources.send_replace(Arc::new(resources));
                }
                Err(error) => error!("Envoy's configuration can't be made, the last one stays: {error:#}"),
            }
        }
    }

    fn take_catalog(&mut self) {
        let current = self.current.borrow_and_update().clone();
        let before = std::mem::replace(&mut self.edge.providers, current.catalog.providers.clone());
        self.edge.limits = current.limits.clone();
        self.edge.identities = current.file.identities.clone();
        // What is on its way over the hop ends well when the last route that hedged is gone.
        self.edge.hedges |= current.file.hedges();
        let is_there = |id: &str| current.catalog.providers.iter().any(|row| row.id == id);
        self.retired.retain(|(row, _)| !is_there(&row.id));
        let gone = before.into_iter().filter(|row| !is_there(&row.id)).map(|row| (row, Instant::now()));
        self.retired.extend(gone);
    }

    fn take_module(&mut self) -> bool {
        match (self.load)() {
            Ok(module) => {
                let other = module != self.edge.module;
                self.edge.module = module;
                other
            }
            Err(error) => {
                error!("the filters' module changed but can't be taken, the last one stays: {error:#}");
                false
            }
        }
    }

    fn expire(&mut self) -> bool {
        let before = self.retired.len();
        self.retired.retain(|(_, since)| since.elapsed() < RETIREMENT);
        before != self.retired.len()
    }
}
