//! The document of an explanation.

use super::{Denial, Explanation, Fate, Wanted, Weighed};
use crate::attempt::{Telling, Way};
use crate::features::{Features, SCHEMA};
use crate::health::{Firmness, Rest};
use crate::hub::Delivery;
use crate::json::Writer;
use crate::rule::Touched;
use crate::select::{Place, Resolution, Verdict};
use crate::snapshot::Pool;

impl Explanation<'_> {
    /// Writes it as JSON. Members that were not reached are left out.
    pub fn write(&self, out: &mut Writer) {
        out.object(|out| {
            out.field("fate").string(self.fate.name());
            if let Fate::Refused(denial) = &self.fate {
                denial.write(out.field("refusal"));
            }
            out.field("snapshot").number(self.snapshot);
            if let Some(dialect) = self.dialect {
                out.field("dialect").string(dialect.name());
            }
            if let Some(operation) = self.operation {
                out.field("operation").string(operation.name());
            }
            if let Some(delivery) = self.delivery {
                out.field("streamed").bool(delivery != Delivery::Whole);
            }
            out.field("model").string(&self.model);
            if let Some(resolution) = self.resolution {
                write_resolution(resolution, out.field("resolved"));
            }
            if let Some(wanted) = &self.wanted {
                wanted.write(out.field("needs"));
            }
            if let Some(loss) = self.loss {
                out.field("loss").string(loss.name());
            }
            if let Some(pool) = self.pool {
                write_pool(pool, out.field("balance"));
            }
            if let Some(features) = &self.features {
                write_features(features, out.field("features"));
            }
            if let Some(chosen) = &self.chosen {
                chosen.write(out.field("chosen"));
            }
            if let Some(arm) = &self.arm {
                out.field("experiment").string(arm);
            }
            if !self.rules.is_empty() {
                out.field("rules").strings(&self.rules);
            }
            if !self.answered.is_empty() {
                write_touched(&self.answered, out.field("answer_changed"));
            }
            out.field("plan").strings(self.planned());
            out.field("candidates").array(|out| self.candidates.iter().for_each(|weighed| weighed.write(out)));
        });
    }
}

impl Fate {
    /// Its name in documents.
    pub fn name(&self) -> &'static str {
        match self {
            Fate::Sent => "sent",
            Fate::AnsweredHere => "answered_here",
            Fate::Refused(_) => "refused",
        }
    }
}

impl Denial {
    fn write(&self, out: &mut Writer) {
        out.object(|out| {
            out.field("status").number(u64::from(self.status));
            out.field("code").string(&self.code);
            out.field("message").string(&self.message);
            if let Some(param) = &self.param {
                out.field("param").string(param);
            }
        });
    }
}

fn write_resolution(resolution: Resolution<'_>, out: &mut Writer) {
    let (how, what) = match resolution {
        Resolution::Route(name) => ("route", name),
        Resolution::Provider(id) => ("provider", id),
        Resolution::Family(prefix) => ("family", prefix),
        Resolution::Keeper(id) => ("keeper", id),
        Resolution::Nobody => ("nobody", ""),
    };
    out.object(|out| {
        out.field("how").string(how);
        out.field("to").string(what);
    });
}

impl Wanted {
    fn write(&self, out: &mut Writer) {
        out.object(|out| {
            out.field("abilities").strings(self.abilities.names());
            out.field("estimated_tokens").number(self.estimated_tokens);
            if let Some(limit) = self.output_limit {
                out.field("output_limit").number(limit);
            }
            if let Some(tied) = &self.tied {
                out.field("tied").string(tied);
            }
        });
    }
}

