//! Records: one row for each exchange, however often it is sent.

use dragoman_core::record::Record;
use sqlx::Row;

use super::{Store, now_ms};

impl Store {
    /// Stores Records in one transaction and returns their exchange ids once all of them are durable. One that is there
    /// already stays as it is and counts as stored.
    pub async fn settle(&self, records: &[(Record, &str)]) -> anyhow::Result<Vec<String>> {
        let mut change = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        for (record, document) in records {
            let insert = sqlx::query(
                "INSERT INTO record (exchange, caller, route, status, began_ms, settled_ms, document) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (exchange) DO NOTHING",
            );
            let insert = insert.bind(&record.exchange).bind(&record.caller).bind(&record.route);
            let insert = insert.bind(i64::from(record.status)).bind(i64::try_from(record.began_ms).unwrap_or(i64::MAX));
            insert.bind(now_ms()).bind(*document).execute(&mut *change).await?;
        }
        change.commit().await?;
        Ok(records.iter().map(|(record, _)| record.exchange.clone()).collect())
    }

    /// The documents of the latest Records, the newest first.
    pub async fn latest_records(&self, limit: u32) -> anyhow::Result<Vec<String>> {
        let rows = sqlx::query("SELECT document FROM record ORDER BY began_ms DESC, exchange DESC LIMIT $1");
        let rows = rows.bind(limit).fetch_all(&self.reader).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::Directory;
    use super::*;

    fn record(exchange: &str, status: u16, began_ms: u64) -> Record {
        Record { exchange: exchange.into(), status, began_ms, ..Record::default() }
    }

    #[tokio::test]
    async fn a_record_is_stored_once_and_acknowledged_every_time() {
        let directory = Directory::new();
        let store = Store::open(&directory.0).await.unwrap();
        let documents: Vec<(Record, String)> = [record("a", 200, 1), record("b", 429, 2), record("a", 500, 3)]
            .into_iter()
            .map(|record| (record.clone(), String::from_utf8(record.write()).unwrap()))
            .collect();
        let batch: Vec<(Record, &str)> =
            documents.iter().map(|(record, text)| (record.clone(), text.as_str())).collect();
        assert_eq!(store.settle(&batch[..2]).await.unwrap(), ["a", "b"]);
        assert_eq!(store.settle(&batch[2..]).await.unwrap(), ["a"]);
        let kept: Vec<Record> =
            store.latest_records(10).await.unwrap().iter().map(|text| Record::read(text.as_bytes()).unwrap()).collect();
        assert_eq!(kept, [record("b", 429, 2), record("a", 200, 1)]);
    }
}
