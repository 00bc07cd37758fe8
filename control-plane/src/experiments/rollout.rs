//! A way gets all requests of an experiment by and by, and none when it turns out to be worse.
//!
//! ```text
//!            every                 every
//!  weights ───────▶ first step ─▶ ───────▶ … ─▶ last step: done
//!                        │ more errors or slower than the other way
//!                        ▼
//!                   no requests, and the rollout is over
//! ```
//!
//! A step is a change of the experiment's row, made by the control plane itself: it is in the audit log, can be undone, and is served like
//! any other. It is made only if the row is still as it was seen, so that of several control planes one makes it. How long a step
//! lasts is counted from the row's last change, whoever made it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::MissedTickBehavior;
use tracing::{error, info, warn};

use super::Figures;
use crate::publication::Publication;
use crate::settings::{ExperimentRow, Kind, Rollout};
use crate::store::rows::{Condition, Edit, NotEdited, Rows};
use crate::store::{Store, now_ms};

/// How often it is looked.
const LOOK: Duration = Duration::from_secs(2);

/// What happens next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The way gets so many of a hundred requests.
    To(u64),
    /// It gets none, for this reason.
    Back(String),
}

/// What happens next with a rollout whose last step was `since_ms` ago; nothing for now, when `None`. `share` is what the way has, in
/// percent.
pub fn next(rollout: &Rollout, share: u64, since_ms: u64, way: &Figures, other: &Figures) -> Option<Step> {
    let first = rollout.steps.first()?;
    if share < *first {
        return Some(Step::To(*first));
    }
    let least = rollout.least_requests;
    if way.requests >= least
        && other.requests >= least
        && let Some(why) = worse(rollout, way, other)
    {
        return Some(Step::Back(why));
    }
    let next = rollout.steps.iter().find(|step| **step > share)?;
    let lasted = u128::from(since_ms) >= rollout.every.as_millis();
    (lasted && way.requests >= least).then_some(Step::To(*next))
}

fn worse(rollout: &Rollout, way: &Figures, other: &Figures) -> Option<String> {
    let (failed, usual) = (way.error_permille(), other.error_permille());
    if rollout.error_permille.is_some_and(|most| failed > usual.saturating_add(most)) {
        return Some(format!("{failed} of 1000 failed, and {usual} on the other way"));
    }
    let (slow, usual) = (way.latency_ms(95)?, other.latency_ms(95)?);
    let more = slow.saturating_sub(usual).saturating_mul(1000) / usual.max(1);
    rollout
        .latency_permille
        .filter(|most| more > *most)
        .map(|_| format!("answers began within {slow} ms (p95), and within {usual} ms on the other way"))
}

/// Rollouts of all experiments.
pub struct Rollouts {
    /// Records, and rows.
    pub store: Store,
    /// What is served.
    pub publication: Arc<Publication>,
}

