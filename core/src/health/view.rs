//! The fleet view: what the control plane makes of everybody's Records, by the very machine that each worker has of its own.
//!
//! ```text
//! an Outcome, an operator's word, another control plane's view ─▶ View ─▶ changed: kept in the store, told to all workers
//! ```
//!
//! What is told of a subject stays so, with the moment since when, until something of it is another. What is over is told for a
//! minute, so that workers drop what they believed; who is not told of is as everybody.

use std::collections::{HashMap, HashSet};

use super::{Fleet, Health, MAX_TOLD, Rest, Settings, Told, of_account, provider_of};
use crate::record::{Outcome, Record};

/// How long it is told that something is over.
const OVER_MS: u64 = 60_000;

/// Of a breaker whose time has been over for so long, and that nobody tried, nothing is known any more.
const UNTRIED_MS: u64 = 60 * 60 * 1000;

/// A rest that is longer by less than this is no news: many attempts end with the same hint.
const SAME_MS: u64 = 500;

/// What ended so long ago says nothing of now: its worker could not tell it.
const STALE_MS: u64 = 30_000;

/// Everybody's health.
#[derive(Debug, Default)]
pub struct View {
    health: Health,
    told: HashMap<String, Told>,
    /// Those of which something changed since [`View::changes`].
    changed: HashSet<String>,
}

impl View {
    /// Judges by these from now on.
    pub fn judge_by(&mut self, settings: Settings) {
        self.health.settings = settings;
    }

    /// What became of an exchange's attempts, told now. Whether anything changed by it.
    pub fn observe(&mut self, record: &Record, chance: u64, now_ms: u64) -> bool {
        let mut ended_ms = record.began_ms;
        let mut changed = false;
        for outcome in &record.outcomes {
            ended_ms = ended_ms.saturating_add(outcome.total_ms);
            let age_ms = now_ms.saturating_sub(ended_ms);
            // A wait counts from when it was said.
            let left_ms = outcome.retry_after_ms.map_or(0, |wait| wait.saturating_sub(age_ms));
            if age_ms > STALE_MS && left_ms == 0 {
                continue;
            }
            let outcome = Outcome { retry_after_ms: (left_ms > 0).then_some(left_ms), ..outcome.clone() };
            changed |= self.met(&outcome, &record.account, chance, now_ms);
        }
        changed
    }

    fn met(&mut self, outcome: &Outcome, account: &str, chance: u64, now_ms: u64) -> bool {
        let (target, provider) = (outcome.target.as_str(), provider_of(&outcome.target));
        // What was asked before a breaker's time was over is no probe.
        self.health.asked(target, now_ms.saturating_sub(outcome.total_ms));
        self.health.met(outcome, account, chance, now_ms);
        let own = of_account(target, account);
        [target, provider, &own].into_iter().filter(|name| self.settle(name, now_ms)).count() > 0
    }

    /// A probe of a provider: whether anybody is there. Whether anything changed by it.
    pub fn probed(&mut self, provider: &str, is_there: bool, began_ms: u64, now_ms: u64) -> bool {
        let settings = self.health.settings;
        if !settings.enabled {
            return false;
        }
        self.health.asked(provider, began_ms);
        match self.health.subjects.get_mut(provider) {
            Some(subject) if is_there => _ = subject.breaker.succeeded(&settings, now_ms),
            _ if is_there => {}
            _ => self.health.fails(provider.to_string(), now_ms),
        }
        self.settle(provider, now_ms)
    }

    /// Takes what the store has of a subject: an operator's word, what another control plane met, what was before a restart. Whether
    /// that is news.
    pub fn adopt(&mut self, told: Told, now_ms: u64) -> bool {
        let name = told.subject.clone();
        let known = self.told.get(&name).map(|known| (known.since_ms, known.force));
        if known.is_none() && !self.has_room(&told) {
            return false;
        }
        let (since_ms, force) = known.unwrap_or((0, None));
        if since_ms >= told.since_ms {
            // The store alone knows what operators say.
            self.health.subject(name.clone(), now_ms).force = told.force;
            return force != told.force && self.settle(&name, now_ms);
        }
        // What is over is over, whatever was met here a moment ago.
        if let Some(subject) = self.health.subjects.get_mut(&name).filter(|_| told.is_over) {
            subject.met_ms = 0;
        }
        self.health.take(told.clone(), now_ms);
        self.told.insert(name.clone(), told);
        // Where more is known here than there, that is told in turn.
        self.settle(&name, now_ms);
        true
    }

