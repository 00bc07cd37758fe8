//! Makes an artifact of what training wrote: a JSON description beside files of weights and LightGBM's models.
//!
//! What it makes is read back by the reader of the data path before it is written anywhere, so nothing is shipped that would be
//! refused.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use dragoman_core::artifact::{Artifact, Column, Domains, Head, Norm, Parts, Table, Vocabulary};
use dragoman_core::features::{self, GramKind, SCHEMA};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::lightgbm::Forest;
use super::pairs::Pair;
use crate::cli::bad;

/// Largest description, in bytes.
const MAX_TEXT: u64 = 32 << 20;

/// The description; files are named relative to it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Described {
    name: String,
    schema: u32,
    metadata: Map<String, Value>,
    #[serde(default)]
    tables: Vec<DescribedTable>,
    #[serde(default)]
    vocabularies: Vec<DescribedVocabulary>,
    domains: DescribedDomains,
    heads: Vec<DescribedHead>,
    buckets: Buckets,
    /// Kept in the metadata: only measuring needs them.
    #[serde(default)]
    pairs: Vec<Pair>,
    general: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DescribedTable {
    name: String,
    grams: Vec<String>,
    most: u8,
    norm: String,
    bits: u8,
    scale: Vec<f64>,
    bias: Vec<f64>,
    weights: PathBuf,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DescribedVocabulary {
    name: String,
    words: PathBuf,
    weights: PathBuf,
    vectors: PathBuf,
    scale: Vec<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DescribedDomains {
    name: String,
    mean: Vec<f64>,
    inverse: Vec<f64>,
    #[serde(default)]
    bias: Vec<f64>,
    /// One group where nothing is said.
    groups: Option<Vec<u16>>,
    weights: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DescribedHead {
    name: String,
    #[serde(default)]
    also: Vec<String>,
    #[serde(default)]
    base: f64,
    #[serde(default)]
    /// Names of levels, and their weights.
    linear: Vec<(String, f64)>,
    #[serde(default)]
    models: Vec<PathBuf>,
    #[serde(default = "one")]
    scale: f64,
    inputs: Option<Vec<String>>,
    /// What sums mean; themselves, where nothing is said.
    #[serde(default = "straight")]
    knots: Vec<(f64, f64)>,
}

/// From which chance on.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Buckets {
    cheap: f64,
    mid: f64,
}

fn one() -> f64 {
    1.0
}

fn straight() -> Vec<(f64, f64)> {
    vec![(0.0, 0.0), (1.0, 1.0)]
}

/// The bytes of the artifact that a description describes.
pub fn import(description: &Path) -> anyhow::Result<Vec<u8>> {
    let text = crate::cli::read(description, MAX_TEXT)?;
    let said = |why: &dyn std::fmt::Display| bad(format!("{}: {why}", description.display()));
    let described: Described = serde_json::from_str(&text).map_err(|error| said(&error))?;
    let folder = description.parent().unwrap_or(Path::new("."));
    let parts = parts(described, folder).map_err(|error| said(&format_args!("{error:#}")))?;
    let file = parts.write();
    Artifact::read(&file).map_err(|error| said(&error))?;
    Ok(file)
}

fn parts(described: Described, folder: &Path) -> anyhow::Result<Parts> {
    let (here, there) = (features::VERSION, described.schema);
    ensure!(here == there, "it was trained on features of version {there}; here they have version {here}");
    let mut metadata = described.metadata;
    metadata.insert("pairs".into(), serde_json::to_value(&described.pairs)?);
    metadata.extend(described.general.map(|general| ("general".into(), general.into())));
    let mut parts = Parts {
        name: described.name,
        metadata: Value::from(metadata).to_string(),
        thresholds: [described.buckets.cheap, described.buckets.mid].map(|least| (least * 1_000.0).round() as u16),
        ..Parts::default()
    };
    for table in described.tables {
        parts.tables.push(table.read(folder)?);
    }
    for vocabulary in described.vocabularies {
        parts.vocabularies.push(vocabulary.read(folder)?);
    }
    parts.domains = described.domains.read(folder, parts.columns().len())?;
    let columns = parts.columns();
    let place = |(place, name): (usize, &String)| Ok((name.clone(), u16::try_from(place)?));
    let places: HashMap<String, u16> = columns.iter().enumerate().map(place).collect::<anyhow::Result<_>>()?;
    let places: HashMap<&str, u16> = places.iter().map(|(name, place)| (name.as_str(), *place)).collect();
    for head in described.heads {
        let name = head.name.clone();
        parts.heads.push(head.read(folder, &places).with_context(|| format!("head `{name}`"))?);
    }
    Ok(parts)
}

impl DescribedTable {
    fn read(self, folder: &Path) -> anyhow::Result<Table> {
        let kind = |name: &String| GramKind::named(name).with_context(|| format!("no grams are called `{name}`"));
        let norm = match self.norm.as_str() {
            "none" => Norm::None,
            "length" => Norm::Length,
            "mean" => Norm::Mean,
            other => anyhow::bail!("`{other}` is no norm: none, length or mean"),
        };
        ensure!(self.scale.len() == self.bias.len(), "`scale` and `bias` are not of one length");
        let columns = self.scale.iter().zip(&self.bias);
        let columns: Vec<Column> =
            columns.map(|(scale, bias)| Column { scale: *scale as f32, bias: *bias as f32 }).collect();
        let weights = bytes(folder, &self.weights, columns.len() << self.bits.min(32))?;
        Ok(Table {
            name: self.name,
            grams: self.grams.iter().map(kind).collect::<anyhow::Result<_>>()?,
            most: self.most,
            norm,
            bits: self.bits,
            columns,
            weights: signed(&weights),
        })
    }
}

impl DescribedVocabulary {
    fn read(self, folder: &Path) -> anyhow::Result<Vocabulary> {
        let weights = file(folder, &self.weights)?;
        let words = bytes(folder, &self.words, weights.len() * 4)?;
        let places = bytes(folder, &self.vectors, weights.len() * self.scale.len())?;
        let words = words.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word)).collect();
        Ok(Vocabulary::new(self.name, words, weights, rounded(&self.scale), signed(&places)))
    }
}

