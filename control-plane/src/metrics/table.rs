//! Every family of metrics: what it is called, what its labels are, what it says.
//!
//! The page is made of these rows, `docs/observability.md` is written from them, and `docs/grafana.json` is held against
//! them.

/// What kind of metric a family holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only rises.
    Counter,
    /// It is what it is now.
    Gauge,
    /// How often which values came, in buckets.
    Histogram,
}

impl Kind {
    /// Its name on the page.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        }
    }
}

/// One family.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its name on the page; a counter's ends with `_total`.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// The names of its labels, in the order in which their values are given.
    pub labels: &'static [&'static str],
    /// What it says, without a full stop.
    pub help: &'static str,
}

const fn row(name: &'static str, kind: Kind, labels: &'static [&'static str], help: &'static str) -> Row {
    Row { name, kind, labels, help }
}

/// Labels whose values are names that operators, providers or clients made; the others' values are a handful of words.
pub const NAMES: [&str; 5] = ["code", "operation", "provider", "route", "target"];

/// Exchanges.
pub const REQUESTS: Row = row(
    "dragoman_requests_total",
    Kind::Counter,
    &["dialect", "operation", "route", "status"],
    "Exchanges, by the class of the status that the client saw (`none`: it left before)",
);
/// Attempts.
pub const ATTEMPTS: Row =
    row("dragoman_attempts_total", Kind::Counter, &["provider", "target", "ending"], "Attempts, by how they ended");
/// Attempts after which another target was tried.
pub const FALLBACKS: Row = row(
    "dragoman_fallbacks_total",
    Kind::Counter,
    &["provider", "reason"],
    "Attempts after which the next target was tried, by the provider that failed and why",
);
/// Hedges.
pub const HEDGES: Row = row(
    "dragoman_hedges_total",
    Kind::Counter,
    &["provider", "target", "ending"],
    "Attempts that were made beside one that was slow, by how they ended (`answered`: they were quicker)",
);
/// Failures.
pub const FAILURES: Row = row(
    "dragoman_failures_total",
    Kind::Counter,
    &["provider", "target", "class"],
    "Attempts that failed, by the class of what was wrong",
);
/// Breakers.
pub const BREAKER: Row = row(
    "dragoman_breaker_state",
    Kind::Gauge,
    &["provider", "target"],
    "Breakers of targets, and of providers (target `none`): 0 closed, 1 half-open, 2 open, 3 forced open; one that never opened is not there",
);
/// Time to the first event.
pub const FIRST_EVENT: Row = row(
    "dragoman_first_event_seconds",
    Kind::Histogram,
    &["provider", "target"],
    "From an attempt's start to the first event of its answer",
);
/// Time of a whole exchange.
pub const EXCHANGE: Row = row(
    "dragoman_exchange_seconds",
    Kind::Histogram,
    &["dialect"],
    "All attempts of an exchange together; exchanges without an attempt are not in it",
);
/// Time between tokens.
pub const INTER_TOKEN: Row = row(
    "dragoman_inter_token_seconds",
    Kind::Histogram,
    &["provider", "target"],
    "From the first event of a streamed answer to its end, divided by its output tokens",
);
/// Tokens.
pub const TOKENS: Row = row(
    "dragoman_tokens_total",
    Kind::Counter,
    &["provider", "target", "kind"],
    "Tokens as providers reported them; input includes the cache's, output includes reasoning",
);
/// What it cost.
pub const COST: Row = row(
    "dragoman_cost_microdollars_total",
    Kind::Counter,
    &["provider", "target"],
    "What attempts cost by the prices in the catalogue, in millionths of a dollar",
);
/// Attempts whose cost nobody knows.
pub const COST_UNKNOWN: Row = row(
    "dragoman_cost_unknown_total",
    Kind::Counter,
    &["provider", "target"],
    "Attempts that cost something, but how much is unknown: no price, or no token counts and no estimate",
);
/// Attempts whose tokens were estimated.
pub const ESTIMATED: Row = row(
    "dragoman_usage_estimated_total",
    Kind::Counter,
    &["provider", "target"],
    "Attempts whose provider did not report all tokens: the rest is estimated, and paid like the reported",
);
/// Attempts whose report is not to be believed.
pub const SUSPECT: Row = row(
    "dragoman_usage_suspect_total",
    Kind::Counter,
    &["provider", "target"],
    "Attempts whose provider reported tokens that cannot be: no numbers, shrinking, or far fewer than were seen",
);
/// Members that an interpretation could not say.
pub const DROPPED: Row = row(
    "dragoman_dropped_members_total",
    Kind::Counter,
    &["kind"],
    "Members of requests and answers that an interpretation left out (`dropped`) or said another way (`approximated`)",
);
/// Refusals of the gateway itself.
pub const REFUSALS: Row =
    row("dragoman_refusals_total", Kind::Counter, &["code"], "Exchanges that the gateway itself refused, by its code");
/// Records.
pub const SETTLED: Row =
    row("dragoman_records_settled_total", Kind::Counter, &[], "Records that were stored, each counted once");
/// The Snapshot's version.
pub const SNAPSHOT: Row =
    row("dragoman_snapshot_version", Kind::Gauge, &[], "Version of the Snapshot that is served now");
/// Who watches.
pub const DATA_PLANES: Row = row(
    "dragoman_data_planes",
    Kind::Gauge,
    &["version_state"],
    "Filters that watch for Snapshots: those that have the current one, and those that are behind",
);
/// Who refused a configuration.
pub const REJECTIONS: Row = row(
    "dragoman_snapshot_rejections_total",
    Kind::Counter,
    &["by"],
    "Snapshots that a filter refused, and configurations that Envoy refused",
);
/// Discoveries.
pub const DISCOVERY: Row = row(
    "dragoman_discovery_total",
    Kind::Counter,
    &["provider", "result"],
    "Times that a provider was asked for its models, by what came of it",
);
/// Tokens that are minted.
pub const MINTED: Row = row(
    "dragoman_credentials_minted_total",
    Kind::Counter,
    &["provider", "result"],
    "Tokens that service accounts were given and that sessions' tokens were exchanged for (`minted`), and those that they were not (`failed`)",
);
/// Requests to the admin API.
pub const ADMIN: Row = row(
    "dragoman_admin_requests_total",
    Kind::Counter,
    &["operation", "status"],
    "Requests to the admin API, by the class of their status",
);
/// Spans.
pub const SPANS: Row = row(
    "dragoman_spans_total",
    Kind::Counter,
    &["result"],
    "Spans that the collector took (`sent`) or did not take (`failed`), and those for which the queue had no room (`dropped`)",
);

/// Webhooks.
pub const WEBHOOKS: Row = row(
    "dragoman_webhooks_total",
    Kind::Counter,
    &["result"],
    "Notices of budgets and providers that a webhook took (`delivered`), did not take and will be sent again (`failed`), or never took (`given_up`)",
);

/// All of them, in the order of the page.
pub const TABLE: [Row; 25] = [
    REQUESTS,
    ATTEMPTS,
    FALLBACKS,
    HEDGES,
    FAILURES,
    BREAKER,
    FIRST_EVENT,
    EXCHANGE,
    INTER_TOKEN,
    TOKENS,
    COST,
    COST_UNKNOWN,
    ESTIMATED,
    SUSPECT,
    DROPPED,
    REFUSALS,
    SETTLED,
    SNAPSHOT,
    DATA_PLANES,
    REJECTIONS,
    DISCOVERY,
    MINTED,
    ADMIN,
    SPANS,
    WEBHOOKS,
];

/// Families that `docs/grafana.json` does not show, each with the reason.
pub const NOT_ON_THE_DASHBOARD: [(&str, &str); 6] = [
    ("dragoman_admin_requests_total", "it is about operators, not about traffic"),
    ("dragoman_credentials_minted_total", "it is for alerts: service accounts that are given no tokens"),
    ("dragoman_hedges_total", "only some routes hedge; beside them stands `GET /health/providers`"),
    ("dragoman_usage_estimated_total", "it is for alerts: what providers leave out"),
    ("dragoman_usage_suspect_total", "it is for alerts: what providers report wrongly"),
    ("dragoman_webhooks_total", "it is about who is told, not about traffic"),
];
