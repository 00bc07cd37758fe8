//! The Record as JSON, in both directions.

use super::{Charged, Chosen, Ending, Outcome, Record, Whose};
use crate::estimate::Estimate;
use crate::failure::Failure;
use crate::json::{Json, Writer};
use crate::loss::Losses;
use crate::preferences::Preferences;
use crate::price::Cost;
use crate::usage::Usage;

impl Record {
    /// The document of this Record.
    pub fn write(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(512);
        out.object(|out| {
            out.field("exchange").string(&self.exchange);
            if !self.shadow_of.is_empty() {
                out.field("shadow_of").string(&self.shadow_of);
            }
            out.field("caller").string(&self.caller);
            self.write_payment(out);
            out.field("began_ms").number(self.began_ms);
            out.field("dialect").string(&self.dialect);
            out.field("operation").string(&self.operation);
            out.field("route").string(&self.route);
            out.field("streamed").bool(self.streamed);
            self.write_needs(out);
            if !self.rules.is_empty() {
                out.field("rules").strings(&self.rules);
            }
            if let Some(chosen) = &self.chosen {
                chosen.write(out.field("chosen"));
            }
            if !self.preferences.is_empty() {
                self.preferences.write(out.field("preferences"));
            }
            out.field("snapshot").number(self.snapshot);
            out.field("plan").strings(&self.plan);
            out.field("status").number(u64::from(self.status));
            out.field("refusal").string(&self.refusal);
            out.field("approximated").strings(&self.losses.approximated);
            out.field("dropped").strings(&self.losses.dropped);
            out.field("outcomes").array(|out| self.outcomes.iter().for_each(|outcome| write_outcome(outcome, out)));
        });
        out.into_bytes()
    }

    /// What was needed. Older documents have no such members; what is not said is not written.
    fn write_needs(&self, out: &mut Writer) {
        if !self.needs.is_empty() {
            out.field("needs").strings(&self.needs);
        }
        if self.estimated_tokens > 0 {
            out.field("estimated_tokens").number(self.estimated_tokens);
        }
        for (name, value) in [("tied", &self.tied), ("trace", &self.trace), ("arm", &self.arm)] {
            if !value.is_empty() {
                out.field(name).string(value);
            }
        }
    }

    /// Who pays, out of what.
    fn write_payment(&self, out: &mut Writer) {
        for (name, value) in [("account", &self.account), ("bearer", &self.bearer), ("downgraded", &self.downgraded)] {
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
            out.field("passed").strings(&self.passed);
        }
        if !self.rate_limited.is_empty() {
            out.field("rate_limited").strings(&self.rate_limited);
        }
        if !self.rested.is_empty() {
            out.field("rested").strings(&self.rested);
        }
    }

    /// The Record of a document; `None` when it is not one.
    pub fn read(document: &[u8]) -> Option<Record> {
        let json = Json::parse(document).ok()?;
        Some(Record {
            exchange: string(json, "exchange").filter(|id| !id.is_empty())?,
            shadow_of: optional_string(json, "shadow_of")?,
            caller: string(json, "caller")?,
            account: optional_string(json, "account")?,
            bearer: optional_string(json, "bearer")?,
            charged: json.get("charged").into_iter().flat_map(Json::items).map(read_charged).collect::<Option<_>>()?,
            passed: optional_strings(json, "passed")?,
            rate_limited: optional_strings(json, "rate_limited")?,
            rested: optional_strings(json, "rested")?,
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
            arm: optional_string(json, "arm")?,
            rules: optional_strings(json, "rules")?,
            chosen: match json.get("chosen") {
                Some(chosen) => Some(Chosen::read(chosen)?),
                None => None,
            },
            // A newer data plane may know more of them.
            preferences: json.get("preferences").and_then(|said| Preferences::read(said).ok()).unwrap_or_default(),
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
        if let Some(failure) = outcome.failure {
            out.field("failure").string(failure.name());
        }
        if outcome.whose != Whose::Gateway {
            out.field("whose").string(outcome.whose.name());
        }
        if !outcome.lost.is_empty() {
            out.field("lost").strings(&outcome.lost);
        }
        let usage = &outcome.usage;
        let optional = [
            ("first_event_ms", outcome.first_event_ms),
            ("hedged_after_ms", outcome.hedged_after_ms),
            ("retry_after_ms", outcome.retry_after_ms),
            ("quota_left", outcome.quota_left),
            ("cool_until_ms", (outcome.cool_until_ms > 0).then_some(outcome.cool_until_ms)),
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
        failure: Failure::named(&optional_string(json, "failure")?),
        whose: Whose::named(&optional_string(json, "whose")?).unwrap_or_default(),
        first_event_ms: optional("first_event_ms"),
        hedged_after_ms: optional("hedged_after_ms"),
        total_ms: json.get("total_ms")?.u64()?,
        retry_after_ms: optional("retry_after_ms"),
        quota_left: optional("quota_left"),
        cool_until_ms: optional("cool_until_ms").unwrap_or(0),
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
    json.get(name)?.string()
}

fn strings(json: Json<'_>, name: &str) -> Option<Vec<String>> {
    json.get(name)?.items().map(Json::string).collect()
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
    use crate::artifact::Bucket;
    use crate::preferences::MaxPrice;
    use crate::record::{Judge, Score, Standing};

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
            shadow_of: "x0".into(),
            caller: "key_1".into(),
            account: "acme.search".into(),
            bearer: "0123456789abcdef0123456789abcdef".into(),
            charged: vec![Charged { budget: "acme/usd/month".into(), window_ms: 7 }],
            passed: vec!["acme/usd/month".into()],
            rate_limited: vec!["p/m".into()],
            rested: vec!["q/m".into()],
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
            arm: "mini/new".into(),
            chosen: Some(Chosen {
                bucket: Bucket::Mid,
                by: Judge::Artifact,
                cheap: 400,
                mid: 900,
                alpha: 700,
                artifact: "0123456789ab".into(),
                schema: 1,
                features: vec![0, 7, u32::MAX],
                scores: vec![Score { target: "a/m".into(), score: 810_000, quality: 900, micro_dollars: 12 }],
            }),
            preferences: Preferences {
                max_price: MaxPrice { input: None, output: Some(1_500_000) },
                alpha: Some(300),
                not: vec!["corp".into()],
                ..Preferences::default()
            },
            snapshot: 3,
            plan: vec!["a/m".into(), "b/m".into()],
            status: 200,
            refusal: String::new(),
            losses: Losses { approximated: vec!["stop".into()], dropped: vec!["top_k".into()] },
            outcomes: vec![
                Outcome {
                    target: "a/m".into(),
                    ending: Ending::Retriable,
                    status: 429,
                    failure: Some(Failure::Throttled),
                    whose: Whose::Account,
                    cool_until_ms: 1_790_000_060_000,
                    ..Outcome::default()
                },
                Outcome {
                    target: "b/m".into(),
                    dialect: "converse".into(),
                    ending: Ending::Answered,
                    status: 200,
                    first_event_ms: Some(12),
                    hedged_after_ms: Some(3),
                    quota_left: Some(250),
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
        assert!(record.bearer.is_empty() && record.outcomes[0].cool_until_ms == 0);
        let newer = br#"{"needs":7,"#.iter().chain(&older[1..]).copied().collect::<Vec<_>>();
        assert_eq!(Record::read(&newer).map(|record| record.needs), Some(vec![]), "no list holds nothing");
        let newer = br#"{"needs":[7],"#.iter().chain(&older[1..]).copied().collect::<Vec<_>>();
        assert_eq!(Record::read(&newer), None);
    }
}
