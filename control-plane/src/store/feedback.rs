//! What is said of exchanges, by people and programs that have seen the answers.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::accounts::within;
use super::{Store, now_ms, optional};

/// What somebody says of an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feedback {
    /// The exchange.
    pub exchange: String,
    /// Who says it.
    pub actor: String,
    /// The account of the exchange; empty when it is nobody's.
    pub account: String,
    /// How good the answer was, in thousandths; `None` when that is not said.
    pub score: Option<i64>,
    /// A word for it; empty when none is said.
    pub label: String,
    /// When, in milliseconds since 1970.
    pub made_ms: i64,
}

/// What can be learnt from: an exchange whose model was chosen, and what was said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The exchange.
    pub exchange: String,
    /// When it began, in milliseconds since 1970.
    pub began_ms: i64,
    /// Its Record.
    pub document: String,
    /// What it cost in micro-dollars; `None` when nobody knows.
    pub cost_micros: Option<u64>,
    /// The mean of all scores, in thousandths.
    pub score: i64,
}

const COLUMNS: &str = "exchange, actor, account, score, label, made_ms";

impl Store {
    /// Notes what somebody says; what the same one said before is forgotten.
    pub async fn give_feedback(&self, said: &Feedback) -> anyhow::Result<()> {
        let put = sqlx::query(
            "INSERT INTO feedback (exchange, actor, account, score, label, made_ms) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (exchange, actor) DO UPDATE SET score = excluded.score, label = excluded.label, made_ms = excluded.made_ms",
        );
        let Feedback { exchange, actor, account, score, label, .. } = said;
        let put = put.bind(exchange.clone()).bind(actor.clone()).bind(account.clone()).bind(*score);
        put.bind(label.clone()).bind(now_ms()).execute(&self.writer).await?;
        Ok(())
    }

    /// What is said of exchanges of an account and of all below it (of everybody's when it is empty), the newest first, after a
    /// place in that order.
    pub async fn feedback(
        &self,
        tree: &str,
        after: Option<(i64, &str, &str)>,
        limit: u32,
    ) -> anyhow::Result<Vec<Feedback>> {
        let of = if tree.is_empty() { String::new() } else { format!("{} AND ", within("account", 5)) };
        let find = format!(
            "SELECT {COLUMNS} FROM feedback WHERE {of}(made_ms, exchange, actor) < ($1, $2, $3) \
             ORDER BY made_ms DESC, exchange DESC, actor DESC LIMIT $4"
        );
        let (made, exchange, actor) = after.unwrap_or((i64::MAX, "", ""));
        let find = sqlx::query(sqlx::AssertSqlSafe(find)).bind(made).bind(exchange.to_string()).bind(actor.to_string());
        let find = find.bind(i64::from(limit));
        let find = if tree.is_empty() { find } else { find.bind(tree.to_string()) };
        find.fetch_all(&self.reader).await?.iter().map(read).collect()
    }

    /// What is said of one exchange, the oldest first.
    pub async fn feedback_of(&self, exchange: &str) -> anyhow::Result<Vec<Feedback>> {
        let find = format!("SELECT {COLUMNS} FROM feedback WHERE exchange = $1 ORDER BY made_ms, actor");
        let find = sqlx::query(sqlx::AssertSqlSafe(find)).bind(exchange.to_string());
        find.fetch_all(&self.reader).await?.iter().map(read).collect()
    }

    /// Exchanges of which somebody said how good they were, the oldest first, after a place in that order.
    pub async fn examples(&self, after: (i64, &str), limit: u32) -> anyhow::Result<Vec<Example>> {
        let find = sqlx::query(
            "SELECT r.exchange, r.began_ms, r.document, COALESCE(r.cost_micros, -1) AS cost, CAST(f.score AS BIGINT) AS score \
             FROM (SELECT exchange, CAST(SUM(score) AS BIGINT) / COUNT(score) AS score FROM feedback WHERE score IS NOT NULL GROUP BY exchange) AS f \
             JOIN record AS r ON r.exchange = f.exchange WHERE (r.began_ms, r.exchange) > ($1, $2) \
             ORDER BY r.began_ms, r.exchange LIMIT $3",
        );
        let find = find.bind(after.0).bind(after.1.to_string()).bind(i64::from(limit));
        let example = |row: &AnyRow| {
            Ok(Example {
                exchange: row.try_get("exchange")?,
                began_ms: row.try_get("began_ms")?,
                document: row.try_get("document")?,
                cost_micros: u64::try_from(row.try_get::<i64, _>("cost")?).ok(),
                score: row.try_get("score")?,
            })
        };
        find.fetch_all(&self.reader).await?.iter().map(example).collect()
    }
}

