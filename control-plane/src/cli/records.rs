//! `dragoman record` and `dragoman records`: what became of exchanges.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::bad_input::bad;
use super::door::{Door, Place};
use super::print;
use super::shown::{Shown, cell, lines, when};
use super::table::Table;
use crate::store::records::{Kept, Wanted};

/// Micro-dollars of a dollar.
const MICROS: u64 = 1_000_000;

/// What is done with Records.
#[derive(Debug, Subcommand)]
pub enum RecordCommand {
    /// The latest Records, the newest first.
    List {
        /// Of this caller only.
        #[arg(long, value_name = "ID")]
        caller: Option<String>,
        /// Of this route only.
        #[arg(long, value_name = "NAME")]
        route: Option<String>,
        /// How many.
        #[arg(long, default_value_t = 20)]
        limit: u32,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        shown: Shown,
    },
    /// The Record of one exchange: every attempt with its ending.
    Show {
        /// Its id, as x-dragoman-request-id says.
        exchange: String,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        shown: Shown,
    },
}

/// What `records` is told.
#[derive(Args, Debug)]
pub struct Latest {
    #[command(flatten)]
    place: Place,
    /// One JSON document for each line, newest first.
    #[arg(long)]
    json: bool,
    /// How many.
    #[arg(long, default_value_t = 20)]
    limit: u32,
}

impl RecordCommand {
    /// Does it.
    pub async fn run(self) -> anyhow::Result<()> {
        match self {
            RecordCommand::List { caller, route, limit, place, shown } => {
                let wanted = Wanted { caller, route, after: None };
                let items: Vec<Value> = found(place, &wanted, limit).await?.iter().map(item).collect();
                shown.list(&items, listed)
            }
            RecordCommand::Show { exchange, place, shown } => {
                let found = match place.door().await? {
                    Door::Api(client) => client.get(&["records", &exchange]).await?,
                    Door::Store(store) => {
                        let found = store.record(&exchange).await?;
                        item(&found.ok_or_else(|| bad(format!("there is no Record of `{exchange}`")))?)
                    }
                };
                shown.one(&found, told)
            }
        }
    }
}

impl Latest {
    /// Does it.
    pub async fn run(self) -> anyhow::Result<()> {
        let kept = found(self.place, &Wanted::default(), self.limit).await?;
        match self.json {
            true => kept.iter().try_for_each(|kept| print(&kept.document)),
            false => lines(&listed(&kept.iter().map(item).collect::<Vec<_>>())),
        }
    }
}

async fn found(place: Place, wanted: &Wanted, limit: u32) -> anyhow::Result<Vec<Kept>> {
    let client = match place.door().await? {
        Door::Store(store) => return store.records(wanted, limit).await,
        Door::Api(client) => client,
    };
    let query = [("caller", &wanted.caller), ("route", &wanted.route)];
    let query: Vec<(&str, &str)> = query.iter().filter_map(|(name, of)| Some((*name, of.as_deref()?))).collect();
    let items = client.list(&["records"], &query, limit.try_into().unwrap_or(usize::MAX)).await?;
    let kept = |item: &Value| Kept {
        document: item["record"].to_string(),
        began_ms: item["began_ms"].as_i64().unwrap_or(0),
        exchange: cell(&item["exchange"]),
        cost_micros: item["cost_micros"].as_u64(),
    };
    Ok(items.iter().map(kept).collect())
}

/// As the API lists it.
fn item(kept: &Kept) -> Value {
    let record: Value = serde_json::from_str(&kept.document).unwrap_or_default();
    json!({ "exchange": kept.exchange, "began_ms": kept.began_ms, "cost_micros": kept.cost_micros, "record": record })
}

/// Micro-dollars as dollars; empty when nobody knows.
pub fn dollars(micros: &Value) -> String {
    micros.as_u64().map(|micros| format!("${}.{:06}", micros / MICROS, micros % MICROS)).unwrap_or_default()
}

fn listed(items: &[Value]) -> Table {
    let mut table = Table::new(["exchange", "began", "status", "caller", "route", "attempts", "cost"]);
    for item in items {
        let record = &item["record"];
        let outcomes = record["outcomes"].as_array().into_iter().flatten();
        let attempts: Vec<String> =
            outcomes.map(|outcome| format!("{} {}", cell(&outcome["target"]), cell(&outcome["ending"]))).collect();
        // A refusal of the gateway's own has no attempt.
        let attempts = if attempts.is_empty() { cell(&record["refusal"]) } else { attempts.join(", ") };
        table.row([
            cell(&item["exchange"]),
            when(&item["began_ms"]),
            cell(&record["status"]),
            cell(&record["caller"]),
            cell(&record["route"]),
            attempts,
            dollars(&item["cost_micros"]),
        ]);
    }
    table
}

fn told(item: &Value) -> anyhow::Result<()> {
    let record = &item["record"];
    let mut about = Table::headless();
    about.row(["exchange".into(), cell(&item["exchange"])]);
    about.row(["began".into(), when(&item["began_ms"])]);
    about.row(["cost".into(), dollars(&item["cost_micros"])]);
    for name in [
        "status",
        "refusal",
        "caller",
        "dialect",
        "operation",
        "route",
        "streamed",
        "rules",
        "snapshot",
        "plan",
        "approximated",
        "dropped",
    ] {
        // What there is nothing to say of is not said.
        let value = cell(&record[name]);
        if !value.is_empty() {
            about.row([name.into(), value]);
        }
    }
    lines(&about)?;
    print("")?;
    let names = ["target", "ending", "status", "code", "first_event_ms", "total_ms", "input_tokens", "output_tokens"];
    let mut attempts = Table::new(names);
    for outcome in record["outcomes"].as_array().into_iter().flatten() {
        attempts.row(names.map(|name| cell(&outcome[name])));
    }
    lines(&attempts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dragoman_core::record::{Ending, Outcome, Record};

    #[test]
    fn a_record_is_listed_by_the_names_it_is_written_with() {
        let outcome = Outcome { target: "a/m".into(), ending: Ending::Answered, status: 200, ..Outcome::default() };
        let record = Record {
            exchange: "x".into(),
            caller: "k".into(),
            route: "r".into(),
            status: 200,
            outcomes: vec![outcome],
            ..Record::default()
        };
        let document = String::from_utf8(record.write()).unwrap();
        let items = [item(&Kept { document, began_ms: 0, exchange: "x".into(), cost_micros: Some(1_500_007) })];
        assert_eq!(
            listed(&items).lines()[1],
            "x         1970-01-01 00:00  200     k       r      a/m answered  $1.500007"
        );
    }
}
