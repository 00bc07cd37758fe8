//! Callers who ask as soon as they are answered, and tell of each answer: how long it took, and who gave it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::bail;

use super::figures::Figure;
use super::load::failure;
use super::reloads::at;
use crate::client::Call;
use crate::gateway::Gateway;
use crate::said::ask;
use crate::simulator::persona::Dialect;

/// One answer.
#[derive(Clone, Debug)]
pub struct Told {
    /// Which of the models was asked for.
    pub model: usize,
    /// When it was asked.
    pub began: Instant,
    /// How long it took.
    pub took: Duration,
    /// Who answered; empty when nobody did.
    pub target: String,
    /// What is wrong with it, if anything is.
    pub wrong: Option<String>,
}

/// So many callers ask for these models in turn, whole and streamed, as long as the number of the next request is wanted.
pub fn ask_all(
    gateway: &Gateway,
    key: &str,
    models: &[&str],
    callers: usize,
    is_wanted: impl Fn(usize) -> bool + Sync,
) -> anyhow::Result<Vec<Told>> {
    let call = |model, stream| {
        Gateway::call_as(key, Dialect::Chat, model, &ask(Dialect::Chat, model, "hello", stream), stream)
    };
    let calls: Vec<[Call; 2]> = models.iter().map(|model| [call(model, false), call(model, true)]).collect();
    let (address, next) = (gateway.address(), AtomicUsize::new(0));
    let caller = || {
        let mut told = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if !is_wanted(number) {
                return told;
            }
            let model = number % calls.len();
            told.push(tell(&address, model, &calls[model][number / calls.len() % 2]));
        }
    };
    std::thread::scope(|scope| {
        let callers: Vec<_> = (0..callers).map(|_| scope.spawn(caller)).collect();
        let mut all = Vec::new();
        for caller in callers {
            match caller.join() {
                Ok(told) => all.extend(told),
                Err(_) => bail!("a caller panicked"),
            }
        }
        Ok(all)
    })
}

fn tell(address: &str, model: usize, call: &Call) -> Told {
    let began = Instant::now();
    let (target, wrong) = match call.send(address) {
        Ok(answer) => {
            let said = |name| answer.header(name).unwrap_or_default().to_owned();
            let wrong = failure(&answer).map(|why| format!("after {} attempts: {why}", said("x-dragoman-attempts")));
            (said("x-dragoman-target"), wrong)
        }
        Err(error) => (String::new(), Some(format!("{error:#}"))),
    };
    Told { model, began, took: began.elapsed(), target, wrong }
}

/// How many of them were no whole, good answers, which may be so many percent; and the first few of these.
pub fn failed(told: &[Told], most: f64) -> Vec<Figure> {
    const SHOWN: usize = 3;
    let wrong: Vec<&str> = told.iter().filter_map(|told| told.wrong.as_deref()).collect();
    let mut figures = vec![Figure::part_at_most("of them failed", wrong.len(), told.len(), most)];
    let shown = wrong.iter().take(SHOWN).map(|wrong| Figure::told("one of these", wrong.replace(['\n', '|'], " ")));
    figures.extend(shown);
    figures
}

/// Milliseconds of those for a model, sorted.
pub fn milliseconds(told: &[Told], model: usize) -> Vec<f64> {
    let own = told.iter().filter(|told| told.model == model);
    let mut all: Vec<f64> = own.map(|told| told.took.as_secs_f64() * 1e3).collect();
    all.sort_by(f64::total_cmp);
    all
}

/// 99 of 100 took at most so many.
pub fn p99(sorted: &[f64]) -> f64 {
    at(sorted, 0.99)
}
