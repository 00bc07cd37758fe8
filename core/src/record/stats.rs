//! What is counted of a Record, so that Envoy's own statistics show it too.
//!
//! ```
//! use dragoman_core::record::{Record, stats};
//! let record = Record { dialect: "messages".into(), status: 200, ..Record::default() };
//! let names: Vec<String> = stats::samples(&record, None).iter().map(|sample| sample.name()).collect();
//! assert_eq!(names, ["dragoman.requests;dialect=messages;class=2xx"]);
//! ```
//!
//! Envoy's names have no labels. Here a name is the metric's and then `;label=value` for each label, and the bootstrap tells Envoy
//! ([`Label::pattern`]) how to take them off again: `dragoman_requests{dialect="messages",class="2xx"}` for Prometheus.
//!
//! Limits: a label's value is one of ours or the id of a row in the Snapshot; what nobody listed is `other`, so that no client
//! makes series. In values, what is not a letter, a digit or one of `_./@+-` becomes `_`, and [`MAX_VALUE`] bytes are kept.

use super::{Ending, Outcome, Record};
use crate::catalog::DialectId;
use crate::snapshot::Snapshot;

/// Longest value of a label, in bytes. The ids of most models have less than half.
pub const MAX_VALUE: usize = 120;

/// What stands for whatever has no row.
pub const OTHER: &str = "other";

/// Something that is counted or measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Metric {
    /// Exchanges that are over.
    Requests,
    /// Attempts.
    Attempts,
    /// Attempts after which another target was tried.
    Fallbacks,
    /// Attempts that were made beside one that was slow.
    Hedges,
    /// Microseconds in which a complete request was understood and planned.
    PlanUs,
    /// Milliseconds from an attempt's start to its first event.
    FirstEventMs,
    /// Microseconds between two tokens of a streamed answer, on the average.
    InterTokenUs,
    /// Tokens, as the provider reported them.
    Tokens,
    /// Members of requests and answers that could not be said.
    Dropped,
    /// Records that were lost, because the control plane was away too long.
    RecordsLost,
}

/// How a metric adds up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A sum.
    Counter,
    /// How often which value.
    Histogram,
}

impl Metric {
    /// Its name in Envoy, behind `wasmcustom.`.
    pub fn name(self) -> &'static str {
        match self {
            Metric::Requests => "dragoman.requests",
            Metric::Attempts => "dragoman.attempts",
            Metric::Fallbacks => "dragoman.fallbacks",
            Metric::Hedges => "dragoman.hedges",
            Metric::PlanUs => "dragoman.plan_us",
            Metric::FirstEventMs => "dragoman.first_event_ms",
            Metric::InterTokenUs => "dragoman.inter_token_us",
            Metric::Tokens => "dragoman.tokens",
            Metric::Dropped => "dragoman.dropped",
            Metric::RecordsLost => "dragoman.records_lost",
        }
    }

    /// How it adds up.
    pub fn kind(self) -> Kind {
        match self {
            Metric::PlanUs | Metric::FirstEventMs | Metric::InterTokenUs => Kind::Histogram,
            _ => Kind::Counter,
        }
    }
}

/// What tells the series of a metric apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Label {
    /// A provider's id.
    Provider,
    /// A target's id.
    Target,
    /// The client's dialect.
    Dialect,
    /// The class of the status that the client saw: `2xx`; `none` when it left before.
    Class,
    /// How an attempt ended.
    Ending,
    /// Why another target was tried.
    Reason,
    /// Which tokens.
    Kind,
    /// Where its route puts a request, if it does.
    Bucket,
}

impl Label {
    /// Every label.
    pub const ALL: [Label; 8] = [
        Label::Provider,
        Label::Target,
        Label::Dialect,
        Label::Class,
        Label::Ending,
        Label::Reason,
        Label::Kind,
        Label::Bucket,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Label::Provider => "provider",
            Label::Target => "target",
            Label::Dialect => "dialect",
            Label::Class => "class",
            Label::Ending => "ending",
            Label::Reason => "reason",
            Label::Kind => "kind",
            Label::Bucket => "bucket",
        }
    }

    /// The regular expression by which Envoy takes it off a name: the first group goes, the second is the value.
    pub fn pattern(self) -> String {
        format!(r"^wasmcustom\.dragoman\..*(;{}=([^;]*))", self.name())
    }

    /// Whether there are as many values as an operator has rows, rather than a handful.
    fn is_open(self) -> bool {
        matches!(self, Label::Provider | Label::Target)
    }
}

/// One value of one series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample<'a> {
    /// What is counted or measured.
    pub metric: Metric,
    /// Which series.
    pub labels: Vec<(Label, &'a str)>,
    /// What to add or to note.
    pub value: u64,
}

