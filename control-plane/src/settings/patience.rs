//! How long a route's requests wait, and who else is asked when a target cannot answer, or will not.

use std::time::Duration;

use dragoman_core::snapshot::{OnContentPolicy, Patience, Wait};

use super::members::{Members, Reading};

/// Most requests of a route that wait in one worker: as many as it keeps waiting at all.
const MAX_QUEUE: u64 = 1_000;

/// Reads `first_event_timeout`, `between_events_timeout`, `wait` and `on_content_policy` of a route.
pub(super) fn patience(reading: &mut Reading<'_>, row: &mut Members<'_>) -> Patience {
    Patience {
        on_content_policy: on_content_policy(reading, row).unwrap_or_default(),
        first_event_ms: time(reading, row, "first_event_timeout"),
        between_events_ms: time(reading, row, "between_events_timeout"),
        wait: wait(reading, row),
    }
}

/// `wait = { at_most = "10s", queue = 100 }`.
fn wait(reading: &mut Reading<'_>, row: &mut Members<'_>) -> Option<Wait> {
    let mut members = row.table(reading, "wait", "`wait`")?;
    let at = members.at;
    let at_most_ms = time(reading, &mut members, "at_most");
    let queue = members.number(reading, "queue", 1, MAX_QUEUE).unwrap_or(Wait::QUEUE);
    members.end(reading);
    if at_most_ms.is_none() {
        reading.mistake(at, "`wait` says how long `at_most`, for instance { at_most = \"10s\" }");
    }
    at_most_ms.map(|at_most_ms| Wait { at_most_ms, queue })
}

fn on_content_policy(reading: &mut Reading<'_>, row: &mut Members<'_>) -> Option<OnContentPolicy> {
    let text = row.string(reading, "on_content_policy")?;
    let way = OnContentPolicy::named(&text.value);
    if way.is_none() {
        reading.mistake(text.at, "`on_content_policy` is \"refuse\" (tell the caller) or \"fallback\" (ask the next)");
    }
    way
}

/// A time in milliseconds.
fn time(reading: &mut Reading<'_>, row: &mut Members<'_>, name: &'static str) -> Option<u64> {
    row.duration(reading, name).map(millis)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
