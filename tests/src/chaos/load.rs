//! Callers who ask all the time, and remember every answer that was not one.
//!
//! Why not the bench's load: that one measures, so its first wrong answer ends it. Here wrong answers are what is looked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::client::{Answer, Call};
use crate::gateway::Gateway;
use crate::said::{ask, read};
use crate::simulator::persona::Dialect;

/// Callers at once; every other answer of each is streamed.
const CALLERS: usize = 4;

/// Between an answer and the next question of a caller: with the time of an answer, some 150 requests a second in all.
const PAUSE: Duration = Duration::from_millis(20);

/// What came of it.
#[derive(Debug, Default)]
pub struct Tally {
    /// How often was asked.
    pub asked: usize,
    /// The ids of all exchanges that were answered by the gateway.
    pub exchanges: Vec<String>,
    /// What was no whole, good answer, and when.
    pub failures: Vec<String>,
}

/// Callers that ask until they are told to stop.
pub struct Load {
    stop: Arc<AtomicBool>,
    callers: Vec<JoinHandle<Tally>>,
}

impl Load {
    /// Starts asking for a model.
    pub fn start(gateway: &Gateway, model: &str) -> Self {
        Self::start_as(gateway, gateway.key(), model, "hello")
    }

    /// The same with this key and these words.
    pub fn start_as(gateway: &Gateway, key: &str, model: &str, words: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let body = |stream| ask(Dialect::Chat, model, words, stream);
        let call = |stream| Gateway::call_as(key, Dialect::Chat, model, &body(stream), stream);
        let caller = Caller { address: gateway.address(), calls: [call(false), call(true)], began: Instant::now() };
        let start = |_| {
            let (caller, stop) = (caller.clone(), Arc::clone(&stop));
            std::thread::spawn(move || caller.ask_until(&stop))
        };
        Self { callers: (0..CALLERS).map(start).collect(), stop }
    }

    /// Stops, and waits for the last answers.
    pub fn end(mut self) -> Tally {
        self.stop.store(true, Ordering::Relaxed);
        let mut whole = Tally::default();
        for caller in std::mem::take(&mut self.callers) {
            let tally = caller
                .join()
                .unwrap_or_else(|_| Tally { failures: vec!["a caller panicked".to_owned()], ..Tally::default() });
            whole.asked += tally.asked;
            whole.exchanges.extend(tally.exchanges);
            whole.failures.extend(tally.failures);
        }
        whole
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

#[derive(Clone)]
struct Caller {
    address: String,
    calls: [Call; 2],
    began: Instant,
}

impl Caller {
    fn ask_until(&self, stop: &AtomicBool) -> Tally {
        let mut tally = Tally::default();
        for call in self.calls.iter().cycle() {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            tally.asked += 1;
            let asked = self.began.elapsed().as_secs_f64();
            match call.send(&self.address) {
                Ok(answer) => {
                    tally.exchanges.extend(answer.header("x-dragoman-request-id").map(str::to_owned));
                    tally.failures.extend(failure(&answer).map(|why| format!("at {asked:.2} s {why}")));
                }
                Err(error) => tally.failures.push(format!("at {asked:.2} s {error:#}")),
            }
            std::thread::sleep(PAUSE);
        }
        tally
    }
}

/// What is wrong with an answer, if anything is.
pub(super) fn failure(answer: &Answer) -> Option<String> {
    let good = answer.status == 200 && read(Dialect::Chat, answer).complete;
    let nameless = answer.header("x-dragoman-request-id").is_none();
    match (good, nameless) {
        (true, false) => None,
        (true, true) => Some("an answer without an id".to_owned()),
        (false, _) => Some(format!("{} {}", answer.status, answer.text().chars().take(200).collect::<String>())),
    }
}
