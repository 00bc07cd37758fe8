//! Everybody has too much to do, for a while: what is tried again must not make it worse, and nobody pays for it, nor twice.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use serde_json::json;

use super::crowd::{Told, ask_all, failed};
use super::figures::Figure;
use super::ledger::Entry;
use super::options::{Options, Scenario};
use super::tree::{PRICE, Tree};
use super::{MODEL, PROVIDER, patient, provider};
use crate::api::Api;
use crate::gateway::Gateway;
use crate::simulator::{Reply, Script};

/// Callers at once.
const CALLERS: usize = 4;

/// Repeats that a worker has saved up, and those that were promised when they ran out.
const SAVED: usize = 10 + CALLERS;

/// Repeats, and attempts at a target, in percent of requests.
const REPEATS: f64 = 20.0;
const MOST: f64 = 120.0;

/// More than a dollar for each token that can come of a run.
const ENOUGH: &str = "1000000";

/// The time in which a breaker lets somebody through again, and a little.
const AFTER: Duration = Duration::from_secs(5);

/// Runs it.
pub fn run(options: &Options) -> anyhow::Result<Vec<Figure>> {
    let seconds = Duration::from_secs(options.count(Scenario::Overload) as u64);
    let (only, other) = (provider()?, provider()?);
    let setup = patient().health("").simulator(PROVIDER, &only).simulator("other", &other);
    let setup = setup.model(MODEL, &[PROVIDER]).model("two", &[PROVIDER, "other"]).more(PRICE);
    let gateway = Gateway::start(&setup)?;
    let api = Api::of(&gateway)?;
    let tree =
        Tree::plant(&api, "budgeted", &json!([{ "usd": ENOUGH, "per": "month" }, { "requests": 1_000_000_000 }]))?;
    let error = json!({ "type": "error", "error": { "type": "overloaded_error", "message": "Overloaded" } });
    for provider in [&only, &other] {
        provider.play(Script::always(Reply::json(529, &error)));
    }
    let mut figures = Vec::new();
    let mut asked = 0;
    for (model, what, all) in [(MODEL, "one target", &[&only][..]), ("two", "two targets", &[&only, &other][..])] {
        let until = Instant::now() + seconds;
        let before: Vec<u64> = all.iter().map(|one| one.journal().total()).collect();
        let told = ask_all(&gateway, &tree.key, &[model], CALLERS, |_| Instant::now() < until)?;
        let attempts = all.iter().map(|one| one.journal().total()).sum::<u64>() - before.iter().sum::<u64>();
        let attempts = usize::try_from(attempts)?;
        let repeats = attempts.saturating_sub(all.len() * told.len() + SAVED);
        asked += told.len();
        figures.extend([
            Figure::told(format!("requests to {what} with too much to do"), told.len()),
            Figure::none("of them answered", &answered(&told)),
            Figure::part_at_most("attempts at a target", attempts / all.len(), told.len(), MOST),
            Figure::part_at_most("repeats, beyond those saved up", repeats, told.len(), REPEATS),
        ]);
    }
    for provider in [&only, &other] {
        provider.play(Script::default());
    }
    let until = Instant::now() + AFTER;
    let told = ask_all(&gateway, &tree.key, &[MODEL], CALLERS, |_| Instant::now() < until)?;
    figures.push(Figure::told("requests once it is over", told.len()));
    figures.extend(failed(&told, 0.0));
    let (all, good) = (asked + told.len(), told.len());
    let entries = Entry::settled(&api, |entries| entries.len() >= all)?;
    let distinct: HashSet<&str> = entries.iter().map(|entry| entry.exchange.as_str()).collect();
    let paid = entries.iter().filter(|entry| entry.tokens > 0).count();
    figures.extend([
        Figure::done("Records", entries.len(), all),
        Figure::done("exchanges of these", distinct.len(), entries.len()),
        Figure::told("of them charged with tokens", paid),
        Figure::part_at_most("charged and not answered", paid.saturating_sub(good), all, 0.0),
        tree.agrees(&api, &entries)?,
    ]);
    Ok(figures)
}

/// Those that were answered all the same.
fn answered(told: &[Told]) -> Vec<&str> {
    told.iter().filter(|told| told.wrong.is_none()).map(|told| told.target.as_str()).collect()
}
