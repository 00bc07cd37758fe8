//! Envoy's configuration: written once, sent by ADS, or printed as one static file.
//!
//! ```text
//! settings ─┐
//! catalogue ┼─▶ listener, route, cluster (JSON) ─┬─▶ proto ─▶ ads ─▶ Envoy
//! wasm file ┘                                    └─▶ bootstrap (static) ─▶ `dragoman render envoy`
//! ```
//!
//! Each resource is written as the JSON of Envoy's own documentation and turned into protobuf by Envoy's own descriptors: a
//! misspelt member is an error here, not at Envoy, and what is printed can't differ from what is sent.

mod ads;
pub mod bootstrap;
mod cluster;
mod envoys;
mod hop;
mod listener;
mod module;
mod proto;
mod proxy;
mod resources;
mod route;
mod tokens;

use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::catalog::Registered;
use crate::settings::{IdentityRow, Limits, ListenTls};

pub use ads::Service;
pub use envoys::{Connected, Envoys, Standing};
pub use module::Module;
pub use resources::{Publisher, Resources};

/// The cluster by which Envoy and the filters reach the control plane; the filters are told this name.
pub const CONTROL_PLANE: &str = "dragoman_control_plane";
/// The one listener, and the one route configuration.
pub const EDGE: &str = "dragoman";

/// What the configuration is made of.
#[derive(Clone, Debug)]
pub struct Edge {
    /// Where callers connect.
    pub data: SocketAddr,
    /// TLS towards callers.
    pub tls: Option<ListenTls>,
    /// Bounds and times.
    pub limits: Limits,
    /// The filters' module.
    pub module: Module,
    /// The certificates of authorities.
    pub ca_file: PathBuf,
    /// Who can be asked.
    pub providers: Vec<Registered>,
    /// Who may come without a key.
    pub identities: Vec<IdentityRow>,
    /// Whether any route hedges, or did.
    pub hedges: bool,
}

/// A time in protobuf's JSON.
fn seconds(duration: std::time::Duration) -> Value {
    json!(format!("{}.{:03}s", duration.as_secs(), duration.subsec_millis()))
}

/// An address in Envoy's configuration.
fn socket(host: &str, port: u16) -> Value {
    json!({ "socket_address": { "address": host.trim_start_matches('[').trim_end_matches(']'), "port_value": port } })
}

/// A message of `kind` inside an `Any`.
fn any(kind: &str, mut message: Value) -> Value {
    if let Some(members) = message.as_object_mut() {
        members.insert("@type".to_string(), json!(format!("type.googleapis.com/{kind}")));
    }
    message
}

#[cfg(test)]
mod tests;
