//! Callers' keys.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::Admin;
use super::api::{Api, Endpoint, Verb};
use super::body::{Asked, Id, Said, condition, tagged};
use super::budgets::{Above, Budgets, asked_above, views};
use super::page::{self, Listed};
use super::policy::{Caller, Policy, Reach};
use super::problem::Problem;
use super::terms::warnings;
use crate::accounts::{Level, Terms};
use crate::store::keys::{self, Of};
use crate::store::now_ms;

/// A key as it is listed; the key itself is known to its holder only.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyView {
    /// The caller's id, as Records name it.
    id: String,
    /// A name to remember it by.
    name: String,
    /// Whose it is; empty for nobody's.
    account: String,
    /// What it may do and spend, within what its accounts may.
    terms: Terms,
    /// How its newest secret begins.
    hint: String,
    /// The number of its last change. The entity tag.
    revision: u64,
    /// When it was made, in milliseconds since 1970.
    created_ms: i64,
    /// When it ends; null for never.
    expires_ms: Option<i64>,
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
    /// Whose it is; left out or empty for nobody's. A tenant-admin's keys are always somebody's.
    #[serde(default)]
    account: String,
    /// What it may do and spend.
    #[serde(default)]
    terms: Terms,
    /// When it ends, in milliseconds since 1970; left out for never.
    #[schema(minimum = 0, maximum = 253_402_300_799_999_u64)]
    expires_ms: Option<u64>,
    /// In how many seconds it ends, instead.
    #[schema(minimum = 1, maximum = 3_153_600_000_u64)]
    expires_in_seconds: Option<u64>,
}

/// What a key is to be from now on; what is left out is no more.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyChange {
    /// A name to remember it by.
    #[serde(default)]
    #[schema(max_length = 200)]
    name: String,
    /// What it may do and spend.
    #[serde(default)]
    terms: Terms,
    /// When it ends, in milliseconds since 1970; left out for never.
    #[schema(minimum = 0, maximum = 253_402_300_799_999_u64)]
    expires_ms: Option<u64>,
    /// In how many seconds it ends, instead.
    #[schema(minimum = 1, maximum = 3_153_600_000_u64)]
    expires_in_seconds: Option<u64>,
}

/// How a key gets another secret.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    /// For how long the old secrets still work; an hour when left out.
    #[serde(default = "hour")]
    #[schema(minimum = 0, maximum = 7_776_000_u64)]
    overlap_seconds: u64,
}

fn hour() -> u64 {
    3600
}

/// A key at the only moment in which it is shown.
#[derive(Debug, Serialize, ToSchema)]
pub struct MadeKey {
    /// The caller's id.
    id: String,
    /// The key.
    key: String,
    /// What its Terms name that is not there now: routes, models, providers.
    warnings: Vec<String>,
}

/// A key that was changed.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChangedKey {
    /// As it is now.
    key: KeyView,
    /// What its Terms name that is not there now: routes, models, providers.
    warnings: Vec<String>,
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

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    limit: Option<u32>,
    after: Option<String>,
    account: Option<String>,
    within: Option<String>,
}

/// Longest name, as of rows.
pub const MAX_NAME: usize = 200;
/// Longest overlap of a rotation: a quarter.
const MAX_OVERLAP: u64 = 7_776_000;
/// The last moment of the year 9999, in milliseconds since 1970.
const LAST_MS: u64 = 253_402_300_799_999;
/// Longest life of a key that is said in seconds: a hundred years.
const MAX_SECONDS: u64 = 3_153_600_000;

