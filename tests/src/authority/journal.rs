//! What a server was asked and what it answered: the oracle of the sign-in's tests.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::bail;

use super::words::{Words, one};
use super::{Endpoint, lock};

/// The parameters that nobody but the two sides may see. A state is secret until it was used, a challenge never.
const SECRET: [&str; 8] =
    ["code", "code_verifier", "refresh_token", "device_code", "client_secret", "token", "state", "assertion"];

/// One request.
#[derive(Clone, Debug)]
pub struct Asked {
    /// For what.
    pub endpoint: Endpoint,
    /// When, by the server's clock.
    pub at: Duration,
    /// Its content type.
    pub content_type: String,
    /// Its headers, names in lower case.
    pub headers: Words,
    /// Its parameters, whether they came in the query, as a form or as JSON.
    pub words: Words,
    /// What came of it: `ok`, the name of an error, or what was done wrong on purpose.
    pub outcome: &'static str,
    /// A poll that came before it was allowed to.
    pub early: bool,
}

/// Every request, in the order of their answers.
#[derive(Debug, Default)]
pub struct Journal {
    entries: Mutex<Entries>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Entries {
    asked: Vec<Asked>,
    families_revoked: usize,
    answering: usize,
    most_at_once: usize,
}

impl Asked {
    /// The only value of a parameter.
    pub fn word(&self, name: &str) -> Option<&str> {
        one(&self.words, name)
    }

    /// Whether it asks for tokens for this.
    pub fn is_grant(&self, grant: &str) -> bool {
        self.endpoint == Endpoint::Token && self.word("grant_type") == Some(grant)
    }
}

impl Journal {
    /// All requests up to now.
    pub fn asked(&self) -> Vec<Asked> {
        lock(&self.entries).asked.clone()
    }

    /// Those of one endpoint.
    pub fn of(&self, endpoint: Endpoint) -> Vec<Asked> {
        self.asked().into_iter().filter(|asked| asked.endpoint == endpoint).collect()
    }

    /// Those that brought a code.
    pub fn codes(&self) -> Vec<Asked> {
        self.grants("authorization_code")
    }

    /// Those that brought a refresh token.
    pub fn refreshes(&self) -> Vec<Asked> {
        self.grants("refresh_token")
    }

    /// Those that brought a device code.
    pub fn polls(&self) -> Vec<Asked> {
        self.grants("urn:ietf:params:oauth:grant-type:device_code")
    }

    /// Those that asked for a token for themselves: with a client's secret, or with what they signed.
    pub fn mints(&self) -> Vec<Asked> {
        let all = self.grants("client_credentials").into_iter();
        all.chain(self.grants("urn:ietf:params:oauth:grant-type:jwt-bearer")).collect()
    }

    /// Polls that came before they were allowed to.
    pub fn early_polls(&self) -> usize {
        self.asked().iter().filter(|asked| asked.early).count()
    }

    /// Families that ended because a refresh token or a code of theirs was used again.
    pub fn families_revoked(&self) -> usize {
        lock(&self.entries).families_revoked
    }

    /// The most requests for tokens that it was answering at the same time, since it was cleared.
    pub fn most_at_once(&self) -> usize {
        lock(&self.entries).most_at_once
    }

    /// Waits until it is as `wanted` says; `what` names it for the error.
    pub fn wait_until(
        &self,
        deadline: Duration,
        what: &str,
        wanted: impl Fn(&[Asked]) -> bool,
    ) -> anyhow::Result<Vec<Asked>> {
        let until = Instant::now() + deadline;
        let mut entries = lock(&self.entries);
        while !wanted(&entries.asked) {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                bail!("waited {deadline:?} for {what}; there are {:?}", told(&entries.asked));
            }
            entries = self.changed.wait_timeout(entries, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(entries.asked.clone())
    }

    /// Forgets everything: a long run must not fill the memory.
    pub fn clear(&self) {
        let mut entries = lock(&self.entries);
        entries.asked.clear();
        entries.most_at_once = entries.answering;
    }

    /// Every secret that it was given.
    pub(super) fn secrets(&self) -> Vec<String> {
        let words = self.asked().into_iter().flat_map(|asked| asked.words);
        words.filter(|(name, value)| SECRET.contains(&name.as_str()) && !value.is_empty()).map(|word| word.1).collect()
    }

    /// A request for tokens came.
    pub(super) fn begin(&self) {
        let mut entries = lock(&self.entries);
        entries.answering += 1;
        entries.most_at_once = entries.most_at_once.max(entries.answering);
    }

    /// It is answered.
    pub(super) fn end(&self) {
        lock(&self.entries).answering -= 1;
    }

    pub(super) fn note(&self, asked: Asked, families_revoked: usize) {
        let mut entries = lock(&self.entries);
        entries.families_revoked = families_revoked;
        entries.asked.push(asked);
        self.changed.notify_all();
    }

    fn grants(&self, grant: &str) -> Vec<Asked> {
        self.asked().into_iter().filter(|asked| asked.is_grant(grant)).collect()
    }
}

/// The last ones: there may be thousands.
fn told(asked: &[Asked]) -> Vec<String> {
    const SHOWN: usize = 50;
    let line = |one: &Asked| {
        let grant = one.word("grant_type").unwrap_or_default();
        format!("{:?} {grant} {:?} → {}", one.endpoint, one.at, one.outcome)
    };
    asked.iter().skip(asked.len().saturating_sub(SHOWN)).map(line).collect()
}
