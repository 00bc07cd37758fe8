//! Providers, models, prices, routes, aliases, suspensions, rules: one set of endpoints for each kind.

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::api::{Api, Endpoint, Verb};
use super::body::{Asked, Id, Said, condition, tagged};
use super::page::{self, Listed, Page};
use super::policy::{Caller, Policy};
use super::problem::{Problem, Told};
use super::{Admin, schema};
use crate::catalog::shipped_rows;
use crate::publication::Tried;
use crate::settings::{self, Kind};
use crate::store::rows::{Edit, Rows};

/// A row as it is now, with where that comes from.
#[derive(Debug, Serialize, ToSchema)]
pub struct RowView {
    /// Its name among its kind.
    id: String,
    /// Who says something of it, the lowest first: what stands higher wins, member by member.
    sources: Vec<Source>,
    /// What all of them together say.
    #[schema(value_type = Object)]
    effective: Map<String, Value>,
    /// What this API said; null when it said nothing.
    #[schema(value_type = Option<Object>)]
    row: Option<Map<String, Value>>,
    /// The change that made this API's row; 0 when there is none. The entity tag.
    revision: u64,
    /// When that was, in milliseconds since 1970.
    changed_ms: Option<i64>,
    /// Who did it.
    changed_by: Option<String>,
}

/// Who says something of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The rows that ship.
    Catalogue,
    /// dragoman.toml.
    File,
    /// This API.
    Api,
}

/// What a change led to.
#[derive(Debug, Serialize, ToSchema)]
pub struct Changed {
    /// The number of the change, the row's new entity tag.
    revision: u64,
    /// The Snapshot that has it; null when it is not served yet.
    snapshot: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Trial {
    #[serde(default)]
    dry_run: bool,
}

/// `a` or `an`.
fn article(kind: Kind) -> &'static str {
    if matches!(kind, Kind::Alias | Kind::Identity | Kind::Experiment) { "an" } else { "a" }
}

/// Adds the endpoints of every kind.
pub fn add(api: &mut Api) {
    for kind in Kind::ALL {
        add_kind(api, kind);
    }
}

fn add_kind(api: &mut Api, kind: Kind) {
    let (name, all) = (kind.name(), format!("/{}", kind.plural()));
    let one = format!("{all}/{{id}}");
    let (view, changed) = (api.schema::<RowView>(), api.schema::<Changed>());
    api.schema::<Told>();
    let list =
        Endpoint::new(Verb::Get, &all, Policy::Read, &format!("list_{}", kind.plural()), &format!("Every {name}."));
    let list = page::asked(list).gives(200, Some(page::schema(view.clone())));
    api.add(list, move |State(admin): State<Admin>, Asked(page): Asked<Page>| async move {
        let views = views(kind, &admin).await?;
        Ok::<_, Problem>(axum::Json(Listed::of(views.into_iter(), &page, |view| view.id.clone())?))
    });
    let read = Endpoint::new(Verb::Get, &one, Policy::Read, &format!("get_{name}"), &format!("One {name}."));
    api.add(read.gives(200, Some(view)).refuses(&[404]), move |State(admin): State<Admin>, Id(id): Id| async move {
        let view = views(kind, &admin).await?.into_iter().find(|view| view.id == id);
        let view = view.ok_or_else(|| Problem::missing(kind.name(), &id))?;
        Ok::<_, Problem>(tagged(view.revision, view))
    });
    let put = format!(
        "Says what {} {name} is, over what the file and the catalogue say. Served when it is answered.",
        article(kind)
    );
    let put = Endpoint::new(Verb::Put, &one, Policy::Change, &format!("put_{name}"), &put);
    let put = put
        .query("dry_run", serde_json::json!({ "type": "boolean", "default": false }), "Only check.")
        .header(
            "if-match",
            "",
            "Only if the row is as this entity tag says; \"0\" when this API has said nothing of it.",
        )
        .header("if-none-match", "", "`*`: only if this API has said nothing of it.")
        .takes(schema::row(kind))
        .gives(200, Some(changed.clone()))
        .refuses(&[412]);
    api.add(
        put,
        move |State(admin): State<Admin>,
              Extension(caller): Extension<Caller>,
              Id(id): Id,
              Asked(trial): Asked<Trial>,
              headers: HeaderMap,
              Said(members): Said<Map<String, Value>>| async move {
            let to = Some(Value::Object(members).to_string());
            change(kind, &admin, &caller, "put", Edit { kind, id, to, condition: condition(&headers)? }, trial).await
        },
    );
    let delete = format!(
        "Takes away what this API said of {} {name}; what the file and the catalogue say is left.",
        article(kind)
    );
    let delete = Endpoint::new(Verb::Delete, &one, Policy::Change, &format!("delete_{name}"), &delete);
    let delete = delete
        .header("if-match", "", "Only if the row is as this entity tag says.")
        .gives(200, Some(changed))
        .refuses(&[404, 412]);
    api.add(delete, move |State(admin): State<Admin>, Extension(caller): Extension<Caller>, Id(id): Id, headers: HeaderMap| async move {
        let edit = Edit { kind, id, to: None, condition: condition(&headers)? };
        change(kind, &admin, &caller, "delete", edit, Trial::default()).await
    });
}

