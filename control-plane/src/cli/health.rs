//! `dragoman health`: how providers do, and forcing who is asked, by the admin API.

use clap::Subcommand;
use reqwest::Method;
use serde_json::Value;

use super::print;
use super::shown::{At, cell, lines, when};
use super::table::{Table, plain};

/// What is done with health.
#[derive(Debug, Subcommand)]
pub enum HealthCommand {
    /// How every provider does.
    List {
        /// Figures of so many minutes.
        #[arg(long, default_value_t = 5)]
        minutes: u32,
        #[command(flatten)]
        at: At,
    },
    /// How one provider and each of its targets does.
    Show {
        /// The provider.
        provider: String,
        /// Figures of so many minutes.
        #[arg(long, default_value_t = 5)]
        minutes: u32,
        #[command(flatten)]
        at: At,
    },
    /// What a provider did, minute by minute; the last hour when nothing is said.
    Timeline {
        /// The provider.
        provider: String,
        /// Of this model of it only.
        #[arg(long)]
        model: Option<String>,
        /// From then on: a day such as 2026-11-01, or a moment such as 2026-11-01T08:00:00Z.
        #[arg(long)]
        from: Option<String>,
        /// Before that.
        #[arg(long)]
        to: Option<String>,
        #[command(flatten)]
        at: At,
    },
    /// How the requests of routes with several candidates were shared.
    Pools {
        /// Of this route only.
        route: Option<String>,
        /// Of so many minutes, a day at most.
        #[arg(long, default_value_t = 5)]
        minutes: u32,
        #[command(flatten)]
        at: At,
    },
    /// Have nobody ask a provider or a target.
    ForceOpen {
        /// A provider, or `provider/model`.
        subject: String,
        #[command(flatten)]
        at: At,
    },
    /// Have a provider or a target asked, whatever is measured.
    ForceClose {
        /// A provider, or `provider/model`.
        subject: String,
        #[command(flatten)]
        at: At,
    },
    /// Take back what was forced, and forget what was measured.
    Reset {
        /// A provider, or `provider/model`.
        subject: String,
        #[command(flatten)]
        at: At,
    },
}

impl HealthCommand {
    /// Does it.
    pub async fn run(self) -> anyhow::Result<()> {
        match self {
            HealthCommand::List { minutes, at } => {
                let query = [("minutes", minutes.to_string())];
                let query = query.each_ref().map(|(name, value)| (*name, value.as_str()));
                let items = at.api.client()?.list(&["health", "providers"], &query, usize::MAX).await?;
                at.shown.list(&items, listed)
            }
            HealthCommand::Show { provider, minutes, at } => {
                let client = at.api.client()?;
                let question = client.ask(Method::GET, &["health", "providers", &provider])?;
                let health = question.query("minutes", &minutes.to_string()).answer().await?;
                at.shown.one(&health, told)
            }
            HealthCommand::Timeline { provider, model, from, to, at } => {
                let client = at.api.client()?;
                let mut question = client.ask(Method::GET, &["health", "providers", &provider, "timeline"])?;
                let said = [("model", model), ("from", from), ("to", to)];
                for (name, value) in said {
                    if let Some(value) = value {
                        question = question.query(name, &value);
                    }
                }
                let answer = question.answer().await?;
                at.shown.list(answer["items"].as_array().map_or(&[], Vec::as_slice), minutes)
            }
            HealthCommand::Pools { route: None, minutes, at } => {
                let minutes = minutes.to_string();
                let items = at.api.client()?.list(&["health", "pools"], &[("minutes", &minutes)], usize::MAX).await?;
                at.shown.list(&items, pools)
            }
            HealthCommand::Pools { route: Some(route), minutes, at } => {
                let client = at.api.client()?;
                let question = client.ask(Method::GET, &["health", "pools", &route])?;
                let pool = question.query("minutes", &minutes.to_string()).answer().await?;
                at.shown.one(&pool, |pool| lines(&pools(std::slice::from_ref(pool))))
            }
            HealthCommand::ForceOpen { subject, at } => say(&subject, "force-open", "is asked by nobody", at).await,
            HealthCommand::ForceClose { subject, at } => {
                say(&subject, "force-close", "is asked, whatever is measured", at).await
            }
            HealthCommand::Reset { subject, at } => {
                say(&subject, "reset", "goes by what is measured from now on", at).await
            }
        }
    }
}

