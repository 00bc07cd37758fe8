//! The gRPC service of the filters: Snapshots and revocations down, Records up.
//!
//! | call | answer |
//! |---|---|
//! | `Watch` | the Snapshot at once if the filter has another one, then every change as it happens |
//! | `Admit` | the Grant of a key's digest and a slice of each of its budgets, or nothing |
//! | `Lend` | more of budgets, or so much of strict ones, held for one exchange |
//! | `Credential` | the one header of a provider: the gateway's, an account's own, or its session's |
//! | `Feedback` | what was kept of what a caller says, or nothing where its account has no such exchange |
//! | `Settle` | the exchange ids that are durable now |
//!
//! Limits: 4 MiB up, 43 MiB down; meant for loopback or a private network, there is no TLS.

mod credentials;
mod holds;
mod recognising;
mod watching;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use dragoman_core::admission::{self, Caller, Grant, Mode};
use dragoman_core::artifact::MAX_ARTIFACT;
use dragoman_core::feedback::Opinion;
use dragoman_core::record::Record;
use dragoman_core::snapshot::{MAX_NAMED, MAX_SNAPSHOT};
use tokio::net::TcpListener;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};
use tracing::{debug, info, warn};

use crate::current::Feed;
use crate::feedback;
use crate::metrics::Rejection;
use crate::oauth::OAuth;
use crate::observers::{Costs, Observers};
use crate::store::budgets::Hold;
use crate::store::keys::{Admitted, Keys};
use crate::store::records::Settling;
use crate::store::vault::Entries;
use crate::store::{Store, now_ms};
use crate::vault::Purpose;

use holds::Holds;
pub use watching::{Filter, Shared, Watching};

/// The messages of the contract.
#[allow(missing_docs, reason = "the contract's own words stand in the .proto file")]
pub mod proto {
    tonic::include_proto!("dragoman.v1");
}

use proto::data_plane_server::{DataPlane, DataPlaneServer};
use proto::{
    AdmitRequest, AdmitResponse, CredentialRequest, CredentialResponse, FeedbackRequest, FeedbackResponse, LendRequest,
    LendResponse, SettleRequest, SettleResponse, SnapshotUpdate, Want, WatchRequest,
};

/// Largest message from a filter: a batch of some thousand Records.
const MAX_UP: usize = 4 << 20;
/// Largest message to a filter: a Snapshot, the artifact in use, those that arms name, and their envelope.
const MAX_DOWN: usize = MAX_SNAPSHOT + (1 + MAX_NAMED) * MAX_ARTIFACT + (1 << 20);
/// Most budgets of one question: as many as a filter renews at one time, and far more than one caller has.
const MAX_WANTS: usize = 512;
/// How long a Grant is remembered: so long do callers get on without the control plane. Revocations are pushed.
const GRANT_VALIDITY: Duration = Duration::from_secs(15 * 60);
/// How long a refusal is remembered: a key made a moment later should work soon.
const REFUSAL_VALIDITY: Duration = Duration::from_secs(2);

/// The service.
pub struct Service {
    current: Feed,
    keys: Keys,
    store: Store,
    holds: Holds,
    vault: Entries,
    oauth: OAuth,
    watching: Arc<Watching>,
    observers: Observers,
}

impl Service {
    /// Makes the service; `watching` also learns who is connected.
    pub fn new(
        current: Feed,
        keys: Keys,
        store: Store,
        vault: Entries,
        oauth: OAuth,
        watching: Arc<Watching>,
        observers: Observers,
    ) -> Service {
        let holds = Holds::new(store.clone());
        Service { current, keys, store, holds, vault, oauth, watching, observers }
    }
}

