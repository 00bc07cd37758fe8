//! The Records as an auditor reads them: who paid, how much, out of which budgets.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::Value;

use crate::api::Api;

/// Records of a page.
const PAGE: usize = 500;

/// Pico-dollars of a micro-dollar.
const PICO: u64 = 1_000_000;

/// One Record.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The exchange's id.
    pub exchange: String,
    /// The key's id.
    pub caller: String,
    /// The account's id.
    pub account: String,
    /// The model that was asked for.
    pub route: String,
    /// Why it was refused; empty when it was not.
    pub refusal: String,
    /// How each attempt ended.
    pub endings: Vec<String>,
    /// Tokens, as budgets count them.
    pub tokens: u64,
    cost_pico: u64,
    budgets: Vec<String>,
}

impl Entry {
    /// All Records there are, the newest first.
    pub fn all(api: &Api) -> anyhow::Result<Vec<Self>> {
        let (mut entries, mut after) = (Vec::new(), String::new());
        loop {
            let (page, _) = api.get(&format!("/api/v1/records?limit={PAGE}{after}"))?;
            let items = page.get("items").and_then(Value::as_array).context("a page without `items`")?;
            entries.extend(items.iter().map(Self::read));
            match page.get("next").and_then(Value::as_str) {
                Some(next) => after = format!("&after={next}"),
                None => return Ok(entries),
            }
        }
    }

    /// All Records there are, once there are no more of them than a second ago and it is enough; or after a minute.
    pub fn settled(api: &Api, is_enough: impl Fn(&[Self]) -> bool) -> anyhow::Result<Vec<Self>> {
        let until = Instant::now() + Duration::from_secs(60);
        let mut entries = Self::all(api)?;
        loop {
            std::thread::sleep(Duration::from_secs(1));
            let later = Self::all(api)?;
            let is_quiet = later.len() == entries.len();
            entries = later;
            if (is_quiet && is_enough(&entries)) || Instant::now() > until {
                return Ok(entries);
            }
        }
    }

    /// What these come to of a budget, in its unit.
    pub fn charged(entries: &[Self], budget: &str) -> u64 {
        let unit = budget.split('/').nth(1).unwrap_or_default();
        let own = entries.iter().filter(|entry| entry.budgets.iter().any(|one| one == budget));
        match unit {
            "usd" => own.map(|entry| entry.cost_pico).sum::<u64>() / PICO,
            "tokens" => own.map(|entry| entry.tokens).sum(),
            _ => own.count() as u64,
        }
    }

    /// What it cost, rounded down.
    pub fn micro_dollars(&self) -> u64 {
        self.cost_pico / PICO
    }

    /// Whether a budget had no room for it.
    pub fn is_denied(&self) -> bool {
        !self.refusal.is_empty() && self.refusal != "data_plane_lost"
    }

    fn read(kept: &Value) -> Self {
        let none = Vec::new();
        let record = kept.get("record").unwrap_or(&Value::Null);
        let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let list = |name: &str| record.get(name).and_then(Value::as_array).unwrap_or(&none).iter();
        let cost: u64 = list("outcomes").map(|outcome| number(outcome, "cost_pico")).sum();
        // Of one whose end nobody told there is only what was held.
        let held = number(kept, "cost_micros") * PICO;
        Self {
            exchange: text(kept, "exchange"),
            caller: text(record, "caller"),
            account: text(record, "account"),
            route: text(record, "route"),
            refusal: text(record, "refusal"),
            endings: list("outcomes").map(|outcome| text(outcome, "ending")).collect(),
            tokens: list("outcomes").map(tokens).sum(),
            cost_pico: if list("outcomes").len() == 0 { held } else { cost },
            budgets: list("charged").map(|charged| text(charged, "budget")).collect(),
        }
    }
}

/// What an attempt took: what was reported, or what it must have been.
fn tokens(outcome: &Value) -> u64 {
    let sum = |value: &Value, input: &str, output: &str| number(value, input) + number(value, output);
    let estimate = outcome.get("estimate").map_or(0, |estimate| sum(estimate, "input", "output"));
    sum(outcome, "input_tokens", "output_tokens").max(estimate)
}

fn number(value: &Value, name: &str) -> u64 {
    value.get(name).and_then(Value::as_u64).unwrap_or(0)
}
