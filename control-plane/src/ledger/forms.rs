//! The ledger in the forms of others: CSV for spreadsheets, CloudEvents for pipelines.
//!
//! Why no Parquet: its writer would be our largest dependency, and every tool that reads Parquet reads CSV.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::store::ledger::{Attempt, Exchange};

/// A form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A line for each attempt; one for an exchange that had none.
    Csv,
    /// An event for each exchange, one on each line.
    CloudEvents,
}

/// The head of the CSV.
const HEAD: &str = "exchange,attempt,began,settled,caller,account,route,status,state,provider,model,ending,input_tokens,\
                    output_tokens,cost_usd\n";
/// Digits of a dollar's part that a pico-dollar is.
const DIGITS: usize = 12;

impl Format {
    /// The names of all.
    pub const NAMES: [&'static str; 2] = ["csv", "cloudevents"];

    /// The form of that name.
    pub fn named(name: &str) -> Option<Format> {
        match name {
            "csv" => Some(Format::Csv),
            "cloudevents" => Some(Format::CloudEvents),
            _ => None,
        }
    }

    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Format::Csv => "text/csv; charset=utf-8",
            Format::CloudEvents => "application/x-ndjson",
        }
    }

    /// What stands before the first exchange.
    pub fn head(self) -> &'static str {
        match self {
            Format::Csv => HEAD,
            Format::CloudEvents => "",
        }
    }

    /// One exchange.
    pub fn write(self, exchange: &Exchange) -> String {
        match self {
            Format::Csv if exchange.attempts.is_empty() => row(exchange, None),
            Format::Csv => exchange.attempts.iter().map(|attempt| row(exchange, Some(attempt))).collect(),
            Format::CloudEvents => format!("{}\n", event(exchange)),
        }
    }
}

fn row(exchange: &Exchange, attempt: Option<&Attempt>) -> String {
    let own = exchange.is_whole.then_some(exchange.known);
    let cost = attempt.map_or(own, |attempt| attempt.cost).map(|cost| dollars(cost.pico())).unwrap_or_default();
    let count = |of: fn(&Attempt) -> i64| attempt.map_or(0, of).to_string();
    let text = |of: fn(&Attempt) -> &str| cell(attempt.map_or("", of));
    let cells = [
        cell(&exchange.exchange),
        count(|attempt| attempt.number),
        moment(exchange.began_ms),
        moment(exchange.settled_ms),
        cell(&exchange.caller),
        cell(&exchange.account),
        cell(&exchange.route),
        exchange.status.to_string(),
        cell(&exchange.state),
        text(|attempt| &attempt.provider),
        text(|attempt| &attempt.model),
        text(|attempt| &attempt.ending),
        count(|attempt| attempt.input_tokens),
        count(|attempt| attempt.output_tokens),
        cost,
    ];
    format!("{}\n", cells.join(","))
}

/// A text that a spreadsheet takes for a text: routes are named by clients, and `=` begins a formula.
fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if formula { format!("'{text}") } else { text.to_string() };
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

fn event(exchange: &Exchange) -> Value {
    let attempt = |attempt: &Attempt| {
        json!({
            "number": attempt.number,
            "provider": attempt.provider,
            "model": attempt.model,
            "ending": attempt.ending,
            "input_tokens": attempt.input_tokens,
            "output_tokens": attempt.output_tokens,
            "cost_usd": attempt.cost.map(|cost| dollars(cost.pico())),
        })
    };
    json!({
        "specversion": "1.0",
        "id": exchange.exchange,
        "source": "/dragoman/ledger",
        "type": "dragoman.exchange.settled",
        "subject": exchange.account,
        "time": moment(exchange.settled_ms),
        "datacontenttype": "application/json",
        "data": {
            "began": moment(exchange.began_ms),
            "caller": exchange.caller,
            "account": exchange.account,
            "state": exchange.state,
            "cost_usd": exchange.is_whole.then(|| dollars(exchange.known.pico())),
            "attempts": exchange.attempts.iter().map(attempt).collect::<Vec<_>>(),
            "record": serde_json::from_str::<Value>(&exchange.document).unwrap_or_default(),
        },
    })
}

fn moment(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |moment| moment.to_string())
}

/// Pico-dollars in dollars, as short as they are: `0.0000016`, `-3`.
pub fn dollars(pico: i128) -> String {
    let (sign, pico) = (if pico < 0 { "-" } else { "" }, pico.unsigned_abs());
    let one = 10_u128.pow(DIGITS as u32);
    let text = format!("{sign}{}.{:0DIGITS$}", pico / one, pico % one);
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::ledger::Attempt;

    fn exchange(attempts: Vec<Attempt>) -> Exchange {
        Exchange {
            exchange: "x-1".into(),
            began_ms: 1_795_763_580_001,
            settled_ms: 1_795_763_581_000,
            caller: "key_1".into(),
            account: "acme".into(),
            route: "=cmd(),\"a\"".into(),
            status: 200,
            state: "settled".into(),
            known: crate::store::costs::Amount { micros: 3, rest: 100_000 },
            is_whole: true,
            document: r#"{"exchange":"x-1"}"#.into(),
            attempts,
        }
    }

    fn attempt(number: i64, cost: Option<i64>) -> Attempt {
        Attempt {
            number,
            provider: "p".into(),
            model: "m".into(),
            ending: "answered".into(),
            cost: cost.map(|micros| crate::store::costs::Amount { micros, rest: 0 }),
            input_tokens: 10,
            output_tokens: 1,
        }
    }

    #[test]
    fn a_line_stands_for_each_attempt_and_no_text_is_a_formula() {
        let csv = Format::Csv.write(&exchange(vec![attempt(1, None), attempt(2, Some(3))]));
        let expected = "x-1,1,2026-11-27T07:13:00.001Z,2026-11-27T07:13:01Z,key_1,acme,\"'=cmd(),\"\"a\"\"\",200,settled,p,m,answered,10,1,\n\
                        x-1,2,2026-11-27T07:13:00.001Z,2026-11-27T07:13:01Z,key_1,acme,\"'=cmd(),\"\"a\"\"\",200,settled,p,m,answered,10,1,0.000003\n";
        assert_eq!(csv, expected);
        let alone = Format::Csv.write(&exchange(vec![]));
        assert!(alone.contains(",0,2026") && alone.ends_with(",settled,,,,0,0,0.0000031\n"), "{alone}");
        let commas = |line: &str| line.matches(',').count();
        assert_eq!(commas(HEAD), commas(&alone) - 1, "one is in a text");
    }

    #[test]
    fn an_event_is_one_line_with_the_record() {
        let line = Format::CloudEvents.write(&exchange(vec![attempt(1, Some(3))]));
        let event: Value = serde_json::from_str(line.trim_end()).unwrap();
        assert_eq!((line.lines().count(), &event["specversion"], &event["id"]), (1, &json!("1.0"), &json!("x-1")));
        assert_eq!(event["data"]["cost_usd"], "0.0000031");
        assert_eq!(event["data"]["record"]["exchange"], "x-1");
    }

    #[test]
    fn dollars_are_exact_and_short() {
        let all = [0, 1, 1_600_000, 3_000_000_000_000, -2_500_000_000_000].map(dollars);
        assert_eq!(all, ["0", "0.000000000001", "0.0000016", "3", "-2.5"]);
    }
}
