//! What was spent, by whatever one asks: sums of the ledger's own columns, exact to the pico-dollar.
//!
//! ```text
//! record          key, account, team, tag, day, route, state     one row for each exchange
//! record_attempt  provider, model                                one row for each line of a provider's bill
//! ```
//!
//! Both have the same sum. What was settled without an attempt (a data plane died) is nobody's: its name is empty.

use std::collections::{BTreeMap, HashMap};

use sqlx::Row as _;
use sqlx::any::AnyRow;
use tokio_stream::StreamExt as _;

use super::accounts::within;
use super::{Store, optional};
use crate::accounts::{AccountKind, Terms, path, tenant};

pub use super::attempts::Amount;

/// Milliseconds of a day.
pub const DAY_MS: i64 = 86_400_000;

/// By what costs are summed up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// Who was asked.
    Provider,
    /// The model, as its provider knows it.
    Model,
    /// The caller.
    Key,
    /// The account that pays.
    Account,
    /// The team that the account is or belongs to.
    Team,
    /// The value of a tag: the key's, or that of the nearest account above it that has it.
    Tag(String),
    /// The day, in UTC.
    Day,
    /// What was asked for.
    Route,
    /// How it stands in the ledger.
    State,
}

impl By {
    /// Reads `provider` or `tag:NAME`.
    pub fn read(text: &str) -> Option<By> {
        Some(match text {
            "provider" => By::Provider,
            "model" => By::Model,
            "key" => By::Key,
            "account" => By::Account,
            "team" => By::Team,
            "day" => By::Day,
            "route" => By::Route,
            "state" => By::State,
            _ => {
                let plain =
                    |name: &&str| (1..=64).contains(&name.len()) && name.bytes().all(|c| (b' '..=b'~').contains(&c));
                By::Tag(text.strip_prefix("tag:").filter(plain)?.to_string())
            }
        })
    }

    /// What is grouped by, in SQL; what else must be known is found out afterwards.
    fn column(&self) -> &'static str {
        match self {
            By::Provider => "COALESCE(a.provider, '')",
            By::Model => "COALESCE(a.model, '')",
            By::Key => "r.caller",
            By::Account | By::Team => "r.account",
            By::Tag(_) => "r.caller || '/' || r.account",
            By::Day => "CAST(r.began_ms / 86400000 AS TEXT)",
            By::Route => "r.route",
            By::State => "r.state",
        }
    }

    fn is_of_attempts(&self) -> bool {
        matches!(self, By::Provider | By::Model)
    }
}

/// Which exchanges are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meant {
    /// Those that began then or later, in milliseconds since 1970.
    pub from_ms: i64,
    /// Those that began before.
    pub until_ms: i64,
    /// Those of this account and of all below it; everybody's when it is empty.
    pub within: String,
}

impl Meant {
    /// The condition in SQL for the table `r`, with parameters 1 to 4.
    pub(super) fn condition(&self) -> String {
        let of = match self.within.as_str() {
            "" => String::new(),
            _ => format!(" AND r.tenant = $3 AND {}", within("r.account", 4)),
        };
        format!("r.began_ms >= $1 AND r.began_ms < $2{of}")
    }

    /// The parameters besides the two moments.
    pub(super) fn names(&self) -> Vec<String> {
        match self.within.as_str() {
            "" => Vec::new(),
            account => vec![tenant(account).to_string(), account.to_string()],
        }
    }
}

/// What is summed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Sums {
    /// Exchanges; where it is by provider or model, those that went there, so that one may count for several.
    pub requests: i64,
    /// Attempts.
    pub attempts: i64,
    /// What is known of the cost.
    pub cost: Amount,
    /// Of how many exchanges or attempts nobody knows what they cost.
    pub unknown: i64,
    /// Tokens read.
    pub input_tokens: i64,
    /// Tokens written.
    pub output_tokens: i64,
    /// Exchanges whose cost is known.
    pub settled: i64,
    /// Exchanges whose cost is an estimate.
    pub settled_estimated: i64,
    /// Exchanges that cost nothing.
    pub released: i64,
    /// Exchanges that a budget had no room for.
    pub denied: i64,
}

