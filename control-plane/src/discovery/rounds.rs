//! When providers are asked: each every few minutes, few at once, and by one control plane only where several share a store.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::ask::{Answer, Asker, Validator, endpoint};
use crate::catalog::Registered;

/// How old a list may grow: new models come some times a week, and a provider should not notice that it is asked.
pub const MAX_AGE: Duration = Duration::from_secs(300);

/// Most that is added to [`MAX_AGE`], so that providers, and control planes that started together, drift apart.
const JITTER: Duration = Duration::from_secs(30);

/// How often it is seen who is due.
const PAUSE: Duration = Duration::from_secs(20);

/// Most providers asked at one time: it is work on the side.
const MAX_AT_ONCE: usize = 4;

/// What is remembered between rounds: the store's part.
pub trait Memory: Send + Sync + 'static {
    /// Whether the provider's turn has come: nobody asked it in the last `max_age`. Who hears yes has the turn, and nobody else
    /// hears it for as long.
    fn due(&self, provider: &str, now_ms: u64, max_age: Duration) -> impl Future<Output = bool> + Send;

    /// What the last list came with.
    fn last(&self, provider: &str) -> impl Future<Output = Option<Validator>> + Send;

    /// Keeps an answer: lists with their validator, failures with their reason. A list of [`super::Extent::Cut`] says nothing of
    /// what is not in it.
    fn save(&self, provider: &str, now_ms: u64, answer: &Answer) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// The rounds from provider to provider.
#[derive(Debug)]
pub struct Rounds<M> {
    asker: Asker,
    memory: M,
    places: Semaphore,
}

impl<M: Memory> Rounds<M> {
    /// Rounds that ask with `asker` and remember in `memory`.
    pub fn new(asker: Asker, memory: M) -> Arc<Rounds<M>> {
        Arc::new(Rounds { asker, memory, places: Semaphore::new(MAX_AT_ONCE) })
    }

