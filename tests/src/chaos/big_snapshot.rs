//! Thousands of models said at once by the admin API: how long until they are served, what they weigh, what a worker is busy
//! for.
//!
//! The Snapshot's size is what Envoy received from the control plane, by its own count, for each VM that watches; the
//! acknowledgements of the looking's own Records are in it, some bytes each. How long a
//! worker is busy with it is what callers notice: the longest time in which the worker answered nobody, asked every
//! millisecond for something that no filter sees. On a machine with other work it is an upper bound; the same figure without
//! a change stands beside it.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::{Map, Value, json};

use super::control_plane_kills::unharmed;
use super::figures::Figure;
use super::options::{Options, Scenario};
use super::reloads::arrives;
use super::{MODEL, PROVIDER, provider, setup};
use crate::api::Api;
use crate::bench::account::Process;
use crate::client::Call;
use crate::gateway::Gateway;
use crate::simulator::persona::Dialect;

/// So many models share one target.
const SHARED: usize = 5;

/// Most milliseconds from the request that says all of them to an answer by the last of them.
const SERVED: f64 = 1000.0;

/// Most of a worker's time at once, in milliseconds: callers wait as long, and should not feel it.
const STUCK: f64 = 50.0;

/// Most memory for each VM that watches, in MiB.
const WEIGHT: f64 = 32.0;

/// A MiB, in bytes.
const MIB: f64 = 1_048_576.0;

/// How often is looked: each look costs a Record.
const LOOK: Duration = Duration::from_millis(10);

/// A change that has not arrived by then never will.
const ARRIVES: Duration = Duration::from_secs(120);

/// What is freed late is freed by then, and the other workers have it too.
const QUIET: Duration = Duration::from_secs(3);

/// How Envoy counts.
const RECEIVED: &str = "^cluster.dragoman_control_plane.upstream_cx_rx_bytes_total$";
const VMS: &str = "^wasm.envoy.wasm.runtime.v8.active$";

/// Asked before the change, so that what Envoy keeps once is there.
const WARM_UP: usize = 200;

/// Runs it.
pub fn run(options: &Options) -> anyhow::Result<Vec<Figure>> {
    let models = options.count(Scenario::BigSnapshot);
    let targets = models.div_ceil(SHARED);
    let provider = provider()?;
    let gateway = Gateway::start(&setup(&provider))?;
    let envoy = gateway.envoy_pid()?;
    for _ in 0..WARM_UP {
        gateway.ask(Dialect::Chat, MODEL, "hello", false)?;
    }
    let (idle, ()) = longest_silence(&gateway, || std::thread::sleep(QUIET))?;
    let before = Look::at(&gateway)?;
    let api = Api::of(&gateway)?;
    let (rows, last) = (big(models, targets), name(models - 1));
    let (busy, done) = longest_silence(&gateway, || -> anyhow::Result<_> {
        let began = Instant::now();
        let applied = api.apply(&rows)?;
        let arrived = arrives(&gateway, &last, LOOK, ARRIVES).map(|_| began.elapsed());
        std::thread::sleep(QUIET);
        Ok((applied, arrived))
    })?;
    let (applied, arrived) = done?;
    let arrived = arrived.with_context(|| format!("{last} is not served within {ARRIVES:?}:\n{}", gateway.log()))?;
    let unserved: Vec<&str> = applied.snapshot.is_none().then_some("apply").into_iter().collect();
    let after = Look::at(&gateway)?;
    let vms = gateway.stat(VMS)?.max(1) as f64;
    let watching = watching(&gateway.log()).max(1) as f64;
    let received = (after.received - before.received) as f64;
    let grown = (after.envoy - before.envoy) / MIB;
    let mut figures = vec![
        Figure::told("models, targets", format!("{models}, {targets}")),
        Figure::told("the request that says them", format!("{:.1} kB", rows.to_string().len() as f64 / 1e3)),
        Figure::told("it is answered after", format!("{:.0} ms", applied.took.as_secs_f64() * 1e3)),
        Figure::none("answered before they were served", &unserved),
        Figure::at_most("from the request to served", arrived.as_secs_f64() * 1e3, SERVED, "ms"),
        Figure::told("VMs of the filters in Envoy", vms),
        Figure::told("of them watch", watching),
        Figure::told(
            "received by each of these: the Snapshot in its frames",
            format!("{:.1} kB", received / watching / 1e3),
        ),
        Figure::told(
            "memory of Envoy before, after",
            format!("{:.1}, {:.1} MB", before.envoy / 1e6, after.envoy / 1e6),
        ),
        Figure::told("grown for each VM by", format!("{:.1} MiB", grown / vms)),
        Figure::at_most("for each that watches by", grown / watching, WEIGHT, "MiB"),
        Figure::told(
            "memory of the control plane before, after",
            format!("{:.1}, {:.1} MB", before.own / 1e6, after.own / 1e6),
        ),
        Figure::told("longest silence of the worker, nothing to do", format!("{:.1} ms", idle.as_secs_f64() * 1e3)),
        Figure::at_most("longest silence while it takes the Snapshot", busy.as_secs_f64() * 1e3, STUCK, "ms"),
    ];
    figures.extend(unharmed(&gateway, envoy)?);
    Ok(figures)
}