fn read(row: &AnyRow) -> anyhow::Result<Feedback> {
    Ok(Feedback {
        exchange: row.try_get("exchange")?,
        actor: row.try_get("actor")?,
        account: row.try_get("account")?,
        score: optional(row, "score")?,
        label: row.try_get("label")?,
        made_ms: row.try_get("made_ms")?,
    })
}

#[cfg(test)]
mod tests {
    use dragoman_core::record::Record;

    use super::super::records::Settling;
    use super::super::tests::on_both;
    use super::*;

    fn said(exchange: &str, actor: &str, account: &str, score: Option<i64>) -> Feedback {
        let (exchange, actor, account) = (exchange.to_string(), actor.to_string(), account.to_string());
        Feedback { exchange, actor, account, score, label: "good".into(), made_ms: 0 }
    }

    #[tokio::test]
    async fn the_later_word_of_each_holds_and_trees_are_kept_apart() {
        for fresh in on_both().await {
            let store = fresh.open().await;
            for one in [
                said("x", "ann", "acme.a", Some(100)),
                said("x", "bob", "acme.a", None),
                said("x", "ann", "acme.a", Some(900)),
                said("y", "ann", "other", Some(0)),
            ] {
                store.give_feedback(&one).await.unwrap();
            }
            let of: Vec<_> =
                store.feedback_of("x").await.unwrap().into_iter().map(|one| (one.actor, one.score)).collect();
            assert!(of.contains(&("ann".into(), Some(900))) && of.contains(&("bob".into(), None)) && of.len() == 2);
            for (tree, count) in [("", 3), ("acme", 2), ("acme.a", 2), ("acme.b", 0), ("other", 1)] {
                assert_eq!(store.feedback(tree, None, 9).await.unwrap().len(), count, "{tree}");
            }
            let (mut after, mut seen) = (None, Vec::new());
            loop {
                let place = after
                    .as_ref()
                    .map(|(made, exchange, actor): &(i64, String, String)| (*made, exchange.as_str(), actor.as_str()));
                let page = store.feedback("", place, 1).await.unwrap();
                let Some(last) = page.into_iter().next() else { break };
                seen.push((last.exchange.clone(), last.actor.clone()));
                after = Some((last.made_ms, last.exchange, last.actor));
            }
            assert_eq!(seen.len(), 3);
        }
    }

    #[tokio::test]
    async fn what_can_be_learnt_from_has_a_record_and_a_score() {
        for fresh in on_both().await {
            let store = fresh.open().await;
            for (exchange, began_ms) in [("x", 2), ("y", 1), ("z", 3)] {
                let record = Record { exchange: exchange.into(), began_ms, ..Record::default() };
                let document = String::from_utf8(record.write()).unwrap();
                let settling = Settling { record: &record, document: &document, cost: None, attempts: &[] };
                store.settle(&[settling]).await.unwrap();
            }
            for one in [
                said("x", "ann", "", Some(1000)),
                said("x", "bob", "", Some(501)),
                said("x", "eve", "", None),
                said("y", "ann", "", Some(7)),
                said("z", "ann", "", None),
                said("gone", "ann", "", Some(7)),
            ] {
                store.give_feedback(&one).await.unwrap();
            }
            let found = store.examples((0, ""), 9).await.unwrap();
            let found: Vec<_> = found.iter().map(|one| (one.exchange.as_str(), one.score)).collect();
            assert_eq!(found, [("y", 7), ("x", 750)]);
            assert_eq!(store.examples((1, "y"), 9).await.unwrap().len(), 1);
        }
    }
}
