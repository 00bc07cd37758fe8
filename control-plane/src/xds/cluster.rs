//! One cluster for each provider, and the one of the control plane.

use std::net::IpAddr;

use dragoman_core::catalog::Origin;
use serde_json::{Value, json};

use super::{CONTROL_PLANE, Edge, any, proxy, seconds, socket};
use crate::catalog::Registered;
use crate::settings::Signing;

pub(super) const KIND: &str = "envoy.config.cluster.v3.Cluster";
pub(super) const PROTOCOL_OPTIONS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/// Most connections, waiting requests, requests and retries at one provider. Retries are not bounded apart from requests: a
/// retry goes to another provider than the one that failed.
const MAX_CONNECTIONS: u32 = 4_096;
pub(super) const MAX_REQUESTS: u32 = 16_384;
/// Idle connections are closed before most servers do it (75 s is common): fewer requests meet a closing one.
pub(super) const IDLE: &str = "50s";
/// The port of the dead end: nothing listens there, and a connection is refused at once.
const DEAD_END: u16 = 1;

/// The cluster of a provider, whose last filter before the wire is the translator.
pub(super) fn provider(edge: &Edge, row: &Registered) -> Value {
    let mut cluster = json!({
        "name": row.cluster(),
        // An address within Envoy has no name to resolve.
        "type": if row.proxy.is_some() { "STATIC" } else { "STRICT_DNS" },
        "dns_lookup_family": "V4_PREFERRED",
        "connect_timeout": seconds(edge.limits.connect_timeout),
        // The translator replaces bodies as large as the limit.
        "per_connection_buffer_limit_bytes": edge.limits.max_body_bytes,
        "load_assignment": endpoints(row),
        "circuit_breakers": { "thresholds": [{
            "max_connections": MAX_CONNECTIONS,
            "max_pending_requests": MAX_REQUESTS,
            "max_requests": MAX_REQUESTS,
            "max_retries": MAX_REQUESTS,
        }] },
        "outlier_detection": outlier_detection(),
        "typed_extension_protocol_options": { PROTOCOL_OPTIONS: any(PROTOCOL_OPTIONS, protocol(edge, row)) },
    });
    if let Some(members) = cluster.as_object_mut()
        && row.origin.tls
    {
        members.insert("transport_socket".to_string(), tls(edge, &row.origin));
    }
    cluster
}

/// The provider's addresses, and behind them the dead end. Envoy answers a request to a cluster without any address itself,
/// and such an answer is not retried; an address that refuses is, so that a name that does not resolve falls back as well.
fn endpoints(row: &Registered) -> Value {
    let at = |host: &str, port| json!({ "endpoint": { "address": socket(host, port) } });
    let endpoints: Vec<Value> = match row.pinned.is_empty() {
        _ if row.proxy.is_some() => vec![json!({ "endpoint": { "address": proxy::address(row) } })],
        true => vec![at(&row.origin.host, row.origin.port)],
        false => row.pinned.iter().map(|address| at(&address.to_string(), row.origin.port)).collect(),
    };
    let mut dead_end = json!({ "lb_endpoints": [at("127.0.0.1", DEAD_END)] });
    if let Some(members) = dead_end.as_object_mut() {
        members.insert("priority".to_string(), json!(1));
    }
    json!({ "cluster_name": row.cluster(), "endpoints": [{ "lb_endpoints": endpoints }, dead_end] })
}

/// Addresses that can't be reached are left out while others of the same provider can; what a provider answers is no reason,
/// for that may be about one model or one key. The share lets one of two or more addresses go, never the only one: the dead
/// end counts as an address, and one of two would be fifty.
fn outlier_detection() -> Value {
    json!({
        "split_external_local_origin_errors": true,
        "consecutive_local_origin_failure": 5,
        "enforcing_consecutive_local_origin_failure": 100,
        "enforcing_consecutive_5xx": 0,
        "enforcing_consecutive_gateway_failure": 0,
        "enforcing_success_rate": 0,
        "enforcing_local_origin_success_rate": 0,
        "interval": "5s",
        "base_ejection_time": "10s",
        "max_ejection_percent": 34,
    })
}

