//! `kill -9` of Envoy, again and again while callers with budgets ask; the control plane lives. What a worker had not told goes
//! with it, so: what was acknowledged stays as it was; what a strict budget held is charged, since the provider may have it
//! billed; what was lent comes back.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::bail;
use serde_json::json;

use super::figures::Figure;
use super::ledger::Entry;
use super::load::{Load, Tally};
use super::mutate::Dice;
use super::options::{Options, Scenario};
use super::tree::{PRICE, Tree};
use super::{MODEL, setup};
use crate::api::Api;
use crate::gateway::Gateway;
use crate::said::ask;
use crate::simulator::persona::Dialect;
use crate::simulator::{Persona, Reply, Request, Script, Simulator};

/// An Envoy serves for so long, in milliseconds: some die with their first request.
const LIFE: (u64, u64) = (50, 1500);

/// Between two events of the provider: many die in the middle of an answer.
const BEAT: Duration = Duration::from_millis(5);

/// Envoy compiles the module at its start; a loaded machine takes its time.
const BACK: Duration = Duration::from_secs(60);

/// More than a dollar for each token that can come of a run.
const ENOUGH: &str = "1000000";

/// Runs it.
pub fn run(options: &Options) -> anyhow::Result<Vec<Figure>> {
    let asked = options.count(Scenario::EnvoyKills);
    let until = options.until(Scenario::EnvoyKills);
    let provider = Simulator::start(Persona::chat("key-of-the-provider"))?;
    provider.play(Script::always(Reply::persona().pause_between(BEAT)));
    let mut gateway = Gateway::start_apart(&setup(&provider).more(PRICE))?;
    let api = Api::of(&gateway)?;
    let plant = |name: &str, strict: bool| {
        Tree::plant(&api, name, &json!([{ "usd": ENOUGH, "per": "month", "strict": strict }]))
    };
    let trees = [plant("strict", true)?, plant("fast", false)?];
    let loads = trees.each_ref().map(|tree| Load::start_as(&gateway, &tree.key, MODEL, &words(tree)));
    let mut dice = Dice::new(options.seed);
    let (mut kills, mut acknowledged, mut changed) = (0, HashMap::new(), Vec::new());
    while kills < asked && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(LIFE.0 + dice.below(LIFE.1 - LIFE.0 + 1)));
        gateway.kill_envoy()?;
        kills += 1;
        note(&mut acknowledged, Entry::all(&api)?, &mut changed);
        gateway.start_envoy()?;
        serves(&gateway)?;
    }
    let [strict, fast] = loads.map(Load::end);
    let mut figures = vec![Figure::done("kills of Envoy", kills, asked)];
    // Reservations of the dead are settled half a minute after them, leases are back a minute after their last use.
    let rest = [trees[0].comes_to_rest(&api)?, trees[1].comes_to_rest(&api)?];
    let entries = Entry::all(&api)?;
    let seen = acknowledged.len();
    note(&mut acknowledged, entries.clone(), &mut changed);
    figures.extend([
        Figure::told("Records that were acknowledged before a kill", seen),
        Figure::none("of them lost or changed", &[lost(&acknowledged, &entries), changed].concat()),
        Figure::none("Records that are there twice", &doubled(&entries)),
    ]);
    figures.extend(strictly(&trees[0], &strict, &entries, &provider.journal().mentioning(&words(&trees[0]))));
    figures.extend(loosely(&trees[1], &fast, &entries, &provider.journal().mentioning(&words(&trees[1]))));
    for tree in &trees {
        figures.push(tree.agrees(&api, &entries)?);
    }
    figures.extend(rest);
    Ok(figures)
}

/// Remembers what is durable, and what of it is another than it was.
fn note(known: &mut HashMap<String, Entry>, entries: Vec<Entry>, changed: &mut Vec<String>) {
    for entry in entries {
        if let Some(before) = known.insert(entry.exchange.clone(), entry.clone())
            && before != entry
        {
            changed.push(format!("{before:?} is {entry:?}"));
        }
    }
}

fn lost(known: &HashMap<String, Entry>, entries: &[Entry]) -> Vec<String> {
    let there: std::collections::HashSet<&String> = entries.iter().map(|entry| &entry.exchange).collect();
    known.keys().filter(|exchange| !there.contains(exchange)).cloned().collect()
}

fn doubled(entries: &[Entry]) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    entries.iter().filter(|entry| !seen.insert(&entry.exchange)).map(|entry| entry.exchange.clone()).collect()
}

/// Waits until Envoy answers again.
fn serves(gateway: &Gateway) -> anyhow::Result<()> {
    let until = Instant::now() + BACK;
    let call = gateway.call(Dialect::Chat, MODEL, &ask(Dialect::Chat, MODEL, "are you there", false), false);
    while !gateway.send(&call).is_ok_and(|answer| answer.status == 200) {
        if Instant::now() > until {
            bail!("Envoy does not serve within {BACK:?}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Everything that the provider saw of a strict budget is in the ledger, and no cheaper.
fn strictly(tree: &Tree, tally: &Tally, entries: &[Entry], journal: &[Request]) -> Vec<Figure> {
    let own: Vec<&Entry> = entries.iter().filter(|entry| tree.has(&entry.account) && !entry.is_denied()).collect();
    let known: std::collections::HashSet<&str> = entries.iter().map(|entry| entry.exchange.as_str()).collect();
    let missing: Vec<&String> = tally.exchanges.iter().filter(|exchange| !known.contains(exchange.as_str())).collect();
    let fewer =
        if own.len() < journal.len() { vec![format!("{} of {}", own.len(), journal.len())] } else { Vec::new() };
    let (billed, produced) =
        (own.iter().map(|entry| entry.micro_dollars()).sum::<u64>(), journal.iter().map(Request::tokens).sum::<u64>());
    let below = if billed < produced { vec![format!("{billed} of {produced} µ$")] } else { Vec::new() };
    let estimated = own.iter().filter(|entry| entry.refusal == "data_plane_lost").count();
    vec![
        Figure::told("strict: requests that reached the provider", journal.len()),
        Figure::told("strict: Records, settled or settled as estimated", own.len()),
        Figure::told("strict: of them settled by what was held", estimated),
        Figure::none("strict: fewer Records than requests at the provider", &fewer),
        Figure::none("strict: exchanges that callers saw, without a Record", &missing),
        Figure::none("strict: billed below what the provider had sent", &below),
        Figure::told("strict: billed, sent by the provider, µ$", format!("{billed}, {produced}")),
    ]
}

/// Of a fast budget is lost what no worker had told yet: bounded by what a worker keeps, which is a quarter of a second.
fn loosely(tree: &Tree, tally: &Tally, entries: &[Entry], journal: &[Request]) -> Vec<Figure> {
    let own: Vec<&Entry> = entries.iter().filter(|entry| tree.has(&entry.account)).collect();
    let known: std::collections::HashSet<&str> = own.iter().map(|entry| entry.exchange.as_str()).collect();
    let missing = tally.exchanges.iter().filter(|exchange| !known.contains(exchange.as_str())).count();
    vec![
        Figure::told("fast: requests that reached the provider", journal.len()),
        Figure::told("fast: Records", own.len()),
        Figure::told("fast: exchanges that callers saw and that died untold with their Envoy", missing),
    ]
}

/// What the requests of a tree say, and no others.
fn words(tree: &Tree) -> String {
    format!("a {} story", tree.tenant)
}
