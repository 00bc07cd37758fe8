//! Tells operators when a provider's status changes, and when it refuses the gateway's credential.
//!
//! A status must hold for a moment before it is told, so that who flaps is not told of each time. Several control planes see the same
//! states and the same minutes in their store; of each change one of them is heard.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tracing::{error, info};

use super::status::{Reason, Report, Status};
use super::{FleetView, MINUTE_MS, every};
use crate::current::Current;
use crate::store::now_ms;

/// How often it is looked.
const LOOK: Duration = Duration::from_secs(1);
/// So long a status holds before it is told.
const HOLD: Duration = Duration::from_secs(2);
/// How many minutes are "of late": the one that runs, and the one before.
const LATE_MINUTES: i64 = 2;
/// A credential that is refused is told of once in so long.
const AGAIN_MS: i64 = 60 * MINUTE_MS;

impl FleetView {
    /// How every provider does.
    pub fn reports(&self, current: &Current) -> Vec<Report> {
        let now_ms = super::now();
        let late = self.late();
        let mut told = self.by_provider();
        let report = |id: &String| {
            let told = told.remove(id).unwrap_or_default();
            let late = late.get(id).cloned().unwrap_or_default();
            Report::of(id, &told, &current.snapshot, &late, &current.snapshot.health, now_ms)
        };
        current.snapshot.providers.iter().map(|row| &row.id).map(report).collect()
    }

    /// Tells for ever.
    pub(super) async fn tell_operators(&self) {
        let mut seen = HashMap::new();
        let mut interval = every(LOOK);
        loop {
            interval.tick().await;
            if let Err(failed) = self.tell_changes(&mut seen).await {
                error!("the store failed, and nobody is told how providers do: {failed:#}");
            }
        }
    }

    /// `seen` is which status was seen last, and since when.
    async fn tell_changes(&self, seen: &mut HashMap<String, (Status, Instant)>) -> anyhow::Result<()> {
        let current = self.current.borrow().clone();
        let since_ms = now_ms() / MINUTE_MS * MINUTE_MS - (LATE_MINUTES - 1) * MINUTE_MS;
        self.learn_late(self.store.minutes_since(since_ms, None).await?.into_iter().collect());
        let reports = self.reports(&current);
        let told = self.store.health_statuses().await?;
        let wanted = current.file.health.webhook.is_some();
        seen.retain(|provider, _| reports.iter().any(|report| report.provider == *provider));
        for report in &reports {
            let known = seen.get(&report.provider).filter(|(status, _)| *status == report.status);
            let (_, since) = *known.unwrap_or(&(report.status, Instant::now()));
            seen.insert(report.provider.clone(), (report.status, since));
            let before = told.get(&report.provider).map_or("healthy", |(status, _)| status);
            if before == report.status.name() || since.elapsed() < HOLD {
                continue;
            }
            let at_ms = now_ms();
            let id = format!("provider/{}/{}/{at_ms}", report.provider, report.status.name());
            let document = changed(&id, report, before, at_ms).to_string();
            let change = (before, report.status.name());
            let notice = wanted.then_some((id.as_str(), document.as_str()));
            if self.store.change_health_status(&report.provider, change, at_ms, notice).await? {
                let why: Vec<String> =
                    report.reasons.iter().map(|reason| format!("{} {}", reason.subject, reason.why)).collect();
                info!(
                    provider = report.provider,
                    before,
                    why = why.join(", "),
                    "a provider is {}",
                    report.status.name()
                );
            }
        }
        for provider in self.refused().into_iter().filter(|_| wanted) {
            let at_ms = now_ms();
            let id = format!("provider/{provider}/credential/{}", at_ms / AGAIN_MS);
            let document = json!({ "id": id, "type": "provider.credential", "at_ms": at_ms, "provider": provider });
            self.store.add_health_notice(&id, &document.to_string()).await?;
        }
        Ok(())
    }

    fn refused(&self) -> BTreeSet<String> {
        std::mem::take(&mut *super::held(&self.refused))
    }
}

fn changed(id: &str, report: &Report, before: &str, at_ms: i64) -> Value {
    let reason = |reason: &Reason| json!({ "subject": reason.subject, "why": reason.why, "until_ms": reason.until_ms });
    json!({
        "id": id,
        "type": format!("provider.{}", report.status.name()),
        "at_ms": at_ms,
        "provider": report.provider,
        "status": report.status.name(),
        "before": before,
        "reasons": report.reasons.iter().map(reason).collect::<Vec<_>>(),
    })
}
