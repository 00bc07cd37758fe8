//! `dragoman status`, `audit` and `explain`: what is, what was changed, and why a request goes where it goes.

use clap::Args;
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::bad_input::bad;
use super::client::Api;
use super::print;
use super::records::dollars;
use super::shown::{Shown, cell, lines, when};
use super::table::{Table, plain};
use dragoman_core::exchange::MAX_BODY;

/// What `status` is told.
#[derive(Args, Debug)]
pub struct Status {
    #[command(flatten)]
    api: Api,
    #[command(flatten)]
    shown: Shown,
}

/// What `audit` is told.
#[derive(Args, Debug)]
pub struct Audit {
    /// How many.
    #[arg(long, default_value_t = 50)]
    limit: usize,
    #[command(flatten)]
    api: Api,
    #[command(flatten)]
    shown: Shown,
}

/// What `explain` is told.
#[derive(Args, Debug)]
pub struct Explain {
    /// The path that would be asked.
    #[arg(long, default_value = "/v1/chat/completions")]
    path: String,
    /// How it would be asked.
    #[arg(long, default_value = "POST")]
    method: String,
    /// A header that would be sent; may be said several times.
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = header)]
    headers: Vec<(String, String)>,
    /// Explain this exchange of the past, of its Record; the input is not read.
    #[arg(long, value_name = "ID", conflicts_with_all = ["path", "method", "headers"])]
    exchange: Option<String>,
    #[command(flatten)]
    api: Api,
    #[command(flatten)]
    shown: Shown,
}

fn header(said: &str) -> Result<(String, String), String> {
    let (name, value) = said.split_once(':').ok_or("a header is said as `name: value`")?;
    Ok((name.trim().to_ascii_lowercase(), value.trim().to_string()))
}

/// The body that would be sent; what has no body reads nothing.
fn body(text: &str) -> anyhow::Result<Value> {
    match text.trim().is_empty() {
        true => Ok(Value::Null),
        false => serde_json::from_str(text).map_err(|error| bad(format!("the input is not JSON: {error}"))),
    }
}

impl Status {
    /// Does it.
    pub async fn run(self) -> anyhow::Result<()> {
        self.shown.one(&self.api.client()?.get(&["status"]).await?, |status| lines(&state(status)))
    }
}

fn state(status: &Value) -> Table {
    let mut table = Table::headless();
    let mut row = |name: &str, value: String| table.row([name.to_string(), value]);
    row("program", cell(&status["program"]));
    row("store", cell(&status["store"]));
    row("snapshot", cell(&status["snapshot"]));
    row("revision", format!("{} of {}", cell(&status["revision"]), cell(&status["last_revision"])));
    row("filters", format!("{}, {} with this Snapshot", cell(&status["filters"]), cell(&status["filters_current"])));
    for provider in status["providers"].as_array().into_iter().flatten() {
        row("provider", cell(provider));
    }
    if !status["trouble"].is_null() {
        row("trouble", cell(&status["trouble"]));
    }
    for warning in status["warnings"].as_array().into_iter().flatten() {
        row("warning", cell(warning));
    }
    table
}

impl Audit {
    /// Does it.
    pub async fn run(self) -> anyhow::Result<()> {
        let items = self.api.client()?.list(&["audit"], &[], self.limit).await?;
        self.shown.list(&items, changes)
    }
}

fn changes(items: &[Value]) -> Table {
    let mut table = Table::new(["revision", "when", "who", "how", "row", "became"]);
    for item in items {
        let became = match (item["before"].is_null(), item["after"].is_null()) {
            // Of keys and tokens neither is said.
            (true, true) if item["action"] == "revoke" => "revoked",
            (true, _) => "new",
            (false, true) => "gone",
            (false, false) => "another",
        };
        let row = format!("{}/{}", cell(&item["kind"]), cell(&item["id"]));
        let when = when(&item["at_ms"]);
        table.row([cell(&item["revision"]), when, cell(&item["actor"]), cell(&item["action"]), row, became.into()]);
    }
    table
}

impl Explain {
    /// Does it.
    pub async fn run(self) -> anyhow::Result<()> {
        let client = self.api.client()?;
        let answer = match &self.exchange {
            Some(exchange) => client.get(&["explain", exchange]).await?,
            None => {
                let headers: Map<String, Value> =
                    self.headers.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect();
                if self.method.is_empty() || !self.path.starts_with('/') {
                    return Err(bad("a path begins with `/`, and a method has a name"));
                }
                let body = body(&super::input::read(std::path::Path::new("-"), MAX_BODY as u64)?)?;
                let asked = json!({ "method": self.method, "path": self.path, "headers": headers, "body": body });
                client.ask(Method::POST, &["explain"])?.body(&asked).answer().await?
            }
        };
        self.shown.one(&answer, told)
    }
}

