//! Sign-out: the provider takes the tokens back (RFC 7009), then they are forgotten.

use oauth2::HttpRequest;
use oauth2::http::header::{CONTENT_TYPE, HeaderValue};
use oauth2::http::{Method, Request};
use oauth2::url::form_urlencoded;
use tokio::time::{Instant, sleep};
use tracing::warn;

use super::OAuth;
use super::egress::MAX_WAIT;
use super::exchange::Held;
use super::refresh::{CLAIM_MS, LOOK, Stuck};
use crate::settings::{Secret, SignIn};
use crate::store::sessions::{Patience, SessionState};
use crate::vault::Slot;

/// What became of a sign-out. The gateway has forgotten the tokens either way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// Whether the provider took them back.
    pub by_provider: bool,
    /// Why it did not; empty when it did.
    pub said: String,
}

impl OAuth {
    /// Signs an account out.
    pub async fn sign_out(&self, account: &str, provider: &str, by: &str) -> Result<Revoked, Stuck> {
        let slot = Slot::session(account, provider);
        let turn = self.0.flights.turn(&slot);
        let _turn = turn.lock().await;
        self.wait_for_others(&slot).await?;
        let (_, document) = self.0.sessions.open(&slot).await?.ok_or(Stuck::None)?;
        let current = self.0.current.borrow().clone();
        let terms = current.catalog.sign_ins.get(provider);
        let taken = match (terms, Held::read(&document)) {
            (Some(terms), Some(held)) => self.take_back(terms, &held).await,
            _ => Err("its row is gone".to_string()),
        };
        if !self.0.sessions.delete(&slot, by).await? {
            return Err(Stuck::None);
        }
        Ok(match taken {
            Ok(()) => Revoked { by_provider: true, said: String::new() },
            Err(why) => {
                warn!(account, provider, "a session is forgotten, but its provider did not take it back: {why}");
                let said = format!(
                    "The gateway forgot the session, but the provider did not take it back: {why}. \
                                    End it in your account there."
                );
                Revoked { by_provider: false, said }
            }
        })
    }

    /// Who renews it meanwhile is waited for: what they get has to be taken back as well.
    async fn wait_for_others(&self, slot: &Slot) -> Result<(), Stuck> {
        let end = Instant::now() + MAX_WAIT;
        while let Some(session) = self.0.sessions.find(slot).await?
            && session.state == SessionState::Active
            && Instant::now() < end
            && !self.0.sessions.claim(slot, session.version, (&self.0.me, CLAIM_MS), Patience::AtOnce).await?
        {
            sleep(LOOK).await;
        }
        Ok(())
    }

    /// The refresh token first: of what is left, the access token ends by itself.
    async fn take_back(&self, terms: &SignIn, held: &Held) -> Result<(), String> {
        if terms.revoke_url.is_none() {
            return Err("its row has no `revoke_url`".to_string());
        }
        if let Some(refresh) = &held.refresh {
            self.revoke(terms, refresh, "refresh_token").await?;
        }
        self.revoke(terms, &held.access, "access_token").await
    }

    async fn revoke(&self, terms: &SignIn, token: &Secret, kind: &str) -> Result<(), String> {
        let request = question(terms, token, kind).map_err(|_| "what its row says can't be sent".to_string())?;
        let response = self.0.egress.send(terms, request).await.map_err(|why| why.to_string())?;
        match response.status() {
            status if status.is_success() => Ok(()),
            status => Err(format!("it answered with status {}", status.as_u16())),
        }
    }
}

fn question(terms: &SignIn, token: &Secret, kind: &str) -> anyhow::Result<HttpRequest> {
    let id = terms.client_id.clone().map_err(anyhow::Error::msg)?;
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("token", token.expose()).append_pair("token_type_hint", kind).append_pair("client_id", &id);
    if let Some(secret) = &terms.client_secret {
        form.append_pair("client_secret", secret.expose());
    }
    let request = Request::builder().method(Method::POST).uri(terms.revoke_url.as_deref().unwrap_or_default());
    let request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    Ok(request.body(form.finish().into_bytes())?)
}
