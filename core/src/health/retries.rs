//! How much more may be asked than was asked for, so that trying again does not make an outage worse.

/// What one repeat takes of what a hundred exchanges bring at one percent.
const REPEAT: i64 = 100;

/// Most that is saved up: ten repeats, so that the first failures of a quiet hour are not told to clients.
const MOST: i64 = 10 * REPEAT;

/// The repeats that are free, in hundredths. Only asking the same target again is a repeat; asking the next one is not.
///
/// Attempts decide when they begin whether a repeat may follow, so many that are under way may decide so for the same one: then there
/// are less than none, until as many were earned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries {
    free: i64,
}

impl Default for Retries {
    fn default() -> Retries {
        Retries { free: MOST }
    }
}

impl Retries {
    /// An exchange was sent.
    pub fn earn(&mut self, percent: u64) {
        self.free = self.free.saturating_add(i64::try_from(percent).unwrap_or(MOST)).min(MOST);
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
        assert!((2000..=2010).contains(&repeats), "{repeats}");
    }

    #[test]
    fn what_many_were_promised_at_once_is_earned_before_there_is_more() {
        const AT_ONCE: usize = 50;
        let mut retries = Retries::default();
        let mut repeats = 0;
        for _ in 0..10_000 / AT_ONCE {
            // Each decides when its attempt begins, and repeats when it has failed.
            let promised: Vec<bool> = (0..AT_ONCE).map(|_| (retries.earn(20), retries.is_free()).1).collect();
            for _ in promised.into_iter().filter(|promised| *promised) {
                retries.spend();
                repeats += 1;
            }
        }
        assert!((1900..=2060).contains(&repeats), "{repeats}");
    }
}
