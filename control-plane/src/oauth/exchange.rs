//! Codes and refresh tokens become tokens, at the provider's token endpoint.

use std::borrow::Cow;
use std::time::Duration;

use oauth2::basic::{BasicClient, BasicErrorResponse, BasicTokenResponse, BasicTokenType};
use oauth2::{
    AuthType, AuthorizationCode, ClientId, ClientSecret, EndpointNotSet, EndpointSet, PkceCodeVerifier, RedirectUrl,
    RefreshToken, RequestTokenError, TokenResponse, TokenUrl,
};
use serde::{Deserialize, Serialize};

use super::egress::{Egress, Line, Unreachable};
use crate::settings::{Secret, SignIn, Style};
use crate::store::now_ms;
use crate::store::sessions::Tokens;

/// Longest token: signed ones have some kilobytes.
const MAX_TOKEN: usize = 16 * 1024;
/// How many characters of a token are shown.
const HINT: usize = 4;
/// A token that is shorter shows none.
const SHORTEST_WITH_HINT: usize = 16;
/// So long before its end a token is renewed at the latest, where it lives long enough.
const AHEAD_MS: i64 = 60_000;

/// What providers say when a code or a refresh token is none, or no longer.
pub(super) const INVALID_GRANT: &str = "invalid_grant";

/// Why there are no tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The provider said no, with this word.
    Refused(String),
    /// It said nothing that can be used.
    Unusable(String),
}

impl Failure {
    /// For people.
    pub(super) fn words(&self) -> String {
        match self {
            Failure::Refused(word) => format!("it said `{word}`"),
            Failure::Unusable(why) => why.clone(),
        }
    }
}

impl From<Unreachable> for Failure {
    fn from(Unreachable(why): Unreachable) -> Failure {
        Failure::Unusable(why)
    }
}

/// The document of the vault.
#[derive(Serialize)]
struct Written<'a> {
    access: &'a str,
    refresh: Option<&'a str>,
}

#[derive(Deserialize)]
struct Read {
    access: String,
    refresh: Option<String>,
}

/// A person's tokens.
#[derive(Clone, Debug)]
pub(super) struct Held {
    /// What authenticates.
    pub access: Secret,
    /// What renews it.
    pub refresh: Option<Secret>,
}

impl Held {
    /// What the vault has.
    pub(super) fn read(document: &Secret) -> Option<Held> {
        let Read { access, refresh } = serde_json::from_str(document.expose()).ok()?;
        Some(Held { access: Secret::new(access), refresh: refresh.map(Secret::new) })
    }

    fn write(&self) -> anyhow::Result<Secret> {
        let written =
            Written { access: self.access.expose(), refresh: self.refresh.as_ref().map(|refresh| refresh.expose()) };
        Ok(Secret::new(serde_json::to_string(&written)?))
    }
}

type Client = BasicClient<EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

fn client(terms: &SignIn) -> Result<Client, Failure> {
    let lacking = |what: &str| Failure::Unusable(format!("its row has no `{what}`"));
    let id = terms.client_id.clone().map_err(Failure::Unusable)?;
    let url = terms.token_url.clone().ok_or_else(|| lacking("token_url"))?;
    let url = TokenUrl::new(url).map_err(|_| lacking("token_url"))?;
    let client = BasicClient::new(ClientId::new(id)).set_auth_type(AuthType::RequestBody).set_token_uri(url);
    Ok(match &terms.client_secret {
        Some(secret) => client.set_client_secret(ClientSecret::new(secret.expose().to_string())),
        None => client,
    })
}

/// The tokens of a code that a browser brought.
pub(super) async fn code(
    egress: &Egress,
    terms: &SignIn,
    (code, state): (&str, &str),
    verifier: &Secret,
    redirect_uri: &str,
) -> Result<Tokens, Failure> {
    let redirect = RedirectUrl::new(redirect_uri.to_string());
    let redirect = redirect.map_err(|_| Failure::Unusable("its redirect URI is no URL".to_string()))?;
    let client = client(terms)?;
    let mut request = client
        .exchange_code(AuthorizationCode::new(code.to_string()))
        .set_pkce_verifier(PkceCodeVerifier::new(verifier.expose().to_string()))
        .set_redirect_uri(Cow::Owned(redirect));
    if terms.style == Style::Json {
        // Those who speak JSON here want to see it again.
        request = request.add_extra_param("state", state.to_string());
    }
    let line = Line { egress, terms };
    tokens(request.request_async(&line).await.map_err(failure)?, terms, None)
}

/// The tokens that a refresh token is good for.
pub(super) async fn refresh(egress: &Egress, terms: &SignIn, held: &Secret) -> Result<Tokens, Failure> {
    let client = client(terms)?;
    let token = RefreshToken::new(held.expose().to_string());
    let request = client.exchange_refresh_token(&token);
    let line = Line { egress, terms };
    tokens(request.request_async(&line).await.map_err(failure)?, terms, Some(held))
}

