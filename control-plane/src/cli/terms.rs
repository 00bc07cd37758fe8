//! What an account or a key may do and spend, as a command line says it.

use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::bad_input::bad;
use super::input;
use crate::accounts::{AtLimit, BudgetTerms, Period, Terms, WhenAway};
use crate::store::now_ms;

/// Largest file of Terms.
const MAX_FILE: u64 = 1 << 20;

/// Terms, word by word or in a file.
#[derive(Args, Clone, Debug, Default)]
pub struct TermsArgs {
    /// The only routes that may be asked for, separated by commas; `mini-*` stands for all that begin so.
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    routes: Option<Vec<String>>,
    /// The only models that may answer, as `provider/model` or as their providers know them.
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    models: Option<Vec<String>>,
    /// The only providers that may answer.
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    providers: Option<Vec<String>>,
    /// The only networks that requests may come from, such as 10.0.0.0/8.
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    networks: Option<Vec<String>>,
    /// What may be spent: usd=100/month, tokens=1000000/day, requests=60/minute, concurrent=5, usd=20/total. Words behind it by
    /// commas: strict, warn, downgrade=ROUTE, open=AMOUNT, zone=Europe/Berlin, tell=50+80.
    #[arg(long = "budget", value_parser = budget, value_name = "BUDGET")]
    budgets: Vec<BudgetTerms>,
    /// A word to group costs by, such as centre=42.
    #[arg(long = "tag", value_parser = tag, value_name = "NAME=VALUE")]
    tags: Vec<(String, String)>,
    /// All of it as JSON in a file instead; `-` is the input.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["routes", "models", "providers", "networks", "budgets", "tags"])]
    from: Option<PathBuf>,
}

impl TermsArgs {
    /// The Terms, as the admin API takes them.
    pub fn read(self) -> anyhow::Result<Terms> {
        if let Some(path) = &self.from {
            let name = path.display();
            let text = input::read(path, MAX_FILE)?;
            return serde_json::from_str(&text).map_err(|error| bad(format!("{name}: these are no terms: {error}")));
        }
        let lists = [&self.routes, &self.models, &self.providers, &self.networks];
        if lists.into_iter().flatten().flatten().any(String::is_empty) {
            return Err(bad("a name in one of the lists is empty"));
        }
        Ok(Terms {
            routes: self.routes,
            models: self.models,
            providers: self.providers,
            networks: self.networks,
            budgets: self.budgets,
            tags: self.tags.into_iter().collect(),
        })
    }
}

fn tag(said: &str) -> Result<(String, String), String> {
    let pair = said.split_once('=').ok_or("a tag is said as NAME=VALUE")?;
    Ok((pair.0.to_string(), pair.1.to_string()))
}

/// `usd=100/month,strict`.
pub fn budget(said: &str) -> Result<BudgetTerms, String> {
    let mut words = said.split(',');
    let first = words.next().unwrap_or_default();
    let (unit, rest) = first.split_once('=').ok_or("a budget is said as usd=100/month")?;
    let (amount, per) = rest.split_once('/').unwrap_or((rest, "total"));
    let per = Period::named(per);
    let per = per.ok_or("a budget is per minute, hour, day, week, month, or total")?;
    let count = || amount.parse::<u64>().map(Some).map_err(|_| format!("`{amount}` is no number of {unit}"));
    let mut budget = BudgetTerms { per, ..BudgetTerms::default() };
    match unit {
        "usd" => budget.usd = Some(amount.to_string()),
        "tokens" => budget.tokens = count()?,
        "requests" => budget.requests = count()?,
        "concurrent" => budget.concurrent = count()?,
        _ => return Err(format!("`{unit}` is none of usd, tokens, requests, concurrent")),
    }
    for word in words {
        match word.split_once('=') {
            None if word == "strict" => budget.strict = true,
            None if word == "warn" => budget.at_limit = AtLimit::Warn,
            Some(("downgrade", route)) => {
                (budget.at_limit, budget.downgrade_to) = (AtLimit::Downgrade, Some(route.to_string()));
            }
            Some(("open", amount)) => {
                (budget.when_away, budget.open_up_to) = (WhenAway::Open, Some(amount.to_string()));
            }
            Some(("zone", name)) => budget.time_zone = Some(name.to_string()),
            Some(("tell", shares)) => {
                let shares: Result<Vec<u8>, _> = shares.split('+').map(str::parse).collect();
                budget.tell_at = Some(shares.map_err(|_| "tell= takes shares in percent, such as tell=50+80")?);
            }
            _ => return Err(format!("`{word}` is none of strict, warn, downgrade=, open=, zone=, tell=")),
        }
    }
    Ok(budget)
}

