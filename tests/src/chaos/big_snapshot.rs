//! Settings with thousands of models: how long until they are served, what they weigh, what a worker is busy for.
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

use super::control_plane_kills::unharmed;
use super::figures::Figure;
use super::options::{Options, Scenario};
use super::reloads::arrives;
use super::{MODEL, PROVIDER, provider, setup};
use crate::bench::account::Process;
use crate::client::Call;
use crate::gateway::{Gateway, Setup};
use crate::simulator::Simulator;
use crate::simulator::persona::Dialect;

/// So many models share one target.
const SHARED: usize = 5;

/// Until served, the time until the file is looked at included: as the people do who wait for their change.
const SERVED: f64 = 5.0;

/// Most of a worker's time at once, in milliseconds: from there on Envoy's watchdog says that it is stuck.
const STUCK: f64 = 500.0;

/// Most memory for each VM, in megabytes: a sixteenth of what one may have.
const WEIGHT: f64 = 64.0;

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
    let settings = big(&provider, models, targets);
    let last = name(models - 1);
    let (busy, arrived) = longest_silence(&gateway, || -> anyhow::Result<_> {
        gateway.configure(&settings)?;
        let arrived = arrives(&gateway, &last, LOOK, ARRIVES);
        std::thread::sleep(QUIET);
        Ok(arrived)
    })?;
    let arrived = arrived?.with_context(|| format!("{last} is not served within {ARRIVES:?}:\n{}", gateway.log()))?;
    let after = Look::at(&gateway)?;
    let vms = gateway.stat(VMS)?.max(1) as f64;
    let watching = watching(&gateway.log()).max(1) as f64;
    let received = (after.received - before.received) as f64;
    let grown = (after.envoy - before.envoy) / 1e6;
    let mut figures = vec![
        Figure::told("models, targets", format!("{models}, {targets}")),
        Figure::told("the settings file", format!("{:.1} kB", gateway.settings()?.len() as f64 / 1e3)),
        Figure::at_most("from the file to served", arrived.as_secs_f64(), SERVED, "s"),
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
        Figure::at_most("grown for each VM by", grown / vms, WEIGHT, "MB"),
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

fn big(provider: &Simulator, models: usize, targets: usize) -> Setup {
    let model = |number: usize| {
        format!(
            "[[model]]\nname = \"{}\"\ncontext_window = 131072\noutput_limit = 16384\noffers = [\"{PROVIDER}/target-{}\"]\n",
            name(number),
            number % targets
        )
    };
    setup(provider).more(&(0..models).map(model).collect::<String>())
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
