//! Sign-in in a browser: the page that sends a person to the provider, and the one where they come back.
//!
//! | wrong when somebody comes back | then |
//! |---|---|
//! | no state, another one, a used one, one of an earlier opening | nothing happens |
//! | another browser, or no cookie | nothing happens: the right one may still come |
//! | another provider's page, another issuer or none, an error, no code | the sign-in has failed, and no code is exchanged |

use oauth2::url::Url;

use super::exchange::{self, Failure};
use super::{BY, Flow, OAuth, Progress, Refused, SignInEntry, authorise};
use crate::settings::{CALLBACK, Secret, SignIn};
use crate::store::hex;
use crate::store::sign_ins::Offer;
use crate::store::vault::Fault;
use crate::vault::{Bound, Slot};

/// The cookie that knows the browser again. With `__Host-` no other host and no page in clear can set it.
const COOKIE: &str = "__Host-dragoman-sign-in";
/// The same on this machine, in clear.
const LOCAL_COOKIE: &str = "dragoman-sign-in";
/// Where the page of a sign-in is, in place of [`CALLBACK`].
const PAGE: &str = "/sign-in/";
/// Longest code, state or issuer that is looked at.
const MAX_WORD: usize = 4096;

/// What a person is shown before they go to the provider.
#[derive(Debug)]
pub struct Offered {
    /// With whom.
    pub provider: String,
    /// For whom.
    pub account: String,
    /// Who asked for it.
    pub made_by: String,
    /// What for.
    pub scopes: Vec<String>,
    /// Where the provider is, for people.
    pub host: String,
    /// The address that they go to.
    pub address: Secret,
    /// The cookie: its name, its value, whether it is for TLS only.
    pub cookie: (&'static str, Secret, bool),
}

/// What a person comes back with.
#[derive(Clone, Default)]
pub struct Returned {
    /// What tokens are given for.
    pub code: Option<String>,
    /// What they were sent with.
    pub state: Option<String>,
    /// Who answers.
    pub iss: Option<String>,
    /// Why not.
    pub error: Option<String>,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Came {
    /// There is a session.
    In {
        /// With whom.
        provider: String,
        /// For whom.
        account: String,
    },
    /// There is none; the sentence says why and what to do.
    Not(String),
}

/// A cookie of that name, as the browser sent it.
pub type Cookies<'c> = &'c (dyn Fn(&str) -> Option<Secret> + Sync);

impl OAuth {
    /// Begins a sign-in in a browser: the address of its page.
    pub async fn begin_in_browser(
        &self,
        provider: &str,
        account: &str,
        by: &str,
    ) -> Result<(SignInEntry, String), Refused> {
        let terms = self.terms(provider)?;
        // What the page will need is known to be there, whoever opens it.
        let redirect_uri = terms.redirect_uri.clone().map_err(Refused::Unready)?;
        authorise::ask(&terms, &redirect_uri).map_err(Refused::Unready)?;
        if let Some(why) = self.0.vault.sealed() {
            return Err(Fault::Sealed(why.to_string()).into());
        }
        let entry = OAuth::fresh(provider, account, Flow::Browser, by)?;
        self.0.store.begin_sign_in(&entry).await?;
        let before = redirect_uri.strip_suffix(&format!("{CALLBACK}{provider}")).unwrap_or(&redirect_uri);
        let start = format!("{before}{PAGE}{}", entry.id);
        Ok((entry, start))
    }

    /// Opens the page of a sign-in: what the browser was given by an earlier opening is good no longer.
    pub async fn open_page(&self, id: &str, cookies: Cookies<'_>) -> Result<Offered, String> {
        let opened = async {
            let entry = self.0.store.sign_in(id).await?.filter(|entry| entry.flow == Flow::Browser);
            let Some(entry) = entry else { return Ok(Err("There is no such sign-in.".to_string())) };
            match entry.progress {
                Progress::Waiting => {}
                Progress::Done => return Ok(Err("This sign-in is done.".to_string())),
                Progress::Failed => return Ok(Err(entry.said)),
            }
            self.offer(&entry, cookies).await
        };
        opened.await.unwrap_or_else(|error: Refused| Err(told(&error)))
    }

