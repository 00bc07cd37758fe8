//! Rows of the table: rounds at both sides in turn, and what comes of them.

use std::time::Duration;

use anyhow::bail;
use serde_json::Value;

use super::load::{self, Connection, Target};
use super::plan::Pace;
use super::shape::Shape;
use super::stand::{LONG_PIECES, Manner, PIECES, Side, Stand};

/// Connections when Envoy is to be kept busy: enough that one is always waiting, few enough that 1 MB bodies fit a cache.
const BUSY_CONNECTIONS: usize = 8;

/// Connections at a fixed rate: more than are in flight, or the rate would not be kept.
const CALM_CONNECTIONS: usize = 8;
const STREAM_CONNECTIONS: usize = 24;

/// Long streams in a second: as many events as the short ones have at their rate.
const LONG_RATE: usize = 40;

/// Both sides of one number.
#[derive(Clone, Copy, Debug, Default)]
pub struct Both {
    /// Bare Envoy's.
    pub bare: f64,
    /// The gateway's.
    pub gateway: f64,
}

impl Both {
    /// The gateway's as a multiple of bare Envoy's.
    pub fn ratio(self) -> f64 {
        self.gateway / self.bare
    }

    /// What the gateway adds.
    pub fn added(self) -> f64 {
        self.gateway - self.bare
    }
}

/// A row.
#[derive(Clone, Debug)]
pub struct Cell {
    /// Which.
    pub shape: Shape,
    /// Length of the request's body.
    pub size: usize,
    /// Requests a second in the rounds at a fixed rate.
    pub rate: usize,
    /// CPU of a request, in µs, of each pair of rounds.
    pub cpu: Vec<Both>,
    /// From the request to the answer's first byte at the fixed rate, in µs: the median.
    pub p50: Vec<Both>,
    /// And the 99th percentile.
    pub p99: Vec<Both>,
    /// Requests a second when kept busy.
    pub throughput: Vec<Both>,
    /// The part of its core Envoy used when kept busy.
    pub busy: Vec<Both>,
    /// Resident memory after the row, in MB.
    pub memory: Both,
    /// CPU of the control plane for a request, in µs, in the busy rounds.
    pub control_plane: Vec<f64>,
}

/// One round at one side.
struct Round {
    /// CPU of a request, in µs.
    cpu: f64,
    /// Of the first byte, in µs, ascending.
    first: Vec<f64>,
    throughput: f64,
    busy: f64,
    control_plane: f64,
}

impl Cell {
    /// Measures a row.
    pub fn measure(stand: &Stand, shape: Shape, size: usize, pace: Pace) -> anyhow::Result<Self> {
        let rate = rate(size);
        let (busy_manner, calm_manner) =
            if shape.streams() { (Manner::Burst, Manner::Paced) } else { (Manner::Whole, Manner::Whole) };
        let busy = load::Pace::Closed { connections: BUSY_CONNECTIONS };
        let calm = calm_pace(shape, rate);
        check(stand, shape, busy_manner, size, PIECES)?;
        check(stand, shape, calm_manner, size, PIECES)?;
        // Not counted: connections open, caches fill, V8 compiles what is hot.
        round(stand, shape, busy_manner, size, busy, pace.busy / 2)?;
        let mut cell = Self::empty(shape, size, rate);
        for _ in 0..pace.rounds {
            let rounds = round(stand, shape, busy_manner, size, busy, pace.busy)?;
            cell.throughput.push(both(&rounds, |round| round.throughput));
            cell.busy.push(both(&rounds, |round| round.busy));
            cell.control_plane.push(rounds.1.control_plane);
            if !shape.streams() {
                cell.cpu.push(both(&rounds, |round| round.cpu));
            }
            let rounds = round(stand, shape, calm_manner, size, calm, pace.calm)?;
            cell.p50.push(both(&rounds, |round| quantile(&round.first, 0.5)));
            cell.p99.push(both(&rounds, |round| quantile(&round.first, 0.99)));
            if shape.streams() {
                cell.cpu.push(both(&rounds, |round| round.cpu));
            }
        }
        let memory = |side| Ok::<_, anyhow::Error>(stand.process(side).resident()? as f64 / 1e6);
        cell.memory = Both { bare: memory(Side::Bare)?, gateway: memory(Side::Gateway)? };
        Ok(cell)
    }

    fn empty(shape: Shape, size: usize, rate: usize) -> Self {
        Self {
            shape,
            size,
            rate,
            cpu: Vec::new(),
            p50: Vec::new(),
            p99: Vec::new(),
            throughput: Vec::new(),
            busy: Vec::new(),
            memory: Both::default(),
            control_plane: Vec::new(),
        }
    }
}

/// What one streamed event costs.
#[derive(Clone, Debug)]
pub struct Chunks {
    /// Of which kind of stream.
    pub shape: Shape,
    /// CPU of an event, in µs, of each pair of rounds.
    pub cpu: Vec<Both>,
}

impl Chunks {
    /// Measures the difference between long and short streams.
    pub fn measure(stand: &Stand, shape: Shape, pace: Pace) -> anyhow::Result<Self> {
        const SIZE: usize = 2000;
        check(stand, shape, Manner::Long, SIZE, LONG_PIECES)?;
        let mut cpu = Vec::new();
        for _ in 0..pace.rounds {
            let short = round(stand, shape, Manner::Paced, SIZE, calm_pace(shape, rate(SIZE)), pace.calm)?;
            let long = round(stand, shape, Manner::Long, SIZE, calm_pace(shape, LONG_RATE), pace.calm)?;
            let event = |long: &Round, short: &Round| (long.cpu - short.cpu) / (LONG_PIECES - PIECES) as f64;
            cpu.push(Both { bare: event(&long.0, &short.0), gateway: event(&long.1, &short.1) });
        }
        Ok(Self { shape, cpu })
    }
}

