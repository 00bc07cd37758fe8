//! What an answer costs: whole numbers from the row to the sum.
//!
//! Rates are micro-dollars per million tokens, which is pico-dollars per token, so that a count times a rate is exact. A sum
//! is kept in pico-dollars and rounded up, once, when somebody asks for micro-dollars: whoever bills loses nothing, and a
//! price is never less than it is.
//!
//! ```
//! use dragoman_core::price::{Price, Rates};
//! use dragoman_core::usage::Usage;
//! let price = Price::of(Rates { input: 3_000_000, output: 15_000_000, ..Rates::default() });
//! let usage = Usage { input: Some(1_000), output: Some(1), ..Usage::default() };
//! assert_eq!(price.cost(&usage).micro_dollars(), 3_015);
//! ```

use crate::usage::Usage;

/// Highest rate of a row, in micro-dollars: a million dollars. With [`crate::usage::MAX_TOKENS`] every sum fits in 128 bits.
pub const MAX_RATE: u64 = 1_000_000_000_000;

/// Pico-dollars in a micro-dollar.
const PICO: u128 = 1_000_000;

/// Micro-dollars per million tokens, and per piece where that is said. A rate that nobody named is that of the next larger
/// thing it is part of, so that nothing is ever free by omission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Rates {
    /// Input that is nothing below.
    pub input: u64,
    /// Output that is nothing below.
    pub output: u64,
    /// Input read from a cache; [`Rates::input`] when unknown.
    pub cache_read: Option<u64>,
    /// Input written to a cache for minutes; [`Rates::input`] when unknown: who takes more for it says so.
    pub cache_write: Option<u64>,
    /// Input written to a cache for an hour; as for minutes when unknown.
    pub cache_write_1h: Option<u64>,
    /// Reasoning; [`Rates::output`] when unknown.
    pub reasoning: Option<u64>,
    /// Sound heard; [`Rates::input`] when unknown.
    pub audio_input: Option<u64>,
    /// Sound made; [`Rates::output`] when unknown.
    pub audio_output: Option<u64>,
    /// Micro-dollars for each picture made; nothing when unknown, for its tokens are counted.
    pub image: Option<u64>,
    /// Micro-dollars for each answered request, whatever was in it; nothing when unknown.
    pub request: Option<u64>,
}

impl Rates {
    /// One number to compare models by: three parts input to one part output, as conversations have it.
    pub fn blended(&self) -> u64 {
        self.input.saturating_mul(3).saturating_add(self.output) / 4
    }
}

/// Other rates for a request with more input than `above`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tier {
    /// Tokens of input, cached ones included; with one more the tier holds, for the whole request.
    pub above: u64,
    /// What is taken then.
    pub rates: Rates,
}

/// What one target takes, and when that holds.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Price {
    /// What is taken up to the first tier.
    pub rates: Rates,
    /// Other rates for long requests, in ascending order.
    pub tiers: Vec<Tier>,
    /// First moment at which it holds, in milliseconds since 1970; always when unknown.
    pub from_ms: Option<u64>,
    /// First moment at which it holds no more.
    pub until_ms: Option<u64>,
}

/// Counts that a [`Usage`] does not have; of its input and output, not beside them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Pieces {
    /// Of what was written to a cache: for an hour.
    pub cache_write_1h: u64,
    /// Of the input that did not come from a cache: sound.
    pub audio_input: u64,
    /// Of the output that is no reasoning: sound.
    pub audio_output: u64,
    /// Pictures made.
    pub images: u64,
}

impl Price {
    /// One that holds always and has no tiers.
    pub fn of(rates: Rates) -> Price {
        Price { rates, ..Price::default() }
    }

    /// Whether it holds at that moment.
    pub fn holds(&self, at_ms: u64) -> bool {
        self.from_ms.is_none_or(|from| from <= at_ms) && self.until_ms.is_none_or(|until| at_ms < until)
    }

    /// Whether there is a moment at which both hold.
    pub fn overlaps(&self, other: &Price) -> bool {
        let begins_before_end =
            |from: Option<u64>, until: Option<u64>| until.is_none_or(|until| from.unwrap_or(0) < until);
        begins_before_end(self.from_ms, other.until_ms) && begins_before_end(other.from_ms, self.until_ms)
    }

    /// The rates for a request with so much input, cached tokens included.
    pub fn rates(&self, input: u64) -> &Rates {
        let tier = self.tiers.iter().filter(|tier| input > tier.above).max_by_key(|tier| tier.above);
        tier.map_or(&self.rates, |tier| &tier.rates)
    }

