//! The services of a provider: which dialects it speaks, where, and what it does with them besides answering.

use dragoman_core::catalog::{DialectId, Operation, Paths, Service};

use super::members::{Members, Placed, Reading};
use super::variable::mention;

/// Reads `services = [{ dialect = "…", prefix = "/v1", operations = [...], path = "…", stream_path = "…" }]`.
pub(super) fn services(
    reading: &mut Reading<'_>,
    row: &mut Members<'_>,
    mentions: &mut Vec<Placed<String>>,
) -> Option<Vec<Service>> {
    let at = row.at;
    let tables = row.tables(reading, "services", "a service")?;
    if tables.is_empty() {
        reading.mistake(at, "`services` is empty; leave it out for chat_completions, or name at least one dialect");
    }
    Some(tables.into_iter().filter_map(|table| service(reading, table, mentions)).collect())
}

fn service(reading: &mut Reading<'_>, mut table: Members<'_>, mentions: &mut Vec<Placed<String>>) -> Option<Service> {
    let place = table.at;
    let dialect = table.string(reading, "dialect");
    let prefix = table.string(reading, "prefix").map(|prefix| checked_prefix(reading, prefix, mentions));
    let operations = operations(reading, &mut table);
    let paths = paths(reading, &mut table, mentions);
    table.end(reading);
    match dialect.as_ref().map(|name| (name.at, DialectId::named(&name.value))) {
        Some((_, Some(dialect))) => Some(Service { dialect, prefix: prefix.unwrap_or_default(), operations, paths }),
        other => {
            let names: Vec<&str> = DialectId::ALL.iter().map(|id| id.name()).collect();
            let at = other.map_or(place, |(at, _)| at);
            reading.mistake(at, format!("a service needs a `dialect`, one of `{}`", names.join("`, `")));
            None
        }
    }
}

/// Without its closing slash; nothing where there is only the slash.
fn checked_prefix(reading: &mut Reading<'_>, prefix: Placed<String>, mentions: &mut Vec<Placed<String>>) -> String {
    let text = prefix.value.trim_end_matches('/');
    if !text.is_empty() && (!text.starts_with('/') || text.contains(['?', '#']) || !is_visible(text)) {
        reading.mistake(prefix.at, "a prefix begins with `/`, for instance \"/v1\"");
    }
    if mention(reading, &prefix, mentions) > 0 {
        reading
            .mistake(prefix.at, "a prefix is the same for every model; `{model}` stands in `path` and `stream_path`");
    }
    text.to_string()
}

/// Whether a text can stand in the first line of a request as it is.
fn is_visible(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_graphic())
}

/// What a service can be said to do: everything but what all do and what the gateway does itself.
fn sayable() -> impl Iterator<Item = &'static str> {
    let own = |operation: Operation| operation == Operation::Generate || operation.is_answered_here();
    Operation::names().filter(move |name| !Operation::named(name).is_some_and(own))
}

fn operations(reading: &mut Reading<'_>, table: &mut Members<'_>) -> Vec<Operation> {
    let mut operations = Vec::new();
    for name in table.strings(reading, "operations").unwrap_or_default() {
        let known = sayable().any(|known| known == name.value);
        match Operation::named(&name.value).filter(|_| known) {
            Some(operation) if operations.contains(&operation) => {}
            Some(operation) => operations.push(operation),
            None => {
                let names: Vec<&str> = sayable().collect();
                let known = names.join("`, `");
                reading.mistake(name.at, format!("an operation is one of `{known}`; every service generates answers"));
            }
        }
    }
    operations
}

fn paths(reading: &mut Reading<'_>, table: &mut Members<'_>, mentions: &mut Vec<Placed<String>>) -> Option<Paths> {
    let at = table.at;
    let whole = table.string(reading, "path");
    let streamed = table.string(reading, "stream_path");
    for path in [&whole, &streamed].into_iter().flatten() {
        if !path.value.starts_with('/') || path.value.contains('#') || !is_visible(&path.value) {
            reading.mistake(path.at, "a path begins with `/`, for instance \"/models/{model}:rawPredict\"");
        }
        if mention(reading, path, mentions) > 1 {
            reading.mistake(path.at, "a path names `{model}` once at most");
        }
    }
    match (whole, streamed) {
        (Some(whole), Some(streamed)) => Some(Paths { whole: whole.value, streamed: streamed.value }),
        (None, None) => None,
        _ => {
            reading.mistake(at, "a service has both a `path` and a `stream_path`, or neither; they may be the same");
            None
        }
    }
}