impl Rollouts {
    /// Goes on with them for ever.
    pub async fn run(self) {
        let began_ms = now_ms();
        let mut interval = tokio::time::interval(LOOK);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            let current = self.publication.current();
            for row in current.file.experiments.iter().filter(|row| row.rollout.is_some()) {
                if let Err(failed) = self.look(row, began_ms).await {
                    error!(experiment = row.name.value, "the rollout stands still: {failed:#}");
                }
            }
        }
    }

    async fn look(&self, row: &ExperimentRow, began_ms: i64) -> anyhow::Result<()> {
        let Some(rollout) = &row.rollout else { return Ok(()) };
        let name = &row.name.value;
        let rows = self.store.rows().await?;
        let said = rows.find(Kind::Experiment, name);
        // Rows of the file have no time; this process has looked at them since it began.
        let since_ms = said.map_or(began_ms, |row| row.changed_ms);
        let total: u64 = row.arms.iter().map(|(arm, _)| arm.weight).sum();
        let (mut share, mut figures) = (0, HashMap::new());
        for (arm, _) in &row.arms {
            let is_way = arm.name == rollout.to;
            if is_way {
                share = arm.weight * 100 / total.max(1);
            }
            figures.insert(is_way, self.store.arm(&format!("{name}/{}", arm.name), since_ms, i64::MAX).await?);
        }
        let (Some(way), Some(other)) = (figures.get(&true), figures.get(&false)) else { return Ok(()) };
        let lasted = u64::try_from(now_ms().saturating_sub(since_ms)).unwrap_or(0);
        match next(rollout, share, lasted, way, other) {
            Some(step) => self.take(row, rollout, &step, said.map(|row| row.revision)).await,
            None => Ok(()),
        }
    }

    /// Makes a step: the row with other weights.
    async fn take(
        &self,
        row: &ExperimentRow,
        rollout: &Rollout,
        step: &Step,
        revision: Option<u64>,
    ) -> anyhow::Result<()> {
        let (name, current) = (&row.name.value, self.publication.current());
        let Some(said) = current.file.said.find(Kind::Experiment, name) else { return Ok(()) };
        let mut members = said.members.clone();
        let (share, action) = match step {
            Step::To(share) => (*share, format!("rollout: {} gets {share} of 100", rollout.to)),
            Step::Back(why) => (0, format!("rollback: {} gets nothing, for {why}", rollout.to)),
        };
        for arm in members.get_mut("arms").and_then(Value::as_array_mut).into_iter().flatten() {
            let weight = if arm["name"] == rollout.to.as_str() { share } else { 100 - share.min(100) };
            arm["weight"] = weight.into();
        }
        if matches!(step, Step::Back(_)) {
            members.remove("rollout");
        }
        let condition = revision.map_or(Condition::Absent, Condition::Unchanged);
        let to = Some(Value::Object(members).to_string());
        let edit = Edit { kind: Kind::Experiment, id: name.clone(), to, condition };
        let check = |rows: &Rows| self.publication.check(rows, &[]).map(|_| ());
        let rows = match self.store.edit("dragoman", &action, &[edit], check).await {
            Ok(rows) => rows,
            // Another control plane was faster, or a person.
            Err(NotEdited::Condition(_)) => return Ok(()),
            Err(NotEdited::Failed(failed)) => return Err(failed),
            Err(_) => anyhow::bail!("its row can't be served any more"),
        };
        match step {
            Step::To(_) => info!(experiment = name, "{action}"),
            Step::Back(_) => warn!(experiment = name, "{action}"),
        }
        if current.file.health.webhook.is_some() {
            self.tell(name, rollout, step, rows.revision).await?;
        }
        self.publication.serve(rows.revision).await;
        Ok(())
    }

    async fn tell(&self, name: &str, rollout: &Rollout, step: &Step, revision: u64) -> anyhow::Result<()> {
        let id = format!("experiment/{name}/{revision}");
        let (kind, share, why) = match step {
            Step::To(share) => ("experiment.step", *share, ""),
            Step::Back(why) => ("experiment.rollback", 0, why.as_str()),
        };
        let document = json!({
            "id": id, "type": kind, "at_ms": now_ms(), "experiment": name, "arm": rollout.to, "percent": share, "why": why,
        });
        self.store.add_health_notice(&id, &document.to_string()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rollout() -> Rollout {
        Rollout {
            to: "new".into(),
            steps: vec![1, 5, 100],
            every: Duration::from_secs(60),
            error_permille: Some(20),
            latency_permille: Some(500),
            least_requests: 10,
        }
    }

    fn figures(requests: u64, errors: u64, latency_ms: u64) -> Figures {
        let latencies_ms = vec![latency_ms; usize::try_from(requests - errors).unwrap()];
        Figures { requests, errors, latencies_ms, ..Figures::default() }
    }

    #[test]
    fn a_step_lasts_its_time_and_is_taken_when_enough_was_seen() {
        let (good, few) = (figures(100, 0, 50), figures(9, 0, 50));
        assert_eq!(next(&rollout(), 0, 0, &Figures::default(), &good), Some(Step::To(1)), "it begins at once");
        assert_eq!(next(&rollout(), 1, 59_999, &good, &good), None);
        assert_eq!(next(&rollout(), 1, 60_000, &good, &good), Some(Step::To(5)));
        assert_eq!(next(&rollout(), 1, 60_000, &few, &good), None, "nothing is known of it");
        assert_eq!(next(&rollout(), 5, 60_000, &good, &few), Some(Step::To(100)));
        assert_eq!(next(&rollout(), 100, u64::MAX, &good, &Figures::default()), None, "it is done");
        assert_eq!(next(&rollout(), 3, 60_000, &good, &good), Some(Step::To(5)), "a person chose the share");
    }

    #[test]
    fn what_is_worse_goes_back_at_once() {
        let usual = figures(1000, 10, 100);
        let back = |way: &Figures| matches!(next(&rollout(), 5, 0, way, &usual), Some(Step::Back(_)));
        assert!(!back(&figures(1000, 30, 100)) && back(&figures(1000, 31, 100)), "20 of 1000 more");
        assert!(!back(&figures(1000, 0, 150)) && back(&figures(1000, 0, 151)), "half as slow again");
        assert!(!back(&figures(9, 9, 100)), "too few to say");
        let never = Rollout { error_permille: None, latency_permille: None, ..rollout() };
        assert_eq!(next(&never, 5, 0, &figures(100, 100, 0), &usual), None);
    }
}