impl Service {
    /// The Grant of whoever holds a key, and for how many milliseconds that may be remembered.
    async fn holder(&self, key_digest: Vec<u8>) -> Result<Option<(Grant, u64)>, Status> {
        let digest = key_digest.try_into().map_err(|_| Status::invalid_argument("key_digest has not 32 bytes"))?;
        let admitted = self.keys.admit(&digest).await.map_err(unavailable)?;
        Ok(admitted.map(|Admitted { grant, expires_ms }| {
            let left = expires_ms.map_or(u64::MAX, |ends| u64::try_from(ends - now_ms()).unwrap_or(0));
            (grant, millis(GRANT_VALIDITY).min(left))
        }))
    }

    /// The same of whom a token or a certificate names.
    async fn named(&self, document: &[u8]) -> Result<Option<(Grant, u64)>, Status> {
        let caller = Caller::read(document).ok_or_else(|| Status::invalid_argument("identity is none"))?;
        let file = self.current.borrow().file.clone();
        let found = recognising::recognise(&caller, &file.identities, &self.store).await.map_err(unavailable)?;
        Ok(found.map(|found| (found.grant, millis(found.valid_for))))
    }
}

#[tonic::async_trait]
impl DataPlane for Service {
    type WatchStream = ReceiverStream<Result<SnapshotUpdate, Status>>;

    async fn watch(&self, request: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let request = request.into_inner();
        if request.refused.is_empty() {
            info!(vm = request.vm, version = request.version, "a filter watches");
        } else {
            warn!(vm = request.vm, version = request.version, refused = request.refused, "a filter refused a Snapshot");
            self.observers.metrics.rejected(Rejection::Filter);
        }
        let stream = self.watching.begin(request, self.current.clone(), self.keys.clone(), self.store.clone()).await;
        Ok(Response::new(stream))
    }

    async fn admit(&self, request: Request<AdmitRequest>) -> Result<Response<AdmitResponse>, Status> {
        let request = request.into_inner();
        // Asked before anything is read: the Grant is at least as new as it says.
        let revision = self.store.last_change().await.map_err(unavailable)?;
        let known = if request.identity.is_empty() {
            self.holder(request.key_digest).await?
        } else {
            self.named(&request.identity).await?
        };
        debug!(caller = known.as_ref().map(|(grant, _)| grant.caller.as_str()), "admission");
        let Some((mut grant, valid_for_ms)) = known else {
            let valid_for_ms = millis(REFUSAL_VALIDITY);
            return Ok(Response::new(AdmitResponse { valid_for_ms, ..AdmitResponse::default() }));
        };
        grant.revision = revision;
        grant.own = self.vault.own(Purpose::Credential, &grant.account).await.map_err(unavailable)?;
        grant.own.extend(self.vault.own(Purpose::Session, &grant.account).await.map_err(unavailable)?);
        grant.own.sort();
        grant.own.dedup();
        let fast = grant.budgets.iter().filter(|budget| budget.mode == Mode::Fast);
        let wants: Vec<admission::Want> =
            fast.map(|budget| admission::Want { id: budget.id.clone(), window_ms: 0, taken: 0, wanted: 0 }).collect();
        let leases = self.store.lend(&request.vm, &wants, &HashMap::new()).await.map_err(unavailable)?;
        Ok(Response::new(AdmitResponse {
            grant: grant.write(),
            valid_for_ms,
            leases: if leases.list.is_empty() { Vec::new() } else { leases.write() },
        }))
    }

    async fn lend(&self, request: Request<LendRequest>) -> Result<Response<LendResponse>, Status> {
        let LendRequest { vm, exchange, wants, caller, account } = request.into_inner();
        let want = |want: Want| admission::Want {
            id: want.budget,
            window_ms: want.window_ms,
            taken: want.taken,
            wanted: want.wanted,
        };
        let wants: Vec<admission::Want> = wants.into_iter().take(MAX_WANTS).map(want).collect();
        let leases = match exchange.as_str() {
            "" => {
                let current = self.current.borrow().clone();
                self.store.lend(&vm, &wants, &current.rate_limits).await.map_err(unavailable)?
            }
            _ => self.holds.ask(Hold { vm, exchange, caller, account, wants }).await?,
        };
        Ok(Response::new(LendResponse { leases: leases.write() }))
    }

