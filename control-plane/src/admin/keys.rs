//! Callers' keys.

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Admin;
use super::api::{Api, Endpoint, Verb};
use super::body::{Asked, Id, Said};
use super::page::{self, Listed, Page};
use super::policy::{Caller, Policy};
use super::problem::Problem;
use crate::accounts::Terms;
use crate::store::keys;

/// A key as it is listed; the key itself is known to its holder only.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyView {
    /// The caller's id, as Records name it.
    id: String,
    /// A name to remember it by.
    name: String,
    /// The only routes it may ask for; null for every one.
    routes: Option<Vec<String>>,
    /// When it was made, in milliseconds since 1970.
    created_ms: i64,
    /// When it was revoked; null while it is good.
    revoked_ms: Option<i64>,
}

/// What a key is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// A name to remember it by.
    #[serde(default)]
    #[schema(max_length = 200)]
    name: String,
    /// The only routes it may ask for; null or left out for every one.
    routes: Option<Vec<String>>,
}

/// A key at the only moment in which it is shown.
#[derive(Debug, Serialize, ToSchema)]
pub struct MadeKey {
    /// The caller's id.
    id: String,
    /// The key.
    key: String,
}

/// What was revoked.
#[derive(Debug, Serialize, ToSchema)]
pub struct Revoked {
    /// How many were good until now.
    revoked: u64,
}

impl Revoked {
    /// So many.
    pub fn count(revoked: u64) -> Revoked {
        Revoked { revoked }
    }
}

/// Longest name, as of rows.
pub const MAX_NAME: usize = 200;

/// Adds the endpoints.
pub fn add(api: &mut Api) {
    let (view, new, made, revoked) =
        (api.schema::<KeyView>(), api.schema::<NewKey>(), api.schema::<MadeKey>(), api.schema::<Revoked>());
    let list = page::asked(Endpoint::new(Verb::Get, "/keys", Policy::Keys, "list_keys", "Every key, by its id."));
    api.add(list.gives(200, Some(page::schema(view.clone()))), list_keys);
    let read = Endpoint::new(Verb::Get, "/keys/{id}", Policy::Keys, "get_key", "One key.");
    api.add(read.gives(200, Some(view)).refuses(&[404]), get_key);
    let create =
        Endpoint::new(Verb::Post, "/keys", Policy::Keys, "create_key", "Makes a key; it is shown now and never again.");
    api.add(create.takes(new).gives(201, Some(made)), create_key);
    let revoke = Endpoint::new(
        Verb::Post,
        "/keys/{id}/revoke",
        Policy::Keys,
        "revoke_key",
        "Revokes a key, everywhere within seconds.",
    );
    api.add(revoke.gives(200, Some(revoked)).refuses(&[404]), revoke_key);
}

async fn views(admin: &Admin) -> Result<Vec<KeyView>, Problem> {
    let view = |key: keys::Listed| KeyView {
        id: key.id,
        name: key.name,
        routes: key.terms.routes,
        created_ms: key.created_ms,
        revoked_ms: key.revoked_ms,
    };
    let mut views: Vec<KeyView> = admin.keys.list("", "", u32::MAX).await?.into_iter().map(view).collect();
    views.sort_by(|one, two| one.id.cmp(&two.id));
    Ok(views)
}

async fn list_keys(State(admin): State<Admin>, Asked(page): Asked<Page>) -> Result<Json<Listed<KeyView>>, Problem> {
    Ok(Json(Listed::of(views(&admin).await?.into_iter(), &page, |key| key.id.clone())?))
}

async fn get_key(State(admin): State<Admin>, Id(id): Id) -> Result<Json<KeyView>, Problem> {
    let found = views(&admin).await?.into_iter().find(|key| key.id == id);
    found.map(Json).ok_or_else(|| Problem::missing("key", &id))
}

async fn create_key(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    Said(new): Said<NewKey>,
) -> Result<(StatusCode, Json<MadeKey>), Problem> {
    if new.name.chars().count() > MAX_NAME || new.routes.iter().flatten().any(String::is_empty) {
        let detail = "A name has at most 200 characters, and a route's name is not empty.";
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_key", detail));
    }
    let terms = Terms { routes: new.routes, ..Terms::default() };
    let new = keys::NewKey { name: new.name, terms, ..keys::NewKey::default() };
    let made = admin.keys.create(&caller.actor(), &new).await.map_err(anyhow::Error::from)?;
    Ok((StatusCode::CREATED, Json(MadeKey { id: made.id, key: made.key.expose().to_string() })))
}

async fn revoke_key(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
) -> Result<Json<Revoked>, Problem> {
    if admin.keys.key(&id).await?.is_none() {
        return Err(Problem::missing("key", &id));
    }
    let revoked = admin.keys.revoke(&caller.actor(), &id).await?;
    Ok(Json(Revoked::count(revoked)))
}
