//! How providers do, and forcing who is asked.

use std::collections::HashMap;

use axum::extract::State;
use axum::{Extension, Json};
use dragoman_core::health::{Force, Told, provider_of};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::api::{Api, Endpoint, Verb};
use super::body::{Asked, Id};
use super::page::{self, Listed, Page};
use super::policy::{Caller, Policy};
use super::problem::Problem;
use super::{Admin, costs};
use crate::current::Current;
use crate::health::status::{self, Reason, Report};
use crate::health::{MINUTE_MS, Minute};
use crate::metrics::Latency;
use crate::store::costs::DAY_MS;
use crate::store::now_ms;

/// Minutes of which figures are shown when nobody says.
const USUAL_MINUTES: u32 = 5;
/// Most of them: what is older is in the timeline.
const MOST_MINUTES: u32 = 60;
/// How far back a timeline begins when nobody says.
const USUAL_TIMELINE_MS: i64 = 60 * MINUTE_MS;
/// So far back minutes are kept.
const KEPT_MS: i64 = 7 * DAY_MS;

/// How a provider does.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProviderHealth {
    /// Its id.
    provider: String,
    /// `healthy`, `degraded` or `unhealthy`.
    status: String,
    /// Since when, in milliseconds since 1970; null when it was never told to be anything else.
    since_ms: Option<i64>,
    /// `open` or `closed` when an operator forces it; null when nobody does.
    forced: Option<String>,
    /// Why it is not healthy.
    reasons: Vec<ReasonView>,
    /// What it did in the last minutes.
    figures: Figures,
}

/// Why somebody is not asked as usual.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReasonView {
    /// Who: the provider, or a target of it.
    subject: String,
    /// `forced_open`, `open`, `half_open`, `errors`, or the class of the failure for which it is left alone.
    why: String,
    /// Since when, in milliseconds since 1970, where that is known.
    since_ms: Option<u64>,
    /// Until when at least, where there is an end.
    until_ms: Option<u64>,
}

/// What became of attempts.
#[derive(Debug, Serialize, ToSchema)]
pub struct Figures {
    /// All attempts.
    attempts: u64,
    /// Those that brought a whole answer.
    answered: u64,
    /// Those that failed by the fault of who was asked, or of the credential.
    failed: u64,
    /// Of these, those that came too often, or for more than was left of a quota.
    throttled: u64,
    /// Those after which another one was made.
    fallbacks: u64,
    /// Those that were made beside one that was slow.
    hedges: u64,
    /// How many of a thousand attempts were answered; null without attempts.
    success_permille: Option<u64>,
    /// How many of a thousand failed.
    error_permille: Option<u64>,
    /// After how many of a thousand another one was made.
    fallback_permille: Option<u64>,
    /// How many of a thousand were made beside one that was slow.
    hedge_permille: Option<u64>,
    /// Times to the first event; null when there was none.
    first_event: Option<Latency>,
}

/// How a provider does, with its targets.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProviderHealthInFull {
    /// The provider.
    #[serde(flatten)]
    own: ProviderHealth,
    /// Its targets.
    targets: Vec<TargetHealth>,
}

/// How a target does.
#[derive(Debug, Serialize, ToSchema)]
pub struct TargetHealth {
    /// `provider/model`.
    target: String,
    /// `open` or `closed` when an operator forces it; null when nobody does.
    forced: Option<String>,
    /// Why it is not asked as usual; null when it is.
    reason: Option<ReasonView>,
    /// What it did in the last minutes.
    figures: Figures,
}

/// A minute of a provider or a target.
#[derive(Debug, Serialize, ToSchema)]
pub struct MinuteView {
    /// When it began, in milliseconds since 1970.
    began_ms: i64,
    /// What became of the attempts that ended in it.
    figures: Figures,
}

