//! From the name of a model to those whom it means.

use std::borrow::Cow;
use std::sync::Arc;

use super::is_safe;
use super::judgement::{Place, Resolution};
use crate::catalog::{Provider, Target};
use crate::snapshot::{Route, Snapshot};

/// What a name means.
pub(super) struct Found<'s> {
    /// How it was understood.
    pub(super) resolution: Resolution<'s>,
    /// The route that lists the candidates, where one does.
    pub(super) route: Option<&'s Route>,
    /// The candidates.
    pub(super) targets: Vec<(Cow<'s, Target>, Place)>,
}

/// What that name means.
pub(super) fn found<'s>(model: &str, snapshot: &'s Snapshot) -> Found<'s> {
    let nobody = Found { resolution: Resolution::Nobody, route: None, targets: Vec::new() };
    if let Some(route) = snapshot.route(model) {
        let resolution = Resolution::Route(&route.name);
        return Found { resolution, route: Some(route), targets: listed(route, snapshot).collect() };
    }
    if let Some((provider, name)) = model.split_once(['/', ':'])
        && let Some(index) = snapshot.provider_index(provider)
        && is_safe(name)
    {
        let Some((provider, first)) = target_at(index, name, snapshot) else { return nobody };
        let route = snapshot.route(name);
        let others = route.into_iter().flat_map(|route| listed(route, snapshot));
        let targets = std::iter::once((first, Place::Named)).chain(others).collect();
        return Found { resolution: Resolution::Provider(&provider.id), route, targets };
    }
    let family = snapshot.families.iter().find(|family| model.starts_with(&family.prefix));
    let only = family.filter(|_| is_safe(model)).and_then(|family| target_at(family.provider, model, snapshot));
    match family.zip(only) {
        Some((family, (_, only))) => {
            let resolution = Resolution::Family(&family.prefix);
            Found { resolution, route: None, targets: vec![(only, Place::Named)] }
        }
        None => nobody,
    }
}

/// The candidates of a route.
fn listed<'s>(route: &'s Route, snapshot: &'s Snapshot) -> impl Iterator<Item = (Cow<'s, Target>, Place)> {
    route.candidates.iter().enumerate().filter_map(|(at, index)| {
        let place = route.pool.weight(at).map_or(Place::Added, |weight| Place::Pool { weight, at });
        snapshot.targets.get(*index).map(|target| (Cow::Borrowed(target), place))
    })
}

/// The target of a name at a provider: the listed one, or one made on the spot for a model nobody listed, unless that is
/// withheld.
fn target_at<'s>(index: usize, model: &str, snapshot: &'s Snapshot) -> Option<(&'s Provider, Cow<'s, Target>)> {
    let provider = snapshot.providers.get(index)?;
    let id = format!("{}/{model}", provider.id);
    let target = match snapshot.target(&id) {
        Some(listed) => Cow::Borrowed(listed),
        None if snapshot.withholds(&provider.id, &id) => return None,
        None => Cow::Owned(Target {
            price: provider.price.clone(),
            rate_limits: Arc::clone(&provider.rate_limits),
            ..Target::unlisted(id, index, model)
        }),
    };
    Some((provider, target))
}
