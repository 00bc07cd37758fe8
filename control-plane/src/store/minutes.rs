//! What became of attempts, minute by minute, for a week: written in batches, added to by every control plane.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::attempts::signed;
use super::{Store, numbered};
use crate::health::{Minute, Whose};
use crate::metrics::{BUCKETS, Times};

/// Most rows of one transaction, so that Records need not wait for long behind it.
const BATCH: usize = 500;

const COUNTS: [&str; 6] = ["attempts", "answered", "failed", "throttled", "fallbacks", "hedges"];

fn counts() -> impl Iterator<Item = String> {
    COUNTS.into_iter().map(str::to_string).chain((0..BUCKETS).map(|number| format!("first_{number}")))
}

fn sums() -> String {
    counts().map(|count| format!("CAST(SUM({count}) AS BIGINT) AS {count}")).collect::<Vec<_>>().join(", ")
}

impl Store {
    /// Adds to minutes.
    pub async fn add_minutes(&self, minutes: &[(Whose, Minute)]) -> anyhow::Result<()> {
        let columns: Vec<String> = counts().collect();
        let adds: Vec<String> =
            columns.iter().map(|count| format!("{count} = health_minute.{count} + excluded.{count}")).collect();
        let put = format!(
            "INSERT INTO health_minute (provider, model, began_ms, {}) VALUES {} \
             ON CONFLICT (provider, model, began_ms) DO UPDATE SET {}",
            columns.join(", "),
            numbered(1, 3 + columns.len()),
            adds.join(", ")
        );
        for batch in minutes.chunks(BATCH) {
            let mut change = self.change().await?;
            for ((provider, model, began_ms), minute) in batch {
                let put = sqlx::query(sqlx::AssertSqlSafe(put.clone()));
                let put = put.bind(provider.clone()).bind(model.clone()).bind(*began_ms);
                let Minute { attempts, answered, failed, throttled, fallbacks, hedges, first_events } = minute;
                let numbers =
                    [attempts, answered, failed, throttled, fallbacks, hedges].into_iter().chain(&first_events.0);
                numbers.fold(put, |put, number| put.bind(signed(*number))).execute(&mut *change).await?;
            }
            change.commit().await?;
        }
        Ok(())
    }

    /// The minutes of a provider or of one of its models (empty: all together) from one moment to before another, the oldest first.
    pub async fn minutes(
        &self,
        provider: &str,
        model: &str,
        from_ms: i64,
        to_ms: i64,
    ) -> anyhow::Result<Vec<(i64, Minute)>> {
        let columns: Vec<String> = counts().collect();
        let find = format!(
            "SELECT began_ms, {} FROM health_minute WHERE provider = $1 AND model = $2 AND began_ms >= $3 AND began_ms < $4 \
             ORDER BY began_ms",
            columns.join(", ")
        );
        let find = sqlx::query(sqlx::AssertSqlSafe(find)).bind(provider.to_string()).bind(model.to_string());
        let rows = find.bind(from_ms).bind(to_ms).fetch_all(&self.reader).await?;
        rows.iter().map(|row| Ok((row.try_get("began_ms")?, minute(row)?))).collect()
    }

    /// All minutes from that moment on together: of each provider, or of each model of one.
    pub async fn minutes_since(&self, from_ms: i64, of: Option<&str>) -> anyhow::Result<Vec<(String, Minute)>> {
        let (name, which) = match of {
            None => ("provider", "model = '' AND $2 = ''"),
            Some(_) => ("model", "model <> '' AND provider = $2"),
        };
        let find = format!(
            "SELECT {name} AS name, {} FROM health_minute WHERE began_ms >= $1 AND {which} GROUP BY {name}",
            sums()
        );
        let find = sqlx::query(sqlx::AssertSqlSafe(find)).bind(from_ms).bind(of.unwrap_or_default().to_string());
        let rows = find.fetch_all(&self.reader).await?;
        rows.iter().map(|row| Ok((row.try_get("name")?, minute(row)?))).collect()
    }
}

fn minute(row: &AnyRow) -> anyhow::Result<Minute> {
    let number = |name: &str| anyhow::Ok(u64::try_from(row.try_get::<i64, _>(name)?)?);
    let mut first_events = Times::default();
    for (at, count) in first_events.0.iter_mut().enumerate() {
        *count = number(&format!("first_{at}"))?;
    }
    let [attempts, answered, failed, throttled, fallbacks, hedges] = COUNTS.map(number);
    Ok(Minute {
        attempts: attempts?,
        answered: answered?,
        failed: failed?,
        throttled: throttled?,
        fallbacks: fallbacks?,
        hedges: hedges?,
        first_events,
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::on_both;
    use super::*;

    fn minute(attempts: u64, first_ms: u64) -> Minute {
        let mut minute = Minute { attempts, failed: 1, hedges: 1, ..Minute::default() };
        minute.first_events.add(first_ms);
        minute
    }

    fn whose(model: &str, began_ms: i64) -> Whose {
        ("p".to_string(), model.to_string(), began_ms)
    }

    #[tokio::test]
    async fn every_control_plane_adds_to_the_same_minutes() {
        for fresh in on_both().await {
            let (one, two) = (fresh.open().await, fresh.open().await);
            let minutes = [(whose("", 60_000), minute(2, 20)), (whose("m", 60_000), minute(2, 20))];
            one.add_minutes(&minutes).await.unwrap();
            two.add_minutes(&[(whose("", 60_000), minute(3, 700_000)), (whose("", 120_000), minute(1, 20))])
                .await
                .unwrap();
            let found = one.minutes("p", "", 0, i64::MAX).await.unwrap();
            let mut both = minute(2, 20);
            both.join(&minute(3, 700_000));
            assert_eq!(found, [(60_000, both), (120_000, minute(1, 20))]);
            assert_eq!(one.minutes("p", "m", 0, 60_000).await.unwrap(), []);
            assert_eq!(one.minutes("p", "m", 60_000, 60_001).await.unwrap(), [(60_000, minute(2, 20))]);
            let sums = one.minutes_since(60_000, None).await.unwrap();
            assert_eq!((sums.len(), sums[0].0.as_str(), sums[0].1.attempts), (1, "p", 6));
            let sums = one.minutes_since(60_000, Some("p")).await.unwrap();
            assert_eq!(sums, [("m".to_string(), minute(2, 20))]);
            assert_eq!(one.minutes_since(120_001, None).await.unwrap(), []);
            one.forget().await.unwrap();
            assert_eq!(one.minutes("p", "", 0, i64::MAX).await.unwrap(), [], "they are older than a week");
        }
    }
}