    /// Of whom something changed since the last call, as it is now.
    pub fn changes(&mut self) -> Vec<Told> {
        self.changed.drain().filter_map(|name| self.told.get(&name).cloned()).collect()
    }

    /// Those changes could not be kept; they come again with the next ones.
    pub fn not_kept(&mut self, changes: Vec<Told>) {
        self.changed.extend(changes.into_iter().map(|told| told.subject));
    }

    /// Lets go what is over. Whether there was something.
    pub fn expire(&mut self, now_ms: u64) -> bool {
        let over: Vec<String> =
            self.told.values().filter(|told| told.ends_ms() <= now_ms).map(|told| told.subject.clone()).collect();
        for name in &over {
            self.told.remove(name);
            self.changed.remove(name);
            if let Some(subject) = self.health.subjects.get_mut(name) {
                subject.told_ms = 0;
                if !subject.breaker.is_closed() {
                    subject.breaker = Default::default();
                }
            }
        }
        !over.is_empty()
    }

    /// What all workers are told.
    pub fn fleet(&self) -> Fleet {
        Fleet { told: self.told.values().cloned().collect() }
    }

    /// What a worker knows that was told all of it and met nothing itself.
    pub fn as_told(&self, now_ms: u64) -> Health {
        let mut health = Health { settings: self.health.settings, ..Health::default() };
        health.learn(self.fleet(), now_ms);
        health
    }

    /// What is told of a subject, without what is over.
    pub fn of(&self, name: &str, now_ms: u64) -> Option<Told> {
        let known = self.told.get(name)?;
        let now = Told { since_ms: known.since_ms, ..self.standing(name, now_ms) };
        (now.open_until_ms.is_some() || now.rest.is_some() || now.force.is_some()).then_some(now)
    }

    /// Whether a subject is told of.
    pub fn knows(&self, name: &str) -> bool {
        self.told.contains_key(name)
    }

    /// The subjects that are told of.
    pub fn subjects(&self) -> impl Iterator<Item = &str> {
        self.told.keys().map(String::as_str)
    }

    /// How a subject stands now.
    fn standing(&self, name: &str, now_ms: u64) -> Told {
        let subject = self.health.subjects.get(name);
        Told {
            subject: name.to_string(),
            open_until_ms: subject.and_then(|subject| subject.breaker.open_until_ms()),
            rest: subject.and_then(|subject| subject.rest).filter(|rest| rest.until_ms > now_ms),
            force: subject.and_then(|subject| subject.force),
            ..Told::default()
        }
    }

    /// Tells how a subject stands, if that is another thing than what is told. Whether it is.
    fn settle(&mut self, name: &str, now_ms: u64) -> bool {
        let now = self.standing(name, now_ms);
        let nothing = Told::default();
        let known = self.told.get(name).unwrap_or(&nothing);
        let same = (known.open_until_ms, known.force) == (now.open_until_ms, now.force);
        if same && !is_longer(now.rest, known.rest.filter(|rest| rest.until_ms > now_ms)) {
            return false;
        }
        if known.subject.is_empty() && !self.has_room(&now) {
            return false;
        }
        let recovered = now.open_until_ms.is_none() && (known.open_until_ms.is_some() || known.is_over);
        let since_ms = now_ms.max(known.since_ms + 1);
        // Whoever is told of is not let go when there is no room.
        self.health.subject(name.to_string(), now_ms).told_ms = since_ms;
        self.changed.insert(name.to_string());
        self.told.insert(name.to_string(), Told { since_ms, is_over: recovered, ..now });
        true
    }

    /// What operators say is always told.
    fn has_room(&self, told: &Told) -> bool {
        self.told.len() < MAX_TOLD || told.force.is_some()
    }
}

impl Told {
    /// When it need not be told any more.
    pub fn ends_ms(&self) -> u64 {
        if self.force.is_some() {
            return u64::MAX;
        }
        let open = self.open_until_ms.map_or(0, |until_ms| until_ms.saturating_add(UNTRIED_MS));
        let rest = self.rest.map_or(0, |rest| rest.until_ms);
        open.max(rest).max(self.since_ms.saturating_add(OVER_MS))
    }
}

fn is_longer(now: Option<Rest>, known: Option<Rest>) -> bool {
    match (now, known) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(now), Some(known)) => {
            (now.why, now.firmness) != (known.why, known.firmness)
                || now.until_ms >= known.until_ms.saturating_add(SAME_MS)
        }
    }
}

#[cfg(test)]
mod tests;
