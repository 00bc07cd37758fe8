//! Words for what became of exchanges and attempts: few, whatever providers say.

use dragoman_core::record::{Ending, Outcome, Record};

use super::NONE;
use super::series::OTHER;

/// What an attempt cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cost {
    /// So many millionths of a dollar.
    Known(u64),
    /// Something, but nobody can say how much.
    Unknown,
    /// The provider said no or nothing; that is free everywhere.
    Nothing,
}

pub(super) fn cost(outcome: &Outcome, priced: Option<u64>) -> Cost {
    let unanswered = matches!(outcome.ending, Ending::Retriable | Ending::Refused | Ending::Silent);
    match priced {
        Some(microdollars) => Cost::Known(microdollars),
        None if unanswered && !outcome.usage.is_reported() => Cost::Nothing,
        None => Cost::Unknown,
    }
}

/// Whether the exchange ended with an error. A stream that broke had begun with a good status.
pub(super) fn failed(record: &Record) -> bool {
    record.status >= 400 || record.outcomes.last().is_some_and(|outcome| outcome.ending == Ending::Broken)
}

pub(super) fn class(status: u16) -> &'static str {
    match status {
        100..200 => "1xx",
        200..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        500..600 => "5xx",
        _ => NONE,
    }
}

/// Why an attempt was followed by another one; providers' own codes are theirs to make up.
pub(super) fn reason(outcome: &Outcome) -> &'static str {
    match (outcome.ending, outcome.status) {
        (Ending::Silent, _) => "silent",
        (Ending::Broken, _) => "broken",
        (_, 429) => "rate_limited",
        (_, 401 | 403) => "not_allowed",
        (_, 400..500) => "client_error",
        (_, 500..600) => "server_error",
        _ => OTHER,
    }
}

pub(super) fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}
