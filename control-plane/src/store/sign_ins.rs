//! Sign-ins under way: made, offered to a browser, used once, ended.
//!
//! ```text
//! waiting ─▶ offered (state, verifier, browser; the last opening of the page counts) ─▶ used ─▶ done | failed
//! waiting ─▶ polled by one control plane at a time, no sooner than the provider allows ─▶ done | failed
//! ```
//!
//! Using is one UPDATE of a row that was not used yet: of two callbacks with one state, one has it.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::{Store, now_ms};
use crate::vault::Envelope;

/// How long one that is over is kept, for who asks what became of it.
const KEPT_MS: i64 = 24 * 3_600_000;
/// Most device codes that are looked for at a time; the others come a second later.
const AT_ONCE: i64 = 64;

/// How somebody signs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// In a browser that comes back to us.
    Browser,
    /// With a code that is typed elsewhere (RFC 8628).
    Device,
}

impl Flow {
    /// Every flow.
    pub const ALL: [Flow; 2] = [Flow::Browser, Flow::Device];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Flow::Browser => "browser",
            Flow::Device => "device",
        }
    }

    /// The flow of that name.
    pub fn named(name: &str) -> Option<Flow> {
        Flow::ALL.into_iter().find(|flow| flow.name() == name)
    }
}

/// What became of a sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Nobody has come back yet.
    Waiting,
    /// There is a session.
    Done,
    /// There is none.
    Failed,
}

impl Progress {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Progress::Waiting => "waiting",
            Progress::Done => "done",
            Progress::Failed => "failed",
        }
    }
}

/// One sign-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignInEntry {
    /// Its id: nobody guesses it.
    pub id: String,
    /// With whom.
    pub provider: String,
    /// For whom.
    pub account: String,
    /// How.
    pub flow: Flow,
    /// What became of it.
    pub progress: Progress,
    /// Why there is no session.
    pub said: String,
    /// The code of the browser that the page was opened in; empty before.
    pub browser_tag: String,
    /// Its verifier or its device code.
    pub envelope: Envelope,
    /// Where the provider sends the browser to.
    pub redirect_uri: String,
    /// How long the provider wants to be left alone between two questions.
    pub interval_ms: i64,
    /// Who asked for it, as the audit log names them.
    pub made_by: String,
    /// When it is over.
    pub expires_ms: i64,
}

/// What the browser was given: codes of it, and what is needed when it comes back.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The code of the state.
    pub state_tag: String,
    /// The code of the browser's cookie.
    pub browser_tag: String,
    /// The verifier.
    pub verifier: Envelope,
    /// Where the provider sends the browser to.
    pub redirect_uri: String,
}