    /// The most that an answer can cost: nothing of the input comes from a cache, all of it goes into one, all of the output is
    /// of the dearest kind.
    pub fn worst(&self, input: u64, output: u64) -> Cost {
        let rates = self.rates(input);
        let dearest = |rates: [Option<u64>; 4]| rates.into_iter().flatten().max().unwrap_or(0);
        let read = dearest([Some(rates.input), rates.cache_write, rates.cache_write_1h, rates.audio_input]);
        let written = dearest([Some(rates.output), rates.reasoning, rates.audio_output, None]);
        Cost::of(input, read).and(Cost::of(output, written)).and(Cost::micro(rates.request.unwrap_or(0)))
    }

    /// What an answer of that usage costs.
    pub fn cost(&self, usage: &Usage) -> Cost {
        self.cost_with(usage, Pieces::default())
    }

    /// What an answer of that usage costs when some of it is known better. A part that is reported larger than its whole
    /// counts as it is, and nothing is left of the whole: no count makes another one negative.
    pub fn cost_with(&self, usage: &Usage, pieces: Pieces) -> Cost {
        let count = |tokens: Option<u64>| tokens.unwrap_or(0);
        let (read, written) = (count(usage.cache_read), count(usage.cache_write));
        let cached = read.saturating_add(written);
        let rates = self.rates(count(usage.input).max(cached));
        let fresh = count(usage.input).saturating_sub(cached);
        let said = count(usage.output).saturating_sub(count(usage.reasoning));
        let for_minutes = rates.cache_write.unwrap_or(rates.input);
        [
            (fresh.saturating_sub(pieces.audio_input), rates.input),
            (pieces.audio_input, rates.audio_input.unwrap_or(rates.input)),
            (read, rates.cache_read.unwrap_or(rates.input)),
            (written.saturating_sub(pieces.cache_write_1h), for_minutes),
            (pieces.cache_write_1h, rates.cache_write_1h.unwrap_or(for_minutes)),
            (said.saturating_sub(pieces.audio_output), rates.output),
            (pieces.audio_output, rates.audio_output.unwrap_or(rates.output)),
            (count(usage.reasoning), rates.reasoning.unwrap_or(rates.output)),
        ]
        .into_iter()
        .map(|(tokens, rate)| Cost::of(tokens, rate))
        .chain([Cost::micro(rates.request.unwrap_or(0)), Cost::micro(rates.image.unwrap_or(0)).times(pieces.images)])
        .fold(Cost::default(), Cost::and)
    }
}

/// Money, exact; never negative, and at its end it stays there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Cost {
    pico_dollars: u128,
}

impl Cost {
    /// So many tokens at so many micro-dollars per million.
    pub fn of(tokens: u64, rate: u64) -> Cost {
        Cost { pico_dollars: u128::from(tokens).saturating_mul(u128::from(rate)) }
    }

    /// So many micro-dollars.
    pub fn micro(micro_dollars: u64) -> Cost {
        Cost { pico_dollars: u128::from(micro_dollars).saturating_mul(PICO) }
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: Cost) -> Cost {
        Cost { pico_dollars: self.pico_dollars.saturating_add(other.pico_dollars) }
    }

    /// So many times.
    #[must_use]
    pub fn times(self, count: u64) -> Cost {
        Cost { pico_dollars: self.pico_dollars.saturating_mul(u128::from(count)) }
    }

    /// So many pico-dollars.
    pub fn pico(pico_dollars: u128) -> Cost {
        Cost { pico_dollars }
    }

    /// In pico-dollars, exactly.
    pub fn pico_dollars(self) -> u128 {
        self.pico_dollars
    }

    /// In whole micro-dollars, rounded up.
    pub fn micro_dollars(self) -> u64 {
        u64::try_from(self.pico_dollars.div_ceil(PICO)).unwrap_or(u64::MAX)
    }
}

/// Every price that one target ever had.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Prices(Vec<Price>);

impl Prices {
    /// Adds one.
    pub fn add(&mut self, price: Price) {
        self.0.push(price);
    }

    /// The one that holds at that moment; of several the one that began last.
    pub fn at(&self, at_ms: u64) -> Option<&Price> {
        self.0.iter().filter(|price| price.holds(at_ms)).max_by_key(|price| price.from_ms)
    }

    /// All of them, as they were added.
    pub fn all(&self) -> &[Price] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage::MAX_TOKENS;
    use proptest::prelude::*;

