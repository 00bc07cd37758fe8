//! Three targets share a route by weights, in two workers: each gets what its weight says.

use std::time::Instant;

use super::crowd::{ask_all, failed};
use super::figures::Figure;
use super::options::{Options, Scenario};
use super::{MODEL, patient, provider};
use crate::gateway::Gateway;
use crate::simulator::Simulator;

/// Callers at once.
const CALLERS: usize = 4;

/// Who gets how many of ten.
const WEIGHTS: [(&str, usize); 3] = [("five", 5), ("three", 3), ("two", 2)];

/// How far from that it may be, in percent of it.
const OFF: f64 = 2.0;

/// Runs it.
pub fn run(options: &Options) -> anyhow::Result<Vec<Figure>> {
    let count = options.count(Scenario::Weights);
    let until = options.until(Scenario::Weights);
    let all: Vec<Simulator> = WEIGHTS.iter().map(|_| provider()).collect::<anyhow::Result<_>>()?;
    let setup =
        WEIGHTS.iter().zip(&all).fold(patient().health(""), |setup, ((name, _), one)| setup.simulator(name, one));
    let targets = WEIGHTS.map(|(name, weight)| (format!("\"{name}/{MODEL}\""), weight));
    let candidates = targets.each_ref().map(|(target, _)| target.clone()).join(", ");
    let weights = targets.each_ref().map(|(target, weight)| format!("{target} = {weight}")).join(", ");
    let route = format!(
        "[[route]]\nname = \"shared\"\ncandidates = [{candidates}]\nbalance = \"weighted\"\nweights = {{ {weights} }}\n"
    );
    let setup = setup.model(MODEL, &WEIGHTS.map(|(name, _)| name)).more(&route).workers(2);
    let gateway = Gateway::start(&setup)?;
    let told =
        ask_all(&gateway, gateway.key(), &["shared"], CALLERS, |number| number < count && Instant::now() < until)?;
    let mut figures = vec![Figure::done("requests, in two workers", told.len(), count)];
    figures.extend(failed(&told, 0.0));
    for ((name, weight), one) in WEIGHTS.iter().zip(&all) {
        let (got, due) = (one.journal().total() as f64, (told.len() * weight) as f64 / 10.0);
        figures.push(Figure::told(format!("at the one of weight {weight}"), got));
        figures.push(Figure::at_most(format!("{name}: off its weight"), 100.0 * (got - due).abs() / due, OFF, "%"));
    }
    Ok(figures)
}
