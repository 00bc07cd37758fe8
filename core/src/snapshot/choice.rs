//! How the model is chosen for each request of a route: whom each bucket is for, and what quality is worth there. The words of
//! the route's row, which [`crate::select::choose`] puts to work.

use crate::artifact::Bucket;

/// Several buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Buckets(u8);

impl Buckets {
    /// None of them.
    pub const NONE: Buckets = Buckets(0);

    /// These and that one.
    pub fn with(self, bucket: Bucket) -> Buckets {
        Buckets(self.0 | 1 << bucket as u8)
    }

    /// These and those.
    pub fn and(self, other: Buckets) -> Buckets {
        Buckets(self.0 | other.0)
    }

    /// Whether that one is among them.
    pub fn has(self, bucket: Bucket) -> bool {
        self.0 & (1 << bucket as u8) != 0
    }

    /// How far a request of that bucket is from them: 0 for one of them; then whoever is for harder ones, the nearest first,
    /// and at last whoever is for easier ones.
    pub fn distance(self, bucket: Bucket) -> u8 {
        let at = bucket as u8;
        let above = (at..3).find(|one| self.0 & (1 << one) != 0).map(|one| one - at);
        let below = || (0..at).rev().find(|one| self.0 & (1 << one) != 0).map(|one| 2 + at - one);
        above.or_else(below).unwrap_or(u8::MAX)
    }

    /// As digits: one for each bucket.
    pub fn bits(self) -> u64 {
        u64::from(self.0)
    }

    /// The ones of those digits.
    pub fn of_bits(bits: u64) -> Option<Buckets> {
        u8::try_from(bits).ok().filter(|bits| *bits < 8).map(Buckets)
    }
}

/// How much a request of a bucket is thought about where it does not say so itself.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Thought {
    /// For models that are told in words; empty for nothing.
    pub word: String,
    /// For models that are told in tokens; 0 for nothing.
    pub tokens: u64,
    /// The same for long requests: more than so many tokens to read, and then so many of thought.
    pub long: Option<(u64, u64)>,
}

impl Thought {
    /// The tokens of thought for a request with so much to read.
    pub fn tokens(&self, input: u64) -> u64 {
        self.long.filter(|(above, _)| input > *above).map_or(self.tokens, |(_, tokens)| tokens)
    }

    /// Whether nothing is said.
    pub fn is_nothing(&self) -> bool {
        self.word.is_empty() && self.tokens == 0
    }
}

/// How the model is chosen for each request of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Which buckets each of the route's pool is for, in their order.
    pub suits: Vec<Buckets>,
    /// How much quality counts against cost, in thousandths.
    pub alpha: u16,
    /// Within which bounds a request may say that itself, in thousandths.
    pub alphas: (u16, u16),
    /// What a second until the first event is worth, in micro-dollars.
    pub second: u64,
    /// How much requests of each bucket are thought about.
    pub thought: [Thought; 3],
    /// Whether Records have the numbers of requests: they are drawn from prompts, and nobody can read those out of them, but whoever
    /// knows a prompt can recognise it.
    pub keep_features: bool,
}

impl Choice {
    /// Quality counts so much where nobody says: what a public trial of such scores found best ([`crate::select::choose`]).
    pub const ALPHA: u16 = 700;

    /// Which buckets the candidate at that place of the route is for.
    pub fn suits(&self, place: usize) -> Buckets {
        self.suits.get(place).copied().unwrap_or_default()
    }

    /// How much a request of that bucket is thought about.
    pub fn thought(&self, bucket: Bucket) -> Option<&Thought> {
        self.thought.get(bucket as usize).filter(|thought| !thought.is_nothing())
    }

    /// What is thought where nobody says: nothing about what is cheap; some about the middle; much about what is hard, more of
    /// it where there is much to read.
    pub fn usual_thought() -> [Thought; 3] {
        let thought =
            |word: &str, tokens, above, more| Thought { word: word.into(), tokens, long: Some((above, more)) };
        [Thought::default(), thought("medium", 6_000, 50_000, 8_000), thought("high", 20_000, 200_000, 32_000)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_for_harder_ones_is_nearer_than_who_is_for_easier_ones() {
        let (cheap, mid, hard) = (Bucket::Cheap, Bucket::Mid, Bucket::Hard);
        let of = |bucket| Buckets::NONE.with(bucket);
        assert_eq!([of(cheap), of(mid), of(hard)].map(|one| one.distance(mid)), [3, 0, 1]);
        assert_eq!([of(cheap), of(mid), of(hard)].map(|one| one.distance(cheap)), [0, 1, 2]);
        assert_eq!([of(cheap), of(mid), of(hard)].map(|one| one.distance(hard)), [4, 3, 0]);
        assert_eq!(of(cheap).with(hard).distance(mid), 1);
        assert_eq!(Buckets::NONE.distance(mid), u8::MAX);
    }

    #[test]
    fn more_to_read_is_thought_about_longer() {
        let [cheap, mid, hard] = Choice::usual_thought();
        assert!(cheap.is_nothing());
        assert_eq!((mid.tokens(50_000), mid.tokens(50_001)), (6_000, 8_000));
        assert_eq!((hard.tokens(200_000), hard.tokens(200_001)), (20_000, 32_000));
    }
}