    async fn credential(&self, request: Request<CredentialRequest>) -> Result<Response<CredentialResponse>, Status> {
        let CredentialRequest { credential, caller, rejected } = request.into_inner();
        let current = self.current.borrow().clone();
        debug!(credential, caller, "a credential is asked for");
        Ok(Response::new(match caller.as_str() {
            "" => credentials::of_gateway(&current, &self.oauth, (&credential, &rejected)).await,
            account => {
                let revision = self.store.last_change().await.map_err(unavailable)?;
                let kept = (&self.vault, &self.oauth);
                let own = credentials::of_account(&current, kept, account, (&credential, &rejected)).await?;
                CredentialResponse { revision, ..own }
            }
        }))
    }

    async fn feedback(&self, request: Request<FeedbackRequest>) -> Result<Response<FeedbackResponse>, Status> {
        let FeedbackRequest { opinion, caller, account } = request.into_inner();
        let opinion = Opinion::read(&opinion).map_err(|_| Status::invalid_argument("opinion is none"))?;
        let given = feedback::give(&self.store, &caller, opinion, |of| of == account).await.map_err(unavailable)?;
        let kept = given.map(|said| serde_json::to_vec(&said)).transpose();
        let kept = kept.map_err(|error| unavailable(error.into()))?.unwrap_or_default();
        Ok(Response::new(FeedbackResponse { kept }))
    }

    async fn settle(&self, request: Request<SettleRequest>) -> Result<Response<SettleResponse>, Status> {
        let documents = request.into_inner().records;
        let mut records = Vec::with_capacity(documents.len());
        for document in &documents {
            match (Record::read(document), std::str::from_utf8(document)) {
                (Some(record), Ok(text)) => records.push((record, text)),
                _ => warn!(bytes = document.len(), "a filter sent something that is no Record; it is left out"),
            }
        }
        let current = self.current.borrow().clone();
        let costs: Vec<Costs> = records.iter().map(|(record, _)| Costs::of(record, &current)).collect();
        let settling: Vec<Settling<'_>> = records
            .iter()
            .zip(&costs)
            .map(|((record, document), costs)| Settling { record, document, cost: costs.whole, attempts: &costs.exact })
            .collect();
        let fresh = self.store.settle(&settling).await.map_err(unavailable)?;
        for (((record, _), costs), fresh) in records.iter().zip(&costs).zip(fresh) {
            // What comes a second time was counted the first time.
            if fresh {
                self.observers.settled(record, costs, &current);
            }
        }
        let settled: Vec<String> = records.into_iter().map(|(record, _)| record.exchange).collect();
        debug!(settled = settled.len(), "Records settled");
        Ok(Response::new(SettleResponse { settled }))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// What went wrong is for the operator's log; the filter only needs to know that it should try again.
fn unavailable(error: anyhow::Error) -> Status {
    tracing::error!("the store failed: {error:#}");
    Status::unavailable("the store failed")
}

/// Serves the filters and, beside them, Envoy's configuration, until `stop` ends.
pub async fn serve(
    listener: TcpListener,
    service: Service,
    configuration: crate::xds::Service,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let incoming = tonic::transport::server::TcpIncoming::from(listener).with_nodelay(Some(true));
    let service = DataPlaneServer::new(service).max_decoding_message_size(MAX_UP).max_encoding_message_size(MAX_DOWN);
    tonic::transport::Server::builder()
        // A filter or Envoy that is gone without a word is noticed by its silence.
        .http2_keepalive_interval(Some(Duration::from_secs(10)))
        .http2_keepalive_timeout(Some(Duration::from_secs(5)))
        .add_service(service)
        .add_service(configuration.into_server())
        .serve_with_incoming_shutdown(incoming, stop)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests;
