//! A budget that has no room: which one, how much, until when, and what to do.

use crate::admission::BudgetName;
use crate::hub::event::ErrorClass;

/// Longest wait after which a client that waits by itself should try again; anything longer is for people.
const SHORT_WAIT_MS: u64 = 120_000;

/// A budget without room for a request. Amounts are in its unit, money in micro-dollars.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpentBudget {
    /// `holder/unit/period`.
    pub id: String,
    /// What it counts: `usd`, `tokens`, `requests`, `concurrent`.
    pub unit: &'static str,
    /// Its limit.
    pub limit: u64,
    /// What is spent, or kept for requests under way.
    pub used: u64,
    /// What this request may come to.
    pub needed: u64,
    /// When the next window begins; `None` when none does.
    pub resets_in_ms: Option<u64>,
}

impl SpentBudget {
    fn period(&self) -> &str {
        BudgetName::read(&self.id).map_or("", |name| name.period)
    }

    fn holder(&self) -> &str {
        BudgetName::read(&self.id).map_or("", |name| name.holder)
    }

    /// Whether it is a limit of pace, which heals by itself within moments.
    fn is_pace(&self) -> bool {
        self.unit == "concurrent" || self.period() == "minute"
    }

    /// One word for Records and metrics.
    pub(super) fn code(&self) -> &'static str {
        if self.is_pace() { super::TOO_FAST } else { super::SPENT }
    }

    pub(super) fn class(&self) -> ErrorClass {
        if self.is_pace() { ErrorClass::RateLimited } else { ErrorClass::QuotaExhausted }
    }

    /// After how many seconds to try again; `None` when waiting does not help.
    pub(super) fn retry_after(&self) -> Option<u64> {
        match (self.unit, self.resets_in_ms) {
            ("concurrent", _) => Some(1),
            (_, resets) => resets.map(|ms| ms.div_ceil(1000).max(1)),
        }
    }

    /// Whether a program should wait for it.
    pub(super) fn is_worth_waiting(&self) -> bool {
        self.is_pace() || self.resets_in_ms.is_some_and(|ms| ms <= SHORT_WAIT_MS)
    }

    pub(super) fn message(&self) -> String {
        let (holder, limit, used) = (self.holder(), self.amount(self.limit), self.amount(self.used));
        if self.unit == "concurrent" {
            return format!(
                "`{holder}` has as many requests under way as it may: {limit}; try again when one of them is over"
            );
        }
        let what = match self.period() {
            "total" => format!("the budget of `{holder}`: {limit}"),
            period => format!("the limit of `{holder}`: {limit} a {period}"),
        };
        let resets = self.resets_in_ms.map_or(String::new(), |ms| format!("; it begins anew in {}", duration(ms)));
        if self.used >= self.limit {
            return format!(
                "{what} is used up ({used} spent or kept for requests under way){resets}; {}",
                self.advice()
            );
        }
        format!(
            "this request may come to {}, and {what} has {} left{resets}; {}",
            self.amount(self.needed),
            self.amount(self.limit.saturating_sub(self.used)),
            self.advice()
        )
    }

    fn advice(&self) -> &'static str {
        match (self.unit, self.used < self.limit) {
            ("usd" | "tokens", true) => {
                "ask for fewer output tokens or a cheaper model, or ask whoever looks after the account for more"
            }
            _ if self.is_pace() => "wait, or ask whoever looks after the account for more",
            _ => "ask whoever looks after the account for more",
        }
    }

    fn amount(&self, amount: u64) -> String {
        match self.unit {
            "usd" => dollars(amount),
            "tokens" => format!("{amount} tokens"),
            _ => format!("{amount} requests"),
        }
    }
}

/// Micro-dollars as dollars, with as many places as say something.
fn dollars(micro: u64) -> String {
    let (whole, rest) = (micro / 1_000_000, micro % 1_000_000);
    let places = format!("{rest:06}");
    let places = places.trim_end_matches('0');
    format!("${whole}.{places:0<2}")
}

/// How long it is, in the largest unit that says something.
fn duration(ms: u64) -> String {
    let seconds = ms.div_ceil(1000);
    let (many, unit) = match seconds {
        0..=119 => (seconds, "second"),
        120..=7_199 => (seconds.div_ceil(60), "minute"),
        7_200..=172_799 => (seconds.div_ceil(3_600), "hour"),
        _ => (seconds.div_ceil(86_400), "day"),
    };
    format!("{many} {unit}{}", if many == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(id: &str, unit: &'static str, limit: u64, used: u64, needed: u64, resets_in_ms: Option<u64>) -> SpentBudget {
        SpentBudget { id: id.into(), unit, limit, used, needed, resets_in_ms }
    }

    #[test]
    fn it_is_said_which_limit_how_much_until_when_and_what_to_do() {
        let month = of("acme.search/usd/month", "usd", 100_000_000, 100_000_000, 1, Some(950_400_000));
        assert_eq!(
            month.message(),
            "the limit of `acme.search`: $100.00 a month is used up ($100.00 spent or kept for requests under way); it begins \
             anew in 11 days; ask whoever looks after the account for more"
        );
        assert_eq!(
            (month.code(), month.is_worth_waiting(), month.retry_after()),
            ("budget_spent", false, Some(950_400))
        );
        let total = of("key_1/tokens/total", "tokens", 1000, 900, 4196, None);
        assert_eq!(
            total.message(),
            "this request may come to 4196 tokens, and the budget of `key_1`: 1000 tokens has 100 tokens left; ask for fewer \
             output tokens or a cheaper model, or ask whoever looks after the account for more"
        );
        assert_eq!((total.is_worth_waiting(), total.retry_after()), (false, None));
        let pace = of("acme/requests/minute", "requests", 60, 60, 1, Some(20_500));
        assert!(pace.message().contains("60 requests a minute is used up") && pace.message().contains("in 21 seconds"));
        assert_eq!((pace.code(), pace.is_worth_waiting(), pace.retry_after()), ("rate_limited", true, Some(21)));
        let slots = of("acme/concurrent/total", "concurrent", 4, 4, 1, None);
        assert_eq!((slots.code(), slots.retry_after()), ("rate_limited", Some(1)));
    }

    #[test]
    fn money_and_time_are_said_as_people_say_them() {
        assert_eq!([0, 1, 1_500_000, 100_000_000].map(dollars), ["$0.00", "$0.000001", "$1.50", "$100.00"]);
        let said = [1, 119_000, 120_000, 7_200_000, 200_000_000].map(duration);
        assert_eq!(said, ["1 second", "119 seconds", "2 minutes", "2 hours", "3 days"]);
    }
}