/// A rate at which Envoy is idle most of the time, so that latency is not queueing.
fn rate(size: usize) -> usize {
    match size {
        0..=10_000 => 200,
        10_001..=200_000 => 100,
        200_001..=1_000_000 => 40,
        _ => 10,
    }
}

fn calm_pace(shape: Shape, rate: usize) -> load::Pace {
    let connections = if shape.streams() { STREAM_CONNECTIONS } else { CALM_CONNECTIONS };
    load::Pace::Rate { per_second: rate, connections }
}

fn both(rounds: &(Round, Round), number: impl Fn(&Round) -> f64) -> Both {
    Both { bare: number(&rounds.0), gateway: number(&rounds.1) }
}

/// A round at bare Envoy, then one at the gateway.
fn round(
    stand: &Stand,
    shape: Shape,
    manner: Manner,
    size: usize,
    pace: load::Pace,
    length: Duration,
) -> anyhow::Result<(Round, Round)> {
    let one = |side| half(stand, side, &stand.target(side, shape, manner, size)?, pace, length);
    Ok((one(Side::Bare)?, one(Side::Gateway)?))
}

/// A round at one side.
fn half(stand: &Stand, side: Side, target: &Target, pace: load::Pace, length: Duration) -> anyhow::Result<Round> {
    let process = stand.process(side);
    let books = || -> anyhow::Result<(Duration, Duration)> {
        Ok((process.cpu()?, stand.control_plane().map_or(Ok(Duration::ZERO), |process| process.cpu())?))
    };
    let before = books()?;
    let outcome = load::run(target, pace, length)?;
    let after = books()?;
    if outcome.answers == 0 {
        bail!("no answer in a round");
    }
    let (cpu, took, answers) = (after.0 - before.0, outcome.took, outcome.answers as f64);
    let mut first: Vec<f64> = outcome.first.iter().map(|first| first.as_secs_f64() * 1e6).collect();
    first.sort_by(f64::total_cmp);
    Ok(Round {
        cpu: cpu.as_secs_f64() * 1e6 / answers,
        first,
        throughput: answers / took.as_secs_f64(),
        busy: cpu.as_secs_f64() / took.as_secs_f64(),
        control_plane: (after.1 - before.1).as_secs_f64() * 1e6 / answers,
    })
}

/// CPU of a request of 2 kB that is relayed, in µs, with this key at the gateway that is kept busy.
pub fn relay_cpu(stand: &Stand, key: &str, pace: Pace) -> anyhow::Result<f64> {
    busy_cpu(stand, &stand.target_of(key, Shape::Relay, Manner::Whole, 2000)?, pace)
}

/// CPU of such a request at the gateway, in µs, when it is kept busy.
pub fn busy_cpu(stand: &Stand, target: &Target, pace: Pace) -> anyhow::Result<f64> {
    let busy = load::Pace::Closed { connections: BUSY_CONNECTIONS };
    Ok(half(stand, Side::Gateway, target, busy, pace.busy)?.cpu)
}

/// The value below which this part of ascending numbers lies.
pub fn quantile(ascending: &[f64], part: f64) -> f64 {
    let last = ascending.len().saturating_sub(1);
    ascending.get((last as f64 * part).round() as usize).copied().unwrap_or(f64::NAN)
}

/// The middle one.
pub fn median(numbers: impl IntoIterator<Item = f64>) -> f64 {
    let mut numbers: Vec<f64> = numbers.into_iter().collect();
    numbers.sort_by(f64::total_cmp);
    quantile(&numbers, 0.5)
}

/// Both sides must say the same thing before it counts how fast they say it.
fn check(stand: &Stand, shape: Shape, manner: Manner, size: usize, pieces: usize) -> anyhow::Result<()> {
    let text = |side| -> anyhow::Result<String> {
        let target = stand.target(side, shape, manner, size)?;
        said(&Connection::open(&target)?.body(&target)?, shape.streams())
    };
    let (bare, gateway) = (text(Side::Bare)?, text(Side::Gateway)?);
    if bare != gateway || bare.len() < pieces {
        bail!("{}: the gateway says {gateway:?}, bare Envoy {bare:?}", shape.name());
    }
    Ok(())
}

/// The text of a chat completions answer.
fn said(body: &[u8], streams: bool) -> anyhow::Result<String> {
    let body = std::str::from_utf8(body)?;
    if !streams {
        let value: Value = serde_json::from_str(body)?;
        return Ok(value["choices"][0]["message"]["content"].as_str().unwrap_or_default().to_owned());
    }
    if !body.ends_with("data: [DONE]\n\n") {
        bail!("a stream without its end: {body}");
    }
    let data = body.lines().filter_map(|line| line.strip_prefix("data: ")).filter(|data| *data != "[DONE]");
    let mut text = String::new();
    for data in data {
        let value: Value = serde_json::from_str(data)?;
        text.push_str(value["choices"][0]["delta"]["content"].as_str().unwrap_or_default());
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one() {
        assert_eq!(median([3.0, 1.0, 9.0]), 3.0);
        assert_eq!(quantile(&[1.0, 2.0, 3.0, 4.0, 5.0], 0.99), 5.0);
        assert!(median([]).is_nan());
    }
}
