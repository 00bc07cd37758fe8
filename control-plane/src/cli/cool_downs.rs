//! `dragoman cool-down`: whose own token is not sent to which provider for a while, by the admin API.

use clap::Subcommand;
use reqwest::Method;
use serde_json::Value;

use super::client::Api;
use super::print;
use super::shown::{Shown, cell, when};
use super::table::{Table, plain};

/// What is done with cool-downs.
#[derive(Debug, Subcommand)]
pub enum CoolDownCommand {
    /// List those that hold.
    List {
        /// Only those of this account and of those below it.
        #[arg(long, value_name = "ACCOUNT")]
        account: Option<String>,
        #[command(flatten)]
        api: Api,
        #[command(flatten)]
        shown: Shown,
    },
    /// End one before its time.
    Clear {
        /// The provider.
        provider: String,
        /// Which token, as `cool-down list` and Records name it.
        bearer: String,
        #[command(flatten)]
        api: Api,
        #[command(flatten)]
        shown: Shown,
    },
}

impl CoolDownCommand {
    /// Does it.
    pub async fn run(self) -> anyhow::Result<()> {
        match self {
            CoolDownCommand::List { account, api, shown } => {
                let query: Vec<(&str, &str)> = account.iter().map(|account| ("account", account.as_str())).collect();
                let items = api.client()?.list(&["cool-downs"], &query, usize::MAX).await?;
                shown.list(&items, listed)
            }
            CoolDownCommand::Clear { provider, bearer, api, shown } => {
                let client = api.client()?;
                let done = client.ask(Method::DELETE, &["cool-downs", &provider, &bearer])?.answer().await?;
                shown.one(&done, |_| print(&format!("{} may be asked with it again", plain(&provider))))
            }
        }
    }
}

fn listed(items: &[Value]) -> Table {
    let mut table = Table::new(["provider", "bearer", "caller", "account", "until"]);
    for item in items {
        let [provider, bearer, caller, account] =
            ["provider", "bearer", "caller", "account"].map(|member| cell(&item[member]));
        table.row([provider, bearer, caller, account, when(&item["until_ms"])]);
    }
    table
}