impl Sample<'_> {
    /// The name of its series.
    pub fn name(&self) -> String {
        self.named(|_, value| value)
    }

    /// The name of the series that takes it when there are too many: rows are not told apart.
    pub fn folded(&self) -> String {
        self.named(|label, value| if label.is_open() { OTHER } else { value })
    }

    fn named<'s>(&'s self, shown: impl Fn(Label, &'s str) -> &'s str) -> String {
        let mut name = String::with_capacity(96);
        name.push_str(self.metric.name());
        for (label, value) in &self.labels {
            name.push(';');
            name.push_str(label.name());
            name.push('=');
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_./@+-".contains(&byte);
            let shown = shown(*label, value).bytes().take(MAX_VALUE);
            name.extend(shown.map(|byte| if plain(byte) { char::from(byte) } else { '_' }));
        }
        name
    }
}

/// What is counted of an exchange that is over. `snapshot` says which rows there are.
pub fn samples<'a>(record: &'a Record, snapshot: Option<&'a Snapshot>) -> Vec<Sample<'a>> {
    let mut out = Vec::with_capacity(12);
    let mut count = |metric, labels: &[(Label, &'a str)], value| {
        // A counter takes no zero, and nothing is told by one.
        if value > 0 || metric == Metric::FirstEventMs {
            out.push(Sample { metric, labels: labels.to_vec(), value });
        }
    };
    let dialect = DialectId::named(&record.dialect).map_or(OTHER, DialectId::name);
    // A shadow has no client.
    if record.shadow_of.is_empty() {
        count(Metric::Requests, &[(Label::Dialect, dialect), (Label::Class, class(record.status))], 1);
        count(Metric::Dropped, &[], record.losses.dropped.len() as u64);
    }
    for (index, outcome) in record.outcomes.iter().enumerate() {
        let (provider, target) = row(outcome, snapshot);
        let who = [(Label::Provider, provider), (Label::Target, target)];
        let with = |label, value| [who[0], who[1], (label, value)];
        count(Metric::Attempts, &with(Label::Ending, outcome.ending.name()), 1);
        if outcome.hedged_after_ms.is_some() {
            count(Metric::Hedges, &with(Label::Ending, outcome.ending.name()), 1);
        }
        if index + 1 < record.outcomes.len() && outcome.ending != Ending::Outrun {
            count(Metric::Fallbacks, &[(Label::Reason, reason(outcome))], 1);
        }
        if let Some(first) = outcome.first_event_ms {
            count(Metric::FirstEventMs, &who, first);
            let output = outcome.usage.output.unwrap_or(0);
            if record.streamed && outcome.ending == Ending::Answered && output > 0 {
                let took = outcome.total_ms.saturating_sub(first).saturating_mul(1000);
                count(Metric::InterTokenUs, &who, took / output);
            }
        }
        let usage = &outcome.usage;
        for (kind, tokens) in [
            ("input", usage.input),
            ("cache_read", usage.cache_read),
            ("cache_write", usage.cache_write),
            ("cache_write_1h", usage.cache_write_1h),
            ("audio_input", usage.audio_input),
            ("output", usage.output),
            ("reasoning", usage.reasoning),
            ("audio_output", usage.audio_output),
        ] {
            count(Metric::Tokens, &with(Label::Kind, kind), tokens.unwrap_or(0));
        }
    }
    out
}

/// The ids of the rows that an attempt went to.
fn row<'a>(outcome: &Outcome, snapshot: Option<&'a Snapshot>) -> (&'a str, &'a str) {
    let Some(snapshot) = snapshot else { return (OTHER, OTHER) };
    let provider = |index: usize| snapshot.providers.get(index).map_or(OTHER, |row| row.id.as_str());
    if let Some(target) = snapshot.target(&outcome.target) {
        return (provider(target.provider), &target.id);
    }
    // What names no model goes by the provider's own id.
    let id = outcome.target.split('/').next().unwrap_or_default();
    (snapshot.provider_index(id).map_or(OTHER, provider), OTHER)
}

fn class(status: u16) -> &'static str {
    match status {
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        500..=599 => "5xx",
        _ => "none",
    }
}

