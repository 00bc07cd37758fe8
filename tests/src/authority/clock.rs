//! Time that a test can push forward or stop.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::lock;

/// How long the server has been there, as it believes.
#[derive(Debug)]
pub struct Clock(Mutex<Time>);

#[derive(Clone, Copy, Debug)]
enum Time {
    /// Runs with the world's, so much ahead of it.
    Runs(Instant, Duration),
    /// Moves by `advance` only.
    Stands(Duration),
}

impl Default for Clock {
    fn default() -> Self {
        Self(Mutex::new(Time::Runs(Instant::now(), Duration::ZERO)))
    }
}

impl Clock {
    /// Since the start.
    pub fn now(&self) -> Duration {
        lock(&self.0).now()
    }

    /// So much later.
    pub fn advance(&self, by: Duration) {
        match &mut *lock(&self.0) {
            Time::Runs(_, ahead) => *ahead += by,
            Time::Stands(now) => *now += by,
        }
    }

    /// From now on it moves by [`Clock::advance`] only.
    pub fn stop(&self) {
        let mut time = lock(&self.0);
        *time = Time::Stands(time.now());
    }
}

impl Time {
    fn now(self) -> Duration {
        match self {
            Time::Runs(since, ahead) => since.elapsed() + ahead,
            Time::Stands(now) => now,
        }
    }
}
