//! Tokens that are made of something else: of what a service account shows, or of a session's token.
//!
//! ```text
//! fresh ─▶ served until another is to be made
//! due   ─▶ served for a moment; another is made meanwhile
//! over  ─▶ another is made first; of all who want it one asks, and when nothing comes nobody asks for a while
//! ```
//!
//! They live for minutes and can be made as often as one likes, so they are in the memory alone, and each control plane makes its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dragoman_core::admission::digest;
use oauth2::basic::BasicTokenResponse;
use oauth2::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use oauth2::http::{Request, StatusCode};
use oauth2::{HttpRequest, HttpResponse, TokenResponse};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tracing::warn;

use super::OAuth;
use super::assertion;
use super::egress::{Egress, MAX_WAIT};
use super::exchange::{self, Failure};
use super::refresh::{MANY, PAUSE_MS, SOON_MS, Served, Standing, Stuck, UNENDING_MS, YOUNG_MS, standing};
use crate::catalog::Credential;
use crate::settings::{Auth, Secret, ServiceAccount, SignIn};
use crate::store::now_ms;

/// What a provider says to a session's token that is none, or no longer (RFC 6750).
const INVALID_TOKEN: &str = "invalid_token";

/// What a token is made of.
#[derive(Clone, PartialEq, Eq)]
enum Source {
    /// A service account.
    Account(ServiceAccount),
    /// A session's token, at the place where it is exchanged.
    Session(Box<SignIn>, Secret),
}

/// A token that was made.
struct Token {
    value: Secret,
    made_ms: i64,
    /// When it ends, and when another is to be made.
    times: (i64, i64),
}

/// Whose tokens: an account's, or nobody's, which is the gateway's own, and at which provider.
type Whose = (String, String);

/// The tokens that there are.
#[derive(Default)]
pub(super) struct Mint(Mutex<HashMap<Whose, Arc<Place>>>);

/// The place of one token.
#[derive(Default)]
struct Place {
    turn: Arc<tokio::sync::Mutex<()>>,
    known: Mutex<Option<Known>>,
}

/// What is known of it.
struct Known {
    source: Source,
    token: Option<Token>,
    /// Why the last one was not made, and until when nobody asks.
    failed: Option<(Failure, i64)>,
}

/// What is found in a place.
enum Found {
    Fresh(Served),
    Due(Served),
    Paused(Failure),
    Nothing,
}

impl Mint {
    fn place(&self, whose: &Whose) -> Arc<Place> {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Those of sessions that are over are not kept; it is looked for them only when there are twice as many as before.
        if places.len() >= MANY && places.len() == places.capacity() {
            places.retain(|_, place| Arc::strong_count(place) > 1 || place.is_of_use(now_ms()));
        }
        places.entry(whose.clone()).or_default().clone()
    }
}

impl Place {
    fn known(&self) -> MutexGuard<'_, Option<Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_of_use(&self, now: i64) -> bool {
        let known = self.known();
        let token = known.as_ref().and_then(|known| known.token.as_ref());
        token.is_some_and(|token| !matches!(standing(token.times, now), Standing::Over))
    }

    /// The token that was made of this, unless the provider `rejected` it. One that was made just now is no older than the
    /// rejection, and another would be rejected, too.
    fn look(&self, source: &Source, rejected: &[u8], now: i64) -> Found {
        let known = self.known();
        let Some(known) = known.as_ref().filter(|known| known.source == *source) else { return Found::Nothing };
        let failed = known.failed.as_ref().filter(|(_, until)| *until > now).map(|(failure, _)| failure.clone());
        let is_rejected = |token: &&Token| now - token.made_ms >= YOUNG_MS && sent(&token.value) == rejected;
        let token = known.token.as_ref().filter(|token| rejected.is_empty() || !is_rejected(token));
        let served = |token: &Token, valid_for_ms| Served { token: token.value.clone(), valid_for_ms };
        match (token.map(|token| (token, standing(token.times, now))), failed) {
            (Some((token, Standing::Fresh(left))), _) => Found::Fresh(served(token, left)),
            (Some((token, Standing::Due(left))), None) => Found::Due(served(token, left.min(SOON_MS))),
            (Some((token, Standing::Due(left))), Some(_)) => Found::Fresh(served(token, left.min(SOON_MS))),
            (None | Some((_, Standing::Over)), Some(failure)) => Found::Paused(failure),
            (None | Some((_, Standing::Over)), None) => Found::Nothing,
        }
    }
}

