//! What is said of exchanges: scores and labels, never a word of the exchanges themselves.

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use dragoman_core::feedback::{self, Wrong};
use dragoman_core::record::{Ending, Record};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::Admin;
use super::api::{Api, Endpoint, Verb};
use super::body::{Asked, Said};
use super::page::{self, Listed, Page};
use super::policy::{Caller, Policy};
use super::problem::Problem;
use crate::feedback::{FeedbackView, give, share};
use crate::store::feedback::Example;

/// What is said of an exchange: a score, a label or both.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Opinion {
    /// The exchange's id, as `x-dragoman-request-id` says.
    #[schema(min_length = 1, max_length = 200)]
    exchange: String,
    /// How good the answer was, from 0 to 1; kept in thousandths.
    #[schema(minimum = 0, maximum = 1)]
    score: Option<f64>,
    /// A word for it: letters, digits, `-`, `_` or `.`.
    #[schema(pattern = "^[A-Za-z0-9._-]{1,64}$")]
    label: Option<String>,
}

/// An exchange to learn from.
#[derive(Debug, Serialize, ToSchema)]
struct ExampleView {
    /// The exchange.
    id: String,
    /// When it began, in milliseconds since 1970.
    began_ms: i64,
    /// The version of what the numbers mean.
    schema: u32,
    /// The request's numbers, in the order of that version's schema.
    dense: Vec<u32>,
    /// The bucket that it was in.
    bucket: String,
    /// Who answered.
    target: String,
    /// What it cost in micro-dollars; null when nobody knows.
    cost_micros: Option<u64>,
    /// The mean of what was said of it, from 0 to 1.
    score: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    limit: Option<u32>,
    after: Option<String>,
    account: Option<String>,
}

/// Adds the endpoints.
pub fn add(api: &mut Api) {
    let (opinion, view) = (api.schema::<Opinion>(), api.schema::<FeedbackView>());
    let example = api.schema::<ExampleView>();
    let words =
        "Says how good an exchange's answer was. Each actor has one word on each exchange, and the later one holds.";
    let give = Endpoint::new(Verb::Post, "/feedback", Policy::Keys, "give_feedback", words);
    api.add(give.takes(opinion).gives(200, Some(view.clone())).refuses(&[404, 422]), give_feedback);
    let words = "What was said of exchanges, the newest first.";
    let list = Endpoint::new(Verb::Get, "/feedback", Policy::Spending, "list_feedback", words);
    let list = page::asked_after(list, "^[0-9]{1,18}/[^/]+/.+$");
    let list = list.query("account", json!({ "type": "string" }), "Of this account and of all below it only.");
    api.add(list.gives(200, Some(page::schema(view))).refuses(&[404]), list_feedback);
    let words = "Exchanges with a score whose route keeps their features (`choose.keep_features`), the oldest first: to train an artifact on.";
    let list = Endpoint::new(Verb::Get, "/feedback/examples", Policy::Read, "list_examples", words);
    api.add(page::asked_after(list, "^[0-9]{1,18}-.+$").gives(200, Some(page::schema(example))), list_examples);
}

async fn give_feedback(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    Said(opinion): Said<Opinion>,
) -> Result<Json<FeedbackView>, Problem> {
    let Opinion { exchange, score, label } = opinion;
    let opinion = feedback::Opinion::new(exchange, score, label.unwrap_or_default()).map_err(wrong)?;
    let exchange = opinion.exchange.clone();
    let given = give(&admin.store, &caller.actor(), opinion, |account| caller.sees(account)).await?;
    given.map(Json).ok_or_else(|| Problem::missing("Record", &exchange))
}

fn wrong(Wrong(member, problem): Wrong) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_feedback", format!("`{member}` {problem}."))
}

async fn list_feedback(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    Asked(query): Asked<Query>,
) -> Result<Json<Listed<FeedbackView>>, Problem> {
    let (limit, tree) = (page::limit(query.limit)?, caller.tree(query.account)?);
    let place = |after: &str| {
        let mut parts = after.splitn(3, '/');
        Some((parts.next()?.parse().ok()?, parts.next()?.to_string(), parts.next()?.to_string()))
    };
    let after = match &query.after {
        None => None,
        Some(after) => Some(place(after).ok_or_else(|| Problem::bad("`after` is the `next` of another page."))?),
    };
    let after = after
        .as_ref()
        .map(|(made, exchange, actor): &(i64, String, String)| (*made, exchange.as_str(), actor.as_str()));
    let found = admin.store.feedback(&tree, after, page::one_more(limit)).await?;
    let items = found.into_iter().map(FeedbackView::from).collect();
    Ok(Json(Listed::cut(items, limit, |view: &FeedbackView| {
        format!("{}/{}/{}", view.made_ms, view.exchange, view.actor)
    })))
}

async fn list_examples(
    State(admin): State<Admin>,
    Asked(page): Asked<Page>,
) -> Result<Json<Listed<ExampleView>>, Problem> {
    let limit = page.limit()?;
    let place = |after: &String| {
        let place =
            after.split_once('-').and_then(|(began, exchange)| Some((began.parse().ok()?, exchange.to_string())));
        place.ok_or_else(|| Problem::bad("`after` is the `next` of another page."))
    };
    let mut after: (i64, String) = page.after.as_ref().map(place).transpose()?.unwrap_or_default();
    let (mut items, asked) = (Vec::new(), page::one_more(limit));
    // Most exchanges have no features: a page is as many as were found among those that were looked at.
    while items.len() <= limit {
        let found = admin.store.examples((after.0, &after.1), asked).await?;
        let is_last = found.len() < asked as usize;
        if let Some(last) = found.last() {
            after = (last.began_ms, last.exchange.clone());
        }
        items.extend(found.into_iter().filter_map(example));
        if is_last {
            break;
        }
    }
    Ok(Json(Listed::cut(items, limit, |view: &ExampleView| format!("{}-{}", view.began_ms, view.id))))
}

/// What can be learnt from a Record; `None` where it has no features, or nobody answered.
fn example(found: Example) -> Option<ExampleView> {
    let record = Record::read(found.document.as_bytes())?;
    let chosen = record.chosen.filter(|chosen| !chosen.features.is_empty())?;
    let target = record.outcomes.into_iter().find(|outcome| outcome.ending == Ending::Answered)?.target;
    Some(ExampleView {
        id: found.exchange,
        began_ms: found.began_ms,
        schema: chosen.schema,
        dense: chosen.features,
        bucket: chosen.bucket.name().into(),
        target,
        cost_micros: found.cost_micros,
        score: share(found.score),
    })
}
