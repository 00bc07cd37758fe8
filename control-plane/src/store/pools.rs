//! What the targets of each route got, minute by minute, for a day; every control plane adds to it.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::Store;
use super::attempts::signed;
use crate::health::{Got, Place};

/// Most rows of one transaction, so that Records need not wait for long behind it.
const BATCH: usize = 500;

impl Store {
    /// Adds to minutes.
    pub async fn add_pools(&self, pools: &[(Place, Got)]) -> anyhow::Result<()> {
        for batch in pools.chunks(BATCH) {
            let mut change = self.change().await?;
            for ((route, target, began_ms), got) in batch {
                let put = sqlx::query(
                    "INSERT INTO pool_minute (route, target, began_ms, first, attempts, answered) \
                     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (route, target, began_ms) DO UPDATE SET \
                     first = pool_minute.first + excluded.first, \
                     attempts = pool_minute.attempts + excluded.attempts, \
                     answered = pool_minute.answered + excluded.answered",
                );
                let put = put.bind(route.clone()).bind(target.clone()).bind(*began_ms);
                let put = put.bind(signed(got.first)).bind(signed(got.attempts)).bind(signed(got.answered));
                put.execute(&mut *change).await?;
            }
            change.commit().await?;
        }
        Ok(())
    }

    /// What each target got of each route from that moment on, or of that one route.
    pub async fn pools_since(&self, from_ms: i64, route: Option<&str>) -> anyhow::Result<Vec<(String, String, Got)>> {
        let find = "SELECT route, target, CAST(SUM(first) AS BIGINT) AS first, CAST(SUM(attempts) AS BIGINT) AS attempts, \
                    CAST(SUM(answered) AS BIGINT) AS answered FROM pool_minute \
                    WHERE began_ms >= $1 AND ($2 = '' OR route = $2) GROUP BY route, target";
        let find = sqlx::query(find).bind(from_ms).bind(route.unwrap_or_default().to_string());
        find.fetch_all(&self.reader).await?.iter().map(row).collect()
    }
}

fn row(row: &AnyRow) -> anyhow::Result<(String, String, Got)> {
    let number = |name: &str| anyhow::Ok(u64::try_from(row.try_get::<i64, _>(name)?)?);
    let got = Got { first: number("first")?, attempts: number("attempts")?, answered: number("answered")? };
    Ok((row.try_get("route")?, row.try_get("target")?, got))
}

#[cfg(test)]
mod tests {
    use super::super::tests::on_both;
    use super::*;

    fn got(first: u64, attempts: u64, answered: u64) -> Got {
        Got { first, attempts, answered }
    }

    #[tokio::test]
    async fn every_control_plane_adds_to_the_same_pools_and_they_are_kept_for_a_day() {
        for fresh in on_both().await {
            let (one, two) = (fresh.open().await, fresh.open().await);
            let place = |route: &str, target: &str, began_ms| (route.to_string(), target.to_string(), began_ms);
            let first = [(place("r", "p/m", 60_000), got(2, 3, 1)), (place("s", "p/m", 60_000), got(9, 9, 9))];
            one.add_pools(&first).await.unwrap();
            let second = [(place("r", "p/m", 60_000), got(1, 1, 1)), (place("r", "p/m", 120_000), got(4, 4, 4))];
            two.add_pools(&second).await.unwrap();
            let row = |route: &str, got| (route.to_string(), "p/m".to_string(), got);
            assert_eq!(one.pools_since(0, Some("r")).await.unwrap(), [row("r", got(7, 8, 6))]);
            assert_eq!(one.pools_since(120_000, None).await.unwrap(), [row("r", got(4, 4, 4))]);
            one.forget().await.unwrap();
            assert_eq!(one.pools_since(0, None).await.unwrap(), []);
        }
    }
}
