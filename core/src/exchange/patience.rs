//! For how long a target may be silent.
//!
//! Nothing of an answer passes Envoy's router before its first event (the gate), and what has not passed is what Envoy's timeout of a
//! try ends: so that is the timeout of the first event. It is told by a header that goes no further. The silence after it is
//! watched by the worker.

use super::{Asked, HeadEdits};
use crate::catalog::Abilities;

/// The header by which Envoy is told how long a try may take until its answer begins.
pub(super) const FIRST_EVENT: &str = "x-envoy-upstream-rq-per-try-timeout-ms";

impl Asked {
    /// Longest wait for the first event of each attempt. Who thinks is silent meanwhile.
    pub(super) fn first_event_ms(&self) -> u64 {
        let silence = &self.snapshot.silence;
        let thinks = self.needs.abilities.cover(Abilities::THINKING)
            && self.plan.iter().any(|planned| planned.target.abilities.cover(Abilities::THINKING));
        let usual = if thinks { silence.thinking_ms } else { silence.first_event_ms };
        self.patience.first_event_ms.unwrap_or(usual)
    }

    /// Longest silence of an answer that has begun.
    pub fn between_events_ms(&self) -> u64 {
        self.patience.between_events_ms.unwrap_or(self.snapshot.silence.between_events_ms)
    }

    /// Tells Envoy.
    pub(super) fn bound_silence(&self, edits: &mut HeadEdits) {
        edits.set(FIRST_EVENT, &self.first_event_ms().to_string());
    }
}

#[cfg(test)]
mod tests {
    use crate::exchange::walk::tests::{ask_with, memory};
    use crate::exchange::{HeadEdits, Step};
    use crate::snapshot::{Patience, Silence, Snapshot};

    const PLAIN: &str = r#"{"model":"m","messages":[]}"#;
    const THOUGHTFUL: &str = r#"{"model":"m","messages":[],"reasoning_effort":"high"}"#;

    fn first_event(edits: &HeadEdits) -> &str {
        let found = edits.set.iter().find(|(name, _)| name == super::FIRST_EVENT.as_bytes());
        found.map_or("", |(_, value)| core::str::from_utf8(value).unwrap())
    }

    #[test]
    fn a_first_event_is_awaited_as_the_route_says_else_longer_where_thought_is_asked_for() {
        let silence = Silence { first_event_ms: 9_000, thinking_ms: 99_000, between_events_ms: 7_000 };
        let patience = Patience { first_event_ms: Some(5), between_events_ms: Some(6), ..Patience::default() };
        for (patience, body, first, between) in [
            (Patience::default(), PLAIN, "9000", 7_000),
            (Patience::default(), THOUGHTFUL, "99000", 7_000),
            (patience, PLAIN, "5", 6),
            (patience, THOUGHTFUL, "5", 6),
        ] {
            let mut memory = memory(2);
            let mut snapshot = memory.snapshot().map(|snapshot| Snapshot::clone(snapshot)).unwrap();
            (snapshot.silence, snapshot.routes[0].patience) = (silence, patience);
            memory.publish(snapshot);
            let (exchange, step) = ask_with(&mut memory, &[], body, 0);
            let Step::Send(edits) = step else { panic!("{step:?}") };
            assert_eq!(
                (first_event(&edits), exchange.asked().unwrap().between_events_ms()),
                (first, between),
                "{body}"
            );
        }
    }
}
