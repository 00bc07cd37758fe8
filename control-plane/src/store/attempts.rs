//! Attempts in the ledger: each is a line of some provider's bill, written with its Record and never changed.

use dragoman_core::price::{Cost, PICO};
use dragoman_core::record::Outcome;

use super::Change;
use super::records::Settling;

/// Money as the tables have it: micro-dollars, and pico-dollars below one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Amount {
    /// Whole micro-dollars.
    pub micros: i64,
    /// Pico-dollars below one micro-dollar.
    pub rest: i64,
}

impl Amount {
    /// A cost in the two parts.
    pub fn of(cost: Cost) -> Amount {
        let part = |number: u128| i64::try_from(number).unwrap_or(i64::MAX);
        let (micros, rest) = cost.parts();
        Amount { micros: part(micros), rest: part(rest) }
    }

    /// All of it, in pico-dollars.
    pub fn pico(self) -> i128 {
        i128::from(self.micros) * i128::from(PICO) + i128::from(self.rest)
    }

    /// Sums of both parts, with what the second carries over.
    pub fn carried(micros: i64, rest: i64) -> Amount {
        let pico = PICO.into();
        Amount { micros: micros.saturating_add(rest.div_euclid(pico)), rest: rest.rem_euclid(pico) }
    }
}

/// One attempt.
#[derive(Clone, Copy, Debug)]
pub struct Line<'r> {
    /// What became of it.
    pub outcome: &'r Outcome,
    /// What it cost; `None` when nobody knows.
    pub cost: Option<Cost>,
    /// Tokens read, as reported or estimated.
    pub input_tokens: i64,
    /// Tokens written; together with those read they are what budgets of tokens count.
    pub output_tokens: i64,
}

/// The attempts of a Record.
pub fn lines<'r>(settling: &Settling<'r>) -> Vec<Line<'r>> {
    let costs = settling.attempts.iter().copied().chain(std::iter::repeat(Some(Cost::default())));
    settling.record.outcomes.iter().zip(costs).map(|(outcome, cost)| line(outcome, cost)).collect()
}

fn line(outcome: &Outcome, cost: Option<Cost>) -> Line<'_> {
    let estimated = outcome.estimate.map_or(0, |estimate| estimate.input);
    let input = outcome.usage.input.unwrap_or(0).max(estimated);
    let output = outcome.tokens().saturating_sub(input);
    Line { outcome, cost, input_tokens: signed(input), output_tokens: signed(output) }
}

pub(super) async fn insert(change: &mut Change, exchange: &str, lines: &[Line<'_>]) -> anyhow::Result<()> {
    for (number, line) in lines.iter().enumerate() {
        let (provider, model) = line.outcome.target.split_once('/').unwrap_or((&line.outcome.target, ""));
        let insert = sqlx::query(
            "INSERT INTO record_attempt (exchange, number, provider, model, ending, cost_micros, cost_rest, \
             input_tokens, output_tokens) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        );
        let amount = line.cost.map(Amount::of);
        let insert = insert.bind(exchange.to_string()).bind(i64::try_from(number)? + 1);
        let insert = insert.bind(provider.to_string()).bind(model.to_string());
        let insert = insert.bind(line.outcome.ending.name()).bind(amount.map(|amount| amount.micros));
        let insert = insert.bind(amount.map_or(0, |amount| amount.rest));
        insert.bind(line.input_tokens).bind(line.output_tokens).execute(&mut **change).await?;
    }
    Ok(())
}

/// A count as the tables have it.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
