//! How long a route's requests wait, and who else is asked when a target cannot answer, or will not.

use std::time::Duration;

use dragoman_core::snapshot::{OnContentPolicy, Patience};

use super::members::{Members, Reading};

/// Reads `first_event_timeout`, `between_events_timeout` and `on_content_policy` of a route.
pub(super) fn patience(reading: &mut Reading<'_>, row: &mut Members<'_>) -> Patience {
    Patience {
        on_content_policy: on_content_policy(reading, row).unwrap_or_default(),
        first_event_ms: time(reading, row, "first_event_timeout"),
        between_events_ms: time(reading, row, "between_events_timeout"),
    }
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