    const SONNET: Rates = Rates {
        input: 3_000_000,
        output: 15_000_000,
        cache_read: Some(300_000),
        cache_write: Some(3_750_000),
        cache_write_1h: Some(6_000_000),
        reasoning: None,
        audio_input: None,
        audio_output: None,
        image: None,
        request: None,
    };

    fn usage(input: u64, read: u64, write: u64, output: u64, reasoning: u64) -> Usage {
        let some = |count| (count > 0).then_some(count);
        Usage {
            input: some(input),
            cache_read: some(read),
            cache_write: some(write),
            output: some(output),
            reasoning: some(reasoning),
        }
    }

    fn micro(rates: Rates, usage: Usage) -> u64 {
        Price::of(rates).cost(&usage).micro_dollars()
    }

    #[test]
    fn input_includes_what_was_cached_and_output_what_was_thought() {
        let reasoned = Rates { reasoning: Some(20_000_000), ..SONNET };
        for (rates, usage, expected) in [
            (SONNET, usage(0, 0, 0, 0, 0), 0),
            (SONNET, usage(1_000_000, 0, 0, 0, 0), 3_000_000),
            (SONNET, usage(1_000_000, 600_000, 0, 0, 0), 1_200_000 + 180_000),
            (SONNET, usage(1_000_000, 600_000, 400_000, 0, 0), 180_000 + 1_500_000),
            (SONNET, usage(0, 0, 0, 1_000, 900), 15_000),
            (reasoned, usage(0, 0, 0, 1_000, 900), 1_500 + 18_000),
            (Rates { request: Some(5_000), ..SONNET }, usage(1, 0, 0, 0, 0), 5_003),
        ] {
            assert_eq!(micro(rates, usage), expected, "{usage:?}");
        }
    }

    #[test]
    fn a_rate_that_nobody_named_is_that_of_the_larger_thing() {
        let plain = Rates { input: 2_000_000, output: 8_000_000, ..Rates::default() };
        assert_eq!(micro(plain, usage(100, 50, 50, 0, 0)), 200);
        assert_eq!(micro(plain, usage(0, 0, 0, 100, 100)), 800);
        let pieces = Pieces { cache_write_1h: 10, audio_input: 10, audio_output: 10, images: 3 };
        let cost = Price::of(plain).cost_with(&usage(100, 0, 20, 100, 0), pieces);
        assert_eq!(cost.micro_dollars(), 200 + 800, "nothing is dearer, nothing is lost");
    }

    #[test]
    fn what_is_known_better_is_taken_out_of_the_whole() {
        let rates =
            Rates { audio_input: Some(10_000_000), audio_output: Some(20_000_000), image: Some(40_000), ..SONNET };
        let pieces = Pieces { cache_write_1h: 20, audio_input: 10, audio_output: 5, images: 2 };
        let cost = Price::of(rates).cost_with(&usage(100, 0, 30, 10, 0), pieces);
        assert_eq!(
            cost.pico_dollars(),
            (60 * 3 + 10 * 10) * PICO + 10 * 3_750_000 + (20 * 6 + 5 * 15 + 5 * 20 + 80_000) * PICO
        );
    }

    #[test]
    fn the_smallest_part_of_a_micro_dollar_is_one() {
        let cheap = Rates { input: 75_000, ..Rates::default() };
        assert_eq!(micro(cheap, usage(1, 0, 0, 0, 0)), 1);
        assert_eq!(micro(cheap, usage(40, 0, 0, 0, 0)), 3, "an exact sum is not rounded");
        assert_eq!(micro(cheap, usage(41, 0, 0, 0, 0)), 4);
    }

    #[test]
    fn a_tier_holds_for_the_whole_request_from_one_token_more() {
        let long = Rates { input: 6_000_000, output: 22_500_000, ..Rates::default() };
        let tiers = vec![Tier { above: 200_000, rates: long }];
        let price = Price { tiers, ..Price::of(SONNET) };
        assert_eq!(price.cost(&usage(200_000, 0, 0, 0, 0)).micro_dollars(), 600_000);
        assert_eq!(price.cost(&usage(200_001, 0, 0, 0, 0)).micro_dollars(), 1_200_006);
        assert_eq!(
            price.cost(&usage(200_001, 200_001, 0, 1, 0)).micro_dollars(),
            1_200_006 + 23,
            "cached input counts"
        );
    }

