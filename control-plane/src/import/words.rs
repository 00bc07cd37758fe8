//! Writing TOML, one value in one line.

use toml::{Table, Value};

/// A string in quotes.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            // TOML allows no other control characters in a string either.
            c if c.is_control() => out.push_str(&format!("\\U{:08X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A value as it stands behind `=`.
pub(super) fn value(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Array(items) => list(items.iter().map(self::value)),
        Value::Table(members) => table(members),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => format!("{number:?}"),
        Value::Boolean(flag) => flag.to_string(),
        Value::Datetime(time) => time.to_string(),
    }
}

/// A list of values that are written already.
pub(super) fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(", "))
}

fn table(members: &Table) -> String {
    match members.is_empty() {
        true => "{}".into(),
        false => {
            let members = members.iter().map(|(name, inner)| format!("{} = {}", key(name), value(inner)));
            format!("{{ {} }}", members.collect::<Vec<_>>().join(", "))
        }
    }
}

/// A name as it stands before `=`.
pub(super) fn key(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    match !name.is_empty() && name.chars().all(bare) {
        true => name.to_string(),
        false => quoted(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_as_it_was() {
        let hard = "a \"b\" \\ \n\r\t\u{0}\u{7f}\u{85}é😀 # = ]";
        let text = format!("x = {{ \"a.b\" = [1, true, 1.5], \"\" = {}, plain-1 = {{}} }}", quoted(hard));
        let read: Table = toml::from_str(&text).unwrap();
        let again: Table = toml::from_str(&format!("x = {}", value(&read["x"]))).unwrap();
        assert_eq!(again, read);
        assert_eq!(read["x"][""].as_str(), Some(hard));
    }
}
