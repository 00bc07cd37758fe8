//! Who went on with which conversation a moment ago: its provider may still remember how the prompt begins, and takes less for that.

use std::collections::HashMap;

/// For how long a provider is thought to remember, in milliseconds: the shortest time that providers name.
const REMEMBERED_MS: u64 = 5 * 60_000;

/// Most conversations of which a worker knows; the half that was not met lately goes first.
const MOST: usize = 8_192;

/// Conversations, and who answered last and when.
#[derive(Debug, Default)]
pub struct Warm {
    known: HashMap<u64, (u64, u64)>,
    older: HashMap<u64, (u64, u64)>,
}

impl Warm {
    /// A target (by the hash of its id) was sent a turn of that conversation.
    pub fn met(&mut self, conversation: u64, target: u64, now_ms: u64) {
        if self.known.len() >= MOST / 2 {
            self.older = core::mem::take(&mut self.known);
        }
        self.known.insert(conversation, (target, now_ms));
    }

    /// Whether it is thought to remember that conversation.
    pub fn is_warm(&self, conversation: u64, target: u64, now_ms: u64) -> bool {
        let met = self.known.get(&conversation).or_else(|| self.older.get(&conversation));
        met.is_some_and(|(who, at_ms)| *who == target && now_ms.saturating_sub(*at_ms) < REMEMBERED_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_one_who_was_met_is_warm_for_a_while() {
        let mut warm = Warm::default();
        warm.met(1, 7, 0);
        assert!(warm.is_warm(1, 7, REMEMBERED_MS - 1) && !warm.is_warm(1, 7, REMEMBERED_MS));
        assert!(!warm.is_warm(1, 8, 1) && !warm.is_warm(2, 7, 1));
        warm.met(1, 8, 1);
        assert!(!warm.is_warm(1, 7, 2) && warm.is_warm(1, 8, 2));
    }

    #[test]
    fn it_stays_small_and_knows_whom_it_met_lately() {
        let mut warm = Warm::default();
        for conversation in 0..3 * MOST as u64 {
            warm.met(conversation, 7, 0);
        }
        assert!(warm.known.len() + warm.older.len() <= MOST);
        assert!(warm.is_warm(3 * MOST as u64 - 1, 7, 1) && !warm.is_warm(0, 7, 1));
    }
}
