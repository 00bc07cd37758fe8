//! Sign-in with a code that is typed at the provider, in any browser (RFC 8628).
//!
//! Who typed it is asked for by one control plane at a time, and never sooner than the provider allows: after an answer it is left
//! alone for its interval, and for five seconds more each time when it says that this was too soon.
//!
//! Limits: the provider's short cut (`verification_uri_complete`) is not shown, so that people see what they type.

use std::time::Duration;

use oauth2::basic::{BasicClient, BasicTokenResponse};
use oauth2::http::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use oauth2::http::{Method, Request, StatusCode};
use oauth2::url::{Url, form_urlencoded};
use oauth2::{
    AuthType, ClientId, ClientSecret, DeviceAuthorizationUrl, EmptyExtraDeviceAuthorizationFields, HttpRequest, Scope,
    StandardDeviceAuthorizationResponse,
};

use super::browser::told;
use super::egress::{Line, MAX_WAIT};
use super::exchange::{self, Failure};
use super::{Flow, LIFE_MS, OAuth, Progress, Refused, SignInEntry};
use crate::settings::{Secret, SignIn};
use crate::store::now_ms;
use crate::vault::{Bound, Slot};

/// How often it is looked for codes that may be asked for.
const LOOK: Duration = Duration::from_secs(1);
/// How often what is long over is forgotten, in looks.
const FORGET: u64 = 3600;
/// How long a provider wants to be left alone that does not say so.
const USUAL_MS: i64 = 5_000;
/// And so much longer when that was too soon, or when it did not answer.
const LONGER_MS: i64 = 5_000;
/// Longest interval that makes sense of a code that lives for minutes.
const LONGEST_MS: i64 = 120_000;
/// Longest code that somebody types.
const MAX_CODE: usize = 64;
/// Longest address that somebody is sent to.
const MAX_ADDRESS: usize = 1024;

/// What a person is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// What they type.
    pub user_code: String,
    /// Where.
    pub verification_uri: String,
    /// How long the provider is left alone, in seconds.
    pub interval: u64,
}

/// What a provider says when it is asked whether somebody typed the code.
enum Answer {
    Tokens(crate::store::sessions::Tokens),
    NotYet,
    TooSoon,
    Silence,
    No(String),
}

impl OAuth {
    /// Begins a sign-in with a code.
    pub async fn begin_on_device(
        &self,
        provider: &str,
        account: &str,
        by: &str,
    ) -> Result<(SignInEntry, Shown), Refused> {
        let terms = self.terms(provider)?;
        let response = self.device_code(&terms).await?;
        let shown = shown(&terms, &response).map_err(Refused::Provider)?;
        let mut entry = OAuth::fresh(provider, account, Flow::Device, by)?;
        let life = i64::try_from(response.expires_in().as_millis()).unwrap_or(LIFE_MS);
        entry.expires_ms = now_ms() + life.clamp(0, 3 * LIFE_MS);
        entry.interval_ms = i64::try_from(response.interval().as_millis()).unwrap_or(USUAL_MS).clamp(1_000, LONGEST_MS);
        let slot = Slot::session(account, provider);
        let code = Secret::new(response.device_code().secret().clone());
        entry.envelope = self.0.vault.seal(Bound { slot: &slot, id: &entry.id, version: 0 }, &code)?;
        self.0.store.begin_sign_in(&entry).await?;
        Ok((entry, shown))
    }

    async fn device_code(&self, terms: &SignIn) -> Result<StandardDeviceAuthorizationResponse, Refused> {
        let url = terms.device_url.clone().and_then(|url| DeviceAuthorizationUrl::new(url).ok());
        let url = url.ok_or_else(|| Refused::Unready("its row has no `device_url`".to_string()))?;
        let id = ClientId::new(terms.client_id.clone().map_err(Refused::Unready)?);
        let mut client = BasicClient::new(id).set_auth_type(AuthType::RequestBody).set_device_authorization_url(url);
        if let Some(secret) = &terms.client_secret {
            client = client.set_client_secret(ClientSecret::new(secret.expose().to_string()));
        }
        let request = client.exchange_device_code().add_scopes(terms.scopes.iter().cloned().map(Scope::new));
        let line = Line { egress: &self.0.egress, terms };
        let answer = request.request_async::<_, EmptyExtraDeviceAuthorizationFields>(&line).await;
        answer.map_err(|error| Refused::Provider(exchange::failure(error).words()))
    }

    /// Asks for ever for those who have typed their codes.
    pub async fn run(self) {
        let mut interval = tokio::time::interval(LOOK);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        for look in 0_u64.. {
            interval.tick().await;
            let looked = async {
                for id in self.0.store.due_sign_ins().await? {
                    let oauth = self.clone();
                    tokio::spawn(async move { oauth.ask_for(&id).await });
                }
                if look % FORGET == 0 { self.0.store.forget_sign_ins().await } else { Ok(()) }
            };
            if let Err(error) = looked.await {
                tracing::error!("the store failed, and nobody asks for those who sign in: {error:#}");
            }
        }
    }

    pub(super) async fn ask_for(&self, id: &str) {
        let within = i64::try_from(MAX_WAIT.as_millis()).unwrap_or(LIFE_MS);
        let asked = async {
            let Some(entry) = self.0.store.claim_sign_in(id, within).await? else { return Ok(()) };
            let end = async |progress, said: &str| self.0.store.end_sign_in(id, progress, said).await;
            match self.typed(&entry).await {
                Answer::NotYet => self.0.store.wait_sign_in(id, entry.interval_ms).await,
                Answer::TooSoon | Answer::Silence => {
                    self.0.store.wait_sign_in(id, (entry.interval_ms + LONGER_MS).min(LONGEST_MS)).await
                }
                Answer::No(said) => end(Progress::Failed, &said).await,
                Answer::Tokens(tokens) => {
                    let slot = Slot::session(&entry.account, &entry.provider);
                    match self.keep(&entry, &slot, &tokens).await {
                        Ok(()) => end(Progress::Done, "").await,
                        Err(said) => end(Progress::Failed, &said).await,
                    }
                }
            }
        };
        if let Err(error) = asked.await {
            tracing::error!("the store failed, and a sign-in waits: {error:#}");
        }
    }

