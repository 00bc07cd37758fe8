//! What the admin API shows of the traffic since the start, or since somebody began anew.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use dragoman_core::record::{Ending, Outcome, Record};
use serde::Serialize;
use utoipa::ToSchema;

use super::Known;
use super::classes::{Cost, cost, failed};

/// Upper bounds of the buckets of times, in seconds: from a local model's first token to the longest answer of a model that
/// thinks.
pub const SECONDS: [f64; 16] =
    [0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 600.0];

/// The traffic since a moment.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Summary {
    /// The moment, in milliseconds since 1970.
    pub since_ms: u64,
    /// All of it.
    pub all: Totals,
    /// Each provider's part.
    pub providers: BTreeMap<String, Totals>,
}

/// Sums over exchanges and attempts.
#[derive(Clone, Debug, PartialEq, Default, Serialize, ToSchema)]
pub struct Totals {
    /// Exchanges; of a provider: those in which it was asked.
    pub requests: u64,
    /// Exchanges that ended with an error; of a provider: those in which it was the last one asked.
    pub failed_requests: u64,
    /// Attempts.
    pub attempts: u64,
    /// Attempts that brought no whole answer, unless the client left.
    pub errors: u64,
    /// Tokens read, cached ones included.
    pub input_tokens: u64,
    /// Tokens written, reasoning included.
    pub output_tokens: u64,
    /// What is known of the cost, in millionths of a dollar.
    pub cost_microdollars: u64,
    /// Attempts whose cost is unknown.
    pub cost_unknown: u64,
    /// Times of exchanges, of a provider: of its attempts, that brought a whole answer; none when there was none.
    pub latency: Option<Latency>,
}

/// Quantiles, estimated within a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct Latency {
    /// Half were faster, in milliseconds.
    pub p50_ms: u64,
    /// 95 of 100 were faster.
    pub p95_ms: u64,
    /// 99 of 100 were faster.
    pub p99_ms: u64,
}

/// What a [`Summary`] is made of.
#[derive(Debug)]
pub(super) struct Tally {
    since_ms: u64,
    all: Count,
    providers: BTreeMap<String, Count>,
}

#[derive(Debug, Default)]
struct Count {
    totals: Totals,
    times: Times,
}

/// Buckets of times; the last one takes what no bound holds.
pub const BUCKETS: usize = SECONDS.len() + 1;

/// How many times fell into each bucket.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Times(pub [u64; BUCKETS]);

impl Tally {
    /// Nothing yet, from now on.
    pub(super) fn new() -> Tally {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Tally {
            since_ms: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
            all: Count::default(),
            providers: BTreeMap::new(),
        }
    }

    pub(super) fn observe(&mut self, record: &Record, costs: &[Option<u64>], known: &Known) {
        // A shadow is no request of a client's.
        if record.shadow_of.is_empty() {
            self.all.totals.requests += 1;
            self.all.totals.failed_requests += u64::from(failed(record));
        }
        let mut asked: Vec<&str> = Vec::new();
        for (index, outcome) in record.outcomes.iter().enumerate() {
            let (provider, _) = known.labels(&outcome.target);
            let count = self.providers.entry(provider.to_string()).or_default();
            if !asked.contains(&provider) {
                asked.push(provider);
                count.totals.requests += 1;
            }
            let cost = cost(outcome, costs.get(index).copied().flatten());
            count.totals.add(outcome, cost);
            self.all.totals.add(outcome, cost);
            if outcome.ending == Ending::Answered {
                count.times.add(outcome.total_ms);
                self.all.times.add(record.took_ms());
            }
        }
        if let Some(outcome) = record.outcomes.last().filter(|_| failed(record)) {
            let (provider, _) = known.labels(&outcome.target);
            self.providers.entry(provider.to_string()).or_default().totals.failed_requests += 1;
        }
    }

    pub(super) fn summary(&self) -> Summary {
        let providers = self.providers.iter().map(|(id, count)| (id.clone(), count.totals())).collect();
        Summary { since_ms: self.since_ms, all: self.all.totals(), providers }
    }
}

impl Count {
    fn totals(&self) -> Totals {
        Totals { latency: self.times.latency(), ..self.totals.clone() }
    }
}

impl Totals {
    fn add(&mut self, outcome: &Outcome, cost: Cost) {
        self.attempts += 1;
        self.errors += u64::from(!matches!(outcome.ending, Ending::Answered | Ending::Abandoned | Ending::Outrun));
        self.input_tokens += outcome.usage.input.unwrap_or(0);
        self.output_tokens += outcome.usage.output.unwrap_or(0);
        match cost {
            Cost::Known(microdollars) => self.cost_microdollars += microdollars,
            Cost::Unknown => self.cost_unknown += 1,
            Cost::Nothing => {}
        }
    }
}

impl Times {
    /// Counts a time.
    pub fn add(&mut self, ms: u64) {
        let seconds = ms as f64 / 1000.0;
        let bucket = SECONDS.iter().position(|bound| seconds <= *bound).unwrap_or(SECONDS.len());
        self.0[bucket] += 1;
    }

    /// Adds those of another.
    pub fn join(&mut self, other: &Times) {
        self.0.iter_mut().zip(other.0).for_each(|(own, other)| *own += other);
    }

    /// Its quantiles; `None` when there is no time.
    pub fn latency(&self) -> Option<Latency> {
        Some(Latency { p50_ms: self.quantile(0.5)?, p95_ms: self.quantile(0.95)?, p99_ms: self.quantile(0.99)? })
    }

    /// In milliseconds, as if the times in a bucket were spread evenly; beyond the last bound nothing more is known.
    fn quantile(&self, quantile: f64) -> Option<u64> {
        let all: u64 = self.0.iter().sum();
        let rank = quantile * all as f64;
        let (mut below, mut lower) = (0, 0.0);
        for (bound, count) in SECONDS.iter().zip(self.0) {
            if count > 0 && (below + count) as f64 >= rank {
                let within = (rank - below as f64) / count as f64;
                return Some(((lower + (bound - lower) * within) * 1000.0).round() as u64);
            }
            (below, lower) = (below + count, *bound);
        }
        (all > 0).then_some((lower * 1000.0) as u64)
    }
}
