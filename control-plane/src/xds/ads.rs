//! The aggregated discovery service, state of the world: each type whole, when it changed and was asked for.
//!
//! ```text
//!            request (no nonce)              response (version, nonce)
//! Envoy ───────────────────────▶ subscribed ───────────────────────────▶ Envoy
//!            request (nonce)     ─▶ ACK: it serves this version
//!            request (nonce, error_detail) ─▶ NACK: it serves the last one on; told to the operator
//! ```

use std::collections::HashMap;
use std::sync::Arc;

use envoy_types::pb::envoy::service::discovery::v3 as discovery;
use tokio::sync::{mpsc, watch};
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};
use tracing::{debug, info, warn};

use discovery::aggregated_discovery_service_server::{AggregatedDiscoveryService, AggregatedDiscoveryServiceServer};
use discovery::{DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse};

use super::envoys::Envoys;
use super::resources::{KINDS, Resources};

/// Responses under way to one Envoy: one for each type.
const RESPONSES: usize = 3;

/// The service.
#[derive(Debug)]
pub struct Service {
    resources: watch::Receiver<Arc<Resources>>,
    envoys: Arc<Envoys>,
}

impl Service {
    /// Serves what `resources` has to the `envoys`.
    pub fn new(resources: watch::Receiver<Arc<Resources>>, envoys: Arc<Envoys>) -> Service {
        Service { resources, envoys }
    }

    /// As the server takes it.
    pub fn into_server(self) -> AggregatedDiscoveryServiceServer<Service> {
        AggregatedDiscoveryServiceServer::new(self)
    }
}

#[tonic::async_trait]
impl AggregatedDiscoveryService for Service {
    type StreamAggregatedResourcesStream = ReceiverStream<Result<DiscoveryResponse, Status>>;
    type DeltaAggregatedResourcesStream = ReceiverStream<Result<DeltaDiscoveryResponse, Status>>;

    async fn stream_aggregated_resources(
        &self,
        request: Request<Streaming<DiscoveryRequest>>,
    ) -> Result<Response<Self::StreamAggregatedResourcesStream>, Status> {
        let (sender, receiver) = mpsc::channel(RESPONSES);
        let resources = self.resources.clone();
        let envoys = self.envoys.clone();
        tokio::spawn(async move {
            let stream = envoys.begin();
            let (subscribed, node) = (HashMap::new(), String::new());
            let mut conversation =
                Conversation { sender, envoys: envoys.clone(), stream, subscribed, responses: 0, node };
            conversation.run(request.into_inner(), resources).await;
            envoys.left(stream);
            info!(node = conversation.node, "Envoy left");
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn delta_aggregated_resources(
        &self,
        _: Request<Streaming<DeltaDiscoveryRequest>>,
    ) -> Result<Response<Self::DeltaAggregatedResourcesStream>, Status> {
        Err(Status::unimplemented("only the state of the world is served; set api_type to GRPC"))
    }
}

/// What one Envoy asked for of one type, and what it was sent last.
#[derive(Debug, Default)]
struct Subscription {
    names: Vec<String>,
    version: String,
    nonce: String,
}

/// One Envoy's stream.
struct Conversation {
    sender: mpsc::Sender<Result<DiscoveryResponse, Status>>,
    envoys: Arc<Envoys>,
    stream: u64,
    subscribed: HashMap<&'static str, Subscription>,
    responses: u64,
    node: String,
}

/// The other side is gone.
struct Gone;

impl Conversation {
    async fn run(&mut self, mut requests: Streaming<DiscoveryRequest>, mut resources: watch::Receiver<Arc<Resources>>) {
        resources.mark_unchanged();
        loop {
            let gone = tokio::select! {
                request = requests.next() => match request {
                    Some(Ok(request)) => {
                        let now = resources.borrow().clone();
                        self.answer(request, &now).await
                    }
                    Some(Err(_)) | None => return,
                },
                changed = resources.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let now = resources.borrow_and_update().clone();
                    self.push(&now).await
                }
            };
            if gone.is_err() {
                return;
            }
        }
    }

    async fn answer(&mut self, request: DiscoveryRequest, now: &Resources) -> Result<(), Gone> {
        if let Some(node) = request.node.filter(|_| self.node.is_empty()) {
            self.node = node.id;
            self.envoys.is(self.stream, &self.node);
            info!(node = self.node, "Envoy asks for its configuration");
        }
        let kind = KINDS.into_iter().find(|kind| request.type_url.strip_prefix("type.googleapis.com/") == Some(kind));
        let Some(kind) = kind else {
            debug!(type_url = request.type_url, "Envoy asks for a type that is not served");
            return Ok(());
        };
        let known = self.subscribed.get(kind).filter(|known| !known.nonce.is_empty());
        if let Some(known) = known {
            if request.response_nonce != known.nonce {
                debug!(kind, "an answer to an older response");
                return Ok(());
            }
            match &request.error_detail {
                Some(error) => {
                    warn!(kind, version = known.version, "Envoy refused its configuration: {}", error.message);
                    self.envoys.refused(self.stream, kind, &error.message);
                }
                None => {
                    debug!(kind, version = request.version_info, "Envoy took its configuration");
                    self.envoys.took(self.stream, kind, &request.version_info);
                }
            }
            if known.names == request.resource_names {
                return Ok(());
            }
        }
        let subscription = Subscription { names: request.resource_names, ..Subscription::default() };
        self.subscribed.insert(kind, subscription);
        self.send(kind, now).await
    }

    /// Sends what is another now, clusters first.
    async fn push(&mut self, now: &Resources) -> Result<(), Gone> {
        for kind in KINDS {
            let version = now.of(&url(kind)).map(|typed| typed.version.as_str());
            let sent = self.subscribed.get(kind).map(|known| known.version.as_str());
            if sent.is_some() && sent != version {
                self.send(kind, now).await?;
            }
        }
        Ok(())
    }

    async fn send(&mut self, kind: &'static str, now: &Resources) -> Result<(), Gone> {
        let (Some(typed), Some(subscription)) = (now.of(&url(kind)), self.subscribed.get_mut(kind)) else {
            return Ok(());
        };
        self.responses += 1;
        subscription.version.clone_from(&typed.version);
        subscription.nonce = self.responses.to_string();
        self.envoys.sent(self.stream, kind, &typed.version);
        let response = DiscoveryResponse {
            version_info: typed.version.clone(),
            resources: typed.resources.clone(),
            type_url: url(kind),
            nonce: subscription.nonce.clone(),
            ..DiscoveryResponse::default()
        };
        self.sender.send(Ok(response)).await.map_err(|_| Gone)
    }
}

fn url(kind: &str) -> String {
    format!("type.googleapis.com/{kind}")
}
