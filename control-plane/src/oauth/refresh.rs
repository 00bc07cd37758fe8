//! Tokens that are served to their owner, and renewed ahead of their end.
//!
//! ```text
//! fresh     ─▶ served until it is to be renewed
//! due       ─▶ served for a moment; renewed meanwhile
//! over      ─▶ renewed first
//! renewing:  one turn of this process ─▶ one claim of the store ─▶ the provider ─▶ written ─▶ handed out
//! ```
//!
//! Many providers take back the whole session when a refresh token comes twice, so it is sent once: by whoever has the claim, for
//! the version that they claimed. Who dies between the answer and the writing leaves the claim to end by itself; the next one tries
//! the old refresh token once more, and if the provider says no, its owner signs in again and nobody asks further.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dragoman_core::admission::digest;
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};
use tracing::{error, info, warn};

use super::egress::MAX_WAIT;
use super::exchange::{self, Failure, Held, INVALID_GRANT};
use super::{BY, OAuth};
use crate::settings::{Auth, Secret, SignIn};
use crate::store::now_ms;
use crate::store::sessions::{Patience, Session, SessionState, Tokens};
use crate::store::vault::Fault;
use crate::vault::Slot;

/// Most providers asked at a time by one control plane.
pub(super) const AT_ONCE: usize = 16;
/// Most of these for tokens that nobody waits for: thousands may be due at the same time, and whoever comes with one that is over must
/// not stand behind them.
const BEHIND: usize = 12;
/// From so many sessions on whose turn it was it is looked whether somebody still waits.
pub(super) const MANY: usize = 1024;
/// How long a claim holds: longer than the provider may take and the store may be away, or a second one would begin.
pub(super) const CLAIM_MS: i64 = 40_000;
/// How long the store may be away while a renewed token waits to be written.
const MAX_WRITING: Duration = Duration::from_secs(20);
/// How long nobody tries after the provider could not be asked.
pub(super) const PAUSE_MS: i64 = 10_000;
/// How long others wait for who has the claim.
const MAX_TURN: Duration = Duration::from_secs(45);
/// How often they look.
pub(super) const LOOK: Duration = Duration::from_millis(50);
/// So long is a token served that is being renewed.
pub(super) const SOON_MS: i64 = 5_000;
/// A token that was made within so long is not renewed because it is rejected.
pub(super) const YOUNG_MS: i64 = 60_000;
/// So long before its end a token is over: it has a way to go until the provider sees it.
const ON_THE_WAY_MS: i64 = 250;
/// So long is one served whose provider does not say when it ends; as long as a Grant.
pub(super) const UNENDING_MS: i64 = 15 * 60_000;

/// A token for its owner.
#[derive(Debug)]
pub struct Served {
    /// The token.
    pub token: Secret,
    /// For how many milliseconds it may be used without asking again.
    pub valid_for_ms: i64,
}

/// Why there is no token.
#[derive(Debug)]
pub enum Stuck {
    /// There is no session.
    None,
    /// Its owner signs in again; the sentence says why.
    NeedsSignIn(String),
    /// The provider can't be asked now; the sentence says why.
    Provider(String),
    /// The vault or the store.
    Fault(Fault),
}

impl fmt::Display for Stuck {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stuck::None => out.write_str("there is no session"),
            Stuck::NeedsSignIn(why) | Stuck::Provider(why) => out.write_str(why),
            Stuck::Fault(fault) => fault.fmt(out),
        }
    }
}

impl From<Fault> for Stuck {
    fn from(fault: Fault) -> Stuck {
        Stuck::Fault(fault)
    }
}

impl From<anyhow::Error> for Stuck {
    fn from(error: anyhow::Error) -> Stuck {
        Stuck::Fault(Fault::Failed(error))
    }
}

/// Whose turn it is in this process, session by session, and how many providers are asked.
pub(super) struct Flights {
    turns: Mutex<HashMap<Slot, Turn>>,
    pub(super) places: Semaphore,
    behind: Semaphore,
}

type Turn = Arc<tokio::sync::Mutex<()>>;

impl Default for Flights {
    fn default() -> Flights {
        Flights { turns: Mutex::default(), places: Semaphore::new(AT_ONCE), behind: Semaphore::new(BEHIND) }
    }
}

impl Flights {
    pub(super) fn turn(&self, slot: &Slot) -> Turn {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that nobody waits for are not kept; it is looked for them only when there are twice as many as before.
        if turns.len() >= MANY && turns.len() == turns.capacity() {
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        }
        turns.entry(slot.clone()).or_default().clone()
    }
}

/// For whom a session is renewed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Haste {
    /// Nobody: the old token is good for a while.
    Behind,
    /// A request that waits.
    Awaited,
    /// A person who asked for it.
    ByHand,
}

