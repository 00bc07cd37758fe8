//! While attempts run: who answers, what became of the others, and what the client is told in the answer's head.

use super::{Exchange, FinalHead, HeadEdits, Phase, REQUEST_ID};
use crate::attempt::left_unheard;
use crate::loss::Losses;
use crate::memory::{CoolDown, Memory};
use crate::record::{Ending, Outcome};
use crate::refusal::{Refusal, Unanswered};
use crate::snapshot::Loss;

/// Response header that lists what could not be said to the target.
const DROPPED: &str = "x-dragoman-dropped";
/// Response header that lists what was said to the target with a near meaning.
const APPROXIMATED: &str = "x-dragoman-approximated";

impl Exchange {
    /// The limit that the caller's own token met in the last attempt.
    pub fn cool_down(&self) -> Option<CoolDown> {
        let outcome = self.record.outcomes.last().filter(|outcome| outcome.cool_until_ms > 0)?;
        let (provider, bearer) = (outcome.target.split('/').next()?.to_string(), self.record.bearer.clone());
        Some(CoolDown { provider, bearer, until_ms: outcome.cool_until_ms })
    }

    /// An attempt begins.
    pub fn attempt_began(&mut self) {
        self.running += 1;
    }

    /// An attempt's credential was rejected, and the next attempt asks the same target with another one.
    pub fn attempt_rejected(&mut self) {
        self.rejected = true;
    }

    /// Whether attempt `number` may begin: beyond the Plan's end only where a credential was rejected. Envoy would also go there
    /// from a connection that broke.
    pub fn may_begin(&self, number: usize) -> bool {
        let Phase::Sent(asked) = &self.phase else { return false };
        number <= asked.plan.len() || self.rejected
    }

    /// An attempt passes its answer on: what the client sees from now on is that attempt's.
    pub fn attempt_answers(&mut self, number: usize, losses: &Losses) {
        self.answering = number;
        self.record.losses = losses.clone();
    }

    /// An attempt's answer has no body, and this should be one.
    pub fn attempt_says(&mut self, body: Vec<u8>) {
        self.unsaid = Some(body);
    }

    /// An attempt is over. One that is taken away while the client still listens was broken by its provider; one that is taken
    /// away after the client has gone was abandoned.
    pub fn attempt_ended(&mut self, mut outcome: Outcome) {
        outcome.ending = match (outcome.ending, self.closed) {
            (Ending::Abandoned, false) => Ending::Broken,
            (Ending::Silent, true) => Ending::Abandoned,
            (other, _) => other,
        };
        if outcome.ending == Ending::Abandoned
            && let Phase::Sent(asked) = &self.phase
        {
            left_unheard(asked, &mut outcome);
        }
        self.price(&mut outcome);
        self.running = self.running.saturating_sub(1);
        self.record.outcomes.push(outcome);
    }

    /// Looks at the head that Envoy is about to send to the client, which may be Envoy's own.
    pub fn response_head(&mut self, status: u16, retry_marked: bool, memory: &Memory) -> FinalHead {
        let Phase::Sent(asked) = &self.phase else { return self.before_the_answer(status) };
        if self.answering > 0 && !retry_marked {
            self.record.status = status;
            let mut edits = HeadEdits::default();
            let dialect = asked.endpoint.dialect;
            if let Some(planned) = asked.planned(self.answering).filter(|_| !asked.rules.masks(dialect)) {
                edits.set("x-dragoman-target", &planned.target.id);
            }
            for (name, value) in asked.rules.response_headers(dialect) {
                edits.set(&name, &value);
            }
            edits.set("x-dragoman-attempts", &self.answering.to_string());
            edits.set(REQUEST_ID, &self.id);
            self.tell_budgets(memory, &mut edits);
            if asked.loss != Loss::Silent {
                for (name, list) in
                    [(DROPPED, &self.record.losses.dropped), (APPROXIMATED, &self.record.losses.approximated)]
                {
                    if !list.is_empty() {
                        edits.set(name, &list.join(", "));
                    }
                }
            }
            return match self.unsaid.take() {
                Some(body) => FinalHead::Replace(edits, body),
                None => FinalHead::Pass(edits),
            };
        }
        let silent = if status == 504 { Unanswered::Silent } else { Unanswered::Unreachable };
        self.replace(Refusal::NoAnswer(silent))
    }
}