impl Sums {
    /// Both together.
    pub fn and(self, other: Sums) -> Sums {
        let add = i64::saturating_add;
        Sums {
            requests: add(self.requests, other.requests),
            attempts: add(self.attempts, other.attempts),
            cost: Amount::carried(add(self.cost.micros, other.cost.micros), add(self.cost.rest, other.cost.rest)),
            unknown: add(self.unknown, other.unknown),
            input_tokens: add(self.input_tokens, other.input_tokens),
            output_tokens: add(self.output_tokens, other.output_tokens),
            settled: add(self.settled, other.settled),
            settled_estimated: add(self.settled_estimated, other.settled_estimated),
            released: add(self.released, other.released),
            denied: add(self.denied, other.denied),
        }
    }
}

/// Sums over exchanges, of the columns that each Record has.
const OF_RECORDS: &str = "COUNT(*) AS requests, SUM(r.attempts) AS attempts, SUM(r.known_micros) AS micros, \
     SUM(r.known_rest) AS rest, SUM(CASE WHEN r.cost_micros IS NULL THEN 1 ELSE 0 END) AS unknown, \
     SUM(r.input_tokens) AS input, SUM(r.output_tokens) AS output, \
     SUM(CASE WHEN r.state = 'settled' THEN 1 ELSE 0 END) AS settled, \
     SUM(CASE WHEN r.state = 'settled_estimated' THEN 1 ELSE 0 END) AS settled_estimated, \
     SUM(CASE WHEN r.state = 'released' THEN 1 ELSE 0 END) AS released, \
     SUM(CASE WHEN r.state = 'denied' THEN 1 ELSE 0 END) AS denied";

/// The same over attempts; an exchange that had none is a line of its own.
const OF_ATTEMPTS: &str = "COUNT(DISTINCT r.exchange) AS requests, COUNT(a.exchange) AS attempts, \
     SUM(CASE WHEN a.exchange IS NULL THEN r.known_micros ELSE COALESCE(a.cost_micros, 0) END) AS micros, \
     SUM(CASE WHEN a.exchange IS NULL THEN r.known_rest ELSE a.cost_rest END) AS rest, \
     SUM(CASE WHEN a.exchange IS NOT NULL AND a.cost_micros IS NULL OR a.exchange IS NULL AND r.cost_micros IS NULL \
     THEN 1 ELSE 0 END) AS unknown, SUM(COALESCE(a.input_tokens, 0)) AS input, SUM(COALESCE(a.output_tokens, 0)) AS output, \
     COUNT(DISTINCT CASE WHEN r.state = 'settled' THEN r.exchange END) AS settled, \
     COUNT(DISTINCT CASE WHEN r.state = 'settled_estimated' THEN r.exchange END) AS settled_estimated, \
     COUNT(DISTINCT CASE WHEN r.state = 'released' THEN r.exchange END) AS released, \
     COUNT(DISTINCT CASE WHEN r.state = 'denied' THEN r.exchange END) AS denied";

/// The columns of the sums; each is cast, for PostgreSQL makes numbers without end of them.
const SUMS: [&str; 11] = [
    "requests",
    "attempts",
    "micros",
    "rest",
    "unknown",
    "input",
    "output",
    "settled",
    "settled_estimated",
    "released",
    "denied",
];

/// Sums by name, and of everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The dearest names first; days in their order. No more than were asked for.
    pub lines: Vec<(String, Sums)>,
    /// Whether there are more names than that.
    pub more: bool,
    /// All exchanges that are meant.
    pub total: Sums,
}

