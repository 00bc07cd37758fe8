//! Dragoman's pure logic: it reads what was meant, says it in the other language, and notes what could not be said.
//!
//! Bytes in, decisions out. Nothing here touches a socket, a clock, a random source or a log, so the same code runs
//! natively under tests and fuzzers and as wasm inside Envoy. The modules, from the ground up:
//!
//! | layer | modules |
//! |---|---|
//! | bytes | [`json`], [`framing`], [`percent`] |
//! | meaning | [`hub`], [`usage`], [`price`], [`budget`], [`catalog`], [`refusal`], [`health`], [`hints`], [`loss`], [`preferences`], [`record`], [`feedback`], [`secret`], [`features`], [`artifact`] |
//! | judgement | [`dialect`], [`snapshot`], [`rule`], [`select`], [`admission`], [`memory`], [`interpret`] |
//! | machines | [`exchange`] (one client request), [`attempt`] (one try at one target), [`explain`] (what both would do) |
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

pub mod admission;
pub mod artifact;
pub mod attempt;
pub mod budget;
pub mod catalog;
pub mod dialect;
pub mod estimate;
pub mod exchange;
pub mod explain;
pub mod failure;
pub mod features;
pub mod feedback;
pub mod framing;
pub mod health;
pub mod hints;
pub mod hub;
pub mod interpret;
pub mod json;
pub mod loss;
pub mod memory;
pub mod percent;
pub mod preferences;
pub mod price;
pub mod record;
pub mod refusal;
pub mod rule;
pub mod secret;
pub mod select;
pub mod snapshot;
pub mod usage;
