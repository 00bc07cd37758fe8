//! People who sign in with a provider of their own.

use anyhow::{Context as _, bail};
use serde_json::json;

use crate::api::Api;
use crate::authority::{Authority, Person};
use crate::gateway::Setup;
use crate::simulator::persona::Dialect;

/// The provider that they sign in with.
pub const NAME: &str = "signed-in";

/// What they ask it for.
pub const MODEL: &str = "model-of-people";

/// What their client's name stands in.
const VARIABLE: &str = "CLIENT_OF_PEOPLE";

/// A provider whose people sign in at this server.
pub fn with_sign_in(setup: Setup, authority: &Authority, provider: &str) -> Setup {
    let setup = setup.provider(NAME, Dialect::Chat, provider, "").model(MODEL, &[NAME]);
    signing_in(setup, authority)
}

/// The same of the last provider.
pub fn signing_in(setup: Setup, authority: &Authority) -> Setup {
    let row = format!(
        "sign_in = {{ policy = \"owner_only\", authorize_url = \"{}\", token_url = \"{}\", issuer = \"{}\", \
         client_id = {{ env = \"{VARIABLE}\" }}, scopes = [\"models\"] }}",
        authority.authorize_url(),
        authority.token_url(),
        authority.url(),
    );
    setup.with(&row).variable(VARIABLE, "client")
}

/// An account's person signs in with a provider.
pub fn sign_in(api: &Api, provider: &str, account: &str) -> anyhow::Result<()> {
    let asked = json!({ "provider": provider, "account": account, "flow": "browser" });
    let begun = api.say("POST", "/api/v1/sign-ins", &asked)?;
    let mut person = Person::default();
    let page = person.open(begun["start_url"].as_str().context("a start")?)?;
    let done = person.follow(&page.link("go")?)?;
    if done.status != 200 {
        bail!("{account} could not sign in: {} {}", done.status, done.text());
    }
    Ok(())
}
