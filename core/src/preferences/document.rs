//! Preferences as JSON, in both directions. Numbers may be written as text, as headers have them.

use super::{MaxPrice, Preference, Preferences, Wrong};
use crate::artifact::Bucket;
use crate::json::{Json, Kind, Writer};
use crate::price::micro_dollars;

/// Most names in a list: nobody has more providers to tell apart, and Records keep them.
const MOST_NAMES: usize = 32;

/// Longest name.
const LONGEST_NAME: usize = 256;

/// The highest throughput that is understood.
const MOST_THROUGHPUT: u64 = 1_000_000;

const NAMES: &str = "must be a name or a list of 1 to 32 names, such as [\"corp\", \"corp/our-model\"]";
const PRICE: &str = "must be dollars per million tokens with at most six digits after the point, such as {\"input\": 3, \"output\": 15}";

impl Preferences {
    /// Reads an object of them; every name must be known, and stand once.
    pub fn read(said: Json<'_>) -> Result<Preferences, Wrong> {
        if said.kind() != Kind::Object {
            return Err(Wrong(String::new(), "must be an object of preferences".into()));
        }
        let (mut read, mut seen) = (Preferences::default(), super::Several::NONE);
        for (name, value) in said.members() {
            let name = name.decode();
            let shown = || name.chars().filter(|character| !character.is_control()).take(80).collect();
            let Some(which) = Preference::named(&name) else {
                let known = Preference::ALL.map(Preference::name).join("`, `");
                return Err(Wrong(shown(), format!("is no preference; there are `{known}`")));
            };
            if seen.has(which) {
                return Err(Wrong(shown(), "stands twice".into()));
            }
            seen = seen.with(which);
            read.set(which, value).map_err(|problem| Wrong(shown(), problem.into()))?;
        }
        Ok(read)
    }

    /// Takes one of them, or says what is wrong with it.
    pub(crate) fn set(&mut self, which: Preference, value: Json<'_>) -> Result<(), &'static str> {
        match which {
            Preference::MaxPrice => self.max_price = max_price(value).ok_or(PRICE)?,
            Preference::MinThroughput => {
                let wrong = "must be a whole number of tokens a second, such as 50";
                self.min_throughput = Some(number(value, MOST_THROUGHPUT).ok_or(wrong)?);
            }
            Preference::Regions => self.regions = names(value).ok_or(NAMES)?,
            Preference::DataPolicy => self.data_policy = names(value).ok_or(NAMES)?,
            Preference::Order => self.order = names(value).ok_or(NAMES)?,
            Preference::Only => self.only = names(value).ok_or(NAMES)?,
            Preference::Not => self.not = names(value).ok_or(NAMES)?,
            Preference::Alpha => {
                let percent = number(value, 100).and_then(|percent| u16::try_from(percent * 10).ok());
                self.alpha = Some(percent.ok_or("must be a whole number of percent from 0 to 100")?);
            }
            Preference::Bucket => {
                let bucket = value.string().and_then(|name| Bucket::named(&name));
                self.bucket = Some(bucket.ok_or("must be \"cheap\", \"mid\" or \"hard\"")?);
            }
        }
        Ok(())
    }

    /// Writes those that are said.
    pub(crate) fn write(&self, out: &mut Writer) {
        out.object(|out| {
            if self.max_price != MaxPrice::default() {
                out.field("max_price").object(|out| {
                    for (name, rate) in [("input", self.max_price.input), ("output", self.max_price.output)] {
                        if let Some(rate) = rate {
                            out.field(name).string(&dollars(rate));
                        }
                    }
                });
            }
            let alpha = self.alpha.map(|alpha| u64::from(alpha / 10));
            for (name, number) in [("min_throughput", self.min_throughput), ("alpha", alpha)] {
                if let Some(number) = number {
                    out.field(name).number(number);
                }
            }
            let lists = [
                (Preference::Regions, &self.regions),
                (Preference::DataPolicy, &self.data_policy),
                (Preference::Order, &self.order),
                (Preference::Only, &self.only),
                (Preference::Not, &self.not),
            ];
            for (which, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
                out.field(which.name()).strings(list);
            }
            if let Some(bucket) = self.bucket {
                out.field("bucket").string(bucket.name());
            }
        });
    }
}

fn max_price(value: Json<'_>) -> Option<MaxPrice> {
    let mut price = MaxPrice::default();
    for (name, amount) in value.members() {
        let place = match name.decode().as_ref() {
            "input" => &mut price.input,
            "output" => &mut price.output,
            _ => return None,
        };
        let amount = amount.string().unwrap_or_else(|| amount.as_str().to_string());
        if place.replace(micro_dollars(&amount)?).is_some() {
            return None;
        }
    }
    (price != MaxPrice::default()).then_some(price)
}

fn number(value: Json<'_>, most: u64) -> Option<u64> {
    let number = value.u64().or_else(|| value.string()?.parse().ok())?;
    (number <= most).then_some(number)
}

fn names(value: Json<'_>) -> Option<Vec<String>> {
    let names: Vec<String> = match value.kind() {
        Kind::Array => value.items().take(MOST_NAMES + 1).map(Json::string).collect::<Option<_>>()?,
        _ => vec![value.string()?],
    };
    let is_name = |name: &String| {
        !name.is_empty() && name.len() <= LONGEST_NAME && !name.chars().any(|c| c.is_control() || c == ',')
    };
    ((1..=MOST_NAMES).contains(&names.len()) && names.iter().all(is_name)).then_some(names)
}

/// An amount in dollars, exactly.
fn dollars(micro: u64) -> String {
    let (whole, part) = (micro / 1_000_000, micro % 1_000_000);
    let text = format!("{whole}.{part:06}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}
