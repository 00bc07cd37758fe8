//! The address where a person is asked: state, PKCE with S256, scopes.

use std::borrow::Cow;

use oauth2::basic::BasicClient;
use oauth2::{AuthUrl, ClientId, CsrfToken, PkceCodeChallenge, RedirectUrl, Scope};

use crate::settings::{Secret, SignIn};
use crate::store::hex;
use crate::store::pepper::random;

/// Bytes of a state and of a browser's mark: 256 bits.
const STRENGTH: usize = 32;

/// What a browser is sent with, and what is kept to know it again.
pub(super) struct Asked {
    /// The address.
    pub address: Secret,
    /// The state in it.
    pub state: Secret,
    /// What the challenge in it was made of.
    pub verifier: Secret,
}

/// Something that nobody guesses.
pub(super) fn unguessable() -> anyhow::Result<Secret> {
    Ok(Secret::new(hex(&random::<STRENGTH>()?)))
}

/// Asks a person for what the row says; every time with another state and another verifier. The error says what the row lacks.
pub(super) fn ask(terms: &SignIn, redirect_uri: &str) -> Result<Asked, String> {
    let url = terms.authorize_url.clone().ok_or("its row has no `authorize_url`")?;
    let url = AuthUrl::new(url).map_err(|_| "its `authorize_url` is no URL")?;
    let redirect = RedirectUrl::new(redirect_uri.to_string()).map_err(|_| "its redirect URI is no URL")?;
    let state = unguessable().map_err(|error| error.to_string())?;
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let client = BasicClient::new(ClientId::new(terms.client_id.clone()?)).set_auth_uri(url);
    let mut request = client
        .authorize_url(|| CsrfToken::new(state.expose().to_string()))
        .add_scopes(terms.scopes.iter().cloned().map(Scope::new))
        .set_pkce_challenge(challenge)
        .set_redirect_uri(Cow::Owned(redirect));
    for (name, value) in &terms.parameters {
        request = request.add_extra_param(name.clone(), value.clone());
    }
    let (address, _) = request.url();
    Ok(Asked { address: Secret::new(address), state, verifier: Secret::new(verifier.into_secret()) })
}
