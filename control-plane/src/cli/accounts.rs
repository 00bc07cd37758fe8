//! `dragoman account`: the tree of who pays.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::client::Api;
use super::keys::warn_of;
use super::print;
use super::records::dollars;
use super::shown::{Shown, cell, lines, when};
use super::table::{Table, plain};
use super::terms::{TermsArgs, budgets_cell};
use crate::accounts::AccountKind;

/// What is done with accounts.
#[derive(Debug, Subcommand)]
pub enum AccountCommand {
    /// List the accounts.
    List {
        /// Of the tree of this account only.
        #[arg(long, value_name = "ID")]
        within: Option<String>,
        #[command(flatten)]
        api: Api,
        #[command(flatten)]
        shown: Shown,
    },
    /// One account with its Terms.
    Show {
        /// Its id, such as acme.research.
        id: String,
        #[command(flatten)]
        api: Api,
        #[command(flatten)]
        shown: Shown,
    },
    /// Make an account, or say all that it may do and spend from now on.
    Put(Box<Put>),
    /// Take away an account on which nothing hangs any more.
    Delete {
        /// Its id.
        id: String,
        /// Only if it is as this entity tag says.
        #[arg(long, value_name = "TAG")]
        if_match: Option<String>,
        #[command(flatten)]
        api: Api,
        #[command(flatten)]
        shown: Shown,
    },
    /// What is spent and left of its budgets.
    Budgets {
        /// Its id.
        id: String,
        /// Those of the accounts above it, too.
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        api: Api,
        #[command(flatten)]
        shown: Shown,
    },
}

/// What an account is to be.
#[derive(Args, Debug)]
pub struct Put {
    /// Its id: its path from its tenant, such as acme.research.
    id: String,
    /// What it is.
    #[arg(long, value_parser = kinds())]
    kind: AccountKind,
    #[command(flatten)]
    terms: TermsArgs,
    /// Only if it is as this entity tag says.
    #[arg(long, value_name = "TAG")]
    if_match: Option<String>,
    #[command(flatten)]
    api: Api,
    #[command(flatten)]
    shown: Shown,
}

fn kinds() -> impl TypedValueParser<Value = AccountKind> {
    let names = PossibleValuesParser::new(AccountKind::ALL.map(AccountKind::name));
    names.try_map(|name| AccountKind::named(&name).ok_or("no such kind"))
}

impl AccountCommand {
    /// Does it.
    pub async fn run(self) -> anyhow::Result<()> {
        match self {
            AccountCommand::List { within, api, shown } => {
                let query: Vec<(&str, &str)> = within.iter().map(|within| ("within", within.as_str())).collect();
                let items = api.client()?.list(&["accounts"], &query, usize::MAX).await?;
                shown.list(&items, listed)
            }
            AccountCommand::Show { id, api, shown } => {
                let item = api.client()?.get(&["accounts", &id]).await?;
                shown.one(&item, told)
            }
            AccountCommand::Put(put) => put.run().await,
            AccountCommand::Delete { id, if_match, api, shown } => {
                let client = api.client()?;
                let question = client.ask(Method::DELETE, &["accounts", &id])?.only_if(if_match.as_deref())?;
                let done = question.answer().await?;
                shown.one(&done, |_| print(&format!("account {} deleted", plain(&id))))
            }
            AccountCommand::Budgets { id, all, api, shown } => {
                let client = api.client()?;
                let all = if all { "true" } else { "false" };
                let question = client.ask(Method::GET, &["accounts", &id, "budgets"])?.query("all", all);
                let items = question.answer().await?["items"].as_array().cloned().unwrap_or_default();
                shown.list(&items, budgets_table)
            }
        }
    }
}

impl Put {
    async fn run(self) -> anyhow::Result<()> {
        let body = json!({ "kind": self.kind.name(), "terms": self.terms.read()? });
        let client = self.api.client()?;
        let question = client.ask(Method::PUT, &["accounts", &self.id])?.only_if(self.if_match.as_deref())?;
        let done = question.body(&body).answer().await?;
        warn_of(&done);
        let id = plain(&self.id);
        self.shown
            .one(&done, |done| print(&format!("account {id} set (revision {})", cell(&done["account"]["revision"]))))
    }
}

fn listed(items: &[Value]) -> Table {
    let mut table = Table::new(["id", "kind", "budgets", "routes", "changed"]);
    for item in items {
        let budgets = budgets_cell(&item["terms"]);
        let routes = cell(&item["terms"]["routes"]);
        table.row([cell(&item["id"]), cell(&item["kind"]), budgets, routes, when(&item["changed_ms"])]);
    }
    table
}

fn told(item: &Value) -> anyhow::Result<()> {
    let mut about = Table::headless();
    about.row(["id".into(), cell(&item["id"])]);
    about.row(["kind".into(), cell(&item["kind"])]);
    about.row(["tag".into(), cell(&item["revision"])]);
    about.row(["changed".into(), format!("{} by {}", when(&item["changed_ms"]), cell(&item["changed_by"]))]);
    lines(&about)?;
    print("")?;
    for (name, value) in item["terms"].as_object().into_iter().flatten() {
        print(&format!("{} = {}", plain(name), plain(&value.to_string())))?;
    }
    Ok(())
}

/// Budgets as they stand.
pub fn budgets_table(items: &[Value]) -> Table {
    let mut table = Table::new(["holder", "unit", "per", "limit", "spent", "lent", "held", "free", "%", "begins_anew"]);
    for item in items {
        let amount = |name: &str| match item["unit"].as_str() {
            Some("usd") => dollars(&item[name]),
            _ => cell(&item[name]),
        };
        let [holder, unit, per, percent] = ["holder", "unit", "per", "percent"].map(|name| cell(&item[name]));
        let [limit, spent, lent, held, free] = ["limit", "spent", "leased", "reserved", "free"].map(amount);
        let ends = when(&item["window_ends_ms"]);
        table.row([holder, unit, per, limit, spent, lent, held, free, percent, ends]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_in_dollars_and_everything_else_is_counted() {
        let items = [
            json!({ "holder": "acme", "unit": "usd", "per": "month", "limit": 100_000_000, "spent": 1_500_000, "leased": 0,
                    "reserved": 0, "free": 98_500_000, "percent": 1, "window_ends_ms": 1_795_763_580_000_i64 }),
            json!({ "holder": "key_1", "unit": "requests", "per": "total", "limit": 5, "spent": 1, "leased": 2, "reserved": 0,
                    "free": 2, "percent": 20, "window_ends_ms": null }),
        ];
        let lines = budgets_table(&items).lines();
        assert_eq!(
            lines[1].split_whitespace().collect::<Vec<_>>()[..5],
            ["acme", "usd", "month", "$100.000000", "$1.500000"]
        );
        assert_eq!(
            lines[2].split_whitespace().collect::<Vec<_>>(),
            ["key_1", "requests", "total", "5", "1", "2", "0", "2", "20"]
        );
    }
}
