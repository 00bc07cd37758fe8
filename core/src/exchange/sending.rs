//! From a complete request to what is on its way.

use std::rc::Rc;

use super::brought::Brought;
use super::content::Content;
use super::plan::Bearing;
use super::preferences;
use super::walk::Walk;
use super::{
    Asked, Bounds, EXCHANGE, Exchange, HeadEdits, Phase, Planned, Question, Questions, SLOT, Sought, Step, Wish,
};
use crate::admission::Grant;
use crate::memory::Memory;
use crate::refusal::Refusal;
use crate::select::balance::hash;

impl Exchange {
    /// Plans a complete request.
    pub(super) fn plan(&mut self, body: Vec<u8>, grant: &Grant, memory: &mut Memory) -> Result<Asked, Refusal> {
        let snapshot = &Rc::clone(memory.snapshot().ok_or(Refusal::NotReady)?);
        let endpoint = self.endpoint.clone().ok_or(Refusal::UnknownPath)?;
        let head = core::mem::take(&mut self.head);
        let mut kept = self.kept;
        let content = Content::read(endpoint.operation, &head, kept.read_body(body))?;
        let mut wish = Wish::read(&endpoint, &head, &content, kept, snapshot)?;
        let sought = Sought { head: &head, endpoint: &endpoint, content: &content, wish: &wish };
        wish.arm = sought.arm(Some(grant), snapshot, hash(&self.id));
        wish.note(&mut self.record);
        self.record.snapshot = snapshot.version;
        let sought = Sought { wish: &wish, head: &head, endpoint: &endpoint, content: &content };
        sought.admit(grant)?;
        let mut choosing = memory.choosing(&self.id, wish.by(), self.began_ms);
        let judgement = sought.judge(Some(grant), snapshot, &mut choosing);
        self.record.chosen.clone_from(&judgement.chosen);
        preferences::permit(&wish.preferences, judgement.route)?;
        let thought = sought.thought(&judgement);
        let keeping = judgement.keeping(wish.needs, snapshot);
        let plan = judgement.into_plan(&wish.model, wish.needs)?;
        self.record.route.clone_from(&wish.model);
        let rules = sought.rules(Some(grant), snapshot, self.began_ms);
        self.record.rules = rules.names().map(str::to_string).collect();
        let bounds = Bounds::of(&wish, &content, &rules);
        let brought = self.presented.caller().map(|caller| Brought::of(&head, caller)).transpose()?.flatten();
        self.record.bearer = brought.as_ref().map(|brought| brought.bearer.clone()).unwrap_or_default();
        let cool_downs = &memory.cool_downs;
        let bearing = Bearing { brought: brought.as_ref(), endpoint: &endpoint, cool_downs, now_ms: self.began_ms };
        let plan_of = Planned::all(plan.targets, grant, snapshot, &bearing);
        Ok(Asked {
            id: self.id.clone(),
            began_ms: self.began_ms,
            endpoint,
            head,
            content,
            model: wish.model,
            delivery: wish.delivery,
            needs: wish.needs,
            keeping,
            bounds,
            snapshot: Rc::clone(snapshot),
            loss: plan.loss,
            patience: plan.patience,
            thought,
            conversation: wish.signs.as_ref().map(|signs| signs.conversation),
            preferences: wish.preferences,
            arm: wish.arm,
            rules,
            plan: plan_of,
            brought,
        })
    }

    /// Gives every target of the Plan its credential; targets without one leave the Plan.
    pub(super) fn equip(&mut self, memory: &mut Memory, now_ms: u64) -> Result<Step, Refusal> {
        let Phase::Planned { asked, questions } = &mut self.phase else { return Ok(Step::Wait) };
        let missing = asked.equip(memory, now_ms);
        if !missing.is_empty() && *questions == Questions::Unasked {
            *questions = Questions::Asked;
            return Ok(Step::Ask(missing.into_iter().map(Question::Credential).collect()));
        }
        asked.leave_unequipped(now_ms)?;
        if let Some(step) = self.reserve(memory, now_ms)? {
            return Ok(step);
        }
        let hedges_after = self.expect_hedge(memory);
        let Phase::Planned { asked, .. } = &mut self.phase else { return Ok(Step::Wait) };
        self.record.plan = asked.plan.iter().map(|planned| planned.target.id.clone()).collect();
        self.walk = Walk::through(asked.plan.len());
        let edits = hedges_after.map_or_else(|| asked.slots(), |after_ms| asked.over_the_hop(after_ms));
        self.leave_queue(memory, true);
        let Phase::Planned { asked, .. } = core::mem::replace(&mut self.phase, Phase::Answered) else {
            return Ok(Step::Wait);
        };
        self.phase = Phase::Sent(Rc::from(asked));
        Ok(Step::Send(edits))
    }
}

impl Asked {
    /// What the router writes into the request's head: the Plan for Envoy, the exchange for the translator.
    pub(super) fn slots(&self) -> HeadEdits {
        let mut edits = HeadEdits { remove: self.head.spoofed().map(<[u8]>::to_vec).collect(), set: Vec::new() };
        for (index, planned) in self.plan.iter().enumerate() {
            let slot = self.snapshot.slot(planned.target.provider).unwrap_or_default();
            edits.set(&format!("{SLOT}{}", index + 1), slot);
        }
        edits.set(EXCHANGE, &self.id);
        // Envoy tries no more often than there are attempts in a walk; where a walk ends sooner, it finds nobody.
        edits.set("x-envoy-max-retries", &self.retries().to_string());
        self.bound_silence(&mut edits);
        edits
    }
}
