//! `set = { … }`: request members that a provider wants, as JSON.

use serde_json::{Map, Number, Value};
use toml::de::DeValue;

use super::members::{Members, Reading};

/// Reads `set = { name = any value }`: (name, JSON text), in the order of the names.
pub(super) fn set(reading: &mut Reading<'_>, row: &mut Members<'_>) -> Option<Vec<(String, String)>> {
    let value = row.value("set")?;
    let Some(table) = value.get_ref().as_table() else {
        reading.mistake(value.span().start, "`set` must be a table of request members, for instance { store = false }");
        return None;
    };
    let mut members = Vec::new();
    for (name, value) in table {
        match json(value.get_ref()) {
            Some(json) => members.push((name.get_ref().to_string(), json.to_string())),
            None => reading.mistake(value.span().start, "a member of a request is no date and no infinite number"),
        }
        if name.get_ref().is_empty() {
            reading.mistake(name.span().start, "a member of a request has a name");
        }
    }
    Some(members)
}

/// A value as JSON; `None` when there is a date or an infinite number in it.
pub(super) fn json(value: &DeValue<'_>) -> Option<Value> {
    match value {
        DeValue::String(text) => Some(Value::from(text.as_ref())),
        DeValue::Boolean(flag) => Some(Value::from(*flag)),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok().map(Value::from),
        DeValue::Float(number) => number.as_str().parse().ok().and_then(Number::from_f64).map(Value::Number),
        DeValue::Array(items) => items.iter().map(|item| json(item.get_ref())).collect(),
        DeValue::Table(table) => {
            let member = |(name, value): (&toml::Spanned<std::borrow::Cow<'_, str>>, &toml::Spanned<DeValue<'_>>)| {
                Some((name.get_ref().to_string(), json(value.get_ref())?))
            };
            table.iter().map(member).collect::<Option<Map<String, Value>>>().map(Value::Object)
        }
        DeValue::Datetime(_) => None,
    }
}
