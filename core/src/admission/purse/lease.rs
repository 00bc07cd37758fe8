//! Leases as a document.

use super::NANO;
use crate::admission::{BudgetName, Unit};
use crate::json::{Json, Writer};

/// A slice of one window of one budget, as the control plane lends it. Amounts are in the budget's unit, money in
/// micro-dollars.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Lease {
    /// `holder/unit/period`.
    pub id: String,
    /// When the window began, in milliseconds since 1970 by the control plane's clock; 0 for a budget without windows.
    pub window_ms: u64,
    /// What this worker was lent of the window over all, what it has spent included.
    pub lent: u64,
    /// What of it is spent by settled Records: a worker that has forgotten what it took has taken at least this.
    pub spent: u64,
    /// For how long.
    pub valid_for_ms: u64,
    /// There is no more to lend at the moment.
    pub is_all: bool,
    /// What was asked for is held for the exchange; for strict budgets.
    pub is_held: bool,
    /// The budget's limit.
    pub limit: u64,
    /// What is spent, lent and held of the window, by anybody.
    pub used: u64,
    /// In how long the next window begins; `None` for a budget without windows.
    pub resets_in_ms: Option<u64>,
    /// The lowest share of the limit, in percent, from which on callers are told.
    pub tell_from: u64,
}

impl Lease {
    /// What it counts.
    pub fn unit(&self) -> Unit {
        BudgetName::read(&self.id).map_or(Unit::Usd, |name| name.unit)
    }

    /// What was lent, in the purse's amounts.
    pub(super) fn lent_grains(&self) -> u64 {
        grains(self.unit(), self.lent)
    }

    /// How much of the limit is used, in percent.
    pub fn used_percent(&self) -> u64 {
        let percent = u128::from(self.used).saturating_mul(100).checked_div(u128::from(self.limit)).unwrap_or(100);
        u64::try_from(percent).unwrap_or(u64::MAX)
    }

    fn read(row: Json<'_>) -> Option<Lease> {
        let number = |name: &str| row.get(name).map_or(Some(0), Json::u64);
        let flag = |name: &str| row.get(name).and_then(Json::bool).unwrap_or(false);
        Some(Lease {
            id: row.get("id")?.text()?.decode().into_owned(),
            window_ms: number("window_ms")?,
            lent: number("lent")?,
            spent: number("spent")?,
            valid_for_ms: number("valid_for_ms")?,
            is_all: flag("is_all"),
            is_held: flag("is_held"),
            limit: number("limit")?,
            used: number("used")?,
            resets_in_ms: row.get("resets_in_ms").and_then(Json::u64),
            tell_from: number("tell_from")?,
        })
    }

    fn write(&self, out: &mut Writer) {
        out.object(|out| {
            out.field("id").string(&self.id);
            let numbers = [
                ("window_ms", self.window_ms),
                ("lent", self.lent),
                ("spent", self.spent),
                ("valid_for_ms", self.valid_for_ms),
                ("limit", self.limit),
                ("used", self.used),
                ("tell_from", self.tell_from),
            ];
            numbers.into_iter().for_each(|(name, number)| out.field(name).number(number));
            for (name, flag) in [("is_all", self.is_all), ("is_held", self.is_held)] {
                if flag {
                    out.field(name).bool(true);
                }
            }
            if let Some(resets) = self.resets_in_ms {
                out.field("resets_in_ms").number(resets);
            }
        });
    }
}

/// The purse's amount of so much of a unit.
pub(super) fn grains(unit: Unit, amount: u64) -> u64 {
    if unit == Unit::Usd { amount.saturating_mul(NANO) } else { amount }
}

/// The unit's amount of a purse's, rounded up.
pub(super) fn of_grains(unit: Unit, amount: u64) -> u64 {
    if unit == Unit::Usd { amount.div_ceil(NANO) } else { amount }
}

/// What the control plane answers: leases.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Leases {
    /// One for each budget that was asked about.
    pub list: Vec<Lease>,
}

impl Leases {
    /// The Leases of a document; `None` when it is not one.
    pub fn read(document: &[u8]) -> Option<Leases> {
        let json = Json::parse(document).ok()?;
        Some(Leases { list: json.items().map(Lease::read).collect::<Option<_>>()? })
    }

    /// The document of these.
    pub fn write(&self) -> Vec<u8> {
        let mut out = Writer::new();
        out.array(|out| self.list.iter().for_each(|lease| lease.write(out)));
        out.into_bytes()
    }
}
