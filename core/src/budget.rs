//! What may be spent: one budget of an account or a key, as a Grant names it; and how fast a target may be asked, which is kept
//! in the same way.

use crate::json::{Json, Writer};

/// What a budget counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    /// Money, in micro-dollars.
    Usd,
    /// Tokens read and written.
    Tokens,
    /// Requests.
    Requests,
    /// Requests under way at the same time.
    Concurrent,
}

impl Unit {
    /// Every unit.
    pub const ALL: [Unit; 4] = [Unit::Usd, Unit::Tokens, Unit::Requests, Unit::Concurrent];

    /// Its name in documents and ids.
    pub fn name(self) -> &'static str {
        match self {
            Unit::Usd => "usd",
            Unit::Tokens => "tokens",
            Unit::Requests => "requests",
            Unit::Concurrent => "concurrent",
        }
    }

    /// The unit of that name.
    pub fn named(name: &str) -> Option<Unit> {
        Unit::ALL.into_iter().find(|unit| unit.name() == name)
    }
}

/// How exactly a budget is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Mode {
    /// From leases in the worker's memory: no question per request, and at most the outstanding leases too much.
    #[default]
    Fast,
    /// Each request is reserved durably before it is sent: never too much, one question per request.
    Strict,
}

/// What happens to a request that a budget has no room for.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum AtLimit {
    /// It is refused.
    #[default]
    Refuse,
    /// This cheaper route answers it.
    Downgrade(String),
    /// It goes on, and everybody is told.
    Warn,
}

/// What happens when the leases have ended and the control plane does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Away {
    /// Requests are refused until it does.
    #[default]
    Closed,
    /// Each worker goes on up to so much, in the budget's unit.
    Open(u64),
}

/// How the holders begin that are targets (`@provider`, `@provider/model`) and not accounts or keys.
pub const OF_TARGET: char = '@';

/// A budget's id in its parts: `holder/unit/period`. Only the holder may have strokes of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetName<'a> {
    /// An account, a key, or a target (see [`OF_TARGET`]).
    pub holder: &'a str,
    /// What it counts.
    pub unit: Unit,
    /// The period's name.
    pub period: &'a str,
}

impl BudgetName<'_> {
    /// Takes an id apart.
    pub fn read(id: &str) -> Option<BudgetName<'_>> {
        let mut parts = id.rsplitn(3, '/');
        let (period, unit, holder) = (parts.next()?, parts.next()?, parts.next()?);
        let unit = Unit::named(unit)?;
        (!holder.is_empty()).then_some(BudgetName { holder, unit, period })
    }
}

impl core::fmt::Display for BudgetName<'_> {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(out, "{}/{}/{}", self.holder, self.unit.name(), self.period)
    }
}

/// Whether a holder (see [`OF_TARGET`]) is that target or its provider.
pub fn is_about(holder: &str, target: &str) -> bool {
    let rest = holder.strip_prefix(OF_TARGET).and_then(|whom| target.strip_prefix(whom));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// One budget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Its [`BudgetName`].
    pub id: String,
    /// What it counts.
    pub unit: Unit,
    /// How exactly.
    pub mode: Mode,
    /// What happens at its limit.
    pub at_limit: AtLimit,
    /// What happens without the control plane.
    pub away: Away,
}

impl Budget {
    /// One that refuses at its limit, kept by leases.
    pub fn of(holder: &str, unit: Unit, period: &str) -> Budget {
        let id = BudgetName { holder, unit, period }.to_string();
        Budget { id, unit, mode: Mode::default(), at_limit: AtLimit::default(), away: Away::default() }
    }

    /// One of a target: how fast the gateway may ask there. It is no money, so nobody stands still because the control plane
    /// does. `None` when the id is none.
    pub fn of_target(id: &str) -> Option<Budget> {
        let BudgetName { holder, unit, period } = BudgetName::read(id)?;
        Some(Budget { away: Away::Open(u64::MAX), ..Budget::of(holder, unit, period) })
    }

    pub(crate) fn read(row: Json<'_>) -> Option<Budget> {
        let plain = |name: &str| row.get(name).and_then(Json::string);
        let id = plain("id")?;
        let unit = BudgetName::read(&id)?.unit;
        let mode = if plain("mode").as_deref() == Some("strict") { Mode::Strict } else { Mode::Fast };
        let at_limit = match (plain("downgrade"), row.get("warn").and_then(Json::bool)) {
            (Some(route), _) => AtLimit::Downgrade(route),
            (None, Some(true)) => AtLimit::Warn,
            (None, _) => AtLimit::Refuse,
        };
        let away = row.get("open").and_then(Json::u64).map_or(Away::Closed, Away::Open);
        Some(Budget { id, unit, mode, at_limit, away })
    }

    pub(crate) fn write(&self, out: &mut Writer) {
        out.object(|out| {
            out.field("id").string(&self.id);
            if self.mode == Mode::Strict {
                out.field("mode").string("strict");
            }
            match &self.at_limit {
                AtLimit::Refuse => {}
                AtLimit::Downgrade(route) => out.field("downgrade").string(route),
                AtLimit::Warn => out.field("warn").bool(true),
            }
            if let Away::Open(most) = self.away {
                out.field("open").number(most);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_is_a_provider_or_one_of_its_models() {
        for (holder, target, is) in [
            ("@p", "p/m", true),
            ("@p/m", "p/m", true),
            ("@p/m", "p/m2", false),
            ("@p", "p2/m", false),
            ("@p/a/b", "p/a/b", true),
            ("p", "p/m", false),
        ] {
            assert_eq!(is_about(holder, target), is, "{holder} {target}");
        }
    }
}
