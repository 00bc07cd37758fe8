//! The ledger as it leaves, and held against a provider's bill.

use std::io;

use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tracing::error;
use utoipa::ToSchema;

use super::Admin;
use super::api::{Api, Endpoint, Verb};
use super::body::{Asked, Said};
use super::costs::{Span, asked};
use super::policy::{Caller, Policy};
use super::problem::Problem;
use crate::accounts::whole;
use crate::ledger::forms::{self, Format};
use crate::ledger::reconcile::{self, Line, Verdict};
use crate::store::Store;
use crate::store::costs::{Meant, day};
use crate::store::ledger::Exchange;

/// Exchanges that are read at one time; as many chunks wait at most for a client that reads slowly.
const PAGE: u32 = 500;
/// Chunks that wait.
const WAITING: usize = 2;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    format: Option<String>,
    from: Option<String>,
    until: Option<String>,
    account: Option<String>,
}

/// A provider's bill.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Invoice {
    /// Whose.
    #[schema(min_length = 1)]
    provider: String,
    /// Its text: CSV with a head that names a day, an amount in dollars, and a model if there is one.
    invoice: String,
    /// By how much both may differ and still count as the same, in percent; a cent is allowed besides. 1 when left out.
    #[serde(default = "one", deserialize_with = "whole::number")]
    #[schema(maximum = 100)]
    tolerance_percent: u8,
}

fn one() -> u8 {
    1
}

/// The bill and the ledger side by side; amounts in dollars.
#[derive(Debug, Serialize, ToSchema)]
pub struct Reconciled {
    /// Each day and model that one of both has.
    items: Vec<ReconciledLine>,
    /// The sum of the bill.
    invoice_usd: String,
    /// What the ledger has of the bill's days.
    ledger_usd: String,
    /// The bill less the ledger.
    difference_usd: String,
}

/// One day and model.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReconciledLine {
    /// The day, in UTC.
    day: String,
    /// The model; empty where the bill names none.
    model: String,
    /// What the bill says.
    invoice_usd: String,
    /// What the ledger says.
    ledger_usd: String,
    /// The bill less the ledger.
    difference_usd: String,
    /// What to think of it.
    verdict: Verdict,
}

/// Adds the endpoints.
pub fn add(api: &mut Api) {
    let words =
        "The ledger, the oldest first: a line for each attempt (CSV), or an event for each exchange (CloudEvents).";
    let export = Endpoint::new(Verb::Get, "/ledger/export", Policy::Spending, "export_ledger", words).query(
        "format",
        json!({ "type": "string", "enum": Format::NAMES, "default": "csv" }),
        "In which form.",
    );
    let text = |kind: &str| Some(json!({ "type": "string", "contentMediaType": kind }));
    let export =
        asked(export).gives(200, text(Format::Csv.media_type())).gives(200, text(Format::CloudEvents.media_type()));
    api.add(export.refuses(&[404, 422]), export_ledger);
    let words = "Holds a provider's bill against the ledger, by day and model.";
    let hold = Endpoint::new(Verb::Post, "/ledger/reconcile", Policy::Read, "reconcile_ledger", words);
    let (invoice, reconciled) = (api.schema::<Invoice>(), api.schema::<Reconciled>());
    api.schema::<ReconciledLine>();
    api.add(hold.takes(invoice).gives(200, Some(reconciled)), reconcile_ledger);
}

async fn export_ledger(
    State(admin): State<Admin>,
    Extension(caller): Extension<Caller>,
    Asked(query): Asked<Query>,
) -> Result<Response, Problem> {
    let format = Format::named(query.format.as_deref().unwrap_or("csv"));
    let format = format.ok_or_else(|| Problem::mistakes(vec!["`format` is csv or cloudevents".to_string()]))?;
    let meant = Span { from: query.from, until: query.until, account: query.account }.read(&caller)?;
    let (chunks, read) = mpsc::channel(WAITING);
    tokio::spawn(send(admin.store, meant, format, chunks));
    let kind = [(header::CONTENT_TYPE, format.media_type())];
    Ok((kind, Body::from_stream(ReceiverStream::new(read))).into_response())
}

/// Sends page after page until all is sent or nobody reads. What fails in between breaks the answer off: it must not look whole.
async fn send(store: Store, meant: Meant, format: Format, chunks: mpsc::Sender<io::Result<String>>) {
    if chunks.send(Ok(format.head().to_string())).await.is_err() {
        return;
    }
    let mut after = (i64::MIN, String::new());
    loop {
        let page: Vec<Exchange> = match store.ledger(&meant, &after, PAGE).await {
            Ok(page) => page,
            Err(failed) => {
                error!("the store failed, and an export of the ledger breaks off: {failed:#}");
                _ = chunks.send(Err(io::Error::other("the store failed"))).await;
                return;
            }
        };
        let Some(last) = page.last() else { return };
        after = (last.began_ms, last.exchange.clone());
        let text: String = page.iter().map(|exchange| format.write(exchange)).collect();
        if chunks.send(Ok(text)).await.is_err() {
            return;
        }
    }
}

async fn reconcile_ledger(State(admin): State<Admin>, Said(asked): Said<Invoice>) -> Result<Json<Reconciled>, Problem> {
    if asked.tolerance_percent > 100 || asked.provider.is_empty() {
        return Err(Problem::mistakes(vec!["`tolerance_percent` is 0 to 100, and `provider` names one".to_string()]));
    }
    let invoice = reconcile::read(&asked.invoice).map_err(Problem::mistakes)?;
    let (Some(first), Some(last)) = (invoice.first(), invoice.last()) else {
        return Err(Problem::mistakes(vec!["the bill has no lines".to_string()]));
    };
    let ledger = admin.store.bill(&asked.provider, first.day, last.day).await?;
    let ledger = ledger.into_iter().map(|(day, model, amount)| Line { day, model, pico: amount.pico() });
    let lines = reconcile::compare(&invoice, ledger.collect(), asked.tolerance_percent);
    let invoiced = invoice.iter().map(|line| line.pico).sum();
    let in_ledger = lines.iter().map(|line| line.ledger).sum();
    let usd = forms::dollars;
    let item = |line: reconcile::Compared| ReconciledLine {
        day: day(&line.day.to_string()),
        model: line.model,
        invoice_usd: usd(line.invoice),
        ledger_usd: usd(line.ledger),
        difference_usd: usd(line.invoice - line.ledger),
        verdict: line.verdict,
    };
    Ok(Json(Reconciled {
        invoice_usd: usd(invoiced),
        ledger_usd: usd(in_ledger),
        difference_usd: usd(invoiced - in_ledger),
        items: lines.into_iter().map(item).collect(),
    }))
}
