//! A target that is not to be asked for a while: by a person, or because a quota is spent.

use super::members::{Members, Reading};

/// One `[[suspension]]`.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Suspension {
    /// `provider/model`, or `provider/*` for all of a provider's.
    pub target: String,
    /// Until when, in milliseconds since 1970; until the row is gone when nobody says.
    pub until_ms: Option<u64>,
    /// Why, for people.
    pub reason: String,
}

impl Suspension {
    /// Whether it holds for this target at that time.
    pub fn covers(&self, target: &str, now_ms: u64) -> bool {
        let named = match self.target.strip_suffix('*') {
            Some(provider) => target.starts_with(provider),
            None => self.target == target,
        };
        named && self.until_ms.is_none_or(|until| now_ms < until)
    }
}

/// Reads one `[[suspension]]`.
pub(super) fn suspension(reading: &mut Reading<'_>, mut row: Members<'_>) -> Suspension {
    let at = row.at;
    let target = row.string(reading, "target").map(|target| target.value).unwrap_or_default();
    let (provider, model) = target.split_once('/').unwrap_or_default();
    if provider.is_empty() || model.is_empty() || (model.contains('*') && model != "*") {
        reading.mistake(at, "this suspension needs a `target`: \"provider/model\", or \"provider/*\" for all of them");
    }
    let until_ms = row.number(reading, "until_ms", 0, 1 << 53);
    let reason = row.string(reading, "reason").map(|reason| reason.value).unwrap_or_default();
    row.end(reading);
    Suspension { target, until_ms, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suspension_ends_at_its_time_and_may_be_about_a_whole_provider() {
        let one = Suspension { target: "a/m".into(), until_ms: Some(10), reason: String::new() };
        assert!(one.covers("a/m", 9) && !one.covers("a/m", 10) && !one.covers("a/n", 9));
        let all = Suspension { target: "a/*".into(), until_ms: None, reason: String::new() };
        assert!(all.covers("a/n", u64::MAX) && !all.covers("ab/n", 0));
    }
}
