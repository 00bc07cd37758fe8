//! Which models there are: answered by the gateway itself, in the dialect of whoever asks.

use super::LocalReply;
use crate::admission::Grant;
use crate::catalog::{Abilities, Dispatch, Target};
use crate::dialect::{self, Endpoint, Listed};
use crate::json::Writer;
use crate::refusal::Refusal;
use crate::snapshot::{Route, Snapshot};

/// Answers for the caller's routes. `rest` of the endpoint is empty or `available` for the list, else a model's name.
///
/// A Snapshot holds only what can be asked for, so both lists are the same; the second is known from other gateways.
pub(super) fn answer(endpoint: &Endpoint, grant: &Grant, snapshot: &Snapshot, id: &str) -> Result<LocalReply, Refusal> {
    let client = dialect::client(endpoint.dialect);
    let mut out = Writer::new();
    match endpoint.rest.as_str() {
        "" | "available" => {
            let mine =
                snapshot.routes.iter().filter(|route| grant.allows(&route.name) && first(route, snapshot).is_some());
            let models: Vec<_> = mine.map(|route| listed(route, snapshot)).collect();
            client.write_models(&models, &mut out);
        }
        name => {
            let shown = || name.chars().filter(|character| !character.is_control()).take(80).collect();
            let model = match (snapshot.route(name), snapshot.target(name)) {
                _ if !grant.allows(name) => return Err(Refusal::UnknownModel(shown())),
                (Some(route), _) => listed(route, snapshot),
                (None, Some(target)) => described(&target.id, target, snapshot),
                (None, None) => return Err(Refusal::UnknownModel(shown())),
            };
            client.write_model(&model, &mut out);
        }
    }
    Ok(LocalReply::json(200, out.into_bytes(), id))
}

fn listed<'s>(route: &'s Route, snapshot: &'s Snapshot) -> Listed<'s> {
    match first(route, snapshot) {
        Some(target) => described(&route.name, target, snapshot),
        None => Listed { name: &route.name, owner: "", context_window: 0, output_limit: 0, abilities: Abilities::NONE },
    }
}

/// The first of a route's candidates whose provider is not off.
fn first<'s>(route: &Route, snapshot: &'s Snapshot) -> Option<&'s Target> {
    let is_off = |target: &Target| {
        snapshot.providers.get(target.provider).is_some_and(|provider| provider.dispatch == Dispatch::Off)
    };
    route.candidates.iter().filter_map(|index| snapshot.targets.get(*index)).find(|target| !is_off(target))
}

fn described<'s>(name: &'s str, target: &'s Target, snapshot: &'s Snapshot) -> Listed<'s> {
    let owner = snapshot.providers.get(target.provider).map_or("", |provider| provider.id.as_str());
    let Target { context_window, output_limit, abilities, .. } = *target;
    Listed { name, owner, context_window, output_limit, abilities }
}
