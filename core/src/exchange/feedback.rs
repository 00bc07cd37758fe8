//! What a caller says of an exchange with its own key: told to the control plane, and answered here once that has kept it.
//!
//! ```text
//! body ─▶ read ─▶ Ask(Feedback) ─┬─ kept ──────────────▶ 200
//!           │ malformed          ├─ no such exchange ──▶ 404
//!           ▼                    └─ nobody answers ────▶ 503
//!          400
//! ```

use super::reply::LocalReply;
use super::{Exchange, Phase, Question, Step};
use crate::admission::Grant;
use crate::feedback::Opinion;
use crate::refusal::Refusal;

/// Where it is said.
pub(super) const PATH: &str = "/v1/feedback";

/// What is said of another exchange, on its way to the control plane.
#[derive(Debug)]
pub(super) struct Telling {
    /// The exchange that it is about.
    of: String,
    /// What the control plane made of it, once it has answered: what it has kept, or nothing where there is no such exchange.
    kept: Option<Vec<u8>>,
}

impl Exchange {
    /// Reads what its caller says, and has it told.
    pub(super) fn tell(&mut self, opinion: Vec<u8>, grant: &Grant) -> Result<Step, Refusal> {
        let of = Opinion::read(&opinion)?.exchange;
        self.phase = Phase::Telling(Telling { of, kept: None });
        let (exchange, caller, account) = (self.id.clone(), grant.caller.clone(), grant.account.clone());
        Ok(Step::Ask(vec![Question::Feedback { exchange, caller, account, opinion }]))
    }

    /// Takes what the control plane has kept of it; nothing when the caller has no such exchange.
    pub fn is_kept(&mut self, document: Vec<u8>) {
        if let Phase::Telling(telling) = &mut self.phase {
            telling.kept = Some(document);
        }
    }

    /// Answers with what was kept, once that is known.
    pub(super) fn acknowledge(&mut self) -> Result<Step, Refusal> {
        let Phase::Telling(Telling { of, kept }) = &mut self.phase else { return Ok(Step::Wait) };
        let Some(document) = kept.take() else { return Ok(Step::Wait) };
        if document.is_empty() {
            return Err(Refusal::UnknownExchange(core::mem::take(of)));
        }
        self.phase = Phase::Answered;
        self.record.status = 200;
        Ok(Step::Reply(LocalReply::json(200, document, &self.id)))
    }
}

#[cfg(test)]
mod tests;
