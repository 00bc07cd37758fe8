//! The admin API: what operators do, over HTTP, described by OpenAPI 3.1 at `/openapi.json`.
//!
//! ```console
//! $ curl -H "authorization: Bearer $DRAGOMAN_ADMIN_TOKEN" http://127.0.0.1:10002/api/v1/providers
//! ```
//!
//! ```text
//! request ─▶ route ─▶ policy (who may) ─▶ Idempotency-Key (was it answered?) ─▶ handler ─▶ store ─▶ publication
//!                        └ 401, 403         └ the same answer again               └ a Problem, in RFC 9457's words
//! ```
//!
//! Every endpoint is one [`api::Endpoint`] with a policy; there is no other way to add one, so none can be forgotten. The
//! policy belongs to the route that was matched, never to a path that is looked at again.
//!
//! Limits: bodies up to [`body::MAX_BODY`], of artifacts up to their own; no TLS (loopback by default, a proxy with TLS otherwise); tokens by header only.

mod accounts;
mod api;
mod artifacts;
mod body;
mod budgets;
mod configuration;
mod cool_downs;
mod costs;
mod credentials;
mod discovery;
mod distribution;
mod experiments;
mod explain;
mod feedback;
mod health;
mod keys;
mod ledger;
mod metrics;
mod openapi;
mod page;
mod policy;
mod pools;
mod problem;
mod rate_limits;
mod records;
mod repeat;
mod rows;
mod schema;
mod sessions;
mod sign_in_pages;
mod sign_ins;
mod snapshots;
mod status;
mod terms;
mod tokens;

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use axum::http::StatusCode;
use serde_json::Value;
use tokio::net::TcpListener;
use tracing::{error, warn};

use crate::artifacts::Artifacts;
use crate::data_plane::Watching;
use crate::discovery::Rounds;
use crate::health::FleetView;
use crate::metrics::Metrics;
use crate::oauth::OAuth;
use crate::publication::Publication;
use crate::store::Store;
use crate::store::discovered::Discovered;
use crate::store::keys::Keys;
use crate::store::notices::WebhookSecrets;
use crate::store::repeated::Repeated;
use crate::store::tokens::Tokens;
use crate::store::vault::Entries;
use crate::xds::Envoys;

use api::Api;
use problem::Problem;

/// What the endpoints work with.
#[derive(Clone)]
pub struct Admin {
    /// Rows, Records, versions.
    pub store: Store,
    /// Callers' keys.
    pub keys: Keys,
    /// Accounts' own credentials.
    pub vault: Entries,
    /// Signs people in with providers.
    pub oauth: OAuth,
    /// What webhooks are signed with.
    pub webhooks: WebhookSecrets,
    /// The tokens of this API.
    pub tokens: Tokens,
    /// Answers that were given.
    pub repeated: Repeated,
    /// What is served, and how it changes.
    pub publication: Arc<Publication>,
    /// Which filters watch.
    pub watching: Arc<Watching>,
    /// Which Envoys are connected.
    pub envoys: Arc<Envoys>,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// Asks providers for their models.
    pub rounds: Arc<Rounds<Discovered>>,
    /// How providers do.
    pub health: Arc<FleetView>,
    /// What models are chosen by.
    pub artifacts: Arc<Artifacts>,
}

/// Every endpoint.
fn api() -> Api {
    let mut api = Api::default();
    rows::add(&mut api);
    configuration::add(&mut api);
    accounts::add(&mut api);
    keys::add(&mut api);
    credentials::add(&mut api);
    sign_ins::add(&mut api);
    sessions::add(&mut api);
    tokens::add(&mut api);
    records::add(&mut api);
    feedback::add(&mut api);
    experiments::add(&mut api);
    costs::add(&mut api);
    ledger::add(&mut api);
    snapshots::add(&mut api);
    explain::add(&mut api);
    artifacts::add(&mut api);
    discovery::add(&mut api);
    health::add(&mut api);
    pools::add(&mut api);
    rate_limits::add(&mut api);
    cool_downs::add(&mut api);
    distribution::add(&mut api);
    metrics::add(&mut api);
    status::add(&mut api);
    api
}

/// The description of the API, OpenAPI 3.1.
pub fn description() -> Value {
    openapi::document(&api())
}

fn router(admin: Admin) -> Router {
    let api = api();
    let document = openapi::document(&api).to_string();
    let pages = sign_in_pages::router(admin.oauth.clone());
    api.router(admin, document)
        .merge(pages)
        .fallback(|| async { Problem::new(StatusCode::NOT_FOUND, "unknown_path", "There is nothing at this path.") })
        .method_not_allowed_fallback(|| async {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "unknown_method", "This path is not used that way.")
        })
}

/// Takes the address of the API.
pub async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address).await;
    let listener = listener.with_context(|| format!("the admin API can't listen on {address}"))?;
    if !address.ip().is_loopback() {
        warn!("the admin API listens on {address} without TLS; put a proxy with TLS in front of it");
    }
    Ok(listener)
}

/// Serves until the process ends.
pub async fn serve(listener: TcpListener, admin: Admin) {
    if let Err(failed) = axum::serve(listener, router(admin)).await {
        error!("the admin API ended: {failed}");
    }
}

#[cfg(test)]
mod tests;