/// What was answered as it is kept. A provider that gives no other refresh token leaves the one that was used.
pub(super) fn tokens(answer: BasicTokenResponse, terms: &SignIn, used: Option<&Secret>) -> Result<Tokens, Failure> {
    let access = access(&answer)?;
    let refresh = answer.refresh_token().map(|given| token(given.secret())).transpose()?;
    let held = Held { access, refresh: refresh.or_else(|| used.cloned()) };
    let (expires_ms, refresh_ms) = match answer.expires_in() {
        Some(life) => times(now_ms(), life),
        None => (0, 0),
    };
    // Who does not say what it gave gave what was asked for.
    let scopes = answer.scopes().map(|scopes| scopes.iter().map(|scope| scope.to_string()).collect());
    Ok(Tokens {
        document: held.write().map_err(|_| Failure::Unusable("what it gave can't be kept".to_string()))?,
        hint: hint(held.access.expose()),
        scopes: scopes.unwrap_or_else(|| terms.scopes.clone()),
        expires_ms,
        refresh_ms: if held.refresh.is_some() { refresh_ms } else { 0 },
    })
}

/// What authenticates. It becomes a header, as a bearer's; one of another type would be worth nothing there.
pub(super) fn access(answer: &BasicTokenResponse) -> Result<Secret, Failure> {
    match answer.token_type() {
        BasicTokenType::Bearer => token(answer.access_token().secret()),
        _ => Err(no_token()),
    }
}

/// A text that can stand in a header.
pub(super) fn token(text: &str) -> Result<Secret, Failure> {
    let is_one = (1..=MAX_TOKEN).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_graphic());
    if is_one { Ok(Secret::new(text)) } else { Err(no_token()) }
}

fn no_token() -> Failure {
    Failure::Unusable("what it gave is no token".to_string())
}

/// When a token ends, and when it is renewed: at four fifths of its life, a minute before its end if that is earlier, and not before half
/// of it is over.
pub(super) fn times(now_ms: i64, life: Duration) -> (i64, i64) {
    let life = i64::try_from(life.as_millis()).unwrap_or(i64::MAX).min(i64::MAX - now_ms);
    let ahead = AHEAD_MS.max(life / 5).min(life / 2);
    (now_ms + life, now_ms + life - ahead)
}

fn hint(token: &str) -> String {
    match token.len().checked_sub(HINT).filter(|_| token.len() >= SHORTEST_WITH_HINT) {
        Some(start) => token.chars().skip(start).collect(),
        None => String::new(),
    }
}

/// A provider's word for an error, if it looks like one: its sentences may hold anything.
pub(super) fn word(said: &str) -> String {
    let plain = said.len() <= 64 && said.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_');
    if plain && !said.is_empty() { said.to_string() } else { "an error without a name".to_string() }
}

/// The error of an answer that has one.
pub(super) fn refused(body: &[u8]) -> Option<Failure> {
    #[derive(Deserialize)]
    struct Refusal {
        error: String,
    }
    let refusal: Refusal = serde_json::from_slice(body).ok()?;
    Some(Failure::Refused(word(&refusal.error)))
}

pub(super) fn failure(error: RequestTokenError<Unreachable, BasicErrorResponse>) -> Failure {
    match error {
        RequestTokenError::ServerResponse(response) => Failure::Refused(word(response.error().as_ref())),
        RequestTokenError::Request(unreachable) => unreachable.into(),
        // Some say no with a good status.
        RequestTokenError::Parse(_, body) => {
            refused(&body).unwrap_or_else(|| Failure::Unusable("its answer can't be read".to_string()))
        }
        RequestTokenError::Other(_) => Failure::Unusable("its answer can't be read".to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_renewed_a_fifth_of_its_life_before_its_end_and_never_at_once() {
        for (life, ahead) in [(3600, 720), (300, 60), (100, 50), (10, 5)] {
            let life = Duration::from_secs(life);
            assert_eq!(times(0, life), (life.as_millis() as i64, life.as_millis() as i64 - ahead * 1000));
        }
        let (ends, renewed) = times(1_000, Duration::MAX);
        assert!(ends == i64::MAX && renewed < ends);
    }

    #[test]
    fn of_a_providers_error_only_the_word_is_told() {
        for said in ["", "Invalid", "token sk-1 is bad", "<script>", &"a".repeat(65), "a\nb"] {
            assert_eq!(word(said), "an error without a name");
        }
        assert_eq!(word(INVALID_GRANT), INVALID_GRANT);
        let body = br#"{"error":"bad_verification_code","error_description":"sk-secret"}"#;
        assert_eq!(refused(body), Some(Failure::Refused("bad_verification_code".into())));
        assert_eq!(refused(b"<html>"), None);
    }
}
