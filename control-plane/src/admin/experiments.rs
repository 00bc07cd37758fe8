//! What came of experiments.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::Admin;
use super::api::{Api, Endpoint, Verb};
use super::body::{Asked, Id};
use super::costs::moment;
use super::policy::Policy;
use super::problem::Problem;
use crate::experiments::{self, Difference, Figures};
use crate::store::now_ms;

/// What came of an experiment.
#[derive(Debug, Serialize, ToSchema)]
struct Results {
    /// The experiment.
    experiment: String,
    /// Exchanges that began then or later, in milliseconds since 1970.
    from_ms: i64,
    /// Exchanges that began before.
    until_ms: i64,
    /// Its arms, in their order.
    arms: Vec<ArmResults>,
}

/// What came of one arm: of its last 50,000 exchanges at most.
#[derive(Debug, Serialize, ToSchema)]
struct ArmResults {
    /// Its name.
    arm: String,
    /// Whom it goes to.
    to: String,
    /// By which artifact its models are chosen: how its digest begins, or `none`; null for the one in use.
    artifact: Option<String>,
    /// How often it is taken, against the others.
    weight: u64,
    /// Exchanges.
    requests: u64,
    /// Those that failed, and not because of what was asked.
    errors: u64,
    /// The sum of what is known of the cost, in micro-dollars.
    cost_micros: u64,
    /// What an exchange cost in the mean, in micro-dollars; null when nobody knows.
    mean_cost_micros: Option<u64>,
    /// Within how many milliseconds half of the answers began.
    latency_p50_ms: Option<u64>,
    /// The same for 95 of 100.
    latency_p95_ms: Option<u64>,
    /// Of how many exchanges a score was said.
    scored: u64,
    /// The mean score, from 0 to 1.
    score: Option<f64>,
    /// How it differs from the first arm; null of the first itself.
    against_first: Option<Against>,
}

/// Differences to the first arm; null where there is nothing to compare.
#[derive(Debug, Serialize, ToSchema)]
struct Against {
    /// How many more of a thousand failed.
    error_permille: Option<Differs>,
    /// How much more an exchange cost, in micro-dollars.
    cost_micros: Option<Differs>,
    /// How many milliseconds later answers began.
    latency_ms: Option<Differs>,
    /// How much better it was scored.
    score: Option<Differs>,
}

/// A difference.
#[derive(Debug, Serialize, ToSchema)]
struct Differs {
    /// How much more.
    by: f64,
    /// How likely such a difference is by chance alone; null where too little is known.
    p: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Span {
    from: Option<String>,
    until: Option<String>,
}

/// Adds the endpoints.
pub fn add(api: &mut Api) {
    let results = api.schema::<Results>();
    let words = "What came of each arm: requests, errors, costs, times and scores, and whether it differs from the first by more than chance.";
    let read = Endpoint::new(Verb::Get, "/experiments/{id}/results", Policy::Read, "get_experiment_results", words);
    let text = || json!({ "type": "string" });
    let read = read
        .query("from", text(), "What began then or later: `2026-11-01` in UTC, or a moment; everything when left out.")
        .query("until", text(), "What began before; until now when left out.");
    api.add(read.gives(200, Some(results)).refuses(&[404, 422]), results_of);
}

async fn results_of(
    State(admin): State<Admin>,
    Id(id): Id,
    Asked(span): Asked<Span>,
) -> Result<Json<Results>, Problem> {
    let current = admin.publication.current();
    let row = current.file.experiments.iter().find(|row| row.name.value == id);
    let row = row.ok_or_else(|| Problem::missing("experiment", &id))?;
    let read = |name: &str, said: Option<String>| match said {
        None => Ok(None),
        Some(said) => moment(&said).map(Some).ok_or_else(|| {
            Problem::mistakes(vec![format!(
                "`{name}` is a day such as 2026-11-01 or a moment such as 2026-11-01T08:00:00Z"
            )])
        }),
    };
    let from_ms = read("from", span.from)?.unwrap_or(0);
    let until_ms = read("until", span.until)?.unwrap_or_else(|| now_ms() + 1);
    let (mut arms, mut first) = (Vec::new(), None);
    for (arm, _) in &row.arms {
        let figures = admin.store.arm(&format!("{id}/{}", arm.name), from_ms, until_ms).await?;
        arms.push(ArmResults {
            arm: arm.name.clone(),
            to: arm.to.clone(),
            artifact: arm.by.written().map(str::to_owned),
            weight: arm.weight,
            requests: figures.requests,
            errors: figures.errors,
            cost_micros: figures.costs_micros.iter().fold(0, |sum, cost| sum.saturating_add(*cost)),
            mean_cost_micros: experiments::mean(&figures.costs_micros),
            latency_p50_ms: figures.latency_ms(50),
            latency_p95_ms: figures.latency_ms(95),
            scored: figures.scores.len() as u64,
            score: experiments::mean(&figures.scores).map(|score| score as f64 / 1000.0),
            against_first: first.as_ref().map(|first| against(&figures, first)),
        });
        first.get_or_insert(figures);
    }
    Ok(Json(Results { experiment: id, from_ms, until_ms, arms }))
}

fn against(one: &Figures, first: &Figures) -> Against {
    let scaled = |by: f64| move |found: Difference| Differs { by: found.by / by, p: found.p };
    Against {
        error_permille: one.errors_against(first).map(scaled(1.0)),
        cost_micros: experiments::means(&one.costs_micros, &first.costs_micros).map(scaled(1.0)),
        latency_ms: experiments::means(&one.latencies_ms, &first.latencies_ms).map(scaled(1.0)),
        score: experiments::means(&one.scores, &first.scores).map(scaled(1000.0)),
    }
}
