//! Tells accounts that a share of a budget is spent, and operators how providers do.
//!
//! ```text
//! of a budget ──▶ the nearest account up the tree that has a webhook ─┬─▶ its host is looked up and screened ─▶ POST, signed
//! of a provider ─▶ the webhook of [health] ────────────────────────────┘
//! ```
//!
//! Whoever is told verifies `x-dragoman-signature: t=<seconds>,v1=<hex>`, where the digits are HMAC-SHA-256 under the account's
//! or the operator's secret of `<seconds>.<body>`. It is sent once for each window and share, for each change of a
//! provider's status, and again only when nobody took it, or when we died
//! right after it was: `id` stays the same.
//!
//! Limits: ten seconds for each try, the look-up included, and eight tries at a time; redirects are not followed and answers are not read; nothing is sent without a secret.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use hmac::{Hmac, Mac};
use reqwest::{Client, Url, redirect};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::task::JoinSet;
use tracing::{error, warn};

use crate::current::Feed;
use crate::metrics::{Metrics, Told};
use crate::screen::{Network, resolve_and_screen};
use crate::settings::Secret;
use crate::store::health::HealthNotice;
use crate::store::notices::{MAX_TRIES, Notice, WebhookSecrets};
use crate::store::{Store, hex, now_ms};

/// How often it is looked for notices.
const INTERVAL: Duration = Duration::from_secs(1);
/// Receivers that are told at the same time: a slow one keeps nobody waiting, and a hundred slow ones cost us little.
const AT_ONCE: usize = 8;
/// Longest wait for one receiver, look-up and connection included.
const MAX_WAIT: Duration = Duration::from_secs(10);
/// The header with the signature.
const SIGNATURE: &str = "x-dragoman-signature";

/// What waits to be told.
enum Waiting {
    OfBudget(Notice),
    OfHealth(HealthNotice),
}

impl Waiting {
    fn id(&self) -> String {
        match self {
            Waiting::OfBudget(notice) => notice.id(),
            Waiting::OfHealth(notice) => notice.id.clone(),
        }
    }

    fn tries(&self) -> i64 {
        match self {
            Waiting::OfBudget(notice) => notice.tries,
            Waiting::OfHealth(notice) => notice.tries,
        }
    }
}

/// Tells.
pub struct Teller {
    /// Where notices and accounts are.
    pub store: Store,
    /// What is signed with.
    pub secrets: WebhookSecrets,
    /// Says which networks are allowed.
    pub current: Feed,
    /// Counts what became of it.
    pub metrics: Arc<Metrics>,
}

impl Teller {
    /// Tells for ever.
    pub async fn run(self) {
        let teller = Arc::new(self);
        let mut interval = tokio::time::interval(INTERVAL);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut told = JoinSet::new();
        loop {
            interval.tick().await;
            while let Some(notice) = teller.claimed().await {
                let teller = teller.clone();
                told.spawn(async move { teller.tell(&notice).await });
                // A notice is claimed only when it can be told at once: a claim does not last for ever.
                if told.len() >= AT_ONCE {
                    told.join_next().await;
                }
            }
        }
    }

    async fn claimed(&self) -> Option<Waiting> {
        let claimed = async {
            Ok(match self.store.claim_health_notice().await? {
                Some(notice) => Some(Waiting::OfHealth(notice)),
                None => self.store.claim_notice().await?.map(Waiting::OfBudget),
            })
        };
        claimed.await.unwrap_or_else(|failed: anyhow::Error| {
            error!("the store failed, and nobody is told of budgets and providers: {failed:#}");
            None
        })
    }

