//! Changes by the admin API, as an operator's program makes them, and how long until they are served.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::client::{Answer, Call};
use crate::gateway::Gateway;

/// The admin API of a gateway, with an owner's token.
pub struct Api {
    address: String,
    token: String,
}

/// A change that was answered.
#[derive(Clone, Copy, Debug)]
pub struct Changed {
    /// The Snapshot that has it; `None` when the API says that it is not served yet.
    pub snapshot: Option<u64>,
    /// How long the answer took.
    pub took: Duration,
}

impl Api {
    /// Of this gateway, with a token of its own.
    pub fn of(gateway: &Gateway) -> anyhow::Result<Self> {
        Ok(Self { address: gateway.api(), token: gateway.admin_token()? })
    }

    /// Says what a row is; `plural` is the kind's in paths.
    pub fn put(&self, plural: &str, id: &str, row: &Value) -> anyhow::Result<Changed> {
        self.change(Call::new("PUT", &format!("/api/v1/{plural}/{id}")).json(row))
    }

    /// Takes a row away.
    pub fn delete(&self, plural: &str, id: &str) -> anyhow::Result<Changed> {
        self.change(Call::new("DELETE", &format!("/api/v1/{plural}/{id}")))
    }

    /// Says many rows at once.
    pub fn apply(&self, rows: &Value) -> anyhow::Result<Changed> {
        self.change(Call::new("POST", "/api/v1/apply").json(rows))
    }

    /// Reads what is at a path; also how long that took.
    pub fn get(&self, path: &str) -> anyhow::Result<(Value, Duration)> {
        let asked = Instant::now();
        let answer = self.send(Call::new("GET", path))?;
        let took = asked.elapsed();
        Ok((answer.json()?, took))
    }

    /// Says something whose answer is no Snapshot: accounts and keys.
    pub fn say(&self, method: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
        self.send(Call::new(method, path).json(body).header("content-type", "application/json"))?.json()
    }

    fn change(&self, call: Call) -> anyhow::Result<Changed> {
        let asked = Instant::now();
        let answer = self.send(call.header("content-type", "application/json"))?;
        let took = asked.elapsed();
        let said = answer.json()?;
        let snapshot = said.get("snapshot").context("the answer to a change names no `snapshot`")?.as_u64();
        Ok(Changed { snapshot, took })
    }

    fn send(&self, call: Call) -> anyhow::Result<Answer> {
        let answer = call.header("authorization", format!("Bearer {}", self.token)).send(&self.address)?;
        if !matches!(answer.status, 200 | 201) {
            bail!("the admin API says {}: {}", answer.status, answer.text().chars().take(300).collect::<String>());
        }
        Ok(answer)
    }
}
