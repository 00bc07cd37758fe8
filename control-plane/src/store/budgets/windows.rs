//! The windows of budgets that one change is about: each is read once, counted in memory, and written once.

use std::collections::{BTreeMap, HashMap};

use dragoman_core::admission::Window;
use sqlx::Row as _;

use super::{BudgetId, signed, unsigned};
use crate::accounts::{BudgetTerms, Span, Terms};
use crate::store::Change;

/// One window of a budget as it is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::store) struct Kept {
    /// What is spent, lent, held of how much.
    pub(in crate::store) window: Window,
    /// Of what is spent: pico-dollars below one micro-dollar.
    pub(in crate::store) rest: u64,
    /// The highest share of the limit that somebody was told of, in percent.
    pub(in crate::store) told: u64,
}

/// A budget as one reads it: its id, its words, its window at the moment.
pub(in crate::store) struct Open {
    pub(in crate::store) id: BudgetId,
    pub(in crate::store) terms: BudgetTerms,
    pub(in crate::store) span: Span,
    pub(in crate::store) kept: Kept,
    /// As it was read.
    before: Kept,
}

/// What was read in one change.
#[derive(Default)]
pub(in crate::store) struct Windows {
    terms: HashMap<String, Option<Terms>>,
    /// By budget and when the window began.
    open: BTreeMap<(BudgetId, i64), Open>,
}

impl Windows {
    /// Takes somebody's Terms from elsewhere.
    pub(in crate::store) fn know(&mut self, holder: &str, terms: Option<&Terms>) {
        self.terms.entry(holder.to_string()).or_insert_with(|| terms.cloned());
    }

    /// The window of a budget at a moment; `None` when there is no such budget any more.
    pub(in crate::store) async fn now(
        &mut self,
        change: &mut Change,
        id: &BudgetId,
        at_ms: i64,
    ) -> anyhow::Result<Option<&mut Open>> {
        let Some((terms, span)) = self.terms_at(change, id, at_ms).await? else { return Ok(None) };
        Ok(Some(self.opened(change, id, terms, span).await?))
    }

    /// The window of a budget that began then; it may be over, and its budget may be gone.
    pub(in crate::store) async fn of(
        &mut self,
        change: &mut Change,
        id: &BudgetId,
        began_ms: i64,
    ) -> anyhow::Result<&mut Open> {
        let known = self.terms_at(change, id, began_ms).await?.filter(|(_, span)| span.began_ms == began_ms);
        let over = || (BudgetTerms::default(), Span { began_ms, ends_ms: None });
        let (terms, span) = known.unwrap_or_else(over);
        self.opened(change, id, terms, span).await
    }

    /// When the window of a budget began that was the one at a moment.
    pub(in crate::store) async fn began(
        &mut self,
        change: &mut Change,
        id: &BudgetId,
        at_ms: i64,
    ) -> anyhow::Result<Option<i64>> {
        Ok(self.terms_at(change, id, at_ms).await?.map(|(_, span)| span.began_ms))
    }

    /// Writes what is not as it was read.
    pub(in crate::store) async fn write(self, change: &mut Change) -> anyhow::Result<()> {
        for open in self.open.values().filter(|open| open.kept != open.before) {
            write(change, open).await?;
        }
        Ok(())
    }

    async fn terms_at(
        &mut self,
        change: &mut Change,
        id: &BudgetId,
        at_ms: i64,
    ) -> anyhow::Result<Option<(BudgetTerms, Span)>> {
        let terms = self.terms(change, &id.holder).await?;
        let same = |budget: &&BudgetTerms| budget.unit() == Some(id.unit) && budget.per == id.period;
        let Some(terms) = terms.and_then(|terms| terms.budgets.iter().find(same)) else { return Ok(None) };
        Ok(Some((terms.clone(), id.period.span(at_ms, &terms.zone())?)))
    }

    async fn terms(&mut self, change: &mut Change, holder: &str) -> anyhow::Result<Option<&Terms>> {
        if !self.terms.contains_key(holder) {
            let table = if holder.starts_with("key_") { "caller" } else { "account" };
            let find = format!("SELECT document FROM {table} WHERE id = $1");
            let find = sqlx::query(sqlx::AssertSqlSafe(find)).bind(holder.to_string());
            let row = find.fetch_optional(&mut **change).await?;
            let terms = row.map(|row| anyhow::Ok(serde_json::from_str(row.try_get("document")?)?)).transpose()?;
            self.terms.insert(holder.to_string(), terms);
        }
        Ok(self.terms.get(holder).and_then(Option::as_ref))
    }

    async fn opened(
        &mut self,
        change: &mut Change,
        id: &BudgetId,
        terms: BudgetTerms,
        span: Span,
    ) -> anyhow::Result<&mut Open> {
        use std::collections::btree_map::Entry;
        Ok(match self.open.entry((id.clone(), span.began_ms)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(free) => {
                let mut kept = read(&mut **change, id, span.began_ms).await?;
                kept.window.limit = terms.limit();
                free.insert(Open { id: id.clone(), terms, span, kept, before: kept })
            }
        })
    }
}

pub(super) async fn read<'e>(
    executor: impl sqlx::Executor<'e, Database = sqlx::Any>,
    id: &BudgetId,
    began_ms: i64,
) -> anyhow::Result<Kept> {
    let find = sqlx::query(
        "SELECT spent, spent_rest, leased, reserved, told FROM budget_window \
         WHERE holder = $1 AND unit = $2 AND period = $3 AND began_ms = $4",
    );
    let find = find.bind(id.holder.clone()).bind(id.unit.name()).bind(id.period.name()).bind(began_ms);
    let Some(row) = find.fetch_optional(executor).await? else { return Ok(Kept::default()) };
    Ok(Kept {
        window: Window {
            limit: 0,
            spent: unsigned(&row, "spent")?,
            leased: unsigned(&row, "leased")?,
            reserved: unsigned(&row, "reserved")?,
        },
        rest: unsigned(&row, "spent_rest")?,
        told: unsigned(&row, "told")?,
    })
}

async fn write(change: &mut Change, open: &Open) -> anyhow::Result<()> {
    let (id, kept) = (&open.id, &open.kept);
    let put = sqlx::query(
        "INSERT INTO budget_window (holder, unit, period, began_ms, spent, spent_rest, leased, reserved, told) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (holder, unit, period, began_ms) DO UPDATE SET \
         spent = excluded.spent, spent_rest = excluded.spent_rest, leased = excluded.leased, reserved = excluded.reserved, \
         told = excluded.told",
    );
    let put = put.bind(id.holder.clone()).bind(id.unit.name()).bind(id.period.name()).bind(open.span.began_ms);
    let put = put.bind(signed(kept.window.spent)).bind(signed(kept.rest)).bind(signed(kept.window.leased));
    put.bind(signed(kept.window.reserved)).bind(signed(kept.told)).execute(&mut **change).await?;
    Ok(())
}
