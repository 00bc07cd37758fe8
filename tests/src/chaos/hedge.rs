//! One of two targets is quick, but for a few answers that take a second: a route that hedges asks the other one for these.

use std::time::Duration;

use super::crowd::{Told, ask_all, failed, milliseconds, p99};
use super::figures::Figure;
use super::mutate::Dice;
use super::options::{Options, Scenario};
use super::{MODEL, patient, provider};
use crate::gateway::Gateway;
use crate::simulator::{Reply, Script, Simulator, Wait};

/// Callers at once.
const CALLERS: usize = 4;

/// How long an answer takes, and how long a slow one does.
const USUAL: Duration = Duration::from_millis(20);
const SLOW: Duration = Duration::from_millis(1_000);

/// So many of a hundred are slow: fewer than the route may hedge.
const TAIL: u64 = 3;

/// What the route may hedge, in percent, and a hedge to begin with.
const SHARE: usize = 5;

/// Longest time that 99 of 100 hedged answers take, in milliseconds.
const LONGEST: f64 = 400.0;

/// Runs it.
pub fn run(options: &Options) -> anyhow::Result<Vec<Figure>> {
    let count = options.count(Scenario::Hedge);
    let (first, other) = (provider()?, provider()?);
    let mut dice = Dice::new(options.seed);
    let takes = |long| Reply::silence(Wait::For(long));
    first.play(Script::of((0..2 * count).map(|_| takes(if dice.below(100) < TAIL { SLOW } else { USUAL }))));
    other.play(Script::always(takes(USUAL)));
    let candidates = format!("candidates = [\"first/{MODEL}\", \"other/{MODEL}\"]");
    let routes = format!(
        "[[route]]\nname = \"plain\"\n{candidates}\n\
         [[route]]\nname = \"hedged\"\n{candidates}\nhedge = {{ after = \"p95\", share = {SHARE} }}\n"
    );
    let setup = patient().health("").workers(1).simulator("first", &first).simulator("other", &other);
    let gateway = Gateway::start(&setup.model(MODEL, &["first", "other"]).more(&routes))?;
    let asked = |providers: [&Simulator; 2]| providers.map(|one| one.journal().total()).iter().sum::<u64>();
    let ask = |route| -> anyhow::Result<(Vec<Told>, usize)> {
        let before = asked([&first, &other]);
        let told = ask_all(&gateway, gateway.key(), &[route], CALLERS, |number| number < count)?;
        let attempts = usize::try_from(asked([&first, &other]) - before)?;
        Ok((told, attempts))
    };
    let (plain, alone) = ask("plain")?;
    let (hedged, both) = ask("hedged")?;
    let by_other = hedged.iter().filter(|told| told.target.starts_with("other/")).count();
    let extra = both.saturating_sub(count);
    let mut figures = vec![Figure::done("requests to each of two routes", plain.len().min(hedged.len()), count)];
    figures.extend(failed(&plain, 0.0));
    figures.extend(failed(&hedged, 0.0));
    figures.extend([
        Figure::told("99 of 100, without hedging", format!("{:.1} ms", p99(&milliseconds(&plain, 0)))),
        Figure::at_most("99 of 100, with it", p99(&milliseconds(&hedged, 0)), LONGEST, "ms"),
        Figure::told("attempts more than requests, without", alone.saturating_sub(count)),
        Figure::part_at_most("attempts more than requests, with it", extra, count, SHARE as f64 + 1.0),
        Figure::told("answered by the other one", by_other),
    ]);
    Ok(figures)
}
