//! What a target takes: `[[price]]` rows, and `[pricing]` for those that have none.
//!
//! An amount is written in dollars and read from its text, digit by digit: no binary fraction stands between a row and a bill.

use std::collections::HashMap;

use dragoman_core::price::{Price, Rates, Tier, micro_dollars};
use toml::Spanned;
use toml::de::DeValue;

use super::Known;
use super::members::{Members, Placed, Reading};

/// Most tiers of one price; nobody has more than three.
const MAX_TIERS: usize = 16;

/// One `[[price]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceRow {
    /// `provider/model`, `provider/*`, or a model's name for all its offers.
    pub target: Placed<String>,
    /// What is taken, and when that holds.
    pub price: Price,
}

/// What happens to a target without a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Unpriced {
    /// It is asked, and counted as if it took the ceiling.
    #[default]
    Ceiling,
    /// It is not asked.
    Refuse,
}

impl Unpriced {
    /// Its name in configuration.
    pub fn name(self) -> &'static str {
        match self {
            Unpriced::Ceiling => "ceiling",
            Unpriced::Refuse => "refuse",
        }
    }

    /// The way of that name.
    pub fn named(name: &str) -> Option<Unpriced> {
        [Unpriced::Ceiling, Unpriced::Refuse].into_iter().find(|way| way.name() == name)
    }
}

/// `[pricing]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Pricing {
    /// What happens to a target without a price.
    pub unpriced: Unpriced,
    /// What such a target is counted as; the dearest input and the dearest output that are known when nobody says.
    pub ceiling: Option<Rates>,
}

/// Reads one `[[price]]`.
pub(super) fn price(reading: &mut Reading<'_>, mut row: Members<'_>) -> PriceRow {
    let at = row.at;
    let target = row.string(reading, "target").unwrap_or(Placed { at, value: String::new() });
    if target.value.is_empty() {
        reading.mistake(at, "this price needs a `target`: \"provider/model\", \"provider/*\" or the name of a model");
    }
    let from_ms = day(reading, &mut row, "from");
    let until = day(reading, &mut row, "until");
    if let (Some(from), Some(until)) = (&from_ms, &until)
        && from.value >= until.value
    {
        reading.mistake(until.at, "`until` is the first day on which the price holds no more; it comes after `from`");
    }
    let rates = rates(reading, &mut row, None);
    let tiers = tiers(reading, &mut row, &rates);
    row.end(reading);
    let (from_ms, until_ms) = (from_ms.map(|day| day.value), until.map(|day| day.value));
    PriceRow { target, price: Price { rates, tiers, from_ms, until_ms } }
}

/// The rates of a row; those of a tier are the row's own where it names none.
fn rates(reading: &mut Reading<'_>, row: &mut Members<'_>, base: Option<&Rates>) -> Rates {
    let missing = ["input", "output"].into_iter().filter(|name| base.is_none() && !row.has(name));
    for name in missing {
        reading.mistake(row.at, format!("this price needs an `{name}`; what is free says 0"));
    }
    let mut one = |name: &'static str| amount(reading, row, name);
    let (input, output) = (one("input"), one("output"));
    Rates {
        input: input.or(base.map(|base| base.input)).unwrap_or(0),
        output: output.or(base.map(|base| base.output)).unwrap_or(0),
        cache_read: one("cache_read").or(base.and_then(|base| base.cache_read)),
        cache_write: one("cache_write").or(base.and_then(|base| base.cache_write)),
        cache_write_1h: one("cache_write_1h").or(base.and_then(|base| base.cache_write_1h)),
        reasoning: one("reasoning").or(base.and_then(|base| base.reasoning)),
        audio_input: one("audio_input").or(base.and_then(|base| base.audio_input)),
        audio_output: one("audio_output").or(base.and_then(|base| base.audio_output)),
        image: one("image").or(base.and_then(|base| base.image)),
        request: one("request").or(base.and_then(|base| base.request)),
    }
}

fn tiers(reading: &mut Reading<'_>, row: &mut Members<'_>, base: &Rates) -> Vec<Tier> {
    let mut tiers: Vec<Tier> = Vec::new();
    for mut tier in row.tables(reading, "tiers", "a tier").unwrap_or_default() {
        let at = tier.at;
        let said = tier.has("above");
        let above = tier.number(reading, "above", 1, u64::from(u32::MAX));
        let rates = rates(reading, &mut tier, Some(base));
        tier.end(reading);
        match above {
            Some(above) if tiers.last().is_some_and(|last| last.above >= above) => {
                reading.mistake(at, "tiers stand in ascending order of `above`, each with another one");
            }
            Some(above) => tiers.push(Tier { above, rates }),
            None if said => {}
            None => reading.mistake(at, "a tier needs an `above`: with more tokens of input than that it holds"),
        }
    }
    if tiers.len() > MAX_TIERS {
        reading.mistake(row.at, format!("a price has at most {MAX_TIERS} tiers"));
    }
    tiers
}

