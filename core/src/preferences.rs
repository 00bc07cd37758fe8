//! What a caller prefers of whoever answers. It narrows or reorders what its Grant and the route allow, and never widens it.
//!
//! ```
//! use dragoman_core::json::Json;
//! use dragoman_core::preferences::Preferences;
//! let said = Json::parse(br#"{"max_price":{"output":"15"},"not":["corp"]}"#).unwrap();
//! let preferences = Preferences::read(said).unwrap();
//! assert_eq!(preferences.max_price.output, Some(15_000_000));
//! let wrong = Preferences::read(Json::parse(br#"{"regions":7}"#).unwrap()).unwrap_err();
//! assert_eq!(wrong.0, "regions");
//! ```
//!
//! The same words stand in the request's member `dragoman`, in headers, in Records and in explanations.
//!
//! *Limits*: what nobody knows excludes nobody. A target whose throughput was not felt lately is asked, or nobody would ever feel
//! it; a provider that says nothing of its region or of what it does with data has none, and does not satisfy who wants one.

mod document;
mod which;

use crate::artifact::Bucket;
use crate::catalog::{Provider, Target};

pub use which::{Preference, Several};

/// What a caller prefers; nothing where nothing is said.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Preferences {
    /// The most that a target may take.
    pub max_price: MaxPrice,
    /// The fewest tokens a second.
    pub min_throughput: Option<u64>,
    /// The provider is in one of these; empty when it may be anywhere.
    pub regions: Vec<String>,
    /// The provider promises all of this.
    pub data_policy: Vec<String>,
    /// Who is asked before others, the first one first.
    pub order: Vec<String>,
    /// Nobody else is asked; empty when everybody may be.
    pub only: Vec<String>,
    /// These are not asked.
    pub not: Vec<String>,
    /// How much quality counts against cost, in thousandths, where the route chooses the model.
    pub alpha: Option<u16>,
    /// Which bucket the request belongs to, where the route chooses the model.
    pub bucket: Option<Bucket>,
}

/// The most that a target may take, in micro-dollars per million tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct MaxPrice {
    /// For what is read.
    pub input: Option<u64>,
    /// For what is written.
    pub output: Option<u64>,
}

/// What is wrong with a preference: its name, and the problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong(pub String, pub String);

impl Preferences {
    /// Which of them are said.
    pub fn said(&self) -> impl Iterator<Item = Preference> {
        Preference::ALL.into_iter().filter(|which| match which {
            Preference::MaxPrice => self.max_price != MaxPrice::default(),
            Preference::MinThroughput => self.min_throughput.is_some(),
            Preference::Regions => !self.regions.is_empty(),
            Preference::DataPolicy => !self.data_policy.is_empty(),
            Preference::Order => !self.order.is_empty(),
            Preference::Only => !self.only.is_empty(),
            Preference::Not => !self.not.is_empty(),
            Preference::Alpha => self.alpha.is_some(),
            Preference::Bucket => self.bucket.is_some(),
        })
    }

    /// Whether none is said.
    pub fn is_empty(&self) -> bool {
        self.said().next().is_none()
    }

    /// Which of them a target does not satisfy. `tokens` is about how many must be read; `throughput` is how many tokens a second
    /// were felt of it, where any were.
    pub fn unmet(&self, target: &Target, provider: &Provider, tokens: u64, throughput: Option<u64>) -> Several {
        let rates = target.price.rates(tokens);
        let above = |most: Option<u64>, rate: u64| most.is_some_and(|most| rate > most);
        let is_among = |names: &[String]| names.iter().any(|name| is(name, target, provider));
        let unmet = |which: &Preference| match which {
            Preference::MaxPrice => {
                above(self.max_price.input, rates.input) || above(self.max_price.output, rates.output)
            }
            Preference::MinThroughput => self.min_throughput.zip(throughput).is_some_and(|(least, felt)| felt < least),
            Preference::Regions => !self.regions.is_empty() && !self.regions.contains(&provider.region),
            Preference::DataPolicy => !self.data_policy.iter().all(|word| provider.data_policy.contains(word)),
            Preference::Only => !self.only.is_empty() && !is_among(&self.only),
            Preference::Not => is_among(&self.not),
            Preference::Order | Preference::Alpha | Preference::Bucket => false,
        };
        Preference::ALL.into_iter().filter(unmet).fold(Several::NONE, Several::with)
    }

    /// The place of a target among those who are asked first; the last place for everybody else.
    pub fn place(&self, target: &Target, provider: &Provider) -> usize {
        self.order.iter().position(|name| is(name, target, provider)).unwrap_or(usize::MAX)
    }
}

/// Whether a name means that target: it is the provider's, the target's, or the model's.
fn is(name: &str, target: &Target, provider: &Provider) -> bool {
    name == provider.id || name == target.id || name == target.model
}

#[cfg(test)]
mod tests;
