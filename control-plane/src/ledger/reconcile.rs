//! A provider's bill against the ledger: who says how much for which day and model.
//!
//! Every provider writes its bill another way. What is needed is found by the names of columns; lines of one day and model are
//! added up, and what stands behind a comma of a model (`m, input`) says which tokens, not which model.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;
use utoipa::ToSchema;

use crate::store::costs::DAY_MS;

/// Pico-dollars of a dollar.
const DOLLAR: i128 = 1_000_000_000_000;
/// Pico-dollars of a cent: bills are rounded to it.
const CENT: i128 = DOLLAR / 100;
/// Seconds of a day.
const DAY: i64 = DAY_MS / 1000;
/// Most mistakes that are told: a wrong file is wrong in every line.
const MAX_MISTAKES: usize = 20;

/// Names of the column with the day, of that with the amount, of that with the model.
const DAYS: [&str; 8] =
    ["date", "day", "usage_date", "usage_date_utc", "start_time_iso", "start_time", "timestamp", "time"];
const AMOUNTS: [&str; 9] =
    ["cost_usd", "amount_usd", "usd", "cost", "amount", "amount_value", "total", "price", "cost_in_usd"];
const MODELS: [&str; 7] = ["model", "model_id", "model_name", "model_version", "line_item", "sku", "description"];

/// One day and model of a bill or of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The day, numbered from 1970.
    pub day: i64,
    /// The model; empty when there is none.
    pub model: String,
    /// How much, in pico-dollars.
    pub pico: i128,
}

/// What to think of a day and model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Both say the same, as far as rounding goes.
    Same,
    /// The bill says more.
    InvoiceIsHigher,
    /// The ledger says more.
    LedgerIsHigher,
    /// Only the bill has it: it did not go through the gateway, or under another name.
    OnlyInvoice,
    /// Only the ledger has it.
    OnlyLedger,
}

/// Both side by side, in pico-dollars.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// The day, numbered from 1970.
    pub day: i64,
    /// The model.
    pub model: String,
    /// What the bill says.
    pub invoice: i128,
    /// What the ledger says.
    pub ledger: i128,
    /// What to think of it.
    pub verdict: Verdict,
}

/// Reads a bill, by day and model; the error is everything that is wrong with it.
pub fn read(text: &str) -> Result<Vec<Line>, Vec<String>> {
    let mut rows = rows(text).into_iter().filter(|(_, cells)| cells.iter().any(|cell| !cell.trim().is_empty()));
    let head = rows.next().map(|(_, head)| head).unwrap_or_default();
    let head: Vec<String> = head.iter().map(|name| name.trim().to_lowercase().replace([' ', '-'], "_")).collect();
    let column = |names: &[&str]| names.iter().find_map(|name| head.iter().position(|own| own == name));
    let (day, amount, model) = (column(&DAYS), column(&AMOUNTS), column(&MODELS));
    let (Some(day), Some(amount)) = (day, amount) else {
        let missing =
            |what: &str, names: &[&str]| format!("no column says the {what}; it is named one of {}", names.join(", "));
        let all = [(day, missing("day", &DAYS)), (amount, missing("amount", &AMOUNTS))];
        return Err(all.into_iter().filter(|(column, _)| column.is_none()).map(|(_, words)| words).collect());
    };
    let (mut sums, mut mistakes) = (BTreeMap::<(i64, String), i128>::new(), Vec::new());
    for (number, cells) in rows {
        let cell = |at: usize| cells.get(at).map(|cell| cell.trim()).unwrap_or_default();
        let name = model.map_or("", |at| cell(at).split(',').next().unwrap_or_default().trim());
        match (day_of(cell(day)), pico(cell(amount))) {
            (Some(day), Some(pico)) => *sums.entry((day, name.to_string())).or_default() += pico,
            (None, _) => mistakes.push(format!("line {number}: no day such as 2026-11-01")),
            (_, None) => mistakes.push(format!("line {number}: no amount in dollars such as 12.50")),
        }
    }
    if !mistakes.is_empty() {
        mistakes.truncate(MAX_MISTAKES);
        return Err(mistakes);
    }
    Ok(sums.into_iter().map(|((day, model), pico)| Line { day, model, pico }).collect())
}

/// Holds both against each other. A bill without models is held against the sum of each day.
pub fn compare(invoice: &[Line], ledger: Vec<Line>, tolerance_percent: u8) -> Vec<Compared> {
    let by_day = invoice.iter().all(|line| line.model.is_empty());
    let mut both: BTreeMap<(i64, String), (Option<i128>, Option<i128>)> = BTreeMap::new();
    for line in invoice {
        let known = both.entry((line.day, line.model.clone())).or_default();
        known.0 = Some(known.0.unwrap_or(0) + line.pico);
    }
    for line in ledger {
        let known = both.entry((line.day, if by_day { String::new() } else { line.model })).or_default();
        known.1 = Some(known.1.unwrap_or(0) + line.pico);
    }
    let compared = |((day, model), (invoice, ledger)): ((i64, String), (Option<i128>, Option<i128>))| {
        let verdict = verdict(invoice, ledger, tolerance_percent);
        Compared { day, model, invoice: invoice.unwrap_or(0), ledger: ledger.unwrap_or(0), verdict }
    };
    both.into_iter().map(compared).collect()
}

