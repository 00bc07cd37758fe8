//! `dragoman costs` and `dragoman ledger`: what was spent, as a report, as lines, and held against a bill.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};
use reqwest::Method;
use serde_json::{Value, json};

use super::bad_input::bad;
use super::client::{Api, Question};
use super::input;
use super::shown::{Shown, cell, lines};
use super::table::Table;
use crate::store::costs::{Amount, By};

/// Largest bill.
const MAX_BILL: u64 = 15 << 20;

/// What is reported.
#[derive(Args, Debug)]
pub struct Costs {
    /// By what: provider, model, key, account, team, tag:NAME, day, route or state.
    #[arg(long, default_value = "provider")]
    by: String,
    /// Most names; the dearest ones.
    #[arg(long, default_value_t = 100)]
    limit: u32,
    #[command(flatten)]
    span: Span,
    #[command(flatten)]
    api: Api,
    #[command(flatten)]
    shown: Shown,
}

/// A time, and whose.
#[derive(Args, Debug)]
pub struct Span {
    /// What began then or later: 2026-11-01 in UTC, or 2026-11-01T08:00:00Z; thirty days ago without.
    #[arg(long, value_name = "WHEN")]
    from: Option<String>,
    /// What began before; until now without.
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
    /// Of this account and of all below it only.
    #[arg(long, value_name = "ID")]
    account: Option<String>,
}

/// What is done with the ledger.
#[derive(Debug, Subcommand)]
pub enum LedgerCommand {
    /// Print it, the oldest first.
    Export {
        /// In which form.
        #[arg(long, value_enum, default_value_t = Form::Csv)]
        format: Form,
        #[command(flatten)]
        span: Span,
        #[command(flatten)]
        api: Api,
    },
    /// Hold a provider's bill against it, by day and model.
    Reconcile {
        /// Whose bill it is.
        #[arg(long, value_name = "ID")]
        provider: String,
        /// The bill as CSV, with columns for a day, an amount in dollars, and a model if there is one; `-` is the input.
        invoice: PathBuf,
        /// By how much both may differ and still count as the same, in percent; a cent is allowed besides.
        #[arg(long, default_value_t = 1, value_name = "PERCENT")]
        tolerance: u8,
        #[command(flatten)]
        api: Api,
        #[command(flatten)]
        shown: Shown,
    },
}

/// A form of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// A line for each attempt.
    Csv,
    /// An event for each exchange, one on each line.
    Cloudevents,
}

impl Span {
    fn ask<'c>(&self, question: Question<'c>) -> Question<'c> {
        let all = [("from", &self.from), ("until", &self.until), ("account", &self.account)];
        let said = all.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
        said.fold(question, |question, (name, value)| question.query(name, value))
    }
}

impl Costs {
    /// Does it.
    pub async fn run(self) -> anyhow::Result<()> {
        if By::read(&self.by).is_none() {
            return Err(bad("--by is one of provider, model, key, account, team, tag:NAME, day, route, state"));
        }
        let client = self.api.client()?;
        let question = client.ask(Method::GET, &["costs"])?.query("by", &self.by);
        let question = question.query("limit", &self.limit.to_string());
        let report = self.span.ask(question).answer().await?;
        self.shown.one(&report, |report| lines(&table(&self.by, report)))
    }
}

impl LedgerCommand {
    /// Does it.
    pub async fn run(self) -> anyhow::Result<()> {
        match self {
            LedgerCommand::Export { format, span, api } => {
                let client = api.client()?;
                let name = if format == Form::Csv { "csv" } else { "cloudevents" };
                let question = client.ask(Method::GET, &["ledger", "export"])?.query("format", name);
                let mut out = std::io::stdout().lock();
                let write = |bytes: &[u8]| out.write_all(bytes).context("the output can't be written");
                span.ask(question).stream(write).await?;
                out.flush().context("the output can't be written")
            }
            LedgerCommand::Reconcile { provider, invoice, tolerance, api, shown } => {
                let body = json!({
                    "provider": provider,
                    "invoice": input::read(&invoice, MAX_BILL)?,
                    "tolerance_percent": tolerance,
                });
                let client = api.client()?;
                let done = client.ask(Method::POST, &["ledger", "reconcile"])?.body(&body).answer().await?;
                shown.one(&done, |done| lines(&compared(done)))
            }
        }
    }
}

/// Micro-dollars and pico-dollars below one, in dollars.
fn dollars(sums: &Value) -> String {
    let part = |name: &str| sums[name].as_i64().unwrap_or(0);
    let amount = Amount { micros: part("cost_micros"), rest: part("cost_rest") };
    format!("${}", crate::ledger::forms::dollars(amount.pico()))
}

fn table(by: &str, report: &Value) -> Table {
    let counts = ["requests", "attempts", "input_tokens", "output_tokens", "unknown", "settled_estimated", "denied"];
    let head = ["requests", "attempts", "read", "written", "unknown", "estimated", "denied"];
    let mut table = Table::new([by, "cost"].into_iter().chain(head));
    let row = |name: String, sums: &Value| {
        [name, dollars(sums)].into_iter().chain(counts.map(|count| cell(&sums[count]))).collect::<Vec<_>>()
    };
    for item in report["items"].as_array().into_iter().flatten() {
        let name = Some(cell(&item["name"])).filter(|name| !name.is_empty());
        table.row(row(name.unwrap_or_else(|| "(none)".to_string()), &item["sums"]));
    }
    if report["more"] == json!(true) {
        table.row(["…".to_string()]);
    }
    table.row(row("total".to_string(), &report["total"]));
    table
}

fn compared(done: &Value) -> Table {
    let mut table = Table::new(["day", "model", "invoice", "ledger", "difference", "verdict"]);
    let amounts = ["invoice_usd", "ledger_usd", "difference_usd"];
    for item in done["items"].as_array().into_iter().flatten() {
        let [invoice, ledger, difference] = amounts.map(|name| cell(&item[name]));
        let verdict = cell(&item["verdict"]).replace('_', " ");
        table.row([cell(&item["day"]), cell(&item["model"]), invoice, ledger, difference, verdict]);
    }
    let [invoice, ledger, difference] = amounts.map(|name| cell(&done[name]));
    table.row(["total".to_string(), String::new(), invoice, ledger, difference, String::new()]);
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_ends_with_its_total() {
        let sums = json!({ "requests": 2, "attempts": 3, "cost_micros": 1_500_000, "cost_rest": 100, "unknown": 0,
                           "input_tokens": 10, "output_tokens": 4, "settled_estimated": 0, "denied": 1 });
        let report = json!({ "items": [{ "name": "", "sums": sums }], "more": true, "total": sums });
        let lines = table("provider", &report).lines();
        assert_eq!(lines[0].split_whitespace().next(), Some("PROVIDER"));
        assert_eq!(
            lines[1].split_whitespace().collect::<Vec<_>>(),
            ["(none)", "$1.5000000001", "2", "3", "10", "4", "0", "0", "1"]
        );
        assert!(lines[2].starts_with('…') && lines[3].starts_with("total"));
    }
}
