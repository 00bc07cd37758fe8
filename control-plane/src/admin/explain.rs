//! What would happen to a request, what happened to one, and who could stand in for a model.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use dragoman_core::admission::Grant;
use dragoman_core::explain::{Explanation, Situation, explain, explain_record};
use dragoman_core::json::Writer;
use dragoman_core::record::Record;
use dragoman_core::snapshot::Snapshot;
use dragoman_core::usage::Usage;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::Admin;
use super::api::{Api, Endpoint, Verb};
use super::body::{Asked, Id, Said};
use super::policy::Policy;
use super::problem::Problem;
use crate::current::Current;
use crate::prices::Source;
use crate::publish::fallbacks::recommended;
use crate::settings::Strategy;
use crate::store::now_ms;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Supposed {
    #[serde(default = "usual_path")]
    path: String,
    #[serde(default = "usual_method")]
    method: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// The id of the key that would be used: rules may be for some only.
    #[serde(default)]
    caller: Option<String>,
    body: Value,
}

fn usual_path() -> String {
    "/v1/chat/completions".to_string()
}

fn usual_method() -> String {
    "POST".to_string()
}

/// A target that could stand in.
#[derive(Debug, Serialize, ToSchema)]
pub struct Fallback {
    /// `provider/model`.
    target: String,
    /// 0 to 1000: how similar, or how cheap.
    score: u64,
    /// Why.
    why: Vec<String>,
}

