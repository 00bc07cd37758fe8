//! How fast providers may be asked, and how much of that is taken now.

use axum::Json;
use axum::extract::State;

use super::Admin;
use super::api::{Api, Endpoint, Verb};
use super::body::Asked;
use super::budgets::{BudgetView, view};
use super::page::{self, Listed, Page};
use super::policy::Policy;
use super::problem::Problem;
use crate::accounts::Level;

/// Adds the endpoint.
pub fn add(api: &mut Api) {
    let schema = api.schema::<BudgetView>();
    let words =
        "The rate limits of providers in their windows of this moment; `holder` is `@provider` or `@provider/model`.";
    let list = Endpoint::new(Verb::Get, "/rate-limits", Policy::Read, "list_rate_limits", words);
    api.add(page::asked(list).gives(200, Some(page::schema(schema))), list_rate_limits);
}

async fn list_rate_limits(
    State(admin): State<Admin>,
    Asked(page): Asked<Page>,
) -> Result<Json<Listed<BudgetView>>, Problem> {
    let current = admin.publication.current();
    let level = |(holder, terms): (&String, &_)| Level { holder: holder.clone(), terms: Clone::clone(terms) };
    let levels: Vec<Level> = current.rate_limits.iter().map(level).collect();
    let mut views: Vec<BudgetView> = admin.store.budgets(&levels).await?.into_iter().map(view).collect();
    views.sort_by_cached_key(BudgetView::id);
    Ok(Json(Listed::of(views.into_iter(), &page, BudgetView::id)?))
}
