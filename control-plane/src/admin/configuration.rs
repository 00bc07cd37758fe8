//! All rows at once: apply, export, check.

use std::collections::{BTreeMap, HashMap, HashSet};

use axum::extract::State;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::api::{Api, Endpoint, Verb};
use super::body::{Asked, Said};
use super::policy::{Caller, Policy};
use super::problem::Problem;
use super::{Admin, schema};
use crate::catalog;
use crate::settings::{File, Kind, Known, SaidRow};
use crate::store::rows::{Condition, Edit, Row, Rows};

/// Rows by kind and id.
type Bundle = BTreeMap<String, BTreeMap<String, Map<String, Value>>>;

/// What applying rows does, or would do.
#[derive(Debug, Serialize, ToSchema)]
pub struct Applied {
    /// Rows that are new, as `route/fast`.
    added: Vec<String>,
    /// Rows that say something else now.
    changed: Vec<String>,
    /// Rows that are gone.
    removed: Vec<String>,
    /// The number of the last change.
    revision: u64,
    /// The Snapshot that has them; null for a dry run, or when it is not served yet.
    snapshot: Option<u64>,
}

/// What a settings file would mean.
#[derive(Debug, Serialize, ToSchema)]
pub struct Checked {
    /// Whether it could be served.
    good: bool,
    /// Every mistake with its line and column.
    mistakes: Vec<MistakeView>,
    /// What an operator should know of a good one.
    warnings: Vec<String>,
}

/// One mistake in a file.
#[derive(Debug, Serialize, ToSchema)]
pub struct MistakeView {
    /// From 1.
    line: usize,
    /// In characters, from 1.
    column: usize,
    /// What is wrong and what to write instead.
    message: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct How {
    #[serde(default)]
    dry_run: bool,
    #[serde(default)]
    prune: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with the member `toml`")]
struct Text {
    toml: String,
}

/// Adds the endpoints.
pub fn add(api: &mut Api) {
    let (applied, checked) = (api.schema::<Applied>(), api.schema::<Checked>());
    let flag = || json!({ "type": "boolean", "default": false });
    let apply = Endpoint::new(Verb::Post, "/apply", Policy::Change, "apply", "Says many rows at once, all or none.");
    let apply = apply
        .query("dry_run", flag(), "Only say what would change.")
        .query("prune", flag(), "Take away the rows of this API that are not among these.")
        .takes(bundle());
    api.add(apply.gives(200, Some(applied)), apply_rows);
    let export = Endpoint::new(
        Verb::Get,
        "/export",
        Policy::Read,
        "export",
        "What the file and this API say together, as `apply` takes it.",
    );
    api.add(export.gives(200, Some(bundle())), export_rows);
    let check = Endpoint::new(
        Verb::Post,
        "/check",
        Policy::Read,
        "check",
        "Whether a settings file (TOML) could be served. Nothing is changed.",
    );
    let text = json!({
        "type": "object", "required": ["toml"], "additionalProperties": false,
        "properties": { "toml": { "type": "string", "description": "The file's text." } },
    });
    api.add(check.takes(text).gives(200, Some(checked)), check_file);
}

/// The schema of rows by kind and id.
fn bundle() -> Value {
    let kinds: Map<String, Value> = Kind::ALL
        .into_iter()
        .map(|kind| {
            let rows = json!({ "type": "object", "additionalProperties": schema::row(kind) });
            (kind.name().to_string(), rows)
        })
        .collect();
    json!({ "type": "object", "additionalProperties": false, "properties": kinds })
}

async fn apply_rows(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    Asked(how): Asked<How>,
    Said(bundle): Said<Bundle>,
) -> Result<Json<Applied>, Problem> {
    let before = admin.store.rows().await?;
    let edits = edits(bundle, &before, &how)?;
    let mut applied = told(&edits, &before);
    let tried = admin.publication.try_edits(&edits).await.map_err(Problem::flaws)?;
    let check = |rows: &Rows| admin.publication.check_again(rows, &tried);
    if how.dry_run {
        return Ok(Json(applied));
    }
    let rows = admin.store.edit(&caller.actor(), "apply", &edits, check).await?;
    applied.revision = rows.revision;
    applied.snapshot = admin.publication.serve(rows.revision).await;
    Ok(Json(applied))
}

fn edits(bundle: Bundle, before: &Rows, how: &How) -> Result<Vec<Edit>, Problem> {
    let mut edits = Vec::new();
    for (name, rows) in bundle {
        let kind = Kind::named(&name).ok_or_else(|| {
            let known: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
            Problem::bad(format!("There are no rows of that kind; there are {}.", known.join(", ")))
        })?;
        edits.extend(rows.into_iter().map(|(id, members)| Edit {
            kind,
            id,
            to: Some(Value::Object(members).to_string()),
            condition: Condition::None,
        }));
    }
    if how.prune {
        let stay: HashSet<(Kind, &str)> = edits.iter().map(|edit: &Edit| (edit.kind, edit.id.as_str())).collect();
        let gone: Vec<Edit> = before
            .list
            .iter()
            .filter(|row| !stay.contains(&(row.kind, row.id.as_str())))
            .map(|row| Edit { kind: row.kind, id: row.id.clone(), to: None, condition: Condition::None })
            .collect();
        edits.extend(gone);
    }
    Ok(edits)
}

fn told(edits: &[Edit], before: &Rows) -> Applied {
    let mut applied =
        Applied { added: vec![], changed: vec![], removed: vec![], revision: before.revision, snapshot: None };
    let known: HashMap<(Kind, &str), &Row> = before.list.iter().map(|row| ((row.kind, row.id.as_str()), row)).collect();
    for edit in edits {
        let name = format!("{}/{}", edit.kind.name(), edit.id);
        match (known.get(&(edit.kind, edit.id.as_str())), &edit.to) {
            (None, Some(_)) => applied.added.push(name),
            (Some(row), Some(to)) if row.document != *to => applied.changed.push(name),
            (Some(_), None) => applied.removed.push(name),
            _ => {}
        }
    }
    applied
}

async fn export_rows(State(admin): State<Admin>) -> Result<Json<Bundle>, Problem> {
    let mut said = admin.publication.file().said;
    said.lay(admin.store.rows().await?.list.iter().filter_map(|row| {
        let members = serde_json::from_str(&row.document).ok()?;
        Some(SaidRow { kind: row.kind, id: row.id.clone(), members })
    }));
    let mut bundle = Bundle::new();
    for row in said.0 {
        bundle.entry(row.kind.name().to_string()).or_default().insert(row.id, row.members);
    }
    Ok(Json(bundle))
}

async fn check_file(Said(text): Said<Text>) -> Result<Json<Checked>, Problem> {
    let known = catalog::known().unwrap_or_else(|_| Known::default());
    let checked = match File::read("dragoman.toml", &text.toml, &known) {
        Err(mistakes) => {
            let view = |mistake: crate::settings::Mistake| MistakeView {
                line: mistake.line,
                column: mistake.column,
                message: mistake.message,
            };
            let mistakes = mistakes.list.into_iter().map(view).collect();
            Checked { good: false, mistakes, warnings: Vec::new() }
        }
        Ok(file) => {
            let catalog = catalog::Catalog::join(&file, &crate::run::environment);
            let made = catalog.and_then(|catalog| crate::current::Made::of(catalog, file));
            match made {
                Ok(made) => Checked { good: true, mistakes: Vec::new(), warnings: made.warnings },
                Err(error) => Checked { good: false, mistakes: Vec::new(), warnings: vec![format!("{error:#}")] },
            }
        }
    };
    Ok(Json(checked))
}
