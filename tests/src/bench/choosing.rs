//! What it costs to choose the model of a request, in Envoy's own V8: a route that leaves its model to the request, judged by the shipped
//! artifact, beside the same model named by the client.

use std::time::Duration;

use serde_json::Value;

use super::plan::Pace;
use super::round::{Both, busy_cpu, quantile};
use super::shape::{Shape, prompt};
use super::stand::{CHOSEN, Manner, Stand, model};
use crate::client::Call;
use crate::gateway::Gateway;

/// Prompts, in bytes, and what choosing may add to planning at most in the 99th percentile, in µs.
const PROMPTS: [(usize, f64); 2] = [(2_000, 100.0), (32_000, 300.0)];

/// Envoy gathers what its workers measured every five seconds.
const GATHERED: Duration = Duration::from_secs(6);

/// One length of prompt.
#[derive(Clone, Debug)]
pub struct Choosing {
    /// Bytes of the prompt.
    pub size: usize,
    /// What choosing may add, in µs.
    pub bar: f64,
    /// CPU of a request in µs, its model named by the client (`bare`) and chosen (`gateway`), of each pair of rounds.
    pub cpu: Vec<Both>,
    /// How long planning took where the client named the model.
    pub named: Plans,
    /// And where it was chosen.
    pub chosen: Plans,
}

/// How long the filter took from a complete request to its Plan, in µs.
#[derive(Clone, Copy, Debug)]
pub struct Plans {
    /// How many.
    pub count: usize,
    /// The median.
    pub p50: f64,
    /// The 99th percentile.
    pub p99: f64,
}

impl Choosing {
    /// What choosing adds at most in 99 of 100 requests, in µs: they beside the usual one whose model is named.
    pub fn added(&self) -> f64 {
        self.chosen.p99 - self.named.p50
    }

    /// Measures it; nothing where there is no gateway.
    pub fn measure(stand: &Stand, pace: Pace) -> anyhow::Result<Vec<Self>> {
        let Some(gateway) = stand.gateway() else { return Ok(Vec::new()) };
        PROMPTS.into_iter().map(|(size, bar)| Self::of(stand, gateway, size, bar, pace)).collect()
    }

    fn of(stand: &Stand, gateway: &Gateway, size: usize, bar: f64, pace: Pace) -> anyhow::Result<Self> {
        let named = model(Shape::Relay, Manner::Whole);
        let ask = |model: &str| stand.request(gateway.key(), &prompt(model, size));
        let (named, chosen) = (ask(&named)?, ask(CHOSEN)?);
        // Not counted: V8 compiles what is hot.
        for target in [&named, &chosen] {
            busy_cpu(stand, target, pace)?;
        }
        let before = [spans(gateway, true)?, spans(gateway, false)?];
        let mut cpu = Vec::new();
        for _ in 0..pace.rounds {
            let bare = busy_cpu(stand, &named, pace)?;
            cpu.push(Both { bare, gateway: busy_cpu(stand, &chosen, pace)? });
        }
        let after = [spans(gateway, true)?, spans(gateway, false)?];
        let [chosen, named] = [0, 1].map(|which| Plans::between(&before[which], &after[which]));
        Ok(Self { size, bar, cpu, named, chosen })
    }
}

/// The upper ends of Envoy's buckets, in µs, with how many are in each.
type Spans = Vec<(f64, usize)>;

impl Plans {
    fn between(before: &Spans, after: &Spans) -> Self {
        let known = |end: f64| before.iter().find(|span| span.0 == end).map_or(0, |span| span.1);
        let new = after.iter().flat_map(|(end, count)| std::iter::repeat_n(*end, count.saturating_sub(known(*end))));
        let mut all: Vec<f64> = new.collect();
        all.sort_by(f64::total_cmp);
        Self { count: all.len(), p50: quantile(&all, 0.5), p99: quantile(&all, 0.99) }
    }
}

/// What Envoy has measured of Plans whose model was chosen, or was not.
fn spans(gateway: &Gateway, chosen: bool) -> anyhow::Result<Spans> {
    std::thread::sleep(GATHERED);
    let path = "/stats?filter=dragoman.plan_us&format=json&histogram_buckets=detailed";
    let said: Value = serde_json::from_str(&Call::new("GET", path).send(&gateway.envoy())?.text())?;
    let mut spans = Spans::new();
    for histogram in said.pointer("/stats/0/histograms/details").and_then(Value::as_array).into_iter().flatten() {
        if histogram["name"].as_str().is_some_and(|name| name.ends_with("bucket=none")) == chosen {
            continue;
        }
        for bucket in histogram["totals"].as_array().into_iter().flatten() {
            let [lower, width, count] =
                ["lower_bound", "width", "count"].map(|name| bucket[name].as_f64().unwrap_or_default());
            let end = lower + width;
            match spans.iter_mut().find(|span| span.0 == end) {
                Some(span) => span.1 += count as usize,
                None => spans.push((end, count as usize)),
            }
        }
    }
    Ok(spans)
}
