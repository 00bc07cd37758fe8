//! What was spent, by whatever one asks.

use axum::extract::State;
use axum::{Extension, Json};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::Admin;
use super::api::{Api, Endpoint, Verb};
use super::body::Asked;
use super::policy::{Caller, Policy};
use super::problem::Problem;
use crate::store::costs::{By, DAY_MS, Meant, Sums};
use crate::store::now_ms;

/// A report.
#[derive(Debug, Serialize, ToSchema)]
pub struct Costs {
    /// The dearest names first; days in their order.
    items: Vec<CostLine>,
    /// Whether there are more names than were asked for.
    more: bool,
    /// All exchanges of the time, also those of names that are not listed.
    total: CostSums,
    /// From when on, in milliseconds since 1970.
    from_ms: i64,
    /// Until when.
    until_ms: i64,
}

/// What one name spent.
#[derive(Debug, Serialize, ToSchema)]
pub struct CostLine {
    /// The provider, model, key, …; empty for what has none.
    name: String,
    /// What it spent.
    sums: CostSums,
}

/// Sums of exchanges.
#[derive(Debug, Serialize, ToSchema)]
pub struct CostSums {
    /// Exchanges; by provider or model those that went there, so that one may count for several.
    requests: i64,
    /// Attempts at providers.
    attempts: i64,
    /// What is known of the cost, in whole micro-dollars.
    cost_micros: i64,
    /// And below one, in pico-dollars: together they are exact.
    cost_rest: i64,
    /// Of how many exchanges or attempts nobody knows what they cost.
    unknown: i64,
    /// Tokens read.
    input_tokens: i64,
    /// Tokens written.
    output_tokens: i64,
    /// Exchanges whose cost is known.
    settled: i64,
    /// Exchanges whose cost is an estimate.
    settled_estimated: i64,
    /// Exchanges that cost nothing.
    released: i64,
    /// Exchanges that a budget had no room for.
    denied: i64,
}

/// A time and a tree, as a query says them.
#[derive(Debug, Default)]
pub struct Span {
    /// From when on.
    pub from: Option<String>,
    /// Until when.
    pub until: Option<String>,
    /// Whose.
    pub account: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    by: Option<String>,
    limit: Option<usize>,
    from: Option<String>,
    until: Option<String>,
    account: Option<String>,
}

/// Names of a report when nobody says.
const USUAL: usize = 100;
/// Most names of a report.
const MOST: usize = 10_000;
/// How far a report goes back when nobody says.
const USUAL_DAYS: i64 = 30;

/// Adds the endpoints.
pub fn add(api: &mut Api) {
    let words = "What was spent, by provider, model, key, account, team, tag, day, route or state.";
    let by = json!({
        "type": "string",
        "pattern": "^(provider|model|key|account|team|day|route|state|tag:[ -~]{1,64})$",
        "default": "provider",
    });
    let limit = json!({ "type": "integer", "minimum": 1, "maximum": MOST, "default": USUAL });
    let report = Endpoint::new(Verb::Get, "/costs", Policy::Spending, "get_costs", words)
        .query("by", by, "By what; `tag:NAME` for the values of a tag.")
        .query("limit", limit, "Most names.");
    let schema = api.schema::<Costs>();
    api.add(asked(report).gives(200, Some(schema)).refuses(&[404, 422]), get_costs);
}

/// With the parameters of a time and a tree.
pub fn asked(endpoint: Endpoint) -> Endpoint {
    let text = || -> Value { json!({ "type": "string" }) };
    endpoint
        .query(
            "from",
            text(),
            "What began then or later: `2026-11-01` in UTC, or a moment such as `2026-11-01T08:00:00Z`.",
        )
        .query("until", text(), "What began before; until now when left out.")
        .query("account", text(), "Of this account and of all below it only.")
}

impl Span {
    /// The exchanges that are meant; the last thirty days of what the caller sees when nothing is said.
    pub fn read(self, caller: &Caller) -> Result<Meant, Problem> {
        let within = caller.tree(self.account)?;
        let moment = |name: &str, said: Option<String>| match said {
            None => Ok(None),
            Some(said) => moment(&said).map(Some).ok_or_else(|| {
                let wrong = format!("`{name}` is a day such as 2026-11-01 or a moment such as 2026-11-01T08:00:00Z");
                Problem::mistakes(vec![wrong])
            }),
        };
        let until_ms = moment("until", self.until)?.unwrap_or_else(|| now_ms() + 1);
        let from_ms = moment("from", self.from)?.unwrap_or_else(|| until_ms.saturating_sub(USUAL_DAYS * DAY_MS));
        Ok(Meant { from_ms, until_ms, within })
    }
}

/// A day or a moment as people write it, in milliseconds since 1970.
pub(super) fn moment(said: &str) -> Option<i64> {
    let day = format!("{said}T00:00:00Z");
    said.parse::<Timestamp>().or_else(|_| day.parse()).ok().map(Timestamp::as_millisecond)
}

async fn get_costs(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    Asked(query): Asked<Query>,
) -> Result<Json<Costs>, Problem> {
    let by = By::read(query.by.as_deref().unwrap_or("provider"));
    let wrong = "`by` is provider, model, key, account, team, tag:NAME, day, route or state";
    let by = by.ok_or_else(|| Problem::mistakes(vec![wrong.to_string()]))?;
    let limit = query.limit.unwrap_or(USUAL);
    if !(1..=MOST).contains(&limit) {
        return Err(Problem::bad(format!("A report has 1 to {MOST} names.")));
    }
    let meant = Span { from: query.from, until: query.until, account: query.account }.read(&caller)?;
    let report = admin.store.costs(&by, &meant, limit).await?;
    let line = |(name, line): (String, Sums)| CostLine { name, sums: sums(line) };
    Ok(Json(Costs {
        items: report.lines.into_iter().map(line).collect(),
        more: report.more,
        total: sums(report.total),
        from_ms: meant.from_ms,
        until_ms: meant.until_ms,
    }))
}

fn sums(sums: Sums) -> CostSums {
    CostSums {
        requests: sums.requests,
        attempts: sums.attempts,
        cost_micros: sums.cost.micros,
        cost_rest: sums.cost.rest,
        unknown: sums.unknown,
        input_tokens: sums.input_tokens,
        output_tokens: sums.output_tokens,
        settled: sums.settled,
        settled_estimated: sums.settled_estimated,
        released: sums.released,
        denied: sums.denied,
    }
}
