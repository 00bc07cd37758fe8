//! A store with very many Records: how long a page of them takes, and whether a walk over the pages meets each once.
//!
//! The Records come by the way that those of real exchanges come, with what a usual one holds; only the asking is left out.

use std::collections::HashSet;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use dragoman_core::record::{Ending, Outcome, Record};
use dragoman_core::usage::Usage;
use serde_json::Value;

use super::control_plane_kills::unharmed;
use super::figures::Figure;
use super::options::{Options, Scenario};
use super::reloads::at;
use super::settling::settle;
use super::{MODEL, PROVIDER, provider, setup};
use crate::api::Api;
use crate::gateway::Gateway;

/// Records of a page, as many as somebody gets who does not say.
const PAGE: usize = 100;

/// Most milliseconds that all pages but one of a hundred take.
const QUICK: f64 = 50.0;

/// So many Records began in the same millisecond: pages must be cut between them as well.
const TOGETHER: usize = 7;

/// Every so many is of a second caller: what is looked for among others.
const SELDOM: usize = 1000;

/// Runs it.
pub fn run(options: &Options) -> anyhow::Result<Vec<Figure>> {
    let count = options.count(Scenario::Records);
    let until = options.until(Scenario::Records);
    let provider = provider()?;
    let gateway = Gateway::start(&setup(&provider))?;
    let envoy = gateway.envoy_pid()?;
    let api = Api::of(&gateway)?;
    let now = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
    let records: Vec<Record> = (0..count).map(|number| record(number, now)).collect();
    let began = Instant::now();
    settle(&gateway.control(), &records)?;
    let settled = began.elapsed();
    let all = Walk::over(&api, "", until)?;
    let seldom = Walk::over(&api, &format!("&caller={}", caller(0)), until)?;
    let missing = |walk: &Walk, of: &dyn Fn(usize) -> bool| -> Vec<String> {
        let wanted = (0..count).filter(|number| of(*number)).map(exchange);
        wanted.filter(|exchange| !walk.seen.contains(exchange)).collect()
    };
    let own: HashSet<String> = (0..count).step_by(SELDOM).map(exchange).collect();
    let mut figures = vec![
        Figure::told("Records in the store", count),
        Figure::told("settled by gRPC, each second", format!("{:.0}", count as f64 / settled.as_secs_f64())),
        Figure::told("pages read", all.took.len()),
        Figure::told("a page, median", format!("{:.1} ms", at(&all.took, 0.5))),
        Figure::at_most("a page, 99 of 100", at(&all.took, 0.99), QUICK, "ms"),
        Figure::told("longest", format!("{:.1} ms", at(&all.took, 1.0))),
        Figure::none("Records on no page", &missing(&all, &|_| true)),
        Figure::none("Records on two pages", &all.twice),
        Figure::none("Records before a later one", &all.disordered),
        Figure::at_most("longest page of a caller with one in a thousand", at(&seldom.took, 1.0), QUICK, "ms"),
        Figure::none("Records of it on no page", &missing(&seldom, &|number| number % SELDOM == 0)),
        Figure::none("Records of others on its pages", &seldom.seen.difference(&own).collect::<Vec<_>>()),
    ];
    figures.extend(unharmed(&gateway, envoy)?);
    Ok(figures)
}

/// One that is usual: asked once, answered, counted.
fn record(number: usize, now: u64) -> Record {
    let target = format!("{PROVIDER}/{MODEL}");
    let usage = Usage { input: Some(number as u64 % 5000), output: Some(number as u64 % 300), ..Usage::default() };
    Record {
        exchange: exchange(number),
        caller: caller(number),
        began_ms: now - (number / TOGETHER) as u64,
        dialect: "chat_completions".to_owned(),
        operation: "generate".to_owned(),
        route: MODEL.to_owned(),
        streamed: number.is_multiple_of(2),
        snapshot: 1,
        plan: vec![target.clone()],
        status: 200,
        outcomes: vec![Outcome {
            target,
            dialect: "chat_completions".to_owned(),
            ending: Ending::Answered,
            status: 200,
            first_event_ms: Some(200),
            total_ms: 900,
            usage,
            ..Outcome::default()
        }],
        ..Record::default()
    }
}

/// As long as a real one, and in no order: the index is to do its work.
fn exchange(number: usize) -> String {
    format!("{:016x}{number:016x}", (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

fn caller(number: usize) -> String {
    if number.is_multiple_of(SELDOM) { "seldom".to_owned() } else { "often".to_owned() }
}

/// What the pages held, one after the other.
#[derive(Default)]
struct Walk {
    seen: HashSet<String>,
    twice: Vec<String>,
    disordered: Vec<String>,
    /// Milliseconds of each page, sorted.
    took: Vec<f64>,
}

impl Walk {
    fn over(api: &Api, query: &str, until: Instant) -> anyhow::Result<Self> {
        let mut walk = Self::default();
        let (mut after, mut last) = (String::new(), u64::MAX);
        while Instant::now() < until {
            let (page, took) = api.get(&format!("/api/v1/records?limit={PAGE}{query}{after}"))?;
            walk.took.push(took.as_secs_f64() * 1e3);
            let items = page.get("items").and_then(Value::as_array).context("a page without `items`")?;
            for item in items {
                let id = item.get("exchange").and_then(Value::as_str).context("a Record without `exchange`")?;
                let began = item.get("began_ms").and_then(Value::as_u64).context("a Record without `began_ms`")?;
                if began > last {
                    walk.disordered.push(id.to_owned());
                }
                last = began;
                if !walk.seen.insert(id.to_owned()) {
                    walk.twice.push(id.to_owned());
                }
            }
            match page.get("next").and_then(Value::as_str) {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        walk.took.sort_by(f64::total_cmp);
        Ok(walk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_made_record_can_be_read_and_has_an_id_of_its_own() {
        let ids: HashSet<String> = (0..3000).map(exchange).collect();
        assert_eq!(ids.len(), 3000);
        let made = record(1000, 1_000_000);
        assert_eq!(Record::read(&made.write()), Some(made.clone()));
        assert_eq!((made.caller.as_str(), made.began_ms), ("seldom", 1_000_000 - 142));
    }
}
