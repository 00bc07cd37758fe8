//! `dragoman tuning`: artifacts, by which models are selected: making them, measuring them, looking at them. Needs nobody but where
//! it asks the control plane for those that it keeps.

mod artifacts;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};
use dragoman_core::artifact::Artifact;
use serde_json::Value;

use super::shown::lines;
use super::table::Table;
use super::{note, print};
use crate::tuning::evaluate::{Evaluation, Frozen, Measured, Saving, evaluate};
use crate::tuning::import::import;
use crate::tuning::{self, artifact};

/// What is done with artifacts.
#[derive(Debug, Subcommand)]
pub enum TuningCommand {
    /// Write what training reads: a line that names the features, then those of each row, one JSON line a row.
    Features {
        /// The rows: a JSON object a line, with at least `id` and `prompt`. Without, only the names are written.
        #[arg(long, value_name = "FILE")]
        data: Option<PathBuf>,
        /// Where to.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Make an artifact of what training wrote.
    Import {
        /// The description, a JSON file; what it names lies beside it.
        #[arg(long, value_name = "FILE")]
        model: PathBuf,
        /// Where to.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Say what an artifact makes of each row: bucket, chances, qualities and the score by which strong models are asked.
    Predict {
        #[command(flatten)]
        measured: Measuring,
    },
    /// Measure an artifact on rows with outcomes, pair by pair, beside choosing by length and by chance.
    Evaluate {
        #[command(flatten)]
        measured: Measuring,
        /// For programs: one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Say what is in an artifact.
    Show {
        #[command(flatten)]
        which: Which,
    },
    /// Hold two artifacts against each other, on rows if some are given.
    Compare {
        /// The one.
        one: PathBuf,
        /// The other.
        other: PathBuf,
        /// The rows.
        #[arg(long, value_name = "FILE")]
        data: Option<PathBuf>,
    },
    /// The artifacts that the control plane keeps, and the one in use.
    #[command(subcommand)]
    Artifacts(artifacts::ArtifactsCommand),
}

/// Which artifact.
#[derive(Args, Debug)]
pub struct Which {
    /// The artifact; the shipped one without.
    #[arg(long, value_name = "FILE")]
    artifact: Option<PathBuf>,
}

/// On what it is measured.
#[derive(Args, Debug)]
pub struct Measuring {
    /// The rows: a JSON object a line, with `id`, `source`, `prompt`, `scores` and `cost` by model.
    #[arg(long, value_name = "FILE")]
    data: PathBuf,
    #[command(flatten)]
    which: Which,
}

impl TuningCommand {
    /// Does it.
    pub async fn run(self) -> anyhow::Result<()> {
        match self {
            TuningCommand::Artifacts(command) => command.run().await,
            TuningCommand::Features { data, out } => write(&out, |file| tuning::write_features(data.as_deref(), file)),
            TuningCommand::Import { model, out } => {
                let bytes = import(&model)?;
                write(&out, |file| Ok(file.write_all(&bytes)?))?;
                print(&format!("{} is written, {} bytes", out.display(), bytes.len()))
            }
            TuningCommand::Predict { measured } => {
                let artifact = measured.which.read()?;
                tuning::predict(&artifact, &measured.data, &mut BufWriter::new(std::io::stdout().lock()))
            }
            TuningCommand::Evaluate { measured, json } => {
                let evaluation = evaluate(&measured.which.read()?, &measured.data)?;
                if json { print(&serde_json::to_string(&evaluation)?) } else { tell(&evaluation) }
            }
            TuningCommand::Show { which } => show(&which.read()?),
            TuningCommand::Compare { one, other, data } => compare(&one, &other, data.as_deref()),
        }
    }
}

impl Which {
    fn read(&self) -> anyhow::Result<Artifact> {
        artifact(self.artifact.as_deref())
    }
}

fn write(path: &Path, fill: impl FnOnce(&mut dyn Write) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let mut file = BufWriter::new(File::create(path).with_context(|| path.display().to_string())?);
    fill(&mut file)?;
    file.flush().with_context(|| path.display().to_string())
}

fn tell(evaluation: &Evaluation) -> anyhow::Result<()> {
    if evaluation.trained_on {
        note(
            "these are the rows that it was trained on: the figures say nothing of others; tuning/protocol.py measures on rows unseen",
        );
    }
    let mut table = Table::new(["pair", "rows", "weak", "strong", "apgr", "by_length", "by_chance", "cpt50", "cpt80"]);
    for pair in &evaluation.pairs {
        let Measured { rows, weak, strong, apgr, apgr_by_length, cpt50, cpt80, .. } = pair;
        let figures = [*weak, *strong, *apgr, *apgr_by_length, 0.5].map(figure);
        let name_and_rows = [pair.pair.clone(), rows.to_string()];
        table.row(name_and_rows.into_iter().chain(figures).chain([percent(cpt50 / 100.0), percent(cpt80 / 100.0)]));
    }
    let mean = |of: fn(&Measured) -> f64| mean(evaluation.pairs.iter().map(of));
    let (apgr, length) = (mean(|pair| pair.apgr), mean(|pair| pair.apgr_by_length));
    let calls = [mean(|pair| pair.cpt50), mean(|pair| pair.cpt80)].map(|calls| percent(calls / 100.0));
    let macro_means = ["mean of all".into(), String::new(), String::new(), String::new()];
    table.row(macro_means.into_iter().chain([apgr, length, 0.5].map(figure)).chain(calls));
    lines(&table)?;
    print("")?;
    lines(&savings(&evaluation.pairs))?;
    for (bucket, rows) in &evaluation.buckets {
        note(&format!("{bucket}: {rows} of {} rows", evaluation.rows));
    }
    for (source, rows) in &evaluation.unpaired {
        note(&format!(
            "{rows} rows of `{source}` belong to no pair of this artifact; they were scored in general and not measured"
        ));
    }
    for model in &evaluation.unknown {
        note(&format!("nothing is predicted of {model}"));
    }
    Ok(())
}

/// What is saved where quality is kept: by the frozen threshold, and at the best point of the curve of each way to choose. `all as
/// one`: by thresholds with which the pairs keep it together, each for the others' sake.
fn savings(pairs: &[Measured]) -> Table {
    let mut table = Table::new(["pair", "keep", "calls", "kept", "saved", "on_curve", "by_length", "by_chance"]);
    for at in 0..2 {
        let all: Vec<_> = pairs.iter().map(|pair| (pair.pair.as_str(), pair.savings[at])).collect();
        for (name, saving) in &all {
            let others = [saving.curve, saving.length, Some(saving.chance)];
            table.row(saved(name, saving.keep, &saving.frozen, others));
        }
        if let Some((_, first)) = all.first() {
            let mean = |of: fn(&Saving) -> f64| mean(all.iter().map(|(_, saving)| of(saving)));
            let frozen = Frozen {
                calls: mean(|it| it.frozen.calls),
                kept: mean(|it| it.frozen.kept),
                saved: mean(|it| it.frozen.saved),
            };
            // A way that reaches the quality at no point saves nothing.
            let others =
                [mean(|it| it.curve.unwrap_or(0.0)), mean(|it| it.length.unwrap_or(0.0)), mean(|it| it.chance)];
            table.row(saved("mean of all", first.keep, &frozen, others.map(Some)));
            let together = Frozen {
                calls: mean(|it| it.together.calls),
                kept: mean(|it| it.together.kept),
                saved: mean(|it| it.together.saved),
            };
            table.row(saved("all as one", first.keep, &together, [None; 3]));
        }
    }
    table
}

fn saved(name: &str, keep: u8, frozen: &Frozen, others: [Option<f64>; 3]) -> impl Iterator<Item = String> {
    let shares = [frozen.calls, frozen.kept, frozen.saved].map(Some).into_iter().chain(others);
    [name.to_owned(), format!("{keep} %")].into_iter().chain(shares.map(|share| share.map(percent).unwrap_or_default()))
}

fn show(artifact: &Artifact) -> anyhow::Result<()> {
    let parts = artifact.parts();
    let mut table = Table::headless();
    let [cheap, mid] = parts.thresholds;
    for (name, value) in [
        ("name", parts.name.clone()),
        ("sha256", artifact.digest().to_owned()),
        ("bytes", parts.write().len().to_string()),
        ("features", format!("version {}", dragoman_core::features::VERSION)),
        ("buckets", format!("cheap from {cheap} thousandths on, mid from {mid}")),
        ("numbers", parts.columns().len().to_string()),
        ("trees", parts.heads.iter().map(|head| head.trees.len()).sum::<usize>().to_string()),
    ] {
        table.row([name.to_owned(), value]);
    }
    for head in &parts.heads {
        let also = if head.also.is_empty() { String::new() } else { format!("also {}", head.also.join(", ")) };
        table.row([format!("head {}", head.name), also]);
    }
    lines(&table)?;
    let metadata: Value = serde_json::from_str(&parts.metadata)?;
    print(&format!("{metadata:#}"))
}

fn compare(one: &Path, other: &Path, data: Option<&Path>) -> anyhow::Result<()> {
    let artifacts = [artifact(Some(one))?, artifact(Some(other))?];
    let [one, other] = &artifacts;
    let mut table = Table::new(["", "one", "other"]);
    table.row(["name".into(), one.name().into(), other.name().into()]);
    table.row(["sha256".into(), one.digest().into(), other.digest().into()]);
    let thresholds = |artifact: &Artifact| format!("{:?}", artifact.parts().thresholds);
    table.row(["thresholds".into(), thresholds(one), thresholds(other)]);
    let heads = |artifact: &Artifact| artifact.parts().heads.len().to_string();
    table.row(["heads".into(), heads(one), heads(other)]);
    if let Some(data) = data {
        let [one, other] = [evaluate(one, data)?, evaluate(other, data)?];
        for pair in &one.pairs {
            let same = other.pairs.iter().find(|same| same.pair == pair.pair);
            let apgr = same.map(|same| figure(same.apgr)).unwrap_or_default();
            table.row([format!("apgr of {}", pair.pair), figure(pair.apgr), apgr]);
        }
        for bucket in one.buckets.keys().chain(other.buckets.keys().filter(|name| !one.buckets.contains_key(*name))) {
            let rows = |of: &Evaluation| of.buckets.get(bucket).copied().unwrap_or(0).to_string();
            table.row([format!("rows that are {bucket}"), rows(&one), rows(&other)]);
        }
    }
    lines(&table)
}

fn mean(numbers: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = numbers.fold((0.0, 0.0), |(sum, count), number| (sum + number, count + 1.0));
    sum / count
}

fn figure(number: f64) -> String {
    format!("{number:.4}")
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}
