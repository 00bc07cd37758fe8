//! `dragoman snapshot`: what was published, and the way back.

use clap::Subcommand;
use reqwest::Method;
use serde_json::Value;

use super::client::Api;
use super::print;
use super::rows::served;
use super::shown::{Shown, cell, when};
use super::table::{Table, plain};

/// Digits of a digest that people compare.
const DIGITS: usize = 12;

/// What is done with Snapshots.
#[derive(Debug, Subcommand)]
pub enum SnapshotCommand {
    /// Published Snapshots, the newest first.
    List {
        /// How many.
        #[arg(long, default_value_t = 20)]
        limit: usize,
        #[command(flatten)]
        api: Api,
        #[command(flatten)]
        shown: Shown,
    },
    /// A Snapshot as the filters read it, in JSON.
    Show {
        /// A version of `snapshot list`.
        version: u64,
        #[command(flatten)]
        api: Api,
        #[command(flatten)]
        shown: Shown,
    },
    /// What another Snapshot has (+), has not (-) and has otherwise (~).
    Diff {
        /// A version of `snapshot list`.
        version: u64,
        /// The other one; the one that is served when left out.
        to: Option<u64>,
        #[command(flatten)]
        api: Api,
        #[command(flatten)]
        shown: Shown,
    },
    /// Make the rows of the admin API what they were when that Snapshot was made.
    Rollback {
        /// A version of `snapshot list`.
        version: u64,
        #[command(flatten)]
        api: Api,
        #[command(flatten)]
        shown: Shown,
    },
}

impl SnapshotCommand {
    /// Does it.
    pub async fn run(self) -> anyhow::Result<()> {
        match self {
            SnapshotCommand::List { limit, api, shown } => {
                let items = api.client()?.list(&["snapshots"], &[], limit).await?;
                shown.list(&items, listed)
            }
            SnapshotCommand::Show { version, api, shown } => {
                let document = api.client()?.get(&["snapshots", &version.to_string()]).await?;
                shown.one(&document, |document| print(&format!("{document:#}")))
            }
            SnapshotCommand::Diff { version, to, api, shown } => {
                let client = api.client()?;
                let mut question = client.ask(Method::GET, &["snapshots", &version.to_string(), "diff"])?;
                if let Some(to) = to {
                    question = question.query("to", &to.to_string());
                }
                shown.one(&question.answer().await?, |difference| {
                    differences(difference).iter().try_for_each(|line| print(line))
                })
            }
            SnapshotCommand::Rollback { version, api, shown } => {
                let client = api.client()?;
                let question = client.ask(Method::POST, &["snapshots", &version.to_string(), "rollback"])?;
                shown.one(&question.answer().await?, |done| {
                    print(&format!("rows are those of Snapshot {version}{}", served(done)))?;
                    let remaining = done["remaining"].as_array().into_iter().flatten();
                    remaining.map(cell).try_for_each(|name| print(&format!("differs still: {name}")))
                })
            }
        }
    }
}

/// What was added, changed and removed, one a line.
pub fn differences(said: &Value) -> Vec<String> {
    let lines = |name: &str, mark: char| -> Vec<String> {
        let names = said[name].as_array().into_iter().flatten().filter_map(Value::as_str);
        names.map(|name| format!("{mark} {}", plain(name))).collect()
    };
    [lines("added", '+'), lines("changed", '~'), lines("removed", '-')].concat()
}

fn listed(items: &[Value]) -> Table {
    let mut table = Table::new(["version", "made", "revision", "digest", "state"]);
    for item in items {
        let state = match (item["served"].as_bool(), item["rejected"].as_str()) {
            (_, Some(why)) => format!("rejected: {why}"),
            (Some(true), None) => "served".to_string(),
            _ => String::new(),
        };
        let digest = cell(&item["digest"]).chars().take(DIGITS).collect();
        table.row([cell(&item["version"]), when(&item["made_ms"]), cell(&item["revision"]), digest, state]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn differences_are_marked() {
        let said = json!({ "added": ["route/a"], "removed": ["model/\u{1b}b"], "changed": ["alias/c"], "from": 1 });
        assert_eq!(differences(&said), ["+ route/a", "~ alias/c", "- model/ b"]);
        assert!(differences(&json!({ "added": [], "changed": [], "removed": [] })).is_empty());
    }

    #[test]
    fn a_rejected_snapshot_is_never_called_served() {
        let items = [
            json!({ "version": 2, "made_ms": 0, "revision": 1, "digest": "0123456789abcdef", "served": true, "rejected": "why" }),
        ];
        assert_eq!(listed(&items).lines()[1], "2        1970-01-01 00:00  1         0123456789ab  rejected: why");
    }
}