    /// Whether somebody typed the code.
    async fn typed(&self, entry: &SignInEntry) -> Answer {
        let slot = Slot::session(&entry.account, &entry.provider);
        let bound = Bound { slot: &slot, id: &entry.id, version: 0 };
        let code = match self.0.vault.unseal(bound, &entry.envelope) {
            Ok(code) => code,
            Err(fault) => return Answer::No(told(&fault.into())),
        };
        let terms = match self.terms(&entry.provider) {
            Ok(terms) => terms,
            Err(refused) => return Answer::No(told(&refused)),
        };
        let Ok(request) = question(&terms, &code) else { return Answer::No(NO_ROW.to_string()) };
        let Ok(response) = self.0.egress.send(&terms, request).await else { return Answer::Silence };
        let body = response.body();
        if response.status() == StatusCode::OK
            && let Ok(answer) = serde_json::from_slice::<BasicTokenResponse>(body)
        {
            return match exchange::tokens(answer, &terms, None) {
                Ok(tokens) => Answer::Tokens(tokens),
                Err(failure) => Answer::No(format!("The provider gave no token: {}.", failure.words())),
            };
        }
        match exchange::refused(body) {
            Some(Failure::Refused(word)) if word == "authorization_pending" => Answer::NotYet,
            Some(Failure::Refused(word)) if word == "slow_down" => Answer::TooSoon,
            Some(Failure::Refused(word)) if word == "expired_token" => {
                Answer::No("Nobody typed the code in time. Start again.".to_string())
            }
            Some(Failure::Refused(word)) if word == "access_denied" => {
                Answer::No("You, or the provider, said no. Nothing was kept.".to_string())
            }
            Some(failure) => Answer::No(format!("The provider said no: {}.", failure.words())),
            None => Answer::Silence,
        }
    }
}

const NO_ROW: &str = "What the provider's row says can't be asked.";

/// The question whether somebody typed the code.
fn question(terms: &SignIn, code: &Secret) -> anyhow::Result<HttpRequest> {
    let id = terms.client_id.clone().map_err(anyhow::Error::msg)?;
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "urn:ietf:params:oauth:grant-type:device_code");
    form.append_pair("device_code", code.expose()).append_pair("client_id", &id);
    if let Some(secret) = &terms.client_secret {
        form.append_pair("client_secret", secret.expose());
    }
    let url = Url::parse(terms.token_url.as_deref().unwrap_or_default())?;
    let request = Request::builder().method(Method::POST).uri(url.as_str());
    let request = request.header(ACCEPT, HeaderValue::from_static("application/json"));
    let request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    Ok(request.body(form.finish().into_bytes())?)
}

/// What of an answer is shown to people, if it is what they may be shown.
fn shown(terms: &SignIn, response: &StandardDeviceAuthorizationResponse) -> Result<Shown, String> {
    let user_code = response.user_code().secret().clone();
    let is_code = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if user_code.is_empty() || user_code.len() > MAX_CODE || !user_code.chars().all(is_code) {
        return Err("its code is none that anybody types".to_string());
    }
    let verification_uri = Url::parse(response.verification_uri()).ok().filter(|url| may_be_shown(terms, url));
    let verification_uri = verification_uri.ok_or("it sends people to a host that is not in its row")?;
    let interval = response.interval().as_secs().max(1);
    Ok(Shown { user_code, verification_uri: verification_uri.to_string(), interval })
}

/// Whether people may be sent there: to a host of the row, by TLS or on this machine.
fn may_be_shown(terms: &SignIn, url: &Url) -> bool {
    let own = [&terms.authorize_url, &terms.token_url, &terms.device_url, &terms.revoke_url, &terms.issuer];
    let own = own.into_iter().flatten().filter_map(|text| Url::parse(text).ok());
    let Some(host) = url.host_str() else { return false };
    let known = own.filter_map(|own| own.host_str().map(str::to_string)).any(|own| own == host)
        || terms.verification_hosts.iter().any(|known| known == host);
    let safe = url.scheme() == "https" || url.scheme() == "http" && ["127.0.0.1", "localhost", "[::1]"].contains(&host);
    known && safe && url.username().is_empty() && url.password().is_none() && url.as_str().len() <= MAX_ADDRESS
}

#[cfg(test)]
mod tests {
    use super::super::tests::terms;
    use super::*;

    #[test]
    fn nobody_is_sent_to_a_host_that_is_not_in_the_row() {
        let terms = SignIn {
            device_url: Some("https://id.corp.example/device/code".into()),
            verification_hosts: vec!["www.corp.example".into()],
            ..terms("https://id.corp.example")
        };
        for (address, good) in [
            ("https://id.corp.example/device", true),
            ("https://www.corp.example/d?x=1", true),
            ("http://id.corp.example/device", false),
            ("https://evil.example/device", false),
            ("https://id.corp.example.evil.example/", false),
            ("https://id.corp.example@evil.example/", false),
            ("https://user@id.corp.example/", false),
            ("javascript:alert(1)", false),
            ("https://evil.example/#https://id.corp.example/", false),
            ("data:text/html,x", false),
        ] {
            assert_eq!(may_be_shown(&terms, &Url::parse(address).unwrap()), good, "{address}");
        }
    }
}
