//! Artifacts, by which models are chosen: list, look, add, put in use, compare, take away.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use dragoman_core::artifact::{Artifact, MAX_ARTIFACT};
use dragoman_core::snapshot::LEAST_DIGITS;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::Admin;
use super::api::{Api, Endpoint, Verb};
use super::body::{Attached, Id, Ids, OCTETS};
use super::policy::{Caller, Policy};
use super::problem::Problem;
use crate::settings::File;
use crate::store::artifacts::{Kept, NotDone};

/// The artifacts that are kept.
#[derive(Debug, Serialize, ToSchema)]
pub struct Artifacts {
    /// The newest first.
    items: Vec<ArtifactView>,
    /// Where a new one is looked for.
    source: String,
    /// Digest of the one in use; null when rules decide.
    in_use: Option<String>,
    /// Since when it is, in milliseconds since 1970; null when nobody ever said.
    since_ms: Option<i64>,
    /// Who said so: `source` for what the source had anew.
    used_by: Option<String>,
    /// What the source has that can't be used; null when it can.
    refused: Option<RefusedView>,
}

/// An artifact.
#[derive(Debug, Serialize, ToSchema)]
pub struct ArtifactView {
    /// Its SHA-256.
    digest: String,
    /// What its maker calls it.
    name: String,
    /// Where it came from: a file, an address, `shipped`, or `api`.
    source: String,
    /// How large it is.
    bytes: i64,
    /// When it came, in milliseconds since 1970.
    added_ms: i64,
    /// Who brought it.
    added_by: String,
    /// Whether it is in use.
    in_use: bool,
    /// The experiments of which an arm names it.
    experiments: Vec<String>,
    /// What its maker measured: the `metrics` of its metadata.
    #[schema(value_type = Object)]
    metrics: Value,
}

/// What can't be used.
#[derive(Debug, Serialize, ToSchema)]
pub struct RefusedView {
    /// Why.
    why: String,
    /// When that was found, in milliseconds since 1970.
    at_ms: i64,
}

/// An artifact with all that is said of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ArtifactInFull {
    /// In short.
    #[serde(flatten)]
    own: ArtifactView,
    /// What its maker says of it.
    #[schema(value_type = Object)]
    metadata: Value,
    /// From how many thousandths on a request is for cheap models, and for middling ones.
    thresholds: [u16; 2],
    /// What it predicts: each with the other names of the same model.
    #[schema(value_type = Object)]
    heads: BTreeMap<String, Vec<String>>,
}

/// How two artifacts differ.
#[derive(Debug, Serialize, ToSchema)]
pub struct Comparison {
    /// The one.
    one: ArtifactView,
    /// The other.
    other: ArtifactView,
    /// Every number of their metadata, side by side, and both thresholds.
    figures: Vec<Figure>,
    /// What only the one predicts.
    only_one: Vec<String>,
    /// What only the other predicts.
    only_other: Vec<String>,
    /// What both predict.
    both: Vec<String>,
}

/// A number of two artifacts.
#[derive(Debug, Serialize, ToSchema)]
pub struct Figure {
    /// Its place in the metadata.
    name: String,
    /// What the one says; null when it says nothing.
    #[schema(value_type = Option<f64>)]
    one: Value,
    /// What the other says.
    #[schema(value_type = Option<f64>)]
    other: Value,
}

/// What was done with which.
#[derive(Debug, Serialize, ToSchema)]
pub struct Done {
    /// The artifact's SHA-256.
    digest: String,
}

