//! Rows for tests, which change what matters to them.

use std::sync::Arc;

use super::{DialectId, Dispatch, Origin, Passthrough, Provider, Service};
use crate::price::Price;

impl Provider {
    /// One on this machine that speaks a dialect at its usual path and wants nothing special, not even a credential.
    pub(crate) fn plain(id: &str, dialect: DialectId) -> Provider {
        Provider {
            id: id.into(),
            cluster: format!("provider_{id}"),
            origin: Origin { tls: false, host: "127.0.0.1".into(), port: 1, base: String::new() },
            services: vec![Service::new(dialect, "/v1")],
            credential: String::new(),
            own_only: false,
            passthrough: Passthrough::default(),
            headers: Vec::new(),
            omit: Vec::new(),
            rename: Vec::new(),
            set: Vec::new(),
            price: Price::default(),
            rate_limits: Arc::default(),
            dispatch: Dispatch::default(),
            share: None,
            region: String::new(),
            data_policy: Vec::new(),
        }
    }
}
