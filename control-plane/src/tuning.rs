//! Training, measuring and looking at the artifacts by which models are selected (`dragoman_core::artifact`).
//!
//! ```text
//! rows ─▶ features ─▶ tuning/train.py ─▶ import ─▶ artifact ─▶ evaluate, predict ◀─ rows
//! ```
//!
//! Why so: what trains and what measures sees requests through the very code of the data path, so a figure printed here is that of
//! what runs inside Envoy.

pub mod evaluate;
pub mod import;
mod lightgbm;
pub mod measure;
mod pairs;
mod rows;

use std::io::Write;
use std::path::Path;

use anyhow::Context;
use dragoman_core::artifact::Artifact;
use dragoman_core::features::{self, Features, GramKind, SCHEMA};
use serde_json::{Map, Value, json};

use crate::cli::bad;
use crate::store::hex;

pub use pairs::{Pair, Scoring, Thresholds};
pub use rows::{Row, rows};

/// The artifact that everybody has; `tuning/README.md` says how it was made.
pub const SHIPPED: &[u8] = include_bytes!("../catalog/tuning.artifact");

/// Its SHA-256, in hexadecimal digits, with which it ends.
pub fn shipped_digest() -> String {
    SHIPPED.last_chunk::<32>().map(|digest| hex(digest)).unwrap_or_default()
}

/// Reads the artifact of a file, or the shipped one.
pub fn artifact(file: Option<&Path>) -> anyhow::Result<Artifact> {
    let Some(file) = file else { return Artifact::read(SHIPPED).context("the shipped artifact") };
    let name = file.display();
    let bytes = std::fs::read(file).map_err(|error| bad(format!("{name}: {error}")))?;
    Artifact::read(&bytes).map_err(|error| bad(format!("{name}: {error}")))
}

/// Writes what training reads: a line that names the numbers, then one for each row, if there are any.
pub fn write_features(data: Option<&Path>, out: &mut dyn Write) -> anyhow::Result<()> {
    let names: Vec<&str> = SCHEMA.iter().map(|(name, _)| *name).collect();
    writeln!(out, "{}", json!({"schema": features::VERSION, "dense": names}))?;
    let Some(data) = data else { return Ok(()) };
    rows(data, |row| {
        let seen = Features::of_prompt(&row.prompt);
        let mut line = Map::from_iter([("id".into(), row.id.into()), ("dense".into(), seen.dense().into())]);
        line.extend(GramKind::ALL.map(|kind| (kind.name().into(), seen.grams(kind).into())));
        Ok(writeln!(out, "{}", Value::from(line))?)
    })
}

/// Writes one line for each row: what the artifact says of it.
pub fn predict(artifact: &Artifact, data: &Path, out: &mut dyn Write) -> anyhow::Result<()> {
    let scoring = Scoring::of(artifact);
    let heads: Vec<&str> = artifact.parts().heads.iter().map(|head| head.name.as_str()).collect();
    rows(data, |row| {
        let seen = artifact.extend(&Features::of_prompt(&row.prompt));
        let opinion = artifact.judge(&seen);
        let names = heads.iter().copied().chain(row.scores.keys().map(String::as_str));
        let quality = |name: &str| Some((name.to_owned(), artifact.quality(&seen, name)?.into()));
        let line = json!({
            "id": row.id,
            "bucket": opinion.bucket.name(),
            "cheap": f64::from(opinion.cheap) / 1_000.0,
            "mid": f64::from(opinion.mid) / 1_000.0,
            "q": names.filter_map(quality).collect::<Map<String, Value>>(),
            "score": scoring.score(artifact, &seen, &row),
            "value": scoring.value(artifact, &seen, &row),
        });
        Ok(writeln!(out, "{line}")?)
    })
}

#[cfg(test)]
mod tests;
