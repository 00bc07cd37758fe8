//! How fast a provider may be asked, by everybody together.

use dragoman_core::admission::{BudgetName, OF_TARGET, Unit};

use super::members::{Members, Reading};
use crate::accounts::{BudgetTerms, Period, Terms};

/// Most of one provider: each costs every request a little.
const MAX_RATE_LIMITS: usize = 64;
/// Highest limit; sums of some stay far below what a database's integers hold.
const MAX_LIMIT: u64 = 1_000_000_000_000_000;

/// One of `rate_limits`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// The model that it is about, as the provider knows it; all together when none is said.
    pub model: Option<String>,
    /// What it counts: tokens, requests, or requests at once.
    pub unit: Unit,
    /// How much.
    pub limit: u64,
    /// In how long; for requests at once there is none.
    pub per: Period,
}

impl RateLimit {
    /// Who it is in budgets' ids: `@provider` or `@provider/model`.
    pub fn holder(&self, provider: &str) -> String {
        match &self.model {
            Some(model) => format!("{OF_TARGET}{provider}/{model}"),
            None => format!("{OF_TARGET}{provider}"),
        }
    }

    /// The id of the budget that it is.
    pub fn id(&self, provider: &str) -> String {
        let holder = self.holder(provider);
        BudgetName { holder: &holder, unit: self.unit, period: self.per.name() }.to_string()
    }

    /// The same as accounts' budgets are said.
    pub fn terms(&self) -> BudgetTerms {
        let amount = |unit| (self.unit == unit).then_some(self.limit);
        BudgetTerms {
            tokens: amount(Unit::Tokens),
            requests: amount(Unit::Requests),
            concurrent: amount(Unit::Concurrent),
            per: self.per,
            // It is reached all day long; nobody need be told.
            tell_at: Some(Vec::new()),
            ..BudgetTerms::default()
        }
    }
}

/// The Terms of every holder that these providers' limits have.
pub fn terms_of<'l>(providers: impl Iterator<Item = (&'l str, &'l [RateLimit])>) -> Vec<(String, Terms)> {
    let mut all: Vec<(String, Terms)> = Vec::new();
    for (provider, limits) in providers {
        for limit in limits {
            let holder = limit.holder(provider);
            match all.iter_mut().find(|(known, _)| *known == holder) {
                Some((_, terms)) => terms.budgets.push(limit.terms()),
                None => all.push((holder, Terms { budgets: vec![limit.terms()], ..Terms::default() })),
            }
        }
    }
    all
}

/// Reads `rate_limits = [{ requests = 500, per = "minute" }, { model = "m", concurrent = 4 }]`.
pub(super) fn rate_limits(reading: &mut Reading<'_>, row: &mut Members<'_>) -> Option<Vec<RateLimit>> {
    let at = row.at;
    let mut limits: Vec<RateLimit> = Vec::new();
    for table in row.tables(reading, "rate_limits", "a rate limit")? {
        let at = table.at;
        let Some(limit) = rate_limit(reading, table) else { continue };
        let same = |known: &RateLimit| (&known.model, known.unit, known.per) == (&limit.model, limit.unit, limit.per);
        if limits.iter().any(same) {
            reading.mistake(at, "there is a rate limit of that model, unit and period already");
        }
        limits.push(limit);
    }
    if limits.len() > MAX_RATE_LIMITS {
        reading.mistake(at, format!("a provider has at most {MAX_RATE_LIMITS} `rate_limits`"));
    }
    Some(limits)
}

fn rate_limit(reading: &mut Reading<'_>, mut table: Members<'_>) -> Option<RateLimit> {
    let at = table.at;
    let model = table.string(reading, "model").map(|model| model.value);
    let mut counts = Vec::new();
    for (name, unit, most) in [
        ("requests", Unit::Requests, MAX_LIMIT),
        ("tokens", Unit::Tokens, MAX_LIMIT),
        ("concurrent", Unit::Concurrent, 1_000_000),
    ] {
        counts.extend(table.number(reading, name, 1, most).map(|limit| (unit, limit)));
    }
    let per = table.string(reading, "per").map(|per| (Period::named(&per.value), per.at));
    table.end(reading);
    let [(unit, limit)] = counts[..] else {
        reading.mistake(at, "a rate limit has exactly one of `requests`, `tokens` and `concurrent`");
        return None;
    };
    let per = match (unit, per) {
        (Unit::Concurrent, None) => Period::Total,
        (Unit::Concurrent, Some((_, at))) => {
            reading.mistake(at, "`concurrent` counts what is under way, which has no `per`");
            return None;
        }
        (_, Some((Some(per), _))) if per != Period::Total => per,
        (_, other) => {
            let at = other.map_or(at, |(_, at)| at);
            reading.mistake(at, "`per` is \"minute\", \"hour\", \"day\", \"week\" or \"month\"");
            return None;
        }
    };
    if model.as_ref().is_some_and(String::is_empty) {
        reading.mistake(at, "`model` is a model as the provider knows it; leave it out for all of them together");
    }
    Some(RateLimit { model, unit, limit, per })
}

#[cfg(test)]
mod tests {
    use super::super::{File, Known};
    use super::*;

    fn row(limits: &str) -> Result<Vec<RateLimit>, String> {
        let text = format!("[[provider]]\nid = \"p\"\nbase_url = \"https://h.example\"\nrate_limits = {limits}\n");
        let file = File::read("f", &text, &Known::default()).map_err(|mistakes| mistakes.to_string())?;
        Ok(file.providers[0].rate_limits.clone().unwrap())
    }

    #[test]
    fn a_limit_is_of_a_provider_or_of_one_of_its_models() {
        let limits = row(r#"[{ requests = 5, per = "minute" }, { model = "a/b", concurrent = 2 }]"#).unwrap();
        let ids: Vec<String> = limits.iter().map(|limit| limit.id("p")).collect();
        assert_eq!(ids, ["@p/requests/minute", "@p/a/b/concurrent/total"]);
        let terms = terms_of([("p", &limits[..])].into_iter());
        assert_eq!(terms.iter().map(|(holder, _)| holder.as_str()).collect::<Vec<_>>(), ["@p", "@p/a/b"]);
        assert_eq!((terms[0].1.budgets[0].limit(), terms[1].1.budgets[0].unit()), (5, Some(Unit::Concurrent)));
        assert!(terms.iter().all(|(_, terms)| terms.mistakes().is_empty()));
    }

    #[test]
    fn what_is_no_limit_is_told_with_its_place() {
        for (wrong, words) in [
            (r#"[{ per = "minute" }]"#, "exactly one of"),
            (r#"[{ requests = 5, tokens = 5, per = "minute" }]"#, "exactly one of"),
            (r#"[{ requests = 0, per = "minute" }]"#, "a whole number from 1"),
            (r#"[{ requests = 5 }]"#, "`per` is"),
            (r#"[{ requests = 5, per = "total" }]"#, "`per` is"),
            (r#"[{ concurrent = 5, per = "minute" }]"#, "no `per`"),
            (r#"[{ model = "", concurrent = 5 }]"#, "`model` is"),
            (r#"[{ usd = "5", per = "day" }]"#, "has no member `usd`"),
            (r#"[{ tokens = 5, per = "day" }, { tokens = 6, per = "day" }]"#, "already"),
        ] {
            let said = row(wrong).unwrap_err();
            assert!(said.contains(words) && said.contains(":4:"), "{wrong}: {said}");
        }
    }
}
