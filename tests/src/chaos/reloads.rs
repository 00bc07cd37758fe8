//! The settings change again and again while callers ask: no request may notice, and nothing may pile up.

use std::time::{Duration, Instant};

use super::control_plane_kills::unharmed;
use super::figures::Figure;
use super::load::Load;
use super::options::{Options, Scenario};
use super::{MODEL, PROVIDER, kept, provider, setup};
use crate::bench::account::Process;
use crate::gateway::{Gateway, Setup};
use crate::simulator::Simulator;
use crate::simulator::persona::Dialect;

/// Every so many changes a provider comes or goes, and with it a cluster of Envoy's.
const PROVIDER_TURN: usize = 10;

/// Every so many changes a limit is another, and with it Envoy's listener and routes.
const LIMIT_TURN: usize = 25;

/// After this share of the changes memory is looked at for the first time: what is kept once is there by then.
const WARM: usize = 10;

/// With fewer changes than that before the first look, memory still fills with what is kept once: growth is told only.
const WARM_LEAST: usize = 100;

/// Most that memory may grow after that.
const GROWTH: f64 = 5.0;

/// How often is looked whether a change has arrived.
const LOOK: Duration = Duration::from_millis(50);

/// A change that has not arrived by then never will.
const ARRIVES: Duration = Duration::from_secs(30);

/// Memory of the two, in megabytes.
struct Memory {
    envoy: f64,
    control_plane: f64,
}

/// Runs it.
pub fn run(options: &Options) -> anyhow::Result<Vec<Figure>> {
    let asked = options.count(Scenario::Reloads);
    let until = options.until(Scenario::Reloads);
    let provider = provider()?;
    let gateway = Gateway::start(&changed(&provider, 0))?;
    let envoy = gateway.envoy_pid()?;
    let load = Load::start(&gateway, MODEL);
    let (mut took, mut never) = (Vec::new(), Vec::new());
    let mut warm = None;
    let mut changes = 0;
    while changes < asked && Instant::now() < until {
        changes += 1;
        gateway.configure(&changed(&provider, changes))?;
        match arrives(&gateway, &name(changes), LOOK, ARRIVES) {
            Some(time) => took.push(time.as_secs_f64()),
            None => never.push(name(changes)),
        }
        if changes == asked.div_ceil(WARM) {
            warm = Some(Memory::of(&gateway)?);
        }
    }
    let end = Memory::of(&gateway)?;
    let tally = load.end();
    took.sort_by(f64::total_cmp);
    let mut figures = vec![
        Figure::done("changes of the settings", changes, asked),
        Figure::none("of them never in the Snapshot", &never),
        Figure::told("from the file to served, median", format!("{:.2} s", at(&took, 0.5))),
        Figure::told("longest", format!("{:.2} s", at(&took, 1.0))),
        Figure::told("requests meanwhile", tally.asked),
        Figure::none("of them failed", &tally.failures),
    ];
    figures.extend(growth(asked.div_ceil(WARM), warm.as_ref().unwrap_or(&end), &end));
    figures.extend(kept::records(&gateway, &tally.exchanges)?);
    figures.extend(unharmed(&gateway, envoy)?);
    Ok(figures)
}

/// The settings after so many changes: one model has another name each time.
fn changed(provider: &Simulator, changes: usize) -> Setup {
    let mut setup = setup(provider).model(&name(changes), &[PROVIDER]);
    if (changes / PROVIDER_TURN) % 2 == 1 {
        setup = setup.simulator("guest", provider).model("guest-model", &["guest"]);
    }
    if (changes / LIMIT_TURN) % 2 == 1 {
        setup = setup.limit("stream_idle_timeout", "\"9m\"");
    }
    setup
}

fn name(changes: usize) -> String {
    format!("model-{changes}")
}

/// How long it takes until the model is served; `None` when it never is. Whatever way a change goes, this is its end.
pub fn arrives(gateway: &Gateway, model: &str, look: Duration, deadline: Duration) -> Option<Duration> {
    let changed = Instant::now();
    while changed.elapsed() < deadline {
        if gateway.ask(Dialect::Chat, model, "are you there", false).is_ok_and(|answer| answer.status == 200) {
            return Some(changed.elapsed());
        }
        std::thread::sleep(look);
    }
    None
}

impl Memory {
    fn of(gateway: &Gateway) -> anyhow::Result<Self> {
        let resident = |pid| Process { pid }.resident().map(|bytes| bytes as f64 / 1e6);
        Ok(Self { envoy: resident(gateway.envoy_pid()?)?, control_plane: resident(gateway.pid())? })
    }
}

fn growth(warm_up: usize, before: &Memory, after: &Memory) -> Vec<Figure> {
    let row = |who: &str, before: f64, after: f64| {
        let what = format!("memory of {who}, {before:.1} MB after {warm_up} changes, grown by");
        let grown = (after / before - 1.0) * 100.0;
        match warm_up >= WARM_LEAST {
            true => Figure::at_most(what, grown, GROWTH, "%"),
            false => Figure::told(what, format!("{grown:.1} %")),
        }
    };
    vec![row("Envoy", before.envoy, after.envoy), row("the control plane", before.control_plane, after.control_plane)]
}

/// The value at a share of the sorted ones.
fn at(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * share).round() as usize).copied().unwrap_or(0.0)
}
