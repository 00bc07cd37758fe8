//! Tokens of this API.

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::Admin;
use super::api::{Api, Endpoint, Verb};
use super::body::{Asked, Id, Said};
use super::keys::{MAX_NAME, Revoked};
use super::page::{self, Listed, Page};
use super::policy::{Caller, Policy};
use super::problem::Problem;
use crate::store::tokens::{self, Role};

/// A token as it is listed; the token itself is known to its holder only.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenView {
    /// Its id, as the audit log names it.
    id: String,
    /// A name to remember it by.
    name: String,
    /// What its holder may do.
    role: String,
    /// Whose accounts a tenant-admin works on; empty for the other roles.
    account: String,
    /// When it was made, in milliseconds since 1970.
    created_ms: i64,
    /// When it was revoked; null while it is good.
    revoked_ms: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewToken {
    #[serde(default)]
    name: String,
    role: String,
    #[serde(default)]
    account: String,
}

/// A token at the only moment in which it is shown.
#[derive(Debug, Serialize, ToSchema)]
pub struct MadeToken {
    /// Its id.
    id: String,
    /// The token.
    token: String,
}

/// Adds the endpoints.
pub fn add(api: &mut Api) {
    let (view, made, revoked) = (api.schema::<TokenView>(), api.schema::<MadeToken>(), api.schema::<Revoked>());
    let roles: Vec<&str> = Role::ALL.iter().map(|role| role.name()).collect();
    let new = json!({
        "type": "object",
        "required": ["role"],
        "additionalProperties": false,
        "properties": {
            "name": { "type": "string", "maxLength": MAX_NAME, "description": "A name to remember it by." },
            "role": { "type": "string", "enum": roles, "description": "What its holder may do." },
            "account": {
                "type": "string",
                "description": "Whose accounts a tenant-admin works on; none for the other roles.",
            },
        },
    });
    let list = page::asked(Endpoint::new(Verb::Get, "/tokens", Policy::Own, "list_tokens", "Every token of this API."));
    api.add(list.gives(200, Some(page::schema(view))), list_tokens);
    let create = Endpoint::new(
        Verb::Post,
        "/tokens",
        Policy::Own,
        "create_token",
        "Makes a token; it is shown now and never again.",
    );
    api.add(create.takes(new).gives(201, Some(made)), create_token);
    let revoke = Endpoint::new(
        Verb::Post,
        "/tokens/{id}/revoke",
        Policy::Own,
        "revoke_token",
        "Revokes a token, at once. The last owner's stays.",
    );
    api.add(revoke.gives(200, Some(revoked)).refuses(&[404, 409]), revoke_token);
}

async fn list_tokens(State(admin): State<Admin>, Asked(page): Asked<Page>) -> Result<Json<Listed<TokenView>>, Problem> {
    let view = |token: tokens::Listed| TokenView {
        id: token.id,
        name: token.name,
        role: token.role.name().to_string(),
        account: token.account,
        created_ms: token.created_ms,
        revoked_ms: token.revoked_ms,
    };
    let mut views: Vec<TokenView> = admin.tokens.list().await?.into_iter().map(view).collect();
    views.sort_by(|one, two| one.id.cmp(&two.id));
    Ok(Json(Listed::of(views.into_iter(), &page, |token| token.id.clone())?))
}

async fn create_token(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    Said(new): Said<NewToken>,
) -> Result<(StatusCode, Json<MadeToken>), Problem> {
    let role = Role::named(&new.role).filter(|_| new.name.chars().count() <= MAX_NAME);
    let role =
        role.ok_or_else(|| Problem::bad("A token has one of the roles, and a name of at most 200 characters."))?;
    let made = admin.tokens.create(&caller.actor(), &new.name, role, &new.account).await;
    let made = made.map_err(|why| Problem::not_changed("token", "", why))?;
    Ok((StatusCode::CREATED, Json(MadeToken { id: made.id, token: made.token.expose().to_string() })))
}

async fn revoke_token(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
) -> Result<Json<Revoked>, Problem> {
    let revoked = admin.tokens.revoke_id(&caller.actor(), &id).await;
    Ok(Json(Revoked::count(revoked.map_err(|why| Problem::not_changed("token", &id, why))?)))
}