/// Adds the endpoints.
pub fn add(api: &mut Api) {
    let (all, one, full) = (api.schema::<Artifacts>(), api.schema::<ArtifactView>(), api.schema::<ArtifactInFull>());
    let (comparison, done) = (api.schema::<Comparison>(), api.schema::<Done>());
    let words = "The artifacts that are kept, which one is in use, and what was refused.";
    let list = Endpoint::new(Verb::Get, "/tuning/artifacts", Policy::Read, "list_artifacts", words);
    api.add(list.gives(200, Some(all)), list_artifacts);
    let words = "Keeps an artifact, at most 2 MiB; it is not put in use by that.";
    let file = json!({ "type": "string", "format": "binary", "contentMediaType": OCTETS });
    let upload = Endpoint::new(Verb::Post, "/tuning/artifacts", Policy::Change, "add_artifact", words);
    api.add(upload.takes(file).gives(200, Some(one)), add_artifact);
    let words = "An artifact with its metadata, by its digest or how that begins.";
    let path = "/tuning/artifacts/{digest}";
    let show = Endpoint::new(Verb::Get, path, Policy::Read, "get_artifact", words);
    api.add(show.gives(200, Some(full)).refuses(&[404, 422]), get_artifact);
    let words = "Takes an artifact away that is not in use and that no arm of an experiment names.";
    let remove = Endpoint::new(Verb::Delete, path, Policy::Change, "remove_artifact", words);
    api.add(remove.gives(200, Some(done.clone())).refuses(&[404, 409]), remove_artifact);
    let words = "Puts an artifact in use, everywhere within seconds, until the source has another one or somebody says otherwise.";
    let path = "/tuning/artifacts/{digest}/use";
    let put = Endpoint::new(Verb::Post, path, Policy::Change, "use_artifact", words);
    api.add(put.gives(200, Some(done)).refuses(&[404]), use_artifact);
    let words = "What two artifacts say of themselves, side by side, and what only one of them predicts.";
    let path = "/tuning/artifacts/{digest}/compare/{other}";
    let compare = Endpoint::new(Verb::Get, path, Policy::Read, "compare_artifacts", words);
    api.add(compare.gives(200, Some(comparison)).refuses(&[404, 422]), compare_artifacts);
}

async fn list_artifacts(State(admin): State<Admin>) -> Result<Json<Artifacts>, Problem> {
    let (kept, used) = (admin.store.artifacts().await?, admin.store.artifact_in_use().await?);
    let said = admin.publication.said_now().await?;
    let is_said = used.since_ms > 0;
    Ok(Json(Artifacts {
        items: kept.into_iter().map(|kept| view(kept, &used.digest, &said)).collect(),
        source: used.source,
        in_use: Some(used.digest).filter(|digest| !digest.is_empty()),
        since_ms: is_said.then_some(used.since_ms),
        used_by: is_said.then_some(used.used_by),
        refused: used.refused.map(|(why, at_ms)| RefusedView { why, at_ms }),
    }))
}

async fn add_artifact(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    Attached(file): Attached<MAX_ARTIFACT>,
) -> Result<Json<ArtifactView>, Problem> {
    let artifact = Artifact::read(&file).map_err(|why| {
        let detail = format!("This is no artifact that can be used: {why}. Nothing was kept.");
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_artifact", detail)
    })?;
    let named = admin.publication.said_now().await?.named_artifacts();
    admin.store.keep_artifact(&caller.actor(), (&artifact, &file), &named).await?;
    Ok(Json(found(&admin, artifact.digest()).await?))
}

async fn get_artifact(State(admin): State<Admin>, Id(digest): Id) -> Result<Json<ArtifactInFull>, Problem> {
    let own = found(&admin, &digest).await?;
    let artifact = read(&admin, &own).await?;
    let parts = artifact.parts();
    Ok(Json(ArtifactInFull {
        metadata: serde_json::from_str(&parts.metadata).unwrap_or_default(),
        thresholds: parts.thresholds,
        heads: parts.heads.iter().map(|head| (head.name.clone(), head.also.clone())).collect(),
        own,
    }))
}

async fn remove_artifact(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    Id(digest): Id,
) -> Result<Json<Done>, Problem> {
    let ArtifactView { digest, experiments, .. } = found(&admin, &digest).await?;
    if !experiments.is_empty() {
        let names = experiments.join("`, `");
        let detail = format!("Arms of the experiments `{names}` name this artifact; let them go by another one first.");
        return Err(Problem::new(StatusCode::CONFLICT, "in_use", detail));
    }
    admin.store.remove_artifact(&caller.actor(), &digest).await.map_err(|why| not_done(&digest, why))?;
    Ok(Json(Done { digest }))
}

async fn use_artifact(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    Id(digest): Id,
) -> Result<Json<Done>, Problem> {
    let own = found(&admin, &digest).await?;
    // One that another version of the program brought may mean nothing to this one.
    let digest = read(&admin, &own).await?.digest().to_owned();
    admin.store.use_artifact(&caller.actor(), &digest).await.map_err(|why| not_done(&digest, why))?;
    admin.artifacts.look().await?;
    Ok(Json(Done { digest }))
}

