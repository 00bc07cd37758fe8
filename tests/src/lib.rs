//! Everything that needs more than one package: the provider simulator, the gateway under test, a raw client.
//!
//! A test puts one or more [`simulator::Simulator`]s behind a [`gateway::Gateway`], speaks to the gateway with
//! [`client`], and asks the simulator's journal what really went over the wire.

pub mod api;
pub mod authority;
pub mod bench;
pub mod browser;
pub mod chaos;
pub mod client;
pub mod corpus;
pub mod gateway;
pub mod mock_host;
pub mod outside;
pub mod people;
pub mod postgres;
pub mod rig;
pub mod said;
pub mod simulator;
