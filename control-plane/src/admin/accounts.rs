//! The tree of accounts: who pays, what they may do and spend, and what is left of it.

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
use super::budgets::{Above, BudgetView, Budgets, asked_above, views};
use super::page::{self, Listed};
use super::policy::{Caller, Policy};
use super::problem::Problem;
use super::terms::warnings;
use crate::accounts::{AccountId, AccountKind, Level, Terms};
use crate::store::accounts::Account;
use crate::webhooks::screened;

/// An account as it is now.
#[derive(Debug, Serialize, ToSchema)]
pub struct AccountView {
    /// Its path from its tenant.
    id: String,
    /// What it is.
    kind: AccountKind,
    /// What it may do and spend.
    terms: Terms,
    /// The number of its last change. The entity tag.
    revision: u64,
    /// When it was made, in milliseconds since 1970.
    created_ms: i64,
    /// When it was changed.
    changed_ms: i64,
    /// By whom.
    changed_by: String,
}

/// An account that was made or changed.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChangedAccount {
    /// As it is now.
    account: AccountView,
    /// What its Terms name that is not there now: routes, models, providers.
    warnings: Vec<String>,
}

/// What an account is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// What it is; it stays so.
    kind: AccountKind,
    /// What it may do and spend.
    #[serde(default)]
    terms: Terms,
}

/// A secret at the only moment in which it is shown.
#[derive(Debug, Serialize, ToSchema)]
pub struct MadeSecret {
    /// Whose webhook is signed with it.
    account: String,
    /// The secret.
    secret: String,
}

/// What is no more.
#[derive(Debug, Serialize, ToSchema)]
pub struct GoneAccount {
    /// Its id.
    deleted: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    limit: Option<u32>,
    after: Option<String>,
    within: Option<String>,
}

/// Adds the endpoints.
pub fn add(api: &mut Api) {
    let (view, changed, new) =
        (api.schema::<AccountView>(), api.schema::<ChangedAccount>(), api.schema::<NewAccount>());
    let list = Endpoint::new(Verb::Get, "/accounts", Policy::Spending, "list_accounts", "Accounts, by their ids.");
    let list = page::asked(list).query("within", json!({ "type": "string" }), "Of the tree of this account only.");
    api.add(list.gives(200, Some(page::schema(view.clone()))).refuses(&[404]), list_accounts);
    let read = Endpoint::new(Verb::Get, "/accounts/{id}", Policy::Spending, "get_account", "One account.");
    api.add(read.gives(200, Some(view)).refuses(&[404]), get_account);
    let put = "Makes an account, or says what it may do and spend from now on: everywhere within seconds.";
    let put = Endpoint::new(Verb::Put, "/accounts/{id}", Policy::Keys, "put_account", put)
        .header("if-match", "", "Only if the account is as this entity tag says.")
        .header("if-none-match", "", "`*`: only if there is none of that id.")
        .takes(new);
    api.add(put.gives(200, Some(changed)).refuses(&[404, 412]), put_account);
    let words = "Takes away an account on which no other one, no good key and no good token hangs.";
    let delete = Endpoint::new(Verb::Delete, "/accounts/{id}", Policy::Keys, "delete_account", words);
    let delete = delete.header("if-match", "", "Only if the account is as this entity tag says.");
    let deleted = api.schema::<GoneAccount>();
    api.add(delete.gives(200, Some(deleted)).refuses(&[404, 409, 412]), delete_account);
    let words =
        "Makes what an account's webhook is signed with, instead of the one before; it is shown now and never again.";
    let secret = Endpoint::new(Verb::Post, "/accounts/{id}/webhook-secret", Policy::Keys, "make_webhook_secret", words);
    let made = api.schema::<MadeSecret>();
    api.add(secret.gives(201, Some(made)).refuses(&[404]), make_secret);
    let (budgets, _) = (api.schema::<Budgets>(), api.schema::<BudgetView>());
    let words = "The budgets of an account: limit, spent, lent, held, free, and when they begin anew.";
    let look = Endpoint::new(Verb::Get, "/accounts/{id}/budgets", Policy::Spending, "get_account_budgets", words);
    api.add(asked_above(look).gives(200, Some(budgets)).refuses(&[404]), get_budgets);
}

