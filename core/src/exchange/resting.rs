//! Who of a Plan is left alone for a while: those that are banned leave it, those that are averse are asked last.

use super::plan::Bearing;
use super::{Opening, Planned};
use crate::admission::Grant;
use crate::catalog::Target;
use crate::dialect::Endpoint;
use crate::health::{Fitness, Health, Rest};
use crate::memory::CoolDowns;
use crate::record::{Record, Whose};
use crate::refusal::Refusal;
use crate::snapshot::Snapshot;

impl Opening {
    /// Whose credential it is.
    pub(crate) fn whose(&self) -> Whose {
        match self {
            Opening::With(which) if !which.account.is_empty() => Whose::Account,
            Opening::Brought | Opening::Cooling(_) => Whose::Caller,
            _ => Whose::Gateway,
        }
    }
}

/// Takes out who is banned, and puts who is averse behind all others.
pub(super) fn arrange(
    plan: &mut Vec<Planned>,
    record: &mut Record,
    health: &Health,
    now_ms: u64,
) -> Result<(), Refusal> {
    let mut soonest: Option<Rest> = None;
    let mut averse = Vec::new();
    let mut fit = Vec::with_capacity(plan.len());
    for planned in plan.drain(..) {
        match health.fitness(&planned.target.id, planned.opening.whose(), &record.account, now_ms) {
            Fitness::Fit => fit.push(planned),
            Fitness::Averse(_) => averse.push(planned),
            Fitness::Banned(rest) => {
                if soonest.is_none_or(|known| rest.until_ms < known.until_ms) {
                    soonest = Some(rest);
                }
                record.rested.push(planned.target.id);
            }
        }
    }
    fit.append(&mut averse);
    *plan = fit;
    match soonest.filter(|_| plan.is_empty()) {
        None => Ok(()),
        Some(rest) => Err(Refusal::Resting { why: rest.why, wait_ms: rest.wait_ms(now_ms) }),
    }
}

/// What rests make of a Plan that nobody sends.
pub(crate) struct Foreseen {
    /// Those that are asked, in order.
    pub(crate) plan: Vec<Planned>,
    /// Those that rest, asked or not.
    pub(crate) rests: Vec<(String, Rest)>,
    /// Why nobody is asked, where nobody is.
    pub(crate) refusal: Option<Refusal>,
}

/// Leaves those alone whom a request would that brings no token of its caller's.
pub(crate) fn foresee(
    targets: Vec<Target>,
    endpoint: &Endpoint,
    grant: &Grant,
    snapshot: &Snapshot,
    (health, now_ms): (&Health, u64),
) -> Foreseen {
    let bearing = Bearing { brought: None, endpoint, cool_downs: &CoolDowns::default(), now_ms };
    let mut plan = Planned::all(targets, grant, snapshot, &bearing);
    let rests = plan.iter().filter_map(|planned| {
        match health.fitness(&planned.target.id, planned.opening.whose(), &grant.account, now_ms) {
            Fitness::Fit => None,
            Fitness::Averse(rest) | Fitness::Banned(rest) => Some((planned.target.id.clone(), rest)),
        }
    });
    let rests = rests.collect();
    let mut record = Record { account: grant.account.clone(), ..Record::default() };
    let refusal = arrange(&mut plan, &mut record, health, now_ms).err();
    Foreseen { plan, rests, refusal }
}
