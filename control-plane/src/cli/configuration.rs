//! `dragoman apply`, `diff` and `export`: all rows at once.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use reqwest::Method;
use serde_json::Value;

use super::bad_input::bad;
use super::client::Api;
use super::rows::served;
use super::shown::{Reader, Shown};
use super::snapshots::differences;
use super::table::plain;
use super::{bundle, input, note, print};
use crate::settings::MAX_FILE;

/// Rows of a file, and where they go.
#[derive(Args, Debug)]
pub struct Rows {
    /// Rows in the words of dragoman.toml; `-` is the input.
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
    /// Take away what the admin API said of rows that are not in the file.
    #[arg(long)]
    prune: bool,
    #[command(flatten)]
    api: Api,
    #[command(flatten)]
    shown: Shown,
}

/// What `apply` is told.
#[derive(Args, Debug)]
pub struct Apply {
    #[command(flatten)]
    rows: Rows,
    /// Only say what would change.
    #[arg(long)]
    dry_run: bool,
}

/// What `export` is told.
#[derive(Args, Debug)]
pub struct Export {
    #[command(flatten)]
    api: Api,
    #[command(flatten)]
    shown: Shown,
}

/// Whether it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Intent {
    Change,
    Look,
}

impl Rows {
    async fn ask(&self, intent: Intent) -> anyhow::Result<Value> {
        let name = self.file.display().to_string();
        let bundle = bundle::read(&name, &input::read(&self.file, MAX_FILE)?)?;
        if !bundle.left.is_empty() {
            note(&format!("not applied, for only rows are: {}", plain(&bundle.left.join(", "))));
        }
        let client = self.api.client()?;
        let question = client.ask(Method::POST, &["apply"])?.query("prune", &self.prune.to_string());
        let question = match intent {
            Intent::Look => question.query("dry_run", "true"),
            Intent::Change => question,
        };
        question.body(&bundle.rows).answer().await
    }
}

impl Apply {
    /// Does it.
    pub async fn run(self) -> anyhow::Result<()> {
        let intent = if self.dry_run { Intent::Look } else { Intent::Change };
        let applied = self.rows.ask(intent).await?;
        self.rows.shown.one(&applied, |applied| {
            let differences = differences(applied);
            differences.iter().try_for_each(|line| print(line))?;
            match intent {
                _ if differences.is_empty() => print("nothing differs"),
                Intent::Look => print("this could be served; nothing was changed"),
                Intent::Change => print(&format!("applied{}", served(applied))),
            }
        })
    }
}

impl Rows {
    /// `diff`: says what `apply` would change; 1 when that is something, so that trouble is 2.
    pub async fn diff(self) -> anyhow::Result<ExitCode> {
        let applied = self.ask(Intent::Look).await.map_err(|error| bad(format!("{error:#}")))?;
        let differences = differences(&applied);
        self.shown.one(&applied, |_| differences.iter().try_for_each(|line| print(line)))?;
        Ok(if differences.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

impl Export {
    /// Does it.
    pub async fn run(self) -> anyhow::Result<()> {
        let rows = self.api.client()?.get(&["export"]).await?;
        match self.shown.reader() {
            Reader::Programs => print(&rows.to_string()),
            Reader::People => print(bundle::said(&rows).toml().trim_end()),
        }
    }
}
