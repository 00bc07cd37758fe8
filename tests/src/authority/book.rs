//! Who was given what: codes, tokens in families, devices. No I/O; the time is an argument.
//!
//! ```text
//! code ──────────┐
//! device: waits ─┴─▶ family: access, refresh ─▶ access, refresh ─▶ … ─▶ ended: by who gave it back, or by a reuse
//! ```

use std::collections::HashMap;
use std::time::Duration;

use ring::rand::{SecureRandom as _, SystemRandom};

use super::manners::{Manners, Rotation};
use super::words::{challenge, is_verifier};

/// How much longer a device waits after each `slow_down`: RFC 8628, section 3.5.
const SLOWER: Duration = Duration::from_secs(5);

/// Clocks and networks are not exact: a poll that is early by less is not.
const JITTER: Duration = Duration::from_millis(20);

/// Letters of codes that people type: no vowels, so that they spell nothing.
const LETTERS: &[u8] = b"BCDFGHJKLMNPQRSTVWXZ";

/// What a code stands for.
#[derive(Clone, Debug)]
pub struct Granted {
    /// Where the browser was sent back to.
    pub redirect: String,
    /// What the verifier has to fit; none was given in a downgrade.
    pub challenge: Option<String>,
    /// What was granted.
    pub scopes: String,
}

/// What a client gets in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens {
    /// Opens.
    pub access: String,
    /// Renews; empty when nothing does.
    pub refresh: String,
    /// How long the first is good.
    pub lasts: Duration,
    /// For what.
    pub scopes: String,
}

/// What a device is given to begin with.
#[derive(Clone, Debug)]
pub struct Started {
    /// For the device alone.
    pub device_code: String,
    /// For its person to type.
    pub user_code: String,
}

/// Why there are no tokens, in the words of RFC 6749 and RFC 8628.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct No {
    /// The error's name.
    pub error: &'static str,
    /// It was a poll that came too early.
    pub early: bool,
}

/// All of it.
pub struct Book {
    name: String,
    codes: HashMap<String, Code>,
    devices: Vec<Device>,
    access: HashMap<String, Access>,
    refresh: HashMap<String, usize>,
    families: Vec<Family>,
    given: Vec<String>,
    revoked_by_reuse: usize,
}

struct Code {
    granted: Granted,
    until: Duration,
    family: Option<usize>,
    is_used: bool,
}

struct Access {
    family: usize,
    until: Duration,
}

struct Family {
    is_alive: bool,
    scopes: String,
    newest: String,
    /// The one before the newest, and when it was used.
    before: Option<(String, Duration)>,
}

struct Device {
    started: Started,
    scopes: String,
    until: Duration,
    interval: Duration,
    polled: Option<Duration>,
    is_to_slow_down: bool,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Waits,
    Approved,
    Denied,
    Done,
}

const fn no(error: &'static str) -> No {
    No { error, early: false }
}

