//! `kill -9` of the control plane, again and again while callers ask. Envoy runs apart and must not notice: the last Snapshot,
//! the callers' Grants, what was lent of their budgets and the providers' credentials are in its workers; Records wait there
//! until somebody takes them.

use std::time::{Duration, Instant};

use serde_json::json;

use super::figures::Figure;
use super::ledger::Entry;
use super::load::Load;
use super::mutate::Dice;
use super::options::{Options, Scenario};
use super::tree::{PRICE, Tree};
use super::{MODEL, kept, provider, setup};
use crate::api::Api;
use crate::gateway::Gateway;

/// A control plane lives for so long, in milliseconds: some die while they start, some in the middle of a batch of Records.
const LIFE: (u64, u64) = (20, 2000);

/// And so long there is none.
const GAP: (u64, u64) = (0, 600);

/// Everybody who asks is known before the first kill: the first exchange of a caller needs the control plane.
const ACQUAINTED: Duration = Duration::from_millis(500);

/// More than a dollar for each token that can come of a run.
const ENOUGH: &str = "1000000";

/// A control plane starts in a second; a loaded machine takes its time.
const BACK: Duration = Duration::from_secs(60);

/// Runs it.
pub fn run(options: &Options) -> anyhow::Result<Vec<Figure>> {
    let asked = options.count(Scenario::ControlPlaneKills);
    let until = options.until(Scenario::ControlPlaneKills);
    let provider = provider()?;
    let mut gateway = Gateway::start_apart(&setup(&provider).more(PRICE))?;
    let envoy = gateway.envoy_pid()?;
    let api = Api::of(&gateway)?;
    let tree =
        Tree::plant(&api, "budgeted", &json!([{ "usd": ENOUGH, "per": "month" }, { "requests": 1_000_000_000 }]))?;
    let load = Load::start(&gateway, MODEL);
    let budgeted = Load::start_as(&gateway, &tree.key, MODEL, "hello");
    std::thread::sleep(ACQUAINTED);
    let mut dice = Dice::new(options.seed);
    let (mut kills, mut own_ends) = (0, Vec::new());
    while kills < asked && Instant::now() < until {
        wait(&mut dice, LIFE);
        if let Err(error) = gateway.kill_control_plane() {
            own_ends.push(format!("{error:#}"));
        }
        kills += 1;
        wait(&mut dice, GAP);
        gateway.start_control_plane()?;
    }
    let logged = gateway.log().len();
    // The last one is to live.
    gateway.wait_for_log_behind(logged, "serving on http://", BACK)?;
    let (tally, paying) = (load.end(), budgeted.end());
    let mut figures = vec![
        Figure::done("kills of the control plane", kills, asked),
        Figure::none("control planes that ended by themselves", &own_ends),
        Figure::told("requests meanwhile", tally.asked),
        Figure::none("of them failed", &tally.failures),
        Figure::told("requests of callers with budgets meanwhile", paying.asked),
        Figure::none("of these failed", &paying.failures),
    ];
    figures.extend(kept::records(&gateway, &[tally.exchanges, paying.exchanges].concat())?);
    figures.push(tree.agrees(&api, &Entry::all(&api)?)?);
    figures.extend(unharmed(&gateway, envoy)?);
    Ok(figures)
}

/// Envoy is the one that was there at the beginning, none of its filters had to be started again or refused a Snapshot.
pub fn unharmed(gateway: &Gateway, envoy: u32) -> anyhow::Result<Vec<Figure>> {
    let others: Vec<String> = gateway.envoy_pid().ok().filter(|pid| *pid != envoy).iter().map(u32::to_string).collect();
    let traps = match gateway.stat("vm_reload_success")? {
        0 => Vec::new(),
        count => vec![format!("{count} traps")],
    };
    let log = gateway.log();
    let refused: Vec<&str> = log.lines().filter(|line| line.contains("a filter refused a Snapshot")).collect();
    Ok(vec![
        Figure::none("other Envoys than the first", &others),
        Figure::none("traps in the filters", &traps),
        Figure::none("Snapshots that filters refused", &refused),
    ])
}

fn wait(dice: &mut Dice, (least, most): (u64, u64)) {
    std::thread::sleep(Duration::from_millis(least + dice.below(most - least + 1)));
}
