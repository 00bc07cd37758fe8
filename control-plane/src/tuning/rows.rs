//! Outcomes of models on prompts, a JSON object a line, as training and measuring read them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use serde::Deserialize;

use crate::cli::bad;

/// Longest line, in bytes: the largest request and some figures.
const MAX_LINE: u64 = 80 << 20;

/// One prompt, and what models made of it.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Row {
    /// Its name; ties between scores are broken by it.
    pub id: String,
    /// Where it comes from.
    #[serde(default)]
    pub source: String,
    /// What was asked.
    pub prompt: String,
    /// How well each model answered, 0 to 1.
    #[serde(default)]
    pub scores: BTreeMap<String, f64>,
    /// What each answer cost, in dollars.
    #[serde(default)]
    pub cost: BTreeMap<String, f64>,
}

/// Hands the rows of a file to `take`, one by one: none is kept.
pub fn rows(file: &Path, mut take: impl FnMut(Row) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let name = file.display();
    let unreadable = |error: std::io::Error| bad(format!("{name}: {error}"));
    let mut lines = BufReader::new(File::open(file).map_err(unreadable)?);
    let mut line = String::new();
    for number in 1.. {
        line.clear();
        if lines.by_ref().take(MAX_LINE).read_line(&mut line).map_err(unreadable)? == 0 {
            break;
        }
        if !line.trim().is_empty() {
            take(serde_json::from_str(&line).map_err(|error| bad(format!("{name}, line {number}: {error}")))?)?;
        }
    }
    Ok(())
}
