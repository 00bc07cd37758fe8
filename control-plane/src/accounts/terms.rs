//! What an account or a key may do, and what it may spend.

use std::collections::BTreeMap;

use dragoman_core::admission::{self, Away, Budget, Mode, Network, Scope, Unit};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Period, Webhook, whole};
use crate::settings::micro_dollars;

/// What an account or a key may do and spend. What is not said is not limited here; what is said above holds all the same.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Terms {
    /// Names that may be asked for; one that ends with `*` stands for all that begin like it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routes: Option<Vec<String>>,
    /// Models that may answer: `provider/model`, or the model as its provider knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub models: Option<Vec<String>>,
    /// Providers that may answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub providers: Option<Vec<String>>,
    /// Networks that requests may come from, such as `10.0.0.0/8`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub networks: Option<Vec<String>>,
    /// What may be spent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub budgets: Vec<BudgetTerms>,
    /// Words to group costs by, such as a cost centre.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Where somebody is told that a share of a budget is spent; of accounts only, and the nearest one counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook: Option<Webhook>,
}

/// One budget: exactly one of `usd`, `tokens`, `requests`, `concurrent` says how much.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BudgetTerms {
    /// Dollars, with at most six digits after the point, such as "250.00".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usd: Option<String>,
    /// Tokens read and written.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "whole::optional")]
    #[schema(minimum = 0, maximum = 1_000_000_000_000_000_u64)]
    pub tokens: Option<u64>,
    /// Requests.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "whole::optional")]
    #[schema(minimum = 0, maximum = 1_000_000_000_000_000_u64)]
    pub requests: Option<u64>,
    /// Requests under way at the same time; never with a period.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "whole::optional")]
    #[schema(minimum = 0, maximum = 1_000_000_u64)]
    pub concurrent: Option<u64>,
    /// After how long it begins anew.
    pub per: Period,
    /// By whose calendar, such as `Europe/Berlin`; UTC when nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// What happens to a request that it has no room for.
    pub at_limit: AtLimit,
    /// The cheaper route, where `at_limit` is `downgrade`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub downgrade_to: Option<String>,
    /// Each request is reserved durably before it is sent: never too much, one question for each request.
    pub strict: bool,
    /// What happens when leases have ended and the control plane does not answer.
    pub when_away: WhenAway,
    /// How much each worker may go on with, in the budget's own unit, where `when_away` is `open`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_up_to: Option<String>,
    /// Shares of the limit, in percent, at which somebody is told.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "whole::shares")]
    #[schema(schema_with = whole::shares_schema)]
    pub tell_at: Option<Vec<u8>>,
}

/// What happens to a request that a budget has no room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AtLimit {
    /// It is refused.
    #[default]
    Refuse,
    /// A cheaper route answers it.
    Downgrade,
    /// It goes on, and everybody is told.
    Warn,
}

/// What happens when leases have ended and the control plane does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WhenAway {
    /// Requests are refused.
    #[default]
    Closed,
    /// They go on up to a cap.
    Open,
}

/// Shares at which somebody is told when nothing is said.
const TELL_AT: [u8; 4] = [50, 80, 90, 100];

/// Most budgets of one account or key: each costs every request a little.
const MAX_BUDGETS: usize = 16;
/// Most names in one list, and most tags.
const MAX_NAMES: usize = 256;
/// Highest limit, in micro-dollars or in what it counts: sums of some stay far below what a database's integers hold.
const MAX_LIMIT: u64 = 1_000_000_000_000_000;