/// The rows as `apply` takes them.
fn big(models: usize, targets: usize) -> Value {
    let model = |number: usize| {
        let offers = [format!("{PROVIDER}/target-{}", number % targets)];
        (name(number), json!({ "context_window": 131_072, "output_limit": 16_384, "offers": offers }))
    };
    json!({ "model": (0..models).map(model).collect::<Map<String, Value>>() })
}

fn name(number: usize) -> String {
    format!("model-{number}")
}

/// Memory of both in bytes, and what came from the control plane.
struct Look {
    envoy: f64,
    own: f64,
    received: u64,
}

impl Look {
    fn at(gateway: &Gateway) -> anyhow::Result<Self> {
        let resident = |pid| Process { pid }.resident().map(|bytes| bytes as f64);
        Ok(Self {
            envoy: resident(gateway.envoy_pid()?)?,
            own: resident(gateway.pid())?,
            received: gateway.stat(RECEIVED)?,
        })
    }
}

/// How many VMs ever asked for the Snapshot; those without a router in them do not.
fn watching(log: &str) -> usize {
    let vm = |line: &str| Some(line.split_once("a filter watches vm=")?.1.split(' ').next()?.to_owned());
    log.lines().filter_map(vm).collect::<HashSet<String>>().len()
}

/// The longest time that a question took which Envoy itself answers, asked all the time while something is done.
fn longest_silence<T>(gateway: &Gateway, work: impl FnOnce() -> T) -> anyhow::Result<(Duration, T)> {
    let stop = AtomicBool::new(false);
    let address = gateway.address();
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| -> anyhow::Result<Duration> {
            // Envoy refuses such a header before any filter sees the request.
            let call = Call::new("GET", "/").header("no_such_header", "1");
            let mut longest = Duration::ZERO;
            while !stop.load(Ordering::Relaxed) {
                let asked = Instant::now();
                call.send(&address)?;
                longest = longest.max(asked.elapsed());
                std::thread::sleep(Duration::from_millis(1));
            }
            Ok(longest)
        });
        let done = work();
        stop.store(true, Ordering::Relaxed);
        let longest = asking.join().map_err(|_| anyhow::anyhow!("the asking thread panicked"))??;
        Ok((longest, done))
    })
}

#[cfg(test)]
mod tests {
    use super::watching;

    #[test]
    fn a_vm_that_asks_again_is_still_one() {
        let log = "INFO a filter watches vm=\"a\" version=0\nINFO a filter watches vm=\"b\" version=0\nINFO a filter watches vm=\"a\" version=1\n";
        assert_eq!((watching(log), watching("")), (2, 0));
    }
}
