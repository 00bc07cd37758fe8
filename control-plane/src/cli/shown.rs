//! How a command prints: tables for people, JSON for programs.

use clap::Args;
use serde_json::Value;

use super::client::Api;
use super::print;
use super::table::{Table, moment, plain};

/// For whom it is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// Tables and sentences.
    People,
    /// JSON as the admin API has it; of a list one item a line.
    Programs,
}

/// What the command line says of it.
#[derive(Args, Clone, Copy, Debug)]
pub struct Shown {
    /// For programs: JSON as the admin API has it; of a list one item a line.
    #[arg(long)]
    json: bool,
}

/// Where the API is, and how its answer is printed.
#[derive(Args, Debug)]
pub struct At {
    #[command(flatten)]
    pub(super) api: Api,
    #[command(flatten)]
    pub(super) shown: Shown,
}

impl Shown {
    /// Who reads it.
    pub fn reader(self) -> Reader {
        if self.json { Reader::Programs } else { Reader::People }
    }

    /// Prints a list.
    pub fn list(self, items: &[Value], table: impl FnOnce(&[Value]) -> Table) -> anyhow::Result<()> {
        match self.reader() {
            Reader::Programs => items.iter().try_for_each(|item| print(&item.to_string())),
            Reader::People => lines(&table(items)),
        }
    }

    /// Prints one thing; people read what `told` makes of it.
    pub fn one(self, item: &Value, told: impl FnOnce(&Value) -> anyhow::Result<()>) -> anyhow::Result<()> {
        match self.reader() {
            Reader::Programs => print(&item.to_string()),
            Reader::People => told(item),
        }
    }
}

/// Prints a table.
pub fn lines(table: &Table) -> anyhow::Result<()> {
    table.lines().iter().try_for_each(|line| print(line))
}

/// A value as a cell: a text as it is, a list of texts by commas, everything else as JSON.
pub fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => plain(text),
        Value::Array(items) if items.iter().all(Value::is_string) => {
            items.iter().map(cell).collect::<Vec<_>>().join(", ")
        }
        other => plain(&other.to_string()),
    }
}

/// Milliseconds since 1970 as a cell; empty when there are none.
pub fn when(value: &Value) -> String {
    value.as_i64().map(moment).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn cells_are_short_where_that_says_the_same() {
        let shown = |value: Value| cell(&value);
        assert_eq!(shown(json!(["a/b", "c"])), "a/b, c");
        assert_eq!(shown(json!({ "env": ["A"] })), r#"{"env":["A"]}"#);
        assert_eq!(
            (shown(json!(null)), shown(json!("x\u{7}")), shown(json!(7))),
            (String::new(), "x ".into(), "7".into())
        );
        assert_eq!((when(&json!(0)), when(&json!(null))), ("1970-01-01 00:00".into(), String::new()));
    }
}
