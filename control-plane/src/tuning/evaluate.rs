//! The table of an artifact: pair by pair what choosing by its scores comes to, beside choosing by length and by chance.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;

use dragoman_core::artifact::Artifact;
use dragoman_core::features::Features;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::measure::{Outcome, Outcomes};
use super::pairs::Thresholds;
use super::{Pair, Row, Scoring, rows};

/// What rows say of an artifact.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Evaluation {
    /// Pair by pair, those that have rows.
    pub pairs: Vec<Measured>,
    /// How many rows were read.
    pub rows: usize,
    /// Whether they are the very file that it was trained on: then the figures say nothing of rows that it has not seen.
    pub trained_on: bool,
    /// How many belong to no pair, by source: they are not measured.
    pub unpaired: BTreeMap<String, usize>,
    /// Models with outcomes of which nothing is predicted.
    pub unknown: BTreeSet<String>,
    /// How many rows fall into each bucket.
    pub buckets: BTreeMap<&'static str, usize>,
}

/// One pair.
#[derive(Clone, Debug, Serialize)]
pub struct Measured {
    /// What the pair is called.
    pub pair: String,
    /// Rows.
    pub rows: usize,
    /// The weak model's mean quality.
    pub weak: f64,
    /// The strong one's.
    pub strong: f64,
    /// The area under the performance gap recovered.
    pub apgr: f64,
    /// The same by the length of the prompt alone; by chance it is a half.
    pub apgr_by_length: f64,
    /// Percent of calls of the strong model for 50 % of the gap, and for 80 %.
    pub cpt50: f64,
    /// For 80 %.
    pub cpt80: f64,
    /// What is saved where 99 % of the strong model's quality is kept, and all of it.
    pub savings: [Saving; 2],
}

/// What is saved of the strong model's cost.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Saving {
    /// Percent of the strong model's quality that are meant to be kept.
    pub keep: u8,
    /// By the threshold that was frozen in training. Where none was, nothing is known, and the strong model is always asked.
    pub frozen: Frozen,
    /// The same by the threshold with which all pairs together are meant to keep it.
    pub together: Frozen,
    /// At the best point of the curve of these very rows, as published tables have it.
    pub curve: Option<f64>,
    /// The same by need alone, whatever a prompt costs.
    pub need: Option<f64>,
    /// The same by length.
    pub length: Option<f64>,
    /// The same by chance.
    pub chance: f64,
}

/// Where a frozen threshold leads.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Frozen {
    /// The share of calls of the strong model.
    pub calls: f64,
    /// The share of its quality that is kept.
    pub kept: f64,
    /// The share of its cost that is saved.
    pub saved: f64,
}

/// The strong model is always asked.
const ALWAYS: Frozen = Frozen { calls: 1.0, kept: 1.0, saved: 0.0 };

/// The rows of one pair while they are collected.
#[derive(Default)]
struct Collected {
    outcomes: Vec<Outcome>,
    scores: Vec<f64>,
    values: Vec<f64>,
    lengths: Vec<f64>,
}

/// Scores all rows of a file and measures what comes of it.
pub fn evaluate(artifact: &Artifact, data: &Path) -> anyhow::Result<Evaluation> {
    let scoring = Scoring::of(artifact);
    let mut collected: Vec<Collected> = scoring.pairs.iter().map(|_| Collected::default()).collect();
    let mut all = Evaluation::default();
    rows(data, |row| {
        all.rows += 1;
        let seen = artifact.extend(&Features::of_prompt(&row.prompt));
        *all.buckets.entry(artifact.judge(&seen).bucket.name()).or_default() += 1;
        all.unknown.extend(row.scores.keys().filter(|name| artifact.quality(&seen, name).is_none()).cloned());
        let pair = scoring.pair(&row).and_then(|place| Some((collected.get_mut(place)?, scoring.pairs.get(place)?)));
        match pair.and_then(|(into, pair)| Some((into, outcome(&row, pair)?))) {
            None => *all.unpaired.entry(row.source.clone()).or_default() += 1,
            Some((into, outcome)) => {
                into.outcomes.push(outcome);
                into.scores.push(scoring.score(artifact, &seen, &row));
                into.values.push(scoring.value(artifact, &seen, &row));
                into.lengths.push(row.prompt.chars().count() as f64);
            }
        }
        Ok(())
    })?;
    all.trained_on = trained_on(artifact, data)?;
    let pairs = scoring.pairs.iter().zip(collected).filter(|(_, collected)| !collected.outcomes.is_empty());
    all.pairs = pairs.map(|(pair, collected)| measured(pair, collected)).collect();
    Ok(all)
}

/// Whether the artifact's metadata names the file by its hash.
fn trained_on(artifact: &Artifact, data: &Path) -> anyhow::Result<bool> {
    let metadata: Value = serde_json::from_str(&artifact.parts().metadata)?;
    let mut hash = Sha256::new();
    std::io::copy(&mut File::open(data)?, &mut hash)?;
    let hash: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(metadata.get("data_sha256").and_then(Value::as_str) == Some(hash.as_str()))
}

fn outcome(row: &Row, pair: &Pair) -> Option<Outcome> {
    let of = |model: &String| Some((*row.scores.get(model)?, row.cost.get(model).copied().unwrap_or_default()));
    Some(Outcome { id: row.id.clone(), strong: of(&pair.strong)?, weak: of(&pair.weak)? })
}

fn measured(pair: &Pair, collected: Collected) -> Measured {
    let Collected { outcomes, scores, values, lengths } = collected;
    let outcomes = Outcomes::new(outcomes);
    let [cpt50, cpt80] = outcomes.cpt(&scores, [0.5, 0.8]);
    let [by_value, by_need, by_length] = [&values, &scores, &lengths].map(|by| outcomes.curve(by));
    let frozen = |threshold: f64| {
        let point = outcomes.at(&values, threshold);
        let (quality, cost) = outcomes.strong;
        Frozen { calls: point.share, kept: point.quality / quality, saved: 1.0 - point.cost / cost }
    };
    let saving = |keep: u8, of: fn(&Thresholds) -> Option<f64>| {
        let quality = outcomes.strong.0 * f64::from(keep) / 100.0;
        let [frozen, together] =
            [&pair.thresholds, &pair.together].map(|thresholds| of(thresholds).map_or(ALWAYS, frozen));
        let [curve, need, length] = [&by_value, &by_need, &by_length].map(|curve| outcomes.saving(curve, quality));
        Saving { keep, frozen, together, curve, need, length, chance: outcomes.saving_by_chance(quality) }
    };
    Measured {
        pair: pair.name.clone(),
        rows: outcomes.count(),
        weak: outcomes.weak.0,
        strong: outcomes.strong.0,
        apgr: outcomes.apgr(&scores),
        apgr_by_length: outcomes.apgr(&lengths),
        cpt50,
        cpt80,
        savings: [saving(99, |thresholds| thresholds.nearly), saving(100, |thresholds| thresholds.equal)],
    }
}
