//! From the model a client asks for to the ordered targets that may answer.
//!
//! A name means, in this order: a route (a known id or an alias), a provider's own model as `provider/model` or
//! `provider:model`, a family (`gpt-…`), and at last whatever the provider of the empty family makes of it. A route lists its
//! candidates; the control plane has already added every provider that serves an equivalent model.
//!
//! **Who is no candidate.**
//!
//! | the request needs | a target without it |
//! |---|---|
//! | an operation, or a member tied to the caller's own dialect | is not asked |
//! | tools, a JSON schema, pictures, sound, films, documents | is not asked; the model's row and the provider's dialect must both have it |
//! | thinking, room for its words | is not asked while another one has it. When none has, all are: agents ask for thought by habit, and a token count is an estimate |
//!
//! Nor are those whose provider is off, those out of the route's region, and others while an exclusive one can answer
//! ([`Judgement::arrange`]). The first of a route's pool is chosen by its [`balance`].
//!
//! Every candidate gets a [`Verdict`]; the Plan is those that are planned, and [`crate::explain`] tells of all.
//!
//! The same name, Snapshot, needs and knowledge of a worker always give the same Plan, and no Plan names a target that cannot serve the request.

mod arm;
mod arrange;
pub mod balance;
pub mod bucket;
pub mod choose;
mod due;
mod judgement;
mod named;
mod rounds;
mod warm;

use crate::catalog::{Abilities, DialectId, Operation, Provider, Service, Target};
use crate::dialect;
use crate::hub::kept::Kept;
use crate::refusal::Refusal;
use crate::snapshot::{Loss, Patience, Snapshot};

pub use arm::arm;
pub use balance::Choosing;
pub use due::due;
pub use judgement::{Candidate, Judgement, Keeping, Place, Resolution, Verdict, judge, judge_by, judge_keeper};
pub use rounds::Rounds;
pub use warm::Warm;

/// Most targets of one Plan: the route configuration has a slot header for each, and five failed tries are an outage.
pub const MAX_ATTEMPTS: usize = 5;

/// Longest model name that is passed on without being listed.
pub const MAX_MODEL_NAME: usize = 256;

/// What a request needs of whoever answers it.
#[derive(Clone, Copy, Debug)]
pub struct Needs {
    /// The client's dialect.
    pub dialect: DialectId,
    /// What is to be done.
    pub operation: Operation,
    /// A member that only a service of the client's own dialect can honour.
    pub tied: Option<&'static str>,
    /// What the model must be able to do.
    pub abilities: Abilities,
    /// About how many tokens it must read.
    pub tokens: u64,
    /// Who keeps what it names.
    pub kept: Kept,
}

impl Needs {
    /// Nothing but that operation.
    pub fn only(dialect: DialectId, operation: Operation) -> Needs {
        Needs { dialect, operation, tied: None, abilities: Abilities::NONE, tokens: 0, kept: Kept::Anywhere }
    }
}

/// The targets that may answer, first choice first, and what to do about loss.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// At least one, at most [`MAX_ATTEMPTS`].
    pub targets: Vec<Target>,
    /// The route's word on what cannot be said.
    pub loss: Loss,
    /// The route's word on waiting, and on who else is asked.
    pub patience: Patience,
}

/// Chooses the targets for a request that asks for `model`.
pub fn plan(model: &str, needs: Needs, snapshot: &Snapshot) -> Result<Plan, Refusal> {
    judge(model, needs, snapshot).into_plan(model, needs)
}

/// The target of a request that names no model, such as one for a file: the provider that the caller names, else the first that
/// does such things. There is one only, since nobody else keeps what it keeps.
pub fn keeper(provider: Option<&str>, needs: Needs, snapshot: &Snapshot) -> Result<Plan, Refusal> {
    judge_keeper(provider, needs, snapshot).into_plan("", needs)
}

/// Why a target cannot serve a request.
enum Lack {
    Kept,
    Service,
    Abilities(Abilities),
}

fn lack(target: &Target, needs: Needs, snapshot: &Snapshot) -> Option<Lack> {
    let provider = snapshot.providers.get(target.provider)?;
    if !keeps(target.provider, needs, snapshot) {
        return Some(Lack::Kept);
    }
    let found = match needs.tied {
        Some(_) => speaks(provider, needs.dialect, needs.operation),
        None => service(provider, needs.dialect, needs.operation),
    };
    if found.is_none() {
        return Some(Lack::Service);
    }
    let required = needs.abilities.without(Abilities::THINKING);
    let missing = required.without(able(target, needs, snapshot));
    (!missing.is_empty()).then_some(Lack::Abilities(missing))
}

/// Whether a provider, by its place, has what the request names.
fn keeps(place: usize, needs: Needs, snapshot: &Snapshot) -> bool {
    snapshot.slot(place).is_some_and(|slot| needs.kept.is_with(slot))
}

/// What of a request's needs gets through to a target and is understood there.
fn able(target: &Target, needs: Needs, snapshot: &Snapshot) -> Abilities {
    let provider = snapshot.providers.get(target.provider);
    let service = provider.and_then(|provider| service(provider, needs.dialect, needs.operation));
    match service {
        Some(service) if service.dialect != needs.dialect => {
            let unsaid = Abilities::ALL.without(dialect::of(service.dialect).carries());
            target.abilities.without(unsaid)
        }
        _ => target.abilities,
    }
}

/// How a provider is asked to do that: in the client's own dialect where it offers it; else, for what can be interpreted, in
/// the one it prefers.
pub fn service(provider: &Provider, dialect: DialectId, operation: Operation) -> Option<&Service> {
    let foreign = || match operation {
        Operation::Generate => provider.services.first(),
        Operation::Embed => provider.services.iter().find(|service| {
            service.operations.contains(&operation) && dialect::of(service.dialect).embeddings().is_some()
        }),
        _ => None,
    };
    speaks(provider, dialect, operation).or_else(foreign)
}

fn speaks(provider: &Provider, dialect: DialectId, operation: Operation) -> Option<&Service> {
    let does = |service: &&Service| operation == Operation::Generate || service.operations.contains(&operation);
    provider.services.iter().filter(|service| service.dialect == dialect).find(does)
}

/// Whether a name nobody listed may be passed on: it can end up in a URL's path and in headers.
fn is_safe(model: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/@+".contains(&byte);
    !model.is_empty()
        && model.len() <= MAX_MODEL_NAME
        && model.bytes().all(plain)
        && !model.split('/').any(|segment| matches!(segment, "" | "." | ".."))
}

/// As much of an unknown name as an error message or a Record may repeat.
pub(crate) fn shown(model: &str) -> String {
    model.chars().filter(|character| !character.is_control()).take(80).collect()
}

#[cfg(test)]
mod tests;
