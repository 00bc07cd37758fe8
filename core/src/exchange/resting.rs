//! Who of a Plan is left alone for a while: those that are banned leave it, those that are averse are asked last.

use super::{Opening, Planned};
use crate::health::{Fitness, Health, Rest};
use crate::record::{Record, Whose};
use crate::refusal::Refusal;

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
