//! What the data plane reports of an exchange: one Decision and one Outcome per attempt.
//!
//! The Record is made when the exchange is over, kept until the control plane acknowledged it, and stored once per exchange
//! id. It holds counts and names, never a word that was said.

mod chosen;
mod document;
pub mod stats;
mod trace;

use crate::estimate::Estimate;
use crate::failure::Failure;
use crate::loss::Losses;
use crate::preferences::Preferences;
use crate::price::{Cost, Price};
use crate::refusal::DENIALS;
use crate::usage::Usage;

pub use chosen::{Chosen, Judge, Score};
pub use trace::Trace;

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Ending {
    /// The whole answer went to the client.
    Answered,
    /// The provider said no, and retrying elsewhere makes sense.
    Retriable,
    /// The provider said no, and the client was told.
    Refused,
    /// The answer broke off or made no sense after it had begun.
    Broken,
    /// The client left before the end.
    Abandoned,
    /// Another attempt beside it was quicker, and it was let go.
    Outrun,
    /// Nothing was heard: no connection, a reset or silence.
    #[default]
    Silent,
}

impl Ending {
    const NAMES: [(Ending, &'static str); 7] = [
        (Ending::Answered, "answered"),
        (Ending::Retriable, "retriable"),
        (Ending::Refused, "refused"),
        (Ending::Broken, "broken"),
        (Ending::Abandoned, "abandoned"),
        (Ending::Outrun, "outrun"),
        (Ending::Silent, "silent"),
    ];

    /// Its name in Records.
    pub fn name(self) -> &'static str {
        Ending::NAMES.iter().find(|(ending, _)| *ending == self).map_or("silent", |(_, name)| name)
    }

    fn named(name: &str) -> Option<Ending> {
        Ending::NAMES.iter().find(|(_, known)| *known == name).map(|(ending, _)| *ending)
    }
}

/// Whose credential an attempt had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Whose {
    /// The gateway's, or none.
    #[default]
    Gateway,
    /// The account's own.
    Account,
    /// The caller's own token, passed through.
    Caller,
}

impl Whose {
    const ALL: [Whose; 3] = [Whose::Gateway, Whose::Account, Whose::Caller];

    /// Its name in Records.
    pub fn name(self) -> &'static str {
        match self {
            Whose::Gateway => "gateway",
            Whose::Account => "account",
            Whose::Caller => "caller",
        }
    }

    fn named(name: &str) -> Option<Whose> {
        Whose::ALL.into_iter().find(|whose| whose.name() == name)
    }
}

/// What became of one attempt.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Outcome {
    /// `provider/model`.
    pub target: String,
    /// The dialect it was asked in; empty when unknown.
    pub dialect: String,
    /// How it ended.
    pub ending: Ending,
    /// The provider's HTTP status; 0 when none came.
    pub status: u16,
    /// The provider's own error code, or the gateway's word for what was wrong; empty when nothing was.
    pub code: String,
    /// What follows from what was wrong; `None` when nothing was, or the client left.
    pub failure: Option<Failure>,
    /// Whose credential it had.
    pub whose: Whose,
    /// Milliseconds from the attempt's start to the first event.
    pub first_event_ms: Option<u64>,
    /// It was begun beside another one that was slow, so many milliseconds after that; `None` when it was not.
    pub hedged_after_ms: Option<u64>,
    /// Milliseconds from the attempt's start to its end.
    pub total_ms: u64,
    /// How long the provider asked to be left alone, in milliseconds.
    pub retry_after_ms: Option<u64>,
    /// How much of the quota is left that it was asked with, in thousandths, where the provider says it.
    pub quota_left: Option<u64>,
    /// Until when the caller's own token is not sent to this provider again, in milliseconds since 1970 by the data plane's
    /// clock; 0 when it may be at once.
    pub cool_until_ms: u64,
    /// What the provider says it used.
    pub usage: Usage,
    /// What it took as far as it can be told, where the provider said less than that or nothing. Never below the usage.
    pub estimate: Option<Estimate>,
    /// What that costs, at the price of the Snapshot that planned it; `None` when nobody knows.
    pub cost: Option<Cost>,
    /// What the provider said that the client's dialect has no word for: `citations`, `logprobs`, …
    pub lost: Vec<String>,
}

impl Outcome {
    /// What counts as taken of budgets of tokens: what was reported, or what it must have been.
    pub fn tokens(&self) -> u64 {
        let estimated = self.estimate.map_or(0, |estimate| estimate.input.saturating_add(estimate.output));
        self.usage.total().max(estimated)
    }

    /// Notes what it cost: tokens that were reported, or must have been taken, or a fee for whatever was answered. A report
    /// that says less than what was seen does not make it cheaper.
    pub(crate) fn price(&mut self, price: &Price) {
        let reported = self.usage.is_reported() || self.ending == Ending::Answered;
        let reported = reported.then(|| price.cost(&self.usage));
        let estimated = self.estimate.map(|estimate| price.estimated_cost(&self.usage, &estimate));
        self.cost = reported.max(estimated);
    }
}

