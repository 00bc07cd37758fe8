//! The table: what was found, what it was held against, whether it holds.

use std::fmt::Write as _;

use super::options::Scenario;

/// One row.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    what: String,
    value: String,
    bar: Bar,
}

/// What a figure is held against.
#[derive(Clone, Debug, PartialEq)]
enum Bar {
    /// Nothing: it is told.
    None,
    /// Something that it meets.
    Met(String),
    /// Something that it does not meet.
    Missed(String),
}

impl Figure {
    /// A figure without a bar.
    pub fn told(what: impl Into<String>, value: impl ToString) -> Self {
        Self { what: what.into(), value: value.to_string(), bar: Bar::None }
    }

    /// How much was done, of how much that was asked for.
    pub fn done(what: impl Into<String>, count: usize, asked: usize) -> Self {
        Self { what: what.into(), value: count.to_string(), bar: bar(count >= asked, format!("{asked}")) }
    }

    /// Something of which there may be none. The first few are shown.
    pub fn none<T: AsRef<str>>(what: impl Into<String>, found: &[T]) -> Self {
        const SHOWN: usize = 3;
        let shown: Vec<&str> = found.iter().take(SHOWN).map(AsRef::as_ref).collect();
        let value = match shown.is_empty() {
            true => "0".to_owned(),
            false => format!("{}: {}", found.len(), shown.join("; ").replace(['\n', '|'], " ")),
        };
        Self { what: what.into(), value, bar: bar(found.is_empty(), "0".to_owned()) }
    }

    /// A number that may be at most so much.
    pub fn at_most(what: impl Into<String>, value: f64, most: f64, unit: &str) -> Self {
        let number = |number: f64| format!("{number:.1} {unit}");
        Self { what: what.into(), value: number(value), bar: bar(value <= most, format!("at most {}", number(most))) }
    }

    /// A part of a whole that may be at most so many percent.
    pub fn part_at_most(what: impl Into<String>, part: usize, whole: usize, most: f64) -> Self {
        let percent = 100.0 * part as f64 / whole.max(1) as f64;
        let value = format!("{part} of {whole}, {percent:.3} %");
        Self { what: what.into(), value, bar: bar(percent <= most, format!("at most {most} %")) }
    }

    /// A number that must be at least so much.
    pub fn at_least(what: impl Into<String>, value: u64, least: u64, unit: &str) -> Self {
        let number = |number: u64| format!("{number} {unit}");
        Self {
            what: what.into(),
            value: number(value),
            bar: bar(value >= least, format!("at least {}", number(least))),
        }
    }
}

fn bar(met: bool, text: String) -> Bar {
    if met { Bar::Met(text) } else { Bar::Missed(text) }
}

/// Everything that was found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    rows: Vec<(Scenario, Figure)>,
}

impl Report {
    /// Adds what a scenario found.
    pub(super) fn add(&mut self, scenario: Scenario, figures: Vec<Figure>) {
        self.rows.extend(figures.into_iter().map(|figure| (scenario, figure)));
    }

    /// Whether every figure meets its bar.
    pub fn holds(&self) -> bool {
        !self.rows.iter().any(|(_, figure)| matches!(figure.bar, Bar::Missed(_)))
    }

    /// All of it, as a table.
    pub fn markdown(&self) -> String {
        let mut out = "| scenario | figure | value | bar | |\n|---|---|--:|--:|---|\n".to_owned();
        for (scenario, Figure { what, value, bar }) in &self.rows {
            let (bar, verdict) = match bar {
                Bar::None => ("", ""),
                Bar::Met(bar) => (bar.as_str(), "holds"),
                Bar::Missed(bar) => (bar.as_str(), "**does not hold**"),
            };
            // Writing to a String cannot fail.
            writeln!(out, "| {} | {what} | {value} | {bar} | {verdict} |", scenario.name()).ok();
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_missed_bar_is_enough() {
        let mut report = Report::default();
        report.add(Scenario::Reloads, vec![Figure::told("a", 1), Figure::at_most("b", 5.0, 5.0, "%")]);
        report.add(Scenario::Reloads, vec![Figure::none::<&str>("c", &[]), Figure::done("d", 3, 3)]);
        assert!(report.holds(), "{}", report.markdown());
        let missed = [
            Figure::at_most("b", 5.1, 5.0, "%"),
            Figure::at_least("b", 4, 5, "%"),
            Figure::none("c", &["x"]),
            Figure::done("d", 2, 3),
        ];
        for missed in missed {
            let mut report = report.clone();
            report.add(Scenario::Mutations, vec![missed]);
            assert!(!report.holds(), "{}", report.markdown());
            assert!(report.markdown().contains("**does not hold**"));
        }
    }
}
