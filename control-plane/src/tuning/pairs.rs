//! Which two models a row is decided between, and by which number.

use dragoman_core::artifact::{Artifact, Extended};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Row;

/// A strong model and a weak one that are measured against one another; an artifact's metadata lists some.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    /// What it is called in tables.
    pub name: String,
    /// Where its rows come from.
    pub source: Vec<String>,
    /// The one that costs more.
    pub strong: String,
    /// The one that costs less.
    pub weak: String,
    /// What says that the strong one is needed: a head, or one subtracted from 1 (`1-cheap`). Without, the difference of what is
    /// predicted of the two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<String>,
    /// The head whose sum says what the strong one costs more for this prompt than for others of its kind; 1 is usual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<String>,
    /// From which value on the strong one is asked, by the share of its quality that is meant to be kept; frozen in training.
    #[serde(default, skip_serializing_if = "Thresholds::is_empty")]
    pub thresholds: Thresholds,
    /// The same where the quality of all pairs together is meant to be kept and each may lose some for another's sake: one point on
    /// the scale of quality relative to the strong model's for money relative to its, said here as a value of this pair.
    #[serde(default, skip_serializing_if = "Thresholds::is_empty")]
    pub together: Thresholds,
}

/// Values from which on the strong model is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    /// For 99 % of its quality.
    #[serde(rename = "99", skip_serializing_if = "Option::is_none")]
    pub nearly: Option<f64>,
    /// For all of it.
    #[serde(rename = "100", skip_serializing_if = "Option::is_none")]
    pub equal: Option<f64>,
}

impl Thresholds {
    fn is_empty(&self) -> bool {
        *self == Thresholds::default()
    }
}

/// How an artifact scores rows.
#[derive(Debug)]
pub struct Scoring {
    /// What is measured.
    pub pairs: Vec<Pair>,
    general: String,
}

/// The least that a prompt is thought to cost, of what is usual: what is guessed to be nearly free may not be.
const LEAST_COST: f64 = 0.2;

/// The score of a row of no pair, where the artifact does not say.
const GENERAL: &str = "1-cheap";

impl Scoring {
    /// As the artifact's metadata says.
    pub fn of(artifact: &Artifact) -> Scoring {
        let metadata: Value = serde_json::from_str(&artifact.parts().metadata).unwrap_or_default();
        let pairs = metadata.get("pairs").cloned().and_then(|pairs| serde_json::from_value(pairs).ok());
        let general = metadata.get("general").and_then(Value::as_str).unwrap_or(GENERAL);
        Scoring { pairs: pairs.unwrap_or_default(), general: general.to_owned() }
    }

    /// The place of the pair that a row belongs to: by its source, and by what was asked where outcomes are known.
    pub fn pair(&self, row: &Row) -> Option<usize> {
        let has = |model: &String| row.scores.is_empty() || row.scores.contains_key(model);
        self.pairs.iter().position(|pair| pair.source.contains(&row.source) && has(&pair.strong) && has(&pair.weak))
    }

    /// How much a row needs the stronger model.
    pub fn score(&self, artifact: &Artifact, seen: &Extended, row: &Row) -> f64 {
        let quality = |model: &str| artifact.quality(seen, model);
        let own = self.pair_of(row).and_then(|pair| match &pair.score {
            Some(said) => spoken(said, quality),
            None => Some(quality(&pair.strong)? - quality(&pair.weak)?),
        });
        own.or_else(|| spoken(&self.general, quality)).unwrap_or_default()
    }

    /// What the stronger model is worth for a row: how much it is needed, by what it costs.
    pub fn value(&self, artifact: &Artifact, seen: &Extended, row: &Row) -> f64 {
        let sum = |head: &Option<String>| artifact.sum(seen, head.as_deref()?);
        let own = self.pair_of(row).and_then(|pair| {
            let cost = sum(&pair.cost).unwrap_or(1.0).max(LEAST_COST);
            Some(sum(&pair.score)? / cost)
        });
        own.unwrap_or_else(|| self.score(artifact, seen, row))
    }

    fn pair_of(&self, row: &Row) -> Option<&Pair> {
        self.pairs.get(self.pair(row)?)
    }
}

/// What a head, or one taken from 1, says.
fn spoken(said: &str, quality: impl Fn(&str) -> Option<f64>) -> Option<f64> {
    match said.strip_prefix("1-") {
        Some(head) => Some(1.0 - quality(head)?),
        None => quality(said),
    }
}