impl Book {
    pub fn of(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            codes: HashMap::new(),
            devices: Vec::new(),
            access: HashMap::new(),
            refresh: HashMap::new(),
            families: Vec::new(),
            given: Vec::new(),
            revoked_by_reuse: 0,
        }
    }

    /// A code for what a person granted.
    pub fn code(&mut self, granted: Granted, manners: &Manners, now: Duration) -> String {
        let code = self.secret("code");
        let until = now + manners.code_lasts;
        self.codes.insert(code.clone(), Code { granted, until, family: None, is_used: false });
        code
    }

    /// Tokens for a code. Used again, it ends what came of it.
    pub fn redeem(
        &mut self,
        code: &str,
        redirect: Option<&str>,
        verifier: Option<&str>,
        manners: &Manners,
        now: Duration,
    ) -> Result<Tokens, No> {
        let Some(found) = self.codes.get_mut(code) else { return Err(no("invalid_grant")) };
        if found.is_used {
            let family = found.family;
            self.end_by_reuse(family);
            return Err(no("invalid_grant"));
        }
        found.is_used = true;
        let granted = found.granted.clone();
        let fits = match (&granted.challenge, verifier) {
            (Some(wanted), Some(verifier)) => is_verifier(verifier) && challenge(verifier) == *wanted,
            // A verifier without a challenge: somebody took the challenge off on the way.
            (Some(_), None) | (None, Some(_)) => false,
            (None, None) => true,
        };
        if now > found.until || redirect != Some(granted.redirect.as_str()) || !fits {
            return Err(no("invalid_grant"));
        }
        let (family, tokens) = self.begin(&granted.scopes, manners, now);
        if let Some(found) = self.codes.get_mut(code) {
            found.family = Some(family);
        }
        Ok(tokens)
    }

    /// Tokens for a refresh token.
    pub fn refresh(&mut self, token: &str, manners: &Manners, now: Duration) -> Result<Tokens, No> {
        let Some(&number) = self.refresh.get(token) else { return Err(no("invalid_grant")) };
        let Some(family) = self.families.get(number).filter(|family| family.is_alive) else {
            return Err(no("invalid_grant"));
        };
        let is_again = family.newest != token;
        let is_forgiven = match (manners.rotation, &family.before) {
            (Rotation::Lenient(grace), Some((before, used))) => before == token && now <= *used + grace,
            _ => false,
        };
        if is_again && !is_forgiven {
            self.end_by_reuse(Some(number));
            return Err(no("invalid_grant"));
        }
        let rotates = manners.rotation != Rotation::Never;
        let refresh = if rotates { self.secret("refresh") } else { token.to_owned() };
        if rotates && let Some(family) = self.families.get_mut(number) {
            // Whose answer was lost comes again with the same: its time counts from the first use.
            let used = family.before.take().filter(|_| is_again).map_or(now, |(_, used)| used);
            family.before = Some((token.to_owned(), used));
            family.newest.clone_from(&refresh);
            self.refresh.insert(refresh.clone(), number);
        }
        Ok(self.tokens(number, refresh, manners, now))
    }

    /// A token without anybody's saying yes: the client is itself who it is for. Nothing renews it.
    pub fn mint(&mut self, scopes: &str, manners: &Manners, now: Duration) -> Tokens {
        let number = self.families.len();
        let scopes = manners.scopes.clone().unwrap_or_else(|| scopes.to_owned());
        self.families.push(Family { is_alive: true, scopes, newest: String::new(), before: None });
        self.tokens(number, String::new(), manners, now)
    }

    /// Another token for an access token that is good, and as long as that one's family is.
    pub fn exchange(&mut self, token: &str, manners: &Manners, now: Duration) -> Option<String> {
        let family = self.access.get(token).filter(|_| self.is_good(token, now))?.family;
        let exchanged = self.secret("exchanged");
        self.access.insert(exchanged.clone(), Access { family, until: now + manners.exchanged_lasts });
        Some(exchanged)
    }

    /// A device begins.
    pub fn device(&mut self, scopes: &str, manners: &Manners, now: Duration) -> Started {
        let letter = |byte: u8| char::from(LETTERS[usize::from(byte) % LETTERS.len()]);
        let letters: String = random::<8>().map(letter).iter().collect();
        let user_code = format!("{}-{}", &letters[..4], &letters[4..]);
        let started = Started { device_code: self.secret("device"), user_code };
        self.devices.push(Device {
            started: started.clone(),
            scopes: scopes.to_owned(),
            until: now + manners.device_lasts,
            interval: manners.interval,
            polled: None,
            is_to_slow_down: false,
            state: State::Waits,
        });
        started
    }

    /// Tokens for a device whose person has said yes.
    pub fn poll(&mut self, device_code: &str, manners: &Manners, now: Duration) -> Result<Tokens, No> {
        let Some(device) = self.devices.iter_mut().find(|device| device.started.device_code == device_code) else {
            return Err(no("invalid_grant"));
        };
        let early = device.polled.is_some_and(|polled| now + JITTER < polled + device.interval);
        device.polled = Some(now);
        if early || std::mem::take(&mut device.is_to_slow_down) {
            device.interval += SLOWER;
            return Err(No { error: "slow_down", early });
        }
        if now > device.until && device.state != State::Done {
            return Err(no("expired_token"));
        }
        match device.state {
            State::Waits => Err(no("authorization_pending")),
            State::Denied => Err(no("access_denied")),
            State::Done => Err(no("invalid_grant")),
            State::Approved => {
                device.state = State::Done;
                let scopes = device.scopes.clone();
                Ok(self.begin(&scopes, manners, now).1)
            }
        }
    }

    /// What the person with this code in hand says.
    pub fn decide(&mut self, user_code: &str, yes: bool) -> bool {
        let state = if yes { State::Approved } else { State::Denied };
        self.of_user(user_code).map(|device| device.state = state).is_some()
    }

    /// The next poll of this device is answered with `slow_down`.
    pub fn slow_down(&mut self, user_code: &str) -> bool {
        self.of_user(user_code).map(|device| device.is_to_slow_down = true).is_some()
    }

    /// A token is given back: a refresh token with its family, an access token alone.
    pub fn revoke(&mut self, token: &str) {
        if let Some(family) = self.refresh.get(token).and_then(|number| self.families.get_mut(*number)) {
            family.is_alive = false;
        }
        self.access.remove(token);
    }

    /// Everything ends, as if it had been given back.
    pub fn revoke_all(&mut self) {
        self.families.iter_mut().for_each(|family| family.is_alive = false);
    }

    /// Whether a token would do now.
    pub fn is_good(&self, token: &str, now: Duration) -> bool {
        let alive = |number: usize| self.families.get(number).filter(|family| family.is_alive);
        let access = self.access.get(token).is_some_and(|access| now <= access.until && alive(access.family).is_some());
        let newest = |number: &usize| alive(*number).is_some_and(|family| family.newest == token);
        access || self.refresh.get(token).is_some_and(newest)
    }

    /// Every secret that was given.
    pub fn given(&self) -> &[String] {
        &self.given
    }

    /// Families that ended since something of theirs was used again.
    pub fn revoked_by_reuse(&self) -> usize {
        self.revoked_by_reuse
    }

    fn of_user(&mut self, user_code: &str) -> Option<&mut Device> {
        self.devices.iter_mut().find(|device| device.started.user_code == user_code && device.state == State::Waits)
    }

    fn begin(&mut self, scopes: &str, manners: &Manners, now: Duration) -> (usize, Tokens) {
        let (number, refresh) = (self.families.len(), self.secret("refresh"));
        let scopes = manners.scopes.clone().unwrap_or_else(|| scopes.to_owned());
        self.families.push(Family { is_alive: true, scopes, newest: refresh.clone(), before: None });
        self.refresh.insert(refresh.clone(), number);
        (number, self.tokens(number, refresh, manners, now))
    }

    fn tokens(&mut self, family: usize, refresh: String, manners: &Manners, now: Duration) -> Tokens {
        let (access, lasts) = (self.secret("access"), manners.access_lasts);
        self.access.insert(access.clone(), Access { family, until: now + lasts });
        let scopes = self.families.get(family).map(|family| family.scopes.clone()).unwrap_or_default();
        Tokens { access, refresh, lasts, scopes }
    }

    fn end_by_reuse(&mut self, number: Option<usize>) {
        if let Some(family) = number.and_then(|number| self.families.get_mut(number)).filter(|family| family.is_alive) {
            family.is_alive = false;
            self.revoked_by_reuse += 1;
        }
    }

    fn secret(&mut self, kind: &str) -> String {
        let random: String = random::<16>().iter().map(|byte| format!("{byte:02x}")).collect();
        let secret = format!("canary-{}-{kind}-{}-{random}", self.name, self.given.len());
        self.given.push(secret.clone());
        secret
    }
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // Without chance the number in each secret still tells it from others, which is all that tests need.
    SystemRandom::new().fill(&mut bytes).ok();
    bytes
}

#[cfg(test)]
mod tests;
