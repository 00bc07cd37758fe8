//! Shadow traffic: some of a route's requests also go to another model, for an answer that nobody sees.
//!
//! ```text
//!                                ┌─▶ whom the Plan names ─▶ the client
//!  Exchange ─ Send ─▶ Envoy ─────┤
//!       └─ its shadow ─ ─ ─ ─ ─ ─└─▶ mirrored ─▶ Attempt ─▶ read to its end, thrown away ─▶ Record
//! ```
//!
//! Envoy mirrors the request right after it has sent it, and nobody waits for that. What is mirrored meets a translator as every
//! attempt does, which finds an exchange of its own there: the shadow. It has one attempt and no client, so it is over when that
//! attempt is. Its caller knows nothing of it and pays nothing: it goes with the gateway's credential, to nobody whom the caller may
//! not ask, and takes no budget. It is real traffic where it goes: rate limits hold for it, and health learns from it.

use std::rc::Rc;

use super::plan::Bearing;
use super::wish::Wish;
use super::{Asked, Exchange, HeadEdits, Opening, Phase, Planned, Question, Questions, Sought, Step, Walk};
use super::{preferences, resting};
use crate::admission::Grant;
use crate::catalog::Operation;
use crate::memory::Memory;
use crate::select::Keeping;
use crate::select::balance::hash;
use crate::snapshot::Shadow;

/// Header by which Envoy is told to whom it mirrors the request, as a slot header says it.
pub const SHADOW: &str = "x-dragoman-shadow";
/// Header with the id of the exchange that the mirrored request is.
pub const SHADOW_EXCHANGE: &str = "x-dragoman-shadow-exchange";

/// Largest body of a request that has a shadow, which keeps it once more, for as long as its provider likes.
const MAX_BODY: usize = 1 << 20;

impl Asked {
    /// Its shadow, where the route has one and chance will have it.
    fn shadow(&self) -> Option<&Shadow> {
        let shadow = self.snapshot.route(&self.model)?.shadow.as_ref()?;
        let may = self.endpoint.operation == Operation::Generate && self.content.bytes().len() <= MAX_BODY;
        let goes_on = || self.content.json().get("previous_response_id").is_some_and(|id| !id.is_null());
        let is_whole = || !goes_on() && !self.leaves_something();
        (may && hash((SHADOW, &self.id)) % 100 < shadow.share && is_whole()).then_some(shadow)
    }
}

impl Exchange {
    /// The shadow of one that is on its way, and what it would like to know but does not wait for.
    pub fn shadow(
        &self,
        id: impl FnOnce() -> String,
        memory: &mut Memory,
        now_ms: u64,
    ) -> Option<(Exchange, Vec<Question>)> {
        let (Phase::Sent(asked), Some(grant)) = (&self.phase, &self.grant) else { return None };
        let wish = Wish::instead(asked, &asked.shadow()?.to)?;
        let mut shadow = Exchange::new(Default::default(), id(), Some(asked.endpoint.clone()), now_ms);
        wish.note(&mut shadow.record);
        shadow.record.shadow_of.clone_from(&self.id);
        shadow.record.snapshot = asked.snapshot.version;
        shadow.record.rules.clone_from(&self.record.rules);
        let asked = shadow.plan_shadow(asked, grant, &wish, memory)?;
        shadow.phase = Phase::Planned { asked: Box::new(asked), questions: Questions::Asked };
        let mut questions = match shadow.limit_rates(memory, now_ms).ok()? {
            Some(Step::Ask(questions)) => questions,
            _ => Vec::new(),
        };
        let Phase::Planned { asked, .. } = &mut shadow.phase else { return None };
        asked.plan.truncate(1);
        questions.extend(asked.equip(memory, now_ms).into_iter().map(Question::Credential));
        shadow.record.plan = asked.plan.iter().map(|planned| planned.target.id.clone()).collect();
        shadow.walk = Walk::through(1);
        let Phase::Planned { asked, .. } = core::mem::replace(&mut shadow.phase, Phase::Answered) else { return None };
        shadow.phase = Phase::Sent(Rc::from(asked));
        Some((shadow, questions))
    }

    /// The same as was asked, but of whom the shadow's name means, with the gateway's own credentials.
    fn plan_shadow(&mut self, asked: &Asked, grant: &Grant, wish: &Wish, memory: &mut Memory) -> Option<Asked> {
        let Asked { endpoint, head, content, snapshot, rules, .. } = asked;
        let sought = Sought { head, endpoint, content, wish };
        let mut choosing = memory.choosing(&self.id, wish.by(), self.began_ms);
        let judgement = sought.judge(Some(grant), snapshot, &mut choosing);
        self.record.chosen.clone_from(&judgement.chosen);
        preferences::permit(&wish.preferences, judgement.route).ok()?;
        let thought = sought.thought(&judgement);
        let plan = judgement.into_plan(&wish.model, wish.needs).ok()?;
        let bearing = Bearing { brought: None, endpoint, cool_downs: &memory.cool_downs, now_ms: self.began_ms };
        let mut targets = Planned::all(plan.targets, &Grant::default(), snapshot, &bearing);
        // Who is named has fallbacks for a client; here only that one is meant.
        let is_meant = |id: &str| snapshot.route(&wish.model).is_some() || id == wish.model;
        targets.retain(|planned| planned.opening != Opening::Closed && is_meant(&planned.target.id));
        resting::arrange(&mut targets, &mut self.record, &memory.health, self.began_ms).ok()?;
        (!targets.is_empty()).then(|| Asked {
            id: self.id.clone(),
            began_ms: self.began_ms,
            endpoint: endpoint.clone(),
            head: head.clone(),
            content: content.clone(),
            model: asked.model.clone(),
            delivery: asked.delivery,
            needs: wish.needs,
            // Nobody hears its ids.
            keeping: Keeping::Alone,
            bounds: asked.bounds,
            snapshot: Rc::clone(snapshot),
            loss: plan.loss,
            patience: plan.patience,
            thought,
            conversation: None,
            preferences: wish.preferences.clone(),
            arm: None,
            rules: rules.clone(),
            brought: None,
            plan: targets,
        })
    }

    /// Whether it is a shadow.
    pub fn is_shadow(&self) -> bool {
        !self.record.shadow_of.is_empty()
    }

    /// Tells Envoy to mirror the request of another exchange as this one.
    pub fn mirror(&self, edits: &mut HeadEdits) {
        let Phase::Sent(asked) = &self.phase else { return };
        let target = asked.plan.first().map(|planned| planned.target.provider);
        edits.set(SHADOW, target.and_then(|provider| asked.snapshot.slot(provider)).unwrap_or_default());
        edits.set(SHADOW_EXCHANGE, &self.id);
    }

    /// Longest silence of a shadow's provider before its first event, which nobody else bounds.
    pub fn shadow_silence_ms(&self) -> Option<u64> {
        self.asked().filter(|_| self.is_shadow()).map(|asked| asked.first_event_ms())
    }

    /// Whether none of its attempts has begun.
    pub fn is_unmade(&self) -> bool {
        self.running == 0 && self.record.outcomes.is_empty()
    }
}

#[cfg(test)]
mod tests;