async fn say(subject: &str, verb: &str, words: &str, at: At) -> anyhow::Result<()> {
    let client = at.api.client()?;
    let done = client.ask(Method::POST, &["health", "subjects", subject, verb])?.answer().await?;
    at.shown.one(&done, |_| print(&format!("{} {words}", plain(subject))))
}

fn listed(items: &[Value]) -> Table {
    let head = ["provider", "status", "since", "attempts", "errors", "fallbacks", "hedges", "p50", "p95", "p99", "why"];
    let mut table = Table::new(head);
    for item in items {
        let own = [cell(&item["provider"]), cell(&item["status"]), when(&item["since_ms"])];
        let why: Vec<String> = item["reasons"].as_array().into_iter().flatten().map(reason).collect();
        table.row(own.into_iter().chain(figures(&item["figures"])).chain([why.join("; ")]));
    }
    table
}

fn told(health: &Value) -> anyhow::Result<()> {
    lines(&listed(std::slice::from_ref(health)))?;
    let targets = health["targets"].as_array().filter(|list| !list.is_empty());
    let Some(targets) = targets else { return Ok(()) };
    print("")?;
    let head = ["target", "forced", "attempts", "errors", "fallbacks", "hedges", "p50", "p95", "p99", "why"];
    let mut table = Table::new(head);
    for target in targets {
        let own = [cell(&target["target"]), cell(&target["forced"])];
        let why = if target["reason"].is_null() { String::new() } else { reason(&target["reason"]) };
        table.row(own.into_iter().chain(figures(&target["figures"])).chain([why]));
    }
    lines(&table)
}

fn minutes(items: &[Value]) -> Table {
    let mut table = Table::new(["minute", "attempts", "errors", "fallbacks", "hedges", "p50", "p95", "p99"]);
    for item in items {
        table.row([when(&item["began_ms"])].into_iter().chain(figures(&item["figures"])));
    }
    table
}

fn pools(items: &[Value]) -> Table {
    let mut table =
        Table::new(["route", "balance", "target", "weight", "first", "share", "due", "attempts", "answered"]);
    for pool in items {
        for target in pool["targets"].as_array().into_iter().flatten() {
            let [weight, first, attempts, answered] =
                ["weight", "first", "attempts", "answered"].map(|name| cell(&target[name]));
            let [got, due] = ["first_permille", "due_permille"].map(|name| share(&target[name]));
            let own = [cell(&pool["route"]), cell(&pool["balance"]), cell(&target["target"])];
            table.row(own.into_iter().chain([weight, first, got, due, attempts, answered]));
        }
    }
    table
}

/// Thousandths as people read them.
fn share(value: &Value) -> String {
    value.as_u64().map_or(String::new(), |share| format!("{}.{} %", share / 10, share % 10))
}

fn figures(figures: &Value) -> [String; 7] {
    let time = |name: &str| figures["first_event"][name].as_u64().map_or(String::new(), |ms| format!("{ms} ms"));
    let [p50, p95, p99] = ["p50_ms", "p95_ms", "p99_ms"].map(time);
    let rates = ["error_permille", "fallback_permille", "hedge_permille"];
    let [errors, fallbacks, hedges] = rates.map(|name| share(&figures[name]));
    [cell(&figures["attempts"]), errors, fallbacks, hedges, p50, p95, p99]
}

fn reason(reason: &Value) -> String {
    let until = when(&reason["until_ms"]);
    let until = if until.is_empty() { until } else { format!(" until {until}") };
    format!("{} {}{until}", cell(&reason["subject"]), cell(&reason["why"]))
}