    async fn offer(&self, entry: &SignInEntry, cookies: Cookies<'_>) -> Result<Result<Offered, String>, Refused> {
        let terms = self.terms(&entry.provider)?;
        let redirect_uri = terms.redirect_uri.clone().map_err(Refused::Unready)?;
        let asked = authorise::ask(&terms, &redirect_uri).map_err(Refused::Unready)?;
        let cookie = cookie(&redirect_uri);
        // A browser with two sign-ins at a time is one browser.
        let browser = match cookies(cookie).filter(is_mark) {
            Some(mark) => mark,
            None => authorise::unguessable()?,
        };
        let slot = Slot::session(&entry.account, &entry.provider);
        let offer = Offer {
            state_tag: self.tag(STATE, &asked.state)?,
            browser_tag: self.tag(BROWSER, &browser)?,
            verifier: self.0.vault.seal(Bound { slot: &slot, id: &entry.id, version: 0 }, &asked.verifier)?,
            redirect_uri,
        };
        if !self.0.store.offer_sign_in(&entry.id, &offer).await? {
            return Ok(Err("This sign-in was used already. Start again.".to_string()));
        }
        let host = Url::parse(asked.address.expose()).ok().and_then(|url| url.host_str().map(str::to_string));
        Ok(Ok(Offered {
            provider: entry.provider.clone(),
            account: entry.account.clone(),
            made_by: entry.made_by.clone(),
            scopes: terms.scopes.clone(),
            host: host.unwrap_or_default(),
            address: asked.address,
            cookie: (cookie, browser, cookie == COOKIE),
        }))
    }

    /// Somebody comes back to a provider's page.
    pub async fn come_back(&self, provider: &str, returned: Returned, cookies: Cookies<'_>) -> Came {
        match self.known(&returned, cookies).await {
            Ok(Ok((entry, state))) => {
                // A browser that closes the connection now must not lose what the code is exchanged for.
                let (oauth, provider) = (self.clone(), provider.to_string());
                let finished = tokio::spawn(async move { oauth.finish(&entry, &provider, returned, &state).await });
                finished.await.unwrap_or_else(|_| Came::Not(told(&anyhow::anyhow!("a task ended").into())))
            }
            Ok(Err(why)) => Came::Not(why.to_string()),
            Err(error) => Came::Not(told(&error)),
        }
    }

    /// The sign-in that this browser comes back from; it is used up then.
    async fn known(
        &self,
        returned: &Returned,
        cookies: Cookies<'_>,
    ) -> Result<Result<(SignInEntry, Secret), &'static str>, Refused> {
        const UNKNOWN: &str = "This is no sign-in that is under way: it was used already, took too long, or its page was \
                               opened again. Start again.";
        let Some(state) = returned.state.as_deref().map(Secret::new).filter(is_mark) else { return Ok(Err(UNKNOWN)) };
        let state_tag = self.tag(STATE, &state)?;
        let Some(entry) = self.0.store.sign_in_of_state(&state_tag).await? else { return Ok(Err(UNKNOWN)) };
        let mark = cookies(cookie(&entry.redirect_uri)).filter(is_mark);
        let browser_tag = mark.map(|mark| self.tag(BROWSER, &mark)).transpose()?;
        if browser_tag.as_ref() != Some(&entry.browser_tag) {
            let other = "This sign-in was begun in another browser. Open its page in this one, or finish it there.";
            return Ok(Err(other));
        }
        match self.0.store.use_sign_in(&entry.id, &state_tag).await? {
            true => Ok(Ok((entry, state))),
            false => Ok(Err(UNKNOWN)),
        }
    }

    async fn finish(&self, entry: &SignInEntry, provider: &str, returned: Returned, state: &Secret) -> Came {
        let done = self.exchanged(entry, provider, returned, state).await;
        let (progress, said) = match &done {
            Ok(()) => (Progress::Done, String::new()),
            Err(why) => (Progress::Failed, why.clone()),
        };
        if let Err(error) = self.0.store.end_sign_in(&entry.id, progress, &said).await {
            tracing::error!("the store failed, and nobody learns what became of a sign-in: {error:#}");
        }
        match done {
            Ok(()) => Came::In { provider: entry.provider.clone(), account: entry.account.clone() },
            Err(why) => Came::Not(why),
        }
    }

