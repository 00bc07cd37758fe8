//! Providers that fail: what it costs to ask the next one, and whether anybody notices when all of them fail now and then.

use std::time::Instant;

use serde_json::json;

use super::crowd::{Told, ask_all, failed, milliseconds, p99};
use super::figures::Figure;
use super::mutate::Dice;
use super::options::{Options, Scenario};
use super::reloads::at;
use super::{MODEL, patient, provider};
use crate::gateway::{Gateway, Setup};
use crate::simulator::{Reply, Script, Simulator, When};

/// Callers at once.
const CALLERS: usize = 4;

/// Of so many requests one is asked of two providers of which the first always refuses, and one of the second alone.
const PAIRS: usize = 10;

/// Most milliseconds that asking the next one may add, 99 times of 100.
const ADDED: f64 = 5.0;

/// Attempts that fail, in percent.
const FAILING: u64 = 30;

/// Requests that may fail when three providers do so, in percent.
const FAILED: f64 = 0.01;

/// Runs it.
pub fn run(options: &Options) -> anyhow::Result<Vec<Figure>> {
    let count = options.count(Scenario::Fallback);
    let until = options.until(Scenario::Fallback);
    let mut figures = added(count / PAIRS, until)?;
    figures.extend(remembered(count / PAIRS, until)?);
    figures.extend(at_random(options, count, until)?);
    Ok(figures)
}

/// A provider that refuses everything and says nothing of when, and one that is well.
fn pair() -> anyhow::Result<(Simulator, Simulator, Setup)> {
    let (first, second) = (provider()?, provider()?);
    first.play(Script::always(Reply::json(429, &json!({ "error": { "message": "no", "type": "requests" } }))));
    let setup = patient().simulator("first", &first).simulator("second", &second);
    let setup = setup.model("alone", &["second"]).model(MODEL, &["first", "second"]);
    Ok((first, second, setup))
}

/// Each request is refused by the first, since nobody remembers that it was.
fn added(count: usize, until: Instant) -> anyhow::Result<Vec<Figure>> {
    let (first, _second, setup) = pair()?;
    let gateway = Gateway::start(&setup)?;
    // One caller: what is measured is the way, not the queue.
    let ask = |wanted| {
        ask_all(&gateway, gateway.key(), &["alone", MODEL], 1, |number| number < wanted && Instant::now() < until)
    };
    ask(200)?;
    let before = first.journal().total();
    let told = ask(2 * count)?;
    let [alone, both] = [0, 1].map(|model| milliseconds(&told, model));
    let mut figures = vec![
        Figure::done("requests refused by a first provider, nothing being remembered", both.len(), count),
        Figure::told("attempts at it", first.journal().total() - before),
    ];
    figures.extend(failed(&told, 0.0));
    figures.extend([
        Figure::told("median, by the second alone", format!("{:.2} ms", at(&alone, 0.5))),
        Figure::told("median, by the second after the first", format!("{:.2} ms", at(&both, 0.5))),
        Figure::told("99 of 100, by the second alone", format!("{:.2} ms", p99(&alone))),
        Figure::told("99 of 100, by the second after the first", format!("{:.2} ms", p99(&both))),
        Figure::told("of the one to the other, 99 of 100", format!("{:.2}", p99(&both) / p99(&alone))),
        Figure::at_most("added by the first, 99 of 100", p99(&both) - p99(&alone), ADDED, "ms"),
    ]);
    Ok(figures)
}

/// The same when it is remembered: the first is asked last.
fn remembered(count: usize, until: Instant) -> anyhow::Result<Vec<Figure>> {
    let (first, _second, setup) = pair()?;
    let gateway = Gateway::start(&setup.health(""))?;
    let told = ask_all(&gateway, gateway.key(), &[MODEL], 1, |number| number < count && Instant::now() < until)?;
    let reached = usize::try_from(first.journal().total())?;
    let mut figures = vec![
        Figure::told("requests to the two of them, refusals being remembered", told.len()),
        Figure::told("of these the first was asked", reached),
    ];
    figures.extend(failed(&told, 0.0));
    Ok(figures)
}

/// Three providers, each of which fails three times out of ten, in every way in which one fails in passing.
fn at_random(options: &Options, count: usize, until: Instant) -> anyhow::Result<Vec<Figure>> {
    let names = ["a", "b", "c"];
    let mut dice = Dice::new(options.seed);
    let all: Vec<Simulator> = names.iter().map(|_| provider()).collect::<anyhow::Result<_>>()?;
    let setup = names.iter().zip(&all).fold(patient().health(""), |setup, (name, one)| {
        one.play(failing(&mut dice, count));
        setup.simulator(name, one)
    });
    let gateway = Gateway::start(&setup.model(MODEL, &names))?;
    let told: Vec<Told> =
        ask_all(&gateway, gateway.key(), &[MODEL], CALLERS, |number| number < count && Instant::now() < until)?;
    let attempts: u64 = all.iter().map(|one| one.journal().total()).sum();
    let mut figures = vec![Figure::done(
        format!("requests to three providers, {FAILING} of 100 attempts failing"),
        told.len(),
        count,
    )];
    figures.extend(failed(&told, FAILED));
    figures.push(Figure::told("attempts of a request", format!("{:.3}", attempts as f64 / told.len() as f64)));
    let shares =
        names.iter().zip(&all).map(|(name, one)| Figure::told(format!("attempts at {name}"), one.journal().total()));
    figures.extend(shares);
    Ok(figures)
}

/// So many answers of either form, of which some are none.
fn failing(dice: &mut Dice, count: usize) -> Script {
    let error = json!({ "error": { "message": "not now", "type": "server_error", "code": null } });
    let usual = [Reply::status(429), Reply::json(500, &error), Reply::json(503, &error), Reply::reset()];
    let with = |last: Reply| usual.iter().cloned().chain([last]).collect::<Vec<_>>();
    let whole = with(Reply::json(200, &error));
    let streamed = with(Reply::event_stream(format!("data: {error}\n\n")));
    let mut replies = |faults: &[Reply]| -> Vec<Reply> {
        let mut reply = || match dice.below(100) < FAILING {
            true => faults[usize::try_from(dice.below(faults.len() as u64)).unwrap_or(0)].clone(),
            false => Reply::persona(),
        };
        // Behind the last there is none that is repeated for ever.
        (0..count).map(|_| reply()).chain([Reply::persona()]).collect()
    };
    let streamed = replies(&streamed);
    Script::default().when(When::mentions("\"stream\":true"), streamed).when(When::any(), replies(&whole))
}
