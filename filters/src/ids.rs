//! Names for exchanges, and the little chance that the filters need.
//!
//! ```
//! use dragoman_filters::ids::Ids;
//!
//! let mut ids = Ids::new(7);
//! assert_eq!(ids.next(1_790_000_000_000), "01a0c450-6c00-7000-8000-000000000007");
//! ```
//!
//! Why so: the ids are UUIDs of version 7, so that a store keeps them in the order of time. Within a VM a counter tells them
//! apart, between VMs a number drawn once.
//!
//! Limits: 2^26 ids per millisecond and VM; nobody may take an id for a secret.

/// Makes ids.
#[derive(Debug, Default)]
pub struct Ids {
    /// Tells this VM from every other.
    seed: u64,
    made: u64,
    noise: u64,
}

impl Ids {
    /// Ids of a VM that drew `seed`; its lowest 48 bits count.
    pub fn new(seed: u64) -> Ids {
        Ids { seed: seed & 0xffff_ffff_ffff, made: 0, noise: seed | 1 }
    }

    /// What the VM calls itself.
    pub fn vm(&self) -> String {
        format!("{:012x}", self.seed)
    }

    /// The next id.
    pub fn next(&mut self, now_ms: u64) -> String {
        let made = self.made;
        self.made = made.wrapping_add(1);
        let time = now_ms & 0xffff_ffff_ffff;
        let (low, high) = (made & 0xfff, (made >> 12) & 0x3fff);
        format!("{:08x}-{:04x}-7{low:03x}-{:04x}-{:012x}", time >> 16, time & 0xffff, 0x8000 | high, self.seed)
    }

    /// A number below `bound` (0 for 0), to keep VMs from doing the same at the same time (xorshift).
    pub fn below(&mut self, bound: u64) -> u64 {
        self.noise ^= self.noise << 13;
        self.noise ^= self.noise >> 7;
        self.noise ^= self.noise << 17;
        self.noise.checked_rem(bound).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ids_of_two_vms_in_one_millisecond_are_all_different() {
        let (mut one, mut two) = (Ids::new(u64::MAX), Ids::new(u64::MAX >> 20));
        let mut seen = HashSet::new();
        for _ in 0..10_000 {
            for id in [one.next(5), two.next(5)] {
                assert_eq!(id.len(), 36);
                assert!(id.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit()));
                assert!(seen.insert(id));
            }
        }
    }

    #[test]
    fn later_ids_sort_behind_earlier_ones() {
        let mut ids = Ids::new(1);
        let made: Vec<String> = [1, 1, 0xffff, 0x10000, 1_790_000_000_000].map(|now| ids.next(now)).into();
        assert!(made.is_sorted());
    }

    #[test]
    fn chance_stays_below_its_bound_and_is_not_always_the_same() {
        let mut ids = Ids::new(0);
        let drawn: HashSet<u64> = (0..100).map(|_| ids.below(10)).collect();
        assert!(drawn.len() > 5 && drawn.iter().all(|number| *number < 10));
        assert_eq!(ids.below(0), 0);
    }
}
