//! What came of the arms of experiments, and whether what differs between them is more than chance.
//!
//! Errors are told apart by the two-proportion z-test, costs, times and scores by Welch's t with the normal distribution in place of
//! Student's, which is as good from some thirty exchanges on. `p` is how likely such a difference, or a greater one, is by chance
//! alone.
//!
//! *Limits*: who looks every day and stops when `p` is small finds differences that are not there; say beforehand how long it takes.
//! Exchanges of one conversation are not independent, and are counted as if they were.

pub mod rollout;

use dragoman_core::record::{Ending, Outcome, Record};

/// What became of the exchanges of an arm.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Exchanges that a provider was asked for.
    pub requests: u64,
    /// Those that failed, and not because of what was asked.
    pub errors: u64,
    /// Milliseconds until each answer began, attempts before it included.
    pub latencies_ms: Vec<u64>,
    /// What each cost in micro-dollars, where somebody knows.
    pub costs_micros: Vec<u64>,
    /// What was said of those of which something was said, in thousandths.
    pub scores: Vec<u64>,
}

/// A difference to another arm, and how likely it is by chance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// How much more it is.
    pub by: f64,
    /// How likely that is, or more, by chance; `None` where there is too little to say.
    pub p: Option<f64>,
}

impl Figures {
    /// Counts an exchange. What the gateway refused before anybody was asked says nothing of an arm.
    pub fn add(&mut self, record: &Record, cost_micros: Option<u64>, score: Option<i64>) {
        let Some(last) = record.outcomes.last() else { return };
        self.requests += 1;
        self.errors += u64::from(has_failed(last));
        if let Some(first_event_ms) = last.first_event_ms {
            let before = record.outcomes.iter().rev().skip(1).map(|outcome| outcome.total_ms);
            self.latencies_ms.push(before.fold(first_event_ms, u64::saturating_add));
        }
        self.costs_micros.extend(cost_micros);
        self.scores.extend(score.and_then(|score| u64::try_from(score).ok()));
    }

    /// How many of a thousand failed.
    pub fn error_permille(&self) -> u64 {
        (self.errors * 1000).checked_div(self.requests).unwrap_or(0)
    }

    /// The time within which so many of a hundred answers began; `None` where none did.
    pub fn latency_ms(&self, percent: usize) -> Option<u64> {
        let mut sorted = self.latencies_ms.clone();
        sorted.sort_unstable();
        let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
        sorted.get(at).copied()
    }

    /// How many more of a thousand fail than of another arm's.
    pub fn errors_against(&self, other: &Figures) -> Option<Difference> {
        let share = |one: &Figures| (one.requests > 0).then(|| one.errors as f64 / one.requests as f64);
        let by = share(self)? - share(other)?;
        let requests = (self.requests + other.requests) as f64;
        let all = (self.errors + other.errors) as f64 / requests;
        let spread = (all * (1.0 - all) * (1.0 / self.requests as f64 + 1.0 / other.requests as f64)).sqrt();
        Some(Difference { by: by * 1000.0, p: chance(by, spread) })
    }
}

fn has_failed(outcome: &Outcome) -> bool {
    match outcome.ending {
        Ending::Answered | Ending::Abandoned => false,
        _ => !outcome.failure.is_some_and(|failure| failure.is_about_request()),
    }
}

/// How much more one list's mean is than another's.
pub fn means(one: &[u64], other: &[u64]) -> Option<Difference> {
    let (one, other) = (moments(one)?, moments(other)?);
    let by = one.0 - other.0;
    let p = one.1.zip(other.1).and_then(|(one, other)| chance(by, (one + other).sqrt()));
    Some(Difference { by, p })
}

/// The mean, rounded; `None` of nothing.
pub fn mean(list: &[u64]) -> Option<u64> {
    let sum: u128 = list.iter().map(|number| u128::from(*number)).sum();
    let count = u128::try_from(list.len()).ok().filter(|count| *count > 0)?;
    u64::try_from((sum + count / 2) / count).ok()
}

