//! The ledger as it leaves: page after page, the oldest first.

use std::collections::HashMap;

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::attempts::Amount;
use super::costs::Meant;
use super::{Store, optional};

/// One exchange with its attempts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// Its id.
    pub exchange: String,
    /// When it began, in milliseconds since 1970.
    pub began_ms: i64,
    /// When it was settled.
    pub settled_ms: i64,
    /// The caller.
    pub caller: String,
    /// Who pays.
    pub account: String,
    /// What was asked for.
    pub route: String,
    /// The status that the client saw.
    pub status: i64,
    /// How it stands in the ledger.
    pub state: String,
    /// What is known of its cost.
    pub known: Amount,
    /// Whether all of it is known.
    pub is_whole: bool,
    /// The Record.
    pub document: String,
    /// Its attempts, in their order.
    pub attempts: Vec<Attempt>,
}

/// One line of a provider's bill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The first is 1.
    pub number: i64,
    /// Who was asked.
    pub provider: String,
    /// The model, as its provider knows it.
    pub model: String,
    /// How it ended.
    pub ending: String,
    /// What it cost; `None` when nobody knows.
    pub cost: Option<Amount>,
    /// Tokens read.
    pub input_tokens: i64,
    /// Tokens written.
    pub output_tokens: i64,
}

impl Store {
    /// What is meant, behind the exchange `after`, at most so many.
    pub async fn ledger(&self, meant: &Meant, after: &(i64, String), limit: u32) -> anyhow::Result<Vec<Exchange>> {
        let place = meant.names().len() + 3;
        let find = format!(
            "SELECT exchange, began_ms, settled_ms, caller, account, route, status, state, known_micros, known_rest, \
             COALESCE(cost_micros, -1) AS whole, document FROM record AS r \
             WHERE {} AND (began_ms, exchange) > (${place}, ${}) ORDER BY began_ms, exchange LIMIT {limit}",
            meant.condition(),
            place + 1
        );
        let find = sqlx::query(sqlx::AssertSqlSafe(find)).bind(meant.from_ms).bind(meant.until_ms);
        let find = meant.names().into_iter().fold(find, |find, name| find.bind(name));
        let rows = find.bind(after.0).bind(after.1.clone()).fetch_all(&self.reader).await?;
        let mut page = rows.iter().map(exchange).collect::<anyhow::Result<Vec<_>>>()?;
        self.add_attempts(meant, after, &mut page).await?;
        Ok(page)
    }

    /// Gives the exchanges of a page behind `after` their attempts, all of them with one question. What came into the ledger
    /// since the page was read is not on it.
    async fn add_attempts(&self, meant: &Meant, after: &(i64, String), page: &mut [Exchange]) -> anyhow::Result<()> {
        let Some(last) = page.last().map(|last| (last.began_ms, last.exchange.clone())) else { return Ok(()) };
        let place = meant.names().len() + 3;
        let find = format!(
            "SELECT a.exchange, number, provider, model, ending, a.cost_micros, a.cost_rest, a.input_tokens, a.output_tokens \
             FROM record AS r JOIN record_attempt AS a ON a.exchange = r.exchange \
             WHERE {} AND (began_ms, r.exchange) > (${place}, ${}) AND (began_ms, r.exchange) <= (${}, ${}) \
             ORDER BY a.exchange, number",
            meant.condition(),
            place + 1,
            place + 2,
            place + 3
        );
        let find = sqlx::query(sqlx::AssertSqlSafe(find)).bind(meant.from_ms).bind(meant.until_ms);
        let find = meant.names().into_iter().fold(find, |find, name| find.bind(name));
        let find = find.bind(after.0).bind(after.1.clone()).bind(last.0).bind(last.1);
        let mut of: HashMap<String, Vec<Attempt>> = HashMap::new();
        for row in find.fetch_all(&self.reader).await? {
            of.entry(row.try_get("exchange")?).or_default().push(attempt(&row)?);
        }
        for exchange in page {
            exchange.attempts = of.remove(&exchange.exchange).unwrap_or_default();
        }
        Ok(())
    }
}

fn exchange(row: &AnyRow) -> anyhow::Result<Exchange> {
    Ok(Exchange {
        exchange: row.try_get("exchange")?,
        began_ms: row.try_get("began_ms")?,
        settled_ms: row.try_get("settled_ms")?,
        caller: row.try_get("caller")?,
        account: row.try_get("account")?,
        route: row.try_get("route")?,
        status: row.try_get("status")?,
        state: row.try_get("state")?,
        known: Amount { micros: row.try_get("known_micros")?, rest: row.try_get("known_rest")? },
        is_whole: row.try_get::<i64, _>("whole")? >= 0,
        document: row.try_get("document")?,
        attempts: Vec::new(),
    })
}

fn attempt(row: &AnyRow) -> anyhow::Result<Attempt> {
    let rest = row.try_get("cost_rest")?;
    Ok(Attempt {
        number: row.try_get("number")?,
        provider: row.try_get("provider")?,
        model: row.try_get("model")?,
        ending: row.try_get("ending")?,
        cost: optional(row, "cost_micros")?.map(|micros| Amount { micros, rest }),
        input_tokens: row.try_get("input_tokens")?,
        output_tokens: row.try_get("output_tokens")?,
    })
}
