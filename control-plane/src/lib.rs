//! Dragoman's control plane: rows between people and `core`.
//!
//! ```text
//! operators ─▶ admin ─▶ store ─┐
//! dragoman.toml ───────────────┤                                     ┌─▶ Snapshot ─▶ data_plane (Watch) ─▶ filters
//! catalog/*.toml ──────────────┼─▶ catalog ─▶ publish ─▶ publication ┤
//! environment ─────────────────┘                                     └─▶ xds ─▶ Envoy (listener, routes, clusters)
//! filters ─▶ data_plane (Settle) ─▶ store (Records)
//! ```

#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails may panic")
)]

pub mod accounts;
pub mod admin;
pub mod artifacts;
pub mod catalog;
pub mod cli;
pub mod current;
pub mod data_plane;
pub mod demo;
pub mod discovery;
pub mod envoy;
pub mod experiments;
pub mod feedback;
pub mod health;
pub mod import;
pub mod ledger;
pub mod logs;
pub mod metrics;
pub mod oauth;
pub mod observers;
pub mod outbound;
pub mod prices;
pub mod publication;
pub mod publish;
pub mod run;
pub mod screen;
pub mod settings;
pub mod store;
pub mod traces;
pub mod translate;
pub mod tuning;
pub mod vault;
pub mod webhooks;
pub mod xds;
