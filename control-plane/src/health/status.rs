//! How a provider does, in one word, and why.
//!
//! | word | when |
//! |---|---|
//! | healthy | nothing is known against it |
//! | degraded | some target is left alone or its breaker is not closed, or more than a tenth of the attempts of late failed |
//! | unhealthy | its own breaker is not closed, it is forced open, or all its targets are out |

use dragoman_core::catalog::Target;
use dragoman_core::health::{Force, Settings, Told};
use dragoman_core::snapshot::Snapshot;

use super::Minute;

/// So many thousandths of attempts that fail are too many.
const MOST_FAILED: u64 = 100;

/// The word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Nothing is known against it.
    Healthy,
    /// Some of it is out.
    Degraded,
    /// All of it is out.
    Unhealthy,
}

impl Status {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Status::Healthy => "healthy",
            Status::Degraded => "degraded",
            Status::Unhealthy => "unhealthy",
        }
    }
}

/// Why it is not well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// Of whom: the provider, or a target of it.
    pub subject: String,
    /// `forced_open`, `open`, `half_open`, `errors`, or the class of the failure for which it is left alone.
    pub why: &'static str,
    /// Since when it is so, in milliseconds since 1970, where that is known.
    pub since_ms: Option<u64>,
    /// Until when at least, where there is an end.
    pub until_ms: Option<u64>,
}

impl Reason {
    /// Why that subject is out; `None` when it is not.
    pub fn of(told: &Told, now_ms: u64) -> Option<Reason> {
        let (why, until_ms) = match (told.force, told.open_until_ms, told.rest) {
            (Some(Force::Open), ..) => ("forced_open", None),
            (Some(Force::Closed), ..) => return None,
            (None, Some(until_ms), _) if until_ms > now_ms => ("open", Some(until_ms)),
            (None, _, Some(rest)) if rest.until_ms > now_ms => (rest.why.name(), Some(rest.until_ms)),
            (None, Some(_), _) => ("half_open", None),
            (None, None, _) => return None,
        };
        Some(Reason { subject: told.subject.clone(), why, since_ms: Some(told.since_ms), until_ms })
    }
}

/// How one provider does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Its id.
    pub provider: String,
    /// In one word.
    pub status: Status,
    /// Why.
    pub reasons: Vec<Reason>,
}

impl Report {
    /// Of a provider of which that is told, and which did so of late.
    pub fn of(
        provider: &str,
        told: &[Told],
        snapshot: &Snapshot,
        late: &Minute,
        settings: &Settings,
        now_ms: u64,
    ) -> Report {
        let report = |status, reasons| Report { provider: provider.to_string(), status, reasons };
        let own = told.iter().find(|told| told.subject == provider);
        if own.is_some_and(|own| own.force == Some(Force::Closed)) {
            return report(Status::Healthy, Vec::new());
        }
        let mut reasons: Vec<Reason> = told.iter().filter_map(|told| Reason::of(told, now_ms)).collect();
        // The provider itself first, then its targets by name.
        reasons.sort_by(|one, two| one.subject.cmp(&two.subject));
        let is_out = |subject: &str| reasons.iter().any(|reason| reason.subject == subject);
        let mut targets = of(provider, snapshot).peekable();
        let all_out = targets.peek().is_some() && targets.all(|target| is_out(&target.id));
        if is_out(provider) || all_out {
            return report(Status::Unhealthy, reasons);
        }
        if late.attempts >= settings.least_attempts && late.failed_permille() > MOST_FAILED {
            let subject = provider.to_string();
            reasons.push(Reason { subject, why: "errors", since_ms: None, until_ms: None });
        }
        report(if reasons.is_empty() { Status::Healthy } else { Status::Degraded }, reasons)
    }
}

/// The targets of a provider.
pub fn of<'s>(provider: &'s str, snapshot: &'s Snapshot) -> impl Iterator<Item = &'s Target> {
    let at = snapshot.providers.iter().position(|row| row.id == provider);
    snapshot.targets.iter().filter(move |target| Some(target.provider) == at)
}
