//! What is said of exchanges, with a token of the admin API or with a caller's own key: kept in one way and shown in one.
//!
//! Why so: who speaks as soon as an answer has ended is earlier than its Record, which filters send in batches. So the Record is
//! looked for again, in longer and longer pauses, before it is said not to be there; and that takes as long where it is somebody
//! else's, so that nobody learns from it which exchanges there are.

use std::time::Duration;

use dragoman_core::feedback::Opinion;
use serde::Serialize;
use tokio::time::{Instant, sleep};
use utoipa::ToSchema;

use crate::store::feedback::Feedback;
use crate::store::{Store, now_ms};

/// How long a Record is awaited: thrice as long as one takes, and shorter than the five seconds that a filter waits.
const SETTLES_WITHIN: Duration = Duration::from_secs(3);
/// The first pause between two looks; each is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// What somebody said of an exchange.
#[derive(Debug, Serialize, ToSchema)]
pub struct FeedbackView {
    /// The exchange.
    pub exchange: String,
    /// Who said it: a token of the admin API, a caller's key (`key_…`), or whom a caller's token or certificate names.
    pub actor: String,
    /// Who paid for the exchange; empty when nobody did.
    account: String,
    /// How good the answer was, from 0 to 1; null when that was not said.
    score: Option<f64>,
    /// A word for it; empty when none was said.
    label: String,
    /// When, in milliseconds since 1970.
    pub made_ms: i64,
}

impl From<Feedback> for FeedbackView {
    fn from(said: Feedback) -> FeedbackView {
        let Feedback { exchange, actor, account, score, label, made_ms } = said;
        FeedbackView { exchange, actor, account, score: score.map(share), label, made_ms }
    }
}

/// Thousandths as people write them.
pub fn share(thousandths: i64) -> f64 {
    thousandths as f64 / 1000.0
}

/// Keeps what somebody says of an exchange of an account that they see; `None` when there is no such exchange.
pub async fn give(
    store: &Store,
    actor: &str,
    opinion: Opinion,
    sees: impl Fn(&str) -> bool,
) -> anyhow::Result<Option<FeedbackView>> {
    let Opinion { exchange, score, label } = opinion;
    let Some(account) = account_of(store, &exchange, sees).await? else { return Ok(None) };
    let (actor, score) = (actor.to_string(), score.map(i64::from));
    let said = Feedback { exchange, actor, account, score, label, made_ms: now_ms() };
    store.give_feedback(&said).await?;
    Ok(Some(said.into()))
}

/// Whose an exchange is, once its Record is there.
async fn account_of(store: &Store, exchange: &str, sees: impl Fn(&str) -> bool) -> anyhow::Result<Option<String>> {
    let (last, mut pause) = (Instant::now() + SETTLES_WITHIN, FIRST_PAUSE);
    loop {
        let left = last.saturating_duration_since(Instant::now());
        let found = store.record(exchange).await?.map(|kept| kept.account).filter(|account| sees(account));
        if found.is_some() || left.is_zero() {
            return Ok(found);
        }
        sleep(pause.min(left)).await;
        pause *= 2;
    }
}

#[cfg(test)]
mod tests {
    use dragoman_core::record::Record;

    use super::*;
    use crate::store::records::Settling;
    use crate::store::tests::Directory;

    async fn settle(store: &Store, exchange: &str, account: &str) {
        let record = Record { exchange: exchange.into(), account: account.into(), ..Record::default() };
        let document = String::from_utf8(record.write()).unwrap();
        store.settle(&[Settling { record: &record, document: &document, cost: None, attempts: &[] }]).await.unwrap();
    }

    fn opinion(exchange: &str) -> Opinion {
        Opinion::new(exchange.into(), Some(0.8), String::new()).unwrap()
    }

    #[tokio::test]
    async fn who_speaks_before_the_record_is_there_is_heard_once_it_is() {
        let directory = Directory::new();
        let store = Store::open(&directory.0, None).await.unwrap();
        let late = async {
            sleep(Duration::from_secs(1)).await;
            settle(&store, "x", "acme").await;
        };
        let (given, ()) = tokio::join!(give(&store, "key_1", opinion("x"), |account| account == "acme"), late);
        let said = given.unwrap().unwrap();
        assert_eq!((said.actor.as_str(), said.account.as_str(), said.score), ("key_1", "acme", Some(0.8)));
        assert_eq!(store.feedback_of("x").await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn what_is_not_there_and_what_is_anothers_take_as_long_and_keep_nothing() {
        let directory = Directory::new();
        let store = Store::open(&directory.0, None).await.unwrap();
        settle(&store, "theirs", "other").await;
        for exchange in ["theirs", "nobodys"] {
            let began = Instant::now();
            assert!(give(&store, "key_1", opinion(exchange), |account| account == "acme").await.unwrap().is_none());
            assert!(began.elapsed() >= SETTLES_WITHIN, "{exchange}");
        }
        assert!(store.feedback("", None, 9).await.unwrap().is_empty());
    }
}
