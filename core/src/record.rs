//! What the data plane reports of an exchange: one Decision and one Outcome per attempt.
//!
//! The Record is made when the exchange is over, kept until the control plane acknowledged it, and stored once per exchange
//! id. It holds counts and names, never a word that was said.

pub mod stats;
mod trace;

use crate::estimate::Estimate;
use crate::json::{Json, Writer};
use crate::loss::Losses;
use crate::price::{Cost, Price};
use crate::usage::Usage;

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
    /// Nothing was heard: no connection, a reset or silence.
    #[default]
    Silent,
}

impl Ending {
    const NAMES: [(Ending, &'static str); 6] = [
        (Ending::Answered, "answered"),
        (Ending::Retriable, "retriable"),
        (Ending::Refused, "refused"),
        (Ending::Broken, "broken"),
        (Ending::Abandoned, "abandoned"),
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
    /// Milliseconds from the attempt's start to the first event.
    pub first_event_ms: Option<u64>,
    /// Milliseconds from the attempt's start to its end.
    pub total_ms: u64,
    /// How long the provider asked to be left alone, in milliseconds.
    pub retry_after_ms: Option<u64>,
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
    /// The caller's id; empty when it was not admitted.
    pub caller: String,
    /// The account that pays; empty when none does.
    pub account: String,
    /// The budgets it was charged to.
    pub charged: Vec<Charged>,
    /// Those of them whose limit it passed on purpose.
    pub passed: Vec<String>,
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
    /// The document of this Record.
    pub fn write(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(512);
        out.object(|out| {
            out.field("exchange").string(&self.exchange);
            out.field("caller").string(&self.caller);
            self.write_payment(out);
            out.field("began_ms").number(self.began_ms);
            out.field("dialect").string(&self.dialect);
            out.field("operation").string(&self.operation);
            out.field("route").string(&self.route);
            out.field("streamed").bool(self.streamed);
            self.write_needs(out);
            if !self.rules.is_empty() {
                out.field("rules").array(|out| self.rules.iter().for_each(|name| out.string(name)));
            }
            out.field("snapshot").number(self.snapshot);
            out.field("plan").array(|out| self.plan.iter().for_each(|target| out.string(target)));
            out.field("status").number(u64::from(self.status));
            out.field("refusal").string(&self.refusal);
            out.field("approximated").array(|out| self.losses.approximated.iter().for_each(|name| out.string(name)));
            out.field("dropped").array(|out| self.losses.dropped.iter().for_each(|name| out.string(name)));
            out.field("outcomes").array(|out| self.outcomes.iter().for_each(|outcome| write_outcome(outcome, out)));
        });
        out.into_bytes()
    }

    /// What was needed. Older documents have no such members; what is not said is not written.
    fn write_needs(&self, out: &mut Writer) {
        if !self.needs.is_empty() {
            out.field("needs").array(|out| self.needs.iter().for_each(|name| out.string(name)));
        }
        if self.estimated_tokens > 0 {
            out.field("estimated_tokens").number(self.estimated_tokens);
        }
        for (name, value) in [("tied", &self.tied), ("trace", &self.trace)] {
            if !value.is_empty() {
                out.field(name).string(value);
            }
        }
    }

    /// Who pays, out of what.
    fn write_payment(&self, out: &mut Writer) {
        for (name, value) in [("account", &self.account), ("downgraded", &self.downgraded)] {
            if !value.is_empty() {
                out.field(name).string(value);
            }
        }
        if !self.charged.is_empty() {
            out.field("charged").array(|out| {
                for charged in &self.charged {
                    out.object(|out| {
                        out.field("budget").string(&charged.budget);
                        out.field("window_ms").number(charged.window_ms);
                    });
                }
            });
        }
        if !self.passed.is_empty() {
            out.field("passed").array(|out| self.passed.iter().for_each(|budget| out.string(budget)));
        }
    }

    /// How it stands in the ledger.
    pub fn standing(&self) -> Standing {
        let denied = ["budget_spent", "rate_limited", "budget_unknown"];
        match () {
            () if denied.contains(&self.refusal.as_str()) => Standing::Denied,
            () if self.outcomes.iter().any(|outcome| outcome.estimate.is_some()) => Standing::SettledEstimated,
            () if self.outcomes.iter().any(|outcome| outcome.cost.is_some()) => Standing::Settled,
            () => Standing::Released,
        }
    }

    /// The name of the data plane's VM that made it (the last part of the exchange's id); empty when the id is not one's.
    pub fn vm(&self) -> &str {
        self.exchange.rsplit_once('-').map_or("", |(_, vm)| vm)
    }

    /// The Record of a document; `None` when it is not one.
    pub fn read(document: &[u8]) -> Option<Record> {
        let json = Json::parse(document).ok()?;
        Some(Record {
            exchange: string(json, "exchange").filter(|id| !id.is_empty())?,
            caller: string(json, "caller")?,
            account: optional_string(json, "account")?,
            charged: json.get("charged").into_iter().flat_map(Json::items).map(read_charged).collect::<Option<_>>()?,
            passed: optional_strings(json, "passed")?,
            downgraded: optional_string(json, "downgraded")?,
            began_ms: json.get("began_ms")?.u64()?,
            dialect: string(json, "dialect")?,
            operation: string(json, "operation")?,
            route: string(json, "route")?,
            streamed: json.get("streamed")?.bool()?,
            needs: optional_strings(json, "needs")?,
            estimated_tokens: json.get("estimated_tokens").map_or(Some(0), Json::u64)?,
            tied: optional_string(json, "tied")?,
            trace: optional_string(json, "trace")?,
            rules: optional_strings(json, "rules")?,
            snapshot: json.get("snapshot")?.u64()?,
            plan: strings(json, "plan")?,
            status: status(json)?,
            refusal: string(json, "refusal")?,
            losses: Losses { approximated: strings(json, "approximated")?, dropped: strings(json, "dropped")? },
            outcomes: json.get("outcomes")?.items().map(read_outcome).collect::<Option<_>>()?,
        })
    }
}

fn write_outcome(outcome: &Outcome, out: &mut Writer) {
    out.object(|out| {
        out.field("target").string(&outcome.target);
        if !outcome.dialect.is_empty() {
            out.field("dialect").string(&outcome.dialect);
        }
        out.field("ending").string(outcome.ending.name());
        out.field("status").number(u64::from(outcome.status));
        out.field("code").string(&outcome.code);
        out.field("total_ms").number(outcome.total_ms);
        if !outcome.lost.is_empty() {
            out.field("lost").array(|out| outcome.lost.iter().for_each(|what| out.string(what)));
        }
        let usage = &outcome.usage;
        let optional = [
            ("first_event_ms", outcome.first_event_ms),
            ("retry_after_ms", outcome.retry_after_ms),
            ("input_tokens", usage.input),
            ("cache_read_tokens", usage.cache_read),
            ("cache_write_tokens", usage.cache_write),
            ("cache_write_1h_tokens", usage.cache_write_1h),
            ("audio_input_tokens", usage.audio_input),
            ("output_tokens", usage.output),
            ("reasoning_tokens", usage.reasoning),
            ("audio_output_tokens", usage.audio_output),
            ("images", usage.images),
            ("cost_pico", outcome.cost.map(|cost| u64::try_from(cost.pico_dollars()).unwrap_or(u64::MAX))),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                out.field(name).number(value);
            }
        }
        if usage.suspect {
            out.field("suspect").bool(true);
        }
        if let Some(estimate) = &outcome.estimate {
            out.field("estimate").object(|out| {
                out.field("input").number(estimate.input);
                out.field("output").number(estimate.output);
            });
        }
    });
}

fn read_outcome(json: Json<'_>) -> Option<Outcome> {
    let optional = |name: &str| json.get(name).and_then(Json::u64);
    Some(Outcome {
        target: string(json, "target")?,
        dialect: optional_string(json, "dialect")?,
        ending: Ending::named(&string(json, "ending")?)?,
        status: status(json)?,
        code: string(json, "code")?,
        first_event_ms: optional("first_event_ms"),
        total_ms: json.get("total_ms")?.u64()?,
        retry_after_ms: optional("retry_after_ms"),
        lost: optional_strings(json, "lost")?,
        estimate: json.get("estimate").and_then(|estimate| {
            let tokens = |name: &str| estimate.get(name).and_then(Json::u64);
            Some(Estimate { input: tokens("input")?, output: tokens("output")? })
        }),
        cost: optional("cost_pico").map(|pico| Cost::pico(pico.into())),
        usage: Usage {
            input: optional("input_tokens"),
            cache_read: optional("cache_read_tokens"),
            cache_write: optional("cache_write_tokens"),
            cache_write_1h: optional("cache_write_1h_tokens"),
            audio_input: optional("audio_input_tokens"),
            output: optional("output_tokens"),
            reasoning: optional("reasoning_tokens"),
            audio_output: optional("audio_output_tokens"),
            images: optional("images"),
            suspect: json.get("suspect").and_then(Json::bool).unwrap_or(false),
        },
    })
}

fn read_charged(json: Json<'_>) -> Option<Charged> {
    Some(Charged { budget: string(json, "budget")?, window_ms: json.get("window_ms")?.u64()? })
}

fn status(json: Json<'_>) -> Option<u16> {
    json.get("status")?.u64().and_then(|status| u16::try_from(status).ok())
}

fn string(json: Json<'_>, name: &str) -> Option<String> {
    json.get(name)?.text().map(|text| text.decode().into_owned())
}

fn strings(json: Json<'_>, name: &str) -> Option<Vec<String>> {
    json.get(name)?.items().map(|item| item.text().map(|text| text.decode().into_owned())).collect()
}

/// Empty when it is not said; `None` when what is said is no text.
fn optional_string(json: Json<'_>, name: &str) -> Option<String> {
    json.get(name).map_or(Some(String::new()), |_| string(json, name))
}

fn optional_strings(json: Json<'_>, name: &str) -> Option<Vec<String>> {
    json.get(name).map_or(Some(Vec::new()), |_| strings(json, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_too_large_to_be_written_is_not_free() {
        let outcome = Outcome { cost: Some(Cost::pico(u128::MAX)), ..Outcome::default() };
        let record = Record { exchange: "x1".into(), outcomes: vec![outcome], ..Record::default() };
        let read = Record::read(&record.write()).unwrap();
        assert_eq!(read.outcomes[0].cost, Some(Cost::pico(u64::MAX.into())));
        assert_eq!(read.standing(), Standing::Settled);
    }

    #[test]
    fn a_record_reads_back_as_written() {
        let record = Record {
            exchange: "x1".into(),
            caller: "key_1".into(),
            account: "acme.search".into(),
            charged: vec![Charged { budget: "acme/usd/month".into(), window_ms: 7 }],
            passed: vec!["acme/usd/month".into()],
            downgraded: "cheap".into(),
            began_ms: 1_790_000_000_000,
            dialect: "messages".into(),
            operation: "generate".into(),
            route: "auto".into(),
            streamed: true,
            needs: vec!["tools".into(), "thinking".into()],
            estimated_tokens: 1200,
            tied: "n".into(),
            trace: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".into(),
            rules: vec!["calm".into()],
            snapshot: 3,
            plan: vec!["a/m".into(), "b/m".into()],
            status: 200,
            refusal: String::new(),
            losses: Losses { approximated: vec!["stop".into()], dropped: vec!["top_k".into()] },
            outcomes: vec![
                Outcome { target: "a/m".into(), ending: Ending::Retriable, status: 429, ..Outcome::default() },
                Outcome {
                    target: "b/m".into(),
                    dialect: "converse".into(),
                    ending: Ending::Answered,
                    status: 200,
                    first_event_ms: Some(12),
                    total_ms: 90,
                    usage: Usage {
                        input: Some(10),
                        output: Some(4),
                        cache_write_1h: Some(2),
                        audio_input: Some(3),
                        audio_output: Some(1),
                        images: Some(0),
                        suspect: true,
                        ..Usage::default()
                    },
                    estimate: Some(Estimate { input: 10, output: 7 }),
                    cost: Some(Cost::pico(17)),
                    ..Outcome::default()
                },
            ],
        };
        assert_eq!(Record::read(&record.write()), Some(record));
    }

    #[test]
    fn a_record_without_an_exchange_is_none() {
        let record = Record::default();
        assert_eq!(Record::read(&record.write()), None);
    }
    #[test]
    fn a_document_of_an_older_version_still_reads() {
        let older =
            br#"{"exchange":"x1","caller":"c","began_ms":1,"dialect":"messages","operation":"generate","route":"m",
            "streamed":false,"snapshot":3,"plan":["a/m"],"status":200,"refusal":"","approximated":[],"dropped":[],
            "outcomes":[{"target":"a/m","ending":"answered","status":200,"code":"","total_ms":90}]}"#;
        let record = Record::read(older).unwrap();
        assert_eq!((record.route.as_str(), record.outcomes[0].total_ms), ("m", 90));
        assert!(record.needs.is_empty() && record.trace.is_empty() && record.outcomes[0].dialect.is_empty());
        let newer = br#"{"needs":7,"#.iter().chain(&older[1..]).copied().collect::<Vec<_>>();
        assert_eq!(Record::read(&newer).map(|record| record.needs), Some(vec![]), "no list holds nothing");
        let newer = br#"{"needs":[7],"#.iter().chain(&older[1..]).copied().collect::<Vec<_>>();
        assert_eq!(Record::read(&newer), None);
    }
}
