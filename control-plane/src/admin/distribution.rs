//! Who serves how much: providers, and what leads to them.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::Admin;
use super::api::{Api, Endpoint, Verb};
use super::body::Asked;
use super::page::{self, Listed, Page};
use super::policy::Policy;
use super::problem::Problem;

/// A provider and what refers to it.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Distribution {
    /// Its id.
    provider: String,
    /// Models of it that can be asked now.
    targets: usize,
    /// Names that callers may ask for and that may lead to it.
    routes: usize,
    /// Of these, the names that lead to nobody else: they are refused when it is taken away.
    only: usize,
    /// Models of it that rows offer and that it no longer lists.
    vanished: usize,
    /// Suspensions of it or of models of it.
    suspensions: usize,
}

/// Adds the endpoint.
pub fn add(api: &mut Api) {
    let view = api.schema::<Distribution>();
    let words = "Every provider with the number of targets, routes, vanished models and suspensions that refer to it.";
    let list = Endpoint::new(Verb::Get, "/distribution", Policy::Read, "list_distribution", words);
    api.add(page::asked(list).gives(200, Some(page::schema(view))), list_distribution);
}

async fn list_distribution(
    State(admin): State<Admin>,
    Asked(page): Asked<Page>,
) -> Result<Json<Listed<Distribution>>, Problem> {
    let current = admin.publication.current();
    let snapshot = &current.snapshot;
    let begin = |row: &dragoman_core::catalog::Provider| {
        let of = |name: &&str| name.split_once('/').is_some_and(|(provider, _)| provider == row.id);
        let suspensions = current.file.suspensions.iter().map(|row| row.target.as_str());
        Distribution {
            provider: row.id.clone(),
            vanished: current.catalog.vanished.iter().map(String::as_str).filter(of).count(),
            suspensions: suspensions.filter(of).count(),
            ..Distribution::default()
        }
    };
    let mut all: Vec<Distribution> = snapshot.providers.iter().map(begin).collect();
    for target in &snapshot.targets {
        if let Some(row) = all.get_mut(target.provider) {
            row.targets += 1;
        }
    }
    for route in &snapshot.routes {
        let targets = route.candidates.iter().filter_map(|at| snapshot.targets.get(*at));
        let providers: BTreeSet<usize> = targets.map(|target| target.provider).collect();
        for at in &providers {
            if let Some(row) = all.get_mut(*at) {
                row.routes += 1;
                row.only += usize::from(providers.len() == 1);
            }
        }
    }
    all.sort_by(|one, two| one.provider.cmp(&two.provider));
    Ok(Json(Listed::of(all.into_iter(), &page, |row| row.provider.clone())?))
}
