//! In which order the targets of a Plan are asked, and which of them are asked again.
//!
//! ```text
//!  Plan    A B C
//!  walk    A B C  A B …     those that failed in passing, as long as repeats are free and there is room
//!          A      A A       with one target only: what says that it has too much to do is believed
//!          A B    A B A     A rejected a credential of which another can be had: with that, should B fail
//! ```
//!
//! Envoy reads where an attempt goes when the one before has failed, from a header that can be changed only while that one begins.
//! So each attempt decides, when it begins, who comes after it: by what is known then, which is not yet what becomes of it.

use super::{Asked, Exchange, Opening, Phase, SLOT};
use crate::catalog::Operation;
use crate::failure::Failure;
use crate::health::{Fitness, Health};
use crate::memory::{CredentialId, Memory};
use crate::record::{Outcome, Record};

/// Most attempts of one exchange. Three providers of which each fails three times out of ten are asked in vain twice in a hundred
/// thousand times.
pub const MAX_WALK: usize = 9;

/// Most times that a target is asked again right after it failed.
const MAX_ITSELF: usize = 2;

/// Who comes after an attempt that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// Nobody.
    Nobody,
    /// Another target.
    Another,
    /// The same target.
    Itself,
}

/// An attempt's turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Its number, from 1.
    pub number: usize,
    /// Whose turn: a place in the Plan, from 0.
    pub place: usize,
    /// Who comes after it.
    pub after: After,
    /// Should the target reject the credential, of which another can be had, somebody is asked, and it once more with that.
    pub may_renew: bool,
}

/// Places in the Plan by attempts, as far as it is decided.
#[derive(Debug, Default)]
pub(super) struct Walk {
    places: Vec<usize>,
    /// The attempt that is there only for a credential that may be rejected.
    renewal: Option<usize>,
}

impl Walk {
    /// That of a Plan of so many targets.
    pub(super) fn through(targets: usize) -> Walk {
        Walk { places: (0..targets).collect(), renewal: None }
    }

    /// The place of an attempt.
    pub(super) fn place(&self, number: usize) -> Option<usize> {
        self.places.get(number.checked_sub(1)?).copied()
    }
}

impl Exchange {
    /// The turn of that attempt, which begins now, and the slot header by which the next one finds its way, where it has none yet.
    pub fn turn(
        &mut self,
        number: usize,
        memory: &mut Memory,
        now_ms: u64,
    ) -> Option<(Turn, Option<(String, String)>)> {
        let renewed = self.renewed(number).is_some();
        let place = self.due(number)?;
        let Phase::Sent(asked) = &self.phase else { return None };
        let health = &mut memory.health;
        let planned = asked.plan.get(place)?;
        health.asked(&planned.target.id, now_ms);
        match number {
            1 if !self.is_shadow() => health.retries.earn(health.settings.retry_percent),
            number if number > asked.plan.len() && !renewed => health.retries.spend(),
            _ => {}
        }
        let is_open = self.walk.places.len() == number && number < MAX_WALK && asked.may_repeat() && !self.is_shadow();
        let free = health.may_repeat();
        let repeated = || free.then(|| again(asked, &self.walk, &self.record, health, now_ms)).flatten();
        let renewable = planned.credential.as_ref().is_some_and(|known| known.renewable);
        let itself = (renewable && self.rejections(place) == 0).then_some(place);
        let mut slot = None;
        if is_open && let Some(next) = self.rejected_once().or_else(repeated).or(itself) {
            self.walk.places.push(next);
            self.walk.renewal = (next == place && !free).then_some(number + 1);
            let value = asked.snapshot.slot(asked.plan.get(next)?.target.provider).unwrap_or_default();
            slot = Some((format!("{SLOT}{}", number + 1), value.to_string()));
        }
        let next = self.walk.place(number + 1);
        let after = match next {
            None => After::Nobody,
            Some(next) if next != place => After::Another,
            Some(_) if free => After::Itself,
            Some(_) => After::Nobody,
        };
        let may_renew = renewable && next.is_some() && (next != Some(place) || itself.is_some());
        Some((Turn { number, place, after, may_renew }, slot))
    }