impl Haste {
    fn patience(self) -> Patience {
        match self {
            Haste::Behind | Haste::Awaited => Patience::Pauses,
            Haste::ByHand => Patience::AtOnce,
        }
    }
}

/// How a token stands, and for how long.
pub(super) enum Standing {
    Fresh(i64),
    Due(i64),
    Over,
}

/// That of one which ends then and is to be renewed then; 0 is never.
pub(super) fn standing((expires_ms, refresh_ms): (i64, i64), now: i64) -> Standing {
    let left = if expires_ms == 0 { UNENDING_MS } else { expires_ms - ON_THE_WAY_MS - now };
    match refresh_ms {
        _ if left <= 0 => Standing::Over,
        0 => Standing::Fresh(left),
        renewed if renewed > now => Standing::Fresh((renewed - now).min(left)),
        _ => Standing::Due(left),
    }
}

/// When a session's token ends, and when it is to be renewed.
fn times(session: &Session) -> (i64, i64) {
    (session.expires_ms, session.refresh_ms)
}

impl OAuth {
    /// The token of an account for a provider; none of anybody else's.
    pub async fn serve(&self, account: &str, provider: &str) -> Result<Served, Stuck> {
        let slot = Slot::session(account, provider);
        let current = self.0.current.borrow().clone();
        // What the operator does not allow any longer is not served.
        let terms = OAuth::terms_in(&current, provider).ok_or(Stuck::None)?;
        let (session, held) = self.look(&slot).await?;
        match standing(times(&session), now_ms()) {
            Standing::Fresh(valid_for_ms) => Ok(Served { token: held.access, valid_for_ms }),
            Standing::Due(left) => {
                if !session.paused || session.claimed_until <= now_ms() {
                    self.renew_behind(&slot, terms, session.version);
                }
                Ok(Served { token: held.access, valid_for_ms: left.min(SOON_MS) })
            }
            Standing::Over => {
                let (session, held) = self.renewed(&slot, terms, session.version, Haste::Awaited).await?;
                match standing(times(&session), now_ms()) {
                    Standing::Fresh(left) | Standing::Due(left) => {
                        Ok(Served { token: held.access, valid_for_ms: left })
                    }
                    Standing::Over => Err(Stuck::Provider("the token that it gave is over already".to_string())),
                }
            }
        }
    }

    /// The same when the provider has rejected the value of this digest: another token, where that one is still the last. One that
    /// was made just now is no older than the rejection, and another would be rejected, too.
    pub async fn serve_instead(&self, account: &str, provider: &str, rejected: &[u8]) -> Result<Served, Stuck> {
        if !rejected.is_empty() {
            let slot = Slot::session(account, provider);
            let terms = OAuth::terms_in(&self.0.current.borrow().clone(), provider).ok_or(Stuck::None)?;
            let (session, held) = self.look(&slot).await?;
            let (_, value) = Auth::default().header(&held.access);
            let is_last = digest(value.expose().as_bytes()) == rejected;
            let is_young = now_ms() - session.changed_ms < YOUNG_MS;
            if is_last && !is_young && session.refresh_ms > 0 {
                info!(account, provider, "a token is renewed, since the provider rejects it");
                if let Err(stuck) = self.renewed(&slot, terms, session.version, Haste::Awaited).await {
                    warn!(account, provider, "a rejected token is not renewed: {stuck}");
                }
            }
        }
        self.serve(account, provider).await
    }

    /// Renews a session now, because a person asks for it: perhaps the old token no longer works, so it is forgotten everywhere.
    pub async fn refresh(&self, account: &str, provider: &str, by: &str) -> Result<Session, Stuck> {
        let slot = Slot::session(account, provider);
        let (session, _) = self.look(&slot).await?;
        let terms = self.terms(provider).map_err(|refused| Stuck::Provider(super::browser::told(&refused)))?;
        let (session, _) = self.renewed(&slot, terms, session.version, Haste::ByHand).await?;
        let (kind, id) = (slot.purpose.name(), format!("{account}/{provider}"));
        self.0.store.note(by, "refresh", kind, &id, "{}").await?;
        Ok(session)
    }

    /// A session that serves, with its tokens.
    async fn look(&self, slot: &Slot) -> Result<(Session, Held), Stuck> {
        let (session, document) = self.0.sessions.open(slot).await?.ok_or(Stuck::None)?;
        if session.state == SessionState::NeedsSignIn {
            return Err(Stuck::NeedsSignIn(session.said));
        }
        let held = Held::read(&document).ok_or(Stuck::Fault(Fault::Broken(crate::vault::Broken::Changed)))?;
        Ok((session, held))
    }

