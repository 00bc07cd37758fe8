//! How the control plane and the data planes are.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::Admin;
use super::api::{Api, Endpoint, Verb};
use super::body::Asked;
use super::page::{self, Listed, Page};
use super::policy::Policy;
use super::problem::Problem;
use crate::data_plane::Filter;
use crate::xds::{Connected, Standing};

/// What is going on.
#[derive(Debug, Serialize, ToSchema)]
pub struct Status {
    /// The program's version.
    program: String,
    /// `sqlite` or `postgresql`.
    store: String,
    /// The Snapshot that is served.
    snapshot: u64,
    /// The last change of this API's rows that it has.
    revision: u64,
    /// The last change there is.
    last_revision: u64,
    /// Why the newest rows are not served; null when they are.
    trouble: Option<String>,
    /// What an operator should know: a settings file that can't be taken, providers without a key, service
    /// accounts that are given no tokens, routes that lead nowhere.
    warnings: Vec<String>,
    /// Providers that can be asked now.
    providers: Vec<String>,
    /// How many filters watch.
    filters: usize,
    /// How many of them were sent the Snapshot that is served.
    filters_current: usize,
}

/// Who serves by what this control plane says.
#[derive(Debug, Serialize, ToSchema)]
pub struct DataPlanes {
    /// The Envoys, with their configuration by xDS.
    envoys: Vec<EnvoyView>,
    /// The filters' VMs: one for each worker, one for the main thread.
    filters: Vec<FilterView>,
}

/// An Envoy.
#[derive(Debug, Serialize, ToSchema)]
pub struct EnvoyView {
    /// Its node id.
    node: String,
    /// Each type of its configuration.
    configuration: Vec<ConfigurationView>,
}

/// One type of an Envoy's configuration.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConfigurationView {
    /// `envoy.config.cluster.v3.Cluster` and the like.
    kind: String,
    /// The version it was sent last.
    sent: String,
    /// The version it serves by.
    taken: String,
    /// Why it refused the one it was sent; null when it did not.
    refused: Option<String>,
}

/// A filter's VM.
#[derive(Debug, Serialize, ToSchema)]
pub struct FilterView {
    /// The name it made for itself.
    vm: String,
    /// The Snapshot that it was sent last.
    sent: u64,
    /// Why it refused the one before; null when it did not.
    refused: Option<String>,
}

/// One model at one provider, as the filters know it.
#[derive(Debug, Serialize, ToSchema)]
pub struct TargetView {
    /// `provider/model`.
    id: String,
    /// The provider.
    provider: String,
    /// The model's name there.
    model: String,
    /// Tokens in and out together; null when nobody knows.
    context_window: Option<u64>,
    /// Tokens out; null when nobody knows.
    output_limit: Option<u64>,
    /// What it can do.
    abilities: Vec<String>,
    /// The routes that may lead to it.
    routes: Vec<String>,
}

/// Adds the endpoints.
pub fn add(api: &mut Api) {
    let (status, target) = (api.schema::<Status>(), api.schema::<TargetView>());
    let show = Endpoint::new(
        Verb::Get,
        "/status",
        Policy::Read,
        "get_status",
        "How the control plane and its data planes are.",
    );
    api.add(show.gives(200, Some(status)), get_status);
    let planes = api.schema::<DataPlanes>();
    let words = "Who serves by what this control plane says: versions, ACK and NACK.";
    let who = Endpoint::new(Verb::Get, "/data-planes", Policy::Read, "list_data_planes", words);
    api.add(who.gives(200, Some(planes)), list_data_planes);
    let list = Endpoint::new(
        Verb::Get,
        "/targets",
        Policy::Read,
        "list_targets",
        "Every model at every provider that can be asked now.",
    );
    api.add(page::asked(list).gives(200, Some(page::schema(target))), list_targets);
}

async fn get_status(State(admin): State<Admin>) -> Result<Json<Status>, Problem> {
    let current = admin.publication.current();
    let bad_file = Some(admin.publication.bad_file()).filter(|why| !why.is_empty());
    let bad_file = bad_file.map(|why| format!("the settings file can't be taken, the last good one serves on: {why}"));
    Ok(Json(Status {
        program: env!("CARGO_PKG_VERSION").to_string(),
        store: admin.store.engine().name().to_string(),
        snapshot: current.version,
        revision: current.revision,
        last_revision: admin.store.revision().await?,
        trouble: Some(admin.publication.trouble()).filter(|trouble| !trouble.is_empty()),
        warnings: bad_file.into_iter().chain(current.warnings.iter().cloned()).chain(admin.oauth.troubles()).collect(),
        providers: current.catalog.providers.iter().map(|row| row.id.clone()).collect(),
        filters: admin.watching.count_at(0),
        filters_current: admin.watching.count_at(current.version),
    }))
}

async fn list_data_planes(State(admin): State<Admin>) -> Json<DataPlanes> {
    let said = |text: String| Some(text).filter(|text| !text.is_empty());
    let configuration = |(kind, standing): (&str, Standing)| ConfigurationView {
        kind: kind.to_string(),
        sent: standing.sent,
        taken: standing.taken,
        refused: said(standing.refused),
    };
    let envoy = |one: Connected| EnvoyView {
        node: one.node,
        configuration: one.kinds.into_iter().map(configuration).collect(),
    };
    let filter = |one: Filter| FilterView { vm: one.vm, sent: one.sent, refused: said(one.refused) };
    Json(DataPlanes {
        envoys: admin.envoys.list().into_iter().map(envoy).collect(),
        filters: admin.watching.list().into_iter().map(filter).collect(),
    })
}

async fn list_targets(
    State(admin): State<Admin>,
    Asked(page): Asked<Page>,
) -> Result<Json<Listed<TargetView>>, Problem> {
    let current = admin.publication.current();
    let snapshot = &current.snapshot;
    let mut routes = vec![Vec::new(); snapshot.targets.len()];
    for route in &snapshot.routes {
        for candidate in &route.candidates {
            if let Some(names) = routes.get_mut(*candidate) {
                names.push(route.name.clone());
            }
        }
    }
    let known = |number: u64| Some(number).filter(|number| *number > 0);
    let mut views: Vec<TargetView> = snapshot
        .targets
        .iter()
        .zip(routes)
        .map(|(target, routes)| TargetView {
            id: target.id.clone(),
            provider: snapshot.providers.get(target.provider).map(|row| row.id.clone()).unwrap_or_default(),
            model: target.model.clone(),
            context_window: known(target.context_window),
            output_limit: known(target.output_limit),
            abilities: target.abilities.names().map(str::to_string).collect(),
            routes,
        })
        .collect();
    views.sort_by(|one, two| one.id.cmp(&two.id));
    Ok(Json(Listed::of(views.into_iter(), &page, |target| target.id.clone())?))
}