impl Terms {
    /// Everything that is wrong with them.
    pub fn mistakes(&self) -> Vec<String> {
        let mut mistakes = Vec::new();
        for (name, list) in [("routes", &self.routes), ("models", &self.models), ("providers", &self.providers)] {
            let list = list.as_deref().unwrap_or_default();
            if list.len() > MAX_NAMES || list.iter().any(|name| name.is_empty() || name.len() > 256) {
                mistakes.push(format!("`{name}`: at most {MAX_NAMES} names of 1 to 256 bytes"));
            }
        }
        let networks = self.networks.as_deref().unwrap_or_default();
        for wrong in networks.iter().filter(|text| Network::read(text).is_none()) {
            mistakes.push(format!("`networks`: `{wrong}` is no network such as `10.0.0.0/8` or `2001:db8::/32`"));
        }
        let long = |(name, value): (&String, &String)| name.is_empty() || name.len() > 64 || value.len() > 256;
        if networks.len() > MAX_NAMES || self.tags.len() > 64 || self.tags.iter().any(long) {
            mistakes.push("`tags`: at most 64, names of 1 to 64 bytes, values of at most 256".to_string());
        }
        mistakes.extend(self.webhook.as_ref().and_then(Webhook::mistake));
        if self.budgets.len() > MAX_BUDGETS {
            mistakes.push(format!("`budgets`: at most {MAX_BUDGETS}"));
        }
        for (at, budget) in self.budgets.iter().enumerate() {
            mistakes.extend(budget.mistakes().into_iter().map(|mistake| format!("`budgets[{at}]`: {mistake}")));
            let same = |other: &&BudgetTerms| other.unit() == budget.unit() && other.per == budget.per;
            if self.budgets.iter().take(at).any(|other| same(&other)) {
                mistakes.push(format!("`budgets[{at}]`: there is one of that unit and period already"));
            }
        }
        mistakes
    }

    /// Everything in which they exceed those of somebody above them.
    pub fn excesses(&self, above: &Terms) -> Vec<String> {
        let mut excesses = Vec::new();
        for (name, own, other) in [
            ("routes", &self.routes, &above.routes),
            ("models", &self.models, &above.models),
            ("providers", &self.providers, &above.providers),
        ] {
            let covered = |name: &str, by: &[String]| by.iter().any(|pattern| covers(pattern, name));
            if let (Some(own), Some(other)) = (own, other) {
                let beyond = own.iter().filter(|name| !covered(name, other));
                excesses.extend(beyond.map(|beyond| format!("`{name}`: `{beyond}` is not allowed above")));
            }
        }
        if let (Some(own), Some(other)) = (&self.networks, &above.networks) {
            let other: Vec<Network> = other.iter().filter_map(|text| Network::read(text)).collect();
            let inside = |text: &String| {
                let network = Network::read(text);
                network.is_none_or(|network| other.iter().any(|wide| wide.covers(&network)))
            };
            let beyond = own.iter().filter(|text| !inside(text));
            excesses.extend(beyond.map(|beyond| format!("`networks`: `{beyond}` is not allowed above")));
        }
        for budget in &self.budgets {
            let same = above.budgets.iter().find(|other| other.unit() == budget.unit() && other.per == budget.per);
            if let Some(other) = same.filter(|other| budget.limit() > other.limit()) {
                let (unit, per) = (budget.unit().map_or("", Unit::name), budget.per.name());
                excesses.push(format!(
                    "`budgets`: {} {unit} per {per} is more than the {} above",
                    budget.said(),
                    other.said()
                ));
            }
        }
        excesses
    }

    /// What may be used, as a Grant says it.
    pub(super) fn scope(&self) -> Scope {
        let networks = self.networks.as_ref().map(|list| list.iter().filter_map(|text| Network::read(text)).collect());
        Scope { routes: self.routes.clone(), models: self.models.clone(), providers: self.providers.clone(), networks }
    }
}

/// Whether every name that `name` stands for is one that `pattern` stands for.
fn covers(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |beginning| name.trim_end_matches('*').starts_with(beginning))
}

impl BudgetTerms {
    /// What it counts; `None` when it says nothing or several things.
    pub fn unit(&self) -> Option<Unit> {
        match (&self.usd, self.tokens, self.requests, self.concurrent) {
            (Some(_), None, None, None) => Some(Unit::Usd),
            (None, Some(_), None, None) => Some(Unit::Tokens),
            (None, None, Some(_), None) => Some(Unit::Requests),
            (None, None, None, Some(_)) => Some(Unit::Concurrent),
            _ => None,
        }
    }

