//! Sign-ins with providers: begun here, finished in a browser, looked at meanwhile.

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::Admin;
use super::api::{Api, Endpoint, Verb};
use super::body::{Id, Said};
use super::policy::{Caller, Policy};
use super::problem::Problem;
use crate::accounts::AccountId;
use crate::oauth::Refused;
use crate::store::sign_ins::{Flow, SignInEntry};

/// A sign-in. What a person needs to go on is there once, when it is made.
#[derive(Debug, Serialize, ToSchema)]
pub struct SignInView {
    /// Its id.
    id: String,
    /// With whom.
    provider: String,
    /// Who will own the session, alone.
    account: String,
    /// `browser` or `device`.
    flow: String,
    /// `waiting`, `done` or `failed`.
    state: String,
    /// Why it failed; empty otherwise.
    said: String,
    /// When it is over, in milliseconds since 1970.
    expires_ms: i64,
    /// The page to open in a browser.
    #[serde(skip_serializing_if = "Option::is_none")]
    start_url: Option<String>,
    /// What to type at the provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_code: Option<String>,
    /// Where to type it.
    #[serde(skip_serializing_if = "Option::is_none")]
    verification_uri: Option<String>,
    /// How long the provider is left alone between two questions, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    interval: Option<u64>,
}

impl From<SignInEntry> for SignInView {
    fn from(entry: SignInEntry) -> SignInView {
        SignInView {
            id: entry.id,
            provider: entry.provider,
            account: entry.account,
            flow: entry.flow.name().to_string(),
            state: entry.progress.name().to_string(),
            said: entry.said,
            expires_ms: entry.expires_ms,
            start_url: None,
            user_code: None,
            verification_uri: None,
            interval: None,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewSignIn {
    provider: String,
    account: String,
    flow: String,
}

/// Adds the endpoints.
pub fn add(api: &mut Api) {
    let view = api.schema::<SignInView>();
    let flows: Vec<&str> = Flow::ALL.iter().map(|flow| flow.name()).collect();
    let new = json!({
        "type": "object",
        "required": ["provider", "account", "flow"],
        "additionalProperties": false,
        "properties": {
            "provider": { "type": "string", "description": "With whom." },
            "account": { "type": "string", "description": "Who will own the session, alone." },
            "flow": { "type": "string", "enum": flows, "description": "In a browser that comes back, or by a code that is typed." },
        },
    });
    let begin = Endpoint::new(
        Verb::Post,
        "/sign-ins",
        Policy::Keys,
        "begin_sign_in",
        "Begins a sign-in of a person with a provider; whoever gets the page or the code finishes it.",
    );
    api.add(begin.takes(new).gives(201, Some(view.clone())).refuses(&[404, 502]), begin_sign_in);
    let read = Endpoint::new(Verb::Get, "/sign-ins/{id}", Policy::Keys, "get_sign_in", "What became of a sign-in.");
    api.add(read.gives(200, Some(view)).refuses(&[404]), get_sign_in);
}

async fn begin_sign_in(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    Said(new): Said<NewSignIn>,
) -> Result<(StatusCode, Json<SignInView>), Problem> {
    let NewSignIn { provider, account, flow } = new;
    caller.may(&account)?;
    let flow = Flow::named(&flow).ok_or_else(|| Problem::bad("`flow` is `browser` or `device`."))?;
    let known = AccountId::read(&account).is_ok() && admin.store.account(&account).await?.is_some();
    if !known {
        return Err(Problem::missing("account", &account));
    }
    let by = caller.actor();
    let view = match flow {
        Flow::Browser => {
            let (entry, start) = admin.oauth.begin_in_browser(&provider, &account, &by).await?;
            SignInView { start_url: Some(start), ..entry.into() }
        }
        Flow::Device => {
            let (entry, shown) = admin.oauth.begin_on_device(&provider, &account, &by).await?;
            SignInView {
                user_code: Some(shown.user_code),
                verification_uri: Some(shown.verification_uri),
                interval: Some(shown.interval),
                ..entry.into()
            }
        }
    };
    Ok((StatusCode::CREATED, Json(view)))
}

async fn get_sign_in(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    Id(id): Id,
) -> Result<Json<SignInView>, Problem> {
    let found = admin.store.sign_in(&id).await?.filter(|entry| caller.sees(&entry.account));
    found.map(|entry| Json(entry.into())).ok_or_else(|| Problem::missing("sign-in", &id))
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Problem {
        let unfit = |word, why: String| {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, word, format!("Nobody signs in with this provider: {why}."))
        };
        match refused {
            Refused::Unknown(provider) => Problem::missing("provider with a `sign_in`", &provider),
            Refused::Off(why) => unfit("sign_in_off", why),
            Refused::Unready(why) => unfit("sign_in_unready", why),
            Refused::Provider(why) => provider_failed(why),
            Refused::Fault(fault) => fault.into(),
        }
    }
}

/// The provider did not do its part.
pub fn provider_failed(why: String) -> Problem {
    Problem::new(StatusCode::BAD_GATEWAY, "provider_failed", format!("The provider did not do its part: {why}"))
}
