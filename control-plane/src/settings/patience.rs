//! How long a route's requests wait, and who else is asked when a target cannot answer, or will not.

use std::time::Duration;

use dragoman_core::snapshot::{Hedge, HedgeAfter, OnContentPolicy, Patience, Wait};

use super::members::{Members, Reading, duration};

/// Most requests of a route that wait in one worker: as many as it keeps waiting at all.
const MAX_QUEUE: u64 = 1_000;

/// Most of a hundred requests that are hedged: what asks everybody twice makes everybody slow.
const MAX_SHARE: u64 = 50;

/// Soonest that another one is asked, in milliseconds.
const MIN_AFTER_MS: u64 = 50;

/// Reads `first_event_timeout`, `between_events_timeout`, `wait`, `hedge` and `on_content_policy` of a route.
pub(super) fn patience(reading: &mut Reading<'_>, row: &mut Members<'_>) -> Patience {
    Patience {
        on_content_policy: on_content_policy(reading, row).unwrap_or_default(),
        first_event_ms: time(reading, row, "first_event_timeout"),
        between_events_ms: time(reading, row, "between_events_timeout"),
        wait: wait(reading, row),
        hedge: hedge(reading, row),
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

/// `hedge = { after = "p95", share = 5 }`.
fn hedge(reading: &mut Reading<'_>, row: &mut Members<'_>) -> Option<Hedge> {
    let mut members = row.table(reading, "hedge", "`hedge`")?;
    let after = members.string(reading, "after");
    let share = members.number(reading, "share", 1, MAX_SHARE).unwrap_or(Hedge::SHARE);
    let at = members.at;
    members.end(reading);
    let after = match after.as_ref().map(|after| after.value.as_str()) {
        None | Some("p95") => Some(HedgeAfter::Slowest),
        Some(time) => duration(time).map(millis).filter(|ms| *ms >= MIN_AFTER_MS).map(HedgeAfter::Time),
    };
    if after.is_none() {
        reading.mistake(at, "`hedge` says `after` which time another one is asked, 50ms or more, or \"p95\"");
    }
    after.map(|after| Hedge { after, share })
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
