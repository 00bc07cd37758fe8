//! What would happen to a request, or why something happened to one, without sending anything.
//!
//! ```
//! use dragoman_core::explain::{Fate, Situation, explain};
//! use dragoman_core::snapshot::Snapshot;
//! let body = br#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;
//! let snapshot = Snapshot::default();
//! let explanation = explain::<&str>("POST", "/v1/chat/completions", &[], body, Situation::default(), &snapshot);
//! let Fate::Refused(denial) = &explanation.fate else { panic!() };
//! assert_eq!((denial.status, denial.code.as_str()), (404, "model_not_found"));
//! ```
//!
//! Why so: whoever asks why a model was not asked deserves the gateway's own answer. Every word comes from the very functions
//! that the data path uses ([`crate::exchange`], [`crate::select`], [`crate::attempt`]); a law of the tests holds both together.
//!
//! Limits: keys and credentials are the worker's business, so a target without a credential is planned here, and a caller's own token
//! is not looked at. Of how targets do it is known what is told to all workers, not what one of them met a moment ago. The past is
//! explained from counts and names, for its words are not kept: what could be said to targets that did not answer is unknown.

mod past;
mod write;

use std::rc::Rc;

use crate::admission::Grant;
use crate::attempt::{self, Telling};
use crate::catalog::{Abilities, DialectId, Operation};
use crate::exchange::{Asked, Bounds, Content, Head, MAX_BODY, Sought, Wish, foresee, permit};
use crate::failure::Failure;
use crate::features::Features;
use crate::feedback::Opinion;
use crate::health::{Firmness, Health, Pulses, Rest};
use crate::hub::Delivery;
use crate::memory::Artifacts;
use crate::record::Chosen;
use crate::refusal::Refusal;
use crate::rule::Touched;
use crate::select::{Choosing, Judgement, Keeping, Needs, Place, Resolution, Rounds, Verdict};
use crate::snapshot::{Loss, Pool, Snapshot};

pub use past::explain_record;

/// What happens to a request, and why. What is empty or `None` was not reached or not said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation<'s> {
    /// Version of the Snapshot that it is explained by.
    pub snapshot: u64,
    /// The client's dialect, where the path is somebody's.
    pub dialect: Option<DialectId>,
    /// What is to be done.
    pub operation: Option<Operation>,
    /// The model asked for.
    pub model: String,
    /// How that name was understood.
    pub resolution: Option<Resolution<'s>>,
    /// Whether the answer is to be streamed.
    pub delivery: Option<Delivery>,
    /// What is needed of whoever answers.
    pub wanted: Option<Wanted>,
    /// What is done about loss.
    pub loss: Option<Loss>,
    /// How the first is chosen, where a route has more than one in its pool.
    pub pool: Option<&'s Pool>,
    /// What the request is like, where the route leaves its model to that.
    pub features: Option<Features>,
    /// How the model was chosen by it.
    pub chosen: Option<Chosen>,
    /// The arm of an experiment that it is of, as `experiment/arm`.
    pub arm: Option<String>,
    /// Names of the rules that hold, in order.
    pub rules: Vec<String>,
    /// What they do to an answer.
    pub answered: Vec<Touched>,
    /// Everybody who was thought of, in order.
    pub candidates: Vec<Weighed>,
    /// What comes of it.
    pub fate: Fate,
}

/// What a request needs of whoever answers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// What the model must be able to do.
    pub abilities: Abilities,
    /// About how many tokens it must read.
    pub estimated_tokens: u64,
    /// The most tokens of the answer, where the request, or a rule, says it.
    pub output_limit: Option<u64>,
    /// A member that only a service of the client's own dialect can honour.
    pub tied: Option<String>,
}

/// A target that was thought of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weighed {
    /// `provider/model`.
    pub target: String,
    /// The provider's id.
    pub provider: String,
    /// How it came to be a candidate.
    pub place: Place,
    /// What is thought of it.
    pub verdict: Verdict,
    /// Until when it is left alone, where it is and was not struck before.
    pub rest: Option<Rest>,
    /// What was wrong with each attempt at it that failed; of the past only.
    pub failures: Vec<Failure>,
    /// How it is told the request, when it is asked.
    pub telling: Option<Telling>,
}

/// What comes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It goes to the planned targets, one after another until one answers.
    Sent,
    /// The gateway answers it itself.
    AnsweredHere,
    /// The gateway says no.
    Refused(Denial),
}