impl DescribedDomains {
    fn read(self, folder: &Path, width: usize) -> anyhow::Result<Domains> {
        ensure!(
            self.mean.len() == width && self.inverse.len() == width,
            "`domains`: there are {width} numbers ({} dense), and {} means, {} inverses",
            SCHEMA.len(),
            self.mean.len(),
            self.inverse.len()
        );
        let weights = match &self.weights {
            Some(path) => bytes(folder, path, width * self.bias.len() * 4)?,
            None => Vec::new(),
        };
        Ok(Domains {
            name: self.name,
            scales: rounded(&self.mean).into_iter().zip(rounded(&self.inverse)).collect(),
            groups: self.groups.unwrap_or_else(|| vec![u16::try_from(self.bias.len()).unwrap_or(u16::MAX)]),
            biases: rounded(&self.bias),
            weights: weights.as_chunks().0.iter().map(|weight| f32::from_le_bytes(*weight)).collect(),
        })
    }
}

impl DescribedHead {
    fn read(self, folder: &Path, columns: &HashMap<&str, u16>) -> anyhow::Result<Head> {
        let level = |(name, weight): &(String, f64)| {
            let place = columns.get(name.as_str()).with_context(|| format!("no level is called `{name}`"))?;
            Ok((*place, *weight as f32))
        };
        let mut trees = Vec::new();
        for model in &self.models {
            let text = String::from_utf8(file(folder, model)?)?;
            let forest =
                Forest::read(&text).and_then(|forest| forest.over(columns, self.inputs.as_deref(), self.scale));
            trees.extend(forest.with_context(|| model.display().to_string())?);
        }
        Ok(Head {
            linear: self.linear.iter().map(level).collect::<anyhow::Result<_>>()?,
            name: self.name,
            also: self.also,
            base: self.base as f32,
            trees,
            knots: self.knots.iter().map(|(sum, chance)| (*sum as f32, *chance as f32)).collect(),
        })
    }
}

fn file(folder: &Path, name: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(folder.join(name)).with_context(|| name.display().to_string())
}

/// A file that has so many bytes.
fn bytes(folder: &Path, name: &Path, expected: usize) -> anyhow::Result<Vec<u8>> {
    let bytes = file(folder, name)?;
    ensure!(bytes.len() == expected, "{}: {} bytes, {expected} expected", name.display(), bytes.len());
    Ok(bytes)
}

fn signed(bytes: &[u8]) -> Vec<i8> {
    bytes.iter().map(|byte| byte.cast_signed()).collect()
}

fn rounded(numbers: &[f64]) -> Vec<f32> {
    numbers.iter().map(|number| *number as f32).collect()
}
