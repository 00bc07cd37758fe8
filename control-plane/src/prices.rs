//! What everything costs: the prices of the file and the shipped ones, by target and day.
//!
//! A target's price is looked for in the file first, then in the shipped rows; in both under `provider/model`, then under its
//! model's name, then under `provider/*`. What has none is counted at the ceiling, or not asked at all (`[pricing]`). Nothing
//! is free because nobody knew.

use std::collections::HashMap;

use dragoman_core::price::{Cost, Price, Prices, Rates};
use dragoman_core::record::{Ending, Outcome, Record};

use crate::catalog::Catalog;
use crate::settings::{File, PriceRow, Unpriced};

/// Whose price it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A row's.
    Listed,
    /// Nobody's: the ceiling of those that have none.
    Ceiling,
}

/// A price, and where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Priced<'b> {
    /// What is taken.
    pub price: &'b Price,
    /// Whose price it is.
    pub source: Source,
}

/// What an attempt cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutcomeCost {
    /// Exactly.
    pub cost: Cost,
    /// In micro-dollars, rounded up.
    pub micro_dollars: u64,
    /// How much is known of it.
    pub known: CostKnown,
}

/// How much is known of a cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CostKnown {
    /// Tokens were reported, and a row says what they cost.
    Listed,
    /// Tokens were reported, and counted at the ceiling.
    Ceiling,
    /// Tokens were not reported, or too few, and were estimated.
    Estimated,
    /// The provider answered and reported no tokens, and nobody can tell how many: what it takes for them is not in the sum.
    Unreported,
    /// There was no answer to pay for.
    Nothing,
}

/// Every price there is.
#[derive(Clone, Debug)]
pub struct PriceBook {
    /// By target, model or `provider/*`: the file's, then the shipped ones.
    books: [HashMap<String, Prices>; 2],
    /// Target → its model's name.
    models: HashMap<String, String>,
    ceiling: Price,
    unpriced: Unpriced,
}

impl PriceBook {
    /// The prices of a file and of the catalogue that it was joined with.
    pub fn of(catalog: &Catalog, file: &File) -> PriceBook {
        let model = |row: &crate::settings::ModelRow| {
            let name = row.name.clone();
            let ids: Vec<String> =
                row.offers.iter().map(|(provider, model, _)| format!("{provider}/{model}")).collect();
            ids.into_iter().map(move |id| (id, name.clone()))
        };
        let mut models = HashMap::new();
        for (id, name) in catalog.models.iter().flat_map(model) {
            models.entry(id).or_insert(name);
        }
        let (own, shipped) = (dearest(&file.prices), catalog.dearest);
        let found = Rates { input: own.input.max(shipped.input), output: own.output.max(shipped.output), ..own };
        PriceBook {
            books: [book(&file.prices), book(&catalog.prices)],
            models,
            ceiling: Price::of(file.pricing.ceiling.unwrap_or(found)),
            unpriced: file.pricing.unpriced,
        }
    }

    /// What a target without a price is counted as.
    pub fn ceiling(&self) -> &Rates {
        &self.ceiling.rates
    }