impl Store {
    /// Keeps a new sign-in.
    pub async fn begin_sign_in(&self, new: &SignInEntry) -> anyhow::Result<()> {
        let insert = sqlx::query(
            "INSERT INTO sign_in (id, provider, account, flow, state, sealed, wrapped, key_id, interval_ms, next_ms, \
             made_ms, made_by, expires_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        );
        let now = now_ms();
        let insert = insert.bind(&new.id).bind(&new.provider).bind(&new.account).bind(new.flow.name());
        let insert = insert.bind(new.progress.name()).bind(&new.envelope.sealed).bind(&new.envelope.wrapped);
        let insert = insert.bind(&new.envelope.key_id).bind(new.interval_ms).bind(now + new.interval_ms).bind(now);
        insert.bind(&new.made_by).bind(new.expires_ms).execute(&self.writer).await?;
        Ok(())
    }

    /// The sign-in of that id. One that waited for too long has failed.
    pub async fn sign_in(&self, id: &str) -> anyhow::Result<Option<SignInEntry>> {
        self.sign_in_where("SELECT * FROM sign_in WHERE id = $1", id).await
    }

    /// The one whose browser was given that state.
    pub async fn sign_in_of_state(&self, state_tag: &str) -> anyhow::Result<Option<SignInEntry>> {
        self.sign_in_where("SELECT * FROM sign_in WHERE state_tag = $1", state_tag).await
    }

    async fn sign_in_where(&self, find: &'static str, value: &str) -> anyhow::Result<Option<SignInEntry>> {
        sqlx::query(find).bind(value).fetch_optional(&self.writer).await?.as_ref().map(sign_in).transpose()
    }

    /// Notes what a browser is given, in place of what another opening was given; false when it was used or is over.
    pub async fn offer_sign_in(&self, id: &str, offer: &Offer) -> anyhow::Result<bool> {
        let update = sqlx::query(
            "UPDATE sign_in SET state_tag = $1, browser_tag = $2, sealed = $3, wrapped = $4, key_id = $5, redirect_uri = $6 \
             WHERE id = $7 AND state = 'waiting' AND used_ms IS NULL AND expires_ms > $8",
        );
        let update = update.bind(&offer.state_tag).bind(&offer.browser_tag).bind(&offer.verifier.sealed);
        let update = update.bind(&offer.verifier.wrapped).bind(&offer.verifier.key_id).bind(&offer.redirect_uri);
        Ok(update.bind(id).bind(now_ms()).execute(&self.writer).await?.rows_affected() == 1)
    }

    /// Uses it up, with the state that its browser was given last; true for one caller only.
    pub async fn use_sign_in(&self, id: &str, state_tag: &str) -> anyhow::Result<bool> {
        let update = sqlx::query(
            "UPDATE sign_in SET used_ms = $1, sealed = '', wrapped = '' \
             WHERE id = $2 AND state_tag = $3 AND state = 'waiting' AND used_ms IS NULL AND expires_ms > $1",
        );
        Ok(update.bind(now_ms()).bind(id).bind(state_tag).execute(&self.writer).await?.rows_affected() == 1)
    }

    /// Says what became of it, the first time that somebody does.
    pub async fn end_sign_in(&self, id: &str, progress: Progress, said: &str) -> anyhow::Result<()> {
        let update = sqlx::query(
            "UPDATE sign_in SET state = $1, said = $2, sealed = '', wrapped = '' WHERE id = $3 AND state = 'waiting'",
        );
        update.bind(progress.name()).bind(said).bind(id).execute(&self.writer).await?;
        Ok(())
    }

    /// Device codes that somebody may ask for now.
    pub async fn due_sign_ins(&self) -> anyhow::Result<Vec<String>> {
        let find = sqlx::query(
            "SELECT id FROM sign_in WHERE flow = 'device' AND state = 'waiting' AND next_ms <= $1 AND expires_ms > $1 \
             ORDER BY next_ms LIMIT $2",
        );
        let rows = find.bind(now_ms()).bind(AT_ONCE).fetch_all(&self.reader).await?;
        rows.iter().map(|row| Ok(row.try_get("id")?)).collect()
    }

    /// Takes the next question of a device code, for as long as it may take to be answered; `None` when somebody else has it or it is
    /// too early.
    pub async fn claim_sign_in(&self, id: &str, answered_within_ms: i64) -> anyhow::Result<Option<SignInEntry>> {
        let update = sqlx::query(
            "UPDATE sign_in SET next_ms = $1 + $2 + interval_ms WHERE id = $3 AND flow = 'device' AND state = 'waiting' \
             AND next_ms <= $1 AND expires_ms > $1",
        );
        let update = update.bind(now_ms()).bind(answered_within_ms).bind(id);
        match update.execute(&self.writer).await?.rows_affected() {
            1 => self.sign_in(id).await,
            _ => Ok(None),
        }
    }

    /// The provider answered and wants to be left alone for so long from now on.
    pub async fn wait_sign_in(&self, id: &str, interval_ms: i64) -> anyhow::Result<()> {
        let update = sqlx::query("UPDATE sign_in SET interval_ms = $1, next_ms = $2 WHERE id = $3");
        update.bind(interval_ms).bind(now_ms() + interval_ms).bind(id).execute(&self.writer).await?;
        Ok(())
    }

    /// Forgets what is long over.
    pub async fn forget_sign_ins(&self) -> anyhow::Result<()> {
        let delete = sqlx::query("DELETE FROM sign_in WHERE expires_ms < $1");
        delete.bind(now_ms() - KEPT_MS).execute(&self.writer).await?;
        Ok(())
    }
}

fn sign_in(row: &AnyRow) -> anyhow::Result<SignInEntry> {
    let (flow, state): (String, String) = (row.try_get("flow")?, row.try_get("state")?);
    let expires_ms: i64 = row.try_get("expires_ms")?;
    let mut said: String = row.try_get("said")?;
    let progress = match state.as_str() {
        "done" => Progress::Done,
        "waiting" if expires_ms > now_ms() => Progress::Waiting,
        "waiting" => {
            said = "Nobody finished it in time. Start again.".to_string();
            Progress::Failed
        }
        _ => Progress::Failed,
    };
    Ok(SignInEntry {
        id: row.try_get("id")?,
        provider: row.try_get("provider")?,
        account: row.try_get("account")?,
        flow: Flow::named(&flow).unwrap_or(Flow::Browser),
        progress,
        said,
        browser_tag: row.try_get("browser_tag")?,
        envelope: Envelope {
            sealed: row.try_get("sealed")?,
            wrapped: row.try_get("wrapped")?,
            key_id: row.try_get("key_id")?,
        },
        redirect_uri: row.try_get("redirect_uri")?,
        interval_ms: row.try_get("interval_ms")?,
        made_by: row.try_get("made_by")?,
        expires_ms,
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::on_both;
    use super::*;

    fn envelope(text: &str) -> Envelope {
        Envelope { sealed: text.into(), wrapped: text.into(), key_id: "k".into() }
    }

    fn new(id: &str, flow: Flow, lives_ms: i64) -> SignInEntry {
        SignInEntry {
            id: id.into(),
            provider: "corp".into(),
            account: "acme.alice".into(),
            flow,
            progress: Progress::Waiting,
            said: String::new(),
            browser_tag: String::new(),
            envelope: envelope(""),
            redirect_uri: String::new(),
            interval_ms: 0,
            made_by: "me".into(),
            expires_ms: now_ms() + lives_ms,
        }
    }

    fn offer(state: &str) -> Offer {
        let (state_tag, browser_tag) = (state.into(), "b".into());
        Offer { state_tag, browser_tag, verifier: envelope("v"), redirect_uri: "r".into() }
    }

    #[tokio::test]
    async fn a_state_is_used_once_the_last_one_counts_and_its_verifier_is_gone() {
        for fresh in on_both().await {
            let store = fresh.open().await;
            store.begin_sign_in(&new("s", Flow::Browser, 60_000)).await.unwrap();
            assert!(store.offer_sign_in("s", &offer("one")).await.unwrap());
            assert!(store.offer_sign_in("s", &offer("two")).await.unwrap());
            assert_eq!(store.sign_in_of_state("one").await.unwrap(), None);
            assert!(!store.use_sign_in("s", "one").await.unwrap());
            let (once, twice) = tokio::join!(store.use_sign_in("s", "two"), store.use_sign_in("s", "two"));
            assert!(once.unwrap() != twice.unwrap());
            assert!(!store.offer_sign_in("s", &offer("three")).await.unwrap());
            assert_eq!(
                store.sign_in("s").await.unwrap().unwrap().envelope,
                Envelope { key_id: "k".into(), ..envelope("") }
            );
            store.end_sign_in("s", Progress::Failed, "no").await.unwrap();
            store.end_sign_in("s", Progress::Done, "").await.unwrap();
            let ended = store.sign_in("s").await.unwrap().unwrap();
            assert_eq!((ended.progress, ended.said.as_str()), (Progress::Failed, "no"));
        }
    }

    #[tokio::test]
    async fn one_that_waited_for_too_long_has_failed_and_is_forgotten_later() {
        for fresh in on_both().await {
            let store = fresh.open().await;
            store.begin_sign_in(&new("s", Flow::Browser, -1)).await.unwrap();
            assert!(!store.offer_sign_in("s", &offer("one")).await.unwrap());
            assert!(!store.use_sign_in("s", "").await.unwrap());
            assert_eq!(store.sign_in("s").await.unwrap().unwrap().progress, Progress::Failed);
            store.forget_sign_ins().await.unwrap();
            assert!(store.sign_in("s").await.unwrap().is_some());
            store.begin_sign_in(&new("old", Flow::Browser, -KEPT_MS - 1)).await.unwrap();
            store.forget_sign_ins().await.unwrap();
            assert_eq!(store.sign_in("old").await.unwrap(), None);
        }
    }

    #[tokio::test]
    async fn a_device_code_is_asked_for_by_one_and_never_too_early() {
        for fresh in on_both().await {
            let store = fresh.open().await;
            store.begin_sign_in(&new("d", Flow::Device, 60_000)).await.unwrap();
            store
                .begin_sign_in(&SignInEntry { interval_ms: 5_000, ..new("later", Flow::Device, 60_000) })
                .await
                .unwrap();
            assert_eq!(store.due_sign_ins().await.unwrap(), ["d"]);
            let (one, other) = tokio::join!(store.claim_sign_in("d", 10_000), store.claim_sign_in("d", 10_000));
            assert!(one.unwrap().is_some() != other.unwrap().is_some());
            assert_eq!(store.claim_sign_in("later", 10_000).await.unwrap(), None);
            store.wait_sign_in("d", 5_000).await.unwrap();
            assert_eq!(store.claim_sign_in("d", 10_000).await.unwrap(), None);
            assert_eq!(store.due_sign_ins().await.unwrap(), Vec::<String>::new());
        }
    }
}
