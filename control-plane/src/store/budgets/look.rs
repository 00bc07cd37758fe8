//! Looking at budgets, and changing nothing.

use dragoman_core::admission::{Unit, Window};

use super::BudgetId;
use super::windows::read;
use crate::accounts::{BudgetTerms, Level, Span};
use crate::store::{Store, now_ms};

/// A budget as it stands: `limit + over = spent + leased + reserved + free`.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// Which one.
    pub id: BudgetId,
    /// Its words.
    pub terms: BudgetTerms,
    /// The window that it is in.
    pub span: Span,
    /// What is spent, lent and held of how much.
    pub window: Window,
}

impl Standing {
    /// What is spent, lent and held beyond the limit.
    pub fn over(&self) -> u64 {
        self.window.used().saturating_sub(self.window.limit)
    }

    /// What is spent, in percent of the limit; 100 where nothing may be spent.
    pub fn percent(&self) -> u64 {
        let share = u128::from(self.window.spent).saturating_mul(100).checked_div(u128::from(self.window.limit));
        share.map_or(100, |share| u64::try_from(share).unwrap_or(u64::MAX))
    }
}

impl Store {
    /// The budgets of those levels in their windows of this moment.
    pub async fn budgets(&self, levels: &[Level]) -> anyhow::Result<Vec<Standing>> {
        let now = now_ms();
        let mut standings = Vec::new();
        for level in levels {
            for terms in &level.terms.budgets {
                let unit = terms.unit().unwrap_or(Unit::Usd);
                let id = BudgetId { holder: level.holder.clone(), unit, period: terms.per };
                let span = terms.per.span(now, &terms.zone())?;
                let kept = read(&self.reader, &id, span.began_ms).await?;
                let window = Window { limit: terms.limit(), ..kept.window };
                standings.push(Standing { id, terms: terms.clone(), span, window });
            }
        }
        Ok(standings)
    }
}