    /// How much, in its unit; money in micro-dollars.
    pub fn limit(&self) -> u64 {
        let usd = self.usd.as_deref().and_then(micro_dollars);
        usd.or(self.tokens).or(self.requests).or(self.concurrent).unwrap_or(0)
    }

    /// The shares of the limit at which somebody is told.
    pub fn tell_at(&self) -> &[u8] {
        self.tell_at.as_deref().unwrap_or(&TELL_AT)
    }

    /// The calendar it goes by; UTC when its name is none.
    pub fn zone(&self) -> TimeZone {
        let named = self.time_zone.as_deref().and_then(|name| TimeZone::get(name).ok());
        named.unwrap_or(TimeZone::UTC)
    }

    fn said(&self) -> String {
        self.usd.clone().unwrap_or_else(|| self.limit().to_string())
    }

    fn open(&self) -> Option<u64> {
        let text = self.open_up_to.as_deref()?;
        if self.unit() == Some(Unit::Usd) { micro_dollars(text) } else { text.parse().ok() }
    }

    fn mistakes(&self) -> Vec<&'static str> {
        let mut mistakes = Vec::new();
        let mut wrong = |is_wrong: bool, mistake| {
            if is_wrong {
                mistakes.push(mistake);
            }
        };
        wrong(self.unit().is_none(), "exactly one of `usd`, `tokens`, `requests`, `concurrent` says how much");
        let bad_usd = self.usd.as_deref().is_some_and(|text| micro_dollars(text).is_none());
        wrong(
            bad_usd,
            "`usd` is an amount in dollars from 0 to 1000000, at most six digits after the point, such as \"250.00\"",
        );
        wrong(self.limit() > MAX_LIMIT, "the limit is too high");
        wrong(self.concurrent.is_some() && self.per != Period::Total, "`concurrent` has no `per`");
        wrong(self.concurrent.is_some() && self.strict, "`concurrent` is never `strict`");
        let bad_zone = self.time_zone.as_deref().is_some_and(|name| TimeZone::get(name).is_err());
        wrong(bad_zone, "`time_zone` is a name such as `Europe/Berlin`");
        let leads = self.at_limit == AtLimit::Downgrade;
        wrong(
            leads != self.downgrade_to.is_some(),
            "`downgrade_to` names the cheaper route where `at_limit` is `downgrade`",
        );
        let open = self.when_away == WhenAway::Open;
        wrong(open != self.open_up_to.is_some(), "`open_up_to` says how much where `when_away` is `open`");
        wrong(
            open && self.open_up_to.is_some() && self.open().is_none(),
            "`open_up_to` is an amount of the budget's unit",
        );
        let shares = self.tell_at();
        let rising = shares.is_sorted_by(|one, two| one < two);
        wrong(!rising || shares.len() > 10 || shares.contains(&0), "`tell_at` are at most ten rising shares from 1 on");
        mistakes
    }

    pub(super) fn budget(&self, holder: &str) -> Budget {
        let unit = self.unit().unwrap_or(Unit::Usd);
        Budget {
            mode: if self.strict { Mode::Strict } else { Mode::Fast },
            at_limit: match (self.at_limit, &self.downgrade_to) {
                (AtLimit::Downgrade, Some(route)) => admission::AtLimit::Downgrade(route.clone()),
                (AtLimit::Warn, _) => admission::AtLimit::Warn,
                _ => admission::AtLimit::Refuse,
            },
            away: match (self.when_away, self.open()) {
                (WhenAway::Open, Some(most)) => Away::Open(most),
                _ => Away::Closed,
            },
            ..Budget::of(holder, unit, self.per.name())
        }
    }
}

#[cfg(test)]
mod tests;
