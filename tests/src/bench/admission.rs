//! What budgets cost: a warm key with many of them beside one with none, and the first request of a key.

use std::time::Instant;

use anyhow::Context as _;
use serde_json::json;

use super::load::Connection;
use super::plan::Pace;
use super::round::{Both, relay_cpu};
use super::shape::Shape;
use super::stand::{Manner, Stand};
use crate::api::Api;

/// Keys that are new to the gateway.
const FRESH: usize = 60;

/// Envoy's count of calls to the control plane, those that settle Records among them.
pub const CALLS: &str = "^cluster.dragoman_control_plane.upstream_rq_total$";

/// What was measured.
#[derive(Clone, Debug)]
pub struct Admission {
    /// CPU of a request in µs, without budgets (`bare`) and with them (`gateway`), of each pair of rounds.
    pub warm: Vec<Both>,
    /// Calls to the control plane for a request with budgets, more than without.
    pub questions: f64,
    /// By how much later the first request of a key is answered than its second, in ms.
    pub cold: Vec<f64>,
}

impl Admission {
    /// Measures it; nothing where there is no gateway.
    pub fn measure(stand: &Stand, pace: Pace) -> anyhow::Result<Option<Self>> {
        let Some(gateway) = stand.gateway() else { return Ok(None) };
        let api = Api::of(gateway)?;
        tree(&api)?;
        let (plain, paying) = (gateway.key().to_owned(), key(&api)?);
        // Not counted: the key becomes known, and its leases grow.
        relay_cpu(stand, &paying, pace)?;
        let mut warm = Vec::new();
        let mut calls = [0, 0];
        for _ in 0..pace.rounds {
            let before = gateway.stat(CALLS)?;
            let bare = relay_cpu(stand, &plain, pace)?;
            let between = gateway.stat(CALLS)?;
            let cost = relay_cpu(stand, &paying, pace)?;
            let after = gateway.stat(CALLS)?;
            calls = [calls[0] + between - before, calls[1] + after - between];
            warm.push(Both { bare, gateway: cost });
        }
        let requests = pace.rounds as f64 * pace.busy.as_micros() as f64
            / super::round::median(warm.iter().map(|both| both.gateway));
        let questions = (calls[1] as f64 - calls[0] as f64) / requests;
        let cold = (0..FRESH).map(|_| first(stand, &key(&api)?)).collect::<anyhow::Result<_>>()?;
        Ok(Some(Self { warm, questions, cold }))
    }
}

/// By how much later a key's first request is answered than its second, in ms.
fn first(stand: &Stand, key: &str) -> anyhow::Result<f64> {
    let target = stand.target_of(key, Shape::Relay, Manner::Whole, 2000)?;
    let mut connection = Connection::open(&target)?;
    let mut took = [0.0; 2];
    for one in &mut took {
        let asked = Instant::now();
        connection.body(&target)?;
        *one = asked.elapsed().as_secs_f64() * 1e3;
    }
    Ok(took[0] - took[1])
}

/// Four levels with budgets that nobody spends.
fn tree(api: &Api) -> anyhow::Result<()> {
    let money = |per: &str| json!({ "usd": "100000", "per": per });
    let pace = json!({ "requests": 1_000_000_000, "per": "hour" });
    for (id, kind, budgets) in [
        ("bench", "tenant", json!([money("month"), money("day")])),
        ("bench.one", "department", json!([money("month")])),
        ("bench.one.two", "team", json!([money("month"), pace])),
        ("bench.one.two.three", "user", json!([{ "tokens": 100_000_000_000_u64, "per": "day" }])),
    ] {
        let account = json!({ "kind": kind, "terms": { "budgets": budgets } });
        api.say("PUT", &format!("/api/v1/accounts/{id}"), &account)?;
    }
    Ok(())
}

/// A key at the bottom, with a budget of its own.
fn key(api: &Api) -> anyhow::Result<String> {
    let terms = json!({ "budgets": [{ "concurrent": 1000 }] });
    let new = json!({ "name": "bench", "account": "bench.one.two.three", "terms": terms });
    let made = api.say("POST", "/api/v1/keys", &new)?;
    Ok(made["key"].as_str().context("no key")?.to_owned())
}
