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

use crate::estimate::Estimate;
use crate::usage::Usage;

/// Highest rate of a row, in micro-dollars: a million dollars. With [`crate::usage::MAX_TOKENS`] every sum fits in 128 bits.
pub const MAX_RATE: u64 = 1_000_000_000_000;

/// Pico-dollars in a micro-dollar.
pub const PICO: u32 = 1_000_000;

/// Digits after the point of an amount in dollars: a micro-dollar is the smallest.
const DECIMALS: usize = 6;

/// The micro-dollars of an amount in dollars, exactly; `None` for what is no such amount.
pub fn micro_dollars(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(part) || part.len() > DECIMALS {
        return None;
    }
    let scaled: u64 = format!("{part:0<DECIMALS$}").parse().ok()?;
    let micro = whole.parse::<u64>().ok()?.checked_mul(1_000_000)?.checked_add(scaled)?;
    (micro <= MAX_RATE).then_some(micro)
}

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

    /// The most that so many answers can cost: nothing of the input comes from a cache, all of it goes into one, all of the
    /// output is of the dearest kind, and every answer has a picture.
    pub fn worst(&self, input: u64, output: u64, answers: u64) -> Cost {
        let rates = self.rates(input);
        let dearest = |rates: [Option<u64>; 4]| rates.into_iter().flatten().max().unwrap_or(0);
        let read = dearest([Some(rates.input), rates.cache_write, rates.cache_write_1h, rates.audio_input]);
        let written = dearest([Some(rates.output), rates.reasoning, rates.audio_output, None]);
        let pictures = Cost::micro(rates.image.unwrap_or(0)).times(answers);
        let request = Cost::micro(rates.request.unwrap_or(0));
        Cost::of(input, read).and(Cost::of(output, written)).and(pictures).and(request)
    }

    /// What an answer of that usage costs. A part that is reported larger than its whole counts as it is, and nothing is left
    /// of the whole: no count makes another one negative.
    pub fn cost(&self, usage: &Usage) -> Cost {
        let count = |tokens: Option<u64>| tokens.unwrap_or(0);
        let (read, written) = (count(usage.cache_read), count(usage.cache_write));
        let (written_1h, thought) = (count(usage.cache_write_1h), count(usage.reasoning));
        let cached = read.saturating_add(written);
        let rates = self.rates(count(usage.input).max(cached));
        let fresh = count(usage.input).saturating_sub(cached);
        let said = usage.said();
        let (heard, made) = (sound(usage.audio_input, fresh, cached), sound(usage.audio_output, said, thought));
        let for_minutes = rates.cache_write.unwrap_or(rates.input);
        [
            (fresh.saturating_sub(heard), rates.input),
            (heard, rates.audio_input.unwrap_or(rates.input)),
            (read, rates.cache_read.unwrap_or(rates.input)),
            (written.saturating_sub(written_1h), for_minutes),
            (written_1h, rates.cache_write_1h.unwrap_or(for_minutes)),
            (said.saturating_sub(made), rates.output),
            (made, rates.audio_output.unwrap_or(rates.output)),
            (thought, rates.reasoning.unwrap_or(rates.output)),
        ]
        .into_iter()
        .map(|(tokens, rate)| Cost::of(tokens, rate))
        .chain([
            Cost::micro(rates.request.unwrap_or(0)),
            Cost::micro(rates.image.unwrap_or(0)).times(count(usage.images)),
        ])
        .fold(Cost::default(), Cost::and)
    }

    /// What an answer costs of which only so much was reported, and the rest estimated: what nobody reported as cached or as
    /// anything else is paid as plain input and output. Never less than what was reported costs.
    pub fn estimated_cost(&self, usage: &Usage, estimate: &Estimate) -> Cost {
        let input = usage.input.max(Some(estimate.input));
        let output = usage.output.max(Some(estimate.output));
        self.cost(&Usage { input, output, ..*usage }).max(self.cost(usage))
    }
}

/// The tokens of sound that are paid as such. Those that came from a cache or belong to a thought (`other`) are paid there, and
/// nobody says how many did: as many as do not fit into the rest.
fn sound(reported: Option<u64>, rest: u64, other: u64) -> u64 {
    let reported = reported.unwrap_or(0);
    reported.min(rest).max(reported.saturating_sub(other))
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
        Cost { pico_dollars: u128::from(micro_dollars).saturating_mul(PICO.into()) }
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

    /// Whole micro-dollars, and the pico-dollars below one.
    pub fn parts(self) -> (u128, u128) {
        (self.pico_dollars / u128::from(PICO), self.pico_dollars % u128::from(PICO))
    }

    /// In whole micro-dollars, rounded up.
    pub fn micro_dollars(self) -> u64 {
        u64::try_from(self.pico_dollars.div_ceil(PICO.into())).unwrap_or(u64::MAX)
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
mod tests;
