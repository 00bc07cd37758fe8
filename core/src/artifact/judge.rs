//! What an artifact says of one request.

use super::{Artifact, Head};
use crate::features::Features;

/// How much a request asks of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bucket {
    /// The cheapest model will do.
    Cheap,
    /// A middling one will.
    Mid,
    /// It takes the best.
    Hard,
}

impl Bucket {
    /// All of them, the easiest first.
    pub const ALL: [Bucket; 3] = [Bucket::Cheap, Bucket::Mid, Bucket::Hard];

    /// Its name in configuration, headers and Records.
    pub fn name(self) -> &'static str {
        match self {
            Bucket::Cheap => "cheap",
            Bucket::Mid => "mid",
            Bucket::Hard => "hard",
        }
    }

    /// The bucket of that name.
    pub fn named(name: &str) -> Option<Bucket> {
        Bucket::ALL.into_iter().find(|bucket| bucket.name() == name)
    }
}

/// The numbers of a request with what the artifact makes of them and of its grams.
#[derive(Clone, Debug, PartialEq)]
pub struct Extended {
    /// As they are, for trees.
    pub(super) numbers: Vec<f64>,
    /// On one scale, for sums.
    pub(super) levels: Vec<f64>,
}

impl Extended {
    /// The numbers as they are, in the order of [`super::Parts::columns`].
    pub fn numbers(&self) -> &[f64] {
        &self.numbers
    }
}

/// Which kind of model will do, and how surely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opinion {
    /// The chance that a cheap model does, in thousandths.
    pub cheap: u16,
    /// The chance that a middling one does.
    pub mid: u16,
    /// What follows by the thresholds that were frozen in training.
    pub bucket: Bucket,
}

impl Artifact {
    /// Everything that heads look at; made once, it serves all of them.
    pub fn extend(&self, features: &Features) -> Extended {
        let dense = features.dense();
        let mut numbers = Vec::with_capacity(self.parts.width());
        numbers.extend(dense.iter().map(|number| f64::from(*number)));
        self.parts.tables.iter().for_each(|table| table.extend(features, &mut numbers));
        self.parts.vocabularies.iter().for_each(|vocabulary| vocabulary.extend(features, &mut numbers));
        let levels = self.parts.domains.extend(dense.len(), &mut numbers);
        Extended { numbers, levels }
    }

    /// Which kind of model will do.
    pub fn judge(&self, seen: &Extended) -> Opinion {
        let chance = |head: usize| self.parts.heads.get(head).map_or(0.0, |head| head.chance(seen));
        let (cheap, mid) = (permille(chance(self.cheap)), permille(chance(self.mid)));
        let bucket = match self.parts.thresholds {
            [least, _] if cheap >= least => Bucket::Cheap,
            [_, least] if mid >= least => Bucket::Mid,
            _ => Bucket::Hard,
        };
        Opinion { cheap, mid, bucket }
    }

    /// What the head of that name, or of the model with that name, predicts: 0 to 1. `None` when there is none.
    pub fn quality(&self, seen: &Extended, name: &str) -> Option<f64> {
        Some(self.head(name)?.chance(seen))
    }

    /// The sum behind it, which ranks more finely.
    pub fn sum(&self, seen: &Extended, name: &str) -> Option<f64> {
        Some(self.head(name)?.sum(seen))
    }

    fn head(&self, name: &str) -> Option<&Head> {
        self.parts.heads.get(*self.head_by_name.get(name)?)
    }
}

/// A chance in thousandths, rounded.
fn permille(chance: f64) -> u16 {
    (chance * 1_000.0 + 0.5) as u16
}