/// Why another target was tried after this one.
fn reason(outcome: &Outcome) -> &'static str {
    match (outcome.ending, outcome.status) {
        (Ending::Silent, _) => "silent",
        (_, 429) => "rate_limited",
        (_, 503 | 529) => "overloaded",
        (_, 408 | 504) => "timeout",
        (_, 500..=599) => "failed",
        (_, 200..=299) => "bad_answer",
        _ => "refused",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Provider, Target};
    use crate::loss::Losses;
    use crate::usage::Usage;

    fn snapshot() -> Snapshot {
        let provider = Provider::plain("p", DialectId::Messages);
        let target = Target::unlisted("p/m-4.1:free".into(), 0, "m-4.1:free");
        Snapshot::new(1, vec![provider], vec![target], vec![], vec![]).unwrap()
    }

    fn outcome(target: &str, ending: Ending, status: u16) -> Outcome {
        Outcome { target: target.into(), ending, status, ..Outcome::default() }
    }

    fn said(record: &Record) -> Vec<String> {
        let snapshot = snapshot();
        let samples = samples(record, Some(&snapshot));
        samples.iter().map(|sample| format!("{} {}", sample.name(), sample.value)).collect()
    }

    #[test]
    fn an_exchange_is_counted_once_and_each_attempt_for_its_row() {
        let usage = Usage { input: Some(10), output: Some(4), cache_read: Some(0), ..Usage::default() };
        let record = Record {
            dialect: "responses".into(),
            streamed: true,
            status: 200,
            losses: Losses { approximated: vec!["a".into()], dropped: vec!["b".into(), "c".into()] },
            outcomes: vec![
                outcome("p/nobody listed; it=1", Ending::Retriable, 429),
                Outcome {
                    first_event_ms: Some(100),
                    total_ms: 110,
                    usage,
                    ..outcome("p/m-4.1:free", Ending::Answered, 200)
                },
            ],
            ..Record::default()
        };
        let row = "provider=p;target=p/m-4.1_free";
        assert_eq!(
            said(&record),
            [
                "dragoman.requests;dialect=responses;class=2xx 1".to_string(),
                "dragoman.dropped 2".into(),
                "dragoman.attempts;provider=p;target=other;ending=retriable 1".into(),
                "dragoman.fallbacks;reason=rate_limited 1".into(),
                format!("dragoman.attempts;{row};ending=answered 1"),
                format!("dragoman.first_event_ms;{row} 100"),
                format!("dragoman.inter_token_us;{row} 2500"),
                format!("dragoman.tokens;{row};kind=input 10"),
                format!("dragoman.tokens;{row};kind=output 4"),
            ]
        );
    }

    #[test]
    fn a_shadow_is_no_request_of_a_clients() {
        let outcomes = vec![outcome("p/m-4.1:free", Ending::Answered, 200)];
        let record = Record { shadow_of: "x1".into(), dialect: "responses".into(), outcomes, ..Record::default() };
        assert_eq!(said(&record), ["dragoman.attempts;provider=p;target=p/m-4.1_free;ending=answered 1"]);
    }

    #[test]
    fn who_was_outrun_was_not_followed_but_hedged() {
        let hedge = Outcome { hedged_after_ms: Some(50), ..outcome("p/m-4.1:free", Ending::Answered, 200) };
        let outcomes = vec![outcome("p", Ending::Outrun, 0), hedge];
        let all = said(&Record { outcomes, ..Record::default() });
        let of = |name: &str| all.iter().filter(|line| line.starts_with(name)).cloned().collect::<Vec<_>>();
        assert_eq!(of("dragoman.hedges"), ["dragoman.hedges;provider=p;target=p/m-4.1_free;ending=answered 1"]);
        assert!(of("dragoman.fallbacks").is_empty() && of("dragoman.attempts")[0].contains("ending=outrun"), "{all:?}");
    }

    #[test]
    fn no_client_makes_a_series() {
        let hostile = Record {
            dialect: "made;up=1".into(),
            route: "x".repeat(500),
            outcomes: vec![outcome("stranger/y", Ending::Silent, 0), outcome("p", Ending::Answered, 200)],
            ..Record::default()
        };
        assert_eq!(
            said(&hostile),
            [
                "dragoman.requests;dialect=other;class=none 1",
                "dragoman.attempts;provider=other;target=other;ending=silent 1",
                "dragoman.fallbacks;reason=silent 1",
                "dragoman.attempts;provider=p;target=other;ending=answered 1",
            ]
        );
    }

    #[test]
    fn a_name_is_bounded_and_folds_to_one_without_rows() {
        let value = format!("ü;={}", "x".repeat(500));
        let labels = vec![(Label::Provider, value.as_str()), (Label::Kind, "input")];
        let sample = Sample { metric: Metric::Tokens, labels, value: 1 };
        assert_eq!(sample.name().matches(';').count(), 2);
        assert!(sample.name().starts_with("dragoman.tokens;provider=____x") && sample.name().len() < 200);
        assert_eq!(sample.folded(), "dragoman.tokens;provider=other;kind=input");
    }
}