    async fn tell(&self, waiting: &Waiting) {
        let (told, noted) = match self.deliver(waiting).await {
            Ok(true) => (Some(Told::Delivered), self.told(waiting).await),
            // Nobody wants to be told.
            Ok(false) => (None, self.given_up(waiting).await),
            Err(why) if waiting.tries() >= MAX_TRIES => {
                error!(notice = waiting.id(), "a webhook did not take it, and it is given up: {why:#}");
                (Some(Told::GivenUp), self.given_up(waiting).await)
            }
            Err(why) => {
                warn!(
                    notice = waiting.id(),
                    tries = waiting.tries(),
                    "a webhook did not take it, and it is tried again: {why:#}"
                );
                (Some(Told::Failed), Ok(()))
            }
        };
        if let Some(told) = told {
            self.metrics.webhook(told);
        }
        if let Err(failed) = noted {
            error!("the store failed, and a notice may be told again: {failed:#}");
        }
    }

    async fn told(&self, waiting: &Waiting) -> anyhow::Result<()> {
        match waiting {
            Waiting::OfBudget(notice) => self.store.notice_told(notice).await,
            Waiting::OfHealth(notice) => self.store.health_notice_told(&notice.id).await,
        }
    }

    async fn given_up(&self, waiting: &Waiting) -> anyhow::Result<()> {
        match waiting {
            Waiting::OfBudget(notice) => self.store.notice_given_up(notice).await,
            Waiting::OfHealth(notice) => self.store.health_notice_given_up(&notice.id).await,
        }
    }

    /// Whether somebody took it; false where nobody wants it.
    async fn deliver(&self, waiting: &Waiting) -> anyhow::Result<bool> {
        let file = self.current.borrow().file.clone();
        let (url, secret, body) = match waiting {
            Waiting::OfHealth(notice) => {
                let Some(operators) = &file.health.webhook else { return Ok(false) };
                let secret = operators.secret.resolve(&crate::run::environment);
                let secret = secret.context("the variable with the secret of [health]'s webhook is not set")?;
                (operators.webhook.url.clone(), secret, notice.document.clone())
            }
            Waiting::OfBudget(notice) => match self.addressed(notice).await? {
                Some(addressed) => addressed,
                None => return Ok(false),
            },
        };
        let sent = tokio::time::timeout(MAX_WAIT, send(&url, &secret, &body, &file.allow_networks)).await;
        sent.with_context(|| format!("it does not answer within {} seconds", MAX_WAIT.as_secs()))??;
        Ok(true)
    }

    /// Where a budget's notice goes, what it is signed with, and its body.
    async fn addressed(&self, notice: &Notice) -> anyhow::Result<Option<(String, Secret, String)>> {
        let account = self.store.account_of_holder(&notice.holder).await?;
        let levels = self.store.levels(&account).await?;
        let nearest = levels.into_iter().find_map(|level| Some((level.holder, level.terms.webhook?.url)));
        let Some((account, url)) = nearest else { return Ok(None) };
        let secret = self.secrets.find(&account).await?;
        let secret = secret.with_context(|| format!("{account} has a webhook and no secret to sign with"))?;
        let body = body(notice, &account).to_string();
        Ok(Some((url, secret, body)))
    }
}

fn body(notice: &Notice, account: &str) -> Value {
    json!({
        "id": notice.id(),
        "type": "budget.threshold",
        "at_ms": notice.made_ms,
        "account": account,
        "budget": {
            "holder": notice.holder,
            "unit": notice.unit,
            "per": notice.period,
            "window_began_ms": notice.began_ms,
        },
        "percent": notice.percent,
        "spent": notice.spent,
        "limit": notice.most,
    })
}

/// The addresses of a webhook's host, each of which may be asked; the error says why not.
pub async fn screened(url: &str, allowed: &[Network]) -> Result<Vec<SocketAddr>, String> {
    let parsed = Url::parse(url).ok();
    let place = parsed.as_ref().and_then(|url| Some((url.host_str()?, url.port_or_known_default()?)));
    let (host, port) = place.ok_or("this is no URL with a host")?;
    let addresses = resolve_and_screen(host, port, allowed).await?;
    Ok(addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect())
}

