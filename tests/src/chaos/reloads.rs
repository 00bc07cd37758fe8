//! The settings change again and again while callers ask: no request may notice, and nothing may pile up.
//!
//! Most changes go by the admin API, one row each; then some by the file, with clusters and listeners of Envoy's among them.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::control_plane_kills::unharmed;
use super::figures::Figure;
use super::load::Load;
use super::options::{Options, Scenario};
use super::{MODEL, PROVIDER, kept, provider, setup};
use crate::api::Api;
use crate::bench::account::Process;
use crate::gateway::{Gateway, Setup};
use crate::simulator::Simulator;
use crate::simulator::persona::Dialect;

/// One change of the file for so many by the API: it is looked at once a second, so each takes a hundred times as long.
const FILE_SHARE: usize = 20;

/// Every so many changes of the file a provider comes or goes, and with it a cluster of Envoy's.
const PROVIDER_TURN: usize = 10;

/// Every so many changes of the file a limit is another, and with it Envoy's listener and routes.
const LIMIT_TURN: usize = 25;

/// After so many changes memory is looked at for the first time: what is kept once is there by then.
const WARM: usize = 100;

/// Most that memory may grow after that.
const GROWTH: f64 = 5.0;

/// Most milliseconds from the change to an answer by it.
const SERVED: f64 = 1000.0;

/// How often is looked whether a change has arrived.
const LOOK: Duration = Duration::from_millis(50);

/// By the API a change should have arrived when it is answered.
const LOOK_SOON: Duration = Duration::from_millis(5);

/// A change that has not arrived by then never will.
const ARRIVES: Duration = Duration::from_secs(30);

/// Memory of the two, in megabytes.
struct Memory {
    envoy: f64,
    control_plane: f64,
}

/// What came of the changes that went one way.
#[derive(Default)]
struct Way {
    changes: usize,
    /// Milliseconds until each was served, sorted at the end.
    took: Vec<f64>,
    never: Vec<String>,
    /// Answered by the API without a Snapshot that has them.
    unserved: Vec<String>,
}

/// Runs it.
pub fn run(options: &Options) -> anyhow::Result<Vec<Figure>> {
    let asked = options.count(Scenario::Reloads);
    let until = options.until(Scenario::Reloads);
    let provider = provider()?;
    let gateway = Gateway::start(&changed(&provider, 0))?;
    let envoy = gateway.envoy_pid()?;
    let load = Load::start(&gateway, MODEL);
    let api = Api::of(&gateway)?;
    let first_look = WARM.min(asked.div_ceil(2));
    let (mut by_api, mut warm) = (Way::default(), None);
    while by_api.changes < asked && Instant::now() < until {
        by_api.put(&gateway, &api)?;
        if by_api.changes == first_look {
            warm = Some(Memory::of(&gateway)?);
        }
    }
    let end = Memory::of(&gateway)?;
    let (mut by_file, files) = (Way::default(), asked.div_ceil(FILE_SHARE));
    while by_file.changes < files && Instant::now() < until {
        by_file.write(&gateway, &provider)?;
    }
    let tally = load.end();
    let mut figures = by_api.figures("changes by the admin API", asked);
    figures.push(Figure::none("of them answered before they were served", &by_api.unserved));
    figures.push(Figure::at_most(
        "by the API, from the change to served, longest",
        at(&by_api.took, 1.0),
        SERVED,
        "ms",
    ));
    figures.extend(by_file.figures("changes of the file", files));
    figures.push(Figure::told("by the file, from the change to served, longest", ms(at(&by_file.took, 1.0))));
    figures.push(Figure::told("requests meanwhile", tally.asked));
    figures.push(Figure::none("of them failed", &tally.failures));
    figures.extend(growth(first_look, warm.as_ref().unwrap_or(&end), &end));
    figures.extend(kept::records(&gateway, &tally.exchanges)?);
    figures.extend(unharmed(&gateway, envoy)?);
    Ok(figures)
}

impl Way {
    /// One more row by the API: of each kind in turn, with a name of its own where its kind has one. The row of that kind
    /// before it goes afterwards, so that the settings stay as large as they are.
    fn put(&mut self, gateway: &Gateway, api: &Api) -> anyhow::Result<()> {
        self.changes += 1;
        let began = Instant::now();
        let row = ApiRow::of(self.changes);
        let changed = api.put(row.plural, &row.id, &row.members)?;
        if changed.snapshot.is_none() {
            self.unserved.push(row.id.clone());
        }
        let asked = if row.plural == "prices" { MODEL } else { &row.id };
        self.arrived(asked, began, arrives(gateway, asked, LOOK_SOON, ARRIVES));
        if row.plural != "prices"
            && let Some(before) = self.changes.checked_sub(ApiRow::KINDS).filter(|before| *before > 0)
        {
            api.delete(row.plural, &ApiRow::of(before).id)?;
        }
        self.took.sort_by(f64::total_cmp);
        Ok(())
    }

    /// One more change of the file.
    fn write(&mut self, gateway: &Gateway, provider: &Simulator) -> anyhow::Result<()> {
        self.changes += 1;
        let began = Instant::now();
        gateway.configure(&changed(provider, self.changes))?;
        let name = name(self.changes);
        self.arrived(&name, began, arrives(gateway, &name, LOOK, ARRIVES));
        self.took.sort_by(f64::total_cmp);
        Ok(())
    }

    fn arrived(&mut self, name: &str, began: Instant, arrived: Option<Duration>) {
        match arrived {
            Some(_) => self.took.push(began.elapsed().as_secs_f64() * 1e3),
            None => self.never.push(name.to_owned()),
        }
    }

    fn figures(&self, what: &str, asked: usize) -> Vec<Figure> {
        vec![
            Figure::done(what, self.changes, asked),
            Figure::none("of them never in the Snapshot", &self.never),
            Figure::told("from the change to served, median", ms(at(&self.took, 0.5))),
        ]
    }
}

/// A row as the API is given it.
struct ApiRow {
    plural: &'static str,
    id: String,
    members: Value,
}

impl ApiRow {
    const KINDS: usize = 4;

    /// The row of a change.
    fn of(change: usize) -> Self {
        let target = format!("{PROVIDER}/{MODEL}");
        let (plural, id, members) = match change % Self::KINDS {
            0 => ("models", format!("api-model-{change}"), json!({ "offers": [target], "output_limit": 4096 })),
            1 => ("aliases", format!("api-alias-{change}"), json!({ "to": MODEL })),
            2 => ("routes", format!("api-route-{change}"), json!({ "candidates": [target] })),
            _ => ("prices", MODEL.to_owned(), json!({ "input": change, "output": change })),
        };
        Self { plural, id, members }
    }
}

fn ms(value: f64) -> String {
    format!("{value:.0} ms")
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
        match warm_up >= WARM {
            true => Figure::at_most(what, grown, GROWTH, "%"),
            false => Figure::told(what, format!("{grown:.1} %")),
        }
    };
    vec![row("Envoy", before.envoy, after.envoy), row("the control plane", before.control_plane, after.control_plane)]
}

/// The value at a share of the sorted ones.
pub fn at(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * share).round() as usize).copied().unwrap_or(0.0)
}
