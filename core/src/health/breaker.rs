//! When somebody is no longer asked, and how it is asked again.
//!
//! ```text
//!             so many failures in a row,
//!             or too large a share of them           the time is over
//!   Closed ───────────────────────────────▶ Open ───────────────────▶ HalfOpen ─┐ one probe at a time,
//!     ▲                                       ▲                        │   ▲     │ and one a second
//!     │                                       └──── a probe failed ────┤   └─────┘ a probe succeeded
//!     └───────────────────── so many probes succeeded ─────────────────┘
//! ```
//!
//! A probe is a request like any other; when it fails, the next target of its Plan answers. Time is an argument, in milliseconds.

use super::Settings;

/// After so long a probe of which nothing was heard is no longer waited for: its client left, or its worker is gone.
const PROBE_LOST_MS: u64 = 60_000;

/// From one probe to the next, however short breakers are open: who is ill is not to be asked by every worker all the time.
const PROBE_PAUSE_MS: u64 = 1000;

/// Whether somebody may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// By everybody.
    Free,
    /// By one.
    Probe,
    /// By nobody before that moment; when its time is over, that of the next probe, or until which the one under way is waited for.
    Shut(u64),
}

/// Where a breaker is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// Failures in a row, and all of late.
    Closed { row: u32, window: Window },
    /// Until that moment.
    Open { until_ms: u64 },
    /// Until when it was open, probes that succeeded, and the last one.
    HalfOpen { until_ms: u64, successes: u32, probe: Probe },
}

/// A probe, with the moment when it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Probe {
    UnderWay(u64),
    Over(u64),
}

impl Probe {
    fn sent_ms(self) -> u64 {
        let (Probe::UnderWay(sent_ms) | Probe::Over(sent_ms)) = self;
        sent_ms
    }

    /// When the next one may be sent.
    fn next_ms(self) -> u64 {
        let pause_ms = if let Probe::UnderWay(_) = self { PROBE_LOST_MS } else { PROBE_PAUSE_MS };
        self.sent_ms().saturating_add(pause_ms)
    }
}

/// A circuit breaker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breaker {
    state: State,
}

impl Default for Breaker {
    fn default() -> Breaker {
        Breaker { state: State::Closed { row: 0, window: Window::default() } }
    }
}

impl Breaker {
    /// Whether it may be asked.
    pub fn passage(&self, now_ms: u64) -> Passage {
        match self.state {
            State::Closed { .. } => Passage::Free,
            State::Open { until_ms } if now_ms < until_ms => Passage::Shut(until_ms),
            State::Open { .. } => Passage::Probe,
            State::HalfOpen { probe, .. } if now_ms < probe.next_ms() => Passage::Shut(probe.next_ms()),
            State::HalfOpen { .. } => Passage::Probe,
        }
    }

    /// Whether it is closed.
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed { .. })
    }

    /// Until when it is open, or was before probes were made; `None` when it is closed.
    pub fn open_until_ms(&self) -> Option<u64> {
        match self.state {
            State::Closed { .. } => None,
            State::Open { until_ms } | State::HalfOpen { until_ms, .. } => Some(until_ms),
        }
    }

    /// It is asked.
    pub fn asked(&mut self, now_ms: u64) {
        match &mut self.state {
            State::Open { until_ms } if now_ms >= *until_ms => {
                self.state = State::HalfOpen { until_ms: *until_ms, successes: 0, probe: Probe::UnderWay(now_ms) };
            }
            State::HalfOpen { probe, .. } => *probe = Probe::UnderWay(now_ms),
            State::Closed { .. } | State::Open { .. } => {}
        }
    }

    /// It answered. Whether it closed by that.
    pub fn succeeded(&mut self, settings: &Settings, now_ms: u64) -> bool {
        match &mut self.state {
            State::Closed { row, window } => {
                *row = 0;
                window.count(0, settings.window_ms, now_ms);
            }
            State::HalfOpen { successes, probe, .. } => {
                *successes += 1;
                *probe = Probe::Over(probe.sent_ms());
                if *successes >= settings.successes {
                    *self = Breaker::default();
                    return true;
                }
            }
            // A late answer to what was asked before.
            State::Open { .. } => {}
        }
        false
    }

    /// It failed. Whether it opened by that.
    pub fn failed(&mut self, settings: &Settings, now_ms: u64) -> bool {
        let mut until_ms = now_ms.saturating_add(settings.open_ms);
        let opens = match &mut self.state {
            State::Closed { row, window } => {
                *row += 1;
                window.count(1, settings.window_ms, now_ms);
                *row >= settings.failures || window.is_bad(settings)
            }
            State::HalfOpen { probe, .. } => {
                until_ms = until_ms.max(Probe::Over(probe.sent_ms()).next_ms());
                true
            }
            State::Open { until_ms } => now_ms >= *until_ms,
        };
        if opens {
            self.open(until_ms);
        }
        opens
    }

    /// Nothing is to be learnt of what was asked.
    pub fn unheard(&mut self) {
        if let State::HalfOpen { probe, .. } = &mut self.state {
            *probe = Probe::Over(probe.sent_ms());
        }
    }

    /// Opens it until that moment.
    pub fn open(&mut self, until_ms: u64) {
        self.state = State::Open { until_ms };
    }
}

/// Attempts of late: of this half of the window and of the half before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Window {
    half: u64,
    now: Counts,
    before: Counts,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    all: u64,
    failed: u64,
}

impl Window {
    fn count(&mut self, failed: u64, window_ms: u64, now_ms: u64) {
        let half = now_ms / (window_ms / 2).max(1);
        if half != self.half {
            self.before = if half == self.half + 1 { self.now } else { Counts::default() };
            self.now = Counts::default();
            self.half = half;
        }
        self.now.all += 1;
        self.now.failed += failed;
    }