fn view(account: Account) -> AccountView {
    AccountView {
        id: account.id,
        kind: account.kind,
        terms: account.terms,
        revision: account.revision,
        created_ms: account.created_ms,
        changed_ms: account.changed_ms,
        changed_by: account.changed_by,
    }
}

/// The account of that id, if it is theirs.
async fn found(admin: &Admin, caller: &Caller, id: &str) -> Result<Account, Problem> {
    caller.may(id)?;
    admin.store.account(id).await?.ok_or_else(|| Problem::missing("account", id))
}

async fn list_accounts(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    Asked(query): Asked<Query>,
) -> Result<Json<Listed<AccountView>>, Problem> {
    let limit = page::limit(query.limit)?;
    let (within, after) = (caller.tree(query.within)?, query.after.unwrap_or_default());
    let found = admin.store.accounts(&within, &after, page::one_more(limit)).await?;
    Ok(Json(Listed::cut(found.into_iter().map(view).collect(), limit, |account: &AccountView| account.id.clone())))
}

async fn get_account(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
) -> Result<impl IntoResponse, Problem> {
    let account = found(&admin, &caller, &id).await?;
    Ok(tagged(account.revision, view(account)))
}

async fn put_account(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
    headers: HeaderMap,
    Said(new): Said<NewAccount>,
) -> Result<impl IntoResponse, Problem> {
    caller.may_change(&id)?;
    let account = AccountId::read(&id).map_err(|wrong| Problem::mistakes(vec![wrong.to_string()]))?;
    let condition = condition(&headers)?;
    check_webhook(&admin, &new.terms).await?;
    let put = admin.store.put_account(&caller.actor(), &account, new.kind, &new.terms, condition).await;
    let account = put.map_err(|why| Problem::not_changed("account", &id, why))?;
    let warnings = warnings(&admin, &account.terms);
    Ok(tagged(account.revision, ChangedAccount { account: view(account), warnings }))
}

/// A webhook leads to nowhere that only we can reach. It is looked up again each time that something is sent.
async fn check_webhook(admin: &Admin, terms: &Terms) -> Result<(), Problem> {
    let Some(webhook) = terms.webhook.as_ref().filter(|webhook| webhook.mistake().is_none()) else { return Ok(()) };
    let allowed = admin.publication.current().file.allow_networks.clone();
    let screened = screened(&webhook.url, &allowed).await;
    screened.map(|_| ()).map_err(|why| Problem::mistakes(vec![format!("`webhook`: {why}")]))
}

async fn make_secret(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
) -> Result<(StatusCode, Json<MadeSecret>), Problem> {
    caller.may_change(&id)?;
    let made = admin.webhooks.make(&caller.actor(), &id).await;
    let secret = made.map_err(|why| Problem::not_changed("account", &id, why))?;
    Ok((StatusCode::CREATED, Json(MadeSecret { account: id, secret: secret.expose().to_string() })))
}

async fn delete_account(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
    headers: HeaderMap,
) -> Result<Json<GoneAccount>, Problem> {
    caller.may_change(&id)?;
    let deleted = admin.store.delete_account(&caller.actor(), &id, condition(&headers)?).await;
    deleted.map_err(|why| Problem::not_changed("account", &id, why))?;
    Ok(Json(GoneAccount { deleted: id }))
}

async fn get_budgets(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
    Asked(above): Asked<Above>,
) -> Result<Json<Budgets>, Problem> {
    let account = found(&admin, &caller, &id).await?;
    let levels = match above.all {
        true => admin.store.levels(&id).await?,
        false => vec![Level { holder: account.id, terms: account.terms }],
    };
    Ok(Json(views(&admin, &caller, levels).await?))
}