    /// Goes round for ever; `providers` gives those that can be asked now, `changed` is called after a round in which a list came.
    pub async fn run(self: Arc<Self>, providers: impl Fn() -> Vec<Registered>, changed: impl Fn()) {
        loop {
            if self.clone().round(providers(), MAX_AGE).await {
                changed();
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Asks everybody whose turn has come; `max_age` of zero is everybody's turn. Whether a list came.
    pub async fn round(self: Arc<Self>, providers: Vec<Registered>, max_age: Duration) -> bool {
        let mut asking = JoinSet::new();
        for provider in providers.into_iter().filter(|provider| endpoint(provider).is_some()) {
            let rounds = self.clone();
            asking.spawn(async move { rounds.turn(&provider, max_age).await });
        }
        let mut came = false;
        while let Some(ended) = asking.join_next().await {
            came |= matches!(ended, Ok(Some(Answer::Listed { .. })));
        }
        came
    }

    /// Asks one provider if its turn has come, and keeps the answer; `None` when it has not come.
    pub async fn turn(&self, provider: &Registered, max_age: Duration) -> Option<Answer> {
        // Nobody closes the places; without one there is no turn.
        let _place = self.places.acquire().await.ok()?;
        let age = if max_age.is_zero() { max_age } else { max_age + jitter() };
        if !self.memory.due(&provider.id, now_ms(), age).await {
            return None;
        }
        let last = self.memory.last(&provider.id).await;
        let answer = self.asker.ask(provider, last.as_ref()).await;
        if let Answer::Unavailable(why) = &answer {
            tracing::info!(provider = %provider.id, "no list of models: {why}");
        }
        if let Err(error) = self.memory.save(&provider.id, now_ms(), &answer).await {
            tracing::warn!(provider = %provider.id, "its list of models is not kept: {error:#}");
        }
        Some(answer)
    }
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
}

/// Chance, or none where there is none: then providers are asked at the same time, which hurts nobody.
fn jitter() -> Duration {
    let mut chance = [0; 4];
    let given = getrandom::fill(&mut chance).map(|()| u32::from_le_bytes(chance)).unwrap_or(0);
    JITTER.mul_f64(f64::from(given) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use dragoman_core::catalog::Origin;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    #[derive(Default)]
    struct Notes {
        asked: Mutex<HashMap<String, u64>>,
        ages: Mutex<Vec<Duration>>,
        saved: Mutex<Vec<(String, Answer)>>,
        validator: Mutex<Option<Validator>>,
    }

    impl Memory for Arc<Notes> {
        async fn due(&self, provider: &str, now_ms: u64, max_age: Duration) -> bool {
            self.ages.lock().unwrap().push(max_age);
            let mut asked = self.asked.lock().unwrap();
            let due = asked.get(provider).is_none_or(|at| now_ms - at >= max_age.as_millis() as u64);
            if due {
                asked.insert(provider.to_string(), now_ms);
            }
            due
        }

        async fn last(&self, _provider: &str) -> Option<Validator> {
            self.validator.lock().unwrap().clone()
        }

        async fn save(&self, provider: &str, _now_ms: u64, answer: &Answer) -> anyhow::Result<()> {
            if let Answer::Listed { validator, .. } = answer {
                self.validator.lock().unwrap().clone_from(validator);
            }
            self.saved.lock().unwrap().push((provider.to_string(), answer.clone()));
            anyhow::ensure!(provider != "unkept", "the disk is full");
            Ok(())
        }
    }

    /// A server that is slow enough to count who is there at once, and knows its list's version.
    async fn server(most: Arc<AtomicUsize>) -> Origin {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let there = Arc::new(AtomicUsize::new(0));
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let (there, most) = (there.clone(), most.clone());
                tokio::spawn(async move {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        head.push(stream.read_u8().await.unwrap());
                    }
                    most.fetch_max(there.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(30)).await;
                    there.fetch_sub(1, Ordering::SeqCst);
                    let same = String::from_utf8(head).unwrap().contains("if-none-match: \"1\"");
                    let status = if same { "304 Not Modified" } else { "200 OK" };
                    let body = if same { "" } else { r#"[{"id":"m"}]"# };
                    let length = body.len();
                    let text = format!(
                        "HTTP/1.1 {status}\r\netag: \"1\"\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
                    );
                    stream.write_all(text.as_bytes()).await.unwrap();
                });
            }
        });
        Origin { tls: false, host: "127.0.0.1".into(), port, base: String::new() }
    }

    fn provider(id: &str, origin: &Origin) -> Registered {
        Registered { id: id.into(), models_path: None, ..Registered::demo(origin.clone()) }
    }

    #[tokio::test]
    async fn everybody_is_asked_once_and_few_at_once() {
        let most = Arc::new(AtomicUsize::new(0));
        let origin = server(most.clone()).await;
        let notes = Arc::new(Notes::default());
        let rounds = Rounds::new(Asker::new(None).unwrap(), notes.clone());
        let mut all: Vec<Registered> = (0..12).map(|n| provider(&format!("p{n}"), &origin)).collect();
        all.push(provider("unkept", &origin));
        all.push(Registered::demo(origin.clone()));
        assert!(rounds.clone().round(all.clone(), MAX_AGE).await);
        assert_eq!(notes.saved.lock().unwrap().len(), 13, "all but the demo, which is never asked");
        assert_eq!(most.load(Ordering::SeqCst), MAX_AT_ONCE);
        assert!(!rounds.clone().round(all, MAX_AGE).await, "nobody is due again");
        assert_eq!(notes.saved.lock().unwrap().len(), 13);
        let ages = notes.ages.lock().unwrap();
        assert!(ages.iter().all(|age| (MAX_AGE..=MAX_AGE + JITTER).contains(age)), "{ages:?}");
        assert!(ages.iter().any(|age| *age != ages[0]), "chance moves them apart");
    }

    #[tokio::test]
    async fn who_insists_is_answered_at_once_and_with_what_is_known() {
        let origin = server(Arc::default()).await;
        let notes = Arc::new(Notes::default());
        let rounds = Rounds::new(Asker::new(None).unwrap(), notes.clone());
        let row = provider("p", &origin);
        assert!(matches!(rounds.turn(&row, MAX_AGE).await, Some(Answer::Listed { .. })));
        assert_eq!(rounds.turn(&row, MAX_AGE).await, None);
        assert_eq!(rounds.turn(&row, Duration::ZERO).await, Some(Answer::NotModified));
        let saved: Vec<Answer> = notes.saved.lock().unwrap().iter().map(|(_, answer)| answer.clone()).collect();
        assert_eq!((saved.len(), &saved[1]), (2, &Answer::NotModified));
    }
}