/// Reads `[pricing]`.
pub(super) fn pricing(reading: &mut Reading<'_>, mut table: Members<'_>) -> Pricing {
    let unpriced = table.string(reading, "unpriced").and_then(|text| {
        let way = Unpriced::named(&text.value);
        if way.is_none() {
            let known = "\"ceiling\" (count it as dear as `ceiling` says) or \"refuse\" (do not ask it)";
            reading.mistake(text.at, format!("`unpriced` is {known}"));
        }
        way
    });
    let ceiling = table.table(reading, "ceiling", "a ceiling").map(|mut ceiling| {
        let (input, output) = (amount(reading, &mut ceiling, "input"), amount(reading, &mut ceiling, "output"));
        if input.unwrap_or(0) == 0 || output.unwrap_or(0) == 0 {
            reading.mistake(ceiling.at, "a ceiling needs an `input` and an `output`, both more than 0");
        }
        ceiling.end(reading);
        Rates { input: input.unwrap_or(0), output: output.unwrap_or(0), ..Rates::default() }
    });
    table.end(reading);
    Pricing { unpriced: unpriced.unwrap_or_default(), ceiling }
}

/// A price is somebody's, and at every moment at most one of the same target holds.
pub(super) fn check(reading: &mut Reading<'_>, rows: &[PriceRow], known: &Known) {
    let provider =
        |name: &str| name.split_once('/').is_some_and(|(id, model)| known.providers.contains(id) && !model.is_empty());
    for target in rows.iter().map(|row| &row.target).filter(|target| !target.value.is_empty()) {
        if !provider(&target.value) && !known.models.contains(&target.value) {
            let name = &target.value;
            reading.mistake(
                target.at,
                format!(
                    "nobody serves `{name}`; a price is for \"provider/model\", \"provider/*\" or the name of a model"
                ),
            );
        }
    }
    let mut seen: HashMap<&str, Vec<&Price>> = HashMap::new();
    for row in rows.iter().filter(|row| !row.target.value.is_empty()) {
        let others = seen.entry(&row.target.value).or_default();
        if others.iter().any(|other| other.overlaps(&row.price)) {
            let name = &row.target.value;
            reading.mistake(
                row.target.at,
                format!("another price of `{name}` holds at the same time; say `from` and `until`"),
            );
        }
        others.push(&row.price);
    }
}

/// An amount in dollars, as micro-dollars: a number or a string, at most six digits after the point.
fn amount(reading: &mut Reading<'_>, row: &mut Members<'_>, name: &'static str) -> Option<u64> {
    let value = row.value(name)?;
    let read = match value.get_ref() {
        DeValue::String(text) => micro_dollars(text),
        DeValue::Float(number) => micro_dollars(number.as_str()),
        DeValue::Integer(number) if number.radix() == 10 => micro_dollars(number.as_str()),
        _ => None,
    };
    if read.is_none() {
        let wanted =
            "an amount in dollars from 0 to 1000000 with at most six digits after the point, such as \"0.075\"";
        reading.mistake(value.span().start, format!("`{name}` must be {wanted}"));
    }
    read
}

/// A day in UTC, as the milliseconds at which it begins.
fn day(reading: &mut Reading<'_>, row: &mut Members<'_>, name: &'static str) -> Option<Placed<u64>> {
    let value: &Spanned<DeValue<'_>> = row.value(name)?;
    let at = value.span().start;
    let read = match value.get_ref() {
        DeValue::String(text) => beginning(text),
        DeValue::Datetime(date) => beginning(&date.to_string()),
        _ => None,
    };
    if read.is_none() {
        reading.mistake(at, format!("`{name}` must be a day such as \"2026-01-31\", from 1970 on"));
    }
    read.map(|value| Placed { at, value })
}

/// The first millisecond of `YYYY-MM-DD`, in UTC.
fn beginning(text: &str) -> Option<u64> {
    let mut parts = text.split('-');
    let mut number = |width: usize| {
        let part = parts.next().filter(|part| part.len() == width && part.bytes().all(|byte| byte.is_ascii_digit()))?;
        part.parse::<u64>().ok()
    };
    let (year, month, day) = (number(4)?, number(2)?, number(2)?);
    if parts.next().is_some() || year < 1970 {
        return None;
    }
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let february = if leap(year) { 29 } else { 28 };
    let months = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let length = months.get(usize::try_from(month.checked_sub(1)?).ok()?)?;
    if day == 0 || day > *length {
        return None;
    }
    let years: u64 = (1970..year).map(|year| if leap(year) { 366 } else { 365 }).sum();
    let before: u64 = months.iter().take(usize::try_from(month - 1).ok()?).sum();
    Some((years + before + day - 1) * 86_400_000)
}

#[cfg(test)]
mod tests;