    async fn exchanged(
        &self,
        entry: &SignInEntry,
        provider: &str,
        returned: Returned,
        state: &Secret,
    ) -> Result<(), String> {
        if provider != entry.provider {
            return Err("The answer came to another provider's page. Nothing was kept; start again.".to_string());
        }
        let terms = self.terms(provider).map_err(|error| told(&error))?;
        check_issuer(&terms, returned.iss.as_deref())?;
        if let Some(error) = returned.error {
            return Err(match error.as_str() {
                "access_denied" => "You, or the provider, said no. Nothing was kept.".to_string(),
                error => format!("The provider said no: {}. Nothing was kept.", exchange::word(error)),
            });
        }
        let code = returned.code.filter(|code| (1..=MAX_WORD).contains(&code.len())).map(Secret::new);
        let code = code.ok_or("The provider sent no code. Nothing was kept; start again.")?;
        let slot = Slot::session(&entry.account, provider);
        let bound = Bound { slot: &slot, id: &entry.id, version: 0 };
        let verifier = self.0.vault.unseal(bound, &entry.envelope).map_err(|fault| told(&fault.into()))?;
        let exchanged =
            exchange::code(&self.0.egress, &terms, (code.expose(), state.expose()), &verifier, &entry.redirect_uri);
        let tokens = exchanged.await.map_err(|failure: Failure| {
            format!("The provider gave no token for its code: {}. Start again.", failure.words())
        })?;
        self.keep(entry, &slot, &tokens).await
    }

    /// Keeps the tokens of a sign-in, if its account is still there.
    pub(super) async fn keep(
        &self,
        entry: &SignInEntry,
        slot: &Slot,
        tokens: &crate::store::sessions::Tokens,
    ) -> Result<(), String> {
        let by = format!("{BY} of {}", entry.made_by);
        match self.0.sessions.begin(slot, tokens, &by).await {
            Ok(()) => Ok(()),
            Err(Fault::NoAccount(_)) => Err("The account is no longer there. Nothing was kept.".to_string()),
            Err(fault) => Err(told(&fault.into())),
        }
    }

    /// What the store keeps of something that a browser has.
    fn tag(&self, what: &str, mark: &Secret) -> anyhow::Result<String> {
        Ok(hex(&self.0.pepper.mac(&[b"sign-in ", what.as_bytes(), &[0], mark.expose().as_bytes()])?))
    }
}

const STATE: &str = "state";
const BROWSER: &str = "browser";

/// The cookie where that redirect URI is.
fn cookie(redirect_uri: &str) -> &'static str {
    if redirect_uri.starts_with("https://") { COOKIE } else { LOCAL_COOKIE }
}

/// Whether it looks like something that we gave.
fn is_mark(mark: &Secret) -> bool {
    mark.expose().len() == 64 && mark.expose().bytes().all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c))
}

/// Where the row names an issuer, the answer is of that one (RFC 9207).
fn check_issuer(terms: &SignIn, iss: Option<&str>) -> Result<(), String> {
    match (&terms.issuer, iss) {
        (None, _) => Ok(()),
        (Some(wanted), Some(iss)) if wanted == iss => Ok(()),
        _ => Err("The answer does not come from this provider. Nothing was kept; start again.".to_string()),
    }
}

/// For people; what failed is for the operator's log.
pub(super) fn told(error: &Refused) -> String {
    match error {
        Refused::Unknown(provider) => format!("Nobody signs in with `{provider}`."),
        Refused::Off(_) => "The gateway keeps no tokens for this provider.".to_string(),
        Refused::Unready(why) => format!("The gateway is not ready for this provider: {why}."),
        Refused::Provider(why) => format!("The provider did not do its part: {why}."),
        Refused::Fault(Fault::Sealed(_)) => "The gateway's vault is sealed; tell its operator.".to_string(),
        Refused::Fault(fault) => {
            tracing::error!("a sign-in can't go on: {fault}");
            "The gateway failed; try again, or tell its operator.".to_string()
        }
    }
}
