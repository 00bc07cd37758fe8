//! What a request asks for, as far as choosing depends on it: read once.

use super::Asked;
use super::content::Content;
use super::experiment::Taken;
use super::head::Head;
use super::preferences;
use super::signs::Signs;
use crate::catalog::Operation;
use crate::dialect::{self, Endpoint, ReadError};
use crate::hub::kept::Kept;
use crate::hub::{Delivery, Request};
use crate::json::Json;
use crate::preferences::Preferences;
use crate::record::Record;
use crate::refusal::Refusal;
use crate::select::{self, Needs};
use crate::snapshot::{ChoosesBy, Snapshot};

/// What a request asks for.
#[derive(Debug)]
pub(crate) struct Wish {
    /// The model's name; empty when it names none.
    pub(crate) model: String,
    /// How the answer shall come.
    pub(crate) delivery: Delivery,
    /// What is needed of whoever answers.
    pub(crate) needs: Needs,
    /// The most tokens of the answer, where the request says it.
    pub(crate) output_limit: Option<u64>,
    /// The most tokens that must be read, where the request is understood.
    pub(crate) reserved_input: Option<u64>,
    /// How many answers it wants at once, where it says it.
    pub(crate) answers: Option<u64>,
    /// What it shows of which model it is for, where its route leaves that to it.
    pub(crate) signs: Option<Box<Signs>>,
    /// What it says of who may answer.
    pub(crate) preferences: Preferences,
    /// The way that it goes instead, where there is an experiment with its model.
    pub(crate) arm: Option<Taken>,
}

impl Wish {
    /// For a whole answer of that model, which says nothing else.
    pub(crate) fn of(model: String, needs: Needs) -> Wish {
        let delivery = Delivery::Whole;
        let preferences = Preferences::default();
        Wish {
            model,
            delivery,
            needs,
            output_limit: None,
            reserved_input: None,
            answers: None,
            signs: None,
            preferences,
            arm: None,
        }
    }

    /// The same, of a whole request.
    fn of_request(request: &Request<'_>, wish: Wish, snapshot: &Snapshot) -> Wish {
        let (tied, abilities, weight) = (request.tied, request.needs(), request.weight());
        let output_limit = request.max_tokens.map(|limit| limit.tokens);
        let answers = request.sampling.answers.and_then(Json::u64);
        let (delivery, reserved_input) = (request.delivery, Some(weight.reserved));
        let chooses = |name: &str| snapshot.route(name).is_some_and(|route| route.choice.is_some());
        let arms = snapshot.experiment(&wish.model).into_iter().flat_map(|row| &row.arms);
        let chooses = chooses(&wish.model) || arms.into_iter().any(|arm| chooses(&arm.to));
        let signs = chooses.then(|| Box::new(Signs::of(request, &wish.preferences)));
        let needs = Needs { tied, abilities, tokens: weight.words, ..wish.needs };
        Wish { delivery, needs, output_limit, reserved_input, answers, signs, ..wish }
    }

    /// What was asked, of that model instead; what the caller prefers holds there, too.
    pub(super) fn instead(asked: &Asked, model: &str) -> Option<Wish> {
        let Asked { endpoint, content, snapshot, needs, preferences, .. } = asked;
        let request = dialect::client(endpoint.dialect).read_request(endpoint, content.json()).ok()?;
        let wish = Wish { preferences: preferences.clone(), ..Wish::of(model.to_string(), *needs) };
        Some(Wish::of_request(&request, wish, snapshot))
    }

    /// Reads it; refuses what is no request of the endpoint's dialect where it must be understood.
    pub(crate) fn read(
        endpoint: &Endpoint,
        head: &Head,
        content: &Content,
        kept: Kept,
        snapshot: &Snapshot,
    ) -> Result<Wish, Refusal> {
        let bad = |error: ReadError| Refusal::BadMember { param: error.param, problem: error.problem };
        let or_path = |model: String| endpoint.model.clone().filter(|_| model.is_empty()).unwrap_or(model);
        let needs = Needs { kept, ..Needs::only(endpoint.dialect, endpoint.operation) };
        let preferences = preferences::of(head, content)?;
        let of = |model, needs| Wish { preferences: preferences.clone(), ..Wish::of(model, needs) };
        match endpoint.operation {
            Operation::Generate => {
                let request = dialect::client(endpoint.dialect).read_request(endpoint, content.json()).map_err(bad)?;
                let model = named(or_path(request.model.decode().into_owned()))?;
                Ok(Wish::of_request(&request, of(model, needs), snapshot))
            }
            Operation::Embed => {
                let embeddings = dialect::of(endpoint.dialect).embeddings().ok_or(Refusal::UnknownPath)?;
                let request = embeddings.read_request(endpoint, content.json()).map_err(bad)?;
                let model = named(or_path(request.model.decode().into_owned()))?;
                Ok(of(model, Needs { tied: request.tied(), ..needs }))
            }
            _ => {
                // The path's word counts: it is what the provider will go by.
                let model = endpoint.model.clone().or_else(|| content.model()).unwrap_or_default();
                let answers = content.json().get("n").and_then(Json::u64);
                Ok(Wish { answers, ..of(model, needs) })
            }
        }
    }

    /// By what its models are chosen, where its route leaves that to it.
    pub(crate) fn by(&self) -> &ChoosesBy {
        self.arm.as_ref().map_or(&ChoosesBy::InUse, |arm| &arm.by)
    }

    /// Writes it into the Record, whoever may answer or not.
    pub(super) fn note(&self, record: &mut Record) {
        // The name of a request that is refused may be anything.
        record.route = select::shown(&self.model);
        record.streamed = self.delivery != Delivery::Whole;
        record.needs = self.needs.abilities.names().map(str::to_string).collect();
        record.estimated_tokens = self.needs.tokens;
        record.tied = self.needs.tied.unwrap_or_default().to_string();
        record.preferences.clone_from(&self.preferences);
        record.arm = self.arm.as_ref().map(|arm| arm.arm.clone()).unwrap_or_default();
    }
}

/// What is interpreted must name a model.
fn named(model: String) -> Result<String, Refusal> {
    match model.is_empty() {
        true => Err(Refusal::BadMember { param: "model".into(), problem: "is missing".into() }),
        false => Ok(model),
    }
}
