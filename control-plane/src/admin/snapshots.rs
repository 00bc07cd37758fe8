//! Published Snapshots: list, look, compare, go back.

use axum::extract::State;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::Admin;
use super::api::{Api, Endpoint, Verb};
use super::body::{Asked, Id};
use super::page::{self, Listed, Page};
use super::policy::{Caller, Policy};
use super::problem::Problem;
use crate::store::rows::Rows;
use crate::store::versions::Version;

/// A Snapshot that was published.
#[derive(Debug, Serialize, ToSchema)]
pub struct VersionView {
    /// Its number.
    version: u64,
    /// When it was made, in milliseconds since 1970.
    made_ms: i64,
    /// The last change of this API's rows that it has.
    revision: u64,
    /// SHA-256 of its content.
    digest: String,
    /// Why it is not served; null for a good one.
    rejected: Option<String>,
    /// Whether it is the one that is served.
    served: bool,
}

/// How two Snapshots differ.
#[derive(Debug, Serialize, ToSchema)]
pub struct Difference {
    /// The one.
    from: u64,
    /// The other.
    to: u64,
    /// What only the other has, as `route/fast`.
    added: Vec<String>,
    /// What only the one has.
    removed: Vec<String>,
    /// What both have, but not alike.
    changed: Vec<String>,
}

/// What going back led to.
#[derive(Debug, Serialize, ToSchema)]
pub struct WentBack {
    /// The number of the last change; the rows are those of the old Snapshot now.
    revision: u64,
    /// The Snapshot that is served, a new one with the old content; null when it is not served yet.
    snapshot: Option<u64>,
    /// What is still not as it was, for the file, the catalogue or the environment is another now.
    remaining: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Against {
    to: Option<u64>,
}

/// Adds the endpoints.
pub fn add(api: &mut Api) {
    let (view, difference, back) = (api.schema::<VersionView>(), api.schema::<Difference>(), api.schema::<WentBack>());
    let list = Endpoint::new(
        Verb::Get,
        "/snapshots",
        Policy::Read,
        "list_snapshots",
        "Published Snapshots, the newest first.",
    );
    api.add(page::asked_by_number(list).gives(200, Some(page::schema(view))), list_snapshots);
    let read = Endpoint::new(
        Verb::Get,
        "/snapshots/{version}",
        Policy::Read,
        "get_snapshot",
        "A Snapshot as the filters read it.",
    );
    api.add(read.gives(200, Some(json!({ "type": "object" }))).refuses(&[404]), get_snapshot);
    let compare = Endpoint::new(
        Verb::Get,
        "/snapshots/{version}/diff",
        Policy::Read,
        "compare_snapshots",
        "What another Snapshot has and this one has not, and the other way round.",
    );
    let compare = compare.query(
        "to",
        json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX }),
        "The other one; the one that is served when left out.",
    );
    api.add(compare.gives(200, Some(difference)).refuses(&[404]), compare_snapshots);
    let go_back = Endpoint::new(
        Verb::Post,
        "/snapshots/{version}/rollback",
        Policy::Change,
        "roll_back",
        "Makes this API's rows what they were when that Snapshot was made.",
    );
    api.add(go_back.gives(200, Some(back)).refuses(&[404]), roll_back);
}

async fn list_snapshots(
    State(admin): State<Admin>,
    Asked(page): Asked<Page>,
) -> Result<Json<Listed<VersionView>>, Problem> {
    let limit = page.limit()?;
    let before = match &page.after {
        None => None,
        Some(after) => Some(after.parse().map_err(|_| Problem::bad("`after` is the `next` of another page."))?),
    };
    let served = admin.publication.current().version;
    let view = |row: Version| VersionView {
        served: row.version == served,
        version: row.version,
        made_ms: row.made_ms,
        revision: row.revision,
        digest: row.digest,
        rejected: row.rejected,
    };
    let found = admin.store.versions(before, u32::try_from(limit + 1).unwrap_or(u32::MAX)).await?;
    Ok(Json(Listed::cut(found.into_iter().map(view).collect(), limit, |row: &VersionView| row.version.to_string())))
}