/// Sends to the very addresses that were screened, whatever the name means a moment later.
async fn send(url: &str, secret: &Secret, body: &str, allowed: &[Network]) -> anyhow::Result<()> {
    let addresses = screened(url, allowed).await.map_err(anyhow::Error::msg)?;
    let url = Url::parse(url)?;
    let host = url.host_str().unwrap_or_default().to_string();
    let client = Client::builder()
        .redirect(redirect::Policy::none())
        .no_proxy()
        .referer(false)
        .user_agent(concat!("dragoman/", env!("CARGO_PKG_VERSION")))
        .resolve_to_addrs(&host, &addresses)
        .build()?;
    let request = client.post(url).header("content-type", "application/json");
    let request = request.header(SIGNATURE, signature(secret, now_ms() / 1000, body)?).body(body.to_string());
    // The address may have a secret in it, and stands in the account anyway.
    let answer = request.send().await.map_err(reqwest::Error::without_url)?;
    match answer.status() {
        status if status.is_success() => Ok(()),
        status => bail!("it answers with {}", status.as_u16()),
    }
}

fn signature(secret: &Secret, seconds: i64, body: &str) -> anyhow::Result<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).context("the secret is no key")?;
    mac.update(format!("{seconds}.{body}").as_bytes());
    Ok(format!("t={seconds},v1={}", hex(&mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use dragoman_core::record::{Charged, Outcome, Record};
    use dragoman_core::usage::Usage;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::accounts::{AccountId, AccountKind};
    use crate::catalog::{Catalog, known};
    use crate::current::{Current, Made};
    use crate::settings::File;
    use crate::store::pepper::Pepper;
    use crate::store::records::Settling;
    use crate::store::rows::Condition;
    use crate::store::tests::Directory;

    #[tokio::test]
    async fn a_slow_receiver_keeps_nobody_waiting() {
        let directory = Directory::new();
        let store = Store::open(&directory.0, None).await.unwrap();
        let secrets = WebhookSecrets::of(&store, Pepper::of(&store).await.unwrap());
        // Whoever connects to it is never answered.
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let silent_url = format!("http://{}/", silent.local_addr().unwrap());
        let (url, task) = receiver("204 No Content").await;
        for (at, (id, url)) in [("slow", silent_url), ("swift", url)].into_iter().enumerate() {
            let account = AccountId::read(id).unwrap();
            let terms = json!({ "budgets": [{ "tokens": 100 }], "webhook": { "url": url } });
            let terms = serde_json::from_value(terms).unwrap();
            store.put_account("me", &account, AccountKind::Tenant, &terms, Condition::None).await.unwrap();
            secrets.make("me", id).await.unwrap();
            let record = Record {
                exchange: id.to_string(),
                account: id.to_string(),
                charged: vec![Charged { budget: format!("{id}/tokens/total"), window_ms: 0 }],
                outcomes: vec![Outcome { usage: Usage { input: Some(80), ..Usage::default() }, ..Outcome::default() }],
                began_ms: at as u64 + 1,
                ..Record::default()
            };
            let document = String::from_utf8(record.write()).unwrap();
            store
                .settle(&[Settling { record: &record, document: &document, cost: None, attempts: &[] }])
                .await
                .unwrap();
        }
        let file = File::read("f", "catalog = false\nallow_networks = [\"127.0.0.0/8\"]\n", &known().unwrap()).unwrap();
        let made = Made::of(Catalog::join(&file, &|_| None).unwrap(), file).unwrap();
        let current = tokio::sync::watch::Sender::new(Arc::new(Current::publish(made, 0, &store).await.unwrap()));
        let teller = Teller { store, secrets, current: current.subscribe(), metrics: Arc::default() };
        let running = tokio::spawn(teller.run());
        let sent = tokio::time::timeout(MAX_WAIT / 2, task).await.unwrap().unwrap();
        assert!(sent.contains("\"account\":\"swift\""), "{sent}");
        running.abort();
    }

    #[tokio::test]
    async fn operators_are_told_of_providers_signed_like_all_others() {
        let directory = Directory::new();
        let store = Store::open(&directory.0, None).await.unwrap();
        let (url, task) = receiver("204 No Content").await;
        let text = format!(
            "catalog = false\nallow_networks = [\"127.0.0.0/8\"]\n\
             [health]\nwebhook = {{ url = \"{url}\", secret = {{ env = \"PATH\" }} }}\n"
        );
        let file = File::read("f", &text, &known().unwrap()).unwrap();
        let made = Made::of(Catalog::join(&file, &|_| None).unwrap(), file).unwrap();
        let current = tokio::sync::watch::Sender::new(Arc::new(Current::publish(made, 0, &store).await.unwrap()));
        let document = "{\"type\":\"provider.unhealthy\"}";
        store.add_health_notice("x", document).await.unwrap();
        let secrets = WebhookSecrets::of(&store, Pepper::of(&store).await.unwrap());
        let teller = Teller { store, secrets, current: current.subscribe(), metrics: Arc::default() };
        let running = tokio::spawn(teller.run());
        let sent = tokio::time::timeout(MAX_WAIT / 2, task).await.unwrap().unwrap();
        let said = sent.lines().find_map(|line| line.strip_prefix("x-dragoman-signature: ")).unwrap();
        let seconds = said.strip_prefix("t=").and_then(|rest| rest.split_once(',')).unwrap().0.parse().unwrap();
        let secret = Secret::new(std::env::var("PATH").unwrap());
        assert_eq!(said, signature(&secret, seconds, document).unwrap());
        running.abort();
    }

    fn secret() -> Secret {
        Secret::new("dgw_1".to_string())
    }

    /// Answers one request; gives what was sent.
    async fn receiver(status: &'static str) -> (String, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let task = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut text = String::new();
            while !text.ends_with('}') {
                let mut bytes = [0; 4096];
                let count = stream.read(&mut bytes).await.unwrap();
                text.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
            }
            let answer = format!("HTTP/1.1 {status}\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
            text
        });
        (url, task)
    }

    #[test]
    fn a_signature_is_what_openssl_makes() {
        // printf '7.{}' | openssl dgst -sha256 -hmac dgw_1
        let expected = "t=7,v1=c42095d5858aadf54957809ab8575b5710dc96b937fee6d1040a66a1a89b148b";
        assert_eq!(signature(&secret(), 7, "{}").unwrap(), expected);
    }

    #[tokio::test]
    async fn what_is_sent_is_signed_and_only_a_good_answer_is_one() {
        let allowed = ["127.0.0.0/8".parse().unwrap()];
        let (url, task) = receiver("204 No Content").await;
        send(&url, &secret(), "{\"a\":1}", &allowed).await.unwrap();
        let sent = task.await.unwrap();
        let said = sent.lines().find_map(|line| line.strip_prefix("x-dragoman-signature: ")).unwrap();
        let seconds = said.strip_prefix("t=").and_then(|rest| rest.split_once(',')).unwrap().0.parse().unwrap();
        assert_eq!(said, signature(&secret(), seconds, "{\"a\":1}").unwrap());
        assert!(sent.starts_with("POST /hook") && sent.ends_with("{\"a\":1}"), "{sent}");
        for status in ["500 No", "302 Found"] {
            let (url, task) = receiver(status).await;
            assert!(send(&url, &secret(), "{}", &allowed).await.is_err(), "{status}");
            task.await.unwrap();
        }
    }

    #[tokio::test]
    async fn no_webhook_reaches_what_only_we_can_reach() {
        for url in [
            "http://127.0.0.1:1/",
            "http://localhost/",
            "http://[::1]/",
            "http://169.254.169.254/",
            "http://2130706433/",
            "x",
        ] {
            assert!(screened(url, &[]).await.is_err(), "{url}");
            assert!(send(url, &secret(), "{}", &[]).await.is_err(), "{url}");
        }
    }
}
