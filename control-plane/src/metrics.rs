//! Counting: the metrics page for Prometheus, and sums for the admin API.
//!
//! ```text
//! settled Records ─┐            ┌─▶ page (OpenMetrics text)
//! everybody else ──┴─▶ Metrics ─┴─▶ summary (admin API)
//! ```
//!
//! What there is stands in [`table::TABLE`]. Labels are names from the configuration and words of ours; what strangers can
//! make up is counted as `other`, and there is a bound on what is left ([`MAX_SERIES`]).

mod classes;
mod series;
mod summary;
pub mod table;

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use dragoman_core::record::{Ending, Outcome, Record};
use dragoman_core::snapshot::Snapshot;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use classes::{Cost, class, cost, reason, seconds};
use series::{OTHER, Room, Series};
use summary::{SECONDS, Tally};
use table::Row;

pub use series::MAX_SERIES;
pub use summary::{BUCKETS, Latency, Summary, Times, Totals};

/// The page's media type.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Upper bounds of the buckets between tokens: a token every millisecond is a small model on fast hardware.
const TOKEN_SECONDS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.02, 0.035, 0.05, 0.1, 0.25, 1.0];

/// Names that may be labels: those that are configured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Ids of providers.
    pub providers: HashSet<String>,
    /// Ids of targets, `provider/model`.
    pub targets: HashSet<String>,
    /// Names of routes.
    pub routes: HashSet<String>,
}

impl Known {
    /// The names in a Snapshot.
    pub fn of(snapshot: &Snapshot) -> Known {
        Known {
            providers: snapshot.providers.iter().map(|provider| provider.id.clone()).collect(),
            targets: snapshot.targets.iter().map(|target| target.id.clone()).collect(),
            routes: snapshot.routes.iter().map(|route| route.name.clone()).collect(),
        }
    }

    /// The labels of a target: its provider, and itself. A model that only the client named is another one.
    fn labels<'a>(&self, target: &'a str) -> (&'a str, &'a str) {
        let provider = target.split_once('/').map_or(target, |(provider, _)| provider);
        (known(&self.providers, provider), known(&self.targets, target))
    }

    fn route<'a>(&self, route: &'a str) -> &'a str {
        if route.is_empty() { NONE } else { known(&self.routes, route) }
    }
}

fn known<'a>(names: &HashSet<String>, name: &'a str) -> &'a str {
    if names.contains(name) { name } else { OTHER }
}

/// What stands for an empty word: an empty label is no label.
const NONE: &str = "none";

fn word(word: &str) -> &str {
    if word.is_empty() { NONE } else { word }
}

/// Who refused a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// A filter refused a Snapshot.
    Filter,
    /// Envoy refused a resource.
    Envoy,
}

/// What became of spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spans {
    /// The collector took them.
    Sent,
    /// It did not.
    Failed,
    /// The queue had no room.
    Dropped,
}

/// What became of a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// A webhook took it.
    Delivered,
    /// It did not, and is asked again.
    Failed,
    /// It never did.
    GivenUp,
}

/// Everything that is counted.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Series<Counter>,
    attempts: Series<Counter>,
    fallbacks: Series<Counter>,
    hedges: Series<Counter>,
    failures: Series<Counter>,
    breaker: Series<Gauge>,
    first_event: Series<Histogram>,
    exchange: Series<Histogram>,
    inter_token: Series<Histogram>,
    tokens: Series<Counter>,
    cost: Series<Counter>,
    cost_unknown: Series<Counter>,
    estimated: Series<Counter>,
    suspect: Series<Counter>,
    dropped: Series<Counter>,
    refusals: Series<Counter>,
    settled: Series<Counter>,
    snapshot: Series<Gauge>,
    data_planes: Series<Gauge>,
    rejections: Series<Counter>,
    discovery: Series<Counter>,
    minted: Series<Counter>,
    admin: Series<Counter>,
    spans: Series<Counter>,
    webhooks: Series<Counter>,
    tally: Mutex<Tally>,
    /// The breakers on the page that are not closed.
    open: Mutex<HashMap<String, i64>>,
}

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics::new()
    }
}

impl Metrics {
    /// Nothing counted yet.
    pub fn new() -> Metrics {
        let metrics = Metrics::with_room(MAX_SERIES);
        // A counter that appears with its first event rose from nothing, which no query sees; those that are rare and that
        // somebody is woken for begin at zero.
        metrics.settled.with(&[]);
        for by in ["filter", "envoy"] {
            metrics.rejections.with(&[by]);
        }
        for result in ["sent", "failed", "dropped"] {
            metrics.spans.with(&[result]);
        }
        for result in ["delivered", "failed", "given_up"] {
            metrics.webhooks.with(&[result]);
        }
        metrics
    }