    fn is_bad(&self, settings: &Settings) -> bool {
        let all = self.now.all + self.before.all;
        let failed = self.now.failed + self.before.failed;
        all >= settings.least_attempts && failed.saturating_mul(100) >= all.saturating_mul(settings.error_percent)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SETTINGS: Settings = Settings::USUAL;

    fn opened(at_ms: u64) -> Breaker {
        let mut breaker = Breaker::default();
        (1..=SETTINGS.failures).for_each(|_| _ = breaker.failed(&SETTINGS, at_ms));
        breaker
    }

    #[test]
    fn five_failures_in_a_row_open_it_and_a_success_between_them_does_not() {
        assert_eq!(opened(100).passage(101), Passage::Shut(100 + SETTINGS.open_ms));
        let mut breaker = Breaker::default();
        for round in 0..SETTINGS.least_attempts {
            for _ in 1..SETTINGS.failures {
                breaker.failed(&Settings { error_percent: 101, ..SETTINGS }, round);
            }
            breaker.succeeded(&SETTINGS, round);
        }
        assert_eq!(breaker.passage(0), Passage::Free);
    }

    #[test]
    fn a_share_of_failures_opens_it_once_there_were_enough_attempts_of_late() {
        let mut breaker = Breaker::default();
        let mut opened = None;
        for attempt in 0..100 {
            if attempt % 2 == 0 {
                breaker.succeeded(&SETTINGS, attempt);
            } else if breaker.failed(&SETTINGS, attempt) {
                opened = Some(attempt);
                break;
            }
        }
        assert_eq!(opened, Some(SETTINGS.least_attempts - 1));
        let mut breaker = Breaker::default();
        for attempt in 0..100 {
            let now = attempt * SETTINGS.window_ms / 4;
            assert!(attempt % 2 == 0 || !breaker.failed(&SETTINGS, now), "long ago is not of late");
            breaker.succeeded(&SETTINGS, now);
        }
    }

    #[test]
    fn after_its_time_one_is_let_through_and_two_that_succeed_close_it() {
        let (mut breaker, due) = (opened(0), SETTINGS.open_ms);
        assert_eq!(breaker.passage(due - 1), Passage::Shut(due));
        for number in 0..u64::from(SETTINGS.successes) {
            let now = due + number * PROBE_PAUSE_MS;
            assert_eq!(breaker.passage(now), Passage::Probe);
            breaker.asked(now);
            assert!(matches!(breaker.passage(now + PROBE_PAUSE_MS), Passage::Shut(_)), "one at a time");
            breaker.succeeded(&SETTINGS, now + 5);
            assert!(breaker.is_closed() || breaker.passage(now + 5) == Passage::Shut(now + PROBE_PAUSE_MS));
        }
        assert!(breaker.is_closed());
    }

    #[test]
    fn a_probe_that_fails_opens_it_again_and_one_that_is_lost_is_not_waited_for() {
        let (mut breaker, due) = (opened(0), SETTINGS.open_ms);
        breaker.asked(due);
        assert!(breaker.failed(&SETTINGS, due + 5));
        let again = due + 5 + SETTINGS.open_ms;
        assert_eq!(breaker.passage(due + 5), Passage::Shut(again));
        breaker.asked(again);
        breaker.unheard();
        let again = again + PROBE_PAUSE_MS;
        assert_eq!(breaker.passage(again), Passage::Probe);
        breaker.asked(again);
        assert_eq!(breaker.passage(again + PROBE_LOST_MS), Passage::Probe);
    }

    #[test]
    fn what_was_asked_before_it_opened_changes_nothing() {
        let mut breaker = opened(0);
        breaker.succeeded(&SETTINGS, 1);
        assert!(!breaker.failed(&SETTINGS, 2));
        assert_eq!(breaker.passage(3), Passage::Shut(SETTINGS.open_ms));
    }

    #[test]
    fn one_that_is_open_for_a_moment_only_is_probed_once_a_second() {
        let settings = Settings { open_ms: 10, ..SETTINGS };
        let mut breaker = Breaker::default();
        (1..=settings.failures).for_each(|_| _ = breaker.failed(&settings, 0));
        let mut probes = 0;
        for now in 0..10_000 {
            if breaker.passage(now) == Passage::Probe {
                probes += 1;
                breaker.asked(now);
                breaker.failed(&settings, now + 1);
            }
        }
        assert_eq!(probes, 10);
    }

    proptest! {
        /// Whatever happens: whoever is let through as a probe is alone in its second, and nobody is let through before the time.
        #[test]
        fn nobody_passes_who_should_not(steps in prop::collection::vec((0_u8..4, 0_u64..20_000), 0..200)) {
            let (mut breaker, mut now) = (Breaker::default(), 0);
            let (mut opened_ms, mut probed_ms) = (None, None);
            for (what, later) in steps {
                now += later;
                match what {
                    0 => _ = breaker.succeeded(&SETTINGS, now),
                    1 => if breaker.failed(&SETTINGS, now) { opened_ms = Some(now) },
                    2 => breaker.unheard(),
                    _ => if breaker.passage(now) == Passage::Probe {
                        prop_assert!(opened_ms.is_some_and(|opened| now >= opened + SETTINGS.open_ms));
                        prop_assert!(probed_ms.is_none_or(|probed| now >= probed + PROBE_PAUSE_MS));
                        probed_ms = Some(now);
                        breaker.asked(now);
                        prop_assert!(matches!(breaker.passage(now), Passage::Shut(_)));
                    },
                }
            }
        }
    }
}
