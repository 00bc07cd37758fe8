//! What a person's own token costs: a key whose account has signed in with a provider, beside one for which the gateway's credential is
//! used there.

use anyhow::Context as _;
use serde_json::json;

use super::admission::CALLS;
use super::plan::Pace;
use super::round::{Both, median, relay_cpu};
use super::shape::Shape;
use super::stand::{Manner, Stand, model};
use crate::api::Api;
use crate::people::sign_in;

/// Whose token it is.
const ACCOUNT: &str = "bench-signs-in.alice";

/// What was measured.
#[derive(Clone, Debug)]
pub struct OwnToken {
    /// CPU of a request in µs, with the gateway's credential (`bare`) and with a person's token (`gateway`), of each pair of rounds.
    pub warm: Vec<Both>,
    /// Requests with a person's token.
    pub requests: f64,
    /// Calls to the control plane in the rounds of the one and of the other, those that settle Records among them.
    pub calls: [u64; 2],
}

impl OwnToken {
    /// Measures it; nothing where nobody can sign in.
    pub fn measure(stand: &Stand, pace: Pace) -> anyhow::Result<Option<Self>> {
        let Some(gateway) = stand.gateway().filter(|_| stand.has_sign_in()) else { return Ok(None) };
        let api = Api::of(gateway)?;
        let (plain, own) = (gateway.key().to_owned(), key(&api)?);
        // Not counted: both keys become known, and so does the token.
        for key in [&plain, &own] {
            relay_cpu(stand, key, pace)?;
        }
        let mut found = Self { warm: Vec::new(), requests: 0.0, calls: [0, 0] };
        for _ in 0..pace.rounds {
            let before = gateway.stat(CALLS)?;
            let bare = relay_cpu(stand, &plain, pace)?;
            let between = gateway.stat(CALLS)?;
            let cost = relay_cpu(stand, &own, pace)?;
            let after = gateway.stat(CALLS)?;
            found.calls = [found.calls[0] + between - before, found.calls[1] + after - between];
            found.warm.push(Both { bare, gateway: cost });
        }
        found.requests =
            pace.rounds as f64 * pace.busy.as_micros() as f64 / median(found.warm.iter().map(|both| both.gateway));
        Ok(Some(found))
    }
}

/// A key of somebody who has signed in.
fn key(api: &Api) -> anyhow::Result<String> {
    for (id, kind) in [("bench-signs-in", "tenant"), (ACCOUNT, "user")] {
        api.say("PUT", &format!("/api/v1/accounts/{id}"), &json!({ "kind": kind }))?;
    }
    sign_in(api, &model(Shape::Relay, Manner::Whole), ACCOUNT)?;
    let made = api.say("POST", "/api/v1/keys", &json!({ "name": "bench-signs-in", "account": ACCOUNT }))?;
    Ok(made["key"].as_str().context("no key")?.to_owned())
}