    fn with_room(series: usize) -> Metrics {
        let (mut registry, room) = (Registry::default(), Room::of(series));
        let seconds = || Histogram::new(SECONDS);
        let to = &mut registry;
        let counter = |to: &mut Registry, row: &Row| Series::register(to, row, &room, Counter::default);
        let gauge = |to: &mut Registry, row: &Row| Series::register(to, row, &room, Gauge::default);
        Metrics {
            requests: counter(to, &table::REQUESTS),
            attempts: counter(to, &table::ATTEMPTS),
            fallbacks: counter(to, &table::FALLBACKS),
            hedges: counter(to, &table::HEDGES),
            failures: counter(to, &table::FAILURES),
            breaker: gauge(to, &table::BREAKER),
            first_event: Series::register(to, &table::FIRST_EVENT, &room, seconds),
            exchange: Series::register(to, &table::EXCHANGE, &room, seconds),
            inter_token: Series::register(to, &table::INTER_TOKEN, &room, || Histogram::new(TOKEN_SECONDS)),
            tokens: counter(to, &table::TOKENS),
            cost: counter(to, &table::COST),
            cost_unknown: counter(to, &table::COST_UNKNOWN),
            estimated: counter(to, &table::ESTIMATED),
            suspect: counter(to, &table::SUSPECT),
            dropped: counter(to, &table::DROPPED),
            refusals: counter(to, &table::REFUSALS),
            settled: counter(to, &table::SETTLED),
            snapshot: gauge(to, &table::SNAPSHOT),
            data_planes: gauge(to, &table::DATA_PLANES),
            rejections: counter(to, &table::REJECTIONS),
            discovery: counter(to, &table::DISCOVERY),
            minted: counter(to, &table::MINTED),
            admin: counter(to, &table::ADMIN),
            spans: counter(to, &table::SPANS),
            webhooks: counter(to, &table::WEBHOOKS),
            registry,
            tally: Mutex::new(Tally::new()),
            open: Mutex::default(),
        }
    }

    /// Counts an exchange; to be called once for each Record, not each time that it is sent. `costs` are millionths of a
    /// dollar, one for each outcome, `None` where the price is unknown.
    pub fn observe(&self, record: &Record, costs: &[Option<u64>], known: &Known) {
        let (dialect, route) = (word(&record.dialect), known.route(&record.route));
        self.settled.with(&[]).inc();
        // A shadow is no request of a client's: of it only the attempt counts.
        if record.shadow_of.is_empty() {
            self.requests.with(&[dialect, word(&record.operation), route, class(record.status)]).inc();
        }
        if !record.refusal.is_empty() {
            self.refusals.with(&[&record.refusal]).inc();
        }
        let lost = [("dropped", &record.losses.dropped), ("approximated", &record.losses.approximated)];
        for (kind, names) in lost.into_iter().filter(|(_, names)| !names.is_empty()) {
            self.dropped.with(&[kind]).inc_by(names.len() as u64);
        }
        if !record.outcomes.is_empty() && record.shadow_of.is_empty() {
            self.exchange.with(&[dialect]).observe(seconds(record.took_ms()));
        }
        for (index, outcome) in record.outcomes.iter().enumerate() {
            let labels = known.labels(&outcome.target);
            self.attempt(record, outcome, labels);
            self.count_cost(cost(outcome, costs.get(index).copied().flatten()), labels);
            if index + 1 < record.outcomes.len() && outcome.ending != Ending::Outrun {
                self.fallbacks.with(&[labels.0, reason(outcome)]).inc();
            }
        }
        self.tally().observe(record, costs, known);
    }

