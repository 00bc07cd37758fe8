//! How the targets do, as one worker sees it: what it met itself, and what the control plane tells of all others.
//!
//! | met | the target | its provider |
//! |---|---|---|
//! | overloaded, faulty | breaker | is alive |
//! | timeout, unreachable | breaker | breaker |
//! | any of these, with a time | banned until then | |
//! | throttled, exhausted with a time; exhausted | banned until then; for an hour | is alive |
//! | throttled without a time, a refused credential | averse for a moment | is alive |
//! | anything else | is alive | is alive |
//!
//! Who is *banned* is asked by nobody: its provider said so, or an operator. Who is *averse* is asked when nobody else is left: that
//! it will fail is a guess. What an account's own credential meets is about that account alone.
//!
//! Subjects are named: a provider by its id, a target by `provider/model`, a target for one account by `provider/model@account`.

mod breaker;
mod fleet;
mod pulse;
mod rest;
mod retries;
mod settings;
mod view;

use std::collections::{HashMap, HashSet};

use crate::failure::Failure;
use crate::record::{Ending, Outcome, Whose};

pub use breaker::{Breaker, Passage};
pub use fleet::{Fleet, Force, Told};
pub use pulse::{FULL, Pulse, Pulses};
pub use rest::{Firmness, Rest};
pub use retries::Retries;
pub use settings::Settings;
pub use view::View;

/// Most subjects that a worker remembers, about 200 bytes each. Beyond them those go of which nothing is to be said.
const MAX_SUBJECTS: usize = 16_384;

/// Most subjects that are told of.
pub const MAX_TOLD: usize = MAX_SUBJECTS / 2;

/// So long the control plane need not know what a worker met itself.
const OWN_MS: u64 = 5_000;

/// Whether somebody should be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fitness {
    /// Like everybody else.
    Fit,
    /// When nobody else is left.
    Averse(Rest),
    /// Not before the rest is over.
    Banned(Rest),
}

/// What is known of one subject.
#[derive(Clone, Debug, Default)]
struct Subject {
    breaker: Breaker,
    rest: Option<Rest>,
    /// How often it was throttled without saying for how long, since it answered last.
    guesses: u32,
    force: Option<Force>,
    /// Since when what the control plane told last holds; 0 when it told nothing.
    told_ms: u64,
    /// When this worker met a failure of it last; 0 when it never did.
    met_ms: u64,
}

impl Subject {
    /// Whether there is nothing to remember.
    fn is_idle(&self, now_ms: u64) -> bool {
        let rests = self.rest.is_some_and(|rest| rest.until_ms > now_ms);
        self.breaker.is_closed() && !rests && self.force.is_none() && self.told_ms == 0
    }

    /// `asking` when what is met by whoever has the same credential counts.
    fn fitness(&self, asking: bool, now_ms: u64) -> Fitness {
        match self.force {
            Some(Force::Open) => return Fitness::Banned(Rest::forced()),
            Some(Force::Closed) => return Fitness::Fit,
            None => {}
        }
        let rest = self.rest.filter(|rest| rest.until_ms > now_ms && (asking || !rest.why.is_about_asking()));
        match (rest, self.breaker.passage(now_ms)) {
            (Some(rest), _) if rest.firmness == Firmness::Banned => Fitness::Banned(rest),
            (Some(rest), _) => Fitness::Averse(rest),
            (None, Passage::Shut(until_ms)) => {
                Fitness::Averse(Rest { until_ms, why: Failure::Faulty, firmness: Firmness::Averse })
            }
            (None, Passage::Free | Passage::Probe) => Fitness::Fit,
        }
    }

    fn rest(&mut self, rest: Rest) {
        if self.rest.is_none_or(|known| (known.firmness, known.until_ms) < (rest.firmness, rest.until_ms)) {
            self.rest = Some(rest);
        }
    }
}

/// What one worker knows of all.
#[derive(Debug, Default)]
pub struct Health {
    /// How it is judged.
    pub settings: Settings,
    /// How many more attempts than exchanges there may be.
    pub retries: Retries,
    subjects: HashMap<String, Subject>,
}

impl Health {
    /// Whether that target should be asked with that credential; `account` is whose it is, if it is an account's.
    pub fn fitness(&self, target: &str, whose: Whose, account: &str, now_ms: u64) -> Fitness {
        if self.subjects.is_empty() {
            return Fitness::Fit;
        }
        let own = (whose == Whose::Account).then(|| of_account(target, account));
        let gateways = whose == Whose::Gateway;
        let names = [(Some(provider_of(target)), gateways), (Some(target), gateways), (own.as_deref(), true)];
        let known = |(name, asking): (Option<&str>, bool)| Some((self.subjects.get(name?)?, asking));
        let mut worst = Fitness::Fit;
        for (subject, asking) in names.into_iter().filter_map(known) {
            match (subject.fitness(asking, now_ms), worst) {
                // What is forced closed is asked, whatever else is thought of it: so an operator can try it.
                (Fitness::Fit, _) if subject.force == Some(Force::Closed) => return Fitness::Fit,
                _ if !self.settings.enabled && subject.force.is_none() => {}
                (Fitness::Banned(rest), Fitness::Banned(known)) if known.until_ms >= rest.until_ms => {}
                (banned @ Fitness::Banned(_), _) => worst = banned,
                (averse @ Fitness::Averse(_), Fitness::Fit) => worst = averse,
                _ => {}
            }
        }
        worst
    }

    /// Whether something may be asked again.
    pub fn may_repeat(&self) -> bool {
        self.settings.enabled && self.settings.retry_percent > 0 && self.retries.is_free()
    }