/// The mean, and its variance where there is more than one.
fn moments(list: &[u64]) -> Option<(f64, Option<f64>)> {
    let count = list.len() as f64;
    let mean = list.iter().map(|number| *number as f64).sum::<f64>() / count;
    let squares: f64 = list.iter().map(|number| (*number as f64 - mean).powi(2)).sum();
    (!list.is_empty()).then(|| (mean, (list.len() > 1).then(|| squares / (count - 1.0) / count)))
}

/// How likely a difference is by chance, or a greater one to either side, where its spread is that.
fn chance(by: f64, spread: f64) -> Option<f64> {
    match by == 0.0 {
        true => Some(1.0),
        false => (spread > 0.0).then(|| beyond(by.abs() / spread)),
    }
}

/// How much of the normal distribution is further than `z` from its middle (Abramowitz and Stegun, 7.1.26).
fn beyond(z: f64) -> f64 {
    let x = z / std::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let terms = [0.254_829_592, -0.284_496_736, 1.421_413_741, -1.453_152_027, 1.061_405_429];
    terms.iter().rev().fold(0.0, |sum, term| (sum + term) * t) * (-x * x).exp()
}

#[cfg(test)]
mod tests {
    use super::*;
    use dragoman_core::failure::Failure;

    #[test]
    fn the_tests_say_what_tables_say() {
        for (z, p) in [(0.0, 1.0), (1.0, 0.3173), (1.96, 0.05), (2.576, 0.01), (4.0, 0.000_063)] {
            assert!((beyond(z) - p).abs() < 0.000_1, "{z}: {}", beyond(z));
        }
        let figures = |requests, errors| Figures { requests, errors, ..Figures::default() };
        // z = 2.0966 by hand.
        let found = figures(200, 30).errors_against(&figures(200, 16)).unwrap();
        assert!((found.by - 70.0).abs() < 1e-9 && (found.p.unwrap() - 0.0287).abs() < 0.002, "{found:?}");
        assert_eq!(figures(10, 0).errors_against(&figures(10, 0)).unwrap().p, Some(1.0));
        assert_eq!(figures(10, 0).errors_against(&figures(0, 0)), None);
        // Welch's t = 3 / sqrt(2.5 / 5 + 2.5 / 5) = 3.
        let found = means(&[4, 5, 6, 7, 8], &[1, 2, 3, 4, 5]).unwrap();
        assert!((found.by - 3.0).abs() < 1e-9 && (found.p.unwrap() - 0.0027).abs() < 0.0001, "{found:?}");
        assert_eq!(means(&[4], &[1, 2]).unwrap().p, None, "one is too little");
        assert_eq!(means(&[], &[1]), None);
        assert_eq!((mean(&[1, 2]), mean(&[])), (Some(2), None));
    }

    #[test]
    fn an_arm_is_judged_by_what_providers_did() {
        let outcome = |ending, failure, first_event_ms| Outcome {
            ending,
            failure,
            first_event_ms,
            total_ms: 100,
            ..Outcome::default()
        };
        let of = |outcomes: Vec<Outcome>| Record { outcomes, ..Record::default() };
        let mut figures = Figures::default();
        figures.add(&of(vec![]), Some(9), None);
        figures.add(&of(vec![outcome(Ending::Answered, None, Some(5))]), Some(3), Some(700));
        let failed = outcome(Ending::Retriable, Some(Failure::Overloaded), None);
        figures.add(&of(vec![failed.clone(), outcome(Ending::Answered, None, Some(5))]), None, None);
        figures.add(&of(vec![failed]), Some(0), None);
        figures.add(&of(vec![outcome(Ending::Refused, Some(Failure::BadRequest), None)]), Some(0), None);
        figures.add(&of(vec![outcome(Ending::Abandoned, None, Some(50))]), None, None);
        assert_eq!((figures.requests, figures.errors, figures.error_permille()), (5, 1, 200));
        assert_eq!((figures.latency_ms(50), figures.latency_ms(95)), (Some(50), Some(105)), "attempts before count");
        assert_eq!((figures.costs_micros.len(), figures.scores.as_slice()), (3, [700].as_slice()));
        assert_eq!(Figures::default().latency_ms(95), None);
    }
}