impl Store {
    /// Sums up what is meant, for at most so many names.
    pub async fn costs(&self, by: &By, meant: &Meant, most: usize) -> anyhow::Result<Report> {
        let total = self.total(meant).await?;
        let mut lines = match by {
            By::Team | By::Tag(_) => self.gathered(by, meant).await?,
            _ => self.grouped(by, meant, most).await?,
        };
        let more = lines.len() > most;
        lines.truncate(most);
        Ok(Report { lines, more, total })
    }

    async fn total(&self, meant: &Meant) -> anyhow::Result<Sums> {
        let sums = format!("SELECT {OF_RECORDS} FROM record AS r WHERE {}", meant.condition());
        let find = format!("SELECT {} FROM ({sums}) AS s", cast());
        let find = sqlx::query(sqlx::AssertSqlSafe(find)).bind(meant.from_ms).bind(meant.until_ms);
        let find = meant.names().into_iter().fold(find, |find, name| find.bind(name));
        read(&find.fetch_one(&self.reader).await?)
    }

    fn sums(by: &By, meant: &Meant) -> String {
        let (sums, join) = match by.is_of_attempts() {
            true => (OF_ATTEMPTS, "LEFT JOIN record_attempt AS a ON a.exchange = r.exchange"),
            false => (OF_RECORDS, ""),
        };
        let (column, condition) = (by.column(), meant.condition());
        let inner = format!("SELECT {column} AS name, {sums} FROM record AS r {join} WHERE {condition} GROUP BY 1");
        format!("SELECT name, {} FROM ({inner}) AS s", cast())
    }

    /// Names that are columns: the database keeps the dearest.
    async fn grouped(&self, by: &By, meant: &Meant, most: usize) -> anyhow::Result<Vec<(String, Sums)>> {
        let order = if *by == By::Day { "CAST(name AS BIGINT)" } else { "micros DESC, rest DESC, name" };
        let find = format!("{} ORDER BY {order} LIMIT {}", Store::sums(by, meant), most.saturating_add(1));
        let find = sqlx::query(sqlx::AssertSqlSafe(find)).bind(meant.from_ms).bind(meant.until_ms);
        let find = meant.names().into_iter().fold(find, |find, name| find.bind(name));
        let rows = find.fetch_all(&self.reader).await?;
        let named = |name: String| if *by == By::Day { day(&name) } else { name };
        rows.iter().map(|row| Ok((named(row.try_get("name")?), read(row)?))).collect()
    }

    /// Names that are found in accounts and keys. All sums are read before the first name is looked for: whoever asks for a
    /// second connection while holding one waits for others who do the same.
    async fn gathered(&self, by: &By, meant: &Meant) -> anyhow::Result<Vec<(String, Sums)>> {
        let find = Store::sums(by, meant);
        let find = sqlx::query(sqlx::AssertSqlSafe(find)).bind(meant.from_ms).bind(meant.until_ms);
        let find = meant.names().into_iter().fold(find, |find, name| find.bind(name));
        let line = |row: sqlx::Result<AnyRow>| {
            row.map_err(anyhow::Error::from).and_then(|row| Ok((row.try_get("name")?, read(&row)?)))
        };
        let lines: Vec<(String, Sums)> = find.fetch(&self.reader).map(line).collect::<anyhow::Result<_>>().await?;
        let (mut named, mut known) = (BTreeMap::<String, Sums>::new(), HashMap::new());
        for (name, sums) in lines {
            let name = match by {
                By::Tag(tag) => self.tagged(tag, &name, &mut known).await?,
                _ => self.team(&name, &mut known).await?,
            };
            let sum = named.entry(name).or_default();
            *sum = sum.and(sums);
        }
        let mut lines: Vec<(String, Sums)> = named.into_iter().collect();
        lines.sort_by_key(|(_, sums)| std::cmp::Reverse((sums.cost.micros, sums.cost.rest)));
        Ok(lines)
    }

