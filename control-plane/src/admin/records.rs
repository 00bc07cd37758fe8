//! Records of exchanges, and the audit log of this API.

use axum::extract::State;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::Admin;
use super::api::{Api, Endpoint, Verb};
use super::body::{Asked, Id};
use super::page::{self, Listed, Page};
use super::policy::{Caller, Policy};
use super::problem::Problem;
use crate::feedback::FeedbackView;
use crate::store::audit::Entry;
use crate::store::records::{Kept, Wanted};

/// A Record: counts and names of one exchange, never a word that was said.
#[derive(Debug, Serialize, ToSchema)]
pub struct RecordView {
    /// The exchange's id, as `x-dragoman-request-id` says.
    exchange: String,
    /// When it began, in milliseconds since 1970.
    began_ms: i64,
    /// Who pays; empty when nobody does.
    account: String,
    /// What it cost in micro-dollars; null when nobody knows.
    cost_micros: Option<u64>,
    /// The Record as the data plane made it.
    #[schema(value_type = Object)]
    record: Value,
    /// What was said of it; left out in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    feedback: Option<Vec<FeedbackView>>,
}

/// One change.
#[derive(Debug, Serialize, ToSchema)]
pub struct Change {
    /// Its number.
    revision: u64,
    /// When, in milliseconds since 1970.
    at_ms: i64,
    /// Who.
    actor: String,
    /// How.
    action: String,
    /// What kind of row.
    kind: String,
    /// Which one.
    id: String,
    /// What it said before; null when it was not there.
    #[schema(value_type = Option<Object>)]
    before: Option<Value>,
    /// What it says since; null when it is gone.
    #[schema(value_type = Option<Object>)]
    after: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    limit: Option<u32>,
    after: Option<String>,
    caller: Option<String>,
    route: Option<String>,
    account: Option<String>,
}

/// Adds the endpoints.
pub fn add(api: &mut Api) {
    let (record, change) = (api.schema::<RecordView>(), api.schema::<Change>());
    let text = || json!({ "type": "string" });
    let list = Endpoint::new(Verb::Get, "/records", Policy::Spending, "list_records", "Records, the newest first.");
    let list = page::asked_after(list, "^[0-9]{1,18}-.+$").query("caller", text(), "Of this caller only.").query(
        "route",
        text(),
        "Of this route only.",
    );
    let list = list.query("account", text(), "Of this account and of all below it only.");
    api.add(list.gives(200, Some(page::schema(record.clone()))).refuses(&[404]), list_records);
    let read =
        Endpoint::new(Verb::Get, "/records/{exchange}", Policy::Spending, "get_record", "The Record of one exchange.");
    api.add(read.gives(200, Some(record)).refuses(&[404]), get_record);
    let audit = Endpoint::new(
        Verb::Get,
        "/audit",
        Policy::Read,
        "list_changes",
        "Every change of a row, the newest first: who, what, before, after.",
    );
    api.add(page::asked_by_number(audit).gives(200, Some(page::schema(change))), list_changes);
}

fn view(kept: Kept) -> RecordView {
    let record = serde_json::from_str(&kept.document).unwrap_or_default();
    let Kept { exchange, began_ms, account, cost_micros, .. } = kept;
    RecordView { exchange, began_ms, account, cost_micros, record, feedback: None }
}

async fn list_records(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    Asked(query): Asked<Query>,
) -> Result<Json<Listed<RecordView>>, Problem> {
    let limit = page::limit(query.limit)?;
    let after = match &query.after {
        None => None,
        Some(after) => {
            let place =
                after.split_once('-').and_then(|(began, exchange)| Some((began.parse().ok()?, exchange.to_string())));
            Some(place.ok_or_else(|| Problem::bad("`after` is the `next` of another page."))?)
        }
    };
    let within = Some(caller.tree(query.account)?).filter(|account| !account.is_empty());
    let wanted = Wanted { caller: query.caller, route: query.route, within, after };
    let found = admin.store.records(&wanted, page::one_more(limit)).await?;
    let items = found.into_iter().map(view).collect();
    Ok(Json(Listed::cut(items, limit, |record: &RecordView| format!("{}-{}", record.began_ms, record.exchange))))
}

async fn get_record(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    Id(exchange): Id,
) -> Result<Json<RecordView>, Problem> {
    let found = admin.store.record(&exchange).await?.filter(|kept| caller.sees(&kept.account));
    let kept = found.ok_or_else(|| Problem::missing("Record", &exchange))?;
    let said = admin.store.feedback_of(&exchange).await?.into_iter().map(FeedbackView::from).collect();
    Ok(Json(RecordView { feedback: Some(said), ..view(kept) }))
}

async fn list_changes(State(admin): State<Admin>, Asked(page): Asked<Page>) -> Result<Json<Listed<Change>>, Problem> {
    let limit = page.limit()?;
    let before = match &page.after {
        None => None,
        Some(after) => Some(after.parse().map_err(|_| Problem::bad("`after` is the `next` of another page."))?),
    };
    let found = admin.store.audit(before, page::one_more(limit)).await?;
    let items = found.into_iter().map(change).collect();
    Ok(Json(Listed::cut(items, limit, |change: &Change| change.revision.to_string())))
}

fn change(entry: Entry) -> Change {
    let document = |text: Option<String>| text.and_then(|text| serde_json::from_str(&text).ok());
    Change {
        revision: entry.revision,
        at_ms: entry.at_ms,
        actor: entry.actor,
        action: entry.action,
        kind: entry.kind,
        id: entry.id,
        before: document(entry.before),
        after: document(entry.after),
    }
}
