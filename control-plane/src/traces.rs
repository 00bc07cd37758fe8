//! Spans of exchanges, for a collector that speaks OTLP over HTTP.
//!
//! ```text
//! settled Records ─▶ queue (bounded) ─▶ batches ─▶ span ─▶ collector
//! ```
//!
//! A collector that is slow or away costs spans and nothing else; what became of them is counted. Nothing is sent twice: a span
//! that is lost is a small loss, and one that waits for its third try takes the place of others.
//!
//! Limits: the queue holds [`QUEUE`] exchanges; only JSON is spoken, which every collector takes at the same address.

mod collector;
mod span;

use std::sync::Arc;
use std::time::Duration;

use dragoman_core::record::Record;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{debug, info, warn};

use crate::metrics::{Metrics, Spans};

use collector::{Collector, Settings};

/// Most exchanges that wait: some ten megabytes, and several seconds of heavy traffic.
const QUEUE: usize = 4096;
/// Most exchanges of one message: with six spans each about two megabytes, well below what collectors take.
const BATCH: usize = 256;
/// How long a message waits for more exchanges.
const LINGER: Duration = Duration::from_secs(1);
/// How long the end waits for what is still queued.
const PATIENCE: Duration = Duration::from_secs(3);

/// Where spans go.
#[derive(Clone, Debug)]
pub struct Traces {
    queue: mpsc::Sender<Message>,
    metrics: Arc<Metrics>,
}

#[derive(Debug)]
enum Message {
    /// An exchange, and the client's `traceparent`.
    Exchange(Box<Record>, String),
    /// Say so when everything before this was sent.
    Flush(oneshot::Sender<()>),
}

impl Traces {
    /// Begins sending to the collector that the environment names; `None` when it names none, or none that can be used: the
    /// log says why, and the gateway serves all the same. To be called within a Tokio runtime.
    pub fn start(environment: &dyn Fn(&str) -> Option<String>, metrics: Arc<Metrics>) -> Option<Traces> {
        let settings = match Settings::of(environment) {
            Ok(settings) => settings?,
            Err(mistake) => {
                warn!("spans are not sent: {mistake}");
                return None;
            }
        };
        let collector = match Collector::new(settings) {
            Ok(collector) => collector,
            Err(error) => {
                warn!("spans are not sent: {error:#}");
                return None;
            }
        };
        info!(host = collector.host(), "spans are sent");
        let (queue, receiver) = mpsc::channel(QUEUE);
        tokio::spawn(run(receiver, collector, metrics.clone()));
        Some(Traces { queue, metrics })
    }

    /// Queues a settled exchange; never waits. `trace` is the client's `traceparent`, or empty.
    pub fn send(&self, record: &Record, trace: &str) {
        if self.queue.try_send(Message::Exchange(Box::new(record.clone()), trace.to_string())).is_err() {
            self.metrics.spans(Spans::Dropped, 1 + record.outcomes.len());
        }
    }

    /// Waits until what is queued was sent, but not for long; for the end of the process.
    pub async fn flush(&self) {
        let (sender, receiver) = oneshot::channel();
        let flushed = async {
            if self.queue.send(Message::Flush(sender)).await.is_ok() {
                // The task ends with the process only; that it is gone is no reason to wait.
                let _ = receiver.await;
            }
        };
        if timeout(PATIENCE, flushed).await.is_err() {
            debug!("the collector did not take the last spans in time");
        }
    }
}

/// What the collector did last; each change is told once, not each batch.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    Took,
    Failed,
}

async fn run(mut queue: mpsc::Receiver<Message>, collector: Collector, metrics: Arc<Metrics>) {
    let mut last = Last::Took;
    let mut batch = Vec::new();
    while queue.recv_many(&mut batch, BATCH).await > 0 {
        let until = Instant::now() + LINGER;
        while batch.len() < BATCH && !batch.iter().any(|message| matches!(message, Message::Flush(_))) {
            match timeout_at(until, queue.recv()).await {
                Ok(Some(message)) => batch.push(message),
                Ok(None) | Err(_) => break,
            }
        }
        let (mut spans, mut waiting) = (Vec::new(), Vec::new());
        for message in batch.drain(..) {
            match message {
                Message::Exchange(record, trace) => spans.extend(span::spans(&record, &trace)),
                Message::Flush(sender) => waiting.push(sender),
            }
        }
        if !spans.is_empty() {
            last = deliver(spans, &collector, &metrics, last).await;
        }
        // Who no longer waits need not hear it.
        waiting.into_iter().for_each(|sender| _ = sender.send(()));
    }
}

async fn deliver(spans: Vec<serde_json::Value>, collector: &Collector, metrics: &Metrics, last: Last) -> Last {
    let count = spans.len();
    let now = match collector.send(spans).await {
        Ok(()) => Last::Took,
        Err(error) => {
            if last == Last::Took {
                warn!("the collector does not take spans: {error:#}");
            }
            Last::Failed
        }
    };
    match now {
        Last::Took => metrics.spans(Spans::Sent, count),
        Last::Failed => metrics.spans(Spans::Failed, count),
    }
    if (last, now) == (Last::Failed, Last::Took) {
        info!("the collector takes spans again");
    }
    now
}

#[cfg(test)]
mod tests;
