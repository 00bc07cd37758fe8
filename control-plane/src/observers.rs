//! What becomes of a settled Record besides being kept: it is counted, traced and logged, and
//! teaches how providers do. None of them can fail.

use std::sync::Arc;

use dragoman_core::price::Cost;
use dragoman_core::record::Record;

use crate::current::Current;
use crate::health::FleetView;
use crate::logs;
use crate::metrics::Metrics;
use crate::prices::{CostKnown, OutcomeCost};
use crate::traces::Traces;

/// Those who look at Records.
#[derive(Clone)]
pub struct Observers {
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// Sends spans, where a collector is named.
    pub traces: Option<Arc<Traces>>,
    /// Learns how providers do.
    pub health: Arc<FleetView>,
}

/// What an exchange cost: each attempt, and all of them together; `None` where nobody knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Costs {
    /// In micro-dollars, in the order of the attempts.
    pub attempts: Vec<Option<u64>>,
    /// The same exactly, as the ledger has them.
    pub exact: Vec<Option<Cost>>,
    /// Their sum, exactly, if all are known.
    pub whole: Option<Cost>,
}

impl Costs {
    /// By the prices of when it began.
    pub fn of(record: &Record, current: &Current) -> Costs {
        let costs = current.prices.cost(record);
        let known = |known: CostKnown| known != CostKnown::Unreported;
        let attempts: Vec<Option<u64>> =
            costs.iter().map(|cost| known(cost.known).then_some(cost.micro_dollars)).collect();
        let exact = costs.iter().map(|cost| known(cost.known).then_some(cost.cost)).collect();
        let sum = |sum: Cost, cost: &OutcomeCost| known(cost.known).then(|| sum.and(cost.cost));
        let whole = costs.iter().try_fold(Cost::default(), sum);
        Costs { attempts, exact, whole }
    }
}

impl Observers {
    /// Looks at a Record that was stored for the first time.
    pub fn settled(&self, record: &Record, costs: &Costs, current: &Current) {
        self.metrics.observe(record, &costs.attempts, &current.labels);
        self.health.observe(record, current);
        if let Some(traces) = &self.traces {
            traces.send(record, &record.trace);
        }
        logs::exchange(record);
    }
}
