//! `dragoman provider|model|price|route|alias|suspension|rule`: rows of the admin API, one at a time.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::Value;

use super::client::{Api, Client, Question};
use super::input;
use super::print;
use super::shown::{Shown, cell, lines, when};
use super::table::{Table, plain};
use crate::settings::{Kind, MAX_FILE, Strategy};

/// What is done with rows of one kind.
#[derive(Debug, Subcommand)]
pub enum RowCommand {
    /// Every row there is, with what the file and the catalogue say.
    List {
        #[command(flatten)]
        api: Api,
        #[command(flatten)]
        shown: Shown,
    },
    /// One row: what it says, who says it, and its tag.
    Show {
        /// Its name.
        id: String,
        #[command(flatten)]
        api: Api,
        #[command(flatten)]
        shown: Shown,
    },
    /// Say what a row is, over what the file and the catalogue say; what was said before is forgotten.
    Set(Set),
    /// Take away what was said; what the file and the catalogue say is left.
    Delete {
        /// Its name.
        id: String,
        #[command(flatten)]
        only: Only,
        #[command(flatten)]
        api: Api,
        #[command(flatten)]
        shown: Shown,
    },
}

/// A row as it is to be.
#[derive(Args, Debug)]
pub struct Set {
    /// Its name; of a price its target, with `@` and the day from which it holds if there is one.
    id: String,
    /// What it says, in the words of dragoman.toml; a value that is no JSON is a text.
    #[arg(value_name = "MEMBER=JSON", value_parser = input::member, conflicts_with = "from")]
    members: Vec<(String, Value)>,
    /// All members as one JSON object; `-` is the input.
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    #[command(flatten)]
    only: Only,
    /// Only say whether it could be served.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    api: Api,
    #[command(flatten)]
    shown: Shown,
}

/// When it is done.
#[derive(Args, Debug)]
pub struct Only {
    /// Only if the row is as this tag of `show` says; 0 when nothing was said of it yet.
    #[arg(long, value_name = "TAG")]
    if_match: Option<String>,
}

/// What is done with providers.
#[derive(Debug, Subcommand)]
pub enum ProviderCommand {
    #[command(flatten)]
    Row(RowCommand),
    /// Ask a provider for its models now.
    Discover {
        /// Its name.
        id: String,
        #[command(flatten)]
        api: Api,
        #[command(flatten)]
        shown: Shown,
    },
    /// What providers say of their models.
    Discovered {
        #[command(flatten)]
        api: Api,
        #[command(flatten)]
        shown: Shown,
    },
}

/// What is done with models.
#[derive(Debug, Subcommand)]
pub enum ModelCommand {
    #[command(flatten)]
    Row(RowCommand),
    /// Who would be asked after a model.
    Fallbacks {
        /// `provider/model`, or a model's name for its first offer.
        id: String,
        /// How they are found.
        #[arg(long, value_parser = strategies())]
        strategy: Option<String>,
        #[command(flatten)]
        api: Api,
        #[command(flatten)]
        shown: Shown,
    },
}

fn strategies() -> impl TypedValueParser<Value = String> {
    PossibleValuesParser::new(Strategy::ALL.map(Strategy::name))
}

/// The members that a list shows.
fn columns(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Provider => &["base_url"],
        Kind::Model => &["status", "offers"],
        Kind::Price => &["input", "output", "until"],
        Kind::Route => &["candidates", "balance", "strategy"],
        Kind::Alias => &["to"],
        Kind::Suspension => &["until_ms", "reason"],
        Kind::Rule => &["routes", "accounts", "keys"],
        Kind::Identity => &["account", "unknown"],
        Kind::Experiment => &["route", "arms", "rollout"],
    }
}

impl ProviderCommand {
    /// Does it.
    pub async fn run(self) -> anyhow::Result<()> {
        match self {
            ProviderCommand::Row(command) => command.run(Kind::Provider).await,
            ProviderCommand::Discover { id, api, shown } => {
                let client = api.client()?;
                let told = client.ask(Method::POST, &["discovery", &id])?.answer().await?;
                shown.one(&told, |told| match told["models"].as_u64() {
                    Some(count) => print(&format!("{}: {count} models", cell(&told["outcome"]))),
                    None if told["outcome"] == "not_modified" => print("not modified"),
                    None => Ok(()),
                })?;
                let listed = told["models"].is_u64() || told["outcome"] == "not_modified";
                anyhow::ensure!(listed, "{} listed nothing: {}", plain(&id), cell(&told["outcome"]));
                Ok(())
            }
            ProviderCommand::Discovered { api, shown } => {
                let items = api.client()?.list(&["discovery"], &[], usize::MAX).await?;
                shown.list(&items, discovered)
            }
        }
    }
}

fn discovered(items: &[Value]) -> Table {
    let mut table = Table::new(["provider", "asked", "outcome", "models", "vanished"]);
    for item in items {
        let count = |name: &str| item[name].as_array().map_or(0, Vec::len).to_string();
        let said = [cell(&item["provider"]), when(&item["asked_ms"]), cell(&item["outcome"])];
        table.row(said.into_iter().chain([count("models"), count("vanished")]));
    }
    table
}

impl ModelCommand {
    /// Does it.
    pub async fn run(self) -> anyhow::Result<()> {
        match self {
            ModelCommand::Row(command) => command.run(Kind::Model).await,
            ModelCommand::Fallbacks { id, strategy, api, shown } => {
                let client = api.client()?;
                let mut question = client.ask(Method::GET, &["models", &id, "fallbacks"])?;
                if let Some(strategy) = strategy {
                    question = question.query("strategy", &strategy);
                }
                let answer = question.answer().await?;
                let items = answer["items"].as_array().or_else(|| answer.as_array()).cloned().unwrap_or_default();
                shown.list(&items, fallbacks)
            }
        }
    }
}