    /// The team that an account is or belongs to.
    async fn team(&self, account: &str, known: &mut HashMap<String, String>) -> anyhow::Result<String> {
        if let Some(team) = known.get(account) {
            return Ok(team.clone());
        }
        let mut team = String::new();
        for id in path(account) {
            if self.account(id).await?.is_some_and(|account| account.kind == AccountKind::Team) {
                team = id.to_string();
            }
        }
        known.insert(account.to_string(), team.clone());
        Ok(team)
    }

    /// The value of a tag, as it is said now, for `caller/account`.
    async fn tagged(&self, tag: &str, name: &str, known: &mut HashMap<String, String>) -> anyhow::Result<String> {
        let (caller, account) = name.split_once('/').unwrap_or((name, ""));
        if let Some(value) = self.caller_terms(caller).await?.and_then(|terms| terms.tags.get(tag).cloned()) {
            return Ok(value);
        }
        if let Some(value) = known.get(account) {
            return Ok(value.clone());
        }
        let levels = self.levels(account).await?;
        let value = levels.iter().find_map(|level| level.terms.tags.get(tag).cloned()).unwrap_or_default();
        known.insert(account.to_string(), value.clone());
        Ok(value)
    }

    async fn caller_terms(&self, caller: &str) -> anyhow::Result<Option<Terms>> {
        let find = sqlx::query("SELECT document FROM caller WHERE id = $1").bind(caller.to_string());
        let row = find.fetch_optional(&self.reader).await?;
        row.map(|row| Ok(serde_json::from_str(row.try_get("document")?)?)).transpose()
    }

    /// What each model of a provider cost on each day: day, model, sums; the days are numbered from 1970.
    pub async fn bill(&self, provider: &str, first: i64, last: i64) -> anyhow::Result<Vec<(i64, String, Amount)>> {
        let find = sqlx::query(
            "SELECT CAST(r.began_ms / 86400000 AS BIGINT) AS day, a.model, \
             CAST(SUM(COALESCE(a.cost_micros, 0)) AS BIGINT) AS micros, CAST(SUM(a.cost_rest) AS BIGINT) AS rest \
             FROM record AS r JOIN record_attempt AS a ON a.exchange = r.exchange \
             WHERE r.began_ms >= $1 AND r.began_ms < $2 AND a.provider = $3 GROUP BY 1, 2 ORDER BY 1, 2",
        );
        let ends = last.saturating_add(1).saturating_mul(DAY_MS);
        let rows = find.bind(first.saturating_mul(DAY_MS)).bind(ends).bind(provider).fetch_all(&self.reader).await?;
        let line = |row: &AnyRow| {
            let amount = Amount::carried(row.try_get("micros")?, row.try_get("rest")?);
            Ok((row.try_get("day")?, row.try_get("model")?, amount))
        };
        rows.iter().map(line).collect()
    }
}

fn cast() -> String {
    SUMS.map(|name| format!("CAST({name} AS BIGINT) AS {name}")).join(", ")
}

/// A day of the calendar, of its number from 1970.
pub fn day(number: &str) -> String {
    let number: i64 = number.parse().unwrap_or(0);
    let moment =
        jiff::Timestamp::from_millisecond(number.saturating_mul(DAY_MS)).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    moment.strftime("%Y-%m-%d").to_string()
}

fn read(row: &AnyRow) -> anyhow::Result<Sums> {
    let count = |name: &str| anyhow::Ok(optional::<i64>(row, name)?.unwrap_or(0));
    Ok(Sums {
        requests: count("requests")?,
        attempts: count("attempts")?,
        cost: Amount::carried(count("micros")?, count("rest")?),
        unknown: count("unknown")?,
        input_tokens: count("input")?,
        output_tokens: count("output")?,
        settled: count("settled")?,
        settled_estimated: count("settled_estimated")?,
        released: count("released")?,
        denied: count("denied")?,
    })
}

#[cfg(test)]
mod tests;