async fn change(
    kind: Kind,
    admin: &Admin,
    caller: &Caller,
    action: &str,
    edit: Edit,
    trial: Trial,
) -> Result<Response, Problem> {
    let edits = std::slice::from_ref(&edit);
    let tried = match edit.to {
        Some(_) => admin.publication.try_edits(edits).await.map_err(Problem::flaws)?,
        None => Tried::not_yet(kind, &edit.id),
    };
    let check = |rows: &Rows| admin.publication.check_again(rows, &tried);
    if trial.dry_run {
        let revision = admin.store.rows().await?.find(kind, &edit.id).map_or(0, |row| row.revision);
        return Ok(tagged(revision, Changed { revision, snapshot: None }).into_response());
    }
    let rows = admin.store.edit(&caller.actor(), action, edits, check).await?;
    let revision = rows.find(kind, &edit.id).map_or(rows.revision, |row| row.revision);
    let snapshot = admin.publication.serve(rows.revision).await;
    Ok((StatusCode::OK, tagged(revision, Changed { revision, snapshot })).into_response())
}

/// Every row of a kind, by its name.
async fn views(kind: Kind, admin: &Admin) -> Result<Vec<RowView>, Problem> {
    let rows = admin.store.rows().await?;
    let file = admin.publication.file();
    let (shipped, nothing) = (shipped_rows(), settings::Said::default());
    let shipped = if file.catalog.unwrap_or(true) { shipped } else { &nothing };
    let mut effective = shipped.clone();
    effective.lay(file.said.0.iter().cloned());
    let said = |row: &crate::store::rows::Row| serde_json::from_str::<Map<String, Value>>(&row.document).ok();
    effective.lay(
        rows.list
            .iter()
            .filter_map(|row| Some(settings::SaidRow { kind: row.kind, id: row.id.clone(), members: said(row)? })),
    );
    let mut views: Vec<RowView> = effective
        .0
        .into_iter()
        .filter(|row| row.kind == kind)
        .map(|row| {
            let own = rows.find(kind, &row.id);
            let has = [
                (Source::Catalogue, shipped.find(kind, &row.id).is_some()),
                (Source::File, file.said.find(kind, &row.id).is_some()),
                (Source::Api, own.is_some()),
            ];
            RowView {
                sources: has.into_iter().filter(|(_, says)| *says).map(|(source, _)| source).collect(),
                effective: row.members,
                row: own.and_then(said),
                revision: own.map_or(0, |row| row.revision),
                changed_ms: own.map(|row| row.changed_ms),
                changed_by: own.map(|row| row.changed_by.clone()),
                id: row.id,
            }
        })
        .collect();
    views.sort_by(|one, two| one.id.cmp(&two.id));
    Ok(views)
}