    fn attempt(&self, record: &Record, outcome: &Outcome, (provider, target): (&str, &str)) {
        self.attempts.with(&[provider, target, outcome.ending.name()]).inc();
        if outcome.hedged_after_ms.is_some() {
            self.hedges.with(&[provider, target, outcome.ending.name()]).inc();
        }
        if let Some(failure) = outcome.failure {
            self.failures.with(&[provider, target, failure.name()]).inc();
        }
        let usage = &outcome.usage;
        if let Some(first) = outcome.first_event_ms {
            self.first_event.with(&[provider, target]).observe(seconds(first));
            // A whole answer arrives at once; only of a stream the time between says something about its tokens.
            let output = usage.output.filter(|output| *output > 0 && record.streamed);
            if let (Some(output), Ending::Answered) = (output, outcome.ending) {
                let time = seconds(outcome.total_ms.saturating_sub(first));
                self.inter_token.with(&[provider, target]).observe(time / output as f64);
            }
        }
        let kinds = [
            ("input", usage.input),
            ("cache_read", usage.cache_read),
            ("cache_write", usage.cache_write),
            ("cache_write_1h", usage.cache_write_1h),
            ("audio_input", usage.audio_input),
            ("output", usage.output),
            ("reasoning", usage.reasoning),
            ("audio_output", usage.audio_output),
        ];
        for (counts, series) in [(outcome.estimate.is_some(), &self.estimated), (usage.suspect, &self.suspect)] {
            if counts {
                series.with(&[provider, target]).inc();
            }
        }
        for (kind, tokens) in kinds {
            if let Some(tokens) = tokens {
                self.tokens.with(&[provider, target, kind]).inc_by(tokens);
            }
        }
    }

    fn count_cost(&self, cost: Cost, (provider, target): (&str, &str)) {
        match cost {
            Cost::Known(microdollars) => _ = self.cost.with(&[provider, target]).inc_by(microdollars),
            Cost::Unknown => _ = self.cost_unknown.with(&[provider, target]).inc(),
            Cost::Nothing => {}
        }
    }

    /// The version of the Snapshot that is served now.
    pub fn snapshot(&self, version: u64) {
        self.snapshot.with(&[]).set(i64::try_from(version).unwrap_or(i64::MAX));
    }

    /// The breakers that are not closed, each with its state: 1 half-open, 2 open, 3 forced open. Those of before are closed.
    pub fn breakers(&self, states: HashMap<String, i64>, known: &Known) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let closed = open.keys().filter(|subject| !states.contains_key(*subject)).map(|subject| (subject, 0));
        let states_now = states.iter().map(|(subject, state)| (subject, *state));
        for (subject, state) in closed.chain(states_now) {
            let (provider, target) = known.labels(subject);
            let target = if subject.contains('/') { target } else { NONE };
            // All that have no name of their own share one line, which says nothing of any.
            if provider != OTHER && target != OTHER {
                self.breaker.with(&[provider, target]).set(state);
            }
        }
        *open = states;
    }

    /// How many filters watch: those that were sent the current Snapshot, and those that are behind.
    pub fn data_planes(&self, current: usize, behind: usize) {
        for (state, count) in [("current", current), ("behind", behind)] {
            self.data_planes.with(&[state]).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// A configuration was refused.
    pub fn rejected(&self, by: Rejection) {
        let by = match by {
            Rejection::Filter => "filter",
            Rejection::Envoy => "envoy",
        };
        self.rejections.with(&[by]).inc();
    }

    /// A provider was asked for its models; `result` is one of a few words.
    pub fn discovered(&self, provider: &str, result: &'static str) {
        self.discovery.with(&[provider, result]).inc();
    }

    /// A token was to be minted for a provider, and was or was not.
    pub fn minted(&self, provider: &str, came: bool) {
        self.minted.with(&[provider, if came { "minted" } else { "failed" }]).inc();
    }

    /// The admin API answered; `operation` is the operation's name in its description, never a path with ids.
    pub fn admin_request(&self, operation: &str, status: u16) {
        self.admin.with(&[word(operation), class(status)]).inc();
    }

    /// Something became of spans.
    pub fn spans(&self, what: Spans, count: usize) {
        let result = match what {
            Spans::Sent => "sent",
            Spans::Failed => "failed",
            Spans::Dropped => "dropped",
        };
        self.spans.with(&[result]).inc_by(count as u64);
    }

    /// Something became of a notice.
    pub fn webhook(&self, told: Told) {
        let result = match told {
            Told::Delivered => "delivered",
            Told::Failed => "failed",
            Told::GivenUp => "given_up",
        };
        self.webhooks.with(&[result]).inc();
    }

    /// The page, as [`CONTENT_TYPE`].
    pub fn page(&self) -> String {
        let mut page = String::new();
        // Writing into a String does not fail.
        let _ = prometheus_client::encoding::text::encode(&mut page, &self.registry);
        page
    }

    /// Sums and quantiles since the start, or since the last [`Metrics::reset`].
    pub fn summary(&self) -> Summary {
        self.tally().summary()
    }

    /// Begins the summary anew. The page goes on: who scrapes it takes a counter that falls for a restart.
    pub fn reset(&self) {
        *self.tally() = Tally::new();
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