    #[test]
    fn a_price_holds_from_its_first_moment_until_before_its_last() {
        let price = |from_ms, until_ms, input| {
            let rates = Rates { input, ..Rates::default() };
            Price { from_ms, until_ms, ..Price::of(rates) }
        };
        let mut prices = Prices::default();
        prices.add(price(None, Some(10), 1));
        prices.add(price(Some(10), Some(20), 2));
        prices.add(price(Some(15), None, 3));
        let at = |ms| prices.at(ms).map(|price| price.rates.input);
        assert_eq!([at(0), at(9), at(10), at(15), at(20)], [Some(1), Some(1), Some(2), Some(3), Some(3)]);
        let [first, second, third] = prices.all() else { panic!() };
        assert!(!first.overlaps(second) && !second.overlaps(first));
        assert!(second.overlaps(third) && third.overlaps(second) && !first.overlaps(third));
    }

    #[test]
    fn the_largest_counts_at_the_highest_rates_end_at_the_end() {
        let all = Some(MAX_RATE);
        let rates = Rates {
            input: MAX_RATE,
            output: MAX_RATE,
            cache_read: all,
            cache_write: all,
            cache_write_1h: all,
            reasoning: all,
            audio_input: all,
            audio_output: all,
            image: all,
            request: all,
        };
        let most = usage(MAX_TOKENS, MAX_TOKENS, MAX_TOKENS, MAX_TOKENS, MAX_TOKENS);
        assert_eq!(micro(rates, most), 3 * MAX_TOKENS * (MAX_RATE / 1_000_000) + MAX_RATE);
        assert_eq!(Cost::of(u64::MAX, u64::MAX).times(u64::MAX).micro_dollars(), u64::MAX);
    }

    prop_compose! {
        fn rates()(all in proptest::array::uniform2(0..=MAX_RATE), some in proptest::array::uniform8(proptest::option::of(0..=MAX_RATE))) -> Rates {
            let [input, output] = all;
            let [cache_read, cache_write, cache_write_1h, reasoning, audio_input, audio_output, image, request] = some;
            Rates { input, output, cache_read, cache_write, cache_write_1h, reasoning, audio_input, audio_output, image, request }
        }
    }

    prop_compose! {
        fn usages()(counts in proptest::array::uniform5(proptest::option::of(0..=MAX_TOKENS))) -> Usage {
            let [input, cache_read, cache_write, output, reasoning] = counts;
            Usage { input, cache_read, cache_write, output, reasoning }
        }
    }

    proptest! {
        #[test]
        fn rounding_up_adds_less_than_a_micro_dollar(rates in rates(), usage in usages()) {
            let cost = Price::of(rates).cost(&usage);
            let rounded = u128::from(cost.micro_dollars()) * PICO;
            prop_assert!(rounded >= cost.pico_dollars() && rounded - cost.pico_dollars() < PICO);
        }

        #[test]
        fn more_tokens_never_cost_less(rates in rates(), usage in usages(), more in 0..=MAX_TOKENS) {
            let price = Price::of(rates);
            let input = Usage { input: Some(usage.input.unwrap_or(0) + more), ..usage };
            let output = Usage { output: Some(usage.output.unwrap_or(0) + more), ..usage };
            prop_assert!(price.cost(&input) >= price.cost(&usage) && price.cost(&output) >= price.cost(&usage));
        }

        #[test]
        fn where_all_rates_are_equal_the_parts_do_not_matter(rate in 0..=MAX_RATE, total in 0..=MAX_TOKENS, share in 0u64..=100) {
            let rates = Rates { input: rate, output: rate, ..Rates::default() };
            let part = total / 100 * share;
            let parted = Usage { cache_read: Some(part / 2), cache_write: Some(part - part / 2), reasoning: Some(part),
                ..usage(total, 0, 0, total, 0) };
            prop_assert_eq!(Price::of(rates).cost(&parted), Price::of(rates).cost(&usage(total, 0, 0, total, 0)));
        }

        #[test]
        fn at_most_one_of_prices_that_do_not_overlap_holds(days in proptest::collection::vec((0u64..50, 1u64..20), 1..6), at in 0u64..80) {
            let prices: Vec<Price> = days.iter()
                .map(|(from, length)| Price { from_ms: Some(*from), until_ms: Some(from + length), ..Price::default() })
                .collect();
            let disjoint = prices.iter().enumerate().all(|(i, one)| prices.iter().skip(i + 1).all(|other| !one.overlaps(other)));
            let holding = prices.iter().filter(|price| price.holds(at)).count();
            prop_assert!(!disjoint || holding <= 1);
        }
    }
}