/// The digest of a token as it is sent.
fn sent(token: &Secret) -> [u8; 32] {
    digest(Auth::default().header(token).1.expose().as_bytes())
}

impl OAuth {
    /// The token of the gateway's service account at a provider, which `rejected` the one of this digest.
    pub async fn mint(&self, provider: &str, account: &ServiceAccount, rejected: &[u8]) -> Result<Served, Stuck> {
        let whose = (String::new(), provider.to_string());
        self.made(whose, Source::Account(account.clone()), rejected).await.map_err(stuck)
    }

    /// What an account that signed in is served: its token, or what its provider gives for it.
    pub async fn serve_or_exchange(&self, account: &str, provider: &str, rejected: &[u8]) -> Result<Served, Stuck> {
        let held = self.serve_instead(account, provider, rejected).await?;
        let terms = OAuth::terms_in(&self.0.current.borrow().clone(), provider).ok_or(Stuck::None)?;
        if terms.exchange_url.is_none() {
            return Ok(held);
        }
        let made = |held: &Served| {
            let whose = (account.to_string(), provider.to_string());
            self.made(whose, Source::Session(Box::new(terms.clone()), held.token.clone()), rejected)
        };
        let exchanged = match made(&held).await {
            // The session's own token is the one that the provider rejects.
            Err(Failure::Refused(word)) if word == INVALID_TOKEN => {
                let held = self.serve_instead(account, provider, &sent(&held.token)).await?;
                made(&held).await.map_err(stuck)?
            }
            made => made.map_err(stuck)?,
        };
        Ok(Served { valid_for_ms: exchanged.valid_for_ms.min(held.valid_for_ms), ..exchanged })
    }

    /// What operators should know: service accounts that are given no tokens, and why.
    pub fn troubles(&self) -> Vec<String> {
        let current = self.0.current.borrow().clone();
        let trouble = |(id, credential): (&String, &Credential)| {
            let Credential::Minted(account) = credential else { return None };
            let place = self.0.mint.place(&(String::new(), id.clone()));
            let known = place.known();
            let known = known.as_ref().filter(|known| known.source == Source::Account(account.clone()))?;
            let (failure, _) = known.failed.as_ref()?;
            Some(format!("provider {id}: its service account was given no token: {}", failure.words()))
        };
        let mut troubles: Vec<String> = current.credentials.iter().filter_map(trouble).collect();
        troubles.sort();
        troubles
    }

    async fn made(&self, whose: Whose, source: Source, rejected: &[u8]) -> Result<Served, Failure> {
        let place = self.0.mint.place(&whose);
        let oauth = self.clone();
        match place.look(&source, rejected, now_ms()) {
            Found::Fresh(served) => return Ok(served),
            Found::Paused(failure) => return Err(failure),
            Found::Due(served) => {
                if let Ok(turn) = place.turn.clone().try_lock_owned() {
                    tokio::spawn(async move {
                        let _turn = turn;
                        oauth.make(&whose, &place, source).await
                    });
                }
                return Ok(served);
            }
            Found::Nothing => {}
        }
        // In a task of its own: whoever waits may go away, and the next one wants it all the same.
        let rejected = rejected.to_vec();
        let task = tokio::spawn(async move {
            let _turn = place.turn.lock().await;
            match place.look(&source, &rejected, now_ms()) {
                Found::Fresh(served) | Found::Due(served) => Ok(served),
                Found::Paused(failure) => Err(failure),
                Found::Nothing => oauth.make(&whose, &place, source).await,
            }
        });
        task.await.unwrap_or_else(|_| Err(Failure::Unusable("the gateway stops".to_string())))
    }

