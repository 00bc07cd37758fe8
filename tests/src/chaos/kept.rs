//! What is left of the exchanges that callers saw: one Record each, neither none nor two.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::figures::Figure;
use crate::gateway::Gateway;

/// A worker that lost the control plane tries again within 5 s; a batch of Records takes milliseconds.
const SETTLED: Duration = Duration::from_secs(60);

/// Waits until every exchange has its Record, and says of how many that is not so in the end.
pub fn records(gateway: &Gateway, exchanges: &[String]) -> anyhow::Result<Vec<Figure>> {
    let until = Instant::now() + SETTLED;
    loop {
        let counts = count(gateway)?;
        let of = |exchange: &String| counts.get(exchange.as_str()).copied().unwrap_or(0);
        let lost: Vec<&String> = exchanges.iter().filter(|exchange| of(exchange) == 0).collect();
        if lost.is_empty() || Instant::now() > until {
            let doubled: Vec<&String> = counts.iter().filter(|(_, count)| **count > 1).map(|(id, _)| id).collect();
            return Ok(vec![
                Figure::told("exchanges that callers saw", exchanges.len()),
                Figure::none("of them without a Record", &lost),
                Figure::none("Records that are there twice", &doubled),
            ]);
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

fn count(gateway: &Gateway) -> anyhow::Result<HashMap<String, usize>> {
    let mut counts = HashMap::new();
    for record in gateway.records()? {
        let exchange = record.get("exchange").and_then(|exchange| exchange.as_str()).unwrap_or_default();
        *counts.entry(exchange.to_owned()).or_default() += 1;
    }
    Ok(counts)
}