/// Adds the endpoints.
pub fn add(api: &mut Api) {
    let (view, new, made) = (api.schema::<KeyView>(), api.schema::<NewKey>(), api.schema::<MadeKey>());
    let text = || json!({ "type": "string" });
    let list = page::asked(Endpoint::new(Verb::Get, "/keys", Policy::Keys, "list_keys", "Keys, by their ids."))
        .query("account", text(), "Of this account only.")
        .query("within", text(), "Of this account and of all below it; by their accounts, then by their ids.");
    api.add(list.gives(200, Some(page::schema(view.clone()))).refuses(&[404]), list_keys);
    let read = Endpoint::new(Verb::Get, "/keys/{id}", Policy::Keys, "get_key", "One key.");
    api.add(read.gives(200, Some(view)).refuses(&[404]), get_key);
    let create =
        Endpoint::new(Verb::Post, "/keys", Policy::Keys, "create_key", "Makes a key; it is shown now and never again.");
    api.add(create.takes(new).gives(201, Some(made.clone())).refuses(&[404]), create_key);
    let words = "Says what a key is from now on: its name, its Terms, its end. Everywhere within seconds.";
    let put = Endpoint::new(Verb::Put, "/keys/{id}", Policy::Keys, "put_key", words).header(
        "if-match",
        "",
        "Only if the key is as this entity tag says.",
    );
    let (change, changed) = (api.schema::<KeyChange>(), api.schema::<ChangedKey>());
    api.add(put.takes(change).gives(200, Some(changed)).refuses(&[404, 412]), put_key);
    let words = "Gives a key another secret, shown now and never again; the old ones end a little later.";
    let rotate = Endpoint::new(Verb::Post, "/keys/{id}/rotate", Policy::Keys, "rotate_key", words);
    let rotation = api.schema::<Rotation>();
    api.add(rotate.takes(rotation).gives(201, Some(made)).refuses(&[404]), rotate_key);
    let words = "Revokes a key, everywhere within seconds.";
    let revoke = Endpoint::new(Verb::Post, "/keys/{id}/revoke", Policy::Keys, "revoke_key", words);
    let revoked = api.schema::<Revoked>();
    api.add(revoke.gives(200, Some(revoked)).refuses(&[404]), revoke_key);
    let words = "The budgets of a key: limit, spent, lent, held, free, and when they begin anew.";
    let look = Endpoint::new(Verb::Get, "/keys/{id}/budgets", Policy::Keys, "get_key_budgets", words);
    let budgets = api.schema::<Budgets>();
    api.add(asked_above(look).gives(200, Some(budgets)).refuses(&[404]), get_budgets);
}

fn view(key: keys::Listed) -> KeyView {
    KeyView {
        id: key.id,
        name: key.name,
        account: key.account,
        terms: key.terms,
        hint: key.hint,
        revision: key.revision,
        created_ms: key.created_ms,
        expires_ms: key.expires_ms,
        revoked_ms: key.revoked_ms,
    }
}

/// The key of that id, if it is theirs.
async fn found(admin: &Admin, caller: &Caller, id: &str) -> Result<keys::Listed, Problem> {
    let key = admin.keys.key(id).await?.filter(|key| caller.sees(&key.account));
    key.ok_or_else(|| Problem::missing("key", id))
}

/// When a key ends, of the two ways to say it.
fn end(expires_ms: Option<u64>, in_seconds: Option<u64>) -> Result<Option<i64>, Problem> {
    let wrong = |message: &str| Problem::mistakes(vec![message.to_string()]);
    match (expires_ms, in_seconds) {
        (None, None) => Ok(None),
        (Some(ms @ 0..=LAST_MS), None) => Ok(i64::try_from(ms).ok()),
        (None, Some(seconds @ 1..=MAX_SECONDS)) => {
            Ok(i64::try_from(seconds).ok().map(|seconds| now_ms() + seconds * 1000))
        }
        (Some(_), Some(_)) => Err(wrong("`expires_ms` or `expires_in_seconds`, and one of them only")),
        _ => Err(wrong("a key ends by the year 9999, or in 1 to 3153600000 seconds")),
    }
}

/// What is wrong with a key before anybody looks at its Terms.
fn check_name(name: &str) -> Result<(), Problem> {
    let fits = name.chars().count() <= MAX_NAME;
    fits.then_some(()).ok_or_else(|| Problem::mistakes(vec![format!("`name`: at most {MAX_NAME} characters")]))
}

