//! What became of the exchanges of one arm of an experiment.

use dragoman_core::record::Record;
use sqlx::Row as _;
use tokio_stream::StreamExt as _;

use super::{Store, optional};
use crate::experiments::Figures;

/// Most exchanges of an arm that are counted, the newest ones: as many as are read in a second.
pub const MOST: i64 = 50_000;

impl Store {
    /// What became of those that began from one moment to before another.
    pub async fn arm(&self, label: &str, from_ms: i64, until_ms: i64) -> anyhow::Result<Figures> {
        let find = sqlx::query(
            "SELECT r.document, COALESCE(r.cost_micros, -1) AS cost, \
             (SELECT CAST(SUM(f.score) AS BIGINT) / COUNT(f.score) FROM feedback AS f WHERE f.exchange = r.exchange) AS score \
             FROM record AS r WHERE r.arm = $1 AND r.arm <> '' AND r.began_ms >= $2 AND r.began_ms < $3 \
             ORDER BY r.began_ms DESC LIMIT $4",
        );
        let find = find.bind(label.to_string()).bind(from_ms).bind(until_ms).bind(MOST);
        let (mut rows, mut figures) = (find.fetch(&self.reader), Figures::default());
        while let Some(row) = rows.next().await {
            let row = row?;
            let document: String = row.try_get("document")?;
            let Some(record) = Record::read(document.as_bytes()) else { continue };
            let cost = u64::try_from(row.try_get::<i64, _>("cost")?).ok();
            figures.add(&record, cost, optional(&row, "score")?);
        }
        Ok(figures)
    }
}

#[cfg(test)]
mod tests {
    use dragoman_core::record::{Ending, Outcome};

    use super::super::feedback::Feedback;
    use super::super::records::Settling;
    use super::super::tests::on_both;
    use super::*;

    #[tokio::test]
    async fn an_arm_has_its_own_exchanges_of_its_time() {
        for fresh in on_both().await {
            let store = fresh.open().await;
            for (exchange, arm, began_ms) in [("a", "x/one", 5), ("b", "x/one", 9), ("c", "x/two", 5), ("d", "", 5)] {
                let outcome = Outcome { ending: Ending::Answered, first_event_ms: Some(7), ..Outcome::default() };
                let (exchange, arm) = (exchange.to_string(), arm.to_string());
                let record = Record { exchange, arm, began_ms, outcomes: vec![outcome], ..Record::default() };
                let document = String::from_utf8(record.write()).unwrap();
                let settling = Settling { record: &record, document: &document, cost: None, attempts: &[] };
                store.settle(&[settling]).await.unwrap();
            }
            for (actor, score) in [("ann", Some(1000)), ("bob", Some(500)), ("eve", None)] {
                let (exchange, actor) = ("a".to_string(), actor.to_string());
                let said = Feedback { exchange, actor, account: String::new(), score, label: "w".into(), made_ms: 0 };
                store.give_feedback(&said).await.unwrap();
            }
            let one = store.arm("x/one", 0, 9).await.unwrap();
            assert_eq!((one.requests, one.scores.clone()), (1, vec![750]));
            assert_eq!(store.arm("x/one", 0, 10).await.unwrap().requests, 2);
            assert_eq!(store.arm("x", 0, 10).await.unwrap().requests, 0);
            assert_eq!(store.arm("", 0, 10).await.unwrap().requests, 0);
        }
    }
}