/// What is said of a subject from now on.
#[derive(Debug, Serialize, ToSchema)]
pub struct Forced {
    /// The provider or the target.
    subject: String,
    /// `open` or `closed`; null when it goes by what is measured.
    forced: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    limit: Option<u32>,
    after: Option<String>,
    minutes: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MinutesQuery {
    minutes: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TimelineQuery {
    from: Option<String>,
    to: Option<String>,
    model: Option<String>,
}

/// Adds the endpoints.
pub fn add(api: &mut Api) {
    let (one, full) = (api.schema::<ProviderHealth>(), api.schema::<ProviderHealthInFull>());
    let (minute, forced) = (api.schema::<MinuteView>(), api.schema::<Forced>());
    let asked = |endpoint: Endpoint| {
        let minutes = json!({ "type": "integer", "minimum": 1, "maximum": MOST_MINUTES, "default": USUAL_MINUTES });
        endpoint.query("minutes", minutes, "Figures of so many minutes.")
    };
    let words = "How every provider does, why, and since when.";
    let list = Endpoint::new(Verb::Get, "/health/providers", Policy::Read, "list_health", words);
    api.add(asked(page::asked(list)).gives(200, Some(page::schema(one))), list_health);
    let words = "How one provider and each of its targets does.";
    let show = Endpoint::new(Verb::Get, "/health/providers/{id}", Policy::Read, "get_health", words);
    api.add(asked(show).gives(200, Some(full)).refuses(&[404]), get_health);
    let words =
        "What a provider or a target of it did, minute by minute, for a week; minutes without an attempt are left out.";
    let line = Endpoint::new(Verb::Get, "/health/providers/{id}/timeline", Policy::Read, "get_health_timeline", words);
    let text = || json!({ "type": "string" });
    let line = line
        .query(
            "from",
            text(),
            "From then on: `2026-11-01` in UTC, or `2026-11-01T08:00:00Z`; an hour before `to` when left out.",
        )
        .query("to", text(), "Before that; until now when left out.")
        .query("model", text(), "Of this model at the provider; of all when left out.");
    let schema = json!({ "type": "object", "required": ["items"], "properties": { "items": { "type": "array", "items": minute } } });
    api.add(line.gives(200, Some(schema)).refuses(&[404, 422]), get_timeline);
    let does = [
        ("force-open", "force_open", "Nobody asks that provider or target (`provider/model`) until another word."),
        ("force-close", "force_closed", "That provider or target is asked whatever is measured, until another word."),
        ("reset", "reset_health", "Takes back what was forced, and forgets what was measured."),
    ];
    for (verb, name, words) in does {
        let path = format!("/health/subjects/{{subject}}/{verb}");
        let endpoint = Endpoint::new(Verb::Post, &path, Policy::Change, name, words);
        let endpoint = endpoint.gives(200, Some(forced.clone())).refuses(&[404]);
        match verb {
            "force-open" => api.add(endpoint, force_open),
            "force-close" => api.add(endpoint, force_close),
            _ => api.add(endpoint, reset),
        }
    }
}

async fn list_health(
    State(admin): State<Admin>,
    Asked(query): Asked<ListQuery>,
) -> Result<Json<Listed<ProviderHealth>>, Problem> {
    let page = Page::new(query.limit, query.after);
    let current = admin.publication.current();
    let figures = admin.store.minutes_since(since(query.minutes)?, None).await?.into_iter().collect();
    let mut views = views(&admin, &current, &figures).await?;
    views.sort_by(|one, two| one.provider.cmp(&two.provider));
    Ok(Json(Listed::of(views.into_iter(), &page, |view| view.provider.clone())?))
}

async fn get_health(
    State(admin): State<Admin>,
    Id(id): Id,
    Asked(query): Asked<MinutesQuery>,
) -> Result<Json<ProviderHealthInFull>, Problem> {
    let (current, since_ms) = (admin.publication.current(), since(query.minutes)?);
    let figures = admin.store.minutes_since(since_ms, None).await?.into_iter().collect();
    let own = views(&admin, &current, &figures).await?.into_iter().find(|view| view.provider == id);
    let own = own.ok_or_else(|| Problem::missing("provider", &id))?;
    let figures: HashMap<String, Minute> = admin.store.minutes_since(since_ms, Some(&id)).await?.into_iter().collect();
    let now = u64::try_from(now_ms()).unwrap_or(0);
    let target = |target: &dragoman_core::catalog::Target| {
        let told = admin.health.of(&target.id);
        let model = target.id.split_once('/').map_or("", |(_, model)| model);
        TargetHealth {
            target: target.id.clone(),
            forced: told.as_ref().and_then(forced),
            reason: told.as_ref().and_then(|told| Reason::of(told, now)).map(reason),
            figures: Figures::of(figures.get(model)),
        }
    };
    let mut targets: Vec<TargetHealth> = status::of(&id, &current.snapshot).map(target).collect();
    targets.sort_by(|one, two| one.target.cmp(&two.target));
    Ok(Json(ProviderHealthInFull { own, targets }))
}

async fn get_timeline(
    State(admin): State<Admin>,
    Id(id): Id,
    Asked(query): Asked<TimelineQuery>,
) -> Result<Json<serde_json::Value>, Problem> {
    let current = admin.publication.current();
    if !current.snapshot.providers.iter().any(|row| row.id == id) {
        return Err(Problem::missing("provider", &id));
    }
    let moment = |said: Option<String>| match said {
        None => Ok(None),
        Some(said) => costs::moment(&said).map(Some).ok_or_else(|| {
            let wrong = "`from` and `to` are days such as 2026-11-01 or moments such as 2026-11-01T08:00:00Z";
            Problem::mistakes(vec![wrong.to_string()])
        }),
    };
    let to = moment(query.to)?.unwrap_or_else(now_ms);
    // What is older is not there any more.
    let from = moment(query.from)?.unwrap_or_else(|| to.saturating_sub(USUAL_TIMELINE_MS)).max(now_ms() - KEPT_MS);
    let minutes = admin.store.minutes(&id, query.model.as_deref().unwrap_or_default(), from, to).await?;
    let view = |(began_ms, minute): (i64, Minute)| MinuteView { began_ms, figures: Figures::of(Some(&minute)) };
    Ok(Json(json!({ "items": minutes.into_iter().map(view).collect::<Vec<_>>() })))
}

async fn force_open(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    Id(subject): Id,
) -> Result<Json<Forced>, Problem> {
    force(&admin, &caller, subject, Some(Force::Open)).await
}

async fn force_close(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    Id(subject): Id,
) -> Result<Json<Forced>, Problem> {
    force(&admin, &caller, subject, Some(Force::Closed)).await
}

async fn reset(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    Id(subject): Id,
) -> Result<Json<Forced>, Problem> {
    force(&admin, &caller, subject, None).await
}

async fn force(admin: &Admin, caller: &Caller, subject: String, force: Option<Force>) -> Result<Json<Forced>, Problem> {
    let current = admin.publication.current();
    let snapshot = &current.snapshot;
    // A model that nobody lists is a target as well, once it was asked or is forced.
    let is_there = snapshot.providers.iter().any(|row| row.id == provider_of(&subject)) && !subject.contains('@');
    if !is_there && !admin.health.knows(&subject) {
        return Err(Problem::missing("provider or target", &subject));
    }
    match force {
        Some(force) => admin.health.force(&caller.actor(), &subject, force).await?,
        None => admin.health.reset(&caller.actor(), &subject).await?,
    }
    Ok(Json(Forced { subject, forced: force.map(|force| force.name().to_string()) }))
}

/// Of the last minutes, the one that runs counted.
fn since(minutes: Option<u32>) -> Result<i64, Problem> {
    match minutes.unwrap_or(USUAL_MINUTES) {
        minutes @ 1..=MOST_MINUTES => Ok((now_ms() / MINUTE_MS - i64::from(minutes) + 1) * MINUTE_MS),
        _ => Err(Problem::bad(format!("There are figures of 1 to {MOST_MINUTES} minutes."))),
    }
}

async fn views(
    admin: &Admin,
    current: &Current,
    figures: &HashMap<String, Minute>,
) -> Result<Vec<ProviderHealth>, Problem> {
    let told = admin.store.health_statuses().await?;
    let view = |report: Report| {
        let status = report.status.name();
        let known = told.get(&report.provider).filter(|(known, _)| known == status).map(|(_, since_ms)| *since_ms);
        // What was not told yet is so since the last of its reasons.
        let reasons = report.reasons.iter().filter_map(|reason| reason.since_ms).max();
        ProviderHealth {
            forced: admin.health.of(&report.provider).as_ref().and_then(forced),
            figures: Figures::of(figures.get(&report.provider)),
            provider: report.provider,
            status: status.to_string(),
            since_ms: known.or(reasons.and_then(|since_ms| i64::try_from(since_ms).ok())),
            reasons: report.reasons.into_iter().map(reason).collect(),
        }
    };
    Ok(admin.health.reports(current).into_iter().map(view).collect())
}

fn forced(told: &Told) -> Option<String> {
    told.force.map(|force| force.name().to_string())
}

fn reason(reason: Reason) -> ReasonView {
    let Reason { subject, why, since_ms, until_ms } = reason;
    ReasonView { subject, why: why.to_string(), since_ms, until_ms }
}

impl Figures {
    fn of(minute: Option<&Minute>) -> Figures {
        let minute = minute.cloned().unwrap_or_default();
        let Minute { attempts, answered, failed, throttled, fallbacks, hedges, first_events } = minute;
        let permille = |count: u64| count.saturating_mul(1000).checked_div(attempts);
        Figures {
            attempts,
            answered,
            failed,
            throttled,
            fallbacks,
            hedges,
            success_permille: permille(answered),
            error_permille: permille(failed),
            fallback_permille: permille(fallbacks),
            hedge_permille: permille(hedges),
            first_event: first_events.latency(),
        }
    }
}