async fn compare_artifacts(State(admin): State<Admin>, Ids(one, other): Ids) -> Result<Json<Comparison>, Problem> {
    let (one, other) = (found(&admin, &one).await?, found(&admin, &other).await?);
    let (first, second) = (read(&admin, &one).await?, read(&admin, &other).await?);
    let [mut left, right] = [&first, &second].map(numbers);
    let mut figures: BTreeMap<String, [Value; 2]> =
        left.iter_mut().map(|(name, number)| (name.clone(), [number.take(), Value::Null])).collect();
    for (name, number) in right {
        figures.entry(name).or_default()[1] = number;
    }
    let figures = figures.into_iter().map(|(name, [one, other])| Figure { name, one, other });
    let [heads, others] = [&first, &second]
        .map(|artifact| artifact.parts().heads.iter().map(|head| head.name.clone()).collect::<BTreeSet<_>>());
    Ok(Json(Comparison {
        figures: figures.collect(),
        only_one: heads.difference(&others).cloned().collect(),
        only_other: others.difference(&heads).cloned().collect(),
        both: heads.intersection(&others).cloned().collect(),
        one,
        other,
    }))
}

/// Every number of an artifact's metadata by its place, and its thresholds.
fn numbers(artifact: &Artifact) -> BTreeMap<String, Value> {
    let parts = artifact.parts();
    let [cheap, mid] = parts.thresholds;
    let mut found = BTreeMap::from([("thresholds.cheap".into(), json!(cheap)), ("thresholds.mid".into(), json!(mid))]);
    let mut left = vec![(String::new(), serde_json::from_str(&parts.metadata).unwrap_or_default())];
    while let Some((place, value)) = left.pop() {
        let below = |name: &dyn std::fmt::Display| match place.as_str() {
            "" => name.to_string(),
            place => format!("{place}.{name}"),
        };
        match value {
            Value::Object(members) => left.extend(members.into_iter().map(|(name, value)| (below(&name), value))),
            Value::Array(items) => left.extend(items.into_iter().enumerate().map(|(at, value)| (below(&at), value))),
            Value::Number(_) => drop(found.insert(place, value)),
            _ => {}
        }
    }
    found
}

/// The artifact of that digest, or the only one whose digest begins so.
async fn found(admin: &Admin, digest: &str) -> Result<ArtifactView, Problem> {
    let (used, said) = (admin.store.artifact_in_use().await?.digest, admin.publication.said_now().await?);
    let begins = |kept: &Kept| kept.digest.starts_with(digest) && digest.len() >= LEAST_DIGITS;
    let mut all = admin.store.artifacts().await?.into_iter().filter(begins);
    match (all.next(), all.next()) {
        (Some(only), None) => Ok(view(only, &used, &said)),
        _ => Err(Problem::missing("artifact", digest)),
    }
}

async fn read(admin: &Admin, own: &ArtifactView) -> Result<Artifact, Problem> {
    let file = admin.store.artifact_file(&own.digest).await?;
    let file = file.ok_or_else(|| Problem::missing("artifact", &own.digest))?;
    Artifact::read(&file).map_err(|why| {
        let detail = format!("This program can't use the artifact: {why}.");
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_artifact", detail)
    })
}

fn view(kept: Kept, used: &str, said: &File) -> ArtifactView {
    let Kept { digest, name, metadata, source, bytes, added_ms, added_by } = kept;
    let metadata: Value = serde_json::from_str(&metadata).unwrap_or_default();
    let metrics = metadata.get("metrics").filter(|metrics| metrics.is_object()).cloned();
    let (in_use, metrics) = (digest == used, metrics.unwrap_or_else(|| json!({})));
    let experiments = said.experiments_with(&digest);
    ArtifactView { digest, name, source, bytes, added_ms, added_by, in_use, experiments, metrics }
}

fn not_done(digest: &str, why: NotDone) -> Problem {
    match why {
        NotDone::Missing => Problem::missing("artifact", digest),
        NotDone::InUse => {
            let detail = "This artifact is in use; put another one in use first.";
            Problem::new(StatusCode::CONFLICT, "in_use", detail)
        }
        NotDone::Failed(error) => Problem::failed(error),
    }
}
