//! Which models providers say they have.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::Admin;
use super::api::{Api, Endpoint, Verb};
use super::body::{Asked, Id};
use super::page::{self, Listed, Page};
use super::policy::Policy;
use super::problem::Problem;
use crate::discovery::Answer;

/// A provider that was asked.
#[derive(Debug, Serialize, ToSchema)]
pub struct AskedView {
    /// Its id.
    provider: String,
    /// When, in milliseconds since 1970.
    asked_ms: i64,
    /// What came of it.
    outcome: String,
    /// Models it listed when it last did.
    models: Vec<String>,
    /// Models it listed once and no more.
    vanished: Vec<String>,
}

/// What came of asking now.
#[derive(Debug, Serialize, ToSchema)]
pub struct AskedNow {
    /// `listed`, `not_modified`, or why there is no list.
    outcome: String,
    /// How many models it listed.
    models: Option<usize>,
}

/// Adds the endpoints.
pub fn add(api: &mut Api) {
    let (view, now) = (api.schema::<AskedView>(), api.schema::<AskedNow>());
    let list =
        Endpoint::new(Verb::Get, "/discovery", Policy::Read, "list_discovered", "What providers say of their models.");
    api.add(page::asked(list).gives(200, Some(page::schema(view))), list_discovered);
    let ask = Endpoint::new(
        Verb::Post,
        "/discovery/{provider}",
        Policy::Change,
        "discover",
        "Asks a provider for its models now.",
    );
    api.add(ask.gives(200, Some(now)).refuses(&[404]), discover);
}

async fn list_discovered(
    State(admin): State<Admin>,
    Asked(page): Asked<Page>,
) -> Result<Json<Listed<AskedView>>, Problem> {
    let mut known = admin.store.discovered().await?;
    let views = admin.store.discoveries().await?.into_iter().map(|asked| {
        let models = known.remove(&asked.provider).unwrap_or_default();
        let (vanished, models): (Vec<_>, Vec<_>) = models.into_iter().partition(|model| model.vanished);
        AskedView {
            provider: asked.provider,
            asked_ms: asked.asked_ms,
            outcome: asked.outcome,
            models: models.into_iter().map(|model| model.name).collect(),
            vanished: vanished.into_iter().map(|model| model.name).collect(),
        }
    });
    Ok(Json(Listed::of(views, &page, |asked| asked.provider.clone())?))
}

async fn discover(State(admin): State<Admin>, Id(provider): Id) -> Result<Json<AskedNow>, Problem> {
    let current = admin.publication.current();
    let row = current.catalog.providers.iter().find(|row| row.id == provider);
    let row = row.ok_or_else(|| {
        let shown: String = provider.chars().take(200).collect();
        let detail = format!("Nobody can ask a provider `{shown}` now; `GET /status` lists those that can be asked.");
        Problem::new(StatusCode::NOT_FOUND, "not_found", detail)
    })?;
    let answer = match crate::discovery::endpoint(row) {
        Some(_) => admin.rounds.turn(row, Duration::ZERO).await,
        None => Some(Answer::Unavailable("its row says that it has no list".to_string())),
    };
    let (outcome, models) = match answer {
        Some(Answer::Listed { listing, .. }) => ("listed".to_string(), Some(listing.models.len())),
        Some(Answer::NotModified) => ("not_modified".to_string(), None),
        Some(Answer::Unavailable(why)) => (why, None),
        None => ("it is being asked already".to_string(), None),
    };
    admin.publication.refresh().await?;
    Ok(Json(AskedNow { outcome, models }))
}