impl Weighed {
    fn write(&self, out: &mut Writer) {
        out.object(|out| {
            out.field("target").string(&self.target);
            out.field("provider").string(&self.provider);
            out.field("verdict").string(kind(&self.verdict));
            if let Some(reason) = reason(&self.verdict) {
                out.field("reason").string(reason);
            }
            match &self.verdict {
                Verdict::Planned(number) => out.field("position").number(*number as u64),
                Verdict::Lacks(abilities) => {
                    out.field("lacks").strings(abilities.names());
                }
                Verdict::Unsaid(members) => {
                    out.field("unsaid").strings(members);
                }
                Verdict::Unmet(preferences) => {
                    out.field("unmet").strings(preferences.names());
                }
                _ => {}
            }
            if let Place::Pool { weight, .. } = self.place {
                out.field("pool").bool(true);
                out.field("weight").number(weight);
            }
            if let Some(rest) = self.rest {
                write_rest(rest, out.field("rests"));
            }
            if !self.failures.is_empty() {
                out.field("failures").strings(self.failures.iter().map(|failure| failure.name()));
            }
            if let Some(telling) = &self.telling {
                write_telling(telling, out);
            }
        });
    }
}

fn kind(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Planned(_) => "planned",
        Verdict::Thoughtless | Verdict::Cramped => "set_aside",
        Verdict::Late => "beyond_most_attempts",
        Verdict::Repeated => "repeated",
        Verdict::Off
        | Verdict::Elsewhere
        | Verdict::NotExclusive
        | Verdict::NoService
        | Verdict::Lacks(_)
        | Verdict::Unsaid(_)
        | Verdict::Unmet(_)
        | Verdict::NotGranted
        | Verdict::NotKeeper
        | Verdict::Resting
        | Verdict::NotRecorded => "excluded",
    }
}

/// Why it is not asked, where the verdict's kind does not say it.
fn reason(verdict: &Verdict) -> Option<&'static str> {
    match verdict {
        Verdict::Planned(_) | Verdict::Late | Verdict::Repeated => None,
        Verdict::Thoughtless => Some("thinking"),
        Verdict::Cramped => Some("context"),
        Verdict::Off => Some("dispatch"),
        Verdict::Elsewhere => Some("region"),
        Verdict::NotExclusive => Some("exclusive"),
        Verdict::NoService => Some("service"),
        Verdict::Lacks(_) => Some("abilities"),
        Verdict::Unsaid(_) => Some("loss"),
        Verdict::NotGranted => Some("grant"),
        Verdict::Unmet(_) => Some("preferences"),
        Verdict::NotKeeper => Some("keeper"),
        Verdict::Resting => Some("resting"),
        Verdict::NotRecorded => Some("not_recorded"),
    }
}

/// The numbers that are not 0, by name.
fn write_features(features: &Features, out: &mut Writer) {
    let numbers = SCHEMA.iter().zip(features.dense()).filter(|(_, number)| **number > 0);
    out.object(|out| numbers.for_each(|((name, _), number)| out.field(name).number(u64::from(*number))));
}

/// How the first of the pool is chosen.
fn write_pool(pool: &Pool, out: &mut Writer) {
    out.object(|out| {
        out.field("by").string(pool.balance.name());
        if let Some(affinity) = &pool.affinity {
            out.field("affinity").string(&affinity.written());
        }
    });
}

/// Why it is left alone, and until when; who is *averse* is asked when nobody else is left.
fn write_rest(rest: Rest, out: &mut Writer) {
    // What operators say has no end.
    let is_forced = rest.until_ms == u64::MAX;
    out.object(|out| {
        out.field("why").string(if is_forced { "forced_open" } else { rest.why.name() });
        if !is_forced {
            out.field("until_ms").number(rest.until_ms);
        }
        out.field("firmness").string(match rest.firmness {
            Firmness::Averse => "averse",
            Firmness::Banned => "banned",
        });
    });
}

/// Which rule changes what: names, never values.
fn write_touched(touched: &[Touched], out: &mut Writer) {
    out.array(|out| {
        for Touched { rule, members } in touched {
            out.object(|out| {
                out.field("rule").string(rule);
                out.field("members").strings(members);
            });
        }
    });
}

fn write_telling(telling: &Telling, out: &mut Writer) {
    if !telling.touched.is_empty() {
        write_touched(&telling.touched, out.field("changed"));
    }
    out.field("dialect").string(telling.dialect.name());
    out.field("way").string(match telling.way {
        Way::Relay => "relay",
        Way::Interpret => "interpret",
    });
    if let Some(losses) = &telling.losses {
        out.field("approximated").strings(&losses.approximated);
        out.field("dropped").strings(&losses.dropped);
    }
}
