//! What Terms name that is not there.
//!
//! Why that is no mistake: rows come and go, and an account may be made before its routes are. What is not there lets nobody in.

use super::Admin;
use crate::accounts::Terms;

/// What those Terms name that nobody could be sent to now: a slip of the pen, or a row that is still to be made.
pub fn warnings(admin: &Admin, terms: &Terms) -> Vec<String> {
    let current = admin.publication.current();
    let snapshot = &current.snapshot;
    let route = |name: &str| {
        snapshot.routes.iter().any(|route| stands_for(name, &route.name))
            || snapshot.targets.iter().any(|target| stands_for(name, &target.id))
    };
    let model = |name: &str| {
        snapshot.targets.iter().any(|target| stands_for(name, &target.id) || stands_for(name, &target.model))
    };
    let provider = |name: &str| snapshot.providers.iter().any(|provider| stands_for(name, &provider.id));
    let mut warnings = Vec::new();
    let mut check = |member: &str, list: &Option<Vec<String>>, is_there: &dyn Fn(&str) -> bool| {
        let missing = list.iter().flatten().filter(|name| !is_there(name));
        warnings.extend(missing.map(|name| format!("`{member}`: there is no `{name}` now")));
    };
    check("routes", &terms.routes, &route);
    check("models", &terms.models, &model);
    check("providers", &terms.providers, &provider);
    let cheaper: Vec<String> = terms.budgets.iter().filter_map(|budget| budget.downgrade_to.clone()).collect();
    check("downgrade_to", &Some(cheaper), &route);
    warnings
}

/// Whether a name of Terms stands for that one.
fn stands_for(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |beginning| name.starts_with(beginning))
}
