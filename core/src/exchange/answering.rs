//! While attempts run: who answers, what became of the others, and what the client is told in the answer's head.

use super::{Exchange, FinalHead, HeadEdits, Opening, Phase, REQUEST_ID};
use crate::attempt::{SURELY_SENT_MS, left_unheard};
use crate::failure::Failure;
use crate::loss::Losses;
use crate::memory::{CoolDown, Memory};
use crate::record::{Ending, Outcome};
use crate::refusal::{Refusal, Unanswered};
use crate::select::balance::hash;
use crate::snapshot::Loss;

/// Response header that lists what could not be said to the target.
const DROPPED: &str = "x-dragoman-dropped";
/// Response header that says how hard the request was thought to be, where its model was chosen by that.
const BUCKET: &str = "x-dragoman-bucket";
/// Response header that says of which arm of which experiment the request was.
const EXPERIMENT: &str = "x-dragoman-experiment";
/// Response header that lists what was said to the target with a near meaning.
const APPROXIMATED: &str = "x-dragoman-approximated";

impl Exchange {
    /// The limit that the caller's own token met in the last attempt.
    pub fn cool_down(&self) -> Option<CoolDown> {
        let outcome = self.record.outcomes.last().filter(|outcome| outcome.cool_until_ms > 0)?;
        let (provider, bearer) = (outcome.target.split('/').next()?.to_string(), self.record.bearer.clone());
        Some(CoolDown { provider, bearer, until_ms: outcome.cool_until_ms })
    }

    /// An attempt begins; its number is counted from 1.
    pub fn attempt_began(&mut self, number: usize, memory: &mut Memory) {
        self.running += 1;
        if let Phase::Sent(asked) = &self.phase
            && let Some(planned) = self.walk.place(number).and_then(|place| asked.plan.get(place))
        {
            memory.pulses.began(&planned.target.id);
        }
    }

    /// An attempt's credential was rejected; the next attempt at the same target is made with another one.
    pub fn attempt_rejected(&mut self, number: usize) {
        self.rejected.push(number);
    }

    /// An attempt passes its answer on: what the client sees from now on is that attempt's. False when another one was quicker.
    pub fn attempt_answers(&mut self, number: usize, losses: &Losses) -> bool {
        let is_late = self.hedging.is_some() && self.answering > 0 && self.answering != number;
        if !is_late {
            self.answering = number;
            self.record.losses = losses.clone();
        }
        !is_late
    }

    /// An attempt's answer has no body, and this should be one.
    pub fn attempt_says(&mut self, body: Vec<u8>) {
        self.unsaid = Some(body);
    }

    /// An attempt is over. One that is taken away while the client still listens was broken by its provider; one that is taken
    /// away after the client has gone was abandoned.
    pub fn attempt_ended(&mut self, number: usize, mut outcome: Outcome, memory: &mut Memory, now_ms: u64) {
        self.note_hedge(number, &mut outcome, memory);
        outcome.ending = match (outcome.ending, self.closed) {
            (Ending::Abandoned, false) => Ending::Broken,
            // It was given up for its silence.
            (Ending::Abandoned, true) if outcome.failure.is_some() => Ending::Broken,
            (Ending::Silent, true) => Ending::Abandoned,
            (other, _) => other,
        };
        if matches!(outcome.ending, Ending::Abandoned | Ending::Outrun)
            && let Phase::Sent(asked) = &self.phase
        {
            left_unheard(asked, &mut outcome);
        }
        outcome.failure = match outcome.ending {
            Ending::Answered | Ending::Abandoned | Ending::Outrun => None,
            Ending::Silent if outcome.total_ms >= SURELY_SENT_MS => Some(Failure::Timeout),
            Ending::Silent => Some(Failure::Unreachable),
            Ending::Broken => outcome.failure.or(Some(Failure::Faulty)),
            Ending::Retriable | Ending::Refused => outcome.failure,
        };
        self.price(&mut outcome);
        if memory.health.met(&outcome, &self.record.account, hash(&self.id), now_ms) {
            memory.pulses.came_back(&outcome.target, now_ms);
        }
        memory.pulses.ended(&outcome, now_ms);
        if outcome.ending == Ending::Answered
            && let Phase::Sent(asked) = &self.phase
            && let Some(conversation) = asked.conversation
        {
            memory.warm.met(conversation, hash(&outcome.target), now_ms);
        }
        if let Some(left) = outcome.quota_left.filter(|_| self.is_gateways(&outcome.target)) {
            memory.pulses.has_left(&outcome.target, left, now_ms);
        }
        self.running = self.running.saturating_sub(1);
        if self.is_shadow() {
            self.record.status = outcome.status;
            self.closed = true;
        }
        // Who answered stands last, whoever is gone first.
        let was_answered = outcome.ending == Ending::Outrun && self.is_answered;
        let place = self.record.outcomes.len() - usize::from(was_answered && !self.record.outcomes.is_empty());
        self.record.outcomes.insert(place, outcome);
        self.is_answered |= self.answering == number;
    }

    /// Whether that target is asked with what is the gateway's: an account's own quota is nobody else's.
    fn is_gateways(&self, target: &str) -> bool {
        let Phase::Sent(asked) = &self.phase else { return false };
        let planned = asked.plan.iter().find(|planned| planned.target.id == target);
        planned.is_some_and(|planned| match &planned.opening {
            Opening::Free => true,
            Opening::With(which) => which.account.is_empty(),
            Opening::Brought | Opening::Cooling(_) | Opening::Closed => false,
        })
    }

    /// Looks at the head that Envoy is about to send to the client, which may be Envoy's own.
    pub fn response_head(&mut self, status: u16, retry_marked: bool, memory: &Memory) -> FinalHead {
        let Phase::Sent(asked) = &self.phase else { return self.before_the_answer(status) };
        if self.answering > 0 && !retry_marked {
            self.record.status = status;
            let mut edits = HeadEdits::default();
            let dialect = asked.endpoint.dialect;
            let place = self.walk.place(self.answering);
            if let Some(planned) = place.and_then(|place| asked.plan.get(place)).filter(|_| !asked.rules.masks(dialect))
            {
                edits.set("x-dragoman-target", &planned.target.id);
            }
            for (name, value) in asked.rules.response_headers(dialect) {
                edits.set(&name, &value);
            }
            if !self.record.arm.is_empty() {
                edits.set(EXPERIMENT, &self.record.arm);
            }
            if let Some(chosen) = &self.record.chosen {
                edits.set(BUCKET, chosen.bucket.name());
                edits.set("x-dragoman-route", &self.record.route);
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