async fn list_keys(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    Asked(query): Asked<Query>,
) -> Result<Json<Listed<KeyView>>, Problem> {
    let limit = page::limit(query.limit)?;
    let tree = match (&query.account, query.within) {
        (Some(_), Some(_)) => return Err(Problem::bad("`account` or `within`, and one of them only.")),
        (Some(account), None) => caller.may(account).map(|()| String::new())?,
        (None, within) => caller.tree(within)?,
    };
    let of = match &query.account {
        Some(account) => Of::Account(account),
        None if tree.is_empty() => Of::Everybody,
        None => Of::Tree(&tree),
    };
    let found = admin.keys.list(of, &query.after.unwrap_or_default(), page::one_more(limit)).await?;
    let page = Listed::cut(found, limit, |key: &keys::Listed| of.place(key));
    Ok(Json(Listed { items: page.items.into_iter().map(view).collect(), next: page.next }))
}

async fn get_key(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
) -> Result<impl IntoResponse, Problem> {
    let key = found(&admin, &caller, &id).await?;
    Ok(tagged(key.revision, view(key)))
}

async fn create_key(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    Said(new): Said<NewKey>,
) -> Result<(StatusCode, Json<MadeKey>), Problem> {
    check_name(&new.name)?;
    if new.account.is_empty() && caller.reach != Reach::All {
        return Err(Problem::mistakes(vec!["`account`: a tenant-admin's keys belong to its accounts".to_string()]));
    }
    caller.may(&new.account)?;
    let expires_ms = end(new.expires_ms, new.expires_in_seconds)?;
    let new = keys::NewKey { name: new.name, account: new.account, terms: new.terms, expires_ms };
    let made = admin.keys.create(&caller.actor(), &new).await;
    let made = made.map_err(|why| Problem::not_changed("key", "", why))?;
    let warnings = warnings(&admin, &new.terms);
    Ok((StatusCode::CREATED, Json(MadeKey { id: made.id, key: made.key.expose().to_string(), warnings })))
}

async fn put_key(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
    headers: HeaderMap,
    Said(to): Said<KeyChange>,
) -> Result<impl IntoResponse, Problem> {
    let before = found(&admin, &caller, &id).await?;
    check_name(&to.name)?;
    let expires_ms = end(to.expires_ms, to.expires_in_seconds)?;
    let to = keys::NewKey { name: to.name, account: before.account, terms: to.terms, expires_ms };
    let changed = admin.keys.change(&caller.actor(), &id, &to, condition(&headers)?).await;
    let key = changed.map_err(|why| Problem::not_changed("key", &id, why))?;
    let warnings = warnings(&admin, &key.terms);
    Ok(tagged(key.revision, ChangedKey { key: view(key), warnings }))
}

async fn rotate_key(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
    Said(rotation): Said<Rotation>,
) -> Result<(StatusCode, Json<MadeKey>), Problem> {
    let key = found(&admin, &caller, &id).await?;
    let overlap = i64::try_from(rotation.overlap_seconds).ok().filter(|_| rotation.overlap_seconds <= MAX_OVERLAP);
    let wrong = || Problem::mistakes(vec![format!("`overlap_seconds`: 0 to {MAX_OVERLAP}")]);
    let overlap_ms = overlap.ok_or_else(wrong)? * 1000;
    let made = admin.keys.rotate(&caller.actor(), &id, overlap_ms).await;
    let made = made.map_err(|why| Problem::not_changed("good key", &id, why))?;
    let warnings = warnings(&admin, &key.terms);
    Ok((StatusCode::CREATED, Json(MadeKey { id: made.id, key: made.key.expose().to_string(), warnings })))
}

async fn revoke_key(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
) -> Result<Json<Revoked>, Problem> {
    found(&admin, &caller, &id).await?;
    let revoked = admin.keys.revoke_id(&caller.actor(), &id).await?;
    Ok(Json(Revoked::count(revoked)))
}

async fn get_budgets(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
    Asked(above): Asked<Above>,
) -> Result<Json<Budgets>, Problem> {
    let key = found(&admin, &caller, &id).await?;
    let mut levels = vec![Level { holder: key.id, terms: key.terms }];
    if above.all {
        levels.extend(admin.store.levels(&key.account).await?);
    }
    Ok(Json(views(&admin, &caller, levels).await?))
}
