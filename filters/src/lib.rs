//! Dragoman inside Envoy: one wasm module, two filters.
//!
//! The router filter stands before Envoy's router and drives an exchange; the translator filter stands in the upstream
//! chain of every target and drives an attempt. Both run in one VM per worker and share a [`worker::Worker`].
//!
//! ```text
//! Envoy ──▶ abi ──▶ dispatch ──▶ root | router | translator ──▶ dragoman-core
//!   ▲                                        │
//!   └──────────────── host ◀─────────────────┘
//! ```
//!
//! Why so: everything that thinks is in `core`, which knows no host; what is here carries bytes. A trap would take down
//! every request of a worker, so nothing here can panic: a status is a value and what may be absent is an `Option`.
//!
//! Limits: `unsafe` is in `host`, and in `abi` as far as exporting a name counts.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::undocumented_unsafe_blocks
)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects))]

pub mod abi;
pub mod calls;
pub mod contract;
pub mod dispatch;
pub mod hop;
pub mod host;
pub mod ids;
pub mod ledger;
pub mod pairs;
pub mod root;
pub mod router;
pub mod stats;
pub mod translator;
pub mod worker;
