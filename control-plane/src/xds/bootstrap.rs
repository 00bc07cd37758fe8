//! What Envoy is started with: by itself for ADS, or everything in one file for those who run their own Envoy.

use std::net::SocketAddr;

use dragoman_core::record::stats::Label;
use serde_json::{Value, json};

use super::{CONTROL_PLANE, Edge, any, cluster, hop, listener, proto, proxy, route, socket, tokens};
use crate::settings::Limits;

const KIND: &str = "envoy.config.bootstrap.v3.Bootstrap";

/// What is told to Envoy at its start and never again.
#[derive(Clone, Debug)]
pub struct Start {
    /// Envoy's name in our log.
    pub node: String,
    /// Its administration; `None` when it is off.
    pub admin: Option<SocketAddr>,
    /// Where it finds the control plane.
    pub control: (String, u16),
}

/// The bootstrap for ADS: everything else comes from the control plane.
pub fn by_ads(start: &Start, limits: &Limits) -> anyhow::Result<Value> {
    let by_ads = json!({ "ads": {}, "resource_api_version": "V3" });
    let mut bootstrap = common(start, limits);
    if let Some(members) = bootstrap.as_object_mut() {
        members.insert(
            "dynamic_resources".to_string(),
            json!({
                "lds_config": by_ads,
                "cds_config": by_ads,
                "ads_config": {
                    "api_type": "GRPC",
                    "transport_api_version": "V3",
                    "set_node_on_first_message_only": true,
                    "grpc_services": [{ "envoy_grpc": {
                        "cluster_name": CONTROL_PLANE,
                        // A control plane that restarts is back in a second; Envoy's own back-off reaches half a minute.
                        "retry_policy": { "retry_back_off": { "base_interval": "0.200s", "max_interval": "1s" } },
                    } }],
                },
            }),
        );
        let (host, port) = (&start.control.0, start.control.1);
        members.insert("static_resources".to_string(), json!({ "clusters": [cluster::control_plane(host, port)] }));
    }
    checked(bootstrap)
}

/// One file with everything in it, for an Envoy of one's own; it still talks to the control plane for keys and Snapshots.
pub fn whole(start: &Start, edge: &Edge) -> anyhow::Result<Value> {
    let mut clusters = vec![cluster::control_plane(&start.control.0, start.control.1)];
    clusters.extend(edge.providers.iter().map(|row| cluster::provider(edge, row)));
    clusters.extend(tokens::clusters(edge).into_iter().chain(proxy::clusters(edge)));
    let mut listeners = vec![listener::listener(edge, ("route_config", route::routes(edge)))];
    listeners.extend(proxy::listeners(edge));
    listeners.extend(hop::routes(edge).and_then(|routes| hop::listener(edge, ("route_config", routes))));
    clusters.extend(hop::cluster(edge));
    let mut bootstrap = common(start, &edge.limits);
    if let Some(members) = bootstrap.as_object_mut() {
        members.insert("static_resources".to_string(), json!({ "listeners": listeners, "clusters": clusters }));
    }
    checked(bootstrap)
}

fn checked(bootstrap: Value) -> anyhow::Result<Value> {
    proto::pack(KIND, &bootstrap)?;
    Ok(bootstrap)
}

fn common(start: &Start, limits: &Limits) -> Value {
    let mut bootstrap = json!({
        "node": { "id": start.node, "cluster": "dragoman" },
        "layered_runtime": { "layers": [{ "name": "dragoman", "static_layer": {
            // The method QUERY is new; nothing here speaks it.
            "envoy.reloadable_features.http1_allow_query_method": false,
            // A chunk's head that is not exactly as the standard says is how requests are smuggled.
            "envoy.reloadable_features.strict_chunk_parsing": true,
        } }] },
        // Nothing bounds the time a filter may take: a worker that has not moved for so long is stuck for ever, and all its
        // connections with it. Envoy ends itself, and its supervisor starts it again.
        "watchdogs": {
            "main_thread_watchdog": { "miss_timeout": "0.500s", "megamiss_timeout": "2s", "kill_timeout": "60s" },
            "worker_watchdog": { "miss_timeout": "0.500s", "megamiss_timeout": "2s", "kill_timeout": "30s" },
        },
        "bootstrap_extensions": [proxy::extension()],
        "overload_manager": overload_manager(limits),
        "stats_config": { "stats_tags": labels() },
    });
    if let (Some(members), Some(admin)) = (bootstrap.as_object_mut(), start.admin) {
        members.insert("admin".to_string(), json!({ "address": socket(&admin.ip().to_string(), admin.port()) }));
    }
    bootstrap
}

/// The filters' statistics have their labels in their names: this is how Envoy takes them off again.
fn labels() -> Vec<Value> {
    Label::ALL.map(|label| json!({ "tag_name": label.name(), "regex": label.pattern() })).to_vec()
}

/// Full memory refuses new requests, then connections, before the system's own killer comes.
fn overload_manager(limits: &Limits) -> Value {
    let heap = "envoy.resource_monitors.fixed_heap";
    let connections = "envoy.resource_monitors.global_downstream_max_connections";
    let at = |share: f64| json!([{ "name": heap, "threshold": { "value": share } }]);
    json!({
        "refresh_interval": "0.250s",
        "resource_monitors": [
            {
                "name": heap,
                "typed_config": any(
                    "envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig",
                    json!({ "max_heap_size_bytes": limits.max_heap_bytes.to_string() }),
                ),
            },
            {
                "name": connections,
                "typed_config": any(
                    "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
                    json!({ "max_active_downstream_connections": limits.max_connections.to_string() }),
                ),
            },
        ],
        "actions": [
            { "name": "envoy.overload_actions.shrink_heap", "triggers": at(0.90) },
            { "name": "envoy.overload_actions.disable_http_keepalive", "triggers": at(0.92) },
            { "name": "envoy.overload_actions.stop_accepting_requests", "triggers": at(0.95) },
        ],
    })
}
