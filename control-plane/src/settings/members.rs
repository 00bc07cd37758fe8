//! Reading a TOML document member by member: nothing unknown passes, and no mistake hides another.
//!
//! Deriving the reading would stop at the first mistake; here each is noted with its place and reading goes on.

use std::collections::BTreeMap;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::mistake::{Mistake, Mistakes};

/// A value and the byte offset where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed<T> {
    /// Byte offset in the text.
    pub at: usize,
    /// The value.
    pub value: T,
}

/// A text being read, and what was found wrong with it so far.
pub struct Reading<'t> {
    text: &'t str,
    mistakes: Vec<Mistake>,
}

impl<'t> Reading<'t> {
    /// Begins; mistakes of syntax are noted already.
    pub fn begin(text: &'t str) -> (Reading<'t>, Spanned<DeTable<'t>>) {
        let (document, errors) = DeTable::parse_recoverable(text);
        let mut reading = Reading { text, mistakes: Vec::new() };
        for error in errors {
            reading.mistake(error.span().map_or(0, |span| span.start), error.message().to_string());
        }
        (reading, document)
    }

    /// Notes a mistake.
    pub fn mistake(&mut self, at: usize, message: impl Into<String>) {
        self.mistakes.push(Mistake::at(self.text, at, message));
    }

    /// Ends: the value if nothing was wrong.
    pub fn end<T>(mut self, file: &str, value: T) -> Result<T, Mistakes> {
        if self.mistakes.is_empty() {
            return Ok(value);
        }
        self.mistakes.sort_by_key(|mistake| (mistake.line, mistake.column));
        Err(Mistakes { file: file.to_string(), list: self.mistakes })
    }
}

/// The members of one table; each is taken once, and what is left at the end is unknown.
pub struct Members<'d> {
    /// Where the table stands.
    pub at: usize,
    what: &'static str,
    left: BTreeMap<&'d str, (usize, &'d Spanned<DeValue<'d>>)>,
    asked: Vec<&'static str>,
}

impl<'d> Members<'d> {
    /// The members of `table`, which is called `what` in messages.
    pub fn of(what: &'static str, at: usize, table: &'d DeTable<'d>) -> Members<'d> {
        let left = table.iter().map(|(key, value)| (key.get_ref().as_ref(), (key.span().start, value))).collect();
        Members { at, what, left, asked: Vec::new() }
    }

    /// Whether the member is there and was not taken yet.
    pub fn has(&self, name: &str) -> bool {
        self.left.contains_key(name)
    }

    /// Whether the member is a string that was not taken yet.
    pub fn is_string(&self, name: &str) -> bool {
        self.left.get(name).is_some_and(|(_, value)| value.get_ref().as_str().is_some())
    }

    /// The text of a member that was not taken yet.
    pub fn peek(&self, name: &str) -> Option<&str> {
        self.left.get(name).and_then(|(_, value)| value.get_ref().as_str())
    }

    /// The member as it stands.
    pub fn value(&mut self, name: &'static str) -> Option<&'d Spanned<DeValue<'d>>> {
        self.asked.push(name);
        self.left.remove(name).map(|(_, value)| value)
    }

    fn typed<T>(
        &mut self,
        reading: &mut Reading<'_>,
        name: &'static str,
        wanted: &str,
        convert: impl FnOnce(&'d DeValue<'d>) -> Option<T>,
    ) -> Option<Placed<T>> {
        let value = self.value(name)?;
        let at = value.span().start;
        match convert(value.get_ref()) {
            Some(value) => Some(Placed { at, value }),
            None => {
                reading.mistake(at, format!("`{name}` must be {wanted}, not {}", described(value.get_ref())));
                None
            }
        }
    }

    /// A string.
    pub fn string(&mut self, reading: &mut Reading<'_>, name: &'static str) -> Option<Placed<String>> {
        self.typed(reading, name, "a string", |value| value.as_str().map(str::to_string))
    }

    /// `true` or `false`.
    pub fn flag(&mut self, reading: &mut Reading<'_>, name: &'static str) -> Option<Placed<bool>> {
        self.typed(reading, name, "true or false", DeValue::as_bool)
    }

    /// A whole number from `least` to `most`.
    pub fn number(&mut self, reading: &mut Reading<'_>, name: &'static str, least: u64, most: u64) -> Option<u64> {
        let wanted = format!("a whole number from {least} to {most}");
        self.typed(reading, name, &wanted, |value| whole(value, least, most)).map(|placed| placed.value)
    }

    /// A list of whole numbers from `least` to `most`.
    pub fn whole_numbers(
        &mut self,
        reading: &mut Reading<'_>,
        name: &'static str,
        least: u64,
        most: u64,
    ) -> Option<Vec<u64>> {
        let wanted = format!("a list of whole numbers from {least} to {most}");
        let all =
            |value: &DeValue<'_>| value.as_array()?.iter().map(|item| whole(item.get_ref(), least, most)).collect();
        self.typed(reading, name, &wanted, all).map(|placed| placed.value)
    }

    /// A time such as `"250ms"`, `"2s"`, `"10m"`.
    pub fn duration(&mut self, reading: &mut Reading<'_>, name: &'static str) -> Option<Duration> {
        let wanted = "a time from 1 ms to 24 hours such as \"250ms\", \"2s\" or \"10m\"";
        self.typed(reading, name, wanted, |value| value.as_str().and_then(duration)).map(|placed| placed.value)
    }

    /// A list of strings.
    pub fn strings(&mut self, reading: &mut Reading<'_>, name: &'static str) -> Option<Vec<Placed<String>>> {
        let text = |item: &Spanned<DeValue<'_>>| {
            item.get_ref().as_str().map(|text| Placed { at: item.span().start, value: text.to_string() })
        };
        self.typed(reading, name, "a list of strings", |value| value.as_array()?.iter().map(text).collect())
            .map(|placed| placed.value)
    }

