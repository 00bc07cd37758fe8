//! The hop, by which exchanges that may be hedged go to their targets; there is none where no route hedges.
//!
//! ```text
//!  edge ── attempt n ──▶ cluster `dragoman_hop` ── internal listener ── the hop's filter ──▶ provider's cluster ──▶ provider
//! ```
//!
//! Envoy's router sends a hedged attempt to the cluster of the attempt beside which it is made. Through the hop that is one cluster
//! whoever is asked. HTTP/1.1 within: an attempt has its connection alone, so one that is let go takes no other with it, and no
//! slow caller holds up others. The connections are memory, not sockets, and stay on their worker, where the exchange is.

use dragoman_core::exchange::HOP;
use serde_json::{Value, json};

use super::cluster::{IDLE, MAX_REQUESTS, PROTOCOL_OPTIONS};
use super::listener::{CONNECTION_MANAGER, router};
use super::{Edge, any, route, seconds};

/// Larger heads than callers' may be: the gateway's own headers are in it, too.
const MAX_HEAD_KIB: u32 = 64;
const MAX_HEADERS: u32 = 200;

/// The cluster.
pub(super) fn cluster(edge: &Edge) -> Option<Value> {
    let protocol = json!({
        "common_http_protocol_options": { "idle_timeout": IDLE },
        "explicit_http_config": { "http_protocol_options": {} },
    });
    let address = json!({ "envoy_internal_address": { "server_listener_name": HOP } });
    edge.hedges.then(|| {
        json!({
            "name": HOP,
            "type": "STATIC",
            "connect_timeout": seconds(edge.limits.connect_timeout),
            "per_connection_buffer_limit_bytes": edge.limits.max_body_bytes,
            "load_assignment": {
                "cluster_name": HOP,
                "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": address } }] }],
            },
            "circuit_breakers": { "thresholds": [{
                "max_connections": MAX_REQUESTS,
                "max_pending_requests": MAX_REQUESTS,
                "max_requests": MAX_REQUESTS,
                "max_retries": MAX_REQUESTS,
            }] },
            "typed_extension_protocol_options": { PROTOCOL_OPTIONS: any(PROTOCOL_OPTIONS, protocol) },
        })
    })
}

/// The listener; its routes come from `routes`, as those of the edge do.
pub(super) fn listener(edge: &Edge, routes: (&str, Value)) -> Option<Value> {
    let ours = json!({ "name": "dragoman.hop", "typed_config": edge.module.plugin("hop") });
    let mut manager = json!({
        "stat_prefix": "hop",
        "codec_type": "HTTP1",
        "server_header_transformation": "PASS_THROUGH",
        // Who comes here is the edge, whose headers are believed: the attempt's number is one.
        "use_remote_address": false,
        "skip_xff_append": true,
        "generate_request_id": false,
        "max_request_headers_kb": MAX_HEAD_KIB,
        "common_http_protocol_options": { "max_headers_count": MAX_HEADERS },
        "delayed_close_timeout": "0.100s",
        "stream_idle_timeout": seconds(edge.limits.stream_idle_timeout),
        "http_filters": [ours, router()],
    });
    if let Some(members) = manager.as_object_mut() {
        members.insert(routes.0.to_string(), routes.1);
    }
    edge.hedges.then(|| {
        json!({
            "name": HOP,
            "internal_listener": {},
            "per_connection_buffer_limit_bytes": edge.limits.max_body_bytes,
            "filter_chains": [{ "filters": [{
                "name": "envoy.filters.network.http_connection_manager",
                "typed_config": any(CONNECTION_MANAGER, manager),
            }] }],
        })
    })
}

/// Its route: the hop's filter has written whose turn it is, and for how long that one may be silent. It is asked once; the edge
/// asks the others.
pub(super) fn routes(edge: &Edge) -> Option<Value> {
    edge.hedges.then(|| {
        json!({
            "name": HOP,
            "virtual_hosts": [{
                "name": HOP,
                "domains": ["*"],
                "request_headers_to_remove": ["x-envoy-external-address", "x-envoy-internal"],
                "routes": [{
                    "name": "turn",
                    "match": { "prefix": "/" },
                    "route": {
                        "inline_cluster_specifier_plugin": route::specifier(route::by_slot(edge, 1)),
                        "timeout": "0s",
                    },
                }],
            }],
        })
    })
}