/// The best five.
#[derive(Debug, Serialize, ToSchema)]
pub struct Fallbacks {
    /// The best first.
    items: Vec<Fallback>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct By {
    strategy: Option<String>,
}

/// Adds the endpoints.
pub fn add(api: &mut Api) {
    let fallbacks = api.schema::<Fallbacks>();
    let request = json!({
        "type": "object",
        "required": ["body"],
        "additionalProperties": false,
        "properties": {
            "method": { "type": "string", "default": usual_method() },
            "path": { "type": "string", "default": usual_path(), "description": "With its query." },
            "headers": { "type": "object", "additionalProperties": { "type": "string" } },
            "caller": { "type": "string", "description": "The id of the key that would be used; left out: only rules for everybody hold." },
            "body": { "description": "What the client would send, as JSON." },
        },
    });
    let object = json!({ "type": "object", "required": ["candidates"] });
    let now = Endpoint::new(
        Verb::Post,
        "/explain",
        Policy::Read,
        "explain",
        "What would happen to a request, and why. Nothing is sent.",
    );
    api.add(now.takes(request).gives(200, Some(object.clone())), explain_now);
    let past = Endpoint::new(
        Verb::Get,
        "/explain/{exchange}",
        Policy::Read,
        "explain_exchange",
        "Why an exchange went as it went, by its Record and the Snapshot of its time.",
    );
    api.add(past.gives(200, Some(object)).refuses(&[404, 410]), explain_past);
    let names: Vec<&str> = Strategy::ALL.iter().map(|strategy| strategy.name()).collect();
    let list = Endpoint::new(
        Verb::Get,
        "/models/{id}/fallbacks",
        Policy::Read,
        "list_fallbacks",
        "The five targets that could best stand in for a model.",
    );
    let list = list.query(
        "strategy",
        json!({ "type": "string", "enum": names, "default": "capability" }),
        "By what they are chosen.",
    );
    api.add(list.gives(200, Some(fallbacks)).refuses(&[404]), list_fallbacks);
}

async fn explain_now(State(admin): State<Admin>, Said(supposed): Said<Supposed>) -> Result<Json<Value>, Problem> {
    let current = admin.publication.current();
    let headers: Vec<(String, String)> =
        supposed.headers.into_iter().map(|(name, value)| (name.to_lowercase(), value)).collect();
    let body = supposed.body.to_string();
    let (method, path) = (supposed.method.as_str(), supposed.path.as_str());
    let grant = match supposed.caller {
        Some(caller) => Some(admin.keys.grant(&caller).await?.unwrap_or(Grant { caller, ..Grant::default() })),
        None => None,
    };
    let now_ms = u64::try_from(now_ms()).unwrap_or(0);
    let (health, artifacts) = (admin.health.as_told(now_ms), admin.artifacts.known());
    let situation = Situation { grant: grant.as_ref(), health: Some(&health), artifacts: Some(&artifacts), now_ms };
    let explanation = explain(method, path, &headers, body.as_bytes(), situation, &current.snapshot);
    told(&explanation, &current)
}

async fn explain_past(State(admin): State<Admin>, Id(exchange): Id) -> Result<Json<Value>, Problem> {
    let kept = admin.store.record(&exchange).await?.ok_or_else(|| Problem::missing("Record", &exchange))?;
    let record = Record::read(kept.document.as_bytes());
    let record = record.ok_or_else(|| Problem::failed(anyhow::anyhow!("a kept Record can't be read")))?;
    let gone = || {
        let detail = "The Snapshot of that time is not kept any more; the Record itself is at /records.";
        Problem::new(axum::http::StatusCode::GONE, "snapshot_gone", detail)
    };
    let (_, document) = super::snapshots::found(&admin, &record.snapshot.to_string()).await.map_err(|_| gone())?;
    let snapshot = Snapshot::read(document.to_string().as_bytes()).map_err(|_| gone())?;
    let current = admin.publication.current();
    let mut explained = told(&explain_record(&record, &snapshot), &current)?.0;
    if let Some(members) = explained.as_object_mut() {
        members.insert("record".into(), serde_json::from_str(&kept.document).unwrap_or_default());
        members.insert("cost_micros".into(), json!(kept.cost_micros));
    }
    Ok(Json(explained))
}

/// An explanation with what each candidate would cost by today's prices.
fn told(explanation: &Explanation<'_>, current: &Current) -> Result<Json<Value>, Problem> {
    let mut out = Writer::new();
    explanation.write(&mut out);
    let mut told: Value = serde_json::from_slice(&out.into_bytes()).map_err(|error| Problem::failed(error.into()))?;
    let wanted = explanation.wanted.as_ref();
    let input = wanted.map_or(0, |wanted| wanted.estimated_tokens);
    let output = wanted.and_then(|wanted| wanted.output_limit);
    let now = u64::try_from(now_ms()).unwrap_or(0);
    for candidate in told["candidates"].as_array_mut().into_iter().flatten() {
        let target = candidate["target"].as_str().unwrap_or_default().to_string();
        let Some(priced) = current.prices.price(&target, now) else { continue };
        let cost = |output: u64| {
            let usage = Usage { input: Some(input), output: Some(output), ..Usage::default() };
            priced.price.cost(&usage).micro_dollars()
        };
        let estimate = json!({
            "input_micros": cost(0),
            "most_micros": output.map(cost),
            "price": match priced.source { Source::Listed => "listed", Source::Ceiling => "ceiling" },
        });
        if let Some(members) = candidate.as_object_mut() {
            members.insert("estimate".into(), estimate);
        }
    }
    Ok(Json(told))
}

async fn list_fallbacks(
    State(admin): State<Admin>,
    Id(model): Id,
    Asked(by): Asked<By>,
) -> Result<Json<Fallbacks>, Problem> {
    let strategy = match by.strategy.as_deref() {
        None => Strategy::Capability,
        Some(name) => Strategy::named(name).ok_or_else(|| Problem::bad("There is no such strategy."))?,
    };
    let current = admin.publication.current();
    let catalog = &current.catalog;
    let named = |row: &crate::settings::ModelRow| {
        row.name == model || row.offers.iter().any(|(provider, name, _)| format!("{provider}/{name}") == model)
    };
    if !catalog.models.iter().any(named) {
        return Err(Problem::missing("model", &model));
    }
    let now = u64::try_from(now_ms()).unwrap_or(0);
    let found = recommended(catalog, &current.prices, &model, strategy, now);
    let items = found.into_iter().map(|one| Fallback { target: one.target, score: one.score, why: one.why }).collect();
    Ok(Json(Fallbacks { items }))
}