    /// A string, or a list of strings.
    pub fn one_or_more(&mut self, reading: &mut Reading<'_>, name: &'static str) -> Option<Vec<String>> {
        let text = |item: &Spanned<DeValue<'_>>| item.get_ref().as_str().map(str::to_string);
        let convert = |value: &DeValue<'_>| match value.as_str() {
            Some(one) => Some(vec![one.to_string()]),
            None => value.as_array()?.iter().map(text).collect(),
        };
        self.typed(reading, name, "a string or a list of strings", convert).map(|placed| placed.value)
    }

    /// A table whose values are all strings, in the order of its keys.
    pub fn pairs(&mut self, reading: &mut Reading<'_>, name: &'static str) -> Option<Vec<(Placed<String>, String)>> {
        let pair = |(key, value): (&Spanned<std::borrow::Cow<'_, str>>, &Spanned<DeValue<'_>>)| {
            let key = Placed { at: key.span().start, value: key.get_ref().to_string() };
            value.get_ref().as_str().map(|text| (key, text.to_string()))
        };
        self.typed(reading, name, "a table of strings", |value| value.as_table()?.iter().map(pair).collect())
            .map(|placed| placed.value)
    }

    /// A table whose values are all whole numbers from `least` to `most`, in the order of its keys.
    pub fn numbers(
        &mut self,
        reading: &mut Reading<'_>,
        name: &'static str,
        least: u64,
        most: u64,
    ) -> Option<Vec<(Placed<String>, u64)>> {
        let wanted = format!("a table of whole numbers from {least} to {most}");
        let pair = |(key, value): (&Spanned<std::borrow::Cow<'_, str>>, &Spanned<DeValue<'_>>)| {
            let key = Placed { at: key.span().start, value: key.get_ref().to_string() };
            whole(value.get_ref(), least, most).map(|number| (key, number))
        };
        self.typed(reading, name, &wanted, |value| value.as_table()?.iter().map(pair).collect())
            .map(|placed| placed.value)
    }

    /// A table, called `what`.
    pub fn table(&mut self, reading: &mut Reading<'_>, name: &'static str, what: &'static str) -> Option<Members<'d>> {
        let table = self.typed(reading, name, "a table", DeValue::as_table)?;
        Some(Members::of(what, table.at, table.value))
    }

    /// A list of tables, each called `what`.
    pub fn tables(
        &mut self,
        reading: &mut Reading<'_>,
        name: &'static str,
        what: &'static str,
    ) -> Option<Vec<Members<'d>>> {
        let table = |item: &'d Spanned<DeValue<'d>>| {
            item.get_ref().as_table().map(|table| Members::of(what, item.span().start, table))
        };
        self.typed(reading, name, "a list of tables", |value| value.as_array()?.iter().map(table).collect())
            .map(|placed| placed.value)
    }

    /// Notes every member that nobody asked for.
    pub fn end(self, reading: &mut Reading<'_>) {
        for (name, (at, _)) in &self.left {
            let known = self.asked.join("`, `");
            reading.mistake(*at, format!("{} has no member `{name}`; it knows `{known}`", self.what));
        }
    }
}

fn described(value: &DeValue<'_>) -> String {
    match value {
        DeValue::Integer(number) => number.to_string(),
        // Never the text itself: it might be a secret in the wrong place.
        DeValue::String(_) => "this string".to_string(),
        other => format!("a value of type {}", other.type_str()),
    }
}

fn whole(value: &DeValue<'_>, least: u64, most: u64) -> Option<u64> {
    let integer = value.as_integer()?;
    u64::from_str_radix(integer.as_str(), integer.radix()).ok().filter(|n| (least..=most).contains(n))
}

pub(super) fn duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text.get(..digits)?.parse().ok()?;
    let scale = match text.get(digits..)? {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    let millis = number.checked_mul(scale).filter(|millis| (1..=86_400_000).contains(millis))?;
    Some(Duration::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit() {
        assert_eq!(duration("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(duration("10m"), Some(Duration::from_secs(600)));
        for wrong in ["", "5", "s", "-1s", "5 s", "0s", "99h", "1d"] {
            assert_eq!(duration(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn every_mistake_of_syntax_and_meaning_is_reported() {
        let text = "a = 1\nb = \nc = \"x\"\nd = [1, \n";
        let (mut reading, document) = Reading::begin(text);
        let mut members = Members::of("the file", 0, document.get_ref());
        assert_eq!(members.string(&mut reading, "a"), None);
        members.end(&mut reading);
        let mistakes = reading.end("f", ()).unwrap_err();
        let lines: Vec<usize> = mistakes.list.iter().map(|mistake| mistake.line).collect();
        assert!(lines.contains(&1) && lines.contains(&2) && lines.contains(&3), "{mistakes}");
    }
}
