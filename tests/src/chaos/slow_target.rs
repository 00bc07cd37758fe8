//! One of three targets becomes ten times slower and fails nothing: who balances by latency soon leaves it nearly alone.

use std::time::{Duration, Instant};

use super::crowd::{ask_all, failed};
use super::figures::Figure;
use super::options::{Options, Scenario};
use super::{MODEL, patient, provider};
use crate::gateway::Gateway;
use crate::simulator::{Reply, Script, Simulator, Wait};

/// Callers at once.
const CALLERS: usize = 8;

/// How long an answer takes.
const USUAL: Duration = Duration::from_millis(20);

/// All are as quick as usual for so long.
const WELL: Duration = Duration::from_secs(5);

/// So long after one became slow it is noticed.
const NOTICED: Duration = Duration::from_secs(10);

/// The part of all requests that the slow one may get then, in percent.
const MOST: f64 = 5.0;

/// And quick again for so long.
const AFTERWARDS: Duration = Duration::from_secs(20);

/// Runs it.
pub fn run(options: &Options) -> anyhow::Result<Vec<Figure>> {
    let seconds = Duration::from_secs(options.count(Scenario::SlowTarget) as u64);
    let names = ["slow", "other", "third"];
    let all: Vec<Simulator> = names.iter().map(|_| provider()).collect::<anyhow::Result<_>>()?;
    let takes = |long| Script::always(Reply::silence(Wait::For(long)));
    let setup = names.iter().zip(&all).fold(patient().health(""), |setup, (name, one)| {
        one.play(takes(USUAL));
        setup.simulator(name, one)
    });
    let candidates = names.map(|name| format!("\"{name}/{MODEL}\"")).join(", ");
    let route = format!("[[route]]\nname = \"shared\"\ncandidates = [{candidates}]\nbalance = \"least_latency\"\n");
    let gateway = Gateway::start(&setup.model(MODEL, &names).more(&route))?;
    let turn = Instant::now() + WELL;
    let end = turn + NOTICED + seconds;
    let told = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(WELL);
            all[0].play(takes(USUAL * 10));
            std::thread::sleep(NOTICED + seconds);
            all[0].play(takes(USUAL));
        });
        ask_all(&gateway, gateway.key(), &["shared"], CALLERS, |_| Instant::now() < end + AFTERWARDS)
    })?;
    let part = |from: Instant, to: Instant| {
        let of_then: Vec<_> = told.iter().filter(|told| told.began >= from && told.began < to).collect();
        (of_then.iter().filter(|told| told.target.starts_with("slow/")).count(), of_then.len())
    };
    let percent = |(part, whole): (usize, usize)| format!("{:.1} %", 100.0 * part as f64 / whole.max(1) as f64);
    let (slow, whole) = part(turn + NOTICED, end);
    let mut figures = vec![Figure::told("requests to three equal targets", told.len())];
    figures.extend(failed(&told, 0.0));
    figures.extend([
        Figure::told("at the first of them while it is well", percent(part(turn - WELL, turn))),
        Figure::told("in the ten seconds since it is ten times slower", percent(part(turn, turn + NOTICED))),
        Figure::part_at_most("after them", slow, whole, MOST),
        Figure::told("in the twenty seconds since it is well again", percent(part(end, end + AFTERWARDS))),
        Figure::told("in the last five of these", percent(part(end + AFTERWARDS * 3 / 4, end + AFTERWARDS))),
    ]);
    Ok(figures)
}
