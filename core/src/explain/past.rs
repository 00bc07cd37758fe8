//! The past, from its Record and the Snapshot of its version.

use super::{Denial, Explanation, Fate};
use crate::attempt::{Telling, Way};
use crate::catalog::{Abilities, DialectId, Operation};
use crate::health::Pulses;
use crate::hub::Delivery;
use crate::record::{Outcome, Record};
use crate::select::{self, Choosing, Judgement, MAX_ATTEMPTS, Needs, Rounds, Verdict};
use crate::snapshot::Snapshot;

/// Stands for a member whose name only the Record knows.
const TIED: &str = "{tied}";

/// The refusals after which candidates were weighed; all others come before, or say that there was nobody to weigh.
const WEIGHED: [&str; 13] = [
    "",
    "model_not_found",
    "unable",
    "tied",
    "unserved",
    "out_of_region",
    "kept_elsewhere",
    "preferences_unmet",
    "cannot_say",
    "no_credential",
    "no_answer",
    "forgotten",
    "targets_resting",
];

/// Says why what a Record reports has happened. `snapshot` is the one of its version; by another, it says what would happen now
/// to a request with the same needs.
pub fn explain_record<'s>(record: &Record, snapshot: &'s Snapshot) -> Explanation<'s> {
    let mut explanation = Explanation::of_nothing(snapshot.version);
    explanation.dialect = DialectId::named(&record.dialect);
    explanation.operation = Operation::named(&record.operation);
    if let (Some(dialect), Some(operation)) = (explanation.dialect, explanation.operation)
        && !operation.is_answered_here()
    {
        explanation.delivery = Some(if record.streamed { Delivery::Streamed } else { Delivery::Whole });
        let needs = needs(record, dialect, operation);
        explanation.want(&record.route, needs, None);
        if let Some(wanted) = &mut explanation.wanted {
            wanted.tied = Some(record.tied.clone()).filter(|member| !member.is_empty());
        }
        explanation.rules.clone_from(&record.rules);
        explanation.arm = Some(record.arm.clone()).filter(|arm| !arm.is_empty());
        let judged = judge(record, needs, snapshot);
        explanation.fate = fate(record, judged.as_ref().map(|judgement| (judgement, needs)));
        if let Some(judgement) = judged {
            explanation.weigh(judgement, snapshot);
            explanation.recall(record, snapshot, needs);
        }
    } else {
        explanation.fate = match record.refusal.as_str() {
            "" => Fate::AnsweredHere,
            _ => fate(record, None),
        };
    }
    explanation
}

fn needs(record: &Record, dialect: DialectId, operation: Operation) -> Needs {
    let abilities = record.needs.iter().filter_map(|name| Abilities::named(name)).fold(Abilities::NONE, Abilities::and);
    let tied = (!record.tied.is_empty()).then_some(TIED);
    Needs { tied, abilities, tokens: record.estimated_tokens, ..Needs::only(dialect, operation) }
}

fn judge<'s>(record: &Record, needs: Needs, snapshot: &'s Snapshot) -> Option<Judgement<'s>> {
    if !WEIGHED.contains(&record.refusal.as_str()) {
        return None;
    }
    let understood = matches!(needs.operation, Operation::Generate | Operation::Embed);
    let mut judgement = match record.route.as_str() {
        // It was left before it could be read.
        "" if understood => return None,
        // The one of the Plan was named, or the first that could.
        "" => select::judge_keeper(record.plan.first().map(String::as_str), needs, snapshot),
        model => select::judge_by(way(record, snapshot).unwrap_or(model), needs, snapshot, |target, provider| {
            // What was felt of a target then is forgotten.
            let unmet = record.preferences.unmet(target, provider, needs.tokens, None);
            (!unmet.is_empty()).then_some(Verdict::Unmet(unmet))
        }),
    };
    let nobody_left = matches!(record.refusal.as_str(), "cannot_say" | "no_credential") || !record.rested.is_empty();
    if !record.plan.is_empty() || nobody_left {
        let is_full = record.plan.len() == MAX_ATTEMPTS;
        let left_out = if is_full { Verdict::Late } else { Verdict::NotRecorded };
        judgement.strike(|_, target| match record.plan.contains(&target.id) {
            true => None,
            false if record.rested.contains(&target.id) => Some(Verdict::Resting),
            false => Some(left_out.clone()),
        });
        judgement.recall(&record.plan);
    } else {
        let (pulses, mut rounds) = (Pulses::default(), Rounds::default());
        judgement.arrange(needs.tokens, &record.preferences, snapshot, &mut Choosing::new(&pulses, &mut rounds));
    }
    judgement.limit();
    Some(judgement)
}

/// Whom it asked instead, where it was of an experiment that there is still.
fn way<'s>(record: &Record, snapshot: &'s Snapshot) -> Option<&'s str> {
    let experiment = snapshot.experiment(&record.route)?;
    experiment.arms.iter().find(|arm| experiment.label(arm) == record.arm).map(|arm| arm.to.as_str())
}

fn fate(record: &Record, judged: Option<(&Judgement<'_>, Needs)>) -> Fate {
    if record.refusal.is_empty() {
        return Fate::Sent;
    }
    let refusal = judged.and_then(|(judgement, needs)| judgement.refusal(&record.route, needs));
    let same = refusal.as_ref().filter(|refusal| refusal.code() == record.refusal).map(Denial::of);
    let member = |text: String| text.replace(TIED, &record.tied);
    Fate::Refused(Denial {
        status: record.status,
        code: record.refusal.clone(),
        message: same.as_ref().map(|denial| member(denial.message.clone())).unwrap_or_default(),
        param: same.and_then(|denial| denial.param).map(member),
    })
}

impl Explanation<'_> {
    /// Says how the planned targets were told. What was lost is known of the last one that was asked.
    fn recall(&mut self, record: &Record, snapshot: &Snapshot, needs: Needs) {
        let last = record.outcomes.last().map(|outcome| outcome.target.as_str());
        for weighed in self.candidates.iter_mut().filter(|weighed| matches!(weighed.verdict, Verdict::Planned(_))) {
            let outcome = record.outcomes.iter().find(|outcome| outcome.target == weighed.target);
            let own = record.outcomes.iter().filter(|outcome| outcome.target == weighed.target);
            weighed.failures = own.filter_map(|outcome| outcome.failure).collect();
            let row = snapshot.provider_index(&weighed.provider).and_then(|index| snapshot.providers.get(index));
            let service = row.and_then(|row| select::service(row, needs.dialect, needs.operation));
            let said = |outcome: &Outcome| DialectId::named(&outcome.dialect);
            let dialect = outcome.and_then(said).or(service.map(|service| service.dialect));
            weighed.telling = dialect.map(|dialect| Telling {
                dialect,
                way: if dialect == needs.dialect { Way::Relay } else { Way::Interpret },
                losses: (last == Some(&weighed.target)).then(|| record.losses.clone()),
                touched: Vec::new(),
            });
        }
    }
}