/// How the gateway says no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// The HTTP status.
    pub status: u16,
    /// One word for the operator.
    pub code: String,
    /// One sentence for the caller; empty when it is not known any more.
    pub message: String,
    /// The member at fault, where one is.
    pub param: Option<String>,
}

impl Denial {
    fn of(refusal: &Refusal) -> Denial {
        let error = refusal.to_client();
        Denial { status: error.status, code: error.code, message: error.message, param: error.param }
    }
}

/// Who asks, and what is known then.
#[derive(Clone, Copy, Debug, Default)]
pub struct Situation<'a> {
    /// What the caller may do: everything, when it is not said.
    pub grant: Option<&'a Grant>,
    /// How targets do: well, when it is not said.
    pub health: Option<&'a Health>,
    /// What says how hard requests are: the rules do, when there is none.
    pub artifacts: Option<&'a Artifacts>,
    /// The time, in milliseconds since 1970.
    pub now_ms: u64,
}

/// Says what would happen to a request in that situation. `headers` are the client's, in lower case; a missing key is no reason to
/// refuse here.
pub fn explain<'s, H: AsRef<[u8]>>(
    method: &str,
    path: &str,
    headers: &[(H, H)],
    body: &[u8],
    situation: Situation<'_>,
    snapshot: &'s Snapshot,
) -> Explanation<'s> {
    let bytes = |name: &[u8], value: &[u8]| (name.to_vec(), value.to_vec());
    let mut head = Head { headers: vec![bytes(b":method", method.as_bytes()), bytes(b":path", path.as_bytes())] };
    let given = headers.iter().filter(|(name, _)| !name.as_ref().starts_with(b":"));
    head.headers.extend(given.map(|(name, value)| bytes(name.as_ref(), value.as_ref())));
    let mut explanation = Explanation::of_nothing(snapshot.version);
    if let Err(refusal) = explanation.read(head, body.to_vec(), situation, snapshot) {
        explanation.fate = Fate::Refused(Denial::of(&refusal));
    }
    explanation
}