    /// How often that target has rejected its credential.
    fn rejections(&self, place: usize) -> usize {
        self.rejected.iter().filter(|number| self.walk.place(**number) == Some(place)).count()
    }

    /// A target that has rejected its credential, and whose turn with another one is not decided.
    fn rejected_once(&self) -> Option<usize> {
        let asked = |place: usize| self.walk.places.iter().filter(|known| **known == place).count();
        let mut places = self.rejected.iter().filter_map(|number| self.walk.place(*number));
        places.find(|place| self.rejections(*place) == 1 && asked(*place) == 1)
    }

    /// Whose turn it is with that attempt.
    pub(super) fn due(&self, number: usize) -> Option<usize> {
        // Envoy would also go there from a connection that broke.
        let is_in_vain = self.walk.renewal == Some(number) && self.renewed(number).is_none();
        self.walk.place(number).filter(|_| !is_in_vain)
    }

    /// The credential to ask for before that attempt: anew, or of a shadow for the first time. `None` when the planned one is good.
    pub fn renewed(&self, number: usize) -> Option<CredentialId> {
        let Phase::Sent(asked) = &self.phase else { return None };
        let place = self.walk.place(number)?;
        let last = (1..number).rev().find(|last| self.walk.place(*last) == Some(place));
        let again = last.is_some_and(|last| self.rejected.contains(&last));
        match &asked.plan.get(place).filter(|planned| again || !planned.is_equipped())?.opening {
            Opening::With(which) => Some(which.clone()),
            _ => None,
        }
    }
}

/// Who is asked again after the last attempt of the walk, which begins now.
fn again(asked: &Asked, walk: &Walk, record: &Record, health: &Health, now_ms: u64) -> Option<usize> {
    let current = *walk.places.last()?;
    let last_asked = |place: usize| walk.places.iter().rposition(|known| *known == place);
    let may_be_asked = |place: &usize| {
        asked.plan.get(*place).is_some_and(|planned| {
            let fitness = health.fitness(&planned.target.id, planned.opening.whose(), &record.account, now_ms);
            !matches!(fitness, Fitness::Banned(_))
        })
    };
    let failed_in_passing = |place: &usize| {
        let target = asked.plan.get(*place).map(|planned| planned.target.id.as_str());
        let last = record.outcomes.iter().rfind(|outcome| Some(outcome.target.as_str()) == target);
        last.is_some_and(in_passing)
    };
    let others = (0..asked.plan.len()).filter(|place| *place != current);
    let other =
        others.filter(|place| failed_in_passing(place) && may_be_asked(place)).min_by_key(|place| last_asked(*place));
    let itself = || {
        let row = walk.places.iter().rev().take_while(|place| **place == current).count();
        (row <= MAX_ITSELF && may_be_asked(&current)).then_some(current)
    };
    other.or_else(itself)
}

/// Whether the next moment may be better.
fn in_passing(outcome: &Outcome) -> bool {
    let short = matches!(
        outcome.failure,
        Some(Failure::Overloaded | Failure::Faulty | Failure::Unreachable | Failure::Throttled)
    );
    short && outcome.retry_after_ms.unwrap_or(0) == 0
}

impl Asked {
    /// The turn of the attempt of that number, where everybody is asked once.
    pub fn turn(&self, number: usize) -> Turn {
        let after = if number < self.plan.len() { After::Another } else { After::Nobody };
        Turn { number, place: number.wrapping_sub(1), after, may_renew: false }
    }

    /// Whether the same may be asked of the same provider twice: what makes something there is not.
    pub(super) fn may_repeat(&self) -> bool {
        matches!(self.endpoint.operation, Operation::Generate | Operation::Embed | Operation::CountTokens)
    }

    /// How often Envoy may try again.
    pub(super) fn retries(&self) -> usize {
        if self.may_repeat() { MAX_WALK - 1 } else { self.plan.len().saturating_sub(1) }
    }
}

#[cfg(test)]
pub(super) mod tests;