    /// Asks for a token, as the one whose turn it is.
    async fn make(&self, whose: &Whose, place: &Place, source: Source) -> Result<Served, Failure> {
        let _place = self.0.flights.places.acquire().await;
        let asked = tokio::time::timeout(MAX_WAIT, source.ask(&self.0.egress)).await;
        let asked = asked.unwrap_or_else(|_| Err(Failure::Unusable("it did not answer in time".to_string())));
        let now = now_ms();
        let made = asked.and_then(|token| match standing(token.times, now) {
            Standing::Fresh(left) | Standing::Due(left) => Ok((token, left)),
            Standing::Over => Err(Failure::Unusable("the token that it gave is over already".to_string())),
        });
        let (account, provider) = whose;
        self.0.metrics.minted(provider, made.is_ok());
        let mut known = place.known();
        match made {
            Ok((token, valid_for_ms)) => {
                let served = Served { token: token.value.clone(), valid_for_ms };
                *known = Some(Known { source, token: Some(token), failed: None });
                Ok(served)
            }
            Err(failure) => {
                warn!(provider, account, "no token is minted: {}", failure.words());
                let before = known.take().filter(|known| known.source == source);
                let failed = Some((failure.clone(), now + PAUSE_MS));
                *known = Some(Known { source, token: before.and_then(|known| known.token), failed });
                Err(failure)
            }
        }
    }
}

fn stuck(failure: Failure) -> Stuck {
    Stuck::Provider(failure.words())
}

/// What a session's token is exchanged for.
#[derive(Deserialize)]
struct Exchanged {
    token: String,
    /// In seconds since 1970.
    expires_at: Option<i64>,
}

impl Source {
    async fn ask(&self, egress: &Egress) -> Result<Token, Failure> {
        let unsendable = |_| Failure::Unusable("what its row says can't be sent".to_string());
        match self {
            Source::Account(account) => {
                let form = assertion::form(account, now_ms()).await.map_err(Failure::Unusable)?;
                let request = Request::post(&account.token_url).header(ACCEPT, "application/json");
                let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
                let request: HttpRequest = request.body(form.to_vec()).map_err(unsendable)?;
                let answer: BasicTokenResponse = read(&egress.ask(request).await?)?;
                Ok(Token::of(exchange::access(&answer)?, answer.expires_in()))
            }
            Source::Session(terms, held) => {
                let (_, value) = Auth::default().header(held);
                let request = Request::get(terms.exchange_url.as_deref().unwrap_or_default());
                let request = request.header(ACCEPT, "application/json").header(AUTHORIZATION, value.expose());
                let response = egress.send(terms, request.body(Vec::new()).map_err(unsendable)?).await?;
                if response.status() == StatusCode::UNAUTHORIZED {
                    return Err(Failure::Refused(INVALID_TOKEN.to_string()));
                }
                let Exchanged { token, expires_at } = read(&response)?;
                let left = |at: i64| at.saturating_mul(1000).saturating_sub(now_ms());
                let life = expires_at.map(|at| Duration::from_millis(u64::try_from(left(at)).unwrap_or(0)));
                Ok(Token::of(exchange::token(&token)?, life))
            }
        }
    }
}

impl Token {
    /// One that was given now. Who does not say how long it lives is asked as often as for a Grant.
    fn of(value: Secret, life: Option<Duration>) -> Token {
        let made_ms = now_ms();
        let life = life.unwrap_or(Duration::from_millis(UNENDING_MS.unsigned_abs()));
        Token { value, made_ms, times: exchange::times(made_ms, life) }
    }
}

fn read<T: DeserializeOwned>(response: &HttpResponse) -> Result<T, Failure> {
    let read = match response.status() {
        status if status.is_success() => {
            serde_json::from_slice(response.body()).map_err(|_| "its answer can't be read".to_string())
        }
        status => Err(format!("it answered with status {}", status.as_u16())),
    };
    read.map_err(|why| exchange::refused(response.body()).unwrap_or(Failure::Unusable(why)))
}

#[cfg(test)]
mod tests;