    /// That target is asked.
    pub fn asked(&mut self, target: &str, now_ms: u64) {
        for name in [target, provider_of(target)] {
            if let Some(subject) = self.subjects.get_mut(name) {
                subject.breaker.asked(now_ms);
            }
        }
    }

    /// What became of an attempt in the name of that account. `chance` is any number, so that not all come back together. Whether
    /// the target can be asked again by that, having been away.
    pub fn met(&mut self, outcome: &Outcome, account: &str, chance: u64, now_ms: u64) -> bool {
        if !self.settings.enabled {
            return false;
        }
        let Some(failure) = outcome.failure else {
            let was_let_go = matches!(outcome.ending, Ending::Abandoned | Ending::Outrun);
            let heard = !was_let_go || outcome.first_event_ms.is_some();
            return self.alive(&outcome.target, heard, now_ms);
        };
        let mut is_back = false;
        match (failure.is_about_asking(), outcome.whose) {
            (true, Whose::Caller) => {}
            (true, Whose::Account) => self.rests(of_account(&outcome.target, account), outcome, chance, now_ms),
            (true, Whose::Gateway) => self.rests(outcome.target.clone(), outcome, chance, now_ms),
            (false, _) if failure.counts() => {
                self.fails(outcome.target.clone(), now_ms);
                if outcome.retry_after_ms.is_some_and(|wait| wait > 0) {
                    self.rests(outcome.target.clone(), outcome, chance, now_ms);
                }
            }
            (false, _) => is_back = self.alive(&outcome.target, true, now_ms),
        }
        let provider = provider_of(&outcome.target);
        if matches!(failure, Failure::Timeout | Failure::Unreachable) && outcome.status == 0 {
            self.fails(provider.to_string(), now_ms);
        } else if let Some(subject) = self.subjects.get_mut(provider) {
            subject.breaker.succeeded(&self.settings, now_ms);
        }
        is_back
    }

    /// Takes the control plane's word: what it does not tell any more is over. Gives back who can be asked again by that.
    pub fn learn(&mut self, fleet: Fleet, now_ms: u64) -> Vec<String> {
        let away = |subject: &Subject| !subject.breaker.is_closed();
        let names = self.subjects.iter().filter(|(_, subject)| away(subject)).map(|(name, _)| name.clone());
        let mut back: Vec<String> = names.collect();
        let told: HashSet<&str> = fleet.told.iter().map(|told| told.subject.as_str()).collect();
        self.subjects.retain(|name, subject| {
            let is_over = subject.told_ms > 0 && !told.contains(name.as_str());
            if is_over && subject.met_ms > 0 && subject.met_ms.saturating_add(OWN_MS) > now_ms {
                (subject.told_ms, subject.force) = (0, None);
                return true;
            }
            !is_over
        });
        for told in fleet.told.into_iter().take(MAX_TOLD) {
            self.take(told, now_ms);
        }
        back.retain(|name| !self.subjects.get(name).is_some_and(away));
        back
    }

    /// Takes the control plane's word of one subject.
    fn take(&mut self, told: Told, now_ms: u64) {
        let subject = self.subject(told.subject, now_ms);
        let is_news = subject.told_ms < told.since_ms;
        subject.told_ms = told.since_ms;
        subject.force = told.force;
        if is_news && told.is_over && subject.met_ms < told.since_ms {
            (subject.breaker, subject.rest, subject.guesses) = Default::default();
        }
        if let Some(until_ms) = told.open_until_ms.filter(|_| is_news) {
            subject.breaker.open(until_ms);
        }
        if let Some(rest) = told.rest {
            subject.rest(rest);
        }
    }

    /// Whether the target or its provider can be asked again by that.
    fn alive(&mut self, target: &str, heard: bool, now_ms: u64) -> bool {
        let mut is_back = false;
        for name in [target, provider_of(target)] {
            let Some(subject) = self.subjects.get_mut(name) else { continue };
            match heard {
                true => {
                    subject.guesses = 0;
                    is_back |= subject.breaker.succeeded(&self.settings, now_ms);
                }
                false => subject.breaker.unheard(),
            }
        }
        is_back
    }

    fn fails(&mut self, name: String, now_ms: u64) {
        let settings = self.settings;
        let subject = self.subject(name, now_ms);
        subject.met_ms = now_ms;
        subject.breaker.failed(&settings, now_ms);
    }

    fn rests(&mut self, name: String, outcome: &Outcome, chance: u64, now_ms: u64) {
        let subject = self.subject(name, now_ms);
        if let Some(rest) = Rest::after(outcome, subject.guesses, chance, now_ms) {
            subject.guesses = subject.guesses.saturating_add(1);
            subject.rest(rest);
            subject.met_ms = now_ms;
        }
        subject.breaker.unheard();
    }

    fn subject(&mut self, name: String, now_ms: u64) -> &mut Subject {
        if self.subjects.len() >= MAX_SUBJECTS && !self.subjects.contains_key(&name) {
            self.subjects.retain(|_, subject| !subject.is_idle(now_ms));
            if self.subjects.len() >= MAX_SUBJECTS {
                self.subjects.retain(|_, subject| subject.told_ms > 0);
            }
        }
        self.subjects.entry(name).or_default()
    }
}

/// The provider of a target.
pub fn provider_of(target: &str) -> &str {
    target.split_once('/').map_or(target, |(provider, _)| provider)
}

/// The name of a target for one account.
pub fn of_account(target: &str, account: &str) -> String {
    format!("{target}@{account}")
}

#[cfg(test)]
mod tests;
