//! Figures: for Prometheus, and summed up for people.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::Admin;
use super::api::{Api, Endpoint, Verb};
use super::policy::Policy;
use crate::metrics::{CONTENT_TYPE, Summary};

/// Done.
#[derive(Debug, Serialize, ToSchema)]
pub struct Reset {
    /// From when on the summary counts, in milliseconds since 1970.
    since_ms: u64,
}

/// Adds the endpoints.
pub fn add(api: &mut Api) {
    let (summary, reset) = (api.schema::<Summary>(), api.schema::<Reset>());
    let page = Endpoint::new(Verb::Get, "", Policy::Read, "get_metrics", "Every figure, as Prometheus reads it.");
    let page = Endpoint { path: "/metrics".to_string(), ..page };
    api.add(page.gives(200, Some(json!({ "type": "string", "contentMediaType": CONTENT_TYPE }))), get_metrics);
    let show = Endpoint::new(
        Verb::Get,
        "/metrics/summary",
        Policy::Read,
        "get_summary",
        "Requests, errors, tokens, costs and latencies since the last reset, of all and of each provider.",
    );
    api.add(show.gives(200, Some(summary)), get_summary);
    let again = Endpoint::new(
        Verb::Post,
        "/metrics/reset",
        Policy::Change,
        "reset_summary",
        "Begins the summary anew; the figures for Prometheus go on.",
    );
    api.add(again.gives(200, Some(reset)), reset_summary);
}

async fn get_metrics(State(admin): State<Admin>) -> impl IntoResponse {
    let current = admin.publication.current();
    let (all, up_to_date) = (admin.watching.count_at(0), admin.watching.count_at(current.version));
    admin.metrics.breakers(admin.health.breakers(), &current.labels);
    admin.metrics.snapshot(current.version);
    admin.metrics.data_planes(up_to_date, all.saturating_sub(up_to_date));
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], admin.metrics.page())
}

async fn get_summary(State(admin): State<Admin>) -> Json<Summary> {
    Json(admin.metrics.summary())
}

async fn reset_summary(State(admin): State<Admin>) -> Json<Reset> {
    admin.metrics.reset();
    Json(Reset { since_ms: admin.metrics.summary().since_ms })
}