fn fallbacks(items: &[Value]) -> Table {
    let mut table = Table::new(["target", "score", "why"]);
    items.iter().for_each(|item| table.row([cell(&item["target"]), cell(&item["score"]), cell(&item["why"])]));
    table
}

impl RowCommand {
    /// Does it to rows of that kind.
    pub async fn run(self, kind: Kind) -> anyhow::Result<()> {
        match self {
            RowCommand::List { api, shown } => {
                let items = api.client()?.list(&[kind.plural()], &[], usize::MAX).await?;
                shown.list(&items, |items| listed(kind, items))
            }
            RowCommand::Show { id, api, shown } => {
                let item = api.client()?.get(&[kind.plural(), &id]).await?;
                shown.one(&item, told)
            }
            RowCommand::Set(set) => set.run(kind).await,
            RowCommand::Delete { id, only, api, shown } => {
                let client = api.client()?;
                let question = only.ask(&client, Method::DELETE, kind, &id)?;
                let done = question.answer().await?;
                shown.one(&done, |done| print(&format!("{}/{} deleted{}", kind.name(), plain(&id), served(done))))
            }
        }
    }
}

impl Set {
    async fn run(self, kind: Kind) -> anyhow::Result<()> {
        let members = match &self.from {
            Some(path) => input::object(&path.display().to_string(), &input::read(path, MAX_FILE)?)?,
            None => input::members(self.members)?,
        };
        let client = self.api.client()?;
        let mut question = self.only.ask(&client, Method::PUT, kind, &self.id)?;
        if self.dry_run {
            question = question.query("dry_run", "true");
        }
        let done = question.body(&Value::Object(members)).answer().await?;
        let name = format!("{}/{}", kind.name(), plain(&self.id));
        self.shown.one(&done, |done| match self.dry_run {
            true => print(&format!("{name} could be served; nothing was changed")),
            false => print(&format!("{name} set{}", served(done))),
        })
    }
}

impl Only {
    fn ask<'c>(&self, client: &'c Client, method: Method, kind: Kind, id: &str) -> anyhow::Result<Question<'c>> {
        client.ask(method, &[kind.plural(), id])?.only_if(self.if_match.as_deref())
    }
}

/// In which Snapshot a change is.
pub fn served(changed: &Value) -> String {
    match changed["snapshot"].as_u64() {
        Some(version) => format!(" (revision {}), served by Snapshot {version}", cell(&changed["revision"])),
        None => format!(" (revision {}), but not served yet; `dragoman status` says why", cell(&changed["revision"])),
    }
}

fn listed(kind: Kind, items: &[Value]) -> Table {
    let columns = columns(kind);
    let heads = columns.iter().map(|name| name.trim_end_matches("_ms"));
    let mut table = Table::new([kind.identity()].into_iter().chain(heads).chain(["from", "changed"]));
    for item in items {
        let members = columns.iter().map(|name| match name.ends_with("_ms") {
            true => when(&item["effective"][name]),
            false => member(&item["effective"][name]),
        });
        let origin = [cell(&item["sources"]), when(&item["changed_ms"])];
        table.row([cell(&item["id"])].into_iter().chain(members).chain(origin));
    }
    table
}

/// A member as a cell; of one that the environment says, the variables, and what is meant without them.
fn member(value: &Value) -> String {
    let Some(variables) = value.get("env") else { return cell(value) };
    let names = cell(variables);
    let names: Vec<String> = names.split(", ").map(|name| format!("${name}")).collect();
    match value["default"].as_str() {
        Some(default) => format!("{}, else {}", names.join(", "), plain(default)),
        None => names.join(", "),
    }
}

fn told(item: &Value) -> anyhow::Result<()> {
    let mut about = Table::headless();
    about.row(["name".into(), cell(&item["id"])]);
    about.row(["from".into(), cell(&item["sources"])]);
    about.row(["tag".into(), cell(&item["revision"])]);
    if !item["changed_ms"].is_null() {
        about.row(["changed".into(), format!("{} by {}", when(&item["changed_ms"]), cell(&item["changed_by"]))]);
    }
    lines(&about)?;
    print("")?;
    // All of it, however long: this is where one looks for it.
    for (name, value) in item["effective"].as_object().into_iter().flatten() {
        print(&format!("{} = {}", plain(name), plain(&value.to_string())))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_the_environment_says_is_said_by_its_variables() {
        let shown = |value: Value| member(&value);
        assert_eq!(shown(json!({ "env": "A", "default": "http://h/v1" })), "$A, else http://h/v1");
        assert_eq!(shown(json!({ "env": ["A", "B"] })), "$A, $B");
        assert_eq!((shown(json!("http://h")), shown(json!(null))), ("http://h".into(), String::new()));
    }

    #[test]
    fn a_list_shows_what_counts_of_a_kind() {
        let items = [
            json!({ "id": "a/*", "sources": ["api"], "effective": { "until_ms": 1_795_763_580_000_i64, "reason": "quota" },
                    "changed_ms": 0 }),
            json!({ "id": "b/m", "sources": ["file", "api"], "effective": {}, "changed_ms": null }),
        ];
        let lines = listed(Kind::Suspension, &items).lines();
        assert_eq!(lines[0], "TARGET  UNTIL             REASON  FROM       CHANGED");
        assert_eq!(lines[1], "a/*     2026-11-27 07:13  quota   api        1970-01-01 00:00");
        assert_eq!(lines[2], "b/m                               file, api");
    }
}