/// How an exchange stands in the ledger when it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// What it cost is known.
    Settled,
    /// It cost something, and how much is an estimate.
    SettledEstimated,
    /// It cost nothing.
    Released,
    /// A budget had no room for it.
    Denied,
}

impl Standing {
    /// Its name in the ledger.
    pub fn name(self) -> &'static str {
        match self {
            Standing::Settled => "settled",
            Standing::SettledEstimated => "settled_estimated",
            Standing::Released => "released",
            Standing::Denied => "denied",
        }
    }
}

/// A budget that an exchange was charged to.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Charged {
    /// `holder/unit/period`.
    pub budget: String,
    /// When its window began, in milliseconds since 1970; 0 for one without windows, or one that nobody could be asked about.
    pub window_ms: u64,
}

/// One exchange, as it will be stored.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Record {
    /// The gateway-made id; the store keeps one Record for each.
    pub exchange: String,
    /// The exchange whose shadow it was, whose caller knows nothing of it and pays nothing for it; empty when it was none's.
    pub shadow_of: String,
    /// The caller's id; empty when it was not admitted.
    pub caller: String,
    /// The account that pays; empty when none does.
    pub account: String,
    /// Which token of its own the caller brought, as 32 hex digits from which neither it nor the key can be learnt; empty
    /// when it brought none.
    pub bearer: String,
    /// The budgets it was charged to.
    pub charged: Vec<Charged>,
    /// Those of them whose limit it passed on purpose.
    pub passed: Vec<String>,
    /// Targets that were left out, since they were asked as fast as they may be.
    pub rate_limited: Vec<String>,
    /// Targets that were left out, since they are to be left alone.
    pub rested: Vec<String>,
    /// The cheaper route that answered, since a budget had no room; empty when none did.
    pub downgraded: String,
    /// When it began, in milliseconds since 1970 by the data plane's clock.
    pub began_ms: u64,
    /// The client's dialect; empty when unknown.
    pub dialect: String,
    /// What was to be done (see [`crate::catalog::Operation`]); empty when unknown.
    pub operation: String,
    /// The route asked for; empty when none was.
    pub route: String,
    /// Whether the answer was to be streamed.
    pub streamed: bool,
    /// What was needed of whoever answers (names of [`crate::catalog::Abilities`]).
    pub needs: Vec<String>,
    /// About how many tokens had to be read; an estimate, so that nobody bills it.
    pub estimated_tokens: u64,
    /// The member that only a service of the client's own dialect can honour; empty when there was none.
    pub tied: String,
    /// The client's trace, as a [`Trace`] is written; empty when it said none.
    pub trace: String,
    /// Names of the rules that held.
    pub rules: Vec<String>,
    /// How its model was chosen, where its route leaves that to the request.
    pub chosen: Option<Chosen>,
    /// What the caller preferred of whoever answers.
    pub preferences: Preferences,
    /// Of which arm of an experiment it was, as `experiment/arm`; empty when of none.
    pub arm: String,
    /// Version of the Snapshot that decided.
    pub snapshot: u64,
    /// The Plan: targets in order.
    pub plan: Vec<String>,
    /// The status the client saw; 0 when it left before.
    pub status: u16,
    /// The refusal's code when the gateway itself said no; empty otherwise.
    pub refusal: String,
    /// What could not be said to the last target as it was said; what the answer said that could not be passed on begins
    /// with `answer.`, when it was known before the head went.
    pub losses: Losses,
    /// One per attempt, in order.
    pub outcomes: Vec<Outcome>,
}

impl Record {
    /// How it stands in the ledger.
    pub fn standing(&self) -> Standing {
        match () {
            () if DENIALS.contains(&self.refusal.as_str()) => Standing::Denied,
            () if self.outcomes.iter().any(|outcome| outcome.estimate.is_some()) => Standing::SettledEstimated,
            () if self.outcomes.iter().any(|outcome| outcome.cost.is_some()) => Standing::Settled,
            () => Standing::Released,
        }
    }

    /// How long its attempts took: who was outrun took none of it, and what came before a hedge is part of it.
    pub fn took_ms(&self) -> u64 {
        let counts = self.outcomes.iter().filter(|outcome| outcome.ending != Ending::Outrun);
        let took = counts.map(|outcome| outcome.hedged_after_ms.unwrap_or(0).saturating_add(outcome.total_ms));
        took.fold(0, u64::saturating_add)
    }

    /// The name of the data plane's VM that made it (the last part of the exchange's id); empty when the id is not one's.
    pub fn vm(&self) -> &str {
        self.exchange.rsplit_once('-').map_or("", |(_, vm)| vm)
    }
}
