//! Patience in the Snapshot's document: a route's stands among its own members, what holds for all others in `silence`.

use crate::json::{Json, Writer};
use crate::snapshot::{Hedge, HedgeAfter, OnContentPolicy, Patience, Silence, Wait};

pub(super) fn write(row: &Patience, out: &mut Writer) {
    let Patience { on_content_policy, first_event_ms, between_events_ms, wait, hedge } = row;
    if *on_content_policy != OnContentPolicy::default() {
        out.field("on_content_policy").string(on_content_policy.name());
    }
    for (name, time) in [("first_event_ms", first_event_ms), ("between_events_ms", between_events_ms)] {
        if let Some(time) = time {
            out.field(name).number(*time);
        }
    }
    if let Some(Wait { at_most_ms, queue }) = wait {
        out.field("wait").object(|out| {
            out.field("at_most_ms").number(*at_most_ms);
            out.field("queue").number(*queue);
        });
    }
    if let Some(Hedge { after, share }) = hedge {
        out.field("hedge").object(|out| {
            if let HedgeAfter::Time(ms) = after {
                out.field("after_ms").number(*ms);
            }
            out.field("share").number(*share);
        });
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
    let wait = match row.get("wait") {
        Some(wait) => Some(Wait { at_most_ms: wait.get("at_most_ms")?.u64()?, queue: wait.get("queue")?.u64()? }),
        None => None,
    };
    let hedge = match row.get("hedge") {
        Some(hedge) => {
            let after = match hedge.get("after_ms") {
                Some(ms) => HedgeAfter::Time(ms.u64()?),
                None => HedgeAfter::Slowest,
            };
            Some(Hedge { after, share: hedge.get("share")?.u64()? })
        }
        None => None,
    };
    Some(Patience {
        wait,
        hedge,
        on_content_policy,
        first_event_ms: time("first_event_ms")?,
        between_events_ms: time("between_events_ms")?,
    })
}

pub(super) fn write_silence(silence: &Silence, out: &mut Writer) {
    out.object(|out| {
        out.field("first_event_ms").number(silence.first_event_ms);
        out.field("thinking_ms").number(silence.thinking_ms);
        out.field("between_events_ms").number(silence.between_events_ms);
    });
}

/// What it does not say is as usual.
pub(super) fn read_silence(json: Json<'_>) -> Silence {
    let Silence { first_event_ms, thinking_ms, between_events_ms } = Silence::USUAL;
    let time = |name: &str, usual: u64| json.get(name).and_then(Json::u64).filter(|time| *time > 0).unwrap_or(usual);
    Silence {
        first_event_ms: time("first_event_ms", first_event_ms),
        thinking_ms: time("thinking_ms", thinking_ms),
        between_events_ms: time("between_events_ms", between_events_ms),
    }
}