    /// Renews it, and nobody waits for that.
    fn renew_behind(&self, slot: &Slot, terms: SignIn, version: i64) {
        let turn = self.0.flights.turn(slot);
        let Ok(turn) = turn.try_lock_owned() else { return };
        let (oauth, slot) = (self.clone(), slot.clone());
        tokio::spawn(async move {
            let _turn = turn;
            if let Err(stuck) = oauth.turn(&slot, &terms, version, Haste::Behind).await {
                warn!(account = slot.account, provider = slot.provider, "a session is not renewed: {stuck}");
            }
        });
    }

    /// The session in a later version than that one; in a task of its own, for whoever waits may go away, and what the provider gave
    /// must be written all the same.
    async fn renewed(&self, slot: &Slot, terms: SignIn, version: i64, haste: Haste) -> Result<(Session, Held), Stuck> {
        let (oauth, slot) = (self.clone(), slot.clone());
        let task = tokio::spawn(async move {
            let turn = oauth.0.flights.turn(&slot);
            let _turn = turn.lock().await;
            oauth.turn(&slot, &terms, version, haste).await
        });
        task.await.map_err(|_| Stuck::Provider("the gateway stops".to_string()))?
    }

    /// One turn: renews the session, or waits for another control plane that does.
    async fn turn(&self, slot: &Slot, terms: &SignIn, version: i64, haste: Haste) -> Result<(Session, Held), Stuck> {
        let end = Instant::now() + MAX_TURN;
        loop {
            // Whoever waits for somebody else's claim holds no place meanwhile: those of who died are many at once.
            let behind = match haste {
                Haste::Behind => Some(self.0.flights.behind.acquire().await),
                Haste::Awaited | Haste::ByHand => None,
            };
            let place = (self.0.flights.places.acquire().await, behind);
            let (session, held) = self.look(slot).await?;
            if session.version > version {
                return Ok((session, held));
            }
            if session.paused && session.claimed_until > now_ms() && haste.patience() == Patience::Pauses {
                return Err(Stuck::Provider(session.said));
            }
            let Some(refresh) = &held.refresh else {
                if !matches!(standing(times(&session), now_ms()), Standing::Over) {
                    let said = "The provider gave nothing to renew it with. It serves until its token ends.";
                    return Err(Stuck::Provider(said.to_string()));
                }
                let said = "The token is over, and its provider gave none to renew it with. Sign in again.";
                self.0.sessions.end(slot, version, said, BY).await?;
                return Err(Stuck::NeedsSignIn(said.to_string()));
            };
            if self.0.sessions.claim(slot, version, (&self.0.me, CLAIM_MS), haste.patience()).await? {
                self.ask(slot, terms, version, refresh).await?;
                return self.look(slot).await;
            }
            if Instant::now() > end {
                return Err(Stuck::Provider("another control plane renews it, and is not done".to_string()));
            }
            drop(place);
            sleep(LOOK).await;
        }
    }

    /// Asks the provider, as the one who has the claim, and writes what it gave.
    async fn ask(&self, slot: &Slot, terms: &SignIn, version: i64, refresh: &Secret) -> Result<(), Stuck> {
        // The claim is the store's, and so is its end: the question has one well before.
        let asked = tokio::time::timeout(MAX_WAIT, exchange::refresh(&self.0.egress, terms, refresh)).await;
        let asked = asked.unwrap_or_else(|_| Err(Failure::Unusable("it did not answer in time".to_string())));
        match asked {
            Ok(tokens) => self.write(slot, version, &tokens).await,
            Err(Failure::Refused(word)) if word == INVALID_GRANT => {
                let said = "The provider took the session back, or it was renewed elsewhere. Sign in again.";
                info!(account = slot.account, provider = slot.provider, "a session is over: its owner signs in again");
                self.0.sessions.end(slot, version, said, BY).await?;
                Err(Stuck::NeedsSignIn(said.to_string()))
            }
            Err(failure) => {
                let said = format!("The provider did not renew it: {}.", failure.words());
                self.0.sessions.pause(slot, version, &said, PAUSE_MS).await?;
                Err(Stuck::Provider(said))
            }
        }
    }

    /// Writes renewed tokens before anybody has them. They are nowhere else, so a store that is away is tried again.
    async fn write(&self, slot: &Slot, version: i64, tokens: &Tokens) -> Result<(), Stuck> {
        let end = Instant::now() + MAX_WRITING;
        loop {
            match self.0.sessions.renew(slot, version, tokens, BY).await {
                // Where there is a later one by now, its owner signed in or out meanwhile.
                Ok(_) => return Ok(()),
                Err(Fault::Failed(why)) if Instant::now() < end => {
                    error!("the store failed, and a renewed token waits to be written: {why:#}");
                    sleep(LOOK * 4).await;
                }
                Err(fault) => return Err(fault.into()),
            }
        }
    }
}
