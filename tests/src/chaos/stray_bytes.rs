//! Answers with more behind them than they say, or framed in two ways: what is behind them is nobody's.

use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::bail;
use serde_json::json;

use super::figures::Figure;
use super::options::{Options, Scenario};
use super::{MODEL, PROVIDER, patient, provider};
use crate::gateway::Gateway;
use crate::said::read;
use crate::simulator::persona::Dialect;
use crate::simulator::{Framing, Reply, When};

/// Callers at once.
const CALLERS: usize = 4;

/// The ways to say too much.
const ODD: [&str; 3] = ["longer", "both", "twice"];

/// Runs it.
pub fn run(options: &Options) -> anyhow::Result<Vec<Figure>> {
    let count = options.count(Scenario::StrayBytes);
    let until = options.until(Scenario::StrayBytes);
    let provider = provider()?;
    let answer = |words: &str| {
        let message = json!({ "role": "assistant", "content": words });
        let choice = json!({ "index": 0, "message": message, "finish_reason": "stop" });
        json!({ "id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice] }).to_string()
    };
    let (own, stolen) = (answer("own"), answer("stolen"));
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
    let behind = format!("{own}{head}content-length: {}\r\n\r\n{stolen}", stolen.len());
    let declared = Reply::status(200).header("content-type", "application/json").framing(Framing::Declared(own.len()));
    let chunk = format!("{:x}\r\n{own}\r\n0\r\n\r\n", own.len());
    let both = format!(
        "{head}content-length: {}\r\ntransfer-encoding: chunked\r\n\r\n{chunk}{head}content-length: {}\r\n\r\n{stolen}",
        own.len(),
        stolen.len()
    );
    let twice = format!("{head}content-length: {}\r\ncontent-length: 5\r\n\r\n{own}", own.len());
    provider.when(When::mentions("longer"), [declared.body(behind)]);
    provider.when(When::mentions("both"), [Reply::raw(both)]);
    provider.when(When::mentions("twice"), [Reply::raw(twice)]);
    let gateway = Gateway::start(&patient().simulator(PROVIDER, &provider).model(MODEL, &[PROVIDER]))?;
    let next = AtomicUsize::new(0);
    let caller = |name: usize| -> anyhow::Result<Vec<String>> {
        let mut wrong = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count || std::time::Instant::now() > until {
                return Ok(wrong);
            }
            let odd = ODD[number % ODD.len()];
            let first = gateway.ask(Dialect::Chat, MODEL, odd, false)?;
            if first.text().contains("stolen") {
                wrong.push(format!("{odd}: {}", first.text()));
            }
            let words = format!("caller {name} number {number}");
            let second = gateway.ask(Dialect::Chat, MODEL, &words, number.is_multiple_of(2))?;
            let said = read(Dialect::Chat, &second);
            if said.text != format!("you said: {words}") {
                wrong.push(format!("behind {odd}: {} {}", second.status, second.text()));
            }
        }
    };
    let wrong = std::thread::scope(|scope| {
        let caller = &caller;
        let callers: Vec<_> = (0..CALLERS).map(|name| scope.spawn(move || caller(name))).collect();
        let mut all = Vec::new();
        for caller in callers {
            match caller.join() {
                Ok(wrong) => all.extend(wrong?),
                Err(_) => bail!("a caller panicked"),
            }
        }
        Ok(all)
    })?;
    let done = next.load(Ordering::Relaxed).min(count);
    Ok(vec![
        Figure::done("answers that say too much, each with another request behind it", done, count),
        Figure::none("bytes of one in the answer to another, or an answer lost", &wrong),
    ])
}