    /// The price of a target (`provider/model`) at that moment; `None` when it has none and must not be asked for that.
    pub fn price(&self, target: &str, at_ms: u64) -> Option<Priced<'_>> {
        match self.listed(target, at_ms) {
            Some(price) => Some(Priced { price, source: Source::Listed }),
            None => self.ceiling_unless_refused(),
        }
    }

    /// The price of the models of a provider that nobody listed; `None` when they have none and must not be asked for that.
    pub fn unlisted(&self, provider: &str, at_ms: u64) -> Option<Priced<'_>> {
        let key = format!("{provider}/*");
        match self.books.iter().find_map(|book| book.get(&key)?.at(at_ms)) {
            Some(price) => Some(Priced { price, source: Source::Listed }),
            None => self.ceiling_unless_refused(),
        }
    }

    /// The targets that have a price of their own.
    pub fn named(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.books.iter().flat_map(|book| book.keys()).filter_map(|key| key.split_once('/'));
        pairs.filter(|(_, model)| *model != "*")
    }

    fn ceiling_unless_refused(&self) -> Option<Priced<'_>> {
        match self.unpriced {
            Unpriced::Ceiling => Some(Priced { price: &self.ceiling, source: Source::Ceiling }),
            Unpriced::Refuse => None,
        }
    }

    fn listed(&self, target: &str, at_ms: u64) -> Option<&Price> {
        let provider = target.split_once('/').map(|(provider, _)| format!("{provider}/*"));
        let keys = [Some(target), self.models.get(target).map(String::as_str), provider.as_deref()];
        let in_book =
            |book: &'_ HashMap<String, Prices>, key: &str| book.get(key).is_some_and(|all| all.at(at_ms).is_some());
        let keys = keys.into_iter().flatten();
        let mut places = self.books.iter().flat_map(|book| keys.clone().map(move |key| (book, key)));
        let (book, key) = places.find(|(book, key)| in_book(book, key))?;
        book.get(key)?.at(at_ms)
    }

    /// What each attempt of an exchange cost, in their order, at the prices of when it began. What had no price is counted at
    /// the ceiling, also where it should not have been asked: it was.
    pub fn cost(&self, record: &Record) -> Vec<OutcomeCost> {
        record.outcomes.iter().map(|outcome| self.outcome(outcome, record.began_ms)).collect()
    }

    fn outcome(&self, outcome: &Outcome, at_ms: u64) -> OutcomeCost {
        let listed = self.listed(&outcome.target, at_ms);
        let price = listed.unwrap_or(&self.ceiling);
        // What the data plane said is what held when it planned; prices may have changed since.
        let cost_of = |price: &Price| outcome.cost.unwrap_or_else(|| price.cost(&outcome.usage));
        if let Some(estimate) = &outcome.estimate {
            let cost = outcome.cost.unwrap_or_else(|| price.estimated_cost(&outcome.usage, estimate));
            return OutcomeCost { cost, micro_dollars: cost.micro_dollars(), known: CostKnown::Estimated };
        }
        let (cost, known) = match (outcome.usage.is_reported(), outcome.ending) {
            (true, _) if listed.is_some() => (cost_of(price), CostKnown::Listed),
            (true, _) => (cost_of(price), CostKnown::Ceiling),
            // A fee for each request needs no report.
            (false, Ending::Answered) => (cost_of(price), CostKnown::Unreported),
            (false, Ending::Broken | Ending::Abandoned | Ending::Outrun) => (Cost::default(), CostKnown::Unreported),
            (false, Ending::Retriable | Ending::Refused | Ending::Silent) => (Cost::default(), CostKnown::Nothing),
        };
        OutcomeCost { cost, micro_dollars: cost.micro_dollars(), known }
    }
}

fn book(rows: &[PriceRow]) -> HashMap<String, Prices> {
    let mut book: HashMap<String, Prices> = HashMap::new();
    for row in rows {
        book.entry(row.target.value.clone()).or_default().add(row.price.clone());
    }
    book
}

/// The dearest input and the dearest output of all rows, tiers included.
pub fn dearest(rows: &[PriceRow]) -> Rates {
    let all = rows.iter().flat_map(|row| {
        let tiers = row.price.tiers.iter().map(|tier| &tier.rates);
        std::iter::once(&row.price.rates).chain(tiers)
    });
    all.fold(Rates::default(), |dearest, rates| Rates {
        input: dearest.input.max(rates.input),
        output: dearest.output.max(rates.output),
        ..Rates::default()
    })
}

