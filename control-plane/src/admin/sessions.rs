//! Sessions: what came of sign-ins. Shown by the last characters of their tokens, renewed, ended. No token is ever answered.

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::Admin;
use super::api::{Api, Endpoint, Verb};
use super::body::{Asked, Ids};
use super::page::{self, Listed, Page};
use super::policy::{Caller, Policy};
use super::problem::Problem;
use super::sign_ins::provider_failed;
use crate::accounts::is_within;
use crate::oauth::Stuck;
use crate::store::sessions::Session;

/// A session as it is listed.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionView {
    /// Whose it is; it serves nobody else, nobody below it either.
    account: String,
    /// With whom.
    provider: String,
    /// The last characters of the token; empty when it is short.
    last_four: String,
    /// What it may do, in the provider's words.
    scopes: Vec<String>,
    /// When the token ends, in milliseconds since 1970; it is renewed before. Null when the provider does not say.
    expires_ms: Option<i64>,
    /// `active`, or `needs_sign_in` when its owner has to sign in again.
    state: String,
    /// What went wrong last; empty when nothing did.
    said: String,
    /// When its owner first signed in.
    created_ms: i64,
    /// When its tokens were written last.
    changed_ms: i64,
    /// By whom.
    changed_by: String,
}

impl From<Session> for SessionView {
    fn from(session: Session) -> SessionView {
        SessionView {
            account: session.account,
            provider: session.provider,
            last_four: session.hint,
            scopes: session.scopes,
            expires_ms: Some(session.expires_ms).filter(|ends| *ends > 0),
            state: session.state.name().to_string(),
            said: session.said,
            created_ms: session.created_ms,
            changed_ms: session.changed_ms,
            changed_by: session.changed_by,
        }
    }
}

/// What became of a sign-out.
#[derive(Debug, Serialize, ToSchema)]
pub struct SignedOut {
    /// How many sessions are gone.
    deleted: u64,
    /// Whether the provider took the tokens back.
    revoked: bool,
    /// Why it did not; empty when it did.
    said: String,
}

/// Which page of which list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    account: Option<String>,
    limit: Option<u32>,
    after: Option<String>,
}

/// The path of one.
const ONE: &str = "/sessions/{account}/{provider}";

/// Adds the endpoints.
pub fn add(api: &mut Api) {
    let (view, out) = (api.schema::<SessionView>(), api.schema::<SignedOut>());
    let list = page::asked(Endpoint::new(
        Verb::Get,
        "/sessions",
        Policy::Keys,
        "list_sessions",
        "Who is signed in with which provider, without their tokens.",
    ));
    let whose = "Only those of this account and of those below it.";
    let list = list.query("account", json!({ "type": "string" }), whose);
    api.add(list.gives(200, Some(page::schema(view.clone()))).refuses(&[404]), list_sessions);
    let refresh = Endpoint::new(
        Verb::Post,
        &format!("{ONE}/refresh"),
        Policy::Keys,
        "refresh_session",
        "Renews a session now; by itself that happens before its token ends.",
    );
    api.add(refresh.gives(200, Some(view)).refuses(&[404, 409, 502]), refresh_session);
    let delete = Endpoint::new(
        Verb::Delete,
        ONE,
        Policy::Keys,
        "delete_session",
        "Signs an account out: the provider takes its tokens back, and the gateway forgets them, everywhere within seconds.",
    );
    api.add(delete.gives(200, Some(out)).refuses(&[404]), delete_session);
}

async fn list_sessions(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    Asked(wanted): Asked<Wanted>,
) -> Result<Json<Listed<SessionView>>, Problem> {
    let (tree, page) = (caller.tree(wanted.account)?, Page::new(wanted.limit, wanted.after));
    let sessions = admin.oauth.sessions().list().await?.into_iter();
    let seen = sessions.filter(|session| tree.is_empty() || is_within(&session.account, &tree));
    let mut views: Vec<SessionView> = seen.map(SessionView::from).collect();
    let name = |view: &SessionView| format!("{}/{}", view.account, view.provider);
    views.sort_by_key(name);
    Ok(Json(Listed::of(views.into_iter(), &page, name)?))
}

async fn refresh_session(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    Ids(account, provider): Ids,
) -> Result<Json<SessionView>, Problem> {
    caller.may(&account)?;
    let refreshed = admin.oauth.refresh(&account, &provider, &caller.actor()).await;
    refreshed.map(|session| Json(session.into())).map_err(|stuck| stuck_at(&account, &provider, stuck))
}

async fn delete_session(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    Ids(account, provider): Ids,
) -> Result<Json<SignedOut>, Problem> {
    caller.may(&account)?;
    let out = admin.oauth.sign_out(&account, &provider, &caller.actor()).await;
    let out = out.map_err(|stuck| stuck_at(&account, &provider, stuck))?;
    Ok(Json(SignedOut { deleted: 1, revoked: out.by_provider, said: out.said }))
}

fn stuck_at(account: &str, provider: &str, stuck: Stuck) -> Problem {
    match stuck {
        Stuck::None => Problem::missing("session", &format!("{account}/{provider}")),
        Stuck::NeedsSignIn(why) => Problem::new(StatusCode::CONFLICT, "needs_sign_in", why),
        Stuck::Provider(why) => provider_failed(why),
        Stuck::Fault(fault) => fault.into(),
    }
}
