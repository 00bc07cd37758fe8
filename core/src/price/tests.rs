use super::*;
use crate::usage::{MAX_IMAGES, MAX_TOKENS};
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
        ..Usage::default()
    }
}

/// The same with so many tokens for an hour, of sound heard, of sound made, and so many pictures.
fn parted(usage: Usage, [cache_write_1h, audio_input, audio_output, images]: [u64; 4]) -> Usage {
    let [cache_write_1h, audio_input] = [Some(cache_write_1h), Some(audio_input)];
    Usage { cache_write_1h, audio_input, audio_output: Some(audio_output), images: Some(images), ..usage }
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
    let parts = parted(usage(100, 0, 20, 100, 0), [10, 10, 10, 3]);
    assert_eq!(micro(plain, parts), 200 + 800, "nothing is dearer, nothing is lost");
}

#[test]
fn what_is_known_better_is_taken_out_of_the_whole() {
    let rates = Rates { audio_input: Some(10_000_000), audio_output: Some(20_000_000), image: Some(40_000), ..SONNET };
    let cost = Price::of(rates).cost(&parted(usage(100, 0, 30, 10, 0), [20, 10, 5, 2]));
    assert_eq!(
        cost.pico_dollars(),
        (60 * 3 + 10 * 10 + 20 * 6 + 5 * 15 + 5 * 20 + 80_000) * u128::from(PICO) + 10 * 3_750_000
    );
}

#[test]
fn no_answer_costs_more_than_the_worst() {
    let rates = Rates { image: Some(40_000), request: Some(7), reasoning: Some(20_000_000), ..SONNET };
    let price = Price::of(rates);
    let pictures = parted(usage(100, 0, 100, 30, 30), [0, 0, 0, 3]);
    assert_eq!(price.worst(100, 30, 3).micro_dollars(), 600 + 600 + 3 * 40_000 + 7);
    assert!(price.cost(&pictures) <= price.worst(100, 30, 3));
}

#[test]
fn sound_from_a_cache_is_paid_as_cached() {
    let rates = Rates { audio_input: Some(10_000_000), cache_read: Some(1_000_000), ..SONNET };
    let sound = |input, read, heard| micro(rates, parted(usage(input, read, 0, 0, 0), [0, heard, 0, 0]));
    assert_eq!(sound(100, 100, 100), 100);
    assert_eq!(sound(100, 40, 100), 40 + 600);
    assert_eq!(sound(100, 40, 50), 40 + 500 + 30, "as much as fits is thought to be fresh");
    assert_eq!(sound(0, 0, 100), 1_000, "a part without a whole");
}

#[test]
fn an_estimate_fills_in_what_was_not_reported() {
    let cost =
        |usage, input, output| Price::of(SONNET).estimated_cost(&usage, &Estimate { input, output }).micro_dollars();
    assert_eq!(cost(Usage::default(), 1_000, 100), 3_000 + 1_500);
    assert_eq!(cost(usage(1_000, 1_000, 0, 4, 0), 1_000, 100), 300 + 1_500, "what was cached is paid as cached");
    assert_eq!(cost(usage(1_000, 0, 0, 200, 0), 1_000, 100), 3_000 + 3_000, "never below the report");
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
    assert_eq!(price.cost(&usage(200_001, 200_001, 0, 1, 0)).micro_dollars(), 1_200_006 + 23, "cached input counts");
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
    fn usages()(counts in proptest::array::uniform9(proptest::option::of(0..=MAX_TOKENS))) -> Usage {
        let [input, cache_read, cache_write, output, reasoning, cache_write_1h, audio_input, audio_output, images] = counts;
        let images = images.map(|images| images % MAX_IMAGES);
        Usage { input, cache_read, cache_write, output, reasoning, cache_write_1h, audio_input, audio_output, images, suspect: false }
    }
}

proptest! {
    #[test]
    fn rounding_up_adds_less_than_a_micro_dollar(rates in rates(), usage in usages()) {
        let cost = Price::of(rates).cost(&usage);
        let (rounded, pico) = (Cost::micro(cost.micro_dollars()).pico_dollars(), u128::from(PICO));
        prop_assert!(rounded >= cost.pico_dollars() && rounded - cost.pico_dollars() < pico);
        let (whole, rest) = cost.parts();
        prop_assert!(rest < pico && whole * pico + rest == cost.pico_dollars());
    }

    #[test]
    fn more_tokens_never_cost_less(rates in rates(), usage in usages(), more in 0..=MAX_TOKENS) {
        let price = Price::of(rates);
        let input = Usage { input: Some(usage.input.unwrap_or(0) + more), ..usage };
        // Output that is smaller than its reasoning does not include it.
        let usage = Usage { output: usage.output.max(usage.reasoning), ..usage };
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