/// When something ends: in `30d`, `12h`, `45m`, `90s`, or at a moment such as `2027-01-31T00:00:00Z` or a day, in UTC.
pub fn ends(said: &str) -> Result<i64, String> {
    if let Some(ms) = lasts(said) {
        return Ok(now_ms() + ms);
    }
    let day = format!("{said}T00:00:00Z");
    let moment = said.parse::<Timestamp>().or_else(|_| day.parse::<Timestamp>());
    moment.map(Timestamp::as_millisecond).map_err(|_| {
        "a key ends in a time such as 30d or 12h, or at a moment such as 2027-01-31 or 2027-01-31T08:00:00Z".to_string()
    })
}

/// How long something lasts, in milliseconds: `30d`, `12h`, `45m`, `90s`.
pub fn lasts(said: &str) -> Option<i64> {
    let unit = match said.chars().last()? {
        'd' => 86_400_000,
        'h' => 3_600_000,
        'm' => 60_000,
        's' => 1000,
        _ => return None,
    };
    let count: i64 = said.get(..said.len() - 1)?.parse().ok().filter(|count| *count >= 0)?;
    count.checked_mul(unit)
}

/// The budgets of Terms as a cell: `usd=100/month, requests=60/minute`.
pub fn budgets_cell(terms: &Value) -> String {
    let told = |budget: &Value| {
        let units = ["usd", "tokens", "requests", "concurrent"].into_iter();
        let (unit, amount) = units.map(|unit| (unit, &budget[unit])).find(|(_, amount)| !amount.is_null())?;
        let amount = amount.as_str().map_or_else(|| amount.to_string(), str::to_string);
        let strict = if budget["strict"] == json!(true) { " strict" } else { "" };
        Some(match budget["per"].as_str() {
            Some(per) if per != "total" => format!("{unit}={amount}/{per}{strict}"),
            _ => format!("{unit}={amount}{strict}"),
        })
    };
    let budgets = terms["budgets"].as_array().into_iter().flatten();
    budgets.filter_map(told).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_said_in_one_word() {
        let all = budget("usd=2.50/month,strict,zone=Europe/Berlin,downgrade=mini,open=1,tell=50+90").unwrap();
        assert_eq!((all.usd.as_deref(), all.per, all.strict), (Some("2.50"), Period::Month, true));
        assert_eq!((all.at_limit, all.downgrade_to.as_deref()), (AtLimit::Downgrade, Some("mini")));
        assert_eq!((all.open_up_to.as_deref(), all.tell_at), (Some("1"), Some(vec![50, 90])));
        assert_eq!(budget("concurrent=5").unwrap().per, Period::Total);
        assert_eq!(budget("requests=60/minute,warn").unwrap().at_limit, AtLimit::Warn);
        for wrong in ["usd", "eur=1", "tokens=x/day", "tokens=1/year", "usd=1/day,loose", "usd=1/day,tell=x"] {
            assert!(budget(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_end_is_a_time_or_a_moment() {
        assert_eq!(
            (lasts("2d"), lasts("90s"), lasts("d"), lasts("-1h"), lasts("1y")),
            (Some(172_800_000), Some(90_000), None, None, None)
        );
        assert_eq!(ends("2027-01-31"), Ok(1_801_353_600_000));
        assert_eq!(ends("2027-01-31T00:00:01Z"), Ok(1_801_353_601_000));
        assert!(ends("1h").unwrap() > now_ms() && ends("soon").is_err() && ends("é").is_err());
    }

    #[test]
    fn budgets_are_shown_as_they_are_said() {
        let terms =
            json!({ "budgets": [{ "usd": "1", "per": "month", "strict": true }, { "concurrent": 5, "per": "total" }] });
        assert_eq!(budgets_cell(&terms), "usd=1/month strict, concurrent=5");
    }
}