fn protocol(edge: &Edge, row: &Registered) -> Value {
    let (kind, options) = match (row.origin.tls, row.http2) {
        // With TLS the two sides agree by ALPN.
        (true, _) => ("auto_config", json!({ "http_protocol_options": {}, "http2_protocol_options": {} })),
        (false, true) => ("explicit_http_config", json!({ "http2_protocol_options": {} })),
        (false, false) => ("explicit_http_config", json!({ "http_protocol_options": {} })),
    };
    let translator = json!({ "name": "dragoman.translator", "typed_config": edge.module.plugin("translator") });
    let codec = json!({
        "name": "envoy.filters.http.upstream_codec",
        "typed_config": any("envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec", json!({})),
    });
    // What is signed is what the translator wrote, and nothing changes it any more.
    let filters: Vec<Value> = [translator].into_iter().chain(row.signing.as_ref().map(signer)).chain([codec]).collect();
    json!({
        "common_http_protocol_options": { "idle_timeout": IDLE },
        kind: options,
        "http_filters": filters,
    })
}

/// Signs with the credentials that Envoy finds by itself: its environment, its files, its place in the cloud. Only headers that
/// the service looks at are signed; Envoy's own may change on the way out.
fn signer(signing: &Signing) -> Value {
    let config = json!({
        "service_name": signing.service,
        "region": signing.region,
        "match_included_headers": [{ "exact": "content-type" }, { "prefix": "x-amz-" }],
    });
    json!({
        "name": "envoy.filters.http.aws_request_signing",
        "typed_config": any("envoy.extensions.filters.http.aws_request_signing.v3.AwsRequestSigning", config),
    })
}

/// The provider's certificate must be good, and be the provider's.
fn tls(edge: &Edge, origin: &Origin) -> Value {
    let host = origin.host.trim_start_matches('[').trim_end_matches(']');
    let literal = host.parse::<IpAddr>().is_ok();
    let name = json!({ "san_type": if literal { "IP_ADDRESS" } else { "DNS" }, "matcher": { "exact": host } });
    let mut context = json!({
        "common_tls_context": {
            "tls_params": { "tls_minimum_protocol_version": "TLSv1_2" },
            "validation_context": {
                "trusted_ca": { "filename": edge.ca_file.to_string_lossy() },
                "match_typed_subject_alt_names": [name],
            },
        },
    });
    if let Some(members) = context.as_object_mut()
        && !literal
    {
        members.insert("sni".to_string(), json!(host));
    }
    json!({
        "name": "envoy.transport_sockets.tls",
        "typed_config": any("envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext", context),
    })
}

/// A cluster that Envoy itself asks for something.
pub(super) fn plain(edge: &Edge, name: &str, origin: &Origin) -> Value {
    let endpoint = json!({ "endpoint": { "address": socket(&origin.host, origin.port) } });
    let mut cluster = json!({
        "name": name,
        "type": "STRICT_DNS",
        "dns_lookup_family": "V4_PREFERRED",
        "connect_timeout": seconds(edge.limits.connect_timeout),
        "load_assignment": { "cluster_name": name, "endpoints": [{ "lb_endpoints": [endpoint] }] },
    });
    if let Some(members) = cluster.as_object_mut()
        && origin.tls
    {
        members.insert("transport_socket".to_string(), tls(edge, origin));
    }
    cluster
}

/// The cluster of the control plane: HTTP/2 in plain text, and a dead connection is noticed.
pub(super) fn control_plane(host: &str, port: u16) -> Value {
    let protocol = json!({ "explicit_http_config": { "http2_protocol_options": {
        "connection_keepalive": { "interval": "5s", "timeout": "3s" },
    } } });
    json!({
        "name": CONTROL_PLANE,
        "type": "STRICT_DNS",
        "dns_lookup_family": "V4_PREFERRED",
        "connect_timeout": "1s",
        "load_assignment": {
            "cluster_name": CONTROL_PLANE,
            "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": socket(host, port) } }] }],
        },
        "typed_extension_protocol_options": { PROTOCOL_OPTIONS: any(PROTOCOL_OPTIONS, protocol) },
    })
}