/// A Snapshot with its document, in which its version stands.
pub async fn found(admin: &Admin, version: &str) -> Result<(Version, Value), Problem> {
    let missing = || Problem::missing("Snapshot", version);
    let number: u64 = version.parse().map_err(|_| Problem::bad("A Snapshot's version is a whole number."))?;
    let (row, document) = admin.store.version(number).await?.ok_or_else(missing)?;
    let mut document: Value = serde_json::from_str(&document).map_err(|error| Problem::failed(error.into()))?;
    if let Some(members) = document.as_object_mut() {
        members.insert("version".into(), Value::from(row.version));
    }
    Ok((row, document))
}

async fn get_snapshot(State(admin): State<Admin>, Id(version): Id) -> Result<Json<Value>, Problem> {
    Ok(Json(found(&admin, &version).await?.1))
}

async fn compare_snapshots(
    State(admin): State<Admin>,
    Id(version): Id,
    Asked(against): Asked<Against>,
) -> Result<Json<Difference>, Problem> {
    let to = against.to.unwrap_or_else(|| admin.publication.current().version).to_string();
    let (from, before) = found(&admin, &version).await?;
    let (to, after) = found(&admin, &to).await?;
    Ok(Json(difference(from.version, &before, to.version, &after)))
}

async fn roll_back(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    Id(version): Id,
) -> Result<Json<WentBack>, Problem> {
    let (row, document) = found(&admin, &version).await?;
    let edits = admin.store.edits_back_to(row.revision).await?;
    let check = |rows: &Rows| admin.publication.check(rows, &[]).map(|_| ());
    let action = format!("roll back to Snapshot {}", row.version);
    let rows = admin.store.edit(&caller.actor(), &action, &edits, check).await?;
    let snapshot = admin.publication.serve(rows.revision).await;
    let now: Value = serde_json::from_slice(&admin.publication.current().document).unwrap_or_default();
    let Difference { added, removed, changed, .. } = difference(row.version, &document, 0, &now);
    let remaining = added.into_iter().chain(removed).chain(changed).collect();
    Ok(Json(WentBack { revision: rows.revision, snapshot, remaining }))
}

/// Compares what has a name; targets and providers are named by their ids, whatever their place is.
fn difference(from: u64, before: &Value, to: u64, after: &Value) -> Difference {
    let (before, after) = (named(before), named(after));
    let only = |one: &Map<String, Value>, other: &Map<String, Value>| -> Vec<String> {
        one.keys().filter(|name| !other.contains_key(*name)).cloned().collect()
    };
    let changed = before.iter().filter(|(name, row)| after.get(*name).is_some_and(|other| other != *row));
    Difference {
        from,
        to,
        added: only(&after, &before),
        removed: only(&before, &after),
        changed: changed.map(|(name, _)| name.clone()).collect(),
    }
}

/// Every row of a Snapshot by kind and name, with names where the document has indexes.
fn named(document: &Value) -> Map<String, Value> {
    let list = |name: &str| document[name].as_array().cloned().unwrap_or_default();
    let (providers, targets) = (list("providers"), list("targets"));
    let name = |rows: &[Value], index: &Value| {
        let at = index.as_u64().and_then(|at| usize::try_from(at).ok());
        at.and_then(|at| rows.get(at)).map(|row| row["id"].clone()).unwrap_or_default()
    };
    let mut all = Map::new();
    for row in &providers {
        all.insert(format!("provider/{}", row["id"].as_str().unwrap_or_default()), row.clone());
    }
    for row in &targets {
        let mut row = row.clone();
        row["provider"] = name(&providers, &row["provider"]);
        all.insert(format!("target/{}", row["id"].as_str().unwrap_or_default()), row);
    }
    for row in list("routes") {
        let mut row = row;
        let candidates = row["candidates"].as_array().cloned().unwrap_or_default();
        row["candidates"] = candidates.iter().map(|index| name(&targets, index)).collect();
        all.insert(format!("route/{}", row["name"].as_str().unwrap_or_default()), row);
    }
    for row in list("families") {
        let mut row = row;
        row["provider"] = name(&providers, &row["provider"]);
        all.insert(format!("family/{}", row["prefix"].as_str().unwrap_or_default()), row);
    }
    for row in list("rules") {
        all.insert(format!("rule/{}", row["name"].as_str().unwrap_or_default()), row);
    }
    all
}
