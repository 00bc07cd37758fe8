//! From the model a client asks for to the ordered targets that may answer.
//!
//! A name means, in this order: a route (a known id or an alias), a provider's own model as `provider/model` or
//! `provider:model`, a family (`gpt-…`), and at last whatever the provider of the empty family makes of it. A route lists its
//! candidates; the control plane has already added every provider that serves an equivalent model.
//!
//! The same name, Snapshot and needs always give the same Plan, and no Plan names a target that cannot serve the request.

use crate::catalog::{DialectId, Provider, Service, Target};
use crate::refusal::Refusal;
use crate::snapshot::{Loss, Snapshot};

/// Most targets of one Plan: the route configuration has a slot header for each, and five failed tries are an outage.
pub const MAX_ATTEMPTS: usize = 5;

/// Longest model name that is passed on without being listed.
pub const MAX_MODEL_NAME: usize = 256;

/// What a request needs of whoever answers it.
#[derive(Clone, Copy, Debug)]
pub struct Needs {
    /// The client's dialect.
    pub dialect: DialectId,
    /// It asks for what no other dialect can say (several answers at once).
    pub own_dialect_only: bool,
}

/// The targets that may answer, first choice first, and what to do about loss.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// At least one, at most [`MAX_ATTEMPTS`].
    pub targets: Vec<Target>,
    /// The route's word on what cannot be said.
    pub loss: Loss,
}

/// Chooses the targets for a request that asks for `model`.
pub fn plan(model: &str, needs: Needs, snapshot: &Snapshot) -> Result<Plan, Refusal> {
    let (candidates, loss) = candidates(model, snapshot).ok_or_else(|| Refusal::UnknownModel(shown(model)))?;
    let can_serve = |target: &Target| {
        let provider = snapshot.providers.get(target.provider);
        provider.is_some_and(|provider| !needs.own_dialect_only || speaks(provider, needs.dialect).is_some())
    };
    let mut targets: Vec<Target> = Vec::new();
    for candidate in candidates.into_iter().filter(can_serve) {
        if targets.len() < MAX_ATTEMPTS && targets.iter().all(|known| known.id != candidate.id) {
            targets.push(candidate);
        }
    }
    match targets.is_empty() {
        true => Err(Refusal::CannotSay(vec!["several answers at once".into()])),
        false => Ok(Plan { targets, loss }),
    }
}

/// How a provider is asked: in the client's own dialect where it offers it, else in the one it prefers.
pub fn service(provider: &Provider, dialect: DialectId) -> Option<&Service> {
    speaks(provider, dialect).or(provider.services.first())
}

fn speaks(provider: &Provider, dialect: DialectId) -> Option<&Service> {
    provider.services.iter().find(|service| service.dialect == dialect)
}

fn candidates(model: &str, snapshot: &Snapshot) -> Option<(Vec<Target>, Loss)> {
    if let Some(route) = snapshot.route(model) {
        let listed = route.candidates.iter().filter_map(|index| snapshot.targets.get(*index).cloned());
        return Some((listed.collect(), route.loss));
    }
    if let Some((provider, name)) = model.split_once(['/', ':'])
        && let Some(index) = snapshot.provider_index(provider)
        && is_safe(name)
    {
        let mut targets = vec![target_at(index, name, snapshot)?];
        let route = snapshot.route(name);
        let others = route.iter().flat_map(|route| &route.candidates);
        targets.extend(others.filter_map(|index| snapshot.targets.get(*index).cloned()));
        return Some((targets, route.map_or(Loss::Warn, |route| route.loss)));
    }
    let family = snapshot.families.iter().find(|family| model.starts_with(&family.prefix))?;
    is_safe(model).then(|| target_at(family.provider, model, snapshot)).flatten().map(|only| (vec![only], Loss::Warn))
}

/// The target of a name at a provider: the listed one, or one made on the spot for a model nobody listed.
fn target_at(index: usize, model: &str, snapshot: &Snapshot) -> Option<Target> {
    let provider = snapshot.providers.get(index)?;
    let id = format!("{}/{model}", provider.id);
    let listed = snapshot.target(&id).cloned();
    Some(listed.unwrap_or(Target { id, provider: index, model: model.into(), output_limit: 0, context_window: 0 }))
}

/// Whether a name nobody listed may be passed on: it can end up in a URL's path and in headers.
fn is_safe(model: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/@+".contains(&byte);
    !model.is_empty()
        && model.len() <= MAX_MODEL_NAME
        && model.bytes().all(plain)
        && !model.split('/').any(|segment| matches!(segment, "" | "." | ".."))
}

/// As much of an unknown name as an error message may repeat.
fn shown(model: &str) -> String {
    model.chars().filter(|character| !character.is_control()).take(80).collect()
}

#[cfg(test)]
mod tests;
