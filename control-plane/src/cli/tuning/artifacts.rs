//! `dragoman tuning artifacts`: those that the control plane keeps, and the one in use, by the admin API.

use std::path::PathBuf;

use clap::Subcommand;
use dragoman_core::artifact::MAX_ARTIFACT;
use reqwest::Method;
use serde_json::Value;

use super::super::shown::{At, cell, lines, when};
use super::super::table::{Table, plain};
use super::super::{input, print};

/// Digits of a digest that people compare, as Records have them.
const DIGITS: usize = 12;

/// Where they are in the admin API.
const PATH: [&str; 2] = ["tuning", "artifacts"];

/// What is done with artifacts.
#[derive(Debug, Subcommand)]
pub enum ArtifactsCommand {
    /// Those that are kept, which one is in use, and what was refused.
    List {
        #[command(flatten)]
        at: At,
    },
    /// One with its metadata.
    Show {
        /// Its digest, or how that begins.
        digest: String,
        #[command(flatten)]
        at: At,
    },
    /// Keep one; it is not put in use by that.
    Add {
        /// The file; `-` is the input.
        file: PathBuf,
        #[command(flatten)]
        at: At,
    },
    /// Put one in use, until the source has another one.
    Use {
        /// Its digest, or how that begins.
        digest: String,
        #[command(flatten)]
        at: At,
    },
    /// What two say of themselves, side by side.
    Compare {
        /// The digest of one, or how that begins.
        one: String,
        /// That of the other.
        other: String,
        #[command(flatten)]
        at: At,
    },
    /// Take one away that is not in use.
    Remove {
        /// Its digest, or how that begins.
        digest: String,
        #[command(flatten)]
        at: At,
    },
}

impl ArtifactsCommand {
    /// Does it.
    pub async fn run(self) -> anyhow::Result<()> {
        match self {
            ArtifactsCommand::List { at } => {
                let all = at.api.client()?.get(&PATH).await?;
                at.shown.one(&all, |all| {
                    lines(&listed(all["items"].as_array().map_or(&[], Vec::as_slice)))?;
                    told(all).iter().try_for_each(|line| print(line))
                })
            }
            ArtifactsCommand::Show { digest, at } => {
                let artifact = at.api.client()?.get(&below(&[&digest])).await?;
                at.shown.one(&artifact, |artifact| print(&format!("{artifact:#}")))
            }
            ArtifactsCommand::Add { file, at } => {
                let file = input::read_bytes(&file, MAX_ARTIFACT as u64)?;
                let client = at.api.client()?;
                let kept = client.ask(Method::POST, &PATH)?.file(file).answer().await?;
                at.shown
                    .one(&kept, |kept| print(&format!("{} {} is kept", short(&kept["digest"]), cell(&kept["name"]))))
            }
            ArtifactsCommand::Use { digest, at } => say(Method::POST, &[&digest, "use"], "is in use", at).await,
            ArtifactsCommand::Compare { one, other, at } => {
                let comparison = at.api.client()?.get(&below(&[&one, "compare", &other])).await?;
                at.shown.one(&comparison, |comparison| {
                    lines(&figures(comparison))?;
                    let only = |side: &str| {
                        format!(
                            "only {}: {}",
                            short(&comparison[side]["digest"]),
                            cell(&comparison[format!("only_{side}")])
                        )
                    };
                    print(&only("one"))?;
                    print(&only("other"))
                })
            }
            ArtifactsCommand::Remove { digest, at } => say(Method::DELETE, &[&digest], "is taken away", at).await,
        }
    }
}

fn below<'a>(path: &[&'a str]) -> Vec<&'a str> {
    [&PATH[..], path].concat()
}

async fn say(method: Method, path: &[&str], words: &str, at: At) -> anyhow::Result<()> {
    let client = at.api.client()?;
    let done = client.ask(method, &below(path))?.answer().await?;
    at.shown.one(&done, |done| print(&format!("{} {words}", short(&done["digest"]))))
}

fn short(digest: &Value) -> String {
    cell(digest).chars().take(DIGITS).collect()
}

fn listed(items: &[Value]) -> Table {
    let mut table = Table::new(["digest", "name", "added", "by", "source", "bytes", "in use", "experiments"]);
    for item in items {
        let in_use = if item["in_use"] == true { "yes" } else { "" };
        let [name, by, source, bytes] = ["name", "added_by", "source", "bytes"].map(|member| cell(&item[member]));
        let named = item["experiments"].as_array().into_iter().flatten().map(cell).collect::<Vec<_>>().join(", ");
        table.row([short(&item["digest"]), name, when(&item["added_ms"]), by, source, bytes, in_use.to_owned(), named]);
    }
    table
}

/// What is not of one artifact alone.
fn told(all: &Value) -> Vec<String> {
    let none = all["in_use"].is_null().then(|| "none is in use: rules say how hard requests are".to_owned());
    let refused = all["refused"]["why"].as_str();
    let refused = refused.map(|why| format!("refused at {}: {}", when(&all["refused"]["at_ms"]), plain(why)));
    none.into_iter().chain(refused).collect()
}

fn figures(comparison: &Value) -> Table {
    let mut table = Table::new(["figure", "one", "other"]);
    table.row(["digest".to_owned(), short(&comparison["one"]["digest"]), short(&comparison["other"]["digest"])]);
    for figure in comparison["figures"].as_array().into_iter().flatten() {
        table.row(["name", "one", "other"].map(|member| cell(&figure[member])));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_in_use_and_what_was_refused_is_told() {
        let item = json!({ "digest": "0123456789abcdef", "name": "n", "added_ms": 0, "added_by": "source", "source": "shipped", "bytes": 7, "in_use": true, "experiments": ["x", "y"] });
        assert_eq!(
            listed(&[item]).lines()[1],
            "0123456789ab  n     1970-01-01 00:00  source  shipped  7      yes     x, y"
        );
        let all = json!({ "in_use": null, "refused": { "why": "f: damaged\u{1b}", "at_ms": 0 } });
        assert_eq!(
            told(&all),
            ["none is in use: rules say how hard requests are", "refused at 1970-01-01 00:00: f: damaged "]
        );
        assert!(told(&json!({ "in_use": "0", "refused": null })).is_empty());
    }

    #[test]
    fn figures_stand_side_by_side() {
        let comparison = json!({ "one": { "digest": "a" }, "other": { "digest": "b" }, "figures": [{ "name": "m.apgr", "one": 0.5, "other": null }] });
        assert_eq!(figures(&comparison).lines(), ["FIGURE  ONE  OTHER", "digest  a    b", "m.apgr  0.5"]);
    }
}
