//! Columns for people: aligned, one line a row, nothing of it for programs, which have `--json`.
//!
//! Limits: a character is one column wide; what is longer than [`MAX_CELL`] ends with an ellipsis, except names and what stands
//! in a table without a head: that one is about one thing, and there is no other place to read all of it.

/// Longest cell behind the first column: a row fits a wide terminal.
const MAX_CELL: usize = 72;

/// Rows below a head.
#[derive(Clone, Debug)]
pub struct Table {
    rows: Vec<Vec<String>>,
    /// Longest cell behind the first column.
    longest: usize,
}

impl Table {
    /// A table with that head; names of members are said as words.
    pub fn new<'h>(head: impl IntoIterator<Item = &'h str>) -> Table {
        let head = head.into_iter().map(|name| name.to_uppercase().replace('_', " ")).collect();
        Table { rows: vec![head], longest: MAX_CELL }
    }

    /// A table without a head: a name and a value on each line.
    pub fn headless() -> Table {
        Table { rows: Vec::new(), longest: usize::MAX }
    }

    /// Adds a row; its first cell is its name and stays whole.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let longest = self.longest;
        let cells = cells.into_iter().enumerate();
        let cells = cells.map(|(at, text)| if at == 0 { plain(&text) } else { short(&plain(&text), longest) });
        self.rows.push(cells.collect());
    }

    /// The lines.
    pub fn lines(&self) -> Vec<String> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let wide = |cell: Option<&String>| cell.map_or(0, |cell| cell.chars().count());
        let widths: Vec<usize> =
            (0..columns).map(|at| self.rows.iter().map(|row| wide(row.get(at))).max().unwrap_or(0)).collect();
        let line = |row: &Vec<String>| {
            let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            cells.join("  ").trim_end().to_string()
        };
        self.rows.iter().map(line).collect()
    }
}

/// Without what a terminal would obey: names come from elsewhere.
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn short(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        None => text.to_string(),
        Some(_) => text.chars().take(longest - 1).chain(['…']).collect(),
    }
}

/// A moment as people read it, in UTC: `2026-11-27 07:13`.
pub fn moment(ms: i64) -> String {
    let moment = jiff::Timestamp::from_millisecond(ms);
    moment.map_or_else(|_| "after 9999".to_string(), |moment| moment.strftime("%Y-%m-%d %H:%M").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(["name", "to", "why_not"]);
        table.row(["süß".into(), "a".into(), String::new()]);
        table.row(["longer".into(), "b/c".into(), "d".into()]);
        assert_eq!(table.lines(), ["NAME    TO   WHY NOT", "süß     a", "longer  b/c  d"]);
    }

    #[test]
    fn a_terminal_is_not_commanded_and_a_line_ends() {
        let mut whole = Table::headless();
        whole.row(["warning".into(), "v".repeat(90)]);
        assert_eq!(whole.lines(), [format!("warning  {}", "v".repeat(90))]);
        let mut table = Table::new(["name", "value"]);
        table.row(["n".repeat(90), format!("\u{1b}[2J{}\n", "v".repeat(90))]);
        let line = &table.lines()[1];
        assert!(line.starts_with(&"n".repeat(90)) && line.ends_with("v…"), "{line}");
        assert_eq!((line.chars().count(), line.contains('\u{1b}')), (90 + 2 + MAX_CELL, false));
    }

    #[test]
    fn moments_are_those_of_the_calendar() {
        for (ms, said) in [
            (0, "1970-01-01 00:00"),
            (951_782_400_000, "2000-02-29 00:00"),
            (1_709_251_199_999, "2024-02-29 23:59"),
            (1_795_763_580_000, "2026-11-27 07:13"),
            (4_107_542_400_000, "2100-03-01 00:00"),
            (-1, "1969-12-31 23:59"),
        ] {
            assert_eq!(moment(ms), said);
        }
        assert_eq!(moment(i64::MAX), "after 9999");
    }
}
