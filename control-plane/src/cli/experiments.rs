//! `dragoman experiment`: rows of experiments, and what came of them.

use clap::Subcommand;
use reqwest::Method;
use serde_json::Value;

use super::client::Api;
use super::records::dollars;
use super::rows::RowCommand;
use super::shown::{Shown, cell, lines};
use super::table::Table;
use crate::settings::Kind;

/// What is done with experiments.
#[derive(Debug, Subcommand)]
pub enum ExperimentCommand {
    #[command(flatten)]
    Row(RowCommand),
    /// What came of each arm, and whether it differs from the first by more than chance.
    Results {
        /// The experiment.
        id: String,
        /// What began then or later: a day such as 2026-11-01 in UTC, or a moment.
        #[arg(long)]
        from: Option<String>,
        /// What began before.
        #[arg(long)]
        until: Option<String>,
        #[command(flatten)]
        api: Api,
        #[command(flatten)]
        shown: Shown,
    },
}

impl ExperimentCommand {
    /// Does it.
    pub async fn run(self) -> anyhow::Result<()> {
        match self {
            ExperimentCommand::Row(command) => command.run(Kind::Experiment).await,
            ExperimentCommand::Results { id, from, until, api, shown } => {
                let client = api.client()?;
                let mut question = client.ask(Method::GET, &["experiments", &id, "results"])?;
                for (name, value) in [("from", from), ("until", until)] {
                    if let Some(value) = value {
                        question = question.query(name, &value);
                    }
                }
                shown.one(&question.answer().await?, |found| lines(&told(&found["arms"])))
            }
        }
    }
}

fn told(arms: &Value) -> Table {
    let mut table = Table::new([
        "arm",
        "to",
        "weight",
        "requests",
        "errors",
        "mean cost",
        "p50 ms",
        "p95 ms",
        "score",
        "differs (p)",
    ]);
    for arm in arms.as_array().into_iter().flatten() {
        let names = ["arm", "to", "weight", "requests", "errors", "latency_p50_ms", "latency_p95_ms", "score"];
        let [name, mut to, weight, requests, errors, half, most, score] = names.map(|member| cell(&arm[member]));
        let cost = dollars(&arm["mean_cost_micros"]);
        if let Some(artifact) = arm["artifact"].as_str() {
            to = format!("{to} by {artifact:.12}");
        }
        let said = ["error_permille", "cost_micros", "latency_ms", "score"].into_iter().filter_map(|what| {
            let p = arm["against_first"][what]["p"].as_f64()?;
            Some(format!("{} {p:.3}", what.split('_').next().unwrap_or(what)))
        });
        let differs = said.collect::<Vec<_>>().join(", ");
        table.row([name, to, weight, requests, errors, cost, half, most, score, differs]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_arm_shows_by_what_it_chooses() {
        let arm = |artifact: Value| json!({ "arm": "a", "to": "auto", "artifact": artifact, "weight": 1 });
        let table = told(&json!([arm(Value::Null), arm("none".into()), arm("0123456789abcdef".into())]));
        let begins = ["a    auto  ", "a    auto by none", "a    auto by 0123456789ab  "];
        for (line, begins) in table.lines().iter().skip(1).zip(begins) {
            assert!(line.starts_with(begins), "{line}");
        }
    }
}