impl<'s> Explanation<'s> {
    fn of_nothing(version: u64) -> Explanation<'s> {
        Explanation {
            snapshot: version,
            dialect: None,
            operation: None,
            model: String::new(),
            resolution: None,
            delivery: None,
            wanted: None,
            loss: None,
            pool: None,
            features: None,
            chosen: None,
            arm: None,
            rules: Vec::new(),
            answered: Vec::new(),
            candidates: Vec::new(),
            fate: Fate::Sent,
        }
    }

    /// The targets that are asked, in order.
    pub fn planned(&self) -> impl Iterator<Item = &str> {
        let planned = |weighed: &&Weighed| matches!(weighed.verdict, Verdict::Planned(_));
        self.candidates.iter().filter(planned).map(|weighed| weighed.target.as_str())
    }

    /// Goes the way of [`crate::exchange::Exchange`], as far as it leads.
    fn read(
        &mut self,
        mut head: Head,
        body: Vec<u8>,
        situation: Situation<'_>,
        snapshot: &'s Snapshot,
    ) -> Result<(), Refusal> {
        let Situation { grant, health, artifacts, now_ms } = situation;
        if head.is_greeting() {
            self.fate = Fate::AnsweredHere;
            return Ok(());
        }
        let mut kept = head.unmark();
        let endpoint = head.endpoint()?;
        (self.dialect, self.operation) = (Some(endpoint.dialect), Some(endpoint.operation));
        head.acceptable(endpoint.operation)?;
        match head.key() {
            Ok(_) | Err(Refusal::NoKey) => {}
            Err(refusal) => return Err(refusal),
        }
        if endpoint.operation == Operation::Feedback {
            Opinion::read(&body)?;
        }
        if endpoint.operation.is_answered_here() {
            self.fate = Fate::AnsweredHere;
            return Ok(());
        }
        if body.len() > MAX_BODY {
            return Err(Refusal::TooLarge(MAX_BODY));
        }
        let content = Content::read(endpoint.operation, &head, kept.read_body(body))?;
        let mut wish = Wish::read(&endpoint, &head, &content, kept, snapshot)?;
        self.delivery = Some(wish.delivery);
        self.features = wish.signs.as_ref().map(|signs| signs.features.clone());
        self.want(&wish.model, wish.needs, wish.output_limit);
        let sought = Sought { head: &head, endpoint: &endpoint, content: &content, wish: &wish };
        grant.map_or(Ok(()), |grant| sought.admit(grant))?;
        let arm = sought.arm(grant, snapshot, 0);
        self.arm = arm.as_ref().map(|arm| arm.arm.clone());
        wish.arm = arm;
        let sought = Sought { head: &head, endpoint: &endpoint, content: &content, wish: &wish };
        // Nobody here knows whose turn it is at a worker: the order is that of one which has just begun.
        let (pulses, mut rounds, nothing) = (Pulses::default(), Rounds::default(), Grant::default());
        let artifact = artifacts.and_then(|artifacts| artifacts.of(wish.by()));
        let mut choosing = Choosing { health, artifact, now_ms, ..Choosing::new(&pulses, &mut rounds) };
        let mut judgement = sought.judge(grant, snapshot, &mut choosing);
        let thought = sought.thought(&judgement);
        permit(&wish.preferences, judgement.route)?;
        let refusal = judgement.refusal(&wish.model, wish.needs);
        let (loss, patience) = (judgement.loss, judgement.patience());
        let well = Health::default();
        let known = (health.unwrap_or(&well), now_ms);
        let targets = judgement.planned().cloned().collect();
        let foreseen = foresee(targets, &endpoint, grant.unwrap_or(&nothing), snapshot, known);
        let banned =
            |id: &str| foreseen.rests.iter().any(|(known, rest)| known == id && rest.firmness == Firmness::Banned);
        judgement.strike(|_, target| banned(&target.id).then_some(Verdict::Resting));
        let order: Vec<String> = foreseen.plan.iter().map(|planned| planned.target.id.clone()).collect();
        judgement.recall(&order);
        let rules = sought.rules(grant, snapshot, now_ms);
        self.rules = rules.names().map(str::to_string).collect();
        self.answered = rules.answered(endpoint.dialect);
        if let Some(wanted) = &mut self.wanted {
            wanted.output_limit = rules.output_limit(wanted.output_limit);
        }
        self.weigh(judgement, snapshot);
        for (target, rest) in foreseen.rests {
            let rests = self.candidates.iter_mut().filter(|weighed| weighed.target == target);
            rests.for_each(|weighed| weighed.rest = Some(rest));
        }
        refusal.or(foreseen.refusal).map_or(Ok(()), Err)?;
        let bounds = Bounds::of(&wish, &content, &rules);
        let Wish { model, delivery, needs, preferences, arm, .. } = wish;
        // Attempts share their Snapshot; a copy is made here once, for somebody who reads it.
        let (id, snapshot) = (String::new(), Rc::new(snapshot.clone()));
        self.tell(&Asked {
            id,
            began_ms: 0,
            endpoint,
            head,
            content,
            model,
            delivery,
            needs,
            keeping: Keeping::Alone,
            bounds,
            snapshot,
            loss,
            patience,
            thought,
            conversation: None,
            brought: None,
            preferences,
            arm,
            rules,
            plan: foreseen.plan,
        });
        Ok(())
    }

    fn want(&mut self, model: &str, needs: Needs, output_limit: Option<u64>) {
        self.model = model.to_string();
        self.wanted = Some(Wanted {
            abilities: needs.abilities,
            estimated_tokens: needs.tokens,
            output_limit,
            tied: needs.tied.map(str::to_string),
        });
    }

    fn weigh(&mut self, judgement: Judgement<'s>, snapshot: &Snapshot) {
        self.resolution = Some(judgement.resolution);
        self.loss = Some(judgement.loss).filter(|_| judgement.resolution != Resolution::Nobody);
        let is_pool = judgement.candidates.iter().filter(|one| matches!(one.place, Place::Pool { .. })).count() > 1;
        self.pool = judgement.route.map(|route| &route.pool).filter(|_| is_pool);
        self.chosen = judgement.chosen;
        let weighed = judgement.candidates.into_iter().map(|candidate| {
            let provider = snapshot.providers.get(candidate.target.provider);
            Weighed {
                target: candidate.target.id.clone(),
                provider: provider.map(|provider| provider.id.clone()).unwrap_or_default(),
                place: candidate.place,
                verdict: candidate.verdict,
                rest: None,
                failures: Vec::new(),
                telling: None,
            }
        });
        self.candidates = weighed.collect();
    }

    /// Says how each planned target would be told, by writing the request for it and looking at what was lost.
    fn tell(&mut self, asked: &Asked) {
        let planned = self.candidates.iter_mut().filter(|weighed| matches!(weighed.verdict, Verdict::Planned(_)));
        for (weighed, planned) in planned.zip(&asked.plan) {
            weighed.telling = attempt::telling(asked, planned);
        }
    }
}

#[cfg(test)]
mod tests;
