//! Budgets as they stand: what is spent, what is lent, what is left.

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::Admin;
use super::api::Endpoint;
use super::policy::Caller;
use super::problem::Problem;
use crate::accounts::{AtLimit, Level, Period};
use crate::store::budgets::Standing;

/// A budget in its window of this moment. `limit + over = spent + leased + reserved + free`; amounts are in its unit, money in
/// micro-dollars.
#[derive(Debug, Serialize, ToSchema)]
pub struct BudgetView {
    /// The account, the key or the target that has it.
    holder: String,
    /// `usd` (in micro-dollars), `tokens`, `requests` or `concurrent`.
    unit: String,
    /// After how long it begins anew.
    per: Period,
    /// What may be spent.
    limit: u64,
    /// What is spent, by Records that are settled.
    spent: u64,
    /// What is lent to data planes and not yet spent: by so much at most may be spent too much, unless the budget is strict.
    leased: u64,
    /// What is held for requests under way, where the budget is strict.
    reserved: u64,
    /// What is left to lend and to hold.
    free: u64,
    /// What is spent, lent and held beyond the limit; 0 unless the limit was lowered or a request cost more than was foreseen.
    over: u64,
    /// What is spent, in percent of the limit.
    percent: u64,
    /// Whether each request is reserved before it is sent.
    strict: bool,
    /// What happens to a request that it has no room for.
    at_limit: AtLimit,
    /// When its window began, in milliseconds since 1970; null for one that never ends.
    window_began_ms: Option<i64>,
    /// When it begins anew; null for never.
    window_ends_ms: Option<i64>,
}

/// Budgets of an account or of a key.
#[derive(Debug, Serialize, ToSchema)]
pub struct Budgets {
    /// From itself upward.
    items: Vec<BudgetView>,
}

/// Whether those above count, too.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Above {
    /// They do.
    #[serde(default)]
    pub all: bool,
}

/// With the parameter that asks for those above.
pub fn asked_above(endpoint: Endpoint) -> Endpoint {
    let schema = json!({ "type": "boolean", "default": false });
    endpoint.query("all", schema, "The budgets of the accounts above, too: all that a request is counted against.")
}

/// The budgets of those levels that the caller sees.
pub async fn views(admin: &Admin, caller: &Caller, mut levels: Vec<Level>) -> Result<Budgets, Problem> {
    levels.retain(|level| level.holder.starts_with("key_") || caller.sees(&level.holder));
    Ok(Budgets { items: admin.store.budgets(&levels).await?.into_iter().map(view).collect() })
}

impl BudgetView {
    /// The budget's id.
    pub fn id(&self) -> String {
        format!("{}/{}/{}", self.holder, self.unit, self.per.name())
    }
}

/// How a budget is shown.
pub fn view(standing: Standing) -> BudgetView {
    let window = standing.window;
    BudgetView {
        over: standing.over(),
        percent: standing.percent(),
        holder: standing.id.holder,
        unit: standing.id.unit.name().to_string(),
        per: standing.id.period,
        limit: window.limit,
        spent: window.spent,
        leased: window.leased,
        reserved: window.reserved,
        free: window.free(),
        strict: standing.terms.strict,
        at_limit: standing.terms.at_limit,
        window_began_ms: standing.span.ends_ms.map(|_| standing.span.began_ms),
        window_ends_ms: standing.span.ends_ms,
    }
}