fn verdict(invoice: Option<i128>, ledger: Option<i128>, tolerance_percent: u8) -> Verdict {
    let (Some(invoice), Some(ledger)) = (invoice, ledger) else {
        let (said, only) = match invoice {
            Some(invoice) => (invoice, Verdict::OnlyInvoice),
            None => (ledger.unwrap_or(0), Verdict::OnlyLedger),
        };
        return if said.abs() <= CENT { Verdict::Same } else { only };
    };
    let most = invoice.abs().max(ledger.abs());
    let allowed = most * i128::from(tolerance_percent) / 100 + CENT;
    match invoice - ledger {
        difference if difference.abs() <= allowed => Verdict::Same,
        1.. => Verdict::InvoiceIsHigher,
        _ => Verdict::LedgerIsHigher,
    }
}

/// The day of `2026-11-01…`, or of seconds since 1970.
fn day_of(text: &str) -> Option<i64> {
    if let Some(seconds) = text.parse::<i64>().ok().filter(|seconds| *seconds >= DAY) {
        return Some(seconds.div_euclid(DAY));
    }
    let date: Date = text.get(..10)?.parse().ok()?;
    let moment: Timestamp = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
    Some(moment.as_second().div_euclid(DAY))
}

/// Pico-dollars of `$1,234.56`, `-0.0001` or `1e-05`.
fn pico(text: &str) -> Option<i128> {
    let text = text.replace(['$', ',', ' '], "");
    let (text, exponent) = match text.split_once(['e', 'E']) {
        Some((text, exponent)) => (text.to_string(), exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (sign, digits) = text.strip_prefix('-').map_or((1, text.as_str()), |digits| (-1, digits));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !plain(whole) || !plain(part) || whole.is_empty() && part.is_empty() || whole.len() > 9 || part.len() > 24 {
        return None;
    }
    let all: i128 = format!("{whole}{part}").parse().ok()?;
    // Twelve digits stand behind the point; what is beyond is less than anybody bills.
    let shift = exponent.checked_add(12 - i32::try_from(part.len()).ok()?)?;
    let power = 10_i128.checked_pow(shift.unsigned_abs())?;
    let pico = if shift >= 0 { all.checked_mul(power)? } else { all / power };
    (pico <= 1_000_000_000 * DOLLAR).then_some(sign * pico)
}

/// The rows of a CSV with the numbers of their lines; quotes as everybody writes them.
fn rows(text: &str) -> Vec<(usize, Vec<String>)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (mut rows, mut row, mut cell) = (Vec::new(), Vec::new(), String::new());
    let (mut quoted, mut line, mut began) = (false, 1, 1);
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '"' if quoted && characters.peek() == Some(&'"') => {
                cell.push('"');
                characters.next();
            }
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\n' if !quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push((began, std::mem::take(&mut row)));
                line += 1;
                began = line;
            }
            '\r' if !quoted => {}
            c => {
                line += usize::from(c == '\n');
                cell.push(c);
            }
        }
    }
    if !cell.is_empty() || !row.is_empty() {
        row.push(cell);
        rows.push((began, row));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    const BILL: &str = "\u{feff}Date,Line item,\"Amount\"\r\n2026-11-01T00:00:00+00:00,\"m, input\",\"$1,000.50\"\r\n\
                        2026-11-01,\"m, output\",0.5\r\n2026-11-02,n,1e-05\r\n\r\n";

    #[test]
    fn a_bill_is_read_by_the_names_of_its_columns() {
        let lines = read(BILL).unwrap();
        assert_eq!(
            lines,
            [
                Line { day: 20_758, model: "m".into(), pico: 1_001 * DOLLAR },
                Line { day: 20_759, model: "n".into(), pico: 10_000_000 },
            ]
        );
        let by_day = read("start_time,cost\n1793491200,2\n1793494800,-1\n").unwrap();
        assert_eq!(by_day, [Line { day: 20_758, model: String::new(), pico: DOLLAR }]);
    }

    #[test]
    fn whatever_is_wrong_with_a_bill_is_said_with_its_line() {
        assert_eq!(read("a,b\n1,2\n").unwrap_err().len(), 2);
        assert_eq!(read("").unwrap_err().len(), 2);
        let wrong = read("day,usd\nyesterday,1\n2026-11-01,much\n2026-11-01,1.2.3\n2026-13-01,1\n").unwrap_err();
        let lines: Vec<&str> = wrong.iter().filter_map(|words| words.split(':').next()).collect();
        assert_eq!(lines, ["line 2", "line 3", "line 4", "line 5"]);
        assert_eq!(read(&format!("day,usd\n{}", "x,y\n".repeat(99))).unwrap_err().len(), MAX_MISTAKES);
        for text in ["", ".", "-", "1e99", "1e2147483647", "1e-2147483648", "9999999999", "é"] {
            assert_eq!(pico(text), None, "{text}");
        }
    }

    #[test]
    fn both_sides_are_held_against_each_other() {
        let line = |day: i64, model: &str, cents: i128| Line { day, model: model.into(), pico: cents * CENT };
        let invoice = [line(1, "a", 1000), line(1, "b", 1000), line(2, "a", 1000), line(2, "c", 500)];
        let ledger = vec![line(1, "a", 991), line(1, "b", 900), line(2, "a", 1100), line(3, "d", 7), line(3, "e", 1)];
        let verdicts: Vec<Verdict> =
            compare(&invoice, ledger.clone(), 1).into_iter().map(|line| line.verdict).collect();
        use Verdict::*;
        assert_eq!(verdicts, [Same, InvoiceIsHigher, LedgerIsHigher, OnlyInvoice, OnlyLedger, Same]);
        let by_day = compare(&[line(1, "", 1891), line(3, "", 8)], ledger, 0);
        let said: Vec<(i64, Verdict)> = by_day.into_iter().map(|line| (line.day, line.verdict)).collect();
        assert_eq!(said, [(1, Same), (2, OnlyLedger), (3, Same)]);
    }
}