/// Micro-dollars in dollars, as short as they are: `0.075`.
pub fn dollars(micro_dollars: u64) -> String {
    let text = format!("{}.{:06}", micro_dollars / 1_000_000, micro_dollars % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::known;
    use dragoman_core::estimate::Estimate;
    use dragoman_core::usage::Usage;

    const OWN: &str = r#"
[[provider]]
id = "c"
base_url = "http://h"
[[model]]
name = "m"
offers = ["c/one", "c/two"]
[[price]]
target = "m"
input = 2
output = 4
[[price]]
target = "c/two"
from = "2026-01-01"
input = 3
output = 6
request = 0.01
[[price]]
target = "c/*"
input = 1
output = 1
[[price]]
target = "local/*"
input = 0.5
output = 0.5
"#;

    fn book(text: &str) -> PriceBook {
        let file = File::read("f", text, &known().unwrap()).unwrap();
        PriceBook::of(&Catalog::join(&file, &|_| None).unwrap(), &file)
    }

    fn input(book: &PriceBook, target: &str, at_ms: u64) -> Option<(u64, Source)> {
        book.price(target, at_ms).map(|priced| (priced.price.rates.input, priced.source))
    }

    const IN_2026: u64 = 1_767_225_600_000;

    #[test]
    fn the_closest_row_says_the_price_and_the_files_rows_come_first() {
        let book = book(OWN);
        assert_eq!(input(&book, "c/one", IN_2026), Some((2_000_000, Source::Listed)), "by its model's name");
        assert_eq!(input(&book, "c/two", IN_2026), Some((3_000_000, Source::Listed)), "by its own");
        assert_eq!(input(&book, "c/two", IN_2026 - 1), Some((2_000_000, Source::Listed)), "its own does not hold yet");
        assert_eq!(input(&book, "c/three", 0), Some((1_000_000, Source::Listed)), "by its provider");
        assert_eq!(input(&book, "local/any", 0), Some((500_000, Source::Listed)), "not the shipped row");
        assert_eq!(input(&book, "vllm/any", 0), Some((0, Source::Listed)), "the shipped row says that it is free");
    }

    #[test]
    fn what_has_no_price_is_as_dear_as_the_dearest_or_as_the_ceiling_says_and_never_free() {
        let default = book("");
        let (dearest, source) = input(&default, "nobody/knows", 0).unwrap();
        assert_eq!((dearest, source), (default.ceiling().input, Source::Ceiling));
        let shipped = Catalog::join(&File::default(), &|_| None).unwrap();
        assert!(shipped.prices.iter().all(|row| row.price.rates.input <= dearest) && dearest > 0);
        let alone = book("catalog = false\n");
        assert_eq!(alone.ceiling(), default.ceiling(), "also where the shipped rows take no part");
        assert_eq!(input(&alone, "demo/demo", 0), Some((0, Source::Listed)));
        let said = book("[pricing]\nceiling = { input = 7, output = 9 }\n");
        assert_eq!(input(&said, "nobody/knows", 0), Some((7_000_000, Source::Ceiling)));
        let refused = book("[pricing]\nunpriced = \"refuse\"\n");
        assert_eq!(input(&refused, "nobody/knows", 0), None);
        assert!(refused.unlisted("local", 0).is_some() && refused.unlisted("nobody", 0).is_none());
    }

    #[test]
    fn every_attempt_of_a_record_has_its_cost() {
        let usage = Usage { input: Some(1_000), output: Some(10), ..Usage::default() };
        let outcome =
            |target: &str, ending, usage| Outcome { target: target.into(), ending, usage, ..Outcome::default() };
        let record = Record {
            began_ms: IN_2026,
            outcomes: vec![
                outcome("c/one", Ending::Silent, Usage::default()),
                outcome("c/one", Ending::Broken, usage),
                outcome("c/two", Ending::Answered, Usage::default()),
                outcome("x/y", Ending::Answered, usage),
                outcome("x/y", Ending::Abandoned, Usage::default()),
                Outcome {
                    estimate: Some(Estimate { input: 1_000, output: 10 }),
                    ..outcome("c/one", Ending::Abandoned, Usage::default())
                },
            ],
            ..Record::default()
        };
        let book = book(&format!("{OWN}[pricing]\nunpriced = \"refuse\"\nceiling = {{ input = 5, output = 5 }}\n"));
        let costs: Vec<(u64, CostKnown)> =
            book.cost(&record).iter().map(|cost| (cost.micro_dollars, cost.known)).collect();
        assert_eq!(
            costs,
            [
                (0, CostKnown::Nothing),
                (2_040, CostKnown::Listed),
                (10_000, CostKnown::Unreported),
                (5_050, CostKnown::Ceiling),
                (0, CostKnown::Unreported),
                (2_040, CostKnown::Estimated),
            ]
        );
    }

    #[test]
    fn dollars_are_as_short_as_they_are() {
        let all = [0, 75_000, 3_000_000, 1, 12_500_000].map(dollars);
        assert_eq!(all, ["0", "0.075", "3", "0.000001", "12.5"]);
    }
}
