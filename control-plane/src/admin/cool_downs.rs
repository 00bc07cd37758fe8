//! Cool-downs: whose own token is not sent to which provider for a while, and ending that before its time.

use axum::extract::State;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::Admin;
use super::api::{Api, Endpoint, Verb};
use super::body::{Asked, Ids};
use super::page::{self, Listed};
use super::policy::{Caller, Policy};
use super::problem::Problem;
use crate::store::cool_downs::CoolDown;

/// A caller's own token that is not sent to a provider for a while, since the provider said that it came too often.
#[derive(Debug, Serialize, ToSchema)]
pub struct CoolDownView {
    /// The provider.
    provider: String,
    /// Who brought the token.
    caller: String,
    /// Whose account that is; empty when it is nobody's.
    account: String,
    /// Which token, as Records name it; neither it nor the key can be learnt from that.
    bearer: String,
    /// Until when, in milliseconds since 1970.
    until_ms: i64,
    /// When it was learnt.
    made_ms: i64,
}

impl From<CoolDown> for CoolDownView {
    fn from(held: CoolDown) -> CoolDownView {
        let CoolDown { provider, bearer, caller, account, until_ms, made_ms } = held;
        CoolDownView { provider, caller, account, bearer, until_ms, made_ms }
    }
}

/// What was ended.
#[derive(Debug, Serialize, ToSchema)]
pub struct Cleared {
    /// How many there were.
    cleared: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    limit: Option<u32>,
    after: Option<String>,
    account: Option<String>,
}

/// Adds the endpoints.
pub fn add(api: &mut Api) {
    let (view, cleared) = (api.schema::<CoolDownView>(), api.schema::<Cleared>());
    let words = "Callers' own tokens that are not sent to a provider for a while.";
    let list = Endpoint::new(Verb::Get, "/cool-downs", Policy::Spending, "list_cool_downs", words);
    let list = page::asked_after(list, "^[^/]+/.+$");
    let list = list.query("account", json!({ "type": "string" }), "Of this account and of all below it only.");
    api.add(list.gives(200, Some(page::schema(view))).refuses(&[404]), list_cool_downs);
    let words = "Ends one before its time, everywhere within seconds.";
    let path = "/cool-downs/{provider}/{bearer}";
    let clear = Endpoint::new(Verb::Delete, path, Policy::Keys, "clear_cool_down", words);
    api.add(clear.gives(200, Some(cleared)).refuses(&[404]), clear_cool_down);
}

async fn list_cool_downs(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    Asked(query): Asked<Query>,
) -> Result<Json<Listed<CoolDownView>>, Problem> {
    let (limit, tree) = (page::limit(query.limit)?, caller.tree(query.account)?);
    let after = query.after.as_deref().map(|after| after.split_once('/')).unwrap_or(Some(("", "")));
    let after = after.ok_or_else(|| Problem::bad("`after` is the `next` of another page."))?;
    let found = admin.store.cool_downs(&tree, after, page::one_more(limit)).await?;
    let items = found.into_iter().map(CoolDownView::from).collect();
    Ok(Json(Listed::cut(items, limit, |view: &CoolDownView| format!("{}/{}", view.provider, view.bearer))))
}

async fn clear_cool_down(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    Ids(provider, bearer): Ids,
) -> Result<Json<Cleared>, Problem> {
    match admin.store.clear_cool_down(&caller.actor(), &caller.tree(None)?, &provider, &bearer).await? {
        true => Ok(Json(Cleared { cleared: 1 })),
        false => Err(Problem::missing("cool-down", &format!("{provider}/{bearer}"))),
    }
}
