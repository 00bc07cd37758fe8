//! What each target of a route got, beside what it was to get.

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use dragoman_core::select::due;
use dragoman_core::snapshot::{Affinity, Route, Snapshot};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::Admin;
use super::api::{Api, Endpoint, Verb};
use super::body::{Asked, Id};
use super::page::{self, Listed, Page};
use super::policy::Policy;
use super::problem::Problem;
use crate::health::{Got, MINUTE_MS};
use crate::store::now_ms;

/// Minutes that are shown when nobody says.
const USUAL_MINUTES: u32 = 5;
/// Most of them: a day, for so long they are kept.
const MOST_MINUTES: u32 = 24 * 60;

/// How a route's requests were shared.
#[derive(Debug, Serialize, ToSchema)]
pub struct PoolView {
    /// The route's name.
    route: String,
    /// How the first is chosen.
    balance: String,
    /// What requests have in common that meet the same target; null when nothing.
    affinity: Option<String>,
    /// Exchanges that were sent to one of its targets first.
    requests: u64,
    /// Its candidates, in their order.
    targets: Vec<TargetShare>,
}

/// What a target got of a route.
#[derive(Debug, Serialize, ToSchema)]
pub struct TargetShare {
    /// `provider/model`.
    target: String,
    /// Its weight in the pool; null when it stands in for the pool.
    weight: Option<u64>,
    /// Exchanges that were to ask it first.
    first: u64,
    /// How many of a thousand exchanges those are; null without any.
    first_permille: Option<u64>,
    /// How many of a thousand are to ask it first by the route's row while nobody rests; null when that goes by who asks, or by what is
    /// felt.
    due_permille: Option<u64>,
    /// Attempts at it, first or not.
    attempts: u64,
    /// Those that brought a whole answer.
    answered: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    limit: Option<u32>,
    after: Option<String>,
    minutes: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MinutesQuery {
    minutes: Option<u32>,
}

/// Adds the endpoints.
pub fn add(api: &mut Api) {
    let view = api.schema::<PoolView>();
    let asked = |endpoint: Endpoint| {
        let minutes = json!({ "type": "integer", "minimum": 1, "maximum": MOST_MINUTES, "default": USUAL_MINUTES });
        endpoint.query("minutes", minutes, "Of so many minutes, the one that runs counted.")
    };
    let words = "How the requests of every route with several candidates were shared, on all data planes together.";
    let list = Endpoint::new(Verb::Get, "/health/pools", Policy::Read, "list_pools", words);
    api.add(asked(page::asked(list)).gives(200, Some(page::schema(view.clone()))), list_pools);
    let words = "How the requests of one route were shared, on all data planes together.";
    let show = Endpoint::new(Verb::Get, "/health/pools/{id}", Policy::Read, "get_pool", words);
    api.add(asked(show).gives(200, Some(view)).refuses(&[404]), get_pool);
}

async fn list_pools(
    State(admin): State<Admin>,
    Asked(query): Asked<ListQuery>,
) -> Result<Json<Listed<PoolView>>, Problem> {
    let page = Page::new(query.limit, query.after);
    let got = got(&admin, query.minutes, None).await?;
    let current = admin.publication.current();
    let snapshot = &current.snapshot;
    let mut shared: Vec<&Route> = snapshot.routes.iter().filter(|route| route.candidates.len() > 1).collect();
    shared.sort_by(|one, two| one.name.cmp(&two.name));
    let pools = Listed::of(shared.into_iter(), &page, |route| route.name.clone())?;
    let items = pools.items.into_iter().map(|route| view(route, snapshot, &got)).collect();
    Ok(Json(Listed { items, next: pools.next }))
}

async fn get_pool(
    State(admin): State<Admin>,
    Id(id): Id,
    Asked(query): Asked<MinutesQuery>,
) -> Result<Json<PoolView>, Problem> {
    let current = admin.publication.current();
    let snapshot = &current.snapshot;
    let route = snapshot.route(&id).ok_or_else(|| Problem::missing("route", &id))?;
    let got = got(&admin, query.minutes, Some(&route.name)).await?;
    Ok(Json(view(route, snapshot, &got)))
}

/// What targets got, by route and target.
type Shares = HashMap<(String, String), Got>;

async fn got(admin: &Admin, minutes: Option<u32>, route: Option<&str>) -> Result<Shares, Problem> {
    let since_ms = match minutes.unwrap_or(USUAL_MINUTES) {
        minutes @ 1..=MOST_MINUTES => (now_ms() / MINUTE_MS - i64::from(minutes) + 1) * MINUTE_MS,
        _ => return Err(Problem::bad(format!("It is known of 1 to {MOST_MINUTES} minutes."))),
    };
    let rows = admin.store.pools_since(since_ms, route).await?;
    Ok(rows.into_iter().map(|(route, target, got)| ((route, target), got)).collect())
}

fn view(route: &Route, snapshot: &Snapshot, shares: &Shares) -> PoolView {
    let due = due(route, snapshot);
    let candidates = route.candidates.iter().filter_map(|at| snapshot.targets.get(*at));
    let got = |id: &str| shares.get(&(route.name.clone(), id.to_string())).copied().unwrap_or_default();
    let requests: u64 = candidates.clone().map(|target| got(&target.id).first).sum();
    let share = |(place, target): (usize, &dragoman_core::catalog::Target)| {
        let Got { first, attempts, answered } = got(&target.id);
        TargetShare {
            target: target.id.clone(),
            weight: route.pool.weight(place),
            first,
            first_permille: first.saturating_mul(1000).checked_div(requests),
            due_permille: due.as_ref().map(|due| due.get(&target.id).copied().unwrap_or(0)),
            attempts,
            answered,
        }
    };
    PoolView {
        route: route.name.clone(),
        balance: route.pool.balance.name().to_string(),
        affinity: route.pool.affinity.as_ref().map(Affinity::written),
        requests,
        targets: candidates.enumerate().map(share).collect(),
    }
}
