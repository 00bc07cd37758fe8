//! A route's patience in the Snapshot's document; it stands among the route's own members.

use crate::json::{Json, Writer};
use crate::snapshot::{OnContentPolicy, Patience};

pub(super) fn write(row: &Patience, out: &mut Writer) {
    let Patience { on_content_policy, first_event_ms, between_events_ms } = row;
    if *on_content_policy != OnContentPolicy::default() {
        out.field("on_content_policy").string(on_content_policy.name());
    }
    for (name, time) in [("first_event_ms", first_event_ms), ("between_events_ms", between_events_ms)] {
        if let Some(time) = time {
            out.field(name).number(*time);
        }
    }
}

pub(super) fn read(row: Json<'_>) -> Option<Patience> {
    let time = |name: &str| match row.get(name) {
        Some(time) => Some(Some(time.u64()?)),
        None => Some(None),
    };
    let on_content_policy = match row.get("on_content_policy") {
        Some(word) => OnContentPolicy::named(&word.string()?)?,
        None => OnContentPolicy::default(),
    };
    Some(Patience {
        on_content_policy,
        first_event_ms: time("first_event_ms")?,
        between_events_ms: time("between_events_ms")?,
    })
}
