//! How much more may be asked than was asked for, so that trying again does not make an outage worse.

/// What one repeat takes of what a hundred exchanges bring at one percent.
const REPEAT: u64 = 100;

/// Most that is saved up: ten repeats, so that the first failures of a quiet hour are not told to clients.
const MOST: u64 = 10 * REPEAT;

/// The repeats that are free, in hundredths. Only asking the same target again is a repeat; asking the next one is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries {
    free: u64,
}

impl Default for Retries {
    fn default() -> Retries {
        Retries { free: MOST }
    }
}

impl Retries {
    /// An exchange was sent.
    pub fn earn(&mut self, percent: u64) {
        self.free = self.free.saturating_add(percent).min(MOST);
    }

    /// Whether one more is free.
    pub fn is_free(&self) -> bool {
        self.free >= REPEAT
    }

    /// One was made.
    pub fn spend(&mut self) {
        self.free = self.free.saturating_sub(REPEAT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_everything_fails_there_are_a_fifth_more_attempts_and_what_was_saved() {
        let mut retries = Retries::default();
        let mut repeats = 0;
        for _ in 0..10_000 {
            retries.earn(20);
            while retries.is_free() {
                retries.spend();
                repeats += 1;
            }
        }
        assert!((2000..=2000 + MOST / REPEAT).contains(&repeats), "{repeats}");
    }
}
