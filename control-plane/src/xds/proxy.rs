//! Providers that are reached through a proxy, by HTTP's CONNECT.
//!
//! ```text
//!  provider's cluster ── TLS ──▶ internal listener ── CONNECT host:port ──▶ the proxy's cluster ═══ TLS ═══▶ provider
//! ```
//!
//! Envoy connects to itself first, so that TLS is the provider's own from end to end. The provider's name goes to the proxy as it is:
//! who needs a proxy often cannot resolve it.

use dragoman_core::catalog::{Origin, slot};
use serde_json::{Value, json};

use super::{Edge, any, cluster};
use crate::catalog::Registered;

/// The name of its listener, and of the proxy's cluster. Another proxy is another way: what goes through the one before must not be used
/// on.
fn name(row: &Registered) -> String {
    let proxy = row.proxy.as_ref().map(Origin::authority).unwrap_or_default();
    format!("proxy_{}_{}", row.id, slot(&proxy))
}

/// The providers that have one.
fn proxied(edge: &Edge) -> impl Iterator<Item = (&Registered, &Origin)> {
    edge.providers.iter().filter_map(|row| Some((row, row.proxy.as_ref()?)))
}

/// What stands for the provider's address.
pub(super) fn address(row: &Registered) -> Value {
    json!({ "envoy_internal_address": { "server_listener_name": name(row) } })
}

/// The proxies.
pub(super) fn clusters(edge: &Edge) -> Vec<Value> {
    proxied(edge).map(|(row, proxy)| cluster::plain(edge, &name(row), proxy)).collect()
}

/// One way through a proxy for each provider.
pub(super) fn listeners(edge: &Edge) -> Vec<Value> {
    let listener = |(row, _): (&Registered, &Origin)| {
        // What was screened is what is asked for.
        let host = row.pinned.first().map_or_else(
            || row.origin.host.clone(),
            |address| match address.is_ipv6() {
                true => format!("[{address}]"),
                false => address.to_string(),
            },
        );
        let tunnel = json!({
            "stat_prefix": name(row),
            "cluster": name(row),
            "tunneling_config": { "hostname": format!("{host}:{}", row.origin.port) },
        });
        json!({
            "name": name(row),
            "internal_listener": {},
            "filter_chains": [{ "filters": [{
                "name": "envoy.filters.network.tcp_proxy",
                "typed_config": any("envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy", tunnel),
            }] }],
        })
    };
    proxied(edge).map(listener).collect()
}

/// What lets Envoy listen to itself.
pub(super) fn extension() -> Value {
    let kind = "envoy.extensions.bootstrap.internal_listener.v3.InternalListener";
    json!({ "name": "envoy.bootstrap.internal_listener", "typed_config": any(kind, json!({})) })
}