fn told(explanation: &Value) -> anyhow::Result<()> {
    let mut about = Table::headless();
    for name in ["fate", "snapshot", "dialect", "operation", "streamed", "model", "loss", "rules", "plan"] {
        let value = cell(&explanation[name]);
        if !value.is_empty() {
            about.row([name.to_string(), value]);
        }
    }
    let (resolved, needs) = (&explanation["resolved"], &explanation["needs"]);
    if !resolved.is_null() {
        about.row(["resolved".to_string(), format!("{} {}", cell(&resolved["how"]), cell(&resolved["to"]))]);
    }
    for (name, value) in needs.as_object().into_iter().flatten().filter(|(_, value)| !cell(value).is_empty()) {
        about.row([format!("needs {}", plain(name).replace('_', " ")), cell(value)]);
    }
    chosen(explanation, &mut about);
    lines(&about)?;
    let refusal = &explanation["refusal"];
    if !refusal.is_null() {
        let words = [&refusal["status"], &refusal["code"], &refusal["message"]].map(cell);
        print(&format!("refused: {}", words.join(" ")))?;
    }
    let candidates = explanation["candidates"].as_array().filter(|list| !list.is_empty());
    match candidates {
        None => Ok(()),
        Some(list) => {
            print("")?;
            lines(&weighed(list))
        }
    }
}

/// How the model was chosen, where its route leaves that to the request.
fn chosen(explanation: &Value, about: &mut Table) {
    let chosen = &explanation["chosen"];
    if chosen.is_null() {
        return;
    }
    let percent = |name: &str| chosen[name].as_u64().map_or(String::new(), |part| format!("{} %", part / 10));
    about.row(["bucket".to_string(), format!("{}, says: {}", cell(&chosen["bucket"]), cell(&chosen["by"]))]);
    about.row(["a cheap model does in".to_string(), percent("cheap")]);
    about.row(["a middling one in".to_string(), percent("mid")]);
    about.row(["quality counts".to_string(), percent("alpha")]);
    for score in chosen["scores"].as_array().into_iter().flatten() {
        let [target, points, quality] = ["target", "score", "quality"].map(|name| cell(&score[name]));
        let cost = dollars(&score["micro_dollars"]);
        about.row(["score".to_string(), format!("{target} {points}: quality {quality}, cost {cost}")]);
    }
    let number = |(name, value): (&String, &Value)| format!("{} {}", plain(name), cell(value));
    let features: Vec<String> = explanation["features"].as_object().into_iter().flatten().map(number).collect();
    about.row(["features".to_string(), features.join(", ")]);
}

/// What else is said of a candidate stands behind its verdict.
fn weighed(candidates: &[Value]) -> Table {
    let mut table = Table::new(["target", "verdict", "input_cost", "most", "why"]);
    for candidate in candidates {
        let members = candidate.as_object().into_iter().flatten();
        let own = ["target", "provider", "verdict", "estimate"];
        let rest = members.filter(|(name, value)| !own.contains(&name.as_str()) && !cell(value).is_empty());
        let why: Vec<String> = rest.map(|(name, value)| format!("{} {}", plain(name), cell(value))).collect();
        let estimate = &candidate["estimate"];
        let costs = [&estimate["input_micros"], &estimate["most_micros"]].map(dollars);
        let named = [&candidate["target"], &candidate["verdict"]].map(cell);
        table.row(named.into_iter().chain(costs).chain([why.join("; ")]));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_as_it_is_sent() {
        assert_eq!(header("X-A: b:c "), Ok(("x-a".into(), "b:c".into())));
        assert!(header("x").is_err());
    }

    #[test]
    fn a_candidate_is_told_with_its_reasons() {
        let list = [
            json!({ "target": "a/m", "provider": "a", "verdict": "excluded", "lacks": ["tools", "images"], "dropped": [],
                            "estimate": { "input_micros": 12, "most_micros": null, "price": "listed" } }),
        ];
        assert_eq!(weighed(&list).lines()[1], "a/m     excluded  $0.000012         lacks tools, images");
    }

    #[test]
    fn a_body_is_json_or_nothing() {
        assert_eq!((body(" \n").unwrap(), body("{}").unwrap()), (json!(null), json!({})));
        assert!(body("{").is_err());
    }

    #[test]
    fn a_change_says_what_became_of_the_row() {
        let change = |before, after| json!({ "revision": 1, "at_ms": 0, "actor": "t", "action": "put", "kind": "alias", "id": "q", "before": before, "after": after });
        let row = json!({});
        let items = [change(json!(null), row.clone()), change(row.clone(), json!(null)), change(row.clone(), row)];
        let lines = changes(&items).lines();
        assert!(
            lines[1].ends_with("alias/q  new") && lines[2].ends_with("gone") && lines[3].ends_with("another"),
            "{lines:?}"
        );
    }
}
