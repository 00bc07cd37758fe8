//! Accounts' own credentials for providers: put, shown by their last characters, taken away. None is ever answered.

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::Admin;
use super::api::{Api, Endpoint, Verb};
use super::body::{Asked, Ids, Said};
use super::page::{self, Listed, Page};
use super::policy::{Caller, Policy};
use super::problem::Problem;
use crate::accounts::{AccountId, is_within};
use crate::settings::Secret;
use crate::store::vault::Entry;
use crate::vault::{Purpose, Slot};

/// A credential as it is listed; the secret is known to whoever put it.
#[derive(Debug, Serialize, ToSchema)]
pub struct CredentialView {
    /// Whose it is; everybody below it uses it, unless they have one of their own.
    account: String,
    /// Whom it opens.
    provider: String,
    /// The last characters of the secret; empty when it is short.
    last_four: String,
    /// Rises with every change of the tenant's credentials.
    version: i64,
    /// When it was first put, in milliseconds since 1970.
    created_ms: i64,
    /// When it was put last.
    changed_ms: i64,
    /// By whom.
    changed_by: String,
}

impl From<Entry> for CredentialView {
    fn from(entry: Entry) -> CredentialView {
        CredentialView {
            account: entry.slot.account,
            provider: entry.slot.provider,
            last_four: entry.hint,
            version: entry.version,
            created_ms: entry.created_ms,
            changed_ms: entry.changed_ms,
            changed_by: entry.changed_by,
        }
    }
}

/// What is put.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewCredential {
    secret: String,
}

/// What was taken away.
#[derive(Debug, Serialize, ToSchema)]
pub struct Deleted {
    /// How many there were.
    deleted: u64,
}

/// Which page of which list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    account: Option<String>,
    limit: Option<u32>,
    after: Option<String>,
}

/// Longest secret: signed tokens have some kilobytes.
const MAX_SECRET: usize = 4096;
/// The path of one.
const ONE: &str = "/credentials/{account}/{provider}";

/// Adds the endpoints.
pub fn add(api: &mut Api) {
    let (view, deleted) = (api.schema::<CredentialView>(), api.schema::<Deleted>());
    let list = page::asked(Endpoint::new(
        Verb::Get,
        "/credentials",
        Policy::Keys,
        "list_credentials",
        "Accounts' own credentials, without their secrets.",
    ));
    let whose = "Only those of this account and of those below it.";
    let list = list.query("account", json!({ "type": "string" }), whose);
    api.add(list.gives(200, Some(page::schema(view.clone()))).refuses(&[404]), list_credentials);
    let read = Endpoint::new(Verb::Get, ONE, Policy::Keys, "get_credential", "One, without its secret.");
    api.add(read.gives(200, Some(view.clone())).refuses(&[404]), get_credential);
    let secret = json!({
        "type": "object",
        "required": ["secret"],
        "additionalProperties": false,
        "properties": {
            "secret": {
                "type": "string",
                "minLength": 1,
                "maxLength": MAX_SECRET,
                "pattern": "^[!-~]+$",
                "writeOnly": true,
                "description": "The key as the provider gave it. It is never shown again.",
            },
        },
    });
    let put = Endpoint::new(
        Verb::Put,
        ONE,
        Policy::Keys,
        "put_credential",
        "Keeps an account's own credential for a provider; its traffic uses no other from then on.",
    );
    api.add(put.takes(secret).gives(200, Some(view)).refuses(&[404, 409]), put_credential);
    let delete = Endpoint::new(
        Verb::Delete,
        ONE,
        Policy::Keys,
        "delete_credential",
        "Forgets it, everywhere within seconds; the account uses the next one above it, at last the gateway's.",
    );
    api.add(delete.gives(200, Some(deleted)).refuses(&[404]), delete_credential);
}

/// Whether the caller may work on what belongs to that account: the one place that decides it.
fn of_account(caller: &Caller, account: &str) -> Result<(), Problem> {
    caller.may(account)?;
    AccountId::read(account).map(|_| ()).map_err(|_| Problem::missing("account", account))
}

async fn list_credentials(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    Asked(wanted): Asked<Wanted>,
) -> Result<Json<Listed<CredentialView>>, Problem> {
    let (tree, page) = (caller.tree(wanted.account)?, Page::new(wanted.limit, wanted.after));
    let entries = admin.vault.list(Purpose::Credential).await?.into_iter();
    let seen = entries.filter(|entry| tree.is_empty() || is_within(&entry.slot.account, &tree));
    let mut views: Vec<CredentialView> = seen.map(CredentialView::from).collect();
    let name = |view: &CredentialView| format!("{}/{}", view.account, view.provider);
    views.sort_by_key(name);
    Ok(Json(Listed::of(views.into_iter(), &page, name)?))
}

async fn get_credential(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    Ids(account, provider): Ids,
) -> Result<Json<CredentialView>, Problem> {
    of_account(&caller, &account)?;
    let slot = Slot::credential(&account, &provider);
    let found = admin.vault.list(Purpose::Credential).await?.into_iter().find(|entry| entry.slot == slot);
    found.map(|entry| Json(entry.into())).ok_or_else(|| missing(&account, &provider))
}

async fn put_credential(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    Ids(account, provider): Ids,
    Said(new): Said<NewCredential>,
) -> Result<Json<CredentialView>, Problem> {
    let secret = Secret::new(new.secret);
    of_account(&caller, &account)?;
    let is_secret = |text: &str| (1..=MAX_SECRET).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_graphic());
    if !is_secret(secret.expose()) {
        let detail = format!("A secret has 1 to {MAX_SECRET} printable characters without spaces.");
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_secret", detail));
    }
    let current = admin.publication.current();
    let row = current.catalog.providers.iter().find(|row| row.id == provider);
    let Some(row) = row else {
        let detail = format!(
            "There is no provider `{provider}` that is served. One without a key of the gateway's is served when its row says \
             `own_keys = true`."
        );
        return Err(Problem::new(StatusCode::NOT_FOUND, "not_served", detail));
    };
    if row.signing.is_some() {
        let detail =
            "Requests to this provider are signed by the gateway; with `own_keys = true` in its row they carry keys.";
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "signed", detail));
    }
    let entry = admin.vault.put(&Slot::credential(&account, &provider), &secret, &caller.actor()).await?;
    Ok(Json(entry.into()))
}

async fn delete_credential(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    Ids(account, provider): Ids,
) -> Result<Json<Deleted>, Problem> {
    of_account(&caller, &account)?;
    match admin.vault.delete(&Slot::credential(&account, &provider), &caller.actor()).await? {
        true => Ok(Json(Deleted { deleted: 1 })),
        false => Err(missing(&account, &provider)),
    }
}

fn missing(account: &str, provider: &str) -> Problem {
    Problem::missing("own credential", &format!("{account}/{provider}"))
}
