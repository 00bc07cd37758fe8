//! `dragoman feedback`: what is said of exchanges, by the admin API.

use clap::Subcommand;
use reqwest::Method;
use serde_json::{Map, Value};

use super::client::Api;
use super::print;
use super::shown::{Shown, cell, when};
use super::table::{Table, plain};

/// What is done with feedback.
#[derive(Debug, Subcommand)]
pub enum FeedbackCommand {
    /// Say how good an exchange's answer was.
    Give {
        /// Its id, as x-dragoman-request-id says.
        exchange: String,
        /// From 0 to 1.
        #[arg(long)]
        score: Option<f64>,
        /// A word for it.
        #[arg(long)]
        label: Option<String>,
        #[command(flatten)]
        api: Api,
        #[command(flatten)]
        shown: Shown,
    },
    /// List what was said, the newest first.
    List {
        /// Only of exchanges of this account and of those below it.
        #[arg(long, value_name = "ACCOUNT")]
        account: Option<String>,
        /// How many.
        #[arg(long, default_value_t = 100)]
        limit: usize,
        #[command(flatten)]
        api: Api,
        #[command(flatten)]
        shown: Shown,
    },
    /// Print what an artifact can be trained on, one JSON document a line: features, bucket, target, cost and score.
    Export {
        #[command(flatten)]
        api: Api,
    },
}

impl FeedbackCommand {
    /// Does it.
    pub async fn run(self) -> anyhow::Result<()> {
        match self {
            FeedbackCommand::Give { exchange, score, label, api, shown } => {
                let members = [
                    ("exchange", Some(Value::from(exchange.clone()))),
                    ("score", score.map(Value::from)),
                    ("label", label.map(Value::from)),
                ];
                let said: Map<String, Value> =
                    members.into_iter().filter_map(|(name, value)| Some((name.to_string(), value?))).collect();
                let client = api.client()?;
                let done = client.ask(Method::POST, &["feedback"])?.body(&Value::Object(said)).answer().await?;
                shown.one(&done, |_| print(&format!("noted of {}", plain(&exchange))))
            }
            FeedbackCommand::List { account, limit, api, shown } => {
                let query: Vec<(&str, &str)> = account.iter().map(|account| ("account", account.as_str())).collect();
                let items = api.client()?.list(&["feedback"], &query, limit).await?;
                shown.list(&items, listed)
            }
            FeedbackCommand::Export { api } => {
                let items = api.client()?.list(&["feedback", "examples"], &[], usize::MAX).await?;
                items.iter().try_for_each(|item| print(&item.to_string()))
            }
        }
    }
}

fn listed(items: &[Value]) -> Table {
    let mut table = Table::new(["exchange", "score", "label", "account", "by", "when"]);
    for item in items {
        let [exchange, score, label, account, actor] =
            ["exchange", "score", "label", "account", "actor"].map(|member| cell(&item[member]));
        table.row([exchange, score, label, account, actor, when(&item["made_ms"])]);
    }
    table
}
